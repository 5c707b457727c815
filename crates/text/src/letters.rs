//! What kind of letter a character is, where Python and Rust do not agree: letters with a large first part are neither
//! capitals nor small, and digits are not all that has a value.

/// Letters of two parts: large, with a large first part, small.
const DIGRAPHS: [[char; 3]; 4] = [['Ǆ', 'ǅ', 'ǆ'], ['Ǉ', 'ǈ', 'ǉ'], ['Ǌ', 'ǋ', 'ǌ'], ['Ǳ', 'ǲ', 'ǳ']];

/// The zero of each script that has ten digits in a row (Unicode 14, as Python 3.11); those of mathematics are five.
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
    0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0,
    0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60,
    0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

/// Other digits: raised, in circles, of scripts without a zero.
const OTHER_DIGITS: [(u32, u32); 20] = [
    (0xB2, 0xB3),
    (0xB9, 0xB9),
    (0x1369, 0x1371),
    (0x19DA, 0x19DA),
    (0x2070, 0x2070),
    (0x2074, 0x2079),
    (0x2080, 0x2089),
    (0x2460, 0x2468),
    (0x2474, 0x247C),
    (0x2488, 0x2490),
    (0x24EA, 0x24EA),
    (0x24F5, 0x24FD),
    (0x24FF, 0x24FF),
    (0x2776, 0x277E),
    (0x2780, 0x2788),
    (0x278A, 0x2792),
    (0x10A40, 0x10A43),
    (0x10E60, 0x10E68),
    (0x11052, 0x1105A),
    (0x1F100, 0x1F10A),
];

/// `str.isdecimal` of one character.
pub(crate) fn is_decimal(c: char) -> bool {
    let code = u32::from(c);
    let at = ZEROS.partition_point(|zero| *zero <= code);
    at > 0 && code - ZEROS[at - 1] < 10
}

/// `str.isdigit` of one character.
pub(crate) fn is_digit(c: char) -> bool {
    is_decimal(c) || OTHER_DIGITS.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)))
}

/// Whether a letter is one with a large first part.
fn is_mixed(c: char) -> bool {
    matches!(c, '\u{1F88}'..='\u{1F8F}' | '\u{1F98}'..='\u{1F9F}' | '\u{1FA8}'..='\u{1FAF}' | 'ᾼ' | 'ῌ' | 'ῼ')
        || DIGRAPHS.iter().any(|forms| forms[1] == c)
}

/// `str.isupper` of one character.
pub(crate) fn is_upper(c: char) -> bool {
    c.is_uppercase() && !is_mixed(c)
}

/// Whether all letters of a text that have a case have this one, and there are some.
pub(crate) fn is_cased(text: &str, upper: bool) -> bool {
    let wanted = |c: char| if upper { is_upper(c) } else { c.is_lowercase() };
    let other = |c: char| is_mixed(c) || if upper { c.is_lowercase() } else { is_upper(c) };
    text.contains(wanted) && !text.contains(other)
}

/// Whether every word begins with a capital, and nothing else is one.
pub(crate) fn is_title(text: &str) -> bool {
    let (mut inside, mut found) = (false, false);
    for c in text.chars() {
        let is_capital = is_upper(c) || is_mixed(c);
        if is_capital && inside || c.is_lowercase() && !inside {
            return false;
        }
        inside = is_capital || c.is_lowercase();
        found |= inside;
    }
    found
}

/// With a capital where a letter follows what is none, as `str.title`.
pub(crate) fn title(text: &str) -> String {
    let (mut out, mut inside) = (String::with_capacity(text.len()), false);
    for (at, c) in text.char_indices() {
        match inside {
            false => out.push_str(&to_title(c)),
            // Sigma at the end of a word is another one, which its neighbours decide.
            true if c == 'Σ' => {
                let goes_on = text[at + c.len_utf8()..].starts_with(char::is_alphabetic);
                out.push(if goes_on { 'σ' } else { 'ς' });
            }
            true => out.extend(c.to_lowercase()),
        }
        inside = c.is_uppercase() || c.is_lowercase() || is_mixed(c);
    }
    out
}

/// A letter as the first of a word.
pub(crate) fn to_title(c: char) -> String {
    if let Some(forms) = DIGRAPHS.iter().find(|forms| forms.contains(&c)) {
        return forms[1].into();
    }
    // Georgian has no capitals for this.
    if ('ა'..='ჿ').contains(&c) {
        return c.into();
    }
    let mut out = String::new();
    for part in c.to_uppercase() {
        if out.contains(char::is_uppercase) { out.extend(part.to_lowercase()) } else { out.push(part) }
    }
    out
}

/// `str.casefold`: what texts have in common that differ in case alone.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ı' => out.push(c),
            'ẞ' => out.push_str("ss"),
            // Cherokee's small letters came last, and fold to the large ones.
            'Ꭰ'..='Ᏽ' | 'ᏸ'..='ᏽ' | 'ꭰ'..='ꮿ' => out.extend(c.to_uppercase()),
            c => out.extend(c.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    out
}
