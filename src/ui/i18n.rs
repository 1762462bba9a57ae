//! The page's messages in its languages: `locales/en.json` and `ko.json`, compiled in by `rust-i18n`. Knows keys and placeholders;
//! knows no browser. A test finds messages that are missing, unused or differ in their placeholders.

use super::state::Lang;
use crate::arch::Variant;
use std::borrow::Cow;

// Only its catalogue and lookup are used: which language is in use is the page's state, not a global.
#[allow(missing_docs, unused_imports, unused_qualifications, dead_code)]
mod catalogue {
    rust_i18n::i18n!("src/ui/locales");

    pub fn find(lang: &str, key: &str) -> Option<std::borrow::Cow<'static, str>> {
        _rust_i18n_backend().translate(lang, key)
    }
}

/// The message for `key`; the key itself where there is none (a test sees to it that there is).
pub fn text(lang: Lang, key: &str) -> Cow<'static, str> {
    catalogue::find(lang.tag(), key).unwrap_or_else(|| key.to_string().into())
}

/// The message for `key`, if there is one: keys that the engine makes up.
pub fn find(lang: Lang, key: &str) -> Option<Cow<'static, str>> {
    catalogue::find(lang.tag(), key)
}

/// The message with each `%{name}` replaced.
pub fn fill(lang: Lang, key: &str, values: &[(&str, &str)]) -> String {
    put(&text(lang, key), values)
}

/// A message with each `%{name}` replaced by its value; names without a value stay.
pub fn put(message: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(message.len() + 16);
    let mut rest = message;
    while let Some((before, after)) = rest.split_once("%{") {
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        match values.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => out.push_str(value),
            None => out.push_str(&format!("%{{{name}}}")),
        }
        rest = tail;
    }
    out + rest
}

/// A network's title: its proper name, and what kind of it this is, in words.
pub fn title(lang: Lang, variant: &Variant) -> Cow<'static, str> {
    match variant.title.find([' ', ',']).zip(variant.name.rsplit('-').next()) {
        Some((end, kind)) => fill(lang, &format!("title-{kind}"), &[("name", &variant.title[..end])]).into(),
        None => variant.title.into(),
    }
}

/// A whole number with thousands separated, as both languages do it.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A value in at most four significant digits, with a true minus sign; words for what is no number.
pub fn value(x: f32) -> String {
    let text = match x.abs() {
        a if a.is_nan() => return "NaN".into(),
        a if a.is_infinite() => "∞".into(),
        0.0 => return "0".into(),
        a if !(1e-3..1e5).contains(&a) => format!("{a:.2e}").replace('-', "−"),
        a if a >= 1000.0 => format!("{a:.0}"),
        a if a >= 100.0 => format!("{a:.1}"),
        a if a >= 10.0 => format!("{a:.2}"),
        a => format!("{a:.3}"),
    };
    if x < 0.0 { format!("−{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::VARIANTS;
    use crate::arch::summary::Measure;
    use crate::data::labels::CIFAR10;
    use crate::ui::state::{Method, Panel};
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    const EN: &str = include_str!("locales/en.json");
    const KO: &str = include_str!("locales/ko.json");

    fn messages(json: &str) -> BTreeMap<String, String> {
        let map: BTreeMap<String, String> = serde_json::from_str(json).unwrap();
        // serde keeps the last of two equal keys silently
        let lines = json.lines().filter(|l| l.trim_start().starts_with('"')).count();
        assert_eq!(lines, map.len(), "one message a line, each key once");
        map
    }

    fn placeholders(message: &str) -> BTreeSet<&str> {
        message.split("%{").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    /// Every text in double quotes of the crate's sources.
    fn quoted() -> BTreeSet<String> {
        fn walk(dir: &Path, out: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, out);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    for line in text.lines().filter(|l| !l.trim_start().starts_with("//")) {
                        out.extend(line.split('"').map(str::to_string));
                    }
                }
            }
        }
        let mut out = BTreeSet::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut out);
        out
    }

    /// Keys that are put together at run time: a prefix, and what can follow.
    fn composed() -> Vec<String> {
        let rates = VARIANTS.iter().flat_map(|v| v.published());
        let protocols: BTreeSet<&str> = rates.map(|r| r.protocol.name()).collect();
        let list = |prefix: &str, ends: &[&str]| ends.iter().map(|e| format!("{prefix}{e}")).collect::<Vec<_>>();
        [
            list(
                "why-",
                &[
                    "hardware",
                    "asked",
                    "no-webgpu",
                    "insecure",
                    "no-adapter",
                    "software",
                    "self-test-failed",
                    "device-lost",
                ],
            ),
            list("halt-", &["paused", "not-a-number", "diverged"]),
            list("theme-", &["auto", "light", "dark"]),
            Panel::ALL.iter().map(|p| format!("panel-{}", p.name())).collect(),
            list("order-", &["index", "mean", "largest", "active"]),
            list("colours-", &["signed", "cividis", "grey"]),
            list("start-", &["random", "shipped", "current"]),
            ["", "-label", "-note"].map(|end| Method::ALL.map(|m| format!("method-{}{end}", m.name()))).concat(),
            Measure::ALL.iter().map(|m| format!("measure-{}", m.name())).collect(),
            list("class-", &CIFAR10),
            list("title-", &["digits", "cifar", "torchvision", "modern", "bn", "v1"]),
            protocols.iter().flat_map(|p| [format!("protocol-{p}"), format!("protocol-{p}-why")]).collect(),
        ]
        .concat()
    }

    #[test]
    fn both_languages_say_the_same_things() {
        let (en, ko) = (messages(EN), messages(KO));
        assert_eq!(en.keys().collect::<Vec<_>>(), ko.keys().collect::<Vec<_>>());
        for (key, message) in &en {
            assert!(!message.trim().is_empty() && !ko[key].trim().is_empty(), "{key} is empty");
            assert_eq!(placeholders(message), placeholders(&ko[key]), "{key}");
        }
        let korean = |m: &str| m.chars().any(|c| ('가'..='힣').contains(&c));
        assert!(en.values().filter(|m| !m.contains("한국어")).all(|m| !korean(m)));
        // Names, symbols and units may be the same in both; sentences may not.
        for (key, message) in &ko {
            assert!(korean(message) || message.split(' ').count() < 4, "{key} is not in Korean: {message}");
        }
    }

    #[test]
    fn no_message_is_missing_or_unused() {
        let (en, quoted, composed) = (messages(EN), quoted(), composed());
        let unused: Vec<_> = en
            .keys()
            .filter(|k| !quoted.contains(*k) && !composed.contains(k))
            .filter(|k| {
                !["fault-", "note-", "scene-"].iter().any(|p| k.strip_prefix(p).is_some_and(|k| quoted.contains(k)))
            })
            .collect();
        assert!(unused.is_empty(), "unused: {unused:?}");
        for key in &composed {
            assert!(en.contains_key(key), "{key} is missing");
        }
        for variant in VARIANTS {
            for note in variant.build().unwrap().notes {
                assert!(en.contains_key(&format!("note-{note}")), "note-{note} is missing");
            }
        }
        // What the engine complains of.
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine")).unwrap() {
            let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for call in ["fault(\"", "failed(&scope(), \"", "failed(&browser.scope, \"", "failed(&self.scope, \""] {
                for (at, _) in source.match_indices(call) {
                    let key = format!("fault-{}", source[at + call.len()..].split('"').next().unwrap());
                    assert!(en.contains_key(&key), "{key} is missing");
                }
            }
        }
        // What the components ask for: words.get("key"), words.fill("key", …).
        let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
        let files = [ui.clone(), ui.join("panels")].into_iter().flat_map(|dir| std::fs::read_dir(dir).unwrap());
        for entry in files {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let code = source.lines().filter(|l| !l.trim_start().starts_with("//"));
                let source = code.collect::<Vec<_>>().join("\n");
                for call in ["get", "fill"].map(|f| format!("words.{f}(\"")) {
                    for (at, _) in source.match_indices(&call) {
                        let key = source[at + call.len()..].split('"').next().unwrap();
                        assert!(en.contains_key(key), "{key} is missing ({})", path.display());
                    }
                }
            }
        }
    }

    #[test]
    fn messages_are_found_and_filled() {
        assert_eq!(text(Lang::Ko, "app-language"), "English");
        assert_eq!(text(Lang::En, "no such key"), "no such key");
        assert_eq!(put("%{a} of %{b}, %{c} %{", &[("a", "1"), ("b", "%{a}")]), "1 of %{a}, %{c} %{");
    }

    /// The command line says the titles of the registry, the page those of its messages: in English they are the same.
    #[test]
    fn titles_are_the_registrys_in_english_and_korean_in_korean() {
        for variant in VARIANTS {
            let ko = title(Lang::Ko, variant);
            assert_eq!(title(Lang::En, variant), variant.title);
            assert!(!ko.contains("title-") && ![" for ", ", "].iter().any(|english| ko.contains(english)), "{ko}");
        }
        let named = |name| title(Lang::Ko, crate::arch::variant(name).unwrap());
        assert_eq!([named("resnet18"), named("resnet20-cifar")], ["ResNet-18", "ResNet-20 (CIFAR-10용)"]);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1234567].map(number), ["0", "999", "1,000", "1,234,567"]);
        let values = [0.0, -0.07, 1.2345, -12.345, 123.45, 4567.8, 1e-5, -3e7, f32::NAN, f32::NEG_INFINITY].map(value);
        assert_eq!(values, ["0", "−0.070", "1.235", "−12.35", "123.4", "4568", "1.00e−5", "−3.00e7", "NaN", "−∞"]);
    }
}
