//! Random shapes: heads are turned, stretched, sheared and bent.

use unmelt_diffusion::{Noise, Stream};

use crate::synthesize::Draw;

/// Where a voxel of a deformed scan comes from: a linear map around a centre, and a smooth shift.
pub(crate) struct Deformation {
    linear: [[f64; 3]; 3],
    centre: [f64; 3],
    field: CoarseField<3>,
}

impl Deformation {
    /// Turns of up to 17 degrees around each axis, sizes of 0.88 to 1.15, shears of up to 0.08 and shifts of up to about 4 voxels, for
    /// a scan with this centre and shape. The stream (sample, purpose) is that of the shifts.
    pub fn draw(
        draw: &mut Draw,
        (noise, (sample, purpose)): (Noise, (u64, u16)),
        (centre, shape): ([f64; 3], [usize; 3]),
    ) -> Self {
        let angles: [f64; 3] = std::array::from_fn(|_| draw.between(-0.3, 0.3));
        let rotation = nalgebra::Rotation3::from_euler_angles(angles[0], angles[1], angles[2]);
        let mut linear = nalgebra::Matrix3::from_fn(|_, _| draw.between(-0.08, 0.08));
        for a in 0..3 {
            linear[(a, a)] = draw.between(0.88, 1.15);
        }
        let linear = rotation.matrix() * linear;
        let spacing = draw.between(20.0, 50.0);
        let amplitude = draw.between(0.0, 4.0);
        let field = CoarseField::new(noise, sample, purpose, shape, spacing, amplitude);
        let linear = std::array::from_fn(|r| std::array::from_fn(|c| linear[(r, c)]));
        Self { linear, centre, field }
    }

    /// The place of the scan that is seen at a place of the deformed one, both in voxels.
    pub fn source(&self, at: [f64; 3]) -> [f64; 3] {
        let shift = self.field.at(at);
        let d: [f64; 3] = std::array::from_fn(|a| at[a] - self.centre[a]);
        std::array::from_fn(|r| {
            self.centre[r] + (0..3).map(|c| self.linear[r][c] * d[c]).sum::<f64>() + shift[r]
        })
    }
}

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
