//! The page: the only place that names yew. Knows the protocol, graphs and scenes; computes nothing of a network and names none.
//!
//! [`state`] (what the page knows, and one pure function of change), [`address`] (it as a URL), [`i18n`] (messages) and [`record`]
//! (curves) know no browser and are tested natively. The rest is wasm: `client` (the protocol's end), `hooks` (what components share),
//! `app` (the page as a whole), then a component a part: `header`, `pad`, `output`, `stage`, `panels`, `training`; `viewport` (the window onto the
//! stage), `maps` (what the engine paints on it), `strip` and `export` (below it, and as a file), `painted` (a canvas that the engine paints), `drawn` (a scene whose changes alone are touched) and `script` (`window.receptive`).
//!
//! Names for browser tests (`data-testid`):
//! header: `variant-NAME`, `engine-badge` (with `data-backend`, `data-why`), `language`, `theme`, `projector`, `tour-again`, `share`;
//! side: `pad`, `clear`, `undo`, `random-digit`, `sample-0`…`sample-9`, `pen`, `centre`, `prepared`, `predicted`, `class-0`…, `milliseconds`,
//! `codes`, `origin`, `engine-why`;
//! changing the picture: `alter`, `alter-move`, `alter-cover`, `alter-invert`, `alter-left`…, `alter-shift`, `alter-size`, `alter-noise`, `alter-seed`,
//! `alter-reset`, `surface`; `camera`; the guided start: `tour`, `tour-text`, `tour-done`, `tour-back`, `tour-skip`, `tour-next`; what a move did: `shift`, `shift-TITLE`;
//! stage: `breadcrumbs`, `viewport`, `stage` (canvas: `maps`), `card-NAME`, `unfold-GROUP`, `fold-GROUP`, `tooltip`, `field`, `minimap`, `zoom-in`,
//! `zoom-out`, `zoom-fit`, `stage-wide`, `legend`, `export`, `export-svg`, `export-png`, `strip`, `strip-told`;
//! panels: `panel-inspect`, `panel-layer`, `panel-field`, `panel-attribution`, `panel-training`, `layer`,
//! `receptive-field`, `field-NAME`, `field-passes`, `effective`, `effective-map`, `effective-field`, `effective-size`, `effective-over`, `effective-one`, `builder`, `stack-built`, `stack-one`, `attribution`,
//! `attribution-map`, `attribution-of`, `attribution-class`, `method-saliency`…, `passes` (with `data-done`), `passes-ask`, `choice-layer`;
//! compare: `panel-compare`, `choice`, `beside-choose`, `pair-A-B`, `sits-parameters`, `sits-macs`, `plot`, `axis-0`, `axis-1`, `spot-NAME`, `spot-tip`,
//! `networks`, `sort-MEASURE`, `row-NAME`; the second network: `beside` (in it what is in the side and the stage), `beside-close`;
//! a unit: `arithmetic` (in it `data-value`, `data-running`, `data-step`), `walk`, `unit-play`, `unit-back`, `unit-forward`, `unit-slider`,
//! `unit-count`, `unit-all`, `unit-course`, `unit-speed`, `unit-caption`, `backward-toggle`, `backward-class`, `backward-chain`;
//! a layer's maps: `maps-view`, `layer-select`, `layer-before`, `layer-after`, `order`, `scale`, `colours`, `page`, `page-before`,
//! `page-after`, `map-0`…, `map-large`, `histogram`, `dead-units`, `silent-maps`, `filters`, `filters-coloured`;
//! training: `train-play`, `train-pause`, `train-step`, `train-reset`, `train-start`, `train-batch`, `train-lr`, `train-decay`, `train-momentum`,
//! `train-weight-decay`, `train-seed`, `train-distort`, `distort-shift`…, `train-restore`, `halt`, `step`, `loss`, `accuracy`, `epoch`, `lr`,
//! `speed`, `gradients`, `test`, `test-error`, `confusion`, `save`, `load`;
//! everywhere: `notice` (with `data-fault`), `dismiss`, `download`.
//!
//! What a teacher can hide by the address, `?hide=pad,train`: `pad`, `samples` (keypad of test digits), `pen` (width and centring), `output`,
//! `stage`, `panels`, `train`, `files` (save and load), `variants`, `engine`, `language`, `theme`, `projector`, `tour` (guided start), `share`, `alter`, `camera`, `shift`.

pub mod address;
pub mod guide;
pub mod i18n;
pub mod record;
pub mod state;

#[cfg(target_arch = "wasm32")]
mod alter;
#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod beside;
#[cfg(target_arch = "wasm32")]
mod camera;
#[cfg(target_arch = "wasm32")]
mod classes;
#[cfg(target_arch = "wasm32")]
mod client;
#[cfg(target_arch = "wasm32")]
mod drawn;
#[cfg(target_arch = "wasm32")]
mod export;
#[cfg(target_arch = "wasm32")]
mod header;
#[cfg(target_arch = "wasm32")]
mod heat;
#[cfg(target_arch = "wasm32")]
mod hooks;
#[cfg(target_arch = "wasm32")]
mod inquiry;
#[cfg(target_arch = "wasm32")]
mod maps;
#[cfg(target_arch = "wasm32")]
mod menu;
#[cfg(target_arch = "wasm32")]
mod output;
#[cfg(target_arch = "wasm32")]
mod pad;
#[cfg(target_arch = "wasm32")]
mod painted;
#[cfg(target_arch = "wasm32")]
mod panels;
#[cfg(target_arch = "wasm32")]
mod photo;
#[cfg(target_arch = "wasm32")]
mod script;
#[cfg(target_arch = "wasm32")]
mod stage;
#[cfg(target_arch = "wasm32")]
mod strip;
#[cfg(target_arch = "wasm32")]
mod tour;
#[cfg(target_arch = "wasm32")]
mod training;
#[cfg(target_arch = "wasm32")]
mod viewport;

/// Where the engine's program is, as the page says.
#[cfg(target_arch = "wasm32")]
fn engine_address() -> Option<String> {
    let document = web_sys::window()?.document()?;
    document.query_selector("meta[name=engine]").ok()??.get_attribute("content")
}

/// Starts the engine's worker and puts the page in place of the boot message.
///
/// # Errors
/// What the browser says where there is no document, or no worker can be started.
#[cfg(target_arch = "wasm32")]
pub fn start() -> Result<(), wasm_bindgen::JsValue> {
    let document = web_sys::window().and_then(|window| window.document()).ok_or("no document")?;
    let address = engine_address().ok_or("the page does not say where its engine is")?;
    let client = client::Client::start(&address)?;
    client.send(&crate::protocol::Command::Start { backend: app::here().backend });
    let body = document.body().ok_or("no body")?;
    yew::Renderer::<app::App>::with_root_and_props(body.into(), app::AppProps { client }).render();
    Ok(())
}
