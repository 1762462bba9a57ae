//! All maps of the selected layer, painted by the engine a page at a time, what they are like in numbers, and the layer's filters.
//! Knows shapes and statistics, no network by name.

use super::Described;
use super::filters::Filters;
use super::layer::Numbers;
use crate::graph::NodeId;
use crate::graph::describe::{grouped, shape_text};
use crate::ops::{Activation, Op};
use crate::protocol::{Command, Event as Said, MAP_FACTS, PaintRect, Scale, Source, Survey};
use crate::scene::chart::histogram_of;
use crate::scene::gallery::{Plate, Tile, gallery};
use crate::scene::number;
use crate::tensor::Shape;
use crate::ui::hooks::{focus, go, later, use_client, use_heard, use_network, use_page, use_size, use_words};
use crate::ui::painted::{MAPS, Painted};
use crate::ui::stage::scene_words;
use crate::ui::state::{Colours, Panel, Sort, View};
use std::rc::Rc;
use yew::prelude::*;

/// Which layer.
#[derive(Properties, PartialEq)]
pub struct MapsProps {
    /// Cards and facts of the open network.
    pub described: Rc<Described>,
    /// The selected card, by position.
    pub card: Option<usize>,
    /// Whether it is in view: only then anything is painted and asked for.
    pub seen: bool,
}

/// The maps in the order asked for; without numbers by index.
fn order(maps: usize, sort: Sort, survey: Option<&Survey>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..maps).collect();
    let fact = match sort {
        Sort::Index => return order,
        Sort::Mean => 0,
        Sort::Largest => 1,
        Sort::Active => 2,
    };
    if let Some(survey) = survey.filter(|s| s.maps.len() == maps * MAP_FACTS) {
        order.sort_by(|a, b| {
            survey.maps[b * MAP_FACTS + fact].total_cmp(&survey.maps[a * MAP_FACTS + fact]).then(a.cmp(b))
        });
    }
    order
}

/// A choice that goes into the address.
fn choose<T: Copy + PartialEq + 'static>(
    page: &crate::ui::hooks::Page,
    all: &'static [T],
    set: impl Fn(&mut View, T) + 'static,
) -> Callback<Event> {
    let page = page.clone();
    Callback::from(move |event: Event| {
        let index = event.target_dyn_into::<web_sys::HtmlSelectElement>().map(|s| s.selected_index());
        if let Some(&chosen) = index.and_then(|i| all.get(usize::try_from(i).ok()?)) {
            go(&page, |v| set(v, chosen));
        }
    })
}

/// The layer's maps.
#[component]
pub fn Maps(props: &MapsProps) -> Html {
    let (client, page, words, network) = (use_client(), use_page(), use_words(), use_network());
    let (frame, large_at) = (use_node_ref(), use_node_ref());
    let (width, _) = use_size(&frame);
    let width = if width > 0.0 { width as f32 } else { 600.0 };
    let survey = use_state(|| None::<(NodeId, Rc<Survey>)>);
    let drawn = use_state(|| false);
    let leaf = use_state(|| 0usize);
    let asked = use_mut_ref(|| (0u32, false)); // the newest request; whether one waits
    let card = props.card.and_then(|i| props.described.cards.get(i));
    let node = card.map(|c| c.node);
    let shape = node.zip(network.as_ref()).map_or(Shape::new(0, 1, 1), |(node, net)| net.graph.nodes()[node].shape);
    let ready = props.seen && *drawn && page.origin.is_some();
    let ask = {
        let (client, asked) = (client, asked.clone());
        move || {
            if let Some(node) = node.filter(|_| ready) {
                let request = client.number();
                *asked.borrow_mut() = (request, false);
                client.send(&Command::Survey { request, node });
            }
        }
    };
    {
        let ask = ask.clone();
        use_effect_with((node, ready), move |_| ask());
    }
    {
        let (survey, drawn) = (survey.clone(), drawn.clone());
        let seen = props.seen;
        use_heard(move |heard| match &heard.event {
            Said::Surveyed { request, node, survey: told } if *request == asked.borrow().0 => {
                survey.set(Some((*node, Rc::new(told.clone()))));
            }
            Said::Output { output, .. } => {
                if *drawn != output.is_some() {
                    drawn.set(output.is_some());
                }
                if seen && output.is_some() && !std::mem::replace(&mut asked.borrow_mut().1, true) {
                    let (ask, asked) = (ask.clone(), asked.clone());
                    later(200, move || {
                        asked.borrow_mut().1 = false;
                        ask();
                    });
                }
            }
            _ => {}
        });
    }
    let told = survey.as_ref().filter(|(of, _)| Some(*of) == node && *drawn && props.seen).map(|(_, s)| s.clone());
    let order = order(shape.c, page.view.order, told.as_deref());
    let chosen = page.view.map().filter(|map| *map < shape.c);
    let laid = |leaf: usize| gallery(shape, &order, leaf, chosen, width);
    let each = laid(0).each;
    let leaves = shape.c.div_ceil(each.max(1)).max(1);
    let current = (*leaf).min(leaves - 1);
    {
        // Another layer begins with the page of its chosen map.
        let (leaf, place) = (leaf.clone(), chosen.and_then(|map| order.iter().position(|m| *m == map)));
        use_effect_with((node, page.view.order, each), move |(_, _, each)| leaf.set(place.unwrap_or(0) / each.max(&1)));
    }
    let mut laid = laid(current);
    if !props.seen {
        laid.tiles.clear();
    }
    let plate = laid.large.map(|l| Plate { shape, map: l.map, frame: l.frame, grid: [shape.h, shape.w] });
    let rects: Vec<PaintRect> = match node.filter(|_| props.seen) {
        None => Vec::new(),
        Some(node) => laid
            .large
            .iter()
            .chain(&laid.tiles)
            .map(|tile| PaintRect {
                source: Source::Value(node),
                offset: tile.map * shape.map(),
                rows: shape.h,
                cols: shape.w,
                at: [tile.frame.x, tile.frame.y, tile.frame.w, tile.frame.h],
            })
            .collect(),
    };
    let fact = |map: usize, which: usize| told.as_ref().and_then(|s| s.maps.get(map * MAP_FACTS + which).copied());
    let shown_fact = match page.view.order {
        Sort::Largest => 1,
        Sort::Active => 2,
        _ => 0,
    };
    let fact_text = |map: usize| {
        fact(map, shown_fact).map(|v| if shown_fact == 2 { format!("{:.0} %", v * 100.0) } else { number(v) })
    };
    let select = {
        let page = page.clone();
        let vector = shape.map() == 1;
        Callback::from(move |map: usize| {
            go(&page, |v| {
                // A unit of a vector is a map of one unit: its arithmetic is what there is to see of it.
                if vector {
                    (v.unit, v.map, v.panel) = (Some(crate::tensor::Unit { c: map, y: 0, x: 0 }), None, Panel::Inspect);
                } else {
                    (v.unit, v.map) = (None, (v.map() != Some(map)).then_some(map));
                }
                v.step = None;
            });
        })
    };
    let large_click = {
        let (page, large_at) = (page.clone(), large_at.clone());
        Callback::from(move |event: MouseEvent| {
            let Some(large) = large_at.cast::<web_sys::Element>() else { return };
            let from = large.get_bounding_client_rect();
            let (x, y) = (f64::from(event.client_x()) - from.left(), f64::from(event.client_y()) - from.top());
            if let Some(unit) = plate.and_then(|p| p.unit(x as f32 + p.frame.x, y as f32 + p.frame.y)) {
                go(&page, |v| (v.unit, v.map, v.step, v.panel) = (Some(unit), None, None, Panel::Inspect));
            }
        })
    };
    let (columns, first, count) = (laid.columns, laid.tiles.first().map(|t| t.map), laid.tiles.len());
    let tiles: Vec<usize> = laid.tiles.iter().map(|t| t.map).collect();
    let tile = |(place, tile): (usize, &Tile)| {
        let (map, f) = (tile.map, tile.frame);
        let label = match fact_text(map) {
            Some(text) => words.fill("maps-tile-with", &[("map", &map.to_string()), ("value", &text)]),
            None => words.fill("maps-tile", &[("map", &map.to_string())]),
        };
        let onclick = select.reform(move |_: MouseEvent| map);
        let onkeydown = {
            let tiles = tiles.clone();
            Callback::from(move |event: KeyboardEvent| {
                let next = match event.key().as_str() {
                    "ArrowRight" => place + 1,
                    "ArrowLeft" => place.wrapping_sub(1),
                    "ArrowDown" => place + columns,
                    "ArrowUp" => place.wrapping_sub(columns),
                    "Home" => 0,
                    "End" => count - 1,
                    _ => return,
                };
                event.prevent_default();
                if let Some(map) = tiles.get(next) {
                    focus(&format!("tile-{map}"));
                }
            })
        };
        let style = format!("left:{}px;top:{}px;width:{}px;height:{}px", f.x, f.y, f.w, f.h);
        let here = chosen == Some(map);
        let reached = if here || chosen.is_none_or(|c| !tiles.contains(&c)) && first == Some(map) { "0" } else { "-1" };
        html! {
            <button type="button" class="tile" key={map} id={format!("tile-{map}")} aria-label={label} aria-pressed={here.to_string()} tabindex={reached}
                {style} {onclick} {onkeydown} data-testid={format!("map-{map}")}>
                if laid.labels { <span class="tile-label" aria-hidden="true"><b>{map}</b>{" "}{fact_text(map).unwrap_or_default()}</span> }
            </button>
        }
    };
    let turn = |by: isize| {
        let leaf = leaf.clone();
        Callback::from(move |_: MouseEvent| leaf.set(current.saturating_add_signed(by).min(leaves - 1)))
    };
    let go_to = {
        let (page, described, network) = (page.clone(), props.described.clone(), network.clone());
        Callback::from(move |index: usize| {
            let card = described.cards.get(index).zip(network.as_ref());
            if let Some(layer) = card.map(|(card, net)| net.graph.nodes()[card.layer].name.clone()) {
                go(&page, |v| (v.layer, v.unit, v.map, v.step) = (Some(layer), None, None, None));
            }
        })
    };
    let pick = {
        let go_to = go_to.clone();
        Callback::from(move |event: Event| {
            let index = event.target_dyn_into::<web_sys::HtmlSelectElement>().map_or(0, |s| s.selected_index());
            if let Some(index) = usize::try_from(index).ok().and_then(|i| i.checked_sub(1)) {
                go_to.emit(index);
            }
        })
    };
    let cards = &props.described.cards;
    let before = match props.card {
        Some(i) => i.checked_sub(1),
        None => None,
    };
    let after = props.card.map_or(0, |i| i + 1);
    let layers = html! {
        <span class="row layer-choice">
            <button type="button" disabled={before.is_none()} onclick={go_to.reform(move |_: MouseEvent| before.unwrap_or(0))}
                aria-label={words.get("maps-layer-before")} data-testid="layer-before">{"‹"}</button>
            <select onchange={pick} aria-label={words.get("maps-layer")} data-testid="layer-select">
                <option selected={props.card.is_none()}>{words.get("maps-layer-none")}</option>
                { for cards.iter().enumerate().map(|(i, c)| html! { <option selected={props.card == Some(i)}>{c.title.clone()}</option> }) }
            </select>
            <button type="button" disabled={after >= cards.len()} onclick={go_to.reform(move |_: MouseEvent| after)}
                aria-label={words.get("maps-layer-after")} data-testid="layer-after">{"›"}</button>
        </span>
    };
    let option = |label: String, selected: bool| html! { <option {selected}>{label}</option> };
    let view = &page.view;
    let size = (f64::from(laid.size[0]), f64::from(laid.size[1]));
    let there = node.is_some();
    let relu = card.zip(network.as_ref()).is_some_and(|(card, net)| {
        card.nodes.iter().any(|&id| matches!(net.graph.nodes()[id].op, Op::Activation(Activation::Relu)))
    });
    let numbers = told.as_ref().map(|s| {
        let idle = s.units - s.positive;
        let silent = s.maps.chunks_exact(MAP_FACTS).filter(|m| m[2] == 0.0).count();
        let share = |n: usize, of: usize| format!("{:.1} %", n as f64 / of.max(1) as f64 * 100.0);
        let of = |n: usize, all: usize| {
            words.fill("maps-of", &[("n", &grouped(n as u64)), ("all", &grouped(all as u64)), ("share", &share(n, all))])
        };
        let [low, high] = s.range.map(f64::from);
        let counts: Vec<u64> = s.counts.iter().map(|&n| n.into()).collect();
        let title = words.get(if s.zeros > 0 { "maps-histogram-nonzero" } else { "maps-histogram" });
        let drawing = histogram_of([low, high], &counts, &title, 330.0, 150.0, &scene_words(words));
        html! {
            <>
            <div class="drawing fitting" data-testid="histogram">{ Html::from_html_unchecked(AttrValue::from(drawing.svg)) }</div>
            <dl class="facts loose" data-testid="maps-numbers">
                <dt>{words.get("maps-range")}</dt><dd>{format!("{} … {}", number(s.range[0]), number(s.range[1]))}</dd>
                <dt>{words.get("maps-zeros")}</dt><dd>{of(s.zeros, s.units)}</dd>
                <dt>{words.get(if relu { "maps-dead" } else { "maps-idle" })}</dt>
                <dd class="strong" data-testid="dead-units" data-dead={idle.to_string()}>{of(idle, s.units)}</dd>
                if shape.map() > 1 { <dt>{words.get("maps-silent")}</dt><dd data-testid="silent-maps">{of(silent, shape.c)}</dd> }
            </dl>
            </>
        }
    });
    let large = laid.large.map(|large| {
        let [mean, largest] = [0, 1].map(|which| fact(large.map, which).map_or_else(String::new, number));
        let about = words.fill("maps-mean-largest", &[("mean", &mean), ("largest", &largest)]);
        (
            large,
            words.fill("maps-tile", &[("map", &large.map.to_string())]),
            if mean.is_empty() { AttrValue::default() } else { about },
        )
    });
    let title = card.map_or_else(
        || words.get("maps-title"),
        |card| words.fill("maps-title-of", &[("layer", &card.title), ("shape", &shape_text(shape))]),
    );
    html! {
        <>
        <section class="maps-section" aria-labelledby="maps-title" data-testid="maps-view">
            <div class="row spread">
                <h3 id="maps-title" class="named">{title}</h3>
                { layers }
            </div>
            <div class="row maps-tools" hidden={!there}>
                <label class="check">{words.get("order-label")}
                    <select onchange={choose(&page, &Sort::ALL, |v, s| v.order = s)} data-testid="order">
                        { for Sort::ALL.map(|s| option(words.get(&format!("order-{}", s.name())).to_string(), s == view.order)) }
                    </select></label>
                <label class="check">{words.get("scale-label")}
                    <select onchange={choose(&page, &[Scale::Layer, Scale::Map], |v, s| v.scale = s)} data-testid="scale">
                        { option(words.get("scale-layer").to_string(), view.scale == Scale::Layer) }
                        { option(words.get("scale-map").to_string(), view.scale == Scale::Map) }
                    </select></label>
                <label class="check">{words.get("colours-label")}
                    <select onchange={choose(&page, &Colours::ALL, |v, c| v.colours = c)} data-testid="colours">
                        { for Colours::ALL.map(|c| option(words.get(&format!("colours-{}", c.name())).to_string(), c == view.colours)) }
                    </select></label>
                <span class="row" hidden={leaves < 2}>
                    <button type="button" onclick={turn(-1)} disabled={current == 0} aria-label={words.get("maps-page-before")} data-testid="page-before">{"‹"}</button>
                    <span data-testid="page">{format!("{} / {leaves}", current + 1)}</span>
                    <button type="button" onclick={turn(1)} disabled={current + 1 >= leaves} aria-label={words.get("maps-page-after")} data-testid="page-after">{"›"}</button>
                </span>
            </div>
            if laid.labels && told.is_some() {
                <p class="note" data-testid="maps-beside">{words.get(["maps-beside-mean", "maps-beside-largest", "maps-beside-active"][shown_fact])}</p>
            }
            <div class="gallery" ref={frame}>
                <div class="gallery-in" hidden={!there} style={format!("width:{}px;height:{}px", size.0, size.1)} role="group" aria-label={words.get("maps-label")}>
                    <Painted id={MAPS} waiting={words.get("output-waiting")} {rects} {size} scale={view.scale} testid="maps-canvas" />
                    { for laid.tiles.iter().enumerate().map(tile) }
                    if let Some((large, name, about)) = large {
                        <button type="button" class="tile large" ref={large_at} onclick={large_click} data-testid="map-large" title={words.get("maps-large")}
                            style={format!("left:{}px;top:{}px;width:{}px;height:{}px", large.frame.x, large.frame.y, large.frame.w, large.frame.h)}
                            aria-label={format!("{name} {about}. {}", words.get("maps-large"))}>
                            <span class="tile-label" aria-hidden="true"><b>{name}</b>{" "}{about}</span>
                        </button>
                    }
                </div>
            </div>
            if !there { <p class="note">{words.get("maps-none")}</p> }
            else if !*drawn { <p class="note">{words.get("arithmetic-empty")}</p> }
            <Filters layer={card.map(|c| c.layer)} name={card.map(|c| c.title.clone()).unwrap_or_default()}
                group={card.is_some_and(|c| c.folded.is_some())} map={chosen} seen={props.seen} />
        </section>
        <section aria-labelledby="maps-numbers-title">
            <h3 id="maps-numbers-title">{words.get("maps-numbers")}</h3>
            if props.seen {
                { numbers }
                <Numbers described={props.described.clone()} card={props.card} />
            }
        </section>
        </>
    }
}
