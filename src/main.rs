//! The page (wasm, main thread): starts the interface. Knows nothing else.

#[cfg(target_arch = "wasm32")]
fn main() -> Result<(), wasm_bindgen::JsValue> {
    console_error_panic_hook::set_once();
    receptive::ui::start()
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
