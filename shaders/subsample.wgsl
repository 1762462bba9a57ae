// LeNet-5's trainable subsampling: coefficient[c] · Σ window + bias[c]. Windows do not overlap.

struct Params {
    len: u32,      // outputs (forward) or inputs (backward_input) of the whole batch
    batch: u32,
    channels: u32,
    input_h: u32, input_w: u32,
    output_h: u32, output_w: u32,
    size: u32,
    splits: u32,   // backward_weight: parts of the sum over batch and positions
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> coefficient: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> upstream: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

fn window_sum(map: u32, oy: u32, ox: u32) -> f32 {
    var sum = 0.0;
    for (var row = 0u; row < p.size; row++) {
        let at = (map * p.input_h + oy * p.size + row) * p.input_w + ox * p.size;
        for (var column = 0u; column < p.size; column++) {
            sum += x[at + column];
        }
    }
    return sum;
}

@compute @workgroup_size(WG)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let map = i / (p.output_h * p.output_w);
        let c = map % p.channels;
        let sum = window_sum(map, i / p.output_w % p.output_h, i % p.output_w);
        y[i] = activate(coefficient[c] * sum + bias[c]);
    }
}

@compute @workgroup_size(WG)
fn backward_input(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let map = i / (p.input_h * p.input_w);
        let oy = i / p.input_w % p.input_h / p.size;
        let ox = i % p.input_w / p.size;
        var value = 0.0; // rows and columns that no window covers
        if oy < p.output_h && ox < p.output_w {
            value = upstream[(map * p.output_h + oy) * p.output_w + ox] * coefficient[map % p.channels];
        }
        gradient[i] = value;
    }
}

// Parts for sum.wgsl: split × channel × (coefficient, bias).
@compute @workgroup_size(WG)
fn backward_weight(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    let split = i % p.splits;
    let c = i / p.splits;
    if c >= p.channels {
        return;
    }
    let positions = p.output_h * p.output_w;
    var sums = vec2f(0.0);
    for (var r = split; r < p.batch * positions; r += p.splits) {
        let map = r / positions * p.channels + c;
        let at = r % positions;
        let d = dy[map * positions + at];
        sums += d * vec2f(window_sum(map, at / p.output_w, at % p.output_w), 1.0);
    }
    parts[(split * p.channels + c) * 2u] = sums.x;
    parts[(split * p.channels + c) * 2u + 1u] = sums.y;
}
