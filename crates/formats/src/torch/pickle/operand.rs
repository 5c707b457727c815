//! What stands behind an instruction: numbers and strings, in the many forms that protocols gave them.

use super::object::Object;
use crate::cursor::Cursor;
use crate::{Error, Result};

/// What is read, for messages.
pub(super) const WHAT: &str = "an instruction of the pickle";

/// Bytes of a string.
const STRING: u64 = 1 << 20;

/// An instruction that cannot be followed.
pub(super) fn wrong(offset: u64, found: impl Into<String>, expected: &'static str) -> Error {
    Error::Malformed { what: WHAT.into(), offset, found: found.into(), expected }
}

/// The rest of a line, as the oldest protocol writes operands.
pub(super) fn line<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let size = cursor.offset() + cursor.remaining();
    let cut = || Error::Truncated { what: "a line of the pickle".into(), needed: size + 1, size };
    cursor.line(STRING).ok_or_else(cut)
}

/// A number. Those with a point are read over: no tensor is made of them.
pub(super) fn number<'a>(cursor: &mut Cursor<'a>, code: u8) -> Result<Object<'a>> {
    let number = match code {
        b'G' => cursor.take(8, WHAT).map(|_| None)?,
        b'F' => line(cursor).map(|_| None)?,
        b'K' => Some(cursor.u8(WHAT)?.into()),
        b'M' => Some(cursor.u16(WHAT)?.into()),
        b'J' => Some(i32::from_le_bytes(cursor.array(WHAT)?).into()),
        0x8a | 0x8b => {
            let length = if code == 0x8a { cursor.u8(WHAT)?.into() } else { cursor.u32(WHAT)? };
            signed(cursor.take(length.into(), WHAT)?)
        }
        // `I01` is True, and `L` ends in an L; what is no number stays unknown.
        _ => std::str::from_utf8(line(cursor)?).ok().and_then(|line| line.trim_end_matches('L').parse().ok()),
    };
    Ok(number.map_or(Object::Other, Object::Int))
}

/// A whole number of any length, if 64 bits hold it.
fn signed(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(all))
}

/// A string.
pub(super) fn text<'a>(cursor: &mut Cursor<'a>, code: u8) -> Result<Object<'a>> {
    let at = cursor.offset();
    let bytes = match code {
        b'V' => line(cursor)?,
        b'S' => {
            // Quoted as Python prints it.
            let line = line(cursor)?.trim_ascii();
            let inner = line.strip_prefix(b"'").and_then(|line| line.strip_suffix(b"'"));
            let inner = inner.or_else(|| line.strip_prefix(b"\"")?.strip_suffix(b"\""));
            inner.ok_or_else(|| wrong(at, "a string without quotes", "one in quotes"))?
        }
        0x8c | b'U' => {
            let length = cursor.u8(WHAT)?;
            cursor.take(length.into(), WHAT)?
        }
        0x8d => cursor.string(STRING, "a string of the pickle")?,
        _ => {
            let length = cursor.u32(WHAT)?.into();
            bounded(cursor, length)?
        }
    };
    match std::str::from_utf8(bytes) {
        // Escapes would have to be understood: a name could hide behind them.
        Ok(text) if !(matches!(code, b'V' | b'S') && text.contains('\\')) => Ok(Object::Text(text)),
        // Python 2 wrote bytes this way.
        _ if code != b'X' => Ok(Object::Other),
        _ => Err(wrong(at, "a string that is not UTF-8", "UTF-8")),
    }
}

/// Bytes, which are read over.
pub(super) fn bytes(cursor: &mut Cursor<'_>, code: u8) -> Result<()> {
    let length = match code {
        b'C' => cursor.u8(WHAT)?.into(),
        b'B' => cursor.u32(WHAT)?.into(),
        _ => cursor.u64(WHAT)?,
    };
    bounded(cursor, length).map(drop)
}

fn bounded<'a>(cursor: &mut Cursor<'a>, length: u64) -> Result<&'a [u8]> {
    if length > STRING {
        let what = "the length of a string of the pickle".into();
        return Err(Error::Limit { what, offset: cursor.offset(), found: length, limit: STRING });
    }
    cursor.take(length, WHAT)
}
