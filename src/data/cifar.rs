//! CIFAR-10's binary files: `data_batch_1.bin` … `data_batch_5.bin` and `test_batch.bin`, plain or gzipped. Bytes in, pictures out;
//! which files there are is the caller's.
//!
//! Source: A. Krizhevsky, "The CIFAR-10 dataset", <https://www.cs.toronto.edu/~kriz/cifar.html>, binary version: records of a class
//! number and 32×32 reds, greens and blues, row by row, one after the other; no header.

use super::Dataset;
use super::gzip;
use super::looks::Looks;
use std::borrow::Cow;
use std::io::Read;

/// Channels, rows and columns of a picture.
pub const SHAPE: [usize; 3] = [3, 32, 32];
/// Files of training pictures, in their order.
pub const TRAIN: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
/// The file of test pictures.
pub const TEST: [&str; 1] = ["test_batch.bin"];
/// The folder that the archive unpacks to.
pub const FOLDER: &str = "cifar-10-batches-bin";

/// Bytes of a record: the class, then the picture.
const RECORD: usize = 1 + SHAPE[0] * SHAPE[1] * SHAPE[2];
/// Bytes that no such file has: five times as many as the real ones.
const MAX: u64 = 50_000 * RECORD as u64;

/// Why some bytes are no file of CIFAR-10. Each message goes on after the name of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CifarError {
    /// Something else altogether.
    #[error("is not a binary file of CIFAR-10: it looks like {0}")]
    NotCifar(Looks),
    /// Cut short, or too long.
    #[error("has {got} bytes, which is no whole number of pictures ({RECORD} bytes each)")]
    Length {
        /// Bytes, unpacked.
        got: usize,
    },
    /// A class that there is not.
    #[error("has a class {class} at picture {picture}, but CIFAR-10 has classes 0 to 9")]
    Class {
        /// The first such picture.
        picture: usize,
        /// Its class.
        class: u8,
    },
    /// The gzip around it cannot be unpacked to its end.
    #[error("is a damaged gzip file: {0}")]
    Gzip(String),
}

/// The pictures of a file: each its class and its 3×32×32 bytes.
///
/// # Errors
/// [`CifarError`].
pub fn read(file: &[u8]) -> Result<Dataset, CifarError> {
    let unpacked = unpack(file)?;
    let (records, rest) = unpacked.as_chunks::<RECORD>();
    let wrong = records.iter().position(|record| record[0] > 9);
    if !rest.is_empty() || wrong.is_some() || records.is_empty() {
        // There is no signature: what is known to be something else is told as that.
        let looks = Looks::at(&unpacked);
        return Err(match wrong {
            _ if !matches!(looks, Looks::Unknown(_) | Looks::Idx) => CifarError::NotCifar(looks),
            Some(picture) if rest.is_empty() => CifarError::Class { picture, class: records[picture][0] },
            _ => CifarError::Length { got: unpacked.len() },
        });
    }
    Ok(Dataset {
        images: records.iter().flat_map(|record| &record[1..]).copied().collect(),
        labels: records.iter().map(|record| record[0]).collect(),
        shape: SHAPE,
    })
}

fn unpack(file: &[u8]) -> Result<Cow<'_, [u8]>, CifarError> {
    if !gzip::is_packed(file) {
        return Ok(Cow::Borrowed(file));
    }
    let mut bytes = Vec::new();
    let read = gzip::open(file).take(MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| CifarError::Gzip(error.to_string()))?;
    Ok(Cow::Owned(bytes))
}
