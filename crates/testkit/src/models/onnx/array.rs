//! Numbers and their shape: what ONNX calls a tensor.

use super::wire::Message;

/// Element types, numbered as `TensorProto.DataType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    F32 = 1,
    I32 = 6,
    I64 = 7,
    Bool = 9,
}

/// A tensor with its data, row-major and little-endian.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Array {
    number: Number,
    dimensions: Vec<i64>,
    /// The numbers.
    pub(super) data: Vec<u8>,
}

impl Array {
    /// 32-bit floats that are bytes already.
    pub(super) fn of_bytes(dimensions: &[u32], data: Vec<u8>) -> Self {
        let dimensions: Vec<i64> = dimensions.iter().copied().map(i64::from).collect();
        assert_eq!(data.len() as i64, 4 * dimensions.iter().product::<i64>(), "as many numbers as the shape says");
        Self { number: Number::F32, dimensions, data }
    }

    /// 32-bit floats.
    pub(super) fn of_floats(dimensions: &[u32], values: impl IntoIterator<Item = f32>) -> Self {
        Self::of_bytes(dimensions, values.into_iter().flat_map(f32::to_le_bytes).collect())
    }

    /// A list of 64-bit integers.
    pub(super) fn of_integers(values: &[i64]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { number: Number::I64, dimensions: vec![values.len() as i64], data }
    }

    /// One 64-bit integer.
    pub(super) fn of_integer(value: i64) -> Self {
        Self { number: Number::I64, dimensions: Vec::new(), data: value.to_le_bytes().into() }
    }

    /// A `TensorProto` with its data.
    pub(super) fn inline(&self, name: &str) -> Message {
        self.described(name).bytes(9, &self.data)
    }

    /// A `TensorProto` whose data begins at `offset` of the file `location`.
    pub(super) fn external(&self, name: &str, location: &str, offset: usize) -> Message {
        let entry = |key: &str, value: &str| Message::default().text(1, key).text(2, value);
        let entries = [
            entry("location", location),
            entry("offset", &offset.to_string()),
            entry("length", &self.data.len().to_string()),
        ];
        // Field 14 says where data is: 1 for another file.
        self.described(name).messages(13, &entries).integer(14, 1)
    }

    fn described(&self, name: &str) -> Message {
        Message::default().integers(1, &self.dimensions).integer(2, self.number as i64).text(8, name)
    }
}
