//! Reads a model's file without its weights: everything is copied but the bytes of large tensors, whose place is noted.
//!
//! A file may hold two gigabytes of weights. They are passed over by seeking, so that reading a model takes the memory
//! and the time of its graph.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use super::wire::{self, Field, malformed};
use crate::{Error, Result, detect};

/// Bytes that are copied.
const COPIED: u64 = 256 << 20;
/// Parts of model and graph: nodes, tensors, inputs and so on.
const PIECES: usize = 500_000;
/// Tensors from this length on are left in the file. What is shorter is mostly shapes and axes, which the runtime wants
/// to see when it simplifies the graph.
const LARGE: u64 = 1024;

/// Numbers of fields.
pub(super) mod field {
    pub(in super::super) const MODEL_IR: u32 = 1;
    pub(in super::super) const MODEL_PRODUCER: u32 = 2;
    pub(in super::super) const MODEL_GRAPH: u32 = 7;
    pub(in super::super) const MODEL_OPSET: u32 = 8;
    pub(in super::super) const MODEL_FUNCTION: u32 = 25;
    pub(in super::super) const GRAPH_NODE: u32 = 1;
    pub(in super::super) const GRAPH_NAME: u32 = 2;
    pub(in super::super) const GRAPH_TENSOR: u32 = 5;
    pub(in super::super) const GRAPH_INPUT: u32 = 11;
    pub(in super::super) const GRAPH_OUTPUT: u32 = 12;
    pub(in super::super) const GRAPH_VALUE: u32 = 13;
    pub(in super::super) const TENSOR_RAW: u32 = 9;
}

/// A field of the model, or of its graph, that holds bytes.
#[derive(Debug)]
pub(super) struct Piece {
    /// Which field.
    pub(super) number: u32,
    start: usize,
    end: usize,
    /// Where its value begins in the file.
    offset: u64,
    /// `raw_data` that was left in the file: where it begins, and how long it is.
    pub(super) left: Option<(u64, u64)>,
}

/// What was copied of a file.
#[derive(Debug, Default)]
pub(super) struct Skim {
    bytes: Vec<u8>,
    /// `ir_version`.
    pub(super) ir: Option<u64>,
    /// Fields of the model but for the graph, in their order.
    pub(super) model: Vec<Piece>,
    /// Fields of the graph, in their order.
    pub(super) graph: Vec<Piece>,
}

impl Skim {
    /// Reads `file`, which is `size` bytes long.
    pub(super) fn read(file: &File, size: u64) -> Result<Self> {
        let mut reader = Reader { file: BufReader::with_capacity(64 << 10, file), at: 0, size, skim: Self::default() };
        reader.refuse_others()?;
        let has_graph = reader.model()?;
        if !has_graph {
            return Err(malformed("the model", 0, "no graph".into(), "an ONNX model with a graph"));
        }
        // Version 3 is of 2017; what came before had no opset_import.
        if reader.skim.ir.is_none_or(|ir| ir < 3) {
            let found = reader.skim.ir.map_or("no ir_version".into(), |ir| format!("ir_version {ir}"));
            return Err(malformed("the model", 0, found, "ir_version 3 or later"));
        }
        Ok(reader.skim)
    }

    /// The copied bytes of a piece.
    pub(super) fn bytes(&self, piece: &Piece) -> &[u8] {
        &self.bytes[piece.start..piece.end]
    }

    /// A piece as a field of the message that `what` names.
    pub(super) fn field(&self, piece: &Piece, what: &'static str) -> Field<'_> {
        Field::of_bytes(what, piece.number, self.bytes(piece), piece.offset)
    }
}

/// Copies what it reads to `skim.bytes`; what should not stay there is cut off again.
struct Reader<'a> {
    file: BufReader<&'a File>,
    at: u64,
    size: u64,
    skim: Skim,
}

impl Reader<'_> {
    /// A file that is plainly of another format is called by its name.
    fn refuse_others(&mut self) -> Result<()> {
        let head = self.file.fill_buf().map_err(|error| failed(0, &error))?;
        match detect::recognize(&head[..head.len().min(8 << 10)]) {
            Some(found) => Err(Error::UnknownFormat { expected: "an ONNX model", found }),
            None => Ok(()),
        }
    }

    /// Reads the model; gives whether it has a graph.
    fn model(&mut self) -> Result<bool> {
        /// `model_version`, a number that says nothing here.
        const VERSION: u32 = 5;
        let (mut has_graph, mut has_version) = (false, false);
        while self.at < self.size {
            let (mark, offset) = (self.skim.bytes.len(), self.at);
            let (number, wire) = self.tag(self.size)?;
            let twice = match (number, wire) {
                (field::MODEL_IR, 0) => {
                    let ir = self.varint(self.size)?;
                    self.skim.ir.replace(ir).is_some()
                }
                (VERSION, 0) => {
                    self.varint(self.size)?;
                    std::mem::replace(&mut has_version, true)
                }
                (field::MODEL_GRAPH, 2) => {
                    let end = self.length(self.size)?;
                    self.skim.bytes.truncate(mark);
                    self.graph(end)?;
                    std::mem::replace(&mut has_graph, true)
                }
                (_, 2) => {
                    let piece = self.piece(number, mark, self.size)?;
                    self.keep(piece, |skim| &mut skim.model)?;
                    continue;
                }
                _ => return Err(wrong("the model", offset, number, wire)),
            };
            if twice {
                return Err(malformed("the model", offset, format!("field {number} twice"), "one such field"));
            }
            if number != field::MODEL_GRAPH {
                self.skim.bytes.truncate(mark);
            }
        }
        Ok(has_graph)
    }

    fn graph(&mut self, end: u64) -> Result<()> {
        while self.at < end {
            let (mark, offset) = (self.skim.bytes.len(), self.at);
            let (number, wire) = self.tag(end)?;
            let piece = match (number, wire) {
                (field::GRAPH_TENSOR, 2) => self.tensor(mark, end)?,
                (_, 2) => self.piece(number, mark, end)?,
                _ => return Err(wrong("the graph", offset, number, wire)),
            };
            self.keep(piece, |skim| &mut skim.graph)?;
        }
        Ok(())
    }

    fn keep(&mut self, piece: Piece, list: impl FnOnce(&mut Skim) -> &mut Vec<Piece>) -> Result<()> {
        if self.skim.model.len() + self.skim.graph.len() == PIECES {
            let (found, limit) = (PIECES as u64 + 1, PIECES as u64);
            return Err(Error::Limit { what: "the parts of the graph".into(), offset: piece.offset, found, limit });
        }
        list(&mut self.skim).push(piece);
        Ok(())
    }

    /// Copies a tensor, but for its `raw_data` if that is large.
    fn tensor(&mut self, mark: usize, end: u64) -> Result<Piece> {
        let end = self.length(end)?;
        self.skim.bytes.truncate(mark);
        let offset = self.at;
        let mut left = None;
        while self.at < end {
            let (mark, from) = (self.skim.bytes.len(), self.at);
            let (number, wire) = self.tag(end)?;
            match wire {
                0 => drop(self.varint(end)?),
                1 => self.copy(8, end)?,
                2 => {
                    let field_end = self.length(end)?;
                    let length = field_end - self.at;
                    if number != field::TENSOR_RAW || length < LARGE {
                        self.copy(length, end)?;
                    } else if left.replace((self.at, length)).is_none() {
                        self.skim.bytes.truncate(mark);
                        self.pass(length)?;
                    } else {
                        return Err(malformed("a tensor", from, "raw_data twice".into(), "one such field"));
                    }
                }
                5 => self.copy(4, end)?,
                _ => return Err(wrong("a tensor", from, number, wire)),
            }
        }
        Ok(Piece { number: field::GRAPH_TENSOR, start: mark, end: self.skim.bytes.len(), offset, left })
    }

    /// Copies the rest of a field of bytes, whose tag was read.
    fn piece(&mut self, number: u32, mark: usize, end: u64) -> Result<Piece> {
        let end = self.length(end)?;
        self.skim.bytes.truncate(mark);
        let offset = self.at;
        self.copy(end - offset, end)?;
        Ok(Piece { number, start: mark, end: self.skim.bytes.len(), offset, left: None })
    }

    fn tag(&mut self, end: u64) -> Result<(u32, u8)> {
        let offset = self.at;
        wire::split(self.varint(end)?, offset)
    }

    /// A length; gives where the field ends.
    fn length(&mut self, end: u64) -> Result<u64> {
        let length = self.varint(end)?;
        self.within(length, end)
    }

    fn varint(&mut self, end: u64) -> Result<u64> {
        wire::varint(self.at, || {
            self.copy(1, end)?;
            Ok(self.skim.bytes.last().copied().unwrap_or_default())
        })
    }

    /// Where `length` bytes from here end, if that is not behind `end`.
    fn within(&self, length: u64, end: u64) -> Result<u64> {
        match self.at.checked_add(length) {
            Some(to) if to <= end => Ok(to),
            to if end == self.size => {
                let (what, needed) = ("a field of the model".into(), to.unwrap_or(u64::MAX));
                Err(Error::Truncated { what, needed, size: self.size })
            }
            _ => Err(malformed("a field", self.at, format!("{length} bytes"), "fields within their message")),
        }
    }

    fn copy(&mut self, length: u64, end: u64) -> Result<()> {
        let to = self.within(length, end)?;
        let found = self.skim.bytes.len() as u64 + length;
        if found > COPIED {
            let what = "the graph without its weights, in bytes,".into();
            return Err(Error::Limit { what, offset: self.at, found, limit: COPIED });
        }
        let read = self.file.by_ref().take(length).read_to_end(&mut self.skim.bytes);
        let read = read.map_err(|error| failed(self.at, &error))?;
        if (read as u64) < length {
            let (what, size) = ("the model: it got shorter meanwhile".into(), self.at + read as u64);
            return Err(Error::Truncated { what, needed: to, size });
        }
        self.at = to;
        Ok(())
    }

    fn pass(&mut self, length: u64) -> Result<()> {
        // Lengths are within the file, whose size a file system keeps below 2^63.
        self.file.seek_relative(length as i64).map_err(|error| failed(self.at, &error))?;
        self.at += length;
        Ok(())
    }
}

fn failed(at: u64, error: &std::io::Error) -> Error {
    malformed("the model", at, error.to_string(), "a file that can be read")
}

fn wrong(what: &str, offset: u64, number: u32, wire: u8) -> Error {
    malformed(what, offset, format!("field {number} of wire type {wire}"), "a field of ONNX")
}
