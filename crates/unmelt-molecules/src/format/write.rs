//! Writing molecules batch by batch, in bounded memory, whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use unmelt_diffusion::files::AsideFile;
use unmelt_tables::ParquetWriter;

use super::{parquet, write_sdf, write_xyz};
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
    Parquet(ParquetBody),
}

/// A table of molecules. Its columns are known with the first molecules.
enum ParquetBody {
    /// No molecule has come yet.
    Unbegun(File),
    /// The table, and the records of the runs that made its molecules, if they say so.
    Begun(Box<ParquetWriter<File>>, Option<parquet::Records>),
}

impl ParquetBody {
    fn write(&mut self, molecules: &[Molecule]) -> std::io::Result<()> {
        if let Self::Unbegun(file) = self {
            let mut records = parquet::Records::are_in(molecules).then(parquet::Records::default);
            let mut columns = parquet::columns(&[]);
            columns.extend(records.iter_mut().flat_map(|r| r.columns(&[])));
            *self = Self::Begun(Box::new(ParquetWriter::new(file.try_clone()?, &columns)?), records);
        }
        let Self::Begun(writer, records) = self else { return Ok(()) };
        let mut columns = parquet::columns(molecules);
        columns.extend(records.iter_mut().flat_map(|r| r.columns(molecules)));
        writer.write(&columns)
    }

    fn finish(mut self) -> std::io::Result<()> {
        self.write(&[])?;
        let Self::Begun(writer, records) = self else { return Ok(()) };
        let text = records.and_then(|r| r.text());
        let texts: Vec<(&str, &str)> = text.iter().map(|(name, text)| (*name, text.as_str())).collect();
        writer.finish(&texts).map(drop)
    }
}

pub(super) fn ending(path: &Path) -> String {
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
            "parquet" => Body::Parquet(ParquetBody::Unbegun(handle)),
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
            Body::Parquet(writer) => writer.write(molecules).map_err(Error::file("write", path)),
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
            Body::Parquet(writer) => writer.finish().map_err(Error::file("write", &path))?,
        }
        Ok(self.file.finish()?)
    }
}

/// The length of a file once its buffer is written, which is kept from now on.
pub(super) fn flushed_length(out: &mut BufWriter<File>, file: &AsideFile) -> Result<u64> {
    let length = out.flush().and_then(|()| out.get_ref().metadata());
    let length = length.map_err(Error::file("write", file.path()))?.len();
    file.keep_from_now_on(length);
    Ok(length)
}

/// Cuts a file to its whole records and gives it its name; without any, nothing is left of it.
pub(super) fn rescue(file: AsideFile, out: BufWriter<File>, kept: u64) -> bool {
    // The buffer holds what could not be written.
    let (handle, _) = out.into_parts();
    kept > 0 && handle.set_len(kept).is_ok() && file.finish().is_ok()
}
