//! Floats as C's `printf` writes them, for both of Python's ways to format.

/// Writes a number without its sign. `alternate` keeps the point, and the zeros behind it.
pub(crate) fn written(size: f64, letter: char, digits: usize, alternate: bool) -> String {
    let text = match letter.to_ascii_lowercase() {
        _ if size.is_nan() => "nan".into(),
        _ if size.is_infinite() => "inf".into(),
        'f' => with_point(&format!("{size:.digits$}"), alternate),
        'e' => exponent(size, digits, alternate),
        _ => general(size, digits, digits as i32, alternate),
    };
    if letter.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

/// With so many digits that count, and one behind the point at least, or an exponent: what `str.format` makes of a
/// float if it is told no letter.
pub(crate) fn plain(size: f64, digits: usize, alternate: bool) -> String {
    if !size.is_finite() {
        return written(size, 'g', digits, alternate);
    }
    let text = general(size, digits, digits as i32 - 1, alternate);
    if text.contains(['.', 'e']) { text } else { text + ".0" }
}

fn with_point(text: &str, wanted: bool) -> String {
    if wanted && !text.contains('.') { format!("{text}.") } else { text.into() }
}

/// As C writes it: at least two digits of exponent.
fn exponent(size: f64, digits: usize, alternate: bool) -> String {
    let text = format!("{size:.digits$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{}e{sign}{power:0>2}", with_point(mantissa, alternate))
}

/// So many digits that count, with an exponent where the number is small, or has `most` digits before the point.
fn general(size: f64, digits: usize, most: i32, alternate: bool) -> String {
    let digits = digits.max(1);
    let text = exponent(size, digits - 1, alternate);
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let strip = |text: &str| {
        let whole = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
        if text.contains('.') && !alternate { whole(text) } else { with_point(text, alternate) }
    };
    if power < -4 || power >= most.max(1) {
        return format!("{}{}", strip(mantissa), &text[mantissa.len()..]);
    }
    let decimals = (digits as i32 - 1 - power).max(0) as usize;
    strip(&format!("{size:.decimals$}"))
}
