//! Reads weights as they arrive: pieces of one or several files in, the tensors that a network wants out. Names, shapes, number
//! formats and lengths are checked as soon as the headers are there, before anything is read or room is made for it; then each
//! piece goes straight into its tensor, and no file is ever whole in memory. Knows no network and no source of bytes.

use super::header::{Entry, Header};
use super::{Mismatch, NonFinite, WeightsError, names};
use half::{bf16, f16};
use safetensors::Dtype;
use std::collections::{BTreeMap, HashMap};

/// What a network wants of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Its own name for it.
    pub name: &'a str,
    /// Extents, outermost first.
    pub shape: &'a [usize],
    /// What may be missing, but only altogether: tensors of one number are all there or none.
    pub optional: Option<usize>,
}

/// Reads files as their bytes come: first [`Reader::feed`] until [`Reader::is_ready`], then [`Reader::select`], then feed the rest, then
/// [`Reader::finish`].
#[derive(Debug)]
pub struct Reader {
    files: Vec<File>,
    selected: bool,
    tensors: Vec<Option<Target>>,
}

/// A file as far as it has come.
#[derive(Debug, Default)]
struct File {
    /// Bytes of the header, and those after it, until tensors are chosen.
    held: Vec<u8>,
    header: Option<Header>,
    /// Its length, where the source of the bytes says it.
    len: Option<u64>,
    /// For each entry, which tensor it is.
    targets: Vec<Option<usize>>,
    /// The entry that the next byte belongs to.
    entry: usize,
    /// Bytes so far.
    at: u64,
    /// The beginning of a number whose end has not come.
    rest: Vec<u8>,
}

/// A tensor as far as it has come.
#[derive(Debug)]
struct Target {
    name: String,
    len: usize,
    data: Vec<f32>,
    /// Infinities and NaN among them.
    strange: usize,
}

/// What a reader gives: the wanted tensors in the order in which they were wanted (`None`: optional and not there), and what the
/// first file says of itself.
pub type Found = (Vec<Option<Vec<f32>>>, BTreeMap<String, String>);

impl Reader {
    /// A reader of so many files.
    pub fn new(files: usize) -> Self {
        Self { files: (0..files).map(|_| File::default()).collect(), selected: false, tensors: Vec::new() }
    }

    /// Says how long a file is, where that is known before it has come.
    pub fn set_len(&mut self, file: usize, len: u64) {
        if let Some(file) = self.files.get_mut(file) {
            file.len = Some(len);
        }
    }

    /// Whether the header of a file is there.
    pub fn has_header(&self, file: usize) -> bool {
        self.files.get(file).is_some_and(|f| f.header.is_some())
    }

    /// Whether all headers are there, so that tensors can be chosen.
    pub fn is_ready(&self) -> bool {
        self.files.iter().all(|f| f.header.is_some())
    }

    /// All that the files hold, in the order of their bytes.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.files.iter().filter_map(|f| f.header.as_ref()).flat_map(|h| &h.entries)
    }

    /// Takes the next bytes of a file.
    ///
    /// # Errors
    /// [`WeightsError`]: no safetensors file, a damaged header, or more bytes than it speaks of.
    pub fn feed(&mut self, file: usize, bytes: &[u8]) -> Result<(), WeightsError> {
        let Some(file) = self.files.get_mut(file) else { return Ok(()) };
        file.at += bytes.len() as u64;
        if self.selected {
            return file.fill(bytes, &mut self.tensors);
        }
        file.held.extend_from_slice(bytes);
        if file.header.is_none() {
            match Header::parse(&file.held) {
                Ok(header) => file.header = Some(header),
                // More of it is to come. Fewer than 9 bytes tell nothing yet.
                Err(WeightsError::Truncated { at_least: true, .. }) => {}
                Err(_) if file.held.len() < 9 => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Chooses what is wanted, once all headers are there. Infallible from here on are names, shapes and formats.
    ///
    /// # Errors
    /// [`WeightsError::Mismatch`] with everything that is missing, surplus or misshapen; a file of another length than its header says;
    /// numbers of a kind that is not read; no memory. No tensor has been made then.
    pub fn select(&mut self, wanted: &[Wanted<'_>]) -> Result<(), WeightsError> {
        for file in &self.files {
            let header = file.header.as_ref().ok_or_else(|| file.cut_short())?;
            if let Some(got) = file.len {
                compare(got, header.file_len)?;
            }
        }
        let places: HashMap<&str, usize> = wanted.iter().enumerate().map(|(i, w)| (w.name, i)).collect();
        let mut chosen: Vec<Option<&Entry>> = vec![None; wanted.len()];
        let mut mismatch = Mismatch::default();
        let mut targets: Vec<Vec<Option<usize>>> = Vec::new();
        for header in self.files.iter().filter_map(|f| f.header.as_ref()) {
            let mut of_file = Vec::with_capacity(header.entries.len());
            for entry in &header.entries {
                // A second tensor of the same meaning is one too many.
                let found = names::find(&entry.name, &places).filter(|&(place, _)| chosen[place].is_none());
                of_file.push(found.map(|(place, _)| place));
                match found {
                    Some((place, unrolled)) => {
                        chosen[place] = Some(entry);
                        if !names::fits(&entry.shape, wanted[place].shape, unrolled) {
                            let shapes = (wanted[place].shape.to_vec(), entry.shape.clone());
                            mismatch.misshapen.push((entry.name.clone(), shapes.0, shapes.1));
                        }
                    }
                    None if names::ignored(&entry.name) => {}
                    None => mismatch.surplus.push((entry.name.clone(), entry.shape.clone())),
                }
            }
            targets.push(of_file);
        }
        let begun = |part: usize| wanted.iter().zip(&chosen).any(|(w, c)| w.optional == Some(part) && c.is_some());
        for (w, entry) in wanted.iter().zip(&chosen) {
            if entry.is_none() && w.optional.is_none_or(begun) {
                mismatch.missing.push((w.name.to_owned(), w.shape.to_vec()));
            }
        }
        // In the network's order, as they are missing.
        let place = |name: &str| names::find(name, &places).map(|(place, _)| place);
        mismatch.misshapen.sort_by_key(|(name, ..)| place(name));
        if mismatch != Mismatch::default() {
            return Err(mismatch.into());
        }
        if let Some(entry) = chosen.iter().flatten().find(|entry| entry.width().is_none()) {
            return Err(WeightsError::Dtype { name: entry.name.clone(), dtype: entry.dtype() });
        }
        // Room is made by what is wanted, never by what a file claims.
        let room = |(w, entry): (&Wanted<'_>, &Option<&Entry>)| {
            let Some(entry) = entry else { return Ok(None) };
            let len = w.shape.iter().product();
            let mut data = Vec::new();
            data.try_reserve_exact(len).map_err(|_| WeightsError::Memory { bytes: 4 * len as u64 })?;
            Ok(Some(Target { name: entry.name.clone(), len, data, strange: 0 }))
        };
        self.tensors = wanted.iter().zip(&chosen).map(room).collect::<Result<_, WeightsError>>()?;
        self.selected = true;
        for (file, targets) in self.files.iter_mut().zip(targets) {
            file.targets = targets;
            let held = std::mem::take(&mut file.held);
            let data = file.header.as_ref().map_or(0, |h| h.data as usize);
            file.fill(held.get(data..).unwrap_or_default(), &mut self.tensors)?;
        }
        Ok(())
    }

    /// The tensors, once all bytes have come.
    ///
    /// # Errors
    /// [`WeightsError`]: a file that is cut short, or numbers that are none.
    pub fn finish(self) -> Result<Found, WeightsError> {
        for file in &self.files {
            let header = file.header.as_ref().ok_or_else(|| file.cut_short())?;
            compare(file.at, header.file_len)?;
        }
        let strange: Vec<NonFinite> = (self.tensors.iter().flatten().filter(|t| t.strange > 0))
            .map(|t| NonFinite { name: t.name.clone(), count: t.strange, of: t.len })
            .collect();
        if !strange.is_empty() {
            return Err(WeightsError::NonFinite(strange));
        }
        let metadata = self.files.into_iter().find_map(|f| f.header).map(|h| h.metadata).unwrap_or_default();
        Ok((self.tensors.into_iter().map(|t| t.map(|t| t.data)).collect(), metadata))
    }
}

/// Whether a file has as many bytes as its header speaks of.
fn compare(got: u64, expected: u64) -> Result<(), WeightsError> {
    match got.cmp(&expected) {
        std::cmp::Ordering::Less => Err(WeightsError::Truncated { got, expected, at_least: false }),
        std::cmp::Ordering::Greater => Err(WeightsError::Trailing { got, expected }),
        std::cmp::Ordering::Equal => Ok(()),
    }
}

impl File {
    /// Why there is no header.
    fn cut_short(&self) -> WeightsError {
        match Header::parse(&self.held) {
            Err(error) => error,
            Ok(header) => WeightsError::Truncated { got: self.at, expected: header.file_len, at_least: false },
        }
    }

    /// Takes bytes of tensors: the next ones of the file, which `at` counts already.
    fn fill(&mut self, mut bytes: &[u8], tensors: &mut [Option<Target>]) -> Result<(), WeightsError> {
        let Some(header) = &self.header else { return Ok(()) };
        if self.at > header.file_len {
            return compare(self.at, header.file_len);
        }
        let mut at = self.at - bytes.len() as u64;
        while let Some(entry) = header.entries.get(self.entry) {
            let left = entry.bytes.end - at;
            let (own, others) = bytes.split_at(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            if let Some(target) = self.targets.get(self.entry).copied().flatten().and_then(|i| tensors[i].as_mut()) {
                target.take(entry.dtype, own, &mut self.rest);
            }
            at += own.len() as u64;
            bytes = others;
            if at < entry.bytes.end {
                break;
            }
            self.entry += 1;
        }
        Ok(())
    }
}

impl Target {
    /// Appends numbers; `rest` carries the beginning of one that is cut between two pieces.
    fn take(&mut self, dtype: Dtype, bytes: &[u8], rest: &mut Vec<u8>) {
        match dtype {
            Dtype::F32 => self.decode(bytes, rest, f32::from_le_bytes),
            Dtype::F16 => self.decode(bytes, rest, |b| f16::from_le_bytes(b).to_f32()),
            Dtype::BF16 => self.decode(bytes, rest, |b| bf16::from_le_bytes(b).to_f32()),
            _ => {}
        }
    }

    fn decode<const N: usize>(&mut self, mut bytes: &[u8], rest: &mut Vec<u8>, number: fn([u8; N]) -> f32) {
        if !rest.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(N - rest.len()));
            rest.extend_from_slice(head);
            bytes = tail;
            if let Some(&whole) = rest.first_chunk::<N>() {
                self.push(number(whole));
                rest.clear();
            }
        }
        let (whole, tail) = bytes.as_chunks::<N>();
        let from = self.data.len();
        self.data.extend(whole.iter().map(|&b| number(b)));
        self.strange += self.data[from..].iter().filter(|v| !v.is_finite()).count();
        rest.extend_from_slice(tail);
    }

    fn push(&mut self, value: f32) {
        self.strange += usize::from(!value.is_finite());
        self.data.push(value);
    }
}
