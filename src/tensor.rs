//! Shapes and tensors: plain data. Knows nothing of layers, devices or files.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Channels, height, width of one image's activation; the batch is not part of it. Serialised as `[c, h, w]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(from = "[usize; 3]", into = "[usize; 3]")]
pub struct Shape {
    /// Channels (feature maps).
    pub c: usize,
    /// Height in rows.
    pub h: usize,
    /// Width in columns.
    pub w: usize,
}

impl Shape {
    /// `c` maps of `h`×`w`.
    pub const fn new(c: usize, h: usize, w: usize) -> Self {
        Self { c, h, w }
    }

    /// A vector of `n` features: n×1×1.
    pub const fn vector(n: usize) -> Self {
        Self::new(n, 1, 1)
    }

    /// Elements of one image.
    pub const fn len(self) -> usize {
        self.c * self.h * self.w
    }

    /// True where a dimension is zero.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Elements of one map.
    pub const fn map(self) -> usize {
        self.h * self.w
    }

    /// Flat index of a unit (row-major).
    pub const fn index(self, unit: Unit) -> usize {
        (unit.c * self.h + unit.y) * self.w + unit.x
    }

    /// The unit at a flat index; the inverse of [`Shape::index`].
    pub const fn unit(self, index: usize) -> Unit {
        Unit { c: index / self.map(), y: index / self.w % self.h, x: index % self.w }
    }

    /// Whether the unit lies inside.
    pub const fn contains(self, unit: Unit) -> bool {
        unit.c < self.c && unit.y < self.h && unit.x < self.w
    }
}

impl From<[usize; 3]> for Shape {
    fn from([c, h, w]: [usize; 3]) -> Self {
        Self { c, h, w }
    }
}

impl From<Shape> for [usize; 3] {
    fn from(s: Shape) -> Self {
        [s.c, s.h, s.w]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}×{}", self.c, self.h, self.w)
    }
}

/// One unit of an activation: map `c`, row `y`, column `x`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Unit {
    /// Map (channel).
    pub c: usize,
    /// Row.
    pub y: usize,
    /// Column.
    pub x: usize,
}

/// A dense row-major f32 array with its dimensions, as files and callers hold it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Tensor {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Elements, row-major; `shape.iter().product()` of them.
    pub data: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_unit_are_inverse() {
        let s = Shape::new(3, 4, 5);
        for i in 0..s.len() {
            assert_eq!(s.index(s.unit(i)), i);
            assert!(s.contains(s.unit(i)));
        }
        assert!(!s.contains(Unit { c: 0, y: 4, x: 0 }));
    }
}
