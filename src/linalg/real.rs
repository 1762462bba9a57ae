//! `Real`: the two number types the CPU engine computes in. It must not know what is computed.

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// `f32` (the page) or `f64` (gradient checks).
///
/// The `f32` versions of [`exp`](Real::exp), [`tanh`](Real::tanh) and [`sigmoid`](Real::sigmoid) are ours: branch-free, so that a loop over them
/// vectorises; right to 2e-7, relative for exp and tanh, absolute for sigmoid, over the whole line. The `f64` versions are the standard library's.
pub trait Real:
    Copy
    + Send
    + Sync
    + 'static
    + PartialOrd
    + Debug
    + Default
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;
    /// The same value, exactly.
    fn to_f64(self) -> f64;
    /// The same value, exactly.
    fn from_f32(value: f32) -> Self;
    /// The nearest `f32`.
    fn to_f32(self) -> f32;
    /// e to this power.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Hyperbolic tangent: odd, exactly ±1 far out, NaN stays NaN.
    fn tanh(self) -> Self;
    /// `1 / (1 + e^-x)`.
    fn sigmoid(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// This to a real power.
    fn powf(self, exponent: Self) -> Self;
    /// `self · a + b`, rounded once. A function call where the processor has no such instruction.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// The larger; the number if one is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller; the number if one is NaN.
    fn min(self, other: Self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// The lowest finite value: where a running maximum starts.
    fn lowest() -> Self;
}

macro_rules! real {
    ($t:ty, $exp:expr, $tanh:expr, $sigmoid:expr) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                value as Self
            }
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                <$t>::ln(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }
            #[inline(always)]
            fn sigmoid(self) -> Self {
                $sigmoid(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            #[inline(always)]
            fn powf(self, exponent: Self) -> Self {
                <$t>::powf(self, exponent)
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                <$t>::mul_add(self, a, b)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$t>::abs(self)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                <$t>::max(self, other)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                <$t>::min(self, other)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$t>::is_finite(self)
            }
            #[inline(always)]
            fn lowest() -> Self {
                <$t>::MIN
            }
        }
    };
}

real!(f32, exp_f32, tanh_f32, |x: f32| 1.0 / (1.0 + exp_f32(-x)));
real!(f64, f64::exp, f64::tanh, |x: f64| 1.0 / (1.0 + f64::exp(-x)));

/// 1.5·2²³: added to a number below 2²², it leaves the nearest whole number in the low bits.
const MAGIC: f32 = 12_582_912.0;
/// ln 2 in two parts; a whole number below 2¹⁵ times the first is exact. (Cephes, `expf.c`.)
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// Splits x = n·ln 2 + r with |r| ≤ ln 2 / 2; gives n and e^r - 1. The polynomial is that of Cephes' `expf.c`.
#[inline(always)]
fn split_exp(x: f32) -> (i32, f32) {
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = (shifted.to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32);
    let whole = shifted - MAGIC;
    let r = x - whole * LN2[0] - whole * LN2[1];
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    (n, p * (r * r) + r)
}

/// 2ⁿ for -126 ≤ n ≤ 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// Comparisons written so that NaN passes through (`f32::min` would drop it).
#[inline(always)]
fn exp_f32(x: f32) -> f32 {
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let (n, p) = split_exp(x);
    // In two steps, so that overflow gives infinity and underflow passes through the subnormal numbers.
    let half = n >> 1;
    (p + 1.0) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// tanh x = t / (t + 2) with t = e^2x - 1, on |x|; the sign is put back, so that it is odd to the last bit.
#[inline(always)]
fn tanh_f32(x: f32) -> f32 {
    let size = x.abs();
    let size = if size > 10.0 { 10.0 } else { size };
    let (n, p) = split_exp(size + size);
    let scale = power_of_two(n);
    let t = p * scale + (scale - 1.0);
    (t / (t + 2.0)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 997th bit pattern: all exponents, both signs, subnormal numbers too.
    fn grid() -> impl Iterator<Item = f32> {
        (0..u32::MAX).step_by(997).map(f32::from_bits).filter(|x| x.is_finite())
    }

    fn worst(own: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let mut worst = 0.0f64;
        for x in grid() {
            let (got, want) = (f64::from(own(x)), exact(f64::from(x)));
            if want > f64::from(f32::MAX) * (1.0 + 1e-7) {
                assert_eq!(got, f64::INFINITY, "at {x:e}");
                continue;
            }
            // Below the normal numbers a relative error means nothing.
            let error = (got - want).abs() / want.abs().max(f64::from(f32::MIN_POSITIVE));
            assert!(error.is_finite(), "at {x:e}: {got:e} for {want:e}");
            worst = worst.max(error);
        }
        worst
    }

    #[test]
    fn tanh_is_right_everywhere() {
        let worst = worst(Real::tanh, f64::tanh);
        assert!(worst < 2e-7, "{worst:e}");
    }

    #[test]
    fn exp_is_right_everywhere() {
        let worst = worst(Real::exp, f64::exp);
        assert!(worst < 1.5e-7, "{worst:e}");
    }

    #[test]
    fn sigmoid_is_right_to_an_absolute_error() {
        for x in grid() {
            let (got, want) = (f64::from(Real::sigmoid(x)), 1.0 / (1.0 + (-f64::from(x)).exp()));
            assert!((got - want).abs() < 1e-7, "at {x:e}: {got:e} for {want:e}");
        }
    }

    #[test]
    fn tanh_is_odd_and_saturates() {
        for x in grid() {
            assert_eq!(Real::tanh(-x).to_bits(), (-Real::tanh(x)).to_bits(), "at {x:e}");
            assert!(Real::tanh(x).abs() <= 1.0);
        }
        assert_eq!(Real::tanh(9.1f32), 1.0);
        assert_eq!(Real::tanh(f32::INFINITY), 1.0);
        assert_eq!(Real::tanh(f32::NEG_INFINITY), -1.0);
        assert_eq!(Real::tanh(-0.0f32).to_bits(), (-0.0f32).to_bits());
        assert!(Real::tanh(f32::NAN).is_nan());
    }

    #[test]
    fn exp_at_the_ends() {
        assert_eq!(Real::exp(0.0f32), 1.0);
        assert_eq!(Real::exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(Real::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(Real::exp(-1e30f32), 0.0);
        assert!(Real::exp(-100.0f32) > 0.0, "subnormal, not zero");
        assert!(Real::exp(f32::NAN).is_nan());
        assert!(Real::sigmoid(f32::NAN).is_nan());
    }
}
