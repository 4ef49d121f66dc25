//! Properties of measurements: adjoints, proximal points, shapes.

use proptest::prelude::*;
use rustfft::num_complex::Complex32;
use unmelt_diffusion::measurement::Measurement;
use unmelt_diffusion::{Noise, Stream};
use unmelt_imaging::measurement::{Fourier, Identity, Mask, Profile, Slices, random_cartesian_lines};

fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut x = vec![0.0; count];
    Noise::new(seed).normal(Stream::new(0, 0, 0), &mut x);
    x
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// ⟨Ax, y⟩ = ⟨x, Aᵀy⟩, and the proximal point has no gradient left.
fn check(a: &dyn Measurement<f32>, signal: usize) {
    let x = numbers(1, signal);
    let image = a.forward(&x);
    let y = numbers(2, image.len());
    let back = a.adjoint(&y);
    assert_eq!(back.len(), signal);
    let (left, right) = (dot(&image, &y), dot(&x, &back));
    let size = (dot(&image, &image) * dot(&y, &y)).sqrt().max(1e-3);
    assert!((left - right).abs() < 1e-4 * size, "{left} and {right}");

    let (z, rho) = (numbers(3, signal), 0.7);
    let data = a.forward(&x);
    let p = a.prox(&z, &data, rho);
    let misfit: Vec<f32> = a.forward(&p).iter().zip(&data).map(|(a, b)| a - b).collect();
    let gradient = a.adjoint(&misfit);
    let worst = (0..signal)
        .map(|k| (f64::from(gradient[k]) + rho * f64::from(p[k] - z[k])).abs())
        .fold(0.0, f64::max);
    assert!(worst < 1e-3, "the gradient at the proximal point is {worst}");
    let q = a.project(&z, &data);
    let left = a.forward(&q).iter().zip(&data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Fifty iterations are not the end where random sensitivities nearly vanish.
    assert!(left < 6e-2, "the projection misses the data by {left}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn slices_are_consistent(fine in prop::array::uniform3(1usize..14), parts in prop::array::uniform3(1usize..8), gaussian in any::<bool>()) {
        let coarse = std::array::from_fn(|a| parts[a].min(fine[a]));
        let profile = if gaussian { Profile::Gaussian } else { Profile::Box };
        let slices = Slices::new(fine, coarse, profile, 0.0);
        check(&slices, fine.iter().product());
        // means of a constant are the constant
        let ones = slices.forward(&vec![1.0; fine.iter().product()]);
        prop_assert!(ones.iter().all(|v| (v - 1.0).abs() < 1e-5));
    }

    #[test]
    fn fourier_is_consistent(nx in 1usize..9, ny in 1usize..9, nz in 1usize..3, coils in 0usize..3, seed in 0u64..99) {
        let marks = numbers(seed + 10, nx * ny);
        let sampled: Vec<bool> = marks.iter().map(|m| *m > -0.3).collect();
        let count = nx * ny * nz;
        let maps = (0..coils)
            .map(|c| {
                let v = numbers(seed + 20 + c as u64, 2 * count);
                v.chunks_exact(2).map(|p| Complex32::new(p[0], p[1])).collect()
            })
            .collect();
        check(&Fourier::new([nx, ny, nz], sampled, maps, 0.0), count);
    }

    #[test]
    fn masks_are_consistent(marks in prop::collection::vec(any::<bool>(), 1..60)) {
        let count = marks.len();
        check(&Mask::new(marks, 0.0), count);
    }
}

#[test]
fn identity_is_consistent() {
    check(&Identity { noise: 0.1 }, 30);
}

#[test]
fn fourier_of_everything_keeps_the_energy() {
    let a = Fourier::new([6, 5, 2], vec![true; 30], Vec::new(), 0.0);
    let x = numbers(1, 60);
    let y = a.forward(&x);
    assert!((dot(&x, &x) - dot(&y, &y)).abs() < 1e-3);
    assert!(a.adjoint(&y).iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn box_slices_are_means_of_what_they_cover() {
    let a = Slices::new([4, 1, 1], [2, 1, 1], Profile::Box, 0.0);
    assert_eq!(a.forward(&[1.0, 3.0, 5.0, 9.0]), [2.0, 7.0]);
    // at a ratio of 1.5 the middle voxel belongs half to each
    let a = Slices::new([3, 1, 1], [2, 1, 1], Profile::Box, 0.0);
    let y = a.forward(&[3.0, 6.0, 9.0]);
    assert!((y[0] - 4.0).abs() < 1e-5 && (y[1] - 8.0).abs() < 1e-5);
}

#[test]
fn slices_thinner_or_thicker_than_their_distance_are_means_over_their_thickness() {
    let x: Vec<f32> =
        (0..12).map(|k| [1.0, 3.0, 5.0, 9.0, 2.0, 4.0, 8.0, 6.0, 7.0, 7.0, 1.0, 0.0][k]).collect();
    let of = |profile, part| Slices::new([12, 1, 1], [3, 1, 1], profile, 0.0).thick(0, part).forward(&x);
    let close =
        |a: Vec<f32>, b: [f32; 3]| assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    // The middle half of each, and half a distance more on both sides, where there is something.
    close(of(Profile::Box, 0.5), [4.0, 6.0, 4.0]);
    close(of(Profile::Box, 2.0), [24.0 / 6.0, 48.0 / 8.0, 29.0 / 6.0]);
    for profile in [Profile::Box, Profile::Gaussian] {
        let usual = Slices::new([12, 1, 1], [3, 1, 1], profile, 0.0).forward(&x);
        assert_eq!(of(profile, 1.0), usual);
        assert!(of(profile, 0.5).iter().zip(&usual).any(|(a, b)| (a - b).abs() > 0.1));
        // An axis that stays has no slices.
        let other = Slices::new([12, 1, 1], [3, 1, 1], profile, 0.0).thick(1, 0.5);
        assert_eq!(other.forward(&x), usual);
        let a = Slices::new([12, 1, 1], [3, 1, 1], profile, 0.0).thick(0, 1.7);
        let y = [0.3, -2.0, 5.0];
        assert!((dot(&a.forward(&x), &y) - dot(&x, &a.adjoint(&y))).abs() < 1e-3);
    }
}

#[test]
fn cartesian_lines_are_as_many_as_wanted() {
    let lines = random_cartesian_lines(100, 4.0, 0.08, 5);
    assert_eq!(lines.iter().filter(|l| **l).count(), 25);
    assert!((0..4).all(|k| lines[k] && lines[99 - k.min(3)]));
    assert_eq!(lines, random_cartesian_lines(100, 4.0, 0.08, 5));
}
