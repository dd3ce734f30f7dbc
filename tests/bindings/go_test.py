"""Builds bindings/go and examples/go against the libnf just built: their tests, the race detector, vet, links, the cost of a call.

What needs another tool, a newer Go, data or the network is skipped. With NF_GO_SLOW=1 it also runs the stricter pointer checks
of cgo, for which Go builds its own library again, and fuzzes the calls.
usage: go_test.py SOURCE_ROOT BUILD_DIR
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT, BUILD = map(os.path.abspath, sys.argv[1:3])
LIB = os.path.join(BUILD, 'src')
BINDING, EXAMPLES = os.path.join(ROOT, 'bindings/go'), os.path.join(ROOT, 'examples/go')
DATA = os.environ.get('NF_DATA_DIR') or os.path.join(ROOT, '../shared/data')
STATICCHECK = 'honnef.co/go/tools/cmd/staticcheck@v0.7.0'
MOST_NS = 150  # that a call for one row may cost beyond the same call in C
FETCH_SECONDS = 45
FLAGS = '-mod=mod -buildvcs=false'
ENV = dict(os.environ, CGO_ENABLED='1', CGO_CFLAGS=f'-O2 -I{ROOT}/include', CGO_LDFLAGS=f'-L{LIB} -lnf -Wl,-rpath,{LIB}',
           GOFLAGS=FLAGS + ' -tags=nf_env', GOPROXY='off', GOTOOLCHAIN='local', GODEBUG='cgocheck=1',
           GOCACHE=os.path.join(BUILD, 'go-cache'), GOPATH=os.path.join(BUILD, 'go-path'))
begin = time.monotonic()
counts = {'pass': 0, 'fail': 0, 'skip': 0}


def report(name, result, text=''):
    counts[result] += 1
    print(f'{name}: {result} ({time.monotonic() - begin:.0f} s)\n{text}' if text else f'{name}: {result} ({time.monotonic() - begin:.0f} s)', flush=True)


def run(command, folder=BINDING, env=None, timeout=600):
    return subprocess.run(command, cwd=folder, env=dict(ENV, **(env or {})), text=True, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def case(name, command, says='', without=None, **more):
    """Passes if the command succeeds and its output has `says` and not `without`."""
    done = run(command, **more)
    good = done.returncode == 0 and says in done.stdout and (without is None or without not in done.stdout)
    report(name, 'pass' if good else 'fail', '' if good else f'{" ".join(command)}\n{done.stdout}')


def tests(name, command, **more):
    """Counts every test function."""
    done = run(command, **more)
    found = re.findall(r'^--- (PASS|FAIL|SKIP): (\S+)', done.stdout, re.M)
    for result, _ in found:
        counts[result.lower()] += 1
    text = '' if done.returncode == 0 else f'\n{done.stdout}'
    print(f'{name}: {len(found)} tests ({time.monotonic() - begin:.0f} s){text}', flush=True)
    if done.returncode and not any(r == 'FAIL' for r, _ in found) or not found:
        report(name, 'fail', done.stdout)


def package_config(folder):
    """Makes an installed library out of links into the build, and returns the environment that finds it."""
    source = os.path.join(BUILD, 'meson-private/nf.pc')
    if not shutil.which('pkg-config') or not os.path.exists(source):
        return None
    os.makedirs(folder, exist_ok=True)
    for name, target in (('include', os.path.join(ROOT, 'include')), ('lib', LIB)):
        link = os.path.join(folder, name)
        if os.path.islink(link):
            os.remove(link)
        os.symlink(target, link)
    with open(source) as f:
        text = re.sub(r'^prefix=.*', 'prefix=' + folder, f.read(), flags=re.M)
    text = re.sub(r'^libdir=.*', 'libdir=${prefix}/lib', text, flags=re.M)
    with open(os.path.join(folder, 'nf.pc'), 'w') as f:
        f.write(text)
    return {'PKG_CONFIG_PATH': folder, 'CGO_CFLAGS': '', 'CGO_LDFLAGS': '', 'LD_LIBRARY_PATH': LIB}


def check_links():
    """A program by pkg-config, with the shared and with the static library."""
    # Not a temporary folder: Go keeps what it compiled, with the flags of pkg-config.
    env = package_config(os.path.join(BUILD, 'go-prefix'))
    if env is None:
        return report('links', 'skip', 'no pkg-config, or no nf.pc in the build')
    with tempfile.TemporaryDirectory() as folder:
        for name, tags in (('shared', ''), ('static', ' -tags=nf_static')):
            if name == 'static' and not os.path.exists(os.path.join(LIB, 'libnf.a')):
                report('static link', 'skip', 'no libnf.a in the build')
                continue
            program = os.path.join(folder, name)
            build = run(['go', 'test', '-c', '-o', program, '.'], env=dict(env, GOFLAGS=FLAGS + tags))
            if build.returncode:
                report(f'{name} link', 'fail', build.stdout)
                continue
            works = run([program, '-test.run', 'TestFitSaveLoadScoreSample'], env=env)
            linked = run(['ldd', program], env=env)
            good = works.returncode == 0 and ('libnf.so' in linked.stdout) == (name == 'shared')
            report(f'{name} link', 'pass' if good else 'fail', '' if good else works.stdout + linked.stdout)


def check_overhead():
    """The cost of a call for one row beyond the same call in C, in one run; another program may disturb one of three."""
    text = ''
    for _ in range(3):
        done = run(['go', 'test', '-run', 'XXX', '-bench', 'LogProbRow', '-benchtime', '200000x', '.'])
        text += done.stdout
        ns = re.search(r'(-?[\d.]+) ns-over-C', done.stdout)
        if ns and float(ns[1]) <= MOST_NS:
            return report(f'a call for one row costs {float(ns[1]):.0f} ns more than in C', 'pass')
    report(f'a call for one row costs more than {MOST_NS} ns beyond C', 'fail', text)


def check_static():
    """staticcheck, which is fetched once."""
    tool = os.path.join(ENV['GOPATH'], 'bin/staticcheck')
    if not os.path.exists(tool):
        try:
            done = run(['go', 'install', STATICCHECK], folder=BUILD, timeout=FETCH_SECONDS,
                       env={'GOPROXY': os.environ.get('GOPROXY', ''), 'GOFLAGS': '-buildvcs=false -modcacherw'})
            text = done.stdout[-300:]
        except subprocess.TimeoutExpired:
            text = f'it did not arrive in {FETCH_SECONDS} s; what arrived is kept for the next run'
        if not os.path.exists(tool):
            return report('staticcheck', 'skip', text)
    case('staticcheck', [tool, './...'])
    case('staticcheck of the examples', [tool, './...'], folder=EXAMPLES)


def main():
    if not shutil.which('go'):
        print('no go: nothing to test')
        sys.exit(77)
    version = re.search(r'go1\.(\d+)', run(['go', 'version']).stdout)
    if not version or int(version[1]) < 21:
        print('Go is older than 1.21, which has runtime.Pinner: nothing to test')
        sys.exit(77)
    case('gofmt', ['gofmt', '-l', '.', EXAMPLES], without='.go')
    case('vet', ['go', 'vet', './...'])
    case('vet of the examples', ['go', 'vet', './...'], folder=EXAMPLES)
    tests('tests', ['go', 'test', '-v', '.'])
    tests('tests of the examples', ['go', 'test', '-v', './...'], folder=EXAMPLES)
    check_overhead()
    check_links()
    with tempfile.TemporaryDirectory() as folder:
        if os.path.exists(os.path.join(DATA, 'adbench/23_mammography.npz')):
            case('training example', ['go', 'run', './train', os.path.join(folder, 'm.safetensors')], folder=EXAMPLES, says='AUROC 0.8',
                 env={'NF_DATA_DIR': DATA})
        else:
            report('training example', 'skip', 'no adbench/23_mammography.npz in NF_DATA_DIR')
    tests('tests with the race detector', ['go', 'test', '-race', '-v', '.'])
    tests('tests of the examples with the race detector', ['go', 'test', '-race', '-v', './...'], folder=EXAMPLES)
    check_static()
    if os.environ.get('NF_GO_SLOW'):
        tests('tests with the strict checks of cgo', ['go', 'test', '-v', '.'], env={'GOEXPERIMENT': 'cgocheck2'}, timeout=1500)
        case('fuzz', ['go', 'test', '-run', 'XXX', '-fuzz', 'FuzzCalls', '-fuzztime', '30s', '-fuzzminimizetime', '1x', '.'])
    print('# cases: {pass} {fail} {skip}'.format(**counts))
    sys.exit(1 if counts['fail'] else 0)


main()
