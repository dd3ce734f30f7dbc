"""Checks compare_builds.py on made-up benchmark programs: medians of pairs, cases of one side, limits, controls."""
import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'compare_builds.py')

# Stands in for a Google Benchmark program. The time of a case comes from its list of times, one per run, kept in a file
# beside it.
FAKE = '''#!%s
import json, os, re, sys
CASES = %r
flags = dict(a[len('--benchmark_'):].split('=') for a in sys.argv[1:] if '=' in a)
names = [n for n in CASES if re.search(flags['filter'], n)]
if '--benchmark_list_tests' in sys.argv:
    print('\\n'.join(names))
    sys.exit()
runs = []
for n in names:
    count = sys.argv[0] + '.' + str(list(CASES).index(n))
    at = int(open(count).read()) if os.path.exists(count) else 0
    open(count, 'w').write(str(at + 1))
    times = CASES[n]
    t = times[at %% len(times)]
    real = n.endswith('/real_time')
    runs.append(dict(name=n, cpu_time=0 if real else t, real_time=t if real else 0, time_unit='us'))
print('Running a program\\n' + json.dumps(dict(benchmarks=runs)))
'''
SHAPE = 'product<Form::nn, true>/8/8'
NOISY = [100, 100, 900, 100, 100]

# name, cases of the old build, of the new one, more arguments, exit code, texts of the output
CASES = [
    ('the same', {'a': [10]}, {'a': [10]}, [], 0, ['1.0000 [1.000, 1.000]', 'geometric mean 1.0000']),
    ('slower', {'a': [10], 'b': [10]}, {'a': [10], 'b': [11]}, [], 1, ['above 1.06: 1.1000  x b', 'worst 1.1000 (x b)']),
    ('a little slower', {'a': [100]}, {'a': [103]}, [], 1, ['geometric mean 1.0300']),
    ('within wider limits', {'a': [100]}, {'a': [103]}, ['--max-mean', '1.04'], 0, ['geometric mean 1.0300']),
    ('the mean is geometric', {'a': [10], 'b': [10]}, {'a': [20], 'b': [5]}, ['--max-case', '3'], 0, ['mean 1.0000']),
    ('a disturbed run', {'a': [100]}, {'a': NOISY}, [], 0, ['1.0000 [1.000, 9.000]']),
    ('a slow machine between rounds', {'a': [100, 300, 200]}, {'a': [100, 300, 200]}, [], 0, ['1.0000 [1.000, 1.000]']),
    ('cases of one side', {'a': [10], 'gone': [9]}, {'a': [10], 'fresh': [9]}, [], 0,
     ['only in the old build, left out: x gone', 'only in the new build, left out: x fresh', '1 cases']),
    ('nothing in common', {'a': [10]}, {'b': [10]}, [], 1, ['no case in common']),
    ('names with signs', {SHAPE: [10], 'product<Form::nn, true>/8/80': [5]}, {SHAPE: [10], 'product<Form::nn, true>/8/80': [5]},
     [], 0, ['10.00 us', '2 cases']),
    ('wall-clock time', {'a/real_time': [10]}, {'a/real_time': [20]}, [], 1, ['2.0000']),
    ('a control is not counted', {'a': [10], 'openblas': [10]}, {'a': [10], 'openblas': [20]}, [], 0,
     ['1 control cases: geometric mean 2.0000', '1 cases']),
    ('a filter', {'a': [10], 'b': [10]}, {'a': [10], 'b': [20]}, ['--filter', 'a'], 0, ['1 cases']),
]


def build(folder, name, cases):
    where = os.path.join(folder, name, 'tests', 'bench')
    os.makedirs(where)
    path = os.path.join(where, 'x_bench')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(FAKE % (sys.executable, cases))
    os.chmod(path, 0o755)
    return os.path.join(folder, name)


def problem(old, new, arguments, code, texts):
    with tempfile.TemporaryDirectory() as folder:
        builds = [build(folder, 'old', old), build(folder, 'new', new)]
        done = subprocess.run([sys.executable, TOOL, *builds, '--rounds', '5', *arguments], capture_output=True, text=True,
                              check=False)
    if done.returncode != code:
        return f'exit {done.returncode}, not {code}:\n{done.stdout}{done.stderr}'
    return next((f'no "{t}" in:\n{done.stdout}' for t in texts if t not in done.stdout), None)


failed = 0
for title, *rest in CASES:
    what = problem(*rest)
    if what:
        failed += 1
        print(f'FAILED {title}: {what}')
print(f'# cases: {len(CASES) - failed} {failed} 0')
sys.exit(1 if failed else 0)
