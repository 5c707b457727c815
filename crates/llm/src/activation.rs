//! Functions of one number, as `torch.nn` has them with the defaults of their classes.

use trillm_core::Activation;

/// Computed in double precision: it is done once for each number of a vector.
pub(crate) fn apply(activation: Activation, x: f32) -> f32 {
    let x = f64::from(x);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    // torch stops here, where the two differ by less than 32 bits can tell.
    let softplus = |x: f64| if x > 20.0 { x } else { x.exp().ln_1p() };
    let y = match activation {
        Activation::Identity => x,
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => sigmoid(x),
        Activation::ReLU => x.max(0.0),
        Activation::LeakyReLU => {
            if x > 0.0 {
                x
            } else {
                0.01 * x
            }
        }
        // Of CELU's parameter, with which it differs from ELU, the default is 1.
        Activation::ELU | Activation::CELU => {
            if x > 0.0 {
                x
            } else {
                x.exp_m1()
            }
        }
        Activation::SELU => {
            // The two numbers for which mean and deviation stay as they are (Klambauer et al. 2017).
            let (alpha, scale) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);
            scale * if x > 0.0 { x } else { alpha * x.exp_m1() }
        }
        Activation::GELU => 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        Activation::SiLU => x * sigmoid(x),
        Activation::Mish => x * softplus(x).tanh(),
        Activation::Softplus => softplus(x),
        Activation::Softsign => x / (1.0 + x.abs()),
        Activation::Hardtanh => x.clamp(-1.0, 1.0),
        Activation::LogSigmoid => -softplus(-x),
        Activation::Hardswish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::ReLU6 => x.clamp(0.0, 6.0),
        Activation::Hardsigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Tanhshrink => x - x.tanh(),
        Activation::Softshrink => x - x.clamp(-0.5, 0.5),
        Activation::Hardshrink => {
            if x.abs() > 0.5 {
                x
            } else {
                0.0
            }
        }
    };
    y as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As torch 2 computes them; `tests/python/sentences.json` has the others.
    #[test]
    fn functions_are_those_of_torch() {
        let inputs = [-7.0, -3.0, -1.0, -0.4, 0.0, 0.4, 1.0, 3.0, 7.0];
        for (activation, expected) in [
            (
                Activation::LogSigmoid,
                [
                    -7.000_911,
                    -3.048_587,
                    -1.313_262,
                    -0.913_015_2,
                    -std::f32::consts::LN_2,
                    -0.513_015_3,
                    -0.313_261_7,
                    -0.048_587_35,
                    -0.000_911_466_5,
                ],
            ),
            (Activation::Hardswish, [0.0, 0.0, -0.333_333_3, -0.173_333_3, 0.0, 0.226_666_7, 0.666_666_7, 3.0, 7.0]),
            (Activation::CELU, [-0.999_088_1, -0.950_213, -0.632_120_5, -0.329_68, 0.0, 0.4, 1.0, 3.0, 7.0]),
            (Activation::ReLU6, [0.0, 0.0, 0.0, 0.0, 0.0, 0.4, 1.0, 3.0, 6.0]),
            (Activation::Hardsigmoid, [0.0, 0.0, 0.333_333_3, 0.433_333_3, 0.5, 0.566_666_7, 0.666_666_7, 1.0, 1.0]),
            (
                Activation::Tanhshrink,
                [
                    -6.000_002,
                    -2.004_945,
                    -0.238_405_8,
                    -0.020_051_03,
                    0.0,
                    0.020_051_03,
                    0.238_405_8,
                    2.004_945,
                    6.000_002,
                ],
            ),
            (Activation::Softshrink, [-6.5, -2.5, -0.5, 0.0, 0.0, 0.0, 0.5, 2.5, 6.5]),
            (Activation::Hardshrink, [-7.0, -3.0, -1.0, 0.0, 0.0, 0.0, 1.0, 3.0, 7.0]),
        ] {
            for (x, expected) in inputs.into_iter().zip(expected) {
                let found = apply(activation, x);
                assert!((found - expected).abs() <= 1e-6 * expected.abs().max(0.1), "{activation:?}({x}): {found}");
            }
        }
    }
}
