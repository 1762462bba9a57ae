//! From bytes of a picture to the floats a network reads: the normalisations, and the frame of background around a small picture.
//! Knows pictures, not networks: an architecture names the [`Normalisation`] that it was made for.

use serde::{Deserialize, Serialize};

/// How a byte of a picture (a digit's ink: 0 = paper … 255; a photograph's red, green or blue) becomes a network's input.
/// All are linear in the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// LeNet-5's own: paper is −0.1 and ink 1.175, “which makes the mean input roughly 0, and the variance roughly 1”
    /// (LeCun et al. 1998, §II-B).
    Lecun1998,
    /// Ink as 0 … 1, less MNIST's mean 0.1307, divided by its standard deviation 0.3081: what today's tutorials use.
    MeanStd,
    /// Colours as 0 … 1, less ImageNet's mean (0.485, 0.456, 0.406), divided by its standard deviation (0.229, 0.224, 0.225):
    /// torchvision's and timm's.
    Imagenet,
    /// Colours as −1 … 1: torchvision's GoogLeNet, whose weights came from TensorFlow (there `transform_input`).
    Symmetric,
    /// Colours as 0 … 1, less CIFAR-10's mean (0.4914, 0.4822, 0.4465), divided by its standard deviation (0.2470, 0.2435, 0.2616), both
    /// over all pixels of the training set.
    Cifar10,
}

/// What becomes of the bytes of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// What 0 becomes: paper, black; and so the frame around a picture.
    pub background: f32,
    /// How much one step of a byte (1 of 255) adds.
    pub per_step: f32,
}

impl Levels {
    /// From a mean and a standard deviation of bytes taken as 0 … 1.
    const fn mean_std(mean: f32, std: f32) -> Self {
        Self { background: -mean / std, per_step: 1.0 / std / 255.0 }
    }

    /// The value of a byte, fractions included.
    pub fn value(self, byte: f32) -> f32 {
        self.background + self.per_step * byte
    }
}

impl Normalisation {
    /// What becomes of the bytes of a channel (0 … 2: red, green, blue; beyond, they begin again). Those made for grey pictures
    /// treat all channels alike.
    pub const fn levels(self, channel: usize) -> Levels {
        let channel = channel % 3;
        match self {
            Self::Lecun1998 => Levels { background: -0.1, per_step: 1.275 / 255.0 },
            Self::MeanStd => Levels::mean_std(0.1307, 0.3081),
            Self::Imagenet => Levels::mean_std([0.485, 0.456, 0.406][channel], [0.229, 0.224, 0.225][channel]),
            Self::Symmetric => Levels::mean_std(0.5, 0.5),
            Self::Cifar10 => Levels::mean_std([0.4914, 0.4822, 0.4465][channel], [0.2470, 0.2435, 0.2616][channel]),
        }
    }

    /// Writes a picture (`image`: c × h × w bytes, `from` = [c, h, w]) into the middle of `out` (C × H × W floats, `to` = [C, H, W]),
    /// the frame around it background: for digits 28×28 → 32×32. A grey picture (c = 1) is written to every channel.
    /// An odd row or column of frame lies below or to the right. What a larger picture has outside of a smaller `out` is cut off.
    pub fn write(self, image: &[u8], from: [usize; 3], out: &mut [f32], to: [usize; 3]) {
        let ([channels, height, width], [_, rows, columns]) = (from, to);
        let (top, left) = (rows.saturating_sub(height) / 2, columns.saturating_sub(width) / 2);
        let (cut_top, cut_left) = (height.saturating_sub(rows) / 2, width.saturating_sub(columns) / 2);
        for (channel, out) in out.chunks_exact_mut((rows * columns).max(1)).enumerate() {
            let levels = self.levels(channel);
            out.fill(levels.background);
            let plane = if channels == 1 { 0 } else { channel * height * width };
            let plane = image.get(plane..plane + height * width).unwrap_or_default();
            let rows = plane.chunks_exact(width.max(1)).skip(cut_top);
            for (out, row) in out.chunks_exact_mut(columns.max(1)).skip(top).zip(rows) {
                for (out, &byte) in out.iter_mut().skip(left).zip(row.iter().skip(cut_left)) {
                    *out = levels.value(f32::from(byte));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_and_paper_have_the_published_values() {
        for (normalisation, paper, ink) in [
            (Normalisation::Lecun1998, -0.1, 1.175),
            (Normalisation::MeanStd, (0.0 - 0.1307) / 0.3081, (1.0 - 0.1307) / 0.3081),
        ] {
            let levels = normalisation.levels(0);
            assert!((levels.value(0.0) - paper).abs() < 1e-6);
            assert!((levels.value(255.0) - ink).abs() < 1e-6, "{}", levels.value(255.0));
            assert_eq!((levels, levels), (normalisation.levels(1), normalisation.levels(2)));
        }
        assert_eq!(serde_json::to_string(&Normalisation::Lecun1998).unwrap(), "\"lecun1998\"");
        assert_eq!(serde_json::from_str::<Normalisation>("\"mean-std\"").unwrap(), Normalisation::MeanStd);
    }

    #[test]
    fn a_picture_lies_in_the_middle_of_its_frame() {
        let n = Normalisation::Lecun1998;
        let (paper, ink) = (n.levels(0).value(0.0), n.levels(0).value(255.0));
        let mut out = [9.0; 5 * 6];
        n.write(&[255; 2 * 3], [1, 2, 3], &mut out, [1, 5, 6]);
        let expected: Vec<f32> =
            (0..30).map(|i| if (1..3).contains(&(i / 6)) && (1..4).contains(&(i % 6)) { ink } else { paper }).collect();
        assert_eq!(out[..], expected);
        // Larger than its frame: the middle of it.
        let mut out = [9.0; 2];
        n.write(&[0, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0, 0], [1, 3, 4], &mut out, [1, 1, 2]);
        assert_eq!(out, [ink, paper]);
    }

    #[test]
    fn colours_have_levels_of_their_own_and_grey_goes_to_every_channel() {
        for (normalisation, mean, std) in [
            (Normalisation::Imagenet, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            (Normalisation::Cifar10, [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
            (Normalisation::Symmetric, [0.5; 3], [0.5; 3]),
        ] {
            let mut out = [9.0; 3 * 3];
            normalisation.write(&[0, 51, 102, 153, 204, 255], [3, 1, 2], &mut out, [3, 1, 3]);
            for c in 0..3 {
                let value = |byte: f32| (byte / 255.0 - mean[c]) / std[c];
                for (x, byte) in [102.0 * c as f32, 102.0 * c as f32 + 51.0, 0.0].into_iter().enumerate() {
                    assert!(
                        (out[c * 3 + x] - value(byte)).abs() < 1e-6,
                        "{normalisation:?} {c} {x}: {}",
                        out[c * 3 + x]
                    );
                }
            }
            let (mut grey, mut colour) = ([9.0; 6], [9.0; 6]);
            normalisation.write(&[7, 200], [1, 1, 2], &mut grey, [3, 1, 2]);
            normalisation.write(&[7, 200, 7, 200, 7, 200], [3, 1, 2], &mut colour, [3, 1, 2]);
            assert_eq!(grey, colour);
        }
    }
}
