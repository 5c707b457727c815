//! A template that looks for veiled texts in veiled texts.
//!
//! Templates look at what a text says: `'</think>' in content`, `content.startswith('<tool_response>')`,
//! `content.replace('<image>', '')`. Where texts are veiled, what is looked for is, too; what a template writes is not.

use crate::parts::{Part, parts};
use crate::tokens::tokens;
use crate::veil::Veil;

/// Methods, filters and tests that look for their first argument.
const LOOK: [&str; 20] = [
    "startswith",
    "endswith",
    "split",
    "rsplit",
    "replace",
    "find",
    "rfind",
    "index",
    "rindex",
    "count",
    "partition",
    "rpartition",
    "strip",
    "lstrip",
    "rstrip",
    "removeprefix",
    "removesuffix",
    "equalto",
    "eq",
    "in",
];

/// Words and signs with a text to look for behind them, and those with one before them.
const BEFORE: [&str; 7] = ["==", "!=", "in", "<", ">", "<=", ">="];
const AFTER: [&str; 3] = ["==", "!=", "in"];

/// The source with a veil over all texts that it looks for.
pub(crate) fn veiled(source: &str, veil: &Veil) -> String {
    let mut out = String::with_capacity(source.len());
    for part in parts(source) {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expression(inside) => out.extend(["{{", &expression(inside, veil), "}}"]),
            Part::Statement(inside) => out.extend(["{%", &expression(inside, veil), "%}"]),
            Part::Comment(inside) => out.extend(["{#", inside, "#}"]),
            Part::Raw { inside, text } => out.extend(["{%", inside, "%}", text]),
        }
    }
    out
}

fn expression(inside: &str, veil: &Veil) -> String {
    let token = |(token, looked_for): (&str, bool)| if looked_for { quoted(token, veil) } else { token.to_owned() };
    marked(inside).into_iter().map(token).collect()
}

/// The tokens of an expression, white space included, each with whether it is a text that is looked for.
pub(crate) fn marked(inside: &str) -> Vec<(&str, bool)> {
    let mut out: Vec<(&str, bool)> = tokens(inside).map(|token| (token, false)).collect();
    let places: Vec<usize> = (0..out.len()).filter(|&at| !out[at].0.trim().is_empty()).collect();
    let words: Vec<&str> = places.iter().map(|&place| out[place].0).collect();
    let word = |at: Option<usize>| at.and_then(|at| words.get(at)).copied().unwrap_or_default();
    // For each open bracket, whether the texts in it are looked for.
    let mut open: Vec<bool> = Vec::new();
    for (at, &place) in places.iter().enumerate() {
        let (before, after) = (word(at.checked_sub(1)), word(Some(at + 1)));
        let within = open.last() == Some(&true);
        match words[at] {
            "(" => open.push(within || LOOK.contains(&before) || BEFORE.contains(&before)),
            "[" => open.push(within || BEFORE.contains(&before)),
            "{" => open.push(false),
            ")" | "]" | "}" => drop(open.pop()),
            // `replace` writes its second argument.
            "," if word(at.checked_sub(3)) == "replace" => open.last_mut().into_iter().for_each(|looks| *looks = false),
            text if text.starts_with(['\'', '"']) => {
                let is_first = AFTER.contains(&after) || after == "not" && word(Some(at + 2)) == "in";
                out[place].1 = within || BEFORE.contains(&before) || is_first;
            }
            _ => {}
        }
    }
    out
}

/// A text in quotes, veiled; as it is if it has escapes, which would be others then.
fn quoted(text: &str, veil: &Veil) -> String {
    let inner = text.get(1..text.len() - 1).filter(|inner| !inner.contains('\\'));
    inner.map_or_else(|| text.to_owned(), |inner| format!("{}{}{}", &text[..1], veil.all_of(inner), &text[..1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_veiled_and_what_is_written_is_not() {
        let veil = Veil::new("<>".chars());
        for (source, expected) in [
            ("<a>{{ '<b>' }}{{ x + '<c>' }}", "<a>{{ '<b>' }}{{ x + '<c>' }}"),
            ("{% if '<a>' in x and y != \"<b>\" %}<c>", "{% if '(a)' in x and y != \"(b)\" %}<c>"),
            ("{% if '<a>' not in x or x in ['<b>', '<c>'] %}", "{% if '(a)' not in x or x in ['(b)', '(c)'] %}"),
            ("{{ x.split('<a>')[0] + '<b>' }}", "{{ x.split('(a)')[0] + '<b>' }}"),
            (
                "{{ x.replace('<a>', '<b>')|replace('<c>', '<d>') }}",
                "{{ x.replace('(a)', '<b>')|replace('(c)', '<d>') }}",
            ),
            ("{{ x.startswith(('<a>', '<b>')) }}", "{{ x.startswith(('(a)', '(b)')) }}"),
            ("{{ f('<a>') if x == 1 else {'<b>': 1}['<c>'] }}", "{{ f('<a>') if x == 1 else {'<b>': 1}['<c>'] }}"),
            (
                "{# x == '<a>' #}{% raw %}{{ x == '<a>' }}{% endraw %}",
                "{# x == '<a>' #}{% raw %}{{ x == '<a>' }}{% endraw %}",
            ),
            ("{{ x == '\\n<a>' }}{{ '<a", "{{ x == '\\n<a>' }}{{ '<a"),
        ] {
            let shown: String = veiled(source, &veil)
                .chars()
                .map(|c| match veil.under(c) {
                    Some('<') => '(',
                    Some(_) => ')',
                    None => c,
                })
                .collect();
            assert_eq!(shown, expected);
        }
    }
}
