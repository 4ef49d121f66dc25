//! Folders that are whole or not there.

use std::path::{Path, PathBuf};

use super::claims;
use super::pending::Pending;
use super::temporary::{SUFFIX, folder_of, prefix, remove_left_over};
use crate::error::{Error, Result};

/// A folder that takes its name only when it is complete; dropped before that, it leaves nothing behind.
///
/// The name must be free, or that of an empty folder. Temporary folders that killed processes left for the same name are
/// removed when a new one is opened.
#[derive(Debug)]
pub struct AsideFolder {
    folder: tempfile::TempDir,
    path: PathBuf,
    pending: Pending,
}

impl AsideFolder {
    /// Opens a temporary folder next to `path`.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let occupied = path.is_file() || std::fs::read_dir(&path).is_ok_and(|mut d| d.next().is_some());
        if occupied {
            return Err(Error::file("write", &path)(std::io::Error::other("it is not empty")));
        }
        let parent = folder_of(&path);
        let mut own = prefix(&path);
        remove_left_over(parent, Some(&own));
        own.push(format!("{}-", std::process::id()));
        let mut builder = tempfile::Builder::new();
        builder.prefix(&own).suffix(SUFFIX);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What a new folder may be at most; the system takes the umask away.
            builder.permissions(std::fs::Permissions::from_mode(0o777 & !claims::hidden(&path)));
        }
        let folder = builder.tempdir_in(parent).map_err(|e| Error::file("write", &path)(e.kind().into()))?;
        let pending = Pending::new(folder.path(), &path);
        Ok(Self { folder, path, pending })
    }

    /// Where its files are written, for writers that open files themselves.
    pub fn temporary_path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        let failed = |e: std::io::Error| Error::file("write", &self.path)(e);
        let mut file = std::fs::File::create(&path).map_err(failed)?;
        std::io::Write::write_all(&mut file, bytes).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(path)
    }

    /// Takes away from the folder and its files what others may not do with `source`, a file.
    pub fn no_more_readable_than(&self, source: &Path) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |m: std::fs::Metadata| m.permissions().mode() & 0o777;
            let Ok(source) = std::fs::metadata(source).map(mode) else { return };
            let set = |path: &Path, mask: u32| {
                let Ok(own) = std::fs::metadata(path).map(mode) else { return };
                let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(own & mask));
            };
            for entry in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
                set(&entry.path(), source | 0o600);
            }
            // Who may read a folder's files may enter it.
            set(self.folder.path(), source | (source & 0o444) >> 2 | 0o700);
        }
        #[cfg(not(unix))]
        let _ = source;
    }

    /// Gives the folder its name.
    pub fn finish(self) -> Result<()> {
        let Self { folder, path, pending } = self;
        let name = || {
            if path.is_dir() {
                std::fs::remove_dir(&path)?;
            }
            std::fs::rename(folder.path(), &path)
        };
        pending.settle(name).map_err(Error::file("write", &path))?;
        // It is no longer where it would be removed.
        let _ = folder.keep();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_its_name_only_when_it_is_whole() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("series");
        let folder = AsideFolder::create(&path).expect("free");
        folder.write("1", b"one").expect("room");
        assert!(!path.exists());
        drop(folder);
        assert_eq!(std::fs::read_dir(parent.path()).expect("a folder").count(), 0);
        let folder = AsideFolder::create(&path).expect("free");
        folder.write("1", b"one").expect("room");
        folder.finish().expect("room");
        assert_eq!(std::fs::read(path.join("1")).expect("there"), b"one");
        assert!(AsideFolder::create(&path).is_err(), "nothing is overwritten");
        assert_eq!(std::fs::read_dir(parent.path()).expect("a folder").count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_killed_processes_left_is_removed() {
        let parent = tempfile::tempdir().expect("a folder");
        let left = parent.path().join(".unmelt-series-4000000000-abc.tmp");
        std::fs::create_dir(&left).expect("room");
        std::fs::write(left.join("1"), b"half").expect("room");
        AsideFolder::create(parent.path().join("series")).expect("free").finish().expect("room");
        assert!(!left.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_never_more_readable_than_the_source() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().expect("a folder");
        let (path, source) = (parent.path().join("series"), parent.path().join("scan"));
        std::fs::write(&source, b"scan").expect("room");
        std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o400)).expect("allowed");
        let folder = AsideFolder::create(&path).expect("free");
        folder.write("1", b"one").expect("room");
        folder.no_more_readable_than(&source);
        folder.finish().expect("room");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("1"))), (0o700, 0o600));
    }
}
