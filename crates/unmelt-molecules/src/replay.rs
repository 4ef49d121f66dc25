//! Making molecules of a file again from what the file says of how they were made.

use std::path::Path;

use unmelt_diffusion::job::Job;
use unmelt_diffusion::run_record::RunRecord;

use crate::format::write_sdf;
use crate::{Error, GenerateRequest, Generator, Molecule, Result};

/// The data field of a molecule that holds the record of the run that made it.
pub const RECORD_FIELD: &str = "unmelt_run";

/// The data field of a molecule that holds its number within the seed.
const NUMBER_FIELD: &str = "sample";

/// A molecule of a file, and how it was made.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// How.
    pub record: RunRecord<GenerateRequest>,
    /// Its number within the seed.
    pub number: u64,
    /// The molecule as the file has it.
    pub molecule: Molecule,
}

impl Recorded {
    /// The record of a molecule that was read from `path`.
    ///
    /// # Errors
    /// The molecule has no record, or one that cannot be read.
    pub fn of(molecule: Molecule, path: &Path) -> Result<Self> {
        let field =
            |name: &str| molecule.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let subject = format!("\"{}\" in {}", molecule.name, path.display());
        let missing = |name: &str| {
            Error::Request(format!(
                "{subject} has no field {name}, so nothing says how it was made; SDF files of unmelt molecules generate have it"
            ))
        };
        let text = field(RECORD_FIELD).ok_or_else(|| missing(RECORD_FIELD))?;
        let record = RunRecord::from_json(text, &subject)?;
        let number =
            field(NUMBER_FIELD).and_then(|n| n.trim().parse().ok()).ok_or_else(|| missing(NUMBER_FIELD))?;
        Ok(Self { record, number, molecule })
    }

    /// Whether another molecule is the next one of the same run.
    fn is_followed_by(&self, other: &Self) -> bool {
        self.number.checked_add(1) == Some(other.number) && self.record.to_json() == other.record.to_json()
    }
}

/// Molecules that are made together at most.
const AT_A_TIME: usize = 64;

/// The molecules in parts that can be made together: numbers of one run in a row.
pub fn parts(molecules: &[Recorded]) -> impl Iterator<Item = &[Recorded]> {
    molecules.chunk_by(Recorded::is_followed_by).flat_map(|run| run.chunks(AT_A_TIME))
}

/// Makes the molecules of a part of [`parts`] again, and says of each whether it is what the file has, to the last digit that an
/// SDF file holds.
///
/// # Errors
/// A model with other weights, a request that the model cannot meet, a request to stop.
pub fn replay(part: &[Recorded], generator: &Generator, job: &Job) -> Result<Vec<bool>> {
    let Some(first) = part.first() else { return Ok(Vec::new()) };
    first.record.check_weights(generator.card())?;
    generator.check(&first.record.request)?;
    let numbers = first.number..first.number.saturating_add(part.len() as u64);
    let made = generator.generate(&first.record.request, numbers, job, &mut |_| ())?;
    Ok(made.iter().zip(part).map(|(made, one)| bare(made) == bare(&one.molecule)).collect())
}

/// Atoms and bonds as an SDF file has them.
fn bare(molecule: &Molecule) -> Vec<u8> {
    let mut plain = molecule.clone();
    plain.name.clear();
    plain.fields.clear();
    let mut text = Vec::new();
    write_sdf(&mut text, &plain).expect("memory does not run out");
    text
}
