//! Between files and float arrays: data sets, drawings, distortions, batches. Bytes come in, values go out; nothing here
//! knows graphs, executors, the page, clocks or I/O.
//!
//! Reading order: [`idx`] and [`cifar`] (the files of MNIST and of CIFAR-10 → [`Dataset`]; [`looks`] names what a wrong file is instead), [`digits`] (a drawing →
//! a 28×28 digit as MNIST's own), [`handwriting`] (a photograph of one), [`input`] (a picture → what a network reads), [`distort`] and [`augment`] (the same, randomly
//! changed), [`alter`] (the same, changed by the reader), [`batches`] (a shuffled, resumable stream of them), [`photo`] (a photograph → a network's input), [`labels`] (names of classes).

pub mod alter;
pub mod augment;
pub mod batches;
pub mod cifar;
pub mod digits;
pub mod distort;
pub mod gzip;
pub mod handwriting;
pub mod idx;
pub mod input;
pub mod labels;
pub mod looks;
pub mod photo;

/// Pictures with a class each.
///
/// `images` holds n × channels × height × width bytes, row-major, grey ones 0 = paper … 255 = ink; `labels` n class numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    images: Vec<u8>,
    labels: Vec<u8>,
    shape: [usize; 3],
}

/// Why a data set cannot be had from the given bytes. Every message is a sentence for the reader of the page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// The file of pictures is at fault.
    #[error("the images file {0}")]
    Images(idx::IdxError),
    /// The file of class numbers is at fault.
    #[error("the labels file {0}")]
    Labels(idx::IdxError),
    /// The list of places in another set is at fault (only in a file of [`Samples`]).
    #[error("the list of indices {0}")]
    Indices(idx::IdxError),
    /// The parts are not of the same set.
    #[error("there are {images} images but {labels} labels: they do not belong together")]
    Counts {
        /// Pictures in the images file.
        images: usize,
        /// Class numbers in the labels file.
        labels: usize,
    },
}

impl Dataset {
    /// The data set of two IDX files (MNIST's form), each plain or gzipped.
    pub fn from_files(images: &[u8], labels: &[u8]) -> Result<Self, DatasetError> {
        let images = idx::read(images, idx::Dtype::U8).map_err(DatasetError::Images)?;
        let labels = idx::read(labels, idx::Dtype::U8).map_err(DatasetError::Labels)?;
        Self::from_arrays(images, labels)
    }

    /// The data set of grey pictures already in memory: `images` n × height × width bytes, `labels` n class numbers.
    pub fn new(images: Vec<u8>, labels: Vec<u8>, height: usize, width: usize) -> Result<Self, DatasetError> {
        Self::coloured(images, labels, [1, height, width])
    }

    /// The same of pictures with channels: `images` n × channels × height × width bytes, `shape` their last three extents.
    pub fn coloured(images: Vec<u8>, labels: Vec<u8>, shape: [usize; 3]) -> Result<Self, DatasetError> {
        let size = shape.iter().product::<usize>();
        if images.len() != labels.len() * size {
            return Err(DatasetError::Counts { images: images.len() / size.max(1), labels: labels.len() });
        }
        Ok(Self { images, labels, shape })
    }

    fn from_arrays(images: idx::Array<3>, labels: idx::Array<1>) -> Result<Self, DatasetError> {
        let ([count, height, width], [label_count]) = (images.dims, labels.dims);
        if count != label_count {
            return Err(DatasetError::Counts { images: count, labels: label_count });
        }
        Self::new(images.bytes, labels.bytes, height, width)
    }

    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Rows and columns of each picture.
    pub fn size(&self) -> (usize, usize) {
        (self.shape[1], self.shape[2])
    }

    /// Channels, rows and columns of each picture.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Picture `index`: channels × height × width bytes. Empty if there is no such picture.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.shape.iter().product::<usize>();
        self.images.get(index * size..(index + 1) * size).unwrap_or_default()
    }

    /// The pictures of both, these before those of `other`, where they are of one size; else these alone.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if self.shape == other.shape {
            self.images.extend(other.images);
            self.labels.extend(other.labels);
        }
        self
    }

    /// The pictures of a range, which is cut at the end of the set.
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        let size = self.shape.iter().product::<usize>();
        let (from, to) = (range.start.min(self.len()), range.end.min(self.len()).max(range.start.min(self.len())));
        let (images, labels) = (self.images[from * size..to * size].to_vec(), self.labels[from..to].to_vec());
        Self { images, labels, shape: self.shape }
    }

    /// The class numbers, one per picture.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

/// A few pictures taken from a data set, each with its class and its place there: the page's keypad of real test digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// The pictures and their classes.
    pub dataset: Dataset,
    /// For each picture, its index in the set that it was taken from.
    pub indices: Vec<u32>,
}

impl Samples {
    /// Reads `samples.idx.gz`: three IDX arrays, one after the other (images, labels, indices).
    pub fn from_file(file: &[u8]) -> Result<Self, DatasetError> {
        let mut reader = idx::Reader::new(file);
        let images: idx::Array<3> = reader.array(idx::Dtype::U8).map_err(DatasetError::Images)?;
        let labels: idx::Array<1> = reader.array(idx::Dtype::U8).map_err(DatasetError::Labels)?;
        let indices: idx::Array<1> = reader.array(idx::Dtype::I32).map_err(DatasetError::Indices)?;
        reader.end().map_err(DatasetError::Indices)?;
        let dataset = Dataset::from_arrays(images, labels)?;
        if indices.dims != [dataset.len()] {
            return Err(DatasetError::Counts { images: dataset.len(), labels: indices.dims[0] });
        }
        let indices = indices.bytes.as_chunks::<4>().0.iter().map(|&b| u32::from_be_bytes(b)).collect();
        Ok(Self { dataset, indices })
    }

    /// The first `per_class` pictures of each class of `from`, class by class, in the order of the set.
    pub fn first_of_each(from: &Dataset, classes: u8, per_class: usize) -> Self {
        let mut samples = Self { dataset: Dataset { shape: from.shape, ..Dataset::default() }, ..Self::default() };
        for class in 0..classes {
            let members = from.labels.iter().enumerate().filter(|&(_, &label)| label == class);
            for (index, _) in members.take(per_class) {
                samples.dataset.images.extend(from.image(index));
                samples.dataset.labels.push(class);
                samples.indices.push(index as u32);
            }
        }
        samples
    }

    /// The bytes of `samples.idx` (before gzip).
    pub fn to_file(&self) -> Vec<u8> {
        let Dataset { images, labels, shape: [_, height, width] } = &self.dataset;
        let count = labels.len();
        let indices = self.indices.iter().flat_map(|index| index.to_be_bytes()).collect();
        [
            idx::write(idx::Dtype::U8, &idx::Array { dims: [count, *height, *width], bytes: images.clone() }),
            idx::write(idx::Dtype::U8, &idx::Array { dims: [count], bytes: labels.clone() }),
            idx::write(idx::Dtype::I32, &idx::Array { dims: [count], bytes: indices }),
        ]
        .concat()
    }
}
