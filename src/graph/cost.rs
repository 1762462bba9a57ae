//! What a network costs: parameters, multiply-adds, memory. A fold over the graph.

use super::{Graph, NodeId};
use crate::ops::{Kind, Layer};

/// Cost of one node, or of several added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// Trained parameters (a weight with a connection table counts its connections only).
    pub parameters: usize,
    /// Multiply-adds per image in inference: convolution and linear layers.
    pub macs: u64,
    /// Units of the output, per image.
    pub activations: usize,
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |a, b| Self {
            parameters: a.parameters + b.parameters,
            macs: a.macs + b.macs,
            activations: a.activations + b.activations,
        })
    }
}

/// Cost of one node.
pub fn node(graph: &Graph, id: NodeId) -> Cost {
    let n = &graph.nodes()[id];
    let trained = graph.params()[graph.params_of(id)].iter().filter(|p| p.param.trained());
    Cost {
        parameters: trained.map(|p| p.param.live()).sum(),
        macs: n.op.macs(&graph.input_shapes(id), n.shape),
        activations: n.shape.len(),
    }
}

/// Depth as papers count it: layers with weights on the longest path through these nodes (ascending) to the last of them; of a network,
/// all up to its output. A batch norm is no layer of its own, and a shortcut's projection lies on the shorter way.
pub fn depth(graph: &Graph, through: impl IntoIterator<Item = NodeId>) -> usize {
    let nodes = graph.nodes();
    let (mut depths, mut last) = (vec![0; nodes.len()], 0);
    for id in through {
        let before = nodes[id].inputs.iter().map(|&i| depths[i]).max().unwrap_or(0);
        let weighs = !graph.params_of(id).is_empty() && nodes[id].op.kind() != Kind::Normalisation;
        depths[id] = before + usize::from(weighs);
        last = depths[id];
    }
    last
}
