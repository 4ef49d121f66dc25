//! First guesses of what is missing: smooth filling of holes.

use rayon::prelude::*;
use unmelt_diffusion::job::CancelToken;

use crate::classical::interpolate::resample;
use crate::{Field, FieldRef};

/// How long to search for the smoothest filling, in iterations: so long that nothing is to be seen of where it began.
pub(crate) const THOROUGH: usize = 300;

/// So long that holes are smooth.
pub(crate) const QUICK: usize = 40;

/// Fills what is not known, smoothly: by means over blocks, and from those towards the smoothest filling.
///
/// Where the work is no longer wanted it ends early, with numbers of no use.
pub(crate) fn fill(x: FieldRef, known: &[bool], cancel: &CancelToken) -> Field {
    let weights: Vec<f32> = known.iter().map(|k| f32::from(u8::from(*k))).collect();
    Spline { tension: TENSION, iterations: THOROUGH, cancel }.smoothest(block_means(x, &weights), known)
}

/// The smoothest filling of a hole of any depth. It begins with that on a grid of half as many voxels along each axis, where a way
/// across the hole is half as long: on one grid hundreds of iterations do not reach the far end of a missing top of a head.
/// `iterations` are those on every grid.
pub(crate) fn settled(x: FieldRef, known: &[bool], iterations: usize, cancel: &CancelToken) -> Field {
    Spline { tension: TENSION, iterations, cancel }.settled(x, known)
}

/// Tension of a filling, per square voxel: over more than seven voxels it is pulled straight.
const TENSION: f32 = 0.02;

/// A spline in tension, and how long it is searched for.
struct Spline<'a> {
    tension: f32,
    iterations: usize,
    cancel: &'a CancelToken,
}

impl Spline<'_> {
    fn settled(&self, x: FieldRef, known: &[bool]) -> Field {
        if x.shape() == [1; 3] || known.iter().all(|k| *k) {
            return x.to_field();
        }
        let (means, some_known) = halved(x, known);
        // Where voxels are twice as large, the tension of one is four times as much.
        let far = Self { tension: 4.0 * self.tension, ..*self }.settled(means.view(), &some_known);
        let mut guess = resample(far.view(), x.shape());
        for (k, (guess, value)) in guess.values_mut().iter_mut().zip(x.values()).enumerate() {
            if known[k] {
                *guess = *value;
            }
        }
        self.smoothest(guess, known)
    }

    /// The filling that agrees with what is known and solves Δ²u = τ·Δu (a spline in tension, Smith & Wessel 1990), by
    /// conjugate gradients from a guess: biharmonic in small holes; in large ones harmonic, which runs away nowhere.
    fn smoothest(&self, guess: Field, known: &[bool]) -> Field {
        let shape = guess.shape();
        // Only what lies near a hole takes part.
        let free = |v: &mut [f32]| v.iter_mut().zip(known).for_each(|(v, k)| *v = if *k { 0.0 } else { *v });
        let operator = |v: &[f32]| {
            let once = laplacian(FieldRef::new(v, shape));
            let mut twice = laplacian(once.view()).into_values();
            twice.par_iter_mut().zip(once.values()).for_each(|(t, o)| *t -= self.tension * o);
            twice
        };
        let mut x = guess.into_values();
        let mut residual: Vec<f32> = operator(&x).into_iter().map(|v| -v).collect();
        free(&mut residual);
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        let end = square * 1e-8;
        for _ in 0..self.iterations {
            if square <= end || square == 0.0 || self.cancel.is_cancelled() {
                break;
            }
            let mut image = operator(&direction);
            free(&mut image);
            let curvature = dot(&direction, &image);
            if curvature <= 0.0 {
                break;
            }
            let length = (square / curvature) as f32;
            x.par_iter_mut().zip(&direction).for_each(|(x, d)| *x += length * d);
            residual.par_iter_mut().zip(&image).for_each(|(r, i)| *r -= length * i);
            let next = dot(&residual, &residual);
            let ratio = (next / square) as f32;
            direction.par_iter_mut().zip(&residual).for_each(|(d, r)| *d = r + ratio * *d);
            square = next;
        }
        Field::new(x, shape)
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Blocks of a fixed size, so that the sum does not depend on the number of threads.
    let blocks = a.par_chunks(1 << 16).zip(b.par_chunks(1 << 16));
    let sums: Vec<f64> =
        blocks.map(|(a, b)| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()).collect();
    sums.into_iter().sum()
}

/// Sum of the differences to the neighbours, none across the edges of the volume.
fn laplacian(x: FieldRef) -> Field {
    let [nx, ny, nz] = x.shape();
    let plane = nx * ny;
    let row = |y: usize, z: usize| &x.values()[z * plane + y * nx..][..nx];
    let mut out = Field::filled(0.0f32, x.shape());
    out.values_mut().par_chunks_mut(plane).enumerate().for_each(|(z, out)| {
        for (y, out) in out.chunks_exact_mut(nx).enumerate() {
            let here = row(y, z);
            out[1..].iter_mut().zip(here.iter().zip(&here[1..])).for_each(|(o, (before, h))| *o = before - h);
            out.iter_mut().zip(here.iter().zip(&here[1..])).for_each(|(o, (h, after))| *o += after - h);
            let mut towards = |there: &[f32]| {
                out.iter_mut().zip(there.iter().zip(here)).for_each(|(o, (t, h))| *o += t - h);
            };
            (y > 0).then(|| towards(row(y - 1, z)));
            (y + 1 < ny).then(|| towards(row(y + 1, z)));
            (z > 0).then(|| towards(row(y, z - 1)));
            (z + 1 < nz).then(|| towards(row(y, z + 1)));
        }
    });
    out
}

/// Means of known voxels over blocks of growing size, coarse ones interpolated into fine; `weights` say how much of a voxel is known.
fn block_means(field: FieldRef, weights: &[f32]) -> Field {
    let (x, shape) = (field.values(), field.shape());
    if weights.iter().all(|w| *w > 0.0) || shape == [1; 3] {
        return field.to_field();
    }
    let coarse = shape.map(|n| n.div_ceil(2));
    let count = coarse.iter().product();
    let (mut sums, mut total) = (vec![0.0f32; count], vec![0.0f32; count]);
    for z in 0..shape[2] {
        for y in 0..shape[1] {
            for i in 0..shape[0] {
                let k = (z * shape[1] + y) * shape[0] + i;
                let at = (z / 2 * coarse[1] + y / 2) * coarse[0] + i / 2;
                sums[at] += weights[k] * x[k];
                total[at] += weights[k];
            }
        }
    }
    sums.iter_mut().zip(&total).for_each(|(s, t)| *s /= t.max(1e-6));
    let present: Vec<f32> = total.iter().map(|t| t.min(1.0)).collect();
    let below = block_means(FieldRef::new(&sums, coarse), &present);
    let mut smooth = resample(below.view(), shape);
    smooth
        .values_mut()
        .iter_mut()
        .zip(x.iter().zip(weights))
        .for_each(|(s, (x, w))| *s = w * x + (1.0 - w) * *s);
    smooth
}

/// Means of known voxels over blocks of 2×2×2, and which blocks have any.
fn halved(field: FieldRef, known: &[bool]) -> (Field, Vec<bool>) {
    let (x, shape) = (field.values(), field.shape());
    let coarse = shape.map(|n| n.div_ceil(2));
    let count = coarse.iter().product();
    let (mut means, mut counts) = (vec![0.0f32; count], vec![0u8; count]);
    for (row, (x, known)) in x.chunks_exact(shape[0]).zip(known.chunks_exact(shape[0])).enumerate() {
        let (y, z) = (row % shape[1], row / shape[1]);
        let start = (z / 2 * coarse[1] + y / 2) * coarse[0];
        for i in (0..shape[0]).filter(|i| known[*i]) {
            means[start + i / 2] += x[i];
            counts[start + i / 2] += 1;
        }
    }
    means.iter_mut().zip(&counts).for_each(|(m, c)| *m /= f32::from((*c).max(1)));
    (Field::new(means, coarse), counts.iter().map(|c| *c > 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_in_a_plane_is_filled_within_the_range() {
        let shape = [8, 8, 8];
        let x: Vec<f32> = (0..512).map(|k| (k % 8) as f32).collect();
        let inside = |k: usize| [k % 8, k / 8 % 8, k / 64].iter().all(|i| (2..6).contains(i));
        let known: Vec<bool> = (0..512).map(|k| !inside(k)).collect();
        let holed: Vec<f32> = (0..512).map(|k| if known[k] { x[k] } else { 0.0 }).collect();
        let filled = fill(FieldRef::new(&holed, shape), &known, &CancelToken::new()).into_values();
        // a plane has no Laplacian, so it is what the smoothest filling finds
        assert!(filled.iter().zip(&x).all(|(a, b)| (a - b).abs() < 0.02));
        assert!((0..512).filter(|k| known[*k]).all(|k| filled[k] == x[k]));
    }

    #[test]
    fn a_wide_hole_is_filled_as_smoothly_as_a_small_one() {
        // a ball that two thirds of its height are missing from: known up to slice 16 of 64
        let shape = [48, 40, 64];
        let at = |k: usize| [k % 48, k / 48 % 40, k / (48 * 40)];
        let inside = |[x, y, z]: [usize; 3]| {
            [x as f32 - 24.0, y as f32 - 20.0, z as f32 - 16.0].map(|d| d * d).iter().sum::<f32>() < 225.0
        };
        let count = shape.iter().product();
        let known: Vec<bool> = (0..count).map(|k| at(k)[2] < 16).collect();
        let x: Vec<f32> = (0..count).map(|k| f32::from(u8::from(known[k] && inside(at(k))))).collect();
        let (x, cancel) = (FieldRef::new(&x, shape), CancelToken::new());
        let filled = settled(x, &known, THOROUGH, &cancel);
        let long = Spline { tension: TENSION, iterations: 5000, cancel: &cancel };
        let end = long.smoothest(filled.clone(), &known);
        let from_end =
            |x: &Field| x.values().iter().zip(end.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let (here, on_one_grid) = (from_end(&filled), from_end(&fill(x, &known, &cancel)));
        assert!(10.0 * here < on_one_grid, "{here} and {on_one_grid}");
    }
}
