//! Every shader is valid WGSL, and what it declares is what the layers' lowering gives it: bindings, access, uniform, constants.
//! Needs no device.
#![allow(clippy::unwrap_used, missing_docs)]

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess};
use receptive::arch::{Architecture, VARIANTS};
use receptive::gpu::lower::lower;
use receptive::gpu::shaders::{PRELUDE, SOURCES, source};
use receptive::graph::Graph;
use receptive::ops::lower::{Access, Dispatch, Lower, Lowered};
use receptive::ops::{Activation, Bindings, Buf, Conv2d, Layer, Linear, Loss, Op};
use receptive::plan::{Mode, Plan, Request};
use receptive::tensor::Shape;
use std::collections::{BTreeMap, BTreeSet};

fn parse(shader: &str) -> (Module, naga::valid::ModuleInfo) {
    let text = source(shader).unwrap();
    let module =
        naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{shader}: {}", e.emit_to_string(&text)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    let info = validator.validate(&module).unwrap_or_else(|e| panic!("{shader}: {}", e.emit_to_string(&text)));
    (module, info)
}

/// What the lowering of every op, loss and network pushes.
fn all_dispatches() -> Vec<Dispatch> {
    let mut nets: Vec<Architecture> = Op::cases().iter().map(|case| Architecture::of_case(case).unwrap()).collect();
    nets.extend(VARIANTS.iter().map(|v| v.build().unwrap()));
    let mut g = Graph::new(); // a value that fans out, an activation that stands alone
    let x = g.input("x", Shape::new(2, 4, 5)).unwrap();
    let a = g.push("a", Conv2d::new(3, 3), &[x]).unwrap();
    let b = g.push("b", Activation::Tanh, &[a]).unwrap();
    let c = g.push("c", Linear::new(4), &[b]).unwrap();
    let d = g.push("d", Linear::new(4), &[a]).unwrap();
    let mut net = Architecture::unnamed(g, c, Loss::Map { j: 0.1 });
    net.auxiliary.push((d, 0.3));
    nets.push(net);
    let mut out = Vec::new();
    for net in &nets {
        let of = |mode| Request { mode, ..Request::gradient(2, net.output, true) };
        for mode in [Mode::Inference, Mode::Gradient { of: net.output, training: true }, Mode::Training] {
            out.extend(lower(net, &Plan::new(net, &of(mode)), usize::MAX).dispatches);
        }
    }
    // In place forward: no plan has it yet, the contract of `Bindings` does.
    let bind = Bindings { inputs: vec![Buf::Local(0)], output: Some(Buf::Local(0)), ..Bindings::default() };
    let (shape, mut lowered) = (Shape::new(2, 3, 5), Lowered::default());
    let (inputs, lowered_) = (&[shape], &mut lowered);
    let mut cx = Lower {
        batch: 2,
        training: false,
        inputs,
        output: shape,
        bind: &bind,
        step: 0,
        limit: 1 << 25,
        lowered: lowered_,
    };
    Activation::Tanh.lower(&mut cx);
    out.extend(lowered.dispatches);
    out
}

/// What an entry point declares: bytes of the uniform, access of each storage binding, names of the overrides.
fn declared(module: &Module, info: &naga::valid::ModuleInfo, entry: &str) -> (u32, BTreeMap<u32, Access>) {
    let index = module.entry_points.iter().position(|e| e.name == entry).unwrap_or_else(|| panic!("no entry {entry}"));
    let uses = info.get_entry_point(index);
    let (mut uniform, mut storage) = (0, BTreeMap::new());
    for (handle, variable) in module.global_variables.iter() {
        if uses[handle].is_empty() {
            continue;
        }
        let Some(binding) = &variable.binding else { continue };
        assert_eq!(binding.group, 0);
        match variable.space {
            AddressSpace::Uniform => {
                assert_eq!(binding.binding, 0, "{entry}: the uniform is binding 0");
                uniform = module.types[variable.ty].inner.size(module.to_ctx());
            }
            AddressSpace::Storage { access } => {
                let access = if access.contains(StorageAccess::STORE) { Access::Write } else { Access::Read };
                assert_eq!(
                    storage.insert(binding.binding, access),
                    None,
                    "{entry}: two variables at {}",
                    binding.binding
                );
            }
            _ => {}
        }
    }
    (uniform, storage)
}

#[test]
fn files_are_listed_and_valid() {
    let mut files: Vec<String> = std::fs::read_dir("shaders")
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .filter(|f| f.ends_with(".wgsl") && f != "prelude.wgsl")
        .map(|f| f.trim_end_matches(".wgsl").to_string())
        .collect();
    files.sort();
    assert_eq!(SOURCES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), files);
    for (name, text) in SOURCES {
        parse(name);
        assert!(text.starts_with("// "), "{name}: the first line says what it is");
    }
    assert!(PRELUDE.starts_with("// "));
}

#[test]
fn bindings_are_what_lowering_gives() {
    let modules: BTreeMap<&str, _> = SOURCES.iter().map(|(name, _)| (*name, parse(name))).collect();
    let mut used = BTreeSet::new();
    for dispatch in all_dispatches() {
        let at = format!("{} {}", dispatch.shader, dispatch.entry);
        let (module, info) = &modules[dispatch.shader];
        let (uniform, storage) = declared(module, info, dispatch.entry);
        assert_eq!(dispatch.uniform.len() as u32 * 4, uniform, "{at}: uniform");
        let given: BTreeMap<u32, Access> = (1..).zip(dispatch.buffers.iter().map(|(_, access)| *access)).collect();
        assert_eq!(given, storage, "{at}: storage");
        assert!(storage.len() <= 8, "{at}: WebGPU guarantees 8 storage buffers");
        for (name, _) in &dispatch.constants {
            assert!(module.overrides.iter().any(|(_, o)| o.name.as_deref() == Some(name)), "{at}: no override {name}");
        }
        // No buffer twice where one of the two writes: WebGPU forbids it.
        for (i, (slot, access)) in dispatch.buffers.iter().enumerate() {
            let again = dispatch.buffers[..i].iter().find(|(other, _)| other == slot);
            assert!(
                again.is_none_or(|(_, other)| (*other, *access) == (Access::Read, Access::Read)),
                "{at}: {slot:?} twice"
            );
        }
        assert!(dispatch.workgroups.iter().all(|&n| n <= 65_535));
        used.insert((dispatch.shader, dispatch.entry));
    }
    // No entry point that nothing calls; painting is no layer's, `tests/kernels.rs` has it.
    for (name, (module, _)) in modules.iter().filter(|(name, _)| **name != "paint") {
        for entry in &module.entry_points {
            assert!(used.contains(&(*name, entry.name.as_str())), "{name}: nothing calls {}", entry.name);
            let invocations: u32 = entry.workgroup_size.iter().product();
            assert!(invocations <= 256);
        }
    }
}

/// The numbers that shaders and Rust both state.
#[test]
fn shared_constants_agree() {
    let (module, _) = parse("activation");
    let (_, wg) = module.overrides.iter().find(|(_, o)| o.name.as_deref() == Some("WG")).unwrap();
    let value = wg.init.map(|init| &module.global_expressions[init]);
    let expected = naga::Expression::Literal(naga::Literal::U32(receptive::ops::lower::WORKGROUP as u32));
    assert_eq!(value, Some(&expected));
}

/// A lowered plan is data: the same plan lowers to the same dispatches, each with the step it is part of.
#[test]
fn lowering_is_pure() {
    let net = receptive::arch::variant("lenet5").unwrap().build().unwrap();
    let plan = Plan::new(&net, &Request::training(4));
    let lowered: Lowered = lower(&net, &plan, usize::MAX);
    assert_eq!(lowered, lower(&net, &plan, usize::MAX));
    assert!(lowered.dispatches.is_sorted_by_key(|d| d.step));
    assert_eq!(lowered.dispatches.last().unwrap().step, plan.steps.len() - 1);
    assert!(!lowered.workspaces.is_empty());
}

/// Browsers take up to half a second for a large kernel: the variants of one kernel are few, whatever the network.
#[test]
fn few_pipelines() {
    for variant in VARIANTS {
        let net = variant.build().unwrap();
        let plan = Plan::new(&net, &Request::inference(1, &[]));
        let kinds: BTreeSet<_> =
            lower(&net, &plan, usize::MAX).dispatches.into_iter().map(|d| (d.shader, d.entry, d.constants)).collect();
        let large = kinds.iter().filter(|(_, entry, _)| entry.starts_with("slide") || *entry == "gather").count();
        let few = kinds.len() <= 16 && large <= 9;
        assert!(few, "{}: {}, {large} of convolution: {kinds:?}", variant.name, kinds.len());
    }
}
