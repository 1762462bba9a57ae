//! How one unit's value came about, drawn: patch × kernel term by term with their numbers, then the sum, the bias, the function.
//! Knows explanations (data of `ops::explain`); no network, no page.

use super::stage::bitmap;
use super::{Drawing, FIELD, Frame, INK, LINE, MUTED, PAPER, Svg, Words, cell, number, put, text_width};
use crate::colormap::Palette;
use crate::ops::Activation;
use crate::ops::explain::{Explanation, Rule, Term};

/// Terms drawn with all their numbers; the others are listed with what they add.
const FULL: usize = 6;
/// Cells of one grid that may carry numbers.
const NUMBERED: usize = 64;

/// One grid of cells.
struct Cells {
    rows: usize,
    cols: usize,
    /// Px per cell.
    side: f32,
    numbers: bool,
}

impl Cells {
    /// For this term, with `grids` of them side by side in `width`.
    fn of(term: &Term, grids: usize, width: f32) -> Self {
        let len = term.values.len();
        let [rows, cols] = term.size;
        let numbers = len <= NUMBERED && cols <= 8;
        let (rows, cols) = if rows == 1 && !numbers {
            let (rows, cols, rest) = bitmap(len);
            (rows + usize::from(rest > 0), cols)
        } else {
            (rows, cols)
        };
        let room = (width - RESULT - (grids as f32 - 1.0) * OPERATOR) / (grids * cols.max(1)) as f32;
        let side = if numbers { room.floor().clamp(22.0, 36.0) } else { room.floor().clamp(2.0, 11.0) };
        Self { rows, cols, side, numbers }
    }

    fn width(&self) -> f32 {
        self.cols as f32 * self.side
    }

    fn height(&self) -> f32 {
        self.rows as f32 * self.side
    }
}

/// A cell whose number can be read from a seat in the class.
const READABLE: f32 = 27.0;
/// Between terms side by side.
const BETWEEN: f32 = 22.0;
const OPERATOR: f32 = 24.0;
const RESULT: f32 = 74.0;
const FONT: f32 = 13.0;
const SMALL: f32 = 11.0;

struct Painter<'a> {
    svg: Svg,
    palette: Palette,
    words: &'a Words,
}

/// The largest magnitude; 1 where all is zero, so that zero is the middle of the scale.
fn scale(values: impl Iterator<Item = f32>) -> f32 {
    let top = values.filter(|v| v.is_finite()).fold(0f32, |a, v| a.max(v.abs()));
    if top > 0.0 { top } else { 1.0 }
}

impl Painter<'_> {
    fn shade(&self, t: f32) -> (String, &'static str) {
        let [r, g, b] = self.palette.colour(t);
        let light = 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b);
        (format!("#{r:02x}{g:02x}{b:02x}"), if light > 140.0 { "#1d1c1a" } else { "#ffffff" })
    }

    fn grid(
        &mut self,
        cells: &Cells,
        at: [f32; 2],
        values: &[Option<f32>],
        top: f32,
        mark: Option<usize>,
        tips: &[String],
    ) {
        let gap = if cells.side >= 8.0 { 1.0 } else { 0.0 };
        for (i, value) in values.iter().enumerate() {
            let (row, col) = ((i / cells.cols) as f32, (i % cells.cols) as f32);
            let f = Frame::new(at[0] + col * cells.side, at[1] + row * cells.side, cells.side - gap, cells.side - gap);
            let tip = tips.get(i).map(String::as_str).unwrap_or_default();
            let Some(v) = value else {
                let padding = format!(r#"class="padding" fill="none" stroke="{LINE}" stroke-dasharray="2 2""#);
                self.svg.rect_titled(f.grow(-0.5), &padding, &self.words.padding);
                continue;
            };
            let (fill, ink) = self.shade(v / top);
            if tip.is_empty() {
                self.svg.rect(f, &format!(r#"fill="{fill}""#));
            } else {
                self.svg.rect_titled(f, &format!(r#"fill="{fill}""#), tip);
            }
            if cells.numbers {
                let text = cell(*v, top);
                let size = (cells.side * 0.38).min(11.5).min((cells.side - 2.0) / text_width(&text, 1.0));
                let [x, y] = [f.x + f.w / 2.0, f.y + f.h / 2.0 + size * 0.36];
                self.svg.text([x, y], size, &text, &format!(r#"text-anchor="middle" fill="{ink}""#));
            }
            if mark == Some(i) {
                self.svg
                    .rect(f.grow(0.5), &format!(r#"class="winner" fill="none" stroke="{FIELD}" stroke-width="2.5""#));
            }
        }
        let whole = Frame::new(at[0], at[1], cells.width(), cells.height()).grow(0.5);
        self.svg.rect(whole, &format!(r#"fill="none" stroke="{LINE}""#));
    }

    fn operator(&mut self, x: f32, y: f32, text: &str) {
        let attributes = format!(r#"text-anchor="middle" fill="{INK}" font-weight="600""#);
        self.svg.text([x + OPERATOR / 2.0, y + 5.0], 15.0, text, &attributes);
    }

    /// One term in full, from this corner on; returns width and height taken.
    fn term(&mut self, rule: Rule, term: &Term, at: [f32; 2], width: f32, tops: [f32; 3], named: bool) -> [f32; 2] {
        let extra = third(rule, term);
        let grids = 1 + usize::from(!term.weights.is_empty()) + usize::from(extra.is_some());
        let cells = Cells::of(term, grids, width);
        let (mut x, mut y) = (at[0], at[1]);
        if named {
            let (row, column) = (term.at[0].to_string(), term.at[1].to_string());
            let place = put(&self.words.from_row_column, &[&row, &column]);
            let text = format!("{} · {place}", put(&self.words.map, &[&term.map.to_string()]));
            self.svg.text([x, y + SMALL], SMALL, &text.replace('-', "−"), &format!(r#"fill="{MUTED}""#));
            y += SMALL + 7.0;
        }
        let sign = if rule == Rule::SquaredDistance { "−" } else { "×" };
        let tips: Vec<String> = term
            .values
            .iter()
            .enumerate()
            .map(|(i, v)| match (v, term.weights.get(i)) {
                (Some(v), Some(w)) if rule == Rule::SquaredDistance => {
                    format!("({} − {})² = {}", number(*v), number(*w), number((v - w) * (v - w)))
                }
                (Some(v), Some(w)) => format!("{} × {} = {}", number(*v), number(*w), number(v * w)),
                (Some(v), None) => number(*v),
                (None, _) => self.words.padding.to_string(),
            })
            .collect();
        let middle = y + cells.height() / 2.0;
        self.grid(&cells, [x, y], &term.values, tops[0], term.mark, &tips);
        x += cells.width();
        if !term.weights.is_empty() {
            self.operator(x, middle, sign);
            x += OPERATOR;
            let weights: Vec<Option<f32>> = term.weights.iter().copied().map(Some).collect();
            self.grid(&cells, [x, y], &weights, tops[1], None, &tips);
            x += cells.width();
        }
        if let Some(extra) = &extra {
            self.operator(x, middle, if rule == Rule::SquaredDistance { "²" } else { "→" });
            x += OPERATOR;
            self.grid(&cells, [x, y], extra, tops[2], None, &tips);
            x += cells.width();
        }
        let (before, bold) = match rule {
            Rule::Max => (self.words.maximum.to_string() + " ", true),
            Rule::Mean | Rule::ScaledSum | Rule::SquaredDistance => ("Σ ".to_string(), false),
            _ => (String::new(), false),
        };
        if !matches!(rule, Rule::Mean) {
            let text = format!("{before}= {}", number(term.result));
            let weight = if bold { r#" font-weight="600""# } else { "" };
            self.svg.text([x + 8.0, middle + 5.0], FONT, &text, &format!(r#"fill="{INK}"{weight}"#));
            x += 8.0 + text_width(&text, FONT);
        }
        [x - at[0], y + cells.height() - at[1]]
    }
}

/// For vectors and distances a third grid: what each cell adds.
fn third(rule: Rule, term: &Term) -> Option<Vec<Option<f32>>> {
    let pairs = || term.values.iter().zip(&term.weights);
    match rule {
        Rule::SquaredDistance => Some(pairs().map(|(v, w)| v.map(|v| (v - w) * (v - w))).collect()),
        Rule::WeightedSum if !term.weights.is_empty() && term.values.len() > NUMBERED => {
            Some(pairs().map(|(v, w)| v.map(|v| v * w)).collect())
        }
        _ => None,
    }
}

/// `f(x)` with the number put in.
pub fn activation_text(activation: Activation, x: f32) -> String {
    let x = number(x);
    let bracketed = if x.starts_with('−') { format!("({x})") } else { x.clone() };
    match activation {
        Activation::Relu => format!("max(0, {x})"),
        Activation::Tanh => format!("tanh({x})"),
        Activation::ScaledTanh => format!("1.7159 · tanh(⅔ · {bracketed})"),
        Activation::Sigmoid => format!("1 / (1 + exp(−{bracketed}))"),
    }
}

/// The closing line, in pieces that may be wrapped between; the last piece is the value.
pub fn line(explanations: &[Explanation], words: &Words) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for e in explanations {
        let step = |name: &str| e.steps.iter().find(|s| s.0 == name).map(|s| s.1);
        let value = e.steps.last().map_or(0.0, |s| s.1);
        let signed = |v: f32| if v < 0.0 { format!("− {}", number(-v)) } else { format!("+ {}", number(v)) };
        match e.rule {
            Rule::WeightedSum => {
                let sum = step("sum").unwrap_or(value);
                let mut text = format!("{} =", words.sum);
                if (2..=FULL).contains(&e.terms.len()) {
                    for (i, term) in e.terms.iter().enumerate() {
                        text += &if i == 0 {
                            format!(" {}", number(term.result))
                        } else {
                            format!(" {}", signed(term.result))
                        };
                    }
                    out.push(text);
                    text = "=".into();
                }
                out.push(format!("{text} {}", number(sum)));
                if let Some(bias) = step("bias") {
                    out.push(format!("+ {} {}", words.bias, bracket(bias)));
                    out.push(format!("= {}", number(value)));
                }
            }
            Rule::ScaledSum => {
                out.push(format!("{} = {}", words.sum, number(step("sum").unwrap_or(0.0))));
                if let Some(factor) = step("coefficient") {
                    out.push(format!("× {} {}", words.coefficient, bracket(factor)));
                }
                if let Some(bias) = step("bias") {
                    out.push(format!("+ {} {}", words.bias, bracket(bias)));
                }
                out.push(format!("= {}", number(value)));
            }
            Rule::Max => out.push(format!("{} = {}", words.maximum, number(value))),
            Rule::Mean => {
                if let Some(sum) = step("sum") {
                    out.push(format!("{} = {}", words.sum, number(sum)));
                    out.extend(step("count").map(|n| format!("÷ {n}")));
                }
                out.push(format!("{} = {}", words.mean, number(value)));
            }
            Rule::SquaredDistance => out.push(format!("{} = {}", words.distance, number(value))),
            Rule::Activation(f) => {
                let x = step("input").or_else(|| e.terms.first().map(|t| t.result)).unwrap_or(0.0);
                out.push(format!("→ {}", activation_text(f, x)));
                out.push(format!("= {}", number(value)));
            }
            Rule::Sum => {
                let parts: Vec<String> = e.terms.iter().map(|t| bracket(t.result)).collect();
                out.push(format!("{} =", parts.join(" + ")));
                out.push(number(value));
            }
            // In the papers' letters: mean μ, variance σ², scale γ, shift β.
            Rule::Normalise => {
                let [x, mean, variance, normalised, weight, bias] =
                    ["input", "mean", "variance", "normalised", "weight", "bias"].map(|n| step(n).unwrap_or(0.0));
                out.push(format!("(x − μ) / √(σ² + ε) = ({} {}) / √{}", number(x), signed(-mean), number(variance)));
                out.push(format!("= {}", number(normalised)));
                out.push(format!("γ · x̂ + β = {} · {}", number(weight), bracket(normalised)));
                out.push(signed(bias));
                out.push(format!("= {}", number(value)));
            }
            Rule::LocalResponse => {
                let [x, sum, denominator] = ["input", "sum", "denominator"].map(|n| step(n).unwrap_or(0.0));
                out.push(format!("Σ x² = {}", number(sum)));
                out.push(format!("k + α·Σ x² = {}", number(denominator)));
                out.push(format!("x / (k + α·Σ x²)^β = {}", number(x)));
                out.push(format!("/ {}^β", number(denominator)));
                out.push(format!("= {}", number(value)));
            }
            Rule::Copy => {
                if explanations.len() == 1 {
                    out.push(format!("{} = {}", words.value, number(value)));
                }
            }
        }
    }
    out
}

fn bracket(v: f32) -> String {
    let text = number(v);
    if text.starts_with('−') { format!("({text})") } else { text }
}

/// Draws a unit's explanations (the layer, then the pointwise layers behind it) in this width; as high as it needs to be.
pub fn arithmetic(explanations: &[Explanation], width: f32, palette: Palette, words: &Words) -> Drawing {
    let mut p = Painter { svg: Svg::new(), palette, words };
    let (mut y, mut used) = (0f32, 0f32);
    for e in explanations.iter().filter(|e| !matches!(e.rule, Rule::Activation(_) | Rule::Copy)) {
        let all = || e.terms.iter();
        let tops = [
            scale(all().flat_map(|t| &t.values).flatten().copied()),
            scale(all().flat_map(|t| &t.weights).copied()),
            scale(all().filter_map(|t| third(e.rule, t)).flatten().flatten()),
        ];
        // Of many terms, those that add the most are worth the room; then all are listed.
        let full = if e.terms.len() <= FULL { e.terms.len() } else { 4 };
        let mut order: Vec<usize> = (0..e.terms.len()).collect();
        if full < e.terms.len() {
            order.sort_by(|&a, &b| e.terms[b].result.abs().total_cmp(&e.terms[a].result.abs()).then(a.cmp(&b)));
            order.truncate(full);
            order.sort_unstable();
        }
        let named = e.terms.iter().any(|t| t.size[0] > 1 || t.at != [0, 0]) || e.terms.len() > 1;
        // Terms stand side by side where their numbers stay readable.
        let least = e.terms.iter().map(|t| {
            let grids = if t.weights.is_empty() { 1.0 } else { 2.0 };
            grids * t.size[1] as f32 * READABLE + OPERATOR + RESULT
        });
        let least = least.fold(1f32, f32::max);
        let abreast = (((width + BETWEEN) / (least + BETWEEN)) as usize).clamp(1, order.len().max(1));
        let share = (width - BETWEEN * (abreast as f32 - 1.0)) / abreast as f32;
        let (mut x, mut tallest) = (0f32, 0f32);
        for &i in &order {
            let term = &e.terms[i];
            // How wide it will be is known before it is drawn: its grids, the signs between, the result.
            let grids = 1 + usize::from(!term.weights.is_empty()) + usize::from(third(e.rule, term).is_some());
            let cells = Cells::of(term, grids, share);
            let wide = cells.width() * grids as f32 + OPERATOR * (grids as f32 - 1.0) + RESULT;
            if x > 0.0 && x + wide > width {
                (x, y, tallest) = (0.0, y + tallest + 14.0, 0.0);
            }
            let [_, h] = p.term(e.rule, term, [x, y], share, tops, named);
            used = used.max(x + wide);
            x += wide + BETWEEN;
            tallest = tallest.max(h);
        }
        y += tallest + 12.0;
        if full < e.terms.len() {
            let top = scale(all().map(|t| t.result));
            let columns = ((width / 112.0).floor() as usize).max(1);
            let heading = put(&words.more_terms, &[&e.terms.len().saturating_sub(full).to_string()]);
            p.svg.text([0.0, y + SMALL], SMALL, &heading, &format!(r#"fill="{MUTED}""#));
            y += SMALL + 8.0;
            let rest: Vec<&Term> = (0..e.terms.len()).filter(|i| !order.contains(i)).map(|i| &e.terms[i]).collect();
            let rows = rest.len().div_ceil(columns);
            for (i, term) in rest.iter().enumerate() {
                // Down the columns, as one reads a table.
                let (x, y) = ((i / rows) as f32 * 112.0, y + (i % rows) as f32 * 17.0);
                let (fill, _) = p.shade(term.result / top);
                p.svg.rect(Frame::new(x, y + 1.0, 10.0, 10.0), &format!(r#"fill="{fill}" stroke="{LINE}""#));
                p.svg.text(
                    [x + 15.0, y + 10.0],
                    SMALL,
                    &put(&words.map, &[&term.map.to_string()]),
                    &format!(r#"fill="{MUTED}""#),
                );
                p.svg.text(
                    [x + 104.0, y + 10.0],
                    SMALL,
                    &number(term.result),
                    &format!(r#"fill="{INK}" text-anchor="end""#),
                );
            }
            y += rows as f32 * 17.0 + 8.0;
        }
    }
    // The closing line, wrapped between its pieces.
    let pieces = line(explanations, words);
    let (mut x, size) = (0f32, if width >= 600.0 { 15.0 } else { 14.0 });
    let mut top = y + size;
    for (i, piece) in pieces.iter().enumerate() {
        let wide = text_width(piece, size) + 8.0;
        if x > 0.0 && x + wide > width {
            (x, top) = (0.0, top + size * 1.5);
        }
        let last = i + 1 == pieces.len();
        let weight = if last { r#" font-weight="700""# } else { "" };
        p.svg.text([x, top], size, piece, &format!(r#"class="line" fill="{INK}"{weight}"#));
        x += wide;
        used = used.max(x);
    }
    let height = (top + 8.0).ceil();
    let text = pieces.join(" ");
    if explanations.is_empty() {
        p.svg.rect(Frame::new(0.0, 0.0, 1.0, 1.0), &format!(r#"fill="{PAPER}" fill-opacity="0""#));
    }
    p.svg.finish(width.max(used.ceil()), height, "arithmetic", &text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(results: &[f32], bias: f32) -> Explanation {
        let term = |&result: &f32| Term {
            input: 0,
            map: 0,
            at: [0, 0],
            size: [1, 1],
            values: vec![Some(result)],
            weights: vec![1.0],
            mark: None,
            result,
        };
        let sum: f32 = results.iter().sum();
        Explanation {
            rule: Rule::WeightedSum,
            terms: results.iter().map(term).collect(),
            steps: vec![("sum".into(), sum), ("bias".into(), bias), ("value".into(), sum + bias)],
        }
    }

    #[test]
    fn the_line_reads_as_one_would_write_it() {
        let squash = Explanation {
            rule: Rule::Activation(Activation::ScaledTanh),
            terms: Vec::new(),
            steps: vec![("input".into(), 1.214), ("value".into(), 1.148)],
        };
        let words = Words::default();
        assert_eq!(
            line(&[sum(&[1.284], -0.07), squash], &words).join(" "),
            "Σ = 1.284 + bias (−0.070) = 1.214 → 1.7159 · tanh(⅔ · 1.214) = 1.148"
        );
        assert_eq!(
            line(&[sum(&[1.0, -0.5], 0.25)], &words).join(" "),
            "Σ = 1.000 − 0.500 = 0.500 + bias 0.250 = 0.750"
        );
    }
}
