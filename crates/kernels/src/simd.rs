//! Vectors of the widest kind that this machine has, chosen while the program runs.
//!
//! A kernel is written once, as an [`Op`] over any [`Simd`], in safe code; [`Isa::run`] compiles it for each
//! instruction set and calls the one that is there. So a binary for every x86-64 is as fast as one for this machine.
//!
//! The choice is made once for each call of `run`: everything below it must be `#[inline(always)]`, or it is compiled
//! for the oldest processor. For the same reason kernels use loops rather than closures over vectors.
//!
//! This is the one file of the crate with `unsafe`. What keeps it sound: a value of `Avx2` or `Avx512` exists only
//! after its instructions were detected, and loads and stores take references to exactly `N` elements.
#![expect(clippy::inline_always, reason = "what is not inlined is compiled without the vector instructions")]
#![expect(unsafe_code, reason = "vector instructions")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m512, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _MM_HINT_T0, _MM_HINT_T1, _mm_add_ps, _mm_add_ss,
    _mm_cvtss_f32, _mm_loadu_si128, _mm_max_ps, _mm_max_ss, _mm_movehdup_ps, _mm_movehl_ps, _mm_prefetch,
    _mm_storeu_ps, _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_castps256_ps128, _mm256_castsi256_ps,
    _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_cvtps_epi32, _mm256_cvtps_ph, _mm256_div_ps, _mm256_extractf128_ps,
    _mm256_fmadd_ps, _mm256_hadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps,
    _mm256_permute2f128_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_slli_epi32,
    _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps, _mm512_add_epi32,
    _mm512_add_ps, _mm512_castps512_ps256, _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_cvtph_ps,
    _mm512_cvtps_epi32, _mm512_cvtps_ph, _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps,
    _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_shuffle_f32x4, _mm512_shuffle_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_ps, _mm512_unpackhi_ps,
    _mm512_unpacklo_ps,
};

/// A computation that is the same for every width of vector.
pub trait Op {
    /// What it gives.
    type Out;

    /// Computes it with vectors of `N` lanes. Must be `#[inline(always)]`, with everything that it calls.
    fn run<S: Simd<N>, const N: usize>(self, simd: S) -> Self::Out;
}

/// Operations on vectors of `N` single-precision lanes. The value is a proof that the processor has them.
///
/// Where a lane is not a number, [`max`](Simd::max), [`min`](Simd::min) and [`largest`](Simd::largest) may give either
/// side; everything else gives what is not a number again.
pub trait Simd<const N: usize>: Copy + Send + Sync {
    /// `N` lanes.
    type V: Copy;

    /// Zero in every lane.
    fn zero(self) -> Self::V;
    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::V;
    /// The lanes in order.
    fn load(self, from: &[f32; N]) -> Self::V;
    /// Writes the lanes in order.
    fn store(self, value: Self::V, to: &mut [f32; N]);
    /// Lanes from bfloat16 (the upper half of a single). Exact.
    fn load_bf16(self, from: &[u16; N]) -> Self::V;
    /// Lanes from half precision (IEEE 754 binary16). Exact.
    fn load_f16(self, from: &[u16; N]) -> Self::V;
    /// Writes half precision, rounded to nearest, ties to even; what is too large becomes infinity.
    fn store_f16(self, value: Self::V, to: &mut [u16; N]);

    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a × b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of each pair.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each pair.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a × b + addend`, rounded once where the processor can.
    fn mul_add(self, a: Self::V, b: Self::V, addend: Self::V) -> Self::V;

    /// All lanes added up, in pairs.
    fn sum(self, value: Self::V) -> f32;
    /// The sum of the lanes of each.
    fn sum4(self, values: [Self::V; 4]) -> [f32; 4];
    /// The largest lane.
    fn largest(self, value: Self::V) -> f32;
    /// `2^value` for whole values from -127 (which gives 0) to 128 (which gives infinity).
    fn power_of_two(self, value: Self::V) -> Self::V;
    /// Lane `i` of vector `j` becomes lane `j` of vector `i`.
    fn transpose(self, rows: [Self::V; N]) -> [Self::V; N];

    /// Asks for the cache line that holds `data[at]`, which may lie behind the end. A hint: it never faults.
    #[inline(always)]
    fn prefetch<T>(self, data: &[T], at: usize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 has the instruction, and it does not fault whatever the address is.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(data.as_ptr().wrapping_add(at).cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (data, at);
    }

    /// As [`prefetch`](Simd::prefetch), but into the second cache, where it displaces nothing that is at hand.
    #[inline(always)]
    fn prefetch_second<T>(self, data: &[T], at: usize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(data.as_ptr().wrapping_add(at).cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (data, at);
    }

    /// `e^value`, within 2e-7 of it relative to it. Below about -87.7 it is 0, above about 88.3 infinity.
    ///
    /// `e^v = 2^n · e^r` with `n` the nearest whole number to `v / ln 2`. The polynomial for `e^r`, `|r| ≤ ln 2 / 2`, is
    /// that of Cephes (`expf`); `ln 2` is in two parts so that `r` loses nothing.
    #[inline(always)]
    fn exp(self, value: Self::V) -> Self::V {
        // In this order, what is not a number passes.
        let value = self.min(self.splat(89.0), self.max(self.splat(-88.0), value));
        // Adding 1.5 · 2^23 leaves no room for a fraction, so the sum rounds to whole numbers.
        let shift = self.splat(12_582_912.0);
        let n = self.sub(self.mul_add(value, self.splat(std::f32::consts::LOG2_E), shift), shift);
        let r = self.mul_add(n, self.splat(-0.693_359_4), value);
        let r = self.mul_add(n, self.splat(2.121_944_4e-4), r);
        let mut p = self.splat(1.987_569_1e-4);
        for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
            p = self.mul_add(p, r, self.splat(coefficient));
        }
        let p = self.add(self.mul_add(p, self.mul(r, r), r), self.splat(1.0));
        self.mul(p, self.power_of_two(n))
    }

    /// The hyperbolic tangent, within 2e-7.
    #[inline(always)]
    fn tanh(self, value: Self::V) -> Self::V {
        let one = self.splat(1.0);
        let e = self.exp(self.add(value, value));
        self.sub(one, self.div(self.splat(2.0), self.add(e, one)))
    }
}

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Isa {
    /// The best that this machine has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(proof) = Avx512::detect() {
                return Self(Kind::Avx512(proof));
            }
            if let Some(proof) = Avx2::detect() {
                return Self(Kind::Avx2(proof));
            }
        }
        Self::portable()
    }

    /// Plain Rust in chunks of eight, which the compiler turns into whatever it was told that there is.
    pub fn portable() -> Self {
        Self(Kind::Portable)
    }

    /// All that this machine has, the plainest first: for tests and comparisons.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Self::portable()];
        #[cfg(target_arch = "x86_64")]
        {
            found.extend(Avx2::detect().map(|proof| Self(Kind::Avx2(proof))));
            found.extend(Avx512::detect().map(|proof| Self(Kind::Avx512(proof))));
        }
        found
    }

    /// What people call it: `portable`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
        }
    }

    /// Lanes of a vector.
    pub fn lanes(self) -> usize {
        match self.0 {
            Kind::Portable => 8,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => 8,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => 16,
        }
    }

    /// Runs `op` with these instructions. Costs a call that is not inlined, so give it some work.
    #[inline]
    pub fn run<O: Op>(self, op: O) -> O::Out {
        match self.0 {
            Kind::Portable => op.run::<Portable, 8>(Portable),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the proof exists, so the instructions do.
            Kind::Avx2(proof) => unsafe { with_avx2(op, proof) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the proof exists, so the instructions do.
            Kind::Avx512(proof) => unsafe { with_avx512(op, proof) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn with_avx2<O: Op>(op: O, proof: Avx2) -> O::Out {
    op.run::<Avx2, 8>(proof)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn with_avx512<O: Op>(op: O, proof: Avx512) -> O::Out {
    op.run::<Avx512, 16>(proof)
}

/// Eight lanes in plain Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Portable;

/// Lane by lane; loops over arrays of eight are what the compiler vectorises.
macro_rules! lanes {
    ($($name:ident($($operand:ident),*) = $result:expr;)*) => {$(
        #[inline(always)]
        fn $name(self $(, $operand: [f32; 8])*) -> [f32; 8] {
            let mut out = [0.0; 8];
            for (lane, out) in out.iter_mut().enumerate() {
                $(let $operand = $operand[lane];)*
                *out = $result;
            }
            out
        }
    )*};
}

impl Simd<8> for Portable {
    type V = [f32; 8];

    lanes! {
        add(a, b) = a + b;
        sub(a, b) = a - b;
        mul(a, b) = a * b;
        div(a, b) = a / b;
        max(a, b) = if a > b { a } else { b };
        min(a, b) = if a < b { a } else { b };
        // Without the instruction, rounding once would be a call of the C library for each lane.
        mul_add(a, b, addend) = if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            a.mul_add(b, addend)
        } else {
            a * b + addend
        };
        // The sum's lowest bits are the whole number; see `exp`. The subtraction leaves the biased exponent.
        power_of_two(value) = f32::from_bits((value + 12_582_912.0).to_bits().wrapping_sub(0x4b40_0000 - 127) << 23);
    }

    #[inline(always)]
    fn zero(self) -> [f32; 8] {
        [0.0; 8]
    }

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 8] {
        [value; 8]
    }

    #[inline(always)]
    fn load(self, from: &[f32; 8]) -> [f32; 8] {
        *from
    }

    #[inline(always)]
    fn store(self, value: [f32; 8], to: &mut [f32; 8]) {
        *to = value;
    }

    #[inline(always)]
    fn load_bf16(self, from: &[u16; 8]) -> [f32; 8] {
        let mut out = [0.0; 8];
        for (out, bits) in out.iter_mut().zip(from) {
            *out = f32::from_bits(u32::from(*bits) << 16);
        }
        out
    }

    #[inline(always)]
    fn load_f16(self, from: &[u16; 8]) -> [f32; 8] {
        let mut out = [0.0; 8];
        for (out, bits) in out.iter_mut().zip(from) {
            *out = from_f16(*bits);
        }
        out
    }

    #[inline(always)]
    fn store_f16(self, value: [f32; 8], to: &mut [u16; 8]) {
        for (to, value) in to.iter_mut().zip(value) {
            *to = to_f16(value);
        }
    }

    #[inline(always)]
    fn sum(self, v: [f32; 8]) -> f32 {
        ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
    }

    #[inline(always)]
    fn sum4(self, values: [[f32; 8]; 4]) -> [f32; 4] {
        values.map(|value| self.sum(value))
    }

    #[inline(always)]
    fn largest(self, value: [f32; 8]) -> f32 {
        let mut most = value[0];
        for lane in value {
            most = if lane > most { lane } else { most };
        }
        most
    }

    #[inline(always)]
    fn transpose(self, rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        let mut out = [[0.0; 8]; 8];
        for (i, row) in rows.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                out[j][i] = *value;
            }
        }
        out
    }
}

/// Half precision to single. Exact: the exponent is moved by a multiplication, which normalises subnormals too.
#[inline(always)]
fn from_f16(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let value = f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23);
    // Infinities and what is not a number keep their largest exponent.
    let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(value.to_bits() | special | (u32::from(bits & 0x8000) << 16))
}

/// Single precision to half, to nearest, ties to even.
#[inline(always)]
fn to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, magnitude) = ((bits >> 16) as u16 & 0x8000, bits & 0x7fff_ffff);
    let half = if magnitude > 0x7f80_0000 {
        // Not a number: quiet, with what fits of its payload, as the instruction does.
        0x7e00 | (magnitude >> 13) as u16 & 0x3ff
    } else if magnitude >= 0x4780_0000 {
        0x7c00
    } else if magnitude < 0x3880_0000 {
        // Below the smallest normal half: adding 0.5 puts the unit of a subnormal half at the end of the mantissa, so
        // the addition rounds.
        (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0x3f00_0000) as u16
    } else {
        // The bias moves from 127 to 15; half of what is cut off is added, and one more if the result were odd.
        let odd = (magnitude >> 13) & 1;
        (magnitude.wrapping_sub(112 << 23).wrapping_add(0xfff + odd) >> 13) as u16
    };
    sign | half
}

/// Proof that the processor has AVX2, FMA and F16C: eight lanes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Avx2(());

/// Proof that the processor has AVX-512F, and what [`Avx2`] proves: sixteen lanes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    fn detect() -> Option<Self> {
        let found =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        found.then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    fn detect() -> Option<Self> {
        (Avx2::detect().is_some() && is_x86_feature_detected!("avx512f")).then_some(Self(()))
    }
}

/// Methods that are one expression over instructions.
#[cfg(target_arch = "x86_64")]
macro_rules! instructions {
    ($($name:ident($($operand:ident: $type:ty),*) -> $out:ty = $expression:expr;)*) => {$(
        #[inline(always)]
        fn $name(self $(, $operand: $type)*) -> $out {
            // SAFETY: `self` proves that the instructions exist; every pointer is a reference to as much as is read
            // or written, and the instructions ask for no alignment.
            unsafe { $expression }
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
impl Simd<8> for Avx2 {
    type V = __m256;

    instructions! {
        zero() -> __m256 = _mm256_setzero_ps();
        splat(value: f32) -> __m256 = _mm256_set1_ps(value);
        load(from: &[f32; 8]) -> __m256 = _mm256_loadu_ps(from.as_ptr());
        store(value: __m256, to: &mut [f32; 8]) -> () = _mm256_storeu_ps(to.as_mut_ptr(), value);
        load_bf16(from: &[u16; 8]) -> __m256 =
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().cast()))));
        load_f16(from: &[u16; 8]) -> __m256 = _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast()));
        store_f16(value: __m256, to: &mut [u16; 8]) -> () = _mm_storeu_si128(
            to.as_mut_ptr().cast(),
            _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(value),
        );
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        mul_add(a: __m256, b: __m256, addend: __m256) -> __m256 = _mm256_fmadd_ps(a, b, addend);
        sum(value: __m256) -> f32 = {
            let four = _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps::<1>(value));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        };
        // Neighbours are added in pairs, twice, and then the halves: half the work of four sums.
        sum4(values: [__m256; 4]) -> [f32; 4] = {
            let [a, b, c, d] = values;
            let sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
            let sums = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps::<1>(sums));
            let mut out = [0.0; 4];
            _mm_storeu_ps(out.as_mut_ptr(), sums);
            out
        };
        largest(value: __m256) -> f32 = {
            let four = _mm_max_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps::<1>(value));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        };
        power_of_two(value: __m256) -> __m256 = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
            _mm256_cvtps_epi32(value),
            _mm256_set1_epi32(127),
        )));
        // Pairs of rows, then of pairs within each half, then the halves: 24 shuffles.
        transpose(r: [__m256; 8]) -> [__m256; 8] = {
            let mut pairs = r;
            for i in 0..4 {
                pairs[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                pairs[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            let mut fours = pairs;
            for i in 0..2 {
                for j in 0..2 {
                    let (a, b) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
                    fours[4 * i + 2 * j] = _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
                    fours[4 * i + 2 * j + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(a, b);
                }
            }
            let mut out = fours;
            for i in 0..4 {
                out[i] = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
                out[i + 4] = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
            }
            out
        };
    }
}

#[cfg(target_arch = "x86_64")]
impl Simd<16> for Avx512 {
    type V = __m512;

    instructions! {
        zero() -> __m512 = _mm512_setzero_ps();
        splat(value: f32) -> __m512 = _mm512_set1_ps(value);
        load(from: &[f32; 16]) -> __m512 = _mm512_loadu_ps(from.as_ptr());
        store(value: __m512, to: &mut [f32; 16]) -> () = _mm512_storeu_ps(to.as_mut_ptr(), value);
        load_bf16(from: &[u16; 16]) -> __m512 = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(
            _mm256_loadu_si256(from.as_ptr().cast()),
        )));
        load_f16(from: &[u16; 16]) -> __m512 = _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast()));
        store_f16(value: __m512, to: &mut [u16; 16]) -> () = _mm256_storeu_si256(
            to.as_mut_ptr().cast(),
            _mm512_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(value),
        );
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        mul_add(a: __m512, b: __m512, addend: __m512) -> __m512 = _mm512_fmadd_ps(a, b, addend);
        sum(value: __m512) -> f32 = _mm512_reduce_add_ps(value);
        sum4(values: [__m512; 4]) -> [f32; 4] = {
            let mut halves = [_mm256_setzero_ps(); 4];
            for i in 0..4 {
                let high = _mm512_castps512_ps256(_mm512_shuffle_f32x4::<0b11_10_11_10>(values[i], values[i]));
                halves[i] = _mm256_add_ps(_mm512_castps512_ps256(values[i]), high);
            }
            Avx2(()).sum4(halves)
        };
        largest(value: __m512) -> f32 = _mm512_reduce_max_ps(value);
        power_of_two(value: __m512) -> __m512 = _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(
            _mm512_cvtps_epi32(value),
            _mm512_set1_epi32(127),
        )));
        // As with eight lanes, and then quarters twice: 64 shuffles.
        transpose(r: [__m512; 16]) -> [__m512; 16] = {
            let mut pairs = r;
            for i in 0..8 {
                pairs[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            // `fours[4 i + c]` has, in its quarter `q`, column `4 q + c` of rows `4 i` to `4 i + 3`.
            let mut fours = pairs;
            for i in 0..4 {
                for j in 0..2 {
                    let (a, b) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
                    fours[4 * i + 2 * j] = _mm512_shuffle_ps::<0b01_00_01_00>(a, b);
                    fours[4 * i + 2 * j + 1] = _mm512_shuffle_ps::<0b11_10_11_10>(a, b);
                }
            }
            let mut out = fours;
            for c in 0..4 {
                let (a, b, d, e) = (fours[c], fours[4 + c], fours[8 + c], fours[12 + c]);
                // Quarters 0 and 2, then 1 and 3, of each two groups of rows.
                let (even_low, odd_low) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                let (even_high, odd_high) = (_mm512_shuffle_f32x4::<0x88>(d, e), _mm512_shuffle_f32x4::<0xdd>(d, e));
                out[c] = _mm512_shuffle_f32x4::<0x88>(even_low, even_high);
                out[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even_low, even_high);
                out[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high);
                out[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd_low, odd_high);
            }
            out
        };
    }
}
