//! Every network against PyTorch: the golden files of `tests/golden/`, forward and backward, on both engines.
//! `NO_GPU=1` leaves the GPU out by choice; otherwise a missing adapter is a failure.
#![allow(clippy::unwrap_used, missing_docs)]

use receptive::engine::golden::compute;
use receptive::protocol::Backend;
use serde_json::Value;

/// Largest difference allowed, as a part of a tensor's largest magnitude. Among the millions of units of a deep network
/// some are so near zero that the last bit decides whether a ReLU lets their gradient pass: there PyTorch in f32 is as far from
/// PyTorch in f64, by which these files were made.
fn tolerance(file: &Value) -> f64 {
    match (file["mode"].as_str(), file["net"].as_str()) {
        (Some("inference"), _) => 1e-4,
        (_, Some("resnet18" | "googlenet" | "alexnet" | "vgg19-bn-cifar")) => 2e-2,
        _ => 1e-3,
    }
}

/// What a test run has time and memory for; `make goldens` runs all.
fn quick(name: &str, backend: Backend) -> bool {
    let slow = ["vgg11", "vgg16", "alexnet-torchvision", "alexnet.training", "resnet50"];
    // a parameter of 144 MiB, which software adapters do not bind in one piece
    let large = backend == Backend::Gpu && name.starts_with("alexnet");
    !large && !slow.iter().any(|slow| name.starts_with(slow))
}

fn files() -> Vec<(String, String)> {
    let dir = format!("{}/tests/golden", env!("CARGO_MANIFEST_DIR"));
    let mut out: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().is_some_and(|p| p.ends_with(".inference.json") || p.ends_with(".training.json")))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), std::fs::read_to_string(path).unwrap()))
        .collect();
    out.sort();
    out
}

fn number(value: &Value, key: &str) -> f64 {
    value.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Largest difference of a tensor's row, relative to its largest magnitude; infinite where something is missing.
fn tensor_error(want: &Value, got: &Value) -> f64 {
    if want["shape"] != got["shape"] {
        return f64::INFINITY;
    }
    let scale = number(want, "absmax").max(1e-12);
    let mut worst =
        ["mean", "std", "absmax"].map(|k| (number(want, k) - number(got, k)).abs()).into_iter().fold(0.0, f64::max);
    let (want, got) = (want["samples"].as_array().unwrap(), got["samples"].as_array().unwrap());
    assert_eq!(want.len(), got.len());
    for (want, got) in want.iter().zip(got) {
        assert_eq!(want[0].as_u64(), got[0].as_u64());
        worst = worst.max((want[1].as_f64().unwrap() - got[1].as_f64().unwrap()).abs());
    }
    if worst.is_finite() { worst / scale } else { f64::INFINITY }
}

fn table_error(want: &Value, got: &Value, key: &str) -> f64 {
    let empty = Vec::new();
    let (want, got) = (want[key].as_array().unwrap_or(&empty), got[key].as_array().unwrap_or(&empty));
    want.iter()
        .map(|row| got.iter().find(|g| g["name"] == row["name"]).map_or(f64::INFINITY, |g| tensor_error(row, g)))
        .fold(0.0, f64::max)
}

fn error(want: &Value, got: &Value) -> f64 {
    if want["mode"] == "inference" {
        assert_eq!((&want["parameters"], &want["macs"]), (&got["parameters"], &got["macs"]));
        let read = |v: &Value| v["output"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
        let (w, g) = (read(want), read(got));
        assert_eq!(w.len(), g.len());
        let scale = w.iter().fold(0.0, |a: f64, v| a.max(v.abs()));
        let output = w.iter().zip(&g).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max);
        table_error(want, got, "layers").max(output)
    } else {
        let loss = (number(want, "loss") - number(got, "loss")).abs() / number(want, "loss").abs().max(1.0);
        let input = tensor_error(&want["input_gradient"], &got["input_gradient"]);
        [table_error(want, got, "gradients"), table_error(want, got, "running_after"), loss, input]
            .into_iter()
            .fold(0.0, f64::max)
    }
}

fn judge(backend: Backend) {
    let files = files();
    assert!(files.len() >= 20);
    for (name, file) in files.into_iter().filter(|(name, _)| quick(name, backend)) {
        let want: Value = serde_json::from_str(&file).unwrap();
        let got = pollster::block_on(compute(&file, backend)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let error = error(&want, &got);
        eprintln!("{name} {backend:?}: {error:.1e}");
        assert!(error < tolerance(&want), "{name} on {backend:?}: {error:.1e}");
    }
}

#[test]
fn cpu() {
    judge(Backend::Cpu);
}

#[test]
fn gpu() {
    if std::env::var_os("NO_GPU").is_none() {
        judge(Backend::Gpu);
    }
}

/// The judge itself: one wrong number anywhere is seen.
#[test]
fn a_wrong_number_is_seen() {
    for (_, file) in files() {
        let want: Value = serde_json::from_str(&file).unwrap();
        assert_eq!(error(&want, &want), 0.0);
        let mut wrong = want.clone();
        let key = if want["mode"] == "inference" { "layers" } else { "gradients" };
        let row = &mut wrong[key][0];
        row["samples"][3][1] = (row["samples"][3][1].as_f64().unwrap() + 3e-2 * number(row, "absmax")).into();
        assert!(error(&want, &wrong) > tolerance(&want));
        let mut short = want.clone();
        short[key].as_array_mut().unwrap().pop();
        assert!(error(&want, &short) > tolerance(&want));
    }
}

#[test]
fn a_file_that_does_not_fit_is_told_in_a_sentence() {
    let files = files();
    let (_, file) = files.iter().find(|(name, _)| name == "lenet5.inference.json").unwrap();
    let told = |file: &str| pollster::block_on(compute(file, Backend::Cpu)).unwrap_err().to_string();
    assert!(told("{").starts_with("this is not a golden file"));
    assert!(told(&file.replacen("lenet5", "lenet9", 1)).contains("no network called"));
    assert!(told(&file.replacen("[6,1,5,5]", "[6,1,5,4]", 1)).contains("has no tensor"));
}
