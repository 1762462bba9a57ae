//! What the reader does to the picture before the network sees it: the tools, and the surface over the picture that takes drags and arrow
//! keys. Knows pictures, not networks; the engine does it.

use super::hooks::{
    Words, colour, go, later, next_frame, use_client, use_dark, use_heard, use_network, use_page, use_words,
};
use super::state::{Action, Panel};
use crate::arch::Architecture;
use crate::data::alter::arrows;
use crate::protocol::{Alterations, Command, Cover, Event};
use crate::tensor::Shape;
use std::rc::Rc;
use wasm_bindgen::{Clamped, prelude::*};
use yew::prelude::*;

/// What a drag over the picture does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    /// Moves it.
    Move,
    /// Moves the grey patch.
    Cover,
}

/// What changes it.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// These now.
    Set(Alterations),
    /// Moved by one pixel more: down, to the right.
    Step([i32; 2]),
    /// This tool, or none.
    Take(Option<Tool>),
}

/// What is done to the picture, and the tool in hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Altered {
    /// What is done.
    pub now: Alterations,
    /// What a drag does; `None`: draws.
    pub tool: Option<Tool>,
}

impl Reducible for Altered {
    type Action = Act;

    fn reduce(self: Rc<Self>, act: Act) -> Rc<Self> {
        let mut next = *self;
        match act {
            Act::Set(now) => next.now = now,
            Act::Step(by) => {
                (0..2).for_each(|i| next.now.shift[i] = (next.now.shift[i] + by[i]).clamp(-999, 999));
            }
            Act::Take(tool) => {
                next.tool = tool;
                if tool == Some(Tool::Cover) && next.now.cover.is_none() {
                    next.now.cover = Some(Cover::default());
                }
            }
        }
        Rc::new(next)
    }
}

/// Shared by all that show or change it.
pub type Altering = UseReducerHandle<Altered>;

/// Milliseconds without a change after which the address has it.
const SETTLED: i32 = 400;

/// What is inside knows of [`Altering`].
#[derive(Properties, PartialEq)]
pub struct WithAlteringProps {
    /// The page.
    pub children: Html,
}

/// Keeps what is done to the picture: tells the engine once a frame, the address once it has settled.
#[component]
pub fn WithAltering(props: &WithAlteringProps) -> Html {
    let (page, client) = (use_page(), use_client());
    let first = page.view.alter;
    let altering: Altering = use_reducer(move || Altered { now: first, tool: None });
    let told = use_mut_ref(Alterations::default);
    let kept = use_mut_ref(move || first);
    {
        let (page, kept) = (page.dispatcher(), kept.clone());
        use_effect_with(altering.now, move |&now| {
            if *told.borrow() != now {
                *told.borrow_mut() = now;
                // However fast the pointer: the engine drops those that wait behind a newer one.
                let client = client.clone();
                next_frame(move || client.send(&Command::Alter(now)));
                let told = told.clone();
                later(SETTLED, move || {
                    if *told.borrow() == now && *kept.borrow() != now {
                        *kept.borrow_mut() = now;
                        page.dispatch(Action::Alter(now));
                    }
                });
            }
        });
    }
    {
        // The address has others: back, or a link.
        let altering = altering.clone();
        use_effect_with(page.view.alter, move |&alter| {
            if *kept.borrow() != alter {
                *kept.borrow_mut() = alter;
                altering.dispatch(Act::Set(alter));
            }
        });
    }
    html! { <ContextProvider<Altering> context={altering}>{props.children.clone()}</ContextProvider<Altering>> }
}

/// What is done to the picture.
#[hook]
pub fn use_altering() -> Altering {
    #[allow(clippy::expect_used)] // the page provides it
    use_context::<Altering>().expect("inside WithAltering")
}

/// A network's input as the picture it was, RGBA: photographs in their colours, digits as ink on nothing.
pub fn pixels(net: &Architecture, shape: Shape, input: &[f32]) -> Vec<u8> {
    let ink = u32::from_str_radix(colour("--ink").trim_start_matches('#'), 16).unwrap_or(0);
    let grey = [(ink >> 16) as u8, (ink >> 8) as u8, ink as u8, 255];
    let mut pixels: Vec<u8> = (0..shape.map()).flat_map(|_| if shape.c == 1 { grey } else { [255; 4] }).collect();
    for (channel, values) in input.chunks_exact(shape.map().max(1)).take(3).enumerate() {
        let levels = net.normalisation.levels(channel);
        let to = if shape.c == 1 { 3 } else { channel };
        for (pixel, value) in pixels.chunks_exact_mut(4).zip(values) {
            pixel[to] = ((value - levels.background) / levels.per_step).round() as u8;
        }
    }
    pixels
}

/// Paints it on a canvas of its own size.
pub fn paint(canvas: &NodeRef, net: &Architecture, shape: Shape, input: &[f32]) -> Option<()> {
    let canvas = canvas.cast::<web_sys::HtmlCanvasElement>()?;
    canvas.set_width(shape.w as u32);
    canvas.set_height(shape.h as u32);
    let context: web_sys::CanvasRenderingContext2d = canvas.get_context("2d").ok()??.unchecked_into();
    let pixels = pixels(net, shape, input);
    let image = web_sys::ImageData::new_with_u8_clamped_array(Clamped(&pixels), shape.w as u32).ok()?;
    context.put_image_data(&image, 0.0, 0.0).ok()
}

/// Where a drag began, and what was done to the picture then.
#[derive(Clone, Copy)]
struct Drag {
    pointer: i32,
    at: (f64, f64),
    then: Alterations,
}

/// Over the pad or the photograph while a tool is in hand: shows what the network sees, and takes the tool's drags and arrow keys.
#[component]
pub fn Surface() -> Html {
    let (words, network, dark, altering) = (use_words(), use_network(), use_dark(), use_altering());
    let (surface, canvas) = (use_node_ref(), use_node_ref());
    let seen = use_mut_ref(|| None::<(Shape, Vec<f32>)>);
    let drag = use_mut_ref(|| None::<Drag>);
    let shape = network.as_ref().map(|n| n.graph.nodes()[n.graph.source()].shape);
    let tool = altering.tool;
    let repaint = {
        let (canvas, network, seen) = (canvas.clone(), network.clone(), seen.clone());
        move || {
            if let (Some(net), Some((shape, input))) = (&network, &*seen.borrow())
                && shape.len() == input.len()
            {
                paint(&canvas, net, *shape, input);
            }
        }
    };
    {
        let repaint = repaint.clone();
        use_effect_with((dark, tool.is_some()), move |(_, shown)| {
            if *shown {
                next_frame(repaint);
            }
        });
    }
    let blank = canvas.clone();
    use_heard(move |heard| {
        if let Event::Shown { input, shape, .. } = &heard.event {
            // Nothing shown: a blank one.
            *seen.borrow_mut() = Some((*shape, input.clone().unwrap_or_default()));
            if tool.is_some() {
                match input {
                    Some(_) => repaint(),
                    None => blank.cast::<web_sys::HtmlCanvasElement>().iter().for_each(|c| c.set_width(shape.w as u32)),
                }
            }
        }
    });
    let Some((tool, shape)) = tool.zip(shape) else { return Html::default() };
    // What happens in fractions of the picture.
    let apply = {
        let altering = altering.clone();
        move |then: Alterations, from: (f64, f64), to: (f64, f64)| {
            let now = match tool {
                Tool::Move => {
                    let pixels = |by: f64, size: usize| ((by * size as f64).round() as i32).clamp(-999, 999);
                    let by = [pixels(to.1 - from.1, shape.h), pixels(to.0 - from.0, shape.w)];
                    Alterations { shift: [then.shift[0] + by[0], then.shift[1] + by[1]], ..then }
                }
                Tool::Cover => {
                    let at = |v: f64| (v.clamp(0.0, 1.0) * 1000.0).round() as u16;
                    let cover = Cover { y: at(to.1), x: at(to.0), ..then.cover.unwrap_or_default() };
                    Alterations { cover: Some(cover), ..then }
                }
            };
            altering.dispatch(Act::Set(now));
        }
    };
    let node = surface.clone();
    let place = move |event: &PointerEvent| {
        let frame = node.cast::<web_sys::Element>()?.get_bounding_client_rect();
        let part = |at: i32, from: f64, size: f64| (f64::from(at) - from) / size.max(1.0);
        Some((part(event.client_x(), frame.left(), frame.width()), part(event.client_y(), frame.top(), frame.height())))
    };
    let onpointerdown = {
        let (drag, altering, apply) = (drag.clone(), altering.clone(), apply.clone());
        let (place, surface_node) = (place.clone(), surface.clone());
        Callback::from(move |event: PointerEvent| {
            if event.button() != 0 {
                return;
            }
            if let Some(target) = surface_node.cast::<web_sys::Element>() {
                let _ = target.set_pointer_capture(event.pointer_id());
            }
            if let Some(at) = place(&event) {
                *drag.borrow_mut() = Some(Drag { pointer: event.pointer_id(), at, then: altering.now });
                apply(altering.now, at, at);
            }
        })
    };
    let onpointermove = {
        let (drag, apply) = (drag.clone(), apply.clone());
        Callback::from(move |event: PointerEvent| {
            let dragged = *drag.borrow();
            if let (Some(drag), Some(to)) = (dragged.filter(|d| d.pointer == event.pointer_id()), place(&event)) {
                apply(drag.then, drag.at, to);
            }
        })
    };
    let onpointerup = Callback::from(move |_: PointerEvent| *drag.borrow_mut() = None);
    let onkeydown = {
        let altering = altering.clone();
        Callback::from(move |event: KeyboardEvent| {
            let by = match event.key().as_str() {
                "ArrowUp" => [-1, 0],
                "ArrowDown" => [1, 0],
                "ArrowLeft" => [0, -1],
                "ArrowRight" => [0, 1],
                "Escape" => return altering.dispatch(Act::Take(None)),
                _ => return,
            };
            event.prevent_default();
            match tool {
                Tool::Move => altering.dispatch(Act::Step(by)),
                Tool::Cover => {
                    let cover = altering.now.cover.unwrap_or_default();
                    let pixel = |at: u16, by: i32, size: usize| {
                        (f64::from(at) + f64::from(by) * 1000.0 / size as f64).round().clamp(0.0, 1000.0) as u16
                    };
                    let (y, x) = (pixel(cover.y, by[0], shape.h), pixel(cover.x, by[1], shape.w));
                    altering.dispatch(Act::Set(Alterations { cover: Some(Cover { y, x, ..cover }), ..altering.now }));
                }
            }
        })
    };
    let frame = altering.now.cover.filter(|_| tool == Tool::Cover).map(|cover| {
        let [rows, columns] = cover.within(shape.h, shape.w);
        let part = |v: usize, of: usize| v as f64 * 100.0 / of.max(1) as f64;
        format!(
            "top:{:.2}%;left:{:.2}%;height:{:.2}%;width:{:.2}%",
            part(rows.start, shape.h),
            part(columns.start, shape.w),
            part(rows.len(), shape.h),
            part(columns.len(), shape.w)
        )
    });
    let (class, label) = match tool {
        Tool::Move => ("surface moves", "alter-move-label"),
        Tool::Cover => ("surface covers", "alter-cover-label"),
    };
    html! {
        <div ref={surface} {class} tabindex="0" role="img" aria-label={words.get(label)} data-testid="surface" {onkeydown} {onpointerdown} {onpointermove}
            onpointercancel={onpointerup.clone()} {onpointerup}>
            <canvas ref={canvas} class="painted" />
            if let Some(style) = frame { <span class="cover" {style}></span> }
        </div>
    }
}

/// Four buttons that move the picture by a pixel, and how far it is moved.
#[component]
pub fn Arrows() -> Html {
    let (words, altering) = (use_words(), use_altering());
    let button = |sign: &'static str, name: &'static str, by: [i32; 2]| {
        let onclick = {
            let altering = altering.clone();
            Callback::from(move |_| altering.dispatch(Act::Step(by)))
        };
        html! {
            <button type="button" class={name} {onclick} aria-label={words.get(name)} title={words.get(name)} data-testid={name}>
                <span aria-hidden="true">{sign}</span></button>
        }
    };
    html! {
        <div class="arrows" role="group" aria-label={words.get("alter-shift")}>
            { button("←", "alter-left", [0, -1]) }
            { button("↑", "alter-up", [-1, 0]) }
            { button("↓", "alter-down", [1, 0]) }
            { button("→", "alter-right", [0, 1]) }
            <output data-testid="alter-shift">{moved(words, altering.now.shift.map(|v| v as f32))}</output>
        </div>
    }
}

/// How far something is moved, in words.
pub fn moved(words: Words, by: [f32; 2]) -> AttrValue {
    match arrows(by) {
        text if text.is_empty() => words.get("alter-unmoved"),
        text => words.fill("alter-moved", &[("by", &text)]),
    }
}

/// Takes everything back.
#[component]
pub fn Reset() -> Html {
    let (words, altering) = (use_words(), use_altering());
    let onclick = {
        let altering = altering.clone();
        Callback::from(move |_| {
            altering.dispatch(Act::Take(None));
            altering.dispatch(Act::Set(Alterations::default()));
        })
    };
    let nothing = altering.now == Alterations::default() && altering.tool.is_none();
    html! { <button type="button" {onclick} disabled={nothing} data-testid="alter-reset">{words.get("alter-reset")}</button> }
}

/// The value of a slider or number field.
fn number(event: &InputEvent) -> Option<f64> {
    let value = event.target_dyn_into::<web_sys::HtmlInputElement>()?.value_as_number();
    value.is_finite().then_some(value)
}

/// The tools.
#[component]
pub fn Tools() -> Html {
    let (words, page, altering) = (use_words(), use_page(), use_altering());
    let now = altering.now;
    // At first only; then it is the reader's.
    let open = use_state(|| !page.view.alter.is_none());
    let set = |change: fn(&mut Alterations, f64)| {
        let altering = altering.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(value) = number(&event) {
                let mut next = altering.now;
                change(&mut next, value);
                altering.dispatch(Act::Set(next));
            }
        })
    };
    let tool = |this: Tool, key: &'static str| {
        let here = altering.tool == Some(this);
        let onclick = {
            let altering = altering.clone();
            Callback::from(move |_| altering.dispatch(Act::Take((!here).then_some(this))))
        };
        html! {
            <button type="button" aria-pressed={here.to_string()} {onclick} data-testid={key}>{words.get(key)}</button>
        }
    };
    let invert = {
        let altering = altering.clone();
        Callback::from(move |_| altering.dispatch(Act::Set(Alterations { invert: !now.invert, ..altering.now })))
    };
    let uncover = {
        let altering = altering.clone();
        Callback::from(move |_| {
            altering.dispatch(Act::Take(None));
            altering.dispatch(Act::Set(Alterations { cover: None, ..altering.now }));
        })
    };
    let other = {
        let altering = altering.clone();
        Callback::from(move |_| {
            let seed = altering.now.seed.wrapping_add(1) % 1_000_000;
            altering.dispatch(Act::Set(Alterations { seed, ..altering.now }));
        })
    };
    let compare = {
        let page = page.clone();
        Callback::from(move |_| go(&page, |v| v.panel = Panel::Shift))
    };
    html! {
        <details class="alter" data-testid="alter" hidden={page.view.hides("alter")} open={*open}>
            <summary>{words.get("alter-title")}
                if !now.is_none() { <span class="changed" data-testid="alter-changed">{words.get("alter-changed")}</span> }
            </summary>
            <div class="row">
                { tool(Tool::Move, "alter-move") }
                { tool(Tool::Cover, "alter-cover") }
                <button type="button" aria-pressed={now.invert.to_string()} onclick={invert} data-testid="alter-invert">{words.get("alter-invert")}</button>
            </div>
            <Arrows />
            if let Some(cover) = now.cover {
                <label>{words.get("alter-size")}
                    <input type="range" min="30" max="600" step="10" value={cover.side.to_string()} data-testid="alter-size"
                        oninput={set(|a, v| if let Some(cover) = &mut a.cover { cover.side = v as u16 })} /></label>
                <button type="button" onclick={uncover} data-testid="alter-uncover">{words.get("alter-uncover")}</button>
            }
            <label>{words.fill("alter-noise", &[("percent", &now.noise.to_string())])}
                <input type="range" min="0" max="100" step="1" value={now.noise.to_string()} data-testid="alter-noise"
                    oninput={set(|a, v| a.noise = v as u8)} /></label>
            <div class="row">
                if now.noise > 0 {
                    <button type="button" onclick={other} data-testid="alter-seed">{words.get("alter-seed")}</button>
                }
                <Reset />
                if now.shift != [0, 0] && !page.view.hides("panels") && page.view.panel != Panel::Shift {
                    <button type="button" onclick={compare} data-testid="alter-compare">{words.get("alter-compare")}</button>
                }
            </div>
        </details>
    }
}
