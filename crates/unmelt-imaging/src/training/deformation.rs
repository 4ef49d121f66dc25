//! Random shapes: heads are turned, stretched, sheared and bent.

use unmelt_diffusion::Noise;

use crate::field::coarse_field::CoarseField;
use crate::field::random_stream::RandomStream;

/// Where a voxel of a deformed scan comes from: a linear map around a centre, and a smooth shift.
pub(crate) struct Deformation {
    linear: [[f64; 3]; 3],
    centre: [f64; 3],
    field: CoarseField<3>,
}

/// Where the random numbers of smooth shifts come from.
#[derive(Clone, Copy)]
pub(crate) struct Shifts {
    pub noise: Noise,
    pub sample: u64,
    pub purpose: u16,
}

impl Deformation {
    /// Turns of up to 17 degrees around each axis, sizes of 0.88 to 1.15, shears of up to 0.08 and shifts of up to about 4 voxels, for
    /// a scan with this centre and shape.
    pub fn draw(draw: &mut RandomStream, shifts: Shifts, centre: [f64; 3], shape: [usize; 3]) -> Self {
        let angles: [f64; 3] = std::array::from_fn(|_| draw.between(-0.3, 0.3));
        let rotation = nalgebra::Rotation3::from_euler_angles(angles[0], angles[1], angles[2]);
        let mut linear = nalgebra::Matrix3::from_fn(|_, _| draw.between(-0.08, 0.08));
        for a in 0..3 {
            linear[(a, a)] = draw.between(0.88, 1.15);
        }
        let linear = rotation.matrix() * linear;
        let spacing = draw.between(20.0, 50.0);
        let amplitude = draw.between(0.0, 4.0);
        let Shifts { noise, sample, purpose } = shifts;
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
