//! Cost against size, against threads, and of a whole command.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use unmelt_diffusion::job::Job;
use unmelt_diffusion::{Noise, Parameters, Stream};
use unmelt_imaging::enhance::{EnhanceSettings, Enhancer, Task};
use unmelt_imaging::{Grid, Volume, models};
use unmelt_molecules::network::{Egnn, EgnnConfig, EgnnInput};

use crate::report::{Curve, Parts, Report};
use crate::{Args, Failure, contest};

/// All curves.
pub fn all(args: &Args, report: &mut Report) -> Result<(), Failure> {
    report.curve(molecules()?);
    report.curve(volumes()?);
    for work in ["egnn", "unet"] {
        report.curve(threads(work, args)?);
    }
    Ok(())
}

/// Atoms of the molecules that are timed.
const SIZES: [usize; 6] = [5, 10, 20, 50, 100, 200];

/// One evaluation of EDM's network; the shipped model was not trained for the large ones and fails on them.
fn molecules() -> Result<Curve, Failure> {
    let (config, device) = (EgnnConfig::default(), Device::flex());
    let layout = Arc::new(config.layout());
    let weights = Parameters::new(layout.clone(), layout.initial_values(3), &device).weights();
    let network = Egnn::bind(&config, &weights)?;
    let mut points = Vec::new();
    for atoms in SIZES {
        // About as many pairs of atoms in all.
        let count = (64 * 20 * 20 / (atoms * atoms)).clamp(1, 1000);
        let rows = count * atoms;
        let mut values = vec![0.0f32; rows * 10];
        Noise::new(2).normal(Stream::new(0, 0, 0), &mut values);
        let features = values.split_off(rows * 3);
        let input = EgnnInput {
            sizes: vec![atoms; count],
            positions: Tensor::from_data(TensorData::new(values, [rows, 3]), &device),
            features: Tensor::from_data(TensorData::new(features, [rows, 7]), &device),
        };
        network.forward(&input);
        let begin = Instant::now();
        network.forward(&input);
        points.push([atoms as f64, begin.elapsed().as_secs_f64() * 1e3 / count as f64]);
    }
    let title = "EGNN of EDM, 9 layers × 256, one evaluation of a molecule".into();
    Ok(Curve { title, units: ["atoms", "ms per molecule"], points })
}

/// Edges of the volumes that are timed.
const EDGES: [usize; 4] = [32, 64, 128, 256];

fn volumes() -> Result<Curve, Failure> {
    let enhancer = Enhancer::load(&models::find("brain-mri")?, &Device::flex())?;
    let task = Task::Denoise { sigma: Some(0.1), rician: Some(false) };
    // One step of a walk is one evaluation of every voxel.
    let settings = EnhanceSettings { solver: Some("hqs".into()), steps: 1, ..EnhanceSettings::default() };
    let mut points = Vec::new();
    for n in EDGES {
        let mut voxels = vec![0.0f32; n * n * n];
        Noise::new(1).normal(Stream::new(0, 0, 0), &mut voxels);
        voxels.iter_mut().for_each(|v| *v = 1.0 + 0.1 * *v);
        let volume = Volume::new(voxels, Grid::centred([n; 3], [1.0; 3]));
        let begin = Instant::now();
        enhancer.enhance(&volume, &task, &settings, &Job::new())?;
        points.push([(n * n * n) as f64, begin.elapsed().as_secs_f64() * 1e6 / (n * n * n) as f64]);
    }
    let title = "Model brain-mri, one evaluation: cubes of 32, 64, 128 and 256 voxels".into();
    Ok(Curve { title, units: ["voxels", "µs per voxel"], points })
}

fn threads(work: &str, args: &Args) -> Result<Curve, Failure> {
    let mut points = Vec::new();
    for threads in [1, 2] {
        let alone = Args { peer: None, threads, ..args.clone() };
        let contest = contest::hold(work, &alone)?;
        points.push([threads as f64, contest.sides[0].median_ms]);
    }
    Ok(Curve { title: crate::work::title(work).into(), units: ["threads", "ms"], points })
}

/// Where the time of `molecules generate --count 100` goes, in medians.
pub fn end_to_end(rounds: usize) -> Result<Parts, Failure> {
    let median = |f: &dyn Fn() -> Result<f64, Failure>| {
        let times = (0..rounds.clamp(1, 3)).map(|_| f()).collect::<Result<Vec<_>, _>>()?;
        Ok::<f64, Failure>(contest::in_order(times)[1])
    };
    let start = median(&|| run(&["models"]))?;
    let whole = median(&|| generate(100, 100))?;
    let once = median(&|| generate(100, 1))?;
    let evaluations = (whole - once) / 99.0 * 100.0;
    Ok(vec![
        ("in all, 100 evaluations each".into(), whole),
        ("the program's start".into(), start),
        ("evaluations and steps of the sampler".into(), evaluations),
        ("loading, sizes, assessment, files".into(), (whole - start - evaluations).max(0.0)),
    ])
}

fn generate(count: usize, steps: usize) -> Result<f64, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::system("a temporary folder"))?;
    let output = folder.path().join("out.sdf").to_string_lossy().into_owned();
    let (count, steps) = (count.to_string(), steps.to_string());
    run(&["molecules", "generate", "--count", &count, "--steps", &steps, "--output", &output])
}

/// Seconds of a whole command of the program beside this one.
fn run(arguments: &[&str]) -> Result<f64, Failure> {
    let here = std::env::current_exe().map_err(Failure::system("this program"))?;
    let program: PathBuf = here.with_file_name("unmelt");
    let begin = Instant::now();
    let output = Command::new(&program)
        .args(arguments)
        .output()
        .map_err(Failure::system(program.display().to_string()))?;
    if !output.status.success() {
        return Err(Failure::Said(format!("unmelt: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    Ok(begin.elapsed().as_secs_f64())
}
