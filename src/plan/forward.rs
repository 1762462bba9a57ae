//! The forward half of a plan: a value buffer a node; activations, and in inference batch norms and additions, fused into the
//! layer before them.

use super::{Mode, Plan, Request, Step, Task};
use crate::arch::Architecture;
use crate::graph::{Graph, NodeId};
use crate::ops::{Activation, Bindings, Buf, Draw, Folded, Layer, Op, Role};

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
    request.look.iter().chain(&request.gradients).for_each(|&id| needed[id] = true);
    for id in (0..needed.len()).rev() {
        if needed[id] {
            net.graph.nodes()[id].inputs.iter().for_each(|&i| needed[i] = true);
        }
    }
    needed
}

/// Whether a node only renames its input's memory.
pub(super) fn is_view(op: &Op, training: bool) -> bool {
    matches!(op, Op::Flatten(_)) || matches!(op, Op::Dropout(_)) && !training
}

/// What a node's step does beside the node itself.
#[derive(Default)]
struct Epilogue {
    norm: Option<Folded>,
    residual: Option<Buf>,
    activation: Option<Activation>,
    /// The nodes that it does, in order; the step writes the last one's value.
    nodes: Vec<NodeId>,
}

/// What can be fused into `id`: an activation behind any layer; behind a convolution, in inference, also a batch norm and an addition
/// whose other branch is there already. Each the only consumer of the one before, and nobody looks at the value between or
/// wants its gradient.
fn epilogue(plan: &Plan, graph: &Graph, id: NodeId, needed: &[bool], request: &Request, output: NodeId) -> Epilogue {
    let nodes = graph.nodes();
    let mut found = Epilogue::default();
    if matches!(nodes[id].op, Op::Input(_) | Op::Activation(_)) || is_view(&nodes[id].op, plan.trains()) {
        return found;
    }
    let folds = matches!(nodes[id].op, Op::Conv2d(_)) && request.mode == Mode::Inference;
    let mut end = id;
    while end != output
        && !request.look.contains(&end)
        && !request.gradients.contains(&end)
        && found.activation.is_none()
    {
        let mut consumers = graph.consumers(end).filter(|&c| needed[c]);
        let (Some(next), None) = (consumers.next(), consumers.next()) else { break };
        match &nodes[next].op {
            Op::Activation(activation) => found.activation = Some(*activation),
            Op::BatchNorm2d(norm) if folds && end == id => {
                let first = graph.params_of(next).start;
                found.norm = Some(Folded { params: [0, 1, 2, 3].map(|i| Buf::Param(first + i)), eps: norm.eps });
            }
            Op::Add(_) if folds && found.residual.is_none() => {
                let other = nodes[next].inputs.iter().find(|&&i| i != end);
                let Some(value) = other.and_then(|&i| plan.values[i]) else { break };
                found.residual = Some(value);
            }
            _ => break,
        }
        found.nodes.push(next);
        end = next;
    }
    found
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
        if is_view(&node.op, plan.trains()) {
            plan.values[id] = plan.values[node.inputs[0]];
            continue;
        }
        let epilogue = epilogue(plan, graph, id, &needed, request, end);
        epilogue.nodes.iter().for_each(|&n| fused[n] = true);
        // With an epilogue the layer's step writes straight into the last one's buffer.
        let target = epilogue.nodes.last().copied().unwrap_or(id);
        let output = plan.buffer(graph.nodes()[target].name.clone(), request.batch * node.shape.len());
        plan.values[target] = Some(output);
        let saved = node.op.saved(&graph.input_shapes(id), node.shape);
        let saved =
            (saved > 0 && gradients).then(|| plan.buffer(format!("saved({})", node.name), request.batch * saved));
        let draw = matches!(node.op, Op::Dropout(_)).then(|| Draw { counter: plan.counter(), stream: id as u32 });
        let running = |p: &usize| matches!(graph.params()[*p].param.role, Role::Running(_));
        let updates = graph.params_of(id).filter(|_| request.mode == Mode::Training).filter(running);
        let bind = Bindings {
            // An input is missing only if it was fused away, and a fused value has no other reader.
            inputs: node.inputs.iter().filter_map(|&i| plan.values[i]).collect(),
            params: graph.params_of(id).map(Buf::Param).collect(),
            output: Some(output),
            saved,
            activation: epilogue.activation,
            norm: epilogue.norm,
            residual: epilogue.residual,
            updates: updates.map(Buf::Param).collect(),
            draw,
            ..Bindings::default()
        };
        plan.steps.push(Step { node: Some(id), task: Task::Forward(bind) });
    }
}
