// Dropout, forward and backward alike: the choice is a hash of step, node and element. Must not know shapes.

struct Params {
    len: u32,
    stream: u32,    // the node's, mixed
    threshold: u32, // hashes from here on are kept
    scale: f32,     // of what is kept
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> counter: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// ops/dropout.rs, mix
fn mix32(word: u32) -> u32 {
    var z = word ^ (word >> 16u);
    z *= 0x7feb352du;
    z ^= z >> 15u;
    z *= 0x846ca68bu;
    return z ^ (z >> 16u);
}

@compute @workgroup_size(WG)
fn drop(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let key = mix32(u32(counter[0]) + p.stream);
        y[i] = activate(select(0.0, x[i] * p.scale, mix32(i ^ key) >= p.threshold));
    }
}
