//! What can be said about a card, as data: settings, formulas with the numbers put in, costs, receptive field, memory. A fold over
//! the graph; says nothing in any language but PyTorch's words, draws nothing.

use super::layout::Card;
use super::receptive_field::{Interval, fields};
use super::{Graph, NodeId, cost};
use crate::ops::{Kind, Layer, Op, Role};
use crate::tensor::Shape;

/// A number and how it comes about; the formula is empty where there is nothing to calculate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figure {
    /// The number.
    pub value: u64,
    /// `6 × (5·5·1 + 1)`.
    pub formula: String,
}

impl Figure {
    /// `6 × (5·5·1 + 1) = 156`; only the number where there is no formula.
    pub fn text(&self) -> String {
        let value = grouped(self.value);
        if self.formula.is_empty() || self.formula == value { value } else { format!("{} = {value}", self.formula) }
    }
}

/// A number in groups of three digits: `117,600`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number in three digits, where one cannot read more: `118 M`, `9.47 k`, `156`.
pub fn compact(number: u64) -> String {
    let (mut value, mut unit) = (number as f64, "");
    for next in [" k", " M", " G", " T"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    let digits = match value {
        _ if unit.is_empty() => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{unit}")
}

/// Receptive field of a card's units, rows then columns, in input pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldFacts {
    /// Pixels seen.
    pub size: [usize; 2],
    /// Pixels from one unit's field to its neighbour's.
    pub jump: [isize; 2],
    /// First pixel that the first unit sees; negative in padding.
    pub start: [isize; 2],
    /// Rows and columns of padding that the first unit sees.
    pub padding: [usize; 2],
    /// Whether every unit sees the whole input.
    pub whole: bool,
}

/// Facts of one card.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    /// Its main layer.
    pub layer: NodeId,
    /// Of a group in one card: its layers with weights, and how many of them lie on the longest path through it.
    pub group: Option<[usize; 2]>,
    /// PyTorch's name of it (`Conv2d`).
    pub op: &'static str,
    /// Its family.
    pub kind: Kind,
    /// Its settings, those that differ from the default.
    pub settings: Vec<(&'static str, String)>,
    /// Pointwise layers behind it on the same card, by PyTorch's names.
    pub then: Vec<&'static str>,
    /// What comes in.
    pub inputs: Vec<Shape>,
    /// What goes out.
    pub output: Shape,
    /// Trained parameters of the whole card.
    pub parameters: Figure,
    /// Numbers given by the architecture and not trained (RBF centres).
    pub fixed: Figure,
    /// Pairs of an input and an output map, where a connection table leaves some out: (connected, all).
    pub connections: Option<(usize, usize)>,
    /// Multiply-adds per image, convolution and linear layers.
    pub macs: Figure,
    /// Parameters if every output were connected to every input (convolutions only).
    pub dense: Option<Figure>,
    /// Receptive field; `None` for an input.
    pub field: Option<FieldFacts>,
    /// Bytes of its value for one image, as f32.
    pub value_bytes: Figure,
    /// Bytes of its trained parameters, as f32.
    pub parameter_bytes: Figure,
}

/// The layer's name, kernel, and what is special about it, in a few characters: `Conv2d 5×5 · table`.
pub fn label(op: &Op) -> String {
    let mut out = op.name().to_string();
    let window = match op {
        Op::Conv2d(conv) => Some(conv.window),
        Op::MaxPool2d(pool) => Some(pool.0),
        Op::AvgPool2d(pool) => Some(pool.0),
        _ => None,
    };
    if let Some(w) = window {
        out += &format!(" {}×{}", w.kernel[0], w.kernel[1]);
        let usual = if matches!(op, Op::Conv2d(_)) { [1; 2] } else { w.kernel };
        if w.stride != usual {
            out += &format!(" /{}", w.stride[0]);
        }
    }
    match op {
        Op::Conv2d(conv) if conv.table.is_some() => out += " · table",
        Op::Conv2d(conv) if conv.groups > 1 => out += &format!(" · {} groups", conv.groups),
        Op::Subsample(s) => out += &format!(" {0}×{0}", s.size),
        _ => {}
    }
    out
}

/// Trained parameters of one node, as a formula; empty where it has none.
fn parameters(graph: &Graph, id: NodeId) -> String {
    let node = &graph.nodes()[id];
    let shapes = graph.input_shapes(id);
    let per = |product: String, bias: bool| if bias { format!("({product} + 1)") } else { format!("({product})") };
    match (&node.op, shapes.first()) {
        (Op::Conv2d(conv), Some(input)) => {
            let [kh, kw] = conv.window.kernel;
            match &conv.table {
                // each map has a fan-in of its own, so kernels and biases are counted apart
                Some(table) if conv.bias => format!("{} × {kh}·{kw} + {}", table.connections(), conv.out_channels),
                Some(table) => format!("{} × {kh}·{kw}", table.connections()),
                None => format!(
                    "{} × {}",
                    conv.out_channels,
                    per(format!("{kh}·{kw}·{}", input.c / conv.groups), conv.bias)
                ),
            }
        }
        (Op::Linear(linear), Some(input)) => {
            format!("{} × {}", linear.out_features, per(grouped(input.len() as u64), linear.bias))
        }
        _ => {
            let trained = graph.params()[graph.params_of(id)].iter().filter(|p| p.param.trained());
            let sizes: Vec<String> = trained.map(|p| grouped(p.param.live() as u64)).collect();
            match &sizes[..] {
                [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|s| s == first) => {
                    format!("{first} × ({})", vec!["1"; sizes.len()].join(" + "))
                }
                _ => sizes.join(" + "),
            }
        }
    }
}

/// Multiply-adds of one node, as a formula; empty where none are counted.
fn macs(graph: &Graph, id: NodeId) -> String {
    let node = &graph.nodes()[id];
    let (shapes, out) = (graph.input_shapes(id), node.shape);
    match (&node.op, shapes.first()) {
        (Op::Conv2d(conv), Some(input)) => {
            let taps = conv.window.kernel[0] * conv.window.kernel[1];
            match &conv.table {
                Some(table) => format!("{} · {} · {} · {taps}", table.connections(), out.h, out.w),
                None => match input.c / conv.groups {
                    1 => format!("{} · {} · {} · {taps}", out.c, out.h, out.w),
                    maps => format!("{} · {} · {} · {taps} · {maps}", out.c, out.h, out.w),
                },
            }
        }
        (Op::Linear(linear), Some(input)) => format!("{} · {}", linear.out_features, grouped(input.len() as u64)),
        _ => String::new(),
    }
}

fn field(y: Interval, x: Interval, input: Shape) -> FieldFacts {
    FieldFacts {
        size: [y.size(), x.size()],
        jump: [y.jump, x.jump],
        start: [y.first, x.first],
        padding: [y, x].map(|i| (-i.first).max(0) as usize),
        whole: y.first <= 0 && x.first <= 0 && y.last >= input.h as isize - 1 && x.last >= input.w as isize - 1,
    }
}

/// Facts of each card, in their order.
pub fn facts(graph: &Graph, cards: &[Card]) -> Vec<Facts> {
    let fields = fields(graph);
    cards.iter().map(|card| of(graph, card, &fields)).collect()
}

/// A group's sum of more layers would be a page.
const TERMS: usize = 12;

fn of(graph: &Graph, card: &Card, fields: &[super::receptive_field::Field]) -> Facts {
    let nodes = graph.nodes();
    let node = &nodes[card.layer];
    let total: cost::Cost = card.nodes.iter().map(|&id| cost::node(graph, id)).sum();
    let join = |formula: fn(&Graph, NodeId) -> String, value: fn(cost::Cost) -> u64| {
        let part = |&id: &NodeId| match value(cost::node(graph, id)) {
            0 => String::new(),
            n if card.folded.is_some() => grouped(n),
            _ => formula(graph, id),
        };
        let parts: Vec<String> = card.nodes.iter().map(part).filter(|f| !f.is_empty()).collect();
        if card.folded.is_some() && parts.len() > TERMS { String::new() } else { parts.join(" + ") }
    };
    let weighs = |id: &&NodeId| matches!(nodes[**id].op.kind(), Kind::Convolution | Kind::Linear);
    let group = card
        .folded
        .as_ref()
        .map(|_| [card.nodes.iter().filter(weighs).count(), cost::depth(graph, card.nodes.iter().copied())]);
    let inputs = graph.input_shapes(if card.folded.is_some() { card.nodes[0] } else { card.layer });
    let output = nodes[card.node].shape;
    let fixed: Vec<_> = card
        .nodes
        .iter()
        .flat_map(|&id| &graph.params()[graph.params_of(id)])
        .filter(|p| matches!(p.param.role, Role::Fixed(_)))
        .collect();
    let connections = match &node.op {
        Op::Conv2d(conv) => {
            conv.table.as_ref().map(|t| (t.connections(), conv.out_channels * inputs.first().map_or(0, |s| s.c)))
        }
        _ => None,
    };
    let [ins, outs] = [inputs.iter().map(|s| s.len() as u64).sum::<u64>(), node.shape.len() as u64];
    let dense = (node.op.kind() == Kind::Convolution && card.folded.is_none())
        .then(|| Figure { value: outs * (ins + 1), formula: format!("{} × ({} + 1)", grouped(outs), grouped(ins)) });
    let then = card.nodes.iter().filter(|&&id| id > card.layer && !matches!(nodes[id].op.kind(), Kind::Shape));
    let f = fields[card.node];
    Facts {
        layer: card.layer,
        group,
        op: node.op.name(),
        kind: node.op.kind(),
        settings: node.op.settings(),
        then: if card.folded.is_some() { Vec::new() } else { then.map(|&id| nodes[id].op.name()).collect() },
        parameters: Figure { value: total.parameters as u64, formula: join(parameters, |c| c.parameters as u64) },
        fixed: Figure {
            value: fixed.iter().map(|p| p.param.len() as u64).sum(),
            formula: fixed
                .iter()
                .map(|p| p.param.shape.iter().map(|&n| grouped(n as u64)).collect::<Vec<_>>().join(" × "))
                .collect::<Vec<_>>()
                .join(" + "),
        },
        connections,
        macs: Figure { value: total.macs, formula: join(macs, |c| c.macs) },
        dense,
        field: (node.op.kind() != Kind::Input).then(|| field(f.y, f.x, nodes[graph.source()].shape)),
        value_bytes: Figure { value: output.len() as u64 * 4, formula: format!("{} · 4", dimensions(output)) },
        parameter_bytes: Figure {
            value: total.parameters as u64 * 4,
            formula: format!("{} · 4", grouped(total.parameters as u64)),
        },
        inputs,
        output,
    }
}

/// `6·28·28`, or `84` for a vector.
fn dimensions(shape: Shape) -> String {
    if shape.map() == 1 { grouped(shape.c as u64) } else { format!("{}·{}·{}", shape.c, shape.h, shape.w) }
}

/// A shape as a card says it: `6×28×28`, or `84` for a vector.
pub fn shape_text(shape: Shape) -> String {
    if shape.map() == 1 { grouped(shape.c as u64) } else { shape.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::layout::cards;
    use super::*;
    use crate::arch::VARIANTS;

    /// Value of a formula of numbers, `+`, `·`, `×` and brackets.
    fn evaluate(formula: &str) -> u64 {
        fn sum(s: &mut std::iter::Peekable<std::str::Chars<'_>>) -> u64 {
            let mut total = product(s);
            while s.peek() == Some(&'+') {
                s.next();
                total += product(s);
            }
            total
        }
        fn product(s: &mut std::iter::Peekable<std::str::Chars<'_>>) -> u64 {
            let mut total = atom(s);
            while matches!(s.peek(), Some('·' | '×')) {
                s.next();
                total *= atom(s);
            }
            total
        }
        fn atom(s: &mut std::iter::Peekable<std::str::Chars<'_>>) -> u64 {
            if s.peek() == Some(&'(') {
                s.next();
                let value = sum(s);
                assert_eq!(s.next(), Some(')'));
                return value;
            }
            let mut digits = String::new();
            while let Some(c) = s.next_if(char::is_ascii_digit) {
                digits.push(c);
            }
            digits.parse().unwrap()
        }
        let text: String = formula.chars().filter(|c| *c != ' ' && *c != ',').collect();
        if text.is_empty() { 0 } else { sum(&mut text.chars().peekable()) }
    }

    #[test]
    fn three_digits_say_how_large_a_number_is() {
        let numbers = [0, 156, 999, 1000, 9472, 99_949, 99_951, 999_499, 999_500, 118_013_952, 15_470_264_320];
        let texts = ["0", "156", "999", "1.00 k", "9.47 k", "99.9 k", "100 k", "999 k", "1.00 M", "118 M", "15.5 G"];
        assert_eq!(numbers.map(compact), texts);
    }

    #[test]
    fn formulas_come_to_what_the_graph_counts() {
        assert_eq!(evaluate("6 × (5·5·1 + 1)"), 156);
        for v in VARIANTS {
            let net = v.build().unwrap();
            let cards = cards(&net.graph);
            let facts = facts(&net.graph, &cards);
            for (card, f) in cards.iter().zip(&facts) {
                let cost: cost::Cost = card.nodes.iter().map(|&id| cost::node(&net.graph, id)).sum();
                let at = format!("{} {}", v.name, card.title);
                assert_eq!(f.parameters.value, cost.parameters as u64, "{at}");
                assert_eq!(f.macs.value, cost.macs, "{at}");
                assert_eq!(f.value_bytes.value, 4 * net.graph.nodes()[card.node].shape.len() as u64, "{at}");
                let dense = f.dense.clone().unwrap_or_default();
                for figure in [&f.parameters, &f.macs, &f.fixed, &f.value_bytes, &f.parameter_bytes, &dense] {
                    assert_eq!(evaluate(&figure.formula), figure.value, "{at}: {}", figure.formula);
                }
            }
            let whole: u64 = facts.iter().map(|f| f.parameters.value).sum();
            assert_eq!(whole, net.cost().parameters as u64 + net.auxiliary_parameters() as u64, "{}", v.name);
        }
    }

    #[test]
    fn lenet5_is_told_as_the_paper_tells_it() {
        let net = crate::arch::variant("lenet5").unwrap().build().unwrap();
        let cards = cards(&net.graph);
        let facts = facts(&net.graph, &cards);
        let titles: Vec<_> = cards.iter().map(|c| c.title.as_str()).collect();
        assert_eq!(titles, ["input", "C1", "S2", "C3", "S4", "C5", "F6", "Output"]);
        assert_eq!(facts[1].parameters.text(), "6 × (5·5·1 + 1) = 156");
        assert_eq!(facts[1].macs.text(), "6 · 28 · 28 · 25 = 117,600");
        assert_eq!(facts[1].dense.as_ref().unwrap().text(), "4,704 × (1,024 + 1) = 4,821,600");
        assert_eq!(facts[2].parameters.text(), "6 × (1 + 1) = 12");
        assert_eq!(facts[3].parameters.text(), "60 × 5·5 + 16 = 1,516");
        assert_eq!(facts[3].connections, Some((60, 96)));
        assert_eq!(facts[6].parameters.text(), "84 × (120 + 1) = 10,164");
        assert_eq!((facts[7].parameters.text(), facts[7].fixed.text()), ("0".into(), "10 × 84 = 840".into()));
        let field = facts[4].field.unwrap();
        assert_eq!((field.size, field.jump, field.start, field.whole), ([16, 16], [4, 4], [0, 0], false));
        assert!(facts[5].field.unwrap().whole);
    }
}
