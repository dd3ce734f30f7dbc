"""What a one-row log_prob costs in C++, Rust, Go and Python beyond the same call in C, in one run.

usage: overhead.py BUILD_DIR [--rounds 3] [--python PYTHON]
Each language's own bench compares it with C, in turn, in one process. They run one after the other, `--rounds` times, so that
all meet the same machine. BUILD_DIR has src/libnf.so; PYTHON can import libnf. What is not installed is left out.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(name, needs, command, folder, env, keep):
    if not shutil.which(needs):
        print(f'{name}: no {needs}')
        return
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if any(k in line for k in keep)]
    print('\n'.join(f'{name}: {line}' for line in lines) if done.returncode == 0 else f'{name}: failed\n{done.stdout}{done.stderr}', flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--python', default=sys.executable)
    arguments = parser.parse_args()
    lib = os.path.join(os.path.abspath(arguments.build), 'src')
    here = ROOT + '/bindings/'
    env = dict(os.environ, NF_LIB_DIR=lib, LD_LIBRARY_PATH=lib, CGO_CFLAGS=f'-O2 -I{ROOT}/include', CGO_LDFLAGS=f'-L{lib} -lnf -Wl,-rpath,{lib}')
    env.setdefault('CARGO_TARGET_DIR', os.path.join(os.path.abspath(arguments.build), 'bindings', 'rust'))
    with tempfile.TemporaryDirectory() as folder:
        program = folder + '/row'
        subprocess.run(['c++', '-std=c++17', '-O2', f'-I{ROOT}/include', here + 'bench/row.cc', '-L' + lib, '-lnf', '-o', program], check=True)
        for _ in range(arguments.rounds):
            run('C++', 'c++', [program], folder, env, ['C++'])
            run('Rust', 'cargo', ['cargo', 'run', '--locked', '--release', '--quiet', '-p', 'bench'], here + 'rust', env, ['ns a call', 'beside'])
            run('Go', 'go', ['go', 'test', '-tags', 'nf_env', '-run', 'XXX', '-bench', 'LogProbRow', '-benchtime', '200000x', '.'], here + 'go', env,
                ['ns-over-C'])
            run('Python', arguments.python, [arguments.python, here + 'python/bench/overhead.py', ROOT + '/include', lib], folder, env, ['ns'])


main()
