//! A network in a line: the figures by which variants are compared. Folds over its graph, and what was published. Knows no page.

use super::published::Task;
use super::{Architecture, Variant};
use crate::graph::{cost, receptive_field};
use crate::tensor::Shape;

/// A network in a line.
#[derive(Clone, PartialEq, Debug)]
pub struct Summary {
    /// Which.
    pub variant: &'static Variant,
    /// c×h×w.
    pub input: Shape,
    /// Trained parameters of the inference network.
    pub parameters: usize,
    /// Multiply-adds per image: convolution and linear layers.
    pub macs: u64,
    /// Layers with weights on the longest path ([`cost::depth`]).
    pub depth: usize,
    /// Input pixels on a side that a unit of the last map of more than one pixel sees; before pooling and linear layers see all.
    pub field: usize,
}

impl Architecture {
    /// Its line.
    pub fn summary(&self) -> Summary {
        let (cost, needed) = (self.cost(), self.inference_nodes());
        let nodes = self.graph.nodes();
        let fields = receptive_field::fields(&self.graph);
        let last = (0..nodes.len()).rev().find(|&id| needed[id] && nodes[id].shape.map() > 1);
        Summary {
            variant: self.variant,
            input: nodes[self.graph.source()].shape,
            parameters: cost.parameters,
            macs: cost.macs,
            depth: cost::depth(&self.graph, 0..=self.output),
            field: last.map_or(1, |id| fields[id].y.size()),
        }
    }
}

/// A figure by which they are compared: a column of the table, an axis of the plot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Measure {
    /// Of the paper.
    Year,
    /// Trained parameters.
    Parameters,
    /// Multiply-adds.
    Macs,
    /// Weight layers on the longest path.
    Depth,
    /// Pixels that the last map sees.
    Field,
    /// A published error.
    Error(Task),
}

impl Measure {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Year,
        Self::Parameters,
        Self::Macs,
        Self::Depth,
        Self::Field,
        Self::Error(Task::Top1),
        Self::Error(Task::Top5),
        Self::Error(Task::Cifar10),
        Self::Error(Task::Mnist),
    ];

    /// Name in the page's address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Parameters => "parameters",
            Self::Macs => "macs",
            Self::Depth => "depth",
            Self::Field => "field",
            Self::Error(Task::Top1) => "top1",
            Self::Error(Task::Top5) => "top5",
            Self::Error(Task::Cifar10) => "cifar10",
            Self::Error(Task::Mnist) => "mnist",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }

    /// Whether it spans powers of ten.
    pub fn logarithmic(self) -> bool {
        matches!(self, Self::Parameters | Self::Macs | Self::Depth | Self::Field)
    }

    /// The figure of a network; of several published errors the first. `None`: nothing was published.
    pub fn of(self, s: &Summary) -> Option<f64> {
        Some(match self {
            Self::Year => f64::from(s.variant.year),
            Self::Parameters => s.parameters as f64,
            Self::Macs => s.macs as f64,
            Self::Depth => s.depth as f64,
            Self::Field => s.field as f64,
            Self::Error(task) => s.variant.published().find(|r| r.task == task)?.percent,
        })
    }
}

/// Sorts lines by a figure; those without it stay last either way, and equal ones as they were.
pub fn sort(lines: &mut [Summary], by: Measure, descending: bool) {
    lines.sort_by(|a, b| match (by.of(a), by.of(b)) {
        (Some(a), Some(b)) if descending => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
}
