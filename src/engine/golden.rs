//! Golden files: documents that name a network, a seed and a batch, and say what PyTorch computes (`tests/golden/README.md`).
//! This computes the same document anew. No weights are stored: every tensor is generated from its name.

use super::executor::{Executor, GpuError};
use crate::arch::{Architecture, variant};
use crate::gpu::Gpu;
use crate::graph::GraphError;
use crate::ops::{Buf, Role};
use crate::plan::{LOSS_STATS, Plan, Request, Task};
use crate::protocol::Backend;
use crate::rng::fill;
use serde_json::{Map, Value, json};

/// Why a golden could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// Not JSON.
    #[error("this is not a golden file: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but not of the form.
    #[error("this is not a golden file: {0} is missing or of another form")]
    Form(&'static str),
    /// Another network.
    #[error("there is no network called {0}")]
    Unknown(String),
    /// A tensor that the network has not, or in another shape.
    #[error("{network} has no tensor {tensor} of shape {shape:?}")]
    Tensor {
        /// Of which network.
        network: String,
        /// The tensor's name.
        tensor: String,
        /// The shape in the file.
        shape: Vec<usize>,
    },
    /// The declaration.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

struct Range {
    name: String,
    shape: Vec<usize>,
    lo: f64,
    hi: f64,
}

impl Range {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            name: value.get("name")?.as_str()?.to_string(),
            shape: value
                .get("shape")?
                .as_array()?
                .iter()
                .map(|d| d.as_u64().map(|d| d as usize))
                .collect::<Option<_>>()?,
            lo: value.get("lo")?.as_f64()?,
            hi: value.get("hi")?.as_f64()?,
        })
    }

    fn fill(&self, seed: &str) -> Vec<f32> {
        fill(seed, &self.name, self.shape.iter().product(), self.lo, self.hi)
    }
}

/// Computes the document of a golden file: the same keys, our values.
///
/// # Errors
/// [`GoldenError`].
pub async fn compute(file: &str, backend: Backend) -> Result<Value, GoldenError> {
    use GoldenError::Form;
    let want: Value = serde_json::from_str(file)?;
    let text = |key: &'static str| want.get(key).and_then(Value::as_str).ok_or(Form(key));
    let (name, seed) = (text("net")?, text("seed")?);
    let training = text("mode")? == "training";
    let batch = want.get("batch").and_then(Value::as_u64).ok_or(Form("batch"))? as usize;
    let input = want.get("input").and_then(Range::read).ok_or(Form("input"))?;
    let net = variant(name).ok_or_else(|| GoldenError::Unknown(name.to_string()))?.build()?;
    let net = if training { net.without_dropout()? } else { net }; // PyTorch's is off too
    let params = parameters(&net, &want, seed)?;
    let executor = match backend {
        Backend::Cpu => Executor::cpu(params),
        Backend::Gpu => Executor::gpu(Gpu::acquire().await?, &params)?,
    };
    let shape = net.graph.nodes()[net.graph.source()].shape;
    if input.shape != [batch, shape.c, shape.h, shape.w] {
        return Err(GoldenError::Tensor { network: name.into(), tensor: input.name, shape: input.shape });
    }
    let x = input.fill(seed);
    let mut out = want.as_object().cloned().ok_or(Form("the document"))?;
    if training {
        gradients(&net, executor, &want, &x, &mut out).await?;
    } else {
        values(&net, executor, &want, &x, &mut out).await?;
    }
    Ok(Value::Object(out))
}

/// Every parameter as the file generates it; those it does not name stay as the architecture starts them.
fn parameters(net: &Architecture, want: &Value, seed: &str) -> Result<Vec<Vec<f32>>, GoldenError> {
    let mut params = net.initial(0);
    for tensor in want.get("tensors").and_then(Value::as_array).ok_or(GoldenError::Form("tensors"))? {
        let tensor = Range::read(tensor).ok_or(GoldenError::Form("tensors"))?;
        let known = net.graph.params().iter().position(|p| p.name == tensor.name && p.param.shape == tensor.shape);
        let Some(i) = known else {
            return Err(GoldenError::Tensor {
                network: net.variant.name.into(),
                tensor: tensor.name,
                shape: tensor.shape,
            });
        };
        params[i] = tensor.fill(seed);
        net.graph.params()[i].param.mask(&mut params[i]);
    }
    Ok(params)
}

async fn values(
    net: &Architecture,
    mut executor: Executor,
    want: &Value,
    x: &[f32],
    out: &mut Map<String, Value>,
) -> Result<(), GoldenError> {
    let look: Vec<_> = (0..net.graph.nodes().len()).collect();
    let batch = want["batch"].as_u64().unwrap_or(1) as usize;
    let program = executor.prepare(net, Plan::new(net, &Request::inference(batch, &look)))?;
    executor.write(&program, program.plan.inputs[0], x)?;
    executor.run(&program)?;
    let mut layers = Vec::new();
    for row in want.get("layers").and_then(Value::as_array).ok_or(GoldenError::Form("layers"))? {
        let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(buf) = net.graph.find(name).and_then(|id| program.plan.values[id]) else { continue };
        let data = executor.read(&program, &[buf]).await?.swap_remove(0);
        layers.push(summary(row, &data, row["shape"].clone()));
    }
    let buf = program.plan.values[net.output].ok_or(GoldenError::Form("output"))?;
    let output = executor.read(&program, &[buf]).await?.swap_remove(0);
    let cost = net.cost();
    out.insert("layers".into(), layers.into());
    out.insert("output".into(), json!(output));
    out.insert("parameters".into(), json!(cost.parameters + net.auxiliary_parameters()));
    out.insert("macs".into(), json!(cost.macs));
    Ok(())
}

async fn gradients(
    net: &Architecture,
    mut executor: Executor,
    want: &Value,
    x: &[f32],
    out: &mut Map<String, Value>,
) -> Result<(), GoldenError> {
    use GoldenError::Form;
    let labels = want.get("labels").and_then(Value::as_array).ok_or(Form("labels"))?;
    let labels: Vec<f32> = labels.iter().filter_map(Value::as_f64).map(|l| l as f32).collect();
    let request = Request { input_gradient: true, ..Request::training(labels.len()) };
    let mut plan = Plan::new(net, &request);
    plan.steps.retain(|step| !matches!(step.task, Task::Update { .. })); // the gradients are wanted, not the step
    let program = executor.prepare(net, plan)?;
    let plan = &program.plan;
    executor.write(&program, plan.inputs[0], x)?;
    executor.write(&program, plan.labels.ok_or(Form("labels"))?, &labels)?;
    executor.run(&program)?;

    let stats = executor.read(&program, &[plan.stats.ok_or(Form("loss"))?]).await?.swap_remove(0);
    let weights = [1.0].into_iter().chain(net.auxiliary.iter().map(|(_, weight)| *weight));
    let loss: f32 = weights.zip(stats.chunks(LOSS_STATS)).map(|(weight, stats)| weight * stats[0]).sum();
    let mut gradients = Vec::new();
    for row in want.get("gradients").and_then(Value::as_array).ok_or(Form("gradients"))? {
        let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
        let param = net.graph.params().iter().position(|p| p.name == name);
        let Some((i, buf)) = param.and_then(|i| Some((i, plan.param_gradients[i]?))) else { continue };
        let data = executor.read(&program, &[buf]).await?.swap_remove(0);
        gradients.push(with_l2(summary(row, &data, json!(net.graph.params()[i].param.shape)), &data));
    }
    if let (Some(row), Some(buf)) = (want.get("input_gradient"), plan.gradients[net.graph.source()]) {
        let data = executor.read(&program, &[buf]).await?.swap_remove(0);
        out.insert("input_gradient".into(), with_l2(summary(row, &data, row["shape"].clone()), &data));
    }
    let mut running = Vec::new();
    for row in want.get("running_after").and_then(Value::as_array).into_iter().flatten() {
        let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
        let found = net.graph.params().iter().position(|p| p.name == name && matches!(p.param.role, Role::Running(_)));
        let Some(i) = found else { continue };
        let data = executor.read(&program, &[Buf::Param(i)]).await?.swap_remove(0);
        running.push(summary(row, &data, json!(net.graph.params()[i].param.shape)));
    }
    out.insert("loss".into(), json!(loss));
    out.insert("gradients".into(), gradients.into());
    out.insert("running_after".into(), running.into());
    Ok(())
}

/// The row with our numbers: mean, standard deviation (of the population), largest magnitude, and the samples that it asks for.
fn summary(row: &Value, data: &[f32], shape: Value) -> Value {
    let n = data.len().max(1) as f64;
    let mean = data.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = data.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    let asked = row.get("samples").and_then(Value::as_array).into_iter().flatten();
    let samples: Vec<Value> = asked
        .filter_map(|pair| pair.get(0)?.as_u64())
        .filter_map(|i| data.get(i as usize).map(|v| json!([i, v])))
        .collect();
    let mut out = row.as_object().cloned().unwrap_or_default();
    out.insert("shape".into(), shape);
    out.insert("mean".into(), json!(mean));
    out.insert("std".into(), json!(variance.sqrt()));
    out.insert("absmax".into(), json!(data.iter().fold(0.0f32, |a, v| a.max(v.abs()))));
    out.insert("samples".into(), samples.into());
    Value::Object(out)
}

fn with_l2(mut row: Value, data: &[f32]) -> Value {
    row["l2"] = json!(data.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt());
    row
}
