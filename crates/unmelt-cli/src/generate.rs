//! `unmelt molecules generate`.

use std::time::{Duration, Instant};

use unmelt_diffusion::Grid;
use unmelt_diffusion::solver::Solver;
use unmelt_molecules::evaluate::Assessment;
use unmelt_molecules::format::{MoleculeWriter, TableRow, TableWriter};
use unmelt_molecules::{GenerateRequest, Generator, Molecule, models};

use crate::args::Generate;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Bar;

/// What a run has done so far; of the molecules only what the summary needs is kept.
#[derive(Default)]
struct Done {
    count: u64,
    valid_and_connected: u64,
    stable: u64,
}

/// Generates.
pub fn run(args: &Generate) -> Result<(), Failure> {
    let request = request(args)?;
    let end = args.first.checked_add(args.count).filter(|end| *end < 1 << 48).ok_or_else(|| {
        Failure::usage("the numbers of the molecules must stay below 2^48")
            .hint("use a smaller --first or --count")
    })?;
    // Everything that can be wrong is found before the work begins.
    let table_path = args.table.clone().unwrap_or_else(|| args.output.with_extension("csv"));
    let mut output = MoleculeWriter::create(&args.output)?;
    if table_path == args.output {
        return Err(Failure::usage("--table and --output name the same file"));
    }
    let mut table = TableWriter::create(&table_path)?;
    let files = models::find(&args.model)?;
    let device = args.device.open()?;
    let generator = Generator::load(&files, &device)?;
    let evaluations = generator.evaluations(&request)?;
    interrupt::listen();

    let begin = Instant::now();
    let mut bar = Bar::new(args.count * request.steps as u64, "steps");
    let mut done = Done::default();
    let mut next = args.first;
    while next < end && !interrupt::requested() {
        let batch = next..end.min(next + args.batch);
        let size = batch.end - batch.start;
        let mut evaluated = 0;
        let mut tick = || {
            evaluated += 1;
            let share = (evaluated * request.steps as u64 / evaluations as u64).min(request.steps as u64);
            bar.set(done.count * request.steps as u64 + share * size);
            true
        };
        let mut molecules = generator.generate(&request, batch.clone(), &mut tick)?;
        let rows = label(&mut molecules, batch.start, args);
        let written = write_batch(&mut output, &mut table, &molecules, &rows);
        if let Err(error) = written {
            // A table without its molecules would be of no use.
            let rescued = output.rescue() && table.rescue();
            return Err(kept(Failure::from(error).on_the_way(), rescued, args, &done));
        }
        done.add(&rows);
        next = batch.end;
    }
    output.finish()?;
    table.finish()?;
    bar.finish();
    report(args, &done, begin.elapsed(), evaluations);
    Ok(())
}

/// Writes a batch to both files, or says why not; what was written before stays whole.
fn write_batch(
    output: &mut MoleculeWriter,
    table: &mut TableWriter,
    molecules: &[Molecule],
    rows: &[TableRow],
) -> unmelt_molecules::Result<()> {
    output.write(molecules)?;
    table.write(rows)?;
    output.commit()?;
    table.commit()
}

/// A failure to write, with a word on what is left of the work.
fn kept(failure: Failure, rescued: bool, args: &Generate, done: &Done) -> Failure {
    if !rescued {
        return failure;
    }
    failure.hint(format!(
        "the first {} molecules are in {}; the rest: --first {} --count {}",
        done.count,
        args.output.display(),
        args.first + done.count,
        args.count - done.count
    ))
}

fn request(args: &Generate) -> Result<GenerateRequest, Failure> {
    let solver = Solver::from_name(&args.solver)
        .ok_or_else(|| Failure::usage(format!("\"{}\" is no solver", args.solver)))?;
    let grid = Grid::from_name(&args.grid).ok_or_else(|| {
        Failure::usage(format!("\"{}\" is no grid", args.grid))
            .hint("use trailing, karras, logsnr or power:P")
    })?;
    Ok(GenerateRequest { steps: args.steps, solver, grid, seed: args.seed, atoms: args.atoms })
}

/// Names each molecule after its seed and number, and assesses it.
fn label(molecules: &mut [Molecule], first: u64, args: &Generate) -> Vec<TableRow> {
    molecules
        .iter_mut()
        .zip(first..)
        .map(|(molecule, sample)| {
            molecule.name = format!("{} seed {} sample {sample}", args.model, args.seed);
            let assessment = Assessment::of(molecule);
            molecule.fields = vec![
                ("formula".into(), assessment.formula.clone()),
                ("valid".into(), assessment.valid.to_string()),
                ("connected".into(), assessment.connected.to_string()),
                ("stable".into(), assessment.stable().to_string()),
                ("seed".into(), args.seed.to_string()),
                ("sample".into(), sample.to_string()),
            ];
            TableRow { assessment, seed: args.seed, sample }
        })
        .collect()
}

impl Done {
    fn add(&mut self, rows: &[TableRow]) {
        self.count += rows.len() as u64;
        let count = |f: fn(&Assessment) -> bool| rows.iter().filter(|r| f(&r.assessment)).count() as u64;
        self.valid_and_connected += count(|a| a.valid && a.connected);
        self.stable += count(Assessment::stable);
    }
}

fn report(args: &Generate, done: &Done, time: Duration, evaluations: usize) {
    let percent = |n: u64| 100.0 * n as f64 / done.count.max(1) as f64;
    if done.count < args.count {
        println!("Interrupted: {} of {} molecules are done and written.", done.count, args.count);
        println!("The rest: --first {} --count {}", args.first + done.count, args.count - done.count);
    }
    println!(
        "Wrote {} molecules to {} in {:.1} s ({} evaluations each).",
        done.count,
        args.output.display(),
        time.as_secs_f64(),
        evaluations
    );
    if done.count > 0 {
        println!(
            "Valid and connected: {:.1} %. All atoms stable by the EDM protocol: {:.1} %.",
            percent(done.valid_and_connected),
            percent(done.stable)
        );
    }
}
