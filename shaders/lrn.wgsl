// Local response normalisation across maps: y = x/d^β, d = k + α/n·Σ x² over neighbouring maps. An invocation a unit.

struct Params {
    len: u32,      // units of the whole batch
    channels: u32,
    map: u32,      // pixels of a map
    before: u32, after: u32, // maps in the sum, beside the unit's own
    alpha: f32,    // divided by n already
    beta: f32,
    k: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> kept: array<f32>;

@group(0) @binding(2) var<storage, read> d: array<f32>;
@group(0) @binding(3) var<storage, read> upstream: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;

// Positions of the maps from `before` maps before unit i's to `after` maps after it: first, last.
fn neighbours(i: u32, before: u32, after: u32) -> vec2u {
    let c = i / p.map % p.channels;
    return vec2u(i - min(before, c) * p.map, i + min(after, p.channels - 1u - c) * p.map);
}

fn power(d: f32) -> f32 {
    if p.beta == 0.75 {
        let root = sqrt(d);
        return 1.0 / (root * sqrt(root));
    }
    return pow(d, -p.beta);
}

fn denominator(i: u32) -> f32 {
    let ends = neighbours(i, p.before, p.after);
    var sum = 0.0;
    for (var j = ends.x; j <= ends.y; j += p.map) {
        sum += x[j] * x[j];
    }
    return p.k + p.alpha * sum;
}

@compute @workgroup_size(WG)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        y[i] = activate(x[i] * power(denominator(i)));
    }
}

// The same, keeping d for the backward pass.
@compute @workgroup_size(WG)
fn forward_keep(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let found = denominator(i);
        kept[i] = found;
        y[i] = activate(x[i] * power(found));
    }
}

@compute @workgroup_size(WG)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let ends = neighbours(i, p.after, p.before); // those whose windows hold this map
        var sum = 0.0;
        for (var j = ends.x; j <= ends.y; j += p.map) {
            sum += upstream[j] * power(d[j]) * x[j] / d[j];
        }
        gradient[i] = upstream[i] * power(d[i]) - 2.0 * p.alpha * p.beta * x[i] * sum;
    }
}
