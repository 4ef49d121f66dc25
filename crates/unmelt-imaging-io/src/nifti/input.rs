//! The bytes of a file, unpacked where they are gzip.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use unmelt_diffusion::files::limits::limits;
use unmelt_diffusion::files::{GzipReader, is_gzip};

use super::header::fault;
use crate::{Error, Result};

/// Bytes read from the disk at a time.
const BUFFER: usize = 1 << 18;

/// A file that is read once, from its beginning to its end.
pub(super) struct Input {
    pub path: PathBuf,
    reader: Reader,
    /// Bytes of the file on the disk, where that can be known.
    length: Option<u64>,
    /// Bytes that were unpacked so far.
    unpacked: u64,
}

enum Reader {
    Plain(Box<dyn BufRead>),
    Packed(Box<GzipReader<Box<dyn BufRead>>>),
}

impl Input {
    /// Opens a file and looks at its first bytes.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = || Error::file("read", path);
        let file = File::open(path).map_err(failed())?;
        let metadata = file.metadata().map_err(failed())?;
        let length = metadata.is_file().then_some(metadata.len());
        Self::new(Box::new(BufReader::with_capacity(BUFFER, file)), length, path)
    }

    /// The bytes of a file in memory; `path` is what messages call it.
    pub fn of_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self> {
        let length = bytes.len() as u64;
        Self::new(Box::new(Cursor::new(bytes)), Some(length), path)
    }

    fn new(mut reader: Box<dyn BufRead>, length: Option<u64>, path: &Path) -> Result<Self> {
        let packed = is_gzip(reader.fill_buf().map_err(Error::file("read", path))?);
        let reader = match packed {
            true => Reader::Packed(Box::new(GzipReader::new(reader).forgiving())),
            false => Reader::Plain(reader),
        };
        Ok(Self { path: path.into(), reader, length, unpacked: 0 })
    }

    /// Bytes of the file where it is not packed and its length can be known.
    pub fn plain_length(&self) -> Option<u64> {
        self.length.filter(|_| matches!(self.reader, Reader::Plain(_)))
    }

    /// Bytes of the file where it is packed and its length can be known.
    pub fn packed_length(&self) -> Option<u64> {
        self.length.filter(|_| matches!(self.reader, Reader::Packed(_)))
    }

    /// Adds up to `count` bytes to `to`, taking memory only for what is there.
    pub fn take(&mut self, count: u64, to: &mut Vec<u8>) -> Result<()> {
        let path = self.path.clone();
        Read::take(&mut *self, count).read_to_end(to).map(|_| ()).map_err(|e| unreadable(e, &path))
    }

    /// Goes on by `count` bytes.
    pub fn skip(&mut self, count: u64) -> Result<()> {
        let path = self.path.clone();
        let got = std::io::copy(&mut Read::take(&mut *self, count), &mut std::io::sink());
        match got.map_err(|e| unreadable(e, &path))? {
            got if got < count => Err(fault(&path, "it is truncated: it ends before its voxels begin")),
            _ => Ok(()),
        }
    }

    /// Reads to the end of a packed file, where the checksum is; the number of bytes that were left.
    pub fn drain(&mut self) -> Result<u64> {
        let path = self.path.clone();
        match self.reader {
            Reader::Plain(_) => Ok(0),
            Reader::Packed(_) => std::io::copy(self, &mut std::io::sink()).map_err(|e| unreadable(e, &path)),
        }
    }

    /// What is wrong with the packed data so far, if anything.
    pub fn damage(&self) -> Option<String> {
        match &self.reader {
            Reader::Packed(gzip) if gzip.is_damaged() => Some(gzip.faults().join(", ")),
            _ => None,
        }
    }

    /// What stands behind the packed data and was left out, if anything.
    pub fn left_out(&self) -> Option<String> {
        match &self.reader {
            Reader::Packed(gzip) if !gzip.is_damaged() => {
                gzip.faults().first().map(|fault| format!("{fault}; they are left out"))
            }
            _ => None,
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let gzip = match &mut self.reader {
            Reader::Plain(file) => return file.read(buffer),
            Reader::Packed(gzip) => gzip,
        };
        let count = gzip.read(buffer)?;
        self.unpacked = self.unpacked.saturating_add(count as u64);
        let limits = limits();
        let bound = self.length.unwrap_or(0).saturating_mul(limits.unpacked_ratio).max(limits.unpacked_bytes);
        if self.unpacked > bound {
            return Err(std::io::Error::new(
                ErrorKind::FileTooLarge,
                format!(
                    "it grows to more than {bound} bytes when it is unpacked; if it is to be trusted, raise the limit \
                     unpacked_bytes"
                ),
            ));
        }
        Ok(count)
    }
}

/// What a failed reading means.
pub(super) fn unreadable(error: std::io::Error, path: &Path) -> Error {
    match error.kind() {
        ErrorKind::FileTooLarge | ErrorKind::InvalidData => fault(path, error.to_string()),
        _ => Error::file("read", path)(error),
    }
}
