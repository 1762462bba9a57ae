//! A plan to GPU dispatches: asks each layer, and lowers the tasks that are no layer's. Pure; names no device.

use crate::arch::Architecture;
use crate::ops::Layer;
use crate::ops::lower::{Dispatch, Lower, Lowered};
use crate::plan::{Plan, Task};

/// Lowers every step of a plan for a device that binds `limit` elements at once.
pub fn lower(net: &Architecture, plan: &Plan, limit: usize) -> Lowered {
    let mut lowered = Lowered::default();
    for (i, step) in plan.steps.iter().enumerate() {
        match &step.task {
            Task::Forward(bind) | Task::Backward(bind) => {
                let Some(id) = step.node else { continue };
                let node = &net.graph.nodes()[id];
                node.op.lower(&mut Lower {
                    batch: plan.batch,
                    training: plan.trains(),
                    inputs: &net.graph.input_shapes(id),
                    output: node.shape,
                    bind,
                    step: i,
                    limit,
                    lowered: &mut lowered,
                });
            }
            Task::Accumulate { from, into } => {
                let vectors = plan.local_len(*into).unwrap_or(0).div_ceil(4);
                let kernel = Dispatch::new("accumulate", "accumulate").uniform(&[vectors]);
                lowered.push(i, kernel.read(*from).write(*into).over(vectors));
            }
            Task::Loss { loss, classes, output, labels, grad, stats, stats_at, weight } => {
                let each = lowered.workspace(0, 2 * plan.batch);
                let sizes = [plan.batch, *classes, *stats_at];
                for kernel in loss.lower(sizes, *weight, [*output, *labels, *grad, *stats], each) {
                    lowered.push(i, kernel);
                }
            }
            Task::Update { param, momentum, grad, len, hyper, stats, stats_at } => {
                let parts = len.div_ceil(16).min(4096);
                let squares = lowered.workspace(0, 3 * parts);
                let kernel = |entry| Dispatch::new("sgd", entry).uniform(&[*len, parts, *stats_at]);
                let update = kernel("update").read(*grad).read(*hyper).write(*param).write(*momentum).write(squares);
                lowered.push(i, update.over(parts));
                lowered.push(i, kernel("finish").read(squares).write(*stats));
            }
        }
    }
    lowered
}
