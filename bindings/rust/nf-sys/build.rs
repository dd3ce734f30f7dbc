//! Finds libnf, in this order:
//!   NF_LIB_DIR       a folder with libnf.so or libnf.a; NF_LINK=static takes the latter
//!   feature system   an installed libnf, by pkg-config
//!   otherwise        builds the C++ sources with Meson: vendor/ of a package, or the repository around this crate
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    for name in ["NF_LIB_DIR", "NF_LINK", "NF_MESON_ARGS"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    // docs.rs has no C++ libraries, and documentation needs none.
    if env::var_os("DOCS_RS").is_some() {
        return;
    }
    if let Some(dir) = env::var_os("NF_LIB_DIR") {
        given(Path::new(&dir));
    } else if cfg!(feature = "system") {
        system();
    } else {
        bundled();
    }
}

fn fail(message: &str) -> ! {
    eprintln!("nf-sys: {message}");
    std::process::exit(1)
}

fn wants_static() -> bool {
    match env::var("NF_LINK").as_deref() {
        Err(_) | Ok("") | Ok("dynamic") => false,
        Ok("static") => true,
        Ok(other) => fail(&format!("NF_LINK is \"{other}\": expected static or dynamic")),
    }
}

fn given(dir: &Path) {
    let is_static = wants_static();
    let windows = env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("windows");
    let names: &[&str] = match (is_static, windows) {
        (true, _) => &["libnf.a", "nf.lib"],
        (false, true) => &["nf.lib", "libnf.dll.a"],
        (false, false) => &["libnf.so", "libnf.dylib"],
    };
    if !names.iter().any(|name| dir.join(name).exists()) {
        fail(&format!("NF_LIB_DIR is {}: expected a folder with {}", dir.display(), names.join(" or ")));
    }
    println!("cargo:rustc-link-search=native={}", dir.display());
    if is_static {
        println!("cargo:rustc-link-lib=static=nf");
        needed_by_static();
    } else {
        println!("cargo:rustc-link-lib=dylib=nf");
    }
}

/// What libnf.a needs beside itself.
fn needed_by_static() {
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => println!("cargo:rustc-link-lib=dylib=c++"),
        Ok("windows") => {}
        _ => ["z", "stdc++", "m", "pthread"].iter().for_each(|l| println!("cargo:rustc-link-lib=dylib={l}")),
    }
}

#[cfg(feature = "system")]
fn system() {
    const VERSION: &str = "0.2";
    if let Err(e) = pkg_config::Config::new().atleast_version(VERSION).statik(wants_static()).probe("nf") {
        fail(&format!(
            "pkg-config does not find libnf {VERSION} or later; install it, set PKG_CONFIG_PATH to the folder of \
                       nf.pc or NF_LIB_DIR to that of libnf.so, or leave out feature \"system\" to build it.\n{e}"
        ));
    }
}
#[cfg(not(feature = "system"))]
fn system() {}

fn bundled() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let is_source = |dir: &PathBuf| dir.join("meson.build").exists() && dir.join("include/nf/nf.h").exists();
    let Some(source) = [here.join("vendor"), here.join("../../..")].into_iter().find(is_source) else {
        fail("the C++ sources of libnf are neither in vendor/ nor around this crate: use feature \"system\"")
    };
    for part in ["meson.build", "meson.options", "include", "runtime", "src"] {
        println!("cargo:rerun-if-changed={}", source.join(part).display());
    }
    let build = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("libnf");
    let mut setup = Command::new("meson");
    setup.arg("setup").arg(&build).arg(&source).args([
        "-Ddefault_library=static",
        "-Dbuildtype=release",
        "-Db_staticpic=true",
        "-Dcli=false",
        "-Dtests=false",
        "-Dbindings=false",
        "-Dbench=false",
        "-Dfuzz=false",
        "-Dfaults=false",
        "-Dblas=none",
    ]);
    if build.join("build.ninja").exists() {
        setup.arg("--reconfigure");
    }
    // For cross compilation: --cross-file and the like.
    if let Ok(more) = env::var("NF_MESON_ARGS") {
        setup.args(more.split_whitespace());
    }
    run(setup, "needs Meson 1.0 and Ninja");
    let mut compile = Command::new("meson");
    compile.arg("compile").arg("-C").arg(&build).arg("nf:static_library");
    if let Ok(jobs) = env::var("NUM_JOBS") {
        compile.arg("-j").arg(jobs);
    }
    run(compile, "needs a C++20 compiler, such as GCC 12");
    println!("cargo:rustc-link-search=native={}", build.join("src").display());
    println!("cargo:rustc-link-lib=static=nf");
    // What it needs beside itself, as the pkg-config file says that Meson has written.
    let file = build.join("meson-private/nf.pc");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| fail(&format!("{}: {e}", file.display())));
    let private = text.lines().find_map(|l| l.strip_prefix("Libs.private:")).unwrap_or_default();
    for flag in private.split_whitespace() {
        if let Some(name) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib=dylib={name}");
        } else if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        }
    }
    println!("cargo:rustc-link-lib=dylib=pthread");
}

fn run(mut command: Command, needs: &str) {
    let what = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => {
            fail(&format!("{what} ended with {status}; the build of libnf {needs}, and the headers of libhwy and zlib"))
        }
        Err(e) => {
            fail(&format!("{what}: {e}; the build of libnf {needs}; with feature \"system\" it uses an installed one"))
        }
    }
}
