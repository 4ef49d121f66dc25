//! SDF files, V2000 and V3000 (BIOVIA, "CTfile formats").

mod draft;
mod fields;
mod header;
mod v2000;
mod v3000;
mod write;

pub(super) use draft::refuse_attachments;
pub use write::write_sdf;

use unmelt_diffusion::files::limits::limits;

use super::text::lines;
use super::{Fault, Preparation, Reading};
use crate::Molecule;
use header::Header;

/// Reads the records of an SDF file; those that make no molecule are reported, the rest is read.
pub fn read_sdf(text: &str) -> Reading {
    read(text, &Preparation::AsIs)
}

/// Reads records and prepares them.
pub(super) fn read(text: &str, preparation: &Preparation) -> Reading {
    let mut reading = Reading::default();
    for (k, record) in records(text).into_iter().enumerate() {
        if k as u64 >= limits().records {
            let message = format!("the limit records is {}; what follows is left out", limits().records);
            reading.faults.push(Fault::new(k + 1, "record", message));
            break;
        }
        reading.add(k + 1, "record", preparation, read_record(&record));
    }
    reading
}

/// A record, and the line of the file that it begins with, from 1.
struct Record<'a> {
    lines: Vec<&'a str>,
    first: usize,
}

/// The records of a text; those that are blank are none. What follows the last `$$$$` is a record of its own if it says
/// anything: a molfile, or one that was cut off.
fn records(text: &str) -> Vec<Record<'_>> {
    let (mut records, mut current, mut first) = (Vec::new(), Vec::new(), 1);
    for (k, line) in lines(text).into_iter().enumerate() {
        if line.starts_with("$$$$") || line.trim() == "$$$$" {
            records.push(Record { lines: std::mem::take(&mut current), first });
            first = k + 2;
        } else {
            // Files that were put together keep the mark of each.
            current.push(line.strip_prefix('\u{feff}').filter(|_| current.is_empty()).unwrap_or(line));
        }
    }
    records.push(Record { lines: current, first });
    records.retain(|r: &Record| r.lines.iter().any(|l| !l.trim().is_empty()));
    records
}

fn read_record(record: &Record) -> Result<Molecule, String> {
    let lines = record.lines.as_slice();
    let header = Header::find(lines, record.first)?;
    let body = &lines[header.counts + 1..];
    let (draft, end) = match header.is_v3000 {
        true => v3000::read(body)?,
        false => v2000::read(lines[header.counts], body)?,
    };
    let mut molecule = draft.molecule()?;
    molecule.is_drawing = header.says_2d && molecule.atoms().all(|a| a.position.z == 0.0);
    molecule.name = header.name;
    molecule.fields = fields::read(&body[end..]);
    Ok(molecule)
}
