//! The shipped data files are what they say, and damaged ones are refused with the right words.
#![allow(clippy::unwrap_used)] // clippy.toml frees tests, but not the helpers beside them

use flate2::{Compression, GzBuilder};
use receptive::data::cifar;
use receptive::data::digits;
use receptive::data::idx::{self, Array, Dtype, IdxError};
use receptive::data::input::Normalisation;
use receptive::data::labels;
use receptive::data::looks::Looks;
use receptive::data::photo::{self, Photo};
use receptive::data::{Dataset, DatasetError, Samples};
use receptive::rng;
use std::io::{Read, Write};
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/www/data")).join(name)
}

fn shipped(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn mnist_test() -> Dataset {
    Dataset::from_files(&shipped("t10k-images-idx3-ubyte.gz"), &shipped("t10k-labels-idx1-ubyte.gz")).unwrap()
}

/// Three pictures of 2×5 and their labels, as IDX files.
fn small() -> (Vec<u8>, Vec<u8>) {
    let images = Array { dims: [3, 2, 5], bytes: (0..30).collect() };
    let labels = Array { dims: [3], bytes: vec![7, 0, 9] };
    (idx::write(Dtype::U8, &images), idx::write(Dtype::U8, &labels))
}

#[test]
fn mnist_is_the_original() {
    for (name, sum) in [
        ("train-images-idx3-ubyte.gz", "6bbc9ace898e44ae57da46a324031adb"),
        ("train-labels-idx1-ubyte.gz", "a25bea736e30d166cdddb491f175f624"),
        ("t10k-images-idx3-ubyte.gz", "2646ac647ad5339dbf082846283269ea"),
        ("t10k-labels-idx1-ubyte.gz", "27ae3e4e09519cfbb04c329615203637"),
    ] {
        let mut bytes = Vec::new();
        flate2::bufread::GzDecoder::new(&shipped(name)[..]).read_to_end(&mut bytes).unwrap();
        assert_eq!(format!("{:x}", md5::compute(&bytes)), sum, "{name}");
    }
    let train =
        Dataset::from_files(&shipped("train-images-idx3-ubyte.gz"), &shipped("train-labels-idx1-ubyte.gz")).unwrap();
    assert_eq!((train.len(), train.size()), (60_000, (28, 28)));
    // The most printed digits of all: 5, 0, 4, 1, 9 …
    assert_eq!(train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(train.image(59_999).len(), 28 * 28);
    assert!(train.image(60_000).is_empty());
}

/// `BLESS=1 cargo test --test data samples` makes the file again.
#[test]
fn samples_are_the_first_ten_test_digits_of_each_class() {
    let test = mnist_test();
    let expected = Samples::first_of_each(&test, 10, 10);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path("samples.idx.gz"), gzip(&expected.to_file())).unwrap();
    }
    let samples = Samples::from_file(&shipped("samples.idx.gz")).unwrap();
    assert_eq!(samples, expected);
    assert_eq!(samples.dataset.len(), 100);
    for (i, &index) in samples.indices.iter().enumerate() {
        assert_eq!(samples.dataset.labels()[i] as usize, i / 10);
        assert_eq!(samples.dataset.image(i), test.image(index as usize));
    }
    // The test set begins 7, 2, 1, 0, 4, 1, 4, 9.
    assert_eq!((samples.indices[0], samples.indices[10], samples.indices[11], samples.indices[70]), (3, 2, 5, 0));
}

#[test]
fn plain_and_gzipped_files_read_alike() {
    let (images, labels) = small();
    let plain = Dataset::from_files(&images, &labels).unwrap();
    assert_eq!(plain.size(), (2, 5));
    assert_eq!(plain.image(1), (10..20).collect::<Vec<u8>>());
    assert_eq!(plain.labels(), [7, 0, 9]);
    assert_eq!(Dataset::from_files(&gzip(&images), &labels).unwrap(), plain);
    assert_eq!(Dataset::from_files(&images, &gzip(&labels)).unwrap(), plain);
}

#[track_caller]
fn refuses(images: &[u8], labels: &[u8], expected: DatasetError, words: &str) {
    let error = Dataset::from_files(images, labels).unwrap_err();
    assert_eq!(error, expected);
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn each_damage_has_its_own_sentence() {
    let (images, labels) = small();
    let in_images = DatasetError::Images;
    refuses(
        b"<!doctype html>",
        &labels,
        in_images(IdxError::NotIdx(Looks::Html)),
        "images file is not an IDX file: it looks like a web page",
    );
    refuses(&gzip(b"{\"a\":1}"), &labels, in_images(IdxError::NotIdx(Looks::Json)), "JSON");
    refuses(
        &images,
        b"",
        DatasetError::Labels(IdxError::NotIdx(Looks::Empty)),
        "labels file is not an IDX file: it looks like an empty file",
    );
    refuses(&images, b"\x00\x00", DatasetError::Labels(IdxError::NotIdx(Looks::Unknown([0; 4]))), "nothing known");
    // 0x0D: 32-bit floats.
    let mut floats = images.clone();
    floats[2] = 0x0D;
    refuses(&floats, &labels, in_images(IdxError::Dtype { got: 0x0D, expected: 8 }), "type 0x0d, not 0x08");
    refuses(
        &labels,
        &images,
        in_images(IdxError::Rank { got: 1, expected: 3 }),
        "has 1 dimension(s) where 3 were wanted",
    );
    refuses(&images[..45], &labels, in_images(IdxError::Truncated { got: 45, expected: 46 }), "has 45 of 46 bytes");
    refuses(&images[..9], &labels, in_images(IdxError::Truncated { got: 9, expected: 16 }), "has 9 of 16 bytes");
    refuses(
        &gzip(&images[..40]),
        &labels,
        in_images(IdxError::Truncated { got: 40, expected: 46 }),
        "has 40 of 46 bytes",
    );
    for trailing in [[&images[..], b"x"].concat(), gzip(&[&images[..], b"xyz"].concat())] {
        refuses(&trailing, &labels, in_images(IdxError::Trailing { expected: 46 }), "goes on after its 46 bytes");
    }
    let two = idx::write(Dtype::U8, &Array { dims: [2], bytes: vec![1, 2] });
    refuses(&images, &two, DatasetError::Counts { images: 3, labels: 2 }, "3 images but 2 labels");
    // A header may claim anything; it must cost no memory.
    let mut huge = images.clone();
    huge[4..16].fill(0xFF);
    assert!(matches!(
        Dataset::from_files(&huge, &labels),
        Err(DatasetError::Images(IdxError::Truncated { got: 46, .. }))
    ));
}

#[test]
fn damaged_gzip_is_told_from_a_short_file() {
    let (images, labels) = small();
    let whole = gzip(&images);
    let reason_of = |file: &[u8]| match Dataset::from_files(file, &labels).unwrap_err() {
        DatasetError::Images(IdxError::Gzip { unpacked, reason }) => (unpacked, reason),
        other => panic!("{other}"),
    };
    // Cut anywhere, it is never accepted and never panics.
    for cut in 2..whole.len() {
        assert!(Dataset::from_files(&whole[..cut], &labels).is_err(), "cut at {cut}");
    }
    assert_eq!(reason_of(&whole[..whole.len() - 12]).1, "the file ends");
    let mut wrong_sum = whole.clone();
    let at = whole.len() - 8;
    wrong_sum[at] ^= 1;
    let (unpacked, reason) = reason_of(&wrong_sum);
    assert_eq!(unpacked, 46);
    assert!(reason.contains("checksum"), "{reason}");
    // Bytes after the end of the packed data are not silently dropped either.
    assert!(matches!(Dataset::from_files(&[&whole[..], b"rubbish"].concat(), &labels), Err(DatasetError::Images(_))));
}

/// MNIST's own digits, enlarged and moved about the pad, must come back as they are: the preparation is MNIST's.
#[test]
fn preparation_gives_back_every_test_digit_unchanged() {
    let test = mnist_test();
    let (mut exact, mut small) = (0, 0);
    for i in (0..test.len()).step_by(4) {
        let digit = test.image(i);
        let (zoom, height, width) = ([1, 3, 10][i % 3], 290 + i % 5, 300 - i % 7);
        let (top, left) = (i % 10, i * 7 % 13);
        let mut pad = vec![0; height * width];
        for (y, row) in pad.chunks_mut(width).skip(top).take(28 * zoom).enumerate() {
            for (x, ink) in row.iter_mut().skip(left).take(28 * zoom).enumerate() {
                *ink = digit[y / zoom * 28 + x / zoom];
            }
        }
        let prepared = digits::prepare(&pad, height, width, true).unwrap();
        // A few originals have a box of 19 (the outermost grey rounded to 0): those are enlarged to 20.
        if prepared == digit { exact += 1 } else { small += 1 }
    }
    assert!(small <= 5, "{exact} unchanged, {small} not");
}

/// A recorded drawing of `tests/digits.json`, which the browser tests replay on the pad of 280×280.
#[derive(serde::Deserialize)]
struct Drawing {
    digit: u8,
    strokes: Vec<Vec<(f32, f32)>>,
}

/// The class that most of the five nearest digits of MNIST's test set have (sum of squared differences).
fn nearest_class(mnist: &Dataset, digit: &[u8]) -> u8 {
    let distance = |other: &[u8]| -> i64 {
        other.iter().zip(digit).map(|(&a, &b)| i64::from(i32::from(a) - i32::from(b)).pow(2)).sum()
    };
    let mut near: Vec<(i64, u8)> = (0..mnist.len()).map(|i| (distance(mnist.image(i)), mnist.labels()[i])).collect();
    near.select_nth_unstable(4);
    let votes = |class: u8| near[..5].iter().filter(|(_, c)| *c == class).count();
    (0..10).max_by_key(|&class| votes(class)).unwrap()
}

/// Without any network: MNIST's own digits that look most like a recorded drawing are of its class, wherever and
/// however large it is drawn, and with a thin or a thick pen.
#[test]
fn recorded_drawings_look_like_mnists_digits() {
    let mnist = mnist_test();
    let text = include_str!("digits.json");
    let drawings: Vec<Drawing> = serde_json::from_str(text).unwrap();
    assert_eq!(drawings.iter().map(|d| d.digit).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    for Drawing { digit, strokes } in &drawings {
        assert!(strokes.iter().flatten().all(|&(x, y)| (20.0..260.0).contains(&x) && (20.0..260.0).contains(&y)));
        assert!(strokes.iter().map(Vec::len).sum::<usize>() >= 30);
        // Factor about (140, 140), move, pen.
        for (factor, (right, down), pen) in [
            (1.0, (0.0, 0.0), 22.0),
            (1.0, (0.0, 0.0), 32.0),
            (1.3, (0.0, 0.0), 22.0),
            (0.4, (-90.0, -85.0), 10.0),
            (0.4, (85.0, 80.0), 16.0),
        ] {
            let place =
                |&(x, y): &(f32, f32)| (140.0 + (x - 140.0) * factor + right, 140.0 + (y - 140.0) * factor + down);
            let strokes: Vec<Vec<_>> = strokes.iter().map(|s| s.iter().map(place).collect()).collect();
            let prepared = digits::prepare(&digits::render(&strokes, pen, 280), 280, 280, true).unwrap();
            let class = nearest_class(&mnist, &prepared);
            assert_eq!(class, *digit, "factor {factor}, moved ({right}, {down}), pen {pen}");
        }
    }
}

/// A case of `tests/photos/torchvision.json`: what torchvision makes of a generated picture.
#[derive(serde::Deserialize)]
struct PhotoGolden {
    width: usize,
    height: usize,
    resize: usize,
    crop: usize,
    md5: String,
    samples: Vec<(usize, f32)>,
}

/// Bit for bit as Pillow resizes; the normalised values to the last digits of a float.
#[test]
fn photographs_are_prepared_as_torchvision_does() {
    let cases: Vec<PhotoGolden> = serde_json::from_str(include_str!("photos/torchvision.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for PhotoGolden { width, height, resize, crop, md5, samples } in cases {
        let what = format!("{width}×{height} → {resize} → {crop}");
        let values = rng::fill("golden", &format!("photo/{width}x{height}"), width * height * 3, 0.0, 256.0);
        let rgba: Vec<u8> =
            values.as_chunks::<3>().0.iter().flat_map(|p| [p[0] as u8, p[1] as u8, p[2] as u8, 255]).collect();
        let photo = Photo::new(&rgba, width, height).unwrap();
        assert_eq!(photo::resized(crop), resize, "{what}");
        let pixels = photo.window(resize, (crop, crop)).concat();
        assert_eq!(format!("{:x}", md5::compute(&pixels)), md5, "{what}");
        let input = photo.prepare(Normalisation::Imagenet, [3, crop, crop]);
        for (i, expected) in samples {
            assert!((input[i] - expected).abs() < 1e-5, "{what}: element {i} is {}, not {expected}", input[i]);
        }
    }
}

/// Small files, WebP, beside their licence; the shorter side is what networks make of it anyway.
#[test]
fn shipped_photographs_are_small_and_free() {
    let at = |name: &str| std::fs::read(format!("{}/www/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let licence = String::from_utf8(at("images/LICENSE")).unwrap();
    for name in photo::SAMPLES {
        let file = at(name);
        assert!(file.len() <= 25_000, "{name}: {} bytes", file.len());
        assert!(file.starts_with(b"RIFF") && file[8..12] == *b"WEBP", "{name}");
        // The simple lossy form: 14 bits of width and height after the frame's start code.
        let side = |at: usize| u16::from_le_bytes([file[at], file[at + 1]]) & 0x3FFF;
        assert_eq!((&file[12..16], side(26).min(side(28))), (&b"VP8 "[..], 256), "{name}");
        assert!(licence.contains(name.strip_prefix("images/").unwrap()), "{name} has no licence");
    }
}

#[test]
fn the_names_of_imagenet_are_a_thousand() {
    let file = std::fs::read(format!("{}/www/{}", env!("CARGO_MANIFEST_DIR"), labels::IMAGENET)).unwrap();
    let names = labels::parse(&file, 1000).unwrap();
    for (class, name) in
        [(0, "tench"), (207, "golden retriever"), (281, "tabby"), (967, "espresso"), (999, "toilet tissue")]
    {
        assert_eq!(names[class], name);
    }
    let different: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), 1000);
    assert_eq!(labels::parse(&file, 10).unwrap_err().to_string(), "has 1000 names where 10 were wanted");
}

/// A file of CIFAR-10 as its page describes it: `count` pictures, byte j of picture i is i + 7 j, its class i mod 10.
fn cifar_file(count: usize) -> Vec<u8> {
    (0..count).flat_map(|i| std::iter::once((i % 10) as u8).chain((0..3072).map(move |j| (i + 7 * j) as u8))).collect()
}

#[test]
fn cifar_files_are_read_plain_and_packed() {
    let file = cifar_file(23);
    let data = cifar::read(&file).unwrap();
    assert_eq!((data.len(), data.shape()), (23, [3, 32, 32]));
    assert_eq!(data.labels()[9..12], [9, 0, 1]);
    // Red, then green, then blue; row by row.
    let at = |c: usize, y: usize, x: usize| (22 + 7 * (c * 1024 + y * 32 + x)) as u8;
    let image = data.image(22);
    assert_eq!(
        (image[0], image[33], image[1024 + 5], image[2048 + 1023]),
        (at(0, 0, 0), at(0, 1, 1), at(1, 0, 5), at(2, 31, 31))
    );
    assert_eq!(cifar::read(&gzip(&file)).unwrap(), data);
    let both = cifar::read(&cifar_file(3)).unwrap().and(data.clone());
    assert_eq!((both.len(), both.image(2), both.image(25)), (26, &cifar_file(3)[2 * 3073 + 1..3 * 3073], image));
    assert_eq!(both.part(3..99), data);
    assert!(both.part(30..40).is_empty());
}

#[test]
fn what_is_no_cifar_file_is_told() {
    let file = cifar_file(4);
    let words = |file: &[u8]| cifar::read(file).unwrap_err().to_string();
    assert_eq!(words(&file[..3073 * 2 + 1]), "has 6147 bytes, which is no whole number of pictures (3073 bytes each)");
    assert_eq!(words(&gzip(&file[..5000])), "has 5000 bytes, which is no whole number of pictures (3073 bytes each)");
    let mut wrong = file.clone();
    wrong[3073] = 10;
    assert_eq!(words(&wrong), "has a class 10 at picture 1, but CIFAR-10 has classes 0 to 9");
    for (file, looks) in [
        (&b"<!doctype html>"[..], "a web page"),
        (b"", "an empty file"),
        (b"\x80\x04\x95data_batch", "a Python pickle"),
    ] {
        let words = words(file);
        assert!(
            words.starts_with("is not a binary file of CIFAR-10: it looks like ") && words.contains(looks),
            "{words}"
        );
    }
    // The archive, not its files.
    let mut tar = vec![0; 512 * 12];
    tar[..20].copy_from_slice(b"cifar-10-batches-bin");
    tar[257..262].copy_from_slice(b"ustar");
    assert!(words(&gzip(&tar)).ends_with("a tar archive, to be unpacked first"));
    let whole = gzip(&file);
    assert!(words(&whole[..whole.len() - 9]).starts_with("is a damaged gzip file"));
}
