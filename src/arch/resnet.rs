//! ResNet (He, Zhang, Ren, Sun: "Deep Residual Learning for Image Recognition", 2015): Table 1 for photographs, §4.2 for
//! CIFAR-10, the plain networks beside them, and a small one for digits. Torchvision's names where it has the network.

use super::{Architecture, Recipe, Schedule, Variant};
use crate::data::augment::Augmentation;
use crate::graph::{Graph, GraphError, NodeId};
use crate::ops::{Activation, AdaptiveAvgPool2d, Add, BatchNorm2d, Conv2d, Linear, MaxPool2d, Shortcut, Window};
use crate::tensor::Shape;

/// What a stage is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Two 3×3 convolutions (Figure 5, left).
    Basic,
    /// 1×1, 3×3, 1×1, four times as wide at the end (Figure 5, right); the stride on the 3×3, as torchvision has it.
    Bottleneck,
    /// The same with the stride on the first 1×1, as the paper has it.
    BottleneckV1,
    /// Two 3×3 convolutions, no shortcut (Figure 3, middle).
    Plain,
    /// Two 3×3 convolutions with a shortcut that has no parameters: option A (§4.2).
    OptionA,
}

/// What the last batch norm of a block starts with on photographs. He 2015 says 1: then an untrained network, whose running
/// statistics are not yet its own, doubles its variance with every block, and ResNet-152 shows nothing but overflow.
/// (Goyal et al. 2017, §5.1 start at 0.)
const CALM: f32 = 0.25;

/// A convolution and its batch norm.
fn conv_bn(g: &mut Graph, names: [String; 2], layer: Conv2d, x: NodeId) -> Result<NodeId, GraphError> {
    conv_norm(g, names, layer, BatchNorm2d::new(), x)
}

fn conv_norm(
    g: &mut Graph,
    [conv, bn]: [String; 2],
    layer: Conv2d,
    norm: BatchNorm2d,
    x: NodeId,
) -> Result<NodeId, GraphError> {
    let y = g.push(&conv, layer.no_bias(), &[x])?;
    g.push(&bn, norm, &[y])
}

/// One block, y = F(x) + x (eq. 1), or + W x where the size changes (eq. 2).
fn block(
    g: &mut Graph,
    (kind, start): (Block, f32),
    name: &str,
    [width, stride]: [usize; 2],
    x: NodeId,
) -> Result<NodeId, GraphError> {
    let part = |part: &str| format!("{name}.{part}");
    let layer = |n: usize| [part(&format!("conv{n}")), part(&format!("bn{n}"))];
    let three = |stride: usize| Conv2d::new(width, 3).stride(stride).padding(1);
    let (convs, out) = match kind {
        Block::Bottleneck => (vec![Conv2d::new(width, 1), three(stride), Conv2d::new(4 * width, 1)], 4 * width),
        Block::BottleneckV1 => {
            (vec![Conv2d::new(width, 1).stride(stride), three(1), Conv2d::new(4 * width, 1)], 4 * width)
        }
        Block::Basic | Block::Plain | Block::OptionA => (vec![three(stride), three(1)], width),
    };
    let shape = g.nodes()[x].shape;
    let changes = stride != 1 || shape.c != out;
    let shortcut = match kind {
        Block::Plain => None,
        Block::OptionA if changes => Some(g.push(&part("shortcut"), Shortcut { out_channels: out, stride }, &[x])?),
        _ if changes => {
            let names = [part("downsample.0"), part("downsample.1")];
            Some(conv_bn(g, names, Conv2d::new(out, 1).stride(stride), x)?)
        }
        _ => Some(x),
    };
    let (last, mut y) = (convs.len(), x);
    for (n, conv) in (1..).zip(convs) {
        let start = if n == last { start } else { 1.0 };
        y = conv_norm(g, layer(n), conv, BatchNorm2d::new().start(start), y)?;
        if n < last {
            y = g.push(&part(&format!("relu{n}")), Activation::Relu, &[y])?;
        }
    }
    if let Some(shortcut) = shortcut {
        y = g.push(&part("add"), Add, &[y, shortcut])?;
    }
    g.push(name, Activation::Relu, &[y])
}

/// The stages `layer1`, `layer2`, …; each of these many blocks, the first of all but the first stage with stride 2. Groups are the
/// paper's (`conv2_x/conv2_1`, or `stage1/stage1_1`). `kind`: the block, and what its last batch norm starts with.
fn stages(
    g: &mut Graph,
    kind: (Block, f32),
    [widths, counts]: [&[usize]; 2],
    group: impl Fn(usize, &str) -> String,
    mut x: NodeId,
) -> Result<NodeId, GraphError> {
    for (s, (&width, &count)) in (1..).zip(widths.iter().zip(counts)) {
        for b in 0..count {
            let stride = if s > 1 && b == 0 { 2 } else { 1 };
            x = g.group(&group(s, "x"), |g| {
                g.group(&group(s, &(b + 1).to_string()), |g| {
                    block(g, kind, &format!("layer{s}.{b}"), [width, stride], x)
                })
            })?;
        }
    }
    Ok(x)
}

/// Table 1: conv1, max-pooling, conv2_x to conv5_x, global average pooling, a linear layer.
pub(super) fn imagenet(variant: &'static Variant, kind: Block, counts: [usize; 4]) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(3, 224, 224))?;
    x = stem(&mut g, Conv2d::new(64, 7).stride(2).padding(3), x)?;
    x = g.push("maxpool", MaxPool2d(Window::square(3).stride(2).padding(1)), &[x])?;
    let group = |stage: usize, block: &str| format!("conv{}_{block}", stage + 1);
    let start = if kind == Block::Plain { 1.0 } else { CALM };
    x = stages(&mut g, (kind, start), [&[64, 128, 256, 512], &counts], group, x)?;
    x = g.push("avgpool", AdaptiveAvgPool2d::GLOBAL, &[x])?;
    let output = g.push("fc", Linear::new(1000), &[x])?;
    let notes: &[&str] = match kind {
        Block::Plain => &["resnet-plain"],
        Block::Bottleneck => &["resnet-shortcut", "resnet-stride"],
        Block::BottleneckV1 => &["resnet-shortcut", "resnet-stride-v1"],
        Block::Basic | Block::OptionA => &["resnet-shortcut"],
    };
    Ok(Architecture { notes, ..Architecture::photographs(variant, g, output, Recipe::RESNET) })
}

/// §4.2: 6n + 2 layers on 32×32, three stages of 16, 32 and 64 maps.
pub(super) fn cifar(variant: &'static Variant, kind: Block, n: usize) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(3, 32, 32))?;
    x = stem(&mut g, Conv2d::new(16, 3).padding(1), x)?;
    let group = |stage: usize, block: &str| format!("stage{stage}{}", suffix(block));
    x = stages(&mut g, (kind, 1.0), [&[16, 32, 64], &[n; 3]], group, x)?;
    x = g.push("avgpool", AdaptiveAvgPool2d::GLOBAL, &[x])?;
    let output = g.push("fc", Linear::new(10), &[x])?;
    let notes: &[&str] = if kind == Block::Plain { &["resnet-plain"] } else { &["resnet-option-a"] };
    Ok(Architecture { notes, ..Architecture::cifar(variant, g, output) })
}

/// Ours, for 32×32 digits: a first convolution that halves, as for photographs, then three stages of two blocks, with projections
/// (option B) where the size halves again.
pub(super) fn digits(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(1, 32, 32))?;
    x = stem(&mut g, Conv2d::new(16, 5).stride(2).padding(2), x)?;
    let group = |stage: usize, block: &str| format!("stage{stage}{}", suffix(block));
    x = stages(&mut g, (Block::Basic, 1.0), [&[16, 32, 64], &[2; 3]], group, x)?;
    x = g.push("avgpool", AdaptiveAvgPool2d::GLOBAL, &[x])?;
    let output = g.push("fc", Linear::new(10), &[x])?;
    let recipe = Recipe {
        epochs: 15,
        lr: 0.05,
        schedule: Schedule::decay(0.8),
        augmentation: Augmentation::DISTORTED,
        ..Recipe::DEFAULT
    };
    Ok(Architecture { recipe, notes: &["digits-sibling"], ..Architecture::digits(variant, g, output) })
}

/// The first convolution, with batch norm and ReLU.
fn stem(g: &mut Graph, conv: Conv2d, x: NodeId) -> Result<NodeId, GraphError> {
    g.group("conv1", |g| {
        let y = conv_bn(g, ["conv1".into(), "bn1".into()], conv, x)?;
        g.push("relu", Activation::Relu, &[y])
    })
}

/// `stage1` and, within it, `stage1_2`.
fn suffix(block: &str) -> String {
    if block == "x" { String::new() } else { format!("_{block}") }
}
