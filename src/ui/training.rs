//! The training panel: where a run starts, its settings, its buttons, its curves, its gradients and its test. Curves and counters
//! change many times a second: they are kept beside the state and written straight into the page, once a frame.

use super::hooks::{
    Page, colour, later, next_frame, use_client, use_dark, use_heard, use_network, use_page, use_pixel_ratio,
    use_words, window,
};
use super::i18n::{self, number};
use super::record::Record;
use super::state::{Action, Start, Tested};
use crate::arch::{VARIANTS, Variant};
use crate::data::augment::Augmentation;
use crate::data::distort::Distortion;
use crate::protocol::{Command, Event, ParamStats, TrainConfig, Weights};
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// The panel.
#[component]
pub fn Training() -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let hidden = page.view.hides("train");
    let elsewhere = network.as_ref().filter(|n| !n.reads_digits()).map(|n| n.variant);
    let sibling = elsewhere.and_then(|here| {
        let of_family = |v: &&'static Variant| v.family == here.family && v.name.ends_with("-digits");
        VARIANTS.iter().find(of_family).map(|v| (here, v))
    });
    if let Some((here, there)) = sibling {
        let onclick = {
            let page = page.clone();
            Callback::from(move |_| page.dispatch(Action::Visit(there.name.into())))
        };
        return html! {
            <div class="training elsewhere" {hidden}>
                <p>{words.fill("train-elsewhere", &[("title", &words.title(here))])}</p>
                <button type="button" {onclick} data-testid="train-sibling">{words.fill("train-sibling", &[("title", &words.title(there))])}</button>
                <Files />
            </div>
        };
    }
    html! {
        <div class="training" hidden={hidden}>
            <Run />
            <Curves />
            <Gradients />
            <Test />
            <Files />
        </div>
    }
}

/// Begins a run if the next one is to begin afresh, then does as told.
fn begin(page: &Page, client: &super::client::Client, command: Command) {
    if page.fresh
        && let Some(weights) = start_weights(page.start, page.view.seed())
    {
        client.send(&Command::Reset(weights));
    }
    page.dispatch(Action::Begun);
    client.send(&command);
}

fn start_weights(start: Start, seed: u64) -> Option<Weights> {
    match start {
        Start::Random => Some(Weights::Seed(seed)),
        Start::Shipped => Some(Weights::Shipped),
        Start::Current => None,
    }
}

/// A number in the settings.
struct Setting {
    key: &'static str,
    step: &'static str,
    range: (f64, f64),
    get: fn(&TrainConfig) -> f64,
    set: fn(&mut TrainConfig, f64),
}

const SETTINGS: [Setting; 6] = [
    Setting {
        key: "train-batch",
        step: "1",
        range: (1.0, 512.0),
        get: |c| c.batch as f64,
        set: |c, v| c.batch = v as usize,
    },
    Setting { key: "train-lr", step: "any", range: (0.0, 10.0), get: |c| c.lr.into(), set: |c, v| c.lr = v as f32 },
    Setting {
        key: "train-decay",
        step: "any",
        range: (0.01, 1.0),
        get: |c| c.schedule.factor().into(),
        set: |c, v| c.schedule = c.schedule.with_factor(v as f32),
    },
    Setting {
        key: "train-momentum",
        step: "any",
        range: (0.0, 0.999),
        get: |c| c.momentum.into(),
        set: |c, v| c.momentum = v as f32,
    },
    Setting {
        key: "train-weight-decay",
        step: "any",
        range: (0.0, 1.0),
        get: |c| c.weight_decay.into(),
        set: |c, v| c.weight_decay = v as f32,
    },
    Setting {
        key: "train-seed",
        step: "1",
        range: (0.0, 9_007_199_254_740_991.0),
        get: |c| c.seed as f64,
        set: |c, v| c.seed = v as u64,
    },
];

const DISTORTIONS: [Setting; 4] = [
    Setting {
        key: "distort-shift",
        step: "any",
        range: (0.0, 8.0),
        get: |c| c.augmentation.distortion().shift.into(),
        set: |c, v| c.augmentation.distort(|d| d.shift = v as f32),
    },
    Setting {
        key: "distort-rotate",
        step: "any",
        range: (0.0, 45.0),
        get: |c| c.augmentation.distortion().rotate.into(),
        set: |c, v| c.augmentation.distort(|d| d.rotate = v as f32),
    },
    Setting {
        key: "distort-scale",
        step: "any",
        range: (0.0, 0.9),
        get: |c| c.augmentation.distortion().scale.into(),
        set: |c, v| c.augmentation.distort(|d| d.scale = v as f32),
    },
    Setting {
        key: "distort-shear",
        step: "any",
        range: (0.0, 1.0),
        get: |c| c.augmentation.distortion().shear.into(),
        set: |c, v| c.augmentation.distort(|d| d.shear = v as f32),
    },
];

/// What the switch turns on: mild enough that a digit stays itself.
const DISTORTED: Distortion = Distortion { shift: 2.0, rotate: 8.0, scale: 0.1, shear: 0.15 };

/// Start, settings, buttons.
#[component]
fn Run() -> Html {
    let (client, page, words) = (use_client(), use_page(), use_words());
    let busy = page.origin.is_none();
    let field = |setting: &'static Setting| {
        let onchange = {
            let page = page.clone();
            Callback::from(move |event: web_sys::Event| {
                let Some(input) = event.target_dyn_into::<web_sys::HtmlInputElement>() else { return };
                let value = input.value_as_number();
                let mut config = page.config.clone();
                if value.is_finite() {
                    (setting.set)(&mut config, value.clamp(setting.range.0, setting.range.1));
                }
                // What cannot be is put right where it stands.
                input.set_value(&shown((setting.get)(&config)));
                page.dispatch(Action::Configure(config));
            })
        };
        html! {
            <label>{words.get(setting.key)}
                <input type="number" inputmode="decimal" step={setting.step} min={setting.range.0.to_string()} max={setting.range.1.to_string()}
                    value={shown((setting.get)(&page.config))} {onchange} data-testid={setting.key} /></label>
        }
    };
    let start = {
        let page = page.clone();
        Callback::from(move |event: web_sys::Event| {
            let Some(select) = event.target_dyn_into::<web_sys::HtmlSelectElement>() else { return };
            let start = match select.value().as_str() {
                "shipped" => Start::Shipped,
                "current" => Start::Current,
                _ => Start::Random,
            };
            page.dispatch(Action::Start(start));
        })
    };
    let option = |value: &'static str, this: Start| {
        html! { <option {value} selected={page.start == this}>{words.get(&format!("start-{value}"))}</option> }
    };
    let distort = {
        let page = page.clone();
        Callback::from(move |event: web_sys::Event| {
            let on = event.target_dyn_into::<web_sys::HtmlInputElement>().is_some_and(|i| i.checked());
            let augmentation = if on { Augmentation::Digits(DISTORTED) } else { Augmentation::None };
            page.dispatch(Action::Configure(TrainConfig { augmentation, ..page.config.clone() }));
        })
    };
    let on = {
        let (client, page) = (client.clone(), page.clone());
        move |command: Command| {
            let (client, page) = (client.clone(), page.clone());
            Callback::from(move |_: MouseEvent| match command {
                Command::Pause => client.send(&command),
                _ => begin(&page, &client, command.clone()),
            })
        }
    };
    let reset = {
        let (client, page) = (client.clone(), page.clone());
        Callback::from(move |_: MouseEvent| {
            client.send(&Command::Pause);
            let weights = start_weights(page.start, page.view.seed()).unwrap_or(Weights::Seed(page.view.seed()));
            client.send(&Command::Reset(weights));
            page.dispatch(Action::Begun);
        })
    };
    let restore = {
        let (client, page) = (client.clone(), page.clone());
        Callback::from(move |_: MouseEvent| {
            client.send(&Command::Restore);
            page.dispatch(Action::Begun);
        })
    };
    let halt = page.halt.map(|halt| match halt {
        crate::protocol::Halt::Paused => words.get("halt-paused"),
        crate::protocol::Halt::NotANumber => words.get("halt-not-a-number"),
        crate::protocol::Halt::Diverged => words.get("halt-diverged"),
    });
    let saved = page.saved.as_ref().filter(|(variant, _)| *variant == page.view.variant).map(|(_, step)| *step);
    html! {
        <section class="card run" aria-labelledby="run-title">
            <h3 id="run-title">{words.get("train-run")}</h3>
            <div class="row">
                if page.running {
                    <button type="button" class="primary" onclick={on(Command::Pause)} data-testid="train-pause">
                        <span aria-hidden="true">{"❙❙ "}</span>{words.get("train-pause")}</button>
                } else {
                    <button type="button" class="primary" onclick={on(Command::Play)} disabled={busy} data-testid="train-play">
                        <span aria-hidden="true">{"▶ "}</span>{words.get("train-play")}</button>
                }
                <button type="button" onclick={on(Command::Step)} disabled={busy || page.running} data-testid="train-step">{words.get("train-step")}</button>
                <button type="button" onclick={reset} disabled={busy} data-testid="train-reset">{words.get("train-reset")}</button>
            </div>
            <p class="note" role="status" data-testid="halt">{ halt.filter(|_| !page.running).unwrap_or_default() }</p>
            if let Some(step) = saved.filter(|_| page.fresh) {
                <p class="note">{words.fill("train-saved", &[("steps", &number(step))])}{" "}
                    <button type="button" onclick={restore} data-testid="train-restore">{words.get("train-restore")}</button></p>
            }
            <div class="fields">
                <label>{words.get("train-start")}
                    <select onchange={start} data-testid="train-start">
                        { option("random", Start::Random) }
                        { option("shipped", Start::Shipped) }
                        { option("current", Start::Current) }
                    </select></label>
                { for SETTINGS.iter().map(field) }
            </div>
            <label class="check">
                <input type="checkbox" checked={!page.config.augmentation.distortion().is_none()} onchange={distort} data-testid="train-distort" />
                {words.get("train-distort")}</label>
            if !page.config.augmentation.distortion().is_none() {
                <div class="fields">{ for DISTORTIONS.iter().map(field) }</div>
            }
        </section>
    }
}

/// A setting as its field shows it: f32 values without the digits that f64 adds.
fn shown(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{}", value as f32) }
}

/// Loss and accuracy, and the counters over them.
#[component]
fn Curves() -> Html {
    let (words, dark, ratio) = (use_words(), use_dark(), use_pixel_ratio());
    let canvas = use_node_ref();
    let counters: [NodeRef; 6] = std::array::from_fn(|_| NodeRef::default());
    let counters = use_memo((), move |()| counters);
    let record = use_mut_ref(Record::default);
    let pending = use_mut_ref(|| false);
    let figures = use_mut_ref(|| (0.0_f32, 0.0_f32, 0.0_f32));
    {
        let (canvas, record) = (canvas.clone(), record.clone());
        use_effect_with((dark, ratio), move |&(_, ratio)| next_frame(move || paint(&canvas, &record.borrow(), ratio)));
    }
    {
        let (canvas, counters, record) = (canvas.clone(), counters.clone(), record.clone());
        use_heard(move |heard| {
            match &heard.event {
                Event::Progress { steps, epoch, lr, speed, .. } => {
                    record.borrow_mut().push(steps);
                    *figures.borrow_mut() = (*epoch, *lr, *speed);
                }
                Event::Opened { .. } => {
                    *record.borrow_mut() = Record::default();
                    *figures.borrow_mut() = (0.0, 0.0, 0.0);
                }
                _ => return,
            }
            if pending.replace(true) {
                return;
            }
            let (canvas, counters, record, pending, figures) =
                (canvas.clone(), counters.clone(), record.clone(), pending.clone(), figures.clone());
            next_frame(move || {
                pending.replace(false);
                let (record, (epoch, lr, speed)) = (record.borrow(), *figures.borrow());
                paint(&canvas, &record, ratio);
                let texts = match record.last() {
                    None => std::array::from_fn(|_| "–".to_string()),
                    Some(last) => [
                        number(last.step),
                        i18n::value(last.loss),
                        format!("{:.1} %", last.accuracy * 100.0),
                        format!("{epoch:.2}"),
                        i18n::value(lr),
                        if speed > 0.0 { number(speed.round() as u64) } else { "–".into() },
                    ],
                };
                for (node, text) in counters.iter().zip(&texts) {
                    if let Some(node) = node.cast::<web_sys::Element>() {
                        node.set_text_content(Some(text));
                    }
                }
            });
        });
    }
    let names = ["curve-step", "curve-loss", "curve-accuracy", "curve-epoch", "curve-lr", "curve-speed"];
    let testids = ["step", "loss", "accuracy", "epoch", "lr", "speed"];
    html! {
        <section class="card curves" aria-labelledby="curves-title">
            <h3 id="curves-title">{words.get("curve-title")}</h3>
            <dl class="counters">
                { for names.iter().zip(testids).zip(counters.iter()).map(|((name, testid), node)| html! {
                    <div><dt>{words.get(name)}</dt><dd ref={node.clone()} data-testid={testid}>{"–"}</dd></div>
                }) }
            </dl>
            <canvas ref={canvas} class="curve" role="img" aria-label={words.get("curve-label")}></canvas>
            <p class="legend" aria-hidden="true">
                <span class="key loss"></span>{words.get("curve-loss")}
                <span class="key accuracy"></span>{words.get("curve-accuracy")}
            </p>
        </section>
    }
}

/// Paints both curves: loss from 0 to its top, accuracy from 0 to 1.
fn paint(canvas: &NodeRef, record: &Record, ratio: f64) {
    let Some(canvas) = canvas.cast::<web_sys::HtmlCanvasElement>() else { return };
    let (width, height) = (f64::from(canvas.client_width()), f64::from(canvas.client_height()));
    if width < 1.0 {
        return; // not visible now
    }
    let device = |v: f64| (v * ratio).round() as u32;
    if (canvas.width(), canvas.height()) != (device(width), device(height)) {
        canvas.set_width(device(width));
        canvas.set_height(device(height));
    }
    let Some(context) =
        canvas.get_context("2d").ok().flatten().and_then(|c| c.dyn_into::<web_sys::CanvasRenderingContext2d>().ok())
    else {
        return;
    };
    let _ = context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0);
    context.clear_rect(0.0, 0.0, width, height);
    let (left, right, top, bottom) = (34.0, width - 38.0, 8.0, height - 18.0);
    let limit = f64::from(record.loss_top());
    context.set_font("11px system-ui, sans-serif");
    context.set_fill_style_str(&colour("--muted"));
    context.set_stroke_style_str(&colour("--line"));
    context.set_line_width(1.0);
    for part in [0.0, 0.5, 1.0] {
        let y = bottom - part * (bottom - top);
        context.begin_path();
        context.move_to(left, y);
        context.line_to(right, y);
        context.stroke();
        context.set_text_align("right");
        let _ = context.fill_text(&i18n::value((part * limit) as f32), left - 4.0, y + 4.0);
        context.set_text_align("left");
        let _ = context.fill_text(&format!("{:.0} %", part * 100.0), right + 4.0, y + 4.0);
    }
    let end = record.end().max(2);
    context.set_text_align("right");
    let _ = context.fill_text(&number(end), right, height - 4.0);
    context.set_text_align("left");
    let _ = context.fill_text("1", left, height - 4.0);
    let x = |step: u64| left + (step.saturating_sub(1)) as f64 / (end - 1) as f64 * (right - left);
    let curve = |name: &str, share: &dyn Fn(&super::record::Point) -> f64| {
        context.set_stroke_style_str(&colour(name));
        context.set_line_width(1.5);
        context.begin_path();
        let mut pen_down = false;
        for point in record.points() {
            let share = share(point);
            if !share.is_finite() {
                pen_down = false;
                continue;
            }
            let y = bottom - share.clamp(0.0, 1.0) * (bottom - top);
            if pen_down {
                context.line_to(x(point.step), y);
            } else {
                context.move_to(x(point.step), y);
                pen_down = true;
            }
        }
        context.stroke();
    };
    curve("--output", &|p| f64::from(p.loss) / limit);
    curve("--conv", &|p| f64::from(p.accuracy));
}

/// Gradient norms and update ratios of each parameter, a few times a second.
#[component]
fn Gradients() -> Html {
    let (words, network) = (use_words(), use_network());
    let stats = use_state(Vec::<ParamStats>::new);
    let waiting = use_mut_ref(|| false);
    let newest = use_mut_ref(Vec::<ParamStats>::new);
    {
        let stats = stats.clone();
        use_heard(move |heard| match &heard.event {
            Event::Progress { params, .. } if !params.is_empty() => {
                *newest.borrow_mut() = params.clone();
                if !waiting.replace(true) {
                    let (stats, waiting, newest) = (stats.clone(), waiting.clone(), newest.clone());
                    later(250, move || {
                        waiting.replace(false);
                        stats.set(newest.borrow().clone());
                    });
                }
            }
            Event::Opened { .. } => {
                newest.borrow_mut().clear();
                stats.set(Vec::new());
            }
            _ => {}
        });
    }
    let Some(arch) = network else { return Html::default() };
    let params = arch.graph.params();
    let top = stats.iter().map(|s| s.gradient).filter(|g| g.is_finite()).fold(1e-12, f32::max);
    html! {
        <section class="card gradients" aria-labelledby="gradients-title">
            <h3 id="gradients-title">{words.get("gradients-title")}</h3>
            if stats.is_empty() {
                <p class="note">{words.get("gradients-none")}</p>
            } else {
                <table data-testid="gradients">
                    <thead><tr><th scope="col">{words.get("gradients-param")}</th>
                        <th scope="col" colspan="2">{words.get("gradients-norm")}</th>
                        <th scope="col" title={words.get("gradients-ratio-why")}>{words.get("gradients-ratio")}</th></tr></thead>
                    <tbody>{ for stats.iter().filter_map(|s| params.get(s.param).map(|p| (s, p))).map(|(s, p)| html! {
                        <tr><th scope="row">{p.name.clone()}</th>
                            <td class="track" aria-hidden="true"><span class="bar-track"><span class="bar-fill"
                                style={format!("width:{:.1}%", (s.gradient / top).clamp(0.0, 1.0) * 100.0)}></span></span></td>
                            <td>{i18n::value(s.gradient)}</td>
                            <td>{i18n::value(s.update / s.weights.max(1e-12))}</td></tr>
                    }) }</tbody>
                </table>
                <p class="note">{words.get("gradients-ratio-why")}</p>
            }
        </section>
    }
}

/// Error on the whole test set, and what was taken for what.
#[component]
fn Test() -> Html {
    let (client, page, words) = (use_client(), use_page(), use_words());
    let testing = page.testing.is_some();
    let onclick = {
        let client = client.clone();
        Callback::from(move |_| client.send(if testing { &Command::Cancel } else { &Command::Test }))
    };
    html! {
        <section class="card test" aria-labelledby="test-title">
            <h3 id="test-title">{words.get("test-title")}</h3>
            <div class="row">
                <button type="button" {onclick} disabled={page.origin.is_none()} data-testid="test">
                    {words.get(if testing { "test-cancel" } else { "test-run" })}</button>
                if let Some((done, total)) = page.testing {
                    <progress aria-label={words.get("test-title")} value={done.to_string()} max={total.to_string()}></progress>
                }
            </div>
            if let Some(tested) = &page.tested {
                <Confusion tested={tested.clone()} />
            } else {
                <p class="note">{words.get("test-none")}</p>
            }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct ConfusionProps {
    tested: Tested,
}

#[component]
fn Confusion(props: &ConfusionProps) -> Html {
    let words = use_words();
    let tested = &props.tested;
    let classes = (tested.confusion.len() as f64).sqrt() as usize;
    let percent = tested.errors as f64 * 100.0 / tested.total.max(1) as f64;
    let summary = words.fill(
        "test-result",
        &[
            ("percent", &format!("{percent:.2}")),
            ("errors", &number(tested.errors as u64)),
            ("total", &number(tested.total as u64)),
            ("step", &number(tested.step)),
        ],
    );
    let off = |row: usize, col: usize| if row == col { 0 } else { tested.confusion[row * classes + col] };
    let worst =
        (0..classes).flat_map(|r| (0..classes).map(move |c| (r, c))).map(|(r, c)| off(r, c)).max().unwrap_or(0).max(1);
    let cell = |row: usize, col: usize| {
        let n = tested.confusion[row * classes + col];
        // Square root: single mistakes are seen beside the commonest one.
        let share = (f64::from(off(row, col)) / f64::from(worst)).sqrt() * 60.0;
        let style = (row != col && n > 0)
            .then(|| format!("background:color-mix(in srgb, var(--output) {share:.0}%, transparent)"));
        html! { <td class={(row == col).then_some("right")} {style}>{ if n == 0 { String::new() } else { number(n.into()) } }</td> }
    };
    html! {
        <>
            <p role="status" data-testid="test-error">{summary}</p>
            <div class="scroll" tabindex="0" role="region" aria-label={words.get("test-confusion")}>
            <table class="confusion" data-testid="confusion">
                <caption>{words.get("test-confusion")}</caption>
                <thead><tr><td></td>{ for (0..classes).map(|c| html! { <th scope="col">{c}</th> }) }</tr></thead>
                <tbody>{ for (0..classes).map(|r| html! {
                    <tr><th scope="row">{r}</th>{ for (0..classes).map(|c| cell(r, c)) }</tr>
                }) }</tbody>
            </table>
            </div>
        </>
    }
}

/// Hands files to the engine as the open network's weights: one, or several that hold a part each. The engine reads them piece by piece.
fn load(client: &super::client::Client, page: &Page, files: &web_sys::FileList) {
    let files: Vec<web_sys::File> = (0..files.length()).filter_map(|i| files.get(i)).collect();
    let Some(name) = files.first().map(web_sys::File::name) else { return };
    let files: Vec<JsValue> = files.into_iter().map(JsValue::from).collect();
    client.send(&Command::Pause);
    let generation = client.open(&page.view.variant, Weights::File(name), &files);
    page.dispatch(Action::Opening(generation));
    page.dispatch(Action::Start(Start::Current));
}

/// What is written on a [`PickWeights`].
#[derive(Properties, PartialEq)]
pub struct PickWeightsProps {
    /// On the button.
    pub text: AttrValue,
    /// For tests.
    pub testid: AttrValue,
}

/// A button that opens weights from the user's files.
#[component]
pub fn PickWeights(props: &PickWeightsProps) -> Html {
    let (client, page) = (use_client(), use_page());
    let pick = Callback::from(move |event: web_sys::Event| {
        let Some(input) = event.target_dyn_into::<web_sys::HtmlInputElement>() else { return };
        if let Some(files) = input.files() {
            load(&client, &page, &files);
        }
        // The same file may be picked again.
        input.set_value("");
    });
    html! {
        <label class="button">{props.text.clone()}
            <input type="file" multiple=true accept=".safetensors,.json" onchange={pick} class="sr" data-testid={props.testid.clone()} /></label>
    }
}

/// Weights as a file: out and in.
#[component]
fn Files() -> Html {
    let (client, page, words) = (use_client(), use_page(), use_words());
    let asked = use_mut_ref(|| None);
    {
        let asked = asked.clone();
        use_heard(move |heard| {
            if let Event::File { request, name } = &heard.event
                && *asked.borrow() == Some(*request)
                && let Some(bytes) = heard.transferred.first()
            {
                download(name, bytes);
            }
        });
    }
    let save = {
        let (client, asked) = (client.clone(), asked.clone());
        Callback::from(move |_| {
            let request = client.number();
            asked.replace(Some(request));
            client.send(&Command::Save { request });
        })
    };
    {
        // Anywhere on the page.
        use_window_event_drop(&client, &page);
    }
    html! {
        <section class="card files" aria-labelledby="files-title" hidden={page.view.hides("files")}>
            <h3 id="files-title">{words.get("files-title")}</h3>
            <div class="row">
                <button type="button" onclick={save} disabled={page.origin.is_none()} data-testid="save">{words.get("files-save")}</button>
                <PickWeights text={words.get("files-load")} testid="load" />
            </div>
            <p class="note">{words.get("files-note")}</p>
        </section>
    }
}

#[hook]
fn use_window_event_drop(client: &super::client::Client, page: &Page) {
    super::hooks::use_window_event("dragover", |event| {
        // Without this the browser would open the file itself.
        if event.dyn_ref::<DragEvent>().and_then(DragEvent::data_transfer).is_some() {
            event.prevent_default();
        }
    });
    let (client, page) = (client.clone(), page.clone());
    super::hooks::use_window_event("drop", move |event| {
        let Some(transfer) = event.dyn_ref::<DragEvent>().and_then(DragEvent::data_transfer) else { return };
        event.prevent_default();
        if let Some(files) = transfer.files() {
            load(&client, &page, &files);
        }
    });
}

/// Offers bytes as a file to keep.
fn download(name: &str, bytes: &JsValue) {
    let parts = js_sys::Array::of1(bytes);
    let address = web_sys::Blob::new_with_u8_array_sequence(&parts)
        .and_then(|blob| web_sys::Url::create_object_url_with_blob(&blob));
    let link = window()
        .document()
        .and_then(|d| d.create_element("a").ok())
        .and_then(|a| a.dyn_into::<web_sys::HtmlElement>().ok());
    if let (Ok(address), Some(link)) = (address, link) {
        let _ = link.set_attribute("href", &address);
        let _ = link.set_attribute("download", name);
        link.click();
        later(10_000, move || {
            let _ = web_sys::Url::revoke_object_url(&address);
        });
    }
}
