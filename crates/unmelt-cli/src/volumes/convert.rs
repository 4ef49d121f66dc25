//! `unmelt volumes convert`.

use serde_json::json;
use unmelt_imaging_io::Derivation;

use super::args::Convert;
use super::files;
use crate::Outcome;

/// Converts, all frames and channels.
pub fn run(args: &Convert) -> Outcome {
    let _claims = args.writing.claim(&[&args.input.input], &[&args.output])?;
    let mut scan = files::read_series(&args.input)?;
    if args.strip {
        scan.strip();
    }
    scan.check_output(&args.output)?;
    let derivation = Derivation::conversion();
    for warning in scan.write(&args.output, &derivation)? {
        eprintln!("warning: {warning}");
    }
    println!("Wrote {}.", args.output.display());
    Ok(json!({ "output": args.output }))
}
