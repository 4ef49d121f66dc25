//! What the forward and the backward pass share: operands as slices, shapes, products, work division.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use std::ops::Range;

use super::PairTensors;

/// Added to the variance in the layer norm.
pub(super) const NORM_EPSILON: f32 = 1e-5;

/// Molecules are divided into at most this many parts, whatever the number of threads, so that sums over
/// parts are the same numbers on every machine size.
const PARTS: usize = 16;

/// The elements of a contiguous f32 tensor.
pub(crate) fn values(tensor: &FlexTensor) -> &[f32] {
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
}

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
            t.source, t.target, t.values, t.pairs, t.positions, t.reference, t.norm_scale, t.norm_shift,
            t.pair, t.distance, t.message, t.message_bias, t.update, t.update_bias, t.head,
        ];
        Self { tensors: tensors.map(|t| t.to_contiguous()) }
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

/// `out = a·b (+ out)`, row-major: a `[m, k]`, b `[k, n]`, out `[m, n]`.
pub(super) fn product(out: &mut [f32], a: &[f32], b: &[f32], [m, k, n]: [usize; 3], add: bool) {
    strided(out, a, (k, 1), b, (n, 1), [m, k, n], add);
}

/// `out = a·bᵀ (+ out)`, row-major: a `[m, k]`, b `[n, k]`, out `[m, n]`.
pub(super) fn product_bt(out: &mut [f32], a: &[f32], b: &[f32], [m, k, n]: [usize; 3], add: bool) {
    strided(out, a, (k, 1), b, (1, k), [m, k, n], add);
}

/// `out += aᵀ·b`, row-major: a `[k, m]`, b `[k, n]`, out `[m, n]`.
pub(super) fn add_product_at(out: &mut [f32], a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) {
    strided(out, a, (1, m), b, (n, 1), [m, k, n], true);
}

fn strided(
    out: &mut [f32],
    a: &[f32],
    (a_row, a_column): (usize, usize),
    b: &[f32],
    (b_row, b_column): (usize, usize),
    [m, k, n]: [usize; 3],
    add: bool,
) {
    assert!(out.len() == m * n && a.len() == m * k && b.len() == k * n, "product shapes");
    // SAFETY: the three slices hold exactly the elements that the strides reach, and `out` is exclusive.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.as_ptr(),
            a_column as isize,
            a_row as isize,
            b.as_ptr(),
            b_column as isize,
            b_row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Offset x_i − x_j and its length.
#[inline(always)]
pub(super) fn offset(x: &[f32], i: usize, j: usize) -> ([f32; 3], f32) {
    let o = [x[3 * i] - x[3 * j], x[3 * i + 1] - x[3 * j + 1], x[3 * i + 2] - x[3 * j + 2]];
    let square = o[0] * o[0] + o[1] * o[1] + o[2] * o[2];
    (o, if square <= 1e-18 { 0.0 } else { square.sqrt() })
}
