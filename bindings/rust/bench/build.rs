//! Compiles loop.c with the C compiler ($CC, or cc).
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=loop.c");
    println!("cargo:rerun-if-env-changed=CC");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo"));
    let (object, archive) = (out.join("loop.o"), out.join("libloop.a"));
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let compile = ["-std=gnu99", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-I../../../include", "-c", "loop.c", "-o"];
    run(Command::new(cc).args(compile).arg(&object));
    run(Command::new("ar").arg("crs").arg(&archive).arg(&object));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=loop");
}

fn run(command: &mut Command) {
    let status = command.status();
    assert!(status.as_ref().is_ok_and(|s| s.success()), "{command:?}: {status:?}");
}
