//! Slices put together: sorted along their normal; gaps, tilts and uneven distances found and mended or refused.
//!
//! The rule: slices at even distances make the volume as they are. Where the distances are multiples of the smallest, or one
//! is nearly twice the usual, slices are missing, and the series is refused. Slices at other distances, tilted against
//! their normal, or shifted within their plane are resampled linearly to even ones between the first and the last.

use std::path::Path;

use nalgebra::Vector3;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_imaging::Grid;

use super::frame::Frame;
use super::place::{affine, file};
use super::resample::{Blend, blends};
use crate::{Error, Result};

/// How far a slice may lie from its even place, in distances of slices.
const EVEN: f64 = 0.02;
/// How far slices may drift off their normal, in pixels.
const DRIFT: f64 = 0.3;
/// How many usual distances a gap may have before a slice is missing in it.
const GAP: f64 = 1.9;

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

/// Puts the frames of one volume in order.
pub(super) fn stack(mut frames: Vec<Frame>, path: &Path) -> Result<Stack> {
    let refuse = |text: String| Error::format("DICOM series", path, text);
    let first = frames.first().ok_or_else(|| refuse("it holds no image".into()))?.clone();
    for other in &frames {
        same_plane(&first, other, path).map_err(refuse)?;
    }
    let voxels = (first.size[0] * first.size[1]) as u64 * frames.len() as u64;
    within(limits().voxels, "voxels", voxels, &path.display().to_string())?;
    let normal = first.axes[0].cross(&first.axes[1]);
    let height = |f: &Frame| f.position.dot(&normal);
    frames.sort_by(|a, b| height(a).total_cmp(&height(b)));
    let mut warnings = Vec::new();
    let origin = frames[0].position;
    let heights: Vec<f64> = frames.iter().map(|f| height(f) - height(&frames[0])).collect();
    let grid = |step: f64| Grid {
        shape: [first.size[0], first.size[1], frames.len()],
        affine: affine(
            origin,
            [first.axes[0] * first.spacing[0], first.axes[1] * first.spacing[1], normal * step],
        ),
    };
    if frames.len() == 1 {
        let step = alone(&first, &mut warnings)
            .map_err(|text| Error::format("DICOM file", &first.image.path, text))?;
        let grid = grid(step);
        return Ok(Stack { frames, grid, blends: None, warnings });
    }
    let length = heights[heights.len() - 1];
    let mean = length / (heights.len() - 1) as f64;
    let room = (EVEN * mean).max((0.1 * mean).min(0.01));
    let even = heights.iter().enumerate().all(|(k, h)| (h - k as f64 * mean).abs() <= room);
    let drift = drift(&frames, &normal);
    if even && drift <= DRIFT {
        let grid = grid(mean);
        return Ok(Stack { frames, grid, blends: None, warnings });
    }
    let step = if even { mean } else { usual_distance(&heights) };
    if !even {
        missing(&frames, &heights, step, path).map_err(refuse)?;
        warnings.push(uneven(&heights, step));
    }
    if drift > DRIFT {
        warnings.extend(off_the_normal(&frames, &heights, path));
    }
    let (blends, grid) = blends(&frames, &heights, &normal, step, path)?;
    Ok(Stack { frames, grid, blends: Some(blends), warnings })
}

fn same_plane(first: &Frame, other: &Frame, path: &Path) -> std::result::Result<(), String> {
    let names = || (file(first, path), file(other, path));
    if first.size != other.size {
        let ((a, b), [x, y], [u, v]) = (names(), first.size, other.size);
        return Err(format!(
            "its slices are not all of one size: {a} has {x} × {y} pixels, {b} {u} × {v}; leave out what does not belong to it"
        ));
    }
    let close = |a: f64, b: f64| (a - b).abs() <= 2e-4 * a.max(b);
    if !(0..2).all(|k| close(first.spacing[k], other.spacing[k])) {
        let ((a, b), [x, y], [u, v]) = (names(), first.spacing, other.spacing);
        return Err(format!(
            "its slices are not all of one PixelSpacing: columns and rows of {a} lie {x} and {y} mm apart, those of {b} {u} and {v} mm; leave out what does not belong to it"
        ));
    }
    Ok(())
}

/// The distance that a slice by itself is given: what its header says.
fn alone(frame: &Frame, warnings: &mut Vec<String>) -> std::result::Result<f64, String> {
    let told = frame.between.clone()?.filter(|d| *d > 0.0).or(frame.thickness.clone()?.filter(|d| *d > 0.0));
    if told.is_none() {
        warnings.push(
            "it is one slice without SliceThickness and SpacingBetweenSlices: its thickness is taken for 1 mm".into(),
        );
    }
    Ok(told.unwrap_or(1.0))
}

/// How far the frames lie off the normal through the first one, in pixels.
fn drift(frames: &[Frame], normal: &Vector3<f64>) -> f64 {
    let first = &frames[0];
    let off = |f: &Frame| {
        let way = f.position - first.position;
        let way = way - normal * way.dot(normal);
        (0..2).map(|a| way.dot(&first.axes[a]).abs() / first.spacing[a]).fold(0.0, f64::max)
    };
    frames.iter().map(off).fold(0.0, f64::max)
}

/// What is to be said of slices that do not lie above each other: a tilt, if they lie on one line, and those that lie beside it.
fn off_the_normal(frames: &[Frame], heights: &[f64], path: &Path) -> Vec<String> {
    let first = &frames[0];
    let off = |k: usize, a: usize| (frames[k].position - first.position).dot(&first.axes[a]);
    let all = 0..frames.len();
    // The line of most slices: medians, which a few slices beside it do not turn.
    let line: [_; 2] = std::array::from_fn(|a| {
        let steps = heights.windows(2).enumerate();
        let slope = median(steps.map(|(k, h)| (off(k + 1, a) - off(k, a)) / (h[1] - h[0])).collect());
        (slope, median(all.clone().map(|k| off(k, a) - slope * heights[k]).collect()))
    });
    let beside: Vec<[f64; 2]> = all
        .clone()
        .map(|k| std::array::from_fn(|a| off(k, a) - line[a].0 * heights[k] - line[a].1))
        .collect();
    let pixels = |way: [f64; 2]| (0..2).map(|a| way[a].abs() / first.spacing[a]).fold(0.0, f64::max);
    let mut said = Vec::new();
    let length = heights[heights.len() - 1];
    let slopes = [line[0].0, line[1].0];
    if pixels(slopes.map(|s| s * length)) > DRIFT {
        let angle = slopes[0].hypot(slopes[1]).atan().to_degrees();
        said.push(format!(
            "the slices are tilted by {angle:.1}° against their normal (gantry tilt): resampled to a straight volume"
        ));
    }
    let shifted: Vec<usize> = all.filter(|k| pixels(beside[*k]) > DRIFT).collect();
    let by = |k: usize| beside[k][0].hypot(beside[k][1]);
    if let Some(worst) = shifted.iter().copied().max_by(|a, b| by(*a).total_cmp(&by(*b))) {
        said.push(format!(
            "{} of {} slices are shifted within their plane against the others, {} the most, by {:.2} mm: each is put where its \
             ImagePositionPatient says; if that is wrong, correct it or leave the slice out",
            shifted.len(),
            frames.len(),
            file(&frames[worst], path),
            by(worst)
        ));
    }
    if said.is_empty() {
        said.push("the slices do not lie straight above each other: resampled to a straight volume".into());
    }
    said
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    0.5 * (low + high)
}

/// The median of the distances.
fn usual_distance(heights: &[f64]) -> f64 {
    let mut gaps: Vec<f64> = heights.windows(2).map(|w| w[1] - w[0]).collect();
    gaps.sort_by(f64::total_cmp);
    gaps[(gaps.len() - 1) / 2]
}

/// Refuses a series in which slices are missing, naming the first place.
fn missing(frames: &[Frame], heights: &[f64], usual: f64, path: &Path) -> std::result::Result<(), String> {
    let gaps: Vec<f64> = heights.windows(2).map(|w| w[1] - w[0]).collect();
    let least = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let times = |g: f64| g / least;
    let multiples = gaps.iter().all(|g| (times(*g) - times(*g).round()).abs() <= 0.1);
    let refuse = |k: usize, distance: f64| {
        format!(
            "slices are missing between {} and {}: they lie {:.4} mm apart, at {:.4} and {:.4} mm along their normal, where the \
             others lie {distance:.4} mm apart; add the missing files, or leave out those on one side",
            file(&frames[k], path),
            file(&frames[k + 1], path),
            gaps[k],
            heights[k],
            heights[k + 1]
        )
    };
    if multiples && let Some(k) = gaps.iter().position(|g| times(*g) > 1.5) {
        return Err(refuse(k, least));
    }
    match gaps.iter().position(|g| *g >= GAP * usual) {
        Some(k) => Err(refuse(k, usual)),
        None => Ok(()),
    }
}

fn uneven(heights: &[f64], step: f64) -> String {
    let gaps = heights.windows(2).map(|w| w[1] - w[0]);
    let (low, high) = gaps.fold((f64::INFINITY, 0.0f64), |(l, h), g| (l.min(g), h.max(g)));
    let length = heights[heights.len() - 1];
    format!(
        "the slices are unevenly spaced ({low:.2} to {high:.2} mm): resampled to {:.2} mm by interpolation",
        length / super::resample::steps(length, step) as f64
    )
}
