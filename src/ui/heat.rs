//! A heat map over the picture it is of, painted by the page, and rectangles over both. Knows scenes; asks the engine nothing.

use super::hooks::{Same, use_dark};
use super::inquiry::{Found, Grey};
use crate::colormap::Palette;
use crate::graph::receptive_field::Rect;
use crate::scene::heat::{self, Heat, Tint};
use crate::tensor::Shape;
use wasm_bindgen::{Clamped, prelude::*};
use yew::prelude::*;

/// How a found map lies over the picture.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lie {
    /// Which of the maps.
    pub map: usize,
    /// Pixels that an element covers, rows and columns; `None`: the map is stretched over the picture.
    pub cell: Option<[f32; 2]>,
    /// Whether values are interpolated.
    pub smooth: bool,
}

/// What is shown.
#[derive(Properties, PartialEq)]
pub struct HeatmapProps {
    /// The picture; `None`: a blank one.
    pub picture: Option<Same<Grey>>,
    /// Size of the picture.
    pub shape: Shape,
    /// The map; `None`: the picture alone.
    pub found: Option<Same<Found>>,
    /// How it lies.
    pub lie: Lie,
    /// Colours.
    pub tint: Tint,
    /// Rectangles in pixels of the picture, with their class.
    #[prop_or_default]
    pub marks: Vec<(Rect, &'static str)>,
    /// What it shows, for those who do not see it.
    pub label: AttrValue,
    /// For tests.
    pub testid: &'static str,
}

/// Left, top, right, bottom in pixels of the picture: it and what overhangs; of what overhangs far only the beginning, or the picture
/// would be too small.
fn extent(shape: Shape, marks: &[(Rect, &'static str)]) -> [isize; 4] {
    let (w, h) = (shape.w as isize, shape.h as isize);
    let over = |low: isize, high: isize, size: isize| {
        let shown = |beyond: isize| if beyond > size / 2 { size / 10 } else { beyond.max(0) };
        (shown(-low), shown(high + 1 - size))
    };
    marks.iter().fold([0, 0, w, h], |[x, y, right, bottom], (r, _)| {
        let ((l, r_), (t, b)) = (over(r.x.first, r.x.last, w), over(r.y.first, r.y.last, h));
        [x.min(-l), y.min(-t), right.max(w + r_), bottom.max(h + b)]
    })
}

fn put(canvas: &NodeRef, pixels: &[u8], shape: Shape) -> Option<()> {
    let canvas = canvas.cast::<web_sys::HtmlCanvasElement>()?;
    canvas.set_width(shape.w as u32);
    canvas.set_height(shape.h as u32);
    let context: web_sys::CanvasRenderingContext2d = canvas.get_context("2d").ok()??.unchecked_into();
    let image = web_sys::ImageData::new_with_u8_clamped_array(Clamped(pixels), shape.w as u32).ok()?;
    context.put_image_data(&image, 0.0, 0.0).ok()
}

/// The picture, the map over it, the rectangles over both.
#[component]
pub fn Heatmap(props: &HeatmapProps) -> Html {
    let dark = use_dark();
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        let deps = (props.picture.clone(), props.shape, props.found.clone(), props.lie, props.tint, dark);
        use_effect_with(deps, move |(picture, shape, found, lie, tint, dark)| {
            let palette = if *dark { Palette::Dark } else { Palette::Light };
            let fits = picture.as_ref().filter(|p| p.shape.map() == shape.map());
            let grey: Vec<f32> = match fits {
                // Ink is dark on a light page and light on a dark one.
                Some(p) if p.ink && !dark => p.values.iter().map(|v| 1.0 - v).collect(),
                Some(p) => p.values.clone(),
                None => vec![if *dark { 0.0 } else { 1.0 }; shape.map()],
            };
            let heat = found.as_ref().and_then(|f| {
                let map = f.shape.map();
                let values = f.maps.get(lie.map * map..(lie.map + 1) * map)?;
                let stretched = [shape.h as f32 / f.shape.h as f32, shape.w as f32 / f.shape.w as f32];
                Some(Heat { values, cols: f.shape.w, cell: lie.cell.unwrap_or(stretched), smooth: lie.smooth })
            });
            put(&canvas, &heat::paint(&grey, *shape, heat, *tint, palette), *shape);
        });
    }
    let [left, top, right, bottom] = extent(props.shape, &props.marks);
    let (w, h) = ((right - left) as f64, (bottom - top) as f64);
    let percent = |v: isize, of: f64| format!("{:.3}%", v as f64 / of * 100.0);
    let place = format!(
        "left:{};top:{};width:{};height:{}",
        percent(-left, w),
        percent(-top, h),
        percent(props.shape.w as isize, w),
        percent(props.shape.h as isize, h)
    );
    let mark = |(rect, class): &(Rect, &'static str)| {
        html! {
            <rect class={*class} x={rect.x.first.to_string()} y={rect.y.first.to_string()}
                width={rect.x.len().to_string()} height={rect.y.len().to_string()} vector-effect="non-scaling-stroke" />
        }
    };
    html! {
        <div class="heat" style={format!("aspect-ratio:{w}/{h}")} role="img" aria-label={props.label.clone()} data-testid={props.testid}>
            <canvas ref={canvas} style={place} />
            <svg viewBox={format!("{left} {top} {w} {h}")} aria-hidden="true">
                <rect class="edge" x="0" y="0" width={props.shape.w.to_string()} height={props.shape.h.to_string()} vector-effect="non-scaling-stroke" />
                { for props.marks.iter().map(mark) }
            </svg>
        </div>
    }
}
