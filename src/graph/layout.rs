//! Where a network's layers stand in a diagram: cards, columns, rows, routed edges. A fold over the graph; knows no network and
//! no page, only how large each card wants to be.

use super::skips::{self, SkipKind};
use super::{Graph, Node, NodeId};
use crate::ops::{Kind, Layer, Reach};

/// A rectangle in px: left, top, width, height.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Frame {
    /// Left.
    pub x: f32,
    /// Top.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Frame {
    /// Left, top, width, height.
    pub const fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w, h }
    }

    /// Right edge.
    pub fn right(self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge.
    pub fn bottom(self) -> f32 {
        self.y + self.h
    }

    /// Middle.
    pub fn centre(self) -> [f32; 2] {
        [self.x + self.w / 2.0, self.y + self.h / 2.0]
    }

    /// Whether the point lies in it (left and top edge included).
    pub fn contains(self, x: f32, y: f32) -> bool {
        x >= self.x && x < self.right() && y >= self.y && y < self.bottom()
    }

    /// Whether the two share area.
    pub fn overlaps(self, other: Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    /// The smallest frame around both.
    pub fn around(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self { x, y, w: self.right().max(other.right()) - x, h: self.bottom().max(other.bottom()) - y }
    }

    /// The part of it in `[0, size)`.
    pub fn within(self, size: [f32; 2]) -> Self {
        let (x, y) = (self.x.clamp(0.0, size[0]), self.y.clamp(0.0, size[1]));
        Self { x, y, w: self.right().clamp(x, size[0].max(x)) - x, h: self.bottom().clamp(y, size[1].max(y)) - y }
    }

    /// Larger by `by` on every side.
    pub fn grow(self, by: f32) -> Self {
        Self { x: self.x - by, y: self.y - by, w: self.w + 2.0 * by, h: self.h + 2.0 * by }
    }
}

/// One picture of the diagram: a layer with the pointwise layers behind it that only it feeds (conv + bn + relu), and a
/// flattening before it, which has no picture of its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Card {
    /// What stands on it: the paper's group where it holds just this card (`C1`), else the layer's name.
    pub title: String,
    /// The layer that the card is named and coloured after.
    pub layer: NodeId,
    /// Whose value it shows: the last.
    pub node: NodeId,
    /// All its nodes, in order.
    pub nodes: Vec<NodeId>,
    /// Cards it reads, by position; all smaller than its own.
    pub inputs: Vec<usize>,
    /// Longest path from an input, in cards.
    pub column: usize,
    /// 0: the main line; branches below.
    pub row: usize,
    /// The group whose cards this one stands for (`layer2`, `inception_3a`); `None`: a card of its own.
    pub folded: Option<String>,
}

/// So many cards are shown at once without being asked for; beyond that, groups are folded.
const MANY: usize = 30;

/// The groups that hold more than one card, by path, outermost first.
fn groups(graph: &Graph, cards: &[Card]) -> Vec<String> {
    let mut held: Vec<(String, usize)> = Vec::new();
    for card in cards {
        for path in prefixes(&graph.nodes()[card.layer].group) {
            match held.iter_mut().find(|(group, _)| group == path) {
                Some((_, count)) => *count += 1,
                None => held.push((path.to_string(), 1)),
            }
        }
    }
    held.into_iter().filter(|(_, count)| *count > 1).map(|(group, _)| group).collect()
}

/// `a/b/c` → `a`, `a/b`, `a/b/c`.
fn prefixes(group: &str) -> impl Iterator<Item = &str> {
    let ends = group.match_indices('/').map(|(i, _)| i).chain([group.len()]);
    ends.filter(|&end| end > 0).map(move |end| &group[..end])
}

/// What a group is called: the last part of its path.
pub fn group_name(group: &str) -> &str {
    group.rsplit('/').next().unwrap_or(group)
}

/// A network's cards with groups folded into one card each, and the groups that are open. Which are folded at first depends on
/// how many cards there are: none, the innermost (residual blocks, inception modules), or all; those named in `toggled`
/// are the other way round.
pub fn folded(graph: &Graph, toggled: &[String]) -> (Vec<Card>, Vec<String>) {
    let plain = cards(graph);
    let groups = groups(graph, &plain);
    let innermost =
        |group: &String| !groups.iter().any(|g| g.strip_prefix(group.as_str()).is_some_and(|r| r.starts_with('/')));
    let inner: Vec<&String> = groups.iter().filter(|g| innermost(g)).collect();
    let outermost = |card: &Card, closed: &[&String]| {
        prefixes(&graph.nodes()[card.layer].group).find(|path| closed.iter().any(|c| c == path)).map(str::to_string)
    };
    let count = |closed: &[&String]| {
        let mut seen = std::collections::HashSet::new();
        plain.iter().filter(|card| outermost(card, closed).is_none_or(|group| seen.insert(group))).count()
    };
    let all: Vec<&String> = groups.iter().collect();
    let first = match plain.len() {
        n if n <= MANY => Vec::new(),
        _ if count(&inner) <= MANY => inner,
        _ => all,
    };
    let flipped = |group: &String| toggled.iter().any(|t| t == group_name(group));
    let closed: Vec<&String> = groups.iter().filter(|g| first.contains(g) != flipped(g)).collect();
    let mut out: Vec<Card> = Vec::new();
    let mut place = Vec::with_capacity(plain.len());
    for mut card in plain {
        let mut inputs: Vec<usize> = card.inputs.iter().map(|&i| place[i]).collect();
        let group = outermost(&card, &closed);
        let found = group.as_ref().and_then(|g| out.iter().position(|c| c.folded.as_ref() == Some(g)));
        let at = found.unwrap_or(out.len());
        place.push(at);
        inputs.retain(|&i| i != at);
        if let Some(at) = found {
            let into = &mut out[at];
            into.nodes.append(&mut card.nodes);
            into.inputs.extend(inputs);
            (into.layer, into.node) = (card.layer, card.node);
        } else {
            if let Some(group) = &group {
                card.title = group_name(group).to_string();
            }
            out.push(Card { inputs, folded: group, ..card });
        }
    }
    for card in &mut out {
        card.inputs.sort_unstable();
        card.inputs.dedup();
    }
    let inputs: Vec<Vec<usize>> = out.iter().map(|c| c.inputs.clone()).collect();
    for (card, (column, row)) in out.iter_mut().zip(grid(&inputs)) {
        (card.column, card.row) = (column, row);
    }
    // Open are those that could be folded and are not, and that no folded one hides.
    let open: Vec<String> =
        groups.iter().filter(|g| !prefixes(g).any(|path| closed.iter().any(|c| *c == path))).cloned().collect();
    let units: Vec<Option<&str>> = out
        .iter()
        .map(|card| prefixes(&graph.nodes()[card.layer].group).find(|path| open.iter().any(|o| o == path)))
        .collect();
    part(&mut out, &units);
    (out, open)
}

/// Moves down what stands among the branches of an open group without being of it (an auxiliary head), so that a box can be drawn
/// around the group. `units`: the outermost open group of each card.
fn part(cards: &mut [Card], units: &[Option<&str>]) {
    let mut of: Vec<Vec<usize>> = Vec::new();
    for i in 0..cards.len() {
        match of.iter_mut().find(|unit| units[i].is_some() && units[unit[0]] == units[i]) {
            Some(unit) => unit.push(i),
            None => of.push(vec![i]),
        }
    }
    for _ in 0..of.len() {
        let mut moved = false;
        for a in 0..of.len() {
            for b in 0..of.len() {
                // first column, last column, first row, last row
                let reach = |unit: &[usize]| {
                    unit.iter()
                        .map(|&i| (cards[i].column, cards[i].row))
                        .fold((usize::MAX, 0, usize::MAX, 0), |(c0, c1, r0, r1), (c, r)| {
                            (c0.min(c), c1.max(c), r0.min(r), r1.max(r))
                        })
                };
                let (p, q) = (reach(&of[a]), reach(&of[b]));
                let meet = p.0 <= q.1 && q.0 <= p.1 && p.2 <= q.3 && q.2 <= p.3;
                // The one whose first row is the upper one stays.
                if a != b && meet && (p.2, a) < (q.2, b) {
                    let by = p.3 + 1 - q.2;
                    of[b].iter().for_each(|&i| cards[i].row += by);
                    moved = true;
                }
            }
        }
        if !moved {
            break;
        }
    }
}

/// A network's cards, in topological order.
pub fn cards(graph: &Graph) -> Vec<Card> {
    let nodes = graph.nodes();
    let mut readers = vec![0usize; nodes.len()];
    nodes.iter().flat_map(|n| &n.inputs).for_each(|&i| readers[i] += 1);
    let mut of: Vec<Option<usize>> = vec![None; nodes.len()]; // card of a node; none while it waits for the next layer
    let mut waiting: Vec<Vec<NodeId>> = vec![Vec::new(); nodes.len()]; // nodes without a picture that the next layer takes along
    let mut cards: Vec<Card> = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        let only = match node.inputs[..] {
            [input] => Some(input),
            _ => None,
        };
        let before = only.map(|input| std::mem::take(&mut waiting[input])).unwrap_or_default();
        let flat = only.is_some_and(|input| node.op.reach(nodes[input].shape) == Reach::Flatten);
        let pointwise = only.is_some() && matches!(node.op.kind(), Kind::Activation | Kind::Normalisation);
        let mut next = (id + 1..nodes.len()).filter(|&i| nodes[i].inputs.contains(&id));
        let handed_on = readers[id] == 1 && next.next().is_some_and(|i| nodes[i].inputs.len() == 1);
        if (flat || pointwise && !before.is_empty()) && handed_on {
            waiting[id] = [before, vec![id]].concat();
            continue;
        }
        if let (Some(input), true) = (only, before.is_empty())
            && let Some(card) = of[input]
            && (flat || pointwise && readers[input] == 1 && nodes[input].op.kind() != Kind::Input)
        {
            cards[card].nodes.push(id);
            if !flat {
                cards[card].node = id;
            }
            of[id] = Some(card);
            continue;
        }
        let first = before.first().copied().unwrap_or(id);
        let mut inputs: Vec<usize> = nodes[first].inputs.iter().filter_map(|&i| of[i]).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let members = [before, vec![id]].concat();
        members.iter().for_each(|&i| of[i] = Some(cards.len()));
        cards.push(Card {
            title: String::new(),
            layer: id,
            node: id,
            nodes: members,
            inputs,
            column: 0,
            row: 0,
            folded: None,
        });
    }
    for card in &mut cards {
        let (name, group) = (&nodes[card.layer].name, &nodes[card.layer].group);
        let below = format!("{group}/");
        let held = |id: usize| nodes[id].group == *group || nodes[id].group.starts_with(&below);
        let alone = !group.is_empty() && (0..nodes.len()).filter(|&id| held(id)).all(|id| card.nodes.contains(&id));
        card.title = if alone { group_name(group).to_string() } else { called(nodes, name, group) };
    }
    let inputs: Vec<Vec<usize>> = cards.iter().map(|c| c.inputs.clone()).collect();
    for (card, (column, row)) in cards.iter_mut().zip(grid(&inputs)) {
        (card.column, card.row) = (column, row);
    }
    cards
}

/// What a layer is called: the paper's name of its group, where it has one, instead of the name that all weights of the group begin
/// with (`conv3_1.conv2` for `layer2.0.conv2`).
fn called(nodes: &[Node], name: &str, group: &str) -> String {
    let below =
        |stem: &str, name: &str| name.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let shared = |stem: &&str| nodes.iter().filter(|n| n.group == group).all(|n| below(stem, &n.name));
    let stems = name.rmatch_indices('.').map(|(dot, _)| &name[..dot]);
    match stems.filter(|_| !group.is_empty()).find(shared) {
        Some(stem) => format!("{}{}", group_name(group), &name[stem.len()..]),
        None => name.to_string(),
    }
}

/// Column (longest path from a source) and row of each card, given the cards it reads. A card stays in the uppermost row of
/// those it reads; where several want one place, the one with the longest way to go takes it and the others move down: so the
/// trunk stays straight, and side branches and auxiliary heads hang below.
pub fn grid(inputs: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let mut column = vec![0; inputs.len()];
    let mut ahead = vec![0usize; inputs.len()];
    for (i, from) in inputs.iter().enumerate() {
        column[i] = from.iter().map(|&f| column[f] + 1).max().unwrap_or(0);
    }
    for (i, from) in inputs.iter().enumerate().rev() {
        from.iter().for_each(|&f| ahead[f] = ahead[f].max(ahead[i] + 1));
    }
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    order.sort_by_key(|&i| (column[i], usize::MAX - ahead[i], i));
    let mut row = vec![0; inputs.len()];
    let mut taken = std::collections::HashSet::new();
    for i in order {
        let wish = inputs[i].iter().map(|&f| row[f]).min().unwrap_or(0);
        let free = (wish..).find(|&r| !taken.contains(&(column[i], r)));
        row[i] = free.unwrap_or(wish);
        taken.insert((column[i], row[i]));
    }
    column.into_iter().zip(row).collect()
}

/// Room between cards, in px.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spacing {
    /// Between columns.
    pub column: f32,
    /// Between rows.
    pub row: f32,
    /// Between bands.
    pub band: f32,
    /// Between arcs that run over one another.
    pub lane: f32,
    /// Above the first row of each band: names of open groups.
    pub head: f32,
    /// Where a band of columns ends and the next one begins below; infinite: one band.
    pub width: f32,
}

/// A connection between two cards, as corner points from one to the other.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Edge {
    /// Card it leaves.
    pub from: usize,
    /// Card it enters.
    pub to: usize,
    /// Whether it passes over cards in between (a residual network's shortcut).
    pub skip: bool,
    /// Corners, between which it runs horizontally or vertically; of a curve an end and, three by three, control points and ends.
    pub points: Vec<[f32; 2]>,
    /// Whether it is a curve (cubic Béziers).
    pub curved: bool,
    /// What it does, if it is part of a shortcut around layers.
    pub kind: Option<SkipKind>,
    /// Between layers in towers: from which tower to which; drawn instead of `points`.
    pub strands: Vec<Vec<[f32; 2]>>,
}

/// Parts of a curve between two of its ends, for those who want to know what it passes.
const PARTS: usize = 16;

impl Edge {
    /// Points along it, close enough to be joined by straight lines.
    pub fn trace(&self) -> Vec<[f32; 2]> {
        if !self.curved {
            return self.points.clone();
        }
        let mut out = vec![self.points[0]];
        for piece in self.points.windows(4).step_by(3) {
            out.extend((1..=PARTS).map(|i| {
                let t = i as f32 / PARTS as f32;
                let weights = [(1.0 - t).powi(3), 3.0 * t * (1.0 - t).powi(2), 3.0 * t * t * (1.0 - t), t.powi(3)];
                let sum = |axis: usize| piece.iter().zip(weights).map(|(p, w)| p[axis] * w).sum();
                [sum(0), sum(1)]
            }));
        }
        out
    }
}

/// A shortcut among cards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// The cards it leaves, passes and enters.
    pub stops: Vec<usize>,
    /// What it does.
    pub kind: SkipKind,
}

/// What belongs together, beyond edges.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bonds {
    /// Shortcuts.
    pub ways: Vec<Way>,
    /// Room above each card, where a box begins in its row and has a name; empty: none.
    pub heads: Vec<f32>,
    /// How many groups would be cut by a break before each column; empty: none.
    pub cuts: Vec<usize>,
}

/// The shortcuts whose ends are to be seen: what a folded card hides is told on the card ([`hidden`]).
pub fn ways(graph: &Graph, cards: &[Card]) -> Vec<Way> {
    let card_of = |node: NodeId| cards.iter().position(|c| c.nodes.contains(&node));
    let way = |skip: skips::Skip| {
        let to = card_of(skip.to).filter(|&to| cards[to].folded.is_none())?;
        let mut stops = vec![card_of(skip.from)?];
        stops.extend(skip.through.iter().rev().filter_map(|&id| card_of(id)));
        stops.push(to);
        stops.dedup();
        Some(Way { stops, kind: skip.kind })
    };
    skips::skips(graph).into_iter().filter_map(way).collect()
}

/// How many shortcuts of each kind end within a folded card.
pub fn hidden(graph: &Graph, card: &Card) -> Vec<(SkipKind, usize)> {
    let all = skips::skips(graph);
    let count = |kind| all.iter().filter(|s| s.kind == kind && card.nodes.contains(&s.to)).count();
    let kinds = [SkipKind::Projection, SkipKind::Padded, SkipKind::Identity];
    kinds.map(|kind| (kind, count(kind))).into_iter().filter(|(_, n)| *n > 0 && card.folded.is_some()).collect()
}

/// How far the control point of a quarter of an ellipse is along its tangent.
const QUARTER: f32 = 0.5523;

/// The quarter of an ellipse from `a` to `b`; it leaves vertically, or else horizontally. Without its first point.
fn quarter(a: [f32; 2], b: [f32; 2], vertical: bool) -> [[f32; 2]; 3] {
    let corner = if vertical { [a[0], b[1]] } else { [b[0], a[1]] };
    let toward = |p: [f32; 2]| [0, 1].map(|i| p[i] + (corner[i] - p[i]) * QUARTER);
    [toward(a), toward(b), b]
}

/// Half an ellipse (of two halves, where its ends are not level) whose top is at this height.
fn arch(a: [f32; 2], b: [f32; 2], top: f32) -> Vec<[f32; 2]> {
    let middle = [(a[0] + b[0]) / 2.0, top];
    [a].into_iter().chain(quarter(a, middle, true)).chain(quarter(middle, b, false)).collect()
}

/// How high an arch from `a` to `b` has to be to pass over these points.
fn arch_top(a: [f32; 2], b: [f32; 2], over: &[[f32; 2]]) -> f32 {
    let (middle, reach) = ((a[0] + b[0]) / 2.0, ((b[0] - a[0]) / 2.0).max(1.0));
    let height = |p: &[f32; 2]| {
        let foot = if p[0] < middle { a[1] } else { b[1] };
        let share = (1.0 - ((p[0] - middle) / reach).powi(2)).max(0.06).sqrt();
        p[1].min(foot - (foot - p[1]) / share)
    };
    over.iter().map(height).fold(a[1].min(b[1]), f32::min)
}

/// A diagram: where each card stands and how edges run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Placement {
    /// One a card.
    pub frames: Vec<Frame>,
    /// Which band each card is in.
    pub bands: Vec<usize>,
    /// One for each input of each card.
    pub edges: Vec<Edge>,
    /// Width and height.
    pub size: [f32; 2],
}

/// How many columns each band takes, for columns of these widths. A band ends before it is full where that cuts fewer groups, but
/// is never less than half full.
fn bands(widths: &[f32], spacing: &Spacing, cuts: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut first = 0;
    while first < widths.len() {
        let used = |last: usize| widths[first..=last].iter().sum::<f32>() + spacing.column * (last - first) as f32;
        let fits = (first + 1..widths.len()).take_while(|&i| used(i) <= spacing.width).count();
        let full = first + 1 + fits;
        let half = |&end: &usize| end == full || used(end - 1) >= used(full - 1) * 0.5;
        let cut = |end: &usize| cuts.get(*end).copied().unwrap_or(0);
        let end = match full {
            all if all == widths.len() => all,
            _ => (first + 1..=full).rev().filter(half).min_by_key(cut).unwrap_or(full),
        };
        out.push(first..end);
        first = end;
    }
    out
}

/// Where an arch from card to card has its feet: on their tops, nearer to the corner the lower it is.
fn feet(a: Frame, b: Frame, lane: usize) -> [[f32; 2]; 2] {
    let inset = |f: Frame| (14.0 + 6.0 * lane as f32).min(f.w / 3.0);
    [[a.right() - inset(a), a.y], [b.x + inset(b), b.y]]
}

/// Places cards of these sizes (width, height); edges that are part of a shortcut are curves where there is room. `together`: bands
/// end where they cut few groups.
pub fn place(cards: &[Card], sizes: &[[f32; 2]], spacing: &Spacing, bonds: &Bonds, together: bool) -> Placement {
    if cards.is_empty() {
        return Placement::default();
    }
    let columns = cards.iter().map(|c| c.column + 1).max().unwrap_or(0);
    let rows = cards.iter().map(|c| c.row + 1).max().unwrap_or(0);
    let mut widths = vec![0f32; columns];
    for (card, size) in cards.iter().zip(sizes) {
        widths[card.column] = widths[card.column].max(size[0]);
    }
    let bands = bands(&widths, spacing, if together { &bonds.cuts } else { &[] });
    let band_of = |column: usize| bands.iter().position(|b| b.contains(&column)).unwrap_or(0);
    let occupied =
        |row: usize, columns: std::ops::Range<usize>| cards.iter().any(|c| c.row == row && columns.contains(&c.column));
    // What each edge does: along a free row, or over the cards of its source's row in a lane of its own.
    let mut arcs: Vec<(usize, usize, usize)> = Vec::new(); // length, from, to
    for (to, card) in cards.iter().enumerate() {
        for &from in &card.inputs {
            let between = cards[from].column + 1..card.column;
            if band_of(cards[from].column) == band_of(card.column)
                && occupied(cards[from].row, between.clone())
                && occupied(card.row, between.clone())
            {
                arcs.push((between.len(), from, to));
            }
        }
    }
    arcs.sort_unstable();
    let mut lanes: Vec<(usize, usize, usize)> = Vec::new(); // from, to, lane
    for &(_, from, to) in &arcs {
        let row = cards[from].row.min(cards[to].row);
        let meets = |&&(f, t, _): &&(usize, usize, usize)| {
            cards[f].row.min(cards[t].row) == row
                && cards[f].column < cards[to].column
                && cards[from].column < cards[t].column
        };
        let used: Vec<usize> = lanes.iter().filter(meets).map(|l| l.2).collect();
        let lane = (0..).find(|l| !used.contains(l)).unwrap_or(0);
        lanes.push((from, to, lane));
    }

    let mut frames = vec![Frame::default(); cards.len()];
    let mut summits = std::collections::HashMap::new(); // (from, to) → how high an arch is above its row
    let mut arc_base = std::collections::HashMap::new(); // (band, row) → where its cards begin
    let mut tops = Vec::new(); // of each band
    let mut left = vec![0f32; columns];
    let (mut y, mut size) = (0f32, [0f32; 2]);
    for (b, band) in bands.iter().enumerate() {
        tops.push(y);
        if b > 0 {
            y += spacing.band; // where edges from the band above run
        }
        y += spacing.head;
        let mut x = 0f32;
        for column in band.clone() {
            left[column] = x;
            x += widths[column] + spacing.column;
        }
        x -= spacing.column;
        if spacing.width.is_finite() && x < spacing.width {
            // bands of unequal length stand in the middle of the page
            let shift = ((spacing.width - x) / 2.0).floor();
            band.clone().for_each(|column| left[column] += shift);
            x += shift;
        }
        size[0] = size[0].max(x);
        for row in 0..rows {
            let here = |c: &Card| c.row == row && band.contains(&c.column);
            let inside: Vec<usize> = (0..cards.len()).filter(|&i| here(&cards[i])).collect();
            if inside.is_empty() {
                continue;
            }
            let height = inside.iter().map(|&i| sizes[i][1]).fold(0f32, f32::max);
            for &i in &inside {
                let [w, h] = sizes[i];
                let column = cards[i].column;
                let x = (left[column] + (widths[column] - w) / 2.0).round();
                frames[i] = Frame::new(x, ((height - h) / 2.0).round(), w, h);
            }
            let head = |&i: &usize| bonds.heads.get(i).copied().unwrap_or(0.0);
            let mut room = 0f32;
            let mut arches: Vec<Edge> = Vec::new();
            for &(from, to, lane) in &lanes {
                if cards[from].row.min(cards[to].row) != row || !band.contains(&cards[from].column) {
                    continue;
                }
                if cards[from].row != cards[to].row {
                    room = room.max((lane + 1) as f32 * spacing.lane);
                    continue;
                }
                let [start, end] = feet(frames[from], frames[to], lane);
                let between = inside.iter().filter(|&&i| cards[i].column > cards[from].column);
                let between = between.filter(|&&i| cards[i].column < cards[to].column).map(|&i| frames[i]);
                let clear = spacing.lane * 0.6; // its name stands on its top
                let corners = between.flat_map(|f| [[f.x, f.y - clear], [f.right(), f.y - clear]]);
                let lower = arches.iter().filter(|e| e.to > from && e.from < to).flat_map(Edge::trace);
                let over: Vec<_> = corners.chain(lower.map(|p| [p[0], p[1] - spacing.lane])).collect();
                let top = arch_top(start, end, &over).min(start[1].min(end[1]) - (end[0] - start[0]) * 0.1);
                let edge = arch(start, end, top);
                arches.push(Edge { from, to, points: edge, curved: true, ..Edge::default() });
                summits.insert((from, to), top);
                room = room.max(spacing.lane * 0.5 - top);
            }
            y += room.ceil() + inside.iter().map(head).fold(0f32, f32::max);
            arc_base.insert((b, row), y);
            inside.iter().for_each(|&i| frames[i].y += y);
            y += height + spacing.row;
        }
        y -= spacing.row;
        size[1] = size[1].max(y);
    }

    let mut edges = Vec::new();
    let mut crossing = 0;
    for (to, card) in cards.iter().enumerate() {
        for &from in &card.inputs {
            let (a, b) = (frames[from], frames[to]);
            let (source, ba, bb) = (&cards[from], band_of(cards[from].column), band_of(card.column));
            // Vertical runs keep to the middle of the room between two columns, where no card is.
            let after = left[source.column] + widths[source.column] + spacing.column / 2.0;
            let before = left[card.column] - spacing.column / 2.0;
            let [start, end] = [[a.right(), a.centre()[1]], [b.x, b.centre()[1]]];
            let lane = lanes.iter().find(|l| (l.0, l.1) == (from, to)).map(|l| l.2);
            let kind = bonds.ways.iter().find(|w| w.stops.windows(2).any(|s| s == [from, to])).map(|w| w.kind);
            let (skip, mut curved) = (lane.is_some(), false);
            let base = arc_base.get(&(ba, source.row.min(card.row))).copied().unwrap_or(0.0);
            let hanging = kind.filter(|_| ba == bb && source.row != card.row).map(|_| {
                // Out of a card's bottom to one below, or from there into its bottom: half an arch that hangs.
                let [foot, head] = feet(a, b, 0);
                let down = source.row < card.row;
                let (foot, head) = if down { ([foot[0], a.bottom()], end) } else { (start, [head[0], b.bottom()]) };
                let points = [foot].into_iter().chain(quarter(foot, head, down)).collect();
                Edge { from, to, points, curved: true, ..Edge::default() }
            });
            let clear = |e: &Edge| {
                let trace = e.trace();
                let near = |p: &[f32; 2], f: &Frame| f.grow(4.0).contains(p[0], p[1]);
                frames.iter().enumerate().all(|(i, f)| i == from || i == to || !trace.iter().any(|p| near(p, f)))
            };
            let points = if let Some(top) = summits.get(&(from, to)) {
                curved = true;
                let [start, end] = feet(a, b, lane.unwrap_or(0));
                arch(start, end, base + top)
            } else if let Some(lane) = lane {
                let y = base - (lane as f32 + 0.5) * spacing.lane;
                vec![start, [after, start[1]], [after, y], [before, y], [before, end[1]], end]
            } else if let Some(edge) = hanging.filter(clear) {
                curved = true;
                edge.points
            } else if ba != bb {
                // Down into the room between the bands, along it, and into the card from above; beside its column where other
                // cards are in the way.
                let shift = (crossing % 3) as f32 * 8.0;
                crossing += 1;
                let (x0, x1) = (a.x + a.w / 2.0 + shift, b.x + b.w / 2.0 + shift);
                let aside = spacing.column / 2.0 + shift; // beyond the boxes around what is above
                let run = tops[bb] + aside;
                let below = cards.iter().any(|c| c.column == source.column && c.row > source.row);
                let above = cards.iter().any(|c| c.column == card.column && c.row < card.row);
                let (beside, ahead) = (left[source.column] + widths[source.column] + 5.0, left[card.column] - 5.0);
                let leave = if below { beside } else { x0 };
                let enter = if above { ahead } else { x1 };
                let mut points = if below { vec![start, [beside, start[1]]] } else { vec![[x0, a.bottom()]] };
                if bb == ba + 1 {
                    points.push([leave, run]);
                } else {
                    let first = tops[ba + 1] + aside;
                    points.extend([[leave, first], [-5.0, first], [-5.0, run]]);
                }
                points.push([enter, run]);
                points.extend(if above { vec![[ahead, end[1]], end] } else { vec![[x1, b.y]] });
                points
            } else if (start[1] - end[1]).abs() < 0.75 {
                vec![start, [end[0], start[1]]]
            } else {
                let source_free = !occupied(source.row, source.column + 1..card.column);
                let x = if source_free { before } else { after };
                vec![start, [x, start[1]], [x, end[1]], end]
            };
            edges.push(Edge { from, to, skip, points, curved, kind, strands: Vec::new() });
        }
    }
    let bands = cards.iter().map(|c| band_of(c.column)).collect();
    Placement { frames, bands, edges, size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Activation, Conv2d, Flatten, Linear};
    use crate::tensor::Shape;

    #[test]
    fn a_card_is_a_layer_with_what_follows_it_alone() {
        let mut g = Graph::new();
        let x = g.input("input", Shape::new(1, 8, 9)).unwrap();
        let a = g.group("C1", |g| {
            let a = g.push("a", Conv2d::new(2, 3), &[x])?;
            g.push("a_act", Activation::Relu, &[a])
        });
        let b = g.push("b", Conv2d::new(2, 3), &[a.unwrap()]).unwrap();
        let c = g.push("c", Activation::Relu, &[b]).unwrap(); // b is read twice: its activation is another picture
        g.push("aux", Linear::new(3), &[b]).unwrap();
        let d = g.push("flatten", Flatten, &[c]).unwrap();
        g.push("e", Linear::new(4), &[d]).unwrap();
        let cards = cards(&g);
        let told: Vec<_> =
            cards.iter().map(|c| (c.title.as_str(), c.layer, c.node, c.nodes.len(), c.column, c.row)).collect();
        assert_eq!(
            told,
            [
                ("input", 0, 0, 1, 0, 0),
                ("C1", 1, 2, 2, 1, 0),
                ("b", 3, 3, 1, 2, 0),
                ("c", 4, 4, 1, 3, 0),
                ("aux", 5, 5, 1, 3, 1),
                ("e", 7, 7, 2, 4, 0)
            ]
        );
        assert_eq!(cards[5].inputs, [3]);
        assert_eq!(cards[5].nodes, [6, 7]);
    }

    /// Residual blocks: a chain of seven, shortcuts 0→3, 3→6 and a long one 0→6; a side branch 1→7→3.
    #[test]
    fn shortcuts_pass_over_cards_in_lanes_of_their_own() {
        let inputs = [vec![], vec![0], vec![1], vec![0, 2, 7], vec![3], vec![4], vec![0, 3, 5], vec![1]];
        let order = [0, 1, 2, 7, 3, 4, 5, 6]; // topological
        let place_of = |card: usize| order.iter().position(|&o| o == card).unwrap();
        let inputs: Vec<Vec<usize>> = order.iter().map(|&c| inputs[c].iter().map(|&i| place_of(i)).collect()).collect();
        let cards: Vec<Card> = grid(&inputs)
            .into_iter()
            .zip(&inputs)
            .map(|((column, row), inputs)| Card {
                title: String::new(),
                layer: 0,
                node: 0,
                nodes: Vec::new(),
                inputs: inputs.clone(),
                column,
                row,
                folded: None,
            })
            .collect();
        let sizes: Vec<[f32; 2]> =
            (0..cards.len()).map(|i| [60.0 + 9.0 * i as f32, 80.0 + 20.0 * (i % 3) as f32]).collect();
        for width in [f32::INFINITY, 400.0] {
            let spacing = Spacing { column: 24.0, row: 36.0, band: 72.0, lane: 16.0, head: 0.0, width };
            let placed = place(&cards, &sizes, &spacing, &Bonds::default(), true);
            assert_eq!(placed.edges.len(), inputs.iter().map(Vec::len).sum::<usize>());
            for edge in &placed.edges {
                for run in edge.trace().windows(2) {
                    let dot = |p: [f32; 2]| Frame::new(p[0], p[1], 0.1, 0.1);
                    let run = dot(run[0]).around(dot(run[1]));
                    for (i, frame) in placed.frames.iter().enumerate().filter(|(i, _)| *i != edge.from && *i != edge.to)
                    {
                        assert!(!run.overlaps(*frame), "{width}: {edge:?} crosses card {i}");
                    }
                }
            }
            for (i, a) in placed.frames.iter().enumerate() {
                assert!(placed.frames[i + 1..].iter().all(|b| !a.overlaps(*b)));
            }
            if width.is_infinite() {
                let arches: Vec<&Edge> = placed.edges.iter().filter(|e| e.skip).collect();
                assert!(arches.len() == 3 && arches.iter().all(|e| e.curved));
                assert!(arches.iter().flat_map(|e| e.trace()).all(|p| p[1] >= 0.0));
                // The long one runs above the short ones, a lane above their tops.
                let (long, short): (Vec<&Edge>, Vec<&Edge>) = arches.iter().partition(|e| e.to == e.from + 7);
                let top = |e: &Edge| e.trace().iter().map(|p| p[1]).fold(f32::MAX, f32::min);
                assert!(short.len() == 2 && short.iter().all(|e| top(long[0]) <= top(e) - 16.0));
            }
        }
    }

    #[test]
    fn deep_networks_are_folded_and_open_where_asked() {
        let at = |name: &str, toggled: &[&str]| {
            let net = crate::arch::variant(name).unwrap().build().unwrap();
            let toggled: Vec<String> = toggled.iter().map(|t| t.to_string()).collect();
            let (cards, open) = folded(&net.graph, &toggled);
            let mut nodes: Vec<_> = cards.iter().flat_map(|c| c.nodes.clone()).collect();
            nodes.sort_unstable();
            assert_eq!(nodes, (0..net.graph.nodes().len()).collect::<Vec<_>>(), "{name}: every node on one card");
            assert!(
                cards.iter().enumerate().all(|(i, c)| c.inputs.iter().all(|&f| f < i && cards[f].column < c.column))
            );
            (cards.iter().map(|c| c.title.clone()).collect::<Vec<_>>(), open.len())
        };
        assert_eq!(at("lenet5", &[]).0.len(), 8);
        let deep = ["input", "conv1", "maxpool", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "avgpool", "fc"];
        assert_eq!(at("resnet152", &[]), (deep.map(String::from).to_vec(), 0));
        let (titles, open) = at("resnet152", &["conv4_x", "conv4_7"]);
        assert_eq!((titles.len(), open), (8 + 35 + 4, 2)); // 35 blocks folded, one open: three convolutions and the sum
        assert!(titles.contains(&"conv4_8".to_string()) && !titles.contains(&"conv4_7".to_string()));
        // layer3.6 is what torchvision's weights call it
        assert!(["conv4_7.conv1", "conv4_7.conv2", "conv4_7.add"].iter().all(|t| titles.contains(&t.to_string())));
        assert!(at("resnet-digits", &[]).0.contains(&"stage2_1.downsample.0".to_string()));
        assert!(at("googlenet", &["inception_3a"]).0.contains(&"inception_3a.3x3_reduce".to_string()));
        assert!(at("googlenet", &[]).0.contains(&"inception_3a".to_string()));
        assert_eq!(at("vgg-digits", &["block2"]).0.len(), at("vgg-digits", &[]).0.len() - 2);
        for v in crate::arch::VARIANTS {
            assert!(at(v.name, &[]).0.len() <= MANY, "{}", v.name);
        }
    }

    #[test]
    fn the_trunk_stays_straight() {
        // an inception module: four branches of one or two cards, then a concat; and a residual block with its shortcut
        let inception = [vec![], vec![0], vec![0], vec![2], vec![0], vec![4], vec![1, 3, 5], vec![6]];
        let at = grid(&inception);
        assert_eq!((at[0], at[6], at[7]), ((0, 0), (3, 0), (4, 0)));
        let mut seen = at.clone();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), at.len());
        let residual = [vec![], vec![0], vec![0], vec![2], vec![1, 3]]; // the shortcut's convolution is declared first
        assert_eq!(grid(&residual), [(0, 0), (1, 1), (1, 0), (2, 0), (3, 0)]);
    }
}
