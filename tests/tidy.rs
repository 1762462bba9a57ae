//! The house rules that no compiler holds: which module may import which, and that ops, shaders and tests are all of them there.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules in the order of imports: each may use those before it and itself.
const ORDER: [&[&str]; 8] = [
    &["tensor", "rng", "colormap"],
    &["linalg"],
    &["ops", "data", "weights"],
    &["graph"],
    &["arch"],
    &["plan", "protocol", "scene"],
    &["cpu", "gpu"],
    &["engine"],
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, ext: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path, ext));
        } else if path.extension().is_some_and(|e| e == ext) {
            out.push(path);
        }
    }
    out.sort();
    out
}

/// Source files with their module's name and their text without comments.
fn sources() -> Vec<(String, PathBuf, String)> {
    let src = root().join("src");
    let mut out = Vec::new();
    for path in files(&src, "rs") {
        let inside = path.strip_prefix(&src).unwrap();
        let module =
            inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_string();
        let text: String = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .filter(|l| !l.trim_start().starts_with("//"))
            .map(|l| format!("{l}\n"))
            .collect();
        out.push((module, path, text));
    }
    out
}

fn level(module: &str) -> Option<usize> {
    ORDER.iter().position(|l| l.contains(&module))
}

/// Modules of this crate that a text names with `crate::`.
fn imports(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split_once("};").map_or(group, |(g, _)| g);
            out.extend(group.split(',').map(|p| p.trim().split("::").next().unwrap_or_default().to_string()));
        } else {
            out.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    out
}

fn faults(module: &str, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for used in imports(text) {
        let (Some(mine), Some(theirs)) = (level(module), level(&used)) else {
            if used == "ui" && module != "ui" && module != "main" {
                out.push(format!("{module} imports ui"));
            }
            continue;
        };
        if theirs > mine || theirs == mine && used != module && ["cpu", "gpu"].contains(&module) {
            out.push(format!("{module} imports {used}"));
        }
    }
    if module != "gpu" && (text.contains("wgpu::") || text.contains("use wgpu")) {
        out.push(format!("{module} names wgpu"));
    }
    if module != "ui" && module != "main" && (text.contains("yew::") || text.contains("use yew")) {
        out.push(format!("{module} names yew"));
    }
    if level(module).is_some_and(|l| l < 7)
        && ["std::time", "Instant::now", "std::fs", "std::net"].iter().any(|w| text.contains(w))
    {
        out.push(format!("{module} has a clock or I/O below engine"));
    }
    out
}

#[test]
fn imports_run_one_way() {
    for (module, path, text) in sources() {
        let tests_apart = text.split("#[cfg(test)]").next().unwrap_or_default();
        let faults = faults(&module, tests_apart);
        assert!(faults.is_empty(), "{}: {faults:?}", path.display());
    }
}

#[test]
fn the_rule_can_fail() {
    assert!(!faults("ops", "use crate::graph::Graph;").is_empty());
    assert!(!faults("cpu", "use crate::gpu::Executor;").is_empty());
    assert!(!faults("graph", "use crate::{tensor, plan};").is_empty());
    assert!(!faults("engine", "let x = wgpu::Instance::new();").is_empty());
    assert!(!faults("plan", "std::time::Instant::now()").is_empty());
    assert!(faults("plan", "use crate::ops::Buf;").is_empty());
}

#[test]
fn every_file_says_what_it_is() {
    for path in files(&root().join("src"), "rs") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! ") && text.lines().next().unwrap().len() > 20, "{}", path.display());
    }
    for path in files(&root().join("shaders"), "wgsl") {
        assert!(fs::read_to_string(&path).unwrap().starts_with("// "), "{}", path.display());
    }
}

#[test]
fn every_op_has_its_file_and_its_cases() {
    use receptive::ops::{Layer, Op};
    let text = fs::read_to_string(root().join("src/ops.rs")).unwrap();
    let list = text.split_once("\nops!(").unwrap().1.split_once(");").unwrap().0;
    let ops: Vec<&str> = list.split(',').map(str::trim).filter(|s| !s.is_empty()).collect();
    assert!(ops.len() >= 9);
    // The enum's variant of an op is its type's name; each but the input (which computes nothing) brings cases, and all reach the suites.
    let cases = Op::cases();
    for op in ops.iter().filter(|op| !["Input", "Flatten"].contains(op)) {
        let tag = |case: &receptive::ops::Case| format!("{:?}", case.op).starts_with(&format!("{op}("));
        assert!(cases.iter().any(tag), "{op} brings no test case");
    }
    for case in &cases {
        assert!(case.batch >= 2, "{}: batch 1 hides faults", case.name);
        let shape = case.op.shape(&case.inputs);
        assert!(shape.is_ok(), "{}: {shape:?}", case.name);
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let own = ["src", "tests", "shaders", "scripts", "www", "benches"].map(|d| root().join(d));
    for dir in own.iter().filter(|d| d.is_dir()) {
        for ext in ["rs", "wgsl", "mjs", "js", "css", "md"] {
            for path in files(dir, ext) {
                let text = fs::read_to_string(&path).unwrap();
                let slash = '/';
                for word in
                    [format!("{slash}work{slash}"), format!("{slash}root{slash}"), format!("{slash}tmp{slash}setup")]
                {
                    assert!(!text.contains(&word), "{} names {word}", path.display());
                }
            }
        }
    }
}
