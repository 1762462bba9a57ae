//! What the network says: the digit, ten distances or probabilities, and, where the output compares with pictures of the
//! classes, the code beside them. Knows readouts, not networks.

use super::classes::use_classes;
use super::hooks::{use_client, use_heard, use_network, use_page, use_words};
use super::i18n;
use super::painted::{CODES, Painted};
use super::state::Action;
use super::training::PickWeights;
use crate::arch::Architecture;
use crate::ops::{Op, Readout};
use crate::protocol::{Command, Event, Origin, PaintRect, Source, Weights as Wanted};
use yew::prelude::*;

/// An answer.
#[derive(Clone, PartialEq)]
struct Answer {
    /// Whose it is.
    variant: String,
    values: Vec<f32>,
    predicted: usize,
    milliseconds: f32,
}

/// Beyond so many classes only the best are listed.
const MANY: usize = 20;
/// So many: ImageNet's own measure is the "top 5" error.
const TOP: usize = 5;
/// Side of one pixel of the code's picture and of the targets'.
const CODE: f32 = 6.0;
const TARGET: f32 = 3.0;
const GAP: f32 = 7.0;

/// How a code of `n` features is drawn as a picture: the most nearly square rectangle, upright (84 → 12 rows of 7).
pub fn bitmap(n: usize) -> (usize, usize) {
    let cols = (1..=n).take_while(|c| c * c <= n).filter(|c| n.is_multiple_of(*c)).last().unwrap_or(1);
    (n / cols, cols)
}

/// Where code and targets are painted, their number, and the size of it all.
fn codes(arch: &Architecture) -> Option<(Vec<PaintRect>, usize, (f64, f64))> {
    let node = &arch.graph.nodes()[arch.output];
    let Op::Rbf(rbf) = &node.op else { return None };
    let code = *node.inputs.first()?;
    let features = arch.graph.nodes()[code].shape.len();
    let (rows, cols) = bitmap(features);
    let place = |source, offset, left: f32, top: f32, side: f32| PaintRect {
        source,
        offset,
        rows,
        cols,
        at: [left, top, cols as f32 * side, rows as f32 * side],
    };
    let mut rects = vec![place(Source::Value(code), 0, 0.0, 0.0, CODE)];
    let (width, height) = (cols as f32 * TARGET + GAP, rows as f32 * TARGET + GAP);
    let left = cols as f32 * CODE + 2.0 * GAP;
    let per_row = rbf.out_features.div_ceil(2);
    for class in 0..rbf.out_features {
        let (row, col) = (class / per_row, class % per_row);
        let weight = Source::Param(arch.graph.params_of(arch.output).start);
        rects.push(place(weight, class * features, left + col as f32 * width, row as f32 * height, TARGET));
    }
    let size = (f64::from(left + per_row as f32 * width), f64::from((rows as f32 * CODE).max(2.0 * height)));
    Some((rects, rbf.out_features, size))
}

/// The answer.
#[component]
pub fn Output() -> Html {
    let (words, page, network) = (use_words(), use_page(), use_network());
    let answer = use_state(|| None::<Answer>);
    let label = use_state(|| None::<u8>);
    let newest = use_mut_ref(|| 0);
    {
        let (answer, label, newest) = (answer.clone(), label.clone(), newest.clone());
        let variant = page.view.variant.clone();
        let readout = network.as_ref().map(|n| n.loss.readout());
        use_heard(move |heard| match &heard.event {
            Event::Output { generation, output, probabilities, predicted, milliseconds } => {
                if *generation < *newest.borrow() {
                    return;
                }
                *newest.borrow_mut() = *generation;
                answer.set(output.as_ref().map(|output| Answer {
                    variant: variant.clone(),
                    values: if readout == Some(Readout::Distances) { output.clone() } else { probabilities.clone() },
                    predicted: *predicted,
                    milliseconds: *milliseconds,
                }));
            }
            Event::Shown { label: known, .. } => label.set(*known),
            _ => {}
        });
    }
    // Another network has said nothing yet.
    let answer = (*answer).clone().filter(|a| a.variant == page.view.variant);
    let named = use_classes();
    let Some(arch) = network else { return Html::default() };
    let distances = arch.loss.readout() == Readout::Distances;
    let (classes, digits, known) = (named.count, named.digits, named.known);
    let values: Vec<Option<f32>> =
        (0..classes).map(|i| answer.as_ref().and_then(|a| a.values.get(i).copied())).collect();
    let top = if distances { values.iter().flatten().copied().fold(1e-6, f32::max) } else { 1.0 };
    let best = answer.as_ref().map(|a| a.predicted);
    let title = words.get(match (distances, classes > MANY, digits) {
        (true, ..) => "output-distances",
        (_, true, _) => "output-top",
        (.., true) => "output-probabilities",
        _ => "output-classes",
    });
    // Of very many classes the five that score highest.
    let mut order: Vec<usize> = (0..classes).collect();
    if classes > MANY {
        order.sort_by(|&a, &b| values[b].unwrap_or(0.0).total_cmp(&values[a].unwrap_or(0.0)).then(a.cmp(&b)));
        order.truncate(if answer.is_some() { TOP } else { 0 });
    }
    let bar = |class: usize| {
        let value = values[class];
        let share = value.map_or(0.0, |v| (v / top).clamp(0.0, 1.0) * 100.0);
        let text = match value {
            None => "–".to_string(),
            Some(v) if distances => format!("{v:.1}"),
            Some(v) => format!("{:.1} %", v * 100.0),
        };
        html! {
            <li class={classes!("bar", (Some(class) == best).then_some("best"))} data-testid={format!("class-{class}")}>
                <span class={classes!("bar-name", (!digits).then_some("long"))}>{named.name(class)}</span>
                <span class="bar-track" aria-hidden="true"><span class="bar-fill" style={format!("width:{share:.1}%")}></span></span>
                <span class="bar-value">{text}</span>
            </li>
        }
    };
    html! {
        <section class="output" aria-label={format!("{title}: {}", words.title(arch.variant))} hidden={page.view.hides("output")}>
            <div class="answer">
                <output class={classes!("digit", (!digits).then_some("word"))} data-testid="predicted" aria-live="polite" aria-label={words.get("output-answer")}>
                    { best.filter(|_| digits || known).map_or("–".to_string(), |class| named.name(class)) }
                </output>
                <p class="note">
                    if let Some(answer) = &answer {
                        <span data-testid="milliseconds">{words.fill("output-time", &[("ms", &format!("{:.1}", answer.milliseconds))])}</span>
                        if let Some(label) = *label {
                            <br /><span>{words.fill("output-label", &[("digit", &label.to_string())])}</span>
                        }
                    } else {
                        {words.get(if digits { "output-empty" } else { "output-waiting" })}
                    }
                </p>
            </div>
            <h2>{title}
                if distances { {" "}<small>{words.get("output-smaller")}</small> }
            </h2>
            if !digits && matches!(page.origin, Some(Origin::Random(_))) {
                <p class="note" data-testid="untrained">{words.get("output-untrained")}</p>
            }
            <ol class="bars" start="0">{ for order.iter().map(|&class| bar(class)) }</ol>
            <Codes shown={answer.is_some()} />
            <Weights />
            if !digits { <GiveWeights /> }
        </section>
    }
}

/// Trained weights from the user: by file, or from an address.
#[component]
fn GiveWeights() -> Html {
    let (client, page, words) = (use_client(), use_page(), use_words());
    let address = use_node_ref();
    let onsubmit = {
        let (client, page, address) = (client.clone(), page.clone(), address.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let url = address.cast::<web_sys::HtmlInputElement>().map(|i| i.value()).unwrap_or_default();
            if !url.trim().is_empty() {
                page.dispatch(Action::Opening(client.open(&page.view.variant, Wanted::Url(url.trim().into()), &[])));
            }
        })
    };
    let cancel = {
        let client = client.clone();
        Callback::from(move |_| client.send(&Command::Cancel))
    };
    html! {
        <div class="give" hidden={page.view.hides("files")}>
            <PickWeights text={words.get("give-file")} testid="give-file" />
            <form {onsubmit} class="row">
                <input ref={address} type="url" placeholder="https://…/model.safetensors" aria-label={words.get("give-url")} data-testid="give-url" />
                <button type="submit">{words.get("give-fetch")}</button>
            </form>
            if page.download.is_some() {
                <button type="button" onclick={cancel} data-testid="give-cancel">{words.get("give-cancel")}</button>
            }
            <p class="note">{words.get("give-note")}</p>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct CodesProps {
    shown: bool,
}

/// The code beside the classes' pictures. Always there, so that its canvas is handed over once.
#[component]
fn Codes(props: &CodesProps) -> Html {
    let (words, network) = (use_words(), use_network());
    let codes = network.as_ref().and_then(|n| codes(n));
    let there = codes.is_some();
    let (mut rects, _, size) = codes.unwrap_or((Vec::new(), 0, (1.0, 1.0)));
    if !props.shown && !rects.is_empty() {
        // Nothing was shown, so there is no code: only the targets.
        rects.remove(0);
    }
    html! {
        <figure class="codes" hidden={!there}>
            <Painted id={CODES} {rects} {size} label={words.get("codes-label")} testid="codes" />
            <figcaption>{words.get("codes-caption")}</figcaption>
        </figure>
    }
}

/// Where the weights in use come from; said aloud where they are random.
#[component]
fn Weights() -> Html {
    let (words, page) = (use_words(), use_page());
    let (text, untrained) = match &page.origin {
        _ if page.running => (words.get("weights-learning"), false),
        None => (words.get("weights-opening"), false),
        Some(Origin::Random(seed)) => (words.fill("weights-random", &[("seed", &seed.to_string())]), true),
        Some(Origin::Shipped(None)) => (words.get("weights-shipped"), false),
        Some(Origin::Shipped(Some(percent))) => {
            (words.fill("weights-shipped-error", &[("percent", &format!("{percent:.2}"))]), false)
        }
        Some(Origin::File(name)) => (words.fill("weights-file", &[("name", name)]), false),
        Some(Origin::Trained(steps)) => (words.fill("weights-trained", &[("steps", &i18n::number(*steps))]), false),
    };
    html! { <p class={classes!("weights", untrained.then_some("untrained"))} data-testid="origin">{text}</p> }
}
