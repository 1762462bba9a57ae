//! Training and testing on an executor: batches in, optimizer steps, records out. Knows data and plans; no page, no clock.
//! Everything is seeded: the same seed on the same engine gives the same losses, bit for bit.

use super::executor::{Executor, GpuError, Program};
use crate::arch::Architecture;
use crate::data::Dataset;
use crate::data::batches::{BatchError, Batches, Position, Preparation};
use crate::ops::{Buf, Loss};
use crate::plan::{LOSS_STATS, Plan, Request, UPDATE_STATS};
use crate::protocol::{Halt, ParamStats, StepRecord, TrainConfig};
use serde::{Deserialize, Serialize};

/// Why a step or a test could not be run.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The data.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Pictures of a class that the network does not have.
    #[error("the data has a class {label}, but the network tells {classes} classes apart")]
    Class {
        /// The class.
        label: u8,
        /// How many there are.
        classes: usize,
    },
    /// A plan without the buffers that training needs: a fault of ours, told rather than panicking.
    #[error("the training plan lacks its {0}")]
    Plan(&'static str),
}

/// All of a run's state beside weights and momentum; with those a run goes on bit for bit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunState {
    /// Settings.
    pub config: TrainConfig,
    /// Steps done.
    pub step: u64,
    /// Where the stream of pictures stands.
    pub position: Position,
    /// The loss, smoothed over about fifty steps: by it divergence is judged.
    pub smoothed: Option<f32>,
}

/// A run of training.
#[derive(Debug)]
pub struct Trainer {
    program: Program,
    batches: Batches,
    preparation: Preparation,
    config: TrainConfig,
    images: Vec<f32>,
    labels: Vec<f32>,
    trained: Vec<usize>,
    heads: usize,
    step: u64,
    collected: u64,
    smoothed: Option<f32>,
    chance: f32,
}

/// A smoothed loss so many times that of guessing will not come back.
const DIVERGED: f32 = 2.0;
/// Weight of the newest loss in the smoothed one.
const SMOOTHING: f32 = 0.02;

/// The loss of a network that knows nothing: of even odds, or of features of zero before centres of ±1.
fn chance(net: &Architecture) -> f32 {
    match net.loss {
        Loss::CrossEntropy => (net.graph.nodes()[net.output].shape.len() as f32).ln(),
        Loss::Map { .. } => net.graph.input_shapes(net.output).iter().map(|s| s.len() as f32).sum(),
    }
}

/// How a network's pictures are prepared; without settings as for testing.
pub fn preparation(net: &Architecture, config: Option<&TrainConfig>) -> Preparation {
    let input = net.graph.nodes()[net.graph.source()].shape;
    Preparation {
        normalisation: net.normalisation,
        augmentation: config.map(|c| c.augmentation).unwrap_or_default(),
        shape: [input.c, input.h, input.w],
    }
}

impl Trainer {
    /// A run from step 0 over the first `examples` pictures of whatever data set [`Trainer::step`] is given.
    ///
    /// # Errors
    /// Where the device cannot hold the plan.
    pub fn new(
        net: &Architecture,
        executor: &mut Executor,
        examples: usize,
        config: TrainConfig,
    ) -> Result<Self, TrainError> {
        let plan = Plan::new(net, &Request::training(config.batch));
        let input = net.graph.nodes()[net.graph.source()].shape.len();
        Ok(Self {
            batches: Batches::new(examples, config.seed),
            preparation: preparation(net, Some(&config)),
            images: vec![0.0; config.batch * input],
            labels: vec![0.0; config.batch],
            trained: (0..net.graph.params().len()).filter(|&p| net.graph.params()[p].param.trained()).collect(),
            heads: 1 + net.auxiliary.len(),
            program: executor.prepare(net, plan)?,
            config,
            step: 0,
            collected: 0,
            smoothed: None,
            chance: chance(net),
        })
    }

    /// A run that goes on where `state` was taken; the executor must hold its weights and momentum.
    ///
    /// # Errors
    /// As [`Trainer::new`], and where the data set is not the one of the run.
    pub fn resume(
        net: &Architecture,
        executor: &mut Executor,
        dataset: &Dataset,
        state: RunState,
    ) -> Result<Self, TrainError> {
        let batches = Batches::resume(state.position, dataset)?;
        let fresh = Self::new(net, executor, 0, state.config)?;
        Ok(Self { batches, step: state.step, collected: state.step, smoothed: state.smoothed, ..fresh })
    }

    /// What [`Trainer::resume`] needs.
    pub fn state(&self) -> RunState {
        RunState {
            config: self.config.clone(),
            step: self.step,
            position: self.batches.position(),
            smoothed: self.smoothed,
        }
    }

    /// Gives the plan's memory back.
    pub fn release(self, executor: &mut Executor) {
        executor.release(self.program);
    }

    /// Takes new settings from the next step on. Batch size and seed of a run stay: they need a new run.
    pub fn configure(&mut self, config: &TrainConfig) {
        let (batch, seed) = (self.config.batch, self.config.seed);
        self.config = TrainConfig { batch, seed, ..config.clone() };
        self.preparation.augmentation = config.augmentation;
    }

    /// Settings in use.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Passes over the training pictures, with the fraction of the one that runs.
    pub fn epoch(&self, examples: usize) -> f32 {
        self.batches.drawn() as f32 / examples.max(1) as f32
    }

    /// Learning rate of the next step.
    pub fn lr(&self) -> f32 {
        self.config.schedule.lr(self.config.lr, self.batches.epoch())
    }

    /// One optimizer step; its record waits for [`Trainer::collect`]. Allocates nothing on the CPU but the record.
    ///
    /// # Errors
    /// [`TrainError`]; the stream of pictures then stays where it was.
    pub fn step(&mut self, executor: &mut Executor, dataset: &Dataset) -> Result<(), TrainError> {
        let lr = self.lr();
        self.batches.next(dataset, &self.preparation, &mut self.images, &mut self.labels)?;
        let plan = &self.program.plan;
        let input = *plan.inputs.first().ok_or(TrainError::Plan("input"))?;
        let labels = plan.labels.ok_or(TrainError::Plan("labels"))?;
        let hyper = plan.hyper.ok_or(TrainError::Plan("hyper-parameters"))?;
        executor.write(&self.program, input, &self.images)?;
        executor.write(&self.program, labels, &self.labels)?;
        executor.write(&self.program, hyper, &[lr, self.config.momentum, self.config.weight_decay])?;
        if let Some(counter) = plan.counter {
            // Other units are dropped in each step, and in each run of another seed.
            let number = (self.config.seed.wrapping_mul(0x9E37_79B9) ^ self.step) & 0xFF_FFFF;
            executor.write(&self.program, counter, &[number as f32])?;
        }
        executor.step(&self.program)?;
        self.step += 1;
        Ok(())
    }

    /// Records of the steps since the last call, the last one's parameters, and why to stop, if there is a reason.
    ///
    /// # Errors
    /// The device's.
    pub async fn collect(
        &mut self,
        executor: &mut Executor,
    ) -> Result<(Vec<StepRecord>, Vec<ParamStats>, Option<Halt>), TrainError> {
        let all = executor.collect(&self.program).await?;
        let mut records = Vec::with_capacity(all.len());
        let mut halt = None;
        for stats in &all {
            self.collected += 1;
            let loss = stats[0];
            let smoothed = self.smoothed.map_or(loss.min(self.chance), |before| before + SMOOTHING * (loss - before));
            self.smoothed = Some(smoothed);
            if !loss.is_finite() {
                halt = Some(Halt::NotANumber);
            } else if smoothed > DIVERGED * self.chance {
                halt = halt.or(Some(Halt::Diverged));
            }
            records.push(StepRecord { step: self.collected, loss, accuracy: stats[1] / self.config.batch as f32 });
        }
        let params = all.last().map_or_else(Vec::new, |stats| {
            let norms = stats[self.heads * LOSS_STATS..].chunks_exact(UPDATE_STATS);
            self.trained
                .iter()
                .zip(norms)
                .map(|(&param, n)| ParamStats {
                    param,
                    gradient: n[0].sqrt(),
                    weights: n[1].sqrt(),
                    update: n[2].sqrt(),
                })
                .collect()
        });
        Ok((records, params, halt))
    }
}

/// A test over a data set, a batch at a time.
#[derive(Debug)]
pub struct Evaluation {
    program: Program,
    output: Buf,
    classes: usize,
    loss: Loss,
    preparation: Preparation,
    images: Vec<f32>,
    labels: Vec<f32>,
    done: usize,
    /// Pictures classified wrongly so far.
    pub errors: usize,
    /// classes×classes; rows: what it is, columns: what it was taken for.
    pub confusion: Vec<u32>,
}

impl Evaluation {
    /// Images a batch.
    const BATCH: usize = 100;

    /// A test from the first picture on.
    ///
    /// # Errors
    /// Where the device cannot hold the plan.
    pub fn new(net: &Architecture, executor: &mut Executor) -> Result<Self, TrainError> {
        let plan = Plan::new(net, &Request::inference(Self::BATCH, &[]));
        let input = net.graph.nodes()[net.graph.source()].shape.len();
        let classes = net.graph.nodes()[net.output].shape.len();
        Ok(Self {
            output: plan.values[net.output].ok_or(TrainError::Plan("output"))?,
            classes,
            loss: net.loss,
            preparation: preparation(net, None),
            images: vec![0.0; Self::BATCH * input],
            labels: vec![0.0; Self::BATCH],
            done: 0,
            errors: 0,
            confusion: vec![0; classes * classes],
            program: executor.prepare(net, plan)?,
        })
    }

    /// Classifies the next batch; the number of pictures done so far (all of them: finished).
    ///
    /// # Errors
    /// [`TrainError`].
    pub async fn step(&mut self, executor: &mut Executor, dataset: &Dataset) -> Result<usize, TrainError> {
        let end = (self.done + Self::BATCH).min(dataset.len());
        if end == self.done {
            return Ok(end);
        }
        let count = end - self.done;
        dataset.write(self.done..end, &self.preparation, &mut self.images, &mut self.labels)?;
        let input = *self.program.plan.inputs.first().ok_or(TrainError::Plan("input"))?;
        executor.write(&self.program, input, &self.images)?;
        executor.run(&self.program)?;
        let output = executor.read(&self.program, &[self.output]).await?.swap_remove(0);
        for (output, &label) in output.chunks_exact(self.classes).zip(&dataset.labels()[self.done..end]).take(count) {
            if usize::from(label) >= self.classes {
                return Err(TrainError::Class { label, classes: self.classes });
            }
            let predicted = self.loss.predict(output);
            self.errors += usize::from(predicted != usize::from(label));
            self.confusion[usize::from(label) * self.classes + predicted] += 1;
        }
        self.done = end;
        Ok(end)
    }

    /// Gives the plan's memory back.
    pub fn release(self, executor: &mut Executor) {
        executor.release(self.program);
    }
}

/// Tests a whole data set: errors and the confusion matrix.
///
/// # Errors
/// [`TrainError`].
pub async fn evaluate(
    net: &Architecture,
    executor: &mut Executor,
    dataset: &Dataset,
) -> Result<(usize, Vec<u32>), TrainError> {
    let mut test = Evaluation::new(net, executor)?;
    while test.step(executor, dataset).await? < dataset.len() {}
    let result = (test.errors, std::mem::take(&mut test.confusion));
    test.release(executor);
    Ok(result)
}
