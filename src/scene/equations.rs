//! A unit's arithmetic as equations: a line a step, each true as it stands, constants named with their values. Knows explanations
//! and where their inputs come from; draws nothing.

use super::{Words, number, put};
use crate::graph::skips::{Role, SkipKind};
use crate::ops::Activation;
use crate::ops::explain::{Explanation, Rule};

/// Numbers that are written out in a sum; of more there is the sum alone.
pub(super) const FULL: usize = 6;

/// One input of the explained layer: what an explanation does not know.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    /// The layer that it comes from.
    pub name: String,
    /// What it is to the layer.
    pub role: Role,
    /// How many maps it has.
    pub maps: usize,
}

/// A unit's explanations (the layer, then the pointwise layers behind it), and where they come from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Story<'a> {
    /// One a layer.
    pub explanations: &'a [Explanation],
    /// The first layer's inputs, in order.
    pub sources: &'a [Source],
    /// The unit's map.
    pub map: usize,
    /// Whether colours are scaled by the map rather than by the layer, as the maps themselves are.
    pub by_map: bool,
}

impl<'a> Story<'a> {
    /// The input that a term reads.
    pub(super) fn source(&self, of: usize, input: usize) -> Option<&'a Source> {
        if of == 0 { self.sources.get(input) } else { None }
    }

    /// What an explanation calls what it reads.
    pub(super) fn reads(&self, of: usize) -> &'static str {
        of.checked_sub(1).and_then(|before| self.explanations.get(before)).map_or("x", |e| symbol(e.rule))
    }

    /// Whether this explanation is of a concatenation: a copy, but of one of several inputs.
    pub(super) fn joins(&self, of: usize) -> bool {
        of == 0 && self.sources.len() > 1 && self.explanations.first().is_some_and(|e| e.rule == Rule::Copy)
    }

    /// Of a concatenation's inputs, which one holds the unit, and the map with which it begins.
    pub(super) fn part(&self) -> Option<(usize, usize)> {
        let input = self.explanations.first()?.terms.first()?.input;
        Some((input, self.sources.iter().take(input).map(|s| s.maps).sum()))
    }
}

/// What a layer's value is called: the papers' letters, where they have some.
pub fn symbol(rule: Rule) -> &'static str {
    match rule {
        Rule::Activation(_) => "a",
        Rule::Normalise => "y",
        Rule::LocalResponse => "b",
        _ => "z",
    }
}

/// What a summand of a residual block is called (He et al. 2015, eq. 1 and 2).
pub(super) fn summand(source: Option<&Source>, input: usize) -> String {
    match source.map(|s| s.role) {
        Some(Role::Residual) => "F(x)".into(),
        Some(Role::Shortcut(SkipKind::Projection)) => "Wₛ·x".into(),
        Some(Role::Shortcut(_)) => "x".into(),
        _ => format!("x{}", ["₁", "₂", "₃", "₄"].get(input).unwrap_or(&"")),
    }
}

/// A number as a factor or behind a sign: negative ones in brackets.
pub(super) fn bracket(v: f32) -> String {
    bracketed(number(v))
}

fn bracketed(text: String) -> String {
    if text.starts_with('−') { format!("({text})") } else { text }
}

/// A number with as many digits as show what `small` adds to it.
fn exact(v: f32, small: f32) -> String {
    let digits = if small > 0.0 { (1.0 - small.log10().floor()).clamp(3.0, 7.0) as usize } else { 3 };
    let text = format!("{v:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').replace('-', "−")
}

/// A gradient, to three digits however small.
fn small(v: f32) -> String {
    if v != 0.0 && v.abs() < 0.1 { format!("{v:.2e}").replace('-', "−") } else { number(v) }
}

/// Numbers added up: `0.500 − 0.250 + 1.000`.
fn added(numbers: impl Iterator<Item = f32>) -> String {
    let term = |(i, v): (usize, f32)| match v {
        v if i == 0 => number(v),
        v if v < 0.0 => format!(" − {}", number(-v)),
        v => format!(" + {}", number(v)),
    };
    numbers.enumerate().map(term).collect()
}

/// `f(x)`, with what is put in for x.
fn activation(f: Activation, x: &str) -> String {
    let bracketed = if x.starts_with('−') { format!("({x})") } else { x.to_string() };
    match f {
        Activation::Relu => format!("max(0, {x})"),
        Activation::Tanh => format!("tanh({x})"),
        Activation::ScaledTanh => format!("1.7159 · tanh(⅔ · {bracketed})"),
        Activation::Sigmoid => format!("1 / (1 + exp(−{bracketed}))"),
    }
}

/// An equation, and the named step (`beats::stages`) of which explanation it tells.
pub(super) struct Line {
    pub of: usize,
    pub stage: usize,
    pub text: String,
}

/// The equations, in order; the last ends with the unit's value.
pub fn equations(story: &Story<'_>, words: &Words) -> Vec<String> {
    lines(story, words).into_iter().map(|line| line.text).collect()
}

pub(super) fn lines(story: &Story<'_>, words: &Words) -> Vec<Line> {
    let mut out = Vec::new();
    for (of, e) in story.explanations.iter().enumerate() {
        let (x, z) = (story.reads(of), symbol(e.rule));
        let mut say = |stage: usize, text: String| out.push(Line { of, stage, text });
        let find = |name: &str| e.steps.iter().find(|s| s.0 == name).map(|s| s.1);
        let step = |name: &str| find(name).unwrap_or(0.0);
        let value = number(e.steps.last().map_or(0.0, |s| s.1));
        // Where nothing follows that calls it by its letter, it needs none.
        let named = if story.explanations.len() > 1 { format!("{z} = ") } else { String::new() };
        match e.rule {
            Rule::WeightedSum => {
                let (sum, results) = (find("sum").map_or(value.clone(), number), e.terms.iter().map(|t| t.result));
                let parts =
                    if (2..=FULL).contains(&e.terms.len()) { format!("{} = ", added(results)) } else { String::new() };
                match find("bias") {
                    Some(bias) => {
                        say(0, format!("{} = {parts}{sum}", words.sum));
                        say(1, format!("{z} = {} + {} = {sum} + {} = {value}", words.sum, words.bias, bracket(bias)));
                    }
                    None => say(0, format!("{z} = {} = {parts}{sum}", words.sum)),
                }
            }
            Rule::ScaledSum => {
                let values = e.terms.iter().flat_map(|t| &t.values).flatten().copied();
                let many = values.clone().count() > FULL;
                let parts = if many { String::new() } else { format!("{} = ", added(values)) };
                let (sum, factor, product) = (step("sum"), step("coefficient"), step("product"));
                say(0, format!("{} = {parts}{}", words.sum, number(sum)));
                let scaled = format!("{} · {}", words.coefficient, words.sum);
                say(1, format!("{scaled} = {} · {} = {}", number(factor), bracket(sum), number(product)));
                let bias = bracket(step("bias"));
                say(2, format!("{z} = {scaled} + {} = {} + {bias} = {value}", words.bias, number(product)));
            }
            Rule::Max => say(0, format!("{named}{} = {value}", words.maximum)),
            Rule::Mean => {
                let (sum, count) = (number(step("sum")), step("count"));
                say(0, format!("{} = {sum}", words.sum));
                say(1, format!("{named}{} = {} / {count} = {sum} / {count} = {value}", words.mean, words.sum));
            }
            Rule::SquaredDistance => say(0, format!("{named}{} = Σ (x − w)² = {value}", words.distance)),
            Rule::Activation(f) => {
                let before = number(find("input").or_else(|| e.terms.first().map(|t| t.result)).unwrap_or(0.0));
                say(0, format!("{z} = {} = {} = {value}", activation(f, x), activation(f, &before)));
            }
            Rule::Sum => {
                let names: Vec<String> = e.terms.iter().map(|t| summand(story.source(of, t.input), t.input)).collect();
                let numbers: Vec<String> = e.terms.iter().map(|t| bracket(t.result)).collect();
                say(0, format!("{z} = {} = {} = {value}", names.join(" + "), numbers.join(" + ")));
            }
            // In the paper's letters (Ioffe & Szegedy 2015): mean μ, variance σ², scale γ, shift β.
            Rule::Normalise => {
                let [before, mean, variance, eps, hat, weight, bias] =
                    ["input", "mean", "variance", "eps", "normalised", "weight", "bias"].map(step);
                let [mean_text, variance_text, eps] = [mean, variance, eps].map(number);
                let [weight, bias_text] = [weight, bias].map(number);
                say(
                    0,
                    format!(
                        "{}: μ = {mean_text}, σ² = {variance_text}; ε = {eps}, γ = {weight}, β = {bias_text}",
                        words.running
                    ),
                );
                let top = format!("({} − {})", number(before), bracket(mean));
                say(0, format!("x̂ = ({x} − μ) / √(σ² + ε) = {top} / √({variance_text} + {eps}) = {}", number(hat)));
                say(1, format!("{z} = γ · x̂ + β = {weight} · {} + {} = {value}", bracket(hat), bracket(bias)));
            }
            // α is that of all n squares, as Caffe and PyTorch have it (Krizhevsky et al. 2012, §3.3, write α for our α/n).
            Rule::LocalResponse => {
                let [before, sum, d, k, n, alpha, beta] =
                    ["input", "sum", "denominator", "k", "size", "alpha", "beta"].map(step);
                let (squares, d) = (format!("Σ {x}²"), exact(d, alpha * sum));
                let parts = if e.terms.len() <= FULL {
                    format!("{} = ", added(e.terms.iter().map(|t| t.result)))
                } else {
                    String::new()
                };
                let (k, all, alpha) = (exact(k, 0.0), number(alpha * n), number(alpha));
                say(0, format!("n = {n}, k = {k}, α = {all}, β = {beta}"));
                say(0, format!("{squares} = {parts}{}", number(sum)));
                say(1, format!("k + α/n · {squares} = {k} + {alpha} · {} = {d}", number(sum)));
                say(2, format!("{z} = {x} / (k + α/n · {squares})^β = {} / {d}^{beta} = {value}", number(before)));
            }
            Rule::Copy => {
                if let Some((input, first)) = story.part().filter(|_| story.joins(of)) {
                    let (own, name) = ((story.map - first).to_string(), &story.sources[input].name);
                    let values = [&story.map.to_string(), &first.to_string(), &own, name.as_str()];
                    say(0, put(&words.copied, &values.map(|v| v as &str)));
                }
                let name = if named.is_empty() { format!("{} = ", words.value) } else { named };
                say(0, format!("{name}{value}"));
            }
        }
    }
    out
}

/// What the loss's gradients at the unit, one an explanation, come to for the parameters that are one number a map: a line each.
pub fn gradients(story: &Story<'_>, deltas: &[f32], words: &Words) -> Vec<String> {
    let mut out = Vec::new();
    for (e, &delta) in story.explanations.iter().zip(deltas) {
        let above = format!("∂L/∂{}", symbol(e.rule));
        for (name, gradient) in e.spread(delta).named {
            let step = |name: &str| e.steps.iter().find(|s| s.0 == name).map_or(0.0, |s| s.1);
            let (name, factor) = match (e.rule, name) {
                (Rule::Normalise, "weight") => ("γ", Some(("x̂", step("normalised")))),
                (Rule::Normalise, _) => ("β", None),
                (_, "coefficient") => (words.coefficient.as_ref(), Some((words.sum.as_ref(), step("sum")))),
                _ => (words.bias.as_ref(), None),
            };
            out.push(match factor {
                Some((letter, factor)) => format!(
                    "∂L/∂{name} = {letter} · {above} = {} · {} = {}",
                    number(factor),
                    bracketed(small(delta)),
                    small(gradient)
                ),
                None => format!("∂L/∂{name} = {above} = {}", small(gradient)),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::explain::{Term, steps};

    fn explanation(rule: Rule, results: &[f32], named: &[(&str, f32)]) -> Explanation {
        let term =
            |(input, &result): (usize, &f32)| Term { input, values: vec![Some(result)], result, ..Term::default() };
        Explanation { rule, terms: results.iter().enumerate().map(term).collect(), steps: steps(named) }
    }

    fn told(explanations: &[Explanation], sources: &[Source], map: usize) -> Vec<String> {
        equations(&Story { explanations, sources, map, by_map: false }, &Words::default())
    }

    /// What stands between the signs of equality of a line is one number: as far as it can be read without the letters.
    fn same(text: &str) -> bool {
        let value = |side: &str| {
            let side = side.replace(['(', ')'], "").replace('−', "-");
            let mut words = side.split(' ').filter(|w| !w.is_empty());
            let mut sum: f32 = words.next()?.parse().ok()?;
            while let Some(sign) = words.next() {
                let v: f32 = words.next()?.parse().ok()?;
                match sign {
                    "+" => sum += v,
                    "-" => sum -= v,
                    "·" => sum *= v,
                    "/" => sum /= v,
                    _ => return None,
                }
            }
            Some(sum)
        };
        let values: Vec<f32> = text.split(" = ").filter_map(value).collect();
        !values.is_empty() && values.windows(2).all(|w| (w[0] - w[1]).abs() < 2e-3)
    }

    #[test]
    fn a_line_a_step_and_each_true() {
        let conv = explanation(Rule::WeightedSum, &[1.0, -0.5], &[("sum", 0.5), ("bias", -0.25), ("value", 0.25)]);
        let tanh = explanation(Rule::Activation(Activation::ScaledTanh), &[], &[("input", 0.25), ("value", 0.283)]);
        let lines = told(&[conv, tanh], &[], 0);
        assert_eq!(
            lines,
            [
                "Σ = 1.000 − 0.500 = 0.500",
                "z = Σ + bias = 0.500 + (−0.250) = 0.250",
                "a = 1.7159 · tanh(⅔ · z) = 1.7159 · tanh(⅔ · 0.250) = 0.283"
            ]
        );
        assert!(lines[..2].iter().all(|line| same(line)));
        assert!(!same("Σ = 1.000 − 0.500 = 0.500 + (−0.250) = 0.250"), "a chain of equals that are not");
    }

    #[test]
    fn every_rule_names_its_numbers() {
        let pool = [("sum", 2.0), ("coefficient", -0.5), ("product", -1.0), ("bias", 0.25), ("value", -0.75)];
        let pool = told(&[explanation(Rule::ScaledSum, &[0.5, 0.5, 2.0, -1.0], &pool)], &[], 0);
        assert_eq!(
            pool,
            [
                "Σ = 0.500 + 0.500 + 2.000 − 1.000 = 2.000",
                "coefficient · Σ = −0.500 · 2.000 = −1.000",
                "z = coefficient · Σ + bias = −1.000 + 0.250 = −0.750"
            ]
        );
        assert!(pool.iter().all(|line| same(line)), "{pool:?}");
        let mean = told(&[explanation(Rule::Mean, &[], &[("sum", 3.0), ("count", 4.0), ("value", 0.75)])], &[], 0);
        assert_eq!(mean, ["Σ = 3.000", "mean = Σ / 4 = 3.000 / 4 = 0.750"]);
        let norm = [
            ("input", 1.0),
            ("mean", -0.5),
            ("variance", 0.25),
            ("eps", 1e-5),
            ("normalised", 3.0),
            ("weight", 2.0),
            ("bias", -1.0),
            ("value", 5.0),
        ];
        let conv = explanation(Rule::WeightedSum, &[1.0], &[("sum", 1.0), ("value", 1.0)]);
        let norm = told(&[conv, explanation(Rule::Normalise, &[1.0], &norm)], &[], 0);
        assert_eq!(
            norm,
            [
                "z = Σ = 1.000",
                "running statistics: μ = −0.500, σ² = 0.250; ε = 1.0e−5, γ = 2.000, β = −1.000",
                "x̂ = (z − μ) / √(σ² + ε) = (1.000 − (−0.500)) / √(0.250 + 1.0e−5) = 3.000",
                "y = γ · x̂ + β = 2.000 · 3.000 + (−1.000) = 5.000"
            ]
        );
        let response = [
            ("input", 0.5),
            ("sum", 4.25),
            ("denominator", 2.000_425),
            ("k", 2.0),
            ("size", 5.0),
            ("alpha", 1e-4),
            ("beta", 0.75),
            ("value", 0.297),
        ];
        let response = told(&[explanation(Rule::LocalResponse, &[4.0, 0.25], &response)], &[], 0);
        assert_eq!(
            response,
            [
                "n = 5, k = 2, α = 5.0e−4, β = 0.75",
                "Σ x² = 4.000 + 0.250 = 4.250",
                "k + α/n · Σ x² = 2 + 1.0e−4 · 4.250 = 2.00043",
                "b = x / (k + α/n · Σ x²)^β = 0.500 / 2.00043^0.75 = 0.297"
            ]
        );
    }

    #[test]
    fn gradients_keep_their_digits() {
        let pool = [("sum", -6.731), ("coefficient", 0.258), ("product", -1.735), ("bias", 0.49), ("value", -1.246)];
        let pool = [explanation(Rule::ScaledSum, &[-6.731], &pool)];
        let story = Story { explanations: &pool, sources: &[], map: 0, by_map: false };
        assert_eq!(
            gradients(&story, &[-2.4e-4], &Words::default()),
            ["∂L/∂coefficient = Σ · ∂L/∂z = −6.731 · (−2.40e−4) = 1.62e−3", "∂L/∂bias = ∂L/∂z = −2.40e−4"]
        );
    }

    #[test]
    fn parts_are_called_by_where_they_come_from() {
        let source = |name: &str, role, maps| Source { name: name.into(), role, maps };
        let sum = explanation(Rule::Sum, &[-0.08, 0.466], &[("value", 0.386)]);
        let way = |kind| [source("bn3", Role::Residual, 8), source("down", Role::Shortcut(kind), 8)];
        assert_eq!(
            told(std::slice::from_ref(&sum), &way(SkipKind::Identity), 5),
            ["z = F(x) + x = (−0.080) + 0.466 = 0.386"]
        );
        assert_eq!(told(&[sum], &way(SkipKind::Projection), 5), ["z = F(x) + Wₛ·x = (−0.080) + 0.466 = 0.386"]);
        let mut copy = explanation(Rule::Copy, &[0.5], &[("value", 0.5)]);
        copy.terms[0].input = 1;
        let sources = [source("1×1", Role::Input, 64), source("3×3", Role::Input, 128)];
        assert_eq!(told(&[copy], &sources, 70), ["map 70 − 64 = map 6 of 3×3", "value = 0.500"]);
    }
}
