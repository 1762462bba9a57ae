//! Our engine for a benchmark page: networks from a graph file and raw weights, forward passes and SGD steps, each read back.
//! Knows executors and plans; neither worker nor page.

use receptive::arch::Architecture;
use receptive::graph::{Graph, NodeId};
use receptive::ops::{Activation, AdaptiveAvgPool2d, Add, AvgPool2d, Buf, Concat, Conv2d, Flatten, Linear, Loss, MaxPool2d, Op, Window};
use receptive::plan::{Plan, Request};
use receptive::tensor::Shape;
use receptive::{cpu, gpu};
use serde::Deserialize;
use std::collections::HashMap;
use wasm_bindgen::prelude::*;

/// `NAME.json` of the harness: an ONNX graph as plain data.
#[derive(Deserialize)]
struct File {
    input: String,
    output: String,
    nodes: Vec<FileNode>,
    weights: HashMap<String, FileWeight>,
}

#[derive(Deserialize)]
struct FileNode {
    op: String,
    r#in: Vec<String>,
    out: String,
    #[serde(default)]
    attrs: Attributes,
}

#[derive(Deserialize, Default)]
struct Attributes {
    #[serde(default)]
    kernel_shape: Vec<usize>,
    #[serde(default)]
    strides: Vec<usize>,
    #[serde(default)]
    pads: Vec<usize>,
    #[serde(default)]
    ceil_mode: usize,
    #[serde(default)]
    group: usize,
}

#[derive(Deserialize)]
struct FileWeight {
    shape: Vec<usize>,
    offset: usize,
}

enum Executor {
    Cpu(cpu::Executor<f32>, cpu::ProgramId),
    Gpu(gpu::Executor, gpu::ProgramId),
}

impl Executor {
    async fn new(backend: &str, net: &Architecture, params: Vec<Vec<f32>>, plan: Plan) -> Result<Self, JsError> {
        if backend == "webgpu" {
            let mut executor = gpu::Executor::new(gpu::Gpu::acquire().await?, &params)?;
            let program = executor.prepare(net, plan)?;
            Ok(Self::Gpu(executor, program))
        } else {
            let mut executor = cpu::Executor::new(params);
            let program = executor.prepare(net, plan);
            Ok(Self::Cpu(executor, program))
        }
    }

    fn write(&mut self, buf: Option<Buf>, data: &[f32]) -> Result<(), JsError> {
        let buf = buf.ok_or_else(|| JsError::new("the plan has no such buffer"))?;
        match self {
            Self::Cpu(executor, program) => executor.write(*program, buf).copy_from_slice(data),
            Self::Gpu(executor, program) => executor.write(*program, buf, data)?,
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), JsError> {
        match self {
            Self::Cpu(executor, program) => executor.run(*program),
            Self::Gpu(executor, program) => executor.run(*program)?,
        }
        Ok(())
    }

    async fn read(&mut self, buf: Option<Buf>) -> Result<Vec<f32>, JsError> {
        let buf = buf.ok_or_else(|| JsError::new("the plan has no such buffer"))?;
        match self {
            Self::Cpu(executor, program) => Ok(executor.read(*program, buf).to_vec()),
            Self::Gpu(executor, program) => Ok(executor.read(*program, &[buf]).await?.swap_remove(0)),
        }
    }
}

/// A network for forward passes of one image.
#[wasm_bindgen]
pub struct Net {
    executor: Executor,
    plan: Plan,
    output: NodeId,
}

#[wasm_bindgen]
impl Net {
    /// From the harness' graph file, its raw weights and the input's c×h×w.
    pub async fn create(backend: String, graph: String, weights: Vec<f32>, shape: Vec<usize>) -> Result<Net, JsError> {
        let (net, params) = read(&graph, &weights, &shape)?;
        let plan = Plan::new(&net, &Request::inference(1, &[]));
        Ok(Self { executor: Executor::new(&backend, &net, params, plan.clone()).await?, plan, output: net.output })
    }

    /// One forward pass, the output read back.
    pub async fn run(&mut self, input: Vec<f32>) -> Result<Vec<f32>, JsError> {
        self.executor.write(self.plan.inputs.first().copied(), &input)?;
        self.executor.run()?;
        self.executor.read(self.plan.values[self.output]).await
    }
}

/// A network for SGD steps.
#[wasm_bindgen]
pub struct Trainer {
    executor: Executor,
    plan: Plan,
}

#[wasm_bindgen]
impl Trainer {
    /// The harness' LeNet-5 (tanh, average pooling) from its weights, in the order c1.w, c1.b, c3.w, … f7.b; or, with
    /// `variant`, a variant of ours from random weights.
    pub async fn create(backend: String, variant: Option<String>, batch: usize, lr: f32, momentum: f32, weights: Vec<f32>) -> Result<Trainer, JsError> {
        let (net, params) = match variant {
            Some(name) => {
                let net = receptive::arch::variant(&name).ok_or_else(|| JsError::new(&name))?.build()?;
                let params = net.initial(1);
                (net, params)
            }
            None => {
                let net = tanh_lenet()?;
                let mut at = 0;
                let params = net.graph.params().iter().map(|p| {
                    at += p.param.len();
                    weights[at - p.param.len()..at].to_vec()
                });
                let params = params.collect();
                (net, params)
            }
        };
        let plan = Plan::new(&net, &Request::training(batch));
        let mut executor = Executor::new(&backend, &net, params, plan.clone()).await?;
        executor.write(plan.hyper, &[lr, momentum, 0.0])?;
        Ok(Self { executor, plan })
    }

    /// One step; the loss is read back if wanted.
    pub async fn step(&mut self, images: Vec<f32>, labels: Vec<f32>, want: bool) -> Result<Option<f32>, JsError> {
        self.executor.write(self.plan.inputs.first().copied(), &images)?;
        self.executor.write(self.plan.labels, &labels)?;
        self.executor.run()?;
        if !want {
            return Ok(None);
        }
        Ok(self.executor.read(self.plan.stats).await?.first().copied())
    }
}

fn tanh_lenet() -> Result<Architecture, JsError> {
    let (mut g, pool) = (Graph::new(), AvgPool2d(Window::square(2).stride(2)));
    let layers: [(&str, Op); 12] = [
        ("c1", Conv2d::new(6, 5).into()),
        ("c1_act", Activation::Tanh.into()),
        ("s2", pool.into()),
        ("c3", Conv2d::new(16, 5).into()),
        ("c3_act", Activation::Tanh.into()),
        ("s4", pool.into()),
        ("c5", Conv2d::new(120, 5).into()),
        ("c5_act", Activation::Tanh.into()),
        ("flatten", Flatten.into()),
        ("f6", Linear::new(84).into()),
        ("f6_act", Activation::Tanh.into()),
        ("f7", Linear::new(10).into()),
    ];
    let mut x = g.input("input", Shape::new(1, 32, 32))?;
    for (name, op) in layers {
        x = g.push(name, op, &[x])?;
    }
    Ok(Architecture::unnamed(g, x, Loss::CrossEntropy))
}

fn read(graph: &str, weights: &[f32], shape: &[usize]) -> Result<(Architecture, Vec<Vec<f32>>), JsError> {
    let file: File = serde_json::from_str(graph)?;
    let [.., c, h, w] = *shape else { return Err(JsError::new("the input is not c×h×w")) };
    let (mut g, mut params) = (Graph::new(), Vec::new());
    let mut nodes = HashMap::from([(file.input.clone(), g.input("input", Shape::new(c, h, w))?)]);
    for node in &file.nodes {
        let a = &node.attrs;
        let own: Vec<&FileWeight> = node.r#in.iter().filter_map(|name| file.weights.get(name)).collect();
        let first = |v: &[usize], default| v.first().copied().unwrap_or(default);
        let window = || {
            let mut window = Window::square(1).stride(first(&a.strides, 1)).padding(first(&a.pads, 0));
            window.kernel = [first(&a.kernel_shape, 1), a.kernel_shape.get(1).copied().unwrap_or(1)];
            window.ceil = a.ceil_mode != 0;
            window
        };
        let outputs = own.first().map_or(0, |w| w.shape[0]);
        let op: Op = match node.op.as_str() {
            "Conv" => Conv2d { window: window(), groups: a.group.max(1), bias: own.len() > 1, ..Conv2d::new(outputs, 1) }.into(),
            "Gemm" => Linear::new(outputs).into(),
            "Relu" => Activation::Relu.into(),
            "Tanh" => Activation::Tanh.into(),
            "MaxPool" => MaxPool2d(window()).into(),
            "AveragePool" => AvgPool2d(window()).into(),
            "GlobalAveragePool" => AdaptiveAvgPool2d::GLOBAL.into(),
            "Add" => Add.into(),
            "Concat" => Concat.into(),
            "Flatten" => Flatten.into(),
            other => return Err(JsError::new(&format!("no op for {other}"))),
        };
        let inputs: Vec<NodeId> = node.r#in.iter().filter_map(|name| nodes.get(name).copied()).collect();
        nodes.insert(node.out.clone(), g.push(&node.out, op, &inputs)?);
        for weight in own {
            let at = weight.offset / 4;
            params.push(weights[at..at + weight.shape.iter().product::<usize>()].to_vec());
        }
    }
    let output = *nodes.get(&file.output).ok_or_else(|| JsError::new("no output"))?;
    Ok((Architecture::unnamed(g, output, Loss::CrossEntropy), params))
}
