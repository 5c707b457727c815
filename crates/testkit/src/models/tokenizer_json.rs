//! The vocabulary as `tokenizer.json`: what the library `tokenizers` reads.
//!
//! `SentencePiece` merges by the score of the result; byte-pair encoding by a list. The list here has every way to make
//! a piece out of two others, best score first, so both end at the same tokens.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::vocabulary::{BOS, Kind, Piece, UNKNOWN};

pub(super) fn tokenizer_json(pieces: &[Piece]) -> Value {
    let ids: HashMap<&str, usize> = pieces.iter().enumerate().map(|(id, piece)| (piece.text.as_str(), id)).collect();
    let special = |piece: &Piece| matches!(piece.kind, Kind::Unknown | Kind::Control);
    let added: Vec<Value> = pieces
        .iter()
        .enumerate()
        .filter(|(_, piece)| special(piece))
        .map(|(id, piece)| {
            json!({
                "id": id, "content": piece.text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        })
        .collect();

    let mut normal: Vec<&Piece> = pieces.iter().filter(|piece| piece.kind == Kind::Normal).collect();
    normal.sort_by(|a, b| b.score.total_cmp(&a.score));
    let halves = |piece: &'_ Piece| -> Vec<Value> {
        let cuts = piece.text.char_indices().skip(1).map(|(at, _)| piece.text.split_at(at));
        cuts.filter(|(a, b)| ids.contains_key(a) && ids.contains_key(b)).map(|(a, b)| json!([a, b])).collect()
    };
    let merges: Vec<Value> = normal.into_iter().flat_map(halves).collect();
    let vocab: Value = pieces.iter().enumerate().map(|(id, piece)| (piece.text.clone(), json!(id))).collect();

    let (bos, unknown) = (&pieces[BOS as usize].text, &pieces[UNKNOWN as usize].text);
    let sequence = |id: &str, kind: u32| json!({ "Sequence": { "id": id, "type_id": kind } });
    let first = |kind: u32| json!({ "SpecialToken": { "id": bos, "type_id": kind } });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        // No space is put before a text: the GGUF file says `add_space_prefix` = false.
        "normalizer": { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        "pre_tokenizer": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first(0), sequence("A", 0)],
            "pair": [first(0), sequence("A", 0), first(1), sequence("B", 1)],
            "special_tokens": { bos.as_str(): { "id": bos, "ids": [BOS], "tokens": [bos] } },
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
                { "type": "ByteFallback" },
                { "type": "Fuse" },
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": unknown,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": true,
            "byte_fallback": true,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": merges,
        },
    })
}
