//! What a file that is not what it should be looks like instead, by its first bytes, in words for an error message.
//! Knows only signatures; decides nothing.

use std::fmt;

/// What the first bytes of a file are the signature of. Its `Display` fits after “it looks like”.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// No bytes at all.
    Empty,
    /// A web page: usually a server's “not found” answer, or a download page saved in place of the file.
    Html,
    /// A JSON document.
    Json,
    /// A Git LFS pointer: three lines of text that stand for the real file in a clone without LFS.
    LfsPointer,
    /// A ZIP archive, which is also what `torch.save` writes (`.pt`, `.pth`, `pytorch_model.bin`).
    Zip,
    /// A Python pickle: `torch.save` before PyTorch 1.6.
    Pickle,
    /// gzip.
    Gzip,
    /// A tar archive.
    Tar,
    /// HDF5: Keras' `.h5`.
    Hdf5,
    /// NumPy's `.npy`.
    Npy,
    /// A picture in PNG or JPEG.
    Picture,
    /// An IDX file: MNIST's form.
    Idx,
    /// None of those; its first four bytes (fewer in a shorter file, then padded with zeros).
    Unknown([u8; 4]),
}

impl Looks {
    /// Judges the first bytes of a file.
    pub fn at(bytes: &[u8]) -> Self {
        let text = bytes.trim_ascii_start();
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).trim_ascii_start();
        let tag = text.get(..5).unwrap_or(text).to_ascii_lowercase();
        match bytes {
            [] => Self::Empty,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x80, 2..=5, ..] => Self::Pickle,
            [0x89, b'H', b'D', b'F', ..] => Self::Hdf5,
            [0x93, b'N', b'U', b'M', ..] => Self::Npy,
            [0x89, b'P', b'N', b'G', ..] | [0xFF, 0xD8, 0xFF, ..] => Self::Picture,
            [0, 0, 8..=9 | 0xB..=0xE, 1..=8, ..] => Self::Idx,
            _ if bytes.get(257..262) == Some(b"ustar") => Self::Tar,
            _ if bytes.starts_with(b"version https://git-lfs") => Self::LfsPointer,
            _ if tag.starts_with(b"<!doc") || tag.starts_with(b"<html") || tag.starts_with(b"<?xml") => Self::Html,
            _ if matches!(text.first(), Some(b'{' | b'[')) => Self::Json,
            _ => {
                let mut first = [0; 4];
                first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                Self::Unknown(first)
            }
        }
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::Html => "a web page, perhaps a server’s “not found”",
            Self::Json => "a JSON document",
            Self::LfsPointer => "a Git LFS pointer, which only names the real file (git lfs pull fetches it)",
            Self::Zip => "a ZIP archive",
            Self::Pickle => "a Python pickle",
            Self::Gzip => "a gzip file",
            Self::Tar => "a tar archive, to be unpacked first",
            Self::Hdf5 => "an HDF5 file",
            Self::Npy => "a NumPy array (.npy)",
            Self::Picture => "a picture",
            Self::Idx => "an IDX file, MNIST’s form",
            Self::Unknown([a, b, c, d]) => {
                return write!(f, "nothing known (first bytes {a:02x} {b:02x} {c:02x} {d:02x})");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures() {
        for (bytes, expected) in [
            (&b""[..], Looks::Empty),
            (b"\n <!DOCTYPE html><html>", Looks::Html),
            (b"\xEF\xBB\xBF<HTML>", Looks::Html),
            (b" {\"a\": 1}", Looks::Json),
            (b"version https://git-lfs.github.com/spec/v1\noid", Looks::LfsPointer),
            (b"PK\x03\x04\x00\x00", Looks::Zip),
            (b"\x80\x02\x8a\x0al", Looks::Pickle),
            (b"\x1f\x8b\x08\x00", Looks::Gzip),
            (b"\x89HDF\r\n", Looks::Hdf5),
            (b"\x93NUMPY\x01\x00", Looks::Npy),
            (b"\xff\xd8\xff\xe0", Looks::Picture),
            (b"\x00\x00\x08\x03\x00\x00", Looks::Idx),
            (b"ab", Looks::Unknown([b'a', b'b', 0, 0])),
        ] {
            assert_eq!(Looks::at(bytes), expected, "{bytes:?}");
        }
        let mut tar = [0; 512];
        tar[..5].copy_from_slice(b"a.bin");
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(Looks::at(&tar), Looks::Tar);
        assert_eq!(Looks::at(b"\x01\x02\xab\xff").to_string(), "nothing known (first bytes 01 02 ab ff)");
    }
}
