//! From grey bytes to the floats a network reads: the two normalisations, and the frame of background around a digit.
//! Knows pictures, not networks: an architecture names the [`Normalisation`] that it was made for.

use serde::{Deserialize, Serialize};

/// How ink (0 = paper … 255) becomes a network's input. Both are linear in the ink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// LeNet-5's own: paper is −0.1 and ink 1.175, “which makes the mean input roughly 0, and the variance roughly 1”
    /// (LeCun et al. 1998, §II-B).
    Lecun1998,
    /// Ink as 0 … 1, less MNIST's mean 0.1307, divided by its standard deviation 0.3081: what today's tutorials use.
    MeanStd,
}

impl Normalisation {
    /// What paper becomes, and so the frame around a digit.
    pub const fn background(self) -> f32 {
        match self {
            Self::Lecun1998 => -0.1,
            Self::MeanStd => -0.1307 / 0.3081,
        }
    }

    /// How much one step of ink (1 of 255) adds.
    pub const fn per_step(self) -> f32 {
        match self {
            Self::Lecun1998 => 1.275 / 255.0,
            Self::MeanStd => 1.0 / 0.3081 / 255.0,
        }
    }

    /// The value of an ink of 0 … 255, fractions included.
    pub fn value(self, ink: f32) -> f32 {
        self.background() + self.per_step() * ink
    }

    /// Writes a picture (`image`, h × w bytes) into the middle of `out` (H × W floats), the frame around it background: for digits 28×28 → 32×32.
    /// An odd row or column of frame lies below or to the right. `from` and `to` are (rows, columns).
    /// What a larger picture has outside of a smaller `out` is cut off.
    pub fn write(self, image: &[u8], from: (usize, usize), out: &mut [f32], to: (usize, usize)) {
        out.fill(self.background());
        let (top, left) = (to.0.saturating_sub(from.0) / 2, to.1.saturating_sub(from.1) / 2);
        let (cut_top, cut_left) = (from.0.saturating_sub(to.0) / 2, from.1.saturating_sub(to.1) / 2);
        let rows = image.chunks_exact(from.1.max(1)).skip(cut_top);
        for (out, row) in out.chunks_exact_mut(to.1.max(1)).skip(top).zip(rows) {
            for (out, &ink) in out.iter_mut().skip(left).zip(row.iter().skip(cut_left)) {
                *out = self.value(f32::from(ink));
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
            assert!((normalisation.value(0.0) - paper).abs() < 1e-6);
            assert!((normalisation.value(255.0) - ink).abs() < 1e-6, "{}", normalisation.value(255.0));
        }
        assert_eq!(serde_json::to_string(&Normalisation::Lecun1998).unwrap(), "\"lecun1998\"");
        assert_eq!(serde_json::from_str::<Normalisation>("\"mean-std\"").unwrap(), Normalisation::MeanStd);
    }

    #[test]
    fn a_picture_lies_in_the_middle_of_its_frame() {
        let n = Normalisation::Lecun1998;
        let (paper, ink) = (n.value(0.0), n.value(255.0));
        let mut out = [9.0; 5 * 6];
        n.write(&[255; 2 * 3], (2, 3), &mut out, (5, 6));
        let expected: Vec<f32> =
            (0..30).map(|i| if (1..3).contains(&(i / 6)) && (1..4).contains(&(i % 6)) { ink } else { paper }).collect();
        assert_eq!(out[..], expected);
        // Larger than its frame: the middle of it.
        let mut out = [9.0; 2];
        n.write(&[0, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0, 0], (3, 4), &mut out, (1, 2));
        assert_eq!(out, [ink, paper]);
    }
}
