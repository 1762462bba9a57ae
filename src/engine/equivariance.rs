//! What a move of the picture does to a layer's values: whether they merely move along (convolution's equivariance) and how much they
//! change where they are (what pooling is to make small). Values in, numbers out; knows no network and no executor.

use crate::graph::NodeId;
use crate::protocol::Moved;
use crate::tensor::Shape;

/// Part of a layer's largest value within which two values are the same.
const SAME: f32 = 1e-3;

/// Compares a node's values `after` a move of the picture by `shift` pixels (down, to the right) with those `before`. `jump`: pixels from
/// one unit to the next, down and to the right; 0: its units are not places of the picture.
///
/// # Panics
/// Where there are fewer values than `shape` says.
pub fn compare(node: NodeId, [before, after]: [&[f32]; 2], shape: Shape, jump: [isize; 2], shift: [i32; 2]) -> Moved {
    let (h, w) = (shape.h, shape.w);
    // One unit a map, or units that each see everything: no places.
    let places = shape.map() > 1 && jump.iter().all(|j| *j > 0);
    let by = [0, 1].map(|i| if !places { 0.0 } else { shift[i] as f32 / jump[i] as f32 });
    let largest = before.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let same = |a: f32, b: f32| (a - b).abs() <= SAME * largest;
    let ratio = |difference: f64, of: f64| if of > 0.0 { (difference / of).sqrt() as f32 } else { 0.0 };
    let square = |v: f32| f64::from(v) * f64::from(v);
    let pairs = before.iter().zip(after).take(shape.len());
    let (difference, norm) = pairs.fold((0.0, 0.0), |(d, n), (&b, &a)| (d + square(a - b), n + square(b)));
    let whole = places && by.iter().all(|b| b.fract() == 0.0);
    let (mut left, mut found) = (None, None);
    if whole {
        let along = by.map(|b| b as isize);
        // Places that were in the maps before too.
        let common = |along: isize, size: usize| along.max(0) as usize..size.saturating_add_signed(along.min(0));
        let (mut difference, mut norm, mut again, mut changed) = (0.0, 0.0, 0usize, 0usize);
        for map in 0..shape.c {
            for y in common(along[0], h) {
                for x in common(along[1], w) {
                    let here = (map * h + y) * w + x;
                    let b = before[here.wrapping_add_signed(-(along[0] * w as isize + along[1]))];
                    let a = after[here];
                    difference += square(a - b);
                    norm += square(b);
                    if !same(a, before[here]) {
                        changed += 1;
                        again += usize::from(same(a, b));
                    }
                }
            }
        }
        left = Some(ratio(difference, norm));
        found = (changed > 0).then(|| again as f32 / changed as f32);
    }
    Moved { node, by, changed: ratio(difference, norm), left, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { c: 1, h: 3, w: 4 };
    const BEFORE: [f32; 12] = [1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 1.0];

    #[test]
    fn what_merely_moved_leaves_nothing() {
        // One to the right; the first column is new.
        let after = [9.0, 1.0, 2.0, 3.0, 9.0, 0.0, 0.0, 0.0, 9.0, 5.0, 0.0, 0.0];
        let told = compare(7, [&BEFORE, &after], SHAPE, [2, 2], [0, 2]);
        assert_eq!((told.node, told.by, told.left, told.found), (7, [0.0, 1.0], Some(0.0), Some(1.0)));
        // By hand: differences 8 −1 −1 −1, 9 0 0 0, 4 5 0 −1, squares 190; before: 1 4 9 16, 25 1.
        assert!((told.changed - (190.0f32 / 56.0).sqrt()).abs() < 1e-6, "{}", told.changed);
        // Up and to the left.
        let mut after = [9.0; 12];
        for (y, x) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            after[y * 4 + x] = BEFORE[(y + 1) * 4 + x + 1];
        }
        let told = compare(0, [&BEFORE, &after], SHAPE, [1, 1], [-1, -1]);
        assert_eq!((told.by, told.left, told.found), ([-1.0, -1.0], Some(0.0), Some(1.0)));
    }

    #[test]
    fn what_did_not_move_is_left_over() {
        let told = compare(0, [&BEFORE, &BEFORE], SHAPE, [1, 1], [0, 1]);
        assert_eq!((told.changed, told.found), (0.0, None));
        // 1 2 3 | 0 0 0 | 5 0 0 should have come to where 2 3 4 | 0 0 0 | 0 0 1 is.
        let left = (1.0f32 + 1.0 + 1.0 + 25.0 + 1.0).sqrt() / (1.0f32 + 4.0 + 9.0 + 25.0).sqrt();
        assert!((told.left.unwrap() - left).abs() < 1e-6, "{told:?}");
        // Half of what changed is found again.
        let after = [1.0, 1.0, 7.0, 4.0, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 1.0];
        assert_eq!(compare(0, [&BEFORE, &after], SHAPE, [1, 1], [0, 1]).found, Some(0.5));
    }

    #[test]
    fn half_a_unit_is_no_move_and_a_far_one_leaves_nothing_in_common() {
        let told = compare(0, [&BEFORE, &BEFORE], SHAPE, [2, 2], [0, 1]);
        assert_eq!((told.by, told.left, told.found), ([0.0, 0.5], None, None));
        let told = compare(0, [&BEFORE, &BEFORE], SHAPE, [1, 1], [0, -9]);
        assert_eq!((told.left, told.found), (Some(0.0), None));
        // Not places of the picture.
        let told = compare(0, [&BEFORE, &BEFORE], Shape::vector(12), [4, 4], [4, 4]);
        assert_eq!((told.left, told.by), (None, [0.0, 0.0]));
        assert_eq!(compare(0, [&[0.0; 12], &[0.0; 12]], SHAPE, [0, 0], [1, 1]).changed, 0.0);
    }
}
