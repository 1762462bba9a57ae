// Average pooling to a given size: window i of n over size s is ⌊i·s/n⌋ … ⌈(i+1)·s/n⌉ − 1. An invocation an output, or an input.

struct Params {
    len: u32, // invocations: outputs or inputs of the whole batch
    input_h: u32, input_w: u32,
    output_h: u32, output_w: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// First and one past the last position of a window.
fn ends(i: u32, outputs: u32, size: u32) -> vec2u {
    return vec2u(i * size / outputs, ((i + 1u) * size + outputs - 1u) / outputs);
}

@compute @workgroup_size(WG)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let row = i / p.output_w;
        let map = row / p.output_h;
        let rows = ends(row - map * p.output_h, p.output_h, p.input_h);
        let columns = ends(i - row * p.output_w, p.output_w, p.input_w);
        var sum = 0.0;
        for (var r = rows.x; r < rows.y; r++) {
            for (var c = columns.x; c < columns.y; c++) {
                sum += x[(map * p.input_h + r) * p.input_w + c];
            }
        }
        y[i] = activate(sum / f32((rows.y - rows.x) * (columns.y - columns.x)));
    }
}

// Windows are few: each input asks all of its map's.
@compute @workgroup_size(WG)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group_index(group, groups) * WG + lane;
    if i < p.len {
        let row = i / p.input_w;
        let map = row / p.input_h;
        let at = vec2u(row - map * p.input_h, i - row * p.input_w);
        var sum = 0.0;
        for (var r = 0u; r < p.output_h; r++) {
            let rows = ends(r, p.output_h, p.input_h);
            if at.x < rows.x || at.x >= rows.y {
                continue;
            }
            for (var c = 0u; c < p.output_w; c++) {
                let columns = ends(c, p.output_w, p.input_w);
                if at.y >= columns.x && at.y < columns.y {
                    sum += x[(map * p.output_h + r) * p.output_w + c] / f32((rows.y - rows.x) * (columns.y - columns.x));
                }
            }
        }
        y[i] = sum;
    }
}
