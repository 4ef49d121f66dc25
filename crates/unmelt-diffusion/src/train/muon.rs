//! Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): the momentum of a matrix with all its
//! singular values made about 1, so that rare directions move as much as frequent ones.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use crate::parameters::{Entry, Layout};

/// The parameters that Muon moves: matrices, and kernels as matrices of one row per output channel. Those of one shape are worked on
/// together: there are a few shapes, and a hundred matrices.
#[derive(Clone, Debug, Default)]
pub(super) struct Matrices(Vec<Alike>);

/// Where the matrices of one shape lie in the flat vector.
#[derive(Clone, Debug)]
struct Alike {
    rows: usize,
    columns: usize,
    offsets: Vec<usize>,
}

impl Alike {
    /// The matrices that a vector holds, `[how many, rows, columns]`.
    fn stacked(&self, vector: &Tensor<1>) -> Tensor<3> {
        let size = self.rows * self.columns;
        let matrices = self.offsets.iter().map(|at| vector.clone().slice(*at..at + size)).collect();
        Tensor::cat(matrices, 0).reshape([self.offsets.len(), self.rows, self.columns])
    }

    /// The matrices of a stack as parts of the flat vector.
    fn parts(&self, stack: Tensor<3>) -> impl Iterator<Item = (usize, Tensor<1>)> {
        let size = self.rows * self.columns;
        let flat = stack.reshape([self.offsets.len() * size]);
        let part = move |(k, at): (usize, &usize)| (*at, flat.clone().slice(k * size..(k + 1) * size));
        self.offsets.iter().enumerate().map(part)
    }
}

impl Matrices {
    /// All matrices and kernels of a layout.
    pub fn of(layout: &Layout) -> Self {
        let mut by_shape = BTreeMap::<_, Vec<usize>>::new();
        for (shape, offset) in layout.entries().iter().filter_map(matrix) {
            by_shape.entry(shape).or_default().push(offset);
        }
        Self(
            by_shape.into_iter().map(|([rows, columns], offsets)| Alike { rows, columns, offsets }).collect(),
        )
    }

    /// `update`, AdamW's of the whole vector, with that of every matrix replaced by the orthogonalized `momentum`, as large as
    /// AdamW's are wont to be: a root mean square of 0.2 (Liu et al. 2025, "Muon is scalable for LLM training").
    pub fn orthogonalized(&self, update: Tensor<1>, momentum: &Tensor<1>) -> Tensor<1> {
        let mut moved = BTreeMap::new();
        for alike in &self.0 {
            let size = 0.2 * (alike.rows.max(alike.columns) as f64).sqrt();
            moved.extend(alike.parts(orthogonal(alike.stacked(momentum)).mul_scalar(size)));
        }
        let (mut pieces, mut from) = (Vec::new(), 0);
        let len = update.dims()[0];
        for (offset, part) in moved {
            if offset > from {
                pieces.push(update.clone().slice(from..offset));
            }
            from = offset + part.dims()[0];
            pieces.push(part);
        }
        if from < len {
            pieces.push(update.slice(from..len));
        }
        Tensor::cat(pieces, 0)
    }
}

/// Rows and columns of a parameter that is a matrix, and where it lies.
fn matrix(entry: &Entry) -> Option<([usize; 2], usize)> {
    let rows = *entry.shape.first()?;
    let columns = entry.len() / rows.max(1);
    (entry.shape.len() >= 2 && rows.min(columns) > 1).then_some(([rows, columns], entry.offset))
}

/// Coefficients of the quintic iteration, and how often it is applied: singular values come out between 0.7 and 1.2.
const QUINTIC: [f64; 3] = [3.4445, -4.775, 2.0315];
const ITERATIONS: usize = 5;

/// The nearest matrices with orthonormal rows (or columns, where there are more rows), about, by Newton–Schulz iteration. What
/// the iterations do is gathered in square matrices, so that the long side is gone through twice and not at every one of them.
fn orthogonal(matrices: Tensor<3>) -> Tensor<3> {
    let [count, rows, columns] = matrices.dims();
    if rows > columns {
        return orthogonal(matrices.swap_dims(1, 2)).swap_dims(1, 2);
    }
    let norms = matrices.clone().powi_scalar(2).sum_dim(2).sum_dim(1).sqrt().add_scalar(1e-12);
    let x = matrices / norms;
    let identity = Tensor::<2>::eye(rows, &x.device()).reshape([1, rows, rows]).expand([count, rows, rows]);
    let mut square = x.clone().matmul(x.clone().swap_dims(1, 2));
    let mut gathered = identity.clone();
    let [a, b, c] = QUINTIC;
    for _ in 0..ITERATIONS {
        let polynomial = identity.clone().mul_scalar(a)
            + square.clone().mul_scalar(b)
            + square.clone().matmul(square.clone()).mul_scalar(c);
        square = polynomial.clone().matmul(square).matmul(polynomial.clone());
        gathered = polynomial.matmul(gathered);
    }
    gathered.matmul(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Init, to_vec};
    use crate::{Noise, Stream};
    use burn::tensor::{Device, TensorData};

    #[test]
    fn matrices_become_orthogonal_and_the_rest_stays() {
        let mut layout = Layout::default();
        layout.add("norm", &[3], Init::Ones);
        layout.add("wide", &[4, 2, 3], Init::Zeros);
        layout.add("bias", &[4], Init::Zeros);
        layout.add("tall", &[9, 2], Init::Zeros);
        let mut values = vec![0.0f32; layout.len()];
        Noise::new(1).normal(Stream::new(0, 0, 0), &mut values);
        let vector = Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), &Device::flex());
        let update = vector.clone().mul_scalar(10.0);
        let got = to_vec(Matrices::of(&layout).orthogonalized(update, &vector));
        for (k, v) in values.iter().enumerate().filter(|(k, _)| *k < 3 || (27..31).contains(k)) {
            assert_eq!(got[k], 10.0 * v);
        }
        let gram = |at: usize, [count, stride]: [usize; 2], [len, step]: [usize; 2], scale: f32| {
            for i in 0..count {
                for j in 0..count {
                    let dot: f32 = (0..len)
                        .map(|k| got[at + i * stride + k * step] * got[at + j * stride + k * step])
                        .sum();
                    let dot = dot / (scale * scale);
                    let fine = if i == j { (0.3..1.6).contains(&dot) } else { dot.abs() < 0.4 };
                    assert!(fine, "{i} {j}: {dot}");
                }
            }
        };
        gram(3, [4, 6], [6, 1], 0.2 * 6f32.sqrt());
        gram(31, [2, 1], [9, 2], 0.2 * 3.0);
    }
}
