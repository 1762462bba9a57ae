//! Where a digit is drawn or picked: pad, its buttons, the keypad of test digits, and the picture as the network gets it.
//! Strokes are painted here at once, on the main thread; the engine hears of them once a frame.

use super::alter::Surface;
use super::camera::Camera;
use super::client::Client;
use super::hooks::{
    colour, go, next_frame, use_client, use_dark, use_heard, use_network, use_page, use_pixel_ratio, use_words,
};
use super::painted::{INPUT, Painted};
use crate::protocol::{Command, Event, Generation, PaintRect, Picture, Source};
use crate::tensor::Shape;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// Side of the pad in its own units.
const SIZE: f64 = 280.0;

/// What is on the pad.
struct Ink {
    strokes: Vec<Vec<(f32, f32)>>,
    pointer: Option<i32>,
    /// A sample's picture, rows×cols in 0…1, in place of strokes.
    sample: Option<(Shape, Vec<f32>)>,
    picture: Picture,
    /// The last picture sent.
    shown: Generation,
    /// Whether a frame is already asked for.
    pending: bool,
    pen: f32,
    centre: bool,
    /// How often each digit's key was pressed.
    pressed: [usize; 10],
}

impl Default for Ink {
    fn default() -> Self {
        Self {
            strokes: Vec::new(),
            pointer: None,
            sample: None,
            picture: Picture::Empty,
            shown: 0,
            pending: false,
            pen: 22.0,
            centre: true,
            pressed: [0; 10],
        }
    }
}

impl Ink {
    fn drawing(&self) -> Picture {
        if self.strokes.is_empty() {
            return Picture::Empty;
        }
        Picture::Strokes { strokes: self.strokes.clone(), size: SIZE as f32, pen: self.pen, centre: self.centre }
    }
}

type Shared = Rc<RefCell<Ink>>;

/// Sends the picture with the next frame: however fast the pen, once a frame.
fn show(ink: &Shared, client: &Client) {
    if std::mem::replace(&mut ink.borrow_mut().pending, true) {
        return;
    }
    let (ink, client) = (ink.clone(), client.clone());
    next_frame(move || {
        let generation = client.number();
        let mut ink = ink.borrow_mut();
        ink.pending = false;
        ink.shown = generation;
        client.send(&Command::Show { generation, picture: ink.picture.clone() });
    });
}

fn context(canvas: &NodeRef, ratio: f64) -> Option<web_sys::CanvasRenderingContext2d> {
    let canvas = canvas.cast::<web_sys::HtmlCanvasElement>()?;
    let side = (SIZE * ratio).round() as u32;
    if canvas.width() != side {
        canvas.set_width(side);
        canvas.set_height(side);
    }
    let context: web_sys::CanvasRenderingContext2d = canvas.get_context("2d").ok()??.unchecked_into();
    let scale = f64::from(side) / SIZE;
    let _ = context.set_transform(scale, 0.0, 0.0, scale, 0.0, 0.0);
    Some(context)
}

fn line(context: &web_sys::CanvasRenderingContext2d, points: &[(f32, f32)], pen: f32) {
    let Some(&(x, y)) = points.first() else { return };
    context.set_line_width(pen.into());
    context.set_line_cap("round");
    context.set_line_join("round");
    context.begin_path();
    if points.len() == 1 {
        // A line to itself is nothing to some browsers.
        let _ = context.arc(x.into(), y.into(), f64::from(pen) / 2.0, 0.0, std::f64::consts::TAU);
        return context.fill();
    }
    context.move_to(x.into(), y.into());
    for &(x, y) in &points[1..] {
        context.line_to(x.into(), y.into());
    }
    context.stroke();
}

/// Paints the whole pad.
fn repaint(canvas: &NodeRef, ink: &Ink, ratio: f64) {
    let Some(context) = context(canvas, ratio) else { return };
    context.clear_rect(0.0, 0.0, SIZE, SIZE);
    let colour = colour("--ink");
    context.set_stroke_style_str(&colour);
    context.set_fill_style_str(&colour);
    for stroke in &ink.strokes {
        line(&context, stroke, ink.pen);
    }
    if let Some((shape, values)) = &ink.sample {
        let (height, width) = (SIZE / shape.h as f64, SIZE / shape.w as f64);
        for (i, &value) in values.iter().enumerate().filter(|(_, v)| **v > 0.02) {
            let (y, x) = (i / shape.w, i % shape.w);
            context.set_global_alpha(value.into());
            context.fill_rect(x as f64 * width, y as f64 * height, width + 0.4, height + 0.4);
        }
        context.set_global_alpha(1.0);
    }
}

/// Where an event happened, in pad units; with what happened between it and the one before (where the browser tells).
fn places(event: &PointerEvent) -> Vec<(f32, f32)> {
    let Some(target) = event.target_dyn_into::<web_sys::Element>() else { return Vec::new() };
    let frame = target.get_bounding_client_rect();
    let place = |x: i32, y: i32| {
        let scale = |at: f64, from: f64, size: f64| ((at - from) / size.max(1.0) * SIZE) as f32;
        (scale(x.into(), frame.left(), frame.width()), scale(y.into(), frame.top(), frame.height()))
    };
    // Not everywhere: over plain HTTP browsers hide it.
    let between = js_sys::Reflect::get(event, &"getCoalescedEvents".into())
        .ok()
        .and_then(|f| f.dyn_into::<js_sys::Function>().ok());
    let events = between.and_then(|f| f.call0(event).ok()).map(|list| js_sys::Array::from(&list)).unwrap_or_default();
    let mut out: Vec<_> = events
        .iter()
        .filter_map(|e| e.dyn_into::<MouseEvent>().ok())
        .map(|e| place(e.client_x(), e.client_y()))
        .collect();
    if out.is_empty() {
        out.push(place(event.client_x(), event.client_y()));
    }
    out
}

/// The pad and all that belongs to it.
#[component]
pub fn Pad() -> Html {
    let (client, words, page, dark, ratio) = (use_client(), use_words(), use_page(), use_dark(), use_pixel_ratio());
    let network = use_network();
    let canvas = use_node_ref();
    let ink: Shared = use_mut_ref(Ink::default);
    let (pen, centre) = (use_state(|| 22.0_f32), use_state(|| true));
    // Whether something is on the pad: enables the buttons.
    let filled = use_state(|| false);

    {
        // Colours and density come from outside of the strokes.
        let (canvas, ink) = (canvas.clone(), ink.clone());
        use_effect_with((dark, ratio), move |&(_, ratio)| next_frame(move || repaint(&canvas, &ink.borrow(), ratio)));
    }
    {
        let (canvas, ink, filled) = (canvas.clone(), ink.clone(), filled.clone());
        use_heard(move |heard| {
            if let Event::Shown { generation, input: None, .. } = &heard.event {
                let mut ink = ink.borrow_mut();
                if *generation == ink.shown && ink.sample.take().is_some() {
                    repaint(&canvas, &ink, ratio); // nothing written before the camera
                }
            }
            if let Event::Shown { generation, input: Some(input), shape, .. } = &heard.event {
                let mut ink = ink.borrow_mut();
                let sample = !matches!(ink.picture, Picture::Strokes { .. } | Picture::Empty);
                if sample && *generation == ink.shown {
                    let low = input.iter().copied().fold(f32::MAX, f32::min);
                    let high = input.iter().copied().fold(f32::MIN, f32::max);
                    let ink_of = |v: f32| (v - low) / (high - low).max(1e-6);
                    ink.sample = Some((*shape, input.iter().map(|&v| ink_of(v)).collect()));
                    filled.set(true);
                    repaint(&canvas, &ink, ratio);
                }
            }
        });
    }

    let here = network.as_ref().is_none_or(|n| n.reads_digits());
    {
        // Back from a network that reads photographs: what is on the pad is shown again.
        let (ink, client) = (ink.clone(), client.clone());
        let first = use_mut_ref(|| true);
        use_effect_with(here, move |here| {
            if !first.replace(false) && *here {
                // A camera's last frame is not kept.
                if matches!(ink.borrow().picture, Picture::Photo { .. }) {
                    ink.borrow_mut().picture = Picture::Empty;
                }
                show(&ink, &client);
            }
        });
    }
    {
        // A test digit, by a key or by the address.
        let (ink, client) = (ink.clone(), client.clone());
        use_effect_with((here, page.view.picture.clone()), move |(here, picture)| {
            let Some(picture @ (Picture::Sample(_) | Picture::SampleOf { .. })) = picture.as_ref().filter(|_| *here)
            else {
                return;
            };
            if ink.borrow().picture == *picture {
                return;
            }
            {
                let mut ink = ink.borrow_mut();
                ink.strokes.clear();
                ink.picture = picture.clone();
                if let Picture::SampleOf { digit, nth } = picture {
                    ink.pressed[usize::from(*digit) % 10] = nth.wrapping_add(1);
                }
            }
            show(&ink, &client);
        });
    }
    // The user's own is in no address.
    let own = {
        let page = page.clone();
        move || {
            if page.view.picture.is_some() {
                go(&page, |v| v.picture = None);
            }
        }
    };
    let onframe = {
        let (ink, own) = (ink.clone(), own.clone());
        Callback::from(move |(shown, picture)| {
            own();
            let mut ink = ink.borrow_mut();
            ink.strokes.clear();
            (ink.picture, ink.shown) = (picture, shown);
        })
    };
    let change = {
        let (canvas, ink, client, filled, own) =
            (canvas.clone(), ink.clone(), client.clone(), filled.clone(), own.clone());
        Callback::from(move |picture: Option<Picture>| {
            own();
            {
                let mut ink = ink.borrow_mut();
                ink.picture = picture.unwrap_or_else(|| ink.drawing());
                filled.set(ink.picture != Picture::Empty);
                repaint(&canvas, &ink, ratio);
            }
            show(&ink, &client);
        })
    };
    let onpointerdown = {
        let (canvas, ink, client, filled) = (canvas.clone(), ink.clone(), client.clone(), filled.clone());
        Callback::from(move |event: PointerEvent| {
            if event.button() != 0 || ink.borrow().pointer.is_some() {
                return;
            }
            if let Some(target) = event.target_dyn_into::<web_sys::HtmlElement>() {
                let _ = target.set_pointer_capture(event.pointer_id());
            }
            {
                let mut ink = ink.borrow_mut();
                ink.pointer = Some(event.pointer_id());
                ink.sample = None;
                let points = places(&event);
                ink.strokes.push(points.into_iter().take(1).collect());
                ink.picture = ink.drawing();
                repaint(&canvas, &ink, ratio);
            }
            filled.set(true);
            show(&ink, &client);
            own();
        })
    };
    let onpointermove = {
        let (canvas, ink, client) = (canvas.clone(), ink.clone(), client.clone());
        Callback::from(move |event: PointerEvent| {
            {
                let mut guard = ink.borrow_mut();
                let ink = &mut *guard;
                if ink.pointer != Some(event.pointer_id()) {
                    return;
                }
                let Some(stroke) = ink.strokes.last_mut() else { return };
                let from = stroke.len().saturating_sub(1);
                stroke.extend(places(&event));
                // Only what is new: the pen never waits for a long drawing.
                if let Some(context) = context(&canvas, ratio) {
                    line(&context, &stroke[from..], ink.pen);
                }
                ink.picture = ink.drawing();
            }
            show(&ink, &client);
        })
    };
    let onpointerup = {
        let ink = ink.clone();
        Callback::from(move |event: PointerEvent| {
            let mut ink = ink.borrow_mut();
            if ink.pointer == Some(event.pointer_id()) {
                ink.pointer = None;
            }
        })
    };
    let clear = {
        let (ink, change) = (ink.clone(), change.clone());
        Callback::from(move |()| {
            {
                let mut ink = ink.borrow_mut();
                ink.strokes.clear();
                ink.sample = None;
            }
            change.emit(Some(Picture::Empty));
        })
    };
    let undo = {
        let (ink, change) = (ink.clone(), change.clone());
        Callback::from(move |()| {
            {
                let mut ink = ink.borrow_mut();
                if ink.sample.take().is_none() {
                    ink.strokes.pop();
                }
            }
            change.emit(None);
        })
    };
    let sample = {
        let (ink, page) = (ink.clone(), page.clone());
        Callback::from(move |digit: Option<u8>| {
            let picture = match digit {
                Some(digit) => Picture::SampleOf { digit, nth: ink.borrow().pressed[usize::from(digit) % 10] },
                None => Picture::Sample((js_sys::Math::random() * Picture::SAMPLES as f64) as usize),
            };
            go(&page, |v| v.picture = Some(picture));
        })
    };
    let set_pen = {
        let (ink, change, pen) = (ink.clone(), change.clone(), pen.clone());
        Callback::from(move |event: InputEvent| {
            let width =
                event.target_dyn_into::<web_sys::HtmlInputElement>().map_or(22.0, |i| i.value_as_number() as f32);
            pen.set(width);
            ink.borrow_mut().pen = width;
            if ink.borrow().sample.is_none() {
                change.emit(None);
            }
        })
    };
    let set_centre = {
        let (ink, change, centre) = (ink.clone(), change.clone(), centre.clone());
        Callback::from(move |event: Event_| {
            let on = event.target_dyn_into::<web_sys::HtmlInputElement>().is_some_and(|i| i.checked());
            centre.set(on);
            ink.borrow_mut().centre = on;
            if ink.borrow().sample.is_none() {
                change.emit(None);
            }
        })
    };
    let onkeydown = {
        let (clear, undo, sample) = (clear.clone(), undo.clone(), sample.clone());
        Callback::from(move |event: KeyboardEvent| match event.key().as_str() {
            "Backspace" | "Delete" => clear.emit(()),
            "z" if event.ctrl_key() || event.meta_key() => undo.emit(()),
            key => {
                if let Some(digit) = key.parse::<u8>().ok().filter(|d| *d < 10 && !event.ctrl_key() && !event.alt_key())
                {
                    sample.emit(Some(digit));
                }
            }
        })
    };

    let input = network.as_ref().map(|n| n.graph.nodes()[n.graph.source()].shape);
    let rects = input.map(|shape| PaintRect {
        source: Source::Value(0),
        offset: 0,
        rows: shape.h,
        cols: shape.w,
        at: [0.0, 0.0, 96.0, 96.0],
    });
    let input_size = input.map_or(String::new(), |s| format!("{}×{}", s.h, s.w));
    let input_label = words.fill("input-label", &[("size", &input_size)]);
    let hidden = |name: &str| page.view.hides(name);
    html! {
        <section class="pad-section" aria-labelledby="pad-title" hidden={hidden("pad") || !here}>
            <h2 id="pad-title">{words.get("pad-title")}</h2>
            <div class="pad-frame">
                <canvas ref={canvas} class="pad" width="280" height="280" tabindex="0" role="img" data-testid="pad"
                    aria-label={words.get("pad-label")} {onpointerdown} {onpointermove} onpointercancel={onpointerup.clone()}
                    {onpointerup} {onkeydown} />
                if !*filled {
                    <p class="pad-hint" aria-hidden="true">{words.get("pad-hint")}</p>
                }
                if here { <Surface /> }
            </div>
            <div class="row">
                <button type="button" data-testid="clear" disabled={!*filled} onclick={clear.reform(|_| ())}>{words.get("pad-clear")}</button>
                <button type="button" data-testid="undo" disabled={!*filled} onclick={undo.reform(|_| ())}>{words.get("pad-undo")}</button>
                <button type="button" data-testid="random-digit" hidden={hidden("samples")} onclick={sample.reform(|_| None)}>
                    {words.get("pad-random")}</button>
            </div>
            <div class="keypad" role="group" aria-label={words.get("pad-keypad")} hidden={hidden("samples")}>
                { for (0..10_u8).map(|digit| html! {
                    <button type="button" data-testid={format!("sample-{digit}")} onclick={sample.reform(move |_| Some(digit))}
                        aria-label={words.fill("pad-key", &[("digit", &digit.to_string())])}>{digit}</button>
                }) }
            </div>
            <Camera {here} note="camera-note-digit" {onframe} />
            <div class="prepared">
                <figure>
                    <Painted id={INPUT} rects={rects.into_iter().collect::<Vec<_>>()} size={(96.0, 96.0)}
                        label={input_label} testid="prepared" class="prepared-input" />
                    <figcaption>{words.fill("input-caption", &[("size", &input_size)])}</figcaption>
                </figure>
                <div class="pad-settings" hidden={hidden("pen")}>
                    <label>{words.get("pad-pen")}
                        <input type="range" min="8" max="48" step="1" value={pen.to_string()} oninput={set_pen} data-testid="pen" /></label>
                    <label class="check" title={words.get("pad-centre-why")}>
                        <input type="checkbox" checked={*centre} onchange={set_centre} data-testid="centre" />
                        {words.get("pad-centre")}</label>
                </div>
            </div>
        </section>
    }
}

/// The browser's event (the protocol has an `Event` of its own).
use web_sys::Event as Event_;
