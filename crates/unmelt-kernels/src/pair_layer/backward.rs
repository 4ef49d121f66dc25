//! The gradient of the fused layer, by hand: what the forward pass saved, recomputed where that is cheaper.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::forward::Saved;
use super::tile::{Molecule, Operands, View, offset, parts, split};
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
    let (d, v, columns) = (view.d, view.v(), view.heads + 1);
    let atoms: usize = sizes.iter().sum();
    let rows: usize = sizes.iter().map(|n| n * n).sum();
    let grad = in_order(grad.clone());
    let (grad_pairs, grad_nodes) = values(&grad).split_at(rows * d);
    let node = d + v + 3;

    let mut source = vec![0.0; atoms * d];
    let mut target = vec![0.0; atoms * d];
    let mut value = vec![0.0; atoms * v];
    let mut pairs = vec![0.0; rows * d];
    let mut positions = vec![0.0; atoms * 3];
    let parts = parts(sizes);
    let outputs = split(&mut source, &parts, |m| m.atoms.len() * d)
        .into_iter()
        .zip(split(&mut target, &parts, |m| m.atoms.len() * d))
        .zip(split(&mut value, &parts, |m| m.atoms.len() * v))
        .zip(split(&mut pairs, &parts, |m| m.rows.len() * d))
        .zip(split(&mut positions, &parts, |m| m.atoms.len() * 3))
        .collect::<Vec<_>>();
    let weights: Vec<WeightGradients> = parts
        .par_iter()
        .zip(outputs)
        .map(|(part, ((((mut source, mut target), mut value), mut pairs), mut positions))| {
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
                    source: source.split_off_mut(..n * d).expect("sized above"),
                    target: target.split_off_mut(..n * d).expect("sized above"),
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
    for (k, data) in [source, target, value, pairs, positions].into_iter().enumerate() {
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
    /// Of messages, attended values and shift of each atom.
    nodes: &'a [f32],
    inner: &'a [f32],
    outer: &'a [f32],
    head: &'a [f32],
}

impl Incoming<'_> {
    /// Gradients of messages, attended values and shift of atom i.
    #[inline(always)]
    fn node(&self, view: &View, i: usize) -> (&[f32], &[f32], &[f32]) {
        let (d, v) = (view.d, view.v());
        let node = &self.nodes[i * (d + v + 3)..(i + 1) * (d + v + 3)];
        (&node[..d], &node[d..d + v], &node[d + v..])
    }
}

/// Gradients leaving one molecule, zero at the start.
struct Outgoing<'a> {
    source: &'a mut [f32],
    target: &'a mut [f32],
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
        let lengths = [d, d, d * d, 2 * d, d * d, d, d * d, d, d * (view.heads + 1)];
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
}

fn run_molecule(
    view: &View,
    molecule: &Molecule,
    incoming: &Incoming,
    scratch: &mut Scratch,
    out: &mut Outgoing,
    weights: &mut WeightGradients,
) {
    let (d, columns, p) = (view.d, view.heads + 1, molecule.rows.len());
    for buffer in [&mut scratch.inner, &mut scratch.message, &mut scratch.first, &mut scratch.second] {
        buffer.resize(p * d, 0.0);
    }
    scratch.head.resize(p * columns, 0.0);
    scratch.lengths.clear();
    scratch.lengths.resize(p, 0.0);
    let [scale, shift, pair, distance, message, message_bias, update, update_bias, head] =
        &mut weights.arrays;

    simd::silu(incoming.outer, &mut scratch.message);
    head_gradient(view, molecule, incoming, &mut scratch.head, out);
    product_bt(&mut scratch.first, incoming.pairs, view.update, [p, d, d], false);
    product_bt(&mut scratch.first, &scratch.head, view.head, [p, columns, d], true);
    add_message_gradient(incoming.nodes, molecule.atoms.len(), d, &mut scratch.first);
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
    atom_gradient(view, molecule, &scratch.second, &mut scratch.lengths, distance, out);
    position_gradient(view, molecule, incoming, &scratch.lengths, out.positions);

    product_bt(&mut scratch.first, &scratch.second, view.pair, [p, d, d], false);
    out.pairs.copy_from_slice(incoming.pairs);
    norm_gradient(pairs, &scratch.first, view.norm_scale, out.pairs, scale, shift);
}

multiversion! {
    /// Adds the gradient of messages_i to every row (i, j).
    fn add_message_gradient(nodes: &[f32], n: usize, d: usize, rows: &mut [f32]) = add_message_gradient_body
}

#[inline(always)]
fn add_message_gradient_body(nodes: &[f32], n: usize, d: usize, rows: &mut [f32]) {
    for (node, rows) in nodes.chunks_exact(nodes.len() / n).zip(rows.chunks_exact_mut(n * d)) {
        for row in rows.chunks_exact_mut(d) {
            row.iter_mut().zip(&node[..d]).for_each(|(a, b)| *a += b);
        }
    }
}

multiversion! {
    /// Gradients of logits and coordinate weights into `head`, and of the attended values.
    fn head_gradient(view: &View<'_>, molecule: &Molecule, incoming: &Incoming<'_>, head: &mut [f32], out: &mut Outgoing<'_>) = head_gradient_body
}

#[inline(always)]
fn head_gradient_body(
    view: &View<'_>,
    molecule: &Molecule,
    incoming: &Incoming<'_>,
    head: &mut [f32],
    out: &mut Outgoing<'_>,
) {
    let (v, heads, per_head, n) = (view.v(), view.heads, view.per_head, molecule.atoms.len());
    let columns = heads + 1;
    let values = &view.values[molecule.atoms.start * v..molecule.atoms.end * v];
    let positions = &view.positions[molecule.atoms.start * 3..molecule.atoms.end * 3];
    for i in 0..n {
        let (_, attended, shift) = incoming.node(view, i);
        let weights = &incoming.head[i * n * columns..(i + 1) * n * columns];
        let gradients = &mut head[i * n * columns..(i + 1) * n * columns];
        for j in 0..n {
            let weight = &weights[j * columns..(j + 1) * columns];
            let gradient = &mut gradients[j * columns..(j + 1) * columns];
            for h in 0..heads {
                let span = h * per_head..(h + 1) * per_head;
                let (a, b) = (&attended[span.clone()], &values[j * v..(j + 1) * v][span.clone()]);
                let out = &mut out.values[j * v..(j + 1) * v][span];
                let mut dot = 0.0;
                for k in 0..per_head {
                    dot += a[k] * b[k];
                    out[k] += weight[h] * a[k];
                }
                gradient[h] = dot;
            }
            let (o, length) = offset(positions, i, j);
            gradient[heads] = (shift[0] * o[0] + shift[1] * o[1] + shift[2] * o[2]) / (length + 1.0);
        }
        for h in 0..heads {
            let mean: f32 = (0..n).map(|j| weights[j * columns + h] * gradients[j * columns + h]).sum();
            for j in 0..n {
                let k = j * columns + h;
                gradients[k] = weights[k] * (gradients[k] - mean);
            }
        }
    }
}

multiversion! {
    /// Sums the gradient of z over rows into a, b, the distance weights and the lengths d_ij.
    fn atom_gradient(view: &View<'_>, molecule: &Molecule, rows: &[f32], lengths: &mut [f32], distance: &mut [f32], out: &mut Outgoing<'_>) = atom_gradient_body
}

#[inline(always)]
fn atom_gradient_body(
    view: &View<'_>,
    molecule: &Molecule,
    rows: &[f32],
    lengths: &mut [f32],
    distance: &mut [f32],
    out: &mut Outgoing<'_>,
) {
    let (d, n) = (view.d, molecule.atoms.len());
    let positions = &view.positions[molecule.atoms.start * 3..molecule.atoms.end * 3];
    let reference = &view.reference[molecule.atoms.start * 3..molecule.atoms.end * 3];
    let weight = &view.distance[..d];
    let (now, before) = distance.split_at_mut(d);
    for i in 0..n {
        let source = &mut out.source[i * d..(i + 1) * d];
        for j in 0..n {
            let row = &rows[(i * n + j) * d..(i * n + j + 1) * d];
            let target = &mut out.target[j * d..(j + 1) * d];
            let (_, length) = offset(positions, i, j);
            let (_, length_before) = offset(reference, i, j);
            for k in 0..d {
                source[k] += row[k];
                target[k] += row[k];
                now[k] += length * row[k];
                before[k] += length_before * row[k];
            }
            lengths[i * n + j] = dot(row, weight);
        }
    }
}

/// Gradient of the positions: through the shift and through the lengths.
fn position_gradient(
    view: &View,
    molecule: &Molecule,
    incoming: &Incoming,
    lengths: &[f32],
    out: &mut [f32],
) {
    let (n, columns) = (molecule.atoms.len(), view.heads + 1);
    let positions = &view.positions[molecule.atoms.start * 3..molecule.atoms.end * 3];
    for i in 0..n {
        let (_, _, shift) = incoming.node(view, i);
        for j in 0..n {
            let (o, length) = offset(positions, i, j);
            if length == 0.0 {
                continue;
            }
            let weight = incoming.head[(i * n + j) * columns + view.heads];
            let inverse = 1.0 / (length + 1.0);
            let along = shift[0] * o[0] + shift[1] * o[1] + shift[2] * o[2];
            let radial = (lengths[i * n + j] - weight * along * inverse * inverse) / length;
            for k in 0..3 {
                let g = weight * shift[k] * inverse + radial * o[k];
                out[3 * i + k] += g;
                out[3 * j + k] -= g;
            }
        }
    }
}
