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
//! | `winograd.rs` | 3×3 convolutions with step 1 in less than half the multiplications |
//!
//! Everything is single-threaded, allocates only through [`Scratch`], and sums in an order that depends on shapes alone, so that runs repeat
//! (on one kind of machine: with AVX2 or NEON sums are fused, and round differently).
//!
//! # Why our own product
//!
//! It has to be fast in wasm, on one thread, at the small and thin shapes of these networks as well as at the large ones, and in a crate without
//! `unsafe`; the interfaces of `gemm` and `matrixmultiply` are unsafe. GFLOP/s in wasm (SIMD128, Node 20, one core of an EPYC; best of many short
//! runs; rows are m×n×k, `t` an operand stored transposed):
//!
//! | product | gemm 0.19 | matrixmultiply 0.3.11 | this |
//! |---|---|---|---|
//! | 64×64×64 | 30 | 31 | 40 |
//! | 256×256×256 | 32 | 34 | 43 |
//! | 1024×1024×1024 | 28 | 32 | 39 |
//! | LeNet C1, 6×784×25 | 25 | 18 | 28 |
//! | LeNet C3, 16×100×150 | 30 | 29 | 38 |
//! | LeNet C5 of 64 images, 64×120×400 t | 30 | 31 | 38 |
//! | LeNet C1's weight gradient, 6×25×784 t | 13 | 11 | 23 |
//! | LeNet C3's weight gradient, 16×150×100 t | 23 | 25 | 36 |
//! | ResNet 56², 64×3136×576 | 27 | 29 | 36 |
//! | ResNet 14², 256×196×2304 | 31 | 31 | 41 |
//! | ResNet 7², 512×49×4608 | 28 | 25 | 37 |
//! | linear, one image, 1000×1×2048 | 10 | 2 | 15 |
//! | linear, eight images, 8×1000×2048 t | 14 | 20 | 36 |
//! | bytes of wasm, brotli | 16 k | 3 k | 12 k |
//!
//! 3×3 convolutions with step 1 go by Winograd's tiles where there are enough ([`Patches::suits_winograd`]). Rates as if by the definition, wasm then
//! native (AVX2): VGG's 224² 37 → 62, 78 → 135; ResNet's 56² 38 → 67, 82 → 151; 28² 41 → 76, 96 → 162; 14² 41 → 69, 94 → 119.
//!
//! Convolutions that pack straight from the image ([`Patches::forward`]) reach 41 at ResNet's 28² where `im2col` and a product reach 39; LeNet's C3 25.
//! Chromium 156 is as fast or a little faster (256³: 45). Natively with AVX2 the same source reaches 112 at 256³ and 80 to 98 at ResNet's shapes.
//! `cargo bench --bench linalg` and `benches/linalg.sh` make these figures again.
//!
//! What decided it, each measured in wasm at 256³: a tile of 2×16 numbers 42, 4×8 41, 3×12 30, 6×8 28, 8×4 29; a bounds check in the inner loop
//! costs a third (31 for 43); unrolling the inner loop makes V8's code slower (30). Reading A in place instead of packing it: 42 → 43, and more where
//! A is large beside n. Multiply-adds of relaxed SIMD would bring about a third more; they need a second wasm build, chosen when the page loads.

mod kernel;
mod maps;
mod matrix;
mod patches;
mod real;
mod simd;
mod winograd;

pub use maps::{
    Sgd, add_into, axpy, dot, exp_into, exp_slice, log_sum_exp, max, relu_into, relu_slice, scale, sgd, sigmoid_into,
    sigmoid_slice, softmax, sum, sum_sq, tanh_into, tanh_slice,
};
pub use matrix::{Mat, Scratch, gemm};
pub use patches::Patches;
pub use real::Real;
pub use simd::widest;
pub use winograd::{Batch, Kernels};
