//! The network of a case: a formula. Its answer is turned into what the case's network predicts and back, as a real
//! one's is, so that the words about prediction and input are used with every formula.

use unmelt_diffusion::{Level, Target, combine};

use crate::case::Case;

enum Kind {
    /// input·t/(t+1).
    Ratio,
    /// The posterior mean for data N(mean, std²).
    Gaussian { mean: f64, std: f64 },
    /// The posterior mean for data half N(+mode, std²), half N(−mode, std²).
    Mixture { mode: f64, std: f64 },
}

/// What the network is given of a state.
enum Input {
    State,
    /// The state over √(1 + σ²).
    Scaled,
    /// The state over √(σ² + σ_data²), with EDM's skip connection.
    Edm(f64),
}

pub struct Model {
    kind: Kind,
    input: Input,
    target: Target,
}

impl Model {
    pub fn new(case: &Case) -> Self {
        let number = |key: &str| case.number(&format!("model/{key}"));
        let says = |key: &str, want: &str| {
            let words = case.maybe_word(&format!("model/{key}"));
            assert!(words.is_none_or(|w| w == want), "unknown words of a model: {words:?}");
        };
        let kind = match case.word("model/kind") {
            "ratio" => {
                says("formula", "output = input * t/(t+1)");
                Kind::Ratio
            }
            "gaussian_oracle" => {
                says("data", "N(mean, std^2) per element");
                Kind::Gaussian { mean: number("mean"), std: number("std") }
            }
            "mixture_oracle" => {
                says("data", "equal mixture of N(+mode, std^2) and N(-mode, std^2) per element");
                Kind::Mixture { mode: number("mode"), std: number("std") }
            }
            other => panic!("unknown model {other}"),
        };
        let input = match case.word("config/model_input") {
            "state" => Input::State,
            "state / sqrt(1 + sigma^2)" => Input::Scaled,
            "state / sqrt(sigma^2 + sigma_data^2)" => Input::Edm(case.number("config/sigma_data")),
            other => panic!("unknown model input {other}"),
        };
        Self { kind, input, target: case.target() }
    }

    /// The predicted clean sample of an oracle.
    fn oracle(&self, x: &[f64], Level { alpha, sigma }: Level) -> Option<Vec<f64>> {
        match self.kind {
            Kind::Ratio => None,
            Kind::Gaussian { mean, std } => {
                let gain = alpha * std * std / (alpha * alpha * std * std + sigma * sigma);
                Some(x.iter().map(|x| mean + gain * (x - alpha * mean)).collect())
            }
            Kind::Mixture { mode: d, std } => {
                let v = alpha * alpha * std * std + sigma * sigma;
                let at =
                    |x: &f64| alpha * std * std * x / v + d * sigma * sigma / v * (alpha * d * x / v).tanh();
                Some(x.iter().map(at).collect())
            }
        }
    }

    fn ratio(input: &[f64], timestep: f64) -> Vec<f64> {
        assert!(timestep.is_finite(), "a timestep for the network");
        input.iter().map(|v| v * (timestep / (timestep + 1.0))).collect()
    }

    /// What a network that sees the whole state answers.
    pub fn output(&self, x: &[f64], level: Level, timestep: f64) -> Vec<f64> {
        match self.oracle(x, level) {
            Some(clean) => self.target.output(x, &clean, level),
            None => Self::ratio(x, timestep),
        }
    }

    /// The predicted clean sample at a state.
    pub fn clean(&self, x: &[f64], level: Level, timestep: f64) -> Vec<f64> {
        match self.input {
            Input::State => self.target.clean(x, &self.output(x, level, timestep), level),
            Input::Scaled => {
                let scaled = Level::variance_preserving(1.0 / (1.0 + level.sigma * level.sigma));
                let input: Vec<f64> = x.iter().map(|v| v * scaled.alpha).collect();
                self.target.clean(&input, &self.output(&input, scaled, timestep), scaled)
            }
            Input::Edm(data) => {
                let s = level.sigma;
                let total = s * s + data * data;
                let sign = match self.target {
                    Target::Epsilon => 1.0,
                    Target::V => -1.0,
                    other => panic!("EDM's network does not predict {other:?}"),
                };
                let (skip, out) = (data * data / total, sign * s * data / total.sqrt());
                let answer = match self.oracle(x, level) {
                    Some(clean) => combine(&[(1.0 / out, &clean), (-skip / out, x)]),
                    None => {
                        let input: Vec<f64> = x.iter().map(|v| v / total.sqrt()).collect();
                        Self::ratio(&input, timestep)
                    }
                };
                combine(&[(skip, x), (out, &answer)])
            }
        }
    }

    /// Where the probability-flow ODE of a Gaussian's posterior mean takes a state.
    pub fn exact_ode(&self, x: &[f64], from: Level, to: Level) -> Vec<f64> {
        let Kind::Gaussian { mean, std } = self.kind else { panic!("an exact ODE of a Gaussian alone") };
        let width = |l: Level| (l.alpha * l.alpha * std * std + l.sigma * l.sigma).sqrt();
        x.iter().map(|x| to.alpha * mean + (x - from.alpha * mean) * width(to) / width(from)).collect()
    }
}
