//! The stack machine that pickles are written for, with every resource counted.

use std::collections::HashMap;

use super::global::{Global, refused};
use super::object::{Id, Object, Objects};
use super::operand::{self, WHAT, line};
use crate::cursor::Cursor;
use crate::{Error, Result};

/// Lists and tuples that are open at once.
const DEPTH: usize = 1000;
/// The highest protocol there is.
const PROTOCOL: u8 = 5;

/// What is left to spend. The longest real pickles have some hundred thousand instructions.
pub(in crate::torch) struct Budget {
    instructions: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { instructions: Self::INSTRUCTIONS }
    }
}

impl Budget {
    const INSTRUCTIONS: u64 = 4 << 20;

    fn spend(&mut self, offset: u64) -> Result<()> {
        let limit = Self::INSTRUCTIONS;
        let left = self.instructions.checked_sub(1);
        self.instructions = left.ok_or_else(|| Error::Limit {
            what: "instructions of the pickle".into(),
            offset,
            found: limit + 1,
            limit,
        })?;
        Ok(())
    }
}

/// Reads one pickle from the start of `bytes`: its values, which of them it is, and how many bytes it took.
pub(in crate::torch) fn read<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<(Objects<'a>, Id, usize)> {
    let mut machine = Machine {
        cursor: Cursor::new(bytes, bytes.len() as u64),
        at: 0,
        objects: Objects::default(),
        stack: Vec::new(),
        open: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        machine.at = machine.cursor.offset();
        budget.spend(machine.at)?;
        if let Some(root) = machine.step()? {
            return Ok((machine.objects, root, machine.cursor.offset() as usize));
        }
    }
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    /// Where the instruction stands.
    at: u64,
    objects: Objects<'a>,
    /// Values since the last mark.
    stack: Vec<Id>,
    /// Values before each mark.
    open: Vec<Vec<Id>>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    fn wrong(&self, found: impl Into<String>, expected: &'static str) -> Error {
        operand::wrong(self.at, found, expected)
    }

    /// Does one instruction. The last gives the pickle's value.
    fn step(&mut self) -> Result<Option<Id>> {
        let code = self.cursor.u8(WHAT)?;
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => self.protocol()?,
            // A frame says how much to read ahead, which is all here.
            0x95 => drop(self.cursor.u64(WHAT)?),
            b'(' => self.mark()?,
            b'0' => self.drop_top()?,
            // A mark without use, and the items of a set.
            b'1' | 0x90 => drop(self.marked()?),
            b'2' => {
                let top = *self.stack.last().ok_or_else(|| self.wrong("nothing to repeat", "a value"))?;
                self.stack.push(top);
            }
            b'N' => self.push(Object::None)?,
            // True, False, a set: no tensor is made of them.
            0x88 | 0x89 | 0x8f => self.push(Object::Other)?,
            b'G' | b'F' | b'K' | b'M' | b'J' | 0x8a | 0x8b | b'I' | b'L' => {
                let number = operand::number(&mut self.cursor, code)?;
                self.push(number)?;
            }
            b'X' | 0x8c | 0x8d | b'V' | b'S' | b'U' | b'T' => {
                let text = operand::text(&mut self.cursor, code)?;
                self.push(text)?;
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                operand::bytes(&mut self.cursor, code)?;
                self.push(Object::Other)?;
            }
            b')' => self.push(Object::Tuple(Vec::new()))?,
            b']' => self.push(Object::List(Vec::new()))?,
            b'}' => self.push(Object::Dict(Vec::new()))?,
            b't' => {
                let items = self.marked()?;
                self.push(Object::Tuple(items))?;
            }
            0x85..=0x87 => self.short_tuple(usize::from(code - 0x84))?,
            b'l' => {
                let items = self.marked()?;
                self.push(Object::List(items))?;
            }
            b'd' => {
                let items = self.marked()?;
                let pairs = self.pairs(&items)?;
                self.push(Object::Dict(pairs))?;
            }
            // A frozen set.
            0x91 => {
                self.marked()?;
                self.push(Object::Other)?;
            }
            b'a' | b'e' => self.append(code)?,
            b's' | b'u' => self.set(code)?,
            b'q' | b'r' | b'p' | 0x94 => self.put(code)?,
            b'h' | b'j' | b'g' => self.recall(code)?,
            b'c' | b'i' | 0x93 => self.global(code)?,
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let made = self.objects.call(function, arguments, self.at)?;
                self.push(made)?;
            }
            b'b' => {
                let (_state, target) = (self.pop()?, self.pop()?);
                self.objects.build(target, self.at)?;
                self.stack.push(target);
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.objects.persistent(id, self.at)?;
                self.push(storage)?;
            }
            // Classes that make objects: none that is known does.
            b'o' | 0x81 | 0x92 => return Err(self.wrong("an object of a class", "tensors and plain values")),
            // Names by number, from a list that Python programs keep.
            0x82 => return Err(refused(&format!("number {} of the extension registry", self.cursor.u8(WHAT)?))),
            0x83 => return Err(refused(&format!("number {} of the extension registry", self.cursor.u16(WHAT)?))),
            0x84 => return Err(refused(&format!("number {} of the extension registry", self.cursor.u32(WHAT)?))),
            _ => return Err(self.wrong(format!("the code {code:#04x}"), "one that torch.save writes")),
        }
        Ok(None)
    }

    fn push(&mut self, object: Object<'a>) -> Result<()> {
        let id = self.objects.add(object, self.at)?;
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        self.stack.pop().ok_or_else(|| self.wrong("an empty stack", "a value"))
    }

    /// As Python's: without a value since the last mark, the mark itself goes.
    fn drop_top(&mut self) -> Result<()> {
        if self.stack.pop().is_some() { Ok(()) } else { self.marked().map(drop) }
    }

    fn protocol(&mut self) -> Result<()> {
        let version = self.cursor.u8(WHAT)?;
        if version > PROTOCOL {
            return Err(self.wrong(format!("protocol {version}"), "0 to 5"));
        }
        Ok(())
    }

    fn mark(&mut self) -> Result<()> {
        if self.open.len() >= DEPTH {
            let (found, limit) = (DEPTH as u64 + 1, DEPTH as u64);
            return Err(Error::Limit { what: "open marks of the pickle".into(), offset: self.at, found, limit });
        }
        self.open.push(std::mem::take(&mut self.stack));
        Ok(())
    }

    /// The values since the last mark, which is closed.
    fn marked(&mut self) -> Result<Vec<Id>> {
        let before = self.open.pop().ok_or_else(|| self.wrong("no mark", "one"))?;
        Ok(std::mem::replace(&mut self.stack, before))
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err(self.wrong("a key without a value", "pairs"));
        };
        Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
    }

    fn short_tuple(&mut self, length: usize) -> Result<()> {
        let start = self.stack.len().checked_sub(length);
        let start = start.ok_or_else(|| self.wrong("an empty stack", "values for a tuple"))?;
        let items = self.stack.split_off(start);
        self.push(Object::Tuple(items))
    }

    fn append(&mut self, code: u8) -> Result<()> {
        let new = if code == b'a' { vec![self.pop()?] } else { self.marked()? };
        let target = self.stack.last().copied();
        match target.and_then(|target| self.objects.get_mut(target)) {
            Some(Object::List(items)) => items.extend(new),
            Some(other) => {
                let kind = other.kind();
                return Err(self.wrong(format!("items for {kind}"), "items for a list"));
            }
            None => return Err(self.wrong("items for nothing", "items for a list")),
        }
        Ok(())
    }

    fn set(&mut self, code: u8) -> Result<()> {
        let items = if code == b's' {
            let (value, key) = (self.pop()?, self.pop()?);
            vec![key, value]
        } else {
            self.marked()?
        };
        let new = self.pairs(&items)?;
        let target = self.stack.last().copied();
        match target.and_then(|target| self.objects.get_mut(target)) {
            Some(Object::Dict(pairs)) => pairs.extend(new),
            Some(other) => {
                let kind = other.kind();
                return Err(self.wrong(format!("keys for {kind}"), "keys for a dict"));
            }
            None => return Err(self.wrong("keys for nothing", "keys for a dict")),
        }
        Ok(())
    }

    /// The number of a place in the memo.
    fn place(&mut self, code: u8) -> Result<u64> {
        match code {
            b'q' | b'h' => self.cursor.u8(WHAT).map(Into::into),
            b'r' | b'j' => self.cursor.u32(WHAT).map(Into::into),
            0x94 => Ok(self.memo.len() as u64),
            _ => {
                let line = line(&mut self.cursor)?;
                let number = std::str::from_utf8(line).ok().and_then(|line| line.trim().parse().ok());
                number.ok_or_else(|| self.wrong("a place of the memo that is no number", "a number"))
            }
        }
    }

    fn put(&mut self, code: u8) -> Result<()> {
        let place = self.place(code)?;
        let top = *self.stack.last().ok_or_else(|| self.wrong("nothing to remember", "a value"))?;
        if self.memo.len() >= Objects::LIMIT {
            let (found, limit) = (Objects::LIMIT as u64 + 1, Objects::LIMIT as u64);
            return Err(Error::Limit { what: "places of the memo".into(), offset: self.at, found, limit });
        }
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, code: u8) -> Result<()> {
        let place = self.place(code)?;
        let id = self.memo.get(&place).copied();
        let id = id.ok_or_else(|| self.wrong(format!("the place {place} of the memo, which is empty"), "a value"))?;
        self.stack.push(id);
        Ok(())
    }

    /// A name, from the instruction or from two strings that were built before.
    fn global(&mut self, code: u8) -> Result<()> {
        let global = if code == 0x93 {
            let (name, module) = (self.pop()?, self.pop()?);
            match (self.objects.get(module), self.objects.get(name)) {
                (Object::Text(module), Object::Text(name)) => Global::find(module, name)?,
                (module, name) => {
                    let found = format!("a name of {} and {}", module.kind(), name.kind());
                    return Err(self.wrong(found, "two strings"));
                }
            }
        } else {
            let (module, name) = (line(&mut self.cursor)?, line(&mut self.cursor)?);
            Global::find(&String::from_utf8_lossy(module), &String::from_utf8_lossy(name))?
        };
        if code == b'i' {
            return Err(self.wrong("an object of a class", "tensors and plain values"));
        }
        self.push(Object::Global(global))
    }
}
