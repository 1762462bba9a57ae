//! A scene's SVG on the page, of which only what changed is touched: with each step of an animation a few of its hundreds of elements do.
//! Knows that a scene writes an element a line, not what it draws.

use web_sys::Element;
use yew::prelude::*;

/// What is drawn.
#[derive(Properties, PartialEq)]
pub struct DrawnProps {
    /// `<svg …>`, an element a line, `</svg>`.
    pub svg: AttrValue,
}

/// Replaces the elements whose lines differ; `None` where that is not all, or not less work than to begin anew.
fn patch(svg: &Element, before: &str, now: &str) -> Option<()> {
    let same = |(a, b): &(&str, &str)| a == b;
    let lines = before.lines().count();
    let alike = before.lines().zip(now.lines()).filter(same).count();
    let elements = svg.child_element_count() as usize;
    if now.lines().count() != lines
        || elements + 2 != lines
        || alike * 2 < lines
        || before.lines().next() != now.lines().next()
    {
        return None;
    }
    let mut child = svg.first_element_child();
    for (old, new) in before.lines().zip(now.lines()).skip(1) {
        let Some(element) = child else { break };
        child = element.next_element_sibling();
        if old != new {
            element.set_outer_html(new);
        }
    }
    Some(())
}

/// The drawing.
#[component]
pub fn Drawn(props: &DrawnProps) -> Html {
    let frame = use_node_ref();
    {
        let (frame, last) = (frame.clone(), use_mut_ref(AttrValue::default));
        use_effect_with(props.svg.clone(), move |svg| {
            let Some(frame) = frame.cast::<Element>() else { return };
            let before = last.replace(svg.clone());
            if frame.first_element_child().and_then(|there| patch(&there, &before, svg)).is_none() {
                frame.set_inner_html(svg);
            }
        });
    }
    html! { <div ref={frame}></div> }
}
