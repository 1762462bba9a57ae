//! From a drawing to a digit as MNIST's own: strokes → picture of the pad → 28×28. Pure: knows neither page nor network.
//!
//! Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998, §III-A:
//! “the images were size normalized to fit in a 20x20 pixel box while preserving their aspect ratio. The resulting images contain
//! grey levels as result of the anti-aliasing (…). (They) were centered in a 28x28 image by computing the center of mass of the
//! pixels, and translating the image so as to position this point at the center”.

/// Rows and columns of a digit.
pub const SIDE: usize = 28;

/// The longer side of a digit's ink: the box of the paper.
const BOX: usize = 20;

/// A digit as MNIST has them: 28×28 bytes, row-major, 0 = paper … 255 = ink.
pub type Digit = [u8; SIDE * SIDE];

/// A picture in floats: `side`s in pixels, row-major, 0 = paper … 255 = ink.
struct Picture {
    pixels: Vec<f32>,
    height: usize,
    width: usize,
}

/// Prepares a drawing as the digits of MNIST were prepared. `pad` holds `height × width` bytes of ink (0 = paper … 255).
/// `None` for a drawing without ink. The size does not matter, nor does where on the pad, or how large, the digit is.
///
/// The ink's bounding box is scaled, keeping its shape, until its longer side is 20 pixels; each pixel is the mean of the area
/// that it covers (box filter: the grey levels of the paper). Then the picture is moved by *whole* pixels until the centre of mass
/// is in pixel (14, 14), its row and column in [13.5, 14.5) when a pixel's middle is its index. Whole pixels, because the originals were
/// made so: that interval holds for all but two of the 60,000 training images, evenly filled, and their ink's longer side is 20 pixels (19 in
/// thirteen), which moving by fractions would have blurred to 21. So a digit of MNIST comes back unchanged, however it was enlarged or moved.
/// Ink is never moved out of the picture.
///
/// `centre` off shows why this matters: the whole pad is scaled plainly into 28×28, the digit staying where and as large as it was drawn.
pub fn prepare(pad: &[u8], height: usize, width: usize, centre: bool) -> Option<Digit> {
    let pad = pad.get(..height * width)?;
    let (rows, columns) = bounding_box(pad, width)?;
    let (rows, columns, side) = if centre { (rows, columns, BOX) } else { (0..height, 0..width, SIDE) };

    let ink = Picture {
        height: rows.len(),
        width: columns.len(),
        pixels: pad
            .chunks_exact(width)
            .skip(rows.start)
            .take(rows.len())
            .flat_map(|row| row.iter().skip(columns.start).take(columns.len()).map(|&v| f32::from(v)))
            .collect(),
    };
    let ink = fit(&ink, side);

    let (top, left) = if centre {
        let (y, x) = centre_of_mass(&ink);
        // The least move that brings `mass` to 13.5 or beyond.
        let place = |mass: f32, side: usize| {
            let least = (SIDE / 2) as f32 - 0.5 - mass;
            least.ceil().clamp(0.0, (SIDE - side) as f32) as usize
        };
        (place(y, ink.height), place(x, ink.width))
    } else {
        ((SIDE - ink.height) / 2, (SIDE - ink.width) / 2)
    };

    let mut digit = [0; SIDE * SIDE];
    for (to, from) in digit.chunks_exact_mut(SIDE).skip(top).zip(ink.pixels.chunks_exact(ink.width)) {
        for (to, &from) in to.iter_mut().skip(left).zip(from) {
            *to = from.round() as u8;
        }
    }
    Some(digit)
}

/// Rows and columns that hold ink.
fn bounding_box(pad: &[u8], width: usize) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let inked = |row: &[u8]| row.iter().any(|&v| v > 0);
    let rows = || pad.chunks_exact(width.max(1));
    let (top, bottom) = (rows().position(inked)?, rows().rposition(inked)?);
    let left = rows().filter_map(|row| row.iter().position(|&v| v > 0)).min()?;
    let right = rows().filter_map(|row| row.iter().rposition(|&v| v > 0)).max()?;
    Some((top..bottom + 1, left..right + 1))
}

/// Scales a picture, keeping its shape, until its longer side is `side`. The shorter side is rounded up to whole pixels, its
/// ink in the middle of them.
fn fit(picture: &Picture, side: usize) -> Picture {
    let longer = picture.height.max(picture.width);
    let height = (picture.height * side).div_ceil(longer).max(1);
    let width = (picture.width * side).div_ceil(longer).max(1);
    // Source pixels per result pixel, the same both ways.
    let step = longer as f32 / side as f32;
    let squeezed = resample_rows(picture, width, step);
    resample_rows(&squeezed.transposed(), height, step).transposed()
}

/// Each row of the result has `width` pixels, each the mean of `step` source pixels; what it covers outside of the source is paper.
fn resample_rows(picture: &Picture, width: usize, step: f32) -> Picture {
    let margin = (width as f32 * step - picture.width as f32) / 2.0;
    let mut pixels = Vec::with_capacity(picture.height * width);
    for row in picture.pixels.chunks_exact(picture.width) {
        pixels.extend((0..width).map(|x| {
            let from = (x as f32 * step - margin).max(0.0);
            let to = ((x + 1) as f32 * step - margin).min(picture.width as f32);
            let first = from as usize;
            let covered = row.iter().enumerate().skip(first).take_while(|&(i, _)| (i as f32) < to);
            covered.map(|(i, v)| v * (to.min((i + 1) as f32) - from.max(i as f32))).sum::<f32>() / step
        }));
    }
    Picture { pixels, height: picture.height, width }
}

impl Picture {
    fn transposed(&self) -> Self {
        let pixels = (0..self.width).flat_map(|x| self.pixels.iter().skip(x).step_by(self.width).copied()).collect();
        Self { pixels, height: self.width, width: self.height }
    }
}

/// Row and column of the centre of mass, in indices of pixels (a pixel's middle is its index).
fn centre_of_mass(picture: &Picture) -> (f32, f32) {
    let (mut mass, mut y, mut x) = (0.0, 0.0, 0.0);
    for (i, &v) in picture.pixels.iter().enumerate() {
        mass += v;
        y += v * (i / picture.width) as f32;
        x += v * (i % picture.width) as f32;
    }
    (y / mass, x / mass)
}

/// Draws strokes with a round, anti-aliased pen: `size × size` bytes of ink, 0 = paper … 255.
///
/// Points are (x, y) in pixels, the pad's corner at (0, 0) and the middle of its first pixel at (0.5, 0.5). `pen_width` is the diameter in
/// pixels. A stroke of one point is a dot, strokes that cross do not darken, points that are not finite are left out.
pub fn render(strokes: &[Vec<(f32, f32)>], pen_width: f32, size: usize) -> Vec<u8> {
    let mut pad = vec![0; size * size];
    let radius = pen_width / 2.0;
    for stroke in strokes {
        let mut points = stroke.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        let Some(&start) = points.next() else {
            continue;
        };
        let mut from = start;
        // From the first point to itself: the dot.
        for to in std::iter::once(start).chain(points.copied()) {
            draw_segment(&mut pad, size, from, to, radius);
            from = to;
        }
    }
    pad
}

/// Inks the pixels within `radius` of the segment. A pixel's coverage goes from 1 to 0 over one pixel's width at the edge.
fn draw_segment(pad: &mut [u8], size: usize, (x0, y0): (f32, f32), (x1, y1): (f32, f32), radius: f32) {
    let reach = radius + 1.0;
    let span = |a: f32, b: f32| {
        // Casts saturate: what lies outside of the pad is cut off.
        let (first, last) = ((a.min(b) - reach).floor() as usize, (a.max(b) + reach).ceil().max(0.0) as usize);
        first.min(size)..last.min(size)
    };
    let (dx, dy) = (x1 - x0, y1 - y0);
    let length_squared = dx * dx + dy * dy;
    for row in span(y0, y1) {
        for column in span(x0, x1) {
            let (px, py) = (column as f32 + 0.5 - x0, row as f32 + 0.5 - y0);
            let along = if length_squared > 0.0 { ((px * dx + py * dy) / length_squared).clamp(0.0, 1.0) } else { 0.0 };
            let (px, py) = (px - along * dx, py - along * dy);
            let distance = (px * px + py * py).sqrt();
            let coverage = (radius + 0.5 - distance).clamp(0.0, 1.0);
            let pixel = &mut pad[row * size + column];
            *pixel = (*pixel).max((coverage * 255.0).round() as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of `rows` characters, '.' = paper, '#' = ink, each as a square of `zoom` pixels, at (top, left) of a pad.
    fn pad(rows: &[&str], zoom: usize, (top, left): (usize, usize), (height, width): (usize, usize)) -> Vec<u8> {
        let mut pad = vec![0; height * width];
        for (r, row) in rows.iter().enumerate() {
            for (c, ink) in row.bytes().enumerate() {
                for y in 0..zoom {
                    let start = (top + r * zoom + y) * width + left + c * zoom;
                    pad[start..start + zoom].fill(if ink == b'#' { 255 } else { 0 });
                }
            }
        }
        pad
    }

    fn rows_with_ink(digit: &Digit) -> Vec<usize> {
        digit.chunks(SIDE).enumerate().filter(|(_, r)| r.iter().any(|&v| v > 0)).map(|(i, _)| i).collect()
    }

    fn columns_with_ink(digit: &Digit) -> Vec<usize> {
        (0..SIDE).filter(|&x| digit.chunks(SIDE).any(|r| r[x] > 0)).collect()
    }

    const SEVEN: [&str; 5] = ["####", "...#", "..#.", "..#.", ".#.."];

    #[test]
    fn place_and_size_of_the_drawing_do_not_matter() {
        let expected = prepare(&pad(&SEVEN, 4, (0, 0), (20, 16)), 20, 16, true).unwrap();
        for (zoom, corner, size) in
            [(1, (3, 90), (70, 100)), (4, (100, 0), (130, 33)), (12, (5, 2), (80, 90)), (60, (0, 0), (300, 250))]
        {
            assert_eq!(prepare(&pad(&SEVEN, zoom, corner, size), size.0, size.1, true), Some(expected), "zoom {zoom}");
        }
        // Four by five characters: 16 columns and 20 rows.
        assert_eq!((rows_with_ink(&expected).len(), columns_with_ink(&expected).len()), (20, 16));
        let mass: f32 = expected.iter().map(|&v| f32::from(v)).sum();
        let y = expected.iter().enumerate().map(|(i, &v)| (i / SIDE) as f32 * f32::from(v)).sum::<f32>() / mass;
        let x = expected.iter().enumerate().map(|(i, &v)| (i % SIDE) as f32 * f32::from(v)).sum::<f32>() / mass;
        assert!((y - 14.0).abs() <= 0.5 && (x - 14.0).abs() <= 0.5, "{y} {x}");
    }

    #[test]
    fn shape_is_kept_and_area_averaged() {
        // 25 wide and 100 high: 5 columns of the 20 rows. A width of 23 covers 4.6 columns: the outer two are covered by 0.8.
        let bar = |width: usize| {
            let mut pad = vec![0; 120 * 110];
            for row in pad.chunks_mut(110).skip(7).take(100) {
                row[40..40 + width].fill(250);
            }
            prepare(&pad, 120, 110, true).unwrap()
        };
        let row = |digit: Digit| digit[14 * SIDE..15 * SIDE].iter().copied().filter(|&v| v > 0).collect::<Vec<_>>();
        assert_eq!(row(bar(25)), [250; 5]);
        assert_eq!(row(bar(23)), [200, 250, 250, 250, 200]);
        assert_eq!(columns_with_ink(&bar(25)), [12, 13, 14, 15, 16]);
        assert_eq!(rows_with_ink(&bar(25)), (4..24).collect::<Vec<_>>());
    }

    #[test]
    fn heavy_ink_at_an_edge_never_leaves_the_picture() {
        // A faint long tail and a black blob at its end: the centre of mass is in the blob, the tail must still be whole.
        let mut pad = vec![0; 100 * 100];
        for row in pad.chunks_mut(100) {
            row[50] = 20;
        }
        pad[99 * 100 + 45..].fill(255);
        let digit = prepare(&pad, 100, 100, true).unwrap();
        assert_eq!(rows_with_ink(&digit), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn without_centring_the_digit_stays_where_it_was_drawn() {
        let pad = pad(&["##", "##"], 10, (0, 40), (280, 280));
        let digit = prepare(&pad, 280, 280, false).unwrap();
        assert_eq!((rows_with_ink(&digit), columns_with_ink(&digit)), (vec![0, 1], vec![4, 5]));
        assert_eq!(digit[4], 255);
        // A pad that is not square keeps its shape, in the middle.
        let wide = [vec![0; 14 * 56], vec![255; 14 * 56]].concat();
        let digit = prepare(&wide, 28, 56, false).unwrap();
        assert_eq!((rows_with_ink(&digit), columns_with_ink(&digit).len()), ((14..21).collect(), 28));
    }

    #[test]
    fn nothing_drawn_is_no_digit() {
        assert_eq!(prepare(&[0; 30 * 20], 30, 20, true), None);
        assert_eq!(prepare(&[0; 30 * 20], 30, 20, false), None);
        assert_eq!(prepare(&[], 0, 0, true), None);
        assert_eq!(prepare(&[255; 10], 4, 5, true), None); // fewer bytes than the size says
        assert!(prepare(&[1], 1, 1, true).is_some());
    }

    #[test]
    fn the_pen_is_round_and_antialiased() {
        let ink = |pad: &[u8]| pad.iter().map(|&v| f32::from(v) / 255.0).sum::<f32>();
        let dot = render(&[vec![(20.0, 15.0)]], 12.0, 40);
        let disc = std::f32::consts::PI * 36.0;
        assert!((ink(&dot) - disc).abs() < 0.02 * disc, "{} {disc}", ink(&dot));
        assert_eq!((dot[15 * 40 + 20], dot[14 * 40 + 19], dot[15 * 40 + 27], dot[22 * 40 + 20]), (255, 255, 0, 0));
        // Round: the same left and right, up and down.
        assert_eq!((dot[15 * 40 + 25], dot[15 * 40 + 14]), (dot[20 * 40 + 20], dot[9 * 40 + 20]));
        assert!(dot.iter().any(|&v| v > 0 && v < 255));
        // A slanting line is a capsule: length × width and a disc.
        let line = render(&[vec![(8.0, 9.0), (30.0, 30.0)]], 6.0, 40);
        let capsule = 22f32.hypot(21.0) * 6.0 + std::f32::consts::PI * 9.0;
        assert!((ink(&line) - capsule).abs() < 0.02 * capsule, "{} {capsule}", ink(&line));
        // The same line in pieces, twice over, is the same line.
        let pieces = [vec![(8.0, 9.0), (19.0, 19.5), (30.0, 30.0)], vec![(30.0, 30.0), (8.0, 9.0)]];
        assert!(line.iter().zip(render(&pieces, 6.0, 40)).all(|(&a, b)| a.abs_diff(b) <= 1));
    }

    #[test]
    fn strokes_may_leave_the_pad_and_be_odd() {
        let strokes = [
            vec![],
            vec![(f32::NAN, 3.0)],
            vec![(-1e9, 5.0), (1e9, 5.0)],
            vec![(f32::INFINITY, 1.0), (3.0, f32::NEG_INFINITY)],
        ];
        let pad = render(&strokes, 3.0, 10);
        assert_eq!(pad[5 * 10..6 * 10].iter().filter(|&&v| v > 0).count(), 10);
        assert_eq!(render(&[], 5.0, 4), [0; 16]);
    }
}
