//! Denoising to one estimate: the network's own answer, which is the mean of what the truth may be.

use crate::Result;
use crate::enhance::Progress;
use crate::patches::PatchPrior;
use crate::rician::{BiasTable, InverseMean};
use crate::synthesize::{convolve_axis, gaussian};

/// The estimate behind noise of standard deviation `sigma`, in the prior's units.
pub(crate) fn denoise(
    data: &[f32],
    sigma: f64,
    rician: bool,
    prior: &PatchPrior,
    tick: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<f32>> {
    if sigma == 0.0 {
        return Ok(data.to_vec());
    }
    let mut answers = Answers { prior, sigma, tick, step: 0, steps: AVERAGED + usize::from(rician) };
    if !rician {
        let estimate = answers.mean(data, AVERAGED)?;
        return Ok(restored(estimate, |k, _| data[k], prior.shape()));
    }
    // The bias of Rician noise depends on the signal: a first answer tells what to take from the data.
    let (table, inverse) = (BiasTable::new(sigma), InverseMean::new(sigma));
    let first = answers.mean(data, 1)?;
    let unbiased: Vec<f32> = data.iter().zip(first).map(|(y, x)| y - table.at(inverse.at(x))).collect();
    let mut estimate = answers.mean(&unbiased, AVERAGED)?;
    estimate.iter_mut().for_each(|v| *v = v.max(0.0));
    let estimate = restored(estimate, |k, x| data[k] - table.at(x), prior.shape());
    Ok(estimate.into_iter().map(|v| v.max(0.0)).collect())
}

/// Standard deviation, in voxels, of the neighbourhood that the noise averages out in.
const NEIGHBOURHOOD: f64 = 3.0;

/// The estimate with what it is too high or too low by in whole neighbourhoods: noise has no mean there, so what is left of
/// the data on average is signal. `data` says what was measured of a voxel, given its estimate.
fn restored(mut estimate: Vec<f32>, data: impl Fn(usize, f32) -> f32, shape: [usize; 3]) -> Vec<f32> {
    let mut left: Vec<f32> = estimate.iter().enumerate().map(|(k, &x)| data(k, x) - x).collect();
    let kernel = gaussian(NEIGHBOURHOOD);
    (0..3).for_each(|axis| convolve_axis(&mut left, shape, axis, &kernel));
    estimate.iter_mut().zip(left).for_each(|(x, r)| *x += r);
    estimate
}

/// Answers that are averaged: each has errors of its own at the edges of its patches, and seen in a mirror.
const AVERAGED: usize = 3;

/// Answers of the prior, each on a partition of its own.
struct Answers<'a, 'b> {
    prior: &'a PatchPrior<'b>,
    sigma: f64,
    tick: &'a mut dyn FnMut(Progress) -> bool,
    step: usize,
    steps: usize,
}

impl Answers<'_, '_> {
    /// The mean of so many answers.
    fn mean(&mut self, noisy: &[f32], count: usize) -> Result<Vec<f32>> {
        let mut mean = vec![0.0f32; noisy.len()];
        for _ in 0..count {
            let answer = self.prior.denoise_volume(noisy, self.sigma, self.step)?;
            let share = 1.0 / count as f32;
            mean.iter_mut().zip(answer).for_each(|(m, a)| *m += share * a);
            self.step += 1;
            if !(self.tick)(Progress { sample: 1, samples: 1, step: self.step, steps: self.steps }) {
                return Err(unmelt_diffusion::Error::Stopped.into());
            }
        }
        Ok(mean)
    }
}
