//! Scenes: nothing overlaps, every edge is drawn, every unit is found again under the pointer, and the drawings are as recorded.
//! `UPDATE_SNAPSHOTS=1 cargo test --test scenes` rewrites `tests/snapshots/*.svg`; look at them afterwards.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::arch::{Architecture, VARIANTS};
use receptive::graph::Graph;
use receptive::graph::layout::{Edge, Frame};
use receptive::ops::{Activation, Conv2d, Flatten, Linear, Loss, MaxPool2d, Window};
use receptive::scene::stage::{Stage, stage, to_svg};
use receptive::scene::{Drawing, Words};
use receptive::tensor::Shape;

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
    let mut all: Vec<_> = VARIANTS.iter().map(|v| (v.name.to_string(), v.build().unwrap())).collect();
    all.push(("branched".into(), branched()));
    all
}

const PAGES: [(f32, f32); 5] = [(1920.0, 760.0), (1440.0, 560.0), (1100.0, 480.0), (768.0, 600.0), (390.0, 500.0)];

fn stages() -> Vec<(String, Architecture, Stage)> {
    let mut out = Vec::new();
    for (name, net) in networks() {
        for (w, h) in PAGES {
            out.push((format!("{name} on {w}×{h}"), net.clone(), stage(&net, w, h, &Words::default())));
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

#[test]
fn nothing_overlaps_and_nothing_sticks_out() {
    for (at, _, stage) in stages() {
        let page = Frame::new(0.0, 0.0, stage.size[0], stage.size[1]);
        for (i, card) in stage.cards.iter().enumerate() {
            assert!(inside(page, card.rect), "{at}: {} leaves the stage", card.title);
            for other in &stage.cards[i + 1..] {
                assert!(!card.rect.overlaps(other.rect), "{at}: {} on {}", card.title, other.title);
            }
            for (j, label) in card.labels.iter().enumerate() {
                assert!(inside(card.rect, label.frame()), "{at}: {} {:?}", card.title, label);
                for other in &card.labels[j + 1..] {
                    assert!(!label.frame().overlaps(other.frame()), "{at}: {label:?} on {other:?}");
                }
                for map in &card.maps {
                    assert!(!label.frame().overlaps(map.rect), "{at}: {label:?} on map {}", map.map);
                }
            }
            for (j, map) in card.maps.iter().enumerate() {
                assert!(inside(card.rect, map.rect), "{at}: {} map {j}", card.title);
                for other in &card.maps[j + 1..] {
                    assert!(!map.rect.overlaps(other.rect), "{at}: {} maps {} and {}", card.title, map.map, other.map);
                }
            }
            for (bar, map) in card.bars.iter().zip(&card.maps) {
                assert!(inside(card.rect, *bar) && !bar.overlaps(map.rect), "{at}: {} bar", card.title);
            }
        }
    }
}

/// The cards that an edge passes over, beside its two ends.
fn crossed<'a>(stage: &'a Stage, edge: &Edge) -> Vec<&'a str> {
    let others = stage.cards.iter().enumerate().filter(|(i, _)| *i != edge.from && *i != edge.to);
    let runs: Vec<Frame> = edge
        .points
        .windows(2)
        .map(|p| Frame::new(p[0][0], p[0][1], 0.1, 0.1).around(Frame::new(p[1][0], p[1][1], 0.1, 0.1)))
        .collect();
    others.filter(|(_, c)| runs.iter().any(|r| r.overlaps(c.rect))).map(|(_, c)| c.title.as_str()).collect()
}

#[test]
fn every_edge_is_drawn_from_its_card_to_its_card() {
    for (at, net, stage) in stages() {
        let mut wanted = 0;
        for (id, node) in net.graph.nodes().iter().enumerate() {
            for &input in &node.inputs {
                let (from, to) = (stage.card_of(input).unwrap(), stage.card_of(id).unwrap());
                if from == to {
                    continue;
                }
                wanted += 1;
                let edge = stage.edges.iter().find(|e| (e.from, e.to) == (from, to)).unwrap();
                let touches = |f: Frame, p: [f32; 2]| f.grow(0.6).contains(p[0], p[1]);
                assert!(touches(stage.cards[from].rect, edge.points[0]), "{at}: {edge:?}");
                assert!(touches(stage.cards[to].rect, *edge.points.last().unwrap()), "{at}: {edge:?}");
                let page = Frame::new(0.0, 0.0, stage.size[0], stage.size[1]);
                assert!(edge.points.iter().all(|p| page.contains(p[0], p[1])), "{at}: {edge:?} leaves the stage");
                assert_eq!(crossed(&stage, edge), [""; 0], "{at}: {edge:?}");
            }
        }
        assert_eq!(stage.edges.len(), wanted, "{at}");
        let svg = to_svg(&stage, &at).svg;
        assert_eq!(svg.matches("class=\"edge").count(), wanted + 1, "{at}");
        assert_eq!(svg.matches("class=\"arrow").count(), wanted, "{at}");
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
        let net = receptive::arch::variant(name).unwrap().build().unwrap();
        for (w, h) in &PAGES[..3] {
            let stage = stage(&net, *w, *h, &Words::default());
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
fn stages_are_as_recorded() {
    for (name, net) in networks() {
        for (w, h) in [PAGES[0], PAGES[2], PAGES[4]] {
            let stage = stage(&net, w, h, &Words::default());
            snapshot(&format!("stage-{name}-{w}"), &to_svg(&stage, &name));
        }
    }
}
