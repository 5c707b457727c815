//! The sampler against a naive one: every token, sorted, in double precision.

use proptest::prelude::*;
use trillm_core::{SamplingParams, Token};
use trillm_sampling::{Error, Sampler};

/// A token's id and probability.
type Weighted = (usize, f64);

fn cumulated(sorted: &[Weighted], mass: f64) -> Vec<Weighted> {
    let total: f64 = sorted.iter().map(|x| x.1).sum();
    let mut before = 0.0;
    let mut kept = Vec::new();
    for &(token, p) in sorted {
        if !kept.is_empty() && before >= mass * total {
            break;
        }
        kept.push((token, p));
        before += p;
    }
    kept
}

/// Scores after bias and penalties.
fn edited(params: &SamplingParams, prompt: &[u32], generated: &[u32], logits: &[f32]) -> Vec<f64> {
    let mut scores: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
    for &(token, bias) in &params.logit_bias {
        scores[token.0 as usize] += f64::from(bias);
    }
    let seen: Vec<u32> = prompt.iter().chain(generated).copied().collect();
    let recent = &seen[seen.len().saturating_sub(params.repeat_last_n as usize)..];
    for (token, score) in scores.iter_mut().enumerate() {
        let penalty = f64::from(params.repetition_penalty);
        if recent.contains(&(token as u32)) {
            *score = if *score > 0.0 { *score / penalty } else { *score * penalty };
        }
        let count = generated.iter().filter(|&&t| t as usize == token).count();
        if count > 0 {
            *score -= f64::from(params.presence_penalty) + f64::from(params.frequency_penalty) * count as f64;
        }
    }
    scores
}

/// What may be chosen, with probabilities that add up to one.
fn kept(params: &SamplingParams, scores: &[f64]) -> Vec<Weighted> {
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weight = |score: f64| ((score - max) / f64::from(params.temperature)).exp();
    let mut list: Vec<Weighted> = scores.iter().map(|&score| weight(score)).enumerate().collect();
    list.retain(|x| x.1 > 0.0);
    list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if params.top_k > 0 {
        list.truncate(params.top_k as usize);
    }
    if params.typical_p < 1.0 {
        let total: f64 = list.iter().map(|x| x.1).sum();
        let entropy: f64 = -list.iter().map(|x| x.1 / total * (x.1 / total).ln()).sum::<f64>();
        let key = |x: &Weighted| (-(x.1 / total).ln() - entropy).abs();
        list.sort_by(|a, b| key(a).total_cmp(&key(b)));
        list = cumulated(&list, f64::from(params.typical_p));
        list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    }
    if params.top_p < 1.0 {
        list = cumulated(&list, f64::from(params.top_p));
    }
    let most = list[0].1;
    list.retain(|x| x.1 >= f64::from(params.min_p) * most);
    let total: f64 = list.iter().map(|x| x.1).sum();
    list.iter().map(|x| (x.0, x.1 / total)).collect()
}

fn seeded() -> SamplingParams {
    SamplingParams { seed: Some(7), ..SamplingParams::default() }
}

/// Unequal scores that no summation order can disturb much.
fn scores(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 + 13) % 1009) as f32 / 150.0 + i as f32 * 1e-4).collect()
}

#[test]
fn draws_follow_the_reference_distribution() {
    let cases = [
        seeded(),
        SamplingParams { temperature: 0.5, ..seeded() },
        SamplingParams { temperature: 3.0, ..seeded() },
        SamplingParams { top_k: 5, ..seeded() },
        SamplingParams { top_p: 0.8, ..seeded() },
        SamplingParams { top_p: 0.3, temperature: 2.0, ..seeded() },
        SamplingParams { min_p: 0.1, ..seeded() },
        SamplingParams { typical_p: 0.6, ..seeded() },
        SamplingParams { top_p: 0.9, min_p: 0.05, temperature: 1.5, ..seeded() },
        SamplingParams { top_k: 12, typical_p: 0.9, top_p: 0.8, min_p: 0.05, temperature: 2.0, ..seeded() },
        SamplingParams { logit_bias: vec![(Token(3), 2.5), (Token(9), f32::NEG_INFINITY)], ..seeded() },
    ];
    for vocabulary in [30, 400] {
        let logits = scores(vocabulary);
        for params in &cases {
            const DRAWS: u32 = 20_000;
            let expected = kept(params, &edited(params, &[], &[], &logits));
            let mut counts = vec![0_u32; vocabulary];
            let mut sampler = Sampler::new(params, &[], vocabulary as u32).unwrap();
            for _ in 0..DRAWS {
                counts[sampler.sample(&logits).unwrap().token.0 as usize] += 1;
            }
            let mut outside: u32 = counts.iter().sum();
            let (mut statistic, mut cells, mut rest) = (0.0, 0, (0.0, 0.0));
            for &(token, p) in &expected {
                outside -= counts[token];
                let (e, n) = (p * f64::from(DRAWS), f64::from(counts[token]));
                if e < 5.0 {
                    rest = (rest.0 + e, rest.1 + n);
                } else {
                    statistic += (n - e).powi(2) / e;
                    cells += 1;
                }
            }
            assert_eq!(outside, 0, "drawn outside what is kept: {params:?}");
            if rest.0 >= 5.0 {
                statistic += (rest.1 - rest.0).powi(2) / rest.0;
                cells += 1;
            }
            // Chi-squared: mean `cells - 1`, deviation √(2·mean). Five deviations; the seed is fixed.
            let freedom = f64::from(cells - 1).max(1.0);
            assert!(statistic < freedom + 5.0 * (2.0 * freedom).sqrt(), "{statistic} of {freedom}: {params:?}");
        }
    }
}

#[test]
fn penalties_count_what_they_should() {
    let params = SamplingParams {
        temperature: 0.0,
        repetition_penalty: 1.3,
        repeat_last_n: 4,
        presence_penalty: 0.3,
        frequency_penalty: 0.2,
        logit_bias: vec![(Token(2), 0.5), (Token(2), 0.25)],
        ..SamplingParams::default()
    };
    let prompt = [1, 1, 5, 6];
    let logits = [1.0, 1.9, 0.6, 1.3, -0.4, 1.8, 1.7, -1.0];
    let tokens = prompt.map(Token);
    let mut sampler = Sampler::new(&params, &tokens, 8).unwrap();
    let mut generated: Vec<u32> = Vec::new();
    for step in 0..30 {
        let scores = edited(&params, &prompt, &generated, &logits);
        let best = (0..8).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a))).unwrap();
        let token = sampler.sample(&logits).unwrap().token.0;
        assert_eq!(token as usize, best, "step {step}: {scores:?}");
        generated.push(token);
    }
    generated.sort_unstable();
    generated.dedup();
    assert!(generated.len() > 3, "the penalties had no effect");
}

#[test]
fn logprobs_are_those_before_truncation() {
    let logits = scores(300);
    for temperature in [0.0, 0.7, 2.0] {
        let params = SamplingParams { temperature, top_k: 3, logprobs: Some(5), ..seeded() };
        let reference = SamplingParams { temperature: if temperature > 0.0 { temperature } else { 1.0 }, ..seeded() };
        let expected = kept(&reference, &edited(&reference, &[], &[], &logits));
        let mut sampler = Sampler::new(&params, &[], 300).unwrap();
        for _ in 0..20 {
            let chosen = sampler.sample(&logits).unwrap();
            let logprobs = chosen.logprobs.unwrap();
            assert_eq!(logprobs.len(), 6);
            assert_eq!(logprobs[0].token, chosen.token);
            for (found, expected) in logprobs[1..].iter().zip(&expected) {
                assert_eq!(found.token.0 as usize, expected.0);
                assert!((f64::from(found.logprob) - expected.1.ln()).abs() < 1e-5);
            }
            let own = expected.iter().find(|x| x.0 == chosen.token.0 as usize).unwrap();
            assert!((f64::from(logprobs[0].logprob) - own.1.ln()).abs() < 1e-5);
        }
    }
    let only_chosen = SamplingParams { logprobs: Some(0), ..seeded() };
    assert_eq!(Sampler::new(&only_chosen, &[], 300).unwrap().sample(&logits).unwrap().logprobs.unwrap().len(), 1);
    assert_eq!(Sampler::new(&seeded(), &[], 300).unwrap().sample(&logits).unwrap().logprobs, None);
}

#[test]
fn the_lowest_id_wins_a_tie() {
    let greedy = SamplingParams { temperature: 0.0, ..SamplingParams::default() };
    let mut logits = vec![0.0; 1000];
    for at in [999, 640, 300, 129, 128, 127, 0] {
        logits[at] = 1.0;
        assert_eq!(Sampler::new(&greedy, &[], 1000).unwrap().sample(&logits).unwrap().token, Token(at as u32));
    }
    // Among equals, top-k keeps the lowest ids too, and top-p the fewest of them.
    let equal = vec![2.0; 1000];
    for params in [SamplingParams { top_k: 3, ..seeded() }, SamplingParams { top_p: 0.0025, ..seeded() }] {
        let mut sampler = Sampler::new(&params, &[], 1000).unwrap();
        let mut seen: Vec<u32> = (0..200).map(|_| sampler.sample(&equal).unwrap().token.0).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [0, 1, 2], "{params:?}");
    }
}

#[test]
fn odd_rows_are_errors_or_make_sense() {
    let cases = [
        seeded(),
        SamplingParams { temperature: 0.0, ..seeded() },
        SamplingParams { top_k: 2, ..seeded() },
        SamplingParams { top_p: 0.5, ..seeded() },
        SamplingParams { typical_p: 0.5, ..seeded() },
        SamplingParams { top_p: 0.0, min_p: 1.0, ..seeded() },
        SamplingParams { temperature: 1e-45, ..seeded() },
        SamplingParams { temperature: 100.0, logprobs: Some(20), ..seeded() },
    ];
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for params in cases {
        let sample = |logits: &[f32]| Sampler::new(&params, &[], 3).unwrap().sample(logits).map(|s| s.token.0);
        assert_eq!(sample(&[0.0, nan, nan]), Err(Error::NotANumber { token: 1 }), "{params:?}");
        assert_eq!(sample(&[inf, 0.0, nan]), Err(Error::NotANumber { token: 2 }), "{params:?}");
        assert_eq!(sample(&[-inf; 3]), Err(Error::NothingAllowed), "{params:?}");
        assert_eq!(sample(&[0.0; 2]), Err(Error::Row { found: 2, expected: 3 }), "{params:?}");
        assert_eq!(sample(&[-inf, -inf, -50.0]), Ok(2), "{params:?}");
        assert_eq!(sample(&[0.0, inf, -inf]), Ok(1), "{params:?}");
        assert_eq!(sample(&[f32::MIN, f32::MAX, f32::MIN]), Ok(1), "{params:?}");
        // Past the vocabulary nothing is looked at.
        assert_eq!(sample(&[-inf, -inf, 0.0, inf, nan]), Ok(2), "{params:?}");
        assert_eq!(Sampler::new(&params, &[], 1).unwrap().sample(&[-3.0]).map(|s| s.token.0), Ok(0), "{params:?}");
        assert_eq!(Sampler::new(&params, &[], 0).unwrap().sample(&[]).map(|s| s.token.0), Err(Error::NothingAllowed));
    }
    let forbid = |tokens: &[u32]| SamplingParams {
        logit_bias: tokens.iter().map(|&token| (Token(token), f32::NEG_INFINITY)).collect(),
        ..seeded()
    };
    assert_eq!(Sampler::new(&forbid(&[0]), &[], 2).unwrap().sample(&[inf, 0.0]).unwrap().token, Token(1));
    assert_eq!(Sampler::new(&forbid(&[0, 1]), &[], 2).unwrap().sample(&[1.0, 0.0]), Err(Error::NothingAllowed));
}

#[test]
fn a_seed_keeps_its_meaning() {
    let logits = scores(1000);
    let draw = |params: &SamplingParams| -> Vec<u32> {
        let mut sampler = Sampler::new(params, &[], 1000).unwrap();
        (0..8).map(|_| sampler.sample(&logits).unwrap().token.0).collect()
    };
    // Golden: a change here changes what users get from their seeds.
    assert_eq!(draw(&seeded()), PLAIN);
    assert_eq!(draw(&SamplingParams { top_p: 0.5, temperature: 1.5, ..seeded() }), NUCLEUS);
    assert_eq!(draw(&SamplingParams { top_k: 20, ..seeded() }), TOP_K);
    // Stages that keep everything change nothing.
    assert_eq!(draw(&SamplingParams { top_k: 1000, ..seeded() }), PLAIN);
    assert_ne!(draw(&SamplingParams { seed: Some(8), ..seeded() }), PLAIN);
    let fresh = SamplingParams::default();
    assert_ne!(draw(&fresh), draw(&fresh));
}

const PLAIN: [u32; 8] = [60, 181, 726, 442, 964, 476, 733, 350];
const NUCLEUS: [u32; 8] = [179, 475, 350, 80, 185, 739, 113, 192];
const TOP_K: [u32; 8] = [165, 231, 785, 508, 996, 620, 785, 442];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_drawn_is_what_the_reference_keeps(
        logits in prop::collection::vec(-8.0_f32..8.0, 1..600),
        (temperature, top_k) in (0.2_f32..3.0, prop_oneof![Just(0_u32), 1..700_u32]),
        top_p in prop_oneof![Just(1.0_f32), 0.0_f32..1.0],
        typical_p in prop_oneof![3 => Just(1.0_f32), 1 => 0.05_f32..1.0],
        min_p in prop_oneof![Just(0.0_f32), 0.0_f32..0.5],
        seed in any::<u64>(),
    ) {
        let params = SamplingParams {
            seed: Some(seed), temperature, top_k, top_p, typical_p, min_p, ..SamplingParams::default()
        };
        let exact: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
        // Rounding may move a token across a border: compare with borders a little wider, and a little narrower.
        let wide = SamplingParams {
            top_p: top_p + 1e-4,
            typical_p: typical_p + 1e-4,
            min_p: min_p * 0.999,
            ..params.clone()
        };
        let narrow = SamplingParams {
            top_p: if top_p < 1.0 { top_p - 1e-4 } else { 1.0 },
            typical_p: if typical_p < 1.0 { typical_p - 1e-4 } else { 1.0 },
            min_p: min_p * 1.001,
            ..params.clone()
        };
        let mut sampler = Sampler::new(&params, &[], logits.len() as u32).unwrap();
        let mut drawn: Vec<usize> = (0..300).map(|_| sampler.sample(&logits).unwrap().token.0 as usize).collect();
        drawn.sort_unstable();
        drawn.dedup();
        // Typical sampling's border moves what the stages after it see, so there only the border cases are comparable.
        if typical_p >= 1.0 {
            let allowed: Vec<usize> = kept(&wide, &exact).iter().map(|x| x.0).collect();
            for token in &drawn {
                prop_assert!(allowed.contains(token), "{token} drawn, allowed {allowed:?}");
            }
            for (token, p) in kept(&narrow, &exact) {
                // 300 draws miss such a token once in 10¹⁰ times.
                prop_assert!(p < 0.075 || drawn.contains(&token), "{token} of probability {p} not drawn");
            }
        }
    }

    #[test]
    fn greedy_is_the_first_largest(logits in prop::collection::vec((-5..5_i8).prop_map(f32::from), 1..700)) {
        let greedy = SamplingParams { temperature: 0.0, ..SamplingParams::default() };
        let token = Sampler::new(&greedy, &[], logits.len() as u32).unwrap().sample(&logits).unwrap().token.0 as usize;
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        prop_assert_eq!(Some(token), logits.iter().position(|&x| x >= best));
    }
}
