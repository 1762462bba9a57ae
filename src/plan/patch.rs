//! Which elements of a plan's memory are painted where: pure, shared by both engines' painters. Knows no colour, no canvas.

use crate::ops::Buf;
use std::ops::Range;

/// A rectangle of a canvas and the elements that fill it, row by row.
#[derive(Clone, PartialEq, Debug)]
pub struct Patch {
    /// Which buffer.
    pub buf: Buf,
    /// First element.
    pub offset: usize,
    /// Rows of the picture.
    pub rows: usize,
    /// Columns of the picture.
    pub cols: usize,
    /// Left, top, width, height in device pixels.
    pub at: [f32; 4],
    /// The elements of the same buffer whose largest magnitude has the palette's last colour: a map's own, or its whole layer's.
    pub scale: Range<usize>,
}

impl Patch {
    /// The element under the middle of a device pixel; `None` outside. Nearest neighbour.
    pub fn element(&self, x: u32, y: u32) -> Option<usize> {
        let [left, top, width, height] = self.at;
        let (u, v) = ((x as f32 + 0.5 - left) / width, (y as f32 + 0.5 - top) / height);
        let inside = (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v);
        let cell = |u: f32, cells: usize| ((u * cells as f32) as usize).min(cells - 1);
        inside.then(|| self.offset + cell(v, self.rows) * self.cols + cell(u, self.cols))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_find_their_element() {
        let patch =
            Patch { buf: Buf::Local(0), offset: 100, rows: 2, cols: 3, at: [10.0, 20.0, 6.0, 4.0], scale: 0..1 };
        assert_eq!(patch.element(10, 20), Some(100));
        assert_eq!(patch.element(15, 20), Some(102));
        assert_eq!(patch.element(12, 23), Some(104));
        assert_eq!((patch.element(9, 20), patch.element(16, 20), patch.element(12, 24)), (None, None, None));
    }
}
