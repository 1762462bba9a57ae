//! How one looks at the stage: pan and zoom as plain numbers, what is then seen, and how much of it can be read. Knows no page.

use super::Frame;

/// A point of the stage (px) is seen at `zoom` times itself plus `(x, y)`, in px of the viewport.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Camera {
    /// Where the stage's left edge is seen.
    pub x: f32,
    /// Where its top is seen.
    pub y: f32,
    /// Px of the viewport per px of the stage.
    pub zoom: f32,
}

/// How much of a card fits at a zoom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// A glyph and a title.
    Far,
    /// Its facts in large type, and its maps.
    Middle,
    /// All of it.
    Near,
}

impl Level {
    /// Name, as a CSS class.
    pub fn name(self) -> &'static str {
        match self {
            Self::Far => "far",
            Self::Middle => "middle",
            Self::Near => "near",
        }
    }
}

/// Largest zoom: a unit of the smallest map is then a finger wide.
const CLOSEST: f32 = 8.0;
/// Share of the viewport that is painted beyond each of its edges, so that panning has something to show.
const MARGIN: f32 = 0.25;

impl Default for Camera {
    fn default() -> Self {
        Self { x: 0.0, y: 0.0, zoom: 1.0 }
    }
}

impl Camera {
    /// All of a stage in the middle of a viewport; never larger than it is.
    pub fn fit(stage: [f32; 2], view: [f32; 2]) -> Self {
        Self { x: 0.0, y: 0.0, zoom: Self::least(stage, view) }.held(stage, view)
    }

    fn least(stage: [f32; 2], view: [f32; 2]) -> f32 {
        let ratio = |i: usize| view[i].max(1.0) / stage[i].max(1.0);
        ratio(0).min(ratio(1)).min(1.0)
    }

    /// The nearest one that may be: the whole stage is the farthest; no edge of the stage is drawn into the view; what is smaller
    /// than the view stays in its middle.
    #[must_use]
    pub fn held(self, stage: [f32; 2], view: [f32; 2]) -> Self {
        let zoom = self.zoom.clamp(Self::least(stage, view), CLOSEST);
        let hold = |at: f32, i: usize| {
            let spare = view[i] - stage[i] * zoom;
            if spare >= -0.5 { (spare / 2.0).max(0.0).floor() } else { at.clamp(spare, 0.0) }
        };
        Self { x: hold(self.x, 0), y: hold(self.y, 1), zoom }
    }

    /// Nearer by a factor; what is seen at this point stays there.
    #[must_use]
    pub fn zoomed(self, factor: f32, [x, y]: [f32; 2]) -> Self {
        let zoom = (self.zoom * factor).min(CLOSEST);
        let factor = zoom / self.zoom;
        Self { x: x - (x - self.x) * factor, y: y - (y - self.y) * factor, zoom }
    }

    /// Moved by so many px of the viewport.
    #[must_use]
    pub fn panned(self, x: f32, y: f32) -> Self {
        Self { x: self.x + x, y: self.y + y, ..self }
    }

    /// The point of the stage that is seen at a point of the viewport.
    pub fn stage_point(self, [x, y]: [f32; 2]) -> [f32; 2] {
        [(x - self.x) / self.zoom, (y - self.y) / self.zoom]
    }

    /// Where a frame of the stage is seen.
    pub fn place(self, f: Frame) -> Frame {
        Frame::new(f.x * self.zoom + self.x, f.y * self.zoom + self.y, f.w * self.zoom, f.h * self.zoom)
    }

    /// The part of the stage that is in view.
    pub fn seen(self, view: [f32; 2]) -> Frame {
        let [x, y] = self.stage_point([0.0, 0.0]);
        Frame::new(x, y, view[0] / self.zoom, view[1] / self.zoom)
    }

    /// The part of the stage to be painted: what is in view and a margin; whole px of the viewport away from the stage's corner.
    pub fn painted(self, stage: [f32; 2], view: [f32; 2]) -> Frame {
        let (seen, whole) = (self.seen(view), Frame::new(0.0, 0.0, stage[0], stage[1]));
        let (w, h) = (seen.w * MARGIN, seen.h * MARGIN);
        let snap = |v: f32| (v * self.zoom).floor() / self.zoom;
        let (x, y) = (snap((seen.x - w).max(whole.x)), snap((seen.y - h).max(whole.y)));
        let (right, bottom) = ((seen.right() + w).min(whole.right()), (seen.bottom() + h).min(whole.bottom()));
        Frame::new(x, y, (right - x).max(1.0), (bottom - y).max(1.0))
    }

    /// Whether what another camera sees of the stage was painted for this one, to half a px of the viewport.
    pub fn covers(self, other: Self, stage: [f32; 2], view: [f32; 2]) -> bool {
        let (painted, seen) = (self.painted(stage, view), other.seen(view).within(stage));
        let slack = 0.5 / self.zoom;
        self.zoom == other.zoom
            && seen.x >= painted.x - slack
            && seen.y >= painted.y - slack
            && seen.right() <= painted.right() + slack
            && seen.bottom() <= painted.bottom() + slack
    }

    /// Moved, as little as may be, so that a frame of the stage is in view; where it is larger than the view, its left top is.
    #[must_use]
    pub fn showing(self, frame: Frame, view: [f32; 2]) -> Self {
        let at = self.place(frame.grow(8.0 / self.zoom));
        let shift = |first: f32, size: f32, view: f32| {
            if size >= view || first < 0.0 { -first } else { (view - first - size).min(0.0) }
        };
        let outside = |first: f32, size: f32, view: f32| first < -0.5 || first + size > view + 0.5;
        let dx = if outside(at.x, at.w, view[0]) { shift(at.x, at.w, view[0]) } else { 0.0 };
        let dy = if outside(at.y, at.h, view[1]) { shift(at.y, at.h, view[1]) } else { 0.0 };
        self.panned(dx, dy)
    }

    /// A frame of the stage in the middle, as large as the viewport has room for, but not closer than twice its size.
    pub fn facing(frame: Frame, view: [f32; 2]) -> Self {
        let zoom = ((view[0] / frame.w).min(view[1] / frame.h) * 0.92).min(2.0);
        let [x, y] = frame.centre();
        Self { x: view[0] / 2.0 - x * zoom, y: view[1] / 2.0 - y * zoom, zoom }
    }

    /// What fits; where type has to be larger, less does (`coarse`: by this factor).
    pub fn level(self, coarse: f32) -> Level {
        match self.zoom / coarse {
            z if z < 0.3 => Level::Far,
            z if z < 0.72 => Level::Middle,
            _ => Level::Near,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: [f32; 2] = [4000.0, 1500.0];
    const VIEW: [f32; 2] = [1000.0, 500.0];

    fn close(a: f32, b: f32) -> bool {
        (a - b).abs() < 0.01
    }

    #[test]
    fn what_is_under_the_pointer_stays_there() {
        let camera = Camera { x: -300.0, y: -120.0, zoom: 0.8 };
        let at = [412.0, 77.0];
        let (before, after) = (camera.stage_point(at), camera.zoomed(1.7, at).stage_point(at));
        assert!(close(before[0], after[0]) && close(before[1], after[1]), "{before:?} {after:?}");
        assert!(close(camera.zoomed(100.0, at).zoom, CLOSEST));
        let end = camera.zoomed(100.0, at).stage_point(at);
        assert!(close(before[0], end[0]), "also at the closest");
    }

    #[test]
    fn the_stage_fills_the_view_or_stands_in_its_middle() {
        let fit = Camera::fit(STAGE, VIEW);
        assert_eq!((fit.zoom, fit.x, fit.y), (0.25, 0.0, 62.0)); // 1000×375 in 1000×500
        let far = Camera { x: 900.0, y: -9999.0, zoom: 0.5 }.held(STAGE, VIEW);
        assert_eq!((far.x, far.y), (0.0, -250.0));
        assert_eq!(Camera { zoom: 0.01, ..far }.held(STAGE, VIEW).zoom, 0.25, "the whole is the farthest");
        assert_eq!(Camera::fit([300.0, 200.0], VIEW), Camera { x: 350.0, y: 150.0, zoom: 1.0 }, "nothing is blown up");
    }

    #[test]
    fn little_more_than_is_in_view_is_painted() {
        let camera = Camera { x: -1000.0, y: -400.0, zoom: 1.0 };
        assert_eq!(camera.seen(VIEW), Frame::new(1000.0, 400.0, 1000.0, 500.0));
        assert_eq!(camera.painted(STAGE, VIEW), Frame::new(750.0, 275.0, 1500.0, 750.0));
        let corner = Camera { x: 0.0, y: 0.0, zoom: 2.0 };
        assert_eq!(corner.painted(STAGE, VIEW), Frame::new(0.0, 0.0, 625.0, 312.5));
        // Panning by less than the margin asks for nothing new, by more it does, and so does each other zoom.
        for zoom in [0.7, 1.0, 1.7] {
            let camera = Camera { zoom, ..camera };
            let covers = |x, y| camera.covers(camera.panned(x, y), STAGE, VIEW);
            assert!(covers(0.0, 0.0) && covers(-249.0, 0.0) && covers(249.0, -124.0), "{zoom}");
            assert!(!covers(-252.0, 0.0) && !covers(252.0, 0.0) && !covers(0.0, 127.0), "{zoom}");
            assert!(!camera.covers(camera.zoomed(1.01, [0.0; 2]), STAGE, VIEW));
        }
    }

    #[test]
    fn a_frame_comes_into_view_by_the_shortest_way() {
        let camera = Camera { x: 0.0, y: 0.0, zoom: 1.0 };
        assert_eq!(camera.showing(Frame::new(100.0, 100.0, 50.0, 50.0), VIEW), camera, "it is in view");
        let right = camera.showing(Frame::new(1200.0, 100.0, 92.0, 50.0), VIEW);
        assert_eq!((right.x, right.y), (-300.0, 0.0)); // 1292 + 8 = 1300 is the view's right edge
        let large = camera.showing(Frame::new(500.0, 600.0, 2000.0, 50.0), VIEW);
        assert_eq!((large.x, large.y), (-492.0, -158.0));
        let faced = Camera::facing(Frame::new(500.0, 600.0, 100.0, 200.0), VIEW);
        assert_eq!((faced.zoom, faced.place(Frame::new(550.0, 700.0, 0.0, 0.0)).x), (2.0, 500.0));
    }

    #[test]
    fn levels_follow_the_zoom() {
        let level = |zoom| Camera { x: 0.0, y: 0.0, zoom }.level(1.0);
        assert_eq!([0.1, 0.5, 1.0, 3.0].map(level), [Level::Far, Level::Middle, Level::Near, Level::Near]);
        let projected = |zoom| Camera { x: 0.0, y: 0.0, zoom }.level(1.5);
        assert_eq!([0.4, 0.8, 1.1].map(projected), [Level::Far, Level::Middle, Level::Near]);
    }
}
