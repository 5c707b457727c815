//! Writes small files as `torch.save` does: a pickle and storages, in a zip archive; and as it did before.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::io::Cursor;

use trillm_formats::Error;
use trillm_formats::torch::Torch;

/// An entry of an archive, and what its records say of it.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub data: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    /// The name in the local header.
    pub local_name: String,
    /// The size in the central directory.
    pub size: u32,
}

/// A zip archive: entries stored one after the other, sizes left to the central directory.
#[derive(Clone)]
pub struct Zip {
    pub entries: Vec<Entry>,
    /// Whether the records for large archives are written, as PyTorch does for its own.
    pub large: bool,
    pub comment: Vec<u8>,
}

impl Zip {
    pub fn new() -> Self {
        Self { entries: vec![], large: true, comment: vec![] }
    }

    pub fn entry(mut self, name: &str, data: &[u8]) -> Self {
        let (name, local_name) = (name.to_owned(), name.to_owned());
        let size = data.len() as u32;
        self.entries.push(Entry { name, data: data.to_vec(), flags: 0x0808, method: 0, local_name, size });
        self
    }

    /// An archive around a pickle and storages, in the folder `archive`.
    pub fn checkpoint(pickle: &[u8], storages: &[&[u8]]) -> Self {
        let mut zip = Self::new().entry("archive/data.pkl", pickle).entry("archive/byteorder", b"little");
        for (key, storage) in storages.iter().enumerate() {
            zip = zip.entry(&format!("archive/data/{key}"), storage);
        }
        zip.entry("archive/version", b"3\n")
    }

    /// Two tensors, `a` of shape (2, 3) in 32-bit floats, `b` of four 16-bit ones.
    pub fn small() -> Self {
        let pickle =
            Pickle::dict().tensor("a", "FloatStorage", 0, 6, 0, &[2, 3]).tensor("b", "HalfStorage", 1, 4, 0, &[4]);
        Self::checkpoint(&pickle.end(), &[&[1; 24], &[2; 8]])
    }

    pub fn change(mut self, name: &str, change: impl FnOnce(&mut Entry)) -> Self {
        change(self.entries.iter_mut().find(|entry| entry.name == name).expect("an entry"));
        self
    }

    pub fn set(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let (mut out, mut directory) = (vec![], vec![]);
        for entry in &self.entries {
            let (method, flags) = (entry.method.to_le_bytes(), entry.flags.to_le_bytes());
            let offset = out.len() as u32;
            out.extend(b"PK\x03\x04\0\0");
            out.extend([flags, method].concat());
            out.extend([0; 16]);
            out.extend((entry.local_name.len() as u16).to_le_bytes());
            // Padding, as PyTorch aligns storages.
            out.extend(4u16.to_le_bytes());
            out.extend(entry.local_name.as_bytes());
            out.extend(b"FB\0\0");
            out.extend(&entry.data);

            directory.extend(b"PK\x01\x02\0\0\0\0");
            directory.extend([flags, method].concat());
            directory.extend([0; 8]);
            directory.extend(entry.size.to_le_bytes());
            directory.extend(entry.size.to_le_bytes());
            directory.extend((entry.name.len() as u16).to_le_bytes());
            directory.extend([0; 12]);
            directory.extend(offset.to_le_bytes());
            directory.extend(entry.name.as_bytes());
        }
        let (offset, size, count) = (out.len() as u64, directory.len() as u64, self.entries.len() as u64);
        out.extend(directory);
        if self.large {
            let at = out.len() as u64;
            out.extend(b"PK\x06\x06");
            for number in [44, 0x2d_001e, 0] {
                out.extend(u64::to_le_bytes(number)[..if number == 0x2d_001e { 4 } else { 8 }].iter());
            }
            for number in [count, count, size, offset] {
                out.extend(number.to_le_bytes());
            }
            out.extend(b"PK\x06\x07\0\0\0\0");
            out.extend(at.to_le_bytes());
            out.extend(1u32.to_le_bytes());
        }
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend((count as u16).to_le_bytes());
        out.extend((count as u16).to_le_bytes());
        out.extend((size as u32).to_le_bytes());
        out.extend((offset as u32).to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(&self.comment);
        out
    }
}

/// A checkpoint in the form before PyTorch 1.6: pickles, then storages behind the numbers of their elements.
#[derive(Clone)]
pub struct Older {
    /// The magic number, the version, sizes of a machine, the checkpoint, the keys.
    pub pickles: [Vec<u8>; 5],
    pub storages: Vec<(u64, Vec<u8>)>,
    pub behind: Vec<u8>,
}

impl Older {
    /// Around a pickle and storages, whose keys are their numbers, in this order.
    pub fn checkpoint(pickle: &[u8], storages: &[(u64, &[u8])]) -> Self {
        let magic = Pickle::new().op(&[0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);
        let sizes = Pickle::dict().text("little_endian").op(b"\x88s");
        let keys: Vec<String> = (0..storages.len()).map(|key| key.to_string()).collect();
        let pickles = [magic.end(), Pickle::new().int(1001).end(), sizes.end(), pickle.to_vec(), Self::keys(&keys)];
        let storages = storages.iter().map(|(count, data)| (*count, data.to_vec())).collect();
        Self { pickles, storages, behind: vec![] }
    }

    /// The pickle of a list of keys.
    pub fn keys(keys: &[impl AsRef<str>]) -> Vec<u8> {
        keys.iter().fold(Pickle::new().op(b"]("), |pickle, key| pickle.text(key.as_ref())).op(b"e").end()
    }

    /// The tensors of [`Zip::small`].
    pub fn small() -> Self {
        let pickle =
            Pickle::dict().tensor("a", "FloatStorage", 0, 6, 0, &[2, 3]).tensor("b", "HalfStorage", 1, 4, 0, &[4]);
        Self::checkpoint(&pickle.end(), &[(6, &[1; 24]), (4, &[2; 8])])
    }

    pub fn set(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let storages = self.storages.iter().map(|(count, data)| [&count.to_le_bytes()[..], data].concat());
        let parts: Vec<Vec<u8>> = self.pickles.iter().cloned().chain(storages).collect();
        [parts.concat(), self.behind.clone()].concat()
    }
}

/// A pickle of protocol 2, instruction by instruction.
#[derive(Clone)]
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Self(vec![0x80, 2])
    }

    /// One dict, to be filled.
    pub fn dict() -> Self {
        Self::new().op(b"}")
    }

    pub fn op(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub fn text(self, text: &str) -> Self {
        self.op(b"X").op(&(text.len() as u32).to_le_bytes()).op(text.as_bytes())
    }

    pub fn int(self, number: i32) -> Self {
        self.op(b"J").op(&number.to_le_bytes())
    }

    pub fn ints(self, numbers: &[i32]) -> Self {
        numbers.iter().fold(self.op(b"("), |pickle, number| pickle.int(*number)).op(b"t")
    }

    pub fn global(self, module: &str, name: &str) -> Self {
        self.op(format!("c{module}\n{name}\n").as_bytes())
    }

    /// A storage by its persistent id.
    pub fn storage(self, class: &str, key: i32, length: i32) -> Self {
        self.op(b"(").text("storage").global("torch", class).text(&key.to_string()).text("cpu").int(length).op(b"tQ")
    }

    /// The same as versions before 1.6 name it, with `part` on the stack behind its length.
    pub fn older_storage(self, class: &str, key: &str, length: i32, part: &[u8]) -> Self {
        let id = self.op(b"(").text("storage").global("torch", class).text(key).text("cpu").int(length);
        id.op(part).op(b"tQ")
    }

    /// A tensor on the stack, with strides of one's own choice.
    pub fn view(self, class: &str, key: i32, length: i32, offset: i32, shape: &[i32], strides: &[i32]) -> Self {
        let call = self.global("torch._utils", "_rebuild_tensor_v2").op(b"(");
        let call = call.storage(class, key, length).int(offset).ints(shape).ints(strides).op(b"\x89");
        call.global("collections", "OrderedDict").op(b")RtR")
    }

    /// A tensor of the dict.
    pub fn tensor(self, name: &str, class: &str, key: i32, length: i32, offset: i32, shape: &[i32]) -> Self {
        let mut strides = vec![1; shape.len()];
        for at in (1..shape.len()).rev() {
            strides[at - 1] = strides[at] * shape[at];
        }
        self.text(name).view(class, key, length, offset, shape, &strides).op(b"s")
    }

    pub fn end(self) -> Vec<u8> {
        self.op(b".").0
    }
}

/// Reads a checkpoint from memory.
pub fn read(bytes: &[u8]) -> Result<Torch, Error> {
    Torch::read(&mut Cursor::new(bytes), bytes.len() as u64)
}
