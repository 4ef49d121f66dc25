//! How far a volume is from the truth.

use serde::Serialize;

use crate::field::convolve::{convolve_axis, gaussian};
use crate::field::intensity::percentiles;
use crate::{Field, FieldRef};

/// Measures of one volume over one set of voxels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Peak signal-to-noise ratio in dB: 20·log₁₀(data range/RMSE).
    pub psnr: f64,
    /// Mean structural similarity in 3D: Gaussian windows of σ = 1.5 voxels, K₁ = 0.01, K₂ = 0.03 (Wang et al. 2004).
    pub ssim: f64,
    /// ‖out − truth‖²/‖truth‖².
    pub nmse: f64,
    /// ‖LoG(out) − LoG(truth)‖/‖LoG(truth)‖, LoG of σ = 1.5 voxels (high-frequency error norm, Ravishankar & Bresler 2011).
    pub hfen: f64,
    /// Voxels measured.
    pub voxels: usize,
}

/// Measures of one volume.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What PSNR and SSIM are relative to: the 0.5th to 99.5th percentile of the truth.
    pub data_range: f64,
    /// Over all voxels.
    pub whole: Quality,
    /// Over the foreground.
    pub foreground: Quality,
}

/// Compares a volume to the truth; the foreground is what is marked.
///
/// # Panics
/// If the shapes differ.
pub fn compare(truth: FieldRef, out: FieldRef, marked: &[bool]) -> Comparison {
    assert_eq!(truth.shape(), out.shape(), "one shape");
    let data_range = percentiles(truth.values(), 0.5, 99.5).map_or(0.0, |(low, high)| high - low);
    let similarity = ssim_map(truth, out, data_range);
    let (a, b) = (laplacian_of_gaussian(truth), laplacian_of_gaussian(out));
    let (truth, out) = (truth.values(), out.values());
    let quality = |chosen: &dyn Fn(usize) -> bool| {
        let (mut count, mut error, mut power, mut ssim, mut fine, mut finest) =
            (0usize, 0.0, 0.0, 0.0, 0.0, 0.0);
        for k in (0..truth.len()).filter(|k| chosen(*k)) {
            let (t, o) = (f64::from(truth[k]), f64::from(out[k]));
            count += 1;
            error += (o - t).powi(2);
            power += t * t;
            ssim += f64::from(similarity[k]);
            fine += f64::from(b[k] - a[k]).powi(2);
            finest += f64::from(a[k]).powi(2);
        }
        let n = count.max(1) as f64;
        Quality {
            psnr: 20.0 * (data_range / (error / n).sqrt()).log10(),
            ssim: ssim / n,
            nmse: error / power,
            hfen: (fine / finest).sqrt(),
            voxels: count,
        }
    };
    Comparison { data_range, whole: quality(&|_| true), foreground: quality(&|k| marked[k]) }
}

/// The part of the voxels whose truth lies within ± `half` of the estimate.
pub fn coverage(truth: &[f32], estimate: &[f32], half: &[f32], marked: &[bool]) -> f64 {
    let (mut inside, mut count) = (0usize, 0usize);
    for k in (0..truth.len()).filter(|k| marked[*k]) {
        count += 1;
        inside += usize::from((truth[k] - estimate[k]).abs() <= half[k]);
    }
    inside as f64 / count.max(1) as f64
}

fn blurred(mut field: Field, kernel: &[f32]) -> Field {
    (0..3).for_each(|axis| convolve_axis(&mut field, axis, kernel));
    field
}

/// Structural similarity around every voxel.
fn ssim_map(a: FieldRef, b: FieldRef, range: f64) -> Vec<f32> {
    let (shape, a, b) = (a.shape(), a.values(), b.values());
    let kernel = gaussian(1.5);
    let blur = |x: Vec<f32>| blurred(Field::new(x, shape), &kernel).into_values();
    let product = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).collect::<Vec<f32>>();
    let (ma, mb) = (blur(a.to_vec()), blur(b.to_vec()));
    let (aa, bb, ab) = (blur(product(a, a)), blur(product(b, b)), blur(product(a, b)));
    let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
    (0..a.len())
        .map(|k| {
            let [ma, mb, aa, bb, ab] = [ma[k], mb[k], aa[k], bb[k], ab[k]].map(f64::from);
            let top = (2.0 * ma * mb + c1) * (2.0 * (ab - ma * mb) + c2);
            let bottom = (ma * ma + mb * mb + c1) * (aa - ma * ma + bb - mb * mb + c2);
            if bottom > 0.0 { (top / bottom) as f32 } else { 1.0 }
        })
        .collect()
}

fn laplacian_of_gaussian(x: FieldRef) -> Vec<f32> {
    let smooth = blurred(x.to_field(), &gaussian(1.5));
    let mut sum = vec![0.0f32; x.values().len()];
    for axis in (0..3).filter(|a| x.shape()[*a] > 1) {
        let mut second = smooth.clone();
        convolve_axis(&mut second, axis, &[1.0, -2.0, 1.0]);
        sum.iter_mut().zip(second.values()).for_each(|(s, v)| *s += v);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_equals_itself_and_noise_costs_what_it_should() {
        let shape = [12, 10, 8];
        let truth: Vec<f32> = (0..960).map(|k| (k % 12 * (k / 12 % 10)) as f32).collect();
        let marked: Vec<bool> = truth.iter().map(|v| *v > 10.0).collect();
        let field = |x| FieldRef::new(x, shape);
        let same = compare(field(&truth), field(&truth), &marked);
        assert!(same.whole.psnr.is_infinite() && same.whole.nmse == 0.0 && same.whole.hfen == 0.0);
        assert!((same.foreground.ssim - 1.0).abs() < 1e-5);
        let off: Vec<f32> = truth.iter().map(|v| v + 2.0).collect();
        let other = compare(field(&truth), field(&off), &marked);
        assert!((other.whole.psnr - 20.0 * (other.data_range / 2.0).log10()).abs() < 1e-6);
        assert!(other.whole.hfen < 1e-3 && other.foreground.voxels < 960);
    }
}
