//! Maps over slices: activations, sums, softmax, the SGD update. It must not know what the numbers mean.
//!
//! Lengths that have to agree are asserted: a mismatch is a bug of the caller, never a quiet truncation.

use super::Real;

/// Independent partial sums in a reduction: enough for two vectors of four (wasm) or one of eight (AVX).
const LANES: usize = 8;

#[inline(always)]
fn map_slice<T: Real>(x: &mut [T], f: impl Fn(T) -> T) {
    for v in x {
        *v = f(*v);
    }
}

#[inline(always)]
fn map_into<T: Real>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    assert_eq!(x.len(), y.len(), "a map needs as many outputs as inputs");
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

/// `x = tanh(x)`.
pub fn tanh_slice<T: Real>(x: &mut [T]) {
    map_slice(x, T::tanh);
}

/// `y = tanh(x)`.
pub fn tanh_into<T: Real>(x: &[T], y: &mut [T]) {
    map_into(x, y, T::tanh);
}

/// `x = 1 / (1 + e^-x)`.
pub fn sigmoid_slice<T: Real>(x: &mut [T]) {
    map_slice(x, T::sigmoid);
}

/// `y = 1 / (1 + e^-x)`.
pub fn sigmoid_into<T: Real>(x: &[T], y: &mut [T]) {
    map_into(x, y, T::sigmoid);
}

/// `x = e^x`.
pub fn exp_slice<T: Real>(x: &mut [T]) {
    map_slice(x, T::exp);
}

/// `y = e^x`.
pub fn exp_into<T: Real>(x: &[T], y: &mut [T]) {
    map_into(x, y, T::exp);
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
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// `y += x`.
pub fn add_into<T: Real>(x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "add_into needs slices of one length");
    for (y, &x) in y.iter_mut().zip(x) {
        *y += x;
    }
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
