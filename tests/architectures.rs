//! What the page says of a network is right: shapes, parameters, multiply-adds and receptive fields against tables that were
//! worked out apart from this project, and receptive fields against what units really depend on.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::arch::{Architecture, VARIANTS, variant};
use receptive::cpu::Executor;
use receptive::engine::facts::facts;
use receptive::graph::receptive_field::fields;
use receptive::plan::{Plan, Request};
use receptive::rng::Rng;
use receptive::tensor::Unit;

/// A stage of a paper: group, shape, parameters, multiply-adds; receptive field's size, jump, padding.
type Row = (&'static str, [usize; 3], usize, u64, [usize; 3]);

/// LeCun 1998, §II.B. The multiply-adds count convolutions and inner products, as the literature does: not the RBF's 840.
const LENET5: &[Row] = &[
    ("C1", [6, 28, 28], 156, 117_600, [5, 1, 0]),
    ("S2", [6, 14, 14], 12, 0, [6, 2, 0]),
    ("C3", [16, 10, 10], 1_516, 150_000, [14, 2, 0]),
    ("S4", [16, 5, 5], 32, 0, [16, 4, 0]),
    ("C5", [120, 1, 1], 48_120, 48_000, [32, 4, 0]),
    ("F6", [84, 1, 1], 10_164, 10_080, [32, 4, 0]),
    ("Output", [10, 1, 1], 0, 0, [32, 4, 0]),
];

const LENET5_MODERN: &[Row] = &[
    ("C1", [6, 28, 28], 156, 117_600, [5, 1, 0]),
    ("S2", [6, 14, 14], 0, 0, [6, 2, 0]),
    ("C3", [16, 10, 10], 2_416, 240_000, [14, 2, 0]),
    ("S4", [16, 5, 5], 0, 0, [16, 4, 0]),
    ("C5", [120, 1, 1], 48_120, 48_000, [32, 4, 0]),
    ("F6", [84, 1, 1], 10_164, 10_080, [32, 4, 0]),
    ("Output", [10, 1, 1], 850, 840, [32, 4, 0]),
];

/// What of a table is not so.
fn faults(name: &str, rows: &[Row]) -> Vec<String> {
    let facts = facts(&variant(name).unwrap().build().unwrap());
    let mut out = Vec::new();
    for &(group, shape, parameters, macs, [size, jump, padding]) in rows {
        let layers: Vec<_> = facts.layers.iter().filter(|l| l.group == group).collect();
        let Some(last) = layers.last() else {
            out.push(format!("{group}: missing"));
            continue;
        };
        let field = last.receptive_field;
        let got = (
            <[usize; 3]>::from(last.shape),
            layers.iter().map(|l| l.parameters).sum::<usize>(),
            layers.iter().map(|l| l.macs).sum::<u64>(),
            (field.size, field.jump, field.start),
        );
        let want = (shape, parameters, macs, (size, jump, -(padding as isize)));
        if got != want {
            out.push(format!("{group}: {got:?}, expected {want:?}"));
        }
    }
    let stages = (rows.iter().map(|r| r.2).sum::<usize>(), rows.iter().map(|r| r.3).sum::<u64>());
    if stages != (facts.parameters, facts.macs) {
        out.push(format!("in all: {:?}, expected {stages:?}", (facts.parameters, facts.macs)));
    }
    out
}

#[test]
fn stages_are_as_the_papers_have_them() {
    assert_eq!(faults("lenet5", LENET5), Vec::<String>::new());
    assert_eq!(faults("lenet5-modern", LENET5_MODERN), Vec::<String>::new());
    assert_eq!(LENET5.iter().map(|r| r.2).sum::<usize>(), 60_000); // “60,000 trainable free parameters”
}

/// Name, shape, parameters, multiply-adds, receptive field's size, jump, padding.
type Stage<'a> = (&'a str, [usize; 3], usize, u64, [usize; 3]);

/// A section of `tests/golden/facts.txt`: its title, totals, rows.
struct Section<'a> {
    title: &'a str,
    parameters: usize,
    macs: u64,
    rows: Vec<Stage<'a>>,
    /// `3a`: parameters and multiply-adds of an inception module.
    modules: Vec<(&'a str, usize, u64)>,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    fn number<T: std::str::FromStr>(text: &str) -> T {
        text.replace(',', "").parse().unwrap_or_else(|_| panic!("{text} is no number"))
    }
    let mut out: Vec<Section<'_>> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some((title, totals)) = line.strip_prefix("## ").and_then(|l| l.rsplit_once(": params ")) {
            let (parameters, macs) = totals.split_once("  MACs ").unwrap();
            let (parameters, macs) = (number(parameters), number(macs));
            out.push(Section { title, parameters, macs, rows: Vec::new(), modules: Vec::new() });
        } else if let ([name, shape, "params", p, "MACs", m, "RF", rf, "stride", jump, "pad", pad], Some(section)) =
            (&words[..], out.last_mut())
        {
            let shape: Vec<usize> = shape.split('x').map(number).collect();
            section.rows.push((
                name,
                [shape[0], shape[1], shape[2]],
                number(p),
                number(m),
                [rf, jump, pad].map(|w| number(w)),
            ));
        } else if let ([name, "params", p, "MACs", m], Some(section)) = (&words[..], out.last_mut()) {
            section.modules.push((name, number(p), number(m)));
        }
    }
    out
}

/// Which of our variants a section is about; `None`: a network that is not among them.
fn variant_of(title: &str) -> Option<String> {
    let digits: String = title.chars().filter(char::is_ascii_digit).collect();
    Some(match title {
        _ if title.starts_with("LeNet") => return None, // `LENET5` above
        _ if title.starts_with("AlexNet original") => "alexnet".into(),
        _ if title.starts_with("AlexNet torchvision") => "alexnet-torchvision".into(),
        _ if title.starts_with("VGG-") => format!("vgg{digits}"),
        "GoogLeNet paper" => "googlenet".into(),
        _ if title.starts_with("GoogLeNet torchvision") => "googlenet-torchvision".into(),
        _ if title.starts_with("CIFAR") && title.ends_with("option A") => format!("resnet{digits}-cifar"),
        _ if title.starts_with("ResNet") && title.ends_with("v1.5") => {
            format!("resnet{}", &digits[..digits.len() - 2])
        }
        _ if title.starts_with("ResNet") && title.ends_with("v1") => {
            format!("resnet{}-v1", &digits[..digits.len() - 1])
        }
        _ => return None, // He's "slim" bottleneck, option B
    })
}

/// What of a section is not so. A row is found by the paper's group, by the node's name, or by what its nodes' names begin with.
fn section_faults(variant_name: &str, section: &Section<'_>) -> Vec<String> {
    let facts = facts(&variant(variant_name).unwrap().build().unwrap());
    let mut out = Vec::new();
    if (facts.parameters, facts.macs) != (section.parameters, section.macs) {
        out.push(format!("in all: {:?}", (facts.parameters, facts.macs)));
    }
    let torchvision = variant_name.ends_with("torchvision");
    let modules = section.modules.iter().map(|m| (format!("inc{}", m.0), m.1, m.2));
    let costs: std::collections::HashMap<_, _> = modules.map(|(name, p, m)| (name, (p, m))).collect();
    for &(row, shape, parameters, macs, field) in &section.rows {
        let name = match (row, variant_name.starts_with("googlenet"), torchvision) {
            ("conv1", true, false) => "conv1.7x7_s2".into(),
            ("conv2red", true, _) => if torchvision { "conv2" } else { "conv2.3x3_reduce" }.into(),
            ("conv2", true, _) => if torchvision { "conv3" } else { "conv2.3x3" }.into(),
            ("avgpool", true, false) => "pool5".into(),
            ("fc", true, false) => "loss3.classifier".into(),
            (row, true, true) if row.starts_with("pool") => format!("max{row}"),
            (row, true, _) if row.starts_with("inc") => {
                format!("inception{}{}", if torchvision { "" } else { "_" }, &row[3..])
            }
            _ => match row.strip_prefix("stage").and_then(|r| r.split_once('_')) {
                Some((stage, block)) => format!("stage{stage}_{}", block.parse::<usize>().unwrap() + 1), // there from 0
                None => row.to_string(),
            },
        };
        let below = format!("{name}.");
        let of = |l: &&receptive::engine::facts::LayerFacts| {
            l.group.rsplit('/').next() == Some(&name) || l.name == name || l.name.starts_with(&below)
        };
        let layers: Vec<_> = facts.layers.iter().filter(of).collect();
        let Some(last) = layers.last() else {
            out.push(format!("{row}: missing"));
            continue;
        };
        let seen = last.receptive_field;
        let got = (<[usize; 3]>::from(last.shape), [seen.size, seen.jump, (-seen.start) as usize]);
        if got != (shape, field) {
            out.push(format!("{row}: {got:?}"));
        }
        let got = (layers.iter().map(|l| l.parameters).sum::<usize>(), layers.iter().map(|l| l.macs).sum::<u64>());
        // Blocks of a residual network have no cost in the file, inception modules a line of their own.
        let want = costs.get(row).copied().unwrap_or((parameters, macs));
        if got != want && (want != (0, 0) || layers.len() == 1) {
            out.push(format!("{row}: {got:?}, expected {want:?}"));
        }
    }
    out
}

#[test]
fn stages_are_as_worked_out_by_another_program() {
    let text = std::fs::read_to_string(format!("{}/tests/golden/facts.txt", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let sections = sections(&text);
    let mut checked = 0;
    for section in &sections {
        let Some(name) = variant_of(section.title).filter(|name| variant(name).is_some()) else { continue };
        assert!(section.rows.len() >= 5, "{name}");
        assert_eq!(section_faults(&name, section), Vec::<String>::new(), "{name}");
        checked += section.rows.len();
        // and another network's section is not this one's
        let other = sections.iter().find(|s| s.title != section.title && s.rows.len() > 5).unwrap();
        assert!(section_faults(&name, other).len() > 1, "{name}");
    }
    assert!(checked > 200, "only {checked} rows");
}

/// Published totals that are not in that file: torchvision's documentation, He 2015 Table 1, the lecture.
#[test]
fn totals_are_the_published_ones() {
    for (name, parameters) in [
        ("vgg11-bn", 132_868_840),
        ("vgg13-bn", 133_053_736),
        ("vgg16-bn", 138_365_992),
        ("vgg19-bn", 143_678_248),
        ("vgg19-bn-cifar", 20_365_002),
    ] {
        assert_eq!(variant(name).unwrap().build().unwrap().cost().parameters, parameters, "{name}");
    }
    for v in VARIANTS.iter().filter(|v| v.name.ends_with("-digits")) {
        let net = v.build().unwrap();
        assert!(net.cost().parameters + net.auxiliary_parameters() <= 400_000, "{}", v.name);
    }
}

#[test]
fn the_table_can_fail() {
    // Each network against the other's table: C3, the pooling and the output differ; and a stage that is not there.
    assert_eq!(faults("lenet5", LENET5_MODERN).len(), 5);
    assert_eq!(faults("lenet5", &[("C7", [1, 1, 1], 0, 0, [1, 1, 0])]).len(), 2);
}

#[test]
fn every_variant_builds_and_its_facts_add_up() {
    for variant in VARIANTS {
        let net = variant.build().unwrap();
        let facts = facts(&net);
        assert_eq!(facts.variant, variant.name);
        assert_eq!(facts.layers.len(), net.graph.nodes().len());
        let all: usize = facts.layers.iter().map(|l| l.parameters).sum();
        assert_eq!(all, facts.parameters + facts.auxiliary_parameters, "{}", variant.name);
        assert!(facts.layers.iter().all(|l| l.op == "Input" || !l.inputs.is_empty()), "{}", variant.name);
    }
}

/// C3's connections (Table I): 60 of the 96, ten from each map of S2; the first six maps take three neighbours, the last takes all.
#[test]
fn c3_is_connected_by_table_1() {
    let net = variant("lenet5").unwrap().build().unwrap();
    let c3 = net.graph.params().iter().find(|p| p.name == "c3.weight").unwrap();
    let table = c3.param.table.as_ref().unwrap();
    assert_eq!(table.connections(), 60);
    for map in 0..6 {
        assert_eq!((0..16).filter(|&out| table.connects(out, map)).count(), 10, "S2's map {map}");
    }
    let inputs: Vec<usize> = (0..16).map(|out| (0..6).filter(|&map| table.connects(out, map)).count()).collect();
    assert_eq!(inputs, [[3; 6].as_slice(), &[4; 9], &[6]].concat());
    for out in 0..6 {
        assert!((0..3).all(|i| table.connects(out, (out + i) % 6)), "C3's map {out}");
    }
}

/// Rows and columns of the input that a unit really depends on: where the gradient of its value is not zero.
/// `None`: it depends on nothing.
fn depends_on(net: &Architecture, node: usize, unit: Unit) -> Option<[usize; 4]> {
    let look = (0..net.graph.nodes().len()).collect();
    let plan = Plan::new(net, &Request { look, ..Request::gradient(2, node, false) });
    let mut executor =
        Executor::new(net.initial(3).into_iter().map(|p| p.into_iter().map(f64::from).collect::<Vec<_>>()).collect());
    let program = executor.prepare(net, plan.clone());
    let mut rng = Rng::new(11);
    executor.write(program, plan.inputs[0]).iter_mut().for_each(|v| *v = f64::from(rng.range(-1.0, 1.0)));
    let shape = net.graph.nodes()[node].shape;
    // The second image's unit: the first image must not be touched.
    executor.write(program, plan.upstream.unwrap())[shape.len() + shape.index(unit)] = 1.0;
    executor.run(program);
    let input = net.graph.nodes()[net.graph.source()].shape;
    let gradient = executor.read(program, plan.gradients[net.graph.source()].unwrap());
    assert!(gradient[..input.len()].iter().all(|&g| g == 0.0), "another image of the batch");
    let touched = (0..input.len()).filter(|&i| gradient[input.len() + i] != 0.0).map(|i| input.unit(i));
    touched.fold(None, |seen, u| {
        let [top, bottom, left, right] = seen.unwrap_or([u.y, u.y, u.x, u.x]);
        Some([top.min(u.y), bottom.max(u.y), left.min(u.x), right.max(u.x)])
    })
}

/// Exactly the rectangle, in a network without kinks; no more than the rectangle in one where units can be off.
#[test]
fn units_depend_on_their_receptive_field_and_nothing_else() {
    for (name, exact) in [("lenet5", true), ("lenet5-modern", false)] {
        let net = variant(name).unwrap().build().unwrap();
        let fields = fields(&net.graph);
        let mut touched = 0;
        for (id, node) in net.graph.nodes().iter().enumerate().skip(1) {
            let shape = node.shape;
            for unit in [Unit { c: 0, y: 0, x: 0 }, Unit { c: shape.c - 1, y: shape.h / 2, x: shape.w - 1 }] {
                if node.name == "flatten" {
                    continue; // its unit is one unit of the maps before, which the field of a vector cannot say
                }
                let (y, x) = (fields[id].y.of(unit.y).clamp(32), fields[id].x.of(unit.x).clamp(32));
                let field = [y.first, y.last, x.first, x.last].map(|v| v as usize);
                let Some(seen) = depends_on(&net, id, unit) else {
                    assert!(!exact, "{name} {}: depends on nothing", node.name);
                    continue;
                };
                touched += 1;
                if exact {
                    assert_eq!(seen, field, "{name} {} {unit:?}", node.name);
                } else {
                    let [[top, bottom, left, right], [t, b, l, r]] = [seen, field];
                    let inside = top >= t && bottom <= b && left >= l && right <= r;
                    assert!(inside, "{name} {} {unit:?}: {seen:?} in {field:?}", node.name);
                }
            }
        }
        assert!(touched > 12, "{name}: only {touched} units that depend on anything");
    }
}
