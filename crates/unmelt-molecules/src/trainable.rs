//! What a model of molecules can be trained on.

use crate::format::{Fault, Reading};
use crate::{BondOrder, Molecule};

/// Gives aromatic bonds their Kekulé form, and takes out molecules with bonds of which a model has no class; each of these is
/// reported, numbered among the molecules that were read.
pub(crate) fn only_trainable(reading: &mut Reading) {
    let molecules = std::mem::take(&mut reading.molecules);
    for (k, molecule) in molecules.into_iter().enumerate() {
        match trainable(molecule) {
            Ok(molecule) => reading.molecules.push(molecule),
            Err(message) => {
                reading.faults.push(Fault { file: None, position: k + 1, unit: "molecule", message })
            }
        }
    }
}

fn trainable(molecule: Molecule) -> Result<Molecule, String> {
    let mut bonds = molecule.bonds().map(|b| b.order);
    if bonds.any(|o| matches!(o, BondOrder::Dative | BondOrder::Zero | BondOrder::Hydrogen)) {
        return Err("it has dative, zero-order or hydrogen bonds, which a model does not know".into());
    }
    drop(bonds);
    match molecule.has_aromatic_bonds() {
        true => molecule.kekulized().map_err(|e| e.to_string()),
        false => Ok(molecule),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Atom, Bond, Element};

    fn ring(order: BondOrder, atoms: usize) -> Molecule {
        let bonds = (0..atoms).map(|k| Bond { begin: k, end: (k + 1) % atoms, order });
        let atom = |k: usize| Atom::new(Element::C, 0, nalgebra::Point3::new(k as f64, 0.0, 0.0));
        Molecule::new((0..atoms).map(atom), bonds).expect("valid")
    }

    #[test]
    fn what_a_model_does_not_know_is_reported() {
        let aromatic = |n| ring(BondOrder::Aromatic, n);
        let molecules =
            vec![ring(BondOrder::Single, 3), aromatic(6), ring(BondOrder::Dative, 4), aromatic(5)];
        let mut reading = Reading { molecules, ..Reading::default() };
        only_trainable(&mut reading);
        assert_eq!(reading.molecules.iter().map(Molecule::len).collect::<Vec<_>>(), [3, 6]);
        assert!(reading.molecules.iter().all(|m| crate::Vocabulary::of([m], 1.0).is_ok()));
        let faults: Vec<String> = reading.faults.iter().map(ToString::to_string).collect();
        assert!(faults[0].starts_with("molecule 3 was skipped: it has dative"), "{}", faults[0]);
        assert!(
            faults[1].starts_with("molecule 4 was skipped: its aromatic bonds have no Kek"),
            "{}",
            faults[1]
        );
    }
}
