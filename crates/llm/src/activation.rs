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
        Activation::ELU => {
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
    };
    y as f32
}
