//! Inquiries as components make them: asked when wanted, asked again as the network changes, given up when nobody looks; and the picture
//! that the network is shown. Knows the protocol, not what is asked.

use super::hooks::{Same, later, use_client, use_heard, use_network, use_page};
use crate::protocol::{Command, Event, Generation, Inquiry};
use crate::tensor::Shape;
use yew::prelude::*;

/// What the engine has found so far.
pub struct Found {
    /// Maps, one behind the other.
    pub maps: Vec<f32>,
    /// Maps, rows, columns.
    pub shape: Shape,
    /// Class and its probability.
    pub class: Option<(usize, f32)>,
    /// Passes made, and to be made.
    pub passes: (usize, usize),
}

/// An inquiry as a component sees it.
#[derive(Clone)]
pub struct Asking {
    /// What is known; of the inquiry as it was last asked.
    pub found: Option<Same<Found>>,
    /// Whether passes are still being made.
    pub busy: bool,
    /// Asks, or asks again.
    pub ask: Callback<()>,
    /// Gives up.
    pub stop: Callback<()>,
}

/// What a component wants to know: `live` is asked by itself, and again as weights and pictures change, `pause` milliseconds after the last
/// answer at the soonest; otherwise only [`Asking::ask`] asks. `None`: nothing.
#[hook]
pub fn use_inquiry(wanted: Option<Inquiry>, live: bool, pause: i32) -> Asking {
    let (client, page) = (use_client(), use_page());
    let found = use_state(|| None::<Same<Found>>);
    let busy = use_state(|| false);
    // Number of the inquiry that goes on (0: none), whether values changed meanwhile, whether a question waits for its time.
    let (running, changed, waiting) = (use_mut_ref(|| 0 as Generation), use_mut_ref(|| false), use_mut_ref(|| false));
    // Number of the last one: what it left in the engine is given back once nobody looks.
    let last = use_mut_ref(|| 0 as Generation);
    let open = page.origin.is_some();
    let latest = use_mut_ref(|| None::<Inquiry>);
    latest.replace(wanted.clone().filter(|_| open));
    let ask = {
        let (client, running, busy, latest, changed, last) =
            (client.clone(), running.clone(), busy.clone(), latest.clone(), changed.clone(), last.clone());
        Callback::from(move |()| {
            let Some(inquiry) = latest.borrow().clone() else { return };
            let request = client.number();
            running.replace(request);
            last.replace(request);
            changed.replace(false);
            client.send(&Command::Inquire { request, inquiry });
            if !*busy {
                busy.set(true);
            }
        })
    };
    let stop = {
        let (client, running, busy) = (client.clone(), running.clone(), busy.clone());
        Callback::from(move |()| {
            let request = running.replace(0);
            if request != 0 {
                client.send(&Command::Abandon { request });
                busy.set(false);
            }
        })
    };
    {
        let (found, ask, stop, client) = (found.clone(), ask.clone(), stop.clone(), client.clone());
        use_effect_with((wanted, live, open), move |(wanted, live, open)| {
            if found.is_some() {
                found.set(None);
            }
            if *live && wanted.is_some() && *open {
                ask.emit(());
                return;
            }
            stop.emit(());
            let request = if wanted.is_none() { last.replace(0) } else { 0 };
            if request != 0 {
                client.send(&Command::Abandon { request });
            }
        });
    }
    {
        let (found, busy, ask, stop) = (found.clone(), busy.clone(), ask.clone(), stop.clone());
        let again = move || {
            if !waiting.replace(true) {
                let (waiting, ask) = (waiting.clone(), ask.clone());
                later(pause, move || {
                    waiting.replace(false);
                    ask.emit(());
                });
            }
        };
        use_heard(move |heard| match &heard.event {
            Event::Found { request, maps, shape, class, done, total } if *request == *running.borrow() => {
                let passes = (*done, *total);
                found.set(Some(Same::new(Found { maps: maps.clone(), shape: *shape, class: *class, passes })));
                if done == total {
                    running.replace(0);
                    busy.set(false);
                    if live && changed.replace(false) {
                        again();
                    }
                }
            }
            Event::Failed { request: Some(request), .. } if *request == *running.borrow() => {
                running.replace(0);
                busy.set(false);
                found.set(None);
            }
            // Another picture: what was found was of the one before.
            Event::Shown { input, .. } if !live || input.is_none() => {
                if found.is_some() {
                    found.set(None);
                }
                if *running.borrow() != 0 {
                    stop.emit(());
                }
            }
            Event::Output { output: Some(_), .. } if live && latest.borrow().is_some() => {
                if *running.borrow() == 0 {
                    again();
                } else {
                    changed.replace(true);
                }
            }
            _ => {}
        });
    }
    Asking { found: (*found).clone(), busy: *busy, ask, stop }
}

/// A picture in grey.
pub struct Grey {
    /// Rows×columns, 0 … 1: for photographs luminance, for digits ink.
    pub values: Vec<f32>,
    /// 1, rows, columns.
    pub shape: Shape,
    /// Whether 1 is ink rather than light.
    pub ink: bool,
}

/// The picture that the network is shown, while somebody looks at it.
#[hook]
pub fn use_picture(active: bool) -> Option<Same<Grey>> {
    let network = use_network();
    let last = use_mut_ref(|| None::<(Vec<f32>, Shape)>);
    let picture = use_state(|| None::<Same<Grey>>);
    let set = {
        let (last, picture) = (last.clone(), picture.clone());
        move || {
            let grey = last.borrow().as_ref().zip(network.as_ref()).map(|((input, shape), net)| {
                let ink = net.reads_digits();
                // Rec. 601, as Pillow's grey; one channel, or the same thrice, is itself.
                let weights: &[f32] = if shape.c == 3 && !ink { &[0.299, 0.587, 0.114] } else { &[1.0] };
                let mut values = vec![0.0f32; shape.map()];
                for (channel, (weight, map)) in weights.iter().zip(input.chunks_exact(shape.map())).enumerate() {
                    let levels = net.normalisation.levels(channel);
                    let scale = weight / (levels.per_step * 255.0);
                    values.iter_mut().zip(map).for_each(|(out, v)| *out += (v - levels.background) * scale);
                }
                Same::new(Grey { values, shape: Shape { c: 1, ..*shape }, ink })
            });
            picture.set(grey);
        }
    };
    {
        let (last, set) = (last.clone(), set.clone());
        use_heard(move |heard| {
            if let Event::Shown { input, shape, .. } = &heard.event {
                last.replace(input.clone().map(|input| (input, *shape)));
                if active {
                    set();
                }
            }
        });
    }
    use_effect_with(active, move |active| {
        if *active {
            set();
        }
    });
    (*picture).clone()
}
