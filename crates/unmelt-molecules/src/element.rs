//! Chemical elements.

use std::fmt;

/// A chemical element, by atomic number 1 … 118.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element(u8);

const SYMBOLS: [&str; 118] = [
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K",
    "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr",
    "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe",
    "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu",
    "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra",
    "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db",
    "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
];

/// Mass number of the commonest isotope of each element.
const COMMON_ISOTOPES: [u16; 118] = [
    1, 4, 7, 9, 11, 12, 14, 16, 19, 20, 23, 24, 27, 28, 31, 32, 35, 40, 39, 40, 45, 48, 51, 52, 55, 56, 59,
    58, 63, 64, 69, 74, 75, 80, 79, 84, 85, 88, 89, 90, 93, 98, 97, 102, 103, 106, 107, 114, 115, 120, 121,
    130, 127, 132, 133, 138, 139, 140, 141, 142, 145, 152, 153, 158, 159, 164, 165, 166, 169, 174, 175, 180,
    181, 184, 187, 192, 193, 195, 197, 202, 205, 208, 209, 209, 210, 222, 223, 226, 227, 232, 231, 238, 236,
    238, 241, 243, 247, 249, 252, 257, 258, 259, 262, 267, 268, 271, 270, 269, 278, 281, 281, 285, 284, 289,
    288, 293, 292, 294,
];

impl Element {
    /// Hydrogen.
    pub const H: Self = Self(1);
    /// Carbon.
    pub const C: Self = Self(6);
    /// Nitrogen.
    pub const N: Self = Self(7);
    /// Oxygen.
    pub const O: Self = Self(8);

    /// The element with this atomic number.
    pub fn from_number(number: u8) -> Option<Self> {
        (1..=118).contains(&number).then_some(Self(number))
    }

    /// The element with this symbol, whatever the case; D and T are hydrogen.
    pub fn from_symbol(symbol: &str) -> Option<Self> {
        if symbol.eq_ignore_ascii_case("D") || symbol.eq_ignore_ascii_case("T") {
            return Some(Self::H);
        }
        let place = SYMBOLS.iter().position(|s| s.eq_ignore_ascii_case(symbol))?;
        Some(Self(place as u8 + 1))
    }

    /// The element with this symbol, and the isotope that it names: D and T are hydrogen with 2 and 3, all others 0.
    pub fn with_isotope(symbol: &str) -> Option<(Self, u16)> {
        let isotope = match symbol {
            "D" | "d" => 2,
            "T" | "t" => 3,
            _ => 0,
        };
        Some((Self::from_symbol(symbol)?, isotope))
    }

    /// Mass number of the commonest isotope, or of the one that lives longest; differences of masses in SDF files count from it.
    pub fn common_isotope(self) -> u16 {
        COMMON_ISOTOPES[self.0 as usize - 1]
    }

    /// Covalent radius in Å (Cordero et al. 2008, of non-metals alone).
    pub fn radius(self) -> Option<f64> {
        const RADII: [(u8, f64); 16] = [
            (1, 0.31),
            (5, 0.84),
            (6, 0.76),
            (7, 0.71),
            (8, 0.66),
            (9, 0.57),
            (14, 1.11),
            (15, 1.07),
            (16, 1.05),
            (17, 1.02),
            (32, 1.20),
            (33, 1.19),
            (34, 1.20),
            (35, 1.20),
            (52, 1.38),
            (53, 1.39),
        ];
        RADII.iter().find(|(number, _)| *number == self.0).map(|(_, radius)| *radius)
    }

    /// Atomic number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Symbol.
    pub fn symbol(self) -> &'static str {
        SYMBOLS[self.0 as usize - 1]
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.symbol())
    }
}
