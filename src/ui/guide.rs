//! The guided start as a table: for each paper the steps that show what is special in it, each at a real control, and what the reader
//! does there. Knows the page's state and names of its parts; knows no browser.

use super::state::{Model, Panel};
use crate::graph::Graph;
use crate::ops::Layer;

/// When a step is done.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Done {
    /// This CSS selector finds something on the page.
    There(&'static str),
    /// A layer of one of these ops is selected.
    Layer(&'static [&'static str]),
    /// A unit is selected.
    Unit,
    /// The picture is altered.
    Altered,
    /// This panel is open.
    Panel(Panel),
    /// This network is open.
    Variant(&'static str),
    /// Training runs.
    Running,
}

impl Done {
    /// Whether it is; `None`: the document knows.
    pub fn is(self, model: &Model, graph: Option<&Graph>) -> Option<bool> {
        let view = &model.view;
        Some(match self {
            Self::There(_) => return None,
            Self::Layer(ops) => view.layer.as_deref().zip(graph).is_some_and(|(layer, graph)| {
                graph.find(layer).is_some_and(|node| ops.contains(&graph.nodes()[node].op.name()))
            }),
            Self::Unit => view.unit.is_some(),
            Self::Altered => !view.alter.is_none(),
            Self::Panel(panel) => view.panel == panel,
            Self::Variant(name) => view.variant == name,
            Self::Running => model.running,
        })
    }
}

/// One step.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// Key of what is said.
    pub key: &'static str,
    /// CSS selectors of what it is said of: the first that finds something to be seen; several with `, ` between are framed together.
    pub at: &'static [&'static str],
    /// When it is done.
    pub done: Done,
}

// What can be pressed: the callout must leave it free.
const PICTURE: &[&str] = &["[data-testid=pad], .keypad", ".photo-samples", "[data-testid=photo]"];
const STAGE: &str = "[data-testid=stage]";
const VARIANT: &[&str] = &["[data-testid=variant]"];
const TRAINING: &[&str] = &["[data-testid=train-play]", "[data-testid=train-sibling]", "[data-testid=panel-training]"];
// A card's button says its title first, in every network of the paper.
const CONV1: &[&str] = &[r#".card-button[aria-label^="conv1"]"#, STAGE];
const POOL1: &[&str] = &[r#".card-button[aria-label^="pool1,"]"#, STAGE];
const LINEAR: &[&str] = &[
    r#".card-button[aria-label^="fc4,"]"#,
    r#".card-button[aria-label^="fc6,"]"#,
    r#".card-button[aria-label^="fc1,"]"#,
    STAGE,
];
const MODULE: &[&str] = &["[data-testid=card-inception_3a]", "[data-testid=card-inception3a]", STAGE];
const REDUCE: &[&str] = &[
    "[data-testid=unfold-inception_3a]",
    "[data-testid=unfold-inception3a]",
    r#"[data-testid="card-inception_3a.3x3_reduce"]"#,
    r#"[data-testid="card-inception3a.branch2.0.conv"]"#,
    STAGE,
];
const AVERAGE: &[&str] = &["[data-testid=card-avgpool]", "[data-testid=card-pool5]", "[data-testid=card-pool4]", STAGE];
// The second block of a stage, whose shortcut is the identity; a whole stage first where stages are folded.
const FOLDED: &[&str] = &[
    "[data-testid=unfold-conv2_x]",
    "[data-testid=unfold-stage1]",
    "[data-testid=unfold-conv2_2]",
    "[data-testid=unfold-stage1_2]",
    r#"[data-testid="card-layer1.1.conv1"], [data-testid="card-layer1.1.add"]"#,
    STAGE,
];
const SUM: &[&str] = &[r#"[data-testid="card-layer1.1.add"]"#, STAGE];
/// Only an open block has a card of its first convolution: a folded one stands for its last layer.
const OPEN: Done = Done::There(r#"[data-testid^="card-layer"][data-testid$=".conv1"]"#);

const fn step(key: &'static str, at: &'static [&'static str], done: Done) -> Step {
    Step { key, at, done }
}

const SHOWN: Done = Done::There("[data-testid=milliseconds]");
/// By pointing or, without a mouse, by choosing.
const SEEN: Done = Done::There("[data-testid=field]");

const LENET: &[Step] = &[
    step("tour-lenet-draw", PICTURE, SHOWN),
    step("tour-lenet-field", &["[data-testid=card-c3]", STAGE], SEEN),
    step("tour-lenet-weights", &["[data-testid=card-c1]", STAGE], Done::Layer(&["Conv2d"])),
    step("tour-lenet-unit", &["[data-testid=card-c1]", STAGE], Done::Unit),
    step("tour-lenet-subsample", &["[data-testid=alter]"], Done::Altered),
    step("tour-lenet-train", TRAINING, Done::Running),
];
const ALEXNET: &[Step] = &[
    step("tour-picture", PICTURE, SHOWN),
    step("tour-alexnet-relu", CONV1, Done::Layer(&["Conv2d"])),
    step("tour-alexnet-pool", POOL1, Done::Layer(&["MaxPool2d"])),
    step("tour-alexnet-dropout", LINEAR, Done::Layer(&["Linear"])),
    step("tour-alexnet-towers", VARIANT, Done::Variant("alexnet")),
    step("tour-train", TRAINING, Done::Running),
];
const VGG: &[Step] = &[
    step("tour-picture", PICTURE, SHOWN),
    step("tour-vgg-stack", &["[data-testid=panel-field]"], Done::Panel(Panel::Field)),
    step("tour-vgg-double", POOL1, Done::Layer(&["MaxPool2d"])),
    step("tour-vgg-size", LINEAR, Done::Layer(&["Linear"])),
    step("tour-train", TRAINING, Done::Running),
];
const GOOGLENET: &[Step] = &[
    step("tour-picture", PICTURE, SHOWN),
    step("tour-googlenet-module", MODULE, Done::Layer(&["Concat"])),
    step("tour-googlenet-reduce", REDUCE, Done::Layer(&["Conv2d"])),
    step("tour-googlenet-average", AVERAGE, Done::Layer(&["AvgPool2d", "AdaptiveAvgPool2d"])),
    step("tour-googlenet-heads", VARIANT, Done::Variant("googlenet")),
    step("tour-train", TRAINING, Done::Running),
];
const RESNET: &[Step] = &[
    step("tour-picture", PICTURE, SHOWN),
    step("tour-resnet-open", FOLDED, OPEN),
    step("tour-resnet-block", SUM, Done::Layer(&["Add"])),
    step("tour-resnet-skips", VARIANT, Done::Variant("resnet20-cifar")),
    step("tour-resnet-plain", VARIANT, Done::Variant("plain20-cifar")),
    step("tour-train", TRAINING, Done::Running),
];

/// The steps for a paper's networks ([`crate::arch::Variant::family`]).
pub fn steps(family: &str) -> &'static [Step] {
    match family {
        "AlexNet" => ALEXNET,
        "VGGNet" => VGG,
        "GoogLeNet" => GOOGLENET,
        "ResNet" => RESNET,
        _ => LENET,
    }
}

impl Step {
    /// Key of what is said to a reader whose network reads digits, or photographs.
    pub fn said(&self, digits: bool) -> &'static str {
        if self.key == "tour-picture" && !digits { "tour-photo" } else { self.key }
    }
}

/// The frame around these ([left, top, width, height] each); `None` around none.
pub fn around(frames: impl IntoIterator<Item = [f64; 4]>) -> Option<[f64; 4]> {
    frames.into_iter().reduce(|a, b| {
        let (left, top) = (a[0].min(b[0]), a[1].min(b[1]));
        let end = |i: usize| (a[i] + a[i + 2]).max(b[i] + b[i + 2]);
        [left, top, end(0) - left, end(1) - top]
    })
}

/// Where a callout of `size` stands beside `target` ([left, top, width, height]) in a window of `room`: to its right, else to its left,
/// below or above, wherever it fits whole; else in the corner of the window that is farthest from the target's middle. Left and top.
pub fn beside(target: [f64; 4], size: [f64; 2], room: [f64; 2]) -> [f64; 2] {
    const GAP: f64 = 14.0;
    let [left, top, width, height] = target;
    let along = |from: f64, of: f64, room: f64| from.clamp(GAP, (room - of - GAP).max(GAP));
    let (x, y) = (along(left, size[0], room[0]), along(top, size[1], room[1]));
    let tries = [[left + width + GAP, y], [left - size[0] - GAP, y], [x, top + height + GAP], [x, top - size[1] - GAP]];
    let fits = |at: &[f64; 2]| (0..2).all(|i| at[i] >= GAP && at[i] + size[i] + GAP <= room[i]);
    tries.into_iter().find(fits).unwrap_or_else(|| {
        let far = |from: f64, of: f64, size: f64, room: f64| {
            if from + of / 2.0 > room / 2.0 { GAP } else { (room - size - GAP).max(GAP) }
        };
        [far(left, width, size[0], room[0]), far(top, height, size[1], room[1])]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::VARIANTS;
    use crate::protocol::Alterations;
    use crate::ui::state::{Action, View};

    #[test]
    fn every_paper_has_four_to_six_steps_in_both_languages() {
        for variant in VARIANTS {
            let steps = steps(variant.family);
            assert!((4..=6).contains(&steps.len()), "{}", variant.family);
            for step in steps {
                for lang in [crate::ui::state::Lang::En, crate::ui::state::Lang::Ko] {
                    for key in [true, false].map(|digits| step.said(digits)) {
                        assert!(crate::ui::i18n::find(lang, key).is_some(), "{key} is missing");
                    }
                }
            }
        }
    }

    /// A step that nobody can do would be a dead end.
    #[test]
    fn every_step_can_be_done_on_a_network_of_its_paper() {
        for variant in VARIANTS {
            for step in steps(variant.family) {
                match step.done {
                    Done::Variant(name) => {
                        assert!(crate::arch::variant(name).is_some_and(|v| v.family == variant.family))
                    }
                    Done::Layer(ops) => {
                        // On the one that its tab opens, and on this one unless it is a plain network.
                        let first = VARIANTS.iter().find(|v| v.family == variant.family).unwrap().build().unwrap();
                        assert!(
                            first.graph.nodes().iter().any(|n| ops.contains(&n.op.name())),
                            "{}: {}",
                            variant.family,
                            step.key
                        );
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_step_is_done_when_the_reader_did_it() {
        let net = VARIANTS[0].build().unwrap();
        let at = |view: View| Model::new(view);
        let plain = at(View::new());
        let layer = at(View { layer: Some("c1".into()), ..View::new() });
        let is = |done: Done, model: &Model| done.is(model, Some(&net.graph)).unwrap();
        assert!(!is(Done::Layer(&["Conv2d"]), &plain) && is(Done::Layer(&["Conv2d"]), &layer));
        assert!(!is(Done::Layer(&["Subsample"]), &layer));
        assert!(!is(Done::Altered, &plain));
        assert!(is(Done::Altered, &plain.after(Action::Alter(Alterations { invert: true, ..Default::default() }))));
        assert!(!is(Done::Variant("alexnet"), &plain) && is(Done::Panel(Panel::Inspect), &plain));
        assert!(!is(Done::Unit, &layer) && !is(Done::Running, &plain));
        assert_eq!(Done::There("p").is(&plain, None), None);
    }

    #[test]
    fn what_belongs_together_is_framed_together() {
        assert_eq!(around([]), None);
        assert_eq!(around([[10.0, 20.0, 30.0, 40.0], [5.0, 70.0, 20.0, 10.0]]), Some([5.0, 20.0, 35.0, 60.0]));
    }

    #[test]
    fn the_callout_never_covers_what_it_is_about_if_there_is_room() {
        let room = [1280.0, 800.0];
        assert_eq!(beside([16.0, 90.0, 220.0, 220.0], [320.0, 180.0], room), [250.0, 90.0], "to the right");
        assert_eq!(beside([1100.0, 20.0, 170.0, 30.0], [320.0, 180.0], room), [766.0, 20.0], "to the left");
        assert_eq!(beside([0.0, 50.0, 1280.0, 300.0], [320.0, 180.0], room), [14.0, 364.0], "below");
        assert_eq!(beside([0.0, 400.0, 1280.0, 400.0], [320.0, 180.0], room), [14.0, 206.0], "above");
        // No room anywhere: a corner, inside the window.
        assert_eq!(beside([0.0, 0.0, 1280.0, 790.0], [320.0, 180.0], room), [946.0, 606.0]);
        assert_eq!(beside([0.0, 0.0, 390.0, 844.0], [362.0, 200.0], [390.0, 844.0]), [14.0, 630.0]);
    }
}
