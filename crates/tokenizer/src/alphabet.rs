//! GPT-2's alphabet, in which byte-level vocabularies are spelled: one character for each byte.
//!
//! Printable bytes of Latin-1 stand for themselves, and for all others, in order, the characters from U+0100 on
//! (`bytes_to_unicode` in GPT-2's `encoder.py`).

/// The byte that a character stands for.
pub(crate) fn byte(character: char) -> Option<u8> {
    match u32::from(character) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => Some(code as u8),
        code @ 0x100..=0x120 => Some((code - 0x100) as u8),
        code @ 0x121..=0x142 => Some((code - 0x121 + 0x7f) as u8),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The character that stands for a byte.
const fn character(byte: u8) -> char {
    let code = match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => byte as u32,
        0x00..=0x20 => 0x100 + byte as u32,
        0x7f..=0xa0 => 0x121 + (byte as u32 - 0x7f),
        0xad => 0x143,
    };
    match char::from_u32(code) {
        Some(character) => character,
        None => unreachable!(),
    }
}

const CHARACTERS: [char; 256] = {
    let mut characters = ['\0'; 256];
    let mut byte = 0;
    while byte < 256 {
        characters[byte] = character(byte as u8);
        byte += 1;
    }
    characters
};

/// Writes `text` in the alphabet.
pub(crate) fn spell(text: &str, out: &mut String) {
    out.clear();
    out.extend(text.bytes().map(|byte| CHARACTERS[usize::from(byte)]));
}

/// Appends the bytes that a text in the alphabet stands for; one with a character from outside as it is.
pub(crate) fn write(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    if !text.chars().all(|character| byte(character).map(|byte| out.push(byte)).is_some()) {
        out.truncate(start);
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character() {
        assert_eq!((byte('Ġ'), byte('Ċ'), byte('!'), byte(' ')), (Some(b' '), Some(b'\n'), Some(b'!'), None));
        for code in 0..=u8::MAX {
            assert_eq!(byte(CHARACTERS[usize::from(code)]), Some(code));
        }
        assert_eq!((0..0x200).filter_map(char::from_u32).filter_map(byte).count(), 256);
    }
}
