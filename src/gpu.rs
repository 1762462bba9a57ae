//! The GPU executor: runs plans on wgpu (WebGPU in the page, Vulkan natively). Together with `gpu/` the only place that names
//! wgpu. Knows plans and what layers lower to; no CPU executor, no clock.
//!
//! | file | what |
//! |---|---|
//! | `lower.rs` | a plan as dispatches, pure |
//! | `shaders.rs` | the WGSL files |
//! | `device.rs` | getting a device; its errors |
//! | `paint.rs` | feature maps onto canvases |
//! | `readback.rs` | staging buffers and their futures |

use crate::arch::Architecture;
use crate::ops::Buf;
use crate::ops::lower::{Access, Dispatch, Lowered, Slot, pieces};
use crate::plan::Plan;
use readback::Pool;
use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;

mod device;
pub mod lower;
mod paint;
mod readback;
pub mod shaders;

pub use device::{AdapterInfo, Gpu, GpuError};
pub use paint::Canvas;

/// Steps whose statistics fit into one staging buffer: [`Executor::step_capture`].
const CAPTURES: u64 = 64;

/// A network's weights and momentum on a device, and the plans prepared for it.
#[derive(Debug)]
pub struct Executor {
    gpu: Gpu,
    params: Vec<Memory>,
    momentum: Vec<Memory>,
    programs: Vec<Option<Program>>,
    pool: Pool,
    /// Which of the device's executors: programs are numbered in each.
    number: u64,
    /// Counts the changes of parameters, from 1.
    version: Cell<u64>,
}

type PipelineKey = (&'static str, &'static str, Vec<(&'static str, u32)>);

/// What has been compiled on a device, for all networks opened there: a large kernel takes a browser up to half a second.
#[derive(Debug, Default)]
struct Compiled {
    modules: HashMap<&'static str, wgpu::ShaderModule>,
    pipelines: HashMap<PipelineKey, wgpu::ComputePipeline>,
    brushes: paint::BrushBox,
    /// Executors made so far.
    executors: u64,
}

/// A buffer and how many of its elements count; the memory itself is padded to whole vec4. A parameter too large for one binding
/// lies in several, [`pieces`] of equal length.
#[derive(Clone, Debug)]
struct Memory {
    buffer: wgpu::Buffer,
    more: Vec<wgpu::Buffer>,
    len: usize,
}

impl Memory {
    /// Its buffers, with the elements that each holds.
    fn pieces(&self) -> impl Iterator<Item = (&wgpu::Buffer, usize)> {
        let each = self.len / (1 + self.more.len());
        std::iter::once(&self.buffer).chain(&self.more).map(move |buffer| (buffer, each))
    }
}

/// A plan ready to run.
#[derive(Debug)]
struct Program {
    plan: Plan,
    locals: Vec<Memory>,
    /// Those that prepare parameters, and the [`Executor::version`] that they last prepared.
    once: Vec<Kernel>,
    prepared: Cell<u64>,
    kernels: Vec<Kernel>,
    /// Whether a run changes parameters.
    trains: bool,
    captures: Vec<(wgpu::Buffer, u64)>, // full ones first; with how many steps each holds
}

#[derive(Debug)]
struct Kernel {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 3],
}

/// A prepared plan, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgramId(usize);

impl Executor {
    /// Takes the network's parameters, one slice each in the graph's order; momentum starts at zero, and takes room once a plan that
    /// trains is prepared.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] where a parameter does not fit into one binding.
    pub fn new(gpu: Gpu, params: &[Vec<f32>]) -> Result<Self, GpuError> {
        let mut executor = Self {
            params: Vec::new(),
            momentum: Vec::new(),
            programs: Vec::new(),
            pool: Pool::default(),
            number: {
                let mut compiled = gpu.compiled.borrow_mut();
                compiled.executors += 1;
                compiled.executors
            },
            version: Cell::new(1),
            gpu,
        };
        for (i, data) in params.iter().enumerate() {
            let memory = executor.parameter(&format!("parameter {i}"), data.len())?;
            executor.upload(&memory, data);
            executor.params.push(memory);
        }
        Ok(executor)
    }

    /// Makes the momentum, zero, unless it is there.
    fn make_momentum(&mut self) -> Result<(), GpuError> {
        for i in self.momentum.len()..self.params.len() {
            let momentum = self.parameter(&format!("momentum {i}"), self.params[i].len)?;
            self.momentum.push(momentum);
        }
        Ok(())
    }

    /// The device it runs on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Elements that one binding holds.
    fn limit(&self) -> usize {
        (self.gpu.largest_binding() / 16 * 4) as usize
    }

    fn memory(&self, label: &str, len: usize) -> Result<Memory, GpuError> {
        let bytes = (len as u64 * 4).next_multiple_of(16).max(16);
        let limit = self.gpu.largest_binding();
        if bytes > limit {
            return Err(GpuError::TooLarge { label: label.to_string(), bytes, limit });
        }
        // Zero from the start, says WebGPU.
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size: bytes, usage, mapped_at_creation: false };
        Ok(Memory { buffer: self.gpu.device.create_buffer(&descriptor), more: Vec::new(), len })
    }

    /// Memory that may lie in pieces.
    fn parameter(&self, label: &str, len: usize) -> Result<Memory, GpuError> {
        let pieces = pieces(len, self.limit());
        let mut memory = self.memory(label, len / pieces)?;
        for _ in 1..pieces {
            memory.more.push(self.memory(label, len / pieces)?.buffer);
        }
        Ok(Memory { len, ..memory })
    }

    fn upload(&self, memory: &Memory, data: &[f32]) {
        let mut rest = data;
        for (buffer, each) in memory.pieces() {
            let (now, later) = rest.split_at(each.min(rest.len()));
            self.gpu.queue.write_buffer(buffer, 0, bytemuck::cast_slice(now));
            rest = later;
        }
    }

    /// Allocates a plan's memory and compiles its kernels; those compiled before are used again.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`], or what the device says of a kernel.
    pub fn prepare(&mut self, net: &Architecture, plan: Plan) -> Result<ProgramId, GpuError> {
        if plan.hyper.is_some() {
            self.make_momentum()?;
        }
        let lowered = lower::lower(net, &plan, self.limit());
        let locals = plan.buffers.iter().map(|b| self.memory(&b.label, b.len)).collect::<Result<Vec<_>, _>>()?;
        let [once, kernels] = self.kernels(&lowered, &locals)?;
        let changed =
            |(slot, access): &(Slot, Access)| matches!(slot, Slot::Buf(Buf::Param(_))) && *access == Access::Write;
        let trains = lowered.dispatches.iter().flat_map(|d| &d.buffers).any(changed);
        let (prepared, captures) = (Cell::new(0), Vec::new());
        self.programs.push(Some(Program { plan, locals, once, prepared, kernels, trains, captures }));
        self.gpu.check()?;
        Ok(ProgramId(self.programs.len() - 1))
    }

    /// The kernels that prepare parameters, and all others.
    fn kernels(&self, lowered: &Lowered, locals: &[Memory]) -> Result<[Vec<Kernel>; 2], GpuError> {
        let mut workspaces = Vec::new();
        for (i, &len) in lowered.workspaces.iter().enumerate() {
            workspaces.push(self.memory(&format!("workspace {i}"), len)?);
        }
        let mut kept = Vec::new();
        for (i, &len) in lowered.kept.iter().enumerate() {
            kept.push(self.memory(&format!("prepared {i}"), len)?);
        }
        let mut constants = Vec::new();
        for (i, data) in lowered.constants.iter().enumerate() {
            let memory = self.memory(&format!("constant {i}"), data.len())?;
            self.upload(&memory, data);
            constants.push(memory);
        }
        // All uniforms in one buffer, each at an offset that the device accepts.
        let align = self.gpu.device.limits().min_uniform_buffer_offset_alignment as usize;
        let size = |d: &Dispatch| (d.uniform.len() * 4).next_multiple_of(16);
        let mut bytes = vec![0u8; lowered.dispatches.iter().map(|d| size(d).next_multiple_of(align)).sum()];
        let mut at = 0;
        for dispatch in &lowered.dispatches {
            let words: &[u8] = bytemuck::cast_slice(&dispatch.uniform);
            bytes[at..at + words.len()].copy_from_slice(words);
            at += size(dispatch).next_multiple_of(align);
        }
        let uniforms = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("uniforms"),
            size: bytes.len().max(16) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.gpu.queue.write_buffer(&uniforms, 0, &bytes);

        let (mut once, mut kernels) = (Vec::new(), Vec::new());
        let mut at = 0;
        for dispatch in &lowered.dispatches {
            let pipeline = self.pipeline(dispatch)?;
            let uniform = wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &uniforms,
                    offset: at as u64,
                    size: wgpu::BufferSize::new(size(dispatch) as u64),
                }),
            };
            at += size(dispatch).next_multiple_of(align);
            let of = |buf| match buf {
                Buf::Param(i) => &self.params[i],
                Buf::Momentum(i) => &self.momentum[i],
                Buf::Local(i) => &locals[i],
            };
            let mut buffers = Vec::new();
            for (slot, _) in &dispatch.buffers {
                let memory = match *slot {
                    Slot::Buf(buf) | Slot::Piece(buf, _) => of(buf),
                    Slot::Workspace(i) => &workspaces[i],
                    Slot::Constant(i) => &constants[i],
                    Slot::Kept(i) => &kept[i],
                };
                let piece = match *slot {
                    Slot::Piece(_, piece) => memory.pieces().nth(piece).map(|(buffer, _)| buffer),
                    _ => memory.more.is_empty().then_some(&memory.buffer),
                };
                // A layer that knows no pieces (all but the linear one, forward).
                let (label, limit) = (format!("{} {}", dispatch.shader, dispatch.entry), self.gpu.largest_binding());
                buffers.push(piece.ok_or(GpuError::TooLarge { label, bytes: memory.len as u64 * 4, limit })?);
            }
            let storage = buffers
                .into_iter()
                .zip(1..)
                .map(|(buffer, binding)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
            let entries: Vec<_> = std::iter::once(uniform).chain(storage).collect();
            let bindings = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(dispatch.entry),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            let list = if dispatch.once { &mut once } else { &mut kernels };
            list.push(Kernel { pipeline, bindings, workgroups: dispatch.workgroups });
        }
        Ok([once, kernels])
    }

    fn pipeline(&self, dispatch: &Dispatch) -> Result<wgpu::ComputePipeline, GpuError> {
        let key = (dispatch.shader, dispatch.entry, dispatch.constants.clone());
        let compiled = &mut *self.gpu.compiled.borrow_mut();
        if let Some(pipeline) = compiled.pipelines.get(&key) {
            return Ok(pipeline.clone());
        }
        let device = &self.gpu.device;
        if !compiled.modules.contains_key(dispatch.shader) {
            let Some(source) = shaders::source(dispatch.shader) else {
                return Err(GpuError::Device(format!("there is no shader {}", dispatch.shader)));
            };
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(dispatch.shader),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            compiled.modules.insert(dispatch.shader, module);
        }
        let entry = |read_only| wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only },
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let storage = dispatch.buffers.iter().map(|(_, access)| entry(*access == Access::Read));
        let entries: Vec<_> = std::iter::once(uniform)
            .chain(storage)
            .zip(0..)
            .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty,
                count: None,
            })
            .collect();
        let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(dispatch.entry),
            entries: &entries,
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(dispatch.entry),
            bind_group_layouts: &[Some(&group)],
            immediate_size: 0,
        });
        let constants: Vec<_> = dispatch.constants.iter().map(|&(name, value)| (name, f64::from(value))).collect();
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(dispatch.entry),
            layout: Some(&layout),
            module: &compiled.modules[dispatch.shader],
            entry_point: Some(dispatch.entry),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
            cache: None,
        });
        compiled.pipelines.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    /// Frees all prepared plans; their ids are void. Compiled kernels stay.
    pub fn clear(&mut self) {
        self.programs.iter_mut().for_each(|p| *p = None);
    }

    /// Frees one prepared plan's memory; its id is void.
    pub fn release(&mut self, id: ProgramId) {
        if let Some(program) = self.programs.get_mut(id.0) {
            *program = None;
        }
    }

    fn program(&self, id: ProgramId) -> Result<&Program, GpuError> {
        let program = self.programs.get(id.0).and_then(Option::as_ref);
        program.ok_or_else(|| GpuError::Device(format!("program {} is not prepared", id.0)))
    }

    fn find(&self, program: ProgramId, buf: Buf) -> Result<&Memory, GpuError> {
        let found = match buf {
            Buf::Param(i) => self.params.get(i),
            Buf::Momentum(i) => self.momentum.get(i),
            Buf::Local(i) => self.program(program)?.locals.get(i),
        };
        found.ok_or_else(|| GpuError::Device(format!("there is no buffer {buf:?}")))
    }

    /// Writes the first `data.len()` elements of a buffer; runs submitted later see them.
    ///
    /// # Errors
    /// [`GpuError::Device`] where there is no such buffer, or it is shorter.
    pub fn write(&self, program: ProgramId, buf: Buf, data: &[f32]) -> Result<(), GpuError> {
        let memory = self.find(program, buf)?;
        if data.len() > memory.len {
            let problem = format!("{} elements do not fit into the {} of {buf:?}", data.len(), memory.len);
            return Err(GpuError::Device(problem));
        }
        self.upload(memory, data);
        if matches!(buf, Buf::Param(_)) {
            self.version.update(|v| v + 1);
        }
        Ok(())
    }

    fn encode(&self, program: &Program) -> wgpu::CommandEncoder {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            let fresh = program.prepared.replace(self.version.get()) == self.version.get();
            let once = program.once.iter().filter(|_| !fresh);
            for kernel in once.chain(&program.kernels) {
                let [x, y, z] = kernel.workgroups;
                pass.set_pipeline(&kernel.pipeline);
                pass.set_bind_group(0, &kernel.bindings, &[]);
                pass.dispatch_workgroups(x, y, z);
            }
        }
        if program.trains {
            self.version.update(|v| v + 1);
        }
        encoder
    }

    /// Submits one run of a plan and returns at once.
    ///
    /// # Errors
    /// What the device reported since the last call.
    pub fn run(&self, program: ProgramId) -> Result<(), GpuError> {
        let encoder = self.encode(self.program(program)?);
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.check()
    }

    /// Submits one run of a training plan and keeps its statistics for [`Executor::collect`]; returns at once.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub fn step_capture(&mut self, id: ProgramId) -> Result<(), GpuError> {
        let program = self.program(id)?;
        let Some(Buf::Local(stats)) = program.plan.stats else { return self.run(id) };
        let stats = program.locals[stats].clone();
        let bytes = stats.len as u64 * 4;
        let mut encoder = self.encode(program);
        let full = program.captures.last().is_none_or(|(_, steps)| *steps == CAPTURES);
        let fresh = full.then(|| readback::staging(&self.gpu, &self.pool, bytes * CAPTURES));
        let Some(Some(program)) = self.programs.get_mut(id.0) else { return Ok(()) };
        program.captures.extend(fresh.map(|buffer| (buffer, 0)));
        if let Some((buffer, steps)) = program.captures.last_mut() {
            encoder.copy_buffer_to_buffer(&stats.buffer, 0, buffer, *steps * bytes, bytes);
            *steps += 1;
        }
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.check()
    }

    /// The statistics of each step captured since the last call, oldest first. The future owns what it needs: the executor is free
    /// to run on while it waits.
    pub fn collect(&mut self, id: ProgramId) -> impl Future<Output = Result<Vec<Vec<f32>>, GpuError>> + use<> {
        let program = self.programs.get_mut(id.0).and_then(Option::as_mut);
        let (captures, len) = program.map_or((Vec::new(), 0), |program| {
            let len = program.plan.stats.and_then(|buf| program.plan.local_len(buf)).unwrap_or(0);
            (std::mem::take(&mut program.captures), len)
        });
        let (gpu, pool) = (self.gpu.clone(), self.pool.clone());
        async move {
            let mut steps = Vec::new();
            for (buffer, count) in captures {
                let data = readback::read(gpu.clone(), pool.clone(), buffer, count * len as u64 * 4).await?;
                steps.extend(data.chunks_exact(len.max(1)).map(<[f32]>::to_vec));
            }
            Ok(steps)
        }
    }

    /// The elements of some buffers, in one read-back, as they are after all that was submitted before this call. The future owns
    /// what it needs.
    pub fn read(
        &self,
        program: ProgramId,
        bufs: &[Buf],
    ) -> impl Future<Output = Result<Vec<Vec<f32>>, GpuError>> + use<> {
        let submitted = self.submit_read(program, bufs);
        let (gpu, pool) = (self.gpu.clone(), self.pool.clone());
        async move {
            let (buffer, lens) = submitted?;
            let total: usize = lens.iter().sum();
            let data = readback::read(gpu, pool, buffer, total as u64 * 4).await?;
            let mut rest = data.as_slice();
            let mut out = Vec::with_capacity(lens.len());
            for len in lens {
                let (head, tail) = rest.split_at(len);
                out.push(head.to_vec());
                rest = tail;
            }
            Ok(out)
        }
    }

    fn submit_read(&self, program: ProgramId, bufs: &[Buf]) -> Result<(wgpu::Buffer, Vec<usize>), GpuError> {
        let memories = bufs.iter().map(|&buf| self.find(program, buf)).collect::<Result<Vec<_>, _>>()?;
        let lens: Vec<usize> = memories.iter().map(|m| m.len).collect();
        let buffer = readback::staging(&self.gpu, &self.pool, lens.iter().sum::<usize>() as u64 * 4);
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut at = 0;
        for (piece, each) in memories.into_iter().flat_map(Memory::pieces) {
            let bytes = each as u64 * 4;
            encoder.copy_buffer_to_buffer(piece, 0, &buffer, at, bytes);
            at += bytes;
        }
        self.gpu.queue.submit([encoder.finish()]);
        Ok((buffer, lens))
    }

    /// All parameters, in the graph's order.
    pub fn params(&self) -> impl Future<Output = Result<Vec<Vec<f32>>, GpuError>> + use<> {
        let bufs: Vec<Buf> = (0..self.params.len()).map(Buf::Param).collect();
        self.read(ProgramId(0), &bufs)
    }

    /// The optimizer's momentum, in the graph's order; zero where nothing has trained.
    pub fn momentum(&self) -> impl Future<Output = Result<Vec<Vec<f32>>, GpuError>> + use<> {
        let bufs: Vec<Buf> = (0..self.momentum.len()).map(Buf::Momentum).collect();
        let rest: Vec<usize> = self.params[bufs.len()..].iter().map(|p| p.len).collect();
        let read = self.read(ProgramId(0), &bufs);
        async move {
            let mut momentum = read.await?;
            momentum.extend(rest.into_iter().map(|len| vec![0.0; len]));
            Ok(momentum)
        }
    }

    /// Replaces parameters and momentum; no momentum at all: zero.
    ///
    /// # Errors
    /// [`GpuError::Device`] where one is longer than the network's.
    pub fn set(&mut self, params: &[Vec<f32>], momentum: &[Vec<f32>]) -> Result<(), GpuError> {
        for (i, data) in params.iter().enumerate() {
            self.write(ProgramId(0), Buf::Param(i), data)?;
        }
        if !momentum.is_empty() {
            self.make_momentum()?;
        }
        let zero = |memory: &Memory| vec![0.0; memory.len];
        let rest: Vec<Vec<f32>> = self.momentum.iter().skip(momentum.len()).map(zero).collect();
        for (i, data) in momentum.iter().chain(&rest).enumerate() {
            self.write(ProgramId(0), Buf::Momentum(i), data)?;
        }
        Ok(())
    }
}
