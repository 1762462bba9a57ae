//! All networks in one plot and one table: the figures of their graphs, counted here when the panel is first looked at, and the errors
//! that were published. Knows the registry; draws nothing that the scene does not.

use crate::arch::published::{Protocol, Published};
use crate::arch::summary::{Measure, Summary, sort};
use crate::arch::{VARIANTS, variant};
use crate::graph::cost::Cost;
use crate::graph::describe::{grouped, shape_text};
use crate::scene::compare::{Plotted, bars, plot, shares};
use crate::scene::scatter::short;
use crate::ui::header::link;
use crate::ui::hooks::{Same, Words, focus, go, later, next_frame, now, use_network, use_page, use_size, use_words};
use crate::ui::state::Panel;
use std::cell::RefCell;
use std::rc::Rc;
use yew::prelude::*;

/// Milliseconds of counting at a time: the page stays at hand.
const SLICE: f64 = 8.0;

/// Every variant's line, once all are counted; begun when first `wanted`.
#[hook]
fn use_lines(wanted: bool) -> Rc<Vec<Summary>> {
    fn count(begun: Rc<RefCell<Vec<Summary>>>, done: Callback<Vec<Summary>>) {
        let until = now() + SLICE;
        let mut lines = begun.borrow_mut();
        while let Some(variant) = VARIANTS.get(lines.len()) {
            match variant.build() {
                Ok(net) => lines.push(net.summary()),
                Err(_) => return, // a test builds every one
            }
            if now() > until {
                let begun = begun.clone();
                return later(0, move || count(begun, done));
            }
        }
        done.emit(std::mem::take(&mut *lines));
    }
    let lines = use_state_eq(Rc::<Vec<Summary>>::default);
    {
        let lines = lines.clone();
        use_effect_with(wanted, move |wanted| {
            if *wanted && lines.is_empty() {
                let done = Callback::from(move |all| lines.set(Rc::new(all)));
                later(0, move || count(Rc::default(), done));
            }
        });
    }
    (*lines).clone()
}

/// What a protocol is called.
fn protocol(words: Words, protocol: Protocol) -> AttrValue {
    let numbers = protocol.numbers().into_iter().map(|(name, n)| (name, n.to_string())).collect::<Vec<_>>();
    let numbers: Vec<(&str, &str)> = numbers.iter().map(|(name, n)| (*name, n.as_str())).collect();
    words.fill(&format!("protocol-{}", protocol.name()), &numbers)
}

fn title(words: Words, measure: Measure) -> AttrValue {
    words.get(&format!("measure-{}", measure.name()))
}

/// A figure as it stands in the table: a year as it is, few large numbers in full.
fn text(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Year => value.to_string(),
        Measure::Error(_) => percent(value),
        Measure::Macs => short(value),
        _ => grouped(value as u64),
    }
}

/// An error rate with the decimals it was published with, one at least.
fn percent(value: f64) -> String {
    let text = value.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// A figure with its name and, of a published one, how it was measured and where it stands.
fn told(words: Words, measure: Measure, value: f64, rate: Option<&Published>) -> AttrValue {
    let (name, value) = (title(words, measure), text(measure, value));
    match rate.filter(|_| matches!(measure, Measure::Error(_))) {
        Some(rate) => {
            let source = rate.source.map_or(words.get("compare-source-here"), |s| AttrValue::Static(s.cite));
            let how = protocol(words, rate.protocol);
            words.fill(
                "compare-error",
                &[("measure", &name), ("value", &value), ("protocol", &how), ("source", &source)],
            )
        }
        None => words.fill("compare-figure", &[("measure", &name), ("value", &value)]),
    }
}

/// The panel.
#[component]
pub fn Compare() -> Html {
    let (page, words) = (use_page(), use_words());
    let here = page.view.panel == Panel::Compare && !page.view.hides("compare");
    let lines = use_lines(here);
    let both = use_state(|| false);
    {
        // The table with the frame after the plot: the two at once would be a long task.
        let both = both.clone();
        use_effect_with(here && !lines.is_empty(), move |now| {
            let now = *now;
            next_frame(move || later(0, move || both.set(now)));
        });
    }
    if !here {
        return Html::default();
    }
    if lines.is_empty() {
        return html! { <p class="note compare" role="status">{words.get("compare-computing")}</p> };
    }
    html! {
        <div class="compare">
            <Choice lines={lines.clone()} />
            <Plot lines={lines.clone()} />
            if *both { <Table {lines} /> }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct LinesProps {
    lines: Rc<Vec<Summary>>,
}

/// Pairs worth seeing: what sixteen years changed, a hundred million parameters more or less, shortcuts or none.
const PAIRS: [[&str; 2]; 4] =
    [["lenet5", "resnet-digits"], ["vgg16", "googlenet"], ["resnet34", "plain34"], ["alexnet-digits", "vgg-digits"]];

/// Which network stands beside the open one, and where the parameters and the work of the two sit.
#[component]
fn Choice(props: &LinesProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let frame = use_node_ref();
    let (width, _) = use_size(&frame);
    let beside = page.view.beside.as_deref().and_then(variant);
    let second = use_memo(beside, |beside| beside.and_then(|v| v.build().ok()).map(Same::new));
    let drawings =
        use_memo((network.clone(), (*second).clone(), width as u32, words), |(first, second, width, words)| {
            let nets = [first.as_ref()?, second.as_ref()?];
            let draw = |of: fn(Cost) -> u64, measure: Measure| {
                let parts = nets.map(|net| shares(net, of));
                let titles = nets.map(|net| words.title(net.variant));
                let named = [0, 1].map(|i: usize| (titles[i].as_str(), parts[i].as_slice()));
                AttrValue::from(bars(named, &title(*words, measure), (*width as f32).max(300.0)).svg)
            };
            Some([draw(|c| c.parameters as u64, Measure::Parameters), draw(|c| c.macs, Measure::Macs)])
        });
    let digits = network.as_ref().is_some_and(|n| n.reads_digits());
    let onchange = {
        let page = page.clone();
        Callback::from(move |event: Event| {
            let name = event.target_dyn_into::<web_sys::HtmlSelectElement>().map(|s| s.value()).unwrap_or_default();
            go(&page, |v| v.beside = variant(&name).map(|v| v.name.to_string()));
        })
    };
    let option = |s: &Summary, fits: bool| {
        let v = s.variant;
        html! { <option value={v.name} disabled={!fits} selected={beside == Some(v)}>{words.title(v)}</option> }
    };
    let (fitting, others): (Vec<&Summary>, Vec<&Summary>) =
        props.lines.iter().filter(|s| s.variant.name != page.view.variant).partition(|s| (s.input.c == 1) == digits);
    let pair = |names: &[&'static str; 2]| {
        let [Some(a), Some(b)] = names.map(variant) else { return Html::default() };
        let mut view = page.view.of(a.name);
        view.beside = Some(b.name.into());
        let (href, onclick) = link(&page, view);
        let here = page.view.variant == a.name && beside == Some(b);
        html! {
            <li><a class="pill" {href} {onclick} aria-current={here.then_some("true")} data-testid={format!("pair-{}-{}", a.name, b.name)}>
                {words.title(a)}{" | "}{words.title(b)}</a></li>
        }
    };
    html! {
        <section aria-labelledby="beside-title" data-testid="choice">
            <h3 id="beside-title">{words.get("beside-title")}</h3>
            <label class="check">{words.get("beside-choose")}
                <select {onchange} data-testid="beside-choose">
                    <option value="" selected={beside.is_none()}>{words.get("beside-none")}</option>
                    <optgroup label={words.get("beside-fits")}>{ for fitting.into_iter().map(|s| option(s, true)) }</optgroup>
                    <optgroup label={words.get(if digits { "beside-photos-group" } else { "beside-digits-group" })}>
                        { for others.into_iter().map(|s| option(s, false)) }</optgroup>
                </select></label>
            <ul class="row" aria-label={words.get("beside-pairs")}>{ for PAIRS.iter().map(pair) }</ul>
            <p class="note">{words.get("beside-note")}</p>
            <div ref={frame} class="sits">
                if let Some([parameters, macs]) = &*drawings {
                    <div data-testid="sits-parameters">{ Html::from_html_unchecked(parameters.clone()) }</div>
                    <div data-testid="sits-macs">{ Html::from_html_unchecked(macs.clone()) }</div>
                }
            </div>
        </section>
    }
}

/// The point that lies next to this one in a direction: near, and more ahead than aside.
fn next(places: &[[f32; 2]], from: usize, (dx, dy): (f32, f32)) -> Option<usize> {
    let [x, y] = *places.get(from)?;
    let cost = |place: &[f32; 2]| {
        let (right, down) = (place[0] - x, place[1] - y);
        let (ahead, aside) = (right * dx + down * dy, (right * dy + down * dx).abs());
        (ahead > 0.01).then_some(ahead + 2.0 * aside)
    };
    let costs = places.iter().enumerate().filter_map(|(i, place)| Some((i, cost(place)?)));
    costs.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
}

/// The plot and its axes' choices.
#[component]
fn Plot(props: &LinesProps) -> Html {
    let (page, words) = (use_page(), use_words());
    let frame = use_node_ref();
    let (width, _) = use_size(&frame);
    let (pointed, stop) = (use_state(|| None::<usize>), use_state(|| 0));
    let measures = page.view.plot();
    let width = if width > 0.0 { width as f32 } else { 600.0 };
    let drawn = use_memo(
        (props.lines.clone(), measures, width as u32, words, page.view.variant.clone(), page.view.beside.clone()),
        |(lines, measures, width, words, open, beside)| {
            let name = |m: Measure| title(*words, m).to_string();
            // A shape stands for all of its kind, whatever their numbers.
            let how = |p: Protocol| match p {
                Protocol::Dense { .. } => words.get("protocol-dense-any").to_string(),
                Protocol::Crops { networks: 2.., .. } => words.get("protocol-several-any").to_string(),
                p => protocol(*words, p).to_string(),
            };
            let size = [*width as f32, (*width as f32 * 0.55).clamp(380.0, 520.0)];
            plot(
                lines,
                *measures,
                &[open, beside.as_deref().unwrap_or_default()],
                (&name, &how, &|variant| words.title(variant).to_string()),
                &words.get("compare-plot"),
                size,
            )
        },
    );
    let (scatter, points) = &*drawn;
    let shown: std::collections::BTreeSet<usize> = points.iter().map(|p| p.line).collect();
    let missing = props.lines.len() - shown.len();
    let choose = |axis: usize, key: &'static str| {
        let onchange = {
            let page = page.clone();
            Callback::from(move |event: Event| {
                let name = event.target_dyn_into::<web_sys::HtmlSelectElement>().map(|s| s.value()).unwrap_or_default();
                if let Some(measure) = Measure::parse(&name) {
                    go(&page, |v| {
                        let mut axes = v.plot();
                        axes[axis] = measure;
                        v.plot = Some(axes).filter(|axes| *axes != crate::ui::state::View::default().plot());
                    });
                }
            })
        };
        let option = |m: Measure| {
            html! { <option value={m.name()} selected={m == measures[axis]}>{title(words, m)}</option> }
        };
        html! {
            <label class="check">{words.get(key)}
                <select {onchange} data-testid={format!("axis-{axis}")}>{ for Measure::ALL.into_iter().map(option) }</select></label>
        }
    };
    let say = |p: &Plotted| {
        let name = words.title(props.lines[p.line].variant);
        let [x, y] = [0, 1].map(|i| told(words, measures[i], p.at[i], p.rate));
        words.fill("compare-point", &[("name", &name), ("x", &x), ("y", &y)])
    };
    let point = |(i, p): (usize, &Plotted)| {
        let [x, y] = scatter.places[i];
        let variant = props.lines[p.line].variant;
        let (href, onclick) = link(&page, page.view.of(variant.name));
        let over = |to: Option<usize>| {
            let pointed = pointed.clone();
            move || pointed.set(to)
        };
        let (enter, leave, focused, blurred) = (over(Some(i)), over(None), over(Some(i)), over(None));
        let stop_here = stop.clone();
        html! {
            <a class="spot" key={i} id={format!("spot-{i}")} {href} {onclick} style={format!("left:{x}px;top:{y}px")} aria-label={say(p)}
                tabindex={if i == (*stop).min(points.len() - 1) { "0" } else { "-1" }} data-testid={format!("spot-{}", variant.name)}
                aria-current={(page.view.variant == variant.name).then_some("page")}
                onmouseenter={Callback::from(move |_| enter())} onmouseleave={Callback::from(move |_| leave())}
                onfocus={Callback::from(move |_| { stop_here.set(i); focused() })} onblur={Callback::from(move |_| blurred())} />
        }
    };
    let onkeydown = {
        let (drawn, stop) = (drawn.clone(), stop.clone());
        Callback::from(move |event: KeyboardEvent| {
            let direction = match event.key().as_str() {
                "ArrowLeft" => (-1.0, 0.0),
                "ArrowRight" => (1.0, 0.0),
                "ArrowUp" => (0.0, -1.0),
                "ArrowDown" => (0.0, 1.0),
                _ => return,
            };
            event.prevent_default();
            if let Some(to) = next(&drawn.0.places, *stop, direction) {
                focus(&format!("spot-{to}"));
            }
        })
    };
    let tip = (*pointed).filter(|i| *i < points.len()).map(|i| {
        let [x, y] = scatter.places[i];
        let side = if x > width / 2.0 { format!("right:{}px", width - x + 12.0) } else { format!("left:{}px", x + 12.0) };
        html! { <p class="tip wide" data-testid="spot-tip" style={format!("{side};top:{}px", y + 10.0)}>{say(&points[i])}</p> }
    });
    html! {
        <section aria-labelledby="plot-title" data-testid="plot">
            <h3 id="plot-title">{words.get("compare-plot")}</h3>
            <div class="row">{ choose(0, "compare-across") }{ choose(1, "compare-up") }</div>
            <div ref={frame}>
                <div class="scatter" role="group" aria-label={words.get("compare-plot")} {onkeydown}
                    style={format!("height:{}px", scatter.drawing.height)}>
                    <div aria-hidden="true">{ Html::from_html_unchecked(AttrValue::from(scatter.drawing.svg.clone())) }</div>
                    { for points.iter().enumerate().map(point) }
                    { tip }
                </div>
            </div>
            <p class="note">{words.get("compare-keys")}
                if missing > 0 { {" "}{words.fill("compare-missing", &[("count", &missing.to_string())])} }
            </p>
        </section>
    }
}

/// The table.
#[component]
fn Table(props: &LinesProps) -> Html {
    let (page, words) = (use_page(), use_words());
    let sorted = page.view.sort;
    let lines = use_memo((props.lines.clone(), sorted), |(lines, by)| {
        let mut lines = lines.to_vec();
        if let Some((measure, descending)) = by {
            sort(&mut lines, *measure, *descending);
        }
        lines
    });
    let head = |measure: Measure| {
        let state = sorted.filter(|(m, _)| *m == measure).map(|(_, descending)| descending);
        let onclick = {
            let page = page.clone();
            // Up, down, and back to the order of the papers.
            let then = match state {
                None => Some((measure, false)),
                Some(false) => Some((measure, true)),
                Some(true) => None,
            };
            Callback::from(move |_| go(&page, |v| v.sort = then))
        };
        let (aria, sign) = match state {
            None => ("none", ""),
            Some(false) => ("ascending", " ▲"),
            Some(true) => ("descending", " ▼"),
        };
        html! {
            <th scope="col" aria-sort={aria}><button type="button" {onclick} data-testid={format!("sort-{}", measure.name())}>
                {title(words, measure)}<span aria-hidden="true">{sign}</span></button></th>
        }
    };
    let unsort = {
        let page = page.clone();
        Callback::from(move |_| go(&page, |v| v.sort = None))
    };
    let rate = |rate: &'static Published| {
        let (how, figure) = (protocol(words, rate.protocol), percent(rate.percent));
        let figure = match rate.source {
            Some(source) => html! {
                <a href={source.url} target="_blank" rel="noopener" title={source.cite}
                    aria-label={format!("{figure} %, {how}, {}", source.cite)}>{figure}</a>
            },
            None => html! { {figure} },
        };
        html! { <span class="rate"><small>{how.clone()}</small>{" "}{figure}</span> }
    };
    let cell = |s: &Summary, measure: Measure| {
        let Measure::Error(task) = measure else {
            let value = measure.of(s).unwrap_or_default();
            let full = (measure == Measure::Macs).then(|| grouped(value as u64));
            return html! { <td title={full}>{text(measure, value)}</td> };
        };
        let mut rates = s.variant.published().filter(|r| r.task == task).peekable();
        match rates.peek() {
            None => html! { <td class="none">{"–"}</td> },
            Some(_) => html! { <td>{ for rates.map(rate) }</td> },
        }
    };
    let row = |s: &Summary| {
        let (href, onclick) = link(&page, page.view.of(s.variant.name));
        let open = page.view.variant == s.variant.name;
        html! {
            <tr key={s.variant.name} class={classes!(open.then_some("open"))}>
                <th scope="row"><a {href} {onclick} aria-current={open.then_some("page")} data-testid={format!("row-{}", s.variant.name)}>{words.title(s.variant)}</a></th>
                <td>{shape_text(s.input)}</td>
                { for Measure::ALL.into_iter().map(|m| cell(s, m)) }
            </tr>
        }
    };
    let mut protocols: Vec<Protocol> = Vec::new();
    for rate in VARIANTS.iter().flat_map(|v| v.published()) {
        if protocols.iter().all(|p| p.name() != rate.protocol.name()) {
            protocols.push(rate.protocol);
        }
    }
    let explained = |p: &Protocol| {
        html! { <><dt>{protocol(words, *p)}</dt><dd>{words.get(&format!("protocol-{}-why", p.name()))}</dd></> }
    };
    html! {
        <div class="networks" data-testid="networks">
            <h3>{words.get("compare-table")}</h3>
            <div class="scroll table" tabindex="0" role="region" aria-label={words.get("compare-table")}>
                <table>
                    <thead><tr>
                        <th scope="col"><button type="button" onclick={unsort} title={words.get("compare-by-paper")} data-testid="sort-none">
                            {words.get("compare-network")}</button></th>
                        <th scope="col">{words.get("compare-input")}</th>
                        { for Measure::ALL.into_iter().map(head) }
                    </tr></thead>
                    <tbody>{ for lines.iter().map(row) }</tbody>
                </table>
            </div>
            <p class="note">{words.get("compare-depth-why")}{" "}{words.get("compare-field-why")}</p>
            <details class="note">
                <summary>{words.get("compare-protocols")}</summary>
                <p>{words.get("compare-protocols-why")}</p>
                <dl class="facts">{ for protocols.iter().map(explained) }</dl>
            </details>
        </div>
    }
}
