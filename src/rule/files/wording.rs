//! Templates of Prometheus in our words. Pure.
//!
//! Labels and the value are translated; a function that only shows a number nicely is left out. What has no counterpart
//! (conditions, loops, queries) is left out with an ellipsis.

/// The text with its placeholders translated.
pub(super) fn translated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((front, behind)) = rest.split_once("{{") {
        out.push_str(front);
        let Some((inside, after)) = behind.split_once("}}") else {
            // Without its end it is no placeholder.
            rest = behind;
            continue;
        };
        out.push_str(&placeholder(inside.trim_matches('-').trim()).unwrap_or_else(|| "…".to_owned()));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn placeholder(inside: &str) -> Option<String> {
    let mut words = inside.split_whitespace().filter(|word| !is_shown(word));
    let (word, more) = (words.next()?, words.next());
    if more.is_some() {
        return None;
    }
    if ["$value", ".Value"].contains(&word) {
        return Some("{{ value }}".to_owned());
    }
    let label = word.strip_prefix("$labels.").or_else(|| word.strip_prefix(".Labels."))?;
    let is_name = !label.is_empty() && label.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    is_name.then(|| format!("{{{{ labels.{label} }}}}"))
}

/// A word that only says how something is shown.
fn is_shown(word: &str) -> bool {
    const FUNCTIONS: [&str; 12] = [
        "|",
        "printf",
        "humanize",
        "humanize1024",
        "humanizeDuration",
        "humanizePercentage",
        "humanizeTimestamp",
        "title",
        "toUpper",
        "toLower",
        "stripPort",
        "toString",
    ];
    FUNCTIONS.contains(&word) || (word.starts_with("\"%") && word.ends_with('"') && word.len() > 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::template::Template;

    #[test]
    fn placeholders_are_translated_or_left_out() {
        for (text, expected) in [
            ("plain", "plain"),
            ("{{ $labels.instance }} at {{$value}}", "{{ labels.instance }} at {{ value }}"),
            ("{{ .Labels.job }}{{- .Value -}}", "{{ labels.job }}{{ value }}"),
            ("{{ $value | humanizePercentage }}", "{{ value }}"),
            ("{{ printf \"%.2f\" $value }}%", "{{ value }}%"),
            ("{{ humanize $value }}", "{{ value }}"),
            ("{{ with query \"up\" }}{{ . | first | value }}{{ end }}!", "………!"),
            ("{{ $labels.a $value }}", "…"),
            ("{{ $labels.a-b }}", "…"),
            ("half {{ open", "half  open"),
        ] {
            assert_eq!(translated(text), expected);
            Template::parse(expected).unwrap();
        }
    }
}
