// The sum of two branches, four elements an invocation. Must not know shapes.

struct Params {
    vectors: u32, // vec4 in each buffer
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

@group(0) @binding(1) var<storage, read_write> sum: array<vec4f>;

@group(0) @binding(1) var<storage, read> upstream: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradient: array<vec4f>;

@compute @workgroup_size(WG)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.vectors {
        y[i] = activate4(a[i] + b[i]);
    }
}

@compute @workgroup_size(WG)
fn add_in_place(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.vectors {
        sum[i] = activate4(sum[i] + b[i]);
    }
}

// The same gradient for either branch.
@compute @workgroup_size(WG)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.vectors {
        gradient[i] = upstream[i];
    }
}
