// Matrix products with strides, 4 rows × 4 columns an invocation: all three directions of a linear layer.
// result[i][j] = activation(Σₖ a[i·a_row + k·a_step] · b[k·b_step + j·b_column] + bias[j])

struct Params {
    rows: u32, columns: u32, terms: u32,
    a_row: u32, a_step: u32, b_step: u32, b_column: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> biased: array<f32>;

// backward_bias: sums of columns of a (rows × columns)
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

fn outer(x: vec4f, y: vec4f) -> mat4x4f {
    return mat4x4f(x * y.x, x * y.y, x * y.z, x * y.w);
}

struct Tile { i: u32, j: u32 }

fn tile(index: u32) -> Tile {
    let across = (p.columns + 3u) / 4u;
    return Tile(index / across * 4u, index % across * 4u);
}

// matrix columns: result rows; matrix rows: result columns
fn multiply(t: Tile) -> mat4x4f {
    // rows and columns beyond the end repeat the last and are not stored
    var ai = min(t.i + vec4u(0u, 1u, 2u, 3u), vec4u(p.rows - 1u)) * p.a_row;
    var bj = min(t.j + vec4u(0u, 1u, 2u, 3u), vec4u(p.columns - 1u)) * p.b_column;
    var sum = mat4x4f();
    for (var k = 0u; k < p.terms; k++) {
        let x = vec4f(a[ai.x], a[ai.y], a[ai.z], a[ai.w]);
        let y = vec4f(b[bj.x], b[bj.y], b[bj.z], b[bj.w]);
        sum += outer(y, x);
        ai += p.a_step;
        bj += p.b_step;
    }
    return sum;
}

fn put(i: u32, j: u32, v: vec4f) {
    if i < p.rows {
        let o = i * p.columns + j;
        if j < p.columns { result[o] = v.x; }
        if j + 1u < p.columns { result[o + 1u] = v.y; }
        if j + 2u < p.columns { result[o + 2u] = v.z; }
        if j + 3u < p.columns { result[o + 3u] = v.w; }
    }
}

@compute @workgroup_size(WG)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let t = tile(group_index(group, groups) * WG + lane);
    if t.i < p.rows {
        let sum = multiply(t);
        put(t.i, t.j, activate4(sum[0]));
        put(t.i + 1u, t.j, activate4(sum[1]));
        put(t.i + 2u, t.j, activate4(sum[2]));
        put(t.i + 3u, t.j, activate4(sum[3]));
    }
}

fn put_biased(i: u32, j: u32, v: vec4f) {
    if i < p.rows {
        let o = i * p.columns + j;
        if j < p.columns { biased[o] = v.x; }
        if j + 1u < p.columns { biased[o + 1u] = v.y; }
        if j + 2u < p.columns { biased[o + 2u] = v.z; }
        if j + 3u < p.columns { biased[o + 3u] = v.w; }
    }
}

@compute @workgroup_size(WG)
fn product_bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let t = tile(group_index(group, groups) * WG + lane);
    if t.i < p.rows {
        let sum = multiply(t);
        let j = min(t.j + vec4u(0u, 1u, 2u, 3u), vec4u(p.columns - 1u));
        let add = vec4f(bias[j.x], bias[j.y], bias[j.z], bias[j.w]);
        put_biased(t.i, t.j, activate4(sum[0] + add));
        put_biased(t.i + 1u, t.j, activate4(sum[1] + add));
        put_biased(t.i + 2u, t.j, activate4(sum[2] + add));
        put_biased(t.i + 3u, t.j, activate4(sum[3] + add));
    }
}

@compute @workgroup_size(WG)
fn backward_bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let j = group_index(group, groups) * WG + lane;
    if j < p.columns {
        var sum = 0.0;
        for (var i = 0u; i < p.rows; i++) {
            sum += a[i * p.columns + j];
        }
        sums[j] = sum;
    }
}
