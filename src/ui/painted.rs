//! A canvas that the engine paints: handed over once, then told what is where. Knows rectangles, not what they mean.

use super::hooks::{use_client, use_dark, use_page, use_pixel_ratio};
use crate::protocol::{Command, PaintRect, Scale};
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// What a [`Painted`] shows.
#[derive(Properties, PartialEq)]
pub struct PaintedProps {
    /// The canvas's number; each is used by one component, for good.
    pub id: u32,
    /// Rectangles in CSS pixels of the canvas.
    pub rects: Vec<PaintRect>,
    /// Width and height in CSS pixels.
    pub size: (f64, f64),
    /// One scale for a layer, or one a map.
    #[prop_or_default]
    pub scale: Scale,
    /// What it shows, for those who do not see it; empty: decoration (its meaning is said elsewhere).
    #[prop_or_default]
    pub label: AttrValue,
    /// For tests.
    #[prop_or_default]
    pub testid: AttrValue,
    /// Class of the canvas.
    #[prop_or_default]
    pub class: Classes,
}

/// Largest side of a canvas in device pixels: browsers refuse more.
const LARGEST: f64 = 8192.0;

/// The canvas.
#[component]
pub fn Painted(props: &PaintedProps) -> Html {
    let (client, page, dark, ratio) = (use_client(), use_page(), use_dark(), use_pixel_ratio());
    let canvas = use_node_ref();
    {
        let (canvas, client, id) = (canvas.clone(), client.clone(), props.id);
        use_effect_with((), move |()| {
            let handed =
                canvas.cast::<web_sys::HtmlCanvasElement>().and_then(|c| c.transfer_control_to_offscreen().ok());
            if let Some(offscreen) = handed {
                client.send_with(&Command::Canvas { canvas: id }, &[offscreen.unchecked_into()]);
            }
        });
    }
    {
        let id = props.id;
        // Rectangles name nodes of the open network: until it is open there is nothing to paint.
        let rects = if page.origin.is_some() { props.rects.clone() } else { Vec::new() };
        let deps = (rects, props.size, props.scale, page.view.colours.palette(dark), ratio);
        use_effect_with(deps, move |(rects, (width, height), scale, palette, ratio)| {
            let zoom = ratio.min(LARGEST / width.max(1.0)).min(LARGEST / height.max(1.0));
            let device = |at: [f32; 4]| {
                // Whole pixels: neighbouring maps neither overlap nor blur.
                let edge = |v: f32| (f64::from(v) * zoom).round() as f32;
                let (left, top) = (edge(at[0]), edge(at[1]));
                [left, top, edge(at[0] + at[2]) - left, edge(at[1] + at[3]) - top]
            };
            client.send(&Command::Paint {
                canvas: id,
                size: [(width * zoom).round().max(1.0) as u32, (height * zoom).round().max(1.0) as u32],
                rects: rects.iter().map(|r| PaintRect { at: device(r.at), ..*r }).collect(),
                scale: *scale,
                palette: *palette,
            });
        });
    }
    let style = format!("width:{}px;height:{}px", props.size.0, props.size.1);
    let role = if props.label.is_empty() { "presentation" } else { "img" };
    let label = (!props.label.is_empty()).then(|| props.label.clone());
    html! {
        <canvas ref={canvas} {role} aria-label={label} {style} data-testid={props.testid.clone()}
            class={classes!("painted", props.class.clone())} />
    }
}

/// Numbers of the two canvases over the diagram, which take turns.
pub const STAGES: [u32; 2] = [0, 100];
/// Number of the canvas of the prepared input.
pub const INPUT: u32 = 1;
/// Number of the canvas of code and targets.
pub const CODES: u32 = 2;
/// Number of the canvas of filters.
pub const FILTERS: u32 = 3;
/// Number of the canvas of a layer's maps.
pub const MAPS: u32 = 6;
/// Number of the canvas of a unit's input and output map.
pub const WALK: u32 = 7;
