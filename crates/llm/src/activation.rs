//! Functions of the numbers of a vector, as `torch.nn` has them with the defaults of their classes.

use trillm_core::Activation;

/// Applies a function to a vector, in double precision: it is done once for each.
pub(crate) fn apply(activation: Activation, vector: &mut [f32]) {
    match activation {
        Activation::Softmax => soft(vector, 1.0, f64::exp),
        Activation::Softmin => soft(vector, -1.0, f64::exp),
        Activation::LogSoftmax => soft(vector, 1.0, |x| x),
        _ => vector.iter_mut().for_each(|x| *x = of_one(activation, f64::from(*x)) as f32),
    }
}

/// What each number is, as a logarithm, of the sum of all; of a list of vectors torch takes each by itself.
fn soft(vector: &mut [f32], sign: f64, given: impl Fn(f64) -> f64) {
    let numbers = || vector.iter().map(|x| sign * f64::from(*x));
    let largest = numbers().fold(f64::NEG_INFINITY, f64::max);
    let whole = largest + numbers().map(|x| (x - largest).exp()).sum::<f64>().ln();
    for x in vector {
        *x = given(sign * f64::from(*x) - whole) as f32;
    }
}

/// A function that takes each number by itself.
fn of_one(activation: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    // torch stops here, where the two differ by less than 32 bits can tell.
    let softplus = |x: f64| if x > 20.0 { x } else { x.exp().ln_1p() };
    match activation {
        // The soft ones are none of one number.
        Activation::Identity | Activation::Softmax | Activation::Softmin | Activation::LogSoftmax => x,
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
        // Outside of training the slope is the middle of those it draws from, 1/8 and 1/3.
        Activation::RReLU => {
            if x > 0.0 {
                x
            } else {
                x * (11.0 / 48.0)
            }
        }
    }
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
            (Activation::RReLU, [-1.604_167, -0.687_5, -0.229_166_7, -0.091_666_67, 0.0, 0.4, 1.0, 3.0, 7.0]),
            (
                Activation::Softmax,
                [
                    8.119_926e-7,
                    4.433_329e-5,
                    0.000_327_581_2,
                    0.000_596_891_8,
                    0.000_890_458,
                    0.001_328_407,
                    0.002_420_516,
                    0.017_885_33,
                    0.976_505_8,
                ],
            ),
        ] {
            let mut vector = inputs;
            apply(activation, &mut vector);
            for ((x, found), expected) in inputs.into_iter().zip(vector).zip(expected) {
                assert!((found - expected).abs() <= 1e-6 * expected.abs().max(0.1), "{activation:?}({x}): {found}");
            }
        }
    }
}
