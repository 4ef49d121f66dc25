//! How far a field of view is extended, as it is typed.

use std::str::FromStr;

/// The sides by name: the axis, and whether it is the high end of it.
const SIDES: [(&str, usize, bool); 6] = [
    ("left", 0, false),
    ("right", 0, true),
    ("back", 1, false),
    ("front", 1, true),
    ("bottom", 2, false),
    ("top", 2, true),
];

/// Millimetres to add at the low and the high end of each axis (right, front, top), read from "top=30,bottom=20".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldExtension {
    /// At the left, back and bottom, in mm.
    pub low: [f64; 3],
    /// At the right, front and top, in mm.
    pub high: [f64; 3],
}

impl FromStr for FieldExtension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lengths = [[None; 3]; 2];
        for word in text.split(',') {
            let fault = || {
                let names = SIDES.map(|(name, _, _)| name).join(", ");
                format!(
                    "\"{word}\" is no extension; write mm for each side, as in top=30,bottom=20 ({names})"
                )
            };
            let (side, length) = word.split_once('=').ok_or_else(fault)?;
            let &(name, axis, far) =
                SIDES.iter().find(|(name, _, _)| *name == side.trim()).ok_or_else(fault)?;
            let length: f64 = length.trim().parse().map_err(|_| fault())?;
            if !(length.is_finite() && length >= 0.0) {
                return Err(fault());
            }
            if lengths[usize::from(far)][axis].replace(length).is_some() {
                return Err(format!("\"{word}\" names a side twice: {name}"));
            }
        }
        let [low, high] = lengths.map(|side| side.map(|length| length.unwrap_or(0.0)));
        Ok(Self { low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_is_named_once() {
        let read = |text: &str| text.parse::<FieldExtension>();
        assert_eq!(
            read("top=30, left=2.5,bottom=0"),
            Ok(FieldExtension { low: [2.5, 0.0, 0.0], high: [0.0, 0.0, 30.0] })
        );
        for twice in ["top=0,top=3", "top=3,top=0", "top=0,top=0", "left=1,top=2, left = 1"] {
            assert!(read(twice).is_err_and(|e| e.contains("names a side twice")), "{twice}");
        }
        for bad in ["", "top", "top=", "top=-1", "top=nan", "top=inf", "up=3", "top=3,", "top=3=4"] {
            assert!(read(bad).is_err_and(|e| e.contains("is no extension")), "{bad}");
        }
    }
}
