//! The fused forward pass: a molecule at a time, all its pair tensors in the processor's cache.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::MAX_LOGIT;
use super::tile::{Atoms, Molecule, Operands, View, offset, parts, split};
use crate::norm::norm_rows;
use crate::product::{add_rows, fill_rows, product};
use crate::simd::{self, multiversion};

/// What the backward pass wants of the forward pass, `[P, D]`, `[P, D]` and `[P, heads + vectors]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Saved {
    /// z_ij.
    pub inner: Vec<f32>,
    /// M·silu(z_ij) + c.
    pub outer: Vec<f32>,
    /// exp(l_ij), then w_ij.
    pub head: Vec<f32>,
}

/// Runs the layer; fills `saved` if there is one.
pub(super) fn forward(operands: &Operands, sizes: &[usize], saved: Option<&mut Saved>) -> FlexTensor {
    let view = operands.view();
    let (d, node, columns) = (view.d, view.node(), view.columns());
    let parts = parts(sizes);
    let atoms: usize = sizes.iter().sum();
    let rows = view.pairs.len() / d;
    let mut packed = vec![0.0; rows * d + atoms * node];
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
        .zip(split(nodes, &parts, |m| m.atoms.len() * node))
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
                nodes: nodes.split_off_mut(..n * node).expect("sized above"),
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
    /// Messages, attended values and vectors of each atom.
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
    totals: Vec<f32>,
    /// Stands in for [`Kept`] where nothing is saved.
    unsaved: Vec<f32>,
}

fn run_molecule(view: &View, molecule: &Molecule, scratch: &mut Scratch, kept: Kept, out: &mut Outputs) {
    let (d, columns, p) = (view.d, view.columns(), molecule.rows.len());
    let atoms = view.atoms(molecule);
    scratch.normed.resize(p * d, 0.0);
    scratch.active.resize(p * d, 0.0);
    let pairs = &view.pairs[molecule.rows.start * d..molecule.rows.end * d];
    norm_rows(pairs, view.norm_scale, view.norm_shift, &mut scratch.normed);
    product(kept.inner, &scratch.normed, view.pair, [p, d, d], false);
    add_atom_terms(view, &atoms, kept.inner);
    simd::silu(kept.inner, &mut scratch.active);
    fill_rows(kept.outer, view.message_bias);
    product(kept.outer, &scratch.active, view.message, [p, d, d], true);
    simd::silu(kept.outer, &mut scratch.active);
    out.pairs.copy_from_slice(pairs);
    add_rows(out.pairs, view.update_bias);
    product(out.pairs, &scratch.active, view.update, [p, d, d], true);
    product(kept.head, &scratch.active, view.head, [p, d, columns], false);
    exponentiate(kept.head, view.heads, columns);
    scratch.totals.resize(atoms.count * view.heads, 0.0);
    totals(&atoms, kept.head, columns, &mut scratch.totals);
    reduce(view, &atoms, &scratch.active, kept.head, &scratch.totals, out);
}

multiversion! {
    /// Adds what atoms and distances give to the rows of a molecule.
    fn add_atom_terms(view: &View<'_>, atoms: &Atoms<'_>, rows: &mut [f32]) = add_atom_terms_body
}

#[inline(always)]
fn add_atom_terms_body(view: &View<'_>, atoms: &Atoms<'_>, rows: &mut [f32]) {
    let d = view.d;
    let (now, before) = view.distance.split_at(d);
    for ((i, j), row) in atoms.pairs().zip(rows.chunks_exact_mut(d)) {
        let (a, b) = (&atoms.term[i * d..(i + 1) * d], &atoms.term[j * d..(j + 1) * d]);
        let (f, g) = (&atoms.factor[i * d..(i + 1) * d], &atoms.factor[j * d..(j + 1) * d]);
        let (_, length) = offset(atoms.positions, i, j);
        let (_, length_before) = offset(atoms.reference, i, j);
        for k in 0..d {
            row[k] += a[k] + b[k] + f[k] * g[k] + length * now[k] + length_before * before[k];
        }
    }
}

multiversion! {
    /// The first `heads` of every row's columns: logits in, limited, their exponentials out.
    fn exponentiate(head: &mut [f32], heads: usize, columns: usize) = exponentiate_body
}

#[inline(always)]
fn exponentiate_body(head: &mut [f32], heads: usize, columns: usize) {
    for row in head.chunks_exact_mut(columns) {
        for l in &mut row[..heads] {
            *l = simd::exp(l.clamp(-MAX_LOGIT, MAX_LOGIT));
        }
    }
}

/// 1 + Σ_j exp(l_ij) of every atom and head.
pub(super) fn totals(atoms: &Atoms, head: &[f32], columns: usize, totals: &mut [f32]) {
    totals.fill(1.0);
    let heads = totals.len() / atoms.count.max(1);
    for ((i, j), row) in atoms.pairs().zip(head.chunks_exact(columns)) {
        for h in 0..heads {
            totals[i * heads + h] += row[h];
            totals[j * heads + h] += row[h];
        }
    }
}

multiversion! {
    /// Reduces messages, values and offsets to atoms.
    fn reduce(view: &View<'_>, atoms: &Atoms<'_>, active: &[f32], head: &[f32], totals: &[f32], out: &mut Outputs<'_>) = reduce_body
}

#[inline(always)]
fn reduce_body(
    view: &View<'_>,
    atoms: &Atoms<'_>,
    active: &[f32],
    head: &[f32],
    totals: &[f32],
    out: &mut Outputs<'_>,
) {
    let (d, v, heads, per_head, node) = (view.d, view.v(), view.heads, view.per_head, view.node());
    let rows = active.chunks_exact(d).zip(head.chunks_exact(view.columns()));
    for ((i, j), (row, head)) in atoms.pairs().zip(rows) {
        let (left, right) = out.nodes.split_at_mut(j * node);
        let (a, b) = (&mut left[i * node..(i + 1) * node], &mut right[..node]);
        for k in 0..d {
            a[k] += row[k];
            b[k] += row[k];
        }
        let (p, q) = (&atoms.values[i * v..(i + 1) * v], &atoms.values[j * v..(j + 1) * v]);
        for h in 0..heads {
            let to_a = head[h] / totals[i * heads + h];
            let to_b = head[h] / totals[j * heads + h];
            for k in h * per_head..(h + 1) * per_head {
                a[d + k] += to_a * q[k];
                b[d + k] += to_b * p[k];
            }
        }
        let (o, length) = offset(atoms.positions, i, j);
        let inverse = 1.0 / (length + 1.0);
        for (k, w) in head[heads..].iter().enumerate() {
            for axis in 0..3 {
                let arrow = w * inverse * o[axis];
                a[d + v + 3 * k + axis] += arrow;
                b[d + v + 3 * k + axis] -= arrow;
            }
        }
    }
}
