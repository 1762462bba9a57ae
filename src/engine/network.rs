//! An opened network on an executor, and what can be seen of it for the picture it is shown. Knows plans and executors; no events.

use super::attribution::{Answered, Probe, Question};
use super::executor::{Executor, GpuError, Program};
use crate::arch::Architecture;
use crate::gpu::Canvas;
use crate::graph::NodeId;
use crate::ops::{Ask, Buf, Explanation, Kind, Layer};
use crate::plan::{Patch, Plan, Request};
use crate::protocol::{Palette, Scale, Source};
use crate::tensor::Unit;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A network, its weights where they are computed with, and the values of the picture shown.
#[derive(Debug)]
pub struct Network {
    /// The layers.
    pub net: Rc<Architecture>,
    /// Where it runs.
    pub executor: Executor,
    program: Option<Program>,
    looked_at: BTreeSet<NodeId>,
    painted: Vec<Source>,
    /// Nodes that may be painted next: the plan keeps their values, so that a look at them costs no run.
    kept: BTreeSet<NodeId>,
    /// Whether the program's buffers hold the values of the picture shown.
    ran: bool,
    asked_for: BTreeSet<NodeId>,
    input: Option<Vec<f32>>,
    values: BTreeMap<(bool, usize), Vec<f32>>,
    /// Whether painted tensors stay on the device.
    direct: bool,
    /// Tensors that the device has for the picture shown.
    on_device: BTreeSet<(bool, usize)>,
}

/// How a unit's value came about: nodes and explanations from the layer to the last pointwise layer after it, and the value.
pub type Told = (Vec<NodeId>, Vec<Explanation>, f32);

fn key(source: Source) -> (bool, usize) {
    match source {
        Source::Value(node) => (false, node),
        Source::Param(param) => (true, param),
    }
}

impl Network {
    /// Nothing shown, nothing looked at.
    pub fn new(net: Rc<Architecture>, executor: Executor) -> Self {
        Self {
            net,
            executor,
            program: None,
            looked_at: BTreeSet::new(),
            painted: Vec::new(),
            kept: BTreeSet::new(),
            ran: false,
            asked_for: BTreeSet::new(),
            input: None,
            values: BTreeMap::new(),
            direct: false,
            on_device: BTreeSet::new(),
        }
    }

    /// Goes on with another executor; its plans are to be made again.
    pub fn move_to(&mut self, executor: Executor) {
        self.executor = executor;
        self.program = None;
        self.forget();
    }

    fn forget(&mut self) {
        self.values.clear();
        self.on_device.clear();
        self.ran = false;
    }

    /// What it is shown; [`Network::compute`] computes it.
    pub fn show(&mut self, input: Option<Vec<f32>>) {
        self.input = input;
        self.asked_for.clear();
        self.forget();
    }

    /// What it is shown.
    pub fn input(&self) -> Option<&[f32]> {
        self.input.as_deref()
    }

    /// Whether it is shown anything.
    pub fn sees(&self) -> bool {
        self.input.is_some()
    }

    /// Which tensors are painted: these are there after each [`Network::compute`]; with `direct` on the device alone, for
    /// [`Network::paint`]. Those in `kept` may be painted next.
    pub fn look(&mut self, painted: Vec<Source>, kept: BTreeSet<NodeId>, direct: bool) {
        (self.painted, self.kept, self.direct) = (painted, kept, direct);
    }

    /// Whether all that is painted has been computed, as far as it can be.
    pub fn is_painted(&self) -> bool {
        let there = |s: &Source| match self.direct {
            true => self.on_device.contains(&key(*s)),
            false => self.value(*s).is_some(),
        };
        self.painted.iter().all(|s| there(s) || matches!(s, Source::Value(_)) && !self.sees())
    }

    /// A map of a painted tensor for [`Network::paint`], if the device has it: `offset` elements in, its rows and columns;
    /// coloured on its own scale or its tensor's.
    pub fn patch(&self, source: Source, offset: usize, [rows, cols]: [usize; 2], scale: Scale) -> Option<Patch> {
        let plan = &self.program.as_ref().filter(|_| self.on_device.contains(&key(source)))?.plan;
        let (buf, len) = match source {
            Source::Value(node) => (plan.values[node]?, self.net.graph.nodes()[node].shape.len()),
            Source::Param(param) => (Buf::Param(param), self.net.graph.params()[param].param.len()),
        };
        let end = offset.checked_add(rows.checked_mul(cols)?)?;
        let scale = match scale {
            Scale::Map => offset..end,
            Scale::Layer => 0..len,
        };
        (end <= len && offset < end).then_some(Patch { buf, offset, rows, cols, at: [0.0; 4], scale })
    }

    /// Paints patches on a canvas of the GPU.
    ///
    /// # Errors
    /// As [`Executor::paint`].
    pub fn paint(&mut self, canvas: &mut Canvas, patches: &[Patch], palette: Palette) -> Result<(), GpuError> {
        match &self.program {
            Some(program) => self.executor.paint(canvas, program, patches, palette),
            None => Ok(()),
        }
    }

    /// Whether there is such a tensor.
    pub fn has(&self, source: Source) -> bool {
        match source {
            Source::Value(node) => node < self.net.graph.nodes().len(),
            Source::Param(param) => param < self.net.graph.params().len(),
        }
    }

    /// Its dimensions.
    pub fn dimensions(&self, source: Source) -> Vec<usize> {
        match source {
            Source::Value(node) => <[usize; 3]>::from(self.net.graph.nodes()[node].shape).to_vec(),
            Source::Param(param) => self.net.graph.params()[param].param.shape.clone(),
        }
    }

    /// A tensor as it was when last computed; `None`: not computed (nothing shown, or nobody looked).
    pub fn value(&self, source: Source) -> Option<&[f32]> {
        self.values.get(&key(source)).map(Vec::as_slice)
    }

    /// The output for the picture shown.
    pub fn output(&self) -> Option<&[f32]> {
        self.value(Source::Value(self.net.output))
    }

    /// Runs the network on the picture shown and reads what is looked at, `also` included, in one read-back.
    ///
    /// # Errors
    /// What the GPU says; the CPU has none.
    pub async fn compute(&mut self, also: &[Source]) -> Result<(), GpuError> {
        self.ran = false;
        self.reread(also).await
    }

    /// Reads what is looked at, `also` included; runs the network only if its buffers do not hold it.
    ///
    /// # Errors
    /// What the GPU says; the CPU has none.
    pub async fn reread(&mut self, also: &[Source]) -> Result<(), GpuError> {
        let mut sources: BTreeSet<(bool, usize)> = also.iter().map(|&s| key(s)).collect();
        sources.insert(key(Source::Value(self.net.output)));
        sources.extend(self.asked_for.iter().map(|&node| (false, node)));
        let painted: BTreeSet<(bool, usize)> = self.painted.iter().map(|&s| key(s)).collect();
        if !self.direct {
            sources.extend(&painted);
        }
        let wanted = sources.union(&painted);
        let mut nodes: BTreeSet<NodeId> = wanted.filter(|(param, _)| !param).map(|&(_, node)| node).collect();
        nodes.extend(&self.kept);
        let program = match self.program.take() {
            Some(program) if nodes.is_subset(&self.looked_at) => program,
            old => {
                if let Some(old) = old {
                    self.executor.release(old);
                }
                let look: Vec<NodeId> = nodes.iter().copied().collect();
                let plan = Plan::new(&self.net, &Request::inference(1, &look));
                self.looked_at = nodes;
                self.ran = false;
                self.executor.prepare(&self.net, plan)?
            }
        };
        let program = self.program.insert(program);
        if let Some(input) = self.input.as_ref().filter(|_| !self.ran) {
            if let Some(&into) = program.plan.inputs.first() {
                self.executor.write(program, into, input)?;
            }
            self.executor.run(program)?;
            self.ran = true;
        }
        let seen = self.input.is_some();
        let place = |(param, i): (bool, usize)| {
            let buf = if param { Some(Buf::Param(i)) } else { program.plan.values[i].filter(|_| seen) };
            buf.map(|buf| ((param, i), buf))
        };
        self.on_device = painted.iter().filter_map(|&key| place(key)).map(|(key, _)| key).collect();
        let places = sources.iter().filter_map(|&key| place(key));
        let (keys, bufs): (Vec<_>, Vec<Buf>) = places.unzip();
        let read = self.executor.read(program, &bufs).await?;
        self.values = keys.into_iter().zip(read).collect();
        Ok(())
    }

    /// Sees to it that a tensor's values are there, if they can be.
    ///
    /// # Errors
    /// As [`Network::compute`].
    pub async fn fetch(&mut self, source: Source) -> Result<Option<&[f32]>, GpuError> {
        if self.value(source).is_none() {
            if let Source::Value(node) = source {
                self.asked_for.insert(node);
            }
            self.compute(&[source]).await?;
        }
        Ok(self.value(source))
    }

    /// Gradients for the picture shown: `upstream` (c×h×w) is that of the node `of`; of `nodes` value and gradient are told, of `layers`
    /// the parameters' gradients. `None`: nothing is shown. For more than one run, a [`Probe`].
    ///
    /// # Errors
    /// As [`Probe::run`].
    pub async fn gradients(
        &mut self,
        of: NodeId,
        upstream: &[f32],
        nodes: &[NodeId],
        layers: &[NodeId],
    ) -> Result<Option<Answered>, GpuError> {
        let Some(input) = &self.input else { return Ok(None) };
        let question = Question { batch: 1, of, nodes: nodes.to_vec(), layers: layers.to_vec() };
        let probe = Probe::new(&self.net, &mut self.executor, &question)?;
        let answered = probe.run(&mut self.executor, input, upstream).await;
        probe.release(&mut self.executor);
        answered.map(Some)
    }

    /// A node with the pointwise layers that lead to it from the last layer that is none, in order.
    fn chain(&self, node: NodeId) -> Vec<NodeId> {
        let nodes = self.net.graph.nodes();
        let mut chain = vec![node];
        while let [.., first] = chain[..]
            && matches!(nodes[first].op.kind(), Kind::Activation | Kind::Normalisation)
            && let [before] = nodes[first].inputs[..]
        {
            chain.push(before);
        }
        chain.reverse();
        chain
    }

    /// The loss of an output for a class, and its gradient with respect to one unit of each node that [`Network::explain`] tells of.
    /// Auxiliary heads have no part in it. `None`: nothing is shown. Where the output does not depend on the node (an auxiliary head's)
    /// the gradient is 0.
    ///
    /// # Errors
    /// As [`Network::compute`].
    pub async fn deltas(
        &mut self,
        node: NodeId,
        unit: Unit,
        output: &[f32],
        class: usize,
    ) -> Result<Option<(f32, Vec<f32>)>, GpuError> {
        // In f64: of a class that the network is sure of, f32 would leave neither loss nor gradient.
        let exact: Vec<f64> = output.iter().map(|&v| v.into()).collect();
        let mut upstream = vec![0.0; output.len()];
        let loss = self.net.loss.image(&exact, class, 1.0, &mut upstream) as f32;
        let upstream: Vec<f32> = upstream.into_iter().map(|v| v as f32).collect();
        let chain = self.chain(node);
        let Some(told) = self.gradients(self.net.output, &upstream, &chain, &[]).await? else { return Ok(None) };
        let index = self.net.graph.nodes()[node].shape.index(unit);
        let deltas = told.gradients.iter().map(|g| g.get(index).copied().unwrap_or(0.0)).collect();
        Ok(Some((loss, deltas)))
    }

    /// How a unit's value comes about, with weights and values of one moment; `None`: nothing is shown.
    ///
    /// # Errors
    /// As [`Network::compute`].
    pub async fn explain(&mut self, node: NodeId, unit: Unit) -> Result<Option<Told>, GpuError> {
        let net = self.net.clone();
        let nodes = net.graph.nodes();
        let chain = self.chain(node);
        let base = chain[0];
        self.asked_for.extend(chain.iter().chain(&nodes[base].inputs));
        let weights: Vec<Source> = chain.iter().flat_map(|&id| net.graph.params_of(id)).map(Source::Param).collect();
        self.compute(&weights).await?;
        let mut told = Vec::new();
        for &id in &chain {
            let sources: Vec<NodeId> = if nodes[id].inputs.is_empty() { vec![id] } else { nodes[id].inputs.clone() };
            let shapes: Vec<_> = sources.iter().map(|&i| nodes[i].shape).collect();
            let inputs: Option<Vec<&[f32]>> = sources.iter().map(|&i| self.value(Source::Value(i))).collect();
            let params: Option<Vec<&[f32]>> = net.graph.params_of(id).map(|i| self.value(Source::Param(i))).collect();
            let (Some(inputs), Some(params)) = (inputs, params) else { return Ok(None) };
            let ask = Ask { inputs: &inputs, shapes: &shapes, params: &params, output: nodes[id].shape, unit };
            told.push(nodes[id].op.explain(&ask).scaled(&ask));
        }
        let value = self.value(Source::Value(node)).and_then(|v| v.get(nodes[node].shape.index(unit)).copied());
        Ok(value.map(|value| (chain, told, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::variant;

    #[test]
    fn a_look_at_what_is_kept_costs_no_run() {
        let net = Rc::new(variant("lenet5").unwrap().build().unwrap());
        let (size, params) = (net.graph.nodes()[0].shape.len(), net.initial(3));
        let [c1, s2, c3] = ["c1", "s2", "c3"].map(|name| net.graph.find(name).unwrap());
        let mut network = Network::new(net.clone(), Executor::cpu(params));
        network.show(Some(vec![0.5; size]));
        network.look(vec![Source::Value(c1)], BTreeSet::from([s2]), false);
        pollster::block_on(network.compute(&[])).unwrap();
        let output = network.output().unwrap().to_vec();
        assert!(network.value(Source::Value(s2)).is_none(), "kept, not read");
        network.input = Some(vec![-0.5; size]); // another run would give other values
        network.look(vec![Source::Value(s2)], BTreeSet::from([c1]), false);
        pollster::block_on(network.reread(&[])).unwrap();
        assert!(network.is_painted() && network.value(Source::Value(c1)).is_none());
        assert_eq!(network.output().unwrap(), output, "it did not run");
        // What was fused away was not computed: for it the network runs.
        network.look(vec![Source::Value(c3)], BTreeSet::new(), false);
        pollster::block_on(network.reread(&[])).unwrap();
        assert_ne!(network.output().unwrap(), output);
    }
}
