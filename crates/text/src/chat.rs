//! From messages to tokens.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use trillm_core::{Token, Tokenizer};

use crate::content::Fields;
use crate::guard::{Guard, How, union};
use crate::inspected::veiled;
use crate::provenance::{self, overlaps};
use crate::reserved::reserved;
use crate::template::Adapted;
use crate::veil::{Veil, used_by};
use crate::{ChatTemplate, Error, Message, RenderOptions, Result};

/// How a model spells tokens with a task, by the names that templates know them by.
pub type SpecialTokens = BTreeMap<String, String>;

/// A way of writing chats: a template, and the tokens that only the template may write.
///
/// Made once when a model is loaded; any number of threads may use it at once.
pub struct ChatFormat {
    template: ChatTemplate,
    guard: Guard,
    /// A guard of those tokens that nobody sees when a model writes them.
    unseen: Guard,
    /// Characters of the template itself that no veil may use.
    used: BTreeSet<char>,
    /// The template that looks for veiled texts, if it looks for any, and the veil, which is nearly always the same.
    looking: OnceLock<(Veil, Option<Arc<ChatTemplate>>)>,
}

impl ChatFormat {
    /// Compiles a template and learns the spellings that are its own.
    ///
    /// # Errors
    /// [`Error::NoChatTemplate`] if it is blank; [`Error::InvalidTemplate`] if it does not compile.
    pub fn new(source: &str, special_tokens: &SpecialTokens, tokenizer: &dyn Tokenizer) -> Result<Self> {
        if source.trim().is_empty() {
            return Err(Error::NoChatTemplate);
        }
        let special_tokens = special_tokens.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let template = ChatTemplate::new(source)?.with_special_tokens(special_tokens);
        let reserved = reserved(tokenizer, source);
        let unseen = reserved.iter().filter(|(token, _)| tokenizer.bytes(*token).is_empty()).copied();
        let unseen = Guard::new(&unseen.collect::<Vec<_>>())?;
        let (guard, used) = (Guard::new(&reserved)?, used_by(source).collect());
        Ok(Self { template, guard, unseen, used, looking: OnceLock::new() })
    }

    /// Renders messages to text: see [`ChatTemplate::render`].
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String> {
        self.template.render(messages, options)
    }

    /// Renders messages and tokenises the result. `tokenizer` is the one this format was made for.
    ///
    /// Only what the template itself writes becomes control tokens; the same spelling in a message, a tool or a
    /// variable is plain text. BOS is put first where the tokenizer wants one and the template wrote none, so it is
    /// never there twice; no end token is added.
    pub fn encode(
        &self,
        tokenizer: &dyn Tokenizer,
        messages: &[Message],
        options: &RenderOptions,
    ) -> Result<Vec<Token>> {
        let (text, guarded) = self.guarded(self.template.adapt(messages, options)?)?;
        let mut tokens = Vec::with_capacity(text.len() / 3 + 8);
        if let Some(bos) = tokenizer.bos().filter(|_| tokenizer.adds_bos()) {
            let written = tokenizer.spelling(bos).is_some_and(|spelling| text.starts_with(spelling));
            if !written || guarded.first().is_some_and(|first| first.start == 0) {
                tokens.push(bos);
            }
        }
        tokenizer.encode_guarded(&text, self.guard.within(&guarded), &mut tokens)?;
        Ok(tokens)
    }

    /// The rendered text, and the places in it where others wrote what only the template may write.
    ///
    /// The text is what [`render`](Self::render) shows, always. Who wrote what in it is told from the same prompt with
    /// texts under a veil, which comes out alike unless the template looks at what they say. It may look for a
    /// token in what the model wrote (most take what it thought out of its earlier answers, up to `</think>`): then
    /// tokens that are seen when a model writes them mean again what they were there. It may look for one in any text:
    /// then what it looks for is veiled, too. And it may do what is neither: then the two prompts are compared.
    fn guarded(&self, adapted: Adapted) -> Result<(String, Vec<Range<usize>>)> {
        let Adapted { messages, options, text: shown } = adapted;
        let mut used = self.used.clone();
        let mut touched = false;
        for fields in messages.iter().map(AsRef::as_ref).chain([&options.variables]) {
            touched |= self.guard.touches_fields(fields, &mut used);
        }
        for json in options.tools.iter().chain(&options.documents) {
            touched |= self.guard.touches(json, &mut used);
        }
        if !touched || self.guard.find(&shown).next().is_none() {
            return Ok((shown, Vec::new()));
        }
        let veil = self.guard.veil(&used)?;
        let under = |json: &Option<_>| json.as_ref().map(|json| self.guard.veiled(json, &veil, How::Everywhere));
        let veiled_options = RenderOptions {
            tools: under(&options.tools),
            documents: under(&options.documents),
            variables: self.guard.veiled_fields(&options.variables, &veil, How::Everywhere),
            ..options.clone().into_owned()
        };
        let render = |template: &ChatTemplate, of_model: Option<&Guard>| {
            let texts = messages.iter().map(|fields| {
                Cow::Owned(match of_model.filter(|_| is_of_model(fields)) {
                    Some(unseen) => unseen.veiled_fields(fields, &veil, How::InSpellings),
                    None => self.guard.veiled_fields(fields, &veil, How::Everywhere),
                })
            });
            Ok::<_, Error>(veil.lifted(&template.run(&texts.collect::<Vec<_>>(), &veiled_options)?))
        };
        let is_shown = |made: &(String, _)| made.0 == shown;
        let all = render(&self.template, None);
        let places = match &all {
            Ok((lifted, places)) if *lifted == shown => places.clone(),
            _ => {
                let seen = || render(&self.template, Some(&self.unseen)).ok().filter(is_shown);
                let looking = || render(&*self.looking(&veil)?, None).ok().filter(is_shown);
                if let Some((_, places)) = seen().or_else(looking) {
                    places
                } else {
                    let (lifted, places) = all?;
                    provenance::foreign(&self.guard, &shown, &lifted, &places)
                }
            }
        };
        let ranges = union(self.guard.find(&shown).filter(|range| overlaps(&places, range)).collect());
        Ok((shown, ranges))
    }

    /// The template that looks for texts under this veil; `None` if it looks for nothing: it is no other one then.
    fn looking(&self, veil: &Veil) -> Option<Arc<ChatTemplate>> {
        let compiled = || {
            let source = veiled(self.template.source(), veil);
            let other = source != self.template.source();
            other.then(|| self.template.with_source(source).ok().map(Arc::new))?
        };
        let (known, template) = self.looking.get_or_init(|| (veil.clone(), compiled()));
        if known == veil { template.clone() } else { compiled() }
    }
}

/// Whether the model wrote this message.
fn is_of_model(fields: &Fields) -> bool {
    fields.get("role").is_some_and(|role| role == "assistant" || role == "model")
}
