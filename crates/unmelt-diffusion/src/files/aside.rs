//! Files that are whole or not there: written aside, then renamed.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What temporary names have behind the number of the process, before an ending that a writer wants.
pub(super) const SUFFIX: &str = ".tmp";

/// A file that takes its name only when it is complete; dropped before that, it leaves nothing behind.
///
/// It takes the permissions of the file that it replaces, or those that the umask gives to a new file. Temporary files
/// that killed processes left for the same name are removed when a new one is opened.
#[derive(Debug)]
pub struct AsideFile {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl AsideFile {
    /// Opens a temporary file next to `path`, so that a missing or read-only folder is known at once.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        Self::with_ending(path, "")
    }

    /// The same with a temporary name that ends with `ending` (".nii.gz"), for writers that look at it.
    pub fn with_ending(path: impl Into<PathBuf>, ending: &str) -> Result<Self> {
        let path = path.into();
        if path.is_dir() {
            return Err(Error::file("write", &path)(std::io::Error::other("it is a folder")));
        }
        let folder = folder_of(&path);
        let prefix = prefix(&path);
        remove_left_over(folder, &prefix);
        let mut own = prefix;
        own.push(format!("{}-", std::process::id()));
        let mut builder = tempfile::Builder::new();
        let suffix = format!("{SUFFIX}{ending}");
        builder.prefix(&own).suffix(&suffix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What a new file may be at most; the system takes the umask away.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(folder)
            // The error itself names the temporary file, which says nothing to anybody.
            .map_err(|e| Error::file("write", &path)(e.kind().into()))?;
        if let Ok(replaced) = std::fs::metadata(&path) {
            // A file system without permissions is no reason to lose the result.
            let _ = file.as_file().set_permissions(replaced.permissions());
        }
        Ok(Self { file, path })
    }

    /// The name that the file will take.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The temporary name, for writers that open files themselves.
    pub fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// The file under its temporary name.
    pub fn file(&self) -> &std::fs::File {
        self.file.as_file()
    }

    /// Takes away what others may do that they may not do with `source`: a result is never more readable than what it was
    /// made of.
    pub fn no_more_readable_than(&self, source: &Path) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |m: std::fs::Metadata| m.permissions().mode() & 0o777;
            let (Ok(own), Ok(source)) = (self.file.as_file().metadata(), std::fs::metadata(source)) else {
                return;
            };
            // The owner keeps the right to write, or a read-only scan would make a result that nobody can replace.
            let both = mode(own) & (mode(source) | 0o600);
            let _ = self.file.as_file().set_permissions(std::fs::Permissions::from_mode(both));
        }
        #[cfg(not(unix))]
        let _ = source;
    }

    /// Gives the file its name, replacing what had it.
    pub fn finish(mut self) -> Result<()> {
        let write = || Error::file("write", &self.path);
        self.file.flush().map_err(write())?;
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

/// The folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// What the temporary files of a name begin with; the number of the process follows.
pub(super) fn prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".unmelt-");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push("-");
    prefix
}

/// Removes the temporary files and folders that killed processes left for a name.
pub(super) fn remove_left_over(folder: &Path, prefix: &OsString) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let prefix = prefix.to_string_lossy();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let process = name
            .strip_prefix(&*prefix)
            .filter(|rest| rest.contains(SUFFIX))
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(process, _)| process.parse::<u32>().ok());
        if process.is_some_and(|process| !is_alive(process)) {
            let path = entry.path();
            let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
    }
}

/// Whether a process of this number runs.
#[cfg(target_os = "linux")]
fn is_alive(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// Elsewhere nobody can tell without a call to the system, so that nothing is removed.
#[cfg(not(target_os = "linux"))]
fn is_alive(_process: u32) -> bool {
    true
}

/// Writes `bytes` to `path`, whole or not at all.
pub fn write_whole(path: impl Into<PathBuf>, bytes: &[u8]) -> Result<()> {
    let mut file = AsideFile::create(path)?;
    let path = file.path().to_path_buf();
    file.write_all(bytes).map_err(Error::file("write", path))?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sdf");
        let mut file = AsideFile::create(&path).expect("a file");
        file.write_all(b"half").expect("room");
        assert!(!path.exists());
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        write_whole(&path, b"whole").expect("room");
        assert_eq!(std::fs::read(&path).expect("there"), b"whole");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_killed_processes_left_is_removed_and_what_others_write_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sdf");
        let left = |process: u32, name: &str| {
            let left = folder.path().join(format!(".unmelt-{name}-{process}-abc.tmp"));
            std::fs::write(&left, b"half").expect("room");
            left
        };
        // Numbers of processes end far below this one.
        let (dead, alive, other) =
            (left(4_000_000_000, "a.sdf"), left(1, "a.sdf"), left(4_000_000_000, "b.sdf"));
        write_whole(&path, b"whole").expect("room");
        assert!(!dead.exists() && alive.exists() && other.exists());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_the_file_before_and_never_wider_than_the_source() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("allowed");
        };
        let (path, source) = (folder.path().join("a.nii"), folder.path().join("scan.nii"));
        std::fs::write(&source, b"scan").expect("room");
        write_whole(&path, b"1").expect("room");
        // A new file is what the system makes of it.
        assert_eq!(mode(&path), mode(&source));
        set(&path, 0o640);
        write_whole(&path, b"2").expect("room");
        assert_eq!(mode(&path), 0o640);
        set(&path, 0o644);
        set(&source, 0o400);
        let file = AsideFile::create(&path).expect("a file");
        file.no_more_readable_than(&source);
        file.finish().expect("room");
        assert_eq!(mode(&path), 0o600);
    }
}
