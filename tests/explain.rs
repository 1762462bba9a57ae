//! The arithmetic that the page tells of a unit is the engine's: every case of every op, every unit of the second image.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::arch::Architecture;
use receptive::cpu;
use receptive::ops::explain::Rule;
use receptive::ops::{Ask, Case, Explanation, Layer, Op};
use receptive::plan::{Plan, Request};
use receptive::rng::Rng;
use receptive::scene::beats::{beats, running};
use std::collections::BTreeMap;

/// Works the told arithmetic out again, from its terms alone.
fn work_out(told: &Explanation) -> f32 {
    let step = |name: &str| told.steps.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
    let values = || told.terms.iter().flat_map(|t| t.values.iter().flatten().copied());
    let pairs =
        || told.terms.iter().flat_map(|t| t.values.iter().zip(&t.weights)).filter_map(|(v, w)| v.map(|v| (v, *w)));
    let total: f32 = values().sum();
    match told.rule {
        Rule::WeightedSum => pairs().map(|(v, w)| v * w).sum::<f32>() + step("bias").unwrap_or(0.0),
        Rule::ScaledSum => step("coefficient").unwrap() * total + step("bias").unwrap(),
        Rule::Max => {
            assert_eq!(told.terms[0].values[told.terms[0].mark.unwrap()], Some(told.terms[0].result));
            values().fold(f32::MIN, f32::max)
        }
        Rule::Mean => total / step("count").unwrap(),
        Rule::SquaredDistance => pairs().map(|(v, w)| (v - w) * (v - w)).sum(),
        Rule::Activation(f) => {
            let mut x = [total];
            f.apply(&mut x);
            x[0]
        }
        Rule::Copy | Rule::Sum => total,
        Rule::Normalise => step("weight").unwrap() * step("normalised").unwrap() + step("bias").unwrap(),
        Rule::LocalResponse => {
            let own = told.terms.iter().find(|t| t.mark.is_some()).unwrap();
            assert_eq!(own.values[0], step("input"));
            let squares: f32 = values().map(|v| v * v).sum();
            assert!((squares - step("sum").unwrap()).abs() <= 1e-6 * (1.0 + squares));
            told.steps.last().unwrap().1
        }
    }
}

/// The first unit whose told value is not the engine's; `wrong` is added to the engine's.
fn check(case: &Case, wrong: f32) -> Result<(), String> {
    let net = Architecture::of_case(case).unwrap();
    let mut rng = Rng::new(3);
    let mut random = |n: usize| (0..n).map(|_| rng.range(-1.0, 1.0)).collect::<Vec<f32>>();
    let params: Vec<Vec<f32>> = net
        .graph
        .params()
        .iter()
        .map(|p| {
            let mut data = random(p.param.len());
            p.param.plausible(&mut data);
            data
        })
        .collect();
    let mut executor = cpu::Executor::new(params.clone());
    let plan = Plan::new(&net, &Request::inference(case.batch, &[net.output]));
    let program = executor.prepare(&net, plan.clone());
    let mut images = Vec::new();
    for (&input, shape) in plan.inputs.iter().zip(&case.inputs) {
        let data = random(case.batch * shape.len());
        executor.write(program, input).copy_from_slice(&data);
        images.push(data[shape.len()..2 * shape.len()].to_vec());
    }
    executor.run(program);
    let output = net.graph.nodes()[net.output].shape;
    let found = executor.read(program, plan.values[net.output].unwrap())[output.len()..2 * output.len()].to_vec();
    let inputs: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
    let tensors: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    for (i, found) in found.iter().map(|v| v + wrong).enumerate() {
        let unit = output.unit(i);
        let ask = Ask { inputs: &inputs, shapes: &case.inputs, params: &tensors, output, unit };
        let told = case.op.explain(&ask);
        let all = [told];
        let beats = beats(&all);
        let last = running(&all, &beats, beats.len()).unwrap();
        let [told] = all;
        for value in [told.steps.last().unwrap().1, work_out(&told), last] {
            if (value - found).abs() > 1e-5 * (1.0 + found.abs()) {
                return Err(format!("{} {:?} at {unit:?}: told {value}, computed {found}", case.op.name(), case.name));
            }
        }
        for term in &told.terms {
            assert_eq!(term.values.len(), term.size[0] * term.size[1]);
            assert!(term.weights.is_empty() || term.weights.len() == term.values.len());
        }
    }
    Ok(())
}

#[test]
fn every_unit_of_every_case_is_told_as_computed() {
    for case in Op::cases() {
        check(&case, 0.0).unwrap();
    }
}

#[test]
fn a_wrong_value_is_noticed() {
    for case in Op::cases() {
        assert!(check(&case, 1e-3).is_err(), "{}", case.name);
    }
}

#[test]
fn only_connected_maps_are_told_of() {
    use receptive::arch::variant;
    let net = variant("lenet5").unwrap().build().unwrap();
    let c3 = net.graph.find("c3").unwrap();
    let shapes = net.graph.input_shapes(c3);
    let values = vec![0.5; shapes[0].len()];
    let params = net.initial(1);
    let params: Vec<&[f32]> = net.graph.params_of(c3).map(|i| params[i].as_slice()).collect();
    let output = net.graph.nodes()[c3].shape;
    let maps = |c: usize| {
        let unit = receptive::tensor::Unit { c, y: 4, x: 7 };
        let ask = Ask { inputs: &[&values], shapes: &shapes, params: &params, output, unit };
        net.graph.nodes()[c3].op.explain(&ask).terms.iter().map(|t| t.map).collect::<Vec<_>>()
    };
    assert_eq!(maps(0), [0, 1, 2]);
    assert_eq!(maps(10), [0, 1, 4, 5]);
    assert_eq!(maps(15), [0, 1, 2, 3, 4, 5]);
}

/// Adds up what every unit's gradient spreads to, and compares it with the engine's gradients of inputs and weights; `wrong` is added
/// to each unit's gradient before it spreads.
fn check_spread(case: &Case, wrong: f32) -> Result<(), String> {
    let net = Architecture::of_case(case).unwrap();
    let mut rng = Rng::new(7);
    let mut random = |n: usize| (0..n).map(|_| rng.range(-1.0, 1.0)).collect::<Vec<f32>>();
    let params: Vec<Vec<f32>> = net
        .graph
        .params()
        .iter()
        .map(|p| {
            let mut data = random(p.param.len());
            p.param.plausible(&mut data);
            data
        })
        .collect();
    let images: Vec<Vec<f32>> = case.inputs.iter().map(|s| random(s.len())).collect();
    let output = net.graph.nodes()[net.output].shape;
    let upstream = random(output.len());
    let mut executor = cpu::Executor::new(params.clone());
    let plan = Plan::new(&net, &Request::gradient(1, net.output, false));
    let program = executor.prepare(&net, plan.clone());
    for (&input, image) in plan.inputs.iter().zip(&images) {
        executor.write(program, input).copy_from_slice(image);
    }
    executor.write(program, plan.upstream.unwrap()).copy_from_slice(&upstream);
    executor.run(program);
    let dilation = match &case.op {
        Op::Conv2d(conv) => conv.window.dilation,
        _ => [1, 1],
    };
    let mut to_inputs: Vec<Vec<f32>> = case.inputs.iter().map(|s| vec![0.0; s.len()]).collect();
    let mut to_weights = vec![0.0; params.first().map_or(0, Vec::len)];
    let mut weighted = false;
    let mut to_named: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let inputs: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
    let tensors: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    for (i, delta) in upstream.iter().enumerate() {
        let unit = output.unit(i);
        let ask = Ask { inputs: &inputs, shapes: &case.inputs, params: &tensors, output, unit };
        let told = case.op.explain(&ask);
        let spread = told.spread(delta + wrong);
        for &(name, gradient) in &spread.named {
            to_named.entry(name).or_insert_with(|| vec![0.0; output.c])[unit.c] += gradient;
        }
        let mut before = 0; // weights of a linear layer run on through its terms
        for (t, term) in told.terms.iter().enumerate() {
            let shape = case.inputs[term.input];
            for cell in 0..term.values.len() {
                let (row, col) = (cell / term.size[1] * dilation[0], cell % term.size[1] * dilation[1]);
                let at = match shape.map() {
                    1 => term.map + cell,
                    _ => {
                        let (y, x) = (term.at[0] + row as isize, term.at[1] + col as isize);
                        if term.values[cell].is_none() {
                            assert_eq!(spread.inputs[t][cell], 0.0);
                            continue;
                        }
                        (term.map * shape.h + y as usize) * shape.w + x as usize
                    }
                };
                to_inputs[term.input][at] += spread.inputs[t][cell];
                if let (Some(all), false) = (spread.weights.get(t), term.weights.is_empty()) {
                    weighted = true;
                    let at = match &case.op {
                        Op::Conv2d(conv) => {
                            let channels = shape.c / conv.groups;
                            (unit.c * channels + term.map % channels) * term.values.len() + cell
                        }
                        _ => unit.c * case.inputs[0].len() + before + cell,
                    };
                    to_weights[at] += all[cell];
                }
            }
            before += term.values.len();
        }
    }
    let differ = |what: &str, told: &[f32], found: &[f32]| {
        let pairs = told.iter().zip(found).enumerate();
        let wrong = pairs.filter(|(_, (t, f))| (*t - *f).abs() > 2e-4 * (1.0 + f.abs())).map(|(i, p)| (i, p.0, p.1));
        wrong.take(1).map(|w| format!("{} {:?}: {what} {w:?}", case.op.name(), case.name)).next().map_or(Ok(()), Err)
    };
    let nodes = net.graph.nodes().iter().enumerate().filter(|(_, n)| matches!(n.op, Op::Input(_)));
    for ((node, _), told) in nodes.zip(&to_inputs) {
        // Where nothing lies between, the gradient that is given is the input's.
        let found = plan.gradient(&net, node).map(|buf| executor.read(program, buf).to_vec()).unwrap();
        differ("input", told, &found)?;
    }
    if weighted {
        let found = executor.read(program, plan.param_gradients[0].unwrap()).to_vec();
        differ("weight", &to_weights, &found)?;
    }
    // What is one number a map is told by name; nothing that is trained is left out.
    let trained = net.graph.params().iter().zip(&plan.param_gradients).filter(|(p, _)| p.param.trained());
    for (place, (param, found)) in trained.enumerate().filter(|(place, _)| *place > 0 || !weighted) {
        let name = param.param.name;
        let told = to_named
            .get(name)
            .ok_or_else(|| format!("{}: nothing told of parameter {place}, {name}", case.op.name()))?;
        differ(name, told, executor.read(program, found.unwrap()))?;
    }
    Ok(())
}

#[test]
fn what_spreads_from_all_units_is_the_engines_gradient() {
    for case in Op::cases() {
        check_spread(&case, 0.0).unwrap();
    }
}

/// A step of a parameter that is one number a map moves the value as its gradient says: the value is linear in it.
#[test]
fn named_gradients_are_the_differences_of_values() {
    let mut seen = 0;
    for case in Op::cases() {
        let net = Architecture::of_case(&case).unwrap();
        let mut rng = Rng::new(9);
        let images: Vec<Vec<f32>> =
            case.inputs.iter().map(|s| (0..s.len()).map(|_| rng.range(-1.0, 1.0)).collect()).collect();
        let inputs: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
        let mut params: Vec<Vec<f32>> = net.graph.params().iter().map(|p| vec![0.5; p.param.len()]).collect();
        let output = net.graph.nodes()[net.output].shape;
        let unit = output.unit(output.len() / 2);
        let told = |params: &[Vec<f32>]| {
            let params: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
            case.op.explain(&Ask { inputs: &inputs, shapes: &case.inputs, params: &params, output, unit })
        };
        let before = told(&params);
        let value = |e: &Explanation| e.steps.last().unwrap().1;
        for (name, gradient) in before.spread(1.0).named {
            let place = net.graph.params().iter().position(|p| p.param.name == name).unwrap();
            params[place][unit.c] += 0.25;
            let slope = (value(&told(&params)) - value(&before)) / 0.25;
            params[place][unit.c] -= 0.25;
            assert!((slope - gradient).abs() < 1e-4, "{} {name}: {slope} {gradient}", case.op.name());
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn a_wrong_spread_is_noticed() {
    for case in Op::cases() {
        assert!(check_spread(&case, 0.05).is_err(), "{}", case.name);
    }
}
