//! Files of others: real models and vocabularies, and files that were made to be refused.
//!
//! They lie outside the repository. Without them these tests say so and pass.

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Folder, shared_folder as folder};
use trillm_core::Coded;
use trillm_formats::{TokenizerFile, inspect};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[test]
fn malformed_files_are_refused_at_once() {
    let Some(folder) = folder("malformed") else { return };
    let files = files(&folder).into_iter().filter(|path| path.to_string_lossy().contains("/gguf-"));
    let mut count = 0;
    for path in files {
        let start = Instant::now();
        let error = inspect(&path).expect_err(&path.to_string_lossy());
        assert!(start.elapsed() < Duration::from_secs(1), "{}: {:?}", path.display(), start.elapsed());
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
        drop(TokenizerFile::open(&path));
        count += 1;
    }
    assert!(count > 100, "{count} files");
}

#[test]
fn stories_is_accepted_with_its_quirks() {
    let Some(folder) = folder("models/stories260K") else { return };
    let info = inspect(&folder.join("stories260K.gguf")).expect("accepted");
    assert_eq!((info.architecture.as_str(), info.quantization.as_str()), ("llama", "F32"));
    assert_eq!((info.layers, info.width, info.vocabulary, info.context_trained), (5, 64, 512, 2048));
    assert_eq!((info.bytes, info.parameters), (1_185_376, 292_800));
    assert_eq!((info.chat_templates.default, info.pipeline.map(|pipeline| pipeline.stated)), (None, Some(false)));
    assert!(info.notes.iter().any(|note| note.contains("padding_token_id is 4294967295")), "{:?}", info.notes);
}

#[test]
fn stories_cut_anywhere_is_refused() {
    let Some(folder) = folder("models/stories260K") else { return };
    let whole = std::fs::read(folder.join("stories260K.gguf")).expect("read");
    let cuts = Folder::new("cuts");
    for part in 0..64 {
        let path = cuts.write("cut.gguf", &whole[..whole.len() * part / 64]);
        let error = inspect(&path).expect_err("refused");
        assert_eq!(error.code(), if part == 0 { "unknown_format" } else { "truncated" }, "{error}");
    }
    let error = inspect(&cuts.write("cut.gguf", &whole[..whole.len() - 1])).expect_err("refused");
    assert_eq!(error.code(), "truncated", "{error}");
}

#[test]
fn vocabularies_are_accepted_as_tokenizers_only() {
    let Some(folder) = folder("tokenizers") else { return };
    let vocabularies = files(&folder).into_iter().filter(|path| path.extension().is_some_and(|end| end == "gguf"));
    let mut count = 0;
    for path in vocabularies {
        let found = TokenizerFile::open(&path).unwrap_or_else(|error| panic!("{error}"));
        let TokenizerFile::Gguf(head) = found else { panic!("{found:?}") };
        let words = head.parse().expect("sound").tokenizer().expect("sound").words.len();
        assert!(words > 30_000, "{}: {words}", path.display());
        assert_eq!(inspect(&path).expect_err("refused").code(), "vocabulary_only");
        count += 1;
    }
    assert!(count >= 5, "{count} files");
}
