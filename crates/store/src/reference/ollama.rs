//! Models in registries that speak Ollama's protocol.

use std::fmt;

use super::{host, host::Host};
use crate::{Error, Result};

/// The registry where none is named.
const HOST: &str = "registry.ollama.ai";
/// The namespace where none is named.
const NAMESPACE: &str = "library";
/// The tag where none is named.
const TAG: &str = "latest";

/// The longest namespace or name, in bytes.
const LONGEST: usize = 80;
/// The longest tag, in bytes.
const LONGEST_TAG: usize = 128;

/// A model in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ollama {
    /// The registry, as `host` or `host:port`; Ollama's own if `None`.
    pub host: Option<String>,
    /// Whose it is: `library` unless said otherwise.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its tag: `latest` unless said otherwise.
    pub tag: String,
}

impl Ollama {
    /// Reads what is after `ollama:` in `text`.
    pub(super) fn parse(text: &str, rest: &str) -> Result<Self> {
        let (place, last) = rest.rsplit_once('/').map_or((None, rest), |(place, last)| (Some(place), last));
        let (host, namespace) = match place.map(|place| place.split_once('/').ok_or(place)) {
            None => (None, NAMESPACE),
            Some(Ok((host, namespace))) => (Some(host), namespace),
            Some(Err(first)) if is_host(first) => (Some(first), NAMESPACE),
            Some(Err(first)) => (None, first),
        };
        let (name, tag) = last.split_once(':').unwrap_or((last, TAG));
        for (what, part, longest) in
            [("a namespace", namespace, LONGEST), ("a name", name, LONGEST), ("a tag", tag, LONGEST_TAG)]
        {
            if !is_part(part, longest) {
                let reason = format!("{what} has 1 to {longest} letters, digits and - _ . and no - or . at the start");
                return Err(Error::invalid_reference(text, reason));
            }
        }
        let host = host
            .map(|host| Host::parse(host).ok_or_else(|| Error::invalid_reference(text, host::EXPECTED)))
            .transpose()?;
        Ok(Self {
            host: host.map(|host| host.to_string()).filter(|host| host != HOST),
            namespace: namespace.into(),
            name: name.into(),
            tag: tag.into(),
        })
    }
}

impl fmt::Display for Ollama {
    /// In the shortest form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, namespace, name, tag } = self;
        f.write_str("ollama:")?;
        // A namespace that looks like a host would be taken for one.
        let host = host.as_deref().or_else(|| is_host(namespace).then_some(HOST));
        if let Some(host) = host {
            write!(f, "{host}/")?;
        }
        if namespace != NAMESPACE || host.is_some_and(|host| !is_host(host)) {
            write!(f, "{namespace}/")?;
        }
        f.write_str(name)?;
        if tag == TAG { Ok(()) } else { write!(f, ":{tag}") }
    }
}

/// Whether the first of two parts is a host rather than a namespace.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part.eq_ignore_ascii_case("localhost")
}

fn is_part(part: &str, longest: usize) -> bool {
    part.len() <= longest
        && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}
