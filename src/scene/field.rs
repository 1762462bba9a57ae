//! What a unit sees, and whom a pixel reaches, drawn over the stage: patches on every map in between, lines that join them, the
//! part in padding. Knows graphs and the stage; no network by name, no page.

use super::stage::{MapRect, Stage, StageCard, path};
use super::{Drawing, FIELD, Frame, PAPER, Svg};
use crate::graph::receptive_field::{Rect, Span, cone, fields, projection, widest_path};
use crate::graph::{Graph, NodeId};
use crate::ops::{Layer, Op, Reach, Table};
use crate::tensor::Unit;

/// A patch on one map.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Patch {
    /// Card, by position.
    pub card: usize,
    /// Map of the card, by position in its `maps`.
    pub map: usize,
    /// Positions in the map; outside of it they lie in padding.
    pub seen: Rect,
    /// Where, in px of the stage; beyond the map's edge where the patch overhangs.
    pub rect: Frame,
    /// The part on the map.
    pub inside: Frame,
}

impl Patch {
    /// Whether part of it lies in padding.
    pub fn overhangs(&self) -> bool {
        self.rect != self.inside
    }
}

/// A hovered unit and all that depends on it, or on which it depends.
#[derive(Clone, PartialEq, Debug)]
pub struct Overlay {
    /// The hovered node.
    pub node: NodeId,
    /// The hovered unit.
    pub unit: Unit,
    /// Where it is.
    pub own: Frame,
    /// Patches on other cards.
    pub patches: Vec<Patch>,
    /// Dashed lines between patches of neighbouring cards.
    pub lines: Vec<[[f32; 2]; 2]>,
    /// For a receptive field that branches lead to: edges of the stage along the widest path from the input, by position.
    pub widest: Vec<usize>,
    /// For a receptive field: what it sees of the input, in pixels, overhang included.
    pub input: Option<Rect>,
    /// Maps that feed (or are fed by) the unit, per node; `None` where it has nothing to do with the node.
    pub maps: Vec<Option<Vec<bool>>>,
}

/// How a layer's output maps read its input maps.
enum Link<'a> {
    /// All read all.
    All,
    /// As the connection table says.
    Table(&'a Table),
    /// Output maps of a group of `.1` read the input maps of the same group, of `.0`.
    Groups(usize, usize),
    /// Output map `i + offset` reads input map `i`.
    Same(usize),
    /// Output unit `o` is a unit of input map `o / size`.
    Flat(usize),
}

fn link(graph: &Graph, id: NodeId, slot: usize) -> Link<'_> {
    let node = &graph.nodes()[id];
    let from = graph.nodes()[node.inputs[slot]].shape;
    match (&node.op, node.op.reach(from)) {
        (Op::Conv2d(conv), _) => match &conv.table {
            Some(table) => Link::Table(table),
            None if conv.groups == 1 => Link::All,
            None => Link::Groups((from.c / conv.groups).max(1), (conv.out_channels / conv.groups).max(1)),
        },
        (_, Reach::All) => Link::All,
        (_, Reach::Flatten) => Link::Flat(from.map()),
        (_, Reach::Point | Reach::Window(_)) => {
            // Channel by channel; inputs laid side by side (a concat) keep their channels in order.
            let shapes = graph.input_shapes(id);
            let side_by_side = shapes.len() > 1 && shapes.iter().map(|s| s.c).sum::<usize>() == node.shape.c;
            Link::Same(if side_by_side { shapes[..slot].iter().map(|s| s.c).sum() } else { 0 })
        }
    }
}

fn mark(maps: &mut [bool], range: std::ops::Range<usize>) {
    let end = range.end.min(maps.len());
    if let Some(part) = maps.get_mut(range.start.min(end)..end) {
        part.fill(true);
    }
}

fn marked(maps: &[bool]) -> impl Iterator<Item = usize> + '_ {
    maps.iter().enumerate().filter(|(_, on)| **on).map(|(i, _)| i)
}

/// Maps that a map of `node` depends on, per node.
pub fn maps_before(graph: &Graph, node: NodeId, map: usize) -> Vec<Option<Vec<bool>>> {
    let nodes = graph.nodes();
    let mut maps: Vec<Option<Vec<bool>>> = vec![None; nodes.len()];
    maps[node] = Some((0..nodes[node].shape.c).map(|c| c == map).collect());
    for id in (0..=node).rev() {
        let Some(wanted) = maps[id].clone() else { continue };
        for (slot, &input) in nodes[id].inputs.iter().enumerate() {
            let channels = nodes[input].shape.c;
            let seen = maps[input].get_or_insert_with(|| vec![false; channels]);
            let link = link(graph, id, slot);
            if matches!(link, Link::All) {
                seen.fill(true);
                continue;
            }
            for o in marked(&wanted) {
                match link {
                    Link::All => {}
                    Link::Table(table) => {
                        table.0.get(o).into_iter().flat_map(|row| row.iter()).for_each(|&i| mark(seen, i..i + 1));
                    }
                    Link::Groups(ins, outs) => mark(seen, o / outs * ins..(o / outs + 1) * ins),
                    Link::Same(offset) => {
                        o.checked_sub(offset).into_iter().for_each(|i| mark(seen, i..i + 1));
                    }
                    Link::Flat(size) => mark(seen, o / size..o / size + 1),
                }
            }
        }
    }
    maps
}

/// Maps that depend on a map of `node`, per node.
pub fn maps_after(graph: &Graph, node: NodeId, map: usize) -> Vec<Option<Vec<bool>>> {
    let nodes = graph.nodes();
    let mut maps: Vec<Option<Vec<bool>>> = vec![None; nodes.len()];
    maps[node] = Some((0..nodes[node].shape.c).map(|c| c == map).collect());
    for id in node + 1..nodes.len() {
        let mut reached: Option<Vec<bool>> = None;
        for (slot, &input) in nodes[id].inputs.iter().enumerate() {
            let Some(from) = &maps[input] else { continue };
            let reached = reached.get_or_insert_with(|| vec![false; nodes[id].shape.c]);
            let link = link(graph, id, slot);
            for i in marked(from) {
                match link {
                    Link::All => {
                        reached.fill(true);
                        break;
                    }
                    Link::Table(table) => {
                        (0..reached.len()).filter(|&o| table.connects(o, i)).for_each(|o| mark(reached, o..o + 1));
                    }
                    Link::Groups(ins, outs) => mark(reached, i / ins * outs..(i / ins + 1) * outs),
                    Link::Same(offset) => mark(reached, i + offset..i + offset + 1),
                    Link::Flat(size) => mark(reached, i * size..(i + 1) * size),
                }
            }
        }
        maps[id] = reached;
    }
    maps
}

/// The frame around positions of a map.
fn frame(map: &MapRect, seen: Rect) -> Frame {
    map.at(seen.y.first, seen.x.first).around(map.at(seen.y.last, seen.x.last))
}

/// Patches on one card: on each of the given maps of its value.
fn patches(index: usize, card: &StageCard, seen: Rect, maps: &[bool]) -> Vec<Patch> {
    if card.shape.map() > 1 || card.shape.c == 1 {
        let on = card.maps.iter().enumerate().filter(|(_, m)| maps.get(m.map).copied().unwrap_or(false));
        return on
            .map(|(i, map)| {
                let clamped = seen.clamp(card.shape);
                let inside = if clamped.is_empty() { Frame::default() } else { frame(map, clamped) };
                Patch { card: index, map: i, seen, rect: frame(map, seen), inside }
            })
            .collect();
    }
    // A vector: each unit is a map of its own; a bitmap that is seen whole is framed once.
    let mut out = Vec::new();
    for (i, map) in card.maps.iter().enumerate() {
        let units = map.offset..map.offset + map.rows * map.cols;
        let whole = units.clone().all(|u| maps.get(u).copied().unwrap_or(false));
        if whole {
            out.push(Patch { card: index, map: i, seen, rect: map.rect, inside: map.rect });
            continue;
        }
        for unit in units.filter(|&u| maps.get(u).copied().unwrap_or(false)) {
            let inside = unit - map.offset;
            let rect = map.at((inside / map.cols) as isize, (inside % map.cols) as isize);
            out.push(Patch { card: index, map: i, seen, rect, inside: rect });
        }
    }
    out
}

fn distance(a: Frame, b: Frame) -> f32 {
    let (a, b) = (a.centre(), b.centre());
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn overlay(
    stage: &Stage,
    graph: &Graph,
    node: NodeId,
    unit: Unit,
    rects: &[Option<Rect>],
    maps: Vec<Option<Vec<bool>>>,
) -> Option<Overlay> {
    let own_card = stage.card_of(node)?;
    let own = stage.unit_rect(node, unit)?;
    let mut all = Vec::new();
    for (i, card) in stage.cards.iter().enumerate().filter(|(i, _)| *i != own_card) {
        if let (Some(seen), Some(maps)) = (rects[card.node], &maps[card.node]) {
            all.extend(patches(i, card, seen, maps));
        }
    }
    // Lines run from the hovered unit outwards, edge by edge, each to the nearest patch of the next card.
    let mut focus: Vec<Option<Frame>> = vec![None; stage.cards.len()];
    focus[own_card] = Some(own);
    let mut lines = Vec::new();
    let backwards = rects.iter().take(node).any(Option::is_some);
    let mut edges: Vec<_> = stage.edges.iter().collect();
    edges.sort_by_key(|e| (e.to, e.from));
    if backwards {
        edges.reverse();
    }
    for edge in edges {
        let (known, open) = if backwards { (edge.to, edge.from) } else { (edge.from, edge.to) };
        let Some(near) = focus[known] else { continue };
        let on = || all.iter().filter(|p| p.card == open);
        let maps = &stage.cards[open].maps;
        let whole = on().count() == maps.len() && on().all(|p| p.inside == maps[p.map].rect && !p.overhangs());
        // Where all maps are seen whole, the lines run to the picture as one.
        let target = if whole {
            on().map(|p| p.rect).reduce(Frame::around)
        } else {
            on().map(|p| p.rect).min_by(|a, b| distance(*a, near).total_cmp(&distance(*b, near)))
        };
        let Some(target) = target else { continue };
        let far = *focus[open].get_or_insert(target);
        let (left, right) = if backwards { (far, near) } else { (near, far) };
        if !edge.skip && stage.cards[edge.from].rect.right() <= stage.cards[edge.to].rect.x {
            lines.push([[left.right(), left.y], [right.x, right.y]]);
            lines.push([[left.right(), left.bottom()], [right.x, right.bottom()]]);
        }
    }
    let source = graph.source();
    let input = if backwards || node == source { rects[source] } else { None };
    Some(Overlay { node, unit, own, patches: all, lines, widest: Vec::new(), input, maps })
}

/// Edges along the widest path to a node; none where there is only one path.
fn widest(stage: &Stage, graph: &Graph, node: NodeId) -> Vec<usize> {
    let path = widest_path(graph, &fields(graph), node);
    if path.iter().all(|&id| graph.nodes()[id].inputs.len() < 2) {
        return Vec::new();
    }
    let mut cards: Vec<usize> = path.iter().filter_map(|&id| stage.card_of(id)).collect();
    cards.dedup();
    let edge = |pair: &[usize]| stage.edges.iter().position(|e| e.from == pair[0] && e.to == pair[1]);
    cards.windows(2).filter_map(edge).collect()
}

/// The receptive field of a unit over the stage; `None` where the stage does not show the unit.
pub fn field(stage: &Stage, graph: &Graph, node: NodeId, unit: Unit) -> Option<Overlay> {
    if !graph.nodes().get(node)?.shape.contains(unit) {
        return None;
    }
    let found = overlay(stage, graph, node, unit, &cone(graph, node, unit), maps_before(graph, node, unit.c))?;
    Some(Overlay { widest: widest(stage, graph, node), ..found })
}

/// All units that a unit (a pixel of the input, say) has a part in; `None` where the stage does not show the unit.
pub fn reached(stage: &Stage, graph: &Graph, node: NodeId, unit: Unit) -> Option<Overlay> {
    if !graph.nodes().get(node)?.shape.contains(unit) {
        return None;
    }
    let mut rects = projection(graph, node, unit);
    for (rect, n) in rects.iter_mut().zip(graph.nodes()) {
        // A flattened map: the whole vector is one position, its features are its maps.
        if n.shape.map() == 1 && rect.is_some() {
            let at = Span { first: 0, last: 0 };
            *rect = Some(Rect { y: at, x: at });
        }
    }
    overlay(stage, graph, node, unit, &rects, maps_after(graph, node, unit.c))
}

fn framed(svg: &mut Svg, patch: &Patch, beyond: bool) {
    if beyond && patch.overhangs() {
        svg.rect(
            patch.rect,
            &format!(r#"class="overhang" stroke="{FIELD}" stroke-dasharray="2 2" fill="{FIELD}" fill-opacity=".12""#),
        );
    }
    // A halo of paper keeps the frame visible on dark and on orange maps.
    svg.rect(
        patch.inside.grow(0.75),
        &format!(r#"class="halo" stroke="{PAPER}" stroke-width="3" stroke-opacity=".75""#),
    );
    svg.rect(patch.inside.grow(0.75), &format!(r#"class="patch" stroke="{FIELD}" stroke-width="1.5""#));
}

/// A patch of the input that a unit of another network sees, on this one's input; `None` where the stage does not show it.
pub fn linked(stage: &Stage, graph: &Graph, seen: Rect) -> Option<Drawing> {
    let index = stage.card_of(graph.source())?;
    let card = &stage.cards[index];
    let mut svg = Svg::new();
    svg.raw(r#"<g class="field linked" fill="none" pointer-events="none">"#);
    patches(index, card, seen, &vec![true; card.shape.c]).iter().for_each(|patch| framed(&mut svg, patch, true));
    svg.raw("</g>");
    Some(svg.finish(stage.size[0], stage.size[1], "overlay", "", ""))
}

/// The overlay, to lie over the stage's static layer; as large as the stage.
pub fn to_svg(overlay: &Overlay, stage: &Stage, title: &str) -> Drawing {
    let mut svg = Svg::new();
    svg.raw(r#"<g class="field" fill="none" pointer-events="none">"#);
    for edge in overlay.widest.iter().filter_map(|&i| stage.edges.get(i)) {
        let look =
            format!(r#"class="widest" stroke="{FIELD}" stroke-width="3" stroke-opacity=".7" stroke-linejoin="round""#);
        svg.path(&path(edge, 6.0), &look);
    }
    // Overhang once a card: those of neighbouring maps would lie over one another, and over the maps.
    let mut card = None;
    for patch in &overlay.patches {
        framed(&mut svg, patch, card.replace(patch.card) != Some(patch.card));
    }
    for [a, b] in &overlay.lines {
        svg.line(*a, *b, &format!(r#"class="ray" stroke="{FIELD}" stroke-width="1.25" stroke-dasharray="4 3""#));
    }
    let own = overlay.own.grow(1.0);
    svg.rect(own, &format!(r#"class="halo" stroke="{PAPER}" stroke-width="4""#));
    svg.rect(own, &format!(r#"class="unit" stroke="{FIELD}" stroke-width="2""#));
    svg.raw("</g>");
    svg.finish(stage.size[0], stage.size[1], "overlay", title, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::variant;

    #[test]
    fn the_connection_table_says_which_maps_feed_a_map() {
        let net = variant("lenet5").unwrap().build().unwrap();
        let at = |name: &str| net.graph.find(name).unwrap();
        let on = |maps: &Option<Vec<bool>>| -> Vec<usize> {
            maps.iter().flatten().enumerate().filter(|(_, m)| **m).map(|(i, _)| i).collect()
        };
        let before = maps_before(&net.graph, at("c3_act"), 9);
        assert_eq!(on(&before[at("s2_act")]), [0, 3, 4, 5]);
        assert_eq!(on(&before[at("c1")]), [0, 3, 4, 5]);
        assert_eq!(on(&before[0]), [0]);
        assert_eq!(before[at("s4")], None);
        let after = maps_after(&net.graph, at("s2"), 1);
        assert_eq!(on(&after[at("c3")]), [0, 1, 5, 6, 7, 10, 11, 12, 13, 15]);
        assert_eq!(on(&after[at("output")]).len(), 10);
    }

    #[test]
    fn before_and_after_are_one_relation_read_both_ways() {
        for name in ["lenet5", "lenet5-modern"] {
            let net = variant(name).unwrap().build().unwrap();
            let nodes = net.graph.nodes();
            for to in (1..nodes.len()).filter(|&id| nodes[id].shape.c <= 400) {
                for o in (0..nodes[to].shape.c).step_by(7) {
                    let before = maps_before(&net.graph, to, o);
                    for from in [0, to - 1, to / 2] {
                        for i in 0..nodes[from].shape.c.min(5) {
                            let seen = before[from].as_ref().is_some_and(|m| m[i]);
                            let reached = maps_after(&net.graph, from, i)[to].as_ref().is_some_and(|m| m[o]);
                            assert_eq!(seen, reached, "{name}: {from}[{i}] → {to}[{o}]");
                        }
                    }
                }
            }
        }
    }
}
