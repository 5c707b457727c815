//! What models a client can have without a download.

use trillm_runtime::Phase;

use crate::Refusal;
use crate::app::App;
use crate::aside::aside;
use crate::served::Available;

/// All of them: those on this machine, and those in memory.
pub(crate) async fn listed(app: &App) -> Result<Vec<Available>, Refusal> {
    let served = app.served.clone();
    let mut all = aside(move |_| served.available()).await?;
    // What is closed may have been removed.
    for status in app.served.status().into_iter().filter(|it| it.phase != Phase::Going) {
        if all.iter().all(|it| it.name != status.name) {
            all.push(Available { name: status.name, ..Available::default() });
        }
    }
    Ok(all)
}
