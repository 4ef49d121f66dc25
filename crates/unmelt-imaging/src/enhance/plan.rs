//! What a request will take, known before the work: evaluations, patches, memory, and what was filled in.

use serde::Serialize;
use unmelt_diffusion::posterior::{Posterior, PosteriorSolver};

use super::request::{EnhanceRequest, GenerateRequest, TaskRequest};
use super::settings::{EnhanceSettings, check_settings};
use crate::enhance::memory;
use crate::enhance::problem::{check_size, finer_grid_of};
use crate::prior::calibration::SOLVER_OF_SAMPLES;
use crate::prior::patches::Partition;
use crate::task::check_extension;
use crate::{Grid, Result, VolumeModel};

/// What the work will take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Voxels of the result along right, front and top.
    pub shape: [usize; 3],
    /// Samples that are drawn; 1 for the single best estimate.
    pub samples: u64,
    /// Evaluations of the network over the whole volume, of each sample, at most: a search ends earlier where more do harm.
    pub evaluations: u64,
    /// Patches of each evaluation, at most: those without anything to be seen are left out.
    pub patches: u64,
    /// Bytes of memory that the work is expected to take at its peak, the program included.
    pub memory: u64,
    /// What was not asked for and is filled in, a few words each: "solver hqs".
    pub filled_in: Vec<String>,
}

/// Evaluations of the network that denoising to one estimate takes.
const OF_DENOISING: u64 = 4;

impl EnhanceRequest {
    /// What the request takes of a model on a volume of this grid.
    ///
    /// # Errors
    /// Settings out of their range, a grid that cannot be, a result that is larger than limits or memory allow, a request without a
    /// model.
    pub fn plan(&self, model: &VolumeModel, grid: &Grid) -> Result<Plan> {
        let settings = self.settings.clone().ok_or_else(|| {
            crate::Error::Request("the request is done without a model, so that a model plans nothing".into())
        })?;
        check_settings(&settings, model)?;
        let result = self.task.grid(grid)?;
        check_size(&result, memory::per_voxel(self.task.kind()))?;
        let (single, named) = (settings.samples == 1, settings.solver.is_some());
        let mut filled_in = Vec::new();
        let walks = !(single && !named && matches!(self.task, TaskRequest::Denoise { .. }));
        let evaluations = match walks {
            false => OF_DENOISING,
            true => {
                let name =
                    settings.solver.as_deref().unwrap_or(if single { "hqs" } else { SOLVER_OF_SAMPLES });
                if !named {
                    filled_in.push(format!("solver {name}"));
                }
                if settings.sigma_max.is_none() {
                    filled_in.push("highest noise level by the task".into());
                }
                let solver = PosteriorSolver::from_name(name, single)
                    .ok_or_else(|| super::enhancer::unknown_solver(name))?;
                evaluations(solver, &settings)?
            }
        };
        match &self.task {
            TaskRequest::Denoise { sigma: None, .. } => filled_in.push("noise level estimated".into()),
            TaskRequest::Denoise { rician: None, .. } => filled_in.push("kind of noise estimated".into()),
            _ => {}
        }
        let patches = Partition::new(result, None, settings.halo, settings.seed, 0).count(model);
        let (kind, samples) = (self.task.kind(), settings.samples);
        let memory = memory::Expected { grid: &result, model, kind, samples, walks }.bytes();
        let samples = settings.samples as u64;
        Ok(Plan { shape: result.shape, samples, evaluations, patches, memory, filled_in })
    }
}

impl GenerateRequest {
    /// What the request takes of a model.
    ///
    /// # Errors
    /// Settings out of their range, a volume that is larger than limits or memory allow.
    pub fn plan(&self, model: &VolumeModel) -> Result<Plan> {
        check_settings(&self.settings, model)?;
        let grid = Grid::centred(self.shape, self.spacing);
        check_size(&grid, memory::GENERATE)?;
        let evaluations = evaluations(PosteriorSolver::DiffPir { lambda: 1.0, zeta: 0.5 }, &self.settings)?;
        let patches = Partition::new(grid, None, self.settings.halo, self.settings.seed, 0).count(model);
        let memory = memory::expected_of_generation(&grid, model);
        Ok(Plan { shape: self.shape, samples: 1, evaluations, patches, memory, filled_in: Vec::new() })
    }
}

/// Evaluations of a walk with as many steps as are asked for.
fn evaluations(solver: PosteriorSolver, settings: &EnhanceSettings) -> Result<u64> {
    // How many there are does not depend on the levels.
    let levels = [settings.sigma_min, settings.sigma_max.unwrap_or(1.0).max(settings.sigma_min)];
    Ok(Posterior::new(solver, settings.steps, levels, settings.seed)?.evaluations() as u64)
}

impl TaskRequest {
    /// The grid of the result.
    ///
    /// # Errors
    /// A spacing that is none or no finer than the grid's, a field of view that does not grow or grows too far.
    pub fn grid(&self, grid: &Grid) -> Result<Grid> {
        match self {
            Self::SuperResolve { spacing, .. } => finer_grid_of(grid, *spacing),
            Self::Outpaint { low, high } => {
                check_extension(*low, *high)?;
                Ok(grid.extended(low.map(|v| v as isize), high.map(|v| v as isize)))
            }
            Self::Denoise { .. } | Self::Inpaint { .. } | Self::Kspace { .. } => Ok(*grid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Profile;
    use crate::models;

    fn plan(task: TaskRequest, grid: &Grid, settings: EnhanceSettings) -> Result<Plan> {
        let model = models::card("brain-mri").expect("a model").model;
        EnhanceRequest { task, input: String::new(), settings: Some(settings) }.plan(&model, grid)
    }

    #[test]
    fn a_plan_says_what_was_filled_in_and_how_much_is_to_be_done() {
        let grid = Grid::centred([64, 64, 16], [1.0, 1.0, 4.0]);
        let usual = EnhanceSettings::default;
        let denoise =
            plan(TaskRequest::Denoise { sigma: None, rician: None }, &grid, usual()).expect("a plan");
        assert_eq!((denoise.samples, denoise.evaluations, denoise.shape), (1, 4, [64, 64, 16]));
        assert_eq!(denoise.filled_in, ["noise level estimated"]);
        let finer = TaskRequest::SuperResolve { spacing: [1.0; 3], profile: Profile::Box };
        let one = plan(finer.clone(), &grid, usual()).expect("a plan");
        assert_eq!((one.shape, one.evaluations, one.patches), ([64, 64, 64], 20, 1));
        assert_eq!(one.filled_in, ["solver hqs", "highest noise level by the task"]);
        assert!(one.memory > denoise.memory);
        let settings = EnhanceSettings { samples: 4, steps: 7, sigma_max: Some(0.2), ..usual() };
        let several = plan(finer, &grid, settings).expect("a plan");
        assert_eq!((several.samples, several.evaluations), (4, 7));
        assert_eq!(several.filled_in, ["solver diffpir"]);
    }

    #[test]
    fn what_cannot_be_done_is_refused_before_the_work() {
        let grid = Grid::centred([64, 64, 16], [1.0, 1.0, 4.0]);
        let usual = EnhanceSettings::default;
        let coarser = TaskRequest::SuperResolve { spacing: [8.0; 3], profile: Profile::Box };
        assert!(plan(coarser, &grid, usual()).is_err());
        let tiny = TaskRequest::SuperResolve { spacing: [1e-4; 3], profile: Profile::Box };
        assert!(plan(tiny, &grid, usual()).is_err());
        let nothing = TaskRequest::Outpaint { low: [0; 3], high: [0; 3] };
        assert!(plan(nothing, &grid, usual()).is_err());
        let denoise = TaskRequest::Denoise { sigma: None, rician: None };
        let steps = EnhanceSettings { steps: 0, ..usual() };
        assert!(plan(denoise, &grid, steps).is_err());
    }
}
