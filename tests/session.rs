//! The engine's session as the page drives it: commands in, events out, on the CPU, with files from www/ in the place of a server.
#![allow(clippy::unwrap_used, missing_docs)]

use pollster::block_on;
use receptive::arch::variant;
use receptive::data::photo::Photo;
use receptive::engine::files::{self, Bytes};
use receptive::engine::inbox::Inbox;
use receptive::engine::platform::{FetchError, Files, Local, OnBytes, Painting, Pieces, Pixels, Platform};
use receptive::engine::session::Session;
use receptive::gpu::{self, Gpu};
use receptive::protocol::{
    Alterations, Backend, Command, Event, Halt, Inquiry, Origin, Over, PaintRect, Palette, Picture, Scale, Source,
    StepRecord, TrainConfig, Weights, Why,
};
use receptive::rng::Rng;
use receptive::tensor::{Shape, Unit};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

/// A world of files, without WebGPU.
struct World {
    start: Instant,
    webgpu: Cell<bool>,
    events: RefCell<Vec<(Event, Option<Vec<u8>>)>>,
    files: RefCell<HashMap<String, Vec<u8>>>,
    stored: RefCell<BTreeMap<String, Vec<u8>>>,
    painted: RefCell<HashMap<u32, Painting>>,
    fetched: RefCell<Vec<String>>,
}

impl Platform for World {
    fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64() * 1e3
    }
    fn webgpu(&self) -> bool {
        self.webgpu.get()
    }
    fn secure(&self) -> bool {
        true
    }
    fn send(&self, event: Event, bytes: Option<Vec<u8>>) {
        self.events.borrow_mut().push((event, bytes));
    }
    fn fetch(&self, url: &str, progress: OnBytes) -> Local<Result<Vec<u8>, FetchError>> {
        self.fetched.borrow_mut().push(url.into());
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("www").join(url);
        let own = self.files.borrow().get(url).cloned();
        let read = own.ok_or(()).or_else(|()| std::fs::read(path));
        let url = url.to_string();
        let read = read.map_err(|e| FetchError { url, reason: e.to_string() });
        if let Ok(bytes) = &read {
            progress(bytes.len() as u64, Some(bytes.len() as u64));
        }
        Box::pin(std::future::ready(read))
    }
    fn stream(&self, url: &str) -> Local<Result<Box<dyn Pieces>, FetchError>> {
        if self.files.borrow().contains_key("stuck") {
            return Box::pin(std::future::ready(Ok(Box::new(Stuck) as Box<dyn Pieces>)));
        }
        let (name, fetched) = (url.to_string(), self.fetch(url, Rc::new(|_, _| {})));
        Box::pin(async move { Ok(Box::new(Bytes::new(&name, fetched.await?)) as Box<dyn Pieces>) })
    }
    fn load(&self, key: &str) -> Local<Result<Option<Vec<u8>>, String>> {
        Box::pin(std::future::ready(Ok(self.stored.borrow().get(key).cloned())))
    }
    fn store(&self, key: &str, bytes: Vec<u8>) -> Local<Result<(), String>> {
        self.stored.borrow_mut().insert(key.into(), bytes);
        Box::pin(std::future::ready(Ok(())))
    }
    /// Files of tests are width, height, pixels.
    fn decode(&self, file: Vec<u8>) -> Local<Result<Pixels, String>> {
        let pixels = match file[..] {
            [w, h, ref rest @ ..] if rest.len() == 4 * usize::from(w) * usize::from(h) => {
                Ok((rest.to_vec(), w.into(), h.into()))
            }
            _ => Err("no picture".into()),
        };
        Box::pin(std::future::ready(pixels))
    }
    fn pause(&self) -> Local<()> {
        Box::pin(std::future::ready(()))
    }
    fn paint(&self, canvas: u32, painting: &Painting) {
        self.painted.borrow_mut().insert(canvas, painting.clone());
    }
    fn easel(&self, _: &Gpu) -> Local<Option<gpu::Canvas>> {
        Box::pin(std::future::ready(None))
    }
    fn hang(&self, _: &[(u32, Painting)]) {}
}

/// A session and its world.
struct Engine {
    session: Session,
    inbox: Inbox,
    world: Rc<World>,
}

impl Engine {
    fn new() -> Self {
        let world = Rc::new(World {
            start: Instant::now(),
            webgpu: Cell::new(false),
            events: RefCell::default(),
            files: RefCell::default(),
            stored: RefCell::default(),
            painted: RefCell::default(),
            fetched: RefCell::default(),
        });
        let inbox = Inbox::default();
        Self { session: Session::new(world.clone(), inbox.clone()), inbox, world }
    }

    /// A session with this network open, seed 1.
    fn with(variant: &str) -> Self {
        let mut engine = Self::new();
        engine.tell(Command::Start { backend: None });
        engine.open(variant, Weights::Seed(1), None);
        engine
    }

    fn open(&mut self, variant: &str, weights: Weights, bytes: Option<Vec<u8>>) -> Vec<Event> {
        let files: Option<Files> = bytes.map(|bytes| vec![Box::new(Bytes::new("own", bytes)) as Box<dyn Pieces>]);
        self.inbox.push(Command::Open { generation: 5, variant: variant.into(), weights }, files);
        self.work()
    }

    /// One command, and the events that follow.
    fn tell(&mut self, command: Command) -> Vec<Event> {
        self.inbox.push(command, None);
        self.work()
    }

    fn work(&mut self) -> Vec<Event> {
        while block_on(self.session.turn()) {}
        self.world.events.take().into_iter().map(|(event, _)| event).collect()
    }
}

fn drawings() -> Vec<(u8, Picture)> {
    let text = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/digits.json")).unwrap();
    let all: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    all.iter()
        .map(|d| {
            let strokes = serde_json::from_value(d["strokes"].clone()).unwrap();
            let picture = Picture::Strokes { strokes, size: 280.0, pen: 20.0, centre: true };
            (d["digit"].as_u64().unwrap() as u8, picture)
        })
        .collect()
}

fn failure(events: &[Event]) -> &str {
    match events {
        [Event::Failed { fault, .. }] => &fault.key,
        other => panic!("{other:?}"),
    }
}

fn output(events: &[Event]) -> Vec<f32> {
    let found = events.iter().find_map(|e| match e {
        Event::Output { output, .. } => output.clone(),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{events:?}"))
}

#[test]
fn a_network_opens_and_says_where_its_weights_are_from() {
    let mut engine = Engine::new();
    let events = engine.tell(Command::Start { backend: None });
    let Event::Engine(info) = &events[0] else { panic!("{events:?}") };
    assert_eq!((info.backend, info.why, info.gpu_available), (Backend::Cpu, Why::NoWebgpu, false));
    let events = engine.open("lenet5", Weights::Seed(4), None);
    let opened = Event::Opened { generation: 5, variant: "lenet5".into(), origin: Origin::Random(4) };
    assert!(events.contains(&opened), "{events:?}");
    // Nothing drawn: no prediction.
    assert!(events.iter().any(|e| matches!(e, Event::Output { output: None, .. })), "{events:?}");
    assert!(engine.world.fetched.borrow().is_empty(), "random weights need no file");
    assert_eq!(failure(&engine.open("lenet6", Weights::Shipped, None)), "unknown-variant");
}

#[test]
fn drawings_are_prepared_and_computed() {
    for name in ["lenet5", "lenet5-modern"] {
        let mut engine = Engine::with(name);
        let mut seen = Vec::new();
        for (digit, picture) in drawings() {
            let events = engine.tell(Command::Show { generation: 70 + u32::from(digit), picture });
            let Event::Shown { generation, input: Some(input), shape, label: None } = &events[0] else {
                panic!("{events:?}")
            };
            assert_eq!((*generation, *shape, input.len()), (70 + u32::from(digit), Shape::new(1, 32, 32), 1024));
            let background = variant(name).unwrap().build().unwrap().normalisation.levels(0).background;
            assert!((0..4).all(|y| input[y * 32..][..32].iter().all(|&v| v == background)), "the frame");
            let Event::Output { probabilities, .. } = &events[1] else { panic!("{events:?}") };
            assert_eq!(probabilities.len(), 10);
            seen.push(output(&events));
        }
        assert_eq!(seen.len(), 10);
        assert!(seen.iter().flatten().all(|v| v.is_finite()));
        assert_ne!(seen[0], seen[1]);
        // The same through the raw input.
        let events = engine.tell(Command::Show { generation: 90, picture: drawings()[3].1.clone() });
        let Event::Shown { input: Some(input), .. } = events[0].clone() else { panic!("{events:?}") };
        let events = engine.tell(Command::Show { generation: 91, picture: Picture::Raw(input) });
        assert_eq!(output(&events), seen[3]);
        let events = engine.tell(Command::Show { generation: 92, picture: Picture::Raw(vec![0.0; 9]) });
        assert_eq!(failure(&events), "input-length");
        let events = engine.tell(Command::Show { generation: 93, picture: Picture::Empty });
        assert!(matches!(events[..], [Event::Shown { input: None, .. }, Event::Output { output: None, .. }]));
    }
}

#[test]
fn photographs_are_prepared_for_the_network_that_sees_them() {
    let mut engine = Engine::with("resnet20-cifar");
    let rgba: Vec<u8> = (0..50 * 40 * 4).map(|i| if i % 4 == 3 { 255 } else { (i * 7 % 251) as u8 }).collect();
    let photo = Picture::Photo { width: 50, height: 40 };
    let show = |engine: &mut Engine, generation, picture, bytes: Option<Vec<u8>>| {
        let files = bytes.map(|bytes| vec![Box::new(Bytes::new("", bytes)) as Box<dyn Pieces>]);
        engine.inbox.push(Command::Show { generation, picture }, files);
        engine.work()
    };
    let input = |events: &[Event]| match &events[0] {
        Event::Shown { input: Some(input), shape, .. } => (input.clone(), *shape),
        other => panic!("{other:?}"),
    };
    let prepared = |name: &str, to| {
        let net = variant(name).unwrap().build().unwrap();
        Photo::new(&rgba, 50, 40).unwrap().prepare(net.normalisation, to)
    };
    let events = show(&mut engine, 1, photo.clone(), Some(rgba.clone()));
    assert_eq!(input(&events), (prepared("resnet20-cifar", [3, 32, 32]), Shape::new(3, 32, 32)));
    assert_eq!(output(&events).len(), 10);
    // A network for digits looks for one on it: dark on light.
    engine.open("lenet5", Weights::Shipped, None);
    for (digit, picture) in drawings() {
        let Picture::Strokes { strokes, .. } = picture else { panic!() };
        let pad = receptive::data::digits::render(&strokes, 24.0, 280);
        let (side, edge) = (400, 60); // the pad on a grey sheet
        let paper = |i: usize| {
            let (y, x) = (i / side, i % side);
            let inside = (edge..edge + 280).contains(&y) && (edge..edge + 280).contains(&x);
            let ink = if inside { pad[(y - edge) * 280 + x - edge] } else { 0 };
            (170.0 - 0.1 * x as f32) * (1.0 - 0.7 * f32::from(ink) / 255.0)
        };
        let rgba: Vec<u8> =
            (0..side * side).flat_map(|i| [paper(i) as u8, paper(i) as u8, paper(i) as u8, 255]).collect();
        let events = show(&mut engine, 3, Picture::Photo { width: side, height: side }, Some(rgba));
        let predicted = events.iter().find_map(|e| match e {
            Event::Output { predicted, .. } => Some(*predicted),
            _ => None,
        });
        assert_eq!(predicted, Some(usize::from(digit)));
    }
    let sheet = vec![200; 40 * 40 * 4];
    let events = show(&mut engine, 3, Picture::Photo { width: 40, height: 40 }, Some(sheet));
    assert!(matches!(events[..], [Event::Shown { input: None, .. }, Event::Output { output: None, .. }]));
    // Pixels that are not so many.
    let events = show(&mut engine, 2, Picture::Photo { width: 50, height: 41 }, None);
    assert_eq!(failure(&events), "photo");
}

fn shown(events: &[Event]) -> Vec<f32> {
    let found = events.iter().find_map(|e| match e {
        Event::Shown { input, .. } => input.clone(),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{events:?}"))
}

#[test]
fn what_the_reader_does_to_the_picture_is_shown_and_computed() {
    let mut engine = Engine::with("lenet5");
    assert!(matches!(engine.tell(Command::Alter(Alterations::default()))[..], [Event::Shown { input: None, .. }, _]));
    let events = engine.tell(Command::Show { generation: 7, picture: drawings()[3].1.clone() });
    let (plain, said) = (shown(&events), output(&events));
    let alterations = Alterations { shift: [2, -1], invert: true, ..Alterations::default() };
    let events = engine.tell(Command::Alter(alterations));
    assert!(matches!(events[..], [Event::Shown { generation: 7, .. }, Event::Output { generation: 7, .. }]));
    let at = |y: usize, x: usize| y * 32 + x;
    // LeNet-5's paper is −0.1 and ink 1.175.
    assert!((shown(&events)[at(12, 15)] - (1.175 - 0.1 - plain[at(10, 16)])).abs() < 1e-6);
    assert_ne!(output(&events), said);
    // What is computed is what is shown: the same through the raw input, which is left alone.
    let (input, altered) = (shown(&events), output(&events));
    let events = engine.tell(Command::Show { generation: 8, picture: Picture::Raw(input.clone()) });
    assert_eq!((shown(&events), output(&events)), (input, altered));
    // It holds for the next picture and the next network too, and can be taken back.
    let events = engine.tell(Command::Show { generation: 9, picture: drawings()[3].1.clone() });
    assert_ne!(shown(&events), plain);
    let modern = engine.open("lenet5-modern", Weights::Seed(1), None);
    assert!(shown(&modern)[0] > 1.0, "paper became ink");
    engine.open("lenet5", Weights::Seed(1), None);
    let events = engine.tell(Command::Alter(Alterations::default()));
    assert_eq!((shown(&events), output(&events)), (plain, said));
}

#[test]
fn a_moved_picture_moves_the_maps_along_until_pooling() {
    let mut engine = Engine::with("lenet5-modern");
    let net = variant("lenet5-modern").unwrap().build().unwrap();
    let nodes: Vec<usize> =
        ["conv1", "pool1", "pool2"].iter().map(|n| net.graph.find(n).unwrap()).chain([net.output]).collect();
    let compare = |engine: &mut Engine, shift| {
        let events = engine.tell(Command::Alter(Alterations { shift, ..Alterations::default() }));
        let said = output(&events);
        let events = engine.tell(Command::Compare { request: 4, nodes: nodes.clone() });
        let [Event::Compared { request: 4, shift: told, moved }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(*told, shift);
        // What is shown is still shown.
        let Event::Tensor { data, .. } =
            &engine.tell(Command::Read { request: 1, source: Source::Value(net.output) })[0]
        else {
            panic!()
        };
        assert_eq!(*data, said);
        moved.clone()
    };
    engine.tell(Command::Show { generation: 1, picture: drawings()[8].1.clone() });
    assert!(compare(&mut engine, [0, 0]).is_empty());
    let one = compare(&mut engine, [0, 1]);
    assert_eq!(one.iter().map(|m| m.by[1]).collect::<Vec<_>>(), [1.0, 0.5, 0.25, 0.0]);
    // A convolution's maps merely move; half a unit of a pooling is no move.
    assert!(one[0].left.unwrap() < 1e-5 && one[0].found == Some(1.0) && one[0].changed > 0.1, "{one:?}");
    assert_eq!((one[1].left, one[1].found, one[3].left), (None, None, None));
    // By two pixels the maps behind the first pooling move too, by four those behind the second.
    let two = compare(&mut engine, [2, 0]);
    assert!(two[1].left.unwrap() < 1e-5 && two[1].by == [1.0, 0.0] && two[2].left.is_none(), "{two:?}");
    let four = compare(&mut engine, [0, -4]);
    assert!(four[2].left.unwrap() < 1e-5 && four[2].found == Some(1.0), "{four:?}");
}

#[test]
fn samples_bring_their_class() {
    let mut engine = Engine::with("lenet5");
    for digit in 0..10 {
        for nth in [0, 3, 1000] {
            let events = engine.tell(Command::Show { generation: 1, picture: Picture::SampleOf { digit, nth } });
            assert!(matches!(&events[0], Event::Shown { label: Some(label), input: Some(_), .. } if *label == digit));
        }
    }
    let events = engine.tell(Command::Show { generation: 1, picture: Picture::Sample(1_000_000) });
    assert_eq!(failure(&events), "no-such-sample");
    assert_eq!(*engine.world.fetched.borrow(), ["data/samples.idx.gz"], "fetched once");
}

#[test]
fn every_unit_can_be_asked_for_and_told_of() {
    for name in ["lenet5", "lenet5-modern"] {
        let mut engine = Engine::with(name);
        let net = variant(name).unwrap().build().unwrap();
        let peek = Command::Peek { request: 1, source: Source::Value(2), index: 0 };
        assert_eq!(failure(&engine.tell(peek)), "nothing-shown");
        engine.tell(Command::Show { generation: 1, picture: drawings()[8].1.clone() });
        for (node, of) in net.graph.nodes().iter().enumerate() {
            let unit = of.shape.unit(of.shape.len() * 5 / 9);
            let events = engine.tell(Command::Explain { request: 3, node, unit });
            let [Event::Explained { request: 3, nodes, explanations, value }] = &events[..] else {
                panic!("{events:?}")
            };
            assert_eq!((nodes.last(), nodes.len()), (Some(&node), explanations.len()));
            let told = explanations.last().unwrap().steps.last().unwrap().1;
            assert!((told - value).abs() <= 1e-4 * (1.0 + value.abs()), "{}: told {told}, computed {value}", of.name);
            // An activation comes with the layer before it, unless that is somebody else's too.
            let kind = receptive::ops::Layer::kind(&of.op);
            assert_eq!(nodes.len() > 1, kind == receptive::ops::Kind::Activation, "{}", of.name);
            let index = of.shape.index(unit);
            let events = engine.tell(Command::Peek { request: 4, source: Source::Value(node), index });
            assert_eq!(events, [Event::Value { request: 4, value: *value }]);
            let events = engine.tell(Command::Read { request: 5, source: Source::Value(node) });
            let [Event::Tensor { request: 5, shape, data }] = &events[..] else { panic!("{events:?}") };
            assert_eq!((shape.as_slice(), data[index]), ([of.shape.c, of.shape.h, of.shape.w].as_slice(), *value));
        }
        for (i, p) in net.graph.params().iter().enumerate() {
            let events = engine.tell(Command::Read { request: 6, source: Source::Param(i) });
            let expected = Event::Tensor { request: 6, shape: p.param.shape.clone(), data: net.initial(1)[i].clone() };
            assert_eq!(events, [expected]);
        }
        let outside = Command::Explain { request: 3, node: 1, unit: Unit { c: 0, y: 28, x: 0 } };
        assert_eq!(failure(&engine.tell(outside)), "no-such-unit");
        let outside = Command::Peek { request: 3, source: Source::Param(99), index: 0 };
        assert_eq!(failure(&engine.tell(outside)), "no-such-unit");
    }
}

#[test]
fn canvases_are_painted_whenever_values_change() {
    let mut engine = Engine::with("lenet5");
    let net = variant("lenet5").unwrap().build().unwrap();
    let c1 = net.graph.find("c1").unwrap();
    let rect = |source, offset, rows, cols| PaintRect { source, offset, rows, cols, at: [4.0, 5.0, 56.0, 56.0] };
    let rects = vec![
        rect(Source::Value(c1), 0, 28, 28),
        rect(Source::Value(c1), 28 * 28, 28, 28),
        rect(Source::Param(0), 25, 5, 5),
        rect(Source::Value(99), 0, 5, 5),          // another network's
        rect(Source::Value(c1), usize::MAX, 5, 5), // beyond the end
    ];
    let paint = |scale| Command::Paint {
        canvas: 2,
        ticket: 7,
        size: [300, 200],
        rects: rects.clone(),
        scale,
        palette: Palette::Light,
    };
    let painted = |engine: &Engine| engine.world.painted.borrow()[&2].clone();
    assert_eq!(engine.tell(paint(Scale::Layer)), [Event::Painted { canvas: 2, ticket: 7 }]);
    assert_eq!(painted(&engine).at.len(), 1, "nothing shown: the kernel only");
    engine.tell(Command::Show { generation: 1, picture: drawings()[2].1.clone() });
    let first = painted(&engine);
    assert_eq!((first.size, first.at.len(), first.atlas.maps[2]), ([300, 200], 3, [56, 0, 5, 5]));
    // The colour of a unit is that of its value.
    let Event::Tensor { data, .. } = engine.tell(Command::Read { request: 1, source: Source::Value(c1) })[0].clone()
    else {
        panic!()
    };
    let scale = data.iter().fold(0f32, |m, v| m.max(v.abs()));
    let pixel = |p: &Painting, x: usize, y: usize| {
        let at = (y * p.atlas.width + x) * 4;
        [p.atlas.pixels[at], p.atlas.pixels[at + 1], p.atlas.pixels[at + 2]]
    };
    for (x, y) in [(0, 0), (13, 14), (9, 20)] {
        let right = Palette::Light.colour(data[28 * 28 + y * 28 + x] / scale);
        let close = pixel(&first, 28 + x, y).iter().zip(right).all(|(a, b)| a.abs_diff(b) <= 1);
        assert!(close, "{:?} {right:?}", pixel(&first, 28 + x, y));
    }
    engine.tell(Command::Show { generation: 2, picture: drawings()[7].1.clone() });
    assert_ne!(painted(&engine), first);
    engine.tell(Command::Show { generation: 3, picture: drawings()[2].1.clone() });
    assert_eq!(painted(&engine), first);
    engine.tell(paint(Scale::Map));
    assert_ne!(painted(&engine), first);
    // A new network's canvases are laid out anew; the same network's stay.
    engine.open("lenet5", Weights::Seed(2), None);
    assert_eq!(painted(&engine).at.len(), 3);
}

#[test]
fn weights_go_out_and_come_back() {
    let mut engine = Engine::with("lenet5-modern");
    engine.tell(Command::Show { generation: 1, picture: drawings()[5].1.clone() });
    engine.inbox.push(Command::Save { request: 8 }, None);
    while block_on(engine.session.turn()) {}
    let (event, bytes) = engine.world.events.take().pop().unwrap();
    assert_eq!(event, Event::File { request: 8, name: "lenet5-modern-random-1.safetensors".into() });
    let file = bytes.unwrap();
    let net = variant("lenet5-modern").unwrap().build().unwrap();
    assert_eq!(files::read(&net, &file).unwrap().0, net.initial(1));

    let before = output(&engine.tell(Command::Show { generation: 1, picture: drawings()[5].1.clone() }));
    let other = output(&engine.open("lenet5-modern", Weights::Seed(2), None));
    assert_ne!(before, other);
    let events = engine.open("lenet5-modern", Weights::File("mine.safetensors".into()), Some(file.clone()));
    let all = file.len() as u64;
    assert_eq!(events[0], Event::Download { what: "mine.safetensors".into(), received: all, total: Some(all) });
    assert!(matches!(&events[1], Event::Opened { origin: Origin::File(name), .. } if name == "mine.safetensors"));
    assert_eq!(output(&events), before);

    // Files that are not these weights: a sentence, and nothing changes.
    let mut open = |variant: &str, bytes: &[u8]| {
        let events = engine.open(variant, Weights::File("x".into()), Some(bytes.to_vec()));
        let key = failure(&events).to_string();
        assert!(matches!(&events[0], Event::Failed { request: Some(5), .. }));
        let events = engine.tell(Command::Show { generation: 1, picture: drawings()[5].1.clone() });
        assert_eq!(output(&events), before);
        key
    };
    assert_eq!(open("lenet5", &file), "weights-mismatch");
    assert_eq!(open("lenet5-modern", &file[..file.len() - 8]), "weights-damaged");
    assert_eq!(open("lenet5-modern", b"<!DOCTYPE html>"), "weights-format");
    assert_eq!(open("lenet5-modern", b""), "weights-format");
    assert_eq!(open("lenet5-modern", b"PK\x03\x04archive/data.pkl"), "weights-pytorch");
    assert_eq!(open("lenet5-modern", b"{\"weight_map\": {\"a\": \"m.safetensors\"}}"), "weights-index");
}

/// A download that never goes on.
#[derive(Debug)]
struct Stuck;

impl Pieces for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }
    fn total(&self) -> Option<u64> {
        None
    }
    fn next(&mut self) -> Local<Result<Option<Vec<u8>>, FetchError>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn weights_come_from_an_address_and_the_engine_goes_on_meanwhile() {
    let net = variant("lenet5-modern").unwrap().build().unwrap();
    let file = files::write(&net, &net.initial(9), BTreeMap::new()).unwrap();
    let mut engine = Engine::with("lenet5-modern");
    let show = |generation| Command::Show { generation, picture: drawings()[5].1.clone() };
    let before = output(&engine.tell(show(1)));
    let url = "https://elsewhere/w.safetensors";
    let wanted = Weights::Url(url.into());
    let cancelled = |event: &Event| matches!(event, Event::Failed { request: Some(5), fault } if fault.key == "cancelled" && fault.args[0].1 == url);
    let opened = |event: &Event| matches!(event, Event::Opened { .. });

    // Not there: a sentence, nothing changes.
    let events = engine.open("lenet5-modern", wanted.clone(), None);
    assert_eq!(failure(&events), "download");
    // It hangs: drawings are read all the same, by the old weights, until somebody stops it.
    engine.world.files.borrow_mut().insert("stuck".into(), Vec::new());
    engine.inbox.push(Command::Open { generation: 5, variant: "lenet5".into(), weights: wanted.clone() }, None);
    assert_eq!(engine.turns(1), []);
    engine.inbox.push(show(2), None);
    assert_eq!(output(&engine.turns(1)), before);
    engine.inbox.push(Command::Cancel, None);
    let events = engine.turns(1);
    assert!(matches!(&events[..], [event] if cancelled(event)), "{events:?}");
    assert_eq!(engine.work(), []);
    // Another opening stops it too.
    engine.inbox.push(Command::Open { generation: 5, variant: "lenet5".into(), weights: wanted.clone() }, None);
    assert_eq!(engine.turns(1), []);
    let events = engine.open("lenet5-modern", Weights::Seed(1), None);
    assert!(cancelled(&events[0]) && opened(&events[1]), "{events:?}");
    assert_eq!(output(&events), before);
    // It comes.
    engine.world.files.borrow_mut().remove("stuck");
    engine.world.files.borrow_mut().insert(url.into(), file.clone());
    let events = engine.open("lenet5-modern", wanted.clone(), None);
    assert!(
        matches!(&events[0], Event::Download { what, received, .. } if what == url && *received == file.len() as u64)
    );
    let origin = Origin::File(url.into());
    assert_eq!(events[1], Event::Opened { generation: 5, variant: "lenet5-modern".into(), origin: origin.clone() });
    let expected = output(&engine.open("lenet5-modern", Weights::Seed(9), None));
    assert_eq!(output(&events), expected);
    assert_ne!(expected, before);
    // The same by `Reset`, and while training runs.
    engine.tell(Command::Step);
    let events = engine.tell(Command::Reset(wanted.clone()));
    assert_eq!(output(&events), expected);
    engine.inbox.push(Command::Play, None);
    engine.turns(4);
    engine.inbox.push(Command::Open { generation: 6, variant: "lenet5-modern".into(), weights: wanted }, None);
    let events = engine.turns(3);
    assert!(events.contains(&Event::Opened { generation: 6, variant: "lenet5-modern".into(), origin }), "{events:?}");
}

#[test]
fn shipped_weights_are_used_where_they_are_and_missed_honestly_where_not() {
    let net = variant("lenet5").unwrap().build().unwrap();
    let mut engine = Engine::new();
    let about = BTreeMap::from([(files::TEST_ERROR.to_string(), "0.83".to_string())]);
    let file = files::write(&net, &net.initial(9), about).unwrap();
    engine.world.files.borrow_mut().insert("weights/lenet5.safetensors".into(), file);
    let events = engine.open("lenet5", Weights::Shipped, None);
    assert!(events.contains(&Event::Opened {
        generation: 5,
        variant: "lenet5".into(),
        origin: Origin::Shipped(Some(0.83))
    }));
    // A network without any: random ones, called so, and no request.
    engine.world.fetched.borrow_mut().clear();
    let events = engine.open("resnet20-cifar", Weights::Shipped, None);
    let origin = Origin::Random(1);
    assert!(events.contains(&Event::Opened { generation: 5, variant: "resnet20-cifar".into(), origin }), "{events:?}");
    assert!(engine.world.fetched.borrow().is_empty());
    engine.world.files.borrow_mut().insert("weights/lenet5.safetensors".into(), b"<!DOCTYPE html>".to_vec());
    let events = engine.open("lenet5", Weights::Shipped, None);
    assert!(
        events.iter().any(|e| matches!(e, Event::Failed { fault, .. } if fault.key == "weights-format")),
        "{events:?}"
    );
    assert!(events.iter().any(|e| matches!(e, Event::Opened { origin: Origin::Random(1), .. })), "{events:?}");
}

#[test]
fn the_gpu_that_is_not_there_is_said_so() {
    let mut engine = Engine::with("lenet5");
    engine.tell(Command::Show { generation: 1, picture: drawings()[1].1.clone() });
    assert_eq!(failure(&engine.tell(Command::UseBackend(Backend::Gpu))), "no-gpu");
    let events = engine.tell(Command::UseBackend(Backend::Cpu));
    assert!(matches!(&events[0], Event::Engine(info) if info.why == Why::Asked && info.backend == Backend::Cpu));
    assert_eq!(output(&events).len(), 10);
}

impl Engine {
    /// Some turns of a session that would go on for good, and the events.
    fn turns(&mut self, n: usize) -> Vec<Event> {
        for _ in 0..n {
            block_on(self.session.turn());
        }
        self.world.events.take().into_iter().map(|(event, _)| event).collect()
    }

    fn config(&mut self, change: impl FnOnce(&mut TrainConfig)) {
        let mut config: TrainConfig = variant("lenet5-modern").unwrap().build().unwrap().recipe.into();
        change(&mut config);
        assert_eq!(self.tell(Command::Configure(config)), []);
    }

    fn steps(&mut self, n: usize) -> Vec<f32> {
        let mut losses = Vec::new();
        for _ in 0..n {
            losses.extend(records(&self.tell(Command::Step)).iter().map(|r| r.loss));
        }
        assert_eq!(losses.len(), n);
        losses
    }
}

fn records(events: &[Event]) -> Vec<StepRecord> {
    let steps = |e: &Event| match e {
        Event::Progress { steps, .. } => steps.clone(),
        _ => Vec::new(),
    };
    events.iter().flat_map(steps).collect()
}

fn halted(events: &[Event]) -> Option<Halt> {
    events.iter().rev().find_map(|e| if let Event::Halted(halt) = e { Some(*halt) } else { None })
}

#[test]
fn training_runs_between_the_commands_and_lets_itself_be_watched() {
    let mut engine = Engine::with("lenet5-modern");
    engine.tell(Command::Show { generation: 1, picture: drawings()[4].1.clone() });
    let before = output(&engine.tell(Command::Show { generation: 1, picture: drawings()[4].1.clone() }));
    assert!(engine.world.fetched.borrow().is_empty(), "no data before training");
    engine.inbox.push(Command::Play, None);
    let mut events = Vec::new();
    while records(&events).len() < 60 {
        events.extend(engine.turns(1));
    }
    assert!(events.iter().any(|e| matches!(e, Event::Download { received, total: Some(_), .. } if *received > 0)));
    assert!(events.contains(&Event::Running));
    let after = output(&events.into_iter().rev().filter(|e| matches!(e, Event::Output { .. })).collect::<Vec<_>>());
    assert_ne!(before, after, "the shown picture is computed anew as weights change");
    // A command is answered although training goes on.
    engine.inbox.push(Command::Show { generation: 77, picture: drawings()[6].1.clone() }, None);
    let events = engine.turns(2);
    assert!(events.iter().any(|e| matches!(e, Event::Output { generation: 77, .. })), "{events:?}");
    let mut events = events;
    engine.inbox.push(Command::Pause, None);
    events.extend(engine.work());
    assert_eq!(halted(&events), Some(Halt::Paused));
    let all = records(&events);
    assert!(all.windows(2).all(|w| w[1].step == w[0].step + 1), "every step is told once");
    assert!(!block_on(engine.session.turn()), "paused");
    // What was trained is saved as such.
    let events = engine.tell(Command::Save { request: 1 });
    assert!(matches!(&events[0], Event::File { name, .. } if name.contains("-steps")), "{events:?}");
}

#[test]
fn the_same_seed_gives_the_same_losses_and_a_reload_loses_nothing() {
    let mut first = Engine::with("lenet5-modern");
    first.config(|c| (c.batch, c.seed) = (16, 3));
    let losses = first.steps(8);
    assert!(losses.iter().all(|l| l.is_finite()) && losses[0] != losses[1]);
    let mut second = Engine::with("lenet5-modern");
    second.config(|c| (c.batch, c.seed) = (16, 3));
    assert_eq!(second.steps(5), losses[..5]);
    // The page is closed and opened again.
    let mut third = Engine::new();
    third.world.stored.replace(second.world.stored.take());
    let events = third.open("lenet5-modern", Weights::Seed(1), None);
    assert!(events.contains(&Event::Saved { variant: "lenet5-modern".into(), step: 5 }), "{events:?}");
    let events = third.tell(Command::Restore);
    assert!(matches!(&events[0], Event::Opened { origin: Origin::Trained(5), .. }), "{events:?}");
    assert_eq!(third.steps(3), losses[5..]);
    // Reset: from the start.
    let events = third.tell(Command::Reset(Weights::Seed(1)));
    assert!(matches!(&events[0], Event::Opened { origin: Origin::Random(1), generation: 5, .. }), "{events:?}");
    assert_eq!(third.steps(2), losses[..2]);
    assert_eq!(failure(&Engine::with("lenet5").tell(Command::Restore)), "nothing-saved");
}

#[test]
fn training_that_goes_astray_stops_and_keeps_good_weights() {
    let mut engine = Engine::with("lenet5-modern");
    engine.tell(Command::Show { generation: 1, picture: drawings()[4].1.clone() });
    engine.config(|c| c.lr = 1e6);
    engine.inbox.push(Command::Play, None);
    let mut events = Vec::new();
    while halted(&events).is_none() {
        events.extend(engine.turns(1));
    }
    assert!(matches!(halted(&events), Some(Halt::NotANumber | Halt::Diverged)), "{events:?}");
    assert!(!records(&events).is_empty(), "the curve shows it");
    events.extend(engine.work());
    let last: Vec<Event> = events.into_iter().rev().filter(|e| matches!(e, Event::Output { .. })).collect();
    assert!(output(&last).iter().all(|v| v.is_finite()));
    engine.config(|c| c.lr = 0.01);
    assert!(engine.steps(3).iter().all(|l| *l < 10.0));
}

#[test]
fn the_test_set_is_classified_and_data_that_are_cut_short_are_told() {
    let mut engine = Engine::with("lenet5-modern");
    let images =
        std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("www/data/t10k-images-idx3-ubyte.gz")).unwrap();
    let name = "data/t10k-images-idx3-ubyte.gz";
    engine.world.files.borrow_mut().insert(name.into(), images[..images.len() / 2].to_vec());
    let events = engine.tell(Command::Test);
    assert!(events.iter().any(|e| matches!(e, Event::Failed { fault, .. } if fault.key == "data")), "{events:?}");
    engine.world.files.borrow_mut().clear();
    let events = engine.tell(Command::Test);
    let Some(Event::Tested { errors, total: 10_000, confusion, step: 0 }) = events.last() else { panic!("{events:?}") };
    assert!((8000..9700).contains(errors), "untrained: {errors} errors");
    assert_eq!(confusion.iter().sum::<u32>(), 10_000);
    let right: u32 = (0..10).map(|i| confusion[i * 11]).sum();
    assert_eq!(10_000 - right as usize, *errors);
    engine.inbox.push(Command::Test, None);
    engine.turns(2);
    let events = engine.tell(Command::Cancel);
    assert!(!events.iter().any(|e| matches!(e, Event::Tested { .. })));
}

#[test]
fn scripts_train_on_their_own_pictures() {
    let train = |labels: Vec<u32>, images: usize| {
        let mut engine = Engine::with("lenet5-modern");
        let images = (0..images).map(|i| (i * 7 % 13) as f32 / 13.0 - 0.5).collect();
        let rest = (4, 70, 0.05, 0.9, 0.0);
        engine.tell(Command::TrainOn {
            request: 2,
            images,
            labels,
            batch: rest.0,
            steps: rest.1,
            lr: rest.2,
            momentum: rest.3,
            weight_decay: rest.4,
        })
    };
    let events = train(vec![1, 2, 3, 4], 4 * 1024);
    let Event::TrainedOn { request: 2, losses, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(losses.len(), 70);
    assert!(losses[69] < losses[0] / 2.0, "{losses:?}");
    assert_eq!(events[0].clone(), {
        let again = train(vec![1, 2, 3, 4], 4 * 1024)[0].clone();
        let Event::TrainedOn { request, losses, .. } = again else { panic!() };
        let Event::TrainedOn { milliseconds, .. } = events[0] else { panic!() };
        Event::TrainedOn { request, losses, milliseconds }
    });
    assert_eq!(failure(&train(vec![1, 2, 3, 10], 4 * 1024)), "training-data");
    assert_eq!(failure(&train(vec![1, 2, 3], 4 * 1024)), "training-data");
}

/// Maps of the last of these events that tells of an inquiry, and all that it tells but them.
fn found(events: &[Event]) -> (Vec<f32>, Event) {
    let mut last = events.iter().rev().find(|e| matches!(e, Event::Found { .. })).unwrap().clone();
    let Event::Found { maps, .. } = &mut last else { panic!("{events:?}") };
    (std::mem::take(maps), last)
}

fn probability(events: &[Event], class: usize) -> f32 {
    match events.iter().find(|e| matches!(e, Event::Output { .. })) {
        Some(Event::Output { probabilities, .. }) => probabilities[class],
        _ => panic!("{events:?}"),
    }
}

/// What an inquiry says, measured by showing the network other pictures.
#[test]
fn inquiries_are_what_showing_other_pictures_says() {
    for name in ["lenet5", "lenet5-modern"] {
        let mut engine = Engine::with(name);
        engine.open(name, Weights::Shipped, None);
        let net = variant(name).unwrap().build().unwrap();
        let sign = if name == "lenet5" { -1.0 } else { 1.0 }; // distances: the nearer, the better
        let show = |engine: &mut Engine, input: &[f32]| {
            engine.tell(Command::Show { generation: 2, picture: Picture::Raw(input.to_vec()) })
        };
        let events = engine.tell(Command::Show { generation: 1, picture: drawings()[4].1.clone() });
        let Event::Shown { input: Some(mut input), shape, .. } = events[0].clone() else { panic!("{events:?}") };
        // Some noise: on plain paper all units of a pooling window are equal, and any of them is the largest.
        let mut rng = Rng::new(3);
        input.iter_mut().for_each(|v| *v += rng.range(-0.2, 0.2));
        let events = show(&mut engine, &input);
        let Event::Output { predicted, .. } = events[1] else { panic!("{events:?}") };
        let ask = |engine: &mut Engine, inquiry| engine.tell(Command::Inquire { request: 9, inquiry });

        // Saliency: a finite difference of the score.
        let (maps, about) = found(&ask(&mut engine, Inquiry::Saliency { class: None }));
        let class = Some((predicted, probability(&events, predicted)));
        let shape2 = Shape { c: 2, ..shape };
        let all = Event::Found { request: 9, maps: Vec::new(), shape: shape2, class, done: 1, total: 1 };
        assert_eq!(about, all);
        let (gradient, product) = maps.split_at(shape.len());
        let top = gradient.iter().copied().fold(0f32, f32::max);
        // Small enough a step that hardly any kink of ReLU or max pooling lies within.
        let h = if name == "lenet5" { 0.02 } else { 0.004 };
        let places = (300..700).step_by(13);
        let agree = places.clone().filter(|&i| {
            let mut score = |by: f32| {
                let mut input = input.clone();
                input[i] += by;
                sign * output(&show(&mut engine, &input))[predicted]
            };
            let numeric = (score(h) - score(-h)) / (2.0 * h);
            (numeric.abs() - gradient[i]).abs() < 0.03 * top
                && (numeric * input[i] - product[i]).abs() < 0.04 * top * (1.0 + input[i].abs())
        });
        let (agree, all) = (agree.count(), places.count());
        assert!(agree >= if name == "lenet5" { all } else { all - 2 }, "{name}: {agree} of {all}");

        // Occlusion: the drop of the probability, or what the distance grows, covered by hand; another class than the predicted one.
        let events = show(&mut engine, &input);
        let before = output(&events)[9];
        let asked = Inquiry::Occlusion { class: Some(9), patch: 6, stride: 5 };
        let (drops, about) = found(&ask(&mut engine, asked));
        let Event::Found { shape: grid, done: 49, total: 49, class: Some((9, whole)), .. } = about else {
            panic!("{about:?}")
        };
        assert_eq!((grid, drops.len()), (Shape::new(1, 7, 7), 49));
        for (row, col) in [(0, 0), (3, 3), (2, 4), (6, 6), (4, 2)] {
            let mut covered = input.clone();
            // The patch's middle is the middle of the 5×5 pixels of its place; a side of 6 begins half a pixel before it.
            let range = |at: usize| (5 * at).saturating_sub(1)..(5 * at + 5).min(32);
            for y in range(row) {
                covered[y * 32..][range(col)].fill(0.0);
            }
            let events = show(&mut engine, &covered);
            let drop = if name == "lenet5" { output(&events)[9] - before } else { whole - probability(&events, 9) };
            assert!((drop - drops[row * 7 + col]).abs() < 1e-5 * (1.0 + before.abs()), "{name} ({row}, {col}): {drop}");
        }

        // The effective field of a position: by the gradients of its units, one after the other; none outside the field.
        show(&mut engine, &input);
        let node = net.graph.find("c3").or_else(|| net.graph.find("conv2")).unwrap();
        let unit = Unit { c: 3, y: 4, x: 5 };
        let effective = |all| Inquiry::Effective { node, unit, all, over: Over::Shown };
        let (all, about) = found(&ask(&mut engine, effective(true)));
        let Event::Found { done: 16, total: 16, class: None, .. } = about else { panic!("{about:?}") };
        let mut sum = vec![0.0f32; 1024];
        for c in 0..16 {
            let inquiry = Inquiry::Effective { node, unit: Unit { c, ..unit }, all: false, over: Over::Shown };
            let (one, _) = found(&ask(&mut engine, inquiry));
            sum.iter_mut().zip(&one).for_each(|(sum, g)| *sum += g * g / 16.0);
        }
        for (i, (&got, &sum)) in all.iter().zip(&sum).enumerate() {
            assert!((got - sum.sqrt()).abs() < 1e-4 * (1.0 + got), "{name} [{i}]");
            let (y, x) = (i / 32, i % 32);
            let inside = (8..22).contains(&y) && (10..24).contains(&x); // 14 pixels from 4·2 and 5·2
            assert!(inside || got == 0.0, "{name} ({y}, {x}) lies outside the field");
        }
        assert!(all.iter().filter(|&&g| g > 0.0).count() > 120);
    }
}

#[test]
fn an_inquiry_is_told_bit_by_bit_and_given_up() {
    // Large enough that no machine is through before the second report.
    let mut engine = Engine::with("vgg19-bn-cifar");
    engine.tell(Command::Show {
        generation: 1,
        picture: Picture::Raw((0..3072).map(|i| (i % 7) as f32 / 7.0).collect()),
    });
    let inquiry = Inquiry::Occlusion { class: None, patch: 4, stride: 1 };
    engine.inbox.push(Command::Inquire { request: 7, inquiry: inquiry.clone() }, None);
    let mut told = Vec::new();
    while told.len() < 2 {
        assert!(block_on(engine.session.turn()));
        told.extend(engine.world.events.take().into_iter().map(|(event, _)| event));
    }
    let (maps, about) = found(&told);
    let Event::Found { done, total: 1024, request: 7, .. } = about else { panic!("{about:?}") };
    assert!(done < 1024, "not finished");
    assert!(maps[..done].iter().all(|v| v.is_finite()) && maps[done..].iter().all(|v| v.is_nan()));
    engine.inbox.push(Command::Abandon { request: 6 }, None);
    let mut more = Vec::new();
    while more.is_empty() {
        assert!(block_on(engine.session.turn()), "another one's end is not its own");
        more.extend(engine.world.events.take().into_iter().map(|(event, _)| event));
    }
    assert!(matches!(found(&more).1, Event::Found { request: 7, .. }));
    assert!(engine.tell(Command::Abandon { request: 7 }).is_empty(), "nothing more is told");
    // Another one takes its place; an opening ends it.
    engine.inbox.push(Command::Inquire { request: 8, inquiry }, None);
    assert!(block_on(engine.session.turn()));
    let (_, about) =
        found(&engine.tell(Command::Inquire { request: 9, inquiry: Inquiry::Saliency { class: Some(2) } }));
    assert!(matches!(about, Event::Found { request: 9, class: Some((2, _)), .. }), "{about:?}");
    let cam = |node| Command::Inquire { request: 10, inquiry: Inquiry::GradCam { class: None, node } };
    let last = variant("vgg19-bn-cifar").unwrap().build().unwrap().graph.nodes().len() - 1;
    assert_eq!(failure(&engine.tell(cam(last + 1))), "no-such-unit");
    engine.inbox.push(cam(1), None);
    let events = engine.open("lenet5", Weights::Seed(1), None);
    // The picture is too large for it, and that is all.
    let strange = |e: &&Event| matches!(e, Event::Failed { fault, .. } if fault.key != "input-length");
    assert_eq!(events.iter().find(strange), None);
    engine.tell(Command::Show { generation: 2, picture: Picture::Empty });
    assert_eq!(failure(&engine.tell(cam(1))), "nothing-shown");
}

#[test]
fn the_gpu_engine_says_and_learns_the_same_and_its_loss_is_survived() {
    if std::env::var_os("NO_GPU").is_some_and(|v| v == "1") {
        return;
    }
    let picture = || Command::Show { generation: 1, picture: drawings()[9].1.clone() };
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3 * (1.0 + b.abs()));
    let mut cpu = Engine::with("lenet5-modern");
    cpu.config(|c| c.batch = 16);
    let mut gpu = Engine::new();
    gpu.world.webgpu.set(true);
    let events = gpu.tell(Command::Start { backend: Some(Backend::Gpu) });
    assert!(
        matches!(&events[0], Event::Engine(i) if i.backend == Backend::Gpu && i.why == Why::Asked && !i.adapter.is_empty())
    );
    gpu.open("lenet5-modern", Weights::Seed(1), None);
    gpu.config(|c| c.batch = 16);
    let rects = vec![PaintRect { source: Source::Value(1), offset: 0, rows: 28, cols: 28, at: [0.0, 0.0, 28.0, 28.0] }];
    let paint =
        Command::Paint { canvas: 1, ticket: 7, size: [28, 28], rects, scale: Scale::Layer, palette: Palette::Dark };
    for engine in [&mut cpu, &mut gpu] {
        engine.tell(paint.clone());
    }
    assert!(close(&output(&gpu.tell(picture())), &output(&cpu.tell(picture()))));
    let painted = |e: &Engine| e.world.painted.borrow()[&1].atlas.clone();
    let apart = painted(&cpu).pixels.iter().zip(&painted(&gpu).pixels).filter(|(a, b)| a.abs_diff(**b) > 2).count();
    assert_eq!(apart, 0, "the same picture");
    let (on_cpu, on_gpu) = (cpu.steps(4), gpu.steps(4));
    assert!(close(&on_gpu, &on_cpu), "{on_gpu:?} {on_cpu:?}");
    // Over to the CPU and back: the run goes on.
    gpu.tell(Command::UseBackend(Backend::Cpu));
    assert!(close(&gpu.steps(1), &cpu.steps(1)));
    gpu.tell(Command::UseBackend(Backend::Gpu));
    let losses = gpu.steps(1);
    assert!(close(&losses, &cpu.steps(1)), "{losses:?}");
    let before = output(&gpu.tell(picture()));
    let events = gpu.tell(Command::LoseDevice);
    assert!(
        matches!(&events[0], Event::Engine(i) if i.backend == Backend::Cpu && i.why == Why::DeviceLost),
        "{events:?}"
    );
    assert!(close(&output(&gpu.tell(picture())), &before));
    let (on, right) = (gpu.steps(2), cpu.steps(2));
    assert!(close(&on, &right), "training goes on: {on:?} {right:?}");
}
