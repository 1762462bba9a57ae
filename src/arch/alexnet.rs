//! AlexNet (Krizhevsky, Sutskever, Hinton: "ImageNet Classification with Deep Convolutional Neural Networks", 2012, §3.5 and
//! Figure 2); torchvision's of 2014 on one GPU; and a small one for digits that keeps what made it new.

use super::{Architecture, Recipe, Schedule, Variant};
use crate::data::augment::Augmentation;
use crate::graph::{Graph, GraphError, NodeId};
use crate::ops::{Activation, Conv2d, Dropout, Flatten, Linear, LocalResponseNorm, MaxPool2d, Window};
use crate::tensor::Shape;

/// "Overlapping pooling" (§3.4): windows of 3, two apart.
const POOL: MaxPool2d = MaxPool2d(Window::square(3).stride(2));
/// §3.3: k = 2, n = 5, α = 10⁻⁴, β = 0.75. PyTorch divides α by n, the paper does not: hence the 5.
const LRN: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 5.0 * 1e-4, beta: 0.75, k: 2.0 };

/// A convolution and its ReLU.
fn conv(g: &mut Graph, n: usize, conv: Conv2d, x: NodeId) -> Result<NodeId, GraphError> {
    let y = g.push(&format!("conv{n}"), conv, &[x])?;
    g.push(&format!("relu{n}"), Activation::Relu, &[y])
}

/// A linear layer, its ReLU, dropout (§4.2: in the first two fully connected layers).
fn hidden(g: &mut Graph, n: usize, width: usize, x: NodeId) -> Result<NodeId, GraphError> {
    let y = g.push(&format!("fc{n}"), Linear::new(width), &[x])?;
    let y = g.push(&format!("relu{n}"), Activation::Relu, &[y])?;
    g.push(&format!("drop{n}"), Dropout { p: 0.5 }, &[y])
}

/// The paper's: two towers (two GPUs) that meet in conv3 and the linear layers. Its input is 227×227, since the 224×224 of the
/// text does not give 55×55 maps.
pub(super) fn original(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(3, 227, 227))?;
    x = conv(&mut g, 1, Conv2d::new(96, 11).stride(4), x)?;
    x = g.push("norm1", LRN, &[x])?;
    x = g.push("pool1", POOL, &[x])?;
    x = conv(&mut g, 2, Conv2d::new(256, 5).padding(2).groups(2), x)?;
    x = g.push("norm2", LRN, &[x])?;
    x = g.push("pool2", POOL, &[x])?;
    x = conv(&mut g, 3, Conv2d::new(384, 3).padding(1), x)?;
    x = conv(&mut g, 4, Conv2d::new(384, 3).padding(1).groups(2), x)?;
    x = conv(&mut g, 5, Conv2d::new(256, 3).padding(1).groups(2), x)?;
    x = g.push("pool5", POOL, &[x])?;
    x = g.push("flatten", Flatten, &[x])?;
    x = hidden(&mut g, 6, 4096, x)?;
    x = hidden(&mut g, 7, 4096, x)?;
    let output = g.push("fc8", Linear::new(1000), &[x])?;
    let notes = &["alexnet-input", "alexnet-towers", "alexnet-lrn"];
    Ok(Architecture { notes, ..Architecture::photographs(variant, g, output, Recipe::ALEXNET) })
}

/// torchvision's: no towers, no LRN, other widths, input 224 (Krizhevsky: "One weird trick …", 2014). Its 6×6 adaptive pooling
/// changes nothing at this size and is left out.
pub(super) fn torchvision(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(3, 224, 224))?;
    let convs = [
        (0, Conv2d::new(64, 11).stride(4).padding(2), true),
        (3, Conv2d::new(192, 5).padding(2), true),
        (6, Conv2d::new(384, 3).padding(1), false),
        (8, Conv2d::new(256, 3).padding(1), false),
        (10, Conv2d::new(256, 3).padding(1), true),
    ];
    for (n, (at, conv, pooled)) in (1..).zip(convs) {
        x = g.group(&format!("conv{n}"), |g| {
            let y = g.push(&format!("features.{at}"), conv, &[x])?;
            g.push(&format!("features.{}", at + 1), Activation::Relu, &[y])
        })?;
        if pooled {
            x = g.group(&format!("pool{n}"), |g| g.push(&format!("features.{}", at + 2), POOL, &[x]))?;
        }
    }
    x = g.push("flatten", Flatten, &[x])?;
    for (group, at) in [("fc6", 0), ("fc7", 3)] {
        // Here dropout comes before the linear layer.
        x = g.group(group, |g| {
            let y = g.push(&format!("classifier.{at}"), Dropout { p: 0.5 }, &[x])?;
            let y = g.push(&format!("classifier.{}", at + 1), Linear::new(4096), &[y])?;
            g.push(&format!("classifier.{}", at + 2), Activation::Relu, &[y])
        })?;
    }
    let output = g.group("fc8", |g| g.push("classifier.6", Linear::new(1000), &[x]))?;
    Ok(Architecture {
        notes: &["alexnet-torchvision"],
        ..Architecture::photographs(variant, g, output, Recipe::ALEXNET)
    })
}

/// Ours, for 32×32 digits: five convolutions of which three in two towers, LRN twice, overlapping pooling, dropout, ReLU.
pub(super) fn digits(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(1, 32, 32))?;
    x = conv(&mut g, 1, Conv2d::new(32, 5).padding(2), x)?;
    x = g.push("norm1", LRN, &[x])?;
    x = g.push("pool1", POOL, &[x])?;
    x = conv(&mut g, 2, Conv2d::new(48, 5).padding(2).groups(2), x)?;
    x = g.push("norm2", LRN, &[x])?;
    x = g.push("pool2", POOL, &[x])?;
    x = conv(&mut g, 3, Conv2d::new(64, 3).padding(1), x)?;
    x = conv(&mut g, 4, Conv2d::new(64, 3).padding(1).groups(2), x)?;
    x = conv(&mut g, 5, Conv2d::new(48, 3).padding(1).groups(2), x)?;
    x = g.push("pool5", POOL, &[x])?;
    x = g.push("flatten", Flatten, &[x])?;
    x = hidden(&mut g, 6, 256, x)?;
    x = hidden(&mut g, 7, 256, x)?;
    let output = g.push("fc8", Linear::new(10), &[x])?;
    let recipe = Recipe {
        epochs: 10,
        lr: 0.02,
        schedule: Schedule::decay(0.73),
        augmentation: Augmentation::DISTORTED,
        ..Recipe::DEFAULT
    };
    Ok(Architecture { recipe, notes: &["digits-sibling"], ..Architecture::digits(variant, g, output) })
}
