//! What happens between products, of every length and instruction set, against double precision.

use half::{bf16, f16};
use trillm_kernels::Weights;
use trillm_kernels::elementwise as each;
use trillm_kernels::simd::Isa;

/// `count` numbers from -`size` to `size` that look random.
fn numbers(count: usize, size: f32, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| size * next()).collect()
}

/// Every instruction set with lengths around whole vectors, and a long one.
fn cases() -> impl Iterator<Item = (Isa, usize)> {
    let lengths = || (0..40).chain([64, 172, 576, 1000]);
    Isa::available().into_iter().flat_map(move |isa| lengths().map(move |length| (isa, length)))
}

#[track_caller]
fn close(found: f32, expected: f64, within: f64) {
    assert!((f64::from(found) - expected).abs() <= within, "{found}, expected {expected} within {within:e}");
}

/// The error function: its series, which converges everywhere and is exact enough below 4 in double precision.
fn erf(x: f64) -> f64 {
    if x.abs() > 4.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn gelu(x: f64) -> f64 {
    x * (1.0 + erf(x / std::f64::consts::SQRT_2)) / 2.0
}

fn gelu_tanh(x: f64) -> f64 {
    x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh()) / 2.0
}

type InPlace = fn(Isa, &mut [f32]);
type Gated = fn(Isa, &[f32], &[f32], &mut [f32]);
type Reference = fn(f64) -> f64;

#[test]
fn activations() {
    let all: [(InPlace, Gated, Reference); 3] = [
        (each::silu, each::silu_mul, silu),
        (each::gelu, each::gelu_mul, gelu),
        (each::gelu_tanh, each::gelu_tanh_mul, gelu_tanh),
    ];
    for (isa, length) in cases() {
        let (x, up) = (numbers(length, 12.0, 1), numbers(length, 2.0, 2));
        for (in_place, gated, reference) in all {
            let (mut alone, mut out) = (x.clone(), vec![f32::NAN; length]);
            in_place(isa, &mut alone);
            gated(isa, &x, &up, &mut out);
            for i in 0..length {
                let expected = reference(f64::from(x[i]));
                close(alone[i], expected, 4e-7 * f64::from(x[i].abs()));
                close(out[i], expected * f64::from(up[i]), 4e-7 * f64::from((x[i] * up[i]).abs()));
            }
        }
    }
}

#[test]
fn activations_of_large_numbers() {
    for isa in Isa::available() {
        for function in [each::silu, each::gelu, each::gelu_tanh] {
            let mut values = [-1e30, -200.0, 200.0, 1e10, f32::NAN];
            function(isa, &mut values);
            close(values[0], 0.0, 1e-30);
            close(values[1], 0.0, 1e-30);
            close(values[2], 200.0, 1e-4);
            close(values[3], 1e10, 1e3);
            assert!(values[4].is_nan());
        }
    }
}

#[test]
fn sums_and_caps() {
    for (isa, length) in cases() {
        let (from, to) = (numbers(length, 3.0, 3), numbers(length, 3.0, 4));
        let (mut added, mut capped) = (to.clone(), to.iter().map(|v| v * 30.0).collect::<Vec<_>>());
        each::add_scaled(isa, &from, 0.75, &mut added);
        each::soft_cap(isa, &mut capped, 30.0);
        for i in 0..length {
            close(added[i], f64::from(to[i]) + 0.75 * f64::from(from[i]), 1e-6);
            close(capped[i], 30.0 * f64::from(to[i]).tanh(), 1e-5);
        }
    }
}

#[test]
fn norms() {
    for (isa, length) in cases() {
        let (x, weight, bias) = (numbers(length, 3.0, 5), numbers(length, 1.5, 6), numbers(length, 1.0, 7));
        let epsilon = 1e-5;
        let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        let count = length as f64;
        let mean = wide.iter().sum::<f64>() / count;
        let squares = wide.iter().map(|x| x * x).sum::<f64>() / count;
        let variance = wide.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let mut out = vec![f32::NAN; length];
        each::rms_norm(isa, &x, &weight, epsilon, &mut out);
        let (mut rms, mut layer) = (x.clone(), x.clone());
        each::rms_norm_in_place(isa, &mut rms, &weight, epsilon);
        each::layer_norm_in_place(isa, &mut layer, &weight, &bias, epsilon);
        for i in 0..length {
            let expected = wide[i] / (squares + f64::from(epsilon)).sqrt() * f64::from(weight[i]);
            close(out[i], expected, 2e-6);
            assert_eq!(out[i].to_bits(), rms[i].to_bits());
            if length > 1 {
                let value = (wide[i] - mean) / (variance + f64::from(epsilon)).sqrt();
                close(layer[i], value * f64::from(weight[i]) + f64::from(bias[i]), 5e-6);
            }
        }
    }
}

#[test]
fn rotations() {
    for (isa, half) in cases() {
        let angles = numbers(half, 3.0, 8);
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|angle| (angle.cos(), angle.sin())).unzip();
        // Three more that are not turned.
        let head = numbers(2 * half + 3, 2.0, 9);
        let mut turned = head.clone();
        each::rotate(isa, &mut turned, &cos, &sin);
        for i in 0..half {
            let (x, y) = (f64::from(head[i]), f64::from(head[half + i]));
            let (sin, cos) = f64::from(angles[i]).sin_cos();
            close(turned[i], x * cos - y * sin, 1e-6);
            close(turned[half + i], x * sin + y * cos, 1e-6);
        }
        assert_eq!(turned[2 * half..], head[2 * half..]);
    }
}

#[test]
fn widening_is_exact() {
    for (isa, length) in cases() {
        let values = numbers(length, 100.0, 10);
        let half: Vec<f16> = values.iter().map(|v| f16::from_f32(*v)).collect();
        let brain: Vec<bf16> = values.iter().map(|v| bf16::from_f32(*v)).collect();
        let mut out = vec![f32::NAN; length];
        each::widen(isa, Weights::F32(&values), &mut out);
        assert_eq!(out, values);
        let bits: Vec<u16> = half.iter().map(|v| v.to_bits()).collect();
        each::widen(isa, Weights::F16(&bits), &mut out);
        assert!(out.iter().zip(&half).all(|(out, half)| out.to_bits() == half.to_f32().to_bits()));
        let bits: Vec<u16> = brain.iter().map(|v| v.to_bits()).collect();
        each::widen(isa, Weights::Bf16(&bits), &mut out);
        assert!(out.iter().zip(&brain).all(|(out, brain)| out.to_bits() == brain.to_f32().to_bits()));
    }
}

#[test]
#[should_panic(expected = "3 numbers and 4, expected as many")]
fn lengths_that_differ_are_refused() {
    each::add_scaled(Isa::detect(), &[0.0; 3], 1.0, &mut [0.0; 4]);
}
