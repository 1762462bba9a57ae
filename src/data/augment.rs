//! Random changes of training pictures, each picture anew in each epoch, straight into a batch: digits are distorted, photographs
//! cropped, mirrored and shifted in colour. Knows pictures and random numbers, not networks. No allocation per picture.

use super::distort::Distortion;
use super::input::Normalisation;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// What is done to a training picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// Nothing.
    #[default]
    None,
    /// Moved, turned, scaled, slanted.
    Digits(Distortion),
    /// A window of the input's size, anywhere in the picture: 224×224 out of 256×256 (Krizhevsky et al. 2012, §4.1), or 32×32 out of
    /// 32×32 with a frame of 4 black pixels (He et al. 2015, §4.2). Where the picture leaves no room to choose, its middle.
    Crop {
        /// Black pixels added on each side before.
        padding: u32,
        /// Whether every other picture, by chance, is mirrored left to right.
        flip: bool,
        /// Standard deviation of the three factors of the colour shift (AlexNet: 0.1; 0: none).
        colour: f32,
    },
}

/// Principal components of the colours of ImageNet's pixels, red, green, blue in 0 … 1: each row a component (unit vector) times the
/// standard deviation along it. Krizhevsky et al. 2012, §4.1 describe them; the figures are those published with their many
/// reimplementations (eigenvalues 55.46, 4.794, 1.148 of bytes).
const COLOURS: [[f32; 3]; 3] = [
    [0.2175 * -0.5675, 0.2175 * -0.5808, 0.2175 * -0.5836],
    [0.0188 * 0.7192, 0.0188 * -0.0045, 0.0188 * -0.6948],
    [0.0045 * 0.4009, 0.0045 * -0.8140, 0.0045 * 0.4203],
];

impl Augmentation {
    /// Digits distorted as far as they may be.
    pub const DISTORTED: Self = Self::Digits(Distortion::USUAL);

    /// The distortion of digits; none where pictures are changed otherwise or not at all.
    pub fn distortion(&self) -> Distortion {
        if let Self::Digits(distortion) = self { *distortion } else { Distortion::default() }
    }

    /// Changes the distortion of digits; what else was done to pictures is given up.
    pub fn distort(&mut self, change: impl FnOnce(&mut Distortion)) {
        let mut distortion = self.distortion();
        change(&mut distortion);
        *self = Self::Digits(distortion);
    }

    /// Writes a picture (`image`: c × h × w bytes, `from` = [c, h, w]) so changed into `out` (C × H × W floats, `to` = [C, H, W]).
    /// Without a change it writes what [`Normalisation::write`] writes.
    pub fn write(
        &self,
        rng: &mut Rng,
        image: &[u8],
        from: [usize; 3],
        normalisation: Normalisation,
        out: &mut [f32],
        to: [usize; 3],
    ) {
        let ([channels, height, width], [_, rows, columns]) = (from, to);
        let area = height * width;
        let planes = out.chunks_exact_mut((rows * columns).max(1)).enumerate();
        let plane = |channel: usize| {
            let channel = if channels == 1 { 0 } else { channel };
            image.get(channel * area..(channel + 1) * area).unwrap_or_default()
        };
        match *self {
            Self::Digits(distortion) if !distortion.is_none() && area > 0 && !image.is_empty() => {
                let affine = distortion.draw(rng);
                for (channel, out) in planes.filter(|&(c, _)| !plane(c).is_empty()) {
                    affine.write(plane(channel), (height, width), normalisation.levels(channel), out, (rows, columns));
                }
            }
            Self::None | Self::Digits(_) => normalisation.write(image, from, out, to),
            Self::Crop { padding, flip, colour } => {
                let crop = Crop::draw(rng, padding, flip, colour, (height, width), (rows, columns));
                for (channel, out) in planes {
                    let mut levels = normalisation.levels(channel);
                    let shift = crop.colour.get(channel % 3).copied().unwrap_or_default();
                    levels.background += 255.0 * shift * levels.per_step;
                    for (y, out) in (0..).zip(out.chunks_exact_mut(columns.max(1))) {
                        out.fill(levels.background);
                        let row = usize::try_from(crop.top + y).ok().filter(|&row| row < height);
                        let Some(row) = row.and_then(|row| plane(channel).get(row * width..(row + 1) * width)) else {
                            continue;
                        };
                        let at = |x: usize| {
                            let x = if crop.flip { columns - 1 - x } else { x };
                            usize::try_from(crop.left + x as isize).ok()
                        };
                        for (x, out) in out.iter_mut().enumerate() {
                            if let Some(&byte) = at(x).and_then(|column| row.get(column)) {
                                *out = levels.value(f32::from(byte));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What chance decided for one picture.
struct Crop {
    /// First row and column of the picture that are seen, negative in the padding.
    top: isize,
    left: isize,
    flip: bool,
    /// Added to red, green and blue in 0 … 1.
    colour: [f32; 3],
}

impl Crop {
    /// Always as many draws, so that a change of one amount leaves the others as they were.
    fn draw(rng: &mut Rng, padding: u32, flip: bool, colour: f32, from: (usize, usize), to: (usize, usize)) -> Self {
        let mut place = |from: usize, to: usize| {
            let chance = rng.uniform();
            let (padding, from, to) = (padding as isize, from as isize, to as isize);
            let room = from + 2 * padding - to;
            if room > 0 {
                ((chance * (room + 1) as f32) as isize).min(room) - padding
            } else {
                // As where digits lie in their frame: the odd pixel of frame below and to the right.
                -((to - from).max(0) / 2) + (from - to).max(0) / 2
            }
        };
        let (top, left) = (place(from.0, to.0), place(from.1, to.1));
        let flip = (rng.uniform() < 0.5) && flip;
        let mut shift = [0.0; 3];
        for component in COLOURS {
            let factor = colour * rng.normal();
            shift.iter_mut().zip(component).for_each(|(shift, part)| *shift += factor * part);
        }
        Self { top, left, flip, colour: shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: Normalisation = Normalisation::Imagenet;

    /// Three planes of 6×7, all bytes different; 0 stays for the frame.
    fn picture() -> Vec<u8> {
        (0..126).map(|i| i as u8 + 1).collect()
    }

    /// The picture so changed, as bytes.
    fn bytes(augmentation: Augmentation, rng: &mut Rng, [h, w]: [usize; 2]) -> Vec<f32> {
        let mut out = vec![99.0; 3 * h * w];
        augmentation.write(rng, &picture(), [3, 6, 7], N, &mut out, [3, h, w]);
        let byte = |(i, v): (usize, f32)| {
            let levels = N.levels(i / (h * w));
            (v - levels.background) / levels.per_step
        };
        out.into_iter().enumerate().map(byte).collect()
    }

    /// Where the window lies, and whether it is mirrored, by comparing with every possible one.
    fn found(bytes: &[f32], [h, w]: [usize; 2], padding: isize) -> (isize, isize, bool) {
        let image = picture();
        let at = |c: usize, y: isize, x: isize| match (usize::try_from(y), usize::try_from(x)) {
            (Ok(y), Ok(x)) if y < 6 && x < 7 => f32::from(image[(c * 6 + y) * 7 + x]),
            _ => 0.0,
        };
        let mut all = Vec::new();
        for top in -padding..=6 + padding - h as isize {
            for left in -padding..=7 + padding - w as isize {
                for flip in [false, true] {
                    let same = bytes.iter().enumerate().all(|(i, &got)| {
                        let (c, y, x) = (i / (h * w), (i / w % h) as isize, i % w);
                        let x = if flip { w - 1 - x } else { x };
                        (got - at(c, top + y, left + x as isize)).abs() < 1e-2
                    });
                    all.extend(same.then_some((top, left, flip)));
                }
            }
        }
        assert_eq!(all.len(), 1, "{all:?}");
        all[0]
    }

    #[test]
    fn every_window_and_its_mirror_image_come_about_as_often() {
        for (size, padding) in [([4, 5], 0), ([6, 7], 2)] {
            let crop = Augmentation::Crop { padding, flip: true, colour: 0.0 };
            let room = [6 + 2 * padding as usize - size[0] + 1, 7 + 2 * padding as usize - size[1] + 1];
            let kinds = room[0] * room[1] * 2;
            let root = Rng::new(3);
            let mut counts = std::collections::BTreeMap::new();
            for i in 0..kinds as u64 * 40 {
                let bytes = bytes(crop, &mut root.substream(i), size);
                *counts.entry(found(&bytes, size, padding as isize)).or_insert(0) += 1;
            }
            assert_eq!(counts.len(), kinds);
            assert!(counts.values().all(|n| (14..80).contains(n)), "{counts:?}");
        }
    }

    #[test]
    fn without_room_it_is_the_plain_picture() {
        let plain = |to: [usize; 2]| {
            let mut out = vec![99.0; 3 * to[0] * to[1]];
            N.write(&picture(), [3, 6, 7], &mut out, [3, to[0], to[1]]);
            out
        };
        for to in [[6, 7], [9, 12], [8, 7]] {
            let mut out = vec![99.0; 3 * to[0] * to[1]];
            let crop = Augmentation::Crop { padding: 0, flip: false, colour: 0.0 };
            crop.write(&mut Rng::new(1), &picture(), [3, 6, 7], N, &mut out, [3, to[0], to[1]]);
            assert_eq!(out, plain(to), "{to:?}");
            Augmentation::None.write(&mut Rng::new(1), &picture(), [3, 6, 7], N, &mut out, [3, to[0], to[1]]);
            assert_eq!(out, plain(to), "{to:?}");
        }
    }

    #[test]
    fn colours_shift_along_the_principal_components() {
        let size = [6, 7];
        let still = bytes(Augmentation::None, &mut Rng::new(1), size);
        let root = Rng::new(9);
        let (mut sums, mut squares) = ([0.0f64; 3], [0.0f64; 3]);
        let count = 4000;
        for i in 0..count {
            let crop = Augmentation::Crop { padding: 0, flip: false, colour: 0.1 };
            let moved = bytes(crop, &mut root.substream(i), size);
            // The same for every pixel of a channel.
            for c in 0..3 {
                let shifts: Vec<f32> = (c * 42..(c + 1) * 42).map(|i| moved[i] - still[i]).collect();
                assert!(shifts.iter().all(|s| (s - shifts[0]).abs() < 2e-2));
                sums[c] += f64::from(shifts[0]);
                squares[c] += f64::from(shifts[0]).powi(2);
            }
        }
        for c in 0..3 {
            let mean = sums[c] / count as f64;
            let deviation = (squares[c] / count as f64 - mean * mean).sqrt();
            let expected = 255.0 * 0.1 * COLOURS.iter().map(|p| f64::from(p[c]).powi(2)).sum::<f64>().sqrt();
            assert!(
                mean.abs() < 0.2 && (deviation / expected - 1.0).abs() < 0.05,
                "{c}: {mean} {deviation} {expected}"
            );
        }
        // The components are unit vectors, at right angles.
        for (i, a) in COLOURS.iter().enumerate() {
            for (j, b) in COLOURS.iter().enumerate() {
                let dot = |a: &[f32; 3], b: &[f32; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
                let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
                assert!((cosine - if i == j { 1.0 } else { 0.0 }).abs() < 2e-3, "{i} {j}: {cosine}");
            }
        }
    }

    #[test]
    fn one_amount_leaves_the_others_as_they_were() {
        let window = |flip, colour, seed| {
            let crop = Crop::draw(&mut Rng::new(seed), 4, flip, colour, (32, 32), (32, 32));
            (crop.top, crop.left)
        };
        for seed in 0..50 {
            assert_eq!(window(false, 0.0, seed), window(true, 0.1, seed));
        }
    }

    #[test]
    fn grey_digits_are_distorted_alike_in_every_channel() {
        let digits = Augmentation::Digits(Distortion { shift: 1.0, rotate: 20.0, scale: 0.1, shear: 0.1 });
        let mut out = vec![9.0; 3 * 8 * 9];
        let n = Normalisation::MeanStd;
        digits.write(&mut Rng::new(5), &picture()[..42], [1, 6, 7], n, &mut out, [3, 8, 9]);
        assert_eq!(out[..72], out[72..144]);
        assert_eq!(out[..72], out[144..]);
        let mut one = vec![9.0; 72];
        digits.distortion().draw(&mut Rng::new(5)).write(&picture()[..42], (6, 7), n.levels(0), &mut one, (8, 9));
        assert_eq!(out[..72], one);
        let mut crop = Augmentation::Crop { padding: 1, flip: false, colour: 0.0 };
        crop.distort(|d| d.shift = 2.0);
        assert_eq!(crop, Augmentation::Digits(Distortion { shift: 2.0, ..Distortion::default() }));
    }
}
