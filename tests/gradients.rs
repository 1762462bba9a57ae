//! Every op's gradients, and those of chains, branches and joins, against finite differences in f64, with an uneven upstream gradient.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::arch::{Architecture, VARIANTS};
use receptive::cpu::{Executor, ProgramId};
use receptive::graph::Graph;
use receptive::ops::{Activation, Buf, Case, Conv2d, Flatten, Layer, Linear, Loss, MaxPool2d, Op, Role, Window};
use receptive::plan::{Plan, Request};
use receptive::rng::Rng;
use receptive::tensor::Shape;

struct Bench {
    net: Architecture,
    executor: Executor<f64>,
    program: ProgramId,
    plan: Plan,
    upstream: Vec<f64>,
}

impl Bench {
    /// The network in gradient mode, filled with seeded values; the upstream gradient is the same for every run.
    fn new(net: Architecture, batch: usize) -> Self {
        let plan = Plan::new(&net, &Request::gradient(batch, net.output, true));
        let mut rng = Rng::new(7);
        let params = net.graph.params().iter().map(|p| {
            let mut data: Vec<f64> = match &p.param.role {
                Role::Fixed(values) => values.iter().map(|&v| f64::from(v)).collect(),
                _ => (0..p.param.len()).map(|_| f64::from(rng.range(-0.7, 0.7))).collect(),
            };
            p.param.plausible(&mut data);
            data
        });
        let mut executor = Executor::new(params.collect());
        let program = executor.prepare(&net, plan.clone());
        for &input in &plan.inputs {
            // values far enough apart that no window's winner changes under a small step
            let data = executor.write(program, input);
            let mut order: Vec<usize> = (0..data.len()).collect();
            rng.shuffle(&mut order);
            let n = data.len() as f64;
            data.iter_mut().zip(order).for_each(|(v, i)| *v = 2.0 * i as f64 / n - 0.97);
        }
        let len = plan.local_len(plan.upstream.unwrap()).unwrap();
        let upstream = (0..len).map(|_| f64::from(rng.range(-1.0, 1.0))).collect();
        Self { net, executor, program, plan, upstream }
    }

    /// Σ upstream·output, after a run.
    fn run(&mut self) -> f64 {
        self.executor.write(self.program, self.plan.upstream.unwrap()).copy_from_slice(&self.upstream);
        self.executor.run(self.program);
        let output = self.executor.read(self.program, self.plan.values[self.net.output].unwrap());
        output.iter().zip(&self.upstream).map(|(y, g)| y * g).sum()
    }

    /// Largest difference between gradient and finite difference over (at most 40 elements of) every input and parameter.
    fn error(&mut self) -> (f64, String) {
        self.run();
        let mut pairs: Vec<(Buf, Buf, String)> = Vec::new();
        for (id, node) in self.net.graph.nodes().iter().enumerate() {
            if let (Op::Input(_), Some(grad)) = (&node.op, self.plan.gradients[id]) {
                pairs.push((self.plan.values[id].unwrap(), grad, node.name.clone()));
            }
        }
        for (i, p) in self.net.graph.params().iter().enumerate() {
            if let Some(grad) = self.plan.param_gradients[i] {
                pairs.push((Buf::Param(i), grad, p.name.clone()));
            }
        }
        assert!(!pairs.is_empty());
        let mut worst = (0.0, String::new());
        for (buf, grad, name) in pairs {
            self.run(); // with every value restored
            let grads = self.executor.read(self.program, grad).to_vec();
            let step = grads.len().div_ceil(40);
            for i in (0..grads.len()).step_by(step) {
                let table = match buf {
                    Buf::Param(p) => self.net.graph.params()[p].param.table.clone(),
                    _ => None,
                };
                let here = self.executor.read(self.program, buf)[i];
                if table.is_some() && here == 0.0 {
                    assert_eq!(grads[i], 0.0, "{name}[{i}] has no connection");
                    continue;
                }
                let h = 1e-5;
                self.executor.write(self.program, buf)[i] = here + h;
                let up = self.run();
                self.executor.write(self.program, buf)[i] = here - h;
                let down = self.run();
                self.executor.write(self.program, buf)[i] = here;
                let numeric = (up - down) / (2.0 * h);
                let error = (numeric - grads[i]).abs() / (1.0 + numeric.abs());
                if error > worst.0 {
                    worst = (error, format!("{name}[{i}]: {} but finite difference {numeric}", grads[i]));
                }
            }
        }
        worst
    }
}

fn check(label: &str, net: Architecture, batch: usize) {
    let (error, what) = Bench::new(net, batch).error();
    assert!(error < 1e-7, "{label}: {what}");
}

#[test]
fn every_op() {
    let cases = Op::cases();
    assert!(cases.len() > 25);
    for Case { name, op, .. } in &cases {
        assert!(!name.is_empty() && !op.name().is_empty());
    }
    for case in cases {
        check(&format!("{} {}", case.op.name(), case.name), Architecture::of_case(&case).unwrap(), case.batch);
    }
}

/// A value read twice, an activation fused and one not, a flatten between.
#[test]
fn fan_out() {
    let mut g = Graph::new();
    let x = g.input("x", Shape::new(2, 7, 6)).unwrap();
    let a = g.push("a", Conv2d::new(3, 3).padding(1), &[x]).unwrap();
    let b = g.push("b", Activation::Tanh, &[a]).unwrap();
    let c = g.push("c", MaxPool2d(Window::square(2).stride(2)), &[b]).unwrap();
    let d = g.push("d", Flatten, &[c]).unwrap();
    let e = g.push("e", Linear::new(4), &[d]).unwrap();
    check("chain", Architecture::unnamed(g, e, Loss::CrossEntropy), 2);
}

#[test]
fn whole_networks() {
    for variant in VARIANTS.iter().filter(|v| v.name.starts_with("lenet")) {
        check(variant.name, variant.build().unwrap(), 2);
    }
}

/// The check itself can fail: a gradient that is off by a thousandth is seen.
#[test]
fn a_wrong_gradient_is_seen() {
    let case = Case::new("wrong", Linear::new(3), &[Shape::vector(5)], 2);
    let mut bench = Bench::new(Architecture::of_case(&case).unwrap(), 2);
    bench.upstream[0] = 1.0;
    bench.run();
    let grad = bench.plan.param_gradients[0].unwrap();
    let right = bench.executor.read(bench.program, grad)[0];
    bench.upstream[0] = 1.001;
    bench.run();
    assert!((bench.executor.read(bench.program, grad)[0] - right).abs() > 1e-6);
}
