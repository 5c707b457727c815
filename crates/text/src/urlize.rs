//! The filter `urlize`: addresses in a text as links, by the rules of Jinja2.
#![expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments to a filter by value")]

use std::collections::BTreeSet;

use minijinja::value::{Rest, from_args};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};

use crate::arguments::add_filter;
use crate::bounds::bounded;
use crate::kinds::{is_decimal, is_word};
use crate::markup::escape;
use crate::python;

/// Last parts of an address without a scheme.
const ENDINGS: [&str; 8] = ["com", "net", "int", "edu", "gov", "org", "info", "mil"];

/// Adds it.
pub(crate) fn install(environment: &mut Environment) {
    add_filter(environment, "urlize", urlize);
}

fn urlize(state: &mut State, value: Value, Rest(given): Rest<Value>) -> Result<Value, Error> {
    let (limit, nofollow, target, rel): (Option<i64>, Option<bool>, Option<Value>, Option<Value>) =
        from_args(&given[..given.len().min(4)])?;
    let extra_schemes = given.get(4).filter(|schemes| !schemes.is_none());
    let mut rels = BTreeSet::from(["noopener".to_owned()]);
    if let Some(rel) = rel {
        rels.extend(python::text(&rel)?.split_whitespace().map(str::to_owned));
    }
    if nofollow == Some(true) {
        rels.insert("nofollow".into());
    }
    let rels = rels.into_iter().collect::<Vec<_>>().join(" ");
    let mut attributes = attribute("rel", &Value::from(rels))?;
    if let Some(target) = target {
        attributes += &attribute("target", &target)?;
    }
    let mut schemes = Vec::new();
    if let Some(extra) = extra_schemes {
        for scheme in python::items(extra)? {
            let scheme = python::text(&scheme?)?;
            if !is_scheme(&scheme) {
                let detail = format!("{scheme:?} is not a valid URI scheme prefix.");
                return Err(Error::new(ErrorKind::InvalidOperation, detail));
            }
            schemes.push(scheme);
        }
    }
    let links = Links { limit, attributes, schemes };
    let escaped = escape(&value)?;
    let text = escaped.as_str().unwrap_or_default();
    let (mut out, mut rest) = (String::new(), text);
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        links.word(word, &mut out);
        let (space, after) = after.split_at(after.find(|c: char| !c.is_whitespace()).unwrap_or(after.len()));
        out.push_str(space);
        out = bounded(out)?;
        rest = after;
    }
    Ok(if *state.auto_escape() == AutoEscape::None { Value::from(out) } else { Value::from_safe_string(out) })
}

/// An attribute of a tag; nothing if its value is false.
fn attribute(name: &str, value: &Value) -> Result<String, Error> {
    let escaped = escape(value)?;
    Ok(if value.is_true() { format!(" {name}=\"{}\"", escaped.as_str().unwrap_or_default()) } else { String::new() })
}

/// How links are written.
struct Links {
    /// The most characters shown of one.
    limit: Option<i64>,
    attributes: String,
    /// What else begins one.
    schemes: Vec<String>,
}

impl Links {
    fn word(&self, word: &str, out: &mut String) {
        let (head, middle, tail) = apart(word);
        let attributes = &self.attributes;
        let middle = if is_link(&middle) {
            let scheme = if middle.starts_with("https://") || middle.starts_with("http://") { "" } else { "https://" };
            let shown = self.shown(&middle);
            format!("<a href=\"{scheme}{middle}\"{attributes}>{shown}</a>")
        } else if let Some(address) = middle.strip_prefix("mailto:").filter(|address| is_mail(address)) {
            format!("<a href=\"{middle}\">{address}</a>")
        } else if !middle.starts_with("www.") && !middle.starts_with('@') && !middle.contains(':') && is_mail(&middle) {
            format!("<a href=\"mailto:{middle}\">{middle}</a>")
        } else {
            // Each scheme that fits makes a link of what is there.
            self.schemes.iter().fold(middle, |middle, scheme| {
                let fits = middle != *scheme && middle.starts_with(scheme.as_str());
                if fits { format!("<a href=\"{middle}\"{attributes}>{middle}</a>") } else { middle }
            })
        };
        out.extend([head, &middle, &tail]);
    }

    /// What is shown of a link.
    fn shown(&self, link: &str) -> String {
        let count = link.chars().count() as i64;
        match self.limit {
            Some(limit) if count > limit => {
                // As a slice in Python, which a negative end counts from the other side.
                let kept = if limit < 0 { (count + limit).max(0) } else { limit };
                link.chars().take(kept as usize).chain("...".chars()).collect()
            }
            _ => link.to_owned(),
        }
    }
}

/// A word without the brackets and signs around it, which stay if brackets inside are closed by them.
fn apart(word: &str) -> (&str, String, String) {
    let mut middle = word;
    while let Some(rest) = ["(", "<", "&lt;"].iter().find_map(|sign| middle.strip_prefix(sign)) {
        middle = rest;
    }
    let (head, rest) = word.split_at(word.len() - middle.len());
    middle = rest;
    while let Some(rest) = [")", ">", ".", ",", "&gt;"].iter().find_map(|sign| middle.strip_suffix(sign)) {
        middle = rest;
    }
    let (middle, tail) = rest.split_at(middle.len());
    let (mut middle, mut tail) = (middle.to_owned(), tail);
    for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let opened = middle.matches(open).count();
        if opened <= middle.matches(close).count() {
            continue;
        }
        for _ in 0..opened.min(tail.matches(close).count()) {
            let end = tail.find(close).map_or(0, |at| at + close.len());
            middle.push_str(&tail[..end]);
            tail = &tail[end..];
        }
    }
    (head, middle, tail.to_owned())
}

/// Jinja2's `_http_re`.
fn is_link(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let (has_scheme, rest) = rest.map_or((false, lower.as_str()), |rest| (true, rest));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let follows = |port: &str| (1..=5).contains(&port.chars().count()) && port.chars().all(is_decimal);
    let host = authority.rsplit_once(':').filter(|(_, port)| follows(port)).map_or(authority, |(host, _)| host);
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| is_word(c) || c == '%' || c == '-');
    let numbers: Vec<&str> = host.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.chars().count()) && part.chars().all(is_decimal);
    if has_scheme
        && (numbers.len() == 4 && numbers.iter().all(is_number) || is_version_6(host) || is_version_6(authority))
    {
        return true;
    }
    let named = if has_scheme { Some(host) } else { host.strip_prefix("www.") };
    let is_top = |top: &str| {
        let size = top.chars().count();
        (2..=63).contains(&size) && top.chars().all(|c| c.is_ascii_lowercase())
            || (6..=63).contains(&size)
                && top.strip_prefix("xn--").is_some_and(|top| top.chars().all(|c| is_word(c) || c == '%'))
    };
    if named.is_some_and(|named| {
        let (parts, top) = named.rsplit_once('.').map_or((None, named), |(parts, top)| (Some(parts), top));
        is_top(top) && parts.is_none_or(|parts| parts.split('.').all(is_part))
    }) {
        return true;
    }
    !has_scheme
        && host.rsplit_once('.').is_some_and(|(parts, top)| {
            let is_long = |part: &str| is_part(part) && (2..=63).contains(&part.chars().count());
            ENDINGS.contains(&top) && parts.split('.').all(is_long)
        })
}

/// An address of the sixth version in brackets.
fn is_version_6(host: &str) -> bool {
    let Some(inside) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) else { return false };
    let parts: Vec<&str> = inside.split(':').collect();
    let is_part = |part: &&str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Two groups with their colons, and one to six more, whose last may have one.
    (3..=9).contains(&parts.len()) && parts.iter().all(is_part) && (parts.len() < 9 || parts[8].is_empty())
}

/// Jinja2's `_email_re`.
fn is_mail(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else { return false };
    let Some((host, top)) = host.rsplit_once('.') else { return false };
    let is_host = host.starts_with(is_word) && host.chars().all(|c| is_word(c) || c == '.' || c == '-');
    !name.is_empty() && is_host && !top.is_empty() && top.chars().all(is_word)
}

/// Jinja2's `_uri_scheme_re`.
fn is_scheme(text: &str) -> bool {
    let Some((name, slashes)) = text.split_once(':') else { return false };
    let is_part = |c: char| is_word(c) || matches!(c, '.' | '+' | '-');
    name.chars().count() >= 2 && name.chars().all(is_part) && ["", "/", "//"].contains(&slashes)
}
