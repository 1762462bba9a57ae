//! The mean of each map: what stands before the classifier in GoogLeNet and ResNet (Lin 2013, "Network in Network").

use super::explain::{Ask, Explanation, Rule, steps};
use super::{Case, Dispatch, Kind, Layer, Lower, Mismatch, Param, Pass, Reach, one};
use crate::linalg::{Real, sum};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// c×h×w to c×1×1, as PyTorch's `AdaptiveAvgPool2d(1)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GlobalAvgPool;

impl Layer for GlobalAvgPool {
    fn name(&self) -> &'static str {
        "AdaptiveAvgPool2d"
    }
    fn kind(&self) -> Kind {
        Kind::Pooling
    }
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("output_size", "1".into())]
    }
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        one(inputs).map(|s| Shape::vector(s.c))
    }
    fn params(&self, _: &[Shape]) -> Vec<Param> {
        Vec::new()
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
        let map = cx.inputs[0].map();
        let share = T::from_f64(1.0 / map as f64);
        let x = cx.input(0);
        let y = &mut cx.out[0];
        for (x, y) in x.chunks_exact(map).zip(y.iter_mut()) {
            *y = sum(x) * share;
        }
        if let Some(activation) = cx.bind.activation {
            activation.apply(y);
        }
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let Some(i) = cx.grad_input(0) else { return };
        let map = cx.inputs[0].map();
        let share = T::from_f64(1.0 / map as f64);
        let upstream = cx.grad_output();
        for (dx, &dy) in cx.out[i].chunks_exact_mut(map).zip(upstream) {
            dx.fill(dy * share);
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (map, maps, activation) = (cx.inputs[0].map(), cx.batch * cx.output.len(), cx.activation());
        let kernel = |entry| Dispatch::new("global_avg_pool", entry).uniform(&[maps, map]);
        if let Some(upstream) = cx.bind.grad_output {
            if let Some(grad) = cx.grad_input(0) {
                cx.push(kernel("backward").read(upstream).write(grad).over(maps * map));
            }
        } else if let Some(y) = cx.bind.output {
            let kernel = kernel("forward").constant("ACTIVATION", activation);
            cx.push(kernel.read(cx.bind.inputs[0]).write(y).over(maps));
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let term = ask.map(ask.unit.c).summed();
        let count = ask.shapes[0].map() as f32;
        let named = [("sum", term.result), ("count", count), ("value", term.result / count)];
        Explanation { rule: Rule::Mean, terms: vec![term], steps: steps(&named) }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new("8×4", Self, &[Shape::new(5, 8, 4)], 3),
            Case::new("7×5", Self, &[Shape::new(3, 7, 5)], 2),
        ]
    }
}
