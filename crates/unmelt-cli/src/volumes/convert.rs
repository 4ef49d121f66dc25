//! `unmelt volumes convert`.

use unmelt_volumes::{Derivation, Source};

use super::args::Convert;
use super::files;
use crate::failure::Failure;

/// Converts.
pub fn run(args: &Convert) -> Result<(), Failure> {
    let volume = files::read(&args.input)?;
    files::check_output(&args.output, matches!(volume.source, Source::Dicom(_)))?;
    files::write(&volume, &args.output, &Derivation { task: "convert".into(), model: String::new() })?;
    println!("Wrote {}.", args.output.display());
    Ok(())
}
