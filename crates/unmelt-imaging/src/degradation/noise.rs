//! Gaussian and Rician noise.

use unmelt_diffusion::Stream;

use super::{Channels, Cube, Degradation, DegradationKind, Degraded, Expert, Shares, Surroundings};
use crate::Field;
use crate::field::random_stream::RandomStream;

/// Purposes of the noise.
const NOISE: u16 = 301;
const QUADRATURE: u16 = 303;

/// Noise, of a level that is drawn.
pub(super) struct Noisy;

impl DegradationKind for Noisy {
    fn name(&self) -> &'static str {
        "noise"
    }

    fn expert(&self) -> Expert {
        Expert::Noise
    }

    fn share(&self, shares: &Shares) -> f64 {
        1.0 - (shares.thick + shares.aliased + shares.missing)
    }

    fn surroundings(&self, size: usize, _draw: &mut RandomStream) -> Surroundings {
        Surroundings { shape: [size; 3], axis: 0 }
    }

    fn degrade(&self, clean: &Field, cube: &Cube, draw: &mut RandomStream) -> Degraded {
        let levels = cube.noise_levels;
        let sigma = levels.median * (levels.spread * draw.normal()).exp();
        let sigma = sigma.clamp(cube.levels[0], cube.levels[1]);
        let normal = |purpose: u16| {
            let mut x = vec![0.0f32; clean.values().len()];
            cube.noise.normal(Stream::new(cube.number, purpose, 0), &mut x);
            x.into_iter().map(move |n| n * sigma as f32)
        };
        let mut noisy: Vec<f32> = normal(NOISE).zip(clean.values()).map(|(n, v)| n + v).collect();
        let mut degradation = Degradation::Gaussian;
        if draw.unit() < levels.rician {
            degradation = Degradation::Rician;
            noisy.iter_mut().zip(normal(QUADRATURE)).for_each(|(real, other)| *real = real.hypot(other));
        }
        let seen = Field::new(noisy, clean.shape());
        Degraded { seen, measured: None, sigma, degradation, offset: [0; 3] }
    }

    fn tell(&self, degradation: &Degradation, channels: &mut Channels) {
        if *degradation == Degradation::Rician {
            channels[0] = 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use unmelt_diffusion::Noise;

    use super::*;
    use crate::degradation::NoiseLevels;

    #[test]
    fn noise_has_the_level_that_is_told_and_rician_noise_is_never_below_zero() {
        let clean = Field::filled(1.0f32, [24; 3]);
        for rician in [0.0, 1.0] {
            let noise_levels = NoiseLevels { median: 0.1, spread: 0.5, rician };
            let (noise, levels) = (Noise::new(5), [0.005, 10.0]);
            let cube = Cube { size: 24, number: 3, noise, axis: 0, levels, noise_levels };
            let mut draw = RandomStream::new(noise, 3, NOISE);
            let out = Noisy.degrade(&clean, &cube, &mut draw);
            let mean = out.seen.values().iter().sum::<f32>() / 13_824.0;
            let square = out.seen.values().iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 13_824.0;
            assert!((f64::from(square.sqrt()) / out.sigma - 1.0).abs() < 0.05, "{rician}");
            assert_eq!(out.degradation.channels()[0], rician as f32);
            assert!(rician == 0.0 || out.seen.values().iter().all(|v| *v >= 0.0));
        }
    }
}
