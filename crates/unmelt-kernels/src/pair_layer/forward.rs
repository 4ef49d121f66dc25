//! The fused forward pass: a molecule at a time, all its pair tensors in the processor's cache.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::tile::{Molecule, Operands, View, offset, parts, split};
use crate::norm::norm_rows;
use crate::product::{add_rows, fill_rows, product};
use crate::simd::{self, multiversion};

/// What the backward pass wants of the forward pass, `[P, D]`, `[P, D]` and `[P, heads + 1]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Saved {
    /// z_ij.
    pub inner: Vec<f32>,
    /// M·silu(z_ij) + c.
    pub outer: Vec<f32>,
    /// softmax_j(l_ij), then w_ij.
    pub head: Vec<f32>,
}

/// Runs the layer; fills `saved` if there is one.
pub(super) fn forward(operands: &Operands, sizes: &[usize], saved: Option<&mut Saved>) -> FlexTensor {
    let view = operands.view();
    let (d, v, columns) = (view.d, view.v(), view.heads + 1);
    let parts = parts(sizes);
    let atoms: usize = sizes.iter().sum();
    let rows: usize = sizes.iter().map(|n| n * n).sum();
    let mut packed = vec![0.0; rows * d + atoms * (d + v + 3)];
    let (pairs, nodes) = packed.split_at_mut(rows * d);

    let mut none = Saved::default();
    let keep = saved.is_some();
    let saved = saved.unwrap_or(&mut none);
    if keep {
        *saved =
            Saved { inner: vec![0.0; rows * d], outer: vec![0.0; rows * d], head: vec![0.0; rows * columns] };
    }
    let of_rows = |width: usize| move |m: &Molecule| if keep { m.rows.len() * width } else { 0 };
    let outputs = split(pairs, &parts, |m| m.rows.len() * d)
        .into_iter()
        .zip(split(nodes, &parts, |m| m.atoms.len() * (d + v + 3)))
        .zip(split(&mut saved.inner, &parts, of_rows(d)))
        .zip(split(&mut saved.outer, &parts, of_rows(d)))
        .zip(split(&mut saved.head, &parts, of_rows(columns)))
        .collect::<Vec<_>>();
    parts.par_iter().zip(outputs).for_each(|(part, outputs)| {
        let ((((mut pairs, mut nodes), mut inner), mut outer), mut head) = outputs;
        let mut scratch = Scratch::default();
        for molecule in part {
            let (n, p) = (molecule.atoms.len(), molecule.rows.len());
            let mut out = Outputs {
                pairs: pairs.split_off_mut(..p * d).expect("sized above"),
                nodes: nodes.split_off_mut(..n * (d + v + 3)).expect("sized above"),
            };
            let mut fallback = std::mem::take(&mut scratch.unsaved);
            let kept = if keep {
                Kept {
                    inner: inner.split_off_mut(..p * d).expect("sized above"),
                    outer: outer.split_off_mut(..p * d).expect("sized above"),
                    head: head.split_off_mut(..p * columns).expect("sized above"),
                }
            } else {
                fallback.resize(p * (2 * d + columns), 0.0);
                let (inner, rest) = fallback.split_at_mut(p * d);
                let (outer, rest) = rest.split_at_mut(p * d);
                Kept { inner, outer, head: rest }
            };
            run_molecule(&view, molecule, &mut scratch, kept, &mut out);
            scratch.unsaved = fallback;
        }
    });
    let len = packed.len();
    FlexTensor::from_data(TensorData::new(packed, [len]))
}

struct Outputs<'a> {
    pairs: &'a mut [f32],
    /// Messages, attended values and shift of each atom.
    nodes: &'a mut [f32],
}

/// One molecule's part of [`Saved`].
struct Kept<'a> {
    inner: &'a mut [f32],
    outer: &'a mut [f32],
    head: &'a mut [f32],
}

#[derive(Default)]
struct Scratch {
    normed: Vec<f32>,
    active: Vec<f32>,
    /// Stands in for [`Kept`] where nothing is saved.
    unsaved: Vec<f32>,
}

fn run_molecule(view: &View, molecule: &Molecule, scratch: &mut Scratch, kept: Kept, out: &mut Outputs) {
    let (d, columns, p) = (view.d, view.heads + 1, molecule.rows.len());
    scratch.normed.resize(p * d, 0.0);
    scratch.active.resize(p * d, 0.0);
    let pairs = &view.pairs[molecule.rows.start * d..molecule.rows.end * d];
    norm_rows(pairs, view.norm_scale, view.norm_shift, &mut scratch.normed);
    product(kept.inner, &scratch.normed, view.pair, [p, d, d], false);
    add_atom_terms(view, molecule, kept.inner);
    simd::silu(kept.inner, &mut scratch.active);
    fill_rows(kept.outer, view.message_bias);
    product(kept.outer, &scratch.active, view.message, [p, d, d], true);
    simd::silu(kept.outer, &mut scratch.active);
    out.pairs.copy_from_slice(pairs);
    add_rows(out.pairs, view.update_bias);
    product(out.pairs, &scratch.active, view.update, [p, d, d], true);
    product(kept.head, &scratch.active, view.head, [p, d, columns], false);
    reduce(view, molecule, &scratch.active, kept.head, out);
}

multiversion! {
    /// Adds a_i + b_j and the distance terms to the rows of a molecule.
    fn add_atom_terms(view: &View<'_>, molecule: &Molecule, rows: &mut [f32]) = add_atom_terms_body
}

#[inline(always)]
fn add_atom_terms_body(view: &View<'_>, molecule: &Molecule, rows: &mut [f32]) {
    let (d, n) = (view.d, molecule.atoms.len());
    let of = |width: usize| molecule.atoms.start * width..molecule.atoms.end * width;
    let source = &view.source[of(d)];
    let target = &view.target[of(d)];
    let positions = &view.positions[of(3)];
    let reference = &view.reference[of(3)];
    let (now, before) = view.distance.split_at(d);
    for i in 0..n {
        let a = &source[i * d..(i + 1) * d];
        for j in 0..n {
            let b = &target[j * d..(j + 1) * d];
            let (_, length) = offset(positions, i, j);
            let (_, length_before) = offset(reference, i, j);
            let row = &mut rows[(i * n + j) * d..(i * n + j + 1) * d];
            for k in 0..d {
                row[k] += a[k] + b[k] + length * now[k] + length_before * before[k];
            }
        }
    }
}

multiversion! {
    /// Turns logits into attention (in place) and reduces messages, values and offsets to atoms.
    fn reduce(view: &View<'_>, molecule: &Molecule, active: &[f32], head: &mut [f32], out: &mut Outputs<'_>) = reduce_body
}

#[inline(always)]
fn reduce_body(
    view: &View<'_>,
    molecule: &Molecule,
    active: &[f32],
    head: &mut [f32],
    out: &mut Outputs<'_>,
) {
    let (d, v, heads, n) = (view.d, view.v(), view.heads, molecule.atoms.len());
    let columns = heads + 1;
    let values = &view.values[molecule.atoms.start * v..molecule.atoms.end * v];
    let positions = &view.positions[molecule.atoms.start * 3..molecule.atoms.end * 3];
    for i in 0..n {
        let logits = &mut head[i * n * columns..(i + 1) * n * columns];
        softmax_columns(logits, heads, columns);
        let node = &mut out.nodes[i * (d + v + 3)..(i + 1) * (d + v + 3)];
        let (message, node) = node.split_at_mut(d);
        let (attended, moved) = node.split_at_mut(v);
        let mut shift = [0.0f32; 3];
        for j in 0..n {
            let row = &active[(i * n + j) * d..(i * n + j + 1) * d];
            for k in 0..d {
                message[k] += row[k];
            }
            let weights = &logits[j * columns..(j + 1) * columns];
            let value = &values[j * v..(j + 1) * v];
            for (h, &weight) in weights[..heads].iter().enumerate() {
                let span = h * view.per_head..(h + 1) * view.per_head;
                for (a, b) in attended[span.clone()].iter_mut().zip(&value[span]) {
                    *a += weight * b;
                }
            }
            let (o, length) = offset(positions, i, j);
            let scale = weights[heads] / (length + 1.0);
            for k in 0..3 {
                shift[k] += scale * o[k];
            }
        }
        moved.copy_from_slice(&shift);
    }
}

/// Softmax down each of the first `heads` columns.
#[inline(always)]
fn softmax_columns(logits: &mut [f32], heads: usize, columns: usize) {
    for h in 0..heads {
        let mut max = f32::NEG_INFINITY;
        for row in logits.chunks_exact(columns) {
            max = if row[h] > max { row[h] } else { max };
        }
        let mut total = 0.0;
        for row in logits.chunks_exact_mut(columns) {
            row[h] = simd::exp(row[h] - max);
            total += row[h];
        }
        let scale = 1.0 / total;
        for row in logits.chunks_exact_mut(columns) {
            row[h] *= scale;
        }
    }
}
