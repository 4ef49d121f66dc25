//! k-space data from `.npy` files, as complex numbers.

use std::path::Path;

use rustfft::num_complex::Complex32;
use unmelt_diffusion::measurement::Measurement;

use crate::measurement::{Fourier, opposite};
use crate::{Error, Result};

pub use crate::npy::{ComplexArray, read_npy};

/// k-space of slices seen by coils, `[coil, slice, y, x]`, the zero frequency in the middle as scanners store it.
#[derive(Clone, Debug, PartialEq)]
pub struct KSpace {
    /// Number of coils.
    pub coils: usize,
    /// Voxels along x, y and slices.
    pub shape: [usize; 3],
    values: Vec<Complex32>,
}

impl KSpace {
    /// From an array `[y, x]`, `[coil, y, x]` or `[coil, slice, y, x]`.
    pub fn new(array: ComplexArray, path: &Path) -> Result<Self> {
        let (coils, shape) = match array.shape[..] {
            [y, x] => (1, [x, y, 1]),
            [c, y, x] => (c, [x, y, 1]),
            [c, z, y, x] => (c, [x, y, z]),
            _ => {
                let text = format!(
                    "its shape is {:?}, not [y, x], [coil, y, x] or [coil, slice, y, x]",
                    array.shape
                );
                return Err(Error::format("k-space file", path, text));
            }
        };
        if array.values.is_empty() {
            return Err(Error::format("k-space file", path, "it holds no number"));
        }
        Ok(Self { coils, shape, values: array.values })
    }

    /// The measurement behind the data, and the data. Sensitivities `[coil, slice, y, x]` come from a file or, if not
    /// given, from the fully sampled middle of k-space, phase included, so that the volume is real.
    pub fn measurement(&self, sensitivities: Option<&Self>) -> Result<(Fourier, Vec<f32>)> {
        let [nx, ny, nz] = self.shape;
        let plane = nx * ny;
        let shifted = self.uncentred();
        let sampled: Vec<bool> =
            (0..plane).map(|k| shifted.chunks_exact(plane).any(|p| p[k].norm_sqr() > 0.0)).collect();
        if !sampled.contains(&true) {
            return Err(Error::Request("the k-space holds nothing but zeros".into()));
        }
        let maps = match sensitivities {
            Some(maps) if maps.shape != self.shape || maps.coils != self.coils => {
                return Err(Error::Request(format!(
                    "the sensitivities are of {} coils and {:?} voxels, the k-space of {} and {:?}",
                    maps.coils, maps.shape, self.coils, self.shape
                )));
            }
            Some(maps) => maps.uncentred(),
            None => self.estimate_sensitivities(&shifted, &sampled),
        };
        let maps = maps.chunks_exact(plane * nz).map(<[Complex32]>::to_vec).collect();
        let data = shifted.iter().flat_map(|v| [v.re, v.im]).collect();
        let noise = self.noise(&shifted);
        Ok((Fourier::new(self.shape, sampled, maps, noise), data))
    }

    /// Noise of real and imaginary parts: the median magnitude of what was sampled at high frequencies, where a head has
    /// next to no signal, over that of a Rayleigh distribution.
    fn noise(&self, data: &[Complex32]) -> f64 {
        let [nx, ny, _] = self.shape;
        let frequency = |k: usize, n: usize| k.min(n - k) as f64 / n as f64;
        let far = |k: usize| frequency(k % nx, nx).hypot(frequency(k / nx % ny, ny)) > 0.4;
        let high = data.iter().enumerate().filter(|(k, v)| far(*k) && v.norm_sqr() > 0.0);
        let magnitudes: Vec<f32> = high.map(|(_, v)| v.norm()).collect();
        crate::intensity::percentiles(&magnitudes, 50.0, 50.0).map_or(0.0, |(median, _)| median / 1.177_41)
    }

    /// Every plane with its middle moved to index 0.
    fn uncentred(&self) -> Vec<Complex32> {
        let [nx, ny, _] = self.shape;
        let mut out = Vec::with_capacity(self.values.len());
        for plane in self.values.chunks_exact(nx * ny) {
            for y in 0..ny {
                for x in 0..nx {
                    out.push(plane[(y + ny / 2) % ny * nx + (x + nx / 2) % nx]);
                }
            }
        }
        out
    }

    /// Low-resolution images over their root sum of squares.
    fn estimate_sensitivities(&self, data: &[Complex32], sampled: &[bool]) -> Vec<Complex32> {
        let [nx, ny, nz] = self.shape;
        let plane = nx * ny;
        // The middle that is sampled without gaps, but at most a twelfth of each axis on either side.
        let frequency = |k: usize, n: usize| k.min(n - k) as f64 / n as f64;
        let full = |reach: f64| {
            (0..plane).all(|k| {
                let near = frequency(k % nx, nx) <= reach && frequency(k / nx, ny) <= reach;
                !near || sampled[k]
            })
        };
        let reach = (1..=8).map(|k| k as f64 / 96.0).take_while(|r| full(*r)).last().unwrap_or(1.0 / 96.0);
        let window = |k: usize| {
            let r = frequency(k % nx, nx).hypot(frequency(k / nx, ny)) / reach;
            if r <= 1.0 { (0.5 + 0.5 * (std::f64::consts::PI * r).cos()) as f32 } else { 0.0 }
        };
        let low: Vec<Complex32> = data.iter().enumerate().map(|(k, v)| v * window(k % plane)).collect();
        let images = Fourier::new(self.shape, vec![true; plane], Vec::new(), 0.0).inverse_planes(low);
        let count = plane * nz;
        let mut maps = images;
        for k in 0..count {
            let power: f32 = (0..self.coils).map(|c| maps[c * count + k].norm_sqr()).sum();
            let root = power.sqrt().max(1e-20);
            (0..self.coils).for_each(|c| maps[c * count + k] /= root);
        }
        maps
    }

    /// A volume with index 0 in the middle, from one as the measurement has it.
    pub fn centred(&self, voxels: &[f32]) -> Vec<f32> {
        let [nx, ny, _] = self.shape;
        let mut out = Vec::with_capacity(voxels.len());
        for plane in voxels.chunks_exact(nx * ny) {
            for y in 0..ny {
                for x in 0..nx {
                    out.push(plane[(y + ny - ny / 2) % ny * nx + (x + nx - nx / 2) % nx]);
                }
            }
        }
        out
    }
}

/// The measurement and data of a real image whose k-space was zero outside of `sampled` `[y, x]`, the zero frequency in
/// the middle. A frequency and its negative hold the same of a real image, so one of them is enough.
pub fn of_zero_filled(voxels: &[f32], shape: [usize; 3], sampled: &[bool]) -> Result<(Fourier, Vec<f32>)> {
    let [nx, ny, _] = shape;
    if sampled.len() != nx * ny {
        return Err(Error::Request("the sampling mask is not of the size of a slice".into()));
    }
    let at = |k: usize| (k / nx + ny / 2) % ny * nx + (k % nx + nx / 2) % nx;
    let negative = |k: usize| opposite(k, [nx, ny]);
    let shifted: Vec<bool> = (0..nx * ny).map(|k| sampled[at(k)]).collect();
    if !shifted.contains(&true) {
        return Err(Error::Request("the sampling mask is empty".into()));
    }
    let both: Vec<bool> = (0..nx * ny).map(|k| shifted[k] || shifted[negative(k)]).collect();
    let measurement = Fourier::new(shape, both, Vec::new(), 0.0);
    let mut data = measurement.forward(voxels);
    for (k, pair) in data.chunks_exact_mut(2).enumerate() {
        let k = k % (nx * ny);
        // The real part of a zero-filled image has half of what was sampled at one of the two alone.
        if shifted[k] != shifted[negative(k)] {
            pair.iter_mut().for_each(|v| *v *= 2.0);
        }
    }
    Ok((measurement, data))
}
