//! Two sides of one work, taking turns.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;

use crate::server::{Ready, Timed};
use crate::{Args, Failure, work};

/// Times of one side.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// Who.
    pub name: String,
    /// Median of the rounds, in ms.
    pub median_ms: f64,
    /// Fastest and slowest round, in ms.
    pub range_ms: [f64; 2],
    /// Most memory held, in MB.
    pub peak_mb: f64,
    /// The part of it that was not there before the first run.
    pub added_mb: f64,
}

/// The result of one work.
#[derive(Clone, Debug, Serialize)]
pub struct Contest {
    /// Its name.
    pub work: String,
    /// unmelt first.
    pub sides: Vec<Side>,
    /// Largest difference of the other side's output, relative to the largest value.
    pub difference: Option<f64>,
}

/// Differences above this are no agreement.
const TOLERANCE: f64 = 1e-3;

/// Runs a work on both sides; times count only once the outputs agree.
pub fn hold(name: &str, args: &Args) -> Result<Contest, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::system("a temporary folder"))?;
    let [weights, inputs] = work::files(name)?;
    for (file, bytes) in [("weights", weights), ("inputs", inputs)] {
        let path = folder.path().join(format!("{file}.safetensors"));
        std::fs::write(&path, bytes).map_err(Failure::system(path.display().to_string()))?;
    }
    let mut players = vec![Player::unmelt(name, folder.path(), args)?];
    if let Some(python) = &args.peer {
        players.push(Player::peer("PyTorch", python, name, folder.path(), args, false)?);
        if args.device != "cpu" {
            players.push(Player::peer("torch.compile", python, name, folder.path(), args, true)?);
        }
    }
    let mut difference = None;
    for other in &players[1..] {
        let apart = relative_difference(&players[0].ready.check, &other.ready.check);
        if apart.is_nan() || apart > TOLERANCE {
            return Err(Failure::Said(format!(
                "{name}: the outputs of {} differ by {apart:.1e}",
                other.name
            )));
        }
        difference = Some(apart);
    }
    for _ in 0..args.rounds.max(1) {
        for player in &mut players {
            player.run()?;
        }
    }
    Ok(Contest { work: name.into(), sides: players.into_iter().map(Player::finish).collect(), difference })
}

fn relative_difference(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return f64::NAN;
    }
    let largest = a.iter().fold(0.0f32, |m, v| m.max(v.abs())).max(1e-30);
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
    f64::from(apart / largest)
}

/// A process that runs the work when it is told to.
struct Player {
    name: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    ready: Ready,
    times: Vec<f64>,
    peak_mb: f64,
}

impl Player {
    fn unmelt(work: &str, folder: &Path, args: &Args) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::system("this program"))?;
        let mut command = Command::new(program);
        command.args(["serve", work]).arg(folder).arg(&args.device);
        Self::start("unmelt", command, args.threads)
    }

    fn peer(
        name: &str,
        python: &Path,
        work: &str,
        folder: &Path,
        args: &Args,
        compiled: bool,
    ) -> Result<Self, Failure> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/networks.py");
        let mut command = Command::new(python);
        command.args([script, work]).arg(folder).args(["--device", &args.device]);
        command.args(["--threads", &args.threads.to_string()]);
        if compiled {
            command.arg("--compile");
        }
        Self::start(name, command, args.threads)
    }

    fn start(name: &str, mut command: Command, threads: usize) -> Result<Self, Failure> {
        let threads = threads.to_string();
        command.env("RAYON_NUM_THREADS", &threads).env("OMP_NUM_THREADS", &threads);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(Failure::system(format!("{name} does not start")))?;
        let gone = || Failure::Said(format!("{name} has no pipes"));
        let input = child.stdin.take().ok_or_else(gone)?;
        let mut output = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        let ready = hear(&mut output, name)?;
        Ok(Self { name: name.into(), child, input, output, ready, times: Vec::new(), peak_mb: 0.0 })
    }

    fn run(&mut self) -> Result<(), Failure> {
        let told = writeln!(self.input, "run").and_then(|()| self.input.flush());
        told.map_err(Failure::system(format!("{} stopped", self.name)))?;
        let timed: Timed = hear(&mut self.output, &self.name)?;
        self.times.push(timed.ms);
        self.peak_mb = timed.peak_mb;
        Ok(())
    }

    fn finish(mut self) -> Side {
        drop(self.input);
        // What it says at its end does not matter.
        let _ = self.child.wait();
        let [least, median_ms, most] = in_order(self.times);
        Side {
            name: self.name,
            median_ms,
            range_ms: [least, most],
            added_mb: (self.peak_mb - self.ready.idle_mb).max(0.0),
            peak_mb: self.peak_mb,
        }
    }
}

/// The least, the median and the most of some times; there must be one.
pub fn in_order(mut times: Vec<f64>) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    [times[0], times[times.len() / 2], times[times.len() - 1]]
}

fn hear<T: serde::de::DeserializeOwned>(from: &mut impl BufRead, name: &str) -> Result<T, Failure> {
    let mut line = String::new();
    from.read_line(&mut line).map_err(Failure::system(format!("{name} cannot be heard")))?;
    serde_json::from_str(&line)
        .map_err(|_| Failure::Said(format!("{name} did not answer; what it said is above")))
}
