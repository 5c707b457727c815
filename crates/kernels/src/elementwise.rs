//! What happens between products, number by number. Each function chooses its instructions once a call.
//!
//! They run on the caller's thread: beside the products they take next to nothing, and a region would cost more.
#![expect(clippy::inline_always, reason = "see simd.rs")]

use crate::matrix::{Bf16, F16, F32, Format, Weights};
use crate::simd::{Isa, Op, Simd};

pub use crate::norm::{layer_norm_in_place, rms_norm, rms_norm_in_place};

/// `to[i] += scale · from[i]`
///
/// # Panics
/// If the lengths differ.
pub fn add_scaled(isa: Isa, from: &[f32], scale: f32, to: &mut [f32]) {
    same_length(from.len(), to.len());
    isa.run(AddScaled { from, scale, to });
}

/// `values[i] = cap · tanh(values[i] / cap)`, as Gemma 2 bounds its scores.
pub fn soft_cap(isa: Isa, values: &mut [f32], cap: f32) {
    isa.run(InPlace { values, function: SoftCap(cap) });
}

/// `v = v / (1 + e^-v)` for each of `values`: the sigmoid linear unit, or swish.
pub fn silu(isa: Isa, values: &mut [f32]) {
    isa.run(InPlace { values, function: Silu });
}

/// `v = v · (1 + erf(v / √2)) / 2` for each of `values`, within 3e-7 of it relative to `v`.
///
/// Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016).
pub fn gelu(isa: Isa, values: &mut [f32]) {
    isa.run(InPlace { values, function: Gelu });
}

/// `v = v · (1 + tanh(√(2/π) (v + 0.044715 v³))) / 2` for each of `values`: what approximates [`gelu`], in models that
/// were trained with it.
pub fn gelu_tanh(isa: Isa, values: &mut [f32]) {
    isa.run(InPlace { values, function: GeluTanh });
}

/// `out[i] = silu(gate[i]) · up[i]`, with [`silu`].
///
/// # Panics
/// If the lengths differ.
pub fn silu_mul(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    gated(isa, gate, up, out, Silu);
}

/// `out[i] = gelu(gate[i]) · up[i]`, with [`gelu`].
///
/// # Panics
/// If the lengths differ.
pub fn gelu_mul(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    gated(isa, gate, up, out, Gelu);
}

/// `out[i] = gelu_tanh(gate[i]) · up[i]`, with [`gelu_tanh`].
///
/// # Panics
/// If the lengths differ.
pub fn gelu_tanh_mul(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    gated(isa, gate, up, out, GeluTanh);
}

/// Rotates pairs of one head: numbers `i` and `i + d/2` of the `d` in `head` turn by the angle whose cosine and sine are
/// `cos[i]` and `sin[i]`. What `head` has beyond twice their length stays.
///
/// Su and others, "`RoFormer`" (2021), with the halves apart as in the checkpoints of Llama and its kin.
///
/// # Panics
/// If `cos` and `sin` differ in length, or `head` is shorter than twice that.
pub fn rotate(isa: Isa, head: &mut [f32], cos: &[f32], sin: &[f32]) {
    assert!(
        cos.len() == sin.len() && head.len() >= 2 * cos.len(),
        "a head of {} numbers, {} cosines and {} sines",
        head.len(),
        cos.len(),
        sin.len()
    );
    isa.run(Rotate { head, cos, sin });
}

/// Writes weights as singles, exactly: a row of an embedding table, for one.
///
/// # Panics
/// If the lengths differ.
pub fn widen(isa: Isa, from: Weights<'_>, to: &mut [f32]) {
    same_length(from.len(), to.len());
    match from {
        Weights::F32(from) => to.copy_from_slice(from),
        Weights::F16(from) => isa.run(Widen::<F16> { from, to }),
        Weights::Bf16(from) => isa.run(Widen::<Bf16> { from, to }),
    }
}

pub(crate) fn same_length(a: usize, b: usize) {
    assert!(a == b, "{a} numbers and {b}, expected as many");
}

/// A function of one number.
trait Function: Copy {
    fn apply<S: Simd<N>, const N: usize>(self, simd: S, value: S::V) -> S::V;
}

struct InPlace<'a, F> {
    values: &'a mut [f32],
    function: F,
}

impl<F: Function> Op for InPlace<'_, F> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        let (whole, rest) = self.values.as_chunks_mut::<N>();
        for lanes in whole {
            let value = self.function.apply(simd, simd.load(lanes));
            simd.store(value, lanes);
        }
        if !rest.is_empty() {
            store_part(simd, self.function.apply(simd, F32::load_part(simd, rest)), rest);
        }
    }
}

fn gated(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32], function: impl Function) {
    same_length(gate.len(), up.len());
    same_length(gate.len(), out.len());
    isa.run(Gated { gate, up, out, function });
}

struct Gated<'a, F> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
    function: F,
}

impl<F: Function> Op for Gated<'_, F> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        let (gate, gate_rest) = self.gate.as_chunks::<N>();
        let (up, up_rest) = self.up.as_chunks::<N>();
        let (out, out_rest) = self.out.as_chunks_mut::<N>();
        for ((gate, up), out) in gate.iter().zip(up).zip(out) {
            let value = self.function.apply(simd, simd.load(gate));
            simd.store(simd.mul(value, simd.load(up)), out);
        }
        if !out_rest.is_empty() {
            let value = self.function.apply(simd, F32::load_part(simd, gate_rest));
            store_part(simd, simd.mul(value, F32::load_part(simd, up_rest)), out_rest);
        }
    }
}

struct AddScaled<'a> {
    from: &'a [f32],
    scale: f32,
    to: &'a mut [f32],
}

impl Op for AddScaled<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        let scale = simd.splat(self.scale);
        let (from, from_rest) = self.from.as_chunks::<N>();
        let (to, to_rest) = self.to.as_chunks_mut::<N>();
        for (from, to) in from.iter().zip(to) {
            simd.store(simd.mul_add(simd.load(from), scale, simd.load(to)), to);
        }
        for (from, to) in from_rest.iter().zip(to_rest) {
            *to += self.scale * from;
        }
    }
}

/// Writes the first lanes, as many as there is room for.
#[inline(always)]
pub(crate) fn store_part<S: Simd<N>, const N: usize>(simd: S, value: S::V, to: &mut [f32]) {
    let mut lanes = [0.0; N];
    simd.store(value, &mut lanes);
    to.copy_from_slice(&lanes[..to.len()]);
}

#[derive(Clone, Copy)]
struct SoftCap(f32);

impl Function for SoftCap {
    #[inline(always)]
    fn apply<S: Simd<N>, const N: usize>(self, simd: S, value: S::V) -> S::V {
        let cap = simd.splat(self.0);
        simd.mul(cap, simd.tanh(simd.div(value, cap)))
    }
}

#[derive(Clone, Copy)]
struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn apply<S: Simd<N>, const N: usize>(self, simd: S, value: S::V) -> S::V {
        let one = simd.splat(1.0);
        let e = simd.exp(simd.sub(simd.zero(), value));
        simd.div(value, simd.add(one, e))
    }
}

#[derive(Clone, Copy)]
struct GeluTanh;

impl Function for GeluTanh {
    /// `(1 + tanh(z)) / 2` is `1 / (1 + e^-2z)`, so this is `g / (1 + e^-2z)`, without a difference that loses digits.
    #[inline(always)]
    fn apply<S: Simd<N>, const N: usize>(self, simd: S, value: S::V) -> S::V {
        // -2 √(2/π), and that times 0.044715.
        let inner = simd.mul_add(simd.mul(value, value), simd.splat(-0.071_354_82), simd.splat(-1.595_769));
        let e = simd.exp(simd.mul(value, inner));
        simd.div(value, simd.add(simd.splat(1.0), e))
    }
}

#[derive(Clone, Copy)]
struct Gelu;

impl Function for Gelu {
    /// `max(g, 0) - |g| · erfc(|g| / √2) / 2`, with `erfc` by formula 7.1.26 of Abramowitz and Stegun.
    #[inline(always)]
    fn apply<S: Simd<N>, const N: usize>(self, simd: S, value: S::V) -> S::V {
        let (zero, one) = (simd.zero(), simd.splat(1.0));
        let size = simd.max(simd.sub(zero, value), value);
        let x = simd.mul(size, simd.splat(std::f32::consts::FRAC_1_SQRT_2));
        let t = simd.div(one, simd.mul_add(x, simd.splat(0.327_591_1), one));
        let mut p = simd.splat(1.061_405_4);
        for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
            p = simd.mul_add(p, t, simd.splat(coefficient));
        }
        let erfc = simd.mul(simd.mul(p, t), simd.exp(simd.sub(zero, simd.mul(x, x))));
        let tail = simd.mul(simd.mul(simd.splat(0.5), size), erfc);
        simd.sub(simd.max(zero, value), tail)
    }
}

struct Rotate<'a> {
    head: &'a mut [f32],
    cos: &'a [f32],
    sin: &'a [f32],
}

impl Op for Rotate<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        let half = self.cos.len();
        let (first, second) = self.head.split_at_mut(half);
        let (first, first_rest) = first.as_chunks_mut::<N>();
        let (second, second_rest) = second[..half].as_chunks_mut::<N>();
        let (cos, cos_rest) = self.cos.as_chunks::<N>();
        let (sin, sin_rest) = self.sin.as_chunks::<N>();
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            let (x, y, cos, sin) = (simd.load(a), simd.load(b), simd.load(cos), simd.load(sin));
            simd.store(simd.sub(simd.mul(x, cos), simd.mul(y, sin)), a);
            simd.store(simd.mul_add(y, cos, simd.mul(x, sin)), b);
        }
        for (((a, b), cos), sin) in first_rest.iter_mut().zip(second_rest).zip(cos_rest).zip(sin_rest) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

struct Widen<'a, F: Format> {
    from: &'a [F::Bits],
    to: &'a mut [f32],
}

impl<F: Format> Op for Widen<'_, F> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd<N>, const N: usize>(self, simd: S) {
        let (from, from_rest) = self.from.as_chunks::<N>();
        let (to, to_rest) = self.to.as_chunks_mut::<N>();
        for (from, to) in from.iter().zip(to) {
            simd.store(F::load(simd, from), to);
        }
        if !from_rest.is_empty() {
            store_part(simd, F::load_part(simd, from_rest), to_rest);
        }
    }
}
