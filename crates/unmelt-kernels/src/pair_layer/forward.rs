//! The fused forward pass: a molecule at a time, all its pair tensors in the processor's cache.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::tile::{Molecule, NORM_EPSILON, Operands, View, offset, parts, product, split};
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
    let (pairs, rest) = packed.split_at_mut(rows * d);
    let (messages, rest) = rest.split_at_mut(atoms * d);
    let (attended, shift) = rest.split_at_mut(atoms * v);

    let mut none = Saved::default();
    let keep = saved.is_some();
    let saved = saved.unwrap_or(&mut none);
    if keep {
        saved.inner = vec![0.0; rows * d];
        saved.outer = vec![0.0; rows * d];
        saved.head = vec![0.0; rows * columns];
    }
    let of_rows = |width: usize| move |m: &Molecule| if keep { m.rows.len() * width } else { 0 };
    let outputs = split(pairs, &parts, |m| m.rows.len() * d)
        .into_iter()
        .zip(split(messages, &parts, |m| m.atoms.len() * d))
        .zip(split(attended, &parts, |m| m.atoms.len() * v))
        .zip(split(shift, &parts, |m| m.atoms.len() * 3))
        .zip(split(&mut saved.inner, &parts, of_rows(d)))
        .zip(split(&mut saved.outer, &parts, of_rows(d)))
        .zip(split(&mut saved.head, &parts, of_rows(columns)))
        .collect::<Vec<_>>();
    parts.par_iter().zip(outputs).for_each(|(part, outputs)| {
        let ((((((mut pairs, mut messages), mut attended), mut shift), mut inner), mut outer), mut head) =
            outputs;
        let mut scratch = Scratch::default();
        for molecule in part {
            let (n, p) = (molecule.atoms.len(), molecule.rows.len());
            let own = if keep { p } else { 0 };
            let mut out = Outputs {
                pairs: pairs.split_off_mut(..p * d).expect("sized above"),
                messages: messages.split_off_mut(..n * d).expect("sized above"),
                attended: attended.split_off_mut(..n * v).expect("sized above"),
                shift: shift.split_off_mut(..n * 3).expect("sized above"),
            };
            let kept = [
                inner.split_off_mut(..own * d).expect("sized above"),
                outer.split_off_mut(..own * d).expect("sized above"),
                head.split_off_mut(..own * columns).expect("sized above"),
            ];
            run_molecule(&view, molecule, &mut scratch, &mut out);
            if keep {
                kept[0].copy_from_slice(&scratch.inner);
                kept[1].copy_from_slice(&scratch.outer);
                kept[2].copy_from_slice(&scratch.head);
            }
        }
    });
    let len = packed.len();
    FlexTensor::from_data(TensorData::new(packed, [len]))
}

struct Outputs<'a> {
    pairs: &'a mut [f32],
    messages: &'a mut [f32],
    attended: &'a mut [f32],
    shift: &'a mut [f32],
}

#[derive(Default)]
struct Scratch {
    normed: Vec<f32>,
    inner: Vec<f32>,
    outer: Vec<f32>,
    active: Vec<f32>,
    head: Vec<f32>,
}

fn run_molecule(view: &View, molecule: &Molecule, scratch: &mut Scratch, out: &mut Outputs) {
    let (d, columns, p) = (view.d, view.heads + 1, molecule.rows.len());
    for buffer in [
        &mut scratch.normed,
        &mut scratch.inner,
        &mut scratch.outer,
        &mut scratch.active,
    ] {
        buffer.resize(p * d, 0.0);
    }
    scratch.head.resize(p * columns, 0.0);
    let pairs = &view.pairs[molecule.rows.start * d..molecule.rows.end * d];
    norm_rows(pairs, view.norm_scale, view.norm_shift, &mut scratch.normed);
    product(&mut scratch.inner, &scratch.normed, view.pair, [p, d, d], false);
    add_atom_terms(view, molecule, &mut scratch.inner);
    simd::silu(&scratch.inner, &mut scratch.active);
    fill_rows(&mut scratch.outer, view.message_bias);
    product(&mut scratch.outer, &scratch.active, view.message, [p, d, d], true);
    simd::silu(&scratch.outer, &mut scratch.active);
    out.pairs.copy_from_slice(pairs);
    add_rows(out.pairs, view.update_bias);
    product(out.pairs, &scratch.active, view.update, [p, d, d], true);
    product(&mut scratch.head, &scratch.active, view.head, [p, d, columns], false);
    reduce(view, molecule, &scratch.active, &mut scratch.head, out);
}

fn fill_rows(rows: &mut [f32], row: &[f32]) {
    rows.chunks_exact_mut(row.len()).for_each(|r| r.copy_from_slice(row));
}

fn add_rows(rows: &mut [f32], row: &[f32]) {
    for r in rows.chunks_exact_mut(row.len()) {
        r.iter_mut().zip(row).for_each(|(a, b)| *a += b);
    }
}

multiversion! {
    /// Layer norm of each row.
    pub(super) fn norm_rows(input: &[f32], scale: &[f32], shift: &[f32], output: &mut [f32]) = norm_rows_body
}

#[inline(always)]
fn norm_rows_body(input: &[f32], scale: &[f32], shift: &[f32], output: &mut [f32]) {
    let d = scale.len();
    for (x, y) in input.chunks_exact(d).zip(output.chunks_exact_mut(d)) {
        let (mean, rstd) = moments(x);
        for k in 0..d {
            y[k] = (x[k] - mean) * rstd * scale[k] + shift[k];
        }
    }
}

/// Mean and 1/√(variance + ε) of a row, summed in sixteen lanes so that it vectorises.
#[inline(always)]
pub(super) fn moments(x: &[f32]) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = lane_sum(x, |v| v) / n;
    let variance = lane_sum(x, |v| (v - mean) * (v - mean)) / n;
    (mean, 1.0 / (variance + NORM_EPSILON).sqrt())
}

#[inline(always)]
fn lane_sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let blocks = x.chunks_exact(16);
    let rest: f32 = blocks.remainder().iter().map(|&v| f(v)).sum();
    for block in blocks {
        for k in 0..16 {
            lanes[k] += f(block[k]);
        }
    }
    lanes.iter().sum::<f32>() + rest
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
        let message = &mut out.messages[i * d..(i + 1) * d];
        let attended = &mut out.attended[i * v..(i + 1) * v];
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
        out.shift[i * 3..i * 3 + 3].copy_from_slice(&shift);
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
