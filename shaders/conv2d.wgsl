// Convolution. Forward and backward_input are one gather: a product of packed weights and patches, 8 channels × 8 pixels an
// invocation. backward_weight sums over images and positions in `splits` interleaved parts; sum.wgsl adds the parts. Where stride
// and dilation are 1, `slide` and `slide_weight` do the same with a third of the loads.
//
// The gather, on either axis: result position o meets tap k at source position (o·mul + add + k·step) / div, where that is whole.
//   forward:        mul = stride, add = −padding, step =  dilation, div = 1
//   backward_input: mul = 1,      add =  padding, step = −dilation, div = stride

struct Gather {
    groups: u32,
    channels: u32,     // of the source, a group
    results: u32,      // channels of the result, a group
    blocks: u32,       // of 8 result channels, a group
    total: u32,        // result pixels: batch × height × width
    source_h: u32, source_w: u32,
    result_h: u32, result_w: u32,
    kernel_h: u32, kernel_w: u32,
    mul_y: i32, mul_x: i32,
    add_y: i32, add_x: i32,
    step_y: i32, step_x: i32,
    div_y: i32, div_x: i32,
}

struct Pack {
    groups: u32, blocks: u32, results: u32, channels: u32, taps: u32,
    stride_group: u32, stride_result: u32, stride_channel: u32, // in weight
    order: u32, // of the rows: 0 tap by tap (gather), 1 channel by channel (slide), 2 the same with the kernel turned round
    len: u32,
    eps: f32,  // of the batch norm folded in (pack_norm)
}

struct Weight {
    groups: u32,
    channels: u32,     // of x, a group
    results: u32,      // channels of dy, a group
    blocks: u32,       // of 8 result channels, a group
    columns: u32,      // channels × taps; one more stands for the bias
    column_blocks: u32,
    splits: u32,
    total: u32,        // batch × result pixels
    source_h: u32, source_w: u32,
    result_h: u32, result_w: u32,
    kernel_h: u32, kernel_w: u32,
    stride_y: u32, stride_x: u32,
    padding_y: u32, padding_x: u32,
    dilation_y: u32, dilation_x: u32,
    move_n: u32, move_y: u32, move_x: u32, // `splits` positions further
}

// Whether a tap may fall outside the source, or between its pixels.
override CHECKED: bool = true;

@group(0) @binding(0) var<uniform> g: Gather;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> packed: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@group(0) @binding(0) var<uniform> pk: Pack;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read_write> pack_out: array<f32>;
@group(0) @binding(3) var<storage, read_write> pack_out_bias: array<f32>;
@group(0) @binding(2) var<storage, read> norm_weight: array<f32>;
@group(0) @binding(3) var<storage, read> norm_bias: array<f32>;
@group(0) @binding(4) var<storage, read> norm_mean: array<f32>;
@group(0) @binding(5) var<storage, read> norm_variance: array<f32>;
@group(0) @binding(6) var<storage, read_write> pack_out_norm: array<f32>;
@group(0) @binding(6) var<storage, read> norm_before: array<f32>; // the convolution's own bias
@group(0) @binding(7) var<storage, read_write> pack_out_norm_bias: array<f32>;

@group(0) @binding(0) var<uniform> w: Weight;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

@group(0) @binding(1) var<storage, read> connected: array<f32>;
@group(0) @binding(2) var<storage, read_write> masked: array<f32>;

// Packed: for each group and block of 8 result channels, a row of 8 biases, then a row of 8 weights for each tap and source channel.
fn packed_weight(i: u32) -> f32 {
    let rows = 1u + pk.taps * pk.channels;
    let row = i / 8u % rows;
    let block = i / 8u / rows;
    let group = block / pk.blocks;
    let m = block % pk.blocks * 8u + i % 8u;
    if m >= pk.results || row == 0u {
        return 0.0;
    }
    var tap = (row - 1u) / pk.channels;
    var c = (row - 1u) % pk.channels;
    if pk.order != 0u {
        tap = (row - 1u) % pk.taps;
        c = (row - 1u) / pk.taps;
    }
    if pk.order == 2u {
        tap = pk.taps - 1u - tap;
    }
    return weight[group * pk.stride_group + m * pk.stride_result + c * pk.stride_channel + tap];
}

@compute @workgroup_size(WG)
fn pack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < pk.len {
        pack_out[i] = packed_weight(i);
    }
}

// What packed element i is of: whether a bias, of which result channel over all groups, and whether there is that channel.
struct Packed { bias: bool, channel: u32, real: bool }

fn packed_of(i: u32) -> Packed {
    let rows = 1u + pk.taps * pk.channels;
    let block = i / 8u / rows;
    let m = block % pk.blocks * 8u + i % 8u;
    return Packed(i / 8u % rows == 0u, block / pk.blocks * pk.results + m, m < pk.results);
}

@compute @workgroup_size(WG)
fn pack_bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < pk.len {
        let its = packed_of(i);
        var value = packed_weight(i);
        if its.bias && its.real {
            value = bias[its.channel];
        }
        pack_out_bias[i] = value;
    }
}

// A batch norm of inference folded in: y = (W⋆x + before − mean)·scale + bias.
fn packed_norm(i: u32, before: f32) -> f32 {
    let its = packed_of(i);
    let c = select(0u, its.channel, its.real);
    let scale = norm_weight[c] / sqrt(norm_variance[c] + pk.eps);
    if its.bias {
        return select(0.0, norm_bias[c] + (before - norm_mean[c]) * scale, its.real);
    }
    return packed_weight(i) * scale;
}

@compute @workgroup_size(WG)
fn pack_norm(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < pk.len {
        pack_out_norm[i] = packed_norm(i, 0.0);
    }
}

@compute @workgroup_size(WG)
fn pack_norm_bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < pk.len {
        let its = packed_of(i);
        pack_out_norm_bias[i] = packed_norm(i, norm_before[select(0u, its.channel, its.real)]);
    }
}

fn outer(a: vec4f, b: vec4f) -> mat4x4f {
    return mat4x4f(a * b.x, a * b.y, a * b.z, a * b.w);
}

fn pick(at: vec4u) -> vec4f {
    return vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
}

// One axis of the gather, of four pixels.
fn source(from_: vec4i, div: i32, size: u32) -> vec4i {
    let at = from_ / div;
    let inside = (from_ >= vec4i(0)) & (at * div == from_) & (at < vec4i(i32(size)));
    return select(vec4i(-1), at, inside);
}

// Workgroups: (group, block of 8 channels) slowest, tile of WG × 8 pixels fastest. Lane l of a tile takes pixels l, l + WG, …
@compute @workgroup_size(WG)
fn gather(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let tiles = (g.total + WG * 8u - 1u) / (WG * 8u);
    let index = group_index(id, groups);
    let block = index / tiles; // over all groups
    if block >= g.groups * g.blocks {
        return;
    }
    let group = block / g.blocks;
    let first = block % g.blocks * 8u;
    let q = index % tiles * WG * 8u + lane;
    let source_map = g.source_h * g.source_w;
    let result_map = g.result_h * g.result_w;

    // Pixels beyond the end repeat the last one and are not stored.
    let q0 = min(q + WG * vec4u(0u, 1u, 2u, 3u), vec4u(g.total - 1u));
    let q1 = min(q + WG * vec4u(4u, 5u, 6u, 7u), vec4u(g.total - 1u));
    let n0 = q0 / result_map;
    let n1 = q1 / result_map;
    let r0 = q0 - n0 * result_map;
    let r1 = q1 - n1 * result_map;
    let ry0 = r0 / g.result_w;
    let ry1 = r1 / g.result_w;
    let rx0 = r0 - ry0 * g.result_w;
    let rx1 = r1 - ry1 * g.result_w;
    let sy0 = vec4i(ry0) * g.mul_y + g.add_y;
    let sy1 = vec4i(ry1) * g.mul_y + g.add_y;
    let sx0 = vec4i(rx0) * g.mul_x + g.add_x;
    let sx1 = vec4i(rx1) * g.mul_x + g.add_x;
    let image0 = (n0 * g.groups + group) * g.channels * source_map;
    let image1 = (n1 * g.groups + group) * g.channels * source_map;

    var k = block * (1u + g.kernel_h * g.kernel_w * g.channels) * 2u;
    let b0 = packed[k];
    let b1 = packed[k + 1u];
    k += 2u;
    // columns: channels, rows: pixels
    var c00 = outer(vec4f(1.0), b0);
    var c01 = outer(vec4f(1.0), b1);
    var c10 = c00;
    var c11 = c01;
    for (var ky = 0u; ky < g.kernel_h; ky++) {
        for (var kx = 0u; kx < g.kernel_w; kx++) {
            let dy_ = i32(ky) * g.step_y;
            let dx_ = i32(kx) * g.step_x;
            if CHECKED {
                let y0 = source(sy0 + dy_, g.div_y, g.source_h);
                let y1 = source(sy1 + dy_, g.div_y, g.source_h);
                let x0 = source(sx0 + dx_, g.div_x, g.source_w);
                let x1 = source(sx1 + dx_, g.div_x, g.source_w);
                let in0 = (y0 >= vec4i(0)) & (x0 >= vec4i(0));
                let in1 = (y1 >= vec4i(0)) & (x1 >= vec4i(0));
                var at0 = select(vec4u(0u), image0 + vec4u(y0) * g.source_w + vec4u(x0), in0);
                var at1 = select(vec4u(0u), image1 + vec4u(y1) * g.source_w + vec4u(x1), in1);
                let next0 = select(vec4u(0u), vec4u(source_map), in0);
                let next1 = select(vec4u(0u), vec4u(source_map), in1);
                for (var c = 0u; c < g.channels; c++) {
                    let w0 = packed[k];
                    let w1 = packed[k + 1u];
                    k += 2u;
                    let a0 = select(vec4f(0.0), pick(at0), in0);
                    let a1 = select(vec4f(0.0), pick(at1), in1);
                    at0 += next0;
                    at1 += next1;
                    c00 += outer(a0, w0);
                    c01 += outer(a0, w1);
                    c10 += outer(a1, w0);
                    c11 += outer(a1, w1);
                }
            } else {
                var at0 = image0 + vec4u(sy0 + dy_) * g.source_w + vec4u(sx0 + dx_);
                var at1 = image1 + vec4u(sy1 + dy_) * g.source_w + vec4u(sx1 + dx_);
                for (var c = 0u; c < g.channels; c++) {
                    let w0 = packed[k];
                    let w1 = packed[k + 1u];
                    k += 2u;
                    let a0 = pick(at0);
                    let a1 = pick(at1);
                    at0 += source_map;
                    at1 += source_map;
                    c00 += outer(a0, w0);
                    c01 += outer(a0, w1);
                    c10 += outer(a1, w0);
                    c11 += outer(a1, w1);
                }
            }
        }
    }
    let out0 = ((n0 * g.groups + group) * g.results + first) * result_map + r0;
    let out1 = ((n1 * g.groups + group) * g.results + first) * result_map + r1;
    put(q, out0, first, 0u, activate4(c00[0]));
    put(q, out0, first, 1u, activate4(c00[1]));
    put(q, out0, first, 2u, activate4(c00[2]));
    put(q, out0, first, 3u, activate4(c00[3]));
    put(q, out0, first, 4u, activate4(c01[0]));
    put(q, out0, first, 5u, activate4(c01[1]));
    put(q, out0, first, 6u, activate4(c01[2]));
    put(q, out0, first, 7u, activate4(c01[3]));
    let p = q + 4u * WG;
    put(p, out1, first, 0u, activate4(c10[0]));
    put(p, out1, first, 1u, activate4(c10[1]));
    put(p, out1, first, 2u, activate4(c10[2]));
    put(p, out1, first, 3u, activate4(c10[3]));
    put(p, out1, first, 4u, activate4(c11[0]));
    put(p, out1, first, 5u, activate4(c11[1]));
    put(p, out1, first, 6u, activate4(c11[2]));
    put(p, out1, first, 7u, activate4(c11[3]));
}

// Four pixels of one channel.
fn put(pixel: u32, at: vec4u, first: u32, m: u32, v: vec4f) {
    if first + m < g.results {
        let o = at + m * g.result_h * g.result_w;
        if pixel < g.total { y[o.x] = v.x; }
        if pixel + WG < g.total { y[o.y] = v.y; }
        if pixel + 2u * WG < g.total { y[o.z] = v.z; }
        if pixel + 3u * WG < g.total { y[o.w] = v.w; }
    }
}

// The gather without dilation, forward or of stride 1: an invocation computes 4·SPAN neighbours of one row in up to 8 channels.
// Where the stride is 1, their window slides along a row of taps: 4·SPAN + KERNEL_W loads of x for 4·SPAN·KERNEL_W products a channel.
struct Slide {
    groups: u32, channels: u32, results: u32, blocks: u32,
    images: u32,
    segments: u32, // of 4·SPAN columns, a row
    source_h: u32, source_w: u32,
    result_h: u32, result_w: u32,
    kernel_h: u32,
    stride_y: u32,
    padding_y: u32, padding_x: u32,
    floor: f32, // what is less becomes this: 0 for ReLU, the lowest number for nothing, so that both are one pipeline
}

@group(0) @binding(0) var<uniform> sl: Slide;

override SPAN: u32 = 2u;     // 1 to 4
override CHANNELS: u32 = 8u; // of a block, at most: what is beyond is not computed
override STRIDE: u32 = 1u;   // along the row
override KERNEL_W: u32 = 5u; // 1 to 11 (slide_weight: 8): taps are written out, since a loop carries all sums from turn to turn

// 4·SPAN pixels, and their sums in channels 0 to 3 and 4 to 7 of a block: matrix columns are channels.
struct Window { a0: vec4f, a1: vec4f, a2: vec4f, a3: vec4f }
struct Tile { l0: mat4x4f, l1: mat4x4f, l2: mat4x4f, l3: mat4x4f, h0: mat4x4f, h1: mat4x4f, h2: mat4x4f, h3: mat4x4f }

// One pixel of a source row; zero in the padding. Columns left of 0 wrap round, and reading anywhere does no harm.
fn pixel(row: u32, real: bool, column: u32, width: u32) -> f32 {
    let value = x[row + column];
    if CHECKED {
        return select(0.0, value, real & (column < width));
    }
    return value;
}

fn pixels(row: u32, column: u32, width: u32) -> vec4f {
    return vec4f(
        pixel(row, true, column, width),
        pixel(row, true, column + STRIDE, width),
        pixel(row, true, column + 2u * STRIDE, width),
        pixel(row, true, column + 3u * STRIDE, width),
    );
}

fn window(row: u32, column: u32) -> Window {
    var a: Window;
    a.a0 = pixels(row, column, sl.source_w);
    if SPAN > 1u { a.a1 = pixels(row, column + 4u * STRIDE, sl.source_w); }
    if SPAN > 2u { a.a2 = pixels(row, column + 8u * STRIDE, sl.source_w); }
    if SPAN > 3u { a.a3 = pixels(row, column + 12u * STRIDE, sl.source_w); }
    return a;
}

fn multiply(t: ptr<function, Tile>, a: Window, k: u32) {
    let w0 = packed[k];
    (*t).l0 += outer(a.a0, w0);
    if SPAN > 1u { (*t).l1 += outer(a.a1, w0); }
    if SPAN > 2u { (*t).l2 += outer(a.a2, w0); }
    if SPAN > 3u { (*t).l3 += outer(a.a3, w0); }
    if CHANNELS > 4u {
        let w1 = packed[k + 1u];
        (*t).h0 = add_high((*t).h0, a.a0, w1);
        if SPAN > 1u { (*t).h1 = add_high((*t).h1, a.a1, w1); }
        if SPAN > 2u { (*t).h2 = add_high((*t).h2, a.a2, w1); }
        if SPAN > 3u { (*t).h3 = add_high((*t).h3, a.a3, w1); }
    }
}

// Tap kx of a row, where the window's first pixel meets `column` at tap 0; k: of tap 0.
fn next_tap(t: ptr<function, Tile>, a: ptr<function, Window>, k: u32, row: u32, column: u32, kx: u32) {
    if STRIDE > 1u {
        multiply(t, window(row, column + kx), k + 2u * kx);
        return;
    }
    let next = pixel(row, true, column + 4u * SPAN - 1u + kx, sl.source_w);
    (*a).a0 = vec4f((*a).a0.yzw, select(next, (*a).a1.x, SPAN > 1u));
    if SPAN > 1u { (*a).a1 = vec4f((*a).a1.yzw, select(next, (*a).a2.x, SPAN > 2u)); }
    if SPAN > 2u { (*a).a2 = vec4f((*a).a2.yzw, select(next, (*a).a3.x, SPAN > 3u)); }
    if SPAN > 3u { (*a).a3 = vec4f((*a).a3.yzw, next); }
    multiply(t, *a, k + 2u * kx);
}

// Four positions × channels 4 to 7 of a block.
fn add_high(c: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
    if CHANNELS > 6u {
        return c + outer(a, b);
    }
    return mat4x4f(c[0] + a * b.x, c[1] + a * b.y, c[2], c[3]);
}

// Workgroups: (group, block of 8 channels) slowest, then a row's segments in all images: neighbours have the same rows of taps.
@compute @workgroup_size(WG)
fn slide(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let total = sl.images * sl.result_h * sl.segments;
    let per_block = (total + WG - 1u) / WG;
    let index = group_index(id, groups);
    let block = index / per_block; // over all groups
    let tile = index % per_block * WG + lane;
    if block >= sl.groups * sl.blocks || tile >= total {
        return;
    }
    let group = block / sl.blocks;
    let first = block % sl.blocks * 8u;
    let line = tile / sl.segments;
    let left = (tile - line * sl.segments) * 4u * SPAN;
    let top = line / sl.images;
    let image = line - top * sl.images;
    let source_map = sl.source_h * sl.source_w;
    var map = (image * sl.groups + group) * sl.channels * source_map;

    let above = top * sl.stride_y; // source rows, the padding's counted
    // Rows of taps that lie in the source.
    var ky_first = 0u;
    var ky_end = sl.kernel_h;
    if CHECKED {
        ky_first = max(above, sl.padding_y) - above;
        ky_end = min(sl.kernel_h, sl.source_h + sl.padding_y - above);
    }

    var weights = block * (1u + sl.kernel_h * KERNEL_W * sl.channels);
    // columns: channels, rows: positions
    let b0 = outer(vec4f(1.0), packed[weights * 2u]);
    let b1 = outer(vec4f(1.0), packed[weights * 2u + 1u]);
    weights += 1u;
    var t = Tile(b0, b0, b0, b0, b1, b1, b1, b1);
    for (var c = 0u; c < sl.channels; c++) {
        for (var ky = ky_first; ky < ky_end; ky++) {
            let k = (weights + ky * KERNEL_W) * 2u;
            let row = map + (above + ky - sl.padding_y) * sl.source_w;
            let column = left * STRIDE - sl.padding_x;
            var a = window(row, column);
            multiply(&t, a, k);
            if KERNEL_W > 1u { next_tap(&t, &a, k, row, column, 1u); }
            if KERNEL_W > 2u { next_tap(&t, &a, k, row, column, 2u); }
            if KERNEL_W > 3u { next_tap(&t, &a, k, row, column, 3u); }
            if KERNEL_W > 4u { next_tap(&t, &a, k, row, column, 4u); }
            if KERNEL_W > 5u { next_tap(&t, &a, k, row, column, 5u); }
            if KERNEL_W > 6u { next_tap(&t, &a, k, row, column, 6u); }
            if KERNEL_W > 7u { next_tap(&t, &a, k, row, column, 7u); }
            if KERNEL_W > 8u { next_tap(&t, &a, k, row, column, 8u); }
            if KERNEL_W > 9u { next_tap(&t, &a, k, row, column, 9u); }
            if KERNEL_W > 10u { next_tap(&t, &a, k, row, column, 10u); }
        }
        map += source_map;
        weights += sl.kernel_h * KERNEL_W;
    }
    let result_map = sl.result_h * sl.result_w;
    let at = ((image * sl.groups + group) * sl.results + first) * result_map + top * sl.result_w + left;
    let count = sl.results - first;
    spill(at, left, count, t.l0, t.h0);
    if SPAN > 1u { spill(at + 4u, left + 4u, count, t.l1, t.h1); }
    if SPAN > 2u { spill(at + 8u, left + 8u, count, t.l2, t.h2); }
    if SPAN > 3u { spill(at + 12u, left + 12u, count, t.l3, t.h3); }
}

// Four positions of up to 8 channels.
fn spill(at: u32, column: u32, count: u32, low: mat4x4f, high: mat4x4f) {
    let map = sl.result_h * sl.result_w;
    drop_(at, column, low[0]);
    if count > 1u { drop_(at + map, column, low[1]); }
    if count > 2u { drop_(at + 2u * map, column, low[2]); }
    if count > 3u { drop_(at + 3u * map, column, low[3]); }
    if CHANNELS > 4u {
        if count > 4u { drop_(at + 4u * map, column, high[0]); }
        if count > 5u { drop_(at + 5u * map, column, high[1]); }
        if count > 6u { drop_(at + 6u * map, column, high[2]); }
        if count > 7u { drop_(at + 7u * map, column, high[3]); }
    }
}

fn drop_(at: u32, column: u32, value: vec4f) {
    let v = activate4(select(value, vec4f(sl.floor), value < vec4f(sl.floor))); // NaN stays
    if column < sl.result_w { y[at] = v.x; }
    if column + 1u < sl.result_w { y[at + 1u] = v.y; }
    if column + 2u < sl.result_w { y[at + 2u] = v.z; }
    if column + 3u < sl.result_w { y[at + 3u] = v.w; }
}

struct Tap { at: vec4u, dy: vec4i, dx: vec4i }

fn tap(column: vec4u) -> Tap {
    let taps = w.kernel_h * w.kernel_w;
    let safe = min(column, vec4u(w.columns - 1u));
    let c = safe / taps;
    let ky = safe % taps / w.kernel_w;
    let kx = safe % w.kernel_w;
    let dy = ky * w.dilation_y;
    let dx = kx * w.dilation_x;
    return Tap(c * w.source_h * w.source_w + dy * w.source_w + dx, vec4i(dy), vec4i(dx));
}

// Invocations: split fastest, then block of 8 columns, then block of 8 channels. Parts: split × result channels × (columns + 1).
@compute @workgroup_size(WG)
fn backward_weight(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = group_index(id, groups) * WG + lane;
    let split = index % w.splits;
    let column = index / w.splits % w.column_blocks * 8u;
    let block = index / w.splits / w.column_blocks;
    if block >= w.groups * w.blocks {
        return;
    }
    let group = block / w.blocks;
    let first = block % w.blocks * 8u;
    let source_map = w.source_h * w.source_w;
    let result_map = w.result_h * w.result_w;

    let columns0 = column + vec4u(0u, 1u, 2u, 3u);
    let columns1 = column + vec4u(4u, 5u, 6u, 7u);
    let t0 = tap(columns0);
    let t1 = tap(columns1);
    let real0 = columns0 < vec4u(w.columns);
    let real1 = columns1 < vec4u(w.columns);
    // the bias' column meets 1 everywhere
    let other0 = select(vec4f(0.0), vec4f(1.0), columns0 == vec4u(w.columns));
    let other1 = select(vec4f(0.0), vec4f(1.0), columns1 == vec4u(w.columns));
    // channels beyond the end repeat the last one and are not stored
    let m0 = min(first + vec4u(0u, 1u, 2u, 3u), vec4u(w.results - 1u)) * result_map;
    let m1 = min(first + vec4u(4u, 5u, 6u, 7u), vec4u(w.results - 1u)) * result_map;

    var n = split / result_map;
    var ry = split % result_map / w.result_w;
    var rx = split % result_map % w.result_w;
    var c00 = mat4x4f();
    var c01 = mat4x4f();
    var c10 = mat4x4f();
    var c11 = mat4x4f();
    for (var r = split; r < w.total; r += w.splits) {
        let d = (n * w.groups + group) * w.results * result_map + ry * w.result_w + rx;
        let d0 = vec4f(dy[d + m0.x], dy[d + m0.y], dy[d + m0.z], dy[d + m0.w]);
        let d1 = vec4f(dy[d + m1.x], dy[d + m1.y], dy[d + m1.z], dy[d + m1.w]);
        let sy = i32(ry * w.stride_y) - i32(w.padding_y);
        let sx = i32(rx * w.stride_x) - i32(w.padding_x);
        let s = (n * w.groups + group) * w.channels * source_map;
        let shift = vec4i(i32(s) + sy * i32(w.source_w) + sx);
        var a0: vec4f;
        var a1: vec4f;
        if CHECKED {
            var in0 = real0;
            var in1 = real1;
            let size = vec2i(i32(w.source_h), i32(w.source_w));
            in0 &= (sy + t0.dy >= vec4i(0)) & (sy + t0.dy < vec4i(size.x)) & (sx + t0.dx >= vec4i(0)) & (sx + t0.dx < vec4i(size.y));
            in1 &= (sy + t1.dy >= vec4i(0)) & (sy + t1.dy < vec4i(size.x)) & (sx + t1.dx >= vec4i(0)) & (sx + t1.dx < vec4i(size.y));
            a0 = select(other0, pick(select(vec4u(0u), vec4u(vec4i(t0.at) + shift), in0)), in0);
            a1 = select(other1, pick(select(vec4u(0u), vec4u(vec4i(t1.at) + shift), in1)), in1);
        } else {
            a0 = select(other0, pick(t0.at + vec4u(shift)), real0);
            a1 = select(other1, pick(t1.at + vec4u(shift)), real1);
        }
        c00 += outer(a0, d0);
        c01 += outer(a0, d1);
        c10 += outer(a1, d0);
        c11 += outer(a1, d1);

        rx += w.move_x;
        if rx >= w.result_w { rx -= w.result_w; ry += 1u; }
        ry += w.move_y;
        if ry >= w.result_h { ry -= w.result_h; n += 1u; }
        n += w.move_n;
    }
    let row = (split * w.groups + group) * w.results + first;
    keep(row, first, 0u, columns0, c00[0]);
    keep(row, first, 1u, columns0, c00[1]);
    keep(row, first, 2u, columns0, c00[2]);
    keep(row, first, 3u, columns0, c00[3]);
    keep(row, first, 4u, columns0, c01[0]);
    keep(row, first, 5u, columns0, c01[1]);
    keep(row, first, 6u, columns0, c01[2]);
    keep(row, first, 7u, columns0, c01[3]);
    keep(row, first, 0u, columns1, c10[0]);
    keep(row, first, 1u, columns1, c10[1]);
    keep(row, first, 2u, columns1, c10[2]);
    keep(row, first, 3u, columns1, c10[3]);
    keep(row, first, 4u, columns1, c11[0]);
    keep(row, first, 5u, columns1, c11[1]);
    keep(row, first, 6u, columns1, c11[2]);
    keep(row, first, 7u, columns1, c11[3]);
}

fn keep(row: u32, first: u32, m: u32, column: vec4u, v: vec4f) {
    if first + m < w.results {
        let o = (row + m) * (w.columns + 1u) + column;
        if column.x <= w.columns { parts[o.x] = v.x; }
        if column.y <= w.columns { parts[o.y] = v.y; }
        if column.z <= w.columns { parts[o.z] = v.z; }
        if column.w <= w.columns { parts[o.w] = v.w; }
    }
}

// The same for stride 1 and dilation 1: an invocation takes 8 result channels × ROWS kernel rows (of any source channels) × KERNEL_W
// taps, and walks along result rows, on which each kernel row's window of x slides: 8 + ROWS loads for 8·ROWS·KERNEL_W products.
struct WeightSlide {
    groups: u32, channels: u32, results: u32, blocks: u32,
    row_blocks: u32, // of ROWS kernel rows
    splits: u32,
    images: u32,
    source_h: u32, source_w: u32,
    result_h: u32, result_w: u32,
    kernel_h: u32,
    padding_y: u32, padding_x: u32,
}

@group(0) @binding(0) var<uniform> ws: WeightSlide;

override ROWS: u32 = 4u;     // 1 to 4

// One kernel row: its window, and its sums: matrix columns are taps (4 and 4), matrix rows result channels (4 and 4).
struct KernelRow { near: vec4f, far: vec4f, l0: mat4x4f, l1: mat4x4f, h0: mat4x4f, h1: mat4x4f }

// The window enters a row of x: all taps but the last.
fn enter(r: KernelRow, row: u32, real: bool, column: u32) -> KernelRow {
    var out = r;
    let width = ws.source_w;
    if KERNEL_W > 1u { out.near.x = pixel(row, real, column, width); }
    if KERNEL_W > 2u { out.near.y = pixel(row, real, column + 1u, width); }
    if KERNEL_W > 3u { out.near.z = pixel(row, real, column + 2u, width); }
    if KERNEL_W > 4u { out.near.w = pixel(row, real, column + 3u, width); }
    if KERNEL_W > 5u { out.far.x = pixel(row, real, column + 4u, width); }
    if KERNEL_W > 6u { out.far.y = pixel(row, real, column + 5u, width); }
    if KERNEL_W > 7u { out.far.z = pixel(row, real, column + 6u, width); }
    return out;
}

// The last tap comes in, products are added, the window moves on.
fn advance(r: KernelRow, next: f32, d0: vec4f, d1: vec4f) -> KernelRow {
    var out = r;
    let lane = vec4u(0u, 1u, 2u, 3u) + 1u;
    let near = select(r.near, vec4f(next), lane == vec4u(KERNEL_W));
    out.l0 = taps_added(r.l0, d0, near, KERNEL_W);
    if CHANNELS > 4u { out.h0 = taps_added(r.h0, d1, near, KERNEL_W); }
    var far = r.far;
    if KERNEL_W > 4u {
        far = select(r.far, vec4f(next), lane + 4u == vec4u(KERNEL_W));
        out.l1 = taps_added(r.l1, d0, far, KERNEL_W - 4u);
        if CHANNELS > 4u { out.h1 = taps_added(r.h1, d1, far, KERNEL_W - 4u); }
    }
    out.near = vec4f(near.yzw, far.x);
    out.far = vec4f(far.yzw, 0.0);
    return out;
}

fn taps_added(c: mat4x4f, d: vec4f, a: vec4f, count: u32) -> mat4x4f {
    var out = c;
    out[0] += d * a.x;
    if count > 1u { out[1] += d * a.y; }
    if count > 2u { out[2] += d * a.z; }
    if count > 3u { out[3] += d * a.w; }
    return out;
}

// Invocations: split fastest, then block of ROWS kernel rows, then block of 8 channels. Parts as above.
@compute @workgroup_size(WG)
fn slide_weight(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = group_index(id, groups) * WG + lane;
    let split = index % ws.splits;
    let first_row = index / ws.splits % ws.row_blocks * ROWS;
    let block = index / ws.splits / ws.row_blocks;
    if block >= ws.groups * ws.blocks {
        return;
    }
    let group = block / ws.blocks;
    let first = block % ws.blocks * 8u;
    let source_map = ws.source_h * ws.source_w;
    let result_map = ws.result_h * ws.result_w;
    // channels and kernel rows beyond the end repeat the last one and are not stored
    let m0 = min(first + vec4u(0u, 1u, 2u, 3u), vec4u(ws.results - 1u)) * result_map;
    let m1 = min(first + vec4u(4u, 5u, 6u, 7u), vec4u(ws.results - 1u)) * result_map;
    let rows = min(first_row + vec4u(0u, 1u, 2u, 3u), vec4u(ws.channels * ws.kernel_h - 1u));
    let c = rows / ws.kernel_h;
    let ky = rows - c * ws.kernel_h;
    let map = c * source_map + ky * ws.source_w; // wraps round, as the rows below do

    var r0: KernelRow; var r1: KernelRow; var r2: KernelRow; var r3: KernelRow;
    var sum0 = vec4f(); // the bias' gradient
    var sum1 = vec4f();
    for (var line = split; line < ws.images * ws.result_h; line += ws.splits) {
        let image = line / ws.result_h;
        let top = line - image * ws.result_h;
        let y_ = top + ky - ws.padding_y; // wraps round below 0
        let real = y_ < vec4u(ws.source_h);
        let row = map + (image * ws.groups + group) * ws.channels * source_map + (top - ws.padding_y) * ws.source_w;
        var column = 0u - ws.padding_x;
        r0 = enter(r0, row.x, real.x, column);
        if ROWS > 1u { r1 = enter(r1, row.y, real.y, column); }
        if ROWS > 2u { r2 = enter(r2, row.z, real.z, column); }
        if ROWS > 3u { r3 = enter(r3, row.w, real.w, column); }
        column += KERNEL_W - 1u;
        var d = (image * ws.groups + group) * ws.results * result_map + top * ws.result_w;
        for (var x_ = 0u; x_ < ws.result_w; x_++) {
            let d0 = vec4f(dy[d + m0.x], dy[d + m0.y], dy[d + m0.z], dy[d + m0.w]);
            sum0 += d0;
            var d1 = vec4f();
            if CHANNELS > 4u {
                d1 = vec4f(dy[d + m1.x], dy[d + m1.y], dy[d + m1.z], dy[d + m1.w]);
                sum1 += d1;
            }
            r0 = advance(r0, pixel(row.x, real.x, column, ws.source_w), d0, d1);
            if ROWS > 1u { r1 = advance(r1, pixel(row.y, real.y, column, ws.source_w), d0, d1); }
            if ROWS > 2u { r2 = advance(r2, pixel(row.z, real.z, column, ws.source_w), d0, d1); }
            if ROWS > 3u { r3 = advance(r3, pixel(row.w, real.w, column, ws.source_w), d0, d1); }
            column += 1u;
            d += 1u;
        }
    }
    let columns = ws.channels * ws.kernel_h * KERNEL_W + 1u;
    let at = ((split * ws.groups + group) * ws.results + first) * columns;
    let count = ws.results - first;
    keep_row(at, first_row, count, columns, r0);
    if ROWS > 1u { keep_row(at, first_row + 1u, count, columns, r1); }
    if ROWS > 2u { keep_row(at, first_row + 2u, count, columns, r2); }
    if ROWS > 3u { keep_row(at, first_row + 3u, count, columns, r3); }
    if first_row == 0u {
        keep_column(at + columns - 1u, count, columns, sum0, sum1);
    }
}

fn keep_row(at: u32, row: u32, count: u32, columns: u32, r: KernelRow) {
    if row < ws.channels * ws.kernel_h {
        let o = at + row * KERNEL_W;
        keep_column(o, count, columns, r.l0[0], r.h0[0]);
        if KERNEL_W > 1u { keep_column(o + 1u, count, columns, r.l0[1], r.h0[1]); }
        if KERNEL_W > 2u { keep_column(o + 2u, count, columns, r.l0[2], r.h0[2]); }
        if KERNEL_W > 3u { keep_column(o + 3u, count, columns, r.l0[3], r.h0[3]); }
        if KERNEL_W > 4u { keep_column(o + 4u, count, columns, r.l1[0], r.h1[0]); }
        if KERNEL_W > 5u { keep_column(o + 5u, count, columns, r.l1[1], r.h1[1]); }
        if KERNEL_W > 6u { keep_column(o + 6u, count, columns, r.l1[2], r.h1[2]); }
        if KERNEL_W > 7u { keep_column(o + 7u, count, columns, r.l1[3], r.h1[3]); }
    }
}

// One column of the parts, up to 8 channels.
fn keep_column(at: u32, count: u32, columns: u32, low: vec4f, high: vec4f) {
    parts[at] = low.x;
    if count > 1u { parts[at + columns] = low.y; }
    if count > 2u { parts[at + 2u * columns] = low.z; }
    if count > 3u { parts[at + 3u * columns] = low.w; }
    if CHANNELS > 4u {
        if count > 4u { parts[at + 4u * columns] = high.x; }
        if count > 5u { parts[at + 5u * columns] = high.y; }
        if count > 6u { parts[at + 6u * columns] = high.z; }
        if count > 7u { parts[at + 7u * columns] = high.w; }
    }
}

// Weights without a connection have no gradient. `connected`: 0 or 1 for each (result, source) channel.
@compute @workgroup_size(WG)
fn mask(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < pk.len {
        masked[i] *= connected[i / pk.taps];
    }
}
