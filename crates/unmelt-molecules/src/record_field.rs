//! The data fields of a molecule that say how it was made.

use crate::Molecule;

/// The data field of a molecule that holds the record of the run that made it.
pub const RECORD_FIELD: &str = "unmelt_run";

/// The data field of a molecule that holds its number within the seed.
pub(crate) const NUMBER_FIELD: &str = "sample";

/// A data field of a molecule.
pub(crate) fn field<'a>(molecule: &'a Molecule, name: &str) -> Option<&'a str> {
    molecule.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}
