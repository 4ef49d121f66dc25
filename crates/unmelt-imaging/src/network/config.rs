//! The architecture of the U-Net, and the names and shapes of its tensors.

use serde::{Deserialize, Serialize};
use unmelt_diffusion::Layout;

use super::part::{add_centred_conv, add_conv, add_linear, join};
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
pub(super) type Widths = [usize; 2];

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

    pub(super) fn head(&self, level: usize) -> usize {
        match self.num_head_channels[level] {
            0 => self.channels[level],
            head => head,
        }
    }

    pub(super) fn time_width(&self) -> usize {
        4 * self.channels[0]
    }

    /// Widths of the residual blocks of a level on the way down.
    pub(super) fn down_widths(&self, level: usize) -> Vec<Widths> {
        let before = self.channels[level.saturating_sub(1)];
        let c = self.channels[level];
        (0..self.num_res_blocks[level]).map(|k| [if k == 0 { before } else { c }, c]).collect()
    }

    /// Widths of the residual blocks of a level on the way up, skipped channels included.
    pub(super) fn up_widths(&self, level: usize) -> Vec<Widths> {
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

    pub(super) fn kernel(&self) -> Vec<usize> {
        vec![3; self.spatial_dims]
    }

    /// `value` along the dimensions that there are.
    pub(super) fn along(&self, value: usize) -> [usize; 3] {
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

/// Adds the tensors of an attention block at a level of `channels`, `head` of them per head.
fn add_attention(layout: &mut Layout, config: &UNetConfig, name: &str, channels: usize, head: usize) {
    layout.add_norm(&join(name, "norm"), channels);
    let Some(context) = config.cross_attention_dim else {
        add_projections(layout, &join(name, "attn"), [channels; 3], true);
        return;
    };
    let inner = channels / head * head;
    let point = vec![1; config.spatial_dims];
    add_conv(layout, &join(name, "proj_in.conv"), [channels, inner], &point, false);
    for k in 0..config.transformer_num_layers {
        let block = join(name, &format!("transformer_blocks.{k}"));
        add_projections(layout, &join(&block, "attn1"), [inner; 3], false);
        add_linear(layout, &join(&block, "ff.linear1"), inner, 8 * inner, true);
        add_linear(layout, &join(&block, "ff.linear2"), 4 * inner, inner, true);
        add_projections(layout, &join(&block, "attn2"), [inner, inner, context], false);
        for norm in ["norm1", "norm2", "norm3"] {
            layout.add_norm(&join(&block, norm), inner);
        }
    }
    add_conv(layout, &join(name, "proj_out.conv"), [inner, channels], &point, true);
}

/// Queries from x, keys and values from the context: widths of heads, of x and of the context.
fn add_projections(layout: &mut Layout, name: &str, [inner, of_x, of_context]: [usize; 3], bias: bool) {
    add_linear(layout, &join(name, "out_proj"), inner, of_x, true);
    add_linear(layout, &join(name, "to_q"), of_x, inner, bias);
    add_linear(layout, &join(name, "to_k"), of_context, inner, bias);
    add_linear(layout, &join(name, "to_v"), of_context, inner, bias);
}
