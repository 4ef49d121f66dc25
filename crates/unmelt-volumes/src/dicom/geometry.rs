//! Slices put together: sorted along their normal, gaps, tilts and duplicates found and mended or refused.

use std::path::Path;

use nalgebra::{Matrix4, Vector3};

use super::frame::Frame;
use crate::{Error, Grid, Result};

/// A plan of how sorted frames become a volume.
pub(super) struct Stack {
    /// In order along the normal.
    pub frames: Vec<Frame>,
    /// The grid of the volume, as rows, columns, slices.
    pub grid: Grid,
    /// For each slice of the volume the frames it is made of; none where slice k is frame k.
    pub blends: Option<Vec<Blend>>,
    pub warnings: Vec<String>,
}

/// A slice between two frames.
pub(super) struct Blend {
    /// Frames before and behind.
    pub frames: [usize; 2],
    /// Weight of the one behind.
    pub weight: f64,
    /// Where voxel (0, 0) of the slice lies in each frame, in its voxels.
    pub offsets: [[f64; 2]; 2],
}

/// Puts the frames of one series in order.
pub(super) fn stack(mut frames: Vec<Frame>, path: &Path) -> Result<Stack> {
    let refuse = |text: String| Error::format("DICOM series", path, text);
    let first = frames.first().ok_or_else(|| refuse("it holds no image".into()))?.clone();
    let turned = |f: &Frame| (0..2).any(|a| (f.axes[a] - first.axes[a]).norm() > 1e-3);
    let count = frames.iter().filter(|f| turned(f)).count();
    if count > 0 {
        return Err(refuse(format!(
            "{count} of its {} slices have another orientation than the first, as localizers do",
            frames.len()
        )));
    }
    if frames.iter().any(|f| f.size != first.size || (f.spacing[0] - first.spacing[0]).abs() > 1e-4) {
        return Err(refuse("its slices are not all of one size and spacing".into()));
    }
    let normal = first.axes[0].cross(&first.axes[1]);
    let height = |f: &Frame| f.position.dot(&normal);
    frames.sort_by(|a, b| height(a).total_cmp(&height(b)).then(a.number.cmp(&b.number)));
    let mut warnings = Vec::new();
    remove_duplicates(&mut frames, &height, &mut warnings).map_err(refuse)?;
    let gaps: Vec<f64> = frames.windows(2).map(|w| height(&w[1]) - height(&w[0])).collect();
    let origin = frames[0].position;
    let step = median(&gaps).unwrap_or(1.0);
    let uneven = gaps.iter().any(|g| (g - step).abs() > 0.02 * step.max(0.05));
    let inclined = tilt(&frames, &normal);
    let mut grid = Grid {
        shape: [first.size[0], first.size[1], frames.len()],
        affine: affine(
            origin,
            [first.axes[0] * first.spacing[0], first.axes[1] * first.spacing[1], normal * step],
        ),
    };
    if !uneven && inclined < 0.2 {
        return Ok(Stack { frames, grid, blends: None, warnings });
    }
    if uneven {
        warnings.push(gap_warning(&gaps, step));
    }
    if inclined >= 0.2 {
        warnings.push(format!(
            "the slices are tilted by {inclined:.1}° against their normal (gantry tilt): resampled to a straight volume"
        ));
    }
    let blends = blends(&frames, &normal, step, &mut grid);
    Ok(Stack { frames, grid, blends: Some(blends), warnings })
}

fn remove_duplicates(
    frames: &mut Vec<Frame>,
    height: &dyn Fn(&Frame) -> f64,
    warnings: &mut Vec<String>,
) -> std::result::Result<(), String> {
    let total = frames.len();
    frames.dedup_by(|b, a| (height(b) - height(a)).abs() < 1e-3);
    let doubled = total - frames.len();
    if doubled > 0 && total.is_multiple_of(frames.len()) {
        return Err(format!(
            "it holds {} images at each of its {} positions (time points, echoes or repeats); one volume is wanted",
            total / frames.len(),
            frames.len()
        ));
    }
    if doubled > 0 {
        warnings.push(format!(
            "left out, because another slice lies in the same place: {doubled} of {total} slices"
        ));
    }
    Ok(())
}

fn gap_warning(gaps: &[f64], step: f64) -> String {
    let whole = |g: &f64| ((g / step).round() - g / step).abs() < 0.02 * (g / step);
    if gaps.iter().all(whole) {
        let missing: f64 = gaps.iter().map(|g| (g / step).round() - 1.0).sum();
        return format!("missing slices: {missing:.0}, filled by interpolation between their neighbours");
    }
    let (low, high) = gaps.iter().fold((f64::INFINITY, 0.0f64), |(l, h), g| (l.min(*g), h.max(*g)));
    format!(
        "the slices are unevenly spaced ({low:.2} to {high:.2} mm): resampled to {step:.2} mm by interpolation"
    )
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().filter(|m| *m > 0.0)
}

/// Angle between the line of the slices and their normal, in degrees.
fn tilt(frames: &[Frame], normal: &Vector3<f64>) -> f64 {
    let line = frames[frames.len() - 1].position - frames[0].position;
    if line.norm() < 1e-6 { 0.0 } else { line.normalize().dot(normal).clamp(-1.0, 1.0).acos().to_degrees() }
}

/// Evenly spaced slices along the normal, wide enough for all frames.
fn blends(frames: &[Frame], normal: &Vector3<f64>, step: f64, grid: &mut Grid) -> Vec<Blend> {
    let (axes, spacing) = (frames[0].axes, frames[0].spacing);
    let origin = frames[0].position;
    let shift = |f: &Frame, a: usize| (f.position - origin).dot(&axes[a]) / spacing[a];
    let mut low = [0.0f64; 2];
    for a in 0..2 {
        let (least, most) = frames.iter().fold((0.0f64, 0.0f64), |(l, h), f| {
            let s = shift(f, a);
            (l.min(s), h.max(s))
        });
        low[a] = (least - 1e-3).ceil().min(0.0);
        if least < low[a] - 1e-3 {
            low[a] = least.floor();
        }
        grid.shape[a] += ((most - 1e-3).ceil().max(0.0) - low[a]) as usize;
    }
    let corner = origin + axes[0] * (low[0] * spacing[0]) + axes[1] * (low[1] * spacing[1]);
    let heights: Vec<f64> = frames.iter().map(|f| (f.position - origin).dot(normal)).collect();
    let length = heights[heights.len() - 1];
    grid.shape[2] = (length / step).round() as usize + 1;
    grid.affine = affine(corner, [axes[0] * spacing[0], axes[1] * spacing[1], normal * step]);
    (0..grid.shape[2])
        .map(|k| {
            let at = (k as f64 * step).min(length);
            let behind = heights.partition_point(|h| *h < at - 1e-6).clamp(1, heights.len() - 1);
            let pair = [behind - 1, behind];
            let gap = heights[pair[1]] - heights[pair[0]];
            let weight = ((at - heights[pair[0]]) / gap).clamp(0.0, 1.0);
            let offset = |f: usize| std::array::from_fn(|a| low[a] - shift(&frames[f], a));
            Blend { frames: pair, weight, offsets: [offset(pair[0]), offset(pair[1])] }
        })
        .collect()
}

/// From LPS vectors to an affine in RAS.
fn affine(origin: Vector3<f64>, columns: [Vector3<f64>; 3]) -> Matrix4<f64> {
    let mut affine = Matrix4::identity();
    for (c, column) in columns.iter().chain([&origin]).enumerate() {
        for r in 0..3 {
            affine[(r, c)] = if r < 2 { -column[r] } else { column[r] };
        }
    }
    affine
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
