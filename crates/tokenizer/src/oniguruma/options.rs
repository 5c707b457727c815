//! What letters in `(?imxWDSP)` change, up to the end of a group.

/// The options that hold at a place of an expression.
#[derive(Clone, Copy, Default)]
pub(super) struct Options {
    pub(super) ignores_case: bool,
    /// `.` takes line breaks: Ruby's `m`.
    pub(super) dot_takes_lines: bool,
    /// White space is none of the expression, and what is behind `#` is a comment.
    pub(super) extended: bool,
    pub(super) ascii: Ascii,
}

/// Which sets end with ASCII.
#[derive(Clone, Copy, Default)]
pub(super) struct Ascii {
    word: bool,
    digit: bool,
    space: bool,
    /// All sets that POSIX has.
    posix: bool,
}

impl Ascii {
    /// Whether the set of this name does.
    pub(super) fn has(self, name: &str) -> bool {
        let own = match name {
            "word" => self.word,
            "digit" => self.digit,
            "space" => self.space,
            _ => false,
        };
        own || self.posix
    }
}

impl Options {
    /// These options changed by letters such as `mi-x`. `None` if one is unknown.
    pub(super) fn changed(mut self, letters: &str) -> Option<Self> {
        let mut wanted = true;
        for letter in letters.chars() {
            match letter {
                '-' => wanted = false,
                'i' => self.ignores_case = wanted,
                'm' => self.dot_takes_lines = wanted,
                'x' => self.extended = wanted,
                'W' => self.ascii.word = wanted,
                'D' => self.ascii.digit = wanted,
                'S' => self.ascii.space = wanted,
                'P' => self.ascii.posix = wanted,
                _ => return None,
            }
        }
        Some(self)
    }
}
