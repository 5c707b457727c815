//! Hosts of registries and URLs, as `host` or `host:port`.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What is wrong with a host, in messages.
pub(super) const EXPECTED: &str = "a host has letters, digits, dots and hyphens, or is [an IPv6 address]; \
                                   a port after it is a number up to 65535";

/// A host and port, checked and in lower case: what may be connected to, and nothing that a URL could hide in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    /// `None` if it is no host.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // The brackets keep an IPv6 address's colons from the port's.
        let (name, port) = match text.rfind(']').map(|end| text.split_at(end + 1)) {
            Some((name, "")) => (name, None),
            Some((name, port)) => (name, Some(port.strip_prefix(':')?)),
            None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
        };
        let is_known = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => is_name(name),
        };
        let port = port.map(parse_port);
        (is_known && port != Some(None)).then(|| Self { name: name.to_ascii_lowercase(), port: port.flatten() })
    }

    /// Whether it is this very machine.
    pub(super) fn is_loopback(&self) -> bool {
        let address = self.name.trim_matches(['[', ']']);
        self.name == "localhost"
            || address.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn parse_port(text: &str) -> Option<u16> {
    // `parse` alone would take a plus sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok().filter(|port| *port > 0)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read() {
        for text in ["localhost", "example.org", "xn--bcher-kva.example", "10.0.0.1:8080", "[::1]", "[2001:db8::1]:443"]
        {
            assert_eq!(Host::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Host::parse("EXAMPLE.org:0443").unwrap().to_string(), "example.org:443");
    }

    #[test]
    fn what_could_lead_elsewhere_is_not() {
        let hostile = [
            "",
            ".",
            "a..b",
            "a.",
            ".a",
            "-a",
            "a-",
            "a b",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:1:2",
            "a@b",
            "a/b",
            "a\\b",
            "a%2eb",
            "::1",
            "[::1",
            "::1]",
            "[]",
            "[a]",
            "[::1]x",
            "[::1]:",
            "[fe80::1%eth0]",
            "ä.org",
            "a_b",
            "a?b",
            "a#b",
        ];
        for text in hostile {
            assert_eq!(Host::parse(text), None, "{text}");
        }
        assert_eq!(Host::parse(&"a".repeat(64)), None);
        assert_eq!(Host::parse(&"a.".repeat(150)), None);
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for text in ["localhost", "LOCALHOST:1", "127.0.0.1", "127.255.0.9:80", "[::1]:80"] {
            assert!(Host::parse(text).unwrap().is_loopback(), "{text}");
        }
        for text in
            ["localhost.example.org", "127.0.0.1.example.org", "128.0.0.1", "10.0.0.1", "[::2]", "0.0.0.0", "127.1"]
        {
            assert!(!Host::parse(text).unwrap().is_loopback(), "{text}");
        }
    }
}
