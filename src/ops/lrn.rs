//! Local response normalisation across neighbouring maps (Krizhevsky 2012, §3.3).

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, one};
use crate::linalg::Real;
use crate::tensor::{Shape, Unit};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// y = x/d^β with d = k + α/size·Σ x² over `size` neighbouring maps at the same position. As PyTorch has it: α is divided by
/// the size, which the paper's formula does not do.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct LocalResponseNorm {
    /// Maps in the sum.
    pub size: usize,
    /// Weight of the mean square.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// What d is without any response.
    pub k: f32,
}

impl LocalResponseNorm {
    /// The maps that map `c`'s sum takes: size/2 before it, (size − 1)/2 after it, as far as there are any.
    fn window(&self, c: usize, channels: usize) -> Range<usize> {
        c.saturating_sub(self.size / 2)..(c + (self.size - 1) / 2 + 1).min(channels)
    }

    /// The maps whose sums take map `c`: the window mirrored.
    fn mirrored(&self, c: usize, channels: usize) -> Range<usize> {
        c.saturating_sub((self.size - 1) / 2)..(c + self.size / 2 + 1).min(channels)
    }

    /// d^−β; two square roots where β is the papers' 0.75.
    fn power<T: Real>(&self, d: T) -> T {
        if self.beta == 0.75 {
            let root = d.sqrt();
            return T::ONE / (root * root.sqrt());
        }
        d.powf(T::from_f32(-self.beta))
    }

    /// d of every unit of one image.
    fn denominators<T: Real>(&self, x: &[T], shape: Shape, d: &mut [T]) {
        let weight = T::from_f64(f64::from(self.alpha) / self.size as f64);
        for (c, d) in d.chunks_exact_mut(shape.map()).enumerate() {
            d.fill(T::ZERO);
            for j in self.window(c, shape.c) {
                for (d, &x) in d.iter_mut().zip(&x[j * shape.map()..][..shape.map()]) {
                    *d += x * x;
                }
            }
            for d in d {
                *d = T::from_f32(self.k) + weight * *d;
            }
        }
    }
}

impl Layer for LocalResponseNorm {
    fn name(&self) -> &'static str {
        "LocalResponseNorm"
    }
    fn kind(&self) -> Kind {
        Kind::Normalisation
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut out = vec![("size", self.size.to_string())];
        for (name, value, usual) in [("alpha", self.alpha, 1e-4), ("beta", self.beta, 0.75), ("k", self.k, 1.0)] {
            if value != usual {
                out.push((name, value.to_string()));
            }
        }
        out
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        match self.size {
            0 => Err(Mismatch::new("a size of at least 1", inputs)),
            _ => one(inputs),
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
    /// d of every unit.
    fn saved(&self, _: &[Shape], output: Shape) -> usize {
        output.len()
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let shape = cx.output;
        let x = cx.input(0);
        let saves = cx.saves();
        let [own] = cx.scratch.take([shape.len()]);
        let (y, saved) = cx.out.split_at_mut(1);
        for (b, (x, y)) in x.chunks_exact(shape.len()).zip(y[0].chunks_exact_mut(shape.len())).enumerate() {
            let d = if saves { &mut saved[0][b * shape.len()..(b + 1) * shape.len()] } else { &mut own[..] };
            self.denominators(x, shape, d);
            for ((y, &x), &d) in y.iter_mut().zip(x).zip(&*d) {
                *y = x * self.power(d);
            }
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(&mut cx.out[0]);
        }
    }

    /// dx = dy·d^−β − 2αβ/n·x·Σ dy·x·d^(−β−1), the sum over the maps whose windows hold this one.
    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let Some(i) = cx.grad_input(0) else { return };
        let (shape, map) = (cx.output, cx.output.map());
        let (x, d, upstream) = (cx.input(0), cx.saved(), cx.grad_output());
        let factor = T::from_f64(2.0 * f64::from(self.alpha) * f64::from(self.beta) / self.size as f64);
        let [t] = cx.scratch.take([shape.len()]);
        for (b, dx) in cx.out[i].chunks_exact_mut(shape.len()).enumerate() {
            let image = b * shape.len()..(b + 1) * shape.len();
            let (x, d, dy) = (&x[image.clone()], &d[image.clone()], &upstream[image]);
            for ((dx, t), ((&x, &d), &dy)) in dx.iter_mut().zip(&mut *t).zip(x.iter().zip(d).zip(dy)) {
                *dx = dy * self.power(d);
                *t = *dx * x / d;
            }
            for (c, (dx, x)) in dx.chunks_exact_mut(map).zip(x.chunks_exact(map)).enumerate() {
                for j in self.mirrored(c, shape.c) {
                    for ((dx, &x), &t) in dx.iter_mut().zip(x).zip(&t[j * map..][..map]) {
                        *dx -= factor * x * t;
                    }
                }
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (shape, len) = (cx.output, cx.batch * cx.output.len());
        let activation = cx.activation();
        let kernel = |entry| {
            let sizes = [len, shape.c, shape.map(), self.size / 2, (self.size - 1) / 2];
            let kernel = Dispatch::new("lrn", entry).uniform(&sizes).float(self.alpha / self.size as f32);
            kernel.float(self.beta).float(self.k).over(len)
        };
        let x = cx.bind.inputs[0];
        if let Some(upstream) = cx.bind.grad_output {
            if let (Some(grad), Some(d)) = (cx.grad_input(0), cx.bind.saved) {
                cx.push(kernel("backward").read(x).read(d).read(upstream).write(grad));
            }
        } else if let Some(y) = cx.bind.output {
            let kernel = |entry| kernel(entry).constant("ACTIVATION", activation).read(x).write(y);
            cx.push(match cx.bind.saved {
                Some(d) => kernel("forward_keep").write(d),
                None => kernel("forward"),
            });
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let (unit, own) = (ask.unit, ask.single(ask.unit));
        let terms: Vec<_> = self
            .window(unit.c, ask.shapes[0].c)
            .map(|c| {
                let mut term = ask.single(Unit { c, ..unit });
                term.mark = (c == unit.c).then_some(0);
                term.result *= term.result;
                term
            })
            .collect();
        let sum: f32 = terms.iter().map(|t| t.result).sum();
        let d = self.k + self.alpha / self.size as f32 * sum;
        let named = [
            ("input", own.result),
            ("sum", sum),
            ("denominator", d),
            ("k", self.k),
            ("size", self.size as f32),
            ("alpha", self.alpha / self.size as f32),
            ("beta", self.beta),
            ("value", own.result * self.power(d)),
        ];
        Explanation { rule: Rule::LocalResponse, terms, steps: steps(&named) }
    }

    fn cases() -> Vec<Case> {
        // Larger α than the papers', so that the second term of the gradient counts.
        let of = |size, beta, k| Self { size, alpha: 0.6, beta, k };
        vec![
            Case::new("five maps", of(5, 0.75, 2.0), &[Shape::new(8, 3, 5)], 2),
            Case::new("more than there are", of(5, 0.75, 1.0), &[Shape::new(3, 4, 3)], 3),
            Case::new("an even number", of(4, 0.5, 1.5), &[Shape::new(7, 2, 3)], 2),
        ]
    }
}
