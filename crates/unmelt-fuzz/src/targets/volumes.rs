//! Files of volumes.

use std::io::Write;
use std::path::{Path, PathBuf};

use unmelt_imaging::kspace::KSpace;
use unmelt_imaging::{Grid, Volume};
use unmelt_imaging_io::nifti::{Element, write};
use unmelt_imaging_io::npy::read_npy;
use unmelt_imaging_io::{Choice, Reading, Scan};

use super::{BINARY, OfFile, Read, Target, seed};

pub fn targets() -> Vec<Target> {
    let nifti = Target { tokens: &["n+1\0", "ni1\0", "n+2\0\r\n\x1a\n"], ..BINARY };
    vec![
        Target { name: "nifti", number: 20, open: |folder| OfFile::open(folder, "x.nii", volume), ..nifti },
        Target {
            name: "nifti-gz",
            number: 21,
            open: |folder| Ok(Box::new(Gzip(folder.join("x.nii.gz")))),
            ..nifti
        },
        Target { name: "nifti-pair", number: 22, open: |folder| Ok(Box::new(Pair(folder.into()))), ..nifti },
        Target {
            name: "gzip",
            number: 23,
            tokens: &["\x1f"],
            open: |folder| OfFile::open(folder, "x.nii.gz", volume),
            ..BINARY
        },
        Target {
            name: "npy",
            number: 24,
            tokens: &[
                "NUMPY",
                "'descr'",
                "'<c8'",
                "'<c16'",
                "'fortran_order'",
                "True",
                "'shape'",
                "(2, 3, 4)",
                "(",
                "{",
            ],
            open: |folder| OfFile::open(folder, "x.npy", kspace),
            ..BINARY
        },
        Target {
            name: "dicom",
            number: 25,
            tokens: &DICOM,
            open: |folder| OfFile::open(folder, "x.dcm", volume),
            ..BINARY
        },
        Target {
            name: "dicom-series",
            number: 26,
            tokens: &DICOM,
            open: |folder| Series::open(folder).map(|s| Box::new(s) as _),
            ..BINARY
        },
    ]
}

const DICOM: [&str; 24] = [
    "DICM",
    "\u{8}\0",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.1.99",
    "SQ\0\0",
    "UI",
    "DS",
    "IS",
    "OW\0\0",
    "US",
    "MONOCHROME1",
    "MONOCHROME2",
    "PALETTE COLOR",
    "RGB",
    "MOSAIC",
    "\\",
    "ISO_IR 192",
    "1\\0\\0\\0\\1\\0",
    " ",
];

fn volume(path: &Path) -> Result<String, String> {
    let reading = Scan::read(path, &Choice::default()).map_err(|e| e.to_string())?;
    Ok(answer(&reading))
}

/// What a reading holds; a volume must be whole and made of numbers.
fn answer(reading: &Reading) -> String {
    let Volume { voxels, grid, .. } = &reading.scan.volume;
    let count: usize = grid.shape.iter().product();
    assert_eq!(voxels.len(), count, "{:?} has {count} voxels", grid.shape);
    assert!(voxels.iter().all(|v| v.is_finite()), "a voxel that is no number");
    assert!(grid.affine.iter().all(|v| v.is_finite()), "a place that is no number: {}", grid.affine);
    format!("a volume, {}", reading.warnings.first().map_or("", String::as_str))
}

fn kspace(path: &Path) -> Result<String, String> {
    let array = read_npy(path).map_err(|e| e.to_string())?;
    assert_eq!(array.values.len(), array.shape.iter().product::<usize>(), "a shape that is not filled");
    let kspace = KSpace::new(array, &path.display().to_string()).map_err(|e| e.to_string())?;
    Ok(format!("{} coils", kspace.coils.min(2)))
}

/// Bytes packed with gzip.
pub fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// A file that is packed with gzip.
struct Gzip(PathBuf);

impl Read for Gzip {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        std::fs::write(&self.0, gzip(bytes).map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        volume(&self.0)
    }
}

/// Header and voxels in two files.
struct Pair(PathBuf);

impl Read for Pair {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        let (header, voxels) = bytes.split_at(bytes.len().min(348));
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(self.0.join(name), bytes).map_err(|e| e.to_string());
        write("x.hdr", header)?;
        write("x.img", voxels)?;
        volume(&self.0.join("x.hdr"))
    }
}

/// A broken slice between two whole ones.
struct Series(PathBuf);

impl Series {
    fn open(folder: &Path) -> Result<Self, String> {
        let own = folder.join("series");
        let corpus = crate::corpus::folder("dicom-series");
        std::fs::create_dir_all(&own).map_err(|e| e.to_string())?;
        for name in ["slice-1.dcm", "slice-3.dcm"] {
            std::fs::copy(corpus.join(name), own.join(name))
                .map_err(|e| format!("{}: {e}", corpus.display()))?;
        }
        Ok(Self(own))
    }
}

impl Read for Series {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        std::fs::write(self.0.join("slice-2.dcm"), bytes).map_err(|e| e.to_string())?;
        volume(&self.0)
    }
}

pub fn write_corpus() -> Result<(), String> {
    let mut npy =
        b"\x93NUMPY\x01\0v\0{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3, 4), }".to_vec();
    npy.resize(127, b' ');
    npy.push(b'\n');
    npy.extend((0..48).flat_map(|k| (k as f32 * 0.25).to_le_bytes()));
    seed("npy", "hand.npy", &npy)?;
    let voxels: Vec<f32> = (0..60).map(|k| k as f32 * 3.5 - 20.0).collect();
    let volume = Volume::new(voxels, Grid::centred([5, 4, 3], [1.0, 1.5, 2.0]));
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let path = folder.path().join("own.nii");
    write(&Scan::new(volume), Element::Float32, &path).map_err(|e| e.to_string())?;
    let nifti = std::fs::read(&path).map_err(|e| e.to_string())?;
    if nifti.len() < 352 {
        return Err("a NIfTI file was written without voxels".into());
    }
    seed("nifti", "own.nii", &nifti)?;
    seed("nifti-gz", "own.nii", &nifti)?;
    seed("gzip", "own.nii.gz", &gzip(&nifti).map_err(|e| e.to_string())?)
}
