//! What a safetensors file says of itself: names, shapes, number formats, places. Knows the format; trusts nothing that it says.

use super::WeightsError;
use crate::data::looks::Looks;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use std::collections::BTreeMap;
use std::ops::Range;

/// What a file says about one of its arrays.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The array's name.
    pub name: String,
    /// Its extents, outermost first.
    pub shape: Vec<usize>,
    /// Where its bytes lie in the file.
    pub bytes: Range<u64>,
    pub(super) dtype: Dtype,
}

/// The beginning of a file: all that it says of itself. Parsed from a prefix, so that weights can be read while they arrive.
#[derive(Clone, Debug)]
pub struct Header {
    /// The arrays in the order of their bytes, without gaps between them.
    pub entries: Vec<Entry>,
    /// Free text by name.
    pub metadata: BTreeMap<String, String>,
    /// Where the arrays' bytes begin.
    pub data: u64,
    /// Bytes of the whole file.
    pub file_len: u64,
}

/// Bytes before the header: its length.
pub(super) const LENGTH: usize = 8;
/// The format's own limit to the header.
const MAX_HEADER: u64 = 100_000_000;

impl Header {
    /// Parses the beginning of a file. [`WeightsError::Truncated`] with `at_least` tells how many bytes are needed.
    ///
    /// # Errors
    /// [`WeightsError`]: something else, cut short, or a header that contradicts itself.
    pub fn parse(start: &[u8]) -> Result<Self, WeightsError> {
        let not = || WeightsError::NotSafetensors(Looks::at(start));
        let (&length, rest) = start.split_first_chunk::<LENGTH>().ok_or_else(not)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || rest.first() != Some(&b'{') {
            return Err(not());
        }
        let data = LENGTH as u64 + length;
        let json = rest.get(..length as usize).ok_or(WeightsError::Truncated {
            got: start.len() as u64,
            expected: data,
            at_least: true,
        })?;

        // The crate checks that offsets leave no gap, do not overlap, and fit the shapes.
        let header: Metadata = serde_json::from_slice(json).map_err(|error| WeightsError::Header(error.to_string()))?;
        let entry = |name: String| {
            let info = header.info(&name)?;
            let (from, to) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
            let bytes = data.checked_add(from)?..data.checked_add(to)?;
            Some(Entry { shape: info.shape.clone(), bytes, dtype: info.dtype, name })
        };
        let too_large = || WeightsError::Header("it speaks of more bytes than there can be".to_owned());
        Ok(Self {
            entries: header.offset_keys().into_iter().map(entry).collect::<Option<_>>().ok_or_else(too_large)?,
            metadata: header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            data,
            file_len: data.checked_add(header.data_len() as u64).ok_or_else(too_large)?,
        })
    }
}

impl Entry {
    /// The format's word for the numbers.
    pub(super) fn dtype(&self) -> String {
        format!("{:?}", self.dtype)
    }

    /// Bytes of a number, where it is of a kind that weights have here.
    pub(super) const fn width(&self) -> Option<usize> {
        match self.dtype {
            Dtype::F32 => Some(4),
            Dtype::F16 | Dtype::BF16 => Some(2),
            _ => None,
        }
    }
}
