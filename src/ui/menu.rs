//! A button that opens a small sheet below it: one at a time; closed by Escape and by a click elsewhere. Knows nothing of what is in it.

use super::hooks::use_window_event;
use wasm_bindgen::JsCast;
use yew::prelude::*;

/// What it is called and what it holds.
#[derive(Properties, PartialEq)]
pub struct MenuProps {
    /// On the button.
    pub text: AttrValue,
    /// Name for browser tests.
    pub testid: AttrValue,
    /// On the sheet.
    pub children: Html,
}

/// The button and its sheet.
#[component]
pub fn Menu(props: &MenuProps) -> Html {
    let details = use_node_ref();
    let close = {
        let details = details.clone();
        move |unless: Option<web_sys::Node>| {
            let Some(details) = details.cast::<web_sys::Element>() else { return false };
            let shut = details.has_attribute("open") && !details.contains(unless.as_ref());
            if shut {
                let _ = details.remove_attribute("open");
            }
            shut
        }
    };
    {
        let close = close.clone();
        use_window_event("pointerdown", move |event| {
            close(event.target().and_then(|target| target.dyn_into().ok()));
        });
    }
    let onkeydown = {
        let details = details.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" && close(None) {
                event.stop_propagation();
                let summary = details.cast::<web_sys::Element>().and_then(|d| d.first_element_child());
                if let Some(summary) = summary.and_then(|s| s.dyn_into::<web_sys::HtmlElement>().ok()) {
                    let _ = summary.focus();
                }
            }
        })
    };
    html! {
        <details ref={details} class="menu" name="menu" data-testid={props.testid.clone()} {onkeydown}>
            <summary class="pill">{&props.text}</summary>
            <div class="menu-body">{props.children.clone()}</div>
        </details>
    }
}
