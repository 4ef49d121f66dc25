//! Lengths of bonds between elements, and the order that a distance means, by the protocol of EDM (Hoogeboom et al. 2022, appendix E).

use crate::{BondOrder, Element};

/// Lengths of single bonds in pm.
const SINGLE: &[(&str, &str, u16)] = &[
    ("H", "H", 74),
    ("H", "C", 109),
    ("H", "N", 101),
    ("H", "O", 96),
    ("H", "F", 92),
    ("H", "B", 119),
    ("H", "Si", 148),
    ("H", "P", 144),
    ("H", "As", 152),
    ("H", "S", 134),
    ("H", "Cl", 127),
    ("H", "Br", 141),
    ("H", "I", 161),
    ("C", "C", 154),
    ("C", "N", 147),
    ("C", "O", 143),
    ("C", "F", 135),
    ("C", "Si", 185),
    ("C", "P", 184),
    ("C", "S", 182),
    ("C", "Cl", 177),
    ("C", "Br", 194),
    ("C", "I", 214),
    ("N", "N", 145),
    ("N", "O", 140),
    ("N", "F", 136),
    ("N", "Cl", 175),
    ("N", "Br", 214),
    ("N", "S", 168),
    ("N", "I", 222),
    ("N", "P", 177),
    ("O", "O", 148),
    ("O", "F", 142),
    ("O", "Br", 172),
    ("O", "S", 151),
    ("O", "P", 163),
    ("O", "Si", 163),
    ("O", "Cl", 164),
    ("O", "I", 194),
    ("F", "F", 142),
    ("F", "S", 158),
    ("F", "Si", 160),
    ("F", "Cl", 166),
    ("F", "Br", 178),
    ("F", "P", 156),
    ("F", "I", 187),
    ("B", "Cl", 175),
    ("Si", "Si", 233),
    ("Si", "S", 200),
    ("Si", "Cl", 202),
    ("Si", "Br", 215),
    ("Si", "I", 243),
    ("Cl", "Cl", 199),
    ("Cl", "P", 203),
    ("Cl", "S", 207),
    ("Cl", "Br", 214),
    ("S", "S", 204),
    ("S", "Br", 225),
    ("S", "P", 210),
    ("S", "I", 234),
    ("Br", "Br", 228),
    ("Br", "P", 222),
    ("P", "P", 221),
    ("I", "I", 266),
];

/// Lengths of double bonds in pm.
const DOUBLE: &[(&str, &str, u16)] = &[
    ("C", "C", 134),
    ("C", "N", 129),
    ("C", "O", 120),
    ("C", "S", 160),
    ("N", "N", 125),
    ("N", "O", 121),
    ("O", "O", 121),
    ("O", "P", 150),
    ("P", "S", 186),
];

/// Lengths of triple bonds in pm.
const TRIPLE: &[(&str, &str, u16)] = &[("C", "C", 120), ("C", "N", 116), ("C", "O", 113), ("N", "N", 110)];

/// What a bond may be longer than its table by, in pm: single, double, triple.
const MARGINS: [f64; 3] = [10.0, 5.0, 3.0];

fn length(table: &[(&str, &str, u16)], a: Element, b: Element) -> Option<f64> {
    let (a, b) = (a.symbol(), b.symbol());
    let found = table.iter().find(|(x, y, _)| (*x == a && *y == b) || (*x == b && *y == a));
    found.map(|(_, _, pm)| f64::from(*pm))
}

/// The length of a single bond between two elements in Å, where the table has it.
pub fn single_bond_length(a: Element, b: Element) -> Option<f64> {
    length(SINGLE, a, b).map(|pm| 0.01 * pm)
}

/// The order of a bond between two elements at a distance in Å, if there is one.
pub fn bond_order(a: Element, b: Element, distance: f64) -> Option<BondOrder> {
    let pm = 100.0 * distance;
    let within = |table, margin| length(table, a, b).is_some_and(|l| pm < l + margin);
    if !within(SINGLE, MARGINS[0]) {
        None
    } else if !within(DOUBLE, MARGINS[1]) {
        Some(BondOrder::Single)
    } else if !within(TRIPLE, MARGINS[2]) {
        Some(BondOrder::Double)
    } else {
        Some(BondOrder::Triple)
    }
}
