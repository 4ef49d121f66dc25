//! Unit quaternions of a qform (nifti1.h, method 2).

use nalgebra::{Matrix3, Vector3};

/// Squares of the three stored parts may be over 1 by this much: rounded by the program that wrote them.
const OVER: f64 = 1e-5;

/// The rotation of the stored parts b, c and d; none where they are no part of a unit quaternion.
pub(super) fn rotation([b, c, d]: [f64; 3]) -> Option<Matrix3<f64>> {
    let squares = b * b + c * c + d * d;
    if !squares.is_finite() || squares > 1.0 + OVER {
        return None;
    }
    let length = squares.max(1.0).sqrt();
    let [b, c, d] = [b / length, c / length, d / length];
    let a = (1.0 - squares).max(0.0).sqrt();
    Some(Matrix3::new(
        a * a + b * b - c * c - d * d,
        2.0 * (b * c - a * d),
        2.0 * (b * d + a * c),
        2.0 * (b * c + a * d),
        a * a + c * c - b * b - d * d,
        2.0 * (c * d - a * b),
        2.0 * (b * d - a * c),
        2.0 * (c * d + a * b),
        a * a + d * d - c * c - b * b,
    ))
}

/// The parts b, c and d of a rotation's quaternion whose part a is not negative: in closed form, by the part that is largest, so
/// that turns of 180° are as exact as any (Shepperd 1978; `nifti_mat44_to_quatern` of nifti1_io.c).
pub(super) fn parts(r: &Matrix3<f64>) -> [f64; 3] {
    // Four times the square of each part.
    let squares = [
        1.0 + r[(0, 0)] + r[(1, 1)] + r[(2, 2)],
        1.0 + r[(0, 0)] - r[(1, 1)] - r[(2, 2)],
        1.0 - r[(0, 0)] + r[(1, 1)] - r[(2, 2)],
        1.0 - r[(0, 0)] - r[(1, 1)] + r[(2, 2)],
    ];
    let largest = (1..4).fold(0, |best, k| if squares[k] > squares[best] { k } else { best });
    let root = squares[largest].max(0.0).sqrt();
    let (sum, difference) =
        (|i, j| (r[(i, j)] + r[(j, i)]) / (2.0 * root), |i, j| (r[(i, j)] - r[(j, i)]) / (2.0 * root));
    let own = 0.5 * root;
    let (a, bcd) = match largest {
        0 => (own, [difference(2, 1), difference(0, 2), difference(1, 0)]),
        1 => (difference(2, 1), [own, sum(0, 1), sum(0, 2)]),
        2 => (difference(0, 2), [sum(0, 1), own, sum(1, 2)]),
        _ => (difference(1, 0), [sum(0, 2), sum(1, 2), own]),
    };
    if a < 0.0 { bcd.map(|v: f64| -v) } else { bcd }
}

/// The same in 32 bits. Part a is what the squares of the others leave of 1, which for turns near 180° is little: of the numbers beside
/// the rounded ones those are taken whose rotation is nearest, and whose squares are at most 1, since some readers refuse more.
pub(super) fn parts_in_32_bits(r: &Matrix3<f64>) -> [f64; 3] {
    let near = parts(r).map(|v| {
        let v = v as f32;
        [v, v.next_down(), v.next_up(), v.next_down().next_down(), v.next_up().next_up()].map(f64::from)
    });
    let mut best = ([0.0; 3], f64::INFINITY);
    for k in 0..125 {
        let bcd = [near[0][k % 5], near[1][k / 5 % 5], near[2][k / 25]];
        if Vector3::from(bcd).norm_squared() > 1.0 {
            continue;
        }
        let Some(error) = rotation(bcd).map(|found| (found - r).norm_squared()) else { continue };
        if error < best.1 {
            best = (bcd, error);
        }
    }
    best.0
}

/// The rotation closest to directions that need not be perpendicular, and −1 where they are left-handed: the third direction is
/// turned round then.
pub(super) fn closest(directions: &Matrix3<f64>) -> Option<(Matrix3<f64>, f64)> {
    let svd = directions.svd(true, true);
    let mut rotation = svd.u? * svd.v_t?;
    let handed = if rotation.determinant() < 0.0 { -1.0 } else { 1.0 };
    rotation.column_mut(2).scale_mut(handed);
    Some((rotation, handed))
}

#[cfg(test)]
mod tests {
    use nalgebra::Rotation3;
    use proptest::prelude::*;

    use super::*;

    fn turn(angles: [f64; 3]) -> Matrix3<f64> {
        *Rotation3::from_euler_angles(angles[0], angles[1], angles[2]).matrix()
    }

    proptest! {
        #[test]
        fn a_rotation_comes_back(angles in [-3.2f64..3.2, -3.2f64..3.2, -3.2f64..3.2]) {
            let r = turn(angles);
            let exact = rotation(parts(&r)).expect("a rotation");
            prop_assert!((exact - r).norm() < 1e-7);
            let stored = parts_in_32_bits(&r);
            prop_assert!(Vector3::from(stored).norm_squared() <= 1.0);
            prop_assert!((rotation(stored).expect("a rotation") - r).norm() < 1e-3);
        }
    }

    /// Parts in 32 bits leave a ten-thousandth of a radian open near half turns: 0.03 mm at 10 cm.
    #[test]
    fn half_turns_and_what_is_near_them_come_back() {
        let near = [0.0, 1e-9, 1e-4, 0.01, 0.3];
        for axis in 0..3 {
            for small in near {
                let mut angles = [small, -0.5 * small, 0.25 * small];
                angles[axis] += std::f64::consts::PI;
                let r = turn(angles);
                assert!((rotation(parts(&r)).expect("a rotation") - r).norm() < 1e-7, "{angles:?}");
                assert!(
                    (rotation(parts_in_32_bits(&r)).expect("a rotation") - r).norm() < 1e-3,
                    "{angles:?}"
                );
            }
        }
        // Both half turns of the corners, where no part is the largest.
        for signs in [[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]] {
            let r = Matrix3::from_diagonal(&Vector3::from(signs));
            assert_eq!(rotation(parts_in_32_bits(&r)).expect("a rotation"), r);
        }
    }

    #[test]
    fn rounded_parts_are_taken_and_others_are_not() {
        assert!(rotation([0.600_000_143, 0.0, 0.800_000_131]).is_some());
        assert!(rotation([0.600_03, 0.0, 0.800_04]).is_none());
        assert!(rotation([f64::NAN, 0.0, 0.0]).is_none());
        let turned = rotation([0.600_000_143, 0.0, 0.800_000_131]).expect("a rotation");
        assert!((turned.determinant() - 1.0).abs() < 1e-12);
    }
}
