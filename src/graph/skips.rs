//! Shortcuts and towers: which ways around layers meet them again in an addition, and which layers stand in halves that do not see
//! each other. Folds over the graph; know no network.

use super::{Graph, NodeId};
use crate::ops::{Kind, Layer, Op};

/// What lies on a shortcut (He et al. 2015, §3.3, options A and B; §3.2 for the identity).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SkipKind {
    /// Nothing: the value as it is.
    Identity,
    /// A convolution (1×1) that changes the number of maps.
    Projection,
    /// Every so many units, and maps of zeros beside them.
    Padded,
}

impl SkipKind {
    /// Name, as a CSS class.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Projection => "projection",
            Self::Padded => "padded",
        }
    }
}

/// A way around layers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skip {
    /// Where it begins.
    pub from: NodeId,
    /// What lies on it, from its end to its beginning.
    pub through: Vec<NodeId>,
    /// The addition in which it ends.
    pub to: NodeId,
    /// What it does.
    pub kind: SkipKind,
}

/// All shortcuts, in order of their ends. Of an addition's two branches the one with fewer convolutions is the shortcut.
pub fn skips(graph: &Graph) -> Vec<Skip> {
    let nodes = graph.nodes();
    let chain = |mut id: NodeId| {
        let mut chain = vec![id];
        while let [input] = nodes[id].inputs[..] {
            chain.push(input);
            id = input;
        }
        chain
    };
    let convolutions = |way: &[NodeId]| way.iter().filter(|&&id| nodes[id].op.kind() == Kind::Convolution).count();
    let mut out = Vec::new();
    for (to, node) in nodes.iter().enumerate() {
        let (Op::Add(_), [a, b]) = (&node.op, &node.inputs[..]) else { continue };
        let (a, b) = (chain(*a), chain(*b));
        let Some((i, j)) = a.iter().enumerate().find_map(|(i, id)| Some((i, b.iter().position(|o| o == id)?))) else {
            continue;
        };
        let (from, ways) = (a[i], [&a[..i], &b[..j]]);
        let way = match ways.map(convolutions) {
            [a, b] if a < b => ways[0],
            [a, b] if a > b => ways[1],
            _ => continue,
        };
        let kind = match way {
            way if way.iter().any(|&id| matches!(nodes[id].op, Op::Shortcut(_))) => SkipKind::Padded,
            way if convolutions(way) > 0 => SkipKind::Projection,
            _ => SkipKind::Identity,
        };
        out.push(Skip { from, through: way.to_vec(), to, kind });
    }
    out
}

/// What an input is to the layer that reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// What it reads.
    Input,
    /// A residual block's branch, F(x).
    Residual,
    /// A residual block's shortcut.
    Shortcut(SkipKind),
}

/// What each input of a layer is to it, in order.
pub fn roles(graph: &Graph, id: NodeId) -> Vec<Role> {
    let inputs = &graph.nodes()[id].inputs;
    let skip = skips(graph).into_iter().find(|skip| skip.to == id);
    let role = |input: &NodeId| match &skip {
        Some(skip) if skip.through.first().unwrap_or(&skip.from) == input => Role::Shortcut(skip.kind),
        Some(_) => Role::Residual,
        None => Role::Input,
    };
    inputs.iter().map(role).collect()
}

/// More groups than this are no towers but a layer of its own kind (depthwise convolution).
const TOWERS: usize = 4;

/// Into how many halves a layer's reading splits what it reads: a convolution's groups.
fn split(op: &Op) -> usize {
    match op {
        Op::Conv2d(conv) if conv.groups <= TOWERS => conv.groups,
        _ => 1,
    }
}

/// Whether each map is computed from the same map alone (pooling, activation; also normalisation across maps, which hardly mixes).
fn keeps_maps(graph: &Graph, id: NodeId) -> bool {
    let node = &graph.nodes()[id];
    let same = matches!(node.inputs[..], [input] if graph.nodes()[input].shape.c == node.shape.c);
    same && !matches!(node.op.kind(), Kind::Convolution | Kind::Linear | Kind::Output | Kind::Input)
}

/// In how many towers each node's maps stand (1: not in towers): those that a grouped convolution makes or reads, what only
/// hands them on, and the vectors between them and the last layer.
pub fn towers(graph: &Graph) -> Vec<usize> {
    let nodes = graph.nodes();
    let mut towers: Vec<usize> = nodes.iter().map(|n| split(&n.op)).collect();
    for id in (0..nodes.len()).rev() {
        let read = if keeps_maps(graph, id) { towers[id] } else { split(&nodes[id].op) };
        for &input in &nodes[id].inputs {
            if nodes[input].op.kind() != Kind::Input
                && nodes[input].shape.map() > 1
                && nodes[input].shape.c.is_multiple_of(read)
            {
                towers[input] = towers[input].max(read);
            }
        }
    }
    let mut dense = vec![false; nodes.len()]; // read by a fully connected layer, perhaps through others
    for id in (0..nodes.len()).rev() {
        let passes = nodes[id].op.kind() == Kind::Linear || dense[id] && nodes[id].shape.map() == 1;
        nodes[id].inputs.iter().for_each(|&input| dense[input] |= passes);
    }
    for id in 0..nodes.len() {
        let [input] = nodes[id].inputs[..] else { continue };
        let vector = nodes[id].shape.map() == 1;
        // A vector of neurons is halved as the maps before it are (Krizhevsky et al. 2012, figure 2), but not the last one.
        let same = matches!(nodes[id].op.kind(), Kind::Linear | Kind::Shape) || keeps_maps(graph, id);
        let halved = vector && dense[id] && same;
        let kept = keeps_maps(graph, id) && !vector || halved && nodes[id].shape.c.is_multiple_of(towers[input]);
        if kept {
            towers[id] = towers[id].max(towers[input]);
        }
    }
    towers
}

/// Whether this node reads each tower of its input by itself.
pub fn stays_apart(graph: &Graph, id: NodeId) -> bool {
    keeps_maps(graph, id) || split(&graph.nodes()[id].op) > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::variant;

    #[test]
    fn shortcuts_are_what_lies_on_them() {
        let kinds = |name: &str| {
            let graph = variant(name).unwrap().build().unwrap().graph;
            let all = skips(&graph);
            let count = |kind| all.iter().filter(|s| s.kind == kind).count();
            assert!(all.iter().all(|s| s.from < s.to && s.through.iter().all(|&t| t > s.from && t < s.to)));
            [SkipKind::Identity, SkipKind::Projection, SkipKind::Padded].map(count)
        };
        assert_eq!(kinds("resnet18"), [5, 3, 0]); // eight blocks, three of them change the number of maps
        assert_eq!(kinds("resnet50"), [12, 4, 0]); // sixteen; in the first stage as well
        assert_eq!(kinds("resnet20-cifar"), [7, 0, 2]);
        assert_eq!(kinds("plain18"), [0; 3]);
        assert_eq!(kinds("googlenet"), [0; 3]);
    }

    #[test]
    fn towers_are_made_by_groups_and_read_by_groups() {
        let graph = variant("alexnet").unwrap().build().unwrap().graph;
        let all = towers(&graph);
        let at = |name: &str| all[graph.find(name).unwrap()];
        let halves = ["conv1", "norm1", "pool1", "conv2", "pool2", "conv3", "relu3", "conv4", "conv5", "pool5"];
        assert_eq!(halves.map(at), [2; 10]);
        assert_eq!(["flatten", "fc6", "relu6", "fc7", "input", "fc8"].map(at), [2, 2, 2, 2, 1, 1]);
        let apart = |name: &str| stays_apart(&graph, graph.find(name).unwrap());
        assert_eq!(
            ["conv1", "pool1", "conv2", "conv3", "conv4", "fc6"].map(apart),
            [false, true, true, false, true, false]
        );
        for name in ["alexnet-torchvision", "vgg16", "resnet50", "googlenet", "lenet5"] {
            let graph = variant(name).unwrap().build().unwrap().graph;
            assert!(towers(&graph).iter().all(|&t| t == 1), "{name}");
        }
    }
}
