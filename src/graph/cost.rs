//! What a network costs: parameters, multiply-adds, memory. A fold over the graph.

use super::{Graph, NodeId};
use crate::ops::Layer;

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
