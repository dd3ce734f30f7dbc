"""Builds the crates of bindings/rust against the libnf just built, and runs their tests, their lints, the example and the bench.

Crates come from the registry or from what cargo has stored; without either, or without a new enough cargo, all is skipped.
What needs another tool or data is skipped by itself. Everything that is built goes to the build folder.
usage: rust_test.py SOURCE_ROOT BUILD_DIR
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT, BUILD = map(os.path.abspath, sys.argv[1:3])
RUST = os.path.join(ROOT, 'bindings', 'rust')
LIBRARY = os.path.join(BUILD, 'src')
DATA = os.path.abspath(os.environ.get('NF_DATA_DIR') or os.path.join(ROOT, '..', 'shared', 'data'))
OLDEST = (1, 77)
CLANG = ('libclang.so', 'libclang-14.so.1', 'libclang.so.1')
ENV = dict(os.environ, NF_LIB_DIR=LIBRARY, NF_DATA_DIR=DATA, CARGO_TARGET_DIR=os.path.join(BUILD, 'bindings', 'rust'),
           LD_LIBRARY_PATH=':'.join(filter(None, [LIBRARY, os.environ.get('LD_LIBRARY_PATH')])),
           CARGO_TERM_COLOR='never', RUST_BACKTRACE='0')
ENV.pop('NF_LINK', None)
# Tests need neither line numbers nor incremental builds, which take half of the time of a first build.
ENV.setdefault('CARGO_PROFILE_DEV_DEBUG', '0')
ENV.setdefault('CARGO_INCREMENTAL', '0')
counts = {'pass': 0, 'fail': 0, 'skip': 0}


def cargo(*arguments, env=ENV, timeout=600):
    return subprocess.run(['cargo', *arguments], cwd=RUST, env=env, capture_output=True, text=True, timeout=timeout)


def skip_all(why):
    print(f'skipped: {why}')
    sys.exit(77)


def record(name, done, what=''):
    """Counts one case: a finished command, or the text why it is skipped."""
    if isinstance(done, str):
        counts['skip'] += 1
        print(f'{name}: skipped, {done}')
    else:
        result = 'pass' if done.returncode == 0 else 'fail'
        counts[result] += 1
        print(f'{name}: {result}{what}' + (f'\n{done.stdout}{done.stderr}' if result == 'fail' else ''))


def prepare():
    if not shutil.which('cargo'):
        skip_all('no cargo')
    version = cargo('--version').stdout
    found = re.match(r'cargo (\d+)\.(\d+)', version)
    if not found or tuple(map(int, found.groups())) < OLDEST:
        skip_all(f'{version.strip() or "cargo"}: the crates need {OLDEST[0]}.{OLDEST[1]} or later (https://rustup.rs)')
    fetched = cargo('fetch', '--locked', '--offline')
    if fetched.returncode:
        fetched = cargo('fetch', '--locked', env=dict(ENV, CARGO_NET_RETRY='1', CARGO_HTTP_TIMEOUT='20'))
    if fetched.returncode:
        skip_all(f'cargo has no crates and reaches no registry:\n{fetched.stderr[-600:]}')
    ENV['CARGO_NET_OFFLINE'] = 'true'


def tests():
    """cargo test, whose cases are counted one by one."""
    done = cargo('test', '--locked', '--all-features', '--no-fail-fast')
    results = re.findall(r'^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored', done.stdout, re.M)
    passed, failed, ignored = (sum(map(int, column)) for column in zip(*results)) if results else (0, 0, 0)
    counts['pass'] += passed
    counts['fail'] += failed or (done.returncode != 0)
    counts['skip'] += ignored
    print(f'cargo test: {passed} passed, {failed} failed')
    if done.returncode or passed < 30:
        print(done.stdout + done.stderr)
    if done.returncode == 0 and passed < 30:
        counts['fail'] += 1
        print('cargo test: fewer than 30 cases ran')


def current():
    """The declarations of nf-sys are those that bindgen makes of the headers."""
    folders = [os.environ.get('LIBCLANG_PATH'), '/usr/lib/llvm-14/lib', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib']
    clang = next((f for f in folders if f and any(os.path.exists(os.path.join(f, name)) for name in CLANG)), None)
    if not clang:
        return 'no libclang (Debian: libclang1-14)'
    made = cargo('run', '--locked', '--quiet', '-p', 'generate', '--', os.path.join(ROOT, 'include'), env=dict(ENV, LIBCLANG_PATH=clang))
    with open(os.path.join(RUST, 'nf-sys', 'src', 'bindings.rs')) as f:
        if made.returncode == 0 and made.stdout != f.read():
            made.returncode = 1
            made.stdout, made.stderr = '', 'nf-sys/src/bindings.rs is not what the headers say: run\n  cargo run -p generate > nf-sys/src/bindings.rs'
    return made


def bundled():
    """The sources that a package of nf-sys contains can be configured with the options of its build.rs."""
    if not shutil.which('meson') or not shutil.which('git') or not os.path.exists(os.path.join(ROOT, '.git')):
        return 'no meson, no git, or no repository'
    with open(os.path.join(RUST, 'nf-sys', 'build.rs')) as f:
        options = re.findall(r'"(-D\w+=\w+)"', f.read())
    with tempfile.TemporaryDirectory() as folder:
        sources = os.path.join(folder, 'vendor')
        done = subprocess.run([sys.executable, os.path.join(RUST, 'vendor.py'), sources], capture_output=True, text=True)
        if done.returncode == 0:
            done = subprocess.run(['meson', 'setup', os.path.join(folder, 'build'), sources, *options], capture_output=True, text=True)
        if len(options) < 8:
            done.returncode, done.stderr = 1, f'build.rs has only the options {options}'
        return done


def nuts():
    """Apart, because nuts-rs and what it needs take minutes to compile."""
    if not os.environ.get('NF_RUST_NUTS'):
        return 'it compiles for minutes: set NF_RUST_NUTS=1'
    manifest = os.path.join(RUST, 'nuts', 'Cargo.toml')
    online = {k: v for k, v in ENV.items() if k != 'CARGO_NET_OFFLINE'}
    done = cargo('run', '--locked', '--release', '--quiet', '--manifest-path', manifest, '--', 'quick', env=online, timeout=1800)
    print(done.stdout, end='')
    return done


def example():
    if not os.path.exists(os.path.join(DATA, 'adbench', '23_mammography.npz')):
        return f'no adbench/23_mammography.npz in {DATA} (NF_DATA_DIR)'
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, 'flow.safetensors')
        done = cargo('run', '--locked', '--release', '--quiet', '-p', 'libnf', '--example', 'anomaly', '--', model)
        if done.returncode == 0 and not os.path.exists(model):
            done.returncode, done.stderr = 1, 'it saved no model'
        print(done.stdout, end='')
        return done


def bench():
    """Up to three times, because other tests run at the same time."""
    for _ in range(3):
        done = cargo('run', '--locked', '--release', '--quiet', '-p', 'bench', '--', 'check')
        print(done.stdout, end='')
        if done.returncode == 0:
            break
    return done


def tool(name, *arguments, env=ENV):
    if not shutil.which(f'cargo-{name}') or cargo(name, '--version').returncode:
        return f'no cargo-{name}'
    return cargo(name, *arguments, env=env)


prepare()
tests()
record('clippy', tool('clippy', '--locked', '--all-features', '--all-targets', '--', '-D', 'warnings'))
record('clippy without features', tool('clippy', '--locked', '-p', 'libnf', '--', '-D', 'warnings'))
record('format', tool('fmt', '--check'))
record('documentation', cargo('doc', '--locked', '--no-deps', '--all-features', env=dict(ENV, RUSTDOCFLAGS='-D warnings')))
record('declarations are current', current())
record('bundled sources', bundled())
record('example', example())
record('nuts-rs', nuts())
record('call overhead', bench())
print('# cases: {pass} {fail} {skip}'.format(**counts))
sys.exit(1 if counts['fail'] else 0)
