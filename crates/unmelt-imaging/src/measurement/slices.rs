//! Thick slices: means of a fine volume under a slice profile, along any axes and at any ratio.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unmelt_diffusion::job::CancelToken;
use unmelt_diffusion::measurement::Measurement;

/// How a coarse voxel weighs what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Evenly over its width.
    Box,
    /// By a Gaussian whose full width at half maximum is its width.
    Gaussian,
}

/// For each coarse position the first fine position and the weights from there, which add up to 1.
type Rows = Vec<(usize, Vec<f32>)>;

/// Averages a fine volume onto a coarse grid with the same edges.
#[derive(Clone, Debug)]
pub struct Slices {
    fine: [usize; 3],
    coarse: [usize; 3],
    profile: Profile,
    rows: [Option<Rows>; 3],
    noise: f64,
    cancel: CancelToken,
}

impl Slices {
    /// Between two shapes that cover the same edges; an axis of the same length in both stays as it is.
    pub fn new(fine: [usize; 3], coarse: [usize; 3], profile: Profile, noise: f64) -> Self {
        let rows =
            std::array::from_fn(|a| (fine[a] != coarse[a]).then(|| rows(fine[a], coarse[a], profile, 1.0)));
        Self { fine, coarse, profile, rows, noise, cancel: CancelToken::new() }
    }

    /// The same with slices along an axis that are thinner or thicker than they lie apart: `part` is their thickness in distances.
    /// An axis of the same length in both shapes stays as it is.
    pub fn thick(mut self, axis: usize, part: f64) -> Self {
        if let Some(of_axis) = &mut self.rows[axis] {
            *of_axis = rows(self.fine[axis], self.coarse[axis], self.profile, part);
        }
        self
    }

    /// The same, ending early (with numbers of no use) where the work is no longer wanted.
    pub(crate) fn until(self, cancel: &CancelToken) -> Self {
        Self { cancel: cancel.clone(), ..self }
    }

    /// The fine shape.
    pub fn fine(&self) -> [usize; 3] {
        self.fine
    }

    /// The coarse shape.
    pub fn coarse(&self) -> [usize; 3] {
        self.coarse
    }
}

fn rows(fine: usize, coarse: usize, profile: Profile, part: f64) -> Rows {
    let ratio = fine as f64 / coarse as f64;
    let normal = |low: usize, weights: Vec<f64>| {
        let sum: f64 = weights.iter().sum();
        (low, weights.into_iter().map(|w| (w / sum) as f32).collect())
    };
    let row = |k: usize| match profile {
        Profile::Box => {
            // The part of each fine voxel [i, i + 1) that lies within [k, k + 1)·ratio, or within its middle.
            let gap = 0.5 * ratio * (1.0 - part);
            let (from, to) = (k as f64 * ratio + gap, (k + 1) as f64 * ratio - gap);
            let (from, to) = (from.max(0.0), to.min(fine as f64));
            let low = from.floor() as usize;
            let high = (to.ceil() as usize).max(low + 1).min(fine);
            let covered = |i: usize| (to.min(i as f64 + 1.0) - from.max(i as f64)).max(0.0);
            normal(low, (low..high).map(covered).collect())
        }
        Profile::Gaussian => {
            let middle = (k as f64 + 0.5) * ratio - 0.5;
            let sigma = ((ratio * part).max(1.0) / 2.354_82).max(0.3);
            let reach = (3.0 * sigma).ceil();
            let low = (middle - reach).floor().max(0.0) as usize;
            let high = ((middle + reach).ceil() as usize + 1).max(low + 1).min(fine);
            let weight = |i: usize| (-0.5 * ((i as f64 - middle) / sigma).powi(2)).exp();
            normal(low, (low..high).map(weight).collect())
        }
    };
    (0..coarse).map(row).collect()
}

/// Applies the rows along an axis; with `back` their transpose.
fn along(x: &[f32], shape: [usize; 3], axis: usize, length: usize, rows: &Rows, back: bool) -> Vec<f32> {
    let stride: usize = shape[..axis].iter().product();
    let (from, to) = (stride * shape[axis], stride * length);
    let mut out = vec![0.0f32; x.len() / from * to];
    out.par_chunks_mut(to).zip(x.par_chunks(from)).for_each(|(out, x)| {
        for (k, (low, weights)) in rows.iter().enumerate() {
            for (i, w) in weights.iter().enumerate() {
                let (source, target) = if back { (k, low + i) } else { (low + i, k) };
                let row = &x[source * stride..(source + 1) * stride];
                let to = &mut out[target * stride..(target + 1) * stride];
                to.iter_mut().zip(row).for_each(|(t, r)| *t += w * r);
            }
        }
    });
    out
}

impl Measurement<f32> for Slices {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let (mut x, mut shape) = (x.to_vec(), self.fine);
        for axis in 0..3 {
            if let Some(rows) = &self.rows[axis] {
                x = along(&x, shape, axis, self.coarse[axis], rows, false);
                shape[axis] = self.coarse[axis];
            }
        }
        x
    }

    fn adjoint(&self, y: &[f32]) -> Vec<f32> {
        let (mut y, mut shape) = (y.to_vec(), self.coarse);
        for axis in (0..3).rev() {
            if let Some(rows) = &self.rows[axis] {
                y = along(&y, shape, axis, self.fine[axis], rows, true);
                shape[axis] = self.fine[axis];
            }
        }
        y
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn is_stopped(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
