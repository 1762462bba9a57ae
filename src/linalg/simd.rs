//! The widest arithmetic this machine has. It must not know what is computed with it.
//!
//! In wasm the build decides (SIMD128, in `.cargo/config.toml`), on ARM NEON is always there. On x86-64 a build has to run on any machine, so the
//! choice is made at run time: code inside [`widest`] is compiled a second time for AVX2 and FMA. (`pulp` wraps what Rust calls unsafe here.)

/// Runs `f`, compiled for AVX2 and FMA where the machine has them. What `f` calls takes part only if it is inlined.
#[inline(always)]
pub fn widest<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return v3.vectorize(f);
    }
    f()
}

/// Whether a fused multiply-add is one instruction inside [`widest`]. Where it is not, it is a function call: never use it there.
#[inline(always)]
pub fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return pulp::x86::V3::try_new().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    cfg!(target_arch = "aarch64")
}
