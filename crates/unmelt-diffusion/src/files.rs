//! Files that are whole or not there: written aside, then renamed.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file that takes its name only when it is complete; dropped before that, it leaves nothing behind.
pub struct AsideFile {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl AsideFile {
    /// Opens a temporary file next to `path`, so that a missing or read-only folder is known at once.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if path.is_dir() {
            return Err(Error::file("write", &path)(std::io::Error::other("it is a folder")));
        }
        let folder = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".unmelt-")
            .suffix(".tmp")
            .tempfile_in(folder)
            // The error itself names the temporary file, which says nothing to anybody.
            .map_err(|e| Error::file("write", &path)(e.kind().into()))?;
        Ok(Self { file, path })
    }

    /// The name that the file will take.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file under its temporary name.
    pub fn file(&self) -> &std::fs::File {
        self.file.as_file()
    }

    /// Gives the file its name, replacing what had it.
    pub fn finish(mut self) -> Result<()> {
        let write = || Error::file("write", &self.path);
        self.file.flush().map_err(write())?;
        set_ordinary_permissions(self.file.as_file());
        self.file.as_file().sync_all().map_err(write())?;
        self.file.persist(&self.path).map_err(|e| Error::file("write", &self.path)(e.error))?;
        Ok(())
    }
}

impl Write for AsideFile {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.file.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Temporary files are private to their owner; results are ordinary files.
#[cfg(unix)]
fn set_ordinary_permissions(file: &std::fs::File) {
    use std::os::unix::fs::PermissionsExt;
    // A file system without permissions is no reason to lose the result.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(0o644));
}

#[cfg(not(unix))]
fn set_ordinary_permissions(_file: &std::fs::File) {}

/// Writes `bytes` to `path`, whole or not at all.
pub fn write_whole(path: impl Into<PathBuf>, bytes: &[u8]) -> Result<()> {
    let mut file = AsideFile::create(path)?;
    let path = file.path().to_path_buf();
    file.write_all(bytes).map_err(Error::file("write", path))?;
    file.finish()
}

/// Reads a whole file.
pub fn read_whole(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(Error::file("read", path))
}

/// Gives a temporary file that another library wrote its final name, whole or not at all.
pub fn persist(file: tempfile::NamedTempFile, path: &Path) -> Result<()> {
    AsideFile { file, path: path.into() }.finish()
}
