//! Training: it learns, repeats bit for bit, goes on bit for bit, allocates nothing per step, and notices when it runs away.
#![allow(clippy::unwrap_used, missing_docs)]

use allocation_counter::measure;
use receptive::arch::{Architecture, variant};
use receptive::cpu;
use receptive::data::Dataset;
use receptive::data::augment::Augmentation;
use receptive::data::distort::Distortion;
use receptive::engine::executor::Executor;
use receptive::engine::training::{RunState, TrainError, Trainer, evaluate};
use receptive::plan::{Plan, Request};
use receptive::protocol::{Halt, StepRecord, TrainConfig};

/// Trained on: the first test digits, which are quickest to read.
const EXAMPLES: usize = 300;

fn digits() -> Dataset {
    let read = |name| std::fs::read(format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    Dataset::from_files(&read("t10k-images-idx3-ubyte.gz"), &read("t10k-labels-idx1-ubyte.gz")).unwrap()
}

fn network(name: &str) -> Architecture {
    variant(name).unwrap().build().unwrap()
}

/// The network's own recipe, in batches that divide nothing.
fn config(net: &Architecture) -> TrainConfig {
    let augmentation = Augmentation::Digits(Distortion { shift: 1.0, rotate: 5.0, scale: 0.1, shear: 0.1 });
    TrainConfig { batch: 7, augmentation, ..TrainConfig::from(net.recipe) }
}

fn steps(trainer: &mut Trainer, executor: &mut Executor, data: &Dataset, count: usize) -> Vec<StepRecord> {
    for _ in 0..count {
        trainer.step(executor, data).unwrap();
    }
    pollster::block_on(trainer.collect(executor)).unwrap().0
}

fn bits(records: &[StepRecord]) -> Vec<(u64, u32, u32)> {
    records.iter().map(|r| (r.step, r.loss.to_bits(), r.accuracy.to_bits())).collect()
}

fn params(executor: &mut Executor) -> Vec<Vec<u32>> {
    let params = pollster::block_on(executor.params()).unwrap();
    params.iter().map(|p| p.iter().map(|v| v.to_bits()).collect()).collect()
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let data = digits();
    for name in ["lenet5", "lenet5-modern"] {
        let net = network(name);
        let run = |seed| {
            let mut executor = Executor::cpu(net.initial(seed));
            let config = TrainConfig { seed, ..config(&net) };
            let mut trainer = Trainer::new(&net, &mut executor, EXAMPLES, config).unwrap();
            let records = steps(&mut trainer, &mut executor, &data, 12);
            assert_eq!(records.len(), 12);
            (bits(&records), params(&mut executor))
        };
        assert_eq!(run(5), run(5), "{name}");
        assert_ne!(run(5).0, run(6).0, "{name}");
    }
}

/// Saved after 9 steps, as JSON beside weights and momentum, and taken up by another executor; past the end of an epoch, so that
/// order and learning rate must go on rightly too.
#[test]
fn a_resumed_run_goes_on_bit_for_bit() {
    let data = digits();
    let net = network("lenet5");
    let examples = 80; // an epoch is 11 3/7 batches
    let mut executor = Executor::cpu(net.initial(1));
    let mut trainer = Trainer::new(&net, &mut executor, examples, config(&net)).unwrap();
    steps(&mut trainer, &mut executor, &data, 9);
    let saved = serde_json::to_string(&trainer.state()).unwrap();
    let weights = pollster::block_on(executor.params()).unwrap();
    let momentum = pollster::block_on(executor.momentum()).unwrap();
    let whole = steps(&mut trainer, &mut executor, &data, 20);

    let state: RunState = serde_json::from_str(&saved).unwrap();
    let go_on = |momentum: &[Vec<f32>]| {
        let mut other = Executor::cpu(net.initial(2));
        other.set(&weights, momentum).unwrap();
        let mut trainer = Trainer::resume(&net, &mut other, &data, state.clone()).unwrap();
        let records = steps(&mut trainer, &mut other, &data, 20);
        (bits(&records), params(&mut other), trainer.state())
    };
    let (records, resumed, end) = go_on(&momentum);
    assert_eq!(records, bits(&whole));
    assert_eq!(records[0].0, 10);
    assert_eq!(resumed, params(&mut executor));
    assert_eq!(end, trainer.state());
    assert!(trainer.epoch(examples) > 2.0 && trainer.lr() < trainer.config().lr);
    // and the comparison can fail: momentum is part of the state
    let without: Vec<Vec<f32>> = momentum.iter().map(|m| vec![0.0; m.len()]).collect();
    assert_ne!(go_on(&without).0, bits(&whole));
}

/// After the first step the CPU allocates nothing to train; the trainer keeps a record of every step, which is all it may allocate.
#[test]
fn a_step_allocates_nothing_but_its_record() {
    let data = digits();
    for name in ["lenet5", "lenet5-modern"] {
        let net = network(name);
        let plan = Plan::new(&net, &Request::training(7));
        let stats = plan.local_len(plan.stats.unwrap()).unwrap() as u64 * 4;
        let mut bare = cpu::Executor::new(net.initial(1));
        let program = bare.prepare(&net, plan);
        bare.run(program);
        let found = measure(|| (0..20).for_each(|_| bare.run(program)));
        assert_eq!(found.count_total, 0, "{name}: the executor allocates");

        let mut executor = Executor::cpu(net.initial(1));
        let mut trainer = Trainer::new(&net, &mut executor, EXAMPLES, config(&net)).unwrap();
        steps(&mut trainer, &mut executor, &data, 1);
        let found = measure(|| {
            for _ in 0..20 {
                trainer.step(&mut executor, &data).unwrap();
            }
        });
        // a record each, and the list of them growing by doubling: 4, 8, 16, 32
        assert!(found.count_total <= 20 + 4, "{name}: {found:?}");
        assert!(found.bytes_total <= 20 * stats + 24 * (4 + 8 + 16 + 32), "{name}: {found:?}");
    }
}

#[test]
fn allocations_are_counted() {
    assert_eq!(measure(|| drop(std::hint::black_box(vec![0u8; 100]))).count_total, 1);
}

#[test]
fn networks_learn() {
    let data = digits();
    for name in ["lenet5", "lenet5-modern"] {
        let net = network(name);
        let mut executor = Executor::cpu(net.initial(1));
        let (before, _) = pollster::block_on(evaluate(&net, &mut executor, &first(&data, EXAMPLES))).unwrap();
        let config = TrainConfig { batch: 20, augmentation: Augmentation::None, ..config(&net) };
        let mut trainer = Trainer::new(&net, &mut executor, EXAMPLES, config).unwrap();
        let records = steps(&mut trainer, &mut executor, &data, 150);
        let mean = |part: &[StepRecord]| part.iter().map(|r| r.loss).sum::<f32>() / part.len() as f32;
        let (start, end) = (mean(&records[..10]), mean(&records[140..]));
        assert!(end < 0.35 * start, "{name}: loss {start} → {end}");
        let (after, _) = pollster::block_on(evaluate(&net, &mut executor, &first(&data, EXAMPLES))).unwrap();
        assert!(before > EXAMPLES / 2 && after < EXAMPLES / 6, "{name}: {before} → {after} errors");
    }
}

/// The statistics are the norms of what happened to the weights.
#[test]
fn a_steps_statistics_are_of_that_step() {
    let data = digits();
    let net = network("lenet5");
    let mut executor = Executor::cpu(net.initial(1));
    let mut trainer = Trainer::new(&net, &mut executor, EXAMPLES, config(&net)).unwrap();
    steps(&mut trainer, &mut executor, &data, 3);
    let before = pollster::block_on(executor.params()).unwrap();
    trainer.step(&mut executor, &data).unwrap();
    let (_, stats, halt) = pollster::block_on(trainer.collect(&mut executor)).unwrap();
    let after = pollster::block_on(executor.params()).unwrap();
    assert_eq!(halt, None);
    let trained: Vec<usize> =
        (0..net.graph.params().len()).filter(|&p| net.graph.params()[p].param.trained()).collect();
    assert_eq!(stats.iter().map(|s| s.param).collect::<Vec<_>>(), trained);
    for s in stats {
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let weights = norm(&mut before[s.param].iter().copied());
        let update = norm(&mut before[s.param].iter().zip(&after[s.param]).map(|(a, b)| a - b));
        let close = |a: f32, b: f64| (f64::from(a) - b).abs() <= 2e-3 * b + 1e-7;
        let name = &net.graph.params()[s.param].name;
        assert!(close(s.weights, weights), "{name}: weights {} {weights}", s.weights);
        assert!(close(s.update, update), "{name}: update {} {update}", s.update);
        assert!(s.gradient > 0.0, "{name}");
    }
}

#[test]
fn a_run_away_is_noticed() {
    let data = digits();
    let net = network("lenet5-modern");
    let halt = |lr| {
        let mut executor = Executor::cpu(net.initial(1));
        let mut trainer = Trainer::new(&net, &mut executor, EXAMPLES, TrainConfig { lr, ..config(&net) }).unwrap();
        (0..10).find_map(|_| {
            (0..4).for_each(|_| trainer.step(&mut executor, &data).unwrap());
            pollster::block_on(trainer.collect(&mut executor)).unwrap().2
        })
    };
    assert_eq!(halt(0.01), None);
    assert!(matches!(halt(3.0), Some(Halt::Diverged | Halt::NotANumber)), "{:?}", halt(3.0));
    assert_eq!(halt(f32::NAN), Some(Halt::NotANumber));
}

/// The squashing function bounds the 1998 network's distances: its loss never runs off, it stays where guessing would do better.
#[test]
fn a_loss_that_stays_above_guessing_is_noticed() {
    let data = digits();
    let net = network("lenet5");
    let mut executor = Executor::cpu(net.initial(1));
    let mut trainer = Trainer::new(&net, &mut executor, EXAMPLES, TrainConfig { lr: 9.0, ..config(&net) }).unwrap();
    let halt = (0..40).find_map(|_| {
        (0..10).for_each(|_| trainer.step(&mut executor, &data).unwrap());
        pollster::block_on(trainer.collect(&mut executor)).unwrap().2
    });
    assert_eq!(halt, Some(Halt::Diverged));
}

#[test]
fn settings_change_but_not_the_runs_batch_and_seed() {
    let net = network("lenet5");
    let mut executor = Executor::cpu(net.initial(1));
    let mut trainer = Trainer::new(&net, &mut executor, EXAMPLES, config(&net)).unwrap();
    trainer.configure(&TrainConfig { batch: 99, seed: 99, lr: 0.5, ..config(&net) });
    let now = trainer.config();
    assert_eq!((now.batch, now.seed, now.lr), (7, config(&net).seed, 0.5));
    assert_eq!(trainer.lr(), 0.5);
}

/// The first pictures of a data set, as one of their own.
fn first(data: &Dataset, count: usize) -> Dataset {
    data.part(0..count)
}

/// 257 pictures: two whole batches and a rest.
#[test]
fn a_test_counts_every_picture_once() {
    let data = first(&digits(), 257);
    let net = network("lenet5-modern");
    let mut executor = Executor::cpu(net.initial(4));
    let (errors, confusion) = pollster::block_on(evaluate(&net, &mut executor, &data)).unwrap();
    let right: u32 = (0..10).map(|c| confusion[c * 11]).sum();
    assert_eq!(confusion.iter().sum::<u32>(), 257);
    assert_eq!(errors, 257 - right as usize);
    for class in 0..10 {
        let there = data.labels().iter().filter(|&&l| usize::from(l) == class).count();
        assert_eq!(confusion[class * 10..][..10].iter().sum::<u32>() as usize, there, "class {class}");
    }
}

#[test]
fn a_class_that_the_network_has_not_is_an_error() {
    let net = network("lenet5-modern");
    let data = Dataset::new(vec![0; 2 * 28 * 28], vec![3, 12], 28, 28).unwrap();
    let mut executor = Executor::cpu(net.initial(4));
    let error = pollster::block_on(evaluate(&net, &mut executor, &data)).unwrap_err();
    assert!(matches!(error, TrainError::Class { label: 12, classes: 10 }), "{error}");
    let mut trainer = Trainer::new(&net, &mut executor, 3, config(&net)).unwrap();
    assert!(matches!(trainer.step(&mut executor, &data), Err(TrainError::Batch(_))), "fewer pictures than promised");
    assert_eq!(trainer.steps(), 0);
}
