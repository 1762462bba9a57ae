//! What a layer's maps are like for one picture: means, largest values, shares above zero, a histogram. Pure; knows values.

use crate::protocol::{MAP_FACTS, Survey};

/// Bins of the histogram.
const BINS: usize = 48;

/// Of `values`, that many `maps` of equal size one after the other. What is no number counts as zero.
pub fn survey(values: &[f32], maps: usize) -> Survey {
    let size = values.len().checked_div(maps).unwrap_or(0).max(1);
    let mut out = Survey { units: values.len(), ..Survey::default() };
    out.maps.reserve(maps * MAP_FACTS);
    let (mut low, mut high) = (f32::MAX, f32::MIN);
    for map in values.chunks_exact(size) {
        let (mut sum, mut largest, mut positive) = (0f64, f32::MIN, 0usize);
        for v in map.iter().map(|v| if v.is_finite() { *v } else { 0.0 }) {
            sum += f64::from(v);
            largest = largest.max(v);
            low = low.min(v);
            positive += usize::from(v > 0.0);
            out.zeros += usize::from(v == 0.0);
        }
        high = high.max(largest);
        out.positive += positive;
        out.maps.extend([(sum / size as f64) as f32, largest, positive as f32 / size as f32]);
    }
    if low > high {
        return out;
    }
    out.range = [low, high];
    out.counts = vec![0; BINS];
    let width = (f64::from(high) - f64::from(low)) / BINS as f64;
    for v in values.iter().filter(|v| v.is_finite() && **v != 0.0) {
        let bin = if width > 0.0 { ((f64::from(*v) - f64::from(low)) / width) as usize } else { 0 };
        out.counts[bin.min(BINS - 1)] += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_maps_by_hand() {
        let told = survey(&[0.0, 0.0, 1.0, 3.0, -1.0, 0.5, -0.5, f32::NAN], 2);
        assert_eq!(told.maps, [1.0, 3.0, 0.5, -0.25, 0.5, 0.25]);
        assert_eq!((told.units, told.zeros, told.positive, told.range), (8, 3, 3, [-1.0, 3.0]));
        let filled: Vec<_> = told.counts.iter().enumerate().filter(|(_, n)| **n > 0).collect();
        // of width 1/12, from −1 on
        assert_eq!(filled, [(0, &1), (6, &1), (18, &1), (24, &1), (47, &1)]);
    }

    #[test]
    fn nothing_and_all_the_same() {
        assert_eq!(survey(&[], 0).counts.len(), 0);
        let dead = survey(&[0.0; 6], 3);
        assert_eq!((dead.zeros, dead.positive, dead.range), (6, 0, [0.0; 2]));
        assert_eq!(dead.maps, [0.0; 9]);
        assert_eq!(survey(&[2.0; 4], 1).counts[0], 4);
    }
}
