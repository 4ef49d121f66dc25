//! The numbers of the multistep solvers.

use super::{SecondOrder, UniPcB};

/// Solves a small linear system by elimination with pivoting.
pub(super) fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap_or(k);
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in k + 1..n {
            let factor = a[i][k] / a[k][k];
            let pivot_row = a[k].clone();
            a[i].iter_mut().zip(pivot_row).skip(k).for_each(|(x, p)| *x -= factor * p);
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        let rest: f64 = (k + 1..n).map(|j| a[k][j] * b[j]).sum();
        b[k] = (b[k] - rest) / a[k][k];
    }
    b
}

/// ∫ of the j-th Lagrange polynomial through `nodes` from `a` to `b`, exact up to seven nodes.
pub(super) fn lagrange_integral(nodes: &[f64], j: usize, a: f64, b: f64) -> f64 {
    // Gauss–Legendre with four points.
    const POINTS: [(f64, f64); 2] = [
        (0.339_981_043_584_856_26, 0.652_145_154_862_546_1),
        (0.861_136_311_594_052_6, 0.347_854_845_137_453_85),
    ];
    let value = |x: f64| -> f64 {
        nodes
            .iter()
            .enumerate()
            .filter(|(k, _)| *k != j)
            .map(|(_, node)| (x - node) / (nodes[j] - node))
            .product()
    };
    let (middle, half) = (0.5 * (a + b), 0.5 * (b - a));
    half * POINTS.iter().map(|(x, w)| w * (value(middle - half * x) + value(middle + half * x))).sum::<f64>()
}

/// Split of a step from σ to σ' into a deterministic part down to the first number and noise of the second.
pub(super) fn ancestral_split(from: f64, to: f64, eta: f64) -> (f64, f64) {
    if eta == 0.0 || to == 0.0 {
        return (to, 0.0);
    }
    let up = (eta * (to * to * (from * from - to * to) / (from * from)).sqrt()).min(to);
    ((to * to - up * up).sqrt(), up)
}

/// Weight of the first difference in a second-order step of length H = h(1 + η), over α.
pub(super) fn second_order_weight(form: SecondOrder, h: f64) -> f64 {
    match form {
        SecondOrder::Midpoint => -0.5 * (-h).exp_m1(),
        SecondOrder::Heun => (-h).exp_m1() / h + 1.0,
    }
}

/// UniPC's weights for the differences of a step of length h; `ratios` are (λ_k − λ_0)/h of earlier evaluations.
pub(super) struct UniPcWeights {
    /// e^−h − 1.
    pub first: f64,
    /// B(h).
    pub b: f64,
    /// Predictor weights of the differences to earlier evaluations.
    pub predictor: Vec<f64>,
    /// Corrector weights of the same, then of the difference to the new evaluation.
    pub corrector: Vec<f64>,
}

impl UniPcWeights {
    pub(super) fn new(form: UniPcB, h: f64, ratios: &[f64]) -> Self {
        let order = ratios.len() + 1;
        let first = (-h).exp_m1();
        let b = match form {
            UniPcB::Bh1 => -h,
            UniPcB::Bh2 => first,
        };
        let nodes: Vec<f64> = ratios.iter().copied().chain([1.0]).collect();
        let (mut phi, mut factorial) = (first / -h - 1.0, 1.0);
        let (mut rows, mut right) = (Vec::new(), Vec::new());
        for i in 0..order {
            rows.push(nodes.iter().map(|r| r.powi(i as i32)).collect::<Vec<f64>>());
            right.push(phi * factorial / b);
            factorial *= (i + 2) as f64;
            phi = phi / -h - 1.0 / factorial;
        }
        let predictor = match order {
            1 => Vec::new(),
            2 => vec![0.5],
            _ => {
                let inner = rows[..order - 1].iter().map(|r| r[..order - 1].to_vec()).collect();
                solve(inner, right[..order - 1].to_vec())
            }
        };
        let corrector = if order == 1 { vec![0.5] } else { solve(rows, right) };
        Self { first, b, predictor, corrector }
    }
}
