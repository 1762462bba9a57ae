//! Feature maps as pixels, each at its own resolution, packed into one picture. Pure; knows no canvas: enlarging is the canvas' affair.

use crate::colormap::Palette;

/// One map to be painted.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    /// rows×cols values, row-major; where fewer are there, the rest is blank.
    pub values: &'a [f32],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// The magnitude that has the palette's last colour ([`largest`] of the map, or of its layer).
    pub scale: f32,
}

/// Maps side by side in one RGBA picture.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Atlas {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// width×height RGBA.
    pub pixels: Vec<u8>,
    /// Left, top, width, height of each map.
    pub maps: Vec<[u32; 4]>,
}

/// The largest magnitude; what is no number does not count.
pub fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, v| if v.abs() > largest && v.is_finite() { v.abs() } else { largest })
}

/// Columns that an atlas has at most, if no map is wider.
const WIDTH: usize = 1024;

/// Places for maps of these rows and columns, shelf by shelf; no pixels yet. At most `width` columns, if no map is wider.
pub fn places(sizes: impl Iterator<Item = [usize; 2]> + Clone, width: usize) -> Atlas {
    let mut atlas = Atlas { width: sizes.clone().map(|[_, cols]| cols).fold(width, usize::max), ..Atlas::default() };
    let (mut x, mut shelf) = (0, 0);
    for [rows, cols] in sizes {
        if x + cols > atlas.width {
            (x, atlas.height, shelf) = (0, atlas.height + shelf, 0);
        }
        atlas.maps.push([x, atlas.height, cols, rows].map(|v| v as u32));
        (x, shelf) = (x + cols, shelf.max(rows));
    }
    atlas.height += shelf;
    atlas
}

/// Paints the maps into one atlas.
pub fn atlas(maps: &[Map<'_>], palette: Palette) -> Atlas {
    let mut atlas = places(maps.iter().map(|m| [m.rows, m.cols]), WIDTH);
    atlas.pixels = vec![0; atlas.width * atlas.height * 4];
    // Interpolating each pixel would take longer than computing it: colours are looked up, 512 steps from −1 to 1.
    let table: Vec<[u8; 4]> = (0..=512)
        .map(|i| {
            let [r, g, b] = palette.colour(i as f32 / 256.0 - 1.0);
            [r, g, b, 255]
        })
        .collect();
    for (map, &[left, top, ..]) in maps.iter().zip(&atlas.maps) {
        if map.cols == 0 {
            continue;
        }
        let factor = if map.scale > 0.0 { 256.0 / map.scale } else { 0.0 };
        let rows = map.values.chunks(map.cols).take(map.rows).enumerate();
        for (row, values) in rows {
            let from = ((top as usize + row) * atlas.width + left as usize) * 4;
            for (pixel, v) in atlas.pixels[from..].chunks_exact_mut(4).zip(values) {
                // As the palette has it: beyond the scale the last colour, NaN like zero (`as` makes 0 of it).
                let step = (v * factor).clamp(-256.0, 256.0).round() as i32 + 256;
                pixel.copy_from_slice(&table[step as usize]);
            }
        }
    }
    atlas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lie_apart_and_have_their_colours() {
        let (a, b) = ([-2.0, 0.0, 2.0, f32::NAN, 1.0, -9.0], [0.5, -0.5]);
        let wide = vec![0.0; 1023 * 2];
        let maps = [
            Map { values: &a, rows: 2, cols: 3, scale: 2.0 },
            Map { values: &b, rows: 2, cols: 1, scale: largest(&b) },
            Map { values: &wide, rows: 2, cols: 1023, scale: 0.0 },
        ];
        let atlas = atlas(&maps, Palette::Light);
        assert_eq!(atlas.maps, [[0, 0, 3, 2], [3, 0, 1, 2], [0, 2, 1023, 2]]);
        let pixel = |x: usize, y: usize| &atlas.pixels[(y * atlas.width + x) * 4..][..4];
        let colour = |t| {
            let [r, g, b] = Palette::Light.colour(t);
            [r, g, b, 255]
        };
        assert_eq!(pixel(0, 0), colour(-1.0));
        assert_eq!(pixel(1, 0), colour(0.0));
        assert_eq!(pixel(2, 0), colour(1.0));
        assert_eq!(pixel(0, 1), colour(0.0), "NaN");
        assert_eq!(pixel(1, 1), colour(0.5));
        assert_eq!(pixel(2, 1), colour(-1.0), "beyond the scale");
        assert_eq!(pixel(3, 1), colour(-1.0));
        assert_eq!(pixel(700, 3), colour(0.0), "a map of zeros");
        assert_eq!(pixel(1023, 3), [0; 4], "nothing there");
        assert_eq!((atlas.width, atlas.height), (1024, 4));
    }

    #[test]
    fn the_largest_is_a_number() {
        assert_eq!(largest(&[0.5, -3.0, f32::NAN, f32::NEG_INFINITY]), 3.0);
        assert_eq!(largest(&[]), 0.0);
    }
}
