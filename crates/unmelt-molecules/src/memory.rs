//! The memory that generating takes, estimated from the sizes of the molecules and of the network.

use std::collections::BTreeMap;

use unmelt_kernels::pair_count;

use crate::network::{EgnnConfig, GraphDenoiserConfig};
use crate::{Beginning, GenerateRequest, MoleculeModel};

/// Bytes of a number.
const NUMBER: f64 = 4.0;

/// Bytes of each parameter of a model.
const PARAMETER: f64 = 2.4;

/// Bytes that a batch takes whatever its molecules, and how many molecules it takes to take them nearly all: the allocator keeps pages
/// for every size of block on every thread.
const PAGES: f64 = 35e6;
const SOME: f64 = 3.0;

/// Bytes that it keeps of each pair of the largest molecule where sizes differ, so that there are more sizes of blocks.
const SIZES: f64 = 33e3;

/// Bytes that it keeps of each pair of a batch, up to a number of pairs: tensors that are larger are handed back.
const KEPT: f64 = 1200.0;
const KEPT_PAIRS: f64 = 20e3;

/// Memory of generating with a model, over that of a program that does nothing. The form and its numbers are fitted to measured peaks,
/// which `docs/experiments.md` lists.
pub(crate) struct Memory {
    /// Bytes of the model.
    model: f64,
    /// Bytes of a molecule's tensors, on average over the sizes that are drawn.
    tensors: f64,
    /// Pairs of atoms of a molecule, on average.
    pairs: f64,
    /// Pairs of the largest molecule; none where all are of one size.
    largest: f64,
}

impl Memory {
    /// That of a request to a model.
    pub fn of(model: &MoleculeModel, request: &GenerateRequest) -> Self {
        let bytes = |n: usize| match model {
            MoleculeModel::Graph(model) => of_graph(&model.network, n),
            MoleculeModel::Edm(model) => of_edm(&model.network, n),
        };
        let sizes = sizes(model, request);
        let total = sizes.values().map(|count| *count as f64).sum::<f64>().max(1.0);
        let mean = |f: &dyn Fn(usize) -> f64| {
            sizes.iter().map(|(n, count)| f(*n) * *count as f64).sum::<f64>() / total
        };
        let largest = sizes.keys().last().filter(|_| sizes.len() > 1).map_or(0, |n| pair_count(*n));
        Self {
            model: PARAMETER * model.layout().len() as f64,
            tensors: mean(&bytes),
            pairs: mean(&|n| pair_count(n) as f64),
            largest: largest as f64,
        }
    }

    /// Bytes that so many molecules at a time take.
    pub fn of_molecules(&self, count: u64) -> u64 {
        let count = count as f64;
        let pages = (PAGES + SIZES * self.largest) * (1.0 - (-count / SOME).exp());
        let kept = KEPT * (count * self.pairs).min(KEPT_PAIRS);
        (self.model + pages + kept + count * self.tensors) as u64
    }
}

/// Molecules by number of atoms, as a request draws them.
fn sizes(model: &MoleculeModel, request: &GenerateRequest) -> BTreeMap<usize, u64> {
    let given = match &request.beginning {
        Beginning::Formula(formula) => return BTreeMap::from([(formula.atoms(), 1)]),
        Beginning::Molecule { molecule, .. } => return BTreeMap::from([(molecule.len(), 1)]),
        Beginning::Fragments(fragments) => fragments.molecule().len(),
        Beginning::Noise => 0,
    };
    match request.atoms {
        Some(atoms) => BTreeMap::from([(atoms, 1)]),
        None => model.sizes().range(given + 1..).map(|(n, count)| (*n, *count)).collect(),
    }
}

/// Bytes of the tensors of a molecule of n atoms in a graph denoiser: what it reads of each pair, twice, and what its layers make of each
/// pair and each atom.
fn of_graph(network: &GraphDenoiserConfig, n: usize) -> f64 {
    let pair = 2.0 * network.pair_features() as f64 + 3.8 * network.pair_width as f64;
    let atom = 21.8 * network.node_width as f64;
    NUMBER * (pair_count(n) as f64 * pair + n as f64 * atom)
}

/// Bytes of a molecule of n atoms in a network of EDM, which makes no tensor of the size of its edges but their ends. It is not fitted.
fn of_edm(network: &EgnnConfig, n: usize) -> f64 {
    NUMBER * (n as f64 * 22.0 * network.hidden as f64 + (n * n) as f64 * 8.0)
}
