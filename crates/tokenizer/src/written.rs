//! What the decoder is given for a token: its spelling, or for an added token that is looked for in normalized texts,
//! what it becomes there. So has it the library since 0.23: what a normalizer made of a text is what comes back.

use std::collections::{HashMap, HashSet};

use crate::Result;
use crate::document::AddedToken;
use crate::vocabulary::Vocabulary;

pub(crate) struct Written {
    /// Added tokens.
    added: HashSet<u32>,
    /// Those that a normalizer changes, and what they become.
    forms: HashMap<u32, String>,
    /// The normalizer spells in GPT-2's alphabet.
    spells: bool,
}

impl Written {
    /// `normalize` gives what a text becomes, if that is something else.
    pub(crate) fn new(
        added: &[AddedToken],
        spells: bool,
        normalize: impl Fn(&str) -> Result<Option<String>>,
    ) -> Result<Self> {
        let mut forms = HashMap::new();
        for AddedToken { id, token } in added.iter().filter(|token| token.token.normalized) {
            if let Some(form) = normalize(&token.content)?.filter(|form| *form != token.content) {
                forms.insert(*id, form);
            }
        }
        Ok(Self { added: added.iter().map(|token| token.id).collect(), forms, spells })
    }

    /// The text of a token, and whether it is one as it stands, and not spelled as the model spells its own.
    pub(crate) fn of<'t>(&'t self, vocabulary: &'t Vocabulary, id: u32) -> Option<(&'t str, bool)> {
        match self.forms.get(&id) {
            Some(form) => Some((form, !self.spells)),
            None => Some((vocabulary.text(id)?, self.added.contains(&id))),
        }
    }
}
