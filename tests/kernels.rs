//! Every op's kernels on the GPU against the CPU's code, forward and backward; losses, optimizer, whole training steps.
//! Without an adapter these tests fail, unless NO_GPU=1 is set.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use pollster::block_on;
use receptive::arch::{Architecture, variant};
use receptive::colormap::Palette;
use receptive::cpu;
use receptive::gpu::{Canvas, Executor, Gpu, GpuError};
use receptive::graph::Graph;
use receptive::ops::{Activation, Buf, Case, Conv2d, Layer, Linear, Loss, MaxPool2d, Op, Role, Window};
use receptive::plan::{Mode, Patch, Plan, Request};
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

/// How closely two results must agree.
#[derive(Clone, Copy, Debug)]
enum Agreement {
    /// Bit for bit, but for the sign of zero.
    Exact,
    /// Within this part of the buffer's largest magnitude (and of 1e-3 at least).
    Within(f32),
}

/// What disagrees, if anything.
fn differ(agreement: Agreement, gpu: &[f32], cpu: &[f32]) -> Option<String> {
    if gpu.len() != cpu.len() {
        return Some(format!("{} elements, not {}", gpu.len(), cpu.len()));
    }
    let scale = cpu.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    let bad = |g: f32, c: f32| match agreement {
        Agreement::Exact => g != c,
        Agreement::Within(part) => {
            let off = (g - c).abs();
            off > part * scale || off.is_nan()
        }
    };
    let all: Vec<usize> = (0..cpu.len()).filter(|&i| bad(gpu[i], cpu[i])).collect();
    let &i = all.first()?;
    Some(format!("{} of {} differ, first [{i}]: GPU {} CPU {}", all.len(), cpu.len(), gpu[i], cpu[i]))
}

/// Data for a network: small integers or uniform numbers.
fn fill(rng: &mut Rng, len: usize, integers: bool) -> Vec<f32> {
    (0..len).map(|_| if integers { rng.range(-4.0, 5.0).floor() } else { rng.range(-1.0, 1.0) }).collect()
}

fn params(net: &Architecture, rng: &mut Rng, integers: bool) -> Vec<Vec<f32>> {
    let one = |p: &receptive::graph::GraphParam, rng: &mut Rng| {
        let mut data = match &p.param.role {
            Role::Fixed(values) => values.clone(),
            _ => fill(rng, p.param.len(), integers),
        };
        p.param.plausible(&mut data);
        data
    };
    net.graph.params().iter().map(|p| one(p, rng)).collect()
}

/// Runs a plan on both executors with the same data, compares every buffer that means something.
fn compare(
    gpu: &Gpu,
    net: &Architecture,
    request: &Request,
    integers: bool,
    agreement: Agreement,
) -> Result<(), String> {
    let mut rng = Rng::new(11);
    let params = params(net, &mut rng, integers);
    let plan = Plan::new(net, request);
    let mut reference = cpu::Executor::new(params.clone());
    let mut device = Executor::new(gpu.clone(), &params).unwrap();
    let (on_cpu, on_gpu) = (reference.prepare(net, plan.clone()), device.prepare(net, plan.clone()).unwrap());
    let mut set = |buf: Buf, data: &[f32]| {
        reference.write(on_cpu, buf).copy_from_slice(data);
        device.write(on_gpu, buf, data).unwrap();
    };
    for &input in plan.inputs.iter().chain(&plan.upstream) {
        let len = plan.local_len(input).unwrap();
        set(input, &fill(&mut rng, len, integers));
    }
    if let Some(labels) = plan.labels {
        let classes = net.graph.nodes()[net.output].shape.len();
        let data: Vec<f32> = (0..request.batch).map(|i| (i * 7 % classes) as f32).collect();
        set(labels, &data);
    }
    if let Some(hyper) = plan.hyper {
        set(hyper, &[0.05, 0.9, 0.001]);
    }
    // What is left in memory must not matter.
    for _ in 0..2 {
        reference.run(on_cpu);
        device.run(on_gpu).unwrap();
    }
    let mut bufs: Vec<(String, Buf)> = Vec::new();
    for (id, node) in net.graph.nodes().iter().enumerate() {
        bufs.extend(plan.values[id].map(|b| (format!("value of {}", node.name), b)));
        if matches!(node.op, Op::Input(_)) || request.mode == Mode::Training && id == net.output {
            bufs.extend(plan.gradients[id].map(|b| (format!("gradient of {}", node.name), b)));
        }
    }
    for (i, p) in net.graph.params().iter().enumerate() {
        bufs.extend(plan.param_gradients[i].map(|b| (format!("gradient of {}", p.name), b)));
        bufs.push((p.name.clone(), Buf::Param(i)));
        // Momentum has room where something trains.
        bufs.extend(plan.hyper.map(|_| (format!("momentum of {}", p.name), Buf::Momentum(i))));
    }
    bufs.extend(plan.stats.map(|b| ("stats".to_string(), b)));
    let list: Vec<Buf> = bufs.iter().map(|(_, b)| *b).collect();
    let found = block_on(device.read(on_gpu, &list)).unwrap();
    for ((name, buf), found) in bufs.iter().zip(found) {
        if let Some(what) = differ(agreement, &found, reference.read(on_cpu, *buf)) {
            return Err(format!("{name}: {what}"));
        }
    }
    Ok(())
}

/// Gradient mode with all gradients, and inference.
fn compare_case(
    gpu: &Gpu,
    net: &Architecture,
    batch: usize,
    integers: bool,
    agreement: Agreement,
) -> Result<(), String> {
    compare(gpu, net, &Request::gradient(batch, net.output, true), integers, agreement)?;
    compare(gpu, net, &Request::inference(batch, &[]), integers, agreement)
}

/// Whether sums of small integers come out whole: not behind a curve, nor divided by anything but a power of two.
fn stays_whole(case: &Case) -> bool {
    match &case.op {
        Op::AdaptiveAvgPool2d(pool) => {
            *pool == receptive::ops::AdaptiveAvgPool2d::GLOBAL && case.inputs[0].map().is_power_of_two()
        }
        Op::Activation(a) => *a == Activation::Relu,
        Op::AvgPool2d(pool) => {
            pool.0.padding == [0; 2] && !pool.0.ceil && pool.0.kernel.iter().all(|k| k.is_power_of_two())
        }
        Op::BatchNorm2d(_) | Op::LocalResponseNorm(_) => false,
        _ => true,
    }
}

#[test]
fn every_op() {
    let Some(gpu) = gpu() else { return };
    let mut problems = Vec::new();
    for case in Op::cases() {
        let net = Architecture::of_case(&case).unwrap();
        let terms = net.graph.params().iter().map(|p| p.param.len()).max().unwrap_or(1).max(16);
        let close = Agreement::Within(f32::EPSILON * (terms as f32).sqrt() * 4.0);
        let whole = if stays_whole(&case) { Agreement::Exact } else { close };
        for (integers, agreement) in [(true, whole), (false, close)] {
            if let Err(what) = compare_case(&gpu, &net, case.batch, integers, agreement) {
                problems.push(format!("{} {}, integers: {integers}: {what}", case.op.name(), case.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Activations fused into each kind of layer, and a batch that no tile divides.
#[test]
fn epilogues() {
    let Some(gpu) = gpu() else { return };
    let ops = [
        Op::from(Conv2d::new(9, 3).padding(1)),
        Op::from(MaxPool2d(Window::square(2).stride(2))),
        Linear::new(13).into(),
    ];
    for op in ops {
        for activation in Activation::ALL {
            let mut g = Graph::new();
            let x = g.input("x", Shape::new(3, 6, 7)).unwrap();
            let y = g.push("op", op.clone(), &[x]).unwrap();
            let z = g.push("activation", activation, &[y]).unwrap();
            let net = Architecture::unnamed(g, z, Loss::CrossEntropy);
            let what = compare_case(&gpu, &net, 5, false, Agreement::Within(4e-6));
            assert_eq!(what, Ok(()), "{} {activation:?}", op.name());
        }
    }
}

/// More workgroups than one dimension holds: 4,200,000 vec4 in workgroups of 64.
#[test]
fn beyond_one_dimension_of_workgroups() {
    let Some(gpu) = gpu() else { return };
    let case = Case::new("", Activation::Relu, &[Shape::new(1, 4200, 4000)], 1);
    let net = Architecture::of_case(&case).unwrap();
    assert_eq!(compare(&gpu, &net, &Request::inference(1, &[]), true, Agreement::Exact), Ok(()));
}

/// A value that two layers read, each with a loss at its end: its gradients are added.
#[test]
fn fan_out() {
    let Some(gpu) = gpu() else { return };
    let mut g = Graph::new();
    let x = g.input("x", Shape::new(3, 5, 6)).unwrap();
    let a = g.push("a", Conv2d::new(4, 3).padding(1), &[x]).unwrap();
    let b = g.push("b", Activation::Tanh, &[a]).unwrap();
    let c = g.push("c", Linear::new(7), &[b]).unwrap();
    let d = g.push("d", Linear::new(7), &[b]).unwrap();
    let mut net = Architecture::unnamed(g, c, Loss::CrossEntropy);
    net.auxiliary.push((d, 0.3));
    assert_eq!(compare(&gpu, &net, &Request::training(3), false, Agreement::Within(1e-4)), Ok(()));
}

/// LeNet-5 both ways, forward.
#[test]
fn whole_networks() {
    let Some(gpu) = gpu() else { return };
    for name in ["lenet5", "lenet5-modern"] {
        let net = variant(name).unwrap().build().unwrap();
        assert_eq!(compare(&gpu, &net, &Request::inference(3, &[]), false, Agreement::Within(1e-4)), Ok(()), "{name}");
    }
}

/// Training steps on both executors: the statistics of each.
fn train(gpu: &Gpu, net: &Architecture, steps: usize, batch: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let plan = Plan::new(net, &Request::training(batch));
    let params = net.initial(3);
    let mut device = Executor::new(gpu.clone(), &params).unwrap();
    let mut reference = cpu::Executor::new(params);
    let (on_cpu, on_gpu) = (reference.prepare(net, plan.clone()), device.prepare(net, plan.clone()).unwrap());
    let (mut expected, mut rng) = (Vec::new(), Rng::new(5));
    let classes = net.graph.nodes()[net.output].shape.len();
    for step in 0..steps {
        let data = [
            (plan.inputs[0], fill(&mut rng, plan.local_len(plan.inputs[0]).unwrap(), false)),
            (plan.labels.unwrap(), (0..batch).map(|i| ((i + step) % classes) as f32).collect()),
            (plan.hyper.unwrap(), vec![0.01, 0.9, 5e-4]),
        ];
        for (buf, data) in data {
            reference.write(on_cpu, buf).copy_from_slice(&data);
            device.write(on_gpu, buf, &data).unwrap();
        }
        reference.run(on_cpu);
        expected.push(reference.read(on_cpu, plan.stats.unwrap()).to_vec());
        device.step_capture(on_gpu).unwrap();
    }
    let found = block_on(device.collect(on_gpu)).unwrap();
    assert_eq!(block_on(device.collect(on_gpu)).unwrap(), Vec::<Vec<f32>>::new());
    (found, expected)
}

#[test]
fn training_steps() {
    let Some(gpu) = gpu() else { return };
    for name in ["lenet5", "lenet5-modern"] {
        let net = variant(name).unwrap().build().unwrap();
        let (found, expected) = train(&gpu, &net, 6, 9);
        assert_eq!(found.len(), 6);
        for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(expected[0] > 0.1 && expected[0].is_finite());
            for (i, (f, e)) in found.iter().zip(expected).enumerate() {
                assert!((f - e).abs() <= 2e-3 * e.abs() + 1e-6, "{name} step {step} stats[{i}]: GPU {f} CPU {e}");
            }
        }
        let (again, _) = train(&gpu, &net, 6, 9);
        assert!(found == again, "{name}: the same run gave other bits");
    }
}

/// More captures than one staging buffer holds.
#[test]
fn many_captures() {
    let Some(gpu) = gpu() else { return };
    let mut g = Graph::new();
    let x = g.input("x", Shape::vector(3)).unwrap();
    let y = g.push("y", Linear::new(2), &[x]).unwrap();
    let (found, expected) = train(&gpu, &Architecture::unnamed(g, y, Loss::CrossEntropy), 150, 4);
    assert_eq!(found.len(), 150);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(differ(Agreement::Within(1e-4), found, expected), None);
    }
}

/// A weight that the device cannot bind as a whole lies in pieces: read, written and multiplied all the same, but not trained.
#[test]
fn large_parameters() {
    if gpu().is_none() {
        return;
    }
    let gpu = block_on(Gpu::acquire_binding(64 << 10)).unwrap();
    for (features, batch, terms) in [(96, 1, 512), (96, 3, 512), (64, 5, 300)] {
        let case = Case::new("", Linear::new(features), &[Shape::vector(terms)], batch);
        let net = Architecture::of_case(&case).unwrap();
        assert_eq!(compare(&gpu, &net, &Request::inference(batch, &[]), true, Agreement::Exact), Ok(()));
        let params = params(&net, &mut Rng::new(2), false);
        let mut device = Executor::new(gpu.clone(), &params).unwrap();
        assert_eq!(block_on(device.params()).unwrap(), params);
        let swapped: Vec<Vec<f32>> = params.iter().map(|p| p.iter().rev().copied().collect()).collect();
        device.set(&swapped, &params).unwrap();
        assert_eq!((block_on(device.params()).unwrap(), block_on(device.momentum()).unwrap()), (swapped, params));
        let training = device.prepare(&net, Plan::new(&net, &Request::training(2)));
        assert!(matches!(training, Err(GpuError::TooLarge { .. })), "{training:?}");
    }
    let odd = Architecture::of_case(&Case::new("", Linear::new(97), &[Shape::vector(511)], 1)).unwrap();
    let refused = Executor::new(gpu, &params(&odd, &mut Rng::new(2), false));
    assert!(matches!(refused, Err(GpuError::TooLarge { .. })));
}

/// What an executor takes and gives back; and its refusals are values.
#[test]
fn memory_and_errors() {
    let Some(gpu) = gpu() else { return };
    let net = Architecture::of_case(&Case::new("", Linear::new(3), &[Shape::vector(5)], 2)).unwrap();
    let mut device = Executor::new(gpu.clone(), &net.initial(1)).unwrap();
    let program = device.prepare(&net, Plan::new(&net, &Request::inference(2, &[]))).unwrap();
    let (w, m) = (vec![vec![2.0; 15], vec![1.0; 3]], vec![vec![0.5; 15], vec![0.25; 3]]);
    device.set(&w, &m).unwrap();
    assert_eq!((block_on(device.params()).unwrap(), block_on(device.momentum()).unwrap()), (w, m));
    assert!(device.write(program, Buf::Param(0), &[0.0; 16]).is_err());
    assert!(device.write(program, Buf::Local(99), &[0.0]).is_err());
    device.clear();
    assert!(device.run(program).is_err());
    gpu.destroy();
    let lost = block_on(device.params());
    assert!(matches!(lost, Err(GpuError::Lost { .. } | GpuError::Device(_))), "{lost:?}");
}

/// Pixels of maps painted by the GPU against the same painted here: one scale a layer, one a map, both palettes, odd sizes.
#[test]
fn painting() {
    let Some(gpu) = gpu() else { return };
    let mut g = Graph::new();
    let x = g.input("x", Shape::new(2, 5, 7)).unwrap();
    let y = g.push("y", Conv2d::new(3, 3), &[x]).unwrap();
    let net = Architecture::unnamed(g, y, Loss::CrossEntropy);
    let mut rng = Rng::new(4);
    let mut device = Executor::new(gpu.clone(), &params(&net, &mut rng, false)).unwrap();
    let plan = Plan::new(&net, &Request::inference(2, &[]));
    let program = device.prepare(&net, plan.clone()).unwrap();
    device.write(program, plan.inputs[0], &fill(&mut rng, 2 * 70, false)).unwrap();
    device.run(program).unwrap();
    let (input, output) = (plan.inputs[0], plan.values[1].unwrap());
    let patch = |buf, offset, [rows, cols]: [usize; 2], at, scale| Patch { buf, offset, rows, cols, at, scale };
    let patches = [
        patch(input, 70, [5, 7], [1.0, 2.0, 21.0, 15.0], 70..140), // the second image
        patch(input, 105, [5, 7], [25.5, 2.25, 20.0, 13.0], 70..140),
        patch(output, 15, [3, 5], [3.0, 20.0, 35.0, 27.0], 15..30), // one map, its own scale
        patch(output, 0, [3, 5], [40.0, 20.0, 10.0, 6.0], 0..90),
        patch(Buf::Param(1), 0, [1, 3], [40.0, 30.0, 9.0, 3.0], 0..3),
    ];
    let size = [61, 53];
    for palette in [Palette::Light, Palette::Dark] {
        let mut canvas = Canvas::offscreen(&gpu, [8, 8]);
        canvas.resize(&gpu, size);
        device.paint(&canvas).unwrap(); // nothing yet
        let empty = block_on(device.pixels(&canvas).unwrap()).unwrap();
        assert!(empty.len() == 61 * 53 * 4 && empty.iter().all(|&v| v == 0));
        device.layout(&mut canvas, program, &patches, palette).unwrap();
        device.paint(&canvas).unwrap();
        let found = block_on(device.pixels(&canvas).unwrap()).unwrap();
        let mut expected = vec![0u8; found.len()];
        for p in &patches {
            let values = block_on(device.read(program, &[p.buf])).unwrap().remove(0);
            let largest = values[p.scale.clone()].iter().fold(0.0f32, |m, v| m.max(v.abs()));
            for (x, y) in (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| (x, y))) {
                if let Some(i) = p.element(x, y) {
                    let [r, g, b] = palette.colour(values[i] / largest);
                    expected[(y * size[0] + x) as usize * 4..][..4].copy_from_slice(&[r, g, b, 255]);
                }
            }
        }
        let off = found.iter().zip(&expected).filter(|(f, e)| f.abs_diff(**e) > 1).count();
        // a rectangle's edge may fall to either side where it meets the middle of a pixel
        assert!(off <= 13 * 4, "{palette:?}: {off} of {} bytes differ", found.len());
        assert!(expected.iter().filter(|&&v| v != 0).count() > 4000);
    }
    let beyond = patch(output, 80, [3, 5], [0.0, 0.0, 1.0, 1.0], 0..90);
    let mut canvas = Canvas::offscreen(&gpu, size);
    // Another network's program of the same number and layout is another picture.
    let mut pictures = Vec::new();
    let mut other = Executor::new(gpu.clone(), &params(&net, &mut rng, false)).unwrap();
    assert_eq!(other.prepare(&net, plan.clone()).unwrap(), program);
    for executor in [&mut device, &mut other] {
        executor.layout(&mut canvas, program, &patches, Palette::Light).unwrap();
        executor.paint(&canvas).unwrap();
        pictures.push(block_on(executor.pixels(&canvas).unwrap()).unwrap());
    }
    assert_ne!(pictures[0], pictures[1]);
    assert!(device.layout(&mut canvas, program, &[beyond], Palette::Light).is_err());
}

/// The comparison itself can fail.
#[test]
fn a_wrong_result_is_seen() {
    let right = [1.0, -2.0, 300.0];
    assert_eq!(differ(Agreement::Exact, &right, &right), None);
    assert!(differ(Agreement::Exact, &[1.0, -2.0, 300.00003], &right).is_some());
    assert!(differ(Agreement::Within(1e-6), &[1.0, -2.0, 300.01], &right).is_some());
    assert!(differ(Agreement::Within(1e-6), &[1.0, f32::NAN, 300.0], &right).is_some());
    assert!(differ(Agreement::Within(1e-6), &right[..2], &right).is_some());
}

/// A wrong kernel is caught: the GPU gets a padding that the CPU does not.
#[test]
fn a_wrong_kernel_is_seen() {
    let Some(gpu) = gpu() else { return };
    let net = |op: Conv2d| Architecture::of_case(&Case::new("", op, &[Shape::new(2, 5, 7)], 2)).unwrap();
    let right = net(Conv2d::new(3, 3).padding(1));
    let mut shifted = Conv2d::new(3, 3).padding(1);
    shifted.window.kernel = [3, 1]; // same output height, other taps: what an index slip does
    shifted.window.padding = [1, 0];
    let wrong = net(shifted);
    let mut rng = Rng::new(1);
    let params = params(&right, &mut rng, true);
    let plan = Plan::new(&right, &Request::inference(2, &[]));
    let mut reference = cpu::Executor::new(params.clone());
    let mut device = Executor::new(gpu, &params).unwrap();
    let on_cpu = reference.prepare(&right, plan.clone());
    let on_gpu = device.prepare(&wrong, plan.clone()).unwrap();
    let data = fill(&mut rng, plan.local_len(plan.inputs[0]).unwrap(), true);
    reference.write(on_cpu, plan.inputs[0]).copy_from_slice(&data);
    device.write(on_gpu, plan.inputs[0], &data).unwrap();
    reference.run(on_cpu);
    device.run(on_gpu).unwrap();
    let output = plan.values[right.output].unwrap();
    let found = block_on(device.read(on_gpu, &[output])).unwrap();
    assert!(differ(Agreement::Exact, &found[0], reference.read(on_cpu, output)).is_some());
}
