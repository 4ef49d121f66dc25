//! One run of a solver over a list of levels.

use super::coefficients::{UniPcWeights, ancestral_split, lagrange_integral, second_order_weight};
use super::{Churn, DpmPlusPlus, EndOrder, Solver, ThirdOrder, UniPcB, Variance};
use crate::error::{Error, Result};
use crate::target::{Threshold, combine};
use crate::{Level, Levels, Real};

/// Where within its step the network is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// At the level where the step begins.
    Start,
    /// At a level of its own: between the two, or above the first.
    Between,
    /// At the level where the step ends.
    End,
}

/// What the network is to be asked next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Query {
    /// Number of the step.
    pub step: usize,
    /// Where within it.
    pub place: Place,
    /// The level of the state.
    pub level: Level,
}

impl Query {
    /// The time of the evaluation, in a walk over these times.
    pub fn time(&self, times: &[f64], levels: &Levels) -> f64 {
        match self.place {
            Place::Start => times[self.step],
            Place::End => times[self.step + 1],
            Place::Between => levels.time_of_lambda(self.level.lambda()),
        }
    }
}

/// An evaluation: the level it was made at, and the clean sample it predicted.
#[derive(Clone, Debug)]
pub(super) struct Past<T> {
    pub(super) level: Level,
    pub(super) clean: Vec<T>,
}

/// One run of a solver over levels, for one sample. The noise of a step comes from a function of the step's
/// number, so that it can be a stream of [`Noise`](crate::Noise) or given numbers.
#[derive(Clone, Debug)]
pub struct Walk<T> {
    solver: Solver,
    levels: Vec<Level>,
    threshold: Threshold,
    step: usize,
    /// Between the evaluations of a step: the state at its start, and what the first evaluation said.
    pending: Option<(Vec<T>, Past<T>)>,
    /// The level that the current evaluation is made at.
    asked: Level,
    /// Earlier evaluations, newest first.
    history: Vec<Past<T>>,
    /// UniPC: the state before the last step, for the corrector.
    before: Option<Vec<T>>,
}

/// Noise of a step, standard normal, as long as the state.
pub type StepNoise<'a, T> = &'a mut dyn FnMut(usize) -> Vec<T>;

impl<T: Real> Walk<T> {
    /// A walk over levels, noisiest first.
    pub fn new(solver: Solver, levels: Vec<Level>) -> Result<Self> {
        solver.validate()?;
        if levels.len() < 2 {
            return Err(Error::setting("the number of steps", "at least 1", levels.len().saturating_sub(1)));
        }
        if levels.iter().any(|l| !l.alpha.is_finite() || !l.sigma.is_finite()) {
            return Err(Error::Combination("every noise level must be finite"));
        }
        if levels[..levels.len() - 1].iter().any(|l| l.sigma <= 0.0) {
            return Err(Error::Combination("only the last level can be without noise"));
        }
        let asked = levels[0];
        Ok(Self {
            solver,
            levels,
            threshold: Threshold::None,
            step: 0,
            pending: None,
            asked,
            history: Vec::new(),
            before: None,
        })
    }

    /// The same walk with a bound on predicted clean samples.
    pub fn with_threshold(mut self, threshold: Threshold) -> Self {
        self.threshold = threshold;
        self
    }

    /// Steps done.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.levels.len() - 1
    }

    /// Whether the last step is done.
    pub fn is_finished(&self) -> bool {
        self.step == self.steps()
    }

    fn ends(&self) -> (Level, Level) {
        (self.levels[self.step], self.levels[self.step + 1])
    }

    /// Prepares the state for the next evaluation, and says where it is.
    ///
    /// # Panics
    /// If the walk is finished.
    pub fn query(&mut self, state: &mut Vec<T>, noise: StepNoise<T>) -> Query {
        let (from, to) = self.ends();
        let (level, place) = match (&self.pending, self.solver) {
            (None, Solver::Euler { churn } | Solver::Heun { churn } | Solver::DpmSolver2 { churn }) => {
                self.churn(state, churn, noise)
            }
            (None, _) => (from, Place::Start),
            (Some(_), Solver::Heun { .. }) => (to, Place::End),
            (Some(_), Solver::DpmPlusPlus2S { eta }) => {
                let (down, _) = ancestral_split(from.relative_sigma(), to.relative_sigma(), eta);
                (middle(from, scaled(to, down)), Place::Between)
            }
            (Some(_), _) => (middle(self.asked, to), Place::Between),
        };
        if self.pending.is_none() || place != Place::Start {
            self.asked = level;
        }
        Query { step: self.step, place, level }
    }

    fn churn(&self, state: &mut Vec<T>, churn: Churn, noise: StepNoise<T>) -> (Level, Place) {
        let (from, _) = self.ends();
        let sigma = from.relative_sigma();
        let inside = (churn.from..=churn.to).contains(&sigma);
        let gamma = (churn.amount / self.steps() as f64).min(std::f64::consts::SQRT_2 - 1.0);
        if !inside || gamma <= 0.0 {
            return (from, Place::Start);
        }
        let raised = sigma * (1.0 + gamma);
        let added = (raised * raised - sigma * sigma).sqrt() * churn.noise;
        let level = scaled(from, raised);
        // In units where α = 1 the noise is added as it is.
        let ratio = level.alpha / from.alpha;
        *state = combine(&[(ratio, state), (added * level.alpha, &noise(self.step))]);
        (level, Place::Between)
    }

    /// Moves the state on, given the prediction of the clean sample at the last query.
    ///
    /// # Panics
    /// If the lengths of state and prediction differ.
    pub fn answer(&mut self, state: &mut Vec<T>, clean: &[T], noise: StepNoise<T>) {
        let (_, to) = self.ends();
        let raw = clean;
        let mut clean = clean.to_vec();
        self.threshold.apply(&mut clean);
        let now = Past { level: self.asked, clean };
        let next = match self.solver {
            Solver::Ancestral { variance, final_noise } => {
                Some(ancestral(state, &now, to, variance, final_noise, &mut || noise(self.step)))
            }
            Solver::Ddim { eta } => Some(ddim(state, raw, &now, to, eta, &mut || noise(self.step))),
            Solver::Renoise if to.sigma == 0.0 => Some(combine(&[(to.alpha, &now.clean)])),
            Solver::Renoise => Some(combine(&[(to.alpha, &now.clean), (to.sigma, &noise(self.step))])),
            Solver::DpmPlusPlus(settings) => {
                let order = self.dpm_order(settings);
                let next =
                    dpm_plus_plus(state, &now, &self.history, to, settings, order, &mut || noise(self.step));
                self.remember(now, settings.order);
                Some(next)
            }
            Solver::LinearMultistep { order } => {
                let next = self.linear_multistep(state, &now, to);
                // The method's history is of slopes; keeping the state they were taken at is the same.
                let slope = slope(state, &now);
                self.remember(Past { level: now.level, clean: slope }, order);
                Some(next)
            }
            Solver::UniPc { order, b } => Some(self.unipc(state, now, to, order, b)),
            Solver::Euler { .. } => Some(euler(state, &now, to)),
            Solver::EulerAncestral { eta } => {
                let (down, up) = ancestral_split(now.level.relative_sigma(), to.relative_sigma(), eta);
                Some(self.with_noise(euler(state, &now, scaled(to, down)), scaled(to, down), to, up, noise))
            }
            Solver::Heun { .. } => self.heun(state, now, to),
            Solver::DpmSolver2 { .. } => self.dpm_solver_2(state, now, to),
            Solver::DpmPlusPlus2S { eta } => self.dpm_plus_plus_2s(state, now, to, eta, noise),
        };
        if let Some(next) = next {
            *state = next;
            self.step += 1;
        }
    }

    /// Puts an evaluation in front of the history, which keeps what a method of this order looks back on.
    fn remember(&mut self, past: Past<T>, order: usize) {
        self.history.insert(0, past);
        self.history.truncate(order - 1);
    }

    /// Adds noise of σ `up` (in units where α = 1) to a state at level `down`, which makes it one at level `to`.
    fn with_noise(&self, state: Vec<T>, down: Level, to: Level, up: f64, noise: StepNoise<T>) -> Vec<T> {
        if up == 0.0 {
            return state;
        }
        combine(&[(to.alpha / down.alpha, &state), (up * to.alpha, &noise(self.step))])
    }

    fn dpm_order(&self, settings: DpmPlusPlus) -> usize {
        let left = self.steps() - self.step;
        let order = settings.order.min(self.history.len() + 1);
        match settings.end {
            EndOrder::Full => order,
            EndOrder::LastFirst if left == 1 => 1,
            EndOrder::LastFirst => order,
            EndOrder::Lower => order.min(left),
        }
    }

    fn linear_multistep(&self, state: &[T], now: &Past<T>, to: Level) -> Vec<T> {
        let (a, b) = (coordinate(now.level), coordinate(to));
        let nodes: Vec<f64> =
            [a].into_iter().chain(self.history.iter().map(|p| coordinate(p.level))).collect();
        let scale = scale(now.level);
        let current = slope(state, now);
        let mut terms: Vec<(f64, &[T])> = vec![(1.0 / scale, state)];
        terms.push((lagrange_integral(&nodes, 0, a, b), &current));
        for (j, past) in self.history.iter().enumerate() {
            terms.push((lagrange_integral(&nodes, j + 1, a, b), &past.clean));
        }
        let end = self::scale(to);
        terms.iter_mut().for_each(|(c, _)| *c *= end);
        combine(&terms)
    }

    fn heun(&mut self, state: &mut Vec<T>, now: Past<T>, to: Level) -> Option<Vec<T>> {
        let Some((start, first)) = self.pending.take() else {
            let predicted = euler(state, &now, to);
            if to.sigma == 0.0 {
                return Some(predicted);
            }
            let start = std::mem::replace(state, predicted);
            self.pending = Some((start, now));
            return None;
        };
        let half = 0.5 * (coordinate(to) - coordinate(first.level));
        let (a, b) = (slope(&start, &first), slope(state, &now));
        let end = scale(to);
        Some(combine(&[(end / scale(first.level), &start), (half * end, &a), (half * end, &b)]))
    }

    fn dpm_solver_2(&mut self, state: &mut Vec<T>, now: Past<T>, to: Level) -> Option<Vec<T>> {
        let Some((start, first)) = self.pending.take() else {
            if to.sigma == 0.0 {
                return Some(euler(state, &now, to));
            }
            let half = euler(state, &now, middle(now.level, to));
            let start = std::mem::replace(state, half);
            self.pending = Some((start, now));
            return None;
        };
        let length = coordinate(to) - coordinate(first.level);
        let end = scale(to);
        Some(combine(&[(end / scale(first.level), &start), (length * end, &slope(state, &now))]))
    }

    fn dpm_plus_plus_2s(
        &mut self,
        state: &mut Vec<T>,
        now: Past<T>,
        to: Level,
        eta: f64,
        noise: StepNoise<T>,
    ) -> Option<Vec<T>> {
        let (from, _) = self.ends();
        let (sigma_down, up) = ancestral_split(from.relative_sigma(), to.relative_sigma(), eta);
        let down = scaled(to, sigma_down);
        let Some((start, _)) = self.pending.take() else {
            if down.sigma == 0.0 {
                return Some(euler(state, &now, to));
            }
            let half = euler(state, &now, middle(from, down));
            let start = std::mem::replace(state, half);
            self.pending = Some((start, now));
            return None;
        };
        let ends = Past { level: from, clean: now.clean };
        Some(self.with_noise(euler(&start, &ends, down), down, to, up, noise))
    }

    fn unipc(&mut self, state: &[T], now: Past<T>, to: Level, order: usize, b: UniPcB) -> Vec<T> {
        let corrected = match self.before.take() {
            Some(before) => {
                let used = order.min(self.step).min(self.steps() - (self.step - 1));
                self.unipc_step(&before, now.level, used, b, Some(&now.clean))
            }
            None => state.to_vec(),
        };
        // The order that the next correction looks back on is one more than a prediction's.
        self.history.insert(0, now);
        self.history.truncate(order + 1);
        let used = order.min(self.step + 1).min(self.steps() - self.step);
        let next = self.unipc_step(&corrected, to, used, b, None);
        self.before = Some(corrected);
        next
    }

    /// From the newest evaluation of the history to level `to`; with `new` the corrector, without it the predictor.
    fn unipc_step(&self, state: &[T], to: Level, order: usize, b: UniPcB, new: Option<&[T]>) -> Vec<T> {
        let newest = &self.history[0];
        if to.sigma == 0.0 {
            return combine(&[(to.alpha, &newest.clean)]);
        }
        let (from, lambda) = (newest.level, newest.level.lambda());
        let h = to.lambda() - lambda;
        let earlier = &self.history[1..order.min(self.history.len())];
        let ratios: Vec<f64> = earlier.iter().map(|p| (p.level.lambda() - lambda) / h).collect();
        let weights = UniPcWeights::new(b, h, &ratios);
        let scale = -to.alpha * weights.b;
        let mut of_newest = -to.alpha * weights.first;
        let mut terms: Vec<(f64, &[T])> = vec![(to.sigma / from.sigma, state)];
        let list = if new.is_some() { &weights.corrector } else { &weights.predictor };
        for ((past, ratio), weight) in earlier.iter().zip(&ratios).zip(list) {
            terms.push((scale * weight / ratio, &past.clean));
            of_newest -= scale * weight / ratio;
        }
        if let (Some(new), Some(weight)) = (new, weights.corrector.last()) {
            terms.push((scale * weight, new));
            of_newest -= scale * weight;
        }
        terms.push((of_newest, &newest.clean));
        combine(&terms)
    }
}

/// The posterior q(z_s | z_t, x₀): mean, and noise of its variance or the forward step's.
fn ancestral<T: Real>(
    state: &[T],
    now: &Past<T>,
    to: Level,
    variance: Variance,
    final_noise: bool,
    noise: &mut dyn FnMut() -> Vec<T>,
) -> Vec<T> {
    let from = now.level;
    if to.sigma == 0.0 {
        let spread = if final_noise { to.alpha * from.relative_sigma() } else { 0.0 };
        if spread == 0.0 {
            return combine(&[(to.alpha, &now.clean)]);
        }
        return combine(&[(to.alpha, &now.clean), (spread, &noise())]);
    }
    let ratio = from.alpha / to.alpha;
    let forward = from.sigma.powi(2) - (ratio * to.sigma).powi(2);
    let share = forward / from.sigma.powi(2);
    let spread = match variance {
        Variance::Posterior => (share.max(0.0)).sqrt() * to.sigma,
        Variance::Forward => forward.max(0.0).sqrt(),
    };
    let of_state = ratio * (to.sigma / from.sigma).powi(2);
    combine(&[(of_state, state), (to.alpha * share, &now.clean), (spread, &noise())])
}

fn ddim<T: Real>(
    state: &[T],
    raw: &[T],
    now: &Past<T>,
    to: Level,
    eta: f64,
    noise: &mut dyn FnMut() -> Vec<T>,
) -> Vec<T> {
    let from = now.level;
    let ratio = from.alpha / to.alpha;
    let posterior = (to.sigma / from.sigma).powi(2) * (from.sigma.powi(2) - (ratio * to.sigma).powi(2));
    let spread = eta * posterior.max(0.0).sqrt();
    let towards = (to.sigma.powi(2) - spread * spread).max(0.0).sqrt();
    // ε of the state is that of the prediction before any bound was applied.
    let mut terms = vec![
        (to.alpha, now.clean.as_slice()),
        (towards / from.sigma, state),
        (-towards * from.alpha / from.sigma, raw),
    ];
    let drawn;
    if spread > 0.0 {
        drawn = noise();
        terms.push((spread, &drawn));
    }
    combine(&terms)
}

fn dpm_plus_plus<T: Real>(
    state: &[T],
    now: &Past<T>,
    history: &[Past<T>],
    to: Level,
    settings: DpmPlusPlus,
    order: usize,
    noise: &mut dyn FnMut() -> Vec<T>,
) -> Vec<T> {
    let from = now.level;
    if to.sigma == 0.0 {
        return combine(&[(to.alpha, &now.clean)]);
    }
    let h = to.lambda() - from.lambda();
    if h == 0.0 {
        return state.to_vec();
    }
    let long = h * (1.0 + settings.eta);
    let decay = if settings.eta == 0.0 { 1.0 } else { (-settings.eta * h).exp() };
    // Weights of the newest evaluation and of the two before it, over α.
    let mut weights = [-(-long).exp_m1(), 0.0, 0.0];
    let ratio = |k: usize| {
        let newer = if k == 0 { from } else { history[k - 1].level };
        (newer.lambda() - history[k].level.lambda()) / h
    };
    if order == 2 {
        let weight = second_order_weight(settings.second, long) / ratio(0);
        weights[0] += weight;
        weights[1] -= weight;
    } else if order == 3 {
        let (r0, r1) = (ratio(0), ratio(1));
        let phi_2 = (-long).exp_m1() / long + 1.0;
        let phi_3 = phi_2 / long - 0.5;
        let double = if settings.third == ThirdOrder::Taylor { 2.0 } else { 1.0 };
        // First difference d₁ = d₁₀ + (d₁₀ − d₁₁)·r₀/(r₀ + r₁), second difference d₂ = (d₁₀ − d₁₁)/(r₀ + r₁).
        let of_second = -double * phi_3 / (r0 + r1);
        let of_10 = phi_2 * (1.0 + r0 / (r0 + r1)) + of_second;
        let of_11 = -phi_2 * r0 / (r0 + r1) - of_second;
        weights[0] += of_10 / r0;
        weights[1] += of_11 / r1 - of_10 / r0;
        weights[2] -= of_11 / r1;
    }
    let mut terms: Vec<(f64, &[T])> =
        vec![(to.sigma / from.sigma * decay, state), (to.alpha * weights[0], &now.clean)];
    for (past, weight) in history.iter().zip(&weights[1..order]) {
        terms.push((to.alpha * weight, &past.clean));
    }
    let drawn;
    if settings.eta > 0.0 {
        drawn = noise();
        terms.push((to.sigma * (-(-2.0 * settings.eta * h).exp_m1()).sqrt(), &drawn));
    }
    combine(&terms)
}

/// α'·x₀ + σ'·ε: Euler's step on the probability-flow ODE in any parametrisation.
pub(super) fn euler<T: Real>(state: &[T], now: &Past<T>, to: Level) -> Vec<T> {
    let ratio = to.sigma / now.level.sigma;
    combine(&[(ratio, state), (to.alpha - ratio * now.level.alpha, &now.clean)])
}

/// Whether a level is one of a rectified flow, α + σ = 1, away from its ends.
fn is_flow(level: Level) -> bool {
    (level.alpha + level.sigma - 1.0).abs() < 1e-9 && level.sigma > 0.0
}

/// The ODE's time: σ of a flow, else σ/α.
fn coordinate(level: Level) -> f64 {
    if is_flow(level) { level.sigma } else { level.relative_sigma() }
}

/// What a state is divided by to live in the ODE's coordinate.
fn scale(level: Level) -> f64 {
    if is_flow(level) { 1.0 } else { level.alpha }
}

/// dy/ds = (y − x₀)/s.
fn slope<T: Real>(state: &[T], now: &Past<T>) -> Vec<T> {
    let s = coordinate(now.level);
    combine(&[(1.0 / (s * scale(now.level)), state), (-1.0 / s, &now.clean)])
}

/// The level of the same family as `like` with this σ/α.
fn scaled(like: Level, relative: f64) -> Level {
    if like.alpha == 1.0 {
        Level::variance_exploding(relative)
    } else if is_flow(like) {
        Level::flow(relative / (1.0 + relative))
    } else {
        let alpha = 1.0 / (1.0 + relative * relative).sqrt();
        Level { alpha, sigma: relative * alpha }
    }
}

/// The level halfway in λ between two.
fn middle(a: Level, b: Level) -> Level {
    let family = if b.sigma > 0.0 && b.alpha > 0.0 { b } else { a };
    scaled(family, (a.relative_sigma() * b.relative_sigma()).sqrt())
}
