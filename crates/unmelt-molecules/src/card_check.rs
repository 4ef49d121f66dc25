//! The domains of all numbers on the card of a molecule model, and in the settings of a training.
//!
//! A card is checked whole when it is loaded: counts that must agree do, no size takes memory on its word, and no number
//! leads to a division by zero later. Sentences name the field.

use std::collections::{BTreeMap, BTreeSet};

use unmelt_diffusion::domain::Field;
use unmelt_diffusion::files::limits::{limits, within};
use unmelt_diffusion::{CategoricalKind, FeatureSpec, ProcessSpec, Result, Schedule, Subspace};

use crate::edm::EdmModel;
use crate::network::{EgnnConfig, GraphDenoiserConfig};
use crate::{BOND_CLASSES, Element, GraphLoss, GraphModel, MoleculeModel, Property, Vocabulary};

/// Largest formal charge of an atom, as in SDF files.
const MOST_CHARGE: i8 = 15;

/// Å that positions may be divided by.
const SCALES: std::ops::RangeInclusive<f64> = 0.01..=100.0;

/// Molecules of one size that a training can have seen.
const MOST_MOLECULES: u64 = 1_000_000_000_000_000;

/// Names of the features of a graph denoiser, in order.
const FEATURES: [&str; 4] = ["positions", "atoms", "charges", "bonds"];

impl MoleculeModel {
    /// Checks every number of the card's part on the model.
    pub fn check_card(&self) -> Result<()> {
        let part = Field::new("model");
        match self {
            Self::Graph(model) => model.check(&part),
            Self::Edm(model) => model.check(&part.field("edm")),
        }
    }
}

impl GraphModel {
    /// Checks every number; `part` is where the model stands.
    pub(crate) fn check(&self, part: &Field) -> Result<()> {
        self.vocabulary.check(&part.field("vocabulary"))?;
        self.network.check(&part.field("network"))?;
        let (network, vocabulary) = (&self.network, &self.vocabulary);
        let counts = [
            ("elements", network.elements, vocabulary.elements.len(), "the vocabulary has this many:"),
            ("charges", network.charges, vocabulary.charges.len(), "the vocabulary has this many:"),
            ("bonds", network.bonds, BOND_CLASSES, "the bond classes are"),
            ("properties", network.properties, self.properties.len(), "the card lists this many:"),
        ];
        for (name, value, wanted, what) in counts {
            part.field("network").same(name, value as u64, wanted as u64, what)?;
        }
        self.check_features(&part.field("features"))?;
        self.loss.check(&part.field("loss"))?;
        check_properties(&part.field("properties"), &self.properties)
    }

    fn check_features(&self, part: &Field) -> Result<()> {
        if self.features.len() != FEATURES.len() {
            return Err(part.fault(format!(
                "must be {}, but there are {}",
                FEATURES.join(", "),
                self.features.len()
            )));
        }
        let classes = [0, self.network.elements, self.network.charges, self.network.bonds];
        for (k, ((feature, name), classes)) in self.features.iter().zip(FEATURES).zip(classes).enumerate() {
            check_feature(&part.field(k), feature, name, classes)?;
        }
        Ok(())
    }
}

/// Checks a feature: numbers in a space without a centre where it has no classes, else that many classes.
fn check_feature(part: &Field, feature: &FeatureSpec, name: &str, classes: usize) -> Result<()> {
    if feature.name != name {
        return Err(part.fault(format!("must be the {name}, but it is {:?}", feature.name)));
    }
    part.field("schedule").inside(feature.schedule.build().map(drop))?;
    let process = part.field("process");
    match (&feature.process, classes) {
        (ProcessSpec::Gaussian(Subspace::CentredPoints), 0) => Ok(()),
        (ProcessSpec::Categorical(CategoricalKind::Marginal { frequencies }), 1..) => {
            process.shares("frequencies", frequencies, classes, "the network's classes are")
        }
        (ProcessSpec::Categorical(CategoricalKind::Uniform { classes: own }), 1..) => {
            process.same("classes", *own as u64, classes as u64, "the network's classes are")
        }
        (_, 0) => Err(process.fault("must be Gaussian noise without a centre (centred-points)")),
        _ => Err(process.fault("must be categorical and end in classes of the data (marginal or uniform)")),
    }
}

impl Vocabulary {
    /// Checks every number; `part` is where the vocabulary stands.
    pub(crate) fn check(&self, part: &Field) -> Result<()> {
        check_elements(&part.field("elements"), &self.elements)?;
        if !self.elements.is_sorted() {
            return Err(part.field("elements").fault("must ascend"));
        }
        let charges = part.field("charges");
        if self.charges.is_empty() || !self.charges.is_sorted_by(|a, b| a < b) {
            return Err(charges.fault("must ascend, and there must be one at least"));
        }
        if let Some(charge) = self.charges.iter().find(|c| !(-MOST_CHARGE..=MOST_CHARGE).contains(*c)) {
            return Err(charges.fault(format!("must be from -15 to 15, but one is {charge}")));
        }
        part.shares(
            "element_frequencies",
            &self.element_frequencies,
            self.elements.len(),
            "the elements are",
        )?;
        part.shares("charge_frequencies", &self.charge_frequencies, self.charges.len(), "the charges are")?;
        part.shares("bond_frequencies", &self.bond_frequencies, BOND_CLASSES, "the bond classes are")?;
        check_sizes(&part.field("sizes"), &self.sizes)?;
        if self.sizes.is_empty() {
            return Err(part.field("sizes").fault("must name at least one number of atoms"));
        }
        check_heavy(part, self.heavy_atoms, &self.sizes)?;
        part.number("position_scale", self.position_scale, SCALES)
    }
}

fn check_elements(part: &Field, elements: &[u8]) -> Result<()> {
    if elements.is_empty() {
        return Err(part.fault("must name at least one element"));
    }
    if let Some(number) = elements.iter().find(|n| Element::from_number(**n).is_none()) {
        return Err(part.fault(format!("must be atomic numbers from 1 to 118, but one is {number}")));
    }
    match elements.iter().collect::<BTreeSet<_>>().len() == elements.len() {
        true => Ok(()),
        false => Err(part.fault("must differ, but one stands there twice")),
    }
}

/// Checks molecules by number of atoms.
fn check_sizes(part: &Field, sizes: &BTreeMap<usize, u64>) -> Result<()> {
    let most = limits().generated_atoms;
    for (&atoms, &count) in sizes {
        if atoms == 0 {
            return Err(part.fault("must not count molecules without atoms"));
        }
        within(most, "generated_atoms", atoms as u64, &part.name("the atoms of a molecule"))?;
        part.whole(atoms, count, 0..=MOST_MOLECULES)?;
    }
    match sizes.values().all(|count| *count == 0) && !sizes.is_empty() {
        true => Err(part.fault("must count at least one molecule")),
        false => Ok(()),
    }
}

/// Checks the fewest and the most heavy atoms of molecules of these sizes.
fn check_heavy(part: &Field, heavy: Option<[usize; 2]>, sizes: &BTreeMap<usize, u64>) -> Result<()> {
    let Some([least, most]) = heavy else { return Ok(()) };
    let part = part.field("heavy_atoms");
    if least > most {
        return Err(part.fault(format!("must be the fewest and the most, but they are {least} and {most}")));
    }
    // A model without sizes says nothing of how large its molecules may be.
    let largest = sizes.keys().last().map_or(limits().generated_atoms, |n| *n as u64);
    match most as u64 > largest {
        true => Err(part.fault(format!(
            "must be at most {largest}, the atoms of the largest molecule, but they are {most}"
        ))),
        false => Ok(()),
    }
}

impl GraphDenoiserConfig {
    /// Checks every number, each by itself; `part` is where the network stands.
    pub(crate) fn check(&self, part: &Field) -> Result<()> {
        let limits = limits();
        let width = ("width", limits.width);
        for (name, value) in [
            ("node_width", self.node_width),
            ("pair_width", self.pair_width),
            ("heads", self.heads),
            ("vectors", self.vectors),
        ] {
            part.limited(name, value as u64, width)?;
        }
        if !self.node_width.is_multiple_of(self.heads) {
            return Err(part.field("node_width").fault(format!(
                "must be a multiple of the number of heads, {}, but it is {}",
                self.heads, self.node_width
            )));
        }
        part.limited("layers", self.layers as u64, ("layers", limits.layers))?;
        for (name, value) in [("elements", self.elements), ("charges", self.charges), ("bonds", self.bonds)] {
            part.whole(name, value as u64, 1..=u64::from(u8::MAX))?;
        }
        part.whole("properties", self.properties as u64, 0..=limits.width)?;
        // One bump alone has no place between 0 and 1.
        part.whole("distance_features", self.distance_features as u64, 2..=limits.width)?;
        // Sines and cosines come in pairs; of octaves beyond these, time has no digits left.
        part.whole("time_features", self.time_features as u64, 2..=64)?;
        if self.time_features % 2 == 1 {
            return Err(part
                .field("time_features")
                .fault(format!("must be even, but it is {}", self.time_features)));
        }
        within(limits.parameters, "parameters", self.layout().len() as u64, &part.name("parameters"))
    }
}

impl GraphLoss {
    /// Checks every number; `part` is where the weights stand.
    pub(crate) fn check(&self, part: &Field) -> Result<()> {
        part.field("weighting").inside(self.weighting.check())?;
        part.field("position_weighting").inside(self.position_weighting.check())?;
        for (name, weight) in [
            ("positions", self.positions),
            ("elements", self.elements),
            ("charges", self.charges),
            ("bonds", self.bonds),
            ("properties", self.properties),
        ] {
            part.number(name, weight, 0.0..=1e6)?;
        }
        part.number("staleness", self.staleness, 0.0..=1.0)
    }
}

/// Checks properties: names that differ, and statistics that numbers can be normalised with.
fn check_properties(part: &Field, properties: &[Property]) -> Result<()> {
    let mut names = BTreeSet::new();
    for (k, property) in properties.iter().enumerate() {
        let own = part.field(k);
        let name = property.source.name.as_str();
        let is_broken =
            name.trim().is_empty() || name.contains(|c: char| c.is_control() || "<>=".contains(c));
        if is_broken || !names.insert(name.to_lowercase()) {
            return Err(own
                .field("source.name")
                .fault(format!("must be a name of its own, but it is {name:?}")));
        }
        own.number("mean", property.mean, -1e15..=1e15)?;
        own.number("deviation", property.deviation, 1e-12..=1e15)?;
        let [low, high] = property.range;
        for (k, value) in property.range.into_iter().enumerate() {
            let far = (value - property.mean).abs() / property.deviation;
            if far.is_nan() || far > 1e6 {
                return Err(own.field(format!("range.{k}")).fault(format!(
                    "must lie within a million deviations of the mean, {}, but it is {value}",
                    property.mean
                )));
            }
        }
        if low > high {
            return Err(own.field("range").fault(format!("must ascend, but it goes from {low} to {high}")));
        }
    }
    Ok(())
}

impl EdmModel {
    /// Checks every number; `part` is where the model stands.
    pub(crate) fn check(&self, part: &Field) -> Result<()> {
        check_elements(&part.field("elements"), &self.elements)?;
        check_sizes(&part.field("sizes"), &self.sizes)?;
        check_heavy(part, self.heavy_atoms, &self.sizes)?;
        for (k, scale) in self.scales.into_iter().enumerate() {
            part.number(format!("scales.{k}"), scale, SCALES)?;
        }
        let network = part.field("network");
        self.network.check(&network)?;
        let features = self.elements.len() + usize::from(self.atomic_number);
        network.same("features", self.network.features as u64, features as u64, "the atoms have")?;
        network.same(
            "context",
            self.network.context as u64,
            self.properties.len() as u64,
            "the properties are",
        )?;
        part.field("schedule").inside(self.schedule.build().map(drop))?;
        check_properties(&part.field("properties"), &self.properties)
    }
}

impl EgnnConfig {
    /// Checks every number, each by itself; `part` is where the network stands.
    pub(crate) fn check(&self, part: &Field) -> Result<()> {
        let limits = limits();
        part.limited("hidden", self.hidden as u64, ("width", limits.width))?;
        part.limited("layers", self.layers as u64, ("layers", limits.layers))?;
        part.limited("sublayers", self.sublayers as u64, ("layers", limits.layers))?;
        part.whole("features", self.features as u64, 1..=u64::from(u8::MAX))?;
        part.whole("context", self.context as u64, 0..=limits.width)?;
        part.number("coords_range", self.coords_range, 1e-3..=1e4)?;
        part.number("norm_constant", self.norm_constant, 0.0..=1e3)?;
        part.number("normalization_factor", self.normalization_factor, 1e-3..=1e6)?;
        within(limits.parameters, "parameters", self.layout().len() as u64, &part.name("parameters"))
    }
}

/// Checks a schedule of a configuration.
pub(crate) fn check_schedule(part: &Field, schedule: &Schedule) -> Result<()> {
    part.inside(schedule.build().map(drop))
}
