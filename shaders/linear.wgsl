// Matrix products with strides, 8 rows × 8 columns an invocation: all three directions of a linear layer.
// result[i][j] = activation(Σₖ a[i·a_row + k·a_step] · b[k·b_step + j·b_column] + bias[j])

struct Params {
    rows: u32, columns: u32, terms: u32,
    a_row: u32, a_step: u32, b_step: u32, b_column: u32,
    result_row: u32,
    first: u32, // column of the result that column 0 is: b may be a part of a matrix
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
    let across = (p.columns + 7u) / 8u;
    return Tile(index / across * 8u, index % across * 8u);
}

// Four 4×4 corners; matrix columns: result rows, matrix rows: result columns.
struct Block { c00: mat4x4f, c01: mat4x4f, c10: mat4x4f, c11: mat4x4f }

fn pick_a(at: vec4u) -> vec4f {
    return vec4f(a[at.x], a[at.y], a[at.z], a[at.w]);
}

fn pick_b(at: vec4u) -> vec4f {
    return vec4f(b[at.x], b[at.y], b[at.z], b[at.w]);
}

// rows and columns beyond the end repeat the last and are not stored
fn rows_of(i: u32) -> vec4u {
    return min(i + vec4u(0u, 1u, 2u, 3u), vec4u(p.rows - 1u));
}

fn columns_of(j: u32) -> vec4u {
    return min(j + vec4u(0u, 1u, 2u, 3u), vec4u(p.columns - 1u));
}

fn multiply(t: Tile) -> Block {
    var a0 = rows_of(t.i) * p.a_row;
    var a1 = rows_of(t.i + 4u) * p.a_row;
    var b0 = columns_of(t.j) * p.b_column;
    var b1 = columns_of(t.j + 4u) * p.b_column;
    var c00 = mat4x4f();
    var c01 = mat4x4f();
    var c10 = mat4x4f();
    var c11 = mat4x4f();
    for (var k = 0u; k < p.terms; k++) {
        let x0 = pick_a(a0);
        let x1 = pick_a(a1);
        let y0 = pick_b(b0);
        let y1 = pick_b(b1);
        c00 += outer(y0, x0);
        c01 += outer(y0, x1);
        c10 += outer(y1, x0);
        c11 += outer(y1, x1);
        a0 += p.a_step;
        a1 += p.a_step;
        b0 += p.b_step;
        b1 += p.b_step;
    }
    return Block(c00, c01, c10, c11);
}

fn put(i: u32, j: u32, v: vec4f) {
    if i < p.rows {
        let o = i * p.result_row + p.first + j;
        let y = activate4(v);
        if j < p.columns { result[o] = y.x; }
        if j + 1u < p.columns { result[o + 1u] = y.y; }
        if j + 2u < p.columns { result[o + 2u] = y.z; }
        if j + 3u < p.columns { result[o + 3u] = y.w; }
    }
}

fn put_corner(i: u32, j: u32, c: mat4x4f) {
    put(i, j, c[0]);
    put(i + 1u, j, c[1]);
    put(i + 2u, j, c[2]);
    put(i + 3u, j, c[3]);
}

@compute @workgroup_size(WG)
fn product(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let t = tile(group_index(group, groups) * WG + lane);
    if t.i < p.rows {
        let c = multiply(t);
        put_corner(t.i, t.j, c.c00);
        put_corner(t.i + 4u, t.j, c.c01);
        put_corner(t.i, t.j + 4u, c.c10);
        put_corner(t.i + 4u, t.j + 4u, c.c11);
    }
}

fn put_biased(i: u32, j: u32, v: vec4f) {
    if i < p.rows {
        let o = i * p.result_row + p.first + j;
        let y = activate4(v);
        if j < p.columns { biased[o] = y.x; }
        if j + 1u < p.columns { biased[o + 1u] = y.y; }
        if j + 2u < p.columns { biased[o + 2u] = y.z; }
        if j + 3u < p.columns { biased[o + 3u] = y.w; }
    }
}

fn put_corner_biased(i: u32, j: u32, c: mat4x4f, add: vec4f) {
    put_biased(i, j, c[0] + add);
    put_biased(i + 1u, j, c[1] + add);
    put_biased(i + 2u, j, c[2] + add);
    put_biased(i + 3u, j, c[3] + add);
}

@compute @workgroup_size(WG)
fn product_bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let t = tile(group_index(group, groups) * WG + lane);
    if t.i < p.rows {
        let c = multiply(t);
        let j0 = p.first + columns_of(t.j);
        let j1 = p.first + columns_of(t.j + 4u);
        let add0 = vec4f(bias[j0.x], bias[j0.y], bias[j0.z], bias[j0.w]);
        let add1 = vec4f(bias[j1.x], bias[j1.y], bias[j1.z], bias[j1.w]);
        put_corner_biased(t.i, t.j, c.c00, add0);
        put_corner_biased(t.i + 4u, t.j, c.c01, add0);
        put_corner_biased(t.i, t.j + 4u, c.c10, add1);
        put_corner_biased(t.i + 4u, t.j + 4u, c.c11, add1);
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

// A few rows: a workgroup computes 8 columns of one row, its lanes going through the terms side by side. Rows of a and columns of b are
// contiguous, and whole vec4.
@group(0) @binding(1) var<storage, read> a4: array<vec4f>;
@group(0) @binding(2) var<storage, read> b4: array<vec4f>;

var<workgroup> lanes: array<vec4f, 128>; // columns 0 to 3 of each lane, then 4 to 7

struct Column { row: u32, at: u32, real: bool, total: f32 }

// The sum that this lane, one of the first 8, is to store.
fn thin_column(index: u32, lane: u32) -> Column {
    let across = (p.columns + 7u) / 8u;
    let row = index / across;
    let j = index % across * 8u;
    let terms = p.terms / 4u;
    // rows and columns beyond the end repeat the last and are not stored
    let a_at = min(row, p.rows - 1u) * terms;
    let b0 = columns_of(j) * terms;
    let b1 = columns_of(j + 4u) * terms;
    var low = vec4f();
    var high = vec4f();
    for (var k = lane; k < terms; k += 64u) {
        let x = a4[a_at + k];
        low += vec4f(dot(x, b4[b0.x + k]), dot(x, b4[b0.y + k]), dot(x, b4[b0.z + k]), dot(x, b4[b0.w + k]));
        high += vec4f(dot(x, b4[b1.x + k]), dot(x, b4[b1.y + k]), dot(x, b4[b1.z + k]), dot(x, b4[b1.w + k]));
    }
    lanes[lane] = low;
    lanes[64u + lane] = high;
    workgroupBarrier();
    var total = 0.0;
    if lane < 8u {
        for (var i = 0u; i < 64u; i++) {
            total += lanes[lane / 4u * 64u + i][lane % 4u];
        }
    }
    return Column(row, p.first + j + lane, lane < 8u && row < p.rows && j + lane < p.columns, total);
}

@compute @workgroup_size(64)
fn thin(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = thin_column(group_index(group, groups), lane);
    if c.real {
        result[c.row * p.result_row + c.at] = activate(c.total);
    }
}

@compute @workgroup_size(64)
fn thin_bias(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let c = thin_column(group_index(group, groups), lane);
    if c.real {
        biased[c.row * p.result_row + c.at] = activate(c.total + bias[c.at]);
    }
}
