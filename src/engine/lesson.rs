//! Training and testing in a session: in slices between messages, with events, repainting and a run that is kept for the next visit.
//! Knows the session and [`super::training`]; of the world only what [`super::platform::Platform`] offers.

use super::files::LoadError;
use super::platform::{Files, Local, Platform};
use super::session::{Mirror, Session, Trouble, fault, nothing_open};
use super::training::{Evaluation, RunState, TrainError, Trainer};
use crate::data::Dataset;
use crate::ops::Buf;
use crate::plan::{Plan, Request};
use crate::protocol::{
    Backend, Command, Event, Fault, Generation, Halt, Origin, ParamStats, StepRecord, TrainConfig, Weights,
};
use crate::weights::{self, Precision, Tensor};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Poll;

/// Milliseconds of work between two looks into the inbox.
const SLICE: f64 = 30.0;
/// Milliseconds between two reports, and between two repaintings.
const REPORT: f64 = 100.0;
/// Milliseconds between two savings of a run that goes on.
const SAVE: f64 = 5000.0;
/// Steps whose records one read-back brings, at most.
const GROUP: usize = 64;
/// Bytes of weights and momentum beyond which a run is not kept: browsers give a page only so much room.
const KEEP: usize = 64 << 20;

/// Which part of MNIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Train,
    Test,
}

/// The data as far as they have come.
#[derive(Default)]
pub(super) struct Data {
    parts: [Option<Rc<Dataset>>; 2],
    /// A download, and the command that waits for it.
    arrival: Option<Arrival>,
}

/// What came while the session waited.
enum Came {
    Data(Result<Dataset, Fault>),
    Weights(Result<Vec<Vec<f32>>, LoadError>),
    /// A command, or nothing yet.
    Nothing,
}

struct Arrival {
    part: Part,
    then: Command,
    data: Local<Result<Dataset, Fault>>,
}

/// What an opened network is doing beside answering.
#[derive(Default)]
pub(super) struct Lesson {
    trainer: Option<Trainer>,
    /// Where the next trainer goes on.
    state: Option<RunState>,
    running: bool,
    test: Option<Evaluation>,
    records: Vec<StepRecord>,
    params: Vec<ParamStats>,
    group: usize,
    told: f64,
    painted: f64,
    painting: f64,
    saved: f64,
}

impl Lesson {
    /// The run's state: the trainer's, or that from which the next one goes on.
    pub(super) fn state(&self) -> Option<RunState> {
        self.trainer.as_ref().map(Trainer::state).or_else(|| self.state.clone())
    }

    /// The executor has changed: plans are void, the run goes on from `state`.
    pub(super) fn moved(&mut self, state: Option<RunState>) {
        (self.trainer, self.test, self.state, self.group) = (None, None, state, 1);
    }
}

impl From<TrainError> for Trouble {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Gpu(error) => error.into(),
            other => Self::Fault(fault("data", &[("detail", &other.to_string())], other)),
        }
    }
}

/// Fetches and reads a part of MNIST.
async fn fetch(world: Rc<dyn Platform>, part: Part) -> Result<Dataset, Fault> {
    let name = if part == Part::Train { "train" } else { "t10k" };
    let get = async |kind: &str, told: bool| {
        let tell = world.clone();
        let progress = move |received, total| {
            if told {
                tell.send(Event::Download { what: "MNIST".into(), received, total }, None);
            }
        };
        let url = format!("data/{name}-{kind}-ubyte.gz");
        let bytes = world.fetch(&url, Rc::new(progress)).await;
        bytes.map_err(|e| fault("download", &[("url", &e.url), ("reason", &e.reason)], &e))
    };
    let labels = get("labels-idx1", false).await?;
    let images = get("images-idx3", true).await?;
    Dataset::from_files(&images, &labels).map_err(|e| fault("data", &[("detail", &e.to_string())], e))
}

impl Session {
    /// The data if they are there; if not, their download begins and the command waits for it.
    fn data(&mut self, part: Part, then: Command) -> Option<Rc<Dataset>> {
        let there = self.data.parts[part as usize].clone();
        if there.is_none() && self.data.arrival.as_ref().is_none_or(|a| a.then != then) {
            let data = Box::pin(fetch(self.world.clone(), part));
            self.data.arrival = Some(Arrival { part, then, data });
        }
        there
    }

    /// Waits for a download, for weights or for the next command, whichever comes first; without `wait` it only looks what has come.
    /// `false`: nothing has, and nothing is on its way.
    pub(super) async fn arrive(&mut self, wait: bool) -> bool {
        let (mut arrival, mut loading) = (self.data.arrival.take(), self.loading.take());
        if arrival.is_none() && loading.is_none() {
            return false;
        }
        let inbox = self.inbox.clone();
        let came = std::future::poll_fn(|cx| {
            if let Some(Poll::Ready(data)) = arrival.as_mut().map(|a| a.data.as_mut().poll(cx)) {
                return Poll::Ready(Came::Data(data));
            }
            if let Some(Poll::Ready(params)) = loading.as_mut().map(|l| l.params.as_mut().poll(cx)) {
                return Poll::Ready(Came::Weights(params));
            }
            if wait { inbox.poll(cx).map(|()| Came::Nothing) } else { Poll::Ready(Came::Nothing) }
        });
        match (came.await, arrival, loading) {
            (Came::Data(data), Some(Arrival { part, then, .. }), loading) => {
                self.loading = loading;
                match data {
                    Ok(dataset) => {
                        self.data.parts[part as usize] = Some(Rc::new(dataset));
                        let done = self.perform(&then, Vec::new()).await;
                        self.report(None, done);
                    }
                    Err(fault) => {
                        self.report(None, Err(fault.into()));
                        self.halted(Halt::Paused);
                    }
                }
                true
            }
            (Came::Weights(params), arrival, Some(loading)) => {
                self.data.arrival = arrival;
                self.loaded(loading, params).await;
                true
            }
            (_, arrival, loading) => {
                (self.data.arrival, self.loading) = (arrival, loading);
                wait
            }
        }
    }

    /// Does a slice of training or testing; `false`: neither is going on.
    pub(super) async fn slice(&mut self) -> bool {
        let busy = |s: &Self| s.opened.as_ref().is_some_and(|o| o.lesson.running || o.lesson.test.is_some());
        if !busy(self) {
            return false;
        }
        self.world.pause().await;
        if self.inbox.is_waiting() {
            return true;
        }
        let testing = self.opened.as_ref().is_some_and(|o| o.lesson.test.is_some());
        let done = if testing { self.test_slice().await } else { self.train_slice().await };
        match done {
            Ok(()) => {}
            Err(Trouble::Lost) => self.lose().await,
            Err(trouble) => {
                if let Some(opened) = &mut self.opened {
                    (opened.lesson.running, opened.lesson.test) = (false, None);
                }
                self.report(None, Err(trouble));
                self.halted(Halt::Paused);
            }
        }
        true
    }

    pub(super) async fn play(&mut self) -> Result<(), Trouble> {
        self.opened.as_ref().ok_or_else(nothing_open)?;
        let Some(dataset) = self.data(Part::Train, Command::Play) else { return Ok(()) };
        self.trainer(&dataset).await?;
        let now = self.world.now();
        if let Some(opened) = &mut self.opened {
            opened.lesson.running = true;
            (opened.lesson.told, opened.lesson.painted, opened.lesson.saved) = (now, now, now);
        }
        self.send(Event::Running);
        Ok(())
    }

    pub(super) async fn pause(&mut self) -> Result<(), Trouble> {
        self.data.arrival = None;
        if let Some(opened) = &mut self.opened {
            opened.lesson.running = false;
        }
        self.tell_progress();
        self.halted(Halt::Paused);
        self.keep().await
    }

    pub(super) async fn step(&mut self) -> Result<(), Trouble> {
        self.opened.as_ref().ok_or_else(nothing_open)?;
        let Some(dataset) = self.data(Part::Train, Command::Step) else { return Ok(()) };
        self.trainer(&dataset).await?;
        let running = self.opened.as_mut().map(|o| std::mem::take(&mut o.lesson.running));
        if let Some(opened) = &mut self.opened {
            opened.lesson.told = self.world.now();
        }
        let halt = self.train(&dataset, 1).await?;
        self.tell_progress();
        if let Some(halt) = halt {
            self.halted(halt);
            self.fall_back()?;
        } else if running == Some(true) {
            if let Some(opened) = &mut self.opened {
                opened.lesson.running = true;
            }
        } else {
            self.keep().await?;
            self.halted(Halt::Paused);
        }
        self.refresh().await
    }

    pub(super) fn test(&mut self) -> Result<(), Trouble> {
        self.opened.as_ref().ok_or_else(nothing_open)?;
        let Some(dataset) = self.data(Part::Test, Command::Test) else { return Ok(()) };
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let (net, executor) = (opened.network.net.clone(), &mut opened.network.executor);
        if let Some(old) = opened.lesson.test.take() {
            old.release(executor);
        }
        opened.lesson.test = Some(Evaluation::new(&net, executor)?);
        self.send(Event::Testing { done: 0, total: dataset.len() });
        Ok(())
    }

    pub(super) fn cancel(&mut self) {
        if self.stop_loading() {
            return;
        }
        let waited = self.data.arrival.take().is_some();
        let Some(opened) = &mut self.opened else { return };
        if let Some(test) = opened.lesson.test.take() {
            test.release(&mut opened.network.executor);
        } else if !waited {
            return;
        }
        if opened.lesson.running {
            self.send(Event::Running);
        } else {
            self.halted(Halt::Paused);
        }
    }

    pub(super) fn configure(&mut self, config: &TrainConfig) -> Result<(), Trouble> {
        if config.batch == 0 || !config.lr.is_finite() {
            return Err(fault("settings", &[], format!("these settings cannot be trained with: {config:?}")).into());
        }
        self.config = Some(config.clone());
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let lesson = &mut opened.lesson;
        match &mut lesson.trainer {
            Some(trainer) if trainer.config().batch == config.batch => trainer.configure(config),
            Some(_) => {
                // Another batch size is another plan; the run goes on in it.
                let state = lesson.state();
                if let Some(old) = lesson.trainer.take() {
                    old.release(&mut opened.network.executor);
                }
                lesson.state = state;
            }
            None => {}
        }
        if let Some(state) = &mut lesson.state {
            state.config = TrainConfig { seed: state.config.seed, ..config.clone() };
        }
        Ok(())
    }

    pub(super) async fn reset(&mut self, weights: &Weights, files: &mut Files) -> Result<(), Trouble> {
        let opened = self.opened.as_ref().ok_or_else(nothing_open)?;
        let (net, generation) = (opened.network.net.clone(), opened.generation);
        if matches!(weights, Weights::File(_) | Weights::Url(_)) {
            return self.open(generation, net.variant.name, weights, files).await;
        }
        let (params, origin) = self.weights(&net, weights).await?;
        let Some(opened) = &mut self.opened else { return Ok(()) };
        opened.network.executor.set(&params, &[])?;
        let executor = &mut opened.network.executor;
        let lesson = std::mem::take(&mut opened.lesson);
        lesson.trainer.into_iter().for_each(|t| t.release(executor));
        lesson.test.into_iter().for_each(|t| t.release(executor));
        let on_gpu = executor.backend() == Backend::Gpu;
        opened.mirror = on_gpu.then(|| Mirror { params, momentum: Vec::new(), state: None });
        opened.origin = origin.clone();
        let (generation, variant) = (opened.generation, net.variant.name.to_string());
        if lesson.running {
            self.halted(Halt::Paused);
        }
        self.send(Event::Opened { generation, variant, origin });
        self.refresh().await
    }

    /// Makes the trainer if there is none.
    async fn trainer(&mut self, dataset: &Dataset) -> Result<(), Trouble> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        if opened.mirror.is_none() {
            opened.remember().await?;
        }
        if opened.lesson.trainer.is_none() {
            let (net, executor) = (opened.network.net.clone(), &mut opened.network.executor);
            let config = self.config.clone().unwrap_or_else(|| net.recipe.into());
            opened.lesson.trainer = Some(match opened.lesson.state.take() {
                Some(state) => Trainer::resume(&net, executor, dataset, state)?,
                None => Trainer::new(&net, executor, dataset.len(), config)?,
            });
        }
        Ok(())
    }

    /// Trains up to `most` steps, as many as fit into a slice; why to stop, if there is a reason.
    async fn train(&mut self, dataset: &Dataset, most: usize) -> Result<Option<Halt>, Trouble> {
        let Some(opened) = &mut self.opened else { return Ok(None) };
        let executor = &mut opened.network.executor;
        let Some(trainer) = &mut opened.lesson.trainer else { return Ok(None) };
        let before = self.world.now();
        for _ in 0..most.max(1) {
            trainer.step(executor, dataset)?;
            if self.world.now() - before >= SLICE {
                break;
            }
        }
        let (records, params, halt) = trainer.collect(executor).await?;
        opened.lesson.records.extend(records);
        opened.lesson.params = params;
        opened.origin = Origin::Trained(trainer.steps());
        Ok(halt)
    }

    /// Back to the last weights that were good, and their place in the run.
    fn fall_back(&mut self) -> Result<(), Trouble> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let Some(Mirror { params, momentum, state }) = &opened.mirror else { return Ok(()) };
        opened.network.executor.set(params, momentum)?;
        if let Some(old) = opened.lesson.trainer.take() {
            old.release(&mut opened.network.executor);
        }
        opened.origin = Origin::Trained(state.as_ref().map_or(0, |s| s.step));
        opened.lesson.state = state.clone();
        opened.lesson.running = false;
        Ok(())
    }

    async fn train_slice(&mut self) -> Result<(), Trouble> {
        let Some(dataset) = self.data(Part::Train, Command::Play) else { return Ok(()) };
        self.trainer(&dataset).await?; // after a change of engine or of the batch
        let before = self.world.now();
        let group = self.opened.as_ref().map_or(1, |o| o.lesson.group.clamp(1, GROUP));
        let halt = self.train(&dataset, group).await?;
        let now = self.world.now();
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let lesson = &mut opened.lesson;
        // On the GPU only the read-back tells how long the steps took: groups grow until they fill a slice.
        lesson.group = if now - before < SLICE { group * 2 } else { (group / 2).max(1) };
        let (tell, paint, keep) = (
            now - lesson.told >= REPORT,
            now - lesson.painted >= REPORT.max(4.0 * lesson.painting),
            now - lesson.saved >= SAVE,
        );
        if let Some(halt) = halt {
            self.tell_progress();
            self.halted(halt);
            self.fall_back()?;
            return self.refresh().await;
        }
        if tell {
            self.tell_progress();
        }
        if paint {
            self.refresh().await?;
            if let Some(opened) = &mut self.opened {
                opened.lesson.painted = self.world.now();
                opened.lesson.painting = opened.lesson.painted - now;
            }
        }
        if keep {
            self.keep().await?;
        }
        Ok(())
    }

    /// Tells the steps since it last did.
    fn tell_progress(&mut self) {
        let now = self.world.now();
        let examples = self.data.parts[Part::Train as usize].as_ref().map_or(0, |d| d.len());
        let Some(opened) = &mut self.opened else { return };
        let lesson = &mut opened.lesson;
        let Some(trainer) = &lesson.trainer else { return };
        if lesson.records.is_empty() {
            return;
        }
        let images = lesson.records.len() * trainer.config().batch;
        let event = Event::Progress {
            steps: std::mem::take(&mut lesson.records),
            params: std::mem::take(&mut lesson.params),
            epoch: trainer.epoch(examples),
            lr: trainer.lr(),
            speed: (images as f64 / (now - lesson.told).max(0.1) * 1e3) as f32,
        };
        lesson.told = now;
        self.send(event);
    }

    async fn test_slice(&mut self) -> Result<(), Trouble> {
        let Some(dataset) = self.data(Part::Test, Command::Test) else { return Ok(()) };
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let executor = &mut opened.network.executor;
        let Some(test) = &mut opened.lesson.test else { return Ok(()) };
        let before = self.world.now();
        let mut done = 0;
        while done < dataset.len() && self.world.now() - before < SLICE {
            done = test.step(executor, &dataset).await?;
        }
        let total = dataset.len();
        if done < total {
            if before - opened.lesson.told >= REPORT {
                opened.lesson.told = before;
                self.send(Event::Testing { done, total });
            }
            return Ok(());
        }
        let (errors, confusion) = (test.errors, std::mem::take(&mut test.confusion));
        let step = opened.lesson.state().map_or(0, |s| s.step);
        opened.lesson.test.take().into_iter().for_each(|t| t.release(executor));
        self.send(Event::Tested { errors, total, confusion, step });
        Ok(())
    }

    // The run that survives a reload

    fn key(&self) -> Option<String> {
        self.opened.as_ref().map(|o| format!("run/{}", o.network.net.variant.name))
    }

    /// Reads the run to the host and stores it.
    async fn keep(&mut self) -> Result<(), Trouble> {
        if self.opened.as_ref().is_none_or(|o| o.lesson.trainer.is_none()) {
            return Ok(()); // nothing was trained since it was last kept
        }
        if let Some(opened) = &mut self.opened {
            opened.remember().await?;
        }
        let now = self.world.now();
        let (Some(key), Some(opened)) = (self.key(), &mut self.opened) else { return Ok(()) };
        opened.lesson.saved = now;
        let Some(Mirror { params, momentum, state: Some(state) }) = &opened.mirror else { return Ok(()) };
        let graph = opened.network.net.graph.params();
        let tensors = |prefix: &'static str, data: &[Vec<f32>]| -> Vec<Tensor> {
            let named = graph.iter().zip(data);
            named
                .map(|(p, data)| Tensor {
                    name: format!("{prefix}{}", p.name),
                    shape: p.param.shape.clone(),
                    data: data.clone(),
                })
                .collect()
        };
        let tensors = [tensors("", params), tensors(MOMENTUM, momentum)].concat();
        if tensors.iter().map(|t| t.data.len() * 4).sum::<usize>() > KEEP {
            return Ok(());
        }
        let state = serde_json::to_string(state).map_err(|e| fault("storage", &[], e))?;
        let run = weights::Weights { tensors, metadata: BTreeMap::from([(STATE.to_string(), state)]) };
        // Weights that are no numbers are not worth keeping; the training itself reports them.
        let Ok(file) = weights::write(&run, Precision::F32) else { return Ok(()) };
        // A browser that keeps nothing (private windows) is no reason to stop: only the reload loses the run.
        let _ = self.world.store(&key, file).await;
        Ok(())
    }

    /// What was kept of the open variant.
    async fn kept(&self) -> Option<Run> {
        let file = self.world.load(&self.key()?).await.ok()??;
        let header = weights::Header::parse(&file).ok()?;
        let state = serde_json::from_str(header.metadata.get(STATE)?).ok()?;
        let graph = self.opened.as_ref()?.network.net.graph.params();
        let names: Vec<(String, &[usize])> = ["", MOMENTUM]
            .iter()
            .flat_map(|prefix| graph.iter().map(move |p| (format!("{prefix}{}", p.name), p.param.shape.as_slice())))
            .collect();
        let read = weights::read_wanted(&file, names.iter().map(|(name, shape)| (name.as_str(), *shape))).ok()?;
        let mut params: Vec<Vec<f32>> = read.tensors.into_iter().map(|t| t.data).collect();
        let momentum = params.split_off(graph.len());
        Some((params, momentum, state))
    }

    /// Says if a run of the open variant was kept.
    pub(super) async fn tell_kept(&self) {
        if let (Some((_, _, state)), Some(opened)) = (self.kept().await, &self.opened) {
            self.send(Event::Saved { variant: opened.network.net.variant.name.into(), step: state.step });
        }
    }

    /// Tells that training stands still, and whose weights these are now.
    fn halted(&self, halt: Halt) {
        if let Some(opened) = &self.opened {
            self.send(Event::Weights(opened.origin.clone()));
        }
        self.send(Event::Halted(halt));
    }

    pub(super) async fn restore(&mut self) -> Result<(), Trouble> {
        self.opened.as_ref().ok_or_else(nothing_open)?;
        let kept = self.kept().await;
        let (params, momentum, state) =
            kept.ok_or_else(|| fault("nothing-saved", &[], "no run of this network was saved"))?;
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let executor = &mut opened.network.executor;
        executor.set(&params, &momentum)?;
        let lesson = std::mem::take(&mut opened.lesson);
        lesson.trainer.into_iter().for_each(|t| t.release(executor));
        lesson.test.into_iter().for_each(|t| t.release(executor));
        opened.origin = Origin::Trained(state.step);
        opened.lesson.state = Some(state.clone());
        self.config = Some(state.config.clone());
        opened.mirror = Some(Mirror { params, momentum, state: Some(state) });
        let (generation, origin) = (opened.generation, opened.origin.clone());
        let variant = opened.network.net.variant.name.to_string();
        self.send(Event::Opened { generation, variant, origin });
        self.refresh().await
    }

    // Scripts

    pub(super) async fn train_on(
        &mut self,
        request: Generation,
        images: &[f32],
        labels: &[u32],
        [batch, steps]: [usize; 2],
        hyper: [f32; 3],
    ) -> Result<(), Trouble> {
        let Some(opened) = &mut self.opened else { return Err(nothing_open().into()) };
        let net = opened.network.net.clone();
        let input = net.graph.nodes()[net.graph.source()].shape;
        let classes = net.graph.nodes()[net.output].shape.len();
        let fits = batch > 0 && !labels.is_empty() && images.len() == labels.len() * input.len();
        if !fits || labels.iter().any(|&l| l as usize >= classes) {
            let detail = format!(
                "{} floats of images, {} labels, batch {batch}: images are {input}, one label (below {classes}) each",
                images.len(),
                labels.len()
            );
            return Err(fault("training-data", &[], detail).into());
        }
        let executor = &mut opened.network.executor;
        let before = self.world.now();
        // A new optimizer, as in PyTorch: no momentum from elsewhere.
        let params = executor.params().await?;
        executor.set(&params, &[])?;
        let program = executor.prepare(&net, Plan::new(&net, &Request::training(batch)))?;
        let plan = &program.plan;
        let (Some(&images_at), Some(labels_at), Some(hyper_at)) = (plan.inputs.first(), plan.labels, plan.hyper) else {
            return Err(fault("training-data", &[], "the plan cannot train").into());
        };
        let mut pictures = vec![0.0; batch * input.len()];
        let mut classes = vec![0.0; batch];
        let mut losses = Vec::with_capacity(steps);
        executor.write(&program, hyper_at, &hyper)?;
        for step in 0..steps {
            for (i, (picture, class)) in pictures.chunks_exact_mut(input.len()).zip(&mut classes).enumerate() {
                let from = (step * batch + i) % labels.len();
                picture.copy_from_slice(&images[from * input.len()..][..input.len()]);
                *class = labels[from] as f32;
            }
            let writes: [(Buf, &[f32]); 2] = [(images_at, &pictures), (labels_at, &classes)];
            for (buf, data) in writes {
                executor.write(&program, buf, data)?;
            }
            if let Some(counter) = program.plan.counter {
                executor.write(&program, counter, &[(step & 0xFF_FFFF) as f32])?;
            }
            executor.step(&program)?;
            if (step + 1) % GROUP == 0 || step + 1 == steps {
                losses.extend(executor.collect(&program).await?.iter().map(|stats| stats[0]));
            }
        }
        executor.release(program);
        let milliseconds = self.world.now() - before;
        let trained = if let Origin::Trained(before) = opened.origin { before } else { 0 };
        opened.origin = Origin::Trained(trained + steps as u64);
        opened.remember().await?;
        self.send(Event::TrainedOn { request, losses, milliseconds });
        self.refresh().await
    }
}

/// Weights, momentum, and where the run stands.
type Run = (Vec<Vec<f32>>, Vec<Vec<f32>>, RunState);

/// Before the names of momentum in a kept run.
const MOMENTUM: &str = "momentum.";
/// The metadata key of a kept run's state.
const STATE: &str = "state";
