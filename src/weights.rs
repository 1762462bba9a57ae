//! Weights in safetensors files: bytes ↔ named float arrays. Knows names, shapes and number formats, not networks: what a network
//! wants comes as a list of names and shapes. A file is checked whole before anything is read from it.
//!
//! Format: <https://github.com/huggingface/safetensors>: 8 bytes with the header's length, the header in JSON, then the data.
//!
//! | file | what |
//! |---|---|
//! | `header.rs` | what a file says of itself |
//! | `names.rs` | what other programs call the tensors |
//! | `reader.rs` | tensors from bytes as they arrive, from one file or several |
//! | `shards.rs` | the index of several files |
//! | `write.rs` | a file of tensors |

use crate::data::looks::Looks;
use std::collections::BTreeMap;
use std::fmt;

mod header;
mod names;
mod reader;
pub mod shards;
mod write;

pub use header::{Entry, Header};
pub use reader::{Found, Reader, Wanted};
pub use write::write;

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
        got: u64,
        /// Bytes that its own header asks for.
        expected: u64,
        /// Whether not even the header is whole, so that more may be missing.
        at_least: bool,
    },
    /// Too many bytes.
    #[error("The file has {got} bytes, {} more than its header speaks of.", got - expected)]
    Trailing {
        /// Bytes present.
        got: u64,
        /// Bytes that its own header asks for.
        expected: u64,
    },
    /// The header contradicts itself; what the parser says.
    #[error("The header of the file is damaged: {0}.")]
    Header(String),
    /// `model.safetensors.index.json`, or what passes for it, is of no use; why.
    #[error("This is no index of weights in several files: {0}.")]
    Index(String),
    /// An index without its files.
    #[error("This is the index of weights that lie in several files. Choose these together with it: {}.", .0.join(", "))]
    Shards(Vec<String>),
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
    /// No room.
    #[error("There is not enough memory: a tensor of {} MB does not fit.", bytes.div_ceil(1 << 20))]
    Memory {
        /// Bytes of the tensor that did not fit.
        bytes: u64,
    },
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

fn non_finite(name: &str, data: &[f32]) -> Option<NonFinite> {
    let count = data.iter().filter(|v| !v.is_finite()).count();
    (count > 0).then(|| NonFinite { name: name.to_owned(), count, of: data.len() })
}

/// A reader of one file that is there, past its header.
fn of_file(file: &[u8]) -> Result<Reader, WeightsError> {
    let mut reader = Reader::new(1);
    reader.set_len(0, file.len() as u64);
    reader.feed(0, file)?;
    Ok(reader)
}

/// Reads all arrays of a file, in the order of their bytes.
///
/// # Errors
/// [`WeightsError`].
pub fn read(file: &[u8]) -> Result<Weights, WeightsError> {
    let mut reader = of_file(file)?;
    let named: Vec<(String, Vec<usize>)> = reader.entries().map(|e| (e.name.clone(), e.shape.clone())).collect();
    let wanted: Vec<Wanted<'_>> = named.iter().map(|(name, shape)| Wanted { name, shape, optional: None }).collect();
    reader.select(&wanted)?;
    let (found, metadata) = reader.finish()?;
    let tensors = named.into_iter().zip(found.into_iter().flatten());
    Ok(Weights { tensors: tensors.map(|((name, shape), data)| Tensor { name, shape, data }).collect(), metadata })
}

/// Reads the weights of a network that wants exactly these names and shapes, in this order, under its own names.
///
/// # Errors
/// [`WeightsError`]; one tells all that is missing, surplus or misshapen.
pub fn read_wanted<'a>(
    file: &[u8],
    wanted: impl IntoIterator<Item = (&'a str, &'a [usize])>,
) -> Result<Weights, WeightsError> {
    let wanted: Vec<Wanted<'_>> =
        wanted.into_iter().map(|(name, shape)| Wanted { name, shape, optional: None }).collect();
    let mut reader = of_file(file)?;
    reader.select(&wanted)?;
    let (found, metadata) = reader.finish()?;
    let tensor = |(w, data): (&Wanted<'_>, Vec<f32>)| Tensor { name: w.name.into(), shape: w.shape.to_vec(), data };
    Ok(Weights { tensors: wanted.iter().zip(found.into_iter().flatten()).map(tensor).collect(), metadata })
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;
    use safetensors::Dtype;

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
        assert_eq!(header.file_len, file.len() as u64);
        for cut in 0..file.len() {
            match read(&file[..cut]).unwrap_err() {
                WeightsError::NotSafetensors(_) => assert!(cut < 9, "{cut}"),
                WeightsError::Truncated { got, expected, at_least: true } => {
                    assert!(got == cut as u64 && expected > got && expected < header.file_len)
                }
                WeightsError::Truncated { got, expected, at_least: false } => {
                    assert_eq!((got, expected), (cut as u64, header.file_len))
                }
                other => panic!("{cut}: {other}"),
            }
        }
        let words = read(&file[..file.len() - 1]).unwrap_err().to_string();
        assert_eq!(words, format!("The file is cut short: it has {} of {} bytes.", file.len() - 1, file.len()));
        let words = read(&[&file[..], b"abc"].concat()).unwrap_err().to_string();
        assert_eq!(words, format!("The file has {} bytes, 3 more than its header speaks of.", file.len() + 3));
        // A header that contradicts itself: the shape says 7 values, the offsets 6.
        let data = header.data as usize;
        let text = String::from_utf8_lossy(&file[..data]).replace("[2,3]", "[2,4]");
        let damaged = [text.as_bytes(), &file[data..]].concat();
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
