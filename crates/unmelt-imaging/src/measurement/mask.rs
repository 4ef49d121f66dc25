//! Some voxels known, the others not: inpainting, and a field of view to be extended.

use unmelt_diffusion::measurement::Measurement;

/// Keeps the known voxels; the data have the shape of the volume, 0 where nothing is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    known: Vec<bool>,
    noise: f64,
}

impl Mask {
    /// A mask that is true where a voxel is known, and the standard deviation of the noise on those.
    pub fn new(known: Vec<bool>, noise: f64) -> Self {
        Self { known, noise }
    }

    fn keep(&self, x: &[f32]) -> Vec<f32> {
        x.iter().zip(&self.known).map(|(x, k)| if *k { *x } else { 0.0 }).collect()
    }
}

impl Measurement<f32> for Mask {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        self.keep(x)
    }

    fn adjoint(&self, y: &[f32]) -> Vec<f32> {
        self.keep(y)
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn prox(&self, z: &[f32], y: &[f32], rho: f64) -> Vec<f32> {
        let share = 1.0 / (1.0 + rho);
        let known = z.iter().zip(y).zip(&self.known);
        known
            .map(|((z, y), k)| if *k { (f64::from(*z) + share * f64::from(y - z)) as f32 } else { *z })
            .collect()
    }

    fn project(&self, z: &[f32], y: &[f32]) -> Vec<f32> {
        z.iter().zip(y).zip(&self.known).map(|((z, y), k)| if *k { *y } else { *z }).collect()
    }

    fn kept(&self) -> Option<&[bool]> {
        Some(&self.known)
    }
}
