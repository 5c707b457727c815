//! Rotary embeddings of a `config.json`, in the older form (`rope_theta` and `rope_scaling`) and the newer
//! (`rope_parameters`).
//!
//! Which key wins over which, and the formulas, are those of `modeling_rope_utils.py` of transformers 5.23.

use super::family::Family;
use super::fields::Fields;
use crate::{Error, Result};

/// Rotary position embedding: pairs (i, i + dimensions/2) of each head are rotated, as Hugging Face lays them out.
#[derive(Clone, PartialEq, Debug)]
pub struct Rope {
    /// Base of the wavelengths.
    pub theta: f32,
    /// How many numbers of a head are rotated, from its start; even, at most the head's size.
    pub dimensions: u32,
    /// How wavelengths are changed for contexts longer than trained.
    pub scaling: RopeScaling,
}

impl Rope {
    /// The longest context in which longrope's short factors count.
    pub(crate) fn short_context(&self) -> Option<u32> {
        match self.scaling {
            RopeScaling::LongRope { original_context, .. } => Some(original_context),
            _ => None,
        }
    }
}

/// `rope_scaling`, or what `rope_parameters` says of it. Formulas: `modeling_rope_utils.py` of transformers.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the names are those of config.json")]
pub enum RopeScaling {
    None,
    /// As none, for texts of up to `max_position_embeddings` tokens. Beyond, wavelengths would change with each token,
    /// which is not done: such texts are not taken.
    Dynamic {
        factor: f32,
    },
    Linear {
        factor: f32,
    },
    Llama3 {
        factor: f32,
        low_freq_factor: f32,
        high_freq_factor: f32,
        original_context: u32,
    },
    Yarn {
        factor: f32,
        /// What scores are scaled by, resolved from `attention_factor`, `mscale` and `mscale_all_dim`.
        attention_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
        original_context: u32,
        truncate: bool,
    },
    /// One divisor for each rotated pair; `long` where the context exceeds `original_context`.
    LongRope {
        short: Vec<f32>,
        long: Vec<f32>,
        attention_factor: f32,
        original_context: u32,
    },
}

/// What the rest of the config says that rotary embeddings need.
pub(super) struct Around {
    pub(super) family: Family,
    /// Size of a head.
    pub(super) head: u32,
    /// `max_position_embeddings`.
    pub(super) context: u32,
    /// `rope_theta` where no key says it.
    pub(super) theta: f64,
}

/// `rope_theta` of Gemma 3's layers that see a window, where no key says it.
const LOCAL_THETA: f64 = 10_000.0;

/// The longest context that is believed.
pub(super) const CONTEXT: u32 = 1 << 30;

/// The embeddings that layers use: one, or for Gemma 3 two, the first for layers that see everything.
pub(super) fn read(config: &Fields<'_>, around: &Around) -> Result<Vec<Rope>> {
    if around.family == Family::Gemma3 {
        return by_layer_type(config, around);
    }
    let theta = config.positive("rope_theta")?;
    let parameters = parameters(config)?;
    if let Some(nested) =
        parameters.as_ref().filter(|p| p.raw("full_attention").or(p.raw("sliding_attention")).is_some())
    {
        return Err(nested.wrong("full_attention", "an object", "one set of parameters for all layers of this family"));
    }
    Ok(vec![one(config, parameters.as_ref(), around, theta.unwrap_or(around.theta))?])
}

/// `rope_scaling`, or without it `rope_parameters`; an empty object counts as none.
fn parameters<'a>(config: &Fields<'a>) -> Result<Option<Fields<'a>>> {
    let (scaling, parameters) = (config.object("rope_scaling")?, config.object("rope_parameters")?);
    Ok(scaling.filter(|scaling| !scaling.is_empty()).or(parameters).filter(|found| !found.is_empty()))
}

/// Gemma 3: `rope_parameters` has an object for each of two layer types. The older form has `rope_theta` and
/// `rope_scaling` for layers that see everything, and `rope_local_base_freq` for the others.
fn by_layer_type(config: &Fields<'_>, around: &Around) -> Result<Vec<Rope>> {
    let scaling = config.object("rope_scaling")?.filter(|scaling| !scaling.is_empty());
    let parameters = config.object("rope_parameters")?.filter(|parameters| !parameters.is_empty());
    let (mut global, mut local) = (None, None);
    if let Some(parameters) = &parameters {
        (global, local) = (parameters.object("full_attention")?, parameters.object("sliding_attention")?);
        if let Some(key) = parameters.unasked(&[]).first() {
            return Err(parameters.wrong(key, "a value", "objects full_attention and sliding_attention alone"));
        }
        if scaling.is_some() && global.is_some() {
            let expected = "one of rope_scaling and rope_parameters";
            return Err(config.wrong("rope_scaling", "an object beside rope_parameters", expected));
        }
    }
    let theta = config.positive("rope_theta")?.unwrap_or(around.theta);
    let local_theta = config.positive("rope_local_base_freq")?.unwrap_or(LOCAL_THETA);
    Ok(vec![
        one(config, scaling.or(global).as_ref(), around, theta)?,
        one(config, local.as_ref(), around, local_theta)?,
    ])
}

/// One embedding. `theta` is the base where `parameters` say none.
fn one(config: &Fields<'_>, parameters: Option<&Fields<'_>>, around: &Around, theta: f64) -> Result<Rope> {
    let nothing = serde_json::Map::new();
    let nothing = Fields::new(&nothing);
    let parameters = parameters.unwrap_or(&nothing);
    let theta = parameters.positive("rope_theta")?.unwrap_or(theta);
    let kind = parameters.text("rope_type")?;
    let kind = kind.or(parameters.text("type")?).unwrap_or("default");
    let dimensions = dimensions(config, parameters, around, kind)?;
    let scaling = match (kind, around.family) {
        ("default", _) => RopeScaling::None,
        // What Phi-3's first files called longrope.
        ("longrope", _) | ("su" | "yarn", Family::Phi3) => long(config, parameters, around, dimensions)?,
        (_, Family::Phi3) => return Err(parameters.wrong("rope_type", format!("{kind:?}"), "default or longrope")),
        ("dynamic", _) => RopeScaling::Dynamic { factor: factor(parameters)? },
        ("linear", _) => RopeScaling::Linear { factor: factor(parameters)? },
        ("llama3", _) => llama3(config, parameters, around)?,
        ("yarn", _) => yarn(config, parameters, around)?,
        _ => {
            let expected = "default, linear, dynamic, llama3, yarn or longrope";
            return Err(parameters.wrong("rope_type", format!("{kind:?}"), expected));
        }
    };
    if let Some(key) = parameters.unasked(&["finetuned"]).into_iter().find(|key| !leftover(key)) {
        return Err(parameters.wrong(key, "a value", format!("only keys that the type {kind} has")));
    }
    Ok(Rope { theta: theta as f32, dimensions, scaling })
}

/// Keys that belong to another type than the one named. Writers leave them behind, and transformers ignores them.
fn leftover(key: &str) -> bool {
    const KEYS: [&str; 13] = [
        "factor",
        "original_max_position_embeddings",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "short_factor",
        "long_factor",
        "low_freq_factor",
        "high_freq_factor",
        "mscale",
        "mscale_all_dim",
        "truncate",
        "partial_rotary_factor",
    ];
    KEYS.contains(&key)
}

/// How much of a head is rotated. Only Phi-3 rotates a part; the others do not look at the key, but for types other than
/// `default`, with which it breaks them.
fn dimensions(config: &Fields<'_>, parameters: &Fields<'_>, around: &Around, kind: &str) -> Result<u32> {
    const KEY: &str = "partial_rotary_factor";
    let part = parameters.positive(KEY)?.or(config.positive(KEY)?).unwrap_or(1.0);
    if around.family != Family::Phi3 && kind == "default" {
        return Ok(around.head);
    }
    if part > 1.0 || (part < 1.0 && around.family != Family::Phi3) {
        let expected = if part > 1.0 { "at most 1" } else { "1, as this family rotates whole heads" };
        return Err(config.wrong(KEY, part.to_string(), expected));
    }
    let dimensions = (f64::from(around.head) * part) as u32;
    if dimensions == 0 || !dimensions.is_multiple_of(2) {
        return Err(config.wrong(KEY, format!("{part}, so {dimensions} of {} numbers", around.head), "an even part"));
    }
    Ok(dimensions)
}

fn factor(parameters: &Fields<'_>) -> Result<f32> {
    let factor = parameters.positive("factor")?;
    factor.map(|factor| factor as f32).ok_or_else(|| parameters.missing("factor", "a number over 0"))
}

/// The context before scaling. A key beside the parameters wins over the one in them, and so does Phi-3's default for
/// that key, 4,096.
fn original_context(config: &Fields<'_>, parameters: &Fields<'_>, around: &Around) -> Result<u32> {
    const KEY: &str = "original_max_position_embeddings";
    // Two, because its logarithm is divided by.
    let (outer, inner) = (config.count(KEY, 2, CONTEXT)?, parameters.count(KEY, 2, CONTEXT)?);
    let outer = outer.or((around.family == Family::Phi3).then_some(4096));
    Ok(outer.or(inner).unwrap_or(around.context))
}

fn llama3(config: &Fields<'_>, parameters: &Fields<'_>, around: &Around) -> Result<RopeScaling> {
    let number = |key| {
        let number = parameters.positive(key)?.map(|number| number as f32);
        number.ok_or_else(|| parameters.missing(key, "a number over 0"))
    };
    let (low_freq_factor, high_freq_factor) = (number("low_freq_factor")?, number("high_freq_factor")?);
    if high_freq_factor <= low_freq_factor {
        let expected = format!("more than the low_freq_factor {low_freq_factor}");
        return Err(parameters.wrong("high_freq_factor", high_freq_factor.to_string(), expected));
    }
    let original_context = original_context(config, parameters, around)?;
    Ok(RopeScaling::Llama3 { factor: factor(parameters)?, low_freq_factor, high_freq_factor, original_context })
}

fn yarn(config: &Fields<'_>, parameters: &Fields<'_>, around: &Around) -> Result<RopeScaling> {
    let original_context = original_context(config, parameters, around)?;
    let factor = ratio(parameters, around, original_context)?;
    // The default grows with the logarithm of the factor: 0.1 · ln(factor) + 1.
    let scale = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
    let (mscale, all) = (parameters.number("mscale")?, parameters.number("mscale_all_dim")?);
    let attention_factor = match (parameters.positive("attention_factor")?, mscale, all) {
        (Some(attention_factor), ..) => attention_factor,
        (None, Some(mscale), Some(all)) if mscale != 0.0 && all != 0.0 => scale(mscale) / scale(all),
        _ => scale(1.0),
    };
    // Zero stands for the default there, too.
    let beta = |key, default: f64| -> Result<f64> {
        Ok(parameters.number(key)?.filter(|beta| *beta != 0.0).unwrap_or(default))
    };
    let (beta_fast, beta_slow) = (beta("beta_fast", 32.0)?, beta("beta_slow", 1.0)?);
    if beta_slow < 0.0 || beta_fast < beta_slow {
        let expected = format!("at least the beta_slow {beta_slow}, which is over 0");
        return Err(parameters.wrong("beta_fast", beta_fast.to_string(), expected));
    }
    Ok(RopeScaling::Yarn {
        factor: factor as f32,
        attention_factor: finite(parameters, attention_factor)?,
        beta_fast: beta_fast as f32,
        beta_slow: beta_slow as f32,
        original_context,
        truncate: parameters.flag("truncate")?.unwrap_or(true),
    })
}

fn long(config: &Fields<'_>, parameters: &Fields<'_>, around: &Around, dimensions: u32) -> Result<RopeScaling> {
    let original_context = original_context(config, parameters, around)?;
    let factor = ratio(parameters, around, original_context)?;
    let attention_factor = match parameters.positive("attention_factor")? {
        Some(attention_factor) => attention_factor,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / f64::from(original_context).ln()).sqrt(),
    };
    let divisors = |key| {
        let expected = format!("a list of {} numbers over 0", dimensions / 2);
        let list = parameters.positives(key)?.ok_or_else(|| parameters.missing(key, expected.clone()))?;
        if list.len() as u64 != u64::from(dimensions / 2) {
            return Err(parameters.wrong(key, format!("a list of {}", list.len()), expected));
        }
        Ok(list)
    };
    Ok(RopeScaling::LongRope {
        short: divisors("short_factor")?,
        long: divisors("long_factor")?,
        attention_factor: finite(parameters, attention_factor)?,
        original_context,
    })
}

/// `factor`, or how much longer the context is than the one before scaling.
fn ratio(parameters: &Fields<'_>, around: &Around, original_context: u32) -> Result<f64> {
    let implied = f64::from(around.context) / f64::from(original_context);
    Ok(parameters.positive("factor")?.unwrap_or(implied))
}

fn finite(parameters: &Fields<'_>, attention_factor: f64) -> Result<f32, Error> {
    let factor = attention_factor as f32;
    let wrong = || parameters.wrong("attention_factor", attention_factor.to_string(), "a finite number over 0");
    (factor.is_finite() && factor > 0.0).then_some(factor).ok_or_else(wrong)
}
