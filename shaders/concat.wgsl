// One branch's maps into, or out of, the maps of all branches.

struct Params {
    len: u32,   // elements of the branch, whole batch
    part: u32,  // of one image's branch
    total: u32, // of one image's concatenation
    first: u32, // where the branch begins in it
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn joined(i: u32) -> u32 {
    let image = i / p.part;
    return image * p.total + p.first + (i - image * p.part);
}

@compute @workgroup_size(WG)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        y[joined(i)] = activate(x[i]);
    }
}

@compute @workgroup_size(WG)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        y[i] = x[joined(i)];
    }
}
