//! Keys, validity and metrics.

use proptest::prelude::*;
use unmelt_diffusion::{Noise, Stream};
use unmelt_molecules::evaluate::{BondSource, Reference, evaluate};
use unmelt_molecules::format::read_sdf;
use unmelt_molecules::{Bond, KeySet, Molecule, canonical_key, canonical_smiles, is_valid};

/// Molecules with hydrogens, made by RDKit 2026.9 from the SMILES in their titles (ETKDG geometry).
const RDKIT: &str = include_str!("data/rdkit.sdf");

fn molecules() -> Vec<Molecule> {
    let reading = read_sdf(RDKIT);
    assert!(reading.faults.is_empty(), "{:?}", reading.faults);
    reading.molecules
}

fn named(smiles: &str) -> Molecule {
    molecules().into_iter().find(|m| m.name == smiles).unwrap_or_else(|| panic!("{smiles} is in the file"))
}

fn shuffled(molecule: &Molecule, seed: u64) -> Molecule {
    let n = molecule.len();
    let order = Noise::new(seed).permutation(Stream::new(0, 0, 0), n);
    let mut place = vec![0; n];
    order.iter().enumerate().for_each(|(p, &k)| place[k] = p);
    let bonds = molecule.bonds().map(|b| Bond { begin: place[b.end], end: place[b.begin], order: b.order });
    Molecule::new(order.iter().map(|&k| *molecule.atom(k)), bonds.collect::<Vec<_>>()).expect("valid")
}

proptest! {
    #[test]
    fn keys_do_not_depend_on_the_order_of_atoms(seed in any::<u64>()) {
        for molecule in molecules() {
            let other = shuffled(&molecule, seed);
            prop_assert_eq!(canonical_key(&molecule), canonical_key(&other), "{}", molecule.name);
            prop_assert_eq!(canonical_smiles(&molecule), canonical_smiles(&other), "{}", molecule.name);
        }
    }
}

#[test]
fn different_molecules_have_different_keys() {
    assert_eq!(
        KeySet::of(&molecules()).len(),
        molecules().len() - 1,
        "all but the two Kekulé forms of o-xylene"
    );
    assert_eq!(canonical_key(&named("kekule-a")), canonical_key(&named("kekule-b")));
}

/// Keys of molecules that the model `qm9` was trained on are found with it, whatever finds them.
#[test]
fn keys_stay_what_they_were() {
    let known = unmelt_molecules::models::training_keys("qm9").expect("a model").expect("keys");
    let names = ["C", "N", "O", "CCO", "CC(C)(C)C", "c1ccccc1", "C1CC1", "C#N", "CC#CC"];
    for name in names.into_iter().chain(["c1cc[nH]c1", "c1ccoc1", "Cc1ccncc1", "C1CC2CCC1C2"]) {
        assert!(known.contains(&canonical_key(&named(name))), "{name}");
    }
    assert_eq!(canonical_key(&named("C12C3C4C1C5C2C3C45")).len(), 32);
    assert_eq!(canonical_key(&named("c1ccc2ccccc2c1")), "cb42a4301edaa6eb0dea97387edfff35");
    assert!(!known.contains(&canonical_key(&named("CS(C)=O"))));
}

/// Each ring with aromatic bonds in place of its own, so that nothing of the form is left.
#[test]
fn aromatic_files_have_the_keys_of_their_kekule_forms() {
    let mut count = 0;
    for name in ["c1ccccc1", "c1ccc2ccccc2c1", "c1cc[nH]c1", "c1ccoc1", "Cc1ccncc1", "CC(=O)Oc1ccccc1C(=O)O"]
    {
        let plain = named(name);
        let in_ring =
            |k: usize| plain.neighbours(k).filter(|(j, _)| plain.neighbours(*j).count() > 1).count() > 1;
        let is_carbonyl = |k: usize| plain.neighbours(k).any(|(j, o)| o.code() == 2 && !in_ring(j));
        let bonds = plain.bonds().map(|b| {
            let aromatic = [b.begin, b.end].iter().all(|&k| in_ring(k) && !is_carbonyl(k));
            let ether = plain.atom(b.begin).element == unmelt_molecules::Element::O && name.contains("Oc");
            Bond {
                order: if aromatic && !ether { unmelt_molecules::BondOrder::Aromatic } else { b.order },
                ..b
            }
        });
        let aromatic = plain.with_bonds(bonds.collect::<Vec<_>>()).expect("valid");
        if !aromatic.has_aromatic_bonds() {
            continue;
        }
        count += 1;
        assert_eq!(canonical_key(&aromatic), canonical_key(&plain), "{name}");
        assert_eq!(canonical_smiles(&aromatic), canonical_smiles(&plain), "{name}");
        assert!(is_valid(&aromatic), "{name}");
    }
    assert_eq!(count, 6);
}

#[test]
fn radicals_charges_and_open_valences_are_said() {
    let methane = named("C");
    let methyl = methane.subset(&[true, true, true, true, false]).expect("valid");
    let mut atoms: Vec<_> = methyl.atoms().copied().collect();
    atoms[0].radicals = 1;
    let radical = Molecule::new(atoms, methyl.bonds().collect::<Vec<_>>()).expect("valid");
    let e = evaluate(&[methyl, radical, named("[O-]C(=O)C[NH3+]"), methane], None).expect("molecules");
    assert_eq!((e.open, e.with_radicals, e.radicals, e.with_charges, e.ions), (1, 1, 1, 1, 0));
    assert_eq!(e.valid.value, 0.75);
}

#[test]
fn records_without_bonds_are_judged_by_distances_among_others() {
    let bare = named("CCO").with_bonds([]).expect("valid");
    let e = evaluate(&[bare, named("O")], None).expect("molecules");
    assert_eq!((e.bonds_from, e.bonds_from_distances, e.valid.value), (BondSource::Both, 1, 1.0));
}

#[test]
fn all_of_rdkits_molecules_are_valid_and_damage_is_seen() {
    for molecule in molecules() {
        assert!(is_valid(&molecule), "{}", molecule.name);
        assert_eq!(molecule.components(), 1 + molecule.name.matches('.').count());
        let without = molecule.bonds().skip(1).collect::<Vec<_>>();
        assert!(!is_valid(&molecule.with_bonds(without).expect("valid")), "{} without a bond", molecule.name);
    }
    assert!(!is_valid(&Molecule::default()));
}

#[test]
fn sets_are_summed_up() {
    let all = molecules();
    let twice: Vec<Molecule> = all.iter().chain(&all).cloned().collect();
    let reference = Reference::of(&all[..4]);
    let e = evaluate(&twice, Some(&reference)).expect("molecules");
    let distinct = (all.len() - 1) as f64;
    assert_eq!((e.count, e.bonds_from, e.valid.value), (2 * all.len(), BondSource::File, 1.0));
    assert!((e.unique.value - distinct / twice.len() as f64).abs() < 1e-12);
    assert!((e.novel.expect("a reference").value - (distinct - 4.0) / distinct).abs() < 1e-12);
    assert!(e.unique.low <= e.unique.value && e.unique.value <= e.unique.high);
    assert!(evaluate(&[], None).is_err());
}

#[test]
fn a_file_without_bonds_is_judged_by_distances() {
    let bare = vec![named("CCO").with_bonds([]).expect("valid")];
    let e = evaluate(&bare, None).expect("molecules");
    assert_eq!((e.bonds_from, e.valid.value, e.molecule_stability.value), (BondSource::Distances, 1.0, 1.0));
}

/// The check that the protocol is right: QM9's own geometries, where the table is at hand.
#[test]
fn qm9_scores_what_the_protocol_gives_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/qm9.parquet");
    if !std::path::Path::new(path).exists() {
        eprintln!("skipped: the QM9 table is not here");
        return;
    }
    let reading = unmelt_molecules::format::read_parquet(path.as_ref()).expect("the table");
    let e = evaluate(&reading.molecules, None).expect("molecules");
    assert_eq!((e.count, e.valid_and_connected.value), (120_739, 1.0));
    assert_eq!(format!("{:.4} {:.3}", e.atom_stability.value, e.molecule_stability.value), "0.9944 0.957");
    // As many as RDKit's canonical SMILES.
    assert_eq!((e.unique.value * 120_739.0).round(), 120_684.0);
}
