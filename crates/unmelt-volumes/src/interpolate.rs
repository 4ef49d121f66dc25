//! First guesses: linear interpolation between grids, and smooth filling of holes.

/// Trilinear resampling between two shapes that cover the same edges.
pub(crate) fn resample(x: &[f32], from: [usize; 3], to: [usize; 3]) -> Vec<f32> {
    let axes: [Vec<(usize, usize, f32)>; 3] = std::array::from_fn(|a| {
        let ratio = from[a] as f64 / to[a] as f64;
        (0..to[a])
            .map(|k| {
                let place = ((k as f64 + 0.5) * ratio - 0.5).clamp(0.0, (from[a] - 1) as f64);
                let low = place as usize;
                (low, (low + 1).min(from[a] - 1), (place - low as f64) as f32)
            })
            .collect()
    });
    let mut out = Vec::with_capacity(to.iter().product());
    for &(z0, z1, w) in &axes[2] {
        for &(y0, y1, v) in &axes[1] {
            let row = |z: usize, y: usize| &x[(z * from[1] + y) * from[0]..][..from[0]];
            let rows = [row(z0, y0), row(z0, y1), row(z1, y0), row(z1, y1)];
            for &(x0, x1, u) in &axes[0] {
                let [a, b, c, d] = rows.map(|r| r[x0] + u * (r[x1] - r[x0]));
                let (near, far) = (a + v * (b - a), c + v * (d - c));
                out.push(near + w * (far - near));
            }
        }
    }
    out
}

/// Fills what is not known: means of known voxels over blocks of growing size, coarse ones interpolated into fine.
pub(crate) fn fill(x: &[f32], known: &[bool], shape: [usize; 3]) -> Vec<f32> {
    let weights: Vec<f32> = known.iter().map(|k| f32::from(u8::from(*k))).collect();
    fill_level(x, &weights, shape)
}

fn fill_level(x: &[f32], weights: &[f32], shape: [usize; 3]) -> Vec<f32> {
    if weights.iter().all(|w| *w > 0.0) || shape == [1; 3] {
        return x.to_vec();
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
    let below = fill_level(&sums, &present, coarse);
    let smooth = resample(&below, coarse, shape);
    x.iter().zip(weights).zip(smooth).map(|((x, w), s)| w * x + (1.0 - w) * s).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_in_a_plane_is_filled_within_the_range() {
        let shape = [8, 8, 8];
        let x: Vec<f32> = (0..512).map(|k| (k % 8) as f32).collect();
        let known: Vec<bool> = (0..512).map(|k| !(200..260).contains(&k)).collect();
        let filled = fill(&x, &known, shape);
        assert!(filled.iter().all(|v| (0.0..=7.0).contains(v)));
        assert!((0..512).filter(|k| known[*k]).all(|k| filled[k] == x[k]));
    }

    #[test]
    fn resampling_keeps_constants_and_the_same_grid() {
        let x: Vec<f32> = (0..24).map(|k| k as f32).collect();
        assert_eq!(resample(&x, [2, 3, 4], [2, 3, 4]), x);
        assert!(resample(&[5.0; 24], [2, 3, 4], [5, 3, 9]).iter().all(|v| *v == 5.0));
    }
}
