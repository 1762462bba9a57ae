//! Writing a safetensors file. The same weights give the same bytes.

use super::header::LENGTH;
use super::{NonFinite, Precision, Tensor, Weights, WeightsError, non_finite};
use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::ser::SerializeMap;
use std::collections::BTreeMap;

/// The bytes of a file of these weights, tensors in the order given; the same weights give the same bytes.
/// Values that are not finite, or would not be in `precision`, are refused.
pub fn write(weights: &Weights, precision: Precision) -> Result<Vec<u8>, WeightsError> {
    let (dtype, size) = match precision {
        Precision::F32 => (Dtype::F32, 4),
        Precision::F16 => (Dtype::F16, 2),
    };
    let mut data = Vec::with_capacity(weights.tensors.iter().map(|t| t.data.len() * size).sum());
    let mut entries = Vec::with_capacity(weights.tensors.len());
    let mut faults = Vec::new();
    for Tensor { name, shape, data: values } in &weights.tensors {
        if shape.iter().product::<usize>() != values.len() {
            return Err(WeightsError::Length { name: name.clone(), shape: shape.clone(), got: values.len() });
        }
        let from = data.len();
        match precision {
            Precision::F32 => {
                faults.extend(non_finite(name, values));
                data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            }
            Precision::F16 => {
                let rounded: Vec<f16> = values.iter().map(|&v| f16::from_f32(v)).collect();
                let count = rounded.iter().filter(|v| !v.is_finite()).count();
                faults.extend((count > 0).then(|| NonFinite { name: name.clone(), count, of: values.len() }));
                data.extend(rounded.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
        entries.push((&name[..], TensorInfo { dtype, shape: shape.clone(), data_offsets: (from, data.len()) }));
    }
    if !faults.is_empty() {
        return Err(WeightsError::NonFinite(faults));
    }

    let header = HeaderText { metadata: &weights.metadata, entries };
    let mut header = serde_json::to_vec(&header).map_err(|error| WeightsError::Header(error.to_string()))?;
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    Ok([&(header.len() as u64).to_le_bytes()[..], &header, &data].concat())
}

/// The header as it is written. (The crate's own writer puts metadata in random order.)
struct HeaderText<'a> {
    metadata: &'a BTreeMap<String, String>,
    entries: Vec<(&'a str, TensorInfo)>,
}

impl serde::Serialize for HeaderText<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry("__metadata__", self.metadata)?;
        }
        for (name, info) in &self.entries {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}
