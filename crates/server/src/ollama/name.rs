//! What Ollama's clients call models.

use trillm_core::Class;

use crate::Refusal;
use crate::app::App;
use crate::aside::aside;

/// What clients put behind a name that has no tag.
const LATEST: &str = ":latest";

/// A name without the tag that says nothing.
pub(super) fn plain(given: &str) -> &str {
    given.strip_suffix(LATEST).unwrap_or(given)
}

/// What everybody else calls the model that one of Ollama's clients calls so: as it is; as one that such a client made;
/// as one of Ollama's registry.
pub(super) async fn known(app: &App, given: &str) -> Result<String, Refusal> {
    let plain = plain(given).to_owned();
    let unknown = match app.served.name(&plain) {
        Ok(_) => return Ok(plain),
        Err(refusal) => refusal.about("model"),
    };
    let (served, given) = (app.served.clone(), given.to_owned());
    aside(move |_| {
        let local = format!("local:{plain}");
        if served.name(&local).is_ok() && served.is_here(&local) {
            return Ok(local);
        }
        let in_registry = format!("ollama:{given}");
        if unknown.class() == Some(Class::NotFound) && served.name(&in_registry).is_ok() {
            Ok(in_registry)
        } else {
            Err(unknown)
        }
    })
    .await
}
