//! The session in a dedicated worker: messages in and out, fetch, IndexedDB, canvases. Knows JS; of networks nothing.

use super::files;
use super::inbox::Inbox;
use super::platform::{FetchError, Local, OnBytes, Painting, Pieces, Pixels, Platform};
use super::session::Session;
use crate::data::looks::Looks;
use crate::gpu::{self, Gpu};
use crate::protocol::{Command, Event, Fault, wire};
use idb::{Database, Factory, ObjectStoreParams, TransactionMode};
use js_sys::{Array, Promise, Reflect, Uint8Array};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen::{Clamped, JsCast};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    Blob, DedicatedWorkerGlobalScope, ImageBitmap, ImageData, MessageChannel, MessageEvent, OffscreenCanvas,
    OffscreenCanvasRenderingContext2d, ReadableStreamDefaultReader, ReadableWritablePair, Response,
};

/// Longest side of a photograph in pixels; networks read 256 of them.
const LARGEST_PHOTO: f64 = 2048.0;

/// The worker's scope and what the page handed over.
struct Browser {
    scope: DedicatedWorkerGlobalScope,
    canvases: RefCell<HashMap<u32, OffscreenCanvas>>,
    /// Maps at their own resolution, before they are enlarged.
    atlas: OffscreenCanvas,
    /// The same, painted by the GPU.
    easel: Rc<RefCell<Option<OffscreenCanvas>>>,
    /// Whether such a canvas can be shown here, once that was tried.
    shows: Rc<Cell<Option<bool>>>,
    turns: MessageChannel,
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// What a thrown value says.
fn words(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}

fn post(scope: &DedicatedWorkerGlobalScope, event: Event, bytes: Option<&[u8]>) -> Result<(), JsValue> {
    let extra: Vec<JsValue> = bytes.map(wire::bytes).into_iter().collect();
    let packet = wire::pack(event, &extra)?;
    scope.post_message_with_transfer(&packet.message, &packet.transfer)
}

fn failed(scope: &DedicatedWorkerGlobalScope, key: &str, detail: String) {
    let fault = Fault { key: key.into(), args: Vec::new(), detail };
    if post(scope, Event::Failed { request: None, fault }, None).is_err() {
        wasm_bindgen::throw_str("the engine cannot reach the page");
    }
}

/// Starts the session; from here on messages drive it.
///
/// # Errors
/// Where the browser lacks what every worker has.
pub fn start() -> Result<(), JsValue> {
    // A panic ends the program: the page is told, and the console has the place.
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        failed(&scope(), "engine-crashed", info.to_string());
    }));
    let browser = Rc::new(Browser {
        scope: scope(),
        canvases: RefCell::default(),
        atlas: OffscreenCanvas::new(1, 1)?,
        easel: Rc::default(),
        shows: Rc::default(),
        turns: MessageChannel::new()?,
    });
    let inbox = Inbox::default();
    let receive = {
        let (browser, inbox) = (browser.clone(), inbox.clone());
        move |data: JsValue| match wire::unpack::<Command>(&data) {
            Ok((command, extra)) => {
                if let Command::Canvas { canvas } = command
                    && let Some(surface) = extra.first().and_then(|v| v.dyn_ref::<OffscreenCanvas>())
                {
                    browser.canvases.borrow_mut().insert(canvas, surface.clone());
                }
                inbox.push(command, Some(extra.iter().filter_map(source).collect()));
            }
            Err(error) => failed(&browser.scope, "bad-command", words(&error)),
        }
    };
    // Messages that came while the program was loading: the loader kept them (scripts/finish.mjs).
    let early = Reflect::get(&browser.scope, &"early".into())?;
    if let Some(early) = early.dyn_ref::<Array>() {
        early.iter().filter_map(|e| e.dyn_into::<MessageEvent>().ok()).for_each(|e| receive(e.data()));
    }
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| receive(event.data()));
    browser.scope.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget(); // lives as long as the worker
    spawn_local(Session::new(browser, inbox).run());
    Ok(())
}

impl Browser {
    /// All bytes at an address.
    async fn get(scope: &DedicatedWorkerGlobalScope, url: String, progress: &OnBytes) -> Result<Vec<u8>, FetchError> {
        let mut stream = Stream::fetch(scope, url).await?;
        let total = stream.total;
        let mut bytes = Vec::new();
        let mut told = 0;
        while let Some(piece) = stream.next().await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() - told >= 1 << 18 {
                told = bytes.len();
                progress(told as u64, total);
            }
        }
        progress(bytes.len() as u64, total);
        if Looks::at(&bytes) == Looks::Gzip {
            let damaged = |error| FetchError { url: stream.name.clone(), reason: words(&error) };
            bytes = unpack(&bytes).await.map_err(damaged)?;
        }
        Ok(bytes)
    }

    /// The browser's own decoder, through a canvas.
    async fn decode(scope: &DedicatedWorkerGlobalScope, file: &[u8]) -> Result<Pixels, JsValue> {
        let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(file)))?;
        let bitmap: ImageBitmap = JsFuture::from(scope.create_image_bitmap_with_blob(&blob)?).await?.dyn_into()?;
        let [width, height] = [bitmap.width(), bitmap.height()];
        let shrink = (LARGEST_PHOTO / f64::from(width.max(height))).min(1.0);
        let [wide, high] = [width, height].map(|v| (f64::from(v) * shrink).round().max(1.0) as u32);
        let canvas = OffscreenCanvas::new(wide, high)?;
        let context: OffscreenCanvasRenderingContext2d =
            canvas.get_context("2d")?.ok_or("no canvas to unpack the picture on")?.dyn_into()?;
        context.draw_image_with_image_bitmap_and_dw_and_dh(&bitmap, 0.0, 0.0, wide.into(), high.into())?;
        bitmap.close();
        let data = context.get_image_data(0.0, 0.0, wide.into(), high.into())?;
        Ok((data.data().0, wide as usize, high as usize))
    }

    /// Paints a canvas from an atlas whose pixels are here.
    fn draw(&self, canvas: &OffscreenCanvas, painting: &Painting) -> Result<(), JsValue> {
        let atlas = &painting.atlas;
        let [columns, rows] = [atlas.width, atlas.height].map(|v| v as u32);
        if !atlas.pixels.is_empty() {
            if self.atlas.width() < columns || self.atlas.height() < rows {
                self.atlas.set_width(columns.max(self.atlas.width()));
                self.atlas.set_height(rows.max(self.atlas.height()));
            }
            let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&atlas.pixels), columns, rows)?;
            context(&self.atlas)?.put_image_data(&image, 0.0, 0.0)?;
        }
        compose(canvas, painting, |onto, [x, y, w, h], [left, top, wide, high]| {
            onto.draw_image_with_offscreen_canvas_and_sw_and_sh_and_dx_and_dy_and_dw_and_dh(
                &self.atlas,
                x,
                y,
                w,
                h,
                left,
                top,
                wide,
                high,
            )
        })
    }

    /// The same from the easel.
    fn draw_easel(&self, paintings: &[(u32, Painting)]) -> Result<(), JsValue> {
        let canvases = self.canvases.borrow();
        let full = paintings.iter().any(|(_, painting)| !painting.at.is_empty());
        // Taken once: each drawing straight from the canvas might copy all of it.
        let easel = self.easel.borrow();
        let bitmap = easel.as_ref().filter(|_| full).map(OffscreenCanvas::transfer_to_image_bitmap).transpose()?;
        for (number, painting) in paintings {
            let Some(canvas) = canvases.get(number) else { continue };
            compose(canvas, painting, |onto, [x, y, w, h], [left, top, wide, high]| match &bitmap {
                Some(bitmap) => onto.draw_image_with_image_bitmap_and_sw_and_sh_and_dx_and_dy_and_dw_and_dh(
                    bitmap, x, y, w, h, left, top, wide, high,
                ),
                None => Ok(()),
            })?;
        }
        if let Some(bitmap) = bitmap {
            bitmap.close();
        }
        Ok(())
    }
}

fn context(canvas: &OffscreenCanvas) -> Result<OffscreenCanvasRenderingContext2d, JsValue> {
    let context = canvas.get_context("2d")?.ok_or("the canvas has another kind of context already")?;
    context.dyn_into().map_err(JsValue::from)
}

/// Clears a canvas and draws each map of an atlas at its place: `draw` gets both rectangles.
fn compose(
    canvas: &OffscreenCanvas,
    painting: &Painting,
    draw: impl Fn(&OffscreenCanvasRenderingContext2d, [f64; 4], [f64; 4]) -> Result<(), JsValue>,
) -> Result<(), JsValue> {
    let [width, height] = painting.size;
    if [canvas.width(), canvas.height()] != painting.size {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let onto = context(canvas)?;
    onto.clear_rect(0.0, 0.0, width.into(), height.into());
    for (map, at) in painting.atlas.maps.iter().zip(&painting.at) {
        let (map, at) = (map.map(f64::from), at.map(f64::from));
        // Pixels stay squares when enlarged; a map larger than its place is averaged.
        onto.set_image_smoothing_enabled(at[2] < map[2] || at[3] < map[3]);
        draw(&onto, map, at)?;
    }
    Ok(())
}

/// Whether what WebGPU paints on a canvas of a worker comes out on a 2D canvas. Tried with a device of its own: some browsers lose
/// it over that (and Chromium without a window all devices of the worker).
async fn shows() -> Result<bool, JsValue> {
    let gpu = Gpu::acquire().await.map_err(|e| e.to_string())?;
    let (easel, paper) = (OffscreenCanvas::new(4, 4)?, context(&OffscreenCanvas::new(4, 4)?)?);
    let mut seen = [0; 4];
    // Twice: it is the second picture that a worn-out canvas does not give.
    for colour in [[0, 255, 51], [255, 102, 0]] {
        let canvas = gpu::Canvas::of_page(&gpu, easel.clone()).map_err(|e| e.to_string())?;
        canvas.fill(&gpu, colour.map(|c| f64::from(c) / 255.0)).map_err(|e| e.to_string())?;
        let bitmap = easel.transfer_to_image_bitmap()?;
        paper.draw_image_with_image_bitmap(&bitmap, 0.0, 0.0)?;
        gpu.settle().await.map_err(|e| e.to_string())?;
        seen.copy_from_slice(&paper.get_image_data(2.0, 2.0, 1.0, 1.0)?.data().0);
        if seen != [colour[0], colour[1], colour[2], 255] {
            break;
        }
    }
    gpu.destroy();
    Ok(seen == [255, 102, 0, 255])
}

/// The bytes of a gzipped file. Browsers can: no unpacker of ours is in the program (`data/gzip.rs`).
async fn unpack(packed: &[u8]) -> Result<Vec<u8>, JsValue> {
    let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(packed)))?;
    // By its name: `web-sys` still counts it among what may change.
    let unpacker: js_sys::Function = Reflect::get(&js_sys::global(), &"DecompressionStream".into())?.dyn_into()?;
    let unpacker = Reflect::construct(&unpacker, &Array::of1(&"gzip".into()))?;
    let bytes = blob.stream().pipe_through(unpacker.unchecked_ref::<ReadableWritablePair>());
    let buffer = Response::new_with_opt_readable_stream(Some(&bytes))?.array_buffer()?;
    Ok(Uint8Array::new(&JsFuture::from(buffer).await?).to_vec())
}

/// A download or a file, read piece by piece as the browser has them.
#[derive(Debug)]
struct Stream {
    name: String,
    total: Option<u64>,
    /// `None`: an answer without a body.
    reader: Option<ReadableStreamDefaultReader>,
}

impl Stream {
    async fn fetch(scope: &DedicatedWorkerGlobalScope, url: String) -> Result<Self, FetchError> {
        // Relative to the worker's script, which lies beside the page.
        let asked = JsFuture::from(scope.fetch_with_str(&url)).await;
        let opened = asked.and_then(|response| {
            let response: Response = response.dyn_into()?;
            if !response.ok() {
                return Err(format!("{} {}", response.status(), response.status_text()).into());
            }
            let headers = response.headers();
            // Of a body that the browser unpacks, the header tells the packed length.
            let packed = headers.get("content-encoding")?.is_some();
            let total = headers.get("content-length")?.and_then(|n| n.parse().ok()).filter(|_| !packed);
            let reader = response.body().map(|body| body.get_reader().dyn_into()).transpose()?;
            Ok((total, reader))
        });
        match opened {
            Ok((total, reader)) => Ok(Self { name: url, total, reader }),
            Err(error) => Err(FetchError { url, reason: words(&error) }),
        }
    }

    fn of_file(blob: &Blob) -> Result<Self, JsValue> {
        let name = blob.dyn_ref::<web_sys::File>().map_or_else(String::new, web_sys::File::name);
        let reader = Some(blob.stream().get_reader().dyn_into()?);
        Ok(Self { name, total: Some(blob.size() as u64), reader })
    }
}

impl Pieces for Stream {
    fn name(&self) -> &str {
        &self.name
    }
    fn total(&self) -> Option<u64> {
        self.total
    }
    fn next(&mut self) -> Local<Result<Option<Vec<u8>>, FetchError>> {
        let (name, read) = (self.name.clone(), self.reader.as_ref().map(ReadableStreamDefaultReader::read));
        Box::pin(async move {
            let Some(read) = read else { return Ok(None) };
            let piece = JsFuture::from(read).await.and_then(|part| {
                if Reflect::get(&part, &"done".into())?.is_truthy() {
                    return Ok(None);
                }
                Ok(Some(Reflect::get(&part, &"value".into())?.dyn_into::<Uint8Array>()?.to_vec()))
            });
            piece.map_err(|error| FetchError { url: name, reason: words(&error) })
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Ends a download that nobody waits for any more; one that has ended does not mind.
        if let Some(reader) = &self.reader {
            let _ = reader.cancel();
        }
    }
}

/// Bytes that a script handed over, copied from JS piece by piece.
#[derive(Debug)]
struct Handed {
    bytes: Uint8Array,
    at: u32,
}

impl Pieces for Handed {
    fn name(&self) -> &str {
        ""
    }
    fn total(&self) -> Option<u64> {
        Some(self.bytes.length().into())
    }
    fn next(&mut self) -> Local<Result<Option<Vec<u8>>, FetchError>> {
        let end = self.bytes.length().min(self.at + files::PIECE as u32);
        let piece = (end > self.at).then(|| self.bytes.subarray(self.at, end).to_vec());
        self.at = end;
        Box::pin(std::future::ready(Ok(piece)))
    }
}

/// A file among what came with a command.
fn source(value: &JsValue) -> Option<Box<dyn Pieces>> {
    if let Some(blob) = value.dyn_ref::<Blob>() {
        return Some(Box::new(Stream::of_file(blob).ok()?));
    }
    let buffer = value.is_instance_of::<js_sys::ArrayBuffer>();
    buffer.then(|| Box::new(Handed { bytes: Uint8Array::new(value), at: 0 }) as Box<dyn Pieces>)
}

const STORE: &str = "runs";

async fn database() -> Result<Database, idb::Error> {
    let mut request = Factory::new()?.open("receptive", Some(1))?;
    request.on_upgrade_needed(|event| {
        use idb::DatabaseEvent;
        // A failure here fails the opening too, which is what is reported.
        let _ = event.database().and_then(|db| db.create_object_store(STORE, ObjectStoreParams::new()));
    });
    request.await
}

async fn load(key: String) -> Result<Option<Vec<u8>>, idb::Error> {
    let database = database().await?;
    let transaction = database.transaction(&[STORE], TransactionMode::ReadOnly)?;
    let found = transaction.object_store(STORE)?.get(JsValue::from(key))?.await?;
    database.close();
    Ok(found.map(|bytes| Uint8Array::new(&bytes).to_vec()))
}

async fn store(key: String, bytes: Vec<u8>) -> Result<(), idb::Error> {
    let database = database().await?;
    let transaction = database.transaction(&[STORE], TransactionMode::ReadWrite)?;
    transaction.object_store(STORE)?.put(&Uint8Array::from(bytes.as_slice()), Some(&JsValue::from(key)))?.await?;
    transaction.commit()?.await?;
    database.close();
    Ok(())
}

impl Platform for Browser {
    fn now(&self) -> f64 {
        self.scope.performance().map_or_else(js_sys::Date::now, |clock| clock.now())
    }

    fn webgpu(&self) -> bool {
        Reflect::get(&self.scope.navigator(), &"gpu".into()).is_ok_and(|gpu| !gpu.is_falsy())
    }

    fn secure(&self) -> bool {
        self.scope.is_secure_context()
    }

    fn send(&self, event: Event, bytes: Option<Vec<u8>>) {
        if let Err(error) = post(&self.scope, event, bytes.as_deref()) {
            failed(&self.scope, "engine-crashed", words(&error));
        }
    }

    fn fetch(&self, url: &str, progress: OnBytes) -> Local<Result<Vec<u8>, FetchError>> {
        let (scope, url) = (self.scope.clone(), url.to_string());
        Box::pin(async move { Self::get(&scope, url, &progress).await })
    }

    fn stream(&self, url: &str) -> Local<Result<Box<dyn Pieces>, FetchError>> {
        let (scope, url) = (self.scope.clone(), url.to_string());
        Box::pin(async move { Ok(Box::new(Stream::fetch(&scope, url).await?) as Box<dyn Pieces>) })
    }

    fn load(&self, key: &str) -> Local<Result<Option<Vec<u8>>, String>> {
        let key = key.to_string();
        Box::pin(async move { load(key).await.map_err(|e| e.to_string()) })
    }

    fn store(&self, key: &str, bytes: Vec<u8>) -> Local<Result<(), String>> {
        let key = key.to_string();
        Box::pin(async move { store(key, bytes).await.map_err(|e| e.to_string()) })
    }

    fn decode(&self, file: Vec<u8>) -> Local<Result<Pixels, String>> {
        let scope = self.scope.clone();
        Box::pin(async move { Browser::decode(&scope, &file).await.map_err(|e| words(&e)) })
    }
    fn pause(&self) -> Local<()> {
        // A message to itself: timers would wait 4 ms.
        let (here, there) = (self.turns.port1(), self.turns.port2());
        let turn = Promise::new(&mut |resolve, _| here.set_onmessage(Some(&resolve)));
        let posted = there.post_message(&JsValue::NULL);
        Box::pin(async move {
            if posted.is_ok() {
                // It cannot be rejected: nobody has its reject.
                let _ = JsFuture::from(turn).await;
            }
        })
    }

    fn paint(&self, canvas: u32, painting: &Painting) {
        let canvases = self.canvases.borrow();
        let Some(surface) = canvases.get(&canvas) else { return };
        if let Err(error) = self.draw(surface, painting) {
            failed(&self.scope, "canvas", words(&error));
        }
    }

    fn easel(&self, gpu: &Gpu) -> Local<Option<gpu::Canvas>> {
        let (gpu, easel, known) = (gpu.clone(), self.easel.clone(), self.shows.clone());
        Box::pin(async move {
            let shown = match known.get() {
                Some(shown) => shown,
                None => shows().await.unwrap_or(false),
            };
            known.set(Some(shown));
            // A device has a canvas of its own.
            let fresh = OffscreenCanvas::new(1, 1).ok().filter(|_| shown)?;
            let canvas = gpu::Canvas::of_page(&gpu, fresh.clone()).ok()?;
            easel.replace(Some(fresh));
            Some(canvas)
        })
    }

    fn hang(&self, paintings: &[(u32, Painting)]) {
        if let Err(error) = self.draw_easel(paintings) {
            failed(&self.scope, "canvas", words(&error));
        }
    }
}
