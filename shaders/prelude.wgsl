// Put before every shader: workgroup size, flat indices, activations. Must not declare bindings.

override WG: u32 = 64u; // invocations of a workgroup; ops/lower.rs, WORKGROUP

// The epilogue, Activation::code. A constant, not a uniform: software devices run every branch that they cannot rule out.
override ACTIVATION: u32 = 0u;

const LOWEST: f32 = -3.4028234e38; // where a running maximum starts: WGSL need not honour infinities
const AMPLITUDE: f32 = 1.7159;     // ops/activation.rs
const SLOPE: f32 = 0.6666667;

// Workgroups are spread over two dimensions where 65,535 are not enough (ops/lower.rs, spread).
fn group_index(id: vec3u, count: vec3u) -> u32 {
    return id.x + id.y * count.x;
}

// Without the overflow that some drivers' tanh has far out, and without cancellation near 0.
fn tanh4(x: vec4f) -> vec4f {
    let a = abs(x);
    let t = exp(-2.0 * a);
    let far = sign(x) * (1.0 - t) / (1.0 + t);
    let s = x * x;
    let near = x * (1.0 + s * (-0.33333334 + s * (0.13333334 + s * (-0.053968254 + s * 0.021869488))));
    return select(far, near, a < vec4f(0.3));
}

fn activate4(x: vec4f) -> vec4f {
    switch ACTIVATION {
        case 1u: { return max(x, vec4f(0.0)); }
        case 2u: { return tanh4(x); }
        case 3u: { return AMPLITUDE * tanh4(SLOPE * x); }
        case 4u: { return 1.0 / (1.0 + exp(-x)); }
        default: { return x; }
    }
}

fn activate(x: f32) -> f32 {
    return activate4(vec4f(x)).x;
}

// Derivative of the activation, from its value.
fn slope4(y: vec4f) -> vec4f {
    switch ACTIVATION {
        case 1u: { return select(vec4f(0.0), vec4f(1.0), y > vec4f(0.0)); }
        case 2u: { return 1.0 - y * y; }
        case 3u: { return SLOPE * (AMPLITUDE - y * y * (1.0 / AMPLITUDE)); }
        case 4u: { return y * (1.0 - y); }
        default: { return vec4f(1.0); }
    }
}
