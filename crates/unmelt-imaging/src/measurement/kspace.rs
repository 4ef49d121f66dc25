//! k-space data as complex numbers.

use rustfft::num_complex::Complex32;
use unmelt_diffusion::measurement::Measurement;

use crate::measurement::sampled;
pub use crate::measurement::sampled::sampling_of;
use crate::measurement::{Fourier, opposite};
use crate::{Error, FieldRef, Result};

/// Complex numbers with the shape of their array.
#[derive(Clone, Debug, PartialEq)]
pub struct ComplexArray {
    /// Sizes, the last runs fastest.
    pub shape: Vec<usize>,
    /// The numbers in that order.
    pub values: Vec<Complex32>,
}

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
    /// From an array `[y, x]`, `[coil, y, x]` or `[coil, slice, y, x]`, which messages call `name`.
    ///
    /// # Errors
    /// An array of another shape, or without numbers.
    pub fn new(array: ComplexArray, name: &str) -> Result<Self> {
        let (coils, shape) = match array.shape[..] {
            [y, x] => (1, [x, y, 1]),
            [c, y, x] => (c, [x, y, 1]),
            [c, z, y, x] => (c, [x, y, z]),
            _ => {
                let text = format!(
                    "its shape is {:?}, not [y, x], [coil, y, x] or [coil, slice, y, x]",
                    array.shape
                );
                return Err(Error::data("k-space file", name, text));
            }
        };
        if array.values.is_empty() {
            return Err(Error::data("k-space file", name, "it holds no number"));
        }
        Ok(Self { coils, shape, values: array.values })
    }

    /// The measurement behind the data, and the data, of the image with its middle in the middle. Sensitivities
    /// `[coil, slice, y, x]`, their middle in the middle too, come from a file or, if not given, from the fully sampled middle
    /// of k-space, phase included, so that the volume is real. What was sampled is found for every slice and every coil.
    ///
    /// # Errors
    /// Nothing but zeros, sensitivities of another shape.
    pub fn measurement(&self, sensitivities: Option<&Self>) -> Result<(Fourier, Vec<f32>)> {
        let [nx, ny, nz] = self.shape;
        let plane = nx * ny;
        let data = self.of_the_centred_image();
        let sampled = sampled::sampled(&data, self.shape);
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
            Some(maps) => Some(maps.values.clone()),
            None => self.estimate_sensitivities(&data, &sampled),
        };
        let noise = match maps {
            None => self.noise(&data).min(self.noise_of_pairs(&data).unwrap_or(f64::INFINITY)),
            Some(_) => self.noise(&data),
        };
        let maps = maps.map_or(Vec::new(), |m| m.chunks_exact(plane * nz).map(<[_]>::to_vec).collect());
        let data = data.iter().flat_map(|v| [v.re, v.im]).collect();
        Ok((Fourier::new(self.shape, sampled, maps, noise), data))
    }

    /// The k-space, zero frequency at index 0, of the image whose middle is in the middle: the Fourier transform puts it at
    /// index 0, from where a phase moves it.
    fn of_the_centred_image(&self) -> Vec<Complex32> {
        let [nx, ny, _] = self.shape;
        let turns = |n: usize| -> Vec<Complex32> {
            // Of −2π·k·⌊n/2⌋/n only the part within a turn counts.
            let angle = |k: usize| -std::f64::consts::TAU * (k * (n / 2) % n) as f64 / n as f64;
            (0..n).map(|k| Complex32::new(angle(k).cos() as f32, angle(k).sin() as f32)).collect()
        };
        let (of_x, of_y) = (turns(nx), turns(ny));
        let mut out = Vec::with_capacity(self.values.len());
        for plane in self.values.chunks_exact(nx * ny) {
            for y in 0..ny {
                for x in 0..nx {
                    let value = plane[(y + ny / 2) % ny * nx + (x + nx / 2) % nx];
                    out.push(value * of_x[x] * of_y[y]);
                }
            }
        }
        out
    }

    /// Noise of real and imaginary parts: the median magnitude of what was sampled at high frequencies, where a head has
    /// next to no signal, over that of a Rayleigh distribution.
    fn noise(&self, data: &[Complex32]) -> f64 {
        let [nx, ny, _] = self.shape;
        let frequency = |k: usize, n: usize| k.min(n - k) as f64 / n as f64;
        let far = |k: usize| frequency(k % nx, nx).hypot(frequency(k / nx % ny, ny)) > 0.4;
        let high = data.iter().enumerate().filter(|(k, v)| far(*k) && v.norm_sqr() > 0.0);
        let magnitudes: Vec<f32> = high.map(|(_, v)| v.norm()).collect();
        median(&magnitudes).map_or(0.0, |m| m / MEDIAN_OF_RAYLEIGH)
    }

    /// The same of the image of one coil that is real, if pairs enough of opposite frequencies were sampled: of the signal both
    /// say the same, of the noise they do not.
    fn noise_of_pairs(&self, data: &[Complex32]) -> Option<f64> {
        let [nx, ny, _] = self.shape;
        let mut differences = Vec::new();
        for plane in data.chunks_exact(nx * ny) {
            for (k, v) in plane.iter().enumerate() {
                let other = opposite(k, [nx, ny]);
                if other > k && v.norm_sqr() > 0.0 && plane[other].norm_sqr() > 0.0 {
                    differences.push((v - plane[other].conj()).norm() * std::f32::consts::FRAC_1_SQRT_2);
                }
            }
        }
        (differences.len() >= 64).then(|| median(&differences).unwrap_or(0.0) / MEDIAN_OF_RAYLEIGH)
    }

    /// Low-resolution images over their root sum of squares; none for one coil that sees a real image.
    fn estimate_sensitivities(&self, data: &[Complex32], sampled: &[bool]) -> Option<Vec<Complex32>> {
        let [nx, ny, nz] = self.shape;
        let plane = nx * ny;
        // The middle that every slice has sampled without gaps, but at most a twelfth of each axis on either side.
        let frequency = |k: usize, n: usize| k.min(n - k) as f64 / n as f64;
        let full = |reach: f64| {
            (0..plane).all(|k| {
                let near = frequency(k % nx, nx) <= reach && frequency(k / nx, ny) <= reach;
                !near || sampled.chunks_exact(plane).all(|p| p[k] || !p.contains(&true))
            })
        };
        let reach = (1..=8).map(|k| k as f64 / 96.0).take_while(|r| full(*r)).last().unwrap_or(1.0 / 96.0);
        let window = |k: usize| {
            let r = frequency(k % nx, nx).hypot(frequency(k / nx, ny)) / reach;
            if r <= 1.0 { (0.5 + 0.5 * (std::f64::consts::PI * r).cos()) as f32 } else { 0.0 }
        };
        let low: Vec<Complex32> = data.iter().enumerate().map(|(k, v)| v * window(k % plane)).collect();
        let mut maps = Fourier::new(self.shape, vec![true; plane], Vec::new(), 0.0).inverse_planes(low);
        if self.coils == 1 {
            let power =
                |of: fn(&Complex32) -> f32| maps.iter().map(|v| f64::from(of(v)).powi(2)).sum::<f64>();
            // Negative parts would be a phase of half a turn.
            let is_real = power(|v| v.im) < IMAGINARY_PART * power(|v| v.norm())
                && power(|v| v.re.min(0.0)) < 0.05 * power(|v| v.norm());
            if is_real {
                return None;
            }
        }
        let count = plane * nz;
        for k in 0..count {
            let power: f32 = (0..self.coils).map(|c| maps[c * count + k].norm_sqr()).sum();
            let root = power.sqrt().max(1e-20);
            (0..self.coils).for_each(|c| maps[c * count + k] /= root);
        }
        Some(maps)
    }
}

/// Median of the magnitude of complex noise whose parts have a standard deviation of 1.
const MEDIAN_OF_RAYLEIGH: f64 = 1.177_41;

/// Part of the power of a smooth image that may be imaginary for it to count as real: a phase of about two degrees.
const IMAGINARY_PART: f64 = 1e-3;

fn median(numbers: &[f32]) -> Option<f64> {
    crate::field::intensity::percentiles(numbers, 50.0, 50.0).map(|(median, _)| median)
}

/// The measurement and data of a real image whose k-space was zero outside of `sampled`, `[y, x]` for all slices or
/// `[slice, y, x]`, the zero frequency in the middle. A frequency and its negative hold the same of a real image, so one of them is
/// enough.
///
/// # Errors
/// A mask of another size or without any mark.
pub fn of_zero_filled(image: FieldRef, sampled: &[bool]) -> Result<(Fourier, Vec<f32>)> {
    let (voxels, shape) = (image.values(), image.shape());
    let [nx, ny, nz] = shape;
    let plane = nx * ny;
    if sampled.len() != plane && sampled.len() != plane * nz {
        return Err(Error::Request(
            "the sampling mask is not of the size of a slice, nor of all slices".into(),
        ));
    }
    let at = |k: usize| (k / nx + ny / 2) % ny * nx + (k % nx + nx / 2) % nx;
    let negative = |k: usize| opposite(k, [nx, ny]);
    let shifted: Vec<bool> =
        sampled.chunks_exact(plane).flat_map(|p| (0..plane).map(move |k| p[at(k)])).collect();
    if !shifted.contains(&true) {
        return Err(Error::Request("the sampling mask is empty".into()));
    }
    let both: Vec<bool> =
        shifted.chunks_exact(plane).flat_map(|p| (0..plane).map(move |k| p[k] || p[negative(k)])).collect();
    let measurement = Fourier::new(shape, both, Vec::new(), 0.0);
    let mut data = measurement.forward(voxels);
    for (data, sampled) in data.chunks_exact_mut(2 * plane).zip(shifted.chunks_exact(plane).cycle()) {
        for (k, pair) in data.chunks_exact_mut(2).enumerate() {
            // The real part of a zero-filled image has half of what was sampled at one of the two alone.
            if sampled[k] != sampled[negative(k)] {
                pair.iter_mut().for_each(|v| *v *= 2.0);
            }
        }
    }
    Ok((measurement, data))
}
