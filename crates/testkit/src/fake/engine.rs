//! The fake engine itself, which loads models from any file or from none.

use std::sync::Arc;

use trillm_core::{Engine, Error, LoadOptions, Model, ModelFile, ModelInfo, Result, SessionOptions};

use super::model::FakeModel;
use super::settings::Fake;
use super::wait::wait;

impl Fake {
    /// A model, without any file.
    pub fn load_model(&self) -> Arc<dyn Model> {
        Arc::new(FakeModel::new(self.clone(), ModelInfo::default()))
    }
}

impl Engine for Fake {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn accepts(&self, format: &str) -> bool {
        format == Self::NAME
    }

    fn check(&self, _: &ModelFile, _: &LoadOptions, session: &SessionOptions) -> Result<()> {
        session.check()
    }

    fn load(&self, file: ModelFile, options: &LoadOptions) -> Result<Arc<dyn Model>> {
        const PARTS: u8 = 10;
        for part in 0..=PARTS {
            let goes_on = options.progress.as_ref().is_none_or(|progress| progress(f32::from(part) / f32::from(PARTS)));
            if !goes_on {
                return Err(Error::Cancelled);
            }
            if part < PARTS {
                wait(self.load_time / u32::from(PARTS));
            }
        }
        let info = ModelInfo { path: file.path, ..file.info };
        Ok(Arc::new(FakeModel::new(self.clone(), info)))
    }
}
