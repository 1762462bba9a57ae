//! The stage as a file: the diagram as SVG, or as a PNG with the maps as they are now, at print quality. Knows scenes and the
//! canvas that the engine paints for it; draws nothing itself.
//!
//! Browsers hold a canvas to 8192 px or so a side, and a network that is fully open is larger in print: so the picture is made tile
//! by tile, and the PNG is written here (the browser's own deflate does the packing).

use super::hooks::{Same, later, next_frame, use_client, use_heard, use_page, use_words, window};
use super::maps::Scene;
use super::menu::Menu;
use super::state::Action;
use crate::arch::Architecture;
use crate::protocol::{Command, Event, Fault, PaintRect, Palette, Scale, Source};
use crate::scene::stage::{Stage, to_svg};
use crate::scene::{Drawing, standalone};
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlImageElement};
use yew::prelude::*;

/// Number of the canvas that is painted for a picture.
const CANVAS: u32 = 101;
/// Pixels per px: a stage of a laptop's width is then as wide as an A4 page at 300 dots per inch.
const PRINT: f32 = 3.0;
/// At most so many pixels, or few programs could open it: ResNet-152 fully open has them at 2.2 a px.
const MOST: f32 = 2e8;
/// Width and height of a tile.
const TILE: [u32; 2] = [4096, 1024];

/// The diagram to be kept.
fn drawing(stage: &Stage, title: &str) -> Drawing {
    let drawing = to_svg(stage, title);
    Drawing { svg: standalone(&drawing.svg), ..drawing }
}

fn scale(stage: &Stage) -> f32 {
    PRINT.min((MOST / (stage.size[0] * stage.size[1])).sqrt())
}

fn pixels(stage: &Stage) -> [u32; 2] {
    stage.size.map(|v| (v * scale(stage)).round() as u32)
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

fn blob(parts: &Array, kind: &str) -> Result<web_sys::Blob, JsValue> {
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(kind);
    web_sys::Blob::new_with_str_sequence_and_options(parts, &options)
}

/// What the engine is to paint of a tile: its corner and size in pixels.
fn rects(stage: &Stage, zoom: f32, [left, top, width, height]: [u32; 4]) -> Vec<PaintRect> {
    let maps = stage.cards.iter().flat_map(|card| card.maps.iter().map(move |map| (card.node, map)));
    let rect = |(node, map): (usize, &crate::scene::stage::MapRect)| {
        let edge = |v: f32| (v * zoom).round();
        let (x, y) = (edge(map.rect.x), edge(map.rect.y));
        let at = [x - left as f32, y - top as f32, edge(map.rect.right()) - x, edge(map.rect.bottom()) - y];
        let seen = at[0] < width as f32 && at[1] < height as f32 && at[0] + at[2] > 0.0 && at[1] + at[3] > 0.0;
        let source = Source::Value(node);
        seen.then_some(PaintRect { source, offset: map.offset, rows: map.rows, cols: map.cols, at })
    };
    maps.filter_map(rect).collect()
}

fn call(object: &JsValue, name: &str, given: &Array) -> Result<JsValue, JsValue> {
    Reflect::get(object, &name.into())?.dyn_into::<Function>()?.apply(object, given)
}

async fn wait(promise: JsValue) -> Result<JsValue, JsValue> {
    JsFuture::from(promise.dyn_into::<Promise>()?).await
}

/// The next frame is about to be painted.
async fn frame() {
    let promise = Promise::new(&mut |resolve, _| next_frame(move || drop(resolve.call0(&JsValue::NULL))));
    let _ = JsFuture::from(promise).await;
}

/// Checksum of a PNG's chunk (ISO 3309, the polynomial of CRC-32).
fn crc(parts: &[&[u8]]) -> u32 {
    let mut table = [0u32; 256];
    for (n, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(n as u32, |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 });
    }
    let all = parts.iter().copied().flatten();
    !all.fold(!0u32, |c, byte| table[((c ^ u32::from(*byte)) & 255) as usize] ^ (c >> 8))
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc(&[kind, data]).to_be_bytes()].concat()
}

/// Rows of pixels on their way into a file.
struct Png {
    writer: JsValue,
    packed: JsValue,
    size: [u32; 2],
    /// The row above the next.
    above: Vec<u8>,
}

impl Png {
    fn new(size: [u32; 2]) -> Result<Self, JsValue> {
        // By its name: `web-sys` still counts it among what may change.
        let packer: Function = Reflect::get(&js_sys::global(), &"CompressionStream".into())?.dyn_into()?;
        let packer = Reflect::construct(&packer, &Array::of1(&"deflate".into()))?;
        let writer = call(&Reflect::get(&packer, &"writable".into())?, "getWriter", &Array::new())?;
        let readable: web_sys::ReadableStream = Reflect::get(&packer, &"readable".into())?.unchecked_into();
        let packed = web_sys::Response::new_with_opt_readable_stream(Some(&readable))?.array_buffer()?.into();
        Ok(Self { writer, packed, size, above: vec![0; size[0] as usize * 3] })
    }

    /// Rows of red, green, blue, from left to right.
    async fn write(&mut self, rows: &[u8]) -> Result<(), JsValue> {
        let wide = self.above.len();
        for rows in rows.chunks(wide * ((1 << 20) / wide).max(1)) {
            let mut out = Vec::with_capacity(rows.len() + rows.len() / wide);
            for row in rows.chunks_exact(wide) {
                out.push(2); // each byte less the one above it: enlarged units and paper become zeros
                out.extend(row.iter().zip(&self.above).map(|(now, above)| now.wrapping_sub(*above)));
                self.above.copy_from_slice(row);
            }
            wait(call(&self.writer, "write", &Array::of1(&Uint8Array::from(&out[..])))?).await?;
        }
        Ok(())
    }

    /// The file; `density`: pixels a metre.
    async fn finish(self, density: u32) -> Result<web_sys::Blob, JsValue> {
        wait(call(&self.writer, "close", &Array::new())?).await?;
        let packed = Uint8Array::new(&wait(self.packed).await?).to_vec();
        let [width, height] = self.size.map(u32::to_be_bytes);
        let header = [&width[..], &height, &[8, 2, 0, 0, 0]].concat(); // eight bits of red, green, blue
        let density = density.to_be_bytes();
        let parts = [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(b"IHDR", &header),
            chunk(b"pHYs", &[&density[..], &density, &[1]].concat()),
            chunk(b"IDAT", &packed),
            chunk(b"IEND", &[]),
        ];
        blob(&parts.iter().map(|part| Uint8Array::from(&part[..])).collect(), "image/png")
    }
}

/// A picture in the making.
struct Picture {
    scene: Scene,
    title: String,
    scale: Scale,
    client: super::client::Client,
    /// What the engine paints.
    maps: HtmlCanvasElement,
    /// To be called when it has.
    painted: Rc<RefCell<Option<Function>>>,
}

impl Picture {
    fn paint(&self, size: [u32; 2], rects: Vec<PaintRect>) {
        self.client.send(&Command::Paint {
            canvas: CANVAS,
            ticket: 0,
            size,
            rects,
            scale: self.scale,
            palette: Palette::Light,
        });
    }

    /// The diagram as a picture; it stays sharp at every size.
    async fn diagram(&self) -> Result<HtmlImageElement, JsValue> {
        let svg = drawing(&self.scene.0, &self.title).svg;
        let url = web_sys::Url::create_object_url_with_blob(&blob(&Array::of1(&svg.into()), "image/svg+xml")?)?;
        let image = HtmlImageElement::new()?;
        image.set_src(&url);
        let decoded = JsFuture::from(image.decode()).await;
        web_sys::Url::revoke_object_url(&url)?;
        decoded.map(|_| image)
    }

    /// Maps of a tile on the engine's canvas; each one differs in its size from the one before, by which it is known when it is shown.
    async fn maps(&self, size: [u32; 2], rects: Vec<PaintRect>) {
        let painted = Promise::new(&mut |resolve, _| drop(self.painted.replace(Some(resolve))));
        self.paint(size, rects);
        let _ = JsFuture::from(painted).await;
        for i in 0..120 {
            frame().await;
            if i > 2 && [self.maps.width(), self.maps.height()] == size {
                break;
            }
        }
    }

    /// All of it, tile by tile; `told` is called with the share that is done.
    async fn make(&self, told: impl Fn(f32)) -> Result<web_sys::Blob, JsValue> {
        let (zoom, [width, height]) = (scale(&self.scene.0), pixels(&self.scene.0));
        let diagram = self.diagram().await?;
        let document = window().document().ok_or("no document")?;
        let canvas = document.create_element("canvas")?.dyn_into::<HtmlCanvasElement>()?;
        canvas.set_width(TILE[0].min(width));
        canvas.set_height(TILE[1].min(height));
        let options = js_sys::Object::new();
        Reflect::set(&options, &"willReadFrequently".into(), &true.into())?;
        let context = canvas.get_context_with_context_options("2d", &options)?.ok_or("no context")?;
        let context = context.dyn_into::<CanvasRenderingContext2d>()?;
        let mut png = Png::new([width, height])?;
        let mut turn = 0;
        for top in (0..height).step_by(TILE[1] as usize) {
            let h = TILE[1].min(height - top);
            let mut rows = vec![0u8; width as usize * h as usize * 3];
            for left in (0..width).step_by(TILE[0] as usize) {
                let w = TILE[0].min(width - left);
                let (x, y) = (-f64::from(left), -f64::from(top));
                context.draw_image_with_html_image_element_and_dw_and_dh(
                    &diagram,
                    x,
                    y,
                    f64::from(width),
                    f64::from(height),
                )?;
                let rects = rects(&self.scene.0, zoom, [left, top, w, h]);
                if !rects.is_empty() {
                    turn = 1 - turn;
                    self.maps([w + turn, h], rects).await;
                    context.draw_image_with_html_canvas_element(&self.maps, 0.0, 0.0)?;
                }
                let pixels = context.get_image_data(0.0, 0.0, f64::from(w), f64::from(h))?.data();
                for (row, line) in pixels.chunks_exact(w as usize * 4).enumerate() {
                    let start = (row * width as usize + left as usize) * 3;
                    let out = rows[start..].chunks_exact_mut(3);
                    line.chunks_exact(4).zip(out).for_each(|(from, to)| to.copy_from_slice(&from[..3]));
                }
                told((top as f32 + h as f32 * (left + w) as f32 / width as f32) / height as f32);
            }
            png.write(&rows).await?;
        }
        // The canvas is small again once the file is made.
        self.paint([1, 1], Vec::new());
        png.finish((zoom * 96.0 / 0.0254) as u32).await
    }
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
    let handed = use_mut_ref(|| false);
    let painted = (*use_memo((), |()| Rc::new(RefCell::new(None::<Function>)))).clone();
    let done = use_state(|| None::<u32>);
    let (name, title) = (props.net.variant.name, words.title(props.net.variant));
    let stage = &props.scene.0;
    let svg = {
        let (scene, title) = (props.scene.clone(), title.clone());
        Callback::from(move |_: MouseEvent| {
            let parts = Array::of1(&drawing(&scene.0, &title).svg.into());
            let _ = blob(&parts, "image/svg+xml").and_then(|blob| keep(&format!("{name}.svg"), &blob));
        })
    };
    {
        let painted = painted.clone();
        use_heard(move |heard| {
            if matches!(heard.event, Event::Painted { canvas: CANVAS, .. })
                && let Some(told) = painted.take()
            {
                let _ = told.call0(&JsValue::NULL);
            }
        });
    }
    let png = {
        let (scene, canvas, done, page) = (props.scene.clone(), canvas.clone(), done.clone(), page.clone());
        let scale = page.view.scale;
        Callback::from(move |_: MouseEvent| {
            let Some(maps) = canvas.cast::<HtmlCanvasElement>().filter(|_| done.is_none()) else { return };
            if !handed.replace(true)
                && let Ok(offscreen) = maps.transfer_control_to_offscreen()
            {
                client.send_with(&Command::Canvas { canvas: CANVAS }, &[offscreen.unchecked_into()]);
            }
            let (scene, client, painted) = (scene.clone(), client.clone(), painted.clone());
            let picture = Picture { scene, title: title.to_string(), scale, client, maps, painted };
            let (done, page) = (done.setter(), page.clone());
            done.set(Some(0));
            wasm_bindgen_futures::spawn_local(async move {
                let made = picture.make(|share| done.set(Some((share * 100.0) as u32))).await;
                if let Err(error) = made.and_then(|blob| keep(&format!("{name}.png"), &blob)) {
                    let detail = format!("{error:?}");
                    page.dispatch(Action::Complain(Fault { key: "picture-file".into(), args: Vec::new(), detail }));
                }
                done.set(None);
            });
        })
    };
    let [width, height] = pixels(stage).map(|n| n.to_string());
    let text = match *done {
        Some(percent) => words.fill("export-busy", &[("percent", &percent.to_string())]),
        None => words.fill("export-png", &[("width", &width), ("height", &height)]),
    };
    html! {
        <>
            <Menu text={words.get("export")} testid="export">
                <button type="button" onclick={svg} data-testid="export-svg">{words.get("export-svg")}</button>
                <button type="button" onclick={png} aria-disabled={done.is_some().then_some("true")} data-testid="export-png">{text}</button>
            </Menu>
            <canvas ref={canvas} class="export-canvas" aria-hidden="true"></canvas>
        </>
    }
}
