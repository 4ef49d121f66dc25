//! Statistics of group norm, and its gradient.

use rayon::prelude::*;

use super::NormSetting;
use crate::simd::{self, multiversion};

/// Voxels whose sums are taken in f32 before they go into f64, and the grain of parallel work.
const BLOCK: usize = 256;

/// Normalisation as one multiplication and one addition per channel of a sample.
#[derive(Clone, Copy)]
struct Affine<'a> {
    gain: &'a [f32],
    offset: &'a [f32],
    silu: bool,
}

impl Affine<'_> {
    /// Whole voxels of `x`, normalised and activated, in `target`.
    fn apply(self, x: &[f32], target: &mut [f32]) {
        if self.silu {
            affine_silu(x, self.gain, self.offset, target);
        } else {
            affine(x, self.gain, self.offset, target);
        }
    }
}

/// Group norm of all samples.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    channels: usize,
    setting: NormSetting,
    /// 1/√(variance + ε) of each sample and channel, `[N, C]`.
    rstd: Vec<f32>,
    /// Mean of each sample and channel's group, `[N, C]`.
    mean: Vec<f32>,
    gain: Vec<f32>,
    offset: Vec<f32>,
}

impl Moments {
    /// Statistics of `x` `[N, voxels, C]`; none without a norm.
    pub fn of(x: &[f32], samples: usize, scale: &[f32], shift: &[f32], setting: NormSetting) -> Option<Self> {
        if setting.groups == 0 {
            return None;
        }
        let channels = scale.len();
        let mut of = Self {
            channels,
            setting,
            rstd: Vec::new(),
            mean: Vec::new(),
            gain: Vec::new(),
            offset: Vec::new(),
        };
        for sample in x.chunks_exact((x.len() / samples.max(1)).max(1)) {
            of.add_sample(sample, scale, shift);
        }
        Some(of)
    }

    fn add_sample(&mut self, x: &[f32], scale: &[f32], shift: &[f32]) {
        let (c, voxels) = (self.channels, x.len() / self.channels);
        // Sums of x less the first voxel: the variance of nearly constant channels keeps its digits.
        let first = &x[..c];
        let sums = total(x.par_chunks(BLOCK * c).map(|x| {
            let mut sums = vec![0.0; 2 * c];
            shifted_sums(x, first, &mut sums);
            sums
        }));
        let width = c / self.setting.groups;
        for group in 0..self.setting.groups {
            let range = group * width..(group + 1) * width;
            let count = (voxels * width) as f64;
            let mean = range.clone().map(|k| sums[k] + voxels as f64 * f64::from(x[k])).sum::<f64>() / count;
            let square: f64 = range
                .clone()
                .map(|k| {
                    // Σ(x − mean)² from sums around the channel's first voxel.
                    let d = f64::from(x[k]) - mean;
                    sums[c + k] + 2.0 * d * sums[k] + voxels as f64 * d * d
                })
                .sum();
            let rstd = 1.0 / (square / count + f64::from(self.setting.epsilon)).sqrt();
            for k in range {
                let gain = f64::from(scale[k]) * rstd;
                self.mean.push(mean as f32);
                self.rstd.push(rstd as f32);
                self.gain.push(gain as f32);
                self.offset.push((f64::from(shift[k]) - mean * gain) as f32);
            }
        }
    }

    /// The normalisation of a sample.
    fn affine(&self, sample: usize) -> Affine<'_> {
        let range = sample * self.channels..(sample + 1) * self.channels;
        Affine { gain: &self.gain[range.clone()], offset: &self.offset[range], silu: self.setting.silu }
    }

    /// `x` `[N, voxels, C]`, normalised and activated.
    pub fn applied(&self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        let length = (x.len() / (self.mean.len() / self.channels).max(1)).max(1);
        for (n, (x, y)) in x.chunks_exact(length).zip(y.chunks_exact_mut(length)).enumerate() {
            let block = BLOCK * self.channels;
            x.par_chunks(block).zip(y.par_chunks_mut(block)).for_each(|(x, y)| self.affine(n).apply(x, y));
        }
        y
    }

    /// Turns `grad` `[N, voxels, C]`, the gradient behind norm and activation, into that of `x`; returns the
    /// gradients of scale and shift.
    pub fn backward(&self, x: &[f32], scale: &[f32], grad: &mut [f32]) -> (Vec<f32>, Vec<f32>) {
        let c = self.channels;
        let samples = self.mean.len() / c;
        let (mut of_scale, mut of_shift) = (vec![0.0f64; c], vec![0.0f64; c]);
        let length = x.len() / samples;
        for (n, (x, grad)) in x.chunks_exact(length).zip(grad.chunks_exact_mut(length)).enumerate() {
            let range = n * c..(n + 1) * c;
            let affine = self.affine(n);
            if affine.silu {
                grad.par_chunks_mut(BLOCK * c)
                    .zip(x.par_chunks(BLOCK * c))
                    .for_each(|(g, x)| times_slope(x, affine.gain, affine.offset, g));
            }
            let (mean, rstd) = (&self.mean[range.clone()], &self.rstd[range]);
            // Σ g and Σ g·x̂ of each channel, x̂ = (x − mean)·rstd.
            let sums = total(x.par_chunks(BLOCK * c).zip(grad.par_chunks(BLOCK * c)).map(|(x, g)| {
                let mut sums = vec![0.0; 2 * c];
                grad_sums(x, g, [mean, rstd], &mut sums);
                sums
            }));
            for k in 0..c {
                of_shift[k] += sums[k];
                of_scale[k] += sums[c + k];
            }
            let width = c / self.setting.groups;
            let count = (length / c * width) as f64;
            // dx = rstd·(γg − mean(γg) − x̂·mean(γg·x̂)) = g·a + x·b + d per channel.
            let mut parts = vec![0.0f32; 3 * c];
            for k in 0..c {
                let group = k / width * width..(k / width + 1) * width;
                let mean_of = |at: usize| {
                    group.clone().map(|j| f64::from(scale[j]) * sums[at + j]).sum::<f64>() / count
                };
                let (first, second) = (mean_of(0), mean_of(c));
                let (m, r) = (f64::from(mean[k]), f64::from(rstd[k]));
                parts[k] = (r * f64::from(scale[k])) as f32;
                parts[c + k] = (-r * r * second) as f32;
                parts[2 * c + k] = (r * (r * m * second - first)) as f32;
            }
            grad.par_chunks_mut(BLOCK * c)
                .zip(x.par_chunks(BLOCK * c))
                .for_each(|(g, x)| combine(x, &parts, g));
        }
        let cast = |v: Vec<f64>| v.into_iter().map(|x| x as f32).collect();
        (cast(of_scale), cast(of_shift))
    }
}

/// Sums over blocks, in f64 and in the order of the blocks.
fn total(blocks: impl IndexedParallelIterator<Item = Vec<f32>>) -> Vec<f64> {
    let blocks: Vec<Vec<f32>> = blocks.collect();
    let mut total = vec![0.0f64; blocks.first().map_or(0, Vec::len)];
    for block in blocks {
        total.iter_mut().zip(block).for_each(|(a, b)| *a += f64::from(b));
    }
    total
}

multiversion! {
    /// Adds Σ(x − first) and Σ(x − first)² of each channel.
    fn shifted_sums(x: &[f32], first: &[f32], sums: &mut [f32]) = shifted_sums_body
}

#[inline(always)]
fn shifted_sums_body(x: &[f32], first: &[f32], sums: &mut [f32]) {
    let c = first.len();
    let (sum, square) = sums.split_at_mut(c);
    for x in x.chunks_exact(c) {
        for k in 0..c {
            let d = x[k] - first[k];
            sum[k] += d;
            square[k] += d * d;
        }
    }
}

multiversion! {
    /// Adds Σg and Σg·x̂ of each channel, x̂ = (x − mean)·rstd.
    fn grad_sums(x: &[f32], grad: &[f32], mean_and_rstd: [&[f32]; 2], sums: &mut [f32]) = grad_sums_body
}

#[inline(always)]
fn grad_sums_body(x: &[f32], grad: &[f32], [mean, rstd]: [&[f32]; 2], sums: &mut [f32]) {
    let c = mean.len();
    let rstd = &rstd[..c];
    let (sum, product) = sums.split_at_mut(c);
    for (x, g) in x.chunks_exact(c).zip(grad.chunks_exact(c)) {
        for k in 0..c {
            sum[k] += g[k];
            product[k] += g[k] * (x[k] - mean[k]) * rstd[k];
        }
    }
}

multiversion! {
    /// `grad *= silu'(x·gain + offset)`.
    fn times_slope(x: &[f32], gain: &[f32], offset: &[f32], grad: &mut [f32]) = times_slope_body
}

#[inline(always)]
fn times_slope_body(x: &[f32], gain: &[f32], offset: &[f32], grad: &mut [f32]) {
    let c = gain.len();
    for (x, g) in x.chunks_exact(c).zip(grad.chunks_exact_mut(c)) {
        for (((g, x), a), b) in g.iter_mut().zip(x).zip(gain).zip(offset) {
            *g *= simd::silu_slope(x * a + b);
        }
    }
}

multiversion! {
    /// `grad = grad·a + x·b + d`, `parts` = [a, b, d] per channel.
    fn combine(x: &[f32], parts: &[f32], grad: &mut [f32]) = combine_body
}

#[inline(always)]
fn combine_body(x: &[f32], parts: &[f32], grad: &mut [f32]) {
    let c = parts.len() / 3;
    let (a, rest) = parts.split_at(c);
    let (b, d) = rest.split_at(c);
    for (x, g) in x.chunks_exact(c).zip(grad.chunks_exact_mut(c)) {
        for k in 0..c {
            g[k] = g[k] * a[k] + x[k] * b[k] + d[k];
        }
    }
}

multiversion! {
    /// `target = silu(x·gain + offset)` for each row of channels.
    fn affine_silu(x: &[f32], gain: &[f32], offset: &[f32], target: &mut [f32]) = affine_silu_body
}

#[inline(always)]
fn affine_silu_body(x: &[f32], gain: &[f32], offset: &[f32], target: &mut [f32]) {
    let c = gain.len();
    for (x, y) in x.chunks_exact(c).zip(target.chunks_exact_mut(c)) {
        for (((y, x), g), o) in y.iter_mut().zip(x).zip(gain).zip(offset) {
            let u = x * g + o;
            *y = u * simd::sigmoid(u);
        }
    }
}

multiversion! {
    /// `target = x·gain + offset` for each row of channels.
    fn affine(x: &[f32], gain: &[f32], offset: &[f32], target: &mut [f32]) = affine_body
}

#[inline(always)]
fn affine_body(x: &[f32], gain: &[f32], offset: &[f32], target: &mut [f32]) {
    let c = gain.len();
    for (x, y) in x.chunks_exact(c).zip(target.chunks_exact_mut(c)) {
        for (((y, x), g), o) in y.iter_mut().zip(x).zip(gain).zip(offset) {
            *y = x * g + o;
        }
    }
}
