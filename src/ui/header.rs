//! The strip on top: name, networks, engine, language, colours, share. Knows the registry, not the networks in it.

use super::address;
use super::hooks::{Page, go, use_client, use_page, use_words, window};
use super::state::{Theme, View};
use crate::arch::{VARIANTS, Variant, variant};
use crate::protocol::{Backend, Command, Why};
use yew::prelude::*;

/// Key of the sentence that says why an engine runs.
fn why(why: Why) -> &'static str {
    match why {
        Why::Hardware => "why-hardware",
        Why::Asked => "why-asked",
        Why::NoWebgpu => "why-no-webgpu",
        Why::Insecure => "why-insecure",
        Why::NoAdapter => "why-no-adapter",
        Why::Software => "why-software",
        Why::SelfTestFailed => "why-self-test-failed",
        Why::DeviceLost => "why-device-lost",
    }
}

/// What the header needs.
#[derive(Properties, PartialEq)]
pub struct HeaderProps {
    /// Begins the guided start.
    pub tour: Callback<()>,
}

/// A link to another view of the page, by address and by click.
pub fn link(page: &Page, view: View) -> (String, Callback<MouseEvent>) {
    let href = match address::print(&view) {
        query if query.is_empty() => "?".to_string(),
        query => query,
    };
    let page = page.clone();
    let onclick = Callback::from(move |event: MouseEvent| {
        if event.ctrl_key() || event.meta_key() || event.shift_key() {
            return; // the browser's own: another tab or window
        }
        event.prevent_default();
        let view = view.clone();
        go(&page, move |v| *v = view);
    });
    (href, onclick)
}

/// The header.
#[component]
pub fn Header(props: &HeaderProps) -> Html {
    let (words, page) = (use_words(), use_page());
    // A tab a paper; it leads to the first of its networks, which the page can show at work at once.
    let here = variant(&page.view.variant).map_or("", |v| v.family);
    let mut families: Vec<&'static Variant> = Vec::new();
    for variant in VARIANTS {
        if families.iter().all(|f| f.family != variant.family) {
            families.push(variant);
        }
    }
    let tab = |variant: &&'static Variant| {
        let (href, onclick) = link(&page, page.view.of(variant.name));
        html! {
            <li><a {href} {onclick} aria-current={(variant.family == here).then_some("page")} data-testid={format!("family-{}", variant.name)}>
                {variant.family}<span class="year">{variant.year}</span></a></li>
        }
    };
    let pick = {
        let page = page.clone();
        Callback::from(move |event: Event| {
            let name = event.target_dyn_into::<web_sys::HtmlSelectElement>().map(|s| s.value()).unwrap_or_default();
            if let Some(variant) = variant(&name) {
                go(&page, |v| *v = v.of(variant.name));
            }
        })
    };
    let option = |v: &'static Variant| {
        html! { <option value={v.name} selected={v.name == page.view.variant}>{words.title(v)}</option> }
    };
    html! {
        <header class="top">
            <h1>{"Receptive"}</h1>
            <nav aria-label={words.get("app-networks")} hidden={page.view.hides("variants")}>
                <ul class="variants">{ for families.iter().map(tab) }</ul>
                <select class="pill" onchange={pick} aria-label={words.get("app-variant")} data-testid="variant">
                    { for VARIANTS.iter().filter(|v| v.family == here).map(option) }
                </select>
            </nav>
            <div class="tools">
                <Badge />
                <Language />
                <Colours />
                <Projector />
                <button type="button" class="pill" id="tour-again" onclick={props.tour.reform(|_| ())} aria-label={words.get("tour-again")}
                    title={words.get("tour-again")} data-testid="tour-again" hidden={page.view.hides("tour")}><span aria-hidden="true">{"?"}</span></button>
                <Share />
            </div>
        </header>
    }
}

/// Which engine; a click takes the other one.
#[component]
fn Badge() -> Html {
    let (words, page, client) = (use_words(), use_page(), use_client());
    let Some(engine) = page.engine.clone() else {
        return html! { <span class="pill" data-testid="engine-badge" role="status">{words.get("engine-starting")}</span> };
    };
    let gpu = engine.backend == Backend::Gpu;
    let other = if gpu { Backend::Cpu } else { Backend::Gpu };
    let possible = gpu || engine.gpu_available;
    let reason = words.get(why(engine.why));
    let name = if gpu { words.get("engine-gpu") } else { words.get("engine-cpu") };
    let act =
        if possible { words.get(if gpu { "engine-to-cpu" } else { "engine-to-gpu" }) } else { AttrValue::default() };
    let title = format!("{reason} {act}");
    let onclick = {
        let page = page.clone();
        Callback::from(move |_| {
            if !possible {
                return;
            }
            if page.view.backend == Some(other) {
                // The address has it already, from before the engine fell back: ask again.
                client.send(&Command::UseBackend(other));
            } else {
                go(&page, |v| v.backend = Some(other));
            }
        })
    };
    html! {
        <button type="button" class="pill badge" {onclick} title={title.clone()} data-testid="engine-badge" hidden={page.view.hides("engine")}
            data-backend={if gpu { "gpu" } else { "cpu" }} data-why={why(engine.why)} aria-disabled={(!possible).then_some("true")}>
            <span class={classes!("dot", gpu.then_some("gpu"))} aria-hidden="true"></span>
            {name}
            if !engine.adapter.is_empty() { <span class="adapter">{" · "}{engine.adapter.clone()}</span> }
            <span class="sr">{". "}{title}</span>
        </button>
    }
}

/// The same reason in a sentence that everybody sees, where it is not what one hopes for.
#[component]
pub fn EngineWhy() -> Html {
    let (words, page) = (use_words(), use_page());
    let reason = page.engine.as_ref().map(|e| words.get(why(e.why)));
    html! { <p class="note why" role="status" data-testid="engine-why">{reason.unwrap_or_default()}</p> }
}

#[component]
fn Language() -> Html {
    let (words, page) = (use_words(), use_page());
    let other = page.lang().other();
    let onclick = {
        let page = page.clone();
        Callback::from(move |_| go(&page, |v| v.lang = Some(other)))
    };
    html! {
        <button type="button" class="pill" {onclick} lang={other.tag()} data-testid="language" hidden={page.view.hides("language")}>
            {words.get("app-language")}</button>
    }
}

#[component]
fn Colours() -> Html {
    let (words, page) = (use_words(), use_page());
    let theme = page.view.theme;
    let sign = match theme {
        Theme::Auto => "◐",
        Theme::Light => "☀",
        Theme::Dark => "☾",
    };
    let name = words.get(&format!("theme-{}", theme.name()));
    let onclick = {
        let page = page.clone();
        Callback::from(move |_| go(&page, |v| v.theme = theme.next()))
    };
    let label = words.fill("theme-label", &[("theme", &name)]);
    html! {
        <button type="button" class="pill" {onclick} aria-label={label.clone()} title={label} data-testid="theme" hidden={page.view.hides("theme")}>
            <span aria-hidden="true">{sign}</span></button>
    }
}

/// Large type and strong contrast.
#[component]
fn Projector() -> Html {
    let (words, page) = (use_words(), use_page());
    let on = page.view.projector;
    let onclick = {
        let page = page.clone();
        Callback::from(move |_| go(&page, |v| v.projector = !on))
    };
    html! {
        <button type="button" class="pill" {onclick} aria-pressed={on.to_string()} aria-label={words.get("projector")} title={words.get("projector")}
            data-testid="projector" hidden={page.view.hides("projector")}><span aria-hidden="true">{"Aa"}</span></button>
    }
}

/// Copies the address, which says where the user is.
#[component]
fn Share() -> Html {
    let (words, page) = (use_words(), use_page());
    let copied = use_state(|| false);
    let onclick = {
        let copied = copied.clone();
        Callback::from(move |_| {
            let address = window().location().href().unwrap_or_default();
            // Over plain HTTP there is no clipboard; the address bar holds the same text.
            let clipboard = js_sys::Reflect::get(&window().navigator(), &"clipboard".into()).unwrap_or_default();
            let copied = copied.clone();
            if clipboard.is_undefined() {
                let _ = window().prompt_with_message_and_default("", &address);
            } else {
                wasm_bindgen_futures::spawn_local(async move {
                    let promise = window().navigator().clipboard().write_text(&address);
                    let done = wasm_bindgen_futures::JsFuture::from(promise).await.is_ok();
                    copied.set(done);
                });
            }
        })
    };
    let onblur = {
        let copied = copied.clone();
        Callback::from(move |_| copied.set(false))
    };
    html! {
        <button type="button" class="pill" {onclick} {onblur} data-testid="share" hidden={page.view.hides("share")} aria-live="polite">
            {words.get(if *copied { "share-done" } else { "share" })}</button>
    }
}
