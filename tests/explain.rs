//! The arithmetic that the page tells of a unit is the engine's: every case of every op, every unit of the second image.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::arch::Architecture;
use receptive::cpu;
use receptive::ops::explain::Rule;
use receptive::ops::{Ask, Case, Explanation, Layer, Op};
use receptive::plan::{Plan, Request};
use receptive::rng::Rng;
use receptive::scene::beats::{beats, running};

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
