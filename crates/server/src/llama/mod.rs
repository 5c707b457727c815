//! What llama-server has beside OpenAI's interface: texts as tokens and back, chats as texts, and documents by how well
//! they go with a question.
//!
//! It serves one model; here a request names its own, and one that does not means the only one in memory.

pub(crate) mod rerank;
pub(crate) mod texts;

use trillm_runtime::Phase;

use crate::Refusal;
use crate::app::App;

/// The model that is meant.
fn meant(app: &App, given: Option<String>) -> Result<String, Refusal> {
    if let Some(name) = given {
        return Ok(name);
    }
    let mut here = app.served.status().into_iter().filter(|it| it.phase == Phase::Here);
    match (here.next(), here.next()) {
        (Some(only), None) => Ok(only.name),
        (None, _) => Err(Refusal::field("model", "missing", "the name of a model: none is in memory")),
        (Some(_), Some(_)) => Err(Refusal::field("model", "missing", "one of the models in memory: there are several")),
    }
}
