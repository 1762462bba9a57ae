//! The page's address: [`View`] to query string and back. Knows no browser. What is as usual is left out, so that a plain
//! visit has a plain address; what cannot be read is as if it were not there.

use super::state::{Colours, Lang, Method, Panel, Sort, Stack, Theme, View};
use crate::arch;
use crate::arch::summary::Measure;
use crate::data::photo;
use crate::graph::stack::Storey;
use crate::protocol::{Backend, Over, Picture, Scale};
use crate::tensor::Unit;

/// Reads `?variant=lenet5&layer=c1&unit=3,9,14&…`, with or without the question mark.
pub fn parse(query: &str) -> View {
    let mut view = View::new();
    for (key, value) in query.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('=')) {
        let value = decode(value);
        match key {
            "variant" if arch::variant(&value).is_some() => view.variant = value,
            "beside" => view.beside = arch::variant(&value).map(|v| v.name.into()),
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
            "mode" => view.projector = value == "projector",
            "picture" => view.picture = picture(&value),
            "alter" => view.alter = value.parse().unwrap_or_default(),
            "backend" => {
                view.backend = match value.as_str() {
                    "gpu" => Some(Backend::Gpu),
                    "cpu" => Some(Backend::Cpu),
                    _ => None,
                }
            }
            "scale" if value == "map" => view.scale = Scale::Map,
            "over" => view.over = OVER.into_iter().find(|(_, name)| *name == value).map(|o| o.0).unwrap_or_default(),
            "maps" => view.one_map = value == "one",
            "method" => view.method = Method::ALL.into_iter().find(|m| m.name() == value).unwrap_or_default(),
            "stack" => view.stack = stack(&value).unwrap_or_default(),
            "colours" => view.colours = Colours::ALL.into_iter().find(|c| c.name() == value).unwrap_or_default(),
            "order" => view.order = Sort::ALL.into_iter().find(|s| s.name() == value).unwrap_or_default(),
            "groups" => view.groups = value.split(',').filter(|g| !g.is_empty()).map(str::to_string).collect(),
            "plot" => {
                let axes = value.split_once(',').and_then(|(x, y)| Some([Measure::parse(x)?, Measure::parse(y)?]));
                view.plot = axes;
            }
            "sort" => {
                let (name, descending) = value.strip_prefix('-').map_or((value.as_str(), false), |name| (name, true));
                view.sort = Measure::parse(name).map(|m| (m, descending));
            }
            "stage" => view.wide = value == "wide",
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
    if let Some(beside) = &view.beside {
        pairs.push(("beside", beside.clone()));
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
    if view.projector {
        pairs.push(("mode", "projector".into()));
    }
    if let Some(text) = view.picture.as_ref().and_then(told) {
        pairs.push(("picture", text));
    }
    if !view.alter.is_none() {
        pairs.push(("alter", view.alter.to_string()));
    }
    if let Some(backend) = view.backend {
        pairs.push(("backend", if backend == Backend::Gpu { "gpu" } else { "cpu" }.into()));
    }
    if view.scale == Scale::Map {
        pairs.push(("scale", "map".into()));
    }
    if let Some((_, name)) = OVER.iter().skip(1).find(|(over, _)| *over == view.over) {
        pairs.push(("over", (*name).into()));
    }
    if view.one_map {
        pairs.push(("maps", "one".into()));
    }
    if view.method != Method::default() {
        pairs.push(("method", view.method.name().into()));
    }
    if view.stack != Stack::default() {
        let storeys = view.stack.storeys.iter();
        let storeys = storeys.map(|s| format!("{}.{}.{}.{}", s.kernel, s.stride, s.padding, s.dilation));
        let parts: Vec<String> = [view.stack.channels.to_string()].into_iter().chain(storeys).collect();
        pairs.push(("stack", parts.join("~")));
    }
    if view.colours != Colours::default() {
        pairs.push(("colours", view.colours.name().into()));
    }
    if view.order != Sort::default() {
        pairs.push(("order", view.order.name().into()));
    }
    if !view.groups.is_empty() {
        pairs.push(("groups", view.groups.join(",")));
    }
    if let Some([x, y]) = view.plot {
        pairs.push(("plot", format!("{},{}", x.name(), y.name())));
    }
    if let Some((measure, descending)) = view.sort {
        pairs.push(("sort", format!("{}{}", if descending { "-" } else { "" }, measure.name())));
    }
    if view.wide {
        pairs.push(("stage", "wide".into()));
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

/// Names of the pictures that are averaged over; the first is usual.
const OVER: [(Over, &str); 3] = [(Over::Shown, "shown"), (Over::Samples, "samples"), (Over::Noise, "noise")];

/// `64~3.1.1.1~3.1.1.1`: channels, then kernel, stride, padding, dilation of each storey.
fn stack(text: &str) -> Option<Stack> {
    let mut parts = text.split('~');
    let channels = parts.next()?.parse().ok().filter(|c| (1..=4096).contains(c))?;
    let storey = |part: &str| {
        let numbers: Vec<usize> = part.split('.').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        match numbers[..] {
            [kernel @ 1..=31, stride @ 1..=8, padding @ 0..=31, dilation @ 1..=8] => {
                Some(Storey { kernel, stride, padding, dilation })
            }
            _ => None,
        }
    };
    let storeys: Vec<Storey> = parts.map(storey).collect::<Option<_>>()?;
    (1..=Stack::MOST).contains(&storeys.len()).then_some(Stack { storeys, channels })
}

/// A picture that comes with the page: `7.2` is the third seven, `test.431` a test digit by its place, `photo.1` a photograph.
fn picture(text: &str) -> Option<Picture> {
    let (kind, number) = text.split_once('.')?;
    let number = number.parse().ok()?;
    match kind {
        "test" => Some(Picture::Sample(number)).filter(|_| number < Picture::SAMPLES),
        "photo" => Some(Picture::SamplePhoto(number)).filter(|_| number < photo::SAMPLES.len()),
        _ => kind.parse().ok().filter(|digit| *digit < 10).map(|digit| Picture::SampleOf { digit, nth: number }),
    }
}

fn told(picture: &Picture) -> Option<String> {
    match picture {
        Picture::Sample(place) => Some(format!("test.{place}")),
        Picture::SamplePhoto(place) => Some(format!("photo.{place}")),
        Picture::SampleOf { digit, nth } => Some(format!("{digit}.{nth}")),
        _ => None,
    }
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
    use crate::arch::published::Task;
    use crate::protocol::Alterations;

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
            panel: Panel::Training,
            seed: Some(u64::MAX),
            lang: Some(Lang::Ko),
            theme: Theme::Dark,
            projector: true,
            picture: Some(Picture::SampleOf { digit: 7, nth: 2 }),
            alter: Alterations { shift: [0, -3], noise: 10, seed: 4, ..Alterations::default() },
            backend: Some(Backend::Cpu),
            scale: Scale::Map,
            over: Over::Noise,
            one_map: true,
            method: Method::Occlusion,
            class: Some(281),
            stack: Stack { storeys: vec![Storey { kernel: 11, stride: 4, padding: 2, dilation: 1 }], channels: 96 },
            colours: Colours::Cividis,
            order: Sort::Largest,
            groups: vec!["conv4_x".into(), "conv4_7".into()],
            beside: Some("resnet-digits".into()),
            plot: Some([Measure::Macs, Measure::Error(Task::Top5)]),
            sort: Some((Measure::Field, true)),
            wide: true,
            hide: vec!["pad".into(), "train".into()],
        };
        let query = print(&view);
        assert!(query.starts_with("?variant=lenet5-modern&beside=resnet-digits&layer=layer2%2Fconv%20"), "{query}");
        assert!(query.ends_with("hide=pad,train"), "{query}");
        assert_eq!(parse(&query), view);
    }

    #[test]
    fn nonsense_is_as_if_it_were_not_there() {
        let query = "?variant=nothing&beside=nobody&unit=1,2&seed=-3&lang=fr&theme=pink&backend=tpu&plot=macs&sort=beauty&scale=&hide=,&%&=&layer";
        assert_eq!(parse(query), View::new());
        for stack in ["", "64", "64~3.1.1", "64~0.1.1.1", "0~3.1.1.1", "64~3.1.1.1~x"] {
            assert_eq!(parse(&format!("over=all&method=x&class=-1&stack={stack}")), View::new());
        }
        for picture in ["", "7", "10.1", "-1.0", "test.100000", "photo.9", "photo.x"] {
            assert_eq!(parse(&format!("picture={picture}")).picture, None, "{picture}");
        }
        for picture in ["test.43", "photo.1", "0.0"] {
            assert_eq!(print(&parse(&format!("picture={picture}"))), format!("?picture={picture}"));
        }
        assert_eq!(parse("layer=c1&unit=1,2,3,4").unit, None);
        assert_eq!(parse("unit=1,2,3").unit, None, "a unit of no layer");
        assert_eq!(parse("map=3").map, None, "a map of no layer");
        let map = parse("layer=c1&map=3&step=4&colours=pink&order=");
        assert_eq!((map.map(), map.step, map.colours, map.order), (Some(3), None, Colours::Signed, Sort::Index));
        assert_eq!(print(&map), "?layer=c1&map=3");
        assert_eq!(print(&parse("layer=c1&map=3&unit=4,0,0")), "?layer=c1&unit=4,0,0");
        assert_eq!(parse("layer=%zz%e").layer.as_deref(), Some("%zz%e"));
    }
}
