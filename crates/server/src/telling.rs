//! One answer as it comes, in the words of a protocol that has one at a time.

use trillm_core::Piece;
use trillm_llm::Completion;

use crate::Refusal;
use crate::answer::Answer;
use crate::parts::Parts;

/// How a protocol says it.
pub(crate) trait Words: Send + 'static {
    /// Before anything comes.
    fn begin(&mut self, _out: &mut Vec<u8>) {}
    /// A piece.
    fn piece(&mut self, out: &mut Vec<u8>, piece: &Piece);
    /// The end: writes something.
    fn end(&mut self, out: &mut Vec<u8>, completion: &Completion);
    /// What ended it early: writes something.
    fn fail(&mut self, out: &mut Vec<u8>, refusal: &Refusal);
}

/// An answer that is told.
pub(crate) struct Telling<W> {
    words: W,
    /// `None` after its end.
    answer: Option<Answer>,
    begun: bool,
}

impl<W: Words> Telling<W> {
    pub(crate) fn new(words: W, answer: Answer) -> Self {
        Self { words, answer: Some(answer), begun: false }
    }
}

impl<W: Words> Parts for Telling<W> {
    async fn write(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.words.begin(out);
        }
        // Pieces may have no text; what writes nothing has ended.
        while out.is_empty() {
            let Some(answer) = &mut self.answer else { return };
            let Some(piece) = answer.next().await else {
                match answer.completion() {
                    Ok(completion) => self.words.end(out, &completion),
                    Err(refusal) => self.words.fail(out, &refusal),
                }
                self.answer = None;
                return;
            };
            self.words.piece(out, &piece);
            // What is here already goes into the same packet.
            while let Some(piece) = answer.ready() {
                self.words.piece(out, &piece);
            }
        }
    }
}
