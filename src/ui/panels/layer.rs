//! The selected layer: what it is in numbers and how they come about, and its filters. Knows facts, no network by name.

use super::Described;
use crate::graph::NodeId;
use crate::graph::describe::{self, shape_text};
use crate::ops::Table;
use crate::protocol::{PaintRect, Scale, Source};
use crate::ui::hooks::{go, use_network, use_page, use_words};
use crate::ui::i18n::number;
use crate::ui::painted::{FILTERS, Painted};
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
        let picture = (!param.trained()).then(|| crate::ui::output::bitmap(param.shape[1]));
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
