//! CPU or GPU behind one interface. Knows plans and both executors; no session, no protocol but the backend's name.

use crate::arch::Architecture;
use crate::colormap::Palette;
use crate::ops::Buf;
use crate::plan::{Patch, Plan};
use crate::protocol::Backend;
use crate::{cpu, gpu};
use std::future::Future;
use std::pin::Pin;

pub use crate::gpu::GpuError;

/// An answer that is there at once (CPU) or comes (GPU); it owns what it needs.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, GpuError>>>>;

/// A network's weights and momentum, and the plans prepared for it.
#[derive(Debug)]
pub enum Executor {
    /// WebAssembly or native code. Boxed: an executor is moved when the engine is switched.
    Cpu(Box<CpuExecutor>),
    /// WebGPU.
    Gpu(Box<gpu::Executor>),
}

/// The CPU's, and the statistics of the training steps since they were last collected.
#[derive(Debug)]
pub struct CpuExecutor {
    executor: cpu::Executor<f32>,
    captured: Vec<Vec<f32>>,
}

/// A prepared plan, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProgramId {
    /// On the CPU.
    Cpu(cpu::ProgramId),
    /// On the GPU.
    Gpu(gpu::ProgramId),
}

/// A plan prepared for one executor. The plan says where things lie.
#[derive(Clone, Debug)]
pub struct Program {
    /// The plan.
    pub plan: Plan,
    id: ProgramId,
}

/// A program of the other executor: a fault of ours, told as one rather than panicking.
fn strange() -> GpuError {
    GpuError::Device("a program was prepared for the other engine".into())
}

fn ready<T: 'static>(value: Result<T, GpuError>) -> Answer<T> {
    Box::pin(std::future::ready(value))
}

impl Executor {
    /// On the CPU, with these parameters (one vector each, in the graph's order); momentum starts at zero.
    pub fn cpu(params: Vec<Vec<f32>>) -> Self {
        Self::Cpu(Box::new(CpuExecutor { executor: cpu::Executor::new(params), captured: Vec::new() }))
    }

    /// On a GPU, with these parameters; momentum starts at zero.
    ///
    /// # Errors
    /// As [`gpu::Executor::new`].
    pub fn gpu(gpu: gpu::Gpu, params: &[Vec<f32>]) -> Result<Self, GpuError> {
        Ok(Self::Gpu(Box::new(gpu::Executor::new(gpu, params)?)))
    }

    /// Which it is.
    pub fn backend(&self) -> Backend {
        match self {
            Self::Cpu(_) => Backend::Cpu,
            Self::Gpu(_) => Backend::Gpu,
        }
    }

    /// Allocates a plan's memory, and on the GPU compiles its kernels.
    ///
    /// # Errors
    /// As [`gpu::Executor::prepare`]; the CPU has none.
    pub fn prepare(&mut self, net: &Architecture, plan: Plan) -> Result<Program, GpuError> {
        let id = match self {
            Self::Cpu(cpu) => ProgramId::Cpu(cpu.executor.prepare(net, plan.clone())),
            Self::Gpu(gpu) => ProgramId::Gpu(gpu.prepare(net, plan.clone())?),
        };
        Ok(Program { plan, id })
    }

    /// Gives a program's memory back.
    pub fn release(&mut self, program: Program) {
        match (self, program.id) {
            (Self::Cpu(cpu), ProgramId::Cpu(id)) => cpu.executor.release(id),
            (Self::Gpu(gpu), ProgramId::Gpu(id)) => gpu.release(id),
            _ => {}
        }
    }

    /// Writes the first `data.len()` elements of a buffer.
    ///
    /// # Errors
    /// Where `data` is longer than the buffer.
    pub fn write(&mut self, program: &Program, buf: Buf, data: &[f32]) -> Result<(), GpuError> {
        match (self, program.id) {
            (Self::Cpu(cpu), ProgramId::Cpu(id)) => {
                let into = cpu.executor.write(id, buf);
                let len = into.len();
                let into = into.get_mut(..data.len()).ok_or_else(|| {
                    GpuError::Device(format!("{} elements do not fit into the {len} of {buf:?}", data.len()))
                })?;
                into.copy_from_slice(data);
                Ok(())
            }
            (Self::Gpu(gpu), ProgramId::Gpu(id)) => gpu.write(id, buf, data),
            _ => Err(strange()),
        }
    }

    /// Runs a plan (the GPU returns before it has finished).
    ///
    /// # Errors
    /// What the device reported since the last call.
    pub fn run(&mut self, program: &Program) -> Result<(), GpuError> {
        match (self, program.id) {
            (Self::Cpu(cpu), ProgramId::Cpu(id)) => {
                cpu.executor.run(id);
                Ok(())
            }
            (Self::Gpu(gpu), ProgramId::Gpu(id)) => gpu.run(id),
            _ => Err(strange()),
        }
    }

    /// Runs a training plan and keeps its statistics for [`Executor::collect`].
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn step(&mut self, program: &Program) -> Result<(), GpuError> {
        match (self, program.id) {
            (Self::Cpu(cpu), ProgramId::Cpu(id)) => {
                cpu.executor.run(id);
                if let Some(stats) = program.plan.stats {
                    let stats = cpu.executor.read(id, stats).to_vec();
                    cpu.captured.push(stats);
                }
                Ok(())
            }
            (Self::Gpu(gpu), ProgramId::Gpu(id)) => gpu.step_capture(id),
            _ => Err(strange()),
        }
    }

    /// The statistics of each [`Executor::step`] since the last call, oldest first.
    pub fn collect(&mut self, program: &Program) -> Answer<Vec<Vec<f32>>> {
        match (self, program.id) {
            (Self::Cpu(cpu), ProgramId::Cpu(_)) => ready(Ok(std::mem::take(&mut cpu.captured))),
            (Self::Gpu(gpu), ProgramId::Gpu(id)) => Box::pin(gpu.collect(id)),
            _ => ready(Err(strange())),
        }
    }

    /// The elements of some buffers, in one read-back, after all that was run before.
    pub fn read(&self, program: &Program, bufs: &[Buf]) -> Answer<Vec<Vec<f32>>> {
        match (self, program.id) {
            (Self::Cpu(cpu), ProgramId::Cpu(id)) => {
                ready(Ok(bufs.iter().map(|&buf| cpu.executor.read(id, buf).to_vec()).collect()))
            }
            (Self::Gpu(gpu), ProgramId::Gpu(id)) => Box::pin(gpu.read(id, bufs)),
            _ => ready(Err(strange())),
        }
    }

    /// Paints maps on a canvas of the GPU's, from its own buffers.
    ///
    /// # Errors
    /// As [`gpu::Executor::layout`] and [`gpu::Executor::paint`].
    pub fn paint(
        &mut self,
        canvas: &mut gpu::Canvas,
        program: &Program,
        patches: &[Patch],
        palette: Palette,
    ) -> Result<(), GpuError> {
        let (Self::Gpu(gpu), ProgramId::Gpu(id)) = (self, program.id) else { return Err(strange()) };
        gpu.layout(canvas, id, patches, palette)?;
        gpu.paint(canvas)
    }

    /// All parameters, in the graph's order.
    pub fn params(&mut self) -> Answer<Vec<Vec<f32>>> {
        match self {
            Self::Cpu(cpu) => ready(Ok(cpu.executor.params().clone())),
            Self::Gpu(gpu) => Box::pin(gpu.params()),
        }
    }

    /// The optimizer's momentum, in the graph's order.
    pub fn momentum(&mut self) -> Answer<Vec<Vec<f32>>> {
        match self {
            Self::Cpu(cpu) => ready(Ok(cpu.executor.momentum().clone())),
            Self::Gpu(gpu) => Box::pin(gpu.momentum()),
        }
    }

    /// Replaces parameters and momentum; both must have the network's lengths. No momentum at all: zero.
    ///
    /// # Errors
    /// As [`gpu::Executor::set`].
    pub fn set(&mut self, params: &[Vec<f32>], momentum: &[Vec<f32>]) -> Result<(), GpuError> {
        match self {
            Self::Cpu(cpu) => {
                cpu.executor.params().clone_from_slice(params);
                if momentum.is_empty() {
                    cpu.executor.rest();
                } else {
                    cpu.executor.momentum().clone_from_slice(momentum);
                }
                Ok(())
            }
            Self::Gpu(gpu) => gpu.set(params, momentum),
        }
    }
}
