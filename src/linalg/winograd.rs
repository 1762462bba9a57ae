//! 3×3 convolutions with step 1 in 16 multiplications where the definition takes 36. It must not know of layers.
//!
//! Source: Lavin, Gray: "Fast Algorithms for Convolutional Neural Networks", 2015, §4.1: F(2×2, 3×3), Winograd's minimal filtering. An output
//! tile of 2×2 is Aᵀ[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]A; summed over channels the elementwise product is 16 matrix products, one a place in the tile. Its factors are
//! halves and quarters, so that whole numbers stay exact; F(4×4, 3×3) would save more and round worse (its factors are 24ths).

use super::simd::{Work, copy_short, fuses, widest};
use super::{Mat, Patches, Real, Scratch, gemm};

/// Places in a transformed tile.
const PLACES: usize = 16;
/// Numbers of transformed weights, and of transformed tiles, that are kept at a time (4 and 8 MB of `f32`).
const WEIGHTS: usize = 1 << 20;
const TILES: usize = 1 << 21;
/// Numbers that should stay in a second-level cache between transformation and product.
const NEAR: usize = 1 << 20;
/// Between planes of one place: planes a power of two apart would fall on one another in the caches.
const SKEW: usize = 16;
/// Tiles transformed side by side.
const LANES: usize = 4;

/// The weights of a 3×3 convolution: tap `t` from channel `c` to map `m` is `data[m·map + c·channel + t]`, or `8 - t` if `turned`
/// (the gradient of an input is such a convolution of the upstream gradient).
#[derive(Clone, Copy, Debug)]
pub struct Kernels<'a, T> {
    /// Where they lie.
    pub data: &'a [T],
    /// From one map to the next.
    pub map: usize,
    /// From one channel to the next.
    pub channel: usize,
    /// Whether taps are read backwards.
    pub turned: bool,
}

/// Several images of one shape: where each begins.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// How many.
    pub images: usize,
    /// From one input to the next.
    pub input: usize,
    /// From one output to the next.
    pub output: usize,
}

impl Patches {
    /// The convolution with step 1 that takes the upstream gradient of `maps` maps to the gradient of the image.
    #[must_use]
    pub fn turned(&self, maps: usize) -> Self {
        let padding = [0, 1].map(|i| (self.dilation[i] * (self.kernel[i] - 1)).saturating_sub(self.padding[i]));
        Self { channels: maps, size: self.output, padding, output: self.size, ..*self }
    }

    /// Whether [`Patches::winograd`] can be used for so many images, and is the quicker way.
    pub fn suits_winograd(&self, maps: usize, images: usize) -> bool {
        let steps = self.kernel == [3, 3] && self.stride == [1, 1] && self.dilation == [1, 1];
        let sized = (0..2).all(|i| self.output[i] + 2 == self.size[i] + 2 * self.padding[i]);
        let [down, across] = self.output.map(|size| size.div_ceil(2));
        // Weights are transformed once for all tiles, which few tiles do not make good; and where products are quicker, it takes
        // more of them (measured: benches/linalg.rs, ResNet's 7² and 14²).
        let enough = if fuses() { 32 } else { 16 };
        steps && sized && self.channels >= 16 && maps >= 16 && across >= LANES && images * down * across >= enough
    }

    /// A convolution's output, `maps`×[`columns`](Patches::columns) an image, overwritten; with a `bias` a map, if given.
    /// Only where [`Patches::suits_winograd`].
    #[allow(clippy::too_many_arguments)] // a convolution's own list
    pub fn winograd<T: Real>(
        &self,
        maps: usize,
        weight: Kernels<'_, T>,
        bias: Option<&[T]>,
        images: &[T],
        out: &mut [T],
        batch: Batch,
        scratch: &mut Scratch<T>,
    ) {
        let channels = self.channels;
        let [down, across] = self.output.map(|size| size.div_ceil(2));
        let rows = batch.images * down;
        // All maps at once where their weights are few; else some at a time, for as many tiles as may be.
        let some = (WEIGHTS / (PLACES * channels)).next_multiple_of(4).min(maps);
        let room = if some < maps { TILES / (PLACES * channels) } else { NEAR / (PLACES * (channels + maps)) };
        let at_once = (room / across).clamp(1, rows);
        let tiles = at_once * across;
        let lengths = [some * channels, channels * tiles, some * tiles].map(|len| PLACES * (len + SKEW));
        let (buffer, scratch) = scratch.split(lengths.iter().sum::<usize>() + 4 * (2 * across + 2));
        let (u, rest) = buffer.split_at_mut(lengths[0]);
        let (v, rest) = rest.split_at_mut(lengths[1]);
        let (m, lines) = rest.split_at_mut(lengths[2]);
        for first in (0..rows).step_by(at_once) {
            let rows = first..rows.min(first + at_once);
            let tiles = rows.len() * across;
            widest(Inputs { patches: self, images, step: batch.input, rows: rows.clone(), down, v, lines });
            for map in (0..maps).step_by(some) {
                let some = some.min(maps - map);
                if first == 0 || some < maps {
                    widest(Weights { weight, map, maps: some, channels, u });
                }
                let planes = u.chunks(some * channels + SKEW).zip(v.chunks(channels * tiles + SKEW));
                let planes = planes.zip(m.chunks_mut(some * tiles + SKEW));
                for ((u, v), m) in planes.take(PLACES) {
                    let (u, v) = (Mat::new(u, channels), Mat::new(v, tiles));
                    gemm(some, tiles, channels, u, v, m, tiles, false, scratch);
                }
                let (rows, bias) = (rows.clone(), bias.map(|bias| &bias[map..]));
                widest(Outputs { patches: self, m, map, maps: some, bias, rows, down, out, step: batch.output, lines });
            }
        }
    }
}

/// Where groups of [`LANES`] neighbours begin that cover `count`: the last overlaps the one before it.
#[inline(always)]
fn starts(count: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(LANES).map(move |x| x.min(count - LANES))
}

type Lanes<T> = [T; LANES];

#[inline(always)]
fn plus<T: Real>(a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
    std::array::from_fn(|l| a[l] + b[l])
}

#[inline(always)]
fn minus<T: Real>(a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
    std::array::from_fn(|l| a[l] - b[l])
}

/// Bᵀ·d·B of every tile of some tile rows: `v[place][channel][tile]`.
struct Inputs<'a, T> {
    patches: &'a Patches,
    images: &'a [T],
    step: usize,
    rows: std::ops::Range<usize>,
    down: usize,
    v: &'a mut [T],
    lines: &'a mut [T],
}

impl<T: Real> Work for Inputs<'_, T> {
    type Result = ();
    #[inline(always)]
    fn run(self) {
        let Self { patches, images, step, rows, down, v, lines } = self;
        let ([height, width], [top, left]) = (patches.size, patches.padding);
        let across = patches.output[1].div_ceil(2);
        let (tiles, long) = (rows.len() * across, 2 * across + 2);
        let plane = patches.channels * tiles + SKEW;
        for (row, r) in rows.enumerate() {
            let image = &images[r / down * step..];
            for c in 0..patches.channels {
                let image = &image[c * height * width..][..height * width];
                for (i, line) in lines.chunks_exact_mut(long).take(4).enumerate() {
                    let y = (r % down * 2 + i).wrapping_sub(top);
                    if y >= height {
                        line.fill(T::ZERO);
                        continue;
                    }
                    let used = width.min(long - left);
                    line[..left].fill(T::ZERO);
                    copy_short(&image[y * width..][..used], &mut line[left..left + used]);
                    line[left + used..].fill(T::ZERO);
                }
                let at = c * tiles + row * across;
                for x in starts(across) {
                    // Along rows: four columns of each line, of as many tiles as there are lanes.
                    let along = |i: usize| {
                        let d = &lines[i * long + 2 * x..][..2 * LANES + 2];
                        let d = |k: usize| -> Lanes<T> { std::array::from_fn(|l| d[2 * l + k]) };
                        let [d0, d1, d2, d3] = [d(0), d(1), d(2), d(3)];
                        [minus(d0, d2), plus(d1, d2), minus(d2, d1), minus(d1, d3)]
                    };
                    let [d0, d1, d2, d3] = [along(0), along(1), along(2), along(3)];
                    for j in 0..4 {
                        let column =
                            [minus(d0[j], d2[j]), plus(d1[j], d2[j]), minus(d2[j], d1[j]), minus(d1[j], d3[j])];
                        for (i, value) in column.into_iter().enumerate() {
                            v[(4 * i + j) * plane + at + x..][..LANES].copy_from_slice(&value);
                        }
                    }
                }
            }
        }
    }
}

/// G·g·Gᵀ of some maps' kernels: `u[place][map][channel]`.
struct Weights<'a, T> {
    weight: Kernels<'a, T>,
    map: usize,
    maps: usize,
    channels: usize,
    u: &'a mut [T],
}

impl<T: Real> Work for Weights<'_, T> {
    type Result = ();
    #[inline(always)]
    fn run(self) {
        let Self { weight, map, maps, channels, u } = self;
        let half: Lanes<T> = [T::from_f64(0.5); LANES];
        let times = |a: Lanes<T>, b: Lanes<T>| -> Lanes<T> { std::array::from_fn(|l| a[l] * b[l]) };
        let spread = |g0: Lanes<T>, g1: Lanes<T>, g2: Lanes<T>| {
            let (outer, inner) = (times(plus(g0, g2), half), times(g1, half));
            [g0, plus(outer, inner), minus(outer, inner), g2]
        };
        let plane = maps * channels + SKEW;
        for m in 0..maps {
            let kernels = &weight.data[(map + m) * weight.map..];
            for c in starts(channels) {
                let kernel = |l: usize| kernels[(c + l) * weight.channel..].first_chunk::<9>();
                let [Some(k0), Some(k1), Some(k2), Some(k3)] = [kernel(0), kernel(1), kernel(2), kernel(3)] else {
                    return;
                };
                let tap = |t: usize| -> Lanes<T> {
                    if weight.turned {
                        [k0[8 - t], k1[8 - t], k2[8 - t], k3[8 - t]]
                    } else {
                        [k0[t], k1[t], k2[t], k3[t]]
                    }
                };
                let [g0, g1, g2] = [0, 1, 2].map(|x| spread(tap(x), tap(3 + x), tap(6 + x)));
                for i in 0..4 {
                    for (j, value) in spread(g0[i], g1[i], g2[i]).into_iter().enumerate() {
                        u[(4 * i + j) * plane + m * channels + c..][..LANES].copy_from_slice(&value);
                    }
                }
            }
        }
    }
}

/// Aᵀ·m·A of some maps' products `m[place][map][tile]`, to the images.
struct Outputs<'a, T> {
    patches: &'a Patches,
    m: &'a [T],
    map: usize,
    maps: usize,
    bias: Option<&'a [T]>,
    rows: std::ops::Range<usize>,
    down: usize,
    out: &'a mut [T],
    step: usize,
    lines: &'a mut [T],
}

impl<T: Real> Work for Outputs<'_, T> {
    type Result = ();
    #[inline(always)]
    fn run(self) {
        let Self { patches, m, map, maps, bias, rows, down, out, step, lines } = self;
        let [height, width] = patches.output;
        let across = width.div_ceil(2);
        let (tiles, long) = (rows.len() * across, 2 * across);
        let plane = maps * tiles + SKEW;
        for k in 0..maps {
            let bias: Lanes<T> = [bias.map_or(T::ZERO, |bias| bias[k]); LANES];
            for (row, r) in rows.clone().enumerate() {
                let at = k * tiles + row * across;
                for x in starts(across) {
                    let place = |p: usize| -> Lanes<T> {
                        let from = &m[p * plane + at + x..][..LANES];
                        std::array::from_fn(|l| from[l])
                    };
                    let down = |j: usize| {
                        let [m0, m1, m2, m3] = [place(j), place(4 + j), place(8 + j), place(12 + j)];
                        [plus(plus(m0, m1), m2), minus(minus(m1, m2), m3)]
                    };
                    let [c0, c1, c2, c3] = [down(0), down(1), down(2), down(3)];
                    for (i, line) in lines.chunks_exact_mut(long).take(2).enumerate() {
                        let left = plus(plus(plus(c0[i], c1[i]), c2[i]), bias);
                        let right = plus(minus(minus(c1[i], c2[i]), c3[i]), bias);
                        let line = line[2 * x..][..2 * LANES].as_chunks_mut::<2>().0;
                        for (l, pair) in line.iter_mut().enumerate() {
                            *pair = [left[l], right[l]];
                        }
                    }
                }
                let image = &mut out[r / down * step + (map + k) * height * width..][..height * width];
                for (y, line) in (r % down * 2..height).zip(lines.chunks_exact(long).take(2)) {
                    copy_short(&line[..width], &mut image[y * width..][..width]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers, so that results must be equal to the last bit.
    fn integers(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i + seed) * 7919 % 13) as f32 - 6.0).collect()
    }

    #[test]
    fn tiles_equal_the_definition() {
        let mut scratch = Scratch::new();
        // Odd sizes, every padding, more weights than are kept at a time, more tiles than are.
        for ([h, w], padding, channels, maps, images) in [
            ([7, 9], [1, 1], 16, 17, 3),
            ([12, 8], [0, 2], 18, 16, 3),
            ([8, 13], [2, 0], 21, 30, 2),
            ([14, 14], [1, 1], 520, 140, 1),
            ([80, 96], [1, 1], 40, 20, 2),
        ] {
            let output = [h + 2 * padding[0] - 2, w + 2 * padding[1] - 2];
            let (kernel, stride, dilation) = ([3, 3], [1, 1], [1, 1]);
            let patches = Patches { channels, size: [h, w], kernel, stride, padding, dilation, output };
            assert!(patches.suits_winograd(maps, images), "{patches:?}");
            let (input, n) = (patches.pixels(), patches.columns());
            let (gap, weight, bias) = (5, integers(maps * channels * 9, 1), integers(maps, 2));
            let x = integers(images * (input + gap), 3);
            let mut got = vec![0.5; images * (maps * n + gap)];
            let mut want = got.clone();
            let batch = Batch { images, input: input + gap, output: maps * n + gap };
            let straight = Kernels { data: &weight, map: channels * 9, channel: 9, turned: false };
            patches.winograd(maps, straight, Some(&bias), &x, &mut got, batch, &mut scratch);
            for (x, want) in x.chunks_exact(batch.input).zip(want.chunks_exact_mut(batch.output)) {
                patches.forward(maps, &weight, x, want, false, &mut scratch);
                for (want, bias) in want.chunks_exact_mut(n).zip(&bias) {
                    want.iter_mut().for_each(|v| *v += bias);
                }
            }
            assert!(got == want, "{patches:?} {maps} maps, {images} images");
            // The gradient of its input: the same with roles exchanged.
            let back =
                Patches { channels: maps, size: output, padding: padding.map(|p| 2 - p), output: [h, w], ..patches };
            let upstream = integers(maps * n, 4);
            let (mut got, mut want) = (vec![0.5; input], vec![0.5; input]);
            let turned = Kernels { data: &weight, map: 9, channel: channels * 9, turned: true };
            let one = Batch { images: 1, input: maps * n, output: input };
            back.winograd(channels, turned, None, &upstream, &mut got, one, &mut scratch);
            patches.backward_image(maps, &weight, &upstream, &mut want, false, &mut scratch);
            assert!(got == want, "backwards {patches:?} {maps} maps");
        }
    }
}
