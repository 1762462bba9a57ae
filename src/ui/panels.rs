//! Below the diagram: a selected unit's arithmetic, its layer's facts and filters, the receptive field through the network; or training.
//! All panels stay in the page, the others hidden: their canvases are handed over once. Knows facts and scenes, no network by name.

use super::hooks::{Network, go, later, use_client, use_dark, use_heard, use_network, use_page, use_size, use_words};
use super::i18n::number;
use super::painted::{FILTERS, Painted};
use super::stage::scene_words;
use super::state::Panel;
use super::training::Training;
use crate::graph::NodeId;
use crate::graph::describe::{self, Facts, shape_text};
use crate::graph::layout::{self, Card};
use crate::ops::Table;
use crate::ops::explain::Explanation;
use crate::protocol::{Command, Event as Said, PaintRect, Palette, Scale, Source};
use crate::scene;
use crate::tensor::Unit;
use std::rc::Rc;
use yew::prelude::*;

/// What is selected: a card, and a unit of it.
#[derive(Clone, PartialEq)]
struct Selection {
    /// By position.
    card: Option<usize>,
    unit: Option<Unit>,
}

/// Cards and facts of the open network.
#[derive(Clone, PartialEq)]
struct Described {
    cards: Vec<Card>,
    facts: Vec<Facts>,
}

#[hook]
fn use_described(network: &Network, groups: &[String]) -> Rc<Described> {
    use_memo((network.clone(), groups.to_vec()), |(network, groups)| {
        let cards = network.as_ref().map(|n| layout::folded(&n.graph, groups).0).unwrap_or_default();
        let facts = network.as_ref().map(|n| describe::facts(&n.graph, &cards)).unwrap_or_default();
        Described { cards, facts }
    })
}

/// Tabs and panels.
#[component]
pub fn Panels() -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let described = use_described(&network, &page.view.groups);
    let node = network.as_ref().and_then(|n| page.view.layer.as_deref().and_then(|l| n.graph.find(l)));
    let card = node.and_then(|node| described.cards.iter().position(|c| c.nodes.contains(&node)));
    let panel = page.view.panel;
    let tab = |this: Panel| {
        let onclick = {
            let page = page.clone();
            Callback::from(move |_| go(&page, |v| v.panel = this))
        };
        // Arrow keys go to the other tab, as tab lists do.
        let onkeydown = {
            let page = page.clone();
            Callback::from(move |event: KeyboardEvent| {
                if ["ArrowLeft", "ArrowRight"].contains(&event.key().as_str()) {
                    let other = if this == Panel::Inspect { Panel::Training } else { Panel::Inspect };
                    go(&page, |v| v.panel = other);
                    super::hooks::focus(&format!("tab-{}", other.name()));
                }
            })
        };
        let here = panel == this;
        html! {
            <button type="button" role="tab" id={format!("tab-{}", this.name())} aria-selected={here.to_string()} {onkeydown}
                aria-controls={format!("panel-{}", this.name())} tabindex={if here { "0" } else { "-1" }} {onclick}
                data-testid={format!("panel-{}", this.name())}>{words.get(&format!("panel-{}", this.name()))}</button>
        }
    };
    html! {
        <section class="panels" aria-label={words.get("panels-label")} hidden={page.view.hides("panels")}>
            <h2 class="sr">{words.get("panels-label")}</h2>
            <div class="tabs" role="tablist" aria-label={words.get("panels-label")} hidden={page.view.hides("train")}>
                { tab(Panel::Inspect) }
                { tab(Panel::Training) }
            </div>
            <div class="inspect" role="tabpanel" id="panel-inspect" aria-labelledby="tab-inspect" hidden={panel != Panel::Inspect}>
                <Arithmetic described={described.clone()} selection={Selection { card, unit: page.view.unit }} />
                <Layer described={described.clone()} {card} />
                <Growth {described} {card} />
            </div>
            <div role="tabpanel" id="panel-training" aria-labelledby="tab-training" hidden={panel != Panel::Training}>
                <Training />
            </div>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct ArithmeticProps {
    described: Rc<Described>,
    selection: Selection,
}

/// What the engine said of a unit.
#[derive(Clone, PartialEq)]
struct Told {
    explanations: Vec<Explanation>,
    value: f32,
}

/// How the selected unit's value came about; asked anew whenever the values change, ten times a second at most.
#[component]
fn Arithmetic(props: &ArithmeticProps) -> Html {
    let (client, page, words, network) = (use_client(), use_page(), use_words(), use_network());
    let dark = use_dark();
    let frame = use_node_ref();
    let (width, _) = use_size(&frame);
    let told = use_state(|| None::<Told>);
    let drawn = use_state(|| false);
    let newest = use_mut_ref(|| 0);
    let waiting = use_mut_ref(|| false);
    let target = props.selection.card.zip(props.selection.unit).and_then(|(card, unit)| {
        let node = props.described.cards.get(card)?.node;
        let net = network.as_ref()?;
        net.graph.nodes()[node].shape.contains(unit).then_some((node, unit))
    });
    let open = page.origin.is_some();
    let ask = {
        let newest = newest.clone();
        move || {
            if let Some((node, unit)) = target.filter(|_| open) {
                let request = client.number();
                newest.replace(request);
                client.send(&Command::Explain { request, node, unit });
            }
        }
    };
    {
        let (told, ask) = (told.clone(), ask.clone());
        let ready = *drawn;
        use_effect_with((target, open, ready), move |(target, _, ready)| {
            if target.is_none() || !ready {
                told.set(None);
            } else {
                ask();
            }
        });
    }
    {
        let (told, drawn) = (told.clone(), drawn.clone());
        use_heard(move |heard| match &heard.event {
            Said::Explained { request, explanations, value, .. } if *request == *newest.borrow() => {
                told.set(Some(Told { explanations: explanations.clone(), value: *value }));
            }
            Said::Output { output, .. } => {
                if *drawn != output.is_some() {
                    drawn.set(output.is_some());
                }
                if output.is_some() && *drawn && !waiting.replace(true) {
                    let (ask, waiting) = (ask.clone(), waiting.clone());
                    later(100, move || {
                        waiting.replace(false);
                        ask();
                    });
                }
            }
            _ => {}
        });
    }
    let body = match &*told {
        Some(told) => {
            let palette = if dark { Palette::Dark } else { Palette::Light };
            let drawing = scene::arithmetic::arithmetic(
                &told.explanations,
                (width as f32).max(260.0),
                palette,
                &scene_words(words),
            );
            html! {
                <div class="scroll drawing" tabindex="0" role="region" aria-label={words.get("arithmetic-label")} data-value={told.value.to_string()}>
                    { Html::from_html_unchecked(AttrValue::from(drawing.svg)) }
                </div>
            }
        }
        _ if target.is_some() && !*drawn => html! { <p class="note">{words.get("arithmetic-empty")}</p> },
        _ => html! { <p class="note">{words.get("arithmetic-none")}</p> },
    };
    html! {
        <section aria-labelledby="arithmetic-title" data-testid="arithmetic" ref={frame}>
            <h3 id="arithmetic-title">{words.get("arithmetic-title")}</h3>
            { body }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct LayerProps {
    described: Rc<Described>,
    card: Option<usize>,
}

/// What the selected layer is, in numbers and how they come about; of the whole network where none is selected.
#[component]
fn Layer(props: &LayerProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let chosen = props.card.and_then(|i| Some((props.described.cards.get(i)?, props.described.facts.get(i)?)));
    let title = match chosen {
        Some((card, _)) => words.fill("layer-title", &[("layer", &card.title)]),
        None => words.get("layer-network"),
    };
    let line = |key: &str, value: String| html! { <><dt>{words.get(key)}</dt><dd>{value}</dd></> };
    let strong = |key: &str, value: String| html! { <><dt>{words.get(key)}</dt><dd class="strong">{value}</dd></> };
    let bytes = |f: &describe::Figure| words.fill("layer-bytes", &[("bytes", &f.text())]).to_string();
    let facts = match (chosen, &network) {
        (Some((_, f)), _) => html! {
            <dl class="facts">
                { line("layer-op", f.op.to_string()) }
                if !f.then.is_empty() { { line("layer-then", f.then.join(", ")) } }
                if !f.settings.is_empty() {
                    { line("layer-settings", f.settings.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ")) }
                }
                if !f.inputs.is_empty() { { line("layer-inputs", f.inputs.iter().map(|&s| shape_text(s)).collect::<Vec<_>>().join(", ")) } }
                { line("layer-output", shape_text(f.output)) }
                if f.parameters.value > 0 { { strong("layer-parameters", f.parameters.text()) } }
                if f.fixed.value > 0 { { line("layer-fixed", f.fixed.text()) } }
                if let Some((connected, all)) = f.connections {
                    { line("layer-connections", words.fill("layer-connections-of",
                        &[("connected", &connected.to_string()), ("all", &all.to_string())]).to_string()) }
                }
                if f.macs.value > 0 { { strong("layer-macs", f.macs.text()) } }
                if let Some(dense) = &f.dense { { line("layer-dense", dense.text()) } }
                if let Some(field) = f.field {
                    <dt>{words.get("layer-field")}</dt>
                    <dd class="seen">{
                        words.fill(if field.whole { "layer-field-whole" } else { "layer-field-step" }, &[
                            ("size", &format!("{} × {}", field.size[0], field.size[1])), ("jump", &field.jump[0].to_string())])
                    }</dd>
                }
                { line("layer-memory", bytes(&f.value_bytes)) }
            </dl>
        },
        (None, Some(net)) => {
            let cost = net.cost();
            html! {
                <>
                <dl class="facts">
                    { line("layer-layers", net.graph.nodes().len().to_string()) }
                    { strong("layer-parameters", number(cost.parameters as u64)) }
                    { strong("layer-macs", number(cost.macs)) }
                </dl>
                <ul class="notes">{ for net.notes.iter().map(|note| html! { <li>{words.get(&format!("note-{note}"))}</li> }) }</ul>
                </>
            }
        }
        _ => Html::default(),
    };
    let scale = {
        let page = page.clone();
        Callback::from(move |event: Event| {
            let value = event.target_dyn_into::<web_sys::HtmlSelectElement>().map(|s| s.value());
            let scale = if value.as_deref() == Some("map") { Scale::Map } else { Scale::Layer };
            go(&page, |v| v.scale = scale);
        })
    };
    html! {
        <section aria-labelledby="layer-title" data-testid="layer">
            <h3 id="layer-title">{title.clone()}</h3>
            { facts }
            <label class="check">{words.get("scale-label")}
                <select onchange={scale} data-testid="scale">
                    <option value="layer" selected={page.view.scale == Scale::Layer}>{words.get("scale-layer")}</option>
                    <option value="map" selected={page.view.scale == Scale::Map}>{words.get("scale-map")}</option>
                </select></label>
            <Filters layer={chosen.map(|(card, _)| card.layer)} name={chosen.map(|(card, _)| card.title.clone()).unwrap_or_default()} />
        </section>
    }
}

/// At most so many kernels: more are too small to be looked at, and each is a rectangle for the engine.
const KERNELS: usize = 384;

/// Whether the kernels of a convolution are laid out with a column an output map.
fn in_columns(outputs: usize, cols: usize, width: f32) -> bool {
    outputs as f32 * (cols as f32 * 3.0 + 2.0) <= width
}

/// Width for the filters in CSS pixels.
const FILTERS_WIDTH: f32 = 360.0;

/// How a weight of this shape is laid out in `width` px: rectangles, kernels shown and there, size.
fn filters(
    param: usize,
    shape: &[usize],
    bitmap: Option<(usize, usize)>,
    table: Option<&Table>,
    width: f32,
) -> (Vec<PaintRect>, usize, usize, (f64, f64)) {
    let source = Source::Param(param);
    let rect = |offset, rows, cols, at| PaintRect { source, offset, rows, cols, at };
    match *shape {
        // A matrix whose rows are pictures (targets of an output).
        [outputs, inputs] if bitmap.is_some_and(|(rows, cols)| rows * cols == inputs) => {
            let (rows, cols) = bitmap.unwrap_or((1, inputs));
            let side = (width / outputs as f32 - 4.0) / cols as f32;
            let side = side.floor().clamp(1.0, 6.0);
            let rects = (0..outputs).map(|o| {
                rect(
                    o * inputs,
                    rows,
                    cols,
                    [o as f32 * (cols as f32 * side + 4.0), 0.0, cols as f32 * side, rows as f32 * side],
                )
            });
            let size = (outputs as f32 * (cols as f32 * side + 4.0), rows as f32 * side);
            (rects.collect(), outputs, outputs, (size.0.into(), size.1.into()))
        }
        [outputs, inputs] => {
            let side = (width / inputs as f32).clamp(0.25, 4.0);
            let (w, h) = (inputs as f32 * side, (outputs as f32 * side).max(8.0));
            (vec![rect(0, outputs, inputs, [0.0, 0.0, w, h])], 1, 1, (w.into(), h.into()))
        }
        [outputs, inputs, rows, cols] => {
            // As the paper prints its connection table: a column an output map, a row an input map. Where there are too many
            // output maps for the width, a row an output map.
            let across = in_columns(outputs, cols, width);
            let per_row = if across { outputs } else { inputs };
            let side = ((width / per_row as f32 - 2.0) / cols as f32).clamp(1.0, 10.0);
            let side = if side > 2.0 { side.floor() } else { side };
            let (w, h) = (cols as f32 * side + 2.0, rows as f32 * side + 2.0);
            let all = outputs * inputs;
            let shown = all.min((KERNELS / per_row).max(1) * per_row);
            let rects = (0..shown).filter_map(|place| {
                let (row, col) = (place / per_row, place % per_row);
                let (output, input) = if across { (col, row) } else { (row, col) };
                // Where nothing is connected there is no kernel.
                let there = table.is_none_or(|t| t.connects(output, input));
                let at = [col as f32 * w, row as f32 * h, w - 2.0, h - 2.0];
                there.then(|| rect((output * inputs + input) * rows * cols, rows, cols, at))
            });
            let size = (per_row as f32 * w - 2.0, shown.div_ceil(per_row) as f32 * h - 2.0);
            (rects.collect(), shown, all, (size.0.into(), size.1.into()))
        }
        _ => (Vec::new(), 0, 0, (1.0, 1.0)),
    }
}

#[derive(Properties, PartialEq)]
struct FiltersProps {
    layer: Option<NodeId>,
    name: String,
}

/// The layer's weights as images, painted by the engine.
#[component]
fn Filters(props: &FiltersProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let weight = network.as_ref().zip(props.layer).and_then(|(net, layer)| {
        let mut of = net.graph.params_of(layer).map(|p| (p, &net.graph.params()[p].param));
        of.find(|(_, param)| param.name == "weight" && param.shape.len() >= 2)
    });
    let there = weight.is_some();
    let (rects, shown, all, size) = weight.map_or((Vec::new(), 0, 0, (1.0, 1.0)), |(position, param)| {
        let picture = (!param.trained()).then(|| super::output::bitmap(param.shape[1]));
        filters(position, &param.shape, picture, param.table.as_ref(), FILTERS_WIDTH)
    });
    let order = match weight.map(|(_, param)| &param.shape[..]) {
        Some(&[outputs, _, _, cols]) if in_columns(outputs, cols, FILTERS_WIDTH) => words.get("filters-columns"),
        Some([_, _, _, _]) => words.get("filters-kernels"),
        Some(_) if weight.is_some_and(|(_, param)| !param.trained()) => words.get("filters-targets"),
        _ => words.get("filters-matrix"),
    };
    let sparse = weight.is_some_and(|(_, param)| param.table.is_some());
    html! {
        <>
            <h4 hidden={props.layer.is_none()}>{words.get("filters-title")}</h4>
            <div class="scroll filters" hidden={!there} tabindex="0" role="region" aria-label={words.fill("filters-label", &[("layer", &props.name)])}>
                <Painted id={FILTERS} {rects} {size} scale={page.view.scale} label={words.fill("filters-label", &[("layer", &props.name)])} testid="filters" />
            </div>
            if there {
                <p class="note">{order}
                    if sparse { {" "}{words.get("filters-sparse")} }
                    if shown < all { {" "}{words.fill("filters-some", &[("shown", &number(shown as u64)), ("all", &number(all as u64))])} }
                </p>
            } else if props.layer.is_some() {
                <p class="note">{words.get("filters-none")}</p>
            }
        </>
    }
}

/// How the receptive field grows from layer to layer.
#[component]
fn Growth(props: &LayerProps) -> Html {
    let (words, network) = (use_words(), use_network());
    let input = network.as_ref().map_or(1, |n| n.graph.nodes()[n.graph.source()].shape.h).max(1);
    let bars = props
        .described
        .cards
        .iter()
        .zip(&props.described.facts)
        .enumerate()
        .filter_map(|(i, (card, f))| Some((i, card, f.field?)));
    html! {
        <section aria-labelledby="field-title" data-testid="receptive-field">
            <h3 id="field-title">{words.get("field-title")}</h3>
            <ol class="growth">{ for bars.map(|(i, card, field)| {
                let size = field.size[0];
                // Beyond the whole input a field only grows into padding.
                let share = size as f64 / input as f64 * 100.0;
                html! {
                    <li class={classes!((props.card == Some(i)).then_some("here"))}>
                        <span class="growth-name">{card.title.clone()}</span>
                        <span class="bar-track" aria-hidden="true"><span class="bar-fill" style={format!("width:{:.1}%", share.min(100.0))}></span></span>
                        <span class="growth-size">{format!("{} × {}", field.size[0], field.size[1])}</span>
                    </li>
                }
            }) }</ol>
            <p class="note">{words.get("field-note")}</p>
        </section>
    }
}
