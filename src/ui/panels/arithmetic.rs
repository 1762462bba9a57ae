//! The arithmetic of the selected unit, as a picture that is played, stepped and scrubbed, beside the maps on which its window slides.
//! Knows scenes and explanations, no op and no network by name.

use super::backward::{Backward, Told};
use super::{Described, Selection};
use crate::arch::Architecture;
use crate::graph::NodeId;
use crate::graph::skips::roles;
use crate::ops::explain::{Explanation, Rule, Term};
use crate::ops::{Flatten, Layer, Op, Reach};
use crate::protocol::{Command, Event as Said, PaintRect, Source as Values};
use crate::scene::arithmetic::{arithmetic, caption};
use crate::scene::beats::{Beat, What, beats, term_at};
use crate::scene::equations::{Source, equations};
use crate::scene::walk::Walk;
use crate::tensor::Unit;
use crate::ui::drawn::Drawn;
use crate::ui::hooks::{
    Same, go, later, use_after, use_client, use_dark, use_heard, use_network, use_page, use_size, use_words,
};
use crate::ui::painted::{Painted, WALK};
use crate::ui::stage::scene_words;
use std::ops::Range;
use std::rc::Rc;
use yew::prelude::*;

/// What is asked about.
#[derive(Properties, PartialEq)]
pub struct ArithmeticProps {
    /// Cards and facts of the open network.
    pub described: Rc<Described>,
    /// What is selected.
    pub selection: Selection,
    /// Whether it is in view: only then values are asked for.
    pub seen: bool,
}

/// What is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Course {
    /// The beats of one unit.
    #[default]
    Beats,
    /// Unit after unit of the map.
    Units,
}

/// Steps a second that can be chosen.
const SPEEDS: [u32; 5] = [1, 2, 5, 10, 30];

/// What was asked last, and whether another question waits.
#[derive(Default)]
struct Asked {
    request: u32,
    unit: Option<(NodeId, Unit)>,
    waiting: bool,
}

/// The term whose input map is shown, by explanation and place, and the cells of it in the present beat.
fn shown_term(
    told: &Told,
    beats: &[Beat],
    done: Option<usize>,
    usual: Option<usize>,
) -> Option<(usize, usize, Option<Range<usize>>)> {
    let window = |e: &Explanation| !e.terms.is_empty() && !matches!(e.rule, Rule::Activation(_) | Rule::Normalise);
    let beat = done.and_then(|done| beats.get(done.checked_sub(1)?));
    if let Some(Beat { of, what: What::Cells(range) }) = beat {
        let e = told.explanations.get(*of)?;
        let (term, first) = term_at(e, range.start)?;
        let last = (first + range.len()).min(e.terms[term].values.len());
        return Some((*of, term, Some(first..last)));
    }
    let of = beat.map_or(0, |b| b.of);
    let of = if told.explanations.get(of).is_some_and(window) { of } else { 0 };
    let terms = &told.explanations.get(of)?.terms;
    let strongest =
        (0..terms.len()).max_by(|&a, &b| terms[a].result.abs().total_cmp(&terms[b].result.abs()).then(b.cmp(&a)));
    let usual = usual.and_then(|map| terms.iter().position(|t| t.map == map));
    Some((of, usual.or(strongest)?, None))
}

/// A unit, for browser tests.
fn of_unit(node: NodeId, unit: Unit) -> String {
    format!("{node}:{},{},{}", unit.c, unit.y, unit.x)
}

/// What a node reads, and what each input is to it.
fn sources(described: &Described, net: &Architecture, node: NodeId) -> Vec<Source> {
    let nodes = net.graph.nodes();
    let inputs = nodes[node].inputs.iter().zip(roles(&net.graph, node));
    let source = |(&input, role): (&NodeId, _)| Source {
        name: described.names.get(input).cloned().unwrap_or_default(),
        role,
        maps: nodes[input].shape.c,
    };
    inputs.map(source).collect()
}

/// How the selected unit's value came about; asked anew whenever the values change, ten times a second at most.
#[component]
pub fn Arithmetic(props: &ArithmeticProps) -> Html {
    let (client, page, words, network) = (use_client(), use_page(), use_words(), use_network());
    let dark = use_dark();
    let (frame, drawn_at, maps_at) = (use_node_ref(), use_node_ref(), use_node_ref());
    let (width, _) = use_size(&frame);
    // Drawings are enlarged where all type is (on a projector, on 4K): their own px are what they have room for.
    let (inner, _) = use_size(&drawn_at);
    let (width, inner) = (width as f32, (inner as f32).max(260.0));
    let large = if width > 0.0 { (width / inner).clamp(1.0, 3.0) } else { 1.0 };
    let told = use_state(|| None::<Same<Told>>);
    let beats = use_memo((*told).clone(), |told| told.as_ref().map(|t| beats(&t.explanations)).unwrap_or_default());
    let drawn = use_state(|| false);
    let asked = use_mut_ref(Asked::default);
    let at = use_state(|| page.view.step);
    let playing = use_state(|| false);
    let course = use_state(Course::default);
    let speed = use_state(|| 5u32);
    // While unit after unit is played the address waits; and one input map is kept in view.
    let wandering = use_state(|| None::<Unit>);
    let usual = use_state(|| None::<usize>);

    let selected = props.selection.card.zip(props.selection.unit).and_then(|(card, unit)| {
        let node = props.described.cards.get(card)?.node;
        let net = network.as_ref()?;
        net.graph.nodes()[node].shape.contains(unit).then_some((node, unit))
    });
    let target = selected.map(|(node, unit)| (node, (*wandering).unwrap_or(unit)));
    let ready = page.origin.is_some() && *drawn && props.seen;
    let ask = {
        let (asked, client) = (asked.clone(), client.clone());
        move || {
            if let Some((node, unit)) = target.filter(|_| ready) {
                let request = client.number();
                *asked.borrow_mut() = Asked { request, unit: target, ..Asked::default() };
                client.send(&Command::Explain { request, node, unit });
            }
        }
    };
    {
        let (told, ask) = (told.clone(), ask.clone());
        let there = *drawn;
        use_effect_with((target, ready, page.origin.is_some()), move |(target, _, open)| {
            if target.is_none() || !there || !open {
                told.set(None);
            }
            ask();
        });
    }
    {
        // Another unit: its arithmetic is told from the start; where one came by the address, as far as that says.
        let (at, playing, wandering, usual) = (at.clone(), playing.clone(), wandering.clone(), usual.clone());
        let before = use_mut_ref(|| None);
        let step = page.view.step;
        use_effect_with(selected, move |selected| {
            let before = before.replace(*selected);
            wandering.set(None);
            if before.is_some() && before.map(|(node, _)| node) != selected.map(|(node, _)| node) {
                at.set(step);
                playing.set(false);
                usual.set(None);
            }
        });
    }
    {
        // A step that comes by the address alone, as going back does.
        let at = at.clone();
        use_effect_with(page.view.step, move |step| at.set(*step));
    }
    {
        let (told, drawn) = (told.clone(), drawn.clone());
        let (described, network) = (props.described.clone(), network.clone());
        use_heard(move |heard| match &heard.event {
            Said::Explained { request, nodes, explanations, value } if *request == asked.borrow().request => {
                let Some((node, unit)) = asked.borrow().unit else { return };
                let (nodes, explanations) = (nodes.clone(), explanations.clone());
                let sources = network.as_ref().zip(nodes.first()).map(|(net, &first)| sources(&described, net, first));
                let sources = sources.unwrap_or_default();
                told.set(Some(Same::new(Told { node, unit, nodes, explanations, sources, value: *value })));
            }
            Said::Output { output, .. } => {
                if *drawn != output.is_some() {
                    drawn.set(output.is_some());
                }
                if output.is_some() && *drawn && !std::mem::replace(&mut asked.borrow_mut().waiting, true) {
                    let (ask, asked) = (ask.clone(), asked.clone());
                    later(100, move || {
                        asked.borrow_mut().waiting = false;
                        ask();
                    });
                }
            }
            _ => {}
        });
    }

    // Where it is not seen nothing is drawn. Another layer's sum under this one's heading would be false; that of the same map's
    // last unit stands for the moment that the next takes, no longer (`.stale`).
    let told = (*told).clone().filter(|told| props.seen && target.is_some_and(|(node, _)| node == told.node));
    let stale = told.as_ref().is_some_and(|told| target != Some((told.node, told.unit)));
    let all = beats.len();
    let done = at.map(|at| at.min(all));
    // Unit after unit is seen finished.
    let done = if *course == Course::Units { None } else { done };
    let term = told.as_ref().and_then(|told| shown_term(told, &beats, done, *usual));
    let walk = told.as_ref().zip(network.as_ref()).zip(term.clone()).and_then(|((told, net), (of, term, now))| {
        let (nodes, id) = (net.graph.nodes(), *told.nodes.get(of)?);
        let term: &Term = told.explanations[of].terms.get(term)?;
        let input = nodes[id].inputs.get(term.input).copied().unwrap_or(id);
        let room = if width >= 760.0 * large { (width * 0.42).min(480.0 * large) } else { width };
        let shapes = [input, told.node].map(|id| nodes[id].shape);
        let padding = match nodes[id].op.reach(nodes[input].shape) {
            Reach::Window(window) => window.padding,
            _ => [0; 2],
        };
        let walk = Walk::new(shapes, [term.map, told.unit.c], padding, room, 224.0 * large);
        let title = {
            let name = |node: NodeId| props.described.names.get(node).map_or("", String::as_str);
            let place = |node: NodeId, map: usize| match nodes[node].shape.map() {
                1 => name(node).to_string(),
                _ => words.fill("unit-map", &[("layer", name(node)), ("map", &map.to_string())]).to_string(),
            };
            // A flattening stands on the card of the layer that reads it: the maps are those before it.
            let from = if nodes[input].op == Op::Flatten(Flatten) { nodes[input].inputs[0] } else { input };
            let before = if from == input { place(input, term.map) } else { name(from).to_string() };
            format!("{before} → {}", place(told.node, told.unit.c))
        };
        let over = walk.over(term, now, told.unit, *course == Course::Units, &title);
        let rects = |node: NodeId, plate: &crate::scene::gallery::Plate| -> Vec<PaintRect> {
            let rect = |(offset, rows, cols, f): (usize, usize, usize, crate::scene::Frame)| PaintRect {
                source: Values::Value(node),
                offset,
                rows,
                cols,
                at: [f.x, f.y, f.w, f.h],
            };
            plate.pieces().into_iter().map(rect).collect()
        };
        let rects = [rects(input, &walk.input), rects(told.node, &walk.output)].concat();
        Some((walk, AttrValue::from(over.svg), rects, title))
    });

    // The player.
    let to_unit = {
        let page = page.clone();
        Callback::from(move |unit: Unit| {
            go(&page, |v| {
                v.unit = Some(unit);
                v.map = None;
            })
        })
    };
    let stop = {
        let (playing, wandering, to_unit) = (playing.clone(), wandering.clone(), to_unit.clone());
        Callback::from(move |()| {
            playing.set(false);
            if let Some(unit) = *wandering {
                to_unit.emit(unit);
            }
        })
    };
    let keep = {
        // The map that is in view when units begin to run stays in view.
        let (usual, map) = (
            usual.clone(),
            term.as_ref().zip(told.as_ref()).map(|((of, term, _), t)| t.explanations[*of].terms[*term].map),
        );
        move || {
            if usual.is_none() {
                usual.set(map);
            }
        }
    };
    let next_unit = |by: isize| {
        let unit = target.map(|(_, unit)| unit);
        walk.as_ref().zip(unit).and_then(|((walk, ..), unit)| walk.output.next(unit, by))
    };
    {
        let answered = told.as_ref().is_some_and(|t| Some((t.node, t.unit)) == target);
        let (at, wandering, stop, next) = (at.clone(), wandering.clone(), stop.clone(), next_unit(1));
        let delay = (*playing && answered).then(|| 1000 / (*speed).max(1) as i32);
        let units = *course == Course::Units;
        use_after(delay, (*at, target, *speed, *course), move || match (units, next) {
            (true, Some(next)) => wandering.set(Some(next)),
            (false, _) if at.is_some_and(|at| at < all) => at.set(at.map(|at| at + 1)),
            _ => stop.emit(()),
        });
    }
    {
        // A step that stands still goes into the address.
        let page = page.clone();
        let step = (*at).filter(|_| *course == Course::Beats);
        let delay = (!*playing && told.is_some() && page.view.step != step).then_some(400);
        use_after(delay, (step, page.view.step), move || go(&page, |v| v.step = step));
    }
    let play = {
        let (at, playing, stop, keep, course) = (at.clone(), playing.clone(), stop.clone(), keep.clone(), *course);
        Callback::from(move |()| {
            if *playing {
                return stop.emit(());
            }
            match course {
                Course::Beats if at.is_none_or(|at| at >= all) => at.set(Some(0)),
                Course::Beats => {}
                Course::Units => keep(),
            }
            playing.set(true);
        })
    };
    let step = {
        let (at, stop, to_unit, course, units) =
            (at.clone(), stop.clone(), to_unit.clone(), *course, [next_unit(-1), next_unit(1)]);
        Callback::from(move |by: isize| {
            stop.emit(());
            match course {
                Course::Beats => {
                    let from = at.unwrap_or(all).min(all);
                    at.set(Some(from.saturating_add_signed(by).min(all)));
                }
                Course::Units => {
                    keep();
                    if let Some(unit) = units[usize::from(by > 0)] {
                        to_unit.emit(unit);
                    }
                }
            }
        })
    };
    let onkeydown = {
        let (play, step) = (play.clone(), step.clone());
        Callback::from(move |event: KeyboardEvent| {
            match event.key().as_str() {
                " " => play.emit(()),
                "ArrowRight" => step.emit(1),
                "ArrowLeft" => step.emit(-1),
                _ => return,
            }
            event.prevent_default();
        })
    };
    let walk_keys = {
        let (play, to_unit, stop) = (play.clone(), to_unit.clone(), stop.clone());
        let beside = target
            .zip(walk.as_ref())
            .map(|((_, unit), (walk, ..))| [[-1, 0], [1, 0], [0, -1], [0, 1]].map(|d| walk.output.beside(unit, d)));
        Callback::from(move |event: KeyboardEvent| {
            let way = match event.key().as_str() {
                " " => {
                    event.prevent_default();
                    return play.emit(());
                }
                "ArrowUp" => 0,
                "ArrowDown" => 1,
                "ArrowLeft" => 2,
                "ArrowRight" => 3,
                _ => return,
            };
            event.prevent_default();
            stop.emit(());
            if let Some(unit) = beside.and_then(|beside| beside[way]) {
                to_unit.emit(unit);
            }
        })
    };
    let walk_click = {
        let (to_unit, stop, plate) = (to_unit, stop.clone(), walk.as_ref().map(|(walk, ..)| walk.output));
        let maps_at = maps_at.clone();
        Callback::from(move |event: MouseEvent| {
            let Some(maps) = maps_at.cast::<web_sys::Element>() else { return };
            let from = maps.get_bounding_client_rect();
            let (x, y) = (f64::from(event.client_x()) - from.left(), f64::from(event.client_y()) - from.top());
            if let Some(unit) = plate.and_then(|plate| plate.unit(x as f32, y as f32)) {
                stop.emit(());
                to_unit.emit(unit);
            }
        })
    };
    let scrub = {
        let (at, stop) = (at.clone(), stop.clone());
        Callback::from(move |event: InputEvent| {
            let value = event.target_dyn_into::<web_sys::HtmlInputElement>().map(|s| s.value());
            stop.emit(());
            at.set(value.and_then(|v| v.parse().ok()));
        })
    };
    let choose_course = {
        let (course, stop) = (course.clone(), stop.clone());
        Callback::from(move |event: Event| {
            let value = event.target_dyn_into::<web_sys::HtmlSelectElement>().map(|s| s.value());
            stop.emit(());
            course.set(if value.as_deref() == Some("units") { Course::Units } else { Course::Beats });
        })
    };
    let choose_speed = {
        let speed = speed.clone();
        Callback::from(move |event: Event| {
            let value = event.target_dyn_into::<web_sys::HtmlSelectElement>().and_then(|s| s.value().parse().ok());
            speed.set(value.unwrap_or(5));
        })
    };
    let finish = {
        let (at, stop) = (at, stop);
        Callback::from(move |_: MouseEvent| {
            stop.emit(());
            at.set(None);
        })
    };
    let said = scene_words(words);
    let now = done.unwrap_or(all);
    let drawing = {
        let palette = page.view.colours.palette(dark);
        let deps = (told.clone(), done, inner as u32, palette, words, page.view.scale);
        use_memo(deps, |(told, done, width, palette, words, scale)| {
            let draw = |told: &Same<Told>| {
                arithmetic(&told.story(*scale), *done, *width as f32, *palette, &scene_words(*words)).svg
            };
            AttrValue::from(told.as_ref().map(draw).unwrap_or_default())
        })
    };
    let (now_html, body) = match &told {
        Some(told) => {
            let story = told.story(page.view.scale);
            let [what, number] = caption(&story, &beats, now, &said);
            let units = *course == Course::Units;
            let player = html! {
                <>
                <div class="player row" role="group" aria-label={words.get("unit-player")}>
                    <button type="button" onclick={step.reform(|_| -1)} aria-label={words.get(if units { "unit-previous" } else { "unit-back" })}
                        data-testid="unit-back">{"‹"}</button>
                    <button type="button" class="primary" onclick={play.reform(|_| ())} data-testid="unit-play" aria-pressed={playing.to_string()}>
                        {words.get(if *playing { "unit-pause" } else { "unit-play" })}</button>
                    <button type="button" onclick={step.reform(|_| 1)} aria-label={words.get(if units { "unit-next" } else { "unit-forward" })}
                        data-testid="unit-forward">{"›"}</button>
                    if !units {
                        <input type="range" min="0" max={all.to_string()} value={now.to_string()} oninput={scrub} aria-label={words.get("unit-slider")}
                            aria-valuetext={format!("{what} {number}")} data-testid="unit-slider" />
                        <span class="count" data-testid="unit-count">{format!("{now} / {all}")}</span>
                        <button type="button" onclick={finish} disabled={done.is_none()} data-testid="unit-all">{words.get("unit-all")}</button>
                    }
                </div>
                <div class="player row">
                    <select onchange={choose_course} aria-label={words.get("unit-course")} data-testid="unit-course">
                        <option value="beats" selected={!units}>{words.get("unit-course-beats")}</option>
                        <option value="units" selected={units}>{words.get("unit-course-units")}</option>
                    </select>
                    <select onchange={choose_speed} aria-label={words.get("unit-speed")} data-testid="unit-speed">
                        { for SPEEDS.map(|s| html! {
                            <option value={s.to_string()} selected={s == *speed}>{words.fill("unit-per-second", &[("n", &s.to_string())])}</option>
                        }) }
                    </select>
                </div>
                <p class="caption" data-testid="unit-caption">
                    if done.is_some() { <span>{what.clone()}</span> if !what.ends_with(&number) { <b>{number.clone()}</b> } } else { <b>{equations(&story, &said).last().cloned()}</b> }
                </p>
                </>
            };
            let drawing = html! {
                <div class="scroll drawing" tabindex="0" role="region" aria-label={words.get("arithmetic-label")} {onkeydown}
                    data-value={told.value.to_string()} data-running={number} data-step={now.to_string()}
                    data-of={of_unit(told.node, told.unit)}>
                    <Drawn svg={(*drawing).clone()} />
                </div>
            };
            let drawing = html! { <>{drawing}<Backward told={told.clone()} width={inner} /></> };
            (player, drawing)
        }
        _ => {
            let why = match selected {
                Some(_) if !*drawn => "arithmetic-empty",
                Some(_) => "output-waiting",
                None => "arithmetic-none",
            };
            (Html::default(), html! { <p class="note">{words.get(why)}</p> })
        }
    };
    // The canvas stays in the page, shown or not.
    let (size, over, rects, title) = match walk {
        Some((walk, over, rects, title)) => (walk.size.map(f64::from), over, rects, title),
        None => ([1.0, 1.0], AttrValue::default(), Vec::new(), String::new()),
    };
    let there = !rects.is_empty();
    html! {
        <section class={classes!("unit", stale.then_some("stale"))} aria-labelledby="arithmetic-title" data-testid="arithmetic" ref={frame}
            data-of={target.map(|(node, unit)| of_unit(node, unit))}>
            <h3 id="arithmetic-title">{words.get("arithmetic-title")}</h3>
            <div class="drawing" ref={drawn_at}></div>
            if stale { <p class="note computing" role="status">{words.get("output-waiting")}</p> }
            <div class="unit-top">
                <figure class="walk" hidden={!there}>
                    <div class="walk-maps" ref={maps_at} tabindex="0" role="group" aria-label={words.get("unit-walk")} onkeydown={walk_keys} onclick={walk_click}
                        style={format!("width:{}px;height:{}px", size[0], size[1])} data-testid="walk">
                        <Painted id={WALK} waiting={words.get("output-waiting")} {rects} size={(size[0], size[1])} scale={page.view.scale} testid="walk-canvas" />
                        <div class="layer" aria-hidden="true"><Drawn svg={over} /></div>
                    </div>
                    <figcaption class="note">{title}</figcaption>
                </figure>
                <div class="unit-now">{ now_html }</div>
            </div>
            { body }
        </section>
    }
}
