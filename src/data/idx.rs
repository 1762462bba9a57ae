//! IDX, the form of the MNIST files: reading (plain or gzipped, by its first bytes, since some servers unpack `.gz` on the way)
//! and writing. Bytes in, arrays out; progress and fetching are the caller's.
//!
//! Source: "The IDX file format", <http://yann.lecun.com/exdb/mnist/>: two zero bytes, the type of the elements, the number of
//! dimensions, each dimension as a big-endian u32, then the elements, row-major, big-endian.

use super::gzip;
use super::looks::Looks;
use std::io::{self, Read};

/// The type of the elements of an IDX array: the code in the file's third byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Dtype {
    /// Unsigned bytes: pictures and class numbers.
    U8 = 0x08,
    /// Big-endian 32-bit integers: places in another file.
    I32 = 0x0C,
}

impl Dtype {
    const fn size(self) -> u64 {
        match self {
            Self::U8 => 1,
            Self::I32 => 4,
        }
    }
}

/// An array as it lies in the file: `bytes` holds product(dims) elements, row-major, big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array<const RANK: usize> {
    /// The extent of each dimension, outermost first.
    pub dims: [usize; RANK],
    /// The elements.
    pub bytes: Vec<u8>,
}

/// Why some bytes are not the wanted IDX array. Each message goes on after the name of the file: “the images file …”.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdxError {
    /// Something else altogether.
    #[error("is not an IDX file: it looks like {0}")]
    NotIdx(Looks),
    /// An IDX file of another element type; the type's code.
    #[error("holds elements of type 0x{got:02x}, not 0x{expected:02x}")]
    Dtype {
        /// The code in the file.
        got: u8,
        /// The code of the wanted type.
        expected: u8,
    },
    /// An IDX file of another number of dimensions: the files were exchanged, say.
    #[error("has {got} dimension(s) where {expected} were wanted (MNIST’s images have 3, its labels 1)")]
    Rank {
        /// Dimensions in the file.
        got: u8,
        /// Dimensions wanted.
        expected: u8,
    },
    /// Too few bytes; both numbers count the unpacked file from its first byte.
    #[error("is cut short: it has {got} of {expected} bytes")]
    Truncated {
        /// Bytes present.
        got: u64,
        /// Bytes that its own header asks for.
        expected: u64,
    },
    /// Too many bytes.
    #[error("goes on after its {expected} bytes")]
    Trailing {
        /// Bytes that its own header asks for.
        expected: u64,
    },
    /// The gzip around it cannot be unpacked to its end.
    #[error("is a damaged gzip file: after {unpacked} unpacked bytes, {reason}")]
    Gzip {
        /// Bytes that came out before the fault.
        unpacked: u64,
        /// The unpacker's word for it.
        reason: String,
    },
}

/// Reads a file that holds one array and nothing else.
pub fn read<const RANK: usize>(file: &[u8], dtype: Dtype) -> Result<Array<RANK>, IdxError> {
    let mut reader = Reader::new(file);
    let array = reader.array(dtype)?;
    reader.end()?;
    Ok(array)
}

/// Reads arrays that lie one after the other in a file, plain or gzipped as a whole.
pub struct Reader<'a> {
    file: &'a [u8],
    unpacked: Box<dyn Read + 'a>,
    gzip: bool,
    /// Unpacked bytes so far.
    got: u64,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of a file.
    pub fn new(file: &'a [u8]) -> Self {
        Self { file, unpacked: gzip::open(file), gzip: gzip::is_packed(file), got: 0 }
    }

    /// The next array.
    pub fn array<const RANK: usize>(&mut self, dtype: Dtype) -> Result<Array<RANK>, IdxError> {
        let start = self.got;
        let magic = self.bytes(4)?;
        let &[0, 0, code, rank] = &magic[..] else {
            let looks = if self.gzip { Looks::at(&magic) } else { Looks::at(self.file) };
            return Err(IdxError::NotIdx(looks));
        };
        if code != dtype as u8 {
            return Err(IdxError::Dtype { got: code, expected: dtype as u8 });
        }
        if usize::from(rank) != RANK {
            return Err(IdxError::Rank { got: rank, expected: RANK as u8 });
        }

        let header = 4 * RANK as u64;
        let sizes = self.bytes(header)?;
        if (sizes.len() as u64) < header {
            return Err(IdxError::Truncated { got: self.got, expected: start + 4 + header });
        }
        let mut dims = [0; RANK];
        for (dim, size) in dims.iter_mut().zip(sizes.as_chunks::<4>().0) {
            *dim = u32::from_be_bytes(*size) as usize;
        }
        // Saturating: a header may claim more than fits into 64 bits. It is refused below, for lack of bytes.
        let length = dims.iter().fold(dtype.size(), |n, &dim| n.saturating_mul(dim as u64));
        let bytes = self.bytes(length)?;
        if (bytes.len() as u64) < length {
            let expected = (start + 4 + header).saturating_add(length);
            return Err(IdxError::Truncated { got: self.got, expected });
        }
        Ok(Array { dims, bytes })
    }

    /// Makes sure that the file ends here.
    pub fn end(&mut self) -> Result<(), IdxError> {
        let expected = self.got;
        if self.bytes(1)?.is_empty() { Ok(()) } else { Err(IdxError::Trailing { expected }) }
    }

    /// The next `length` bytes, or those that are left.
    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, IdxError> {
        // Room for what the file can hold at most (deflate packs 1032 to 1), whatever its header claims.
        let most = self.file.len() as u64 * if self.gzip { 1032 } else { 1 };
        let mut bytes = Vec::with_capacity(length.min(most) as usize);
        let result = self.unpacked.by_ref().take(length).read_to_end(&mut bytes);
        self.got += bytes.len() as u64;
        match result {
            Ok(_) => Ok(bytes),
            Err(error) => Err(IdxError::Gzip { unpacked: self.got, reason: reason(&error) }),
        }
    }
}

/// The unpacker's error in words. Its own for a file that just ends is an empty “unexpected end of file”.
fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof { "the file ends".to_owned() } else { error.to_string() }
}

/// The bytes of an IDX file of one array (not gzipped). `bytes` are its elements, big-endian.
pub fn write<const RANK: usize>(dtype: Dtype, array: &Array<RANK>) -> Vec<u8> {
    let mut file = vec![0, 0, dtype as u8, RANK as u8];
    for &dim in &array.dims {
        file.extend((dim as u32).to_be_bytes());
    }
    file.extend(&array.bytes);
    file
}
