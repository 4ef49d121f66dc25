//! The fused forward pass: a tile of edges at a time, in the processor's cache.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::tile::{Messages, Operands, Tile, View, coordinate_weight, length, tiles};
use super::{EdgeGraph, Reduction};
use crate::offset::offset;
use crate::simd::{self, multiversion};

/// The reduced messages of all atoms.
pub(super) fn forward(operands: &Operands, graph: &EdgeGraph, reduction: Reduction) -> FlexTensor {
    let view = operands.view();
    let width = reduction.width(view.d);
    let mut out = vec![0.0f32; graph.atoms() * width];
    let mut parts = Vec::with_capacity(graph.receivers().len());
    let mut rest = &mut out[..];
    for atoms in graph.receivers() {
        parts.push((atoms.clone(), rest.split_off_mut(..atoms.len() * width).expect("sized above")));
    }
    parts.into_par_iter().for_each_init(Messages::default, |messages, (atoms, out)| {
        let first = atoms.start;
        tiles(graph, atoms, |tile| {
            messages.make(&view, tile, reduction);
            let at = Place { first, out: &mut *out };
            match reduction {
                Reduction::Sum => add(messages, tile, view.d, at),
                Reduction::Gated => add_gated(messages, tile, view.d, at),
                Reduction::Moves { bound, offset } => add_moves(&view, messages, tile, (bound, offset), at),
            }
        });
    });
    FlexTensor::from_data(TensorData::new(out, [graph.atoms(), width]))
}

/// Rows of some atoms, and the first of those atoms.
struct Place<'a> {
    first: usize,
    out: &'a mut [f32],
}

multiversion! {
    fn add(messages: &Messages, tile: &Tile, d: usize, at: Place<'_>) = add_body
}

#[inline(always)]
fn add_body(messages: &Messages, tile: &Tile, d: usize, at: Place<'_>) {
    for (&(i, _), row) in tile.ends.iter().zip(messages.active.chunks_exact(d)) {
        let out = &mut at.out[(i - at.first) * d..(i - at.first + 1) * d];
        for k in 0..d {
            out[k] += row[k];
        }
    }
}

multiversion! {
    fn add_gated(messages: &Messages, tile: &Tile, d: usize, at: Place<'_>) = add_gated_body
}

#[inline(always)]
fn add_gated_body(messages: &Messages, tile: &Tile, d: usize, at: Place<'_>) {
    let rows = messages.active.chunks_exact(d).zip(&messages.scores);
    for (&(i, _), (row, &score)) in tile.ends.iter().zip(rows) {
        let gate = simd::sigmoid(score);
        let out = &mut at.out[(i - at.first) * d..(i - at.first + 1) * d];
        for k in 0..d {
            out[k] += gate * row[k];
        }
    }
}

fn add_moves(
    view: &View,
    messages: &Messages,
    tile: &Tile,
    (bound, added): (Option<f32>, f32),
    at: Place<'_>,
) {
    for (&(i, j), &score) in tile.ends.iter().zip(&messages.scores) {
        let (o, square) = offset(view.positions, i, j);
        let scale = coordinate_weight(score, bound).0 / (length(square) + added);
        let out = &mut at.out[(i - at.first) * 3..(i - at.first + 1) * 3];
        (0..3).for_each(|k| out[k] += scale * o[k]);
    }
}
