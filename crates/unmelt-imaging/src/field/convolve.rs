//! Convolution along one axis.

use rayon::prelude::*;

use crate::Field;

/// Weights of a Gaussian of this standard deviation, in voxels, out to three of them.
pub(crate) fn gaussian(sigma: f64) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil() as i64;
    let weights: Vec<f64> =
        (-reach..=reach).map(|k| (-0.5 * (k as f64 / sigma.max(1e-9)).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| (w / sum) as f32).collect()
}

/// Convolves along an axis, the edge voxels repeated outside.
pub(crate) fn convolve_axis(field: &mut Field, axis: usize, kernel: &[f32]) {
    if kernel.len() <= 1 {
        return;
    }
    let shape = field.shape();
    let (n, reach) = (shape[axis] as isize, kernel.len() as isize / 2);
    let stride: usize = shape[..axis].iter().product();
    let block = stride * shape[axis];
    field.values_mut().par_chunks_mut(block).for_each_init(Vec::new, |copy: &mut Vec<f32>, part| {
        copy.clear();
        copy.extend_from_slice(part);
        for i in 0..n {
            let to = &mut part[i as usize * stride..(i as usize + 1) * stride];
            to.fill(0.0);
            for (k, w) in kernel.iter().enumerate() {
                let from = (i + k as isize - reach).clamp(0, n - 1) as usize;
                let row = &copy[from * stride..(from + 1) * stride];
                to.iter_mut().zip(row).for_each(|(t, r)| *t += w * r);
            }
        }
    });
}
