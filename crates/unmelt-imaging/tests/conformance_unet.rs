//! MONAI's U-Nets, reproduced from their own state dicts. `UNMELT_CONFORMANCE` names another folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use unmelt_diffusion::checkpoint::{Arrays, read_arrays, read_weights};
use unmelt_diffusion::to_vec;
use unmelt_imaging::network::{UNet, UNetConfig};

/// Agreement wanted, relative to the largest output.
const TOLERANCE: f32 = 1e-4;

fn folder() -> PathBuf {
    let base = match std::env::var_os("UNMELT_CONFORMANCE") {
        Some(path) => PathBuf::from(path),
        None => concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance").into(),
    };
    base.join("networks")
}

/// The hyper-parameters in a state dict's metadata, written as Python or JSON values. One that is not used here could
/// change what the network computes, so it is an error.
fn config(bytes: &[u8]) -> UNetConfig {
    let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes).expect("a safetensors file");
    let mut metadata: HashMap<String, String> = metadata.metadata().clone().expect("metadata");
    let mut words = |key: &str| -> Vec<String> {
        let text = metadata.remove(key).unwrap_or_default();
        let text = text.trim_matches(|c| "[]() ".contains(c)).to_lowercase();
        text.split(',').map(|w| w.trim().to_string()).filter(|w| !w.is_empty() && w != "none").collect()
    };
    let flag_of = |key: &str, word: &str| match word {
        "true" => true,
        "false" => false,
        other => panic!("{key} is {other}"),
    };
    assert!(words("architecture").concat().starts_with("diffusionmodelunet of monai"), "another network");
    let flag = |words: Vec<String>, key: &str, default: bool| {
        words.first().map_or(default, |word| flag_of(key, word))
    };
    let resblock_updown = flag(words("resblock_updown"), "resblock_updown", false);
    let attention_levels = words("attention_levels").iter().map(|w| flag_of("attention_levels", w)).collect();
    let norm_eps = words("norm_eps").first().map_or(1e-6, |w| w.parse().expect("a number"));
    // What changes nothing of what a trained network answers, and what this network does not have.
    for key in ["upcast_attention", "use_flash_attention", "dropout_cattn", "dropout"] {
        words(key);
    }
    assert!(flag(words("include_fc"), "include_fc", true), "attention without its last layer");
    assert!(!flag(words("use_combined_linear"), "use_combined_linear", false), "one layer for three");
    assert!(words("num_class_embeds").is_empty(), "embedded classes");
    let conditioned = words("with_conditioning");
    let mut numbers =
        |key: &str| -> Vec<usize> { words(key).iter().map(|w| w.parse().expect("a number")).collect() };
    let cross_attention_dim = numbers("cross_attention_dim").first().copied();
    let says = flag(conditioned, "with_conditioning", cross_attention_dim.is_some());
    assert_eq!(says, cross_attention_dim.is_some(), "with_conditioning and cross_attention_dim");
    let channels = numbers("channels");
    let levels = channels.len();
    let mut each = |key: &str| {
        let list = numbers(key);
        if list.len() == 1 { vec![list[0]; levels] } else { list }
    };
    let (num_res_blocks, num_head_channels) = (each("num_res_blocks"), each("num_head_channels"));
    let mut number = |key: &str, default: usize| numbers(key).first().copied().unwrap_or(default);
    let config = UNetConfig {
        spatial_dims: number("spatial_dims", 3),
        in_channels: number("in_channels", 1),
        out_channels: number("out_channels", 1),
        num_res_blocks,
        attention_levels,
        num_head_channels,
        norm_num_groups: number("norm_num_groups", 32),
        norm_eps,
        resblock_updown,
        cross_attention_dim,
        transformer_num_layers: number("transformer_num_layers", 1),
        channels,
    };
    assert!(metadata.is_empty(), "no check uses {metadata:?}");
    config
}

/// An array `[B, C, …]` as a tensor `[B, D, H, W, C]`.
fn channels_last(io: &Arrays, name: &str, device: &Device) -> Tensor<5> {
    let (shape, values) = &io[name];
    let mut wide = vec![shape[0], shape[1]];
    wide.extend(std::iter::repeat_n(1, 5 - shape.len()));
    wide.extend(&shape[2..]);
    let wide: [usize; 5] = wide.try_into().expect("at most three spatial dimensions");
    Tensor::<5>::from_data(TensorData::new(values.clone(), wide), device).permute([0, 2, 3, 4, 1])
}

fn check(path: &Path) {
    let bytes = std::fs::read(path).expect("readable");
    let config = config(&bytes);
    let device = Device::flex();
    let weights = read_weights(&bytes, path, &device).expect("weights");
    let network = UNet::bind(&config, &weights, "").expect("the network's tensors");
    let layout = config.layout();
    for name in weights.names() {
        assert!(layout.entries().iter().any(|e| e.name == name), "nothing wants {name}");
    }
    let io_path = path.with_extension("io.safetensors");
    let io = read_arrays(&std::fs::read(&io_path).expect("readable"), &io_path).expect("arrays");
    let known = ["input.x", "input.timesteps", "input.context", "output"];
    let other = io.keys().find(|name| !known.contains(&name.as_str()));
    assert_eq!(other, None, "no check uses this array");
    let times: Vec<f64> = io["input.timesteps"].1.iter().map(|t| f64::from(*t)).collect();
    let context = io.get("input.context").map(|(shape, values)| {
        let shape: [usize; 3] = shape.clone().try_into().expect("three dimensions");
        Tensor::<3>::from_data(TensorData::new(values.clone(), shape), &device)
    });
    let x = channels_last(&io, "input.x", &device);
    let got = to_vec(network.forward(x, &times, context.as_ref()).expect("an output"));
    let want = to_vec(channels_last(&io, "output", &device));
    let largest = want.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(&want) {
        assert!((g - w).abs() <= TOLERANCE * largest, "{}: {g} and {w} of {largest}", path.display());
    }
}

#[test]
fn conformance_monai_unet() {
    let files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of network vectors")
        .map(|e| e.expect("an entry").path())
        .filter(|p| {
            let name = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("monai_unet") && name.ends_with(".safetensors") && !name.contains(".io.")
        })
        .collect();
    files.iter().for_each(|p| check(p));
    assert!(!files.is_empty() || std::env::var_os("UNMELT_CONFORMANCE").is_some());
}
