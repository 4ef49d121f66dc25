//! The linear maps of minimal filtering, over tiles of neighbours and sixteen channels at a time.

use crate::simd::multiversion;

/// Distance of the points of neighbouring matrices beyond their length, so that they do not compete for the same cache lines.
const APART: usize = 16;

/// Channels that are transformed at a time.
const LANES: usize = 16;
type Lanes = [f32; LANES];

/// Up to 4 × 4 × 4 neighbours, the last axis innermost.
type Cube = [Lanes; 64];
const STRIDES: [usize; 3] = [16, 4, 1];

/// How many values along each axis a cube holds.
pub(super) type Extent = [usize; 3];

/// Layout of the points of some tiles: for each point a matrix `[tiles, channels]`.
#[derive(Clone, Copy)]
pub(super) struct Points {
    pub count: usize,
    pub tiles: usize,
    pub channels: usize,
}

impl Points {
    fn stride(&self) -> usize {
        self.tiles * self.channels + APART
    }

    pub fn len(&self) -> usize {
        self.count * self.stride()
    }

    pub fn matrix(&self, point: usize) -> std::ops::Range<usize> {
        let start = point * self.stride();
        start..start + self.tiles * self.channels
    }
}

#[inline(always)]
fn combine(f: impl Fn(usize) -> f32) -> Lanes {
    std::array::from_fn(f)
}

/// Applies a map of lines to a cube along every wide axis; `extent` says how many values there are before, and is told how
/// many there are after.
#[inline(always)]
fn transform<const FROM: usize, const TO: usize>(
    cube: &mut Cube,
    axes: [bool; 3],
    line: impl Fn([Lanes; FROM]) -> [Lanes; TO],
) {
    let mut extent = extent_of(axes, FROM);
    // Plain loops: an iterator's own loop may not be compiled for the instructions of its caller.
    for axis in [2, 1, 0] {
        if !axes[axis] {
            continue;
        }
        let [b, c] = [(axis + 1) % 3, (axis + 2) % 3];
        for i in 0..extent[b] {
            for j in 0..extent[c] {
                let at = |k: usize| (i * STRIDES[b] + j * STRIDES[c] + k * STRIDES[axis]) & 63;
                let made = line(std::array::from_fn(|k| cube[at(k)]));
                for k in 0..TO {
                    cube[at(k)] = made[k];
                }
            }
        }
        extent[axis] = TO;
    }
}

/// Visits every place of a cube: its index, its number in order, its position.
#[inline(always)]
fn places(extent: Extent, mut visit: impl FnMut(usize, usize, [usize; 3])) {
    let mut number = 0;
    for z in 0..extent[0] {
        for y in 0..extent[1] {
            for x in 0..extent[2] {
                visit((z * STRIDES[0] + y * STRIDES[1] + x) & 63, number, [z, y, x]);
                number += 1;
            }
        }
    }
}

/// The lanes at an offset; 0 in those beyond `count`.
#[inline(always)]
fn read(data: &[f32], at: usize, count: usize) -> Lanes {
    let mut lanes = [0.0; LANES];
    if count >= LANES {
        lanes.copy_from_slice(&data[at..at + LANES]);
    } else {
        lanes[..count].copy_from_slice(&data[at..at + count]);
    }
    lanes
}

#[inline(always)]
fn write(data: &mut [f32], at: usize, count: usize, lanes: &Lanes) {
    if count >= LANES {
        data[at..at + LANES].copy_from_slice(lanes);
    } else {
        data[at..at + count].copy_from_slice(&lanes[..count]);
    }
}

#[inline(always)]
pub(super) fn extent_of(axes: [bool; 3], along_wide: usize) -> Extent {
    axes.map(|w| if w { along_wide } else { 1 })
}

multiversion! {
    /// Bᵀ of tiles `first..first + count` of one row, whose padded voxels are `rows`.
    pub(super) fn points_of_input(
        axes: [bool; 3],
        rows: &[f32],
        points: Points,
        tiles: (usize, usize),
        to: &mut [f32],
    ) = points_of_input_body
}

#[inline(always)]
fn points_of_input_body(
    axes: [bool; 3],
    rows: &[f32],
    points: Points,
    (first, count): (usize, usize),
    to: &mut [f32],
) {
    let (channels, extent, pitch) = (points.channels, extent_of(axes, 4), 2 * count + 2);
    let mut cube = [[0.0; LANES]; 64];
    for tile in 0..count {
        for c in (0..channels).step_by(LANES) {
            places(extent, |k, _, [z, y, x]| {
                let voxel = (z * extent[1] + y) * pitch + 2 * tile + x;
                cube[k] = read(rows, voxel * channels + c, channels - c);
            });
            transform(&mut cube, axes, |[a, b, c, d]: [Lanes; 4]| {
                [
                    combine(|l| a[l] - c[l]),
                    combine(|l| b[l] + c[l]),
                    combine(|l| c[l] - b[l]),
                    combine(|l| b[l] - d[l]),
                ]
            });
            let at = (first + tile) * channels + c;
            places(extent, |k, number, _| write(to, number * points.stride() + at, channels - c, &cube[k]));
        }
    }
}

multiversion! {
    /// Aᵀ of tiles `first..first + count`, with the bias, in output rows; none of a row means that it lies beyond the edge.
    pub(super) fn outputs_of_points(
        axes: [bool; 3],
        from: &[f32],
        points: Points,
        tiles: (usize, usize),
        bias: &[f32],
        rows: &mut [Option<&mut [f32]>],
    ) = outputs_of_points_body
}

#[inline(always)]
fn outputs_of_points_body(
    axes: [bool; 3],
    from: &[f32],
    points: Points,
    (first, count): (usize, usize),
    bias: &[f32],
    rows: &mut [Option<&mut [f32]>],
) {
    let (channels, outputs) = (points.channels, extent_of(axes, 2));
    let mut cube = [[0.0; LANES]; 64];
    for tile in 0..count {
        for c in (0..channels).step_by(LANES) {
            let at = (first + tile) * channels + c;
            places(extent_of(axes, 4), |k, number, _| {
                cube[k] = read(from, number * points.stride() + at, channels - c);
            });
            transform(&mut cube, axes, |[a, b, c, d]: [Lanes; 4]| {
                [combine(|l| a[l] + b[l] + c[l]), combine(|l| b[l] - c[l] - d[l])]
            });
            let bias = read(bias, c, channels - c);
            // Plain loops once more: a closure as long as this would be left outside.
            for (k, row) in rows.iter_mut().enumerate() {
                let Some(row) = row else { continue };
                for x in 0..outputs[2] {
                    let at = (2 * tile + x) * channels + c;
                    if at < row.len() {
                        let made =
                            &cube[(k / outputs[1] * STRIDES[0] + k % outputs[1] * STRIDES[1] + x) & 63];
                        write(row, at, channels - c, &combine(|l| made[l] + bias[l]));
                    }
                }
            }
        }
    }
}

multiversion! {
    /// A of the gradient of the outputs of tiles `first..first + count`.
    pub(super) fn points_of_gradient(
        axes: [bool; 3],
        rows: &[Option<&[f32]>],
        points: Points,
        tiles: (usize, usize),
        to: &mut [f32],
    ) = points_of_gradient_body
}

#[inline(always)]
fn points_of_gradient_body(
    axes: [bool; 3],
    rows: &[Option<&[f32]>],
    points: Points,
    (first, count): (usize, usize),
    to: &mut [f32],
) {
    let (channels, outputs) = (points.channels, extent_of(axes, 2));
    let mut cube = [[0.0; LANES]; 64];
    for tile in 0..count {
        for c in (0..channels).step_by(LANES) {
            places(outputs, |k, _, [z, y, x]| {
                let at = (2 * tile + x) * channels + c;
                cube[k] = match rows[z * outputs[1] + y].filter(|row| at < row.len()) {
                    Some(row) => read(row, at, channels - c),
                    None => [0.0; LANES],
                };
            });
            transform(&mut cube, axes, |[a, b]: [Lanes; 2]| {
                [a, combine(|l| a[l] + b[l]), combine(|l| a[l] - b[l]), combine(|l| -b[l])]
            });
            let at = (first + tile) * channels + c;
            places(extent_of(axes, 4), |k, number, _| {
                write(to, number * points.stride() + at, channels - c, &cube[k]);
            });
        }
    }
}

multiversion! {
    /// G of a kernel `[places, length]` in `to`, `[points, length]`.
    pub(super) fn points_of_kernel(
        axes: [bool; 3],
        kernel: &[f32], length: usize, to: &mut [f32]) = points_of_kernel_body
}

#[inline(always)]
fn points_of_kernel_body(axes: [bool; 3], kernel: &[f32], length: usize, to: &mut [f32]) {
    transform_kernel(axes, kernel, length, to, |[a, b, c]: [Lanes; 3]| {
        [a, combine(|l| 0.5 * (a[l] + c[l] + b[l])), combine(|l| 0.5 * (a[l] + c[l] - b[l])), c]
    });
}

multiversion! {
    /// Gᵀ of the gradient of a kernel's points, `[points, length]`, in `kernel`, `[places, length]`.
    pub(super) fn kernel_of_points(
        axes: [bool; 3],
        points: &[f32], length: usize, kernel: &mut [f32]) = kernel_of_points_body
}

#[inline(always)]
fn kernel_of_points_body(axes: [bool; 3], points: &[f32], length: usize, kernel: &mut [f32]) {
    transform_kernel(axes, points, length, kernel, |[a, b, c, d]: [Lanes; 4]| {
        [
            combine(|l| a[l] + 0.5 * (b[l] + c[l])),
            combine(|l| 0.5 * (b[l] - c[l])),
            combine(|l| d[l] + 0.5 * (b[l] + c[l])),
        ]
    });
}

/// Applies a map of lines to every cube of a kernel or its points, `[places, length]`.
#[inline(always)]
fn transform_kernel<const FROM: usize, const TO: usize>(
    axes: [bool; 3],
    from: &[f32],
    length: usize,
    to: &mut [f32],
    line: impl Fn([Lanes; FROM]) -> [Lanes; TO],
) {
    let mut cube = [[0.0; LANES]; 64];
    for at in (0..length).step_by(LANES) {
        places(extent_of(axes, FROM), |k, number, _| cube[k] = read(from, number * length + at, length - at));
        transform(&mut cube, axes, &line);
        places(extent_of(axes, TO), |k, number, _| write(to, number * length + at, length - at, &cube[k]));
    }
}
