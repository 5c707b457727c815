//! The chat templates of a model.

use std::collections::BTreeMap;

/// The chat templates (Jinja) that a model comes with. Most have one; some have others for tools or for retrieval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatTemplates {
    /// The one for every chat that asks for no other.
    pub default: Option<String>,
    /// Further ones by name.
    pub named: BTreeMap<String, String>,
}

impl ChatTemplates {
    /// The name of the template for chats with tools, where there is one.
    pub const TOOLS: &'static str = "tool_use";
    /// The name of the template for every chat, in files that give each a name.
    pub const DEFAULT: &'static str = "default";

    /// The templates of a list in which each has a name.
    pub fn of_named(mut named: BTreeMap<String, String>) -> Self {
        Self { default: named.remove(Self::DEFAULT), named }
    }

    /// All templates by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let default = self.default.as_deref().map(|source| (Self::DEFAULT, source));
        default.into_iter().chain(self.named.iter().map(|(name, source)| (name.as_str(), source.as_str())))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.default.is_none() && self.named.is_empty()
    }
}

impl From<Option<String>> for ChatTemplates {
    fn from(default: Option<String>) -> Self {
        Self { default, named: BTreeMap::new() }
    }
}
