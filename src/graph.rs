//! A network as data: layers in topological order, declared once. Everything else about it is a fold in a file of its own
//! under `graph/`. Knows ops; knows no architecture, plan or device.

use crate::ops::{Input, Layer, Mismatch, Op, Param};
use crate::tensor::Shape;

pub mod cost;
pub mod describe;
pub mod layout;
pub mod receptive_field;
pub mod skips;
pub mod stack;

/// A node by position; inputs always point backwards.
pub type NodeId = usize;

/// One layer in its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Unique; parameters are called `name.weight` and so on.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Where its inputs come from; all smaller than its own id.
    pub inputs: Vec<NodeId>,
    /// Output shape.
    pub shape: Shape,
    /// The paper's unit it belongs to, outermost first, joined by `/` (`C1`, `layer2/layer2.0`); empty: none.
    pub group: String,
}

/// A parameter in its place.
#[derive(Clone, PartialEq, Debug)]
pub struct GraphParam {
    /// Full name, `node.param`.
    pub name: String,
    /// Whose it is.
    pub node: NodeId,
    /// Shape, role, connection table.
    pub param: Param,
}

/// Why a layer could not be added.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GraphError {
    /// Shapes do not fit.
    #[error("{node} ({op}): {mismatch}")]
    Shape {
        /// The node.
        node: String,
        /// Its op.
        op: &'static str,
        /// Expected and got.
        mismatch: Mismatch,
    },
    /// Two nodes of one name.
    #[error("{node}: there is a node of this name already")]
    Duplicate {
        /// The name.
        node: String,
    },
    /// An input that does not exist (yet).
    #[error("{node}: input {input} does not come before it")]
    Order {
        /// The node.
        node: String,
        /// The input it named.
        input: NodeId,
    },
}

/// An append-only list of nodes: in order it is the forward pass, reversed the backward pass.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    params: Vec<GraphParam>,
    group: Vec<String>,
}

impl Graph {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input of this shape.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn input(&mut self, name: &str, shape: Shape) -> Result<NodeId, GraphError> {
        self.push(name, Input(shape), &[])
    }

    /// Adds a layer on the given inputs; its shape is inferred, so a graph with a shape error cannot exist.
    ///
    /// # Errors
    /// [`GraphError`] where the name is taken, an input does not exist, or the shapes do not fit.
    pub fn push(&mut self, name: &str, op: impl Into<Op>, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        self.add(name, op.into(), inputs)
    }

    /// Compiled once, whatever was pushed.
    fn add(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let node = name.to_string();
        if self.nodes.iter().any(|n| n.name == name) {
            return Err(GraphError::Duplicate { node });
        }
        if let Some(&input) = inputs.iter().find(|&&i| i >= self.nodes.len()) {
            return Err(GraphError::Order { node, input });
        }
        let shapes: Vec<Shape> = inputs.iter().map(|&i| self.nodes[i].shape).collect();
        let id = self.nodes.len();
        let shape =
            op.shape(&shapes).map_err(|mismatch| GraphError::Shape { node: node.clone(), op: op.name(), mismatch })?;
        for param in op.params(&shapes) {
            self.params.push(GraphParam { name: format!("{name}.{}", param.name), node: id, param });
        }
        self.nodes.push(Node { name: node, op, inputs: inputs.to_vec(), shape, group: self.group.join("/") });
        Ok(id)
    }

    /// Nodes pushed inside `build` belong to this group (the paper's unit); groups nest.
    ///
    /// # Errors
    /// What `build` returns.
    pub fn group<R>(
        &mut self,
        name: &str,
        build: impl FnOnce(&mut Self) -> Result<R, GraphError>,
    ) -> Result<R, GraphError> {
        self.group.push(name.to_string());
        let result = build(self);
        self.group.pop();
        result
    }

    /// The same graph with each layer put through `change`.
    ///
    /// # Errors
    /// As [`Graph::push`], where a changed layer does not fit.
    pub fn map(&self, change: impl Fn(&Op) -> Op) -> Result<Self, GraphError> {
        let mut out = Self::new();
        for node in &self.nodes {
            out.group = vec![node.group.clone()];
            out.push(&node.name, change(&node.op), &node.inputs)?;
        }
        out.group.clear();
        Ok(out)
    }

    /// All nodes, in topological order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All parameters, in order of their nodes.
    pub fn params(&self) -> &[GraphParam] {
        &self.params
    }

    /// Positions in [`Graph::params`] of a node's parameters.
    pub fn params_of(&self, node: NodeId) -> std::ops::Range<usize> {
        let first = self.params.partition_point(|p| p.node < node);
        first..self.params.partition_point(|p| p.node <= node)
    }

    /// The node of this name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|n| n.name == name)
    }

    /// Input shapes of a node.
    pub fn input_shapes(&self, node: NodeId) -> Vec<Shape> {
        self.nodes[node].inputs.iter().map(|&i| self.nodes[i].shape).collect()
    }

    /// The nodes that read this node's value.
    pub fn consumers(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        (node + 1..self.nodes.len()).filter(move |&i| self.nodes[i].inputs.contains(&node))
    }

    /// The network's (first) input node.
    pub fn source(&self) -> NodeId {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Conv2d, Linear};

    #[test]
    fn a_graph_with_an_error_cannot_exist() {
        let mut g = Graph::new();
        let x = g.input("input", Shape::new(1, 4, 6)).unwrap();
        let error = g.push("c1", Conv2d::new(2, 5), &[x]).unwrap_err();
        assert_eq!(error.to_string(), "c1 (Conv2d): expected at least 5×5 after padding, got 1×4×6");
        assert_eq!(g.push("input", Linear::new(3), &[x]).unwrap_err(), GraphError::Duplicate { node: "input".into() });
        assert_eq!(g.push("f", Linear::new(3), &[7]).unwrap_err(), GraphError::Order { node: "f".into(), input: 7 });
        assert_eq!(g.nodes().len(), 1);
        assert!(g.params().is_empty());
    }

    #[test]
    fn groups_and_parameters_know_their_node() {
        let mut g = Graph::new();
        let x = g.input("input", Shape::new(1, 8, 8)).unwrap();
        let y = g.group("C1", |g| g.push("c1", Conv2d::new(2, 3), &[x])).unwrap();
        g.push("fc", Linear::new(3), &[y]).unwrap();
        assert_eq!((g.nodes()[1].group.as_str(), g.nodes()[2].group.as_str()), ("C1", ""));
        assert_eq!(g.params_of(1), 0..2);
        assert_eq!(g.params_of(2), 2..4);
        assert!(g.params_of(0).is_empty());
        assert_eq!(g.consumers(1).collect::<Vec<_>>(), [2]);
    }
}
