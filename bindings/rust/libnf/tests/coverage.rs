//! The crate uses every symbol that libnf exports.
use std::path::Path;

#[test]
fn every_symbol_is_used() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = here.join("../../../tests/abi/symbols.txt");
    let Ok(list) = std::fs::read_to_string(list) else { return }; // a package of the crate alone
    let mut code = String::new();
    for file in std::fs::read_dir(here.join("src")).unwrap() {
        code += &std::fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let used = |name: &str| {
        let call = format!("sys::{name}");
        code.match_indices(&call)
            .any(|(at, _)| !code[at + call.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let symbols: Vec<&str> = list.lines().filter(|l| l.starts_with("nf_")).collect();
    assert!(symbols.len() > 100, "{} symbols", symbols.len());
    let missing: Vec<&&str> = symbols.iter().filter(|s| !used(s)).collect();
    assert!(missing.is_empty(), "not used: {missing:?}");
    assert!(!used("nf_model_fre") && !used("nf_nothing"));
}
