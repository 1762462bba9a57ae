//! The page as a whole: state, contexts, and the few effects that join it to browser and engine (address, language, colours,
//! opening a network). Knows its parts, nothing of what they show.

use super::alter::{Tools, WithAltering};
use super::beside::{Beside, Link};
use super::client::Client;
use super::header::{EngineWhy, Header};
use super::hooks::{Dark, Network, Page, Same, Words, later, use_page, use_window_event, use_words, window};
use super::output::Output;
use super::pad::Pad;
use super::panels::Panels;
use super::photo::PhotoInput;
use super::script;
use super::stage::Stage;
use super::state::{Action, Lang, Model, Theme, View};
use super::tour::Tour;
use super::{address, i18n, tour};
use crate::arch;
use crate::protocol::{Command, Fault, Weights};
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// What the page starts with.
#[derive(Properties, PartialEq)]
pub struct AppProps {
    /// The engine.
    pub client: Client,
}

/// Where the address says the user is; the language of the browser where it says none.
pub fn here() -> View {
    address::parse(&window().location().search().unwrap_or_default())
}

fn browser_lang() -> Lang {
    let tags = window().navigator().languages();
    tags.iter().filter_map(|t| t.as_string()).find_map(|t| Lang::parse(&t)).unwrap_or_default()
}

fn system_is_dark() -> bool {
    window().match_media("(prefers-color-scheme: dark)").ok().flatten().is_some_and(|m| m.matches())
}

/// The page.
#[component]
pub fn App(props: &AppProps) -> Html {
    let client = props.client.clone();
    let page: Page = use_reducer(|| Model::new(here()));
    let lang = page.view.lang.unwrap_or_else(browser_lang);
    let system_dark = use_state(system_is_dark);
    let dark = match page.view.theme {
        Theme::Auto => *system_dark,
        Theme::Light => false,
        Theme::Dark => true,
    };
    let network: Network =
        use_memo(page.view.variant.clone(), |name| arch::variant(name).and_then(|v| v.build().ok()).map(Same::new))
            .as_ref()
            .clone();

    {
        // The engine's news.
        let (client, page) = (client.clone(), page.dispatcher());
        use_effect_with((), move |()| {
            let ear = client.clone();
            let listening = client.listen(move |heard| {
                if let Some(request) = ear.quiet_failure(&heard.event) {
                    page.dispatch(Action::Missed(request));
                } else if Model::wants(&heard.event) {
                    page.dispatch(Action::Heard(Box::new(heard.event.clone())));
                }
            });
            move || drop(listening)
        });
    }
    {
        let (client, page) = (client.clone(), page.dispatcher());
        use_effect_with((), move |()| script::publish(&client, &page));
    }
    {
        // Another network.
        let (client, page) = (client.clone(), page.dispatcher());
        use_effect_with(here_variant(&network), move |variant: &Option<String>| {
            if let Some(variant) = variant.as_ref().filter(|v| !client.has_open(v)) {
                // Random ones where none come with the page.
                page.dispatch(Action::Opening(client.open(variant, Weights::Shipped, &[])));
            }
        });
    }
    {
        let client = client.clone();
        let deps = (page.config.clone(), page.origin.is_some());
        use_effect_with(deps, move |(config, open)| {
            if *open {
                client.send(&Command::Configure(config.clone()));
            }
        });
    }
    {
        // The other engine; the first one went with `Start`.
        let client = client.clone();
        let first = use_mut_ref(|| true);
        use_effect_with(page.view.backend, move |backend| {
            if !first.replace(false)
                && let Some(backend) = backend
            {
                client.send(&Command::UseBackend(*backend));
            }
        });
    }
    {
        // The address follows.
        let last = use_mut_ref(|| page.view.clone());
        let newest = use_mut_ref(|| (0u32, 0f64)); // number of the change; when the last one was
        use_effect_with(page.view.clone(), move |view| {
            let before = last.replace(view.clone());
            let now = js_sys::Date::now();
            let (number, last) = *newest.borrow();
            let number = number + 1;
            *newest.borrow_mut() = (number, now);
            if view.is_step_from(&before) || now - last > 200.0 {
                return write_address(view, view.is_step_from(&before));
            }
            // Whoever walks with a key held down goes faster than browsers take addresses.
            let view = view.clone();
            later(200, move || {
                if newest.borrow().0 == number {
                    write_address(&view, false);
                }
            });
        });
    }
    {
        let page = page.clone();
        use_window_event("popstate", move |_| page.dispatch(Action::Go(Box::new(here()))));
    }
    {
        // `matchMedia` fires on its own object; focus and visibility are when people come back from their settings.
        let system_dark = system_dark.clone();
        use_effect_with((), move |()| {
            let media = window().match_media("(prefers-color-scheme: dark)").ok().flatten();
            let changed = Closure::<dyn FnMut()>::new(move || system_dark.set(system_is_dark()));
            if let Some(media) = &media {
                media.set_onchange(Some(changed.as_ref().unchecked_ref()));
            }
            move || {
                if let Some(media) = media {
                    media.set_onchange(None);
                }
                drop(changed);
            }
        });
    }
    // Before the children's effects paint with the colours: they read the style sheet's variables.
    use_memo((lang, dark, page.view.projector), |&(lang, dark, projector)| {
        if let Some(root) = window().document().and_then(|d| d.document_element()) {
            let _ = root.set_attribute("lang", lang.tag());
            let _ = root.set_attribute("data-theme", if dark { "dark" } else { "light" });
            let _ = root.set_attribute("data-mode", if projector { "projector" } else { "desk" });
        }
    });
    {
        let title = network
            .as_ref()
            .map_or("Receptive".to_string(), |n| format!("{} · Receptive", i18n::title(lang, n.variant)));
        use_effect_with(title, |title| {
            if let Some(document) = window().document() {
                document.set_title(title);
            }
        });
    }
    // Part after part: the whole page at once would be a long task, and what is looked at first is there first.
    let parts = use_state(|| 0u8);
    {
        let parts = parts.clone();
        use_effect_with(*parts, move |&there| {
            if there < 3 {
                later(0, move || parts.set(there + 1));
            }
        });
    }
    let tour = use_state(tour::is_new_here);
    let begin = {
        let tour = tour.clone();
        Callback::from(move |()| tour.set(true))
    };
    let close = {
        let tour = tour.clone();
        Callback::from(move |()| tour.set(false))
    };
    let words = Words(lang);
    let pointed = use_state_eq(|| None);
    let link: Link = page.view.beside.is_some().then_some(pointed);
    let bare = page.view.hides("pad") && page.view.hides("output");
    html! {
        <ContextProvider<Client> context={client}>
        <ContextProvider<Page> context={page}>
        <ContextProvider<Network> context={network}>
        <ContextProvider<Words> context={words}>
        <ContextProvider<Dark> context={Dark(dark)}>
            <WithAltering>
            <ContextProvider<Link> context={link}>
            <Header tour={begin} />
            <Tour on={*tour} close={close} />
            <div class="body">
                <aside class="side" aria-label={words.get("side-label")} hidden={bare}>
                    if *parts > 0 {
                        <Pad />
                        <PhotoInput />
                        <Tools />
                        <Output />
                        <EngineWhy />
                    }
                </aside>
                <main class="main">
                    if *parts > 1 { <Stage /> <Beside /> }
                    if *parts > 2 { <Panels /> }
                </main>
            </div>
            <Notices />
            </ContextProvider<Link>>
            </WithAltering>
        </ContextProvider<Dark>>
        </ContextProvider<Words>>
        </ContextProvider<Network>>
        </ContextProvider<Page>>
        </ContextProvider<Client>>
    }
}

/// Puts where the user is into the browser's address, as a step that *back* undoes or in the place of the last.
fn write_address(view: &View, step: bool) {
    let query = address::print(view);
    if query == address::print(&here()) {
        return;
    }
    let location = window().location();
    let address = format!("{}{query}{}", location.pathname().unwrap_or_default(), location.hash().unwrap_or_default());
    if let Ok(history) = window().history() {
        let _ = if step {
            history.push_state_with_url(&JsValue::NULL, "", Some(&address))
        } else {
            history.replace_state_with_url(&JsValue::NULL, "", Some(&address))
        };
    }
}

/// The variant that is there to be opened.
fn here_variant(network: &Network) -> Option<String> {
    network.as_ref().map(|n| n.variant.name.to_string())
}

/// A fault in the reader's language: the page's message for it, else the engine's own words in a frame.
pub fn say(words: Words, fault: &Fault) -> String {
    let args: Vec<(&str, &str)> = fault.args.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    match i18n::find(words.0, &format!("fault-{}", fault.key)) {
        Some(message) => i18n::put(&message, &args),
        None => i18n::fill(words.0, "fault-other", &[("detail", &fault.detail)]),
    }
}

/// What went wrong, until it is put away; and a download while it goes on.
#[component]
fn Notices() -> Html {
    let (words, page) = (use_words(), use_page());
    let download = page.download.as_ref().map(|(what, received, total)| {
        let mega = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        let text = match total {
            Some(total) => words.fill("download-of", &[("what", what), ("received", &mega(*received)), ("total", &mega(*total))]),
            None => words.fill("download", &[("what", what), ("received", &mega(*received))]),
        };
        html! {
            <div class="notice" data-testid="download">
                <p>{text.clone()}</p>
                <progress aria-label={text} value={total.map(|_| received.to_string())} max={total.map(|t| t.to_string())}></progress>
            </div>
        }
    });
    let notice = |notice: &super::state::Notice| {
        let id = notice.id;
        let dismiss = {
            let page = page.clone();
            Callback::from(move |_| page.dispatch(Action::Dismiss(id)))
        };
        let said = say(words, &notice.fault);
        let more = !notice.fault.detail.is_empty() && !said.contains(&notice.fault.detail);
        html! {
            <div class="notice fault" key={id} data-testid="notice" data-fault={notice.fault.key.clone()}>
                <p>{said}</p>
                if more {
                    <details><summary>{words.get("notice-detail")}</summary><p lang="en">{notice.fault.detail.clone()}</p></details>
                }
                <button type="button" onclick={dismiss} data-testid="dismiss">{words.get("notice-dismiss")}</button>
            </div>
        }
    };
    html! {
        <section class="notices" aria-label={words.get("notices-label")} aria-live="polite">
            { download }
            { for page.notices.iter().map(notice) }
        </section>
    }
}
