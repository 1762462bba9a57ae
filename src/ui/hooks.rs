//! What components share: contexts, and the few effects that touch the browser. Knows no layout.

use super::client::{Client, Heard};
use super::i18n;
use super::state::{Action, Lang, Model, View};
use crate::arch::{Architecture, Variant};
use std::borrow::Cow;
use std::ops::Deref;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

impl Reducible for Model {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        Rc::new(self.after(action))
    }
}

/// The page's state and the way to change it.
pub type Page = UseReducerHandle<Model>;

/// Something shared whose copies are equal only if they are the same one.
pub struct Same<T>(Rc<T>);

impl<T> Same<T> {
    /// Shares it.
    pub fn new(value: T) -> Self {
        Self(Rc::new(value))
    }
}

impl<T> Clone for Same<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Deref for Same<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The open network; `None` where its declaration is at fault (a test builds every one).
pub type Network = Option<Same<Architecture>>;

/// Messages in the page's language.
#[derive(Clone, Copy, PartialEq, Default)]
pub struct Words(pub Lang);

impl Words {
    /// The message for a key.
    pub fn get(self, key: &str) -> AttrValue {
        match i18n::text(self.0, key) {
            Cow::Borrowed(text) => AttrValue::Static(text),
            Cow::Owned(text) => text.into(),
        }
    }

    /// What a network is called.
    pub fn title(self, variant: &Variant) -> AttrValue {
        match i18n::title(self.0, variant) {
            Cow::Borrowed(text) => AttrValue::Static(text),
            Cow::Owned(text) => text.into(),
        }
    }

    /// The message with its placeholders filled.
    pub fn fill(self, key: &str, values: &[(&str, &str)]) -> AttrValue {
        i18n::fill(self.0, key, values).into()
    }
}

/// Whether the page is dark now.
#[derive(Clone, Copy, PartialEq)]
pub struct Dark(pub bool);

/// The page's state.
#[hook]
pub fn use_page() -> Page {
    #[allow(clippy::expect_used)] // the root provides it: a component outside of it is a fault of the program
    use_context::<Page>().expect("inside the page")
}

/// The engine.
#[hook]
pub fn use_client() -> Client {
    #[allow(clippy::expect_used)] // as above
    use_context::<Client>().expect("inside the page")
}

/// Messages.
#[hook]
pub fn use_words() -> Words {
    use_context::<Words>().unwrap_or(Words(Lang::En))
}

/// The open network.
#[hook]
pub fn use_network() -> Network {
    use_context::<Network>().flatten()
}

/// Whether the page is dark.
#[hook]
pub fn use_dark() -> bool {
    use_context::<Dark>().is_some_and(|d| d.0)
}

/// Changes where the user is.
pub fn go(page: &Page, change: impl FnOnce(&mut View)) {
    let mut view = page.view.clone();
    change(&mut view);
    page.dispatch(Action::Go(Box::new(view)));
}

/// Calls the newest `f` with each event while the component is there.
#[hook]
pub fn use_heard(f: impl Fn(&Heard) + 'static) {
    let client = use_client();
    let latest = use_mut_ref(|| None::<Rc<dyn Fn(&Heard)>>);
    *latest.borrow_mut() = Some(Rc::new(f));
    use_effect_with((), move |()| {
        let listening = client.listen(move |heard| {
            let f = latest.borrow().clone();
            if let Some(f) = f {
                f(heard);
            }
        });
        move || drop(listening)
    });
}

/// Calls `f` at each such event of the window while the component is there.
#[hook]
pub fn use_window_event(name: &'static str, f: impl Fn(Event) + 'static) {
    let latest = use_mut_ref(|| None::<Rc<dyn Fn(Event)>>);
    *latest.borrow_mut() = Some(Rc::new(f));
    use_effect_with(name, move |name| {
        let name = *name;
        let closure = Closure::<dyn FnMut(Event)>::new(move |event| {
            let f = latest.borrow().clone();
            if let Some(f) = f {
                f(event);
            }
        });
        let window = window();
        let _ = window.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
        move || {
            let _ = window.remove_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
        }
    });
}

/// Device pixels per CSS pixel, kept up to date.
#[hook]
pub fn use_pixel_ratio() -> f64 {
    let ratio = use_state(|| window().device_pixel_ratio());
    {
        let ratio = ratio.clone();
        use_window_event("resize", move |_| ratio.set(window().device_pixel_ratio()));
    }
    *ratio
}

/// Width and height of an element in CSS pixels, kept up to date.
#[hook]
pub fn use_size(node: &NodeRef) -> (f64, f64) {
    let size = use_state(|| (0.0, 0.0));
    let (found, node) = (size.clone(), node.clone());
    use_effect_with((), move |()| {
        let measured = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
            if let Some(entry) = entries.iter().next().and_then(|e| e.dyn_into::<web_sys::ResizeObserverEntry>().ok()) {
                let frame = entry.content_rect();
                found.set((frame.width(), frame.height()));
            }
        });
        let observer = web_sys::ResizeObserver::new(measured.as_ref().unchecked_ref()).ok();
        if let (Some(observer), Some(element)) = (&observer, node.cast::<web_sys::Element>()) {
            observer.observe(&element);
        }
        move || {
            if let Some(observer) = observer {
                observer.disconnect();
            }
            drop(measured);
        }
    });
    *size
}

/// The window. Yew runs in no place without one.
pub fn window() -> web_sys::Window {
    #[allow(clippy::expect_used)]
    web_sys::window().expect("a window")
}

/// Puts the keyboard's focus on the element of this id.
pub fn focus(id: &str) {
    let found = window()
        .document()
        .and_then(|d| d.get_element_by_id(id))
        .and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(element) = found {
        let _ = element.focus();
    }
}

/// Runs `f` before the next frame is painted.
pub fn next_frame(f: impl FnOnce() + 'static) {
    let _ = window().request_animation_frame(Closure::once_into_js(f).unchecked_ref());
}

/// Milliseconds since the page was opened.
pub fn now() -> f64 {
    window().performance().map_or(0.0, |p| p.now())
}

/// Runs `f` after so many milliseconds.
pub fn later(milliseconds: i32, f: impl FnOnce() + 'static) {
    let callback = Closure::once_into_js(f);
    let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(callback.unchecked_ref(), milliseconds);
}

/// Runs `f` once so many milliseconds after `key` last changed (`None`: not at all).
#[hook]
pub fn use_after<K: PartialEq + 'static>(milliseconds: Option<i32>, key: K, f: impl FnOnce() + 'static) {
    use_effect_with((milliseconds, key), move |(milliseconds, _)| {
        let waiting = milliseconds.and_then(|ms| {
            let callback = Closure::once(f);
            let window = window();
            let id =
                window.set_timeout_with_callback_and_timeout_and_arguments_0(callback.as_ref().unchecked_ref(), ms);
            id.ok().map(|id| (id, callback))
        });
        move || {
            if let Some((id, callback)) = waiting {
                window().clear_timeout_with_handle(id);
                drop(callback);
            }
        }
    });
}

/// A property of the whole page's style.
fn style(name: &str) -> Option<String> {
    let root = window().document()?.document_element()?;
    window().get_computed_style(&root).ok()??.get_property_value(name).ok()
}

/// A colour of the style sheet (`--ink`).
pub fn colour(name: &str) -> String {
    style(name).unwrap_or_default().trim().to_string()
}

/// Size of the type of drawings in px: it follows the page's, whatever window and mode make of that.
pub fn drawn_type() -> f32 {
    let rem = style("font-size").and_then(|size| size.trim_end_matches("px").parse::<f32>().ok());
    (rem.unwrap_or(14.0) * 0.87).round()
}
