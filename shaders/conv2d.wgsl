// Convolution. Forward and backward_input are one gather: a product of packed weights and patches, 8 channels × 8 pixels an
// invocation. Where stride and dilation are 1, `slide` does the same with a third of the loads. backward_weight sums over images and positions in `splits` interleaved parts; sum.wgsl adds the parts.
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

@compute @workgroup_size(WG)
fn pack_bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < pk.len {
        var value = packed_weight(i);
        let rows = 1u + pk.taps * pk.channels;
        if i / 8u % rows == 0u {
            let block = i / 8u / rows;
            let m = block % pk.blocks * 8u + i % 8u;
            if m < pk.results {
                value = bias[block / pk.blocks * pk.results + m];
            }
        }
        pack_out_bias[i] = value;
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

// The gather for stride 1 and dilation 1, from a source that has its padding. Positions are counted through the source's rows: position f is row f / pitch,
// column f % pitch, and tap (ky, kx) of the result at f lies at f + ky·pitch + kx. So 8 neighbouring positions share a window that
// slides along the row: kernel_w + 7 loads for 8·kernel_w products a channel. What is computed beyond a row's end is not stored.
struct Slide {
    groups: u32, channels: u32, results: u32, blocks: u32,
    images: u32,
    tiles: u32,    // of 8 positions, an image
    pitch: u32,    // columns of the source
    source_map: u32,
    result_h: u32, result_w: u32,
    kernel_h: u32, kernel_w: u32,
}

@group(0) @binding(0) var<uniform> sl: Slide;

// Copies maps with zeros around them, so that `slide` has nothing to check.
struct Pad {
    vectors: u32, // vec4 of the padded maps
    source_h: u32, source_w: u32,
    padded_h: u32, padded_w: u32,
    padding_y: u32, padding_x: u32,
}

@group(0) @binding(0) var<uniform> pd: Pad;
@group(0) @binding(2) var<storage, read_write> padded: array<vec4f>;

@compute @workgroup_size(WG)
fn pad(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < pd.vectors {
        var row = i * 4u / pd.padded_w;
        var column = i * 4u - row * pd.padded_w;
        var map = row / pd.padded_h;
        row -= map * pd.padded_h;
        var at = vec4u();
        var inside = vec4<bool>();
        for (var j = 0u; j < 4u; j++) {
            let y_ = row - pd.padding_y; // wraps round below 0
            let x_ = column - pd.padding_x;
            inside[j] = y_ < pd.source_h && x_ < pd.source_w;
            at[j] = (map * pd.source_h + y_) * pd.source_w + x_;
            column += 1u;
            if column == pd.padded_w {
                column = 0u;
                row += 1u;
            }
            if row == pd.padded_h {
                row = 0u;
                map += 1u;
            }
        }
        padded[i] = select(vec4f(0.0), pick(select(vec4u(0u), at, inside)), inside);
    }
}

// Workgroups: (group, block of 8 channels) slowest, then tiles of all images.
@compute @workgroup_size(WG)
fn slide(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let per_block = (sl.images * sl.tiles + WG - 1u) / WG;
    let index = group_index(id, groups);
    let block = index / per_block; // over all groups
    let tile = index % per_block * WG + lane;
    if block >= sl.groups * sl.blocks || tile >= sl.images * sl.tiles {
        return;
    }
    let group = block / sl.blocks;
    let first = block % sl.blocks * 8u;
    let image = tile / sl.tiles;
    let position = tile % sl.tiles * 8u;
    var map = (image * sl.groups + group) * sl.channels * sl.source_map;

    var k = block * (1u + sl.kernel_h * sl.kernel_w * sl.channels) * 2u;
    // columns: channels, rows: positions
    var c00 = outer(vec4f(1.0), packed[k]);
    var c01 = outer(vec4f(1.0), packed[k + 1u]);
    var c10 = c00;
    var c11 = c01;
    k += 2u;
    for (var c = 0u; c < sl.channels; c++) {
        for (var ky = 0u; ky < sl.kernel_h; ky++) {
            // beyond the source's end only for positions that are not stored
            var next = map + position + ky * sl.pitch;
            var a0 = vec4f(x[next], x[next + 1u], x[next + 2u], x[next + 3u]);
            var a1 = vec4f(x[next + 4u], x[next + 5u], x[next + 6u], x[next + 7u]);
            next += 8u;
            for (var kx = 0u; kx < sl.kernel_w; kx++) {
                let w0 = packed[k];
                let w1 = packed[k + 1u];
                k += 2u;
                c00 += outer(a0, w0);
                c01 += outer(a0, w1);
                c10 += outer(a1, w0);
                c11 += outer(a1, w1);
                a0 = vec4f(a0.yzw, a1.x);
                a1 = vec4f(a1.yzw, x[next]); // one load too many a row
                next += 1u;
            }
        }
        map += sl.source_map;
    }
    let result_map = sl.result_h * sl.result_w;
    let at = ((image * sl.groups + group) * sl.results + first) * result_map;
    let count = sl.results - first;
    let f = position + vec4u(0u, 1u, 2u, 3u);
    let row0 = f / sl.pitch;
    let row1 = (f + 4u) / sl.pitch;
    let column0 = f - row0 * sl.pitch;
    let column1 = f + 4u - row1 * sl.pitch;
    let in0 = (row0 < vec4u(sl.result_h)) & (column0 < vec4u(sl.result_w));
    let in1 = (row1 < vec4u(sl.result_h)) & (column1 < vec4u(sl.result_w));
    let out0 = at + row0 * sl.result_w + column0;
    let out1 = at + row1 * sl.result_w + column1;
    spill(in0, out0, result_map, count, c00, c01);
    spill(in1, out1, result_map, count, c10, c11);
}

// Four positions of up to 8 channels.
fn spill(inside: vec4<bool>, at: vec4u, map: u32, count: u32, low: mat4x4f, high: mat4x4f) {
    drop_(inside, at, activate4(low[0]));
    if count > 1u { drop_(inside, at + map, activate4(low[1])); }
    if count > 2u { drop_(inside, at + 2u * map, activate4(low[2])); }
    if count > 3u { drop_(inside, at + 3u * map, activate4(low[3])); }
    if count > 4u { drop_(inside, at + 4u * map, activate4(high[0])); }
    if count > 5u { drop_(inside, at + 5u * map, activate4(high[1])); }
    if count > 6u { drop_(inside, at + 6u * map, activate4(high[2])); }
    if count > 7u { drop_(inside, at + 7u * map, activate4(high[3])); }
}

fn drop_(inside: vec4<bool>, at: vec4u, v: vec4f) {
    if inside.x { y[at.x] = v.x; }
    if inside.y { y[at.y] = v.y; }
    if inside.z { y[at.z] = v.z; }
    if inside.w { y[at.w] = v.w; }
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

// Weights without a connection have no gradient. `connected`: 0 or 1 for each (result, source) channel.
@compute @workgroup_size(WG)
fn mask(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < pk.len {
        masked[i] *= connected[i / pk.taps];
    }
}
