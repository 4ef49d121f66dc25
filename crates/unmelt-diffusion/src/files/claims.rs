//! Outputs, checked and claimed before the work begins: none replaces an input, none replaces another, and no two processes
//! write one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::permissions::hidden_by_any;
use super::temporary::{self, folder_of, is_alive, is_locked, prefix, remove_left_over, temporaries};
use crate::error::{Error, Result};

/// What a claim's temporary name ends with.
const ENDING: &str = ".claim.tmp";

/// A name that is claimed.
#[derive(Debug)]
struct Entry {
    path: PathBuf,
    /// Whether it is a folder, of which all files are claimed.
    folder: bool,
    /// Whether nothing may be replaced under it.
    new: bool,
    /// Permissions that an input does not give.
    hidden: u32,
    temporary: PathBuf,
}

impl Entry {
    /// Whether a file of this name is claimed by it.
    fn covers(&self, path: &Path) -> bool {
        match self.folder {
            true => is_same(&self.path, folder_of(path)),
            false => is_same(&self.path, path),
        }
    }
}

static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    ENTRIES.lock().unwrap_or_else(|e| e.into_inner())
}

/// Names that this process alone writes, until it is dropped.
#[derive(Debug, Default)]
pub struct Claims(Vec<(PathBuf, tempfile::NamedTempFile)>);

/// Claims the names of a command's outputs before its work begins.
///
/// An output that is an input, two outputs of one name, a folder that holds something, and a name that another process is
/// writing are refused; so is a file that is there already, unless `replace` is set. Until the claims are dropped, files
/// [written aside](super::AsideFile) under these names are never more readable than the inputs, and without `replace` they
/// do not replace what somebody else put there meanwhile.
///
/// ```
/// use unmelt_diffusion::files::claim;
///
/// let folder = tempfile::tempdir()?;
/// let scan = folder.path().join("scan.nii");
/// std::fs::write(&scan, b"voxels")?;
/// let error = claim(&[&scan], &[&folder.path().join("./scan.nii")], true).unwrap_err();
/// assert!(error.to_string().ends_with("is an input, and a result never replaces what it was made of"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn claim(inputs: &[&Path], outputs: &[&Path], replace: bool) -> Result<Claims> {
    distinct(inputs, outputs)?;
    for path in outputs {
        is_free(path, replace)?;
    }
    let hidden = hidden_by_any(inputs);
    let mut claims = Claims::default();
    for path in outputs {
        let file = exclusive(path)?;
        let path = path.to_path_buf();
        let temporary = std::path::absolute(file.path()).unwrap_or(file.path().into());
        entries().push(Entry { path, folder: false, new: !replace, hidden, temporary: temporary.clone() });
        claims.0.push((temporary, file));
    }
    // Somebody may have finished between the two looks.
    outputs.iter().try_for_each(|path| is_free(path, replace))?;
    Ok(claims)
}

/// Refuses two outputs of one name, and an output that is an input.
pub fn distinct(inputs: &[&Path], outputs: &[&Path]) -> Result<()> {
    for (k, path) in outputs.iter().enumerate() {
        if outputs[..k].iter().any(|other| is_same(path, other)) {
            return Err(Error::Output {
                path: path.to_path_buf(),
                fault: "is the name of two outputs; give each its own",
            });
        }
        if inputs.iter().any(|input| is_same(path, input) || holds(input, path)) {
            let fault = "is an input, and a result never replaces what it was made of";
            return Err(Error::Output { path: path.to_path_buf(), fault });
        }
    }
    Ok(())
}

/// Whether two paths name one file, there already or to come.
fn is_same(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(a), Ok(b)) = (std::fs::metadata(a), std::fs::metadata(b)) {
            return (a.dev(), a.ino()) == (b.dev(), b.ino());
        }
    }
    resolved(a) == resolved(b)
}

/// Whether an input is a folder that holds the file, which is then an input too.
fn holds(input: &Path, file: &Path) -> bool {
    input.is_dir() && file.is_file() && resolved(file).starts_with(resolved(input))
}

/// Whether a name, there already or to come, lies in a folder or in one below it. A folder does not lie in itself.
pub fn lies_within(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (resolved(path), resolved(folder));
    path != folder && path.starts_with(folder)
}

/// A path without links, also of a file that is not there yet.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(whole) = path.canonicalize() {
        return whole;
    }
    let folder = folder_of(path).canonicalize().unwrap_or_else(|_| folder_of(path).into());
    folder.join(path.file_name().unwrap_or_default())
}

fn is_free(path: &Path, replace: bool) -> Result<()> {
    let taken = |fault| Err(Error::Output { path: path.to_path_buf(), fault });
    let Ok(there) = std::fs::symlink_metadata(path) else {
        return match folder_of(path).is_dir() {
            true => Ok(()),
            false => Err(Error::file("write", path)(std::io::Error::other("there is no such folder"))),
        };
    };
    if there.is_symlink() && !path.exists() {
        return taken("is a link that points to nothing; give the name of a file");
    }
    if path.is_dir() {
        let holds_something = std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_some());
        return match holds_something {
            true => taken("is a folder that is not empty; give the name of a new one"),
            false => Ok(()),
        };
    }
    if !replace && (there.is_file() || there.is_symlink()) {
        return Err(Error::Exists { path: path.to_path_buf() });
    }
    Ok(())
}

/// A claim on a name that no other process has claimed.
fn exclusive(path: &Path) -> Result<tempfile::NamedTempFile> {
    let guard = one_at_a_time(folder_of(path));
    let is_claim = |path: &Path| path.to_string_lossy().ends_with(ENDING);
    let others = temporaries(folder_of(path), Some(&prefix(path))).into_iter().filter(|t| is_claim(&t.path));
    let busy = others.into_iter().any(|t| is_locked(&t.path) || (cfg!(not(unix)) && is_alive(t.process)));
    if busy {
        return Err(Error::Output { path: path.to_path_buf(), fault: "is being written by another process" });
    }
    let claim = temporary::temporary(path, ENDING).map_err(|e| Error::file("write", path)(e.kind().into()));
    drop(guard);
    claim
}

/// Keeps other processes from looking at the claims in a folder. Where folders cannot be locked, or one stays locked, two
/// processes that begin in the same moment may both pass.
#[cfg(unix)]
fn one_at_a_time(folder: &Path) -> Option<std::fs::File> {
    let open = std::fs::File::open(folder).ok()?;
    for _ in 0..200 {
        match open.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(5)),
            _ => break,
        }
    }
    Some(open)
}

#[cfg(not(unix))]
fn one_at_a_time(_folder: &Path) -> Option<std::fs::File> {
    None
}

/// Claims a folder that is written bit by bit, such as that of a training. It must be there. What killed processes left in
/// it is removed. Until the claim is dropped, files written aside in it are never more readable than the inputs.
pub fn claim_folder(folder: &Path, inputs: &[&Path]) -> Result<Claims> {
    let busy = |error| match error {
        Error::Output { fault, .. } => Error::Output { path: folder.to_path_buf(), fault },
        Error::File { doing, source, .. } => Error::File { doing, path: folder.to_path_buf(), source },
        other => other,
    };
    let file = exclusive(&folder.join("folder")).map_err(busy)?;
    remove_left_over(folder, None);
    let temporary = std::path::absolute(file.path()).unwrap_or(file.path().into());
    let (path, hidden) = (folder.to_path_buf(), hidden_by_any(inputs));
    entries().push(Entry { path, folder: true, new: false, hidden, temporary: temporary.clone() });
    Ok(Claims(vec![(temporary, file)]))
}

impl Drop for Claims {
    fn drop(&mut self) {
        let own = |entry: &Entry| self.0.iter().any(|(path, _)| *path == entry.temporary);
        entries().retain(|entry| !own(entry));
    }
}

/// Whether a name is claimed as a new one.
pub(super) fn is_new(path: &Path) -> bool {
    entries().iter().any(|entry| entry.new && entry.covers(path))
}

/// Permissions that the inputs behind a name do not give.
pub(super) fn hidden(path: &Path) -> u32 {
    entries().iter().filter(|entry| entry.covers(path)).fold(0, |all, entry| all | entry.hidden)
}

/// Removes all claims of the process, which is about to end.
pub(super) fn abandon() {
    for entry in entries().iter() {
        let _ = std::fs::remove_file(&entry.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AsideFile, write_whole};
    use super::*;
    use std::io::Write;

    #[test]
    fn outputs_replace_neither_inputs_nor_each_other_nor_what_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        write_whole(at("scan.nii"), b"scan").expect("room");
        write_whole(at("old.nii"), b"old").expect("room");
        let refused = |inputs: &[&Path], outputs: &[&Path], replace| {
            claim(inputs, outputs, replace).map(drop).expect_err("refused").to_string()
        };
        let (scan, old, new) = (at("scan.nii"), at("old.nii"), at("new.nii"));
        assert!(refused(&[&scan], &[&scan], true).contains("is an input"));
        assert!(refused(&[folder.path()], &[&old], true).contains("is an input"));
        let detour = at("nothing/../scan.nii");
        std::fs::create_dir(at("nothing")).expect("room");
        assert!(refused(&[&scan], &[&detour], true).contains("is an input"));
        assert!(refused(&[], &[&new, &at("./new.nii")], true).contains("two outputs"));
        assert!(refused(&[&scan], &[&old], false).ends_with("old.nii is there already"));
        assert!(refused(&[], &[folder.path()], true).contains("not empty"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&scan, at("link.nii")).expect("a link");
            assert!(refused(&[&scan], &[&at("link.nii")], true).contains("is an input"));
            std::fs::hard_link(&scan, at("hard.nii")).expect("a link");
            assert!(refused(&[&scan], &[&at("hard.nii")], true).contains("is an input"));
        }
        assert!(lies_within(&new, folder.path()) && lies_within(&detour, folder.path()));
        assert!(!lies_within(folder.path(), folder.path()) && !lies_within(&new, &at("nothing")));
        drop(claim(&[&scan], &[&old, &new], true).expect("replaced on request"));
        let left = temporaries(folder.path(), None);
        assert!(left.is_empty(), "a claim leaves nothing");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_has_one_writer_and_what_came_meanwhile_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.nii.gz");
        let claims = claim(&[], &[&path], false).expect("free");
        let busy = claim(&[], &[&path], false).expect_err("claimed").to_string();
        assert!(busy.contains("is being written by another process"), "{busy}");
        let mut file = AsideFile::create(&path).expect("a file");
        file.write_all(b"ours").expect("room");
        // Another program, which knows nothing of claims.
        std::fs::write(&path, b"theirs").expect("room");
        let error = file.finish().expect_err("taken").to_string();
        let beside = folder.path().join("a-2.nii.gz");
        assert!(error.contains("a-2.nii.gz"), "{error}");
        let read = |path: &Path| std::fs::read(path).expect("there");
        assert_eq!((read(&path), read(&beside)), (b"theirs".to_vec(), b"ours".to_vec()));
        drop(claims);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
        let run = claim_folder(folder.path(), &[]).expect("free");
        assert!(claim_folder(folder.path(), &[]).is_err());
        drop(run);
        claim_folder(folder.path(), &[]).expect("free again");
    }

    #[cfg(unix)]
    #[test]
    fn results_are_no_more_readable_than_inputs() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let series = folder.path().join("series");
        std::fs::create_dir(&series).expect("room");
        let slice = series.join("1.dcm");
        std::fs::write(&slice, b"slice").expect("room");
        std::fs::set_permissions(&slice, std::fs::Permissions::from_mode(0o640)).expect("allowed");
        let (file, derived) = (folder.path().join("a.nii"), folder.path().join("derived"));
        let _claims = claim(&[&series], &[&file, &derived], false).expect("free");
        write_whole(&file, b"voxels").expect("room");
        super::super::AsideFolder::create(&derived).and_then(|d| d.finish()).expect("room");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&file) & 0o007, mode(&derived) & 0o007), (0, 0));
        assert!(mode(&file) & 0o600 == 0o600 && mode(&derived) & 0o700 == 0o700);
        // A folder that is written bit by bit.
        let run = folder.path().join("run");
        std::fs::create_dir(&run).expect("room");
        let claims = claim_folder(&run, &[&series]).expect("free");
        write_whole(run.join("model.json"), b"card").expect("room");
        write_whole(folder.path().join("beside"), b"other").expect("room");
        drop(claims);
        write_whole(run.join("later"), b"other").expect("room");
        assert_eq!(mode(&run.join("model.json")), mode(&file));
        assert_eq!(mode(&run.join("later")), mode(&folder.path().join("beside")));
    }
}
