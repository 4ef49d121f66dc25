//! What the end of a Parquet file says: its columns, and where their pages are.

use super::thrift::{Value, read_struct};

/// The name of the text in a table's footer with the records of the runs that made its molecules, as a list in JSON.
pub(super) const RECORDS: &str = "unmelt_runs";

/// Physical types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Boolean,
    Int32,
    Int64,
    Float,
    Double,
    Bytes,
}

/// A leaf of the schema, and its pages.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Name of the column of the table that it belongs to.
    pub column: String,
    pub physical: Physical,
    /// Whether whole numbers have no sign.
    pub unsigned: bool,
    /// Whether it is a plain number, and no date or decimal.
    pub is_number: bool,
    /// Whether it is repeated, as the entries of lists are.
    pub max_repetition: u8,
    /// The level of a value that is there.
    pub max_definition: u8,
    /// The level from which an entry of the innermost list is there.
    pub entry_definition: u8,
    /// The level from which the column's own value is there, be it an empty list.
    pub own_definition: u8,
    /// Chunks, one a group of rows.
    pub chunks: Vec<Chunk>,
}

/// Pages of a leaf in one group of rows.
#[derive(Debug)]
pub(super) struct Chunk {
    pub codec: i64,
    pub values: u64,
    pub start: usize,
    pub end: usize,
}

/// The file's own description.
#[derive(Debug)]
pub(super) struct Metadata {
    pub rows: u64,
    pub leaves: Vec<Leaf>,
    /// The records of runs, as text.
    pub records: Option<String>,
}

/// Most leaves of a table that is read.
const MOST_LEAVES: usize = 10_000;

impl Metadata {
    /// Reads the end of a file.
    pub fn read(file: &[u8]) -> Result<Self, String> {
        let broken = || "its description at the end cannot be read".to_string();
        if !file.starts_with(b"PAR1") || file.len() < 12 {
            return Err("it does not begin as a Parquet file does".into());
        }
        let tail = &file[file.len() - 8..];
        if &tail[4..] != b"PAR1" {
            return Err("it does not end as a Parquet file does: it was cut off, or is encrypted".into());
        }
        let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize;
        let start = (file.len() - 8).checked_sub(length).filter(|s| *s >= 4).ok_or_else(broken)?;
        let (value, _) = read_struct(&file[start..file.len() - 8]).ok_or_else(broken)?;
        let schema = value.field(2).and_then(Value::list).ok_or_else(broken)?;
        let mut leaves = Schema { elements: schema, at: 0 }.leaves().ok_or_else(broken)?;
        let groups = value.field(4).and_then(Value::list).unwrap_or_default();
        for group in groups {
            let columns = group.field(1).and_then(Value::list).ok_or_else(broken)?;
            if columns.len() != leaves.len() {
                return Err(broken());
            }
            for (leaf, column) in leaves.iter_mut().zip(columns) {
                if let Some(leaf) = leaf {
                    leaf.chunks.push(chunk(column, start).ok_or_else(broken)?);
                }
            }
        }
        let rows = value.int_field(3).and_then(|n| u64::try_from(n).ok()).ok_or_else(broken)?;
        let texts = value.field(5).and_then(Value::list).unwrap_or_default();
        let is_records = |t: &&Value| t.field(1).and_then(Value::text) == Some(RECORDS);
        let records = texts.iter().find(is_records).and_then(|t| t.field(2)?.text()).map(String::from);
        Ok(Self { rows, leaves: leaves.into_iter().flatten().collect(), records })
    }
}

/// The pages of a column in a group of rows; they end before the description.
fn chunk(column: &Value, limit: usize) -> Option<Chunk> {
    if column.field(1).is_some() {
        // Its pages are in another file.
        return None;
    }
    let meta = column.field(3)?;
    let place = |n: i16| meta.int_field(n).and_then(|x| usize::try_from(x).ok());
    let data = place(9)?;
    // Some writers say 0 where there is no dictionary.
    let start = place(11).filter(|d| *d > 0 && *d < data).unwrap_or(data);
    let end = start.checked_add(place(7)?).filter(|e| *e <= limit && start >= 4)?;
    let values = u64::try_from(meta.int_field(5)?).ok()?;
    Some(Chunk { codec: meta.int_field(4)?, values, start, end })
}

struct Schema<'a, 'b> {
    elements: &'b [Value<'a>],
    at: usize,
}

/// Levels on the way down the schema.
#[derive(Clone, Copy, Default)]
struct Levels {
    repetition: u8,
    definition: u8,
    entry: u8,
    own: u8,
}

impl Schema<'_, '_> {
    /// The leaves in order; none for one of a type that is not read.
    fn leaves(mut self) -> Option<Vec<Option<Leaf>>> {
        let root = self.elements.first()?;
        self.at = 1;
        let mut leaves = Vec::new();
        for _ in 0..root.int_field(5).unwrap_or(0) {
            let name = self.elements.get(self.at)?.field(4)?.text()?.to_string();
            self.node(&name, Levels::default(), 0, &mut leaves)?;
        }
        (self.at == self.elements.len()).then_some(leaves)
    }

    fn node(
        &mut self,
        column: &str,
        levels: Levels,
        depth: u8,
        leaves: &mut Vec<Option<Leaf>>,
    ) -> Option<()> {
        let element = self.elements.get(self.at)?;
        self.at += 1;
        if depth > 16 || leaves.len() >= MOST_LEAVES {
            return None;
        }
        let mut levels = levels;
        match element.int_field(3).unwrap_or(0) {
            1 => levels.definition += 1,
            2 => {
                levels.definition += 1;
                levels.repetition += 1;
                levels.entry = levels.definition;
            }
            _ => {}
        }
        if depth == 0 {
            // A list that is repeated itself is there, if empty, at the level below.
            levels.own = levels.definition - u8::from(levels.repetition > 0);
        }
        let children = element.int_field(5).unwrap_or(0);
        if children > 0 {
            for _ in 0..children {
                self.node(column, levels, depth + 1, leaves)?;
            }
            return Some(());
        }
        leaves.push(leaf(element, column, levels));
        Some(())
    }
}

fn leaf(element: &Value, column: &str, levels: Levels) -> Option<Leaf> {
    let physical = match element.int_field(1)? {
        0 => Physical::Boolean,
        1 => Physical::Int32,
        2 => Physical::Int64,
        4 => Physical::Float,
        5 => Physical::Double,
        6 => Physical::Bytes,
        _ => return None,
    };
    let converted = element.int_field(6);
    // The structure of a logical type has one field, whose number says which: 10 for whole numbers.
    let logical = match element.field(10) {
        Some(Value::Struct(fields)) => fields.first(),
        _ => None,
    };
    let whole = converted.is_some_and(|c| (11..=18).contains(&c)) || logical.is_some_and(|(n, _)| *n == 10);
    let unsigned_logical = logical.is_some_and(|(n, v)| *n == 10 && v.field(2) == Some(&Value::Bool(false)));
    let is_number = match physical {
        Physical::Int32 | Physical::Int64 => whole || (converted.is_none() && logical.is_none()),
        Physical::Float | Physical::Double => true,
        Physical::Boolean | Physical::Bytes => false,
    };
    Some(Leaf {
        column: column.into(),
        physical,
        unsigned: converted.is_some_and(|c| (11..=14).contains(&c)) || unsigned_logical,
        is_number,
        max_repetition: levels.repetition,
        max_definition: levels.definition,
        entry_definition: levels.entry,
        own_definition: levels.own,
        chunks: Vec::new(),
    })
}
