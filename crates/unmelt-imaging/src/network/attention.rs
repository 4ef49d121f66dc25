//! Attention between the voxels of a level, and of voxels to a context.

use burn::tensor::{Tensor, activation};
use unmelt_kernels::ConvStep;

use super::config::UNetConfig;
use super::part::Part;
use crate::Result;

/// The attention block `part` on x `[N, D, H, W, C]`, `head` channels per head.
pub(super) fn attention(
    part: &Part,
    config: &UNetConfig,
    x: Tensor<5>,
    context: Option<&Tensor<3>>,
    head: usize,
) -> Result<Tensor<5>> {
    let dims = x.dims();
    let [n, d, h, w, c] = dims;
    let norm = part.at("norm").norm(config.norm_num_groups, config.norm_eps, false)?;
    if config.cross_attention_dim.is_some() {
        return transformer(part, config, x, context, head);
    }
    let normed = unmelt_kernels::group_norm(x.clone(), &norm).reshape([n, d * h * w, c]);
    let attended = attend(&part.at("attn"), normed.clone(), normed, c / head)?;
    Ok(x + attended.reshape(dims))
}

/// Self-attention, attention to the context and a gated feed-forward, `transformer_num_layers` times.
fn transformer(
    part: &Part,
    config: &UNetConfig,
    x: Tensor<5>,
    context: Option<&Tensor<3>>,
    head: usize,
) -> Result<Tensor<5>> {
    let [n, d, h, w, c] = x.dims();
    let norm = part.at("norm").norm(config.norm_num_groups, config.norm_eps, false)?;
    let inner = part.at("proj_in.conv").conv(x.clone(), Some(&norm), None, ConvStep::PLAIN)?;
    let width = inner.dims()[4];
    let mut tokens = inner.reshape([n, d * h * w, width]);
    for k in 0..config.transformer_num_layers {
        let block = part.at(&format!("transformer_blocks.{k}"));
        let normed = layer_norm(&block.at("norm1"), tokens.clone())?;
        tokens = tokens + attend(&block.at("attn1"), normed.clone(), normed, width / head)?;
        let normed = layer_norm(&block.at("norm2"), tokens.clone())?;
        let keys = context.cloned().unwrap_or_else(|| normed.clone());
        tokens = tokens + attend(&block.at("attn2"), normed, keys, width / head)?;
        let wide = block.at("ff.linear1").linear(layer_norm(&block.at("norm3"), tokens.clone())?)?;
        let half = wide.dims()[2] / 2;
        let (value, gate) = (wide.clone().narrow(2, 0, half), wide.narrow(2, half, half));
        tokens = tokens + block.at("ff.linear2").linear(value * activation::gelu(gate))?;
    }
    let tokens = tokens.reshape([n, d, h, w, width]);
    let out = part.at("proj_out.conv").conv(tokens, None, None, ConvStep::PLAIN)?;
    debug_assert_eq!(out.dims()[4], c);
    Ok(x + out)
}

/// softmax(q·kᵀ/√d)·v per head, q from `x` `[N, T, C]`, k and v from `context` `[N, S, C']`.
fn attend(part: &Part, x: Tensor<3>, context: Tensor<3>, heads: usize) -> Result<Tensor<3>> {
    let split = |x: Tensor<3>| {
        let [n, t, c] = x.dims();
        x.reshape([n, t, heads, c / heads]).swap_dims(1, 2)
    };
    let q = split(part.at("to_q").linear(x)?);
    let k = split(part.at("to_k").linear(context.clone())?);
    let v = split(part.at("to_v").linear(context)?);
    let [n, _, t, width] = q.dims();
    let logits = (q * (width as f64).powf(-0.5)).matmul(k.transpose());
    let attended = unmelt_kernels::softmax_rows(logits).matmul(v);
    part.at("out_proj").linear(attended.swap_dims(1, 2).reshape([n, t, heads * width]))
}

fn layer_norm(part: &Part, x: Tensor<3>) -> Result<Tensor<3>> {
    let mean = x.clone().mean_dim(2);
    let centred = x - mean;
    let variance = centred.clone().powi_scalar(2).mean_dim(2);
    let normed = centred / (variance + 1e-5).sqrt();
    Ok(normed * part.tensor::<1>("weight")?.unsqueeze() + part.tensor::<1>("bias")?.unsqueeze())
}
