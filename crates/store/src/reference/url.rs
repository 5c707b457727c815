//! Plain URLs.
//!
//! Only what names one file is read: no credentials, which would end up in lists and logs, and no plain HTTP unless the
//! bytes are checked or never leave the machine.

use std::fmt;

use super::{host, host::Host};
use crate::{Digest, Error, FileName, Result};

/// A file at a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The URL, without its fragment.
    pub url: String,
    /// What the bytes must be.
    pub sha256: Option<Digest>,
    name: FileName,
}

impl Url {
    /// The schemes that are read.
    pub(super) const SCHEMES: [&str; 2] = ["https://", "http://"];

    /// Reads `scheme` and `rest`, which together are `text`.
    pub(super) fn parse(text: &str, scheme: &str, rest: &str) -> Result<Self> {
        // First of all, so that no other error quotes a password.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if let Some((_, host)) = authority.rsplit_once('@') {
            let reason = "it has a user name or password: put a token in the configuration instead";
            return Err(Error::invalid_reference(&format!("{scheme}…@{host}/…"), reason));
        }
        if let Some(odd) = rest.chars().find(|c| !c.is_ascii_graphic() || r#""<>\^`{|}"#.contains(*c)) {
            return Err(Error::invalid_reference(text, format!("a URL has {odd:?} percent-encoded")));
        }
        let (address, fragment) = rest.split_once('#').map_or((rest, None), |(url, fragment)| (url, Some(fragment)));
        let sha256 = fragment.map(|fragment| {
            let digest = fragment.strip_prefix("sha256=").map(|hex| hex.to_ascii_lowercase().parse());
            digest
                .and_then(Result::ok)
                .ok_or_else(|| Error::invalid_reference(text, "after # comes sha256= and 64 hexadecimal digits"))
        });
        let sha256 = sha256.transpose()?;
        let path = &address[authority.len()..];
        let host = Host::parse(authority).ok_or_else(|| Error::invalid_reference(text, host::EXPECTED))?;
        if scheme == "http://" && sha256.is_none() && !host.is_loopback() {
            let reason = "over plain http anyone on the way can change the bytes: use https, or add #sha256=…";
            return Err(Error::invalid_reference(text, reason));
        }
        let name = path.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(_, name)| name);
        let name = decoded(name)
            .ok_or_else(|| Error::invalid_reference(text, "its path has a % that encodes no UTF-8 text"))?;
        if name.is_empty() || name.contains('/') {
            return Err(Error::invalid_reference(text, "its path does not end with the name of a file"));
        }
        let name = name.parse().map_err(|error: Error| Error::invalid_reference(text, error.to_string()))?;
        Ok(Self { url: format!("{scheme}{host}{path}"), sha256, name })
    }

    /// The name of the file: the last component of the path, decoded.
    pub fn file_name(&self) -> &FileName {
        &self.name
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        self.sha256.as_ref().map_or(Ok(()), |sha256| write!(f, "#sha256={sha256}"))
    }
}

/// The text with `%41` as `A`; `None` if that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.bytes());
    }
    String::from_utf8(bytes).ok()
}
