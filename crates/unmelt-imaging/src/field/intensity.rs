//! Robust scaling of intensities, and what is foreground.

use crate::FieldRef;

/// Linear map between a scan's intensities and the prior's, where 0 is background and 1 is bright tissue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Intensity that becomes 0.
    pub low: f64,
    /// Intensity that becomes 1.
    pub high: f64,
}

impl Scaling {
    /// The robust range of a scan: 0 (or, where a scan goes clearly below it as CT does, the 0.5th percentile) to the
    /// 99.5th percentile of the foreground. None if the scan is constant.
    pub fn of(voxels: &[f32]) -> Option<Self> {
        let (min, max) = percentiles(voxels, 0.5, 99.5)?;
        let low = if min < -0.1 * max.abs() { min } else { 0.0 };
        let threshold = mean(voxels);
        let bright: Vec<f32> = voxels.iter().copied().filter(|v| f64::from(*v) > threshold).collect();
        let (_, high) = percentiles(&bright, 0.5, 99.5)?;
        (high > low).then_some(Self { low, high })
    }

    /// Width of the range.
    pub fn range(&self) -> f64 {
        self.high - self.low
    }

    /// To the prior's intensities.
    pub fn apply(&self, voxels: &[f32]) -> Vec<f32> {
        let (low, scale) = (self.low, 1.0 / self.range());
        voxels.iter().map(|v| ((f64::from(*v) - low) * scale) as f32).collect()
    }

    /// Back to the scan's.
    pub fn invert(&self, voxels: &[f32]) -> Vec<f32> {
        let (low, scale) = (self.low, self.range());
        voxels.iter().map(|v| (f64::from(*v) * scale + low) as f32).collect()
    }
}

fn mean(voxels: &[f32]) -> f64 {
    voxels.iter().map(|v| f64::from(*v)).sum::<f64>() / voxels.len().max(1) as f64
}

/// Two percentiles, 0 to 100, by linear interpolation as numpy's; none of an empty list.
pub fn percentiles(voxels: &[f32], low: f64, high: f64) -> Option<(f64, f64)> {
    if voxels.is_empty() {
        return None;
    }
    let mut sorted = voxels.to_vec();
    let mut at = |percent: f64| {
        let place = percent / 100.0 * (sorted.len() - 1) as f64;
        let k = place.floor() as usize;
        let (_, &mut a, rest) = sorted.select_nth_unstable_by(k, f32::total_cmp);
        let b = rest.iter().copied().min_by(f32::total_cmp).unwrap_or(a);
        f64::from(a) + (place - k as f64) * f64::from(b - a)
    };
    Some((at(low), at(high)))
}

/// Which voxels show something: those above a twentieth of the robust range.
pub fn foreground(voxels: &[f32]) -> Vec<bool> {
    match Scaling::of(voxels) {
        Some(s) => {
            let threshold = (s.low + 0.05 * s.range()) as f32;
            voxels.iter().map(|v| *v > threshold).collect()
        }
        None => vec![false; voxels.len()],
    }
}

/// Mean index of the marked voxels; the middle of the grid if there is none.
pub fn centre(marked: FieldRef<bool>) -> [f64; 3] {
    let shape = marked.shape();
    let (mut sums, mut count) = ([0.0; 3], 0.0);
    for (index, _) in marked.indices().zip(marked.values()).filter(|(_, m)| **m) {
        (0..3).for_each(|a| sums[a] += index[a] as f64);
        count += 1.0;
    }
    if count == 0.0 {
        return shape.map(|n| 0.5 * (n as f64 - 1.0));
    }
    sums.map(|s| s / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_numpy() {
        // numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6], [10, 90]) = [1.0, 6.9]
        let (a, b) = percentiles(&[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0], 10.0, 90.0).expect("not empty");
        assert!((a - 1.0).abs() < 1e-6 && (b - 6.9).abs() < 1e-6, "{a} {b}");
    }

    #[test]
    fn scaling_goes_there_and_back() {
        let voxels: Vec<f32> = (0..1000).map(|k| if k < 700 { 0.0 } else { k as f32 }).collect();
        let scaling = Scaling::of(&voxels).expect("not constant");
        assert_eq!(scaling.low, 0.0);
        let back = scaling.invert(&scaling.apply(&voxels));
        assert!(voxels.iter().zip(back).all(|(a, b)| (a - b).abs() < 1e-3));
        assert!(Scaling::of(&[5.0; 9]).is_none());
    }
}
