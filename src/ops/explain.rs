//! The arithmetic of one unit as data: what the page shows when a unit is clicked. Each op tells its own; nothing here draws.

use crate::ops::Activation;
use crate::tensor::{Shape, Unit};
use serde::{Deserialize, Serialize};

/// What an op needs to tell how one unit's value came about: values of one image.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Values of each input, c×h×w.
    pub inputs: &'a [&'a [f32]],
    /// Shapes of the inputs.
    pub shapes: &'a [Shape],
    /// The op's parameters, in the order of `Layer::params`.
    pub params: &'a [&'a [f32]],
    /// Shape of the output.
    pub output: Shape,
    /// Which unit of the output.
    pub unit: Unit,
}

/// How the terms make the value.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Rule {
    /// Σ patch·kernel over the terms, plus the bias.
    WeightedSum,
    /// coefficient·Σ patch, plus the bias (LeNet's subsampling).
    ScaledSum,
    /// The largest of the patch; [`Term::mark`] won.
    Max,
    /// The mean of the patch.
    Mean,
    /// Σ (patch − kernel)².
    SquaredDistance,
    /// f(x) of the one value.
    Activation(Activation),
    /// The value itself, from elsewhere (flatten, the input).
    Copy,
}

/// A patch of one input map, what it is multiplied with, and what it adds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Term {
    /// Which of the op's inputs.
    pub input: usize,
    /// Which of its maps.
    pub map: usize,
    /// Where in the map the patch starts (row, column); negative in padding.
    pub at: [isize; 2],
    /// Rows and columns of the patch.
    pub size: [usize; 2],
    /// Its values, row-major; `None` in padding.
    pub values: Vec<Option<f32>>,
    /// What each is multiplied with (or compared to); empty: nothing.
    pub weights: Vec<f32>,
    /// The one that won (max-pooling), as an index into `values`.
    pub mark: Option<usize>,
    /// What this term contributes.
    pub result: f32,
}

/// How one unit's value came about: terms, then named numbers in order (`sum`, `coefficient`, `bias`, `value`, …).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// How the terms make the value.
    pub rule: Rule,
    /// The terms; input maps without a connection are not among them.
    pub terms: Vec<Term>,
    /// Named numbers on the way, in order; the last is the value.
    pub steps: Vec<(String, f32)>,
}
