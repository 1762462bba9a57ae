//! Weights of a network ↔ safetensors bytes. Knows architectures and the format; no executor, no I/O.

use crate::arch::Architecture;
use crate::ops::Role;
use crate::weights::{self, Header, Precision, Tensor, Weights, WeightsError};
use std::collections::BTreeMap;

/// The metadata key under which the project's own recipes write the test error in percent.
pub const TEST_ERROR: &str = "test_error_percent";

/// What a file says of itself, by name.
type Metadata = BTreeMap<String, String>;

/// Reads a network's parameters, one vector each in the graph's order. What the architecture itself gives (`Role::Fixed`: LeNet's
/// RBF centres) may be missing from the file.
///
/// # Errors
/// [`WeightsError`]: not safetensors, cut short, or not the weights of this network.
pub fn read(net: &Architecture, file: &[u8]) -> Result<(Vec<Vec<f32>>, Metadata), WeightsError> {
    let header = Header::parse(file)?;
    let there = |name: &str| header.entries.iter().any(|e| e.name == name);
    let wanted = |p: &&crate::graph::GraphParam| !matches!(p.param.role, Role::Fixed(_)) || there(&p.name);
    let params = net.graph.params();
    let read =
        weights::read_wanted(file, params.iter().filter(wanted).map(|p| (p.name.as_str(), p.param.shape.as_slice())))?;
    let mut found = read.tensors.into_iter();
    let mut out = Vec::with_capacity(params.len());
    for p in params {
        let mut data = match (&p.param.role, wanted(&p)) {
            (Role::Fixed(values), false) => values.clone(),
            _ => found.next().map(|t| t.data).unwrap_or_default(),
        };
        p.param.mask(&mut data);
        out.push(data);
    }
    Ok((out, read.metadata))
}

/// The file of a network's parameters, f32.
///
/// # Errors
/// [`WeightsError::NonFinite`] where training went astray.
pub fn write(net: &Architecture, params: &[Vec<f32>], metadata: Metadata) -> Result<Vec<u8>, WeightsError> {
    let named = net.graph.params().iter().zip(params);
    let tensors =
        named.map(|(p, data)| Tensor { name: p.name.clone(), shape: p.param.shape.clone(), data: data.clone() });
    weights::write(&Weights { tensors: tensors.collect(), metadata }, Precision::F32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::variant;

    #[test]
    fn what_is_written_is_read_and_fixed_centres_may_be_missing() {
        let net = variant("lenet5").unwrap().build().unwrap();
        let params = net.initial(7);
        let file = write(&net, &params, BTreeMap::new()).unwrap();
        assert_eq!(read(&net, &file).unwrap().0, params);
        let mut named = weights::read(&file).unwrap();
        named.tensors.retain(|t| t.name != "output.weight");
        assert_eq!(named.tensors.len(), params.len() - 1);
        let file = weights::write(&named, Precision::F32).unwrap();
        assert_eq!(read(&net, &file).unwrap().0, params);
        named.tensors.retain(|t| t.name != "f6.bias");
        let file = weights::write(&named, Precision::F32).unwrap();
        assert!(matches!(read(&net, &file), Err(WeightsError::Mismatch(_))));
    }
}
