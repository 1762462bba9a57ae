//! The page (wasm, main thread). Knows the protocol, nothing of arithmetic.

#[cfg(target_arch = "wasm32")]
fn main() -> Result<(), wasm_bindgen::JsValue> {
    use wasm_bindgen::prelude::*;
    console_error_panic_hook::set_once();
    let document = web_sys::window().and_then(|window| window.document()).ok_or("no document")?;
    let address = document
        .query_selector("meta[name=engine]")?
        .and_then(|meta| meta.get_attribute("content"))
        .ok_or("the page does not say where its engine is")?;
    let options = web_sys::WorkerOptions::new();
    options.set_type(web_sys::WorkerType::Module);
    let worker = web_sys::Worker::new_with_options(&address, &options)?;
    let heard = Closure::<dyn FnMut(web_sys::MessageEvent)>::new(move |event: web_sys::MessageEvent| {
        if let Some(body) = document.body() {
            body.set_text_content(event.data().as_string().as_deref());
        }
    });
    worker.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
    Ok(())
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
