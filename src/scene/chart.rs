//! Charts: curves of a training run, bars, a confusion matrix, a histogram. Numbers in, SVG out; knows no network and no page.

use super::{
    CONV, Drawing, FIELD, Frame, INK, LINE, LINEAR, MUTED, OUTPUT, POOL, Svg, Words, colour, number, put, px,
    text_width,
};
use crate::arch::Architecture;
use crate::graph::NodeId;
use crate::graph::describe::{self, grouped};
use crate::graph::layout;
use crate::ops::Kind;

const SMALL: f32 = 11.0;

/// Round numbers (1, 2, 5 times a power of ten) between two values, about `count` of them.
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    if !(high - low).is_finite() || high <= low || count == 0 {
        return vec![low];
    }
    let raw = (high - low) / count as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= raw * 0.999).unwrap_or(power * 10.0);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Powers of ten between two positive values; where those are fewer than two, 2 and 5 times them too.
pub fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let inside = |v: &f64| *v >= low * 0.999 && *v <= high * 1.001;
    let powers = low.max(1e-30).log10().floor() as i32..=high.max(1e-30).log10().ceil() as i32;
    let tens: Vec<f64> = powers.clone().map(|p| 10f64.powi(p)).filter(inside).collect();
    if tens.len() >= 2 {
        let every = tens.len().div_ceil(6);
        return tens.into_iter().step_by(every).collect();
    }
    powers.flat_map(|p| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(p))).filter(inside).collect()
}

/// A tick's label: no more digits than it needs.
pub(crate) fn tick_label(v: f64) -> String {
    let size = v.abs();
    let text = if size >= 10_000.0 || v == 0.0 || size >= 1.0 && v.fract().abs() < 1e-9 {
        let digits = grouped(size.round() as u64);
        if v < 0.0 { format!("-{digits}") } else { digits }
    } else if size < 0.0009 {
        format!("{v:.0e}")
    } else {
        let digits = format!("{v:.4}");
        digits.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    text.replace('-', "−")
}

/// A value over the steps of a run.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// What it is.
    pub title: &'a str,
    /// Under the axis (`step`).
    pub x_label: &'a str,
    /// One a step; what is not finite leaves a gap.
    pub values: &'a [f32],
    /// Step of the first value.
    pub first: u64,
    /// Logarithmic axis; values of zero and less are then left out.
    pub log: bool,
    /// Values are shares and shown in percent, 0–100.
    pub percent: bool,
    /// Colour by family, so that charts and layers speak one language.
    pub kind: Kind,
    /// Steps over which the smooth line averages (an exponential mean, free of its start's bias); 0: none.
    pub smooth: usize,
    /// Values taken apart from the run (tests after so many steps), as dots.
    pub marks: &'a [(u64, f32)],
}

/// The exponential mean over about `span` values, divided by its own weight so that it starts right.
pub fn smoothed(values: &[f32], span: usize) -> Vec<f32> {
    let keep = 1.0 - 1.0 / span.max(1) as f64;
    let (mut mean, mut weight) = (0f64, 0f64);
    values
        .iter()
        .map(|&v| {
            if v.is_finite() {
                mean = keep * mean + (1.0 - keep) * f64::from(v);
                weight = keep * weight + (1.0 - keep);
            }
            if weight > 0.0 { (mean / weight) as f32 } else { f32::NAN }
        })
        .collect()
}

/// Lowest and highest of each of `columns` equal parts; `None` where nothing in it is finite. Nothing that stands out is lost.
pub fn downsample(values: &[f32], columns: usize) -> Vec<Option<(f32, f32)>> {
    let columns = columns.clamp(1, values.len().max(1));
    (0..columns)
        .map(|c| {
            let part = values.len() * c / columns..values.len() * (c + 1) / columns;
            let finite = values[part].iter().filter(|v| v.is_finite());
            finite.fold(None, |range, &v| Some(range.map_or((v, v), |(a, b): (f32, f32)| (a.min(v), b.max(v)))))
        })
        .collect()
}

/// Draws a curve.
pub fn curve(curve: &Curve<'_>, width: f32, height: f32) -> Drawing {
    let mut svg = Svg::new();
    let keep = |v: &f32| v.is_finite() && (!curve.log || *v > 0.0);
    let known = || curve.values.iter().copied().chain(curve.marks.iter().map(|m| m.1)).filter(keep).map(f64::from);
    let (mut low, mut high) = known().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    if low > high {
        (low, high) = if curve.log { (0.1, 1.0) } else { (0.0, 1.0) };
    }
    if curve.percent {
        (low, high) = (0.0, 1.0);
    } else if curve.log {
        (low, high) = (low / 1.1, high * 1.1);
    } else {
        (low, high) = (low.min(0.0), if high > 0.0 { high * 1.05 } else { 1.0 });
    }
    let shown = |v: f64| if curve.percent { format!("{}%", tick_label(v * 100.0)) } else { tick_label(v) };
    let y_ticks = if curve.log { log_ticks(low, high) } else { ticks(low, high, if height < 130.0 { 2 } else { 4 }) };
    let left = y_ticks.iter().map(|&t| text_width(&shown(t), SMALL)).fold(18f32, f32::max).ceil() + 8.0;
    let plot = Frame::new(left, 24.0, (width - left - 10.0).max(10.0), (height - 24.0 - 34.0).max(10.0));
    let y_of = |v: f64| {
        let t = if curve.log { (v / low).ln() / (high / low).ln() } else { (v - low) / (high - low) };
        plot.bottom() - (t.clamp(0.0, 1.0) as f32) * plot.h
    };
    let steps = curve.values.len().max(2);
    let last_mark = curve.marks.iter().map(|m| m.0).max().unwrap_or(0);
    let (from, to) = (curve.first as f64, (curve.first + steps as u64 - 1).max(last_mark) as f64);
    let x_of = |step: f64| plot.x + ((step - from) / (to - from).max(1.0)) as f32 * plot.w;

    svg.text([0.0, 13.0], 13.0, curve.title, &format!(r#"fill="{INK}" font-weight="600""#));
    for &t in &y_ticks {
        let y = y_of(t).round() + 0.5;
        svg.line([plot.x, y], [plot.right(), y], &format!(r#"class="grid" stroke="{LINE}""#));
        svg.text([plot.x - 6.0, y + 3.5], SMALL, &shown(t), &format!(r#"fill="{MUTED}" text-anchor="end""#));
    }
    for t in ticks(from, to, ((plot.w / 90.0) as usize).max(1)) {
        if t.fract() != 0.0 {
            continue;
        }
        let text = tick_label(t);
        let half = text_width(&text, SMALL) / 2.0;
        let x = x_of(t).clamp(plot.x, plot.right());
        svg.line([x, plot.bottom()], [x, plot.bottom() + 4.0], &format!(r#"stroke="{MUTED}""#));
        let at = x.min(width - half);
        svg.text([at, plot.bottom() + 16.0], SMALL, &text, &format!(r#"fill="{MUTED}" text-anchor="middle""#));
    }
    svg.text([plot.right(), height - 4.0], SMALL, curve.x_label, &format!(r#"fill="{MUTED}" text-anchor="end""#));
    svg.line([plot.x, plot.bottom() + 0.5], [plot.right(), plot.bottom() + 0.5], &format!(r#"stroke="{MUTED}""#));

    let stroke = colour(curve.kind);
    let draw = |svg: &mut Svg, values: &[f32], band: bool, attributes: &str| {
        let kept: Vec<f32> = values.iter().map(|v| if keep(v) { *v } else { f32::NAN }).collect();
        let parts = downsample(&kept, plot.w as usize);
        let (n, total) = (parts.len(), values.len());
        let mut d = String::new();
        let mut pen = false;
        for (i, part) in parts.iter().enumerate() {
            let Some((a, b)) = part else {
                pen = false;
                continue;
            };
            // The middle of the part, in steps.
            let step = (total * i / n + (total * (i + 1) / n).max(1) - 1) as f64 / 2.0;
            let x = px(x_of(from + step));
            d.push_str(if pen { "L" } else { "M" });
            pen = true;
            if band && a != b {
                d += &format!("{x} {}L{x} {}", px(y_of(f64::from(*a))), px(y_of(f64::from(*b))));
            } else {
                d += &format!("{x} {}", px(y_of(f64::from((a + b) / 2.0))));
            }
        }
        if !d.is_empty() {
            svg.path(&d, attributes);
        }
    };
    if !curve.values.is_empty() {
        let faint = if curve.smooth > 1 { ".35" } else { "1" };
        let raw =
            format!(r#"class="raw" fill="none" stroke="{stroke}" stroke-opacity="{faint}" stroke-linejoin="round""#);
        draw(&mut svg, curve.values, true, &raw);
        if curve.smooth > 1 {
            let smooth =
                format!(r#"class="smooth" fill="none" stroke="{stroke}" stroke-width="2" stroke-linejoin="round""#);
            draw(&mut svg, &smoothed(curve.values, curve.smooth), false, &smooth);
        }
    }
    for &(step, v) in curve.marks.iter().filter(|m| keep(&m.1)) {
        let (x, y) = (px(x_of(step as f64)), px(y_of(f64::from(v))));
        svg.raw(&format!(r#"<circle class="mark" cx="{x}" cy="{y}" r="4" fill="{OUTPUT}"/>"#));
    }
    let newest = smoothed(curve.values, curve.smooth.max(1)).last().copied().filter(|v| v.is_finite());
    let told =
        newest.map(|v| if curve.percent { format!("{}%", number(v * 100.0)) } else { number(v) }).unwrap_or_default();
    let told = if told.is_empty() { told } else { format!("{} {}: {told}", curve.x_label, to) };
    svg.text(
        [width - 10.0, 13.0],
        13.0,
        told.rsplit(": ").next().unwrap_or_default(),
        &format!(r#"fill="{stroke}" text-anchor="end" font-weight="600""#),
    );
    svg.finish(width, height, "chart curve", curve.title, &told)
}

/// A layer's gradient in one training step.
#[derive(Clone, Debug)]
pub struct GradientRow {
    /// Parameter or layer.
    pub name: String,
    /// Its family.
    pub kind: Kind,
    /// ‖gradient‖.
    pub gradient: f32,
    /// ‖update‖ / ‖weights‖.
    pub ratio: f32,
}

/// Gradient norms as bars on a logarithmic axis, and the update's size as a share of the weights'.
pub fn gradients(rows: &[GradientRow], width: f32, words: &Words) -> Drawing {
    let mut svg = Svg::new();
    let name = rows.iter().map(|r| text_width(&r.name, 12.0)).fold(40f32, f32::max).ceil() + 8.0;
    let ratio = text_width(&words.update, SMALL).max(64.0);
    let plot = Frame::new(name, 26.0, (width - name - ratio - 16.0).max(20.0), rows.len() as f32 * 20.0);
    let norms = || rows.iter().map(|r| f64::from(r.gradient)).filter(|g| g.is_finite() && *g > 0.0);
    let (low, high) = norms().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    let (low, high) =
        if low > high { (1e-3, 1.0) } else { (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil())) };
    let high = if high <= low { low * 10.0 } else { high };
    let x_of = |v: f64| plot.x + ((v / low).ln() / (high / low).ln()).clamp(0.0, 1.0) as f32 * plot.w;
    svg.text([0.0, 13.0], 13.0, &words.gradient, &format!(r#"fill="{INK}" font-weight="600""#));
    svg.text([width, 13.0], SMALL, &words.update, &format!(r#"fill="{MUTED}" text-anchor="end""#));
    let mut edge = f32::MIN;
    for t in log_ticks(low, high) {
        let x = x_of(t).round() + 0.5;
        svg.line([x, plot.y], [x, plot.bottom()], &format!(r#"class="grid" stroke="{LINE}""#));
        let text = tick_label(t);
        let half = text_width(&text, SMALL) / 2.0;
        if x - half > edge {
            svg.text([x, plot.bottom() + 14.0], SMALL, &text, &format!(r#"fill="{MUTED}" text-anchor="middle""#));
            edge = x + half + 6.0;
        }
    }
    for (i, row) in rows.iter().enumerate() {
        let y = plot.y + i as f32 * 20.0;
        svg.text([0.0, y + 14.0], 12.0, &row.name, &format!(r#"fill="{INK}""#));
        let g = f64::from(row.gradient);
        if g.is_finite() && g > 0.0 {
            let bar = Frame::new(plot.x, y + 4.0, (x_of(g) - plot.x).max(1.0), 12.0);
            svg.rect_titled(bar, &format!(r#"rx="2" fill="{}""#, colour(row.kind)), &number(row.gradient));
        } else {
            svg.text([plot.x + 4.0, y + 14.0], 12.0, &number(row.gradient), &format!(r#"fill="{MUTED}""#));
        }
        svg.text([width, y + 14.0], 12.0, &ratio_text(row.ratio), &format!(r#"fill="{INK}" text-anchor="end""#));
    }
    let told: Vec<String> = rows.iter().map(|r| format!("{} {}", r.name, number(r.gradient))).collect();
    svg.finish(width, plot.bottom() + 22.0, "chart gradients", &words.gradient, &told.join("; "))
}

fn ratio_text(v: f32) -> String {
    if v.is_finite() && v > 0.0 { format!("{v:.1e}").replace('-', "−") } else { number(v) }
}

/// Receptive field over depth: a bar a card, its height the field's, up to the whole input; a bar says which layer it is of
/// (`data-layer`).
pub fn fields(net: &Architecture, selected: Option<NodeId>, width: f32, height: f32, words: &Words) -> Drawing {
    let mut svg = Svg::new();
    let cards = layout::cards(&net.graph);
    let facts = describe::facts(&net.graph, &cards);
    let needed = net.inference_nodes();
    let bars: Vec<_> =
        cards.iter().zip(&facts).filter(|(c, _)| needed[c.node]).filter_map(|(c, f)| Some((c, f.field?))).collect();
    let input = net.graph.nodes()[net.graph.source()].shape;
    let whole = input.h.max(input.w);
    let top = bars.iter().map(|(_, f)| f.size[0].max(f.size[1])).max().unwrap_or(1).max(whole) as f32;
    let plot = Frame::new(0.0, 38.0, width, (height - 38.0 - 22.0).max(20.0));
    let line = plot.bottom() - whole as f32 / top * plot.h;
    svg.line(
        [0.0, line.round() + 0.5],
        [width, line.round() + 0.5],
        &format!(r#"class="whole" stroke="{FIELD}" stroke-dasharray="4 3""#),
    );
    let text = put(
        &words.whole_input,
        &[&if input.h == input.w { whole.to_string() } else { format!("{}×{}", input.h, input.w) }],
    );
    svg.text([0.0, 12.0], SMALL, &text, &format!(r#"fill="{FIELD}""#));
    let pitch = width / bars.len().max(1) as f32;
    let bar = (pitch * 0.64).min(46.0);
    let mut edge = f32::MIN;
    for (i, (card, field)) in bars.iter().enumerate() {
        let size = field.size[0].max(field.size[1]);
        let h = (size as f32 / top * plot.h).max(1.0);
        let x = (i as f32 + 0.5) * pitch;
        let on = selected.is_some_and(|node| card.nodes.contains(&node));
        let opacity = if selected.is_none() || on { "1" } else { ".45" };
        let f = Frame::new(x - bar / 2.0, plot.bottom() - h, bar, h);
        let tip = format!("{}: {}×{}", card.title, field.size[0], field.size[1]);
        let layer = super::escape(&net.graph.nodes()[card.layer].name);
        let look = format!(r#"class="bar" data-layer="{layer}" rx="2" fill="{FIELD}" fill-opacity="{opacity}""#);
        svg.rect_titled(f, &look, &tip);
        let weight = if on { r#" font-weight="700""# } else { "" };
        let number = size.to_string();
        let half = text_width(&card.title, SMALL).max(text_width(&number, SMALL)) / 2.0;
        let at = x.clamp(half, (width - half).max(half));
        if at - half > edge {
            svg.text([at, f.y - 5.0], SMALL, &number, &format!(r#"fill="{INK}" text-anchor="middle"{weight}"#));
            let ink = if on { INK } else { MUTED };
            svg.text(
                [at, plot.bottom() + 15.0],
                SMALL,
                &card.title,
                &format!(r#"fill="{ink}" text-anchor="middle"{weight}"#),
            );
            edge = at + half + 4.0;
        }
    }
    svg.line([0.0, plot.bottom() + 0.5], [width, plot.bottom() + 0.5], &format!(r#"stroke="{MUTED}""#));
    let told: Vec<String> = bars.iter().map(|(c, f)| format!("{} {}×{}", c.title, f.size[0], f.size[1])).collect();
    svg.finish(width, height, "chart fields", &text, &told.join("; "))
}

/// A confusion matrix: rows what it is, columns what it was taken for; `counts` row-major, one a pair of labels.
pub fn confusion(counts: &[u32], labels: &[String], width: f32, words: &Words) -> Drawing {
    let n = labels.len();
    let mut svg = Svg::new();
    let side = text_width("0", 12.0).max(labels.iter().map(|l| text_width(l, 12.0)).fold(0f32, f32::max)).ceil() + 24.0;
    let cell = ((width - side) / n.max(1) as f32).floor().clamp(8.0, 44.0);
    let top = 36.0;
    // Errors are few beside hits: the diagonal and the errors each have their own scale.
    let at = |r: usize, c: usize| counts.get(r * n + c).copied().unwrap_or(0);
    let most = |hit: bool| {
        let pairs = (0..n * n).filter(|i| (i / n == i % n) == hit);
        pairs.map(|i| at(i / n, i % n)).max().unwrap_or(0).max(1) as f32
    };
    let (hits, errors) = (most(true), most(false));
    svg.text(
        [side + cell * n as f32 / 2.0, 12.0],
        12.0,
        &words.taken_for,
        &format!(r#"fill="{MUTED}" text-anchor="middle""#),
    );
    let (x, y) = (11.0, top + cell * n as f32 / 2.0);
    let turn = format!(r#"fill="{MUTED}" text-anchor="middle" transform="rotate(-90 {} {})""#, px(x), px(y));
    svg.text([x, y], 12.0, &words.truth, &turn);
    for (i, label) in labels.iter().enumerate() {
        let middle = (i as f32 + 0.5) * cell;
        svg.text([side + middle, top - 6.0], 12.0, label, &format!(r#"fill="{INK}" text-anchor="middle""#));
        svg.text([side - 6.0, top + middle + 4.0], 12.0, label, &format!(r#"fill="{INK}" text-anchor="end""#));
    }
    for r in 0..n {
        for c in 0..n {
            let count = at(r, c);
            let f = Frame::new(side + c as f32 * cell, top + r as f32 * cell, cell - 1.0, cell - 1.0);
            let share = count as f32 / if r == c { hits } else { errors };
            let (fill, dark) = (if r == c { POOL } else { OUTPUT }, share > 0.55);
            let tip = format!("{} {} · {} {}: {count}", words.truth, labels[r], words.taken_for, labels[c]);
            svg.rect(f, &format!(r#"fill="{LINE}" fill-opacity=".25""#));
            svg.rect_titled(f, &format!(r#"class="cell" fill="{fill}" fill-opacity="{}""#, px(share * 0.9)), &tip);
            let text = count.to_string();
            let size = SMALL.min((cell - 3.0) / text_width(&text, 1.0));
            if count > 0 && size >= 7.0 {
                let ink = if dark { "#ffffff" } else { INK };
                let at = [f.x + f.w / 2.0, f.y + f.h / 2.0 + size * 0.36];
                svg.text(at, size, &text, &format!(r#"fill="{ink}" text-anchor="middle" pointer-events="none""#));
            }
        }
    }
    let wrong: u32 = (0..n * n).filter(|i| i / n.max(1) != i % n.max(1)).map(|i| at(i / n, i % n)).sum();
    let told = format!("{}: {wrong} / {}", words.taken_for, counts.iter().sum::<u32>());
    svg.finish(side + cell * n as f32, top + cell * n as f32 + 2.0, "chart confusion", &words.taken_for, &told)
}

/// Which bars are good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Shares of one: shown in percent, the longest is the answer.
    Probability,
    /// Distances: the shortest is the answer.
    Distance,
}

/// A bar an output: probabilities, or distances to each class.
pub fn bars(
    values: &[f32],
    labels: &[String],
    answer: Option<usize>,
    reading: Reading,
    width: f32,
    words: &Words,
) -> Drawing {
    let mut svg = Svg::new();
    let pitch = 22.0;
    let left = labels.iter().map(|l| text_width(l, 13.0)).fold(10f32, f32::max).ceil() + 10.0;
    let text = |v: f32| match reading {
        Reading::Probability if v.is_finite() => format!("{:.1}%", v * 100.0),
        Reading::Distance if v.is_finite() => format!("{v:.1}").replace('-', "−"),
        _ => number(v),
    };
    let right = values.iter().map(|&v| text_width(&text(v), 12.0)).fold(44f32, f32::max).ceil() + 6.0;
    let room = (width - left - right).max(10.0);
    let top = match reading {
        Reading::Probability => 1.0,
        Reading::Distance => values.iter().copied().filter(|v| v.is_finite()).fold(f32::MIN_POSITIVE, f32::max),
    };
    for (i, (&v, label)) in values.iter().zip(labels).enumerate() {
        let y = i as f32 * pitch;
        let on = answer == Some(i);
        let weight = if on { r#" font-weight="700""# } else { "" };
        svg.text([0.0, y + 15.0], 13.0, label, &format!(r#"fill="{INK}"{weight}"#));
        let track = Frame::new(left, y + 5.0, room, 12.0);
        svg.rect(track, &format!(r#"class="track" rx="3" fill="{LINE}" fill-opacity=".35""#));
        if v.is_finite() && v > 0.0 {
            let (fill, opacity) = if on { (OUTPUT, "1") } else { (MUTED, ".5") };
            let bar = Frame { w: (room * (v / top).min(1.0)).max(1.0), ..track };
            svg.rect(bar, &format!(r#"class="bar" rx="3" fill="{fill}" fill-opacity="{opacity}""#));
        }
        svg.text([width, y + 15.0], 12.0, &text(v), &format!(r#"fill="{INK}" text-anchor="end"{weight}"#));
    }
    let title = if reading == Reading::Probability { &words.probability } else { &words.distance };
    let told: Vec<String> = values.iter().zip(labels).map(|(&v, l)| format!("{l}: {}", text(v))).collect();
    svg.finish(width, values.len().min(labels.len()) as f32 * pitch, "chart bars", title, &told.join("; "))
}

/// How many values fall where: about 40 equal bins from the smallest to the largest; zero is marked.
pub fn histogram(values: &[f32], title: &str, width: f32, height: f32, words: &Words) -> Drawing {
    let finite: Vec<f64> = values.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v)).collect();
    let (low, high) = finite.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
    let (low, high) = if low > high {
        (-1.0, 1.0)
    } else if low == high {
        (low - 0.5, high + 0.5)
    } else {
        (low, high)
    };
    let bins = 40usize;
    let mut counts = vec![0u64; bins];
    for v in &finite {
        let i = ((v - low) / (high - low) * bins as f64) as usize;
        counts[i.min(bins - 1)] += 1;
    }
    histogram_of([low, high], &counts, title, width, height, words)
}

/// The same of values that are counted already: equal bins from the smallest to the largest.
pub fn histogram_of(
    [low, high]: [f64; 2],
    counts: &[u64],
    title: &str,
    width: f32,
    height: f32,
    words: &Words,
) -> Drawing {
    let mut svg = Svg::new();
    let (bins, all) = (counts.len().max(1), counts.iter().sum::<u64>());
    let (low, high) = if low < high { (low, high) } else { (low - 0.5, low + 0.5) };
    let top = counts.iter().copied().max().unwrap_or(0).max(1);
    let left = text_width(&grouped(top), SMALL).ceil() + 8.0;
    let plot = Frame::new(left, 24.0, (width - left - 8.0).max(10.0), (height - 24.0 - 20.0).max(10.0));
    svg.text([0.0, 13.0], 13.0, title, &format!(r#"fill="{INK}" font-weight="600""#));
    let x_of = |v: f64| plot.x + ((v - low) / (high - low)) as f32 * plot.w;
    let y_of = |c: f64| plot.bottom() - (c / top as f64) as f32 * plot.h;
    for t in ticks(0.0, top as f64, 3) {
        if t.fract() != 0.0 {
            continue;
        }
        let y = y_of(t).round() + 0.5;
        svg.line([plot.x, y], [plot.right(), y], &format!(r#"class="grid" stroke="{LINE}""#));
        svg.text([plot.x - 6.0, y + 3.5], SMALL, &tick_label(t), &format!(r#"fill="{MUTED}" text-anchor="end""#));
    }
    for (i, &count) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
        let edge = |i: usize| low + (high - low) * i as f64 / bins as f64;
        let (x0, x1, y) = (x_of(edge(i)), x_of(edge(i + 1)), y_of(count as f64));
        let fill = if edge(i) + edge(i + 1) < 0.0 { FIELD } else { CONV };
        let tip = format!("{} … {}: {}", number(edge(i) as f32), number(edge(i + 1) as f32), grouped(count));
        let f = Frame::new(x0, y, (x1 - x0 - 0.5).max(0.5), plot.bottom() - y);
        svg.rect_titled(f, &format!(r#"class="bar" fill="{fill}" fill-opacity=".85""#), &tip);
    }
    if low < 0.0 && high > 0.0 {
        let x = x_of(0.0).round() + 0.5;
        svg.line([x, plot.y], [x, plot.bottom()], &format!(r#"class="zero" stroke="{LINEAR}" stroke-dasharray="3 3""#));
    }
    svg.line([plot.x, plot.bottom() + 0.5], [plot.right(), plot.bottom() + 0.5], &format!(r#"stroke="{MUTED}""#));
    for t in ticks(low, high, ((plot.w / 70.0) as usize).max(1)) {
        let text = tick_label(t);
        let half = text_width(&text, SMALL) / 2.0;
        let at = [x_of(t).min(width - half), plot.bottom() + 15.0];
        svg.text(at, SMALL, &text, &format!(r#"fill="{MUTED}" text-anchor="middle""#));
    }
    let told = format!("{} {}; {} … {}", words.count, grouped(all), number(low as f32), number(high as f32));
    svg.finish(width, height, "chart histogram", title, &told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0, 4), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(0.0, 2.4, 4), [0.0, 1.0, 2.0]);
        assert_eq!(ticks(-3.0, 7.0, 5), [-2.0, 0.0, 2.0, 4.0, 6.0]);
        assert_eq!(ticks(5.0, 5.0, 3), [5.0]);
        assert_eq!(log_ticks(0.01, 10.0), [0.01, 0.1, 1.0, 10.0]);
        assert_eq!(log_ticks(0.3, 2.0), [0.5, 1.0, 2.0]);
        assert_eq!(tick_label(0.1 + 0.2), "0.3");
        assert_eq!(tick_label(-1200.0), "−1,200");
    }

    #[test]
    fn downsampling_keeps_what_stands_out() {
        let mut values = vec![1.0; 10_000];
        values[7_777] = 9.0;
        values[3_333] = f32::NAN;
        let parts = downsample(&values, 300);
        assert_eq!(parts.len(), 300);
        assert_eq!(parts.iter().flatten().map(|p| p.1).fold(0.0, f32::max), 9.0);
        assert_eq!(downsample(&[f32::NAN], 5), [None]);
        assert_eq!(downsample(&[], 5), [None]);
    }

    #[test]
    fn the_smooth_line_starts_where_the_values_start() {
        let smooth = smoothed(&[4.0, 4.0, f32::NAN, 4.0], 100);
        assert!(smooth.iter().all(|v| (v - 4.0).abs() < 1e-5), "{smooth:?}");
        let step = smoothed(&[0.0, 1.0], 2);
        assert!((step[1] - 2.0 / 3.0).abs() < 1e-6, "{step:?}");
    }
}
