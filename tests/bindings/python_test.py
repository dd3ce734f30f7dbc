"""Builds the extension of bindings/python against the libnf just built, and runs the tests of the package with pytest.

Packages go to a virtual environment in the build folder, once. Without pip, a network or a C compiler it is skipped. Tests of
torch, jax and of imports from other libraries skip themselves unless those packages are there: NF_PYTHON names the
interpreter of an environment that has them, with cffi and pytest. With NF_PYTHON_WHEEL=1, or the path of a wheel, the tests run
on the package that pip installs from a wheel into an empty environment; building it compiles the whole library.
usage: python_test.py SOURCE_ROOT BUILD_DIR
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys

ROOT, BUILD = map(os.path.abspath, sys.argv[1:3])
BINDING = os.path.join(ROOT, 'bindings', 'python')
LIBRARY = os.path.join(BUILD, 'src')
WORK = os.path.join(BUILD, 'bindings', 'python')
REQUIRED = os.path.join(BINDING, 'tests', 'requirements.txt')
OPTIONAL = os.path.join(BINDING, 'tests', 'requirements-optional.txt')


def skip(why):
    print(f'skipped: {why}')
    sys.exit(77)


def run(*command, **k):
    return subprocess.run(command, capture_output=True, text=True, **k)


def environment():
    """Returns the interpreter of an environment with the pinned packages."""
    if os.environ.get('NF_PYTHON'):
        return os.environ['NF_PYTHON']
    folder = os.path.join(WORK, 'venv')
    python = os.path.join(folder, 'bin', 'python')
    with open(REQUIRED, 'rb') as a, open(OPTIONAL, 'rb') as b:
        wanted = hashlib.sha256(a.read() + b.read() + sys.version.encode()).hexdigest()
    stamp = os.path.join(folder, 'installed')
    if os.path.exists(stamp) and open(stamp).read() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    made = run(sys.executable, '-m', 'venv', folder)
    if made.returncode:
        skip(f'no virtual environment: {made.stdout}{made.stderr}')
    pip = [python, '-m', 'pip', 'install', '-q', '--disable-pip-version-check', '--only-binary', ':all:']
    done = run(*pip, '--timeout', '20', '--retries', '1', '-r', REQUIRED)
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        skip(f'pip could not install the packages of the tests: {done.stderr[-500:]}')
    more = run(*pip, '-r', OPTIONAL)
    if more.returncode:
        print(f'without optional packages: {more.stderr[-300:]}')
    with open(stamp, 'w') as f:
        f.write(wanted)
    return python


def package(python):
    """Lays the package out with an extension that is linked to the library, and returns its folder."""
    site = os.path.join(WORK, 'site')
    target = os.path.join(site, 'libnf')
    os.makedirs(target, exist_ok=True)
    for folder, _, names in os.walk(os.path.join(BINDING, 'libnf')):
        to = os.path.join(target, os.path.relpath(folder, os.path.join(BINDING, 'libnf')))
        os.makedirs(to, exist_ok=True)
        for name in names:
            if name.endswith(('.py', '.pyi', '.typed')):
                shutil.copyfile(os.path.join(folder, name), os.path.join(to, name))
    digest = hashlib.sha256(f'{LIBRARY} {python}'.encode())
    for name in ('generate.py', 'declarations.cdef', 'callbacks.cdef', 'calls.h'):
        with open(os.path.join(BINDING, name), 'rb') as f:
            digest.update(f.read())
    stamp = os.path.join(WORK, 'built')
    extension = os.path.join(target, '_nf.abi3.so')
    if os.path.exists(extension) and os.path.exists(stamp) and open(stamp).read() == digest.hexdigest():
        return site
    done = run(python, os.path.join(BINDING, 'generate.py'), 'build', os.path.join(ROOT, 'include'), LIBRARY, target)
    if done.returncode:
        print(done.stdout + done.stderr)
        print('# cases: 0 1 0')
        sys.exit(1)
    with open(stamp, 'w') as f:
        f.write(digest.hexdigest())
    return site


def wheel(given):
    """Builds a wheel if none is given, and returns the interpreter of a new environment with it and pytest."""
    folder = os.path.join(WORK, 'wheel')
    shutil.rmtree(folder, ignore_errors=True)
    venv = os.path.join(folder, 'venv')
    made = run(sys.executable, '-m', 'venv', venv)
    if made.returncode:
        skip(f'no virtual environment: {made.stdout}{made.stderr}')
    python = os.path.join(venv, 'bin', 'python')
    if not given.endswith('.whl'):
        done = run(python, '-m', 'pip', 'wheel', BINDING, '--no-deps', '-w', folder)
        if done.returncode:
            print(f'pip wheel:\n{done.stdout[-3000:]}{done.stderr[-3000:]}\n# cases: 0 1 0')
            sys.exit(1)
        given = next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith('.whl'))
    done = run(python, '-m', 'pip', 'install', '-q', given, '-r', REQUIRED)
    if done.returncode:
        print(f'pip install:\n{done.stdout}{done.stderr}\n# cases: 0 1 0')
        sys.exit(1)
    print('package:', run(python, '-c', 'import libnf; print(libnf.__file__)', cwd=folder, env=clean()).stdout, end='')
    return python


def clean():
    return {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'LD_LIBRARY_PATH')}


def main():
    if not shutil.which(os.environ.get('CC', 'cc').split()[0]):
        skip('no C compiler')
    os.makedirs(WORK, exist_ok=True)
    from_wheel = os.environ.get('NF_PYTHON_WHEEL')
    python = wheel(from_wheel) if from_wheel else environment()
    headers = run(python, '-c', 'import sysconfig; print(sysconfig.get_paths()["include"])').stdout.strip()
    if not os.path.exists(os.path.join(headers, 'Python.h')):
        skip('no Python.h: install python3-dev')
    paths = {} if from_wheel else {'PYTHONPATH': package(python)}
    env = dict(clean(), LIBNF_SOURCE=ROOT, LIBNF_BUILD=BUILD, PYTHONDONTWRITEBYTECODE='1', **paths)
    done = run(python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--durations=5', os.path.join(BINDING, 'tests'),
               env=env, cwd=WORK)
    print(done.stdout + done.stderr)
    counts = {word: int(n) for n, word in re.findall(r'(\d+) (passed|failed|skipped|error)', done.stdout[-500:])}
    failed = counts.get('failed', 0) + counts.get('error', 0)
    if done.returncode and not failed:
        failed = 1
    print(f"# cases: {counts.get('passed', 0)} {failed} {counts.get('skipped', 0)}")
    sys.exit(1 if failed else 0)


main()
