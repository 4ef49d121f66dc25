//! Clean patches of real scans and of scans synthesized from label maps, turned and mirrored at random, with their places. Most of
//! those of real scans are deformed and shaded first: of few scans a network learns every fold by heart otherwise.

use unmelt_diffusion::Noise;

use crate::classical::interpolate::Spline;
use crate::field::coarse_field::CoarseField;
use crate::field::intensity::{Scaling, centre, foreground};
use crate::field::random_stream::RandomStream;
use crate::prior::PatchPlace;
use crate::training::deformation::{Deformation, Shifts};
use crate::training::synthesize::{LabelMap, Synthesis, Window};
use crate::{Field, FieldRef, Volume};

const PATCH: u16 = 300;
const SHIFTS: u16 = 304;
const SHADING: u16 = 305;

/// A real scan in the prior's intensities.
struct Scan {
    voxels: Vec<f32>,
    spline: Spline,
    shape: [usize; 3],
    /// Millimetres per voxel along right, front and top.
    spacing: [f64; 3],
    centre: [f64; 3],
    inside: Vec<u32>,
}

impl Scan {
    fn of(volume: &Volume) -> Option<Self> {
        let scaling = Scaling::of(&volume.voxels)?;
        let marked = foreground(&volume.voxels);
        let inside = (0..marked.len() as u32).filter(|k| marked[*k as usize]).collect();
        let voxels: Vec<f32> = scaling.apply(&volume.voxels).into_iter().map(|v| v.max(0.0)).collect();
        Some(Self {
            spline: Spline::through(Field::new(voxels.clone(), volume.grid.shape)),
            voxels,
            shape: volume.grid.shape,
            spacing: volume.grid.spacing(),
            centre: centre(FieldRef::new(&marked, volume.grid.shape)),
            inside,
        })
    }

    fn window(&self, window: Window) -> Vec<f32> {
        let [nx, ny, nz] = self.shape.map(|n| n as i64);
        let mut out = Vec::with_capacity(window.shape.iter().product());
        for z in 0..window.shape[2] as i64 {
            for y in 0..window.shape[1] as i64 {
                for x in 0..window.shape[0] as i64 {
                    let (i, j, k) = (window.start[0] + x, window.start[1] + y, window.start[2] + z);
                    let inside = (0..nx).contains(&i) && (0..ny).contains(&j) && (0..nz).contains(&k);
                    out.push(if inside { self.voxels[((k * ny + j) * nx + i) as usize] } else { 0.0 });
                }
            }
        }
        out
    }

    /// A window of the scan deformed.
    fn deformed(&self, window: Window, deformation: &Deformation) -> Vec<f32> {
        window.places().map(|at| self.spline.at(deformation.source(at)).max(0.0)).collect()
    }
}

/// Intensities bent by a gain and an exponent, or by any curve from 0 on.
fn bend(voxels: &mut [f32], draw: &mut RandomStream) {
    let (gain, gamma) = (draw.between(0.8, 1.1) as f32, (0.15 * draw.normal()).exp() as f32);
    voxels.iter_mut().for_each(|v| *v = gain * v.powf(gamma));
    if draw.unit() < 0.2 {
        let mut knots = [0.0; 5];
        knots[1..].fill_with(|| draw.between(0.1, 1.0) as f32);
        voxels.iter_mut().for_each(|v| *v = curve(&knots, *v));
    }
}

/// A curve through knots at equal distances from 0 to 1; beyond them it keeps the last.
fn curve(knots: &[f32; 5], at: f32) -> f32 {
    let place = (4.0 * at).clamp(0.0, 4.0);
    let k = (place as usize).min(3);
    knots[k] + (place - k as f32) * (knots[k + 1] - knots[k])
}

/// A clean patch with its place.
pub(crate) struct Patch {
    pub voxels: Field,
    pub place: PatchPlace,
}

/// Where patches come from.
pub(crate) struct CleanPatches {
    scans: Vec<Scan>,
    maps: Vec<LabelMap>,
    /// Part of the patches that come from real scans, where there are label maps too.
    real: f64,
    /// Part of those from real scans that are deformed and shaded.
    deformed: f64,
    noise: Noise,
}

impl CleanPatches {
    /// Of volumes, those that are constant left out, and label maps; none if there is nothing. The parts are those that come from real
    /// scans, and of those from real scans the deformed ones.
    pub fn new(
        scans: &[Volume],
        maps: Vec<LabelMap>,
        [real, deformed]: [f64; 2],
        noise: Noise,
    ) -> Option<Self> {
        let scans: Vec<Scan> = scans.iter().filter_map(Scan::of).collect();
        let any = !scans.is_empty() || !maps.is_empty();
        any.then_some(Self { scans, maps, real, deformed, noise })
    }

    /// Patch number `k` of the whole training.
    pub fn patch(&self, k: u64, shape: [usize; 3]) -> Patch {
        let mut draw = RandomStream::new(self.noise, k, PATCH);
        let real = self.maps.is_empty() || !self.scans.is_empty() && draw.unit() < self.real;
        let reach = 0.4 * shape.into_iter().min().unwrap_or(0) as f64;
        let around = |at: [usize; 3], draw: &mut RandomStream| {
            let start = |a: usize| at[a] as i64 - shape[a] as i64 / 2 + draw.between(-reach, reach) as i64;
            Window { start: [0, 1, 2].map(start), shape }
        };
        let anywhere = |n: [usize; 3], draw: &mut RandomStream| n.map(|n| draw.below(n));
        if real {
            let scan = &self.scans[draw.below(self.scans.len())];
            let [nx, ny, _] = scan.shape;
            let at = if draw.unit() < 0.9 {
                let k = scan.inside[draw.below(scan.inside.len())] as usize;
                [k % nx, k / nx % ny, k / (nx * ny)]
            } else {
                anywhere(scan.shape, &mut draw)
            };
            let window = around(at, &mut draw);
            let mut voxels = if draw.unit() < self.deformed {
                self.deformed(scan, k, window, &mut draw)
            } else {
                scan.window(window)
            };
            bend(&mut voxels, &mut draw);
            return self.placed(voxels, window, scan.centre, scan.spacing, &mut draw);
        }
        let map = &self.maps[draw.below(self.maps.len())];
        let mut at = anywhere(map.grid.shape, &mut draw);
        for _ in 0..30 {
            if map.is_inside(at) {
                break;
            }
            at = anywhere(map.grid.shape, &mut draw);
        }
        let window = around(at, &mut draw);
        let voxels = Synthesis::new(map, self.noise, k).window(window);
        self.placed(voxels, window, map.centre(), map.grid.spacing(), &mut draw)
    }

    /// A window of a scan, deformed and shaded.
    fn deformed(&self, scan: &Scan, k: u64, window: Window, draw: &mut RandomStream) -> Vec<f32> {
        let shifts = Shifts { noise: self.noise, sample: k, purpose: SHIFTS };
        let deformation = Deformation::draw(draw, shifts, scan.centre, scan.shape);
        let mut voxels = scan.deformed(window, &deformation);
        let (spacing, strength) = (draw.between(50.0, 90.0), draw.between(0.0, 0.25));
        let shading = CoarseField::<1>::new(self.noise, k, SHADING, scan.shape, spacing, strength);
        voxels.iter_mut().zip(window.places()).for_each(|(v, at)| *v *= (shading.at(at)[0] as f32).exp());
        voxels
    }

    /// Mirrors or turns a patch at random, and says where it lies.
    fn placed(
        &self,
        voxels: Vec<f32>,
        window: Window,
        centre: [f64; 3],
        spacing: [f64; 3],
        draw: &mut RandomStream,
    ) -> Patch {
        let known = draw.unit() < 0.7;
        let mut axes = [0, 1, 2];
        let mut mirror = [draw.unit() < 0.5, false, false];
        if !known {
            axes = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][draw.below(6)];
            mirror = std::array::from_fn(|_| draw.unit() < 0.5);
        }
        let orientation = crate::Orientation { axes, flips: mirror };
        let voxels = orientation.gather(&voxels, window.shape);
        let origin = std::array::from_fn(|a| {
            let first = (window.start[a] as f64 - centre[a]) * spacing[a];
            // A mirrored head is a head: its voxels keep the places of a left-right pair.
            if mirror[a] { -(first + (window.shape[a] as f64 - 1.0) * spacing[a]) } else { first }
        });
        let place = if known { PatchPlace { origin, step: spacing, known } } else { PatchPlace::UNKNOWN };
        Patch { voxels: Field::new(voxels, axes.map(|a| window.shape[a])), place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grid;

    #[test]
    fn a_deformed_scan_keeps_its_tissues_but_not_their_places() {
        let shape = [64; 3];
        let inside = |k: usize| {
            [k % 64, k / 64 % 64, k / 4096].iter().map(|i| (*i as f32 - 32.0).powi(2)).sum::<f32>()
        };
        let ball = |k: usize| if inside(k) < 400.0 { 1.0 } else { 0.0 };
        let scan = Volume::new((0..64 * 64 * 64).map(ball).collect(), Grid::centred(shape, [1.0; 3]));
        let scan = Scan::of(&scan).expect("not constant");
        let noise = Noise::new(2);
        let window = Window { start: [0; 3], shape };
        let plain = scan.window(window);
        for k in 0..3 {
            let mut draw = RandomStream::new(noise, k, PATCH);
            let shifts = Shifts { noise, sample: k, purpose: SHIFTS };
            let deformation = Deformation::draw(&mut draw, shifts, scan.centre, scan.shape);
            let bent = scan.deformed(window, &deformation);
            let moved = plain.iter().zip(&bent).filter(|(a, b)| (*a - *b).abs() > 0.5).count();
            let between = |v: &&f32| (0.2..0.8).contains(*v);
            assert!(moved > 1000, "{moved}");
            assert!(bent.iter().all(|v| (0.0..1.3).contains(v)));
            assert!(bent.iter().filter(between).count() < bent.len() / 20, "blurred");
        }
    }
}
