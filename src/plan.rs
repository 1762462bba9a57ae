//! The plan: which steps compute what from which memory. Pure, printable data between a network and the hardware; both
//! executors run it. Knows graphs and ops; no device.
//!
//! | file | what |
//! |---|---|
//! | `forward.rs` | values, fusion of batch norm, addition and activation into the layer before |
//! | `backward.rs` | loss, gradients (adding where a value fans out), optimizer |
//! | `patch.rs` | what painters are told |

use crate::arch::Architecture;
use crate::graph::NodeId;
use crate::ops::{Bindings, Buf, Layer, Loss};
use std::fmt;

mod backward;
mod forward;
mod patch;

pub use patch::Patch;

/// What a plan is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Values only; dropout is off, batch norm takes its running statistics.
    #[default]
    Inference,
    /// Values, loss, gradients, one optimizer step.
    Training,
    /// Values, then the gradients that an upstream gradient written to [`Plan::upstream`] gives. Nothing is updated.
    Gradient {
        /// The node whose gradient the caller gives.
        of: NodeId,
        /// Train-mode layers (batch statistics, dropout) or inference-mode.
        training: bool,
    },
}

/// What to plan.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// Images at a time.
    pub batch: usize,
    /// What for.
    pub mode: Mode,
    /// Nodes that somebody looks at: their own value is materialised, not fused away.
    pub look: Vec<NodeId>,
    /// Whether the gradient with respect to the inputs is wanted too.
    pub input_gradient: bool,
    /// Nodes whose own gradient is wanted too: it is materialised, not fused away.
    pub gradients: Vec<NodeId>,
    /// Layers whose parameters' gradients are wanted; `None`: all. (A picture needs none, and VGG-16's take 552 MB.)
    pub layers: Option<Vec<NodeId>>,
}

impl Request {
    /// Inference of a batch, looking at some nodes.
    pub fn inference(batch: usize, look: &[NodeId]) -> Self {
        Self {
            batch,
            mode: Mode::Inference,
            look: look.to_vec(),
            input_gradient: false,
            gradients: Vec::new(),
            layers: None,
        }
    }

    /// Training on batches of this size.
    pub fn training(batch: usize) -> Self {
        Self { mode: Mode::Training, ..Self::inference(batch, &[]) }
    }

    /// All gradients, inputs' included, that an upstream gradient at `of` gives; `training`: as [`Mode::Gradient`].
    pub fn gradient(batch: usize, of: NodeId, training: bool) -> Self {
        Self { mode: Mode::Gradient { of, training }, input_gradient: true, ..Self::inference(batch, &[]) }
    }
}

/// A piece of the plan's memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// For the reader of a printed plan.
    pub label: String,
    /// f32 elements.
    pub len: usize,
}

/// What a step does.
#[derive(Clone, PartialEq, Debug)]
pub enum Task {
    /// One layer forward, perhaps with the activation after it.
    Forward(Bindings),
    /// One layer backward.
    Backward(Bindings),
    /// `into += from`: a value that fans out gathers its gradients.
    Accumulate {
        /// One contribution.
        from: Buf,
        /// The sum.
        into: Buf,
    },
    /// Mean loss over the batch, its gradient, and how many were right.
    Loss {
        /// Which.
        loss: Loss,
        /// Classes.
        classes: usize,
        /// batch×classes.
        output: Buf,
        /// batch class numbers, as f32.
        labels: Buf,
        /// Gradient of weight·mean loss with respect to `output`.
        grad: Buf,
        /// `[stats_at]`: mean loss, unweighted; `[stats_at + 1]`: images classified rightly.
        stats: Buf,
        /// Where in `stats`.
        stats_at: usize,
        /// Auxiliary heads count less.
        weight: f32,
    },
    /// One parameter's optimizer step (SGD with momentum and weight decay, as PyTorch).
    Update {
        /// The weights.
        param: Buf,
        /// Their momentum.
        momentum: Buf,
        /// Their gradient.
        grad: Buf,
        /// Elements of each.
        len: usize,
        /// `lr, momentum, weight_decay`: [`Plan::hyper`].
        hyper: Buf,
        /// `[stats_at..+3]`: sums of squares of gradient, weights before the update, and the update.
        stats: Buf,
        /// Where in `stats`.
        stats_at: usize,
    },
}

/// One step: a task, and the node it is for.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// For the reader, and for shapes.
    pub node: Option<NodeId>,
    /// What to do.
    pub task: Task,
}

/// Buffers and steps. Made once, run many times; nothing is allocated while it runs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// Images at a time.
    pub batch: usize,
    /// What for.
    pub mode: Mode,
    /// The plan's own memory.
    pub buffers: Vec<Buffer>,
    /// In order.
    pub steps: Vec<Step>,
    /// Where each node's value lies; `None`: fused away (or not needed).
    pub values: Vec<Option<Buf>>,
    /// Where each node's gradient lies (training and gradient mode); of a view (a flatten) where its input's lies. After a run only
    /// those of inputs and of [`Request::gradients`] are whole: others may have been overwritten on the way.
    pub gradients: Vec<Option<Buf>>,
    /// Where each parameter's gradient lies.
    pub param_gradients: Vec<Option<Buf>>,
    /// Where the caller writes inputs, in the order of the graph's input nodes.
    pub inputs: Vec<Buf>,
    /// Where the caller writes class numbers (training).
    pub labels: Option<Buf>,
    /// Where the caller writes `lr, momentum, weight_decay` (training).
    pub hyper: Option<Buf>,
    /// Where the caller writes a whole number below 2²⁴, another one each step, if there is dropout (training).
    pub counter: Option<Buf>,
    /// Where the caller writes the upstream gradient (gradient mode).
    pub upstream: Option<Buf>,
    /// `[loss, right]` of the output and of each auxiliary head, then three sums of squares a trained parameter (training).
    pub stats: Option<Buf>,
}

/// Numbers that [`Task::Loss`] leaves in `stats`.
pub const LOSS_STATS: usize = 2;
/// Numbers that [`Task::Update`] leaves in `stats`.
pub const UPDATE_STATS: usize = 3;

impl Plan {
    /// Plans `request` for a network.
    pub fn new(net: &Architecture, request: &Request) -> Self {
        let mut plan = Self::empty(net, request);
        forward::plan(&mut plan, net, request);
        backward::plan(&mut plan, net, request);
        plan
    }

    fn empty(net: &Architecture, request: &Request) -> Self {
        let nodes = net.graph.nodes().len();
        Self {
            batch: request.batch,
            mode: request.mode,
            values: vec![None; nodes],
            gradients: vec![None; nodes],
            param_gradients: vec![None; net.graph.params().len()],
            ..Self::default()
        }
    }

    /// The same without its buffers and steps: what is left of a plan whose memory was given back.
    pub fn emptied(&self) -> Self {
        Self { batch: self.batch, mode: self.mode, ..Self::default() }
    }

    fn buffer(&mut self, label: String, len: usize) -> Buf {
        self.buffers.push(Buffer { label, len });
        Buf::Local(self.buffers.len() - 1)
    }

    /// Where dropout finds the step's number.
    fn counter(&mut self) -> Buf {
        let found = self.counter.unwrap_or_else(|| self.buffer("counter".into(), 1));
        self.counter = Some(found);
        found
    }

    /// Elements of a plan buffer; `None` for a parameter's.
    pub fn local_len(&self, buf: Buf) -> Option<usize> {
        match buf {
            Buf::Local(i) => Some(self.buffers[i].len),
            Buf::Param(_) | Buf::Momentum(_) => None,
        }
    }

    /// Where a node's gradient lies, a view's included.
    pub fn gradient(&self, net: &Architecture, node: NodeId) -> Option<Buf> {
        self.gradients[backward::root(net, node, self.trains())]
    }

    /// Whether layers run as in training.
    pub fn trains(&self) -> bool {
        match self.mode {
            Mode::Inference => false,
            Mode::Training => true,
            Mode::Gradient { training, .. } => training,
        }
    }
}

impl Step {
    /// Buffers this step writes.
    pub fn writes(&self) -> Vec<Buf> {
        match &self.task {
            Task::Forward(bind) | Task::Backward(bind) => bind.writes().collect(),
            Task::Accumulate { into, .. } => vec![*into],
            Task::Loss { grad, stats, .. } => vec![*grad, *stats],
            Task::Update { param, momentum, stats, .. } => vec![*param, *momentum, *stats],
        }
    }

    /// Buffers this step reads and does not write.
    pub fn reads(&self) -> Vec<Buf> {
        let writes = self.writes();
        let all = match &self.task {
            Task::Forward(bind) | Task::Backward(bind) => bind.reads().collect(),
            Task::Accumulate { from, .. } => vec![*from],
            Task::Loss { output, labels, .. } => vec![*output, *labels],
            Task::Update { grad, hyper, .. } => vec![*grad, *hyper],
        };
        all.into_iter().filter(|b| !writes.contains(b)).collect()
    }
}

/// A plan with its network's names: `{}` prints a step a line.
pub struct Printed<'a>(pub &'a Plan, pub &'a Architecture);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(plan, net) = self;
        let name = |b: &Buf| match *b {
            Buf::Param(i) => net.graph.params()[i].name.clone(),
            Buf::Momentum(i) => format!("momentum({})", net.graph.params()[i].name),
            Buf::Local(i) => plan.buffers[i].label.clone(),
        };
        let list = |bufs: Vec<Buf>| bufs.iter().map(name).collect::<Vec<_>>().join(", ");
        writeln!(f, "{:?}, batch {}", plan.mode, plan.batch)?;
        for step in &plan.steps {
            let node = step.node.map(|id| &net.graph.nodes()[id]);
            let (what, extra) = match &step.task {
                Task::Forward(bind) => {
                    let norm = bind.norm.map(|_| "BatchNorm2d");
                    let add = bind.residual.map(|_| "Add");
                    ("forward", [norm, add, bind.activation.map(|a| a.name())])
                }
                Task::Backward(_) => ("backward", [None; 3]),
                Task::Accumulate { .. } => ("accumulate", [None; 3]),
                Task::Loss { .. } => ("loss", [None; 3]),
                Task::Update { .. } => ("update", [None; 3]),
            };
            let op = node.map_or(String::new(), |n| format!(" {} {}", n.name, n.op.name()));
            let plus: String = extra.into_iter().flatten().map(|name| format!(" + {name}")).collect();
            writeln!(f, "{what}{op}{plus}: {} <- {}", list(step.writes()), list(step.reads()))?;
        }
        for buffer in &plan.buffers {
            writeln!(f, "  {} [{}]", buffer.label, buffer.len)?;
        }
        Ok(())
    }
}
