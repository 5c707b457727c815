//! The function of a feed-forward part: kernels for those that models have, number by number what few have.

use trillm_formats::huggingface::{Activation, Function};
use trillm_kernels::elementwise as each;
use trillm_kernels::simd::Isa;

pub(super) fn apply(isa: Isa, function: Function, row: &mut [f32]) {
    let function: fn(f32) -> f32 = match function {
        Function::Common(Activation::Silu) => return each::silu(isa, row),
        Function::Common(Activation::GeluTanh) => return each::gelu_tanh(isa, row),
        Function::Common(Activation::Gelu) => return each::gelu(isa, row),
        Function::Gelu10 => {
            each::gelu(isa, row);
            |x| x.clamp(-10.0, 10.0)
        }
        Function::Relu => |x| x.max(0.0),
        Function::Tanh => f32::tanh,
        Function::QuickGelu => |x| x / (1.0 + (-1.702 * x).exp()),
        // As torch: beyond 20 the logarithm is x.
        Function::Mish => |x| if x > 20.0 { x } else { x * x.exp().ln_1p().tanh() },
    };
    for x in row {
        *x = function(*x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_those_of_transformers() {
        let inputs = [-12.0, -3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0, 12.0];
        let mish =
            [-7.373_032e-5, -0.145_647_5, -0.303_401_4, -0.129_927, 0.0, 0.169_572_4, 0.865_098_4, 2.986_535, 12.0];
        let quick =
            [-1.618_642e-8, -0.018_071_31, -0.154_204_2, -0.098_800_35, 0.0, 0.151_199_7, 0.845_795_8, 2.981_929, 12.0];
        let gelu_10 = [0.0, -0.004_050_225, -0.158_655_3, -0.100_323_4, 0.0, 0.149_676_6, 0.841_344_7, 2.995_95, 10.0];
        let tanh = [-1.0, -0.995_054_8, -0.761_594_2, -0.244_918_7, 0.0, 0.244_918_7, 0.761_594_2, 0.995_054_8, 1.0];
        for (function, expected) in [
            (Function::Relu, [0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 1.0, 3.0, 12.0]),
            (Function::Tanh, tanh),
            (Function::QuickGelu, quick),
            (Function::Gelu10, gelu_10),
            (Function::Mish, mish),
        ] {
            let mut row = inputs;
            apply(Isa::detect(), function, &mut row);
            for (found, expected) in row.into_iter().zip(expected) {
                assert!((found - expected).abs() < 2e-6, "{function:?}: {found}, expected {expected}");
            }
        }
    }
}
