//! Temporary names: whose they are, and what killed processes left under them.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What temporary names have behind the number of the process, before an ending that a writer wants.
pub(super) const SUFFIX: &str = ".tmp";

/// What all temporary names begin with.
const BEGINNING: &str = ".unmelt-";

/// Bytes of a name that its temporary names repeat; file systems take 255 in all.
const NAME: usize = 120;

/// A file under a temporary name for `path`, locked by this process for as long as it is open. What killed processes left
/// is removed.
pub(super) fn temporary(path: &Path, suffix: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let mut own = prefix(path);
    remove_left_over(folder_of(path), Some(&own));
    own.push(format!("{}-", std::process::id()));
    let mut builder = tempfile::Builder::new();
    builder.prefix(&own).suffix(suffix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What a new file may be at most; the system takes the umask away.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder_of(path))?;
    lock(file.as_file());
    Ok(file)
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
    let mut prefix = OsString::from(BEGINNING);
    let name = path.file_name().unwrap_or_default();
    match name.len() <= NAME {
        true => prefix.push(name),
        false => {
            let digest = crate::checkpoint::sha256(name.as_encoded_bytes());
            let begin: String = name.to_string_lossy().chars().take(NAME / 4).collect();
            prefix.push(format!("{begin}{}", &digest[..16]));
        }
    }
    prefix.push("-");
    prefix
}

/// A temporary file or folder of a name.
pub(super) struct LeftOver {
    /// Where it is.
    pub path: PathBuf,
    /// The process that made it.
    pub process: u32,
}

/// The temporary files and folders in a folder, of the name with this prefix or of all names.
pub(super) fn temporaries(folder: &Path, prefix: Option<&OsString>) -> Vec<LeftOver> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let begin = prefix.map_or(BEGINNING.into(), |p| p.to_string_lossy());
    let of_name = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Behind the name stand the process and a random word.
        let (rest, _) = name.strip_prefix(&*begin)?.rsplit_once(SUFFIX)?;
        let mut words = rest.rsplit('-').skip(1);
        let process = words.next()?.parse().ok()?;
        // Otherwise it is of a longer name that begins in the same way.
        let is_of_name = prefix.is_none() || words.next().is_none();
        is_of_name.then(|| LeftOver { path: entry.path(), process })
    };
    entries.flatten().filter_map(of_name).collect()
}

/// Removes the temporary files and folders that killed processes left for a name, or for all names of a folder.
pub(super) fn remove_left_over(folder: &Path, prefix: Option<&OsString>) {
    for left in temporaries(folder, prefix).into_iter().filter(|left| !is_alive(left.process)) {
        if left.path.is_dir() {
            let _ = std::fs::remove_dir_all(&left.path);
        } else if !is_locked(&left.path) {
            let _ = std::fs::remove_file(&left.path);
        }
    }
}

/// Locks a file for this process; where the file system knows no locks, the number of the process has to do.
#[cfg(unix)]
fn lock(file: &File) {
    let _ = file.try_lock();
}

#[cfg(not(unix))]
fn lock(_file: &File) {}

/// Whether a process, on this machine or another, has the file locked.
#[cfg(unix)]
pub(super) fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

#[cfg(not(unix))]
pub(super) fn is_locked(_path: &Path) -> bool {
    false
}

/// Whether a process of this number runs.
#[cfg(target_os = "linux")]
pub(super) fn is_alive(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// Elsewhere nobody can tell without a call to the system, so that nothing is removed.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_alive(_process: u32) -> bool {
    true
}
