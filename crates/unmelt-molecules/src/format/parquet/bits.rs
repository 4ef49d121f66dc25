//! Numbers packed in bits: runs, and differences.

/// A number of up to ten bytes, seven bits each.
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The value of `width` bits, at most 64, at a bit of some bytes; the lowest first.
fn bits(bytes: &[u8], bit: usize, width: u32) -> Option<u64> {
    let (first, shift) = (bit / 8, bit % 8);
    let last = (bit + width as usize).div_ceil(8);
    let mut value = 0u128;
    for (k, byte) in bytes.get(first..last)?.iter().enumerate() {
        value |= u128::from(*byte) << (8 * k);
    }
    let mask = if width == 64 { u64::MAX } else { (1u64 << width) - 1 };
    Some((value >> shift) as u64 & mask)
}

/// Runs of one value, and values packed in bits, in turn.
pub(super) struct Hybrid<'a> {
    bytes: &'a [u8],
    width: u32,
    at: usize,
    run: Run,
}

enum Run {
    None,
    Same { value: u64, left: u64 },
    Packed { bit: usize, left: u64 },
}

impl<'a> Hybrid<'a> {
    /// Values of `width` bits; none where that is more than 32.
    pub fn new(bytes: &'a [u8], width: u32) -> Option<Self> {
        (width <= 32).then_some(Self { bytes, width, at: 0, run: Run::None })
    }

    fn next_run(&mut self) -> Option<()> {
        let head = varint(self.bytes, &mut self.at)?;
        if head & 1 == 0 {
            let length = self.width.div_ceil(8) as usize;
            let end = self.at.checked_add(length)?;
            let bytes = self.bytes.get(self.at..end)?;
            let value = bytes.iter().rev().fold(0u64, |v, b| v << 8 | u64::from(*b));
            self.run = Run::Same { value, left: head >> 1 };
            self.at = end;
        } else {
            let values = (head >> 1).checked_mul(8)?;
            let length = usize::try_from((head >> 1).checked_mul(u64::from(self.width))?).ok()?;
            self.run = Run::Packed { bit: self.at.checked_mul(8)?, left: values };
            // The last group may be cut short.
            self.at = self.at.saturating_add(length).min(self.bytes.len());
        }
        Some(())
    }
}

impl Iterator for Hybrid<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            match &mut self.run {
                Run::Same { value, left } if *left > 0 => {
                    *left -= 1;
                    return Some(*value);
                }
                Run::Packed { bit, left } if *left > 0 => {
                    let value = bits(self.bytes, *bit, self.width)?;
                    *left -= 1;
                    *bit += self.width as usize;
                    return Some(value);
                }
                // Runs of nothing take bytes as others do, so this ends.
                _ => self.next_run()?,
            }
        }
    }
}

/// Whole numbers as packed differences; `most` bounds how many there may be. Also says where they end.
pub(super) fn delta(bytes: &[u8], most: usize) -> Option<(Vec<i64>, usize)> {
    let mut at = 0;
    let zigzag = |v: u64| (v >> 1) as i64 ^ -((v & 1) as i64);
    let block = usize::try_from(varint(bytes, &mut at)?).ok()?;
    let minis = usize::try_from(varint(bytes, &mut at)?).ok()?;
    let total = usize::try_from(varint(bytes, &mut at)?).ok().filter(|t| *t <= most)?;
    let first = zigzag(varint(bytes, &mut at)?);
    if minis == 0 || minis > 4096 || block == 0 || block % minis != 0 || block > 1 << 20 {
        return None;
    }
    let each = block / minis;
    let mut values = Vec::new();
    if total == 0 {
        return Some((values, at));
    }
    values.push(first);
    let mut last = first;
    while values.len() < total {
        let least = zigzag(varint(bytes, &mut at)?);
        let end = at.checked_add(minis)?;
        let widths = bytes.get(at..end)?;
        at = end;
        for &width in widths {
            if values.len() >= total {
                break;
            }
            let width = u32::from(width);
            if width > 64 {
                return None;
            }
            for k in 0..each.min(total - values.len()) {
                let difference = bits(bytes, at * 8 + k * width as usize, width)?;
                last = last.wrapping_add(least).wrapping_add(difference as i64);
                values.push(last);
            }
            at = at.checked_add((each * width as usize).div_ceil(8))?;
        }
    }
    Some((values, at.min(bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_packed_values_are_read() {
        // The example of the format's description: 0 to 7 in three bits, then four times 5.
        let bytes = [0b0000_0011, 0b1000_1000, 0b1100_0110, 0b1111_1010, 8, 5];
        let values: Vec<u64> = Hybrid::new(&bytes, 3).expect("narrow").collect();
        assert_eq!(values, [0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5]);
        assert_eq!(Hybrid::new(&[0xFF; 9], 3).expect("narrow").next(), None);
        // A run of 2^62 values in few bytes costs nothing until they are asked for.
        let mut long =
            Hybrid::new(&[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 1], 1).expect("narrow");
        assert_eq!(long.next(), Some(1));
    }

    #[test]
    fn differences_are_read() {
        // Blocks of 8 in one part: 7, then differences of 1 but for one of -2 (least -2, two bits).
        let bytes = [8, 1, 5, 14, 3, 2, 0b1111_0011, 0b0000_0000];
        assert_eq!(delta(&bytes, 100).map(|(v, _)| v), Some(vec![7, 8, 6, 7, 8]));
        assert_eq!(delta(&bytes, 4), None);
        assert_eq!(delta(&[8, 0, 5, 14], 100), None);
    }
}
