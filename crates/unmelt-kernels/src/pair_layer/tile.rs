//! What the forward and the backward pass share: operands as slices, shapes, work division.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use std::ops::Range;

use super::{PairTensors, pair_count};
use crate::tensors::{in_order, values};

/// Molecules are divided into at most this many parts, whatever the number of threads, so that sums over
/// parts are the same numbers on every machine size.
const PARTS: usize = 16;

/// The operands of a layer, contiguous, in the order of [`PairTensors`].
#[derive(Clone, Debug)]
pub(super) struct Operands {
    tensors: [FlexTensor; 15],
    heads: usize,
}

/// The operands as slices, with the widths of the layer.
pub(super) struct View<'a> {
    pub term: &'a [f32],
    pub factor: &'a [f32],
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
    /// Vectors of an atom.
    pub vectors: usize,
}

impl Operands {
    pub fn new(t: PairTensors<Flex>, heads: usize) -> Self {
        let tensors = [
            t.term,
            t.factor,
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
        Self { tensors: tensors.map(in_order), heads }
    }

    /// The shape of operand `k`.
    pub fn shape(&self, k: usize) -> burn::tensor::Shape {
        self.tensors[k].layout().shape().clone()
    }

    pub fn view(&self) -> View<'_> {
        let t = &self.tensors;
        let heads = self.heads;
        View {
            term: values(&t[0]),
            factor: values(&t[1]),
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
            vectors: self.shape(14)[1] - heads,
        }
    }
}

impl View<'_> {
    /// Value columns of all heads.
    pub fn v(&self) -> usize {
        self.heads * self.per_head
    }

    /// Columns of the head: logits and weights of the vectors.
    pub fn columns(&self) -> usize {
        self.heads + self.vectors
    }

    /// Columns that an atom takes in the packed output: messages, attended values, vectors.
    pub fn node(&self) -> usize {
        self.d + self.v() + 3 * self.vectors
    }

    /// One molecule's atoms.
    pub fn atoms<'a>(&'a self, m: &Molecule) -> Atoms<'a> {
        let of = |x: &'a [f32], width: usize| &x[m.atoms.start * width..m.atoms.end * width];
        Atoms {
            count: m.atoms.len(),
            term: of(self.term, self.d),
            factor: of(self.factor, self.d),
            values: of(self.values, self.v()),
            positions: of(self.positions, 3),
            reference: of(self.reference, 3),
        }
    }
}

/// What a layer reads of one molecule's atoms.
pub(super) struct Atoms<'a> {
    pub count: usize,
    pub term: &'a [f32],
    pub factor: &'a [f32],
    pub values: &'a [f32],
    pub positions: &'a [f32],
    pub reference: &'a [f32],
}

impl Atoms<'_> {
    /// The pairs in the order of their rows.
    #[inline(always)]
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let n = self.count;
        (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
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
        let rows = pair_count(n);
        part.push(Molecule { atoms: atom..atom + n, rows: row..row + rows });
        atom += n;
        row += rows;
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
