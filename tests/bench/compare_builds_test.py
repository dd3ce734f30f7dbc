"""Checks compare_builds.py on made-up benchmark programs: medians of pairs, cases of one side, limits, controls."""
import contextlib
import io
import json
import re
import sys

import compare_builds

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
    ('a case that is measured again', {'a': [100]}, {'a': 3 * [120] + 12 * [100]}, [], 0, ['1.0000 [1.000, 1.200]']),
    ('a case that is not', {'a': [100]}, {'a': 3 * [120] + 12 * [100]}, ['--retries', '0'], 1, ['1.2000 [1.000, 1.200]']),
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


class Programs:
    """Stands in for the two builds: a case takes the times of its list in turn."""

    def __init__(self, old, new):
        self.cases, self.runs = {'old': old, 'new': new}, {}

    def call(self, command, _):
        side = command[0].split('/')[0]
        flags = dict(a.removeprefix('--benchmark_').split('=', 1) for a in command[1:] if '=' in a)
        names = [n for n in self.cases[side] if re.search(flags['filter'], n)]
        if '--benchmark_list_tests' in command:
            return ''.join(n + '\n' for n in names)
        return 'Running a program\n' + json.dumps({'benchmarks': [self.run(side, n) for n in names]})

    def run(self, side, name):
        at = self.runs[side, name] = self.runs.get((side, name), -1) + 1
        times, wall = self.cases[side][name], name.endswith('/real_time')
        time = times[at % len(times)]
        return {'name': name, 'cpu_time': 0 if wall else time, 'real_time': time if wall else 0, 'time_unit': 'us'}


def problem(old, new, arguments, code, texts):
    compare_builds.call = Programs(old, new).call
    compare_builds.benches_of = lambda _: {'x_bench'}
    out, exit_code = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        try:
            compare_builds.main(['old', 'new', '--rounds', '5', *arguments])
        except SystemExit as e:
            exit_code = e.code
    if exit_code != code:
        return f'exit {exit_code}, not {code}:\n{out.getvalue()}'
    return next((f'no "{t}" in:\n{out.getvalue()}' for t in texts if t not in out.getvalue()), None)


failed = 0
for title, *rest in CASES:
    what = problem(*rest)
    if what:
        failed += 1
        print(f'FAILED {title}: {what}')
print(f'# cases: {len(CASES) - failed} {failed} 0')
sys.exit(1 if failed else 0)
