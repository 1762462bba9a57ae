//! The diagram: the scene's SVG, the engine's canvas over it, and over both what is pointed at: value, receptive field, selection.
//! Pointer and keyboard walk cards, maps and units. Knows scenes; computes no layout and no field.

use super::beside::Linked;
use super::hooks::{
    Same, Words, go, next_frame, use_client, use_heard, use_network, use_page, use_size, use_words, window,
};
use super::i18n::value as number;
use super::painted::{Painted, STAGE};
use crate::arch::Architecture;
use crate::graph::{NodeId, layout};
use crate::protocol::{Command, Event as Said, PaintRect, Source};
use crate::scene::{self, stage as scenes};
use crate::tensor::Unit;
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

/// The diagram for this room. A network whose cards do not fit side by side scrolls sideways, if it needs no more than a laptop's width;
/// a longer one runs in bands. Cards that do not need the height leave it to the panels.
fn laid_out(net: &Architecture, width: f32, height: f32, toggled: &[String], words: &scene::Words) -> scenes::Stage {
    let wider = [900.0, 1000.0, 1100.0, 1200.0, 1400.0].into_iter().filter(|w| *w > width);
    for width in [width].into_iter().chain(wider) {
        let stage = scenes::stage(net, width, height, toggled, words);
        let one_band = stage.edges.iter().all(|e| stage.cards[e.from].rect.x < stage.cards[e.to].rect.x);
        if one_band {
            let frames = stage.cards.iter().map(|c| (c.rect.y, c.rect.bottom()));
            let corners = stage.edges.iter().flat_map(|e| e.points.iter().map(|p| (p[1], p[1])));
            let (top, bottom) = frames.chain(corners).fold((f32::MAX, 0f32), |(a, b), (c, d)| (a.min(c), b.max(d)));
            let needed = (bottom - top + 32.0).ceil();
            return if needed < height { scenes::stage(net, width, needed, toggled, words) } else { stage };
        }
    }
    scenes::stage(net, width, height, toggled, words)
}

/// The diagram with its breadcrumbs.
#[component]
pub fn Stage() -> Html {
    let (client, page, words, network) = (use_client(), use_page(), use_words(), use_network());
    let frame = use_node_ref();
    let (width, _) = use_size(&frame);
    let cursor = use_state(|| None::<Cursor>);
    let height = window().inner_height().ok().and_then(|h| h.as_f64()).unwrap_or(900.0);
    // Before it is measured: the window less the side column, so that the first layout is nearly always the last.
    let window_width = window().inner_width().ok().and_then(|w| w.as_f64()).unwrap_or(1280.0);
    let width = if width > 0.0 { width } else { (window_width - 292.0).max(360.0) };
    let size = ((width - 8.0).max(320.0) as u32, (height * 0.52).clamp(380.0, 720.0) as u32); // room for the panels below
    let stage = use_memo(
        (network.clone(), size, words, page.view.groups.clone()),
        |(network, (width, height), words, groups)| {
            network.as_ref().map(|net| {
                let said = scene_words(*words);
                let stage = laid_out(net, *width as f32, *height as f32, groups, &said);
                let drawing = scenes::to_svg(&stage, &said.network);
                Same::new((stage, AttrValue::from(drawing.svg)))
            })
        },
    );
    {
        let cursor = cursor.clone();
        use_effect_with(page.view.variant.clone(), move |_| cursor.set(None));
    }
    let (Some(net), Some(scene)) = (network, (*stage).clone()) else { return Html::default() };
    let stage = &scene.0;
    let rects: Vec<PaintRect> = stage
        .cards
        .iter()
        .flat_map(|card| {
            card.maps.iter().map(|map| PaintRect {
                source: Source::Value(card.node),
                offset: map.offset,
                rows: map.rows,
                cols: map.cols,
                at: [map.rect.x, map.rect.y, map.rect.w, map.rect.h],
            })
        })
        .collect();
    let selected = page.view.layer.as_deref().and_then(|l| net.graph.find(l)).and_then(|node| stage.card_of(node));
    let selected_unit: Option<Cursor> = selected.and_then(|card| {
        let card = &stage.cards[card];
        page.view.unit.filter(|u| card.shape.contains(*u)).map(|u| (card.node, u))
    });

    let place = {
        let frame = frame.clone();
        move |event: &MouseEvent| -> Option<(f32, f32)> {
            let inner = frame.cast::<web_sys::Element>()?.query_selector(".stage").ok()??;
            let at = inner.get_bounding_client_rect();
            Some(((f64::from(event.client_x()) - at.left()) as f32, (f64::from(event.client_y()) - at.top()) as f32))
        }
    };
    let onpointermove = {
        let (cursor, scene, place) = (cursor.clone(), scene.clone(), place.clone());
        Callback::from(move |event: PointerEvent| {
            let hit = place(&event).and_then(|(x, y)| scene.0.hit(x, y));
            if hit != *cursor {
                cursor.set(hit);
            }
        })
    };
    let onpointerleave = {
        let cursor = cursor.clone();
        Callback::from(move |_: PointerEvent| cursor.set(None))
    };
    let select = {
        let (page, scene, net) = (page.clone(), scene.clone(), net.clone());
        Callback::from(move |(card, unit): (Option<usize>, Option<Unit>)| {
            let layer = card.map(|card| net.graph.nodes()[scene.0.cards[card].layer].name.clone());
            go(&page, |v| {
                v.layer = layer;
                v.unit = unit;
                (v.map, v.step) = (None, None);
            });
        })
    };
    let onclick = {
        let (scene, place, select) = (scene.clone(), place, select.clone());
        Callback::from(move |event: MouseEvent| {
            let Some((x, y)) = place(&event) else { return };
            let unit = scene.0.hit(x, y).map(|(_, unit)| unit);
            select.emit((scene.0.card_at(x, y), unit));
        })
    };
    // Keys: arrows walk cards, and units once inside a card.
    let key = {
        let (cursor, scene, select, frame) = (cursor.clone(), scene.clone(), select.clone(), frame.clone());
        let unit_chosen = selected_unit.is_some();
        Callback::from(move |(index, event): (usize, KeyboardEvent)| {
            let stage = &scene.0;
            let card = &stage.cards[index];
            let inside = cursor.filter(|(node, _)| *node == card.node);
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
    let button = |(index, card): (usize, &scenes::StageCard)| {
        let r = card.rect;
        let style = format!("left:{}px;top:{}px;width:{}px;height:{}px", r.x, r.y, r.w, r.h);
        let texts = [&card.title, &card.op, &card.shape_text, &card.params_text, &card.macs_text, &card.rf_text];
        let label = texts.into_iter().filter(|t| !t.is_empty()).cloned().collect::<Vec<_>>().join(", ");
        let onkeydown = {
            let key = key.clone();
            Callback::from(move |event: KeyboardEvent| key.emit((index, event)))
        };
        let pressed = (selected == Some(index)).to_string();
        html! {
            <button type="button" class="card-button" {style} aria-label={label} aria-pressed={pressed} {onkeydown} data-card={index.to_string()}
                key={index} data-testid={format!("card-{}", net.graph.nodes()[card.layer].name)} />
        }
    };
    let toggle = |group: &str| {
        let (page, group) = (page.clone(), group.to_string());
        Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            go(&page, |v| match v.groups.iter().position(|g| *g == group) {
                Some(i) => drop(v.groups.remove(i)),
                None => v.groups.push(group.clone()),
            });
        })
    };
    let fold = |group: &str| {
        html! {
            <li><button type="button" class="pill" onclick={toggle(group)} data-testid={format!("fold-{group}")}
                aria-label={words.fill("group-fold", &[("group", group)])}>{group}{" −"}</button></li>
        }
    };
    let unfold = |card: &scenes::StageCard| {
        let group = layout::group_name(card.folded.as_ref()?);
        let style = format!("left:{}px;top:{}px", card.rect.right() - 30.0, card.rect.y + 6.0);
        Some(html! {
            <button type="button" class="unfold" {style} onclick={toggle(group)} data-testid={format!("unfold-{group}")}
                aria-label={words.fill("group-unfold", &[("group", group)])} title={words.fill("group-unfold", &[("group", group)])}>{"+"}</button>
        })
    };
    let size = (f64::from(stage.size[0]), f64::from(stage.size[1]));
    let shown = (*cursor).or(selected_unit);
    html! {
        <section class="stage-section" aria-label={format!("{}: {}", words.get("stage-label"), net.variant.title)} hidden={page.view.hides("stage")}>
            <Crumbs scene={scene.clone()} {selected} unit={selected_unit.map(|(_, u)| u)} {select} />
            if !stage.open.is_empty() {
                <ul class="groups" aria-label={words.get("groups-label")}>{ for stage.open.iter().map(|g| fold(layout::group_name(g))) }</ul>
            }
            <div class="stage-scroll" ref={frame}>
                <div class="stage" data-testid="stage" style={format!("width:{}px;height:{}px", size.0, size.1)}
                    {onpointermove} {onpointerleave} {onclick}>
                    <Drawing svg={scene.1.clone()} />
                    <Painted id={STAGE} {rects} {size} scale={page.view.scale} testid="maps" />
                    { for stage.cards.iter().enumerate().map(button) }
                    { for stage.cards.iter().filter_map(unfold) }
                    <Bars scene={scene.clone()} net={net.clone()} />
                    <Linked scene={scene.clone()} net={net.clone()} pointed={*cursor} />
                    <Over scene={scene.clone()} net={net} {shown} hovered={cursor.is_some()} client={client} />
                </div>
            </div>
            <p class="sr">{words.get("stage-keys")}</p>
        </section>
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
    svg: AttrValue,
}

/// SVG text in the page; touched only when it changes.
#[component]
fn Drawing(props: &DrawingProps) -> Html {
    html! { <div class="layer" aria-hidden="true">{ Html::from_html_unchecked(props.svg.clone()) }</div> }
}

/// A laid-out stage and its drawing.
pub type Scene = Same<(scenes::Stage, AttrValue)>;

#[derive(Properties, PartialEq)]
struct OverProps {
    scene: Scene,
    net: Same<Architecture>,
    shown: Option<Cursor>,
    hovered: bool,
    client: super::client::Client,
}

/// What is pointed at: its receptive field through the layers, and its value.
#[component]
fn Over(props: &OverProps) -> Html {
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
    let tip = stage.unit_rect(node, unit).map(|at| {
        // To the right of the unit, or to its left where the stage ends.
        let y = (at.bottom() + 8.0).min(stage.size[1] - 28.0);
        let side = if at.x > stage.size[0] - 260.0 {
            format!("right:{}px", stage.size[0] - at.x)
        } else {
            format!("left:{}px", at.right() + 8.0)
        };
        html! { <p class="tip" role="status" data-testid="tooltip" style={format!("{side};top:{y}px")}>{text}</p> }
    });
    html! {
        <>
            <div class="over layer" data-testid="field"><Field scene={props.scene.clone()} net={props.net.clone()} {node} {unit} /></div>
            { tip.filter(|_| props.hovered) }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct FieldProps {
    scene: Scene,
    net: Same<Architecture>,
    node: NodeId,
    unit: Unit,
}

/// The receptive field of a unit over the diagram.
#[component]
fn Field(props: &FieldProps) -> Html {
    let (stage, graph) = (&props.scene.0, &props.net.graph);
    // Of a pixel of the input one wants to know what it reaches; of all else, what it sees.
    let find = if props.node == graph.source() { scene::field::reached } else { scene::field::field };
    let overlay = find(stage, graph, props.node, props.unit);
    let svg = overlay.map(|overlay| scene::field::to_svg(&overlay, stage, "").svg);
    html! { <Drawing svg={svg.unwrap_or_default()} /> }
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
    let title = network.map_or("", |n| n.variant.title);
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
                    <li><button type="button" onclick={back((None, None))}>{title}</button></li>
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
