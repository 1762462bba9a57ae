//! Networks side by side: all variants as points, with one point for each published error; and where the parameters and multiply-adds
//! of two of them sit. Knows the registry's figures and graphs; no page.

use super::scatter::{Axis, Mark, Point, Scatter, scatter, short};
use super::{Drawing, Frame, INK, LINE, MUTED, Svg, colour, text_width};
use crate::arch::published::{Protocol, Published};
use crate::arch::summary::{Measure, Summary};
use crate::arch::{Architecture, VARIANTS, Variant};
use crate::graph::receptive_field::{Rect, Span};
use crate::graph::{cost, layout};
use crate::ops::{Kind, Layer};
use crate::tensor::Shape;

/// A point of the plot.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Plotted {
    /// Which line.
    pub line: usize,
    /// Its figures, by axis.
    pub at: [f64; 2],
    /// Which published error it shows, if an axis is an error.
    pub rate: Option<&'static Published>,
}

/// Points for two measures. A network has one for each error that was published, none where nothing was; where both axes are
/// errors, those of one protocol go together.
pub fn plotted(lines: &[Summary], measures: [Measure; 2]) -> Vec<Plotted> {
    let figures = |s: &Summary, m: Measure| -> Vec<(f64, Option<&'static Published>)> {
        match m {
            Measure::Error(task) => {
                s.variant.published().filter(|r| r.task == task).map(|r| (r.percent, Some(r))).collect()
            }
            m => m.of(s).map(|v| (v, None)).into_iter().collect(),
        }
    };
    let mut out = Vec::new();
    for (line, s) in lines.iter().enumerate() {
        for (x, a) in figures(s, measures[0]) {
            for (y, b) in figures(s, measures[1]) {
                let alike = a.zip(b).is_none_or(|(a, b)| (a.protocol, a.source) == (b.protocol, b.source));
                if alike {
                    out.push(Plotted { line, at: [x, y], rate: b.or(a) });
                }
            }
        }
    }
    out
}

/// The shape that tells a protocol.
pub fn mark(protocol: Protocol) -> Mark {
    match protocol {
        Protocol::Crops { networks: 2.., .. } | Protocol::Here => Mark::Triangle,
        Protocol::Crops { crops: 2.., .. } | Protocol::Distorted | Protocol::Best { .. } => Mark::Square,
        Protocol::Dense { .. } => Mark::Diamond,
        Protocol::Crops { .. } | Protocol::Whole => Mark::Circle,
    }
}

/// The families in the registry's order.
pub fn families() -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for v in VARIANTS.iter().filter(|v| !v.family.is_empty()) {
        if !found.contains(&v.family) {
            found.push(v.family);
        }
    }
    found
}

/// How something is called in the reader's language.
pub type Say<'a, T> = &'a dyn Fn(T) -> String;

/// The plot. `open`: the networks that are open, by name. `say`: a measure's title, and what a protocol is called in a word or two, a network's title.
pub fn plot(
    lines: &[Summary],
    measures: [Measure; 2],
    open: &[&str],
    say: (Say<'_, Measure>, Say<'_, Protocol>, Say<'_, &'static Variant>),
    title: &str,
    size: [f32; 2],
) -> (Scatter, Vec<Plotted>) {
    let (families, plotted) = (families(), plotted(lines, measures));
    let titles = measures.map(say.0);
    let axis =
        |i: usize| Axis { title: &titles[i], log: measures[i].logarithmic(), year: measures[i] == Measure::Year };
    let names: Vec<String> = plotted.iter().map(|p| say.2(lines[p.line].variant)).collect();
    let points: Vec<Point<'_>> = plotted
        .iter()
        .zip(&names)
        .map(|(p, name)| {
            let v = lines[p.line].variant;
            Point {
                name,
                family: families.iter().position(|f| *f == v.family).unwrap_or(0),
                mark: p.rate.map_or(Mark::Circle, |r| mark(r.protocol)),
                at: p.at,
                strong: open.contains(&v.name),
            }
        })
        .collect();
    let mut marks: Vec<(Mark, String)> = Vec::new();
    for rate in plotted.iter().filter_map(|p| p.rate) {
        let mark = mark(rate.protocol);
        if marks.iter().all(|(m, _)| *m != mark) {
            marks.push((mark, say.1(rate.protocol)));
        }
    }
    let marks: Vec<(Mark, &str)> = marks.iter().map(|(m, text)| (*m, text.as_str())).collect();
    let scatter = scatter(&points, [&axis(0), &axis(1)], &families, &marks, title, size);
    (scatter, plotted)
}

/// A patch of one network's input on another's, which is the same picture cut larger or smaller: their middles are one.
pub fn same_place(patch: Rect, from: Shape, to: Shape) -> Rect {
    let moved = |span: Span, from: usize, to: usize| {
        let by = (to as isize - from as isize) / 2;
        Span { first: span.first + by, last: span.last + by }
    };
    Rect { y: moved(patch.y, from.h, to.h), x: moved(patch.x, from.w, to.w) }
}

/// A layer (or a folded block) and what it has of something.
#[derive(Clone, PartialEq, Debug)]
pub struct Share {
    /// As its card says.
    pub title: String,
    /// Its family.
    pub kind: Kind,
    /// How much.
    pub value: u64,
}

/// What each card of the inference network has of something, in the order of the network; those that have nothing are left out.
pub fn shares(net: &Architecture, of: fn(cost::Cost) -> u64) -> Vec<Share> {
    let needed = net.inference_nodes();
    let share = |card: &layout::Card| {
        let nodes = || card.nodes.iter().copied().filter(|&id| needed[id]);
        // The colour of the layer that has most of it: of a block that ends in a concat, its convolutions'.
        let main = nodes().max_by_key(|&id| of(cost::node(&net.graph, id))).unwrap_or(card.layer);
        let value = of(nodes().map(|id| cost::node(&net.graph, id)).sum());
        Share { title: card.title.clone(), kind: net.graph.nodes()[main].op.kind(), value }
    };
    layout::folded(&net.graph, &[]).0.iter().map(share).filter(|s| s.value > 0).collect()
}

/// Where two networks have something, on one scale: of each its total as a bar of its layers, then a bar a layer.
pub fn bars(nets: [(&str, &[Share]); 2], title: &str, width: f32) -> Drawing {
    const ROW: f32 = 18.0;
    const TEXT: f32 = 11.0;
    let mut svg = Svg::new();
    let total = |shares: &[Share]| shares.iter().map(|s| s.value).sum::<u64>();
    let most = nets.iter().map(|(_, s)| total(s)).max().unwrap_or(0).max(1) as f32;
    let largest = nets.iter().flat_map(|(_, s)| s.iter()).map(|s| s.value).max().unwrap_or(0).max(1) as f32;
    svg.text([0.0, 13.0], 13.0, title, &format!(r#"fill="{INK}" font-weight="600""#));
    // The totals, one below the other over the whole width, or they could not be compared.
    let named = nets.iter().map(|(name, _)| text_width(name, 12.0)).fold(0f32, f32::max) + 10.0;
    let told = 58.0;
    let room = (width - named - told).max(40.0);
    let mut y = 24.0;
    for (name, shares) in nets {
        svg.text([0.0, y + 14.0], 12.0, name, &format!(r#"fill="{INK}" font-weight="600""#));
        let mut x = named;
        for share in shares {
            let w = share.value as f32 / most * room;
            let f = Frame::new(x, y + 2.0, (w - 0.5).max(0.25), 16.0);
            let tip = format!("{}: {}", share.title, short(share.value as f64));
            svg.rect_titled(f, &format!(r#"class="part" fill="{}""#, colour(share.kind)), &tip);
            x += w;
        }
        let sum = short(total(shares) as f64);
        svg.text([x + 6.0, y + 14.0], 12.0, &sum, &format!(r#"fill="{INK}" font-weight="600""#));
        y += 26.0;
    }
    // Layer by layer, side by side where there is room.
    let columns = if width >= 620.0 { 2 } else { 1 };
    let column = (width - 24.0 * (columns - 1) as f32) / columns as f32;
    // Names take the same room in both, or the bars would not be of one scale.
    let widths = nets.iter().flat_map(|(_, s)| s.iter()).map(|s| text_width(&s.title, TEXT));
    let titles = widths.fold(0f32, f32::max) + 8.0;
    let track = (column - titles - 96.0).max(30.0);
    let mut bottom = y;
    for (i, (name, shares)) in nets.into_iter().enumerate() {
        let (left, top) = if columns == 2 { (i as f32 * (column + 24.0), y + 8.0) } else { (0.0, bottom + 8.0) };
        svg.text([left, top + 12.0], 12.0, name, &format!(r#"fill="{MUTED}" font-weight="600""#));
        for (row, share) in shares.iter().enumerate() {
            let at = top + 20.0 + row as f32 * ROW;
            svg.text([left, at + 12.0], TEXT, &share.title, &format!(r#"fill="{INK}""#));
            let whole = Frame::new(left + titles, at + 3.0, track, 12.0);
            svg.rect(whole, &format!(r#"class="rail" fill="{LINE}" fill-opacity=".4" rx="2""#));
            let w = (share.value as f32 / largest * track).max(0.75);
            let bar = Frame::new(whole.x, whole.y, w, whole.h);
            svg.rect(bar, &format!(r#"class="bar" fill="{}" rx="2""#, colour(share.kind)));
            let part = share.value as f64 / total(shares).max(1) as f64 * 100.0;
            let ends = [left + column - 44.0, left + column];
            let end = format!(r#"fill="{INK}" text-anchor="end""#);
            svg.text([ends[0], at + 12.0], TEXT, &short(share.value as f64), &end);
            let percent = if part < 0.95 { format!("{part:.1} %") } else { format!("{part:.0} %") };
            svg.text([ends[1], at + 12.0], TEXT, &percent, &format!(r#"fill="{MUTED}" text-anchor="end""#));
        }
        bottom = bottom.max(top + 20.0 + shares.len() as f32 * ROW);
    }
    let said = nets.map(|(name, shares)| {
        let rows: Vec<String> = shares.iter().map(|s| format!("{} {}", s.title, short(s.value as f64))).collect();
        format!("{name} {}: {}", short(total(shares) as f64), rows.join(", "))
    });
    svg.finish(width, bottom + 6.0, "chart bars", title, &said.join("; "))
}
