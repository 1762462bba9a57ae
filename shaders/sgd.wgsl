// One step of SGD with momentum and weight decay, as torch.optim.SGD; and sums of squares of gradient, weights before, update.

struct Params {
    len: u32,
    parts: u32,    // invocations: each takes every parts-th element
    stats_at: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> hyper: array<f32>; // lr, momentum, weight_decay
@group(0) @binding(3) var<storage, read_write> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(5) var<storage, read_write> squares: array<f32>; // 3 a part

@group(0) @binding(1) var<storage, read> each: array<f32>;
@group(0) @binding(2) var<storage, read_write> stats: array<f32>;

@compute @workgroup_size(WG)
fn update(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let part = group_index(group, groups) * WG + lane;
    if part >= p.parts {
        return;
    }
    let lr = hyper[0];
    let momentum = hyper[1];
    let weight_decay = hyper[2];
    var sum = vec3f(0.0);
    for (var i = part; i < p.len; i += p.parts) {
        let g = gradient[i];
        let w = weight[i];
        let v = momentum * velocity[i] + (g + weight_decay * w);
        let change = lr * v;
        velocity[i] = v;
        weight[i] = w - change;
        sum += vec3f(g * g, w * w, change * change);
    }
    squares[part * 3u] = sum.x;
    squares[part * 3u + 1u] = sum.y;
    squares[part * 3u + 2u] = sum.z;
}

var<workgroup> halves: array<vec3f, 64>;

// One workgroup of 64: each lane adds every 64th part, then they add up in a tree.
@compute @workgroup_size(64)
fn finish(@builtin(local_invocation_index) lane: u32) {
    var sum = vec3f(0.0);
    for (var i = lane; i < p.parts; i += 64u) {
        sum += vec3f(each[i * 3u], each[i * 3u + 1u], each[i * 3u + 2u]);
    }
    halves[lane] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            halves[lane] += halves[lane + half];
        }
    }
    if lane == 0u {
        stats[p.stats_at] = halves[0].x;
        stats[p.stats_at + 1u] = halves[0].y;
        stats[p.stats_at + 2u] = halves[0].z;
    }
}
