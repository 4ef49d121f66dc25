//! What one thread works on: a padded copy of the input around some output rows.

use super::shape::{ConvShape, TilePlace};

/// Memory of one thread.
#[derive(Default)]
pub(super) struct Scratch {
    /// The padded input, `[kd, rows, pitch, C]`.
    pub input: Vec<f32>,
    /// Outputs or their gradients at the pitch of the input, `[windows, C']`.
    pub output: Vec<f32>,
}

/// Position of the windows of a tile in its scratch memory.
#[derive(Clone, Copy)]
pub(super) struct TileSize {
    /// Padded rows per plane.
    rows: usize,
    pitch: usize,
    /// Windows along the rows, those that hang over the end of a row included.
    pub windows: usize,
    /// Windows from one output row to the next.
    pub window_pitch: usize,
}

impl TileSize {
    pub fn new(shape: &ConvShape, place: TilePlace) -> Self {
        let pitch = shape.pitch();
        let window_pitch = shape.stride[1] * pitch / shape.stride[2];
        Self {
            rows: (place.rows - 1) * shape.stride[1] + shape.kernel[1],
            pitch,
            windows: (place.rows - 1) * window_pitch + shape.output[2],
            window_pitch,
        }
    }

    /// First element of the window matrix of kernel row (z, y).
    pub fn offset(&self, z: usize, y: usize, channels: usize) -> usize {
        (z * self.rows + y) * self.pitch * channels
    }
}

/// Copies the input of a tile of `x`, zero outside of the volume.
pub(super) fn load(shape: &ConvShape, place: TilePlace, x: &[f32], scratch: &mut Scratch) {
    let size = TileSize::new(shape, place);
    let c = shape.channels_in;
    let row = size.pitch * c;
    scratch.input.resize(shape.kernel[0] * size.rows * row, 0.0);
    for (k, target) in scratch.input.chunks_exact_mut(row).enumerate() {
        let at =
            [place.plane * shape.stride[0] + k / size.rows, place.first * shape.stride[1] + k % size.rows];
        load_row(shape, x, (place.sample, at), target);
    }
}

/// Copies the row at padded position (z, y) of a sample of `x` into `target`.
pub(super) fn load_row(
    shape: &ConvShape,
    x: &[f32],
    (sample, [z, y]): (usize, [usize; 2]),
    target: &mut [f32],
) {
    let padding = shape.kernel.map(|k| k / 2);
    let z = source_index(shape, 0, z.wrapping_sub(padding[0]));
    let y = source_index(shape, 1, y.wrapping_sub(padding[1]));
    let (Some(z), Some(y)) = (z, y) else {
        target.fill(0.0);
        return;
    };
    let length = shape.source[2] * shape.channels_in;
    let start = ((sample * shape.source[0] + z) * shape.source[1] + y) * length;
    let stored = &x[start..start + length];
    let (left, rest) = target.split_at_mut(padding[2] * shape.channels_in);
    left.fill(0.0);
    if shape.upsample[2] == 1 && shape.dilate[2] == 1 {
        let (middle, right) = rest.split_at_mut(length.min(rest.len()));
        right.fill(0.0);
        middle.copy_from_slice(&stored[..middle.len()]);
    } else {
        rest.fill(0.0);
        spread(shape, stored, rest);
    }
}

/// The stored index behind position `at` of what the kernel sees; none in the padding and between dilated voxels.
fn source_index(shape: &ConvShape, axis: usize, at: usize) -> Option<usize> {
    let (up, dilate) = (shape.upsample[axis], shape.dilate[axis]);
    (at < shape.input[axis] && at.is_multiple_of(dilate)).then_some(at / up / dilate)
}

/// Repeats or dilates the voxels of a row.
fn spread(shape: &ConvShape, row: &[f32], target: &mut [f32]) {
    let (up, dilate, c) = (shape.upsample[2], shape.dilate[2], shape.channels_in);
    for (k, voxel) in row.chunks_exact(c).enumerate() {
        for copy in 0..up {
            let at = (k * up * dilate + copy) * c;
            if let Some(target) = target.get_mut(at..at + c) {
                target.copy_from_slice(voxel);
            }
        }
    }
}
