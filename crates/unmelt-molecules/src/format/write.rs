//! Writing molecules and tables batch by batch, in bounded memory, whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use polars::prelude::*;
use unmelt_diffusion::files::AsideFile;

use super::{parquet, write_sdf, write_xyz};
use crate::evaluate::Assessment;
use crate::{Error, Molecule, Result};

/// The endings that can be written, for messages.
const ENDINGS: &str = ".sdf, .xyz, .parquet";

/// Writes molecules to a file of a format that its ending names. The file takes its name in
/// [`finish`](Self::finish); before that, nothing is there.
pub struct MoleculeWriter {
    file: AsideFile,
    body: Body,
    kept: u64,
}

enum Body {
    Text { out: BufWriter<File>, write: fn(&mut dyn Write, &Molecule) -> std::io::Result<()> },
    Parquet(Box<polars::io::parquet::write::BatchedWriter<File>>),
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

impl MoleculeWriter {
    /// Opens the file; a folder that is missing or cannot be written is known now.
    pub fn create(path: &Path) -> Result<Self> {
        let ending = ending(path);
        if !["sdf", "xyz", "extxyz", "parquet"].contains(&ending.as_str()) {
            return Err(Error::UnknownFormat { path: path.into(), endings: ENDINGS });
        }
        let file = AsideFile::create(path)?;
        let handle = file.file().try_clone().map_err(Error::file("write", path))?;
        let body = match ending.as_str() {
            "parquet" => Body::Parquet(Box::new(batched(handle, &parquet::schema(), path)?)),
            "sdf" => Body::Text { out: BufWriter::new(handle), write: write_sdf },
            _ => Body::Text { out: BufWriter::new(handle), write: write_xyz },
        };
        Ok(Self { file, body, kept: 0 })
    }

    /// Writes some molecules.
    pub fn write(&mut self, molecules: &[Molecule]) -> Result<()> {
        let path = self.file.path().to_path_buf();
        match &mut self.body {
            Body::Text { out, write } => {
                molecules.iter().try_for_each(|m| write(out, m)).map_err(Error::file("write", path))
            }
            Body::Parquet(writer) => {
                let frame = parquet::frame(molecules).map_err(|e| polars_error(e, &path))?;
                writer.write_batch(&frame).map_err(|e| polars_error(e, &path))
            }
        }
    }

    /// Makes what has been written so far the least that [`rescue`](Self::rescue) keeps.
    pub fn commit(&mut self) -> Result<()> {
        if let Body::Text { out, .. } = &mut self.body {
            self.kept = flushed_length(out, &self.file)?;
        }
        Ok(())
    }

    /// After a failure: keeps what was committed, if the format allows it, and says whether it did.
    pub fn rescue(self) -> bool {
        match self.body {
            Body::Text { out, .. } => rescue(self.file, out, self.kept),
            Body::Parquet(_) => false,
        }
    }

    /// Completes the file and gives it its name.
    pub fn finish(self) -> Result<()> {
        let path = self.file.path().to_path_buf();
        match self.body {
            Body::Text { mut out, .. } => out.flush().map_err(Error::file("write", &path))?,
            Body::Parquet(writer) => drop(writer.finish().map_err(|e| polars_error(e, &path))?),
        }
        Ok(self.file.finish()?)
    }
}

/// The length of a file once its buffer is written.
fn flushed_length(out: &mut BufWriter<File>, file: &AsideFile) -> Result<u64> {
    let length = out.flush().and_then(|()| out.get_ref().metadata());
    Ok(length.map_err(Error::file("write", file.path()))?.len())
}

/// Cuts a file to its whole records and gives it its name; without any, nothing is left of it.
fn rescue(file: AsideFile, out: BufWriter<File>, kept: u64) -> bool {
    // The buffer holds what could not be written.
    let (handle, _) = out.into_parts();
    kept > 0 && handle.set_len(kept).is_ok() && file.finish().is_ok()
}

fn batched(
    file: File,
    schema: &Schema,
    path: &Path,
) -> Result<polars::io::parquet::write::BatchedWriter<File>> {
    ParquetWriter::new(file).batched(schema).map_err(|e| polars_error(e, path))
}

/// A polars error as one about the file; of an input or output error only that.
fn polars_error(error: PolarsError, path: &Path) -> Error {
    match error {
        PolarsError::IO { error, .. } => {
            let source = std::io::Error::new(error.kind(), error.to_string());
            Error::file("write", path)(source)
        }
        other => Error::file("write", path)(std::io::Error::other(parquet::first_line(&other))),
    }
}

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
}

/// Writes the table of generated molecules, as CSV or Parquet by its ending.
pub struct TableWriter {
    file: AsideFile,
    body: TableBody,
    kept: u64,
    targets: Vec<String>,
}

enum TableBody {
    Csv { out: BufWriter<File>, header: bool },
    Parquet(Box<polars::io::parquet::write::BatchedWriter<File>>),
}

impl TableWriter {
    /// Opens the file; `targets` names the properties that its rows will have been asked for.
    pub fn create(path: &Path, targets: &[&str]) -> Result<Self> {
        let ending = ending(path);
        if !["csv", "parquet"].contains(&ending.as_str()) {
            return Err(Error::UnknownFormat { path: path.into(), endings: ".csv, .parquet" });
        }
        let file = AsideFile::create(path)?;
        let handle = file.file().try_clone().map_err(Error::file("write", path))?;
        let body = match ending.as_str() {
            "csv" => TableBody::Csv { out: BufWriter::new(handle), header: true },
            _ => {
                let empty = table(&[], targets).map_err(|e| polars_error(e, path))?;
                let schema = empty.schema().as_ref().clone();
                TableBody::Parquet(Box::new(batched(handle, &schema, path)?))
            }
        };
        let targets = targets.iter().map(|t| t.to_string()).collect();
        Ok(Self { file, body, kept: 0, targets })
    }

    /// Writes some rows.
    pub fn write(&mut self, rows: &[TableRow]) -> Result<()> {
        let path = self.file.path().to_path_buf();
        let failed = |e| polars_error(e, &path);
        let names: Vec<&str> = self.targets.iter().map(String::as_str).collect();
        let mut frame = table(rows, &names).map_err(failed)?;
        match &mut self.body {
            TableBody::Csv { out, header } => {
                let with_header = std::mem::take(header);
                CsvWriter::new(out).include_header(with_header).finish(&mut frame).map_err(failed)
            }
            TableBody::Parquet(writer) => writer.write_batch(&frame).map_err(failed),
        }
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
            TableBody::Parquet(writer) => drop(writer.finish().map_err(|e| polars_error(e, &path))?),
        }
        Ok(self.file.finish()?)
    }
}

fn table(rows: &[TableRow], targets: &[&str]) -> PolarsResult<DataFrame> {
    fn column<T>(rows: &[TableRow], f: impl Fn(&TableRow) -> T) -> Vec<T> {
        rows.iter().map(f).collect()
    }
    let mut frame = df!(
        "sample" => column(rows, |r| r.sample),
        "seed" => column(rows, |r| r.seed),
        "smiles" => column(rows, |r| r.assessment.smiles.clone()),
        "formula" => column(rows, |r| r.assessment.formula.clone()),
        "atoms" => column(rows, |r| r.assessment.atoms as u32),
        "stable" => column(rows, |r| r.assessment.stable()),
        "valid" => column(rows, |r| r.assessment.valid),
        "connected" => column(rows, |r| r.assessment.connected),
        "rings" => column(rows, |r| r.assessment.rings as u32),
        "key" => column(rows, |r| r.assessment.key.clone()),
    )?;
    for name in targets {
        let of = |r: &TableRow| r.targets.iter().find(|(n, _)| n == name).map(|(_, value)| *value);
        let values: Vec<Option<f64>> = column(rows, of);
        frame.with_column(Column::new(format!("target_{name}").into(), values))?;
    }
    Ok(frame)
}
