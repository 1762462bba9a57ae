//! The selected layer: what it is in numbers and how they come about. Knows facts, no network by name.

use super::Described;
use crate::graph::cost;
use crate::graph::describe::{self, shape_text};
use crate::ui::hooks::{use_network, use_words};
use crate::ui::i18n::number;
use std::rc::Rc;
use yew::prelude::*;

/// Which layer.
#[derive(Properties, PartialEq)]
pub struct LayerProps {
    /// Cards and facts of the open network.
    pub described: Rc<Described>,
    /// The selected card, by position.
    pub card: Option<usize>,
}

/// What the selected layer is, in numbers and how they come about; of the whole network where none is selected.
#[component]
pub fn Layer(props: &LayerProps) -> Html {
    let (words, network) = (use_words(), use_network());
    let chosen = props.card.and_then(|i| props.described.cards.get(i));
    let title = match chosen {
        Some(card) => words.fill("layer-title", &[("layer", &card.title)]),
        None => words.get("layer-network"),
    };
    // What its weights, files and scripts call it, where that is another name.
    let name = chosen.zip(network.as_ref()).map(|(card, net)| net.graph.nodes()[card.layer].name.clone());
    let name = name.filter(|name| {
        chosen.is_some_and(|c| c.folded.is_none() && !c.inputs.is_empty() && !c.title.eq_ignore_ascii_case(name))
    });
    html! {
        <section aria-labelledby="layer-title" data-testid="layer">
            <h3 id="layer-title" class={classes!(chosen.map(|_| "named"))}>{title}
                if let Some(name) = name { <small title={words.get("layer-name")}>{" "}{name}</small> }</h3>
            <Numbers described={props.described.clone()} card={props.card} />
        </section>
    }
}

/// The numbers, and what there is to say of paper and practice.
#[component]
pub fn Numbers(props: &LayerProps) -> Html {
    let (words, network) = (use_words(), use_network());
    let chosen = props.card.and_then(|i| Some((props.described.cards.get(i)?, props.described.facts.get(i)?)));
    let line = |key: &str, value: String| html! { <><dt>{words.get(key)}</dt><dd>{value}</dd></> };
    let strong = |key: &str, value: String| html! { <><dt>{words.get(key)}</dt><dd class="strong">{value}</dd></> };
    let bytes = |f: &describe::Figure| words.fill("layer-bytes", &[("bytes", &f.text())]).to_string();
    let facts = match (chosen, &network) {
        (Some((_, f)), _) => html! {
            <dl class="facts">
                if let Some([layers, depth]) = f.group {
                    { line("layer-group", words.fill("layer-group-of", &[("layers", &layers.to_string()), ("depth", &depth.to_string())]).to_string()) }
                } else {
                    { line("layer-op", f.op.to_string()) }
                    if !f.then.is_empty() { { line("layer-then", f.then.join(", ")) } }
                    if !f.settings.is_empty() {
                        { line("layer-settings", f.settings.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ")) }
                    }
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
                <dl class="facts">
                    { line("layer-depth", words.fill("layer-depth-of", &[("layers", &cost::depth(&net.graph, 0..=net.output).to_string())]).to_string()) }
                    { strong("layer-parameters", number(cost.parameters as u64)) }
                    { strong("layer-macs", number(cost.macs)) }
                </dl>
            }
        }
        _ => Html::default(),
    };
    let notes = match (chosen, &network) {
        (Some((card, _)), Some(net)) => net.notes_at(&card.nodes),
        (None, Some(net)) => net.notes.to_vec(),
        _ => Vec::new(),
    };
    html! {
        <>
            { facts }
            if !notes.is_empty() {
                <ul class="notes" aria-label={words.get("notes-label")}>{ for notes.iter().map(|note| html! { <li>{words.get(&format!("note-{note}"))}</li> }) }</ul>
            }
        </>
    }
}
