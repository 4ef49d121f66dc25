//! k-space as arrays and as images with a mask: the same reconstruction, with the middle in the middle.

use std::f64::consts::TAU;

use burn::tensor::Device;
use rustfft::num_complex::Complex32;
use unmelt_diffusion::job::Job;
use unmelt_diffusion::measurement::Measurement;
use unmelt_imaging::enhance::{EnhanceSettings, Enhancer, Task};
use unmelt_imaging::kspace::{ComplexArray, KSpace, of_zero_filled};
use unmelt_imaging::measurement::random_cartesian_lines;
use unmelt_imaging::{FieldRef, Grid, Volume, models};

/// An ellipsoid off the middle with structure in it.
fn phantom([nx, ny, nz]: [usize; 3]) -> Vec<f32> {
    let mut out = Vec::with_capacity(nx * ny * nz);
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                let at = |k: usize, n: usize, middle: f64| (k as f64 + 0.5) / n as f64 - middle;
                let (a, b, c) = (at(x, nx, 0.45), at(y, ny, 0.55), at(z, nz, 0.5));
                let r2 = (a / 0.38).powi(2) + (b / 0.36).powi(2) + (c / 0.8).powi(2);
                let wave = (31.0 * a).sin() * (23.0 * b).cos() + (17.0 * (a + b + c)).sin();
                out.push(if r2 < 1.0 { (600.0 + 120.0 * wave) as f32 } else { 0.0 });
            }
        }
    }
    out
}

/// Σ x·exp(−2πi·(u − ⌊n/2⌋)(i − ⌊n/2⌋)/n) along both axes of every plane: the image's middle and the zero frequency in the middle.
fn centred_transform(x: &[Complex32], [nx, ny, nz]: [usize; 3]) -> Vec<Complex32> {
    let phase = |u: usize, i: usize, n: usize| {
        let (u, i) = (u as f64 - (n / 2) as f64, i as f64 - (n / 2) as f64);
        let angle = -TAU * u * i / n as f64;
        Complex32::new(angle.cos() as f32, angle.sin() as f32)
    };
    let scale = 1.0 / ((nx * ny) as f32).sqrt();
    let mut out = vec![Complex32::default(); x.len()];
    for z in 0..nz {
        let plane = &x[z * nx * ny..][..nx * ny];
        let mut rows = vec![Complex32::default(); nx * ny];
        for (k, value) in rows.iter_mut().enumerate() {
            *value = (0..nx).map(|i| plane[k / nx * nx + i] * phase(k % nx, i, nx)).sum();
        }
        for (k, value) in out[z * nx * ny..][..nx * ny].iter_mut().enumerate() {
            *value = (0..ny).map(|i| rows[i * nx + k % nx] * phase(k / nx, i, ny)).sum::<Complex32>() * scale;
        }
    }
    out
}

fn complex(x: &[f32]) -> Vec<Complex32> {
    x.iter().map(|v| Complex32::new(*v, 0.0)).collect()
}

/// The same by way of the inverse: conjugates in, conjugates out.
fn centred_inverse(k: &[Complex32], shape: [usize; 3]) -> Vec<Complex32> {
    let turned: Vec<Complex32> = k.iter().map(Complex32::conj).collect();
    centred_transform(&turned, shape).iter().map(Complex32::conj).collect()
}

/// Marks of lines along y for each slice, the zero frequency in the middle.
fn lines([nx, ny, nz]: [usize; 3], seed: impl Fn(usize) -> u64) -> Vec<bool> {
    let of_slice = |z: usize| {
        let lines = random_cartesian_lines(ny, 3.0, 0.15, seed(z));
        (0..nx * ny).map(move |k| lines[(k / nx + ny - ny / 2) % ny])
    };
    (0..nz).flat_map(of_slice).collect()
}

fn array(values: Vec<Complex32>, [nx, ny, nz]: [usize; 3], coils: usize) -> KSpace {
    KSpace::new(ComplexArray { shape: vec![coils, nz, ny, nx], values }, "k.npy").expect("k-space")
}

fn masked(k: &[Complex32], marks: &[bool]) -> Vec<Complex32> {
    k.iter().zip(marks).map(|(v, m)| if *m { *v } else { Complex32::default() }).collect()
}

fn psnr(truth: &[f32], out: &[f32]) -> f64 {
    let square =
        truth.iter().zip(out).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / truth.len() as f64;
    20.0 * (840.0 / square.sqrt()).log10()
}

#[test]
fn the_middle_is_in_the_middle_for_even_and_odd_sizes() {
    for shape in [[12, 10, 2], [11, 9, 1], [8, 13, 2]] {
        let truth = phantom(shape);
        let k = centred_transform(&complex(&truth), shape);
        let (measurement, data) = array(k, shape, 1).measurement(None).expect("a measurement");
        let found = measurement.project(&vec![0.0; truth.len()], &data);
        let worst = truth.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 0.1, "{shape:?}: {worst}");
    }
}

#[test]
fn array_and_image_with_mask_are_one_reconstruction() {
    let shape = [40, 48, 6];
    let truth = phantom(shape);
    let marks = lines(shape, |_| 3);
    let k = masked(&centred_transform(&complex(&truth), shape), &marks);
    let image: Vec<f32> = centred_inverse(&k, shape).iter().map(|v| v.re).collect();
    let by_array = array(k, shape, 1).measurement(None).expect("a measurement");
    let by_image = of_zero_filled(FieldRef::new(&image, shape), &marks[..40 * 48]).expect("a measurement");
    let nothing = vec![0.0; truth.len()];
    let (a, b) = (by_array.0.project(&nothing, &by_array.1), by_image.0.project(&nothing, &by_image.1));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.05), "the first guesses agree");
    let enhancer =
        Enhancer::load(&models::find("brain-mri").expect("a model"), &Device::flex()).expect("loaded");
    let volume = Volume::new(nothing, Grid::centred(shape, [1.0; 3]));
    let settings = EnhanceSettings { steps: 5, ..EnhanceSettings::default() };
    let quality = |(measurement, data)| {
        let task = Task::KSpace { measurement, data };
        let out = enhancer.enhance(&volume, &task, &settings, &Job::new()).expect("enhanced");
        psnr(&truth, &out.volume.voxels)
    };
    let (from_array, from_image) = (quality(by_array), quality(by_image));
    assert!((from_array - from_image).abs() < 0.1, "{from_array} dB and {from_image} dB");
    assert!(from_array > psnr(&truth, &a) + 0.5, "{from_array} dB is no better than the first guess");
}

#[test]
fn every_slice_and_coil_has_a_mask_of_its_own() {
    let shape = [24, 30, 4];
    let truth = phantom(shape);
    let marks = lines(shape, |z| z as u64);
    assert_ne!(marks[..720], marks[720..1440]);
    let k = masked(&centred_transform(&complex(&truth), shape), &marks);
    let (measurement, data) = array(k.clone(), shape, 1).measurement(None).expect("a measurement");
    // The measurement of the truth is the data, to the last position: no zero counts as measured.
    let again = measurement.forward(&truth);
    let worst = again.iter().zip(&data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 0.02, "{worst}");
    let sampled = |k: &[Complex32]| k.iter().filter(|v| v.norm_sqr() > 0.0).count();
    assert_eq!(data.chunks_exact(2).filter(|p| **p != [0.0, 0.0]).count(), sampled(&k));
    // The same with an image and a mask of all slices.
    let image: Vec<f32> = centred_inverse(&k, shape).iter().map(|v| v.re).collect();
    let (by_image, of_image) = of_zero_filled(FieldRef::new(&image, shape), &marks).expect("a measurement");
    let nothing = vec![0.0; truth.len()];
    let (a, b) = (measurement.project(&nothing, &data), by_image.project(&nothing, &of_image));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.05));
    assert!(of_zero_filled(FieldRef::new(&image, shape), &marks[..100]).is_err());
    // Two coils, the second of which misses a line that the first has.
    let see = |coil: usize| -> Vec<Complex32> {
        let seen = truth.iter().enumerate().map(|(k, v)| {
            let share = (k % 24) as f32 / 23.0;
            Complex32::new(v * if coil == 0 { share } else { 1.0 - share }, 0.0)
        });
        centred_transform(&seen.collect::<Vec<_>>(), shape)
    };
    let maps: Vec<Complex32> = (0..2)
        .flat_map(|coil| {
            (0..truth.len()).map(move |k| {
                let share = (k % 24) as f32 / 23.0;
                Complex32::new(if coil == 0 { share } else { 1.0 - share }, 0.0)
            })
        })
        .collect();
    let mut both = [see(0), see(1)].concat();
    let line = truth.len() + 15 * 24;
    both[line..line + 24].fill(Complex32::default());
    let (measurement, data) =
        array(both, shape, 2).measurement(Some(&array(maps, shape, 2))).expect("a measurement");
    let again = measurement.forward(&truth);
    let worst = again.iter().zip(&data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 0.05, "{worst}");
}

#[test]
fn nothing_but_zeros_is_a_sentence() {
    let zeros = array(vec![Complex32::default(); 24], [4, 3, 2], 1);
    let Err(said) = zeros.measurement(None) else { panic!("refused") };
    assert!(said.to_string().contains("nothing but zeros"), "{said}");
    let other = array(vec![Complex32::default(); 24], [4, 3, 1], 2);
    assert!(array(vec![Complex32::new(1.0, 0.0); 24], [4, 3, 2], 1).measurement(Some(&other)).is_err());
}
