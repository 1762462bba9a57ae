//! Batch normalisation over maps (Ioffe and Szegedy 2015; He 2015 puts one after every convolution).

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Buf, Case, Dispatch, Kind, Layer, Lower, Memory, Mismatch, Param, Pass, Reach, Role, one};
use crate::linalg::{Real, dot, sum};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// y = weight[c]·(x − mean[c])/√(variance[c] + ε) + bias[c]. In training mean and (biased) variance are the batch's, and the
/// running statistics move a tenth of the way to the batch's mean and unbiased variance, as in PyTorch; in inference they
/// are what is subtracted and divided by.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct BatchNorm2d {
    /// Added to the variance.
    pub eps: f32,
    /// What `weight` starts with; 1 but for ends of residual blocks.
    pub start: f32,
}

impl BatchNorm2d {
    /// PyTorch's ε.
    pub const fn new() -> Self {
        Self { eps: 1e-5, start: 1.0 }
    }

    /// The same with another ε.
    pub const fn eps(mut self, eps: f32) -> Self {
        self.eps = eps;
        self
    }

    /// The same with another start.
    pub const fn start(mut self, start: f32) -> Self {
        self.start = start;
        self
    }
}

impl Default for BatchNorm2d {
    fn default() -> Self {
        Self::new()
    }
}

/// How far the running statistics move in one step (PyTorch's default `momentum`).
const MOMENTUM: f32 = 0.1;

/// A batch norm in inference as what it is there: y = scale[c]·x + shift[c].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Folded {
    /// weight, bias, running mean, running variance.
    pub params: [Buf; 4],
    /// As [`BatchNorm2d::eps`].
    pub eps: f32,
}

/// Factor and summand of one channel.
pub(crate) fn fold<T: Real>([weight, bias, mean, variance]: [T; 4], eps: f32) -> [T; 2] {
    let scale = weight / (variance + T::from_f32(eps)).sqrt();
    [scale, bias - mean * scale]
}

impl Folded {
    /// Factor and summand of channel `c`.
    pub fn channel<T: Real>(&self, mem: Memory<'_, T>, c: usize) -> [T; 2] {
        fold(self.params.map(|buf| mem.get(buf)[c]), self.eps)
    }

    /// y ← scale·y + shift, on any number of images of this shape.
    pub(super) fn apply<T: Real>(&self, mem: Memory<'_, T>, shape: Shape, y: &mut [T]) {
        affine(shape, y, |c| self.channel(mem, c));
    }
}

fn affine<T: Real>(shape: Shape, y: &mut [T], channel: impl Fn(usize) -> [T; 2]) {
    for (i, map) in y.chunks_exact_mut(shape.map()).enumerate() {
        let [scale, shift] = channel(i % shape.c);
        for v in map {
            *v = scale * *v + shift;
        }
    }
}

/// The maps of channel `c` in all images.
fn maps<T>(data: &[T], shape: Shape, c: usize) -> impl Iterator<Item = &[T]> {
    data.chunks_exact(shape.map()).skip(c).step_by(shape.c)
}

impl Layer for BatchNorm2d {
    fn name(&self) -> &'static str {
        "BatchNorm2d"
    }
    fn kind(&self) -> Kind {
        Kind::Normalisation
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        if self.eps == Self::new().eps { Vec::new() } else { vec![("eps", self.eps.to_string())] }
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        one(inputs)
    }
    fn params(&self, inputs: &[Shape]) -> Vec<Param> {
        let param = |name, role| Param { name, shape: vec![inputs[0].c], role, table: None };
        vec![
            param("weight", Role::Factor(self.start)),
            param("bias", Role::Factor(0.0)),
            param("running_mean", Role::Running(0.0)),
            param("running_var", Role::Running(1.0)),
        ]
    }
    fn macs(&self, _: &[Shape], _: Shape) -> u64 {
        0
    }
    fn reach(&self, _: Shape) -> Reach {
        Reach::Point
    }
    /// Mean and 1/√(variance + ε) of each channel: once, though memory is counted by the image.
    fn saved(&self, _: &[Shape], output: Shape) -> usize {
        2 * output.c
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let shape = cx.output;
        let x = cx.input(0);
        if !cx.training {
            let params = [0, 1, 2, 3].map(|i| cx.param(i));
            let y = &mut cx.out[0];
            y.copy_from_slice(x);
            affine(shape, y, |c| fold(params.map(|p| p[c]), self.eps));
        } else {
            let (weight, bias) = (cx.param(0), cx.param(1));
            let (updates, saves) = (cx.updates(), cx.saves());
            let count = cx.batch * shape.map();
            for c in 0..shape.c {
                let total: f64 = maps(x, shape, c).map(|m| sum(m).to_f64()).sum();
                let mean = T::from_f64(total / count as f64);
                let squares: f64 =
                    maps(x, shape, c).map(|m| m.iter().map(|&v| (v - mean) * (v - mean)).sum::<T>().to_f64()).sum();
                let variance = squares / count as f64;
                let scale = T::from_f64(1.0 / (variance + f64::from(self.eps)).sqrt());
                if saves {
                    cx.out[1][c] = mean;
                    cx.out[1][shape.c + c] = scale;
                }
                if let Some(at) = updates {
                    let unbiased = T::from_f64(squares / (count.max(2) - 1) as f64);
                    for (running, new) in [(at, mean), (at + 1, unbiased)] {
                        let old = cx.out[running][c];
                        cx.out[running][c] = old + T::from_f32(MOMENTUM) * (new - old);
                    }
                }
                let (factor, summand) = (weight[c] * scale, bias[c]);
                let images = x.chunks_exact(shape.len()).zip(cx.out[0].chunks_exact_mut(shape.len()));
                for (x, y) in images {
                    let at = c * shape.map()..(c + 1) * shape.map();
                    for (y, &x) in y[at.clone()].iter_mut().zip(&x[at]) {
                        *y = factor * (x - mean) + summand;
                    }
                }
            }
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(&mut cx.out[0]);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let shape = cx.output;
        let (x, upstream, weight) = (cx.input(0), cx.grad_output(), cx.param(0));
        let (saved, running, training) = (cx.saved(), [cx.param(2), cx.param(3)], cx.training);
        let [grad_input, grad_weight, grad_bias] = [cx.grad_input(0), cx.grad_param(0), cx.grad_param(1)];
        let share = T::from_f64(1.0 / (cx.batch * shape.map()) as f64);
        for c in 0..shape.c {
            let (mean, scale) = match training {
                true => (saved[c], saved[shape.c + c]),
                false => (running[0][c], T::ONE / (running[1][c] + T::from_f32(self.eps)).sqrt()),
            };
            let (mut total, mut along) = (T::ZERO, T::ZERO); // Σ dy, Σ dy·(x − mean)/σ
            for (x, dy) in maps(x, shape, c).zip(maps(upstream, shape, c)) {
                let s = sum(dy);
                total += s;
                along += dot(x, dy) - mean * s;
            }
            along *= scale;
            if let Some(i) = grad_weight {
                cx.out[i][c] = along;
            }
            if let Some(i) = grad_bias {
                cx.out[i][c] = total;
            }
            let Some(i) = grad_input else { continue };
            let factor = weight[c] * scale;
            // The batch's mean and variance depend on x too; running ones do not.
            let (total, along) = if training { (total * share, along * share * scale) } else { (T::ZERO, T::ZERO) };
            let images = cx.out[i].chunks_exact_mut(shape.len()).zip(x.chunks_exact(shape.len()));
            for ((dx, x), dy) in images.zip(upstream.chunks_exact(shape.len())) {
                let at = c * shape.map()..(c + 1) * shape.map();
                for ((dx, &x), &dy) in dx[at.clone()].iter_mut().zip(&x[at.clone()]).zip(&dy[at]) {
                    *dx = factor * (dy - total - (x - mean) * along);
                }
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (shape, batch, training, activation) = (cx.output, cx.batch, cx.training, cx.activation());
        let eps = self.eps;
        let kernel = |entry| {
            let sizes = [batch, shape.c, shape.map(), usize::from(training)];
            Dispatch::new("batch_norm", entry).uniform(&sizes).float(eps)
        };
        let all = batch * shape.len();
        let params = cx.bind.params.clone();
        let x = cx.bind.inputs[0];
        // Mean and 1/√(variance + ε) of each channel: the batch's in training, else made from the running ones.
        let statistics = match cx.bind.saved {
            Some(saved) if training => saved.into(),
            _ => cx.workspace(0, 2 * shape.c),
        };
        if !training {
            cx.push(kernel("running").read(params[2]).read(params[3]).write(statistics).over(shape.c));
        }
        let Some(upstream) = cx.bind.grad_output else {
            let Some(y) = cx.bind.output else { return };
            if training {
                let kernel = |entry| kernel(entry).groups(shape.c).read(x).write(statistics);
                cx.push(match cx.bind.updates[..] {
                    [mean, variance] => kernel("batch_and_running").write(mean).write(variance),
                    _ => kernel("batch"),
                });
            }
            let kernel = kernel("normalise").constant("ACTIVATION", activation).over(all);
            cx.push(kernel.read(x).read(statistics).read(params[0]).read(params[1]).write(y));
            return;
        };
        let sums = cx.workspace(1, 2 * shape.c); // Σ dy·(x − mean)/σ, Σ dy
        cx.push(kernel("sums_of").groups(shape.c).read(x).read(statistics).read(upstream).write(sums));
        if let (Some(weight), Some(bias)) = (cx.grad_param(0), cx.grad_param(1)) {
            cx.push(kernel("backward_weight").read(sums).write(weight).write(bias).over(shape.c));
        }
        if let Some(grad) = cx.grad_input(0) {
            let kernel = kernel("backward_input").over(all).read(x).read(statistics).read(upstream);
            cx.push(kernel.read(sums).read(params[0]).write(grad));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let mut term = ask.single(ask.unit);
        let [weight, bias, mean, variance] = [0, 1, 2, 3].map(|i| ask.params[i][ask.unit.c]);
        let x = term.result;
        let normalised = (x - mean) / (variance + self.eps).sqrt();
        term.result = weight * normalised + bias;
        let named = [
            ("input", x),
            ("mean", mean),
            ("variance", variance),
            ("eps", self.eps),
            ("deviation", (variance + self.eps).sqrt()),
            ("normalised", normalised),
            ("weight", weight),
            ("bias", bias),
            ("value", term.result),
        ];
        Explanation { rule: Rule::Normalise, terms: vec![term], steps: steps(&named) }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("maps", Self::new(), &[Shape::new(3, 5, 7)], 4),
            Case::new("another ε", Self::new().eps(1e-3), &[Shape::new(5, 4, 3)], 3),
            Case::new("vectors", Self::new(), &[Shape::vector(6)], 9),
        ]
    }
}
