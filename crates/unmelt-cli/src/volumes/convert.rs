//! `unmelt volumes convert`.

use serde_json::json;
use unmelt_volumes::Derivation;

use super::args::Convert;
use super::files;
use crate::Outcome;

/// Converts.
pub fn run(args: &Convert) -> Outcome {
    let _claims = args.writing.claim(&[&args.input.input], &[&args.output])?;
    let mut volume = files::read(&args.input)?;
    if args.strip {
        volume.strip();
    }
    volume.check_output(&args.output)?;
    volume.write(&args.output, &Derivation { task: "convert".into(), model: String::new() })?;
    println!("Wrote {}.", args.output.display());
    Ok(json!({ "output": args.output }))
}
