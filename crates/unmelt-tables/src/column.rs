//! A column of a table.

/// A name and a value for each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub(crate) name: String,
    pub(crate) values: Values,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Texts.
    Text(Vec<String>),
    /// True or false.
    Bool(Vec<bool>),
    /// Whole numbers of 32 bits.
    U32(Vec<u32>),
    /// Whole numbers of 64 bits.
    U64(Vec<u64>),
    /// Numbers; none where there is no value.
    F64(Vec<Option<f64>>),
    /// A list of numbers in each row.
    List(Lists),
}

/// A list of numbers in each row. CSV has no such cells.
#[derive(Clone, Debug, PartialEq)]
pub enum Lists {
    /// Unsigned bytes.
    U8(Vec<Vec<u8>>),
    /// Signed bytes.
    I8(Vec<Vec<i8>>),
    /// Signed numbers of 16 bits.
    I16(Vec<Vec<i16>>),
    /// Unsigned numbers of 32 bits.
    U32(Vec<Vec<u32>>),
    /// Floats of 32 bits.
    F32(Vec<Vec<f32>>),
}

macro_rules! lists {
    ($($number:ty => $variant:ident),*) => {
        $(impl From<Vec<Vec<$number>>> for Values {
            fn from(rows: Vec<Vec<$number>>) -> Self {
                Self::List(Lists::$variant(rows))
            }
        })*
    };
}

lists!(u8 => U8, i8 => I8, i16 => I16, u32 => U32, f32 => F32);

impl From<Vec<f64>> for Values {
    fn from(rows: Vec<f64>) -> Self {
        Self::F64(rows.into_iter().map(Some).collect())
    }
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<String>, values: impl Into<Values>) -> Self {
        Self { name: name.into(), values: values.into() }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        match &self.values {
            Values::Text(v) => v.len(),
            Values::Bool(v) => v.len(),
            Values::U32(v) => v.len(),
            Values::U64(v) => v.len(),
            Values::F64(v) => v.len(),
            Values::List(Lists::U8(v)) => v.len(),
            Values::List(Lists::I8(v)) => v.len(),
            Values::List(Lists::I16(v)) => v.len(),
            Values::List(Lists::U32(v)) => v.len(),
            Values::List(Lists::F32(v)) => v.len(),
        }
    }
}

/// Rows of a table: as many in each column.
pub(crate) fn rows(columns: &[Column]) -> std::io::Result<usize> {
    let rows = columns.first().map_or(0, Column::rows);
    match columns.iter().find(|c| c.rows() != rows) {
        Some(odd) => {
            let fault = format!("the column {} has {} rows, and the first has {rows}", odd.name, odd.rows());
            Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, fault))
        }
        None => Ok(rows),
    }
}
