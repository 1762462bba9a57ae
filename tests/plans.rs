//! Plans as printed text: what is computed from what, fused and unfused, forward and backward. No device.
//! `UPDATE_SNAPSHOTS=1 cargo test --test plans` rewrites the snapshots.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::arch::{Architecture, VARIANTS, variant};
use receptive::cpu::Executor;
use receptive::graph::Graph;
use receptive::ops::{Activation, Buf, Conv2d, Flatten, Linear, Loss, Role};
use receptive::plan::{Plan, Printed, Request, Task};
use receptive::rng::fill;
use receptive::tensor::Shape;
use std::collections::HashSet;

fn snapshot(name: &str, net: &Architecture, request: &Request) {
    let got = Printed(&Plan::new(net, request), net).to_string();
    let path = format!("{}/tests/snapshots/{name}.plan", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(got == want, "{name}: the plan changed\n{got}");
}

#[test]
fn plans_are_as_recorded() {
    for name in ["lenet5", "lenet5-modern", "alexnet-digits", "googlenet-digits", "resnet-digits"] {
        let net = variant(name).unwrap().build().unwrap();
        let look: Vec<_> = (0..net.graph.nodes().len()).collect();
        snapshot(&format!("{name}-inference"), &net, &Request::inference(1, &[]));
        snapshot(&format!("{name}-looked-at"), &net, &Request::inference(1, &look));
        snapshot(&format!("{name}-training"), &net, &Request::training(2));
    }
}

/// Every step reads only what was written before it, or what the caller and the optimizer keep; nothing is written and never read.
#[test]
fn every_value_is_written_before_it_is_read() {
    for v in VARIANTS {
        let net = v.build().unwrap();
        for request in [Request::inference(3, &[]), Request::training(3)] {
            let plan = Plan::new(&net, &request);
            let mut known: HashSet<Buf> = plan
                .inputs
                .iter()
                .copied()
                .chain([plan.labels, plan.hyper, plan.counter].into_iter().flatten())
                .collect();
            for step in &plan.steps {
                for buf in step.reads() {
                    assert!(
                        !matches!(buf, Buf::Local(_)) || known.contains(&buf),
                        "{}: {step:?} reads {buf:?} too early",
                        v.name
                    );
                }
                let writes = step.writes();
                assert_eq!(
                    writes.len(),
                    writes.iter().collect::<HashSet<_>>().len(),
                    "{}: {step:?} writes twice",
                    v.name
                );
                known.extend(writes);
            }
            assert_eq!(
                known.iter().filter(|b| matches!(b, Buf::Local(_))).count(),
                plan.buffers.len(),
                "{}: memory that nobody writes",
                v.name
            );
        }
    }
}

#[test]
fn fusing_changes_no_value() {
    let chosen = |name: &str| name.starts_with("lenet") || name.ends_with("-digits") || name == "resnet20-cifar";
    for v in VARIANTS.iter().filter(|v| chosen(v.name)) {
        let net = v.build().unwrap();
        let look: Vec<_> = (0..net.graph.nodes().len()).collect();
        let run = |look: &[usize]| {
            let plan = Plan::new(&net, &Request::inference(2, look));
            let mut params = net.initial(3);
            for (p, data) in net.graph.params().iter().zip(&mut params) {
                // statistics as they are after training, not those that leave values as they are
                if !matches!(p.param.role, Role::Weight { .. } | Role::Fixed(_)) {
                    *data = fill("plans", &p.name, data.len(), -0.5, 0.5);
                    p.param.plausible(data);
                }
            }
            let mut executor = Executor::<f32>::new(params);
            let program = executor.prepare(&net, plan.clone());
            let input = executor.write(program, plan.inputs[0]);
            let len = input.len();
            input.copy_from_slice(&fill("plans", "input", len, -1.0, 1.0));
            executor.run(program);
            executor.read(program, plan.values[net.output].unwrap()).to_vec()
        };
        let (fused, apart) = (run(&[]), run(&look));
        let scale = apart.iter().fold(0f32, |a, v| a.max(v.abs()));
        let worst = fused.iter().zip(&apart).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 2e-6 * scale, "{}: {worst} of {scale}", v.name);
    }
}

#[test]
fn a_value_read_twice_gathers_its_gradients_by_adding() {
    let mut g = Graph::new();
    let x = g.input("x", Shape::new(2, 5, 4)).unwrap();
    let a = g.push("a", Conv2d::new(3, 3), &[x]).unwrap();
    let b = g.push("b", Activation::Tanh, &[a]).unwrap();
    let c = g.push("c", Flatten, &[b]).unwrap();
    let d = g.push("d", Linear::new(4), &[c]).unwrap();
    let _e = g.push("e", Linear::new(4), &[b]).unwrap();
    let mut net = Architecture::unnamed(g, d, Loss::CrossEntropy);
    net.auxiliary = vec![(5, 0.3)];
    let plan = Plan::new(&net, &Request::training(2));
    let sums = plan.steps.iter().filter(|s| matches!(s.task, Task::Accumulate { .. })).count();
    assert_eq!(sums, 1);
    // b is read by two layers, so its activation may be fused (a has one reader) but its gradient is whole before it goes on
    let order: Vec<_> = plan.steps.iter().map(|s| matches!(s.task, Task::Accumulate { .. })).collect();
    let chain = plan
        .steps
        .iter()
        .position(|s| matches!(&s.task, Task::Backward(bind) if bind.grad_inputs == [bind.grad_output]))
        .unwrap();
    assert!(order.iter().position(|&sum| sum).unwrap() < chain);
}

#[test]
fn gradient_mode_needs_no_loss() {
    let net = variant("lenet5").unwrap().build().unwrap();
    let of = net.graph.find("s2").unwrap();
    let plan = Plan::new(&net, &Request::gradient(1, of, false));
    assert!(plan.gradients[0].is_some() && plan.labels.is_none());
    assert!(plan.values[net.output].is_none(), "what comes after the node is not computed");
}
