//! Noise schedules.

use numpy::{PyArray1, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use unmelt_diffusion::{Level, Levels};

use crate::arrays::real;
use crate::errors::{OrRaise, bad_argument};
use crate::names;

/// A noise schedule: x(t) = α(t)·x₀ + σ(t)·ε for t from 0 (clean) to 1 (noise). Computed in float64.
///
/// Example:
///     >>> import unmelt
///     >>> cosine = unmelt.diffusion.Schedule.cosine()
///     >>> float(cosine.alpha(0.0)), round(float(cosine.sigma(0.5)), 6)
///     (1.0, 0.707107)
#[pyclass(frozen, module = "unmelt.diffusion", name = "Schedule")]
pub struct Schedule {
    pub levels: Levels,
}

#[pymethods]
impl Schedule {
    /// The schedule of a JSON description, as on a model's card.
    #[staticmethod]
    fn from_json(text: &str) -> PyResult<Self> {
        let schedule: unmelt_diffusion::Schedule = serde_json::from_str(text)
            .map_err(|e| PyValueError::new_err(format!("this is no schedule: {e}")))?;
        Self::build(schedule)
    }

    /// The schedule as JSON, as on a model's card.
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(self.levels.schedule()).map_err(|e| PyValueError::new_err(e.to_string()))
    }

    /// α = cos(π/2·(t+s)/(1+s)) over its value at t = 0 (Nichol & Dhariwal 2021, with s = 0.008).
    #[staticmethod]
    #[pyo3(signature = (offset=0.0))]
    fn cosine(offset: f64) -> PyResult<Self> {
        Self::build(unmelt_diffusion::Schedule::Cosine { offset })
    }

    /// β rises linearly over the training steps (Ho et al. 2020).
    #[staticmethod]
    #[pyo3(signature = (beta_start=1e-4, beta_end=0.02, steps=1000))]
    fn linear(beta_start: f64, beta_end: f64, steps: usize) -> PyResult<Self> {
        Self::build(unmelt_diffusion::Schedule::Linear { beta_start, beta_end, steps })
    }

    /// √β rises linearly over the training steps (Rombach et al. 2022).
    #[staticmethod]
    #[pyo3(signature = (beta_start=8.5e-4, beta_end=0.012, steps=1000))]
    fn scaled_linear(beta_start: f64, beta_end: f64, steps: usize) -> PyResult<Self> {
        Self::build(unmelt_diffusion::Schedule::ScaledLinear { beta_start, beta_end, steps })
    }

    /// EDM's schedule for molecules (Hoogeboom et al. 2022).
    #[staticmethod]
    #[pyo3(signature = (power=2.0, precision=1e-5, steps=1000))]
    fn polynomial(power: f64, precision: f64, steps: usize) -> PyResult<Self> {
        Self::build(unmelt_diffusion::Schedule::Polynomial { power, precision, steps })
    }

    /// α = 1 and σ^(1/ρ) linear in t (Karras et al. 2022).
    #[staticmethod]
    #[pyo3(signature = (sigma_min=0.002, sigma_max=80.0, rho=7.0))]
    fn karras(sigma_min: f64, sigma_max: f64, rho: f64) -> PyResult<Self> {
        Self::build(unmelt_diffusion::Schedule::Karras { sigma_min, sigma_max, rho })
    }

    /// α = 1, σ from `sigma_min` to `sigma_max` geometrically (Song et al. 2021).
    #[staticmethod]
    #[pyo3(signature = (sigma_min=0.01, sigma_max=50.0))]
    fn variance_exploding(sigma_min: f64, sigma_max: f64) -> PyResult<Self> {
        Self::build(unmelt_diffusion::Schedule::VarianceExploding { sigma_min, sigma_max })
    }

    /// Rectified flow: σ = s·t/(1 + (s−1)·t), α = 1 − σ (Esser et al. 2024).
    #[staticmethod]
    #[pyo3(signature = (shift=1.0))]
    fn flow(shift: f64) -> PyResult<Self> {
        Self::build(unmelt_diffusion::Schedule::Flow { shift })
    }

    /// ᾱ of every training step, least noisy first, as other programs store it.
    #[staticmethod]
    fn tabulated(alphas_cumprod: Vec<f64>) -> PyResult<Self> {
        Self::build(unmelt_diffusion::Schedule::Tabulated { alphas_cumprod, starts_at_zero: false })
    }

    /// α at times in [0, 1], of the shape of `t`.
    fn alpha<'py>(&self, py: Python<'py>, t: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.map(py, t, |level| level.alpha)
    }

    /// σ at times in [0, 1], of the shape of `t`.
    fn sigma<'py>(&self, py: Python<'py>, t: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.map(py, t, |level| level.sigma)
    }

    /// ln(α²/σ²) at times in [0, 1], of the shape of `t`.
    fn log_snr<'py>(&self, py: Python<'py>, t: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.map(py, t, Level::log_snr)
    }

    /// ᾱ of every training step; none of a schedule without steps.
    #[getter]
    fn alphas_cumprod<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.levels.alphas_cumprod().map(|a| PyArray1::from_slice(py, a))
    }

    /// The times that a sampler visits, noisiest first, the last one 0; shape (steps + 1,).
    ///
    /// Args:
    ///     grid: "trailing" (even), "karras", "logsnr" or "power:P".
    ///     steps: Steps.
    #[pyo3(signature = (grid="trailing", steps=50))]
    fn times<'py>(&self, py: Python<'py>, grid: &str, steps: usize) -> PyResult<Bound<'py, PyArray1<f64>>> {
        Ok(PyArray1::from_vec(py, self.grid(grid, steps)?))
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!("Schedule({})", self.to_json()?))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|o| o.get().levels.schedule() == self.levels.schedule())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let class: Bound<'py, PyType> = slf.get_type();
        Ok((class.getattr("from_json")?, (slf.get().to_json()?,)))
    }
}

impl Schedule {
    fn build(schedule: unmelt_diffusion::Schedule) -> PyResult<Self> {
        Ok(Self { levels: schedule.build().or_raise()? })
    }

    /// The times of a grid by its name.
    pub fn grid(&self, name: &str, steps: usize) -> PyResult<Vec<f64>> {
        names::grid(name)?.times(steps, &self.levels).or_raise()
    }

    fn map<'py>(
        &self,
        py: Python<'py>,
        t: &Bound<'py, PyAny>,
        f: impl Fn(Level) -> f64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let t = real::<f64>(t, "t", None)?;
        let times = t.as_array();
        if times.iter().any(|t| !(0.0..=1.0).contains(t)) {
            return Err(bad_argument("t", "must lie between 0 and 1"));
        }
        let flat = PyArray1::from_iter(py, times.iter().map(|t| f(self.levels.at(*t))));
        Ok(flat.reshape(t.shape().to_vec())?.into_any())
    }
}
