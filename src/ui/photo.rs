//! What networks that read photographs are shown: one that comes with the page, or the user's own by file, drop or paste; and the
//! picture as the network gets it. Knows pictures, not networks; the engine unpacks and prepares them.

use super::alter::{Surface, paint};
use super::camera::Camera;
use super::client::Client;
use super::hooks::{go, next_frame, use_client, use_heard, use_network, use_page, use_window_event, use_words};
use crate::data::photo::SAMPLES;
use crate::protocol::{Command, Event, Picture};
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use yew::prelude::*;

/// Which photograph is shown.
#[derive(Clone, PartialEq)]
enum Chosen {
    Sample(usize),
    /// The user's: its name, the file.
    Own(String, JsValue),
    /// What the camera shows, or showed last.
    Camera,
}

fn show(client: &Client, chosen: &Chosen) {
    let generation = client.number();
    match chosen {
        Chosen::Sample(i) => client.send(&Command::Show { generation, picture: Picture::SamplePhoto(*i) }),
        Chosen::Own(name, file) => {
            let picture = Picture::PhotoFile(name.clone());
            client.send_with(&Command::Show { generation, picture }, std::slice::from_ref(file));
        }
        Chosen::Camera => {} // it shows itself
    }
}

/// The first picture among files that were dropped or pasted.
fn picture(files: Option<web_sys::FileList>) -> Option<web_sys::File> {
    let files = files?;
    (0..files.length()).filter_map(|i| files.get(i)).find(|file| file.type_().starts_with("image/"))
}

/// The photograph and its choices. Shown for networks that do not read digits.
#[component]
pub fn PhotoInput() -> Html {
    let (client, words, page, network) = (use_client(), use_words(), use_page(), use_network());
    let canvas = use_node_ref();
    // One that comes with the page may be in the address; the user's own never is.
    let listed = match page.view.picture {
        Some(Picture::SamplePhoto(place)) => Some(place),
        _ => None,
    };
    let chosen = use_state(|| Chosen::Sample(listed.unwrap_or(0)));
    let over = use_state(|| false);
    let here = network.as_ref().is_some_and(|n| !n.reads_digits());
    {
        // The engine keeps the picture from one network to the next; a drawing does not suit them.
        let (client, gone) = (client.clone(), chosen.clone());
        use_effect_with((here, (*chosen).clone()), move |(here, chosen)| {
            if *here {
                show(&client, chosen);
            } else if *chosen == Chosen::Camera {
                gone.set(Chosen::Sample(0));
            }
        });
    }
    {
        let (canvas, network) = (canvas.clone(), network.clone());
        use_heard(move |heard| {
            if let (Event::Shown { input: Some(input), shape, .. }, Some(net)) = (&heard.event, &network)
                && !net.reads_digits()
            {
                paint(&canvas, net, *shape, input);
            }
        });
    }
    {
        let chosen = chosen.clone();
        use_effect_with(listed, move |listed| {
            if let Some(place) = *listed {
                chosen.set(Chosen::Sample(place));
            }
        });
    }
    let own = {
        let page = page.clone();
        move || {
            if page.view.picture.is_some() {
                go(&page, |v| v.picture = None);
            }
        }
    };
    let take = {
        let (chosen, own) = (chosen.clone(), own.clone());
        Rc::new(move |file: Option<web_sys::File>| {
            if let Some(file) = file {
                own();
                chosen.set(Chosen::Own(file.name(), file.into()));
            }
        })
    };
    {
        let take = take.clone();
        use_window_event("paste", move |event| {
            let data = event.dyn_into::<web_sys::ClipboardEvent>().ok().and_then(|e| e.clipboard_data());
            if here {
                take(data.and_then(|d| picture(d.files())));
            }
        });
    }
    let pick = {
        let take = take.clone();
        Callback::from(move |event: web_sys::Event| {
            let Some(input) = event.target_dyn_into::<web_sys::HtmlInputElement>() else { return };
            take(input.files().and_then(|files| files.get(0)));
            input.set_value(""); // the same file may be picked again
        })
    };
    let ondrop = {
        let (take, over) = (take.clone(), over.clone());
        Callback::from(move |event: DragEvent| {
            over.set(false);
            let file = event.data_transfer().and_then(|d| picture(d.files()));
            if file.is_some() {
                event.prevent_default();
                event.stop_propagation(); // weights are dropped anywhere else
                take(file);
            }
        })
    };
    let drag = |on: bool| {
        let over = over.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            if *over != on {
                let over = over.clone();
                next_frame(move || over.set(on));
            }
        })
    };
    if !here {
        return Html::default();
    }
    let onframe = {
        let (chosen, own) = (chosen.clone(), own.clone());
        Callback::from(move |_| {
            own();
            if *chosen != Chosen::Camera {
                chosen.set(Chosen::Camera);
            }
        })
    };
    let size = network.as_ref().map_or(String::new(), |n| {
        let shape = n.graph.nodes()[n.graph.source()].shape;
        format!("{}×{}", shape.h, shape.w)
    });
    let sample = |(i, url): (usize, &&'static str)| {
        let name = words.get(["photo-cat", "photo-coffee", "photo-rocket", "photo-astronaut"][i % SAMPLES.len()]);
        let onclick = {
            let page = page.clone();
            Callback::from(move |_| go(&page, |v| v.picture = Some(Picture::SamplePhoto(i))))
        };
        html! {
            <button type="button" class="photo-sample" aria-pressed={(*chosen == Chosen::Sample(i)).to_string()} {onclick}
                data-testid={format!("photo-{i}")}><img src={*url} alt={name} width="56" height="56" /></button>
        }
    };
    html! {
        <section class="pad-section" aria-labelledby="photo-title" hidden={page.view.hides("pad")}>
            <h2 id="photo-title">{words.get("photo-title")}</h2>
            <div class={classes!("pad-frame", "photo-frame", over.then_some("over"))} {ondrop} ondragover={drag(true)} ondragleave={drag(false)}>
                <canvas ref={canvas} class="photo" role="img" data-testid="photo" aria-label={words.fill("input-caption", &[("size", &size)])} />
                <Surface />
            </div>
            <p class="note">{words.fill("photo-note", &[("size", &size)])}</p>
            <div class="photo-samples" role="group" aria-label={words.get("photo-samples")} hidden={page.view.hides("samples")}>
                { for SAMPLES.iter().enumerate().map(sample) }
            </div>
            <Camera {here} note="camera-note" {onframe} />
            <label class="button">{words.get("photo-pick")}
                <input type="file" accept="image/*" class="sr" onchange={pick} data-testid="photo-pick" /></label>
            if let Chosen::Own(name, _) = &*chosen { <span class="note">{" "}{name.clone()}</span> }
        </section>
    }
}
