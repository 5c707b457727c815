//! How a model is used best, as whoever gives it says: an alias of ours, or its source.

use trillm_core::{Defaults, Given};

use crate::{Chat, ChatDefaults, Manifest, Reference};

impl Manifest {
    /// What the alias that the model goes by recommends, and beside that what came with it from its source; what its
    /// files say is not in here.
    pub fn published(&self) -> Defaults {
        // An alias of another version of us says nothing here.
        let alias = match self.model.reference.parse() {
            Ok(Reference::Alias(alias)) => alias.chat.map(Defaults::from),
            _ => None,
        };
        let source = self.model.chat.clone().map(Defaults::from);
        alias.unwrap_or_default().or(source.unwrap_or_default())
    }
}

impl From<ChatDefaults> for Defaults {
    fn from(ChatDefaults { system, temperature, top_p }: ChatDefaults) -> Self {
        let source = "alias";
        Self {
            system: Some(Given { value: system.into(), source }),
            temperature: Some(Given { value: temperature, source }),
            top_p: Some(Given { value: top_p, source }),
            ..Self::default()
        }
    }
}

impl From<Defaults> for Chat {
    fn from(defaults: Defaults) -> Self {
        fn value<T>(given: Option<Given<T>>) -> Option<T> {
            given.map(|given| given.value)
        }
        Self {
            system: value(defaults.system),
            temperature: value(defaults.temperature),
            top_p: value(defaults.top_p),
            top_k: value(defaults.top_k),
            min_p: value(defaults.min_p),
            typical_p: value(defaults.typical_p),
            repetition_penalty: value(defaults.repetition_penalty),
            repeat_last_n: value(defaults.repeat_last_n),
            presence_penalty: value(defaults.presence_penalty),
            frequency_penalty: value(defaults.frequency_penalty),
            stop: value(defaults.stop),
        }
    }
}

/// Models from a registry of Ollama's kind come with one, and those that its clients made.
impl From<Chat> for Defaults {
    fn from(chat: Chat) -> Self {
        fn given<T>(value: Option<T>) -> Option<Given<T>> {
            value.map(|value| Given { value, source: "ollama" })
        }
        Self {
            temperature: given(chat.temperature),
            top_k: given(chat.top_k),
            top_p: given(chat.top_p),
            min_p: given(chat.min_p),
            typical_p: given(chat.typical_p),
            repetition_penalty: given(chat.repetition_penalty),
            presence_penalty: given(chat.presence_penalty),
            frequency_penalty: given(chat.frequency_penalty),
            repeat_last_n: given(chat.repeat_last_n),
            stop: given(chat.stop),
            system: given(chat.system),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, Source};

    fn published(reference: &str, chat: Option<Chat>) -> Vec<(&'static str, String, &'static str)> {
        let source = Source::Import { path: String::new() };
        let model = Model {
            reference: reference.into(),
            source,
            files: Vec::new(),
            open: None,
            licence: None,
            chat,
            notes: Vec::new(),
        };
        let list = Manifest::new(1, 0, model).published().list();
        list.into_iter().map(|(name, value, source)| (name, format!("{value:?}"), source)).collect()
    }

    #[test]
    fn an_alias_goes_before_the_source() {
        let chat = Chat { temperature: Some(1.5), top_k: Some(7), ..Chat::default() };
        let alias = published("smollm2", Some(chat.clone()));
        let by = |wanted: &str| alias.iter().find(|(name, ..)| *name == wanted).map(|(_, _, source)| *source);
        assert_eq!((by("temperature"), by("system"), by("top_k")), (Some("alias"), Some("alias"), Some("ollama")));
        let [temperature, top_k] = &published("ollama:x", Some(chat))[..] else { panic!("two values") };
        assert_eq!(*temperature, ("temperature", "Number(1.5)".into(), "ollama"));
        assert_eq!(*top_k, ("top_k", "Count(7)".into(), "ollama"));
    }

    #[test]
    fn nobody_says_anything_of_most() {
        assert_eq!(published("local:mine", None), []);
        assert_eq!(published("an alias of the future", None), []);
        assert_eq!(published("all-minilm", None), []);
    }
}
