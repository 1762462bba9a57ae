//! GoogLeNet (Szegedy et al.: "Going Deeper with Convolutions", 2014, Table 1 and Figure 3); torchvision's, with batch norm;
//! and a small one for digits.

use super::{Architecture, Recipe, Schedule, Variant};
use crate::data::augment::Augmentation;
use crate::data::input::Normalisation;
use crate::graph::{Graph, GraphError, NodeId};
use crate::ops::{
    Activation, AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Concat, Conv2d, Dropout, Flatten, Linear, LocalResponseNorm,
    MaxPool2d, Window,
};
use crate::tensor::Shape;

/// A row of Table 1: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj.
type Widths = [usize; 6];

/// Table 1, inception (3a) to (5b), in its order.
const TABLE: [(&str, Widths); 9] = [
    ("3a", [64, 96, 128, 16, 32, 32]),
    ("3b", [128, 128, 192, 32, 96, 64]),
    ("4a", [192, 96, 208, 16, 48, 64]),
    ("4b", [160, 112, 224, 24, 64, 64]),
    ("4c", [128, 128, 256, 24, 64, 64]),
    ("4d", [112, 144, 288, 32, 64, 64]),
    ("4e", [256, 160, 320, 32, 128, 128]),
    ("5a", [256, 160, 320, 32, 128, 128]),
    ("5b", [384, 192, 384, 48, 128, 128]),
];

/// 3×3/2 max-pooling of the paper's figure: maps of 112, 56, 28, 14 and 7 need rounding up.
const POOL: MaxPool2d = MaxPool2d(Window::square(3).stride(2).ceil_mode());
/// As Caffe's reference has it; the paper says only "LocalRespNorm".
const LRN: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };
/// Weight of each auxiliary head's loss (§5).
const AUXILIARY: f32 = 0.3;

/// A convolution and its ReLU, "all the convolutions, including those inside the inception modules, use rectified linear
/// activation" (§5).
fn conv(g: &mut Graph, name: &str, conv: Conv2d, x: NodeId) -> Result<NodeId, GraphError> {
    let y = g.push(name, conv, &[x])?;
    g.push(&format!("{name}.relu"), Activation::Relu, &[y])
}

/// An inception module (Figure 2b): four branches side by side, 1×1 reductions before the larger kernels.
fn inception(g: &mut Graph, name: &str, widths: Widths, x: NodeId) -> Result<NodeId, GraphError> {
    let [one, reduce3, three, reduce5, five, project] = widths;
    g.group(name, |g| {
        let part = |part: &str| format!("{name}.{part}");
        let a = conv(g, &part("1x1"), Conv2d::new(one, 1), x)?;
        let b = conv(g, &part("3x3_reduce"), Conv2d::new(reduce3, 1), x)?;
        let b = conv(g, &part("3x3"), Conv2d::new(three, 3).padding(1), b)?;
        let c = conv(g, &part("5x5_reduce"), Conv2d::new(reduce5, 1), x)?;
        let c = conv(g, &part("5x5"), Conv2d::new(five, 5).padding(2), c)?;
        let d = g.push(&part("pool"), MaxPool2d(Window::square(3).padding(1)), &[x])?;
        let d = conv(g, &part("pool_proj"), Conv2d::new(project, 1), d)?;
        g.push(name, Concat, &[a, b, c, d])
    })
}

/// An auxiliary classifier (§5): 5×5/3 average pooling, 1×1 convolution, two linear layers, 70 % dropout. In training only.
fn auxiliary(
    g: &mut Graph,
    name: &str,
    pool: AvgPool2d,
    [maps, width, classes]: [usize; 3],
    x: NodeId,
) -> Result<NodeId, GraphError> {
    g.group(name, |g| {
        let part = |part: &str| format!("{name}.{part}");
        let y = g.push(&part("pool"), pool, &[x])?;
        let y = conv(g, &part("conv"), Conv2d::new(maps, 1), y)?;
        let y = g.push(&part("flatten"), Flatten, &[y])?;
        let y = g.push(&part("fc"), Linear::new(width), &[y])?;
        let y = g.push(&part("fc.relu"), Activation::Relu, &[y])?;
        let y = g.push(&part("drop"), Dropout { p: 0.7 }, &[y])?;
        g.push(&part("classifier"), Linear::new(classes), &[y])
    })
}

/// The paper's 22 layers.
pub(super) fn original(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut heads = Vec::new();
    let mut x = g.input("input", Shape::new(3, 224, 224))?;
    x = conv(&mut g, "conv1.7x7_s2", Conv2d::new(64, 7).stride(2).padding(3), x)?;
    x = g.push("pool1", POOL, &[x])?;
    x = g.push("norm1", LRN, &[x])?;
    x = conv(&mut g, "conv2.3x3_reduce", Conv2d::new(64, 1), x)?;
    x = conv(&mut g, "conv2.3x3", Conv2d::new(192, 3).padding(1), x)?;
    x = g.push("norm2", LRN, &[x])?;
    x = g.push("pool2", POOL, &[x])?;
    for (name, widths) in TABLE {
        x = inception(&mut g, &format!("inception_{name}"), widths, x)?;
        let aux = AvgPool2d(Window::square(5).stride(3));
        match name {
            "3b" => x = g.push("pool3", POOL, &[x])?,
            "4a" => heads.push((auxiliary(&mut g, "loss1", aux, [128, 1024, 1000], x)?, AUXILIARY)),
            "4d" => heads.push((auxiliary(&mut g, "loss2", aux, [128, 1024, 1000], x)?, AUXILIARY)),
            "4e" => x = g.push("pool4", POOL, &[x])?,
            _ => {}
        }
    }
    x = g.push("pool5", AvgPool2d(Window::square(7)), &[x])?;
    x = g.push("flatten", Flatten, &[x])?;
    x = g.push("drop", Dropout { p: 0.4 }, &[x])?;
    let output = g.push("loss3.classifier", Linear::new(1000), &[x])?;
    let notes = &["googlenet-table", "googlenet-auxiliary", "googlenet-lrn"];
    Ok(Architecture { auxiliary: heads, notes, ..Architecture::photographs(variant, g, output, Recipe::GOOGLENET) })
}

/// torchvision's `BasicConv2d`: no bias, batch norm with ε = 0.001, ReLU.
fn basic(g: &mut Graph, name: &str, conv: Conv2d, x: NodeId) -> Result<NodeId, GraphError> {
    let y = g.push(&format!("{name}.conv"), conv.no_bias(), &[x])?;
    let y = g.push(&format!("{name}.bn"), BatchNorm2d::new().eps(1e-3), &[y])?;
    g.push(&format!("{name}.relu"), Activation::Relu, &[y])
}

/// torchvision's: batch norm instead of LRN, and 3×3 where the paper has 5×5 (an old mistake of TensorFlow's, kept for its weights).
pub(super) fn torchvision(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut heads = Vec::new();
    let mut x = g.input("input", Shape::new(3, 224, 224))?;
    x = basic(&mut g, "conv1", Conv2d::new(64, 7).stride(2).padding(3), x)?;
    x = g.push("maxpool1", POOL, &[x])?;
    x = basic(&mut g, "conv2", Conv2d::new(64, 1), x)?;
    x = basic(&mut g, "conv3", Conv2d::new(192, 3).padding(1), x)?;
    x = g.push("maxpool2", POOL, &[x])?;
    for (name, [one, reduce3, three, reduce5, five, project]) in TABLE {
        let module = format!("inception{name}");
        x = g.group(&module, |g| {
            let part = |part: &str| format!("{module}.{part}");
            let a = basic(g, &part("branch1"), Conv2d::new(one, 1), x)?;
            let b = basic(g, &part("branch2.0"), Conv2d::new(reduce3, 1), x)?;
            let b = basic(g, &part("branch2.1"), Conv2d::new(three, 3).padding(1), b)?;
            let c = basic(g, &part("branch3.0"), Conv2d::new(reduce5, 1), x)?;
            let c = basic(g, &part("branch3.1"), Conv2d::new(five, 3).padding(1), c)?;
            let d = g.push(&part("branch4.0"), MaxPool2d(Window::square(3).padding(1).ceil_mode()), &[x])?;
            let d = basic(g, &part("branch4.1"), Conv2d::new(project, 1), d)?;
            g.push(&module, Concat, &[a, b, c, d])
        })?;
        let head = |g: &mut Graph, name: &str| {
            g.group(name, |g| {
                let part = |part: &str| format!("{name}.{part}");
                let y = g.push(&part("pool"), AdaptiveAvgPool2d { output: [4, 4] }, &[x])?;
                let y = basic(g, &part("conv"), Conv2d::new(128, 1), y)?;
                let y = g.push(&part("flatten"), Flatten, &[y])?;
                let y = g.push(&part("fc1"), Linear::new(1024), &[y])?;
                let y = g.push(&part("fc1.relu"), Activation::Relu, &[y])?;
                let y = g.push(&part("dropout"), Dropout { p: 0.7 }, &[y])?;
                g.push(&part("fc2"), Linear::new(1000), &[y])
            })
        };
        match name {
            "3b" => x = g.push("maxpool3", POOL, &[x])?,
            "4a" => heads.push((head(&mut g, "aux1")?, AUXILIARY)),
            "4d" => heads.push((head(&mut g, "aux2")?, AUXILIARY)),
            "4e" => x = g.push("maxpool4", MaxPool2d(Window::square(2).stride(2).ceil_mode()), &[x])?,
            _ => {}
        }
    }
    x = g.push("avgpool", AdaptiveAvgPool2d::GLOBAL, &[x])?;
    x = g.push("dropout", Dropout { p: 0.2 }, &[x])?;
    let output = g.push("fc", Linear::new(1000), &[x])?;
    let notes = &["googlenet-torchvision", "googlenet-auxiliary"];
    let normalisation = Normalisation::Symmetric;
    Ok(Architecture {
        auxiliary: heads,
        normalisation,
        notes,
        ..Architecture::photographs(variant, g, output, Recipe::GOOGLENET)
    })
}

/// Ours, for 32×32 digits: three inception modules, one auxiliary head after the first two, global average pooling.
pub(super) fn digits(variant: &'static Variant) -> Result<Architecture, GraphError> {
    let mut g = Graph::new();
    let mut x = g.input("input", Shape::new(1, 32, 32))?;
    x = conv(&mut g, "conv1", Conv2d::new(16, 5).padding(2), x)?;
    x = g.push("pool1", POOL, &[x])?;
    x = g.push("norm1", LRN, &[x])?;
    x = conv(&mut g, "conv2.3x3_reduce", Conv2d::new(16, 1), x)?;
    x = conv(&mut g, "conv2.3x3", Conv2d::new(48, 3).padding(1), x)?;
    x = g.push("pool2", POOL, &[x])?;
    x = inception(&mut g, "inception_3a", [24, 24, 40, 8, 16, 16], x)?;
    x = inception(&mut g, "inception_3b", [32, 32, 56, 8, 20, 20], x)?;
    let aux = auxiliary(&mut g, "loss1", AvgPool2d(Window::square(4).stride(4)), [32, 64, 10], x)?;
    x = g.push("pool3", POOL, &[x])?;
    x = inception(&mut g, "inception_4a", [64, 48, 96, 16, 32, 32], x)?;
    x = g.push("pool4", AdaptiveAvgPool2d::GLOBAL, &[x])?;
    x = g.push("drop", Dropout { p: 0.4 }, &[x])?;
    let output = g.push("loss2.classifier", Linear::new(10), &[x])?;
    let recipe = Recipe {
        epochs: 24,
        lr: 0.02,
        schedule: Schedule::decay(0.88),
        augmentation: Augmentation::DISTORTED,
        ..Recipe::DEFAULT
    };
    let auxiliary = vec![(aux, AUXILIARY)];
    Ok(Architecture { recipe, auxiliary, notes: &["digits-sibling"], ..Architecture::digits(variant, g, output) })
}
