//! `unmelt molecules generate`.

use std::time::{Duration, Instant};

use unmelt_molecules::evaluate::Assessment;
use unmelt_molecules::format::{MoleculeWriter, TableRow, TableWriter};
use unmelt_molecules::{Frame, GenerateRequest, Generator, Molecule, Sieve, models};

use super::args::Generate;
use super::wishes;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// Molecules drawn without a single one kept before a run with filters gives up.
const PATIENCE: u64 = 10_000;

/// What a run has done so far; of the molecules only what the summary needs is kept.
#[derive(Default)]
struct Done {
    drawn: u64,
    kept: u64,
    valid_and_connected: u64,
    stable: u64,
}

/// What a run writes.
struct Outputs {
    molecules: MoleculeWriter,
    table: TableWriter,
    trajectory: Option<MoleculeWriter>,
}

/// Generates.
pub fn run(args: &Generate) -> Result<(), Failure> {
    // Everything that can be wrong is found before the work begins.
    let files = models::find(&args.model)?;
    let device = args.device.open()?;
    let generator = Generator::load(&files, &device)?;
    let request = wishes::request(args, &generator.card().model)?;
    generator.check(&request)?;
    let mut sieve = wishes::sieve(args)?;
    let mut outputs = Outputs::create(args, &request)?;
    let most = if sieve.is_open() { args.count } else { u64::MAX >> 17 };
    let end = args.first.saturating_add(most).min(1 << 48);
    if args.first.checked_add(args.count).is_none_or(|end| end >= 1 << 48) {
        return Err(Failure::usage("the numbers of the molecules must stay below 2^48")
            .hint("use a smaller --first or --count"));
    }
    generator.doubts(&request).iter().for_each(|doubt| eprintln!("warning: {doubt}"));
    let evaluations = generator.evaluations(&request)?;
    interrupt::listen();

    let begin = Instant::now();
    let mut bar = Bar::new(args.count, "molecules");
    let mut done = Done::default();
    while done.kept < args.count && args.first + done.drawn < end && !interrupt::requested() {
        let next = args.first + done.drawn;
        let batch = next..end.min(next + args.batch);
        let before = done.drawn;
        let mut evaluated = 0;
        let mut watch = |frame: &Frame| {
            evaluated += 1;
            if sieve.is_open() {
                bar.set(
                    before
                        + (batch.end - batch.start) * evaluated.min(request.steps as u64)
                            / request.steps as u64,
                );
            }
            outputs.follow(frame, before == 0)
        };
        let mut molecules = generator.generate(&request, batch.clone(), &mut watch)?;
        let rows = label(&mut molecules, batch.start, args, &request);
        let (looked_at, molecules, rows) = keep(molecules, rows, &mut sieve, args.count - done.kept);
        done.drawn += looked_at;
        if let Err(error) = outputs.write(&molecules, &rows) {
            // A table without its molecules would be of no use.
            let rescued = outputs.rescue();
            return Err(kept(Failure::from(error).on_the_way(), rescued, args, &done, before));
        }
        done.add(&rows);
        if !sieve.is_open() {
            bar.set(done.kept);
        }
        if done.kept == 0 && done.drawn >= PATIENCE {
            return Err(Failure::failed(format!("none of {} molecules passes the filters", done.drawn))
                .hint("ask for less with --filter or --contains, or let --formula name the elements"));
        }
    }
    outputs.finish()?;
    bar.finish();
    report(args, &done, begin.elapsed(), evaluations, sieve.is_open());
    Ok(())
}

impl Outputs {
    fn create(args: &Generate, request: &GenerateRequest) -> Result<Self, Failure> {
        let table = args.table.clone().unwrap_or_else(|| args.output.with_extension("csv"));
        let molecules = MoleculeWriter::create(&args.output)?;
        if table == args.output || args.trajectory.as_ref().is_some_and(|t| *t == args.output || *t == table)
        {
            return Err(Failure::usage("--output, --table and --trajectory must name different files"));
        }
        let targets: Vec<&str> = request.targets.iter().map(|(name, _)| name.as_str()).collect();
        let trajectory = args.trajectory.as_deref().map(MoleculeWriter::create).transpose()?;
        Ok(Self { molecules, table: TableWriter::create(&table, &targets)?, trajectory })
    }

    /// Writes a frame of the first molecule of the first batch; says whether to go on.
    fn follow(&mut self, frame: &Frame, first_batch: bool) -> bool {
        let Some(trajectory) = self.trajectory.as_mut().filter(|_| first_batch) else { return true };
        let Ok(Some(mut molecule)) = frame.molecules().map(|m| m.into_iter().next()) else { return true };
        molecule.name = format!("t = {:.4}", frame.time());
        trajectory.write(&[molecule]).is_ok()
    }

    /// Writes a batch, or says why not; what was written before stays whole.
    fn write(&mut self, molecules: &[Molecule], rows: &[TableRow]) -> unmelt_molecules::Result<()> {
        self.molecules.write(molecules)?;
        self.table.write(rows)?;
        self.molecules.commit()?;
        self.table.commit()
    }

    fn rescue(self) -> bool {
        self.molecules.rescue() && self.table.rescue()
    }

    fn finish(self) -> unmelt_molecules::Result<()> {
        self.molecules.finish()?;
        self.table.finish()?;
        self.trajectory.map_or(Ok(()), MoleculeWriter::finish)
    }
}

/// A failure to write, with a word on what is left of the work.
fn kept(failure: Failure, rescued: bool, args: &Generate, done: &Done, before: u64) -> Failure {
    if !rescued {
        return failure;
    }
    failure.hint(format!(
        "the first {} molecules are in {}; the rest: --first {} --count {}",
        done.kept,
        args.output.display(),
        args.first + before,
        args.count - done.kept
    ))
}

/// Names each molecule after its seed and number, and assesses it.
fn label(
    molecules: &mut [Molecule],
    first: u64,
    args: &Generate,
    request: &GenerateRequest,
) -> Vec<TableRow> {
    molecules
        .iter_mut()
        .zip(first..)
        .map(|(molecule, sample)| {
            molecule.name = format!("{} seed {} sample {sample}", args.model, args.seed);
            let assessment = Assessment::of(molecule);
            let field = |name: &str, value: String| (name.to_string(), value);
            molecule.fields = vec![
                field("smiles", assessment.smiles.clone()),
                field("formula", assessment.formula.clone()),
                field("valid", assessment.valid.to_string()),
                field("connected", assessment.connected.to_string()),
                field("stable", assessment.stable().to_string()),
                field("seed", args.seed.to_string()),
                field("sample", sample.to_string()),
            ];
            let targets = request.targets.iter();
            molecule.fields.extend(targets.map(|(n, v)| field(&format!("target_{n}"), v.to_string())));
            TableRow { assessment, seed: args.seed, sample, targets: request.targets.clone() }
        })
        .collect()
}

/// Those that pass the sieve, `most` at most, and how many were looked at.
fn keep(
    molecules: Vec<Molecule>,
    rows: Vec<TableRow>,
    sieve: &mut Sieve,
    most: u64,
) -> (u64, Vec<Molecule>, Vec<TableRow>) {
    let mut kept = (0, Vec::new(), Vec::new());
    for (molecule, row) in molecules.into_iter().zip(rows) {
        if kept.1.len() as u64 == most {
            break;
        }
        kept.0 += 1;
        if sieve.keeps(&molecule, &row.assessment) {
            kept.1.push(molecule);
            kept.2.push(row);
        }
    }
    kept
}

impl Done {
    fn add(&mut self, rows: &[TableRow]) {
        self.kept += rows.len() as u64;
        let count = |f: fn(&Assessment) -> bool| rows.iter().filter(|r| f(&r.assessment)).count() as u64;
        self.valid_and_connected += count(|a| a.valid && a.connected);
        self.stable += count(Assessment::stable);
    }
}

fn report(args: &Generate, done: &Done, time: Duration, evaluations: usize, open: bool) {
    let percent = |n: u64, of: u64| 100.0 * n as f64 / of.max(1) as f64;
    if done.kept < args.count {
        println!("Interrupted: {} of {} molecules are done and written.", done.kept, args.count);
        if open {
            println!("The rest: --first {} --count {}", args.first + done.drawn, args.count - done.kept);
        }
    }
    println!(
        "Wrote {} molecules to {} in {:.1} s ({} evaluations each).",
        done.kept,
        args.output.display(),
        time.as_secs_f64(),
        evaluations
    );
    if !open {
        let share = percent(done.kept, done.drawn);
        println!("{} were drawn; {share:.1} % of them passed the filters.", done.drawn);
    }
    if done.kept > 0 {
        println!(
            "Valid and connected: {:.1} %. All atoms stable by the EDM protocol: {:.1} %.",
            percent(done.valid_and_connected, done.kept),
            percent(done.stable, done.kept)
        );
    }
}
