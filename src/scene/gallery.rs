//! All maps of a layer, a page of them: where each stands, and the chosen one large beside them. Pure; knows shapes, no values.

use super::Frame;
use super::stage::bitmap;
use crate::tensor::{Shape, Unit};

/// One map.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tile {
    /// Which.
    pub map: usize,
    /// Where its pixels are; its label, if any, is below.
    pub frame: Frame,
}

/// A page of maps.
#[derive(Clone, PartialEq, Debug)]
pub struct Gallery {
    /// The maps of this page, in their order.
    pub tiles: Vec<Tile>,
    /// The chosen map, large.
    pub large: Option<Tile>,
    /// Width and height.
    pub size: [f32; 2],
    /// Tiles in a row.
    pub columns: usize,
    /// Maps a page.
    pub each: usize,
    /// Whether tiles have room for a label.
    pub labels: bool,
}

/// Height of a label.
pub const LABEL: f32 = 16.0;
const GAP: f32 = 8.0;
/// Height that a page takes at most, unless one row is higher.
const HIGH: f32 = 420.0;
/// Sides of a map, about, from the largest on.
const SIDES: [f32; 4] = [132.0, 112.0, 96.0, 76.0];
/// Side of the chosen map, about.
const LARGE: f32 = 280.0;
/// Side of a unit of a vector.
const CELL: f32 = 16.0;
/// Tiles a page at most: each can be chosen, and a thousand buttons take longer to make than a page may stand still.
const MOST: usize = 512;

/// Size of a map whose longer side has about so many px: whole px a unit where there is room for that.
fn enlarged(shape: Shape, side: f32) -> [f32; 2] {
    let each = side / shape.h.max(shape.w).max(1) as f32;
    let each = if each >= 1.0 { each.floor() } else { each };
    [shape.w as f32 * each, shape.h as f32 * each]
}

/// Page `page` of a layer's maps in this order, in this width.
pub fn gallery(shape: Shape, order: &[usize], page: usize, chosen: Option<usize>, width: f32) -> Gallery {
    let vector = shape.map() == 1;
    let chosen = chosen.filter(|map| *map < shape.c && !vector);
    let big = enlarged(shape, LARGE.min(width));
    // Beside the tiles where they keep most of the room, else above them.
    let beside = chosen.is_some() && width >= 2.5 * big[0];
    let (left, top) = match (chosen, beside) {
        (None, _) => (0.0, 0.0),
        (_, true) => (big[0] + 28.0, 0.0),
        (_, false) => (0.0, big[1] + LABEL + 14.0),
    };
    let (gap, label) = if vector { (1.0, 0.0) } else { (GAP, LABEL) };
    // As large as all of them still fit on the page, down to what can be looked at.
    let sizes = if vector { vec![[CELL; 2]] } else { SIDES.map(|side| enlarged(shape, side)).to_vec() };
    let fitting = |[w, h]: [f32; 2]| {
        let columns = (((width - left + gap) / (w + gap)) as usize).clamp(1, order.len().max(1));
        let rows = (((HIGH + gap) / (h + label + gap)) as usize).min(MOST / columns);
        (columns, rows.max(1))
    };
    let holds = |size: &&[f32; 2]| {
        let (columns, rows) = fitting(**size);
        columns * rows >= order.len()
    };
    let [w, h] = sizes.iter().find(holds).or(sizes.last()).copied().unwrap_or([CELL; 2]);
    let (columns, rows) = fitting([w, h]);
    let each = columns * rows;
    let from = (page * each).min(order.len());
    let tiles: Vec<Tile> = order[from..(from + each).min(order.len())]
        .iter()
        .enumerate()
        .map(|(i, &map)| {
            let (row, column) = ((i / columns) as f32, (i % columns) as f32);
            Tile { map, frame: Frame::new(left + column * (w + gap), top + row * (h + label + gap), w, h) }
        })
        .collect();
    let large = chosen.map(|map| Tile { map, frame: Frame::new(0.0, 0.0, big[0], big[1]) });
    let bottom = tiles.iter().map(|t| t.frame.bottom() + label).fold(0.0, f32::max);
    let bottom = large.map_or(bottom, |l| bottom.max(l.frame.bottom() + LABEL));
    Gallery { tiles, large, size: [width.max(1.0), bottom.max(1.0)], columns, each, labels: !vector }
}

/// A map (or a vector, as rows of units) in a frame: how units lie in it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Plate {
    /// c×h×w of the layer.
    pub shape: Shape,
    /// Which map; of a vector nothing.
    pub map: usize,
    /// Where it is.
    pub frame: Frame,
    /// Rows and columns of units.
    pub grid: [usize; 2],
}

impl Plate {
    /// At this corner, its longer side about `side` px.
    pub fn new(shape: Shape, map: usize, at: [f32; 2], side: f32) -> Self {
        let grid = if shape.map() == 1 {
            let (rows, cols, rest) = bitmap(shape.c);
            [rows + usize::from(rest > 0), cols]
        } else {
            [shape.h, shape.w]
        };
        let [w, h] = enlarged(Shape::new(1, grid[0], grid[1]), side);
        Self { shape, map, frame: Frame::new(at[0], at[1], w, h), grid }
    }

    /// Px a unit.
    pub fn side(&self) -> f32 {
        self.frame.w / self.grid[1].max(1) as f32
    }

    /// Where these rows and columns of units are; they may lie beyond the edge.
    pub fn part(&self, at: [isize; 2], size: [usize; 2]) -> Frame {
        let (each, [y, x]) = (self.side(), at.map(|v| v as f32));
        Frame::new(self.frame.x + x * each, self.frame.y + y * each, size[1] as f32 * each, size[0] as f32 * each)
    }

    /// Row and column of a unit.
    pub fn cell(&self, unit: Unit) -> [usize; 2] {
        if self.shape.map() == 1 { [unit.c / self.grid[1], unit.c % self.grid[1]] } else { [unit.y, unit.x] }
    }

    /// The unit at this point.
    pub fn unit(&self, x: f32, y: f32) -> Option<Unit> {
        if !self.frame.contains(x, y) {
            return None;
        }
        let [row, col] = [(y - self.frame.y) / self.side(), (x - self.frame.x) / self.side()].map(|v| v as usize);
        let unit = if self.shape.map() == 1 {
            Unit { c: row * self.grid[1] + col, y: 0, x: 0 }
        } else {
            Unit { c: self.map, y: row, x: col }
        };
        self.shape.contains(unit).then_some(unit)
    }

    /// What is to be painted: first element, rows, columns and place of each rectangle (a vector's last row may be shorter).
    pub fn pieces(&self) -> Vec<(usize, usize, usize, Frame)> {
        if self.shape.map() > 1 {
            return vec![(self.map * self.shape.map(), self.grid[0], self.grid[1], self.frame)];
        }
        let (rows, cols, rest) = bitmap(self.shape.c);
        let mut out = vec![(0, rows, cols, self.part([0, 0], [rows, cols]))];
        if rest > 0 {
            out.push((rows * cols, 1, rest, self.part([rows as isize, 0], [1, rest])));
        }
        out
    }

    /// The unit after this one (or before it), row by row; `None` at the end of the map.
    pub fn next(&self, unit: Unit, by: isize) -> Option<Unit> {
        let (index, range) = if self.shape.map() == 1 {
            (unit.c, 0..self.shape.c)
        } else {
            let start = unit.c * self.shape.map();
            (self.shape.index(unit), start..start + self.shape.map())
        };
        index.checked_add_signed(by).filter(|i| range.contains(i)).map(|i| self.shape.unit(i))
    }

    /// The unit in a direction (rows, columns), if there is one.
    pub fn beside(&self, unit: Unit, [dy, dx]: [isize; 2]) -> Option<Unit> {
        let [row, col] = self.cell(unit);
        let row = row.checked_add_signed(dy).filter(|r| *r < self.grid[0])?;
        let col = col.checked_add_signed(dx).filter(|c| *c < self.grid[1])?;
        let next = if self.shape.map() == 1 {
            Unit { c: row * self.grid[1] + col, y: 0, x: 0 }
        } else {
            Unit { c: unit.c, y: row, x: col }
        };
        self.shape.contains(next).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_stands_once_and_none_on_another() {
        for (shape, width) in [
            (Shape::new(6, 28, 28), 900.0),
            (Shape::new(64, 224, 224), 1200.0),
            (Shape::new(2048, 7, 7), 360.0),
            (Shape::vector(4096), 800.0),
            (Shape::new(3, 11, 5), 340.0),
        ] {
            let order: Vec<usize> = (0..shape.c).rev().collect();
            for chosen in [None, Some(1)] {
                let mut seen = Vec::new();
                for page in 0.. {
                    let g = gallery(shape, &order, page, chosen, width);
                    if g.tiles.is_empty() {
                        break;
                    }
                    assert!(g.each <= 1200, "{shape}: {} at once", g.each);
                    let frames: Vec<Frame> = g.tiles.iter().chain(&g.large).map(|t| t.frame).collect();
                    for (i, f) in frames.iter().enumerate() {
                        assert!(f.x >= 0.0 && f.right() <= width + 0.1 && f.bottom() <= g.size[1], "{shape} {f:?}");
                        assert!(frames[..i].iter().all(|other| !other.overlaps(*f)), "{shape} {f:?}");
                    }
                    seen.extend(g.tiles.iter().map(|t| t.map));
                }
                assert_eq!(seen, order, "{shape}");
            }
        }
    }

    #[test]
    fn units_are_found_again_on_a_plate() {
        for shape in [Shape::new(4, 5, 7), Shape::vector(127), Shape::vector(84), Shape::new(2, 224, 224)] {
            let plate = Plate::new(shape, 1, [10.0, 20.0], 160.0);
            let units: Vec<Unit> =
                (0..shape.len()).map(|i| shape.unit(i)).filter(|u| shape.map() == 1 || u.c == 1).collect();
            for (i, unit) in units.iter().enumerate() {
                let [row, col] = plate.cell(*unit);
                let [x, y] = plate.part([row as isize, col as isize], [1, 1]).centre();
                assert_eq!(plate.unit(x, y), Some(*unit), "{shape}");
                assert_eq!(plate.next(*unit, 1), units.get(i + 1).copied(), "{shape}");
                assert_eq!(plate.next(*unit, -1), i.checked_sub(1).map(|i| units[i]), "{shape}");
                let down = plate.beside(*unit, [1, 0]);
                assert!(down.is_none_or(|d| plate.cell(d) == [row + 1, col]), "{shape}");
            }
            let painted: usize = plate.pieces().iter().map(|(_, rows, cols, _)| rows * cols).sum();
            assert_eq!(painted, units.len(), "{shape}");
            assert_eq!(plate.unit(9.0, 21.0), None);
        }
    }
}
