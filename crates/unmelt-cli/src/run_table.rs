//! A table of a training run: a row for a step, none twice, none of steps that a break undid.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use unmelt_diffusion::files::{AsideFile, read_whole, write_whole};
use unmelt_diffusion::train::Begin;

/// A CSV file of a run, whose header is written with its first row and whose first column is the step.
pub struct RunTable {
    path: PathBuf,
    begin: Begin,
    /// The step of the last row; none before the first.
    last: Option<u64>,
    target: Target,
    fault: Option<String>,
}

/// Where rows go.
enum Target {
    /// There is no file yet.
    None,
    /// To the table, of which so many bytes are whole rows.
    Table(File, u64),
    /// Beside the table of a run that is not replaced yet.
    Aside(AsideFile),
}

impl RunTable {
    /// The table of a run that begins so. Nothing is done to the file yet.
    pub fn new(path: PathBuf, begin: Begin) -> Self {
        Self { path, begin, last: None, target: Target::None, fault: None }
    }

    /// The run has so many steps behind it. Rows of later ones, which a break undid, are taken out, a torn last row with
    /// them.
    pub fn begin_after(&mut self, step: u64) {
        if self.begin != Begin::Resume || !self.path.is_file() {
            return;
        }
        let cut = || {
            let bytes = read_whole(&self.path).map_err(|e| e.to_string())?;
            let (rows, last) = rows_up_to(&String::from_utf8_lossy(&bytes), step);
            if rows.as_bytes() != bytes {
                write_whole(&self.path, rows.as_bytes()).map_err(|e| e.to_string())?;
            }
            Ok(last)
        };
        match cut() {
            Ok(last) => self.last = last,
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Writes the row of a step, unless the table has it. A full disk must not end a training whose checkpoints still fit:
    /// the row is left out then, and [`fault`](Self::fault) says so.
    pub fn write(&mut self, step: u64, columns: &[(&str, String)]) {
        if self.last.is_some_and(|last| step <= last) {
            return;
        }
        let mut text = String::new();
        if self.last.is_none() {
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            text = format!("step,{}\n", names.join(","));
        }
        let values: Vec<&str> = columns.iter().map(|(_, value)| value.as_str()).collect();
        text += &format!("{step},{}\n", values.join(","));
        match self.append(text.as_bytes()) {
            Ok(()) => self.last = Some(step),
            Err(e) => {
                let fault = || format!("{} misses rows, the first of step {step}: {e}", self.path.display());
                self.fault = Some(self.fault.take().unwrap_or_else(fault));
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if let Target::None = self.target {
            self.target = match self.begin {
                Begin::Overwrite => {
                    Target::Aside(AsideFile::create(&self.path).map_err(std::io::Error::other)?)
                }
                Begin::Afresh | Begin::Resume => {
                    if !self.path.exists() {
                        // Written aside, it gets the permissions that the folder's files have.
                        write_whole(&self.path, b"").map_err(std::io::Error::other)?;
                    }
                    let file = OpenOptions::new().append(true).open(&self.path)?;
                    let length = file.metadata()?.len();
                    Target::Table(file, length)
                }
            };
        }
        match &mut self.target {
            Target::None => Ok(()),
            Target::Aside(file) => file.write_all(bytes),
            Target::Table(file, length) => {
                file.write_all(bytes).inspect_err(|_| {
                    // No half of a row stays.
                    let _ = file.set_len(*length);
                })?;
                *length += bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// The first checkpoint of a new run is written: its table replaces that of the run before.
    pub fn replace_old(&mut self) {
        if self.begin != Begin::Overwrite {
            return;
        }
        self.begin = Begin::Afresh;
        match std::mem::replace(&mut self.target, Target::None) {
            Target::Aside(file) => self.fault = file.finish().err().map(|e| e.to_string()),
            _ => {
                let _ = std::fs::remove_file(&self.path);
            }
        }
    }

    /// What the table lacks, if anything, as a sentence.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

/// The header and the whole rows of steps up to this one, each once, and the step of the last.
fn rows_up_to(text: &str, step: u64) -> (String, Option<u64>) {
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let Some(header) = lines.next().filter(|line| line.starts_with("step,")) else {
        return (String::new(), None);
    };
    let columns = header.matches(',').count();
    let (mut rows, mut last) = (String::from(header), None);
    for line in lines.filter(|line| line.matches(',').count() == columns) {
        let number = line.split(',').next().and_then(|word| word.parse::<u64>().ok());
        if let Some(number) = number.filter(|n| *n <= step && last.is_none_or(|l| *n > l)) {
            rows += line;
            last = Some(number);
        }
    }
    if last.is_none() { (String::new(), None) } else { (rows, last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beyond_a_checkpoint_and_torn_rows_are_taken_out() {
        let table = "step,loss\n10,1.0\n20,0.5\n30,0.2\n";
        assert_eq!(rows_up_to(table, 20), ("step,loss\n10,1.0\n20,0.5\n".into(), Some(20)));
        assert_eq!(rows_up_to(table, 35), (table.into(), Some(30)));
        for torn in ["step,loss\n10,1.0\n20,0.", "step,loss\n10,1.0\n2\n", "step,loss\n10,1.0\n10,1.0\n"] {
            assert_eq!(rows_up_to(torn, 99), ("step,loss\n10,1.0\n".into(), Some(10)), "{torn}");
        }
        for none in ["", "step,lo", "step,loss\n10,1.0\n", "\u{0}\n"] {
            assert_eq!(rows_up_to(none, 5), (String::new(), None), "{none}");
        }
    }

    #[test]
    fn a_new_run_replaces_the_table_before_with_its_first_checkpoint() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("losses.csv");
        let read = || std::fs::read_to_string(&path).expect("there");
        let row = |table: &mut RunTable, step| table.write(step, &[("loss", "1".into())]);
        let mut old = RunTable::new(path.clone(), Begin::Afresh);
        old.begin_after(0);
        row(&mut old, 7);
        let mut new = RunTable::new(path.clone(), Begin::Overwrite);
        new.begin_after(0);
        row(&mut new, 1);
        assert_eq!(read(), "step,loss\n7,1\n");
        new.replace_old();
        row(&mut new, 2);
        assert_eq!(read(), "step,loss\n1,1\n2,1\n");
        let mut on = RunTable::new(path.clone(), Begin::Resume);
        on.begin_after(1);
        (1..4).for_each(|step| row(&mut on, step));
        assert_eq!(read(), "step,loss\n1,1\n2,1\n3,1\n");
        assert!(on.fault().is_none() && new.fault().is_none());
    }
}
