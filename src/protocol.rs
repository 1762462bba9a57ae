//! What the page and the engine say to each other: commands in, events out, plain data. Knows neither side.
//!
//! On the wire each message is a JS array `[message, transferred…]`: the message by `serde-wasm-bindgen`, then its large arrays
//! ([`Arrays`]) as `Float32Array`s, then what else travels by transfer (a canvas, a file's bytes). `protocol/wire.rs` does it.

use crate::arch::{Recipe, Schedule};
pub use crate::colormap::Palette;
pub use crate::data::alter::{Alterations, Cover};
use crate::data::augment::Augmentation;
use crate::graph::NodeId;
use crate::ops::explain::Explanation;
use crate::tensor::{Shape, Unit};
use serde::{Deserialize, Serialize};

#[cfg(target_arch = "wasm32")]
pub mod wire;

/// The large arrays of a message, in order: they travel beside it, not in it.
pub trait Arrays {
    /// Each of them.
    fn arrays(&mut self) -> Vec<&mut Vec<f32>>;
}

impl Arrays for Command {
    fn arrays(&mut self) -> Vec<&mut Vec<f32>> {
        match self {
            Self::Show { picture: Picture::Raw(values), .. } => vec![values],
            Self::TrainOn { images, .. } => vec![images],
            _ => Vec::new(),
        }
    }
}

impl Arrays for Event {
    fn arrays(&mut self) -> Vec<&mut Vec<f32>> {
        match self {
            Self::Shown { input: Some(values), .. } => vec![values],
            Self::Tensor { data, .. } => vec![data],
            Self::Found { maps, .. } => vec![maps],
            Self::Surveyed { survey, .. } => vec![&mut survey.maps],
            Self::TrainedOn { losses, .. } => vec![losses],
            _ => Vec::new(),
        }
    }
}

/// Which executor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// WebGPU.
    Gpu,
    /// WebAssembly.
    Cpu,
}

/// Numbers an opened network (or an input, or a request): answers to an older one are dropped.
pub type Generation = u32;

/// Where weights come from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Weights {
    /// Those that come with the page, trained by the project.
    Shipped,
    /// Random, from this seed.
    Seed(u64),
    /// Safetensors files of the user's: the name of the first. The files go along as `File`s or `Blob`s (read in pieces), or as an
    /// `ArrayBuffer` by transfer. Several: parts of one set of weights, with or without their index.
    File(String),
    /// A safetensors file at this address, or the index of several.
    Url(String),
}

/// What is shown to the network.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Picture {
    /// Nothing: no prediction.
    Empty,
    /// A drawing: polylines in a square pad of `size`, a pen of `pen` across; `centre`: MNIST's preparation, or the pad as it is.
    Strokes {
        /// Polylines (x, y).
        strokes: Vec<Vec<(f32, f32)>>,
        /// Side of the pad.
        size: f32,
        /// Width of the pen.
        pen: f32,
        /// Whether MNIST's bounding box and centre of mass are applied.
        centre: bool,
    },
    /// One of the digits that come with the page (real test digits): its place among the samples.
    Sample(usize),
    /// A test digit of this class, the `nth` of those that come with the page.
    SampleOf {
        /// 0–9.
        digit: u8,
        /// Counts up; wraps.
        nth: usize,
    },
    /// A photograph of any size: 8-bit red, green, blue, opacity, row-major (a canvas' `ImageData`), which go along as an `ArrayBuffer`
    /// by transfer; without one, those that came last. Prepared as torchvision does ([`crate::data::photo`]); for a network that reads
    /// digits a digit is looked for on it ([`crate::data::handwriting`]).
    Photo {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// One of the photographs that come with the page ([`crate::data::photo::SAMPLES`]).
    SamplePhoto(usize),
    /// A photograph of the user's: the file of this name goes along, in any format that the browser reads.
    PhotoFile(String),
    /// The network's own input, already normalised, c×h×w (scripts).
    Raw(Vec<f32>),
}

impl Picture {
    /// So many test digits come with the page.
    pub const SAMPLES: usize = 100;
}

/// A numbered tensor that can be painted or read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Source {
    /// A node's value.
    Value(NodeId),
    /// A parameter, by its place in the graph.
    Param(usize),
}

/// A rectangle of a canvas, in device pixels, filled with `rows`×`cols` elements from `offset` on.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct PaintRect {
    /// Which tensor.
    pub source: Source,
    /// First element.
    pub offset: usize,
    /// Rows of the picture; 0: not painted, but kept at hand, so that painting it later costs no run of the network.
    pub rows: usize,
    /// Columns of the picture.
    pub cols: usize,
    /// Left, top, width, height in device pixels.
    pub at: [f32; 4],
}

/// Numbers of each map in [`Survey::maps`].
pub const MAP_FACTS: usize = 3;

/// What a layer's values are like, for one picture.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Survey {
    /// Of each map in order: mean, largest value, share of units above zero. They travel by transfer.
    pub maps: Vec<f32>,
    /// Units in all.
    pub units: usize,
    /// Units whose value is exactly zero; they are not among `counts`.
    pub zeros: usize,
    /// Units above zero.
    pub positive: usize,
    /// Smallest and largest value.
    pub range: [f32; 2],
    /// How many of the values other than zero fall into each of equal bins from the smallest to the largest.
    pub counts: Vec<u32>,
}

/// What one colour scale spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// All maps of a layer: maps can be compared.
    #[default]
    Layer,
    /// Each map its own: faint maps can be seen.
    Map,
}

/// What of the input something depends on: a map over it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Inquiry {
    /// The effective receptive field of a position: √ of the mean, over pictures and maps, of the squared gradient of a unit there with
    /// respect to the input, summed over the input's channels. One map as large as the input.
    Effective {
        /// Whose maps.
        node: NodeId,
        /// The position; of its map alone, or of all.
        unit: Unit,
        /// Over all maps of the node, or that of the unit alone.
        all: bool,
        /// Pictures.
        over: Over,
    },
    /// The gradient of a class's score (logit, or negated distance) with respect to the input: its largest magnitude over the channels
    /// (Simonyan, Vedaldi, Zisserman 2014), and gradient × input summed over the channels. Two maps as large as the input.
    Saliency {
        /// `None`: the predicted one.
        class: Option<usize>,
    },
    /// Grad-CAM (Selvaraju et al. 2017): maps of a node weighted by the mean gradient of the class's score with respect to each, summed,
    /// and what is negative cut off. One map as large as the node's.
    GradCam {
        /// `None`: the predicted one.
        class: Option<usize>,
        /// Whose maps.
        node: NodeId,
    },
    /// By how much the class's probability drops, or its distance grows ([`crate::ops::Loss::standing`]), where a grey patch covers the
    /// picture (Zeiler, Fergus 2014). One map, an element a
    /// position of the patch; not a number where it has not been yet.
    Occlusion {
        /// `None`: the predicted one.
        class: Option<usize>,
        /// Side of the patch in pixels.
        patch: usize,
        /// Pixels from one position to the next; the first patch lies in the middle of the first `stride`×`stride` pixels.
        stride: usize,
    },
}

/// Pictures over which an effective receptive field is averaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// The picture shown.
    #[default]
    Shown,
    /// Those that come with the page: test digits, or photographs.
    Samples,
    /// Normal noise, as strong as normalised pictures.
    Noise,
}

/// How training runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Images a step.
    pub batch: usize,
    /// Learning rate at the start.
    pub lr: f32,
    /// What becomes of the learning rate.
    pub schedule: Schedule,
    /// SGD's momentum.
    pub momentum: f32,
    /// L2 penalty.
    pub weight_decay: f32,
    /// Random changes of the training pictures.
    pub augmentation: Augmentation,
    /// Of shuffling and augmentation.
    pub seed: u64,
}

impl From<Recipe> for TrainConfig {
    fn from(r: Recipe) -> Self {
        Self {
            batch: r.batch,
            lr: r.lr,
            schedule: r.schedule,
            momentum: r.momentum,
            weight_decay: r.weight_decay,
            augmentation: r.augmentation,
            seed: r.seed,
        }
    }
}

/// Page → engine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// First of all: which engine the URL asks for (`None`: the engine chooses).
    Start {
        /// `?backend=`.
        backend: Option<Backend>,
    },
    /// Switch the engine by hand; weights, input and training state go along.
    UseBackend(Backend),
    /// Open a variant.
    Open {
        /// Counts up with each opening.
        generation: Generation,
        /// Its name.
        variant: String,
        /// What it starts with.
        weights: Weights,
    },
    /// A canvas (transferred, OffscreenCanvas) that the engine paints from now on.
    Canvas {
        /// The page's number for it.
        canvas: u32,
    },
    /// What to paint on it, after every change of values, until the next such command. Answered by [`Event::Painted`].
    Paint {
        /// Which canvas.
        canvas: u32,
        /// Comes back with the answer.
        ticket: Generation,
        /// Width and height in device pixels.
        size: [u32; 2],
        /// What is where.
        rects: Vec<PaintRect>,
        /// One scale for a layer, or one a map.
        scale: Scale,
        /// Colours.
        palette: Palette,
    },
    /// Show this to the network.
    Show {
        /// Counts up with each picture.
        generation: Generation,
        /// What.
        picture: Picture,
    },
    /// What is done to every picture from now on before the network sees it; the one that is shown is shown again. A script's own
    /// input ([`Picture::Raw`]) is left alone.
    Alter(Alterations),
    /// What a move of the picture ([`Alterations::shift`]) did to the values of these nodes.
    Compare {
        /// Counts up.
        request: Generation,
        /// Whose.
        nodes: Vec<NodeId>,
    },
    /// One unit's value.
    Peek {
        /// Counts up.
        request: Generation,
        /// Which tensor.
        source: Source,
        /// Flat index.
        index: usize,
    },
    /// How a unit's value came about.
    Explain {
        /// Counts up.
        request: Generation,
        /// Whose.
        node: NodeId,
        /// Which.
        unit: Unit,
    },
    /// The gradient of the loss for the picture shown with respect to a unit, and to the values before it on its card.
    Backward {
        /// Counts up.
        request: Generation,
        /// Whose.
        node: NodeId,
        /// Which.
        unit: Unit,
        /// The class that the loss is for; `None`: the picture's own where it is known, else the predicted one.
        class: Option<usize>,
    },
    /// What a layer's maps are like for the picture shown.
    Survey {
        /// Counts up.
        request: Generation,
        /// Whose.
        node: NodeId,
    },
    /// A whole tensor (scripts; filters in colour).
    Read {
        /// Counts up.
        request: Generation,
        /// Which.
        source: Source,
    },
    /// What of the input something depends on; an inquiry before it is given up. Progress and result: [`Event::Found`].
    Inquire {
        /// Counts up.
        request: Generation,
        /// What.
        inquiry: Inquiry,
    },
    /// Give this inquiry up, and its memory back, unless another one has begun.
    Abandon {
        /// Of the inquiry.
        request: Generation,
    },
    /// New settings for training; takes effect at the next step.
    Configure(TrainConfig),
    /// Fresh weights and a new run: from random, or from the shipped weights.
    Reset(Weights),
    /// Train until told to stop.
    Play,
    /// Stop after the running step.
    Pause,
    /// Train one step.
    Step,
    /// Classify all 10,000 test digits.
    Test,
    /// Stop a test or a download.
    Cancel,
    /// The weights as a safetensors file.
    Save {
        /// Counts up.
        request: Generation,
    },
    /// Go on with the run that was saved before the page was closed.
    Restore,
    /// Train on the caller's data (scripts); images batch·steps×c×h×w or fewer (then they repeat), labels one a picture.
    TrainOn {
        /// Counts up.
        request: Generation,
        /// Normalised inputs.
        images: Vec<f32>,
        /// Class numbers.
        labels: Vec<u32>,
        /// Images a step.
        batch: usize,
        /// Steps.
        steps: usize,
        /// Learning rate.
        lr: f32,
        /// Momentum.
        momentum: f32,
        /// Weight decay.
        weight_decay: f32,
    },
    /// Run every kernel case on the GPU against the CPU, on this very device.
    SelfTest {
        /// Counts up.
        request: Generation,
    },
    /// Destroy the GPU device, as a driver crash would (tests).
    LoseDevice,
}

/// What a move of the picture did to one node's values.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// Which.
    pub node: NodeId,
    /// Units along which its maps should have moved: down, to the right. Whole numbers only where the move is a multiple of the jump; 0 where
    /// units are no places of the picture.
    pub by: [f32; 2],
    /// ‖after − before‖ / ‖before‖ at the same places.
    pub changed: f32,
    /// The same after the maps before were moved along, over what is common to both; `None`: not by whole units.
    pub left: Option<f32>,
    /// Of the values that changed at their place, the share that is found again (to within 1/1000 of the largest) where it should have
    /// moved; `None`: not by whole units, or none changed.
    pub found: Option<f32>,
}

/// Which engine runs, and why.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Which.
    pub backend: Backend,
    /// The adapter's own name; empty without one.
    pub adapter: String,
    /// Why this one.
    pub why: Why,
    /// Whether the other one can be chosen.
    pub gpu_available: bool,
}

/// Why an engine was chosen; the page has a sentence for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A hardware adapter that passed the self-test.
    Hardware,
    /// Asked for, by hand or by URL.
    Asked,
    /// The browser has no WebGPU.
    NoWebgpu,
    /// The page came over plain HTTP from another machine, where browsers hide WebGPU.
    Insecure,
    /// WebGPU is there but no adapter.
    NoAdapter,
    /// The adapter is itself software: our own CPU engine is faster.
    Software,
    /// A kernel computed something else than the CPU.
    SelfTestFailed,
    /// The device was lost while it ran.
    DeviceLost,
}

/// Where the weights in use come from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Origin {
    /// Random, untrained.
    Random(u64),
    /// With the page; the recipe's test error in percent, if the file says it.
    Shipped(Option<f32>),
    /// A user's file, or its address.
    File(String),
    /// Trained here for so many steps since the origin.
    Trained(u64),
}

/// One training step, as recorded.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct StepRecord {
    /// Counts from 1 in this run.
    pub step: u64,
    /// Mean loss of the batch.
    pub loss: f32,
    /// Share of the batch that was right.
    pub accuracy: f32,
}

/// One parameter in one training step.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct ParamStats {
    /// Its place in the graph.
    pub param: usize,
    /// ‖gradient‖.
    pub gradient: f32,
    /// ‖weights‖ before the update.
    pub weights: f32,
    /// ‖update‖.
    pub update: f32,
}

/// Why training stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halt {
    /// The user stopped it.
    Paused,
    /// The loss is no longer a number.
    NotANumber,
    /// The loss is far above where it began.
    Diverged,
}

/// A fault: the page's message for `key` with `args` put in, and the engine's own words for those who want them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// The page's message.
    pub key: String,
    /// Named values of the message.
    pub args: Vec<(String, String)>,
    /// The error's own sentence (English).
    pub detail: String,
}

/// Engine → page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// Which engine runs; after start, switch, or loss of the device.
    Engine(EngineInfo),
    /// The variant is open, and with these weights. Also after `Reset`.
    Opened {
        /// Of the command.
        generation: Generation,
        /// Its name.
        variant: String,
        /// Its weights.
        origin: Origin,
    },
    /// What the network was shown: the picture after preparation; `None`: nothing drawn.
    Shown {
        /// Of the command.
        generation: Generation,
        /// Its own input, normalised.
        input: Option<Vec<f32>>,
        /// c×h×w of it.
        shape: Shape,
        /// The class, where it is known (a sample).
        label: Option<u8>,
    },
    /// What the network says; `None`: nothing shown, nothing said.
    Output {
        /// Of the picture.
        generation: Generation,
        /// The output node's value.
        output: Option<Vec<f32>>,
        /// Probability of each class.
        probabilities: Vec<f32>,
        /// The class it stands for.
        predicted: usize,
        /// Forward pass, read-back included.
        milliseconds: f32,
    },
    /// Answer to `Compare`.
    Compared {
        /// Of the command.
        request: Generation,
        /// The move.
        shift: [i32; 2],
        /// One a node, as asked for; none where the picture is not moved, or there is none.
        moved: Vec<Moved>,
    },
    /// A canvas with something on it was painted as the last `Paint` had it.
    Painted {
        /// Which.
        canvas: u32,
        /// That `Paint`'s.
        ticket: Generation,
    },
    /// Answer to `Peek`.
    Value {
        /// Of the command.
        request: Generation,
        /// The value.
        value: f32,
    },
    /// Answer to `Explain`: the layer itself, then the pointwise layers after it up to the node asked for.
    Explained {
        /// Of the command.
        request: Generation,
        /// Whose, in order.
        nodes: Vec<NodeId>,
        /// One a node.
        explanations: Vec<Explanation>,
        /// The unit's value as the engine computed it.
        value: f32,
    },
    /// Answer to `Backward`.
    Backed {
        /// Of the command.
        request: Generation,
        /// The class that the loss is for.
        class: usize,
        /// Whether it is the picture's own.
        known: bool,
        /// The loss.
        loss: f32,
        /// Its gradient with respect to the unit of each node that `Explained` tells of, in the same order.
        deltas: Vec<f32>,
    },
    /// Answer to `Survey`.
    Surveyed {
        /// Of the command.
        request: Generation,
        /// Whose.
        node: NodeId,
        /// What they are like.
        survey: Survey,
    },
    /// Answer to `Read`.
    Tensor {
        /// Of the command.
        request: Generation,
        /// Its dimensions.
        shape: Vec<usize>,
        /// Its elements.
        data: Vec<f32>,
    },
    /// An inquiry's result as far as it is known; finished when `done` is `total`.
    Found {
        /// Of the command.
        request: Generation,
        /// Its maps, one behind the other.
        maps: Vec<f32>,
        /// Maps, rows, columns.
        shape: Shape,
        /// The class asked about, and the network's probability of it; `None`: no class was.
        class: Option<(usize, f32)>,
        /// Passes made.
        done: usize,
        /// Passes to be made.
        total: usize,
    },
    /// A download goes on.
    Download {
        /// What.
        what: String,
        /// Bytes so far.
        received: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
    },
    /// Training went on: steps since the last such event.
    Progress {
        /// In order.
        steps: Vec<StepRecord>,
        /// Of the last step.
        params: Vec<ParamStats>,
        /// Passes over the training set, fractional.
        epoch: f32,
        /// Learning rate now.
        lr: f32,
        /// Images a second, lately.
        speed: f32,
    },
    /// Training runs.
    Running,
    /// Where the weights in use come from now: training changed them.
    Weights(Origin),
    /// Training stands still.
    Halted(Halt),
    /// A test goes on.
    Testing {
        /// Images so far.
        done: usize,
        /// Images in all.
        total: usize,
    },
    /// The test's result.
    Tested {
        /// Images classified wrongly.
        errors: usize,
        /// Images in all.
        total: usize,
        /// classes×classes, rows: what it is, columns: what it was taken for.
        confusion: Vec<u32>,
        /// Step of the run at which it was taken.
        step: u64,
    },
    /// A run of this variant was saved before the page was closed.
    Saved {
        /// Which variant.
        variant: String,
        /// Its steps.
        step: u64,
    },
    /// Answer to `Save`; the bytes are transferred.
    File {
        /// Of the command.
        request: Generation,
        /// A name for it.
        name: String,
    },
    /// Answer to `TrainOn`.
    TrainedOn {
        /// Of the command.
        request: Generation,
        /// Loss of every step.
        losses: Vec<f32>,
        /// Time of all steps.
        milliseconds: f64,
    },
    /// Answer to `SelfTest`.
    SelfTested {
        /// Of the command.
        request: Generation,
        /// Each case: its name and its largest relative error.
        cases: Vec<(String, f32)>,
        /// Those beyond the tolerance.
        failed: Vec<String>,
    },
    /// Something could not be done; nothing was lost.
    Failed {
        /// Of the command, if it had a number.
        request: Option<Generation>,
        /// What and why.
        fault: Fault,
    },
}
