//! The CPU executor: the fallback and the reference. Runs plans with the ops' own CPU code, in f32 (the page) or f64 (checks).
//! Knows plans and ops; no GPU, no clock.

use crate::arch::Architecture;
use crate::linalg::{Real, Scratch, Sgd, sgd, sum_sq};
use crate::ops::{Bindings, Buf, Layer, Loss, Memory, Op, Pass};
use crate::plan::{Plan, Task};
use crate::tensor::Shape;

pub mod paint;

/// A network's weights and momentum, and the plans prepared for it.
#[derive(Debug)]
pub struct Executor<T> {
    params: Vec<Vec<T>>,
    momentum: Vec<Vec<T>>,
    programs: Vec<Program<T>>,
    scratch: Scratch<T>,
    packing: Scratch<T>,
    written: Vec<Vec<T>>,
}

/// A plan with its memory.
#[derive(Debug)]
struct Program<T> {
    plan: Plan,
    locals: Vec<Vec<T>>,
    layers: Vec<Option<PlannedLayer>>,
    writes: Vec<Vec<Buf>>,
}

/// What a step needs of the graph.
#[derive(Debug)]
struct PlannedLayer {
    op: Op,
    inputs: Vec<Shape>,
    output: Shape,
}

/// A prepared plan, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgramId(usize);

impl<T: Real> Executor<T> {
    /// Takes the network's parameters, one vector each in the graph's order; momentum starts at zero, and takes room once a plan
    /// that trains is prepared.
    pub fn new(params: Vec<Vec<T>>) -> Self {
        Self {
            momentum: vec![Vec::new(); params.len()],
            params,
            programs: Vec::new(),
            scratch: Scratch::new(),
            packing: Scratch::new(),
            written: Vec::new(),
        }
    }

    /// Allocates a plan's memory. All that a run needs is allocated here or in its first run.
    pub fn prepare(&mut self, net: &Architecture, plan: Plan) -> ProgramId {
        if plan.hyper.is_some() {
            self.momentum();
        }
        let layers = plan.steps.iter().map(|step| {
            step.node.map(|id| {
                let node = &net.graph.nodes()[id];
                PlannedLayer { op: node.op.clone(), inputs: net.graph.input_shapes(id), output: node.shape }
            })
        });
        let program = Program {
            layers: layers.collect(),
            locals: plan.buffers.iter().map(|b| vec![T::ZERO; b.len]).collect(),
            writes: plan.steps.iter().map(|s| s.writes()).collect(),
            plan,
        };
        self.programs.push(program);
        ProgramId(self.programs.len() - 1)
    }

    /// Frees all prepared plans; their ids are void.
    pub fn clear(&mut self) {
        self.programs.clear();
    }

    /// Frees one prepared plan's memory; its id is void.
    pub fn release(&mut self, program: ProgramId) {
        if let Some(program) = self.programs.get_mut(program.0) {
            *program =
                Program { plan: program.plan.emptied(), locals: Vec::new(), layers: Vec::new(), writes: Vec::new() };
        }
    }

    /// The elements of a buffer.
    pub fn read(&self, program: ProgramId, buf: Buf) -> &[T] {
        let program = &self.programs[program.0];
        Memory { params: &self.params, momentum: &self.momentum, locals: &program.locals }.get(buf)
    }

    /// The elements of a buffer, to be overwritten.
    pub fn write(&mut self, program: ProgramId, buf: Buf) -> &mut [T] {
        slot(&mut self.params, &mut self.momentum, &mut self.programs[program.0].locals, buf)
    }

    /// All parameters.
    pub fn params(&mut self) -> &mut Vec<Vec<T>> {
        &mut self.params
    }

    /// The optimizer's momentum, a vector a parameter.
    pub fn momentum(&mut self) -> &mut Vec<Vec<T>> {
        for (momentum, param) in self.momentum.iter_mut().zip(&self.params) {
            momentum.resize(param.len(), T::ZERO);
        }
        &mut self.momentum
    }

    /// Momentum back to zero.
    pub fn rest(&mut self) {
        self.momentum.iter_mut().for_each(|momentum| momentum.fill(T::ZERO));
    }

    /// Runs a plan from its first step to its last.
    pub fn run(&mut self, program: ProgramId) {
        let Program { plan, locals, layers, writes } = &mut self.programs[program.0];
        for ((step, layer), writes) in plan.steps.iter().zip(layers).zip(writes.iter()) {
            // What the step writes is taken out of memory while it runs, so that all else can be read.
            for &buf in writes {
                self.written.push(std::mem::take(slot(&mut self.params, &mut self.momentum, locals, buf)));
            }
            let mem = Memory { params: &self.params, momentum: &self.momentum, locals };
            let out = &mut self.written;
            match (&step.task, layer) {
                (Task::Forward(bind), Some(layer)) => {
                    layer.op.forward(&mut pass(plan, layer, bind, mem, out, &mut self.scratch, &mut self.packing));
                }
                (Task::Backward(bind), Some(layer)) => {
                    layer.op.backward(&mut pass(plan, layer, bind, mem, out, &mut self.scratch, &mut self.packing));
                }
                (Task::Accumulate { from, .. }, _) => {
                    let into = &mut out[0];
                    for (into, &from) in into.iter_mut().zip(mem.get(*from)) {
                        *into += from;
                    }
                }
                (Task::Loss { loss, classes, output, labels, stats_at, weight, .. }, _) => {
                    let (grad, stats) = out.split_at_mut(1);
                    let found = self::loss(*loss, *classes, mem.get(*output), mem.get(*labels), *weight, &mut grad[0]);
                    stats[0][*stats_at..][..2].copy_from_slice(&found);
                }
                (Task::Update { grad, hyper, stats_at, .. }, _) => {
                    let [param, momentum, stats] = out.as_mut_slice() else { continue };
                    let (grad, hyper) = (mem.get(*grad), mem.get(*hyper));
                    let rule = Sgd { lr: hyper[0], momentum: hyper[1], weight_decay: hyper[2] };
                    let before = sum_sq(param);
                    sgd(param, momentum, grad, rule);
                    // The update is lr·momentum: its size needs no copy of the old weights.
                    let found = [sum_sq(grad), before, rule.lr * rule.lr * sum_sq(momentum)];
                    stats[*stats_at..][..3].copy_from_slice(&found);
                }
                (Task::Forward(_) | Task::Backward(_), None) => {}
            }
            for (&buf, data) in writes.iter().zip(self.written.drain(..)) {
                *slot(&mut self.params, &mut self.momentum, locals, buf) = data;
            }
        }
    }
}

fn slot<'a, T>(
    params: &'a mut [Vec<T>],
    momentum: &'a mut [Vec<T>],
    locals: &'a mut [Vec<T>],
    buf: Buf,
) -> &'a mut Vec<T> {
    match buf {
        Buf::Param(i) => &mut params[i],
        Buf::Momentum(i) => &mut momentum[i],
        Buf::Local(i) => &mut locals[i],
    }
}

fn pass<'a, T: Real>(
    plan: &Plan,
    layer: &'a PlannedLayer,
    bind: &'a Bindings,
    mem: Memory<'a, T>,
    out: &'a mut [Vec<T>],
    scratch: &'a mut Scratch<T>,
    packing: &'a mut Scratch<T>,
) -> Pass<'a, T> {
    let (inputs, output) = (layer.inputs.as_slice(), layer.output);
    Pass { batch: plan.batch, training: plan.trains(), inputs, output, bind, mem, out, scratch, packing }
}

/// Mean loss and images classified rightly; writes the gradient of `weight`·mean.
fn loss<T: Real>(loss: Loss, classes: usize, output: &[T], labels: &[T], weight: f32, grad: &mut [T]) -> [T; 2] {
    let share = T::from_f64(1.0 / labels.len() as f64);
    let scale = T::from_f32(weight) * share;
    let (mut total, mut right) = (T::ZERO, T::ZERO);
    let images = output.chunks_exact(classes).zip(grad.chunks_exact_mut(classes));
    for ((output, grad), label) in images.zip(labels) {
        let label = label.to_f64() as usize;
        total += loss.image(output, label, scale, grad);
        if loss.predict(output) == label {
            right += T::ONE;
        }
    }
    [total * share, right]
}
