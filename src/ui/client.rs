//! The page's end of the protocol: starts an engine's worker, sends commands, hands events to whoever listens. Knows no component.

use crate::protocol::{Alterations, Command, Event, Fault, Generation, Picture, Weights, wire};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// An event, and what came with it by transfer.
pub struct Heard {
    /// What the engine says.
    pub event: Event,
    /// Buffers, in the order in which the event names them.
    pub transferred: Vec<JsValue>,
}

type Listener = Rc<dyn Fn(&Heard)>;

/// What a worker calls: for messages, for errors.
type Ears = (Closure<dyn FnMut(web_sys::MessageEvent)>, Closure<dyn FnMut(web_sys::Event)>);

struct Inner {
    worker: web_sys::Worker,
    listeners: RefCell<Vec<(u32, Listener)>>,
    next: Cell<Generation>,
    shown: Cell<Generation>,
    /// What is done to pictures.
    alterations: Cell<Alterations>,
    variant: RefCell<String>,
    /// The opening of another variant, until it is done.
    leaving: Cell<Option<Generation>>,
    quiet: RefCell<HashSet<Generation>>,
    /// What was shown last, for an engine that starts later.
    picture: RefCell<Option<(Picture, Vec<JsValue>)>>,
    /// An engine that is shown the same pictures.
    beside: RefCell<Option<Client>>,
    /// What the worker calls.
    ears: RefCell<Option<Ears>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

/// A connection to the engine; clones are the same one.
#[derive(Clone)]
pub struct Client(Rc<Inner>);

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Listens until it is dropped.
pub struct Listening {
    client: Client,
    number: u32,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.client.0.listeners.borrow_mut().retain(|(number, _)| *number != self.number);
    }
}

fn failed(key: &str, detail: String) -> Heard {
    let fault = Fault { key: key.into(), args: Vec::new(), detail };
    Heard { event: Event::Failed { request: None, fault }, transferred: Vec::new() }
}

/// The same bytes for another receiver: a buffer that is sent is gone. Files are handles.
fn copied(value: &JsValue) -> JsValue {
    match value.dyn_ref::<js_sys::ArrayBuffer>() {
        Some(buffer) => buffer.slice(0).into(),
        None => value.clone(),
    }
}

impl Client {
    /// Starts the worker at this address.
    ///
    /// # Errors
    /// What the browser says where it refuses workers.
    pub fn start(address: &str) -> Result<Self, JsValue> {
        let options = web_sys::WorkerOptions::new();
        options.set_type(web_sys::WorkerType::Module);
        let worker = web_sys::Worker::new_with_options(address, &options)?;
        let client = Self(Rc::new(Inner {
            worker: worker.clone(),
            listeners: RefCell::default(),
            next: Cell::new(1),
            shown: Cell::new(0),
            alterations: Cell::default(),
            variant: RefCell::default(),
            leaving: Cell::default(),
            quiet: RefCell::default(),
            picture: RefCell::default(),
            beside: RefCell::default(),
            ears: RefCell::default(),
        }));
        // They do not keep the connection: the worker ends with its last user.
        let heard = {
            let client = Rc::downgrade(&client.0);
            Closure::<dyn FnMut(web_sys::MessageEvent)>::new(move |message: web_sys::MessageEvent| {
                if let Some(client) = client.upgrade() {
                    Self(client).hear(&message.data());
                }
            })
        };
        worker.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        let broken = {
            let client = Rc::downgrade(&client.0);
            Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| {
                let detail =
                    event.dyn_ref::<web_sys::ErrorEvent>().map(web_sys::ErrorEvent::message).unwrap_or_default();
                if let Some(client) = client.upgrade() {
                    Self(client).tell(&failed("engine-crashed", detail));
                }
            })
        };
        worker.set_onerror(Some(broken.as_ref().unchecked_ref()));
        client.0.ears.replace(Some((heard, broken)));
        Ok(client)
    }

    /// Ends the worker, whoever still holds the connection; nothing is heard from it any more.
    pub fn end(&self) {
        self.0.worker.set_onmessage(None);
        self.0.worker.set_onerror(None);
        self.0.worker.terminate();
    }

    /// From now on shows another engine all pictures that this one is shown, beginning with the last, and as altered; `None`: none any
    /// more.
    pub fn show_beside(&self, other: Option<Client>) {
        if let Some(other) = &other {
            other.send(&Command::Alter(self.0.alterations.get()));
        }
        if let (Some(other), Some((picture, files))) = (&other, &*self.0.picture.borrow()) {
            other.show(picture, files);
        }
        self.0.beside.replace(other);
    }

    fn show(&self, picture: &Picture, files: &[JsValue]) {
        let files: Vec<JsValue> = files.iter().map(copied).collect();
        self.send_with(&Command::Show { generation: self.number(), picture: picture.clone() }, &files);
    }

    /// Remembers a picture and passes it on. A script's own input is another network's only by chance, and stays here.
    fn share(&self, picture: &Picture, files: &[JsValue]) {
        if matches!(picture, Picture::Raw(_)) {
            return;
        }
        if let Some(other) = &*self.0.beside.borrow() {
            other.show(picture, files);
        }
        let mut last = self.0.picture.borrow_mut();
        let files = match &*last {
            // The pixels that came last.
            Some((Picture::Photo { .. }, before)) if files.is_empty() && matches!(picture, Picture::Photo { .. }) => {
                before.clone()
            }
            _ => files.iter().map(copied).collect(),
        };
        *last = Some((picture.clone(), files));
    }

    fn hear(&self, data: &JsValue) {
        match wire::unpack::<Event>(data) {
            Ok((event, _)) if self.is_late(&event) => {}
            Ok((event, transferred)) => self.tell(&Heard { event, transferred }),
            Err(error) => self.tell(&failed("engine-crashed", format!("{error:?}"))),
        }
    }

    /// Whether this was said by the network that the page has left: until the next one is open, the engine answers with the last.
    fn is_late(&self, event: &Event) -> bool {
        let Some(opening) = self.0.leaving.get() else { return false };
        match event {
            Event::Opened { generation, .. } | Event::Failed { request: Some(generation), .. }
                if *generation == opening =>
            {
                self.0.leaving.set(None);
                false
            }
            Event::Shown { .. } | Event::Output { .. } => true,
            _ => false,
        }
    }

    fn tell(&self, heard: &Heard) {
        // A copy: a listener may come or go while the others are told.
        let listeners: Vec<Listener> = self.0.listeners.borrow().iter().map(|(_, l)| l.clone()).collect();
        for listener in listeners {
            listener(heard);
        }
    }

    /// Calls `listener` with each event until the result is dropped.
    #[must_use]
    pub fn listen(&self, listener: impl Fn(&Heard) + 'static) -> Listening {
        let number = self.number();
        self.0.listeners.borrow_mut().push((number, Rc::new(listener)));
        Listening { client: self.clone(), number }
    }

    /// A number larger than all before: for generations and requests.
    pub fn number(&self) -> Generation {
        self.0.next.replace(self.0.next.get() + 1)
    }

    /// The number of the picture that was sent last.
    pub fn last_shown(&self) -> Generation {
        self.0.shown.get()
    }

    /// Sends a command.
    pub fn send(&self, command: &Command) {
        self.send_with(command, &[]);
    }

    /// Sends a command and, by transfer, what goes along.
    pub fn send_with(&self, command: &Command, transferred: &[JsValue]) {
        match command {
            Command::Show { generation, picture } => {
                self.0.shown.set(*generation);
                self.share(picture, transferred);
            }
            Command::Alter(alterations) => {
                self.0.alterations.set(*alterations);
                if let Some(other) = &*self.0.beside.borrow() {
                    other.send(command);
                }
            }
            _ => {}
        }
        let sent = wire::pack(command.clone(), transferred)
            .and_then(|packet| self.0.worker.post_message_with_transfer(&packet.message, &packet.transfer));
        if let Err(error) = sent {
            self.tell(&failed("engine-crashed", format!("{error:?}")));
        }
    }

    /// Opens a variant and remembers which; the answer bears the number that is returned. `files`: `File`s, or an `ArrayBuffer`.
    pub fn open(&self, variant: &str, weights: Weights, files: &[JsValue]) -> Generation {
        let generation = self.number();
        if self.0.variant.replace(variant.into()) != variant {
            self.0.leaving.set(Some(generation));
        }
        self.send_with(&Command::Open { generation, variant: variant.into(), weights }, files);
        generation
    }

    /// Whether this variant was opened last.
    pub fn has_open(&self, variant: &str) -> bool {
        *self.0.variant.borrow() == variant
    }

    /// A request whose failure goes to the script that made it, not to the reader of the page.
    pub fn quietly(&self, request: Generation) {
        self.0.quiet.borrow_mut().insert(request);
    }

    /// The request, where an event is the failure of such a one.
    pub fn quiet_failure(&self, event: &Event) -> Option<Generation> {
        match event {
            Event::Failed { request: Some(request), .. } => {
                Some(*request).filter(|r| self.0.quiet.borrow().contains(r))
            }
            _ => None,
        }
    }
}
