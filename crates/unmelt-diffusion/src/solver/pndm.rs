//! PNDM (Liu et al. 2022): linear multistep on the network's outputs, through the steps of a discrete model.

use super::walk::{Past, euler};
use crate::target::combine;
use crate::{Level, Real, Target};

/// One evaluation: the timestep that the network is told, and the timesteps that the state then moves between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    at: i64,
    from: i64,
    to: i64,
}

/// One run of PNDM for one sample. The method averages the network's outputs as they are, so it knows their
/// target.
pub struct Pndm<T> {
    moves: Vec<Move>,
    runge_kutta: usize,
    level: Box<dyn Fn(i64) -> Level>,
    target: Target,
    count: usize,
    outputs: Vec<Vec<T>>,
    sum: Vec<T>,
    start: Option<Vec<T>>,
}

impl<T: Real> Pndm<T> {
    /// A run through `timesteps` (noisiest first) that are `stride` apart. `level` gives the level of a timestep,
    /// that of the clean end for one below 0. With `runge_kutta` the first three steps are of fourth order, four
    /// evaluations each; without it the first step is done twice.
    pub fn new(
        timesteps: &[i64],
        stride: i64,
        runge_kutta: bool,
        target: Target,
        level: impl Fn(i64) -> Level + 'static,
    ) -> Self {
        let mut moves = Vec::new();
        let mut first = 0;
        if runge_kutta {
            for &t in timesteps.iter().take(3) {
                let half = t - stride / 2;
                moves.push(Move { at: t, from: t, to: half });
                moves.push(Move { at: half, from: t, to: half });
                moves.push(Move { at: half, from: t, to: t - stride });
                moves.push(Move { at: t - stride, from: t, to: t - stride });
            }
            first = 3.min(timesteps.len());
        } else if let Some(&t) = timesteps.first() {
            moves.push(Move { at: t, from: t, to: t - stride });
            moves.push(Move { at: t - stride, from: t, to: t - stride });
            first = 1;
        }
        let rest = timesteps[first..].iter().map(|&t| Move { at: t, from: t, to: t - stride });
        moves.extend(rest);
        if !runge_kutta && timesteps.len() == 1 {
            moves.truncate(1);
        }
        Self {
            runge_kutta: if runge_kutta { 4 * first } else { 0 },
            moves,
            level: Box::new(level),
            target,
            count: 0,
            outputs: Vec::new(),
            sum: Vec::new(),
            start: None,
        }
    }

    /// Whether all evaluations are done.
    pub fn is_finished(&self) -> bool {
        self.count == self.moves.len()
    }

    /// The timestep of the next evaluation and its level.
    ///
    /// # Panics
    /// If the run is finished.
    pub fn query(&self) -> (i64, Level) {
        let at = self.moves[self.count].at;
        (at, (self.level)(at))
    }

    /// Moves the state on, given the network's output at the last query.
    pub fn answer(&mut self, state: &mut Vec<T>, output: &[T]) {
        let step = self.moves[self.count];
        let (used, base) = if self.count < self.runge_kutta {
            self.runge_kutta_output(state, output)
        } else {
            self.multistep_output(state, output)
        };
        let (from, to) = ((self.level)(step.from), (self.level)(step.to));
        let clean = self.target.clean(&base, &used, from);
        *state = euler(&base, &Past { level: from, clean }, to);
        self.count += 1;
    }

    /// The output to move with, and the state to move from.
    fn runge_kutta_output(&mut self, state: &[T], output: &[T]) -> (Vec<T>, Vec<T>) {
        let stage = self.count % 4;
        if stage == 0 {
            self.outputs.push(output.to_vec());
            self.start = Some(state.to_vec());
            self.sum = vec![T::default(); output.len()];
        }
        let weight = if stage == 0 || stage == 3 { 1.0 / 6.0 } else { 1.0 / 3.0 };
        self.sum = combine(&[(1.0, &self.sum), (weight, output)]);
        let used = if stage == 3 { self.sum.clone() } else { output.to_vec() };
        (used, self.start.clone().unwrap_or_else(|| state.to_vec()))
    }

    fn multistep_output(&mut self, state: &[T], output: &[T]) -> (Vec<T>, Vec<T>) {
        let second_try = self.runge_kutta == 0 && self.count == 1;
        if second_try {
            let used = combine(&[(0.5, output), (0.5, &self.outputs[0])]);
            return (used, self.start.take().unwrap_or_else(|| state.to_vec()));
        }
        self.outputs.push(output.to_vec());
        let e: Vec<&[T]> = self.outputs.iter().rev().map(Vec::as_slice).collect();
        let used = match e.len() {
            1 => e[0].to_vec(),
            2 => combine(&[(1.5, e[0]), (-0.5, e[1])]),
            3 => combine(&[(23.0 / 12.0, e[0]), (-16.0 / 12.0, e[1]), (5.0 / 12.0, e[2])]),
            _ => combine(&[
                (55.0 / 24.0, e[0]),
                (-59.0 / 24.0, e[1]),
                (37.0 / 24.0, e[2]),
                (-9.0 / 24.0, e[3]),
            ]),
        };
        if self.outputs.len() == 1 {
            self.start = Some(state.to_vec());
        }
        if self.outputs.len() > 3 {
            self.outputs.remove(0);
        }
        (used, state.to_vec())
    }
}
