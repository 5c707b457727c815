//! Products of every regime, shape, type and instruction set against sums in double precision.

use half::{bf16, f16};
use proptest::prelude::*;
use trillm_kernels::simd::Isa;
use trillm_kernels::{Compute, Matrix, Weights, multiply};

/// Numbers from -1 to 1 that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }

    fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Type {
    F32,
    F16,
    Bf16,
}

const TYPES: [Type; 3] = [Type::F32, Type::F16, Type::Bf16];

/// Weights as a file has them, and what they mean.
struct Stored {
    singles: Vec<f32>,
    halves: Vec<u16>,
    kind: Type,
}

impl Stored {
    fn new(kind: Type, values: Vec<f32>) -> Self {
        let (halves, singles) = match kind {
            Type::F32 => (Vec::new(), values),
            Type::F16 => values.iter().map(|v| f16::from_f32(*v)).map(|v| (v.to_bits(), v.to_f32())).unzip(),
            Type::Bf16 => values.iter().map(|v| bf16::from_f32(*v)).map(|v| (v.to_bits(), v.to_f32())).unzip(),
        };
        Self { singles, halves, kind }
    }

    fn weights(&self) -> Weights<'_> {
        match self.kind {
            Type::F32 => Weights::F32(&self.singles),
            Type::F16 => Weights::F16(&self.halves),
            Type::Bf16 => Weights::Bf16(&self.halves),
        }
    }
}

/// The largest error of a sum of products in single precision, relative to the sum of their magnitudes. Rounding errors
/// are as often up as down, so this does not grow with the number of products.
const TOLERANCE: f64 = 3.0 * f32::EPSILON as f64;

/// Multiplies by parts with `outputs` rows each and compares; returns the outputs.
fn check(compute: &mut Compute, kinds: &[Type], outputs: &[usize], rows: usize, k: usize) -> Vec<f32> {
    let mut numbers = Numbers(7);
    let x = numbers.take(rows * k);
    let stored: Vec<Stored> =
        outputs.iter().zip(kinds.iter().cycle()).map(|(n, kind)| Stored::new(*kind, numbers.take(n * k))).collect();
    let parts: Vec<Matrix<'_>> = stored
        .iter()
        .zip(outputs)
        .map(|(part, rows)| Matrix { weights: part.weights(), rows: *rows, columns: k })
        .collect();
    let width: usize = outputs.iter().sum();
    // What was there before must not matter.
    let mut out = vec![f32::NAN; rows * width];
    multiply(compute, &x, rows, &parts, &mut out);
    for row in 0..rows {
        let x = &x[row * k..(row + 1) * k];
        let mut column = 0;
        for (part, n) in stored.iter().zip(outputs) {
            for output in 0..*n {
                let products = part.singles[output * k..(output + 1) * k]
                    .iter()
                    .zip(x)
                    .map(|(w, x)| f64::from(*w) * f64::from(*x));
                let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
                let error = (f64::from(out[row * width + column]) - sum).abs();
                assert!(
                    error <= TOLERANCE * size,
                    "{} {kinds:?} {rows} rows, k {k}, outputs {outputs:?}: row {row} column {column} is off by {error:e} of {size}",
                    compute.isa.name(),
                );
                column += 1;
            }
        }
    }
    out
}

fn computes() -> Vec<Compute> {
    let threads = [2, 1, 3];
    Isa::available()
        .into_iter()
        .zip(threads.into_iter().cycle())
        .map(|(isa, threads)| Compute::with_isa(threads, isa).expect("threads can be started"))
        .collect()
}

#[test]
fn every_type_and_number_of_rows() {
    for mut compute in computes() {
        for kind in TYPES {
            for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 40, 129] {
                check(&mut compute, &[kind], &[50], rows, 96);
            }
        }
    }
}

#[test]
fn every_tail() {
    for mut compute in computes() {
        for kind in TYPES {
            for k in (1..36).chain([63, 64, 65, 172, 511, 512, 513, 1025]) {
                for rows in [1, 3, 8, 25] {
                    check(&mut compute, &[kind], &[19], rows, k);
                }
            }
            for outputs in 1..70 {
                for rows in [1, 4, 17] {
                    check(&mut compute, &[kind], &[outputs], rows, 33);
                }
            }
        }
    }
}

#[test]
fn shapes_of_real_models() {
    // Queries, keys and values; gate and up; down; the head, cut short.
    let shapes: [(&[usize], usize); 7] = [
        (&[576, 192, 192], 576),
        (&[1536, 1536], 576),
        (&[576], 1536),
        (&[2048], 5632),
        (&[3000], 2048),
        (&[172, 172], 64),
        (&[64], 172),
    ];
    for mut compute in computes() {
        for (outputs, k) in shapes {
            for rows in [1, 8, 33] {
                check(&mut compute, &[Type::Bf16], outputs, rows, k);
            }
        }
    }
}

#[test]
fn parts_may_have_different_types() {
    for mut compute in computes() {
        for rows in [1, 6, 30] {
            check(&mut compute, &TYPES, &[40, 1, 17, 100], rows, 70);
        }
    }
}

#[test]
fn a_row_gives_the_same_whatever_is_beside_it() {
    for mut compute in computes() {
        let (k, outputs) = (1536, 100);
        let all = check(&mut compute, &[Type::Bf16], &[outputs], 40, k);
        let mut numbers = Numbers(7);
        let x = numbers.take(40 * k);
        let stored = Stored::new(Type::Bf16, numbers.take(outputs * k));
        let part = Matrix { weights: stored.weights(), rows: outputs, columns: k };
        for row in [0, 17, 39] {
            let mut alone = vec![0.0; outputs];
            multiply(&mut compute, &x[row * k..(row + 1) * k], 1, &[part], &mut alone);
            // Some 400 in magnitude is added up for each, so this is its last bits.
            for (alone, beside) in alone.iter().zip(&all[row * outputs..]) {
                assert!((alone - beside).abs() < 1e-4, "{alone} alone, {beside} beside others");
            }
        }
    }
}

#[test]
fn nothing_in_nothing_out() {
    let mut compute = Compute::new(2).expect("threads can be started");
    let empty = |rows, columns| Matrix { weights: Weights::F32(&[]), rows, columns };
    multiply(&mut compute, &[], 0, &[], &mut []);
    multiply(&mut compute, &[], 5, &[], &mut []);
    multiply(&mut compute, &[1.0; 4], 2, &[empty(0, 2)], &mut []);
    let mut out = [f32::NAN; 6];
    multiply(&mut compute, &[], 2, &[empty(3, 0)], &mut out);
    assert!(out.iter().all(|value| value.to_bits() == 0));
    // A part without outputs between others.
    let mut out = [0.0; 2];
    let one = Matrix { weights: Weights::F32(&[2.0, 3.0]), rows: 1, columns: 2 };
    multiply(&mut compute, &[1.0, 10.0], 1, &[one, empty(0, 2), one], &mut out);
    assert_eq!(out.map(f32::to_bits), [32.0_f32; 2].map(f32::to_bits));
}

#[test]
fn infinities_and_what_is_not_a_number_pass() {
    for mut compute in computes() {
        for rows in [1, 20] {
            let mut x = vec![1.0; rows * 9];
            x[8] = f32::INFINITY;
            let weights = vec![1.0; 27];
            let part = Matrix { weights: Weights::F32(&weights), rows: 3, columns: 9 };
            let mut out = vec![0.0; rows * 3];
            multiply(&mut compute, &x, rows, &[part], &mut out);
            assert!(out[..3].iter().all(|value| *value == f32::INFINITY));
            x[3] = f32::NAN;
            multiply(&mut compute, &x, rows, &[part], &mut out);
            assert!(out[..3].iter().all(|value| value.is_nan()));
            assert!(out[3..].iter().all(|value| (*value - 9.0).abs() < 1e-6), "other rows are as they were");
        }
    }
}

#[test]
#[should_panic(expected = "19 weights, expected 5 rows of 4")]
fn a_matrix_of_another_size_is_refused() {
    let mut compute = Compute::new(1).expect("threads can be started");
    let part = Matrix { weights: Weights::F32(&[0.0; 19]), rows: 5, columns: 4 };
    multiply(&mut compute, &[0.0; 4], 1, &[part], &mut [0.0; 5]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_shapes(
        kinds in prop::collection::vec(prop::sample::select(&TYPES[..]), 1..4),
        outputs in prop::collection::vec(0_usize..90, 1..5),
        rows in 0_usize..40,
        k in 0_usize..700,
        threads in 1_usize..4,
        isa in prop::sample::select(Isa::available()),
    ) {
        let mut compute = Compute::with_isa(threads, isa).expect("threads can be started");
        check(&mut compute, &kinds, &outputs, rows, k);
    }
}
