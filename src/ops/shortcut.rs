//! The shortcut without parameters where a residual network changes size: option A of He 2015, §3.3 (and §4.2, CIFAR-10).

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, Window, one};
use crate::linalg::Real;
use crate::tensor::{Shape, Unit};
use serde::{Deserialize, Serialize};

/// Every `stride`-th pixel of the input's maps, then maps of zeros up to `out_channels`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shortcut {
    /// Maps of the output; at least the input's.
    pub out_channels: usize,
    /// Pixels from one that is kept to the next.
    pub stride: usize,
}

impl Layer for Shortcut {
    fn name(&self) -> &'static str {
        "Shortcut"
    }
    fn kind(&self) -> Kind {
        Kind::Shape
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("out_channels", self.out_channels.to_string()), ("stride", self.stride.to_string())]
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        let input = one(inputs)?;
        if self.stride == 0 || input.c > self.out_channels {
            return Err(Mismatch::new(format!("at most {} maps", self.out_channels), inputs));
        }
        Ok(Shape::new(self.out_channels, input.h.div_ceil(self.stride), input.w.div_ceil(self.stride)))
    }
    fn params(&self, _: &[Shape]) -> Vec<Param> {
        Vec::new()
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::Window(Window::square(1).stride(self.stride))
    }
    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (input, output, stride) = (cx.inputs[0], cx.output, self.stride);
        let x = cx.input(0);
        let y = &mut cx.out[0];
        for (x, y) in x.chunks_exact(input.len()).zip(y.chunks_exact_mut(output.len())) {
            let (kept, zeros) = y.split_at_mut(input.c * output.map());
            zeros.fill(T::ZERO);
            for (x, y) in x.chunks_exact(input.map()).zip(kept.chunks_exact_mut(output.map())) {
                for (x, y) in x.chunks(stride * input.w).zip(y.chunks_exact_mut(output.w)) {
                    for (y, &x) in y.iter_mut().zip(x[..input.w].iter().step_by(stride)) {
                        *y = x;
                    }
                }
            }
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(y);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let Some(i) = cx.grad_input(0) else { return };
        let (input, output, stride) = (cx.inputs[0], cx.output, self.stride);
        let upstream = cx.grad_output();
        let grad = &mut cx.out[i];
        grad.fill(T::ZERO);
        for (dx, dy) in grad.chunks_exact_mut(input.len()).zip(upstream.chunks_exact(output.len())) {
            for (dx, dy) in dx.chunks_exact_mut(input.map()).zip(dy.chunks_exact(output.map())) {
                for (dx, dy) in dx.chunks_mut(stride * input.w).zip(dy.chunks_exact(output.w)) {
                    for (dx, &dy) in dx[..input.w].iter_mut().step_by(stride).zip(dy) {
                        *dx = dy;
                    }
                }
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (input, output, batch, activation) = (cx.inputs[0], cx.output, cx.batch, cx.activation());
        let kernel = |entry, len: usize| {
            let sizes = [len, input.c, input.h, input.w, output.c, output.h, output.w, self.stride];
            Dispatch::new("shortcut", entry).uniform(&sizes).over(len)
        };
        if let Some(upstream) = cx.bind.grad_output {
            if let Some(grad) = cx.grad_input(0) {
                cx.push(kernel("backward", batch * input.len()).read(upstream).write(grad));
            }
        } else if let Some(y) = cx.bind.output {
            let kernel = kernel("forward", batch * output.len()).constant("ACTIVATION", activation);
            cx.push(kernel.read(cx.bind.inputs[0]).write(y));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let (unit, stride) = (ask.unit, self.stride);
        let kept = unit.c < ask.shapes[0].c; // the others are zeros
        let from = Unit { c: unit.c, y: unit.y * stride, x: unit.x * stride };
        let terms: Vec<_> = kept.then(|| ask.of(0, from)).into_iter().collect();
        let value = terms.first().map_or(0.0, |t| t.result);
        Explanation { rule: Rule::Copy, terms, steps: steps(&[("value", value)]) }
    }

    fn cases() -> Vec<Case> {
        let to = |out_channels, stride| Self { out_channels, stride };
        vec![
            Case::new("twice the maps, half the size", to(6, 2), &[Shape::new(3, 8, 6)], 2),
            Case::new("odd size", to(5, 2), &[Shape::new(2, 7, 5)], 3),
            Case::new("more maps only", to(5, 1), &[Shape::new(2, 3, 4)], 2),
        ]
    }
}
