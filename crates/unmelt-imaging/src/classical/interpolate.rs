//! First guesses on a finer grid: cubic interpolation, and what brings it to the data.

use rayon::prelude::*;
use unmelt_diffusion::measurement::Measurement;

use crate::measurement::Slices;
use crate::{Field, FieldRef};

/// Interpolation by cubic B-splines between two shapes that cover the same edges, one axis after another; the volume
/// is mirrored at its edges (Unser, Aldroubi & Eden 1993).
pub(crate) fn resample(x: FieldRef, to: [usize; 3]) -> Field {
    let mut x = x.to_field();
    for axis in 0..3 {
        if x.shape()[axis] != to[axis] {
            x = resample_axis(x.view(), axis, to[axis]);
        }
    }
    x
}

fn resample_axis(x: FieldRef, axis: usize, length: usize) -> Field {
    let mut shape = x.shape();
    let n = shape[axis];
    let stride: usize = shape[..axis].iter().product();
    let ratio = n as f64 / length as f64;
    shape[axis] = length;
    let mut out = Field::filled(0.0f32, shape);
    let parts = out.values_mut().par_chunks_mut(stride * length).zip(x.values().par_chunks(stride * n));
    parts.for_each(|(out, x)| {
        let mut weights = x.to_vec();
        spline_weights(&mut weights, stride);
        for (k, to) in out.chunks_exact_mut(stride).enumerate() {
            for (from, weight) in taps((k as f64 + 0.5) * ratio - 0.5, n) {
                let row = &weights[from * stride..(from + 1) * stride];
                to.iter_mut().zip(row).for_each(|(t, r)| *t += weight * r);
            }
        }
    });
    out
}

/// Turns samples, in rows of `stride`, into the weights of the splines through them: two recursive filters.
fn spline_weights(x: &mut [f32], stride: usize) {
    const POLE: f32 = -0.267_949_2; // √3 − 2
    let n = x.len() / stride;
    // What comes before the first row is the volume mirrored, over and over. Of rows further away than this less than 1e-13 is left.
    const REACH: usize = 24;
    let mut first = x[..stride].to_vec();
    let period = 1.0 / (1.0 - POLE.powi(2 * n as i32));
    for k in 0..n.min(REACH) {
        let weight = period * (POLE.powi(k as i32 + 1) + POLE.powi((2 * n - k) as i32));
        first.iter_mut().zip(&x[k * stride..(k + 1) * stride]).for_each(|(f, v)| *f += weight * v);
    }
    x[..stride].copy_from_slice(&first);
    for k in 1..n {
        let (before, row) = x.split_at_mut(k * stride);
        row[..stride].iter_mut().zip(&before[(k - 1) * stride..]).for_each(|(v, b)| *v += POLE * b);
    }
    x[(n - 1) * stride..].iter_mut().for_each(|v| *v *= POLE / (POLE - 1.0));
    for k in (0..n - 1).rev() {
        let (row, after) = x.split_at_mut((k + 1) * stride);
        row[k * stride..].iter_mut().zip(&after[..stride]).for_each(|(v, a)| *v = POLE * (a - *v));
    }
    x.iter_mut().for_each(|v| *v *= 6.0);
}

/// Weights of the four splines around a position, `t` behind the second.
fn b_spline(t: f64) -> [f32; 4] {
    let (t2, t3, u) = (t * t, t * t * t, 1.0 - t);
    [u * u * u, 3.0 * t3 - 6.0 * t2 + 4.0, -3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0, t3].map(|w| (w / 6.0) as f32)
}

/// Index within 0 … n−1 of a position, mirrored at both ends with the end voxels repeated.
pub(crate) fn mirrored(k: i64, n: usize) -> usize {
    let n = n as i64;
    let k = k.rem_euclid(2 * n);
    (if k < n { k } else { 2 * n - 1 - k }) as usize
}

/// The cubic spline through the voxels of a volume, which knows of places between them.
pub(crate) struct Spline {
    weights: Vec<f32>,
    shape: [usize; 3],
}

impl Spline {
    /// Through these voxels.
    pub fn through(mut x: Field) -> Self {
        let shape = x.shape();
        let mut stride = 1;
        for n in shape {
            x.values_mut().par_chunks_mut(stride * n).for_each(|block| spline_weights(block, stride));
            stride *= n;
        }
        Self { weights: x.into_values(), shape }
    }

    /// The value at a place, in voxels; 0 outside the volume.
    pub fn at(&self, place: [f64; 3]) -> f32 {
        let [nx, ny, _] = self.shape;
        if (0..3).any(|a| !(-0.5..self.shape[a] as f64 - 0.5).contains(&place[a])) {
            return 0.0;
        }
        let [x, y, z]: [[(usize, f32); 4]; 3] = std::array::from_fn(|a| taps(place[a], self.shape[a]));
        let row = |(k, j): (usize, usize)| (k * ny + j) * nx;
        let along = |start: usize| x.iter().map(|(i, w)| w * self.weights[start + i]).sum::<f32>();
        let across = |k: usize| y.iter().map(|(j, w)| w * along(row((k, *j)))).sum::<f32>();
        z.iter().map(|(k, w)| w * across(*k)).sum()
    }
}

/// The four splines around a position along an axis of `n` voxels, and their weights.
fn taps(place: f64, n: usize) -> [(usize, f32); 4] {
    let low = place.floor();
    let weights = b_spline(place - low);
    std::array::from_fn(|tap| (mirrored(low as i64 + tap as i64 - 1, n), weights[tap]))
}

/// Iterations of back-projection.
const BACK_PROJECTIONS: usize = 10;

/// Cubic interpolation whose averages are brought to the data (Irani & Peleg 1991).
pub(crate) fn back_projected(measurement: &Slices, data: FieldRef) -> Field {
    let up = |x: FieldRef| resample(x, measurement.fine());
    let mut x = up(data);
    for _ in 0..BACK_PROJECTIONS {
        if measurement.is_stopped() {
            break;
        }
        let again = measurement.forward(x.values());
        let missing = again.iter().zip(data.values()).map(|(a, y)| y - a).collect();
        let missing = up(Field::new(missing, data.shape()).view());
        x.values_mut().iter_mut().zip(missing.values()).for_each(|(x, m)| *x += m);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splines_go_through_the_samples_and_follow_a_wave() {
        let x: Vec<f32> = (0..40).map(|k| (0.5 * k as f32).sin()).collect();
        let fine = resample(FieldRef::new(&x, [40, 1, 1]), [120, 1, 1]).into_values();
        // far enough from the edges, where mirroring bends the wave
        for k in 24..96 {
            let place = (k as f32 + 0.5) / 3.0 - 0.5;
            assert!((fine[k] - (0.5 * place).sin()).abs() < 2e-3, "{k}");
        }
        // the middle of three new voxels is the old one
        assert!((0..40).all(|k| (fine[3 * k + 1] - x[k]).abs() < 1e-5));
        assert!(
            resample(FieldRef::new(&[3.0], [1; 3]), [4, 1, 1])
                .values()
                .iter()
                .all(|v| (v - 3.0).abs() < 1e-5)
        );
    }

    #[test]
    fn a_spline_goes_through_the_voxels_and_follows_a_wave_between_them() {
        let shape = [24, 20, 16];
        let wave = |[x, y, z]: [f64; 3]| ((0.4 * x).sin() + (0.5 * y).cos() + 0.1 * z) as f32;
        let index = |k: usize| [k % 24, k / 24 % 20, k / 480].map(|v| v as f64);
        let x: Vec<f32> = (0..24 * 20 * 16).map(|k| wave(index(k))).collect();
        let spline = Spline::through(Field::new(x.clone(), shape));
        assert!((0..x.len()).all(|k| (spline.at(index(k)) - x[k]).abs() < 1e-4));
        let between = [12.3, 9.6, 7.5];
        assert!((spline.at(between) - wave(between)).abs() < 5e-3);
        assert_eq!(spline.at([-0.6, 3.0, 3.0]), 0.0);
    }

    #[test]
    fn resampling_keeps_constants_and_the_same_grid() {
        let x: Vec<f32> = (0..24).map(|k| k as f32).collect();
        assert_eq!(resample(FieldRef::new(&x, [2, 3, 4]), [2, 3, 4]).values(), x);
        assert!(
            resample(FieldRef::new(&[5.0; 24], [2, 3, 4]), [5, 3, 9])
                .values()
                .iter()
                .all(|v| (*v - 5.0).abs() < 1e-5)
        );
    }
}
