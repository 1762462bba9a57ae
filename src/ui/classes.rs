//! What a network's classes are called. Knows files of names, no network by name.

use super::hooks::{Words, use_network, use_page, use_words, window};
use crate::data::labels::{CIFAR10, IMAGENET, parse};
use crate::protocol::Origin;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use yew::prelude::*;

/// The open network's classes.
#[derive(Clone, PartialEq, Default)]
pub struct Classes {
    /// How many there are.
    pub count: usize,
    /// Whether they are the ten digits.
    pub digits: bool,
    /// Whether the weights tell them apart: the names of what an untrained network says would be a lie.
    pub known: bool,
    names: Option<Rc<Vec<String>>>,
    words: Words,
}

impl Classes {
    /// A digit, a word, or the class's number.
    pub fn name(&self, class: usize) -> String {
        let word = match &self.names {
            _ if self.digits => return class.to_string(),
            _ if !self.known => None,
            _ if self.count == CIFAR10.len() => {
                CIFAR10.get(class).map(|name| self.words.get(&format!("class-{name}")).to_string())
            }
            names => names.as_ref().and_then(|names| names.get(class).cloned()),
        };
        word.unwrap_or_else(|| format!("#{class}"))
    }
}

/// The open network's classes; their names are fetched when there is first something to name.
#[hook]
pub fn use_classes() -> Classes {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let names = use_state(|| None);
    let count = network.as_ref().map_or(0, |n| n.graph.nodes()[n.output].shape.len());
    let known = !matches!(page.origin, None | Some(Origin::Random(_)));
    {
        let names = names.clone();
        use_effect_with(known && count == 1000, move |wanted| {
            if *wanted && names.is_none() {
                wasm_bindgen_futures::spawn_local(async move { names.set(imagenet().await.map(Rc::new)) });
            }
        });
    }
    Classes { count, digits: network.is_some_and(|n| n.reads_digits()), known, names: (*names).clone(), words }
}

/// ImageNet's names; `None` where they cannot be had (offline before they were ever fetched).
async fn imagenet() -> Option<Vec<String>> {
    let response: web_sys::Response = JsFuture::from(window().fetch_with_str(IMAGENET)).await.ok()?.dyn_into().ok()?;
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    parse(text.as_bytes(), 1000).ok()
}
