//! The network as the page's stage: cards with every feature map in its place, labels, edges; which unit is under the pointer,
//! and where a unit is. Knows graphs; no network by name, no page.

use super::{Drawing, FIELD, Frame, INK, LINE, MUTED, PAPER, Svg, Words, class, colour, put, px, rounded, text_width};
use crate::arch::Architecture;
use crate::graph::describe::{self, Facts, grouped, shape_text};
use crate::graph::layout::{self, Card, Edge, Spacing};
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
    /// CSS class: `title`, `op`, `then`, `shape`, `params`, `macs`, `field`, `more`, `class`.
    pub class: &'static str,
}

impl Label {
    /// About the room it takes.
    pub fn frame(&self) -> Frame {
        Frame::new(self.at[0], self.at[1] - self.size * 0.8, text_width(&self.text, self.size), self.size)
    }
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
    /// All texts in their places.
    pub labels: Vec<Label>,
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
    /// Maps in a grid.
    Maps { cols: usize, rows: usize, shown: usize },
    /// A vector as a bitmap.
    Bitmap { cols: usize, rows: usize, rest: usize },
    /// Few outputs: a column of cells, a bar beside each.
    Cells,
}

/// Between the maps of a card.
const GUTTER: f32 = 4.0;
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
    fn of(shape: Shape, last: bool, most: usize) -> Self {
        if shape.map() == 1 && shape.c > 1 {
            if last && shape.c <= CELLS {
                return Self::Cells;
            }
            let (rows, cols, rest) = bitmap(shape.c);
            return Self::Bitmap { cols, rows, rest };
        }
        let shown = shape.c.min(most);
        let (small, large) = factors(shown);
        let cols = if large <= 2 * small { small } else { (shown as f64).sqrt().ceil() as usize };
        Self::Maps { cols, rows: shown.div_ceil(cols), shown }
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
            Self::Bitmap { cols, rows, rest } => [cols as f32 * scale, (rows + usize::from(rest > 0)) as f32 * scale],
            Self::Maps { cols, rows, .. } => {
                let [w, h] = [shape.w, shape.h].map(|n| (n as f32 * scale).round().max(1.0));
                [cols as f32 * (w + GUTTER) - GUTTER, rows as f32 * (h + GUTTER) - GUTTER]
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
            Self::Bitmap { cols, rows, rest } => {
                let (w, h) = (cols as f32 * scale, rows as f32 * scale);
                let main = MapRect { map: 0, rect: Frame::new(x, y, w, h), rows, cols, offset: 0 };
                let last = Frame::new(x, y + h, rest as f32 * scale, scale);
                let last = MapRect { map: 0, rect: last, rows: 1, cols: rest, offset: rows * cols };
                if rest > 0 { vec![main, last] } else { vec![main] }
            }
            Self::Maps { cols, shown, .. } => {
                let [w, h] = [shape.w, shape.h].map(|n| (n as f32 * scale).round().max(1.0));
                (0..shown)
                    .map(|map| {
                        let (row, col) = ((map / cols) as f32, (map % cols) as f32);
                        let rect = Frame::new(x + col * (w + GUTTER), y + row * (h + GUTTER), w, h);
                        MapRect { map, rect, rows: shape.h, cols: shape.w, offset: map * shape.map() }
                    })
                    .collect()
            }
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
    left_out: usize,
}

impl Draft {
    fn new(graph: &Graph, card: &Card, facts: &Facts, [last, many]: [bool; 2], font: f32, words: &Words) -> Self {
        let shape = facts.output;
        let picture = Picture::of(shape, last, if many { FEW_MAPS } else { MAPS });
        let left_out = match picture {
            Picture::Maps { shown, .. } => shape.c - shown,
            _ => 0,
        };
        let input = facts.kind == Kind::Input;
        let title = if input { words.input.to_string() } else { card.title.clone() };
        let layers = |id: &&NodeId| !graph.params()[graph.params_of(**id)].is_empty();
        let op = match &card.folded {
            _ if input => String::new(),
            Some(_) => put(&words.folded, &[&card.nodes.iter().filter(layers).count().to_string()]),
            None => describe::label(&graph.nodes()[card.layer].op),
        };
        let text = |template: &str, n: u64| if n == 0 { String::new() } else { put(template, &[&grouped(n)]) };
        let rf = facts.field.map(|f| put(&words.field, &[&format!("{}×{}", f.size[0], f.size[1])]));
        let head = [("title", title.clone(), font + 3.0), ("op", op, font), ("then", facts.then.join(" · "), font)];
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
            left_out,
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
        let text = self.head.iter().chain(&self.foot).map(|l| text_width(&l.1, l.2)).fold(0f32, f32::max);
        let width = w.max(text).ceil() + 2.0 * PAD;
        [width, (h + Self::lines(&self.head) + Self::lines(&self.foot) + 2.0 * PAD + 10.0).ceil()]
    }

    fn finish(self, rect: Frame, card: &Card, op: String) -> StageCard {
        let mut labels = Vec::new();
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
        y += 4.0;
        let [w, h] = self.picture_size(self.scale);
        let x = (rect.x + (rect.w - w) / 2.0).round();
        let scale = self.scales[self.scale];
        let maps = self.picture.maps(self.shape, scale, [x, y]);
        let top = y;
        y += h + 6.0;
        self.foot.iter().for_each(|l| line(&mut y, l));
        let mut bars = Vec::new();
        if self.picture == Picture::Cells {
            for (i, map) in maps.iter().enumerate() {
                let size = 12f32.min(scale);
                let at = [x, top + i as f32 * (scale + 2.0) + scale / 2.0 + size * 0.36];
                labels.push(Label { text: i.to_string(), at, size, class: "class" });
                bars.push(Frame::new(map.rect.right() + 4.0, map.rect.y, BAR - 4.0, map.rect.h));
            }
        }
        let text = |class: &str| self.foot.iter().find(|l| l.0 == class).map(|l| l.1.clone()).unwrap_or_default();
        StageCard {
            rect,
            op,
            kind: self.kind,
            shape_text: text("shape"),
            params_text: text("params"),
            macs_text: text("macs"),
            rf_text: text("field"),
            labels,
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

const LEADING: f32 = 1.36;

/// Lays a network out on a page of this width and height (px). Cards grow, the smallest picture first, while the row fits;
/// where it does not fit at its smallest, it wraps into bands and the stage becomes higher than asked.
/// Groups named in `toggled` are folded or opened other than they are at first ([`layout::folded`]).
pub fn stage(net: &Architecture, width: f32, height: f32, toggled: &[String], words: &Words) -> Stage {
    let graph = &net.graph;
    let (cards, open) = layout::folded(graph, toggled);
    let facts = describe::facts(graph, &cards);
    let font = if width >= 1500.0 { 14.0 } else { 12.0 };
    let read: Vec<bool> = (0..cards.len()).map(|i| cards.iter().any(|c| c.inputs.contains(&i))).collect();
    let all: usize = facts.iter().filter(|f| f.output.map() > 1).map(|f| f.output.c).sum();
    let many = all > MANY_MAPS;
    let draft = |i: usize| Draft::new(graph, &cards[i], &facts[i], [!read[i], many], font, words);
    let mut drafts: Vec<Draft> = (0..cards.len()).map(draft).collect();

    let columns = cards.iter().map(|c| c.column + 1).max().unwrap_or(1);
    let margin = 6.0;
    let room = (width - 2.0 * margin).max(120.0);
    let narrow = Spacing { column: 18.0, row: 36.0, lane: 16.0, width: f32::INFINITY };
    let sizes = |drafts: &[Draft]| drafts.iter().map(|d| d.size(d.scale)).collect::<Vec<_>>();
    let total = |drafts: &[Draft]| layout::place(&cards, &sizes(drafts), &narrow).size;
    let one_band = total(&drafts)[0] <= room;
    // In bands the page scrolls, so pictures have a size of their own instead of filling what there is.
    let limit = if one_band { f32::INFINITY } else { (room * 0.43).min(180.0) };
    let mut done = vec![false; drafts.len()];
    while let Some(i) = (0..drafts.len()).filter(|&i| !done[i]).min_by(|&a, &b| {
        // Maps need the room more than vectors do: a cell says all it has to say at a few px.
        let side = |i: usize| {
            let weight = if matches!(drafts[i].picture, Picture::Maps { .. }) { 1.0 } else { 2.2 };
            drafts[i].picture_size(drafts[i].scale).into_iter().product::<f32>() * weight
        };
        side(a).total_cmp(&side(b))
    }) {
        let next = drafts[i].scale + 1;
        if next >= drafts[i].scales.len() {
            done[i] = true;
            continue;
        }
        let [w, h] = drafts[i].picture_size(next);
        drafts[i].scale = next;
        let fits = if one_band {
            let size = total(&drafts);
            size[0] <= room && size[1] <= (height - 2.0 * margin).max(300.0)
        } else {
            w <= limit && h <= limit * 1.3
        };
        if !fits {
            drafts[i].scale = next - 1;
            done[i] = true;
        }
    }
    let used = total(&drafts)[0];
    let spare = if one_band && columns > 1 { (room - used) / (columns - 1) as f32 } else { 0.0 };
    let spacing = Spacing {
        column: narrow.column + spare.clamp(0.0, 44.0).floor(),
        width: if one_band { f32::INFINITY } else { room },
        ..narrow
    };
    let placed = layout::place(&cards, &sizes(&drafts), &spacing);
    let [w, h] = placed.size;
    let left = if one_band { ((width - w) / 2.0).max(margin).floor() } else { margin };
    let top = if one_band { ((height - h) / 2.0).max(margin).floor() } else { margin };
    let shift = |f: Frame| Frame::new(f.x + left, f.y + top, f.w, f.h);
    let labels: Vec<String> =
        drafts.iter().map(|d| d.head.iter().find(|l| l.0 == "op").map(|l| l.1.clone()).unwrap_or_default()).collect();
    let stage_cards = drafts.into_iter().zip(labels).enumerate();
    let stage_cards = stage_cards.map(|(i, (d, op))| d.finish(shift(placed.frames[i]), &cards[i], op)).collect();
    let edges = placed.edges.into_iter().map(|mut e| {
        e.points.iter_mut().for_each(|p| *p = [p[0] + left, p[1] + top]);
        e
    });
    let size = if one_band {
        [width.max(w + 2.0 * margin), height.max(h + 2.0 * margin)]
    } else {
        [width.max(w + 2.0 * margin), h + 2.0 * margin]
    };
    Stage { size, cards: stage_cards, edges: edges.collect(), open }
}

/// The stage's static layer: card frames, labels, edges, and a faint place for every map.
pub fn to_svg(stage: &Stage, title: &str) -> Drawing {
    let mut svg = Svg::new();
    svg.raw(r#"<g class="edges" fill="none">"#);
    for edge in &stage.edges {
        let skip = if edge.skip { " skip" } else { "" };
        svg.path(
            &rounded(&edge.points, 8.0),
            &format!(r#"class="edge{skip}" stroke="{MUTED}" stroke-opacity=".6" stroke-width="1.5""#),
        );
        if let [.., a, b] = edge.points[..] {
            // The arrow's head lies along the last run.
            let length = (b[0] - a[0]).hypot(b[1] - a[1]).max(1e-3);
            let (dx, dy) = ((b[0] - a[0]) / length, (b[1] - a[1]) / length);
            let back = [b[0] - dx * 7.0, b[1] - dy * 7.0];
            let [p, q] = [[back[0] - dy * 3.5, back[1] + dx * 3.5], [back[0] + dy * 3.5, back[1] - dx * 3.5]];
            let points = [b, p, q].map(|p| format!("{} {}", px(p[0]), px(p[1])));
            svg.path(
                &format!("M{}L{}L{}Z", points[0], points[1], points[2]),
                &format!(r#"class="arrow" fill="{MUTED}" stroke="none""#),
            );
        }
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
        for map in &card.maps {
            svg.rect(map.rect, &format!(r#"class="map" fill="{LINE}" fill-opacity=".35""#));
        }
        for label in &card.labels {
            let fill = match label.class {
                "title" => INK,
                "field" => FIELD,
                "shape" | "class" => INK,
                _ => MUTED,
            };
            let weight = if matches!(label.class, "title" | "field") { r#" font-weight="600""# } else { "" };
            svg.text(label.at, label.size, &label.text, &format!(r#"class="{}" fill="{fill}"{weight}"#, label.class));
        }
        svg.raw("</g>");
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
