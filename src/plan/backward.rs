//! The backward half of a plan: loss, gradients in reverse order, optimizer. Rules only produce gradients; this walk alone
//! adds where a value fans out.

use super::forward::is_view;
use super::{LOSS_STATS, Mode, Plan, Request, Step, Task, UPDATE_STATS};
use crate::arch::Architecture;
use crate::graph::NodeId;
use crate::ops::{Bindings, Buf, Op};

pub(super) fn plan(plan: &mut Plan, net: &Architecture, request: &Request) {
    match request.mode {
        Mode::Inference => {}
        Mode::Training => {
            losses(plan, net, request);
            walk(plan, net, request);
            update(plan, net);
        }
        Mode::Gradient { of, .. } => {
            let len = request.batch * net.graph.nodes()[of].shape.len();
            let upstream = plan.buffer(format!("upstream({})", net.graph.nodes()[of].name), len);
            plan.upstream = Some(upstream);
            let root = root(net, of, plan.trains());
            plan.gradients[root] = Some(upstream);
            walk(plan, net, request);
        }
    }
}

/// The node whose memory this one's value is.
pub(super) fn root(net: &Architecture, mut id: NodeId, training: bool) -> NodeId {
    while is_view(&net.graph.nodes()[id].op, training) {
        id = net.graph.nodes()[id].inputs[0];
    }
    id
}

fn losses(plan: &mut Plan, net: &Architecture, request: &Request) {
    let heads: Vec<(NodeId, f32)> = [(net.output, 1.0)].into_iter().chain(net.auxiliary.iter().copied()).collect();
    let trained = net.graph.params().iter().filter(|p| p.param.trained()).count();
    let labels = plan.buffer("labels".into(), request.batch);
    let stats = plan.buffer("stats".into(), heads.len() * LOSS_STATS + trained * UPDATE_STATS);
    plan.labels = Some(labels);
    plan.stats = Some(stats);
    for (i, (id, weight)) in heads.into_iter().enumerate() {
        let node = &net.graph.nodes()[id];
        let grad = plan.buffer(format!("grad({})", node.name), request.batch * node.shape.len());
        let root = root(net, id, plan.trains());
        plan.gradients[root] = Some(grad);
        let Some(output) = plan.values[id] else { continue };
        plan.steps.push(Step {
            node: Some(id),
            task: Task::Loss {
                loss: net.loss,
                classes: node.shape.len(),
                output,
                labels,
                grad,
                stats,
                stats_at: i * LOSS_STATS,
                weight,
            },
        });
    }
}

/// Whether the gradients of this layer's parameters are wanted.
fn learns(request: &Request, id: NodeId) -> bool {
    request.layers.as_ref().is_none_or(|layers| layers.contains(&id))
}

/// Nodes whose gradient leads to something wanted: a trained parameter, an input, a node.
fn wanted(net: &Architecture, request: &Request, training: bool) -> Vec<bool> {
    let mut wanted = vec![false; net.graph.nodes().len()];
    request.gradients.iter().for_each(|&id| wanted[root(net, id, training)] = true);
    for (id, node) in net.graph.nodes().iter().enumerate() {
        let trains = net.graph.params()[net.graph.params_of(id)].iter().any(|p| p.param.trained());
        let input = matches!(node.op, Op::Input(_)) && request.input_gradient;
        wanted[id] |= trains && learns(request, id) || input || node.inputs.iter().any(|&i| wanted[i]);
    }
    wanted
}

fn walk(plan: &mut Plan, net: &Architecture, request: &Request) {
    let training = plan.trains();
    let wanted = wanted(net, request, training);
    let kept = |id: NodeId| request.gradients.iter().any(|&k| root(net, k, training) == id);
    let forward: Vec<Step> = plan.steps.iter().filter(|s| matches!(s.task, Task::Forward(_))).cloned().collect();
    let mut contributions: Vec<Buf> = Vec::new(); // reused: one for each input position
    for step in forward.iter().rev() {
        let (Some(id), Task::Forward(bind)) = (step.node, &step.task) else { continue };
        let node = &net.graph.nodes()[id];
        // A fused step's value is its activation's.
        let value = plan.values.iter().position(|v| *v == bind.output && v.is_some()).unwrap_or(id);
        let Some(mut upstream) = plan.gradients[root(net, value, training)] else { continue };
        if let Some(activation) = bind.activation {
            // In place, unless somebody else needs the gradient after the activation.
            let before = if kept(value) {
                plan.buffer(format!("grad({})", node.name), request.batch * node.shape.len())
            } else {
                upstream
            };
            let chain = Bindings {
                output: bind.output,
                grad_output: Some(upstream),
                grad_inputs: vec![Some(before)],
                ..Bindings::default()
            };
            upstream = before;
            let activation_node =
                net.graph.consumers(id).find(|&c| net.graph.nodes()[c].op == Op::Activation(activation));
            plan.steps.push(Step { node: activation_node, task: Task::Backward(chain) });
        }
        let mut sums = Vec::new();
        let mut grad_inputs = Vec::new();
        for (k, &input) in node.inputs.iter().enumerate() {
            let source = root(net, input, training);
            if !wanted[source] {
                grad_inputs.push(None);
                continue;
            }
            let len = request.batch * net.graph.nodes()[source].shape.len();
            if let Some(sum) = plan.gradients[source] {
                // Somebody has written there already: this contribution goes aside and is added.
                while contributions.len() <= k {
                    let buf = plan.buffer(format!("contribution {}", contributions.len()), 0);
                    contributions.push(buf);
                }
                if let Buf::Local(i) = contributions[k] {
                    plan.buffers[i].len = plan.buffers[i].len.max(len);
                }
                grad_inputs.push(Some(contributions[k]));
                sums.push(Task::Accumulate { from: contributions[k], into: sum });
            } else {
                let grad = plan.buffer(format!("grad({})", net.graph.nodes()[source].name), len);
                plan.gradients[source] = Some(grad);
                grad_inputs.push(Some(grad));
            }
        }
        let mut grad_params = Vec::new();
        for p in net.graph.params_of(id) {
            let param = &net.graph.params()[p];
            plan.param_gradients[p] = (param.param.trained() && learns(request, id))
                .then(|| plan.buffer(format!("grad({})", param.name), param.param.len()));
            grad_params.push(plan.param_gradients[p]);
        }
        if grad_inputs.iter().chain(&grad_params).all(Option::is_none) {
            continue;
        }
        let backward = Bindings {
            activation: None,
            updates: Vec::new(),
            grad_output: Some(upstream),
            grad_inputs,
            grad_params,
            ..bind.clone()
        };
        plan.steps.push(Step { node: Some(id), task: Task::Backward(backward) });
        plan.steps.extend(sums.into_iter().map(|task| Step { node: None, task }));
    }
}

fn update(plan: &mut Plan, net: &Architecture) {
    let hyper = plan.buffer("hyper".into(), 3);
    plan.hyper = Some(hyper);
    let Some(stats) = plan.stats else { return };
    let mut stats_at = (1 + net.auxiliary.len()) * LOSS_STATS;
    for (p, param) in net.graph.params().iter().enumerate() {
        if !param.param.trained() {
            continue;
        }
        if let Some(grad) = plan.param_gradients[p] {
            plan.steps.push(Step {
                node: Some(param.node),
                task: Task::Update {
                    param: Buf::Param(p),
                    momentum: Buf::Momentum(p),
                    grad,
                    len: param.param.len(),
                    hyper,
                    stats,
                    stats_at,
                },
            });
        }
        stats_at += UPDATE_STATS;
    }
}
