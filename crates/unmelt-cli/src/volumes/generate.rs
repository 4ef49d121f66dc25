//! `unmelt volumes generate`.

use std::time::Instant;

use serde_json::json;
use unmelt_diffusion::job::Event;
use unmelt_imaging::enhance::{EnhanceSettings, Enhancer, GenerateRequest, VolumeRequest};
use unmelt_imaging::{Grid, models};
use unmelt_imaging_io::{Derivation, Scan, output};

use super::args::Generate;
use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::EvaluationBar;

/// Draws a volume.
pub fn run(args: &Generate) -> Outcome {
    let three = |what: &str| {
        Failure::usage(format!(
            "--{what} needs three numbers separated by commas, along right, front and top"
        ))
    };
    let shape: [usize; 3] = args.shape.clone().try_into().map_err(|_| three("shape"))?;
    let spacing: [f64; 3] = args.spacing.clone().try_into().map_err(|_| three("spacing"))?;
    if shape.iter().any(|n| !(1..=1024).contains(n)) {
        return Err(Failure::usage("--shape must be between 1 and 1024 voxels along each axis"));
    }
    if spacing.iter().any(|s| !(1e-3..=1e3).contains(s)) {
        return Err(Failure::usage("--spacing must be from 0.001 to 1000 mm"));
    }
    output::check(&args.output, false)?;
    let _claims = args.writing.claim(&[], &[&args.output])?;
    let device = args.walk.device.open()?;
    let enhancer = Enhancer::load(&models::find(&args.walk.model)?, &device)?;
    let usual = EnhanceSettings::default();
    let steps = args.walk.steps.unwrap_or(usual.steps);
    let settings = EnhanceSettings { steps, seed: args.walk.seed, ..usual };
    let begin = Instant::now();
    let bar = EvaluationBar::new();
    let listener = |event: &Event| bar.hear(event);
    let job = interrupt::job().heard_by(&listener);
    let grid = Grid::centred(shape, spacing);
    let volume = enhancer.generate(grid, &settings, &job)?;
    bar.finish();
    let request = VolumeRequest::Generate(GenerateRequest { shape, spacing, settings: settings.clone() });
    let derivation = Derivation::by_model("generate", enhancer.card(), request);
    Scan::new(volume).write(&args.output, &derivation)?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("Wrote {} in {seconds:.1} s.", args.output.display());
    Ok(json!({ "output": args.output, "model": enhancer.name(), "seed": settings.seed, "seconds": seconds }))
}
