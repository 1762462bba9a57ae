//! What runs in the worker, and natively in the command line and in tests: an opened network on an executor. Knows the
//! protocol; nothing of the page. What it needs of the world (bytes, a clock, a store) comes through [`platform::Platform`].
//!
//! | file | what |
//! |---|---|
//! | `platform.rs` | what the world must offer |
//! | `inbox.rs` | commands that wait |
//! | `session.rs` | what each command does, and which event follows |
//! | `lesson.rs` | training and testing between the commands, and the run that is kept |
//! | `inquiry.rs` | what of the input something depends on, in passes between the commands |
//! | `network.rs` | an opened network: values, arithmetic of a unit |
//! | `attribution.rs` | gradients inside a network: what a unit or a class depends on |
//! | `equivariance.rs` | what a move of the picture does to a layer |
//! | `training.rs` | SGD on an executor; testing |
//! | `executor.rs` | CPU or GPU behind one interface |
//! | `files.rs` | weights ↔ safetensors |
//! | `self_test.rs` | the GPU's kernels against the CPU's, on this very device |
//! | `worker.rs` | all of it in a worker (wasm) |
//! | `facts.rs`, `golden.rs` | documents of the command line |

pub mod attribution;
pub mod equivariance;
pub mod executor;
pub mod facts;
pub mod files;
pub mod golden;
pub mod inbox;
mod inquiry;
mod lesson;
pub mod network;
pub mod platform;
pub mod self_test;
pub mod session;
pub mod survey;
pub mod training;
#[cfg(target_arch = "wasm32")]
pub mod worker;
