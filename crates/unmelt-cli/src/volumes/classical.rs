//! `unmelt volumes enhance --classical`: pictures and series, without a model.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use unmelt_diffusion::job::Event;
use unmelt_imaging::enhance::{EnhanceRequest, Task, VolumeRequest, enhance_series_classically};
use unmelt_imaging::rician::Estimate;
use unmelt_imaging_io::Derivation;

use super::args::{Enhance, TaskName};
use super::enhance::{about_files, check_options, claim, mask_path, task};
use super::files;
use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::EvaluationBar;

/// Enhances every channel of every frame.
pub fn run(args: &Enhance) -> Outcome {
    check_options(args, false)?;
    let _claims = claim(args)?;
    let mut scan = files::read_series(&args.input)?;
    if args.strip {
        scan.strip();
    }
    scan.check_output(&args.output)?;
    let task = match args.task {
        TaskName::Kspace => {
            return Err(Failure::usage("k-space is reconstructed by a model; leave --classical away"));
        }
        TaskName::Inpaint => Task::Inpaint { missing: mask(args, &scan.series.lattice().grid)? },
        _ => task(args, &scan.series.volume(0, 0))?,
    };
    let begin = Instant::now();
    let bar = EvaluationBar::new();
    let listener = |event: &Event| bar.hear(event);
    let job = interrupt::job().heard_by(&listener);
    let enhanced = enhance_series_classically(&scan.series, &task, &job).map_err(about_files(args))?;
    bar.finish();
    // Results that are there are written to their end.
    interrupt::listen();
    let request = EnhanceRequest::classical(scan.series.values(), &task);
    let derivation = Derivation::classical(task.name(), VolumeRequest::Enhance(request));
    for warning in scan.with(enhanced.series).write(&args.output, &derivation)? {
        eprintln!("warning: {warning}");
    }
    say_noise(&enhanced.noise);
    let seconds = begin.elapsed().as_secs_f64();
    println!("Wrote {} in {seconds:.1} s.", args.output.display());
    let noise: Vec<_> =
        enhanced.noise.iter().map(|n| json!({ "sigma": n.sigma, "is_rician": n.rician })).collect();
    Ok(json!({ "output": args.output, "noise": noise, "model": null, "seconds": seconds }))
}

fn mask(args: &Enhance, grid: &unmelt_imaging::Grid) -> Result<Vec<bool>, Failure> {
    let path: &Path = mask_path(args)?;
    let missing = files::read_mask_on_grid((grid, &args.input.input), path)?;
    if let Some(warning) = unmelt_imaging::mask::warning(&missing) {
        eprintln!("warning: the mask {} {warning}", path.display());
    }
    Ok(missing)
}

/// The noise of all parts, or the range of it.
fn say_noise(noise: &[Estimate]) {
    let sigmas = || noise.iter().map(|n| n.sigma);
    let (low, high) = (sigmas().fold(f64::INFINITY, f64::min), sigmas().fold(0.0, f64::max));
    let kind = match (noise.iter().all(|n| n.rician), noise.iter().any(|n| n.rician)) {
        (true, _) => "Rician",
        (false, true) => "Gaussian or Rician",
        (false, false) => "Gaussian",
    };
    match noise {
        [] => {}
        [one] => println!("Noise: {kind}, standard deviation {:.4} in the scan's units.", one.sigma),
        many => println!(
            "Noise of {} frames and channels: {kind}, standard deviation {low:.4} to {high:.4} in the scan's units.",
            many.len()
        ),
    }
}
