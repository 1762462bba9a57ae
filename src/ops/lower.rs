//! What a layer tells the GPU: dispatches as plain, printable data. Knows buffers by number; no device, no graph.

use super::{Activation, Bindings, Buf};
use crate::tensor::Shape;

/// Invocations of a workgroup, the shaders' `WG`.
pub const WORKGROUP: usize = 64;
/// WebGPU's limit on workgroups in one dimension.
pub const MAX_GROUPS: usize = 65_535;

/// Memory that a dispatch binds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Slot {
    /// A plan's buffer.
    Buf(Buf),
    /// Scratch memory, shared by all steps: holds nothing beyond the step that asked for it.
    Workspace(usize),
    /// One of the [`pieces`] of a parameter too large for one binding.
    Piece(Buf, usize),
    /// Data fixed at lowering, [`Lowered::constants`].
    Constant(usize),
    /// What [`Dispatch::once`] kernels make of the parameters: kept as long as these stay the same.
    Kept(usize),
}

impl From<Buf> for Slot {
    fn from(buf: Buf) -> Self {
        Self::Buf(buf)
    }
}

/// What a dispatch does with a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// Binds it as `read`.
    Read,
    /// Binds it as `read_write`.
    Write,
}

/// One kernel over some memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Dispatch {
    /// Position in [`crate::plan::Plan::steps`] of the step it is part of.
    pub step: usize,
    /// The file under `shaders/`, without its ending.
    pub shader: &'static str,
    /// Entry point.
    pub entry: &'static str,
    /// Values of `override` constants.
    pub constants: Vec<(&'static str, u32)>,
    /// Binding 0: the shader's uniform, word by word (`f32` as its bits).
    pub uniform: Vec<u32>,
    /// Bindings 1, 2, … in order.
    pub buffers: Vec<(Slot, Access)>,
    /// Workgroups.
    pub workgroups: [u32; 3],
    /// Depends on parameters alone: runs before all others, and only after these changed.
    pub once: bool,
}

impl Dispatch {
    /// A kernel by file and entry point.
    pub fn new(shader: &'static str, entry: &'static str) -> Self {
        Self {
            step: 0,
            shader,
            entry,
            constants: Vec::new(),
            uniform: Vec::new(),
            buffers: Vec::new(),
            workgroups: [1; 3],
            once: false,
        }
    }

    /// Sets an `override` constant.
    pub fn constant(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, value));
        self
    }

    /// Appends numbers to the uniform.
    pub fn uniform(mut self, words: &[usize]) -> Self {
        // Every extent fits: WebGPU cannot bind a buffer of 2³² elements.
        self.uniform.extend(words.iter().map(|&w| w as u32));
        self
    }

    /// Appends signed numbers to the uniform.
    pub fn signed(mut self, words: &[isize]) -> Self {
        self.uniform.extend(words.iter().map(|&w| (w as i32).cast_unsigned()));
        self
    }

    /// Appends an f32 to the uniform.
    pub fn float(mut self, value: f32) -> Self {
        self.uniform.push(value.to_bits());
        self
    }

    /// Binds the next buffer, to be read.
    pub fn read(mut self, slot: impl Into<Slot>) -> Self {
        self.buffers.push((slot.into(), Access::Read));
        self
    }

    /// Binds the next buffer, to be written (or updated in place).
    pub fn write(mut self, slot: impl Into<Slot>) -> Self {
        self.buffers.push((slot.into(), Access::Write));
        self
    }

    /// Says that it only prepares parameters: [`Dispatch::once`].
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Enough workgroups of [`WORKGROUP`] for this many invocations.
    pub fn over(self, invocations: usize) -> Self {
        self.groups(invocations.div_ceil(WORKGROUP))
    }

    /// This many workgroups: shaders count them with `group_index` of the prelude.
    pub fn groups(mut self, groups: usize) -> Self {
        self.workgroups = spread(groups);
        self
    }
}

/// Equal pieces in which a parameter of so many elements lies, where a device binds `limit` at once: a power of two, as numbers of
/// outputs mostly are, so that a piece has whole rows. 1 where there is no such number.
pub fn pieces(len: usize, limit: usize) -> usize {
    let fits = |n: &usize| len.is_multiple_of(*n) && len / n <= limit;
    (0..16).map(|power| 1 << power).find(fits).unwrap_or(1)
}

/// Workgroups over two dimensions where one is not enough; may be a few more than asked for.
pub fn spread(groups: usize) -> [u32; 3] {
    let rows = groups.div_ceil(MAX_GROUPS).max(1);
    [groups.div_ceil(rows) as u32, rows as u32, 1]
}

/// A lowered plan: what the GPU executor allocates and runs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lowered {
    /// In order.
    pub dispatches: Vec<Dispatch>,
    /// Elements of each workspace buffer.
    pub workspaces: Vec<usize>,
    /// Contents of each constant buffer.
    pub constants: Vec<Vec<f32>>,
    /// Elements of each [`Slot::Kept`] buffer.
    pub kept: Vec<usize>,
}

/// One layer's step being lowered.
pub struct Lower<'a> {
    /// Images.
    pub batch: usize,
    /// Training or inference, as [`super::Pass::training`].
    pub training: bool,
    /// Input shapes.
    pub inputs: &'a [Shape],
    /// Output shape.
    pub output: Shape,
    /// Which buffers; a gradient of the output means backward.
    pub bind: &'a Bindings,
    /// Position of the step in its plan.
    pub step: usize,
    /// Elements that the device binds at once.
    pub limit: usize,
    /// What is pushed to.
    pub lowered: &'a mut Lowered,
}

impl Lower<'_> {
    /// Appends a kernel.
    pub fn push(&mut self, dispatch: Dispatch) {
        self.lowered.push(self.step, dispatch);
    }

    /// Scratch memory number `i` of this step, at least `len` elements.
    pub fn workspace(&mut self, i: usize, len: usize) -> Slot {
        self.lowered.workspace(i, len)
    }

    /// Memory for what is made of parameters.
    pub fn kept(&mut self, len: usize) -> Slot {
        self.lowered.kept.push(len);
        Slot::Kept(self.lowered.kept.len() - 1)
    }

    /// Data fixed at lowering.
    pub fn constant(&mut self, data: Vec<f32>) -> Slot {
        self.lowered.constants.push(data);
        Slot::Constant(self.lowered.constants.len() - 1)
    }

    /// The epilogue's number in shaders, 0 without one: their `ACTIVATION`.
    pub fn activation(&self) -> u32 {
        Activation::code(self.bind.activation)
    }

    /// The kernel for an addition that is fused into a convolution, with its activation, in place.
    pub fn add_residual(&mut self, y: Buf) {
        if let Some(residual) = self.bind.residual {
            let vectors = (self.batch * self.output.len()).div_ceil(4);
            let add = Dispatch::new("add", "add_in_place").constant("ACTIVATION", self.activation());
            self.push(add.uniform(&[vectors]).write(y).read(residual).over(vectors));
        }
    }

    /// Where input `i`'s gradient goes, if anybody wants it.
    pub fn grad_input(&self, i: usize) -> Option<Buf> {
        self.bind.grad_inputs.get(i).copied().flatten()
    }

    /// Where parameter `i`'s gradient goes, if it is trained.
    pub fn grad_param(&self, i: usize) -> Option<Buf> {
        self.bind.grad_params.get(i).copied().flatten()
    }
}

impl Lowered {
    /// Appends a kernel of a step.
    pub fn push(&mut self, step: usize, mut dispatch: Dispatch) {
        dispatch.step = step;
        self.dispatches.push(dispatch);
    }

    /// Scratch memory number `i`, at least `len` elements.
    pub fn workspace(&mut self, i: usize, len: usize) -> Slot {
        if self.workspaces.len() <= i {
            self.workspaces.resize(i + 1, 0);
        }
        self.workspaces[i] = self.workspaces[i].max(len);
        Slot::Workspace(i)
    }
}

/// Parts into which a sum over `pieces` is split, each added up by `blocks` invocations and leaving `results` numbers: enough to
/// keep a device busy, few enough that each part is worth its memory.
pub fn splits(pieces: usize, blocks: usize, results: usize) -> usize {
    let busy = 2048usize.div_ceil(blocks);
    let memory = (1 << 22) / results.max(1); // 16 MiB
    busy.min(memory).clamp(1, pieces.max(1))
}

/// The second pass of a split sum (`shaders/sum.wgsl`): `parts` holds splits × rows × (columns + 1), the last column the bias'.
pub fn sum(parts: Slot, [splits, rows, columns]: [usize; 3], weight: Buf, bias: Option<Buf>) -> Dispatch {
    let kernel = |entry| Dispatch::new("sum", entry).uniform(&[splits, rows, columns]).read(parts).write(weight);
    let kernel = match bias {
        Some(bias) => kernel("weight_and_bias").write(bias),
        None => kernel("weight_only"),
    };
    kernel.over(rows * (columns + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_parameters_lie_in_pieces() {
        const WEBGPU: usize = (128 << 20) / 4; // what every device binds
        assert_eq!(pieces(4096 * 9216, WEBGPU), 2, "AlexNet's fc6");
        assert_eq!(pieces(4096 * 25088, WEBGPU), 4, "VGG's fc6");
        assert_eq!((pieces(WEBGPU, WEBGPU), pieces(WEBGPU + 1, WEBGPU), pieces(0, 1)), (1, 1, 1));
    }

    #[test]
    fn workgroups_spread_at_the_edge() {
        assert_eq!(spread(0), [0, 1, 1]);
        assert_eq!(spread(1), [1, 1, 1]);
        assert_eq!(spread(MAX_GROUPS), [65_535, 1, 1]);
        assert_eq!(spread(MAX_GROUPS + 1), [32_768, 2, 1]);
        for groups in [70_001, 131_070, 131_071, 40_000_000] {
            let [x, y, _] = spread(groups).map(|v| v as usize);
            assert!(x <= MAX_GROUPS && y <= MAX_GROUPS && x * y >= groups && x * y < groups + y);
        }
    }
}
