//! Prints the declarations of nf-sys, made by bindgen from the headers of libnf:
//!   cargo run -p generate > nf-sys/src/bindings.rs
//! It needs libclang (Debian: libclang1-14; LIBCLANG_PATH names its folder if it is not found). The version of bindgen is
//! in Cargo.lock, so the same headers give the same bytes. A first argument names the include folder.
use bindgen::callbacks::ParseCallbacks;

/// Comments of the headers as documentation. They are plain text, whose brackets are not links and whose indented lines
/// are not Rust, so they stay as they are.
#[derive(Debug)]
struct Comments;
impl ParseCallbacks for Comments {
    fn process_comment(&self, comment: &str) -> Option<String> {
        // The heading of a section and what it says come before the comment of its first declaration.
        let parts = comment.split("*/\n/*").map(str::trim);
        let text: Vec<&str> = parts.filter(|part| !part.starts_with("----") || part.contains('\n')).collect();
        Some(format!("```text\n{}\n```", text.join("\n\n").trim_start_matches('-')))
    }
}

fn main() {
    let include = std::env::args().nth(1).unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../include").into());
    let bindings = bindgen::Builder::default()
        .header_contents("all.h", "#include <nf/nf.h>\n#include <nf/nf_infer.h>\n#include <nf/nf_data.h>\n")
        .clang_args(["-std=c99", "-fparse-all-comments", &format!("-I{include}")])
        .allowlist_item("nf_.*|NF_.*")
        .rust_target(bindgen::RustTarget::stable(77, 0).unwrap_or_else(|_| panic!("1.77 is a version of Rust")))
        // Functions of the header itself; Rust has its own.
        .blocklist_function("nf_array|nf_out_array|nf_rows.*|nf_out_rows.*|nf_vec.*|nf_out_vec.*")
        .prepend_enum_name(false)
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .size_t_is_usize(true)
        .use_core()
        .derive_default(false)
        .derive_debug(true)
        .derive_copy(true)
        .merge_extern_blocks(true)
        .layout_tests(true)
        .disable_header_comment()
        .raw_line("// Generated from the headers of libnf: cargo run -p generate > nf-sys/src/bindings.rs")
        .formatter(bindgen::Formatter::Prettyplease)
        .parse_callbacks(Box::new(Comments))
        .generate()
        .unwrap_or_else(|e| {
            eprintln!("generate: {e}");
            std::process::exit(1)
        });
    print!("{bindings}");
}
