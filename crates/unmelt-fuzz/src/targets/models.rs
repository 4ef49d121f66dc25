//! Cards and weights of models, and checkpoints of EDM.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use unmelt_diffusion::checkpoint::{
    CARD_FORMAT, Card, ModelFiles, Precision, Provenance, WeightsRecord, read_arrays, sha256, weights_bytes,
};
use unmelt_diffusion::job::Job;
use unmelt_diffusion::{Layout, Noise, Stream};
use unmelt_imaging::enhance::{EnhanceSettings, Enhancer, Task};
use unmelt_imaging::{Grid, Volume, VolumeModel};
use unmelt_molecules::edm::EdmImport;
use unmelt_molecules::format::read_xyz;
use unmelt_molecules::{
    FeatureSchedules, GenerateRequest, Generator, GraphLoss, GraphModel, MoleculeModel, NetworkSize,
    POSITION_SCALE, Vocabulary,
};

use super::{BINARY, Read, TEXT, Target, seed};

/// Words of JSON and of the cards' schedules.
const CARD: [&str; 26] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "false",
    "1e18",
    "-1",
    "1e400",
    "0",
    "[]",
    "{}",
    "\"\"",
    "\"kind\":\"linear\"",
    "\"kind\":\"cosine\"",
    "\"kind\":\"tabulated\"",
    "\"alphas_cumprod\":[0.9]",
    "\"steps\":",
    "\"sizes\":{}",
    "\"elements\":[]",
    "\"format\":2",
    "\\u0000",
];

/// Operations of pickles.
const PICKLE: [&str; 22] = [
    "\u{1}",
    "(",
    ".",
    "0",
    "1",
    "2",
    "}",
    "]",
    ")",
    "t",
    "d",
    "l",
    "u",
    "s",
    "a",
    "e",
    "q\u{1}",
    "h\u{1}",
    "cos\nsystem\n",
    "X\u{4}\0\0\0",
    "J",
    "R",
];

pub fn targets() -> Vec<Target> {
    vec![
        Target {
            name: "molecule-card",
            number: 40,
            tokens: &CARD,
            open: |_| graph_model().map(|m| m.reader(generate)),
            ..TEXT
        },
        Target {
            name: "edm-card",
            number: 41,
            tokens: &CARD,
            open: |folder| edm_model(folder).map(|m| m.reader(generate)),
            ..TEXT
        },
        Target {
            name: "volume-card",
            number: 42,
            tokens: &CARD,
            open: |_| volume_model().map(|m| m.reader(enhance)),
            ..TEXT
        },
        Target {
            name: "weights",
            number: 43,
            tokens: &[
                "{\"",
                "\":{\"dtype\":\"F32\",\"shape\":[",
                "\"data_offsets\":[",
                "]},",
                "I8",
                "F16",
                ".scale",
                "__metadata__",
            ],
            open: |_| Ok(Box::new(Arrays)),
            ..BINARY
        },
        Target {
            name: "edm-args",
            number: 44,
            tokens: &PICKLE,
            open: |folder| Import::open(folder, "args.pickle"),
            ..BINARY
        },
        Target {
            name: "edm-weights",
            number: 45,
            tokens: &[
                "PK\u{3}\u{4}",
                "PK\u{1}\u{2}",
                "PK\u{5}\u{6}",
                "archive/data.pkl",
                "FloatStorage",
                "ctorch\n",
                "storage",
            ],
            open: |folder| Import::open(folder, "generative_model_ema.npy"),
            ..BINARY
        },
    ]
}

/// A small model: what a card is made of, and weights that fit it.
struct Model {
    card: Vec<u8>,
    weights: Vec<u8>,
}

impl Model {
    fn new<M: serde::Serialize>(name: &str, model: M, layout: &Layout) -> Result<Self, String> {
        let mut values = vec![0.0f32; layout.len()];
        Noise::new(1).uniform(Stream::new(0, 0, 0), &mut values);
        values.iter_mut().for_each(|x| *x = (*x - 0.5) * 0.2);
        let weights = weights_bytes(layout, &values, Precision::Single, None).map_err(|e| e.to_string())?;
        let record = WeightsRecord { sha256: sha256(&weights), parameters: layout.len() as u64 };
        let card = Card {
            format: CARD_FORMAT,
            conditions: Vec::new(),
            name: name.into(),
            description: "A small model.".into(),
            model,
            provenance: Provenance::default(),
            weights: record,
        };
        let card = serde_json::to_vec_pretty(&card).map_err(|e| e.to_string())?;
        Ok(Self { card, weights })
    }

    fn reader(self, using: fn(&ModelFiles) -> Result<String, String>) -> Box<dyn Read> {
        Box::new(Cards { sha256: sha256(&self.weights), weights: self.weights, using })
    }
}

/// Reads cards of a model, and uses it.
struct Cards {
    weights: Vec<u8>,
    sha256: String,
    using: fn(&ModelFiles) -> Result<String, String>,
}

impl Read for Cards {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        let card = with_digest(bytes, &self.sha256);
        let files = ModelFiles { card, weights: self.weights.clone(), origin: PathBuf::from("the model") };
        (self.using)(&files)
    }
}

/// The card with the digest of these weights in the place of its own: otherwise every other fault would hide behind that.
fn with_digest(card: &[u8], digest: &str) -> Vec<u8> {
    let mut card = card.to_vec();
    let key = b"\"sha256\"";
    if let Some(at) = card.windows(key.len()).position(|w| w == key) {
        let rest = &card[at + key.len()..];
        let start = rest.iter().position(u8::is_ascii_hexdigit).unwrap_or(rest.len());
        let length = rest[start..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if length == digest.len() {
            let start = at + key.len() + start;
            card[start..start + length].copy_from_slice(digest.as_bytes());
        }
    }
    card
}

fn generate(files: &ModelFiles) -> Result<String, String> {
    let generator = Generator::load(files, &Device::flex()).map_err(|e| e.to_string())?;
    let request = GenerateRequest { steps: 2, atoms: Some(3), ..GenerateRequest::default() };
    generator.warnings(&request);
    let molecules =
        generator.generate(&request, 0..1, &Job::new(), &mut |_| ()).map_err(|e| e.to_string())?;
    assert_eq!(molecules.len(), 1, "as many molecules as were asked for");
    Ok(format!("a model of {} properties", generator.card().model.properties().len().min(3)))
}

fn enhance(files: &ModelFiles) -> Result<String, String> {
    let enhancer = Enhancer::load(files, &Device::flex()).map_err(|e| e.to_string())?;
    let voxels: Vec<f32> = (0..512).map(|k| ((k * k) % 97) as f32).collect();
    let volume = Volume::new(voxels, Grid::centred([8; 3], [1.0; 3]));
    let task = Task::Denoise { sigma: Some(5.0), rician: Some(false) };
    let settings = EnhanceSettings { steps: 1, ..EnhanceSettings::default() };
    let out = enhancer.enhance(&volume, &task, &settings, &Job::new()).map_err(|e| e.to_string())?;
    assert_eq!(out.volume.voxels.len(), 512, "as many voxels as went in");
    Ok("a model that enhances".into())
}

/// Water and methanol, as vocabulary of a small model.
const MOLECULES: &str = "3\n\nO 0 0 0.117\nH 0 0.757 -0.471\nH 0 -0.757 -0.471\n6\n\nC -0.046 0.664 0\nO -0.046 -0.755 0\nH -1.087 0.976 0\nH 0.437 1.071 0.891\nH 0.437 1.071 -0.891\nH 0.861 -1.057 0\n";

fn graph_model() -> Result<Model, String> {
    let molecules = read_xyz(MOLECULES).molecules;
    let vocabulary = Vocabulary::of(&molecules, POSITION_SCALE).map_err(|e| e.to_string())?;
    let size = NetworkSize { node_width: 8, pair_width: 4, heads: 2, vectors: 2, layers: 1 };
    let (schedules, loss) = (FeatureSchedules::default(), GraphLoss::default());
    let model = GraphModel::new(vocabulary, size, schedules, loss, Vec::new()).map_err(|e| e.to_string())?;
    let layout = model.network.layout();
    Model::new("graph", MoleculeModel::Graph(Box::new(model)), &layout)
}

/// A checkpoint of EDM that the tests of the import have.
fn edm_checkpoint() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../unmelt-molecules/tests/data/edm/plain")
}

fn edm_model(folder: &Path) -> Result<Model, String> {
    let output = folder.join("edm");
    let import = EdmImport { folder: edm_checkpoint(), norms: Vec::new() };
    import.write(&output).map_err(|e| e.to_string())?;
    let files = ModelFiles::read(&output).map_err(|e| e.to_string())?;
    Ok(Model { card: files.card, weights: files.weights })
}

fn volume_model() -> Result<Model, String> {
    let mut model = VolumeModel::new(vec![16, 16], vec![1, 1]).map_err(|e| e.to_string())?;
    model.patch = 16;
    let layout = model.layout();
    Model::new("volume", model, &layout)
}

/// Weights alone.
struct Arrays;

impl Read for Arrays {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        let arrays = read_arrays(bytes, Path::new("model.safetensors")).map_err(|e| e.to_string())?;
        for (name, (shape, values)) in &arrays {
            assert_eq!(shape.iter().product::<usize>(), values.len(), "the shape of {name}");
            assert!(values.iter().all(|v| v.is_finite()), "{name} holds what is no number");
        }
        Ok(format!("{} tensors", arrays.len().min(3)))
    }
}

/// A checkpoint of EDM with one of its files broken.
struct Import {
    folder: PathBuf,
    output: PathBuf,
    file: &'static str,
}

impl Import {
    fn open(folder: &Path, file: &'static str) -> Result<Box<dyn Read>, String> {
        let own = folder.join("checkpoint");
        std::fs::create_dir_all(&own).map_err(|e| e.to_string())?;
        for name in ["args.pickle", "generative_model_ema.npy"] {
            std::fs::copy(edm_checkpoint().join(name), own.join(name)).map_err(|e| e.to_string())?;
        }
        Ok(Box::new(Self { folder: own, output: folder.join("model"), file }))
    }
}

impl Read for Import {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        std::fs::write(self.folder.join(self.file), bytes).map_err(|e| e.to_string())?;
        if self.output.exists() {
            std::fs::remove_dir_all(&self.output).map_err(|e| e.to_string())?;
        }
        let import = EdmImport { folder: self.folder.clone(), norms: Vec::new() };
        let card = import.write(&self.output).map_err(|e| e.to_string())?;
        // What was imported must be fit for use.
        let files = ModelFiles::read(&self.output).map_err(|e| e.to_string())?;
        if let Err(fault) = generate(&files) {
            panic!("a model was imported that is of no use: {fault}");
        }
        Ok(format!("a model, {}", card.model.properties().len().min(3)))
    }
}

pub fn write_corpus() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let graph = graph_model()?;
    seed("molecule-card", "own.json", &graph.card)?;
    seed("edm-card", "own.json", &edm_model(folder.path())?.card)?;
    seed("volume-card", "own.json", &volume_model()?.card)?;
    let mut layout = Layout::default();
    layout.add_linear("first", 3, 2);
    layout.add_norm("second", 4);
    let values: Vec<f32> = (0..layout.len()).map(|k| k as f32 * 0.1 - 0.4).collect();
    for (name, precision) in
        [("byte", Precision::Byte), ("half", Precision::Half), ("single", Precision::Single)]
    {
        let bytes = weights_bytes(&layout, &values, precision, None).map_err(|e| e.to_string())?;
        seed("weights", &format!("{name}.safetensors"), &bytes)?;
    }
    for (target, file) in [("edm-args", "args.pickle"), ("edm-weights", "generative_model_ema.npy")] {
        let bytes = std::fs::read(edm_checkpoint().join(file)).map_err(|e| e.to_string())?;
        seed(target, file, &bytes)?;
    }
    Ok(())
}
