//! What the forward and the backward pass share: operands as slices, and the messages of some edges.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use std::ops::Range;

use super::{EdgeGraph, MessageTensors, Reduction, SQUARE_OFFSET};
use crate::norm::dot;
use crate::offset::offset;
use crate::product::{fill_rows, product};
use crate::simd::{self, multiversion};
use crate::tensors::{in_order, values};

/// The operands, contiguous, in the order of [`MessageTensors`].
#[derive(Clone, Debug)]
pub(super) struct Operands {
    tensors: [FlexTensor; 9],
}

/// The operands as slices.
pub(super) struct View<'a> {
    pub source: &'a [f32],
    pub target: &'a [f32],
    pub positions: &'a [f32],
    pub reference: &'a [f32],
    pub distance: &'a [f32],
    pub message: &'a [f32],
    pub message_bias: &'a [f32],
    pub head: &'a [f32],
    pub head_bias: f32,
    /// Width.
    pub d: usize,
}

impl Operands {
    pub fn new(t: MessageTensors<Flex>) -> Self {
        let tensors = [
            t.source,
            t.target,
            t.positions,
            t.reference,
            t.distance,
            t.message,
            t.message_bias,
            t.head,
            t.head_bias,
        ];
        Self { tensors: tensors.map(in_order) }
    }

    /// The shape of operand `k`.
    pub fn shape(&self, k: usize) -> burn::tensor::Shape {
        self.tensors[k].layout().shape().clone()
    }

    pub fn view(&self) -> View<'_> {
        let t = &self.tensors;
        View {
            source: values(&t[0]),
            target: values(&t[1]),
            positions: values(&t[2]),
            reference: values(&t[3]),
            distance: values(&t[4]),
            message: values(&t[5]),
            message_bias: values(&t[6]),
            head: values(&t[7]),
            head_bias: values(&t[8])[0],
            d: self.shape(0)[1],
        }
    }
}

/// Edges that are worked on at a time.
const TILE: usize = 128;

/// Some edges of one part, ordered by receiver.
pub(super) struct Tile {
    /// Receiver and sender.
    pub ends: Vec<(usize, usize)>,
}

/// Visits the edges of a range of atoms, a tile at a time.
pub(super) fn tiles(graph: &EdgeGraph, atoms: Range<usize>, mut visit: impl FnMut(&Tile)) {
    let mut tile = Tile { ends: Vec::with_capacity(TILE) };
    for i in atoms {
        for edge in graph.of(i) {
            tile.ends.push((i, graph.sender(edge)));
            if tile.ends.len() == TILE {
                visit(&tile);
                tile.ends.clear();
            }
        }
    }
    if !tile.ends.is_empty() {
        visit(&tile);
    }
}

/// The messages of a tile, and what they came from.
#[derive(Default)]
pub(super) struct Messages {
    /// z.
    pub inner: Vec<f32>,
    /// silu(z).
    pub hidden: Vec<f32>,
    /// M·silu(z) + c.
    pub outer: Vec<f32>,
    /// m.
    pub active: Vec<f32>,
    /// s.
    pub scores: Vec<f32>,
}

impl Messages {
    /// Makes the messages of a tile; scores only where the reduction asks for them.
    pub fn make(&mut self, view: &View, tile: &Tile, reduction: Reduction) {
        let (d, rows) = (view.d, tile.ends.len());
        for buffer in [&mut self.inner, &mut self.hidden, &mut self.outer, &mut self.active] {
            buffer.resize(rows * d, 0.0);
        }
        gather(view, tile, &mut self.inner);
        simd::silu(&self.inner, &mut self.hidden);
        fill_rows(&mut self.outer, view.message_bias);
        product(&mut self.outer, &self.hidden, view.message, [rows, d, d], true);
        simd::silu(&self.outer, &mut self.active);
        self.scores.clear();
        if reduction != Reduction::Sum {
            self.scores.resize(rows, view.head_bias);
            score(&self.active, view.head, &mut self.scores);
        }
    }
}

multiversion! {
    /// a_i + b_j and the distance terms of every edge.
    fn gather(view: &View<'_>, tile: &Tile, rows: &mut [f32]) = gather_body
}

#[inline(always)]
fn gather_body(view: &View<'_>, tile: &Tile, rows: &mut [f32]) {
    let d = view.d;
    let (now, before) = view.distance.split_at(d);
    for (&(i, j), row) in tile.ends.iter().zip(rows.chunks_exact_mut(d)) {
        let (a, b) = (&view.source[i * d..(i + 1) * d], &view.target[j * d..(j + 1) * d]);
        let (_, square) = offset(view.positions, i, j);
        let (_, square_before) = offset(view.reference, i, j);
        for k in 0..d {
            row[k] = a[k] + b[k] + square * now[k] + square_before * before[k];
        }
    }
}

multiversion! {
    /// Adds to each score the product of its row with the head.
    fn score(rows: &[f32], head: &[f32], scores: &mut [f32]) = score_body
}

#[inline(always)]
fn score_body(rows: &[f32], head: &[f32], scores: &mut [f32]) {
    for (row, score) in rows.chunks_exact(head.len()).zip(scores) {
        *score += dot(row, head);
    }
}

/// √(d² + 10⁻⁸).
#[inline(always)]
pub(super) fn length(square: f32) -> f32 {
    (square + SQUARE_OFFSET).sqrt()
}

/// f(s) and its derivative.
#[inline(always)]
pub(super) fn coordinate_weight(score: f32, bound: Option<f32>) -> (f32, f32) {
    match bound {
        Some(bound) => {
            // tanh s = 2·sigmoid(2s) − 1
            let t = 2.0 * simd::sigmoid(2.0 * score) - 1.0;
            (bound * t, bound * (1.0 - t * t))
        }
        None => (score, 1.0),
    }
}
