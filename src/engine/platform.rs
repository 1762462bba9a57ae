//! What a session needs of the world: bytes, a clock, a store, canvases, someone to tell. The worker has one implementation
//! (`worker.rs`), tests another. Knows the protocol's events; no network, no executor.

use crate::cpu::paint::Atlas;
use crate::gpu::{self, Gpu};
use crate::protocol::Event;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// A future that stays on its thread.
pub type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// Called as a download goes on: bytes so far, bytes in all if known.
pub type OnBytes = Rc<dyn Fn(u64, Option<u64>)>;

/// Why a file did not come.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{url} could not be fetched: {reason}")]
pub struct FetchError {
    /// Its address, relative to the page.
    pub url: String,
    /// What the server or the browser said.
    pub reason: String,
}

/// Bytes that come in pieces: a file, a download, a piece of memory.
pub trait Pieces: std::fmt::Debug {
    /// The file's name, or its address.
    fn name(&self) -> &str;
    /// Bytes in all, where that is known.
    fn total(&self) -> Option<u64>;
    /// The next piece; `None`: that was all.
    fn next(&mut self) -> Local<Result<Option<Vec<u8>>, FetchError>>;
}

/// Files that came with a command.
pub type Files = Vec<Box<dyn Pieces>>;

/// A picture's bytes (four a pixel), its width and height.
pub type Pixels = (Vec<u8>, usize, usize);

/// Maps to be painted on a canvas: each lies in the atlas at its own resolution and is enlarged, unsmoothed, to its rectangle.
#[derive(Clone, PartialEq, Debug)]
pub struct Painting {
    /// Width and height of the canvas in device pixels.
    pub size: [u32; 2],
    /// The maps.
    pub atlas: Atlas,
    /// For each map of the atlas: left, top, width, height on the canvas.
    pub at: Vec<[f32; 4]>,
}

/// The world as a session sees it.
pub trait Platform {
    /// Milliseconds since any start.
    fn now(&self) -> f64;
    /// Whether the browser has WebGPU, whatever its adapter.
    fn webgpu(&self) -> bool;
    /// Whether the page came from a place that browsers trust with WebGPU (https, localhost).
    fn secure(&self) -> bool;
    /// Tells the page; `bytes` travel by transfer.
    fn send(&self, event: Event, bytes: Option<Vec<u8>>);
    /// The bytes at an address relative to the page; a gzipped file's may come unpacked.
    fn fetch(&self, url: &str, progress: OnBytes) -> Local<Result<Vec<u8>, FetchError>>;
    /// The same in pieces, from any address that the server lets the page read.
    fn stream(&self, url: &str) -> Local<Result<Box<dyn Pieces>, FetchError>>;
    /// What was stored under this key; `None`: nothing.
    fn load(&self, key: &str) -> Local<Result<Option<Vec<u8>>, String>>;
    /// Stores under this key, replacing what was there.
    fn store(&self, key: &str, bytes: Vec<u8>) -> Local<Result<(), String>>;
    /// Unpacks a picture's file (JPEG, PNG, WebP, …): red, green, blue, opacity of each pixel, width, height. Very large ones may be
    /// made smaller.
    fn decode(&self, file: Vec<u8>) -> Local<Result<Pixels, String>>;
    /// Lets waiting messages in.
    fn pause(&self) -> Local<()>;
    /// Paints a canvas; one that is not there (any more) is passed over.
    fn paint(&self, canvas: u32, painting: &Painting);
    /// A canvas of the worker's own that this GPU paints, if the browser lets it be shown: the atlas of [`Platform::hang`].
    fn easel(&self, gpu: &Gpu) -> Local<Option<gpu::Canvas>>;
    /// Paints canvases with what the GPU has just painted on its easel: their atlases have places and no pixels.
    fn hang(&self, paintings: &[(u32, Painting)]);
}
