//! Thick slices, interpolated.

use unmelt_diffusion::measurement::Measurement;

use super::{Channels, Cube, Degradation, DegradationKind, Degraded, Expert, Measured, Shares, Surroundings};
use crate::classical::interpolate::back_projected;
use crate::field::random_stream::RandomStream;
use crate::measurement::{Profile, Slices};
use crate::{Field, FieldRef};

/// Voxels beyond a patch, at each side, that its thick slices cover.
const BEYOND: usize = 8;

/// About the standard deviation of what interpolation of thick slices gets wrong, in units of the robust range.
pub(super) fn level([x, y, z]: [f64; 3]) -> f64 {
    let beyond = [x, y, z].map(|r| (r - 1.0).max(0.0).powi(2)).iter().sum::<f64>();
    (0.03 * beyond.sqrt()).clamp(0.01, 0.2)
}

/// Slices that are thick along one axis or along all.
pub(super) struct ThickSlices;

impl DegradationKind for ThickSlices {
    fn name(&self) -> &'static str {
        "thick"
    }

    fn expert(&self) -> Expert {
        Expert::Reconstruction
    }

    fn share(&self, shares: &Shares) -> f64 {
        shares.thick
    }

    fn surroundings(&self, size: usize, _draw: &mut RandomStream) -> Surroundings {
        // Slices go on beyond the patch.
        Surroundings { shape: [size + 2 * BEYOND; 3], axis: 0 }
    }

    fn degrade(&self, clean: &Field, _cube: &Cube, draw: &mut RandomStream) -> Degraded {
        let wide = clean.shape()[0];
        let slices = |draw: &mut RandomStream, most: f64| {
            let ratio = draw.between(1.5, most);
            let ratio = if draw.unit() < 0.6 { ratio.round() } else { ratio };
            (wide as f64 / ratio).round() as usize
        };
        let mut coarse = [wide; 3];
        if draw.unit() < 0.65 {
            coarse[draw.below(3)] = slices(draw, 6.4);
        } else {
            coarse = [slices(draw, 3.2); 3];
        }
        let measurement = Slices::new([wide; 3], coarse, Profile::Box, 0.0);
        let data = measurement.forward(clean.values());
        let seen = back_projected(&measurement, FieldRef::new(&data, coarse));
        let thickness = coarse.map(|n| wide as f64 / n as f64);
        let offset = [0; 3].map(|_| draw.below(2 * BEYOND + 1));
        let measured: Option<Box<dyn Measured>> =
            Some(Box::new(MeasuredSlices { slices: measurement, data }));
        Degraded {
            seen,
            measured,
            sigma: level(thickness),
            degradation: Degradation::Thick(thickness),
            offset,
        }
    }

    fn tell(&self, degradation: &Degradation, channels: &mut Channels) {
        if let Degradation::Thick(voxels) = degradation {
            (0..3).for_each(|a| channels[1 + a] = 0.5 * voxels[a].ln() as f32);
        }
    }
}

/// Slices, and their voxels.
struct MeasuredSlices {
    slices: Slices,
    data: Vec<f32>,
}

impl Measured for MeasuredSlices {
    fn nearest(&self, estimate: Field, _seen: &Field) -> Field {
        Field::new(self.slices.project(estimate.values(), &self.data), estimate.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thicker_slices_are_told_and_are_more_wrong() {
        assert_eq!(level([1.0; 3]), 0.01);
        assert!(level([1.0, 1.0, 4.0]) > level([1.0, 1.0, 2.0]) && level([9.0; 3]) == 0.2);
        let channels = Degradation::Thick([1.0, 1.0, 4.0]).channels();
        assert_eq!(channels[..3], [0.0; 3]);
        assert!((channels[3] - 0.5 * 4f32.ln()).abs() < 1e-6);
    }
}
