//! The U-Net of diffusion models over one, two or three dimensions.
//!
//! The function, and the tensor names, of MONAI's `DiffusionModelUNet`
//! (monai/networks/nets/diffusion_model_unet.py of MONAI 1.6), so that its state dicts load.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use unmelt_diffusion::{Layout, Weights};
use unmelt_kernels::{ConvStep, repeat_voxels, silu};

use super::attention::{add_attention, attention};
use super::part::{Part, add_centred_conv, add_conv, add_linear, join};
use crate::{Error, Result};

/// Architecture, in the words of MONAI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UNetConfig {
    /// 1, 2 or 3.
    pub spatial_dims: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Channels of each level.
    pub channels: Vec<usize>,
    /// Residual blocks of each level.
    pub num_res_blocks: Vec<usize>,
    /// Which levels have attention.
    pub attention_levels: Vec<bool>,
    /// Channels per attention head of each level; 0 where there is none (one head in the middle block).
    pub num_head_channels: Vec<usize>,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
    /// Added to the variance in group norms.
    pub norm_eps: f64,
    /// Whether residual blocks change the resolution instead of convolutions.
    pub resblock_updown: bool,
    /// Width of the context, for attention to one.
    pub cross_attention_dim: Option<usize>,
    /// Layers of a transformer, where there is a context.
    pub transformer_num_layers: usize,
}

impl Default for UNetConfig {
    fn default() -> Self {
        Self {
            spatial_dims: 3,
            in_channels: 1,
            out_channels: 1,
            channels: vec![32, 64, 128],
            num_res_blocks: vec![2; 3],
            attention_levels: vec![false; 3],
            num_head_channels: vec![0; 3],
            norm_num_groups: 16,
            norm_eps: 1e-6,
            resblock_updown: false,
            cross_attention_dim: None,
            transformer_num_layers: 1,
        }
    }
}

/// Widths of one residual block.
type Widths = [usize; 2];

impl UNetConfig {
    /// Checks that the numbers fit each other.
    pub fn check(&self) -> Result<()> {
        let fault = |text: String| Err(Error::Request(format!("the U-Net's {text}")));
        let levels = self.channels.len();
        if !(1..=3).contains(&self.spatial_dims) {
            return fault(format!("spatial_dims must be 1, 2 or 3, but it is {}", self.spatial_dims));
        }
        if levels == 0 || self.in_channels == 0 || self.out_channels == 0 || self.norm_num_groups == 0 {
            return fault("channels, levels and norm groups must be at least 1".into());
        }
        for (name, count) in [
            ("num_res_blocks", self.num_res_blocks.len()),
            ("attention_levels", self.attention_levels.len()),
            ("num_head_channels", self.num_head_channels.len()),
        ] {
            if count != levels {
                return fault(format!("{name} has {count} entries for {levels} levels"));
            }
        }
        for (level, &c) in self.channels.iter().enumerate() {
            if c == 0 || !c.is_multiple_of(self.norm_num_groups) {
                return fault(format!(
                    "channels {c} are no multiple of {} norm groups",
                    self.norm_num_groups
                ));
            }
            let attends = self.attention_levels[level] || level + 1 == levels;
            if attends && !c.is_multiple_of(self.head(level)) {
                return fault(format!("channels {c} are no multiple of {} per head", self.head(level)));
            }
        }
        if self.num_res_blocks.contains(&0) {
            return fault("num_res_blocks must be at least 1".into());
        }
        Ok(())
    }

    /// Edges of the input must be multiples of this.
    pub fn granularity(&self) -> usize {
        1 << (self.channels.len().max(1) - 1)
    }

    fn head(&self, level: usize) -> usize {
        match self.num_head_channels[level] {
            0 => self.channels[level],
            head => head,
        }
    }

    fn time_width(&self) -> usize {
        4 * self.channels[0]
    }

    /// Widths of the residual blocks of a level on the way down.
    fn down_widths(&self, level: usize) -> Vec<Widths> {
        let before = self.channels[level.saturating_sub(1)];
        let c = self.channels[level];
        (0..self.num_res_blocks[level]).map(|k| [if k == 0 { before } else { c }, c]).collect()
    }

    /// Widths of the residual blocks of a level on the way up, skipped channels included.
    fn up_widths(&self, level: usize) -> Vec<Widths> {
        let c = self.channels[level];
        let below = self.channels[(level + 1).min(self.channels.len() - 1)];
        let above = self.channels[level.saturating_sub(1)];
        let blocks = self.num_res_blocks[level] + 1;
        (0..blocks)
            .map(|k| {
                let skip = if k + 1 == blocks { above } else { c };
                [skip + if k == 0 { below } else { c }, c]
            })
            .collect()
    }

    fn kernel(&self) -> Vec<usize> {
        vec![3; self.spatial_dims]
    }

    /// `value` along the dimensions that there are.
    fn along(&self, value: usize) -> [usize; 3] {
        std::array::from_fn(|a| if a + self.spatial_dims >= 3 { value } else { 1 })
    }

    /// Names and shapes of all tensors.
    pub fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        let levels = self.channels.len();
        add_centred_conv(&mut layout, "conv_in.conv", [self.in_channels, self.channels[0]], &self.kernel());
        add_linear(&mut layout, "time_embed.0", self.channels[0], self.time_width(), true);
        add_linear(&mut layout, "time_embed.2", self.time_width(), self.time_width(), true);
        for level in 0..levels {
            let name = format!("down_blocks.{level}");
            self.add_blocks(&mut layout, &name, level, &self.down_widths(level));
            if level + 1 < levels {
                self.add_resampler(&mut layout, &join(&name, "downsampler"), "op.conv", self.channels[level]);
            }
        }
        let last = self.channels[levels - 1];
        self.add_resnet(&mut layout, "middle_block.resnet_1", [last; 2]);
        add_attention(&mut layout, self, "middle_block.attention", last, self.head(levels - 1));
        self.add_resnet(&mut layout, "middle_block.resnet_2", [last; 2]);
        for level in (0..levels).rev() {
            let name = format!("up_blocks.{}", levels - 1 - level);
            self.add_blocks(&mut layout, &name, level, &self.up_widths(level));
            if level > 0 {
                let upsampler = join(&name, "upsampler");
                self.add_resampler(&mut layout, &upsampler, "postconv.conv", self.channels[level]);
            }
        }
        layout.add_norm("out.0", self.channels[0]);
        add_conv(&mut layout, "out.2.conv", [self.channels[0], self.out_channels], &self.kernel(), true);
        layout
    }

    fn add_blocks(&self, layout: &mut Layout, name: &str, level: usize, widths: &[Widths]) {
        for (k, &widths) in widths.iter().enumerate() {
            self.add_resnet(layout, &join(name, &format!("resnets.{k}")), widths);
            if self.attention_levels[level] {
                let name = join(name, &format!("attentions.{k}"));
                add_attention(layout, self, &name, self.channels[level], self.head(level));
            }
        }
    }

    fn add_resampler(&self, layout: &mut Layout, name: &str, conv: &str, channels: usize) {
        if self.resblock_updown {
            self.add_resnet(layout, name, [channels; 2]);
        } else {
            add_conv(layout, &join(name, conv), [channels; 2], &self.kernel(), false);
        }
    }

    fn add_resnet(&self, layout: &mut Layout, name: &str, [inputs, outputs]: Widths) {
        layout.add_norm(&join(name, "norm1"), inputs);
        add_conv(layout, &join(name, "conv1.conv"), [inputs, outputs], &self.kernel(), false);
        add_linear(layout, &join(name, "time_emb_proj"), self.time_width(), outputs, true);
        layout.add_norm(&join(name, "norm2"), outputs);
        add_conv(layout, &join(name, "conv2.conv"), [outputs; 2], &self.kernel(), true);
        if inputs != outputs {
            let point = vec![1; self.spatial_dims];
            add_conv(layout, &join(name, "skip_connection.conv"), [inputs, outputs], &point, false);
        }
    }
}

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
