"""nf/eigen.hpp and nf/mdspan.hpp: compile strictly where the libraries exist, and matrices_client.cc runs.

Eigen is found by pkg-config. An mdspan is <mdspan> of the compiler in C++23, or the reference implementation on the include
path or in the folder that NF_MDSPAN_INCLUDE names; without one its cases are skipped.
usage: matrices_test.py SOURCE_ROOT LIBRARY_DIR
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT, LIB = map(os.path.abspath, sys.argv[1:3])
STRICT = ['-Wall', '-Wextra', '-pedantic', '-Werror', '-Wnon-virtual-dtor', '-Wshadow', '-Wconversion', '-Wsign-conversion',
          '-Wold-style-cast', '-I' + ROOT + '/include']
COMPILERS = [c for c in ('g++', 'clang++-14') if shutil.which(c)]
# header, namespace, language version
MDSPANS = [('<mdspan>', 'std', 'c++23'), ('<mdspan/mdspan.hpp>', 'Kokkos', 'c++17'), ('<experimental/mdspan>', 'std::experimental', 'c++17')]
passed, failed, skipped = 0, 0, 0


def client(what, compiler, flags, folder):
    """Builds and runs matrices_client.cc with one compiler; adds up its cases."""
    global passed, failed
    program = folder + '/client'
    built = subprocess.run([compiler, *STRICT, *flags, ROOT + '/tests/abi/matrices_client.cc', '-o', program, '-L' + LIB, '-lnf',
                            '-Wl,-rpath,' + LIB], capture_output=True, text=True, timeout=300)
    if built.returncode:
        failed += 1
        print(f'{what} with {compiler}:\n{built.stderr[:4000]}')
        return
    ran = subprocess.run([program], capture_output=True, text=True, timeout=100)
    *said, last = ran.stdout.splitlines() or ['no output']
    if not last.startswith('# cases: '):
        failed += 1
        print(f'{what} with {compiler} ended with {ran.returncode}: {ran.stdout}{ran.stderr}')
        return
    counts = [int(n) for n in last.split()[2:]]
    passed, failed = passed + counts[0], failed + counts[1]
    print('\n'.join(said))


def eigen_flags():
    found = subprocess.run(['pkg-config', '--cflags', 'eigen3'], capture_output=True, text=True) if shutil.which('pkg-config') else None
    return [f.replace('-I', '-isystem', 1) for f in found.stdout.split()] if found and found.returncode == 0 else None


def mdspan_flags(compiler):
    given = os.environ.get('NF_MDSPAN_INCLUDE')
    folder = ['-isystem', given] if given else []
    for header, namespace, version in MDSPANS:
        probe = f'#include {header}\n{namespace}::dextents<int, 2> e;\n'
        command = [compiler, '-std=' + version, *folder, '-fsyntax-only', '-x', 'c++', '-']
        if subprocess.run(command, input=probe, capture_output=True, text=True, timeout=300).returncode == 0:
            return ['-std=' + version, *folder, '-DNF_MDSPAN=' + header, '-DNF_MDSPAN_NAMESPACE=' + namespace]
    return None


def main():
    global skipped
    if not COMPILERS:
        print('no compiler')
        return 77
    eigen = eigen_flags()
    with tempfile.TemporaryDirectory() as folder:
        for compiler in COMPILERS:
            mdspan = mdspan_flags(compiler)
            skipped += (eigen is None) + (mdspan is None)
            if eigen is None:
                print('skipped: no eigen3 (libeigen3-dev)')
            else:
                version = 'c++20' if compiler == 'g++' else 'c++17'
                client('Eigen, ' + version, compiler, ['-std=' + version, '-DNF_EIGEN', *eigen], folder)
            if mdspan is None:
                print(f'skipped: {compiler} has no mdspan; NF_MDSPAN_INCLUDE may name a folder of the reference implementation')
            else:
                client('mdspan', compiler, mdspan, folder)
    print(f'# cases: {passed} {failed} {skipped}')
    return 1 if failed else 0


sys.exit(main())
