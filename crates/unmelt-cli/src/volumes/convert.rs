//! `unmelt volumes convert`.

use serde_json::json;
use unmelt_imaging_io::Derivation;

use super::args::Convert;
use super::files;
use crate::Outcome;

/// Converts.
pub fn run(args: &Convert) -> Outcome {
    let _claims = args.writing.claim(&[&args.input.input], &[&args.output])?;
    let mut scan = files::read(&args.input)?;
    if args.strip {
        scan.strip();
    }
    scan.check_output(&args.output)?;
    scan.write(&args.output, &Derivation { task: "convert".into(), model: String::new() })?;
    println!("Wrote {}.", args.output.display());
    Ok(json!({ "output": args.output }))
}
