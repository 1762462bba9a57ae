//! Matrix products. It must not know what the matrices are.

use super::Real;

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

    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> T {
        self.data[i * self.row + j * self.col]
    }
}

/// Reused workspace: grows to the largest demand, never shrinks.
#[derive(Debug, Default)]
pub struct Scratch<T> {
    buffer: Vec<T>,
}

impl<T: Real> Scratch<T> {
    /// Empty; the first use allocates.
    pub fn new() -> Self {
        Self { buffer: Vec::new() }
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

    /// How many elements it holds now.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether it has allocated nothing yet.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// `C = A·B`, or `C += A·B` if `accumulate`.
///
/// A is m×k, B is k×n, C is m×n with rows `ldc` apart (`ldc >= n`; what lies between rows is left alone).
/// Panics if a slice is too short for its matrix.
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
    if m == 0 || n == 0 {
        return;
    }
    assert!(ldc >= n, "gemm: rows of C {ldc} apart cannot hold {n} columns");
    let [row] = scratch.take([n]);
    for (i, c) in c.chunks_mut(ldc).take(m).enumerate() {
        let c = &mut c[..n];
        if !accumulate {
            c.fill(T::ZERO);
        }
        for p in 0..k {
            let x = a.at(i, p);
            for (j, r) in row.iter_mut().enumerate() {
                *r = b.at(p, j);
            }
            for (c, &r) in c.iter_mut().zip(row.iter()) {
                *c += x * r;
            }
        }
    }
}
