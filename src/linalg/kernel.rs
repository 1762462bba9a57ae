//! The product of two matrices, blocked for caches and registers. It must not know what the matrices are.
//!
//! One operand (B) is packed into panels of 16, 8 or 4 columns, so that the inner loop reads it forwards without a gap. The other (A) is read where it
//! lies, a few rows at once, each forwards; only if its rows are not contiguous is a block of it copied. Which of the two is packed is the caller's
//! choice: C = A·B or Cᵀ = Bᵀ·Aᵀ, whichever costs less ([`Product::cost`]).

use super::simd::{Work, copy_short, fuses, widest};
use super::{Mat, Patches, Real, Scratch};

/// Columns of a full panel. Two rows of it are 8 vectors of SIMD128, six rows 12 of AVX2: what fits 16 registers beside the operands.
const WIDTH: usize = 16;
/// Longest run of the inner dimension in one pass: a panel of 256×16 floats takes half of a first-level cache.
const DEPTH: usize = 256;
/// Columns packed at a time: 256×512 floats fit a second-level cache.
const COLUMNS: usize = 512;
/// Rows of A copied at a time, if they have to be.
const ROWS: usize = 128;

/// Where a factor comes from.
#[derive(Clone, Copy)]
pub(super) enum Operand<'a, T> {
    /// From memory, by strides.
    Strided(Mat<'a, T>),
    /// From an image: the matrix of its patches, never written out whole.
    Patches(&'a Patches, &'a [T]),
}

impl<'a, T: Real> Operand<'a, T> {
    /// Columns `j..j + out.len()` of row `i`.
    #[inline(always)]
    fn copy_row(&self, i: usize, j: usize, out: &mut [T]) {
        match self {
            Self::Strided(mat) if mat.col == 1 => out.copy_from_slice(&mat.data[i * mat.row + j..][..out.len()]),
            Self::Strided(mat) => {
                for (out, &v) in out.iter_mut().zip(mat.data[i * mat.row + j * mat.col..].iter().step_by(mat.col)) {
                    *out = v;
                }
            }
            Self::Patches(patches, image) => patches.row(image, i, j, out),
        }
    }
}

/// A product to compute: A is m×k, B is k×n; C is m×n, or n×m if `transposed`, its rows `ldc` apart.
pub(super) struct Product<'a, T> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Operand<'a, T>,
    pub b: Operand<'a, T>,
    pub ldc: usize,
    pub transposed: bool,
    pub accumulate: bool,
}

impl<T: Real> Product<'_, T> {
    /// About how long it takes, in sixteenths of a multiply-add of one row and one full panel.
    pub(super) fn cost(&self) -> usize {
        let full = self.n / WIDTH * WIDTH;
        // Narrow panels keep fewer sums in flight.
        let columns = full + [0, 6, 9, 15, 16][(self.n - full).div_ceil(4)];
        let pack = match self.b {
            Operand::Strided(b) if b.col == 1 => 2,
            _ => 5,
        };
        let copy = match self.a {
            Operand::Strided(a) if a.col == 1 => 0,
            _ => 5,
        };
        let store = if self.transposed { self.m * self.n * self.k.div_ceil(DEPTH) * 8 } else { 0 };
        self.k * (self.m * columns + pack * self.n + copy * self.m) + store
    }
}

/// Computes it.
pub(super) fn product<T: Real>(product: Product<'_, T>, c: &mut [T], scratch: &mut Scratch<T>) {
    let Product { m, n, k, ldc, .. } = product;
    let (rows, columns) = if product.transposed { (n, m) } else { (m, n) };
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(ldc >= columns, "gemm: C: rows {ldc} apart cannot hold {columns} columns");
    assert!((rows - 1) * ldc + columns <= c.len(), "gemm: C: {rows}×{columns}, rows {ldc} apart, in {}", c.len());
    if k == 0 {
        if !product.accumulate {
            c.chunks_mut(ldc).take(rows).for_each(|row| row[..columns].fill(T::ZERO));
        }
        return;
    }
    // Double precision has half as many numbers in a register: the small block for it.
    if fuses() && size_of::<T>() == 4 {
        widest(Blocks::<T, true, true> { product, c, scratch });
    } else if fuses() {
        widest(Blocks::<T, true, false> { product, c, scratch });
    } else {
        blocks::<T, false, false>(product, c, scratch);
    }
}

/// [`blocks`] as work for [`widest`].
struct Blocks<'a, T, const FUSE: bool, const TALL: bool> {
    product: Product<'a, T>,
    c: &'a mut [T],
    scratch: &'a mut Scratch<T>,
}

impl<T: Real, const FUSE: bool, const TALL: bool> Work for Blocks<'_, T, FUSE, TALL> {
    type Result = ();
    #[inline(always)]
    fn run(self) {
        blocks::<T, FUSE, TALL>(self.product, self.c, self.scratch);
    }
}

/// Loops over blocks. `FUSE`: multiply-adds in one instruction; `TALL`: six rows at once instead of two (AVX2, NEON).
#[inline(always)]
fn blocks<T: Real, const FUSE: bool, const TALL: bool>(product: Product<'_, T>, c: &mut [T], scratch: &mut Scratch<T>) {
    let Product { m, n, k, a, b, ldc, transposed, accumulate } = product;
    let depth = k.div_ceil(k.div_ceil(DEPTH));
    let columns = n.next_multiple_of(4).min(COLUMNS);
    let in_place = match a {
        Operand::Strided(a) if a.col == 1 => Some(a),
        _ => None,
    };
    let rows = if in_place.is_some() { m } else { m.min(ROWS) };
    let copied = if in_place.is_some() { 0 } else { rows * depth };
    let [packed, copy, line] = scratch.take([depth * columns.next_multiple_of(WIDTH), copied, columns]);
    for j0 in (0..n).step_by(COLUMNS) {
        let columns = COLUMNS.min(n - j0);
        for p0 in (0..k).step_by(depth) {
            let depth = depth.min(k - p0);
            pack(b, p0, depth, j0, columns, packed, line);
            for i0 in (0..m).step_by(rows) {
                let rows = rows.min(m - i0);
                let a = match in_place {
                    Some(a) => Mat::new(&a.data[i0 * a.row + p0..], a.row),
                    None => {
                        copy_rows(a, i0, rows, p0, depth, copy);
                        Mat::new(&*copy, depth)
                    }
                };
                let mut out = Out { c: &mut *c, ldc, transposed, add: accumulate || p0 > 0, i: i0, j: 0 };
                for panel in panels(columns) {
                    let b = &packed[panel.start * depth..][..panel.width * depth];
                    out.j = j0 + panel.start;
                    match panel.width {
                        16 => strip::<T, FUSE, TALL, 16>(a, rows, b, panel.used, &mut out),
                        8 => strip::<T, FUSE, TALL, 8>(a, rows, b, panel.used, &mut out),
                        _ => strip::<T, FUSE, TALL, 4>(a, rows, b, panel.used, &mut out),
                    }
                }
            }
        }
    }
}

/// Some neighbouring columns of B.
struct Panel {
    /// The first of them, counted from the block's first.
    start: usize,
    /// How many there are room for: 16, 8 or 4.
    width: usize,
    /// How many there are; the others hold anything, and their sums are dropped.
    used: usize,
}

/// Splits columns into full panels and at most two narrow ones.
#[inline(always)]
fn panels(columns: usize) -> impl Iterator<Item = Panel> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = columns - start;
        let width = match left {
            0 => return None,
            1..=4 => 4,
            5..=12 => 8,
            _ => WIDTH,
        };
        let panel = Panel { start, width, used: left.min(width) };
        start += panel.used;
        Some(panel)
    })
}

/// Writes B's block into panels: for every p in turn the panel's columns. (Out of line: it moves numbers, and needs no wide arithmetic.)
#[inline(never)]
fn pack<T: Real>(
    b: Operand<'_, T>,
    p0: usize,
    depth: usize,
    j0: usize,
    columns: usize,
    packed: &mut [T],
    line: &mut [T],
) {
    match b {
        Operand::Strided(b) => {
            for panel in panels(columns) {
                let out = &mut packed[panel.start * depth..][..panel.width * depth];
                let b = Mat { data: &b.data[p0 * b.row + (j0 + panel.start) * b.col..], ..b };
                match panel.width {
                    16 => pack_panel::<T, 16>(b, panel.used, out),
                    8 => pack_panel::<T, 8>(b, panel.used, out),
                    _ => pack_panel::<T, 4>(b, panel.used, out),
                }
            }
        }
        Operand::Patches(patches, image) => {
            let line = &mut line[..columns];
            for p in 0..depth {
                patches.row(image, p0 + p, j0, line);
                let (full, _) = line.as_chunks::<WIDTH>();
                let (rows, _) = packed.as_chunks_mut::<WIDTH>();
                for (line, out) in full.iter().zip(rows[p..].iter_mut().step_by(depth)) {
                    *out = *line;
                }
                for panel in panels(columns - full.len() * WIDTH) {
                    let start = full.len() * WIDTH + panel.start;
                    // What follows the last column is never looked at.
                    copy_short(
                        &line[start..][..panel.used],
                        &mut packed[start * depth + p * panel.width..][..panel.used],
                    );
                }
            }
        }
    }
}

#[inline(always)]
fn pack_panel<T: Real, const W: usize>(b: Mat<'_, T>, used: usize, out: &mut [T]) {
    if b.col == 1 && used == W {
        for (p, out) in out.as_chunks_mut::<W>().0.iter_mut().enumerate() {
            out.copy_from_slice(&b.data[p * b.row..][..W]);
        }
    } else if b.row == 1 {
        interleave(b.data, b.col, used, W, out);
    } else {
        for (p, out) in out.chunks_exact_mut(W).enumerate() {
            // What follows the last column is never looked at.
            for (out, &v) in out[..used].iter_mut().zip(b.data[p * b.row..].iter().step_by(b.col)) {
                *out = v;
            }
        }
    }
}

/// Packs columns that are contiguous, `step` apart: a transposition, four columns and four rows at a time.
#[inline(never)]
fn interleave<T: Real>(columns: &[T], step: usize, used: usize, width: usize, out: &mut [T]) {
    let depth = out.len() / width;
    let fours = used / 4 * 4;
    for q in (0..fours).step_by(4) {
        let [c0, c1, c2, c3] = [0, 1, 2, 3].map(|i| columns[(q + i) * step..][..depth].as_chunks::<4>().0);
        let steps = c0.iter().zip(c1).zip(c2).zip(c3).zip(out.chunks_exact_mut(4 * width));
        for ((((c0, c1), c2), c3), out) in steps {
            for (p, out) in out.chunks_exact_mut(width).enumerate() {
                if let Some(out) = out[q..].first_chunk_mut() {
                    *out = [c0[p], c1[p], c2[p], c3[p]];
                }
            }
        }
    }
    for q in 0..used {
        let from = if q < fours { depth / 4 * 4 } else { 0 };
        let column = &columns[q * step..][..depth];
        for (&v, out) in column.iter().zip(out.chunks_exact_mut(width)).skip(from) {
            out[q] = v;
        }
    }
}

/// Copies rows of A that are not contiguous next to each other.
#[inline(never)]
fn copy_rows<T: Real>(a: Operand<'_, T>, i0: usize, rows: usize, p0: usize, depth: usize, out: &mut [T]) {
    if let Operand::Strided(mat) = a
        && mat.row == 1
    {
        // Columns are contiguous: read them so.
        for p in 0..depth {
            let column = &mat.data[(p0 + p) * mat.col + i0..][..rows];
            for (i, &v) in column.iter().enumerate() {
                out[i * depth + p] = v;
            }
        }
        return;
    }
    for (i, out) in out.chunks_exact_mut(depth).take(rows).enumerate() {
        a.copy_row(i0 + i, p0, out);
    }
}

/// Where sums go.
struct Out<'a, T> {
    c: &'a mut [T],
    ldc: usize,
    transposed: bool,
    add: bool,
    i: usize,
    j: usize,
}

impl<T: Real> Out<'_, T> {
    #[inline(always)]
    fn store<const R: usize, const W: usize>(&mut self, row: usize, used: usize, sums: [[T; W]; R]) {
        if self.transposed || used < W {
            return self.store_slowly(row, used, sums.as_flattened(), W);
        }
        for (r, sums) in sums.iter().enumerate() {
            let (c, _) = self.c[(self.i + row + r) * self.ldc + self.j..][..W].as_chunks_mut::<W>();
            for c in c {
                if self.add {
                    for (c, &s) in c.iter_mut().zip(sums) {
                        *c += s;
                    }
                } else {
                    *c = *sums;
                }
            }
        }
    }

    /// The same for a panel that is not full, or a transposed result. Out of line: in every tile it would make the program a half larger.
    #[inline(never)]
    fn store_slowly(&mut self, row: usize, used: usize, sums: &[T], width: usize) {
        let (down, right) = if self.transposed { (1, self.ldc) } else { (self.ldc, 1) };
        let start = (self.i + row) * down + self.j * right;
        for (r, sums) in sums.chunks_exact(width).enumerate() {
            let c = self.c[start + r * down..].iter_mut().step_by(right);
            for (c, &s) in c.zip(&sums[..used]) {
                *c = if self.add { *c + s } else { s };
            }
        }
    }
}

/// All rows of the block times one panel.
#[inline(always)]
fn strip<T: Real, const FUSE: bool, const TALL: bool, const W: usize>(
    a: Mat<'_, T>,
    rows: usize,
    b: &[T],
    used: usize,
    out: &mut Out<'_, T>,
) {
    let (b, _) = b.as_chunks::<W>();
    let row = |i: usize| &a.data[i * a.row..][..b.len()];
    let mut i = 0;
    while TALL && W > 4 && rows - i >= 6 {
        out.store(i, used, six::<T, FUSE, W>([row(i), row(i + 1), row(i + 2), row(i + 3), row(i + 4), row(i + 5)], b));
        i += 6;
    }
    while (TALL || W < WIDTH) && rows - i >= 4 {
        out.store(i, used, four::<T, FUSE, W>([row(i), row(i + 1), row(i + 2), row(i + 3)], b));
        i += 4;
    }
    while rows - i >= 2 {
        out.store(i, used, two::<T, FUSE, W>([row(i), row(i + 1)], b));
        i += 2;
    }
    if i < rows {
        out.store(i, used, one::<T, FUSE, W>([row(i)], b));
    }
}

#[inline(always)]
fn multiply_add<T: Real, const FUSE: bool, const W: usize>(sums: &mut [T; W], x: T, b: &[T; W]) {
    for (s, &b) in sums.iter_mut().zip(b) {
        *s = if FUSE { x.mul_add(b, *s) } else { *s + x * b };
    }
}

/// The inner loops. Iterators in step, not indices: a bounds check in here costs a third of the speed in wasm.
/// (Nor does unrolling help there: it made V8's code slower, 43 → 30 GFLOP/s.)
macro_rules! tile {
    ($name:ident, $rows:literal, $($x:ident $i:literal),+) => {
        #[inline(always)]
        fn $name<T: Real, const FUSE: bool, const W: usize>(a: [&[T]; $rows], b: &[[T; W]]) -> [[T; W]; $rows] {
            let mut sums = [[T::ZERO; W]; $rows];
            let [$($x),+] = a;
            tile!(@zip b.iter(), $($x),+ => |b, $($x),+| { $(multiply_add::<T, FUSE, W>(&mut sums[$i], *$x, b);)+ });
            sums
        }
    };
    (@zip $b:expr, $p:ident => |$bb:ident, $x0:ident| $body:block) => { for ($bb, $x0) in $b.zip($p) $body };
    (@zip $b:expr, $p:ident, $q:ident => |$bb:ident, $x0:ident, $x1:ident| $body:block) => { for (($bb, $x0), $x1) in $b.zip($p).zip($q) $body };
    (@zip $b:expr, $p:ident, $q:ident, $r:ident, $s:ident => |$bb:ident, $x0:ident, $x1:ident, $x2:ident, $x3:ident| $body:block) => {
        for (((($bb, $x0), $x1), $x2), $x3) in $b.zip($p).zip($q).zip($r).zip($s) $body
    };
    (@zip $b:expr, $p:ident, $q:ident, $r:ident, $s:ident, $t:ident, $u:ident => |$bb:ident, $x0:ident, $x1:ident, $x2:ident, $x3:ident, $x4:ident, $x5:ident| $body:block) => {
        for (((((($bb, $x0), $x1), $x2), $x3), $x4), $x5) in $b.zip($p).zip($q).zip($r).zip($s).zip($t).zip($u) $body
    };
}

tile!(one, 1, x0 0);
tile!(two, 2, x0 0, x1 1);
tile!(four, 4, x0 0, x1 1, x2 2, x3 3);
tile!(six, 6, x0 0, x1 1, x2 2, x3 3, x4 4, x5 5);
