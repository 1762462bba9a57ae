// Adds the partial sums that a backward_weight kernel left: split × row × (columns + 1), the last column being the bias'.
// The order is fixed, so the same run gives the same bits.

struct Params { splits: u32, rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;

fn total(i: u32) -> f32 {
    let step = p.rows * (p.columns + 1u);
    var sum = 0.0;
    for (var s = 0u; s < p.splits; s++) {
        sum += parts[s * step + i];
    }
    return sum;
}

@compute @workgroup_size(WG)
fn weight_only(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    let row = i / (p.columns + 1u);
    let column = i % (p.columns + 1u);
    if row < p.rows && column < p.columns {
        weight[row * p.columns + column] = total(i);
    }
}

@compute @workgroup_size(WG)
fn weight_and_bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    let row = i / (p.columns + 1u);
    let column = i % (p.columns + 1u);
    if row < p.rows {
        let sum = total(i);
        if column < p.columns {
            weight[row * p.columns + column] = sum;
        } else {
            bias[row] = sum;
        }
    }
}
