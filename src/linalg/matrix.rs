//! Matrix products. It must not know what the matrices are.

use super::kernel::{Operand, Product, product};
use super::{Real, dot};

/// A read-only matrix by strides: element (i, j) is `data[i·row + j·col]`.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    /// Where the elements lie.
    pub data: &'a [T],
    /// Distance between vertically neighbouring elements.
    pub row: usize,
    /// Distance between horizontally neighbouring elements.
    pub col: usize,
}

impl<'a, T: Real> Mat<'a, T> {
    /// A row-major matrix whose rows lie `row` apart.
    pub fn new(data: &'a [T], row: usize) -> Self {
        Self { data, row, col: 1 }
    }

    /// The transpose: the same elements, strides swapped.
    pub fn t(self) -> Self {
        Self { data: self.data, row: self.col, col: self.row }
    }

    /// Panics unless the data can hold `rows`×`columns` elements.
    pub(super) fn check(&self, name: &str, rows: usize, columns: usize) {
        if rows > 0 && columns > 0 {
            let (last, len) = ((rows - 1) * self.row + (columns - 1) * self.col, self.data.len());
            assert!(
                last < len,
                "{name}: {rows}×{columns} with strides {}, {} needs more than {len}",
                self.row,
                self.col
            );
        }
    }
}

/// Reused workspace: grows to the largest demand, never shrinks.
#[derive(Debug, Default)]
pub struct Scratch<T> {
    buffer: Vec<T>,
    /// For what is called while the buffer is lent out.
    inner: Option<Box<Scratch<T>>>,
}

impl<T: Real> Scratch<T> {
    /// Empty; the first use allocates.
    pub fn new() -> Self {
        Self { buffer: Vec::new(), inner: None }
    }

    /// Disjoint slices of these lengths, with whatever was left in them.
    pub fn take<const N: usize>(&mut self, lengths: [usize; N]) -> [&mut [T]; N] {
        let total = lengths.iter().sum();
        if self.buffer.len() < total {
            self.buffer.resize(total, T::ZERO);
        }
        let mut rest = self.buffer.as_mut_slice();
        lengths.map(|length| {
            let (head, tail) = std::mem::take(&mut rest).split_at_mut(length);
            rest = tail;
            head
        })
    }

    /// One slice, and a workspace of its own for what is called meanwhile.
    pub fn split(&mut self, length: usize) -> (&mut [T], &mut Self) {
        if self.buffer.len() < length {
            self.buffer.resize(length, T::ZERO);
        }
        (&mut self.buffer[..length], self.inner.get_or_insert_with(|| Box::new(Self::new())))
    }

    /// How many elements it holds now.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.inner.as_ref().map_or(0, |inner| inner.len())
    }

    /// Whether it has allocated nothing yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `C = A·B`, or `C += A·B` if `accumulate`.
///
/// A is m×k, B is k×n, C is m×n with rows `ldc` apart (`ldc >= n`; what lies between rows is left alone).
/// All four combinations of row-major and column-major operands are fast. Panics if a slice is too short for its matrix.
#[allow(clippy::too_many_arguments)] // BLAS's own list
pub fn gemm<T: Real>(
    m: usize,
    n: usize,
    k: usize,
    a: Mat<'_, T>,
    b: Mat<'_, T>,
    c: &mut [T],
    ldc: usize,
    accumulate: bool,
    scratch: &mut Scratch<T>,
) {
    a.check("gemm: A", m, k);
    b.check("gemm: B", k, n);
    // A matrix times a vector reads the matrix once: nothing to gain by packing it.
    if n == 1 && a.col == 1 && b.row == 1 {
        return times_vector(m, k, a, &b.data[..k], c, ldc, accumulate);
    }
    if m == 1 && b.row == 1 && a.col == 1 && (ldc >= n) {
        return times_vector(n, k, b.t(), &a.data[..k], c, 1, accumulate);
    }
    let straight =
        Product { m, n, k, a: Operand::Strided(a), b: Operand::Strided(b), ldc, transposed: false, accumulate };
    let turned = Product {
        m: n,
        n: m,
        k,
        a: Operand::Strided(b.t()),
        b: Operand::Strided(a.t()),
        ldc,
        transposed: true,
        accumulate,
    };
    product(if turned.cost() < straight.cost() { turned } else { straight }, c, scratch);
}

/// `y[i·step] = row i of A · x` (or `+=`), rows of A contiguous.
fn times_vector<T: Real>(m: usize, k: usize, a: Mat<'_, T>, x: &[T], y: &mut [T], step: usize, accumulate: bool) {
    for i in 0..m {
        let value = if k == 0 { T::ZERO } else { dot(&a.data[i * a.row..][..k], x) };
        let y = &mut y[i * step];
        *y = if accumulate { *y + value } else { value };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::Patches;

    /// Small integers: every sum is exact, so that results must be equal to the last bit, whatever the order.
    fn integers<T: Real>(len: usize, seed: usize) -> Vec<T> {
        (0..len).map(|i| T::from_f64(((i + seed) * 7919 % 13) as f64 - 6.0)).collect()
    }

    #[allow(clippy::too_many_arguments)]
    fn naive<T: Real>(m: usize, n: usize, k: usize, a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T], ldc: usize, add: bool) {
        for i in 0..m {
            for j in 0..n {
                let start = if add { c[i * ldc + j] } else { T::ZERO };
                c[i * ldc + j] =
                    (0..k).fold(start, |s, p| s + a.data[i * a.row + p * a.col] * b.data[p * b.row + j * b.col]);
            }
        }
    }

    fn check<T: Real>(m: usize, n: usize, k: usize) {
        let mut scratch = Scratch::new();
        for case in 0..16 {
            let [flip_a, flip_b, accumulate, wide] = [1, 2, 4, 8].map(|bit| case & bit != 0);
            let gap = if wide { 3 } else { 0 };
            let (a, b) = (integers(m * k + gap * m.max(k), 1), integers(k * n + gap * k.max(n), 2));
            let mat = |data, rows, columns, flip| {
                if flip { Mat::new(data, rows + gap).t() } else { Mat::new(data, columns + gap) }
            };
            let (a, b) = (mat(&a, m, k, flip_a), mat(&b, k, n, flip_b));
            let ldc = n + gap;
            let start: Vec<T> = integers(m * ldc, 3);
            let (mut got, mut want) = (start.clone(), start);
            gemm(m, n, k, a, b, &mut got, ldc, accumulate, &mut scratch);
            naive(m, n, k, a, b, &mut want, ldc, accumulate);
            assert!(got == want, "{m}×{n}×{k} transposed {flip_a} {flip_b} accumulate {accumulate} gap {gap}");
        }
    }

    #[test]
    fn products_equal_the_definition() {
        let edges = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31];
        for m in edges {
            for n in edges {
                for k in [0, 1, 2, 5, 33] {
                    check::<f32>(m, n, k);
                    check::<f64>(m, n, k);
                }
            }
        }
        for (m, n, k) in [
            (6, 784, 25),
            (16, 100, 150),
            (150, 100, 16),
            (6, 25, 784),
            (5, 3, 1031),
            (261, 19, 300),
            (19, 1100, 261),
            (3, 530, 513),
        ] {
            check::<f32>(m, n, k);
            check::<f64>(m, n, k);
        }
    }

    #[test]
    fn empty_products_leave_or_clear() {
        let mut scratch = Scratch::new();
        let mut c = [1.0f32; 6];
        gemm(2, 3, 0, Mat::new(&[], 0), Mat::new(&[], 3), &mut c, 3, true, &mut scratch);
        assert_eq!(c, [1.0; 6]);
        gemm(2, 3, 0, Mat::new(&[], 0), Mat::new(&[], 3), &mut c, 3, false, &mut scratch);
        assert_eq!(c, [0.0; 6]);
        gemm(0, 3, 2, Mat::new(&[], 2), Mat::new(&[0.0f32; 6], 3), &mut [], 3, false, &mut scratch);
    }

    #[test]
    fn nan_and_infinity_come_through() {
        let mut scratch = Scratch::new();
        for (n, k) in [(1, 3), (5, 3), (17, 3)] {
            let mut a = vec![1.0f32; 2 * k];
            a[k] = f32::NAN;
            let mut c = vec![0.0; 2 * n];
            gemm(2, n, k, Mat::new(&a, k), Mat::new(&vec![1.0; k * n], n), &mut c, n, false, &mut scratch);
            assert!(c[..n].iter().all(|&v| v == k as f32) && c[n..].iter().all(|v| v.is_nan()));
        }
    }

    #[test]
    #[should_panic(expected = "gemm: B: 3×4")]
    fn short_operand_is_refused() {
        gemm(2, 4, 3, Mat::new(&[0.0f32; 6], 3), Mat::new(&[0.0; 11], 4), &mut [0.0; 8], 4, false, &mut Scratch::new());
    }

    #[test]
    #[should_panic(expected = "gemm: C")]
    fn short_result_is_refused() {
        gemm(2, 4, 3, Mat::new(&[0.0f32; 6], 3), Mat::new(&[0.0; 12], 4), &mut [0.0; 7], 4, false, &mut Scratch::new());
    }

    #[test]
    fn scratch_is_disjoint_and_kept() {
        let mut scratch = Scratch::<f32>::new();
        let [a, b, c] = scratch.take([3, 0, 2]);
        a.fill(1.0);
        c.fill(2.0);
        assert_eq!((a.len(), b.len(), c.len()), (3, 0, 2));
        assert_eq!(a, [1.0; 3]);
        scratch.take([1]);
        assert_eq!(scratch.len(), 5);
    }

    #[test]
    #[allow(clippy::type_complexity)] // a table
    fn products_with_patches_equal_products_with_their_matrix() {
        let cases: [([usize; 2], [usize; 2], [usize; 2], [usize; 2], [usize; 2], usize, usize); 6] = [
            ([13, 11], [5, 5], [1, 1], [0, 0], [1, 1], 1, 6),
            ([7, 9], [3, 3], [1, 1], [1, 1], [1, 1], 3, 5),
            ([9, 12], [3, 2], [2, 3], [2, 0], [1, 2], 3, 17),
            ([23, 27], [11, 11], [4, 4], [2, 2], [1, 1], 3, 8),
            ([5, 4], [5, 4], [1, 1], [0, 0], [1, 1], 2, 3),
            ([30, 40], [3, 3], [1, 1], [1, 1], [1, 1], 40, 21),
        ];
        let mut scratch = Scratch::new();
        for (size, kernel, stride, padding, dilation, channels, m) in cases {
            let axis = |i: usize| (size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
            let patches = Patches { channels, size, kernel, stride, padding, dilation, output: [axis(0), axis(1)] };
            let (k, n) = (patches.rows(), patches.columns());
            let image: Vec<f32> = integers(patches.pixels(), 1);
            let mut matrix = vec![0.0; k * n];
            patches.im2col(&image, &mut matrix, n);
            let (weight, upstream): (Vec<f32>, Vec<f32>) = (integers(m * k, 2), integers(m * n, 3));
            for accumulate in [false, true] {
                let (mut got, mut want) = (integers(m * n, 4), integers(m * n, 4));
                patches.forward(m, &weight, &image, &mut got, accumulate, &mut scratch);
                naive(m, n, k, Mat::new(&weight, k), Mat::new(&matrix, n), &mut want, n, accumulate);
                assert!(got == want, "forward {patches:?} {accumulate}");
                let (mut got, mut want) = (integers(m * k, 5), integers(m * k, 5));
                patches.backward_weight(m, &upstream, &image, &mut got, accumulate, &mut scratch);
                naive(m, k, n, Mat::new(&upstream, n), Mat::new(&matrix, n).t(), &mut want, k, accumulate);
                assert!(got == want, "backward_weight {patches:?} {accumulate}");
                let (mut got, mut want): (Vec<f32>, Vec<f32>) =
                    (integers(patches.pixels(), 6), integers(patches.pixels(), 6));
                patches.backward_image(m, &weight, &upstream, &mut got, accumulate, &mut scratch);
                let mut columns = vec![0.0; k * n];
                naive(k, n, m, Mat::new(&weight, k).t(), Mat::new(&upstream, n), &mut columns, n, false);
                if !accumulate {
                    want.fill(0.0);
                }
                patches.col2im(&columns, n, &mut want);
                assert!(got == want, "backward_image {patches:?} {accumulate}");
            }
        }
    }
}
