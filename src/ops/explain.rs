//! The arithmetic of one unit as data: what the page shows when a unit is clicked. Each op tells its own; nothing here draws.

use crate::ops::{Activation, Window};
use crate::tensor::{Shape, Unit};
use serde::{Deserialize, Serialize};

/// What an op needs to tell how one unit's value came about: values of one image.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Values of each input, c×h×w; for the network's input, which has none, its own value.
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
    /// The value itself, from elsewhere (flatten, concatenation, dropout in inference, the input); without a term it is 0.
    Copy,
    /// Σ of the terms, one an input.
    Sum,
    /// weight·(x − mean)/√(variance + ε) + bias (batch norm, running statistics).
    Normalise,
    /// x·(k + α/n·Σ x²)^−β over neighbouring maps; [`Term::mark`] is the unit's own map.
    LocalResponse,
}

/// A patch of one input map, what it is multiplied with, and what it adds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
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
    #[serde(with = "packed")]
    pub values: Vec<Option<f32>>,
    /// What each is multiplied with (or compared to); empty: nothing.
    #[serde(with = "packed")]
    pub weights: Vec<f32>,
    /// The one that won (max-pooling), as an index into `values`.
    pub mark: Option<usize>,
    /// What this term contributes.
    pub result: f32,
    /// Largest magnitudes of the whole input and of the map that this is a patch of: the scales of their colours; 0: not told.
    pub tops: [f32; 2],
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

/// Cells as bytes, four each: a unit may be a sum of 25,088, and where numbers travel one by one that many hold the page up.
mod packed {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    /// Padding: a NaN that no arithmetic makes.
    const NOTHING: u32 = u32::MAX;

    pub trait Cell: Copy {
        fn bits(self) -> u32;
        fn of(bits: u32) -> Self;
    }

    impl Cell for f32 {
        fn bits(self) -> u32 {
            self.to_bits()
        }

        fn of(bits: u32) -> Self {
            Self::from_bits(bits)
        }
    }

    impl Cell for Option<f32> {
        fn bits(self) -> u32 {
            self.map_or(NOTHING, f32::to_bits)
        }

        fn of(bits: u32) -> Self {
            (bits != NOTHING).then(|| f32::from_bits(bits))
        }
    }

    pub fn pack<C: Cell>(cells: &[C]) -> Vec<u8> {
        cells.iter().flat_map(|cell| cell.bits().to_le_bytes()).collect()
    }

    pub fn unpack<C: Cell>(bytes: &[u8]) -> Vec<C> {
        bytes.as_chunks().0.iter().map(|four| C::of(u32::from_le_bytes(*four))).collect()
    }

    pub fn serialize<C: Cell, S: Serializer>(cells: &[C], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&pack(cells))
    }

    pub fn deserialize<'de, C: Cell, D: Deserializer<'de>>(from: D) -> Result<Vec<C>, D::Error> {
        struct Bytes<C>(std::marker::PhantomData<C>);

        impl<C: Cell> Visitor<'_> for Bytes<C> {
            type Value = Vec<C>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("packed cells")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<C>, E> {
                Ok(unpack(bytes))
            }
        }

        from.deserialize_bytes(Bytes(std::marker::PhantomData))
    }
}

impl Ask<'_> {
    /// The patch of one input map that the unit sees through a window: nothing multiplied yet. Taps lie `dilation` apart.
    pub fn patch(&self, map: usize, window: &Window) -> Term {
        let (input, [kh, kw]) = (self.shapes[0], window.kernel);
        let start = |axis: usize, unit: usize| (unit * window.stride[axis]) as isize - window.padding[axis] as isize;
        let at = [start(0, self.unit.y), start(1, self.unit.x)];
        let inside = |position: isize, size: usize| usize::try_from(position).ok().filter(|&p| p < size);
        let mut values = Vec::with_capacity(kh * kw);
        for tap in 0..kh * kw {
            let y = inside(at[0] + (tap / kw * window.dilation[0]) as isize, input.h);
            let x = inside(at[1] + (tap % kw * window.dilation[1]) as isize, input.w);
            let index = y.zip(x).map(|(y, x)| input.index(Unit { c: map, y, x }));
            values.push(index.and_then(|i| self.inputs[0].get(i).copied()));
        }
        Term { input: 0, map, at, size: [kh, kw], values, ..Term::default() }
    }

    /// All of the input: a term a map where there are maps, one term (a row) where there are only features.
    pub fn whole(&self) -> Vec<Term> {
        let input = self.shapes[0];
        let (maps, size) = if input.map() > 1 { (input.c, [input.h, input.w]) } else { (1, [1, input.c]) };
        let chunks = self.inputs[0].chunks_exact(size[0] * size[1]).take(maps).enumerate();
        chunks
            .map(|(map, values)| Term {
                input: 0,
                map,
                at: [0, 0],
                size,
                values: values.iter().copied().map(Some).collect(),
                ..Term::default()
            })
            .collect()
    }

    /// One map of the input.
    pub fn map(&self, map: usize) -> Term {
        let input = self.shapes[0];
        let values = self.inputs[0].iter().skip(map * input.map()).take(input.map());
        let values = values.copied().map(Some).collect();
        Term { map, size: [input.h, input.w], values, ..Term::default() }
    }

    /// One unit of the first input, as it is.
    pub fn single(&self, unit: Unit) -> Term {
        self.of(0, unit)
    }

    /// One unit of any input, as it is.
    pub fn of(&self, input: usize, unit: Unit) -> Term {
        let value = self.inputs[input].get(self.shapes[input].index(unit)).copied();
        Term {
            input,
            map: unit.c,
            at: [unit.y as isize, unit.x as isize],
            size: [1, 1],
            values: vec![value],
            result: value.unwrap_or(0.0),
            ..Term::default()
        }
    }
}

impl Term {
    /// The same with weights; its result is Σ value·weight, summed in f64 as the reader would.
    pub fn weighted(mut self, weights: &[f32]) -> Self {
        let products = self.values.iter().zip(weights).filter_map(|(v, &w)| v.map(|v| f64::from(v) * f64::from(w)));
        self.result = products.sum::<f64>() as f32;
        self.weights = weights.to_vec();
        self
    }

    /// The same; its result is the sum of the values.
    pub fn summed(mut self) -> Self {
        self.result = self.values.iter().flatten().map(|&v| f64::from(v)).sum::<f64>() as f32;
        self
    }
}

/// How a gradient spreads from a unit: for each term what its cells get.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Spread {
    /// To the inputs, a value a cell (`w·δ` in a weighted sum).
    pub inputs: Vec<Vec<f32>>,
    /// To the weights, a value a cell (`x·δ` in a weighted sum); empty where the cells have none that are trained.
    pub weights: Vec<Vec<f32>>,
    /// To the parameters that are a single number of the unit's map, by the names of their steps (`weight` and `bias` of a batch norm).
    pub named: Vec<(&'static str, f32)>,
}

impl Explanation {
    /// The same; each term knows the scale of colours of what it is a patch of.
    pub fn scaled(mut self, ask: &Ask<'_>) -> Self {
        let top = |values: &[f32]| values.iter().map(|v| v.abs()).filter(|v| v.is_finite()).fold(0.0, f32::max);
        let whole: Vec<f32> = ask.inputs.iter().map(|values| top(values)).collect();
        for term in &mut self.terms {
            let (all, map) = (whole[term.input], ask.shapes[term.input].map());
            let own = ask.inputs[term.input].chunks_exact(map).nth(term.map).filter(|_| map > 1);
            term.tops = [all, own.map_or(all, top)];
        }
        self
    }

    /// How `delta`, the gradient of some number with respect to this unit, spreads to what the unit was calculated from: this unit's
    /// share of each gradient. The gradient of an input is the sum over all units that read it; that of a weight the sum over all
    /// units that share it.
    pub fn spread(&self, delta: f32) -> Spread {
        let step = |name: &str| self.steps.iter().find(|s| s.0 == name).map_or(0.0, |s| s.1);
        // d unit / d input, at a cell of a term.
        let slope = |term: &Term, cell: usize| -> f32 {
            let (v, w) = (term.values[cell].unwrap_or(0.0), term.weights.get(cell).copied().unwrap_or(1.0));
            match self.rule {
                Rule::WeightedSum => w,
                Rule::ScaledSum => step("coefficient"),
                Rule::Max => f32::from(u8::from(term.mark == Some(cell))),
                Rule::Mean => 1.0 / step("count"),
                Rule::SquaredDistance => 2.0 * (v - w),
                Rule::Copy | Rule::Sum => 1.0,
                Rule::Normalise => step("weight") / step("deviation"),
                Rule::Activation(f) => {
                    let mut grad = [1.0];
                    f.chain(&[step("value")], &mut grad);
                    grad[0]
                }
                Rule::LocalResponse => {
                    let (x, d, alpha, beta) = (step("input"), step("denominator"), step("alpha"), step("beta"));
                    let own = if term.mark.is_some() { d.powf(-beta) } else { 0.0 };
                    own - 2.0 * alpha * beta * x * v * d.powf(-beta - 1.0)
                }
            }
        };
        let there = |term: &Term, f: &dyn Fn(usize) -> f32| {
            (0..term.values.len()).map(|cell| if term.values[cell].is_some() { f(cell) } else { 0.0 }).collect()
        };
        let inputs = self.terms.iter().map(|t| there(t, &|cell| slope(t, cell) * delta)).collect();
        let weights = match self.rule {
            Rule::WeightedSum => {
                self.terms.iter().map(|t| there(t, &|cell| t.values[cell].unwrap_or(0.0) * delta)).collect()
            }
            _ => Vec::new(),
        };
        let named = match self.rule {
            Rule::WeightedSum if self.steps.iter().any(|s| s.0 == "bias") => vec![("bias", delta)],
            Rule::ScaledSum => vec![("coefficient", step("sum") * delta), ("bias", delta)],
            Rule::Normalise => vec![("weight", step("normalised") * delta), ("bias", delta)],
            _ => Vec::new(),
        };
        Spread { inputs, weights, named }
    }
}

/// Named numbers.
pub(crate) fn steps(named: &[(&str, f32)]) -> Vec<(String, f32)> {
    named.iter().map(|&(name, value)| (name.to_string(), value)).collect()
}

/// Σ of the terms, plus the bias if there is one.
pub(crate) fn weighted_sum(terms: Vec<Term>, bias: Option<f32>) -> Explanation {
    let sum: f64 = terms.iter().map(|t| f64::from(t.result)).sum();
    let mut steps = steps(&[("sum", sum as f32)]);
    steps.extend(bias.map(|b| ("bias".to_string(), b)));
    steps.push(("value".to_string(), (sum + f64::from(bias.unwrap_or(0.0))) as f32));
    Explanation { rule: Rule::WeightedSum, terms, steps }
}

#[cfg(test)]
mod tests {
    use super::packed::{pack, unpack};

    #[test]
    fn cells_travel_as_bytes() {
        let cells = [Some(1.5), None, Some(-0.0), Some(f32::INFINITY), None];
        assert_eq!(pack(&cells).len(), 20);
        assert_eq!(unpack::<Option<f32>>(&pack(&cells)), cells);
        assert!(unpack::<Option<f32>>(&pack(&[Some(f32::NAN)]))[0].is_some_and(f32::is_nan));
        assert_eq!(unpack::<f32>(&pack(&[0.25f32, -3.0])), [0.25, -3.0]);
    }
}
