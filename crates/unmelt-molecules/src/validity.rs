//! Whether a molecule's bonds make sense: valences by element and formal charge, no open ones.
//!
//! An atom is judged as RDKit's sanitization judges it, with all hydrogens being there: hydrogens that would have to be added
//! are an open valence. Unpaired electrons that the file names fill one. As there, neutral five-valent nitrogen and
//! halogen oxides stand for their charge-separated forms, and what is bonded to a metal beyond its valences gives both
//! electrons of one such bond.

use crate::valence::{Allowed, Verdict, is_metal, verdict};
use crate::{BondOrder, Element, Molecule};

/// Whether every atom of the molecule has a valence that its element and charge allow. Aromatic bonds need a Kekulé form.
pub fn is_valid(molecule: &Molecule) -> bool {
    !molecule.is_empty() && verdicts(molecule).iter().all(|v| *v == Verdict::Fits)
}

/// What is to be said of each atom. Where aromatic bonds have no Kekulé form, their atoms exceed their valences.
pub fn verdicts(molecule: &Molecule) -> Vec<Verdict> {
    let kekulized = match molecule.has_aromatic_bonds() {
        true => molecule.kekulized().ok(),
        false => Some(molecule.clone()),
    };
    let judged = |k| match &kekulized {
        Some(m) => atom_verdict(m, k),
        None if is_aromatic(molecule, k) => Verdict::Exceeds,
        None => atom_verdict(molecule, k),
    };
    (0..molecule.len()).map(judged).collect()
}

/// What the bonds of an atom fall short of the next valence that its element and charge allow; 0 where they exceed all.
pub fn open_valence(molecule: &Molecule, k: usize) -> u32 {
    match atom_verdict(molecule, k) {
        Verdict::Open(n) => n,
        Verdict::Fits | Verdict::Exceeds => 0,
    }
}

fn is_aromatic(molecule: &Molecule, k: usize) -> bool {
    molecule.neighbours(k).any(|(_, order)| order == BondOrder::Aromatic)
}

/// What is to be said of an atom by its own bonds.
fn atom_verdict(molecule: &Molecule, k: usize) -> Verdict {
    let atom = molecule.atom(k);
    let bonds = molecule.valence(k).round() as u32;
    let (charge, bonds) = match atom.element.symbol() {
        "N" if atom.charge == 0 && bonds == 5 => separated_nitrogen(molecule, k, bonds),
        "Cl" | "Br" | "I" if atom.charge == 0 && matches!(bonds, 3 | 5 | 7) => {
            separated_halogen(molecule, k, bonds)
        }
        _ => (atom.charge, bonds),
    };
    verdict(atom.element, charge, bonds - given_to_metal(molecule, k, charge, bonds), atom.radicals)
}

/// Charge and bonds of a neutral nitrogen with five bonds, as of a nitro group with two double bonds, with one of the
/// bonds to oxygen or nitrogen written as charges.
fn separated_nitrogen(molecule: &Molecule, k: usize, bonds: u32) -> (i8, u32) {
    let has = |element: Element, order: BondOrder| {
        molecule.neighbours(k).any(|(j, o)| {
            let other = molecule.atom(j);
            o == order && other.element == element && other.charge == 0
        })
    };
    let moved = u32::from(has(Element::O, BondOrder::Double)) + u32::from(has(Element::N, BondOrder::Triple));
    (i8::from(moved > 0), bonds - moved)
}

/// Charge and bonds of a halogen that is bonded to oxygen alone, with its double bonds written as charges.
fn separated_halogen(molecule: &Molecule, k: usize, bonds: u32) -> (i8, u32) {
    if molecule.neighbours(k).any(|(j, _)| molecule.atom(j).element != Element::O) {
        return (0, bonds);
    }
    let doubles = molecule.neighbours(k).filter(|(_, order)| *order == BondOrder::Double).count() as u8;
    (doubles as i8, bonds - u32::from(doubles))
}

/// 1 where a single bond to a metal is one of which the atom gives both electrons: it has more bonds than its valences.
fn given_to_metal(molecule: &Molecule, k: usize, charge: i8, bonds: u32) -> u32 {
    let element = molecule.atom(k).element;
    if is_metal(element) || matches!(element.symbol(), "H" | "He" | "F" | "Ne") {
        return 0;
    }
    let most = Allowed::of(element, charge).most_of_electrons();
    let exceeds = most > 0 && i64::from(bonds) > i64::from(most);
    let metal =
        |(j, order): (usize, BondOrder)| order == BondOrder::Single && is_metal(molecule.atom(j).element);
    u32::from(exceeds && molecule.neighbours(k).any(metal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Atom, Bond};

    /// Atoms as "symbol", charge; bonds from 0.
    fn molecule(atoms: &[(&str, i8)], bonds: &[(usize, usize, u8)]) -> Molecule {
        let atoms = atoms.iter().enumerate().map(|(k, (symbol, charge))| {
            let element = Element::from_symbol(symbol).expect("known");
            Atom::new(element, *charge, nalgebra::Point3::new(k as f64, 0.0, 0.0))
        });
        let bonds = bonds.iter().map(|&(begin, end, order)| Bond {
            begin,
            end,
            order: BondOrder::from_code(order).expect("known"),
        });
        Molecule::new(atoms, bonds).expect("valid")
    }

    #[test]
    fn charged_and_hypervalent_species_are_those_of_rdkit() {
        let ion = |x, q| molecule(&[(x, q)], &[]);
        for (symbol, charge) in [("Na", 1), ("Cl", -1), ("Zn", 2), ("Fe", 3), ("Xe", 0), ("Hg", 0), ("Ca", 2)]
        {
            assert!(is_valid(&ion(symbol, charge)), "{symbol} {charge}");
        }
        for (symbol, charge) in [("Na", 0), ("Cl", 0), ("O", 0), ("C", 1), ("N", -2)] {
            assert!(!is_valid(&ion(symbol, charge)), "{symbol} {charge}");
        }
        let star = |centre, charge, ends: &[(&'static str, i8, u8)]| {
            let atoms: Vec<_> =
                [(centre, charge)].into_iter().chain(ends.iter().map(|e| (e.0, e.1))).collect();
            let bonds: Vec<_> = ends.iter().enumerate().map(|(k, e)| (0, k + 1, e.2)).collect();
            is_valid(&molecule(&atoms, &bonds))
        };
        let fluorines = |n| vec![("F", 0, 1); n];
        for (centre, charge, n) in
            [("S", 0, 6), ("S", 0, 4), ("P", 0, 5), ("P", -1, 6), ("I", 0, 3), ("I", 0, 5)]
        {
            assert!(star(centre, charge, &fluorines(n)), "{centre}F{n}");
        }
        for (centre, n) in
            [("Xe", 2), ("Xe", 4), ("Xe", 6), ("Zn", 2), ("Hg", 2), ("B", 3), ("Si", 4), ("Se", 6)]
        {
            assert!(star(centre, 0, &fluorines(n)), "{centre}F{n}");
        }
        for (centre, n) in [("S", 5), ("P", 4), ("Cl", 3), ("Br", 3), ("I", 7), ("N", 5), ("C", 5), ("B", 4)]
        {
            assert!(!star(centre, 0, &fluorines(n)), "{centre}F{n}");
        }
        let separated = [("O", -1, 1); 4];
        assert!(
            star("Cl", 3, &separated)
                && star("Cl", 0, &[("O", -1, 1), ("O", 0, 2), ("O", 0, 2), ("O", 0, 2)])
        );
        assert!(!star("Cl", 2, &separated));
        assert!(star("S", 0, &[("O", 0, 2), ("O", 0, 2)]) && star("C", -1, &[("O", 1, 3)]));
    }

    #[test]
    fn nitro_groups_may_have_two_double_bonds() {
        let nitro = |charge, oxygen, order| {
            let atoms = [("C", 0), ("N", charge), ("O", 0), ("O", oxygen), ("H", 0), ("H", 0), ("H", 0)];
            molecule(&atoms, &[(0, 1, 1), (1, 2, 2), (1, 3, order), (0, 4, 1), (0, 5, 1), (0, 6, 1)])
        };
        assert!(is_valid(&nitro(0, 0, 2)) && is_valid(&nitro(1, -1, 1)));
        assert!(!is_valid(&nitro(1, 0, 2)) && !is_valid(&nitro(0, -1, 1)));
    }

    #[test]
    fn ligands_give_electrons_to_metals() {
        // Ammonia at platinum, with a single bond or a dative one; a fourth bond to carbon stays too many.
        let ammonia = |centre, order| {
            let atoms = [("N", 0), ("H", 0), ("H", 0), ("H", 0), (centre, 0)];
            molecule(&atoms, &[(0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, order)])
        };
        let of = |m: &Molecule| verdicts(m)[0];
        assert_eq!([of(&ammonia("Pt", 1)), of(&ammonia("Pt", 9))], [Verdict::Fits; 2]);
        assert_eq!(of(&ammonia("B", 9)), Verdict::Fits);
        assert_eq!(of(&ammonia("C", 1)), Verdict::Exceeds);
        assert_eq!(verdicts(&ammonia("B", 9))[4], Verdict::Open(2), "the acceptor counts the bond");
    }

    #[test]
    fn named_radicals_fill_open_valences() {
        let mut atoms = vec![Atom::new(Element::C, 0, nalgebra::Point3::origin())];
        atoms.extend((0..3).map(|_| Atom::new(Element::H, 0, nalgebra::Point3::origin())));
        let bonds: Vec<Bond> = (1..4).map(|end| Bond { begin: 0, end, order: BondOrder::Single }).collect();
        let of = |atoms: &[Atom]| Molecule::new(atoms.iter().copied(), bonds.clone()).expect("valid");
        assert_eq!((is_valid(&of(&atoms)), open_valence(&of(&atoms), 0)), (false, 1));
        atoms[0].radicals = 1;
        assert_eq!((is_valid(&of(&atoms)), open_valence(&of(&atoms), 0)), (true, 0));
        atoms[0].radicals = 2;
        assert!(!is_valid(&of(&atoms)));
    }
}
