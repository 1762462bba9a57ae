//! What each command does and which events follow: an engine, an opened network, the picture shown, the canvases. Knows the
//! protocol and the engine's parts; of the world only what [`Platform`] offers, of the page nothing.

use super::equivariance;
use super::executor::{Executor, GpuError};
use super::files::{self, LoadError};
use super::inbox::Inbox;
use super::inquiry::Inquest;
use super::lesson::{Data, Lesson};
use super::network::Network;
use super::platform::{FetchError, Files, Local, Painting, Pixels, Platform};
use super::self_test;
use super::survey;
use super::training::RunState;
use crate::arch::{self, Architecture};
use crate::cpu::paint::{self, Atlas, Map};
use crate::data::looks::Looks;
use crate::data::photo::{self, Photo};
use crate::data::{Samples, digits, handwriting};
use crate::gpu::{Canvas as Easel, Gpu};
use crate::graph::{NodeId, receptive_field};
use crate::protocol::{
    Alterations, Backend, Command, EngineInfo, Event, Fault, Generation, Origin, PaintRect, Palette, Picture, Scale,
    Source, TrainConfig, Weights, Why,
};
use crate::tensor::{Shape, Unit};
use crate::weights::{CONVERT, WeightsError};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::task::Poll;

/// The seed of the weights where none came with the page.
const SEED: u64 = 1;
/// Real test digits that come with the page.
const SAMPLES: &str = "data/samples.idx.gz";
/// Milliseconds between two reports of how much of the weights has come.
const PROGRESS: f64 = 100.0;
/// Sides in pixels between which a drawing is rendered; larger pads are drawn smaller.
const PAD: (f32, f32) = (28.0, 280.0);

/// Everything the engine knows between two commands.
pub struct Session {
    pub(super) world: Rc<dyn Platform>,
    pub(super) inbox: Inbox,
    pub(super) data: Data,
    /// Settings that the page gave; without any the architecture's own.
    pub(super) config: Option<TrainConfig>,
    gpu: Option<Gpu>,
    info: Option<EngineInfo>,
    pub(super) opened: Option<Opened>,
    pub(super) loading: Option<Loading>,
    picture: (Generation, Picture),
    /// What is done to it before the network sees it.
    alterations: Alterations,
    /// It as prepared for the open network, before that; and its class, where it is known.
    prepared: (Option<Vec<f32>>, Option<u8>),
    /// Of the photograph shown.
    pixels: Vec<u8>,
    samples: Option<Samples>,
    canvases: BTreeMap<u32, Canvas>,
    /// What the GPU paints on; `Some(None)`: this browser shows nothing painted so, and maps are read back.
    easel: Option<Option<Easel>>,
}

/// An opened network and what belongs to it.
pub(super) struct Opened {
    pub(super) generation: Generation,
    pub(super) network: Network,
    pub(super) origin: Origin,
    pub(super) lesson: Lesson,
    pub(super) inquest: Inquest,
    /// What is left when a device is lost or a loss is no number. `None`: weights on the CPU that nobody trained since they came,
    /// which would only take their room twice.
    pub(super) mirror: Option<Mirror>,
}

/// A network's state as last known to the host.
pub(super) struct Mirror {
    pub(super) params: Vec<Vec<f32>>,
    /// None at all: zero.
    pub(super) momentum: Vec<Vec<f32>>,
    /// The run's place.
    pub(super) state: Option<RunState>,
}

impl Opened {
    /// Reads weights and momentum to the host.
    pub(super) async fn remember(&mut self) -> Result<(), GpuError> {
        let state = self.lesson.state();
        let trained = state.is_some() || matches!(self.origin, Origin::Trained(_));
        let executor = &mut self.network.executor;
        let params = executor.params().await?;
        let momentum = if trained { executor.momentum().await? } else { Vec::new() };
        self.mirror = Some(Mirror { params, momentum, state });
        Ok(())
    }
}

/// Weights on their way, for a network that opens once they are there. Dropping it ends the download.
pub(super) struct Loading {
    pub(super) generation: Generation,
    net: Rc<Architecture>,
    name: String,
    /// Whether it is the user's own file, no download.
    own: bool,
    pub(super) params: Local<Result<Vec<Vec<f32>>, LoadError>>,
}

/// What is painted on a canvas.
struct Canvas {
    size: [u32; 2],
    rects: Vec<PaintRect>,
    scale: Scale,
    palette: Palette,
}

/// Why a command could not be done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The device is gone: the CPU takes over, and the command is done again.
    Lost,
    /// The page says it.
    Fault(Fault),
}

impl From<GpuError> for Trouble {
    fn from(error: GpuError) -> Self {
        match error {
            GpuError::Lost { .. } => Self::Lost,
            other => Self::Fault(fault("gpu", &[], other)),
        }
    }
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Self {
        Self::Fault(fault("download", &[("url", &error.url), ("reason", &error.reason)], &error))
    }
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Weights(error) => Self::Fault(weights_fault(&error)),
            LoadError::Fetch(error) => error.into(),
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A fault with its message's key and values.
pub(super) fn fault(key: &str, args: &[(&str, &str)], detail: impl ToString) -> Fault {
    let args = args.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Fault { key: key.into(), args, detail: detail.to_string() }
}

fn weights_fault(error: &WeightsError) -> Fault {
    if let WeightsError::NotSafetensors(Looks::Zip | Looks::Pickle) = error {
        return fault("weights-pytorch", &[("line", CONVERT)], error);
    }
    let key = match error {
        WeightsError::NotSafetensors(_) => "weights-format",
        WeightsError::Truncated { .. } | WeightsError::Trailing { .. } | WeightsError::Header(_) => "weights-damaged",
        WeightsError::Mismatch(_) => "weights-mismatch",
        WeightsError::Index(_) | WeightsError::Shards(_) => "weights-index",
        WeightsError::Memory { .. } => "weights-memory",
        _ => "weights-values",
    };
    fault(key, &[("detail", &error.to_string())], error)
}

/// The number by which the page knows a command.
fn request(command: &Command) -> Option<Generation> {
    match command {
        Command::Open { generation, .. } | Command::Show { generation, .. } => Some(*generation),
        Command::Compare { request, .. }
        | Command::Peek { request, .. }
        | Command::Explain { request, .. }
        | Command::Survey { request, .. }
        | Command::Backward { request, .. }
        | Command::Read { request, .. }
        | Command::Inquire { request, .. }
        | Command::Save { request }
        | Command::TrainOn { request, .. }
        | Command::SelfTest { request } => Some(*request),
        _ => None,
    }
}

impl Session {
    /// Nothing opened, nothing shown.
    pub fn new(world: Rc<dyn Platform>, inbox: Inbox) -> Self {
        Self {
            world,
            inbox,
            data: Data::default(),
            config: None,
            gpu: None,
            info: None,
            opened: None,
            loading: None,
            picture: (0, Picture::Empty),
            alterations: Alterations::default(),
            prepared: (None, None),
            pixels: Vec::new(),
            samples: None,
            canvases: BTreeMap::new(),
            easel: None,
        }
    }

    /// Does what comes, for good.
    pub async fn run(mut self) {
        loop {
            while self.turn().await {}
            // A device can be lost while nobody asks anything of it, and the page is to say so then.
            let lost = std::future::poll_fn(|cx| match &self.gpu {
                Some(gpu) if gpu.poll_lost(cx).is_ready() => Poll::Ready(true),
                _ => self.inbox.poll(cx).map(|()| false),
            });
            if lost.await {
                self.lose().await;
            }
        }
    }

    /// Does the next piece of work: a command, else a download's end, else a slice of training; `false`: there is none.
    pub async fn turn(&mut self) -> bool {
        if let Some((command, files)) = self.inbox.take() {
            let done = self.perform(&command, files.unwrap_or_default()).await;
            self.report(request(&command), done);
            return true;
        }
        let asked = self.inquire_further().await;
        let worked = self.slice().await || asked;
        // Beside training, what has come is taken without waiting for more.
        self.arrive(!worked).await || worked
    }

    /// Does a command; if the device is lost meanwhile, once more on the CPU.
    pub(super) async fn perform(&mut self, command: &Command, mut files: Files) -> Result<(), Trouble> {
        match self.handle(command, &mut files).await {
            Err(Trouble::Lost) => {
                self.lose().await;
                self.handle(command, &mut files).await
            }
            done => done,
        }
    }

    pub(super) fn report(&self, request: Option<Generation>, done: Result<(), Trouble>) {
        let fault = match done {
            Ok(()) => return,
            Err(Trouble::Fault(fault)) => fault,
            Err(Trouble::Lost) => fault("gpu", &[], "The GPU device was lost."),
        };
        self.send(Event::Failed { request, fault });
    }

    pub(super) fn send(&self, event: Event) {
        self.world.send(event, None);
    }

    async fn handle(&mut self, command: &Command, files: &mut Files) -> Result<(), Trouble> {
        match command {
            Command::Start { backend } => self.start(*backend).await,
            Command::UseBackend(backend) => self.use_backend(*backend).await,
            Command::Open { generation, variant, weights } => self.open(*generation, variant, weights, files).await,
            Command::Canvas { canvas } => {
                self.paint(Some(*canvas));
                Ok(())
            }
            Command::Paint { canvas, ticket, size, rects, scale, palette } => {
                let canvas_of = Canvas { size: *size, rects: rects.clone(), scale: *scale, palette: *palette };
                self.canvases.insert(*canvas, canvas_of);
                self.look().await?;
                self.paint(Some(*canvas));
                if rects.iter().any(|r| r.rows > 0) {
                    self.send(Event::Painted { canvas: *canvas, ticket: *ticket });
                }
                Ok(())
            }
            Command::Show { generation, picture } => {
                let mut picture = picture.clone();
                if let Picture::SamplePhoto(_) | Picture::PhotoFile(_) = picture {
                    let (pixels, width, height) = self.unpack(&picture, files).await?;
                    self.pixels = pixels;
                    picture = Picture::Photo { width, height };
                } else if !files.is_empty() {
                    self.pixels = whole(files).await?;
                }
                self.picture = (*generation, picture);
                self.show().await
            }
            Command::Alter(alterations) => {
                self.alterations = *alterations;
                self.show_altered().await
            }
            Command::Compare { request, nodes } => self.compare(*request, nodes).await,
            Command::Peek { request, source, index } => {
                let opened = self.opened(*source)?;
                let value = opened.network.fetch(*source).await?;
                let value = value.ok_or_else(nothing_shown)?.get(*index).copied();
                let value = value.ok_or_else(|| fault("no-such-unit", &[], format!("there is no element {index}")))?;
                self.send(Event::Value { request: *request, value });
                Ok(())
            }
            Command::Explain { request, node, unit } => self.explain(*request, *node, *unit).await,
            Command::Backward { request, node, unit, class } => self.backward(*request, *node, *unit, *class).await,
            Command::Survey { request, node } => {
                let source = Source::Value(*node);
                let network = &mut self.opened(source)?.network;
                let maps = network.net.graph.nodes()[*node].shape.c;
                let survey = survey::survey(network.fetch(source).await?.ok_or_else(nothing_shown)?, maps);
                self.send(Event::Surveyed { request: *request, node: *node, survey });
                Ok(())
            }
            Command::Read { request, source } => {
                let opened = self.opened(*source)?;
                let shape = opened.network.dimensions(*source);
                let data = opened.network.fetch(*source).await?.ok_or_else(nothing_shown)?.to_vec();
                self.send(Event::Tensor { request: *request, shape, data });
                Ok(())
            }
            Command::Inquire { request, inquiry } => self.inquire(*request, inquiry).await,
            Command::Abandon { request } => {
                self.abandon(*request);
                Ok(())
            }
            Command::Save { request } => self.save(*request).await,
            Command::SelfTest { request } => {
                let gpu = self.device().await.map_err(|(_, error)| Trouble::from(error))?;
                let (cases, failed) = self_test::run(&gpu).await?;
                self.send(Event::SelfTested { request: *request, cases, failed });
                Ok(())
            }
            Command::LoseDevice => {
                if let Some(gpu) = &self.gpu {
                    gpu.destroy();
                    self.lose().await;
                }
                Ok(())
            }
            Command::Configure(config) => self.configure(config),
            Command::Reset(weights) => self.reset(weights, files).await,
            Command::Play => self.play().await,
            Command::Pause => self.pause().await,
            Command::Step => self.step().await,
            Command::Test => self.test(),
            Command::Cancel => {
                self.cancel();
                Ok(())
            }
            Command::Restore => self.restore().await,
            Command::TrainOn { request, images, labels, batch, steps, lr, momentum, weight_decay } => {
                let hyper = [*lr, *momentum, *weight_decay];
                self.train_on(*request, images, labels, [*batch, *steps], hyper).await
            }
        }
    }

    /// What is open, if it has this tensor.
    fn opened(&mut self, source: Source) -> Result<&mut Opened, Fault> {
        let opened = self.opened.as_mut().ok_or_else(nothing_open)?;
        if opened.network.has(source) {
            Ok(opened)
        } else {
            Err(fault("no-such-unit", &[], format!("this network has no {source:?}")))
        }
    }

    // Engines

    /// The GPU, opened at the first call; why there is none, where there is none.
    async fn device(&mut self) -> Result<Gpu, (Why, GpuError)> {
        if let Some(gpu) = &self.gpu {
            return Ok(gpu.clone());
        }
        if !self.world.webgpu() {
            let why = if self.world.secure() { Why::NoWebgpu } else { Why::Insecure };
            return Err((why, GpuError::NoAdapter { reason: "the browser offers no WebGPU here".into() }));
        }
        let gpu = Gpu::acquire().await.map_err(|error| (Why::NoAdapter, error))?;
        self.gpu = Some(gpu.clone());
        Ok(gpu)
    }

    /// Tries, before the GPU has anything to lose, whether it can paint what the page shows; gets it anew where it cannot and the
    /// try has cost the device.
    async fn set_up_easel(&mut self) -> Result<(), (Why, GpuError)> {
        let gpu = self.device().await?;
        if self.easel.is_none() {
            self.easel = Some(self.world.easel(&gpu).await);
            if gpu.check().is_err() {
                (self.gpu, self.easel) = (None, Some(None));
                self.device().await?;
            }
        }
        Ok(())
    }

    async fn start(&mut self, asked: Option<Backend>) -> Result<(), Trouble> {
        let (backend, why) = match asked {
            Some(Backend::Cpu) => (Backend::Cpu, Why::Asked),
            Some(Backend::Gpu) => match self.set_up_easel().await {
                Ok(()) => (Backend::Gpu, Why::Asked),
                Err((why, _)) => (Backend::Cpu, why),
            },
            None => match self.device().await {
                Err((why, _)) => (Backend::Cpu, why),
                Ok(gpu) if gpu.adapter.software => (Backend::Cpu, Why::Software),
                Ok(gpu) => match self_test::run(&gpu).await {
                    Ok((_, failed)) if failed.is_empty() => match self.set_up_easel().await {
                        Ok(()) => (Backend::Gpu, Why::Hardware),
                        Err((why, _)) => (Backend::Cpu, why),
                    },
                    _ => (Backend::Cpu, Why::SelfTestFailed),
                },
            },
        };
        self.engine(backend, why);
        Ok(())
    }

    fn engine(&mut self, backend: Backend, why: Why) {
        let adapter = self.gpu.as_ref().map(|gpu| gpu.adapter.name.clone()).unwrap_or_default();
        let gpu_available = self.gpu.is_some() || self.world.webgpu() && why != Why::NoAdapter;
        let info = EngineInfo { backend, adapter, why, gpu_available };
        self.info = Some(info.clone());
        self.send(Event::Engine(info));
    }

    /// The engine in use; before `Start` the CPU.
    fn backend(&self) -> Backend {
        self.info.as_ref().map_or(Backend::Cpu, |info| info.backend)
    }

    fn executor(&self, backend: Backend, params: &[Vec<f32>]) -> Result<Executor, GpuError> {
        match (backend, &self.gpu) {
            (Backend::Gpu, Some(gpu)) => Executor::gpu(gpu.clone(), params),
            _ => Ok(Executor::cpu(params.to_vec())),
        }
    }

    async fn use_backend(&mut self, backend: Backend) -> Result<(), Trouble> {
        if backend == Backend::Gpu {
            self.set_up_easel().await.map_err(|(_, error)| fault("no-gpu", &[], error))?;
        }
        if backend != self.backend() {
            if let Some(opened) = &mut self.opened {
                opened.remember().await?;
            }
            self.move_to(backend)?;
        }
        self.engine(backend, Why::Asked);
        self.refresh().await
    }

    /// Goes on with what the host has, on this engine.
    fn move_to(&mut self, backend: Backend) -> Result<(), Trouble> {
        let Some(mirror) = self.opened.as_ref().and_then(|o| o.mirror.as_ref()) else { return Ok(()) };
        let mut executor = self.executor(backend, &mirror.params)?;
        if !mirror.momentum.is_empty() {
            executor.set(&mirror.params, &mirror.momentum)?;
        }
        if let Some(opened) = &mut self.opened {
            opened.network.move_to(executor);
            opened.inquest = Inquest::default();
            let state = opened.mirror.as_ref().and_then(|m| m.state.clone());
            opened.lesson.moved(state);
        }
        Ok(())
    }

    /// The device is gone: the CPU goes on from what the host has.
    pub(super) async fn lose(&mut self) {
        (self.gpu, self.easel) = (None, None);
        let there = self.opened.as_ref().is_some_and(|o| o.network.executor.backend() == Backend::Gpu);
        let done = if there { self.move_to(Backend::Cpu) } else { Ok(()) };
        self.engine(Backend::Cpu, Why::DeviceLost);
        let done = if done.is_ok() { self.refresh().await } else { done };
        self.report(None, done);
    }

    // Networks

    /// Opens a network; with weights that have to come first, once they are there.
    pub(super) async fn open(
        &mut self,
        generation: Generation,
        variant: &str,
        weights: &Weights,
        files: &mut Files,
    ) -> Result<(), Trouble> {
        let found = arch::variant(variant);
        let found =
            found.ok_or_else(|| fault("unknown-variant", &[("variant", variant)], format!("there is no {variant}")))?;
        let net = found.build().map_err(|e| fault("unknown-variant", &[("variant", variant)], e))?;
        self.stop_loading();
        let name = match weights {
            Weights::File(name) | Weights::Url(name) => name.clone(),
            Weights::Shipped | Weights::Seed(_) => {
                let (params, origin) = self.weights(&net, weights).await?;
                return self.install(generation, Rc::new(net), params, origin).await;
            }
        };
        let net = Rc::new(net);
        let (world, of, what) = (self.world.clone(), net.clone(), name.clone());
        let url = matches!(weights, Weights::Url(_)).then(|| name.clone());
        let (own, mut sources) = (url.is_none(), std::mem::take(files));
        let params = async move {
            if let Some(url) = &url {
                sources = vec![world.stream(url).await?];
            }
            let told = std::cell::Cell::new(f64::MIN);
            let progress = |received, total| {
                let now = world.now();
                if now - told.get() >= PROGRESS || total == Some(received) {
                    told.set(now);
                    world.send(Event::Download { what: what.clone(), received, total }, None);
                }
            };
            let open = |beside: &str| if url.is_some() { world.stream(beside) } else { files::nothing_else(beside) };
            Ok(files::load(&of, sources, &open, &progress).await?.0)
        };
        self.loading = Some(Loading { generation, net, name, own, params: Box::pin(params) });
        Ok(())
    }

    /// Gives up weights that are on their way, and says so; whether there were any.
    pub(super) fn stop_loading(&mut self) -> bool {
        let Some(Loading { generation, name, .. }) = self.loading.take() else { return false };
        let fault = fault("cancelled", &[("name", &name)], format!("the loading of {name} was stopped"));
        self.report(Some(generation), Err(fault.into()));
        true
    }

    /// The weights of an opening have come, or they have not.
    pub(super) async fn loaded(&mut self, loading: Loading, params: Result<Vec<Vec<f32>>, LoadError>) {
        let Loading { generation, net, name, own, .. } = loading;
        let done = match params {
            Ok(params) => self.install(generation, net, params, Origin::File(name)).await,
            Err(LoadError::Fetch(error)) if own => {
                Err(fault("file-unreadable", &[("name", &name)], error.reason).into())
            }
            Err(error) => Err(error.into()),
        };
        if let Err(Trouble::Lost) = done {
            return self.lose().await; // which goes on with these weights on the CPU
        }
        self.report(Some(generation), done);
    }

    /// Puts a network in the place of the one that is open.
    async fn install(
        &mut self,
        generation: Generation,
        net: Rc<Architecture>,
        params: Vec<Vec<f32>>,
        origin: Origin,
    ) -> Result<(), Trouble> {
        let (executor, mirror) = match (self.backend(), &self.gpu) {
            (Backend::Gpu, Some(gpu)) => {
                let executor = Executor::gpu(gpu.clone(), &params)?;
                (executor, Some(Mirror { params, momentum: Vec::new(), state: None }))
            }
            _ => (Executor::cpu(params), None),
        };
        let other = self.opened.as_ref().is_none_or(|o| o.network.net.variant != net.variant);
        let variant = net.variant.name.to_string();
        let network = Network::new(net, executor);
        let (lesson, inquest) = (Lesson::default(), Inquest::default());
        self.opened = Some(Opened { generation, network, origin: origin.clone(), lesson, inquest, mirror });
        if other {
            self.config = None;
        }
        self.send(Event::Opened { generation, variant, origin });
        self.show().await?;
        self.tell_kept().await;
        Ok(())
    }

    /// The weights asked for, and where they come from. Changes nothing.
    pub(super) async fn weights(
        &self,
        net: &Architecture,
        weights: &Weights,
    ) -> Result<(Vec<Vec<f32>>, Origin), Trouble> {
        let random = |seed| (net.initial(seed), Origin::Random(seed));
        match weights {
            Weights::Seed(seed) => Ok(random(*seed)),
            Weights::Shipped if !net.variant.shipped => Ok(random(SEED)),
            Weights::Shipped => {
                let url = format!("weights/{}.safetensors", net.variant.name);
                // No trained weights: random ones, called so.
                let Ok(file) = self.download(&url, net.variant.name).await else { return Ok(random(SEED)) };
                let (params, metadata) = match files::read(net, &file) {
                    Ok(read) => read,
                    Err(error) => {
                        self.send(Event::Failed { request: None, fault: weights_fault(&error) });
                        return Ok(random(SEED));
                    }
                };
                let error = metadata.get(files::TEST_ERROR).and_then(|text| text.parse().ok());
                Ok((params, Origin::Shipped(error)))
            }
            // These come in pieces: `open` sees to them.
            Weights::File(name) | Weights::Url(name) => Err(fault("weights-format", &[], name).into()),
        }
    }

    /// Fetches a file and tells how far it is.
    async fn download(&self, url: &str, what: &str) -> Result<Vec<u8>, FetchError> {
        let (world, what) = (self.world.clone(), what.to_string());
        let progress = move |received, total| {
            world.send(Event::Download { what: what.clone(), received, total }, None);
        };
        self.world.fetch(url, Rc::new(progress)).await
    }

    async fn save(&mut self, request: Generation) -> Result<(), Trouble> {
        let opened = self.opened.as_mut().ok_or_else(nothing_open)?;
        let net = opened.network.net.clone();
        let params = opened.network.executor.params().await?;
        let (from, name) = match &opened.origin {
            Origin::Random(seed) => (format!("random, seed {seed}"), format!("{}-random-{seed}", net.variant.name)),
            Origin::Shipped(_) => ("shipped".into(), net.variant.name.into()),
            Origin::File(name) => (name.clone(), net.variant.name.into()),
            Origin::Trained(steps) => {
                (format!("trained in the page, {steps} steps"), format!("{}-{steps}-steps", net.variant.name))
            }
        };
        let about = [("variant".to_string(), net.variant.name.to_string()), ("origin".to_string(), from)];
        let file = files::write(&net, &params, about.into()).map_err(|e| weights_fault(&e))?;
        self.world.send(Event::File { request, name: format!("{name}.safetensors") }, Some(file));
        Ok(())
    }

    // The picture and what is seen of it

    /// Shows the current picture to the open network.
    async fn show(&mut self) -> Result<(), Trouble> {
        let Some(opened) = &self.opened else { return Ok(()) };
        let (net, picture) = (opened.network.net.clone(), self.picture.1.clone());
        self.prepared = self.prepare(&net, &picture).await?;
        self.show_altered().await
    }

    /// Shows it with what the reader does to it.
    async fn show_altered(&mut self) -> Result<(), Trouble> {
        let Some(net) = self.opened.as_ref().map(|o| o.network.net.clone()) else { return Ok(()) };
        let (input, label) = (self.altered(&net, self.alterations), self.prepared.1);
        if let Some(opened) = &mut self.opened {
            opened.network.show(input.clone());
        }
        let shape = net.graph.nodes()[net.graph.source()].shape;
        self.send(Event::Shown { generation: self.picture.0, input, shape, label });
        self.refresh().await
    }

    /// The picture's input, altered.
    fn altered(&self, net: &Architecture, alterations: Alterations) -> Option<Vec<f32>> {
        let shape = net.graph.nodes()[net.graph.source()].shape;
        // Where a picture could not be prepared for this network, that for the one before is there.
        let mut input = self.prepared.0.clone().filter(|input| input.len() == shape.len())?;
        if !matches!(self.picture.1, Picture::Raw(_)) {
            alterations.apply(&mut input, shape, net.normalisation);
        }
        Some(input)
    }

    /// Runs the network on the picture as it would be unmoved, then as it is, and compares.
    async fn compare(&mut self, request: Generation, nodes: &[NodeId]) -> Result<(), Trouble> {
        let Some(net) = self.opened.as_ref().map(|o| o.network.net.clone()) else { return Err(nothing_open().into()) };
        let shift = self.alterations.shift;
        let pictures = [self.alterations.in_place(), self.alterations].map(|a| self.altered(&net, a));
        let mut moved = Vec::new();
        if let (Some(opened), [Some(unmoved), Some(input)], true) = (&mut self.opened, pictures, shift != [0, 0]) {
            let network = &mut opened.network;
            let nodes: Vec<NodeId> = nodes.iter().copied().filter(|&n| network.has(Source::Value(n))).collect();
            let sources: Vec<Source> = nodes.iter().copied().map(Source::Value).collect();
            network.show(Some(unmoved));
            let done = network.compute(&sources).await;
            let values = |network: &Network| -> Vec<Vec<f32>> {
                sources.iter().map(|&s| network.value(s).unwrap_or_default().to_vec()).collect()
            };
            let before = values(network);
            // Whatever happened: what is shown is shown.
            network.show(Some(input));
            network.compute(&sources).await?;
            done?;
            let (after, fields) = (values(network), receptive_field::fields(&net.graph));
            for ((&node, before), after) in nodes.iter().zip(&before).zip(&after) {
                let shape = net.graph.nodes()[node].shape;
                if before.len() == shape.len() && after.len() == shape.len() {
                    let jump = [fields[node].y.jump, fields[node].x.jump];
                    moved.push(equivariance::compare(node, [before, after], shape, jump, shift));
                }
            }
        }
        self.send(Event::Compared { request, shift, moved });
        Ok(())
    }

    /// A photograph's pixels. What was shown before stays where this fails.
    pub(super) async fn unpack(&self, picture: &Picture, files: &mut Files) -> Result<Pixels, Trouble> {
        let (name, file) = match picture {
            Picture::SamplePhoto(i) => {
                let url = photo::SAMPLES[i % photo::SAMPLES.len()];
                (url.to_string(), self.world.fetch(url, Rc::new(|_, _| {})).await?)
            }
            Picture::PhotoFile(name) => (name.clone(), whole(files).await?),
            _ => return Err(nothing_shown().into()),
        };
        let looks = Looks::at(&file).to_string();
        let pixels = self.world.decode(file).await;
        Ok(pixels.map_err(|reason| fault("photo-file", &[("name", &name), ("looks", &looks)], reason))?)
    }

    /// The network's input for a picture, and its class where it is known; a picture that the network does not read (a drawing, where
    /// it reads photographs) is none.
    pub(super) async fn prepare(
        &mut self,
        net: &Architecture,
        picture: &Picture,
    ) -> Result<(Option<Vec<f32>>, Option<u8>), Trouble> {
        let shape = net.graph.nodes()[net.graph.source()].shape;
        let drawn = matches!(picture, Picture::Strokes { .. } | Picture::Sample(_) | Picture::SampleOf { .. });
        match picture {
            Picture::Empty => Ok((None, None)),
            _ if drawn && !net.reads_digits() => Ok((None, None)),
            Picture::SamplePhoto(_) | Picture::PhotoFile(_) => Ok((None, None)), // `handle` unpacks them
            Picture::Raw(values) if values.len() == shape.len() => Ok((Some(values.clone()), None)),
            Picture::Raw(values) => {
                let (expected, got) = (shape.len().to_string(), values.len().to_string());
                let detail = format!("{expected} values are expected ({shape}), {got} came");
                Err(fault("input-length", &[("expected", &expected), ("got", &got)], detail).into())
            }
            Picture::Photo { width, height } => {
                let photo = Photo::new(&self.pixels, *width, *height);
                let photo = photo.map_err(|e| fault("photo", &[("detail", &e.to_string())], e))?;
                if net.reads_digits() {
                    let digit = handwriting::digit(&photo.greys(handwriting::WINDOW));
                    return Ok((digit.map(|digit| input(net, shape, &digit, (digits::SIDE, digits::SIDE))), None));
                }
                Ok((Some(photo.prepare(net.normalisation, shape.into())), None))
            }
            Picture::Strokes { strokes, size, pen, centre } => {
                let side = size.clamp(PAD.0, PAD.1);
                let ratio = if *size > 0.0 { side / size } else { 1.0 };
                let scaled: Vec<Vec<(f32, f32)>> =
                    strokes.iter().map(|s| s.iter().map(|(x, y)| (x * ratio, y * ratio)).collect()).collect();
                let side = side as usize;
                let pad = digits::render(&scaled, pen * ratio, side);
                let digit = digits::prepare(&pad, side, side, *centre);
                Ok((digit.map(|digit| input(net, shape, &digit, (digits::SIDE, digits::SIDE))), None))
            }
            Picture::Sample(_) | Picture::SampleOf { .. } => {
                if self.samples.is_none() {
                    let file = self.world.fetch(SAMPLES, Rc::new(|_, _| {})).await?;
                    let samples =
                        Samples::from_file(&file).map_err(|e| fault("data", &[("detail", &e.to_string())], e))?;
                    self.samples = Some(samples);
                }
                let set = self.samples.as_ref().map(|s| &s.dataset).ok_or_else(nothing_shown)?;
                let index = match picture {
                    Picture::SampleOf { digit, nth } => {
                        let of: Vec<usize> = (0..set.len()).filter(|&i| set.labels()[i] == *digit).collect();
                        (!of.is_empty()).then(|| of[nth % of.len()])
                    }
                    Picture::Sample(index) => (*index < set.len()).then_some(*index),
                    _ => None,
                };
                let index = index.ok_or_else(|| fault("no-such-sample", &[], "there is no such digit"))?;
                Ok((Some(input(net, shape, set.image(index), set.size())), Some(set.labels()[index])))
            }
        }
    }

    /// Computes the shown picture with the weights as they are; tells the output, paints all canvases.
    pub(super) async fn refresh(&mut self) -> Result<(), Trouble> {
        let ((sources, kept), direct) = (self.painted(), self.direct());
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let before = self.world.now();
        opened.network.look(sources, kept, direct);
        opened.network.compute(&[]).await?;
        let milliseconds = (self.world.now() - before) as f32;
        let loss = opened.network.net.loss;
        let output = opened.network.output().map(<[f32]>::to_vec);
        let mut probabilities = output.clone().unwrap_or_default();
        loss.probabilities(&mut probabilities);
        let predicted = output.as_ref().map_or(0, |output| loss.predict(output));
        let generation = self.picture.0;
        self.send(Event::Output { generation, output, probabilities, predicted, milliseconds });
        self.paint(None);
        Ok(())
    }

    /// Tensors that some canvas shows, and nodes that one may show next (its rectangles without rows).
    fn painted(&self) -> (Vec<Source>, BTreeSet<NodeId>) {
        let Some(opened) = &self.opened else { return Default::default() };
        let rects = self.canvases.values().flat_map(|c| &c.rects).filter(|r| opened.network.has(r.source));
        let (shown, next): (Vec<&PaintRect>, Vec<&PaintRect>) = rects.partition(|r| r.rows > 0);
        let node = |r: &PaintRect| match r.source {
            Source::Value(node) => Some(node),
            Source::Param(_) => None,
        };
        (shown.iter().map(|r| r.source).collect(), next.into_iter().filter_map(node).collect())
    }

    /// Whether the GPU computes and paints: whether its maps need no reading back.
    fn direct(&self) -> bool {
        let on_gpu = |opened: &Opened| opened.network.executor.backend() == Backend::Gpu;
        matches!(self.easel, Some(Some(_))) && self.opened.as_ref().is_some_and(on_gpu)
    }

    /// Computes what is missing for the canvases, if anything.
    async fn look(&mut self) -> Result<(), Trouble> {
        let ((sources, kept), direct) = (self.painted(), self.direct());
        let Some(opened) = &mut self.opened else { return Ok(()) };
        opened.network.look(sources, kept, direct);
        if !opened.network.is_painted() {
            opened.network.reread(&[]).await?;
        }
        Ok(())
    }

    /// Paints one canvas, or all. Values that are not there stay blank.
    fn paint(&mut self, only: Option<u32>) {
        let Some(opened) = &mut self.opened else { return };
        let chosen = self.canvases.iter().filter(|(n, _)| only.is_none_or(|only| **n == only)).map(|(n, c)| (*n, c));
        if let (Backend::Gpu, Some(Some(easel)), Some(gpu)) =
            (opened.network.executor.backend(), &mut self.easel, &self.gpu)
        {
            // One picture a palette, and in practice one.
            for palette in Palette::ALL {
                let canvases: Vec<_> = chosen.clone().filter(|(_, canvas)| canvas.palette == palette).collect();
                if canvases.is_empty() {
                    continue;
                }
                match direct(&mut opened.network, easel, gpu, &canvases, palette) {
                    Ok(paintings) => self.world.hang(&paintings),
                    Err(error) => {
                        // From the next picture on maps are read back.
                        self.easel = Some(None);
                        return self.report(None, Err(fault("canvas", &[], error).into()));
                    }
                }
            }
            return;
        }
        for (number, canvas) in chosen {
            let mut scales: BTreeMap<(bool, usize), f32> = BTreeMap::new();
            let (mut maps, mut at) = (Vec::new(), Vec::new());
            for rect in &canvas.rects {
                let Some(values) = opened.network.value(rect.source) else { continue };
                let own = values.get(rect.offset..rect.offset.saturating_add(rect.rows * rect.cols));
                let Some(own) = own.filter(|own| !own.is_empty()) else { continue };
                let scale = match canvas.scale {
                    Scale::Map => paint::largest(own),
                    Scale::Layer => {
                        let key = match rect.source {
                            Source::Value(node) => (false, node),
                            Source::Param(param) => (true, param),
                        };
                        *scales.entry(key).or_insert_with(|| paint::largest(values))
                    }
                };
                maps.push(Map { values: own, rows: rect.rows, cols: rect.cols, scale });
                at.push(rect.at);
            }
            let atlas = paint::atlas(&maps, canvas.palette);
            self.world.paint(number, &Painting { size: canvas.size, atlas, at });
        }
    }

    async fn explain(&mut self, request: Generation, node: usize, unit: Unit) -> Result<(), Trouble> {
        let network = &mut self.opened(Source::Value(node))?.network;
        let shape = network.net.graph.nodes()[node].shape;
        if !shape.contains(unit) {
            return Err(fault("no-such-unit", &[], format!("{unit:?} is not in {shape}")).into());
        }
        let (nodes, explanations, value) = network.explain(node, unit).await?.ok_or_else(nothing_shown)?;
        self.send(Event::Explained { request, nodes, explanations, value });
        Ok(())
    }

    async fn backward(
        &mut self,
        request: Generation,
        node: usize,
        unit: Unit,
        class: Option<usize>,
    ) -> Result<(), Trouble> {
        let label = self.prepared.1.map(usize::from);
        let network = &mut self.opened(Source::Value(node))?.network;
        let shape = network.net.graph.nodes()[node].shape;
        if !shape.contains(unit) {
            return Err(fault("no-such-unit", &[], format!("{unit:?} is not in {shape}")).into());
        }
        let output = network.output().ok_or_else(nothing_shown)?.to_vec();
        let loss = network.net.loss;
        let class = class.or(label).filter(|class| *class < output.len()).unwrap_or_else(|| loss.predict(&output));
        let (loss, deltas) = network.deltas(node, unit, &output, class).await?.ok_or_else(nothing_shown)?;
        self.send(Event::Backed { request, class, known: label == Some(class), loss, deltas });
        Ok(())
    }
}

/// Columns of the GPU's atlas, and its rows at most: what WebGPU guarantees of a texture.
const EASEL: [usize; 2] = [2048, 8192];

/// Has the GPU paint all maps of these canvases on the easel, and tells where they are.
fn direct(
    network: &mut Network,
    easel: &mut Easel,
    gpu: &Gpu,
    canvases: &[(u32, &Canvas)],
    palette: Palette,
) -> Result<Vec<(u32, Painting)>, GpuError> {
    let (mut patches, mut rects) = (Vec::new(), Vec::new());
    for (number, canvas) in canvases {
        for rect in &canvas.rects {
            if let Some(patch) = network.patch(rect.source, rect.offset, [rect.rows, rect.cols], canvas.scale) {
                patches.push(patch);
                rects.push((*number, rect.at));
            }
        }
    }
    let mut atlas = paint::places(patches.iter().map(|p| [p.rows, p.cols]), EASEL[0]);
    // More than a texture holds: what is beyond stays blank.
    let room = atlas.maps.iter().take_while(|[_, top, _, rows]| (top + rows) as usize <= EASEL[1]).count();
    patches.truncate(room);
    atlas.height = atlas.height.min(EASEL[1]);
    for (patch, at) in patches.iter_mut().zip(&atlas.maps) {
        patch.at = at.map(|v| v as f32);
    }
    if !patches.is_empty() {
        let (size, needed) = (easel.size(), [atlas.width, atlas.height].map(|v| v as u32));
        if size[0] < needed[0] || size[1] < needed[1] {
            easel.resize(gpu, [size[0].max(needed[0]), size[1].max(needed[1])]);
        }
        network.paint(easel, &patches, palette)?;
    }
    let painting = |(number, canvas): &(u32, &Canvas)| {
        let own = rects.iter().zip(&atlas.maps).take(room).filter(|((of, _), _)| of == number);
        let (at, maps) = own.map(|((_, at), map)| (*at, *map)).unzip();
        let atlas = Atlas { maps, width: atlas.width, height: atlas.height, pixels: Vec::new() };
        (*number, Painting { size: canvas.size, atlas, at })
    };
    Ok(canvases.iter().map(painting).collect())
}

/// A grey picture in the middle of the network's input; every channel is given the same.
fn input(net: &Architecture, shape: Shape, image: &[u8], size: (usize, usize)) -> Vec<f32> {
    let mut out = vec![0.0; shape.len()];
    net.normalisation.write(image, [1, size.0, size.1], &mut out, shape.into());
    out
}

pub(super) fn nothing_open() -> Fault {
    fault("nothing-open", &[], "no network is open")
}

/// All bytes of what came along with a command.
async fn whole(files: &mut Files) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    for file in files {
        while let Some(piece) = file.next().await? {
            bytes.extend(piece);
        }
    }
    Ok(bytes)
}

pub(super) fn nothing_shown() -> Fault {
    fault("nothing-shown", &[], "nothing is shown to the network, so it has no values")
}
