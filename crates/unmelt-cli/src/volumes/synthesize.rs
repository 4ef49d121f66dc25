//! `unmelt volumes synthesize`.

use unmelt_volumes::synthesize::{LabelMap, synthesize};
use unmelt_volumes::{Derivation, nifti_files};

use super::args::Synthesize;
use super::files;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// Writes scans one after another; what is done is whole, whenever the work ends.
pub fn run(args: &Synthesize) -> Result<(), Failure> {
    let paths = nifti_files(&args.labels)?;
    std::fs::create_dir_all(&args.output)
        .map_err(|e| Failure::usage(format!("could not create {}: {e}", args.output.display())))?;
    interrupt::listen();
    let mut bar = Bar::new(args.count, "scans");
    let mut done = 0;
    for sample in args.first..args.first + args.count {
        if interrupt::requested() {
            break;
        }
        let labels = files::read_only(&paths[sample as usize % paths.len()])?;
        let mut scan = synthesize(&LabelMap::of(&labels), args.seed, sample);
        scan.source = labels.source;
        let path = args.output.join(format!("scan_{sample:06}.nii.gz"));
        scan.write(&path, &Derivation { task: "synthesize".into(), model: String::new() })?;
        done += 1;
        bar.set(done);
    }
    bar.finish();
    println!("Wrote {done} scans to {}.", args.output.display());
    Ok(())
}
