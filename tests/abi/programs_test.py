"""Builds and runs the example of README.md and the programs of examples/ against the libnf just built, as a user would.

The programs are in C and C++; tests/bindings has those of Go and Rust. Each trains, saves and checks its own results; most load, score and sample too.
A language without a compiler is skipped.
usage: programs_test.py SOURCE_ROOT LIBRARY_DIR
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT, LIB = map(os.path.abspath, sys.argv[1:3])
INCLUDE = '-I' + os.path.join(ROOT, 'include')
RPATH = '-Wl,-rpath,' + LIB


def example(name):
    return os.path.join(ROOT, 'examples', name)


def c(out):
    return ['cc', '-std=c99', '-O2', '-Wall', '-Wextra', '-Werror', INCLUDE, example('c/train.c'), '-L' + LIB, '-lnf', '-lm', RPATH, '-o', out], {}


def readme(out):
    """The first C block of README.md; it saves model.safetensors in the current folder."""
    with open(os.path.join(ROOT, 'README.md')) as f:
        code = f.read().split('```c\n')[1].split('```')[0]
    source = out + '.c'
    with open(source, 'w') as f:
        f.write(code)
    return ['cc', '-std=c99', '-O2', '-Wall', '-Wextra', '-Werror', INCLUDE, source, '-L' + LIB, '-lnf', RPATH, '-o', out], {}


def cpp(program):
    return lambda out: (['c++', '-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', INCLUDE, '-I' + ROOT, example('cpp/' + program), '-L' + LIB, '-lnf', '-pthread', RPATH, '-o', out], {})


def run(language, build, says, *more):
    with tempfile.TemporaryDirectory() as folder:
        command, env = build(os.path.join(folder, 'train'))
        if not shutil.which(command[0]):
            return 'skip', f'no {command[0]}'
        env = dict(os.environ, **env)
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=500)
        if done.returncode:
            return 'fail', f'{" ".join(command)}\n{done.stdout}{done.stderr}'
        model = os.path.join(folder, 'model.safetensors')
        done = subprocess.run([os.path.join(folder, 'train'), model, *more], capture_output=True, text=True, timeout=300, cwd=folder)
        if done.returncode or says not in done.stdout or not os.path.exists(model):
            return 'fail', f'{language} ended with {done.returncode}:\n{done.stdout}{done.stderr}'
        return 'pass', done.stdout


PROGRAMS = {'README': (readme, 'log-density of row 0'), 'C': (c, 'mean log-likelihood'), 'C++': (cpp('train.cc'), 'mean log-likelihood'),
            'C++, a target': (cpp('eight_schools.cc'), 'log evidence'), 'C++, a sampler': (cpp('flow_nuts.cc'), 'mean of tau', 'quick')}
counts = {'pass': 0, 'fail': 0, 'skip': 0}
for language, (build, *more) in PROGRAMS.items():
    result, text = run(language, build, *more)
    counts[result] += 1
    print(f'{language}: {result}\n{text}')
print('# cases: {pass} {fail} {skip}'.format(**counts))
sys.exit(1 if counts['fail'] else 0)
