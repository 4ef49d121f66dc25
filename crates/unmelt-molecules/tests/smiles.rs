//! SMILES, read again: the text says the same molecule.

use std::collections::HashMap;

use nalgebra::Point3;
use unmelt_molecules::format::read_sdf;
use unmelt_molecules::{Atom, Bond, BondOrder, Element, Molecule, canonical_key, canonical_smiles};

/// Molecules with hydrogens, made by RDKit 2026.9 from the SMILES in their titles (ETKDG geometry).
const RDKIT: &str = include_str!("data/rdkit.sdf");

/// Reads what is written here: Kekulé forms, no stereochemistry. Hydrogens come as atoms of their own.
struct Reader {
    atoms: Vec<Atom>,
    /// Hydrogens of atoms in brackets.
    hydrogens: Vec<Option<usize>>,
    bonds: Vec<Bond>,
    /// Ring numbers that were open at a time, at most.
    most_open: usize,
}

impl Reader {
    fn read(text: &str) -> Self {
        let mut reader = Self { atoms: Vec::new(), hydrogens: Vec::new(), bonds: Vec::new(), most_open: 0 };
        let mut rest = text;
        let (mut last, mut branches): (Option<usize>, Vec<usize>) = (None, Vec::new());
        let mut order = BondOrder::Single;
        let mut open: HashMap<usize, (usize, BondOrder)> = HashMap::new();
        while let Some(first) = rest.chars().next() {
            let mut used = first.len_utf8();
            match first {
                '(' => branches.push(last.expect("an atom before a branch")),
                ')' => last = branches.pop(),
                '.' => last = None,
                '=' => order = BondOrder::Double,
                '#' => order = BondOrder::Triple,
                '0'..='9' | '%' => {
                    let (number, length) = ring_number(rest);
                    used = length;
                    let here = last.expect("an atom before a ring number");
                    let said = std::mem::replace(&mut order, BondOrder::Single);
                    if let Some((there, order)) = open.remove(&number) {
                        assert_ne!(there, here, "no ring of one atom");
                        reader.bonds.push(Bond { begin: there, end: here, order });
                    } else {
                        open.insert(number, (here, said));
                    }
                    reader.most_open = reader.most_open.max(open.len());
                }
                _ => {
                    let (atom, hydrogens, length) = atom(rest);
                    used = length;
                    let here = reader.atoms.len();
                    reader.atoms.push(atom);
                    reader.hydrogens.push(hydrogens);
                    if let Some(before) = last {
                        let order = std::mem::replace(&mut order, BondOrder::Single);
                        reader.bonds.push(Bond { begin: before, end: here, order });
                    }
                    last = Some(here);
                }
            }
            rest = &rest[used..];
        }
        assert!(open.is_empty() && branches.is_empty(), "{text}");
        reader
    }

    fn molecule(mut self) -> Molecule {
        for k in 0..self.hydrogens.len() {
            let sum: usize = self
                .bonds
                .iter()
                .filter(|b| b.begin == k || b.end == k)
                .map(|b| usize::from(b.order.code()))
                .sum();
            let valences: &[usize] = match self.atoms[k].element.symbol() {
                "B" => &[3],
                "C" => &[4],
                "N" => &[3, 5],
                "O" => &[2],
                "P" => &[3, 5],
                "S" => &[2, 4, 6],
                _ => &[1],
            };
            let implied = || valences.iter().find(|v| **v >= sum).map_or(0, |v| v - sum);
            for _ in 0..self.hydrogens[k].unwrap_or_else(implied) {
                self.bonds.push(Bond { begin: k, end: self.atoms.len(), order: BondOrder::Single });
                self.atoms.push(Atom::new(Element::H, 0, Point3::origin()));
            }
        }
        Molecule::new(self.atoms, self.bonds).expect("valid")
    }
}

fn ring_number(text: &str) -> (usize, usize) {
    let number = |digits: &str| digits.parse().expect("a ring number");
    match text.strip_prefix('%') {
        None => (number(&text[..1]), 1),
        Some(rest) => match rest.strip_prefix('(') {
            None => (number(&rest[..2]), 3),
            Some(rest) => {
                let length = rest.find(')').expect("a bracket that closes");
                (number(&rest[..length]), length + 3)
            }
        },
    }
}

/// An atom, its hydrogens where it stands in brackets, and the length of its text.
fn atom(text: &str) -> (Atom, Option<usize>, usize) {
    let known = |symbol: &str| Element::from_symbol(symbol).expect(symbol);
    if !text.starts_with('[') {
        let length = if text.starts_with("Cl") || text.starts_with("Br") { 2 } else { 1 };
        return (Atom::new(known(&text[..length]), 0, Point3::origin()), None, length);
    }
    let end = text.find(']').expect("a bracket that closes");
    let inner = &text[1..end];
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
    let (isotope, rest) = inner.split_at(digits(inner));
    let length = 1 + rest[1..].chars().take_while(char::is_ascii_lowercase).count();
    let (symbol, mut rest) = rest.split_at(length);
    let mut hydrogens = 0;
    if let Some(after) = rest.strip_prefix('H') {
        let (count, after) = after.split_at(digits(after));
        (hydrogens, rest) = (count.parse().unwrap_or(1), after);
    }
    let charge = match rest {
        "" => 0,
        "+" => 1,
        "-" => -1,
        other => other.parse().expect("a charge"),
    };
    let mut atom = Atom::new(known(symbol), charge, Point3::origin());
    atom.isotope = isotope.parse().unwrap_or(0);
    (atom, Some(hydrogens), end + 1)
}

fn carbons(n: usize, bonds: impl Iterator<Item = (usize, usize, BondOrder)>) -> Molecule {
    let atoms = (0..n).map(|_| Atom::new(Element::C, 0, Point3::origin()));
    Molecule::new(atoms, bonds.map(|(begin, end, order)| Bond { begin, end, order })).expect("valid")
}

#[track_caller]
fn check(molecule: &Molecule) -> String {
    let text = canonical_smiles(molecule);
    let again = Reader::read(&text).molecule();
    assert_eq!(again.formula(), molecule.formula(), "{text}");
    assert_eq!(canonical_key(&again), canonical_key(molecule), "{text}");
    assert_eq!(canonical_smiles(&again), text);
    text
}

#[test]
fn smiles_say_the_same_molecule() {
    for molecule in read_sdf(RDKIT).molecules {
        check(&molecule);
    }
}

#[test]
fn ring_numbers_are_used_again() {
    // Twenty rings of three in a row.
    let rings = (0..20).flat_map(|r| [(3 * r, 3 * r + 1), (3 * r + 1, 3 * r + 2), (3 * r, 3 * r + 2)]);
    let links = (1..20).map(|r| (3 * r - 1, 3 * r));
    let text = check(&carbons(60, rings.chain(links).map(|(i, j)| (i, j, BondOrder::Single))));
    assert!(!text.contains('%') && !text.contains('4'), "{text}");
}

#[test]
fn many_open_rings_have_numbers_in_brackets() {
    // Each of 24 atoms is bonded to all others: carbon has no such valence, but the text is right.
    let pairs = (0..24).flat_map(|j| (0..j).map(move |i| (i, j, BondOrder::Single)));
    let molecule = carbons(24, pairs);
    let text = canonical_smiles(&molecule);
    assert!(text.contains("%10") && text.contains("%(100)") && !text.contains("%100"));
    let reader = Reader::read(&text);
    assert!(reader.most_open > 100);
    assert_eq!(canonical_key(&reader.molecule()), canonical_key(&molecule));
}

#[test]
fn cages_and_aromatic_rings_are_written_in_kekule_form() {
    // C60: an atom for each edge of an icosahedron and each of its directions, aromatic throughout.
    let edges: Vec<(usize, usize)> = (0..5)
        .flat_map(|k| {
            let (up, down, next) = (1 + k, 6 + k, (k + 1) % 5);
            [(0, up), (up, 1 + next), (up, down), (1 + next, down), (down, 6 + next), (down, 11)]
        })
        .flat_map(|(i, j)| [(i, j), (j, i)])
        .collect();
    let place = |edge: (usize, usize)| edges.iter().position(|e| *e == edge).expect("an edge");
    let pairs: std::collections::BTreeSet<(usize, usize)> = edges
        .iter()
        .flat_map(|&(u, v)| {
            let edges = &edges;
            let beside = edges.iter().filter(move |e| e.0 == u && e.1 != v).map(|e| e.1);
            let beside = beside.filter(move |w| edges.contains(&(v, *w))).map(move |w| (u, w));
            beside.chain([(v, u)]).map(move |other| (place((u, v)), place(other))).collect::<Vec<_>>()
        })
        .map(|(i, j)| (i.min(j), i.max(j)))
        .collect();
    assert_eq!((edges.len(), pairs.len()), (60, 90));
    let cage = carbons(60, pairs.iter().map(|&(i, j)| (i, j, BondOrder::Aromatic)));
    let text = check_aromatic(&cage);
    assert_eq!(text.matches('=').count(), 30);
    let biphenyl =
        (0..2).flat_map(|r| (0..6).map(move |k| (6 * r + k, 6 * r + (k + 1) % 6, BondOrder::Aromatic)));
    let text = check_aromatic(&carbons(12, biphenyl.chain([(0, 6, BondOrder::Single)])));
    assert_eq!(text.matches('=').count(), 6);
}

#[track_caller]
fn check_aromatic(molecule: &Molecule) -> String {
    let kekulized = molecule.kekulized().expect("a Kekulé form");
    assert_eq!(canonical_key(&kekulized), canonical_key(molecule));
    assert_eq!(canonical_smiles(&kekulized), canonical_smiles(molecule));
    canonical_smiles(molecule)
}

#[test]
fn isotopes_charges_and_dative_bonds_are_written() {
    let atom = |symbol: &str, charge, isotope| Atom {
        isotope,
        ..Atom::new(Element::from_symbol(symbol).expect("known"), charge, Point3::origin())
    };
    let bond = |begin, end, order| Bond { begin, end, order };
    let heavy = [atom("O", 0, 0), atom("H", 0, 2), atom("H", 0, 0)];
    let bonds = [bond(0, 1, BondOrder::Single), bond(0, 2, BondOrder::Single)];
    let water = Molecule::new(heavy, bonds).expect("valid");
    assert_eq!(check(&water), "[2H]O");
    let mut plain: Vec<Atom> = heavy.to_vec();
    plain[1].isotope = 0;
    let light = Molecule::new(plain, bonds).expect("valid");
    assert_eq!(canonical_smiles(&light), "O");
    assert_ne!(canonical_key(&light), canonical_key(&water));
    let ion = Molecule::new([atom("Fe", 3, 0), atom("Cl", -1, 37)], []).expect("valid");
    assert_eq!(check(&ion), "[37Cl-].[Fe+3]");
    let ammonia = [atom("N", 0, 0), atom("B", 0, 0)];
    let given = Molecule::new(ammonia, [bond(0, 1, BondOrder::Dative)]).expect("valid");
    let taken = Molecule::new(ammonia, [bond(1, 0, BondOrder::Dative)]).expect("valid");
    let arrow = |m: &Molecule| canonical_smiles(m).contains("->") || canonical_smiles(m).contains("<-");
    assert!(arrow(&given) && arrow(&taken));
    assert_ne!(canonical_smiles(&given), canonical_smiles(&taken));
    assert_ne!(canonical_key(&given), canonical_key(&taken));
}

#[test]
fn aromatic_bonds_without_a_kekule_form_are_faults() {
    let ring = |n: usize| carbons(n, (0..n).map(|k| (k, (k + 1) % n, BondOrder::Aromatic)));
    let sentence = ring(5).kekulized().expect_err("one atom is left").to_string();
    assert!(sentence.contains("no Kekulé form") && sentence.contains("hydrogens"), "{sentence}");
    let chain = carbons(3, [(0, 1, BondOrder::Aromatic), (1, 2, BondOrder::Single)].into_iter());
    let sentence = chain.kekulized().expect_err("no ring").to_string();
    assert!(sentence.contains("between atoms 1 and 2 is in no ring"), "{sentence}");
    assert!(!unmelt_molecules::is_valid(&ring(5)));
}
