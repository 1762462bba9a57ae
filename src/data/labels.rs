//! Names of classes: a text file with one name a line. Knows the files that come with the page by name; fetches nothing.

use super::looks::Looks;

/// ImageNet's 1,000 classes in the order of torchvision's and timm's outputs, relative to the page. 10 kB: fetched when first wanted.
pub const IMAGENET: &str = "labels/imagenet.txt";

/// CIFAR-10's classes, in the order of its files.
pub const CIFAR10: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Why a file is not the wanted list of names. Each message goes on after the name of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// Something else altogether.
    #[error("is not a list of names: it looks like {0}")]
    NotText(Looks),
    /// Too few or too many lines.
    #[error("has {got} names where {expected} were wanted")]
    Count {
        /// Names in the file.
        got: usize,
        /// Classes of the network.
        expected: usize,
    },
}

/// The names in a file, one a line, as many as the network tells classes apart.
///
/// # Errors
/// [`LabelsError`].
pub fn parse(file: &[u8], classes: usize) -> Result<Vec<String>, LabelsError> {
    let looks = Looks::at(file);
    let text = std::str::from_utf8(file).ok().filter(|text| !text.contains('\0'));
    let text = match (looks, text) {
        (Looks::Unknown(_), Some(text)) => text,
        _ => return Err(LabelsError::NotText(looks)),
    };
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    if names.len() == classes { Ok(names) } else { Err(LabelsError::Count { got: names.len(), expected: classes }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lines_and_other_files_are_refused() {
        assert_eq!(parse(b"tench\r\ngreat white shark\n\n", 2).unwrap(), ["tench", "great white shark"]);
        let words = parse(b"tench\n", 2).unwrap_err().to_string();
        assert_eq!(words, "has 1 names where 2 were wanted");
        let page = parse(b"<!doctype html>\n<p>404", 2).unwrap_err();
        assert_eq!(page, LabelsError::NotText(Looks::Html));
        assert!(matches!(parse(b"\x01\0\xff", 1), Err(LabelsError::NotText(Looks::Unknown(_)))));
        assert!(matches!(parse(b"", 1), Err(LabelsError::NotText(Looks::Empty))));
    }
}
