//! Reads a vocabulary from `tokenizer.json` and the small files beside it.
//!
//! Two kinds of `tokenizer.json` are understood: byte-level BPE (GPT-2, Llama 3, Qwen, …) and SentencePiece's BPE as
//! transformers converts it (Llama 1 and 2, Mistral, Gemma, Phi-3). llama.cpp has no words for others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use trillm_formats::huggingface::{Found, NamedToken, Sidecars};
use trillm_formats::open_regular;
use trillm_tokenizer::HuggingFaceTokenizer;

use crate::pre::Pre;
use crate::vocabulary::{Kind, Method, Special, Token, Vocabulary, filler, looks_special, scores_of_merges, some_of};
use crate::{Error, Result};

const FILE: &str = "tokenizer.json";
const SPACE: &str = "▁";

/// Reads the vocabulary of a model whose embedding has `rows` rows; rows without a token get a filler.
pub(crate) fn read(folder: &Path, sidecars: &Sidecars, rows: u32, notes: &mut Vec<String>) -> Result<Vocabulary> {
    let path = folder.join(FILE);
    // For its errors: what is no tokenizer to those who load a model is none here either.
    HuggingFaceTokenizer::open(&path, sidecars)?;
    let mut file = json(&path)?;
    if let (Some(prefix), Some(section)) = (sidecars.prefix, file.get_mut("pre_tokenizer")) {
        prefix.set(section);
    }
    let model = &file["model"];
    // Files from before the key have no other kind that begins like this.
    if model["type"].as_str().unwrap_or("BPE") != "BPE" {
        return Err(Error::unsupported(format!("the model of {FILE}"), &model["type"], "BPE"));
    }
    let merges = merges(&model["merges"])?;
    let byte_level = !is_empty(&file["pre_tokenizer"]) && contains(&file["pre_tokenizer"], "ByteLevel");
    let mut table = Table::new(rows);
    fill(&mut table, model)?;
    if !byte_level {
        mark_bytes(&mut table.tokens, model);
    }
    add(&mut table, &file["added_tokens"], byte_level)?;
    name(&mut table, &sidecars.tokens);
    let Table { tokens, left_out, .. } = table;
    check(&tokens, byte_level)?;
    if let Some(left_out) = some_of(left_out.iter().map(String::as_str)) {
        notes.push(format!("tokens left out, for the embedding has {rows} rows: {left_out}"));
    }

    let ids: HashMap<&str, u32> =
        tokens.iter().enumerate().map(|(id, token)| (token.text.as_str(), id as u32)).collect();
    let id = |text: Option<&str>| text.and_then(|text| ids.get(text).copied());
    // Names of the class never stand beside those of files.
    let text = |name: &str| sidecars.special_tokens.get(name).or(sidecars.usual_tokens.get(name));
    let named = |name: &str| id(text(name).map(String::as_str));
    // As in tokenizer.json, an id may be that of a token without a row.
    let ends: Vec<u32> = sidecars.end_ids.iter().copied().filter(|id| *id < rows).collect();
    let (starts, stops) = surroundings(&file["post_processor"]);
    // A number in config.json gives a template no name, so it is no token that begins texts either.
    let bos = named("bos_token").or(id(starts));
    // Neither is one that ends answers, but readers of a file that names none take one: the second of SentencePiece's, which
    // must be right then.
    let unsaid = !byte_level && ends.contains(&2);
    let eos = named("eos_token").or(ends.first().copied().filter(|_| !unsaid));
    let special = Special {
        bos,
        eos,
        end_of_turn: ends.iter().copied().find(|end| Some(*end) != eos),
        unknown: named("unk_token").or(id(model["unk_token"].as_str())),
        separator: named("sep_token"),
        padding: named("pad_token"),
        class: named("cls_token"),
        mask: named("mask_token"),
        add_bos: bos.is_some() && starts.is_some(),
        add_eos: eos.is_some() && stops.is_some(),
    };
    let method = if byte_level {
        byte_level_method(&file, merges, notes)?
    } else {
        let space_prefix = space_prefix(&file, &tokens, notes)?;
        let scores = scores_of_merges(&tokens, &merges);
        notes.push("the scores of the tokens were made from the order of the merges in tokenizer.json".into());
        Method::Scores { scores, space_prefix }
    };
    let found = found(&file, &sidecars.tokens);
    Ok(Vocabulary { method, tokens, special, found, chat_templates: sidecars.chat_templates.clone() })
}

/// How added tokens are found in a text, of those that are not found wherever they stand.
fn found(file: &Value, named: &[NamedToken]) -> BTreeMap<String, Found> {
    // Of all that is done to a text before, only what puts a space before it changes where a token is found.
    let prepends = contains(&file["normalizer"], "Prepend");
    let mut found = BTreeMap::new();
    for token in file["added_tokens"].as_array().map_or(&[][..], Vec::as_slice) {
        let flag = |key: &str| token[key] == true;
        let [lstrip, rstrip, single_word, normalized] = ["lstrip", "rstrip", "single_word", "normalized"].map(flag);
        found.extend(token["content"].as_str().map(|text| (text, Found { lstrip, rstrip, single_word, normalized })));
    }
    for NamedToken { content, special, found: said } in named {
        match said {
            Some(said) => _ = found.insert(content, *said),
            None => _ = found.entry(content).or_insert(Found { normalized: !special, ..Found::default() }),
        }
    }
    for found in found.values_mut() {
        found.normalized &= prepends;
    }
    found.retain(|_, found| *found != Found::default());
    found.into_iter().map(|(text, found)| (text.into(), found)).collect()
}

/// A JSON file.
fn json(path: &Path) -> Result<Value> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    open_regular(path)?.0.read_to_end(&mut bytes).map_err(failed)?;
    serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))
}

fn is_empty(step: &Value) -> bool {
    step.is_null()
}

/// The steps of a part of the file, which is one step or a sequence of them.
fn steps(part: &Value) -> Vec<&Value> {
    if part["type"] != "Sequence" {
        return if part.is_null() { Vec::new() } else { vec![part] };
    }
    let inner = ["normalizers", "pretokenizers", "processors"].iter().find_map(|key| part[key].as_array());
    inner.map(|steps| steps.iter().collect()).unwrap_or_default()
}

fn contains(part: &Value, kind: &str) -> bool {
    steps(part).iter().any(|step| step["type"] == kind)
}

/// The merges, each a text with a space in it or, in newer files, a pair.
fn merges(value: &Value) -> Result<Vec<(String, String)>> {
    let merges = value.as_array().ok_or_else(|| Error::missing(format!("the merges of {FILE}"), "an array"))?;
    let pair = |merge: &Value| match merge {
        Value::String(text) => text.split_once(' ').map(|(left, right)| (left.into(), right.into())),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(left), Value::String(right)] => Some((left.clone(), right.clone())),
            _ => None,
        },
        _ => None,
    };
    let wrong = |merge| Error::unsupported(format!("a merge of {FILE}"), merge, "two pieces");
    merges.iter().map(|merge| pair(merge).ok_or_else(|| wrong(merge))).collect()
}

/// Tokens by id, as far as the model has rows for them, as llama.cpp's converter keeps them.
struct Table {
    /// Fillers where there is none.
    tokens: Vec<Token>,
    /// Texts of those without a row.
    left_out: Vec<String>,
    /// The number behind all tokens.
    next: u32,
}

impl Table {
    fn new(rows: u32) -> Self {
        let filler = |id| Token { text: filler(id), kind: Kind::Unused };
        Self { tokens: (0..rows as usize).map(filler).collect(), left_out: Vec::new(), next: 0 }
    }

    fn place(&mut self, id: u32, text: &str, kind: Kind) {
        self.next = self.next.max(id.saturating_add(1));
        match self.tokens.get_mut(id as usize) {
            Some(slot) => *slot = Token { text: text.into(), kind },
            None => self.left_out.push(text.into()),
        }
    }
}

/// The id that a file gives to a token.
fn id_of(id: &Value, text: &str) -> Result<u32> {
    let number = id.as_u64().and_then(|id| u32::try_from(id).ok());
    number.ok_or_else(|| Error::unsupported(format!("the id of the token {text:?}"), id, "a number"))
}

/// Puts the model's own tokens into the table.
fn fill(table: &mut Table, model: &Value) -> Result<()> {
    let vocabulary =
        model["vocab"].as_object().ok_or_else(|| Error::missing(format!("the vocab of {FILE}"), "an object"))?;
    for (text, id) in vocabulary {
        table.place(id_of(id, text)?, text, Kind::Normal);
    }
    Ok(())
}

/// Marks and adds what only the small files say of tokens. New ones get the numbers that transformers gives them.
fn name(table: &mut Table, named: &[NamedToken]) {
    let placed = table.tokens.iter().enumerate().map(|(id, token)| (token.text.clone(), Some(id)));
    // Those without a row are known, too.
    let known: HashMap<String, Option<usize>> =
        table.left_out.iter().map(|text| (text.clone(), None)).chain(placed).collect();
    for NamedToken { content, special, .. } in named {
        let kind = if *special || looks_special(content) { Kind::Control } else { Kind::UserDefined };
        match known.get(content) {
            Some(&Some(id)) if kind == Kind::Control && table.tokens[id].kind != Kind::Unknown => {
                table.tokens[id].kind = kind;
            }
            Some(_) => {}
            // Each is named once.
            None => table.place(table.next, content, kind),
        }
    }
}

/// Whether a token is spelled like one of SentencePiece's bytes (`<0x0A>`).
fn spells_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|text| text.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok())
}

/// Checks what a GGUF file cannot have: two tokens of one spelling, and an added one that is spelled like a byte.
fn check(tokens: &[Token], byte_level: bool) -> Result<()> {
    let refused = |token: &Token, expected| {
        Err(Error::unsupported(format!("a token of {FILE}"), format!("{:?}", token.text), expected))
    };
    let mut seen = HashSet::new();
    for token in tokens {
        if !byte_level && token.kind != Kind::Byte && spells_byte(&token.text) {
            return refused(token, "no added one that is spelled like a byte");
        }
        if !seen.insert(token.text.as_str()) {
            return refused(token, "distinct ones, as GGUF has them");
        }
    }
    Ok(())
}

/// Marks SentencePiece's bytes and its token for the unknown.
fn mark_bytes(tokens: &mut [Token], model: &Value) {
    for token in tokens {
        if spells_byte(&token.text) {
            token.kind = Kind::Byte;
        } else if model["unk_token"] == *token.text {
            token.kind = Kind::Unknown;
        }
    }
}

/// Marks and adds the added tokens, in the spelling that llama.cpp's converter gives them.
fn add(table: &mut Table, added: &Value, byte_level: bool) -> Result<()> {
    for token in added.as_array().map_or(&[][..], Vec::as_slice) {
        let text = token["content"].as_str().ok_or_else(|| Error::missing("an added token's content", "a text"))?;
        let id = id_of(&token["id"], text)?;
        let kind = match table.tokens.get(id as usize) {
            Some(old) if old.kind == Kind::Unknown && old.text == text => Kind::Unknown,
            _ if token["special"] == true || looks_special(text) => Kind::Control,
            _ => Kind::UserDefined,
        };
        // llama.cpp looks for these in the text as it came, before spaces are replaced.
        let spaced = kind == Kind::UserDefined && !byte_level;
        let text = if spaced { text.replace(SPACE, " ") } else { text.into() };
        table.place(id, &text, kind);
    }
    Ok(())
}

/// The tokens that the post-processor puts before and behind a text.
fn surroundings(processor: &Value) -> (Option<&str>, Option<&str>) {
    let template = steps(processor).into_iter().find(|step| step["type"] == "TemplateProcessing");
    let items = template.and_then(|template| template["single"].as_array()).map_or(&[][..], Vec::as_slice);
    let [first, last] = [items.first(), items.last()].map(|item| item?["SpecialToken"]["id"].as_str());
    (first, last)
}

fn byte_level_method(file: &Value, merges: Vec<(String, String)>, notes: &mut Vec<String>) -> Result<Method> {
    for step in steps(&file["normalizer"]) {
        if step["type"] != "NFC" {
            return Err(Error::unsupported(format!("the normalizer of {FILE}"), step, "none, or NFC"));
        }
        notes.push("llama.cpp does not bring text to NFC, as tokenizer.json asks".into());
    }
    let ignore_merges = file["model"]["ignore_merges"].as_bool().unwrap_or(false);
    Ok(Method::Merges { pre: Pre::recognize(&file["pre_tokenizer"], ignore_merges)?, merges })
}

/// Whether a text gets a space before it, in a file that was made from SentencePiece's. llama.cpp puts one before each
/// part between special tokens or before none, and merges across spaces; what differs from that goes to `notes`.
fn space_prefix(file: &Value, tokens: &[Token], notes: &mut Vec<String>) -> Result<bool> {
    let mut prefix = false;
    for step in steps(&file["normalizer"]) {
        let replaces = step["type"] == "Replace" && step["pattern"]["String"] == " " && step["content"] == SPACE;
        if step["type"] == "Prepend" && step["prepend"] == SPACE {
            prefix = true;
        } else if !replaces {
            return Err(Error::unsupported(format!("the normalizer of {FILE}"), step, "one that marks spaces with ▁"));
        }
    }
    for step in steps(&file["pre_tokenizer"]) {
        let metaspace = step["type"] == "Metaspace" && step["replacement"] == SPACE;
        // Gemma's: after the normalizer there are no spaces left to split at.
        let idle =
            step["type"] == "Split" && step["pattern"]["String"] == " " && step["behavior"] == "MergedWithPrevious";
        if metaspace {
            // Older files have another field.
            let old = if step["add_prefix_space"] == false { "never" } else { "always" };
            let scheme = step["prepend_scheme"].as_str().unwrap_or(old);
            let said = match scheme {
                // What begins with a space gets no other.
                _ if prefix => None,
                "always" => Some("puts a space before a text that begins with one, too"),
                "first" => Some("puts a space before a text that begins with one, and behind every special token, too"),
                _ => None,
            };
            notes.extend(said.map(|said| {
                format!("llama.cpp {said}, where tokenizer.json does not (Metaspace with prepend_scheme {scheme})")
            }));
            prefix |= scheme != "never";
            let crosses =
                |token: &&Token| token.kind == Kind::Normal && token.text.chars().skip(1).any(|it| SPACE.contains(it));
            if step["split"] != false
                && let Some(tokens) = some_of(tokens.iter().filter(crosses).map(|token| token.text.as_str()))
            {
                notes.push(format!(
                    "llama.cpp makes {tokens} of a text, where tokenizer.json joins nothing across spaces (Metaspace with split)"
                ));
            }
        } else if !idle {
            return Err(Error::unsupported(format!("the pre_tokenizer of {FILE}"), step, "none, or Metaspace"));
        }
    }
    if file["model"]["byte_fallback"] != true {
        return Err(Error::unsupported(format!("byte_fallback of {FILE}"), &file["model"]["byte_fallback"], "true"));
    }
    Ok(prefix)
}
