//! x
pub mod linalg;
pub mod rng;
