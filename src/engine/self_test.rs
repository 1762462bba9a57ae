//! Every kernel on this very GPU against the CPU: whether a device computes what it should. Knows cases, plans, both executors.

use super::executor::{Executor, GpuError};
use crate::arch::Architecture;
use crate::gpu::Gpu;
use crate::ops::{Buf, Case, Layer, Op};
use crate::plan::{Plan, Request};
use crate::rng::Rng;

/// The largest part of a buffer's magnitude by which the GPU may differ. Drivers may fuse and reorder; a wrong index is far beyond.
pub const TOLERANCE: f32 = 1e-3;

/// A case and its largest relative error.
pub type Outcome = (String, f32);

/// Runs all cases, forward and backward; also tells which of them are beyond [`TOLERANCE`].
///
/// # Errors
/// Where the device refuses a kernel or is lost.
pub async fn run(gpu: &Gpu) -> Result<(Vec<Outcome>, Vec<String>), GpuError> {
    let mut outcomes = Vec::new();
    for case in Op::cases() {
        let name = format!("{}, {}", case.op.name(), case.name);
        outcomes.push((name, one(gpu, &case).await?));
    }
    // NaN is beyond any tolerance
    let bad = |(_, error): &&Outcome| error.is_nan() || *error > TOLERANCE;
    let failed = outcomes.iter().filter(bad).map(|(name, _)| name.clone()).collect();
    Ok((outcomes, failed))
}

async fn one(gpu: &Gpu, case: &Case) -> Result<f32, GpuError> {
    let net = Architecture::of_case(case).map_err(|e| GpuError::Device(e.to_string()))?;
    let plan = Plan::new(&net, &Request::gradient(case.batch, net.output, true));
    let mut rng = Rng::new(5);
    let mut random = |len: usize| (0..len).map(|_| rng.range(-1.0, 1.0)).collect::<Vec<f32>>();
    let mut params: Vec<Vec<f32>> = net.graph.params().iter().map(|p| random(p.param.len())).collect();
    net.graph.params().iter().zip(&mut params).for_each(|(p, data)| p.param.plausible(data));
    let given: Vec<(Buf, Vec<f32>)> =
        plan.inputs.iter().chain(&plan.upstream).map(|&buf| (buf, random(plan.local_len(buf).unwrap_or(0)))).collect();
    let bufs: Vec<Buf> = [plan.values[net.output]]
        .into_iter()
        .chain(plan.gradients.iter().copied())
        .chain(plan.param_gradients.iter().copied())
        .flatten()
        .collect();
    let (mut cpu, mut gpu) = (Executor::cpu(params.clone()), Executor::gpu(gpu.clone(), &params)?);
    let mut results = Vec::new();
    for executor in [&mut cpu, &mut gpu] {
        let program = executor.prepare(&net, plan.clone())?;
        for (buf, data) in &given {
            executor.write(&program, *buf, data)?;
        }
        executor.run(&program)?;
        results.push(executor.read(&program, &bufs).await?);
    }
    let errors = results[0].iter().zip(&results[1]).map(|(right, found)| error(right, found));
    Ok(errors.fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a }))
}

/// The largest difference, as a part of the largest right magnitude.
fn error(right: &[f32], found: &[f32]) -> f32 {
    let scale = right.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    let differences = right.iter().zip(found).map(|(r, f)| (r - f).abs() / scale);
    differences.fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_kernel_would_be_noticed() {
        assert!(error(&[1.0, -2.0, 3.0], &[1.0, -2.0, 3.0]) < TOLERANCE);
        assert!(error(&[1.0, -2.0, 3.0], &[1.0, -2.0, 3.1]) > TOLERANCE);
        assert!(error(&[1.0, -2.0], &[1.0, f32::NAN]).is_nan());
    }
}
