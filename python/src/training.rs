//! Training, with events handed to Python.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;
use unmelt_diffusion::checkpoint::ModelFiles;
use unmelt_diffusion::job::{Event, Job};
use unmelt_diffusion::train::{Begin, RunFolder};
use unmelt_imaging::TrainingRun as VolumeRun;
use unmelt_imaging_io::NiftiFiles;
use unmelt_molecules::TrainingRun as MoleculeRun;

use crate::errors::{OrRaise, bad_argument};
use crate::names;
use crate::work;

/// Trains a model of molecules; see `unmelt.molecules.train`. Returns steps done, and warnings.
#[pyfunction]
#[pyo3(signature = (data, output, settings="{}", *, model=None, resume=false, overwrite=false, minutes=None, device="cpu",
    callback=None))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
pub fn train_molecules(
    py: Python,
    data: PathBuf,
    output: PathBuf,
    settings: &str,
    model: Option<&str>,
    resume: bool,
    overwrite: bool,
    minutes: Option<f64>,
    device: &str,
    callback: Option<Py<PyAny>>,
) -> PyResult<(u64, Vec<String>)> {
    let model = model.map(unmelt_molecules::models::find).transpose().or_raise()?;
    let folder = folder(output, Begin::of(resume, overwrite).or_raise()?, model, minutes)?;
    let run = MoleculeRun { data, config: config(settings)?, folder };
    let device = names::device(device)?;
    let labour = move |job: &Job| run.run(&device, job).or_raise();
    let summary = work::run(py, labour, |py, event| tell(py, callback.as_ref(), event))?;
    Ok((summary.steps, summary.warnings))
}

/// Trains a prior of volumes; see `unmelt.volumes.train`. Returns steps done, and warnings.
#[pyfunction]
#[pyo3(signature = (volumes, output, settings="{}", *, labels=Vec::new(), exclude=Vec::new(), model=None, resume=false,
    overwrite=false, minutes=None, device="cpu", callback=None))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
pub fn train_volumes(
    py: Python,
    volumes: Vec<PathBuf>,
    output: PathBuf,
    settings: &str,
    labels: Vec<PathBuf>,
    exclude: Vec<String>,
    model: Option<&str>,
    resume: bool,
    overwrite: bool,
    minutes: Option<f64>,
    device: &str,
    callback: Option<Py<PyAny>>,
) -> PyResult<(u64, Vec<String>)> {
    let model = model.map(unmelt_imaging::models::find).transpose().or_raise()?;
    let folder = folder(output, Begin::of(resume, overwrite).or_raise()?, model, minutes)?;
    let files = |paths| NiftiFiles { paths, exclude: exclude.clone() };
    let (volumes, labels) = (files(volumes), files(labels));
    let config = config(settings)?;
    let device = names::device(device)?;
    let labour = move |job: &Job| {
        let (volumes, labels) = (&volumes, &labels);
        let run = VolumeRun { volumes, labels, config, folder };
        run.run(&device, job).or_raise()
    };
    let summary = work::run(py, labour, |py, event| tell(py, callback.as_ref(), event))?;
    Ok((summary.steps, summary.warnings))
}

/// Settings as JSON; what they do not name keeps its default.
fn config<C: serde::de::DeserializeOwned>(settings: &str) -> PyResult<C> {
    let value: Value = serde_json::from_str(settings).map_err(|e| PyValueError::new_err(e.to_string()))?;
    serde_json::from_value(value).map_err(|e| bad_argument("settings:", e))
}

/// The folder of a run that begins with a model, if one is given, and ends after so many minutes.
fn folder(
    output: PathBuf,
    begin: Begin,
    model: Option<ModelFiles>,
    minutes: Option<f64>,
) -> PyResult<RunFolder> {
    let mut folder = RunFolder::new(output, begin);
    if let Some(model) = model {
        folder = folder.beginning_with(model).or_raise()?;
    }
    if let Some(minutes) = minutes {
        let limit = Duration::try_from_secs_f64(minutes * 60.0)
            .map_err(|_| bad_argument("minutes", "must be a number of at least 0"))?;
        folder = folder.stopping_after(limit);
    }
    Ok(folder)
}

/// An event as a dictionary.
fn tell(py: Python, callback: Option<&Py<PyAny>>, event: &Event) -> PyResult<()> {
    let Some(callback) = callback else { return Ok(()) };
    let dict = PyDict::new(py);
    match event {
        Event::TrainingStarted { step, steps, parameters } => {
            dict.set_item("event", "started")?;
            dict.set_item("step", step)?;
            dict.set_item("steps", steps)?;
            dict.set_item("parameters", parameters)?;
        }
        Event::Trained { step, loss, parts, gradient_norm, learning_rate, samples_per_second } => {
            dict.set_item("event", "progress")?;
            dict.set_item("step", step)?;
            dict.set_item("loss", loss)?;
            parts.iter().try_for_each(|(name, value)| dict.set_item(*name, value))?;
            dict.set_item("gradient_norm", gradient_norm)?;
            dict.set_item("learning_rate", learning_rate)?;
            dict.set_item("samples_per_second", samples_per_second)?;
        }
        Event::Validated { step, measures } => {
            dict.set_item("event", "validated")?;
            dict.set_item("step", step)?;
            measures.iter().try_for_each(|(name, value)| dict.set_item(*name, value))?;
        }
        Event::Progress(_) | Event::Saving { .. } => return Ok(()),
        Event::Saved { step, path } => {
            dict.set_item("event", "saved")?;
            dict.set_item("step", step)?;
            dict.set_item("path", path.display().to_string())?;
        }
    }
    callback.call1(py, (dict,)).map(drop)
}
