//! The network's input: a shape. Computes nothing; the caller writes its value.

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Kind, Layer, Lower, Mismatch, Param, Pass, Reach};
use crate::linalg::Real;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// An input of this shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Input(pub Shape);

impl Layer for Input {
    fn name(&self) -> &'static str {
        "Input"
    }
    fn kind(&self) -> Kind {
        Kind::Input
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        match inputs {
            [] if !self.0.is_empty() => Ok(self.0),
            [] => Err(Mismatch::new("at least one unit", &[self.0])),
            _ => Err(Mismatch::new("no input", inputs)),
        }
    }
    fn params(&self, _: &[Shape]) -> Vec<Param> {
        Vec::new()
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::Point
    }
    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }
    fn forward<T: Real>(&self, _: &mut Pass<'_, T>) {}
    fn backward<T: Real>(&self, _: &mut Pass<'_, T>) {}
    fn lower(&self, _: &mut Lower<'_>) {}

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let term = ask.single(ask.unit);
        Explanation { rule: Rule::Copy, steps: steps(&[("value", term.result)]), terms: vec![term] }
    }

    fn cases() -> Vec<Case> {
        Vec::new()
    }
}
