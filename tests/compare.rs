//! Networks side by side: their figures are the papers', published errors are quoted with their protocols, and the plot names its
//! points without one label on another. `UPDATE_SNAPSHOTS=1 cargo test --test compare` rewrites the drawings.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::arch::published::{Protocol, Task};
use receptive::arch::summary::{Measure, Summary, sort};
use receptive::arch::{VARIANTS, variant};
use receptive::graph::receptive_field::{Rect, Span, cone};
use receptive::scene::compare::{bars, plot, plotted, same_place, shares};
use receptive::scene::field::linked;
use receptive::scene::scatter::Scatter;
use receptive::scene::stage::stage;
use receptive::scene::{Drawing, Words, text_width};
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

fn all() -> Vec<Summary> {
    VARIANTS.iter().map(|v| v.build().unwrap().summary()).collect()
}

fn line(name: &str) -> Summary {
    variant(name).unwrap().build().unwrap().summary()
}

/// Networks that carry their depth in their name have it; LeNet-5's seven layers, GoogLeNet's 22 as the papers count them.
#[test]
fn depths_are_those_of_the_names() {
    for s in all() {
        let digits: String =
            s.variant.name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        let said = match s.variant.name {
            "lenet5" => 7,
            "lenet5-modern" => 5,
            "alexnet" | "alexnet-torchvision" => 8,
            "googlenet" | "googlenet-torchvision" => 22,
            name if name.ends_with("-digits") => continue,
            _ => digits.parse().unwrap(),
        };
        assert_eq!(s.depth, said, "{}", s.variant.name);
    }
}

/// Araujo et al. 2019 (Distill) and the papers' own counts.
#[test]
fn figures_are_the_known_ones() {
    let got = |name: &str| {
        let s = line(name);
        (s.parameters, s.field)
    };
    assert_eq!(got("lenet5"), (60_000, 16));
    assert_eq!(got("alexnet-torchvision"), (61_100_840, 195));
    assert_eq!(got("vgg16"), (138_357_544, 212));
    assert_eq!(got("resnet50-v1"), (25_557_032, 483));
    assert_eq!(got("resnet101-v1"), (44_549_160, 1027));
    assert_eq!(got("resnet152-v1"), (60_192_808, 1507));
    assert_eq!(line("vgg16").macs, 15_470_264_320);
}

/// "Measured here" is what the files of weights say of themselves, which `tests/shipped.rs` measures.
#[test]
fn errors_measured_here_are_the_files() {
    for v in VARIANTS {
        let here = v.published().find(|r| r.protocol == Protocol::Here);
        assert_eq!(here.is_some(), v.shipped, "{}", v.name);
        let Some(here) = here else { continue };
        let path = format!("{}/www/weights/{}.safetensors", env!("CARGO_MANIFEST_DIR"), v.name);
        let file = receptive::weights::read(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(file.metadata["test_error_percent"].parse::<f64>().unwrap(), here.percent, "{}", v.name);
    }
}

#[test]
fn sorting_keeps_what_has_no_figure_last() {
    let mut lines = all();
    for descending in [false, true] {
        sort(&mut lines, Measure::Error(Task::Top5), descending);
        let values: Vec<_> = lines.iter().map(|s| Measure::Error(Task::Top5).of(s)).collect();
        let known = values.iter().take_while(|v| v.is_some()).count();
        assert!(known > 15 && values[known..].iter().all(Option::is_none));
        assert!(values[..known].windows(2).all(|w| if descending { w[0] >= w[1] } else { w[0] <= w[1] }));
    }
    sort(&mut lines, Measure::Parameters, true);
    assert_eq!(lines[0].variant.name, "vgg19-bn");
}

#[test]
fn measures_are_found_by_their_names() {
    for m in Measure::ALL {
        assert_eq!(Measure::parse(m.name()), Some(m));
    }
    assert_eq!(Measure::parse("beauty"), None);
}

fn drawn(measures: [Measure; 2], open: &[&str], size: [f32; 2]) -> Scatter {
    let tag = |p: Protocol| match p {
        Protocol::Crops { networks, crops } => format!("{networks} × {crops} crops"),
        other => format!("{other:?}"),
    };
    plot(&all(), measures, open, (&|m| m.name().to_string(), &tag, &|v| v.title.to_string()), "Networks", size).0
}

const SIZES: [[f32; 2]; 3] = [[358.0, 420.0], [900.0, 460.0], [1500.0, 600.0]];

#[test]
fn no_name_lies_on_another_or_on_a_point_and_nothing_leaves_the_plot() {
    for size in SIZES {
        for x in Measure::ALL {
            for y in Measure::ALL {
                let plot = drawn([x, y], &["vgg16", "googlenet"], size);
                let at = format!("{x:?} × {y:?} on {size:?}");
                for (i, place) in plot.places.iter().enumerate() {
                    assert!(place[0] > 0.0 && place[0] < size[0] && place[1] > 0.0 && place[1] < size[1], "{at}");
                    for label in plot.labels.iter().flatten() {
                        assert!(!label.contains(place[0], place[1]), "{at}: a name on point {i}");
                    }
                }
                let labels: Vec<_> = plot.labels.iter().flatten().collect();
                for (i, label) in labels.iter().enumerate() {
                    assert!(label.x >= 0.0 && label.right() <= size[0], "{at}");
                    labels[i + 1..].iter().for_each(|other| assert!(!label.overlaps(**other), "{at}"));
                }
            }
        }
    }
}

/// The one that is open is always named where there is room for any.
#[test]
fn what_is_open_is_named_first() {
    let plot = drawn([Measure::Parameters, Measure::Macs], &["resnet50-v1"], SIZES[1]);
    let lines = all();
    let points = plotted(&lines, [Measure::Parameters, Measure::Macs]);
    let here = points.iter().position(|p| lines[p.line].variant.name == "resnet50-v1").unwrap();
    let label = plot.labels[here].unwrap();
    assert!((label.w - text_width("ResNet-50, stride as in the paper", 11.0)).abs() < 0.01);
    assert_eq!(points.len(), VARIANTS.len());
    assert!(plot.labels.iter().flatten().count() >= 18, "{}", plot.labels.iter().flatten().count());
}

/// Two errors of a network go together only if they were measured alike.
#[test]
fn errors_of_different_protocols_are_not_mixed() {
    let lines = all();
    let points = plotted(&lines, [Measure::Error(Task::Top1), Measure::Error(Task::Top5)]);
    let of =
        |name: &str| points.iter().filter(|p| lines[p.line].variant.name == name).map(|p| p.at).collect::<Vec<_>>();
    assert_eq!(of("vgg16"), [[25.6, 8.1], [28.408, 9.618]]);
    assert_eq!(of("alexnet"), [[40.7, 18.2], [38.1, 16.4]]);
    assert_eq!(of("googlenet"), [[0.0; 2]; 0], "the paper tells no top-1 error");
}

#[test]
fn drawings_are_as_recorded() {
    snapshot("scatter-parameters-macs", &drawn([Measure::Parameters, Measure::Macs], &["vgg16"], SIZES[1]).drawing);
    let errors = [Measure::Macs, Measure::Error(Task::Top5)];
    snapshot("scatter-macs-top5", &drawn(errors, &["googlenet"], SIZES[1]).drawing);
    snapshot("scatter-macs-top5-phone", &drawn(errors, &[], SIZES[0]).drawing);
    snapshot("scatter-year-depth", &drawn([Measure::Year, Measure::Depth], &["lenet5"], SIZES[1]).drawing);
}

/// "138 M against 7 M parameters, and where they sit": nine tenths of VGG-16's in three linear layers, which do a hundredth of the work.
#[test]
fn shares_add_up_and_say_where_they_sit() {
    for v in VARIANTS {
        let net = v.build().unwrap();
        let (parameters, macs) = (shares(&net, |c| c.parameters as u64), shares(&net, |c| c.macs));
        assert_eq!(parameters.iter().map(|s| s.value).sum::<u64>(), net.cost().parameters as u64, "{}", v.name);
        assert_eq!(macs.iter().map(|s| s.value).sum::<u64>(), net.cost().macs, "{}", v.name);
    }
    let vgg = variant("vgg16").unwrap().build().unwrap();
    let linear = |of: fn(receptive::graph::cost::Cost) -> u64| -> u64 {
        shares(&vgg, of).iter().filter(|s| s.kind == receptive::ops::Kind::Linear).map(|s| s.value).sum()
    };
    assert_eq!(linear(|c| c.parameters as u64), 123_642_856); // fc6 102,764,544, fc7 16,781,312, fc8 4,097,000
    assert_eq!(linear(|c| c.macs), 123_633_664);
}

#[test]
fn bars_are_as_recorded() {
    let draw = |names: [&str; 2], width: f32| {
        let nets = names.map(|n| variant(n).unwrap().build().unwrap());
        let parts = [0, 1].map(|i: usize| shares(&nets[i], |c| c.parameters as u64));
        bars([(nets[0].variant.title, &parts[0]), (nets[1].variant.title, &parts[1])], "Parameters", width)
    };
    let drawing = draw(["vgg16", "googlenet"], 900.0);
    // One scale: all tracks are of one length, and a bar's share of it is its layer's of the largest layer.
    let widths = |class: &str| -> Vec<f32> {
        let lines = drawing.svg.lines().filter(|l| l.contains(&format!(r#"class="{class}""#)));
        lines.map(|l| l.split(r#" width=""#).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()).collect()
    };
    let (tracks, rows) = (widths("rail"), widths("bar"));
    assert!(tracks.windows(2).all(|w| w[0] == w[1]) && tracks.len() == rows.len() && rows.len() == 16 + 13);
    assert_eq!(rows[13], tracks[0], "fc6 is the largest");
    assert!((rows[15] / tracks[0] - 4_097_000.0 / 102_764_544.0).abs() < 1e-3, "fc8");
    snapshot("bars-vgg16-googlenet", &drawing);
    snapshot("bars-lenet5-resnet-digits-phone", &draw(["lenet5", "resnet-digits"], 358.0));
}

/// A unit of LeNet-5's C3 sees 14×14 pixels; ResNet's stage frames just those, and nothing of any other card.
#[test]
fn a_patch_is_framed_where_the_other_network_sees_it() {
    let lenet = variant("lenet5").unwrap().build().unwrap();
    let c3 = lenet.graph.find("c3").unwrap();
    let seen = cone(&lenet.graph, c3, Unit { c: 5, y: 8, x: 0 })[lenet.graph.source()].unwrap();
    assert_eq!((seen.y, seen.x), (Span { first: 16, last: 29 }, Span { first: 0, last: 13 }));
    let net = variant("resnet-digits").unwrap().build().unwrap();
    let stage = stage(&net, 1100.0, 480.0, &[], &Words::default());
    let drawing = linked(&stage, &net.graph, seen).unwrap();
    assert_eq!(drawing.svg.matches(r#"class="patch""#).count(), 1);
    let corner = |y, x| stage.unit_rect(net.graph.source(), Unit { c: 0, y, x }).unwrap();
    let want = corner(16, 0).around(corner(29, 13)).grow(0.75);
    let svg = drawing.svg.lines().find(|l| l.contains(r#"class="patch""#)).unwrap();
    let number = |name: &str| -> f32 {
        svg.split(&format!(r#" {name}=""#)).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    for (name, want) in [("x", want.x), ("y", want.y), ("width", want.w), ("height", want.h)] {
        assert!((number(name) - want).abs() < 0.02, "{name}: {svg}");
    }
}

/// Photographs are cut around their middle, 227 or 224 pixels of them.
#[test]
fn the_middle_of_a_picture_is_the_middle_of_both() {
    let at = |first, last| Span { first, last };
    let (large, small) = (Shape::new(3, 227, 227), Shape::new(3, 224, 224));
    let moved = same_place(Rect { y: at(0, 10), x: at(100, 110) }, large, small);
    assert_eq!((moved.y, moved.x), (at(-1, 9), at(99, 109)));
    assert_eq!(same_place(moved, small, small), moved);
}
