// Batch normalisation. Statistics: [0, channels) means, [channels, 2·channels) 1/√(variance + ε).

struct Params {
    batch: u32,
    channels: u32,
    map: u32,   // pixels of a map
    own: u32,   // 1: the statistics are the batch's own, so they depend on the input
    eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;

// running: mean, variance → statistics
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> variance: array<f32>;
@group(0) @binding(3) var<storage, read_write> running_statistics: array<f32>;
// batch, batch_and_running: x → statistics, and a step of the running ones
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> batch_statistics: array<f32>;
@group(0) @binding(3) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> running_variance: array<f32>;
// normalise: x, statistics, weight, bias → y
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
// sums: x, statistics, upstream → sums; backward_weight: sums → gradients
@group(0) @binding(3) var<storage, read> upstream: array<f32>;
@group(0) @binding(4) var<storage, read_write> new_sums: array<f32>;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight_gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias_gradient: array<f32>;
// backward_input: x, statistics, upstream, sums, weight → gradient
@group(0) @binding(4) var<storage, read> found_sums: array<f32>;
@group(0) @binding(5) var<storage, read> factors: array<f32>;
@group(0) @binding(6) var<storage, read_write> gradient: array<f32>;

const MOMENTUM: f32 = 0.1; // ops/batch_norm.rs

@compute @workgroup_size(WG)
fn running(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = group_index(group, groups) * WG + lane;
    if c < p.channels {
        running_statistics[c] = mean[c];
        running_statistics[p.channels + c] = 1.0 / sqrt(variance[c] + p.eps);
    }
}

var<workgroup> parts: array<vec2f, 64>;

// Sum over the workgroup, given to every lane; in an order that never changes.
fn total(value: vec2f, lane: u32) -> vec2f {
    parts[lane] = value;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            parts[lane] += parts[lane + half];
        }
    }
    workgroupBarrier();
    let sum = parts[0];
    workgroupBarrier(); // before the next sum overwrites it
    return sum;
}

// Element i of channel c, counted over all images.
fn at(c: u32, i: u32) -> u32 {
    let image = i / p.map;
    return (image * p.channels + c) * p.map + (i - image * p.map);
}

// A workgroup a channel: the mean first, then the squares around it, so that large means cost no digits.
fn of_batch(c: u32, lane: u32) -> vec2f {
    let count = p.batch * p.map;
    var sum = 0.0;
    for (var i = lane; i < count; i += 64u) {
        sum += x[at(c, i)];
    }
    let mean = total(vec2f(sum), lane).x / f32(count);
    var squares = 0.0;
    for (var i = lane; i < count; i += 64u) {
        let d = x[at(c, i)] - mean;
        squares += d * d;
    }
    return vec2f(mean, total(vec2f(squares), lane).x);
}

@compute @workgroup_size(64)
fn batch(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = group_index(group, groups);
    if c >= p.channels {
        return;
    }
    let found = of_batch(c, lane);
    if lane == 0u {
        batch_statistics[c] = found.x;
        batch_statistics[p.channels + c] = 1.0 / sqrt(found.y / f32(p.batch * p.map) + p.eps);
    }
}

@compute @workgroup_size(64)
fn batch_and_running(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = group_index(group, groups);
    if c >= p.channels {
        return;
    }
    let found = of_batch(c, lane);
    if lane == 0u {
        let count = p.batch * p.map;
        batch_statistics[c] = found.x;
        batch_statistics[p.channels + c] = 1.0 / sqrt(found.y / f32(count) + p.eps);
        running_mean[c] += MOMENTUM * (found.x - running_mean[c]);
        running_variance[c] += MOMENTUM * (found.y / f32(max(count, 2u) - 1u) - running_variance[c]);
    }
}

@compute @workgroup_size(WG)
fn normalise(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.batch * p.channels * p.map {
        let c = i / p.map % p.channels;
        y[i] = activate(weight[c] * statistics[p.channels + c] * (x[i] - statistics[c]) + bias[c]);
    }
}

@compute @workgroup_size(64)
fn sums_of(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = group_index(group, groups);
    if c >= p.channels {
        return;
    }
    let mean = statistics[c];
    var sum = vec2f(0.0);
    for (var i = lane; i < p.batch * p.map; i += 64u) {
        let j = at(c, i);
        sum += upstream[j] * vec2f(x[j] - mean, 1.0);
    }
    sum = total(sum, lane);
    if lane == 0u {
        new_sums[c] = sum.x * statistics[p.channels + c];
        new_sums[p.channels + c] = sum.y;
    }
}

@compute @workgroup_size(WG)
fn backward_weight(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = group_index(group, groups) * WG + lane;
    if c < p.channels {
        weight_gradient[c] = sums[c];
        bias_gradient[c] = sums[p.channels + c];
    }
}

@compute @workgroup_size(WG)
fn backward_input(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.batch * p.channels * p.map {
        let c = i / p.map % p.channels;
        let scale = statistics[p.channels + c];
        let share = f32(p.own) / f32(p.batch * p.map);
        let along = found_sums[c] * scale * (x[i] - statistics[c]) + found_sums[p.channels + c];
        gradient[i] = factors[c] * scale * (upstream[i] - share * along);
    }
}
