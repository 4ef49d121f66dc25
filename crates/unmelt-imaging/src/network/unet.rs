//! The U-Net of diffusion models over one, two or three dimensions.
//!
//! The function, and the tensor names, of MONAI's `DiffusionModelUNet`
//! (monai/networks/nets/diffusion_model_unet.py of MONAI 1.6), so that its state dicts load.

use burn::tensor::{Device, Tensor, TensorData};
use unmelt_diffusion::{Layout, Weights};
use unmelt_kernels::{ConvStep, repeat_voxels, silu};

use super::attention::attention;
use super::config::UNetConfig;
use super::part::Part;
use crate::Result;

/// How a residual block changes the resolution.
#[derive(Clone, Copy, PartialEq)]
enum Resample {
    No,
    Up,
    Down,
}

/// The network with its weights.
pub struct UNet<'a> {
    config: &'a UNetConfig,
    root: Part<'a>,
}

impl<'a> UNet<'a> {
    /// Checks that every tensor of the layout is there in its shape, under a name if it is not empty.
    pub fn bind(config: &'a UNetConfig, weights: &'a Weights, name: &str) -> Result<Self> {
        config.check()?;
        let mut layout = Layout::default();
        layout.add_all(name, &config.layout());
        weights.check(&layout)?;
        Ok(Self { config, root: Part { weights, name: name.into(), dims: config.spatial_dims } })
    }

    /// The output for `x` `[N, D, H, W, C]` (a missing dimension is 1), a time per sample, and the context
    /// `[N, S, C']` where the network attends to one.
    pub fn forward(&self, x: Tensor<5>, times: &[f64], context: Option<&Tensor<3>>) -> Result<Tensor<5>> {
        let levels = self.config.channels.len();
        let emb = silu(self.time_embedding(times, &x.device())?);
        let mut h = self.root.at("conv_in.conv").conv(x, None, None, ConvStep::PLAIN)?;
        let mut skips = vec![h.clone()];
        for level in 0..levels {
            let part = self.root.at(&format!("down_blocks.{level}"));
            for k in 0..self.config.num_res_blocks[level] {
                h = self.block(&part, level, k, h, &emb, context)?;
                skips.push(h.clone());
            }
            if level + 1 < levels {
                h = self.downsample(&part.at("downsampler"), h, &emb)?;
                skips.push(h.clone());
            }
        }
        let middle = self.root.at("middle_block");
        h = self.resnet(&middle.at("resnet_1"), h, &emb, Resample::No)?;
        h = attention(&middle.at("attention"), self.config, h, context, self.config.head(levels - 1))?;
        h = self.resnet(&middle.at("resnet_2"), h, &emb, Resample::No)?;
        for level in (0..levels).rev() {
            let part = self.root.at(&format!("up_blocks.{}", levels - 1 - level));
            for k in 0..=self.config.num_res_blocks[level] {
                let skip = skips.pop().expect("a skip for each block on the way up");
                h = self.block(&part, level, k, Tensor::cat(vec![h, skip], 4), &emb, context)?;
            }
            if level > 0 {
                h = self.upsample(&part.at("upsampler"), h, &emb)?;
            }
        }
        let norm = self.root.at("out.0").norm(self.config.norm_num_groups, self.config.norm_eps, true)?;
        self.root.at("out.2.conv").conv(h, Some(&norm), None, ConvStep::PLAIN)
    }

    /// cos and sin of the times at geometric frequencies (Ho et al. 2020), through two layers.
    fn time_embedding(&self, times: &[f64], device: &Device) -> Result<Tensor<2>> {
        let width = self.config.channels[0];
        let half = width / 2;
        let mut values = Vec::with_capacity(times.len() * width);
        for t in times {
            let angle = |k: usize| t * (-(10_000f64.ln()) * k as f64 / half as f64).exp();
            values.extend((0..half).map(|k| angle(k).cos() as f32));
            values.extend((0..half).map(|k| angle(k).sin() as f32));
            values.extend((2 * half..width).map(|_| 0.0f32));
        }
        let x = Tensor::<2>::from_data(TensorData::new(values, [times.len(), width]), device);
        let x = silu(self.root.at("time_embed.0").linear(x)?);
        self.root.at("time_embed.2").linear(x)
    }

    /// A residual block, and attention where the level has it.
    fn block(
        &self,
        part: &Part,
        level: usize,
        k: usize,
        x: Tensor<5>,
        emb: &Tensor<2>,
        context: Option<&Tensor<3>>,
    ) -> Result<Tensor<5>> {
        let h = self.resnet(&part.at(&format!("resnets.{k}")), x, emb, Resample::No)?;
        if !self.config.attention_levels[level] {
            return Ok(h);
        }
        let part = part.at(&format!("attentions.{k}"));
        attention(&part, self.config, h, context, self.config.head(level))
    }

    fn resnet(&self, part: &Part, x: Tensor<5>, emb: &Tensor<2>, resample: Resample) -> Result<Tensor<5>> {
        let (groups, epsilon) = (self.config.norm_num_groups, self.config.norm_eps);
        let (norm1, norm2) =
            (part.at("norm1").norm(groups, epsilon, true)?, part.at("norm2").norm(groups, epsilon, true)?);
        let of_time = Some(part.at("time_emb_proj").linear(emb.clone())?);
        let conv1 = part.at("conv1.conv");
        let (x, h) = match resample {
            Resample::No => (x.clone(), conv1.conv(x, Some(&norm1), of_time, ConvStep::PLAIN)?),
            Resample::Up => {
                let step = ConvStep { upsample: self.config.along(2), ..ConvStep::PLAIN };
                let h = conv1.conv(x.clone(), Some(&norm1), of_time, step)?;
                (repeat_voxels(x, step.upsample), h)
            }
            Resample::Down => {
                let active = self.pool(unmelt_kernels::group_norm(x.clone(), &norm1));
                (self.pool(x), conv1.conv(active, None, of_time, ConvStep::PLAIN)?)
            }
        };
        let h = part.at("conv2.conv").conv(h, Some(&norm2), None, ConvStep::PLAIN)?;
        let skip = part.at("skip_connection.conv");
        Ok(if skip.has("weight") { skip.conv(x, None, None, ConvStep::PLAIN)? + h } else { x + h })
    }

    fn downsample(&self, part: &Part, x: Tensor<5>, emb: &Tensor<2>) -> Result<Tensor<5>> {
        if self.config.resblock_updown {
            return self.resnet(part, x, emb, Resample::Down);
        }
        let step = ConvStep { stride: self.config.along(2), ..ConvStep::PLAIN };
        part.at("op.conv").conv(x, None, None, step)
    }

    fn upsample(&self, part: &Part, x: Tensor<5>, emb: &Tensor<2>) -> Result<Tensor<5>> {
        if self.config.resblock_updown {
            return self.resnet(part, x, emb, Resample::Up);
        }
        let step = ConvStep { upsample: self.config.along(2), ..ConvStep::PLAIN };
        part.at("postconv.conv").conv(x, None, None, step)
    }

    /// Means of pairs of voxels along each dimension that there is.
    fn pool(&self, x: Tensor<5>) -> Tensor<5> {
        let [a, b, e] = self.config.along(2);
        let [n, d, h, w, c] = x.dims();
        let x = x.reshape([n * d * h * (w / e), e, c]).mean_dim(1).reshape([n * d * (h / b), b, w / e * c]);
        let x = x.mean_dim(1).reshape([n * (d / a), a, h / b * (w / e) * c]).mean_dim(1);
        x.reshape([n, d / a, h / b, w / e, c])
    }
}
