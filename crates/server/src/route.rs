//! A route: how it is called, and what opens it.

use crate::options::Scope;

/// A route, and what a key must open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Its path; `{*…}` stands for the rest.
    pub path: &'static str,
    /// What opens it.
    pub scope: Scope,
}
