//! The WGSL files, built into the program. Knows no device.

/// Every shader: the file under `shaders/` without its ending, and its text.
pub const SOURCES: &[(&str, &str)] = &[
    ("accumulate", include_str!("../../shaders/accumulate.wgsl")),
    ("activation", include_str!("../../shaders/activation.wgsl")),
    ("adaptive_avg_pool", include_str!("../../shaders/adaptive_avg_pool.wgsl")),
    ("add", include_str!("../../shaders/add.wgsl")),
    ("batch_norm", include_str!("../../shaders/batch_norm.wgsl")),
    ("concat", include_str!("../../shaders/concat.wgsl")),
    ("conv2d", include_str!("../../shaders/conv2d.wgsl")),
    ("dropout", include_str!("../../shaders/dropout.wgsl")),
    ("linear", include_str!("../../shaders/linear.wgsl")),
    ("loss", include_str!("../../shaders/loss.wgsl")),
    ("lrn", include_str!("../../shaders/lrn.wgsl")),
    ("paint", include_str!("../../shaders/paint.wgsl")),
    ("pool", include_str!("../../shaders/pool.wgsl")),
    ("rbf", include_str!("../../shaders/rbf.wgsl")),
    ("sgd", include_str!("../../shaders/sgd.wgsl")),
    ("shortcut", include_str!("../../shaders/shortcut.wgsl")),
    ("subsample", include_str!("../../shaders/subsample.wgsl")),
    ("sum", include_str!("../../shaders/sum.wgsl")),
];

/// Put before each of them.
pub const PRELUDE: &str = include_str!("../../shaders/prelude.wgsl");

/// A shader with its prelude, as devices get it.
pub fn source(shader: &str) -> Option<String> {
    let (_, text) = SOURCES.iter().find(|(name, _)| *name == shader)?;
    Some(format!("{PRELUDE}\n{text}"))
}
