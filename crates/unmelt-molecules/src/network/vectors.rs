//! Vectors of atoms and molecules.

use burn::tensor::Tensor;

/// √(|v|² + 1) − 1 of each vector, smooth at zero: `[N, vectors, 3]` to `[N, vectors]`.
pub(super) fn lengths(vectors: Tensor<3>) -> Tensor<2> {
    let square = vectors.powi_scalar(2).sum_dim(2).squeeze_dim::<2>(2);
    (square + 1.0).sqrt() - 1.0
}
