//! A model that is on this machine and not loaded: what it will take, and who has to go for it.

use trillm_core::ModelInfo;
use trillm_llm::OpenOptions;

use crate::plan::{Change, Idle, Machine, MemoryRefused, Need, Options, Others, Plan, adapter_bytes, check, plan};

/// What its files say, and how it is to be opened.
#[derive(Clone)]
pub struct Candidate {
    /// What its files say.
    pub info: ModelInfo,
    /// How it is to be opened.
    pub options: OpenOptions,
    adapters: u64,
}

impl Candidate {
    /// Reads the headers of LoRA adapters, too.
    ///
    /// # Errors
    /// What loading says of an adapter that is not there, or is none.
    pub fn new(info: ModelInfo, options: OpenOptions) -> Result<Self, trillm_formats::Error> {
        let adapters = adapter_bytes(&options.load)?;
        Ok(Self { info, options, adapters })
    }

    /// What it will take at the most.
    pub fn need(&self) -> Need {
        self.plan(Vec::new()).need
    }

    /// Which of those that are idle have to go before the system has the memory for it; they are given with what unloading
    /// them gives back, the one to part with first, first. With `force` it is loaded though it would not fit.
    ///
    /// # Errors
    /// [`MemoryRefused`] if it would not fit without them either, unless it is forced.
    pub fn fit(&self, idle: Vec<Idle>, force: bool) -> Result<Vec<String>, MemoryRefused> {
        let Err(refused) = check(self.plan(idle), false) else { return Ok(Vec::new()) };
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

    /// What it would take now, and whether that is there.
    pub fn plan_now(&self) -> Plan {
        self.plan(Vec::new())
    }

    fn plan(&self, idle: Vec<Idle>) -> Plan {
        let how = Options { adapters: self.adapters, ..Options::new(&self.options.load, &self.options.session) };
        plan(&self.info, how, &Machine::now(), &Others { smaller: Vec::new(), idle })
    }
}
