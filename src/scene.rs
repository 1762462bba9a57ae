//! Pure drawing: values in, geometry and SVG text out. Knows graphs and numbers; no network by name, no page, no device.
//!
//! [`stage`]: the network as cards; [`camera`]: how one looks at it; [`strip`]: what each layer costs; [`field`]: what a unit sees, over
//! the stage; [`arithmetic`]: how its value came about, [`beats`] one after the other; [`walk`]: its window on the map before it;
//! [`gallery`]: all maps of a layer; [`heat`]: values over a picture; [`chart`]: curves, bars, matrices; [`scatter`]: points that have
//! names; [`compare`]: the variants as such points. Colours are CSS variables (with fallbacks for export), so themes are the page's affair.

use crate::colormap::Palette;
use crate::ops::Kind;
use std::borrow::Cow;
use std::fmt::Write as _;

pub mod arithmetic;
pub mod beats;
pub mod camera;
pub mod chart;
pub mod compare;
pub mod equations;
pub mod field;
pub mod gallery;
pub mod heat;
pub mod scatter;
pub mod stage;
pub mod strip;
pub mod walk;

pub use crate::graph::layout::Frame;

/// What the scenes say in words, so that the page can translate it; `{}` is where the number goes.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct Words {
    pub input: Cow<'static, str>,
    pub parameters: Cow<'static, str>,
    pub macs: Cow<'static, str>,
    pub field: Cow<'static, str>,
    pub maps_left_out: Cow<'static, str>,
    pub folded: Cow<'static, str>,
    pub network: Cow<'static, str>,
    pub identity: Cow<'static, str>,
    pub projection: Cow<'static, str>,
    pub padded: Cow<'static, str>,
    pub skip: Cow<'static, str>,
    pub memory: Cow<'static, str>,
    pub training: Cow<'static, str>,
    pub depth: Cow<'static, str>,
    pub sum: Cow<'static, str>,
    pub bias: Cow<'static, str>,
    pub coefficient: Cow<'static, str>,
    pub value: Cow<'static, str>,
    pub maximum: Cow<'static, str>,
    pub mean: Cow<'static, str>,
    pub distance: Cow<'static, str>,
    pub map: Cow<'static, str>,
    pub from_row_column: Cow<'static, str>,
    pub more_terms: Cow<'static, str>,
    pub each_adds: Cow<'static, str>,
    pub to_inputs: Cow<'static, str>,
    pub to_weights: Cow<'static, str>,
    pub strongest: Cow<'static, str>,
    pub padding: Cow<'static, str>,
    pub running: Cow<'static, str>,
    pub copied: Cow<'static, str>,
    pub maps: Cow<'static, str>,
    pub units: Cow<'static, str>,
    pub residual: Cow<'static, str>,
    pub shortcut: Cow<'static, str>,
    pub scale_inputs: Cow<'static, str>,
    pub scale_weights: Cow<'static, str>,
    pub scale_products: Cow<'static, str>,
    pub step: Cow<'static, str>,
    pub epoch: Cow<'static, str>,
    pub loss: Cow<'static, str>,
    pub accuracy: Cow<'static, str>,
    pub gradient: Cow<'static, str>,
    pub update: Cow<'static, str>,
    pub whole_input: Cow<'static, str>,
    pub truth: Cow<'static, str>,
    pub taken_for: Cow<'static, str>,
    pub probability: Cow<'static, str>,
    pub count: Cow<'static, str>,
}

impl Default for Words {
    fn default() -> Self {
        let w = Cow::Borrowed;
        Self {
            input: w("Input"),
            parameters: w("{} params"),
            macs: w("{} MACs"),
            field: w("RF {}"),
            maps_left_out: w("+ {} maps"),
            folded: w("{} layers"),
            network: w("Network diagram"),
            identity: w("identity"),
            projection: w("projection"),
            padded: w("zero-padded"),
            skip: w("skip: {}"),
            memory: w("Memory"),
            training: w("in training only"),
            depth: w("Costs over depth"),
            sum: w("Σ"),
            bias: w("bias"),
            coefficient: w("coefficient"),
            value: w("value"),
            maximum: w("largest"),
            mean: w("mean"),
            distance: w("distance²"),
            map: w("map {}"),
            from_row_column: w("row {}, column {}"),
            more_terms: w("{} more terms"),
            each_adds: w("What each of the {} maps adds"),
            to_inputs: w("to the input"),
            to_weights: w("to the weights"),
            strongest: w("The {} of {} maps to which most goes"),
            padding: w("padding"),
            running: w("running statistics"),
            copied: w("map {} − {} = map {} of {}"),
            maps: w("maps {}–{}"),
            units: w("units {}–{}"),
            residual: w("residual branch"),
            shortcut: w("shortcut: {}"),
            scale_inputs: w("Full colour: inputs ±{}"),
            scale_weights: w("weights ±{}"),
            scale_products: w("each result ±{}"),
            step: w("step"),
            epoch: w("epoch"),
            loss: w("Loss"),
            accuracy: w("Accuracy"),
            gradient: w("Gradient norm"),
            update: w("update / weight"),
            whole_input: w("{} = whole input"),
            truth: w("true"),
            taken_for: w("predicted"),
            probability: w("Probability"),
            count: w("Count"),
        }
    }
}

/// A template with its `{}` filled, one after the other.
pub fn put(template: &str, values: &[&str]) -> String {
    values.iter().fold(template.to_string(), |text, value| text.replacen("{}", value, 1))
}

/// A finished drawing: SVG text and its size in px.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Drawing {
    /// `<svg …>…</svg>`, with a `viewBox` of this size.
    pub svg: String,
    /// Width in px.
    pub width: f32,
    /// Height in px.
    pub height: f32,
}

/// A drawing that stands alone: the light theme's colours in place of the style sheet's variables, on paper. Some programs that
/// open SVG files know no variables.
pub fn standalone(svg: &str) -> String {
    let mut out = String::with_capacity(svg.len());
    let mut rest = svg;
    while let Some((before, after)) = rest.split_once("var(") {
        out.push_str(before);
        let (inside, behind) = after.split_once(')').unwrap_or((after, ""));
        out.push_str(inside.split_once(',').map_or("currentColor", |(_, colour)| colour));
        rest = behind;
    }
    out.push_str(rest);
    match out.find('>') {
        Some(end) => {
            out.insert_str(end + 1, "\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
            out
        }
        None => out,
    }
}

/// A family's CSS class.
pub fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Input => "input",
        Kind::Convolution => "convolution",
        Kind::Pooling => "pooling",
        Kind::Linear => "linear",
        Kind::Activation => "activation",
        Kind::Normalisation => "normalisation",
        Kind::Join => "join",
        Kind::Shape => "shape",
        Kind::Output => "output",
    }
}

/// A family's colour.
pub fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Convolution => CONV,
        Kind::Pooling => POOL,
        Kind::Linear => LINEAR,
        Kind::Output => OUTPUT,
        Kind::Input | Kind::Activation | Kind::Normalisation | Kind::Join | Kind::Shape => MUTED,
    }
}

pub(crate) const CONV: &str = "var(--conv,#1f68b3)";
pub(crate) const POOL: &str = "var(--pool,#23805a)";
pub(crate) const LINEAR: &str = "var(--linear,#6a47b8)";
pub(crate) const OUTPUT: &str = "var(--output,#b8336a)";
pub(crate) const FIELD: &str = "var(--field,#c2640a)";
pub(crate) const INK: &str = "var(--ink,#1d1c1a)";
pub(crate) const MUTED: &str = "var(--muted,#6b6760)";
pub(crate) const LINE: &str = "var(--line,#d9d6cf)";
pub(crate) const STAGE: &str = "var(--stage,#f6f5f1)";
pub(crate) const PAPER: &str = "var(--paper,#ffffff)";

/// Width of a text in px, generously: letters and digits of a system font, full-width Hangul.
pub fn text_width(text: &str, size: f32) -> f32 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | '\'' | '|' | ' ' | '·' => 0.33,
        'm' | 'w' | 'M' | 'W' | '%' => 0.92,
        '\u{1100}'..='\u{11ff}' | '\u{3000}'..='\u{d7ff}' | '\u{f900}'..='\u{ffef}' => 1.0,
        '+' | '=' | '−' | '×' | '÷' | '→' | '<' | '>' | '⅔' => 0.86,
        c if c.is_uppercase() => 0.7,
        _ => 0.6,
    };
    text.chars().map(em).sum::<f32>() * size
}

/// Width of a bold text in px, generously.
pub fn bold_width(text: &str, size: f32) -> f32 {
    text_width(text, size) * 1.08
}

/// Text safe inside SVG.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '>', '&', '"']) {
        return Cow::Borrowed(text);
    }
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").into()
}

/// A number to about three digits, as one reads it: `1.284`, `−0.07`, `71.2`, `1.3e−5`.
pub fn number(v: f32) -> String {
    let size = v.abs();
    let text = match size {
        _ if v.is_nan() => return "NaN".into(),
        _ if v.is_infinite() => return if v > 0.0 { "∞".into() } else { "−∞".into() },
        0.0 => "0".into(),
        s if s >= 1000.0 => format!("{v:.0}"),
        s if s >= 100.0 => format!("{v:.1}"),
        s if s >= 10.0 => format!("{v:.2}"),
        s if s >= 0.001 => format!("{v:.3}"),
        _ => format!("{v:.1e}"),
    };
    text.replace('-', "−")
}

/// A number in a small cell, to the decimals that the largest of its neighbours (`top`) calls for.
pub(crate) fn cell(v: f32, top: f32) -> String {
    if !v.is_finite() {
        return number(v);
    }
    let digits = match top {
        t if t >= 100.0 => 0,
        t if t >= 10.0 => 1,
        t if t >= 0.1 => 2,
        t => (1 - t.max(1e-6).log10().floor() as i32).clamp(2, 6) as usize,
    };
    let text = format!("{v:.digits$}");
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        return "0".into();
    }
    // Small numbers go without their leading zero: it is the same in every cell and costs a third of the room.
    let text = if digits > 2 { text.replacen("0.", ".", 1) } else { text };
    text.replace('-', "−")
}

/// A coordinate, without needless digits. By whole hundredths: the fewest digits that tell a float from its neighbours took more time than
/// all else of a drawing.
pub(crate) fn px(v: f32) -> String {
    let hundredths = (v * 100.0).round() as i32;
    let (sign, all) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
    match (all / 100, all % 100) {
        (whole, 0) => format!("{sign}{whole}"),
        (whole, part) if part % 10 == 0 => format!("{sign}{whole}.{}", part / 10),
        (whole, part) => format!("{sign}{whole}.{part:02}"),
    }
}

/// A picture of rows×cols values (−1 to 1) as a data URI (a bitmap of 255 colours, which every browser reads): thousands of cells at the
/// cost of one element, and a byte each. `value` is asked for the cells in order.
pub(crate) fn bmp(rows: usize, cols: usize, palette: Palette, value: impl Fn(usize) -> f32) -> String {
    const COLOURS: u8 = 255; // as many below zero as above
    const HEADER: usize = 54 + 4 * COLOURS as usize;
    let line = cols.next_multiple_of(4);
    let mut bytes = Vec::with_capacity(HEADER + rows * line);
    let words = |bytes: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|w| bytes.extend(w.to_le_bytes()));
    bytes.extend(b"BM");
    words(
        &mut bytes,
        &[(HEADER + rows * line) as u32, 0, HEADER as u32, 40, cols as u32, (rows as u32).wrapping_neg()],
    );
    bytes.extend([1, 0, 8, 0]); // one plane, 8 bits; rows from the top, as the height is negative
    words(&mut bytes, &[0, (rows * line) as u32, 2835, 2835, COLOURS.into(), 0]);
    let middle = f32::from(COLOURS / 2);
    for i in 0..COLOURS {
        let [r, g, b] = palette.colour(f32::from(i) / middle - 1.0);
        bytes.extend([b, g, r, 0]);
    }
    for row in 0..rows {
        let t = |col: usize| Some(value(row * cols + col)).filter(|t| !t.is_nan()).unwrap_or(0.0);
        bytes.extend((0..cols).map(|col| (t(col) * middle + middle).round().clamp(0.0, 2.0 * middle) as u8));
        bytes.resize(HEADER + (row + 1) * line, 0);
    }
    format!("data:image/bmp;base64,{}", base64(&bytes))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (i, b)| word | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { digit.into() } else { '=' });
        }
    }
    out
}

/// SVG under construction.
#[derive(Default)]
pub(crate) struct Svg {
    body: String,
}

impl Svg {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn raw(&mut self, text: &str) {
        self.body.push_str(text);
        self.body.push('\n');
    }

    /// `attributes` follow as they are: ` class="…" fill="…"`.
    pub(crate) fn rect(&mut self, f: Frame, attributes: &str) {
        let [x, y, w, h] = [f.x, f.y, f.w, f.h].map(px);
        let _ = writeln!(self.body, r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" {attributes}/>"#);
    }

    /// A rectangle that tells its content when pointed at.
    pub(crate) fn rect_titled(&mut self, f: Frame, attributes: &str, title: &str) {
        let ([x, y, w, h], title) = ([f.x, f.y, f.w, f.h].map(px), escape(title));
        let _ = writeln!(
            self.body,
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" {attributes}><title>{title}</title></rect>"#
        );
    }

    pub(crate) fn text(&mut self, at: [f32; 2], size: f32, text: &str, attributes: &str) {
        let ([x, y], size, text) = (at.map(px), px(size), escape(text));
        let _ = writeln!(self.body, r#"<text x="{x}" y="{y}" font-size="{size}" {attributes}>{text}</text>"#);
    }

    /// Pixels that stay squares when enlarged; `href` as [`bmp`] makes it.
    pub(crate) fn picture(&mut self, f: Frame, href: &str) {
        let [x, y, w, h] = [f.x, f.y, f.w, f.h].map(px);
        let _ = writeln!(
            self.body,
            r#"<image x="{x}" y="{y}" width="{w}" height="{h}" preserveAspectRatio="none" style="image-rendering:pixelated" href="{href}"/>"#
        );
    }

    pub(crate) fn line(&mut self, a: [f32; 2], b: [f32; 2], attributes: &str) {
        let ([x1, y1], [x2, y2]) = (a.map(px), b.map(px));
        let _ = writeln!(self.body, r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" {attributes}/>"#);
    }

    pub(crate) fn path(&mut self, d: &str, attributes: &str) {
        let _ = writeln!(self.body, r#"<path d="{d}" {attributes}/>"#);
    }

    /// The whole, named for those who cannot see it.
    pub(crate) fn finish(self, width: f32, height: f32, class: &str, title: &str, description: &str) -> Drawing {
        let ([w, h], title) = ([width, height].map(px), escape(title));
        let description = match description {
            "" => String::new(),
            text => format!("<desc>{}</desc>\n", escape(text)),
        };
        let svg = format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" class="{class}" role="img" width="{w}" height="{h}" "#,
                r#"viewBox="0 0 {w} {h}" font-family="system-ui,sans-serif" font-variant-numeric="tabular-nums">"#,
                "\n<title>{title}</title>\n{description}{body}</svg>\n"
            ),
            class = class,
            w = w,
            h = h,
            title = title,
            description = description,
            body = self.body
        );
        Drawing { svg, width, height }
    }
}

/// A path through corner points, rounded.
pub(crate) fn rounded(points: &[[f32; 2]], radius: f32) -> String {
    let mut d = String::new();
    let Some(first) = points.first() else { return d };
    let _ = write!(d, "M{} {}", px(first[0]), px(first[1]));
    for (i, p) in points.iter().enumerate().skip(1) {
        let Some(next) = points.get(i + 1) else {
            let _ = write!(d, "L{} {}", px(p[0]), px(p[1]));
            break;
        };
        let before = points[i - 1];
        let reach = |a: [f32; 2], b: [f32; 2]| {
            let length = (b[0] - a[0]).hypot(b[1] - a[1]);
            let r = radius.min(length / 2.0) / length.max(1e-6);
            [a[0] + (b[0] - a[0]) * r, a[1] + (b[1] - a[1]) * r]
        };
        let (a, b) = (reach(*p, before), reach(*p, *next));
        let [ax, ay, cx, cy, bx, by] = [a[0], a[1], p[0], p[1], b[0], b[1]].map(px);
        let _ = write!(d, "L{ax} {ay}Q{cx} {cy} {bx} {by}");
    }
    d
}

#[cfg(test)]
mod tests {
    use super::px;

    #[test]
    fn coordinates_have_two_decimals_at_most() {
        let told = [0.0, -0.001, 12.0, 1.5, -1.25, 0.05, -0.5, 99.996, 1234.567, -40000.3].map(px);
        assert_eq!(told, ["0", "0", "12", "1.5", "-1.25", "0.05", "-0.5", "100", "1234.57", "-40000.3"]);
    }
}
