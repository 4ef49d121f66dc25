//! Headers of version 1 by hand, after nifti1.h.

use std::path::{Path, PathBuf};

use unmelt_imaging_io::nifti::read;

/// A header of version 1 by hand, after nifti1.h; little-endian unless `big`.
pub struct Raw {
    pub bytes: Vec<u8>,
    big: bool,
}

impl Raw {
    pub fn new(dim: &[i16], datatype: i16, bits: i16, big: bool) -> Self {
        let mut raw = Self { bytes: vec![0; 352], big };
        raw.i32(0, 348);
        raw.i16(40, dim.len() as i16);
        dim.iter().enumerate().for_each(|(k, d)| raw.i16(42 + 2 * k, *d));
        raw.i16(70, datatype);
        raw.i16(72, bits);
        (0..8).for_each(|k| raw.f32(76 + 4 * k, 1.0));
        raw.f32(108, 352.0);
        raw.bytes[344..348].copy_from_slice(b"n+1\0");
        raw
    }

    fn put(&mut self, at: usize, mut word: Vec<u8>) {
        if self.big {
            word.reverse();
        }
        self.bytes[at..at + word.len()].copy_from_slice(&word);
    }

    pub fn i16(&mut self, at: usize, v: i16) {
        self.put(at, v.to_le_bytes().to_vec());
    }

    pub fn i32(&mut self, at: usize, v: i32) {
        self.put(at, v.to_le_bytes().to_vec());
    }

    pub fn f32(&mut self, at: usize, v: f32) {
        self.put(at, v.to_le_bytes().to_vec());
    }

    /// sform: spacing 2 mm, first voxel at (−10, −20, −30).
    pub fn placed(mut self) -> Self {
        self.i16(254, 1);
        for (row, origin) in [-10.0, -20.0, -30.0].into_iter().enumerate() {
            self.f32(280 + 16 * row + 4 * row, 2.0);
            self.f32(280 + 16 * row + 12, origin);
        }
        self
    }

    pub fn save(&self, folder: &Path, name: &str, voxels: &[u8]) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, [self.bytes.as_slice(), voxels].concat()).expect("written");
        path
    }
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What is said of a file that cannot be read.
pub fn complaint(path: &Path) -> String {
    read(path, None).expect_err("a bad file").to_string()
}

/// Numbers of a header of version 1, little-endian, as they lie in a file.
pub struct Fields(Vec<u8>);

impl Fields {
    pub fn of(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("readable");
        assert_eq!(bytes[..4], 348i32.to_le_bytes());
        Self(bytes)
    }

    pub fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.0[at..at + 2].try_into().expect("two bytes"))
    }

    pub fn f32(&self, at: usize) -> f64 {
        f32::from_le_bytes(self.0[at..at + 4].try_into().expect("four bytes")).into()
    }

    pub fn byte(&self, at: usize) -> u8 {
        self.0[at]
    }

    pub fn text(&self, at: usize, length: usize) -> String {
        String::from_utf8_lossy(&self.0[at..at + length]).trim_end_matches('\0').into()
    }

    /// The rows of the sform.
    pub fn sform(&self) -> [[f64; 4]; 3] {
        std::array::from_fn(|r| std::array::from_fn(|c| self.f32(280 + 16 * r + 4 * c)))
    }

    /// The rows of the qform, by the formula of nifti1.h.
    pub fn qform(&self) -> [[f64; 4]; 3] {
        let [b, c, d] = [256, 260, 264].map(|at| self.f32(at));
        let squares = b * b + c * c + d * d;
        assert!(squares <= 1.0 + 3.5e-7, "nibabel refuses {squares}");
        let a = (1.0 - squares).max(0.0).sqrt();
        let handed = self.f32(76);
        assert!(handed == 1.0 || handed == -1.0, "{handed}");
        let spacing = [self.f32(80), self.f32(84), handed * self.f32(88)];
        let turn = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
            [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
            [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ];
        std::array::from_fn(|r| {
            std::array::from_fn(|c| if c == 3 { self.f32(268 + 4 * r) } else { turn[r][c] * spacing[c] })
        })
    }
}
