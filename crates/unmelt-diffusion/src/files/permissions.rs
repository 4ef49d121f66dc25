//! Who may read a result.

use std::path::Path;

/// Permissions that one of the inputs does not give.
pub(super) fn hidden_by_any(inputs: &[&Path]) -> u32 {
    inputs.iter().fold(0, |all, path| all | hidden_by(path))
}

/// Permissions of those that may not read a file, or not every file of a folder: all that they could have.
pub(super) fn hidden_by(source: &Path) -> u32 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        /// Files of a folder that are looked at.
        const LOOKED_AT: usize = 100_000;
        let (mut hidden, mut open, mut looked) = (0, vec![source.to_path_buf()], 0usize);
        while let Some(path) = open.pop() {
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            for class in [0o040, 0o004] {
                if metadata.permissions().mode() & class == 0 {
                    hidden |= class / 4 * 7;
                }
            }
            looked += 1;
            if metadata.is_dir() && !path.is_symlink() && looked < LOOKED_AT {
                let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
                open.extend(entries.take(LOOKED_AT).map(|e| e.path()));
            }
        }
        hidden
    }
    #[cfg(not(unix))]
    {
        let _ = source;
        0
    }
}
