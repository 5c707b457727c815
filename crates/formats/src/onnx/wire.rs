//! Protobuf, as far as ONNX needs it: fields of a message, read one after the other, and written.
//!
//! Format: <https://protobuf.dev/programming-guides/encoding/>. Two readers of one file must not see different graphs, so
//! what protobuf forgives is an error here: a field of another type than it should have (protobuf passes over it), a
//! field that may occur once and occurs twice (the last one counts, or both are merged), a number over the width of its
//! type (the upper bits are dropped).

use crate::{Error, Result};

/// How a field's value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value<'a> {
    /// A number of seven bits a byte.
    Varint(u64),
    /// Eight bytes.
    Fixed64([u8; 8]),
    /// A length, then as many bytes: text, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed32([u8; 4]),
}

/// The number and the wire type of a field, which `tag` holds together.
pub(super) fn split(tag: u64, offset: u64) -> Result<(u32, u8)> {
    let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
    let number = number.ok_or_else(|| malformed("a field", offset, format!("tag {tag}"), "a field of a message"))?;
    Ok((number, (tag & 7) as u8))
}

/// The next varint of `next`, which gives bytes.
pub(super) fn varint(offset: u64, mut next: impl FnMut() -> Result<u8>) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = next()?;
        // The tenth byte has room for one bit.
        if shift == 63 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(malformed("a number", offset, "more than 64 bits".into(), "a varint of ten bytes at most"))
}

pub(super) fn malformed(what: &str, offset: u64, found: String, expected: &'static str) -> Error {
    Error::Malformed { what: what.into(), offset, found, expected }
}

/// A name or a path for a message: those of a damaged file may be long.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// What the message is, for errors.
    what: &'static str,
    /// Which field.
    pub(super) number: u32,
    /// What it holds.
    pub(super) value: Value<'a>,
    /// The whole field, as it stands in the message.
    pub(super) raw: &'a [u8],
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// Where its value begins in the file.
    inside: u64,
}

impl<'a> Field<'a> {
    /// A field of bytes, which begin at `offset` of the file; `what` is the message it belongs to.
    pub(super) fn of_bytes(what: &'static str, number: u32, bytes: &'a [u8], offset: u64) -> Self {
        Self { what, number, value: Value::Bytes(bytes), raw: bytes, offset, inside: offset }
    }

    pub(super) fn error(&self, found: impl Into<String>, expected: &'static str) -> Error {
        let what = format!("field {} of {}", self.number, self.what);
        malformed(&what, self.offset, found.into(), expected)
    }

    /// The error for a field that the format does not have.
    pub(super) fn unknown(&self) -> Error {
        self.error("a field that is not read here", "the fields of ONNX up to version 1.19")
    }

    pub(super) fn bytes(&self) -> Result<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.error("a number", "bytes")),
        }
    }

    /// The fields of the message that this field holds.
    pub(super) fn message(&self, what: &'static str) -> Result<Fields<'a>> {
        Ok(Fields::new(what, self.bytes()?, self.inside))
    }

    /// A string of at most 4096 bytes without a zero byte, which C would take for its end.
    pub(super) fn text(&self) -> Result<&'a str> {
        const LONGEST: usize = 4096;
        let bytes = self.bytes()?;
        if bytes.len() > LONGEST {
            let what = format!("the length of field {} of {}", self.number, self.what);
            return Err(Error::Limit { what, offset: self.offset, found: bytes.len() as u64, limit: LONGEST as u64 });
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        text.ok_or_else(|| self.error("bytes that are not text", "UTF-8 without zero bytes"))
    }

    pub(super) fn int64(&self) -> Result<i64> {
        match self.value {
            Value::Varint(number) => Ok(number as i64),
            _ => Err(self.error("another type", "a number")),
        }
    }

    /// A number of 32 bits. Protobuf writes negative ones with 64.
    pub(super) fn int32(&self) -> Result<i32> {
        let number = self.int64()?;
        i32::try_from(number).map_err(|_| self.error(number.to_string(), "a number of 32 bits"))
    }

    /// Calls `each` for the numbers of a repeated field, packed or one by one; gives how many they are.
    pub(super) fn int64s(&self, mut each: impl FnMut(i64)) -> Result<u64> {
        let Value::Bytes(bytes) = self.value else {
            each(self.int64()?);
            return Ok(1);
        };
        let mut rest = bytes.iter();
        let mut count = 0;
        while !rest.as_slice().is_empty() {
            let next = || rest.next().copied().ok_or_else(|| self.error("a number cut off", "packed numbers"));
            each(varint(self.inside, next)? as i64);
            count += 1;
        }
        Ok(count)
    }

    /// How many numbers of `width` bytes (4 or 8) a repeated field holds, packed or one.
    pub(super) fn fixed(&self, width: usize) -> Result<u64> {
        match self.value {
            Value::Bytes(bytes) if bytes.len().is_multiple_of(width) => Ok((bytes.len() / width) as u64),
            Value::Fixed32(_) if width == 4 => Ok(1),
            Value::Fixed64(_) if width == 8 => Ok(1),
            _ => Err(self.error("another type", "floating-point numbers")),
        }
    }

    /// Puts the value of a field that may occur once where it belongs.
    pub(super) fn once<T>(&self, slot: &mut Option<T>, value: T) -> Result<()> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.error("a second one", "one such field")),
        }
    }
}

/// The fields of a message, one after the other. After an error there are no more.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    what: &'static str,
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Fields<'a> {
    /// `offset` is where `bytes` begin in the file.
    pub(super) fn new(what: &'static str, bytes: &'a [u8], offset: u64) -> Self {
        Self { what, rest: bytes, offset }
    }

    fn cut(&self) -> Error {
        let found = "a field that goes on after its end".into();
        malformed(self.what, self.offset, found, "fields within the message")
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let taken = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = taken.ok_or_else(|| self.cut())?;
        (self.rest, self.offset) = (rest, self.offset + length);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    fn varint(&mut self) -> Result<u64> {
        varint(self.offset, || self.take(1).map(|byte| byte[0]))
    }

    fn field(&mut self) -> Result<Field<'a>> {
        let (start, offset) = (self.rest, self.offset);
        let (number, wire) = split(self.varint()?, offset)?;
        let mut inside = self.offset;
        let value = match wire {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                inside = self.offset;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(self.array()?),
            other => return Err(malformed(self.what, offset, format!("wire type {other}"), "0, 1, 2 or 5")),
        };
        let raw = &start[..start.len() - self.rest.len()];
        Ok(Field { what: self.what, number, value, raw, offset, inside })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Writes a message.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(value);
    }

    /// Text, a message, or packed numbers.
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A message that `write` fills.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>> {
        Fields::new("a message", bytes, 0).map(|field| field.map(|field| (field.number, field.value))).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.number(1, 300);
        writer.number(3, u64::MAX);
        writer.message(1000, |inner| inner.bytes(2, b"text"));
        let read = fields(&writer.0).expect("sound");
        assert_eq!(
            read,
            [(1, Value::Varint(300)), (3, Value::Varint(u64::MAX)), (1000, Value::Bytes(b"\x12\x04text"))]
        );
    }

    #[test]
    fn broken_messages_are_refused() {
        let overlong = [&[0x08][..], &[0xff; 9], &[2]].concat();
        let cases: [&[u8]; 8] =
            [&[0x08], &[0x08, 0x80], &[0x12, 5, 1], &[0x0b], &[0x00, 0], &[0x0d, 1, 2, 3], &[0x09, 1], &overlong];
        for bytes in cases {
            assert!(fields(bytes).is_err(), "{bytes:?}");
        }
        let widest = [&[0x08][..], &[0xff; 9], &[1]].concat();
        assert_eq!(fields(&widest).expect("sound"), [(1, Value::Varint(u64::MAX))]);
    }
}
