//! What is said of the files that molecules are read from.

use std::path::Path;

use unmelt_diffusion::files::plain;
use unmelt_molecules::format::Fault;

/// Faults that are printed; the rest is counted.
const SHOWN_FAULTS: usize = 5;

/// Says what was done to the molecules of a file.
pub fn report_notes(path: &Path, notes: &[String]) {
    for note in notes {
        eprintln!("warning: {}: {note}", plain(&path.to_string_lossy()));
    }
}

/// Says which records were skipped, and why.
pub fn report_faults(faults: &[Fault]) {
    for fault in faults.iter().take(SHOWN_FAULTS) {
        eprintln!("warning: {fault}");
    }
    if faults.len() > SHOWN_FAULTS {
        eprintln!("warning: {} records were skipped in all", faults.len());
    }
}
