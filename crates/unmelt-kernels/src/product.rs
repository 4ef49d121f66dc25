//! Products of row-major matrices, and sums over their rows.

use crate::norm::dot;
use crate::simd::multiversion;

/// `out = a·b (+ out)`, row-major: a `[m, k]`, b `[k, n]`, out `[m, n]`.
pub(crate) fn product(out: &mut [f32], a: &[f32], b: &[f32], [m, k, n]: [usize; 3], add: bool) {
    strided(out, a, (k, 1), b, (n, 1), [m, k, n], add);
}

/// `out = a·bᵀ (+ out)`, row-major: a `[m, k]`, b `[n, k]`, out `[m, n]`.
pub(crate) fn product_bt(out: &mut [f32], a: &[f32], b: &[f32], [m, k, n]: [usize; 3], add: bool) {
    strided(out, a, (k, 1), b, (1, k), [m, k, n], add);
}

/// `out += aᵀ·b`, row-major: a `[k, m]`, b `[k, n]`, out `[m, n]`.
pub(crate) fn add_product_at(out: &mut [f32], a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) {
    strided(out, a, (1, m), b, (n, 1), [m, k, n], true);
}

fn strided(
    out: &mut [f32],
    a: &[f32],
    (a_row, a_column): (usize, usize),
    b: &[f32],
    (b_row, b_column): (usize, usize),
    [m, k, n]: [usize; 3],
    add: bool,
) {
    if m == 1 {
        // The product's own path for one row sums in another order; a row must not depend on its company.
        let (a, mut both) = ([a, a].concat(), [&*out, &*out].concat());
        strided(&mut both, &a, (k, 1), b, (b_row, b_column), [2, k, n], add);
        out.copy_from_slice(&both[..n]);
        return;
    }
    assert!(out.len() == m * n && a.len() == m * k && b.len() == k * n, "product shapes");
    let (a, b) =
        (View { data: a, row: a_row, column: a_column }, View { data: b, row: b_row, column: b_column });
    multiply(out, a, b, [m, k, n], add);
}

/// A matrix by its strides; its elements may be used more than once.
#[derive(Clone, Copy)]
struct View<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl View<'_> {
    /// Panics if a matrix of this shape reaches beyond the data.
    fn check(&self, rows: usize, columns: usize) {
        let reach = || (rows - 1) * self.row + (columns - 1) * self.column;
        assert!(rows == 0 || columns == 0 || reach() < self.data.len(), "a matrix within its data");
    }
}

/// `out = a·b (+ out)`: a `[m, k]`, b `[k, n]`, out `[m, n]` row-major.
fn multiply(out: &mut [f32], a: View, b: View, [m, k, n]: [usize; 3], add: bool) {
    assert!(out.len() == m * n, "product shapes");
    a.check(m, k);
    b.check(k, n);
    if n == 1 && a.column == 1 && b.row == 1 {
        // The crate's own path for one column sums each row in an order that depends on how many rows there are.
        return dots(out, a, &b.data[..k], add);
    }
    // SAFETY: the reach of both strided matrices and the length of `out` have just been checked; `out` is exclusive.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            add,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

multiversion! {
    /// `out = a·b (+ out)` for a single column b.
    fn dots(out: &mut [f32], a: View<'_>, b: &[f32], add: bool) = dots_body
}

#[inline(always)]
fn dots_body(out: &mut [f32], a: View<'_>, b: &[f32], add: bool) {
    for (i, out) in out.iter_mut().enumerate() {
        let sum = dot(&a.data[i * a.row..i * a.row + b.len()], b);
        *out = if add { *out + sum } else { sum };
    }
}

/// Rows of a matrix that may overlap in memory: row k is `data[k·stride .. k·stride + width]`.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a> {
    pub data: &'a [f32],
    pub stride: usize,
    pub width: usize,
}

/// `out = windows·b (+ out)`: b `[width, n]`, out `[rows, n]`, row-major.
pub(crate) fn window_product(out: &mut [f32], windows: Windows, b: &[f32], rows: usize, add: bool) {
    let n = b.len() / windows.width;
    let a = View { data: windows.data, row: windows.stride, column: 1 };
    multiply(out, a, View { data: b, row: n, column: 1 }, [rows, windows.width, n], add);
}

/// `out += windowsᵀ·b`: b `[rows, n]`, out `[width, n]`, row-major.
pub(crate) fn add_window_product_at(out: &mut [f32], windows: Windows, b: &[f32], rows: usize) {
    let n = out.len() / windows.width;
    assert!(b.len() == rows * n, "product shapes");
    let a = View { data: windows.data, row: 1, column: windows.stride };
    multiply(out, a, View { data: b, row: n, column: 1 }, [windows.width, rows, n], true);
}

/// Copies `row` into every row.
pub(crate) fn fill_rows(rows: &mut [f32], row: &[f32]) {
    rows.chunks_exact_mut(row.len()).for_each(|r| r.copy_from_slice(row));
}

/// Adds `row` to every row.
pub(crate) fn add_rows(rows: &mut [f32], row: &[f32]) {
    for r in rows.chunks_exact_mut(row.len()) {
        r.iter_mut().zip(row).for_each(|(a, b)| *a += b);
    }
}

multiversion! {
    /// `sums += Σ rows`.
    pub(crate) fn add_column_sums(rows: &[f32], sums: &mut [f32]) = add_column_sums_body
}

#[inline(always)]
fn add_column_sums_body(rows: &[f32], sums: &mut [f32]) {
    for row in rows.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(a, b)| *a += b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_do_not_depend_on_their_company() {
        for (k, n) in [(2, 1), (8, 1), (20, 1), (64, 1), (256, 1), (2, 8), (7, 8), (8, 3), (24, 24), (64, 16)]
        {
            let value = |i: usize| ((i * 37 + 11) % 101) as f32 / 17.0 - 3.0;
            let b: Vec<f32> = (0..k * n).map(value).collect();
            let a: Vec<f32> = (0..300 * k).map(|i| value(i + 5)).collect();
            let of = |m: usize| {
                let mut out = vec![0.0; m * n];
                product(&mut out, &a[..m * k], &b, [m, k, n], false);
                out
            };
            let all = of(300);
            for m in (1..70).chain([127, 128, 129, 255, 256, 299]) {
                assert!(of(m) == all[..m * n], "{m} rows of {k} by {n}");
            }
        }
    }
}
