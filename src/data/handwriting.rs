//! A photograph of a handwritten digit → ink on paper, as if it had been drawn: dark on light, whatever the light. Pure: knows pictures,
//! neither page nor network.
//!
//! A pixel is ink as far as it is darker than the mean of its surroundings (an adaptive threshold, so that shadows do not matter); specks,
//! and what comes in from the edge of the picture, are left out.

use super::digits::{self, Digit};

/// Side of the square picture that a digit is looked for in.
pub const WINDOW: usize = 112;
/// How much darker than its surroundings (of 255) the darkest ink must be.
const CONTRAST: f32 = 28.0;
/// Part of that darkness from which on a pixel is ink.
const FROM: f32 = 0.3;
/// And from which on it is black.
const FULL: f32 = 0.7;
/// A piece of ink that has less than this part of the largest one's pixels is a speck.
const SPECK: f32 = 0.08;
/// And so is one of fewer pixels than this.
const LEAST: usize = 30;

/// The digit on `grey`, WINDOW×WINDOW bytes, 0 = black … 255 = white; `None`: nothing is written there.
pub fn digit(grey: &[u8]) -> Option<Digit> {
    let grey = grey.get(..WINDOW * WINDOW)?;
    let around = surroundings(grey, WINDOW / 6);
    let darker: Vec<f32> = grey.iter().zip(&around).map(|(&v, &mean)| (mean - f32::from(v)).max(0.0)).collect();
    // What may be ink; without what is none, how dark the ink is.
    let mut pad: Vec<u8> = darker.iter().map(|&v| u8::from(v > CONTRAST * FROM)).collect();
    tidy(&mut pad);
    let mut inks: Vec<f32> = darker.iter().zip(&pad).filter(|(_, ink)| **ink > 0).map(|(&v, _)| v).collect();
    inks.sort_by(f32::total_cmp);
    // Not the very darkest: a camera has pixels that are wrong.
    let full = inks.get(inks.len() * 9 / 10).copied().filter(|&full| full >= CONTRAST)?;
    let ink = |v: f32| ((v / full - FROM) / (FULL - FROM)).clamp(0.0, 1.0);
    pad.iter_mut().zip(&darker).filter(|(p, _)| **p > 0).for_each(|(p, &v)| *p = (ink(v) * 255.0) as u8);
    tidy(&mut pad);
    let mut digit = digits::prepare(&pad, WINDOW, WINDOW, true)?;
    // A thin pen becomes as black as a thick one.
    let blackest = digit.iter().copied().max().filter(|&v| v > 0)?;
    digit.iter_mut().for_each(|v| *v = (u16::from(*v) * 255 / u16::from(blackest)) as u8);
    Some(digit)
}

/// The mean of the square of 2·`reach` + 1 pixels about each pixel, as much of it as there is.
fn surroundings(grey: &[u8], reach: usize) -> Vec<f32> {
    // Sums of everything above and to the left.
    let row = WINDOW + 1;
    let mut sums = vec![0u32; row * row];
    for y in 0..WINDOW {
        for x in 0..WINDOW {
            sums[(y + 1) * row + x + 1] =
                u32::from(grey[y * WINDOW + x]) + sums[y * row + x + 1] + sums[(y + 1) * row + x] - sums[y * row + x];
        }
    }
    let span = |i: usize| (i.saturating_sub(reach), (i + reach + 1).min(WINDOW));
    let mean = |i: usize| {
        let ((top, bottom), (left, right)) = (span(i / WINDOW), span(i % WINDOW));
        let sum =
            sums[bottom * row + right] + sums[top * row + left] - sums[top * row + right] - sums[bottom * row + left];
        sum as f32 / ((bottom - top) * (right - left)) as f32
    };
    (0..WINDOW * WINDOW).map(mean).collect()
}

/// Takes away specks and what touches the edge: a shadow, the end of the sheet.
fn tidy(pad: &mut [u8]) {
    let mut piece = vec![0usize; pad.len()]; // 0: not yet
    let mut pieces: Vec<(usize, bool)> = vec![(0, true)]; // pixels, and whether it touches the edge
    let mut stack = Vec::new();
    for start in 0..pad.len() {
        if pad[start] == 0 || piece[start] > 0 {
            continue;
        }
        let number = pieces.len();
        let (mut count, mut edge) = (0, false);
        stack.push(start);
        piece[start] = number;
        while let Some(i) = stack.pop() {
            count += 1;
            let (y, x) = (i / WINDOW, i % WINDOW);
            edge |= y == 0 || x == 0 || y == WINDOW - 1 || x == WINDOW - 1;
            for (dy, dx) in [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)] {
                let (Some(y), Some(x)) = (y.checked_add_signed(dy), x.checked_add_signed(dx)) else { continue };
                let next = y * WINDOW + x;
                if y < WINDOW && x < WINDOW && pad[next] > 0 && piece[next] == 0 {
                    piece[next] = number;
                    stack.push(next);
                }
            }
        }
        pieces.push((count, edge));
    }
    let largest = pieces.iter().filter(|(_, edge)| !edge).map(|(count, _)| *count).max().unwrap_or(0);
    for (value, &number) in pad.iter_mut().zip(&piece) {
        let (count, edge) = pieces[number];
        if edge || count < LEAST || (count as f32) < SPECK * largest as f32 {
            *value = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const SEVEN: [&[(f32, f32)]; 2] = [&[(30.0, 25.0), (80.0, 25.0), (45.0, 90.0)], &[(40.0, 58.0), (70.0, 58.0)]];

    /// Ink on paper under a lamp at the upper left, with noise, a speck, and the dark table at the right edge.
    fn photograph(strokes: &[&[(f32, f32)]], ink: f32) -> Vec<u8> {
        let strokes: Vec<Vec<(f32, f32)>> = strokes.iter().map(|s| s.to_vec()).collect();
        let drawn = digits::render(&strokes, 8.0, WINDOW);
        let mut rng = Rng::new(5);
        (0..WINDOW * WINDOW)
            .map(|i| {
                let (y, x) = (i / WINDOW, i % WINDOW);
                let light = 230.0 - 0.6 * y as f32 - 0.5 * x as f32;
                let speck = (y, x) == (10, 95) || (y, x) == (11, 95);
                let paper = if x > 106 {
                    0.3
                } else if speck {
                    0.2
                } else {
                    1.0 - ink * f32::from(drawn[i]) / 255.0
                };
                (light * paper + 3.0 * rng.normal()).clamp(0.0, 255.0) as u8
            })
            .collect()
    }

    #[test]
    fn a_photographed_digit_is_the_drawn_one() {
        let strokes: Vec<Vec<(f32, f32)>> = SEVEN.iter().map(|s| s.to_vec()).collect();
        let drawn = digits::prepare(&digits::render(&strokes, 8.0, WINDOW), WINDOW, WINDOW, true).unwrap();
        for ink in [0.9, 0.5] {
            let seen = digit(&photograph(&SEVEN, ink)).unwrap();
            // Where its centre of mass is between two pixels, it may lie one beside.
            let apart = |by: isize| -> f32 {
                let there = |i: usize| seen.get(i.wrapping_add_signed(by)).copied().unwrap_or(0);
                drawn.iter().enumerate().map(|(i, &v)| f32::from(v.abs_diff(there(i)))).sum()
            };
            let difference = [-29, -28, -27, -1, 0, 1, 27, 28, 29].map(apart).into_iter().fold(f32::MAX, f32::min);
            let all: f32 = drawn.iter().map(|&v| f32::from(v)).sum();
            assert!(difference < 0.3 * all, "ink {ink}: {difference} of {all}");
            assert!(seen.iter().max() == Some(&255));
        }
    }

    #[test]
    fn an_empty_sheet_has_no_digit() {
        assert_eq!(digit(&[200; WINDOW * WINDOW]), None);
        assert_eq!(digit(&[0; 3]), None);
        let mut rng = Rng::new(1);
        let noise: Vec<u8> = (0..WINDOW * WINDOW).map(|_| (180.0 + 4.0 * rng.normal()) as u8).collect();
        assert_eq!(digit(&noise), None);
        // Only the edge of the table.
        assert_eq!(digit(&photograph(&[], 0.9)), None);
    }
}
