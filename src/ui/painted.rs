//! A canvas that the engine paints: handed over once, then told what is where. Knows rectangles, not what they mean.

use super::hooks::{next_frame, use_client, use_dark, use_heard, use_page, use_pixel_ratio};
use crate::protocol::{Command, Event, PaintRect, Scale, Source};
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
    /// Said in its place while it does not show yet what it should.
    #[prop_or_default]
    pub waiting: AttrValue,
}

/// What is to be seen, wherever: values and shapes of the rectangles.
type Content = Vec<(Source, usize, usize, usize)>;

/// Largest side of a canvas in device pixels: browsers refuse more.
const LARGEST: f64 = 8192.0;

/// The canvas.
#[component]
pub fn Painted(props: &PaintedProps) -> Html {
    let (client, page, dark, ratio) = (use_client(), use_page(), use_dark(), use_pixel_ratio());
    let canvas = use_node_ref();
    // Another layer's maps under this one's name would be false: until they are painted, nothing is seen.
    let content: Content = props.rects.iter().map(|r| (r.source, r.offset, r.rows, r.cols)).collect();
    let seen = use_state(Content::new);
    let asked = use_mut_ref(|| (0, Content::new()));
    {
        let (asked, seen, id) = (asked.clone(), seen.clone(), props.id);
        use_heard(move |heard| {
            let Event::Painted { canvas, ticket } = heard.event else { return };
            let (newest, content) = &*asked.borrow();
            if canvas == id && ticket == *newest && *seen != *content {
                // On the screen a frame or two after the worker says so.
                let (seen, content) = (seen.clone(), content.clone());
                next_frame(move || next_frame(move || seen.set(content)));
            }
        });
    }
    let hidden = !content.is_empty() && *seen != content;
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
        let (id, asked, content) = (props.id, asked.clone(), content.clone());
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
            let ticket = client.number();
            *asked.borrow_mut() = (ticket, content);
            client.send(&Command::Paint {
                canvas: id,
                ticket,
                size: [(width * zoom).round().max(1.0) as u32, (height * zoom).round().max(1.0) as u32],
                rects: rects.iter().map(|r| PaintRect { at: device(r.at), ..*r }).collect(),
                scale: *scale,
                palette: *palette,
            });
        });
    }
    let shown = if hidden { ";visibility:hidden" } else { "" };
    let style = format!("width:{}px;height:{}px{shown}", props.size.0, props.size.1);
    let role = if props.label.is_empty() { "presentation" } else { "img" };
    let label = (!props.label.is_empty()).then(|| props.label.clone());
    html! {
        <>
        <canvas ref={canvas} {role} aria-label={label} {style} data-testid={props.testid.clone()}
            class={classes!("painted", props.class.clone())} />
        if hidden && !props.waiting.is_empty() {
            <span class="note computing" role="status">{&props.waiting}</span>
        }
        </>
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
