//! The guided start: a callout beside the real control, which is outlined and never covered. The reader does the real thing, and the step
//! ticks itself off. Knows the table of steps, no network.

use super::guide::{Done, Step, around, beside, steps};
use super::hooks::{focus, use_network, use_page, use_words, window};
use crate::arch;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// Under which the browser remembers that the reader has had it.
const STORE: &str = "receptive.tour";
/// Milliseconds between two looks at where the control is and whether the step is done.
const LOOK: i32 = 250;

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten() // browsers refuse it in some private windows
}

/// Whether to begin unasked: at the first visit of a person.
pub fn is_new_here() -> bool {
    let driven = js_sys::Reflect::get(&window().navigator(), &"webdriver".into()).is_ok_and(|v| v.is_truthy());
    !driven && storage().is_some_and(|s| s.get_item(STORE).ok().flatten().is_none())
}

/// The elements a step is about, those of them that are there to be seen.
fn targets(step: &Step) -> Vec<web_sys::Element> {
    let Some(document) = window().document() else { return Vec::new() };
    let seen = |e: &web_sys::Element| e.get_bounding_client_rect().width() > 0.0;
    let one = |selector: &str| document.query_selector(selector).ok().flatten().filter(seen);
    let all = |selectors: &&str| selectors.split(", ").filter_map(one).collect::<Vec<_>>();
    step.at.iter().map(all).find(|found| !found.is_empty()).unwrap_or_default()
}

/// An element's place in the window: [left, top, width, height].
fn frame(element: &web_sys::Element) -> [f64; 4] {
    let frame = element.get_bounding_client_rect();
    [frame.left(), frame.top(), frame.width(), frame.height()]
}

fn room() -> [f64; 2] {
    let size = |v: Result<JsValue, JsValue>| v.ok().and_then(|v| v.as_f64()).unwrap_or(0.0);
    [size(window().inner_width()), size(window().inner_height())]
}

/// Scrolls there if no part of it is to be seen, or only the edge of it beside a row that scrolls (tabs on a phone).
fn bring(element: &web_sys::Element) {
    let frame = element.get_bounding_client_rect();
    let [wide, high] = room();
    let above = frame.bottom() < 40.0 || frame.top() > high - 40.0;
    let beside = frame.width() < wide && (frame.left() < 0.0 || frame.right() > wide);
    if above || beside {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(if above {
            web_sys::ScrollLogicalPosition::Center
        } else {
            web_sys::ScrollLogicalPosition::Nearest
        });
        options.set_inline(web_sys::ScrollLogicalPosition::Nearest);
        let still =
            window().match_media("(prefers-reduced-motion: reduce)").ok().flatten().is_some_and(|m| m.matches());
        options.set_behavior(if still { web_sys::ScrollBehavior::Auto } else { web_sys::ScrollBehavior::Smooth });
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// What a tour needs.
#[derive(Properties, PartialEq)]
pub struct TourProps {
    /// Whether it is on.
    pub on: bool,
    /// Ends it.
    pub close: Callback<()>,
}

/// The callout, and the outline about what it speaks of.
#[component]
pub fn Tour(props: &TourProps) -> Html {
    let (words, page, network) = (use_words(), use_page(), use_network());
    let digits = network.as_ref().is_none_or(|n| n.reads_digits());
    let at = use_state(|| 0_usize);
    let family = arch::variant(&page.view.variant).map_or("", |v| v.family);
    let steps = steps(family);
    let step = steps[(*at).min(steps.len() - 1)];
    // Done once, done for good.
    let done = use_state(|| [false; 8]);
    let places = use_state(|| None::<([f64; 4], [f64; 2])>);
    let callout = use_node_ref();
    {
        let (at, done) = (at.clone(), done.clone());
        use_effect_with((family, props.on), move |_| {
            at.set(0);
            done.set([false; 8]);
        });
    }
    {
        // Called for, it has the keyboard; unasked, it takes nothing.
        let first = use_mut_ref(|| true);
        use_effect_with(props.on, move |on| {
            if !first.replace(false) && *on {
                focus("tour");
            }
        });
    }
    {
        let on = props.on;
        use_effect_with((on, step.key), move |(on, _)| {
            if *on && let Some(element) = targets(&step).first() {
                bring(element);
            }
        });
    }
    {
        // One look after another while it is on. What it needs of the page is the newest, by the reference.
        let look = use_mut_ref(|| None::<Box<dyn Fn()>>);
        let (places, callout, done, page, at) = (places.clone(), callout.clone(), done.clone(), page.clone(), *at);
        *look.borrow_mut() = Some(Box::new(move || {
            let is = step.done.is(&page, network.as_ref().map(|n| &n.graph)).unwrap_or_else(|| match step.done {
                Done::There(selector) => {
                    window().document().and_then(|d| d.query_selector(selector).ok().flatten()).is_some()
                }
                _ => false,
            });
            if is && !done[at % 8] {
                let mut next = *done;
                next[at % 8] = true;
                done.set(next);
            }
            let place = around(targets(&step).iter().map(frame)).map(|frame| {
                let size = callout.cast::<web_sys::HtmlElement>();
                let size = size.map_or([320.0, 180.0], |e| [e.offset_width().into(), e.offset_height().into()]);
                (frame, beside(frame, size, room()))
            });
            if place != *places {
                places.set(place);
            }
        }));
        use_effect_with(props.on, move |on| {
            let tick = Closure::<dyn FnMut()>::new(move || {
                if let Some(look) = &*look.borrow() {
                    look();
                }
            });
            let timer = on.then(|| {
                window()
                    .set_interval_with_callback_and_timeout_and_arguments_0(tick.as_ref().unchecked_ref(), LOOK)
                    .unwrap_or(0)
            });
            move || {
                if let Some(timer) = timer {
                    window().clear_interval_with_handle(timer);
                }
                drop(tick);
            }
        });
    }
    if !props.on || page.view.hides("tour") {
        return Html::default();
    }
    let end = {
        let close = props.close.clone();
        Callback::from(move |()| {
            if let Some(storage) = storage() {
                let _ = storage.set_item(STORE, "seen");
            }
            close.emit(());
            focus("tour-again");
        })
    };
    let last = *at + 1 >= steps.len();
    let next = {
        let (at, end) = (at.clone(), end.clone());
        Callback::from(move |_| if last { end.emit(()) } else { at.set(*at + 1) })
    };
    let back = {
        let at = at.clone();
        Callback::from(move |_| at.set(at.saturating_sub(1)))
    };
    let onkeydown = {
        let end = end.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                end.emit(());
            }
        })
    };
    let ticked = done[*at % 8];
    let (ring, place) = match *places {
        Some(([left, top, width, height], [x, y])) => {
            // Beyond the window's edge a ring would widen the page of a phone.
            let (left, right) = (left.max(4.0), (left + width).min(room()[0] - 4.0));
            let width = right - left;
            let ring = format!("left:{left:.0}px;top:{top:.0}px;width:{width:.0}px;height:{height:.0}px");
            (Some(ring).filter(|_| width > 0.0), format!("left:{x:.0}px;top:{y:.0}px"))
        }
        None => (None, "right:16px;bottom:16px".to_string()),
    };
    let count = words.fill("tour-count", &[("step", &(*at + 1).to_string()), ("steps", &steps.len().to_string())]);
    html! {
        <>
            if let Some(style) = ring { <div class="tour-ring" {style} aria-hidden="true"></div> }
            <section ref={callout} class="tour" style={place} id="tour" tabindex="-1" aria-labelledby="tour-title" data-testid="tour" {onkeydown}>
                <h2 id="tour-title">{words.fill("tour-title", &[("family", family)])}<small>{count}</small></h2>
                <p aria-live="polite" data-testid="tour-text">{words.get(step.said(digits))}</p>
                <div class="row">
                    <span class="tick" role="status" data-testid="tour-done">{if ticked { words.get("tour-done") } else { words.get("tour-try") }}</span>
                    if *at > 0 { <button type="button" onclick={back} data-testid="tour-back">{words.get("tour-back")}</button> }
                    if !last { <button type="button" onclick={end.reform(|_: MouseEvent| ())} data-testid="tour-skip">{words.get("tour-skip")}</button> }
                    <button type="button" class={classes!(ticked.then_some("primary"))} onclick={next} data-testid="tour-next">
                        {words.get(if last { "tour-end" } else { "tour-next" })}</button>
                </div>
            </section>
        </>
    }
}
