//! Receptive fields of the open network: a table with kernel, stride, size, jump and place of each layer, and the sizes over depth. Knows
//! facts and scenes, no network by name.

use super::layer::LayerProps;
use crate::graph::describe::{self, Facts};
use crate::graph::layout::{self, Card};
use crate::ops::{Layer as _, Reach};
use crate::scene::chart;
use crate::ui::hooks::{go, use_network, use_page, use_size, use_words};
use crate::ui::stage::scene_words;
use yew::prelude::*;

/// Height of the plot in CSS pixels.
const HEIGHT: f32 = 210.0;

/// A number with a true minus sign; halves are written as such.
fn half(twice: isize) -> String {
    let text = if twice % 2 == 0 { (twice / 2).to_string() } else { format!("{:.1}", twice as f64 / 2.0) };
    text.replace('-', "−")
}

/// Table and plot; a row or a bar selects its layer.
#[component]
pub fn Growth(props: &LayerProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let frame = use_node_ref();
    let (width, _) = use_size(&frame);
    let chosen = props.card.and_then(|i| props.described.cards.get(i)).map(|card| card.layer);
    let plot = use_memo((network.clone(), chosen, width as u32, words), |(network, chosen, width, words)| {
        let wide = (*width as f32).max(240.0);
        let drawing = |net| chart::fields(net, *chosen, wide, HEIGHT, &scene_words(*words));
        network.as_ref().map(|net| AttrValue::from(drawing(net).svg))
    });
    // Each layer, as in the plot: of a group that is folded on the stage there is no kernel to tell.
    let layers = use_memo(network.clone(), |network| {
        let cards = network.as_ref().map(|net| layout::cards(&net.graph)).unwrap_or_default();
        let facts = network.as_ref().map(|net| describe::facts(&net.graph, &cards)).unwrap_or_default();
        (cards, facts)
    });
    let Some(net) = network else { return Html::default() };
    let select = {
        let page = page.clone();
        Callback::from(move |layer: String| {
            go(&page, |v| {
                if v.layer.as_ref() != Some(&layer) {
                    (v.layer, v.unit) = (Some(layer), None);
                }
            });
        })
    };
    let onclick = {
        let select = select.clone();
        Callback::from(move |event: MouseEvent| {
            let bar = event.target_dyn_into::<web_sys::Element>().and_then(|e| e.get_attribute("data-layer"));
            if let Some(layer) = bar {
                select.emit(layer);
            }
        })
    };
    let side = net.graph.nodes()[net.graph.source()].shape.h;
    let needed = net.inference_nodes(); // auxiliary heads are there in training only
    let all = || layers.0.iter().zip(&layers.1).filter(|(card, _)| needed[card.node]);
    let row = |(card, facts): (&Card, &Facts)| {
        let field = facts.field?;
        let node = &net.graph.nodes()[card.layer];
        let window = match node.op.reach(net.graph.input_shapes(card.layer).first().copied()?) {
            Reach::Window(w) => Some(w),
            _ => None,
        };
        let kernel = window.map_or("–".to_string(), |w| match w.dilation[0] {
            1 => format!("{} × {}", w.kernel[0], w.kernel[1]),
            d => format!("{} × {} ({d})", w.kernel[0], w.kernel[1]),
        });
        let padding = window.map_or("–".to_string(), |w| w.padding[0].to_string());
        let stride = window.map_or("–".to_string(), |w| w.stride[0].to_string());
        let onclick = {
            let (select, name) = (select.clone(), node.name.clone());
            Callback::from(move |_| select.emit(name.clone()))
        };
        let here = chosen.is_some_and(|node| card.nodes.contains(&node));
        let centre = half(2 * field.start[0] + field.size[0] as isize - 1);
        Some(html! {
            <tr class={classes!(here.then_some("here"), (field.size[0] >= side).then_some("beyond"))} data-testid={format!("field-{}", node.name)}>
                <th scope="row"><button type="button" class="link" {onclick} aria-pressed={here.to_string()}>{card.title.clone()}</button></th>
                <td>{kernel}</td><td>{stride}</td><td>{padding}</td>
                <td class="seen">{format!("{} × {}", field.size[0], field.size[1])}</td>
                <td>{field.jump[0].to_string()}</td>
                <td>{half(2 * field.start[0])}</td>
                <td>{centre}</td>
            </tr>
        })
    };
    let passes = all().find_map(|(card, facts)| facts.field.filter(|f| f.size[0] >= side).map(|_| card.title.clone()));
    let side_text = format!("{side} × {side}");
    let head = [
        "field-layer",
        "field-kernel",
        "field-stride",
        "field-padding",
        "field-size",
        "field-jump",
        "field-start",
        "field-centre",
    ];
    html! {
        <section aria-labelledby="field-title" data-testid="receptive-field" ref={frame}>
            <h3 id="field-title">{words.get("field-title")}</h3>
            <p data-testid="field-passes">{ match &passes {
                Some(layer) => words.fill("field-passes", &[("layer", layer), ("side", &side_text)]),
                None => words.fill("field-never", &[("side", &side_text)]),
            } }</p>
            <div class="drawing field-plot" {onclick}>{ for (*plot).clone().map(Html::from_html_unchecked) }</div>
            <div class="scroll tall" tabindex="0" role="region" aria-label={words.get("field-table")}>
                <table class="field-table">
                    <thead><tr>{ for head.into_iter().map(|key| html! { <th scope="col">{words.get(key)}</th> }) }</tr></thead>
                    <tbody>{ for all().filter_map(row) }</tbody>
                </table>
            </div>
            <p class="note">{words.get("field-note")}</p>
        </section>
    }
}
