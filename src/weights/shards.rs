//! `model.safetensors.index.json`: which file holds which tensor, where weights lie in several. Names only; fetches nothing.

use super::WeightsError;
use crate::data::looks::Looks;
use std::collections::{BTreeMap, BTreeSet};

/// An index file's larger-than-any size: they hold a line a tensor.
pub const MAX: u64 = 16 << 20;

/// The files of an index, by name, in the order of their names.
///
/// # Errors
/// [`WeightsError::NotSafetensors`] where it is another document; [`WeightsError::Index`] where it is damaged, or names what is not a file beside it.
pub fn files(index: &[u8]) -> Result<Vec<String>, WeightsError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: Option<BTreeMap<String, String>>,
    }
    let read: Index = serde_json::from_slice(index).map_err(|error| WeightsError::Index(error.to_string()))?;
    let map = read.weight_map.ok_or(WeightsError::NotSafetensors(Looks::Json))?;
    let files: BTreeSet<String> = map.into_values().collect();
    if let Some(strange) = files.iter().find(|name| !is_plain(name)) {
        return Err(WeightsError::Index(format!("“{strange}” is not the name of a safetensors file beside it")));
    }
    if files.is_empty() {
        return Err(WeightsError::Index("it names no file".to_owned()));
    }
    Ok(files.into_iter().collect())
}

/// A name in the same folder: an index must not lead elsewhere.
fn is_plain(name: &str) -> bool {
    name.ends_with(".safetensors") && !name.starts_with('.') && !name.contains(['/', '\\', ':', '?', '#', '%'])
}

/// The address of a file beside another: of the index, its last part replaced; what follows ? or # belongs to the index alone.
pub fn beside(index: &str, name: &str) -> String {
    let path = index.find(['?', '#']).map_or(index, |end| &index[..end]);
    let folder = path.rfind('/').map_or("", |slash| &path[..=slash]);
    format!("{folder}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_its_files_once() {
        let index = br#"{"metadata": {"total_size": 8}, "weight_map":
            {"b": "m-00002-of-00002.safetensors", "a": "m-00001-of-00002.safetensors", "c": "m-00002-of-00002.safetensors"}}"#;
        assert_eq!(files(index).unwrap(), ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"]);
        for wrong in [
            &b"{\"weight_map\": {}}"[..],
            b"[1]",
            b"{\"weight_map\": {\"a\": 1}}",
            b"{\"weight_map\": {\"a\": \"../x.safetensors\"}}",
            b"{\"weight_map\": {\"a\": \"https://x/y.safetensors\"}}",
            b"{\"weight_map\": {\"a\": \"x.bin\"}}",
            b"{\"weight_map\": {\"a\"",
        ] {
            let error = files(wrong).unwrap_err();
            assert!(matches!(error, WeightsError::Index(_)), "{error}");
        }
        assert_eq!(files(b"{\"model_type\": 1}"), Err(WeightsError::NotSafetensors(Looks::Json)));
    }

    #[test]
    fn files_lie_beside_their_index() {
        for (index, expected) in [
            ("https://h/a/b/model.safetensors.index.json?download=true", "https://h/a/b/x"),
            ("https://h/index.json#/frag", "https://h/x"),
            ("weights/i.json", "weights/x"),
            ("i.json", "x"),
        ] {
            assert_eq!(beside(index, "x"), expected);
        }
    }
}
