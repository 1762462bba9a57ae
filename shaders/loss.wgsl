// Losses: each image's loss, its gradient, and whether it was classified rightly; then their sums.

struct Params {
    batch: u32,
    classes: u32,
    scale: f32,    // of the gradient: weight / batch
    j: f32,        // of the MAP criterion
    stats_at: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> output: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> images: array<vec2f>; // loss, right

@group(0) @binding(1) var<storage, read> each: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> stats: array<f32>;

@compute @workgroup_size(WG)
fn cross_entropy(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i >= p.batch {
        return;
    }
    let at = i * p.classes;
    let label = u32(labels[i]);
    var best = 0u;
    for (var c = 1u; c < p.classes; c++) {
        if output[at + c] > output[at + best] { // of equals the first
            best = c;
        }
    }
    let top = output[at + best];
    var total = 0.0;
    for (var c = 0u; c < p.classes; c++) {
        total += exp(output[at + c] - top);
    }
    for (var c = 0u; c < p.classes; c++) {
        let probability = exp(output[at + c] - top) / total;
        gradient[at + c] = (probability - select(0.0, 1.0, c == label)) * p.scale;
    }
    images[i] = vec2f(log(total) + top - output[at + label], select(0.0, 1.0, best == label));
}

// LeCun 1998, eq. 9: y[label] + ln(e^-j + Σ e^-y), shifted by its largest exponent.
@compute @workgroup_size(WG)
fn map_criterion(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i >= p.batch {
        return;
    }
    let at = i * p.classes;
    let label = u32(labels[i]);
    var best = 0u;
    for (var c = 1u; c < p.classes; c++) {
        if output[at + c] < output[at + best] {
            best = c;
        }
    }
    let top = max(-p.j, -output[at + best]);
    var total = exp(-p.j - top);
    for (var c = 0u; c < p.classes; c++) {
        total += exp(-output[at + c] - top);
    }
    for (var c = 0u; c < p.classes; c++) {
        let share = exp(-output[at + c] - top) / total;
        gradient[at + c] = (select(0.0, 1.0, c == label) - share) * p.scale;
    }
    images[i] = vec2f(output[at + label] + top + log(total), select(0.0, 1.0, best == label));
}

// One invocation: the order of the sum is that of the images.
@compute @workgroup_size(1)
fn mean() {
    var sum = vec2f(0.0);
    for (var i = 0u; i < p.batch; i++) {
        sum += each[i];
    }
    stats[p.stats_at] = sum.x / f32(p.batch);
    stats[p.stats_at + 1u] = sum.y;
}
