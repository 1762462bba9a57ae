//! What a training run looked like so far: points for the curves, few enough to draw however long the run. Knows no canvas.

use crate::protocol::StepRecord;

/// Points kept at most; past that each two neighbours become one.
const POINTS: usize = 512;

/// Mean of `span` steps.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// First step in it.
    pub step: u64,
    /// Mean loss.
    pub loss: f32,
    /// Mean accuracy, 0…1.
    pub accuracy: f32,
}

/// A run's curves.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Record {
    points: Vec<Point>,
    open: Vec<StepRecord>,
    span: usize,
    last: Option<StepRecord>,
}

impl Record {
    /// Adds steps; a step that does not follow the last one begins a new run.
    pub fn push(&mut self, steps: &[StepRecord]) {
        for &step in steps {
            if self.last.is_some_and(|last| step.step <= last.step) {
                *self = Self::default();
            }
            self.last = Some(step);
            self.open.push(step);
            if self.open.len() >= self.span.max(1) {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        let n = self.open.len() as f32;
        let mean = |f: fn(&StepRecord) -> f32| self.open.iter().map(f).sum::<f32>() / n;
        self.points.push(Point { step: self.open[0].step, loss: mean(|s| s.loss), accuracy: mean(|s| s.accuracy) });
        self.open.clear();
        if self.points.len() >= POINTS {
            self.points = self
                .points
                .chunks(2)
                .map(|pair| {
                    let n = pair.len() as f32;
                    Point {
                        step: pair[0].step,
                        loss: pair.iter().map(|p| p.loss).sum::<f32>() / n,
                        accuracy: pair.iter().map(|p| p.accuracy).sum::<f32>() / n,
                    }
                })
                .collect();
            self.span = self.span.max(1) * 2;
        }
    }

    /// The curves.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The last step.
    pub fn last(&self) -> Option<StepRecord> {
        self.last
    }

    /// Largest loss worth drawing: beyond it lies the run's first moment or its end in infinity.
    pub fn loss_top(&self) -> f32 {
        let mut losses: Vec<f32> = self.points.iter().map(|p| p.loss).filter(|l| l.is_finite()).collect();
        losses.sort_by(f32::total_cmp);
        losses.get(losses.len().saturating_sub(1) * 98 / 100).copied().unwrap_or(1.0).max(1e-6)
    }

    /// Steps on the axis.
    pub fn end(&self) -> u64 {
        self.last.map_or(0, |l| l.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64) -> StepRecord {
        StepRecord { step, loss: step as f32, accuracy: 0.5 }
    }

    #[test]
    fn long_runs_stay_drawable_and_means_stay_right() {
        let mut record = Record::default();
        for first in (1..=40_000).step_by(100) {
            record.push(&(first..first + 100).map(step).collect::<Vec<_>>());
        }
        let points = record.points();
        assert!(points.len() < POINTS && points.len() >= POINTS / 4, "{}", points.len());
        assert_eq!(points[0].step, 1);
        let span = points[1].step - points[0].step;
        // the mean of steps 1…span
        assert!((points[0].loss - (1 + span) as f32 / 2.0).abs() < 1e-2 * span as f32);
        assert_eq!(record.end(), 40_000);
    }

    #[test]
    fn a_step_that_counts_from_one_again_is_a_new_run() {
        let mut record = Record::default();
        record.push(&[step(1), step(2), step(3)]);
        record.push(&[step(1)]);
        assert_eq!(record.points().len(), 1);
        assert_eq!(record.end(), 1);
    }

    #[test]
    fn infinity_does_not_flatten_the_curve() {
        let mut record = Record::default();
        record.push(&[step(1), step(2), StepRecord { step: 3, loss: f32::INFINITY, accuracy: 0.0 }]);
        assert!(record.loss_top() <= 2.0);
        assert_eq!(Record::default().loss_top(), 1.0);
    }
}
