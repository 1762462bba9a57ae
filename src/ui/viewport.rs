//! The window onto the stage: wheel, drag, pinch and keys move a camera; a minimap and buttons too. While it moves, only a CSS
//! transform changes, once a frame; what costs more (painting maps, placing overlays) waits until it rests. Knows cameras and
//! frames, not what stands on the stage.

use super::hooks::{later, next_frame, use_words};
use crate::scene::Frame;
use crate::scene::camera::{Camera, Level};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// A camera at rest, or still within what was painted.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rest {
    /// Where one looks from.
    pub camera: Camera,
    /// The viewport's width and height in px.
    pub view: [f32; 2],
    /// The stage's.
    pub stage: [f32; 2],
    /// How much larger than usual type has to be to be read.
    pub coarse: f32,
}

impl Rest {
    /// What fits on the stage.
    pub fn level(&self) -> Level {
        self.camera.level(self.coarse.max(1.0))
    }
}

type Listener = Rc<dyn Fn(Rest)>;

#[derive(Default)]
struct Inner {
    now: Cell<Rest>,
    /// Whether the user has moved it: until then it follows the window's size.
    moved: Cell<bool>,
    told: Cell<Rest>,
    framed: Cell<bool>,
    turn: Cell<u32>,
    listeners: RefCell<Vec<(u32, Listener)>>,
    next: Cell<u32>,
    view: NodeRef,
    world: NodeRef,
    map: NodeRef,
    drawn: RefCell<String>,
}

/// The camera, shared by those who move it and those who follow it; clones are the same one.
#[derive(Clone, Default)]
pub struct Lens(Rc<Inner>);

impl PartialEq for Lens {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// It rests after so many milliseconds without a change.
const REST: i32 = 120;

impl Lens {
    /// The element that is looked through.
    pub fn view(&self) -> NodeRef {
        self.0.view.clone()
    }

    /// The element that is looked at; as large as the stage.
    pub fn world(&self) -> NodeRef {
        self.0.world.clone()
    }

    /// Where it is now.
    pub fn now(&self) -> Rest {
        self.0.now.get()
    }

    /// Another stage, or another viewport. `anew`: another network, seen as a whole at first.
    pub fn frame(&self, stage: [f32; 2], view: [f32; 2], coarse: f32, anew: bool) {
        let before = self.now();
        if anew {
            self.0.moved.set(false);
        }
        let camera = match self.0.moved.get() {
            true => before.camera.held(stage, view),
            false => Camera::fit(stage, view),
        };
        self.0.now.set(Rest { camera, view, stage, coarse });
        self.0.drawn.take();
        self.draw();
        self.rest();
    }

    /// Moves it.
    pub fn set(&self, camera: Camera) {
        let before = self.now();
        let camera = camera.held(before.stage, before.view);
        if camera == before.camera {
            return;
        }
        self.0.moved.set(camera != Camera::fit(before.stage, before.view));
        self.0.now.set(Rest { camera, ..before });
        if !self.0.framed.replace(true) {
            let lens = self.clone();
            next_frame(move || {
                lens.0.framed.set(false);
                lens.draw();
                lens.follow();
            });
        }
    }

    /// The whole.
    pub fn fit(&self) {
        let now = self.now();
        self.set(Camera::fit(now.stage, now.view));
    }

    /// Nearer or farther, about a point of the viewport; its middle where none is given.
    pub fn zoom(&self, factor: f32, at: Option<[f32; 2]>) {
        let now = self.now();
        let at = at.unwrap_or([now.view[0] / 2.0, now.view[1] / 2.0]);
        self.set(now.camera.zoomed(factor, at));
    }

    /// So many px of the viewport; whether that changed anything.
    pub fn pan(&self, x: f32, y: f32) -> bool {
        let before = self.now();
        self.set(before.camera.panned(x, y));
        self.now() != before
    }

    /// Brings a frame of the stage into view.
    pub fn show(&self, frame: Frame) {
        let now = self.now();
        self.set(now.camera.showing(frame, now.view));
    }

    /// Goes near a frame of the stage.
    pub fn face(&self, frame: Frame) {
        self.set(Camera::facing(frame, self.now().view));
    }

    /// What is seen now, written into the page.
    fn draw(&self) {
        let Rest { camera, view, stage, .. } = self.now();
        let element = |node: &NodeRef| node.cast::<web_sys::HtmlElement>();
        let (Some(window), Some(world)) = (element(&self.0.view), element(&self.0.world)) else { return };
        let moved = format!("translate({}px,{}px) scale({})", camera.x, camera.y, camera.zoom);
        if *self.0.drawn.borrow() == moved {
            return;
        }
        let _ = world.style().set_property("transform", &moved);
        let _ = world.style().set_property("will-change", "transform"); // a layer of its own, until it rests
        self.0.drawn.replace(moved);
        let put = |name: &str, value: &str| {
            if window.get_attribute(name).as_deref() != Some(value) {
                let _ = window.set_attribute(name, value);
            }
        };
        put("data-level", self.now().level().name());
        let seen = camera.seen(view);
        let whole = seen.w >= stage[0] - 1.0 && seen.h >= stage[1] - 1.0;
        put("data-whole", if whole { "true" } else { "false" });
        if let Some(map) = self.0.map.cast::<web_sys::Element>() {
            let (right, bottom) = (seen.right().min(stage[0]), seen.bottom().min(stage[1]));
            let (x, y) = (seen.x.max(0.0), seen.y.max(0.0));
            for (name, value) in [("x", x), ("y", y), ("width", right - x), ("height", bottom - y)] {
                let _ = map.set_attribute(name, &value.max(0.0).to_string());
            }
        }
    }

    /// While it moves those who follow are told when they have to be: when the margin that was painted is used up.
    fn follow(&self) {
        // Each zoom is painted when it rests, each place as soon as it comes into view.
        if self.now().camera.zoom == self.0.told.get().camera.zoom {
            self.tell();
        }
        let turn = self.0.turn.get().wrapping_add(1);
        self.0.turn.set(turn);
        let lens = self.clone();
        later(REST, move || {
            if lens.0.turn.get() == turn {
                lens.rest();
            }
        });
    }

    fn rest(&self) {
        let now = self.now();
        if let Some(world) = self.0.world.cast::<web_sys::HtmlElement>() {
            // Drawn anew, sharp; overlays and buttons keep their size on the screen.
            let _ = world.style().remove_property("will-change");
            let zoom = now.camera.zoom.to_string();
            if world.style().get_property_value("--zoom").ok().as_ref() != Some(&zoom) {
                let _ = world.style().set_property("--zoom", &zoom);
            }
        }
        self.tell();
    }

    /// Tells those who follow, unless all that is seen now is within what they know of.
    fn tell(&self) {
        let (now, told) = (self.now(), self.0.told.get());
        let same = (told.stage, told.view, told.coarse) == (now.stage, now.view, now.coarse);
        if same && told.camera.covers(now.camera, now.stage, now.view) {
            return;
        }
        self.0.told.set(now);
        let listeners: Vec<Listener> = self.0.listeners.borrow().iter().map(|(_, l)| l.clone()).collect();
        listeners.iter().for_each(|listener| listener(now));
    }
}

/// The camera whenever something has to be done about it.
#[hook]
pub fn use_rest(lens: &Lens) -> Rest {
    let rest = use_state(|| lens.0.told.get());
    {
        let (rest, lens) = (rest.clone(), lens.clone());
        use_effect_with(lens.clone(), move |lens| {
            let number = lens.0.next.replace(lens.0.next.get() + 1);
            let set = rest.setter();
            lens.0.listeners.borrow_mut().push((number, Rc::new(move |now| set.set(now))));
            rest.set(lens.0.told.get());
            let lens = lens.clone();
            move || lens.0.listeners.borrow_mut().retain(|(n, _)| *n != number)
        });
    }
    *rest
}

/// What a [`Viewport`] is given.
#[derive(Properties, PartialEq)]
pub struct ViewportProps {
    /// The camera.
    pub lens: Lens,
    /// Height in px; `None`: as the style sheet has it.
    pub height: Option<f32>,
    /// The stage's cards and their colours, for the minimap.
    pub map: AttrValue,
    /// The stage's size.
    pub stage: [f32; 2],
    /// The pointer is over this point of the stage, or over none.
    pub hover: Callback<Option<[f32; 2]>>,
    /// A click at this point of the stage.
    pub click: Callback<[f32; 2]>,
    /// Two clicks.
    pub face: Callback<[f32; 2]>,
    /// What is on the stage.
    pub children: Html,
    /// What lies over the viewport and does not move with the stage.
    pub over: Html,
}

/// Fingers and buttons that are down.
#[derive(Default)]
struct Hands {
    /// Which, and where they are.
    down: Vec<(i32, [f32; 2])>,
    /// Where the first one went down.
    start: [f32; 2],
    /// It has gone farther than a click does.
    dragging: bool,
    /// It had, when it went up: the click that follows is none.
    dragged: bool,
}

/// A click moves no farther.
const STILL: f32 = 4.0;

/// The window, with its minimap.
#[component]
pub fn Viewport(props: &ViewportProps) -> Html {
    let words = use_words();
    let lens = props.lens.clone();
    let hands = use_mut_ref(Hands::default);
    let place = {
        let lens = lens.clone();
        move |event: &MouseEvent| -> [f32; 2] {
            let corner = lens.view().cast::<web_sys::Element>().map(|e| e.get_bounding_client_rect());
            let (left, top) = corner.map_or((0.0, 0.0), |c| (c.left(), c.top()));
            [(f64::from(event.client_x()) - left) as f32, (f64::from(event.client_y()) - top) as f32]
        }
    };
    {
        // Yew's listeners are passive; this one has to keep the page from scrolling and zooming.
        let (lens, place) = (lens.clone(), place.clone());
        use_effect_with((), move |()| {
            let view = lens.view().cast::<web_sys::Element>();
            let wheel = Closure::<dyn FnMut(WheelEvent)>::new(move |event: WheelEvent| {
                let line = if event.delta_mode() == 1 { 16.0 } else { 1.0 }; // lines, in some browsers
                let [x, y] = [event.delta_x() * line, event.delta_y() * line].map(|v| v as f32);
                let taken = if event.ctrl_key() || event.meta_key() {
                    lens.zoom((-y.clamp(-30.0, 30.0) * 0.01).exp(), Some(place(&event)));
                    true
                } else if event.shift_key() && x == 0.0 {
                    lens.pan(-y, 0.0)
                } else {
                    lens.pan(-x, -y)
                };
                if taken {
                    event.prevent_default();
                }
            });
            if let Some(view) = &view {
                let options = web_sys::AddEventListenerOptions::new();
                options.set_passive(false);
                let _ = view.add_event_listener_with_callback_and_add_event_listener_options(
                    "wheel",
                    wheel.as_ref().unchecked_ref(),
                    &options,
                );
            }
            move || {
                if let Some(view) = view {
                    let _ = view.remove_event_listener_with_callback("wheel", wheel.as_ref().unchecked_ref());
                }
                drop(wheel);
            }
        });
    }
    let onpointerdown = {
        let (hands, place) = (hands.clone(), place.clone());
        Callback::from(move |event: PointerEvent| {
            let mut hands = hands.borrow_mut();
            if event.button() != 0 {
                return;
            }
            if hands.down.is_empty() {
                (hands.start, hands.dragging, hands.dragged) = (place(&event), false, false);
            }
            hands.down.push((event.pointer_id(), place(&event)));
        })
    };
    let onpointermove = {
        let (hands, place, lens, hover) = (hands.clone(), place.clone(), lens.clone(), props.hover.clone());
        Callback::from(move |event: PointerEvent| {
            let at = place(&event);
            let mut hands = hands.borrow_mut();
            let distance = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
            if event.buttons() == 0 && event.pointer_type() == "mouse" {
                hands.down.clear(); // let go outside of the window
                hands.dragging = false;
            }
            let Some(index) = hands.down.iter().position(|(id, _)| *id == event.pointer_id()) else {
                drop(hands);
                return hover.emit(Some(lens.now().camera.stage_point(at)));
            };
            let before = std::mem::replace(&mut hands.down[index].1, at);
            if !hands.dragging && (hands.down.len() > 1 || distance(hands.start, at) > STILL) {
                hands.dragging = true;
                hover.emit(None);
                if let Some(view) = lens.view().cast::<web_sys::Element>() {
                    let _ = view.set_pointer_capture(event.pointer_id());
                }
            }
            if !hands.dragging {
                return;
            }
            match hands.down[..] {
                [_] => drop(lens.pan(at[0] - before[0], at[1] - before[1])),
                [a, b, ..] => {
                    let other = if index == 0 { b.1 } else { a.1 };
                    let factor = distance(at, other) / distance(before, other).max(1.0);
                    let middle = |p: [f32; 2]| [(p[0] + other[0]) / 2.0, (p[1] + other[1]) / 2.0];
                    let (from, to) = (middle(before), middle(at));
                    let camera = lens.now().camera.zoomed(factor, from);
                    lens.set(camera.panned(to[0] - from[0], to[1] - from[1]));
                }
                [] => {}
            }
        })
    };
    let let_go = {
        let hands = hands.clone();
        Callback::from(move |event: PointerEvent| {
            let mut hands = hands.borrow_mut();
            hands.down.retain(|(id, _)| *id != event.pointer_id());
            hands.dragged = hands.dragging;
            hands.dragging = hands.dragging && !hands.down.is_empty();
        })
    };
    let onpointerleave = {
        let hover = props.hover.clone();
        Callback::from(move |_: PointerEvent| hover.emit(None))
    };
    let point = {
        let (hands, lens) = (hands, lens.clone());
        move |event: &MouseEvent| {
            let dragged = hands.borrow().dragged;
            (!dragged).then(|| lens.now().camera.stage_point(place(event)))
        }
    };
    let onclick = {
        let (point, click) = (point.clone(), props.click.clone());
        Callback::from(move |event: MouseEvent| {
            if let Some(at) = point(&event) {
                click.emit(at);
            }
        })
    };
    let ondblclick = {
        let face = props.face.clone();
        Callback::from(move |event: MouseEvent| {
            if let Some(at) = point(&event) {
                face.emit(at);
            }
        })
    };
    let onkeydown = {
        let lens = lens.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() {
                return;
            }
            let own = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok()) == lens.view().cast();
            let step = 60.0;
            match event.key().as_str() {
                "+" | "=" => lens.zoom(1.3, None),
                "-" | "_" => lens.zoom(1.0 / 1.3, None),
                "0" => lens.fit(),
                "ArrowLeft" if own => drop(lens.pan(step, 0.0)),
                "ArrowRight" if own => drop(lens.pan(-step, 0.0)),
                "ArrowUp" if own => drop(lens.pan(0.0, step)),
                "ArrowDown" if own => drop(lens.pan(0.0, -step)),
                _ => return,
            }
            event.prevent_default();
        })
    };
    let minimap = minimap(props, &lens);
    let style = props.height.map(|h| format!("height:{h}px"));
    html! {
        <div class="viewport" ref={lens.view()} {style} tabindex="0" role="group" aria-label={words.get("stage-view")} data-testid="viewport"
            {onpointerdown} {onpointermove} onpointerup={let_go.clone()} onpointercancel={let_go} {onpointerleave} {onclick} {ondblclick} {onkeydown}>
            <div class="stage" ref={lens.world()} data-testid="stage" style={format!("width:{}px;height:{}px", props.stage[0], props.stage[1])}>
                { props.children.clone() }
            </div>
            { minimap }
            { props.over.clone() }
        </div>
    }
}

/// The whole, small, and what of it is in view.
fn minimap(props: &ViewportProps, lens: &Lens) -> Html {
    let [w, h] = props.stage;
    let scale = (150.0 / w).min(84.0 / h);
    let go = {
        let lens = lens.clone();
        move |event: &PointerEvent| {
            let element = event.current_target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
            let Some(at) = element.map(|e| e.get_bounding_client_rect()) else { return };
            let x = (f64::from(event.client_x()) - at.left()) as f32 / scale;
            let y = (f64::from(event.client_y()) - at.top()) as f32 / scale;
            let now = lens.now();
            let zoom = now.camera.zoom;
            lens.set(Camera { x: now.view[0] / 2.0 - x * zoom, y: now.view[1] / 2.0 - y * zoom, zoom });
        }
    };
    let onpointerdown = {
        let go = go.clone();
        Callback::from(move |event: PointerEvent| {
            event.stop_propagation();
            if let Some(Ok(element)) = event.current_target().map(|t| t.dyn_into::<web_sys::Element>()) {
                let _ = element.set_pointer_capture(event.pointer_id());
            }
            go(&event);
        })
    };
    let onpointermove = Callback::from(move |event: PointerEvent| {
        event.stop_propagation();
        if event.buttons() > 0 {
            go(&event);
        }
    });
    let onclick = Callback::from(|event: MouseEvent| event.stop_propagation());
    html! {
        <div class="minimap" aria-hidden="true" data-testid="minimap" style={format!("width:{}px;height:{}px", w * scale, h * scale)}
            {onpointerdown} {onpointermove} onclick={onclick.clone()} ondblclick={onclick}>
            <svg viewBox={format!("0 0 {w} {h}")} width={(w * scale).to_string()} height={(h * scale).to_string()}>
                <path class="minimap-cards" d={props.map.clone()} />
                <rect class="minimap-seen" ref={lens.0.map.clone()} x="0" y="0" width={w.to_string()} height={h.to_string()} />
            </svg>
        </div>
    }
}

/// Whether units can be told apart at a level: maps are shown.
pub fn shows_maps(level: Level) -> bool {
    level > Level::Far
}
