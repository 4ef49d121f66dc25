//! Bonds, orders and formal charges of molecules whose file holds none, from distances and the total charge.

use crate::bond_orders::assign;
use crate::neighbourhoods::{Neighbourhoods, is_bonded};
use crate::perception::perceive_bonds;
use crate::{Atom, Bond, BondOrder, Molecule, is_valid};

/// The data field that holds the total charge of a molecule whose file knows no formal charges.
pub const CHARGE_FIELD: &str = "charge";

/// No molecule has more bonds than this many times its atoms.
const MOST_BONDS: usize = 6;

/// Atoms closer than this, in Å, lie on one place.
const SAME_PLACE: f64 = 0.3;

/// A molecule without bonds with those that its distances suggest.
///
/// The tables of EDM come first. Where they leave a valence open, all atoms within reach of their radii are joined, and
/// orders and formal charges are found that close every valence and add up to the total charge: that of the field `charge`, 0
/// where there is none. Where no such orders exist, the bonds are those of the tables.
///
/// Fails where the atoms lie too close together for a molecule.
pub fn bonded(molecule: &Molecule) -> Result<Molecule, String> {
    let atoms: Vec<Atom> = molecule.atoms().copied().collect();
    let near = Neighbourhoods::new(&atoms, None);
    let too_close = || "its atoms lie too close together for bonds to be told from distances".to_string();
    if near.is_crowded() {
        return Err(too_close());
    }
    let mut pairs = Vec::new();
    for j in 0..atoms.len() {
        let before = pairs.len();
        let distance = |i: usize| (atoms[i].position - atoms[j].position).norm();
        let fits =
            |i: &usize| *i < j && distance(*i) > SAME_PLACE && is_bonded(&atoms[*i], &atoms[j], distance(*i));
        pairs.extend(near.near(j).filter(fits).map(|i| (i, j)));
        pairs[before..].sort_unstable();
        if pairs.len() > MOST_BONDS * atoms.len() {
            return Err(too_close());
        }
    }
    let plain = perceive_bonds(molecule);
    if plain.len() > MOST_BONDS * atoms.len() {
        return Err(too_close());
    }
    let with = |bonds: Vec<Bond>| molecule.with_bonds(bonds).map_err(|e| e.to_string());
    let by_tables = with(plain)?;
    let total = total_charge(molecule);
    let given: i32 = atoms.iter().map(|a| i32::from(a.charge)).sum();
    if is_valid(&by_tables) && total.is_none_or(|total| total == given) {
        return Ok(by_tables);
    }
    let Some((orders, charges)) = assign(&atoms, &pairs, total.unwrap_or(given)) else {
        return Ok(by_tables);
    };
    let bonds: Vec<Bond> = pairs
        .iter()
        .zip(orders)
        .filter_map(|(&(begin, end), order)| Some(Bond { begin, end, order: BondOrder::from_code(order)? }))
        .collect();
    let charged = atoms.iter().zip(charges).map(|(a, charge)| Atom { charge, ..*a });
    let mut made = Molecule::new(charged, bonds).map_err(|e| e.to_string())?;
    made.name.clone_from(&molecule.name);
    made.fields.clone_from(&molecule.fields);
    Ok(made)
}

/// The total charge that a molecule's field says.
pub fn total_charge(molecule: &Molecule) -> Option<i32> {
    let (_, value) = molecule.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(CHARGE_FIELD))?;
    // Of "1,spin=1" and "1;mult=1" the first; "1.00" is a whole number.
    let value = value.split([',', ';']).next().unwrap_or_default().trim().trim_end_matches('=');
    let charge: f64 = value.parse().ok()?;
    (charge.fract() == 0.0 && charge.abs() <= 1000.0).then_some(charge as i32)
}
