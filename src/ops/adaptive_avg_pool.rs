//! Average pooling to a given size, whatever the input's: global average pooling before the classifier of GoogLeNet and ResNet
//! (Lin 2013, "Network in Network"), and torchvision's auxiliary heads.

use super::explain::{Ask, Explanation, Rule, Term, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, one};
use crate::linalg::{Real, sum};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The mean of `output` windows a map, as PyTorch's `AdaptiveAvgPool2d` cuts them: window i of n over size s is
/// ⌊i·s/n⌋ … ⌈(i+1)·s/n⌉ − 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AdaptiveAvgPool2d {
    /// Height, width.
    pub output: [usize; 2],
}

impl AdaptiveAvgPool2d {
    /// The mean of each whole map.
    pub const GLOBAL: Self = Self { output: [1, 1] };
}

fn window(i: usize, outputs: usize, size: usize) -> Range<usize> {
    i * size / outputs..((i + 1) * size).div_ceil(outputs)
}

impl Layer for AdaptiveAvgPool2d {
    fn name(&self) -> &'static str {
        "AdaptiveAvgPool2d"
    }
    fn kind(&self) -> Kind {
        Kind::Pooling
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        let [h, w] = self.output;
        vec![("output_size", if h == w { h.to_string() } else { format!("({h}, {w})") })]
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        let (input, [h, w]) = (one(inputs)?, self.output);
        if h == 0 || w == 0 || h > input.h || w > input.w {
            return Err(Mismatch::new(format!("at least {h}×{w}"), inputs));
        }
        Ok(Shape::new(input.c, h, w))
    }
    fn params(&self, _: &[Shape]) -> Vec<Param> {
        Vec::new()
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    /// The whole map; too much where there are several windows, since those need not be evenly spaced.
    fn reach(&self, _: Shape) -> Reach {
        Reach::All
    }
    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (input, [h, w]) = (cx.inputs[0], self.output);
        let x = cx.input(0);
        let y = &mut cx.out[0];
        for (x, y) in x.chunks_exact(input.map()).zip(y.chunks_exact_mut(h * w)) {
            for (i, y) in y.iter_mut().enumerate() {
                let (rows, columns) = (window(i / w, h, input.h), window(i % w, w, input.w));
                let share = T::from_f64(1.0 / (rows.len() * columns.len()) as f64);
                *y = if h * w == 1 {
                    sum(x) * share
                } else {
                    rows.map(|row| sum(&x[row * input.w..][columns.clone()])).sum::<T>() * share
                };
            }
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(y);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let Some(i) = cx.grad_input(0) else { return };
        let (input, [h, w]) = (cx.inputs[0], self.output);
        let upstream = cx.grad_output();
        let grad = &mut cx.out[i];
        grad.fill(T::ZERO);
        for (dx, dy) in grad.chunks_exact_mut(input.map()).zip(upstream.chunks_exact(h * w)) {
            for (i, &dy) in dy.iter().enumerate() {
                let (rows, columns) = (window(i / w, h, input.h), window(i % w, w, input.w));
                let share = dy * T::from_f64(1.0 / (rows.len() * columns.len()) as f64);
                for row in rows {
                    for dx in &mut dx[row * input.w..][columns.clone()] {
                        *dx += share;
                    }
                }
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (input, output, activation) = (cx.inputs[0], cx.output, cx.activation());
        let maps = cx.batch * input.c;
        let kernel = |entry, each: usize| {
            let sizes = [maps * each, input.h, input.w, output.h, output.w];
            Dispatch::new("adaptive_avg_pool", entry).uniform(&sizes).over(maps * each)
        };
        if let Some(upstream) = cx.bind.grad_output {
            if let Some(grad) = cx.grad_input(0) {
                cx.push(kernel("backward", input.map()).read(upstream).write(grad));
            }
        } else if let Some(y) = cx.bind.output {
            let kernel = kernel("forward", output.map()).constant("ACTIVATION", activation);
            cx.push(kernel.read(cx.bind.inputs[0]).write(y));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let (input, [h, w], unit) = (ask.shapes[0], self.output, ask.unit);
        let (rows, columns) = (window(unit.y, h, input.h), window(unit.x, w, input.w));
        let whole = ask.map(unit.c);
        let rows_of = rows.clone().flat_map(|row| whole.values[row * input.w..][columns.clone()].iter().copied());
        let values: Vec<_> = rows_of.collect();
        let at = [rows.start as isize, columns.start as isize];
        let term = Term { at, size: [rows.len(), columns.len()], values, ..whole }.summed();
        let count = (rows.len() * columns.len()) as f32;
        let named = [("sum", term.result), ("count", count), ("value", term.result / count)];
        Explanation { rule: Rule::Mean, terms: vec![term], steps: steps(&named) }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("whole maps of 8×4", Self::GLOBAL, &[Shape::new(5, 8, 4)], 3),
            Case::new("whole maps of 7×5", Self::GLOBAL, &[Shape::new(3, 7, 5)], 2),
            Case::new("overlapping windows", Self { output: [4, 3] }, &[Shape::new(2, 14, 7)], 2),
        ]
    }
}
