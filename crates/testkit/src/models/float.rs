//! Floats of 16 bits, rounded to nearest.

/// An IEEE half; what is too small for a normal one becomes zero.
pub(super) fn half(value: f32) -> u16 {
    const SMALLEST: u32 = 0x3880_0000;
    let bits = value.to_bits();
    let sign = (bits >> 16) & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    let rounded = magnitude + 0x0fff + ((magnitude >> 13) & 1);
    let half = if magnitude < SMALLEST { sign } else { sign | (rounded - 0x3800_0000) >> 13 };
    half as u16
}

/// The upper half of a float of 32 bits, ties to even. Not for NaN.
pub(super) fn bfloat(value: f32) -> u16 {
    let bits = value.to_bits();
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats() {
        assert_eq!([1.0, -2.0, 0.5, 65504.0, 0.0, 1e-9].map(half), [0x3c00, 0xc000, 0x3800, 0x7bff, 0, 0]);
        assert_eq!(half(1.0 / 3.0), 0x3555);
    }

    #[test]
    fn brain_floats() {
        assert_eq!([1.0, -2.0, 0.0, 1.0 / 3.0].map(bfloat), [0x3f80, 0xc000, 0, 0x3eab]);
        // Halfway between two: the even one.
        assert_eq!([0x3f80_8000, 0x3f81_8000].map(|bits| bfloat(f32::from_bits(bits))), [0x3f80, 0x3f82]);
    }
}
