//! What is known of a network before it computes anything, as the command line and `window.receptive` print it.

use crate::arch::Architecture;
use crate::graph::{cost, receptive_field};
use crate::ops::Layer;
use crate::tensor::Shape;
use serde::Serialize;

/// Facts of a network.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Facts {
    /// Its name.
    pub variant: &'static str,
    /// The family's title.
    pub title: &'static str,
    /// Of the paper.
    pub year: u16,
    /// c×h×w.
    pub input: Shape,
    /// Trained parameters of the inference network.
    pub parameters: usize,
    /// Those that only training's auxiliary heads have.
    pub auxiliary_parameters: usize,
    /// Multiply-adds per image: convolution and linear layers.
    pub macs: u64,
    /// Keys of notes on where paper and common practice differ.
    pub notes: &'static [&'static str],
    /// Every node.
    pub layers: Vec<LayerFacts>,
}

/// Facts of one node.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LayerFacts {
    /// Its name.
    pub name: String,
    /// PyTorch's word.
    pub op: &'static str,
    /// The paper's unit.
    pub group: String,
    /// Names of its inputs.
    pub inputs: Vec<String>,
    /// c×h×w of its output.
    pub shape: Shape,
    /// Trained parameters.
    pub parameters: usize,
    /// Multiply-adds per image.
    pub macs: u64,
    /// In input pixels.
    pub receptive_field: FieldFacts,
}

/// A receptive field (of height and width alike; of the height where they differ).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct FieldFacts {
    /// Pixels seen.
    pub size: usize,
    /// Pixels between neighbouring units.
    pub jump: usize,
    /// First pixel that unit 0 sees; negative in padding.
    pub start: isize,
}

/// The facts of a network.
pub fn facts(net: &Architecture) -> Facts {
    let fields = receptive_field::fields(&net.graph);
    let total = net.cost();
    let nodes = net.graph.nodes();
    let layers = nodes.iter().enumerate().map(|(id, node)| {
        let cost = cost::node(&net.graph, id);
        let field = fields[id].y;
        LayerFacts {
            name: node.name.clone(),
            op: node.op.name(),
            group: node.group.clone(),
            inputs: node.inputs.iter().map(|&i| nodes[i].name.clone()).collect(),
            shape: node.shape,
            parameters: cost.parameters,
            macs: cost.macs,
            receptive_field: FieldFacts { size: field.size(), jump: field.jump as usize, start: field.first },
        }
    });
    Facts {
        variant: net.variant.name,
        title: net.variant.title,
        year: net.variant.year,
        input: nodes[net.graph.source()].shape,
        parameters: total.parameters,
        auxiliary_parameters: net.auxiliary_parameters(),
        macs: total.macs,
        notes: net.notes,
        layers: layers.collect(),
    }
}
