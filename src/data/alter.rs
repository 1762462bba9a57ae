//! What a reader does to the picture before the network sees it: moved, inverted, covered in part, noisy. Values in, values out, on a
//! network's own input, so that drawings, samples and photographs are all treated alike. Knows pictures and normalisations, no network.

use super::input::Normalisation;
use crate::rng::Rng;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A grey square over a part of the picture, in thousandths of its height and width: it stays where it is on a network of another size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cover {
    /// Its middle: how far down.
    pub y: u16,
    /// And how far to the right.
    pub x: u16,
    /// Its side.
    pub side: u16,
}

impl Default for Cover {
    fn default() -> Self {
        Self { y: 500, x: 500, side: 250 }
    }
}

impl Cover {
    /// First and last (exclusive) row and column of a picture of this size.
    pub fn within(self, height: usize, width: usize) -> [std::ops::Range<usize>; 2] {
        let span = |middle: u16, size: usize| {
            let pixels = |thousandths: f32| thousandths * size as f32 / 1000.0;
            let side = pixels(self.side.into()).round().max(1.0);
            let first = (pixels(middle.into()) - side / 2.0).round();
            // Casts saturate: what lies outside of the picture is cut off.
            (first as usize).min(size)..((first + side) as usize).min(size)
        };
        [span(self.y, height), span(self.x, width)]
    }
}

/// Everything that is done to the picture, in the order in which it is done. Nothing at first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Alterations {
    /// Moved by so many pixels of the network's input: down, to the right. What comes in from outside is paper (black on photographs).
    pub shift: [i32; 2],
    /// Paper ↔ ink, dark ↔ bright.
    pub invert: bool,
    /// A part of it covered by middle grey.
    pub cover: Option<Cover>,
    /// Standard deviation of Gaussian noise on each value, in percent of the way from black to white; what leaves that way is cut off.
    pub noise: u8,
    /// Of the noise.
    pub seed: u32,
}

impl Alterations {
    /// Whether the picture stays as it is.
    pub fn is_none(&self) -> bool {
        let Self { shift, invert, cover, noise, seed: _ } = *self;
        shift == [0, 0] && !invert && cover.is_none() && noise == 0
    }

    /// The same without moving it.
    #[must_use]
    pub fn in_place(self) -> Self {
        Self { shift: [0, 0], ..self }
    }

    /// Does them to a network's input: C×H×W values of `shape`, normalised.
    pub fn apply(&self, values: &mut [f32], shape: Shape, normalisation: Normalisation) {
        let (h, w) = (shape.h, shape.w);
        let mut noise = Rng::stream(self.seed.into(), "noise");
        for (channel, map) in values.chunks_exact_mut((h * w).max(1)).enumerate() {
            let levels = normalisation.levels(channel);
            let (black, white) = (levels.value(0.0), levels.value(255.0));
            if self.shift != [0, 0] {
                shifted(map, [h, w], self.shift, black);
            }
            if self.invert {
                map.iter_mut().for_each(|v| *v = black + white - *v);
            }
            if let Some(cover) = self.cover {
                let [rows, columns] = cover.within(h, w);
                for row in map.chunks_exact_mut(w.max(1)).take(rows.end).skip(rows.start) {
                    row[columns.clone()].fill((black + white) / 2.0);
                }
            }
            if self.noise > 0 {
                let deviation = (white - black) * f32::from(self.noise) / 100.0;
                map.iter_mut().for_each(|v| *v = (*v + deviation * noise.normal()).clamp(black, white));
            }
        }
    }
}

/// Moves a map down and to the right; `fill` comes in from outside.
fn shifted(map: &mut [f32], [h, w]: [usize; 2], [down, right]: [i32; 2], fill: f32) {
    let before = map.to_vec();
    let from = |i: usize, by: i32, size: usize| i.checked_add_signed(-(by as isize)).filter(|i| *i < size);
    for (y, row) in map.chunks_exact_mut(w.max(1)).enumerate() {
        let row_before = from(y, down, h).map(|y| &before[y * w..][..w]);
        for (x, value) in row.iter_mut().enumerate() {
            *value = row_before.zip(from(x, right, w)).map_or(fill, |(row, x)| row[x]);
        }
    }
}

/// How far something moves, down and to the right, as arrows: `↓1 →0.5`; empty: not at all.
pub fn arrows(by: [f32; 2]) -> String {
    let part = |by: f32, signs: [char; 2]| (by != 0.0).then(|| format!("{}{}", signs[usize::from(by > 0.0)], by.abs()));
    [part(by[0], ['↑', '↓']), part(by[1], ['←', '→'])].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// As the page's address has it: `move,1,-2~invert~cover,500,500,250~noise,20~seed,3`; what is not done is left out.
impl fmt::Display for Alterations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shift: [down, right], invert, cover, noise, seed } = *self;
        let mut parts = Vec::new();
        if [down, right] != [0, 0] {
            parts.push(format!("move,{down},{right}"));
        }
        if invert {
            parts.push("invert".into());
        }
        if let Some(Cover { y, x, side }) = cover {
            parts.push(format!("cover,{y},{x},{side}"));
        }
        if noise > 0 {
            parts.push(format!("noise,{noise}"));
            if seed > 0 {
                parts.push(format!("seed,{seed}"));
            }
        }
        f.write_str(&parts.join("~"))
    }
}

/// Reads what `Display` writes; what cannot be read is as if it were not there.
impl FromStr for Alterations {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut out = Self::default();
        for part in text.split('~') {
            let mut words = part.split(',');
            let name = words.next();
            let numbers: Option<Vec<i32>> = words.map(|n| n.parse().ok()).collect();
            match (name, numbers.as_deref()) {
                (Some("move"), Some(&[down, right])) => out.shift = [down, right].map(|n| n.clamp(-999, 999)),
                (Some("invert"), Some([])) => out.invert = true,
                (Some("cover"), Some(&[y, x, side])) => {
                    let [y, x, side] = [y, x, side].map(|n| n.clamp(0, 1000) as u16);
                    out.cover = Some(Cover { y, x, side });
                }
                (Some("noise"), Some(&[percent])) => out.noise = percent.clamp(0, 100) as u8,
                (Some("seed"), Some(&[seed])) => out.seed = seed.max(0) as u32,
                _ => {}
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { c: 2, h: 3, w: 4 };
    const N: Normalisation = Normalisation::Imagenet;

    /// Bytes as the network gets them.
    fn picture() -> Vec<f32> {
        (0..24).map(|i| N.levels(i / 12).value((i * 10) as f32)).collect()
    }

    /// What a value was as a byte.
    fn bytes(values: &[f32]) -> Vec<i32> {
        let byte = |(i, v): (usize, &f32)| {
            let levels = N.levels(i / 12);
            ((v - levels.background) / levels.per_step).round() as i32
        };
        values.iter().enumerate().map(byte).collect()
    }

    fn after(alterations: Alterations) -> Vec<i32> {
        let mut values = picture();
        alterations.apply(&mut values, SHAPE, N);
        bytes(&values)
    }

    const NONE: Alterations = Alterations { shift: [0, 0], invert: false, cover: None, noise: 0, seed: 0 };

    #[test]
    fn nothing_changes_nothing() {
        let mut values = picture();
        NONE.apply(&mut values, SHAPE, N);
        assert_eq!(values, picture());
        assert!(NONE.is_none() && NONE == Alterations::default() && Alterations { seed: 7, ..NONE }.is_none());
    }

    #[test]
    fn a_moved_picture_is_the_same_elsewhere() {
        let down_left = after(Alterations { shift: [1, -1], ..NONE });
        assert_eq!(down_left[..12], [0, 0, 0, 0, 10, 20, 30, 0, 50, 60, 70, 0]);
        assert_eq!(down_left[12..], [0, 0, 0, 0, 130, 140, 150, 0, 170, 180, 190, 0]);
        assert_eq!(after(Alterations { shift: [-2, 3], ..NONE })[..12], [0, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(after(Alterations { shift: [0, 999], ..NONE }), [0; 24]);
        assert_eq!(Alterations { shift: [1, 2], noise: 3, ..NONE }.in_place(), Alterations { noise: 3, ..NONE });
    }

    #[test]
    fn inverted_twice_is_the_picture() {
        let once: Vec<i32> = (0..24).map(|i| 255 - i * 10).collect();
        assert_eq!(after(Alterations { invert: true, ..NONE }), once);
        let mut twice = picture();
        (0..2).for_each(|_| Alterations { invert: true, ..NONE }.apply(&mut twice, SHAPE, N));
        assert_eq!(bytes(&twice), bytes(&picture()));
        // Moved first: what came in from outside is inverted too.
        assert_eq!(after(Alterations { invert: true, shift: [0, 999], ..NONE }), [255; 24]);
    }

    #[test]
    fn a_cover_is_grey_and_covers_its_square() {
        let covered = after(Alterations { cover: Some(Cover { y: 0, x: 1000, side: 500 }), ..NONE });
        // Two rows and two columns about the upper right corner: half of them inside.
        assert_eq!(covered[..12], [0, 10, 20, 128, 40, 50, 60, 70, 80, 90, 100, 110]);
        assert_eq!(Cover::default().within(32, 32), [12..20, 12..20]);
        assert_eq!(Cover { y: 500, x: 500, side: 0 }.within(224, 224), [112..113, 112..113], "one pixel at least");
        assert_eq!(Cover { y: 1000, x: 0, side: 1000 }.within(10, 20), [5..10, 0..10]);
    }

    #[test]
    fn noise_has_its_deviation_and_its_seed() {
        let shape = Shape::new(1, 100, 100);
        let grey = vec![N.levels(0).value(127.5); shape.len()];
        let noisy = |seed, noise| {
            let mut values = grey.clone();
            Alterations { noise, seed, ..NONE }.apply(&mut values, shape, N);
            values.iter().map(|v| (v - N.levels(0).background) / N.levels(0).per_step).collect::<Vec<f32>>()
        };
        let (some, same, other) = (noisy(1, 10), noisy(1, 10), noisy(2, 10));
        assert_eq!(some, same);
        assert_ne!(some, other);
        let mean = some.iter().sum::<f32>() / 1e4;
        let deviation = (some.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 1e4).sqrt();
        assert!((mean - 127.5).abs() < 1.0 && (deviation - 25.5).abs() < 0.6, "{mean} ± {deviation}");
        // Never brighter than white or darker than black.
        assert!(noisy(1, 100).iter().all(|v| (-0.01..255.01).contains(v)));
    }

    #[test]
    fn moves_are_arrows() {
        assert_eq!(arrows([0.0, 0.0]), "");
        assert_eq!(arrows([1.0, -0.25]), "↓1 ←0.25");
        assert_eq!(arrows([-2.0, 0.0]), "↑2");
    }

    #[test]
    fn the_address_keeps_them() {
        let all = Alterations {
            shift: [1, -2],
            invert: true,
            cover: Some(Cover { y: 1, x: 2, side: 3 }),
            noise: 20,
            seed: 3,
        };
        assert_eq!(all.to_string(), "move,1,-2~invert~cover,1,2,3~noise,20~seed,3");
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!((NONE.to_string().as_str(), "".parse()), ("", Ok(NONE)));
        assert_eq!(
            "move,1~cover,a,b,c~noise,999~invert,1~~seed,-4~what".parse(),
            Ok(Alterations { noise: 100, ..NONE })
        );
    }
}
