//! A model that is on this machine and not loaded: what it will take, and who has to go for it.

use trillm_core::{CacheType, ModelInfo, SessionOptions};
use trillm_llm::{Choice, OpenOptions, Result};

use crate::plan::{Change, Idle, Machine, MemoryRefused, Need, Options, Others, Plan, adapter_bytes, check, plan};

/// What its files say, and how it is to be opened.
#[derive(Clone)]
pub struct Candidate {
    /// What its files say.
    pub info: ModelInfo,
    /// How it is to be opened.
    pub options: OpenOptions,
    adapters: u64,
    narrows: bool,
}

impl Candidate {
    /// Asks the engine whether it takes the options, so that nothing goes for a model that would not come, and reads the
    /// headers of LoRA adapters.
    ///
    /// # Errors
    /// What loading says of the options, and of an adapter that is not there, or is none.
    pub fn new(choice: Choice, options: OpenOptions) -> Result<Self> {
        let OpenOptions { load, session, .. } = &options;
        choice.check(load, session)?;
        let adapters = adapter_bytes(load)?;
        let narrow = SessionOptions { cache_type: CacheType::Q8_0, ..session.clone() };
        let narrows = choice.check(load, &narrow).is_ok();
        Ok(Self { info: choice.file.info, options, adapters, narrows })
    }

    /// What it will take at the most.
    pub fn need(&self) -> Need {
        self.plan(&Others::default()).need
    }

    /// What it will take, whether that is there now, and what would fit.
    pub fn plan(&self, others: &Others) -> Plan {
        let Self { options: OpenOptions { load, session, .. }, adapters, narrows, .. } = self;
        let how = Options { load, session, adapters: *adapters, narrows: *narrows };
        plan(&self.info, how, &Machine::now(), others)
    }

    /// Which of those that are idle have to go before the system has the memory for it; they are given with what unloading
    /// them gives back, the one to part with first, first. With `force` it is loaded though it would not fit.
    ///
    /// # Errors
    /// [`MemoryRefused`] if it would not fit without them either, unless it is forced.
    pub fn fit(&self, idle: Vec<Idle>, force: bool) -> Result<Vec<String>, MemoryRefused> {
        let planned = self.plan(&Others { idle, ..Others::default() });
        let Err(refused) = check(planned, false) else { return Ok(Vec::new()) };
        let unload = refused.0.alternatives.iter().find_map(|it| match &it.change {
            Change::Unload(names) => Some(names.clone()),
            _ => None,
        });
        match unload {
            Some(names) => Ok(names),
            None if force => Ok(Vec::new()),
            None => Err(refused),
        }
    }
}
