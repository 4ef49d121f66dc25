//! Files and folders that are whole or not there: written aside, then renamed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::claims;
use super::pending::Pending;
use super::permissions::hidden_by;
use super::temporary::{SUFFIX, temporary};
use crate::error::{Error, Result};

/// A file that takes its name only when it is complete; dropped before that, it leaves nothing behind.
///
/// It takes the permissions of the file that it replaces, or those that the umask gives to a new file. Temporary files
/// that killed processes left for the same name are removed when a new one is opened.
#[derive(Debug)]
pub struct AsideFile {
    file: tempfile::NamedTempFile,
    path: PathBuf,
    pending: Pending,
}

impl AsideFile {
    /// Opens a temporary file next to `path`, so that a missing or read-only folder is known at once.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        Self::with_ending(path, "")
    }

    /// The same with a temporary name that ends with `ending` (".nii.gz"), for writers that look at it.
    pub fn with_ending(path: impl Into<PathBuf>, ending: &str) -> Result<Self> {
        let path = path.into();
        let refused = |why: &str| Error::file("write", &path)(std::io::Error::other(why));
        let replaced = std::fs::metadata(&path).ok();
        match &replaced {
            Some(there) if there.is_dir() => return Err(refused("it is a folder")),
            Some(there) if !there.is_file() => return Err(refused("it is no ordinary file")),
            _ => {}
        }
        // What a link points to is replaced, not the link.
        let target =
            if path.is_symlink() { path.canonicalize().unwrap_or(path.clone()) } else { path.clone() };
        let file = temporary(&target, &format!("{SUFFIX}{ending}")).map_err(|e| {
            // The error itself names the temporary file, which says nothing to anybody.
            Error::file("write", &path)(e.kind().into())
        })?;
        if let Some(replaced) = replaced {
            // A file system without permissions is no reason to lose the result.
            let _ = file.as_file().set_permissions(replaced.permissions());
        }
        let pending = Pending::new(file.path(), &target);
        let aside = Self { file, path, pending };
        aside.take_away(claims::hidden(aside.path()));
        Ok(aside)
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
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Takes away what others may do that they may not do with `source`: a result is never more readable than what it was
    /// made of.
    pub fn no_more_readable_than(&self, source: &Path) {
        self.take_away(hidden_by(source));
    }

    /// Takes permissions away. The owner keeps the right to read and to write.
    fn take_away(&self, bits: u32) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if let Ok(own) = self.file.as_file().metadata()
                && bits != 0
            {
                let left = own.permissions().mode() & 0o777 & !bits;
                let _ = self.file.as_file().set_permissions(std::fs::Permissions::from_mode(left));
            }
        }
        #[cfg(not(unix))]
        let _ = bits;
    }

    /// Declares the first `length` bytes a result of their own, which is kept where the process has to end before
    /// [`finish`](Self::finish); see [`abandon`](super::abandon).
    pub fn keep_from_now_on(&self, length: u64) {
        self.pending.keep(length);
    }

    /// Gives the file its name, replacing what had it.
    ///
    /// Where the name was [claimed](super::claim) as a new one and somebody else took it meanwhile, theirs is left, the
    /// file takes a name beside it, and the error says which.
    pub fn finish(mut self) -> Result<()> {
        let write = || Error::file("write", &self.path);
        self.file.flush().map_err(write())?;
        self.file.as_file().sync_all().map_err(write())?;
        let Self { file, path, pending } = self;
        let target = pending.path();
        // Until it has its name nobody may end the process over it, and then it is no longer pending.
        let named = pending.settle(|| match claims::is_new(&path) {
            true => persist_beside(file, &target).map(Some),
            false => file.persist(&target).map(|_| None).map_err(|e| e.error),
        });
        match named.map_err(Error::file("write", &path))? {
            Some(beside) if beside != target => Err(Error::Taken { path, beside }),
            _ => Ok(()),
        }
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

/// Gives a file its name if that is free, and otherwise one beside it: "a.sdf", "a-2.sdf", … Returns the name.
fn persist_beside(mut file: tempfile::NamedTempFile, path: &Path) -> std::io::Result<PathBuf> {
    let mut name = path.to_path_buf();
    for k in 2.. {
        match file.persist_noclobber(&name) {
            Ok(_) => break,
            Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists && k < 10_000 => file = e.file,
            Err(e) => return Err(e.error),
        }
        let whole = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (stem, ending) = whole.split_once('.').map_or((&*whole, ""), |(stem, ending)| (stem, ending));
        let dot = if ending.is_empty() { "" } else { "." };
        name = path.with_file_name(format!("{stem}-{k}{dot}{ending}"));
    }
    Ok(name)
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
        for name in ["a.sdf", &"long".repeat(60)] {
            let path = folder.path().join(name);
            let mut file = AsideFile::create(&path).expect("a file");
            file.write_all(b"half").expect("room");
            assert!(!path.exists());
            drop(file);
            assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
            write_whole(&path, b"whole").expect("room");
            assert_eq!(std::fs::read(&path).expect("there"), b"whole");
            std::fs::remove_file(&path).expect("there");
        }
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
        let elsewhere = left(4_000_000_001, "a.sdf");
        let held = File::open(&elsewhere).expect("there");
        held.try_lock().expect("free");
        write_whole(&path, b"whole").expect("room");
        assert!(!dead.exists() && alive.exists() && other.exists() && elsewhere.exists());
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

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        std::fs::write(&path, b"old").expect("room");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        write_whole(&link, b"new").expect("room");
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&path).expect("there"), b"new");
        let error = AsideFile::create("/dev/null").expect_err("a device").to_string();
        assert_eq!(error, "could not write /dev/null: it is no ordinary file");
    }
}
