//! What an EDM model is: continuous positions, and elements as noisy one-hot vectors. It knows no bonds; they are guessed
//! from the distances of the finished molecule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use unmelt_diffusion::{FeatureSpec, ProcessSpec, Schedule, State, Subspace, Value};

use crate::network::EgnnConfig;
use crate::perception::perceive_bonds;
use crate::{Atom, Element, Error, Molecule, Property, Result};

/// The model part of the card of an EDM model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdmModel {
    /// Atomic numbers, in the order of the network's classes.
    pub elements: Vec<u8>,
    /// Whether the atomic number is a feature as well.
    pub atomic_number: bool,
    /// Molecules of the training data by number of atoms; empty where that is not known.
    pub sizes: BTreeMap<usize, u64>,
    /// Fewest and most atoms besides hydrogen of the training data; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heavy_atoms: Option<[usize; 2]>,
    /// What is divided by in the network's world: positions in Å, one-hot vectors, atomic numbers.
    pub scales: [f64; 3],
    /// The network.
    pub network: EgnnConfig,
    /// The noise schedules of positions and features.
    pub schedule: Schedule,
    /// Properties that must be given, in the order of the network's context.
    pub properties: Vec<Property>,
}

impl EdmModel {
    /// Positions, and the features of the atoms.
    pub fn features(&self) -> Vec<FeatureSpec> {
        let feature = |name: &str, subspace| FeatureSpec {
            name: name.into(),
            schedule: self.schedule.clone(),
            process: ProcessSpec::Gaussian(subspace),
        };
        vec![feature("positions", Subspace::CentredPoints), feature("atoms", Subspace::Full)]
    }

    /// Elements per feature of a molecule of n atoms.
    pub fn lengths(&self, n: usize) -> Vec<usize> {
        vec![3 * n, self.network.features * n]
    }

    /// A molecule as a clean state.
    pub fn encode(&self, molecule: &Molecule) -> Result<State<f32>> {
        let scale = |x: f64, k: usize| x / self.scales[k];
        let mut positions: Vec<f64> =
            molecule.atoms().flat_map(|a| [0, 1, 2].map(|d| scale(a.position[d], 0))).collect();
        Subspace::CentredPoints.project(&mut positions);
        let mut features = Vec::with_capacity(self.lengths(molecule.len())[1]);
        for atom in molecule.atoms() {
            let number = atom.element.number();
            if !self.elements.contains(&number) {
                return Err(Error::Request(format!("the model does not know the element {}", atom.element)));
            }
            features.extend(self.elements.iter().map(|&e| scale(f64::from(u8::from(e == number)), 1) as f32));
            if self.atomic_number {
                features.push(scale(f64::from(number), 2) as f32);
            }
        }
        let positions = positions.into_iter().map(|x| x as f32).collect();
        Ok(vec![Value::Continuous(positions), Value::Continuous(features)])
    }

    /// A clean state as a molecule: the likeliest element of each atom, and bonds from distances.
    pub fn decode(&self, state: &State<f32>) -> Result<Molecule> {
        let places = state[0].continuous().chunks_exact(3);
        let features = state[1].continuous().chunks_exact(self.network.features);
        let atoms = places.zip(features).map(|(x, h)| {
            let place = |d: usize| f64::from(x[d]) * self.scales[0];
            let classes = &h[..self.elements.len()];
            let likeliest =
                (0..classes.len()).max_by(|a, b| classes[*a].total_cmp(&classes[*b])).unwrap_or(0);
            Atom::new(
                Element::from_number(self.elements[likeliest]).unwrap_or(Element::C),
                0,
                nalgebra::Point3::new(place(0), place(1), place(2)),
            )
        });
        let bare = Molecule::new(atoms, [])?;
        let bonds = perceive_bonds(&bare);
        Ok(Molecule::new(bare.atoms().copied(), bonds)?)
    }
}
