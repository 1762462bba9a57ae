//! Batches for training and testing: a seeded, endless, resumable stream of shuffled pictures, written straight into a network's
//! input. Knows data sets and random numbers, not networks. No allocation per batch.

use super::Dataset;
use super::augment::Augmentation;
use super::input::Normalisation;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How a picture becomes a network's input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// From bytes to floats.
    pub normalisation: Normalisation,
    /// Random changes of training pictures; [`Dataset::write`] leaves them out.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Channels, rows and columns of the input, the picture in the middle. A grey picture goes to every channel.
    pub shape: [usize; 3],
}

/// Why there is no batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer pictures than the stream was made for, or none at all.
    #[error("pictures {first} to {last} are wanted, but the data set has {len}")]
    TooFew {
        /// First picture wanted.
        first: usize,
        /// Last picture wanted.
        last: usize,
        /// Pictures in the data set.
        len: usize,
    },
    /// Pictures of colours for a network of other channels.
    #[error("the pictures have {pictures} channels, but the network takes {network}")]
    Channels {
        /// Channels of the pictures.
        pictures: usize,
        /// Channels of the network's input.
        network: usize,
    },
    /// The arrays to write to do not fit together, or not the pictures.
    #[error(
        "{wanted} inputs of {channels}×{height}×{width} do not fit into {labels} labels and {images} floats of images"
    )]
    Room {
        /// Pictures to be written.
        wanted: usize,
        /// Floats in the array of images.
        images: usize,
        /// Floats in the array of labels: as many inputs must fit into the images, exactly.
        labels: usize,
        /// Channels of an input.
        channels: usize,
        /// Rows of an input.
        height: usize,
        /// Columns of an input.
        width: usize,
    },
}

/// Where a stream of batches stands: all of its state, to be saved with a training run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    rng: Rng,
    examples: u32,
    epoch: u32,
    drawn: u32,
}

/// An endless stream over the first `examples` pictures of a data set, in a new random order each epoch.
///
/// Every picture comes once in each epoch. The stream does not care for batches: one may begin in one epoch and end in the next,
/// so nothing is dropped, and a batch may be larger than the data set. The order depends on seed and epoch only, a picture's change on seed, epoch and picture:
/// the same seed gives the same inputs whatever the batch.
///
/// Pictures after the first `examples` are never drawn: the held-out part, for choosing without looking at the test set.
#[derive(Clone, Debug)]
pub struct Batches {
    at: Position,
    /// The order of this epoch: a permutation of 0 … examples − 1.
    order: Vec<u32>,
    /// The pictures of the last batch.
    batch: Vec<u32>,
}

impl Batches {
    /// The stream of `seed` over pictures 0 … examples − 1, at its beginning.
    pub fn new(examples: usize, seed: u64) -> Self {
        let examples = u32::try_from(examples).unwrap_or(u32::MAX);
        Self::at(Position { rng: Rng::stream(seed, "batches"), examples, epoch: 0, drawn: 0 })
    }

    /// The stream as it was at `position`, over the same data set.
    pub fn resume(position: Position, dataset: &Dataset) -> Result<Self, BatchError> {
        // A saved position comes from outside: it must not decide how much memory is taken.
        has(dataset, 0..position.examples as usize)?;
        let drawn = position.drawn.min(position.examples);
        Ok(Self::at(Position { drawn, ..position }))
    }

    fn at(position: Position) -> Self {
        let mut batches = Self { at: position, order: (0..position.examples).collect(), batch: Vec::new() };
        batches.shuffle();
        batches
    }

    /// Where the stream stands.
    pub fn position(&self) -> Position {
        self.at
    }

    /// Whole epochs that lie behind.
    pub fn epoch(&self) -> usize {
        self.at.epoch as usize
    }

    /// Pictures drawn in all.
    pub fn drawn(&self) -> u64 {
        u64::from(self.at.epoch) * u64::from(self.at.examples) + u64::from(self.at.drawn)
    }

    /// Writes the next batch: as many pictures as `labels` has places. `images`: batch × C × H × W floats; `labels`: class numbers as floats.
    /// Returns the pictures' places in the data set. On an error the stream stays where it is.
    pub fn next(
        &mut self,
        dataset: &Dataset,
        preparation: &Preparation,
        images: &mut [f32],
        labels: &mut [f32],
    ) -> Result<&[u32], BatchError> {
        has(dataset, 0..self.at.examples as usize)?;
        room(dataset, labels.len(), preparation, images, labels)?;
        self.batch.clear();
        let size = preparation.shape.iter().product();
        for (image, label) in images.chunks_exact_mut(size).zip(labels) {
            if self.at.drawn == self.at.examples {
                self.at.epoch += 1;
                self.at.drawn = 0;
                self.shuffle();
            }
            let Some(&index) = self.order.get(self.at.drawn as usize) else {
                break;
            };
            self.at.drawn += 1;
            self.batch.push(index);

            let mut rng = self.at.rng.substream(self.at.epoch.into()).substream(index.into());
            let Preparation { normalisation, augmentation, shape } = *preparation;
            augmentation.write(&mut rng, dataset.image(index as usize), dataset.shape(), normalisation, image, shape);
            *label = f32::from(dataset.labels[index as usize]);
        }
        Ok(&self.batch)
    }

    /// Makes the order of the epoch, from the identity: it must not depend on the epochs before.
    fn shuffle(&mut self) {
        self.order.iter_mut().zip(0..).for_each(|(to, i)| *to = i);
        self.at.rng.substream(self.at.epoch.into()).shuffle(&mut self.order);
    }
}

impl Dataset {
    /// Writes the pictures of `range`, in their order and as they are: for testing. `labels` and `images` have room for them or more
    /// (batch × C × H × W floats); what is beyond is left as it is.
    pub fn write(
        &self,
        range: Range<usize>,
        preparation: &Preparation,
        images: &mut [f32],
        labels: &mut [f32],
    ) -> Result<(), BatchError> {
        has(self, range.clone())?;
        room(self, range.len(), preparation, images, labels)?;
        let size = preparation.shape.iter().product();
        for (index, (image, label)) in range.zip(images.chunks_exact_mut(size).zip(labels)) {
            preparation.normalisation.write(self.image(index), self.shape(), image, preparation.shape);
            *label = f32::from(self.labels[index]);
        }
        Ok(())
    }
}

/// Whether the data set has the pictures of a range, at least one.
fn has(dataset: &Dataset, wanted: Range<usize>) -> Result<(), BatchError> {
    if wanted.is_empty() || wanted.end > dataset.len() {
        let (first, last) = (wanted.start, wanted.end.saturating_sub(1));
        return Err(BatchError::TooFew { first, last, len: dataset.len() });
    }
    Ok(())
}

/// Whether the data set's pictures suit the inputs, `images` has room for as many as `labels` has places, and these for `wanted`.
fn room(
    dataset: &Dataset,
    wanted: usize,
    preparation: &Preparation,
    images: &[f32],
    labels: &[f32],
) -> Result<(), BatchError> {
    let [channels, height, width] = preparation.shape;
    let [pictures, ..] = dataset.shape();
    if pictures != 1 && pictures != channels {
        return Err(BatchError::Channels { pictures, network: channels });
    }
    let size = channels * height * width;
    if size == 0 || wanted > labels.len() || images.len() != labels.len() * size {
        return Err(BatchError::Room { images: images.len(), labels: labels.len(), wanted, channels, height, width });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::distort::Distortion;

    /// `n` pictures of 3×2, each full of its own number; its class is the number mod 10.
    fn dataset(n: u8) -> Dataset {
        let images = (0..n).flat_map(|i| [i; 6]).collect();
        Dataset::new(images, (0..n).map(|i| i % 10).collect(), 3, 2).unwrap()
    }

    const PLAIN: Preparation =
        Preparation { normalisation: Normalisation::Lecun1998, augmentation: Augmentation::None, shape: [1, 5, 3] };
    const DISTORTION: Distortion = Distortion { shift: 1.0, rotate: 20.0, scale: 0.1, shear: 0.1 };
    const MOVED: Preparation = Preparation { augmentation: Augmentation::Digits(DISTORTION), ..PLAIN };

    /// The next `batch` pictures, with their images and labels.
    fn next(
        batches: &mut Batches,
        dataset: &Dataset,
        preparation: &Preparation,
        batch: usize,
    ) -> (Vec<u32>, Vec<f32>, Vec<f32>) {
        let (mut images, mut labels) = (vec![9.0; batch * 15], vec![9.0; batch]);
        let indices = batches.next(dataset, preparation, &mut images, &mut labels).unwrap().to_vec();
        (indices, images, labels)
    }

    #[test]
    fn each_epoch_has_every_picture_once_in_a_new_order() {
        let dataset = dataset(25);
        let mut batches = Batches::new(20, 3);
        let (indices, _, _) = next(&mut batches, &dataset, &PLAIN, 60);
        assert_eq!((batches.epoch(), batches.drawn()), (2, 60));
        let epochs: Vec<&[u32]> = indices.chunks(20).collect();
        for epoch in &epochs {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..20).collect::<Vec<_>>()); // 20 … 24 are held out
        }
        assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2] && epochs[0] != epochs[2]);
        assert_ne!(next(&mut Batches::new(20, 4), &dataset, &PLAIN, 20).0, epochs[0]);
    }

    #[test]
    fn images_and_labels_belong_to_the_indices() {
        let dataset = dataset(17);
        let (indices, images, labels) = next(&mut Batches::new(17, 1), &dataset, &PLAIN, 9);
        for ((&index, image), label) in indices.iter().zip(images.chunks(15)).zip(labels) {
            assert_eq!(label, (index % 10) as f32);
            let mut expected = [0.0; 15];
            PLAIN.normalisation.write(&[index as u8; 6], [1, 3, 2], &mut expected, [1, 5, 3]);
            assert_eq!(image, expected);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_inputs_whatever_the_batch() {
        let dataset = dataset(11);
        let whole = next(&mut Batches::new(11, 8), &dataset, &MOVED, 30);
        let mut batches = Batches::new(11, 8);
        let mut pieces = (vec![], vec![], vec![]);
        for batch in [1, 7, 12, 10] {
            let (indices, images, labels) = next(&mut batches, &dataset, &MOVED, batch);
            pieces.0.extend(indices);
            pieces.1.extend(images);
            pieces.2.extend(labels);
        }
        assert_eq!(pieces, whole);
        // Distortions differ between epochs: the same picture, other pixels.
        let image_of = |epoch: usize| {
            let at = epoch * 11 + whole.0[epoch * 11..].iter().position(|&i| i == 10).unwrap();
            &whole.1[at * 15..(at + 1) * 15]
        };
        assert_ne!(image_of(0), image_of(1));
    }

    #[test]
    fn a_saved_stream_goes_on_bit_for_bit() {
        let dataset = dataset(11);
        let mut batches = Batches::new(11, 8);
        next(&mut batches, &dataset, &MOVED, 16);
        let saved = serde_json::to_string(&batches.position()).unwrap();
        let mut resumed = Batches::resume(serde_json::from_str(&saved).unwrap(), &dataset).unwrap();
        assert_eq!(next(&mut resumed, &dataset, &MOVED, 40), next(&mut batches, &dataset, &MOVED, 40));
        // At the very end of an epoch, too.
        let mut batches = Batches::new(11, 8);
        next(&mut batches, &dataset, &MOVED, 11);
        let mut resumed = Batches::resume(batches.position(), &dataset).unwrap();
        assert_eq!(next(&mut resumed, &dataset, &MOVED, 5), next(&mut batches, &dataset, &MOVED, 5));
    }

    #[test]
    fn testing_goes_in_order_and_is_never_distorted() {
        let dataset = dataset(12);
        let (mut images, mut labels) = (vec![9.0; 5 * 15], vec![9.0; 5]);
        dataset.write(9..12, &MOVED, &mut images, &mut labels).unwrap();
        assert_eq!(labels, [9.0, 0.0, 1.0, 9.0, 9.0]); // classes of 9, 10, 11; then untouched
        let mut expected = [0.0; 15];
        PLAIN.normalisation.write(&[11; 6], [1, 3, 2], &mut expected, [1, 5, 3]);
        assert_eq!(images[30..45], expected);
        assert_eq!(images[45..], [9.0; 30]);
    }

    #[test]
    fn wrong_sizes_are_refused_and_nothing_moves() {
        let dataset = dataset(12);
        let mut batches = Batches::new(13, 0);
        let before = batches.position();
        let (mut images, mut labels) = (vec![0.0; 30], vec![0.0; 2]);
        let error = batches.next(&dataset, &PLAIN, &mut images, &mut labels).unwrap_err();
        assert_eq!(error.to_string(), "pictures 0 to 12 are wanted, but the data set has 12");
        assert!(Batches::new(0, 0).next(&dataset, &PLAIN, &mut images, &mut labels).is_err());
        let mut short = vec![0.0; 29];
        let error = Batches::new(12, 0).next(&dataset, &PLAIN, &mut short, &mut labels).unwrap_err();
        assert_eq!(error.to_string(), "2 inputs of 1×5×3 do not fit into 2 labels and 29 floats of images");
        assert!(dataset.write(10..13, &PLAIN, &mut images, &mut labels).is_err());
        assert!(dataset.write(0..3, &PLAIN, &mut images, &mut labels).is_err());
        assert_eq!(batches.position(), before);
        assert!(Batches::resume(before, &dataset).is_err());
    }

    #[test]
    fn colours_need_their_channels_and_grey_goes_to_all() {
        let colours = Dataset::coloured((0..36).collect(), vec![3, 4], [3, 3, 2]).unwrap();
        let (mut images, mut labels) = (vec![9.0; 2 * 45], vec![9.0; 2]);
        let error = colours.write(0..2, &PLAIN, &mut images[..30], &mut labels).unwrap_err();
        assert_eq!(error.to_string(), "the pictures have 3 channels, but the network takes 1");
        let rgb = Preparation { shape: [3, 5, 3], normalisation: Normalisation::Cifar10, ..PLAIN };
        Batches::new(2, 1).next(&colours, &rgb, &mut images, &mut labels).unwrap();
        let first = usize::from(labels[0] == 4.0); // whichever came first
        for c in 0..3 {
            let levels = Normalisation::Cifar10.levels(c);
            assert_eq!(images[c * 15], levels.background);
            assert_eq!(images[c * 15 + 3], levels.value((first * 18 + c * 6) as f32));
        }
        dataset(2).write(0..2, &rgb, &mut images, &mut labels).unwrap();
        assert_eq!(images[45 + 3], Normalisation::Cifar10.levels(0).value(1.0));
        assert_eq!(images[75 + 3], Normalisation::Cifar10.levels(2).value(1.0));
    }
}
