//! What the forward and the backward pass share: operands as slices, shapes, work division.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use std::ops::Range;

use super::PairTensors;
use crate::tensors::{in_order, values};

/// Molecules are divided into at most this many parts, whatever the number of threads, so that sums over
/// parts are the same numbers on every machine size.
const PARTS: usize = 16;

/// The operands of a layer, contiguous, in the order of [`PairTensors`].
#[derive(Clone, Debug)]
pub(super) struct Operands {
    tensors: [FlexTensor; 15],
}

/// The operands as slices, with the widths of the layer.
pub(super) struct View<'a> {
    pub source: &'a [f32],
    pub target: &'a [f32],
    pub values: &'a [f32],
    pub pairs: &'a [f32],
    pub positions: &'a [f32],
    pub reference: &'a [f32],
    pub norm_scale: &'a [f32],
    pub norm_shift: &'a [f32],
    pub pair: &'a [f32],
    pub distance: &'a [f32],
    pub message: &'a [f32],
    pub message_bias: &'a [f32],
    pub update: &'a [f32],
    pub update_bias: &'a [f32],
    pub head: &'a [f32],
    /// Pair width.
    pub d: usize,
    /// Attention heads.
    pub heads: usize,
    /// Value columns of one head.
    pub per_head: usize,
}

impl Operands {
    pub fn new(t: PairTensors<Flex>) -> Self {
        let tensors = [
            t.source,
            t.target,
            t.values,
            t.pairs,
            t.positions,
            t.reference,
            t.norm_scale,
            t.norm_shift,
            t.pair,
            t.distance,
            t.message,
            t.message_bias,
            t.update,
            t.update_bias,
            t.head,
        ];
        Self { tensors: tensors.map(in_order) }
    }

    /// The shape of operand `k`.
    pub fn shape(&self, k: usize) -> burn::tensor::Shape {
        self.tensors[k].layout().shape().clone()
    }

    pub fn view(&self) -> View<'_> {
        let t = &self.tensors;
        let heads = self.shape(14)[1] - 1;
        View {
            source: values(&t[0]),
            target: values(&t[1]),
            values: values(&t[2]),
            pairs: values(&t[3]),
            positions: values(&t[4]),
            reference: values(&t[5]),
            norm_scale: values(&t[6]),
            norm_shift: values(&t[7]),
            pair: values(&t[8]),
            distance: values(&t[9]),
            message: values(&t[10]),
            message_bias: values(&t[11]),
            update: values(&t[12]),
            update_bias: values(&t[13]),
            head: values(&t[14]),
            d: self.shape(0)[1],
            heads,
            per_head: self.shape(2)[1] / heads,
        }
    }
}

impl View<'_> {
    /// Value columns of all heads.
    pub fn v(&self) -> usize {
        self.heads * self.per_head
    }
}

/// One molecule of a packed batch.
#[derive(Clone, Debug)]
pub(super) struct Molecule {
    /// Its atoms among the packed atoms.
    pub atoms: Range<usize>,
    /// Its rows among the packed pairs.
    pub rows: Range<usize>,
}

/// The molecules in parts of about equal work.
pub(super) fn parts(sizes: &[usize]) -> Vec<Vec<Molecule>> {
    let total: usize = sizes.iter().map(|n| n * n).sum();
    let share = total.div_ceil(PARTS).max(1);
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    let (mut atom, mut row, mut filled) = (0, 0, 0);
    for &n in sizes {
        part.push(Molecule { atoms: atom..atom + n, rows: row..row + n * n });
        atom += n;
        row += n * n;
        filled += n * n;
        if filled >= share {
            parts.push(std::mem::take(&mut part));
            filled = 0;
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Splits `buffer` into one slice per part; `len` gives the length that a molecule takes.
pub(super) fn split<'a>(
    mut buffer: &'a mut [f32],
    parts: &[Vec<Molecule>],
    len: impl Fn(&Molecule) -> usize,
) -> Vec<&'a mut [f32]> {
    let mut slices = Vec::with_capacity(parts.len());
    for part in parts {
        let (head, tail) = buffer.split_at_mut(part.iter().map(&len).sum());
        slices.push(head);
        buffer = tail;
    }
    slices
}

/// Offset x_i − x_j and its length.
#[inline(always)]
pub(super) fn offset(x: &[f32], i: usize, j: usize) -> ([f32; 3], f32) {
    let (o, square) = crate::offset::offset(x, i, j);
    (o, if square <= 1e-18 { 0.0 } else { square.sqrt() })
}
