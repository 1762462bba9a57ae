//! The sum of branches: where a residual block's shortcut joins its main path (He 2015, eq. 1).

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach};
use crate::linalg::{Real, add_into};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// y = a + b; two inputs of one shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Add;

impl Layer for Add {
    fn name(&self) -> &'static str {
        "Add"
    }
    fn kind(&self) -> Kind {
        Kind::Join
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        match inputs {
            [a, b] if a == b => Ok(*a),
            _ => Err(Mismatch::new("two inputs of one shape", inputs)),
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

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (a, b) = (cx.input(0), cx.input(1));
        let y = &mut cx.out[0];
        y.copy_from_slice(a);
        add_into(b, y);
        if let Some(activation) = cx.bind.activation {
            activation.apply(y);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        for i in [cx.grad_input(0), cx.grad_input(1)].into_iter().flatten() {
            let upstream = cx.grad_output();
            cx.out[i].copy_from_slice(upstream);
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let vectors = (cx.batch * cx.output.len()).div_ceil(4);
        let activation = cx.activation();
        let kernel = |entry| Dispatch::new("add", entry).uniform(&[vectors]).over(vectors);
        if let Some(upstream) = cx.bind.grad_output {
            for grad in [cx.grad_input(0), cx.grad_input(1)].into_iter().flatten() {
                cx.push(kernel("backward").read(upstream).write(grad));
            }
        } else if let Some(y) = cx.bind.output {
            let (a, b) = (cx.bind.inputs[0], cx.bind.inputs[1]);
            cx.push(kernel("forward").constant("ACTIVATION", activation).read(a).read(b).write(y));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let terms: Vec<_> = (0..ask.inputs.len()).map(|input| ask.of(input, ask.unit)).collect();
        let value = terms.iter().map(|t| t.result).sum();
        Explanation { rule: Rule::Sum, terms, steps: steps(&[("value", value)]) }
    }

    fn cases() -> Vec<Case> {
        let shape = Shape::new(3, 5, 7);
        vec![Case::new("two branches", Self, &[shape, shape], 3)]
    }
}
