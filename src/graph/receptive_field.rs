//! Receptive fields: which input pixels a unit sees (and, backwards, which units a pixel reaches). A fold over the graph.
//!
//! Per node and axis an interval (first, last, jump) in input pixels: output i sees `[first + i·jump, last + i·jump]`. A window of
//! kernel k, stride s, padding p, dilation d maps it to `(first − p·jump, last + ((k−1)·d − p)·jump, jump·s)`; branches join by
//! min/max and must agree on the jump (Araujo, Norris, Sim: "Computing Receptive Fields of Convolutional Neural Networks", 2019).

use super::{Graph, NodeId};
use crate::ops::{Layer, Reach};
use crate::tensor::{Shape, Unit};

/// Field of output 0 on one axis, and the distance between the fields of neighbours. Negative positions lie in padding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// First pixel that output 0 sees.
    pub first: isize,
    /// Last pixel that output 0 sees.
    pub last: isize,
    /// Pixels from one output's field to the next one's.
    pub jump: isize,
}

impl Interval {
    const PIXEL: Self = Self { first: 0, last: 0, jump: 1 };

    /// Pixels seen.
    pub fn size(self) -> usize {
        (self.last - self.first + 1) as usize
    }

    /// First and last pixel that output `i` sees.
    pub fn of(self, i: usize) -> Span {
        let shift = i as isize * self.jump;
        Span { first: self.first + shift, last: self.last + shift }
    }

    fn through(self, kernel: usize, stride: usize, padding: usize, dilation: usize) -> Self {
        let (span, padding) = (((kernel - 1) * dilation) as isize, padding as isize);
        Self {
            first: self.first - padding * self.jump,
            last: self.last + (span - padding) * self.jump,
            jump: self.jump * stride as isize,
        }
    }

    fn join(self, other: Self) -> Self {
        // Branches of one graph agree on the jump wherever their shapes agree; a test holds it for every architecture.
        debug_assert_eq!(self.jump, other.jump);
        Self { first: self.first.min(other.first), last: self.last.max(other.last), jump: self.jump.max(other.jump) }
    }
}

/// Positions `first..=last`; may reach outside the map, into padding. Empty where `last < first`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// First position.
    pub first: isize,
    /// Last position.
    pub last: isize,
}

impl Span {
    /// The part inside `0..size`.
    pub fn clamp(self, size: usize) -> Self {
        Self { first: self.first.max(0), last: self.last.min(size as isize - 1) }
    }

    /// Positions in it.
    pub fn len(self) -> usize {
        (self.last - self.first + 1).max(0) as usize
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.last < self.first
    }

    fn join(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Height and width of a node's field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Rows.
    pub y: Interval,
    /// Columns.
    pub x: Interval,
}

/// The field of every node, in input pixels. Nodes that no input reaches do not exist.
pub fn fields(graph: &Graph) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let joined = node.inputs.iter().map(|&i| (fields[i], graph.nodes()[i].shape)).map(|(field, shape)| {
            let (k, s, p, d) = match node.op.reach(shape) {
                Reach::Point => return field,
                Reach::Window(w) => (w.kernel, w.stride, w.padding, w.dilation),
                Reach::All | Reach::Flatten => ([shape.h, shape.w], [1; 2], [0; 2], [1; 2]),
            };
            let seen = Field { y: field.y.through(k[0], s[0], p[0], d[0]), x: field.x.through(k[1], s[1], p[1], d[1]) };
            // Several units that see everything: from one to the next it is no step.
            let still = |i: Interval| Interval { jump: 0, ..i };
            match node.op.reach(shape) {
                Reach::All if node.shape.map() > 1 => Field { y: still(seen.y), x: still(seen.x) },
                _ => seen,
            }
        });
        let pixel = Field { y: Interval::PIXEL, x: Interval::PIXEL };
        fields.push(joined.reduce(|a, b| Field { y: a.y.join(b.y), x: a.x.join(b.x) }).unwrap_or(pixel));
    }
    fields
}

/// Nodes from the input to this one along which its field is widest: where branches join, the one that sees most; of equals the first.
pub fn widest_path(graph: &Graph, fields: &[Field], node: NodeId) -> Vec<NodeId> {
    let size = |id: NodeId| fields[id].y.size() * fields[id].x.size();
    let mut path = vec![node];
    let mut at = node;
    while let Some(&first) = graph.nodes()[at].inputs.first() {
        at = graph.nodes()[at].inputs.iter().fold(first, |best, &i| if size(i) > size(best) { i } else { best });
        path.push(at);
    }
    path.reverse();
    path
}

/// A rectangle of positions in one node's maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Rect {
    /// Rows.
    pub y: Span,
    /// Columns.
    pub x: Span,
}

impl Rect {
    /// One position.
    pub fn unit(y: usize, x: usize) -> Self {
        let at = |i: usize| Span { first: i as isize, last: i as isize };
        Self { y: at(y), x: at(x) }
    }

    /// The part inside a map.
    pub fn clamp(self, shape: Shape) -> Self {
        Self { y: self.y.clamp(shape.h), x: self.x.clamp(shape.w) }
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.y.is_empty() || self.x.is_empty()
    }

    fn join(self, other: Self) -> Self {
        Self { y: self.y.join(other.y), x: self.x.join(other.x) }
    }
}

/// The cone of a unit: for every node before it (and itself) the positions that it depends on, overhang into padding included;
/// `None` for a node that it does not depend on.
pub fn cone(graph: &Graph, node: NodeId, unit: Unit) -> Vec<Option<Rect>> {
    let mut rects: Vec<Option<Rect>> = vec![None; graph.nodes().len()];
    rects[node] = Some(Rect::unit(unit.y, unit.x));
    // A flattened unit is one unit of the maps before: which one depends on its number, so that is carried along.
    let mut flat = (node, unit.c);
    for id in (1..=node).rev() {
        let Some(seen) = rects[id] else { continue };
        let n = &graph.nodes()[id];
        for &input in &n.inputs {
            let shape = graph.nodes()[input].shape;
            let seen = match n.op.reach(shape) {
                Reach::Point => {
                    if flat.0 == id {
                        flat.0 = input;
                    }
                    seen
                }
                Reach::Window(w) => {
                    let back = |s: Span, a: usize| Span {
                        first: s.first * w.stride[a] as isize - w.padding[a] as isize,
                        last: s.last * w.stride[a] as isize - w.padding[a] as isize + w.span(a) as isize - 1,
                    };
                    Rect { y: back(seen.y, 0), x: back(seen.x, 1) }
                }
                Reach::Flatten if flat.0 == id => {
                    let unit = shape.unit(flat.1);
                    Rect::unit(unit.y, unit.x)
                }
                Reach::All | Reach::Flatten => {
                    let whole = |size: usize| Span { first: 0, last: size as isize - 1 };
                    Rect { y: whole(shape.h), x: whole(shape.w) }
                }
            };
            rects[input] = Some(rects[input].map_or(seen, |r| r.join(seen)));
        }
    }
    rects
}

/// The projective field of a position: for every node after it (and itself) the positions that depend on it; `None` where none does.
pub fn projection(graph: &Graph, node: NodeId, unit: Unit) -> Vec<Option<Rect>> {
    let mut rects: Vec<Option<Rect>> = vec![None; graph.nodes().len()];
    rects[node] = Some(Rect::unit(unit.y, unit.x));
    for id in node + 1..graph.nodes().len() {
        let n = &graph.nodes()[id];
        for &input in &n.inputs {
            let (Some(from), shape) = (rects[input], graph.nodes()[input].shape) else { continue };
            let reached = match n.op.reach(shape) {
                Reach::Point => from,
                Reach::Window(w) => {
                    // output o sees [o·s − p, o·s − p + span): it sees position i where (i + p − span + 1)/s ≤ o ≤ (i + p)/s
                    let ahead = |s: Span, a: usize| Span {
                        first: -(-(s.first + w.padding[a] as isize - w.span(a) as isize + 1))
                            .div_euclid(w.stride[a] as isize),
                        last: (s.last + w.padding[a] as isize).div_euclid(w.stride[a] as isize),
                    };
                    Rect { y: ahead(from.y, 0), x: ahead(from.x, 1) }.clamp(n.shape)
                }
                Reach::All | Reach::Flatten => {
                    let whole = |size: usize| Span { first: 0, last: size as isize - 1 };
                    Rect { y: whole(n.shape.h), x: whole(n.shape.w) }
                }
            };
            if !reached.is_empty() {
                rects[id] = Some(rects[id].map_or(reached, |r| r.join(reached)));
            }
        }
    }
    rects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Conv2d, Flatten, Linear, MaxPool2d, Window};

    fn stack() -> Graph {
        let mut g = Graph::new();
        let x = g.input("input", Shape::new(1, 20, 17)).unwrap();
        let a = g.push("a", Conv2d::new(2, 5).padding(1), &[x]).unwrap();
        let b = g.push("b", MaxPool2d(Window::square(3).stride(2)), &[a]).unwrap();
        let c = g.push("c", Conv2d::new(3, 3).padding(2).stride(2), &[b]).unwrap();
        let d = g.push("d", Flatten, &[c]).unwrap();
        g.push("e", Linear::new(4), &[d]).unwrap();
        g
    }

    #[test]
    fn the_fold_and_the_walk_back_agree_on_every_unit() {
        let g = stack();
        let fields = fields(&g);
        for (node, field) in fields.iter().enumerate().take(4) {
            let shape = g.nodes()[node].shape;
            for i in 0..shape.map() {
                let unit = shape.unit(i);
                let rect = cone(&g, node, unit)[0].unwrap();
                assert_eq!(rect, Rect { y: field.y.of(unit.y), x: field.x.of(unit.x) });
            }
        }
    }

    #[test]
    fn a_pixel_reaches_exactly_the_units_that_see_it() {
        let g = stack();
        let last = 3;
        let shape = g.nodes()[last].shape;
        for (py, px) in [(0, 0), (3, 9), (19, 16), (7, 1)] {
            let reached = projection(&g, 0, Unit { c: 0, y: py, x: px })[last];
            for i in 0..shape.map() {
                let unit = shape.unit(i);
                let seen = cone(&g, last, unit)[0].unwrap();
                let sees = (seen.y.first..=seen.y.last).contains(&(py as isize))
                    && (seen.x.first..=seen.x.last).contains(&(px as isize));
                let inside = reached.is_some_and(|r| {
                    (r.y.first..=r.y.last).contains(&(unit.y as isize))
                        && (r.x.first..=r.x.last).contains(&(unit.x as isize))
                });
                assert_eq!(sees, inside, "pixel ({py}, {px}), unit {unit:?}");
            }
        }
    }

    /// Along the widest path alone a field is as wide as along all paths together.
    #[test]
    fn the_widest_path_is_as_wide_as_the_field() {
        for name in ["googlenet", "googlenet-digits", "resnet50", "resnet20-cifar", "vgg16"] {
            let net = crate::arch::variant(name).unwrap().build().unwrap();
            let graph = &net.graph;
            let fields = fields(graph);
            let mut joins = 0;
            let needed = net.inference_nodes();
            for node in (0..=net.last_maps()).step_by(3).filter(|&id| needed[id]) {
                let path = widest_path(graph, &fields, node);
                assert_eq!((path[0], *path.last().unwrap()), (graph.source(), node));
                let mut alone = Graph::new();
                let mut at = alone.input("input", graph.nodes()[0].shape).unwrap();
                for pair in path.windows(2) {
                    let n = &graph.nodes()[pair[1]];
                    assert!(
                        n.inputs.contains(&pair[0]),
                        "{name}: {} does not read {}",
                        n.name,
                        graph.nodes()[pair[0]].name
                    );
                    joins += usize::from(n.inputs.len() > 1);
                    // Only what moves fields; channels do not.
                    if let Reach::Window(window) = n.op.reach(graph.nodes()[pair[0]].shape) {
                        at = alone.push(&n.name, MaxPool2d(window), &[at]).unwrap();
                    }
                }
                assert_eq!(super::fields(&alone)[at], fields[node], "{name}: {}", graph.nodes()[node].name);
            }
            assert!(joins > 0 || name == "vgg16", "{name}: nothing was joined");
        }
    }

    #[test]
    fn a_flattened_unit_sees_what_its_unit_saw() {
        let g = stack();
        let maps = g.nodes()[3].shape;
        let unit = Unit { c: 2, y: 1, x: 3 };
        let flat = Unit { c: maps.index(unit), y: 0, x: 0 };
        assert_eq!(cone(&g, 4, flat)[0], cone(&g, 3, unit)[0]);
        assert!(cone(&g, 5, Unit { c: 0, y: 0, x: 0 })[3].unwrap().y.len() == maps.h);
    }
}
