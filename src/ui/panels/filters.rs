//! The selected layer's weights as pictures: painted by the engine, a weight a cell; kernels over red, green and blue in colour.
//! Knows shapes of weights, no network by name.

use crate::graph::NodeId;
use crate::ops::Table;
use crate::protocol::{Command, Event as Said, PaintRect, Scale, Source};
use crate::ui::hooks::{later, use_client, use_heard, use_network, use_page, use_size, use_words};
use crate::ui::i18n::number;
use crate::ui::painted::{FILTERS, Painted};
use wasm_bindgen::{Clamped, JsCast};
use yew::prelude::*;

/// At most so many kernels: more are too small to be looked at, and each is a rectangle for the engine.
const KERNELS: usize = 384;

/// Whether the kernels of a convolution are laid out with a column an output map.
fn in_columns(outputs: usize, cols: usize, width: f32) -> bool {
    outputs as f32 * (cols as f32 * 3.0 + 2.0) <= width
}

/// Weights of more numbers are not shown whole: reading them would take longer than looking at them.
const LARGE: usize = 1 << 20;
/// Nor are rows of such ones.
const TOO_LARGE: usize = 1 << 24;

/// Weights laid out.
#[derive(Default)]
struct Laid {
    rects: Vec<PaintRect>,
    /// Kernels on this page, on each full one, and all.
    shown: usize,
    each: usize,
    all: usize,
    size: [f32; 2],
    /// Numbers of columns (above them) and of rows (left of them): of which map, and where.
    columns: Vec<(usize, f32)>,
    rows: Vec<(usize, f32)>,
}

/// Room for the numbers of rows, and for those of columns.
const HEAD: [f32; 2] = [30.0, 18.0];

/// Every so many of `n` things that lie `apart` px apart have room for their number.
fn numbered(first: usize, n: usize, apart: f32, room: f32) -> Vec<(usize, f32)> {
    let every = (room / apart).ceil().max(1.0) as usize;
    (first..first + n).filter(|i| i % every == 0).map(|i| (i, (i - first) as f32 * apart)).collect()
}

/// How a weight of this shape is laid out in `width` px: page `page` of it.
fn filters(
    param: usize,
    shape: &[usize],
    bitmap: Option<(usize, usize)>,
    table: Option<&Table>,
    width: f32,
    page: usize,
) -> Laid {
    let source = Source::Param(param);
    let rect = |offset, rows, cols, at| PaintRect { source, offset, rows, cols, at };
    match *shape {
        // A matrix whose rows are pictures (targets of an output).
        [outputs, inputs] if bitmap.is_some_and(|(rows, cols)| rows * cols == inputs) => {
            let (rows, cols) = bitmap.unwrap_or((1, inputs));
            let side = ((width / outputs as f32 - 10.0) / cols as f32).floor().clamp(1.0, 6.0);
            let [w, h] = [cols, rows].map(|n| n as f32 * side);
            let left = |o: usize| o as f32 * (w + 10.0);
            let rects = (0..outputs).map(|o| rect(o * inputs, rows, cols, [left(o), HEAD[1], w, h])).collect();
            let columns = (0..outputs).map(|o| (o, left(o))).collect();
            let size = [left(outputs) - 10.0, HEAD[1] + h];
            Laid { rects, shown: outputs, each: outputs, all: outputs, size, columns, ..Laid::default() }
        }
        [outputs, inputs] => {
            let side = (width / inputs as f32).clamp(0.25, 4.0);
            let size = [inputs as f32 * side, (outputs as f32 * side).max(8.0)];
            let rects = vec![rect(0, outputs, inputs, [0.0, 0.0, size[0], size[1]])];
            Laid { rects, shown: 1, each: 1, all: 1, size, ..Laid::default() }
        }
        [outputs, inputs, rows, cols] => {
            // As the paper prints its connection table: a column an output map, a row an input map. Where there are too many
            // output maps for the width, a row an output map.
            let across = in_columns(outputs, cols, width);
            let per_row = if across { outputs } else { inputs };
            let width = width - HEAD[0];
            // Kernels stand apart where there is room for it.
            let gap = if per_row <= 24 { 10.0 } else { 2.0 };
            let side = ((width / per_row as f32 - gap) / cols as f32).clamp(1.0, 18.0);
            let side = if side > 2.0 { side.floor() } else { side };
            let [w, h] = [cols, rows].map(|n| n as f32 * side + gap);
            let all = outputs * inputs;
            let each = (all.min(KERNELS) / per_row).max(1) * per_row;
            let first = page * each;
            let shown = each.min(all.saturating_sub(first));
            let rects = (first..first + shown).filter_map(|place| {
                let (row, col) = (place / per_row, place % per_row);
                let (output, input) = if across { (col, row) } else { (row, col) };
                // Where nothing is connected there is no kernel.
                let there = table.is_none_or(|t| t.connects(output, input));
                let at = [HEAD[0] + col as f32 * w, HEAD[1] + (row - first / per_row) as f32 * h, w - gap, h - gap];
                there.then(|| rect((output * inputs + input) * rows * cols, rows, cols, at))
            });
            let lines = shown.div_ceil(per_row);
            let size = [HEAD[0] + per_row as f32 * w - gap, HEAD[1] + lines as f32 * h - gap];
            let columns = numbered(0, per_row, w, 22.0).into_iter().map(|(i, x)| (i, HEAD[0] + x)).collect();
            let rows = numbered(first / per_row, lines, h, 14.0).into_iter().map(|(i, y)| (i, HEAD[1] + y)).collect();
            Laid { rects: rects.collect(), shown, each, all, size, columns, rows }
        }
        _ => Laid::default(),
    }
}

/// The kernels (or the row) that one output map reads with, in this width: page `page` of them.
fn of_map(param: usize, shape: &[usize], table: Option<&Table>, map: usize, width: f32, page: usize) -> Laid {
    let source = Source::Param(param);
    match *shape {
        [outputs, inputs, rows, cols] if map < outputs => {
            let side = match inputs * rows * cols {
                n if n <= 300 => (76.0 / rows.max(cols) as f32).floor().clamp(8.0, 20.0),
                n if n <= 1024 => (44.0 / rows.max(cols) as f32).floor().clamp(4.0, 14.0),
                _ => (20.0 / rows.max(cols) as f32).floor().clamp(3.0, 10.0),
            };
            let [w, h] = [cols, rows].map(|n| n as f32 * side + 4.0);
            let across = ((width / w) as usize).max(1);
            let there: Vec<usize> = (0..inputs).filter(|i| table.is_none_or(|t| t.connects(map, *i))).collect();
            let each = there.len().min(KERNELS.max(across * 8));
            let there: Vec<usize> = there.iter().copied().skip(page * each).take(each).collect();
            let rects = there.iter().enumerate().map(|(place, input)| PaintRect {
                source,
                offset: (map * inputs + input) * rows * cols,
                rows,
                cols,
                at: [(place % across) as f32 * w, (place / across) as f32 * h, w - 4.0, h - 4.0],
            });
            let shown = there.len();
            let all = (0..inputs).filter(|i| table.is_none_or(|t| t.connects(map, *i))).count();
            let size = [across.min(shown.max(1)) as f32 * w - 4.0, shown.div_ceil(across).max(1) as f32 * h - 4.0];
            Laid { rects: rects.collect(), shown, each, all, size, ..Laid::default() }
        }
        [outputs, inputs] if map < outputs => {
            let cols = ((inputs as f64).sqrt() * 1.6).ceil().max(1.0) as usize;
            let side = (width.min(560.0) / cols as f32).floor().clamp(2.0, 12.0);
            let (rows, rest) = (inputs / cols, inputs % cols);
            let at =
                |row: usize, rows: usize, cols: usize| [0.0, row as f32 * side, cols as f32 * side, rows as f32 * side];
            let mut rects = vec![PaintRect { source, offset: map * inputs, rows, cols, at: at(0, rows, cols) }];
            if rest > 0 {
                let offset = map * inputs + rows * cols;
                rects.push(PaintRect { source, offset, rows: 1, cols: rest, at: at(rows, 1, rest) });
            }
            let size = [cols as f32 * side, (rows + usize::from(rest > 0)) as f32 * side];
            Laid { rects, shown: inputs, each: inputs, all: inputs, size, ..Laid::default() }
        }
        _ => Laid::default(),
    }
}

/// Whose weights.
#[derive(Properties, PartialEq)]
pub struct FiltersProps {
    /// The layer.
    pub layer: Option<NodeId>,
    /// What it is called.
    pub name: String,
    /// Whether it stands for a group of layers.
    pub group: bool,
    /// The output map whose kernels alone are shown.
    pub map: Option<usize>,
    /// Whether they are in view.
    pub seen: bool,
}

/// The layer's weights as images.
#[component]
pub fn Filters(props: &FiltersProps) -> Html {
    let (page, words, network) = (use_page(), use_words(), use_network());
    let frame = use_node_ref();
    let (width, _) = use_size(&frame);
    let width = (width as f32).max(260.0);
    let weight = network.as_ref().zip(props.layer).and_then(|(net, layer)| {
        let mut of = net.graph.params_of(layer).map(|p| (p, &net.graph.params()[p].param));
        of.find(|(_, param)| param.name == "weight" && param.shape.len() >= 2)
    });
    let size_of = weight.map_or(0, |(_, param)| param.len());
    let fits = weight.is_some() && size_of <= TOO_LARGE;
    let vector = weight.is_some_and(|(_, param)| param.shape.len() == 2);
    let targets = weight.is_some_and(|(_, param)| !param.trained());
    let coloured = weight.is_some_and(|(_, param)| matches!(param.shape[..], [_, 3, rows, cols] if rows * cols > 1));
    // Of a matrix that is too large to be looked at as a whole, a row.
    let map = props.map.or((size_of > LARGE).then_some(0)).filter(|_| !targets);
    // Another layer or map begins with its first page.
    let leaf = use_state(|| ((None, None), 0usize));
    let of = (props.layer, props.map);
    let current = if leaf.0 == of { leaf.1 } else { 0 };
    let laid = match weight.filter(|_| fits && !coloured && props.seen) {
        None => Laid::default(),
        Some((position, param)) => match map {
            Some(map) => of_map(position, &param.shape, param.table.as_ref(), map, width, current),
            None => {
                let picture = targets.then(|| crate::ui::output::bitmap(param.shape[1]));
                filters(position, &param.shape, picture, param.table.as_ref(), width.min(1400.0), current)
            }
        },
    };
    let Laid { rects, shown, each, all, size, columns, rows } = laid;
    let size = (f64::from(size[0].max(1.0)), f64::from(size[1].max(1.0)));
    let leaves = all.div_ceil(each.max(1)).max(1);
    let turn = |to: usize| {
        let leaf = leaf.clone();
        Callback::from(move |_: MouseEvent| leaf.set((of, to)))
    };
    let numbers = columns.into_iter().map(|(n, x)| (n, format!("left:{x}px;top:0"), "of-column"));
    let numbers = numbers.chain(rows.into_iter().map(|(n, y)| (n, format!("left:0;top:{y}px"), "row")));
    let order = match (weight.map(|(_, param)| &param.shape[..]), map) {
        (Some([_, _, rows, cols]), _) if coloured => {
            words.fill("filters-coloured", &[("size", &format!("{rows}×{cols}"))])
        }
        (Some([_, _]), Some(map)) => words.fill("filters-row", &[("map", &map.to_string())]),
        (Some(_), Some(map)) => words.fill("filters-of-map", &[("map", &map.to_string())]),
        (Some(&[outputs, _, _, cols]), _) if in_columns(outputs, cols, width.min(1400.0)) => {
            words.get("filters-columns")
        }
        (Some([_, _, _, _]), _) => words.get("filters-kernels"),
        _ if targets => words.get("filters-targets"),
        _ => words.get("filters-matrix"),
    };
    let sparse = weight.is_some_and(|(_, param)| param.table.is_some()) && map.is_none();
    let label = words.fill("filters-label", &[("layer", &props.name)]);
    html! {
        <section class="filters-section" aria-labelledby="filters-title" ref={frame}>
            <h3 id="filters-title">{words.get("filters-title")}</h3>
            <div class="scroll filters" hidden={!fits || coloured} tabindex="0" role="region" aria-label={label.clone()}>
                <Painted id={FILTERS} waiting={words.get("output-waiting")} {rects} {size} scale={page.view.scale} label={label.clone()} testid="filters" />
                { for numbers.map(|(n, style, class)| html! { <span class={classes!("filter-number", class)} {style} aria-hidden="true">{n}</span> }) }
            </div>
            if leaves > 1 {
                <div class="row">
                    <button type="button" onclick={turn(current.saturating_sub(1))} disabled={current == 0} aria-label={words.get("maps-page-before")} data-testid="filters-before">{"‹"}</button>
                    <span data-testid="filters-page">{format!("{} / {leaves}", current + 1)}</span>
                    <button type="button" onclick={turn(current + 1)} disabled={current + 1 >= leaves} aria-label={words.get("maps-page-after")} data-testid="filters-after">{"›"}</button>
                </div>
            }
            if let Some((param, at)) = weight.filter(|_| fits && coloured) {
                <Coloured {param} outputs={at.shape[0]} side={[at.shape[2], at.shape[3]]} {width} seen={props.seen} chosen={props.map} {label} />
            }
            if fits {
                <p class="note">{order}
                    if sparse { {" "}{words.get("filters-sparse")} }
                    if shown < all { {" "}{words.fill("filters-some", &[("first", &number((current * each + 1) as u64)), ("last", &number((current * each + shown) as u64)), ("all", &number(all as u64))])} }
                    if !vector && !coloured && props.map.is_none() { {" "}{words.get("filters-choose")} }
                </p>
            } else if weight.is_some() {
                <p class="note">{words.fill("filters-large", &[("n", &number(size_of as u64))])}</p>
            } else if props.layer.is_some() {
                <p class="note">{words.get(if props.group { "filters-group" } else { "filters-none" })}</p>
            }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct ColouredProps {
    param: usize,
    outputs: usize,
    /// Rows and columns of a kernel.
    side: [usize; 2],
    width: f32,
    seen: bool,
    chosen: Option<usize>,
    label: AttrValue,
}

/// Kernels over red, green and blue as small pictures: grey is zero. Few enough numbers to be read, and painted here.
#[component]
fn Coloured(props: &ColouredProps) -> Html {
    let (client, page) = (use_client(), use_page());
    let canvas = use_node_ref();
    let values = use_state(Vec::<f32>::new);
    let asked = use_mut_ref(|| (0u32, false)); // the newest request; whether one waits
    let ask = {
        let (client, asked, source) = (client, asked.clone(), Source::Param(props.param));
        let ready = props.seen && page.origin.is_some();
        move || {
            if ready {
                let request = client.number();
                *asked.borrow_mut() = (request, false);
                client.send(&Command::Read { request, source });
            }
        }
    };
    {
        let ask = ask.clone();
        use_effect_with((props.param, props.seen, page.origin.clone()), move |_| ask());
    }
    {
        let (values, running) = (values.clone(), page.running);
        use_heard(move |heard| match &heard.event {
            Said::Tensor { request, data, .. } if *request == asked.borrow().0 => values.set(data.clone()),
            Said::Output { .. } if running && !std::mem::replace(&mut asked.borrow_mut().1, true) => {
                later(300, ask.clone())
            }
            _ => {}
        });
    }
    let [rows, cols] = props.side;
    let each = (44 / rows.max(cols).max(1)).clamp(3, 12);
    let (wide, high) = (cols * each + 4, rows * each + 4);
    let across = ((props.width as usize + 4) / wide).clamp(1, props.outputs.max(1));
    let size = [across * wide - 4, props.outputs.div_ceil(across) * high - 4];
    {
        let (canvas, scale, chosen) = (canvas.clone(), page.view.scale, props.chosen);
        use_effect_with((values, size, scale, chosen), move |(values, [width, height], scale, chosen)| {
            let taps = rows * cols;
            let top = |v: &[f32]| v.iter().fold(0f32, |top, v| top.max(v.abs()));
            let whole = top(values);
            let mut pixels = vec![0u8; width * height * 4];
            for (o, kernel) in values.chunks_exact((3 * taps).max(1)).enumerate() {
                let most = if *scale == Scale::Map { top(kernel) } else { whole }.max(f32::MIN_POSITIVE);
                let faint = if chosen.is_some_and(|c| c != o) { 90 } else { 255 };
                for (y, x) in (0..rows * each).flat_map(|y| (0..cols * each).map(move |x| (y, x))) {
                    let tap = y / each * cols + x / each;
                    let at = ((o / across * high + y) * width + o % across * wide + x) * 4;
                    if let Some(pixel) = pixels.get_mut(at..at + 4) {
                        for c in 0..3 {
                            pixel[c] = (127.5 + 127.5 * kernel[c * taps + tap] / most) as u8;
                        }
                        pixel[3] = faint;
                    }
                }
            }
            let Some(canvas) = canvas.cast::<web_sys::HtmlCanvasElement>() else { return };
            canvas.set_width(*width as u32);
            canvas.set_height(*height as u32);
            let context = canvas.get_context("2d").ok().flatten();
            let context = context.and_then(|c| c.dyn_into::<web_sys::CanvasRenderingContext2d>().ok());
            let image = web_sys::ImageData::new_with_u8_clamped_array(Clamped(&pixels), *width as u32);
            if let (Some(context), Ok(image)) = (context, image) {
                let _ = context.put_image_data(&image, 0.0, 0.0);
            }
        });
    }
    let style = format!("width:{}px;height:{}px", size[0], size[1]);
    html! { <canvas ref={canvas} role="img" aria-label={props.label.clone()} {style} class="painted" data-testid="filters-coloured" /> }
}
