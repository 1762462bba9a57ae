//! Times the GPU engine natively: training steps a second of LeNet-5, and the cost of each of its steps.
//! `cargo bench --profile release --bench gpu -- lenet5-modern 64`; `VK_ICD_FILENAMES` chooses the driver: Chromium's
//! `vk_swiftshader_icd.json` gives the adapter that its tests have, though other compilers come before it.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use pollster::block_on;
use receptive::arch::{Architecture, variant};
use receptive::gpu::{Executor, Gpu, ProgramId};
use receptive::ops::{Bindings, Buf};
use receptive::plan::{Plan, Request, Step, Task};
use std::time::Instant;

/// Seconds that this program's threads have run (Linux): unlike time on the wall, other programs hardly change it.
fn processor() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ran = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    ran.filter_map(|text| text.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() * 1e-9
}

/// Best seconds a run, of several rounds: on the wall, and of the processors where a software driver computes.
fn time(device: &Executor, program: ProgramId, runs: u32) -> [f64; 2] {
    let round = || {
        let start = (Instant::now(), processor());
        for _ in 0..runs {
            device.run(program).unwrap();
        }
        block_on(device.read(program, &[Buf::Param(0)])).unwrap();
        [start.0.elapsed().as_secs_f64(), processor() - start.1].map(|s| s / f64::from(runs))
    };
    (0..5).map(|_| round()).fold([f64::MAX; 2], |best, now| [best[0].min(now[0]), best[1].min(now[1])])
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
        let [wall, cpu] = all.map(|s| s * 1e3);
        println!("{mode}: {wall:.2} ms ({cpu:.2} ms of processors), {:.0} images/s", batch as f64 / all[0]);
        println!("  first preparation {:.0} ms", first * 1e3);
        // each step on its own, ten times in a row
        for (i, step) in plan.steps.iter().enumerate() {
            let name = step.node.map_or("", |id| net.graph.nodes()[id].name.as_str());
            let task = format!("{:?}", step.task);
            let task = task.split([' ', '(']).next().unwrap_or_default();
            // a backward step's two halves on their own
            for (part, step) in parts(step) {
                let mut one = plan.clone();
                one.steps = vec![step.clone(); 10];
                let program = prepare(&mut device, &net, &one);
                let [wall, cpu] = time(&device, program, 1).map(|s| s * 1e2);
                println!("  {wall:8.3} ms ({cpu:8.3} of processors)  {i:2} {task} {name} {part}");
            }
        }
    }
}

fn parts(step: &Step) -> Vec<(&'static str, Step)> {
    let Task::Backward(bind) = &step.task else { return vec![("", step.clone())] };
    let (mut input, mut params) = (bind.clone(), bind.clone());
    input.grad_params.fill(None);
    params.grad_inputs.fill(None);
    let wanted = |b: &Bindings| b.grad_inputs.iter().chain(&b.grad_params).any(Option::is_some);
    let halves = [("input", input), ("parameters", params)].into_iter().filter(|(_, b)| wanted(b));
    halves.map(|(part, bind)| (part, Step { node: step.node, task: Task::Backward(bind) })).collect()
}

fn prepare(device: &mut Executor, net: &Architecture, plan: &Plan) -> ProgramId {
    device.prepare(net, plan.clone()).unwrap()
}
