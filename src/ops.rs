//! The closed set of layers. One file an op under `ops/`: its facts, its CPU forward and backward, its lowering to GPU
//! kernels, its arithmetic for the page, its test cases. Knows one layer at a time: no graph, no device, no clock.
//!
//! Adding an op: `ops/x.rs`, `shaders/x.wgsl`, and a line in the `ops!` list below.

use crate::linalg::{Real, Scratch};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

mod activation;
mod adaptive_avg_pool;
mod add;
mod batch_norm;
mod concat;
mod conv2d;
mod dropout;
pub mod explain;
mod flatten;
mod input;
mod linear;
mod loss;
pub mod lower;
mod lrn;
mod pool;
mod rbf;
mod shortcut;
mod subsample;

pub use activation::Activation;
pub use adaptive_avg_pool::AdaptiveAvgPool2d;
pub use add::Add;
pub use batch_norm::{BatchNorm2d, Folded};
pub use concat::Concat;
pub use conv2d::{Conv2d, Table};
pub use dropout::{Draw, Dropout};
pub use explain::{Ask, Explanation};
pub use flatten::Flatten;
pub use input::Input;
pub use linear::Linear;
pub use loss::{Loss, Readout};
pub use lower::{Dispatch, Lower, Lowered};
pub use lrn::LocalResponseNorm;
pub use pool::{AvgPool2d, MaxPool2d};
pub use rbf::Rbf;
pub use shortcut::Shortcut;
pub use subsample::Subsample;

/// The enum, its one dispatch, and the list of all test cases, from one list of names.
macro_rules! ops {
    ($($name:ident),* $(,)?) => {
        /// A layer: what a node of a graph computes.
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        pub enum Op { $(#[allow(missing_docs)] $name($name)),* }

        $(impl From<$name> for Op { fn from(op: $name) -> Self { Op::$name(op) } })*

        impl Layer for Op {
            fn name(&self) -> &'static str { match self { $(Op::$name(op) => op.name()),* } }
            fn kind(&self) -> Kind { match self { $(Op::$name(op) => op.kind()),* } }
            fn settings(&self) -> Vec<(&'static str, String)> { match self { $(Op::$name(op) => op.settings()),* } }
            fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> { match self { $(Op::$name(op) => op.shape(inputs)),* } }
            fn params(&self, inputs: &[Shape]) -> Vec<Param> { match self { $(Op::$name(op) => op.params(inputs)),* } }
            fn macs(&self, inputs: &[Shape], output: Shape) -> u64 { match self { $(Op::$name(op) => op.macs(inputs, output)),* } }
            fn reach(&self, input: Shape) -> Reach { match self { $(Op::$name(op) => op.reach(input)),* } }
            fn saved(&self, inputs: &[Shape], output: Shape) -> usize { match self { $(Op::$name(op) => op.saved(inputs, output)),* } }
            fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) { match self { $(Op::$name(op) => op.forward(cx)),* } }
            fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) { match self { $(Op::$name(op) => op.backward(cx)),* } }
            fn lower(&self, cx: &mut Lower<'_>) { match self { $(Op::$name(op) => op.lower(cx)),* } }
            fn explain(&self, ask: &Ask<'_>) -> Explanation { match self { $(Op::$name(op) => op.explain(ask)),* } }
            fn cases() -> Vec<Case> { [$($name::cases()),*].concat() }
        }
    };
}

ops!(
    Input,
    Conv2d,
    Linear,
    Activation,
    MaxPool2d,
    AvgPool2d,
    AdaptiveAvgPool2d,
    Subsample,
    LocalResponseNorm,
    BatchNorm2d,
    Dropout,
    Concat,
    Add,
    Shortcut,
    Flatten,
    Rbf,
);

/// What every layer must tell and do. No default bodies: a forgotten fact does not compile.
pub trait Layer: Sized {
    /// PyTorch's word for it (`Conv2d`); the paper's where PyTorch has none (`Subsample`).
    fn name(&self) -> &'static str;
    /// Its family: what colour it has in a diagram.
    fn kind(&self) -> Kind;
    /// Hyper-parameters in PyTorch's words, those that differ from the default.
    fn settings(&self) -> Vec<(&'static str, String)>;
    /// Output shape for these input shapes.
    ///
    /// # Errors
    /// [`Mismatch`] where the layer cannot take them.
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch>;
    /// Its tensors, in order; none for a layer without parameters.
    fn params(&self, inputs: &[Shape]) -> Vec<Param>;
    /// Multiply-adds per image in inference; convolution and linear layers only, as the literature counts them.
    fn macs(&self, inputs: &[Shape], output: Shape) -> u64;
    /// Which inputs an output unit sees.
    fn reach(&self, input: Shape) -> Reach;
    /// Elements per image that the forward pass keeps for the backward pass, beside inputs and output.
    fn saved(&self, inputs: &[Shape], output: Shape) -> usize;
    /// CPU forward: writes `cx.out[0]` (output, b×c×h×w) and, if `saved` > 0 in training, `cx.out[1]`.
    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>);
    /// CPU backward: overwrites each gradient that [`Bindings`] asks for. Only produces: adding up is the plan's affair.
    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>);
    /// The same on the GPU, forward or backward: pushes kernels. Pure.
    fn lower(&self, cx: &mut Lower<'_>);
    /// How one unit's value comes about, for the page: terms and numbers.
    fn explain(&self, ask: &Ask<'_>) -> Explanation;
    /// Cases that the kernel and gradient suites run on every executor: non-square, odd, batched.
    fn cases() -> Vec<Case>;
}

/// A layer's family; fixes its colour.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Kind {
    Input,
    Convolution,
    Pooling,
    Linear,
    Activation,
    Normalisation,
    Join,
    Shape,
    Output,
}

/// Inputs that a layer cannot take: what it expected and what it got.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected {expected}, got {got}")]
pub struct Mismatch {
    /// What would have fitted.
    pub expected: String,
    /// What was there.
    pub got: String,
}

impl Mismatch {
    /// The usual form: a sentence of what fits, and the shapes that came.
    pub fn new(expected: impl Into<String>, got: &[Shape]) -> Self {
        let got = got.iter().map(Shape::to_string).collect::<Vec<_>>().join(", ");
        Self { expected: expected.into(), got }
    }
}

/// The single input of a layer that takes one.
pub(crate) fn one(inputs: &[Shape]) -> Result<Shape, Mismatch> {
    match inputs {
        [shape] => Ok(*shape),
        _ => Err(Mismatch::new("one input", inputs)),
    }
}

/// A square-or-not window sliding over height and width; shared by convolution and pooling.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Kernel height, width.
    pub kernel: [usize; 2],
    /// Step between neighbouring outputs.
    pub stride: [usize; 2],
    /// Rows and columns added on every side.
    pub padding: [usize; 2],
    /// Distance between neighbouring taps.
    pub dilation: [usize; 2],
    /// Count outputs by rounding up (PyTorch's `ceil_mode`; the last window must start inside the input or left padding).
    pub ceil: bool,
}

impl Window {
    /// A k×k window, stride 1, no padding.
    pub const fn square(kernel: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [1; 2], padding: [0; 2], dilation: [1; 2], ceil: false }
    }

    /// The same with another stride.
    pub const fn stride(mut self, stride: usize) -> Self {
        self.stride = [stride; 2];
        self
    }

    /// The same with padding on every side.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    /// The same, counting outputs by rounding up.
    pub const fn ceil_mode(mut self) -> Self {
        self.ceil = true;
        self
    }

    /// Rows (axis 0) or columns (axis 1) that the dilated kernel spans.
    pub const fn span(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Output height and width, as PyTorch counts them.
    ///
    /// # Errors
    /// [`Mismatch`] where the padded input is smaller than the kernel.
    pub fn output(&self, input: Shape) -> Result<[usize; 2], Mismatch> {
        let mut out = [0; 2];
        for (axis, size) in [input.h, input.w].into_iter().enumerate() {
            let padded = size + 2 * self.padding[axis];
            if self.kernel[axis] == 0 || self.stride[axis] == 0 || padded < self.span(axis) {
                let [h, w] = [self.span(0), self.span(1)];
                return Err(Mismatch::new(format!("at least {h}×{w} after padding"), &[input]));
            }
            let room = padded - self.span(axis);
            out[axis] = room / self.stride[axis] + 1;
            // ceil mode: one more window, unless it would start in the right padding
            if self.ceil
                && !room.is_multiple_of(self.stride[axis])
                && out[axis] * self.stride[axis] < size + self.padding[axis]
            {
                out[axis] += 1;
            }
        }
        Ok(out)
    }

    /// `kernel_size`, `stride`, `padding`, … in PyTorch's words, those that differ from the default.
    pub fn settings(&self, default_stride: [usize; 2]) -> Vec<(&'static str, String)> {
        let pair = |[a, b]: [usize; 2]| if a == b { a.to_string() } else { format!("({a}, {b})") };
        let mut out = vec![("kernel_size", pair(self.kernel))];
        if self.stride != default_stride {
            out.push(("stride", pair(self.stride)));
        }
        if self.padding != [0; 2] {
            out.push(("padding", pair(self.padding)));
        }
        if self.dilation != [1; 2] {
            out.push(("dilation", pair(self.dilation)));
        }
        if self.ceil {
            out.push(("ceil_mode", "True".into()));
        }
        out
    }
}

/// Which units of the input an output unit sees, in height and width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Its own position only.
    Point,
    /// A window around it.
    Window(Window),
    /// Every position (linear layers on maps, global pooling).
    All,
    /// Flattening: output unit i *is* input unit i.
    Flatten,
}

/// One tensor of a layer.
#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    /// Its name within the layer (`weight`).
    pub name: &'static str,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// What it is for: decides initialisation and whether it is trained.
    pub role: Role,
    /// LeNet's connection table, for a weight that has one: elements without a connection stay zero.
    pub table: Option<Table>,
}

/// What a parameter is for.
#[derive(Clone, PartialEq, Debug)]
pub enum Role {
    /// Weights of a sum over `fan_in` inputs.
    Weight {
        /// Terms in the sum of one output (before the connection table takes some away).
        fan_in: usize,
    },
    /// Added to a sum over `fan_in` inputs.
    Bias {
        /// Terms in the sum it is added to.
        fan_in: usize,
    },
    /// A trained factor that starts at this value (LeNet's subsampling coefficient, batch norm's weight).
    Factor(f32),
    /// Not trained, starts at this value and is carried along (running statistics).
    Running(f32),
    /// Not trained, given by the architecture (the RBF targets).
    Fixed(Vec<f32>),
}

impl Param {
    /// Elements, those without a connection included.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True where a dimension is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether training changes it.
    pub fn trained(&self) -> bool {
        matches!(self.role, Role::Weight { .. } | Role::Bias { .. } | Role::Factor(_))
    }

    /// Elements that count as parameters: all but those without a connection.
    pub fn live(&self) -> usize {
        match &self.table {
            Some(table) => table.connections() * self.shape[2..].iter().product::<usize>(),
            None => self.len(),
        }
    }

    /// Makes any numbers what this parameter could hold: nothing where there is no connection, variances well above zero. For
    /// checks with random data.
    pub fn plausible<T: Real>(&self, data: &mut [T]) {
        self.mask(data);
        if matches!(self.role, Role::Running(start) if start > 0.0) {
            data.iter_mut().for_each(|v| *v = v.abs() + T::from_f32(0.5));
        }
    }

    /// Sets the elements without a connection to zero.
    pub fn mask<T: Real>(&self, data: &mut [T]) {
        if let Some(table) = &self.table {
            table.mask(data, self.shape[1], self.shape[2..].iter().product());
        }
    }
}

/// A buffer by number; what a plan's steps read and write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Buf {
    /// A parameter of the network: kept across plans.
    Param(usize),
    /// The optimizer's momentum for that parameter: kept across plans.
    Momentum(usize),
    /// Memory of this plan.
    Local(usize),
}

/// What one layer's step reads and writes. Forward leaves the gradient fields empty.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bindings {
    /// Values of the inputs, batch×c×h×w each.
    pub inputs: Vec<Buf>,
    /// The layer's parameters, in the order of [`Layer::params`].
    pub params: Vec<Buf>,
    /// The layer's value (after the epilogue, if it has one). Equal to `inputs[0]`: computed in place.
    pub output: Option<Buf>,
    /// What forward keeps for backward.
    pub saved: Option<Buf>,
    /// Applied to the value before it is stored: an activation fused into this step.
    pub activation: Option<Activation>,
    /// Applied before the activation: a batch norm that inference folds into this convolution.
    pub norm: Option<Folded>,
    /// Added after the norm and before the activation: the other branch of an addition fused into this convolution (inference).
    pub residual: Option<Buf>,
    /// Parameters that forward carries along: a batch norm's running statistics (training).
    pub updates: Vec<Buf>,
    /// Where dropout's random numbers come from (training).
    pub draw: Option<Draw>,
    /// Gradient of the loss with respect to the output.
    pub grad_output: Option<Buf>,
    /// Where the gradient of each input goes; `None`: nobody needs it. Equal to `grad_output`: computed in place.
    pub grad_inputs: Vec<Option<Buf>>,
    /// Where the gradient of each parameter goes; `None`: not trained.
    pub grad_params: Vec<Option<Buf>>,
}

impl Bindings {
    /// The buffers this step writes, in the order in which [`Pass::out`] holds them.
    pub fn writes(&self) -> impl Iterator<Item = Buf> + '_ {
        let backward = self.grad_output.is_some();
        let forward = [self.output, self.saved].into_iter().flatten().chain(self.updates.iter().copied());
        let forward = forward.filter(move |_| !backward);
        forward.chain(self.grad_inputs.iter().chain(&self.grad_params).filter_map(|b| *b))
    }

    /// The buffers this step reads.
    pub fn reads(&self) -> impl Iterator<Item = Buf> + '_ {
        let backward = self.grad_output.is_some();
        let extra = [self.grad_output, self.output, self.saved].into_iter().filter(move |_| backward).flatten();
        let norm =
            self.norm.iter().flat_map(|norm| norm.params).chain(self.residual).chain(self.draw.map(|d| d.counter));
        extra.chain(self.inputs.iter().copied()).chain(self.params.iter().copied()).chain(norm)
    }
}

/// CPU memory as a step may read it: everything but what the step itself writes.
#[derive(Clone, Copy)]
pub struct Memory<'a, T> {
    /// Parameters of the network.
    pub params: &'a [Vec<T>],
    /// The optimizer's momentum.
    pub momentum: &'a [Vec<T>],
    /// The plan's own buffers.
    pub locals: &'a [Vec<T>],
}

impl<'a, T> Memory<'a, T> {
    /// The elements of a buffer; empty while the running step writes it.
    pub fn get(self, buf: Buf) -> &'a [T] {
        match buf {
            Buf::Param(i) => &self.params[i],
            Buf::Momentum(i) => &self.momentum[i],
            Buf::Local(i) => &self.locals[i],
        }
    }
}

/// One step of one layer on the CPU: shapes, what it reads, what it writes.
pub struct Pass<'a, T> {
    /// Images.
    pub batch: usize,
    /// Training (dropout drops, batch norm takes the batch's statistics) or inference.
    pub training: bool,
    /// Input shapes.
    pub inputs: &'a [Shape],
    /// Output shape.
    pub output: Shape,
    /// Which buffers.
    pub bind: &'a Bindings,
    /// What may be read.
    pub mem: Memory<'a, T>,
    /// What is written, in the order of [`Bindings::writes`]. In-place steps find their input here.
    pub out: &'a mut [Vec<T>],
    /// Reused workspace of the op.
    pub scratch: &'a mut Scratch<T>,
    /// Reused workspace of the matrix products it calls.
    pub packing: &'a mut Scratch<T>,
}

impl<'a, T: Real> Pass<'a, T> {
    /// Value of input `i`.
    pub fn input(&self, i: usize) -> &'a [T] {
        self.mem.get(self.bind.inputs[i])
    }

    /// Parameter `i`.
    pub fn param(&self, i: usize) -> &'a [T] {
        self.mem.get(self.bind.params[i])
    }

    /// The layer's value (backward).
    pub fn value(&self) -> &'a [T] {
        self.bind.output.map_or(&[], |b| self.mem.get(b))
    }

    /// What forward saved (backward).
    pub fn saved(&self) -> &'a [T] {
        self.bind.saved.map_or(&[], |b| self.mem.get(b))
    }

    /// The upstream gradient (backward); empty if the step works in place.
    pub fn grad_output(&self) -> &'a [T] {
        self.bind.grad_output.map_or(&[], |b| self.mem.get(b))
    }

    /// Position in `out` of input `i`'s gradient, if anybody wants it.
    pub fn grad_input(&self, i: usize) -> Option<usize> {
        let wanted = |b: &&Option<Buf>| b.is_some();
        self.bind.grad_inputs.get(i).copied().flatten()?;
        Some(self.bind.grad_inputs[..i].iter().filter(wanted).count())
    }

    /// Position in `out` of parameter `i`'s gradient, if it is trained.
    pub fn grad_param(&self, i: usize) -> Option<usize> {
        let wanted = |b: &&Option<Buf>| b.is_some();
        self.bind.grad_params.get(i).copied().flatten()?;
        Some(self.bind.grad_inputs.iter().chain(&self.bind.grad_params[..i]).filter(wanted).count())
    }

    /// Whether forward must keep something for backward.
    pub fn saves(&self) -> bool {
        self.bind.saved.is_some()
    }

    /// Position in `out` of the first parameter that forward carries along, if it does (training).
    pub fn updates(&self) -> Option<usize> {
        (!self.bind.updates.is_empty()).then(|| 1 + usize::from(self.saves()))
    }

    /// What is fused into a convolution, on its value: y ← f(scale·y + shift + residual).
    pub fn epilogue(&mut self) {
        let y = &mut self.out[0];
        if let Some(norm) = &self.bind.norm {
            norm.apply(self.mem, self.output, y);
        }
        if let Some(residual) = self.bind.residual {
            crate::linalg::add_into(self.mem.get(residual), y);
        }
        if let Some(activation) = self.bind.activation {
            activation.apply(y);
        }
    }
}

/// A test case: one op on small shapes. The suites build a graph of it and run it on every executor.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is special about it.
    pub name: &'static str,
    /// The op.
    pub op: Op,
    /// Input shapes.
    pub inputs: Vec<Shape>,
    /// Images.
    pub batch: usize,
}

impl Case {
    /// A case of one op.
    pub fn new(name: &'static str, op: impl Into<Op>, inputs: &[Shape], batch: usize) -> Self {
        Self { name, op: op.into(), inputs: inputs.to_vec(), batch }
    }
}
