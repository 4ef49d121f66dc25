//! Posterior solvers where the posterior is known: a Gaussian prior and a linear measurement.

use unmelt_diffusion::measurement::{Measurement, conjugate_gradients};
use unmelt_diffusion::posterior::{Posterior, PosteriorSolver, Prior};
use unmelt_diffusion::{Error, Result};

/// N(m, S) in three dimensions.
struct Gauss {
    mean: [f64; 3],
    covariance: [[f64; 3]; 3],
}

const GAUSS: Gauss =
    Gauss { mean: [0.3, -0.2, 0.5], covariance: [[1.0, 0.5, 0.2], [0.5, 0.8, 0.3], [0.2, 0.3, 0.6]] };

type Matrix = nalgebra::Matrix3<f64>;

fn matrix(rows: &[[f64; 3]; 3]) -> Matrix {
    Matrix::from_fn(|r, c| rows[r][c])
}

impl Gauss {
    /// S(S + σ²)⁻¹, the slope of the denoiser.
    fn gain(&self, sigma: f64) -> Matrix {
        let s = matrix(&self.covariance);
        s * (s + Matrix::identity() * sigma * sigma).try_inverse().expect("positive definite")
    }
}

impl Prior<f64> for Gauss {
    fn denoise(&self, x: &[f64], sigma: f64, _step: usize) -> Result<Vec<f64>> {
        let m = nalgebra::Vector3::from(self.mean);
        let x = nalgebra::Vector3::from_column_slice(x);
        Ok((m + self.gain(sigma) * (x - m)).as_slice().to_vec())
    }

    fn pull_back(&self, _x: &[f64], sigma: f64, _step: usize, cotangent: &[f64]) -> Result<Vec<f64>> {
        let c = nalgebra::Vector3::from_column_slice(cotangent);
        Ok((self.gain(sigma).transpose() * c).as_slice().to_vec())
    }
}

/// Rows of A, and the noise.
struct Linear {
    rows: Vec<[f64; 3]>,
    noise: f64,
    kept: Option<Vec<bool>>,
}

impl Measurement<f64> for Linear {
    fn forward(&self, x: &[f64]) -> Vec<f64> {
        self.rows.iter().map(|r| r.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
    }

    fn adjoint(&self, y: &[f64]) -> Vec<f64> {
        (0..3).map(|c| self.rows.iter().zip(y).map(|(r, y)| r[c] * y).sum()).collect()
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn kept(&self) -> Option<&[bool]> {
        self.kept.as_deref()
    }
}

fn noisy() -> (Linear, Vec<f64>) {
    (Linear { rows: vec![[1.0, 0.4, 0.0], [0.0, 0.5, 1.0]], noise: 0.2, kept: None }, vec![1.2, -0.1])
}

/// The first element known exactly.
fn mask() -> (Linear, Vec<f64>) {
    let rows = vec![[1.0, 0.0, 0.0], [0.0; 3], [0.0; 3]];
    (Linear { rows, noise: 0.0, kept: Some(vec![true, false, false]) }, vec![1.2, 0.0, 0.0])
}

/// Mean and covariance of the exact posterior.
fn exact(a: &Linear, y: &[f64]) -> (nalgebra::Vector3<f64>, Matrix) {
    let s = matrix(&GAUSS.covariance);
    let m = nalgebra::Vector3::from(GAUSS.mean);
    let rows = a.rows.len();
    let a_matrix = nalgebra::DMatrix::from_fn(rows, 3, |r, c| a.rows[r][c]);
    let s = nalgebra::DMatrix::from_fn(3, 3, |r, c| s[(r, c)]);
    let noise = nalgebra::DMatrix::identity(rows, rows) * (a.noise * a.noise).max(1e-12);
    let k = &s
        * a_matrix.transpose()
        * (&a_matrix * &s * a_matrix.transpose() + noise).try_inverse().expect("regular");
    let misfit = nalgebra::DVector::from_column_slice(y)
        - &a_matrix * nalgebra::DVector::from_column_slice(m.as_slice());
    let mean = nalgebra::DVector::from_column_slice(m.as_slice()) + &k * misfit;
    let covariance = &s - &k * &a_matrix * &s;
    (nalgebra::Vector3::from_column_slice(mean.as_slice()), Matrix::from_fn(|r, c| covariance[(r, c)]))
}

/// Largest error of the mean, in standard deviations of the prior, and the ratio of the spreads (traces).
fn observe(solver: PosteriorSolver, (a, y): (Linear, Vec<f64>), steps: usize) -> (f64, f64) {
    let walk = Posterior::new(solver, steps, [0.005, 20.0], 3).expect("settings");
    let count = 1500;
    let mut sum = nalgebra::Vector3::zeros();
    let mut squares = nalgebra::Vector3::zeros();
    for number in 0..count {
        let x = walk.sample(&GAUSS, &a, &y, &[0.0; 3], number, &mut || Ok(())).expect("a sample");
        let x = nalgebra::Vector3::from_column_slice(&x);
        sum += x;
        squares += x.component_mul(&x);
    }
    let mean = sum / count as f64;
    let variance = squares / count as f64 - mean.component_mul(&mean);
    let (want, covariance) = exact(&a, &y);
    let error = (0..3).map(|k| (mean[k] - want[k]).abs() / GAUSS.covariance[k][k].sqrt()).fold(0.0, f64::max);
    (error, (variance.sum().max(0.0) / covariance.trace()).sqrt())
}

#[test]
fn diffpir_has_the_mean_and_most_of_the_spread() {
    let (error, spread) = observe(PosteriorSolver::DiffPir { lambda: 1.0, zeta: 1.0 }, noisy(), 100);
    println!("diffpir: mean off by {error:.3}, spread {spread:.3}");
    assert!(error < 0.1 && (0.5..1.15).contains(&spread), "{error} {spread}");
}

#[test]
fn hqs_finds_the_mean_and_has_no_spread() {
    let (error, spread) = observe(PosteriorSolver::Hqs { lambda: 1.0 }, noisy(), 100);
    println!("hqs: mean off by {error:.3}, spread {spread:.3}");
    assert!(error < 0.01 && spread < 1e-6, "{error} {spread}");
}

#[test]
fn ddnm_has_the_mean_nearly() {
    let (error, spread) = observe(PosteriorSolver::Ddnm, noisy(), 100);
    println!("ddnm: mean off by {error:.3}, spread {spread:.3}");
    assert!(error < 0.1 && (0.1..0.4).contains(&spread), "{error} {spread}");
}

#[test]
fn dds_is_as_diffpir() {
    let (error, spread) = observe(PosteriorSolver::Dds { iterations: 5, eta: 1.0 }, noisy(), 100);
    println!("dds: mean off by {error:.3}, spread {spread:.3}");
    assert!(error < 0.1 && (0.5..1.15).contains(&spread), "{error} {spread}");
}

#[test]
fn dps_is_near() {
    let (error, spread) = observe(PosteriorSolver::Dps { scale: 0.3 }, noisy(), 200);
    println!("dps: mean off by {error:.3}, spread {spread:.3}");
    assert!(error < 0.35 && (0.3..2.0).contains(&spread), "{error} {spread}");
}

#[test]
fn repaint_keeps_what_is_known_and_approaches_the_rest() {
    let (error, spread) = observe(PosteriorSolver::RePaint { resamples: 8 }, mask(), 50);
    println!("repaint: mean off by {error:.3}, spread {spread:.3}");
    assert!(error < 0.08 && (0.55..0.9).contains(&spread), "{error} {spread}");
    let (a, y) = mask();
    let walk =
        Posterior::new(PosteriorSolver::RePaint { resamples: 2 }, 10, [0.01, 5.0], 1).expect("settings");
    let x = walk.sample(&GAUSS, &a, &y, &[0.0; 3], 0, &mut || Ok(())).expect("a sample");
    assert_eq!(x[0], 1.2);
    let (noisy, data) = noisy();
    assert!(walk.sample(&GAUSS, &noisy, &data, &[0.0; 3], 0, &mut || Ok(())).is_err());
}

#[test]
fn the_walk_stops_on_request_and_is_reproducible() {
    let (a, y) = noisy();
    let walk = Posterior::new(PosteriorSolver::Ddnm, 10, [0.01, 5.0], 1).expect("settings");
    let draw = |n| walk.sample(&GAUSS, &a, &y, &[0.0; 3], n, &mut || Ok(())).expect("a sample");
    assert_eq!(draw(4), draw(4));
    assert_ne!(draw(4), draw(5));
    let error = walk.sample(&GAUSS, &a, &y, &[0.0; 3], 0, &mut || Err(Error::Stopped)).expect_err("stopped");
    assert!(error.is_stopped());
    assert!(Posterior::new(PosteriorSolver::Ddnm, 0, [0.01, 5.0], 1).is_err());
    assert!(Posterior::new(PosteriorSolver::Ddnm, 5, [0.0, 5.0], 1).is_err());
}

#[test]
fn conjugate_gradients_solve_the_proximal_problem() {
    let (a, y) = noisy();
    let (z, rho) = ([0.4, -1.0, 2.0], 0.3);
    let x = conjugate_gradients(&a, &z, &y, rho, 20, 1e-12);
    // the gradient of ‖Ax − y‖² + ρ‖x − z‖² vanishes
    let misfit: Vec<f64> = a.forward(&x).iter().zip(&y).map(|(a, b)| a - b).collect();
    let gradient = a.adjoint(&misfit);
    assert!(gradient.iter().zip(&x).zip(z).all(|((g, x), z)| (g + rho * (x - z)).abs() < 1e-9));
    // without weight on z the data are explained
    let x = a.project(&z, &y);
    assert!(a.forward(&x).iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-6));
}
