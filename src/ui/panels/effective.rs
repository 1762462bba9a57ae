//! The effective receptive field: how much of what a unit sees it really depends on, measured now. Knows inquiries and scenes, no network
//! by name.

use super::Described;
use super::choice::{LayerChoice, Passes};
use crate::arch::Architecture;
use crate::graph::receptive_field::{Rect, cone};
use crate::protocol::{Inquiry, Over};
use crate::scene::heat::{Tint, concentration};
use crate::tensor::Unit;
use crate::ui::heat::{Heatmap, Lie};
use crate::ui::hooks::{go, use_network, use_page, use_words};
use crate::ui::i18n::number;
use crate::ui::inquiry::{use_inquiry, use_picture};
use crate::ui::state::Panel;
use std::rc::Rc;
use yew::prelude::*;

/// Share of the gradient whose place is told: that within two standard deviations of a normal distribution.
const SHARE: f64 = 0.95;
/// Milliseconds between two measurements while weights or pictures change.
const PAUSE: i32 = 500;

/// Which layer is meant.
#[derive(Properties, PartialEq)]
pub struct EffectiveProps {
    /// Cards and facts of the open network.
    pub described: Rc<Described>,
    /// The selected card, by position.
    pub card: Option<usize>,
}

fn pixels(rect: Rect) -> String {
    format!("{} × {}", rect.y.len(), rect.x.len())
}

/// Heat map and numbers.
#[component]
pub fn Effective(props: &EffectiveProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let active = page.view.panel == Panel::Field;
    let target = network.as_ref().map(|net| {
        let card = props.card.and_then(|card| props.described.cards.get(card));
        let node = card.map(|card| card.node).filter(|node| *node != net.graph.source()).unwrap_or(net.last_maps());
        let shape = net.graph.nodes()[node].shape;
        let middle = Unit { c: 0, y: shape.h / 2, x: shape.w / 2 };
        let chosen = page.view.unit.filter(|unit| card.is_some() && shape.contains(*unit));
        (node, chosen.unwrap_or(middle), chosen.is_some())
    });
    let live = network.as_ref().is_some_and(|net| net.cost().macs <= Architecture::LIVE);
    let one_map = page.view.one_map && target.is_some_and(|(.., chosen)| chosen);
    let wanted = target.filter(|_| active).map(|(node, unit, _)| {
        // The map does not matter where all are taken: hovering from map to map asks nothing new.
        let unit = if one_map { unit } else { Unit { c: 0, ..unit } };
        Inquiry::Effective { node, unit, all: !one_map, over: page.view.over }
    });
    let asking = use_inquiry(wanted, live, PAUSE);
    let picture = use_picture(active);
    let (Some(net), Some((node, unit, chosen))) = (network, target) else { return Html::default() };
    let shape = net.graph.nodes()[net.graph.source()].shape;
    let field = cone(&net.graph, node, unit)[net.graph.source()];
    let measured = asking.found.as_ref().zip(field).and_then(|(f, field)| concentration(&f.maps, shape, field, SHARE));
    let mut marks: Vec<(Rect, &'static str)> = field.map(|rect| (rect, "theoretical")).into_iter().collect();
    marks.extend(measured.map(|m| (m.rect, "effective")));
    // As the heat map draws what overhangs: its beginning only.
    let far = field.is_some_and(|f| -f.y.first > shape.h as isize / 2 || f.y.last + 1 > shape.h as isize * 3 / 2);
    // What of it lies outside cannot hold anything: it is the picture's size that would be measured.
    let seen = field.map(|rect| rect.clamp(shape));
    let percent = |part: f64| format!("{:.0}", part * 100.0);
    let over = {
        let page = page.clone();
        Callback::from(move |event: Event| {
            let value = event.target_dyn_into::<web_sys::HtmlSelectElement>().map(|s| s.value());
            let over = match value.as_deref() {
                Some("samples") => Over::Samples,
                Some("noise") => Over::Noise,
                _ => Over::Shown,
            };
            go(&page, |v| v.over = over);
        })
    };
    let one = {
        let page = page.clone();
        Callback::from(move |event: Event| {
            let on = event.target_dyn_into::<web_sys::HtmlInputElement>().is_some_and(|i| i.checked());
            go(&page, |v| v.one_map = on);
        })
    };
    let option = |over: Over, value: &'static str, key: &str| {
        html! { <option {value} selected={page.view.over == over}>{words.get(key)}</option> }
    };
    let samples = if net.reads_digits() { "effective-digits" } else { "effective-photos" };
    let place = net.graph.nodes()[node].shape.map() > 1;
    html! {
        <section class="effective" aria-labelledby="effective-title" data-testid="effective">
            <h3 id="effective-title">{words.get("effective-title")}</h3>
            <div class="heat-row">
                <div class="heat-side">
                    <Heatmap picture={picture.clone()} {shape} found={asking.found.clone()} lie={Lie { map: 0, cell: Some([1.0; 2]), smooth: false }}
                        tint={Tint::Field} {marks} label={words.get("effective-label")} testid="effective-map" />
                    <p class="legend"><span><span class="key box theoretical" aria-hidden="true"></span>{words.get("effective-theoretical")}</span>
                        <span><span class="key box effective" aria-hidden="true"></span>{words.get("effective-share")}</span></p>
                </div>
                <div class="heat-controls">
                    <LayerChoice described={props.described.clone()} {node} />
                    <p class="note">{
                        if !place { words.get("effective-vector") } else {
                            words.fill(if chosen { "effective-at-unit" } else { "effective-at-middle" },
                                &[("row", &unit.y.to_string()), ("column", &unit.x.to_string())])
                        }
                    }</p>
                    <label class="check">{words.get("effective-over")}
                        <select onchange={over} data-testid="effective-over">
                            { option(Over::Shown, "shown", "effective-shown") }
                            { option(Over::Samples, "samples", samples) }
                            { option(Over::Noise, "noise", "effective-noise") }
                        </select></label>
                    <label class="check"><input type="checkbox" checked={page.view.one_map} onchange={one} disabled={!chosen} data-testid="effective-one" />
                        {words.get("effective-one")}</label>
                    <Passes asking={asking.clone()} {live} />
                </div>
            </div>
                if let (Some(field), Some(seen)) = (field, seen) {
                    <dl class="facts">
                        <dt>{words.get("effective-theoretical")}</dt>
                        <dd data-testid="effective-field"><span class="strong">{words.fill("effective-pixels", &[("size", &pixels(field))])}</span>
                        if far { <p class="note">{words.get("effective-beyond")}</p> }</dd>
                        if let Some(m) = measured {
                            <dt>{words.get("effective-share")}</dt>
                            <dd class="strong" data-testid="effective-size" data-side={m.rect.y.len().to_string()}>
                                {words.fill(if seen == field { "effective-within" } else { "effective-within-seen" },
                                    &[("size", &pixels(m.rect)), ("area", &percent(m.area(seen))),
                                    ("side", &percent(m.rect.y.len() as f64 / seen.y.len() as f64))])}</dd>
                            <dt>{words.get("effective-strongest")}</dt>
                            <dd>{words.fill("effective-strongest-of", &[("pixels", &number(m.pixels as u64)), ("of", &number(m.of as u64)),
                                ("share", &percent(m.pixels as f64 / m.of as f64))])}</dd>
                        }
                    </dl>
                    if asking.found.is_some() && measured.is_none() && !asking.busy {
                        <p class="note">{words.get("effective-nothing")}</p>
                    }
                }
            if picture.is_none() && page.view.over == Over::Shown { <p class="note">{words.get("attribution-empty")}</p> }
            <p class="note">{words.get("effective-note")}</p>
        </section>
    }
}
