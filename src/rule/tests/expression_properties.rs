use proptest::prelude::*;

use super::expressions::fields;
use super::{assert_legal, rule, series};
use crate::alert::{Matcher, Operator};
use crate::rule::expression::{BYTES_MAX, Call, Expression, Function, Input, Operation};
use crate::rule::{Comparison, Evaluator};

fn inputs() -> impl Strategy<Value = Input> {
    let metric = prop::sample::select(vec!["cpu_percent", "memory.utilization", "queue-depth", "And", "a:b"]);
    let operator = prop::sample::select(vec![Operator::Is, Operator::IsNot]);
    let matcher = ("[a-z][a-z./-]{0,4}", operator, "[a\"'`\\\\\né,}]{0,4}")
        .prop_map(|(name, operator, value)| Matcher::new(&name, operator, &value).unwrap());
    let function = prop_oneof![
        prop::sample::select(vec![
            Function::Avg,
            Function::Min,
            Function::Max,
            Function::Sum,
            Function::Count
        ]),
        prop::sample::select(vec![Function::Rate, Function::Increase, Function::Delta]),
        (1_u32..1000).prop_map(|part| Function::Quantile(f64::from(part) / 1_000.0)),
        (0_u64..100_000).prop_map(Function::PredictLinear),
    ];
    let call =
        (function, 1_000_u64..10_000_000).prop_map(|(function, window_ms)| Call { function, window_ms });
    (metric, prop::collection::vec(matcher, 0..3), prop::option::of(call))
        .prop_map(|(metric, matchers, call)| Input { metric: metric.to_owned(), matchers, call })
}

fn numbers<I: Clone + std::fmt::Debug + 'static>(
    input: impl Strategy<Value = I> + 'static,
) -> impl Strategy<Value = Expression<I>> {
    let number = prop_oneof![Just(0.0), 0.0..1e3, 1e-9..1e-3, 1e14..1e20];
    let leaf = prop_oneof![2 => input.prop_map(Expression::Input), 1 => number.prop_map(Expression::Number)];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let operation =
            prop::sample::select(vec![Operation::Plus, Operation::Minus, Operation::Times, Operation::By]);
        prop_oneof![
            inner.clone().prop_map(|one| Expression::Negative(Box::new(one))),
            (operation, inner.clone(), inner).prop_map(|(operation, one, other)| {
                Expression::Arithmetic(operation, Box::new(one), Box::new(other))
            }),
        ]
    })
}

fn truths<I: Clone + std::fmt::Debug + 'static>(
    input: impl Strategy<Value = I> + Clone + 'static,
) -> impl Strategy<Value = Expression<I>> {
    let comparison = prop::sample::select(vec![
        Comparison::Above,
        Comparison::AtLeast,
        Comparison::Below,
        Comparison::AtMost,
        Comparison::Equal,
        Comparison::NotEqual,
    ]);
    let leaf = (comparison, numbers(input.clone()), numbers(input)).prop_map(|(comparison, one, other)| {
        Expression::Comparison(comparison, Box::new(one), Box::new(other))
    });
    leaf.prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Expression::Not(Box::new(one))),
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| Expression::And(Box::new(one), Box::new(other))),
            (inner.clone(), inner).prop_map(|(one, other)| Expression::Or(Box::new(one), Box::new(other))),
        ]
    })
}

/// All samples of all metrics, and each function by its definition.
fn naive(input: &Input, samples: &[(&str, u64, f64)], now: u64) -> Option<f64> {
    let own = samples.iter().filter(|(metric, at, _)| *metric == input.metric && *at <= now);
    let Some(Call { function, window_ms }) = input.call else {
        return own
            .max_by_key(|(_, at, _)| *at)
            .filter(|(_, at, _)| now - at <= 300)
            .map(|(.., value)| *value);
    };
    let window: Vec<(f64, f64)> = own
        .filter(|(_, at, _)| (now - at) * 1_000 < window_ms)
        .map(|(_, at, value)| (*at as f64, *value))
        .collect();
    let values: Vec<f64> = window.iter().map(|(_, value)| *value).collect();
    let ((first_at, first), (last_at, last)) = (*window.first()?, *window.last()?);
    let count = values.len() as f64;
    let is_known = last_at > first_at && (last_at - first_at) * 2_000.0 >= window_ms as f64;
    let rises: f64 =
        values.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum();
    Some(match function {
        Function::Avg => values.iter().sum::<f64>() / count,
        Function::Sum => values.iter().sum(),
        Function::Count => count,
        Function::Min => values.iter().copied().reduce(f64::min)?,
        Function::Max => values.iter().copied().reduce(f64::max)?,
        Function::Quantile(part) => {
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let rank = part * (count - 1.0);
            let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
            low + (high - low) * rank.fract()
        }
        _ if !is_known => return None,
        Function::Delta => last - first,
        Function::Increase => rises,
        Function::Rate => rises / (last_at - first_at),
        Function::PredictLinear(ahead_ms) => {
            let (sx, sy) = window.iter().fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x, sy + y));
            let (sxx, sxy) = window.iter().fold((0.0, 0.0), |(sxx, sxy), (x, y)| (sxx + x * x, sxy + x * y));
            let slope = (count * sxy - sx * sy) / (count * sxx - sx * sx);
            (sy - slope * sx) / count + slope * (now as f64 + ahead_ms as f64 / 1_000.0)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_printed_is_read_as_the_same(expression in truths(inputs().boxed())) {
        let text = expression.to_string();
        if text.len() <= BYTES_MAX && !expression.is_constant() {
            prop_assert_eq!(Expression::parse(&text).unwrap(), expression, "{}", text);
        }
    }

    /// The same as when all samples are kept, and everything is looked up anew.
    #[test]
    fn windows_say_what_all_samples_say(
        function in prop::sample::select(vec![
            Function::Avg, Function::Min, Function::Max, Function::Sum, Function::Count, Function::Quantile(0.95),
            Function::Quantile(0.3), Function::Rate, Function::Increase, Function::Delta, Function::PredictLinear(30_000),
        ]),
        window in 1_u64..60, limit in 0_i32..40, joins in any::<bool>(),
        gaps in prop::collection::vec((1_u64..20, 0_i32..12, any::<bool>()), 1..60),
    ) {
        let input = |metric: &str, call| Expression::Input(Input { metric: metric.to_owned(), matchers: vec![], call });
        let over = |one, limit: f64| Expression::Comparison(Comparison::Above, Box::new(one), Box::new(Expression::Number(limit)));
        let call = Call { function, window_ms: window * 1_000 };
        // Off the grid of values: what is added up in another order is the same up to its last bits.
        let windowed = over(input("x", Some(call)), f64::from(limit) * 0.7 + 0.0137);
        let whole = if joins {
            Expression::Or(Box::new(windowed), Box::new(over(input("y", None), 9.5)))
        } else {
            windowed
        };
        let mut at = 1_000;
        let mut samples = Vec::new();
        for (gap, value, is_other) in gaps {
            at += gap;
            samples.push((if joins && is_other { "y" } else { "x" }, at, f64::from(value)));
        }
        let rule = rule(&fields(&whole.to_string()));
        let mut evaluator = Evaluator::new(rule.clone());
        let mut out = Vec::new();
        for (index, (metric, at, value)) in samples.iter().enumerate() {
            evaluator.observe(&series(metric, "n"), at * 1_000, *value, &mut out);
            evaluator.tick(at * 1_000 + 1_000, &mut out);
            let holds = whole.truth(&|input| naive(input, &samples[..=index], *at));
            let fires = evaluator.explanations().next().unwrap().phase == crate::rule::Phase::Firing;
            match holds {
                Some(holds) => prop_assert_eq!(fires, holds, "{} at {}: {:?}", whole, at, samples),
                // What cannot be judged changes nothing.
                None => prop_assert!(out.last().is_none_or(|step| step.at_ms < at * 1_000)),
            }
        }
        assert_legal(&rule, &out);
    }
}
