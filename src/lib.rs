//! Receptive: five classic convolutional networks, seen working in a web page.
//!
//! Reading order, which is also the order of imports (never the other way):
//! [`tensor`], [`rng`], [`linalg`] → [`ops`] (one layer at a time) → [`graph`] (a network as data, and folds over it) →
//! [`arch`] (the networks) → [`plan`] (what to compute from which memory) → [`cpu`] and [`gpu`] (executors) →
//! [`engine`] (what runs in the worker). [`protocol`] is what page and engine say to each other.

pub mod arch;
pub mod colormap;
pub mod cpu;
pub mod data;
pub mod engine;
pub mod gpu;
pub mod graph;
pub mod linalg;
pub mod ops;
pub mod plan;
pub mod protocol;
pub mod rng;
pub mod scene;
pub mod tensor;
pub mod ui;
pub mod weights;
