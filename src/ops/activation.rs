//! Pointwise activations. They stand as layers of their own and as the epilogue that a plan fuses into the layer before.
//! All derivatives are written in terms of the *output*, so that the value before the activation need not be kept.

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, one};
use crate::linalg::{Real, relu_into, relu_slice, sigmoid_into, sigmoid_slice, tanh_into, tanh_slice};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// A function applied to every unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// tanh x.
    Tanh,
    /// LeCun 1998, appendix A: 1.7159·tanh(2x/3), so that f(±1) = ±1.
    ScaledTanh,
    /// 1/(1+e⁻ˣ).
    Sigmoid,
}

/// Amplitude A and slope S of LeCun's squashing function A·tanh(S·x).
pub const AMPLITUDE: f64 = 1.7159;
/// See [`AMPLITUDE`].
pub const SLOPE: f64 = 2.0 / 3.0;

impl Activation {
    /// All of them, in the order of the number that shaders use (0 is "none").
    pub const ALL: [Activation; 4] = [Self::Relu, Self::Tanh, Self::ScaledTanh, Self::Sigmoid];

    /// The number that shaders know it by; 0 stands for no activation.
    pub fn code(activation: Option<Self>) -> u32 {
        match activation {
            None => 0,
            Some(Self::Relu) => 1,
            Some(Self::Tanh) => 2,
            Some(Self::ScaledTanh) => 3,
            Some(Self::Sigmoid) => 4,
        }
    }

    /// x ← f(x).
    pub fn apply<T: Real>(self, x: &mut [T]) {
        match self {
            Self::Relu => relu_slice(x),
            Self::Tanh => tanh_slice(x),
            Self::ScaledTanh => scaled_tanh(x),
            Self::Sigmoid => sigmoid_slice(x),
        }
    }

    /// y ← f(x).
    fn apply_into<T: Real>(self, x: &[T], y: &mut [T]) {
        match self {
            Self::Relu => relu_into(x, y),
            Self::Tanh => tanh_into(x, y),
            Self::ScaledTanh => {
                y.copy_from_slice(x);
                scaled_tanh(y);
            }
            Self::Sigmoid => sigmoid_into(x, y),
        }
    }

    /// g ← g·f′(x), with f′ from y = f(x).
    pub fn chain<T: Real>(self, y: &[T], g: &mut [T]) {
        let pairs = || y.iter().copied();
        match self {
            Self::Relu => {
                for (g, y) in g.iter_mut().zip(pairs()) {
                    *g = if y > T::ZERO { *g } else { T::ZERO };
                }
            }
            Self::Tanh => {
                for (g, y) in g.iter_mut().zip(pairs()) {
                    *g *= T::ONE - y * y;
                }
            }
            Self::ScaledTanh => {
                // A·S·(1 - tanh²) = S·(A - y²/A)
                let (s, a, inv) = (T::from_f64(SLOPE), T::from_f64(AMPLITUDE), T::from_f64(1.0 / AMPLITUDE));
                for (g, y) in g.iter_mut().zip(pairs()) {
                    *g *= s * (a - y * y * inv);
                }
            }
            Self::Sigmoid => {
                for (g, y) in g.iter_mut().zip(pairs()) {
                    *g *= y * (T::ONE - y);
                }
            }
        }
    }

    /// The formula, for the page.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Relu => "max(x, 0)",
            Self::Tanh => "tanh(x)",
            Self::ScaledTanh => "1.7159 · tanh(⅔ · x)",
            Self::Sigmoid => "1 / (1 + e⁻ˣ)",
        }
    }
}

fn scaled_tanh<T: Real>(x: &mut [T]) {
    let (a, s) = (T::from_f64(AMPLITUDE), T::from_f64(SLOPE));
    for v in x {
        *v = a * (s * *v).tanh();
    }
}

impl Layer for Activation {
    fn name(&self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
            Self::Tanh => "Tanh",
            Self::ScaledTanh => "ScaledTanh",
            Self::Sigmoid => "Sigmoid",
        }
    }
    fn kind(&self) -> Kind {
        Kind::Activation
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        one(inputs)
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
        if cx.bind.output == cx.bind.inputs.first().copied() {
            self.apply(&mut cx.out[0]);
        } else {
            self.apply_into(cx.input(0), &mut cx.out[0]);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        if let Some(i) = cx.grad_input(0) {
            let (value, upstream) = (cx.value(), cx.grad_output());
            let grad = &mut cx.out[i];
            if cx.bind.grad_inputs[0] != cx.bind.grad_output {
                grad.copy_from_slice(upstream);
            }
            self.chain(value, grad);
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let vectors = (cx.batch * cx.output.len()).div_ceil(4);
        let code = Self::code(Some(*self));
        let kernel =
            |entry| Dispatch::new("activation", entry).constant("ACTIVATION", code).uniform(&[vectors]).over(vectors);
        let (Some(input), Some(output)) = (cx.bind.inputs.first().copied().or(cx.bind.grad_output), cx.bind.output)
        else {
            return;
        };
        let dispatch = match (cx.bind.grad_output, cx.grad_input(0)) {
            (Some(upstream), Some(grad)) if upstream == grad => kernel("backward_in_place").read(output).write(grad),
            (Some(upstream), Some(grad)) => kernel("backward").read(output).read(upstream).write(grad),
            (Some(_), None) => return,
            (None, _) if input == output => kernel("forward_in_place").write(output),
            (None, _) => kernel("forward").read(input).write(output),
        };
        cx.push(dispatch);
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let mut term = ask.single(ask.unit);
        let (before, mut value) = (term.result, [term.result]);
        self.apply(&mut value);
        term.result = value[0];
        let steps = steps(&[("input", before), ("value", value[0])]);
        Explanation { rule: Rule::Activation(*self), terms: vec![term], steps }
    }

    fn cases() -> Vec<Case> {
        let shape = [Shape::new(3, 5, 7)];
        let names = ["relu", "tanh", "scaled tanh", "sigmoid"];
        names.into_iter().zip(Self::ALL).map(|(name, op)| Case::new(name, op, &shape, 2)).collect()
    }
}
