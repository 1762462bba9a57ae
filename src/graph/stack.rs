//! A stack of convolutions of as many maps in as out, and the one convolution that sees as much: their fields and what they cost, from
//! a graph of them and its folds. Knows graphs; no network of a paper.

use super::receptive_field::{Interval, fields};
use super::{Graph, GraphError, cost};
use crate::ops::{Conv2d, Window};
use crate::tensor::Shape;

/// One convolution, square.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Storey {
    /// Side of the kernel.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Rows and columns of zeros on each side.
    pub padding: usize,
    /// Distance of the kernel's elements.
    pub dilation: usize,
}

impl Storey {
    /// A kernel that keeps the picture's size, step 1.
    pub const fn same(kernel: usize) -> Self {
        Self { kernel, stride: 1, padding: kernel / 2, dilation: 1 }
    }
}

/// What a stack is after one of its convolutions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measured {
    /// Its field.
    pub field: Interval,
    /// Side of its output.
    pub side: usize,
    /// Weights of this convolution, without biases.
    pub parameters: usize,
    /// Multiply-adds of this convolution.
    pub macs: u64,
}

/// Each convolution of a stack on a picture of `side`×`side` with `channels` maps.
///
/// # Errors
/// [`GraphError`] where a kernel is larger than what is left of the picture.
pub fn measure(stack: &[Storey], channels: usize, side: usize) -> Result<Vec<Measured>, GraphError> {
    let mut graph = Graph::new();
    let mut at = graph.input("input", Shape::new(channels, side, side))?;
    for (i, s) in stack.iter().enumerate() {
        let mut conv = Conv2d::new(channels, s.kernel).stride(s.stride).padding(s.padding).no_bias();
        conv.window = Window { dilation: [s.dilation; 2], ..conv.window };
        at = graph.push(&format!("conv{}", i + 1), conv, &[at])?;
    }
    let fields = fields(&graph);
    let one = |id: usize| {
        let cost = cost::node(&graph, id);
        Measured { field: fields[id].y, side: graph.nodes()[id].shape.h, parameters: cost.parameters, macs: cost.macs }
    };
    Ok((1..graph.nodes().len()).map(one).collect())
}

/// The one convolution that sees as much as the stack, as often, as large a result.
pub fn alike(stack: &[Measured]) -> Option<Storey> {
    let last = stack.last()?;
    let Interval { first, jump, .. } = last.field;
    Some(Storey {
        kernel: last.field.size(),
        stride: jump.max(1) as usize,
        padding: (-first).max(0) as usize,
        dilation: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(stack: &[Storey], channels: usize, side: usize) -> (usize, u64) {
        let all = measure(stack, channels, side).unwrap();
        (all.iter().map(|m| m.parameters).sum(), all.iter().map(|m| m.macs).sum())
    }

    /// Simonyan and Zisserman 2015, §2.3.
    #[test]
    fn three_of_three_by_three_see_seven_by_seven_for_27_instead_of_49() {
        for c in [1, 3, 64, 512] {
            let stack = [Storey::same(3); 3];
            let measured = measure(&stack, c, 32).unwrap();
            assert_eq!(measured.iter().map(|m| m.field.size()).collect::<Vec<_>>(), [3, 5, 7]);
            let one = alike(&measured).unwrap();
            assert_eq!(one, Storey::same(7));
            assert_eq!(total(&stack, c, 32).0, 27 * c * c);
            assert_eq!(total(&[one], c, 32), (49 * c * c, (49 * c * c * 32 * 32) as u64));
        }
    }

    #[test]
    fn strides_and_dilation() {
        let alex = [
            Storey { kernel: 11, stride: 4, padding: 0, dilation: 1 },
            Storey { kernel: 3, stride: 2, padding: 0, dilation: 1 },
        ];
        let measured = measure(&alex, 2, 227).unwrap();
        assert_eq!(
            measured.iter().map(|m| (m.field.size(), m.field.jump, m.side)).collect::<Vec<_>>(),
            [(11, 4, 55), (19, 8, 27)]
        );
        assert_eq!(alike(&measured).unwrap(), Storey { kernel: 19, stride: 8, padding: 0, dilation: 1 });
        let dilated: Vec<_> = [1, 2, 4].map(|d| Storey { dilation: d, padding: d, ..Storey::same(3) }).into();
        let measured = measure(&dilated, 4, 40).unwrap();
        assert_eq!(measured.iter().map(|m| (m.field.size(), m.side)).collect::<Vec<_>>(), [(3, 40), (7, 40), (15, 40)]);
        assert!(measure(&[Storey { padding: 0, ..Storey::same(9) }], 1, 8).is_err());
        assert_eq!(alike(&[]), None);
    }
}
