//! How a value becomes a colour: pure, shared by both engines' painters. Knows no device.

use serde::{Deserialize, Serialize};

/// Colours: signed values run negative–zero–positive, so values that are never negative use the upper half only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Palette {
    /// Orange–white–blue.
    #[default]
    Light,
    /// Orange–black–blue, for dark pages.
    Dark,
    /// Magnitudes alone, dark blue over grey to yellow, after cividis (Nuñez, Anderton & Renslow 2018): lightness grows evenly, and
    /// whoever does not see red and green apart sees the same.
    Cividis,
    /// Magnitudes alone, white to black: for print.
    Grey,
}

/// sRGB at −1, −½, 0, ½, 1; straight lines between. Orange and blue stay apart for every common colour blindness, and lightness
/// alone tells the magnitude.
pub type Anchors = [[u8; 3]; 5];

impl Palette {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Light, Self::Dark, Self::Cividis, Self::Grey];

    /// Its colours.
    pub const fn anchors(self) -> &'static Anchors {
        match self {
            Self::Light => &[[166, 74, 0], [240, 160, 80], [255, 255, 255], [104, 164, 220], [16, 78, 160]],
            Self::Dark => &[[255, 196, 120], [190, 104, 24], [14, 17, 22], [44, 104, 176], [140, 204, 255]],
            Self::Cividis => &[[255, 233, 69], [124, 123, 120], [0, 32, 81], [124, 123, 120], [255, 233, 69]],
            Self::Grey => &[[0, 0, 0], [128, 128, 128], [255, 255, 255], [128, 128, 128], [0, 0, 0]],
        }
    }

    /// The colour of `t`, which is cut to −1..1; NaN has the colour of 0.
    pub fn colour(self, t: f32) -> [u8; 3] {
        let at = if t.is_nan() { 2.0 } else { t.clamp(-1.0, 1.0) * 2.0 + 2.0 };
        let i = (at as usize).min(3);
        let (low, high, part) = (self.anchors()[i], self.anchors()[i + 1], at - i as f32);
        std::array::from_fn(|c| {
            let (low, high) = (f32::from(low[c]), f32::from(high[c]));
            (low + (high - low) * part).round() as u8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_at_the_anchors_and_between() {
        for palette in Palette::ALL {
            for (i, anchor) in palette.anchors().iter().enumerate() {
                assert_eq!(palette.colour(i as f32 / 2.0 - 1.0), *anchor);
            }
            assert_eq!(palette.colour(7.0), palette.anchors()[4]);
            assert_eq!(palette.colour(f32::NEG_INFINITY), palette.anchors()[0]);
            assert_eq!(palette.colour(f32::NAN), palette.anchors()[2]);
        }
        // Of magnitudes the sign is not told, and lightness runs one way.
        for palette in [Palette::Cividis, Palette::Grey] {
            let light = |t| palette.colour(t).map(u32::from).iter().sum::<u32>();
            for t in [0.2, 0.4, 0.6, 0.8, 1.0] {
                assert_eq!(palette.colour(t), palette.colour(-t));
                assert_eq!(light(t) > light(t - 0.2), palette == Palette::Cividis, "{palette:?} at {t}");
            }
        }
        assert_eq!(Palette::Light.colour(0.25), [180, 210, 238]); // half way from white to light blue
    }
}
