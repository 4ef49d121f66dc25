//! Tables as text: a line of names, then a line for each row.

use std::io::{Error, ErrorKind, Result, Write};

use crate::column::{Column, Values, rows};

/// Writes rows as CSV (RFC 4180 with lines that end in `\n`), with a line of the columns' names before them if asked for. A cell
/// without a value is empty.
///
/// # Errors
/// Columns of different lengths, lists, and what `out` reports.
pub fn write_csv(out: impl Write, columns: &[Column], with_names: bool) -> Result<()> {
    let rows = rows(columns)?;
    let mut out = csv::Writer::from_writer(out);
    if with_names {
        out.write_record(columns.iter().map(|c| c.name.as_str()))?;
    }
    for row in 0..rows {
        for column in columns {
            out.write_field(cell(column, row)?)?;
        }
        out.write_record(None::<&[u8]>)?;
    }
    out.flush()
}

fn cell(column: &Column, row: usize) -> Result<String> {
    Ok(match &column.values {
        Values::Text(v) => v[row].clone(),
        Values::Bool(v) => v[row].to_string(),
        Values::U32(v) => v[row].to_string(),
        Values::U64(v) => v[row].to_string(),
        Values::F64(v) => v[row].map_or(String::new(), |x| zmij::Buffer::new().format(x).to_string()),
        Values::List(_) => {
            let fault = format!("the column {} has lists, which CSV cannot hold", column.name);
            return Err(Error::new(ErrorKind::InvalidInput, fault));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let columns = [
            Column::new(
                "a",
                Values::Text(["x,y", "say \"so\"", "", "two\nlines"].map(String::from).to_vec()),
            ),
            Column::new("b", Values::Bool(vec![true, false, true, false])),
            Column::new("c", vec![1.0, 1e-7, -2.5e300, f64::NAN]),
        ];
        let mut out = Vec::new();
        write_csv(&mut out, &columns, true).expect("room");
        write_csv(&mut out, &[Column::new("a", vec![0.5])], false).expect("room");
        let text = String::from_utf8(out).expect("text");
        let want = "a,b,c\n\"x,y\",true,1.0\n\"say \"\"so\"\"\",false,1e-7\n,true,-2.5e+300\n\"two\nlines\",false,NaN\n0.5\n";
        assert_eq!(text, want);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let uneven = [Column::new("a", vec![1.0]), Column::new("b", vec![1.0, 2.0])];
        let said = write_csv(Vec::new(), &uneven, true);
        assert!(said.is_err_and(|e| e.to_string().contains("column b has 2 rows")));
        let said = write_csv(Vec::new(), &[Column::new("a", vec![vec![1u8]])], true);
        assert!(said.is_err_and(|e| e.to_string().contains("lists")));
    }
}
