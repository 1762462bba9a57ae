//! The engine's worker (wasm). Knows the protocol and the engine, nothing of the page.

#[cfg(target_arch = "wasm32")]
fn main() -> Result<(), wasm_bindgen::JsValue> {
    use wasm_bindgen::JsCast;
    console_error_panic_hook::set_once();
    let scope: web_sys::DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    scope.post_message(&"The engine answers.".into())
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
