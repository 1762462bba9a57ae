//! Random distortions of digits for training: moved, turned, scaled, slanted, each picture anew in each epoch, straight into a
//! batch. Knows pictures and random numbers, not networks. No allocation per picture.
//!
//! LeCun et al. 1998, §III-A: “combinations of the following planar affine transformations: horizontal and vertical translations, scaling,
//! squeezing (simultaneous horizontal compression and vertical elongation, or the reverse), and horizontal shearing”; with them LeNet-5's
//! test error fell from 0.95 % to 0.8 %. Rotation is ours.

use super::input::Levels;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// How far digits are distorted at most: each amount is drawn evenly from −amplitude … +amplitude. All zero: not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Distortion {
    /// Translation down and to the right, each, in pixels.
    pub shift: f32,
    /// Rotation about the picture's middle, in degrees.
    pub rotate: f32,
    /// Change of height and of width as a fraction, each drawn for itself: the paper's scaling and squeezing. Below 1.
    pub scale: f32,
    /// Horizontal shearing: columns per row.
    pub shear: f32,
}

impl Distortion {
    /// As far as a digit may go and still be read without doubt. LeCun 1998 distorts its digits too (§III.A); how far, it does not say.
    pub const USUAL: Self = Self { shift: 1.5, rotate: 9.0, scale: 0.1, shear: 0.12 };

    /// Whether pictures stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Draws one distortion. Always six draws, so that a change of one amplitude leaves the other amounts as they were.
    pub fn draw(&self, rng: &mut Rng) -> Affine {
        let mut amount = |amplitude: f32| rng.range(-amplitude, amplitude);
        Affine::new(
            (amount(self.shift), amount(self.shift)),
            amount(self.rotate),
            (1.0 + amount(self.scale), 1.0 + amount(self.scale)),
            amount(self.shear),
        )
    }
}

/// One affine map of a picture, about the picture's middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// From a place in the result to its source, both as (row, column) from the middle: `source = inverse · (place − shift)`.
    inverse: [[f32; 2]; 2],
    shift: (f32, f32),
}

impl Affine {
    /// Scales by `scale` (height, width), then slants to the right by `shear` columns per row upwards, then turns by `rotate` degrees
    /// clockwise, then moves by `shift` (down, right) pixels.
    pub fn new(shift: (f32, f32), rotate: f32, scale: (f32, f32), shear: f32) -> Self {
        let (sin, cos) = rotate.to_radians().sin_cos();
        // Rows grow downwards, so clockwise is (row, column) → (cos·row + sin·column, −sin·row + cos·column); this is its inverse …
        let unturned = [[cos, -sin], [sin, cos]];
        // … then column += shear·row undoes the slant, and the division the scale.
        let [row, column] = unturned;
        let unslanted = [column[0] + shear * row[0], column[1] + shear * row[1]];
        Self { inverse: [row.map(|v| v / scale.0), unslanted.map(|v| v / scale.1)], shift }
    }

    /// Writes a picture (`image`, h × w bytes; h·w > 0), so mapped, into the middle of `out` (H × W floats), bilinearly; what comes from outside
    /// of the picture is background. `from` and `to` are (rows, columns), placed as [`super::input::Normalisation::write`] places them:
    /// without distortion the two write the same.
    pub fn write(&self, image: &[u8], from: (usize, usize), levels: Levels, out: &mut [f32], to: (usize, usize)) {
        let (height, width) = from;
        let place =
            |from: usize, to: usize| (to.saturating_sub(from) / 2) as f32 - (from.saturating_sub(to) / 2) as f32;
        let middle = ((height as f32 - 1.0) / 2.0, (width as f32 - 1.0) / 2.0);
        // The picture's middle in the result, where the map sends it.
        let origin = (place(height, to.0) + middle.0 + self.shift.0, place(width, to.1) + middle.1 + self.shift.1);
        let [[row_by_y, row_by_x], [column_by_y, column_by_x]] = self.inverse;
        let Levels { background, per_step } = levels;

        for (y, out) in out.chunks_exact_mut(to.1.max(1)).take(to.0).enumerate() {
            let dy = y as f32 - origin.0;
            let row_start = row_by_y * dy + middle.0;
            let column_start = column_by_y * dy + middle.1;
            for (x, out) in out.iter_mut().enumerate() {
                let dx = x as f32 - origin.1;
                let ink = sample(image, from, row_by_x * dx + row_start, column_by_x * dx + column_start);
                *out = background + per_step * ink;
            }
        }
    }
}

/// The ink at a place between pixels, bilinear; paper outside.
#[inline(always)]
fn sample(image: &[u8], (height, width): (usize, usize), row: f32, column: f32) -> f32 {
    // One more, so that truncation rounds down for all places that can have ink.
    let (row, column) = (row + 1.0, column + 1.0);
    if !(row > 0.0 && column > 0.0 && row < (height + 1) as f32 && column < (width + 1) as f32) {
        return 0.0;
    }
    let (r, c) = (row as usize, column as usize);
    let (down, right) = (row - r as f32, column - c as f32);
    // Rows r − 1 and r, columns c − 1 and c of the picture; those outside of it are paper.
    let inner = r >= 1 && c >= 1 && r < height && c < width;
    let [a, b, d, e] = if inner {
        let at = (r - 1) * width + c - 1;
        let (upper, lower) = (&image[at..at + 2], &image[at + width..at + width + 2]);
        [upper[0], upper[1], lower[0], lower[1]]
    } else {
        let at = |r: usize, c: usize| {
            if r >= 1 && c >= 1 && r <= height && c <= width { image[(r - 1) * width + c - 1] } else { 0 }
        };
        [at(r, c), at(r, c + 1), at(r + 1, c), at(r + 1, c + 1)]
    };
    let (a, b, d, e) = (f32::from(a), f32::from(b), f32::from(d), f32::from(e));
    let upper = a + (b - a) * right;
    let lower = d + (e - d) * right;
    upper + (lower - upper) * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::input::Normalisation;

    const N: Levels = Normalisation::MeanStd.levels(0);

    /// A picture of 5 × 8 whose bytes are all different.
    fn picture() -> Vec<u8> {
        (0..40).map(|i| (i * 37 % 251 + 1) as u8).collect()
    }

    /// `affine` of the picture, in a frame of 9 × 13, as ink.
    fn ink(affine: Affine) -> Vec<f32> {
        let mut out = vec![7.0; 9 * 13];
        affine.write(&picture(), (5, 8), N, &mut out, (9, 13));
        out.iter().map(|v| (v - N.background) / N.per_step).collect()
    }

    #[track_caller]
    fn close(got: &[f32], expected: impl Fn(isize, isize) -> f32) {
        for (i, got) in got.iter().enumerate() {
            let want = expected((i / 13) as isize, (i % 13) as isize);
            assert!((got - want).abs() < 0.02, "row {} column {}: {got} not {want}", i / 13, i % 13);
        }
    }

    /// The picture's byte at a row and column of the frame (its corner is at row 2, column 2).
    fn byte(row: isize, column: isize) -> f32 {
        let (r, c) = (row - 2, column - 2);
        if (0..5).contains(&r) && (0..8).contains(&c) { f32::from(picture()[(r * 8 + c) as usize]) } else { 0.0 }
    }

    #[test]
    fn no_distortion_is_the_plain_picture_bit_for_bit() {
        let mut plain = vec![0.0; 9 * 13];
        Normalisation::MeanStd.write(&picture(), [1, 5, 8], &mut plain, [1, 9, 13]);
        let mut out = vec![7.0; 9 * 13];
        Distortion::default().draw(&mut Rng::new(1)).write(&picture(), (5, 8), N, &mut out, (9, 13));
        assert_eq!(out, plain);
    }

    #[test]
    fn shift_moves_down_and_right() {
        close(&ink(Affine::new((2.0, -1.0), 0.0, (1.0, 1.0), 0.0)), |r, c| byte(r - 2, c + 1));
        close(&ink(Affine::new((0.0, 0.25), 0.0, (1.0, 1.0), 0.0)), |r, c| 0.75 * byte(r, c) + 0.25 * byte(r, c - 1));
        close(&ink(Affine::new((-0.5, 0.0), 0.0, (1.0, 1.0), 0.0)), |r, c| 0.5 * byte(r, c) + 0.5 * byte(r + 1, c));
    }

    #[test]
    fn a_quarter_turn_is_clockwise() {
        // The middle is row 4, column 5.5; half a column of shift puts places on pixels. What was left of it is then above it.
        close(&ink(Affine::new((0.0, 0.5), 90.0, (1.0, 1.0), 0.0)), |r, c| {
            let (down, right) = (r - 4, c - 6);
            // clockwise: (down, right) came from (down, right) = (−right, down); columns lie at half pixels, so average two.
            0.5 * (byte(4 - right, 5 + down) + byte(4 - right, 6 + down))
        });
    }

    #[test]
    fn scale_is_height_and_width_and_shear_leans_to_the_right() {
        close(&ink(Affine::new((0.0, 0.0), 0.0, (0.5, 1.0), 0.0)), |r, c| byte(4 + 2 * (r - 4), c));
        // One column to the right per row above the middle.
        close(&ink(Affine::new((0.0, 0.0), 0.0, (1.0, 1.0), 1.0)), |r, c| byte(r, c + (r - 4)));
        // Wider by 3: places at thirds.
        let wide = ink(Affine::new((0.0, 0.0), 0.0, (1.0, 3.0), 0.0));
        let at = 5.5 + (6.0 - 5.5) / 3.0;
        let expected = byte(4, 5) + (byte(4, 6) - byte(4, 5)) * (at - 5.0);
        assert!((wide[4 * 13 + 6] - expected).abs() < 0.02);
    }

    #[test]
    fn draws_are_even_within_the_amplitudes_and_repeat() {
        let distortion = Distortion { shift: 2.0, rotate: 10.0, scale: 0.2, shear: 0.3 };
        let root = Rng::new(5);
        let (mut lo, mut hi, mut sum) = (f32::MAX, f32::MIN, 0.0);
        for i in 0..2_000 {
            let affine = distortion.draw(&mut root.substream(i));
            assert_eq!(affine, distortion.draw(&mut root.substream(i)));
            (lo, hi, sum) = (lo.min(affine.shift.1), hi.max(affine.shift.1), sum + affine.shift.1);
            // A turn keeps areas: the determinant of the inverse is 1 over that of the scale.
            let [[a, b], [c, d]] = affine.inverse;
            assert!((1.0 / 1.45..1.0 / 0.63).contains(&(a * d - b * c)));
        }
        assert!(lo < -1.9 && hi > 1.9 && lo >= -2.0 && hi <= 2.0 && (sum / 2_000.0).abs() < 0.1, "{lo} {hi} {sum}");
        let some: Distortion = serde_json::from_str("{\"rotate\": 3.0}").unwrap();
        assert_eq!(some, Distortion { rotate: 3.0, ..Distortion::default() });
        assert!(!some.is_none() && Distortion::default().is_none());
    }
}
