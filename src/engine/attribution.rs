//! Gradients of a value inside a network with respect to others, its input first of all: what a unit or a class depends on, for one
//! picture and the weights as they are. Knows plans and executors; no events, no page.

use super::executor::{Executor, GpuError, Program};
use crate::arch::Architecture;
use crate::graph::NodeId;
use crate::ops::{Buf, Loss, Readout};
use crate::plan::{Plan, Request};
use crate::tensor::Shape;

/// What a [`Probe`] measures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// Pictures at a time.
    pub batch: usize,
    /// Whose upstream gradient is given.
    pub of: NodeId,
    /// Nodes whose gradient and value are wanted; at or before `of`.
    pub nodes: Vec<NodeId>,
    /// Layers whose parameters' gradients are wanted.
    pub layers: Vec<NodeId>,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answered {
    /// Values of [`Question::nodes`], batch×c×h×w each.
    pub values: Vec<Vec<f32>>,
    /// Their gradients, of the same shapes; empty where `of` does not depend on the node.
    pub gradients: Vec<Vec<f32>>,
    /// Gradients of the trained parameters of [`Question::layers`]: place in the graph, elements. Summed over the batch.
    pub params: Vec<(usize, Vec<f32>)>,
}

/// A plan that answers a [`Question`], prepared once and run for as many pictures and upstream gradients as one likes. Layers run as in
/// inference: dropout is off, batch norms take their running statistics.
#[derive(Debug)]
pub struct Probe {
    program: Program,
    values: Vec<Option<Buf>>,
    gradients: Vec<Option<Buf>>,
    params: Vec<(usize, Buf)>,
}

impl Probe {
    /// Plans and allocates it: values and gradients of all that lies between, gradients of parameters only where asked for.
    ///
    /// # Errors
    /// As [`Executor::prepare`].
    pub fn new(net: &Architecture, executor: &mut Executor, question: &Question) -> Result<Self, GpuError> {
        let Question { batch, of, nodes, layers } = question;
        let request = Request {
            input_gradient: nodes.contains(&net.graph.source()),
            look: nodes.clone(),
            gradients: nodes.clone(),
            layers: Some(layers.clone()),
            ..Request::gradient(*batch, *of, false)
        };
        let program = executor.prepare(net, Plan::new(net, &request))?;
        let plan = &program.plan;
        let params = layers.iter().flat_map(|&layer| net.graph.params_of(layer));
        Ok(Self {
            values: nodes.iter().map(|&node| plan.values[node]).collect(),
            gradients: nodes.iter().map(|&node| plan.gradient(net, node)).collect(),
            params: params.filter_map(|p| Some((p, plan.param_gradients[p]?))).collect(),
            program,
        })
    }

    /// Runs it: `input` batch×c×h×w of the network's input, `upstream` batch×c×h×w of the node asked about.
    ///
    /// # Errors
    /// As [`Executor::write`], [`Executor::run`] and [`Executor::read`].
    pub async fn run(&self, executor: &mut Executor, input: &[f32], upstream: &[f32]) -> Result<Answered, GpuError> {
        let plan = &self.program.plan;
        for (buf, data) in plan.inputs.first().into_iter().zip([input]) {
            executor.write(&self.program, *buf, data)?;
        }
        // Each time: a run computes the gradient before an activation in the memory of the one after it.
        for (buf, data) in plan.upstream.into_iter().zip([upstream]) {
            executor.write(&self.program, buf, data)?;
        }
        executor.run(&self.program)?;
        let params = self.params.iter().map(|(_, buf)| *buf);
        let bufs: Vec<Buf> = self.values.iter().chain(&self.gradients).flatten().copied().chain(params).collect();
        let mut read = executor.read(&self.program, &bufs).await?.into_iter();
        let mut take = |bufs: &[Option<Buf>]| -> Vec<Vec<f32>> {
            bufs.iter().map(|buf| buf.and_then(|_| read.next()).unwrap_or_default()).collect()
        };
        let (values, gradients) = (take(&self.values), take(&self.gradients));
        Ok(Answered { values, gradients, params: self.params.iter().map(|(p, _)| *p).zip(read).collect() })
    }

    /// Gives its memory back.
    pub fn release(self, executor: &mut Executor) {
        executor.release(self.program);
    }
}

/// The largest magnitude of each pixel's gradient over the channels (Simonyan, Vedaldi, Zisserman: "Deep Inside Convolutional Networks",
/// 2014, §3.1). `gradient`: c×h×w; the result h×w.
pub fn saliency(gradient: &[f32], shape: Shape) -> Vec<f32> {
    per_pixel(shape, |i, most: f32| most.max(gradient[i].abs()))
}

/// Gradient × input of each pixel, summed over the channels: the first-order part of the score. Both c×h×w; the result h×w.
pub fn gradient_times_input(gradient: &[f32], input: &[f32], shape: Shape) -> Vec<f32> {
    per_pixel(shape, |i, sum| sum + gradient[i] * input[i])
}

/// Σ g² of each pixel over the channels. `gradient`: c×h×w; the result h×w.
pub fn energy(gradient: &[f32], shape: Shape) -> Vec<f32> {
    per_pixel(shape, |i, sum| gradient[i].mul_add(gradient[i], sum))
}

fn per_pixel(shape: Shape, join: impl Fn(usize, f32) -> f32) -> Vec<f32> {
    let map = shape.map();
    (0..map).map(|p| (0..shape.c).fold(0.0, |so_far, c| join(c * map + p, so_far))).collect()
}

/// Grad-CAM (Selvaraju et al., ICCV 2017, eq. 1 and 2): the node's maps, each weighted by the mean of its gradient, summed, and what is
/// negative cut off. Both c×h×w; the result h×w.
pub fn grad_cam(values: &[f32], gradient: &[f32], shape: Shape) -> Vec<f32> {
    let map = shape.map();
    let mut out = vec![0.0f32; map];
    for (values, gradient) in values.chunks_exact(map).zip(gradient.chunks_exact(map)) {
        let weight = gradient.iter().sum::<f32>() / map as f32;
        out.iter_mut().zip(values).for_each(|(out, value)| *out += weight * value);
    }
    out.iter_mut().for_each(|v| *v = v.max(0.0));
    out
}

/// The gradient of a class's score with respect to the output: the score is its logit, or its distance negated, so that more is likelier.
pub fn score_gradient(loss: Loss, classes: usize, class: usize) -> Vec<f32> {
    let sign = match loss.readout() {
        Readout::Probabilities => 1.0,
        Readout::Distances => -1.0,
    };
    (0..classes).map(|i| if i == class { sign } else { 0.0 }).collect()
}

/// Covers a picture (c×h×w) with a patch: `side` pixels square in the middle of the `stride`×`stride` pixels of place `at`
/// (row, column), cut at the edges, all channels 0 — which in a normalised picture is the mean of the data, grey.
pub fn cover(picture: &mut [f32], shape: Shape, side: usize, stride: usize, at: [usize; 2]) {
    let range = |at: usize, size: usize| {
        let middle = 2 * at * stride + stride; // in half pixels
        (middle.saturating_sub(side) / 2).min(size)..((middle + side) / 2).min(size)
    };
    let (rows, cols) = (range(at[0], shape.h), range(at[1], shape.w));
    for map in picture.chunks_exact_mut(shape.map().max(1)) {
        for row in rows.clone() {
            map[row * shape.w..][cols.clone()].fill(0.0);
        }
    }
}
