//! What is being written and has no name yet, so that a process that has to end at once leaves nothing behind.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Something under a temporary name.
#[derive(Debug)]
struct Entry {
    number: u64,
    temporary: PathBuf,
    path: PathBuf,
    /// Bytes from the beginning that are a result of their own.
    kept: u64,
}

static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    ENTRIES.lock().unwrap_or_else(|e| e.into_inner())
}

/// The place of a temporary file among those of the process; dropped, it is no longer pending.
#[derive(Debug)]
pub(super) struct Pending(u64);

impl Pending {
    /// A file or folder that is to be called `path`.
    pub fn new(temporary: &Path, path: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let absolute = |p: &Path| std::path::absolute(p).unwrap_or(p.into());
        entries().push(Entry { number, temporary: absolute(temporary), path: absolute(path), kept: 0 });
        Self(number)
    }

    /// The name to come.
    pub fn path(&self) -> PathBuf {
        entries().iter().find(|e| e.number == self.0).map(|e| e.path.clone()).unwrap_or_default()
    }

    /// Declares the first bytes of a file a result of their own.
    pub fn keep(&self, length: u64) {
        entries().iter_mut().filter(|e| e.number == self.0).for_each(|e| e.kept = length);
    }

    /// Does what gives the file its name, undisturbed; then it is pending no longer.
    pub fn settle<T>(self, name: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
        let mut held = entries();
        let done = name();
        held.retain(|e| e.number != self.0);
        done
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // `settle` drops its own while it holds the list.
        if let Ok(mut entries) = ENTRIES.try_lock() {
            entries.retain(|e| e.number != self.0);
        }
    }
}

/// Ends all writing of the process, which is about to end: files of which a part [was declared whole](super::AsideFile::keep_from_now_on)
/// are cut to it and take their names, all others are removed. Returns the names that were given. Whoever wants to finish
/// a file afterwards waits for ever, so the process must end now.
pub fn abandon() -> Vec<PathBuf> {
    let held = entries();
    let mut rescued = Vec::new();
    for entry in held.iter() {
        let cut = || {
            let file = std::fs::OpenOptions::new().write(true).open(&entry.temporary)?;
            file.set_len(entry.kept)?;
            file.sync_all()?;
            match super::claims::is_new(&entry.path) && entry.path.exists() {
                true => Err(std::io::ErrorKind::AlreadyExists.into()),
                false => std::fs::rename(&entry.temporary, &entry.path),
            }
        };
        if entry.kept > 0 && cut().is_ok() {
            rescued.push(entry.path.clone());
        } else if entry.temporary.is_dir() {
            let _ = std::fs::remove_dir_all(&entry.temporary);
        } else {
            let _ = std::fs::remove_file(&entry.temporary);
        }
    }
    super::claims::abandon();
    std::mem::forget(held);
    rescued
}
