//! Smooth random fields: shifts, shading.

use unmelt_diffusion::{Noise, Stream};

/// A smooth field from random numbers on a coarse grid, by trilinear interpolation.
pub(crate) struct CoarseField<const C: usize> {
    values: Vec<[f64; C]>,
    shape: [usize; 3],
    spacing: f64,
}

impl<const C: usize> CoarseField<C> {
    pub fn new(
        noise: Noise,
        sample: u64,
        purpose: u16,
        size: [usize; 3],
        spacing: f64,
        amplitude: f64,
    ) -> Self {
        let shape = size.map(|n| (n as f64 / spacing).ceil() as usize + 3);
        let count = shape.iter().product::<usize>();
        let mut flat = vec![0.0f64; count * C];
        noise.normal(Stream::new(sample, purpose, 0), &mut flat);
        let values = flat.chunks_exact(C).map(|v| std::array::from_fn(|k| v[k] * amplitude)).collect();
        Self { values, shape, spacing }
    }

    pub fn at(&self, place: [f64; 3]) -> [f64; C] {
        let mut cell = [0; 3];
        let mut part = [0.0; 3];
        for a in 0..3 {
            let u = (place[a] / self.spacing + 1.0).clamp(0.0, self.shape[a] as f64 - 1.001);
            cell[a] = u as usize;
            part[a] = u - cell[a] as f64;
        }
        let mut sum = [0.0; C];
        for corner in 0..8 {
            let bit = [corner & 1, corner >> 1 & 1, corner >> 2 & 1];
            let weight: f64 = (0..3).map(|a| if bit[a] == 1 { part[a] } else { 1.0 - part[a] }).product();
            let i: [usize; 3] = std::array::from_fn(|a| cell[a] + bit[a]);
            let value = &self.values[(i[2] * self.shape[1] + i[1]) * self.shape[0] + i[0]];
            sum.iter_mut().zip(value).for_each(|(s, v)| *s += weight * v);
        }
        sum
    }
}
