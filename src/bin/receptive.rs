//! The command line (native): facts, goldens, training. Knows the engine, nothing of the page.

fn main() {}
