//! Third-party networks, reproduced from their own state dicts. `UNMELT_CONFORMANCE` names another folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use unmelt_diffusion::checkpoint::{Arrays, read_arrays, read_weights};
use unmelt_diffusion::to_vec;
use unmelt_molecules::network::{Egnn, EgnnConfig, EgnnInput};

/// Agreement wanted, relative to the largest output.
const TOLERANCE: f32 = 1e-4;

fn folder() -> PathBuf {
    let base = match std::env::var_os("UNMELT_CONFORMANCE") {
        Some(path) => PathBuf::from(path),
        None => concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/conformance").into(),
    };
    base.join("networks")
}

/// The hyper-parameters in a state dict's metadata; a value may be followed by a remark. One that is not used here could
/// change what the network computes, so it is an error.
fn config(bytes: &[u8]) -> EgnnConfig {
    let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes).expect("a safetensors file");
    let mut metadata: HashMap<String, String> = metadata.metadata().clone().expect("metadata");
    let mut text = |key: &str| metadata.remove(key).unwrap_or_else(|| panic!("{key} is missing"));
    assert_eq!(text("architecture"), "EGNN of EDM (e3_diffusion_for_molecules), egnn_dynamics mode");
    let mut word = |key: &str| text(key).split_whitespace().next().expect("a value").to_string();
    assert_eq!(word("aggregation"), "sum");
    let mut flag = |key: &str| match word(key).to_lowercase().as_str() {
        "true" => true,
        "false" => false,
        other => panic!("{key} is {other}"),
    };
    let (attention, tanh) = (flag("attention"), flag("tanh"));
    let mut number = |key: &str| word(key).parse::<f64>().expect("a number");
    let config = EgnnConfig {
        features: number("in_node_nf") as usize - 1,
        context: number("context_node_nf") as usize,
        hidden: number("hidden_nf") as usize,
        layers: number("n_layers") as usize,
        sublayers: number("inv_sublayers") as usize,
        attention,
        tanh,
        coords_range: number("coords_range"),
        norm_constant: number("norm_constant"),
        normalization_factor: number("normalization_factor"),
    };
    assert!(metadata.is_empty(), "no check uses {metadata:?}");
    config
}

/// Rows of real atoms of a padded array `[B, N, width]`.
fn packed(io: &Arrays, name: &str, mask: &[f32]) -> (Vec<f32>, usize) {
    let (shape, values) = &io[name];
    let width = shape[2];
    let rows = values.chunks_exact(width).zip(mask).filter(|(_, m)| **m > 0.5);
    (rows.flat_map(|(row, _)| row.to_vec()).collect(), width)
}

fn check(path: &Path) {
    let bytes = std::fs::read(path).expect("readable");
    let config = config(&bytes);
    let device = Device::flex();
    let weights = read_weights(&bytes, path, &device).expect("weights");
    let network = Egnn::bind(&config, &weights).expect("the network's tensors");
    for entry in config.layout().entries() {
        assert!(weights.names().any(|n| n == entry.name), "{} is not in the file", entry.name);
    }
    let layout = config.layout();
    for name in weights.names() {
        assert!(layout.entries().iter().any(|e| e.name == name), "nothing wants {name}");
    }
    let io_path = path.with_extension("io.safetensors");
    let io = read_arrays(&std::fs::read(&io_path).expect("readable"), &io_path).expect("arrays");
    let known = ["node_mask", "positions", "features", "context", "time"].map(|name| format!("input.{name}"));
    let other = io.keys().find(|name| !known.contains(name) && *name != "output");
    assert_eq!(other, None, "no check uses this array");
    let (shape, mask) = &io["input.node_mask"];
    let (batch, most) = (shape[0], shape[1]);
    let sizes: Vec<usize> = mask.chunks_exact(most).map(|m| m.iter().filter(|v| **v > 0.5).count()).collect();
    let (positions, _) = packed(&io, "input.positions", mask);
    let (features, width) = packed(&io, "input.features", mask);
    let context = io.contains_key("input.context").then(|| packed(&io, "input.context", mask).0);
    let times: Vec<f32> =
        (0..batch).flat_map(|b| std::iter::repeat_n(io["input.time"].1[b], sizes[b])).collect();
    let mut rows = Vec::new();
    for (k, row) in features.chunks_exact(width).enumerate() {
        rows.extend_from_slice(row);
        rows.push(times[k]);
        if let Some(context) = &context {
            rows.extend_from_slice(&context[k * config.context..(k + 1) * config.context]);
        }
    }
    let atoms: usize = sizes.iter().sum();
    let columns = rows.len() / atoms;
    let input = EgnnInput {
        sizes,
        positions: Tensor::from_data(TensorData::new(positions, [atoms, 3]), &device),
        features: Tensor::from_data(TensorData::new(rows, [atoms, columns]), &device),
    };
    let (velocity, out) = network.forward(&input);
    let got = to_vec(Tensor::cat(vec![velocity, out], 1));
    let (want, _) = packed(&io, "output", mask);
    let largest = want.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    for (g, w) in got.iter().zip(&want) {
        assert!((g - w).abs() <= TOLERANCE * largest, "{}: {g} and {w} of {largest}", path.display());
    }
    assert_eq!(got.len(), want.len());
}

#[test]
fn conformance_edm_egnn() {
    let files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of network vectors")
        .map(|e| e.expect("an entry").path())
        .filter(|p| {
            let name = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("edm_egnn") && name.ends_with(".safetensors") && !name.contains(".io.")
        })
        .collect();
    files.iter().for_each(|p| check(p));
    assert!(!files.is_empty() || std::env::var_os("UNMELT_CONFORMANCE").is_some());
}
