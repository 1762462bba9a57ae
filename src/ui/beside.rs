//! A second network beside the first, on the same pictures: an engine of its own, and the page's own parts around it. Knows how the
//! two are joined; what they show is the parts' affair.

use super::client::Client;
use super::engine_address;
use super::hooks::{Network, Page, Same, go, use_client, use_network, use_page, use_words};
use super::output::Output;
use super::stage::{Cursor, Scene, Stage};
use super::state::{Action, Model, View};
use crate::arch::{self, Architecture};
use crate::graph::receptive_field::{Rect, cone};
use crate::protocol::{Command, Event, Weights};
use crate::scene::compare::same_place;
use crate::scene::field::linked;
use crate::tensor::Shape;
use yew::prelude::*;

/// The patch of the input that a unit sees that is pointed at in one of the networks.
#[derive(Clone, Copy, PartialEq)]
pub struct Seen {
    /// Whose unit.
    pub of: &'static str,
    /// Its input.
    pub input: Shape,
    /// The patch, padding included.
    pub patch: Rect,
}

/// What both networks know of the unit that is pointed at; `None`: there is only one network.
pub type Link = Option<UseStateHandle<Option<Seen>>>;

#[derive(Properties, PartialEq)]
pub struct LinkedProps {
    /// The stage that it lies over.
    pub scene: Scene,
    /// Its network.
    pub net: Same<Architecture>,
    /// The unit that is pointed at here.
    pub pointed: Option<Cursor>,
}

/// Over a stage: tells the other network what is pointed at in this one, and frames what is pointed at in the other.
#[component]
pub fn Linked(props: &LinkedProps) -> Html {
    let link = use_context::<Link>().flatten();
    let of = props.net.variant.name;
    {
        let link = link.clone();
        use_effect_with((props.pointed, props.net.clone()), move |(pointed, net)| {
            let Some(link) = link else { return };
            let graph = &net.graph;
            let source = graph.source();
            let seen = pointed.and_then(|(node, unit)| {
                let patch = cone(graph, node, unit)[source]?;
                Some(Seen { of: net.variant.name, input: graph.nodes()[source].shape, patch })
            });
            link.set(seen);
        });
    }
    let other = link.and_then(|link| *link).filter(|seen| seen.of != of);
    let graph = &props.net.graph;
    let input = graph.nodes()[graph.source()].shape;
    let drawing = other.and_then(|s| linked(&props.scene.0, graph, same_place(s.patch, s.input, input)));
    match drawing {
        Some(drawing) => html! {
            <div class="over layer" aria-hidden="true" data-testid="linked">{ Html::from_html_unchecked(drawing.svg.into()) }</div>
        },
        None => Html::default(),
    }
}

/// The second network, where the address names one.
#[component]
pub fn Beside() -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let second: Network = use_memo(page.view.beside.clone(), |name| {
        name.as_deref().and_then(arch::variant).and_then(|v| v.build().ok()).map(Same::new)
    })
    .as_ref()
    .clone();
    let (Some(first), Some(second)) = (network, second) else { return Html::default() };
    let close = {
        let page = page.clone();
        Callback::from(move |_| go(&page, |v| v.beside = None))
    };
    let fits = first.reads_digits() == second.reads_digits() && first.variant != second.variant;
    html! {
        <div class="beside" data-testid="beside">
            <h2 class="sr">{words.title(second.variant)}</h2>
            <div class="beside-head">
                <button type="button" onclick={close} data-testid="beside-close">{words.get("beside-close")}</button>
            </div>
            if fits {
                <Second net={second} />
            } else if first.variant == second.variant {
                <p class="note">{words.get("beside-same")}</p>
            } else {
                <p class="note" data-testid="beside-other">{words.fill(
                    if second.reads_digits() { "beside-digits" } else { "beside-photos" }, &[("name", &words.title(second.variant))])}</p>
            }
        </div>
    }
}

/// What the second page takes over from the first; what is selected in it is its own.
fn shared(first: &View, variant: &str) -> View {
    View { beside: None, panel: Default::default(), plot: None, sort: None, wide: false, ..first.of(variant) }
}

#[derive(Properties, PartialEq)]
struct SecondProps {
    net: Same<Architecture>,
}

/// The second network at work, on an engine that lives as long as this does.
#[component]
fn Second(props: &SecondProps) -> Html {
    let (first, page, words) = (use_client(), use_page(), use_words());
    let variant = props.net.variant.name;
    let view = shared(&page.view, variant);
    let second: Page = use_reducer(|| Model::new(view.clone()));
    let client = use_memo((), |()| {
        let client = Client::start(&engine_address()?).ok()?;
        let backend = page.engine.as_ref().map(|e| e.backend).or(page.view.backend);
        client.send(&Command::Start { backend });
        Some(client)
    })
    .as_ref()
    .clone();
    {
        let (client, second, page) = (client.clone(), second.dispatcher(), page.dispatcher());
        use_effect_with((), move |()| {
            let listening = client.as_ref().map(|client| {
                client.listen(move |heard| {
                    if let Event::Failed { fault, .. } = &heard.event
                        && Model::wants(&heard.event)
                    {
                        page.dispatch(Action::Complain(fault.clone()));
                    }
                    if Model::wants(&heard.event) {
                        second.dispatch(Action::Heard(Box::new(heard.event.clone())));
                    }
                })
            });
            move || {
                drop(listening);
                if let Some(client) = client {
                    client.end();
                }
            }
        });
    }
    {
        // Its network, and then the picture that the first one sees, from now on with each change.
        let (first, client, second) = (first.clone(), client.clone(), second.dispatcher());
        use_effect_with(variant, move |variant| {
            if let Some(client) = &client {
                second.dispatch(Action::Opening(client.open(variant, Weights::Shipped, &[])));
                first.show_beside(Some(client.clone()));
            }
        });
    }
    {
        let first = first.clone();
        use_effect_with((), move |()| move || first.show_beside(None));
    }
    {
        // Language, colours, scale, what is hidden: as in the first.
        let second = second.clone();
        use_effect_with(view, move |view| {
            let kept = &second.view;
            let view = match kept.variant == view.variant {
                true => {
                    View { layer: kept.layer.clone(), unit: kept.unit, groups: kept.groups.clone(), ..view.clone() }
                }
                false => view.clone(),
            };
            if view != second.view {
                second.dispatch(Action::Go(Box::new(view)));
            }
        });
    }
    {
        // The same kind of engine.
        let client = client.clone();
        let wanted = page.engine.as_ref().map(|e| e.backend).filter(|_| second.engine.is_some());
        let runs = second.engine.as_ref().map(|e| e.backend);
        use_effect_with(wanted, move |wanted| {
            if let (Some(client), Some(wanted)) = (&client, *wanted)
                && runs != Some(wanted)
            {
                client.send(&Command::UseBackend(wanted));
            }
        });
    }
    let Some(client) = client else { return Html::default() };
    html! {
        <ContextProvider<Client> context={client}>
        <ContextProvider<Page> context={second}>
        <ContextProvider<Network> context={Some(props.net.clone())}>
            <div class="beside-body">
                <Stage />
                <aside aria-label={words.fill("beside-answer", &[("name", &words.title(props.net.variant))])}><Output /></aside>
            </div>
        </ContextProvider<Network>>
        </ContextProvider<Page>>
        </ContextProvider<Client>>
    }
}
