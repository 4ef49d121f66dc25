//! Where the slices of a series came from, for the series that is derived from it.

use std::sync::Arc;

use nalgebra::Vector3;

use super::dataset::Dataset;
use super::frame::Frame;

/// The instance and frame that a slice was read from.
#[derive(Clone, Debug)]
pub(super) struct SourceSlice {
    /// SOP class and instance.
    pub instance: [String; 2],
    /// Number of the frame, from 1, where the instance has several.
    pub frame: Option<u32>,
    /// Centre of its first voxel, LPS mm.
    pub position: Vector3<f64>,
    /// What a number that it stores stands for.
    pub slope: f64,
    /// Tags that a derived slice at this place takes over.
    pub own: Arc<Dataset>,
}

impl SourceSlice {
    pub fn of(frame: &Frame) -> Self {
        let frame_number = (frame.image.frames > 1).then_some(frame.index + 1);
        Self {
            instance: (*frame.instance).clone(),
            frame: frame_number,
            position: frame.position,
            slope: frame.slope,
            own: frame.own.clone(),
        }
    }
}

/// The slices that lie at `height` along their normal: one where it is that of a slice or beyond the ends, otherwise those
/// below and above. `heights` ascend.
pub(super) fn at_height(heights: &[f64], height: f64) -> std::ops::RangeInclusive<usize> {
    let last = heights.len().saturating_sub(1);
    let gap = heights.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min);
    let near = if gap.is_finite() { 0.05 * gap } else { 0.0 };
    let above = heights.partition_point(|h| *h < height - near);
    if above > last {
        return last..=last;
    }
    if above == 0 || heights[above] <= height + near {
        return above..=above;
    }
    above - 1..=above
}

#[cfg(test)]
mod tests {
    use super::at_height;

    #[test]
    fn slices_are_found_by_their_place() {
        let heights = [0.0, 2.0, 4.0];
        for (height, wanted) in [
            (-9.0, 0..=0),
            (0.05, 0..=0),
            (1.0, 0..=1),
            (2.0, 1..=1),
            (3.8, 1..=2),
            (4.0, 2..=2),
            (9.0, 2..=2),
        ] {
            assert_eq!(at_height(&heights, height), wanted, "{height}");
        }
        assert_eq!(at_height(&[7.0], 1.0), 0..=0);
    }
}
