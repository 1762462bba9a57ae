//! The diagram: the scene's SVG, the engine's canvas over it, and over both what is pointed at: value, receptive field, selection.
//! Pointer and keyboard walk cards, maps and units. Knows scenes; computes no layout and no field.

use super::beside::Linked;
use super::export::Export;
use super::hooks::{
    Same, Words, drawn_type, go, next_frame, use_client, use_heard, use_network, use_page, use_size, use_window_event,
    use_words, window,
};
use super::i18n::value as number;
use super::maps::Maps;
pub use super::maps::Scene;
use super::menu::Menu;
use super::state::Colours;
use super::strip::Strip;
use super::viewport::{Lens, Viewport, shows_maps};
use crate::arch::Architecture;
use crate::graph::skips::SkipKind;
use crate::graph::{NodeId, layout};
use crate::ops::Kind;
use crate::protocol::{Command, Event as Said, Source};
use crate::scene::camera::Camera;
use crate::scene::{self, stage as scenes};
use crate::tensor::Unit;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use yew::prelude::*;

/// A unit that is pointed at.
pub type Cursor = (NodeId, Unit);

/// The scenes' words in the page's language.
pub fn scene_words(words: Words) -> scene::Words {
    let get = |key: &str| super::i18n::text(words.0, key);
    scene::Words {
        input: get("scene-input"),
        parameters: get("scene-parameters"),
        macs: get("scene-macs"),
        field: get("scene-field"),
        maps_left_out: get("scene-maps-left-out"),
        folded: get("scene-folded"),
        network: get("scene-network"),
        identity: get("scene-identity"),
        projection: get("scene-projection"),
        padded: get("scene-padded"),
        skip: get("scene-skip"),
        memory: get("scene-memory"),
        training: get("scene-training"),
        depth: get("scene-depth"),
        sum: get("scene-sum"),
        bias: get("scene-bias"),
        coefficient: get("scene-coefficient"),
        value: get("scene-value"),
        maximum: get("scene-maximum"),
        mean: get("scene-mean"),
        distance: get("scene-distance"),
        map: get("scene-map"),
        from_row_column: get("scene-from-row-column"),
        more_terms: get("scene-more-terms"),
        each_adds: get("scene-each-adds"),
        to_inputs: get("scene-to-inputs"),
        to_weights: get("scene-to-weights"),
        strongest: get("scene-strongest"),
        padding: get("scene-padding"),
        running: get("scene-running"),
        copied: get("scene-copied"),
        maps: get("scene-maps"),
        units: get("scene-units"),
        residual: get("scene-residual"),
        shortcut: get("scene-shortcut"),
        scale_inputs: get("scene-scale-inputs"),
        scale_weights: get("scene-scale-weights"),
        scale_products: get("scene-scale-products"),
        step: get("scene-step"),
        epoch: get("scene-epoch"),
        loss: get("scene-loss"),
        accuracy: get("scene-accuracy"),
        gradient: get("scene-gradient"),
        update: get("scene-update"),
        whole_input: get("scene-whole-input"),
        truth: get("scene-truth"),
        taken_for: get("scene-taken-for"),
        probability: get("scene-probability"),
        count: get("scene-count"),
    }
}

/// What a unit is called: `C1 · map 3 · unit (9, 14)`, or `F6 · unit 12` in a vector.
fn unit_name(words: Words, card: &scenes::StageCard, unit: Unit) -> String {
    let n = |n: usize| n.to_string();
    if card.shape.map() == 1 {
        words.fill("stage-vector-unit", &[("layer", &card.title), ("unit", &n(unit.c))]).to_string()
    } else {
        let values = [("layer", card.title.as_str()), ("map", &n(unit.c)), ("row", &n(unit.y)), ("col", &n(unit.x))];
        words.fill("stage-unit", &values).to_string()
    }
}

/// The unit that lies next to this one in a direction, in the same card: over the gap into the next map where it must.
fn neighbour(stage: &scenes::Stage, (node, unit): Cursor, (dx, dy): (f32, f32)) -> Option<Cursor> {
    let card = &stage.cards[stage.card_of(node)?];
    let from = stage.unit_rect(node, unit)?;
    let [mut x, mut y] = from.centre();
    let step = from.w.min(from.h).clamp(0.5, 4.0) / 2.0;
    loop {
        x += dx * step;
        y += dy * step;
        if !card.rect.contains(x, y) {
            return None;
        }
        if let Some(found) = stage.hit(x, y).filter(|(n, u)| (*n, *u) != (node, unit)) {
            return Some(found);
        }
    }
}

/// Cards as one path, for the minimap.
fn outlines(stage: &scenes::Stage) -> String {
    let frame = |c: &scenes::StageCard| format!("M{} {}h{}v{}h-{}z", c.rect.x, c.rect.y, c.rect.w, c.rect.h, c.rect.w);
    stage.cards.iter().map(frame).collect()
}

/// The diagram with its breadcrumbs.
#[component]
pub fn Stage() -> Html {
    let (client, page, words, network) = (use_client(), use_page(), use_words(), use_network());
    let frame = use_node_ref();
    let (width, _) = use_size(&frame);
    let lens = (*use_memo((), |()| Lens::default())).clone();
    let cursor = use_state(|| None::<Cursor>);
    let over_card = use_state(|| None::<usize>);
    let wide = page.view.wide;
    let height = window().inner_height().ok().and_then(|h| h.as_f64()).unwrap_or(900.0);
    // Before it is measured: the window less the side column, so that the first layout is nearly always the last.
    let window_width = window().inner_width().ok().and_then(|w| w.as_f64()).unwrap_or(1280.0);
    let guess = if wide { window_width } else { (window_width - 292.0).max(320.0) };
    let width = if width > 0.0 { width } else { guess };
    let font = drawn_type();
    let most = 720.0 * f64::from(font) / 14.0;
    let room = if wide { (height - 220.0).max(240.0) } else { (height * 0.52).clamp(360.0, most.max(720.0)) };
    let size = (width.max(280.0) as u32, room as u32); // room for the panels below
    let stage = use_memo(
        (network.clone(), size, font as u32, words, page.view.groups.clone()),
        |(network, (width, height), font, words, groups)| {
            network.as_ref().map(|net| {
                let said = scene_words(*words);
                let stage = scenes::surface(net, [*width as f32, *height as f32], *font as f32, groups, &said);
                let drawing = scenes::to_svg_at_levels(&stage, &said.network);
                let map = AttrValue::from(outlines(&stage));
                (Scene::new((stage, AttrValue::from(drawing.svg))), map)
            })
        },
    );
    let measured = (*stage).as_ref().map(|(scene, _)| {
        let whole = Camera::fit(scene.0.size, [size.0 as f32, size.1 as f32]).zoom * scene.0.size[1];
        (scene.0.size, [size.0 as f32, if wide { size.1 as f32 } else { whole.ceil().min(size.1 as f32) }])
    });
    {
        // Another stage is seen as a whole; the same with a group opened or folded stays as near as it was.
        let (lens, shown) = (lens.clone(), use_mut_ref(String::new));
        let variant = page.view.variant.clone();
        // Seen from the back of a room, a card tells less, in larger type.
        let coarse = if page.view.projector { 1.5 } else { 1.0 };
        use_effect_with((measured, variant, coarse as f32), move |(measured, variant, coarse)| {
            if let Some((stage, view)) = *measured {
                let anew = *shown.replace(variant.clone()) != *variant;
                lens.frame(stage, view, *coarse, anew);
            }
        });
    }
    {
        let cursor = cursor.clone();
        use_effect_with(page.view.variant.clone(), move |_| cursor.set(None));
    }
    let selected = network.as_ref().zip((*stage).as_ref()).and_then(|(net, (scene, _))| {
        let node = page.view.layer.as_deref().and_then(|l| net.graph.find(l))?;
        scene.0.card_of(node)
    });
    {
        // What is chosen elsewhere comes into view.
        let lens = lens.clone();
        let card = selected.zip((*stage).as_ref()).map(|(i, (scene, _))| (i, scene.0.cards[i].rect));
        use_effect_with(card, move |card| {
            if let Some((_, rect)) = card {
                lens.show(*rect);
            }
        });
    }
    let pointed = use_mut_ref(|| None::<Cursor>);
    *pointed.borrow_mut() = *cursor;
    let select = {
        let (page, stage, net) = (page.clone(), stage.clone(), network.clone());
        Callback::from(move |(card, unit): (Option<usize>, Option<Unit>)| {
            let Some((net, (scene, _))) = net.as_ref().zip((*stage).as_ref()) else { return };
            let layer = card.map(|card| net.graph.nodes()[scene.0.cards[card].layer].name.clone());
            go(&page, |v| {
                v.layer = layer;
                v.unit = unit;
                (v.map, v.step) = (None, None);
            });
        })
    };
    let handles = use_mut_ref(|| None::<Handles>);
    let (Some(net), Some((scene, map))) = (network, (*stage).clone()) else { return Html::default() };
    let stage = &scene.0;
    let selected_unit: Option<Cursor> = selected.and_then(|card| {
        let card = &stage.cards[card];
        page.view.unit.filter(|u| card.shape.contains(*u)).map(|u| (card.node, u))
    });
    // A unit is pointed at only where maps are shown.
    let hit = {
        let (scene, lens) = (scene.clone(), lens.clone());
        move |[x, y]: [f32; 2]| scene.0.hit(x, y).filter(|_| shows_maps(lens.now().level()))
    };
    let hover = {
        let (cursor, hit, over, scene) = (cursor.clone(), hit.clone(), over_card.clone(), scene.clone());
        Callback::from(move |at: Option<[f32; 2]>| {
            let card = at.and_then(|[x, y]| scene.0.card_at(x, y));
            if card != *over {
                over.set(card);
            }
            let hit = at.and_then(&hit);
            if hit != *cursor {
                cursor.set(hit);
            }
        })
    };
    let click = {
        let (scene, select) = (scene.clone(), select.clone());
        Callback::from(move |at: [f32; 2]| {
            let unit = hit(at).map(|(_, unit)| unit);
            select.emit((scene.0.card_at(at[0], at[1]), unit));
        })
    };
    let face = {
        let (scene, lens) = (scene.clone(), lens.clone());
        Callback::from(move |at: [f32; 2]| match scene.0.card_at(at[0], at[1]) {
            Some(card) => lens.face(scene.0.cards[card].rect),
            None => lens.fit(),
        })
    };
    // Keys: arrows walk cards, and units once inside a card.
    let key = {
        let (cursor, pointed, scene, select, frame) =
            (cursor.setter(), pointed, scene.clone(), select.clone(), frame.clone());
        let unit_chosen = selected_unit.is_some();
        Callback::from(move |(index, event): (usize, KeyboardEvent)| {
            let stage = &scene.0;
            let card = &stage.cards[index];
            let inside = pointed.borrow().filter(|(node, _)| *node == card.node);
            let direction = match event.key().as_str() {
                "ArrowLeft" => Some((-1.0, 0.0)),
                "ArrowRight" => Some((1.0, 0.0)),
                "ArrowUp" => Some((0.0, -1.0)),
                "ArrowDown" => Some((0.0, 1.0)),
                _ => None,
            };
            match (event.key().as_str(), inside, direction) {
                (_, Some(at), Some(direction)) => {
                    if let Some(next) = neighbour(stage, at, direction) {
                        cursor.set(Some(next));
                    }
                }
                (_, None, Some((dx, _))) if dx != 0.0 => {
                    let next = if dx > 0.0 { index + 1 } else { index.wrapping_sub(1) };
                    focus_card(&frame, next);
                }
                ("PageDown" | "PageUp", Some((node, unit)), _) => {
                    let maps = card.shape.c;
                    let c = if event.key() == "PageDown" { (unit.c + 1) % maps } else { (unit.c + maps - 1) % maps };
                    cursor.set(Some((node, Unit { c, ..unit })));
                }
                ("Enter" | " ", Some((_, unit)), _) => select.emit((Some(index), Some(unit))),
                ("Enter" | " ", None, _) | (_, None, Some(_)) => {
                    select.emit((Some(index), None));
                    let middle = Unit { c: 0, y: card.shape.h / 2, x: card.shape.w / 2 };
                    cursor.set(Some((card.node, middle)));
                }
                ("Escape", Some(_), _) => cursor.set(None),
                ("Escape", None, _) => select.emit((unit_chosen.then_some(index), None)),
                _ => return,
            }
            event.prevent_default();
        })
    };
    let toggle = {
        let page = page.clone();
        Callback::from(move |group: String| {
            go(&page, |v| match v.groups.iter().position(|g| *g == group) {
                Some(i) => drop(v.groups.remove(i)),
                None => v.groups.push(group),
            });
        })
    };
    let shown = (*cursor).or(selected_unit);
    let point_at = {
        let over = over_card.setter();
        Callback::from(move |card: Option<usize>| over.set(card))
    };
    let pointed_card = (*over_card).and_then(|i| stage.cards.get(i)).map(|card| {
        let r = card.rect;
        html! { <div class="pointed" style={format!("left:{}px;top:{}px;width:{}px;height:{}px", r.x, r.y, r.w, r.h)}></div> }
    });
    *handles.borrow_mut() = Some(Handles { key, toggle });
    let over = html! { <Tip scene={scene.clone()} lens={lens.clone()} {shown} hovered={cursor.is_some()} {client} net={net.clone()} /> };
    let view_height = measured.map(|(_, view)| view[1]);
    html! {
        <section class={classes!("stage-section", wide.then_some("wide"))} aria-label={format!("{}: {}", words.get("stage-label"), words.title(net.variant))}
            hidden={page.view.hides("stage")}>
            <div class="stage-top">
                <Crumbs scene={scene.clone()} {selected} unit={selected_unit.map(|(_, u)| u)} select={select.clone()} />
                <Tools lens={lens.clone()} scene={scene.clone()} net={net.clone()} />
            </div>
            <div class="stage-frame" ref={frame}>
                <Viewport lens={lens.clone()} height={view_height} {map} stage={stage.size} {hover} {click} {face} {over}>
                    <Drawing scene={scene.clone()} />
                    <Maps lens={lens.clone()} scene={scene.clone()} />
                    <Buttons scene={scene.clone()} net={net.clone()} {selected} lens={lens.clone()} {handles} />
                    <Bars scene={scene.clone()} net={net.clone()} />
                    { for pointed_card }
                    <Linked scene={scene.clone()} net={net.clone()} pointed={*cursor} />
                    <Field scene={scene.clone()} {net} {shown} />
                </Viewport>
                if !page.view.hides("strip") {
                    <Strip width={(size.0 as f32 - 36.0).max(240.0)} {font} over={*over_card} {selected} hover={point_at} {select} />
                }
            </div>
            <p class="sr">{words.get("stage-keys")}</p>
        </section>
    }
}

/// Buttons that change the view.
#[derive(Properties, PartialEq)]
struct ToolsProps {
    lens: Lens,
    scene: Scene,
    net: Same<Architecture>,
}

#[component]
fn Tools(props: &ToolsProps) -> Html {
    let (words, page) = (use_words(), use_page());
    let button = |name: &'static str, label: &'static str, act: Callback<MouseEvent>| {
        html! {
            <button type="button" class="pill" onclick={act} data-testid={name} aria-label={words.get(name)} title={words.get(name)}>{label}</button>
        }
    };
    let on = |act: fn(&Lens)| {
        let lens = props.lens.clone();
        Callback::from(move |_: MouseEvent| act(&lens))
    };
    let wide = page.view.wide;
    let widen = {
        let page = page.clone();
        Callback::from(move |_: MouseEvent| go(&page, |v| v.wide = !v.wide))
    };
    {
        let page = page.clone();
        use_window_event("keydown", move |event| {
            let escape =
                event.dyn_ref::<KeyboardEvent>().is_some_and(|e| e.key() == "Escape" && !e.default_prevented());
            if escape && page.view.wide {
                go(&page, |v| v.wide = false);
            }
        });
    }
    html! {
        <div class="stage-tools" role="toolbar" aria-label={words.get("stage-tools")}>
            { button("zoom-out", "−", on(|lens| lens.zoom(1.0 / 1.4, None))) }
            { button("zoom-in", "+", on(|lens| lens.zoom(1.4, None))) }
            { button("zoom-fit", "⤢", on(Lens::fit)) }
            <button type="button" class="pill" onclick={widen} data-testid="stage-wide" aria-pressed={wide.to_string()}>
                { words.get(if wide { "stage-narrow" } else { "stage-wide" }) }
            </button>
            <Legend scene={props.scene.clone()} />
            <Export scene={props.scene.clone()} net={props.net.clone()} />
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct LegendProps {
    scene: Scene,
}

/// What colours, sizes and lines mean: those that are on the stage.
#[component]
fn Legend(props: &LegendProps) -> Html {
    let (page, words) = (use_page(), use_words());
    let stage = &props.scene.0;
    let kinds = [
        (Kind::Convolution, "kind-convolution"),
        (Kind::Pooling, "kind-pooling"),
        (Kind::Linear, "kind-linear"),
        (Kind::Output, "kind-output"),
        (Kind::Join, "kind-join"),
    ];
    let kinds = kinds.into_iter().filter(|(kind, _)| stage.cards.iter().any(|c| c.kind == *kind));
    let kind = |(kind, key): (Kind, &'static str)| {
        html! { <li><span class="swatch" style={format!("background:{}", scene::colour(kind))}></span>{words.get(key)}</li> }
    };
    let skips = [
        (SkipKind::Identity, "skip-identity", ""),
        (SkipKind::Projection, "skip-projection", "8 4"),
        (SkipKind::Padded, "skip-padded", "2.5 4"),
    ];
    let skips = skips.into_iter().filter(|(kind, ..)| stage.edges.iter().any(|e| e.kind == Some(*kind)));
    let skip = |(_, key, dashes): (SkipKind, &'static str, &'static str)| {
        html! {
            <li><svg width="30" height="8" aria-hidden="true"><path d="M0 4h30" class="sample" stroke-dasharray={dashes} /></svg>{words.get(key)}</li>
        }
    };
    html! {
        <Menu text={words.get("legend")} testid="legend">
            <ul class="legend-list">{ for kinds.map(kind) }{ for skips.map(skip) }
                <li><span class="swatch field"></span>{words.get("legend-field")}</li>
                if page.view.colours == Colours::Signed { <li><span class="swatch values"></span>{words.get("legend-values")}</li> }</ul>
            <p class="note">{words.get("legend-slab")}</p>
            <p class="note">{words.get("legend-zoom")}</p>
        </Menu>
    }
}

/// What the cards' buttons do.
struct Handles {
    key: Callback<(usize, KeyboardEvent)>,
    toggle: Callback<String>,
}

#[derive(Properties)]
struct ButtonsProps {
    scene: Scene,
    net: Same<Architecture>,
    selected: Option<usize>,
    lens: Lens,
    /// Always the newest.
    handles: Rc<RefCell<Option<Handles>>>,
}

impl PartialEq for ButtonsProps {
    fn eq(&self, other: &Self) -> bool {
        // Hundreds of buttons are not compared anew with each unit that is pointed at.
        (&self.scene, self.selected) == (&other.scene, other.selected) && self.lens == other.lens
    }
}

/// A button a card, one to open each folded group, one to close each open one.
#[component]
fn Buttons(props: &ButtonsProps) -> Html {
    let words = use_words();
    let stage = &props.scene.0;
    let button = |(index, card): (usize, &scenes::StageCard)| {
        let r = card.rect;
        let style = format!("left:{}px;top:{}px;width:{}px;height:{}px", r.x, r.y, r.w, r.h);
        let texts = [&card.title, &card.op, &card.shape_text, &card.params_text, &card.macs_text, &card.rf_text];
        let label = texts.into_iter().filter(|t| !t.is_empty()).cloned().collect::<Vec<_>>().join(", ");
        let onkeydown = {
            let handles = props.handles.clone();
            Callback::from(move |event: KeyboardEvent| {
                let key = handles.borrow().as_ref().map(|h| h.key.clone());
                if let Some(key) = key {
                    key.emit((index, event));
                }
            })
        };
        let onfocus = {
            let lens = props.lens.clone();
            Callback::from(move |event: FocusEvent| {
                // Who comes by keyboard has to see it; a click goes to what is in view already.
                let target = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
                if target.is_some_and(|t| t.matches(":focus-visible").unwrap_or(true)) {
                    lens.show(r);
                }
            })
        };
        let pressed = (props.selected == Some(index)).to_string();
        html! {
            <button type="button" class="card-button" {style} aria-label={label} aria-pressed={pressed} {onkeydown} {onfocus} data-card={index.to_string()}
                key={index} data-testid={format!("card-{}", props.net.graph.nodes()[card.layer].name)} />
        }
    };
    let toggle = |group: &str| {
        let (handles, group) = (props.handles.clone(), group.to_string());
        Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            let toggle = handles.borrow().as_ref().map(|h| h.toggle.clone());
            if let Some(toggle) = toggle {
                toggle.emit(group.clone());
            }
        })
    };
    let unfold = |card: &scenes::StageCard| {
        let group = layout::group_name(card.folded.as_ref()?);
        let style = format!("left:{}px;top:{}px", card.rect.right(), card.rect.y);
        Some(html! {
            <button type="button" class="unfold" {style} onclick={toggle(group)} data-testid={format!("unfold-{group}")}
                aria-label={words.fill("group-unfold", &[("group", group)])} title={words.fill("group-unfold", &[("group", group)])}>{"+"}</button>
        })
    };
    // Its name has room for a finger above it; below it in a box within another.
    let inner =
        |path: &str| stage.open.iter().any(|o| path.strip_prefix(o.as_str()).is_some_and(|rest| rest.starts_with('/')));
    let fold = |group: &scenes::GroupBox| {
        let (name, label) = (layout::group_name(&group.path), group.label.as_ref()?);
        let [x, y] = label.at;
        let style = format!("left:{}px;top:{}px;font-size:{}px", x - 4.0, y - label.size * 1.02, label.size);
        Some(html! {
            <button type="button" class={classes!("fold", inner(&group.path).then_some("inner"))} {style} onclick={toggle(name)} data-testid={format!("fold-{name}")}
                aria-label={words.fill("group-fold", &[("group", name)])}>{name}{" −"}</button>
        })
    };
    html! {
        <>
            { for stage.cards.iter().enumerate().map(button) }
            { for stage.cards.iter().filter_map(unfold) }
            { for stage.boxes.iter().filter_map(fold) }
        </>
    }
}

fn focus_card(frame: &NodeRef, index: usize) {
    let found = frame
        .cast::<web_sys::Element>()
        .and_then(|f| f.query_selector(&format!("[data-card='{index}']")).ok().flatten());
    if let Some(button) = found.and_then(|b| b.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = button.focus();
    }
}

#[derive(Properties, PartialEq)]
struct DrawingProps {
    scene: Scene,
}

/// SVG text in the page; touched only when it changes.
#[component]
fn Drawing(props: &DrawingProps) -> Html {
    html! { <div class="layer" aria-hidden="true">{ Html::from_html_unchecked(props.scene.1.clone()) }</div> }
}

#[derive(Properties, PartialEq)]
struct TipProps {
    scene: Scene,
    lens: Lens,
    net: Same<Architecture>,
    shown: Option<Cursor>,
    hovered: bool,
    client: super::client::Client,
}

/// What is pointed at, and its value.
#[component]
fn Tip(props: &TipProps) -> Html {
    let (words, page) = (use_words(), use_page());
    let value = use_state(|| None::<f32>);
    let request = use_mut_ref(|| (0, false)); // the newest request; whether one is asked for with the next frame
    let ask = {
        let (client, net, shown, request) = (props.client.clone(), props.net.clone(), props.shown, request.clone());
        let open = page.origin.is_some();
        move || {
            let Some((node, unit)) = shown.filter(|_| open) else { return };
            let index = net.graph.nodes()[node].shape.index(unit);
            let number = client.number();
            request.borrow_mut().0 = number;
            client.send(&Command::Peek { request: number, source: Source::Value(node), index });
        }
    };
    {
        let (value, ask) = (value.clone(), ask.clone());
        use_effect_with((props.shown, page.origin.is_some()), move |_| {
            value.set(None);
            ask();
        });
    }
    {
        let value = value.clone();
        use_heard(move |heard| match &heard.event {
            Said::Value { request: number, value: v } if *number == request.borrow().0 => value.set(Some(*v)),
            Said::Output { output, .. } => {
                if output.is_none() {
                    value.set(None);
                } else if !std::mem::replace(&mut request.borrow_mut().1, true) {
                    let (ask, request) = (ask.clone(), request.clone());
                    next_frame(move || {
                        request.borrow_mut().1 = false;
                        ask();
                    });
                }
            }
            _ => {}
        });
    }
    let Some((node, unit)) = props.shown else { return Html::default() };
    let stage = &props.scene.0;
    let Some(card) = stage.card_of(node).map(|i| &stage.cards[i]) else { return Html::default() };
    let name = unit_name(words, card, unit);
    let text = match *value {
        Some(v) => format!("{name} = {}", number(v)),
        None => name,
    };
    let now = props.lens.now();
    let tip = stage.unit_rect(node, unit).filter(|_| props.hovered).map(|at| {
        // To the right of the unit, or to its left where the view ends.
        let at = now.camera.place(at);
        let y = (at.bottom() + 8.0).clamp(0.0, (now.view[1] - 28.0).max(0.0));
        let side = if at.x > now.view[0] - 260.0 {
            format!("right:{}px", now.view[0] - at.x)
        } else {
            format!("left:{}px", at.right() + 8.0)
        };
        html! { <p class="tip" role="status" data-testid="tooltip" style={format!("{side};top:{y}px")}>{text}</p> }
    });
    html! { <>{ tip }</> }
}

#[derive(Properties, PartialEq)]
struct FieldProps {
    scene: Scene,
    net: Same<Architecture>,
    shown: Option<Cursor>,
}

/// The receptive field of what is pointed at, over the diagram.
#[component]
fn Field(props: &FieldProps) -> Html {
    let (stage, graph) = (&props.scene.0, &props.net.graph);
    let Some((node, unit)) = props.shown else { return Html::default() };
    // Of a pixel of the input one wants to know what it reaches; of all else, what it sees.
    let find = if node == graph.source() { scene::field::reached } else { scene::field::field };
    let overlay = find(stage, graph, node, unit);
    let svg = overlay.map(|overlay| scene::field::to_svg(&overlay, stage, "").svg).unwrap_or_default();
    html! {
        <div class="over layer" data-testid="field" aria-hidden="true">{ Html::from_html_unchecked(svg.into()) }</div>
    }
}

#[derive(Properties, PartialEq)]
struct BarsProps {
    scene: Scene,
    net: Same<Architecture>,
}

/// Bars beside the units of the output.
#[component]
fn Bars(props: &BarsProps) -> Html {
    let bars = use_state(Vec::<f32>::new);
    {
        let bars = bars.clone();
        use_heard(move |heard| {
            if let Said::Output { output, probabilities, .. } = &heard.event {
                bars.set(if output.is_some() { probabilities.clone() } else { Vec::new() });
            }
        });
    }
    let stage = &props.scene.0;
    let Some(card) = stage.card_of(props.net.output).map(|i| &stage.cards[i]) else { return Html::default() };
    let bar = |(frame, share): (&scene::Frame, &f32)| {
        let width = (frame.w * share.clamp(0.0, 1.0)).max(1.0);
        html! { <rect x={frame.x.to_string()} y={frame.y.to_string()} width={width.to_string()} height={frame.h.to_string()}
        rx="2" fill="var(--output)" /> }
    };
    html! {
        <svg class="over" aria-hidden="true" width={stage.size[0].to_string()} height={stage.size[1].to_string()}>
            { for card.bars.iter().zip(bars.iter()).map(bar) }
        </svg>
    }
}

#[derive(Properties, PartialEq)]
struct CrumbsProps {
    scene: Scene,
    selected: Option<usize>,
    unit: Option<Unit>,
    select: Callback<(Option<usize>, Option<Unit>)>,
}

/// Where one is, and the way back.
#[component]
fn Crumbs(props: &CrumbsProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let title = network.map_or(AttrValue::default(), |n| words.title(n.variant));
    let card = props.selected.map(|i| &props.scene.0.cards[i]);
    let map = card.and_then(|card| page.view.map().filter(|map| card.shape.map() > 1 && *map < card.shape.c));
    let map_text = |map: usize| words.fill("maps-tile", &[("map", &map.to_string())]);
    let to_map = |map: usize| {
        let page = page.clone();
        Callback::from(move |_: MouseEvent| go(&page, |v| (v.unit, v.map, v.step) = (None, Some(map), None)))
    };
    let back = |to: (Option<usize>, Option<Unit>)| props.select.reform(move |_: MouseEvent| to);
    let here = |text: String| html! { <li><span aria-current="location">{text}</span></li> };
    html! {
        <nav class="crumbs-nav" aria-label={format!("{}: {title}", words.get("crumbs-label"))}>
            <ol class="crumbs" data-testid="breadcrumbs">
                if let Some(card) = card {
                    <li><button type="button" onclick={back((None, None))}>{title.clone()}</button></li>
                    if let Some(unit) = props.unit {
                        <li><button type="button" onclick={back((props.selected, None))}>{card.title.clone()}</button></li>
                        if let Some(map) = map { <li><button type="button" onclick={to_map(map)}>{map_text(map)}</button></li> }
                        { here(unit_name(words, card, unit)) }
                    } else if let Some(map) = map {
                        <li><button type="button" onclick={back((props.selected, None))}>{card.title.clone()}</button></li>
                        { here(map_text(map).to_string()) }
                    } else {
                        { here(card.title.clone()) }
                    }
                } else {
                    { here(title.to_string()) }
                }
            </ol>
        </nav>
    }
}
