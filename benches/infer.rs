//! Times one picture's inference on the CPU engine, natively, on one thread: `cargo bench --profile release --bench infer -- resnet18 vgg16`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use receptive::arch::variant;
use receptive::cpu::Executor;
use receptive::plan::{Plan, Request};
use receptive::rng::Rng;
use std::time::Instant;

fn main() {
    for name in std::env::args().skip(1).filter(|a| !a.starts_with("--")) {
        let net = variant(&name).unwrap().build().unwrap();
        let plan = Plan::new(&net, &Request::inference(1, &[]));
        let mut cpu = Executor::<f32>::new(net.initial(1));
        let program = cpu.prepare(&net, plan.clone());
        let mut rng = Rng::new(2);
        cpu.write(program, plan.inputs[0]).iter_mut().for_each(|v| *v = rng.range(-1.0, 1.0));
        let start = Instant::now();
        let mut times: Vec<f64> = Vec::new();
        while times.len() < 5 || start.elapsed().as_secs_f64() < 4.0 {
            let run = Instant::now();
            cpu.run(program);
            times.push(run.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("{name:<20} best {:8.2} ms, median {:8.2} ms of {}", times[0], times[times.len() / 2], times.len());
    }
}
