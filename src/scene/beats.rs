//! How a unit's arithmetic is told beat by beat, and which number has come about after each. Pure; knows explanations, draws nothing.
//!
//! A beat takes in some cells of a patch (a product, a row of them, an input map), or a named step behind them (the bias, the
//! division by σ, the function). [`running`] after the last beat is the unit's value: `tests/explain.rs` holds it against the engine.

use super::stage::bitmap;
use crate::ops::explain::{Explanation, Rule, Term};
use std::ops::Range;

/// So many beats of single cells are still followed; longer sums go by the row, or by the input map.
const CELLS: usize = 400;
/// So many beats of input maps; more are taken several at a time.
const TERMS: usize = 512;

/// What one beat adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// These cells of the explanation's terms, counted through all terms.
    Cells(Range<usize>),
    /// A named step: 0 is the sum (largest, mean …) of all cells.
    Stage(usize),
}

/// One beat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beat {
    /// Of which explanation.
    pub of: usize,
    /// What it adds.
    pub what: What,
}

/// Cells of all terms of an explanation, where it goes through cells at all.
fn cells(e: &Explanation) -> usize {
    match e.rule {
        Rule::Activation(_) | Rule::Copy | Rule::Normalise => 0,
        _ => e.terms.iter().map(|t| t.values.len()).sum(),
    }
}

/// Named steps of an explanation.
pub fn stages(e: &Explanation) -> usize {
    let has = |name: &str| usize::from(e.steps.iter().any(|s| s.0 == name));
    match e.rule {
        Rule::WeightedSum => 1 + has("bias"),
        Rule::ScaledSum => 1 + has("coefficient") + has("bias"),
        Rule::Mean | Rule::Normalise => 2,
        Rule::LocalResponse => 3,
        Rule::Max | Rule::SquaredDistance | Rule::Activation(_) | Rule::Sum | Rule::Copy => 1,
    }
}

/// Columns in which a term's cells are drawn, where they are too many for numbers.
pub(crate) fn columns(term: &Term) -> usize {
    match term.size {
        [1, n] => bitmap(n).1,
        [_, cols] => cols,
    }
    .max(1)
}

/// Ends of the beats through an explanation's cells.
fn ends(e: &Explanation) -> Vec<usize> {
    let all = cells(e);
    if all <= CELLS {
        return (1..=all).collect();
    }
    let mut out = Vec::new();
    if let [only] = &e.terms[..] {
        let step = columns(only);
        out.extend((1..=all.div_ceil(step)).map(|i| (i * step).min(all)));
        return out;
    }
    let together = e.terms.len().div_ceil(TERMS);
    let mut end = 0;
    for terms in e.terms.chunks(together) {
        end += terms.iter().map(|t| t.values.len()).sum::<usize>();
        out.push(end);
    }
    out
}

/// All beats of a unit's explanations, in order.
pub fn beats(explanations: &[Explanation]) -> Vec<Beat> {
    let mut out = Vec::new();
    for (of, e) in explanations.iter().enumerate() {
        let mut start = 0;
        for end in ends(e) {
            out.push(Beat { of, what: What::Cells(start..end) });
            start = end;
        }
        out.extend((0..stages(e)).map(|stage| Beat { of, what: What::Stage(stage) }));
    }
    out
}

/// What the first `n` cells come to.
pub(crate) fn partial(e: &Explanation, n: usize) -> f32 {
    let pairs = e.terms.iter().flat_map(|t| t.values.iter().enumerate().map(|(i, v)| (*v, t.weights.get(i).copied())));
    let seen = pairs.take(n).filter_map(|(v, w)| v.map(|v| (f64::from(v), w.map_or(1.0, f64::from))));
    let sum = match e.rule {
        Rule::Max => seen.map(|(v, _)| v).fold(f64::NAN, |a, v| if a >= v { a } else { v }),
        Rule::SquaredDistance => seen.map(|(v, w)| (v - w).powi(2)).sum(),
        Rule::LocalResponse => seen.map(|(v, _)| v * v).sum(),
        _ => seen.map(|(v, w)| v * w).sum(),
    };
    sum as f32
}

/// What an explanation has come to after a named step.
fn staged(e: &Explanation, stage: usize) -> f32 {
    let step = |name: &str| e.steps.iter().find(|s| s.0 == name).map_or(0.0, |s| s.1);
    let value = || e.steps.last().map_or(f32::NAN, |s| s.1);
    match (e.rule, stage) {
        (Rule::WeightedSum, 1) => partial(e, cells(e)) + step("bias"),
        (Rule::ScaledSum, 1) => partial(e, cells(e)) * step("coefficient"),
        (Rule::ScaledSum, 2) => partial(e, cells(e)) * step("coefficient") + step("bias"),
        (Rule::Mean, 1) => partial(e, cells(e)) / step("count"),
        (Rule::Normalise, 0) => step("normalised"),
        (Rule::Normalise, _) => step("weight") * step("normalised") + step("bias"),
        (Rule::LocalResponse, 1) => step("denominator"),
        (Rule::LocalResponse, 2) | (Rule::Copy, _) => value(),
        (Rule::Activation(f), _) => {
            let mut x = [step("input")];
            f.apply(&mut x);
            x[0]
        }
        _ => partial(e, cells(e)),
    }
}

/// The number that has come about after the first `done` beats; `None` before the first.
pub fn running(explanations: &[Explanation], beats: &[Beat], done: usize) -> Option<f32> {
    let beat = beats.get(done.min(beats.len()).checked_sub(1)?)?;
    let e = explanations.get(beat.of)?;
    Some(match &beat.what {
        What::Cells(range) => partial(e, range.end),
        What::Stage(stage) => staged(e, *stage),
    })
}

/// How far one explanation has been told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Cells taken in.
    pub cells: usize,
    /// The cells of the present beat.
    pub now: Option<Range<usize>>,
    /// Named steps done.
    pub stages: usize,
}

impl Progress {
    /// Of explanation `of`, after `done` beats.
    pub fn after(beats: &[Beat], done: usize, of: usize) -> Self {
        let mut out = Self::default();
        for (i, beat) in beats.iter().take(done).enumerate().filter(|(_, b)| b.of == of) {
            match &beat.what {
                What::Cells(range) => {
                    out.cells = range.end;
                    out.now = (i + 1 == done).then(|| range.clone());
                }
                What::Stage(stage) => {
                    out.stages = stage + 1;
                    out.now = None;
                }
            }
        }
        out
    }

    /// Told to its end.
    pub fn whole(e: &Explanation) -> Self {
        Self { cells: cells(e), now: None, stages: stages(e) }
    }
}

/// The term that holds this cell, and the cell's place in it.
pub fn term_at(e: &Explanation, cell: usize) -> Option<(usize, usize)> {
    let mut before = 0;
    for (i, term) in e.terms.iter().enumerate() {
        if cell < before + term.values.len() {
            return Some((i, cell - before));
        }
        before += term.values.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::explain::weighted_sum;

    fn convolution(maps: usize, side: usize) -> Explanation {
        let value = |i: usize| (i % 7) as f32 - 3.0;
        let terms = (0..maps).map(|map| {
            let values: Vec<f32> = (0..side * side).map(|i| value(i + map)).collect();
            let term =
                Term { map, size: [side, side], values: values.iter().copied().map(Some).collect(), ..Term::default() };
            term.weighted(&values)
        });
        weighted_sum(terms.collect(), Some(0.5))
    }

    #[test]
    fn long_sums_go_by_the_map_and_by_the_row() {
        let count = |e: &Explanation| beats(std::slice::from_ref(e)).len();
        assert_eq!(count(&convolution(6, 5)), 150 + 2);
        assert_eq!(count(&convolution(512, 3)), 512 + 2);
        assert_eq!(count(&convolution(2048, 1)), 512 + 2);
        assert_eq!(count(&convolution(1, 28)), 28 + 2);
        let row = Term { size: [1, 4096], values: vec![Some(1.0); 4096], ..Term::default() };
        assert_eq!(count(&weighted_sum(vec![row.weighted(&[0.5; 4096])], None)), 64 + 1);
    }

    #[test]
    fn the_number_grows_to_the_value() {
        for e in [convolution(6, 5), convolution(512, 3), convolution(2048, 1), convolution(1, 28)] {
            let all = [e];
            let beats = beats(&all);
            let at = |done| running(&all, &beats, done);
            assert_eq!(at(0), None);
            let What::Cells(first) = &beats[0].what else { panic!("{beats:?}") };
            assert_eq!(at(1), Some(partial(&all[0], first.end)));
            assert_eq!(at(beats.len() - 1), Some(all[0].steps[0].1));
            assert_eq!(at(beats.len()), Some(all[0].steps.last().unwrap().1));
            assert_eq!(at(beats.len() + 9), at(beats.len()));
            assert_eq!(Progress::after(&beats, beats.len(), 0), Progress::whole(&all[0]));
        }
    }
}
