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
}

/// sRGB at −1, −½, 0, ½, 1; straight lines between. Orange and blue stay apart for every common colour blindness, and lightness
/// alone tells the magnitude.
pub type Anchors = [[u8; 3]; 5];

impl Palette {
    /// Its colours.
    pub const fn anchors(self) -> &'static Anchors {
        match self {
            Self::Light => &[[166, 74, 0], [240, 160, 80], [255, 255, 255], [104, 164, 220], [16, 78, 160]],
            Self::Dark => &[[255, 196, 120], [190, 104, 24], [14, 17, 22], [44, 104, 176], [140, 204, 255]],
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
        for palette in [Palette::Light, Palette::Dark] {
            for (i, anchor) in palette.anchors().iter().enumerate() {
                assert_eq!(palette.colour(i as f32 / 2.0 - 1.0), *anchor);
            }
            assert_eq!(palette.colour(7.0), palette.anchors()[4]);
            assert_eq!(palette.colour(f32::NEG_INFINITY), palette.anchors()[0]);
            assert_eq!(palette.colour(f32::NAN), palette.anchors()[2]);
        }
        assert_eq!(Palette::Light.colour(0.25), [180, 210, 238]); // half way from white to light blue
    }
}
