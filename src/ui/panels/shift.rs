//! What a move of the picture does to every layer: how much its values change where they are, and how much of that is no mere move.
//! Knows cards, no network by name; the engine compares.

use super::layer::LayerProps;
use crate::data::alter::arrows;
use crate::graph::NodeId;
use crate::protocol::{Command, Event, Generation, Moved};
use crate::ui::alter::{Arrows, Reset, use_altering};
use crate::ui::hooks::{next_frame, use_client, use_heard, use_page, use_words};
use crate::ui::state::Panel;
use yew::prelude::*;

/// What is asked of the engine: one question at a time, and whether a newer one waits.
#[derive(Default)]
struct Asked {
    request: Option<Generation>,
    again: bool,
}

/// The table of layers.
#[component]
pub fn Shift(props: &LayerProps) -> Html {
    let (client, words, page, altering) = (use_client(), use_words(), use_page(), use_altering());
    let told = use_state(Vec::<Moved>::new);
    let asked = use_mut_ref(Asked::default);
    let here = page.view.panel == Panel::Shift;
    let nodes: Vec<NodeId> = props.described.cards.iter().map(|c| c.node).collect();
    let ask = {
        let (asked, nodes) = (asked.clone(), nodes.clone());
        move || {
            let mut asked = asked.borrow_mut();
            if asked.request.is_some() {
                asked.again = true;
                return;
            }
            let request = client.number();
            client.quietly(request);
            *asked = Asked { request: Some(request), again: false };
            client.send(&Command::Compare { request, nodes: nodes.clone() });
        }
    };
    {
        let (ask, here) = (ask.clone(), here);
        use_effect_with((here, nodes), move |_| {
            if here {
                ask();
            }
        });
    }
    {
        let told = told.clone();
        use_heard(move |heard| {
            let answered = match &heard.event {
                // Another picture, another move, other weights.
                Event::Output { .. } if here => {
                    ask();
                    return;
                }
                Event::Compared { request, moved, .. } if asked.borrow().request == Some(*request) => {
                    let moved = moved.clone();
                    let told = told.clone();
                    next_frame(move || told.set(moved));
                    true
                }
                Event::Failed { request: Some(request), .. } => asked.borrow().request == Some(*request),
                _ => false,
            };
            if answered {
                let again = std::mem::take(&mut *asked.borrow_mut()).again;
                if again && here {
                    ask();
                }
            }
        });
    }
    let percent = |share: f32| format!("{:.0} %", share * 100.0);
    let bar = |share: Option<f32>, class: &'static str| {
        html! {
            <span class="bar-track" aria-hidden="true"><span class={classes!("bar-fill", class)} style={format!("width:{:.1}%", share.unwrap_or(0.0).min(1.0) * 100.0)}></span></span>
        }
    };
    let row = |moved: &Moved| {
        let card = props.described.cards.iter().find(|c| c.node == moved.node)?;
        let none = words.get("shift-none");
        Some(html! {
            <tr data-testid={format!("shift-{}", card.title)}>
                <th scope="row">{card.title.clone()}</th>
                <td>{match arrows(moved.by) { text if text.is_empty() => "–".to_string(), text => text }}</td>
                <td class="shift-bar">{bar(Some(moved.changed), "changed-bar")}</td><td>{percent(moved.changed)}</td>
                <td class="shift-bar">{bar(moved.left, "left-bar")}</td>
                <td>
                    if let Some(left) = moved.left { {percent(left)} } else if moved.by != [0.0, 0.0] { <small>{none}</small> } else { {"–"} }
                </td>
                <td>{moved.found.map_or_else(|| "–".to_string(), percent)}</td>
            </tr>
        })
    };
    html! {
        <section class="shift" aria-labelledby="shift-title" data-testid="shift">
            <h3 id="shift-title">{words.get("shift-title")}</h3>
            <p class="lead">{words.get("shift-lead")}</p>
            <div class="row"><Arrows /><Reset /></div>
            if told.is_empty() {
                <p class="note">{words.get(if altering.now.shift == [0, 0] { "shift-still" } else { "shift-waiting" })}</p>
            } else {
                <div class="scroll">
                <table class="shift-table">
                    <thead><tr>
                        <th scope="col">{words.get("shift-layer")}</th>
                        <th scope="col">{words.get("shift-by")}</th>
                        <th scope="col" colspan="2">{words.get("shift-changed")}</th>
                        <th scope="col" colspan="2">{words.get("shift-left")}</th>
                        <th scope="col">{words.get("shift-found")}</th>
                    </tr></thead>
                    <tbody>{ for told.iter().filter_map(row) }</tbody>
                </table>
                </div>
                <p class="note">{words.get("shift-note")}</p>
            }
        </section>
    }
}
