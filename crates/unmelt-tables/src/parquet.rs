//! Tables as Parquet files.

use std::io::{Error, ErrorKind, Result, Write};

use polars_arrow::array::{Array, BooleanArray, ListArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_arrow::offset::OffsetsBuffer;
use polars_arrow::types::NativeType;
use polars_error::PolarsError;
use polars_parquet::read::{FallibleStreamingIterator, ParquetError};
use polars_parquet::write::{
    CompressionOptions, Compressor, DynIter, DynStreamingIterator, Encoding, FileWriter, KeyValue,
    ParquetType, StatisticsOptions, Version, WriteOptions, array_to_columns, get_dtype_encoding,
    schema_to_metadata_key, to_parquet_schema,
};

use crate::column::{Column, Lists, Values, rows};

const OPTIONS: WriteOptions = WriteOptions {
    statistics: StatisticsOptions {
        min_value: true,
        max_value: true,
        distinct_count: false,
        null_count: true,
        binary_statistics_truncate_length: None,
    },
    version: Version::V1,
    compression: CompressionOptions::Zstd(None),
    data_page_size: None,
};

/// Writes rows as Parquet, packed with Zstandard; every batch is a row group.
pub struct ParquetWriter<W: Write> {
    file: FileWriter<W>,
    types: Vec<(ParquetType, Vec<Encoding>)>,
}

impl<W: Write> ParquetWriter<W> {
    /// A table that is written to `out`, with the names and types of these columns. Their rows are not written.
    pub fn new(out: W, columns: &[Column]) -> Result<Self> {
        let schema: ArrowSchema = columns
            .iter()
            .map(|c| {
                let dtype = array(&c.values)?.dtype().clone();
                Ok((c.name.as_str().into(), Field::new(c.name.as_str().into(), dtype, true)))
            })
            .collect::<Result<_>>()?;
        let parquet = to_parquet_schema(&schema).map_err(failed)?;
        let encodings = schema.iter_values().map(|f| get_dtype_encoding(f.dtype()));
        let types = parquet.fields().iter().cloned().zip(encodings).collect();
        Ok(Self { file: FileWriter::try_new(out, schema, OPTIONS).map_err(failed)?, types })
    }

    /// Writes some rows.
    ///
    /// # Errors
    /// Columns of different lengths, columns of other types than the first ones, and what `out` reports.
    pub fn write(&mut self, columns: &[Column]) -> Result<()> {
        let rows = rows(columns)?;
        let arrays: Vec<_> = columns.iter().map(|c| array(&c.values)).collect::<Result<_>>()?;
        let types = self.file.schema().iter_values().map(|f| f.dtype());
        if !types.eq(arrays.iter().map(|a| a.dtype())) {
            return Err(invalid("the columns of these rows are not those of the table"));
        }
        if rows == 0 {
            return Ok(());
        }
        let mut pages = Vec::new();
        for (array, (kind, encoding)) in arrays.iter().zip(&self.types) {
            for column in array_to_columns(array.as_ref(), kind.clone(), OPTIONS, encoding).map_err(failed)? {
                let column = column.map(|page| {
                    page.map_err(|e: PolarsError| ParquetError::FeatureNotSupported(e.to_string()))
                });
                let packed = Compressor::new_from_vec(column, OPTIONS.compression, Vec::new());
                pages.push(Ok(DynStreamingIterator::new(packed.map_err(PolarsError::from))));
            }
        }
        self.file.write(rows as u64, DynIter::new(pages.into_iter())).map_err(failed)
    }

    /// Ends the file, with texts by name in its footer.
    pub fn finish(mut self, metadata: &[(&str, &str)]) -> Result<W> {
        let texts = metadata.iter().map(|(k, v)| KeyValue { key: (*k).into(), value: Some((*v).into()) });
        let all = [schema_to_metadata_key(self.file.schema())].into_iter().chain(texts).collect();
        self.file.end(Some(all)).map_err(failed)?;
        Ok(self.file.into_inner())
    }
}

/// Values as polars keeps them in memory.
fn array(values: &Values) -> Result<Box<dyn Array>> {
    Ok(match values {
        Values::Text(v) => Utf8ViewArray::from_slice_values(v).boxed(),
        Values::Bool(v) => BooleanArray::from_slice(v).boxed(),
        Values::U32(v) => PrimitiveArray::from_slice(v).boxed(),
        Values::U64(v) => PrimitiveArray::from_slice(v).boxed(),
        Values::F64(v) => PrimitiveArray::from_iter(v.iter().copied()).boxed(),
        Values::List(Lists::U8(v)) => list(v)?,
        Values::List(Lists::I8(v)) => list(v)?,
        Values::List(Lists::I16(v)) => list(v)?,
        Values::List(Lists::U32(v)) => list(v)?,
        Values::List(Lists::F32(v)) => list(v)?,
    })
}

fn list<T: NativeType>(rows: &[Vec<T>]) -> Result<Box<dyn Array>> {
    let mut ends = vec![0i64];
    for row in rows {
        ends.push(ends[ends.len() - 1] + row.len() as i64);
    }
    let ends = OffsetsBuffer::try_from(ends).map_err(failed)?;
    let values = PrimitiveArray::from_vec(rows.concat()).boxed();
    let item = Field::new("item".into(), values.dtype().clone(), true);
    Ok(ListArray::<i64>::try_new(ArrowDataType::LargeList(Box::new(item)), ends, values, None)
        .map_err(failed)?
        .boxed())
}

/// An error of polars, which can run to many lines; of one of input or output that one.
fn failed(error: PolarsError) -> Error {
    match error {
        PolarsError::IO { error, .. } => Error::new(error.kind(), error.to_string()),
        other => Error::other(other.to_string().lines().next().unwrap_or_default().to_string()),
    }
}

fn invalid(fault: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_another_table_are_refused() {
        let mut table = ParquetWriter::new(Vec::new(), &[Column::new("a", vec![1.0])]).expect("a table");
        assert!(table.write(&[Column::new("a", vec![vec![1u8]])]).is_err());
        assert!(table.write(&[]).is_err());
    }
}
