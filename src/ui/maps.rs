//! The feature maps on the stage: the engine paints what is in view and a margin around it, on one of two canvases in turn, so that
//! what is seen stays in its place until the next picture is ready. Knows the stage's cards; computes no place.

use super::hooks::{Same, next_frame, use_heard, use_page};
use super::painted::{Painted, STAGES};
use super::viewport::{Lens, Rest, shows_maps, use_rest};
use crate::protocol::{Event, PaintRect, Source};
use crate::scene::Frame;
use crate::scene::stage::Stage;
use std::rc::Rc;
use yew::prelude::*;

/// A laid-out stage and its drawing.
pub type Scene = Same<(Stage, AttrValue)>;

/// What is to be painted.
#[derive(Clone, PartialEq)]
struct Job {
    scene: Scene,
    rest: Rest,
}

impl Job {
    /// The part of the stage that is painted.
    fn window(&self) -> Frame {
        self.rest.camera.painted(self.rest.stage, self.rest.view)
    }

    /// In px of the canvas: maps that lie in the window; for all other cards, that they may be shown next.
    fn rects(&self) -> Vec<PaintRect> {
        let (window, camera) = (self.window(), self.rest.camera);
        let near = shows_maps(self.rest.level());
        let mut out = Vec::new();
        for card in &self.scene.0.cards {
            let source = Source::Value(card.node);
            let before = out.len();
            if near && card.rect.overlaps(window) {
                out.extend(card.maps.iter().filter(|m| m.rect.overlaps(window)).map(|m| {
                    let r = m.rect;
                    let at = [r.x - window.x, r.y - window.y, r.w, r.h].map(|v| v * camera.zoom);
                    PaintRect { source, offset: m.offset, rows: m.rows, cols: m.cols, at }
                }));
            }
            if out.len() == before {
                out.push(PaintRect { source, offset: 0, rows: 0, cols: 0, at: [0.0; 4] });
            }
        }
        out
    }
}

/// The two canvases: what each shows, which is seen.
#[derive(Clone, PartialEq, Default)]
struct Slots {
    jobs: [Option<(Job, Rc<Vec<PaintRect>>)>; 2],
    front: usize,
    /// The other one is being painted.
    pending: bool,
    wanted: Option<Job>,
}

enum Turn {
    Want(Job),
    Painted(u32),
}

impl Reducible for Slots {
    type Action = Turn;

    fn reduce(self: Rc<Self>, turn: Turn) -> Rc<Self> {
        let mut next = (*self).clone();
        match turn {
            Turn::Want(job) => next.wanted = Some(job),
            Turn::Painted(canvas) if next.pending && canvas == STAGES[1 - next.front] => {
                next.jobs[next.front] = None;
                (next.front, next.pending) = (1 - next.front, false);
            }
            Turn::Painted(_) => return self,
        }
        let shown = next.jobs[next.front].as_ref().map(|(job, _)| job);
        if let Some(job) = next.wanted.clone().filter(|job| !next.pending && shown != Some(job)) {
            let rects = Rc::new(job.rects());
            // Where nothing is to be painted there is nothing to wait for.
            next.pending = rects.iter().any(|r| r.rows > 0);
            let slot = if next.pending { 1 - next.front } else { next.front };
            next.jobs[slot] = Some((job, rects));
        }
        Rc::new(next)
    }
}

/// What [`Maps`] shows.
#[derive(Properties, PartialEq)]
pub struct MapsProps {
    /// Where one looks from.
    pub lens: Lens,
    /// The stage.
    pub scene: Scene,
}

/// The canvases over the diagram.
#[component]
pub fn Maps(props: &MapsProps) -> Html {
    let (page, rest) = (use_page(), use_rest(&props.lens));
    let slots = use_reducer(Slots::default);
    {
        let slots = slots.dispatcher();
        use_effect_with((props.scene.clone(), rest), move |(scene, rest)| {
            // A camera that is set for the stage before waits for the one for this stage.
            if rest.stage == scene.0.size && rest.view[0] > 0.0 {
                slots.dispatch(Turn::Want(Job { scene: scene.clone(), rest: *rest }));
            }
        });
    }
    {
        let slots = slots.dispatcher();
        use_heard(move |heard| {
            if let Event::Painted { canvas, .. } = heard.event
                && STAGES.contains(&canvas)
            {
                // What the worker has drawn is on the screen a frame or two after it says so.
                let slots = slots.clone();
                next_frame(move || next_frame(move || slots.dispatch(Turn::Painted(canvas))));
            }
        });
    }
    let canvas = |slot: usize| {
        let job = slots.jobs[slot].as_ref();
        let seen = slot == slots.front && job.is_some_and(|(job, _)| job.scene == props.scene);
        let (window, zoom) = job.map_or((Frame::default(), 1.0), |(job, _)| (job.window(), job.rest.camera.zoom));
        let size = (f64::from((window.w * zoom).round().max(1.0)), f64::from((window.h * zoom).round().max(1.0)));
        let style = format!(
            "transform:translate({}px,{}px) scale({});visibility:{}",
            window.x,
            window.y,
            1.0 / zoom,
            if seen { "inherit" } else { "hidden" }
        );
        let rects = job.map(|(_, rects)| rects.to_vec()).unwrap_or_default();
        let testid = if seen { "maps" } else { "maps-next" };
        html! {
            <div class="maps" {style} key={slot}>
                <Painted id={STAGES[slot]} {rects} {size} scale={page.view.scale} {testid} />
            </div>
        }
    };
    html! { <>{ canvas(0) }{ canvas(1) }</> }
}
