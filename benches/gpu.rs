//! Times the GPU engine natively: training steps a second of LeNet-5, and the cost of each of its steps.
//! `cargo bench --profile release --bench gpu -- lenet5-modern 64`; `VK_ICD_FILENAMES` chooses the driver.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use pollster::block_on;
use receptive::arch::{Architecture, variant};
use receptive::gpu::{Executor, Gpu, ProgramId};
use receptive::ops::Buf;
use receptive::plan::{Plan, Request};
use std::time::Instant;

/// Best seconds a run, of several rounds.
fn time(device: &Executor, program: ProgramId, runs: u32) -> f64 {
    let round = || {
        let start = Instant::now();
        for _ in 0..runs {
            device.run(program).unwrap();
        }
        block_on(device.read(program, &[Buf::Param(0)])).unwrap();
        start.elapsed().as_secs_f64() / f64::from(runs)
    };
    (0..5).map(|_| round()).fold(f64::MAX, f64::min)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let name = args.first().map_or("lenet5-modern", String::as_str);
    let batch = args.get(1).map_or(64, |a| a.parse().unwrap());
    let gpu = block_on(Gpu::acquire()).unwrap();
    println!("{}: {name}, batch {batch}", gpu.adapter.name);
    let net = variant(name).unwrap().build().unwrap();
    for (mode, request) in [("inference", Request::inference(batch, &[])), ("training", Request::training(batch))] {
        let plan = Plan::new(&net, &request);
        let mut device = Executor::new(gpu.clone(), &net.initial(1)).unwrap();
        let start = Instant::now();
        let program = prepare(&mut device, &net, &plan);
        let first = start.elapsed().as_secs_f64();
        let all = time(&device, program, 3);
        println!(
            "{mode}: {:.2} ms, {:.0} images/s; first preparation {:.0} ms",
            all * 1e3,
            batch as f64 / all,
            first * 1e3
        );
        // each step on its own, ten times in a row
        for (i, step) in plan.steps.iter().enumerate() {
            let mut one = plan.clone();
            one.steps = vec![step.clone(); 10];
            let program = prepare(&mut device, &net, &one);
            let name = step.node.map_or("", |id| net.graph.nodes()[id].name.as_str());
            let task = format!("{:?}", step.task);
            let task = task.split([' ', '(']).next().unwrap_or_default();
            println!("  {:8.3} ms  {i:2} {task} {name}", time(&device, program, 1) * 1e2);
        }
    }
}

fn prepare(device: &mut Executor, net: &Architecture, plan: &Plan) -> ProgramId {
    device.prepare(net, plan.clone()).unwrap()
}
