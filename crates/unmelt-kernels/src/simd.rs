//! Run-time choice of the instruction set, and the elementwise functions that profit from it.

/// Defines `fn name(args)` as three copies of `body` (an `#[inline(always)]` function): AVX-512, AVX2 with
/// FMA, and portable; the best one that the processor has is called.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) = $body:path) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                fn wide($($arg: $ty),*) { $body($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn middle($($arg: $ty),*) { $body($($arg),*) }
                match $crate::simd::level() {
                    // SAFETY: the processor has just been asked for these features.
                    $crate::simd::Level::Avx512 => return unsafe { wide($($arg),*) },
                    // SAFETY: as above.
                    $crate::simd::Level::Avx2 => return unsafe { middle($($arg),*) },
                    $crate::simd::Level::Portable => {}
                }
            }
            $body($($arg),*)
        }
    };
}
pub(crate) use multiversion;

/// The instruction sets that the fused operations are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Avx512,
    Avx2,
    Portable,
}

/// Name of the variable of the environment that limits the instruction set.
const VARIABLE: &str = "UNMELT_SIMD";

/// Whether the environment names an instruction set that there is; if not, a sentence about it. Programs ask before the work
/// begins: the operations themselves take an unknown name for none.
pub fn check_environment() -> Result<(), String> {
    check_name(std::env::var_os(VARIABLE).as_deref())
}

fn check_name(name: Option<&std::ffi::OsStr>) -> Result<(), String> {
    match name {
        None => Ok(()),
        Some(name) if ["", "avx512", "avx2", "portable"].iter().any(|known| *known == name) => Ok(()),
        Some(name) => Err(format!(
            "{VARIABLE} is \"{}\" in the environment; it must be avx512, avx2 or portable, or not be set",
            name.to_string_lossy()
        )),
    }
}

/// The name of the instruction set in use: "avx512", "avx2" or "portable".
pub fn instruction_set() -> &'static str {
    match level() {
        Level::Avx512 => "avx512",
        Level::Avx2 => "avx2",
        Level::Portable => "portable",
    }
}

/// The instruction set in use: the best of the processor, or what `UNMELT_SIMD` (`avx512`, `avx2`,
/// `portable`) limits it to. Read once per process.
pub(crate) fn level() -> Level {
    static LEVEL: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
    *LEVEL.get_or_init(|| {
        let wanted = std::env::var(VARIABLE).unwrap_or_default();
        if wanted != "avx2" && wanted != "portable" && has_avx512() {
            Level::Avx512
        } else if wanted != "portable" && has_avx2() {
            Level::Avx2
        } else {
            Level::Portable
        }
    })
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

/// eˣ to about 1e-7 relative, without branches, so that loops over it vectorise. Inputs are clamped to ±87.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 · 2²³: adding it rounds to an integer
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 87.0 { 87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    p = p * r * r + r + 1.0;
    let exponent = (shifted.to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32);
    f32::from_bits((p.to_bits() as i32).wrapping_add(exponent << 23) as u32)
}

/// Logistic function.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Derivative of SiLU, given x.
#[inline(always)]
pub(crate) fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * (1.0 + x * (1.0 - s))
}

#[inline(always)]
fn silu_body(input: &[f32], output: &mut [f32]) {
    for (y, &x) in output.iter_mut().zip(input) {
        *y = x * sigmoid(x);
    }
}

#[inline(always)]
fn silu_backward_body(input: &[f32], grad: &mut [f32]) {
    for (g, &x) in grad.iter_mut().zip(input) {
        *g *= silu_slope(x);
    }
}

multiversion! {
    /// `output = input · sigmoid(input)`, element by element.
    pub(crate) fn silu(input: &[f32], output: &mut [f32]) = silu_body
}

multiversion! {
    /// `grad *= silu'(input)`, element by element.
    pub(crate) fn silu_backward(input: &[f32], grad: &mut [f32]) = silu_backward_body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_instruction_sets_are_refused() {
        for known in ["", "avx2", "avx512", "portable"] {
            assert_eq!(check_name(Some(known.as_ref())), Ok(()));
        }
        assert_eq!(check_name(None), Ok(()));
        for unknown in ["AVX2", "sse", "avx2 ", "0"] {
            let sentence = check_name(Some(unknown.as_ref())).expect_err("refused");
            assert!(sentence.contains(unknown) && sentence.contains("portable"), "{sentence}");
        }
    }

    #[test]
    fn exp_is_accurate_over_its_range() {
        for i in -8600..=8600 {
            let x = i as f32 * 0.01;
            let exact = (x as f64).exp();
            let error = (exp(x) as f64 - exact).abs() / exact;
            assert!(error < 3e-7, "exp({x}) is off by {error}");
        }
    }

    #[test]
    fn silu_and_its_gradient_match_f64() {
        let x: Vec<f32> = (-200..200).map(|i| i as f32 * 0.1).collect();
        let mut y = vec![0.0; x.len()];
        silu(&x, &mut y);
        let mut g = vec![1.0; x.len()];
        silu_backward(&x, &mut g);
        for i in 0..x.len() {
            let v = x[i] as f64;
            let s = 1.0 / (1.0 + (-v).exp());
            assert!((y[i] as f64 - v * s).abs() < 1e-5);
            assert!((g[i] as f64 - s * (1.0 + v * (1.0 - s))).abs() < 1e-5);
        }
    }
}
