//! Rician noise: magnitudes of complex Gaussian noise, whose mean lies above the signal.

use crate::FieldRef;
use crate::field::intensity::percentiles;

/// Mean of a Rician magnitude with signal `signal` and noise σ in each part: σ·√(π/2)·L½(−ν²/2σ²) (Rice 1944).
pub fn mean(signal: f64, sigma: f64) -> f64 {
    let x = 0.5 * (signal / sigma).powi(2);
    // L½(−x) = e^(−x/2)·((1 + x)·I₀(x/2) + x·I₁(x/2)).
    let (i0, i1) = scaled_bessel(0.5 * x);
    sigma * (std::f64::consts::FRAC_PI_2).sqrt() * ((1.0 + x) * i0 + x * i1)
}

/// The signal whose Rician mean is `magnitude`; 0 below the mean of pure noise (Koay & Basser 2006).
pub fn signal_of_mean(magnitude: f64, sigma: f64) -> f64 {
    if sigma <= 0.0 {
        return magnitude;
    }
    if magnitude <= mean(0.0, sigma) {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, magnitude);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if mean(middle, sigma) < magnitude { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// e^−x·I₀(x) and e^−x·I₁(x) (Abramowitz & Stegun 9.8.1 to 9.8.4).
fn scaled_bessel(x: f64) -> (f64, f64) {
    let poly = |t: f64, c: &[f64]| c.iter().rev().fold(0.0, |sum, c| sum * t + c);
    if x < 3.75 {
        let t = (x / 3.75).powi(2);
        let i0 = [1.0, 3.515_622_9, 3.089_942_4, 1.206_749_2, 0.265_973_2, 0.036_076_8, 0.004_581_3];
        let i1 = [0.5, 0.878_905_94, 0.514_988_69, 0.150_849_34, 0.026_587_33, 0.003_015_32, 0.000_324_11];
        let scale = (-x).exp();
        return (scale * poly(t, &i0), scale * x * poly(t, &i1));
    }
    let t = 3.75 / x;
    let i0 = [
        0.398_942_28,
        0.013_285_92,
        0.002_253_19,
        -0.001_575_65,
        0.009_162_81,
        -0.020_577_06,
        0.026_355_37,
        -0.016_476_33,
        0.003_923_77,
    ];
    let i1 = [
        0.398_942_28,
        -0.039_880_24,
        -0.003_620_18,
        0.001_638_01,
        -0.010_315_55,
        0.022_829_67,
        -0.028_953_12,
        0.017_876_54,
        -0.004_200_59,
    ];
    let root = x.sqrt();
    (poly(t, &i0) / root, poly(t, &i1) / root)
}

/// How much the mean of Rician magnitudes lies above their signal, tabulated: signal → bias.
pub struct BiasTable {
    step: f64,
    bias: Vec<f32>,
}

impl BiasTable {
    /// The table for noise σ, in the units of the signal.
    pub fn new(sigma: f64) -> Self {
        let step = sigma / 64.0;
        let bias = (0..64 * 24).map(|k| (mean(k as f64 * step, sigma) - k as f64 * step) as f32).collect();
        Self { step, bias }
    }

    /// The bias at a signal.
    pub fn at(&self, signal: f32) -> f32 {
        let place = f64::from(signal.max(0.0)) / self.step;
        match self.bias.get(place as usize..place as usize + 2) {
            Some(pair) => pair[0] + (place.fract() as f32) * (pair[1] - pair[0]),
            // σ²/2ν far from zero.
            None => (2048.0 * self.step * self.step) as f32 / signal,
        }
    }
}

/// The noise of a scan, estimated from differences of neighbours: the detail band of 2×2×2 blocks, whose spread in
/// flat places is the noise; and whether the noise is Rician, which an all but non-negative scan with a noisy background
/// says. In the units of the scan; 0 for a scan without noise.
pub fn estimate(field: FieldRef) -> Estimate {
    let (voxels, shape) = (field.values(), field.shape());
    let mut bright = Vec::new();
    let mut background = Vec::new();
    let range = percentiles(voxels, 0.5, 99.5).map_or(0.0, |(low, high)| high - low);
    let threshold = voxels.iter().map(|v| f64::from(*v)).sum::<f64>() / voxels.len().max(1) as f64;
    let steps = shape.map(|n| if n >= 2 { 2 } else { 1 });
    let corners: usize = steps.iter().product();
    let strides = [1, shape[0], shape[0] * shape[1]];
    for z in (0..shape[2].saturating_sub(steps[2] - 1)).step_by(2) {
        for y in (0..shape[1].saturating_sub(steps[1] - 1)).step_by(2) {
            for x in (0..shape[0].saturating_sub(steps[0] - 1)).step_by(2) {
                let at = x + y * strides[1] + z * strides[2];
                let (mut sum, mut detail, mut exact) = (0.0f64, 0.0f64, true);
                for corner in 0..8 {
                    let bit = [corner & 1, corner >> 1 & 1, corner >> 2 & 1];
                    if (0..3).any(|a| bit[a] >= steps[a]) {
                        continue;
                    }
                    let v = f64::from(voxels[at + (0..3).map(|a| bit[a] * strides[a]).sum::<usize>()]);
                    let sign = if (bit[0] + bit[1] + bit[2]) % 2 == 0 { 1.0 } else { -1.0 };
                    sum += v;
                    detail += sign * v;
                    exact &= v == 0.0;
                }
                let detail = (detail / (corners as f64).sqrt()).abs() as f32;
                if sum / corners as f64 > threshold {
                    bright.push(detail);
                } else if !exact {
                    background.push(detail);
                }
            }
        }
    }
    let median = |list: &[f32]| percentiles(list, 50.0, 50.0).map_or(0.0, |(m, _)| m);
    let sigma = median(&bright) / 0.674_490;
    let negative = voxels.iter().filter(|v| f64::from(**v) < -1e-3 * range).count();
    let noisy_background = background.len() * 10 > bright.len() && median(&background) > 0.25 * sigma;
    Estimate { sigma, rician: negative * 1000 < voxels.len() && noisy_background }
}

/// An estimate of noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Standard deviation.
    pub sigma: f64,
    /// Whether it is Rician.
    pub rician: bool,
}

/// The signal behind a Rician mean, tabulated.
pub(crate) struct InverseMean {
    sigma: f64,
    table: Vec<f32>,
}

impl InverseMean {
    pub fn new(sigma: f64) -> Self {
        let table = (0..64 * 16).map(|k| signal_of_mean(k as f64 / 64.0 * sigma, sigma) as f32);
        Self { sigma, table: table.collect() }
    }

    pub fn at(&self, magnitude: f32) -> f32 {
        let place = f64::from(magnitude.max(0.0)) / self.sigma * 64.0;
        match self.table.get(place as usize..place as usize + 2) {
            Some(pair) => pair[0] + (place.fract() as f32) * (pair[1] - pair[0]),
            None => magnitude - (self.sigma * self.sigma) as f32 / (2.0 * magnitude),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rician_means_are_those_of_scipy() {
        // scipy.stats.rice(b=ν/σ, scale=σ).mean()
        for (signal, sigma, want) in [
            (0.0, 1.0, 1.253_314_137),
            (1.0, 1.0, 1.548_572_447),
            (3.0, 0.5, 3.041_969_3),
            (10.0, 1.0, 10.050_128_2),
        ] {
            let got = mean(signal, sigma);
            assert!((got - want).abs() < 2e-4 * want, "{signal} {sigma}: {got}");
            let back = signal_of_mean(got, sigma);
            assert!((back - signal).abs() < 1e-3 + 1e-3 * signal, "{signal}: {back}");
        }
    }
}
