//! Gradients inside a network — chain, skip, branches, and networks that come with the page — against finite differences, the two
//! engines against each other, and what is made of them. Without an adapter the GPU's part fails, unless NO_GPU=1 is set.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use pollster::block_on;
use receptive::arch::{Architecture, variant};
use receptive::cpu;
use receptive::engine::attribution::{
    Answered, Probe, Question, cover, energy, grad_cam, gradient_times_input, saliency,
};
use receptive::engine::executor::Executor;
use receptive::gpu::Gpu;
use receptive::graph::{Graph, NodeId};
use receptive::ops::{Activation, Add, BatchNorm2d, Concat, Conv2d, Linear, Loss, MaxPool2d, Window};
use receptive::plan::{Plan, Request};
use receptive::rng::Rng;
use receptive::tensor::Shape;

/// The device; `None` only where the caller asked for no GPU.
fn gpu() -> Option<Gpu> {
    if std::env::var_os("NO_GPU").is_some_and(|v| v == "1") {
        eprintln!("NO_GPU=1: not run");
        return None;
    }
    Some(block_on(Gpu::acquire()).unwrap())
}

/// Networks with a probe in the middle: an input of zeros added to a value, so that the value's gradient is that input's, and can be
/// measured by changing it. Returned with the node whose gradient it is.
fn networks() -> Vec<(&'static str, Architecture, NodeId)> {
    let start = |g: &mut Graph| g.input("x", Shape::new(2, 7, 6)).unwrap();
    let probed = |g: &mut Graph, at: NodeId| {
        let zeros = g.input("zeros", g.nodes()[at].shape).unwrap();
        g.push("probed", Add, &[at, zeros]).unwrap()
    };
    let head = |g: &mut Graph, at: NodeId| {
        let pool = g.push("pool", MaxPool2d(Window::square(2).stride(2)), &[at]).unwrap();
        g.push("fc", Linear::new(4), &[pool]).unwrap()
    };
    let mut nets = Vec::new();
    {
        let mut g = Graph::new();
        let x = start(&mut g);
        let a = g.push("conv", Conv2d::new(3, 3).padding(1), &[x]).unwrap();
        let b = g.push("act", Activation::Tanh, &[a]).unwrap();
        let c = probed(&mut g, b);
        let d = g.push("conv2", Conv2d::new(3, 3), &[c]).unwrap();
        let e = g.push("act2", Activation::Sigmoid, &[d]).unwrap();
        let out = head(&mut g, e);
        nets.push(("chain", Architecture::unnamed(g, out, Loss::CrossEntropy), b));
    }
    {
        let mut g = Graph::new();
        let x = start(&mut g);
        let a = g.push("conv", Conv2d::new(3, 3).padding(1), &[x]).unwrap();
        let a = probed(&mut g, a);
        let n = g.push("norm", BatchNorm2d::new(), &[a]).unwrap();
        let r = g.push("act", Activation::Tanh, &[n]).unwrap();
        let b = g.push("conv2", Conv2d::new(3, 3).padding(1), &[r]).unwrap();
        let s = g.push("sum", Add, &[b, a]).unwrap();
        let t = g.push("act2", Activation::Tanh, &[s]).unwrap();
        let out = head(&mut g, t);
        nets.push(("residual", Architecture::unnamed(g, out, Loss::CrossEntropy), 1));
    }
    {
        let mut g = Graph::new();
        let x = start(&mut g);
        let a = g.push("conv", Conv2d::new(3, 3).padding(1), &[x]).unwrap();
        let r = g.push("act", Activation::Tanh, &[a]).unwrap();
        let r = probed(&mut g, r);
        let b = g.push("b1", Conv2d::new(2, 1), &[r]).unwrap();
        let c = g.push("b2", Conv2d::new(3, 5).padding(2), &[r]).unwrap();
        let j = g.push("join", Concat, &[b, c, r]).unwrap();
        let out = head(&mut g, j);
        nets.push(("concat", Architecture::unnamed(g, out, Loss::CrossEntropy), 2));
    }
    nets
}

fn parameters(net: &Architecture, rng: &mut Rng) -> Vec<Vec<f32>> {
    let one = |p: &receptive::graph::GraphParam| {
        let mut data: Vec<f32> = (0..p.param.len()).map(|_| rng.range(-0.7, 0.7)).collect();
        p.param.plausible(&mut data);
        data
    };
    net.graph.params().iter().map(one).collect()
}

/// Σ upstream·output of a network in f64 as a function of its inputs.
fn gradients_agree(name: &str, net: &Architecture, probed: NodeId) {
    let zeros = net.graph.find("zeros").unwrap();
    let request =
        Request { gradients: vec![probed], layers: Some(Vec::new()), ..Request::gradient(2, net.output, false) };
    let plan = Plan::new(net, &request);
    assert!(plan.param_gradients.iter().all(Option::is_none), "nobody asked for them");
    let mut rng = Rng::new(3);
    let params: Vec<Vec<f64>> =
        parameters(net, &mut rng).into_iter().map(|p| p.into_iter().map(f64::from).collect()).collect();
    let mut executor = cpu::Executor::new(params);
    let program = executor.prepare(net, plan.clone());
    // Values far enough apart that no window's winner changes under a small step.
    let x = executor.write(program, plan.values[0].unwrap());
    let mut order: Vec<usize> = (0..x.len()).collect();
    rng.shuffle(&mut order);
    let n = x.len() as f64;
    x.iter_mut().zip(order).for_each(|(v, i)| *v = 2.0 * i as f64 / n - 0.97);
    let upstream: Vec<f64> = (0..8).map(|_| f64::from(rng.range(-1.0, 1.0))).collect();
    let mut run = |change: Option<(NodeId, usize, f64)>| {
        let step = |executor: &mut cpu::Executor<f64>, sign: f64| {
            if let Some((node, i, h)) = change {
                executor.write(program, plan.values[node].unwrap())[i] += sign * h;
            }
        };
        step(&mut executor, 1.0);
        executor.write(program, plan.upstream.unwrap()).copy_from_slice(&upstream);
        executor.run(program);
        step(&mut executor, -1.0);
        let output = executor.read(program, plan.values[net.output].unwrap());
        let sum: f64 = output.iter().zip(&upstream).map(|(y, g)| y * g).sum();
        let of = |node| executor.read(program, plan.gradient(net, node).unwrap()).to_vec();
        (sum, [of(0), of(zeros), of(probed)])
    };
    let (_, [by_x, by_zeros, inside]) = run(None);
    for (node, got, what) in [(0, &by_x, "input"), (zeros, &by_zeros, "zeros"), (zeros, &inside, "inside")] {
        assert!(got.iter().any(|g| g.abs() > 1e-3), "{name} {what}: nothing depends on it");
        for i in (0..got.len()).step_by(7) {
            let h = 1e-5;
            let numeric = (run(Some((node, i, h))).0 - run(Some((node, i, -h))).0) / (2.0 * h);
            let off = (numeric - got[i]).abs() / (1.0 + numeric.abs());
            assert!(off < 1e-7, "{name} {what}[{i}]: {} but finite difference {numeric}", got[i]);
        }
    }
}

#[test]
fn gradients_inside_a_network_are_the_finite_differences() {
    let nets = networks();
    assert_eq!(nets.len(), 3);
    for (name, net, probed) in nets {
        gradients_agree(name, &net, probed);
    }
}

/// A probe's answer on an executor for a seeded picture and upstream.
fn ask(net: &Architecture, executor: &mut Executor, question: &Question) -> Answered {
    let mut rng = Rng::new(5);
    let mut random = |node: NodeId| -> Vec<f32> {
        (0..question.batch * net.graph.nodes()[node].shape.len()).map(|_| rng.range(-1.0, 1.0)).collect()
    };
    let (input, upstream) = (random(net.graph.source()), random(question.of));
    let probe = Probe::new(net, executor, question).unwrap();
    let first = block_on(probe.run(executor, &input, &upstream)).unwrap();
    let again = block_on(probe.run(executor, &input, &upstream)).unwrap();
    assert_eq!(first, again, "a run leaves nothing behind that the next one sees");
    probe.release(executor);
    first
}

fn question(net: &Architecture, names: &[&str], layers: &[&str]) -> Question {
    let find = |names: &[&str]| names.iter().map(|n| net.graph.find(n).unwrap()).collect();
    Question { batch: 2, of: net.output, nodes: find(names), layers: find(layers) }
}

/// The lists of nodes asked about: an activation that would be fused, what is before it, and the input.
const ASKED: [(&str, &[&str], &[&str]); 3] = [
    ("lenet5", &["input", "c1", "c1_act", "s4"], &["c3"]),
    ("resnet-digits", &["input"], &[]),
    ("googlenet-digits", &["input"], &[]),
];

/// The last activation over maps, and the layer before it.
fn inner(net: &Architecture) -> Vec<NodeId> {
    let maps = |id: &NodeId| net.graph.nodes()[*id].shape.map() > 1;
    let last = (1..net.output).rev().filter(maps);
    last.take(3).collect()
}

#[test]
fn both_engines_give_the_same_gradients() {
    let Some(gpu) = gpu() else { return };
    for (name, names, layers) in ASKED {
        let net = variant(name).unwrap().build().unwrap();
        let mut question = question(&net, names, layers);
        question.nodes.extend(inner(&net));
        let params = net.initial(2);
        let on_cpu = ask(&net, &mut Executor::cpu(params.clone()), &question);
        let on_gpu = ask(&net, &mut Executor::gpu(gpu.clone(), &params).unwrap(), &question);
        let flat = |a: &Answered| -> Vec<Vec<f32>> {
            let params = a.params.iter().map(|(_, g)| g.clone());
            a.values.iter().chain(&a.gradients).cloned().chain(params).collect()
        };
        for (c, g) in flat(&on_cpu).iter().zip(&flat(&on_gpu)) {
            assert_eq!(c.len(), g.len());
            let scale = c.iter().fold(0f32, |m, v| m.max(v.abs()));
            assert!(scale > 0.0, "{name}: nothing to compare");
            assert!(c.iter().zip(g).all(|(c, g)| (c - g).abs() <= 2e-4 * scale), "{name}: the engines differ");
        }
    }
}

/// What is not asked for costs no memory, and asking changes no other gradient.
#[test]
fn a_picture_needs_no_parameter_gradients() {
    let net = variant("vgg16").unwrap().build().unwrap();
    let elements = |request: &Request| Plan::new(&net, request).buffers.iter().map(|b| b.len).sum::<usize>();
    let all = Request::gradient(1, net.output, false);
    let none = Request { layers: Some(Vec::new()), ..all.clone() };
    assert_eq!(elements(&all) - elements(&none), 138_357_544, "VGG-16's parameters");

    let net = variant("lenet5").unwrap().build().unwrap();
    let mut executor = Executor::cpu(net.initial(2));
    let few = ask(&net, &mut executor, &question(&net, &["input"], &[]));
    let many = ask(&net, &mut executor, &question(&net, &["input", "c1_act", "c1", "s2", "c3_act"], &["c1", "c5"]));
    assert_eq!(few.gradients[0], many.gradients[0]);
    assert_ne!(many.gradients[1], many.gradients[2], "before and after an activation");
    let names: Vec<&str> = many.params.iter().map(|(p, _)| net.graph.params()[*p].name.as_str()).collect();
    assert_eq!(names, ["c1.weight", "c1.bias", "c5.weight", "c5.bias"]);
}

#[test]
fn maps_by_hand() {
    let shape = Shape::new(2, 2, 2);
    let gradient = [1.0, -4.0, 0.0, 2.0, -3.0, 1.0, 0.5, 2.0];
    let values = [2.0, 1.0, 1.0, 0.0, 1.0, 2.0, 0.0, 4.0];
    assert_eq!(saliency(&gradient, shape), [3.0, 4.0, 0.5, 2.0]);
    assert_eq!(gradient_times_input(&gradient, &values, shape), [-1.0, -2.0, 0.0, 8.0]);
    assert_eq!(energy(&gradient, shape), [10.0, 17.0, 0.25, 8.0]);
    // The maps' weights are −¼ and ⅛: −½ + ⅛, −¼ + ¼, −¼, ½.
    assert_eq!(grad_cam(&values, &gradient, shape), [0.0, 0.0, 0.0, 0.5]);
    let covered = |side, stride, at| {
        let mut picture = vec![1.0; 2 * 5 * 4];
        cover(&mut picture, Shape::new(2, 5, 4), side, stride, at);
        assert_eq!(picture[..20], picture[20..], "all channels alike");
        (0..20).filter(|i| picture[*i] == 0.0).map(|i| (i / 4, i % 4)).collect::<Vec<_>>()
    };
    assert_eq!(covered(1, 1, [2, 3]), [(2, 3)]);
    assert_eq!(covered(2, 2, [1, 0]), [(2, 0), (2, 1), (3, 0), (3, 1)]);
    assert_eq!(covered(3, 2, [0, 1]), [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)], "begins half a pixel before");
    assert_eq!(covered(2, 2, [2, 1]), [(4, 2), (4, 3)], "cut at the edge");
}
