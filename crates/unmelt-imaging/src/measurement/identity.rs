//! The volume itself, with noise.

use unmelt_diffusion::measurement::Measurement;

/// y = x + noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Identity {
    /// Standard deviation of the noise.
    pub noise: f64,
}

impl Measurement<f32> for Identity {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        x.to_vec()
    }

    fn adjoint(&self, y: &[f32]) -> Vec<f32> {
        y.to_vec()
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn prox(&self, z: &[f32], y: &[f32], rho: f64) -> Vec<f32> {
        let share = 1.0 / (1.0 + rho);
        z.iter().zip(y).map(|(z, y)| (f64::from(*z) + share * f64::from(y - z)) as f32).collect()
    }

    fn project(&self, _z: &[f32], y: &[f32]) -> Vec<f32> {
        y.to_vec()
    }
}
