//! Weights of a network ↔ safetensors files, whole or as they arrive. Knows architectures and the format; no executor. Bytes come from
//! [`Pieces`]: a file, a download, a piece of memory.

use super::platform::{FetchError, Files, Local, Pieces};
use crate::arch::Architecture;
use crate::data::looks::Looks;
use crate::ops::Role;
use crate::weights::{self, Found, Precision, Reader, Tensor, Wanted, Weights, WeightsError, shards};
use std::collections::BTreeMap;

/// The metadata key under which the project's own recipes write the test error in percent.
pub const TEST_ERROR: &str = "test_error_percent";

/// The seed of what a file need not bring (auxiliary heads).
const SEED: u64 = 1;

/// What a file says of itself, by name.
type Metadata = BTreeMap<String, String>;

/// Opens the file at an address, or beside a file.
pub type Open<'a> = &'a dyn Fn(&str) -> Local<Result<Box<dyn Pieces>, FetchError>>;

/// Why weights did not come.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The way here.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Bytes in memory as [`Pieces`].
#[derive(Debug)]
pub struct Bytes {
    name: String,
    bytes: Vec<u8>,
    at: usize,
}

impl Bytes {
    /// Bytes in a piece, of a file of this name.
    pub fn new(name: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), bytes, at: 0 }
    }
}

/// Bytes of a piece, where the reader may choose.
pub const PIECE: usize = 1 << 20;

impl Pieces for Bytes {
    fn name(&self) -> &str {
        &self.name
    }
    fn total(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }
    fn next(&mut self) -> Local<Result<Option<Vec<u8>>, FetchError>> {
        let rest = &self.bytes[self.at..];
        let piece = &rest[..rest.len().min(PIECE)];
        self.at += piece.len();
        let piece = (!piece.is_empty()).then(|| piece.to_vec());
        Box::pin(std::future::ready(Ok(piece)))
    }
}

/// What a network wants of a file, in the graph's order. What the architecture itself gives (`Role::Fixed`: LeNet's RBF centres) may be
/// missing, and auxiliary heads, which only training needs, each as a whole.
pub fn wanted(net: &Architecture) -> Vec<Wanted<'_>> {
    let params = net.graph.params();
    let mut optional: Vec<Option<usize>> = (params.iter().enumerate())
        .map(|(i, p)| matches!(p.param.role, Role::Fixed(_)).then_some(net.auxiliary.len() + i))
        .collect();
    let needed = net.inference_nodes();
    for (head, &(output, _)) in net.auxiliary.iter().enumerate() {
        let mut nodes = vec![output];
        while let Some(node) = nodes.pop() {
            if !needed[node] {
                net.graph.params_of(node).for_each(|param| optional[param] = Some(head));
                nodes.extend(&net.graph.nodes()[node].inputs);
            }
        }
    }
    let wanted = params.iter().zip(optional);
    wanted.map(|(p, optional)| Wanted { name: &p.name, shape: &p.param.shape, optional }).collect()
}

/// The parameters, one vector each in the graph's order, of what a file brought.
fn complete(net: &Architecture, (found, metadata): Found) -> (Vec<Vec<f32>>, Metadata) {
    let lacking = found.iter().any(Option::is_none);
    let mut initial = if lacking { net.initial(SEED) } else { vec![Vec::new(); found.len()] };
    let params = net.graph.params().iter().zip(found).zip(&mut initial);
    let params = params.map(|((p, found), initial)| {
        let mut data = found.unwrap_or_else(|| std::mem::take(initial));
        p.param.mask(&mut data);
        data
    });
    (params.collect(), metadata)
}

/// Reads a network's parameters, one vector each in the graph's order, from a file that is there.
///
/// # Errors
/// [`WeightsError`]: not safetensors, cut short, or not the weights of this network.
pub fn read(net: &Architecture, file: &[u8]) -> Result<(Vec<Vec<f32>>, Metadata), WeightsError> {
    let mut reader = Reader::new(1);
    reader.set_len(0, file.len() as u64);
    reader.feed(0, file)?;
    reader.select(&wanted(net))?;
    Ok(complete(net, reader.finish()?))
}

/// Reads a network's parameters from files as they arrive: one, or several that hold a part each, or their index
/// (`model.safetensors.index.json`), with which `open` finds those that are not given. `progress` hears bytes so far and in all.
///
/// Memory: the tensors, and a piece of a file.
///
/// # Errors
/// [`LoadError`]. Names, shapes and lengths are checked before anything but headers is read.
pub async fn load(
    net: &Architecture,
    mut sources: Files,
    open: Open<'_>,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<(Vec<Vec<f32>>, Metadata), LoadError> {
    let mut pieces = first_pieces(&mut sources).await?;
    if let Some(at) = pieces.iter().position(|piece| Looks::at(piece) == Looks::Json) {
        let (mut index, name) = (pieces.remove(at), sources[at].name().to_owned());
        let mut source = sources.remove(at);
        while let Some(piece) = source.next().await? {
            index.extend(piece);
            if index.len() as u64 > shards::MAX {
                return Err(WeightsError::Index("it is too long".to_owned()).into());
            }
        }
        let mut missing = Vec::new();
        for file in shards::files(&index)? {
            if sources.iter().any(|s| s.name().rsplit('/').next() == Some(&file)) {
                continue;
            }
            match open(&shards::beside(&name, &file)).await {
                Ok(source) => sources.push(source),
                Err(_) if !name.contains('/') => missing.push(file),
                Err(error) => return Err(error.into()),
            }
        }
        if !missing.is_empty() {
            return Err(WeightsError::Shards(missing).into());
        }
        let new = first_pieces(&mut sources[pieces.len()..]).await?;
        pieces.extend(new);
    }

    let total = sources.iter().map(|s| s.total()).sum::<Option<u64>>();
    let mut received = 0;
    let mut reader = Reader::new(sources.len());
    for (file, source) in sources.iter_mut().enumerate() {
        source.total().into_iter().for_each(|len| reader.set_len(file, len));
        let first = pieces.get_mut(file).map(std::mem::take).unwrap_or_default();
        received += first.len() as u64;
        reader.feed(file, &first)?;
        while !reader.has_header(file) {
            let Some(piece) = source.next().await? else { break };
            received += piece.len() as u64;
            reader.feed(file, &piece)?;
        }
    }
    reader.select(&wanted(net))?;
    progress(received, total);
    for (file, source) in sources.iter_mut().enumerate() {
        while let Some(piece) = source.next().await? {
            received += piece.len() as u64;
            reader.feed(file, &piece)?;
            progress(received, total);
        }
    }
    Ok(complete(net, reader.finish()?))
}

/// The first piece of each, empty where there is nothing.
async fn first_pieces(sources: &mut [Box<dyn Pieces>]) -> Result<Vec<Vec<u8>>, FetchError> {
    let mut pieces = Vec::with_capacity(sources.len());
    for source in sources {
        pieces.push(source.next().await?.unwrap_or_default());
    }
    Ok(pieces)
}

/// The file of a network's parameters, f32, under its own names: torchvision's, where torchvision has the network.
///
/// # Errors
/// [`WeightsError::NonFinite`] where training went astray.
pub fn write(net: &Architecture, params: &[Vec<f32>], metadata: Metadata) -> Result<Vec<u8>, WeightsError> {
    let named = net.graph.params().iter().zip(params);
    let tensors =
        named.map(|(p, data)| Tensor { name: p.name.clone(), shape: p.param.shape.clone(), data: data.clone() });
    weights::write(&Weights { tensors: tensors.collect(), metadata }, Precision::F32)
}

/// For sources that are all given: there is nothing else to open.
pub fn nothing_else(name: &str) -> Local<Result<Box<dyn Pieces>, FetchError>> {
    let error = FetchError { url: name.into(), reason: "it was not given".into() };
    Box::pin(std::future::ready(Err(error)))
}
