//! The prior: a U-Net that restores patches, told where in the head they lie and what is wrong with them.
//!
//! Preconditioning is that of Karras et al. 2022 ("Elucidating the design space of diffusion-based generative
//! models", table 1): D(x; σ) = c_skip·x + c_out·F(c_in·x; σ). The U-Net works on the Haar bands of 2×2×2 voxels as
//! channels, which costs an eighth of its width at full resolution and sees twice as far.

pub mod calibration;
mod card_check;
pub mod patches;
pub(crate) mod trained_on;

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use unmelt_diffusion::{Layout, Weights, to_vec};

pub use crate::degradation::{DEGRADATION_CHANNELS, Degradation, Expert};
use crate::network::{UNet, UNetConfig};
use crate::prior::calibration::Calibrations;
use crate::prior::trained_on::TrainedOn;
use crate::{Error, Result};

/// Channels that say where a voxel lies: mm / 100 from the centre of the foreground to the right, the front and the
/// top, and 1 where that is known.
pub const POSITION_CHANNELS: usize = 4;

/// Channels that say what is known of a patch beside its voxels.
pub(crate) const CONDITION_CHANNELS: usize = POSITION_CHANNELS + DEGRADATION_CHANNELS;

/// Edge of the blocks that are folded into channels.
pub const FOLD: usize = 2;

/// What stands on a model's card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeModel {
    /// The U-Net over folded voxels.
    pub network: UNetConfig,
    /// Standard deviation of the data, around 0, in units of the robust range.
    pub sigma_data: f64,
    /// Lowest noise level that the network was trained at, in units of the robust range.
    pub sigma_min: f64,
    /// Highest noise level.
    pub sigma_max: f64,
    /// Edge of the patches that volumes are taken apart into, in voxels.
    pub patch: usize,
    /// Factors that make intervals cover 90 % of held-back voxels, by task, as cards had them that knew no
    /// [`calibration`](Self::calibration).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub interval_scale: BTreeMap<String, f64>,
    /// What was fitted for intervals to cover 90 % of held-back voxels, by task.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calibration: Calibrations,
    /// What kind of scans it was trained on, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<TrainedOn>,
    /// Whether there is a network of its own for noise and one for everything else that is wrong with a scan, of one shape: experts,
    /// after Balaji et al. 2022 ("eDiff-I"), who have them by the level of noise.
    #[serde(default)]
    pub experts: bool,
}

impl VolumeModel {
    /// A prior with a U-Net of these widths and blocks per level.
    pub fn new(channels: Vec<usize>, blocks: Vec<usize>) -> Result<Self> {
        let levels = channels.len();
        let network = UNetConfig {
            spatial_dims: 3,
            in_channels: FOLD.pow(3) + CONDITION_CHANNELS,
            out_channels: FOLD.pow(3),
            channels,
            num_res_blocks: blocks,
            attention_levels: vec![false; levels],
            num_head_channels: vec![0; levels],
            ..UNetConfig::default()
        };
        network.check()?;
        Ok(Self {
            network,
            sigma_data: 0.4,
            sigma_min: 0.005,
            sigma_max: 10.0,
            patch: 64,
            interval_scale: BTreeMap::new(),
            calibration: BTreeMap::new(),
            trained_on: None,
            experts: false,
        })
    }

    /// The networks, in the order of their weights: one for everything, or the experts.
    pub(crate) fn networks(&self) -> &'static [Option<Expert>] {
        if self.experts { &[Some(Expert::Noise), Some(Expert::Reconstruction)] } else { &[None] }
    }

    /// Names and shapes of all weights.
    pub fn layout(&self) -> Layout {
        let network = self.network.layout();
        let mut layout = Layout::default();
        self.networks().iter().for_each(|part| layout.add_all(name_of(*part), &network));
        layout
    }

    /// The network that restores what is degraded like this.
    fn part(&self, degradation: &Degradation) -> Option<Expert> {
        self.experts.then(|| Expert::of(degradation))
    }

    /// Edges of patches must be multiples of this.
    pub fn granularity(&self) -> usize {
        FOLD * self.network.granularity()
    }

    /// What the time embedding is given for a noise level: 0 to 1000 over the trained range of ln σ.
    fn time(&self, sigma: f64) -> f64 {
        let (low, high) = (self.sigma_min.ln(), self.sigma_max.ln());
        1000.0 * ((sigma.ln() - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// (c_skip, c_out, c_in).
    pub fn preconditioning(&self, sigma: f64) -> (f64, f64, f64) {
        let (s2, d2) = (sigma * sigma, self.sigma_data * self.sigma_data);
        let root = (s2 + d2).sqrt();
        (d2 / (s2 + d2), sigma * self.sigma_data / root, 1.0 / root)
    }

    /// F for noisy patches `[B, D, H, W, 1]`, all of one expert's degradations: the clean patch is c_skip·x + c_out·F.
    pub fn network_output(
        &self,
        weights: &Weights,
        noisy: Tensor<5>,
        conditions: &[PatchCondition],
    ) -> Result<Tensor<5>> {
        let [_, d, h, w, _] = noisy.dims();
        let device = noisy.device();
        let c_in = per_patch(conditions, &device, |sigma| self.preconditioning(sigma).2);
        let folded = bands(fold(noisy * c_in), BAND_GAINS);
        let told = condition_channels(conditions, [d, h, w].map(|n| n / FOLD), &device);
        let times: Vec<f64> = conditions.iter().map(|c| self.time(c.sigma)).collect();
        let part = conditions.first().and_then(|c| self.part(&c.degradation));
        if conditions.iter().any(|c| self.part(&c.degradation) != part) {
            return Err(Error::Request("patches of two experts cannot be restored at once".into()));
        }
        let unet = UNet::bind(&self.network, weights, name_of(part))?;
        let output = unet.forward(Tensor::cat(vec![folded, told], 4), &times, None)?;
        Ok(unfold(voxels_of_bands(output)))
    }

    /// D(x; σ) for patches `[B, D, H, W, 1]`, all of one expert's degradations.
    pub fn denoise(
        &self,
        weights: &Weights,
        noisy: Tensor<5>,
        conditions: &[PatchCondition],
    ) -> Result<Tensor<5>> {
        let device = noisy.device();
        let skip = per_patch(conditions, &device, |sigma| self.preconditioning(sigma).0);
        let out = per_patch(conditions, &device, |sigma| self.preconditioning(sigma).1);
        let f = self.network_output(weights, noisy.clone(), conditions)?;
        Ok(noisy * skip + f * out)
    }
}

/// What the names of a network's weights stand under; nothing where there is one network.
fn name_of(part: Option<Expert>) -> &'static str {
    match part {
        None => "",
        Some(Expert::Noise) => "noise",
        Some(Expert::Reconstruction) => "reconstruction",
    }
}

/// What the network is told of a noisy patch.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchCondition {
    /// Where it lies.
    pub place: PatchPlace,
    /// Standard deviation of the noise, or about that of what interpolation gets wrong, in units of the robust range.
    pub sigma: f64,
    /// What is wrong with it.
    pub degradation: Degradation,
}

/// Where a patch lies: position of its first voxel and the step along each axis, in mm from the centre of the
/// foreground along right, front and top; unknown where the axes are not the patient's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatchPlace {
    /// Position of the first voxel.
    pub origin: [f64; 3],
    /// From a voxel to the next along x, y, z; negative for a mirrored patch.
    pub step: [f64; 3],
    /// Whether the position is known.
    pub known: bool,
}

impl PatchPlace {
    /// No position.
    pub const UNKNOWN: Self = Self { origin: [0.0; 3], step: [0.0; 3], known: false };
}

/// What is known of patches, as channels `[B, d, h, w, 12]` of folded voxels.
fn condition_channels(conditions: &[PatchCondition], [d, h, w]: [usize; 3], device: &Device) -> Tensor<5> {
    let mut values = Vec::with_capacity(conditions.len() * d * h * w * CONDITION_CHANNELS);
    for PatchCondition { place, degradation, .. } in conditions {
        let (known, told) = (f32::from(u8::from(place.known)), degradation.channels());
        let at = |axis: usize, k: usize| {
            let centre = (k * FOLD) as f64 + 0.5 * (FOLD as f64 - 1.0);
            ((place.origin[axis] + centre * place.step[axis]) / 100.0) as f32 * known
        };
        for z in 0..d {
            for y in 0..h {
                for x in 0..w {
                    values.extend([at(0, x), at(1, y), at(2, z), known]);
                    let mut told = told;
                    degradation.tell_block([x, y, z], [w, h], FOLD, &mut told);
                    values.extend(told);
                }
            }
        }
    }
    Tensor::from_data(TensorData::new(values, [conditions.len(), d, h, w, CONDITION_CHANNELS]), device)
}

/// What the network sees of the mean of a block and of its seven differences: both about as large as 1.
const BAND_GAINS: [f32; 2] = [0.353_553_4, 2.0];

/// The orthonormal Haar transform of a 2×2×2 block, `[voxel, band]`, each band times its gain; band 0 is the mean.
fn haar([of_mean, of_difference]: [f32; 2]) -> Vec<f32> {
    let count = FOLD.pow(3);
    let sign =
        |voxel: usize, band: usize| if (voxel & band).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
    let gain = |band: usize| if band == 0 { of_mean } else { of_difference };
    let scale = 1.0 / (count as f32).sqrt();
    (0..count * count).map(|k| sign(k / count, k % count) * scale * gain(k % count)).collect()
}

fn bands(folded: Tensor<5>, gains: [f32; 2]) -> Tensor<5> {
    let count = FOLD.pow(3);
    let matrix = Tensor::<2>::from_data(TensorData::new(haar(gains), [count, count]), &folded.device());
    let dims = folded.dims();
    folded.reshape([-1, count as i64]).matmul(matrix).reshape(dims)
}

/// The inverse of [`bands`] without gains: the transform is its own.
fn voxels_of_bands(output: Tensor<5>) -> Tensor<5> {
    bands(output, [1.0, 1.0])
}

/// `[B, D, H, W, 1]` → `[B, D/2, H/2, W/2, 8]`.
fn fold(x: Tensor<5>) -> Tensor<5> {
    let [b, d, h, w, _] = x.dims();
    let (d, h, w) = (d / FOLD, h / FOLD, w / FOLD);
    let x: Tensor<7> = x.reshape([b, d, FOLD, h, FOLD, w, FOLD]);
    x.permute([0, 1, 3, 5, 2, 4, 6]).reshape([b, d, h, w, FOLD.pow(3)])
}

/// The inverse of [`fold`].
fn unfold(x: Tensor<5>) -> Tensor<5> {
    let [b, d, h, w, _] = x.dims();
    let x: Tensor<7> = x.reshape([b, d, h, w, FOLD, FOLD, FOLD]);
    x.permute([0, 1, 4, 2, 5, 3, 6]).reshape([b, d * FOLD, h * FOLD, w * FOLD, 1])
}

/// What follows from the level of each patch, `[B, 1, 1, 1, 1]`.
fn per_patch(conditions: &[PatchCondition], device: &Device, of: impl Fn(f64) -> f64) -> Tensor<5> {
    let values: Vec<f32> = conditions.iter().map(|c| of(c.sigma) as f32).collect();
    Tensor::from_data(TensorData::new(values, [conditions.len(), 1, 1, 1, 1]), device)
}

/// Patches with a place each as a tensor `[B, D, H, W, 1]`; all of one shape [x, y, z].
pub fn patches_tensor(patches: &[Vec<f32>], [x, y, z]: [usize; 3], device: &Device) -> Tensor<5> {
    Tensor::from_data(TensorData::new(patches.concat(), [patches.len(), z, y, x, 1]), device)
}

/// The patches of a tensor `[B, D, H, W, 1]`.
pub fn tensor_patches(tensor: Tensor<5>) -> Vec<Vec<f32>> {
    let [_, d, h, w, _] = tensor.dims();
    to_vec(tensor).chunks_exact(d * h * w).map(<[f32]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_goes_there_and_back_and_keeps_blocks_together() {
        let values: Vec<f32> = (0..2 * 4 * 6 * 8).map(|k| k as f32).collect();
        let x = Tensor::<5>::from_data(TensorData::new(values.clone(), [2, 4, 6, 8, 1]), &Device::flex());
        let folded = fold(x);
        assert_eq!(folded.dims(), [2, 2, 3, 4, 8]);
        // the first folded voxel holds the first 2 × 2 × 2 block
        assert_eq!(to_vec(folded.clone())[..8], [0., 1., 8., 9., 48., 49., 56., 57.]);
        let back = to_vec(unfold(voxels_of_bands(bands(folded, [1.0, 1.0]))));
        assert!(back.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-3));
    }

    #[test]
    fn every_degradation_has_its_expert() {
        let one = VolumeModel::new(vec![16], vec![1]).expect("a model");
        let model = VolumeModel { experts: true, ..one.clone() };
        let layout = model.layout();
        assert_eq!(layout.len(), 2 * one.layout().len());
        // the expert for noise says nothing, the other something
        let mut values = vec![0.0; layout.len()];
        let (_, reconstruction) = values.split_at_mut(one.layout().len());
        reconstruction.iter_mut().enumerate().for_each(|(k, v)| *v = 0.1 * (k as f32).sin());
        let device = Device::flex();
        let weights = unmelt_diffusion::Parameters::new(layout.into(), values, &device).weights();
        let patch = Tensor::ones([1, 8, 8, 8, 1], &device);
        let condition = |degradation| PatchCondition { place: PatchPlace::UNKNOWN, sigma: 0.1, degradation };
        let size = |degradation| {
            let output = model.network_output(&weights, patch.clone(), &[condition(degradation)]);
            to_vec(output.expect("an output")).iter().map(|v| v.abs()).sum::<f32>()
        };
        assert_eq!([size(Degradation::Gaussian), size(Degradation::Rician)], [0.0; 2]);
        assert!(size(Degradation::Thick([1.0, 1.0, 3.0])) > 0.0 && size(Degradation::Aliased(1)) > 0.0);
        let both = [condition(Degradation::Gaussian), condition(Degradation::Aliased(0))];
        let said = model.network_output(&weights, patch.repeat_dim(0, 2), &both).expect_err("two experts");
        assert!(said.to_string().contains("two experts"), "{said}");
    }
}
