//! The network as the page's stage: cards with every feature map in its place, labels, edges; which unit is under the pointer,
//! and where a unit is. Knows graphs; no network by name, no page.

use super::{
    Drawing, FIELD, Frame, INK, LINE, MUTED, PAPER, STAGE, Svg, Words, bold_width, class, colour, put, px, rounded,
    text_width,
};
use crate::arch::Architecture;
use crate::graph::describe::{self, Facts, compact, grouped, shape_text};
use crate::graph::layout::{self, Bonds, Card, Edge, Spacing, Way, group_name};
use crate::graph::skips::{self, SkipKind};
use crate::graph::{Graph, NodeId};
use crate::ops::Kind;
use crate::tensor::{Shape, Unit};

/// One bitmap of a card: `rows`×`cols` elements of the node's value, from `offset` on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MapRect {
    /// Which map (channel); 0 for a vector laid out as a bitmap.
    pub map: usize,
    /// Where, in px of the stage.
    pub rect: Frame,
    /// Rows of units.
    pub rows: usize,
    /// Columns of units.
    pub cols: usize,
    /// First element, within one image.
    pub offset: usize,
}

impl MapRect {
    /// Where row `y`, column `x` is; positions outside the map lie outside its frame.
    pub fn at(&self, y: isize, x: isize) -> Frame {
        let (w, h) = (self.rect.w / self.cols as f32, self.rect.h / self.rows as f32);
        Frame::new(self.rect.x + x as f32 * w, self.rect.y + y as f32 * h, w, h)
    }
}

/// A piece of text in its place; `anchor` at its left end, on the baseline.
#[derive(Clone, PartialEq, Debug)]
pub struct Label {
    /// What it says.
    pub text: String,
    /// Left end, baseline.
    pub at: [f32; 2],
    /// Font size in px.
    pub size: f32,
    /// CSS class: `title`, `op`, `then`, `skips`, `shape`, `params`, `macs`, `field`, `more`, `class`; `skip`, `group`.
    pub class: &'static str,
}

impl Label {
    /// About the room it takes.
    pub fn frame(&self) -> Frame {
        Frame::new(self.at[0], self.at[1] - self.size * 0.8, width(self.class, &self.text, self.size), self.size)
    }
}

/// Whether texts of this class are bold.
fn bold(class: &str) -> bool {
    matches!(class, "title" | "field" | "group")
}

fn width(class: &str, text: &str, size: f32) -> f32 {
    if bold(class) { bold_width(text, size) } else { text_width(text, size) }
}

/// A layer as a slab: as high as the logarithm of its maps' side, as wide as that of their number, in one scale for the whole stage
/// (linear or by roots, a layer of 7×7 would be a line beside one of 224×224).
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Glyph {
    /// Its front.
    pub front: Frame,
    /// How far its back is to the right.
    pub depth: f32,
}

/// An open group's cards in one band.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupBox {
    /// The group's path.
    pub path: String,
    /// Around its cards.
    pub frame: Frame,
    /// Its name, in the first band that has room for it.
    pub label: Option<Label>,
}

impl GroupBox {
    /// Where its name and the button that closes it are, if it begins here.
    pub fn name(&self) -> Option<Frame> {
        self.label.as_ref().map(name_room)
    }
}

fn name_room(label: &Label) -> Frame {
    let wide = bold_width(&label.text, label.size) + label.size * 1.6;
    Frame::new(label.at[0], label.at[1] - label.size * 1.1, wide, label.size * 1.4)
}

/// One card on the stage.
#[derive(Clone, PartialEq, Debug)]
pub struct StageCard {
    /// Its frame in px.
    pub rect: Frame,
    /// What stands on it: `C1`.
    pub title: String,
    /// `Conv2d 5×5 · table`.
    pub op: String,
    /// Its family: colour and CSS class.
    pub kind: Kind,
    /// `6×28×28`.
    pub shape_text: String,
    /// `156 params`; empty where it has none.
    pub params_text: String,
    /// `117,600 MACs`; empty where it has none.
    pub macs_text: String,
    /// `RF 5×5`; empty for the input.
    pub rf_text: String,
    /// All texts in their places, seen from near.
    pub labels: Vec<Label>,
    /// Fewer and larger, seen from farther off.
    pub middle: Vec<Label>,
    /// The title alone, seen from afar.
    pub far: Vec<Label>,
    /// What else is seen from afar.
    pub glyph: Glyph,
    /// Where each tower's maps are; empty for a layer that is not in towers.
    pub towers: Vec<Frame>,
    /// Where every map is; all of them unless `left_out`.
    pub maps: Vec<MapRect>,
    /// Maps that do not fit.
    pub left_out: usize,
    /// For an output of few units: room for a bar beside each unit's cell; else empty.
    pub bars: Vec<Frame>,
    /// Whose value the maps show.
    pub node: NodeId,
    /// The main layer (weights, settings).
    pub layer: NodeId,
    /// All nodes of the card.
    pub nodes: Vec<NodeId>,
    /// Shape of the value shown.
    pub shape: Shape,
    /// The group that this card stands for; `None`: a layer's own card.
    pub folded: Option<String>,
}

impl StageCard {
    /// The element drawn at this map's row and column.
    fn unit(&self, map: &MapRect, row: usize, col: usize) -> Unit {
        self.shape.unit(map.offset + row * map.cols + col)
    }

    /// The map that shows this element, and its row and column there.
    pub fn place(&self, unit: Unit) -> Option<(&MapRect, usize, usize)> {
        if !self.shape.contains(unit) {
            return None;
        }
        let index = self.shape.index(unit);
        let map = self.maps.iter().find(|m| (m.offset..m.offset + m.rows * m.cols).contains(&index))?;
        let inside = index - map.offset;
        Some((map, inside / map.cols, inside % map.cols))
    }
}

/// The whole stage.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stage {
    /// Width and height in px; at most the width asked for (unless one card is wider), but higher where it had to wrap.
    pub size: [f32; 2],
    /// In topological order.
    pub cards: Vec<StageCard>,
    /// Between cards, by position.
    pub edges: Vec<Edge>,
    /// Groups whose cards are shown one by one and could be folded, by path.
    pub open: Vec<String>,
    /// Boxes around them, outer ones first.
    pub boxes: Vec<GroupBox>,
    /// What shortcuts do, in words, on their edges.
    pub notes: Vec<Label>,
}

impl Stage {
    /// The node and unit drawn at this point.
    pub fn hit(&self, x: f32, y: f32) -> Option<(NodeId, Unit)> {
        let card = &self.cards[self.card_at(x, y)?];
        let map = card.maps.iter().find(|m| m.rect.contains(x, y))?;
        let row = ((y - map.rect.y) / map.rect.h * map.rows as f32) as usize;
        let col = ((x - map.rect.x) / map.rect.w * map.cols as f32) as usize;
        Some((card.node, card.unit(map, row.min(map.rows - 1), col.min(map.cols - 1))))
    }

    /// The card at this point.
    pub fn card_at(&self, x: f32, y: f32) -> Option<usize> {
        self.cards.iter().position(|c| c.rect.contains(x, y))
    }

    /// The card that a node belongs to.
    pub fn card_of(&self, node: NodeId) -> Option<usize> {
        self.cards.iter().position(|c| c.nodes.contains(&node))
    }

    /// Where a unit is drawn: the inverse of [`Stage::hit`]. `None` for a map that is left out.
    pub fn unit_rect(&self, node: NodeId, unit: Unit) -> Option<Frame> {
        let card = &self.cards[self.card_of(node)?];
        let (map, row, col) = card.place(unit)?;
        Some(map.at(row as isize, col as isize))
    }
}

/// How a card's value is laid out.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Picture {
    /// Maps in a grid, or in one grid a tower: `shown` of each.
    Maps { cols: usize, rows: usize, shown: usize, towers: usize },
    /// A vector as a bitmap, or as one a tower.
    Bitmap { cols: usize, rows: usize, rest: usize, towers: usize },
    /// Few outputs: a column of cells, a bar beside each.
    Cells,
}

/// Between the maps of a card.
const GUTTER: f32 = 4.0;
/// Between towers.
const APART: f32 = 16.0;
/// Inside a card's border.
const PAD: f32 = 10.0;
/// A vector of at most so many outputs is shown cell by cell.
const CELLS: usize = 20;
/// At most so many maps on a card.
const MAPS: usize = 256;
/// At most so many where there are many in all.
const FEW_MAPS: usize = 36;
/// Beyond so many maps in all there are many.
const MANY_MAPS: usize = 1000;

/// The pair of factors of `n` nearest to a square: (smaller, larger).
fn factors(n: usize) -> (usize, usize) {
    let small = (1..=n).take_while(|d| d * d <= n).filter(|d| n.is_multiple_of(*d)).last().unwrap_or(1);
    (small, n / small)
}

/// Rows and columns of a vector of `n` as a bitmap, higher than wide, and what is left over for a last row.
pub(crate) fn bitmap(n: usize) -> (usize, usize, usize) {
    let (small, large) = factors(n);
    if large <= 3 * small {
        return (large, small, 0);
    }
    let cols = ((n as f64 * 0.75).sqrt().floor() as usize).max(1);
    (n / cols, cols, n % cols)
}

impl Picture {
    fn of(shape: Shape, last: bool, most: usize, towers: usize) -> Self {
        if shape.map() == 1 && shape.c > 1 {
            if last && shape.c <= CELLS {
                return Self::Cells;
            }
            let (rows, cols, rest) = bitmap(shape.c / towers);
            return Self::Bitmap { cols, rows, rest, towers };
        }
        let shown = (shape.c / towers).min(most / towers);
        let (small, large) = factors(shown);
        let side = (shown as f64).sqrt();
        let cols = match towers {
            1 if large <= 2 * small => small,
            1 => side.ceil() as usize,
            // Towers stand one above the other, so each is wider than high.
            _ if large <= 3 * small => large,
            _ => (side * 1.4).ceil() as usize,
        };
        Self::Maps { cols, rows: shown.div_ceil(cols), shown, towers }
    }

    /// Px per unit it may have, ascending: whole multiples, or whole fractions for maps that are large as they are.
    fn scales(self, shape: Shape) -> Vec<f32> {
        match self {
            Self::Cells => (11..=18).map(|s| s as f32).collect(),
            Self::Bitmap { .. } => (2..=12).map(|s| s as f32).collect(),
            Self::Maps { .. } => {
                let largest = shape.h.max(shape.w);
                let fractions = [8usize, 6, 4, 3, 2].into_iter().filter(|d| largest / d >= 24).map(|d| 1.0 / d as f32);
                fractions.chain((1..=16).map(|s| s as f32)).collect()
            }
        }
    }

    /// Width and height at this scale.
    fn size(self, shape: Shape, scale: f32) -> [f32; 2] {
        match self {
            Self::Cells => [LABEL + scale * 1.4 + BAR, shape.c as f32 * (scale + 2.0) - 2.0],
            Self::Bitmap { cols, rows, rest, towers } => {
                let tower = (rows + usize::from(rest > 0)) as f32 * scale;
                [cols as f32 * scale, towers as f32 * (tower + APART) - APART]
            }
            Self::Maps { cols, rows, towers, .. } => {
                let [w, h] = [shape.w, shape.h].map(|n| (n as f32 * scale).round().max(1.0));
                let tower = rows as f32 * (h + GUTTER) - GUTTER;
                [cols as f32 * (w + GUTTER) - GUTTER, towers as f32 * (tower + APART) - APART]
            }
        }
    }

    /// The maps, from this corner on.
    fn maps(self, shape: Shape, scale: f32, [x, y]: [f32; 2]) -> Vec<MapRect> {
        match self {
            Self::Cells => (0..shape.c)
                .map(|i| {
                    let rect = Frame::new(x + LABEL, y + i as f32 * (scale + 2.0), (scale * 1.4).round(), scale);
                    MapRect { map: i, rect, rows: 1, cols: 1, offset: i }
                })
                .collect(),
            Self::Bitmap { cols, rows, rest, towers } => {
                let (w, h) = (cols as f32 * scale, rows as f32 * scale);
                let tower = h + if rest > 0 { scale } else { 0.0 } + APART;
                let parts = (0..towers).flat_map(|t| {
                    let (y, offset) = (y + t as f32 * tower, t * (shape.c / towers));
                    let main = MapRect { map: 0, rect: Frame::new(x, y, w, h), rows, cols, offset };
                    let last = Frame::new(x, y + h, rest as f32 * scale, scale);
                    [main, MapRect { map: 0, rect: last, rows: 1, cols: rest, offset: offset + rows * cols }]
                });
                parts.filter(|m| m.cols > 0).collect()
            }
            Self::Maps { cols, rows, shown, towers } => {
                let [w, h] = [shape.w, shape.h].map(|n| (n as f32 * scale).round().max(1.0));
                let tower = rows as f32 * (h + GUTTER) - GUTTER + APART;
                (0..towers * shown)
                    .map(|i| {
                        let (t, i) = (i / shown, i % shown);
                        let (row, col, map) = ((i / cols) as f32, (i % cols) as f32, t * (shape.c / towers) + i);
                        let top = y + t as f32 * tower;
                        let rect = Frame::new(x + col * (w + GUTTER), top + row * (h + GUTTER), w, h);
                        MapRect { map, rect, rows: shape.h, cols: shape.w, offset: map * shape.map() }
                    })
                    .collect()
            }
        }
    }
}

impl Picture {
    /// Where each tower's maps are, if the picture is `w` × `h` from this corner on.
    fn towers(self, [x, y]: [f32; 2], [w, h]: [f32; 2]) -> Vec<Frame> {
        match self {
            Self::Maps { towers, .. } | Self::Bitmap { towers, .. } if towers > 1 => {
                let step = (h + APART) / towers as f32;
                (0..towers).map(|t| Frame::new(x, y + t as f32 * step, w, step - APART)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Room for a class number before its cell, and for a bar behind it.
const LABEL: f32 = 16.0;
const BAR: f32 = 44.0;

/// What is on a card before it has a place.
struct Draft {
    picture: Picture,
    shape: Shape,
    scales: Vec<f32>,
    scale: usize,
    title: String,
    kind: Kind,
    head: Vec<(&'static str, String, f32)>,
    foot: Vec<(&'static str, String, f32)>,
    /// Parameters and multiply-adds in three digits.
    brief: Vec<(&'static str, String)>,
    left_out: usize,
    font: f32,
}

/// What a card's picture depends on beside its own facts.
#[derive(Clone, Copy)]
struct Circumstances {
    /// Nobody reads it.
    last: bool,
    /// The network has many maps in all.
    many: bool,
    /// It stands in so many towers.
    towers: usize,
}

impl Draft {
    fn new(
        graph: &Graph,
        card: &Card,
        short: &str,
        facts: &Facts,
        at: Circumstances,
        font: f32,
        words: &Words,
    ) -> Self {
        let shape = facts.output;
        let picture = Picture::of(shape, at.last, if at.many { FEW_MAPS } else { MAPS }, at.towers);
        let left_out = match picture {
            Picture::Maps { shown, towers, .. } => shape.c - shown * towers,
            _ => 0,
        };
        let input = facts.kind == Kind::Input;
        let title = if input { words.input.to_string() } else { card.title.clone() };
        let short = if input { title.clone() } else { short.to_string() };
        let op = match &card.folded {
            _ if input => String::new(),
            Some(_) => put(&words.folded, &[&facts.group.map_or(0, |[_, depth]| depth).to_string()]),
            None => describe::label(&graph.nodes()[card.layer].op),
        };
        let skip = |(kind, n): (SkipKind, usize)| {
            let name = kind_name(kind, words);
            put(&words.skip, &[&if n > 1 { format!("{name} × {n}") } else { name.to_string() }])
        };
        let skips: Vec<String> = layout::hidden(graph, card).into_iter().map(skip).collect();
        let text = |template: &str, n: u64| if n == 0 { String::new() } else { put(template, &[&grouped(n)]) };
        let rf = facts.field.map(|f| put(&words.field, &[&format!("{}×{}", f.size[0], f.size[1])]));
        let mut head = vec![("title", short, font + 3.0), ("op", op, font), ("then", facts.then.join(" · "), font)];
        head.extend(skips.into_iter().map(|text| ("skips", text, font)));
        let foot = [
            (
                "more",
                if left_out > 0 { put(&words.maps_left_out, &[&grouped(left_out as u64)]) } else { String::new() },
                font,
            ),
            ("shape", shape_text(shape), font),
            ("params", text(&words.parameters, facts.parameters.value), font),
            ("macs", text(&words.macs, facts.macs.value), font),
            ("field", rf.unwrap_or_default(), font),
        ];
        let brief = |template: &str, n: u64| if n == 0 { String::new() } else { put(template, &[&compact(n)]) };
        let brief = [
            ("params", brief(&words.parameters, facts.parameters.value)),
            ("macs", brief(&words.macs, facts.macs.value)),
        ];
        let filled =
            |lines: &[(&'static str, String, f32)]| lines.iter().filter(|l| !l.1.is_empty()).cloned().collect();
        Self {
            scales: picture.scales(shape),
            scale: 0,
            picture,
            shape,
            title,
            kind: if card.folded.is_some() { Kind::Join } else { facts.kind },
            head: filled(&head),
            foot: filled(&foot),
            brief: brief.into_iter().filter(|l| !l.1.is_empty()).collect(),
            left_out,
            font,
        }
    }

    fn picture_size(&self, scale: usize) -> [f32; 2] {
        self.picture.size(self.shape, self.scales[scale])
    }

    fn lines(lines: &[(&'static str, String, f32)]) -> f32 {
        lines.iter().map(|l| (l.2 * LEADING).round()).sum()
    }

    fn size(&self, scale: usize) -> [f32; 2] {
        let [w, h] = self.picture_size(scale);
        let text = self.head.iter().chain(&self.foot).map(|l| width(l.0, &l.1, l.2)).fold(0f32, f32::max);
        let width = w.max(text).ceil() + 2.0 * PAD;
        [width, (h + Self::lines(&self.head) + Self::lines(&self.foot) + 2.0 * PAD + 10.0).ceil()]
    }

    /// Lines below one another in a frame, in the largest type that fits and is not larger than `most`.
    fn fill(lines: &[(&'static str, String)], frame: Frame, most: f32) -> Vec<Label> {
        let widest = lines.iter().map(|(class, text)| width(class, text, 1.0)).fold(0.01f32, f32::max);
        let leading = 1.18;
        let size = (frame.w / widest).min(frame.h / (lines.len().max(1) as f32 * leading)).min(most);
        let place = |(i, (class, text)): (usize, &(&'static str, String))| {
            let y = frame.y + (i as f32 + 0.5) * size * leading + size * 0.36;
            Label { text: text.clone(), at: [frame.x, y], size, class }
        };
        lines.iter().enumerate().map(place).collect()
    }

    fn finish(self, rect: Frame, card: &Card, op: String) -> StageCard {
        let mut labels = Vec::new();
        let larger = self.font / 12.0;
        let mut y = rect.y + PAD;
        let mut line = |y: &mut f32, (class, text, size): &(&'static str, String, f32)| {
            *y += (size * LEADING).round();
            labels.push(Label {
                text: text.clone(),
                at: [rect.x + PAD, *y - (size * 0.35).round()],
                size: *size,
                class,
            });
        };
        self.head.iter().for_each(|l| line(&mut y, l));
        let mut head = Frame::new(rect.x + PAD, rect.y + 4.0, rect.w - 2.0 * PAD, y - rect.y - 4.0);
        let skips: Vec<_> = self.head.iter().filter(|l| l.0 == "skips").map(|l| (l.0, l.1.clone())).collect();
        let mut middle = Vec::new();
        if !skips.is_empty() {
            let name = head.h * 2.0 / (2 + skips.len()) as f32;
            middle = Self::fill(&skips, Frame { y: head.y + name, h: head.h - name, ..head }, 20.0 * larger);
            head.h = name;
        }
        y += 4.0;
        let [w, h] = self.picture_size(self.scale);
        let x = (rect.x + (rect.w - w) / 2.0).round();
        let scale = self.scales[self.scale];
        let maps = self.picture.maps(self.shape, scale, [x, y]);
        let towers = self.picture.towers([x, y], [w, h]);
        let top = y;
        y += h + 6.0;
        let foot = Frame::new(head.x, y - 3.0, head.w, rect.bottom() - y - 1.0);
        self.foot.iter().for_each(|l| line(&mut y, l));
        // Where a button opens a group, the title leaves it room.
        let button = if self.kind == Kind::Join && card.folded.is_some() { 20.0 } else { 0.0 };
        let find = |class: &str| self.foot.iter().find(|l| l.0 == class).map(|l| (l.0, l.1.clone()));
        middle.extend(Self::fill(
            &[("title", self.head.first().map(|l| l.1.clone()).unwrap_or_default())],
            Frame { w: head.w - button, ..head },
            30.0 * larger,
        ));
        let rows: Vec<_> = find("shape").into_iter().chain(self.brief.clone()).chain(find("field")).collect();
        middle.extend(Self::fill(&rows, foot, 24.0 * larger));
        let name = Frame::new(head.x, rect.y + 6.0, head.w - button, (rect.h * 0.3).min(64.0 * larger));
        let far =
            Self::fill(&[("title", self.head.first().map(|l| l.1.clone()).unwrap_or_default())], name, 54.0 * larger);
        let mut bars = Vec::new();
        if self.picture == Picture::Cells {
            for (i, map) in maps.iter().enumerate() {
                let digits = (maps.len().max(2) - 1).ilog10() as f32 + 1.0;
                let size = self.font.min(scale).min((LABEL - 1.0) / (0.62 * digits));
                let at = [x, top + i as f32 * (scale + 2.0) + scale / 2.0 + size * 0.36];
                labels.push(Label { text: i.to_string(), at, size, class: "class" });
                middle.push(Label { text: i.to_string(), at, size, class: "class" });
                bars.push(Frame::new(map.rect.right() + 4.0, map.rect.y, BAR - 4.0, map.rect.h));
            }
        }
        let text = |class: &str| find(class).map(|l| l.1).unwrap_or_default();
        StageCard {
            rect,
            op,
            kind: self.kind,
            shape_text: text("shape"),
            params_text: text("params"),
            macs_text: text("macs"),
            rf_text: text("field"),
            labels,
            middle,
            far,
            glyph: Glyph::default(),
            towers,
            maps,
            left_out: self.left_out,
            bars,
            node: card.node,
            layer: card.layer,
            nodes: card.nodes.clone(),
            shape: self.shape,
            title: self.title,
            folded: card.folded.clone(),
        }
    }
}

/// Gives each card its slab, in one scale for all: log₂(1 + side) upwards, log₂(1 + channels) to the right.
fn carve(cards: &mut [StageCard]) {
    let side = |c: &StageCard| (1.0 + c.shape.h.max(c.shape.w) as f32).log2();
    let many = |c: &StageCard| (1.0 + c.shape.c as f32).log2();
    let room = |c: &StageCard| {
        let top = c.far.first().map_or(c.rect.y, |l| l.at[1] + l.size * 0.3);
        Frame::new(c.rect.x + PAD, top + 4.0, c.rect.w - 2.0 * PAD, (c.rect.bottom() - PAD - top - 4.0).max(4.0))
    };
    // A slab's back is a quarter of its height to the right and a sixth above.
    let up = cards.iter().map(|c| room(c).h / (side(c) * 1.17)).fold(f32::MAX, f32::min);
    let right = cards.iter().map(|c| (room(c).w - side(c) * up * 0.25).max(8.0) / many(c)).fold(f32::MAX, f32::min);
    for card in cards {
        let (room, h) = (room(card), (side(card) * up).max(3.0));
        let (w, depth) = ((many(card) * right).max(3.0), h * 0.25);
        let x = room.x + (room.w - w - depth) / 2.0;
        let y = room.y + (room.h - h * 1.17) / 2.0 + h * 0.17;
        card.glyph = Glyph { front: Frame::new(x, y, w, h), depth };
    }
}

const LEADING: f32 = 1.36;

/// A network's cards before they have places.
struct Deck<'a> {
    graph: &'a Graph,
    cards: Vec<Card>,
    open: Vec<String>,
    drafts: Vec<Draft>,
    bonds: Bonds,
    /// Some stand in towers.
    towers: bool,
    words: &'a Words,
    /// Size of the type in which groups and shortcuts are named.
    names: f32,
}

/// Room around the whole.
const MARGIN: f32 = 6.0;
/// Between a group's box and what is in it.
const AROUND: f32 = 7.0;

/// Whether a path lies below a group (or is it).
fn below(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A card's title without what its group's box says already: `1x1` of `inception_3a.1x1`.
fn short<'a>(graph: &Graph, card: &'a Card, open: &[String]) -> &'a str {
    let group = &graph.nodes()[card.layer].group;
    let inner = open.iter().filter(|g| below(group, g)).max_by_key(|g| g.len());
    let inside = |group: &String| card.title.strip_prefix(group_name(group))?.strip_prefix('.');
    inner.and_then(inside).unwrap_or(&card.title)
}

impl<'a> Deck<'a> {
    fn new(net: &'a Architecture, font: f32, toggled: &[String], words: &'a Words) -> Self {
        let graph = &net.graph;
        let (cards, open) = layout::folded(graph, toggled);
        let facts = describe::facts(graph, &cards);
        let towers = skips::towers(graph);
        let mut read = vec![false; cards.len()];
        cards.iter().flat_map(|c| &c.inputs).for_each(|&i| read[i] = true);
        let all: usize = facts.iter().filter(|f| f.output.map() > 1).map(|f| f.output.c).sum();
        let many = all > MANY_MAPS;
        let draft = |i: usize| {
            let at = Circumstances { last: !read[i], many, towers: towers[cards[i].node] };
            Draft::new(graph, &cards[i], short(graph, &cards[i], &open), &facts[i], at, font, words)
        };
        let drafts = (0..cards.len()).map(draft).collect();
        let towers = towers.iter().any(|&n| n > 1);
        let mut deck = Self { graph, cards, open, drafts, bonds: Bonds::default(), towers, words, names: font + 1.0 };
        deck.bonds = deck.bind();
        deck
    }

    /// How many boxes lie in one another in an open group, itself included.
    fn nested(&self, group: &str) -> usize {
        let inner = self.open.iter().filter(|g| *g != group && below(g, group)).map(|g| self.nested(g));
        1 + inner.max().unwrap_or(0)
    }

    /// What the placement has to know of shortcuts and groups.
    fn bind(&self) -> Bonds {
        let columns = self.cards.iter().map(|c| c.column + 1).max().unwrap_or(0);
        let (mut heads, mut cuts) = (vec![0f32; self.cards.len()], vec![0; columns]);
        for group in &self.open {
            let within = |i: &usize| below(&self.graph.nodes()[self.cards[*i].layer].group, group);
            let members: Vec<usize> = (0..heads.len()).filter(within).collect();
            let ends = |f: fn(&Card) -> usize| {
                let all = members.iter().map(|&i| f(&self.cards[i]));
                all.fold((usize::MAX, 0), |(least, most), n| (least.min(n), most.max(n)))
            };
            let ((first, last), (top, _)) = (ends(|c| c.column), ends(|c| c.row));
            (first + 1..=last).for_each(|column| cuts[column] += 1);
            for &i in members.iter().filter(|&&i| top > 0 && self.cards[i].row == top) {
                heads[i] += self.names * 1.4 + AROUND;
            }
        }
        Bonds { ways: layout::ways(self.graph, &self.cards), heads, cuts }
    }

    /// Room between cards, at least, and in bands of this width.
    fn spacing(&self, width: f32) -> Spacing {
        let levels = self.open.iter().map(|g| self.nested(g)).max().unwrap_or(0) as f32;
        let line = self.names * 1.4;
        Spacing {
            column: 18.0 + 2.0 * AROUND * levels,
            row: 2.0 * AROUND * levels + self.names.max(36.0),
            // Lines from tower to tower cross there.
            band: if self.towers { 68.0 } else { 40.0 } + 2.0 * AROUND * levels,
            lane: 16f32.max(self.names + 4.0),
            head: levels * (line + AROUND + self.names * 0.6),
            width,
        }
    }

    fn place(&self, spacing: &Spacing, together: bool) -> layout::Placement {
        let sizes: Vec<_> = self.drafts.iter().map(|d| d.size(d.scale)).collect();
        layout::place(&self.cards, &sizes, spacing, &self.bonds, together)
    }

    /// Pictures grow, the smallest first, as long as they fit.
    fn grow(&mut self, fits: impl Fn(&Self, [f32; 2]) -> bool) {
        let mut done = vec![false; self.drafts.len()];
        // Maps need the room more than vectors do: a cell says all it has to say at a few px.
        let side = |d: &Draft| {
            let weight = if matches!(d.picture, Picture::Maps { .. }) { 1.0 } else { 2.2 };
            d.picture_size(d.scale).into_iter().product::<f32>() * weight
        };
        while let Some(i) = (0..done.len())
            .filter(|&i| !done[i])
            .min_by(|&a, &b| side(&self.drafts[a]).total_cmp(&side(&self.drafts[b])))
        {
            let next = self.drafts[i].scale + 1;
            if next >= self.drafts[i].scales.len() {
                done[i] = true;
                continue;
            }
            let size = self.drafts[i].picture_size(next);
            self.drafts[i].scale = next;
            if !fits(self, size) {
                self.drafts[i].scale = next - 1;
                done[i] = true;
            }
        }
    }

    /// Side by side in one band of at most this size; the deck again where they do not fit at their smallest.
    fn band(mut self, width: f32, height: f32) -> Result<Stage, Box<Self>> {
        let room = (width - 2.0 * MARGIN).max(120.0);
        let narrow = self.spacing(f32::INFINITY);
        if self.place(&narrow, true).size[0] > room {
            return Err(Box::new(self));
        }
        self.grow(|deck, _| {
            let size = deck.place(&narrow, true).size;
            size[0] <= room && size[1] <= (height - 2.0 * MARGIN).max(300.0)
        });
        let columns = self.cards.iter().map(|c| c.column + 1).max().unwrap_or(1);
        let spare = (room - self.place(&narrow, true).size[0]) / (columns.max(2) - 1) as f32;
        let spacing = Spacing { column: narrow.column + spare.clamp(0.0, 44.0).floor(), ..narrow };
        let placed = self.place(&spacing, true);
        let [w, h] = placed.size;
        let corner = [((width - w) / 2.0).max(MARGIN).floor(), ((height - h) / 2.0).max(MARGIN).floor()];
        let size = [width.max(w + 2.0 * MARGIN), height.max(h + 2.0 * MARGIN)];
        Ok(self.finish(placed, corner, size))
    }

    /// In bands the picture is not bounded by what there is, so cards have a size of their own.
    fn bands(mut self, width: f32) -> Stage {
        let room = (width - 2.0 * MARGIN).max(120.0);
        self.grow_free((room * 0.43).min(180.0));
        let placed = self.place(&self.spacing(room), false);
        let [w, h] = placed.size;
        let edge = self.edge();
        self.finish(placed, [edge; 2], [width.max(w + 2.0 * edge), h + 2.0 * edge])
    }

    /// Room around the whole: boxes reach beyond their cards.
    fn edge(&self) -> f32 {
        MARGIN + AROUND * self.open.iter().map(|g| self.nested(g)).max().unwrap_or(0) as f32
    }

    fn grow_free(&mut self, limit: f32) {
        self.grow(|_, [w, h]| w <= limit && h <= limit * 1.3);
    }

    fn finish(self, placed: layout::Placement, [left, top]: [f32; 2], size: [f32; 2]) -> Stage {
        let op = |d: &Draft| {
            let told = d.head.iter().filter(|l| matches!(l.0, "op" | "skips")).map(|l| l.1.as_str());
            told.collect::<Vec<_>>().join(", ")
        };
        let frames = placed.frames.iter().map(|f| Frame::new(f.x + left, f.y + top, f.w, f.h));
        let drafts = self.drafts.into_iter().zip(frames).zip(&self.cards);
        let mut cards: Vec<StageCard> = drafts
            .map(|((d, frame), card)| {
                let op = op(&d);
                d.finish(frame, card, op)
            })
            .collect();
        carve(&mut cards);
        let edges = placed.edges.into_iter().map(|mut e| {
            e.points.iter_mut().for_each(|p| *p = [p[0] + left, p[1] + top]);
            e
        });
        let mut stage = Stage { size, cards, edges: edges.collect(), open: self.open, ..Stage::default() };
        stage.box_groups(self.graph, &placed.bands, self.names);
        stage.name_skips(&self.bonds.ways, self.words, (self.names * 0.92).max(10.0));
        stage.part_towers(self.graph, &self.cards);
        stage
    }
}

impl Stage {
    /// A box around the cards of each open group, one a band, and its name where no edge runs.
    fn box_groups(&mut self, graph: &Graph, bands: &[usize], names: f32) {
        let mut open: Vec<(usize, &String)> = self.open.iter().map(|g| (0, g)).collect();
        for (levels, group) in &mut open {
            let path = (*group).clone();
            let chain = |g: &String| self.open.iter().filter(|o| below(g, o) && below(o, &path)).count();
            *levels = self.open.iter().filter(|g| below(g, &path)).map(chain).max().unwrap_or(1);
        }
        open.sort_by_key(|(levels, _)| usize::MAX - levels);
        let runs: Vec<Frame> = self.edges.iter().flat_map(runs).collect();
        for (levels, group) in open {
            let within = |i: &usize| below(&graph.nodes()[self.cards[*i].layer].group, group);
            let members: Vec<usize> = (0..self.cards.len()).filter(within).collect();
            let mut named = false;
            let mut seen: Vec<usize> = members.iter().map(|&i| bands[i]).collect();
            seen.sort_unstable();
            seen.dedup();
            let last = seen.last().copied().unwrap_or(0);
            for band in seen {
                let here = members.iter().filter(|&&i| bands[i] == band).map(|&i| self.cards[i].rect);
                let Some(cards) = here.reduce(Frame::around) else { continue };
                // Shortcuts that end in it run above its cards, wherever they begin.
                let ends =
                    |e: &&Edge| e.skip && members.contains(&e.to) && bands[e.to] == band && bands[e.from] == band;
                let arcs = self.edges.iter().filter(ends).flat_map(|e| &e.points).map(|p| p[1]);
                let top = arcs.fold(cards.y, |top, y| top.min(y - names * 0.6)); // and are named
                let around = Frame::new(cards.x, top, cards.w, cards.bottom() - top);
                let (pad, head) = (levels as f32 * AROUND, levels as f32 * names * 1.4);
                let inner = around.grow(pad);
                let frame = Frame::new(inner.x, inner.y - head, inner.w, inner.h + head);
                // Its name: where no edge runs, in smaller type or in another band if need be.
                let name = |size: f32, t: f32| {
                    let text = group_name(group).to_string();
                    let wide = bold_width(&text, size) + size * 1.6; // and a button that closes it
                    let x = frame.x + 6.0 + t * (frame.w - wide - 12.0).max(0.0);
                    Label { text, at: [x, frame.y + size * 1.1], size, class: "group" }
                };
                let free = |label: &Label| {
                    let taken = name_room(label).grow(1.0);
                    !runs.iter().any(|r| r.overlaps(taken))
                };
                let sizes = [1.0, 0.8, 0.6].map(|s| names * s);
                let spots = sizes.into_iter().flat_map(|size| [0.0, 1.0, 0.5, 0.25, 0.75].map(|t| name(size, t)));
                let label = spots.filter(|_| !named).find(free);
                let label = label.or_else(|| (!named && band == last).then(|| name(names, 0.0)));
                named |= label.is_some();
                self.boxes.push(GroupBox { path: group.clone(), frame, label });
            }
        }
    }

    /// Writes on each shortcut what it does, where nothing else is.
    fn name_skips(&mut self, ways: &[Way], words: &Words, size: f32) {
        let lines: Vec<(&Edge, Vec<Frame>)> = self.edges.iter().map(|e| (e, runs(e))).collect();
        let mut notes: Vec<Label> = Vec::new();
        for way in ways {
            let own = |e: &Edge| way.stops.windows(2).any(|s| s == [e.from, e.to]);
            let text = kind_name(way.kind, words);
            let clear = |label: &Label| {
                let at = label.frame().grow(1.0);
                let cards = self.cards.iter().map(|c| c.rect).chain(self.boxes.iter().filter_map(GroupBox::name));
                let others = lines.iter().filter(|(e, _)| !own(e)).flat_map(|(_, runs)| runs).copied();
                !cards.chain(notes.iter().map(|l| l.frame().grow(1.0))).chain(others).any(|f| f.overlaps(at))
            };
            let mut spots: Vec<(f32, [f32; 2])> = Vec::new();
            for (edge, _) in lines.iter().filter(|(e, _)| own(e)) {
                // On its line, where that is level and away from its ends.
                let trace = edge.trace();
                let ends = [trace[0], trace[trace.len() - 1]];
                for run in trace.windows(2) {
                    let [dx, dy] = [0, 1].map(|i| (run[1][i] - run[0][i]).abs());
                    for t in [0.5, 0.25, 0.75, 0.1, 0.9] {
                        let at = [0, 1].map(|i| run[0][i] + (run[1][i] - run[0][i]) * t);
                        let far = ends.map(|e| (at[0] - e[0]).hypot(at[1] - e[1]) / text_width(text, size));
                        spots.push((dy / (dx + dy).max(0.1) - far[0].min(far[1]).min(1.0), at));
                    }
                }
            }
            spots.sort_by(|a, b| a.0.total_cmp(&b.0));
            let sizes = [1.0, 0.85, 0.7].map(|s| (size * s).max(10.0));
            let label = sizes.into_iter().find_map(|size| {
                let wide = text_width(text, size);
                let at = |&(_, [x, y]): &(f32, [f32; 2])| Label {
                    text: text.to_string(),
                    at: [x - wide / 2.0, y + size * 0.32],
                    size,
                    class: "skip",
                };
                spots.iter().map(at).find(clear)
            });
            notes.extend(label);
        }
        self.notes = notes;
    }

    /// Lets edges between towers run from tower to tower: to its own, or to each where the layer sees all.
    fn part_towers(&mut self, graph: &Graph, cards: &[Card]) {
        for edge in &mut self.edges {
            let (a, b) = (&self.cards[edge.from], &self.cards[edge.to]);
            let [n, m] = [a, b].map(|c| c.towers.len().max(1));
            if n.max(m) == 1 {
                continue;
            }
            let apart = n == m && skips::stays_apart(graph, cards[edge.to].nodes[0]);
            let (from, to) = (&cards[edge.from], &cards[edge.to]);
            if (from.column + 1, from.row) == (to.column, to.row) && a.rect.right() < b.rect.x {
                let y = |c: &StageCard, own: usize, other: usize| match c.towers.get(own) {
                    Some(tower) => tower.centre()[1],
                    None => c.rect.centre()[1] + (other as f32 - 0.5) * 10.0,
                };
                let pairs = (0..n).flat_map(|i| (0..m).map(move |j| (i, j))).filter(|(i, j)| !apart || i == j);
                edge.strands = pairs.map(|(i, j)| vec![[a.rect.right(), y(a, i, j)], [b.rect.x, y(b, j, i)]]).collect();
            } else {
                // Beside one another on the way into another band; before the card from each tower to each that sees it.
                let last = edge.points.len() - 1;
                let [before, end] = [edge.points[last - 1], edge.points[last]];
                let fall = end[1] - before[1];
                let apart = apart || before[0] != end[0] || fall < 18.0;
                let aside = |i: usize, of: usize, by: f32| if of > 1 { (i as f32 - 0.5) * by } else { 0.0 };
                let strand = |(i, j): (usize, usize)| {
                    let by = aside(i, n.max(if apart { m } else { 1 }), 6.0);
                    let shift =
                        |(k, p): (usize, &[f32; 2])| [p[0] + by, if k == 0 || k == last { p[1] } else { p[1] + by }];
                    let mut line: Vec<[f32; 2]> = edge.points.iter().enumerate().map(shift).collect();
                    if !apart {
                        // The first third straight, then across.
                        line[last] = [end[0] + aside(j, m, 28f32.min(b.rect.w / 2.0)), end[1]];
                        line.insert(last, [before[0] + aside(i, n, 28f32.min(b.rect.w / 2.0)), before[1] + fall * 0.3]);
                        line[last - 1][0] = line[last][0];
                    }
                    line
                };
                let pairs = (0..n).flat_map(|i| (0..m).map(move |j| (i, j)));
                edge.strands = match apart {
                    true => (0..n.max(m)).map(|i| strand((i, i))).collect(),
                    false => pairs.map(strand).collect(),
                };
            }
        }
    }
}

/// What a shortcut's kind is called.
fn kind_name(kind: SkipKind, words: &Words) -> &str {
    match kind {
        SkipKind::Identity => &words.identity,
        SkipKind::Projection => &words.projection,
        SkipKind::Padded => &words.padded,
    }
}

/// A straight run of an edge, as a frame.
fn run(ends: &[[f32; 2]]) -> Frame {
    let dot = |p: [f32; 2]| Frame::new(p[0], p[1], 0.1, 0.1);
    dot(ends[0]).around(dot(ends[1]))
}

/// What an edge passes, stretch by stretch.
fn runs(edge: &Edge) -> Vec<Frame> {
    edge.trace().windows(2).map(run).collect()
}

/// An edge as the data of a path.
pub(crate) fn path(edge: &Edge, radius: f32) -> String {
    if !edge.curved {
        return rounded(&edge.points, radius);
    }
    let at = |p: &[f32; 2]| format!("{} {}", px(p[0]), px(p[1]));
    let pieces = edge.points[1..].chunks(3).map(|p| format!("C{}", p.iter().map(at).collect::<Vec<_>>().join(" ")));
    format!("M{}{}", at(&edge.points[0]), pieces.collect::<String>())
}

fn font(width: f32) -> f32 {
    if width >= 1500.0 { 14.0 } else { 12.0 }
}

/// Lays a network out on a page of this width and height (px). Cards grow, the smallest picture first, while the row fits;
/// where it does not fit at its smallest, it wraps into bands and the stage becomes higher than asked.
/// Groups named in `toggled` are folded or opened other than they are at first ([`layout::folded`]).
pub fn stage(net: &Architecture, width: f32, height: f32, toggled: &[String], words: &Words) -> Stage {
    match Deck::new(net, font(width), toggled, words).band(width, height) {
        Ok(stage) => stage,
        Err(deck) => deck.bands(width),
    }
}

/// A band is worth being seen at this zoom, rather than wrapped.
const SHRINK: f32 = 1.0 / 1.4;

/// Lays a network out to be seen through a viewport of this size (px): in one band where that can be read as a whole (a little
/// smaller than it is, if need be), else in as many bands as make the whole appear largest. `font`: size of its type in px.
pub fn surface(net: &Architecture, [width, height]: [f32; 2], font: f32, toggled: &[String], words: &Words) -> Stage {
    let type_scale = font / 12.0;
    let deck = Deck::new(net, font, toggled, words);
    let least = deck.place(&deck.spacing(f32::INFINITY), true).size[0] + 2.0 * MARGIN;
    let wider = (least / width).max(1.0);
    let mut deck = if wider * SHRINK <= 1.0 {
        match deck.band((width * wider).ceil(), (height * wider).ceil()) {
            Ok(mut stage) => {
                // What is not needed of the height is left to the page.
                let frames = stage.cards.iter().map(|c| c.rect).chain(stage.boxes.iter().map(|b| b.frame));
                let runs = stage.edges.iter().flat_map(runs);
                let all = frames.chain(runs).reduce(Frame::around).unwrap_or_default();
                let up = (all.y - 2.0 * MARGIN).floor();
                stage.lift(up);
                stage.size[1] = (all.bottom() - up + 2.0 * MARGIN).ceil();
                return stage;
            }
            Err(deck) => *deck,
        }
    } else {
        deck
    };
    // Small pictures: what is seen as a whole is to be read as a whole, and one can go nearer.
    deck.grow_free(120.0 * type_scale);
    let widest = deck.drafts.iter().map(|d| d.size(d.scale)[0]).fold(0f32, f32::max);
    let edge = deck.edge();
    let zoom = |[w, h]: [f32; 2]| (width / (w + 2.0 * edge)).min(height / (h + 2.0 * edge));
    let best = |deck: &Deck<'_>| {
        let whole = deck.place(&deck.spacing(f32::INFINITY), true).size[0];
        let best = |together: bool| {
            let tried = (2..=24).map(|half| {
                let room = (whole * 2.0 / half as f32 + widest * 0.5).max(widest).ceil();
                deck.place(&deck.spacing(room), together)
            });
            tried.max_by(|a, b| zoom(a.size).total_cmp(&zoom(b.size))).unwrap_or_default()
        };
        // Groups are cut by the ends of bands only where all would be much smaller otherwise.
        let (whole, cut) = (best(true), best(false));
        if zoom(whole.size) >= zoom(cut.size) * 0.85 { whole } else { cut }
    };
    let mut placed = best(&deck);
    if !deck.open.is_empty() {
        // Names of groups are read from as far as the whole is seen.
        deck.names = (11.0 * type_scale / zoom(placed.size)).clamp(deck.names, 36.0 * type_scale);
        deck.bonds = deck.bind();
        placed = best(&deck);
    }
    let [w, h] = placed.size;
    deck.finish(placed, [edge; 2], [w + 2.0 * edge, h + 2.0 * edge])
}

impl Stage {
    /// Moves all of it up.
    fn lift(&mut self, by: f32) {
        for card in &mut self.cards {
            let frames = [&mut card.rect, &mut card.glyph.front].into_iter();
            let frames = frames.chain(card.maps.iter_mut().map(|m| &mut m.rect)).chain(&mut card.towers);
            frames.chain(&mut card.bars).for_each(|f| f.y -= by);
            let labels = card.labels.iter_mut().chain(&mut card.middle).chain(&mut card.far);
            labels.for_each(|l| l.at[1] -= by);
        }
        for edge in &mut self.edges {
            edge.points.iter_mut().chain(edge.strands.iter_mut().flatten()).for_each(|p| p[1] -= by);
        }
        self.boxes.iter_mut().for_each(|b| b.frame.y -= by);
        let names = self.boxes.iter_mut().filter_map(|b| b.label.as_mut());
        names.chain(&mut self.notes).for_each(|l| l.at[1] -= by);
    }
}

/// The stage's static layer as one sees it from near: boxes of groups, card frames, labels, edges, and a faint place for every map.
pub fn to_svg(stage: &Stage, title: &str) -> Drawing {
    draw(stage, title, false)
}

/// The same with what is seen from farther off, in groups of the classes `near`, `middle` and `far`, of which the style sheet shows one.
pub fn to_svg_at_levels(stage: &Stage, title: &str) -> Drawing {
    draw(stage, title, true)
}

fn arrow(svg: &mut Svg, points: &[[f32; 2]]) {
    if let [.., a, b] = points {
        // The arrow's head lies along the last run.
        let length = (b[0] - a[0]).hypot(b[1] - a[1]).max(1e-3);
        let (dx, dy) = ((b[0] - a[0]) / length, (b[1] - a[1]) / length);
        let back = [b[0] - dx * 7.0, b[1] - dy * 7.0];
        let [p, q] = [[back[0] - dy * 3.5, back[1] + dx * 3.5], [back[0] + dy * 3.5, back[1] - dx * 3.5]];
        let points = [*b, p, q].map(|p| format!("{} {}", px(p[0]), px(p[1])));
        svg.path(
            &format!("M{}L{}L{}Z", points[0], points[1], points[2]),
            &format!(r#"class="arrow" fill="{MUTED}" stroke="none""#),
        );
    }
}

fn write(svg: &mut Svg, label: &Label) {
    let fill = match label.class {
        "title" | "shape" | "class" => INK,
        "field" => FIELD,
        _ => MUTED,
    };
    let weight = if bold(label.class) { r#" font-weight="600""# } else { "" };
    // What stands on a line stands in the middle of its gap, whatever the font.
    let (x, anchor) = match label.class {
        "skip" => (label.frame().centre()[0], r#" text-anchor="middle""#),
        _ => (label.at[0], ""),
    };
    let look = format!(r#"class="{}" fill="{fill}"{weight}{anchor}"#, label.class);
    svg.text([x, label.at[1]], label.size, &label.text, &look);
}

fn slab(svg: &mut Svg, Glyph { front: f, depth: d }: Glyph, kind: Kind) {
    let (up, fill) = (d * 0.66, colour(kind));
    let shape = |points: [[f32; 2]; 4]| {
        let p = points.map(|p| format!("{} {}", px(p[0]), px(p[1])));
        format!("M{}L{}L{}L{}Z", p[0], p[1], p[2], p[3])
    };
    let (r, b) = (f.right(), f.bottom());
    let top = shape([[f.x, f.y], [f.x + d, f.y - up], [r + d, f.y - up], [r, f.y]]);
    let side = shape([[r, f.y], [r + d, f.y - up], [r + d, b - up], [r, b]]);
    svg.rect(f, &format!(r#"class="front" fill="{fill}" fill-opacity=".85""#));
    svg.path(&top, &format!(r#"class="top" fill="{fill}" fill-opacity=".5""#));
    svg.path(&side, &format!(r#"class="side" fill="{fill}" fill-opacity=".65""#));
}

fn draw(stage: &Stage, title: &str, levels: bool) -> Drawing {
    let mut svg = Svg::new();
    for group in &stage.boxes {
        svg.rect(
            group.frame,
            &format!(
                r#"class="group-box" rx="10" fill="{MUTED}" fill-opacity=".06" stroke="{MUTED}" stroke-opacity=".45""#
            ),
        );
    }
    svg.raw(r#"<g class="edges" fill="none">"#);
    for edge in &stage.edges {
        let kind = edge.kind.map(|k| format!(" {}", k.name())).unwrap_or_default();
        let skip = if edge.skip { " skip" } else { "" };
        let dashes = match edge.kind {
            None => r#"stroke-width="1.5""#,
            Some(SkipKind::Identity) => r#"stroke-width="2.5""#,
            Some(SkipKind::Projection) => r#"stroke-width="2.5" stroke-dasharray="8 4""#,
            Some(SkipKind::Padded) => r#"stroke-width="2.5" stroke-dasharray="2.5 4""#,
        };
        let own = [edge.points.clone()];
        let lines = if edge.strands.is_empty() { &own[..] } else { &edge.strands };
        let d: String = if edge.strands.is_empty() {
            path(edge, if edge.kind.is_some() { 24.0 } else { 8.0 })
        } else {
            lines.iter().map(|line| rounded(line, 8.0)).collect()
        };
        svg.path(&d, &format!(r#"class="edge{skip}{kind}" stroke="{MUTED}" stroke-opacity=".7" {dashes}"#));
        lines.iter().for_each(|line| arrow(&mut svg, line));
    }
    svg.raw("</g>");
    for card in &stage.cards {
        svg.raw(&format!(r#"<g class="card {}" data-node="{}">"#, class(card.kind), card.node));
        let r = card.rect;
        svg.rect(r, &format!(r#"class="frame" rx="8" fill="{PAPER}" stroke="{LINE}""#));
        let [x0, x1, y, y8] = [r.x + 0.5, r.right() - 0.5, r.y + 1.0, r.y + 8.0].map(px);
        let (a, b) = (px(r.x + 7.0), px(r.right() - 7.0));
        let d = format!("M{x0} {y8}Q{x0} {y} {a} {y}L{b} {y}Q{x1} {y} {x1} {y8}");
        svg.path(&d, &format!(r#"class="stripe" fill="none" stroke="{}" stroke-width="3""#, colour(card.kind)));
        let place = |f: Frame| format!("M{} {}h{}v{}h-{}z", px(f.x), px(f.y), px(f.w), px(f.h), px(f.w));
        let places: String = card.maps.iter().map(|m| place(m.rect)).collect();
        svg.path(&places, &format!(r#"class="map" fill="{LINE}" fill-opacity=".35""#));
        for pair in card.towers.windows(2) {
            let y = (pair[0].bottom() + pair[1].y) / 2.0;
            let ends = [[r.x + 1.0, y], [r.right() - 1.0, y]];
            svg.line(ends[0], ends[1], &format!(r#"class="apart" stroke="{MUTED}" stroke-dasharray="3 3""#));
        }
        if !levels {
            card.labels.iter().for_each(|label| write(&mut svg, label));
        }
        svg.raw("</g>");
    }
    let names = stage.boxes.iter().filter_map(|b| b.label.as_ref());
    names.for_each(|label| write(&mut svg, label));
    let notes = |svg: &mut Svg| {
        for note in &stage.notes {
            svg.rect(note.frame().grow(2.0), &format!(r#"class="note-back" rx="4" fill="{STAGE}""#));
            write(svg, note);
        }
    };
    if levels {
        svg.raw(r#"<g class="near">"#);
        stage.cards.iter().flat_map(|c| &c.labels).for_each(|label| write(&mut svg, label));
        svg.raw(r#"</g><g class="middle">"#);
        stage.cards.iter().flat_map(|c| &c.middle).for_each(|label| write(&mut svg, label));
        svg.raw("</g>");
        notes(&mut svg);
        svg.raw(r#"<g class="far">"#);
        for card in &stage.cards {
            slab(&mut svg, card.glyph, card.kind);
            card.far.iter().for_each(|label| write(&mut svg, label));
        }
        svg.raw("</g>");
    } else {
        notes(&mut svg);
    }
    let told: Vec<String> = stage
        .cards
        .iter()
        .map(|c| {
            [&c.title, &c.op, &c.shape_text, &c.params_text, &c.rf_text]
                .into_iter()
                .filter(|t| !t.is_empty())
                .cloned()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    svg.finish(stage.size[0], stage.size[1], "stage", title, &told.join("; "))
}
