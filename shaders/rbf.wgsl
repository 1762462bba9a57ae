// Squared Euclidean distance to each class' centre.

struct Params { batch: u32, features: u32, classes: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> centres: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@group(0) @binding(3) var<storage, read> upstream: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(WG)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.batch * p.classes {
        let from_ = i / p.classes * p.features;
        let centre = i % p.classes * p.features;
        var sum = 0.0;
        for (var j = 0u; j < p.features; j++) {
            let d = x[from_ + j] - centres[centre + j];
            sum += d * d;
        }
        y[i] = activate(sum);
    }
}

@compute @workgroup_size(WG)
fn backward_input(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.batch * p.features {
        let image = i / p.features;
        let j = i % p.features;
        var sum = 0.0;
        for (var c = 0u; c < p.classes; c++) {
            sum += 2.0 * upstream[image * p.classes + c] * (x[i] - centres[c * p.features + j]);
        }
        gradient[i] = sum;
    }
}
