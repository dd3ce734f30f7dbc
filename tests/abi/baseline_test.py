"""The ABI changes only on purpose: abidiff compares the headers with the baseline in tests/abi/libnf.abi.

What is compared is a library of empty functions compiled from the declarations of nf.h, nf_infer.h and nf_data.h, with debug
information: all types, enums, structs and signatures, whatever libnf itself was built with. That libnf exports these
functions is the business of tests/lint/check_symbols.py. src/abi/README.md says which changes are allowed; a new baseline is
    python3 tests/abi/baseline_test.py . --write
usage: baseline_test.py SOURCE_ROOT [--write]
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(sys.argv[1])
BASELINE = os.path.join(ROOT, 'tests/abi/libnf.abi')
HEADERS = ('nf.h', 'nf_infer.h', 'nf_data.h')


def run(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def stub(folder, change=lambda text: text):
    """Compiles empty functions for the declarations of the headers, after a change of their text."""
    include = os.path.join(folder, 'nf')
    os.makedirs(include, exist_ok=True)
    bodies = []
    for header in HEADERS:
        with open(os.path.join(ROOT, 'include/nf', header), encoding='utf-8') as f:
            text = change(f.read())
        with open(os.path.join(include, header), 'w', encoding='utf-8') as f:
            f.write(text)
        code = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
        for declaration in re.findall(r'^NF_API[^;]*?\) NF_NOEXCEPT;', code, re.M):
            body = re.sub(r'\bNF_API |\bNF_MUST_CHECK |;$', '', declaration)
            bodies.append(body + (' {}' if re.match(r'\s*void nf_', body) else ' { return 0; }'))
    source, library = os.path.join(folder, 'stub.c'), os.path.join(folder, 'libnf.so.0')
    with open(source, 'w', encoding='utf-8') as f:
        f.write(''.join(f'#include <nf/{h}>\n' for h in HEADERS) + '\n'.join(bodies) + '\n')
    done = run(['cc', '-std=c99', '-g', '-w', '-shared', '-fPIC', '-fno-eliminate-unused-debug-types', '-Wl,-soname,libnf.so.0',
                '-I' + folder, source, '-o', library])
    if done.returncode:
        raise RuntimeError(done.stderr)
    return library, len(bodies)


def write(library, path):
    """Types of other headers (the C library's) are left out."""
    done = run(['abidw', '--no-corpus-path', '--no-comp-dir-path', '--no-show-locs', '--load-all-types', '--drop-private-types',
                '--headers-dir', os.path.join(os.path.dirname(library), 'nf'), '--out-file', path, library])
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def differences(library):
    """The report of abidiff, '' if there are none. Both sides are descriptions, as reading a library finds other types."""
    now = library + '.abi'
    write(library, now)
    done = run(['abidiff', '--no-show-locs', '--non-reachable-types', BASELINE, now])
    return done.stdout + done.stderr if done.returncode else ''


# Changes that the comparison must see: text of a header, and what stands in its place.
CHANGES = [('an argument of another type', 'uint64_t seed,\n', 'uint32_t seed,\n'),
           ('a field of another type', '  int64_t row; ', '  int32_t row; '),
           ('a shorter message', 'char message[488]', 'char message[480]'),
           ('a new field', '  char message[488];', '  char message[488]; int32_t more;'),
           ('another number of a status', 'NF_ERR_SHAPE = 3', 'NF_ERR_SHAPE = 5'),
           ('a function less', 'NF_API uint32_t nf_version(void) NF_NOEXCEPT;', ''),
           ('another result', 'NF_API uint32_t nf_version(void)', 'NF_API uint64_t nf_version(void)')]


def main():
    for tool in ('abidw', 'abidiff', 'cc'):
        if not shutil.which(tool):
            print(f'no {tool}: apt-get install abigail-tools' if tool != 'cc' else 'no C compiler')
            return 77
    with tempfile.TemporaryDirectory() as folder:
        library, count = stub(folder)
        if '--write' in sys.argv:
            write(library, BASELINE)
            print(f'{BASELINE}: {count} functions')
            return 0
        report, passed, problems = differences(library), 0, []
        if report:
            problems.append('the headers differ from tests/abi/libnf.abi (src/abi/README.md says what is allowed, and how '
                            'to write a new baseline):\n' + report)
        passed += not report
        for name, old, new in CHANGES:
            found = []

            def change(text, old=old, new=new, found=found):
                found.append(old in text)
                return text.replace(old, new, 1)
            changed, _ = stub(folder, change)
            seen = bool(differences(changed)) and any(found)
            passed += seen
            if not seen:
                problems.append(f'{name}: ' + ('is not noticed' if any(found) else f'no header has "{old.strip()}"'))
    print('\n'.join(problems))
    print(f'# cases: {passed} {len(problems)} 0')
    return 1 if problems else 0


sys.exit(main())
