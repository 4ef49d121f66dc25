//! Models of molecules.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use unmelt_diffusion::budget::Budget;
use unmelt_diffusion::job::{Event, Job};
use unmelt_molecules::evaluate::Assessment;
use unmelt_molecules::{
    Beginning, ElementLimit, Filter, FilterSet, Fragments, GenerateRequest, Generator, KeySet, Plan,
    SamplingRun, Wanted, models,
};

use crate::errors::{IntoPython, OrRaise, bad_argument};
use crate::molecule::{Molecule, inner};
use crate::names;
use crate::work;

/// A model that generates molecules.
///
/// Args:
///     name: A built-in model, or the folder of a trained one.
///     device: Where it computes: "cpu", "cuda", "cuda:N" or "wgpu".
///
/// Raises:
///     ValueError: There is no such model or device.
///     ModelError: Its files cannot be used.
///
/// Example:
///     >>> import unmelt
///     >>> unmelt.molecules.Model("qm9").name
///     'qm9'
#[pyclass(frozen, module = "unmelt._unmelt", name = "MoleculeModel")]
pub struct MoleculeModel {
    generator: Arc<Generator>,
    source: String,
    device: String,
}

#[pymethods]
impl MoleculeModel {
    #[new]
    #[pyo3(signature = (name="qm9", device="cpu"))]
    fn new(py: Python, name: &str, device: &str) -> PyResult<Self> {
        let opened = names::device_name(device)?;
        let generator = py.detach(|| models::load(&models::find(name)?, opened)).or_raise()?;
        Ok(Self { generator, source: name.into(), device: device.into() })
    }

    /// Name on the model's card.
    #[getter]
    fn name(&self) -> &str {
        &self.generator.card().name
    }

    /// The model's card, as JSON.
    #[getter]
    fn card_json(&self) -> PyResult<String> {
        serde_json::to_string(self.generator.card()).map_err(|e| PyValueError::new_err(e.to_string()))
    }

    /// The properties that may be asked for: (lowest, highest, unit) of the training data by name.
    #[getter]
    fn properties(&self) -> BTreeMap<String, (f64, f64, String)> {
        let properties = self.generator.card().model.properties();
        let of = |p: &unmelt_molecules::Property| (p.range[0], p.range[1], p.source.unit.clone());
        properties.iter().map(|p| (p.source.name.clone(), of(p))).collect()
    }

    fn __repr__(&self) -> String {
        format!("Model({:?}, device={:?})", self.name(), self.device)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (String, String)) {
        (slf.get_type(), (slf.get().source.clone(), slf.get().device.clone()))
    }

    /// Whether each key is not among those of the molecules that the model was trained on.
    fn novel(&self, keys: Vec<String>) -> PyResult<Vec<bool>> {
        let known = self.training_keys()?;
        Ok(keys.iter().map(|key| !known.contains(key)).collect())
    }

    /// Filters to be asked about molecules one after another; they remember what they have let through.
    fn filter_set(&self, filters: Vec<String>) -> PyResult<MoleculeFilterSet> {
        Ok(MoleculeFilterSet(Mutex::new(self.parsed_filters(Some(filters), None, None)?)))
    }

    /// Checks a request, and says what it will do and what it takes.
    #[pyo3(signature = (count, *, first=0, seed=0, steps=100, solver="sde-dpm++2m", grid="power:1.25", temperature=None, atoms=None, properties=None,
        guidance=None, guidance_interval=None, candidates=None, formula=None, fragments=None, attach=None, vary=None, strength=0.3, filters=None, contains=None,
        reference=None, batch=64))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn plan(
        &self,
        count: u64,
        first: u64,
        seed: u64,
        steps: usize,
        solver: &str,
        grid: &str,
        temperature: Option<f64>,
        atoms: Option<usize>,
        properties: Option<BTreeMap<String, f64>>,
        guidance: Option<f64>,
        guidance_interval: Option<(f64, f64)>,
        candidates: Option<usize>,
        formula: Option<&str>,
        fragments: Option<Vec<Py<Molecule>>>,
        attach: Option<Vec<usize>>,
        vary: Option<Py<Molecule>>,
        strength: f64,
        filters: Option<Vec<String>>,
        contains: Option<Vec<String>>,
        reference: Option<Vec<Py<Molecule>>>,
        batch: u64,
    ) -> PyResult<MoleculePlan> {
        let beginning = beginning(formula, fragments, attach, vary, strength)?;
        let usual = GenerateRequest::default();
        let request = GenerateRequest {
            steps,
            solver: names::solver(solver)?,
            grid: names::grid(grid)?,
            temperature: temperature.unwrap_or(usual.temperature),
            seed,
            atoms,
            beginning,
            targets: properties.unwrap_or_default().into_iter().collect(),
            guidance: guidance.unwrap_or(usual.guidance),
            guidance_interval: guidance_interval.map(<[f64; 2]>::from),
            candidates,
        };
        let filter_set = self.parsed_filters(filters, contains, reference)?;
        let wanted = Wanted { first, count, batch };
        let generator = self.generator.clone();
        let plan = request.plan(generator.card(), wanted, &filter_set, &Budget::of_machine()).or_raise()?;
        Ok(MoleculePlan { generator, plan, filter_set })
    }
}

impl MoleculeModel {
    fn training_keys(&self) -> PyResult<KeySet> {
        models::training_keys(&self.source).or_raise()?.ok_or_else(|| {
            PyValueError::new_err(format!(
                "the model {} does not know what it was trained on; name molecules that are not novel with reference",
                self.name()
            ))
        })
    }

    fn parsed_filters(
        &self,
        filters: Option<Vec<String>>,
        contains: Option<Vec<String>>,
        reference: Option<Vec<Py<Molecule>>>,
    ) -> PyResult<FilterSet> {
        let filters = filters.unwrap_or_default();
        let filters = filters.iter().map(|f| f.parse::<Filter>());
        let filters = filters.collect::<Result<Vec<_>, _>>().map_err(|e| bad_argument("filters:", e))?;
        let limits = contains.unwrap_or_default();
        let limits = limits.iter().map(|l| l.parse::<ElementLimit>());
        let limits = limits.collect::<Result<Vec<_>, _>>().map_err(|e| bad_argument("contains:", e))?;
        let known = match (reference, filters.contains(&Filter::Novel)) {
            (_, false) => KeySet::default(),
            (Some(reference), true) => KeySet::of(&inner(&reference)),
            (None, true) => self.training_keys()?,
        };
        Ok(FilterSet::new(filters, limits, known))
    }
}

/// A checked request to a model.
#[pyclass(frozen, module = "unmelt._unmelt", name = "MoleculePlan")]
pub struct MoleculePlan {
    generator: Arc<Generator>,
    plan: Plan,
    filter_set: FilterSet,
}

#[pymethods]
impl MoleculePlan {
    /// The plan, as JSON.
    #[getter]
    fn json(&self) -> PyResult<String> {
        serde_json::to_string(&self.plan).map_err(|e| PyValueError::new_err(e.to_string()))
    }

    /// What the training data of the model has next to nothing of, as sentences.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.plan.warnings.clone()
    }

    /// Generates; returns the molecules, and how many were drawn for them.
    #[pyo3(signature = (progress=None))]
    fn run(&self, py: Python, progress: Option<Py<PyAny>>) -> PyResult<(Vec<Molecule>, u64)> {
        let (generator, plan, filter_set) =
            (self.generator.clone(), self.plan.clone(), self.filter_set.clone());
        let labour = move |job: &Job| sampling_run(&generator, plan, filter_set, job);
        work::run(py, labour, |py, event| match (&progress, event) {
            (Some(progress), Event::Progress(p)) => progress.call1(py, (p.finished, p.share())).map(drop),
            _ => Ok(()),
        })
    }
}

/// Filters at work.
#[pyclass(frozen, module = "unmelt._unmelt", name = "MoleculeFilterSet")]
pub struct MoleculeFilterSet(Mutex<FilterSet>);

#[pymethods]
impl MoleculeFilterSet {
    /// Whether a molecule is kept.
    fn keeps(&self, molecule: &Bound<'_, Molecule>) -> bool {
        let molecule = &molecule.get().inner;
        let mut filter_set = self.0.lock().unwrap_or_else(|e| e.into_inner());
        filter_set.keeps(molecule, &Assessment::of(molecule))
    }
}

/// The beginning that the arguments name; only one may be given.
fn beginning(
    formula: Option<&str>,
    fragments: Option<Vec<Py<Molecule>>>,
    attach: Option<Vec<usize>>,
    vary: Option<Py<Molecule>>,
    strength: f64,
) -> PyResult<Beginning> {
    let given = [formula.is_some(), fragments.is_some(), vary.is_some()];
    if given.into_iter().filter(|g| *g).count() > 1 {
        return Err(PyValueError::new_err("give only one of formula, fragments and a molecule to vary"));
    }
    if let Some(formula) = formula {
        return Ok(Beginning::Formula(formula.parse().map_err(|e: String| bad_argument("formula:", e))?));
    }
    if let Some(fragments) = fragments {
        let fragments = Fragments::new(&inner(&fragments), attach.as_deref()).or_raise()?;
        return Ok(Beginning::Fragments(fragments));
    }
    if attach.is_some() {
        return Err(bad_argument("attach", "names atoms, but there is no scaffold"));
    }
    Ok(match vary {
        Some(molecule) => Beginning::Molecule { molecule: molecule.get().inner.as_ref().clone(), strength },
        None => Beginning::Noise,
    })
}

fn sampling_run(
    generator: &Generator,
    plan: Plan,
    filter_set: FilterSet,
    job: &Job,
) -> PyResult<(Vec<Molecule>, u64)> {
    let mut run = SamplingRun::new(generator, plan, filter_set).or_raise()?;
    let mut molecules = Vec::new();
    while !run.is_finished() {
        let batch = run.advance(job, &mut |_| ()).map_err(IntoPython::into_python)?;
        molecules.extend(batch.molecules.into_iter().map(Molecule::from));
    }
    Ok((molecules, run.drawn()))
}

/// The names of the built-in models of molecules.
#[pyfunction]
pub fn molecule_models() -> Vec<&'static str> {
    models::names().collect()
}
