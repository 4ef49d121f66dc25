//! The gradient of the fused layer, by hand: what the forward pass saved, recomputed where that is cheaper.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::MAX_LOGIT;
use super::forward::{Saved, totals};
use super::tile::{Atoms, Molecule, Operands, View, offset, parts, split};
use crate::norm::{dot, norm_gradient, norm_rows};
use crate::product::{add_column_sums, add_product_at, product_bt};
use crate::simd::{self, multiversion};
use crate::tensors::{in_order, values};

/// Gradients of the operands, in the order of [`super::PairTensors`]; none for the reference positions.
pub(super) type Gradients = [Option<FlexTensor>; 15];

/// Indices of the weights among the operands.
const WEIGHTS: std::ops::Range<usize> = 6..15;

/// Gradients of all operands for the gradient of the packed output.
pub(super) fn backward(operands: &Operands, sizes: &[usize], saved: &Saved, grad: &FlexTensor) -> Gradients {
    let view = operands.view();
    let (d, v, columns, node) = (view.d, view.v(), view.columns(), view.node());
    let atoms: usize = sizes.iter().sum();
    let rows = view.pairs.len() / d;
    let grad = in_order(grad.clone());
    let (grad_pairs, grad_nodes) = values(&grad).split_at(rows * d);

    let mut term = vec![0.0; atoms * d];
    let mut factor = vec![0.0; atoms * d];
    let mut value = vec![0.0; atoms * v];
    let mut pairs = vec![0.0; rows * d];
    let mut positions = vec![0.0; atoms * 3];
    let parts = parts(sizes);
    let outputs = split(&mut term, &parts, |m| m.atoms.len() * d)
        .into_iter()
        .zip(split(&mut factor, &parts, |m| m.atoms.len() * d))
        .zip(split(&mut value, &parts, |m| m.atoms.len() * v))
        .zip(split(&mut pairs, &parts, |m| m.rows.len() * d))
        .zip(split(&mut positions, &parts, |m| m.atoms.len() * 3))
        .collect::<Vec<_>>();
    let weights: Vec<WeightGradients> = parts
        .par_iter()
        .zip(outputs)
        .map(|(part, ((((mut term, mut factor), mut value), mut pairs), mut positions))| {
            let mut scratch = Scratch::default();
            let mut weights = WeightGradients::new(&view);
            for m in part {
                let (n, p) = (m.atoms.len(), m.rows.len());
                let incoming = Incoming {
                    pairs: &grad_pairs[m.rows.start * d..m.rows.end * d],
                    nodes: &grad_nodes[m.atoms.start * node..m.atoms.end * node],
                    inner: &saved.inner[m.rows.start * d..m.rows.end * d],
                    outer: &saved.outer[m.rows.start * d..m.rows.end * d],
                    head: &saved.head[m.rows.start * columns..m.rows.end * columns],
                };
                let mut outgoing = Outgoing {
                    term: term.split_off_mut(..n * d).expect("sized above"),
                    factor: factor.split_off_mut(..n * d).expect("sized above"),
                    values: value.split_off_mut(..n * v).expect("sized above"),
                    pairs: pairs.split_off_mut(..p * d).expect("sized above"),
                    positions: positions.split_off_mut(..n * 3).expect("sized above"),
                };
                run_molecule(&view, m, &incoming, &mut scratch, &mut outgoing, &mut weights);
            }
            weights
        })
        .collect();

    let tensor =
        |k: usize, data: Vec<f32>| Some(FlexTensor::from_data(TensorData::new(data, operands.shape(k))));
    let mut gradients: Gradients = std::array::from_fn(|_| None);
    for (k, data) in [term, factor, value, pairs, positions].into_iter().enumerate() {
        gradients[k] = tensor(k, data);
    }
    for (k, data) in WEIGHTS.zip(WeightGradients::sum(weights, &view).arrays) {
        gradients[k] = tensor(k, data);
    }
    gradients
}

/// Gradients arriving at one molecule, and what its forward pass saved.
struct Incoming<'a> {
    pairs: &'a [f32],
    /// Of messages, attended values and vectors of each atom.
    nodes: &'a [f32],
    inner: &'a [f32],
    outer: &'a [f32],
    head: &'a [f32],
}

impl Incoming<'_> {
    /// Gradients of messages, attended values and vectors of atom i.
    #[inline(always)]
    fn node(&self, view: &View, i: usize) -> (&[f32], &[f32], &[f32]) {
        let (d, v) = (view.d, view.v());
        let node = &self.nodes[i * view.node()..(i + 1) * view.node()];
        (&node[..d], &node[d..d + v], &node[d + v..])
    }
}

/// Gradients leaving one molecule, zero at the start.
struct Outgoing<'a> {
    term: &'a mut [f32],
    factor: &'a mut [f32],
    values: &'a mut [f32],
    pairs: &'a mut [f32],
    positions: &'a mut [f32],
}

/// Gradients of the weights, summed over molecules, in the order of the operands.
struct WeightGradients {
    arrays: [Vec<f32>; 9],
}

impl WeightGradients {
    fn new(view: &View) -> Self {
        let d = view.d;
        let lengths = [d, d, d * d, 2 * d, d * d, d, d * d, d, d * view.columns()];
        Self { arrays: lengths.map(|n| vec![0.0; n]) }
    }

    fn sum(parts: Vec<Self>, view: &View) -> Self {
        parts.into_iter().fold(Self::new(view), |mut total, part| {
            for (a, b) in total.arrays.iter_mut().zip(&part.arrays) {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            }
            total
        })
    }
}

#[derive(Default)]
struct Scratch {
    /// silu(z), later norm(e).
    inner: Vec<f32>,
    /// m.
    message: Vec<f32>,
    /// Gradient of m, then of its argument, then of norm(e).
    first: Vec<f32>,
    /// Gradient of silu(z), then of z.
    second: Vec<f32>,
    head: Vec<f32>,
    lengths: Vec<f32>,
    attention: Attention,
}

/// What the gradient of the attention goes through.
#[derive(Default)]
struct Attention {
    /// 1 + Σ_j exp(l_ij) of every atom and head.
    totals: Vec<f32>,
    /// Gradients of the shares of (i, j) and of (j, i), per head.
    shares: Vec<f32>,
    /// Σ_j share · gradient of every atom and head.
    means: Vec<f32>,
}

fn run_molecule(
    view: &View,
    molecule: &Molecule,
    incoming: &Incoming,
    scratch: &mut Scratch,
    out: &mut Outgoing,
    weights: &mut WeightGradients,
) {
    let (d, columns, p) = (view.d, view.columns(), molecule.rows.len());
    let atoms = view.atoms(molecule);
    for buffer in [&mut scratch.inner, &mut scratch.message, &mut scratch.first, &mut scratch.second] {
        buffer.resize(p * d, 0.0);
    }
    scratch.head.resize(p * columns, 0.0);
    scratch.lengths.clear();
    scratch.lengths.resize(p, 0.0);
    let [scale, shift, pair, distance, message, message_bias, update, update_bias, head] =
        &mut weights.arrays;

    simd::silu(incoming.outer, &mut scratch.message);
    scratch.attention.reset(view, &atoms, incoming.head);
    head_gradient(view, &atoms, incoming, &mut scratch.attention, &mut scratch.head, out);
    product_bt(&mut scratch.first, incoming.pairs, view.update, [p, d, d], false);
    product_bt(&mut scratch.first, &scratch.head, view.head, [p, columns, d], true);
    add_message_gradient(view, &atoms, incoming, &mut scratch.first);
    add_product_at(update, &scratch.message, incoming.pairs, [d, p, d]);
    add_column_sums(incoming.pairs, update_bias);
    add_product_at(head, &scratch.message, &scratch.head, [d, p, columns]);

    simd::silu_backward(incoming.outer, &mut scratch.first);
    simd::silu(incoming.inner, &mut scratch.inner);
    add_product_at(message, &scratch.inner, &scratch.first, [d, p, d]);
    add_column_sums(&scratch.first, message_bias);

    product_bt(&mut scratch.second, &scratch.first, view.message, [p, d, d], false);
    simd::silu_backward(incoming.inner, &mut scratch.second);
    let pairs = &view.pairs[molecule.rows.start * d..molecule.rows.end * d];
    norm_rows(pairs, view.norm_scale, view.norm_shift, &mut scratch.inner);
    add_product_at(pair, &scratch.inner, &scratch.second, [d, p, d]);
    atom_gradient(view, &atoms, &scratch.second, &mut scratch.lengths, distance, out);
    position_gradient(view, &atoms, incoming, &scratch.lengths, out.positions);

    product_bt(&mut scratch.first, &scratch.second, view.pair, [p, d, d], false);
    out.pairs.copy_from_slice(incoming.pairs);
    norm_gradient(pairs, &scratch.first, view.norm_scale, out.pairs, scale, shift);
}

impl Attention {
    fn reset(&mut self, view: &View, atoms: &Atoms, head: &[f32]) {
        let pairs = head.len() / view.columns();
        self.totals.resize(atoms.count * view.heads, 0.0);
        totals(atoms, head, view.columns(), &mut self.totals);
        self.shares.resize(2 * pairs * view.heads, 0.0);
        self.means.clear();
        self.means.resize(atoms.count * view.heads, 0.0);
    }
}

multiversion! {
    /// Adds the gradients of messages_i and messages_j to every row (i, j).
    fn add_message_gradient(view: &View<'_>, atoms: &Atoms<'_>, incoming: &Incoming<'_>, rows: &mut [f32]) = add_message_gradient_body
}

#[inline(always)]
fn add_message_gradient_body(view: &View<'_>, atoms: &Atoms<'_>, incoming: &Incoming<'_>, rows: &mut [f32]) {
    for ((i, j), row) in atoms.pairs().zip(rows.chunks_exact_mut(view.d)) {
        let (a, b) = (incoming.node(view, i).0, incoming.node(view, j).0);
        for k in 0..view.d {
            row[k] += a[k] + b[k];
        }
    }
}

multiversion! {
    /// Gradients of logits and of the vectors' weights into `head`, and of the attended values.
    fn head_gradient(view: &View<'_>, atoms: &Atoms<'_>, incoming: &Incoming<'_>, attention: &mut Attention, head: &mut [f32], out: &mut Outgoing<'_>) = head_gradient_body
}

#[inline(always)]
fn head_gradient_body(
    view: &View<'_>,
    atoms: &Atoms<'_>,
    incoming: &Incoming<'_>,
    attention: &mut Attention,
    head: &mut [f32],
    out: &mut Outgoing<'_>,
) {
    let (v, heads, per_head, columns) = (view.v(), view.heads, view.per_head, view.columns());
    let Attention { totals, shares, means } = attention;
    let rows = incoming.head.chunks_exact(columns).zip(head.chunks_exact_mut(columns));
    for (((i, j), (weight, gradient)), shares) in
        atoms.pairs().zip(rows).zip(shares.chunks_exact_mut(2 * heads))
    {
        let ((_, a, s), (_, b, t)) = (incoming.node(view, i), incoming.node(view, j));
        let (p, q) = (&atoms.values[i * v..(i + 1) * v], &atoms.values[j * v..(j + 1) * v]);
        let (left, right) = out.values.split_at_mut(j * v);
        let (left, right) = (&mut left[i * v..(i + 1) * v], &mut right[..v]);
        for h in 0..heads {
            let (to_i, to_j) = (weight[h] / totals[i * heads + h], weight[h] / totals[j * heads + h]);
            let (mut of_i, mut of_j) = (0.0, 0.0);
            for k in h * per_head..(h + 1) * per_head {
                of_i += a[k] * q[k];
                of_j += b[k] * p[k];
                right[k] += to_i * a[k];
                left[k] += to_j * b[k];
            }
            (shares[h], shares[heads + h]) = (of_i, of_j);
            means[i * heads + h] += to_i * of_i;
            means[j * heads + h] += to_j * of_j;
        }
        let (o, length) = offset(atoms.positions, i, j);
        let inverse = 1.0 / (length + 1.0);
        for (k, g) in gradient[heads..].iter_mut().enumerate() {
            let along = |axis: usize| (s[3 * k + axis] - t[3 * k + axis]) * o[axis];
            *g = (along(0) + along(1) + along(2)) * inverse;
        }
    }
    let limits = simd::exp(-MAX_LOGIT)..=simd::exp(MAX_LOGIT);
    let rows = incoming.head.chunks_exact(columns).zip(head.chunks_exact_mut(columns));
    for (((i, j), (weight, gradient)), shares) in atoms.pairs().zip(rows).zip(shares.chunks_exact(2 * heads))
    {
        for h in 0..heads {
            let (at_i, at_j) = (i * heads + h, j * heads + h);
            let slope =
                (shares[h] - means[at_i]) / totals[at_i] + (shares[heads + h] - means[at_j]) / totals[at_j];
            let free = *limits.start() < weight[h] && weight[h] < *limits.end();
            gradient[h] = if free { weight[h] * slope } else { 0.0 };
        }
    }
}

multiversion! {
    /// Sums the gradient of z over rows into a, b, the distance weights and the lengths d_ij.
    fn atom_gradient(view: &View<'_>, atoms: &Atoms<'_>, rows: &[f32], lengths: &mut [f32], distance: &mut [f32], out: &mut Outgoing<'_>) = atom_gradient_body
}

#[inline(always)]
fn atom_gradient_body(
    view: &View<'_>,
    atoms: &Atoms<'_>,
    rows: &[f32],
    lengths: &mut [f32],
    distance: &mut [f32],
    out: &mut Outgoing<'_>,
) {
    let d = view.d;
    let weight = &view.distance[..d];
    let (now, before) = distance.split_at_mut(d);
    for (((i, j), row), slope) in atoms.pairs().zip(rows.chunks_exact(d)).zip(lengths) {
        let (left, right) = out.term.split_at_mut(j * d);
        let (a, b) = (&mut left[i * d..(i + 1) * d], &mut right[..d]);
        let (left, right) = out.factor.split_at_mut(j * d);
        let (f, g) = (&mut left[i * d..(i + 1) * d], &mut right[..d]);
        let (p, q) = (&atoms.factor[i * d..(i + 1) * d], &atoms.factor[j * d..(j + 1) * d]);
        let (_, length) = offset(atoms.positions, i, j);
        let (_, length_before) = offset(atoms.reference, i, j);
        for k in 0..d {
            a[k] += row[k];
            b[k] += row[k];
            f[k] += row[k] * q[k];
            g[k] += row[k] * p[k];
            now[k] += length * row[k];
            before[k] += length_before * row[k];
        }
        *slope = dot(row, weight);
    }
}

/// Gradient of the positions: through the vectors and through the lengths.
fn position_gradient(view: &View, atoms: &Atoms, incoming: &Incoming, lengths: &[f32], out: &mut [f32]) {
    for (((i, j), head), slope) in atoms.pairs().zip(incoming.head.chunks_exact(view.columns())).zip(lengths)
    {
        let (o, length) = offset(atoms.positions, i, j);
        if length == 0.0 {
            continue;
        }
        let (s, t) = (incoming.node(view, i).2, incoming.node(view, j).2);
        let mut pull = [0.0f32; 3];
        for (k, w) in head[view.heads..].iter().enumerate() {
            for axis in 0..3 {
                pull[axis] += w * (s[3 * k + axis] - t[3 * k + axis]);
            }
        }
        let inverse = 1.0 / (length + 1.0);
        let along = pull[0] * o[0] + pull[1] * o[1] + pull[2] * o[2];
        let radial = (slope - along * inverse * inverse) / length;
        for axis in 0..3 {
            let g = pull[axis] * inverse + radial * o[axis];
            out[3 * i + axis] += g;
            out[3 * j + axis] -= g;
        }
    }
}
