//! LeNet-5's trainable subsampling (LeCun 1998, §II.B): the sum of a 2×2 window, times a coefficient, plus a bias, a pair per map.

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, Role, Window, one};
use crate::linalg::{Real, dot, sum};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// y = coefficient[c]·Σ window + bias[c]; windows do not overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subsample {
    /// Side of the window and stride; 2 in LeNet-5.
    pub size: usize,
}

impl Subsample {
    fn window(self) -> Window {
        Window::square(self.size).stride(self.size)
    }

    /// The window sums of one map.
    fn sums<T: Real>(self, map: &[T], input: Shape, output: Shape, sums: &mut [T]) {
        for (out, rows) in sums.chunks_exact_mut(output.w).zip(map.chunks_exact(self.size * input.w)) {
            if self.size == 2 {
                // LeNet's: written out, so that it vectorises.
                let (upper, lower) = rows.split_at(input.w);
                for ((out, [a, b]), [c, d]) in out.iter_mut().zip(upper.as_chunks().0).zip(lower.as_chunks().0) {
                    *out = *a + *b + *c + *d;
                }
                continue;
            }
            out.fill(T::ZERO);
            for row in rows.chunks_exact(input.w) {
                for (out, row) in out.iter_mut().zip(row.chunks_exact(self.size)) {
                    for &v in row {
                        *out += v;
                    }
                }
            }
        }
    }

    /// The sums' gradient, spread over the windows; rows and columns that no window covers get zero.
    fn spread<T: Real>(self, upstream: &[T], factor: T, input: Shape, output: Shape, map: &mut [T]) {
        map[output.h * self.size * input.w..].fill(T::ZERO);
        for (dy, rows) in upstream.chunks_exact(output.w).zip(map.chunks_exact_mut(self.size * input.w)) {
            for row in rows.chunks_exact_mut(input.w) {
                if self.size == 2 {
                    for (dx, &dy) in row.as_chunks_mut().0.iter_mut().zip(dy) {
                        *dx = [dy * factor; 2];
                    }
                } else {
                    for (dx, &dy) in row.chunks_exact_mut(self.size).zip(dy) {
                        dx.fill(dy * factor);
                    }
                }
                row[output.w * self.size..].fill(T::ZERO);
            }
        }
    }
}

impl Layer for Subsample {
    fn name(&self) -> &'static str {
        "Subsample"
    }
    fn kind(&self) -> Kind {
        Kind::Pooling
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("kernel_size", self.size.to_string()), ("trainable", "True".into())]
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        let input = one(inputs)?;
        let [h, w] = self.window().output(input)?;
        Ok(Shape::new(input.c, h, w))
    }
    fn params(&self, inputs: &[Shape]) -> Vec<Param> {
        let (shape, fan_in) = (vec![inputs[0].c], self.size * self.size);
        // The coefficient starts at 1/fan_in: the window's mean, which is what the layer learns to bend.
        let factor = Role::Factor(1.0 / fan_in as f32);
        vec![
            Param { name: "coefficient", shape: shape.clone(), role: factor, table: None },
            Param { name: "bias", shape, role: Role::Bias { fan_in }, table: None },
        ]
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::Window(self.window())
    }
    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (input, output) = (cx.inputs[0], cx.output);
        let (x, coefficient, bias) = (cx.input(0), cx.param(0), cx.param(1));
        let y = &mut cx.out[0];
        for (o, (map, y)) in x.chunks_exact(input.map()).zip(y.chunks_exact_mut(output.map())).enumerate() {
            self.sums(map, input, output, y);
            let (coefficient, bias) = (coefficient[o % output.c], bias[o % output.c]);
            for y in y {
                *y = coefficient * *y + bias;
            }
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(y);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (input, output) = (cx.inputs[0], cx.output);
        let (x, coefficient, upstream) = (cx.input(0), cx.param(0), cx.grad_output());
        if let Some(i) = cx.grad_param(0) {
            let grad = &mut cx.out[i];
            grad.fill(T::ZERO);
            let [sums] = cx.scratch.take([output.map()]);
            for (o, (map, dy)) in x.chunks_exact(input.map()).zip(upstream.chunks_exact(output.map())).enumerate() {
                self.sums(map, input, output, sums);
                grad[o % output.c] += dot(sums, dy);
            }
        }
        if let Some(i) = cx.grad_param(1) {
            let grad = &mut cx.out[i];
            grad.fill(T::ZERO);
            for (o, dy) in upstream.chunks_exact(output.map()).enumerate() {
                grad[o % output.c] += sum(dy);
            }
        }
        if let Some(i) = cx.grad_input(0) {
            let grad = &mut cx.out[i];
            let maps = grad.chunks_exact_mut(input.map()).zip(upstream.chunks_exact(output.map()));
            for (o, (dx, dy)) in maps.enumerate() {
                self.spread(dy, coefficient[o % output.c], input, output, dx);
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (input, output, batch) = (cx.inputs[0], cx.output, cx.batch);
        let splits = super::lower::splits((batch * output.map()).div_ceil(32), output.c, 2 * output.c);
        let kernel = |entry, len: usize, activation| {
            let sizes = [len, batch, input.c, input.h, input.w, output.h, output.w, self.size, splits];
            Dispatch::new("subsample", entry).constant("ACTIVATION", activation).uniform(&sizes)
        };
        let (x, coefficient, bias) = (cx.bind.inputs[0], cx.bind.params[0], cx.bind.params[1]);
        let Some(upstream) = cx.bind.grad_output else {
            let Some(y) = cx.bind.output else { return };
            let len = batch * output.len();
            let kernel = kernel("forward", len, cx.activation());
            cx.push(kernel.read(x).read(coefficient).read(bias).write(y).over(len));
            return;
        };
        if let (Some(grad), Some(grad_bias)) = (cx.grad_param(0), cx.grad_param(1)) {
            let parts = cx.workspace(0, splits * input.c * 2);
            let kernel = kernel("backward_weight", 0, 0).read(x).read(upstream).write(parts);
            cx.push(kernel.over(splits * input.c));
            cx.push(super::lower::sum(parts, [splits, input.c, 1], grad, Some(grad_bias)));
        }
        if let Some(grad) = cx.grad_input(0) {
            let len = batch * input.len();
            cx.push(kernel("backward_input", len, 0).read(upstream).read(coefficient).write(grad).over(len));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let c = ask.unit.c;
        let term = ask.patch(c, &self.window()).summed();
        let (sum, coefficient, bias) = (term.result, ask.params[0][c], ask.params[1][c]);
        let product = coefficient * sum;
        let named = [
            ("sum", sum),
            ("coefficient", coefficient),
            ("product", product),
            ("bias", bias),
            ("value", product + bias),
        ];
        Explanation { rule: Rule::ScaledSum, terms: vec![term], steps: steps(&named) }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("2×2", Self { size: 2 }, &[Shape::new(3, 6, 8)], 2),
            Case::new("a row and column left over", Self { size: 2 }, &[Shape::new(2, 5, 7)], 3),
            Case::new("3×3", Self { size: 3 }, &[Shape::new(2, 7, 6)], 2),
        ]
    }
}
