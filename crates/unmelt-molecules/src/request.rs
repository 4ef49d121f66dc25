//! What a model is asked to generate.

use serde::{Deserialize, Serialize};
use unmelt_diffusion::Grid;
use unmelt_diffusion::solver::Solver;

use crate::{Formula, Fragments, Molecule};

/// Molecules that are drawn for each one where there are targets, unless told otherwise.
pub const USUAL_CANDIDATES: usize = 8;

/// What to generate, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerateRequest {
    /// Steps.
    pub steps: usize,
    /// Solver of the positions.
    pub solver: Solver,
    /// Times to visit.
    pub grid: Grid,
    /// Temperature of atoms, charges and bonds: below 1 likelier ones are drawn more often.
    pub temperature: f64,
    /// Seed.
    pub seed: u64,
    /// Atoms per molecule; drawn from the sizes of the training data where there is none.
    pub atoms: Option<usize>,
    /// What the molecules begin from.
    pub beginning: Beginning,
    /// Properties that they should have, by name, in the model's units.
    pub targets: Vec<(String, f64)>,
    /// Strength of the guidance towards the properties: 1 is the network's answer to them, more goes beyond it
    /// (classifier-free guidance, Ho & Salimans 2022). Used where there are targets.
    pub guidance: f64,
    /// Lowest and highest noise σ of the positions, from 0 to 1, at which the guidance acts; elsewhere the answer is the network's own.
    /// Everywhere if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance_interval: Option<[f64; 2]>,
    /// Molecules that are drawn for each one where there are targets; the one whose properties, as the network estimates
    /// them, are nearest is kept. If not given, [`USUAL_CANDIDATES`] of a network that estimates properties, 1 of another.
    pub candidates: Option<usize>,
}

/// What molecules begin from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Beginning {
    /// Noise alone.
    #[default]
    Noise,
    /// The elements of a formula.
    Formula(Formula),
    /// Fragments, fixed in space, that the rest is grown around.
    Fragments(Fragments),
    /// A molecule, noised part of the way.
    Molecule {
        /// The molecule.
        molecule: Molecule,
        /// The noise σ of its positions when sampling begins, above 0 to 1, where nothing of it is left.
        strength: f64,
    },
}

impl Default for GenerateRequest {
    fn default() -> Self {
        Self {
            steps: 100,
            solver: Solver::SDE_DPM_PLUS_PLUS_2M,
            grid: Grid::Power { power: 1.25 },
            temperature: 1.0,
            seed: 0,
            atoms: None,
            beginning: Beginning::Noise,
            targets: Vec::new(),
            guidance: 2.0,
            guidance_interval: None,
            candidates: None,
        }
    }
}
