//! The stage as a file: the diagram as SVG, or as a PNG with the maps as they are now, at print quality. Knows scenes and the
//! canvas that the engine paints for it; draws nothing itself.

use super::hooks::{Same, later, next_frame, use_client, use_heard, use_page, use_words, window};
use super::maps::Scene;
use crate::arch::Architecture;
use crate::protocol::{Command, Event, PaintRect, Palette, Source};
use crate::scene::stage::{Stage, to_svg};
use crate::scene::{Drawing, standalone};
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// Number of the canvas that is painted for a picture.
const CANVAS: u32 = 101;
/// Pixels per px: a stage of a laptop's width is then as wide as an A4 page at 300 dots per inch.
const PRINT: f32 = 3.0;
/// Browsers refuse canvases with a longer side.
const LONGEST: f32 = 8192.0;

/// The diagram to be kept.
fn drawing(stage: &Stage, title: &str) -> Drawing {
    let drawing = to_svg(stage, title);
    Drawing { svg: standalone(&drawing.svg), ..drawing }
}

fn scale(stage: &Stage) -> f32 {
    PRINT.min(LONGEST / stage.size[0]).min(LONGEST / stage.size[1])
}

/// Gives the browser a file to keep.
fn keep(name: &str, blob: &web_sys::Blob) -> Result<(), JsValue> {
    let document = window().document().ok_or("no document")?;
    let url = web_sys::Url::create_object_url_with_blob(blob)?;
    let link = document.create_element("a")?.dyn_into::<web_sys::HtmlElement>()?;
    link.set_attribute("href", &url)?;
    link.set_attribute("download", name)?;
    link.click();
    later(10_000, move || drop(web_sys::Url::revoke_object_url(&url)));
    Ok(())
}

fn blob(text: &str, kind: &str) -> Result<web_sys::Blob, JsValue> {
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(kind);
    web_sys::Blob::new_with_str_sequence_and_options(&js_sys::Array::of1(&text.into()), &options)
}

/// Draws diagram and maps one over the other and keeps them as a PNG.
fn compose(name: String, svg: &str, size: [u32; 2], maps: web_sys::HtmlCanvasElement) -> Result<(), JsValue> {
    let url = web_sys::Url::create_object_url_with_blob(&blob(svg, "image/svg+xml")?)?;
    let image = web_sys::HtmlImageElement::new_with_width_and_height(size[0], size[1])?;
    let loaded = image.clone();
    let draw = move || -> Result<(), JsValue> {
        let document = window().document().ok_or("no document")?;
        let canvas = document.create_element("canvas")?.dyn_into::<web_sys::HtmlCanvasElement>()?;
        canvas.set_width(size[0]);
        canvas.set_height(size[1]);
        let context = canvas.get_context("2d")?.ok_or("no context")?.dyn_into::<web_sys::CanvasRenderingContext2d>()?;
        let [w, h] = size.map(f64::from);
        context.draw_image_with_html_image_element_and_dw_and_dh(&loaded, 0.0, 0.0, w, h)?;
        context.draw_image_with_html_canvas_element_and_dw_and_dh(&maps, 0.0, 0.0, w, h)?;
        let keep_it = Closure::once_into_js(move |blob: Option<web_sys::Blob>| {
            if let Some(blob) = blob {
                let _ = keep(&name, &blob);
            }
        });
        canvas.to_blob(keep_it.unchecked_ref())
    };
    let done = Closure::once_into_js(move || {
        let _ = draw();
    });
    image.set_onload(Some(done.unchecked_ref()));
    image.set_src(&url);
    later(20_000, move || drop(web_sys::Url::revoke_object_url(&url)));
    Ok(())
}

/// What an [`Export`] is given.
#[derive(Properties, PartialEq)]
pub struct ExportProps {
    /// The stage.
    pub scene: Scene,
    /// The network.
    pub net: Same<Architecture>,
}

/// The menu, and the canvas that is painted when a picture is asked for.
#[component]
pub fn Export(props: &ExportProps) -> Html {
    let (client, page, words) = (use_client(), use_page(), use_words());
    let canvas = use_node_ref();
    let (handed, waiting) = (use_mut_ref(|| false), use_mut_ref(|| false));
    let name = props.net.variant.name;
    let stage = &props.scene.0;
    let svg = {
        let (scene, title) = (props.scene.clone(), props.net.variant.title);
        Callback::from(move |_: MouseEvent| {
            let drawing = drawing(&scene.0, title);
            let _ = blob(&drawing.svg, "image/svg+xml").and_then(|blob| keep(&format!("{name}.svg"), &blob));
        })
    };
    let png = {
        let (scene, client, canvas, waiting) = (props.scene.clone(), client, canvas.clone(), waiting.clone());
        let scale_of = page.view.scale;
        Callback::from(move |_: MouseEvent| {
            let (stage, zoom) = (&scene.0, scale(&scene.0));
            if !handed.replace(true) {
                let element = canvas.cast::<web_sys::HtmlCanvasElement>();
                if let Some(offscreen) = element.and_then(|c| c.transfer_control_to_offscreen().ok()) {
                    client.send_with(&Command::Canvas { canvas: CANVAS }, &[offscreen.unchecked_into()]);
                }
            }
            let rects = stage.cards.iter().flat_map(|card| {
                card.maps.iter().map(move |map| {
                    let edge = |v: f32| (v * zoom).round();
                    let (x, y) = (edge(map.rect.x), edge(map.rect.y));
                    PaintRect {
                        source: Source::Value(card.node),
                        offset: map.offset,
                        rows: map.rows,
                        cols: map.cols,
                        at: [x, y, edge(map.rect.right()) - x, edge(map.rect.bottom()) - y],
                    }
                })
            });
            waiting.replace(true);
            client.send(&Command::Paint {
                canvas: CANVAS,
                size: stage.size.map(|v| (v * zoom).round() as u32),
                rects: rects.collect(),
                scale: scale_of,
                palette: Palette::Light,
            });
        })
    };
    {
        let (canvas, client, scene) = (canvas.clone(), use_client(), props.scene.clone());
        let title = props.net.variant.title;
        use_heard(move |heard| {
            if !matches!(heard.event, Event::Painted { canvas: CANVAS }) || !waiting.replace(false) {
                return;
            }
            let (canvas, client, scene) = (canvas.clone(), client.clone(), scene.clone());
            // Shown a frame or two after the worker says so.
            next_frame(move || {
                next_frame(move || {
                    later(150, move || {
                        let zoom = scale(&scene.0);
                        let size = scene.0.size.map(|v| (v * zoom).round() as u32);
                        if let Some(maps) = canvas.cast::<web_sys::HtmlCanvasElement>() {
                            let _ = compose(format!("{name}.png"), &drawing(&scene.0, title).svg, size, maps);
                        }
                        // The canvas is small again once the file is made.
                        later(3000, move || {
                            client.send(&Command::Paint {
                                canvas: CANVAS,
                                size: [1, 1],
                                rects: Vec::new(),
                                scale: Default::default(),
                                palette: Palette::Light,
                            });
                        });
                    });
                });
            });
        });
    }
    let pixels = stage.size.map(|v| (v * scale(stage)).round() as u32);
    html! {
        <details class="menu" data-testid="export">
            <summary class="pill">{words.get("export")}</summary>
            <div class="menu-body">
                <button type="button" onclick={svg} data-testid="export-svg">{words.get("export-svg")}</button>
                <button type="button" onclick={png} data-testid="export-png">
                    {words.fill("export-png", &[("width", &pixels[0].to_string()), ("height", &pixels[1].to_string())])}
                </button>
            </div>
            <canvas ref={canvas} class="export-canvas" aria-hidden="true"></canvas>
        </details>
    }
}
