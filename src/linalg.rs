//! The CPU engine's arithmetic: matrix products, patches of images as matrices, maps over slices. It must not know of layers.
//!
//! | file | what |
//! |---|---|
//! | `real.rs` | [`Real`]: `f32` or `f64`, with an `exp` and a `tanh` that the compiler can vectorise |
//! | `maps.rs` | elementwise maps, sums, softmax, the SGD update |
//! | `simd.rs` | the widest arithmetic of this machine |
//! | `matrix.rs` | [`Mat`], [`Scratch`], [`gemm`] |
//! | `kernel.rs` | the blocked product behind both of them |
//! | `patches.rs` | [`Patches`]: an image's patches as the columns of a matrix, and back |
//!
//! Everything is single-threaded, allocates only through [`Scratch`], and sums in an order that depends on shapes alone, so that runs repeat.

mod kernel;
mod maps;
mod matrix;
mod patches;
mod real;
mod simd;

pub use maps::{
    Sgd, add_into, axpy, dot, exp_into, exp_slice, log_sum_exp, max, relu_into, relu_slice, scale, sgd, sigmoid_into,
    sigmoid_slice, softmax, sum, sum_sq, tanh_into, tanh_slice,
};
pub use matrix::{Mat, Scratch, gemm};
pub use patches::Patches;
pub use real::Real;
