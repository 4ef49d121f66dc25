//! Models made of checkpoints of other programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::prelude::*;
use unmelt_molecules::edm::{EdmImport, PropertyNorm};

use crate::errors::{OrRaise, bad_argument};

/// Makes a model of a checkpoint of EDM; see `unmelt.molecules.import_edm`.
#[pyfunction]
pub fn import_edm(
    py: Python,
    folder: PathBuf,
    output: PathBuf,
    norms: BTreeMap<String, (f64, f64)>,
) -> PyResult<()> {
    let norm = |(name, (mean, deviation)): (&String, &(f64, f64))| {
        PropertyNorm::new(name, *mean, *deviation).ok_or_else(|| {
            bad_argument(&format!("the norm of {name}"), "must be a finite mean and a deviation above 0")
        })
    };
    let norms = norms.iter().map(norm).collect::<PyResult<_>>()?;
    py.detach(|| EdmImport { folder, norms }.write(&output)).or_raise().map(drop)
}
