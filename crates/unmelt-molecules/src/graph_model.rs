//! The molecule model as a card describes it: vocabulary, network and processes.

use serde::{Deserialize, Serialize};
use unmelt_diffusion::domain::Field;
use unmelt_diffusion::train::LossWeighting;
use unmelt_diffusion::{
    CategoricalKind, FeatureSpec, Prediction, ProcessSpec, Schedule, State, Subspace, Value,
};

use crate::network::{GraphDenoiserConfig, pair_index};
use crate::vocabulary::bond_class;
use crate::{Atom, BOND_CLASSES, Bond, BondOrder, Element, Error, Molecule, Property, Result, Vocabulary};

/// Å that positions are divided by.
pub const POSITION_SCALE: f64 = 1.4;

/// The part of a model card that is about molecules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphModel {
    /// Classes and sizes of the data.
    pub vocabulary: Vocabulary,
    /// The network.
    pub network: GraphDenoiserConfig,
    /// Positions, atoms, charges and bonds, in this order.
    pub features: Vec<FeatureSpec>,
    /// How the loss was weighted.
    pub loss: GraphLoss,
    /// Properties that may be asked for.
    pub properties: Vec<Property>,
}

/// Weights of the parts of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GraphLoss {
    /// Weight of the classes by noise level.
    pub weighting: LossWeighting,
    /// Weight of the positions by noise level. Bond lengths are decided at low noise, where the error of the clean
    /// positions is small anyway: without more weight there they stay coarse.
    pub position_weighting: LossWeighting,
    /// Squared error of the positions, summed over x, y, z.
    pub positions: f64,
    /// Cross-entropy of the elements.
    pub elements: f64,
    /// Cross-entropy of the charges.
    pub charges: f64,
    /// Cross-entropy of the bonds, summed over pairs, per atom.
    pub bonds: f64,
    /// Squared error of the properties that the network estimates of every molecule, normalised, their mean.
    pub properties: f64,
    /// How much earlier in a walk, in time, the prediction that the network is shown was made, at most. Networks that learn
    /// from fresh ones alone trust old ones too much, where steps are long.
    pub staleness: f64,
}

impl Default for GraphLoss {
    fn default() -> Self {
        Self {
            weighting: LossWeighting::ClampedSnr { min: 0.05, max: 1.5 },
            position_weighting: LossWeighting::ClampedSnr { min: 0.05, max: 60.0 },
            positions: 1.0,
            elements: 0.4,
            charges: 1.0,
            bonds: 1.0,
            properties: 0.5,
            staleness: 0.08,
        }
    }
}

/// The noise schedule of each feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureSchedules {
    /// Positions.
    pub positions: Schedule,
    /// Elements.
    pub elements: Schedule,
    /// Charges.
    pub charges: Schedule,
    /// Bonds.
    pub bonds: Schedule,
}

impl Default for FeatureSchedules {
    /// Positions come back first, then bonds, then what the atoms are: elements and charges can still answer to a
    /// geometry that is all but there.
    fn default() -> Self {
        let warped = |power: f64| Schedule::WarpedCosine { power };
        Self { positions: warped(2.5), elements: warped(1.0), charges: warped(1.0), bonds: warped(1.75) }
    }
}

/// Size of a network to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSize {
    /// Width of atoms.
    pub node_width: usize,
    /// Width of pairs.
    pub pair_width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Vectors of each atom.
    pub vectors: usize,
    /// Layers.
    pub layers: usize,
}

impl Default for NetworkSize {
    fn default() -> Self {
        Self { node_width: 128, pair_width: 64, heads: 8, vectors: 8, layers: 8 }
    }
}

impl GraphModel {
    /// A model for the data that a vocabulary describes; an error names the setting that is outside of its domain.
    pub fn new(
        vocabulary: Vocabulary,
        size: NetworkSize,
        schedules: FeatureSchedules,
        loss: GraphLoss,
        properties: Vec<Property>,
    ) -> Result<Self> {
        let network = GraphDenoiserConfig {
            elements: vocabulary.elements.len(),
            charges: vocabulary.charges.len(),
            bonds: BOND_CLASSES,
            properties: properties.len(),
            ..GraphDenoiserConfig::of_size(&size)
        };
        let categorical = |name: &str, schedule: Schedule, frequencies: &[f64]| FeatureSpec {
            name: name.into(),
            schedule,
            process: ProcessSpec::Categorical(CategoricalKind::Marginal {
                frequencies: frequencies.to_vec(),
            }),
        };
        let features = vec![
            FeatureSpec {
                name: "positions".into(),
                schedule: schedules.positions,
                process: ProcessSpec::Gaussian(Subspace::CentredPoints),
            },
            categorical("atoms", schedules.elements, &vocabulary.element_frequencies),
            categorical("charges", schedules.charges, &vocabulary.charge_frequencies),
            categorical("bonds", schedules.bonds, &vocabulary.bond_frequencies),
        ];
        let model = Self { vocabulary, network, features, loss, properties };
        model.check(&Field::new(""))?;
        Ok(model)
    }

    /// Replaces the noise schedule of every feature.
    pub(crate) fn set_schedules(&mut self, schedules: &FeatureSchedules) {
        let all = [&schedules.positions, &schedules.elements, &schedules.charges, &schedules.bonds];
        self.features.iter_mut().zip(all).for_each(|(f, schedule)| f.schedule = schedule.clone());
    }

    /// Elements per feature of a molecule of n atoms.
    pub fn lengths(&self, n: usize) -> [usize; 4] {
        [3 * n, n, n, unmelt_kernels::pair_count(n)]
    }

    /// A molecule as a clean state.
    pub fn encode(&self, molecule: &Molecule) -> Result<State<f32>> {
        let n = molecule.len();
        let vocabulary = &self.vocabulary;
        let unknown = |what: String| Error::Request(format!("the model does not know {what}"));
        let mut positions: Vec<f64> = molecule
            .atoms()
            .flat_map(|a| a.position.iter().map(|x| x / vocabulary.position_scale).collect::<Vec<_>>())
            .collect();
        Subspace::CentredPoints.project(&mut positions);
        let mut elements = Vec::with_capacity(n);
        let mut charges = Vec::with_capacity(n);
        for atom in molecule.atoms() {
            let element = vocabulary.element_class(atom.element);
            elements.push(element.ok_or_else(|| unknown(format!("the element {}", atom.element)))? as u8);
            let charge = vocabulary.charge_class(atom.charge);
            charges.push(charge.ok_or_else(|| unknown(format!("the charge {:+}", atom.charge)))? as u8);
        }
        let mut bonds = vec![0u8; self.lengths(n)[3]];
        for bond in molecule.bonds() {
            let (i, j) = (bond.begin.min(bond.end), bond.begin.max(bond.end));
            bonds[pair_index(n, i, j)] = bond_class(bond.order)? as u8;
        }
        Ok(vec![
            Value::Continuous(positions.into_iter().map(|x| x as f32).collect()),
            Value::Classes(elements),
            Value::Classes(charges),
            Value::Classes(bonds),
        ])
    }

    /// A clean state as a molecule.
    pub fn decode(&self, state: &State<f32>) -> Result<Molecule> {
        let vocabulary = &self.vocabulary;
        let (elements, charges) = (state[1].classes(), state[2].classes());
        let n = elements.len();
        let atoms = state[0].continuous().chunks_exact(3).enumerate().map(|(k, x)| {
            let place = |d: usize| f64::from(x[d]) * vocabulary.position_scale;
            let number = vocabulary.elements[usize::from(elements[k])];
            Atom::new(
                Element::from_number(number).unwrap_or(Element::C),
                vocabulary.charges[usize::from(charges[k])],
                nalgebra::Point3::new(place(0), place(1), place(2)),
            )
        });
        let bonds = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).filter_map(|(i, j)| {
            let class = state[3].classes()[pair_index(n, i, j)];
            BondOrder::from_code(class).map(|order| Bond { begin: i, end: j, order })
        });
        Molecule::new(atoms, bonds).map_err(|e| Error::Request(format!("the network made no molecule: {e}")))
    }
}

/// Predictions of one molecule, for the core's loop and for self-conditioning.
pub(crate) type MoleculePrediction = Vec<Prediction<f32>>;
