//! The page's address: [`View`] to query string and back. Knows no browser. What is as usual is left out, so that a plain
//! visit has a plain address; what cannot be read is as if it were not there.

use super::state::{Colours, Lang, Panel, Sort, Theme, View};
use crate::arch;
use crate::protocol::{Backend, Scale};
use crate::tensor::Unit;

/// Reads `?variant=lenet5&layer=c1&unit=3,9,14&…`, with or without the question mark.
pub fn parse(query: &str) -> View {
    let mut view = View::new();
    for (key, value) in query.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('=')) {
        let value = decode(value);
        match key {
            "variant" if arch::variant(&value).is_some() => view.variant = value,
            "layer" => view.layer = Some(value),
            "unit" => view.unit = unit(&value),
            "map" => view.map = value.parse().ok(),
            "step" => view.step = value.parse().ok(),
            "backward" => view.backward = value == "1",
            "class" => view.class = value.parse().ok(),
            "view" => view.panel = Panel::ALL.into_iter().find(|p| p.name() == value).unwrap_or_default(),
            "seed" => view.seed = value.parse().ok(),
            "lang" => view.lang = Lang::parse(&value),
            "theme" => {
                view.theme = [Theme::Light, Theme::Dark].into_iter().find(|t| t.name() == value).unwrap_or_default()
            }
            "backend" => {
                view.backend = match value.as_str() {
                    "gpu" => Some(Backend::Gpu),
                    "cpu" => Some(Backend::Cpu),
                    _ => None,
                }
            }
            "scale" if value == "map" => view.scale = Scale::Map,
            "colours" => view.colours = Colours::ALL.into_iter().find(|c| c.name() == value).unwrap_or_default(),
            "sort" => view.sort = Sort::ALL.into_iter().find(|s| s.name() == value).unwrap_or_default(),
            "groups" => view.groups = value.split(',').filter(|g| !g.is_empty()).map(str::to_string).collect(),
            "hide" => view.hide = value.split(',').filter(|h| !h.is_empty()).map(str::to_string).collect(),
            _ => {}
        }
    }
    if view.layer.is_none() {
        (view.unit, view.map) = (None, None);
    }
    if view.unit.is_some() {
        view.map = None;
    } else {
        view.step = None;
    }
    view
}

/// Writes it: empty, or beginning with a question mark.
pub fn print(view: &View) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    if view.variant != arch::VARIANTS[0].name {
        pairs.push(("variant", view.variant.clone()));
    }
    if let Some(layer) = &view.layer {
        pairs.push(("layer", layer.clone()));
        if let Some(u) = view.unit {
            pairs.push(("unit", format!("{},{},{}", u.c, u.y, u.x)));
            pairs.extend(view.step.map(|step| ("step", step.to_string())));
        } else if let Some(map) = view.map {
            pairs.push(("map", map.to_string()));
        }
    }
    if view.backward {
        pairs.push(("backward", "1".into()));
    }
    pairs.extend(view.class.map(|class| ("class", class.to_string())));
    if view.panel != Panel::default() {
        pairs.push(("view", view.panel.name().into()));
    }
    if let Some(seed) = view.seed {
        pairs.push(("seed", seed.to_string()));
    }
    if let Some(lang) = view.lang {
        pairs.push(("lang", lang.tag().into()));
    }
    if view.theme != Theme::Auto {
        pairs.push(("theme", view.theme.name().into()));
    }
    if let Some(backend) = view.backend {
        pairs.push(("backend", if backend == Backend::Gpu { "gpu" } else { "cpu" }.into()));
    }
    if view.scale == Scale::Map {
        pairs.push(("scale", "map".into()));
    }
    if view.colours != Colours::default() {
        pairs.push(("colours", view.colours.name().into()));
    }
    if view.sort != Sort::default() {
        pairs.push(("sort", view.sort.name().into()));
    }
    if !view.groups.is_empty() {
        pairs.push(("groups", view.groups.join(",")));
    }
    if !view.hide.is_empty() {
        pairs.push(("hide", view.hide.join(",")));
    }
    let mut out = String::new();
    for (key, value) in pairs {
        out.push(if out.is_empty() { '?' } else { '&' });
        out.push_str(key);
        out.push('=');
        encode(&value, &mut out);
    }
    out
}

fn unit(text: &str) -> Option<Unit> {
    let mut numbers = text.split(',').map(|n| n.parse().ok());
    let unit = Unit { c: numbers.next()??, y: numbers.next()??, x: numbers.next()?? };
    numbers.next().is_none().then_some(unit)
}

/// Percent-encoding of what has a meaning of its own in a query (the comma has none).
fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~,".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn decode(value: &str) -> String {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (*first, escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                out.push(b' ');
                rest = tail;
            }
            (byte, _) => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_visit_has_a_plain_address() {
        assert_eq!(parse(""), View::new());
        assert_eq!(print(&View::new()), "");
    }

    #[test]
    fn everything_survives_the_way_there_and_back() {
        let view = View {
            variant: "lenet5-modern".into(),
            layer: Some("layer2/conv 한&=%".into()),
            unit: Some(Unit { c: 3, y: 9, x: 14 }),
            map: None,
            step: Some(17),
            backward: true,
            class: Some(4),
            panel: Panel::Training,
            seed: Some(u64::MAX),
            lang: Some(Lang::Ko),
            theme: Theme::Dark,
            backend: Some(Backend::Cpu),
            scale: Scale::Map,
            colours: Colours::Cividis,
            sort: Sort::Largest,
            groups: vec!["conv4_x".into(), "conv4_7".into()],
            hide: vec!["pad".into(), "train".into()],
        };
        let query = print(&view);
        assert!(query.starts_with("?variant=lenet5-modern&layer=layer2%2Fconv%20"), "{query}");
        assert!(query.ends_with("hide=pad,train"), "{query}");
        assert_eq!(parse(&query), view);
    }

    #[test]
    fn nonsense_is_as_if_it_were_not_there() {
        let query = "?variant=nothing&unit=1,2&seed=-3&lang=fr&theme=pink&backend=tpu&scale=&hide=,&%&=&layer";
        assert_eq!(parse(query), View::new());
        assert_eq!(parse("layer=c1&unit=1,2,3,4").unit, None);
        assert_eq!(parse("unit=1,2,3").unit, None, "a unit of no layer");
        assert_eq!(parse("map=3").map, None, "a map of no layer");
        let map = parse("layer=c1&map=3&step=4&colours=pink&sort=");
        assert_eq!((map.map(), map.step, map.colours, map.sort), (Some(3), None, Colours::Signed, Sort::Index));
        assert_eq!(print(&map), "?layer=c1&map=3");
        assert_eq!(print(&parse("layer=c1&map=3&unit=4,0,0")), "?layer=c1&unit=4,0,0");
        assert_eq!(parse("layer=%zz%e").layer.as_deref(), Some("%zz%e"));
    }
}
