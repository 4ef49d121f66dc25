//! Lines of k-space that are missing.

use super::{Channels, Cube, Degradation, DegradationKind, Degraded, Expert, Measured, Shares, Surroundings};
use crate::Field;
use crate::field::random_stream::RandomStream;
use crate::measurement::{random_cartesian_lines, without_lines};

/// Highest level of what missing lines leave.
const MOST: f64 = 0.3;

/// Lines missing along an axis, or a patch on the way from there to what it is.
pub(super) struct MissingLines;

impl DegradationKind for MissingLines {
    fn name(&self) -> &'static str {
        "aliased"
    }

    fn expert(&self) -> Expert {
        Expert::Reconstruction
    }

    fn share(&self, shares: &Shares) -> f64 {
        shares.aliased
    }

    fn surroundings(&self, size: usize, draw: &mut RandomStream) -> Surroundings {
        // The field of view along the phase encoding; what is missing there comes back everywhere along it.
        let (axis, field) = (draw.below(3), 32 * (3 + draw.below(5)));
        let mut shape = [size; 3];
        shape[axis] = field.max(size);
        Surroundings { shape, axis }
    }

    fn degrade(&self, clean: &Field, cube: &Cube, draw: &mut RandomStream) -> Degraded {
        let (shape, size) = (clean.shape(), cube.size);
        let axis = (0..3).find(|a| shape[*a] != size).unwrap_or(cube.axis);
        let (acceleration, middle) = (draw.between(2.0, 6.0), draw.between(0.04, 0.12));
        let lines = random_cartesian_lines(shape[axis], acceleration, middle, cube.number);
        let mut seen = clean.clone();
        without_lines(&mut seen, axis, &lines);
        let shown = seen.values().to_vec();
        let share = if draw.unit() < 0.5 { 1.0 } else { draw.between(0.1, 1.0) as f32 };
        seen.values_mut().iter_mut().zip(clean.values()).for_each(|(s, v)| *s = v + share * (*s - v));
        let wrong =
            seen.values().iter().zip(clean.values()).map(|(s, v)| f64::from(s - v).powi(2)).sum::<f64>();
        let error = (wrong / clean.values().len() as f64).sqrt() * (0.2 * draw.normal()).exp();
        let sigma = error.max(cube.levels[0]).min(MOST);
        let offset = std::array::from_fn(|a| draw.below(shape[a] - size + 1));
        let measured: Option<Box<dyn Measured>> = Some(Box::new(Lines { axis, lines, shown }));
        Degraded { seen, measured, sigma, degradation: Degradation::Aliased(axis), offset }
    }

    fn tell(&self, degradation: &Degradation, channels: &mut Channels) {
        if let Degradation::Aliased(axis) = degradation {
            channels[4 + axis] = 1.0;
        }
    }
}

/// Lines of k-space along an axis; what they alone show.
struct Lines {
    axis: usize,
    lines: Vec<bool>,
    shown: Vec<f32>,
}

impl Measured for Lines {
    fn nearest(&self, mut estimate: Field, _seen: &Field) -> Field {
        let mut known = estimate.clone();
        without_lines(&mut known, self.axis, &self.lines);
        let known = known.values().iter().zip(&self.shown);
        estimate.values_mut().iter_mut().zip(known).for_each(|(v, (k, s))| *v += s - k);
        estimate
    }

    fn remaining(&self, before: f64, now: f64) -> f64 {
        (now / before.max(1e-12)).sqrt().clamp(0.1, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use unmelt_diffusion::Noise;

    use super::*;
    use crate::degradation::NoiseLevels;

    #[test]
    fn what_is_shown_agrees_with_the_lines_that_were_measured() {
        let noise = Noise::new(2);
        let mut draw = RandomStream::new(noise, 1, 301);
        let Surroundings { shape, axis } = MissingLines.surroundings(16, &mut draw);
        assert_eq!((0..3).filter(|a| shape[*a] > 16).collect::<Vec<_>>(), [axis]);
        let count = shape.iter().product::<usize>();
        let clean = Field::new((0..count).map(|k| (0.1 * k as f32).sin()).collect(), shape);
        let noise_levels = NoiseLevels { median: 0.1, spread: 1.0, rician: 0.0 };
        let cube = Cube { size: 16, number: 1, noise, axis, levels: [0.005, 10.0], noise_levels };
        let out = MissingLines.degrade(&clean, &cube, &mut draw);
        assert_eq!(
            (out.degradation.clone(), out.degradation.channels()[4 + axis]),
            (Degradation::Aliased(axis), 1.0)
        );
        let measured = out.measured.expect("lines");
        // The truth agrees with itself, and so does what is nearest to anything.
        let again = measured.nearest(clean.clone(), &out.seen);
        assert!(again.values().iter().zip(clean.values()).all(|(a, b)| (a - b).abs() < 1e-4));
        let near = measured.nearest(Field::filled(0.0, shape), &out.seen);
        let twice = measured.nearest(near.clone(), &out.seen);
        assert!(near.values().iter().zip(twice.values()).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}
