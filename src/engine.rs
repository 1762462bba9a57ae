//! What runs in the worker, and natively in the command line and in tests: an opened network on an executor. Knows the
//! protocol; nothing of the page. What it needs of the world (bytes, a clock, a store) comes through [`platform::Platform`].
//!
//! | file | what |
//! |---|---|
//! | `executor.rs` | CPU or GPU behind one interface |
//! | `training.rs` | SGD on an executor; testing |
//! | `facts.rs`, `golden.rs` | documents of the command line |
//! | `platform.rs` | what the world must offer |

pub mod executor;
pub mod facts;
pub mod golden;
pub mod training;
