//! Weights as they arrive: in pieces of any size, from one file or several, under other programs' names; and files that are not what
//! they should be, down to every flipped bit.
#![allow(clippy::unwrap_used, missing_docs)]

use allocation_counter::measure;
use half::{bf16, f16};
use pollster::block_on;
use receptive::arch::{Architecture, variant};
use receptive::engine::files::{self, Bytes, LoadError};
use receptive::engine::platform::{FetchError, Files, Pieces};
use receptive::rng::{Rng, fill};
use receptive::weights::{Found, Header, Precision, Reader, Tensor, Wanted, Weights, WeightsError, read, write};
use safetensors::Dtype;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A file of tensors in the formats of which weights are.
fn file(tensors: &[(&str, &[usize], Dtype, &[f32])]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, dtype, values)| match dtype {
            Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
            _ => vec![0; values.len() * 8],
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, dtype, _), bytes)| {
        (name.to_string(), safetensors::tensor::TensorView::new(*dtype, shape.to_vec(), bytes).unwrap())
    });
    safetensors::serialize(views, Some([("made".to_string(), "here".to_string())].into())).unwrap()
}

fn want<'a>(name: &'a str, shape: &'a [usize]) -> Wanted<'a> {
    Wanted { name, shape, optional: None }
}

/// Feeds files one after the other in pieces of this size, as a download would.
fn in_pieces(files: &[&[u8]], wanted: &[Wanted<'_>], size: usize) -> Result<Found, WeightsError> {
    let mut reader = Reader::new(files.len());
    let mut pieces: Vec<_> = files.iter().map(|f| f.chunks(size)).collect();
    for (i, pieces) in pieces.iter_mut().enumerate() {
        while !reader.has_header(i) {
            let Some(piece) = pieces.next() else { break };
            reader.feed(i, piece)?;
        }
    }
    reader.select(wanted)?;
    for (i, pieces) in pieces.into_iter().enumerate() {
        for piece in pieces {
            reader.feed(i, piece)?;
        }
    }
    reader.finish()
}

const EIGHTHS: [f32; 7] = [0.125, -0.25, 0.375, 0.5, -0.625, 0.75, 1.0];

fn mixed() -> Vec<u8> {
    file(&[
        ("a", &[7], Dtype::F32, &EIGHTHS),
        ("b.num_batches_tracked", &[], Dtype::I64, &[0.0]),
        ("b", &[1, 7], Dtype::F16, &EIGHTHS),
        ("c", &[7, 1], Dtype::BF16, &EIGHTHS),
        ("d", &[0], Dtype::F32, &[]),
    ])
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let (file, wanted) = (mixed(), [want("c", &[7, 1]), want("a", &[7]), want("d", &[0]), want("b", &[1, 7])]);
    let sizes = (1..20).chain([64, 100, 1000, 1 << 20]);
    for size in sizes {
        let (found, metadata) = in_pieces(&[&file], &wanted, size).unwrap();
        let expected = [Some(EIGHTHS.to_vec()), Some(EIGHTHS.to_vec()), Some(vec![]), Some(EIGHTHS.to_vec())];
        assert_eq!(found, expected, "pieces of {size}");
        assert_eq!(metadata, BTreeMap::from([("made".to_string(), "here".to_string())]));
    }
}

/// Headers decide: nothing but them was fed when the fault is told.
#[test]
fn faults_are_told_before_any_tensor_is_read() {
    let file = mixed();
    let head = Header::parse(&file).unwrap().data as usize;
    let select = |wanted: &[Wanted<'_>], len: Option<u64>| {
        let mut reader = Reader::new(1);
        len.into_iter().for_each(|len| reader.set_len(0, len));
        reader.feed(0, &file[..head]).unwrap();
        let mut error = None;
        let found = measure(|| error = reader.select(wanted).err());
        (error, found.bytes_max)
    };
    let huge = 1 << 24;
    let (error, bytes) = select(&[want("a", &[7]), want("b", &[1, huge]), want("e", &[huge])], None);
    assert!(bytes < 1 << 16, "{bytes} bytes were taken");
    assert_eq!(
        error.unwrap().to_string(),
        "These are not the weights of this network, and nothing was changed.\n\
         Missing (1): e [16777216]\n\
         Not part of it (2): d [0], c [7, 1]\n\
         Of another shape (1): b [1, 7] instead of [1, 16777216]"
    );
    let all = [want("a", &[7]), want("b", &[1, 7]), want("c", &[7, 1]), want("d", &[0])];
    let (error, _) = select(&all, Some(file.len() as u64 - 1));
    let expected = WeightsError::Truncated { got: file.len() as u64 - 1, expected: file.len() as u64, at_least: false };
    assert_eq!(error, Some(expected));
    let (error, _) = select(&all, Some(file.len() as u64 + 2));
    assert!(matches!(error, Some(WeightsError::Trailing { .. })), "{error:?}");
    assert_eq!(select(&all, Some(file.len() as u64)).0, None);
    // Integers under a wanted name are no weights.
    let counter = want("b.num_batches_tracked", &[]);
    let (error, _) = select(&[all[0], all[1], all[2], all[3], counter], None);
    assert!(matches!(error, Some(WeightsError::Dtype { .. })), "{error:?}");
}

#[test]
fn a_file_that_ends_early_or_late_is_told_at_its_end() {
    let file = mixed();
    let wanted = [want("a", &[7]), want("b", &[1, 7]), want("c", &[7, 1]), want("d", &[0])];
    for cut in 0..file.len() {
        let error = in_pieces(&[&file[..cut]], &wanted, 5).unwrap_err();
        match error {
            WeightsError::Truncated { got, .. } => assert_eq!(got, cut as u64),
            WeightsError::NotSafetensors(_) => assert!(cut < 9, "{cut}"),
            other => panic!("{cut}: {other}"),
        }
    }
    let error = in_pieces(&[&[&file[..], b"x"].concat()], &wanted, 5).unwrap_err();
    assert!(matches!(error, WeightsError::Trailing { .. }), "{error}");
    let mut bad = file.clone();
    let from = Header::parse(&file).unwrap().entries.iter().find(|e| e.name == "a").unwrap().bytes.start as usize;
    bad[from + 4..from + 8].copy_from_slice(&f32::NAN.to_le_bytes());
    for size in [3, 1000] {
        let words = in_pieces(&[&bad], &wanted, size).unwrap_err().to_string();
        assert_eq!(words, "The tensor a has 1 infinite or undefined values of 7.");
    }
}

#[test]
fn weights_may_lie_in_several_files() {
    let first = file(&[("a", &[2], Dtype::F32, &[1.0, 2.0])]);
    let second = file(&[("c", &[1], Dtype::F16, &[4.0]), ("b", &[3], Dtype::F32, &[5.0, 6.0, 7.0])]);
    let wanted = [want("a", &[2]), want("b", &[3]), want("c", &[1])];
    for size in [1, 7, 4096] {
        let (found, _) = in_pieces(&[&first, &second], &wanted, size).unwrap();
        assert_eq!(found, [Some(vec![1.0, 2.0]), Some(vec![5.0, 6.0, 7.0]), Some(vec![4.0])]);
        assert_eq!(in_pieces(&[&second, &first], &wanted, size).unwrap().0, found);
    }
    // One is missing; one comes twice.
    let error = in_pieces(&[&second], &wanted, 100).unwrap_err().to_string();
    assert!(error.ends_with("Missing (1): a [2]"), "{error}");
    let error = in_pieces(&[&first, &second, &first], &wanted, 100).unwrap_err().to_string();
    assert!(error.ends_with("Not part of it (1): a [2]"), "{error}");
}

#[test]
fn names_and_forms_of_other_programs_are_known() {
    let twelve: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let timm = file(&[
        ("features.0.weight", &[1, 1, 1, 1], Dtype::F32, &[9.0]),
        ("pre_logits.fc1.weight", &[1, 2, 2, 3], Dtype::F32, &twelve),
        ("pre_logits.fc2.weight", &[2, 1, 1, 1], Dtype::F32, &[1.0, 2.0]),
        ("head.fc.weight", &[1, 2], Dtype::F32, &[3.0, 4.0]),
    ]);
    let wanted = [
        want("features.0.weight", &[1, 1, 1, 1]),
        want("classifier.0.weight", &[1, 12]),
        want("classifier.3.weight", &[2, 1]),
        want("classifier.6.weight", &[1, 2]),
    ];
    let expected = [Some(vec![9.0]), Some(twelve.clone()), Some(vec![1.0, 2.0]), Some(vec![3.0, 4.0])];
    assert_eq!(in_pieces(&[&timm], &wanted, 11).unwrap().0, expected);
    // A convolution of another form is none of these, and is told under the file's name.
    let wrong = [wanted[0], want("classifier.0.weight", &[1, 13]), wanted[2], wanted[3]];
    let error = in_pieces(&[&timm], &wrong, 11).unwrap_err().to_string();
    assert!(error.ends_with("pre_logits.fc1.weight [1, 2, 2, 3] instead of [1, 13]"), "{error}");
    // Under its own name a linear layer is a linear layer.
    let own = file(&[("classifier.0.weight", &[1, 2, 2, 3], Dtype::F32, &twelve)]);
    assert!(in_pieces(&[&own], &[wanted[1]], 100).is_err());
}

#[test]
fn what_may_be_missing_may_be_missing_altogether() {
    let optional = |name, part| Wanted { optional: Some(part), ..want(name, &[1]) };
    let wanted = [want("x", &[1]), optional("aux1.a", 0), optional("aux1.b", 0), optional("aux2.a", 1)];
    let read = |names: &[&str]| {
        let tensors: Vec<_> = names.iter().map(|&n| (n, &[1usize][..], Dtype::F32, &[2.0f32][..])).collect();
        in_pieces(&[&file(&tensors)], &wanted, 100)
    };
    let two = || Some(vec![2.0]);
    assert_eq!(read(&["x"]).unwrap().0, [two(), None, None, None]);
    assert_eq!(read(&["x", "aux2.a"]).unwrap().0, [two(), None, None, two()]);
    assert_eq!(read(&["x", "aux1.a", "aux1.b", "aux2.a"]).unwrap().0, [two(), two(), two(), two()]);
    let error = read(&["x", "aux1.b"]).unwrap_err().to_string();
    assert!(error.ends_with("Missing (1): aux1.a [1]"), "{error}");
    assert!(read(&["aux1.a", "aux1.b"]).is_err());
}

/// The tensors, and little more: no file is ever whole in memory.
#[test]
fn reading_takes_the_room_of_the_tensors() {
    let values = fill("weights", "large", 1 << 20, -1.0, 1.0);
    let file = file(&[("a", &[1 << 20], Dtype::F32, &values), ("b", &[1 << 20], Dtype::F16, &values)]);
    let wanted = [want("a", &[1 << 20]), want("b", &[1 << 20])];
    let mut found = None;
    let taken = measure(|| found = Some(in_pieces(&[&file], &wanted, 1 << 16).unwrap()));
    assert_eq!(found.unwrap().0[0].as_deref(), Some(&values[..]));
    let tensors = (2 * 4) << 20;
    assert!((tensors..tensors + (1 << 18)).contains(&taken.bytes_max), "{} of {tensors}", taken.bytes_max);
}

/// Every kind of damage to the header, seeded: a sentence or the truth, never a panic, and no more memory than what is wanted.
#[test]
fn damaged_headers_never_panic() {
    let good = mixed();
    let head = Header::parse(&good).unwrap().data as usize;
    let wanted = [want("a", &[7]), want("b", &[1, 7]), want("c", &[7, 1]), want("d", &[0])];
    let numbers = [
        "0",
        "1",
        "28",
        "-1",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "4294967296",
        "1e3",
        "\"7\"",
        "null",
        "[]",
        "[[[[7]]]]",
    ];
    let root = Rng::stream(11, "headers");
    let (mut read_all, mut refused) = (0, BTreeMap::<String, usize>::new());
    for i in 0..20_000u64 {
        let mut rng = root.substream(i);
        let mut file = good.clone();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(head.min(file.len()));
            match rng.below(7) {
                0 => file[at] ^= 1 << rng.below(8),
                1 => file[at] = rng.below(256) as u8,
                2 => file.truncate(at),
                3 => file.insert(at, b"{}[],:\"0e\\"[rng.below(10)]),
                4 => drop(file.remove(at)),
                5 => {
                    // A stretch again, somewhere else.
                    let part = file[at..(at + rng.below(40)).min(file.len())].to_vec();
                    let to = rng.below(head.min(file.len()));
                    file.splice(to..to, part);
                }
                _ => {
                    // A number becomes another, and the header's length follows.
                    let digits: Vec<usize> = (8..head.min(file.len())).filter(|&i| file[i].is_ascii_digit()).collect();
                    if !digits.is_empty() {
                        let at = digits[rng.below(digits.len())];
                        let number = numbers[rng.below(numbers.len())];
                        file.splice(at..at + 1, number.bytes());
                        let length = u64::from_le_bytes(*file.first_chunk().unwrap());
                        let length = length.wrapping_add(number.len() as u64 - 1);
                        file[..8].copy_from_slice(&length.to_le_bytes());
                    }
                }
            }
            if file.is_empty() {
                break;
            }
        }
        let size = [1000, 13][rng.below(2)];
        let mut result = None;
        let taken = measure(|| result = Some(in_pieces(&[&file], &wanted, size)));
        assert!(taken.bytes_max < 1 << 17, "{i}: {} bytes", taken.bytes_max);
        match result.unwrap() {
            Ok((found, _)) => {
                read_all += 1;
                assert!(
                    found
                        .iter()
                        .zip(&wanted)
                        .all(|(f, w)| f.as_ref().unwrap().len() == w.shape.iter().product::<usize>())
                );
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                let kind = format!("{error:?}");
                let kind = kind.split(['(', ' ']).next().unwrap().to_string();
                *refused.entry(kind).or_default() += 1;
            }
        }
        // All tensors of whatever it now says it holds, too.
        if i % 4 == 0 {
            let _ = read(&file);
        }
    }
    // The mutations reach far: some leave the file good, and each kind of refusal comes about.
    assert!(read_all > 30, "{read_all}");
    for kind in ["Header", "Mismatch", "NotSafetensors", "Truncated"] {
        assert!(refused.get(kind).is_some_and(|&n| n > 20), "{kind}: {refused:?}");
    }
}

fn network(name: &str) -> Architecture {
    variant(name).unwrap().build().unwrap()
}

/// The network's file in two parts and their index.
fn shards(net: &Architecture) -> (Vec<Vec<f32>>, [Vec<u8>; 2], Vec<u8>) {
    let params = net.initial(3);
    let tensors: Vec<Tensor> = (net.graph.params().iter().zip(&params))
        .map(|(p, data)| Tensor { name: p.name.clone(), shape: p.param.shape.clone(), data: data.clone() })
        .collect();
    let (first, second) = tensors.split_at(tensors.len() / 2);
    let part = |tensors: &[Tensor]| {
        write(&Weights { tensors: tensors.to_vec(), metadata: BTreeMap::new() }, Precision::F32).unwrap()
    };
    let map: BTreeMap<&str, &str> = (tensors.iter().enumerate())
        .map(|(i, t)| (&t.name[..], if i < tensors.len() / 2 { "m-1.safetensors" } else { "m-2.safetensors" }))
        .collect();
    let index = serde_json::to_vec(&serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map})).unwrap();
    (params, [part(first), part(second)], index)
}

fn boxed(name: &str, bytes: &[u8]) -> Box<dyn Pieces> {
    Box::new(Bytes::new(name, bytes.to_vec()))
}

fn load(net: &Architecture, files: Files) -> Result<Vec<Vec<f32>>, LoadError> {
    block_on(files::load(net, files, &files::nothing_else, &|_, _| {})).map(|(params, _)| params)
}

#[test]
fn an_index_leads_to_its_files() {
    let net = network("lenet5-modern");
    let (params, [first, second], index) = shards(&net);
    let (m1, m2) = (|| boxed("m-1.safetensors", &first), || boxed("m-2.safetensors", &second));
    // Given together, in any order, with the index or without.
    let with = || boxed("model.safetensors.index.json", &index);
    for files in [vec![m1(), m2()], vec![m2(), with(), m1()], vec![with(), m1(), m2()]] {
        assert_eq!(load(&net, files).unwrap(), params);
    }
    let words = |files| load(&net, files).unwrap_err().to_string();
    assert_eq!(
        words(vec![with(), m2()]),
        "This is the index of weights that lie in several files. Choose these together with it: m-1.safetensors."
    );
    assert!(words(vec![m2()]).contains("Missing ("));
    assert!(
        words(vec![boxed("i.json", b"{\"weight_map\"")]).starts_with("This is no index of weights in several files")
    );
    assert!(words(vec![boxed("config.json", b"{\"a\": 1}")]).contains("a JSON document"));
    assert!(words(vec![boxed("x", b"PK\x03\x04\x00\x00\x00\x00\x00\x00")]).contains("s.save_file("));

    // By its address: its files lie beside it, and progress counts both.
    let opened = RefCell::new(Vec::new());
    let open = |url: &str| {
        opened.borrow_mut().push(url.to_string());
        let found = match url.rsplit('/').next() {
            Some("m-1.safetensors") => Ok(boxed(url, &first)),
            Some("m-2.safetensors") => Ok(boxed(url, &second)),
            _ => Err(FetchError { url: url.into(), reason: "404".into() }),
        };
        Box::pin(std::future::ready(found)) as receptive::engine::platform::Local<_>
    };
    let told = RefCell::new(Vec::new());
    let tell = |received, total| told.borrow_mut().push((received, total));
    let url = "https://host/repo/resolve/main/model.safetensors.index.json?download=true";
    let loaded = block_on(files::load(&net, vec![boxed(url, &index)], &open, &tell)).unwrap().0;
    assert_eq!(loaded, params);
    let at = "https://host/repo/resolve/main/";
    assert_eq!(opened.into_inner(), [format!("{at}m-1.safetensors"), format!("{at}m-2.safetensors")]);
    let total = (first.len() + second.len()) as u64;
    assert_eq!(told.borrow().last(), Some(&(total, Some(total))));
    assert!(told.borrow().is_sorted());
}

/// A download that breaks off, and one that breaks with an error of its own.
#[test]
fn a_broken_download_is_told() {
    #[derive(Debug)]
    struct Broken(Vec<Result<Option<Vec<u8>>, FetchError>>);
    impl Pieces for Broken {
        fn name(&self) -> &str {
            "w"
        }
        fn total(&self) -> Option<u64> {
            None
        }
        fn next(&mut self) -> receptive::engine::platform::Local<Result<Option<Vec<u8>>, FetchError>> {
            Box::pin(std::future::ready(self.0.remove(0)))
        }
    }
    let net = network("lenet5-modern");
    let file = files::write(&net, &net.initial(1), BTreeMap::new()).unwrap();
    let error = load(&net, vec![Box::new(Broken(vec![Ok(Some(file[..9000].to_vec())), Ok(None)]))]).unwrap_err();
    assert!(matches!(error, LoadError::Weights(WeightsError::Truncated { got: 9000, .. })), "{error}");
    let broken = FetchError { url: "w".into(), reason: "reset".into() };
    let pieces = vec![Ok(Some(file[..9000].to_vec())), Err(broken.clone())];
    assert!(matches!(load(&net, vec![Box::new(Broken(pieces))]), Err(LoadError::Fetch(error)) if error == broken));
    let pieces = file.chunks(777).map(|piece| Ok(Some(piece.to_vec()))).chain([Ok(None)]).collect();
    assert_eq!(load(&net, vec![Box::new(Broken(pieces))]).unwrap(), net.initial(1));
}

/// The beginning of a file of tensors of these names and shapes.
fn head(tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let end = at + 4 * shape.iter().product::<usize>();
        header.insert(name.clone(), serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header].concat()
}

fn select(net: &Architecture, tensors: &[(String, Vec<usize>)]) -> Result<(), WeightsError> {
    let mut reader = Reader::new(1);
    reader.feed(0, &head(tensors))?;
    reader.select(&files::wanted(net))
}

/// Names and shapes of a network's parameters as another program has them.
fn named(
    net: &Architecture,
    change: impl Fn(&str, &[usize]) -> Option<(String, Vec<usize>)>,
) -> Vec<(String, Vec<usize>)> {
    net.graph.params().iter().filter_map(|p| change(&p.name, &p.param.shape)).collect()
}

/// timm 1.0's names and shapes of VGG: `features.N` as torchvision, then `pre_logits` and `head`.
#[test]
fn timms_vgg_is_known() {
    for name in ["vgg16", "vgg19-bn"] {
        let net = network(name);
        let timm = named(&net, |name, shape| {
            let (layer, kind) = name.rsplit_once('.').unwrap();
            let (layer, form) = match (layer, kind) {
                ("classifier.0", "weight") => ("pre_logits.fc1", vec![4096, 512, 7, 7]),
                ("classifier.3", "weight") => ("pre_logits.fc2", vec![4096, 4096, 1, 1]),
                ("classifier.0", _) => ("pre_logits.fc1", shape.to_vec()),
                ("classifier.3", _) => ("pre_logits.fc2", shape.to_vec()),
                ("classifier.6", _) => ("head.fc", shape.to_vec()),
                (layer, _) => (layer, shape.to_vec()),
            };
            Some((format!("{layer}.{kind}"), form))
        });
        assert!(timm.iter().any(|(name, _)| name == "head.fc.bias"));
        assert_eq!(select(&net, &timm), Ok(()), "{name}");
        let lacking: Vec<_> = timm.into_iter().filter(|(name, _)| name != "pre_logits.fc2.bias").collect();
        let words = select(&net, &lacking).unwrap_err().to_string();
        assert!(words.ends_with("Missing (1): classifier.3.bias [4096]"), "{words}");
    }
}

/// Heads that only training has may be missing, each as a whole.
#[test]
fn auxiliary_heads_may_be_missing() {
    for (name, heads) in [("googlenet", ["loss1.", "loss2."]), ("googlenet-torchvision", ["aux1.", "aux2."])] {
        let net = network(name);
        let without = |gone: &[&str]| {
            named(&net, |name, shape| {
                (!gone.iter().any(|gone| name.starts_with(gone))).then(|| (name.to_string(), shape.to_vec()))
            })
        };
        let count = net.graph.params().len();
        assert!(without(&heads).len() < count && without(&heads[..1]).len() > without(&heads).len());
        for gone in [&heads[..0], &heads[..1], &heads[1..], &heads] {
            assert_eq!(select(&net, &without(gone)), Ok(()), "{name} without {gone:?}");
        }
        let part = format!("{}fc", heads[1]);
        let words = select(&net, &without(&[&part])).unwrap_err().to_string();
        assert!(words.contains("Missing (") && words.contains(&part) && !words.contains("Not part"), "{words}");
        // Nothing else may be.
        let stem = without(&["conv1"]);
        assert!(select(&net, &stem).unwrap_err().to_string().contains("conv1"), "{name}");
    }
    // What the file did not bring starts as it always does.
    let net = network("googlenet-digits");
    let needed = net.inference_nodes();
    let initial = net.initial(9);
    let (mut tensors, mut heads) = (Vec::new(), 0);
    for (p, data) in net.graph.params().iter().zip(&initial) {
        if needed[p.node] {
            tensors.push(Tensor { name: p.name.clone(), shape: p.param.shape.clone(), data: data.clone() });
        } else {
            heads += 1;
        }
    }
    let file = write(&Weights { tensors, metadata: BTreeMap::new() }, Precision::F32).unwrap();
    let (params, _) = files::read(&net, &file).unwrap();
    let fresh = net.initial(1);
    assert!(heads > 0);
    for (i, p) in net.graph.params().iter().enumerate() {
        assert_eq!(params[i], if needed[p.node] { &initial[i][..] } else { &fresh[i][..] }, "{}", p.name);
    }
}

/// A network's whole opening takes its weights, its activations and a little: no file, no copy, no momentum.
#[test]
fn opening_takes_little_more_than_weights_and_activations() {
    use receptive::engine::executor::Executor;
    use receptive::plan::{Plan, Request};
    let net = network("resnet18");
    /// A download of bytes that are not counted: they are there before and after.
    #[derive(Debug)]
    struct Download(Rc<Vec<u8>>, usize);
    impl Pieces for Download {
        fn name(&self) -> &str {
            "w"
        }
        fn total(&self) -> Option<u64> {
            Some(self.0.len() as u64)
        }
        fn next(&mut self) -> receptive::engine::platform::Local<Result<Option<Vec<u8>>, FetchError>> {
            let piece = self.0.chunks(1 << 16).nth(self.1).map(<[u8]>::to_vec);
            self.1 += 1;
            Box::pin(std::future::ready(Ok(piece)))
        }
    }
    let file = Rc::new(files::write(&net, &net.initial(1), BTreeMap::new()).unwrap());
    let pieces: Files = vec![Box::new(Download(file.clone(), 0))];
    let plan = Plan::new(&net, &Request::inference(1, &[]));
    let weights: usize = net.graph.params().iter().map(|p| 4 * p.param.len()).sum();
    let values: usize = plan.buffers.iter().map(|b| 4 * b.len).sum();
    let mut output = Vec::new();
    let taken = measure(|| {
        let mut executor = Executor::cpu(load(&net, pieces).unwrap());
        let program = executor.prepare(&net, plan).unwrap();
        executor.run(&program).unwrap();
        output = block_on(executor.read(&program, &[program.plan.values[net.output].unwrap()])).unwrap().remove(0);
    });
    assert!(output.iter().all(|v| v.is_finite()));
    let room = weights + values;
    assert!((taken.bytes_max as usize) < room + room / 4, "{} for {weights} + {values} bytes", taken.bytes_max);
    assert!(taken.bytes_max as usize > room && !file.is_empty(), "{} is too little to be true", taken.bytes_max);
}
