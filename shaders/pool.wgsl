// Max and average pooling: any kernel, stride, padding. Backward gathers: each input pixel asks the windows that cover it.

struct Params {
    len: u32, // invocations: outputs or inputs of the whole batch
    input_h: u32, input_w: u32,
    output_h: u32, output_w: u32,
    kernel_h: u32, kernel_w: u32,
    stride_y: u32, stride_x: u32,
    padding_y: u32, padding_x: u32,
}

// Windows of 2×2, side by side, that cover every input: written out, since loops and divisions cost more than the pixels.
override HALVING: bool = false;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> winners: array<f32>;

@group(0) @binding(1) var<storage, read> upstream: array<f32>;
@group(0) @binding(2) var<storage, read> won: array<f32>;
@group(0) @binding(2) var<storage, read_write> average_gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> max_gradient: array<f32>;

// The part of a window inside the input, [first, end), and its extent with padding (without what ceil mode adds beyond that).
struct Taps { first: u32, end: u32, extent: u32 }

fn taps(output: u32, kernel: u32, stride: u32, padding: u32, size: u32) -> Taps {
    let start = output * stride; // in padded coordinates
    let end = start + kernel;
    return Taps(
        max(start, padding) - padding,
        min(max(end, padding) - padding, size),
        min(end, size + 2u * padding) - start,
    );
}

struct Place { map: u32, y: u32, x: u32 }

fn place(i: u32, h: u32, w: u32) -> Place {
    let row = i / w;
    let map = row / h;
    return Place(map, row - map * h, i - row * w);
}

struct Best { value: f32, at: u32 }

fn better(best: Best, map: u32, at: u32) -> Best {
    let value = x[map + at];
    let wins = !(value <= best.value); // NaN wins, so that it shows
    return Best(select(best.value, value, wins), select(best.at, at, wins));
}

fn largest(i: u32) -> Best {
    let o = place(i, p.output_h, p.output_w);
    let rows = taps(o.y, p.kernel_h, p.stride_y, p.padding_y, p.input_h);
    let columns = taps(o.x, p.kernel_w, p.stride_x, p.padding_x, p.input_w);
    let map = o.map * p.input_h * p.input_w;
    if HALVING {
        let at = (o.y * p.input_w + o.x) * 2u;
        var best = better(Best(LOWEST, at), map, at);
        best = better(best, map, at + 1u);
        best = better(best, map, at + p.input_w);
        return better(best, map, at + p.input_w + 1u);
    }
    var best = Best(LOWEST, rows.first * p.input_w + columns.first);
    for (var row = rows.first; row < rows.end; row++) {
        for (var column = columns.first; column < columns.end; column++) {
            best = better(best, map, row * p.input_w + column);
        }
    }
    return best;
}

@compute @workgroup_size(WG)
fn max_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        y[i] = activate(largest(i).value);
    }
}

// The same, keeping each window's winner: its flat index in the input map, as a number.
@compute @workgroup_size(WG)
fn max_forward_keep(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let best = largest(i);
        y[i] = activate(best.value);
        winners[i] = f32(best.at);
    }
}

@compute @workgroup_size(WG)
fn average_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let o = place(i, p.output_h, p.output_w);
        let rows = taps(o.y, p.kernel_h, p.stride_y, p.padding_y, p.input_h);
        let columns = taps(o.x, p.kernel_w, p.stride_x, p.padding_x, p.input_w);
        let map = o.map * p.input_h * p.input_w;
        if HALVING {
            let at = map + (o.y * p.input_w + o.x) * 2u;
            let lower = at + p.input_w;
            y[i] = activate((x[at] + x[at + 1u] + x[lower] + x[lower + 1u]) * 0.25);
            return;
        }
        var sum = 0.0;
        for (var row = rows.first; row < rows.end; row++) {
            for (var column = columns.first; column < columns.end; column++) {
                sum += x[map + row * p.input_w + column];
            }
        }
        y[i] = activate(sum / f32(rows.extent * columns.extent));
    }
}

// Windows on one axis that cover an input position: [first, end).
fn windows(input: u32, kernel: u32, stride: u32, padding: u32, outputs: u32) -> vec2u {
    let at = input + padding;
    let first = (max(at + 1u, kernel) - kernel + stride - 1u) / stride;
    return vec2u(first, min(at / stride + 1u, outputs));
}

@compute @workgroup_size(WG)
fn max_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let o = place(i, p.input_h, p.input_w);
        let rows = windows(o.y, p.kernel_h, p.stride_y, p.padding_y, p.output_h);
        let columns = windows(o.x, p.kernel_w, p.stride_x, p.padding_x, p.output_w);
        let me = f32(o.y * p.input_w + o.x);
        var sum = 0.0;
        for (var row = rows.x; row < rows.y; row++) {
            for (var column = columns.x; column < columns.y; column++) {
                let at = (o.map * p.output_h + row) * p.output_w + column;
                if won[at] == me {
                    sum += upstream[at];
                }
            }
        }
        max_gradient[i] = sum;
    }
}

// Windows that do not overlap and are not padded: each output writes the inputs up to the next window, the last ones up to the edge.
@compute @workgroup_size(WG)
fn max_backward_apart(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let o = place(i, p.output_h, p.output_w);
        let gradient = upstream[i];
        let winner = u32(won[i]);
        let bottom = select((o.y + 1u) * p.stride_y, p.input_h, o.y + 1u == p.output_h);
        let right = select((o.x + 1u) * p.stride_x, p.input_w, o.x + 1u == p.output_w);
        let map = o.map * p.input_h * p.input_w;
        if HALVING {
            let at = (o.y * p.input_w + o.x) * 2u;
            let lower = at + p.input_w;
            max_gradient[map + at] = select(0.0, gradient, at == winner);
            max_gradient[map + at + 1u] = select(0.0, gradient, at + 1u == winner);
            max_gradient[map + lower] = select(0.0, gradient, lower == winner);
            max_gradient[map + lower + 1u] = select(0.0, gradient, lower + 1u == winner);
            return;
        }
        for (var row = o.y * p.stride_y; row < bottom; row++) {
            for (var column = o.x * p.stride_x; column < right; column++) {
                let at = row * p.input_w + column;
                max_gradient[map + at] = select(0.0, gradient, at == winner);
            }
        }
    }
}

@compute @workgroup_size(WG)
fn average_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let o = place(i, p.input_h, p.input_w);
        let rows = windows(o.y, p.kernel_h, p.stride_y, p.padding_y, p.output_h);
        let columns = windows(o.x, p.kernel_w, p.stride_x, p.padding_x, p.output_w);
        var sum = 0.0;
        for (var row = rows.x; row < rows.y; row++) {
            let height = taps(row, p.kernel_h, p.stride_y, p.padding_y, p.input_h).extent;
            for (var column = columns.x; column < columns.y; column++) {
                let width = taps(column, p.kernel_w, p.stride_x, p.padding_x, p.input_w).extent;
                sum += upstream[(o.map * p.output_h + row) * p.output_w + column] / f32(height * width);
            }
        }
        average_gradient[i] = sum;
    }
}

// As max_backward_apart.
@compute @workgroup_size(WG)
fn average_backward_apart(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let o = place(i, p.output_h, p.output_w);
        let gradient = upstream[i] / f32(p.kernel_h * p.kernel_w);
        let map = o.map * p.input_h * p.input_w;
        if HALVING {
            let at = map + (o.y * p.input_w + o.x) * 2u;
            let lower = at + p.input_w;
            average_gradient[at] = gradient;
            average_gradient[at + 1u] = gradient;
            average_gradient[lower] = gradient;
            average_gradient[lower + 1u] = gradient;
            return;
        }
        let top = o.y * p.stride_y;
        let left = o.x * p.stride_x;
        let bottom = select(top + p.stride_y, p.input_h, o.y + 1u == p.output_h);
        let right = select(left + p.stride_x, p.input_w, o.x + 1u == p.output_w);
        for (var row = top; row < bottom; row++) {
            for (var column = left; column < right; column++) {
                let covered = row < top + p.kernel_h && column < left + p.kernel_w;
                average_gradient[map + row * p.input_w + column] = select(0.0, gradient, covered);
            }
        }
    }
}
