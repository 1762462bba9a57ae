//! What the panels that ask the engine share: the choice of a layer, of a class, and how far an inquiry is. Knows no inquiry by name.

use super::Described;
use crate::graph::NodeId;
use crate::ui::classes::Classes;
use crate::ui::hooks::{go, use_network, use_page, use_words};
use crate::ui::inquiry::Asking;
use std::rc::Rc;
use yew::prelude::*;

/// Which layers there are, and which is meant.
#[derive(Properties, PartialEq)]
pub struct LayerChoiceProps {
    /// Cards and facts of the open network.
    pub described: Rc<Described>,
    /// The node that is meant.
    pub node: NodeId,
    /// Whether only layers of maps can be chosen.
    #[prop_or_default]
    pub maps: bool,
}

/// The layer, by its name: chosen here or on the diagram.
#[component]
pub fn LayerChoice(props: &LayerChoiceProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let Some(net) = network else { return Html::default() };
    let onchange = {
        let (page, described, net) = (page.clone(), props.described.clone(), net.clone());
        Callback::from(move |event: Event| {
            let chosen =
                event.target_dyn_into::<web_sys::HtmlSelectElement>().and_then(|s| s.value().parse::<usize>().ok());
            if let Some(card) = chosen.and_then(|i| described.cards.get(i)) {
                go(&page, |v| {
                    v.layer = Some(net.graph.nodes()[card.layer].name.clone());
                    v.unit = None;
                });
            }
        })
    };
    let fits = |node: NodeId| {
        let shape = net.graph.nodes()[node].shape;
        node != net.graph.source() && (!props.maps || shape.map() > 1)
    };
    let option = |(i, card): (usize, &crate::graph::layout::Card)| {
        let here = card.nodes.contains(&props.node);
        html! { <option value={i.to_string()} selected={here}>{card.title.clone()}</option> }
    };
    html! {
        <label class="check">{words.get("choice-layer")}
            <select {onchange} data-testid="choice-layer">
                { for props.described.cards.iter().enumerate().filter(|(_, card)| fits(card.node)).map(option) }
            </select></label>
    }
}

/// Which class is meant.
#[derive(Properties, PartialEq)]
pub struct ClassChoiceProps {
    /// The network's.
    pub classes: Classes,
    /// The chosen one.
    pub class: Option<usize>,
    /// What is meant where none is chosen.
    pub none: AttrValue,
    /// Name for browser tests.
    pub testid: AttrValue,
}

/// The class, by its name. A component of its own: a thousand names are drawn once, not at each answer.
#[component]
pub fn ClassChoice(props: &ClassChoiceProps) -> Html {
    let page = use_page();
    let onchange = Callback::from(move |event: Event| {
        let select = event.target_dyn_into::<web_sys::HtmlSelectElement>();
        go(&page, |v| v.class = select.and_then(|s| s.value().parse().ok()));
    });
    let option = |class: usize| {
        html! { <option value={class.to_string()} selected={props.class == Some(class)}>{props.classes.name(class)}</option> }
    };
    html! {
        <select {onchange} data-testid={props.testid.clone()}>
            <option value="" selected={props.class.is_none()}>{&props.none}</option>
            { for (0..props.classes.count).map(option) }
        </select>
    }
}

/// An inquiry.
#[derive(Properties)]
pub struct PassesProps {
    /// As the component has it.
    pub asking: Asking,
    /// Whether it is asked by itself.
    pub live: bool,
}

impl PartialEq for PassesProps {
    fn eq(&self, _: &Self) -> bool {
        false // its callbacks are new each time
    }
}

/// A button that begins or ends it, and how far it is. What is asked by itself and done at once needs neither.
#[component]
pub fn Passes(props: &PassesProps) -> Html {
    let words = use_words();
    let Asking { found, busy, ask, stop } = &props.asking;
    let (done, total) = found.as_ref().map_or((0, 1), |f| f.passes);
    if props.live && (!busy || done == total) {
        return html! { <p class="note passes" data-testid="passes" data-done={(!busy && found.is_some()).to_string()}>{words.get("passes-live")}</p> };
    }
    let click = {
        let (busy, ask, stop) = (*busy, ask.clone(), stop.clone());
        Callback::from(move |_| if busy { stop.emit(()) } else { ask.emit(()) })
    };
    let text = words.fill("passes-of", &[("done", &done.to_string()), ("total", &total.to_string())]);
    html! {
        <div class="row passes" data-testid="passes" data-done={(!busy && found.is_some()).to_string()}>
            if !props.live {
                <button type="button" class={classes!((!busy).then_some("primary"))} onclick={click} data-testid="passes-ask">
                    {words.get(if *busy { "passes-stop" } else { "passes-ask" })}</button>
            }
            if *busy {
                <progress aria-label={text.clone()} value={done.to_string()} max={total.to_string()}></progress>
                <span class="note">{text}</span>
            }
        </div>
    }
}
