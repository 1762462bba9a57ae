//! Maps to one vector. Moves nothing: the plan gives input and output the same memory.

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Kind, Layer, Linear, Lower, Mismatch, Param, Pass, Reach, one};
use crate::linalg::Real;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// c×h×w to (c·h·w)×1×1, row-major, as PyTorch's `Flatten`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Flatten;

impl Layer for Flatten {
    fn name(&self) -> &'static str {
        "Flatten"
    }
    fn kind(&self) -> Kind {
        Kind::Shape
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        one(inputs).map(|s| Shape::vector(s.len()))
    }
    fn params(&self, _: &[Shape]) -> Vec<Param> {
        Vec::new()
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::Flatten
    }
    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }
    fn forward<T: Real>(&self, _: &mut Pass<'_, T>) {}
    fn backward<T: Real>(&self, _: &mut Pass<'_, T>) {}
    fn lower(&self, _: &mut Lower<'_>) {}

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let term = ask.single(ask.shapes[0].unit(ask.output.index(ask.unit)));
        Explanation { rule: Rule::Copy, steps: steps(&[("value", term.result)]), terms: vec![term] }
    }

    fn cases() -> Vec<Case> {
        // Nothing of its own runs; a linear layer after it is what there is to see (see `tests/gradients.rs` for the chain).
        vec![Case::new("linear on a vector", Linear::new(3), &[Shape::vector(7)], 2)]
    }
}
