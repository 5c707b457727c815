//! Tokens with a task that the class of a tokenizer has where no file names them: `<s>` of `LlamaTokenizer`, ….
//!
//! Classes and their tokens are those of transformers 5.24 (the signatures of `tokenization_*.py`). What is not listed has
//! none: too few names are what most files mean.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::added::NAMES;

/// Texts in the order of [`NAMES`].
type Texts = [Option<&'static str>; NAMES.len()];

const ROBERTA: Texts =
    [Some("<s>"), Some("</s>"), Some("<unk>"), Some("</s>"), Some("<pad>"), Some("<s>"), Some("<mask>")];

#[rustfmt::skip]
const CLASSES: [(&str, Texts); 17] = [
    ("AlbertTokenizer", [Some("[CLS]"), Some("[SEP]"), Some("<unk>"), Some("[SEP]"), Some("<pad>"), Some("[CLS]"), Some("[MASK]")]),
    ("BertTokenizer", [None, None, Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")]),
    ("CamembertTokenizer", ROBERTA),
    ("CodeGenTokenizer", [Some("<|endoftext|>"), Some("<|endoftext|>"), Some("<|endoftext|>"), None, None, None, None]),
    ("CodeLlamaTokenizer", [Some("<s>"), Some("</s>"), Some("<unk>"), None, None, None, None]),
    ("CohereTokenizer", [Some("<BOS_TOKEN>"), Some("<|END_OF_TURN_TOKEN|>"), Some("<UNK>"), Some("<SEP>"), Some("<PAD>"), Some("<CLS>"), Some("<MASK_TOKEN>")]),
    ("DebertaTokenizer", [Some("[CLS]"), Some("[SEP]"), Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")]),
    ("DebertaV2Tokenizer", [Some("[CLS]"), Some("[SEP]"), Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")]),
    ("DistilBertTokenizer", [None, None, Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")]),
    ("GPT2Tokenizer", [Some("<|endoftext|>"), Some("<|endoftext|>"), Some("<|endoftext|>"), None, None, None, None]),
    ("GPTNeoXTokenizer", [Some("<|endoftext|>"), Some("<|endoftext|>"), Some("<|endoftext|>"), None, Some("<|padding|>"), None, None]),
    ("GemmaTokenizer", [Some("<bos>"), Some("<eos>"), Some("<unk>"), None, Some("<pad>"), None, Some("<mask>")]),
    ("LlamaTokenizer", [Some("<s>"), Some("</s>"), Some("<unk>"), None, None, None, None]),
    ("MPNetTokenizer", [Some("<s>"), Some("</s>"), Some("[UNK]"), Some("</s>"), Some("<pad>"), Some("<s>"), Some("<mask>")]),
    ("Qwen2Tokenizer", [None, Some("<|endoftext|>"), Some("<|endoftext|>"), None, Some("<|endoftext|>"), None, None]),
    ("RobertaTokenizer", ROBERTA),
    ("XLMRobertaTokenizer", ROBERTA),
];

/// The tokens of a class that no file says anything of, by name: `tokens` is what the files of the tokenizer say together.
pub(super) fn read(class: Option<&str>, tokens: &Map<String, Value>) -> BTreeMap<String, String> {
    let texts = CLASSES.iter().find(|(known, _)| class == Some(known)).map_or([None; NAMES.len()], |(_, texts)| *texts);
    let unsaid = NAMES.into_iter().zip(texts).filter(|(name, _)| !tokens.contains_key(*name));
    unsaid.filter_map(|(name, text)| Some((name.to_owned(), text?.to_owned()))).collect()
}
