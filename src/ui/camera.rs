//! The camera as a picture: asked for only when its button is pressed, shown to the network frame by frame as fast as it answers, stopped as
//! soon as nobody looks. Frames go to the engine and nowhere else. Knows the engine's answers, not networks.

use super::client::Client;
use super::hooks::{next_frame, use_client, use_heard, use_page, use_window_event, use_words, window};
use super::state::Action;
use crate::protocol::{Command, Event, Fault, Generation, Picture};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlVideoElement, MediaStream, MediaStreamConstraints};
use yew::prelude::*;

/// The shorter side of a frame as it goes to the engine: what photographs are resized to.
const SIDE: f64 = 256.0;

/// A camera that runs.
struct Running {
    stream: MediaStream,
    video: HtmlVideoElement,
    canvas: HtmlCanvasElement,
    context: CanvasRenderingContext2d,
    /// The last frame's number.
    shown: Generation,
}

impl Drop for Running {
    fn drop(&mut self) {
        for track in self.stream.get_tracks().iter().filter_map(|t| t.dyn_into::<web_sys::MediaStreamTrack>().ok()) {
            track.stop();
        }
        self.video.set_src_object(None);
    }
}

/// Off, asked for, or running.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    Asking,
    Live,
}

type Shared = Rc<RefCell<Option<Running>>>;

/// Why there is no camera: the key of a fault.
fn why(error: &JsValue) -> &'static str {
    let name = js_sys::Reflect::get(error, &"name".into()).ok().and_then(|n| n.as_string()).unwrap_or_default();
    match name.as_str() {
        "NotAllowedError" | "SecurityError" => "camera-refused",
        "NotFoundError" | "OverconstrainedError" => "camera-none",
        _ => "camera-failed",
    }
}

async fn open() -> Result<Running, JsValue> {
    let constraints = MediaStreamConstraints::new();
    let wish = js_sys::Object::new();
    js_sys::Reflect::set(&wish, &"facingMode".into(), &"environment".into())?;
    js_sys::Reflect::set(&wish, &"height".into(), &480.into())?;
    constraints.set_video(&wish);
    let asked = window().navigator().media_devices()?.get_user_media_with_constraints(&constraints)?;
    let stream: MediaStream = JsFuture::from(asked).await?.unchecked_into();
    let document = window().document().ok_or("no document")?;
    let video: HtmlVideoElement = document.create_element("video")?.unchecked_into();
    let canvas: HtmlCanvasElement = document.create_element("canvas")?.unchecked_into();
    let often = js_sys::Object::new();
    js_sys::Reflect::set(&often, &"willReadFrequently".into(), &true.into())?;
    let context = canvas.get_context_with_context_options("2d", &often)?.ok_or("no canvas")?.unchecked_into();
    video.set_muted(true);
    video.set_attribute("playsinline", "")?;
    video.set_src_object(Some(&stream));
    // From here on dropping it stops the camera.
    let running = Running { stream, video, canvas, context, shown: 0 };
    JsFuture::from(running.video.play()?).await?;
    Ok(running)
}

/// Sends the picture of this moment, or tries again with the next frame; `None` once the camera is off.
fn frame(camera: &Shared, client: &Client, onframe: &Callback<(Generation, Picture)>) -> Option<()> {
    let mut guard = camera.borrow_mut();
    let running = guard.as_mut()?;
    if running.shown > 0 && client.last_shown() != running.shown {
        return None; // another picture was chosen: once it is shown, the camera stops
    }
    let (width, height) = (f64::from(running.video.video_width()), f64::from(running.video.video_height()));
    let sent = (width > 0.0 && height > 0.0).then(|| {
        let scale = (SIDE / width.min(height)).min(1.0);
        let (width, height) = ((width * scale).round(), (height * scale).round());
        running.canvas.set_width(width as u32);
        running.canvas.set_height(height as u32);
        running
            .context
            .draw_image_with_html_video_element_and_dw_and_dh(&running.video, 0.0, 0.0, width, height)
            .ok()?;
        let image = running.context.get_image_data(0.0, 0.0, width, height).ok()?;
        let data = js_sys::Reflect::get(&image, &"data".into()).ok()?;
        let buffer = js_sys::Reflect::get(&data, &"buffer".into()).ok()?;
        let picture = Picture::Photo { width: width as usize, height: height as usize };
        running.shown = client.number();
        client.send_with(&Command::Show { generation: running.shown, picture: picture.clone() }, &[buffer]);
        Some((running.shown, picture))
    });
    drop(guard);
    match sent.flatten() {
        Some(sent) => onframe.emit(sent),
        None => {
            // No picture yet.
            let (camera, client, onframe) = (camera.clone(), client.clone(), onframe.clone());
            next_frame(move || {
                let _ = frame(&camera, &client, &onframe);
            });
        }
    }
    Some(())
}

/// What a camera needs.
#[derive(Properties, PartialEq)]
pub struct CameraProps {
    /// Whether its part of the page is in use.
    pub here: bool,
    /// Key of what is said while it runs.
    pub note: &'static str,
    /// Told of each frame that was shown.
    pub onframe: Callback<(Generation, Picture)>,
}

/// The button, and what it does.
#[component]
pub fn Camera(props: &CameraProps) -> Html {
    let (client, words, page) = (use_client(), use_words(), use_page());
    let camera: Shared = use_mut_ref(|| None);
    let state = use_state(|| State::Off);
    // Counts the presses: an answer to an older one comes too late.
    let press = use_mut_ref(|| 0_u32);
    let stop = {
        let (camera, state, press) = (camera.clone(), state.clone(), press.clone());
        move || {
            *press.borrow_mut() += 1;
            camera.borrow_mut().take();
            state.set(State::Off);
        }
    };
    {
        let (stop, on) = (stop.clone(), *state != State::Off);
        use_effect_with(props.here, move |here| {
            if !here && on {
                stop();
            }
        });
    }
    {
        let (camera, press) = (camera.clone(), press.clone());
        use_effect_with((), move |()| {
            move || {
                *press.borrow_mut() += 1;
                camera.borrow_mut().take();
            }
        });
    }
    {
        let (stop, on) = (stop.clone(), *state != State::Off);
        use_window_event("visibilitychange", move |_| {
            if on && window().document().is_some_and(|d| d.hidden()) {
                stop();
            }
        });
    }
    {
        let (camera, client, stop, onframe) = (camera.clone(), client.clone(), stop.clone(), props.onframe.clone());
        use_heard(move |heard| {
            let Some(shown) = camera.borrow().as_ref().map(|c| c.shown).filter(|s| *s > 0) else { return };
            match &heard.event {
                // Answered: the next one.
                Event::Output { generation, .. } if *generation == shown => {
                    let (camera, client, onframe) = (camera.clone(), client.clone(), onframe.clone());
                    next_frame(move || {
                        let _ = frame(&camera, &client, &onframe);
                    });
                }
                // Another picture was chosen.
                Event::Shown { generation, .. } if *generation > shown => stop(),
                Event::Failed { request: Some(request), .. } if *request == shown => stop(),
                _ => {}
            }
        });
    }
    let onclick = {
        let (state, page, onframe) = (state.clone(), page.clone(), props.onframe.clone());
        Callback::from(move |_| {
            if *state != State::Off {
                return stop();
            }
            let complain = |page: &super::hooks::Page, key: &str, detail: String| {
                page.dispatch(Action::Complain(Fault { key: key.into(), args: Vec::new(), detail }));
            };
            let devices = js_sys::Reflect::get(&window().navigator(), &"mediaDevices".into()).unwrap_or_default();
            if devices.is_undefined() {
                return complain(&page, "camera-insecure", String::new());
            }
            *press.borrow_mut() += 1;
            let mine = *press.borrow();
            state.set(State::Asking);
            let (camera, client, page) = (camera.clone(), client.clone(), page.clone());
            let (press, state, onframe) = (press.clone(), state.clone(), onframe.clone());
            wasm_bindgen_futures::spawn_local(async move {
                let opened = open().await;
                if *press.borrow() != mine {
                    return; // and what was opened is dropped
                }
                match opened {
                    Ok(running) => {
                        *camera.borrow_mut() = Some(running);
                        state.set(State::Live);
                        let _ = frame(&camera, &client, &onframe);
                    }
                    Err(error) => {
                        state.set(State::Off);
                        let detail = js_sys::Reflect::get(&error, &"message".into()).ok().and_then(|m| m.as_string());
                        complain(&page, why(&error), detail.unwrap_or_default());
                    }
                }
            });
        })
    };
    html! {
        <div class="camera" hidden={page.view.hides("camera")}>
            <button type="button" {onclick} aria-pressed={(*state == State::Live).to_string()} data-testid="camera">
                {words.get(if *state == State::Off { "camera" } else { "camera-stop" })}</button>
            <p class="note" role="status">{match *state {
                State::Off => AttrValue::default(),
                State::Asking => words.get("camera-asking"),
                State::Live => words.get(props.note),
            }}</p>
        </div>
    }
}
