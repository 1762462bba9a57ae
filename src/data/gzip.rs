//! Files that lie packed by gzip on disks and servers. Knows bytes, no format within.

use super::looks::Looks;
use std::io::Read;

/// The bytes of a file, plain or gzipped, by its first bytes (some servers unpack on the way). In the page it is the browser that
/// unpacks, before a file comes here (`engine/worker.rs`): an unpacker of our own would be a tenth of the engine's program.
pub fn open<'a>(file: &'a [u8]) -> Box<dyn Read + 'a> {
    #[cfg(not(target_arch = "wasm32"))]
    if is_packed(file) {
        return Box::new(flate2::bufread::MultiGzDecoder::new(file));
    }
    Box::new(file)
}

/// Whether [`open`] unpacks this file.
pub fn is_packed(file: &[u8]) -> bool {
    cfg!(not(target_arch = "wasm32")) && Looks::at(file) == Looks::Gzip
}
