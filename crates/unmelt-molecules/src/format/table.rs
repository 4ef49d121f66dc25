//! The table that goes with generated molecules.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use unmelt_diffusion::files::AsideFile;
use unmelt_tables::{Column, ParquetWriter, Values, write_csv};

use super::write::{ending, flushed_length, rescue};
use crate::evaluate::Assessment;
use crate::{Error, Result};

/// One row of the table that goes with generated molecules.
#[derive(Clone, Debug)]
pub struct TableRow {
    /// What is said about the molecule.
    pub assessment: Assessment,
    /// Seed.
    pub seed: u64,
    /// Number within the seed.
    pub sample: u64,
    /// Properties that were asked for, by name.
    pub targets: Vec<(String, f64)>,
    /// What the network estimates of them, by name; empty where it estimates nothing.
    pub estimates: Vec<(String, f64)>,
}

/// Writes the table of generated molecules, as CSV or Parquet by its ending.
pub struct TableWriter {
    file: AsideFile,
    body: TableBody,
    kept: u64,
    targets: Vec<String>,
    has_estimates: bool,
}

enum TableBody {
    Csv { out: BufWriter<File>, header: bool },
    Parquet(Box<ParquetWriter<File>>),
}

impl TableWriter {
    /// Opens the file; `targets` names the properties that its rows will have been asked for, and `has_estimates` says whether the network
    /// estimates them.
    pub fn create(path: &Path, targets: &[&str], has_estimates: bool) -> Result<Self> {
        let ending = ending(path);
        if !["csv", "parquet"].contains(&ending.as_str()) {
            return Err(Error::UnknownFormat { path: path.into(), endings: ".csv, .parquet" });
        }
        let file = AsideFile::create(path)?;
        let handle = file.file().try_clone().map_err(Error::file("write", path))?;
        let body = match ending.as_str() {
            "csv" => TableBody::Csv { out: BufWriter::new(handle), header: true },
            _ => {
                let table = ParquetWriter::new(handle, &columns(&[], targets, has_estimates));
                TableBody::Parquet(Box::new(table.map_err(Error::file("write", path))?))
            }
        };
        let targets = targets.iter().map(|t| t.to_string()).collect();
        Ok(Self { file, body, kept: 0, targets, has_estimates })
    }

    /// Writes some rows.
    pub fn write(&mut self, rows: &[TableRow]) -> Result<()> {
        let path = self.file.path().to_path_buf();
        let names: Vec<&str> = self.targets.iter().map(String::as_str).collect();
        let columns = columns(rows, &names, self.has_estimates);
        let written = match &mut self.body {
            TableBody::Csv { out, header } => write_csv(out, &columns, std::mem::take(header)),
            TableBody::Parquet(writer) => writer.write(&columns),
        };
        written.map_err(Error::file("write", path))
    }

    /// Makes what has been written so far the least that [`rescue`](Self::rescue) keeps.
    pub fn commit(&mut self) -> Result<()> {
        if let TableBody::Csv { out, .. } = &mut self.body {
            self.kept = flushed_length(out, &self.file)?;
        }
        Ok(())
    }

    /// After a failure: keeps what was committed, if the format allows it, and says whether it did.
    pub fn rescue(self) -> bool {
        match self.body {
            TableBody::Csv { out, .. } => rescue(self.file, out, self.kept),
            TableBody::Parquet(_) => false,
        }
    }

    /// Completes the file and gives it its name.
    pub fn finish(self) -> Result<()> {
        let path = self.file.path().to_path_buf();
        match self.body {
            TableBody::Csv { mut out, .. } => out.flush().map_err(Error::file("write", &path))?,
            TableBody::Parquet(writer) => drop(writer.finish(&[]).map_err(Error::file("write", &path))?),
        }
        Ok(self.file.finish()?)
    }
}

fn columns(rows: &[TableRow], targets: &[&str], has_estimates: bool) -> Vec<Column> {
    fn each<T>(rows: &[TableRow], f: impl Fn(&TableRow) -> T) -> Vec<T> {
        rows.iter().map(f).collect()
    }
    let number = |what: &str, name: &str, all: fn(&TableRow) -> &[(String, f64)]| {
        let of = |r: &TableRow| all(r).iter().find(|(n, _)| n == name).map(|(_, value)| *value);
        Column::new(inert(&format!("{what}_{name}")), Values::F64(each(rows, of)))
    };
    let of_target = |name: &&str| {
        let estimate = has_estimates.then(|| number("estimate", name, |r| &r.estimates));
        [number("target", name, |r| &r.targets)].into_iter().chain(estimate).collect::<Vec<_>>()
    };
    let always = [
        Column::new("sample", Values::U64(each(rows, |r| r.sample))),
        Column::new("seed", Values::U64(each(rows, |r| r.seed))),
        Column::new("smiles", Values::Text(each(rows, |r| inert(&r.assessment.smiles)))),
        Column::new("formula", Values::Text(each(rows, |r| inert(&r.assessment.formula)))),
        Column::new("atoms", Values::U32(each(rows, |r| r.assessment.atoms as u32))),
        Column::new("stable", Values::Bool(each(rows, |r| r.assessment.stable()))),
        Column::new("valid", Values::Bool(each(rows, |r| r.assessment.valid))),
        Column::new("connected", Values::Bool(each(rows, |r| r.assessment.connected))),
        Column::new("rings", Values::U32(each(rows, |r| r.assessment.rings as u32))),
        Column::new("key", Values::Text(each(rows, |r| r.assessment.key.clone()))),
    ];
    always.into_iter().chain(targets.iter().flat_map(of_target)).collect()
}

/// A text that no spreadsheet runs: one that begins like a formula has an apostrophe before it.
fn inert(text: &str) -> String {
    let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if runs { format!("'{text}") } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn cells_that_a_spreadsheet_would_run_are_marked() {
        for text in ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1"] {
            assert_eq!(inert(text), format!("'{text}"));
        }
        for text in ["", "C1=CC=CC=C1", "[NH4+]", "CH3-"] {
            assert_eq!(inert(text), text);
        }
    }
}
