//! The same weights in every form that a graph may have: the same scores, and the same tokens.

use trillm_core::{LoadOptions, Token};
use trillm_testkit::models::OnnxForm;
use trillm_testkit::stories::{best, run, small};

use crate::common::{load, tiny};

/// The scores of a prompt, and of what follows when the best token is always taken.
fn story(form: OnnxForm) -> Vec<Vec<f32>> {
    let (folder, _) = tiny(form);
    let model = load(folder.path(), &LoadOptions::default()).expect("the model loads");
    let mut session = model.session(&small()).expect("a session");
    let prompt: Vec<_> = (1..20).map(|index| Token(index * 13 % 290 + 1)).collect();
    let mut rows = vec![run(&mut *session, 0, 0, &prompt).expect("a step")];
    for position in prompt.len()..prompt.len() + 24 {
        let next = best(&rows[rows.len() - 1]);
        rows.push(run(&mut *session, 0, position, &[next]).expect("a step"));
    }
    rows
}

#[test]
fn all_forms_agree() {
    let expected = story(OnnxForm::NoCache);
    for form in [OnnxForm::Grown, OnnxForm::Shared, OnnxForm::Joined, OnnxForm::Merged] {
        for (step, (one, other)) in expected.iter().zip(&story(form)).enumerate() {
            let apart = one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 2e-4, "{form:?}, step {step}: {apart} apart");
            assert_eq!(best(one), best(other), "{form:?}, step {step}");
        }
    }
}
