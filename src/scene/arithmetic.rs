//! How one unit's value came about, drawn: patch × kernel term by term with their numbers, then the sum, the bias, the function;
//! finished, or as far as some beat ([`super::beats`]). Knows explanations (data of `ops::explain`); no network, no page.

use super::beats::{self, Beat, Progress, What};
use super::equations::{FULL, Line, Story, bracket, gradients, lines, summand};
use super::stage::bitmap;
use super::{
    Drawing, FIELD, Frame, INK, LINE, MUTED, PAPER, STAGE, Svg, Words, bold_width, cell, number, put, text_width,
};
use crate::colormap::Palette;
use crate::graph::skips::{Role, SkipKind};
use crate::ops::explain::{Explanation, Rule, Term};
use std::ops::Range;

/// Cells of one grid that may carry numbers.
const NUMBERED: usize = 100;
/// Cells that are drawn one by one; more are a picture.
const SINGLE: usize = 400;
/// Terms that are listed by name and number; more are a picture of what each adds.
const LISTED: usize = 64;

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
        let (rows, cols) = if rows == 1 && cols > 8 {
            let (rows, cols, rest) = bitmap(len);
            (rows + usize::from(rest > 0), cols)
        } else {
            (rows, cols)
        };
        let signs = if grids > 2 { grids as f32 + 0.5 } else { grids as f32 - 1.0 };
        let room = (width - RESULT - signs * OPERATOR) / (grids * cols.max(1)) as f32;
        // Numbers where there are few enough and room to read them.
        let numbers = len <= NUMBERED && cols <= 10 && room >= 22.0;
        let side = if numbers { room.floor().min(36.0) } else { room.floor().min(11.0).max(room.min(2.0)).max(0.25) };
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
const READABLE: f32 = 26.0;
/// Between terms side by side.
const BETWEEN: f32 = 22.0;
const OPERATOR: f32 = 24.0;
const RESULT: f32 = 92.0;
const FONT: f32 = 13.0;
const SMALL: f32 = 11.0;

struct Painter<'a> {
    svg: Svg,
    palette: Palette,
    words: &'a Words,
}

/// One grid: its cells' values, their scale, and how far it is told.
struct Grid<'a> {
    values: &'a [Option<f32>],
    /// The magnitude of the last colour.
    top: f32,
    /// The one that won.
    mark: Option<usize>,
    /// What each cell says when pointed at.
    tips: &'a [String],
    /// Cells told so far; the others are faint.
    told: usize,
    /// Cells of the present beat.
    now: Option<Range<usize>>,
}

/// How far a term is told.
#[derive(Clone)]
struct Part {
    told: usize,
    now: Option<Range<usize>>,
}

impl Part {
    /// Of the term whose first cell is `start`.
    fn of(progress: &Progress, start: usize, len: usize) -> Self {
        let within = |cell: usize| cell.saturating_sub(start).min(len);
        let now = progress.now.as_ref().map(|r| within(r.start)..within(r.end)).filter(|r| !r.is_empty());
        Self { told: within(progress.cells), now }
    }
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

    fn grid(&mut self, cells: &Cells, at: [f32; 2], grid: &Grid<'_>) {
        let whole = Frame::new(at[0], at[1], cells.width(), cells.height());
        if grid.values.len() > SINGLE {
            // What is not told yet has added nothing.
            let told = &grid.values[..grid.told.min(grid.values.len())];
            let value = |i: usize| told.get(i).copied().flatten().unwrap_or(0.0) / grid.top;
            let picture = super::bmp(cells.rows, cells.cols, self.palette, value);
            self.svg.picture(whole, &picture);
        } else {
            self.cells(cells, at, grid);
        }
        if let Some(now) = &grid.now {
            // The cells of this beat, row by row.
            for row in now.start / cells.cols..now.end.div_ceil(cells.cols) {
                let first = now.start.max(row * cells.cols) % cells.cols;
                let last = (now.end - row * cells.cols).min(cells.cols);
                let [left, wide] = [first, last - first].map(|c| c as f32 * cells.side);
                let f = Frame::new(at[0] + left, at[1] + row as f32 * cells.side, wide, cells.side);
                if now.len() <= cells.cols {
                    let attributes = format!(r#"class="now" fill="none" stroke="{FIELD}" stroke-width="2.5""#);
                    self.svg.rect(f.grow(-cells.side.min(2.0) / 4.0), &attributes);
                }
            }
        }
        let border = if grid.now.as_ref().is_some_and(|n| n.len() > cells.cols) { FIELD } else { LINE };
        self.svg.rect(whole.grow(0.5), &format!(r#"fill="none" stroke="{border}""#));
    }

    fn cells(&mut self, cells: &Cells, at: [f32; 2], grid: &Grid<'_>) {
        let gap = if cells.side >= 8.0 { 1.0 } else { 0.0 };
        for (i, value) in grid.values.iter().enumerate() {
            let (row, col) = ((i / cells.cols) as f32, (i % cells.cols) as f32);
            let f = Frame::new(at[0] + col * cells.side, at[1] + row * cells.side, cells.side - gap, cells.side - gap);
            let tip = grid.tips.get(i).map(String::as_str).unwrap_or_default();
            let Some(v) = value else {
                let padding = format!(r#"class="padding" fill="none" stroke="{LINE}" stroke-dasharray="2 2""#);
                self.svg.rect_titled(f.grow(-0.5), &padding, &self.words.padding);
                continue;
            };
            let faint = if i < grid.told { "" } else { r#" opacity=".28""# };
            let (fill, ink) = self.shade(v / grid.top);
            if tip.is_empty() {
                self.svg.rect(f, &format!(r#"fill="{fill}"{faint}"#));
            } else {
                self.svg.rect_titled(f, &format!(r#"fill="{fill}"{faint}"#), tip);
            }
            if cells.numbers {
                let text = cell(*v, grid.top);
                let size = (cells.side * 0.38).min(11.5).min((cells.side - 2.0) / text_width(&text, 1.0));
                let [x, y] = [f.x + f.w / 2.0, f.y + f.h / 2.0 + size * 0.36];
                // On a faint cell the page's own ink is the one that can be read.
                let ink = if faint.is_empty() { ink } else { MUTED };
                self.svg.text([x, y], size, &text, &format!(r#"text-anchor="middle" fill="{ink}""#));
            }
            if grid.mark == Some(i) {
                self.svg
                    .rect(f.grow(0.5), &format!(r#"class="winner" fill="none" stroke="{FIELD}" stroke-width="2.5""#));
            }
        }
    }

    fn operator(&mut self, x: f32, y: f32, text: &str) {
        let attributes = format!(r#"text-anchor="middle" fill="{INK}" font-weight="600""#);
        self.svg.text([x + OPERATOR / 2.0, y + 5.0], 15.0, text, &attributes);
    }

    /// One term in full, from this corner on; returns width and height taken.
    fn term(&mut self, full: &Full, term: &Term, at: [f32; 2], part: &Part) -> [f32; 2] {
        let (rule, width) = (full.rule, full.width);
        let tops = [full.top(term), full.tops[1], full.tops[2]];
        let extra = third(rule, term);
        let cells = Cells::of(term, grids(rule, term), width);
        let (mut x, mut y) = (at[0], at[1]);
        if full.named {
            let place = place(rule, term, self.words);
            let colour = if part.now.is_some() { FIELD } else { MUTED };
            self.svg.text([x, y + SMALL], SMALL, &place, &format!(r#"fill="{colour}""#));
            y += SMALL + 7.0;
        }
        // `A × B = C`, or `(A − B)² = C`.
        let [open, sign, close] = if rule == Rule::SquaredDistance { ["(", "−", ")² ="] } else { ["", "×", "="] };
        let single = term.values.len() <= SINGLE;
        let tips: Vec<String> =
            (0..if single { term.values.len() } else { 0 }).map(|i| product(rule, term, i, self.words)).collect();
        let middle = y + cells.height() / 2.0;
        let told = |n: usize| if single { part.told } else { n };
        // Of the largest, the best so far.
        let mark = match rule {
            Rule::Max if part.told < term.values.len() => best(&term.values[..part.told]),
            _ => term.mark,
        };
        let len = term.values.len();
        let weights: Vec<Option<f32>> = term.weights.iter().copied().map(Some).collect();
        let grid = |values, top, mark, told| Grid { values, top, mark, tips: &tips, told, now: part.now.clone() };
        if !open.is_empty() {
            self.operator(x, middle, open);
            x += OPERATOR;
        }
        self.grid(&cells, [x, y], &grid(&term.values, tops[0], mark, told(len)));
        x += cells.width();
        if !term.weights.is_empty() {
            self.operator(x, middle, sign);
            x += OPERATOR;
            self.grid(&cells, [x, y], &grid(&weights, tops[1], None, told(len)));
            x += cells.width();
        }
        if let Some(extra) = &extra {
            let gap = if close.len() > 1 { OPERATOR * 1.5 } else { OPERATOR };
            self.operator(x + (gap - OPERATOR) / 2.0, middle, close);
            x += gap;
            self.grid(&cells, [x, y], &grid(extra, tops[2], None, part.told));
            x += cells.width();
        }
        let (before, bold) = match rule {
            Rule::Max => (self.words.maximum.to_string() + " ", true),
            Rule::Mean | Rule::ScaledSum | Rule::SquaredDistance => ("Σ ".to_string(), false),
            Rule::LocalResponse => (format!("{}² ", full.letter), false),
            Rule::WeightedSum if len > 1 => (format!("{} ", self.words.sum), false),
            _ => (String::new(), false),
        };
        if !matches!(rule, Rule::Mean) && part.told > 0 {
            let result = if part.told < len { part_of(rule, term, part.told) } else { term.result };
            let text = format!("{before}= {}", number(result));
            let weight = if bold { r#" font-weight="600""# } else { "" };
            self.svg.text([x + 8.0, middle + 5.0], FONT, &text, &format!(r#"fill="{INK}"{weight}"#));
            x += 8.0 + text_width(&text, FONT);
        }
        [x - at[0], y + cells.height() - at[1]]
    }
}

/// What all terms in full of an explanation share.
struct Full {
    rule: Rule,
    /// Room for each.
    width: f32,
    /// Largest magnitudes of values, weights and results of cells.
    tops: [f32; 3],
    /// Whether values are coloured by the scale of their map, rather than of their layer.
    by_map: bool,
    /// Whether each says where it comes from.
    named: bool,
    /// What its values are called.
    letter: &'static str,
}

impl Full {
    /// The scale of a term's values: that of the map or layer, as it is painted elsewhere, where it is known.
    fn top(&self, term: &Term) -> f32 {
        let known = term.tops[usize::from(self.by_map)];
        if known > 0.0 { known } else { self.tops[0] }
    }
}

/// Width of a term: its grids, the signs between, the result.
fn wide(rule: Rule, term: &Term, room: f32) -> f32 {
    let grids = grids(rule, term);
    let signs = grids as f32 - if rule == Rule::SquaredDistance { -0.5 } else { 1.0 };
    Cells::of(term, grids, room).width() * grids as f32 + OPERATOR * signs + RESULT
}

/// Grids of a term: values, weights, what each cell adds.
fn grids(rule: Rule, term: &Term) -> usize {
    1 + usize::from(!term.weights.is_empty()) + usize::from(third(rule, term).is_some())
}

/// The first of the largest.
fn best(values: &[Option<f32>]) -> Option<usize> {
    let there = values.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i, v)));
    there.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(i, _)| i)
}

/// What the first cells of a term come to.
fn part_of(rule: Rule, term: &Term, cells: usize) -> f32 {
    let alone = Explanation { rule, terms: vec![term.clone()], steps: Vec::new() };
    beats::partial(&alone, cells)
}

/// Where a term's patch comes from: `map 2 · row 9, column 14`.
fn place(rule: Rule, term: &Term, words: &Words) -> String {
    let map = put(&words.map, &[&term.map.to_string()]);
    if rule == Rule::LocalResponse {
        return map; // all at the unit's own place
    }
    if term.size[0] == 1 && term.size[1] > 1 && term.at == [0, 0] {
        return put(&words.units, &["0", &(term.size[1] - 1).to_string()]);
    }
    let (row, column) = (term.at[0].to_string(), term.at[1].to_string());
    format!("{map} · {}", put(&words.from_row_column, &[&row, &column])).replace('-', "−")
}

/// What a cell adds, with its numbers.
fn product(rule: Rule, term: &Term, i: usize, words: &Words) -> String {
    match (term.values.get(i).copied().flatten(), term.weights.get(i)) {
        (Some(v), Some(w)) if rule == Rule::SquaredDistance => {
            format!("({} − {})² = {}", number(v), bracket(*w), number((v - w) * (v - w)))
        }
        (Some(v), Some(w)) => format!("{} × {} = {}", number(v), bracket(*w), number(v * w)),
        (Some(v), None) if rule == Rule::LocalResponse => format!("{}² = {}", bracket(v), number(v * v)),
        (Some(v), None) => number(v),
        (None, _) => words.padding.to_string(),
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

/// What the beat before `done` says, and the number that has come about: for a line above the picture and for a screen reader.
pub fn caption(story: &Story<'_>, beats: &[Beat], done: usize, words: &Words) -> [String; 2] {
    let Some(beat) = done.checked_sub(1).and_then(|i| beats.get(i)) else { return Default::default() };
    let Some(e) = story.explanations.get(beat.of) else { return Default::default() };
    let number_now = beats::running(story.explanations, beats, done).map_or_else(String::new, number);
    match &beat.what {
        What::Stage(stage) => {
            let of = |line: &Line| line.of == beat.of && line.stage == *stage;
            let text: Vec<String> = lines(story, words).into_iter().filter(of).map(|line| line.text).collect();
            [text.join("; "), number_now]
        }
        What::Cells(range) => {
            let name = match e.rule {
                Rule::Max => words.maximum.as_ref(),
                Rule::LocalResponse => &format!("Σ {}²", story.reads(beat.of)),
                Rule::SquaredDistance => words.distance.as_ref(),
                _ => words.sum.as_ref(),
            };
            [cells_text(story, beat.of, range, words), format!("{name} = {number_now}")]
        }
    }
}

/// What some cells add: a product with its place, a term's sum, or the sum of several.
fn cells_text(story: &Story<'_>, of: usize, range: &Range<usize>, words: &Words) -> String {
    let e = &story.explanations[of];
    let Some((first, at)) = beats::term_at(e, range.start) else { return String::new() };
    let term = &e.terms[first];
    let map = |t: &Term| put(&words.map, &[&t.map.to_string()]);
    if range.len() == 1 {
        let text = product(e.rule, term, at, words);
        if e.rule == Rule::Sum {
            let source = story.source(of, term.input);
            let name = source.map_or_else(|| map(term), |s| format!("{} · {}", s.name, map(term)));
            return format!("{} = {text} ({name})", summand(source, term.input));
        }
        let several = term.size[0] > 1 || e.terms.len() > 1;
        let (row, col) = (term.at[0] + (at / term.size[1]) as isize, term.at[1] + (at % term.size[1]) as isize);
        return match (several, term.size) {
            (false, _) => text,
            (true, [1, 1]) => format!("{}: {text}", map(term)),
            _ => {
                let spot = put(&words.from_row_column, &[&row.to_string(), &col.to_string()]).replace('-', "−");
                format!("{} · {spot}: {text}", map(term))
            }
        };
    }
    let adds = beats::partial(e, range.end) - if range.start == 0 { 0.0 } else { beats::partial(e, range.start) };
    match beats::term_at(e, range.end - 1) {
        Some((last, _)) if last > first => format!("{} – {}: {}", map(term), e.terms[last].map, number(adds)),
        _ if e.terms.len() > 1 => format!("{}: {}", map(term), number(adds)),
        _ => format!("{} – {}: {}", range.start, range.end - 1, number(adds)),
    }
}

/// How far the lines of a wrapped equation stand in.
const INDENT: f32 = 18.0;

/// An equation in lines of at most this width: broken before its signs of equality where that is enough.
fn wrapped(text: &str, width: impl Fn(&str) -> f32, room: f32) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut add = |piece: &str, sign: &str| {
        let room = if out.len() > 1 { room - INDENT } else { room };
        match out.last_mut() {
            Some(line) if width(line) + width(sign) + width(piece) <= room => {
                line.push_str(sign);
                line.push_str(piece);
            }
            _ => out.push(format!("{sign}{piece}").trim_start().to_string()),
        }
    };
    for (i, side) in text.split(" = ").enumerate() {
        let sign = if i == 0 { "" } else { " = " };
        if width(side) + width(sign) <= room - INDENT {
            add(side, sign);
        } else {
            for (j, word) in side.split(' ').enumerate() {
                add(word, if j == 0 { sign } else { " " });
            }
        }
    }
    out
}

/// Draws a unit's story, layer by layer: its cells, then its equations; as high as it needs to be in this width. `done`: only the
/// first so many beats have been told; `None`: all of it, finished.
pub fn arithmetic(story: &Story<'_>, done: Option<usize>, width: f32, palette: Palette, words: &Words) -> Drawing {
    let mut p = Painter { svg: Svg::new(), palette, words };
    let explanations = story.explanations;
    let beats = if done.is_some() { beats::beats(explanations) } else { Vec::new() };
    let lines = lines(story, words);
    let size = if width >= 600.0 { 15.0 } else { 14.0 };
    let (mut y, mut used) = (0f32, 0f32);
    for (of, e) in explanations.iter().enumerate() {
        let progress = match done {
            Some(done) => Progress::after(&beats, done, of),
            None => Progress::whole(e),
        };
        let [right, bottom] = match e.rule {
            Rule::Activation(_) | Rule::Normalise => [0.0, y],
            Rule::Copy if story.joins(of) => joined(&mut p, story, y, width),
            Rule::Copy => [0.0, y],
            Rule::Sum => summands(&mut p, story, of, &progress, y, width),
            _ => terms(&mut p, story, of, &progress, done.is_some(), y, width),
        };
        (y, used) = (bottom, used.max(right));
        for line in lines.iter().filter(|line| line.of == of) {
            let last = of + 1 == explanations.len() && std::ptr::eq(line, &lines[lines.len() - 1]);
            let weight = if last { r#" font-weight="700""# } else { "" };
            let measure = |text: &str| if last { bold_width(text, size) } else { text_width(text, size) };
            for (row, text) in wrapped(&line.text, measure, width).iter().enumerate() {
                let x = if row > 0 { INDENT } else { 0.0 };
                if progress.stages > line.stage {
                    let attributes = format!(r#"class="line" fill="{INK}"{weight}"#);
                    p.svg.text([x, y + size], size, text, &attributes);
                }
                used = used.max(x + measure(text));
                y += size * 1.4;
            }
            y += size * 0.25;
        }
        y += size * 0.7;
    }
    let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    if explanations.is_empty() {
        p.svg.rect(Frame::new(0.0, 0.0, 1.0, 1.0), &format!(r#"fill="{PAPER}" fill-opacity="0""#));
    }
    p.svg.finish(width.max(used.ceil()), (y + 2.0).ceil(), "arithmetic", &text.join("; "), "")
}

/// An addition: where each summand comes from, its value, and the ways that meet. Returns how far right and down it reaches.
fn summands(p: &mut Painter<'_>, story: &Story<'_>, of: usize, progress: &Progress, from: f32, width: f32) -> [f32; 2] {
    const ROW: f32 = 62.0;
    const SIDE: f32 = 38.0;
    let (e, words) = (&story.explanations[of], p.words);
    let top = scale(e.terms.iter().map(|t| t.result));
    let cells = Cells { rows: 1, cols: 1, side: SIDE, numbers: true };
    let middle = from + ROW * e.terms.len() as f32 / 2.0;
    // Text, cell, the ways, the sum.
    let text = (width - 3.0 * SIDE - 70.0).clamp(120.0, 330.0);
    let (left, plus) = (text + 8.0, text + SIDE + 70.0);
    for (i, term) in e.terms.iter().enumerate() {
        let (y, source) = (from + ROW * i as f32, story.source(of, term.input));
        let part = Part::of(progress, i, 1);
        let colour = if part.now.is_some() { FIELD } else { INK };
        let (kind, dashes) = match source.map(|s| s.role) {
            Some(Role::Residual) => (words.residual.to_string(), ""),
            Some(Role::Shortcut(kind)) => {
                let (name, dashes) = match kind {
                    SkipKind::Identity => (&words.identity, ""),
                    SkipKind::Projection => (&words.projection, r#" stroke-dasharray="8 4""#),
                    SkipKind::Padded => (&words.padded, r#" stroke-dasharray="2.5 4""#),
                };
                (put(&words.shortcut, &[name]), dashes)
            }
            _ => (String::new(), ""),
        };
        let name = summand(source, term.input);
        let name = if kind.is_empty() { name } else { format!("{name} · {kind}") };
        p.svg.text([0.0, y + 17.0], FONT, &name, &format!(r#"fill="{colour}" font-weight="600""#));
        let rest = [source.map_or("", |s| &s.name).to_string(), place(e.rule, term, words)];
        for (line, text) in rest.iter().filter(|t| !t.is_empty()).enumerate() {
            let at = [0.0, y + 33.0 + 15.0 * line as f32];
            p.svg.text(at, SMALL, text, &format!(r#"fill="{MUTED}""#));
        }
        let own = term.tops[usize::from(story.by_map)];
        let own = if own > 0.0 { own } else { top };
        let at = [left, y + (ROW - SIDE) / 2.0];
        p.grid(
            &cells,
            at,
            &Grid { values: &term.values, top: own, mark: None, tips: &[], told: part.told, now: part.now.clone() },
        );
        let y = y + ROW / 2.0;
        let end = [plus - 12.0, middle + if y < middle { -5.0 } else { 5.0 }];
        let d =
            super::rounded(&[[left + SIDE + 4.0, y], [left + SIDE + 24.0, y], [left + SIDE + 24.0, end[1]], end], 8.0);
        p.svg.path(&d, &format!(r#"fill="none" stroke="{MUTED}" stroke-width="2"{dashes}"#));
    }
    p.svg.raw(&format!(
        r#"<circle cx="{plus}" cy="{middle}" r="12" fill="{PAPER}" stroke="{MUTED}" stroke-width="2"/>"#
    ));
    p.svg.text([plus, middle + 6.0], 17.0, "+", &format!(r#"text-anchor="middle" fill="{INK}" font-weight="600""#));
    let right = plus + 28.0 + SIDE;
    if progress.stages > 0 {
        p.svg.line([plus + 12.0, middle], [plus + 26.0, middle], &format!(r#"stroke="{MUTED}" stroke-width="2""#));
        let value = [e.steps.last().map(|s| s.1)];
        let tips: &[String] = &[];
        let grid = Grid {
            values: &value,
            top: scale([top, value[0].unwrap_or(0.0)].into_iter()),
            mark: None,
            tips,
            told: 1,
            now: None,
        };
        p.grid(&cells, [plus + 28.0, middle - SIDE / 2.0], &grid);
    }
    [right, from + ROW * e.terms.len() as f32 + 8.0]
}

/// A concatenation: which maps come from which input, and where the unit's map lies among them.
fn joined(p: &mut Painter<'_>, story: &Story<'_>, from: f32, width: f32) -> [f32; 2] {
    const BAR: f32 = 26.0;
    const ROW: f32 = 19.0;
    let words = p.words;
    let all: usize = story.sources.iter().map(|s| s.maps).sum();
    let wide = width.min(640.0) - 2.0;
    let each = wide / all.max(1) as f32;
    let own = story.part().map(|(input, _)| input);
    let (mut first, mut y) = (0, from + BAR + 20.0);
    for (i, source) in story.sources.iter().enumerate() {
        let own = own == Some(i);
        let f = Frame::new(1.0 + first as f32 * each, from + 8.0, source.maps as f32 * each, BAR);
        let fill = if own { format!(r#"fill="{FIELD}" fill-opacity=".22""#) } else { format!(r#"fill="{STAGE}""#) };
        p.svg.rect(f, &format!(r#"class="part" {fill} stroke="{MUTED}""#));
        let (letter, ink) = ((i + 1).to_string(), if own { INK } else { MUTED });
        let weight = if own { r#" font-weight="600""# } else { "" };
        if f.w > text_width(&letter, FONT) + 8.0 {
            p.svg.text([f.x + 6.0, f.y + BAR / 2.0 + 5.0], FONT, &letter, &format!(r#"fill="{ink}"{weight}"#));
        }
        let range = put(&words.maps, &[&first.to_string(), &(first + source.maps).saturating_sub(1).to_string()]);
        let attributes = format!(r#"class="range" fill="{ink}"{weight}"#);
        p.svg.text([0.0, y + FONT], FONT, &format!("{letter} · {range} · {}", source.name), &attributes);
        (first, y) = (first + source.maps, y + ROW);
    }
    // The unit's map: a line through the bar, never thinner than can be seen.
    let mark = Frame::new(1.0 + story.map as f32 * each, from + 3.0, each.max(3.0), BAR + 10.0);
    p.svg.rect(mark, &format!(r#"class="winner" fill="{FIELD}""#));
    [wide + 2.0, y + 10.0]
}

/// An explanation's terms: some in full, the others listed. Returns how far right and down they reach.
fn terms(
    p: &mut Painter<'_>,
    story: &Story<'_>,
    of: usize,
    progress: &Progress,
    told: bool,
    from: f32,
    width: f32,
) -> [f32; 2] {
    let (e, words, mut y, mut used) = (&story.explanations[of], p.words, from, 0f32);
    let all = || e.terms.iter();
    let tops = [
        scale(all().flat_map(|t| &t.values).flatten().copied()),
        scale(all().flat_map(|t| &t.weights).copied()),
        scale(all().filter_map(|t| third(e.rule, t)).flatten().flatten()),
    ];
    let starts: Vec<usize> = all()
        .scan(0, |end, t| {
            let start = *end;
            *end += t.values.len();
            Some(start)
        })
        .collect();
    let part = |i: usize| Part::of(progress, starts[i], e.terms[i].values.len());
    // Of many terms, those that add the most are worth the room, or while they are told the one that is told now; then all are listed.
    let mut order: Vec<usize> = (0..e.terms.len()).collect();
    let few = e.terms.len() <= FULL;
    if !few && told {
        let last = progress.cells.checked_sub(1).and_then(|cell| beats::term_at(e, cell)).map_or(0, |(term, _)| term);
        order = vec![last];
    } else if !few {
        order.sort_by(|&a, &b| e.terms[b].result.abs().total_cmp(&e.terms[a].result.abs()).then(a.cmp(&b)));
        order.truncate(4);
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
    let full = Full { rule: e.rule, width: share, tops, by_map: story.by_map, named, letter: story.reads(of) };
    let (mut x, mut tallest) = (0f32, 0f32);
    for &i in &order {
        let term = &e.terms[i];
        let wide = wide(e.rule, term, share);
        if x > 0.0 && x + wide > width {
            (x, y, tallest) = (0.0, y + tallest + 14.0, 0.0);
        }
        let [_, h] = p.term(&full, term, [x, y], &part(i));
        used = used.max(x + wide);
        x += wide + BETWEEN;
        tallest = tallest.max(h);
    }
    y += tallest + 12.0;
    if e.terms.iter().any(|t| t.values.len() > 1) {
        let mut shown: Vec<String> = order.iter().map(|&i| number(full.top(&e.terms[i]))).collect();
        shown.dedup();
        let mut text = put(&words.scale_inputs, &[&shown.join(", ±")]);
        let more = [
            (grids(e.rule, &e.terms[order[0]]) > 1, &words.scale_weights, 1),
            (grids(e.rule, &e.terms[order[0]]) > 2, &words.scale_products, 2),
        ];
        for (_, template, i) in more.into_iter().filter(|(there, ..)| *there) {
            text += &format!(" · {}", put(template, &[&number(tops[i])]));
        }
        for text in wrapped(&text, |text| text_width(text, SMALL), width) {
            p.svg.text([0.0, y + SMALL], SMALL, &text, &format!(r#"class="scale" fill="{MUTED}""#));
            y += SMALL + 4.0;
        }
        y += 6.0;
    }
    if few {
        return [used, y];
    }
    let top = scale(all().map(|t| t.result));
    let rest: Vec<usize> = (0..e.terms.len()).filter(|i| told || !order.contains(i)).collect();
    if e.terms.len() > LISTED {
        // What each map adds, as a picture: a cell a map.
        let heading = put(&words.each_adds, &[&e.terms.len().to_string()]);
        p.svg.text([0.0, y + SMALL], SMALL, &heading, &format!(r#"fill="{MUTED}""#));
        y += SMALL + 8.0;
        let side = if e.terms.len() > 800 { 7.0 } else { 11.0 };
        let cols = ((width / side) as usize).clamp(1, e.terms.len());
        let rows = e.terms.len().div_ceil(cols);
        let done = |i: usize| i < e.terms.len() && part(i).told == e.terms[i].values.len();
        let value = |i: usize| if done(i) { e.terms[i].result / top } else { 0.0 };
        let picture = super::bmp(rows, cols, p.palette, value);
        let frame = Frame::new(0.0, y, cols as f32 * side, rows as f32 * side);
        p.svg.picture(frame, &picture);
        p.svg.rect(frame.grow(0.5), &format!(r#"fill="none" stroke="{LINE}""#));
        for &i in order.iter().filter(|_| told) {
            let cell = Frame::new((i % cols) as f32 * side, y + (i / cols) as f32 * side, side, side);
            p.svg.rect(cell, &format!(r#"class="now" fill="none" stroke="{FIELD}" stroke-width="2""#));
        }
        return [used.max(frame.right()), y + frame.h + 10.0];
    }
    let columns = ((width / 112.0).floor() as usize).max(1);
    let heading = put(&words.more_terms, &[&rest.len().to_string()]);
    let heading = if told { put(&words.each_adds, &[&rest.len().to_string()]) } else { heading };
    p.svg.text([0.0, y + SMALL], SMALL, &heading, &format!(r#"fill="{MUTED}""#));
    y += SMALL + 8.0;
    let rows = rest.len().div_ceil(columns);
    for (place, &i) in rest.iter().enumerate() {
        let (term, part) = (&e.terms[i], part(i));
        // Down the columns, as one reads a table.
        let (x, y) = ((place / rows) as f32 * 112.0, y + (place % rows) as f32 * 17.0);
        let whole = part.told == term.values.len();
        let (fill, _) = p.shade(if whole { term.result / top } else { 0.0 });
        let (stroke, ink) = if part.now.is_some() { (FIELD, FIELD) } else { (LINE, MUTED) };
        p.svg.rect(Frame::new(x, y + 1.0, 10.0, 10.0), &format!(r#"fill="{fill}" stroke="{stroke}""#));
        let name = put(&words.map, &[&term.map.to_string()]);
        p.svg.text([x + 15.0, y + 10.0], SMALL, &name, &format!(r#"fill="{ink}""#));
        if whole {
            let attributes = format!(r#"fill="{INK}" text-anchor="end""#);
            p.svg.text([x + 104.0, y + 10.0], SMALL, &number(term.result), &attributes);
        }
    }
    [used, y + rows as f32 * 17.0 + 8.0]
}

/// The power of ten of which numbers up to `top` are readable multiples; 0 where they are readable themselves.
fn power(top: f32) -> i32 {
    if (0.05..1000.0).contains(&top) { 0 } else { top.log10().floor() as i32 }
}

/// `⁻⁵`.
fn superscript(n: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = n.unsigned_abs().to_string();
    let digits = digits.bytes().map(|b| DIGITS[usize::from(b - b'0')]);
    (if n < 0 { Some('⁻') } else { None }).into_iter().chain(digits).collect()
}

/// What a unit's gradient is multiplied with on its way to an input and to a weight.
fn factors(rule: Rule, words: &Words) -> [String; 2] {
    let input = match rule {
        Rule::WeightedSum => "w·δ".into(),
        Rule::ScaledSum => format!("{}·δ", words.coefficient),
        Rule::Mean => "δ / n".into(),
        Rule::SquaredDistance => "2·(x − w)·δ".into(),
        Rule::Sum | Rule::Copy => "δ".into(),
        _ => String::new(),
    };
    [input, "x·δ".into()]
}

/// How the loss's gradients at the unit (one an explanation) spread to what the unit was calculated from: of the terms to which
/// most goes, a grid each for inputs and weights; then the parameters that are one number a map.
pub fn backward(story: &Story<'_>, deltas: &[f32], width: f32, palette: Palette, words: &Words) -> Drawing {
    let mut p = Painter { svg: Svg::new(), palette, words };
    let (mut x, mut y, mut tallest, mut used) = (0f32, 0f32, 0f32, 0f32);
    if let (Some(e), Some(&delta)) = (story.explanations.first(), deltas.first()) {
        let spread = e.spread(delta);
        let mut order: Vec<usize> = (0..e.terms.len()).collect();
        let goes = |i: usize| spread.inputs[i].iter().map(|v| v.abs()).sum::<f32>();
        order.sort_by(|&a, &b| goes(b).total_cmp(&goes(a)).then(a.cmp(&b)));
        order.truncate(4);
        order.sort_unstable();
        // Gradients are often small: as multiples of a power of ten they can be read.
        let powers = [&spread.inputs, &spread.weights].map(|all| power(scale(all.iter().flatten().copied())));
        let tops = [0, 1].map(|i| {
            let all = if i == 0 { &spread.inputs } else { &spread.weights };
            scale(all.iter().flatten().map(|v| v / 10f32.powi(powers[i])))
        });
        let grids = 1 + usize::from(!spread.weights.is_empty());
        if order.len() < e.terms.len() {
            let heading = put(&words.strongest, &[&order.len().to_string(), &e.terms.len().to_string()]);
            p.svg.text([0.0, SMALL], SMALL, &heading, &format!(r#"fill="{MUTED}""#));
            y += SMALL + 10.0;
        }
        let room = |term: &Term| {
            let least = grids as f32 * (term.size[1] as f32 * READABLE).max(96.0) + OPERATOR;
            let abreast = (((width + BETWEEN) / (least + BETWEEN)) as usize).clamp(1, order.len());
            (width - BETWEEN * (abreast as f32 - 1.0)) / abreast as f32
        };
        let factors = factors(e.rule, words);
        for &i in &order {
            let term = &e.terms[i];
            let label = match story.source(0, term.input) {
                Some(source) if story.sources.len() > 1 => format!("{} · {}", source.name, place(e.rule, term, words)),
                _ => place(e.rule, term, words),
            };
            let cells = Cells::of(term, grids, room(term) + RESULT);
            let apart = cells.width().max(96.0) + OPERATOR;
            let wide = (apart * grids as f32 - OPERATOR).max(text_width(&label, SMALL)).min(width);
            if x > 0.0 && x + wide > width {
                (x, y, tallest) = (0.0, y + tallest + 14.0, 0.0);
            }
            p.svg.text([x, y + SMALL], SMALL, &label, &format!(r#"fill="{MUTED}""#));
            let told = [(Some(&spread.inputs[i]), &words.to_inputs), (spread.weights.get(i), &words.to_weights)];
            for (g, (values, name)) in told.into_iter().filter_map(|(v, n)| v.map(|v| (v, n))).enumerate() {
                let left = x + g as f32 * apart;
                p.svg.text([left, y + 2.0 * SMALL + 4.0], SMALL, name, &format!(r#"fill="{INK}""#));
                let power = if powers[g] == 0 { String::new() } else { format!(" × 10{}", superscript(powers[g])) };
                let formula = format!("{}{power}", factors[g]);
                p.svg.text([left, y + 3.0 * SMALL + 7.0], SMALL, formula.trim(), &format!(r#"fill="{MUTED}""#));
                let shown = values.iter().zip(&term.values);
                let shown: Vec<Option<f32>> =
                    shown.map(|(v, there)| there.map(|_| *v / 10f32.powi(powers[g]))).collect();
                let tips: Vec<String> = if shown.len() <= SINGLE {
                    shown.iter().map(|v| v.map_or_else(String::new, |v| number(v * 10f32.powi(powers[g])))).collect()
                } else {
                    Vec::new()
                };
                let (top, mark) = (tops[g], term.mark.filter(|_| e.rule == Rule::Max));
                let grid = Grid { values: &shown, top, mark, tips: &tips, told: shown.len(), now: None };
                p.grid(&cells, [left, y + 3.0 * SMALL + 14.0], &grid);
            }
            tallest = tallest.max(cells.height() + 3.0 * SMALL + 15.0);
            used = used.max(x + wide);
            x += wide + BETWEEN;
        }
    }
    y += tallest + 12.0;
    for line in gradients(story, deltas, words) {
        for (row, text) in wrapped(&line, |text| text_width(text, FONT), width).iter().enumerate() {
            let x = if row > 0 { INDENT } else { 0.0 };
            p.svg.text([x, y + FONT], FONT, text, &format!(r#"class="line" fill="{INK}""#));
            used = used.max(x + text_width(text, FONT));
            y += FONT * 1.4;
        }
    }
    p.svg.finish(width.max(used.ceil()), (y + 4.0).ceil(), "arithmetic backward", &words.to_inputs, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// VGG-16's fc6: 25,088 products, less than a px each.
    #[test]
    fn the_longest_sum_has_no_size_below_zero() {
        let values: Vec<f32> = (0..25088).map(|i| (i % 9) as f32 - 4.0).collect();
        let term = Term { size: [1, 25088], values: values.iter().copied().map(Some).collect(), ..Term::default() };
        let sum = [crate::ops::explain::weighted_sum(vec![term.weighted(&values)], None)];
        let story = Story { explanations: &sum, sources: &[], map: 0, by_map: false };
        let all = beats::beats(&sum).len();
        for done in [0, 1, all / 2, all] {
            let svg = arithmetic(&story, Some(done), 600.0, Palette::Light, &Words::default()).svg;
            assert!(!svg.contains(r#"width="-"#) && !svg.contains(r#"height="-"#), "beat {done}");
            assert!(svg.len() < 120_000, "{} bytes are parsed with each beat", svg.len());
        }
    }
}
