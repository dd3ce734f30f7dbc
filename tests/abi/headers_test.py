"""The public headers compile in every language version we promise, with every compiler here, without one warning.

nf.h: C99, C11, C17, C++17, C++20; nf.hpp: C++17, C++20; layout_test.c (struct sizes, offsets, numbers): C11.
Also: tests/abi/symbols.txt lists the functions that nf.h, nf_infer.h and nf_data.h declare.
usage: headers_test.py SOURCE_ROOT
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = sys.argv[1]
STRICT = ['-Wall', '-Wextra', '-pedantic', '-Werror', '-I' + os.path.join(ROOT, 'include'), '-c', '-o', os.devnull]
# A user's build may be stricter than ours.
C_STRICT = [*STRICT, '-Wstrict-prototypes', '-Wmissing-prototypes', '-Wold-style-definition']
CXX_STRICT = [*STRICT, '-Wnon-virtual-dtor', '-Wshadow', '-Wconversion']
C, CXX = ('gcc', 'clang-14'), ('g++', 'clang++-14')

passed, problems = 0, []


def case(name, fine, why=''):
    global passed
    passed += bool(fine)
    if not fine:
        problems.append(f'{name}: {why}')


def compile_all(what, path, compilers, versions, flags):
    for compiler in filter(shutil.which, compilers):
        for version in versions:
            run = subprocess.run([compiler, '-std=' + version, *flags, path], capture_output=True, text=True)
            case(f'{what} as {version} with {compiler}', run.returncode == 0, run.stderr)


def main():
    if not any(map(shutil.which, C)) or not any(map(shutil.which, CXX)):
        print('no compiler')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        def source(name, text):
            path = os.path.join(folder, name)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
            return path
        # Twice: the include guard. First: the header brings what it needs.
        structs = ('allocator', 'executor', 'model_info', 'tensor_info', 'step_info', 'collective', 'source')
        macros = ''.join(f'nf_{s} v_{s} = NF_{s.upper()}_INIT; (void)v_{s}; ' for s in structs)
        use = 'nf_error e = NF_ERROR_INIT; nf_view v = NF_VIEW_INIT; ' + macros + 'return (int)nf_version() + e.code + v.ndim;'
        compile_all('nf.h', source('a.c', '#include <nf/nf.h>\n#include <nf/nf.h>\nint f(void);\nint f(void) {' + use + '}\n'), C,
                    ('c99', 'c11', 'c17'), C_STRICT)
        compile_all('nf.h', source('a.cc', '#include <nf/nf.h>\nint f();\nint f() {' + use + '}\n'), CXX, ('c++17', 'c++20'), CXX_STRICT)
        compile_all('nf.hpp', source('b.cc', '#include <nf/nf.hpp>\n#include <nf/nf.hpp>\nint f();\nint f() { nf::Runtime rt; return 0; }\n'),
                    CXX, ('c++17', 'c++20'), CXX_STRICT)
        every = os.path.join(ROOT, 'tests/abi/every_member.cc')
        strictest = [*CXX_STRICT, '-Wsign-conversion', '-Wold-style-cast']
        compile_all('nf.hpp, every member', every, CXX, ('c++17', 'c++20'), strictest)
        compile_all('nf.hpp without exceptions', every, CXX, ('c++17', 'c++20'), [*strictest, '-fno-exceptions'])
        compile_all('nf.hpp with results', every, CXX, ('c++17',), [*strictest, '-DNF_NO_EXCEPTIONS'])
        dangles = source('c.cc', '#include <nf/nf.hpp>\nstd::vector<float> f();\nnf::View v() { return nf::View(f(), 2); }\n')
        for compiler in filter(shutil.which, CXX):
            run = subprocess.run([compiler, '-std=c++17', *STRICT, dangles], capture_output=True, text=True)
            case(f'a view of a temporary with {compiler}', run.returncode != 0 and 'delete' in run.stderr, run.stderr)
        compile_all('layout', os.path.join(ROOT, 'tests/abi/layout_test.c'), C, ('c11', 'c17'), C_STRICT)

    code = ''
    for header in ('nf.h', 'nf_infer.h', 'nf_data.h'):
        with open(os.path.join(ROOT, 'include/nf', header), encoding='utf-8') as f:
            code += re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)
    with open(os.path.join(ROOT, 'tests/abi/symbols.txt'), encoding='utf-8') as f:
        listed = [s for s in f.read().split('\n') if s and not s.startswith('#')]
    declared = re.findall(r'^NF_API[^;(]*?\b(nf_\w+)\(', code, re.M)
    case('symbols.txt is sorted', listed == sorted(listed), 'sort it')
    case('symbols.txt lists what the headers declare', set(listed) == set(declared),
         f'only listed: {sorted(set(listed) - set(declared))}, only declared: {sorted(set(declared) - set(listed))}')
    case('every declaration is noexcept', len(declared) == len(re.findall(r'^NF_API[^;]*\) NF_NOEXCEPT;', code, re.M)),
         'one lacks NF_NOEXCEPT')

    print('\n'.join(problems))
    print(f'# cases: {passed} {len(problems)} 0')
    return 1 if problems else 0


sys.exit(main())
