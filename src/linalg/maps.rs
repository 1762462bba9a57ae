//! Maps over slices: activations, sums, softmax, the SGD update. It must not know what the numbers mean.
//!
//! Lengths that have to agree are asserted: a mismatch is a bug of the caller, never a quiet truncation.

use super::Real;
use super::simd::widest;

/// Independent partial sums in a reduction: enough for two vectors of four (wasm) or one of eight (AVX).
const LANES: usize = 8;

#[inline(always)]
fn map_slice<T: Real>(x: &mut [T], f: impl Fn(T) -> T) {
    widest(|| {
        for v in x {
            *v = f(*v);
        }
    });
}

#[inline(always)]
fn map_into<T: Real>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    assert_eq!(x.len(), y.len(), "a map needs as many outputs as inputs");
    widest(|| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f(x);
        }
    });
}

/// `x = tanh(x)`.
pub fn tanh_slice<T: Real>(x: &mut [T]) {
    map_slice(x, |v| v.tanh());
}

/// `y = tanh(x)`.
pub fn tanh_into<T: Real>(x: &[T], y: &mut [T]) {
    map_into(x, y, |v| v.tanh());
}

/// `x = 1 / (1 + e^-x)`.
pub fn sigmoid_slice<T: Real>(x: &mut [T]) {
    map_slice(x, |v| v.sigmoid());
}

/// `y = 1 / (1 + e^-x)`.
pub fn sigmoid_into<T: Real>(x: &[T], y: &mut [T]) {
    map_into(x, y, |v| v.sigmoid());
}

/// `x = e^x`.
pub fn exp_slice<T: Real>(x: &mut [T]) {
    map_slice(x, |v| v.exp());
}

/// `y = e^x`.
pub fn exp_into<T: Real>(x: &[T], y: &mut [T]) {
    map_into(x, y, |v| v.exp());
}

/// NaN stays NaN: a diverged training must show, not hide behind a ReLU.
#[inline(always)]
fn relu<T: Real>(x: T) -> T {
    if x < T::ZERO { T::ZERO } else { x }
}

/// `x = max(x, 0)`; NaN stays NaN, as in PyTorch.
pub fn relu_slice<T: Real>(x: &mut [T]) {
    map_slice(x, relu);
}

/// `y = max(x, 0)`; NaN stays NaN, as in PyTorch.
pub fn relu_into<T: Real>(x: &[T], y: &mut [T]) {
    map_into(x, y, relu);
}

/// `y += a·x`.
pub fn axpy<T: Real>(a: T, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "axpy needs slices of one length");
    widest(|| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += a * x;
        }
    });
}

/// `y += x`.
pub fn add_into<T: Real>(x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "add_into needs slices of one length");
    widest(|| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    });
}

/// `x *= a`.
pub fn scale<T: Real>(a: T, x: &mut [T]) {
    map_slice(x, |v| v * a);
}

/// Folds `f(x)` into `LANES` partial results and those into one.
#[inline(always)]
fn fold<T: Real>(x: &[T], start: T, f: impl Fn(T, T) -> T, join: impl Fn(T, T) -> T) -> T {
    let mut parts = [start; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (p, &v) in parts.iter_mut().zip(chunk) {
            *p = f(*p, v);
        }
    }
    for (p, &v) in parts.iter_mut().zip(rest) {
        *p = f(*p, v);
    }
    let [a, b, c, d, e, g, h, i] = parts;
    join(join(join(a, e), join(b, g)), join(join(c, h), join(d, i)))
}

/// `Σ xᵢ·yᵢ`.
pub fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    assert_eq!(x.len(), y.len(), "dot needs slices of one length");
    let mut parts = [T::ZERO; LANES];
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    for (xs, ys) in xs.iter().zip(ys) {
        for ((p, &x), &y) in parts.iter_mut().zip(xs).zip(ys) {
            *p += x * y;
        }
    }
    for ((p, &x), &y) in parts.iter_mut().zip(x_rest).zip(y_rest) {
        *p += x * y;
    }
    fold(&parts, T::ZERO, |a, b| a + b, |a, b| a + b)
}

/// `Σ xᵢ`.
pub fn sum<T: Real>(x: &[T]) -> T {
    fold(x, T::ZERO, |a, v| a + v, |a, b| a + b)
}

/// `Σ xᵢ²`.
pub fn sum_sq<T: Real>(x: &[T]) -> T {
    fold(x, T::ZERO, |a, v| a + v * v, |a, b| a + b)
}

/// The largest value; [`Real::lowest`] of an empty slice.
pub fn max<T: Real>(x: &[T]) -> T {
    let larger = |a: T, b: T| if b > a { b } else { a };
    fold(x, T::lowest(), larger, larger)
}

/// `ln Σ e^xᵢ`, without overflow.
pub fn log_sum_exp<T: Real>(row: &[T]) -> T {
    let top = max(row);
    top + fold(row, T::ZERO, |a, v| a + (v - top).exp(), |a, b| a + b).ln()
}

/// `row = e^row / Σ e^row`, without overflow.
pub fn softmax<T: Real>(row: &mut [T]) {
    let top = max(row);
    map_slice(row, |v| (v - top).exp());
    let total = sum(row);
    scale(T::ONE / total, row);
}

/// The constants of [`sgd`], in PyTorch's words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd<T> {
    /// Learning rate.
    pub lr: T,
    /// Momentum (0: none).
    pub momentum: T,
    /// L2 penalty added to the gradient (0: none).
    pub weight_decay: T,
}

/// One step of stochastic gradient descent as in `torch.optim.SGD` (dampening 0, no Nesterov):
/// `velocity = momentum·velocity + (gradient + weight_decay·weight)`, then `weight -= lr·velocity`.
pub fn sgd<T: Real>(weight: &mut [T], velocity: &mut [T], gradient: &[T], rule: Sgd<T>) {
    assert_eq!(weight.len(), gradient.len(), "sgd needs one gradient per weight");
    assert_eq!(weight.len(), velocity.len(), "sgd needs one velocity per weight");
    for ((w, v), &g) in weight.iter_mut().zip(velocity).zip(gradient) {
        *v = rule.momentum * *v + (g + rule.weight_decay * *w);
        *w -= rule.lr * *v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 37 values that are no multiple of any vector, small integers so that sums are exact.
    fn values(seed: usize) -> Vec<f32> {
        (0..37).map(|i| ((i + seed) * 7919 % 13) as f32 - 6.0).collect()
    }

    fn close(got: &[f32], want: impl Iterator<Item = f64>) {
        for (i, (&got, want)) in got.iter().zip(want).enumerate() {
            assert!((f64::from(got) - want).abs() <= 3e-7 * want.abs().max(1.0), "{i}: {got} for {want}");
        }
    }

    #[test]
    fn maps_do_what_they_are_called() {
        let x = values(1);
        let exact = || x.iter().map(|&v| f64::from(v));
        type Map = (fn(&mut [f32]), fn(&[f32], &mut [f32]), fn(f64) -> f64);
        let cases: [Map; 4] = [
            (tanh_slice, tanh_into, f64::tanh),
            (sigmoid_slice, sigmoid_into, |x| 1.0 / (1.0 + (-x).exp())),
            (exp_slice, exp_into, f64::exp),
            (relu_slice, relu_into, |x| x.max(0.0)),
        ];
        for (slice, into, f) in cases {
            let (mut here, mut there) = (x.clone(), vec![9.0; x.len()]);
            slice(&mut here);
            into(&x, &mut there);
            assert_eq!(here, there);
            close(&here, exact().map(f));
        }
        let mut nan = [f32::NAN, -1.0];
        relu_slice(&mut nan);
        assert!(nan[0].is_nan() && nan[1] == 0.0);
    }

    #[test]
    fn sums_are_exact_on_integers() {
        for len in [0, 1, 7, 8, 9, 37] {
            let (x, y) = (&values(1)[..len], &values(4)[..len]);
            assert_eq!(dot(x, y), x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>());
            assert_eq!(sum(x), x.iter().sum::<f32>());
            assert_eq!(sum_sq(x), x.iter().map(|x| x * x).sum::<f32>());
            assert_eq!(max(x), x.iter().copied().fold(f32::MIN, f32::max));
            let mut z = y.to_vec();
            axpy(3.0, x, &mut z);
            add_into(x, &mut z);
            scale(0.5, &mut z);
            assert!(z.iter().zip(x).zip(y).all(|((&z, x), y)| z == (y + 4.0 * x) * 0.5));
        }
    }

    #[test]
    fn softmax_and_log_sum_exp_do_not_overflow() {
        for shift in [0.0, 1e4, -1e4] {
            let mut row: Vec<f32> = values(2).iter().map(|v| v + shift).collect();
            let total: f64 = values(2).iter().map(|&v| f64::from(v).exp()).sum();
            assert!((f64::from(log_sum_exp(&row)) - (total.ln() + f64::from(shift))).abs() < 1e-3);
            softmax(&mut row);
            close(&row, values(2).iter().map(|&v| f64::from(v).exp() / total));
        }
        assert!(log_sum_exp(&[0.0, f32::NAN]).is_nan());
        let mut row = [0.0, f32::NAN];
        softmax(&mut row);
        assert!(row.iter().all(|v| v.is_nan()), "NaN shows");
    }

    /// Three steps of `torch.optim.SGD([w], lr=0.5, momentum=0.5, weight_decay=0.25)` on w = 1 with gradients 1, 2, -1, by hand from its documentation.
    #[test]
    fn sgd_is_pytorchs() {
        let rule = Sgd { lr: 0.5, momentum: 0.5, weight_decay: 0.25 };
        let (mut w, mut v) = ([1.0f32], [0.0]);
        let mut seen = Vec::new();
        for g in [1.0, 2.0, -1.0] {
            sgd(&mut w, &mut v, &[g], rule);
            seen.push((v[0], w[0]));
        }
        assert_eq!(seen, [(1.25, 0.375), (2.71875, -0.984_375), (0.113_281_25, -1.041_015_6)]);
    }

    #[test]
    #[should_panic(expected = "one length")]
    fn lengths_must_agree() {
        axpy(1.0f32, &[1.0], &mut [1.0, 2.0]);
    }
}
