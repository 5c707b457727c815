//! What would fit instead, each a change of one thing, and each planned by the same rules.

use std::fmt;

use trillm_core::{CacheType, ModelInfo, SessionOptions};

use super::budget::Budget;
use super::engines::need;
use super::machine::Machine;
use super::options::Options;
use super::verdict::{Verdict, judged};

/// The shortest context that is proposed: less holds no question and its answer.
const SHORTEST: u32 = 512;

/// What else there is, as the caller knows it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Others {
    /// The same model in fewer bytes, the largest first.
    pub smaller: Vec<Smaller>,
    /// Loaded models that nobody uses, the one to part with first, first.
    pub idle: Vec<Idle>,
    /// What the pool that it is for has left.
    pub budget: Budget,
}

/// The same model, quantized further.
#[derive(Clone, PartialEq, Debug)]
pub struct Smaller {
    /// How it is asked for.
    pub name: String,
    /// What its files say; of one that is not here what is known of it.
    pub info: ModelInfo,
}

/// A loaded model that nobody uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Idle {
    /// Its name.
    pub name: String,
    /// Bytes that unloading it gives back.
    pub bytes: u64,
    /// All that it takes by its plan, for which a pool may have a limit.
    pub planned: u64,
}

/// What fits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alternative {
    /// What is to be changed.
    pub change: Change,
    /// Bytes of the process's own then.
    pub private: u64,
    /// All bytes then.
    pub total: u64,
    /// Whether all of it fits then.
    pub verdict: Verdict,
    /// Bytes of its files, where another model is proposed.
    pub files: Option<u64>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Keys and values in 8 bits.
    CacheType(CacheType),
    /// Fewer sessions of the model.
    Replicas(u32),
    /// Fewer sequences at once.
    Parallel(u32),
    /// A shorter context.
    Context(u32),
    /// The model in fewer bytes.
    Model(String),
    /// Unloading these first.
    Unload(Vec<String>),
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.files {
            Some(bytes) => write!(f, "{} ({} MB)", self.change, bytes.div_ceil(1_000_000)),
            None => self.change.fmt(f),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CacheType(kind) => write!(f, "`cache_type=\"{}\"`", kind.name()),
            Self::Replicas(count) => write!(f, "`replicas={count}`"),
            Self::Parallel(count) => write!(f, "`parallel={count}`"),
            Self::Context(tokens) => write!(f, "`context={tokens}`"),
            Self::Model(name) => write!(f, "the model {name}"),
            Self::Unload(names) => write!(f, "unloading {}", names.join(" and ")),
        }
    }
}

/// What fits, the least loss first: with fewer replicas some wait for longer; a cache of 8 bits changes answers hardly;
/// fewer slots make some wait; a shorter context forgets; fewer bits answer worse.
pub(super) fn alternatives(
    info: &ModelInfo,
    options: Options<'_>,
    machine: &Machine,
    others: &Others,
) -> Vec<Alternative> {
    let mut found = Vec::new();
    let with = |info: &ModelInfo, session: &SessionOptions, change: Change| {
        let need = need(info, Options { session, ..options }, machine);
        let (verdict, _) = judged(&need, machine, &others.budget);
        let files = matches!(change, Change::Model(_)).then_some(info.bytes);
        (verdict != Verdict::Refused).then(|| Alternative {
            change,
            private: need.private(),
            total: need.total(),
            verdict,
            files,
        })
    };
    let session = options.session;
    let mut fewer = (1..session.replicas).rev();
    found.extend(
        fewer.find_map(|replicas| {
            with(info, &SessionOptions { replicas, ..session.clone() }, Change::Replicas(replicas))
        }),
    );
    let wide = matches!(session.cache_type, CacheType::F32 | CacheType::F16);
    if wide && options.narrows {
        let cache_type = CacheType::Q8_0;
        found.extend(with(info, &SessionOptions { cache_type, ..session.clone() }, Change::CacheType(cache_type)));
    }
    let mut fewer = (1..session.parallel).rev();
    found.extend(
        fewer.find_map(|parallel| {
            with(info, &SessionOptions { parallel, ..session.clone() }, Change::Parallel(parallel))
        }),
    );
    let context = session.context_for(info.context_trained);
    let shorter = std::iter::successors(Some(context / 2), |tokens| Some(tokens / 2));
    found.extend(shorter.take_while(|&tokens| tokens >= SHORTEST).find_map(|tokens| {
        with(info, &SessionOptions { context: Some(tokens), ..session.clone() }, Change::Context(tokens))
    }));
    found.extend(others.smaller.iter().filter_map(|it| with(&it.info, session, Change::Model(it.name.clone()))));
    found.extend(unloading(info, options, machine, others));
    found
}

/// As few idle models as it takes, from the first on.
fn unloading(info: &ModelInfo, options: Options<'_>, machine: &Machine, others: &Others) -> Option<Alternative> {
    let need = need(info, options, machine);
    let (mut machine, mut budget, idle) = (machine.clone(), others.budget, &others.idle);
    for (index, it) in idle.iter().enumerate() {
        if let Some(limit) = &mut machine.limit {
            limit.bytes = limit.bytes.saturating_add(it.bytes);
        }
        budget = budget.without(it.planned);
        let (verdict, _) = judged(&need, &machine, &budget);
        if verdict != Verdict::Refused {
            let names = idle[..=index].iter().map(|it| it.name.clone()).collect();
            return Some(Alternative {
                change: Change::Unload(names),
                private: need.private(),
                total: need.total(),
                verdict,
                files: None,
            });
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use trillm_core::{Layer, LoadOptions, Product, Purpose, Shape};

    use super::super::machine::Counts;
    use super::super::machine::tests::machine;
    use super::super::planned::{Plan, plan};
    use super::*;

    /// smollm2, `Q4_1`, as `inspect` describes it.
    pub(crate) fn smollm2() -> ModelInfo {
        let layer = Layer { kv_heads: 3, key: 64, value: 64, ..Layer::default() };
        let mut shape = Shape {
            width: 576,
            vocabulary: 49_152,
            layers: Some(vec![layer; 30]),
            heads: 9,
            entries: 49_152 + 48_900,
            ..Shape::default()
        };
        for (rows, columns) in [(49_152, 576), (576, 576), (192, 576), (1536, 576), (576, 1536)] {
            let bytes = rows * columns / 32 * 20;
            shape.add_product(Product { kind: "Q4_1".into(), rows, columns, experts: 1, bytes });
        }
        ModelInfo {
            format: "gguf",
            bytes: 98_362_432,
            context_trained: 8192,
            width: 576,
            layers: 30,
            vocabulary: 49_152,
            shape,
            ..ModelInfo::default()
        }
    }

    fn planned(session: &SessionOptions, bytes: u64, others: &Others) -> Plan {
        let load = LoadOptions::default();
        let options = Options { narrows: true, ..Options::new(&load, session) };
        plan(&smollm2(), options, &machine(bytes), others)
    }

    fn changes(plan: &Plan) -> Vec<String> {
        plan.alternatives.iter().map(|it| it.change.to_string()).collect()
    }

    #[test]
    fn what_fits_is_proposed_the_least_loss_first() {
        let session = SessionOptions { context: Some(8192), ..SessionOptions::default() };
        let mut small = smollm2();
        (small.bytes, small.shape.entries) = (40_000_000, 0);
        small.shape.layers.as_mut().expect("known").truncate(10);
        let mut smaller = small.clone();
        smaller.bytes = 30_000_001;
        // As large as it is, it fits no better.
        let same = Smaller { name: "same".into(), info: smollm2() };
        let smaller = [("smol", small), ("smaller", smaller)].map(|(name, info)| Smaller { name: name.into(), info });
        let others = Others {
            smaller: [vec![same], smaller.into()].concat(),
            idle: [("a", 1_000_000), ("b", 100_000_000), ("c", 1)]
                .map(|(name, bytes)| Idle { name: name.into(), bytes, planned: bytes })
                .into(),
            budget: Budget::default(),
        };
        assert_eq!(
            changes(&planned(&session, 150_000_000, &others)),
            ["`cache_type=\"q8_0\"`", "`context=4096`", "the model smol", "the model smaller", "unloading a and b",]
        );
        let found = planned(&session, 150_000_000, &others).alternatives;
        let said: Vec<_> = found.iter().filter(|it| it.files.is_some()).map(ToString::to_string).collect();
        assert_eq!(said, ["the model smol (40 MB)", "the model smaller (31 MB)"]);
        assert_eq!(changes(&planned(&session, 40_000_000, &others)), Vec::<String>::new());
        assert_eq!(changes(&planned(&session, 60_000_000, &Others::default())), ["`context=512`"]);
        assert_eq!(changes(&planned(&session, 1 << 30, &others)), Vec::<String>::new());
        // Of three sessions, each with a cache of 189,136,896 bytes, 27,968,512 beside it, two fit into 460 MB.
        let three = SessionOptions { replicas: 3, ..session.clone() };
        let need = planned(&three, 1, &others).need;
        assert_eq!((need.weights_private, need.tokenizer), (0, 18_825_984));
        assert_eq!(need.private(), 18_825_984 + 3 * (189_136_896 + 22_249_472 + 1_572_864 + 3_145_728));
        assert_eq!(changes(&planned(&three, 460_000_000, &Others::default()))[0], "`replicas=2`");
        // Where the engine has no such cache.
        let load = LoadOptions::default();
        let without = plan(&smollm2(), Options::new(&load, &session), &machine(150_000_000), &Others::default());
        assert_eq!(changes(&without), ["`context=4096`"]);
        // A row of scores for each slot: with fewer slots it would fit.
        let need = planned(&session, 1, &others).need.private();
        assert!(changes(&planned(&session, need - 100_000, &others)).contains(&"`parallel=7`".into()));
    }

    #[test]
    fn what_a_pool_has_left_counts_beside_what_the_machine_has() {
        use super::super::budget::Left;

        let session = SessionOptions { context: Some(8192), ..SessionOptions::default() };
        let idle = |name: &str, bytes, planned| Idle { name: name.into(), bytes, planned };
        let others = |bytes: Option<(u64, u64)>, models: Option<(usize, usize)>| Others {
            smaller: Vec::new(),
            idle: vec![idle("a", 1, 50_000_000), idle("b", 2, 100_000_000), idle("c", 3, 1)],
            budget: Budget {
                bytes: bytes.map(|(free, all)| Left { free, all }),
                models: models.map(|(free, all)| Left { free, all }),
            },
        };
        let of = |others: &Others| planned(&session, 1 << 30, others);
        // Private 234,930,944, the file 98,362,432, and 8 MiB of code.
        let need = 234_930_944 + 98_362_432 + (8 << 20);
        assert_eq!(of(&Others::default()).need.total(), need);
        assert_eq!(of(&others(Some((need, need)), Some((1, 3)))).verdict, Verdict::Fits);
        let refused = of(&others(Some((need - 90_000_000, need)), None));
        assert_eq!(refused.verdict, Verdict::Refused);
        let limit = refused.limit.clone().expect("the pool's");
        assert_eq!((limit.bytes, limit.counts), (need - 90_000_000, Counts::Planned));
        assert_eq!(changes(&refused), ["`context=4096`", "unloading a and b"]);
        assert_eq!(changes(&of(&others(Some((need - 50_000_000, need)), None))).last().unwrap(), "unloading a");
        // Of too many models one goes, whatever it takes; no setting helps.
        assert_eq!(changes(&of(&others(None, Some((0, 3))))), ["unloading a"]);
        let error = super::super::check::check(of(&others(None, Some((0, 3)))), false).expect_err("three are there");
        assert!(error.to_string().ends_with("there are 0 MB (`max_models_loaded`, 3, are loaded)"), "{error}");
        // Both have to suffice: of the machine 3 bytes are wanted, of the pool none.
        let tight = planned(&session, 234_930_944 - 3, &others(Some((need, need)), None));
        assert_eq!(changes(&tight).last().unwrap(), "unloading a and b");
    }

    proptest! {
        /// More tokens, or more at once, never need less; and what is proposed is never refused.
        #[test]
        fn more_needs_more(
            (context, more) in (1u32..20_000, 0u32..5_000),
            (parallel, slots) in (1u32..64, 0u32..16),
            format in prop::sample::select(vec!["gguf", "safetensors", "onnx"]),
            (replicas, more_of_them) in (1u32..8, 0u32..8),
            (grows, encodes, flash) in (any::<bool>(), any::<bool>(), any::<Option<bool>>()),
            bytes in 1u64..1 << 32,
        ) {
            let mut info = smollm2();
            (info.format, info.shape.grows) = (format, grows);
            if encodes {
                (info.purpose, info.shape.layers) = (Purpose::Vectors, Some(vec![Layer::default(); 30]));
            }
            let load = LoadOptions::default();
            let of = |context, parallel, replicas| {
                let (context, flash_attention) = (Some(context), flash);
                let session =
                    SessionOptions { context, parallel, replicas, flash_attention, ..SessionOptions::default() };
                plan(&info, Options::new(&load, &session), &machine(bytes), &Others::default())
            };
            let less = of(context, parallel, replicas);
            let longer = of(context + more, parallel, replicas);
            let wider = of(context, parallel + slots, replicas);
            for larger in [&longer, &wider, &of(context, parallel, replicas + more_of_them)] {
                prop_assert!(larger.need.private() >= less.need.private());
                prop_assert!(larger.need.total() >= less.need.total());
            }
            prop_assert_eq!(longer.verdict == Verdict::Refused, longer.need.private() > bytes);
            prop_assert!(less.alternatives.iter().all(|it| it.private <= bytes && it.verdict != Verdict::Refused));
        }
    }
}
