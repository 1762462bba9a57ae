//! What other programs call the tensors of these networks. Our own names are torchvision's, where torchvision has the network.
//!
//! timm's ResNets have torchvision's names; its VGGs turn the first two linear layers into convolutions over the whole map (the same
//! numbers in the same order); AlexNet and GoogLeNet it has not. (`timm/models/resnet.py`, `timm/models/vgg.py`.)

use std::collections::HashMap;

/// A part of a name, and ours for it.
struct Alias {
    /// How the name begins in the file.
    theirs: &'static str,
    /// How it begins here.
    ours: &'static str,
    /// Whether the tensor may be a convolution's that stands for a linear layer: out × c × h × w for out × (c·h·w).
    unrolled: bool,
}

/// Other programs' beginnings of names. The first that leads to a wanted name counts.
const ALIASES: [Alias; 5] = [
    // A network inside `DataParallel`, and one that `torch.compile` made.
    Alias { theirs: "module.", ours: "", unrolled: false },
    Alias { theirs: "_orig_mod.", ours: "", unrolled: false },
    // timm's VGG.
    Alias { theirs: "pre_logits.fc1.", ours: "classifier.0.", unrolled: true },
    Alias { theirs: "pre_logits.fc2.", ours: "classifier.3.", unrolled: true },
    Alias { theirs: "head.fc.", ours: "classifier.6.", unrolled: false },
];

/// Ends of names of what has no part in any output: PyTorch's counter beside each batch normalisation.
const IGNORED: [&str; 1] = ["num_batches_tracked"];

/// Whether a tensor may be there for nothing.
pub(super) fn ignored(name: &str) -> bool {
    IGNORED.iter().any(|end| name.ends_with(end))
}

/// The wanted tensor that a file calls `name`: its place in `wanted` (names → places), and whether its shape may be unrolled.
pub(super) fn find(name: &str, wanted: &HashMap<&str, usize>) -> Option<(usize, bool)> {
    let alias = |alias: &Alias| {
        let rest = name.strip_prefix(alias.theirs)?;
        let (place, unrolled) = if alias.ours.is_empty() {
            find(rest, wanted)?
        } else {
            (*wanted.get(format!("{}{rest}", alias.ours).as_str())?, false)
        };
        Some((place, unrolled || alias.unrolled))
    };
    wanted.get(name).map(|&place| (place, false)).or_else(|| ALIASES.iter().find_map(alias))
}

/// Whether a tensor of this shape holds the numbers of a wanted one.
pub(super) fn fits(shape: &[usize], wanted: &[usize], unrolled: bool) -> bool {
    let rolled = |shape: &[usize]| match *shape {
        [out, c, h, w] => c.checked_mul(h).and_then(|n| n.checked_mul(w)).map(|n| [out, n]),
        _ => None,
    };
    shape == wanted || unrolled && rolled(shape).is_some_and(|rolled| rolled == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_under_their_aliases() {
        let names = ["features.0.weight", "classifier.0.weight", "classifier.6.bias", "head.fc.weight"];
        let wanted: HashMap<&str, usize> = names.iter().enumerate().map(|(i, &n)| (n, i)).collect();
        for (name, found) in [
            ("features.0.weight", Some((0, false))),
            ("module.features.0.weight", Some((0, false))),
            ("module.module.features.0.weight", Some((0, false))),
            ("pre_logits.fc1.weight", Some((1, true))),
            ("_orig_mod.module.pre_logits.fc1.weight", Some((1, true))),
            ("head.fc.bias", Some((2, false))),
            // One's own name comes before any other's.
            ("head.fc.weight", Some((3, false))),
            ("pre_logits.fc2.weight", None),
            ("features.0.bias", None),
            ("module.", None),
            ("", None),
        ] {
            assert_eq!(find(name, &wanted), found, "{name}");
        }
    }

    #[test]
    fn only_unrolled_tensors_may_have_another_shape() {
        assert!(fits(&[4096, 512, 7, 7], &[4096, 25_088], true));
        assert!(!fits(&[4096, 512, 7, 7], &[4096, 25_088], false));
        assert!(!fits(&[4096, 512, 7, 6], &[4096, 25_088], true));
        assert!(!fits(&[25_088, 4096], &[4096, 25_088], true));
        assert!(!fits(&[1, usize::MAX, 2, 2], &[1, 4], true));
        assert!(fits(&[3], &[3], true) && fits(&[], &[], false));
    }
}
