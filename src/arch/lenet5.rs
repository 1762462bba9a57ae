//! LeNet-5 (LeCun, Bottou, Bengio, Haffner: "Gradient-Based Learning Applied to Document Recognition", 1998, §II.B and
//! Figure 2), exactly; and what textbooks draw under that name today.

use super::{Architecture, Init, Recipe, Schedule, Variant};
use crate::data::augment::Augmentation;
use crate::data::input::Normalisation;
use crate::graph::{Graph, GraphError};
use crate::ops::{Activation, Conv2d, Flatten, Linear, Loss, MaxPool2d, Rbf, Subsample, Table, Window};
use crate::tensor::Shape;
use std::borrow::Cow;

/// The paper's input: digits of 28×28 in the middle of 32×32, so that strokes stay inside C5's receptive fields.
const INPUT: Shape = Shape::new(1, 32, 32);

/// Which maps of S2 feed each map of C3 (Table I).
static C3_TABLE: [Cow<'static, [usize]>; 16] = [
    Cow::Borrowed(&[0, 1, 2]),
    Cow::Borrowed(&[1, 2, 3]),
    Cow::Borrowed(&[2, 3, 4]),
    Cow::Borrowed(&[3, 4, 5]),
    Cow::Borrowed(&[0, 4, 5]),
    Cow::Borrowed(&[0, 1, 5]),
    Cow::Borrowed(&[0, 1, 2, 3]),
    Cow::Borrowed(&[1, 2, 3, 4]),
    Cow::Borrowed(&[2, 3, 4, 5]),
    Cow::Borrowed(&[0, 3, 4, 5]),
    Cow::Borrowed(&[0, 1, 4, 5]),
    Cow::Borrowed(&[0, 1, 2, 5]),
    Cow::Borrowed(&[0, 1, 3, 4]),
    Cow::Borrowed(&[1, 2, 4, 5]),
    Cow::Borrowed(&[0, 2, 3, 5]),
    Cow::Borrowed(&[0, 1, 2, 3, 4, 5]),
];

/// C1–S2–C3–S4–C5–F6–Output. Squashing follows every layer but the output; the paper draws it as part of the layer.
pub(super) fn original(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let squash = Activation::ScaledTanh;
    let mut x = g.input("input", INPUT)?;
    x = g.group("C1", |g| {
        let y = g.push("c1", Conv2d::new(6, 5), &[x])?;
        g.push("c1_act", squash, &[y])
    })?;
    x = g.group("S2", |g| {
        let y = g.push("s2", Subsample { size: 2 }, &[x])?;
        g.push("s2_act", squash, &[y])
    })?;
    x = g.group("C3", |g| {
        let y = g.push("c3", Conv2d::new(16, 5).table(Table(Cow::Borrowed(&C3_TABLE))), &[x])?;
        g.push("c3_act", squash, &[y])
    })?;
    x = g.group("S4", |g| {
        let y = g.push("s4", Subsample { size: 2 }, &[x])?;
        g.push("s4_act", squash, &[y])
    })?;
    x = g.group("C5", |g| {
        let y = g.push("c5", Conv2d::new(120, 5), &[x])?;
        g.push("c5_act", squash, &[y])
    })?;
    x = g.group("F6", |g| {
        let y = g.push("f6", Linear::new(84), &[x])?;
        g.push("f6_act", squash, &[y])
    })?;
    let output = g.group("Output", |g| g.push("output", Rbf { out_features: 10, centres: centres().into() }, &[x]))?;
    Ok(Architecture {
        variant,
        graph: g,
        output,
        auxiliary: Vec::new(),
        loss: Loss::Map { j: 0.1 },
        init: Init::Lecun,
        normalisation: Normalisation::Lecun1998,
        recipe: Recipe {
            epochs: 40,
            batch: 32,
            lr: 0.002,
            schedule: Schedule::decay(0.9),
            weight_decay: 0.0,
            augmentation: Augmentation::DISTORTED,
            ..Recipe::DEFAULT
        },
        notes: &["lenet5-macs", "lenet5-table", "lenet5-glyphs", "lenet5-criterion"],
    })
}

/// Convolution–pooling–convolution–pooling–three linear layers: full C3, ReLU, max-pooling, softmax; 61,706 parameters.
pub(super) fn modern(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let (relu, half) = (Activation::Relu, MaxPool2d(Window::square(2).stride(2)));
    let mut x = g.input("input", INPUT)?;
    x = g.group("C1", |g| {
        let y = g.push("conv1", Conv2d::new(6, 5), &[x])?;
        g.push("relu1", relu, &[y])
    })?;
    x = g.group("S2", |g| g.push("pool1", half, &[x]))?;
    x = g.group("C3", |g| {
        let y = g.push("conv2", Conv2d::new(16, 5), &[x])?;
        g.push("relu2", relu, &[y])
    })?;
    x = g.group("S4", |g| g.push("pool2", half, &[x]))?;
    x = g.push("flatten", Flatten, &[x])?;
    x = g.group("C5", |g| {
        let y = g.push("fc1", Linear::new(120), &[x])?;
        g.push("relu3", relu, &[y])
    })?;
    x = g.group("F6", |g| {
        let y = g.push("fc2", Linear::new(84), &[x])?;
        g.push("relu4", relu, &[y])
    })?;
    let output = g.group("Output", |g| g.push("fc3", Linear::new(10), &[x]))?;
    Ok(Architecture {
        variant,
        graph: g,
        output,
        auxiliary: Vec::new(),
        loss: Loss::CrossEntropy,
        init: Init::He,
        normalisation: Normalisation::MeanStd,
        recipe: Recipe {
            epochs: 30,
            batch: 64,
            lr: 0.02,
            schedule: Schedule::decay(0.88),
            augmentation: Augmentation::DISTORTED,
            ..Recipe::DEFAULT
        },
        notes: &["lenet5-modern"],
    })
}

/// The RBF centres: a 7×12 picture of each digit, ink +1, paper −1 (§II.B and Figure 3). The paper prints its pictures small;
/// these are redrawn in their manner, so single pixels may differ from the authors'.
#[rustfmt::skip]
const GLYPHS: [[&str; 12]; 10] = [
    ["..###..", ".#...#.", "#.....#", "#.....#", "#.....#", "#.....#", "#.....#", "#.....#", "#.....#", ".#...#.", "..###..", "......."],
    ["...##..", "..###..", "...##..", "...##..", "...##..", "...##..", "...##..", "...##..", "...##..", "...##..", ".######", "......."],
    [".#####.", "##...##", "#.....#", "......#", ".....##", "....##.", "...##..", "..##...", ".##....", "##.....", "#######", "......."],
    ["#######", "......#", ".....##", "....##.", "...####", "......#", "......#", "......#", "#.....#", "##...##", ".#####.", "......."],
    [".....#.", "....##.", "...###.", "..##.#.", ".##..#.", "##...#.", "#....#.", "#######", ".....#.", ".....#.", ".....#.", "......."],
    ["#######", "#......", "#......", "#......", "######.", ".....##", "......#", "......#", "#.....#", "##...##", ".#####.", "......."],
    ["..####.", ".##....", "##.....", "#......", "#.####.", "###..##", "#.....#", "#.....#", "#.....#", "##...##", ".#####.", "......."],
    ["#######", "#.....#", "......#", ".....##", ".....#.", "....##.", "....#..", "...##..", "...#...", "..##...", "..#....", "......."],
    [".#####.", "##...##", "#.....#", "##...##", ".#####.", "##...##", "#.....#", "#.....#", "#.....#", "##...##", ".#####.", "......."],
    [".#####.", "##...##", "#.....#", "#.....#", "##...##", ".######", "......#", "......#", ".....##", "....##.", ".####..", "......."],
];

fn centres() -> Vec<f32> {
    let ink = |pixel| if pixel == '#' { 1.0 } else { -1.0 };
    GLYPHS.iter().flatten().flat_map(|row| row.chars().map(ink)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_are_whole_and_far_apart() {
        assert!(GLYPHS.iter().flatten().all(|row| row.len() == 7 && row.chars().all(|c| "#.".contains(c))));
        for (i, a) in GLYPHS.iter().enumerate() {
            for b in &GLYPHS[i + 1..] {
                let pixels = |g: &[&str; 12]| g.concat().into_bytes();
                let differ = pixels(a).iter().zip(&pixels(b)).filter(|(a, b)| a != b).count();
                assert!(differ >= 8, "{a:?} {b:?}: {differ}");
            }
        }
    }
}
