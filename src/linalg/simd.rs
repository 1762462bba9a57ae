//! The widest arithmetic this machine has. It must not know what is computed with it.
//!
//! In wasm the build decides (SIMD128, in `.cargo/config.toml`), on ARM NEON is always there. On x86-64 a build has to run on any machine, so the
//! choice is made at run time: code inside [`widest`] is compiled a second time for AVX2 and FMA. (`pulp` wraps what Rust calls unsafe here.)

use super::Real;
use std::hint::black_box;

/// Copies a run of a few numbers. The compiler turns a copy whose length it does not know into wasm's `memory.copy`, which V8 leaves
/// the program to do: more than the ten or thirty numbers of a row of a small image cost. Here the pieces have known lengths, the last overlaps.
#[inline(always)]
pub fn copy_short<T: Real>(from: &[T], to: &mut [T]) {
    assert_eq!(from.len(), to.len(), "a copy needs slices of one length");
    match (from.last_chunk::<4>(), to.len()) {
        (_, 64..) => to.copy_from_slice(from),
        (Some(tail), _) => {
            let (eights, rest) = to.as_chunks_mut::<8>();
            for (to, from) in eights.iter_mut().zip(from.as_chunks::<8>().0) {
                let ([a, b], _) = from.as_chunks::<4>() else { return };
                let ([c, d], _) = to.as_chunks_mut::<4>() else { return };
                *d = *b;
                *c = *a;
            }
            if rest.len() > 4
                && let (Some(to), Some(from)) =
                    (rest.first_chunk_mut::<4>(), from[from.len() / 8 * 8..].first_chunk::<4>())
            {
                *to = *from;
            }
            if let Some(to) = to.last_chunk_mut::<4>() {
                *to = *tail;
            }
        }
        _ => {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = from + T::ZERO;
            }
        }
    }
}

/// Clears a short run, for the same reason with a zero that the compiler does not see through.
#[inline(always)]
pub fn clear_short<T: Real>(run: &mut [T]) {
    if !run.is_empty() {
        let zero = black_box(T::ZERO);
        for v in run {
            *v = zero;
        }
    }
}

/// A piece of work that [`widest`] compiles twice. Mark `run` as `#[inline(always)]`, and all that it calls: what is not inlined stays narrow.
pub trait Work {
    /// What comes of it.
    type Result;
    /// Does it.
    fn run(self) -> Self::Result;
}

/// A closure will do if it is small: the compiler inlines it by itself.
impl<R, F: FnOnce() -> R> Work for F {
    type Result = R;
    #[inline(always)]
    fn run(self) -> R {
        self()
    }
}

/// Runs `work`, compiled for AVX2 and FMA where the machine has them.
#[inline(always)]
pub fn widest<W: Work>(work: W) -> W::Result {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        struct Call<W>(W);
        impl<W: Work> pulp::NullaryFnOnce for Call<W> {
            type Output = W::Result;
            #[inline(always)]
            fn call(self) -> W::Result {
                self.0.run()
            }
        }
        return v3.vectorize(Call(work));
    }
    work.run()
}

/// Whether a fused multiply-add is one instruction inside [`widest`]. Where it is not, it is a function call: never use it there.
#[inline(always)]
pub fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return pulp::x86::V3::try_new().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    cfg!(target_arch = "aarch64")
}
