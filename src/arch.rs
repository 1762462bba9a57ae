//! The networks: one file a family under `arch/`, one registry line a variant. Knows graphs; knows no plan, device or page.

use crate::data::input::Normalisation;
use crate::graph::{Graph, GraphError, NodeId, cost};
use crate::ops::Loss;
use crate::rng::Rng;

mod lenet5;
mod recipe;

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
    /// The family's title, as a reader knows it.
    pub title: &'static str,
    /// The year of the paper.
    pub year: u16,
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
    Variant { name: "lenet5", title: "LeNet-5", year: 1998, build: lenet5::original },
    Variant { name: "lenet5-modern", title: "LeNet-5, modern", year: 1998, build: lenet5::modern },
];

/// The variant of this name.
pub fn variant(name: &str) -> Option<&'static Variant> {
    VARIANTS.iter().find(|v| v.name == name)
}

static UNNAMED: Variant = Variant {
    name: "unnamed",
    title: "",
    year: 0,
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
