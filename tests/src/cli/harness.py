"""Shared by the script tests of the nf command: running it, making data, counting cases. Standard library only.

A test file decorates functions with @case and ends with harness.main(__doc__). Each case runs in its own empty folder.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import traceback

CASES = []
NF = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else 'nf'
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SPEC = '{"layers": [{"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [16]}, {"type": "reverse"}]}]}'


def case(function):
    CASES.append(function)
    return function


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ('NO_COLOR', 'LC_ALL', 'LC_CTYPE', 'LANG', 'TERM')}
    return {**env, **more}


def nf(*args, code=0, stdin=None, env=None):
    """Runs nf and checks the exit code, unless it is None. Arguments are split at spaces only if given as one string."""
    words = args[0].split() if len(args) == 1 and isinstance(args[0], str) else [str(a) for a in args]
    done = subprocess.run([NF, *words], capture_output=True, text=True, input=stdin, env=env or environment(), timeout=120)
    assert code in (None, done.returncode), f'nf {words}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}'
    if code == 0:
        assert 'error' not in done.stderr.lower(), done.stderr
    return done


def fails(*args, code=1, says=(), hint=None):
    """nf must fail, with one line `nf: ...` that contains every word of `says`, and print nothing on standard output."""
    done = nf(*args, code=code)
    lines = done.stderr.splitlines()
    assert done.stdout == '', 'an error on standard output: ' + done.stdout
    assert lines and lines[0].startswith('nf: '), done.stderr
    for word in [says] if isinstance(says, str) else says:
        assert word in lines[0], f'{word!r} is not in: {lines[0]}'
    if hint:
        assert hint in '\n'.join(lines[1:]), f'{hint!r} is not in the hint: {done.stderr}'
    return done


def rows_of(count, seed=1, cols=2):
    """Returns a bent band in the plane, with standard normals in further columns."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        x = rng.gauss(0, 1)
        out.append([x, 0.5 * x * x + rng.gauss(0, 0.3)] + [rng.gauss(0, 1) for _ in range(cols - 2)])
    return [row[:cols] for row in out]


def write_npy(path, rows, dtype='f', event=None):
    """`event`: extents of a row, if it is not flat."""
    shape = (len(rows), *(event or [len(rows[0])]))
    head = f"{{'descr': '<{'f4' if dtype == 'f' else 'f8'}', 'fortran_order': False, 'shape': {shape}, }}"
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    flat = [v for row in rows for v in row]
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + struct.pack(f'<{len(flat)}{dtype}', *flat))


def read_npy(path):
    """Returns (shape, flat values)."""
    with open(path, 'rb') as f:
        data = f.read()
    assert data[:8] == b'\x93NUMPY\x01\x00', data[:8]
    size, = struct.unpack('<H', data[8:10])
    assert (10 + size) % 64 == 0
    head = eval(data[10:10 + size].decode(), {}, {})  # noqa: S307 - a dict literal that nf wrote
    kind = {'<f4': 'f', '<f8': 'd'}[head['descr']]
    count = (len(data) - 10 - size) // (4 if kind == 'f' else 8)
    values = struct.unpack(f'<{count}{kind}', data[10 + size:])
    expected = 1
    for extent in head['shape']:
        expected *= extent
    assert expected == count, (head, count)
    return head['shape'], values


def write_csv(path, rows, names=None):
    with open(path, 'w') as f:
        if names:
            f.write(','.join(names) + '\n')
        for row in rows:
            f.write(','.join(repr(v) for v in row) + '\n')


def info(path):
    return json.loads(nf('info', path, '--json').stdout)


def train(*more, spec=SPEC, data='train.npy', steps=40, output='m.safetensors', code=0):
    return nf('train', spec, '--data', data, '--steps', steps, '--batch', 64, '-o', output, *more, code=code)


def main(doc):
    passed = failed = 0
    home = os.getcwd()
    for function in CASES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                function()
                passed += 1
            except Exception:  # noqa: BLE001 - a case reports whatever went wrong
                failed += 1
                print(f'FAILED {function.__name__}')
                traceback.print_exc(file=sys.stdout)
            finally:
                os.chdir(home)
    print(doc.splitlines()[0])
    print(f'# cases: {passed} {failed} 0')
    sys.exit(1 if failed else 0)
