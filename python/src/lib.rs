//! Python bindings of unmelt: the module `unmelt._unmelt`, on which the package `unmelt` is written.

mod arrays;
mod denoising;
mod errors;
mod import;
mod molecule;
mod molecule_model;
mod names;
mod process;
mod schedule;
mod training;
mod volume;
mod volume_model;
mod work;

use pyo3::prelude::*;

use errors::OrRaise;

/// Keeps freed memory instead of handing it back to the system after each tensor; Rust's memory only.
#[global_allocator]
static ALLOCATOR: unmelt_allocator::MiMalloc = unmelt_allocator::MiMalloc;

/// What the package `unmelt` is built on.
#[pymodule]
mod _unmelt {
    use super::*;

    #[pymodule_export]
    use super::denoising::{noise, sample, solvers};
    #[pymodule_export]
    use super::errors::{FormatError, ModelError, NumericalError, UnmeltError};
    #[pymodule_export]
    use super::import::import_edm;
    #[pymodule_export]
    use super::molecule::{Molecule, evaluate_molecules, read_molecules, write_molecules};
    #[pymodule_export]
    use super::molecule_model::{MoleculeFilterSet, MoleculeModel, MoleculePlan, molecule_models};
    #[pymodule_export]
    use super::process::Process;
    #[pymodule_export]
    use super::schedule::Schedule;
    #[pymodule_export]
    use super::training::{train_molecules, train_volumes};
    #[pymodule_export]
    use super::volume::{Volume, compare_volumes, read_volume};
    #[pymodule_export]
    use super::volume_model::{VolumeModel, volume_models};

    /// The devices that the package was built for, by name, with what each is.
    #[pyfunction]
    fn devices() -> Vec<(&'static str, String)> {
        unmelt_diffusion::device::compiled()
    }

    /// Sets a limit on the size of inputs and requests, by the name that an error gives.
    #[pyfunction]
    fn set_limit(name: &str, value: u64) -> PyResult<()> {
        unmelt_diffusion::files::limits::set(name, value).or_raise()
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        unmelt_allocator::keep_freed_memory();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
