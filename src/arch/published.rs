//! Error rates that were published for the networks, each with how it was measured and where it stands; and those measured here.
//! Data beside the registry: knows names of variants, no graph. What is not certain is not here.

use super::Variant;

/// What an error rate is the share of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Task {
    /// ILSVRC-2012 validation: the first guess is wrong.
    Top1,
    /// ILSVRC-2012 validation: none of five guesses is right.
    Top5,
    /// CIFAR-10's 10,000 test pictures.
    Cifar10,
    /// MNIST's 10,000 test digits.
    Mnist,
}

/// How it was measured: rates of different protocols are not to be compared digit by digit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    /// So many networks, each shown so many crops of the picture, their answers averaged.
    Crops {
        /// Networks.
        networks: u16,
        /// Crops a picture.
        crops: u16,
    },
    /// One network slid over the whole picture, whose shorter side is scaled to so many pixels; with its mirror image.
    Dense {
        /// Pixels.
        scale: u16,
    },
    /// One network, every test picture once.
    Whole,
    /// The same, trained on distorted pictures too.
    Distorted,
    /// The best of so many runs.
    Best {
        /// Runs.
        runs: u16,
    },
    /// By this project, with the weights that come with the page.
    Here,
}

impl Protocol {
    /// Its name among the page's messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crops { networks: 2.., .. } => "several",
            Self::Crops { crops: 2.., .. } => "crops",
            Self::Crops { .. } => "crop",
            Self::Dense { .. } => "dense",
            Self::Whole => "whole",
            Self::Distorted => "distorted",
            Self::Best { .. } => "best",
            Self::Here => "here",
        }
    }

    /// The numbers in its message, by name.
    pub fn numbers(self) -> Vec<(&'static str, u16)> {
        match self {
            Self::Crops { networks, crops } => vec![("networks", networks), ("crops", crops)],
            Self::Dense { scale } => vec![("scale", scale)],
            Self::Best { runs } => vec![("runs", runs)],
            Self::Whole | Self::Distorted | Self::Here => Vec::new(),
        }
    }
}

/// Where it stands.
#[derive(PartialEq, Eq, Debug)]
pub struct Source {
    /// Authors, year, table.
    pub cite: &'static str,
    /// Address.
    pub url: &'static str,
}

/// A published error rate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Published {
    /// Of what.
    pub task: Task,
    /// In percent, with the digits that were published.
    pub percent: f64,
    /// How it was measured.
    pub protocol: Protocol,
    /// `None`: measured by this project.
    pub source: Option<&'static Source>,
}

static LECUN: Source =
    Source { cite: "LeCun et al. 1998, §III.B", url: "http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf" };
static KRIZHEVSKY: Source = Source {
    cite: "Krizhevsky et al. 2012, Table 2",
    url: "https://papers.nips.cc/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html",
};
static SIMONYAN: Source = Source { cite: "Simonyan & Zisserman 2014, Table 3", url: "https://arxiv.org/abs/1409.1556" };
static SZEGEDY: Source = Source { cite: "Szegedy et al. 2014, Table 3", url: "https://arxiv.org/abs/1409.4842" };
static HE_2: Source = Source { cite: "He et al. 2015, Table 2", url: "https://arxiv.org/abs/1512.03385" };
static HE_3: Source = Source { cite: "He et al. 2015, Table 3", url: "https://arxiv.org/abs/1512.03385" };
static HE_6: Source = Source { cite: "He et al. 2015, Table 6", url: "https://arxiv.org/abs/1512.03385" };
static TORCHVISION: Source =
    Source { cite: "torchvision, IMAGENET1K_V1", url: "https://pytorch.org/vision/stable/models.html" };

const CENTRE: Protocol = Protocol::Crops { networks: 1, crops: 1 };
const TEN: Protocol = Protocol::Crops { networks: 1, crops: 10 };

const fn rate(task: Task, percent: f64, protocol: Protocol, source: &'static Source) -> Published {
    Published { task, percent, protocol, source: Some(source) }
}

/// Both of ImageNet's rates, measured alike.
const fn both(top1: f64, top5: f64, protocol: Protocol, source: &'static Source) -> [Published; 2] {
    [rate(Task::Top1, top1, protocol, source), rate(Task::Top5, top5, protocol, source)]
}

/// torchvision documents accuracies; these are 100 less them.
const fn torchvision(top1: f64, top5: f64) -> [Published; 2] {
    both(top1, top5, CENTRE, &TORCHVISION)
}

const fn vgg(top1: f64, top5: f64, scale: u16) -> [Published; 2] {
    both(top1, top5, Protocol::Dense { scale }, &SIMONYAN)
}

const fn here(percent: f64) -> Published {
    Published { task: Task::Mnist, percent, protocol: Protocol::Here, source: None }
}

const fn cifar(percent: f64) -> Published {
    rate(Task::Cifar10, percent, Protocol::Whole, &HE_6)
}

/// All of them, by variant; of one variant those of its paper first. He's ResNet-18 and ResNet-34 A had shortcuts without
/// parameters, ours have projections: Table 2's rates are theirs alone, and Table 3's "B" is our ResNet-34.
static TABLE: &[(&str, &[&[Published]])] = &[
    (
        "lenet5",
        &[&[
            rate(Task::Mnist, 0.95, Protocol::Whole, &LECUN),
            rate(Task::Mnist, 0.8, Protocol::Distorted, &LECUN),
            here(0.68),
        ]],
    ),
    ("lenet5-modern", &[&[here(0.5)]]),
    ("alexnet-digits", &[&[here(0.47)]]),
    ("vgg-digits", &[&[here(0.52)]]),
    ("googlenet-digits", &[&[here(0.47)]]),
    ("resnet-digits", &[&[here(0.47)]]),
    (
        "alexnet",
        &[
            &both(40.7, 18.2, TEN, &KRIZHEVSKY),
            &both(38.1, 16.4, Protocol::Crops { networks: 5, crops: 10 }, &KRIZHEVSKY),
        ],
    ),
    ("alexnet-torchvision", &[&torchvision(43.478, 20.934)]),
    ("vgg11", &[&vgg(29.6, 10.4, 256), &torchvision(30.98, 11.372)]),
    ("vgg13", &[&vgg(28.7, 9.9, 256), &torchvision(30.072, 10.754)]),
    ("vgg16", &[&vgg(25.6, 8.1, 384), &torchvision(28.408, 9.618)]),
    ("vgg19", &[&vgg(25.5, 8.0, 384), &torchvision(27.624, 9.124)]),
    ("vgg11-bn", &[&torchvision(29.63, 10.19)]),
    ("vgg13-bn", &[&torchvision(28.414, 9.626)]),
    ("vgg16-bn", &[&torchvision(26.64, 8.484)]),
    ("vgg19-bn", &[&torchvision(25.782, 8.158)]),
    (
        "googlenet",
        &[&[
            rate(Task::Top5, 10.07, CENTRE, &SZEGEDY),
            rate(Task::Top5, 9.15, TEN, &SZEGEDY),
            rate(Task::Top5, 6.67, Protocol::Crops { networks: 7, crops: 144 }, &SZEGEDY),
        ]],
    ),
    ("googlenet-torchvision", &[&torchvision(30.222, 10.47)]),
    ("resnet18", &[&torchvision(30.242, 10.922)]),
    ("resnet34", &[&both(24.52, 7.46, TEN, &HE_3), &torchvision(26.686, 8.58)]),
    ("resnet50", &[&torchvision(23.87, 7.138)]),
    ("resnet101", &[&torchvision(22.626, 6.454)]),
    ("resnet152", &[&torchvision(21.688, 5.954)]),
    ("resnet50-v1", &[&both(22.85, 6.71, TEN, &HE_3)]),
    ("resnet101-v1", &[&both(21.75, 6.05, TEN, &HE_3)]),
    ("resnet152-v1", &[&both(21.43, 5.71, TEN, &HE_3)]),
    ("plain18", &[&[rate(Task::Top1, 27.94, TEN, &HE_2)]]),
    ("plain34", &[&both(28.54, 10.02, TEN, &HE_3)]),
    ("resnet20-cifar", &[&[cifar(8.75)]]),
    ("resnet32-cifar", &[&[cifar(7.51)]]),
    ("resnet44-cifar", &[&[cifar(7.17)]]),
    ("resnet56-cifar", &[&[cifar(6.97)]]),
    ("resnet110-cifar", &[&[rate(Task::Cifar10, 6.43, Protocol::Best { runs: 5 }, &HE_6)]]),
];

impl Variant {
    /// The error rates that were published for it, its paper's first; empty where there are none (or none that is certain).
    pub fn published(&self) -> impl Iterator<Item = &'static Published> + use<> {
        let name = self.name;
        TABLE.iter().filter(move |(of, _)| *of == name).flat_map(|(_, rates)| rates.iter()).flat_map(|r| r.iter())
    }
}

/// The variants of the table, for a test that holds it to the registry.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{VARIANTS, variant};

    #[test]
    fn every_line_is_about_a_variant_and_each_has_one_line_at_most() {
        for (i, (name, _)) in TABLE.iter().enumerate() {
            assert!(variant(name).is_some(), "{name}");
            assert!(TABLE[..i].iter().all(|(other, _)| other != name), "{name} twice");
        }
    }

    #[test]
    fn what_is_wrong_at_the_first_guess_is_wrong_more_often_than_at_five() {
        for v in VARIANTS {
            let rates: Vec<_> = v.published().collect();
            for top5 in rates.iter().filter(|r| r.task == Task::Top5) {
                let alike = rates.iter().filter(|r| (r.task, r.protocol) == (Task::Top1, top5.protocol));
                alike.for_each(|top1| assert!(top1.percent > 2.0 * top5.percent, "{}", v.name));
            }
            assert!(rates.iter().all(|r| r.source.is_some() != (r.protocol == Protocol::Here)), "{}", v.name);
        }
    }

    /// torchvision's page of pretrained weights: acc@1 and acc@5 as it prints them.
    #[test]
    fn torchvision_is_quoted_rightly() {
        let documented = [
            ("alexnet-torchvision", 56.522, 79.066),
            ("vgg11", 69.020, 88.628),
            ("vgg11-bn", 70.370, 89.810),
            ("vgg13", 69.928, 89.246),
            ("vgg13-bn", 71.586, 90.374),
            ("vgg16", 71.592, 90.382),
            ("vgg16-bn", 73.360, 91.516),
            ("vgg19", 72.376, 90.876),
            ("vgg19-bn", 74.218, 91.842),
            ("googlenet-torchvision", 69.778, 89.530),
            ("resnet18", 69.758, 89.078),
            ("resnet34", 73.314, 91.420),
            ("resnet50", 76.130, 92.862),
            ("resnet101", 77.374, 93.546),
            ("resnet152", 78.312, 94.046),
        ];
        let quoted = VARIANTS.iter().flat_map(|v| v.published().map(move |r| (v.name, r)));
        let quoted: Vec<_> = quoted.filter(|(_, r)| r.source == Some(&TORCHVISION)).collect();
        assert_eq!(quoted.len(), 2 * documented.len());
        for (name, top1, top5) in documented {
            for (task, accuracy) in [(Task::Top1, top1), (Task::Top5, top5)] {
                let found = quoted.iter().find(|(n, r)| *n == name && r.task == task).unwrap();
                assert!((found.1.percent - (100.0 - accuracy)).abs() < 1e-9, "{name} {task:?}: {}", found.1.percent);
            }
        }
    }
}
