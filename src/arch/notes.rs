//! At which layers the notes on paper and practice speak. Knows ops and the notes' keys; a network by name only through its notes.

use super::Architecture;
use crate::graph::NodeId;
use crate::ops::Op;

impl Architecture {
    /// The notes that speak of one of these layers, in the network's order.
    pub fn notes_at(&self, nodes: &[NodeId]) -> Vec<&'static str> {
        self.notes.iter().copied().filter(|note| nodes.iter().any(|&id| self.speaks_of(note, id))).collect()
    }

    fn speaks_of(&self, note: &str, id: NodeId) -> bool {
        let node = &self.graph.nodes()[id];
        let conv = match &node.op {
            Op::Conv2d(conv) => Some(conv),
            _ => None,
        };
        let strided = |kernel: usize| conv.is_some_and(|c| c.window.kernel == [kernel; 2] && c.window.stride == [2; 2]);
        match note {
            "lenet5-table" => conv.is_some_and(|c| c.table.is_some()),
            "lenet5-glyphs" | "lenet5-criterion" => matches!(node.op, Op::Rbf(_)),
            "alexnet-input" => conv.is_some() && node.inputs == [self.graph.source()],
            "alexnet-towers" => conv.is_some_and(|c| c.groups > 1),
            "alexnet-lrn" | "googlenet-lrn" => matches!(node.op, Op::LocalResponseNorm(_)),
            "vgg-stack" => conv.is_some_and(|c| c.window.kernel == [3; 2]),
            "vgg-bn" | "googlenet-torchvision" => matches!(node.op, Op::BatchNorm2d(_)),
            "googlenet-auxiliary" => !self.inference_nodes()[id],
            "resnet-shortcut" => matches!(node.op, Op::Add(_)),
            "resnet-stride" => strided(3),
            "resnet-stride-v1" => strided(1),
            "resnet-option-a" => matches!(node.op, Op::Shortcut(_)),
            _ => false, // of the network as a whole
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::arch::variant;

    #[test]
    fn notes_stand_at_the_layers_they_speak_of() {
        let at = |network: &str, layer: &str| {
            let net = variant(network).unwrap().build().unwrap();
            net.notes_at(&[net.graph.find(layer).unwrap()])
        };
        assert_eq!(at("lenet5", "c3"), ["lenet5-table"]);
        assert_eq!(at("lenet5", "output"), ["lenet5-glyphs", "lenet5-criterion"]);
        assert!(at("lenet5", "c1").is_empty());
        assert_eq!(at("alexnet", "conv1"), ["alexnet-input"]);
        assert_eq!(at("alexnet", "conv2"), ["alexnet-towers"]);
        let net = variant("googlenet").unwrap().build().unwrap();
        let heads = (0..net.graph.nodes().len()).filter(|&id| net.notes_at(&[id]).contains(&"googlenet-auxiliary"));
        assert!(
            heads.clone().count() > 4 && heads.clone().all(|id| id != net.output),
            "{:?}",
            heads.collect::<Vec<_>>()
        );
    }
}
