//! The gradient of the fused messages, by hand; the messages are made again, a tile at a time.

use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;
use std::ops::Range;

use super::tile::{Messages, Operands, Tile, View, coordinate_weight, length, tiles};
use super::{EdgeGraph, Reduction};
use crate::norm::dot;
use crate::offset::offset;
use crate::product::{add_column_sums, add_product_at, product_bt};
use crate::simd::{self, multiversion};
use crate::tensors::{in_order, values};

/// Gradients of the operands, in the order of [`super::MessageTensors`].
pub(super) type Gradients = [FlexTensor; 9];

/// Operands that belong to atoms; the others are weights.
const OF_ATOMS: usize = 4;

/// Gradients of all operands for the gradient of the reduced messages.
pub(super) fn backward(
    operands: &Operands,
    graph: &EdgeGraph,
    reduction: Reduction,
    grad: &FlexTensor,
) -> Gradients {
    let view = operands.view();
    let grad = in_order(grad.clone());
    let incoming = values(&grad);
    let parts: Vec<Part> = graph
        .parts()
        .par_iter()
        .map(|atoms| {
            let mut part = Part::new(&view, atoms.clone());
            let (mut messages, mut scratch) = (Messages::default(), Slopes::default());
            tiles(graph, atoms.clone(), |tile| {
                messages.make(&view, tile, reduction);
                part.add(&view, tile, &messages, reduction, incoming, &mut scratch);
            });
            part
        })
        .collect();
    let mut arrays: [Vec<f32>; 9] = std::array::from_fn(|k| {
        if k < OF_ATOMS { Vec::new() } else { vec![0.0; operands.shape(k).num_elements()] }
    });
    for part in parts {
        for (k, (sum, own)) in arrays.iter_mut().zip(part.arrays).enumerate() {
            if k < OF_ATOMS {
                sum.extend(own);
            } else {
                sum.iter_mut().zip(own).for_each(|(a, b)| *a += b);
            }
        }
    }
    let mut k = 0;
    arrays.map(|data| {
        k += 1;
        FlexTensor::from_data(TensorData::new(data, operands.shape(k - 1)))
    })
}

/// Gradients of one part's atoms and of the weights, in the order of the operands.
struct Part {
    first: usize,
    arrays: [Vec<f32>; 9],
}

/// Gradients of the rows of a tile.
#[derive(Default)]
struct Slopes {
    /// Of m, then of M·silu(z) + c.
    outer: Vec<f32>,
    /// Of silu(z), then of z.
    inner: Vec<f32>,
    /// Of s.
    scores: Vec<f32>,
}

impl Part {
    fn new(view: &View, atoms: Range<usize>) -> Self {
        let (n, d) = (atoms.len(), view.d);
        let lengths = [n * d, n * d, n * 3, n * 3, 2 * d, d * d, d, d, 1];
        Self { first: atoms.start, arrays: lengths.map(|n| vec![0.0; n]) }
    }

    fn add(
        &mut self,
        view: &View,
        tile: &Tile,
        messages: &Messages,
        reduction: Reduction,
        incoming: &[f32],
        slopes: &mut Slopes,
    ) {
        let (d, rows) = (view.d, tile.ends.len());
        slopes.outer.resize(rows * d, 0.0);
        slopes.inner.resize(rows * d, 0.0);
        slopes.scores.clear();
        slopes.scores.resize(rows, 0.0);
        match reduction {
            Reduction::Sum => spread(tile, incoming, d, &mut slopes.outer),
            Reduction::Gated => gated_slopes(view, tile, messages, incoming, slopes),
            Reduction::Moves { bound, offset } => {
                self.move_slopes(view, tile, messages, (bound, offset), incoming, slopes);
            }
        }
        let [.., message, message_bias, head, head_bias] = &mut self.arrays;
        if reduction != Reduction::Sum {
            add_product_at(head, &messages.active, &slopes.scores, [d, rows, 1]);
            head_bias[0] += slopes.scores.iter().sum::<f32>();
        }
        simd::silu_backward(&messages.outer, &mut slopes.outer);
        add_product_at(message, &messages.hidden, &slopes.outer, [d, rows, d]);
        add_column_sums(&slopes.outer, message_bias);
        product_bt(&mut slopes.inner, &slopes.outer, view.message, [rows, d, d], false);
        simd::silu_backward(&messages.inner, &mut slopes.inner);
        self.scatter(view, tile, &slopes.inner);
    }

    /// Gradients of the coordinate weights, and of the offsets that they scale.
    fn move_slopes(
        &mut self,
        view: &View,
        tile: &Tile,
        messages: &Messages,
        (bound, added): (Option<f32>, f32),
        incoming: &[f32],
        slopes: &mut Slopes,
    ) {
        let d = view.d;
        let first = self.first;
        let positions = &mut self.arrays[2];
        for (e, &(i, j)) in tile.ends.iter().enumerate() {
            let (o, square) = offset(view.positions, i, j);
            let root = length(square);
            let whole = root + added;
            let (weight, slope) = coordinate_weight(messages.scores[e], bound);
            let g = &incoming[3 * i..3 * i + 3];
            let along = g[0] * o[0] + g[1] * o[1] + g[2] * o[2];
            slopes.scores[e] = slope * along / whole;
            for k in 0..3 {
                let change = weight * (g[k] / whole - o[k] * along / (whole * whole * root));
                positions[3 * (i - first) + k] += change;
                positions[3 * (j - first) + k] -= change;
            }
            let row = &mut slopes.outer[e * d..(e + 1) * d];
            row.iter_mut().zip(view.head).for_each(|(r, h)| *r = slopes.scores[e] * h);
        }
    }

    /// Hands the gradient of z to atoms, positions and distance weights.
    fn scatter(&mut self, view: &View, tile: &Tile, rows: &[f32]) {
        let [source, target, positions, reference, distance, ..] = &mut self.arrays;
        let out = Scattered { first: self.first, source, target, positions, reference, distance };
        scatter_rows(view, tile, rows, out);
    }
}

struct Scattered<'a> {
    first: usize,
    source: &'a mut [f32],
    target: &'a mut [f32],
    positions: &'a mut [f32],
    reference: &'a mut [f32],
    distance: &'a mut [f32],
}

multiversion! {
    fn scatter_rows(view: &View<'_>, tile: &Tile, rows: &[f32], out: Scattered<'_>) = scatter_rows_body
}

#[inline(always)]
fn scatter_rows_body(view: &View<'_>, tile: &Tile, rows: &[f32], out: Scattered<'_>) {
    let d = view.d;
    let (now, before) = view.distance.split_at(d);
    let (of_now, of_before) = out.distance.split_at_mut(d);
    for (&(i, j), row) in tile.ends.iter().zip(rows.chunks_exact(d)) {
        let (p, q) = (i - out.first, j - out.first);
        let (o, square) = offset(view.positions, i, j);
        let (o_before, square_before) = offset(view.reference, i, j);
        let source = &mut out.source[p * d..(p + 1) * d];
        for k in 0..d {
            source[k] += row[k];
            of_now[k] += square * row[k];
            of_before[k] += square_before * row[k];
        }
        let target = &mut out.target[q * d..(q + 1) * d];
        for k in 0..d {
            target[k] += row[k];
        }
        let (slope, slope_before) = (2.0 * dot(row, now), 2.0 * dot(row, before));
        for k in 0..3 {
            out.positions[3 * p + k] += slope * o[k];
            out.positions[3 * q + k] -= slope * o[k];
            out.reference[3 * p + k] += slope_before * o_before[k];
            out.reference[3 * q + k] -= slope_before * o_before[k];
        }
    }
}

/// The gradient of a sum belongs to each of its terms.
fn spread(tile: &Tile, incoming: &[f32], d: usize, rows: &mut [f32]) {
    for (&(i, _), row) in tile.ends.iter().zip(rows.chunks_exact_mut(d)) {
        row.copy_from_slice(&incoming[i * d..(i + 1) * d]);
    }
}

multiversion! {
    fn gated_slopes(view: &View<'_>, tile: &Tile, messages: &Messages, incoming: &[f32], slopes: &mut Slopes) = gated_slopes_body
}

#[inline(always)]
fn gated_slopes_body(
    view: &View<'_>,
    tile: &Tile,
    messages: &Messages,
    incoming: &[f32],
    slopes: &mut Slopes,
) {
    let d = view.d;
    for (e, &(i, _)) in tile.ends.iter().enumerate() {
        let (g, m) = (&incoming[i * d..(i + 1) * d], &messages.active[e * d..(e + 1) * d]);
        let gate = simd::sigmoid(messages.scores[e]);
        let slope = gate * (1.0 - gate) * dot(g, m);
        slopes.scores[e] = slope;
        let row = &mut slopes.outer[e * d..(e + 1) * d];
        for k in 0..d {
            row[k] = gate * g[k] + slope * view.head[k];
        }
    }
}
