//! How fast the CPU engine's arithmetic is, natively or in wasm (`benches/linalg.sh`). It judges nothing: it prints figures, best of many short runs.
//!
//! Natively: `cargo bench --bench linalg [PATTERN]`.
#![allow(clippy::print_stdout)]

use receptive::linalg::{
    Batch, Kernels, Mat, Patches, Scratch, Sgd, exp_slice, gemm, relu_slice, sgd, softmax, tanh_slice,
};
use std::hint::black_box;

#[cfg(not(target_arch = "wasm32"))]
mod host {
    /// Milliseconds since some moment.
    pub fn now() -> f64 {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3
    }
    pub fn log(line: &str) {
        println!("{line}");
    }
    pub fn pattern() -> String {
        std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default()
    }
}

#[cfg(target_arch = "wasm32")]
mod host {
    use wasm_bindgen::prelude::wasm_bindgen;
    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = performance)]
        pub fn now() -> f64;
        #[wasm_bindgen(js_namespace = console)]
        pub fn log(line: &str);
    }
    pub fn pattern() -> String {
        let argv = js_sys::eval("process.argv[2] || ''").ok().and_then(|v| v.as_string());
        argv.unwrap_or_default()
    }
}

/// Milliseconds of one call: the best of many samples of about a millisecond, so that other programs disturb little.
fn time(mut f: impl FnMut()) -> f64 {
    let mut once = f64::INFINITY;
    for _ in 0..4 {
        let start = host::now();
        f();
        once = once.min(host::now() - start);
    }
    let calls = (1.0 / once.max(1e-4)).ceil() as usize;
    let (mut best, start) = (f64::INFINITY, host::now());
    while host::now() - start < 150.0 {
        let sample = host::now();
        for _ in 0..calls {
            f();
        }
        best = best.min((host::now() - sample) / calls as f64);
    }
    best
}

fn data(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 13) as f32 * 0.25 - 1.5).collect()
}

fn report(name: &str, macs: usize, ms: f64) {
    host::log(&format!("{name:<34}{ms:>10.4} ms{:>8.1} GFLOP/s", 2.0 * macs as f64 / ms / 1e6));
}

fn products(pattern: &str, scratch: &mut Scratch<f32>) {
    // t: that operand is stored transposed.
    let shapes = [
        ("64³", 64, 64, 64, ""),
        ("128³", 128, 128, 128, ""),
        ("256³", 256, 256, 256, ""),
        ("512³", 512, 512, 512, ""),
        ("1024³", 1024, 1024, 1024, ""),
        ("LeNet C1", 6, 784, 25, ""),
        ("LeNet C3", 16, 100, 150, ""),
        ("LeNet C5, 64 images", 64, 120, 400, "b"),
        ("LeNet C1 weight gradient", 6, 25, 784, "b"),
        ("LeNet C3 input gradient", 150, 100, 16, "a"),
        ("LeNet C3 weight gradient", 16, 150, 100, "b"),
        ("ResNet 56²", 64, 3136, 576, ""),
        ("ResNet 28²", 128, 784, 1152, ""),
        ("ResNet 14²", 256, 196, 2304, ""),
        ("ResNet 7²", 512, 49, 4608, ""),
        ("VGG first", 64, 50176, 27, ""),
        ("VGG 28²", 512, 784, 4608, ""),
        ("linear, 1 image", 1, 1000, 2048, "b"),
        ("linear, 1 image, input gradient", 1, 2048, 1000, ""),
        ("linear, 8 images", 8, 1000, 2048, "b"),
        ("linear, 8 images, weight gradient", 1000, 2048, 8, "a"),
        ("ResNet 28² weight gradient", 128, 1152, 784, "b"),
        ("ResNet 28² input gradient", 1152, 784, 128, "a"),
    ];
    for (name, m, n, k, stored) in shapes {
        let name = format!("gemm {name}");
        if !name.contains(pattern) {
            continue;
        }
        let (a, b, mut c) = (data(m * k), data(k * n), vec![0.0; m * n]);
        let a = if stored == "a" { Mat::new(&a, m).t() } else { Mat::new(&a, k) };
        let b = if stored == "b" { Mat::new(&b, k).t() } else { Mat::new(&b, n) };
        let ms = time(|| gemm(m, n, k, a, b, black_box(&mut c), n, false, scratch));
        report(&name, m * n * k, ms);
    }
}

fn convolutions(pattern: &str, scratch: &mut Scratch<f32>) {
    let shapes = [
        ("LeNet C1", 1, 32, 5, 0, 1, 6),
        ("LeNet C3", 6, 14, 5, 0, 1, 16),
        ("VGG first", 3, 224, 3, 1, 1, 64),
        ("VGG 224²", 64, 224, 3, 1, 1, 64),
        ("VGG 56²", 256, 56, 3, 1, 1, 256),
        ("VGG 14²", 512, 14, 3, 1, 1, 512),
        ("digits 8²", 64, 8, 3, 1, 1, 64),
        ("digits 16²", 32, 16, 3, 1, 1, 32),
        ("ResNet first", 3, 224, 7, 3, 2, 64),
        ("ResNet 56²", 64, 56, 3, 1, 1, 64),
        ("ResNet 28²", 128, 28, 3, 1, 1, 128),
        ("ResNet 14²", 256, 14, 3, 1, 1, 256),
        ("ResNet 7²", 512, 7, 3, 1, 1, 512),
        ("VGG 28²", 512, 28, 3, 1, 1, 512),
    ];
    for (name, channels, size, kernel, padding, stride, maps) in shapes {
        let name = format!("conv {name}");
        if !name.contains(pattern) {
            continue;
        }
        let out = (size + 2 * padding - kernel) / stride + 1;
        let patches = Patches {
            channels,
            size: [size; 2],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            dilation: [1; 2],
            output: [out; 2],
        };
        let (k, n) = (patches.rows(), patches.columns());
        let (weight, mut image, mut y) = (data(maps * k), data(patches.pixels()), data(maps * n));
        let mut matrix = vec![0.0; k * n];
        let ms = time(|| {
            patches.im2col(&image, &mut matrix, n);
            gemm(maps, n, k, Mat::new(&weight, k), Mat::new(&matrix, n), black_box(&mut y), n, false, scratch);
        });
        report(&format!("{name}, im2col + gemm"), maps * n * k, ms);
        let ms = time(|| patches.forward(maps, &weight, &image, black_box(&mut y), false, scratch));
        report(&format!("{name}, forward"), maps * n * k, ms);
        if patches.suits_winograd(maps, 1) {
            let kernels = Kernels { data: &weight, map: k, channel: 9, turned: false };
            let batch = Batch { images: 1, input: patches.pixels(), output: maps * n };
            let ms = time(|| patches.winograd(maps, kernels, None, &image, black_box(&mut y), batch, scratch));
            report(&format!("{name}, winograd"), maps * n * k, ms);
        }
        let mut dw = weight.clone();
        let ms = time(|| patches.backward_weight(maps, &y, &image, black_box(&mut dw), false, scratch));
        report(&format!("{name}, backward_weight"), maps * n * k, ms);
        let ms = time(|| patches.backward_image(maps, &weight, &y, black_box(&mut image), false, scratch));
        report(&format!("{name}, backward_image"), maps * n * k, ms);
    }
}

fn maps(pattern: &str) {
    const LEN: usize = 4704; // LeNet C1: 6×28×28
    let (mut x, mut v, g) = (data(LEN), vec![0.0; LEN], data(LEN));
    let mut map = |name: &str, f: &mut dyn FnMut(&mut [f32])| {
        let name = format!("map {name}");
        if name.contains(pattern) {
            let ms = time(|| {
                x.copy_from_slice(&g);
                f(black_box(&mut x));
            });
            host::log(&format!("{name:<34}{:>10.3} ns an element, {LEN} elements", ms * 1e6 / LEN as f64));
        }
    };
    map("copy", &mut |_| {});
    map("relu", &mut |x| relu_slice(x));
    map("tanh", &mut |x| tanh_slice(x));
    map("exp", &mut |x| exp_slice(x));
    map("softmax", &mut |x| softmax(x));
    map("sgd", &mut |x| sgd(x, &mut v, &g, Sgd { lr: 0.01, momentum: 0.9, weight_decay: 1e-4 }));
}

fn main() {
    let pattern = host::pattern();
    let mut scratch = Scratch::new();
    // V8 starts with quick, slow code and replaces it after some tenths of a second.
    let (x, mut y, start) = (data(64 * 64), data(64 * 64), host::now());
    while host::now() - start < 1000.0 {
        gemm(64, 64, 64, Mat::new(&x, 64), Mat::new(&x, 64), black_box(&mut y), 64, false, &mut scratch);
    }
    products(&pattern, &mut scratch);
    convolutions(&pattern, &mut scratch);
    maps(&pattern);
}
