//! The strip under the stage: the scene's bars, and the column that is pointed at here or on the stage. Knows scenes; computes nothing.

use super::hooks::{Same, use_network, use_page, use_words};
use super::stage::scene_words;
use crate::scene::strip::{self as scenes, Strip as Scene};
use yew::prelude::*;

/// What a [`Strip`] is given.
#[derive(Properties, PartialEq)]
pub struct StripProps {
    /// Width in px.
    pub width: f32,
    /// The stage's type, in px.
    pub font: f32,
    /// The card that is pointed at, by position.
    pub over: Option<usize>,
    /// The one that is selected.
    pub selected: Option<usize>,
    /// Another one is pointed at.
    pub hover: Callback<Option<usize>>,
    /// One was clicked.
    pub select: Callback<(Option<usize>, Option<crate::tensor::Unit>)>,
}

/// Bars over depth, and the numbers of the column that is pointed at.
#[component]
pub fn Strip(props: &StripProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let deps = (network, page.view.groups.clone(), words, props.width as u32, props.font as u32);
    let scene = use_memo(deps, |(network, groups, words, width, font)| {
        let said = scene_words(*words);
        network.as_ref().map(|net| Same::new(scenes::strip(net, groups, *width as f32, *font as f32, &said)))
    });
    let Some(scene) = (*scene).clone() else { return Html::default() };
    let column = {
        let scene = scene.clone();
        move |event: &MouseEvent| {
            let x = f64::from(event.offset_x()) as f32;
            scene.columns.iter().position(|c| x >= c.frame.x && x < c.frame.right())
        }
    };
    let onpointermove = {
        let (hover, column, over) = (props.hover.clone(), column.clone(), props.over);
        Callback::from(move |event: PointerEvent| {
            let found = column(&event);
            if found != over {
                hover.emit(found);
            }
        })
    };
    let onpointerleave = props.hover.reform(|_: PointerEvent| None);
    let onclick = {
        let select = props.select.clone();
        Callback::from(move |event: MouseEvent| {
            if let Some(found) = column(&event) {
                select.emit((Some(found), None));
            }
        })
    };
    let shown = props.over.or(props.selected);
    let mark = |index: Option<usize>, class: &'static str| {
        let frame = index.and_then(|i| scene.columns.get(i))?.frame;
        let style = format!("left:{}px;width:{}px;height:{}px", frame.x, frame.w.max(3.0), frame.h);
        Some(html! { <div {class} {style}></div> })
    };
    let told = shown.and_then(|i| scene.columns.get(i)).map(|c| c.told.clone());
    html! {
        <figure class="strip-frame" data-testid="strip">
            <div class="strip" style={format!("width:{}px;height:{}px", scene.drawing.width, scene.drawing.height)}
                {onpointermove} {onpointerleave} {onclick}>
                <Bars scene={scene.clone()} />
                { mark(props.selected, "strip-mark selected") }
                { mark(props.over, "strip-mark") }
            </div>
            <figcaption class="strip-told" data-testid="strip-told">{ told.unwrap_or_else(|| words.get("strip-hint").to_string()) }</figcaption>
        </figure>
    }
}

#[derive(Properties, PartialEq)]
struct BarsProps {
    scene: Same<Scene>,
}

/// The drawing; touched only when it changes.
#[component]
fn Bars(props: &BarsProps) -> Html {
    html! { <div class="strip-bars">{ Html::from_html_unchecked(props.scene.drawing.svg.clone().into()) }</div> }
}
