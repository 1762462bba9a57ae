//! The networks: one file a family under `arch/`, one registry line a variant. Knows graphs; knows no plan, device or page.

use crate::data::input::Normalisation;
use crate::graph::{Graph, GraphError, NodeId, cost};
use crate::ops::{Kind, Layer, Loss};
use crate::rng::Rng;
use resnet::Block;

mod alexnet;
mod googlenet;
mod lenet5;
mod notes;
pub mod published;
mod recipe;
mod resnet;
pub mod summary;
mod vgg;

pub use recipe::{Recipe, Schedule};

/// A network ready to be planned: its graph, what its output means, how it starts.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// Which variant.
    pub variant: &'static Variant,
    /// The layers.
    pub graph: Graph,
    /// The node whose value answers.
    pub output: NodeId,
    /// Auxiliary heads: a node of logits and the weight of its loss in training (GoogLeNet).
    pub auxiliary: Vec<(NodeId, f32)>,
    /// What training minimises, and how the output reads.
    pub loss: Loss,
    /// How weights start.
    pub init: Init,
    /// How bytes of a picture become an input.
    pub normalisation: Normalisation,
    /// How the weights that come with the page were trained, and where the page's training starts from.
    pub recipe: Recipe,
    /// Where paper and common practice differ, in a sentence each, as message keys of the page.
    pub notes: &'static [&'static str],
}

/// How weights start. Biases are drawn as the paper has it (LeCun) or zero (He).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Init {
    /// LeCun 1998, appendix A: uniform in ±2.4/fan_in, biases too.
    Lecun,
    /// He 2015: normal with variance 2/fan_in; biases zero.
    He,
}

/// A line of the registry.
#[derive(Debug)]
pub struct Variant {
    /// What the command line, the page's URL and files call it.
    pub name: &'static str,
    /// Which of the five papers it belongs to.
    pub family: &'static str,
    /// Its title, as a reader knows it.
    pub title: &'static str,
    /// The year of the paper.
    pub year: u16,
    /// Whether trained weights come with the page, as `weights/NAME.safetensors`.
    pub shipped: bool,
    build: fn(&'static Variant) -> Result<Architecture, GraphError>,
}

impl PartialEq for Variant {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Variant {
    /// Builds its graph.
    ///
    /// # Errors
    /// [`GraphError`]: a declaration that contradicts itself; a test builds every variant.
    pub fn build(&'static self) -> Result<Architecture, GraphError> {
        (self.build)(self)
    }
}

/// Every variant, in the order in which the page shows them.
pub static VARIANTS: &[Variant] = &[
    Variant { name: "lenet5", family: "LeNet-5", title: "LeNet-5", year: 1998, shipped: true, build: lenet5::original },
    Variant {
        name: "lenet5-modern",
        family: "LeNet-5",
        title: "LeNet-5, modern",
        year: 1998,
        shipped: true,
        build: lenet5::modern,
    },
    Variant {
        name: "alexnet-digits",
        family: "AlexNet",
        title: "AlexNet for digits",
        year: 2012,
        shipped: true,
        build: alexnet::digits,
    },
    Variant {
        name: "alexnet",
        family: "AlexNet",
        title: "AlexNet",
        year: 2012,
        shipped: false,
        build: alexnet::original,
    },
    Variant {
        name: "alexnet-torchvision",
        family: "AlexNet",
        title: "AlexNet, torchvision",
        year: 2014,
        shipped: false,
        build: alexnet::torchvision,
    },
    Variant {
        name: "vgg-digits",
        family: "VGGNet",
        title: "VGGNet for digits",
        year: 2014,
        shipped: true,
        build: vgg::digits,
    },
    Variant {
        name: "vgg11",
        family: "VGGNet",
        title: "VGG-11",
        year: 2014,
        shipped: false,
        build: |v| vgg::imagenet(v, &vgg::A, false),
    },
    Variant {
        name: "vgg13",
        family: "VGGNet",
        title: "VGG-13",
        year: 2014,
        shipped: false,
        build: |v| vgg::imagenet(v, &vgg::B, false),
    },
    Variant {
        name: "vgg16",
        family: "VGGNet",
        title: "VGG-16",
        year: 2014,
        shipped: false,
        build: |v| vgg::imagenet(v, &vgg::D, false),
    },
    Variant {
        name: "vgg19",
        family: "VGGNet",
        title: "VGG-19",
        year: 2014,
        shipped: false,
        build: |v| vgg::imagenet(v, &vgg::E, false),
    },
    Variant {
        name: "vgg11-bn",
        family: "VGGNet",
        title: "VGG-11, batch norm",
        year: 2014,
        shipped: false,
        build: |v| vgg::imagenet(v, &vgg::A, true),
    },
    Variant {
        name: "vgg13-bn",
        family: "VGGNet",
        title: "VGG-13, batch norm",
        year: 2014,
        shipped: false,
        build: |v| vgg::imagenet(v, &vgg::B, true),
    },
    Variant {
        name: "vgg16-bn",
        family: "VGGNet",
        title: "VGG-16, batch norm",
        year: 2014,
        shipped: false,
        build: |v| vgg::imagenet(v, &vgg::D, true),
    },
    Variant {
        name: "vgg19-bn",
        family: "VGGNet",
        title: "VGG-19, batch norm",
        year: 2014,
        shipped: false,
        build: |v| vgg::imagenet(v, &vgg::E, true),
    },
    Variant {
        name: "vgg19-bn-cifar",
        family: "VGGNet",
        title: "VGG-19 for CIFAR-10",
        year: 2014,
        shipped: false,
        build: vgg::cifar,
    },
    Variant {
        name: "googlenet-digits",
        family: "GoogLeNet",
        title: "GoogLeNet for digits",
        year: 2014,
        shipped: true,
        build: googlenet::digits,
    },
    Variant {
        name: "googlenet",
        family: "GoogLeNet",
        title: "GoogLeNet",
        year: 2014,
        shipped: false,
        build: googlenet::original,
    },
    Variant {
        name: "googlenet-torchvision",
        family: "GoogLeNet",
        title: "GoogLeNet, torchvision",
        year: 2014,
        shipped: false,
        build: googlenet::torchvision,
    },
    Variant {
        name: "resnet-digits",
        family: "ResNet",
        title: "ResNet for digits",
        year: 2015,
        shipped: true,
        build: resnet::digits,
    },
    Variant {
        name: "resnet18",
        family: "ResNet",
        title: "ResNet-18",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::Basic, [2, 2, 2, 2]),
    },
    Variant {
        name: "resnet34",
        family: "ResNet",
        title: "ResNet-34",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::Basic, [3, 4, 6, 3]),
    },
    Variant {
        name: "resnet50",
        family: "ResNet",
        title: "ResNet-50",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::Bottleneck, [3, 4, 6, 3]),
    },
    Variant {
        name: "resnet101",
        family: "ResNet",
        title: "ResNet-101",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::Bottleneck, [3, 4, 23, 3]),
    },
    Variant {
        name: "resnet152",
        family: "ResNet",
        title: "ResNet-152",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::Bottleneck, [3, 8, 36, 3]),
    },
    Variant {
        name: "resnet50-v1",
        family: "ResNet",
        title: "ResNet-50, stride as in the paper",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::BottleneckV1, [3, 4, 6, 3]),
    },
    Variant {
        name: "resnet101-v1",
        family: "ResNet",
        title: "ResNet-101, stride as in the paper",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::BottleneckV1, [3, 4, 23, 3]),
    },
    Variant {
        name: "resnet152-v1",
        family: "ResNet",
        title: "ResNet-152, stride as in the paper",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::BottleneckV1, [3, 8, 36, 3]),
    },
    Variant {
        name: "plain18",
        family: "ResNet",
        title: "Plain-18",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::Plain, [2, 2, 2, 2]),
    },
    Variant {
        name: "plain34",
        family: "ResNet",
        title: "Plain-34",
        year: 2015,
        shipped: false,
        build: |v| resnet::imagenet(v, Block::Plain, [3, 4, 6, 3]),
    },
    Variant {
        name: "resnet20-cifar",
        family: "ResNet",
        title: "ResNet-20 for CIFAR-10",
        year: 2015,
        shipped: false,
        build: |v| resnet::cifar(v, Block::OptionA, 3),
    },
    Variant {
        name: "resnet32-cifar",
        family: "ResNet",
        title: "ResNet-32 for CIFAR-10",
        year: 2015,
        shipped: false,
        build: |v| resnet::cifar(v, Block::OptionA, 5),
    },
    Variant {
        name: "resnet44-cifar",
        family: "ResNet",
        title: "ResNet-44 for CIFAR-10",
        year: 2015,
        shipped: false,
        build: |v| resnet::cifar(v, Block::OptionA, 7),
    },
    Variant {
        name: "resnet56-cifar",
        family: "ResNet",
        title: "ResNet-56 for CIFAR-10",
        year: 2015,
        shipped: false,
        build: |v| resnet::cifar(v, Block::OptionA, 9),
    },
    Variant {
        name: "resnet110-cifar",
        family: "ResNet",
        title: "ResNet-110 for CIFAR-10",
        year: 2015,
        shipped: false,
        build: |v| resnet::cifar(v, Block::OptionA, 18),
    },
    Variant {
        name: "plain20-cifar",
        family: "ResNet",
        title: "Plain-20 for CIFAR-10",
        year: 2015,
        shipped: false,
        build: |v| resnet::cifar(v, Block::Plain, 3),
    },
    Variant {
        name: "plain56-cifar",
        family: "ResNet",
        title: "Plain-56 for CIFAR-10",
        year: 2015,
        shipped: false,
        build: |v| resnet::cifar(v, Block::Plain, 9),
    },
];

/// The variant of this name.
pub fn variant(name: &str) -> Option<&'static Variant> {
    VARIANTS.iter().find(|v| v.name == name)
}

static UNNAMED: Variant = Variant {
    name: "unnamed",
    family: "",
    title: "",
    year: 0,
    shipped: false,
    build: |variant| {
        let mut graph = Graph::new();
        let output = graph.input("input", crate::tensor::Shape::vector(1))?;
        Ok(Architecture { variant, ..Architecture::unnamed(graph, output, Loss::CrossEntropy) })
    },
};

impl Architecture {
    /// A graph that is no paper's network: a test's, or the page's own stack of layers.
    pub fn unnamed(graph: Graph, output: NodeId, loss: Loss) -> Self {
        Self {
            variant: &UNNAMED,
            graph,
            output,
            auxiliary: Vec::new(),
            loss,
            init: Init::He,
            normalisation: Normalisation::MeanStd,
            recipe: Recipe::DEFAULT,
            notes: &[],
        }
    }

    /// A classifier of grey 32×32 digits.
    fn digits(variant: &'static Variant, graph: Graph, output: NodeId) -> Self {
        Self { variant, ..Self::unnamed(graph, output, Loss::CrossEntropy) }
    }

    /// A classifier of ImageNet's photographs, with the recipe of its paper.
    fn photographs(variant: &'static Variant, graph: Graph, output: NodeId, recipe: Recipe) -> Self {
        let normalisation = Normalisation::Imagenet;
        Self { variant, normalisation, recipe, ..Self::unnamed(graph, output, Loss::CrossEntropy) }
    }

    /// A classifier of CIFAR-10's 32×32 pictures in colour, with He 2015's recipe.
    fn cifar(variant: &'static Variant, graph: Graph, output: NodeId) -> Self {
        let (normalisation, recipe) = (Normalisation::Cifar10, Recipe::CIFAR);
        Self { variant, normalisation, recipe, ..Self::unnamed(graph, output, Loss::CrossEntropy) }
    }

    /// The same network without dropout: for comparisons that need the same values twice.
    ///
    /// # Errors
    /// None: it has the shapes of this one.
    pub fn without_dropout(&self) -> Result<Self, GraphError> {
        let mut net = self.clone();
        net.graph = self.graph.map(|op| match op {
            crate::ops::Op::Dropout(_) => crate::ops::Dropout { p: 0.0 }.into(),
            other => other.clone(),
        })?;
        Ok(net)
    }

    /// The graph of one test case: its inputs, named `input0`…, and its op, named `op`.
    ///
    /// # Errors
    /// [`GraphError`] where the case's shapes do not fit its op.
    pub fn of_case(case: &crate::ops::Case) -> Result<Self, GraphError> {
        let mut graph = Graph::new();
        let mut inputs = Vec::new();
        for (i, &shape) in case.inputs.iter().enumerate() {
            inputs.push(graph.input(&format!("input{i}"), shape)?);
        }
        let output = graph.push("op", case.op.clone(), &inputs)?;
        Ok(Self::unnamed(graph, output, Loss::CrossEntropy))
    }

    /// Whether it reads what is drawn on the page: one grey channel; photographs otherwise.
    pub fn reads_digits(&self) -> bool {
        self.graph.nodes()[self.graph.source()].shape.c == 1
    }

    /// Nodes that inference does not need: those that only auxiliary heads read.
    pub fn inference_nodes(&self) -> Vec<bool> {
        let mut needed = vec![false; self.graph.nodes().len()];
        needed[self.output] = true;
        for (id, node) in self.graph.nodes().iter().enumerate().rev() {
            if needed[id] {
                node.inputs.iter().for_each(|&i| needed[i] = true);
            }
        }
        needed
    }

    /// The last layer whose maps have more than one place, pooling left out: where Grad-CAM is usually taken. The input where there is none.
    pub fn last_maps(&self) -> NodeId {
        let (nodes, needed) = (self.graph.nodes(), self.inference_nodes());
        let maps = |id: &NodeId| needed[*id] && nodes[*id].shape.map() > 1 && nodes[*id].op.kind() != Kind::Pooling;
        (0..=self.output).rev().find(maps).unwrap_or(self.graph.source())
    }

    /// Multiply-adds of a network up to which the page asks again and again what depends on what, as pictures and weights change.
    pub const LIVE: u64 = 50_000_000;

    /// Cost of the inference network.
    pub fn cost(&self) -> cost::Cost {
        let needed = self.inference_nodes();
        (0..needed.len()).filter(|&id| needed[id]).map(|id| cost::node(&self.graph, id)).sum()
    }

    /// Trained parameters that only training's auxiliary heads have.
    pub fn auxiliary_parameters(&self) -> usize {
        let needed = self.inference_nodes();
        (0..needed.len()).filter(|&id| !needed[id]).map(|id| cost::node(&self.graph, id).parameters).sum()
    }

    /// Starting weights, one tensor a parameter in the graph's order; the same seed gives the same weights.
    pub fn initial(&self, seed: u64) -> Vec<Vec<f32>> {
        use crate::ops::Role;
        self.graph
            .params()
            .iter()
            .map(|p| {
                // A stream of its own per tensor: adding a layer changes no other layer's weights.
                let mut rng = Rng::stream(seed, &p.name);
                let len = p.param.len();
                let mut data: Vec<f32> = match (&p.param.role, self.init) {
                    (Role::Factor(v) | Role::Running(v), _) => vec![*v; len],
                    (Role::Fixed(values), _) => values.clone(),
                    (Role::Weight { fan_in }, Init::Lecun) => {
                        let row = len / p.param.shape[0];
                        let taps = fan_in / p.param.shape[1].max(1);
                        (0..len)
                            .map(|i| {
                                // with a connection table each map has a fan-in of its own
                                let fan_in = p.param.table.as_ref().map_or(*fan_in, |t| t.0[i / row].len() * taps);
                                let bound = 2.4 / fan_in as f32;
                                rng.range(-bound, bound)
                            })
                            .collect()
                    }
                    (Role::Bias { fan_in }, Init::Lecun) => {
                        let bound = 2.4 / *fan_in as f32;
                        (0..len).map(|_| rng.range(-bound, bound)).collect()
                    }
                    (Role::Weight { fan_in }, Init::He) => {
                        let std = (2.0 / *fan_in as f64).sqrt() as f32;
                        (0..len).map(|_| rng.normal() * std).collect()
                    }
                    (Role::Bias { .. }, Init::He) => vec![0.0; len],
                };
                p.param.mask(&mut data);
                data
            })
            .collect()
    }
}
