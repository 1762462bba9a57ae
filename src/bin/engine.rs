//! The engine's worker (wasm). Knows the engine, nothing of the page.

#[cfg(target_arch = "wasm32")]
fn main() -> Result<(), wasm_bindgen::JsValue> {
    receptive::engine::worker::start()
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
