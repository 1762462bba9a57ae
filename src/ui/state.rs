//! What the page knows and how it changes: plain data and one pure function from state and action to state. Knows the
//! protocol; knows no browser and no component, so it is tested natively. What changes with each frame (strokes, curves,
//! pictures) is not here: components keep it and paint it themselves.

use crate::arch::summary::Measure;
use crate::arch::{self, Recipe};
use crate::graph::stack::Storey;
use crate::protocol::{
    Alterations, Backend, EngineInfo, Event, Fault, Generation, Halt, Origin, Over, Palette, Picture, Scale,
    TrainConfig,
};
use crate::tensor::Unit;

/// Language of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// BCP 47.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    /// From a browser's or a URL's tag (`ko-KR`); `None`: neither.
    pub fn parse(tag: &str) -> Option<Self> {
        match tag.split(['-', '_']).next()? {
            "en" => Some(Self::En),
            "ko" => Some(Self::Ko),
            _ => None,
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::En => Self::Ko,
            Self::Ko => Self::En,
        }
    }
}

/// Colours of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Name in the URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The next in the switch's round.
    pub fn next(self) -> Self {
        match self {
            Self::Auto => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::Auto,
        }
    }
}

/// Colours of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Colours {
    /// Signed: orange, white (or black), blue.
    #[default]
    Signed,
    /// Magnitudes, dark blue to yellow.
    Cividis,
    /// Magnitudes, white to black.
    Grey,
}

impl Colours {
    /// As the page lists them.
    pub const ALL: [Self; 3] = [Self::Signed, Self::Cividis, Self::Grey];

    /// Name in the URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Cividis => "cividis",
            Self::Grey => "grey",
        }
    }

    /// What the engine is told.
    pub fn palette(self, dark: bool) -> Palette {
        match self {
            Self::Signed if dark => Palette::Dark,
            Self::Signed => Palette::Light,
            Self::Cividis => Palette::Cividis,
            Self::Grey => Palette::Grey,
        }
    }
}

/// In which order a layer's maps stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sort {
    /// As the layer has them.
    #[default]
    Index,
    /// Largest mean first.
    Mean,
    /// Largest value first.
    Largest,
    /// Most units above zero first.
    Active,
}

impl Sort {
    /// As the page lists them.
    pub const ALL: [Self; 4] = [Self::Index, Self::Mean, Self::Largest, Self::Active];

    /// Name in the URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Mean => "mean",
            Self::Largest => "largest",
            Self::Active => "active",
        }
    }
}

/// What is below the stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Panel {
    /// A unit's arithmetic, and its layer.
    #[default]
    Inspect,
    /// All maps and filters of a layer.
    Layer,
    /// Receptive fields.
    Field,
    /// What of the picture a class depends on.
    Attribution,
    /// What a move of the picture does to the layers.
    Shift,
    /// All networks in a table and a plot.
    Compare,
    /// Training.
    Training,
}

impl Panel {
    /// As they stand, from left to right.
    pub const ALL: [Self; 7] =
        [Self::Inspect, Self::Layer, Self::Field, Self::Attribution, Self::Shift, Self::Compare, Self::Training];

    /// What `?hide=` calls it.
    pub fn control(self) -> &'static str {
        match self {
            Self::Training => "train",
            other => other.name(),
        }
    }

    /// Name in the URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Layer => "layer",
            Self::Field => "field",
            Self::Attribution => "attribution",
            Self::Shift => "shift",
            Self::Compare => "compare",
            Self::Training => "training",
        }
    }
}

/// How it is shown what a class depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Method {
    /// Magnitude of the gradient.
    #[default]
    Saliency,
    /// Gradient × input.
    Product,
    /// Grad-CAM.
    GradCam,
    /// Drop of the probability under a patch.
    Occlusion,
}

impl Method {
    /// As they stand in the choice.
    pub const ALL: [Self; 4] = [Self::Saliency, Self::Product, Self::GradCam, Self::Occlusion];

    /// Name in the URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Saliency => "saliency",
            Self::Product => "product",
            Self::GradCam => "gradcam",
            Self::Occlusion => "occlusion",
        }
    }
}

/// A stack of convolutions that the user builds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stack {
    /// From the picture on.
    pub storeys: Vec<Storey>,
    /// Maps in and out of each.
    pub channels: usize,
}

impl Stack {
    /// Storeys at most.
    pub const MOST: usize = 6;
}

impl Default for Stack {
    /// VGG's.
    fn default() -> Self {
        Self { storeys: vec![Storey::same(3); 3], channels: 64 }
    }
}

/// Where the user is: all of it is in the URL.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct View {
    /// Which network; a name of [`arch::VARIANTS`].
    pub variant: String,
    /// The selected node, by name.
    pub layer: Option<String>,
    /// The selected unit of it.
    pub unit: Option<Unit>,
    /// The selected map of it, where no unit of it is.
    pub map: Option<usize>,
    /// How far the unit's arithmetic is told; `None`: all of it.
    pub step: Option<usize>,
    /// Whether the gradient of the loss is followed backwards through the unit.
    pub backward: bool,
    /// The class that the loss is for; `None`: the picture's own, or the predicted one.
    pub class: Option<usize>,
    /// What is below.
    pub panel: Panel,
    /// Of random weights, shuffling and distortions.
    pub seed: Option<u64>,
    /// `None`: the browser's.
    pub lang: Option<Lang>,
    /// Colours.
    pub theme: Theme,
    /// Large type and strong contrast, for a projector.
    pub projector: bool,
    /// Which of the pictures that come with the page is shown; `None`: what the user draws or brings.
    pub picture: Option<Picture>,
    /// What is done to the picture before the network sees it.
    pub alter: Alterations,
    /// `None`: the engine chooses.
    pub backend: Option<Backend>,
    /// Scale of the colours.
    pub scale: Scale,
    /// Pictures over which an effective receptive field is averaged.
    pub over: Over,
    /// Of the selected unit's map alone, not of all.
    pub one_map: bool,
    /// How it is shown what a class depends on.
    pub method: Method,
    /// The stack of convolutions.
    pub stack: Stack,
    /// Colours of values.
    pub colours: Colours,
    /// Order of a layer's maps.
    pub order: Sort,
    /// Groups folded or opened other than they are at first.
    pub groups: Vec<String>,
    /// A second network beside it; a name of [`arch::VARIANTS`].
    pub beside: Option<String>,
    /// The plot's axes, across and up; `None`: as usual.
    pub plot: Option<[Measure; 2]>,
    /// What the table of networks is sorted by, and whether from the largest down; `None`: by paper.
    pub sort: Option<(Measure, bool)>,
    /// Whether the stage fills the window.
    pub wide: bool,
    /// Controls that a teacher hides.
    pub hide: Vec<String>,
}

impl View {
    /// The first variant, nothing selected.
    pub fn new() -> Self {
        Self { variant: arch::VARIANTS[0].name.into(), ..Self::default() }
    }

    /// The same of another network: what is selected and opened in this one does not go along.
    #[must_use]
    pub fn of(&self, variant: &str) -> Self {
        let (layer, unit, map, step, class) = (None, None, None, None, None);
        Self { variant: variant.into(), layer, unit, map, step, class, groups: Vec::new(), ..self.clone() }
    }

    /// The selected map: the unit's, where one is selected.
    pub fn map(&self) -> Option<usize> {
        self.unit.map(|u| u.c).or(self.map)
    }

    /// Whether the URL hides this control.
    pub fn hides(&self, control: &str) -> bool {
        self.hide.iter().any(|h| h == control)
    }

    /// The plot's axes.
    pub fn plot(&self) -> [Measure; 2] {
        self.plot.unwrap_or([Measure::Parameters, Measure::Macs])
    }

    /// The seed in use.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// Whether going from the other to this one is a step that the browser's *back* should undo; else the URL is only kept up to date.
    pub fn is_step_from(&self, other: &Self) -> bool {
        self.variant != other.variant
            || self.panel != other.panel
            || self.layer != other.layer
            || self.beside != other.beside
    }
}

/// Result of a test.
#[derive(Clone, PartialEq, Debug)]
pub struct Tested {
    /// Classified wrongly.
    pub errors: usize,
    /// In all.
    pub total: usize,
    /// classes×classes, rows: what it is.
    pub confusion: Vec<u32>,
    /// Step of the run.
    pub step: u64,
}

/// What is said in a corner until it is put away.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    /// Counts up.
    pub id: u32,
    /// What happened.
    pub fault: Fault,
}

/// Which weights a run starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Start {
    /// Random ones.
    #[default]
    Random,
    /// Those that come with the page.
    Shipped,
    /// Those in use.
    Current,
}

/// Everything slow that the page knows.
#[derive(Clone, PartialEq, Debug)]
pub struct Model {
    /// Where the user is.
    pub view: View,
    /// Which engine; `None`: not yet known.
    pub engine: Option<EngineInfo>,
    /// Number of the last opening asked for.
    pub generation: Generation,
    /// Weights in use; `None`: being opened.
    pub origin: Option<Origin>,
    /// Training runs.
    pub running: bool,
    /// Why it stands still, if it ran.
    pub halt: Option<Halt>,
    /// Test in progress: done, total.
    pub testing: Option<(usize, usize)>,
    /// Last test.
    pub tested: Option<Tested>,
    /// A saved run of this many steps is offered.
    pub saved: Option<(String, u64)>,
    /// A download in progress: what, received, total.
    pub download: Option<(String, u64, Option<u64>)>,
    /// What went wrong and has not been put away.
    pub notices: Vec<Notice>,
    /// Settings of training.
    pub config: TrainConfig,
    /// Which weights the next run starts with.
    pub start: Start,
    /// Whether the next *Play* begins a new run.
    pub fresh: bool,
    /// Weights in use before the opening that was asked for: they stay where it fails.
    before: Option<Origin>,
    next_notice: u32,
}

/// How training begins: as the network's recipe has it, with the seed of the address.
pub fn default_config(variant: &str, seed: u64) -> TrainConfig {
    let recipe = arch::variant(variant).and_then(|v| v.build().ok()).map_or(Recipe::DEFAULT, |net| net.recipe);
    TrainConfig { seed, ..recipe.into() }
}

/// What can happen.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// The user goes somewhere.
    Go(Box<View>),
    /// A script opens this variant.
    Visit(String),
    /// The engine said something.
    Heard(Box<Event>),
    /// `Open` was sent with this number.
    Opening(Generation),
    /// That opening failed, and whoever asked for it knows.
    Missed(Generation),
    /// What is done to the picture has settled.
    Alter(Alterations),
    /// Settings of training changed.
    Configure(TrainConfig),
    /// Other weights to start with.
    Start(Start),
    /// A run begins or goes on; from now on *Play* goes on with it.
    Begun,
    /// A fault of the page's own making.
    Complain(Fault),
    /// A notice was read.
    Dismiss(u32),
}

impl Model {
    /// At the start.
    pub fn new(view: View) -> Self {
        let config = default_config(&view.variant, view.seed());
        Self {
            view,
            engine: None,
            generation: 0,
            origin: None,
            running: false,
            halt: None,
            testing: None,
            tested: None,
            saved: None,
            download: None,
            notices: Vec::new(),
            config,
            start: Start::default(),
            fresh: true,
            before: None,
            next_notice: 0,
        }
    }

    /// The language in use.
    pub fn lang(&self) -> Lang {
        self.view.lang.unwrap_or_default()
    }

    /// Whether anything but the browser's frame must be told of this event.
    pub fn wants(event: &Event) -> bool {
        // An empty pad is no fault: whoever asks for a value then is told, the reader need not be.
        if let Event::Failed { fault, .. } = event {
            return fault.key != "nothing-shown";
        }
        !matches!(
            event,
            Event::Output { .. }
                | Event::Value { .. }
                | Event::Painted { .. }
                | Event::Progress { .. }
                | Event::Shown { .. }
                | Event::Explained { .. }
                | Event::Surveyed { .. }
                | Event::Backed { .. }
                | Event::Tensor { .. }
                | Event::Found { .. }
                | Event::File { .. }
                | Event::TrainedOn { .. }
                | Event::SelfTested { .. }
        )
    }

    /// The state after an action.
    #[must_use]
    pub fn after(&self, action: Action) -> Self {
        let mut next = self.clone();
        match action {
            Action::Go(view) => {
                if view.variant != next.view.variant {
                    let seed = view.seed();
                    next.config = default_config(&view.variant, seed);
                    (next.origin, next.before) = (None, None);
                    next.tested = None;
                    next.testing = None;
                    next.running = false;
                    next.halt = None;
                    next.fresh = true;
                }
                if view.seed() != next.view.seed() {
                    next.config.seed = view.seed();
                }
                next.view = *view;
            }
            Action::Visit(variant) => {
                if variant != next.view.variant {
                    return next.after(Action::Go(Box::new(next.view.of(&variant))));
                }
            }
            Action::Opening(generation) => {
                next.generation = generation;
                next.before = next.origin.take().or(next.before);
            }
            Action::Missed(generation) => next.stay(generation),
            Action::Alter(alter) => next.view.alter = alter,
            Action::Configure(config) => {
                next.view.seed = (config.seed != 1 || next.view.seed.is_some()).then_some(config.seed);
                next.config = config;
            }
            Action::Start(start) => {
                next.start = start;
                next.fresh = start != Start::Current;
            }
            Action::Begun => {
                next.fresh = false;
                next.halt = None;
            }
            Action::Complain(fault) => next.complain(fault),
            Action::Dismiss(id) => next.notices.retain(|n| n.id != id),
            Action::Heard(event) => next.hear(*event),
        }
        next
    }

    /// The weights before an opening that failed are still in use.
    fn stay(&mut self, generation: Generation) {
        if generation == self.generation && self.origin.is_none() {
            self.origin = self.before.take();
        }
    }

    fn complain(&mut self, fault: Fault) {
        // The same fault again (a file dropped twice, a device lost twice) is one notice.
        self.notices.retain(|n| n.fault.key != fault.key || n.fault.args != fault.args);
        self.notices.push(Notice { id: self.next_notice, fault });
        self.next_notice += 1;
        let excess = self.notices.len().saturating_sub(4);
        self.notices.drain(..excess);
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Engine(info) => self.engine = Some(info),
            Event::Opened { generation, origin, .. } if generation >= self.generation => {
                self.tested = None;
                self.download = None;
                self.origin = Some(origin);
            }
            Event::Weights(origin) => self.origin = Some(origin),
            Event::Download { what, received, total } => {
                let done = total.is_some_and(|total| received >= total);
                self.download = (!done).then_some((what, received, total));
            }
            Event::Running => {
                self.running = true;
                self.halt = None;
                self.fresh = false;
                self.download = None;
            }
            Event::Halted(halt) => {
                self.running = false;
                self.halt = Some(halt);
            }
            Event::Testing { done, total } => {
                self.download = None;
                self.testing = Some((done, total));
            }
            Event::Tested { errors, total, confusion, step } => {
                self.testing = None;
                self.tested = Some(Tested { errors, total, confusion, step });
            }
            Event::Saved { variant, step } => self.saved = Some((variant, step)),
            Event::Failed { request, fault } => {
                if let Some(generation) = request {
                    self.stay(generation);
                }
                self.download = None;
                self.testing = None;
                self.complain(fault);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Why;

    fn heard(model: &Model, event: Event) -> Model {
        model.after(Action::Heard(Box::new(event)))
    }

    fn fault(key: &str) -> Fault {
        Fault { key: key.into(), args: Vec::new(), detail: "words".into() }
    }

    #[test]
    fn an_answer_to_an_older_opening_is_dropped() {
        let model = Model::new(View::new()).after(Action::Opening(5));
        let opened = |generation| Event::Opened { generation, variant: "lenet5".into(), origin: Origin::Random(3) };
        assert_eq!(heard(&model, opened(4)).origin, None);
        assert_eq!(heard(&model, opened(5)).origin, Some(Origin::Random(3)));
    }

    #[test]
    fn an_opening_that_fails_leaves_the_weights_in_use() {
        let opened = |generation| Event::Opened { generation, variant: "lenet5".into(), origin: Origin::Random(3) };
        let failed = |generation| Event::Failed { request: Some(generation), fault: fault("weights-format") };
        let model = heard(&Model::new(View::new()).after(Action::Opening(5)), opened(5)).after(Action::Opening(7));
        assert_eq!(model.origin, None);
        assert_eq!(heard(&model, failed(6)).origin, None, "another request's failure");
        assert_eq!(heard(&model, failed(7)).origin, Some(Origin::Random(3)));
        assert_eq!(model.after(Action::Missed(7)).origin, Some(Origin::Random(3)));
        // Two in a row, and a network of which nothing was open.
        let twice = model.after(Action::Opening(8));
        assert_eq!(heard(&twice, failed(8)).origin, Some(Origin::Random(3)));
        let other = model.after(Action::Go(Box::new(View { variant: "lenet5-modern".into(), ..View::new() })));
        assert_eq!(heard(&other.after(Action::Opening(9)), failed(9)).origin, None);
    }

    #[test]
    fn another_variant_begins_afresh() {
        let mut model = Model::new(View::new());
        model.running = true;
        model.fresh = false;
        model.origin = Some(Origin::Trained(7));
        let view = View { variant: "lenet5-modern".into(), ..View::new() };
        let next = model.after(Action::Go(Box::new(view)));
        assert!(!next.running && next.fresh && next.origin.is_none());
        assert_ne!(next.config.lr, model.config.lr);
        // within a variant nothing of that happens
        let same = model.after(Action::Go(Box::new(View { layer: Some("c1".into()), ..View::new() })));
        assert!(same.running && !same.fresh && same.origin.is_some());
    }

    #[test]
    fn one_notice_a_fault_and_four_at_most() {
        let mut model = Model::new(View::new());
        for key in ["a", "b", "a", "c", "d", "e"] {
            model = model.after(Action::Complain(fault(key)));
        }
        let keys: Vec<_> = model.notices.iter().map(|n| n.fault.key.as_str()).collect();
        assert_eq!(keys, ["a", "c", "d", "e"]);
        let id = model.notices[1].id;
        assert!(model.after(Action::Dismiss(id)).notices.iter().all(|n| n.fault.key != "c"));
    }

    #[test]
    fn play_goes_on_with_a_run_that_has_begun() {
        let model = Model::new(View::new());
        assert!(model.fresh);
        let running = heard(&model, Event::Running);
        assert!(running.running && !running.fresh);
        let halted = heard(&running, Event::Halted(Halt::Diverged));
        assert_eq!((halted.running, halted.halt, halted.fresh), (false, Some(Halt::Diverged), false));
        assert!(halted.after(Action::Start(Start::Shipped)).fresh);
        assert!(!halted.after(Action::Start(Start::Current)).fresh);
    }

    #[test]
    fn an_empty_pad_is_no_fault() {
        let failed = |key| Event::Failed { request: Some(3), fault: fault(key) };
        assert!(!Model::wants(&failed("nothing-shown")));
        assert!(Model::wants(&failed("gpu")));
    }

    #[test]
    fn the_engine_is_known_when_it_said_so() {
        let info =
            EngineInfo { backend: Backend::Cpu, adapter: String::new(), why: Why::NoWebgpu, gpu_available: false };
        assert_eq!(heard(&Model::new(View::new()), Event::Engine(info.clone())).engine, Some(info));
    }
}
