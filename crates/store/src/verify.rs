//! Reading everything again.

use std::{collections::HashSet, fs::File, io, ops::Range};

use trillm_core::files::are_too_many;

use crate::{
    Digest, Expected, FileName, Partial, Result, Store,
    chunks::{self, measure},
    files::{self, At},
    partial::chunk_hash,
};

/// A file that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The model it belongs to.
    pub reference: String,
    /// The file.
    pub file: FileName,
    /// What it should be.
    pub sha256: Digest,
    /// How large it should be, in bytes.
    pub size: u64,
    /// Which bytes are wrong or missing; all of them where that is not known, none if the file is only too long.
    pub ranges: Vec<Range<u64>>,
    /// What was found.
    pub reason: String,
}

impl Store {
    /// Reads every byte of every generation, and says what is not as it was when it came in.
    pub fn verify(&self, reference: &str) -> Result<Vec<Damage>> {
        let mut seen = HashSet::new();
        let mut damages = Vec::new();
        for file in self.history(reference)?.0.into_iter().flat_map(|manifest| manifest.model.files) {
            let (sha256, size) = (file.sha256, file.size);
            if !seen.insert(sha256) {
                continue;
            }
            if let Some((ranges, reason)) = self.look(sha256, size)? {
                let reference = reference.to_owned();
                damages.push(Damage { reference, file: file.name, sha256, size, ranges, reason });
            }
        }
        Ok(damages)
    }

    /// A download that has everything of a damaged file but its damaged ranges. Committing it mends the file, for all
    /// models that have it.
    pub fn repair(&self, damage: &Damage) -> Result<Partial> {
        let Damage { sha256, size, .. } = *damage;
        let expected = Expected::sha256(sha256);
        let partial = Partial::open(self, &format!("repair {sha256}"), size, expected, true)?;
        let (Ok(blob), Some(record)) = (File::open(self.blob_path(sha256)), self.record(sha256, size)) else {
            return Ok(partial);
        };
        let mut buffer = Vec::new();
        for (index, good) in record.hashes.into_iter().enumerate() {
            let chunk = chunks::range(index, size);
            // Asked again: what was right a moment ago may not be now.
            let wanted = damage.ranges.iter().any(|range| range.contains(&chunk.start));
            if wanted || chunk_hash(&blob, chunk.clone()).ok() != Some(good) || !partial.lacks(index) {
                continue;
            }
            let mut writer = partial.writer(chunk.start)?;
            let mut written = Ok(());
            files::each_piece_at(&blob, chunk, &mut buffer, |piece| {
                if written.is_ok() {
                    written = writer.write(piece);
                }
            })
            .at("read", &self.blob_path(sha256))?;
            written?;
        }
        Ok(partial)
    }

    /// What is wrong with a blob, and where; `None` if nothing is.
    fn look(&self, sha256: Digest, size: u64) -> Result<Option<(Vec<Range<u64>>, String)>> {
        let everything = || chunks::ranges(0..chunks::count(size), size);
        let mut file = match File::open(self.blob_path(sha256)) {
            // Not a pipe, which might never end.
            Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => file,
            Ok(_) => return Ok(Some((everything(), "is not a file".into()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some((everything(), "is missing".into())));
            }
            // Nothing is wrong with the blob.
            Err(error) if are_too_many(&error) => return Err(error).at("read", &self.blob_path(sha256)),
            Err(error) => return Ok(Some((everything(), format!("cannot be opened: {error}")))),
        };
        let reason = match measure(&mut file, &Expected::default()) {
            Ok((found, _)) if found.sha256 == sha256 && file.metadata().is_ok_and(|now| now.len() == size) => {
                return Ok(None);
            }
            Ok((found, _)) => format!("has sha256 {}, expected {sha256}", found.sha256),
            Err(error) => format!("cannot be read: {error}"),
        };
        let Some(record) = self.record(sha256, size) else { return Ok(Some((everything(), reason))) };
        // Beyond the end of a file that was cut, and where the disk fails, reading fails.
        let wrong = |(index, good): &(usize, u64)| chunk_hash(&file, chunks::range(*index, size)).ok() != Some(*good);
        let damaged = record.hashes.into_iter().enumerate().filter(wrong).map(|(index, _)| index);
        let ranges = chunks::ranges(damaged, size);
        // The record was made of the damaged bytes, if it finds nothing wrong with them.
        let is_longer = file.metadata().is_ok_and(|now| now.len() > size);
        Ok(Some((if ranges.is_empty() && !is_longer { everything() } else { ranges }, reason)))
    }
}
