//! Minimal filtering F(2, 3) along every axis whose kernel is 3 wide (Winograd 1980; Lavin & Gray 2016, "Fast algorithms for
//! convolutional neural networks"): two outputs from four products instead of six, so 3.4 times fewer in three dimensions.
//!
//! Four neighbours along an axis become four points, Bᵀ; at every point a product of matrices takes channels to channels, with
//! the kernel's own points, G; four points become two outputs, Aᵀ. The gradient of the kernel is the same way back.

mod points;

use std::cell::RefCell;

use rayon::prelude::*;

use super::shape::ConvShape;
use super::tile::load_row;
use crate::product::{add_product_at, product};
use points::{
    Extent, Points, extent_of, kernel_of_points, outputs_of_points, points_of_gradient, points_of_input,
    points_of_kernel,
};

/// Tiles that share a product of matrices, about.
const TILES: usize = 32;

/// Channels below which the transforms cost more than they save.
const LEAST_CHANNELS: usize = 24;

/// The gradient of the kernel is summed in at most this many parts, whatever the number of threads, so that it is the same on
/// every machine.
const PARTS: usize = 8;

/// A convolution as tiles of outputs.
#[derive(Clone, Copy)]
pub(super) struct Winograd<'a> {
    shape: &'a ConvShape,
    /// Whether the kernel is 3 wide.
    axes: [bool; 3],
}

impl<'a> Winograd<'a> {
    /// None where a convolution strides or dilates, or has so few channels that it is better made directly.
    pub fn of(shape: &'a ConvShape) -> Option<Self> {
        let plain = shape.stride == [1; 3] && shape.dilate == [1; 3];
        let channels = shape.channels_in.min(shape.channels_out);
        let axes = shape.kernel.map(|k| k == 3);
        (plain && channels >= LEAST_CHANNELS && axes[2]).then_some(Self { shape, axes })
    }

    fn extent(&self, along_wide: usize) -> Extent {
        extent_of(self.axes, along_wide)
    }

    fn points(&self) -> usize {
        self.extent(4).iter().product()
    }

    /// Tiles along each axis.
    fn tiles(&self) -> Extent {
        let outputs = self.extent(2);
        std::array::from_fn(|a| self.shape.output[a].div_ceil(outputs[a]))
    }

    /// All tasks in order, of all samples: rows of tiles that are worked on together.
    fn tasks(&self) -> Vec<Task> {
        let [d, h, w] = self.tiles();
        let together = (d * h * w).div_ceil(TILES).max(1);
        let share = (d * h).div_ceil(together).max(1);
        let of_sample = |sample: usize| {
            (0..d * h).step_by(share).map(move |first| Task { sample, first, rows: share.min(d * h - first) })
        };
        (0..self.shape.samples).flat_map(of_sample).collect()
    }

    /// Output rows (z, y) of a sample that row `row` of tiles makes; none beyond the edge.
    fn output_rows(&self, sample: usize, row: usize) -> impl Iterator<Item = Option<usize>> {
        let (output, per, across) = (self.shape.output, self.extent(2), self.tiles()[1]);
        (0..per[0] * per[1]).map(move |k| {
            let (z, y) = (row / across * per[0] + k / per[1], row % across * per[1] + k % per[1]);
            (z < output[0] && y < output[1]).then_some((sample * output[0] + z) * output[1] + y)
        })
    }

    /// `[N, D', H', W', C']` from `x` and a kernel `[kd, kh, kw, C, C']`.
    pub fn convolve<'b>(
        &self,
        x: &[f32],
        kernel: &[f32],
        bias: impl Fn(usize) -> &'b [f32] + Sync,
    ) -> Vec<f32> {
        let shape = self.shape;
        let (ci, co) = (shape.channels_in, shape.channels_out);
        let mut filters = vec![0.0; self.points() * ci * co];
        points_of_kernel(self.axes, kernel, ci * co, &mut filters);
        let mut y = vec![0.0; shape.samples * shape.output_voxels() * co];
        let mut rows: Vec<Option<&mut [f32]>> = y.chunks_exact_mut(shape.output[2] * co).map(Some).collect();
        let tasks: Vec<(Task, Vec<Option<&mut [f32]>>)> = self
            .tasks()
            .into_iter()
            .map(|task| {
                let all = task.range().flat_map(|row| self.output_rows(task.sample, row));
                (task, all.map(|at| at.and_then(|k| rows[k].take())).collect())
            })
            .collect();
        tasks.into_par_iter().for_each(|(task, mut rows)| {
            MEMORY.with_borrow_mut(|memory| {
                self.make_rows(task, x, &filters, (bias(task.sample), &mut rows), memory)
            });
        });
        y
    }

    /// The outputs of a task, in their rows.
    fn make_rows(
        &self,
        task: Task,
        x: &[f32],
        filters: &[f32],
        (bias, rows): (&[f32], &mut [Option<&mut [f32]>]),
        memory: &mut Memory,
    ) {
        let (ci, co) = (self.shape.channels_in, self.shape.channels_out);
        let inputs = self.input_points(task, x, memory);
        let outputs = Points { count: self.points(), tiles: inputs.tiles, channels: co };
        reserve(&mut memory.outputs, outputs.len());
        for (k, filter) in filters.chunks_exact(ci * co).enumerate() {
            let (from, to) = (inputs.matrix(k), outputs.matrix(k));
            product(&mut memory.outputs[to], &memory.inputs[from], filter, [inputs.tiles, ci, co], false);
        }
        let per_row = self.tiles()[2];
        let of_tiles = self.extent(2)[0] * self.extent(2)[1];
        for (k, rows) in rows.chunks_mut(of_tiles).enumerate() {
            outputs_of_points(self.axes, &memory.outputs, outputs, (k * per_row, per_row), bias, rows);
        }
    }

    /// The gradient of the kernel, `[kd, kh, kw, C, C']`.
    pub fn kernel_gradient(&self, x: &[f32], grad: &[f32]) -> Vec<f32> {
        let shape = self.shape;
        let (ci, co) = (shape.channels_in, shape.channels_out);
        let tasks = self.tasks();
        let rows: Vec<&[f32]> = grad.chunks_exact(shape.output[2] * co).collect();
        let share = tasks.len().div_ceil(PARTS).max(1);
        let parts: Vec<Vec<f32>> = tasks
            .par_chunks(share)
            .map(|tasks| {
                let mut sums = vec![0.0; self.points() * ci * co];
                MEMORY.with_borrow_mut(|memory| {
                    tasks.iter().for_each(|task| self.add_products(*task, x, &rows, &mut sums, memory));
                });
                sums
            })
            .collect();
        let mut sums = vec![0.0; self.points() * ci * co];
        sums.par_chunks_mut(ci * co).enumerate().for_each(|(k, sums)| {
            for part in &parts {
                let part = &part[k * ci * co..(k + 1) * ci * co];
                sums.iter_mut().zip(part).for_each(|(a, b)| *a += b);
            }
        });
        let mut kernel = vec![0.0; shape.kernel.iter().product::<usize>() * ci * co];
        kernel_of_points(self.axes, &sums, ci * co, &mut kernel);
        kernel
    }

    /// Adds a task's part of the gradient of the kernel's points.
    fn add_products(&self, task: Task, x: &[f32], grad: &[&[f32]], sums: &mut [f32], memory: &mut Memory) {
        let (ci, co) = (self.shape.channels_in, self.shape.channels_out);
        let inputs = self.input_points(task, x, memory);
        let outputs = Points { count: self.points(), tiles: inputs.tiles, channels: co };
        reserve(&mut memory.outputs, outputs.len());
        let per_row = self.tiles()[2];
        for (k, row) in task.range().enumerate() {
            let rows: Vec<Option<&[f32]>> =
                self.output_rows(task.sample, row).map(|at| at.map(|k| grad[k])).collect();
            points_of_gradient(self.axes, &rows, outputs, (k * per_row, per_row), &mut memory.outputs);
        }
        for (k, sums) in sums.chunks_exact_mut(ci * co).enumerate() {
            let (x, grad) = (&memory.inputs[inputs.matrix(k)], &memory.outputs[outputs.matrix(k)]);
            add_product_at(sums, x, grad, [ci, inputs.tiles, co]);
        }
    }

    /// The points of a task's input, in `memory.inputs`.
    fn input_points(&self, task: Task, x: &[f32], memory: &mut Memory) -> Points {
        let shape = self.shape;
        let [_, across, per_row] = self.tiles();
        let (outputs, extent) = (self.extent(2), self.extent(4));
        let points = Points { count: self.points(), tiles: task.rows * per_row, channels: shape.channels_in };
        reserve(&mut memory.inputs, points.len());
        let pitch = per_row * 2 + 2;
        let length = pitch * shape.channels_in;
        memory.rows.resize(extent[0] * extent[1] * length, 0.0);
        for (k, row) in task.range().enumerate() {
            let corner = [row / across * outputs[0], row % across * outputs[1]];
            for (i, target) in memory.rows.chunks_exact_mut(length).enumerate() {
                let at = [corner[0] + i / extent[1], corner[1] + i % extent[1]];
                load_row(shape, x, (task.sample, at), target);
            }
            points_of_input(self.axes, &memory.rows, points, (k * per_row, per_row), &mut memory.inputs);
        }
        points
    }
}

/// Rows of tiles of a sample, counted through its planes.
#[derive(Clone, Copy)]
struct Task {
    sample: usize,
    first: usize,
    rows: usize,
}

impl Task {
    fn range(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.rows
    }
}

/// Makes room for so many numbers. Room once made stays: to clear it again for every change of shape costs more than it is worth.
fn reserve(memory: &mut Vec<f32>, count: usize) {
    if memory.len() < count {
        memory.resize(count, 0.0);
    }
}

thread_local! {
    /// Kept from one convolution to the next: fresh memory has to be cleared first.
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// Memory of one thread.
#[derive(Default)]
struct Memory {
    /// Padded rows around a row of tiles.
    rows: Vec<f32>,
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}
