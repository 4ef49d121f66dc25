//! Priors of volumes, and every enhancement from them.

use std::sync::Arc;

use numpy::{Complex32, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use unmelt_diffusion::job::{Event, Job};
use unmelt_imaging::enhance::{
    EnhanceRequest, EnhanceSettings, Enhancer, GenerateRequest, Task, VolumeRequest,
};
use unmelt_imaging::kspace::{ComplexArray, KSpace};
use unmelt_imaging::measurement::Profile;
use unmelt_imaging::{Grid, models};
use unmelt_imaging_io::{Derivation, Scan};

use crate::arrays::complex;
use crate::errors::{OrRaise, bad_argument};
use crate::names;
use crate::volume::{Volume, mask};
use crate::work;

/// A prior of volumes.
///
/// Args:
///     name: A built-in model, or the folder of a trained one.
///     device: Where it computes: "cpu", "cuda", "cuda:N" or "wgpu".
///
/// Raises:
///     ValueError: There is no such model or device.
///     ModelError: Its files cannot be used.
#[pyclass(frozen, module = "unmelt._unmelt", name = "VolumeModel")]
pub struct VolumeModel {
    enhancer: Arc<Enhancer>,
    source: String,
    device: String,
}

/// The estimate or mean, standard deviation, half the width of the 90 % interval, and the noise that was assumed: its standard
/// deviation, and whether it is Rician.
type Outcome = (Volume, Option<Volume>, Option<Volume>, Option<(f64, bool)>);

/// How a walk goes.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Settings {
    steps: usize,
    seed: u64,
    samples: usize,
    solver: Option<String>,
    sigma_max: Option<f64>,
}

impl Settings {
    fn settings(self) -> EnhanceSettings {
        EnhanceSettings {
            solver: self.solver,
            steps: self.steps,
            seed: self.seed,
            samples: self.samples,
            sigma_max: self.sigma_max,
            ..EnhanceSettings::default()
        }
    }
}

#[pymethods]
impl VolumeModel {
    #[new]
    #[pyo3(signature = (name="brain-mri", device="cpu"))]
    fn new(py: Python, name: &str, device: &str) -> PyResult<Self> {
        let opened = names::device(device)?;
        let enhancer = py.detach(|| Enhancer::load(&models::find(name)?, &opened)).or_raise()?;
        Ok(Self { enhancer: Arc::new(enhancer), source: name.into(), device: device.into() })
    }

    /// Name on the model's card.
    #[getter]
    fn name(&self) -> &str {
        self.enhancer.name()
    }

    /// The model's card, as JSON.
    #[getter]
    fn card_json(&self) -> PyResult<String> {
        serde_json::to_string(self.enhancer.card()).map_err(|e| PyValueError::new_err(e.to_string()))
    }

    fn __repr__(&self) -> String {
        format!("Model({:?}, device={:?})", self.name(), self.device)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (String, String)) {
        (slf.get_type(), (slf.get().source.clone(), slf.get().device.clone()))
    }

    /// Takes noise away.
    #[pyo3(signature = (volume, settings, progress=None, *, sigma=None, rician=None))]
    fn denoise(
        &self,
        py: Python,
        volume: Py<Volume>,
        settings: Settings,
        progress: Option<Py<PyAny>>,
        sigma: Option<f64>,
        rician: Option<bool>,
    ) -> PyResult<Outcome> {
        self.enhance(py, &volume, Task::Denoise { sigma, rician }, settings, progress)
    }

    /// Resolves a finer grid; the spacing is along the axes of the array, in mm.
    #[pyo3(signature = (volume, settings, progress=None, *, spacing, gaussian=false))]
    fn super_resolve(
        &self,
        py: Python,
        volume: Py<Volume>,
        settings: Settings,
        progress: Option<Py<PyAny>>,
        spacing: [f64; 3],
        gaussian: bool,
    ) -> PyResult<Outcome> {
        let axes = volume.get().volume().orientation().axes;
        let profile = if gaussian { Profile::Gaussian } else { Profile::Box };
        let task = Task::SuperResolve { spacing: axes.map(|a| spacing[a]), profile };
        self.enhance(py, &volume, task, settings, progress)
    }

    /// Fills the voxels where the mask is not 0.
    #[pyo3(signature = (volume, settings, progress=None, *, mask))]
    fn inpaint(
        &self,
        py: Python,
        volume: Py<Volume>,
        settings: Settings,
        progress: Option<Py<PyAny>>,
        mask: &Bound<'_, PyAny>,
    ) -> PyResult<Outcome> {
        let missing = self::mask(volume.get(), mask, "mask")?;
        self.enhance(py, &volume, Task::Inpaint { missing }, settings, progress)
    }

    /// Adds voxels at the left, back and bottom (`low`) and at the right, front and top (`high`) of the patient; in mm.
    #[pyo3(signature = (volume, settings, progress=None, *, low, high))]
    fn outpaint(
        &self,
        py: Python,
        volume: Py<Volume>,
        settings: Settings,
        progress: Option<Py<PyAny>>,
        low: [f64; 3],
        high: [f64; 3],
    ) -> PyResult<Outcome> {
        let task = Task::outpaint(&volume.get().volume().grid, low, high).or_raise()?;
        self.enhance(py, &volume, task, settings, progress)
    }

    /// Reconstructs from k-space `[coil, slice, y, x]` (or without the first axes), the zero frequency in the middle; positions
    /// that hold 0 were not sampled.
    #[pyo3(signature = (kspace, settings, progress=None, *, sensitivities=None, spacing=[1.0, 1.0, 1.0]))]
    fn reconstruct(
        &self,
        py: Python,
        kspace: &Bound<'_, PyAny>,
        settings: Settings,
        progress: Option<Py<PyAny>>,
        sensitivities: Option<&Bound<'_, PyAny>>,
        spacing: [f64; 3],
    ) -> PyResult<Outcome> {
        if spacing.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(bad_argument("spacing", "must be above 0 mm"));
        }
        let data = kspace_of(kspace, "kspace")?;
        let maps = sensitivities.map(|m| kspace_of(m, "sensitivities")).transpose()?;
        let (measurement, values) = data.measurement(maps.as_ref()).or_raise()?;
        let grid = Grid::centred(data.shape, spacing);
        let scan = Scan::new(unmelt_imaging::Volume::new(vec![0.0; grid.voxels()], grid));
        let task = Task::KSpace { measurement, data: values };
        self.walk(py, Arc::new(scan), task, settings, progress)
    }

    /// Draws a volume from the prior alone, in units of the robust range; spacing in mm.
    #[pyo3(signature = (shape, settings, progress=None, *, spacing=[1.0, 1.0, 1.0]))]
    fn generate(
        &self,
        py: Python,
        shape: [usize; 3],
        settings: Settings,
        progress: Option<Py<PyAny>>,
        spacing: [f64; 3],
    ) -> PyResult<Volume> {
        if shape.iter().any(|n| !(1..=1024).contains(n)) {
            return Err(bad_argument("shape", "must be between 1 and 1024 voxels along each axis"));
        }
        if spacing.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(bad_argument("spacing", "must be above 0 mm"));
        }
        let (enhancer, settings) = (self.enhancer.clone(), settings.settings());
        let request = GenerateRequest { shape, spacing, settings: settings.clone() };
        let labour =
            move |job: &Job| enhancer.generate(Grid::centred(shape, spacing), &settings, job).or_raise();
        let volume = work::run(py, labour, |py, p| tell(py, progress.as_ref(), p))?;
        let request = VolumeRequest::Generate(request);
        let derivation = Derivation::by_model("generate", self.enhancer.card(), request);
        Ok(Volume::derived(Scan::new(volume), derivation))
    }
}

impl VolumeModel {
    fn enhance(
        &self,
        py: Python,
        volume: &Py<Volume>,
        task: Task,
        settings: Settings,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Outcome> {
        self.walk(py, volume.get().inner.clone(), task, settings, progress)
    }

    fn walk(
        &self,
        py: Python,
        scan: Arc<Scan>,
        task: Task,
        settings: Settings,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Outcome> {
        let (enhancer, settings, name) = (self.enhancer.clone(), settings.settings(), task.name());
        let input = scan.clone();
        let request = VolumeRequest::Enhance(EnhanceRequest::new(&scan.volume, &task, &settings));
        let derivation = Derivation::by_model(name, self.enhancer.card(), request);
        let labour = move |job: &Job| enhancer.enhance(&input.volume, &task, &settings, job).or_raise();
        let out = work::run(py, labour, |py, p| tell(py, progress.as_ref(), p))?;
        let of = |voxels: Vec<f32>| Volume::new(scan.with(out.volume.with_voxels(voxels)), name, self.name());
        // An interval that nothing says the coverage of is none.
        let half = out.half_interval.filter(|_| out.calibrated).map(of);
        let deviation = out.deviation.map(of);
        let noise = out.noise.map(|n| (n.sigma, n.rician));
        Ok((Volume::derived(scan.with(out.volume), derivation), deviation, half, noise))
    }
}

/// Hands progress to Python as evaluations done and evaluations in all.
fn tell(py: Python, progress: Option<&Py<PyAny>>, event: &Event) -> PyResult<()> {
    let (Some(progress), Event::Progress(p)) = (progress, event) else { return Ok(()) };
    progress.call1(py, (p.evaluations(), p.all_evaluations())).map(drop)
}

/// k-space of an array of complex numbers.
fn kspace_of(array: &Bound<'_, PyAny>, name: &str) -> PyResult<KSpace> {
    let array = complex(array, name)?;
    let values: Vec<Complex32> = array.as_array().iter().copied().collect();
    if values.iter().any(|v| !(v.re.is_finite() && v.im.is_finite())) {
        return Err(bad_argument(name, "holds numbers that are not finite"));
    }
    KSpace::new(ComplexArray { shape: array.shape().to_vec(), values }, name).or_raise()
}

/// The names of the built-in priors of volumes.
#[pyfunction]
pub fn volume_models() -> Vec<&'static str> {
    models::names().collect()
}
