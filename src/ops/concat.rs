//! Maps of several branches behind one another: how an inception module ends (Szegedy 2014, Figure 2).

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach};
use crate::linalg::Real;
use crate::tensor::{Shape, Unit};
use serde::{Deserialize, Serialize};

/// The inputs' maps in order; their heights and widths are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Concat;

/// Each input's first map in the output, and its shape.
fn parts(inputs: &[Shape]) -> impl Iterator<Item = (usize, Shape)> + '_ {
    inputs.iter().scan(0, |at, &shape| {
        let first = *at;
        *at += shape.c;
        Some((first, shape))
    })
}

impl Layer for Concat {
    fn name(&self) -> &'static str {
        "Concat"
    }
    fn kind(&self) -> Kind {
        Kind::Join
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        match inputs {
            [first, .., _] if inputs.iter().all(|s| (s.h, s.w) == (first.h, first.w)) => {
                Ok(Shape::new(inputs.iter().map(|s| s.c).sum(), first.h, first.w))
            }
            _ => Err(Mismatch::new("two or more inputs of one height and width", inputs)),
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
        for (i, (first, shape)) in parts(cx.inputs).enumerate() {
            let x = cx.input(i);
            for (x, y) in x.chunks_exact(shape.len()).zip(cx.out[0].chunks_exact_mut(cx.output.len())) {
                y[first * shape.map()..][..shape.len()].copy_from_slice(x);
            }
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(&mut cx.out[0]);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let upstream = cx.grad_output();
        for (i, (first, shape)) in parts(cx.inputs).enumerate() {
            let Some(grad) = cx.grad_input(i) else { continue };
            for (dx, dy) in cx.out[grad].chunks_exact_mut(shape.len()).zip(upstream.chunks_exact(cx.output.len())) {
                dx.copy_from_slice(&dy[first * shape.map()..][..shape.len()]);
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (inputs, total, activation) = (cx.inputs, cx.output.len(), cx.activation());
        for (i, (first, shape)) in parts(inputs).enumerate() {
            let len = cx.batch * shape.len();
            let sizes = [len, shape.len(), total, first * shape.map()];
            let kernel = |entry| Dispatch::new("concat", entry).uniform(&sizes).over(len);
            if let Some(upstream) = cx.bind.grad_output {
                if let Some(grad) = cx.grad_input(i) {
                    cx.push(kernel("backward").read(upstream).write(grad));
                }
            } else if let Some(y) = cx.bind.output {
                let x = cx.bind.inputs[i];
                cx.push(kernel("forward").constant("ACTIVATION", activation).read(x).write(y));
            }
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let part = parts(ask.shapes).enumerate().find(|(_, (first, s))| ask.unit.c < first + s.c);
        let terms: Vec<_> =
            part.map(|(i, (first, _))| ask.of(i, Unit { c: ask.unit.c - first, ..ask.unit })).into_iter().collect();
        let value = terms.first().map_or(f32::NAN, |t| t.result);
        Explanation { rule: Rule::Copy, terms, steps: steps(&[("value", value)]) }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("two", Self, &[Shape::new(3, 5, 7), Shape::new(2, 5, 7)], 2),
            Case::new("four", Self, &[4, 1, 3, 2].map(|c| Shape::new(c, 3, 5)), 3),
        ]
    }
}
