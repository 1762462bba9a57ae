//! LeNet-5's output (LeCun 1998, §II.B): Euclidean radial basis functions, the squared distance of F6 to a picture of each class.

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, Role, one};
use crate::linalg::Real;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// yᵢ = Σⱼ (xⱼ − wᵢⱼ)². The centres w (classes × features) are given by the architecture and not trained.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rbf {
    /// Classes.
    pub out_features: usize,
    /// Centres, row-major, one row a class.
    pub centres: Cow<'static, [f32]>,
}

impl Layer for Rbf {
    fn name(&self) -> &'static str {
        "Rbf"
    }
    fn kind(&self) -> Kind {
        Kind::Output
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("out_features", self.out_features.to_string()), ("trainable", "False".into())]
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        let input = one(inputs)?;
        if self.out_features == 0 || input.len() * self.out_features != self.centres.len() {
            let features = self.centres.len() / self.out_features.max(1);
            return Err(Mismatch::new(
                format!("{features} features, as its {} centres have", self.out_features),
                inputs,
            ));
        }
        Ok(Shape::vector(self.out_features))
    }
    fn params(&self, inputs: &[Shape]) -> Vec<Param> {
        let shape = vec![self.out_features, inputs[0].len()];
        vec![Param { name: "weight", shape, role: Role::Fixed(self.centres.to_vec()), table: None }]
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::All
    }
    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let features = cx.inputs[0].len();
        let (x, centres) = (cx.input(0), cx.param(0));
        let y = &mut cx.out[0];
        for (x, y) in x.chunks_exact(features).zip(y.chunks_exact_mut(self.out_features)) {
            for (y, w) in y.iter_mut().zip(centres.chunks_exact(features)) {
                *y = x.iter().zip(w).map(|(&x, &w)| (x - w) * (x - w)).sum();
            }
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(y);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let Some(i) = cx.grad_input(0) else { return };
        let features = cx.inputs[0].len();
        let (x, centres, upstream) = (cx.input(0), cx.param(0), cx.grad_output());
        let grad = &mut cx.out[i];
        grad.fill(T::ZERO);
        let images = x.chunks_exact(features).zip(upstream.chunks_exact(self.out_features));
        for (dx, (x, dy)) in grad.chunks_exact_mut(features).zip(images) {
            for (&dy, w) in dy.iter().zip(centres.chunks_exact(features)) {
                for ((dx, &x), &w) in dx.iter_mut().zip(x).zip(w) {
                    *dx += (dy + dy) * (x - w);
                }
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let features = cx.inputs[0].len();
        let activation = cx.activation();
        let sizes = [cx.batch, features, self.out_features];
        let kernel = |entry| Dispatch::new("rbf", entry).constant("ACTIVATION", activation).uniform(&sizes);
        let (x, centres) = (cx.bind.inputs[0], cx.bind.params[0]);
        if let Some(upstream) = cx.bind.grad_output {
            if let Some(grad) = cx.grad_input(0) {
                let kernel = kernel("backward_input").read(x).read(centres).read(upstream).write(grad);
                cx.push(kernel.over(cx.batch * features));
            }
        } else if let Some(y) = cx.bind.output {
            cx.push(kernel("forward").read(x).read(centres).write(y).over(cx.batch * self.out_features));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let features = ask.shapes[0].len();
        let mut centre = &ask.params[0][ask.unit.c * features..][..features];
        let mut terms = ask.whole();
        for term in &mut terms {
            let (own, rest) = centre.split_at(term.values.len());
            let square = |(x, w): (f32, &f32)| (f64::from(x) - f64::from(*w)).powi(2);
            term.result = term.values.iter().flatten().copied().zip(own).map(square).sum::<f64>() as f32;
            term.weights = own.to_vec();
            centre = rest;
        }
        let value = terms.iter().map(|t| f64::from(t.result)).sum::<f64>() as f32;
        Explanation { rule: Rule::SquaredDistance, terms, steps: steps(&[("value", value)]) }
    }

    fn cases() -> Vec<Case> {
        let centres = (0..3 * 14).map(|i| if i * 7 % 5 < 2 { 1.0 } else { -1.0 }).collect();
        vec![Case::new("three centres", Self { out_features: 3, centres }, &[Shape::vector(14)], 3)]
    }
}
