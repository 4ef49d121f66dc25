//! Columns: the values of all rows, from the pages of all groups of rows.

use super::bits::Hybrid;
use super::metadata::{Chunk, Leaf};
use super::page::{Budget, Encoded, Values, unpack};
use super::thrift::{Value, read_struct};

/// What a row of a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Values, be it none of an empty list.
    There,
    /// Nothing.
    Missing,
    /// A list with an entry that is missing.
    Holed,
}

/// A column of the table.
#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    pub values: Values,
    pub rows: Vec<Row>,
    /// Where the values of each row end.
    ends: Vec<usize>,
}

impl Column {
    /// Where the values of a row are.
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        let begin = row.checked_sub(1).map_or(0, |k| self.ends[k]);
        begin..self.ends[row]
    }

    /// Reads a column from its pages.
    pub fn read(file: &[u8], leaf: &Leaf, budget: &mut Budget) -> Result<Self, String> {
        let mut column = Self {
            name: leaf.column.clone(),
            values: Values::none(leaf.physical),
            rows: Vec::new(),
            ends: Vec::new(),
        };
        for chunk in &leaf.chunks {
            column
                .read_chunk(file, leaf, chunk, budget)
                .map_err(|fault| format!("in the column {}: {fault}", leaf.column))?;
        }
        Ok(column)
    }

    fn read_chunk(
        &mut self,
        file: &[u8],
        leaf: &Leaf,
        chunk: &Chunk,
        budget: &mut Budget,
    ) -> Result<(), String> {
        let broken = || "a page cannot be read".to_string();
        let (mut at, mut done, mut dictionary) = (chunk.start, 0u64, None);
        while done < chunk.values {
            let bytes = file.get(at..chunk.end).filter(|b| !b.is_empty());
            let (header, used) = bytes.and_then(read_struct).ok_or_else(broken)?;
            at += used;
            let size = |n: i16| header.int_field(n).and_then(|x| usize::try_from(x).ok()).ok_or_else(broken);
            let (whole, packed) = (size(2)?, size(3)?);
            let end = at.checked_add(packed).filter(|e| *e <= chunk.end).ok_or_else(broken)?;
            let body = &file[at..end];
            at = end;
            check_sum(&header, body)?;
            match header.int_field(1) {
                Some(2) => {
                    let own = header.field(7).ok_or_else(broken)?;
                    let bytes = unpack(chunk.codec, body, whole, budget)?;
                    dictionary =
                        Some(encoded(leaf, own.int_field(1), Some(0), &bytes)?.values(None, budget)?);
                }
                Some(0) => {
                    let own = header.field(5).ok_or_else(broken)?;
                    let bytes = unpack(chunk.codec, body, whole, budget)?;
                    done += self.read_page(leaf, own, &bytes, dictionary.as_ref(), budget)?;
                }
                Some(3) => {
                    let own = header.field(8).ok_or_else(broken)?;
                    done +=
                        self.read_page_2(leaf, own, body, (whole, chunk.codec), dictionary.as_ref(), budget)?;
                }
                // Indices say nothing that is needed.
                Some(1) => {}
                _ => return Err(broken()),
            }
        }
        if done == chunk.values { Ok(()) } else { Err("it has more values than it says".into()) }
    }

    /// A page of the first kind: levels and values packed together.
    fn read_page(
        &mut self,
        leaf: &Leaf,
        header: &Value,
        bytes: &[u8],
        dictionary: Option<&Values>,
        budget: &mut Budget,
    ) -> Result<u64, String> {
        let broken = || "the levels of a page cannot be read".to_string();
        let mut rest = bytes;
        let mut levels = |most: u8, encoding: i16| {
            if most == 0 {
                return Ok(None);
            }
            if header.int_field(encoding).is_some_and(|e| e != 3) {
                return Err("its levels are written in a way that is not read".to_string());
            }
            let length =
                rest.get(..4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(broken)?;
            let end = 4usize.checked_add(length as usize).filter(|e| *e <= rest.len()).ok_or_else(broken)?;
            let own = &rest[4..end];
            rest = &rest[end..];
            Ok(Some(own))
        };
        let repetition = levels(leaf.max_repetition, 4)?;
        let definition = levels(leaf.max_definition, 3)?;
        let count = header.int_field(1).and_then(|n| u64::try_from(n).ok()).ok_or_else(broken)?;
        let present = self.read_levels(leaf, count, [repetition, definition], budget)?;
        let values =
            encoded(leaf, Some(present as i64), header.int_field(2), rest)?.values(dictionary, budget)?;
        self.values.append(values);
        Ok(count)
    }

    /// A page of the second kind: levels as they are before packed values.
    fn read_page_2(
        &mut self,
        leaf: &Leaf,
        header: &Value,
        body: &[u8],
        (whole, codec): (usize, i64),
        dictionary: Option<&Values>,
        budget: &mut Budget,
    ) -> Result<u64, String> {
        let broken = || "the levels of a page cannot be read".to_string();
        let size = |n: i16| header.int_field(n).and_then(|x| usize::try_from(x).ok()).ok_or_else(broken);
        let (definition, repetition) = (size(5)?, size(6)?);
        let begin = repetition.checked_add(definition).filter(|b| *b <= body.len()).ok_or_else(broken)?;
        let rest = whole.checked_sub(begin).ok_or_else(broken)?;
        let codec = if header.field(7) == Some(&Value::Bool(false)) { 0 } else { codec };
        let bytes = match rest {
            0 => Vec::new(),
            _ => unpack(codec, &body[begin..], rest, budget)?,
        };
        let levels = [
            (leaf.max_repetition > 0).then(|| &body[..repetition]),
            (leaf.max_definition > 0).then(|| &body[repetition..begin]),
        ];
        let count = header.int_field(1).and_then(|n| u64::try_from(n).ok()).ok_or_else(broken)?;
        let present = self.read_levels(leaf, count, levels, budget)?;
        let values =
            encoded(leaf, Some(present as i64), header.int_field(4), &bytes)?.values(dictionary, budget)?;
        self.values.append(values);
        Ok(count)
    }

    /// Divides values into rows; returns how many are there.
    fn read_levels(
        &mut self,
        leaf: &Leaf,
        count: u64,
        [repetition, definition]: [Option<&[u8]>; 2],
        budget: &mut Budget,
    ) -> Result<usize, String> {
        let broken = || "the levels of a page cannot be read".to_string();
        let width = |most: u8| 8 - most.leading_zeros();
        let mut repetition = levels_of(repetition, width(leaf.max_repetition))?;
        let mut definition = levels_of(definition, width(leaf.max_definition))?;
        let (base, mut present) = (self.values.len(), 0);
        for _ in 0..count {
            let level = |source: &mut Option<Hybrid>, usual: u8| match source {
                Some(levels) => levels.next().ok_or_else(broken),
                None => Ok(u64::from(usual)),
            };
            let again = level(&mut repetition, 0)? > 0;
            let depth = level(&mut definition, leaf.max_definition)?;
            if !again {
                budget.take(16)?;
                self.rows.push(Row::There);
                self.ends.push(base + present);
            }
            let (Some(row), Some(end)) = (self.rows.last_mut(), self.ends.last_mut()) else {
                return Err(broken());
            };
            if depth >= u64::from(leaf.max_definition) {
                present += 1;
                *end = base + present;
            } else if leaf.max_repetition > 0 && depth >= u64::from(leaf.entry_definition) {
                // A value that is not there costs no memory, but time.
                budget.take(1)?;
                *row = Row::Holed;
            } else if leaf.max_repetition == 0 || depth < u64::from(leaf.own_definition) {
                *row = Row::Missing;
            }
            if depth >= u64::from(leaf.max_definition) {
                budget.take(1)?;
            }
        }
        Ok(present)
    }
}

/// The levels in some bytes, where there are any.
fn levels_of(bytes: Option<&[u8]>, width: u32) -> Result<Option<Hybrid<'_>>, String> {
    let Some(bytes) = bytes else { return Ok(None) };
    Hybrid::new(bytes, width).map(Some).ok_or_else(|| "the levels of a page cannot be read".into())
}

fn encoded<'a>(
    leaf: &Leaf,
    count: Option<i64>,
    encoding: Option<i64>,
    bytes: &'a [u8],
) -> Result<Encoded<'a>, String> {
    let broken = || "the header of a page cannot be read".to_string();
    Ok(Encoded {
        physical: leaf.physical,
        unsigned: leaf.unsigned,
        encoding: encoding.ok_or_else(broken)?,
        bytes,
        count: count.and_then(|n| usize::try_from(n).ok()).ok_or_else(broken)?,
    })
}

/// Compares a page with its checksum, where it has one.
fn check_sum(header: &Value, body: &[u8]) -> Result<(), String> {
    let Some(wanted) = header.int_field(4) else { return Ok(()) };
    let mut crc = flate2::Crc::new();
    crc.update(body);
    if crc.sum() as i32 == wanted as i32 {
        Ok(())
    } else {
        Err("a page does not fit its checksum: it was damaged after it was written".into())
    }
}
