//! Messages as JS values (wasm): `[message, Float32Array…, extra…]`. Used alike on both sides of the worker; knows no message by name.

use super::Arrays;
use js_sys::{Array, Float32Array, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

/// A message to post, and what of it is transferred.
#[derive(Debug)]
pub struct Packet {
    /// For `postMessage`.
    pub message: Array,
    /// Its transfer list.
    pub transfer: Array,
}

/// Packs a message, its large arrays, and what goes along (an `OffscreenCanvas`, a [`bytes`] buffer, a file).
///
/// # Errors
/// What serde says; no message of the protocol gives cause.
pub fn pack<M: Arrays + Serialize>(mut message: M, extra: &[JsValue]) -> Result<Packet, JsValue> {
    let (packed, transfer) = (Array::new(), Array::new());
    let arrays: Vec<Vec<f32>> = message.arrays().into_iter().map(std::mem::take).collect();
    packed.push(&serde_wasm_bindgen::to_value(&message)?);
    for values in arrays {
        let array = Float32Array::from(values.as_slice());
        transfer.push(&array.buffer());
        packed.push(&array);
    }
    for value in extra {
        // A file is a handle: it goes along by itself.
        if !value.is_instance_of::<Blob>() {
            transfer.push(value);
        }
        packed.push(value);
    }
    Ok(Packet { message: packed, transfer })
}

/// Unpacks a message and what came along.
///
/// # Errors
/// Where the value is no such message.
pub fn unpack<M: Arrays + DeserializeOwned>(data: &JsValue) -> Result<(M, Vec<JsValue>), JsValue> {
    let parts: &Array = data.dyn_ref().ok_or("a message is an array")?;
    let mut rest = parts.iter().peekable();
    let mut message: M = serde_wasm_bindgen::from_value(rest.next().ok_or("a message is not empty")?)?;
    for into in message.arrays() {
        // What was written into the message itself is taken as it is.
        if let Some(array) = rest.next_if(|v| v.is_instance_of::<Float32Array>()) {
            *into = array.unchecked_into::<Float32Array>().to_vec();
        }
    }
    Ok((message, rest.collect()))
}

/// Bytes as an `ArrayBuffer` that can be transferred.
pub fn bytes(data: &[u8]) -> JsValue {
    Uint8Array::from(data).buffer().into()
}
