//! The strip under the stage: what each layer costs and sees, as bars over depth. Knows graphs; no network by name, no page.

use super::{Drawing, FIELD, Frame, INK, LINE, MUTED, Svg, Words, colour, put, text_width};
use crate::arch::Architecture;
use crate::graph::NodeId;
use crate::graph::describe::{self, Facts, compact, grouped};
use crate::graph::layout::{self, Card};
use crate::ops::Kind;

/// One layer's column: where it is, whose it is, and its numbers in words.
#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    /// From the strip's top to its bottom.
    pub frame: Frame,
    /// The card's value, as on the stage.
    pub node: NodeId,
    /// `conv1 · 34,944 params · 105,415,200 MACs · 1.16 MB · RF 11×11`.
    pub told: String,
}

/// The strip: its drawing, and its columns in order of the stage's cards.
#[derive(Clone, PartialEq, Debug)]
pub struct Strip {
    /// Bars and names.
    pub drawing: Drawing,
    /// One a card.
    pub columns: Vec<Column>,
}

/// Height of a row, of its bars, and type, where the page's type is 12 px.
const ROW: f32 = 27.0;
const BAR: f32 = 21.0;
const TYPE: f32 = 11.0;

/// Bytes as one says them.
fn bytes(n: u64) -> String {
    let text = compact(n);
    if text.contains(' ') { format!("{text}B") } else { format!("{text} B") }
}

/// The strip of a network whose groups are folded and opened as on the stage; `width` px wide, in type for a stage's
/// of `font` px.
pub fn strip(net: &Architecture, toggled: &[String], width: f32, font: f32, words: &Words) -> Strip {
    let (graph, needed) = (&net.graph, net.inference_nodes());
    let [row, bar, letters] = [ROW, BAR, TYPE].map(|v| (v * font / 12.0).round());
    let (cards, _) = layout::folded(graph, toggled);
    let facts = describe::facts(graph, &cards);
    let side = |f: &Facts| f.field.map_or(0, |f| f.size[0].max(f.size[1])) as u64;
    let memory = |card: &Card| card.nodes.iter().map(|&id| graph.nodes()[id].shape.len() as u64 * 4).max().unwrap_or(0);
    let name = |template: &str| put(template, &[""]).trim().to_string();
    let rows: [(String, Vec<u64>); 4] = [
        (name(&words.parameters), facts.iter().map(|f| f.parameters.value).collect()),
        (name(&words.macs), facts.iter().map(|f| f.macs.value).collect()),
        (words.memory.to_string(), cards.iter().map(memory).collect()),
        (name(&words.field), facts.iter().map(side).collect()),
    ];
    let input = graph.nodes()[graph.source()].shape;
    let image = input.h.max(input.w) as u64;
    let most = |i: usize| rows[i].1.iter().copied().max().unwrap_or(0).max(1);
    let peak = |i: usize| match i {
        2 => bytes(most(i)),
        3 => format!("{} px", grouped(most(i))),
        _ => compact(most(i)),
    };
    let gutter =
        (0..4).map(|i| text_width(&rows[i].0, letters).max(text_width(&peak(i), letters))).fold(0f32, f32::max).ceil()
            + 14.0;
    let step = ((width - gutter - 4.0) / cards.len().max(1) as f32).max(0.5);
    let height = row * 4.0 + 4.0;
    let mut svg = Svg::new();
    for (i, (name, values)) in rows.iter().enumerate() {
        let floor = 4.0 + row * i as f32 + bar;
        svg.text([0.0, floor - letters], letters, name, &format!(r#"class="name" fill="{INK}""#));
        svg.text([0.0, floor + 1.0], letters * 0.91, &peak(i), &format!(r#"class="peak" fill="{MUTED}""#));
        svg.line([gutter, floor + 0.5], [width, floor + 0.5], &format!(r#"class="floor" stroke="{LINE}""#));
        // Beyond this line a unit sees more than there is.
        if i == 3 && most(i) > image {
            let y = floor - bar * image as f32 / most(i) as f32;
            svg.line([gutter, y], [width, y], &format!(r#"class="whole" stroke="{FIELD}" stroke-dasharray="2 3""#));
        }
        for (k, &value) in values.iter().enumerate().filter(|(_, v)| **v > 0) {
            let h = (bar * value as f32 / most(i) as f32).max(1.0);
            let column = Frame::new(gutter + step * (k as f32 + 0.14), floor - h, (step * 0.72).max(0.5), h);
            let fill = match i {
                2 => MUTED,
                3 => FIELD,
                _ if cards[k].folded.is_some() => colour(Kind::Convolution),
                _ => colour(facts[k].kind),
            };
            // Hollow is what training alone has: it is in no total.
            if needed[cards[k].node] {
                svg.rect(column, &format!(r#"fill="{fill}""#));
            } else {
                let edge =
                    Frame::new(column.x + 0.5, column.y + 0.5, (column.w - 1.0).max(0.5), (column.h - 0.5).max(0.5));
                svg.rect(edge, &format!(r#"fill="none" stroke="{fill}""#));
            }
        }
    }
    let column = |(k, (card, f)): (usize, (&Card, &Facts))| {
        let title = if f.kind == Kind::Input { words.input.to_string() } else { card.title.clone() };
        let filled = |template: &str, n: u64| if n == 0 { String::new() } else { put(template, &[&grouped(n)]) };
        let seen = f.field.map(|f| put(&words.field, &[&format!("{}×{}", f.size[0], f.size[1])])).unwrap_or_default();
        let parts = [title, filled(&words.parameters, f.parameters.value), filled(&words.macs, f.macs.value)];
        let only = if needed[card.node] { String::new() } else { words.training.to_string() };
        let parts = parts.into_iter().chain([bytes(rows[2].1[k]), seen, only]).filter(|p| !p.is_empty());
        Column {
            frame: Frame::new(gutter + step * k as f32, 0.0, step, height),
            node: card.node,
            told: parts.collect::<Vec<_>>().join(" · "),
        }
    };
    let columns: Vec<Column> = cards.iter().zip(&facts).enumerate().map(column).collect();
    let told: Vec<String> = (0..4).map(|i| format!("{}: {}", rows[i].0, peak(i))).collect();
    Strip { drawing: svg.finish(width, height, "strip", &words.depth, &told.join("; ")), columns }
}
