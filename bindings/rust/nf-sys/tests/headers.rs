//! The declarations agree with the headers and with what libnf exports.
use std::path::PathBuf;
use std::process::Command;

const BINDINGS: &str = include_str!("../src/bindings.rs");

/// A file of the repository; none in a package of the crate alone.
fn of_repository(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..").join(path);
    full.exists().then_some(full)
}

#[test]
fn every_symbol_is_declared() {
    let Some(path) = of_repository("tests/abi/symbols.txt") else { return };
    let list = std::fs::read_to_string(path).unwrap();
    let symbols: Vec<&str> = list.lines().filter(|l| l.starts_with("nf_")).collect();
    assert!(symbols.len() > 100, "{} symbols", symbols.len());
    let missing: Vec<_> = symbols.iter().filter(|s| !BINDINGS.contains(&format!("pub fn {s}("))).collect();
    assert!(missing.is_empty(), "not declared: {missing:?}");
    let declared = BINDINGS.lines().filter_map(|l| l.trim().strip_prefix("pub fn ")?.split('(').next());
    let extra: Vec<_> = declared.filter(|d| !symbols.contains(d)).collect();
    assert!(extra.is_empty(), "not exported: {extra:?}");
}

/// The text between two marks, and what follows it.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<(&'a str, &'a str)> {
    let rest = &text[text.find(begin)? + begin.len()..];
    let stop = rest.find(end)?;
    Some((&rest[..stop], &rest[stop..]))
}

/// The Rust compiler checked that the structs have these sizes and offsets; here the C compiler does.
#[test]
fn structs_are_those_of_c() {
    let Some(include) = of_repository("include") else { return };
    let mut c = String::from("#include <nf/nf.h>\n#include <nf/nf_infer.h>\n#include <nf/nf_data.h>\n");
    let (mut structs, mut fields, mut rest) = (0, 0, BINDINGS);
    while let Some((name, after)) = between(rest, "\"Size of ", "\"") {
        let (value, after) = between(after, " - ", "usize").expect("a number");
        c += &format!("_Static_assert(sizeof({name}) == {value}, \"size of {name}\");\n");
        structs += 1;
        rest = after;
    }
    rest = BINDINGS;
    while let Some((what, after)) = between(rest, "\"Offset of field: ", "\"") {
        let (value, after) = between(after, " - ", "usize").expect("a number");
        let (name, field) = what.split_once("::").expect("a struct and a field");
        let field = field.trim_end_matches('_'); // type_ is a keyword without it
        c += &format!("_Static_assert(offsetof({name}, {field}) == {value}, \"{what}\");\n");
        fields += 1;
        rest = after;
    }
    assert!(structs >= 20 && fields > 150, "{structs} structs, {fields} fields");
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("layout.c");
    std::fs::write(&file, c).unwrap();
    match Command::new("cc").args(["-std=c11", "-fsyntax-only", "-I"]).arg(include).arg(&file).output() {
        Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr)),
        Err(e) => eprintln!("skipped: no C compiler, {e}"),
    }
}

#[test]
fn the_library_is_that_of_the_headers() {
    // SAFETY: takes nothing.
    assert_eq!(unsafe { nf_sys::nf_version() }, nf_sys::NF_VERSION as u32);
}
