//! `unmelt volumes synthesize`.

use serde_json::json;
use unmelt_diffusion::files::distinct;
use unmelt_imaging::synthesize::{LabelMap, synthesize};
use unmelt_imaging_io::{Derivation, nifti_files};

use super::args::Synthesize;
use super::files;
use crate::Outcome;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// Writes scans one after another; what is done is whole, whenever the work ends.
pub fn run(args: &Synthesize) -> Outcome {
    let paths = nifti_files(&args.labels)?;
    let name = |sample: u64| args.output.join(format!("scan_{sample:06}.nii.gz"));
    let end = args.first.checked_add(args.count).filter(|_| args.count > 0);
    let end = end.ok_or_else(|| {
        Failure::usage("--count must be at least 1, and --first and --count together stay below 2^64")
    })?;
    let numbers = args.first..end;
    // Names are looked at before the work begins; a scan that somebody else writes meanwhile is not replaced either.
    distinct(&[&args.labels], &[&args.output])?;
    if let Some(path) = numbers.clone().map(name).find(|p| !args.writing.overwrite && p.exists()) {
        return Err(unmelt_diffusion::Error::Exists { path }.into());
    }
    std::fs::create_dir_all(&args.output)
        .map_err(|e| Failure::usage(format!("could not create {}: {e}", args.output.display())))?;
    interrupt::listen();
    let mut bar = Bar::new(args.count, "scans");
    let mut done = 0;
    for sample in numbers {
        if interrupt::requested() {
            break;
        }
        let labels = files::read_only(&paths[sample as usize % paths.len()])?;
        let scan = labels.with(synthesize(&LabelMap::of(&labels.volume), args.seed, sample));
        let path = name(sample);
        let _claim = args.writing.claim(&[&paths[sample as usize % paths.len()]], &[&path])?;
        scan.write(&path, &Derivation::new("synthesize", ""))?;
        done += 1;
        interrupt::last_words(format!(
            "Wrote {done} scans to {}. The rest: --first {} --count {}",
            args.output.display(),
            sample + 1,
            args.count - done
        ));
        bar.set(done);
    }
    bar.finish();
    println!("Wrote {done} scans to {}.", args.output.display());
    Ok(json!({ "output": args.output, "scans": done }))
}
