//! Below the diagram: tabs, a file each in `panels/`. All panels stay in the page, the others hidden: their canvases are handed over once.
//! Knows facts and scenes, no network by name.

mod arithmetic;
mod attribution;
mod backward;
mod builder;
mod choice;
mod compare;
mod effective;
mod field;
mod filters;
mod layer;
mod maps;
mod shift;

use super::hooks::{Network, focus, go, use_network, use_page, use_words};
use super::state::Panel;
use super::training::Training;
use crate::graph::describe::{self, Facts};
use crate::graph::layout::{self, Card};
use crate::tensor::Unit;
use arithmetic::Arithmetic;
use attribution::Attribution;
use builder::Builder;
use compare::Compare;
use effective::Effective;
use field::Growth;
use layer::Layer;
use maps::Maps;
use shift::Shift;
use std::rc::Rc;
use yew::prelude::*;

/// What is selected: a card, and a unit of it.
#[derive(Clone, PartialEq)]
pub struct Selection {
    /// By position.
    pub card: Option<usize>,
    /// By its place in the value shown on the card.
    pub unit: Option<Unit>,
}

/// Cards and facts of the open network.
#[derive(Clone, PartialEq, Default)]
pub struct Described {
    /// As the diagram shows them.
    pub cards: Vec<Card>,
    /// One a card.
    pub facts: Vec<Facts>,
    /// What each node's layer is called, folded or not.
    pub names: Vec<String>,
}

#[hook]
fn use_described(network: &Network, groups: &[String]) -> Rc<Described> {
    let words = use_words();
    use_memo((network.clone(), groups.to_vec(), words), |(network, groups, words)| {
        let Some(net) = network else { return Described::default() };
        let graph = &net.graph;
        // The one layer that is called by a word.
        let called = |mut card: Card| {
            if card.layer == graph.source() {
                card.title = words.get("scene-input").to_string();
            }
            card
        };
        let cards: Vec<Card> = layout::folded(graph, groups).0.into_iter().map(called).collect();
        let facts = describe::facts(graph, &cards);
        let mut names = vec![String::new(); graph.nodes().len()];
        for card in layout::cards(graph).into_iter().map(called) {
            card.nodes.iter().for_each(|&node| names[node].clone_from(&card.title));
        }
        Described { cards, facts, names }
    })
}

/// Tabs and panels.
#[component]
pub fn Panels() -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let described = use_described(&network, &page.view.groups);
    let node = network.as_ref().and_then(|n| page.view.layer.as_deref().and_then(|l| n.graph.find(l)));
    let card = node.and_then(|node| described.cards.iter().position(|c| c.nodes.contains(&node)));
    let panels: Vec<Panel> = Panel::ALL.into_iter().filter(|p| !page.view.hides(p.control())).collect();
    let panel = panels.iter().copied().find(|p| *p == page.view.panel).unwrap_or_default();
    let tab = |(place, &this): (usize, &Panel)| {
        let onclick = {
            let page = page.clone();
            Callback::from(move |_| go(&page, |v| v.panel = this))
        };
        // Arrow keys go to the next tab, as tab lists do.
        let onkeydown = {
            let (page, panels) = (page.clone(), panels.clone());
            Callback::from(move |event: KeyboardEvent| {
                let next = match event.key().as_str() {
                    "ArrowLeft" => place + panels.len() - 1,
                    "ArrowRight" => place + 1,
                    _ => return,
                };
                let next = panels[next % panels.len()];
                go(&page, |v| v.panel = next);
                focus(&format!("tab-{}", next.name()));
            })
        };
        let (here, name) = (panel == this, this.name());
        html! {
            <button type="button" role="tab" id={format!("tab-{name}")} aria-selected={here.to_string()} {onkeydown}
                aria-controls={format!("panel-{name}")} tabindex={if here { "0" } else { "-1" }} {onclick}
                data-testid={format!("panel-{name}")}>{words.get(&format!("panel-{name}"))}</button>
        }
    };
    let body = |this: Panel, class: &'static str, content: Html| {
        let name = this.name();
        html! {
            <div {class} role="tabpanel" id={format!("panel-{name}")} aria-labelledby={format!("tab-{name}")} hidden={panel != this}>{content}</div>
        }
    };
    let selection = Selection { card, unit: page.view.unit };
    html! {
        <section class="panels" aria-label={words.get("panels-label")} hidden={page.view.hides("panels")}>
            <h2 class="sr">{words.get("panels-label")}</h2>
            <div class="tabs" role="tablist" aria-label={words.get("panels-label")} hidden={panels.len() < 2}>
                { for panels.iter().enumerate().map(tab) }
            </div>
            { body(Panel::Inspect, "inspect wide", html! {
                <>
                    <Arithmetic described={described.clone()} {selection} seen={panel == Panel::Inspect} />
                    <Layer described={described.clone()} {card} />
                </>
            }) }
            { body(Panel::Layer, "inspect wide", html! { <Maps described={described.clone()} {card} seen={panel == Panel::Layer} /> }) }
            { body(Panel::Field, "inspect pair", html! {
                <>
                    <Effective described={described.clone()} {card} />
                    if panel == Panel::Field {
                        <Growth described={described.clone()} {card} />
                        <Builder />
                    }
                </>
            }) }
            { body(Panel::Attribution, "inspect", html! { <Attribution described={described.clone()} {card} /> }) }
            { body(Panel::Shift, "inspect", html! { <Shift {described} {card} /> }) }
            { body(Panel::Compare, "", html! { <Compare /> }) }
            { body(Panel::Training, "", html! { <Training /> }) }
        </section>
    }
}
