//! The forward half of a plan: a value buffer a node, activations fused into the layer before them.

use super::{Mode, Plan, Request, Step, Task};
use crate::arch::Architecture;
use crate::graph::{Graph, NodeId};
use crate::ops::{Bindings, Buf, Layer, Op};

/// Nodes the plan computes: all that the outputs need, auxiliary heads only in training.
pub(super) fn needed(net: &Architecture, request: &Request) -> Vec<bool> {
    let mut needed = net.inference_nodes();
    match request.mode {
        Mode::Inference => {}
        Mode::Training => needed.fill(true),
        Mode::Gradient { of, .. } => {
            needed.fill(false);
            needed[of] = true;
        }
    }
    request.look.iter().for_each(|&id| needed[id] = true);
    for id in (0..needed.len()).rev() {
        if needed[id] {
            net.graph.nodes()[id].inputs.iter().for_each(|&i| needed[i] = true);
        }
    }
    needed
}

/// Whether a node only renames its input's memory.
pub(super) fn is_view(op: &Op) -> bool {
    matches!(op, Op::Flatten(_))
}

/// The activation that can be fused into `id`: its only consumer, and nobody looks at the value between.
pub(super) fn fusable(graph: &Graph, id: NodeId, needed: &[bool], request: &Request, output: NodeId) -> Option<NodeId> {
    let node = &graph.nodes()[id];
    let hidden = id != output && !request.look.contains(&id);
    if !hidden || matches!(node.op, Op::Input(_) | Op::Activation(_)) || is_view(&node.op) {
        return None;
    }
    let mut consumers = graph.consumers(id).filter(|&c| needed[c]);
    let (first, second) = (consumers.next(), consumers.next());
    first.filter(|&c| second.is_none() && matches!(graph.nodes()[c].op, Op::Activation(_)))
}

pub(super) fn plan(plan: &mut Plan, net: &Architecture, request: &Request) {
    let graph = &net.graph;
    let needed = needed(net, request);
    let end = match request.mode {
        Mode::Gradient { of, .. } => of,
        Mode::Inference | Mode::Training => net.output,
    };
    let mut fused = vec![false; needed.len()];
    let gradients = request.mode != Mode::Inference;
    for (id, node) in graph.nodes().iter().enumerate() {
        if !needed[id] || fused[id] {
            continue;
        }
        if let Op::Input(_) = node.op {
            let buf = plan.buffer(node.name.clone(), request.batch * node.shape.len());
            plan.values[id] = Some(buf);
            plan.inputs.push(buf);
            continue;
        }
        if is_view(&node.op) {
            plan.values[id] = plan.values[node.inputs[0]];
            continue;
        }
        let epilogue = fusable(graph, id, &needed, request, end);
        // With an epilogue the layer's step writes straight into the activation's buffer.
        let target = epilogue.unwrap_or(id);
        let output = plan.buffer(graph.nodes()[target].name.clone(), request.batch * node.shape.len());
        plan.values[target] = Some(output);
        let activation = epilogue.and_then(|a| match graph.nodes()[a].op {
            Op::Activation(activation) => Some(activation),
            _ => None,
        });
        if let Some(a) = epilogue {
            fused[a] = true;
        }
        let saved = node.op.saved(&graph.input_shapes(id), node.shape);
        let saved =
            (saved > 0 && gradients).then(|| plan.buffer(format!("saved({})", node.name), request.batch * saved));
        let bind = Bindings {
            // An input is missing only if it was fused away, and a fused value has no other reader.
            inputs: node.inputs.iter().filter_map(|&i| plan.values[i]).collect(),
            params: graph.params_of(id).map(Buf::Param).collect(),
            output: Some(output),
            saved,
            activation,
            ..Bindings::default()
        };
        plan.steps.push(Step { node: Some(id), task: Task::Forward(bind) });
    }
}
