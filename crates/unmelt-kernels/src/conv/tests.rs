use super::*;
use crate::test_numbers::tensor;
use burn::tensor::Device;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Case {
    x: [usize; 5],
    out: usize,
    kernel: [usize; 3],
    step: ConvStep,
    groups: usize,
    silu: bool,
    bias_per_sample: bool,
}

type Conv = fn(Tensor<5>, Option<&ConvNorm>, &ConvWeights, ConvStep) -> Tensor<5>;

/// What is convolved in a case.
fn operands(case: Case, device: &Device) -> composed::Composed {
    let c = case.x[4];
    let [kd, kh, kw] = case.kernel;
    let rows = if case.bias_per_sample { case.x[0] } else { 1 };
    composed::Composed {
        x: tensor(1, case.x, device),
        scale: tensor(2, [c], device),
        shift: tensor(3, [c], device),
        kernel: tensor(4, [case.out, c, kd, kh, kw], device),
        bias: tensor(5, [rows, case.out], device),
        // A group of one element has no variance; a tiny ε would leave nothing of it but magnified rounding.
        norm: NormSetting { groups: case.groups, epsilon: 1e-2, silu: case.silu },
        step: case.step,
    }
}

/// Output, and gradients of x, scale, shift, kernel and bias.
fn run(conv: Conv, case: Case) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let composed::Composed { x, scale, shift, kernel, bias, norm, .. } = operands(case, &device);
    let NormSetting { groups, epsilon, silu } = norm;
    let norm = ConvNorm { scale, shift, groups: groups.max(1), epsilon, silu };
    let weights = ConvWeights { kernel, bias };
    let norm = (case.groups > 0).then_some(norm);
    let y = conv(x.clone(), norm.as_ref(), &weights, case.step);
    let score = tensor(6, y.dims(), &device).detach();
    let grads = (y.clone() * score).sum().backward();
    let mut out = vec![list(y), list(x.grad(&grads).expect("tracked"))];
    if let Some(norm) = norm {
        out.push(list(norm.scale.grad(&grads).expect("tracked")));
        out.push(list(norm.shift.grad(&grads).expect("tracked")));
    }
    out.push(list(weights.kernel.grad(&grads).expect("tracked")));
    out.push(list(weights.bias.grad(&grads).expect("tracked")));
    out
}

fn list<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec::<f32>().expect("f32")
}

/// The same by the composition, forwards and backwards without automatic differentiation.
fn run_composed(case: Case) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let composed = operands(case, &device);
    let y = composed.forward();
    let gradients = composed.backward(tensor(6, y.dims(), &device), true);
    let mut out = vec![list(y), list(gradients.x.expect("asked for"))];
    out.extend(gradients.norm.into_iter().flatten().map(list));
    out.extend([list(gradients.kernel), list(gradients.bias)]);
    out
}

fn agree(case: Case) {
    let plain = run(conv_plain, case);
    close(case, &run(conv, case), &plain);
    close(case, &run_composed(case), &plain);
}

fn close(case: Case, got: &[Vec<f32>], plain: &[Vec<f32>]) {
    assert_eq!(got.len(), plain.len());
    for (part, (a, b)) in got.iter().zip(plain).enumerate() {
        // Numbers of size 1 go in: sums of them that cancel are no more exact than that. The gradients of the parameters, all but
        // the first two parts, are sums over all voxels.
        let least = if part < 2 { 2e-2f32 } else { 0.2 };
        let scale = b.iter().fold(least, |m, v| m.max(v.abs()));
        assert_eq!(a.len(), b.len(), "part {part} of {case:?}");
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-4 * scale, "part {part} is off by {worst} of {scale} in {case:?}");
    }
}

/// Sizes, stride and upsampling of one to three dimensions.
fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1usize..3, 1usize..8, 1usize..9, 1usize..12);
    let kinds = (1usize..4, any::<bool>(), 0usize..3, any::<bool>(), any::<bool>());
    let channels = (0usize..4, 1usize..5, prop::sample::select(vec![1usize, 2, 5, 16, 17]));
    (sizes, kinds, channels).prop_map(
        |((n, d, h, w), (dims, wide, kind, silu, per_sample), (g, per, out))| {
            let x = [n, if dims > 2 { d } else { 1 }, if dims > 1 { h } else { 1 }, w, g.max(1) * per];
            let of = |yes: bool, value: usize| if yes { value } else { 1 };
            let along = |value: usize| [of(dims > 2, value), of(dims > 1, value), value];
            Case {
                x,
                out,
                kernel: along(if wide { 3 } else { 1 }),
                step: ConvStep {
                    stride: along(if kind == 1 && wide { 2 } else { 1 }),
                    upsample: along(if kind == 2 { 2 } else { 1 }),
                },
                groups: g,
                silu,
                bias_per_sample: per_sample,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn fused_equals_plain_with_gradients(case in cases()) {
        agree(case);
    }
}

/// Of so many channels that minimal filtering pays, in one to three dimensions, with odd sizes and channels.
fn wide_cases() -> impl Strategy<Value = Case> {
    (cases(), 0usize..5, 24usize..45).prop_map(|(case, more, out)| {
        let per = (24 + more).div_ceil(case.groups.max(1));
        let [n, d, h, w, _] = case.x;
        Case { x: [n, d, h, w, case.groups.max(1) * per], out, ..case }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn fused_equals_plain_with_many_channels(case in wide_cases()) {
        agree(case);
    }
}

#[test]
fn several_tiles_and_a_view_agree() {
    let step = ConvStep::PLAIN;
    let base = Case {
        x: [2, 5, 33, 40, 8],
        out: 16,
        kernel: [3; 3],
        step,
        groups: 4,
        silu: true,
        bias_per_sample: true,
    };
    agree(base);
    agree(Case { step: ConvStep { stride: [2; 3], upsample: [1; 3] }, ..base });
    agree(Case { step: ConvStep { stride: [1; 3], upsample: [2; 3] }, ..base });
    agree(Case { x: [2, 9, 13, 18, 32], out: 40, ..base });

    let device = Device::flex();
    let x = tensor(1, [2, 8, 4, 5, 6], &device).permute([0, 2, 3, 4, 1]);
    let weights =
        ConvWeights { kernel: tensor(2, [3, 8, 3, 3, 3], &device), bias: tensor(3, [1, 3], &device) };
    let (a, b) = (conv(x.clone(), None, &weights, step), conv_plain(x, None, &weights, step));
    assert!((a - b).abs().max().into_scalar::<f32>() < 1e-4);
}

/// Group norm of channels whose spread is a thousandth of their mean.
#[test]
fn norm_keeps_its_digits_far_from_zero() {
    let device = Device::flex();
    let x = tensor::<5>(1, [1, 4, 8, 8, 4], &device) * 0.5 + 500.0;
    let norm = ConvNorm {
        scale: Tensor::ones([4], &device),
        shift: Tensor::zeros([4], &device),
        groups: 2,
        epsilon: 1e-6,
        silu: false,
    };
    let eye = Tensor::<2>::eye(4, &device).reshape([4, 4, 1, 1, 1]);
    let weights = ConvWeights { kernel: eye, bias: Tensor::zeros([1, 4], &device) };
    let y = conv(x, Some(&norm), &weights, ConvStep::PLAIN);
    let square = y.powi_scalar(2).mean().into_scalar::<f32>();
    assert!((square - 1.0).abs() < 1e-2, "mean square {square}");
}
