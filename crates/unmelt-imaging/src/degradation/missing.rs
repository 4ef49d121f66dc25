//! Holes, filled smoothly.

use unmelt_diffusion::job::CancelToken;

use super::{
    Block, Channels, Cube, DEGRADATION_CHANNELS, Degradation, DegradationKind, Degraded, Expert, Measured,
    Shares, Surroundings,
};
use crate::Field;
use crate::classical::filling::{QUICK, settled};
use crate::field::random_stream::RandomStream;

/// About the standard deviation of what smooth filling gets wrong, in units of the robust range.
pub(super) const LEVEL: f64 = 0.15;

/// Voxels beyond a patch, at each side, that the filling of its holes knows of.
const BEYOND: usize = 12;

/// Ellipsoids, or an end of a patch.
pub(super) struct Holes;

impl DegradationKind for Holes {
    fn name(&self) -> &'static str {
        "missing"
    }

    fn expert(&self) -> Expert {
        Expert::Reconstruction
    }

    fn share(&self, shares: &Shares) -> f64 {
        shares.missing
    }

    fn surroundings(&self, size: usize, _draw: &mut RandomStream) -> Surroundings {
        // Filling knows what lies beyond the patch.
        Surroundings { shape: [size + 2 * BEYOND; 3], axis: 0 }
    }

    fn degrade(&self, clean: &Field, _cube: &Cube, draw: &mut RandomStream) -> Degraded {
        let wide = clean.shape()[0];
        let missing = if draw.unit() < 0.65 { ellipsoids(wide, draw) } else { end(wide, draw) };
        let known: Vec<bool> = missing.iter().map(|m| !m).collect();
        let seen = settled(clean.view(), &known, QUICK, &CancelToken::new());
        let offset = [0; 3].map(|_| draw.below(2 * BEYOND + 1));
        let measured: Option<Box<dyn Measured>> = Some(Box::new(Known(known)));
        Degraded { seen, measured, sigma: LEVEL, degradation: Degradation::Missing(missing), offset }
    }

    fn tell(&self, _degradation: &Degradation, _channels: &mut Channels) {}

    fn tell_block(&self, degradation: &Degradation, block: Block, channels: &mut Channels) {
        if let Degradation::Missing(missing) = degradation {
            channels[DEGRADATION_CHANNELS - 1] = part_missing(missing, block);
        }
    }
}

/// The part of a block that is missing.
fn part_missing(missing: &[bool], Block { at: [x, y, z], blocks: [w, h], fold }: Block) -> f32 {
    let at = |k: usize| {
        let (i, j, k) = (x * fold + k % fold, y * fold + k / fold % fold, z * fold + k / (fold * fold));
        (k * h * fold + j) * w * fold + i
    };
    let count = fold.pow(3);
    (0..count).filter(|k| missing[at(*k)]).count() as f32 / count as f32
}

/// The voxels that are true.
struct Known(Vec<bool>);

impl Measured for Known {
    fn nearest(&self, mut estimate: Field, seen: &Field) -> Field {
        let values = estimate.values_mut().iter_mut().zip(seen.values()).zip(&self.0);
        values.filter(|(_, known)| **known).for_each(|((v, s), _)| *v = *s);
        estimate
    }
}

/// Ellipsoids that take a part of a cube, of the size of lesions and larger.
pub(crate) fn ellipsoids(size: usize, draw: &mut RandomStream) -> Vec<bool> {
    let mut missing = vec![false; size.pow(3)];
    let wanted = (draw.between(0.03, 0.2) * missing.len() as f64) as usize;
    let mut count = 0;
    while count < wanted {
        let centre = [0; 3].map(|_| draw.between(0.0, size as f64));
        let radius = [0; 3].map(|_| draw.between(3.0, 11.0));
        let square = |a: usize, i: usize| ((i as f64 + 0.5 - centre[a]) / radius[a]).powi(2);
        let [xs, ys, zs] = [0, 1, 2].map(|a| {
            (centre[a] - radius[a]).max(0.0) as usize..((centre[a] + radius[a]).ceil() as usize).min(size)
        });
        for (z, y) in zs.flat_map(|z| ys.clone().map(move |y| (z, y))) {
            let row = &mut missing[(z * size + y) * size..][..size];
            for x in xs.clone().filter(|x| square(0, *x) + square(1, y) + square(2, z) <= 1.0) {
                count += usize::from(!std::mem::replace(&mut row[x], true));
            }
        }
    }
    missing
}

/// One end of a cube, along any axis.
fn end(size: usize, draw: &mut RandomStream) -> Vec<bool> {
    let (axis, high) = (draw.below(3), draw.unit() < 0.5);
    let depth = (draw.between(0.15, 0.8) * size as f64) as usize;
    let from_end = |i: usize| if high { size - 1 - i } else { i };
    (0..size.pow(3)).map(|k| from_end(k / size.pow(axis as u32) % size) < depth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_told_by_the_part_of_it_that_is_missing() {
        // A patch of 4 × 4 × 2 voxels: of the second block along x three voxels are missing.
        let mut missing = vec![false; 32];
        [2, 3, 6].into_iter().for_each(|k| missing[k] = true);
        let degradation = Degradation::Missing(missing);
        let told = |x: usize, y: usize| {
            let mut channels = degradation.channels();
            degradation.tell_block([x, y, 0], [2, 2], 2, &mut channels);
            channels[DEGRADATION_CHANNELS - 1]
        };
        assert_eq!([told(0, 0), told(1, 0), told(0, 1), told(1, 1)], [0.0, 0.375, 0.0, 0.0]);
    }
    #[test]
    fn a_missing_voxel_is_told_of_its_block() {
        // two blocks along x, one along y, two along z
        let mut missing = vec![false; 4 * 2 * 4];
        missing[(3 * 2 + 1) * 4 + 2] = true;
        let part = |at: [usize; 3]| part_missing(&missing, Block { at, blocks: [2, 1], fold: 2 });
        assert_eq!([[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 1]].map(part), [0.0, 0.0, 0.0, 0.125]);
    }
}
