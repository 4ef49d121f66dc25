//! The products that a composed convolution consists of, by the kernels that are fastest on a device.

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, module};

/// The convolution of x `[N, D, H, W, C]` by a kernel `[C', C, kd, kh, kw]`, each k 1 or 3, same padding, without gradients.
pub(super) fn convolve(x: Tensor<5>, kernel: Tensor<5>) -> Tensor<5> {
    let [_, _, kd, kh, kw] = kernel.dims();
    let options = ConvOptions::new([1; 3], [kd / 2, kh / 2, kw / 2], [1; 3], 1);
    #[cfg(feature = "cuda")]
    if crate::is_cuda(&x.device()) {
        return cuda::convolve(x, kernel, options);
    }
    module::conv3d(x.permute([0, 4, 1, 2, 3]), kernel, None, options).permute([0, 2, 3, 4, 1])
}

/// aᵀ·b of each sample, of a `[N, V, K]` and b `[N, V, C]`; `[N, K, C]`.
pub(super) fn correlate(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    #[cfg(feature = "cuda")]
    if crate::is_cuda(&a.device()) {
        return cuda::correlate(a, b);
    }
    a.swap_dims(1, 2).matmul(b)
}

#[cfg(feature = "cuda")]
pub(super) use cuda::primitive;

#[cfg(feature = "cuda")]
mod cuda {
    use burn::backend::Cuda;
    use burn::tensor::Tensor;
    use burn::tensor::ops::ConvOptions;
    use burn_cubecl::cubecl::prelude::Scalar;
    use burn_cubecl::kernel::conv::{ConvStrategy, conv_forward_nhwc};
    use burn_cubecl::ops::numeric::empty_device_dtype;
    use burn_cubecl::tensor::CubeTensor;
    use cubek::convolution::{
        AcceleratedTileKind, ConvAlgorithm, ConvolutionArgs, ConvolutionInputs, Strategy, launch_ref,
    };
    use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems};
    use cubek::matmul::multi_level::Strategy as MultiLevel;
    use cubek::matmul::strategy::Strategy as Product;
    use cubek::std::InputBinding;

    pub(in crate::conv) fn primitive<const D: usize>(x: Tensor<D>) -> CubeTensor {
        x.try_into_primitive::<Cuda>().unwrap_or_else(|_| unreachable!("the tensor lies on a CUDA device"))
    }

    fn elements() -> MatmulElems {
        let f32 = f32::elem_type_native();
        MatmulElems::from_globals(&MatmulGlobalElems { lhs: f32, rhs: f32, out: f32 })
    }

    fn binding(x: CubeTensor) -> InputBinding {
        InputBinding::new(x.binding(), f32::elem_type_native())
    }

    fn empty(like: &CubeTensor, shape: Vec<usize>) -> CubeTensor {
        empty_device_dtype(like.client.clone(), like.device.clone(), shape.into(), like.dtype)
    }

    /// By tensor cores with inputs of 19 bits (TF32), or whatever the device has.
    pub(super) fn convolve(x: Tensor<5>, kernel: Tensor<5>, options: ConvOptions<3>) -> Tensor<5> {
        let [n, d, h, w, _] = x.dims();
        let out = kernel.dims()[0];
        let (x, kernel) = (primitive(x), primitive(kernel.permute([0, 2, 3, 4, 1])));
        let y = empty(&x, vec![n, d, h, w, out]);
        let (algorithm, tile_kind) = (ConvAlgorithm::SimpleSyncStrided, AcceleratedTileKind::Mma);
        let inputs = ConvolutionInputs::Forward {
            input: binding(x.clone()),
            weight: binding(kernel.clone()),
            bias: None,
            out: y.clone().binding(),
        };
        let arguments = ConvolutionArgs {
            stride: options.stride,
            padding: options.padding_begin(),
            dilation: options.dilation,
        };
        let strategy = Strategy::Inferred { algorithm, tile_kind };
        let y = match launch_ref::<3>(&strategy, &x.client.clone(), inputs, arguments, elements()) {
            Ok(()) => y,
            Err(_) => [ConvStrategy::ImplicitGemm, ConvStrategy::Direct]
                .into_iter()
                .find_map(|s| conv_forward_nhwc(x.clone(), kernel.clone(), None, options.clone(), s).ok())
                .unwrap_or_else(|| unreachable!("a direct convolution needs nothing special")),
        };
        Tensor::from_primitive::<Cuda>(y)
    }

    pub(super) fn correlate(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
        let ([n, _, rows], [_, _, columns]) = (a.dims(), b.dims());
        let (left, right) = (primitive(a.clone().swap_dims(1, 2)), primitive(b.clone()));
        let y = empty(&left, vec![n, rows, columns]);
        let strategy = Product::MultiLevel(MultiLevel::DoubleCyclicMma(Default::default()));
        let client = left.client.clone();
        let launched = cubek::matmul::launch::launch_ref(
            &strategy,
            &client,
            binding(left),
            binding(right),
            y.clone().binding(),
            &mut elements(),
        );
        match launched {
            Ok(()) => Tensor::from_primitive::<Cuda>(y),
            Err(_) => a.swap_dims(1, 2).matmul(b),
        }
    }
}
