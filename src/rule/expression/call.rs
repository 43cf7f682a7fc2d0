//! The functions of expressions, and their names. Pure.

/// What is made of the samples of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// All together.
    Sum,
    /// How many there are.
    Count,
    /// The value below which this part (0 to 1) of them is; between two samples in proportion.
    Quantile(f64),
    /// How much a counter rose, a second; where it falls it began anew at 0.
    Rate,
    /// How much a counter rose.
    Increase,
    /// The newest less the oldest.
    Delta,
    /// Where the straight line that fits them best is so many milliseconds later.
    PredictLinear(u64),
}

/// Names with what they mean; of `quantile` and `predict_linear` the argument is read apart. The second is Prometheus'.
pub(super) const NAMES: [(&str, &str, Function); 10] = [
    ("avg", "avg_over_time", Function::Avg),
    ("min", "min_over_time", Function::Min),
    ("max", "max_over_time", Function::Max),
    ("sum", "sum_over_time", Function::Sum),
    ("count", "count_over_time", Function::Count),
    ("quantile", "quantile_over_time", Function::Quantile(0.0)),
    ("rate", "rate", Function::Rate),
    ("increase", "increase", Function::Increase),
    ("delta", "delta", Function::Delta),
    ("predict_linear", "predict_linear", Function::PredictLinear(0)),
];

impl Function {
    /// The function of a name, in any case: also `p1` to `p99`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let known = NAMES
            .iter()
            .find(|(own, other, _)| own.eq_ignore_ascii_case(name) || other.eq_ignore_ascii_case(name));
        known.map(|(_, _, function)| *function).or_else(|| {
            let digits = name.strip_prefix(['p', 'P']).filter(|digits| digits.len() <= 2)?;
            let percent: u32 = digits.parse().ok().filter(|percent| *percent > 0)?;
            Some(Self::Quantile(f64::from(percent) / 100.0))
        })
    }

    /// Its name: `p95` where the part of a quantile has one.
    pub(super) fn name(self) -> String {
        if let Self::Quantile(part) = self
            && let Some(percent) = percent(part)
        {
            return format!("p{percent}");
        }
        let same = |other: &Function| std::mem::discriminant(other) == std::mem::discriminant(&self);
        NAMES.iter().find(|(_, _, function)| same(function)).map_or("", |(name, ..)| name).to_owned()
    }
}

/// The whole percentage that is exactly this part.
pub(super) fn percent(part: f64) -> Option<u32> {
    #[expect(clippy::float_cmp, reason = "what is printed is read again as the same")]
    (1..100).find(|percent| f64::from(*percent) / 100.0 == part)
}
