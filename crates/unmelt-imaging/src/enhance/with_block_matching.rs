//! The prior with a second opinion, for the search of a single estimate: what blocks of the volume say of each other.

use unmelt_diffusion::posterior::Prior;

use crate::Field;
use crate::classical::block_matching::BlockMatching;
use crate::prior::patches::{Background, PatchPrior};

/// How much similar blocks count beside the network, and what part of the level they take for noise: what is left to put right in
/// a search is no noise of that level. Of shares from 0.2 to 0.9 and of levels up to fourfold these were best for slices and
/// k-space of cubes of two held-back T1.
const SHARE: f32 = 0.3;
const LEVEL: f64 = 2.0;

/// Voxels from one block to the next.
const STEP: usize = 3;

/// Network and similar blocks together.
pub(crate) struct WithBlockMatching<'a>(pub PatchPrior<'a>);

impl Prior<f32> for WithBlockMatching<'_> {
    fn denoise(&self, x: &[f32], sigma: f64, step: usize) -> unmelt_diffusion::Result<Vec<f32>> {
        let estimate = self.0.denoise(x, sigma, step)?;
        let wanted = self.0.background.map(Background::foreground);
        let cancel = self.0.cancel;
        let block_matching = BlockMatching { sigma: LEVEL * sigma, share: SHARE, step: STEP, wanted, cancel };
        let estimate = block_matching.blended(Field::new(estimate, self.0.shape()), x);
        cancel.check().map(|()| estimate.into_values())
    }
}
