//! The patches of an image as the columns of a matrix, and back. It must not know what multiplies them.

use super::kernel::{Operand, Product, product};
use super::simd::{clear_short, copy_short};
use super::{Mat, Real, Scratch, gemm};

/// Elements of the matrix of patches that [`Patches::backward_image`] works on at a time: they should stay in a second-level cache.
const BLOCK: usize = 1 << 16;

/// How a window walks over an image of `channels`×`height`×`width`.
///
/// The matrix of patches has [`rows`](Patches::rows) = channels·kernel rows (channel, then kernel row, then kernel column: the order of a
/// convolution's weights) and [`columns`](Patches::columns) = output pixels, in row-major order. Padding reads zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Channels of the image.
    pub channels: usize,
    /// `[height, width]` of the image.
    pub size: [usize; 2],
    /// `[height, width]` of the window.
    pub kernel: [usize; 2],
    /// Steps down and to the right.
    pub stride: [usize; 2],
    /// Zeros above and to the left; below and to the right there are as many as `output` needs.
    pub padding: [usize; 2],
    /// Distance between taps of the window.
    pub dilation: [usize; 2],
    /// `[height, width]` of the output: how many steps the window makes.
    pub output: [usize; 2],
}

impl Patches {
    /// Rows of the matrix: one per weight of an output channel.
    pub fn rows(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Columns of the matrix: one per output pixel.
    pub fn columns(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Elements of the image.
    pub fn pixels(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// Whether the matrix of patches is the image itself (1×1 window, step 1, no padding): multiply by the image and skip [`im2col`](Patches::im2col).
    pub fn is_identity(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0] && self.output == self.size
    }

    /// Of the outputs `0..output`, those whose tap `t` falls inside `0..size` on axis `axis`: first and one past the last.
    fn inside(&self, axis: usize, t: usize) -> (usize, usize) {
        let (stride, output) = (self.stride[axis], self.output[axis]);
        let offset = t * self.dilation[axis];
        let first = self.padding[axis].saturating_sub(offset).div_ceil(stride).min(output);
        // o·stride + offset - padding < size
        let last = (self.size[axis] + self.padding[axis]).saturating_sub(offset).div_ceil(stride).min(output);
        (first, last.max(first))
    }

    /// Writes the matrix of patches of `image` to `matrix`, rows `ld` apart (`ld >= columns`; several images side by side: pass `&mut matrix[b·columns..]`).
    pub fn im2col<T: Real>(&self, image: &[T], matrix: &mut [T], ld: usize) {
        self.check(image);
        for row in 0..self.rows() {
            self.row(image, row, 0, &mut matrix[row * ld..][..self.columns()]);
        }
    }

    /// The transpose of [`im2col`](Patches::im2col): adds every element of `matrix` to the pixel it was taken from. Does not clear `image` first.
    pub fn col2im<T: Real>(&self, matrix: &[T], ld: usize, image: &mut [T]) {
        self.check(image);
        let [height, width] = self.size;
        let [kh, kw] = self.kernel;
        for row in 0..self.rows() {
            let (channel, ky, kx) = (row / (kh * kw), row / kw % kh, row % kw);
            let (top, bottom) = self.inside(0, ky);
            let (left, right) = self.inside(1, kx);
            if left >= right {
                continue;
            }
            for oy in top..bottom {
                let y = oy * self.stride[0] + ky * self.dilation[0] - self.padding[0];
                let x = left * self.stride[1] + kx * self.dilation[1] - self.padding[1];
                let from = &matrix[row * ld + oy * self.output[1]..][left..right];
                let to = &mut image[(channel * height + y) * width + x..];
                if self.stride[1] == 1 {
                    for (to, &v) in to[..from.len()].iter_mut().zip(from) {
                        *to += v;
                    }
                } else {
                    for (to, &v) in to.iter_mut().step_by(self.stride[1]).zip(from) {
                        *to += v;
                    }
                }
            }
        }
    }

    /// Columns `from..from + out.len()` of row `row` of the matrix of patches.
    #[inline(always)]
    pub(super) fn row<T: Real>(&self, image: &[T], row: usize, from: usize, out: &mut [T]) {
        let [height, width] = self.size;
        let [kh, kw] = self.kernel;
        let [sy, sx] = self.stride;
        let (channel, ky, kx) = (row / (kh * kw), row / kw % kh, row % kw);
        let (top, bottom) = self.inside(0, ky);
        let (left, right) = self.inside(1, kx);
        let columns = self.output[1];
        let image = &image[channel * height * width..][..height * width];
        // Where output (0, 0) looks, wrapped around if that is in the padding.
        let origin = (ky * self.dilation[0]).wrapping_sub(self.padding[0]).wrapping_mul(width);
        let origin = origin.wrapping_add(kx * self.dilation[1]).wrapping_sub(self.padding[1]);
        let at = |oy: usize, ox: usize| origin.wrapping_add(oy * sy * width + ox * sx);

        let (mut oy, first, mut out) = (from / columns, from % columns, out);
        // Part of an output row, `ox..`; also for padding on the sides and steps longer than one.
        let part = |oy: usize, ox: usize, out: &mut [T]| {
            let (start, end) = (left.clamp(ox, ox + out.len()), right.clamp(ox, ox + out.len()));
            if oy < top || oy >= bottom || start >= end {
                return clear_short(out);
            }
            let pixels = &image[at(oy, start)..];
            clear_short(&mut out[..start - ox]);
            clear_short(&mut out[end - ox..]);
            let out = &mut out[start - ox..end - ox];
            if sx == 1 {
                copy_short(&pixels[..out.len()], out);
            } else {
                for (o, &v) in out.iter_mut().zip(pixels.iter().step_by(sx)) {
                    *o = v;
                }
            }
        };
        if first > 0 {
            let (head, tail) = out.split_at_mut((columns - first).min(out.len()));
            part(oy, first, head);
            (oy, out) = (oy + 1, tail);
        }
        // Whole rows: above the image, in it, below it.
        let rows = out.len() / columns;
        let (above, below) = (top.clamp(oy, oy + rows) - oy, bottom.clamp(oy, oy + rows) - oy);
        let (whole, rest) = out.split_at_mut(rows * columns);
        if left >= right {
            clear_short(whole);
        } else {
            let (head, tail) = whole.split_at_mut(above * columns);
            let (inner, tail) = tail.split_at_mut((below.max(above) - above) * columns);
            clear_short(head);
            clear_short(tail);
            let y = oy + above;
            if inner.is_empty() {
            } else if sx == 1 && sy == 1 && columns == width {
                // The image shifted by a few pixels: one copy, then the columns that came from the next or the last row are cleared.
                let missing = if y == 0 || origin > image.len() { left } else { 0 };
                let start = at(y, missing);
                let len = (inner.len() - missing).min(image.len() - start);
                inner[missing..missing + len].copy_from_slice(&image[start..start + len]);
                for x in (0..left).chain(right..columns) {
                    inner[x..].iter_mut().step_by(columns).for_each(|v| *v = T::ZERO);
                }
            } else if sx == 1 && left == 0 && right == columns {
                rows_of(&image[at(y, 0)..], sy * width, inner, columns);
            } else {
                for (y, out) in (y..).zip(inner.chunks_exact_mut(columns)) {
                    part(y, 0, out);
                }
            }
        }
        if !rest.is_empty() {
            part(oy + rows, 0, rest);
        }
    }

    fn check<T>(&self, image: &[T]) {
        assert!(image.len() >= self.pixels(), "{} elements cannot be {self:?}", image.len());
    }

    /// A convolution's output, `maps`×[`columns`](Patches::columns) = weight (`maps`×[`rows`](Patches::rows)) · matrix of patches of `image`;
    /// added to `out` if `accumulate`. The matrix is never written out: its panels are packed straight from the image.
    pub fn forward<T: Real>(
        &self,
        maps: usize,
        weight: &[T],
        image: &[T],
        out: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    ) {
        self.check(image);
        let (k, n) = (self.rows(), self.columns());
        let weight = Mat::new(weight, k);
        if self.is_identity() || self.is_whole() {
            // One column: the image is it.
            return gemm(maps, n, k, weight, Mat::new(image, n), out, n, accumulate, scratch);
        }
        weight.check("weight", maps, k);
        let (a, b) = (Operand::Strided(weight), Operand::Patches(self, image));
        product(Product { m: maps, n, k, a, b, ldc: n, transposed: false, accumulate }, out, scratch);
    }

    /// The gradient of a convolution's weight, `maps`×[`rows`](Patches::rows) = upstream (`maps`×[`columns`](Patches::columns)) · (matrix of patches
    /// of `image`)ᵀ; added to `out` if `accumulate` (second and later images of a batch).
    pub fn backward_weight<T: Real>(
        &self,
        maps: usize,
        upstream: &[T],
        image: &[T],
        out: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    ) {
        self.check(image);
        let (k, n) = (self.rows(), self.columns());
        let upstream = Mat::new(upstream, n);
        if self.is_identity() || self.is_whole() {
            return gemm(maps, k, n, upstream, Mat::new(image, n).t(), out, k, accumulate, scratch);
        }
        upstream.check("upstream", maps, n);
        let (a, b) = (Operand::Patches(self, image), Operand::Strided(upstream.t()));
        product(Product { m: k, n: maps, k: n, a, b, ldc: k, transposed: true, accumulate }, out, scratch);
    }

    /// The gradient of a convolution's input, an image: weightᵀ · upstream (`maps`×[`columns`](Patches::columns)), every element added to the pixel
    /// that it was taken from; and to what is in `out` if `accumulate`.
    pub fn backward_image<T: Real>(
        &self,
        maps: usize,
        weight: &[T],
        upstream: &[T],
        out: &mut [T],
        accumulate: bool,
        scratch: &mut Scratch<T>,
    ) {
        let (k, n) = (self.rows(), self.columns());
        let (weight, upstream) = (Mat::new(weight, k).t(), Mat::new(upstream, n));
        if self.is_identity() || self.is_whole() {
            return gemm(k, n, maps, weight, upstream, out, n, accumulate, scratch);
        }
        self.check(out);
        weight.check("weight", k, maps);
        let window = self.kernel[0] * self.kernel[1];
        let channels = (BLOCK / (window * n).max(1)).clamp(1, self.channels);
        let (matrix, scratch) = scratch.split(channels * window * n);
        let out = &mut out[..self.pixels()];
        if !accumulate {
            out.fill(T::ZERO);
        }
        // A few channels at a time: the product is added to its pixels while it is still in the cache.
        for (c, out) in out.chunks_mut(channels * self.size[0] * self.size[1]).enumerate() {
            let part = Self { channels: channels.min(self.channels - c * channels), ..*self };
            let weight = Mat { data: &weight.data[c * channels * window..], ..weight };
            gemm(part.rows(), n, maps, weight, upstream, matrix, n, false, scratch);
            part.col2im(matrix, n, out);
        }
    }

    /// Whether the only window is the whole image: a batch of images is a matrix then, and the convolution a product with it.
    pub fn is_whole(&self) -> bool {
        self.output == [1, 1] && self.kernel == self.size && self.padding == [0, 0] && self.dilation == [1, 1]
    }
}

/// Copies rows of `columns` numbers, `step` apart in `from`, next to each other.
#[inline(always)]
fn rows_of<T: Real>(from: &[T], step: usize, out: &mut [T], columns: usize) {
    // A little too much of each row: the next row covers it. Copies of a known length cost a tenth of the others (see `copy_short`).
    let done = match columns {
        0..=4 => wide_rows::<T, 4>(from, step, out, columns),
        5..=8 => wide_rows::<T, 8>(from, step, out, columns),
        9..=12 => wide_rows::<T, 12>(from, step, out, columns),
        13..=16 => wide_rows::<T, 16>(from, step, out, columns),
        _ => 0,
    };
    for (y, out) in out.chunks_exact_mut(columns).enumerate().skip(done) {
        copy_short(&from[y * step..][..columns], out);
    }
}

/// As many rows as can be copied `L` numbers at a time without running over the end.
#[inline(always)]
fn wide_rows<T: Real, const L: usize>(from: &[T], step: usize, out: &mut [T], columns: usize) -> usize {
    let rows = out.len() / columns;
    for y in 0..rows {
        match (from.get(y * step..).and_then(|from| from.first_chunk::<L>()), out[y * columns..].first_chunk_mut::<L>())
        {
            (Some(from), Some(out)) => *out = *from,
            _ => return y,
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Patches> {
        let mut out = Vec::new();
        for (size, kernel, stride, padding, dilation) in [
            ([5, 4], [1, 1], [1, 1], [0, 0], [1, 1]),
            ([6, 7], [3, 2], [1, 1], [1, 0], [1, 1]),
            ([6, 7], [3, 3], [2, 3], [1, 2], [1, 1]),
            ([9, 8], [3, 2], [1, 2], [2, 1], [2, 3]),
            ([4, 3], [4, 3], [1, 1], [0, 0], [1, 1]),
            ([2, 3], [5, 5], [1, 1], [2, 2], [1, 1]),
            ([3, 3], [1, 1], [2, 2], [0, 0], [1, 1]),
            ([3, 4], [2, 2], [3, 3], [3, 3], [1, 1]),
            ([4, 5], [3, 3], [1, 1], [1, 1], [1, 1]),
            ([4, 6], [3, 5], [1, 1], [2, 4], [2, 2]),
            ([5, 14], [2, 5], [1, 1], [0, 0], [1, 1]),
            ([3, 31], [2, 4], [1, 1], [0, 0], [1, 1]),
            ([7, 71], [2, 4], [2, 1], [1, 0], [1, 1]),
        ] {
            let axis = |i: usize| (size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
            out.push(Patches { channels: 3, size, kernel, stride, padding, dilation, output: [axis(0), axis(1)] });
        }
        // More output than the padding on the other side allows for: zeros.
        out.push(Patches { output: [7, 6], ..out[2] });
        out
    }

    /// The definition: which pixel element (row, column) shows.
    fn pixel(p: &Patches, row: usize, column: usize) -> Option<usize> {
        let (c, ky, kx) = (row / (p.kernel[0] * p.kernel[1]), row / p.kernel[1] % p.kernel[0], row % p.kernel[1]);
        let (oy, ox) = (column / p.output[1], column % p.output[1]);
        let y = (oy * p.stride[0] + ky * p.dilation[0]).checked_sub(p.padding[0]).filter(|&y| y < p.size[0])?;
        let x = (ox * p.stride[1] + kx * p.dilation[1]).checked_sub(p.padding[1]).filter(|&x| x < p.size[1])?;
        Some((c * p.size[0] + y) * p.size[1] + x)
    }

    #[test]
    fn im2col_and_rows_show_the_right_pixels() {
        for p in all() {
            let image: Vec<f32> = (1..=p.pixels()).map(|v| v as f32).collect();
            let (k, n) = (p.rows(), p.columns());
            let ld = n + 2;
            let mut matrix = vec![-1.0; k * ld];
            p.im2col(&image, &mut matrix, ld);
            for row in 0..k {
                let want: Vec<f32> = (0..n).map(|column| pixel(&p, row, column).map_or(0.0, |at| image[at])).collect();
                assert_eq!(matrix[row * ld..][..n], want, "{p:?} row {row}");
                assert_eq!(matrix[row * ld + n..][..2], [-1.0; 2], "{p:?} row {row}: what lies between rows");
                for from in (0..n).step_by(1 + n / 40) {
                    for to in (from..=n).step_by(1 + n / 30) {
                        let mut out = vec![-1.0; to - from];
                        p.row(&image, row, from, &mut out);
                        assert_eq!(out, want[from..to], "{p:?} row {row} columns {from}..{to}");
                    }
                }
            }
        }
    }

    #[test]
    fn col2im_is_the_transpose() {
        for p in all() {
            let (k, n) = (p.rows(), p.columns());
            let matrix: Vec<f64> = (0..k * n).map(|v| (v % 17) as f64).collect();
            let mut got = vec![1.0; p.pixels()];
            p.col2im(&matrix, n, &mut got);
            let mut want = vec![1.0; p.pixels()];
            for row in 0..k {
                for column in 0..n {
                    if let Some(at) = pixel(&p, row, column) {
                        want[at] += matrix[row * n + column];
                    }
                }
            }
            assert_eq!(got, want, "{p:?}");
        }
    }
}
