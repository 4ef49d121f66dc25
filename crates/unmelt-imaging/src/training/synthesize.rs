//! Scans without end from label maps: the idea of SynthSeg (Billot et al. 2023), made for priors.
//!
//! A label map is deformed, every label is given an intensity and a texture, and the result is blurred, shaded and
//! bent in contrast. Contrasts are drawn from tissue palettes or at random, so that neighbours differ in all ways.

use rayon::prelude::*;
use unmelt_diffusion::{Noise, Stream};

use crate::field::coarse_field::CoarseField;
use crate::field::convolve::{convolve_axis, gaussian};
use crate::field::random_stream::RandomStream;
use crate::training::deformation::{Deformation, Shifts};
use crate::{Field, FieldRef, Grid, Volume};

/// Purposes of the noise.
mod purpose {
    pub const SHAPE: u16 = 200;
    pub const CONTRAST: u16 = 201;
    pub const FIELD: u16 = 202;
    pub const TEXTURE: u16 = 203;
    pub const SHADING: u16 = 204;
    pub const GRAIN: u16 = 205;
}

/// A label map, its labels numbered from 0 (background).
#[derive(Clone, Debug)]
pub struct LabelMap {
    numbers: Vec<u8>,
    /// The label of each number.
    labels: Vec<u16>,
    /// Where its voxels lie.
    pub grid: Grid,
    centre: [f64; 3],
}

/// What a label is made of, for palettes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Tissue {
    Background,
    White,
    Grey,
    Deep,
    Fluid,
    Outside,
}

/// FreeSurfer's label numbers.
fn tissue(label: u16) -> Tissue {
    match label {
        0 => Tissue::Background,
        2 | 7 | 16 | 28 | 41 | 46 | 60 | 77 | 85 => Tissue::White,
        3 | 8 | 17 | 18 | 42 | 47 | 53 | 54 => Tissue::Grey,
        10 | 11 | 12 | 13 | 26 | 49 | 50 | 51 | 52 | 58 => Tissue::Deep,
        4 | 5 | 14 | 15 | 24 | 29 | 31 | 43 | 44 | 72 => Tissue::Fluid,
        _ => Tissue::Outside,
    }
}

/// The left label of a pair, so that both halves look alike.
fn paired(label: u16) -> u16 {
    match label {
        41..=44 => label - 39,
        46 | 47 => label - 39,
        49..=52 => label - 39,
        53 | 54 => label - 36,
        58 | 60 => label - 32,
        137 => 136,
        164 => 163,
        other => other,
    }
}

impl LabelMap {
    /// Labels of a volume, rounded; more than 255 different ones are counted as background.
    pub fn of(volume: &Volume) -> Self {
        let mut labels = vec![0u16];
        let numbers: Vec<u8> = volume
            .voxels
            .iter()
            .map(|v| {
                let label = v.round().clamp(0.0, 65_535.0) as u16;
                let known = labels.iter().position(|l| *l == label);
                let number = known.unwrap_or(labels.len());
                if number > 255 {
                    return 0;
                }
                if known.is_none() {
                    labels.push(label);
                }
                number as u8
            })
            .collect();
        let inside: Vec<bool> = numbers
            .iter()
            .map(|n| !matches!(tissue(labels[usize::from(*n)]), Tissue::Background | Tissue::Outside))
            .collect();
        let centre = crate::field::intensity::centre(FieldRef::new(&inside, volume.grid.shape));
        Self { numbers, labels, grid: volume.grid, centre }
    }

    /// Index of the middle of the brain.
    pub fn centre(&self) -> [f64; 3] {
        self.centre
    }

    /// Whether a voxel belongs to anything.
    pub fn is_inside(&self, index: [usize; 3]) -> bool {
        self.number(index.map(|v| v as f64)) > 0
    }

    fn number(&self, at: [f64; 3]) -> u8 {
        let n = self.grid.shape;
        let i = at.map(|v| v.round());
        if (0..3).any(|a| i[a] < 0.0 || i[a] >= n[a] as f64) {
            return 0;
        }
        self.numbers[(i[2] as usize * n[1] + i[1] as usize) * n[0] + i[0] as usize]
    }
}

/// A box of voxels; it may reach beyond the map.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// First voxel.
    pub start: [i64; 3],
    /// Number of voxels.
    pub shape: [usize; 3],
}

impl Window {
    /// The places of its voxels, x fastest.
    pub(crate) fn places(self) -> impl Iterator<Item = [f64; 3]> {
        let [nx, ny, nz] = self.shape;
        let index = move |k: usize| [k % nx, k / nx % ny, k / (nx * ny)];
        (0..nx * ny * nz).map(move |k| std::array::from_fn(|a| (self.start[a] + index(k)[a] as i64) as f64))
    }

    fn grown(self, margin: usize) -> Self {
        Self { start: self.start.map(|s| s - margin as i64), shape: self.shape.map(|n| n + 2 * margin) }
    }
}

/// Voxels around a window that blurring needs.
const MARGIN: usize = 6;

/// A synthetic scan, in units of the robust range: one draw of everything, from seed and sample number alone.
pub struct Synthesis<'a> {
    map: &'a LabelMap,
    noise: Noise,
    sample: u64,
    deformation: Deformation,
    shading: CoarseField<1>,
    means: Vec<f32>,
    spreads: Vec<f32>,
    blur: [f64; 3],
    slice: Option<(usize, usize)>,
    gamma: f32,
    grain: f32,
    background: f32,
}

impl<'a> Synthesis<'a> {
    /// Draws shape, contrast and quality.
    pub fn new(map: &'a LabelMap, noise: Noise, sample: u64) -> Self {
        let mut draw = RandomStream::new(noise, sample, purpose::SHAPE);
        let shifts = Shifts { noise, sample, purpose: purpose::FIELD };
        let deformation = Deformation::draw(&mut draw, shifts, map.centre, map.grid.shape);
        let strength = draw.between(0.0, 0.25);
        let shading = CoarseField::new(
            noise,
            sample,
            purpose::SHADING,
            map.grid.shape,
            draw.between(50.0, 90.0),
            strength,
        );
        let blur = draw.between(0.35, 0.9);
        let slice = (draw.unit() < 0.12)
            .then(|| ((draw.unit() * 3.0) as usize % 3, 2 + (draw.unit() * 3.0) as usize));
        let gamma = (0.2 * draw.normal()).exp() as f32;
        let grain = if draw.unit() < 0.3 { draw.between(0.0, 0.01) as f32 } else { 0.0 };
        let (means, spreads) = contrast(&map.labels, noise, sample);
        Self {
            map,
            noise,
            sample,
            deformation,
            shading,
            background: means[0],
            means,
            spreads,
            blur: std::array::from_fn(|_| blur * draw.between(0.8, 1.25)),
            slice,
            gamma,
            grain,
        }
    }

    /// The voxels of a window, x fastest.
    pub fn window(&self, window: Window) -> Vec<f32> {
        let wide = window.grown(MARGIN);
        let mut voxels = self.painted(wide);
        for axis in 0..3 {
            convolve_axis(&mut voxels, axis, &gaussian(self.blur[axis]));
        }
        if let Some((axis, width)) = self.slice {
            convolve_axis(&mut voxels, axis, &vec![1.0 / width as f32; width]);
        }
        let mut grain = vec![0.0f32; if self.grain > 0.0 { window.shape.iter().product() } else { 0 }];
        self.noise.normal(Stream::new(self.sample, purpose::GRAIN, 0), &mut grain);
        let mut out = Vec::with_capacity(window.shape.iter().product());
        let [nx, ny, nz] = window.shape;
        for z in 0..nz {
            for y in 0..ny {
                for x in 0..nx {
                    let at = ((z + MARGIN) * wide.shape[1] + y + MARGIN) * wide.shape[0] + x + MARGIN;
                    let index = [x, y, z];
                    let place = std::array::from_fn(|a| (window.start[a] + index[a] as i64) as f64);
                    let [shade] = self.shading.at(place);
                    let v = voxels.values()[at].max(0.0).powf(self.gamma) * (shade as f32).exp();
                    let noise = grain.get(out.len()).map_or(0.0, |g| g * self.grain);
                    out.push((v + noise).max(0.0));
                }
            }
        }
        out
    }

    /// Labels at deformed places, painted with intensity and texture.
    fn painted(&self, window: Window) -> Field {
        let [nx, ny, nz] = window.shape;
        let plane = nx * ny;
        let mut voxels = vec![0.0f32; plane * nz];
        voxels.par_chunks_mut(plane).enumerate().for_each(|(z, out)| {
            let step = (window.start[2] + z as i64 + 4096) as u32;
            let mut texture = vec![0.0f32; plane];
            self.noise.normal(Stream::new(self.sample, purpose::TEXTURE, step), &mut texture);
            for y in 0..ny {
                for x in 0..nx {
                    let index = [x, y, z];
                    let at: [f64; 3] = std::array::from_fn(|a| (window.start[a] + index[a] as i64) as f64);
                    let number = usize::from(self.map.number(self.deformation.source(at)));
                    let k = y * nx + x;
                    let v = self.means[number] + self.spreads[number] * texture[k];
                    out[k] = if number == 0 { self.background } else { v };
                }
            }
        });
        Field::new(voxels, window.shape)
    }
}

/// Mean and spread of each label's intensity; the brightest is near 1.
fn contrast(labels: &[u16], noise: Noise, sample: u64) -> (Vec<f32>, Vec<f32>) {
    let mut draw = RandomStream::new(noise, sample, purpose::CONTRAST);
    let kind = draw.unit();
    let stripped = draw.unit() < 0.5;
    // White, grey, deep, fluid: T1-like, T2-like, FLAIR-like, or anything.
    let base: [f64; 4] = if kind < 0.3 {
        [draw.between(0.8, 1.0), draw.between(0.5, 0.75), draw.between(0.6, 0.85), draw.between(0.05, 0.35)]
    } else if kind < 0.45 {
        [draw.between(0.25, 0.45), draw.between(0.4, 0.65), draw.between(0.3, 0.5), draw.between(0.8, 1.0)]
    } else if kind < 0.6 {
        [draw.between(0.5, 0.7), draw.between(0.65, 0.9), draw.between(0.55, 0.8), draw.between(0.05, 0.3)]
    } else {
        std::array::from_fn(|_| draw.between(0.1, 1.0))
    };
    let wild = kind > 0.85;
    let texture = draw.between(0.01, 0.08);
    let background = if draw.unit() < 0.8 { 0.0 } else { draw.between(0.0, 0.1) };
    let mut drawn = std::collections::BTreeMap::new();
    let mut means = Vec::new();
    let mut spreads = Vec::new();
    for &label in labels {
        let (mean, spread) = *drawn.entry(paired(label)).or_insert_with(|| {
            let jitter = 0.04 * draw.normal();
            let free = draw.between(0.02, 1.0);
            let spread = texture * draw.between(0.5, 1.5);
            match tissue(label) {
                Tissue::Background => (background, 0.0),
                Tissue::Outside if stripped => (background, 0.0),
                Tissue::Outside => (free, spread),
                _ if wild => (free, spread),
                Tissue::White => (base[0] + jitter, spread),
                Tissue::Grey => (base[1] + jitter, spread),
                Tissue::Deep => (base[2] + jitter, spread),
                Tissue::Fluid => (base[3] + jitter, spread),
            }
        });
        means.push(mean.clamp(0.0, 1.1));
        spreads.push(spread);
    }
    let top = means.iter().copied().fold(0.3, f64::max);
    let scale = draw.between(0.8, 1.0) / top;
    let cast = |v: Vec<f64>| v.into_iter().map(|x| (x * scale) as f32).collect();
    (cast(means), cast(spreads))
}

/// A whole synthetic scan on the grid of the map.
pub fn synthesize(map: &LabelMap, seed: u64, sample: u64) -> Volume {
    let synthesis = Synthesis::new(map, Noise::new(seed), sample);
    let voxels = synthesis.window(Window { start: [0; 3], shape: map.grid.shape });
    Volume::new(voxels, map.grid)
}
