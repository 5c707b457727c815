//! How a server is set up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// How a server is set up. The defaults are safe on a machine of one's own.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens: port 0 takes any that is free. Default 127.0.0.1:3000.
    pub address: SocketAddr,
    /// Who may use it. Without any, all who can reach it: an error where that is more than this machine.
    pub keys: Vec<Key>,
    /// Pages of these origins may call it, beside those of this machine; `*` stands for all. Default none.
    pub origins: Vec<String>,
    /// It answers to these names in `Host`, beside its address and names of this machine. Default none.
    pub hosts: Vec<String>,
    /// The most requests of one client in a minute; `None` for any number. Default 60, and any number on this machine.
    pub rate: Option<u32>,
    /// Whether requests of this machine count, too. Default false.
    pub limits_loopback: bool,
    /// The most requests that are being answered; others are refused. Default 512.
    pub concurrent: usize,
    /// The largest body of a request, in bytes. Default 8 MiB.
    pub body: usize,
    /// The bytes that the bodies of all requests may take while they are read: as values they take several times that.
    /// At least `body`; the first 32 kB of each do not count. Default 64 MiB.
    pub bodies: usize,
    /// How long headers may take to come, and a body. Default 30 s.
    pub patience: Duration,
    /// How long those that run may go on when it is to stop. Default 30 s.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000),
            keys: Vec::new(),
            origins: Vec::new(),
            hosts: Vec::new(),
            rate: Some(60),
            limits_loopback: false,
            concurrent: 512,
            body: 8 << 20,
            bodies: 64 << 20,
            patience: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

/// What a key opens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// Nothing that needs a key: whether the server lives.
    Open,
    /// To use models.
    Use,
    /// To load and unload them, too.
    Admin,
}

/// A secret that lets its bearer in, of which only the hash is kept.
#[derive(Clone, Debug)]
pub struct Key {
    hash: [u8; 32],
    scope: Scope,
}

impl Key {
    /// A key, as its bearer sends it.
    pub fn new(secret: &str, scope: Scope) -> Self {
        Self { hash: Sha256::digest(secret).into(), scope }
    }

    /// What the bearer of `secret` may do by this key.
    pub(crate) fn opens(&self, secret: &str) -> Option<Scope> {
        use subtle::ConstantTimeEq;

        let given: [u8; 32] = Sha256::digest(secret).into();
        bool::from(self.hash.ct_eq(&given)).then_some(self.scope)
    }
}
