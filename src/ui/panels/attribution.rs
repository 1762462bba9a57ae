//! What of the picture a class depends on: gradient, Grad-CAM, a patch that covers it. Knows inquiries and scenes, no network by name.

use super::choice::{ClassChoice, LayerChoice, Passes};
use super::effective::EffectiveProps;
use crate::arch::Architecture;
use crate::ops::Readout;
use crate::protocol::{Inquiry, Origin};
use crate::scene::heat::Tint;
use crate::ui::classes::use_classes;
use crate::ui::heat::{Heatmap, Lie};
use crate::ui::hooks::{go, use_network, use_page, use_words};
use crate::ui::inquiry::{use_inquiry, use_picture};
use crate::ui::state::{Method, Panel};
use yew::prelude::*;

/// Milliseconds between two answers while weights or pictures change.
const PAUSE: i32 = 150;

/// Side of the patch and its step, for a picture of this side: fine for a digit, coarse for a photograph, where each place costs a pass.
fn patch(side: usize) -> (usize, usize) {
    if side <= 64 { ((side / 5).max(2), (side / 16).max(1)) } else { (side / 4, side / 8) }
}

/// The map, and what it is of.
#[component]
pub fn Attribution(props: &EffectiveProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let active = page.view.panel == Panel::Attribution;
    let method = page.view.method;
    let cam = network.as_ref().map(|net| {
        let card = props.card.and_then(|card| props.described.cards.get(card)).map(|card| card.node);
        let maps = |node: &usize| *node != net.graph.source() && net.graph.nodes()[*node].shape.map() > 1;
        card.filter(maps).unwrap_or(net.last_maps())
    });
    let small = network.as_ref().is_some_and(|net| net.cost().macs <= Architecture::LIVE);
    let classes = use_classes();
    let class = page.view.class.filter(|class| *class < classes.count);
    let shape = network.as_ref().map(|net| net.graph.nodes()[net.graph.source()].shape);
    let (side, stride) = patch(shape.map_or(1, |s| s.h));
    let wanted = cam.filter(|_| active).map(|node| match method {
        Method::Saliency | Method::Product => Inquiry::Saliency { class },
        Method::GradCam => Inquiry::GradCam { class, node },
        Method::Occlusion => Inquiry::Occlusion { class, patch: side, stride },
    });
    let asking = use_inquiry(wanted, small, PAUSE);
    let picture = use_picture(active);
    let (Some(shape), Some(cam)) = (shape, cam) else { return Html::default() };
    let lie = match method {
        Method::Saliency => Lie { map: 0, cell: Some([1.0; 2]), smooth: false },
        Method::Product => Lie { map: 1, cell: Some([1.0; 2]), smooth: false },
        Method::GradCam => Lie { map: 0, cell: None, smooth: true },
        Method::Occlusion => Lie { map: 0, cell: Some([stride as f32; 2]), smooth: false },
    };
    let choose = |method: Method| {
        let page = page.clone();
        let (name, here) = (method.name(), page.view.method == method);
        let onchange = Callback::from(move |_| go(&page, |v| v.method = method));
        html! {
            <label class="check"><input type="radio" name="method" checked={here} {onchange} data-testid={format!("method-{name}")} />
                {words.get(&format!("method-{name}"))}</label>
        }
    };
    let distances = network.as_ref().is_some_and(|net| net.loss.readout() == Readout::Distances);
    let of = asking.found.as_ref().and_then(|f| f.class);
    let untrained = matches!(page.origin, Some(Origin::Random(_)));
    let signed = matches!(method, Method::Product | Method::Occlusion);
    html! {
        <section class="attribution" aria-labelledby="attribution-title" data-testid="attribution">
            <h3 id="attribution-title">{words.get("attribution-title")}</h3>
            <div class="heat-row">
                <div class="heat-side">
                    <Heatmap picture={picture.clone()} {shape} found={asking.found.clone()} {lie} tint={Tint::Signed}
                        label={words.get(&format!("method-{}-label", method.name()))} testid="attribution-map" />
                    <p class="legend"><span><span class="key box positive" aria-hidden="true"></span>{words.get(if signed { "attribution-for" } else { "attribution-much" })}</span>
                        if signed { <span><span class="key box negative" aria-hidden="true"></span>{words.get("attribution-against")}</span> }</p>
                </div>
                <div class="heat-controls">
                    <fieldset><legend>{words.get("attribution-method")}</legend>{ for Method::ALL.into_iter().map(choose) }</fieldset>
                    <label class="check">{words.get("attribution-class")}

                        <ClassChoice classes={classes.clone()} {class} none={words.get("attribution-predicted")} testid="attribution-class" /></label>
                    if method == Method::GradCam { <LayerChoice described={props.described.clone()} node={cam} maps={true} /> }
                    if method == Method::Occlusion {
                        <p class="note">{words.fill("attribution-patch", &[("side", &side.to_string()), ("stride", &stride.to_string())])}</p>
                    }
                    <Passes asking={asking.clone()} live={small} />
                    if let Some((class, p)) = of {
                        <p class="strong" data-testid="attribution-of" data-class={class.to_string()}>{words.fill(if distances { "attribution-of-class" } else { "attribution-of" },
                            &[("class", &classes.name(class)), ("percent", &format!("{:.1}", p * 100.0))])}</p>
                    }
                    if picture.is_none() { <p class="note">{words.get("attribution-empty")}</p> }
                    if untrained { <p class="note" data-testid="attribution-untrained">{words.get("attribution-untrained")}</p> }
                    <p class="note">{words.get(&format!("method-{}-note", method.name()))}</p>
                </div>
            </div>
        </section>
    }
}
