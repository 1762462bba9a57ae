//! Convolution (cross-correlation, as every framework calls it) with stride, padding, dilation, groups and LeNet's
//! connection table. On the CPU: patches as a matrix, times the weights as a matrix.

use super::explain::{Ask, Explanation, weighted_sum};
use super::lower::{Slot, WORKGROUP, splits, sum as sum_parts};
use super::{
    Activation, Buf, Case, Dispatch, Folded, Kind, Layer, Linear, Lower, Mismatch, Param, Pass, Reach, Role, Window,
    one,
};
use crate::linalg::{Batch, Kernels, Mat, Patches, Real, gemm, sum};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// For each output map, the input maps it is connected to (LeCun 1998, Table I).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Table(pub Cow<'static, [Cow<'static, [usize]>]>);

impl Table {
    /// Whether output map `o` sees input map `i`.
    pub fn connects(&self, o: usize, i: usize) -> bool {
        self.0.get(o).is_some_and(|row| row.contains(&i))
    }

    /// Pairs of connected maps.
    pub fn connections(&self) -> usize {
        self.0.iter().map(|row| row.len()).sum()
    }

    /// Sets to zero the kernels of pairs that are not connected; `weight`: out × `in_channels` × `taps`.
    pub fn mask<T: Real>(&self, weight: &mut [T], in_channels: usize, taps: usize) {
        for (i, kernel) in weight.chunks_mut(taps).enumerate() {
            if !self.connects(i / in_channels, i % in_channels) {
                kernel.fill(T::ZERO);
            }
        }
    }
}

/// y = W ⋆ x + b. Weight: out_channels × in_channels/groups × kh × kw.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Conv2d {
    /// Output maps.
    pub out_channels: usize,
    /// Kernel, stride, padding, dilation.
    pub window: Window,
    /// Input and output maps are split into this many independent groups (AlexNet's two towers: 2).
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// Which input maps feed which output map; `None`: all.
    pub table: Option<Table>,
}

impl Conv2d {
    /// k×k, stride 1, no padding, one group, with bias.
    pub const fn new(out_channels: usize, kernel: usize) -> Self {
        Self { out_channels, window: Window::square(kernel), groups: 1, bias: true, table: None }
    }
    /// The same with another stride.
    pub const fn stride(mut self, stride: usize) -> Self {
        self.window = self.window.stride(stride);
        self
    }
    /// The same with padding.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.window = self.window.padding(padding);
        self
    }
    /// The same in groups.
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
    /// The same without bias.
    pub const fn no_bias(mut self) -> Self {
        self.bias = false;
        self
    }
    /// The same with a connection table.
    pub fn table(mut self, table: Table) -> Self {
        self.table = Some(table);
        self
    }

    /// The patches of one group of one image.
    fn patches(&self, input: Shape, output: Shape) -> Patches {
        let Window { kernel, stride, padding, dilation, .. } = self.window;
        Patches {
            channels: input.c / self.groups,
            size: [input.h, input.w],
            kernel,
            stride,
            padding,
            dilation,
            output: [output.h, output.w],
        }
    }

    /// Terms in the sum of one output unit.
    fn fan_in(&self, input: Shape) -> usize {
        input.c / self.groups * self.window.kernel[0] * self.window.kernel[1]
    }

    fn weight(&self, input: Shape) -> Param {
        let fan_in = self.fan_in(input);
        let [kh, kw] = self.window.kernel;
        Param {
            name: "weight",
            shape: vec![self.out_channels, input.c / self.groups, kh, kw],
            role: Role::Weight { fan_in },
            table: self.table.clone(),
        }
    }
}

/// One of the two gathers of `shaders/conv2d.wgsl`: from `source` to `result`, both with all groups' channels.
struct Gather {
    source: Shape,
    result: Shape,
    /// In the weight tensor, from one group, result channel, source channel to the next.
    strides: [usize; 3],
    mul: [usize; 2],
    add: [isize; 2],
    step: [isize; 2],
    div: [usize; 2],
}

impl Gather {
    /// The source's padding, if `slide` can do this gather: no dilation, less padding than kernel, up to 11 taps a row.
    fn slides(&self, kernel: [usize; 2]) -> Option<[usize; 2]> {
        let plain = self.div == [1; 2] && self.step.map(isize::abs) == [1; 2];
        let mut padding = [0; 2];
        for (axis, padding) in padding.iter_mut().enumerate() {
            // the first source position that the result at 0 meets, whichever way the taps run
            let first = self.add[axis] + (self.step[axis] * (kernel[axis] as isize - 1)).min(0);
            *padding = usize::try_from(-first).ok().filter(|p| *p < kernel[axis])?;
        }
        (plain && kernel[1] <= 11).then_some(padding)
    }
}

/// How many times four neighbours an invocation of `slide` computes: what wastes little of a row and loads little for a product.
fn span(width: usize, kernel_w: usize, stride: usize) -> usize {
    let cost = |span: usize| {
        let computed = width.next_multiple_of(4 * span);
        let pixels = if stride == 1 { 4 * span + kernel_w } else { 4 * span * kernel_w };
        let (loads, products) = (pixels + 8 * kernel_w, 32 * span * kernel_w);
        // a load costs about as much as two products of four
        computed * (products + 2 * loads) * 1000 / products
    };
    // Three wins by little in wide rows, and each span in use is a pipeline to compile.
    (1..=4).filter(|&span| span != 3 || width <= 12).min_by_key(|&span| cost(span)).unwrap_or(1)
}

impl Conv2d {
    /// Packs the weights and gathers.
    fn gather(
        &self,
        cx: &mut Lower<'_>,
        at: &Gather,
        [x, y]: [Buf; 2],
        (bias, norm): (Option<Buf>, Option<Folded>),
        activation: u32,
    ) {
        let groups = self.groups;
        let [kh, kw] = self.window.kernel;
        let (channels, results) = (at.source.c / groups, at.result.c / groups);
        let blocks = results.div_ceil(8);
        let len = groups * blocks * (1 + kh * kw * channels) * 8;
        let packed = cx.kept(len);
        let sizes = [groups, blocks, results, channels, kh * kw];
        let slides = at.slides(self.window.kernel);
        let order = match (slides, at.step[0] > 0) {
            (None, _) => 0,
            (Some(_), true) => 1,
            (Some(_), false) => 2,
        };
        let eps = norm.map_or(0.0, |norm| norm.eps);
        let pack = |entry| {
            let kernel = Dispatch::new("conv2d", entry).uniform(&sizes).uniform(&at.strides).uniform(&[order, len]);
            kernel.float(eps).once().over(len).read(cx.bind.params[0])
        };
        let pack = match (norm, bias) {
            (Some(norm), None) => norm.params.into_iter().fold(pack("pack_norm"), Dispatch::read),
            (Some(norm), Some(bias)) => norm.params.into_iter().fold(pack("pack_norm_bias"), Dispatch::read).read(bias),
            (None, Some(bias)) => pack("pack_bias").read(bias),
            (None, None) => pack("pack"),
        };
        let pack = pack.write(packed);
        cx.push(pack);
        if let Some(padding) = slides {
            let span = span(at.result.w, kw, at.mul[1]);
            let segments = at.result.w.div_ceil(4 * span);
            let relu = activation == Activation::code(Some(Activation::Relu));
            let kernel = Dispatch::new("conv2d", "slide")
                .constant("ACTIVATION", if relu { 0 } else { activation })
                .constant("CHECKED", u32::from(padding != [0; 2]))
                .constant("SPAN", span as u32)
                .constant("STRIDE", at.mul[1] as u32)
                .constant("KERNEL_W", kw as u32)
                .constant("CHANNELS", results.min(8) as u32)
                .uniform(&[groups, channels, results, blocks, cx.batch, segments])
                .uniform(&[at.source.h, at.source.w, at.result.h, at.result.w, kh, at.mul[0]])
                .uniform(&padding)
                .float(if relu { 0.0 } else { f32::MIN });
            let tiles = (cx.batch * at.result.h * segments).div_ceil(WORKGROUP);
            cx.push(kernel.read(x).read(packed).write(y).groups(groups * blocks * tiles));
            return;
        }
        let total = cx.batch * at.result.map();
        // The extreme source positions of each axis lie inside, and none between two pixels?
        let sizes = [(at.source.h, at.result.h), (at.source.w, at.result.w)];
        let inside = (0..2).all(|axis| {
            let taps = (self.window.kernel[axis] as isize - 1) * at.step[axis];
            let last = (sizes[axis].1 as isize - 1) * at.mul[axis] as isize;
            let low = at.add[axis] + taps.min(0);
            let high = at.add[axis] + last + taps.max(0);
            at.div[axis] == 1 && low >= 0 && high < sizes[axis].0 as isize
        });
        let kernel = Dispatch::new("conv2d", "gather")
            .constant("CHECKED", u32::from(!inside))
            .constant("ACTIVATION", activation)
            .uniform(&[groups, channels, results, blocks, total])
            .uniform(&[at.source.h, at.source.w, at.result.h, at.result.w, kh, kw])
            .uniform(&at.mul)
            .signed(&at.add)
            .signed(&at.step)
            .uniform(&at.div);
        let tiles = total.div_ceil(8 * WORKGROUP);
        cx.push(kernel.read(x).read(packed).write(y).groups(groups * blocks * tiles));
    }
}

impl Conv2d {
    /// The weight's gradient in parts for `sum`; and how many.
    fn weight_parts(&self, cx: &mut Lower<'_>, [x, upstream]: [Buf; 2]) -> (Slot, usize) {
        let (input, output, groups, batch) = (cx.inputs[0], cx.output, self.groups, cx.batch);
        let Window { kernel: [kh, kw], stride, padding, dilation, .. } = self.window;
        let (channels, results) = (input.c / groups, output.c / groups);
        let (blocks, columns, checked) = (results.div_ceil(8), channels * kh * kw, u32::from(padding != [0; 2]));
        let len = output.c * (columns + 1);
        if stride == [1; 2] && dilation == [1; 2] && kw <= 8 {
            const ROWS: usize = 2;
            let row_blocks = (channels * kh).div_ceil(ROWS);
            let splits = splits(batch * output.h, groups * blocks * row_blocks, len);
            let parts = cx.workspace(0, splits * len);
            let kernel = Dispatch::new("conv2d", "slide_weight")
                .constant("CHECKED", checked)
                .constant("KERNEL_W", kw as u32)
                .constant("ROWS", ROWS as u32)
                .constant("CHANNELS", results.min(8) as u32)
                .uniform(&[groups, channels, results, blocks, row_blocks, splits, batch])
                .uniform(&[input.h, input.w, output.h, output.w, kh])
                .uniform(&padding);
            cx.push(kernel.read(x).read(upstream).write(parts).over(splits * row_blocks * groups * blocks));
            return (parts, splits);
        }
        let (column_blocks, total) = ((columns + 1).div_ceil(8), batch * output.map());
        let splits = splits(total.div_ceil(32), groups * blocks * column_blocks, len);
        let parts = cx.workspace(0, splits * len);
        let kernel = Dispatch::new("conv2d", "backward_weight")
            .constant("CHECKED", checked)
            .uniform(&[groups, channels, results, blocks, columns, column_blocks, splits, total])
            .uniform(&[input.h, input.w, output.h, output.w, kh, kw])
            .uniform(&stride)
            .uniform(&padding)
            .uniform(&dilation)
            .uniform(&[splits / output.map(), splits / output.w % output.h, splits % output.w]);
        cx.push(kernel.read(x).read(upstream).write(parts).over(splits * column_blocks * groups * blocks));
        (parts, splits)
    }

    /// As a linear layer, where one window is the whole image.
    fn as_linear(&self, input: Shape) -> Option<Linear> {
        let window = Window { kernel: [input.h, input.w], ..Window::square(1) };
        let same = Window { stride: [1; 2], dilation: [1; 2], ceil: false, ..self.window } == window;
        let whole = same && self.groups == 1 && self.table.is_none();
        whole.then_some(Linear { out_features: self.out_channels, bias: self.bias })
    }
}

impl Layer for Conv2d {
    fn name(&self) -> &'static str {
        "Conv2d"
    }
    fn kind(&self) -> Kind {
        Kind::Convolution
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut out = vec![("out_channels", self.out_channels.to_string())];
        out.extend(self.window.settings([1, 1]));
        if self.groups != 1 {
            out.push(("groups", self.groups.to_string()));
        }
        if !self.bias {
            out.push(("bias", "False".into()));
        }
        if let Some(table) = &self.table {
            out.push(("connections", table.connections().to_string()));
        }
        out
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, Mismatch> {
        let input = one(inputs)?;
        let g = self.groups;
        if g == 0 || self.out_channels == 0 || !input.c.is_multiple_of(g) || !self.out_channels.is_multiple_of(g) {
            let expected = format!("channels that divide into {g} groups, in and out ({} out)", self.out_channels);
            return Err(Mismatch::new(expected, inputs));
        }
        if let Some(table) = &self.table {
            let fits = g == 1 && table.0.len() == self.out_channels;
            if !fits || table.0.iter().flat_map(|row| row.iter()).any(|&i| i >= input.c) {
                let expected = format!("the {} maps that the connection table names", self.out_channels);
                return Err(Mismatch::new(expected, inputs));
            }
        }
        let [h, w] = self.window.output(input)?;
        Ok(Shape::new(self.out_channels, h, w))
    }

    fn params(&self, inputs: &[Shape]) -> Vec<Param> {
        let fan_in = self.fan_in(inputs[0]);
        let bias = Param { name: "bias", shape: vec![self.out_channels], role: Role::Bias { fan_in }, table: None };
        let mut out = vec![self.weight(inputs[0])];
        if self.bias {
            out.push(bias);
        }
        out
    }

    fn macs(&self, inputs: &[Shape], output: Shape) -> u64 {
        // Each in 64 bits: a usize of wasm holds four thousand million.
        self.weight(inputs[0]).live() as u64 * output.map() as u64
    }

    fn reach(&self, _: Shape) -> Reach {
        Reach::Window(self.window)
    }

    fn saved(&self, _: &[Shape], _: Shape) -> usize {
        0
    }

    fn forward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (input, output, groups) = (cx.inputs[0], cx.output, self.groups);
        let patches = self.patches(input, output);
        let (k, n, m) = (patches.rows(), patches.columns(), self.out_channels / groups);
        let (x, weight) = (cx.input(0), cx.param(0));
        let bias = self.bias.then(|| cx.param(1));
        let y = &mut cx.out[0];
        // In training the definition: rounding a little otherwise, tiles turn a ReLU here and there, and deep gradients with it.
        if !cx.training && patches.suits_winograd(m, cx.batch) {
            let batch = Batch { images: cx.batch, input: input.len(), output: output.len() };
            for g in 0..groups {
                let kernels = Kernels { data: &weight[g * m * k..], map: k, channel: 9, turned: false };
                let (bias, x) = (bias.map(|bias| &bias[g * m..]), &x[g * patches.pixels()..]);
                patches.winograd(m, kernels, bias, x, &mut y[g * m * n..], batch, cx.packing);
            }
            return cx.epilogue();
        }
        // The bias goes in first: the product adds to it.
        if let Some(bias) = bias {
            for y in y.chunks_exact_mut(output.len()) {
                for (y, &b) in y.chunks_exact_mut(n).zip(bias) {
                    y.fill(b);
                }
            }
        }
        if patches.is_whole() && groups == 1 {
            // One window, the whole image: a linear layer, and the batch is a matrix.
            gemm(cx.batch, m, k, Mat::new(x, k), Mat::new(weight, k).t(), y, m, bias.is_some(), cx.packing);
        } else {
            for (image, y) in x.chunks_exact(input.len()).zip(y.chunks_exact_mut(output.len())) {
                for (g, (image, y)) in image.chunks_exact(patches.pixels()).zip(y.chunks_exact_mut(m * n)).enumerate() {
                    patches.forward(m, &weight[g * m * k..], image, y, bias.is_some(), cx.packing);
                }
            }
        }
        cx.epilogue();
    }

    fn backward<T: Real>(&self, cx: &mut Pass<'_, T>) {
        let (input, output, groups) = (cx.inputs[0], cx.output, self.groups);
        let patches = self.patches(input, output);
        let (k, n, m) = (patches.rows(), patches.columns(), self.out_channels / groups);
        let (x, weight, upstream) = (cx.input(0), cx.param(0), cx.grad_output());
        let whole = patches.is_whole() && groups == 1;

        if let Some(i) = cx.grad_param(0) {
            let grad = &mut cx.out[i];
            if whole {
                gemm(m, k, cx.batch, Mat::new(upstream, m).t(), Mat::new(x, k), grad, k, false, cx.packing);
            } else {
                for (b, (image, dy)) in x.chunks_exact(input.len()).zip(upstream.chunks_exact(output.len())).enumerate()
                {
                    for (g, dw) in grad.chunks_exact_mut(m * k).enumerate() {
                        let image = &image[g * patches.pixels()..];
                        patches.backward_weight(m, &dy[g * m * n..], image, dw, b > 0, cx.packing);
                    }
                }
            }
            if let Some(table) = &self.table {
                table.mask(grad, input.c, self.window.kernel[0] * self.window.kernel[1]);
            }
        }
        if self.bias
            && let Some(i) = cx.grad_param(1)
        {
            let grad = &mut cx.out[i];
            grad.fill(T::ZERO);
            for dy in upstream.chunks_exact(output.len()) {
                for (g, dy) in grad.iter_mut().zip(dy.chunks_exact(n)) {
                    *g += sum(dy);
                }
            }
        }
        if let Some(i) = cx.grad_input(0) {
            let grad = &mut cx.out[i];
            if whole {
                return gemm(cx.batch, k, m, Mat::new(upstream, m), Mat::new(weight, k), grad, k, false, cx.packing);
            }
            let back = patches.turned(m);
            if !cx.training && back.suits_winograd(patches.channels, cx.batch) {
                let batch = Batch { images: cx.batch, input: output.len(), output: input.len() };
                for g in 0..groups {
                    let kernels = Kernels { data: &weight[g * m * k..], map: 9, channel: k, turned: true };
                    let (dy, dx) = (&upstream[g * m * n..], &mut grad[g * patches.pixels()..]);
                    back.winograd(patches.channels, kernels, None, dy, dx, batch, cx.packing);
                }
                return;
            }
            for (dx, dy) in grad.chunks_exact_mut(input.len()).zip(upstream.chunks_exact(output.len())) {
                for (g, dx) in dx.chunks_exact_mut(patches.pixels()).enumerate() {
                    patches.backward_image(m, &weight[g * m * k..], &dy[g * m * n..], dx, false, cx.packing);
                }
            }
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) {
        let (input, output, groups) = (cx.inputs[0], cx.output, self.groups);
        let alone = cx.bind.norm.is_none() && cx.bind.residual.is_none();
        if let Some(linear) = self.as_linear(input).filter(|_| alone) {
            return linear.lower(cx);
        }
        let Window { kernel: [kh, kw], stride, padding, dilation, .. } = self.window;
        let (taps, channels, results) = (kh * kw, input.c / groups, output.c / groups);
        let (x, bias) = (cx.bind.inputs[0], cx.bind.params.get(1).copied());
        let forward = Gather {
            source: input,
            result: output,
            strides: [results * channels * taps, channels * taps, taps],
            mul: stride,
            add: padding.map(|p| -(p as isize)),
            step: dilation.map(|d| d as isize),
            div: [1; 2],
        };
        let Some(upstream) = cx.bind.grad_output else {
            if let Some(y) = cx.bind.output {
                let activation = if cx.bind.residual.is_none() { cx.activation() } else { 0 };
                self.gather(cx, &forward, [x, y], (bias, cx.bind.norm), activation);
                cx.add_residual(y);
            }
            return;
        };
        if let Some(grad) = cx.grad_param(0) {
            let columns = channels * taps;
            let (parts, splits) = self.weight_parts(cx, [x, upstream]);
            cx.push(sum_parts(parts, [splits, output.c, columns], grad, cx.grad_param(1)));
            if let Some(table) = &self.table {
                let pairs = (0..output.c).flat_map(|o| (0..input.c).map(move |i| (o, i)));
                let connected = cx.constant(pairs.map(|(o, i)| f32::from(u8::from(table.connects(o, i)))).collect());
                let len = output.c * columns;
                let mask = Dispatch::new("conv2d", "mask").uniform(&[0, 0, 0, 0, taps, 0, 0, 0, 0, len, 0]);
                cx.push(mask.read(connected).write(grad).over(len));
            }
        }
        if let Some(grad) = cx.grad_input(0) {
            let backward = Gather {
                source: output,
                result: input,
                strides: [results * channels * taps, taps, channels * taps],
                mul: [1; 2],
                add: padding.map(|p| p as isize),
                step: dilation.map(|d| -(d as isize)),
                div: stride,
            };
            self.gather(cx, &backward, [upstream, grad], (None, None), 0);
        }
    }

    fn explain(&self, ask: &Ask<'_>) -> Explanation {
        let (out, channels) = (ask.unit.c, ask.shapes[0].c / self.groups);
        let taps = self.window.kernel[0] * self.window.kernel[1];
        let first = out / (self.out_channels / self.groups) * channels;
        let connected = |i: &usize| self.table.as_ref().is_none_or(|table| table.connects(out, *i));
        let terms = (0..channels).filter(connected).map(|i| {
            let kernel = &ask.params[0][(out * channels + i) * taps..][..taps];
            ask.patch(first + i, &self.window).weighted(kernel)
        });
        weighted_sum(terms.collect(), self.bias.then(|| ask.params[1][out]))
    }

    fn cases() -> Vec<Case> {
        let table =
            Table(Cow::Borrowed(const { &[Cow::Borrowed(&[0, 2]), Cow::Borrowed(&[1]), Cow::Borrowed(&[0, 1, 2])] }));
        let mut uneven = Self::new(4, 3).stride(2).padding(1);
        uneven.window.kernel = [3, 2];
        uneven.window.padding = [2, 0];
        uneven.window.dilation = [1, 2];
        vec![
            Case::new("5×5 valid", Self::new(6, 5), &[Shape::new(1, 13, 11)], 3),
            Case::new("3×3 same", Self::new(5, 3).padding(1), &[Shape::new(3, 7, 9)], 2),
            Case::new("strided, no bias", Self::new(4, 3).stride(2).padding(1).no_bias(), &[Shape::new(3, 9, 12)], 2),
            Case::new("stride beyond kernel", Self::new(3, 2).stride(3), &[Shape::new(2, 9, 11)], 2),
            Case::new("1×1", Self::new(7, 1), &[Shape::new(5, 4, 6)], 2),
            Case::new("1×1 strided", Self::new(6, 1).stride(2).no_bias(), &[Shape::new(4, 5, 7)], 2),
            Case::new("two groups", Self::new(6, 3).padding(1).groups(2), &[Shape::new(4, 5, 6)], 2),
            Case::new("connection table", Self::new(3, 3).table(table), &[Shape::new(3, 6, 5)], 2),
            Case::new("whole map", Self::new(9, 4), &[Shape::new(3, 4, 4)], 3),
            Case::new("uneven", uneven, &[Shape::new(2, 8, 7)], 2),
            Case::new("many channels", Self::new(33, 3).padding(1), &[Shape::new(19, 6, 5)], 2),
            // By Winograd's tiles, which these do not fill (`linalg/winograd.rs`).
            Case::new("3×3 in tiles", Self::new(17, 3).padding(1), &[Shape::new(16, 7, 9)], 2),
            Case::new("two groups in tiles", Self::new(32, 3).groups(2).no_bias(), &[Shape::new(34, 9, 10)], 2),
            Case::new("7×7 same, wide", Self::new(4, 7).padding(3), &[Shape::new(2, 8, 19)], 2),
            Case::new("9×9", Self::new(9, 9), &[Shape::new(2, 10, 12)], 2),
            Case::new("more padding than kernel", Self::new(3, 2).padding(2), &[Shape::new(2, 4, 5)], 2),
            Case::new("11×11 stride 4", Self::new(8, 11).stride(4), &[Shape::new(3, 23, 27)], 2),
        ]
    }
}
