//! Scenes: nothing overlaps, every edge is drawn, every unit is found again under the pointer, and the drawings are as recorded.
//! `UPDATE_SNAPSHOTS=1 cargo test --test scenes` rewrites `tests/snapshots/*.svg`; look at them afterwards.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::arch::{Architecture, VARIANTS, variant};
use receptive::colormap::Palette;
use receptive::graph::Graph;
use receptive::graph::layout::{Edge, Frame, folded, group_name};
use receptive::graph::receptive_field::fields;
use receptive::graph::skips::{SkipKind, roles, skips};
use receptive::ops::explain::Explanation;
use receptive::ops::{Activation, Ask, Conv2d, Flatten, Kind, Layer, Linear, Loss, MaxPool2d, Window};
use receptive::rng::Rng;
use receptive::scene::arithmetic::{arithmetic, backward};
use receptive::scene::beats::beats;
use receptive::scene::chart::{self, Curve, GradientRow, Reading};
use receptive::scene::equations::{Source, Story, equations};
use receptive::scene::field::{self, Overlay};
use receptive::scene::stage::{Label, Stage, stage, surface, to_svg, to_svg_at_levels};
use receptive::scene::strip::strip;
use receptive::scene::{Drawing, Words, number, standalone, text_width};
use receptive::tensor::{Shape, Unit};

fn snapshot(name: &str, drawing: &Drawing) {
    let path = format!("{}/tests/snapshots/{name}.svg", env!("CARGO_MANIFEST_DIR"));
    assert!(!drawing.svg.contains("NaN") && !drawing.svg.contains("inf"), "{name}: a number that is none");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &drawing.svg).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(drawing.svg == want, "{name}: the drawing changed; UPDATE_SNAPSHOTS=1 rewrites it, git diff shows how");
}

/// A trunk with an auxiliary head, a branch that is never joined, odd shapes, more maps than a card shows, a prime vector.
fn branched() -> Architecture {
    let mut g = Graph::new();
    let x = g.input("input", Shape::new(3, 75, 61)).unwrap();
    let a = g.push("a", Conv2d::new(5, 3).stride(2).padding(1), &[x]).unwrap();
    let b = g.push("b", MaxPool2d(Window::square(3).stride(2).padding(1).ceil_mode()), &[a]).unwrap();
    let b1 = g.push("b1", Conv2d::new(7, 1), &[b]).unwrap();
    g.push("b1_act", Activation::Relu, &[b1]).unwrap();
    let b2 = g.push("b2", Conv2d::new(4, 1), &[b]).unwrap();
    let b3 = g.push("b3", Conv2d::new(300, 3).padding(1).groups(2), &[b2]).unwrap();
    let pool = g.push("pool", MaxPool2d(Window::square(2).stride(2)), &[b3]).unwrap();
    let aux = g.push("aux_flatten", Flatten, &[b2]).unwrap();
    g.push("aux", Linear::new(11), &[aux]).unwrap();
    let f = g.push("flatten", Flatten, &[pool]).unwrap();
    let f = g.push("fc", Linear::new(127), &[f]).unwrap();
    let f = g.push("relu", Activation::Relu, &[f]).unwrap();
    let output = g.push("head", Linear::new(10), &[f]).unwrap();
    Architecture::unnamed(g, output, Loss::CrossEntropy)
}

fn networks() -> Vec<(String, Architecture)> {
    // Of each kind of layer some; deeper ones only repeat them.
    let chosen = ["lenet5", "lenet5-modern", "alexnet-digits"];
    let chosen = VARIANTS.iter().filter(|v| chosen.contains(&v.name));
    let mut all: Vec<_> = chosen.map(|v| (v.name.to_string(), v.build().unwrap())).collect();
    all.push(("branched".into(), branched()));
    all
}

/// Type on a laptop.
const FONT: f32 = 12.0;

const PAGES: [(f32, f32); 5] = [(1920.0, 760.0), (1440.0, 560.0), (1100.0, 480.0), (768.0, 600.0), (390.0, 500.0)];

fn stages() -> Vec<(String, Architecture, Stage)> {
    let mut out = Vec::new();
    for (name, net) in networks() {
        for (w, h) in PAGES {
            out.push((format!("{name} on {w}×{h}"), net.clone(), stage(&net, w, h, &[], &Words::default())));
        }
    }
    out
}

fn inside(outer: Frame, inner: Frame) -> bool {
    inner.x >= outer.x - 0.01
        && inner.y >= outer.y - 0.01
        && inner.right() <= outer.right() + 0.01
        && inner.bottom() <= outer.bottom() + 0.01
}

/// No card on another, no text or map outside of its card or on another.
fn check_cards(at: &str, stage: &Stage) {
    let page = Frame::new(0.0, 0.0, stage.size[0], stage.size[1]);
    let apart = |labels: &[Label], at: &str| {
        for (j, label) in labels.iter().enumerate() {
            for other in &labels[j + 1..] {
                assert!(!label.frame().overlaps(other.frame()), "{at}: {label:?} on {other:?}");
            }
        }
    };
    for (i, card) in stage.cards.iter().enumerate() {
        assert!(inside(page, card.rect), "{at}: {} leaves the stage", card.title);
        for other in &stage.cards[i + 1..] {
            assert!(!card.rect.overlaps(other.rect), "{at}: {} on {}", card.title, other.title);
        }
        let at = format!("{at}: {}", card.title);
        for labels in [&card.labels, &card.middle, &card.far] {
            apart(labels, &at);
            for label in labels {
                assert!(inside(card.rect, label.frame()), "{at}: {label:?} in {:?}", card.rect);
                assert!(label.size > 4.0, "{at}: {label:?} cannot be read");
            }
        }
        for (j, map) in card.maps.iter().enumerate() {
            assert!(inside(card.rect, map.rect), "{at} map {j}");
            for label in card.labels.iter().chain(&card.middle) {
                assert!(!label.frame().overlaps(map.rect), "{at}: {label:?} on map {}", map.map);
            }
            // In a grid only neighbours could overlap.
            for other in card.maps.iter().skip(j + 1).take(24) {
                assert!(!map.rect.overlaps(other.rect), "{at} maps {} and {}", map.map, other.map);
            }
        }
        for (bar, map) in card.bars.iter().zip(&card.maps) {
            assert!(inside(card.rect, *bar) && !bar.overlaps(map.rect), "{at} bar");
        }
        let slab = card.glyph.front;
        let whole = Frame::new(
            slab.x,
            slab.y - card.glyph.depth * 0.66,
            slab.w + card.glyph.depth,
            slab.h + card.glyph.depth * 0.66,
        );
        assert!(inside(card.rect, whole) && whole.w > 0.0, "{at}: {whole:?} in {:?}", card.rect);
        assert!(card.far.iter().all(|l| !l.frame().overlaps(whole)), "{at}: the title is on the slab");
    }
}

/// Boxes hold their group's cards and no others; names of groups and shortcuts stand apart from cards and from one another.
fn check_groups(at: &str, net: &Architecture, stage: &Stage) {
    let page = Frame::new(0.0, 0.0, stage.size[0], stage.size[1]);
    let below = |path: &str, group: &str| path == group || path.starts_with(&format!("{group}/"));
    for group in &stage.boxes {
        assert!(inside(page, group.frame), "{at}: {} leaves the stage", group.path);
        for card in &stage.cards {
            let own = below(&net.graph.nodes()[card.layer].group, &group.path);
            assert!(own || !card.rect.overlaps(group.frame), "{at}: {} in the box of {}", card.title, group.path);
        }
        for other in stage.boxes.iter().filter(|o| !below(&o.path, &group.path) && !below(&group.path, &o.path)) {
            assert!(!group.frame.overlaps(other.frame), "{at}: {} and {}", group.path, other.path);
        }
    }
    for group in &stage.open {
        let cards = stage.cards.iter().filter(|c| below(&net.graph.nodes()[c.layer].group, group));
        for card in cards {
            let held = stage.boxes.iter().any(|b| b.path == *group && inside(b.frame, card.rect));
            assert!(held, "{at}: {} is in no box of {group}", card.title);
        }
        assert_eq!(stage.boxes.iter().filter(|b| b.path == *group && b.label.is_some()).count(), 1, "{at}: {group}");
    }
    let names: Vec<&Label> = stage.boxes.iter().filter_map(|b| b.label.as_ref()).chain(&stage.notes).collect();
    for (i, name) in names.iter().enumerate() {
        for other in &names[i + 1..] {
            assert!(!name.frame().overlaps(other.frame()), "{at}: {name:?} on {other:?}");
        }
        let card = stage.cards.iter().find(|c| c.rect.overlaps(name.frame()));
        assert!(card.is_none(), "{at}: {name:?} on {}", card.unwrap().title);
    }
}

/// Each shortcut whose end is to be seen says once, on its own line, what it does; no other line runs through a name.
fn check_skips(at: &str, net: &Architecture, stage: &Stage) {
    let words = Words::default();
    let skips = skips(&net.graph);
    let seen: Vec<_> = skips.iter().filter(|s| stage.cards[stage.card_of(s.to).unwrap()].folded.is_none()).collect();
    assert_eq!(stage.notes.len(), seen.len(), "{at}: one name for each shortcut");
    let ends = |e: &Edge| [e.from, e.to];
    let mut named = vec![0; stage.notes.len()];
    for skip in seen {
        let mut stops = vec![stage.card_of(skip.from).unwrap()];
        stops.extend(skip.through.iter().rev().map(|&id| stage.card_of(id).unwrap()));
        stops.push(stage.card_of(skip.to).unwrap());
        stops.dedup();
        let own: Vec<&Edge> = stage.edges.iter().filter(|e| stops.windows(2).any(|s| s == ends(e))).collect();
        assert_eq!(own.len(), stops.len() - 1, "{at}: {skip:?} is drawn in full");
        assert!(own.iter().all(|e| e.kind == Some(skip.kind)), "{at}: {skip:?} is drawn as what it is");
        // Within a band a shortcut is a curve.
        let band = |e: &Edge| stage.cards[e.from].rect.right() < stage.cards[e.to].rect.x;
        assert!(own.iter().all(|e| e.curved || !band(e)), "{at}: {skip:?} has corners");
        let word = match skip.kind {
            SkipKind::Identity => &words.identity,
            SkipKind::Projection => &words.projection,
            SkipKind::Padded => &words.padded,
        };
        let on = |label: &Label| own.iter().flat_map(|e| runs(e)).any(|r| r.overlaps(label.frame()));
        let found = (0..named.len()).find(|&i| named[i] == 0 && stage.notes[i].text == *word && on(&stage.notes[i]));
        named[found.unwrap_or_else(|| panic!("{at}: {skip:?} has no name"))] += 1;
    }
    for (note, edge) in stage.notes.iter().flat_map(|n| stage.edges.iter().map(move |e| (n, e))) {
        let through = runs(edge).iter().any(|r| r.overlaps(note.frame()));
        assert!(!through || edge.kind.is_some(), "{at}: {edge:?} runs through {note:?}");
    }
    for name in stage.boxes.iter().filter_map(|b| b.name()) {
        let through = stage.edges.iter().find(|e| runs(e).iter().any(|r| r.overlaps(name)));
        assert!(through.is_none(), "{at}: {through:?} runs through a group's name at {name:?}");
    }
}

#[test]
fn nothing_overlaps_and_nothing_sticks_out() {
    for (at, net, stage) in stages() {
        check_cards(&at, &stage);
        check_groups(&at, &net, &stage);
    }
}

/// Every network as it is opened, with all its groups open, and with some single ones the other way round.
#[test]
fn every_network_is_laid_out_without_a_fault() {
    for v in VARIANTS {
        let net = v.build().unwrap();
        let mut groups: Vec<String> =
            net.graph.nodes().iter().flat_map(|n| n.group.split('/')).map(String::from).collect();
        groups.sort();
        groups.dedup();
        groups.retain(|g| !g.is_empty());
        let mut open: Vec<String> = Vec::new(); // what has to be toggled for all to be open
        while let closed @ [_, ..] =
            &folded(&net.graph, &open).0.iter().filter_map(|c| c.folded.as_deref()).collect::<Vec<_>>()[..]
        {
            open.extend(closed.iter().map(|g| group_name(g).to_string()));
        }
        let few = groups.iter().step_by(groups.len() / 4 + 1).map(|g| vec![g.clone()]);
        let toggles = [Vec::new(), open].into_iter().chain(few);
        for (i, toggled) in toggles.enumerate() {
            // Laptop, phone, a laptop's projector, 4K.
            let all =
                [([1100.0, 470.0], FONT), ([366.0, 440.0], FONT), ([950.0, 420.0], 17.0), ([3400.0, 1000.0], 23.0)];
            for &(view, font) in if i < 2 { &all[..] } else { &all[..1] } {
                let at = format!("{} in {view:?} at {font} px, {toggled:?}", v.name);
                let stage = surface(&net, view, font, &toggled, &Words::default());
                let smallest = stage.cards.iter().flat_map(|c| &c.labels).filter(|l| l.class != "class");
                assert!(smallest.clone().all(|l| l.size >= font), "{at}: type grows with the page's");
                check_cards(&at, &stage);
                check_edges(&at, &net, &stage);
                check_groups(&at, &net, &stage);
                check_skips(&at, &net, &stage);
            }
        }
    }
}

/// What an edge passes, stretch by stretch.
fn runs(edge: &Edge) -> Vec<Frame> {
    let dot = |p: [f32; 2]| Frame::new(p[0], p[1], 0.1, 0.1);
    edge.trace().windows(2).map(|p| dot(p[0]).around(dot(p[1]))).collect()
}

/// The cards that an edge passes over, beside its two ends.
fn crossed<'a>(stage: &'a Stage, edge: &Edge) -> Vec<&'a str> {
    let others = stage.cards.iter().enumerate().filter(|(i, _)| *i != edge.from && *i != edge.to);
    let runs = runs(edge);
    others.filter(|(_, c)| runs.iter().any(|r| r.overlaps(c.rect))).map(|(_, c)| c.title.as_str()).collect()
}

/// Every edge is drawn, from its card to its card, and passes over no other.
fn check_edges(at: &str, net: &Architecture, stage: &Stage) {
    let mut wanted = std::collections::BTreeSet::new();
    for (id, node) in net.graph.nodes().iter().enumerate() {
        for &input in &node.inputs {
            let (from, to) = (stage.card_of(input).unwrap(), stage.card_of(id).unwrap());
            if from != to {
                wanted.insert((from, to));
            }
        }
    }
    let drawn: std::collections::BTreeSet<_> = stage.edges.iter().map(|e| (e.from, e.to)).collect();
    assert_eq!(drawn, wanted, "{at}");
    assert_eq!(stage.edges.len(), wanted.len(), "{at}: an edge is drawn twice");
    let page = Frame::new(0.0, 0.0, stage.size[0], stage.size[1]);
    for edge in &stage.edges {
        let touches = |card: usize, p: [f32; 2]| stage.cards[card].rect.grow(4.0).contains(p[0], p[1]);
        for points in edge.strands.iter().chain([&edge.trace()]) {
            assert!(touches(edge.from, points[0]), "{at}: {edge:?}");
            assert!(touches(edge.to, *points.last().unwrap()), "{at}: {edge:?}");
            assert!(points.iter().all(|p| page.contains(p[0], p[1])), "{at}: {edge:?} leaves the stage");
        }
        assert_eq!(crossed(stage, edge), [""; 0], "{at}: {edge:?}");
    }
    let svg = to_svg(stage, at).svg;
    assert_eq!(svg.matches("class=\"edge").count(), wanted.len() + 1, "{at}");
    let lines: usize = stage.edges.iter().map(|e| e.strands.len().max(1)).sum();
    assert_eq!(svg.matches("class=\"arrow").count(), lines, "{at}");
}

#[test]
fn every_edge_is_drawn_from_its_card_to_its_card() {
    for (at, net, stage) in stages() {
        check_edges(&at, &net, &stage);
    }
}

#[test]
fn shortcuts_are_named_and_towers_stand_apart() {
    let words = Words::default();
    let open = |name: &str, toggled: &[&str]| {
        let net = variant(name).unwrap().build().unwrap();
        let toggled: Vec<String> = toggled.iter().map(|t| t.to_string()).collect();
        (surface(&net, [1100.0, 470.0], FONT, &toggled, &words), net)
    };
    let (stage, _) = open("resnet50", &["conv2_1", "conv2_2"]);
    let texts: Vec<&str> = stage.notes.iter().map(|l| l.text.as_str()).collect();
    assert_eq!(texts, ["projection", "identity"]);
    // A closed group says what it hides.
    let told = |stage: &Stage| -> Vec<String> {
        stage.cards.iter().map(|c| c.op.clone()).filter(|op| op.contains("skip")).collect()
    };
    assert_eq!(told(&stage)[..2], ["3 layers, skip: identity", "3 layers, skip: projection"]);
    let whole = told(&open("resnet152", &[]).0);
    assert_eq!(whole[2], "108 layers, skip: projection, skip: identity × 35");
    for card in stage.cards.iter().filter(|c| c.op.contains("skip")) {
        for labels in [&card.labels, &card.middle] {
            assert!(labels.iter().any(|l| l.class == "skips" && l.text.starts_with("skip: ")), "{}", card.title);
        }
    }
    assert!(stage.edges.iter().filter(|e| e.kind.is_some()).all(|e| e.curved), "as arcs");
    let (stage, _) = open("resnet20-cifar", &["stage2_1", "stage2_2"]);
    let mut texts: Vec<&str> = stage.notes.iter().map(|l| l.text.as_str()).collect();
    texts.sort_unstable();
    assert!(texts.contains(&"identity") && texts.contains(&"zero-padded"), "{texts:?}");
    for (name, width) in [("alexnet", 1100.0), ("alexnet", 700.0), ("alexnet", 366.0), ("alexnet-digits", 1100.0)] {
        let net = variant(name).unwrap().build().unwrap();
        let stage = surface(&net, [width, 470.0], FONT, &[], &words);
        let card = |name: &str| &stage.cards[stage.card_of(net.graph.find(name).unwrap()).unwrap()];
        let edge = |from: &str, to: &str| {
            let ends = [from, to].map(|n| stage.card_of(net.graph.find(n).unwrap()).unwrap());
            stage.edges.iter().find(|e| [e.from, e.to] == ends).unwrap()
        };
        for (from, to, wanted) in [
            ("pool1", "conv2", 2),
            ("pool2", "conv3", 4),
            ("conv3", "conv4", 2),
            ("pool5", "fc6", 4),
            ("fc6", "fc7", 4),
        ] {
            // From each tower to each that sees it, whether side by side or into another band; and then they cross.
            let edge = edge(from, to);
            assert_eq!(edge.strands.len(), wanted, "{name}: {from} to {to}");
            let crossing = |a: &[[f32; 2]], b: &[[f32; 2]]| {
                let side = |p: [f32; 2], q: [f32; 2], r: [f32; 2]| {
                    ((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])).signum()
                };
                let cross = |p: &[[f32; 2]], q: &[[f32; 2]]| {
                    side(p[0], p[1], q[0]) * side(p[0], p[1], q[1]) < 0.0
                        && side(q[0], q[1], p[0]) * side(q[0], q[1], p[1]) < 0.0
                };
                a.windows(2).any(|p| b.windows(2).any(|q| cross(p, q)))
            };
            let across = wanted == 4 && crossing(&edge.strands[1], &edge.strands[2]);
            assert_eq!(across, wanted == 4, "{name}: {from} to {to}");
        }
        for name in ["conv1", "conv2", "conv3", "conv5"] {
            let card = card(name);
            assert_eq!(card.towers.len(), 2, "{name}");
            // The first half of the maps is in the upper tower, the second in the lower.
            for map in &card.maps {
                let tower = card.towers[usize::from(map.map >= card.shape.c / 2)];
                assert!(inside(tower, map.rect), "{name}: map {}", map.map);
            }
        }
        assert!(
            card("fc8").towers.is_empty()
                && card("fc7").maps.iter().all(|m| m.rows * m.cols == card("fc7").shape.c / 2)
        );
    }
}

#[test]
fn the_strip_says_what_each_layer_costs() {
    let words = Words::default();
    let net = variant("lenet5").unwrap().build().unwrap();
    let lenet = strip(&net, &[], 1100.0, FONT, &words);
    let told: Vec<&str> = lenet.columns.iter().map(|c| c.told.as_str()).collect();
    assert_eq!(told[0], "Input · 4.10 kB");
    assert_eq!(told[1], "C1 · 156 params · 117,600 MACs · 18.8 kB · RF 5×5"); // 6·28·28·4 bytes
    assert_eq!(told[5], "C5 · 48,120 params · 48,000 MACs · 480 B · RF 32×32");
    snapshot("strip-lenet5", &lenet.drawing);
    for (name, width) in [("vgg16", 1100.0), ("resnet152", 1100.0), ("googlenet", 366.0)] {
        let net = variant(name).unwrap().build().unwrap();
        let strip = strip(&net, &[], width, FONT, &words);
        let stage = surface(&net, [width, 470.0], FONT, &[], &words);
        let nodes = |c: &receptive::scene::strip::Column| c.node;
        assert_eq!(
            strip.columns.iter().map(nodes).collect::<Vec<_>>(),
            stage.cards.iter().map(|c| c.node).collect::<Vec<_>>()
        );
        assert_eq!(sticking_out(&strip.drawing), [""; 0], "{name}");
        assert!(strip.columns.last().unwrap().frame.right() <= width, "{name}");
        let only = strip.columns.iter().filter(|c| c.told.ends_with(" · in training only")).count();
        assert_eq!(only, net.auxiliary.len(), "{name}");
        snapshot(&format!("strip-{name}"), &strip.drawing);
    }
}

#[test]
fn a_drawing_stands_alone_without_a_style_sheet() {
    let net = variant("lenet5").unwrap().build().unwrap();
    let stage = surface(&net, [1100.0, 470.0], FONT, &[], &Words::default());
    let alone = standalone(&to_svg(&stage, "LeNet-5").svg);
    assert!(!alone.contains("var(") && alone.contains("#1f68b3") && alone.contains("117,600 MACs"));
    assert_eq!(
        standalone(r#"<svg a="1"><g fill="var(--x,#123456)" stroke="var(--y,#abcdef)"/></svg>"#).matches('#').count(),
        3
    );
    let levels = to_svg_at_levels(&stage, "LeNet-5").svg;
    for class in ["near", "middle", "far"] {
        assert!(levels.contains(&format!("<g class=\"{class}\">")), "{class}");
    }
}

#[test]
fn every_unit_is_found_again_under_the_pointer() {
    for (at, net, stage) in stages() {
        for card in &stage.cards {
            assert_eq!(net.graph.nodes()[card.node].shape, card.shape);
            let (mut drawn, mut hidden) = (0, 0);
            for i in 0..card.shape.len() {
                let unit = card.shape.unit(i);
                let Some(rect) = stage.unit_rect(card.node, unit) else {
                    hidden += 1;
                    continue;
                };
                let [x, y] = rect.centre();
                assert_eq!(stage.hit(x, y), Some((card.node, unit)), "{at}: {} {unit:?}", card.title);
                drawn += 1;
            }
            assert_eq!(hidden, card.left_out * card.shape.map(), "{at}: {}", card.title);
            assert!(drawn > 0, "{at}: {} is empty", card.title);
            assert_eq!(stage.hit(card.rect.x + 1.0, card.rect.y + 1.0), None, "{at}: a border is no unit");
        }
        assert_eq!(stage.hit(-1.0, -1.0), None);
    }
}

#[test]
fn lenet_fits_a_laptop_without_scrolling_and_maps_are_whole_multiples() {
    for name in ["lenet5", "lenet5-modern"] {
        let net = variant(name).unwrap().build().unwrap();
        for (w, h) in &PAGES[..3] {
            let stage = stage(&net, *w, *h, &[], &Words::default());
            assert_eq!(stage.size, [*w, *h], "{name}");
            for map in stage.cards.iter().flat_map(|c| &c.maps).filter(|m| m.rows > 1) {
                let (x, y) = (map.rect.w / map.cols as f32, map.rect.h / map.rows as f32);
                assert!(
                    x == y && x.fract() == 0.0 && map.rect.x.fract() == 0.0 && map.rect.y.fract() == 0.0,
                    "{map:?}"
                );
            }
        }
    }
}

#[test]
fn surfaces_are_as_recorded() {
    let cases = [("alexnet", vec![]), ("resnet34", vec!["conv2_1".to_string(), "conv3_1".into()])];
    for (name, toggled) in cases {
        let net = variant(name).unwrap().build().unwrap();
        let stage = surface(&net, [1100.0, 470.0], FONT, &toggled, &Words::default());
        snapshot(&format!("surface-{name}"), &to_svg_at_levels(&stage, name));
    }
}

#[test]
fn stages_are_as_recorded() {
    for (name, net) in networks() {
        for (w, h) in [PAGES[0], PAGES[2], PAGES[4]] {
            let stage = stage(&net, w, h, &[], &Words::default());
            snapshot(&format!("stage-{name}-{w}"), &to_svg(&stage, &name));
        }
    }
}

/// Texts of a drawing that stick out of it.
fn sticking_out(drawing: &Drawing) -> Vec<String> {
    let mut out = Vec::new();
    for piece in drawing.svg.split("<text ").skip(1) {
        let (tag, rest) = piece.split_once('>').unwrap();
        if tag.contains("rotate") {
            continue;
        }
        let text = rest.split_once('<').unwrap().0;
        let value = |name: &str| -> f32 {
            tag.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0.parse().unwrap()
        };
        let (x, y, size) = (value("x"), value("y"), value("font-size"));
        let wide = text_width(text, size) * 0.9;
        let left = match tag {
            t if t.contains("anchor=\"middle") => x - wide / 2.0,
            t if t.contains("anchor=\"end") => x - wide,
            _ => x,
        };
        if left < -1.0 || left + wide > drawing.width + 1.0 || y - size * 0.75 < -1.0 || y > drawing.height + 1.0 {
            out.push(text.to_string());
        }
    }
    out
}

fn check_overlay(at: &str, net: &Architecture, stage: &Stage, overlay: &Overlay, backwards: bool) {
    let own = stage.card_of(overlay.node).unwrap();
    for patch in &overlay.patches {
        let card = &stage.cards[patch.card];
        assert_eq!(patch.card < own, backwards, "{at}");
        let map = card.maps[patch.map].rect;
        assert!(inside(map, patch.inside), "{at}: {} {patch:?}", card.title);
        if card.shape.map() > 1 {
            assert!(overlay.maps[card.node].as_ref().unwrap()[card.maps[patch.map].map]);
            let unit = (map.w / card.shape.w as f32, map.h / card.shape.h as f32);
            let wide = patch.seen.x.len() as f32 * unit.0;
            assert!((patch.rect.w - wide).abs() < 0.01, "{at}: {} {patch:?}", card.title);
        }
    }
    if backwards && overlay.node != net.graph.source() {
        let seen = overlay.input.unwrap();
        let field = fields(&net.graph)[overlay.node];
        assert_eq!((seen.y.len(), seen.x.len()), (field.y.size(), field.x.size()), "{at}");
    }
}

#[test]
fn a_unit_is_shown_what_it_sees_and_a_pixel_whom_it_reaches() {
    for (at, net, stage) in stages() {
        for card in &stage.cards {
            for i in (0..card.shape.len()).step_by(card.shape.len() / 7 + 1) {
                let unit = card.shape.unit(i);
                let overlay = field::field(&stage, &net.graph, card.node, unit);
                assert_eq!(overlay.is_some(), stage.unit_rect(card.node, unit).is_some(), "{at}");
                let Some(overlay) = overlay else { continue };
                // every card before it that it depends on has a patch, unless all its maps are left out
                for (j, before) in stage.cards.iter().enumerate().filter(|(_, c)| c.node < card.node) {
                    let feeds =
                        overlay.maps[before.node].as_ref().is_some_and(|m| before.maps.iter().any(|r| m[r.map]));
                    let vector = before.shape.map() == 1;
                    assert!(vector || feeds == overlay.patches.iter().any(|p| p.card == j), "{at}: {}", before.title);
                }
                check_overlay(&at, &net, &stage, &overlay, true);
                let reached = field::reached(&stage, &net.graph, card.node, unit).unwrap();
                check_overlay(&at, &net, &stage, &reached, false);
            }
        }
        assert!(field::field(&stage, &net.graph, 0, Unit { c: 9, y: 0, x: 0 }).is_none());
        assert!(field::field(&stage, &net.graph, 999, Unit { c: 0, y: 0, x: 0 }).is_none());
    }
}

#[test]
fn a_patch_reaches_beyond_the_edge_where_it_lies_in_padding() {
    let net = branched();
    let stage = stage(&net, 1440.0, 560.0, &[], &Words::default());
    let b3 = net.graph.find("b3").unwrap();
    let overlay = field::field(&stage, &net.graph, b3, Unit { c: 0, y: 0, x: 0 }).unwrap();
    assert!(overlay.patches.iter().all(|p| p.overhangs() == (p.seen.x.first < 0)));
    assert!(overlay.patches.iter().any(field::Patch::overhangs));
    assert_eq!(overlay.maps[net.graph.find("b2").unwrap()].as_deref(), Some(&[true, true, false, false][..]));
}

#[test]
fn fields_are_as_recorded() {
    let net = variant("lenet5").unwrap().build().unwrap();
    let stage = stage(&net, 1100.0, 480.0, &[], &Words::default()); // as the recorded stage-lenet5-1100, over which they lie
    for (name, unit) in [("c1_act", (3, 9, 14)), ("c3_act", (9, 2, 7)), ("f6_act", (30, 0, 0))] {
        let unit = Unit { c: unit.0, y: unit.1, x: unit.2 };
        let node = net.graph.find(name).unwrap();
        let overlay = field::field(&stage, &net.graph, node, unit).unwrap();
        snapshot(&format!("field-lenet5-{name}"), &field::to_svg(&overlay, &stage, name));
    }
    let overlay = field::reached(&stage, &net.graph, 0, Unit { c: 0, y: 13, x: 17 }).unwrap();
    snapshot("field-lenet5-pixel", &field::to_svg(&overlay, &stage, "pixel"));
}

/// Through inception modules and residual blocks, folded and open; the widest path is marked from the input on.
#[test]
fn fields_go_through_branches_and_shortcuts() {
    let networks =
        [("googlenet", "inception_4c"), ("resnet50", "conv3_2"), ("googlenet-digits", ""), ("resnet-digits", "")];
    for (name, opened) in networks {
        let net = variant(name).unwrap().build().unwrap();
        let toggled = [Vec::new(), vec![opened.to_string()]];
        for groups in toggled {
            let stage = stage(&net, 1440.0, 560.0, &groups, &Words::default());
            let mut marked = 0;
            for card in stage.cards.iter().filter(|c| c.node <= net.output && net.inference_nodes()[c.node]) {
                let unit = Unit { c: 0, y: card.shape.h / 2, x: card.shape.w / 2 };
                let overlay = field::field(&stage, &net.graph, card.node, unit).unwrap();
                check_overlay(&format!("{name} {groups:?}"), &net, &stage, &overlay, true);
                if !overlay.widest.is_empty() {
                    // A chain of edges from the input to this card.
                    let chain: Vec<_> = overlay.widest.iter().map(|&e| &stage.edges[e]).collect();
                    assert!(chain.windows(2).all(|w| w[0].to == w[1].from), "{name}: a gap");
                    assert_eq!(stage.cards[chain[0].from].node, net.graph.source());
                    assert_eq!(stage.cards[chain.last().unwrap().to].node, card.node, "{name}");
                    marked += 1;
                }
            }
            assert!(marked > 2, "{name} {groups:?}: {marked}");
        }
    }
    for (name, y, x) in [("googlenet-digits", 3, 2), ("resnet-digits", 1, 0)] {
        let net = variant(name).unwrap().build().unwrap();
        let stage = stage(&net, 1440.0, 560.0, &[], &Words::default());
        let overlay = field::field(&stage, &net.graph, net.last_maps(), Unit { c: 0, y, x }).unwrap();
        snapshot(&format!("field-{name}"), &field::to_svg(&overlay, &stage, name));
    }
}

/// Explanations of one unit of a layer and what follows it unit by unit, for random inputs and weights; and what it reads.
fn told(net: &Architecture, name: &str, unit: Unit) -> (Vec<Explanation>, Vec<Source>) {
    let mut rng = Rng::new(11);
    let params = net.initial(5);
    let mut out: Vec<Explanation> = Vec::new();
    let id = net.graph.find(name).unwrap();
    let nodes = net.graph.nodes();
    let mut chain = vec![id];
    while let Some(next) = net.graph.consumers(chain[chain.len() - 1]).next()
        && matches!(nodes[next].op.kind(), Kind::Activation | Kind::Normalisation)
    {
        chain.push(next);
    }
    for node in chain {
        let n = &nodes[node];
        let shapes = net.graph.input_shapes(node);
        let mut inputs: Vec<Vec<f32>> =
            shapes.iter().map(|s| (0..s.len()).map(|_| rng.range(-1.0, 1.5)).collect()).collect();
        if let Some(before) = out.last() {
            inputs[0][n.shape.index(unit)] = before.steps.last().unwrap().1;
        }
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let own: Vec<&[f32]> = net.graph.params_of(node).map(|i| params[i].as_slice()).collect();
        let ask = Ask { inputs: &inputs, shapes: &shapes, params: &own, output: n.shape, unit };
        out.push(n.op.explain(&ask).scaled(&ask));
    }
    let inputs = nodes[id].inputs.iter().zip(roles(&net.graph, id));
    let sources =
        inputs.map(|(&i, role)| Source { name: nodes[i].name.clone(), role, maps: nodes[i].shape.c }).collect();
    (out, sources)
}

/// A unit of every kind of layer, of every network.
const UNITS: [(&str, &str, [usize; 3]); 17] = [
    ("lenet5", "c1", [3, 9, 14]),
    ("lenet5", "s2", [2, 3, 4]),
    ("lenet5", "c3", [7, 2, 9]),
    ("lenet5", "c5", [100, 0, 0]),
    ("lenet5", "f6", [30, 0, 0]),
    ("lenet5", "output", [9, 0, 0]),
    ("lenet5-modern", "pool1", [2, 3, 4]),
    ("lenet5-modern", "fc1", [2, 0, 0]),
    ("googlenet", "conv2.3x3", [3, 20, 20]),
    ("googlenet-digits", "inception_3a", [9, 2, 3]),
    ("googlenet", "pool5", [9, 0, 0]),
    ("resnet-digits", "layer3.0.conv1", [5, 1, 0]),
    ("resnet20-cifar", "layer2.0.add", [5, 1, 0]),
    ("resnet20-cifar", "layer2.0.shortcut", [3, 1, 0]),
    ("resnet18", "layer2.0.add", [5, 10, 10]),
    ("resnet18", "layer1.1.add", [5, 10, 10]),
    ("vgg19-bn-cifar", "features.3", [5, 10, 10]),
];

fn story<'a>((explanations, sources): &'a (Vec<Explanation>, Vec<Source>), unit: Unit) -> Story<'a> {
    Story { explanations, sources, map: unit.c, by_map: false }
}

#[test]
fn arithmetic_is_readable_at_every_width_and_as_recorded() {
    for (network, layer, [c, y, x]) in UNITS {
        let unit = Unit { c, y, x };
        let net = variant(network).unwrap().build().unwrap();
        let told = told(&net, layer, unit);
        let story = story(&told, unit);
        for width in [300.0, 360.0, 480.0, 620.0, 760.0, 900.0, 1100.0, 1500.0] {
            let drawing = arithmetic(&story, None, width, Palette::Light, &Words::default());
            assert!(drawing.width <= width, "{layer}: {} in {width}", drawing.width);
            assert_eq!(sticking_out(&drawing), [""; 0], "{network} {layer} in {width}");
            if width == 620.0 {
                snapshot(&format!("arithmetic-{network}-{layer}"), &drawing);
            }
        }
        let svg = arithmetic(&story, None, 900.0, Palette::Light, &Words::default()).svg;
        // every input map is told, in full or in the list
        let listed = (2..=64).contains(&told.0[0].terms.len());
        for term in told.0[0].terms.iter().filter(|_| listed) {
            assert!(svg.contains(&format!("map {}<", term.map)) || svg.contains(&format!("map {} ·", term.map)));
        }
        // and every input layer of several by its name
        for source in told.1.iter().filter(|_| told.1.len() > 1) {
            assert!(svg.contains(&source.name), "{layer}: {}", source.name);
        }
    }
    let nothing = Story { explanations: &[], sources: &[], map: 0, by_map: false };
    arithmetic(&nothing, None, 360.0, Palette::Dark, &Words::default());
}

#[test]
fn sums_and_concatenations_say_where_each_part_comes_from() {
    let lines = |network: &str, layer: &str, [c, y, x]: [usize; 3]| {
        let unit = Unit { c, y, x };
        let told = told(&variant(network).unwrap().build().unwrap(), layer, unit);
        (equations(&story(&told, unit), &Words::default()), told.1.iter().map(|s| s.name.clone()).collect::<Vec<_>>())
    };
    let (text, sources) = lines("resnet50", "layer1.0.add", [5, 10, 10]);
    assert!(text[0].starts_with("z = F(x) + Wₛ·x = "), "{text:?}");
    assert_eq!(sources, ["layer1.0.bn3", "layer1.0.downsample.1"]);
    let (text, sources) = lines("resnet50", "layer1.1.add", [5, 10, 10]);
    assert!(text[0].starts_with("z = F(x) + x = "), "{text:?}");
    assert_eq!(sources, ["layer1.1.bn3", "layer1.0"]);
    let (text, sources) = lines("googlenet", "inception_3a", [70, 2, 3]);
    // 64 + 128 + 32 + 32 maps (Szegedy et al. 2014, table 1).
    assert_eq!(text[0], "map 70 − 64 = map 6 of inception_3a.3x3.relu");
    assert_eq!(sources.len(), 4);
    let unit = Unit { c: 70, y: 2, x: 3 };
    let told = told(&variant("googlenet").unwrap().build().unwrap(), "inception_3a", unit);
    let svg = arithmetic(&story(&told, unit), None, 620.0, Palette::Light, &Words::default()).svg;
    for range in ["maps 0–63", "maps 64–191", "maps 192–223", "maps 224–255"] {
        assert!(svg.contains(range), "{range}");
    }
}

#[test]
fn arithmetic_is_told_beat_by_beat_without_jumping() {
    let recorded = ["c3", "c5", "pool1", "fc1", "layer3.0.conv1", "output", "s2", "layer2.0.add"];
    for (network, layer, [c, y, x]) in UNITS {
        let unit = Unit { c, y, x };
        let net = variant(network).unwrap().build().unwrap();
        let told = told(&net, layer, unit);
        let story = story(&told, unit);
        let all = beats(&told.0);
        for width in [360.0, 620.0] {
            let draw = |done| arithmetic(&story, Some(done), width, Palette::Light, &Words::default());
            let height = draw(0).height;
            for done in [0, 1, all.len() / 2, all.len() - 1, all.len()] {
                let drawing = draw(done);
                assert!(drawing.width <= width && drawing.height == height, "{layer}: {done} in {width}");
                assert_eq!(sticking_out(&drawing), [""; 0], "{layer}: {done} in {width}");
            }
            // Before the first beat nothing has come about; at the end the value has.
            let value = number(told.0.last().unwrap().steps.last().unwrap().1);
            assert!(!draw(0).svg.contains("class=\"line\""), "{layer}");
            assert!(draw(all.len()).svg.contains(&format!("= {value}</text>")), "{layer}");
        }
        for width in [300.0, 360.0, 620.0, 1100.0] {
            let drawing = backward(&story, &vec![0.25; told.0.len()], width, Palette::Light, &Words::default());
            assert!(drawing.width <= width, "{layer}: {} in {width}", drawing.width);
            assert_eq!(sticking_out(&drawing), [""; 0], "{layer} backwards in {width}");
            let tiny = backward(&story, &vec![2e-7; told.0.len()], width, Palette::Light, &Words::default());
            assert_eq!(sticking_out(&tiny), [""; 0], "{layer} backwards in {width}");
            assert!(tiny.svg.contains("× 10⁻"), "{layer}");
            if width == 620.0 && recorded.contains(&layer) {
                snapshot(&format!("backward-{network}-{layer}"), &drawing);
            }
        }
        if recorded.contains(&layer) {
            let half = arithmetic(&story, Some(all.len() / 2), 620.0, Palette::Light, &Words::default());
            snapshot(&format!("beats-{network}-{layer}"), &half);
        }
    }
}

fn charts() -> Vec<(&'static str, Drawing)> {
    let mut rng = Rng::new(4);
    let words = Words::default();
    let loss: Vec<f32> = (0..4000).map(|i| (2.3 * (-(i as f32) / 700.0).exp() + 0.06) * rng.range(0.6, 1.6)).collect();
    let right: Vec<f32> = loss.iter().map(|l| (1.0 - l / 2.6).clamp(0.0, 1.0)).collect();
    let curve = |title, values, log, percent, kind| Curve {
        title,
        x_label: "step",
        values,
        first: 1,
        log,
        percent,
        kind,
        smooth: 50,
        marks: if percent { &[(1500, 0.91), (3000, 0.97)] } else { &[] },
    };
    let net = variant("lenet5").unwrap().build().unwrap();
    let digits: Vec<String> = (0..10).map(|d| d.to_string()).collect();
    let counts: Vec<u32> = (0..100)
        .map(|i| {
            if i % 11 == 0 {
                900 + rng.range(0.0, 120.0) as u32
            } else {
                rng.range(0.0, 1.0).powi(5) as u32 + (rng.range(0.0, 1.0).powi(6) * 14.0) as u32
            }
        })
        .collect();
    let rows = [
        ("c1", Kind::Convolution, 0.31, 2e-3),
        ("s2", Kind::Pooling, 0.022, 8e-4),
        ("f6", Kind::Linear, 1.7, f32::NAN),
    ]
    .map(|(name, kind, gradient, ratio)| GradientRow { name: name.into(), kind, gradient, ratio });
    let distances = [71.2, 80.4, 66.9, 61.0, 55.3, 50.8, 68.0, 60.2, 57.7, 3.1];
    let shares = [0.0, 0.01, 0.002, 0.9, 0.0, 0.03, 0.0, 0.0, 0.05, 0.008];
    let values: Vec<f32> = (0..5000).map(|_| rng.normal() * 0.3 + 0.1).collect();
    let f3 = net.graph.find("c3_act");
    vec![
        ("loss", chart::curve(&curve("Loss", &loss, false, false, Kind::Convolution), 460.0, 200.0)),
        ("loss-log", chart::curve(&curve("Loss", &loss, true, false, Kind::Convolution), 460.0, 200.0)),
        ("accuracy", chart::curve(&curve("Accuracy", &right, false, true, Kind::Pooling), 460.0, 200.0)),
        ("nothing-yet", chart::curve(&curve("Loss", &[], false, false, Kind::Convolution), 300.0, 120.0)),
        (
            "not-a-number",
            chart::curve(
                &curve("Loss", &[2.0, f32::NAN, f32::INFINITY, 3.0], true, false, Kind::Pooling),
                300.0,
                120.0,
            ),
        ),
        ("gradients", chart::gradients(&rows, 420.0, &words)),
        ("no-gradients", chart::gradients(&[], 420.0, &words)),
        ("fields", chart::fields(&net, f3, 340.0, 190.0, &words)),
        ("fields-phone", chart::fields(&branched(), None, 240.0, 150.0, &words)),
        ("confusion", chart::confusion(&counts, &digits, 440.0, &words)),
        ("confusion-phone", chart::confusion(&counts, &digits, 300.0, &words)),
        ("distances", chart::bars(&distances, &digits, Some(9), Reading::Distance, 230.0, &words)),
        ("probabilities", chart::bars(&shares, &digits, Some(3), Reading::Probability, 230.0, &words)),
        ("histogram", chart::histogram(&values, "c3.weight", 340.0, 170.0, &words)),
        ("histogram-of-one", chart::histogram(&[0.25], "one", 340.0, 170.0, &words)),
    ]
}

#[test]
fn charts_are_as_recorded_and_stay_inside() {
    for (name, drawing) in charts() {
        let text = drawing.svg.replace(">NaN<", "><"); // a number that is none may be told, not drawn
        assert_eq!(sticking_out(&drawing), [""; 0], "{name}");
        snapshot(&format!("chart-{name}"), &Drawing { svg: text, ..drawing });
    }
}

#[test]
fn a_drawing_is_named_for_those_who_do_not_see_it() {
    for (name, drawing) in charts() {
        assert!(drawing.svg.contains("role=\"img\"") && drawing.svg.contains("<title>"), "{name}");
        let (open, close) = (drawing.svg.matches("<title>").count(), drawing.svg.matches("</title>").count());
        assert_eq!(open, close, "{name}");
    }
    assert!(
        sticking_out(&Drawing {
            svg: "<text x=\"95\" y=\"9\" font-size=\"10\" >outside<".into(),
            width: 99.0,
            height: 9.0
        })
        .len()
            == 1
    );
}
