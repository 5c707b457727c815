//! Which tokens only a template may write.
//!
//! Control tokens, whoever calls them so. Beside those a vocabulary has tokens that were added to it later, and their
//! flags do not say what for: published files have `<｜User｜>` as an ordinary added token, and also runs of spaces,
//! line breaks, words and HTML tags, which were added to make text shorter and must be read out of a user's text as
//! ever. The rule, by what they look like and what the template writes:
//!
//! - white space and words are text, whatever the template writes: it writes `assistant` and indents by tabs;
//! - a name with an underscore in it (`USER_TOKEN`) is one if the template writes it, beyond the names of its variables
//!   and fields: no prose has such a word;
//! - so are tags of HTML for text, unless the template writes them;
//! - what looks like a marker is one: `<think>`, `[INST]`, `<|user|>`, `＜｜User｜＞`;
//! - what stands between `<|` and `|>` is one whatever it is, if the template writes it: Gemma 4 puts texts in `<|"|>`;
//! - of the rest (`###`, `e.g.`, `]~b]`) what the template writes is one, if there is a letter or a digit in it:
//!   punctuation alone is code or Markdown.

use trillm_core::{Token, Tokenizer};

use crate::tokens::is_word;
use crate::written::written;

/// Elements of HTML that mark up text: Gemma has tokens for some of them.
const HTML: &str = "a b blockquote body br caption center code dd del div dl dt em footer h1 h2 h3 h4 h5 h6 head header hr \
    html i ins li ol p pre s small span strong sub sup table tbody td tfoot th thead title tr u ul";

/// The tokens that only a template of this source may write, in order, each with its spelling.
pub(crate) fn reserved<'a>(tokenizer: &'a dyn Tokenizer, source: &str) -> Vec<(Token, &'a str)> {
    let mut control = tokenizer.control().to_vec();
    control.sort_unstable();
    let written = written(source);
    let is_reserved = |token: Token, text: &str| {
        control.binary_search(&token).is_ok()
            || is_marker(text, source)
            || is_written_name(text, &written)
            || is_written_pair(text, &written)
    };
    let mut tokens: Vec<Token> = tokenizer.added().iter().chain(&control).copied().collect();
    tokens.sort_unstable();
    tokens.dedup();
    let spelled = tokens.into_iter().filter_map(|token| Some((token, tokenizer.spelling(token)?)));
    spelled.filter(|&(token, text)| is_reserved(token, text)).collect()
}

fn is_marker(text: &str, source: &str) -> bool {
    // SentencePiece writes a space as ▁.
    let is_word = |c: char| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '_' | '▁' | '\'' | '-');
    if text.chars().all(is_word) {
        return false;
    }
    looks_like_one(text) || text.contains(char::is_alphanumeric) && source.contains(text)
}

fn is_written_name(text: &str, written: &[String]) -> bool {
    let is_name = text.contains('_') && text.contains(char::is_alphanumeric) && text.chars().all(is_word);
    is_name && written.iter().any(|own| own.contains(text))
}

fn is_written_pair(text: &str, written: &[String]) -> bool {
    let is_pair = [("<|", "|>"), ("<｜", "｜>"), ("＜｜", "｜＞")]
        .iter()
        .any(|(open, close)| text.strip_prefix(open).is_some_and(|rest| rest.ends_with(close)));
    is_pair && written.iter().any(|own| own.contains(text))
}

fn looks_like_one(text: &str) -> bool {
    let between = |open: &[char], close: &[char]| text.strip_prefix(open)?.strip_suffix(close);
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':' | '.' | '@' | '▁' | '|' | '｜');
    if text.contains("<|") || text.contains("|>") || text.contains('｜') {
        return text.contains(char::is_alphanumeric);
    }
    if is_tagged(text) {
        return true;
    }
    if let Some(inside) = between(&['<', '＜'], &['>', '＞']) {
        let tag = inside.trim_start_matches('/').trim_end_matches(['/', ' ']);
        return inside.contains(char::is_alphabetic)
            && !inside.contains(char::is_whitespace)
            && !HTML.split(' ').any(|element| element == tag.to_ascii_lowercase());
    }
    // `[0]`, `[i]` and `[key]` are code, `[INST]` and `[unused1]` are not.
    between(&['[', '【'], &[']', '】']).is_some_and(|inside| {
        let first = inside.trim_start_matches('/');
        inside.chars().all(is_name)
            && (first.starts_with("unused") || first.chars().filter(char::is_ascii_uppercase).nth(1).is_some())
    })
}

/// `<tool call>`, `<bos`, `«sys»`, `::end::`, `{{user}}`: a name behind or between signs that no prose has there.
fn is_tagged(text: &str) -> bool {
    let is_sign = |c: char| !c.is_alphanumeric() && !c.is_whitespace() && c != '_';
    let inside = text.trim_matches(is_sign);
    let before = &text[..text.len() - text.trim_start_matches(is_sign).len()];
    let after = &text[text.trim_end_matches(is_sign).len()..];
    let is_name = inside.trim() == inside && inside.chars().filter(|c| c.is_alphabetic()).nth(1).is_some();
    let is_html = HTML.split(' ').any(|element| element == inside.to_ascii_lowercase());
    let opens = before.starts_with(['<', '＜', '«', '‹', '〈', '《', '⟨', '【', '〔']);
    let doubled = |signs: &str| signs.chars().nth(1).is_some();
    is_name && !is_html && (opens || doubled(before) && doubled(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_marker_where_the_template_writes_it() {
        let written = written("{% set x = 'USER_TOKEN' %}BOT_TOKEN{{ m['tool_calls'] }}assistant");
        for (text, expected) in
            [("USER_TOKEN", true), ("BOT_TOKEN", true), ("tool_calls", false), ("assistant", false), ("__", false)]
        {
            assert_eq!(is_written_name(text, &written), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_between_signs_is_a_marker_where_the_template_writes_it() {
        let written = written(r#"<|"|>{{ m }}<|"|>{{ '<|\'|>' }}{% if '<|.|>' in m %}{% endif %}"#);
        for (text, expected) in
            [("<|\"|>", true), ("<|'|>", true), ("<|.|>", false), ("<||>", false), ("<|>", false), ("\"", false)]
        {
            assert_eq!(is_written_pair(text, &written), expected, "{text}");
        }
    }

    #[test]
    fn markers_are_told_from_text() {
        let template = "<|im_start|>{{ m }} ### User: ]~b] \n\n    assistant () <th>";
        for marker in [
            "<think>",
            "</think>",
            "<|user|>",
            "<｜User｜>",
            "<｜tool▁calls▁begin｜>",
            "[INST]",
            "[/INST]",
            "[TOOL_CALLS]",
            "<unused12>",
            "[unused1]",
            "<turn|>",
            "<|channel>",
            "<tool_call>",
            "<start_of_turn>",
            "【SYS】",
            "### User:",
            "]~b]",
            "<th>",
            "<tool call>",
            "<bos",
            "«sys»",
            "::end::",
            "{{user}}",
            "[[user]]",
        ] {
            assert!(is_marker(marker, template), "{marker}");
        }
        for text in [
            "\n\n",
            "    ",
            "▁▁",
            "\t",
            "assistant",
            "don't",
            "well-known",
            "<table>",
            "</h1>",
            "<B>",
            "<br/>",
            "()",
            "[]",
            "<>",
            "[0]",
            "[i]",
            "{}",
            "=>",
            "->",
            "###",
            "日本",
            "e.g",
            ":)",
            "<1>",
            "< a >",
            "<div",
            "(self)",
            "{name}",
            "\"name\"",
            "->name",
            "well_known",
        ] {
            assert!(!is_marker(text, template), "{text:?}");
        }
    }
}
