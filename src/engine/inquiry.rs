//! Inquiries in a session: what of the input a unit or a class depends on, in passes between the commands, each result told as far as it
//! is known. Knows the session and [`super::attribution`]; of the world only what [`super::platform::Platform`] offers.

use super::attribution::{self, Probe, Question};
use super::executor::{GpuError, Program};
use super::platform::Files;
use super::session::{Opened, Session, Trouble, fault, nothing_open, nothing_shown};
use crate::arch::Architecture;
use crate::data::photo::{self, Photo};
use crate::graph::NodeId;
use crate::plan::{Plan, Request};
use crate::protocol::{Event, Generation, Inquiry, Over, Picture};
use crate::rng::Rng;
use crate::tensor::{Shape, Unit};

/// Milliseconds between two reports of a result that is not finished, and between two looks into the inbox.
const REPORT: f64 = 150.0;
const SLICE: f64 = 30.0;
/// Of networks up to [`Architecture::LIVE`] so many pictures go through at once.
const BATCH: usize = 16;
/// Pictures of noise, and test digits, over which is averaged.
const PICTURES: usize = 16;
/// Passes over all maps together, each with random signs, for large networks and small ones.
const DRAWS: [usize; 2] = [8, 64];
/// Maps up to which each has a pass of its own in a small network that sees one picture: that is exact.
const MAPS: usize = 128;

/// The inquiry that goes on, and the probe that the last one leaves for the next: while a network learns, the same is asked again and again.
#[derive(Default)]
pub(super) struct Inquest {
    /// Number of the last one.
    newest: Generation,
    running: Option<Running>,
    probe: Option<(Question, Probe)>,
}

/// An inquiry and how far it is.
struct Running {
    request: Generation,
    work: Work,
    done: usize,
    total: usize,
    class: Option<(usize, f32)>,
    maps: Vec<f32>,
    shape: Shape,
    told: f64,
}

enum Work {
    /// Gradients for passes, of which `Running::done` are made.
    Gradients { question: Question, passes: Vec<Pass>, pictures: Vec<Vec<f32>>, then: Then },
    /// Forward passes with a patch over the picture.
    Occlusion { program: Program, picture: Vec<f32>, before: f32, patch: usize, stride: usize },
}

/// What a pass sends back through the network, and for which of the pictures.
#[derive(Clone)]
struct Pass {
    picture: usize,
    upstream: Upstream,
}

#[derive(Clone)]
enum Upstream {
    /// One unit.
    Unit(Unit),
    /// The position of a unit in all maps, each with a random sign: the mean square over the draws of what comes of it is the sum of
    /// the squares over the maps, for products of two different signs cancel.
    Signs(Unit, u64),
    /// The score of a class.
    Score(usize),
}

/// What becomes of gradients.
enum Then {
    /// √(sum of squares / this many).
    Effective {
        sum: Vec<f32>,
        over: f32,
    },
    Saliency,
    GradCam,
}

/// Some adapters do not hold the largest weights in one piece, which gradients need: no failure of the device.
fn trouble(error: GpuError) -> Trouble {
    match error {
        GpuError::TooLarge { .. } => Trouble::Fault(fault("inquiry-too-large", &[], error)),
        other => other.into(),
    }
}

fn upstream(net: &Architecture, of: NodeId, what: &Upstream, into: &mut [f32]) {
    let shape = net.graph.nodes()[of].shape;
    into.fill(0.0);
    match *what {
        Upstream::Unit(unit) => into[shape.index(unit)] = 1.0,
        Upstream::Signs(unit, seed) => {
            let mut rng = Rng::new(seed);
            for c in 0..shape.c {
                into[shape.index(Unit { c, ..unit })] = if rng.below(2) == 0 { -1.0 } else { 1.0 };
            }
        }
        Upstream::Score(class) => {
            into.copy_from_slice(&attribution::score_gradient(net.loss, shape.len(), class));
        }
    }
}

impl Session {
    /// Begins an inquiry; the one before is given up.
    pub(super) async fn inquire(&mut self, request: Generation, inquiry: &Inquiry) -> Result<(), Trouble> {
        self.stop_inquiry();
        let opened = self.opened.as_mut().ok_or_else(nothing_open)?;
        opened.inquest.newest = request;
        let opened = &*opened;
        let net = opened.network.net.clone();
        let shape = net.graph.nodes()[net.graph.source()].shape;
        let shown = || opened.network.input().map(<[f32]>::to_vec).ok_or_else(nothing_shown);
        // The class asked about, and its probability.
        let class = |class: Option<usize>| -> Result<(usize, f32), Trouble> {
            let output = opened.network.output().ok_or_else(nothing_shown)?;
            let class = class.unwrap_or_else(|| net.loss.predict(output));
            let mut probabilities = output.to_vec();
            net.loss.probabilities(&mut probabilities);
            let p = probabilities.get(class).copied();
            Ok((class, p.ok_or_else(|| fault("no-such-unit", &[], format!("there is no class {class}")))?))
        };
        let maps_of = |node: NodeId| net.graph.nodes().get(node).map(|n| n.shape);
        let strange = || fault("no-such-unit", &[], format!("{inquiry:?} asks for what is not there"));
        let small = net.cost().macs <= Architecture::LIVE;
        let gradients = |of, nodes: &[NodeId], batch, passes, pictures, then| {
            let question = Question { batch, of, nodes: nodes.to_vec(), layers: Vec::new() };
            Work::Gradients { question, passes, pictures, then }
        };
        let score = |class| vec![Pass { picture: 0, upstream: Upstream::Score(class) }];
        let (work, class, total, shape) = match *inquiry {
            Inquiry::Effective { node, unit, all, over } => {
                let of =
                    maps_of(node).filter(|s| s.contains(unit) && node != net.graph.source()).ok_or_else(strange)?;
                let pictures = self.pictures(&net, over).await?;
                let n = pictures.len();
                let draws = (DRAWS[usize::from(small)] / n).max(1);
                let passes: Vec<Pass> = (0..n)
                    .flat_map(|picture| {
                        let upstreams: Vec<Upstream> = match (all, small && n == 1 && of.c <= MAPS) {
                            (false, _) => vec![Upstream::Unit(unit)],
                            (true, true) => (0..of.c).map(|c| Upstream::Unit(Unit { c, ..unit })).collect(),
                            (true, false) => {
                                (0..draws).map(|i| Upstream::Signs(unit, (picture * draws + i) as u64)).collect()
                            }
                        };
                        upstreams.into_iter().map(move |upstream| Pass { picture, upstream })
                    })
                    .collect();
                let batch = if small { BATCH.min(passes.len()) } else { 1 };
                let total = passes.len();
                let then = Then::Effective { sum: vec![0.0; shape.map()], over: 0.0 };
                (
                    gradients(node, &[net.graph.source()], batch, passes, pictures, then),
                    None,
                    total,
                    Shape { c: 1, ..shape },
                )
            }
            Inquiry::Saliency { class: asked } => {
                let asked = class(asked)?;
                let work =
                    gradients(net.output, &[net.graph.source()], 1, score(asked.0), vec![shown()?], Then::Saliency);
                (work, Some(asked), 1, Shape { c: 2, ..shape })
            }
            Inquiry::GradCam { class: asked, node } => {
                let of = maps_of(node).filter(|_| node <= net.output).ok_or_else(strange)?;
                let asked = class(asked)?;
                let work = gradients(net.output, &[node], 1, score(asked.0), vec![shown()?], Then::GradCam);
                (work, Some(asked), 1, Shape { c: 1, ..of })
            }
            Inquiry::Occlusion { class: asked, patch, stride } => {
                if patch == 0 || stride == 0 {
                    return Err(strange().into());
                }
                let (asked, picture) = (class(asked)?, shown()?);
                let grid = Shape::new(1, shape.h.div_ceil(stride), shape.w.div_ceil(stride));
                let batch = if small { BATCH.min(grid.map()) } else { 1 };
                let Some(opened) = &mut self.opened else { return Ok(()) };
                let program =
                    opened.network.executor.prepare(&net, Plan::new(&net, &Request::inference(batch, &[])))?;
                let before = net.loss.standing(opened.network.output().ok_or_else(nothing_shown)?, asked.0);
                (Work::Occlusion { program, picture, before, patch, stride }, Some(asked), grid.map(), grid)
            }
        };
        let maps = vec![f32::NAN; shape.len()];
        let told = self.world.now();
        let Some(opened) = &mut self.opened else { return Ok(()) };
        opened.inquest.running = Some(Running { request, work, done: 0, total, class, maps, shape, told });
        Ok(())
    }

    /// The network's inputs over which an effective receptive field is averaged.
    async fn pictures(&mut self, net: &Architecture, over: Over) -> Result<Vec<Vec<f32>>, Trouble> {
        let shape = net.graph.nodes()[net.graph.source()].shape;
        match over {
            Over::Shown => {
                let input = self.opened.as_ref().and_then(|o| o.network.input());
                Ok(vec![input.ok_or_else(nothing_shown)?.to_vec()])
            }
            Over::Noise => {
                let count = if net.cost().macs <= Architecture::LIVE { PICTURES } else { DRAWS[0] };
                let mut rng = Rng::stream(1, "noise");
                Ok((0..count).map(|_| (0..shape.len()).map(|_| rng.normal()).collect()).collect())
            }
            Over::Samples if net.reads_digits() => {
                let mut out = Vec::new();
                for i in 0..PICTURES {
                    let picture = Picture::SampleOf { digit: (i % 10) as u8, nth: i / 10 };
                    out.extend(self.prepare(net, &picture).await?.0);
                }
                Ok(out)
            }
            Over::Samples => {
                let mut out = Vec::new();
                for i in 0..photo::SAMPLES.len() {
                    let (pixels, width, height) = self.unpack(&Picture::SamplePhoto(i), &mut Files::new()).await?;
                    let photo = Photo::new(&pixels, width, height);
                    let photo = photo.map_err(|e| fault("photo", &[("detail", &e.to_string())], e))?;
                    out.push(photo.prepare(net.normalisation, shape.into()));
                }
                Ok(out)
            }
        }
    }

    /// Gives up the inquiry that goes on; the probe stays for the next one.
    fn stop_inquiry(&mut self) {
        let Some(opened) = &mut self.opened else { return };
        if let Some(Running { work: Work::Occlusion { program, .. }, .. }) = opened.inquest.running.take() {
            opened.network.executor.release(program);
        }
    }

    /// Gives up an inquiry, and the probe, unless another has begun since.
    pub(super) fn abandon(&mut self, request: Generation) {
        if self.opened.as_ref().is_none_or(|o| o.inquest.newest > request) {
            return;
        }
        self.stop_inquiry();
        let Some(opened) = &mut self.opened else { return };
        if let Some((_, probe)) = opened.inquest.probe.take() {
            probe.release(&mut opened.network.executor);
        }
    }

    /// Makes the next passes of the inquiry; `false`: there is none.
    pub(super) async fn inquire_further(&mut self) -> bool {
        if self.opened.as_ref().is_none_or(|o| o.inquest.running.is_none()) {
            return false;
        }
        self.world.pause().await;
        if self.inbox.is_waiting() {
            return true;
        }
        let before = self.world.now();
        let mut done = Ok(());
        while done.is_ok() && self.world.now() - before < SLICE {
            let Some(opened) = &mut self.opened else { break };
            let Some(running) = &mut opened.inquest.running else { break };
            if running.done == running.total {
                break;
            }
            let request = running.request;
            done = pass(opened).await.map_err(|error| (request, error));
        }
        match done {
            Ok(()) => self.tell_found(),
            Err((request, error)) => match trouble(error) {
                Trouble::Lost => self.lose().await,
                trouble => {
                    self.stop_inquiry();
                    self.report(Some(request), Err(trouble));
                }
            },
        }
        true
    }

    fn tell_found(&mut self) {
        let now = self.world.now();
        let Some(opened) = &mut self.opened else { return };
        let Some(running) = &mut opened.inquest.running else { return };
        let finished = running.done == running.total;
        if !finished && now - running.told < REPORT {
            return;
        }
        running.told = now;
        let Running { request, class, shape, done, total, .. } = *running;
        let maps = running.maps.clone();
        self.send(Event::Found { request, maps, shape, class, done, total });
        if finished {
            self.stop_inquiry();
        }
    }
}

/// One pass of the running inquiry, or a batch of them.
async fn pass(opened: &mut Opened) -> Result<(), GpuError> {
    let Opened { network, inquest, .. } = opened;
    let (net, executor) = (network.net.clone(), &mut network.executor);
    let Some(running) = &mut inquest.running else { return Ok(()) };
    let input = net.graph.nodes()[net.graph.source()].shape;
    let first = running.done;
    match &mut running.work {
        Work::Gradients { question, passes, pictures, then } => {
            if inquest.probe.as_ref().is_none_or(|(known, _)| known != question) {
                if let Some((_, old)) = inquest.probe.take() {
                    old.release(executor);
                }
                inquest.probe = Some((question.clone(), Probe::new(&net, executor, question)?));
            }
            let Some((_, probe)) = &inquest.probe else { return Ok(()) };
            let now = &passes[first..passes.len().min(first + question.batch)];
            let len = net.graph.nodes()[question.of].shape.len();
            let mut inputs = Vec::with_capacity(question.batch * input.len());
            let mut upstreams = vec![0.0; question.batch * len];
            for (pass, into) in now.iter().zip(upstreams.chunks_exact_mut(len)) {
                inputs.extend_from_slice(&pictures[pass.picture]);
                upstream(&net, question.of, &pass.upstream, into);
            }
            // What is left of the batch shows the same picture, and nothing is sent back through it.
            inputs.resize(question.batch * input.len(), 0.0);
            let answered = probe.run(executor, &inputs, &upstreams).await?;
            running.done += now.len();
            let (Some(values), Some(gradients)) = (answered.values.first(), answered.gradients.first()) else {
                return Ok(());
            };
            running.maps = match then {
                Then::Saliency => {
                    let maps = [
                        attribution::saliency(gradients, input),
                        attribution::gradient_times_input(gradients, &inputs, input),
                    ];
                    maps.concat()
                }
                Then::GradCam => attribution::grad_cam(values, gradients, net.graph.nodes()[question.nodes[0]].shape),
                Then::Effective { sum, over } => {
                    for (pass, gradient) in now.iter().zip(gradients.chunks_exact(input.len())) {
                        let energy = attribution::energy(gradient, input);
                        sum.iter_mut().zip(energy).for_each(|(sum, e)| *sum += e);
                        *over += match pass.upstream {
                            Upstream::Signs(..) => net.graph.nodes()[question.of].shape.c as f32,
                            Upstream::Unit(_) | Upstream::Score(_) => 1.0,
                        };
                    }
                    sum.iter().map(|sum| (sum / *over).sqrt()).collect()
                }
            };
        }
        Work::Occlusion { program, picture, before, patch, stride } => {
            let Some((class, _)) = running.class else { return Ok(()) };
            let plan = &program.plan;
            let last = running.total.min(first + plan.batch);
            let mut inputs = Vec::with_capacity(plan.batch * input.len());
            for place in first..last {
                let at = inputs.len();
                inputs.extend_from_slice(picture);
                let cell = [place / running.shape.w, place % running.shape.w];
                attribution::cover(&mut inputs[at..], input, *patch, *stride, cell);
            }
            inputs.resize(plan.batch * input.len(), 0.0);
            let (Some(&into), Some(output)) = (plan.inputs.first(), plan.values[net.output]) else { return Ok(()) };
            executor.write(program, into, &inputs)?;
            executor.run(program)?;
            let outputs = executor.read(program, &[output]).await?;
            let classes = net.graph.nodes()[net.output].shape.len();
            let images = outputs.iter().flat_map(|o| o.chunks_exact(classes));
            for (output, found) in images.zip(&mut running.maps[first..last]) {
                *found = *before - net.loss.standing(output, class);
            }
            running.done = last;
        }
    }
    Ok(())
}
