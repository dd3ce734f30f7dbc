"""Programs compiled against headers of other versions work with this library as R9 of nf.h says.

Makes copies of the public headers whose structs have a field more ("newer") or less ("older") at the end, compiles
growth_client.c against each and runs it with the library. No version had the shorter structs, so an older program's are
refused; when a struct grows, its first version is checked by tests/src/abi/structs_test.cc and by kFirstSize.
usage: growth_test.py SOURCE_ROOT BUILD_SRC
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT, LIBRARY = sys.argv[1], sys.argv[2]
DEFINES = {'today': [], 'newer': ['-DNF_GROWN'], 'older': ['-DNF_SHRUNK']}
HEADERS = ('nf.h', 'nf_infer.h', 'nf_data.h')
STRUCT = re.compile(r'(typedef struct (nf_\w+) \{)(.*?)(\n\} \2;)', re.S)


def comments_off(text):
    return re.sub(r'/\*.*?\*/', '', text, flags=re.S)


def newer(text):
    return STRUCT.sub(lambda m: m[1] + m[3] + '\n  int64_t grown;' + m[4], text)


def older(text):
    def shrink(m):
        fields = comments_off(m[3]).rstrip()
        assert fields.endswith(';'), m[2]
        last = fields[:-1].rfind(';')
        declaration = fields[last + 1:]
        # Of `double a, b;` only b goes.
        if ',' in declaration and '(' not in declaration:
            return m[1] + fields[:fields.rfind(',')] + ';' + m[4]
        return m[1] + fields[:last + 1] + m[4]
    # The initializers of a shorter struct: all that follows its size is 0.
    text = re.sub(r'#define NF_(\w+)_INIT\b(.*\\\n)*.*', lambda m: f'#define NF_{m[1]}_INIT {{ NF_SIZEOF(nf_{m[1].lower()}) }}', text)
    return STRUCT.sub(shrink, text)


def main():
    compilers = [c for c in ('gcc', 'clang-14') if shutil.which(c)]
    if not compilers:
        print('no compiler')
        return 77
    library = next(os.path.join(LIBRARY, f) for f in sorted(os.listdir(LIBRARY)) if re.fullmatch(r'libnf\.so\.[\d.]+', f))
    passed, problems = 0, []
    with tempfile.TemporaryDirectory() as folder:
        # The program asks for the name in the library, wherever the library is.
        os.symlink(library, os.path.join(folder, 'libnf.so.0'))
        for mode, change in (('today', lambda t: t), ('newer', newer), ('older', older)):
            include = os.path.join(folder, mode)
            os.makedirs(os.path.join(include, 'nf'))
            for name in HEADERS:
                with open(os.path.join(ROOT, 'include/nf', name), encoding='utf-8') as f:
                    text = f.read()
                changed = change(text)
                if mode != 'today' and name != 'nf_data.h' and changed == text:
                    problems.append(f'{name} has no struct to change')
                with open(os.path.join(include, 'nf', name), 'w', encoding='utf-8') as f:
                    f.write(changed)
            for compiler in compilers:
                program = os.path.join(folder, f'{mode}_{compiler}')
                # Without warnings: macros leave out initializers of fields that a version adds.
                flags = ['-std=c11', '-w', '-I' + include, '-o', program] + DEFINES[mode]
                run = subprocess.run([compiler, *flags, os.path.join(ROOT, 'tests/abi/growth_client.c'),
                                      os.path.join(folder, 'libnf.so.0'), '-Wl,-rpath,' + folder], capture_output=True, text=True)
                if run.returncode == 0:
                    run = subprocess.run([program, mode], capture_output=True, text=True, timeout=120)
                if run.returncode == 0:
                    passed += 1
                else:
                    problems.append(f'{mode} with {compiler}: exit status {run.returncode}\n{run.stdout}{run.stderr}')
    print('\n'.join(problems))
    print(f'# cases: {passed} {len(problems)} 0')
    return 1 if problems else 0


sys.exit(main())
