//! How the receptive field grows through the network. Knows facts, no network by name.

use super::layer::LayerProps;
use crate::ui::hooks::{use_network, use_words};
use yew::prelude::*;

/// How the receptive field grows from layer to layer.
#[component]
pub fn Growth(props: &LayerProps) -> Html {
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
