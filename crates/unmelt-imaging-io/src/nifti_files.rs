//! NIfTI files for a training.

use std::path::{Path, PathBuf};

use unmelt_imaging::{Gathered, VolumeSource};

use crate::{Error, Result, nifti};

/// The volumes of NIfTI files and of folders of them.
#[derive(Clone, Debug, Default)]
pub struct NiftiFiles {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Files whose name contains one of these are left out.
    pub exclude: Vec<String>,
}

impl NiftiFiles {
    /// The files, those of a folder sorted.
    ///
    /// # Errors
    /// A folder that cannot be read or holds no NIfTI file.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let all = self.paths.iter().map(|p| nifti_files(p)).collect::<Result<Vec<_>>>()?.concat();
        Ok(all.into_iter().filter(|file| !self.is_left_out(file)).collect())
    }

    fn is_left_out(&self, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        self.exclude.iter().any(|e| name.contains(e.as_str()))
    }
}

impl VolumeSource for NiftiFiles {
    fn paths(&self) -> Vec<PathBuf> {
        self.paths.clone()
    }

    fn read(&self) -> unmelt_imaging::Result<Gathered> {
        let mut all = Gathered::default();
        for path in self.files()? {
            match nifti::read(&path, None) {
                Ok(reading) => {
                    all.warnings.extend(reading.warnings);
                    all.volumes.push(reading.scan.volume);
                }
                Err(e) => all.warnings.push(format!("{e}; it is left out")),
            }
        }
        Ok(all)
    }
}

/// The NIfTI files of a folder, sorted, or the file itself.
///
/// # Errors
/// A folder that cannot be read or holds no NIfTI file.
pub fn nifti_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let entries = std::fs::read_dir(path).map_err(Error::file("read", path))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| {
            let name = p.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            // Hidden files are what other programs keep beside scans.
            !name.starts_with('.') && [".nii", ".nii.gz", ".hdr", ".hdr.gz"].iter().any(|e| name.ends_with(e))
        })
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::format("folder of volumes", path, "it holds no NIfTI file"));
    }
    Ok(files)
}
