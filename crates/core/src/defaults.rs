//! How a model's publisher says it is used best.
//!
//! Publishers say so in four places: `generation_config.json`, the keys `general.sampling.*` of a GGUF file, the
//! parameters of a model in an Ollama registry, and our own table of aliases. All of them come here and requests begin
//! from here, so a model answers alike whatever it came from and however it is called.

use crate::Request;

/// A value, and who gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it stands: `alias`, `generation_config.json`, …
    pub source: &'static str,
}

/// A value of any type.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// A number.
    Number(f32),
    /// A whole number.
    Count(u32),
    /// A text.
    Text(String),
    /// Several.
    Texts(Vec<String>),
}

impl TryFrom<Setting> for f32 {
    type Error = Setting;

    fn try_from(setting: Setting) -> Result<Self, Setting> {
        match setting {
            Setting::Number(number) => Ok(number),
            Setting::Count(count) => Ok(count as Self),
            other => Err(other),
        }
    }
}

macro_rules! into {
    ($($type:ty, $kind:ident;)*) => {$(
        impl TryFrom<Setting> for $type {
            type Error = Setting;

            fn try_from(setting: Setting) -> Result<Self, Setting> {
                match setting {
                    Setting::$kind(value) => Ok(value),
                    other => Err(other),
                }
            }
        }
    )*};
}

into! {
    u32, Count;
    String, Text;
    Vec<String>, Texts;
}

macro_rules! defaults {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $kind:ident $(, $($place:ident).+)?;)*) => {
        /// Values that requests have unless they say otherwise.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Defaults { $($(#[$doc])* pub $name: Option<Given<$type>>,)* }

        impl Defaults {
            /// These, and of `others` those that are not among them.
            #[must_use]
            pub fn or(self, others: Self) -> Self {
                Self { $($name: self.$name.or(others.$name),)* }
            }

            /// A request that has these values.
            pub fn request(&self) -> Request {
                let mut request = Request::default();
                $($(if let Some(given) = &self.$name { request.$($place).+ = given.value.clone(); })?)*
                request
            }

            /// Sets the value of this name. `false` if there is no such name, or the value is of another type.
            pub fn set(&mut self, name: &str, value: Setting, source: &'static str) -> bool {
                match name {
                    $(stringify!($name) => {
                        let value = value.try_into().ok().map(|value| Given { value, source });
                        let fits = value.is_some();
                        self.$name = value.or(self.$name.take());
                        fits
                    })*
                    _ => false,
                }
            }

            /// All values that there are: name, value, source.
            pub fn list(&self) -> Vec<(&'static str, Setting, &'static str)> {
                let mut list = Vec::new();
                $(list.extend(self.$name.iter().map(|given| {
                    (stringify!($name), Setting::$kind(given.value.clone()), given.source)
                }));)*
                list
            }

            /// Leaves out the values that no request may have, and says so in `notes`.
            #[must_use]
            pub fn checked(mut self, notes: &mut Vec<String>) -> Self {
                $(if let Some(given) = &self.$name {
                    let alone = Self { $name: Some(given.clone()), ..Self::default() };
                    if let Err(error) = alone.request().check(u32::MAX) {
                        notes.push(format!("{}: {error}; this default is not used", given.source));
                        self.$name = None;
                    }
                })*
                self
            }
        }
    };
}

defaults! {
    /// See [`SamplingParams::temperature`](crate::SamplingParams::temperature).
    temperature: f32, Number, sampling.temperature;
    /// See [`SamplingParams::top_k`](crate::SamplingParams::top_k).
    top_k: u32, Count, sampling.top_k;
    /// See [`SamplingParams::top_p`](crate::SamplingParams::top_p).
    top_p: f32, Number, sampling.top_p;
    /// See [`SamplingParams::min_p`](crate::SamplingParams::min_p).
    min_p: f32, Number, sampling.min_p;
    /// See [`SamplingParams::typical_p`](crate::SamplingParams::typical_p).
    typical_p: f32, Number, sampling.typical_p;
    /// See [`SamplingParams::repetition_penalty`](crate::SamplingParams::repetition_penalty).
    repetition_penalty: f32, Number, sampling.repetition_penalty;
    /// See [`SamplingParams::presence_penalty`](crate::SamplingParams::presence_penalty).
    presence_penalty: f32, Number, sampling.presence_penalty;
    /// See [`SamplingParams::frequency_penalty`](crate::SamplingParams::frequency_penalty).
    frequency_penalty: f32, Number, sampling.frequency_penalty;
    /// See [`SamplingParams::repeat_last_n`](crate::SamplingParams::repeat_last_n).
    repeat_last_n: u32, Count, sampling.repeat_last_n;
    /// See [`Request::stop`].
    stop: Vec<String>, Texts, stop;
    /// The system message of chats that have none.
    system: String, Text;
}
