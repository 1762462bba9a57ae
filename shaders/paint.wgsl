// Feature maps as pictures: the largest magnitude of each colour scale, then a rectangle a map, nearest neighbour. The colours
// and the rectangles come from colormap.rs.

struct Reduce { first: u32 } // of this buffer's ranges

@group(0) @binding(0) var<uniform> reduce: Reduce;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> ranges: array<vec2u>; // first element, elements
@group(0) @binding(3) var<storage, read_write> largest: array<f32>;

var<workgroup> best: array<f32, 64>;

// A workgroup a range.
@compute @workgroup_size(64)
fn magnitude(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let range = reduce.first + group_index(id, groups);
    var mine = 0.0;
    if range < arrayLength(&ranges) {
        let at = ranges[range];
        for (var i = lane; i < at.y; i += 64u) {
            mine = max(mine, abs(values[at.x + i]));
        }
    }
    best[lane] = mine;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            best[lane] = max(best[lane], best[lane + half]);
        }
    }
    if lane == 0u && range < arrayLength(&ranges) {
        largest[range] = best[0];
    }
}

struct Frame {
    colours: array<vec4f, 5>, // at −1, −½, 0, ½, 1
    size: vec2f,              // of the canvas, device pixels
}

struct Rect {
    at: vec4f, // left, top, width, height
    offset: u32,
    rows: u32,
    cols: u32,
    range: u32,
}

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(2) var<storage, read> rects: array<Rect>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) @interpolate(flat, either) rect: u32,
}

@vertex
fn corner(@builtin(vertex_index) vertex: u32, @builtin(instance_index) instance: u32) -> Corner {
    let at = rects[instance].at;
    let pixel = at.xy + at.zw * vec2f(f32(vertex & 1u), f32(vertex >> 1u));
    let clip = pixel / frame.size * 2.0 - 1.0;
    return Corner(vec4f(clip.x, -clip.y, 0.0, 1.0), instance);
}

@fragment
fn colour(in: Corner) -> @location(0) vec4f {
    let rect = rects[in.rect];
    let uv = clamp((in.position.xy - rect.at.xy) / rect.at.zw, vec2f(0.0), vec2f(1.0));
    let row = min(u32(uv.y * f32(rect.rows)), rect.rows - 1u);
    let column = min(u32(uv.x * f32(rect.cols)), rect.cols - 1u);
    let value = values[rect.offset + row * rect.cols + column];
    let scale = scales[rect.range];
    let t = select(0.0, value / scale, scale > 0.0);
    let at = clamp(t, -1.0, 1.0) * 2.0 + 2.0;
    let i = min(u32(at), 3u);
    return vec4f(mix(frame.colours[i].rgb, frame.colours[i + 1u].rgb, at - f32(i)), 1.0);
}
