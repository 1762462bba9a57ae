//! A stack of convolutions that the user builds, beside the one convolution that sees as much: what each sees and costs. Knows stacks, no
//! network of a paper.

use crate::graph::stack::{Measured, Storey, alike, measure};
use crate::ui::hooks::{go, use_page, use_words};
use crate::ui::i18n::number;
use crate::ui::state::Stack;
use yew::prelude::*;

/// Side of the picture that the stack reads: ImageNet's.
const SIDE: usize = 224;
/// Channels that can be chosen: powers of two up to 2 to this.
const DOUBLINGS: u32 = 10;

const fn storey(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Storey {
    Storey { kernel, stride, padding, dilation }
}

/// Stacks of papers and lectures.
const PRESETS: [(&str, &[Storey]); 5] = [
    ("stack-three", &[storey(3, 1, 1, 1), storey(3, 1, 1, 1), storey(3, 1, 1, 1)]),
    ("stack-two", &[storey(3, 1, 1, 1), storey(3, 1, 1, 1)]),
    ("stack-seven", &[storey(7, 1, 3, 1)]),
    ("stack-eleven", &[storey(11, 4, 2, 1)]),
    ("stack-dilated", &[storey(3, 1, 1, 1), storey(3, 1, 2, 2), storey(3, 1, 4, 4)]),
];

/// Sum of weights and of multiply-adds.
fn total(stack: &[Measured]) -> (u64, u64) {
    stack.iter().fold((0, 0), |(p, m), s| (p + s.parameters as u64, m + s.macs))
}

/// `27C²`, where it is a whole number of them.
fn squares(parameters: u64, channels: usize) -> String {
    format!("{}C²", number(parameters / (channels * channels).max(1) as u64))
}

/// The builder.
#[component]
pub fn Builder() -> Html {
    let (page, words) = (use_page(), use_words());
    let stack = &page.view.stack;
    let set = {
        let page = page.clone();
        Callback::from(move |stack: Stack| go(&page, |v| v.stack = stack))
    };
    let built = measure(&stack.storeys, stack.channels, SIDE);
    let one = built.as_ref().ok().and_then(|b| alike(b));
    let alone = one.and_then(|one| measure(&[one], stack.channels, SIDE).ok());
    let preset = |(key, storeys): &(&'static str, &'static [Storey])| {
        let here = stack.storeys == *storeys;
        let onclick = {
            let (set, channels, storeys) = (set.clone(), stack.channels, storeys.to_vec());
            Callback::from(move |_| set.emit(Stack { storeys: storeys.clone(), channels }))
        };
        html! { <button type="button" aria-pressed={here.to_string()} {onclick} data-testid={*key}>{words.get(key)}</button> }
    };
    let input = |row: usize, what: &'static str, [low, high]: [usize; 2], value: usize, put: fn(&mut Storey, usize)| {
        let onchange = {
            let (set, stack) = (set.clone(), stack.clone());
            Callback::from(move |event: Event| {
                let typed = event.target_dyn_into::<web_sys::HtmlInputElement>().map(|i| i.value());
                let mut stack = stack.clone();
                if let (Some(storey), Some(n)) =
                    (stack.storeys.get_mut(row), typed.and_then(|t| t.parse::<usize>().ok()))
                {
                    put(storey, n.clamp(low, high));
                }
                set.emit(stack);
            })
        };
        let label = words.fill("stack-input", &[("what", &words.get(what)), ("layer", &(row + 1).to_string())]);
        html! {
            <td><input type="number" min={low.to_string()} max={high.to_string()} value={value.to_string()} {onchange} aria-label={label}
                data-testid={format!("{what}-{row}")} /></td>
        }
    };
    let row = |(i, s): (usize, &Storey)| {
        let m = built.as_ref().ok().and_then(|b| b.get(i));
        let remove = {
            let (set, stack) = (set.clone(), stack.clone());
            Callback::from(move |_| {
                let mut stack = stack.clone();
                stack.storeys.remove(i);
                set.emit(stack);
            })
        };
        html! {
            <tr>
                <th scope="row">{(i + 1).to_string()}</th>
                { input(i, "stack-kernel", [1, 31], s.kernel, |s, n| s.kernel = n) }
                { input(i, "stack-stride", [1, 8], s.stride, |s, n| s.stride = n) }
                { input(i, "stack-padding", [0, 31], s.padding, |s, n| s.padding = n) }
                { input(i, "stack-dilation", [1, 8], s.dilation, |s, n| s.dilation = n) }
                <td class="seen">{m.map(|m| m.field.size().to_string())}</td>
                <td>{m.map(|m| m.field.jump.to_string())}</td>
                <td>{m.map(|m| m.side.to_string())}</td>
                <td><button type="button" class="small" onclick={remove} disabled={stack.storeys.len() < 2}
                    aria-label={words.fill("stack-remove", &[("layer", &(i + 1).to_string())])}>{"×"}</button></td>
            </tr>
        }
    };
    let add = {
        let (set, stack) = (set.clone(), stack.clone());
        Callback::from(move |_| {
            let mut stack = stack.clone();
            stack.storeys.push(Storey::same(3));
            set.emit(stack);
        })
    };
    let channels = {
        let (set, stack) = (set.clone(), stack.clone());
        Callback::from(move |event: InputEvent| {
            let typed =
                event.target_dyn_into::<web_sys::HtmlInputElement>().and_then(|i| i.value().parse::<u32>().ok());
            set.emit(Stack { channels: 1 << typed.unwrap_or(6).min(DOUBLINGS), ..stack.clone() });
        })
    };
    let sum = |measured: &[Measured], title: AttrValue, testid: &'static str| {
        let (parameters, macs) = total(measured);
        let field = measured.last().map_or(0, |m| m.field.size());
        html! {
            <tr data-testid={testid}>
                <th scope="row">{title}</th>
                <td class="seen">{format!("{field} × {field}")}</td>
                <td>{format!("{} = {}", squares(parameters, stack.channels), number(parameters))}</td>
                <td>{number(macs)}</td>
            </tr>
        }
    };
    let compared = built.as_ref().ok().zip(alone.as_ref()).zip(one).map(|((built, alone), one)| {
        let ((p, m), (p1, m1)) = (total(built), total(alone));
        let ratio = |a: u64, b: u64| format!("{:.2}", a as f64 / b.max(1) as f64);
        let title = words.fill("stack-alone", &[("kernel", &one.kernel.to_string()), ("stride", &one.stride.to_string())]);
        html! {
            <>
            <table class="field-table">
                <thead><tr><th scope="col"><span class="sr">{words.get("stack-what")}</span></th><th scope="col">{words.get("field-size")}</th>
                    <th scope="col">{words.get("layer-parameters")}</th><th scope="col">{words.get("layer-macs")}</th></tr></thead>
                <tbody>
                    { sum(built, words.get("stack-built"), "stack-built") }
                    { sum(alone, title, "stack-one") }
                </tbody>
            </table>
            <p class="strong" data-testid="stack-ratio">{words.fill("stack-ratio", &[("parameters", &ratio(p, p1)), ("macs", &ratio(m, m1)),
                ("activations", &stack.storeys.len().to_string())])}</p>
            </>
        }
    });
    let vgg = [Storey::same(3); 3];
    let claim = measure(&vgg, 1, SIDE).ok().zip(measure(&[Storey::same(7)], 1, SIDE).ok()).map(|(three, seven)| {
        let ((three, _), (seven, _)) = (total(&three), total(&seven));
        words.fill(
            "stack-claim",
            &[
                ("three", &three.to_string()),
                ("seven", &seven.to_string()),
                ("more", &format!("{:.0}", (seven as f64 / three as f64 - 1.0) * 100.0)),
            ],
        )
    });
    let head = [
        "stack-layer",
        "stack-kernel",
        "stack-stride",
        "stack-padding",
        "stack-dilation",
        "field-size",
        "field-jump",
        "stack-side",
    ];
    html! {
        <section class="builder" aria-labelledby="stack-title" data-testid="builder">
            <h3 id="stack-title">{words.get("stack-title")}</h3>
            <div class="row" role="group" aria-label={words.get("stack-presets")}>{ for PRESETS.iter().map(preset) }</div>
            <label class="check">{words.get("stack-channels")}
                <input type="range" min="0" max={DOUBLINGS.to_string()} value={stack.channels.ilog2().to_string()} oninput={channels}
                    aria-valuetext={stack.channels.to_string()} data-testid="stack-channels" />
                <output>{stack.channels.to_string()}</output></label>
            <div class="sides"><div class="side-one">
            <div class="scroll" tabindex="0" role="region" aria-label={words.get("stack-layers")}>
                <table class="field-table storeys">
                    <thead><tr>{ for head.into_iter().map(|key| html! { <th scope="col">{words.get(key)}</th> }) }<td></td></tr></thead>
                    <tbody>{ for stack.storeys.iter().enumerate().map(row) }</tbody>
                </table>
            </div>
            <div class="row"><button type="button" onclick={add} disabled={stack.storeys.len() >= Stack::MOST} data-testid="stack-add">{words.get("stack-add")}</button></div>
            </div><div class="side-one">
            <div class="scroll" tabindex="0" role="region" aria-label={words.get("stack-what")}>{ compared }</div>
            if let Err(error) = &built { <p class="note" role="status" data-testid="stack-error">{words.fill("stack-error", &[("detail", &error.to_string())])}</p> }
            <p class="note">{words.fill("stack-note", &[("side", &SIDE.to_string())])}</p>
            <p class="note">{ claim }</p>
            </div></div>
        </section>
    }
}
