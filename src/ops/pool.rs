//! Max and average pooling: any kernel, stride (overlapping too), padding, ceil mode.

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, Window, one};
use crate::linalg::{Real, widest};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The largest value of each window. Padding never wins; of equals the first (row-major) does, as in PyTorch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MaxPool2d(pub Window);

/// The mean of each window, padding counted as zeros (PyTorch's `count_include_pad`), what ceil mode adds beyond it not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AvgPool2d(pub Window);

/// The part of a window on one axis that lies inside the input, and its extent with padding (the average's divisor).
fn taps(window: &Window, axis: usize, out: usize, size: usize) -> (Range<usize>, usize) {
    let start = out * window.stride[axis]; // in padded coordinates
    let end = start + window.kernel[axis];
    let pad = window.padding[axis];
    let inside = start.saturating_sub(pad)..end.saturating_sub(pad).min(size);
    (inside, end.min(size + 2 * pad) - start)
}

/// Output shape; pooling windows must start inside the input, so padding is at most half the kernel.
fn pooled(window: &Window, inputs: &[Shape]) -> Result<Shape, Mismatch> {
    let input = one(inputs)?;
    if (0..2).any(|axis| window.padding[axis] * 2 > window.kernel[axis] || window.dilation[axis] != 1) {
        return Err(Mismatch::new("padding of at most half the kernel, no dilation", inputs));
    }
    let [h, w] = window.output(input)?;
    Ok(Shape::new(input.c, h, w))
}

/// Whether windows neither overlap nor are padded: an output's gradient goes to its own inputs alone.
fn apart(window: &Window) -> bool {
    window.padding == [0; 2] && (0..2).all(|axis| window.stride[axis] >= window.kernel[axis])
}

/// A kernel of `shaders/pool.wgsl`, an invocation for each unit of all images' `over`.
fn kernel(window: &Window, cx: &Lower<'_>, entry: &'static str, over: Shape) -> Dispatch {
    let (input, output) = (cx.inputs[0], cx.output);
    let len = cx.batch * over.len();
    let sizes = [len, input.h, input.w, output.h, output.w];
    let halving = apart(window) && window.kernel == [2; 2] && [input.h, input.w] == [2 * output.h, 2 * output.w];
    Dispatch::new("pool", entry)
        .constant("ACTIVATION", cx.activation())
        .constant("HALVING", u32::from(halving))
        .uniform(&sizes)
        .uniform(&window.kernel)
        .uniform(&window.stride)
        .uniform(&window.padding)
        .over(len)
}

/// Whether `b` takes the place of `a` before it: of equals the first stays, and NaN wins, so that it shows.
#[inline(always)]
fn beats<T: Real>(b: T, a: T) -> bool {
    b > a || b.partial_cmp(&b).is_none()
}

/// Each of `best` against the value in the same place.
#[inline(always)]
fn larger<'a, T: Real>(best: &mut [T], values: impl Iterator<Item = &'a T>) {
    for (best, &v) in best.iter_mut().zip(values) {
        *best = if beats(v, *best) { v } else { *best };
    }
}

impl MaxPool2d {
    /// The largest of each window of a map, and its place in the map.
    fn winners<T: Real>(&self, x: &[T], y: &mut [T], winners: &mut [T], input: Shape, output: Shape) {
        let mut out = y.iter_mut().zip(winners);
        for oy in 0..output.h {
            let (rows, _) = taps(&self.0, 0, oy, input.h);
            for ox in 0..output.w {
                let (columns, _) = taps(&self.0, 1, ox, input.w);
                let mut best = rows.start * input.w + columns.start;
                for row in rows.clone() {
                    for i in row * input.w + columns.start..row * input.w + columns.end {
                        if beats(x[i], x[best]) {
                            best = i;
                        }
                    }
                }
                if let Some((y, winner)) = out.next() {
                    (*y, *winner) = (x[best], T::from_f64(best as f64));
                }
            }
        }
    }

    /// The largest alone: of the rows of a window column by column, then along the `line` that comes of it. Both without branches.
    #[inline(always)]
    fn largest<T: Real>(&self, x: &[T], y: &mut [T], line: &mut [T], input: Shape, output: Shape) {
        let (pad, kernel, stride) = (self.0.padding[1], self.0.kernel[1], self.0.stride[1]);
        let used = input.w.min(line.len() - pad);
        line.fill(T::from_f64(f64::NEG_INFINITY));
        for (oy, y) in y.chunks_exact_mut(output.w).enumerate() {
            let (rows, _) = taps(&self.0, 0, oy, input.h);
            let inside = &mut line[pad..pad + used];
            inside.copy_from_slice(&x[rows.start * input.w..][..used]);
            for row in rows.skip(1) {
                larger(inside, x[row * input.w..].iter());
            }
            y.fill(T::from_f64(f64::NEG_INFINITY));
            for tap in 0..kernel {
                let values = &line[tap..];
                match stride {
                    1 => larger(y, values.iter()),
                    2 => {
                        // Pairs that the compiler can load whole; the last may have no second.
                        let (pairs, last) = values.as_chunks::<2>();
                        larger(y, pairs.iter().map(|[first, _]| first));
                        larger(&mut y[pairs.len().min(output.w)..], last.iter());
                    }
                    _ => larger(y, values.iter().step_by(stride)),
                }
            }
        }
    }
}

impl Layer for MaxPool2d {
    fn name(&self) -> &'static str {
        "MaxPool2d"
    }
    fn kind(&self) -> Kind {
        Kind::Pooling
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        self.0.settings(self.0.kernel)
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        pooled(&self.0, inputs)
    }
    fn params(&self, _: &[Shape]) -> Vec<Param> {
        Vec::new()
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::Window(self.0)
    }
    /// The winner of each window: its flat index in the input map. Exact in f32, since no map here has 2²⁴ pixels.
    fn saved(&self, _: &[Shape], output: Shape) -> usize {
        output.len()
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (input, output) = (cx.inputs[0], cx.output);
        let x = cx.input(0);
        let saves = cx.saves();
        let (y, winners) = cx.out.split_at_mut(1);
        let maps = x.chunks_exact(input.map()).zip(y[0].chunks_exact_mut(output.map()));
        if saves {
            let winners = winners[0].chunks_exact_mut(output.map());
            maps.zip(winners).for_each(|((x, y), winners)| self.winners(x, y, winners, input, output));
        } else {
            let [line] = cx.scratch.take([(output.w - 1) * self.0.stride[1] + self.0.kernel[1]]);
            widest(|| maps.for_each(|(x, y)| self.largest(x, y, line, input, output)));
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(&mut cx.out[0]);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let Some(i) = cx.grad_input(0) else { return };
        let (input, output) = (cx.inputs[0], cx.output);
        let (winners, upstream) = (cx.saved(), cx.grad_output());
        let grad = &mut cx.out[i];
        grad.fill(T::ZERO);
        let maps = winners.chunks_exact(output.map()).zip(upstream.chunks_exact(output.map()));
        for (dx, (winners, dy)) in grad.chunks_exact_mut(input.map()).zip(maps) {
            for (&winner, &dy) in winners.iter().zip(dy) {
                dx[winner.to_f64() as usize] += dy;
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        if let Some(upstream) = cx.bind.grad_output {
            if let (Some(grad), Some(winners)) = (cx.grad_input(0), cx.bind.saved) {
                let window = &self.0;
                let kernel = match apart(window) {
                    true => kernel(window, cx, "max_backward_apart", cx.output),
                    false => kernel(window, cx, "max_backward", cx.inputs[0]),
                };
                cx.push(kernel.read(upstream).read(winners).write(grad));
            }
        } else if let Some(y) = cx.bind.output {
            let x = cx.bind.inputs[0];
            cx.push(match cx.bind.saved {
                Some(winners) => kernel(&self.0, cx, "max_forward_keep", cx.output).read(x).write(y).write(winners),
                None => kernel(&self.0, cx, "max_forward", cx.output).read(x).write(y),
            });
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let mut term = ask.patch(ask.unit.c, &self.0);
        let present = term.values.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i, v)));
        // As `forward` has it: of equals the first, and NaN wins.
        let best = present.reduce(|best, next| if next.1 > best.1 || next.1.is_nan() { next } else { best });
        term.mark = best.map(|(i, _)| i);
        term.result = best.map_or(f32::NAN, |(_, v)| v);
        Explanation { rule: Rule::Max, steps: steps(&[("value", term.result)]), terms: vec![term] }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("2×2", Self(Window::square(2).stride(2)), &[Shape::new(3, 6, 8)], 2),
            Case::new("2×2, a row and column left over", Self(Window::square(2).stride(2)), &[Shape::new(2, 5, 7)], 2),
            Case::new("overlapping 3×3/2", Self(Window::square(3).stride(2)), &[Shape::new(3, 9, 7)], 2),
            Case::new("3×3/2 padded", Self(Window::square(3).stride(2).padding(1)), &[Shape::new(2, 8, 7)], 2),
            Case::new("3×3/1 padded", Self(Window::square(3).padding(1)), &[Shape::new(2, 5, 6)], 2),
            Case::new("ceil mode", Self(Window::square(3).stride(2).ceil_mode()), &[Shape::new(2, 8, 6)], 2),
        ]
    }
}

impl Layer for AvgPool2d {
    fn name(&self) -> &'static str {
        "AvgPool2d"
    }
    fn kind(&self) -> Kind {
        Kind::Pooling
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        self.0.settings(self.0.kernel)
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        pooled(&self.0, inputs)
    }
    fn params(&self, _: &[Shape]) -> Vec<Param> {
        Vec::new()
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::Window(self.0)
    }
    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (input, output) = (cx.inputs[0], cx.output);
        let x = cx.input(0);
        let y = &mut cx.out[0];
        for (map, y) in x.chunks_exact(input.map()).zip(y.chunks_exact_mut(output.map())) {
            for (oy, y) in y.chunks_exact_mut(output.w).enumerate() {
                let (rows, height) = taps(&self.0, 0, oy, input.h);
                for (ox, y) in y.iter_mut().enumerate() {
                    let (columns, width) = taps(&self.0, 1, ox, input.w);
                    let mut total = T::ZERO;
                    for row in rows.clone() {
                        for &v in &map[row * input.w..][columns.clone()] {
                            total += v;
                        }
                    }
                    *y = total * T::from_f64(1.0 / (height * width) as f64);
                }
            }
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(&mut cx.out[0]);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let Some(i) = cx.grad_input(0) else { return };
        let (input, output) = (cx.inputs[0], cx.output);
        let upstream = cx.grad_output();
        let grad = &mut cx.out[i];
        grad.fill(T::ZERO);
        for (dx, dy) in grad.chunks_exact_mut(input.map()).zip(upstream.chunks_exact(output.map())) {
            for (oy, dy) in dy.chunks_exact(output.w).enumerate() {
                let (rows, height) = taps(&self.0, 0, oy, input.h);
                for (ox, &dy) in dy.iter().enumerate() {
                    let (columns, width) = taps(&self.0, 1, ox, input.w);
                    let share = dy * T::from_f64(1.0 / (height * width) as f64);
                    for row in rows.clone() {
                        for v in &mut dx[row * input.w..][columns.clone()] {
                            *v += share;
                        }
                    }
                }
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        if let Some(upstream) = cx.bind.grad_output {
            if let Some(grad) = cx.grad_input(0) {
                // In ceil mode the last windows may be smaller, and divide by less.
                let kernel = match apart(&self.0) && !self.0.ceil {
                    true => kernel(&self.0, cx, "average_backward_apart", cx.output),
                    false => kernel(&self.0, cx, "average_backward", cx.inputs[0]),
                };
                cx.push(kernel.read(upstream).write(grad));
            }
        } else if let Some(y) = cx.bind.output {
            cx.push(kernel(&self.0, cx, "average_forward", cx.output).read(cx.bind.inputs[0]).write(y));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let (term, input) = (ask.patch(ask.unit.c, &self.0).summed(), ask.shapes[0]);
        let (_, height) = taps(&self.0, 0, ask.unit.y, input.h);
        let (_, width) = taps(&self.0, 1, ask.unit.x, input.w);
        let count = (height * width) as f32;
        let named = [("sum", term.result), ("count", count), ("value", term.result / count)];
        Explanation { rule: Rule::Mean, terms: vec![term], steps: steps(&named) }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("2×2", Self(Window::square(2).stride(2)), &[Shape::new(3, 6, 8)], 2),
            Case::new(
                "2×2/3, a row and column left over",
                Self(Window::square(2).stride(3)),
                &[Shape::new(2, 9, 10)],
                2,
            ),
            Case::new("overlapping 5×5/3", Self(Window::square(5).stride(3)), &[Shape::new(2, 11, 8)], 2),
            Case::new("3×3/2 padded", Self(Window::square(3).stride(2).padding(1)), &[Shape::new(2, 8, 7)], 2),
            Case::new("ceil mode", Self(Window::square(3).stride(2).ceil_mode()), &[Shape::new(2, 8, 6)], 2),
        ]
    }
}
