//! Dropout (Krizhevsky 2012, §4.2; Srivastava 2014): in training each unit is zero with probability p, the others are scaled
//! by 1/(1 − p); in inference it is nothing at all, and plans give input and output the same memory.

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Buf, Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, one};
use crate::linalg::Real;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Zeroes units at random in training. The choice is a hash of (step, node, element): nothing is stored, and runs repeat.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Dropout {
    /// Probability of a unit to be zero, in [0, 1).
    pub p: f32,
}

/// Where the random numbers of one node come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draw {
    /// One number, different in each step: whole, below 2²⁴ (exact in f32).
    pub counter: Buf,
    /// Different for each node.
    pub stream: u32,
}

/// A bijection of the 32-bit words in which every bit reaches every bit (C. Wellons' "lowbias32"); the same in `dropout.wgsl`.
const fn mix(mut z: u32) -> u32 {
    z ^= z >> 16;
    z = z.wrapping_mul(0x7feb_352d);
    z ^= z >> 15;
    z = z.wrapping_mul(0x846c_a68b);
    z ^ (z >> 16)
}

impl Dropout {
    /// Hashes from here on are kept: p as a part of 2³².
    fn threshold(self) -> u32 {
        (f64::from(self.p) * 4_294_967_296.0) as u32
    }

    /// to ← from, or zero.
    fn apply<T: Real>(self, draw: Option<(u32, T)>, from: &[T], to: &mut [T]) {
        let Some((stream, counter)) = draw.filter(|_| self.p > 0.0) else {
            to.copy_from_slice(from);
            return;
        };
        let key = mix((counter.to_f64() as u32).wrapping_add(mix(stream)));
        let (threshold, scale) = (self.threshold(), T::from_f64(1.0 / (1.0 - f64::from(self.p))));
        for (i, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            *to = if mix((i as u32) ^ key) >= threshold { from * scale } else { T::ZERO };
        }
    }
}

impl Layer for Dropout {
    fn name(&self) -> &'static str {
        "Dropout"
    }
    fn kind(&self) -> Kind {
        Kind::Normalisation
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("p", self.p.to_string())]
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        if !(0.0..1.0).contains(&self.p) {
            return Err(Mismatch::new("a probability in [0, 1)", inputs));
        }
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
        let draw = cx.bind.draw.and_then(|d| Some((d.stream, *cx.mem.get(d.counter).first()?)));
        self.apply(draw, cx.input(0), &mut cx.out[0]);
        if let Some(activation) = cx.bind.activation {
            activation.apply(&mut cx.out[0]);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let Some(i) = cx.grad_input(0) else { return };
        let draw = cx.bind.draw.and_then(|d| Some((d.stream, *cx.mem.get(d.counter).first()?)));
        self.apply(draw, cx.grad_output(), &mut cx.out[i]);
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let Some(draw) = cx.bind.draw else { return };
        let (len, activation) = (cx.batch * cx.output.len(), cx.activation());
        let kernel = |activation| {
            let kernel = Dispatch::new("dropout", "drop").constant("ACTIVATION", activation);
            let scale = (1.0 / (1.0 - f64::from(self.p))) as f32;
            let words = [len, mix(draw.stream) as usize, self.threshold() as usize];
            kernel.uniform(&words).float(scale).read(draw.counter).over(len)
        };
        let (from, to, activation) = match cx.bind.grad_output {
            Some(upstream) => (Some(upstream), cx.grad_input(0), 0),
            None => (cx.bind.inputs.first().copied(), cx.bind.output, activation),
        };
        if let (Some(from), Some(to)) = (from, to) {
            cx.push(kernel(activation).read(from).write(to));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let term = ask.single(ask.unit);
        Explanation { rule: Rule::Copy, steps: steps(&[("value", term.result)]), terms: vec![term] }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("half", Self { p: 0.5 }, &[Shape::new(3, 5, 7)], 3),
            Case::new("three quarters", Self { p: 0.75 }, &[Shape::vector(37)], 4),
            Case::new("none", Self { p: 0.0 }, &[Shape::vector(13)], 2),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_dropped_as_asked_and_steps_and_nodes_differ() {
        let ones = vec![1.0f32; 40_000];
        let mask = |p, stream, counter: f32| {
            let mut out = vec![0.0f32; ones.len()];
            Dropout { p }.apply(Some((stream, counter)), &ones, &mut out);
            out
        };
        for p in [0.4, 0.5, 0.7] {
            let mean = mask(p, 3, 5.0).iter().sum::<f32>() / 40_000.0;
            assert!((mean - 1.0).abs() < 0.02, "{p}: the mean is {mean}");
        }
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(a, b)| a == b).count();
        let first = mask(0.5, 3, 5.0);
        assert_eq!(first, mask(0.5, 3, 5.0));
        for other in [mask(0.5, 3, 6.0), mask(0.5, 4, 5.0), mask(0.5, 0, 0.0)] {
            assert!((19_400..20_600).contains(&same(&first, &other)));
        }
        // neighbours are independent
        let pairs = first.windows(2).filter(|w| w[0] == w[1]).count();
        assert!((19_400..20_600).contains(&pairs));
    }
}
