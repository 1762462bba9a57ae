//! Weights in safetensors files: bytes ↔ named float arrays. Knows names, shapes and number formats, not networks: what a network
//! wants comes as a list of names and shapes. A file is checked whole before anything is read from it.
//!
//! Format: <https://github.com/huggingface/safetensors>: 8 bytes with the header's length, the header in JSON, then the data.

use crate::data::looks::Looks;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::ser::SerializeMap;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;

/// What makes a safetensors file of a PyTorch `state_dict`, in one line for a terminal.
pub const CONVERT: &str = "python3 -c \"import torch, safetensors.torch as s; w = torch.load('model.pth', map_location='cpu', weights_only=True); \
s.save_file({k: v.contiguous() for k, v in w.get('state_dict', w).items()}, 'model.safetensors')\"";

/// A named array, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// PyTorch's name, `features.0.weight` say.
    pub name: String,
    /// Extents, outermost first; none for a single number.
    pub shape: Vec<usize>,
    /// product(shape) values.
    pub data: Vec<f32>,
}

/// All of a file: the arrays, and what else it says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// The arrays.
    pub tensors: Vec<Tensor>,
    /// Free text by name: who made it, from what, how.
    pub metadata: BTreeMap<String, String>,
}

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits: exact.
    F32,
    /// 16 bits: half the size, three decimal digits, up to 65,504.
    F16,
}

/// Why weights cannot be read or written. Every message is a sentence for the reader of the page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Something else altogether.
    #[error("This is not a safetensors file: it looks like {0}.{help}", help = help(*.0))]
    NotSafetensors(Looks),
    /// Too few bytes.
    #[error("The file is cut short: it has {got} of {}{expected} bytes.", if *.at_least { "at least " } else { "" })]
    Truncated {
        /// Bytes present.
        got: usize,
        /// Bytes that its own header asks for.
        expected: usize,
        /// Whether not even the header is whole, so that more may be missing.
        at_least: bool,
    },
    /// Too many bytes.
    #[error("The file has {got} bytes, {} more than its header speaks of.", got - expected)]
    Trailing {
        /// Bytes present.
        got: usize,
        /// Bytes that its own header asks for.
        expected: usize,
    },
    /// The header contradicts itself; what the parser says.
    #[error("The header of the file is damaged: {0}.")]
    Header(String),
    /// Not the weights of this network.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Numbers of a kind that weights do not have here.
    #[error("The tensor {name} holds numbers of type {dtype}; f32, f16 and bf16 can be read.")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type, in the format's words.
        dtype: String,
    },
    /// Infinities or NaN, which would spread to every output.
    #[error("{}", .0.iter().map(NonFinite::to_string).collect::<Vec<_>>().join(" "))]
    NonFinite(Vec<NonFinite>),
    /// A tensor to be written whose data do not fit its shape.
    #[error("The tensor {name} of shape {shape:?} has {got} values.")]
    Length {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its values.
        got: usize,
    },
}

/// A tensor with numbers that are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonFinite {
    /// The tensor.
    pub name: String,
    /// How many of its values are infinite or NaN.
    pub count: usize,
    /// How many values it has.
    pub of: usize,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The tensor {} has {} infinite or undefined values of {}.", self.name, self.count, self.of)
    }
}

/// Everything in which a file differs from what a network wants, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Wanted and not there: name and wanted shape, in the network's order.
    pub missing: Vec<(String, Vec<usize>)>,
    /// There and not wanted: name and shape, in the file's order.
    pub surplus: Vec<(String, Vec<usize>)>,
    /// There in another shape: name, wanted shape, shape in the file.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("These are not the weights of this network, and nothing was changed.")?;
        let mut list = |title: &str, items: Vec<String>| match items.len() {
            0 => Ok(()),
            n => write!(f, "\n{title} ({n}): {}", items.join(", ")),
        };
        let named =
            |items: &[(String, Vec<usize>)]| items.iter().map(|(name, shape)| format!("{name} {shape:?}")).collect();
        list("Missing", named(&self.missing))?;
        list("Not part of it", named(&self.surplus))?;
        let misshapen =
            self.misshapen.iter().map(|(name, wanted, got)| format!("{name} {got:?} instead of {wanted:?}"));
        list("Of another shape", misshapen.collect())
    }
}

/// The advice that goes with a file that is something else.
fn help(looks: Looks) -> String {
    match looks {
        Looks::Zip | Looks::Pickle => {
            format!(" If PyTorch saved it (.pt, .pth, .bin), this line converts it:\n{CONVERT}")
        }
        Looks::Gzip => " Unpack it first.".to_owned(),
        _ => String::new(),
    }
}

/// What a file says about one of its arrays.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The array's name.
    pub name: String,
    /// Its extents, outermost first.
    pub shape: Vec<usize>,
    /// Where its bytes lie in the file.
    pub bytes: Range<usize>,
    dtype: Dtype,
}

/// The beginning of a file: all that it says of itself. Parsed from a prefix, so that weights can be read while they arrive.
#[derive(Clone, Debug)]
pub struct Header {
    /// The arrays in the order of their bytes.
    pub entries: Vec<Entry>,
    /// Free text by name.
    pub metadata: BTreeMap<String, String>,
    /// Bytes of the whole file.
    pub file_len: usize,
}

/// Bytes before the header: its length.
const LENGTH: usize = 8;
/// The format's own limit to the header.
const MAX_HEADER: u64 = 100_000_000;

impl Header {
    /// Parses the beginning of a file. [`WeightsError::Truncated`] with `at_least` tells how many bytes are needed.
    pub fn parse(start: &[u8]) -> Result<Self, WeightsError> {
        let not = || WeightsError::NotSafetensors(Looks::at(start));
        let (&length, rest) = start.split_first_chunk::<LENGTH>().ok_or_else(not)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || rest.first() != Some(&b'{') {
            return Err(not());
        }
        let length = length as usize;
        let json = rest.get(..length).ok_or(WeightsError::Truncated {
            got: start.len(),
            expected: LENGTH + length,
            at_least: true,
        })?;

        // The crate checks that offsets leave no gap, do not overlap, and fit the shapes.
        let header: Metadata = serde_json::from_slice(json).map_err(|error| WeightsError::Header(error.to_string()))?;
        let data = LENGTH + length;
        let entry = |name: String| {
            let info = header.info(&name)?;
            let (from, to) = info.data_offsets;
            Some(Entry { shape: info.shape.clone(), bytes: data + from..data + to, dtype: info.dtype, name })
        };
        Ok(Self {
            entries: header.offset_keys().into_iter().filter_map(entry).collect(),
            metadata: header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            file_len: data + header.data_len(),
        })
    }

    /// The entries of the wanted names, in the wanted order, if the file has exactly these, in these shapes.
    ///
    /// PyTorch's `num_batches_tracked` (a counter beside each batch normalisation) may be there: it has no part in any output.
    pub fn select<'a>(
        &self,
        wanted: impl IntoIterator<Item = (&'a str, &'a [usize])>,
    ) -> Result<Vec<&Entry>, Mismatch> {
        let mut rest: HashMap<&str, &Entry> = self.entries.iter().map(|entry| (&entry.name[..], entry)).collect();
        let mut mismatch = Mismatch::default();
        let mut selected = Vec::new();
        for (name, shape) in wanted {
            match rest.remove(name) {
                None => mismatch.missing.push((name.to_owned(), shape.to_vec())),
                Some(entry) if entry.shape != shape => {
                    mismatch.misshapen.push((name.to_owned(), shape.to_vec(), entry.shape.clone()));
                }
                Some(entry) => selected.push(entry),
            }
        }
        let surplus =
            self.entries.iter().filter(|e| rest.contains_key(&e.name[..]) && !e.name.ends_with("num_batches_tracked"));
        mismatch.surplus = surplus.map(|entry| (entry.name.clone(), entry.shape.clone())).collect();
        if mismatch == Mismatch::default() { Ok(selected) } else { Err(mismatch) }
    }
}

impl Entry {
    /// Turns the array's `bytes` into floats. Infinities and NaN are refused.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<f32>, WeightsError> {
        let data: Vec<f32> = match self.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            other => return Err(WeightsError::Dtype { name: self.name.clone(), dtype: format!("{other:?}") }),
        };
        match non_finite(&self.name, &data) {
            None => Ok(data),
            Some(fault) => Err(WeightsError::NonFinite(vec![fault])),
        }
    }
}

fn non_finite(name: &str, data: &[f32]) -> Option<NonFinite> {
    let count = data.iter().filter(|v| !v.is_finite()).count();
    (count > 0).then(|| NonFinite { name: name.to_owned(), count, of: data.len() })
}

/// Parses the header of a whole file, and makes sure that it is whole.
fn whole(file: &[u8]) -> Result<Header, WeightsError> {
    let header = Header::parse(file)?;
    let (got, expected) = (file.len(), header.file_len);
    match got.cmp(&expected) {
        std::cmp::Ordering::Less => Err(WeightsError::Truncated { got, expected, at_least: false }),
        std::cmp::Ordering::Greater => Err(WeightsError::Trailing { got, expected }),
        std::cmp::Ordering::Equal => Ok(header),
    }
}

fn decode_all(file: &[u8], header: &Header, entries: Vec<&Entry>) -> Result<Weights, WeightsError> {
    let mut tensors = Vec::with_capacity(entries.len());
    let mut faults = Vec::new();
    for entry in entries {
        match entry.decode(file.get(entry.bytes.clone()).unwrap_or_default()) {
            Ok(data) => tensors.push(Tensor { name: entry.name.clone(), shape: entry.shape.clone(), data }),
            Err(WeightsError::NonFinite(fault)) => faults.extend(fault),
            Err(error) => return Err(error),
        }
    }
    if faults.is_empty() {
        Ok(Weights { tensors, metadata: header.metadata.clone() })
    } else {
        Err(WeightsError::NonFinite(faults))
    }
}

/// Reads all arrays of a file, in the order of their bytes.
pub fn read(file: &[u8]) -> Result<Weights, WeightsError> {
    let header = whole(file)?;
    decode_all(file, &header, header.entries.iter().collect())
}

/// Reads the weights of a network that wants exactly these names and shapes, in this order.
/// One error tells all that is missing, surplus or misshapen.
pub fn read_wanted<'a>(
    file: &[u8],
    wanted: impl IntoIterator<Item = (&'a str, &'a [usize])>,
) -> Result<Weights, WeightsError> {
    let header = whole(file)?;
    decode_all(file, &header, header.select(wanted)?)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, shape: &[usize], data: &[f32]) -> Tensor {
        Tensor { name: name.to_owned(), shape: shape.to_vec(), data: data.to_vec() }
    }

    fn weights() -> Weights {
        Weights {
            tensors: vec![
                tensor("fc.weight", &[2, 3], &[0.5, -1.25, 3.0, 1e-3, 65504.0, -0.0]),
                tensor("conv.bias", &[1], &[0.1]),
                tensor("scale", &[], &[7.0]),
                tensor("none", &[0, 4], &[]),
            ],
            metadata: ["seed", "format", "b", "a"].map(|k| (k.to_owned(), format!("{k} “1”"))).into(),
        }
    }

    const WANTED: [(&str, &[usize]); 4] =
        [("scale", &[]), ("none", &[0, 4]), ("conv.bias", &[1]), ("fc.weight", &[2, 3])];

    #[test]
    fn what_is_written_is_read() {
        let file = write(&weights(), Precision::F32).unwrap();
        assert_eq!(read(&file).unwrap(), weights());
        assert_eq!(file, write(&weights(), Precision::F32).unwrap());
        // In the order of the network.
        let names: Vec<String> = read_wanted(&file, WANTED).unwrap().tensors.into_iter().map(|t| t.name).collect();
        assert_eq!(names, WANTED.map(|(name, _)| name));
        // As the format's own crate sees it.
        let other = safetensors::SafeTensors::deserialize(&file).unwrap();
        assert_eq!(other.tensor("fc.weight").unwrap().shape(), [2, 3]);
        assert_eq!(other.tensor("conv.bias").unwrap().data(), 0.1f32.to_le_bytes());
    }

    #[test]
    fn half_precision_rounds_to_the_nearest() {
        let read = read(&write(&weights(), Precision::F16).unwrap()).unwrap();
        assert_eq!(read.tensors[0].data[..3], [0.5, -1.25, 3.0]);
        assert_eq!(read.tensors[0].data[4], 65504.0);
        assert!((read.tensors[1].data[0] - 0.1).abs() < 0.1 / 2048.0 && read.tensors[1].data[0] != 0.1);
    }

    #[test]
    fn bf16_and_files_of_the_crates_own_writer_are_read() {
        let values: Vec<u8> = [1.0f32, -2.5, 3.0e38].iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect();
        let view = safetensors::tensor::TensorView::new(Dtype::BF16, vec![3], &values).unwrap();
        let file = safetensors::serialize([("x", &view)], Some([("k".to_owned(), "v".to_owned())].into())).unwrap();
        let read = read(&file).unwrap();
        assert_eq!((&read.tensors[0].data[..2], read.tensors[0].shape[0]), (&[1.0, -2.5][..], 3));
        assert!((read.tensors[0].data[2] / 3.0e38 - 1.0).abs() < 1.0 / 256.0);
        assert_eq!(read.metadata["k"], "v");
    }

    #[test]
    fn all_differences_are_told_at_once() {
        let file = write(&weights(), Precision::F32).unwrap();
        let wanted: [(&str, &[usize]); 4] =
            [("fc.weight", &[3, 2]), ("fc.bias", &[3]), ("scale", &[]), ("conv.weight", &[1, 2])];
        let error = read_wanted(&file, wanted).unwrap_err();
        let WeightsError::Mismatch(mismatch) = &error else { panic!("{error}") };
        assert_eq!(mismatch.missing, [("fc.bias".to_owned(), vec![3]), ("conv.weight".to_owned(), vec![1, 2])]);
        assert_eq!(mismatch.surplus, [("conv.bias".to_owned(), vec![1]), ("none".to_owned(), vec![0, 4])]);
        assert_eq!(mismatch.misshapen, [("fc.weight".to_owned(), vec![3, 2], vec![2, 3])]);
        assert_eq!(
            error.to_string(),
            "These are not the weights of this network, and nothing was changed.\n\
             Missing (2): fc.bias [3], conv.weight [1, 2]\n\
             Not part of it (2): conv.bias [1], none [0, 4]\n\
             Of another shape (1): fc.weight [2, 3] instead of [3, 2]"
        );
    }

    #[test]
    fn batch_counters_are_no_surplus_but_integers_are_no_weights() {
        let count = 5i64.to_le_bytes();
        let view = safetensors::tensor::TensorView::new(Dtype::I64, vec![], &count).unwrap();
        let file = safetensors::serialize([("bn1.num_batches_tracked", &view)], None).unwrap();
        assert_eq!(read_wanted(&file, []).unwrap(), Weights::default());
        let dtype = WeightsError::Dtype { name: "bn1.num_batches_tracked".to_owned(), dtype: "I64".to_owned() };
        assert_eq!(read(&file).unwrap_err(), dtype);
    }

    #[test]
    fn numbers_that_are_none_are_refused_both_ways() {
        let mut bad = weights();
        bad.tensors[0].data[1] = f32::NAN;
        bad.tensors[0].data[2] = f32::INFINITY;
        bad.tensors[1].data[0] = f32::NEG_INFINITY;
        let fault = |name: &str, count, of| NonFinite { name: name.to_owned(), count, of };
        let expected = WeightsError::NonFinite(vec![fault("fc.weight", 2, 6), fault("conv.bias", 1, 1)]);
        assert_eq!(write(&bad, Precision::F32).unwrap_err(), expected);
        assert_eq!(write(&bad, Precision::F16).unwrap_err(), expected);
        assert!(expected.to_string().contains("fc.weight has 2 infinite or undefined values of 6."), "{expected}");
        // Too large for 16 bits.
        let mut large = weights();
        large.tensors[2].data[0] = 70_000.0;
        assert_eq!(write(&large, Precision::F16).unwrap_err(), WeightsError::NonFinite(vec![fault("scale", 1, 1)]));
        // The same in a file: overwrite the last two values of a good one.
        let mut file = write(&weights(), Precision::F32).unwrap();
        let at = file.len() - 8;
        file[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        file[at + 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
        let expected = WeightsError::NonFinite(vec![fault("conv.bias", 1, 1), fault("scale", 1, 1)]);
        assert_eq!(
            read_wanted(&file, WANTED.iter().copied()).unwrap_err(),
            WeightsError::NonFinite(vec![fault("scale", 1, 1), fault("conv.bias", 1, 1)])
        );
        assert_eq!(read(&file).unwrap_err(), expected);
    }

    #[test]
    fn a_wrong_shape_is_not_written() {
        let wrong = Weights { tensors: vec![tensor("w", &[2, 2], &[1.0; 3])], ..Weights::default() };
        assert_eq!(
            write(&wrong, Precision::F32).unwrap_err().to_string(),
            "The tensor w of shape [2, 2] has 3 values."
        );
    }

    #[test]
    fn cut_and_lengthened_files_are_told_with_their_numbers() {
        let file = write(&weights(), Precision::F32).unwrap();
        let header = Header::parse(&file).unwrap();
        assert_eq!(header.file_len, file.len());
        for cut in 0..file.len() {
            match read(&file[..cut]).unwrap_err() {
                WeightsError::NotSafetensors(_) => assert!(cut < 9, "{cut}"),
                WeightsError::Truncated { got, expected, at_least: true } => {
                    assert!(got == cut && expected > cut && expected < file.len())
                }
                WeightsError::Truncated { got, expected, at_least: false } => {
                    assert_eq!((got, expected), (cut, file.len()))
                }
                other => panic!("{cut}: {other}"),
            }
        }
        let words = read(&file[..file.len() - 1]).unwrap_err().to_string();
        assert_eq!(words, format!("The file is cut short: it has {} of {} bytes.", file.len() - 1, file.len()));
        let words = read(&[&file[..], b"abc"].concat()).unwrap_err().to_string();
        assert_eq!(words, format!("The file has {} bytes, 3 more than its header speaks of.", file.len() + 3));
        // A header that contradicts itself: the shape says 7 values, the offsets 6.
        let text = String::from_utf8_lossy(&file[..header.file_len - 4 * 8]).replace("[2,3]", "[2,4]");
        let damaged = [text.as_bytes(), &file[header.file_len - 4 * 8..]].concat();
        assert!(matches!(read(&damaged), Err(WeightsError::Header(_))), "{:?}", read(&damaged));
    }

    #[test]
    fn other_files_are_told_by_name() {
        for (bytes, looks, words) in [
            (&b"PK\x03\x04 archive/data.pkl"[..], Looks::Zip, "save_file("),
            (b"\x80\x02}q\x00(X\x06\x00\x00\x00weight", Looks::Pickle, "torch.load('model.pth'"),
            (b"<!DOCTYPE html><title>404</title>", Looks::Html, "a web page"),
            (b"{\"weight_map\": {}}", Looks::Json, "a JSON document"),
            (b"version https://git-lfs.github.com/spec/v1\n", Looks::LfsPointer, "git lfs pull"),
            (b"\x89HDF\r\n\x1a\n_________", Looks::Hdf5, "HDF5"),
            (b"", Looks::Empty, "an empty file"),
            (&[7; 64], Looks::Unknown([7; 4]), "07 07 07 07"),
        ] {
            let error = read(bytes).unwrap_err();
            assert_eq!(error, WeightsError::NotSafetensors(looks));
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(!CONVERT.contains('\n'));
    }
}
