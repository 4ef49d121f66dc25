//! Making molecules of a file again from what the file says of how they were made.

use std::io::Write;
use std::path::Path;

use unmelt_diffusion::job::Job;
use unmelt_diffusion::run_record::RunRecord;

use crate::format::{write_sdf, write_xyz};
use crate::record_field::{NUMBER_FIELD, field};
use crate::{Atom, Error, GenerateRequest, Generator, Molecule, Result};

pub use crate::record_field::RECORD_FIELD;

/// A molecule of a file, and how it was made.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// How.
    pub record: RunRecord<GenerateRequest>,
    /// Its number within the seed.
    pub number: u64,
    /// What the file keeps of a molecule.
    form: Form,
    /// The molecule as the file has it.
    pub molecule: Molecule,
}

/// What a file keeps of a molecule's atoms and bonds.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// All, places to four digits.
    Sdf,
    /// All, places as numbers of 32 bits.
    Parquet,
    /// Elements, isotopes and places to eight digits.
    Xyz,
}

impl Form {
    /// That of a file by its ending.
    fn of(path: &Path) -> Self {
        let name = path.to_string_lossy().to_lowercase();
        match name.trim_end_matches(".gz").rsplit('.').next() {
            Some("parquet") => Self::Parquet,
            Some("xyz" | "extxyz") => Self::Xyz,
            _ => Self::Sdf,
        }
    }

    /// What the file would have of a molecule.
    fn kept(self, molecule: &Molecule) -> Vec<u8> {
        let mut plain = molecule.clone();
        plain.name.clear();
        plain.fields.clear();
        let mut text = Vec::new();
        let written = match self {
            Self::Sdf => write_sdf(&mut text, &plain),
            Self::Parquet => write_exactly(&mut text, &plain),
            Self::Xyz => {
                let uncharged = plain.atoms().map(|a| Atom { charge: 0, radicals: 0, ..*a });
                let atoms = Molecule::new(uncharged, []).expect("atoms alone are a molecule");
                write_xyz(&mut text, &atoms)
            }
        };
        written.expect("memory does not run out");
        text
    }
}

/// Every number of a molecule, places to 32 bits.
fn write_exactly(out: &mut Vec<u8>, molecule: &Molecule) -> std::io::Result<()> {
    for a in molecule.atoms() {
        let place = [a.position.x, a.position.y, a.position.z].map(|x| (x as f32).to_bits());
        writeln!(out, "{} {} {} {} {place:?}", a.element.number(), a.charge, a.isotope, a.radicals)?;
    }
    molecule.bonds().try_for_each(|b| writeln!(out, "{} {} {}", b.begin, b.end, b.order.code()))
}

impl Recorded {
    /// The record of a molecule that was read from `path`.
    ///
    /// # Errors
    /// The molecule has no record, or one that cannot be read.
    pub fn of(molecule: Molecule, path: &Path) -> Result<Self> {
        let subject = format!("\"{}\" in {}", molecule.name, path.display());
        let missing = |name: &str| {
            Error::Request(format!(
                "{subject} has no field {name}, so nothing says how it was made; files of generated molecules (SDF, Parquet, XYZ) have it"
            ))
        };
        let text = field(&molecule, RECORD_FIELD).ok_or_else(|| missing(RECORD_FIELD))?;
        let record = RunRecord::from_json(text, &subject)?;
        let number = field(&molecule, NUMBER_FIELD).and_then(|n| n.trim().parse().ok());
        let number = number.ok_or_else(|| missing(NUMBER_FIELD))?;
        Ok(Self { record, number, form: Form::of(path), molecule })
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

/// Makes the molecules of a part of [`parts`] again, and says of each whether it is what the file has, to the last digit that
/// the file holds.
///
/// # Errors
/// A model with other weights, a request that the model cannot meet, a request to stop.
pub fn replay(part: &[Recorded], generator: &Generator, job: &Job) -> Result<Vec<bool>> {
    let Some(first) = part.first() else { return Ok(Vec::new()) };
    first.record.check_weights(generator.card())?;
    generator.check(&first.record.request)?;
    let numbers = first.number..first.number.saturating_add(part.len() as u64);
    let made = generator.generate(&first.record.request, numbers, job, &mut |_| ())?;
    Ok(made.iter().zip(part).map(|(made, one)| one.form.kept(made) == one.form.kept(&one.molecule)).collect())
}
