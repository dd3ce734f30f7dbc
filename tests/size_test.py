"""The stripped size of libnf.so is the one in README.md, within 5 %, so that nobody has to learn of a large one elsewhere.

usage: size_test.py SOURCE_ROOT BUILD_DIR COMPILER
"""
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT, BUILD = map(os.path.abspath, sys.argv[1:3])
STATED = re.compile(r'Stripped, `libnf\.so` has ([\d.]+) MB with OpenBLAS\s+and ([\d.]+) MB without')
# What the numbers are for; other builds have other sizes.
BUILT = {'buildtype': 'release', 'b_sanitize': 'none', 'targets': 'all', 'b_lto': False}


def skip(why):
    print(why)
    return 77


def main():
    for tool in ('meson', 'strip', 'nm'):
        if not shutil.which(tool):
            return skip(f'no {tool}')
    if sys.platform != 'linux' or platform.machine() != 'x86_64':
        return skip('the size in README.md is that of Linux on x86-64')
    known = subprocess.run(['meson', 'introspect', '--buildoptions', BUILD], capture_output=True, text=True, check=True).stdout
    options = {o['name']: o['value'] for o in json.loads(known)}
    other = [f'{k} is {options[k]}' for k, v in BUILT.items() if options[k] != v]
    if sys.argv[3] != 'gcc':
        other.append('the compiler is not GCC')
    if other:
        return skip('a build of another size: ' + ', '.join(other))
    library = BUILD + '/src/libnf.so'
    if not os.path.exists(library):
        return skip('no libnf.so')
    with open(ROOT + '/README.md', encoding='utf-8') as f:
        stated = STATED.search(f.read())
    if not stated:
        print('README.md does not state the size: expected "Stripped, `libnf.so` has N MB with OpenBLAS and N MB without"')
        return 1
    blas = 'cblas_sgemm' in subprocess.run(['nm', library], capture_output=True, text=True, check=True).stdout
    expected = float(stated.group(1 if blas else 2))
    with tempfile.TemporaryDirectory() as folder:
        stripped = folder + '/libnf.so'
        subprocess.run(['strip', '--strip-unneeded', '-o', stripped, library], check=True)
        size = os.path.getsize(stripped) / 1e6
    print(f'{size:.1f} MB stripped, {expected} MB in README.md, {"with" if blas else "without"} OpenBLAS')
    return 0 if abs(size - expected) <= 0.05 * expected else 1


sys.exit(main())
