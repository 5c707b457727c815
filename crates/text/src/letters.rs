//! Capitals and small letters, where Python and Rust do not agree: letters with a large first part are neither, and each
//! letter is changed by itself, but for the sigma at the end of a word, which those around it decide.

/// Letters of two parts: large, with a large first part, small.
const DIGRAPHS: [[char; 3]; 4] = [['Ǆ', 'ǅ', 'ǆ'], ['Ǉ', 'ǈ', 'ǉ'], ['Ǌ', 'ǋ', 'ǌ'], ['Ǳ', 'ǲ', 'ǳ']];

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

/// Each letter of a text, and what is small for it where it stands.
fn lowered(text: &str) -> impl Iterator<Item = (char, String)> {
    let small = text.to_lowercase();
    let mut at = 0;
    text.chars().map(move |c| {
        // A sigma at the end of a word is another one, as long as the one inside.
        let end = at + c.to_lowercase().map(char::len_utf8).sum::<usize>();
        let found = small.get(at..end).unwrap_or_default().to_owned();
        at = end;
        (c, found)
    })
}

/// With a capital where a letter follows what is none, as `str.title`.
pub(crate) fn title(text: &str) -> String {
    let (mut out, mut inside) = (String::with_capacity(text.len()), false);
    for (c, small) in lowered(text) {
        out += &if inside { small } else { to_title(c) };
        inside = c.is_uppercase() || c.is_lowercase() || is_mixed(c);
    }
    out
}

/// With a capital in front, and no other, as `str.capitalize`.
pub(crate) fn capitalize(text: &str) -> String {
    lowered(text).enumerate().map(|(at, (c, small))| if at == 0 { to_title(c) } else { small }).collect()
}

/// `str.swapcase`: what is neither large nor small stays.
pub(crate) fn swap(text: &str) -> String {
    let other = |(c, small): (char, String)| match c {
        c if is_upper(c) => small,
        c if c.is_lowercase() => c.to_uppercase().collect(),
        c => c.into(),
    };
    lowered(text).map(other).collect()
}

/// A letter as the first of a word.
fn to_title(c: char) -> String {
    if let Some(forms) = DIGRAPHS.iter().find(|forms| forms.contains(&c)) {
        return forms[1].into();
    }
    match c {
        // Georgian has no capitals for this.
        'ა'..='ჿ' => return c.into(),
        c if is_mixed(c) => return c.into(),
        // Greek letters with an iota below keep it there.
        '\u{1F80}'..='\u{1FAF}' => return char::from_u32(u32::from(c) + 8).unwrap_or(c).into(),
        'ᾳ' | 'ῃ' | 'ῳ' => return char::from_u32(u32::from(c) + 9).unwrap_or(c).into(),
        _ => {}
    }
    let is_greek = ('\u{1FB0}'..='\u{1FFF}').contains(&c);
    let mut out = String::new();
    for part in c.to_uppercase() {
        match out.contains(char::is_uppercase) {
            true if is_greek && part == 'Ι' => out.push('\u{345}'),
            true => out.extend(part.to_lowercase()),
            false => out.push(part),
        }
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
