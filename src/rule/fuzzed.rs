//! What must hold for any text that is given as an expression: called by a target of `fuzz/` and, with random and with
//! nearly good input, by the tests below.
#![allow(unreachable_pub, reason = "the target of `fuzz/`, which has this file too, reaches it")]

use super::expression::{BYTES_MAX, Expression};

/// It is read or refused with a place inside of it; what is read says the same when it is printed and read again, and is
/// judged without a panic.
pub fn expression(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Expression::parse(text) {
        Ok(read) => {
            let printed = read.to_string();
            // Printing may take more than was written: `p5(x,1)` has a window of `1s`.
            if printed.len() <= BYTES_MAX {
                let again = Expression::parse(&printed).expect("what was printed");
                assert!(again == read, "{text:?} was printed as {printed:?}");
                assert_eq!(again.to_string(), printed);
            }
            let number = |_input: &_| Some(f64::from(u32::try_from(text.len()).unwrap_or_default()));
            assert!(read.truth(&number).is_some() || printed.contains(['*', '/', '+', '-']), "{text:?}");
            assert!(read.truth(&|_input| None).is_none_or(|_| !read.comparisons().is_empty()));
            assert!(!read.is_constant());
        }
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.at), "{text:?}: {error}");
            assert!(!error.expected.is_empty() && !error.found.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "cpu_percent",
            "memory.utilization",
            "{env=\"a\"}",
            "avg(",
            "p95(",
            "rate(",
            "predict_linear(",
            "(",
            ")",
            ")",
            ", 5m)",
            "[5m])",
            ",",
            "80",
            "1.5e3",
            ".5",
            "5m",
            "+",
            "-",
            "*",
            "/",
            ">",
            "<=",
            "==",
            "and",
            "OR",
            "not",
            "{__name__='a-b'}",
            "{a=~`b.*`}",
            "'",
            "[",
            "é",
        ]);
        prop::collection::vec(word, 0..14).prop_map(|words| words.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn junk(input in prop::collection::vec(any::<u8>(), 0..200)) {
            expression(&input);
        }

        #[test]
        fn nearly_good_words(text in words()) {
            expression(text.as_bytes());
        }

        #[test]
        fn a_good_one_with_damage(at in any::<prop::sample::Index>(), byte in 0_u8..128) {
            let good = "not avg(cpu_percent{env=\"prod\", node=~'db.*'}, 5m) * 2 > 80 and rate(x[1h30m]) <= -1.5e3 or p95(a.b, 60) != 3";
            let mut bytes = good.as_bytes().to_vec();
            *at.get_mut(&mut bytes) = byte;
            expression(&bytes);
        }
    }

    #[test]
    fn the_longest_and_the_deepest_are_read_or_refused() {
        for part in ["(", "not ", "-", "a>1 and ", "1+", "avg(", "{", "a>", "5m", "'", "\\", "not(a>1)or "] {
            let mut text = part.repeat(BYTES_MAX / part.len());
            expression(text.as_bytes());
            text.push_str("a>1");
            expression(text.as_bytes());
        }
    }
}
