//! A photograph → what a network reads, as torchvision prepares it: the shorter side resized, the middle cut out, normalised.
//! Knows pictures, not networks, and no file formats: pixels come in.
//!
//! Resizing is Pillow's (bilinear, antialiased, in whole numbers: `Image.resize` as torchvision's `Resize` calls it on a picture),
//! reproduced bit for bit: `tests/photos/torchvision.json` holds what Pillow and torchvision say.

use super::input::Normalisation;

/// The photographs that come with the page, relative to it: 14 to 19 kB each, fetched when first wanted.
pub const SAMPLES: [&str; 4] = ["images/cat.webp", "images/coffee.webp", "images/rocket.webp", "images/astronaut.webp"];

/// A picture of 8-bit red, green, blue, opacity, row-major: what a canvas gives.
#[derive(Clone, Copy, Debug)]
pub struct Photo<'a> {
    rgba: &'a [u8],
    width: usize,
    height: usize,
}

/// Why some bytes are no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a picture of {width}×{height} pixels has {} bytes, not {got}", width.saturating_mul(*height).saturating_mul(4))]
pub struct PhotoError {
    /// Columns, as told.
    pub width: usize,
    /// Rows, as told.
    pub height: usize,
    /// Bytes that came.
    pub got: usize,
}

/// The length of the shorter side before the middle of `side`×`side` is cut out: 256 for ImageNet's networks, whatever they read of it
/// (224, 227); for small pictures the middle square whole.
pub const fn resized(side: usize) -> usize {
    if side <= 128 || side > 256 { side } else { 256 }
}

impl<'a> Photo<'a> {
    /// A picture of `width`×`height` pixels, 4 bytes each.
    ///
    /// # Errors
    /// [`PhotoError`] where these do not fit together, or there is no pixel at all.
    pub fn new(rgba: &'a [u8], width: usize, height: usize) -> Result<Self, PhotoError> {
        let bytes = width.checked_mul(height).and_then(|area| area.checked_mul(4));
        if bytes == Some(rgba.len()) && !rgba.is_empty() {
            Ok(Self { rgba, width, height })
        } else {
            Err(PhotoError { width, height, got: rgba.len() })
        }
    }

    /// The network's input, C×H×W floats (`to` = [C, H, W]; one channel: grey, as Pillow makes it): the shorter side becomes [`resized`],
    /// the middle is cut out and normalised. What is see-through is seen on white.
    pub fn prepare(&self, normalisation: Normalisation, to: [usize; 3]) -> Vec<f32> {
        let [channels, rows, columns] = to;
        let mut bytes = self.window(resized(rows.max(columns)), (rows, columns));
        if channels == 1 {
            bytes.iter_mut().for_each(|pixel| *pixel = [grey(*pixel); 3]);
        }
        let mut out = Vec::with_capacity(channels * rows * columns);
        for channel in 0..channels {
            let levels = normalisation.levels(channel);
            out.extend(bytes.iter().map(|pixel| levels.value(f32::from(pixel[channel % 3]))));
        }
        out
    }

    /// How bright the middle square is, in `side`×`side` bytes, row-major: the shorter side becomes `side`.
    pub fn greys(&self, side: usize) -> Vec<u8> {
        self.window(side, (side, side)).into_iter().map(grey).collect()
    }

    /// The middle `rows`×`columns` pixels of the picture resized so that its shorter side is `side`, row-major.
    ///
    /// torchvision's `Resize(side)` (the longer side is cut to a whole number) and `CenterCrop`.
    pub fn window(&self, side: usize, (rows, columns): (usize, usize)) -> Vec<[u8; 3]> {
        let longer = |longer: usize, shorter: usize| (side as u64 * longer as u64 / shorter as u64) as usize;
        let (height, width) = if self.width <= self.height {
            (longer(self.height, self.width), side)
        } else {
            (side, longer(self.width, self.height))
        };
        let across = taps(self.width, width, columns);
        let down = taps(self.height, height, rows);
        // Across first, in those rows that are needed; in between Pillow rounds to bytes.
        let first = down.iter().filter(|tap| !tap.weights.is_empty()).map(|tap| tap.first).min().unwrap_or(0);
        let end = down.iter().map(|tap| tap.first + tap.weights.len()).max().unwrap_or(0);
        let mut narrowed = Vec::with_capacity(end.saturating_sub(first) * columns);
        for row in self.rgba.as_chunks::<4>().0.chunks_exact(self.width).take(end).skip(first) {
            narrowed.extend(across.iter().map(|tap| tap.sum(row[tap.first..].iter().map(opaque))));
        }
        let mut out = Vec::with_capacity(rows * columns);
        for tap in &down {
            for x in 0..columns {
                let column = narrowed.get(tap.first.saturating_sub(first) * columns + x..).unwrap_or_default();
                out.push(tap.sum(column.iter().step_by(columns).copied()));
            }
        }
        out
    }
}

/// How bright a colour is (ITU-R BT.601, in units of 2⁻¹⁶).
fn grey([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

/// A pixel on white paper.
fn opaque(&[r, g, b, a]: &[u8; 4]) -> [u8; 3] {
    let over = |v: u8| ((u32::from(v) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8;
    if a == 255 { [r, g, b] } else { [over(r), over(g), over(b)] }
}

/// What one pixel of the result takes of a line of the picture.
struct Tap {
    /// The first of the pixels.
    first: usize,
    /// Their weights in units of 2⁻²²; none outside of the picture (a window larger than it: black).
    weights: Vec<i32>,
}

/// Bits behind the point in a weight, as in Pillow.
const FRACTION: u32 = 22;

impl Tap {
    fn sum(&self, pixels: impl Iterator<Item = [u8; 3]>) -> [u8; 3] {
        let half = if self.weights.is_empty() { 0 } else { 1 << (FRACTION - 1) };
        let mut sums = [half; 3];
        for (&weight, pixel) in self.weights.iter().zip(pixels) {
            sums.iter_mut().zip(pixel).for_each(|(sum, byte)| *sum += weight * i32::from(byte));
        }
        sums.map(|sum| (sum >> FRACTION).clamp(0, 255) as u8)
    }
}

/// The taps of the middle `window` pixels of a line of `from` pixels resized to `to`: triangles, as wide as a pixel of the result
/// where that is larger than one of the picture.
fn taps(from: usize, to: usize, window: usize) -> Vec<Tap> {
    // torchvision pads a picture that is too small, and cuts the middle rounding halves to even.
    let pad = window.saturating_sub(to) / 2;
    let spare = to.saturating_sub(window);
    let cut = spare / 2 + usize::from(spare % 4 == 3);
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    let tap = |x: usize| {
        let Some(x) = (x + cut).checked_sub(pad).filter(|&x| x < to) else {
            return Tap { first: 0, weights: Vec::new() };
        };
        let centre = (x as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let mut weights: Vec<f64> =
            (first..end).map(|i| (1.0 - ((i as f64 - centre + 0.5) / support).abs()).max(0.0)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        let fixed = |w: f64| (0.5 + w * f64::from(1 << FRACTION)) as i32;
        Tap { first, weights: weights.into_iter().map(fixed).collect() }
    };
    (0..window).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_grey(bytes: &[u8], width: usize, height: usize) -> Vec<u8> {
        assert_eq!(bytes.len(), width * height);
        bytes.iter().flat_map(|&v| [v, v, v, 255]).collect()
    }

    #[test]
    fn nothing_to_resize_is_the_middle_itself() {
        let bytes: Vec<u8> = (0..60).collect();
        let rgba = of_grey(&bytes, 10, 6);
        let photo = Photo::new(&rgba, 10, 6).unwrap();
        let seen: Vec<u8> = photo.window(6, (4, 4)).iter().map(|p| p[0]).collect();
        let expected: Vec<u8> = (1..5).flat_map(|y| (3..7).map(move |x| y * 10 + x)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn halving_averages_with_a_triangle() {
        // Weights 1 3 3 1 of 8 about each pair; at the border what is there.
        let rgba = of_grey(&[0, 80, 160, 240, 0, 80, 160, 240], 4, 2);
        let photo = Photo::new(&rgba, 4, 2).unwrap();
        let seen: Vec<u8> = photo.window(1, (1, 2)).iter().map(|p| p[0]).collect();
        assert_eq!(
            seen,
            [((80 * 3 + 160) as f32 / 7.0).round() as u8, ((80 + 160 * 3 + 240 * 3) as f32 / 7.0).round() as u8]
        );
    }

    #[test]
    fn one_channel_is_grey() {
        assert_eq!([[0; 3], [255; 3], [255, 0, 0], [0, 255, 0], [0, 0, 255]].map(grey), [0, 255, 76, 150, 29]);
        let photo = Photo::new(&[255, 0, 0, 255], 1, 1).unwrap();
        assert_eq!(photo.prepare(Normalisation::MeanStd, [1, 1, 1]), [Normalisation::MeanStd.levels(0).value(76.0)]);
    }

    #[test]
    fn a_see_through_pixel_is_white_and_a_half_one_pale() {
        assert_eq!(opaque(&[10, 20, 30, 255]), [10, 20, 30]);
        assert_eq!(opaque(&[10, 20, 30, 0]), [255; 3]);
        assert_eq!(opaque(&[0, 100, 200, 51]), [204, 224, 244]);
    }

    #[test]
    fn the_smallest_and_the_longest_pictures_are_prepared() {
        for (width, height) in [(1, 1), (1, 3000), (3000, 1), (2, 5), (255, 257)] {
            let rgba = vec![200; width * height * 4];
            let photo = Photo::new(&rgba, width, height).unwrap();
            for to in [[3, 224, 224], [3, 227, 227], [3, 32, 32], [1, 32, 32]] {
                let input = photo.prepare(Normalisation::Imagenet, to);
                assert_eq!(input.len(), to.iter().product::<usize>());
                let expected = Normalisation::Imagenet.levels(0).value(212.0); // 200 at 200/255 on white
                assert!(input[..to[1] * to[2]].iter().all(|v| (v - expected).abs() < 0.02), "{width}×{height} {to:?}");
            }
        }
        for (len, width, height) in [(0, 0, 0), (3, 1, 1), (8, 1, 1), (4, usize::MAX, 2), (0, 0, 5)] {
            assert!(Photo::new(&vec![0; len], width, height).is_err());
        }
        let words = Photo::new(&[0; 7], 2, 1).unwrap_err().to_string();
        assert_eq!(words, "a picture of 2×1 pixels has 8 bytes, not 7");
    }
}
