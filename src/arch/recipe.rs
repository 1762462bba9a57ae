//! How a network is trained: mini-batch SGD with momentum, a schedule of the learning rate, augmentation; and the papers' own
//! settings. Plain values; knows no network, data set or optimizer.

use crate::data::augment::Augmentation;
use serde::{Deserialize, Serialize};

/// Everything that decides a run. What is shipped was chosen on held-out training images, never on test images.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Recipe {
    /// Passes over the training set.
    pub epochs: usize,
    /// Images a step.
    pub batch: usize,
    /// Learning rate of the first epoch.
    pub lr: f32,
    /// What becomes of the learning rate.
    pub schedule: Schedule,
    /// SGD's momentum.
    pub momentum: f32,
    /// L2 penalty.
    pub weight_decay: f32,
    /// Random changes of the training pictures, each picture anew in each epoch.
    pub augmentation: Augmentation,
    /// Of initial weights, shuffling and augmentation.
    pub seed: u64,
}

/// How the learning rate falls: by a factor, from time to time.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Again and again.
    Every {
        /// Epochs between two times; 0 counts as 1.
        epochs: u32,
        /// What the rate is multiplied by (1: it stays).
        factor: f32,
    },
    /// At the beginning of each of these epochs, counted from 0; an epoch of 0 is none.
    At {
        /// Which.
        epochs: [u32; 3],
        /// What the rate is multiplied by.
        factor: f32,
    },
}

impl Schedule {
    /// Falling a little after every epoch.
    pub const fn decay(factor: f32) -> Self {
        Self::Every { epochs: 1, factor }
    }

    /// What each fall multiplies by.
    pub const fn factor(&self) -> f32 {
        match *self {
            Self::Every { factor, .. } | Self::At { factor, .. } => factor,
        }
    }

    /// The same times, another factor.
    pub const fn with_factor(self, factor: f32) -> Self {
        match self {
            Self::Every { epochs, .. } => Self::Every { epochs, factor },
            Self::At { epochs, .. } => Self::At { epochs, factor },
        }
    }

    /// The learning rate of an epoch (from 0) of a run that starts with `lr`.
    pub fn lr(&self, lr: f32, epoch: usize) -> f32 {
        let falls = match *self {
            Self::Every { epochs, .. } => epoch / epochs.max(1) as usize,
            Self::At { epochs, .. } => epochs.iter().filter(|&&at| at > 0 && at as usize <= epoch).count(),
        };
        lr * self.factor().powi(i32::try_from(falls).unwrap_or(i32::MAX))
    }
}

impl Recipe {
    /// A recipe that suits most small networks: what a graph without a paper gets.
    pub const DEFAULT: Self = Self {
        epochs: 20,
        batch: 64,
        lr: 0.02,
        schedule: Schedule::decay(0.9),
        momentum: 0.9,
        weight_decay: 1e-4,
        augmentation: Augmentation::None,
        seed: 1,
    };

    /// Krizhevsky et al. 2012, §5: batch 128, momentum 0.9, weight decay 0.0005, lr 0.01, divided by 10 three times “when the validation
    /// error rate stopped improving”, roughly 90 cycles. The epochs of the falls are ours. §4.1: crops of 256×256, mirrored, and
    /// colours shifted with standard deviation 0.1.
    pub const ALEXNET: Self = Self {
        epochs: 90,
        batch: 128,
        lr: 0.01,
        schedule: Schedule::At { epochs: [30, 60, 80], factor: 0.1 },
        momentum: 0.9,
        weight_decay: 5e-4,
        augmentation: Augmentation::Crop { padding: 0, flip: true, colour: 0.1 },
        seed: 1,
    };

    /// Simonyan & Zisserman 2014, §3.1: batch 256, lr 0.01 divided by 10 three times, 74 epochs; crops, mirroring and colours as AlexNet.
    /// The epochs of the falls are ours. The paper's scale jitter is left out.
    pub const VGG: Self =
        Self { epochs: 74, batch: 256, schedule: Schedule::At { epochs: [25, 50, 65], factor: 0.1 }, ..Self::ALEXNET };

    /// Szegedy et al. 2014, §6: momentum 0.9, the learning rate “decreasing by 4 % every 8 epochs”. Neither the rate nor the batch nor
    /// the weight decay is in the paper: those are ours, as is the plain crop in the place of the paper's crops of 8 % to 100 %.
    pub const GOOGLENET: Self = Self {
        epochs: 250,
        batch: 32,
        lr: 0.01,
        schedule: Schedule::Every { epochs: 8, factor: 0.96 },
        weight_decay: 2e-4,
        ..Self::ALEXNET
    };

    /// He et al. 2015, §3.4: batch 256, lr 0.1 divided by 10 “when the error plateaus”, momentum 0.9, weight decay 0.0001, up to 60·10⁴
    /// iterations (120 epochs); colours as AlexNet. The epochs of the falls are those of common practice.
    pub const RESNET: Self = Self {
        epochs: 120,
        batch: 256,
        lr: 0.1,
        schedule: Schedule::At { epochs: [30, 60, 90], factor: 0.1 },
        weight_decay: 1e-4,
        ..Self::ALEXNET
    };

    /// He et al. 2015, §4.2: batch 128, lr 0.1 divided by 10 after 32k and 48k of 64k iterations, here in epochs of the 45,000
    /// training images; 4 pixels of padding, random crop, mirroring. (ResNet-110 begins
    /// with 0.01 until the training error is below 80 %; no schedule here says that.)
    pub const CIFAR: Self = Self {
        epochs: 182,
        batch: 128,
        lr: 0.1,
        schedule: Schedule::At { epochs: [91, 136, 0], factor: 0.1 },
        weight_decay: 1e-4,
        augmentation: Augmentation::Crop { padding: 4, flip: true, colour: 0.0 },
        ..Self::ALEXNET
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_when_the_schedule_says() {
        let rates = |schedule: Schedule, epochs: &[usize]| -> Vec<f32> {
            epochs.iter().map(|&epoch| schedule.lr(1.0, epoch)).collect()
        };
        assert_eq!(rates(Schedule::decay(0.5), &[0, 1, 2, 3]), [1.0, 0.5, 0.25, 0.125]);
        assert_eq!(rates(Schedule::decay(1.0), &[0, 1000]), [1.0, 1.0]);
        assert_eq!(rates(Schedule::Every { epochs: 8, factor: 0.5 }, &[0, 7, 8, 15, 16]), [1.0, 1.0, 0.5, 0.5, 0.25]);
        assert_eq!(rates(Schedule::Every { epochs: 0, factor: 0.5 }, &[1]), [0.5]);
        let steps = Schedule::At { epochs: [2, 5, 0], factor: 0.5 };
        assert_eq!(rates(steps, &[0, 1, 2, 4, 5, 99]), [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
        assert_eq!(steps.with_factor(0.1).factor(), 0.1);
    }

    #[test]
    fn schedules_and_recipes_can_be_written_down() {
        for schedule in [Schedule::decay(0.9), Recipe::ALEXNET.schedule, Recipe::GOOGLENET.schedule] {
            let text = serde_json::to_string(&schedule).unwrap();
            assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule, "{text}");
        }
        let text = serde_json::to_string(&Recipe::CIFAR).unwrap();
        assert!(text.contains("{\"at\":{\"epochs\":[91,136,0],\"factor\":0.1}}"), "{text}");
        assert!(text.contains("{\"crop\":{\"padding\":4,\"flip\":true,\"colour\":0.0}}"), "{text}");
    }
}
