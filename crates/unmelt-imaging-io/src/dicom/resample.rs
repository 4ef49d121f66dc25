//! Slices at uneven distances, or tilted against their normal, brought to a regular grid by linear interpolation.

use std::path::Path;

use nalgebra::Vector3;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_imaging::Grid;

use super::frame::Frame;
use super::place::{affine, file};
use crate::{Error, Result};

/// Times that a volume may grow when tilted slices are put upright.
const GROWTH: f64 = 8.0;

/// A slice between two frames.
pub(super) struct Blend {
    /// Frames before and behind.
    pub frames: [usize; 2],
    /// Weight of the one behind.
    pub weight: f64,
    /// Where voxel (0, 0) of the slice lies in each frame, in its voxels.
    pub offsets: [[f64; 2]; 2],
}

/// How many steps of at most `step` make `length`.
pub(super) fn steps(length: f64, step: f64) -> usize {
    ((length / step - 1e-6).ceil() as usize).max(1)
}

/// Evenly spaced slices along the normal from the first frame to the last, wide enough for all frames. `heights` are those
/// of the frames above the first.
pub(super) fn blends(
    frames: &[Frame],
    heights: &[f64],
    normal: &Vector3<f64>,
    step: f64,
    path: &Path,
) -> Result<(Vec<Blend>, Grid)> {
    let (axes, spacing, size) = (frames[0].axes, frames[0].spacing, frames[0].size);
    let origin = frames[0].position;
    let shift = |f: &Frame, a: usize| (f.position - origin).dot(&axes[a]) / spacing[a];
    let length = heights[heights.len() - 1];
    let count = steps(length, step);
    let step = length / count as f64;
    let mut low = [0.0f64; 2];
    let mut wide = [0.0f64; 2];
    for a in 0..2 {
        let shifts = frames.iter().map(|f| shift(f, a));
        let (least, most) = shifts.fold((0.0f64, 0.0f64), |(l, h), s| (l.min(s), h.max(s)));
        low[a] = (least + 1e-3).floor();
        wide[a] = size[a] as f64 + (most - 1e-3).ceil().max(0.0) - low[a];
    }
    let voxels = wide[0] * wide[1] * (count + 1) as f64;
    let given = (size[0] * size[1] * frames.len()) as f64;
    within(limits().voxels, "voxels", voxels as u64, &path.display().to_string())?;
    if voxels > GROWTH * given {
        let far = |k: &usize| (0..2).map(|a| shift(&frames[*k], a).abs()).fold(0.0, f64::max);
        let worst = (0..frames.len()).max_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(0);
        let text = format!(
            "its slices lie beside each other: {} is {:.0} pixels off from {}; leave out what does not belong to it",
            file(&frames[worst], path),
            far(&worst),
            file(&frames[0], path)
        );
        return Err(Error::format("DICOM series", path, text));
    }
    let corner = origin + axes[0] * (low[0] * spacing[0]) + axes[1] * (low[1] * spacing[1]);
    let grid = Grid {
        shape: [wide[0] as usize, wide[1] as usize, count + 1],
        affine: affine(corner, [axes[0] * spacing[0], axes[1] * spacing[1], normal * step]),
    };
    let blend = |k: usize| {
        let at = k as f64 * step;
        let behind = heights.partition_point(|h| *h < at - 1e-9).clamp(1, heights.len() - 1);
        let pair = [behind - 1, behind];
        let gap = heights[pair[1]] - heights[pair[0]];
        // Rounding aside, every slice lies between its two frames.
        let weight = ((at - heights[pair[0]]) / gap).clamp(0.0, 1.0);
        let offset = |f: usize| std::array::from_fn(|a| low[a] - shift(&frames[f], a));
        Blend { frames: pair, weight, offsets: [offset(pair[0]), offset(pair[1])] }
    };
    Ok(((0..=count).map(blend).collect(), grid))
}

impl Blend {
    /// The slice from its two frames; `outside` where neither of them reaches.
    pub fn slice(&self, images: [&[f32]; 2], size: [usize; 2], shape: [usize; 2], outside: f32) -> Vec<f32> {
        let mut out = Vec::with_capacity(shape[0] * shape[1]);
        for y in 0..shape[1] {
            for x in 0..shape[0] {
                let value = |k: usize| {
                    sample(images[k], size, [x as f64 + self.offsets[k][0], y as f64 + self.offsets[k][1]])
                };
                out.push(match (value(0), value(1)) {
                    (Some(a), Some(b)) => (a + self.weight * (b - a)) as f32,
                    (Some(a), None) => a as f32,
                    (None, Some(b)) => b as f32,
                    (None, None) => outside,
                });
            }
        }
        out
    }
}

/// Bilinear value of an image; none outside of it.
fn sample(image: &[f32], size: [usize; 2], at: [f64; 2]) -> Option<f64> {
    let inside = (0..2).all(|a| at[a] > -1e-6 && at[a] < size[a] as f64 - 1.0 + 1e-6);
    if !inside {
        return None;
    }
    let low: [usize; 2] = std::array::from_fn(|a| (at[a].max(0.0) as usize).min(size[a] - 1));
    let part: [f64; 2] = std::array::from_fn(|a| (at[a] - low[a] as f64).clamp(0.0, 1.0));
    let next: [usize; 2] = std::array::from_fn(|a| (low[a] + 1).min(size[a] - 1));
    let v = |x: usize, y: usize| f64::from(image[y * size[0] + x]);
    let near = v(low[0], low[1]) + part[0] * (v(next[0], low[1]) - v(low[0], low[1]));
    let far = v(low[0], next[1]) + part[0] * (v(next[0], next[1]) - v(low[0], next[1]));
    Some(near + part[1] * (far - near))
}
