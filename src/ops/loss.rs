//! Losses: what training minimises, and what the network's output means. Not layers: they end a plan, not a graph.

use super::Buf;
use super::lower::{Dispatch, Slot};
use crate::linalg::{Real, log_sum_exp, softmax};
use serde::{Deserialize, Serialize};

/// What training minimises; always the mean over the batch.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Loss {
    /// Softmax cross-entropy on logits.
    CrossEntropy,
    /// LeCun 1998, eq. 9, the discriminative MAP criterion on RBF distances: y_label + ln(e⁻ʲ + Σᵢ e^(−yᵢ)).
    Map {
        /// The constant of the rubbish class that is always there; positive. (0.1 here; the paper gives no figure.)
        j: f32,
    },
}

/// How the page reads the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Readout {
    /// Softmax of logits: the larger, the likelier.
    Probabilities,
    /// Distances: the smaller, the closer.
    Distances,
}

impl Loss {
    /// How the page reads the output.
    pub fn readout(self) -> Readout {
        match self {
            Self::CrossEntropy => Readout::Probabilities,
            Self::Map { .. } => Readout::Distances,
        }
    }

    /// The class an output stands for: largest logit or smallest distance; of equals the first.
    pub fn predict<T: Real>(self, output: &[T]) -> usize {
        let better = |a: T, b: T| match self {
            Self::CrossEntropy => a > b,
            Self::Map { .. } => a < b,
        };
        let mut best = 0;
        for (i, &y) in output.iter().enumerate() {
            if better(y, output[best]) {
                best = i;
            }
        }
        best
    }

    /// Probability of each class, in place: softmax of the logits, or of the negated distances. The rubbish class of LeNet-5's criterion is
    /// no answer and takes no share here: within distance j even the nearest class could not pass 52 %.
    pub fn probabilities<T: Real>(self, output: &mut [T]) {
        match self {
            Self::CrossEntropy => softmax(output),
            Self::Map { .. } => {
                output.iter_mut().for_each(|y| *y = -*y);
                softmax(output);
            }
        }
    }

    /// What a covered picture may take from a class: its probability; or of distances how near it is, since their probabilities are all
    /// but 0 or 1.
    pub fn standing(self, output: &[f32], class: usize) -> f32 {
        match self {
            Self::CrossEntropy => {
                let mut probabilities = output.to_vec();
                self.probabilities(&mut probabilities);
                probabilities[class]
            }
            Self::Map { .. } => -output[class],
        }
    }

    /// The kernels of [`crate::plan::Task::Loss`], in order. `buffers`: output, labels, gradient, stats.
    pub fn lower(
        self,
        [batch, classes, stats_at]: [usize; 3],
        weight: f32,
        [output, labels, grad, stats]: [Buf; 4],
        workspace: Slot,
    ) -> [Dispatch; 2] {
        let (entry, j) = match self {
            Self::CrossEntropy => ("cross_entropy", 0.0),
            Self::Map { j } => ("map_criterion", j),
        };
        let kernel = |entry| {
            let kernel = Dispatch::new("loss", entry).uniform(&[batch, classes]);
            kernel.float(weight / batch as f32).float(j).uniform(&[stats_at])
        };
        let each = kernel(entry).read(output).read(labels).write(grad).write(workspace).over(batch);
        [each, kernel("mean").read(workspace).write(stats)]
    }

    /// Loss of one image, and its gradient with respect to the output times `scale` written to `grad`.
    pub fn image<T: Real>(self, output: &[T], label: usize, scale: T, grad: &mut [T]) -> T {
        grad.copy_from_slice(output);
        match self {
            Self::CrossEntropy => {
                let loss = log_sum_exp(output) - output[label];
                softmax(grad);
                grad[label] -= T::ONE;
                grad.iter_mut().for_each(|g| *g *= scale);
                loss
            }
            Self::Map { j } => {
                // ln(e^-j + Σ e^-y), shifted by its largest exponent so that distances of hundreds do not vanish
                let top = output.iter().fold(T::from_f32(-j), |top, &y| if -y > top { -y } else { top });
                let total: T = output.iter().map(|&y| (-y - top).exp()).sum::<T>() + (T::from_f32(-j) - top).exp();
                for (g, &y) in grad.iter_mut().zip(output) {
                    *g = -(-y - top).exp() * scale * (T::ONE / total);
                }
                grad[label] += scale;
                output[label] + top + total.ln()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_match_finite_differences() {
        for loss in [Loss::CrossEntropy, Loss::Map { j: 0.1 }] {
            let y = [0.3, 2.0, -0.7, 1.1f64];
            let (mut grad, mut unused) = ([0.0; 4], [0.0; 4]);
            loss.image(&y, 2, 1.0, &mut grad);
            for i in 0..4 {
                let shifted = |d: f64, unused: &mut [f64]| {
                    let mut y = y;
                    y[i] += d;
                    loss.image(&y, 2, 1.0, unused)
                };
                let numeric = (shifted(1e-6, &mut unused) - shifted(-1e-6, &mut unused)) / 2e-6;
                assert!((numeric - grad[i]).abs() < 1e-8, "{loss:?} {i}: {numeric} {}", grad[i]);
            }
        }
    }

    #[test]
    fn a_class_near_its_target_is_nearly_certain() {
        let mut distances = [92.7f32, 0.055, 120.0];
        Loss::Map { j: 0.1 }.probabilities(&mut distances);
        assert!(distances[1] > 0.999 && (distances.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{distances:?}");
    }

    #[test]
    fn large_distances_stay_finite() {
        let mut grad = [0.0f32; 2];
        assert!(Loss::Map { j: 0.1 }.image(&[900.0, 1200.0], 1, 1.0, &mut grad).is_finite());
        assert!(grad.iter().all(|g| g.is_finite()));
    }
}
