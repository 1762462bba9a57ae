//! The arithmetic of the selected unit. Knows scenes and explanations, no op and no network by name.

use super::{Described, Selection};
use crate::ops::explain::Explanation;
use crate::protocol::{Command, Event as Said, Palette};
use crate::scene;
use crate::ui::hooks::{later, use_client, use_dark, use_heard, use_network, use_page, use_size, use_words};
use crate::ui::stage::scene_words;
use std::rc::Rc;
use yew::prelude::*;

/// What is asked about.
#[derive(Properties, PartialEq)]
pub struct ArithmeticProps {
    /// Cards and facts of the open network.
    pub described: Rc<Described>,
    /// What is selected.
    pub selection: Selection,
}

/// What the engine said of a unit.
#[derive(Clone, PartialEq)]
struct Told {
    explanations: Vec<Explanation>,
    value: f32,
}

/// How the selected unit's value came about; asked anew whenever the values change, ten times a second at most.
#[component]
pub fn Arithmetic(props: &ArithmeticProps) -> Html {
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
