//! The compact protocol of Thrift, in which Parquet writes its headers.
//!
//! Memory grows with the bytes that are there: a list is as long as its entries, whatever it promises.

/// Structures in structures.
const DEPTH: usize = 24;

/// A value of a header.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// A truth value.
    Bool(bool),
    /// Any whole number.
    Int(i64),
    /// A number with a fraction, of which no header has need.
    Double,
    /// Text or bytes.
    Bytes(&'a [u8]),
    /// A list or a set.
    List(Vec<Value<'a>>),
    /// A structure: field numbers and values.
    Struct(Vec<(i16, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// A field of a structure.
    pub fn field(&self, number: i16) -> Option<&Value<'a>> {
        match self {
            Self::Struct(fields) => fields.iter().find(|(n, _)| *n == number).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A whole number.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A text.
    pub fn text(&self) -> Option<&'a str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The entries of a list.
    pub fn list(&self) -> Option<&[Value<'a>]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// A whole number in a field.
    pub fn int_field(&self, number: i16) -> Option<i64> {
        self.field(number)?.int()
    }
}

/// Reads a structure; also says how many bytes it took.
pub(super) fn read_struct(bytes: &[u8]) -> Option<(Value<'_>, usize)> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.structure(DEPTH)?;
    Some((value, reader.at))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn structure(&mut self, depth: usize) -> Option<Value<'a>> {
        let depth = depth.checked_sub(1)?;
        let (mut fields, mut number) = (Vec::new(), 0i16);
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(Value::Struct(fields));
            }
            number = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).ok()?,
                step => number.checked_add(i16::from(step))?,
            };
            let value = match head & 0x0f {
                1 => Value::Bool(true),
                2 => Value::Bool(false),
                kind => self.value(kind, depth)?,
            };
            fields.push((number, value));
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value<'a>> {
        Some(match kind {
            // In lists truth values are bytes.
            1 | 2 => Value::Bool(self.byte()? == 1),
            3 => Value::Int(i64::from(self.byte()? as i8)),
            4..=6 => Value::Int(self.zigzag()?),
            7 => {
                self.take(8)?;
                Value::Double
            }
            8 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            9 | 10 => {
                let depth = depth.checked_sub(1)?;
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    count => u64::from(count),
                };
                let mut list = Vec::new();
                for _ in 0..count {
                    list.push(self.value(head & 0x0f, depth)?);
                }
                Value::List(list)
            }
            12 => self.structure(depth)?,
            // Headers have no maps.
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_read_and_promises_are_not_believed() {
        // Field 1: 5 (i32), field 3: a list of two i32, 1 and -1.
        let bytes = [0x15, 10, 0x29, 0x25, 2, 1, 0];
        let (value, used) = read_struct(&bytes).expect("a structure");
        assert_eq!((value.int_field(1), used), (Some(5), bytes.len()));
        assert_eq!(value.field(3), Some(&Value::List(vec![Value::Int(1), Value::Int(-1)])));
        // A list of 2^60 entries in a few bytes, structures without end, a text longer than the file.
        assert_eq!(read_struct(&[0x19, 0xF5, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1]), None);
        assert_eq!(read_struct(&[0x1C; 1000]), None);
        assert_eq!(read_struct(&[0x19; 1000]), None);
        assert_eq!(read_struct(&[0x18, 0xFF, 0xFF, 0x03, 1]), None);
        assert_eq!(read_struct(&[]), None);
    }
}
