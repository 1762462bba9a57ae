// Pointwise activations, four elements an invocation (buffers are padded to whole vec4). Must not know shapes.

struct Params {
    vectors: u32, // vec4 in the buffer
}

@group(0) @binding(0) var<uniform> p: Params;

// forward, backward: out of place
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
// forward_in_place
@group(0) @binding(1) var<storage, read_write> xy: array<vec4f>;
// backward: value, upstream gradient, gradient
@group(0) @binding(1) var<storage, read> value: array<vec4f>;
@group(0) @binding(2) var<storage, read> upstream: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4f>;
// backward_in_place: value, gradient
@group(0) @binding(2) var<storage, read_write> chained: array<vec4f>;

@compute @workgroup_size(WG)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.vectors {
        y[i] = activate4(x[i]);
    }
}

@compute @workgroup_size(WG)
fn forward_in_place(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.vectors {
        xy[i] = activate4(xy[i]);
    }
}

@compute @workgroup_size(WG)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.vectors {
        gradient[i] = upstream[i] * slope4(value[i]);
    }
}

@compute @workgroup_size(WG)
fn backward_in_place(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.vectors {
        chained[i] = chained[i] * slope4(value[i]);
    }
}
