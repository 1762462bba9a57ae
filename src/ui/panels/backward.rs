//! The loss's gradient at the selected unit, and how it spreads backwards to inputs and weights. Knows explanations and their
//! spread, no op and no network by name.

use super::choice::ClassChoice;
use crate::graph::NodeId;
use crate::ops::explain::Explanation;
use crate::protocol::{Command, Event as Said, Scale};
use crate::scene::arithmetic::backward;
use crate::scene::equations::{Source, Story, symbol};
use crate::scene::number;
use crate::tensor::Unit;
use crate::ui::classes::use_classes;
use crate::ui::drawn::Drawn;
use crate::ui::hooks::{Same, go, use_client, use_dark, use_heard, use_page, use_words};
use crate::ui::stage::scene_words;
use yew::prelude::*;

/// A unit and how its value came about.
pub struct Told {
    /// Whose unit.
    pub node: NodeId,
    /// Which.
    pub unit: Unit,
    /// The nodes told of, in order.
    pub nodes: Vec<NodeId>,
    /// One a node.
    pub explanations: Vec<Explanation>,
    /// What the first of the nodes reads.
    pub sources: Vec<Source>,
    /// The unit's value as the engine computed it.
    pub value: f32,
}

impl Told {
    /// As it is drawn.
    pub fn story(&self, scale: Scale) -> Story<'_> {
        let by_map = scale == Scale::Map;
        Story { explanations: &self.explanations, sources: &self.sources, map: self.unit.c, by_map }
    }
}

/// What is asked about.
#[derive(Properties, PartialEq)]
pub struct BackwardProps {
    /// The unit.
    pub told: Same<Told>,
    /// Room in px.
    pub width: f32,
}

/// Whose gradient, of the loss of which class.
type Asked = (NodeId, Unit, Option<usize>);

#[derive(Clone, PartialEq)]
struct Backed {
    /// What was asked.
    of: Asked,
    class: usize,
    known: bool,
    loss: f32,
    deltas: Vec<f32>,
}

/// The gradient, where the reader wants to see it.
#[component]
pub fn Backward(props: &BackwardProps) -> Html {
    let (client, page, words) = (use_client(), use_page(), use_words());
    let dark = use_dark();
    let backed = use_state(|| None::<Backed>);
    let newest = use_mut_ref(|| 0u32);
    let asked = use_mut_ref(|| None::<Asked>);
    let waiting = use_mut_ref(|| None::<Command>); // one question at a time: a deep network takes seconds to answer
    let open = page.view.backward;
    {
        let (client, newest, waiting, told) = (client.clone(), newest.clone(), waiting.clone(), props.told.clone());
        let asked = asked.clone();
        use_effect_with((open, page.view.class, props.told.clone()), move |(open, class, _)| {
            if *open {
                let busy = *newest.borrow() != 0;
                let request = client.number();
                let command = Command::Backward { request, node: told.node, unit: told.unit, class: *class };
                if busy {
                    *waiting.borrow_mut() = Some(command);
                } else {
                    *newest.borrow_mut() = request;
                    *asked.borrow_mut() = Some((told.node, told.unit, *class));
                    client.send(&command);
                }
            }
        });
    }
    {
        let backed = backed.clone();
        use_heard(move |heard| {
            let answered = match &heard.event {
                Said::Backed { request, class, known, loss, deltas } if *request == *newest.borrow() => {
                    let (class, known, loss, deltas) = (*class, *known, *loss, deltas.clone());
                    backed.set(asked.borrow().map(|of| Backed { of, class, known, loss, deltas }));
                    true
                }
                Said::Failed { request: Some(request), .. } => *request == *newest.borrow(),
                _ => false,
            };
            if answered {
                let next = waiting.borrow_mut().take();
                *newest.borrow_mut() = match next {
                    Some(command) => {
                        client.send(&command);
                        if let Command::Backward { request, node, unit, class } = command {
                            *asked.borrow_mut() = Some((node, unit, class));
                            request
                        } else {
                            0
                        }
                    }
                    None => 0,
                };
            }
        });
    }
    let toggle = {
        let page = page.clone();
        Callback::from(move |_: MouseEvent| go(&page, |v| v.backward = !v.backward))
    };
    let classes = use_classes();
    let chosen = page.view.class.filter(|class| *class < classes.count);
    // The gradient of another unit, or of another class, is not this one's.
    let now = (props.told.node, props.told.unit, page.view.class);
    let body = backed.as_ref().filter(|b| open && b.of == now).map(|b| {
        let (class, loss) = (classes.name(b.class), number(b.loss));
        let key = if b.known { "backward-loss-known" } else if chosen.is_some() { "backward-loss-chosen" } else { "backward-loss-predicted" };
        // From the unit back through the pointwise layers to the one that is spread.
        let chain: Vec<String> = props.told.explanations.iter().zip(&b.deltas).rev()
            .map(|(e, d)| format!("∂L/∂{} = {}", symbol(e.rule), number(*d))).collect();
        let delta = b.deltas.first().copied().unwrap_or(0.0);
        let palette = page.view.colours.palette(dark);
        let story = props.told.story(page.view.scale);
        let drawing = backward(&story, &b.deltas, props.width.max(260.0), palette, &scene_words(words)).svg;
        html! {
            <>
            <p>{words.fill(key, &[("class", &class), ("loss", &loss)])}</p>
            <p class="caption" data-testid="backward-chain" data-delta={delta.to_string()}><b>{chain.join("  →  ")}</b></p>
            if delta == 0.0 {
                <p class="note">{words.get("backward-zero")}</p>
            } else {
                <div class="scroll drawing" tabindex="0" role="region" aria-label={words.get("backward-label")}>
                    <Drawn svg={drawing} />
                </div>
                <p class="note">{words.get("backward-note")}</p>
            }
            </>
        }
    });
    html! {
        <div class="unit-backward" data-testid="backward">
            <div class="row">
                <button type="button" aria-expanded={open.to_string()} onclick={toggle} data-testid="backward-toggle">{words.get("backward-toggle")}</button>
                if open {
                    <label class="check">{words.get("backward-class")}
                        <ClassChoice classes={classes.clone()} class={chosen} none={words.get("backward-class-own")} testid="backward-class" />
                    </label>
                }
            </div>
            if open {
                { body.unwrap_or_else(|| html! { <p class="note">{words.get("output-waiting")}</p> }) }
            }
        </div>
    }
}
