// The mean of each map: an invocation a map forward, an invocation a pixel backward.

struct Params {
    maps: u32, // of the whole batch
    map: u32,  // pixels of one
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.maps {
        var sum = 0.0;
        for (var at = i * p.map; at < (i + 1u) * p.map; at++) {
            sum += x[at];
        }
        y[i] = activate(sum / f32(p.map));
    }
}

@compute @workgroup_size(WG)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.maps * p.map {
        y[i] = x[i / p.map] / f32(p.map);
    }
}
