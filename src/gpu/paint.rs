//! Painting feature maps straight from value buffers onto a canvas: no pixel and no value travels. Knows rectangles of
//! elements; no network, no page.

use super::device::{Gpu, GpuError};
use super::{Executor, Memory, ProgramId, readback, shaders};
use crate::colormap::Palette;
use crate::ops::lower::spread;
use crate::plan::Patch;
use std::collections::HashMap;
use std::future::Future;

/// Where to paint: a canvas of the page, or a texture that can be read back.
#[derive(Debug)]
pub struct Canvas {
    target: Target,
    size: [u32; 2],
    format: wgpu::TextureFormat,
    picture: Option<Picture>,
    /// What `picture` was made from.
    laid: Option<(u64, ProgramId, Vec<Patch>, Palette)>,
}

#[derive(Debug)]
enum Target {
    #[cfg(target_arch = "wasm32")]
    Surface(wgpu::Surface<'static>, wgpu::SurfaceConfiguration),
    Texture(wgpu::Texture),
}

/// What is painted, ready to be encoded: made once a layout, used every frame.
#[derive(Debug)]
struct Picture {
    reductions: Vec<(wgpu::BindGroup, [u32; 3])>,
    draws: Vec<(wgpu::BindGroup, std::ops::Range<u32>)>,
}

/// Pipelines for one format of canvas.
#[derive(Clone, Debug)]
pub(super) struct Brushes {
    magnitude: wgpu::ComputePipeline,
    colour: wgpu::RenderPipeline,
    /// Layouts of their bind groups.
    layouts: [wgpu::BindGroupLayout; 2],
}

fn texture(gpu: &Gpu, [width, height]: [u32; 2]) -> wgpu::Texture {
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("canvas"),
        size: wgpu::Extent3d { width: width.max(1), height: height.max(1), depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

impl Canvas {
    /// A canvas that nobody sees, for [`Executor::pixels`].
    pub fn offscreen(gpu: &Gpu, size: [u32; 2]) -> Self {
        let target = Target::Texture(texture(gpu, size));
        Self { target, size, format: wgpu::TextureFormat::Rgba8Unorm, picture: None, laid: None }
    }

    /// A canvas of the page, transferred to this worker.
    ///
    /// # Errors
    /// [`GpuError::Device`] where the canvas gives no WebGPU context (it has another one already, say).
    #[cfg(target_arch = "wasm32")]
    pub fn of_page(gpu: &Gpu, canvas: web_sys::OffscreenCanvas) -> Result<Self, GpuError> {
        let size = [canvas.width().max(1), canvas.height().max(1)];
        let surface = gpu
            .instance
            .create_surface(wgpu::SurfaceTarget::OffscreenCanvas(canvas))
            .map_err(|e| GpuError::Device(e.to_string()))?;
        let Some(mut settings) = surface.get_default_config(&gpu.wgpu_adapter, size[0], size[1]) else {
            return Err(GpuError::Device("the canvas cannot be painted by this GPU".into()));
        };
        // Colours are given as sRGB bytes: no conversion wanted.
        settings.format = settings.format.remove_srgb_suffix();
        let modes = surface.get_capabilities(&gpu.wgpu_adapter).alpha_modes;
        if modes.contains(&wgpu::CompositeAlphaMode::PreMultiplied) {
            settings.alpha_mode = wgpu::CompositeAlphaMode::PreMultiplied;
        }
        surface.configure(&gpu.device, &settings);
        gpu.check()?;
        let format = settings.format;
        Ok(Self { target: Target::Surface(surface, settings), size, format, picture: None, laid: None })
    }

    /// Width and height in device pixels.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Another size in device pixels. What was to be painted is forgotten.
    pub fn resize(&mut self, gpu: &Gpu, size: [u32; 2]) {
        (self.picture, self.laid) = (None, None);
        if size == self.size {
            return;
        }
        self.size = size;
        match &mut self.target {
            #[cfg(target_arch = "wasm32")]
            Target::Surface(surface, settings) => {
                (settings.width, settings.height) = (size[0].max(1), size[1].max(1));
                surface.configure(&gpu.device, settings);
            }
            Target::Texture(old) => *old = texture(gpu, size),
        }
    }
}

impl Canvas {
    fn present(&self, gpu: &Gpu, draw: impl FnOnce(&wgpu::Texture) -> wgpu::CommandBuffer) -> Result<(), GpuError> {
        match &self.target {
            #[cfg(target_arch = "wasm32")]
            Target::Surface(surface, _) => {
                use wgpu::CurrentSurfaceTexture::{Suboptimal, Success};
                let texture = match surface.get_current_texture() {
                    Success(texture) | Suboptimal(texture) => texture,
                    other => return Err(GpuError::Device(format!("the canvas gave no texture: {other:?}"))),
                };
                gpu.queue.submit([draw(&texture.texture)]);
                gpu.queue.present(texture);
            }
            Target::Texture(texture) => drop(gpu.queue.submit([draw(texture)])),
        }
        gpu.check()
    }

    /// Fills it with one colour, 0 to 1 each: whether a canvas can be painted at all is tried with that.
    ///
    /// # Errors
    /// As [`Executor::paint`].
    pub fn fill(&self, gpu: &Gpu, [r, g, b]: [f64; 3]) -> Result<(), GpuError> {
        let colour = wgpu::Color { r, g, b, a: 1.0 };
        self.present(gpu, |texture| {
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            drop(begin(&mut encoder, &texture.create_view(&Default::default()), colour));
            encoder.finish()
        })
    }
}

/// A render pass on a canvas, from this colour.
fn begin<'a>(
    encoder: &'a mut wgpu::CommandEncoder,
    view: &wgpu::TextureView,
    colour: wgpu::Color,
) -> wgpu::RenderPass<'a> {
    let ops = wgpu::Operations { load: wgpu::LoadOp::Clear(colour), store: wgpu::StoreOp::Store };
    let attachment = wgpu::RenderPassColorAttachment { view, depth_slice: None, resolve_target: None, ops };
    encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        label: Some("paint"),
        color_attachments: &[Some(attachment)],
        ..Default::default()
    })
}

impl Executor {
    /// Decides what [`Executor::paint`] paints on a canvas from now on, until the next call.
    ///
    /// # Errors
    /// [`GpuError::Device`] for a buffer that does not exist or elements beyond its end.
    pub fn layout(
        &mut self,
        canvas: &mut Canvas,
        program: ProgramId,
        patches: &[Patch],
        palette: Palette,
    ) -> Result<(), GpuError> {
        let same = |(executor, id, laid, p): &(u64, ProgramId, Vec<Patch>, Palette)| {
            *executor == self.number && *id == program && laid == patches && *p == palette
        };
        if canvas.laid.as_ref().is_some_and(same) {
            return Ok(());
        }
        (canvas.picture, canvas.laid) = (None, None);
        // Rectangles and scales of one buffer go together: they share its binding.
        let mut order: Vec<&Patch> = patches.iter().filter(|p| p.rows * p.cols > 0).collect();
        order.sort_by_key(|p| (p.buf, p.scale.start, p.scale.end));
        for patch in &order {
            let memory = self.find(program, patch.buf)?;
            // Only the first piece of a parameter in pieces could be painted: nobody shows matrices of that size.
            let len = memory.pieces().next().map_or(0, |(_, each)| each);
            let end = patch.scale.end.max(patch.offset + patch.rows * patch.cols);
            if end > len {
                return Err(GpuError::Device(format!("{:?} has {len} elements, not {end}", patch.buf)));
            }
        }
        if order.is_empty() {
            return Ok(());
        }
        let brushes = self.brushes(canvas.format)?;
        let mut ranges: Vec<[u32; 2]> = Vec::new();
        let mut rects: Vec<u32> = Vec::new();
        let mut groups: Vec<(Memory, [u32; 4])> = Vec::new(); // first range and rectangle, how many of each
        for chunk in order.chunk_by(|a, b| a.buf == b.buf) {
            let (first_range, first_rect) = (ranges.len() as u32, rects.len() as u32 / 8);
            for patch in chunk {
                let range = [patch.scale.start as u32, patch.scale.len() as u32];
                if ranges.len() as u32 == first_range || ranges.last() != Some(&range) {
                    ranges.push(range);
                }
                rects.extend(patch.at.map(f32::to_bits));
                rects.extend([patch.offset, patch.rows, patch.cols, ranges.len() - 1].map(|v| v as u32));
            }
            let counts = [first_range, first_rect, ranges.len() as u32 - first_range, chunk.len() as u32];
            groups.push((self.find(program, chunk[0].buf)?.clone(), counts));
        }
        let buffer = |label, usage, words: &[u32]| {
            let size = (words.len() as u64 * 4).next_multiple_of(16).max(16);
            let usage = usage | wgpu::BufferUsages::COPY_DST;
            let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
            let buffer = self.gpu.device.create_buffer(&descriptor);
            self.gpu.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(words));
            buffer
        };
        let storage = wgpu::BufferUsages::STORAGE;
        let ranges_buffer = buffer("ranges", storage, bytemuck::cast_slice(&ranges));
        let scales = buffer("scales", storage, &vec![0; ranges.len()]);
        let rects = buffer("rectangles", storage, &rects);
        let mut frame: Vec<u32> = Vec::new();
        for [r, g, b] in palette.anchors() {
            frame.extend([*r, *g, *b, 255].map(|v| (f32::from(v) / 255.0).to_bits()));
        }
        frame.extend(canvas.size.map(|v| (v as f32).to_bits()));
        let frame = buffer("frame", wgpu::BufferUsages::UNIFORM, &frame);
        let bind = |layout, buffers: [&wgpu::Buffer; 4]| {
            let entries: Vec<_> = (0..)
                .zip(buffers)
                .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
                .collect();
            let descriptor = wgpu::BindGroupDescriptor { label: Some("paint"), layout, entries: &entries };
            self.gpu.device.create_bind_group(&descriptor)
        };
        let [reduce, draw] = &brushes.layouts;
        let mut picture = Picture { reductions: Vec::new(), draws: Vec::new() };
        for (memory, [first_range, first_rect, ranges, count]) in groups {
            let first = buffer("first", wgpu::BufferUsages::UNIFORM, &[first_range]);
            let bindings = bind(reduce, [&first, &memory.buffer, &ranges_buffer, &scales]);
            picture.reductions.push((bindings, spread(ranges as usize)));
            let bindings = bind(draw, [&frame, &memory.buffer, &rects, &scales]);
            picture.draws.push((bindings, first_rect..first_rect + count));
        }
        canvas.picture = Some(picture);
        canvas.laid = Some((self.number, program, patches.to_vec(), palette));
        self.gpu.check()
    }

    /// Paints what [`Executor::layout`] decided, with the values as they are after all that was submitted before. Where there is
    /// nothing, the canvas is transparent.
    ///
    /// # Errors
    /// What the device reported; a canvas that gives no texture at the moment.
    pub fn paint(&mut self, canvas: &Canvas) -> Result<(), GpuError> {
        let brushes = self.brushes(canvas.format)?;
        canvas.present(&self.gpu, |texture| self.draw(&brushes, canvas, texture))
    }

    fn draw(&self, brushes: &Brushes, canvas: &Canvas, texture: &wgpu::Texture) -> wgpu::CommandBuffer {
        let view = texture.create_view(&Default::default());
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        if let Some(picture) = &canvas.picture {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&brushes.magnitude);
            for (bindings, [x, y, z]) in &picture.reductions {
                pass.set_bind_group(0, bindings, &[]);
                pass.dispatch_workgroups(*x, *y, *z);
            }
        }
        {
            let mut pass = begin(&mut encoder, &view, wgpu::Color::TRANSPARENT);
            if let Some(picture) = &canvas.picture {
                pass.set_pipeline(&brushes.colour);
                for (bindings, instances) in &picture.draws {
                    pass.set_bind_group(0, bindings, &[]);
                    pass.draw(0..4, instances.clone());
                }
            }
        }
        encoder.finish()
    }

    /// The pixels of an offscreen canvas, RGBA, row by row; `None` for a canvas of the page.
    pub fn pixels(&self, canvas: &Canvas) -> Option<impl Future<Output = Result<Vec<u8>, GpuError>> + use<>> {
        #[cfg(target_arch = "wasm32")]
        let Target::Texture(texture) = &canvas.target else { return None };
        #[cfg(not(target_arch = "wasm32"))]
        let Target::Texture(texture) = &canvas.target;
        let [width, height] = canvas.size;
        let row = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let bytes = u64::from(row) * u64::from(height);
        let buffer = readback::staging(&self.gpu, &self.pool, bytes);
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        let into = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(texture.as_image_copy(), into, texture.size());
        self.gpu.queue.submit([encoder.finish()]);
        let (gpu, pool) = (self.gpu.clone(), self.pool.clone());
        Some(async move {
            let data = readback::read_bytes(gpu, pool, buffer, bytes).await?;
            Ok(data.chunks_exact(row as usize).flat_map(|r| &r[..width as usize * 4]).copied().collect())
        })
    }

    fn brushes(&self, format: wgpu::TextureFormat) -> Result<Brushes, GpuError> {
        let brushes = self.gpu.compiled.borrow().brushes.get(&format).cloned();
        if let Some(brushes) = brushes {
            return Ok(brushes);
        }
        let device = &self.gpu.device;
        let Some(source) = shaders::source("paint") else {
            return Err(GpuError::Device("there is no shader paint".into()));
        };
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("paint"),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let uniform = wgpu::BufferBindingType::Uniform;
        let [read, write] = [true, false].map(|read_only| wgpu::BufferBindingType::Storage { read_only });
        let group = |visibility, types: [wgpu::BufferBindingType; 4]| {
            let entries: Vec<_> = (0..)
                .zip(types)
                .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                    binding,
                    visibility,
                    ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
                    count: None,
                })
                .collect();
            device
                .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some("paint"), entries: &entries })
        };
        let layouts = [
            group(wgpu::ShaderStages::COMPUTE, [uniform, read, read, write]),
            group(wgpu::ShaderStages::VERTEX_FRAGMENT, [uniform, read, read, read]),
        ];
        let pipeline_layout = |group| {
            device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("paint"),
                bind_group_layouts: &[Some(group)],
                immediate_size: 0,
            })
        };
        let magnitude = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("magnitude"),
            layout: Some(&pipeline_layout(&layouts[0])),
            module: &module,
            entry_point: Some("magnitude"),
            compilation_options: Default::default(),
            cache: None,
        });
        let colour = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("paint"),
            layout: Some(&pipeline_layout(&layouts[1])),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState { topology: wgpu::PrimitiveTopology::TriangleStrip, ..Default::default() },
            depth_stencil: None,
            multisample: Default::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("colour"),
                compilation_options: Default::default(),
                targets: &[Some(format.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let brushes = Brushes { magnitude, colour, layouts };
        self.gpu.compiled.borrow_mut().brushes.insert(format, brushes.clone());
        Ok(brushes)
    }
}

/// Brushes by canvas format.
pub(super) type BrushBox = HashMap<wgpu::TextureFormat, Brushes>;
