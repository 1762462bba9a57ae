//! `window.receptive`: the page for scripts — lessons, embedding, tests, benchmarks. Built on the same client as the components;
//! what it promises stands in `www/receptive.d.ts`. Typed arrays go in and out; what fails is rejected with a sentence.

use super::app::say;
use super::client::{Client, Heard};
use super::hooks::Words;
use super::state::{Action, Lang, Model};
use crate::arch::{self, Architecture};
use crate::graph::NodeId;
use crate::ops::Layer;
use crate::protocol::{Backend, Command, EngineInfo, Event, Fault, Generation, Picture, Source, Weights};
use js_sys::{Array, Float32Array, Function, Object, Promise, Reflect};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use yew::UseReducerDispatcher;

type Dispatcher = UseReducerDispatcher<Model>;
type Answer = Result<JsValue, JsValue>;

/// What scripts need to know between calls.
#[derive(Clone)]
struct Script {
    client: Client,
    page: Dispatcher,
    /// The engine, once it said which.
    engine: Rc<RefCell<Option<EngineInfo>>>,
    /// The open network's name, once it is open.
    open: Rc<RefCell<Option<String>>>,
}

/// Puts `window.receptive` in place.
pub fn publish(client: &Client, page: &Dispatcher) {
    let script = Script { client: client.clone(), page: page.clone(), engine: Rc::default(), open: Rc::default() };
    let (engine, open) = (script.engine.clone(), script.open.clone());
    let listening = client.listen(move |heard| match &heard.event {
        Event::Engine(info) => *engine.borrow_mut() = Some(info.clone()),
        Event::Opened { variant, .. } => *open.borrow_mut() = Some(variant.clone()),
        _ => {}
    });
    std::mem::forget(listening); // as long as the page
    let object = Object::new();
    let ready = {
        let script = script.clone();
        let opened: Pin<Box<dyn Future<Output = Answer>>> = Box::pin(async move {
            if script.open.borrow().is_none() {
                script.wait(|event| matches!(event, Event::Opened { .. }).then_some(Ok(()))).await?;
            }
            Ok(JsValue::UNDEFINED)
        });
        future_to_promise(opened)
    };
    put(&object, "ready", &ready);
    method(&object, "backend", &script, |s, _| async move {
        if s.engine.borrow().is_none() {
            s.wait(|event| matches!(event, Event::Engine(_)).then_some(Ok(()))).await?;
        }
        s.engine_object()
    });
    method(&object, "useBackend", &script, |s, args| async move {
        let backend = match args.get(0).as_string().as_deref() {
            Some("gpu") => Backend::Gpu,
            Some("cpu") => Backend::Cpu,
            _ => return Err(error("useBackend takes \"gpu\" or \"cpu\".")),
        };
        let done = s.wait(move |event| match event {
            Event::Engine(info) if info.backend == backend => Some(Ok(())),
            Event::Failed { request: None, fault } => Some(Err(error(&told(fault)))),
            _ => None,
        });
        s.client.send(&Command::UseBackend(backend));
        done.await?;
        s.engine_object()
    });
    method(&object, "variants", &script, |_, _| async move {
        let list = arch::VARIANTS.iter().map(|v| {
            let line = Object::new();
            put(&line, "variant", &v.name.into());
            put(&line, "title", &v.title.into());
            put(&line, "year", &v.year.into());
            JsValue::from(line)
        });
        Ok(list.collect::<Array>().into())
    });
    method(&object, "facts", &script, |_, args| async move { facts(&build(&args.get(0))?) });
    method(&object, "open", &script, |s, args| async move { s.open_variant(&args.get(0), &args.get(1)).await });
    method(&object, "infer", &script, |s, args| async move { s.infer(&args.get(0)).await });
    method(&object, "activation", &script, |s, args| async move { s.activation(&args.get(0)).await });
    method(&object, "train", &script, |s, args| async move { s.train(&args.get(0)).await });
    method(&object, "selfTest", &script, |s, _| async move { s.self_test().await });
    method(&object, "loseDevice", &script, |s, _| async move {
        s.client.send(&Command::LoseDevice);
        Ok(JsValue::UNDEFINED)
    });
    let _ = Reflect::set(&super::hooks::window(), &"receptive".into(), &object);
}

/// Adds a method that returns a promise.
fn method<F, R>(object: &Object, name: &str, script: &Script, body: F)
where
    F: Fn(Script, Array) -> R + 'static,
    R: Future<Output = Answer> + 'static,
{
    let script = script.clone();
    let call = Closure::<dyn Fn(JsValue, JsValue) -> Promise>::new(move |a: JsValue, b: JsValue| {
        // Boxed: the promise's machinery is compiled once, not once a method.
        let answer: Pin<Box<dyn Future<Output = Answer>>> = Box::pin(body(script.clone(), Array::of2(&a, &b)));
        future_to_promise(answer)
    });
    put(object, name, call.as_ref());
    call.forget(); // as long as the page
}

fn put(object: &Object, key: &str, value: &JsValue) {
    let _ = Reflect::set(object, &key.into(), value);
}

fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or_default()
}

/// A fault as a script hears it: the page's sentence, then the engine's own, which names what it is about.
fn told(fault: &Fault) -> String {
    let said = say(Words(Lang::En), fault);
    if fault.detail.is_empty() || said.contains(&fault.detail) { said } else { format!("{said}\n{}", fault.detail) }
}

fn error(sentence: &str) -> JsValue {
    js_sys::Error::new(sentence).into()
}

fn build(name: &JsValue) -> Result<Architecture, JsValue> {
    let name = name.as_string().unwrap_or_default();
    let variant = arch::variant(&name).ok_or_else(|| {
        let names: Vec<&str> = arch::VARIANTS.iter().map(|v| v.name).collect();
        error(&format!("There is no variant \"{name}\"; there are: {}.", names.join(", ")))
    })?;
    variant.build().map_err(|e| error(&format!("{e}.")))
}

fn floats(value: &JsValue, what: &str) -> Result<Vec<f32>, JsValue> {
    value
        .dyn_ref::<Float32Array>()
        .map(Float32Array::to_vec)
        .ok_or_else(|| error(&format!("{what} must be a Float32Array.")))
}

impl Script {
    /// The first event for which `pick` has an answer. Listens from this call on, not from the first poll.
    fn wait<T: 'static, F: Fn(&Event) -> Option<Result<T, JsValue>> + 'static>(
        &self,
        pick: F,
    ) -> impl Future<Output = Result<T, JsValue>> + use<T, F> {
        let found: Rc<RefCell<Option<Result<T, JsValue>>>> = Rc::default();
        let resolve: Rc<RefCell<Option<Function>>> = Rc::default();
        let promise = Promise::new(&mut |done, _| {
            resolve.borrow_mut().replace(done);
        });
        let listening = self.client.listen({
            let found = found.clone();
            move |heard: &Heard| {
                if found.borrow().is_some() {
                    return;
                }
                if let Some(answer) = pick(&heard.event) {
                    *found.borrow_mut() = Some(answer);
                    if let Some(resolve) = resolve.borrow_mut().take() {
                        let _ = resolve.call0(&JsValue::UNDEFINED);
                    }
                }
            }
        });
        async move {
            let _listening = listening;
            JsFuture::from(promise).await?;
            let answer = found.borrow_mut().take();
            answer.unwrap_or_else(|| Err(error("The engine gave no answer.")))
        }
    }

    /// The answer to a request: `pick` sees successes, a failure of this request rejects.
    fn answer<T: 'static, F: Fn(&Event) -> Option<T> + 'static>(
        &self,
        request: Generation,
        pick: F,
    ) -> impl Future<Output = Result<T, JsValue>> + use<T, F> {
        self.client.quietly(request);
        self.wait(move |event| match event {
            Event::Failed { request: Some(r), fault } if *r == request => Some(Err(error(&told(fault)))),
            Event::Failed { request: None, fault } if fault.key == "engine-crashed" => Some(Err(error(&told(fault)))),
            event => pick(event).map(Ok),
        })
    }

    fn engine_object(&self) -> Answer {
        let engine = self.engine.borrow();
        let engine = engine.as_ref().ok_or_else(|| error("The engine is still starting."))?;
        let out = Object::new();
        put(&out, "backend", &if engine.backend == Backend::Gpu { "gpu" } else { "cpu" }.into());
        put(&out, "adapter", &engine.adapter.as_str().into());
        let why = serde_wasm_bindgen::to_value(&engine.why).unwrap_or_default();
        put(&out, "why", &why);
        put(&out, "gpuAvailable", &engine.gpu_available.into());
        Ok(out.into())
    }

    fn architecture(&self) -> Result<Architecture, JsValue> {
        let name =
            self.open.borrow().clone().ok_or_else(|| error("No network is open yet: await receptive.ready first."))?;
        build(&name.into())
    }

    async fn open_variant(self, name: &JsValue, weights: &JsValue) -> Answer {
        let arch = build(name)?;
        let variant = arch.variant.name;
        let seed = get(weights, "seed");
        let (source, files) = if weights.is_undefined() || weights.is_null() {
            (Weights::Shipped, Vec::new())
        } else if let Some(buffer) = weights.dyn_ref::<js_sys::ArrayBuffer>() {
            // A copy: the caller keeps its own.
            (Weights::File("script.safetensors".into()), vec![JsValue::from(buffer.slice(0))])
        } else if let Some(seed) = seed.as_f64() {
            (Weights::Seed(seed as u64), Vec::new())
        } else if let Some(url) = get(weights, "url").as_string() {
            (Weights::Url(url), Vec::new())
        } else {
            // Handles of files, which the engine reads piece by piece.
            let files = weights.dyn_ref::<Array>().map_or_else(|| vec![weights.clone()], |list| list.to_vec());
            if files.is_empty() || !files.iter().all(|file| file.is_instance_of::<web_sys::Blob>()) {
                return Err(error(
                    "open takes weights as an ArrayBuffer, a File or an array of Files (safetensors), or as { seed } or { url }.",
                ));
            }
            let name = files[0].dyn_ref().map_or_else(|| "script.safetensors".into(), web_sys::File::name);
            (Weights::File(name), files)
        };
        let generation = self.client.open(variant, source, &files);
        self.page.dispatch(Action::Visit(variant.into()));
        self.page.dispatch(Action::Opening(generation));
        let opened = self.answer(generation, move |event| match event {
            Event::Opened { generation: g, .. } if *g == generation => Some(()),
            _ => None,
        });
        opened.await?;
        Ok(JsValue::UNDEFINED)
    }

    async fn infer(self, input: &JsValue) -> Answer {
        let arch = self.architecture()?;
        let (input, shape) = (floats(input, "The input")?, arch.graph.nodes()[arch.graph.source()].shape);
        if input.len() != shape.len() {
            return Err(error(&format!(
                "{} reads {shape} = {} numbers, not {}.",
                arch.variant.name,
                shape.len(),
                input.len()
            )));
        }
        let generation = self.client.number();
        let output = self.answer(generation, move |event| match event {
            Event::Output { generation: g, output: Some(output), milliseconds, .. } if *g == generation => {
                Some((output.clone(), *milliseconds))
            }
            _ => None,
        });
        self.client.send(&Command::Show { generation, picture: Picture::Raw(input) });
        let (output, milliseconds) = output.await?;
        let out = Object::new();
        put(&out, "output", &Float32Array::from(output.as_slice()));
        put(&out, "milliseconds", &milliseconds.into());
        Ok(out.into())
    }

    async fn activation(self, layer: &JsValue) -> Answer {
        let arch = self.architecture()?;
        let name = layer.as_string().unwrap_or_default();
        let node: NodeId = arch.graph.find(&name).ok_or_else(|| {
            let names: Vec<&str> = arch.graph.nodes().iter().map(|n| n.name.as_str()).collect();
            error(&format!("{} has no layer \"{name}\"; it has: {}.", arch.variant.name, names.join(", ")))
        })?;
        let request = self.client.number();
        let tensor = self.answer(request, move |event| match event {
            Event::Tensor { request: r, shape, data } if *r == request => Some((shape.clone(), data.clone())),
            _ => None,
        });
        self.client.send(&Command::Read { request, source: Source::Value(node) });
        let (shape, data) = tensor.await?;
        let out = Object::new();
        put(&out, "shape", &shape.iter().map(|&n| JsValue::from(n as u32)).collect::<Array>());
        put(&out, "data", &Float32Array::from(data.as_slice()));
        Ok(out.into())
    }

    async fn train(self, options: &JsValue) -> Answer {
        let wanted = get(options, "variant");
        if !wanted.is_undefined() && *self.open.borrow() != wanted.as_string() {
            self.clone().open_variant(&wanted, &JsValue::UNDEFINED).await?;
        }
        let arch = self.architecture()?;
        let shape = arch.graph.nodes()[arch.graph.source()].shape;
        let images = floats(&get(options, "images"), "images")?;
        let labels: Vec<u32> =
            Array::from(&get(options, "labels")).iter().filter_map(|v| v.as_f64()).map(|v| v as u32).collect();
        if images.is_empty() || images.len() != labels.len() * shape.len() {
            return Err(error(&format!(
                "train takes {shape} = {} numbers an image and one label each; there are {} numbers and {} labels.",
                shape.len(),
                images.len(),
                labels.len()
            )));
        }
        let number = |key: &str, usual: f64| get(options, key).as_f64().unwrap_or(usual);
        let request = self.client.number();
        let trained = self.answer(request, move |event| match event {
            Event::TrainedOn { request: r, losses, milliseconds } if *r == request => {
                Some((losses.clone(), *milliseconds))
            }
            _ => None,
        });
        self.client.send(&Command::TrainOn {
            request,
            images,
            labels,
            batch: number("batch", 64.0) as usize,
            steps: number("steps", 1.0) as usize,
            lr: number("lr", 0.01) as f32,
            momentum: number("momentum", 0.9) as f32,
            weight_decay: number("weightDecay", 0.0) as f32,
        });
        let (losses, milliseconds) = trained.await?;
        let out = Object::new();
        put(&out, "losses", &Float32Array::from(losses.as_slice()));
        put(&out, "milliseconds", &milliseconds.into());
        Ok(out.into())
    }

    async fn self_test(self) -> Answer {
        let request = self.client.number();
        let tested = self.answer(request, move |event| match event {
            Event::SelfTested { request: r, cases, failed } if *r == request => Some((cases.clone(), failed.clone())),
            _ => None,
        });
        self.client.send(&Command::SelfTest { request });
        let (cases, failed) = tested.await?;
        let cases = cases.iter().map(|(name, error)| {
            let line = Object::new();
            put(&line, "name", &name.as_str().into());
            put(&line, "error", &(*error).into());
            JsValue::from(line)
        });
        let out = Object::new();
        put(&out, "cases", &cases.collect::<Array>());
        put(&out, "failed", &failed.iter().map(|n| JsValue::from(n.as_str())).collect::<Array>());
        Ok(out.into())
    }
}

/// The facts document, as the command line prints it.
fn facts(arch: &Architecture) -> Answer {
    use crate::graph::{cost, receptive_field};
    let fields = receptive_field::fields(&arch.graph);
    let needed = arch.inference_nodes();
    let total = arch.cost();
    let list =
        |numbers: &[usize]| -> JsValue { numbers.iter().map(|&n| JsValue::from(n as f64)).collect::<Array>().into() };
    let layers = Array::new();
    for (id, node) in arch.graph.nodes().iter().enumerate().filter(|(id, _)| needed[*id]) {
        let (line, cost, field) = (Object::new(), cost::node(&arch.graph, id), fields[id]);
        put(&line, "name", &node.name.as_str().into());
        put(&line, "op", &node.op.name().into());
        put(&line, "group", &node.group.as_str().into());
        let inputs = node.inputs.iter().map(|&i| JsValue::from(arch.graph.nodes()[i].name.as_str()));
        put(&line, "inputs", &inputs.collect::<Array>());
        put(&line, "shape", &list(&<[usize; 3]>::from(node.shape)));
        put(&line, "parameters", &(cost.parameters as f64).into());
        put(&line, "macs", &(cost.macs as f64).into());
        let seen = Object::new();
        put(&seen, "size", &(field.y.size() as f64).into());
        put(&seen, "jump", &(field.y.jump as f64).into());
        put(&seen, "start", &(field.y.first as f64).into());
        put(&line, "receptive_field", &seen);
        layers.push(&line);
    }
    let out = Object::new();
    put(&out, "variant", &arch.variant.name.into());
    put(&out, "title", &arch.variant.title.into());
    put(&out, "year", &arch.variant.year.into());
    put(&out, "input", &list(&<[usize; 3]>::from(arch.graph.nodes()[arch.graph.source()].shape)));
    put(&out, "parameters", &(total.parameters as f64).into());
    if arch.auxiliary_parameters() > 0 {
        put(&out, "auxiliary_parameters", &(arch.auxiliary_parameters() as f64).into());
    }
    put(&out, "macs", &(total.macs as f64).into());
    put(&out, "layers", &layers);
    Ok(out.into())
}
