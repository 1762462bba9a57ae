//! A plot of points that have names: two axes, a colour a family, a shape a kind, labels that do not cover one another. Numbers and
//! names in, places and SVG out; knows no network and no page.

use super::chart::{log_ticks, ticks};
use super::{Drawing, Frame, INK, LINE, MUTED, PAPER, Svg, number, px, text_width};
use crate::graph::describe::grouped;

const SMALL: f32 = 11.0;
/// Half the size of a point.
const RADIUS: f32 = 5.0;

/// A point's shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Mark {
    Circle,
    Square,
    Diamond,
    Triangle,
}

/// A point.
#[derive(Clone, PartialEq, Debug)]
pub struct Point<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Which of the legend's families.
    pub family: usize,
    /// Its shape.
    pub mark: Mark,
    /// Its figures, by axis.
    pub at: [f64; 2],
    /// Drawn larger and named first: the one that is open.
    pub strong: bool,
}

/// An axis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Axis<'a> {
    /// What it measures.
    pub title: &'a str,
    /// Logarithmic; then all figures are above zero.
    pub log: bool,
    /// Figures are years, which are not grouped by thousands.
    pub year: bool,
}

/// A plot.
#[derive(Clone, PartialEq, Debug)]
pub struct Scatter {
    /// All of it.
    pub drawing: Drawing,
    /// Middle of each point, in px.
    pub places: Vec<[f32; 2]>,
    /// Where each point's name stands; `None`: there was no room for it.
    pub labels: Vec<Option<Frame>>,
}

/// A large number in a few characters: `61.1 M`, `15.5 G`; below ten thousand as it is.
pub fn short(v: f64) -> String {
    let (scaled, unit) = match v {
        v if v >= 1e9 => (v / 1e9, " G"),
        v if v >= 1e6 => (v / 1e6, " M"),
        v if v >= 1e4 => (v / 1e3, " k"),
        v if v.fract() == 0.0 => return grouped(v as u64),
        v => return number(v as f32),
    };
    let digits = match scaled {
        s if s >= 100.0 => format!("{s:.0}"),
        s if s >= 10.0 => format!("{s:.1}"),
        s => format!("{s:.2}"),
    };
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{digits}{unit}")
}

/// Colour of a family: CSS variables `--family-1`…, in their order.
pub fn colour(family: usize) -> String {
    const USUAL: [&str; 5] = ["#5d5a55", "#c4500c", "#1f68b3", "#0c7a58", "#8e3fa3"];
    let i = family % USUAL.len();
    format!("var(--family-{},{})", i + 1, USUAL[i])
}

fn draw(svg: &mut Svg, mark: Mark, [x, y]: [f32; 2], r: f32, attributes: &str) {
    match mark {
        Mark::Circle => svg.raw(&format!(r#"<circle cx="{}" cy="{}" r="{}" {attributes}/>"#, px(x), px(y), px(r))),
        Mark::Square => svg.rect(Frame::new(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8), attributes),
        Mark::Diamond => {
            let r = r * 1.25;
            svg.path(
                &format!(
                    "M{} {}L{} {}L{} {}L{} {}Z",
                    px(x),
                    px(y - r),
                    px(x + r),
                    px(y),
                    px(x),
                    px(y + r),
                    px(x - r),
                    px(y)
                ),
                attributes,
            );
        }
        Mark::Triangle => {
            let r = r * 1.2;
            let (left, right, top, foot) = (px(x - r), px(x + r), px(y - r), px(y + r * 0.8));
            svg.path(&format!("M{left} {foot}L{right} {foot}L{} {top}Z", px(x)), attributes);
        }
    }
}

/// Figures of one axis, and their place between 0 and 1.
struct Range {
    low: f64,
    high: f64,
    log: bool,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>, log: bool) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
        let (low, high) = if low > high { (1.0, 10.0) } else { (low, high) };
        // Room around the outermost points.
        let (low, high) = if log {
            let room = (high / low).powf(0.06).max(1.2);
            (low / room, high * room)
        } else {
            let room = ((high - low) * 0.08).max(if high > low { 0.0 } else { high.abs() * 0.01 }).max(1e-6);
            (low - room, high + room)
        };
        Self { low, high, log }
    }

    fn share(&self, v: f64) -> f32 {
        let t = if self.log {
            (v / self.low).ln() / (self.high / self.low).ln()
        } else {
            (v - self.low) / (self.high - self.low)
        };
        t as f32
    }

    fn ticks(&self, count: usize, year: bool) -> Vec<f64> {
        let mut found = if self.log { log_ticks(self.low, self.high) } else { ticks(self.low, self.high, count) };
        if self.log && found.len() < 3 {
            let tens = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            found = tens.flat_map(|p| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(p))).collect();
            found.retain(|t| (self.low..=self.high).contains(t));
        }
        if year {
            found.retain(|t| t.fract() == 0.0);
        }
        found
    }
}

fn said(axis: &Axis<'_>, v: f64) -> String {
    if axis.year { format!("{v:.0}") } else { short((v * 1e6).round() / 1e6) }
}

/// A legend's entries from the left, in as many lines as the width asks for; the height they took.
fn legend(svg: &mut Svg, entries: &[(String, &str)], marks: &[(Mark, &str)], width: f32) -> f32 {
    let (mut x, mut y) = (0.0, 0.0);
    let mut place = |text: &str| {
        let wide = 18.0 + text_width(text, SMALL) + 12.0;
        if x > 0.0 && x + wide > width {
            (x, y) = (0.0, y + 18.0);
        }
        let at = [x + 6.0, y + 9.0];
        x += wide;
        at
    };
    let text = |svg: &mut Svg, at: [f32; 2], text: &str| {
        svg.text([at[0] + 10.0, at[1] + 4.0], SMALL, text, &format!(r#"fill="{MUTED}""#));
    };
    for (fill, name) in entries {
        let at = place(name);
        draw(svg, Mark::Circle, at, RADIUS, &format!(r#"fill="{fill}""#));
        text(svg, at, name);
    }
    for (mark, name) in marks {
        let at = place(name);
        draw(svg, *mark, at, RADIUS - 0.5, &format!(r#"fill="none" stroke="{MUTED}" stroke-width="1.5""#));
        text(svg, at, name);
    }
    y + 24.0
}

/// Places of labels: the strong ones first, each beside, above or below its point, wherever there is room.
fn labels(points: &[Point<'_>], places: &[[f32; 2]], plot: Frame) -> Vec<Option<Frame>> {
    let dot = |at: &[f32; 2]| Frame::new(at[0] - RADIUS, at[1] - RADIUS, RADIUS * 2.0, RADIUS * 2.0);
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|&i| !points[i].strong);
    let mut found: Vec<Option<Frame>> = vec![None; points.len()];
    for i in order {
        let (w, h) = (text_width(points[i].name, SMALL), SMALL + 2.0);
        let [x, y] = places[i];
        // The same network measured twice is named once, if both points lie together.
        let twin = (0..i).any(|j| {
            points[j].name == points[i].name
                && (places[j][0] - x).abs() < 40.0
                && (places[j][1] - y).abs() < 40.0
                && found[j].is_some()
        });
        if twin {
            continue;
        }
        let near = RADIUS + 3.0;
        let tries = [
            [x + near, y - h / 2.0],
            [x - near - w, y - h / 2.0],
            [x - w / 2.0, y - near - h],
            [x - w / 2.0, y + near],
            [x + near * 0.7, y - near - h * 0.8],
            [x + near * 0.7, y + near * 0.7],
            [x - near * 0.7 - w, y - near - h * 0.8],
            [x - near * 0.7 - w, y + near * 0.7],
        ];
        found[i] = tries.into_iter().map(|[x, y]| Frame::new(x, y, w, h)).find(|f| {
            let inside =
                f.x >= plot.x + 1.0 && f.right() <= plot.right() && f.y >= plot.y && f.bottom() <= plot.bottom();
            inside
                && places.iter().all(|p| !f.overlaps(dot(p)))
                && found.iter().flatten().all(|other| !f.overlaps(*other))
        });
    }
    found
}

/// Draws the points. `families` and `marks` are the legend's words; no marks: all points are circles and nothing is said of it.
pub fn scatter(
    points: &[Point<'_>],
    axes: [&Axis<'_>; 2],
    families: &[&str],
    marks: &[(Mark, &str)],
    title: &str,
    size: [f32; 2],
) -> Scatter {
    let mut svg = Svg::new();
    let [width, height] = size;
    let [across, up] = axes;
    let colours: Vec<(String, &str)> = families.iter().enumerate().map(|(i, name)| (colour(i), *name)).collect();
    let top = legend(&mut svg, &colours, marks, width) + 20.0;
    let xs = Range::of(points.iter().map(|p| p.at[0]), across.log);
    let ys = Range::of(points.iter().map(|p| p.at[1]), up.log);
    let y_ticks = ys.ticks(((height - top) / 60.0) as usize, up.year);
    let left = y_ticks.iter().map(|&t| text_width(&said(up, t), SMALL)).fold(18f32, f32::max).ceil() + 8.0;
    let plot = Frame::new(left, top, (width - left - 8.0).max(10.0), (height - top - 38.0).max(10.0));
    let places: Vec<[f32; 2]> = points
        .iter()
        .map(|p| [plot.x + xs.share(p.at[0]) * plot.w, plot.bottom() - ys.share(p.at[1]) * plot.h])
        .collect();
    svg.text([0.0, top - 8.0], SMALL, up.title, &format!(r#"fill="{INK}" font-weight="600""#));
    for &t in &y_ticks {
        let y = (plot.bottom() - ys.share(t) * plot.h).round() + 0.5;
        svg.line([plot.x, y], [plot.right(), y], &format!(r#"class="grid" stroke="{LINE}""#));
        svg.text([plot.x - 6.0, y + 3.5], SMALL, &said(up, t), &format!(r#"fill="{MUTED}" text-anchor="end""#));
    }
    let mut edge = f32::MIN;
    for t in xs.ticks(((plot.w / 90.0) as usize).max(1), across.year) {
        let x = (plot.x + xs.share(t) * plot.w).round() + 0.5;
        svg.line([x, plot.y], [x, plot.bottom()], &format!(r#"class="grid" stroke="{LINE}""#));
        let text = said(across, t);
        let half = text_width(&text, SMALL) / 2.0;
        if x - half > edge && x + half <= width {
            svg.text([x, plot.bottom() + 15.0], SMALL, &text, &format!(r#"fill="{MUTED}" text-anchor="middle""#));
            edge = x + half + 8.0;
        }
    }
    let end = format!(r#"fill="{INK}" font-weight="600" text-anchor="end""#);
    svg.text([plot.right(), height - 6.0], SMALL, across.title, &end);
    svg.line([plot.x, plot.bottom() + 0.5], [plot.right(), plot.bottom() + 0.5], &format!(r#"stroke="{MUTED}""#));
    svg.line([plot.x + 0.5, plot.y], [plot.x + 0.5, plot.bottom()], &format!(r#"stroke="{MUTED}""#));
    let labels = labels(points, &places, plot);
    // The strong ones last, so that nothing lies on them.
    let (usual, strong): (Vec<usize>, Vec<usize>) = (0..points.len()).partition(|&i| !points[i].strong);
    for i in usual.into_iter().chain(strong) {
        let (point, fill) = (&points[i], colour(points[i].family));
        let (r, rim) = if point.strong { (RADIUS + 2.0, INK) } else { (RADIUS, PAPER) };
        let look = format!(r#"class="point" fill="{fill}" stroke="{rim}" stroke-width="1.5""#);
        draw(&mut svg, point.mark, places[i], r, &look);
        if let Some(f) = labels[i] {
            let weight = if point.strong { r#" font-weight="700""# } else { "" };
            // The estimate is generous: the name stands on the side where its point is.
            let (x, anchor) = match f.x + f.w / 2.0 - places[i][0] {
                d if d > f.w * 0.25 => (f.x, "start"),
                d if d < -f.w * 0.25 => (f.right(), "end"),
                _ => (f.x + f.w / 2.0, "middle"),
            };
            let look = format!(r#"class="name" fill="{INK}" text-anchor="{anchor}"{weight}"#);
            svg.text([x, f.y + SMALL - 0.5], SMALL, point.name, &look);
        }
    }
    let told: Vec<String> =
        points.iter().map(|p| format!("{}: {}, {}", p.name, said(across, p.at[0]), said(up, p.at[1]))).collect();
    Scatter { drawing: svg.finish(width, height, "chart scatter", title, &told.join("; ")), places, labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_short() {
        let texts: Vec<_> =
            [138_357_544.0, 61_100_840.0, 7.2e9, 15_470_264_320.0, 60_000.0, 9_999.0, 6.67, 0.95].map(short).into();
        assert_eq!(texts, ["138 M", "61.1 M", "7.2 G", "15.5 G", "60 k", "9,999", "6.670", "0.950"]);
    }
}
