//! Linear measurements: what a scanner, a mask or a camera keeps of a signal.

use crate::Real;

/// A linear map A from signals to data, with noise of a known standard deviation on the data.
pub trait Measurement<T: Real> {
    /// A·x.
    fn forward(&self, x: &[T]) -> Vec<T>;

    /// Aᵀ·y: ⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩ for all x and y.
    fn adjoint(&self, y: &[T]) -> Vec<T>;

    /// Standard deviation of the Gaussian noise on the data; 0 for exact data.
    fn noise(&self) -> f64;

    /// argmin over x of ‖A·x − y‖² + ρ·‖x − z‖², ρ > 0. By conjugate gradients unless there is a formula.
    fn prox(&self, z: &[T], y: &[T], rho: f64) -> Vec<T> {
        nearest(self, z, y, rho)
    }

    /// The point nearest to z that explains the data (in the sense of least squares): z − A⁺(A·z − y).
    fn project(&self, z: &[T], y: &[T]) -> Vec<T> {
        nearest(self, z, y, 0.0)
    }

    /// Where A only keeps some elements and drops the others: which it keeps.
    fn kept(&self) -> Option<&[bool]> {
        None
    }

    /// Whether the work is no longer wanted: iterations end, and what they return is of no use.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Most iterations of a prox without formula.
const ITERATIONS: usize = 50;
/// Relative residual at which they end.
const TOLERANCE: f64 = 1e-5;

/// What [`Measurement::prox`] is without a formula, and with ρ = 0 [`Measurement::project`].
pub fn nearest<T: Real, M: Measurement<T> + ?Sized>(measurement: &M, z: &[T], y: &[T], rho: f64) -> Vec<T> {
    conjugate_gradients(measurement, z, y, rho, ITERATIONS, TOLERANCE)
}

/// Conjugate gradients on (AᵀA + ρ)·d = Aᵀ(y − A·z) from d = 0; z + d. With ρ = 0 the least change of z that
/// explains the data best.
pub fn conjugate_gradients<T: Real, M: Measurement<T> + ?Sized>(
    measurement: &M,
    z: &[T],
    y: &[T],
    rho: f64,
    iterations: usize,
    tolerance: f64,
) -> Vec<T> {
    let mut x = z.to_vec();
    let missing: Vec<T> =
        measurement.forward(z).iter().zip(y).map(|(a, b)| T::of(b.f64() - a.f64())).collect();
    let mut residual = measurement.adjoint(&missing);
    drop(missing);
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    let end = square * tolerance * tolerance;
    for _ in 0..iterations {
        if square <= end || square == 0.0 || measurement.is_stopped() {
            break;
        }
        let mut image = measurement.adjoint(&measurement.forward(&direction));
        add(&mut image, rho, &direction);
        let curvature = dot(&direction, &image);
        if curvature <= 0.0 {
            break;
        }
        let length = square / curvature;
        add(&mut x, length, &direction);
        add(&mut residual, -length, &image);
        let next = dot(&residual, &residual);
        let ratio = next / square;
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = T::of(r.f64() + ratio * d.f64()));
        square = next;
    }
    x
}

fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()
}

fn add<T: Real>(x: &mut [T], factor: f64, y: &[T]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x = T::of(x.f64() + factor * y.f64()));
}
