//! Fully connected layer: y = W·x + b over all elements of the input.

use super::explain::{Ask, Explanation, weighted_sum};
use super::lower::{Slot, pieces};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, Role, one};
use crate::linalg::{Mat, Real, add_into, gemm};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Weight: out_features × in_features; takes maps as the vector of all their elements, row-major.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Linear {
    /// Outputs.
    pub out_features: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Linear {
    /// With bias.
    pub const fn new(out_features: usize) -> Self {
        Self { out_features, bias: true }
    }
}

impl Layer for Linear {
    fn name(&self) -> &'static str {
        "Linear"
    }
    fn kind(&self) -> Kind {
        Kind::Linear
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut out = vec![("out_features", self.out_features.to_string())];
        if !self.bias {
            out.push(("bias", "False".into()));
        }
        out
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        let input = one(inputs)?;
        if self.out_features == 0 || input.is_empty() {
            return Err(Mismatch::new("at least one feature in and out", inputs));
        }
        Ok(Shape::vector(self.out_features))
    }
    fn params(&self, inputs: &[Shape]) -> Vec<Param> {
        let fan_in = inputs[0].len();
        let weight = Param {
            name: "weight",
            shape: vec![self.out_features, fan_in],
            role: Role::Weight { fan_in },
            table: None,
        };
        let mut out = vec![weight];
        if self.bias {
            out.push(Param { name: "bias", shape: vec![self.out_features], role: Role::Bias { fan_in }, table: None });
        }
        out
    }
    fn macs(&self, inputs: &[Shape], _: Shape) -> u64 {
        inputs[0].len() as u64 * self.out_features as u64
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::All
    }
    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (k, n) = (cx.inputs[0].len(), self.out_features);
        let (x, weight) = (cx.input(0), cx.param(0));
        let bias = self.bias.then(|| cx.param(1));
        let y = &mut cx.out[0];
        if let Some(bias) = bias {
            for y in y.chunks_exact_mut(n) {
                y.copy_from_slice(bias);
            }
        }
        gemm(cx.batch, n, k, Mat::new(x, k), Mat::new(weight, k).t(), y, n, bias.is_some(), cx.packing);
        if let Some(activation) = cx.bind.activation {
            activation.apply(y);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (k, n) = (cx.inputs[0].len(), self.out_features);
        let (x, weight, upstream) = (cx.input(0), cx.param(0), cx.grad_output());
        if let Some(i) = cx.grad_param(0) {
            gemm(n, k, cx.batch, Mat::new(upstream, n).t(), Mat::new(x, k), &mut cx.out[i], k, false, cx.packing);
        }
        if self.bias
            && let Some(i) = cx.grad_param(1)
        {
            let grad = &mut cx.out[i];
            grad.fill(T::ZERO);
            for dy in upstream.chunks_exact(n) {
                add_into(dy, grad);
            }
        }
        if let Some(i) = cx.grad_input(0) {
            gemm(cx.batch, k, n, Mat::new(upstream, n), Mat::new(weight, k), &mut cx.out[i], k, false, cx.packing);
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (batch, k, n) = (cx.batch, cx.inputs[0].len(), self.out_features);
        // result[i][j] = Σ a·b over rows × columns × terms, with the strides of a and of b; columns from `first` of `of` in all
        let product =
            |entry, [rows, columns, terms]: [usize; 3], strides: [usize; 4], [first, of]: [usize; 2], activation| {
                let tiles = rows.div_ceil(8) * columns.div_ceil(8);
                Dispatch::new("linear", entry)
                    .constant("ACTIVATION", activation)
                    .uniform(&[rows, columns, terms])
                    .uniform(&strides)
                    .uniform(&[of, first])
                    .over(tiles)
            };
        let (x, weight) = (cx.bind.inputs[0], cx.bind.params[0]);
        let Some(upstream) = cx.bind.grad_output else {
            let Some(y) = cx.bind.output else { return };
            // One image or a few leave a tile's rows empty.
            let thin = batch <= 4 && k.is_multiple_of(4) && k >= 256;
            let bias = cx.bind.params.get(1).copied();
            let entry = match (thin, bias.is_some()) {
                (true, true) => "thin_bias",
                (true, false) => "thin",
                (false, true) => "product_bias",
                (false, false) => "product",
            };
            let pieces = pieces(n * k, cx.limit);
            // A weight that is not bound as a whole is bound by rows.
            let pieces = if n.is_multiple_of(pieces) { pieces } else { 1 };
            for piece in 0..pieces {
                let columns = n / pieces;
                let sizes = [batch, columns, k];
                let mut kernel = product(entry, sizes, [k, 1, 1, k], [piece * columns, n], cx.activation());
                if thin {
                    kernel = kernel.groups(batch * columns.div_ceil(8));
                }
                let weight = if pieces > 1 { Slot::Piece(weight, piece) } else { weight.into() };
                let kernel = kernel.read(x).read(weight);
                cx.push(match bias {
                    Some(bias) => kernel.read(bias).write(y),
                    None => kernel.write(y),
                });
            }
            return;
        };
        if let Some(grad) = cx.grad_param(0) {
            cx.push(product("product", [n, k, batch], [1, n, k, 1], [0, k], 0).read(upstream).read(x).write(grad));
        }
        if let Some(grad) = cx.grad_param(1) {
            let sizes = [batch, n, 0, 0, 0, 0, 0, 0, 0];
            cx.push(Dispatch::new("linear", "backward_bias").uniform(&sizes).read(upstream).write(grad).over(n));
        }
        if let Some(grad) = cx.grad_input(0) {
            cx.push(product("product", [batch, k, n], [n, 1, k, 1], [0, k], 0).read(upstream).read(weight).write(grad));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let features = ask.shapes[0].len();
        let mut weights = &ask.params[0][ask.unit.c * features..][..features];
        let mut terms = ask.whole();
        for term in &mut terms {
            let (own, rest) = weights.split_at(term.values.len());
            *term = std::mem::take(term).weighted(own);
            weights = rest;
        }
        weighted_sum(terms, self.bias.then(|| ask.params[1][ask.unit.c]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("from maps", Self::new(11), &[Shape::new(3, 4, 5)], 3),
            Case::new("no bias", Self { out_features: 5, bias: false }, &[Shape::vector(37)], 2),
            Case::new("wide", Self::new(70), &[Shape::vector(130)], 5),
            Case::new("long, a few images", Self::new(13), &[Shape::vector(532)], 3),
            Case::new("long, two images, no bias", Self { out_features: 9, bias: false }, &[Shape::new(4, 8, 8)], 2),
        ]
    }
}
