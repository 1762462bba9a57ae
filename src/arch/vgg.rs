//! VGGNet (Simonyan, Zisserman: "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014, Table 1),
//! configurations A, B, D and E with torchvision's names; a version for CIFAR-10; and a small one for digits.

use super::{Architecture, Recipe, Schedule, Variant};
use crate::data::augment::Augmentation;
use crate::graph::{Graph, GraphError, NodeId};
use crate::ops::{Activation, BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Window};
use crate::tensor::Shape;

/// A block of Table 1: how many convolutions, how wide; a 2×2 max-pooling ends it.
type Block = (usize, usize);

/// Configuration A: 11 layers with weights.
pub(super) const A: [Block; 5] = [(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)];
/// Configuration B: 13.
pub(super) const B: [Block; 5] = [(2, 64), (2, 128), (2, 256), (2, 512), (2, 512)];
/// Configuration D: 16.
pub(super) const D: [Block; 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];
/// Configuration E: 19.
pub(super) const E: [Block; 5] = [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)];

/// The blocks: `features.N`, numbered as torchvision does, in the paper's groups `block1/conv1_1`.
fn features(g: &mut Graph, blocks: &[Block], norm: bool, mut x: NodeId) -> Result<NodeId, GraphError> {
    let mut n = 0;
    let mut name = || {
        n += 1;
        format!("features.{}", n - 1)
    };
    for (b, &(convs, width)) in (1..).zip(blocks) {
        x = g.group(&format!("block{b}"), |g| {
            let mut x = x;
            for i in 1..=convs {
                x = g.group(&format!("conv{b}_{i}"), |g| {
                    let mut y = g.push(&name(), Conv2d::new(width, 3).padding(1), &[x])?;
                    if norm {
                        y = g.push(&name(), BatchNorm2d::new(), &[y])?;
                    }
                    g.push(&name(), Activation::Relu, &[y])
                })?;
            }
            g.group(&format!("pool{b}"), |g| g.push(&name(), MaxPool2d(Window::square(2).stride(2)), &[x]))
        })?;
    }
    Ok(x)
}

/// A hidden linear layer with ReLU, `classifier.N` from `at` on, and dropout where there is any.
fn hidden(g: &mut Graph, group: &str, at: usize, width: usize, dropout: bool, x: NodeId) -> Result<NodeId, GraphError> {
    g.group(group, |g| {
        let y = g.push(&format!("classifier.{at}"), Linear::new(width), &[x])?;
        let y = g.push(&format!("classifier.{}", at + 1), Activation::Relu, &[y])?;
        if dropout { g.push(&format!("classifier.{}", at + 2), Dropout { p: 0.5 }, &[y]) } else { Ok(y) }
    })
}

/// The last layer: a score a class.
fn scores(g: &mut Graph, group: &str, name: &str, classes: usize, x: NodeId) -> Result<NodeId, GraphError> {
    g.group(group, |g| g.push(name, Linear::new(classes), &[x]))
}

/// Configurations A to E on 224×224. torchvision's 7×7 adaptive pooling changes nothing at this size and is left out.
pub(super) fn imagenet(variant: &'static Variant, blocks: &[Block], norm: bool) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(3, 224, 224))?;
    x = features(&mut g, blocks, norm, x)?;
    x = g.push("flatten", Flatten, &[x])?;
    x = hidden(&mut g, "fc6", 0, 4096, true, x)?;
    x = hidden(&mut g, "fc7", 3, 4096, true, x)?;
    let output = scores(&mut g, "fc8", "classifier.6", 1000, x)?;
    let notes: &[&str] = if norm { &["vgg-stack", "vgg-bn"] } else { &["vgg-stack"] };
    Ok(Architecture { notes, ..Architecture::photographs(variant, g, output, Recipe::VGG) })
}

/// For CIFAR-10: configuration E with batch norm on 32×32, head 512–512–128–10.
pub(super) fn cifar(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(3, 32, 32))?;
    x = features(&mut g, &E, true, x)?;
    x = g.push("flatten", Flatten, &[x])?;
    x = hidden(&mut g, "fc1", 0, 512, false, x)?;
    x = hidden(&mut g, "fc2", 2, 128, false, x)?;
    let output = scores(&mut g, "fc3", "classifier.4", 10, x)?;
    Ok(Architecture { notes: &["vgg-cifar"], ..Architecture::cifar(variant, g, output) })
}

/// Ours, for 32×32 digits: stacks of 3×3 convolutions, 2×2 pooling that doubles the width, three linear layers, dropout.
pub(super) fn digits(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(1, 32, 32))?;
    x = features(&mut g, &[(1, 16), (2, 32), (2, 64)], false, x)?;
    x = g.push("flatten", Flatten, &[x])?;
    x = hidden(&mut g, "fc4", 0, 192, true, x)?;
    x = hidden(&mut g, "fc5", 3, 192, true, x)?;
    let output = scores(&mut g, "fc6", "classifier.6", 10, x)?;
    let recipe = Recipe {
        epochs: 15,
        lr: 0.02,
        schedule: Schedule::decay(0.82),
        augmentation: Augmentation::DISTORTED,
        ..Recipe::DEFAULT
    };
    Ok(Architecture { recipe, notes: &["digits-sibling"], ..Architecture::digits(variant, g, output) })
}
