//! Whether the positions of a molecule are those of a body in space, and hydrogens that its file leaves out.

use crate::bond_lengths::single_bond_length;
use crate::validity::open_valence;
use crate::{BondOrder, Element, Molecule, Result, add_hydrogens};

/// Positions closer than this in Å are one place.
const SAME_PLACE: f64 = 0.05;

/// What a drawing lacks, for messages.
const REMEDY: &str =
    "give it three-dimensional coordinates first (RDKit's EmbedMolecule, or obabel with --gen3d)";

/// Why the positions of a molecule are not those of a body in space, as a sentence without its subject; none where they may be.
///
/// All atoms on one place are none, nor is a drawing: one that the file calls two-dimensional, or atoms in the plane z = 0 whose
/// bonds are as in drawings, with four neighbours in the plane, lengths that no bond has, or one length for bonds of all kinds.
/// Molecules that are flat by nature pass.
pub fn without_geometry(molecule: &Molecule) -> Option<String> {
    let first = molecule.atoms().next()?.position;
    if molecule.len() > 1 && molecule.atoms().all(|a| (a.position - first).norm() < SAME_PLACE) {
        return Some(format!("has all its atoms on one place, as a file without coordinates has; {REMEDY}"));
    }
    let is_flat = molecule.atoms().all(|a| (a.position.z - first.z).abs() < 1e-3);
    let drawn = molecule.len() > 1 && is_flat && (molecule.is_drawing || looks_drawn(molecule));
    drawn.then(|| format!("is a drawing in two dimensions; {REMEDY}"))
}

/// Two atoms of a molecule, from 1, that lie on one place.
pub(crate) fn coincident(molecule: &Molecule) -> Option<(usize, usize)> {
    let mut boxes = std::collections::HashMap::new();
    for (k, atom) in molecule.atoms().enumerate() {
        let place = [0, 1, 2].map(|d| (atom.position[d] / SAME_PLACE).round() as i64);
        if let Some(other) = boxes.insert(place, k) {
            return Some((other + 1, k + 1));
        }
    }
    None
}

/// Whether the bonds of a flat molecule are those of a drawing.
fn looks_drawn(molecule: &Molecule) -> bool {
    let crowded = |k: usize| {
        let element = molecule.atom(k).element;
        element.radius().is_some() && element.symbol() != "S" && molecule.neighbours(k).count() >= 4
    };
    if (0..molecule.len()).any(crowded) {
        return true;
    }
    let length = |i: usize, j: usize| (molecule.atom(i).position - molecule.atom(j).position).norm();
    let (mut wrong, mut known) = (0, 0);
    let (mut least, mut most) = (f64::INFINITY, 0.0f64);
    let mut kinds = std::collections::BTreeSet::new();
    for bond in molecule.bonds() {
        let (a, b) = (molecule.atom(bond.begin).element, molecule.atom(bond.end).element);
        let d = length(bond.begin, bond.end);
        (least, most) = (least.min(d), most.max(d));
        kinds.insert((a.min(b), a.max(b)));
        if let Some(usual) = single_bond_length(a, b) {
            known += 1;
            wrong += usize::from(!(0.7..1.25).contains(&(d / usual)));
        }
    }
    3 * wrong > known || (kinds.len() > 1 && molecule.graph().edge_count() >= 3 && most < 1.005 * least)
}

/// The atoms, from 0, whose open valences hydrogens would close; empty for a molecule that has a hydrogen, for then those that
/// are missing are missing, and for one of radicals or of bonds whose valence is not known.
pub fn missing_hydrogens(molecule: &Molecule) -> Vec<usize> {
    let whole = |m: &Molecule| m.atoms().any(|a| a.element == Element::H) || m.radicals() > 0;
    if whole(molecule) || molecule.bonds().any(|b| b.order == BondOrder::Aromatic) {
        return Vec::new();
    }
    (0..molecule.len()).filter(|&k| open_valence(molecule, k) > 0).collect()
}

/// A molecule with the hydrogens that its file leaves out, at ideal places, and how many they are; itself where none is missing.
pub fn with_hydrogens(molecule: &Molecule) -> Result<(Molecule, usize)> {
    let missing = missing_hydrogens(molecule);
    if missing.is_empty() {
        return Ok((molecule.clone(), 0));
    }
    let mut whole = add_hydrogens(molecule, &missing)?;
    whole.name.clone_from(&molecule.name);
    whole.fields.clone_from(&molecule.fields);
    let added = whole.len() - molecule.len();
    Ok((whole, added))
}

#[cfg(test)]
mod tests {
    use nalgebra::Point3;

    use super::*;
    use crate::{Atom, Bond};

    fn molecule(atoms: &[(&str, f64, f64, f64)], bonds: &[(usize, usize, u8)]) -> Molecule {
        let atoms = atoms.iter().map(|&(symbol, x, y, z)| {
            Atom::new(Element::from_symbol(symbol).expect("known"), 0, Point3::new(x, y, z))
        });
        let order = |code| BondOrder::from_code(code).expect("known");
        let bonds = bonds.iter().map(|&(begin, end, code)| Bond { begin, end, order: order(code) });
        Molecule::new(atoms, bonds).expect("valid")
    }

    fn ring(radius: f64, symbols: &[&str]) -> Vec<(usize, f64, f64)> {
        let n = symbols.len();
        let angle = |k: usize| std::f64::consts::TAU * k as f64 / n as f64;
        (0..n).map(|k| (k, radius * angle(k).cos(), radius * angle(k).sin())).collect()
    }

    #[test]
    fn molecules_that_are_flat_by_nature_pass() {
        let water = molecule(
            &[("O", 0.0, 0.0, 0.0), ("H", 0.76, 0.59, 0.0), ("H", -0.76, 0.59, 0.0)],
            &[(0, 1, 1), (0, 2, 1)],
        );
        assert_eq!(without_geometry(&water), None);
        let carbons = ring(1.39, &["C"; 6]);
        let hydrogens = ring(2.48, &["H"; 6]);
        let atoms: Vec<_> = carbons
            .iter()
            .map(|&(_, x, y)| ("C", x, y, 0.0))
            .chain(hydrogens.iter().map(|&(_, x, y)| ("H", x, y, 0.0)))
            .collect();
        let bonds: Vec<_> =
            (0..6).flat_map(|k| [(k, (k + 1) % 6, 1 + (k % 2) as u8), (k, k + 6, 1)]).collect();
        assert_eq!(without_geometry(&molecule(&atoms, &bonds)), None);
        assert_eq!(without_geometry(&molecule(&[("He", 0.0, 0.0, 0.0)], &[])), None);
    }

    #[test]
    fn drawings_and_places_without_coordinates_are_told() {
        // Dimethyl ether without hydrogens, every bond as long as RDKit draws it.
        let ether =
            [("C", 0.0, 0.0, 0.0), ("O", 1.3, 0.75, 0.0), ("C", 2.6, 0.0, 0.0), ("C", 3.9, 0.75, 0.0)];
        let fault =
            without_geometry(&molecule(&ether, &[(0, 1, 1), (1, 2, 1), (2, 3, 1)])).expect("a drawing");
        assert!(fault.starts_with("is a drawing in two dimensions"), "{fault}");
        // Methane with its hydrogens around it.
        let cross = [
            ("C", 0.0, 0.0, 0.0),
            ("H", 1.0, 0.0, 0.0),
            ("H", -1.0, 0.0, 0.0),
            ("H", 0.0, 1.0, 0.0),
            ("H", 0.0, -1.0, 0.0),
        ];
        assert!(without_geometry(&molecule(&cross, &[(0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1)])).is_some());
        // Ethane as ChemDraw has it: 0.825 for a bond.
        assert!(
            without_geometry(&molecule(&[("C", 0.0, 0.0, 0.0), ("C", 0.825, 0.0, 0.0)], &[(0, 1, 1)]))
                .is_some()
        );
        let nowhere = molecule(&[("C", 0.0, 0.0, 0.0), ("O", 0.0, 0.0, 0.0)], &[(0, 1, 2)]);
        assert!(without_geometry(&nowhere).is_some_and(|f| f.contains("on one place")));
        assert_eq!(coincident(&nowhere), Some((1, 2)));
        let mut said = molecule(&[("C", 0.0, 0.0, 0.0), ("O", 1.2, 0.0, 0.0)], &[(0, 1, 2)]);
        assert_eq!(without_geometry(&said), None);
        said.is_drawing = true;
        assert!(without_geometry(&said).is_some());
    }

    #[test]
    fn hydrogens_are_added_where_a_file_has_none() {
        let bare = molecule(&[("C", 0.0, 0.0, 0.0), ("O", 1.4, 0.0, 0.3)], &[(0, 1, 1)]);
        let (whole, added) = with_hydrogens(&bare).expect("valid");
        assert_eq!((whole.formula().as_str(), added), ("CH4O", 4));
        assert_eq!(with_hydrogens(&whole).expect("valid").1, 0);
        let mut atoms: Vec<Atom> = bare.atoms().copied().collect();
        atoms[0].radicals = 1;
        let radical = Molecule::new(atoms, bare.bonds()).expect("valid");
        assert!(missing_hydrogens(&radical).is_empty());
    }
}
