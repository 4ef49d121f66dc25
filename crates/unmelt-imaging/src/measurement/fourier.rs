//! Cartesian k-space, undersampled, seen by one coil or by several with known sensitivities.

use std::sync::Arc;

use rayon::prelude::*;
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};
use unmelt_diffusion::job::CancelToken;
use unmelt_diffusion::measurement::{Measurement, nearest};
use unmelt_diffusion::{Noise, Stream};

use crate::{Field, FieldRef};

/// The 2D Fourier transform of every slice (planes of the first two axes), unitary, with the zero frequency at
/// index 0; only the sampled positions count. The signal is real; data are real and imaginary parts in turn, zero
/// where nothing was sampled, `[coil, slice, y, x]`.
#[derive(Clone)]
pub struct Fourier {
    shape: [usize; 3],
    /// Of one plane, of each slice or of each slice of each coil.
    sampled: Vec<bool>,
    sensitivities: Vec<Vec<Complex32>>,
    noise: f64,
    cancel: CancelToken,
    forward: [Arc<dyn Fft<f32>>; 2],
    inverse: [Arc<dyn Fft<f32>>; 2],
}

impl Fourier {
    /// For volumes of `shape`: which positions of k-space were sampled, `[y, x]` where that is alike in every slice,
    /// `[slice, y, x]` where it is alike for every coil, or `[coil, slice, y, x]`; sensitivities `[slice, y, x]` of each
    /// coil, none for a single uniform one; noise of each real and imaginary part.
    ///
    /// # Panics
    /// If a length does not fit the shape.
    pub fn new(
        shape: [usize; 3],
        sampled: Vec<bool>,
        sensitivities: Vec<Vec<Complex32>>,
        noise: f64,
    ) -> Self {
        let (plane, slices) = (shape[0] * shape[1], shape[2]);
        let planes = [1, slices, sensitivities.len().max(1) * slices];
        assert!(planes.iter().any(|n| n * plane == sampled.len()), "one mark per position of k-space");
        assert!(
            sensitivities.iter().all(|s| s.len() == shape.iter().product::<usize>()),
            "one sensitivity per voxel"
        );
        let mut planner = FftPlanner::new();
        let forward = [planner.plan_fft_forward(shape[0]), planner.plan_fft_forward(shape[1])];
        let inverse = [planner.plan_fft_inverse(shape[0]), planner.plan_fft_inverse(shape[1])];
        Self { shape, sampled, sensitivities, noise, cancel: CancelToken::new(), forward, inverse }
    }

    /// The same, ending early (with numbers of no use) where the work is no longer wanted.
    pub(crate) fn until(self, cancel: &CancelToken) -> Self {
        Self { cancel: cancel.clone(), ..self }
    }

    /// How many positions there are for each that was sampled.
    pub(crate) fn positions_of_one_sampled(&self) -> f64 {
        let count = self.sampled.iter().filter(|s| **s).count();
        self.sampled.len() as f64 / count.max(1) as f64
    }

    /// Which positions of a slice were sampled by a coil.
    fn sampled_in(&self, coil: usize, slice: usize) -> &[bool] {
        let plane = self.shape[0] * self.shape[1];
        let planes = self.sampled.len() / plane.max(1);
        let number = if planes == 1 { 0 } else { (coil * self.shape[2] + slice) % planes };
        &self.sampled[number * plane..(number + 1) * plane]
    }

    /// The same for data and signals divided by `unit`.
    pub(crate) fn in_units_of(&self, unit: f64) -> Self {
        Self { noise: self.noise / unit, ..self.clone() }
    }

    /// The axis along which whole lines are missing, and which are known in each slice, zero frequency first; none where the
    /// pattern is not one of lines, or where several coils make up for them.
    pub(crate) fn missing_lines(&self) -> Option<(usize, Vec<Vec<bool>>)> {
        let [nx, ny, nz] = self.shape;
        let planes: Vec<&[bool]> = (0..nz).map(|slice| self.sampled_in(0, slice)).collect();
        let columns = |plane: &[bool]| (0..ny).map(|y| plane[y * nx]).collect::<Vec<bool>>();
        let rows = |plane: &[bool]| plane[..nx].to_vec();
        let (along, lines): (usize, Vec<Vec<bool>>) =
            if planes.iter().all(|plane| (0..nx * ny).all(|k| plane[k] == plane[k / nx * nx])) {
                (1, planes.into_iter().map(columns).collect())
            } else if planes.iter().all(|plane| (0..nx * ny).all(|k| plane[k] == plane[k % nx])) {
                (0, planes.into_iter().map(rows).collect())
            } else {
                return None;
            };
        let missing = lines.iter().any(|l| l.contains(&false));
        (self.sensitivities.len() <= 1 && missing).then_some((along, lines))
    }

    fn coils(&self) -> usize {
        self.sensitivities.len().max(1)
    }

    /// Unitary transform of a plane.
    fn transform(&self, plane: &mut [Complex32], along: &[Arc<dyn Fft<f32>>; 2]) {
        let [nx, ny, _] = self.shape;
        plane.chunks_exact_mut(nx).for_each(|row| along[0].process(row));
        let mut column = vec![Complex32::default(); ny];
        for x in 0..nx {
            column.iter_mut().enumerate().for_each(|(y, c)| *c = plane[y * nx + x]);
            along[1].process(&mut column);
            column.iter().enumerate().for_each(|(y, c)| plane[y * nx + x] = *c);
        }
        let scale = 1.0 / (plane.len() as f32).sqrt();
        plane.iter_mut().for_each(|v| *v *= scale);
    }

    /// The unitary inverse transform of every plane.
    pub(crate) fn inverse_planes(&self, mut planes: Vec<Complex32>) -> Vec<Complex32> {
        let plane = self.shape[0] * self.shape[1];
        planes.par_chunks_mut(plane.max(1)).for_each(|p| self.transform(p, &self.inverse));
        planes
    }

    /// The exact answer of [`prox`](Measurement::prox) for one uniform coil. Of a real signal a sampled frequency tells
    /// its opposite too, so that AᵀA is the mean of the pattern and its mirror image, diagonal in k-space.
    fn corrected(&self, z: &[f32], y: &[f32], rho: f64) -> Vec<f32> {
        let [nx, ny, _] = self.shape;
        let factor = |sampled: &[bool], k: usize| {
            let seen = |k: usize| f64::from(u8::from(sampled[k]));
            let part = 0.5 * (seen(k) + seen(opposite(k, [nx, ny]))) + rho;
            if part > 0.0 { (1.0 / part) as f32 } else { 0.0 }
        };
        let missing: Vec<f32> = self.forward(z).iter().zip(y).map(|(a, b)| b - a).collect();
        let mut change: Vec<Complex32> =
            self.adjoint(&missing).into_iter().map(|v| Complex32::new(v, 0.0)).collect();
        change.par_chunks_mut(nx * ny).enumerate().for_each(|(slice, plane)| {
            if self.cancel.is_cancelled() {
                return;
            }
            let sampled = self.sampled_in(0, slice);
            self.transform(plane, &self.forward);
            plane.iter_mut().enumerate().for_each(|(k, v)| *v *= factor(sampled, k));
            self.transform(plane, &self.inverse);
        });
        z.iter().zip(change).map(|(z, d)| z + d.re).collect()
    }

    fn sensitivity(&self, coil: usize, voxel: usize) -> Complex32 {
        self.sensitivities.get(coil).map_or(Complex32::new(1.0, 0.0), |s| s[voxel])
    }
}

impl Measurement<f32> for Fourier {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let plane = self.shape[0] * self.shape[1];
        let mut out = vec![0.0f32; self.coils() * x.len() * 2];
        out.par_chunks_mut(2 * plane).enumerate().for_each(|(k, out)| {
            if self.cancel.is_cancelled() {
                return;
            }
            let (coil, slice) = (k / self.shape[2], k % self.shape[2]);
            let start = slice * plane;
            let mut image: Vec<Complex32> =
                (0..plane).map(|i| self.sensitivity(coil, start + i) * x[start + i]).collect();
            self.transform(&mut image, &self.forward);
            for ((out, v), sampled) in out.chunks_exact_mut(2).zip(image).zip(self.sampled_in(coil, slice)) {
                if *sampled {
                    out.copy_from_slice(&[v.re, v.im]);
                }
            }
        });
        out
    }

    fn adjoint(&self, y: &[f32]) -> Vec<f32> {
        let plane = self.shape[0] * self.shape[1];
        let mut out = vec![0.0f32; plane * self.shape[2]];
        out.par_chunks_mut(plane).enumerate().for_each(|(slice, out)| {
            for coil in 0..self.coils() {
                if self.cancel.is_cancelled() {
                    return;
                }
                let start = 2 * plane * (coil * self.shape[2] + slice);
                let data = y[start..start + 2 * plane].chunks_exact(2).zip(self.sampled_in(coil, slice));
                let mut image: Vec<Complex32> = data
                    .map(|(v, s)| if *s { Complex32::new(v[0], v[1]) } else { Complex32::default() })
                    .collect();
                self.transform(&mut image, &self.inverse);
                for (i, (out, v)) in out.iter_mut().zip(image).enumerate() {
                    *out += (self.sensitivity(coil, slice * plane + i).conj() * v).re;
                }
            }
        });
        out
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn prox(&self, z: &[f32], y: &[f32], rho: f64) -> Vec<f32> {
        if self.sensitivities.is_empty() {
            return self.corrected(z, y, rho);
        }
        nearest(self, z, y, rho)
    }

    fn project(&self, z: &[f32], y: &[f32]) -> Vec<f32> {
        self.prox(z, y, 0.0)
    }

    fn is_stopped(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// The position of the opposite frequency in a plane of this size.
pub(crate) fn opposite(k: usize, [nx, ny]: [usize; 2]) -> usize {
    (ny - k / nx) % ny * nx + (nx - k % nx) % nx
}

/// Marks of a random 1-D Cartesian pattern over `count` lines, zero frequency at index 0: the middle `centre` part in
/// full, others at random so that one in `acceleration` is sampled.
pub fn random_cartesian_lines(count: usize, acceleration: f64, centre: f64, seed: u64) -> Vec<bool> {
    let middle = ((count as f64 * centre).round() as usize).max(1).min(count);
    let wanted = ((count as f64 / acceleration).round() as usize).max(middle).min(count);
    let mut lines = vec![false; count];
    // Frequencies −⌊m/2⌋ … around zero.
    (0..middle).for_each(|k| lines[(k + count - middle / 2) % count] = true);
    let order = Noise::new(seed).permutation(Stream::new(0, 400, 0), count);
    let mut left = wanted - middle;
    for k in order {
        if left > 0 && !lines[k] {
            lines[k] = true;
            left -= 1;
        }
    }
    lines
}

/// What a volume looks like without the lines of k-space along an axis that are not marked; of a real signal a line tells its
/// opposite too.
pub(crate) fn without_lines(field: &mut Field, axis: usize, lines: &[bool]) {
    let shape = field.shape();
    let n = shape[axis];
    let mut planner = FftPlanner::new();
    let [forward, inverse] = [planner.plan_fft_forward(n), planner.plan_fft_inverse(n)];
    let factors: Vec<f32> = (0..n).map(|k| if known(lines, k) { 1.0 / n as f32 } else { 0.0 }).collect();
    let stride: usize = shape[..axis].iter().product();
    field.values_mut().par_chunks_mut(stride * n).for_each(|block| {
        for first in 0..stride {
            let mut line = transformed_line(block, first, stride, &*forward);
            line.iter_mut().zip(&factors).for_each(|(v, f)| *v *= f);
            inverse.process(&mut line);
            line.iter().enumerate().for_each(|(k, v)| block[k * stride + first] = v.re);
        }
    });
}

/// Root mean square of what is missing with the lines of k-space that are not marked in each slice, as the power of those around
/// them says.
pub(crate) fn missing_level(field: FieldRef, axis: usize, lines: &[Vec<bool>]) -> f64 {
    if let [first, rest @ ..] = lines
        && rest.iter().any(|l| l != first)
    {
        let [nx, ny, _] = field.shape();
        let of_slice = |(slice, lines): (&[f32], &Vec<bool>)| {
            missing_level_of_lines(FieldRef::new(slice, [nx, ny, 1]), axis, lines).powi(2)
        };
        let squares: f64 = field.values().chunks_exact(nx * ny).zip(lines).map(of_slice).sum();
        return (squares / lines.len() as f64).sqrt();
    }
    lines.first().map_or(0.0, |first| missing_level_of_lines(field, axis, first))
}

/// The same where the lines are those of every slice.
fn missing_level_of_lines(field: FieldRef, axis: usize, lines: &[bool]) -> f64 {
    let (voxels, shape) = (field.values(), field.shape());
    let n = shape[axis];
    let stride: usize = shape[..axis].iter().product();
    let forward = FftPlanner::new().plan_fft_forward(n);
    let of_block = |block: &[f32]| {
        let mut power = vec![0.0f64; n];
        for first in 0..stride {
            let line = transformed_line(block, first, stride, &*forward);
            power.iter_mut().zip(line).for_each(|(p, v)| *p += f64::from(v.norm_sqr()));
        }
        power
    };
    let blocks: Vec<Vec<f64>> = voxels.par_chunks(stride * n).map(of_block).collect();
    // Of a real signal only half the lines are different ones.
    let power = |k: usize| blocks.iter().map(|b| b[k]).sum::<f64>().max(1e-30).ln();
    let half: Vec<Option<f64>> = (0..=n / 2).map(|k| known(lines, k).then(|| power(k))).collect();
    let missing = |k: usize| {
        let below = (0..k).rev().find_map(|j| half[j].map(|p| (p, (k - j) as f64)));
        let above = (k + 1..half.len()).find_map(|j| half[j].map(|p| (p, (j - k) as f64)));
        match (below, above) {
            (Some((p, a)), Some((q, b))) => ((p * b + q * a) / (a + b)).exp(),
            (Some((p, _)), None) | (None, Some((p, _))) => p.exp(),
            (None, None) => 0.0,
        }
    };
    let total: f64 = (0..n).filter(|k| !known(lines, *k)).map(|k| missing(k.min(n - k))).sum();
    (total / n as f64 / voxels.len().max(1) as f64).sqrt()
}

fn known(lines: &[bool], k: usize) -> bool {
    lines[k] || lines[(lines.len() - k) % lines.len()]
}

/// The transform of the line that begins at `first` of a block of lines, `stride` apart.
fn transformed_line(block: &[f32], first: usize, stride: usize, forward: &dyn Fft<f32>) -> Vec<Complex32> {
    let mut line: Vec<Complex32> =
        block.iter().skip(first).step_by(stride).map(|v| Complex32::new(*v, 0.0)).collect();
    forward.process(&mut line);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_lines_are_what_a_projection_leaves_open() {
        let shape = [12, 20, 3];
        let lines = random_cartesian_lines(20, 3.0, 0.2, 5);
        let sampled = (0..240).map(|k| lines[k / 12]).collect();
        let fourier = Fourier::new(shape, sampled, Vec::new(), 0.0);
        assert_eq!(fourier.missing_lines(), Some((1, vec![lines.clone(); 3])));
        let mut x = vec![0.0f32; 720];
        Noise::new(3).normal(Stream::new(0, 0, 0), &mut x);
        let want = fourier.project(&[0.0; 720], &fourier.forward(&x));
        let mut got = Field::new(x.clone(), shape);
        without_lines(&mut got, 1, &lines);
        assert!(got.values().iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5));
        // Noise has the same power in every line.
        let missing = (0..20).filter(|k| !known(&lines, *k)).count();
        let level = missing_level(got.view(), 1, &vec![lines; 3]);
        let expected = (missing as f64 / 20.0).sqrt();
        assert!((level / expected - 1.0).abs() < 0.15, "{level} {expected}");
    }

    #[test]
    fn every_slice_of_every_coil_may_have_lines_of_its_own() {
        let shape = [6, 8, 2];
        let marks = |seed: u64| {
            let lines = random_cartesian_lines(8, 2.0, 0.25, seed);
            (0..48).map(move |k| lines[k / 6])
        };
        let sampled: Vec<bool> = (0..4).flat_map(marks).collect();
        let mut x = vec![0.0f32; 96];
        Noise::new(4).normal(Stream::new(0, 0, 0), &mut x);
        let maps = vec![vec![Complex32::new(1.0, 0.0); 96], vec![Complex32::new(0.0, 1.0); 96]];
        let fourier = Fourier::new(shape, sampled.clone(), maps, 0.0);
        let data = fourier.forward(&x);
        for (k, pair) in data.chunks_exact(2).enumerate() {
            assert_eq!(pair != [0.0, 0.0], sampled[k], "{k}");
        }
        let per_slice = Fourier::new(shape, sampled[..96].to_vec(), Vec::new(), 0.0);
        let (axis, lines) = per_slice.missing_lines().expect("lines");
        assert_eq!((axis, lines.len()), (1, 2));
        assert_ne!(lines[0], lines[1]);
        let found = per_slice.project(&[0.0; 96], &per_slice.forward(&x));
        let again = per_slice.forward(&found);
        assert!(again.iter().zip(per_slice.forward(&x)).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn other_patterns_have_no_missing_lines() {
        let of = |sampled: Vec<bool>| Fourier::new([4, 4, 1], sampled, Vec::new(), 0.0).missing_lines();
        assert_eq!(of(vec![true; 16]), None);
        assert_eq!(of((0..16).map(|k| k % 3 == 0).collect()), None);
        assert_eq!(of((0..16).map(|k| k % 4 < 2).collect()), Some((0, vec![vec![true, true, false, false]])));
    }
}
