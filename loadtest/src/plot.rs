//! Plots as inline SVG: colours come from the style sheet of the page, so that they follow its theme. Pure.

use std::fmt::Write as _;

use crate::result::Bucket;
use crate::terminal::count;
use crate::thresholds::shown;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 30.0;

/// A line over time.
pub(crate) struct Series<'s> {
    pub(crate) label: &'s str,
    /// Seconds and values.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A stretch of time with a name.
pub(crate) struct Band<'s> {
    pub(crate) name: &'s str,
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
}

/// The step between lines of a grid: 1, 2 or 5 of a decade, so that there are at most five.
fn step(max: f64) -> f64 {
    let decade = 10f64.powf((max / 5.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * decade).find(|step| max / step <= 5.0).unwrap_or(max)
}

/// Text that may stand in HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The frame of a plot: its name, the lines of its grid, and what they mean.
fn frame(title: &str, max: f64, out: &mut String) -> f64 {
    let step = step(max.max(1e-6));
    let top = (max.max(1e-6) / step).ceil() * step;
    let _ = write!(
        out,
        r#"<figure><figcaption>{}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        escaped(title),
        escaped(title)
    );
    let mut value = 0.0;
    while value <= top * 1.000_1 {
        let y = y_of(value, top);
        let label = if value >= 1_000.0 { count(value) } else { shown(value) };
        let _ = write!(
            out,
            r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0
        );
        value += step;
    }
    top
}

fn y_of(value: f64, top: f64) -> f64 {
    let share = (value / top).clamp(0.0, 1.0);
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

/// Lines over time, with the phases behind them.
pub(crate) fn over_time(title: &str, series: &[Series<'_>], bands: &[Band<'_>]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let max = points().map(|(_, value)| *value).fold(0.0, f64::max);
    let end_s = points().map(|(at_s, _)| *at_s).chain(bands.iter().map(|band| band.to_s)).fold(0.1, f64::max);
    let x_of = |at_s: f64| LEFT + (at_s / end_s).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let mut out = String::new();
    let top = frame(title, max, &mut out);
    for (index, band) in bands.iter().enumerate() {
        let (from, to) = (x_of(band.from_s), x_of(band.to_s));
        let _ = write!(
            out,
            r#"<rect class="band band-{}" x="{from:.1}" y="{TOP}" width="{:.1}" height="{:.1}"/><text class="band-name" x="{:.1}" y="{:.1}">{}</text>"#,
            index % 2,
            to - from,
            HEIGHT - TOP - BOTTOM,
            from + 4.0,
            TOP - 6.0,
            escaped(band.name)
        );
    }
    for (index, series) in series.iter().enumerate() {
        let coordinates: Vec<String> = series
            .points
            .iter()
            .map(|(at_s, value)| format!("{:.1},{:.1}", x_of(*at_s), y_of(*value, top)))
            .collect();
        let _ = write!(out, r#"<polyline class="line line-{index}" points="{}"/>"#, coordinates.join(" "));
    }
    let step_s = step(end_s);
    let mut at_s = 0.0;
    while at_s <= end_s {
        let (x, y, label) = (x_of(at_s), HEIGHT - BOTTOM + 18.0, shown(at_s));
        let _ = write!(out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="middle">{label} s</text>"#);
        at_s += step_s;
    }
    out.push_str("</svg>");
    if series.len() > 1 {
        out.push_str(r#"<p class="legend">"#);
        for (index, series) in series.iter().enumerate() {
            let _ = write!(out, r#"<span class="key key-{index}">{}</span>"#, escaped(series.label));
        }
        out.push_str("</p>");
    }
    out.push_str("</figure>");
    out
}

/// Bars of a histogram.
pub(crate) fn bars(title: &str, buckets: &[Bucket]) -> String {
    let max = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0) as f64;
    let mut out = String::new();
    let top = frame(title, max, &mut out);
    let slot = (WIDTH - LEFT - RIGHT) / buckets.len().max(1) as f64;
    let width = (slot * 0.72).min(64.0);
    for (index, bucket) in buckets.iter().enumerate() {
        let (middle, y) = (LEFT + slot * (index as f64 + 0.5), y_of(bucket.count as f64, top));
        let (edge, count) = (shown(bucket.le_ms), bucket.count);
        let _ = write!(
            out,
            r#"<rect class="bar" x="{:.1}" y="{y:.1}" width="{width:.1}" height="{:.1}" rx="2"><title>{count} up to {edge} ms</title></rect><text x="{middle:.1}" y="{:.1}" text-anchor="middle">{edge}</text>"#,
            middle - width / 2.0,
            HEIGHT - BOTTOM - y,
            HEIGHT - BOTTOM + 18.0
        );
    }
    out.push_str("</svg></figure>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_round_steps_and_at_most_five_lines() {
        for (max, expected) in
            [(1.0, 0.2), (4.9, 1.0), (5.0, 1.0), (5.1, 2.0), (49_000.0, 10_000.0), (0.03, 0.01)]
        {
            assert!((step(max) / expected - 1.0).abs() < 1e-9, "{max}: {}", step(max));
        }
    }

    #[test]
    fn a_line_stays_inside_of_its_plot_whatever_its_values() {
        for points in [vec![], vec![(0.0, 0.0)], vec![(0.0, 1.0), (5.0, 1e9)]] {
            let series = [Series { label: "a<b", points }, Series { label: "c", points: vec![] }];
            let band = Band { name: "<steady>", from_s: 0.0, to_s: 4.0 };
            let svg = over_time("p99 & more", &series, &[band]);
            assert!(
                svg.contains("p99 &amp; more") && svg.contains("&lt;steady&gt;") && svg.contains("a&lt;b")
            );
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert_eq!(svg.matches("<polyline").count(), 2);
        }
    }

    #[test]
    fn every_bar_is_drawn() {
        let svg = bars("latency", &[Bucket { le_ms: 0.5, count: 0 }, Bucket { le_ms: 1.0, count: 7 }]);
        assert_eq!(svg.matches(r#"class="bar""#).count(), 2);
        assert!(svg.contains("7 up to 1 ms"));
    }
}
