//! Tables of measures.

use std::path::Path;

use unmelt_diffusion::files::AsideFile;
use unmelt_imaging::metrics::{Comparison, Quality};
use unmelt_tables::{Column, ParquetWriter, Values, write_csv};

use crate::{Error, Result};

/// A compared volume with its name.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name.
    pub name: String,
    /// Measures.
    pub comparison: Comparison,
}

/// Writes a table with a row for each volume (`.csv` or `.parquet`).
pub fn write_table(rows: &[Row], path: &Path) -> Result<()> {
    let column = |name: &str, f: &dyn Fn(&Comparison) -> f64| {
        Column::new(name, rows.iter().map(|r| f(&r.comparison)).collect::<Vec<f64>>())
    };
    let names = rows.iter().map(|r| r.name.clone()).collect();
    let mut columns =
        vec![Column::new("volume", Values::Text(names)), column("data_range", &|c| c.data_range)];
    type Part = fn(&Comparison) -> &Quality;
    let parts: [(&str, Part); 2] = [("foreground", |c| &c.foreground), ("whole", |c| &c.whole)];
    for (name, part) in parts {
        columns.push(column(&format!("{name}_psnr"), &|c| part(c).psnr));
        columns.push(column(&format!("{name}_ssim"), &|c| part(c).ssim));
        columns.push(column(&format!("{name}_nmse"), &|c| part(c).nmse));
        columns.push(column(&format!("{name}_hfen"), &|c| part(c).hfen));
    }
    let mut file = AsideFile::create(path)?;
    let written = match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => write_csv(&mut file, &columns, true),
        Some("parquet") => ParquetWriter::new(&mut file, &columns).and_then(|mut table| {
            table.write(&columns)?;
            table.finish(&[]).map(drop)
        }),
        _ => return Err(Error::Request(format!("{} must end in .csv or .parquet", path.display()))),
    };
    written.map_err(Error::file("write", path))?;
    Ok(file.finish()?)
}
