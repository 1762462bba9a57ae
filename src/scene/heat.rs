//! Heat maps over a picture: values to pixels, and how far a map is concentrated. Pure: knows no canvas, no network, no engine.

use crate::colormap::{Anchors, Palette};
use crate::graph::receptive_field::{Rect, Span};
use crate::tensor::Shape;

/// A map over a picture: an element covers `cell` pixels of it (rows, columns), the first one begins at its corner.
#[derive(Clone, Copy, Debug)]
pub struct Heat<'a> {
    /// rows×columns; what is not a number is not known yet.
    pub values: &'a [f32],
    /// Columns of the map.
    pub cols: usize,
    /// Pixels that an element covers.
    pub cell: [f32; 2],
    /// Whether values between elements are interpolated; else each fills its cell.
    pub smooth: bool,
}

impl Heat<'_> {
    fn get(&self, row: isize, col: isize) -> f32 {
        let rows = self.values.len() / self.cols.max(1);
        let (row, col) = (row.clamp(0, rows as isize - 1), col.clamp(0, self.cols as isize - 1));
        self.values.get(row as usize * self.cols + col as usize).copied().unwrap_or(f32::NAN)
    }

    /// The value at a pixel.
    pub fn at(&self, y: usize, x: usize) -> f32 {
        let (v, u) = ((y as f32 + 0.5) / self.cell[0], (x as f32 + 0.5) / self.cell[1]);
        if !self.smooth {
            return self.get(v as isize, u as isize);
        }
        let (v, u) = (v - 0.5, u - 0.5);
        let (row, col, down, right) = (v.floor(), u.floor(), v - v.floor(), u - u.floor());
        let line = |row: f32| {
            let (left, next) = (self.get(row as isize, col as isize), self.get(row as isize, col as isize + 1));
            left + (next - left) * right
        };
        let (above, below) = (line(row), line(row + 1.0));
        above + (below - above) * down
    }

    /// Largest magnitude among what is known; 0 where nothing is.
    pub fn largest(&self) -> f32 {
        self.values.iter().filter(|v| v.is_finite()).fold(0.0, |top, v| top.max(v.abs()))
    }
}

/// Colours of a heat: from nothing to −1 and to 1.
const AMBER: [&Anchors; 2] = [
    &[[40, 90, 160], [120, 160, 210], [255, 255, 255], [240, 170, 80], [168, 84, 0]],
    &[[140, 190, 255], [70, 120, 190], [14, 17, 22], [190, 110, 30], [255, 190, 90]],
];

/// Which colours a heat has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tint {
    /// The receptive field's amber.
    Field,
    /// The page's blue for what speaks for, orange for what speaks against.
    Signed,
}

/// The picture as faint grey, and the heat over it: the stronger, the more of its colour. `grey`: rows×columns, 0 black … 1 white; the
/// result RGBA.
pub fn paint(grey: &[f32], shape: Shape, heat: Option<Heat<'_>>, tint: Tint, palette: Palette) -> Vec<u8> {
    let dark = palette == Palette::Dark;
    let anchors = match tint {
        Tint::Field => AMBER[usize::from(dark)],
        Tint::Signed => palette.anchors(),
    };
    let top = heat.map_or(0.0, |h| h.largest()).max(f32::MIN_POSITIVE);
    let mut out = Vec::with_capacity(shape.map() * 4);
    for (i, &grey) in grey.iter().take(shape.map()).enumerate() {
        // Without a heat the picture is seen as it is; under one it is held back.
        let value = heat.map(|h| h.at(i / shape.w, i % shape.w) / top);
        let base = match (value, dark) {
            (None, _) => grey,
            (Some(_), false) => 0.55 + 0.45 * grey,
            (Some(_), true) => 0.08 + 0.42 * grey,
        } * 255.0;
        let t = value.filter(|t| t.is_finite()).unwrap_or(0.0).clamp(-1.0, 1.0);
        // The square root shows weak parts; opacity and hue grow together.
        let opacity = t.abs().sqrt() * 0.92;
        let place = t.signum() * (0.35 + 0.65 * t.abs()) * 2.0 + 2.0;
        let (low, part) = ((place as usize).min(3), place - place.floor().min(3.0));
        for (from, to) in anchors[low].iter().zip(&anchors[low + 1]) {
            let (from, to) = (f32::from(*from), f32::from(*to));
            let colour = from + (to - from) * part;
            out.push((base + (colour - base) * opacity).round() as u8);
        }
        // What is not known yet is left faint.
        out.push(if value.is_some_and(f32::is_nan) { 110 } else { 255 });
    }
    out
}

/// How far a map lies in the middle of a receptive field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Concentration {
    /// The field shrunk alike from all four sides, as far as it still holds the share.
    pub rect: Rect,
    /// Fewest pixels that hold the share, wherever they lie.
    pub pixels: usize,
    /// Pixels of the field that lie on the picture.
    pub of: usize,
}

impl Concentration {
    /// The shrunk field's part of this one's area.
    pub fn area(&self, field: Rect) -> f64 {
        let area = |r: Rect| (r.y.len() * r.x.len()) as f64;
        area(self.rect) / area(field)
    }
}

/// Where `share` (0 … 1) of a map lies: `map` rows×columns of a picture, none negative. `None`: there is nothing in it.
pub fn concentration(map: &[f32], shape: Shape, field: Rect, share: f64) -> Option<Concentration> {
    let total: f64 = map.iter().map(|&v| f64::from(v)).sum();
    let inside = field.clamp(shape);
    if !total.is_finite() || total <= 0.0 || inside.is_empty() || map.len() < shape.map() {
        return None;
    }
    let sum = |rect: Rect| -> f64 {
        let rect = rect.clamp(shape);
        if rect.is_empty() {
            return 0.0;
        }
        let rows = rect.y.first as usize..=rect.y.last as usize;
        let row = |y: usize| &map[y * shape.w + rect.x.first as usize..=y * shape.w + rect.x.last as usize];
        rows.map(|y| row(y).iter().map(|&v| f64::from(v)).sum::<f64>()).sum()
    };
    let shrunk = |by: isize| {
        let shrink = |s: Span| {
            let by = by.min((s.len() as isize - 1) / 2);
            Span { first: s.first + by, last: s.last - by }
        };
        Rect { y: shrink(field.y), x: shrink(field.x) }
    };
    // Sums only fall as it shrinks: the last size that holds enough is found by halving.
    let (mut enough, mut too_far) = (0, field.y.len().max(field.x.len()) as isize / 2 + 1);
    while too_far - enough > 1 {
        let middle = (enough + too_far) / 2;
        if sum(shrunk(middle)) >= share * total {
            enough = middle;
        } else {
            too_far = middle;
        }
    }
    let mut sorted: Vec<f32> = map.iter().copied().filter(|v| *v > 0.0).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut so_far = 0.0;
    let pixels = sorted.iter().take_while(|&&v| {
        let needed = so_far < share * total;
        so_far += f64::from(v);
        needed
    });
    Some(Concentration { rect: shrunk(enough), pixels: pixels.count(), of: inside.y.len() * inside.x.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(y: [isize; 2], x: [isize; 2]) -> Rect {
        Rect { y: Span { first: y[0], last: y[1] }, x: Span { first: x[0], last: x[1] } }
    }

    #[test]
    fn a_share_is_held_by_the_middle_of_the_field() {
        // A 7×7 field that overhangs at the left by 2: 1 in its middle, 0.1 around, 0 else.
        let shape = Shape::new(1, 9, 8);
        let field = rect([1, 7], [-2, 4]);
        let mut map = vec![0.0; 72];
        for y in 3..=5 {
            for x in 0..=2 {
                map[y * 8 + x] = 0.1;
            }
        }
        map[4 * 8 + 1] = 1.0;
        let half = concentration(&map, shape, field, 0.5).unwrap();
        assert_eq!((half.rect, half.pixels, half.of), (rect([4, 4], [1, 1]), 1, 35));
        let most = concentration(&map, shape, field, 0.95).unwrap();
        assert_eq!((most.rect, most.pixels), (rect([3, 5], [0, 2]), 9));
        assert!((most.area(field) - 9.0 / 49.0).abs() < 1e-12);
        map[8] = 5.0; // a pixel of the field's edge holds most
        assert_eq!(concentration(&map, shape, field, 0.95).unwrap().rect, field);
        assert_eq!(concentration(&[0.0; 72], shape, field, 0.95), None);
        assert_eq!(concentration(&[f32::NAN; 72], shape, field, 0.95), None);
    }

    #[test]
    fn elements_lie_over_the_pixels_they_cover() {
        let values = [0.0, 1.0, 2.0, 3.0];
        let heat = |smooth| Heat { values: &values, cols: 2, cell: [2.0, 3.0], smooth };
        let row = |y, smooth| (0..6).map(|x| heat(smooth).at(y, x)).collect::<Vec<_>>();
        assert_eq!(row(1, false), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(row(2, false), [2.0, 2.0, 2.0, 3.0, 3.0, 3.0]);
        let smooth = row(0, true); // above the middle of the first row of elements
        assert_eq!([smooth[0], smooth[1], smooth[4], smooth[5]], [0.0, 0.0, 1.0, 1.0]);
        assert!((smooth[2] - 1.0 / 3.0).abs() < 1e-6 && (smooth[3] - 2.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn where_nothing_is_the_picture_is_grey_and_where_most_is_it_has_the_colour() {
        let values = [0.0, 4.0, -4.0, f32::NAN];
        let heat = Heat { values: &values, cols: 2, cell: [1.0, 1.0], smooth: false };
        let shape = Shape::new(1, 2, 2);
        let out = paint(&[1.0; 4], shape, Some(heat), Tint::Signed, Palette::Light);
        assert_eq!(out[..4], [255, 255, 255, 255]);
        assert!(out[6] > out[4] + 80, "blue: {:?}", &out[4..8]);
        assert!(out[8] > out[10] + 80, "orange: {:?}", &out[8..12]);
        assert_eq!(out[15], 110, "not known yet");
        let bare = paint(&[0.0, 0.5, 1.0, 1.0], shape, None, Tint::Field, Palette::Dark);
        assert_eq!([bare[0], bare[4], bare[8]], [0, 128, 255]);
    }
}
