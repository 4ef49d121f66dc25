//! What can be wrong with a scan: each kind in a file of its own, with how a clean patch becomes a degraded one, what the network is told
//! of it, and its test. A new kind is a file, a variant of [`Degradation`] and a line of the [`CATALOGUE`].

mod aliased;
mod missing;
mod noise;
mod thick;

use unmelt_diffusion::Noise;

pub(crate) use missing::ellipsoids;

use crate::Field;
use crate::field::random_stream::RandomStream;

/// Channels that say what is wrong: 1 for Rician noise; half the logarithm of how many voxels a slice is thick, along each axis; 1
/// for the axis along which lines of k-space are missing; the part of a voxel's block of 2×2×2 that was filled.
pub const DEGRADATION_CHANNELS: usize = 8;

/// What the network is told of a patch beside its place.
pub(crate) type Channels = [f32; DEGRADATION_CHANNELS];

/// What is wrong with a patch.
#[derive(Clone, Debug, PartialEq)]
pub enum Degradation {
    /// Gaussian noise.
    Gaussian,
    /// The magnitude of a complex signal with Gaussian noise in both parts, as MRI shows it.
    Rician,
    /// Slices of so many voxels along x, y and z, box profile, interpolated by B-splines with back-projection.
    Thick([f64; 3]),
    /// Lines of k-space missing along this axis, the phase encoding; the level is that of what is wrong.
    Aliased(usize),
    /// Voxels missing, true for each of those, filled smoothly; the level is [`Degradation::LEVEL_OF_MISSING`].
    Missing(Vec<bool>),
}

impl Degradation {
    /// About the standard deviation of what smooth filling gets wrong, in units of the robust range.
    pub const LEVEL_OF_MISSING: f64 = missing::LEVEL;

    /// About the standard deviation of what interpolation of thick slices gets wrong, in units of the robust range.
    pub fn level_of_thick(voxels: [f64; 3]) -> f64 {
        thick::level(voxels)
    }

    /// The kind that it is of.
    pub(crate) fn kind(&self) -> &'static dyn DegradationKind {
        match self {
            Self::Gaussian | Self::Rician => &noise::Noisy,
            Self::Thick(_) => &thick::ThickSlices,
            Self::Aliased(_) => &aliased::MissingLines,
            Self::Missing(_) => &missing::Holes,
        }
    }

    /// Channels that are the same all over a patch, and room for those that are not.
    pub(crate) fn channels(&self) -> Channels {
        let mut channels = [0.0; DEGRADATION_CHANNELS];
        self.kind().tell(self, &mut channels);
        channels
    }

    /// Adds what is told of one block of `fold`³ voxels alone, at a place of so many blocks along x and y.
    pub(crate) fn tell_block(
        &self,
        block: [usize; 3],
        blocks: [usize; 2],
        fold: usize,
        channels: &mut Channels,
    ) {
        self.kind().tell_block(self, Block { at: block, blocks, fold }, channels);
    }
}

/// What a network of a prior with experts is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expert {
    /// Gaussian and Rician noise.
    Noise,
    /// Thick slices, missing lines of k-space, holes.
    Reconstruction,
}

impl Expert {
    /// The one for a degradation.
    pub fn of(degradation: &Degradation) -> Self {
        degradation.kind().expert()
    }
}

/// A block of a patch whose voxels are folded into channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Its place among the blocks.
    pub at: [usize; 3],
    /// How many blocks there are along x and y.
    pub blocks: [usize; 2],
    /// Voxels of a block along each axis.
    pub fold: usize,
}

/// A kind of degradation: how patches get it, and what the network is told.
pub(crate) trait DegradationKind: Sync {
    /// Its name, for settings and reports.
    fn name(&self) -> &'static str;

    /// The network that restores it, where there are several.
    fn expert(&self) -> Expert;

    /// The part of the patches of a training that get it; noise gets what is left.
    fn share(&self, shares: &Shares) -> f64;

    /// The clean patch that a cube of an edge is seen within: its surroundings matter too.
    fn surroundings(&self, size: usize, draw: &mut RandomStream) -> Surroundings;

    /// The forward model: what becomes of a clean patch with its surroundings, and where in them the cube lies.
    fn degrade(&self, clean: &Field, cube: &Cube, draw: &mut RandomStream) -> Degraded;

    /// Puts what the network is told all over a patch.
    fn tell(&self, degradation: &Degradation, channels: &mut Channels);

    /// Puts what it is told of one block alone.
    fn tell_block(&self, _degradation: &Degradation, _block: Block, _channels: &mut Channels) {}
}

/// All kinds, in the order in which a training draws them; noise, which gets what is left, comes last.
pub(crate) const CATALOGUE: [&dyn DegradationKind; 4] =
    [&thick::ThickSlices, &aliased::MissingLines, &missing::Holes, &noise::Noisy];

/// Parts of the patches of a training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    pub thick: f64,
    pub aliased: f64,
    pub missing: f64,
}

impl Shares {
    /// The kind that a number from 0 to 1 falls on, among all or among those of an expert.
    pub fn kind(&self, expert: Option<Expert>, draw: &mut RandomStream) -> &'static dyn DegradationKind {
        let all = self.thick + self.aliased + self.missing;
        let number = match expert {
            None => draw.unit(),
            Some(Expert::Noise) => 1.0,
            Some(Expert::Reconstruction) => draw.unit() * all,
        };
        let mut sum = 0.0;
        let found = CATALOGUE.iter().find(|kind| {
            sum += kind.share(self);
            number < sum
        });
        *found.unwrap_or(&CATALOGUE[CATALOGUE.len() - 1])
    }
}

/// A clean patch to be degraded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub shape: [usize; 3],
    /// The axis that matters, where one does.
    pub axis: usize,
}

/// A cube to be learned from, within its surroundings.
pub(crate) struct Cube {
    /// Its edge.
    pub size: usize,
    /// The number of the patch within the training, and the noise of the training.
    pub number: u64,
    pub noise: Noise,
    /// The axis of its surroundings that matters.
    pub axis: usize,
    /// Lowest and highest level that the model knows.
    pub levels: [f64; 2],
    /// How levels of noise are drawn.
    pub noise_levels: NoiseLevels,
}

/// How levels of noise are drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoiseLevels {
    /// Median, in units of the robust range.
    pub median: f64,
    /// Standard deviation of the logarithm.
    pub spread: f64,
    /// Part of the noise that is Rician.
    pub rician: f64,
}

/// A patch and its surroundings as they are seen, and what is wrong with them.
pub(crate) struct Degraded {
    pub seen: Field,
    /// What was measured, which an estimate is brought to; nothing where noise hides all.
    pub measured: Option<Box<dyn Measured>>,
    pub sigma: f64,
    pub degradation: Degradation,
    /// Where the cube begins.
    pub offset: [usize; 3],
}

/// What was measured of a patch and its surroundings.
pub(crate) trait Measured: Send + Sync {
    /// The nearest field that agrees with what was measured; `seen` is what was seen first.
    fn nearest(&self, estimate: Field, seen: &Field) -> Field;

    /// The level of what is wrong after an estimate was brought to what was measured, as a part of that before.
    fn remaining(&self, _before: f64, _now: f64) -> f64 {
        AFTER_A_PASS
    }
}

/// What is told of the level of what is wrong after a pass, as a part of that before.
const AFTER_A_PASS: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_drawn_by_their_shares_and_names_are_their_own() {
        let shares = Shares { thick: 0.3, aliased: 0.15, missing: 0.1 };
        let count = 20_000;
        let mut counts = std::collections::BTreeMap::new();
        for k in 0..count {
            let mut draw = RandomStream::new(Noise::new(1), k, 9);
            *counts.entry(shares.kind(None, &mut draw).name()).or_insert(0u32) += 1;
            let noise = shares.kind(Some(Expert::Noise), &mut draw);
            let other = shares.kind(Some(Expert::Reconstruction), &mut draw);
            assert!(noise.expert() == Expert::Noise && other.expert() == Expert::Reconstruction);
        }
        for (name, share) in [("thick", 0.3), ("aliased", 0.15), ("missing", 0.1), ("noise", 0.45)] {
            let part = f64::from(counts[name]) / count as f64;
            assert!((part - share).abs() < 0.015, "{name}: {part}");
        }
    }
}
