//! What is told of a model in few words.

use serde_json::{Value, json};
use trillm_core::{Defaults, ModelInfo, Setting};

/// `details`.
pub(super) fn details(info: Option<&ModelInfo>) -> Value {
    let Some(info) = info else {
        return json!({ "parent_model": "", "format": "", "family": "", "families": null, "parameter_size": "",
            "quantization_level": "" });
    };
    json!({
        "parent_model": "",
        "format": info.format,
        "family": info.architecture,
        "families": [info.architecture],
        "parameter_size": size(info.parameters),
        "quantization_level": info.quantization,
    })
}

/// A number of weights as people say it: 134.52M.
fn size(parameters: u64) -> String {
    let parameters = parameters as f64;
    let units = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")];
    match units.iter().find(|(unit, _)| parameters >= *unit) {
        Some((unit, name)) => format!("{:.2}{name}", parameters / unit),
        None => format!("{parameters}"),
    }
}

/// What can be asked of it, as Ollama calls that.
pub(super) fn capabilities(info: &ModelInfo) -> Vec<&'static str> {
    let named = |name| match name {
        "generate" => Some("completion"),
        "embed" => Some("embedding"),
        _ => None,
    };
    info.capabilities().into_iter().filter_map(named).collect()
}

/// Parameters that requests begin from, each with its name and its value on a line.
pub(super) fn parameters(defaults: &Defaults) -> Vec<String> {
    let named = |name| if name == "repetition_penalty" { "repeat_penalty" } else { name };
    let lines = defaults.list().into_iter().flat_map(|(name, setting, _)| {
        let name = named(name);
        match setting {
            Setting::Number(number) => vec![format!("{name:<30} {number}")],
            Setting::Count(count) => vec![format!("{name:<30} {count}")],
            // The system message is no parameter.
            Setting::Text(_) => vec![],
            Setting::Texts(texts) => texts.iter().map(|text| format!("{name:<30} {text:?}")).collect(),
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_three_digits_or_so() {
        for (parameters, text) in [(134_515_008, "134.52M"), (7_241_732_096, "7.24B"), (999, "999"), (1_500, "1.50K")] {
            assert_eq!(size(parameters), text);
        }
    }
}
