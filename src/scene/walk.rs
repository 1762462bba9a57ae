//! A unit's window on its input map, and the unit on its output map: what slides and what fills while one walks from unit to unit.
//! Pure; knows explanations and shapes. The maps themselves are painted by the engine, this lies over them.

use super::gallery::Plate;
use super::{Drawing, FIELD, Frame, LINE, PAPER, Svg};
use crate::ops::explain::Term;
use crate::tensor::{Shape, Unit};

/// Room around the input map, for a window that overhangs into padding.
const AROUND: f32 = 14.0;
/// Between the two maps, for the lines from window to unit.
const BETWEEN: f32 = 44.0;

/// The two maps.
#[derive(Clone, PartialEq, Debug)]
pub struct Walk {
    /// The map that the term reads.
    pub input: Plate,
    /// The map that the unit is of.
    pub output: Plate,
    /// Width and height.
    pub size: [f32; 2],
}

impl Walk {
    /// Side by side in this width, maps of at most `most` px. Windows of this layer reach `padding` units (rows, columns) beyond the
    /// edge: around the input map there is room for that.
    pub fn new(
        [input, output]: [Shape; 2],
        [map, own]: [usize; 2],
        padding: [usize; 2],
        width: f32,
        most: f32,
    ) -> Self {
        let room = ((width - 3.0 * AROUND - BETWEEN) / 2.0).clamp(40.0, most);
        let longer = |axis: usize, size: usize| (size + 2 * padding[axis]) as f32 / size.max(1) as f32;
        let part = if input.map() > 1 { longer(0, input.h).max(longer(1, input.w)) } else { 1.0 };
        let side = (room / part).max(20.0);
        let beyond = Plate::new(input, map, [0.0; 2], side).side();
        let [down, right] = padding.map(|units| if input.map() > 1 { units as f32 * beyond } else { 0.0 });
        let input = Plate::new(input, map, [AROUND + right, AROUND + down], side);
        let left = input.frame.right() + right + AROUND + BETWEEN;
        let output = Plate::new(output, own, [left, AROUND + down], room);
        let bottom = (input.frame.bottom() + down).max(output.frame.bottom());
        Self { input, output, size: [(output.frame.right() + AROUND).ceil(), (bottom + AROUND).ceil()] }
    }

    /// Window, present cells and unit over the maps; with `fills` what comes after the unit is veiled.
    pub fn over(
        &self,
        term: &Term,
        now: Option<std::ops::Range<usize>>,
        unit: Unit,
        fills: bool,
        title: &str,
    ) -> Drawing {
        let mut svg = Svg::new();
        for plate in [&self.input, &self.output] {
            svg.rect(plate.frame.grow(0.5), &format!(r#"fill="none" stroke="{LINE}""#));
        }
        let [row, col] = self.output.cell(unit);
        if fills {
            let [rows, cols] = self.output.grid;
            let veil = format!(r#"class="veil" fill="{PAPER}" fill-opacity=".93""#);
            let right = self.output.part([row as isize, col as isize + 1], [1, cols - col - 1]);
            let below = self.output.part([row as isize + 1, 0], [rows - row - 1, cols]);
            [right, below].into_iter().filter(|f| f.w > 0.0 && f.h > 0.0).for_each(|f| svg.rect(f, &veil));
        }
        // The window: of a vector all of it, row by row.
        let vector = self.input.shape.map() == 1;
        let window = match (vector, term.values.len()) {
            (true, 1) => {
                let [row, col] = self.input.cell(Unit { c: term.map, y: 0, x: 0 });
                self.input.part([row as isize, col as isize], [1, 1])
            }
            (true, _) => self.input.frame,
            (false, _) => self.input.part(term.at, term.size),
        };
        if let Some(now) = now.filter(|now| !now.is_empty()) {
            let cols = if vector { self.input.grid[1] } else { term.size[1] };
            let at = |cell: usize| {
                if vector {
                    [cell / cols, cell % cols].map(|v| v as isize)
                } else {
                    [term.at[0] + (cell / cols) as isize, term.at[1] + (cell % cols) as isize]
                }
            };
            // One cell, one row, or the whole window.
            let (first, last) = (at(now.start), at(now.end - 1));
            if first[0] == last[0] {
                let cells = self.input.part(first, [1, (last[1] - first[1]) as usize + 1]);
                svg.rect(cells, &format!(r#"class="now" fill="{FIELD}" fill-opacity=".45""#));
            } else {
                svg.rect(window, &format!(r#"class="now" fill="{FIELD}" fill-opacity=".18""#));
            }
        }
        let own = self.output.part([row as isize, col as isize], [1, 1]);
        // From the window's corners to the unit.
        for (from, to) in [(window.y, own.y), (window.bottom(), own.bottom())] {
            let dashed = format!(r#"stroke="{FIELD}" stroke-opacity=".7" stroke-dasharray="3 3""#);
            svg.line([window.right(), from], [own.x, to], &dashed);
        }
        let frame = |f: Frame| if f.w < 5.0 { f.grow(2.0) } else { f };
        for (class, f) in [("window", window), ("unit", own)] {
            // A light line under the dark one: it is seen on every colour.
            svg.rect(frame(f), &format!(r#"fill="none" stroke="{PAPER}" stroke-width="4.5""#));
            svg.rect(frame(f), &format!(r#"class="{class}" fill="none" stroke="{FIELD}" stroke-width="2.5""#));
        }
        svg.finish(self.size[0], self.size[1], "walk", title, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_in_padding_stays_in_the_picture() {
        for (side, padding, kernel) in [(4, 1, 3), (27, 2, 5), (224, 3, 7), (14, 0, 5)] {
            let shape = Shape::new(8, side, side);
            for width in [260.0, 480.0] {
                let walk = Walk::new([shape, shape], [3, 5], [padding; 2], width, 224.0);
                assert!(walk.size[0] <= width + 1.0, "{side} in {width}: {:?}", walk.size);
                let last = (side + padding - kernel) as isize;
                for at in [-(padding as isize), last] {
                    let window = walk.input.part([at, at], [kernel; 2]);
                    let inside = window.x > 2.0 && window.y > 2.0;
                    assert!(inside && window.bottom() < walk.size[1] - 2.0, "{side} {padding}: {window:?}");
                    assert!(window.right() < walk.output.frame.x - 2.0, "{side} {padding}: {window:?}");
                }
            }
        }
    }
}
