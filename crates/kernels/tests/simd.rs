//! The vector operations of every instruction set that this machine has, against plain arithmetic.

use half::{bf16, f16};
use trillm_kernels::simd::{Isa, Op, Simd};

/// Applies a function of vectors to numbers, a whole number of vectors of them.
macro_rules! over {
    ($isa:expr, $values:expr, |$simd:ident, $value:ident| $result:expr) => {{
        struct Over<'a>(&'a mut [f32]);
        impl Op for Over<'_> {
            type Out = ();
            fn run<S: Simd<N>, const N: usize>(self, $simd: S) {
                let (whole, rest) = self.0.as_chunks_mut::<N>();
                assert!(rest.is_empty());
                for lanes in whole {
                    let $value = $simd.load(lanes);
                    $simd.store($result, lanes);
                }
            }
        }
        let mut values: Vec<f32> = $values;
        $isa.run(Over(&mut values));
        values
    }};
}

#[expect(clippy::print_stderr, reason = "what was tested depends on the machine")]
fn isas() -> Vec<Isa> {
    let isas = Isa::available();
    eprintln!("instruction sets: {:?}", isas.iter().map(|isa| isa.name()).collect::<Vec<_>>());
    isas
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn the_best_is_the_last_that_is_available() {
    assert_eq!(isas().last(), Some(&Isa::detect()));
    assert_eq!(isas()[0].name(), "portable");
}

#[test]
fn exp_is_right_everywhere() {
    for isa in isas() {
        let inputs: Vec<f32> = (-87_000..88_000).map(|i| i as f32 / 1000.0 + 0.000_37).collect();
        let inputs = inputs[..inputs.len() / 16 * 16].to_vec();
        for (x, found) in inputs.iter().zip(over!(isa, inputs.clone(), |simd, value| simd.exp(value))) {
            let expected = f64::from(*x).exp();
            assert!((f64::from(found) / expected - 1.0).abs() < 2e-7, "{} e^{x}: {found} {expected}", isa.name());
        }
        let mut odd = vec![0.0; 16];
        odd[..6].copy_from_slice(&[f32::NEG_INFINITY, -1e30, -89.0, f32::INFINITY, 1e30, f32::NAN]);
        let found = over!(isa, odd, |simd, value| simd.exp(value));
        assert_eq!(bits(&found[..5]), bits(&[0.0, 0.0, 0.0, f32::INFINITY, f32::INFINITY]), "{}", isa.name());
        assert!(found[5].is_nan());
        assert_eq!(found[6].to_bits(), 1.0_f32.to_bits(), "e^0 is 1");
    }
}

#[test]
fn tanh_is_right_everywhere() {
    for isa in isas() {
        let inputs: Vec<f32> = (-16_000..16_000).map(|i| i as f32 / 1000.0).collect();
        for (x, found) in inputs.iter().zip(over!(isa, inputs.clone(), |simd, value| simd.tanh(value))) {
            assert!((f64::from(found) - f64::from(*x).tanh()).abs() < 2e-7, "{} tanh {x} is {found}", isa.name());
        }
        let odd = [f32::INFINITY, f32::NEG_INFINITY, 500.0, -500.0].repeat(4);
        let found = over!(isa, odd, |simd, value| simd.tanh(value));
        assert_eq!(bits(&found[..4]), bits(&[1.0, -1.0, 1.0, -1.0]));
    }
}

/// Loads all 65536 patterns as one of the formats of 16 bits.
struct Load<'a> {
    bits: &'a [u16],
    out: &'a mut [f32],
    bf16: bool,
}

impl Op for Load<'_> {
    type Out = ();

    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        for (bits, out) in self.bits.as_chunks::<N>().0.iter().zip(self.out.as_chunks_mut::<N>().0) {
            simd.store(if self.bf16 { simd.load_bf16(bits) } else { simd.load_f16(bits) }, out);
        }
    }
}

#[test]
fn every_number_of_16_bits_is_read_exactly() {
    let patterns: Vec<u16> = (0..=u16::MAX).collect();
    for isa in isas() {
        for bf in [true, false] {
            let mut found = vec![0.0; patterns.len()];
            isa.run(Load { bits: &patterns, out: &mut found, bf16: bf });
            for (pattern, found) in patterns.iter().zip(found) {
                let expected = if bf { bf16::from_bits(*pattern).to_f32() } else { f16::from_bits(*pattern).to_f32() };
                let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
                assert!(same, "{} {pattern:#06x} is {found}, expected {expected}", isa.name());
            }
        }
    }
}

struct Store<'a>(&'a [f32], &'a mut [u16]);

impl Op for Store<'_> {
    type Out = ();

    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        for (from, to) in self.0.as_chunks::<N>().0.iter().zip(self.1.as_chunks_mut::<N>().0) {
            simd.store_f16(simd.load(from), to);
        }
    }
}

#[test]
fn half_precision_is_rounded_to_nearest() {
    // Every half, the middle between it and the next, the singles around both, and a sweep of all magnitudes.
    let mut inputs = Vec::new();
    for pattern in 0..=u16::MAX {
        let exact = f16::from_bits(pattern).to_f32().to_bits();
        for bits in [exact, exact.wrapping_sub(1), exact.wrapping_add(1)] {
            inputs.extend([bits, bits.wrapping_add(0x1000), bits.wrapping_sub(0x1000)].map(f32::from_bits));
        }
    }
    inputs.extend((0..1 << 16).map(|i| f32::from_bits(i * 65_521)));
    inputs.resize(inputs.len().next_multiple_of(16), 0.0);
    for isa in isas() {
        let mut found = vec![0; inputs.len()];
        isa.run(Store(&inputs, &mut found));
        for (input, found) in inputs.iter().zip(found) {
            let expected = f16::from_f32(*input);
            let same = found == expected.to_bits() || expected.is_nan() && f16::from_bits(found).is_nan();
            assert!(same, "{} {input:e} ({:#x}) is {found:#06x}, expected {expected}", isa.name(), input.to_bits());
        }
    }
}

struct Shuffle;

impl Op for Shuffle {
    type Out = ();

    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        let mut rows = [simd.zero(); N];
        for (i, row) in rows.iter_mut().enumerate() {
            let mut lanes = [0.0; N];
            for (j, lane) in lanes.iter_mut().enumerate() {
                *lane = (i * N + j) as f32;
            }
            *row = simd.load(&lanes);
        }
        for (j, column) in simd.transpose(rows).into_iter().enumerate() {
            let mut lanes = [0.0; N];
            simd.store(column, &mut lanes);
            for (i, lane) in lanes.into_iter().enumerate() {
                assert_eq!(lane as usize, i * N + j);
            }
        }
        // Whole numbers this small add up exactly, in any order.
        let sum = |row: usize| (row * N * N + N * (N - 1) / 2) as f32;
        assert_eq!(simd.sum(rows[1]).to_bits(), sum(1).to_bits());
        let sums = simd.sum4([rows[0], rows[1], rows[2], rows[3]]);
        assert_eq!(sums.map(f32::to_bits), [0, 1, 2, 3].map(|row| sum(row).to_bits()));
        for at in 0..N {
            let mut lanes = [-7.5; N];
            lanes[at] = -2.0;
            assert_eq!(simd.largest(simd.load(&lanes)).to_bits(), (-2.0_f32).to_bits());
        }
    }
}

#[test]
fn lanes_go_where_they_should() {
    for isa in isas() {
        assert_eq!(isa.lanes(), if isa.name() == "avx512" { 16 } else { 8 });
        isa.run(Shuffle);
    }
}

#[test]
fn powers_of_two_are_exact() {
    for isa in isas() {
        let inputs: Vec<f32> = (-127..129).map(|i| i as f32).collect();
        let found = over!(isa, inputs.clone(), |simd, value| simd.power_of_two(value));
        assert_eq!(found[0].to_bits(), 0);
        assert_eq!(found[255].to_bits(), f32::INFINITY.to_bits());
        for (power, found) in inputs.iter().zip(found).take(255).skip(1) {
            assert_eq!(
                f64::from(found).to_bits(),
                2.0_f64.powf(f64::from(*power)).to_bits(),
                "{} 2^{power}",
                isa.name()
            );
        }
    }
}
