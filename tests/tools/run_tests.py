"""Runs all tests of a Meson build in parallel and counts test cases: GoogleTest cases and cases of scripts.

  run_tests.py BUILD [NAME ...]     NAME keeps the tests whose name contains it

The list of tests comes from `meson introspect --tests`. A GoogleTest binary (protocol gtest) counts each of its cases; if
it dies, the cases it did not reach count as failed. Any other test is a script: exit code 0 passes, 77 skips, anything
else fails. A script is one case unless its last line is `# cases: PASSED FAILED SKIPPED`. The last line printed is always
`N passed, N failed, N skipped`; the exit code is 1 if anything failed or nothing ran.
"""
import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

# GoogleTest output about passed cases, hidden when others failed.
QUIET = re.compile(r'^\[ RUN      \] (\S+)\n\[       OK \] \1 .*\n|^\[-{10}\].*\n+', re.M)


@dataclass
class Result:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    reasons: list = field(default_factory=list)  # why cases were skipped or failed
    output: str = ''


def introspect(build):
    done = subprocess.run(['meson', 'introspect', '--tests', build], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f'meson cannot list the tests of {build}:\n{done.stdout}{done.stderr}\n0 passed, 1 failed, 0 skipped')
        sys.exit(1)
    return json.loads(done.stdout)


ALIVE = set()  # process groups of running tests


def stop(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def execute(command, test, seconds):
    """Runs until the end or the timeout and kills everything the test started; returns (exit code, output)."""
    env = dict(os.environ, **test.get('env', {}))
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, env=env, cwd=test.get('workdir'), stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        ALIVE.add(process.pid)
        try:
            code = process.wait(seconds)
            note = ''
        except subprocess.TimeoutExpired:
            code, note = -signal.SIGKILL, f'\nstopped: it ran for more than {seconds:g} s\n'
        stop(process.pid)
        process.wait()
        ALIVE.discard(process.pid)
        out.seek(0)
        return code, out.read().decode('utf-8', 'replace') + note


def count_gtest(report, code, output):
    """Counts cases of a GoogleTest run from its JSON report, or from its output if it died before writing one."""
    r = Result()
    if report:
        for case in (c for suite in report['testsuites'] for c in suite['testsuite']):
            name = f'{case["classname"]}.{case["name"]}'
            if case.get('failures'):
                r.failed += 1
                r.reasons.append(name)
            elif case.get('result') == 'COMPLETED':
                r.passed += 1
            else:  # SKIPPED, or SUPPRESSED: a disabled case
                r.skipped += 1
                said = re.search(re.escape(f'[ RUN      ] {name}\n') + r'.*?: Skipped\n(.*?)\n', output, re.S)
                r.reasons.append(said.group(1) if said and said.group(1) else f'{name}, without a reason')
    else:
        total = re.search(r'^\[=+\] Running (\d+) tests?', output, re.M)
        r.passed = len(re.findall(r'^\[       OK \] \S+ \(', output, re.M))
        r.skipped = len(re.findall(r'^\[  SKIPPED \] \S+ \(', output, re.M))
        r.failed = max(1, (int(total.group(1)) if total else 0) - r.passed - r.skipped)
        r.reasons = [f'died with exit code {code}']
    if code and not r.failed:  # all cases passed, but a sanitizer or Valgrind found something at exit
        r.failed, r.reasons = 1, [f'exit code {code} after the last case']
    return r


def count_script(code, output):
    lines = [line for line in output.split('\n') if line.strip()]
    said = re.fullmatch(r'# cases: (\d+) (\d+) (\d+)', lines[-1]) if lines else None
    r = Result(*map(int, said.groups())) if said else Result(int(code == 0), int(code not in (0, 77)), int(code == 77))
    if code not in (0, 77) and not r.failed:
        r.failed = 1
    if r.failed:
        r.reasons = [f'exit code {code}']
    elif r.skipped:
        texts = lines[:-1] if said else lines
        r.reasons = [texts[-1] if texts else 'without a reason']
    elif not r.passed:
        r.failed, r.reasons = 1, ['counted no case']
    return r


def run_one(test, options):
    start = time.monotonic()
    command = list(test['cmd'])
    limit = test.get('timeout', 30)
    limit = None if limit <= 0 else limit * options.timeout_multiplier
    try:
        if test.get('protocol') == 'gtest':
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, 'report.json')
                code, output = execute([*shlex.split(options.wrap), *command, '--gtest_output=json:' + path, '--gtest_color=no'],
                                       test, limit)
                report = None
                if os.path.exists(path):
                    with open(path, encoding='utf-8') as f:
                        report = json.load(f)
            result = count_gtest(report, code, output)
        else:
            code, output = execute(command, test, limit)
            result = count_script(code, output)
    except (OSError, ValueError) as e:
        result, output = Result(failed=1, reasons=['cannot run']), f'{command[0]}: {e}\n'
    result.seconds, result.output = time.monotonic() - start, output
    return result


def shards_of(test, shards):
    """Cuts a GoogleTest binary that may run in parallel into `shards` runs; anything else is one run."""
    if shards < 2 or test.get('protocol') != 'gtest' or not test.get('is_parallel', True):
        return [test]
    return [dict(test, env=dict(test.get('env', {}), GTEST_TOTAL_SHARDS=str(shards), GTEST_SHARD_INDEX=str(i)))
            for i in range(shards)]


def merged(results):
    """The shards of one binary added up."""
    total = Result()
    for r in results:
        total.passed += r.passed
        total.failed += r.failed
        total.skipped += r.skipped
        total.seconds += r.seconds
        total.reasons += r.reasons
        total.output += r.output
    if not (total.passed or total.failed or total.skipped):
        total.failed, total.reasons = 1, ['contains no test']
    return total


def show(name, r):
    state = 'FAIL' if r.failed else 'ok  ' if r.passed else 'skip'
    counts = f'{r.passed} passed' + (f', {r.failed} failed' if r.failed else '') + (f', {r.skipped} skipped' if r.skipped else '')
    print(f'{state} {name:<36} {counts:<36} {r.seconds:6.1f} s', flush=True)
    for reason, n in Counter(r.reasons).items():
        print(f'       {"failed" if r.failed else "skipped"}: {reason}' + (f' ({n} times)' if n > 1 else ''))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', help='a Meson build directory')
    parser.add_argument('names', nargs='*')
    parser.add_argument('--list', help='JSON file to use instead of `meson introspect --tests`')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--only-gtest', action='store_true', help='skip scripts')
    parser.add_argument('--wrap', default='', help='command prefix for each GoogleTest binary')
    parser.add_argument('--timeout-multiplier', type=float, default=1)
    parser.add_argument('--shards', type=int, default=1,
                        help='runs that each GoogleTest binary is cut into, so that one slow binary uses every core')
    options = parser.parse_intermixed_args()
    if options.list:
        with open(options.list, encoding='utf-8') as f:
            tests = json.load(f)
    else:
        # Like `meson test`, run commands relative to the build directory.
        tests = [dict(t, workdir=t.get('workdir') or os.path.abspath(options.build)) for t in introspect(options.build)]
    tests = [t for t in tests if (t.get('protocol') == 'gtest' or not options.only_gtest) and
             (not options.names or any(n in t['name'] for n in options.names))]
    tests.sort(key=lambda t: (not t.get('is_parallel', True), -t.get('priority', 0)))

    start = time.monotonic()
    results = []

    def finish(name, result):
        results.append((name, result))
        show(name, result)

    pool = ThreadPoolExecutor(options.jobs)  # not `with`, which would wait for every test after Ctrl-C
    running, parts = {}, {}  # future -> index of its test; index -> results of its shards so far
    for i, t in enumerate(tests):
        if t.get('is_parallel', True):
            shards = shards_of(t, options.shards)
            parts[i] = [None] * len(shards)
            running.update({pool.submit(run_one, shard, options): (i, k) for k, shard in enumerate(shards)})
    for done in as_completed(running):
        i, k = running[done]
        parts[i][k] = done.result()
        if all(parts[i]):
            finish(tests[i]['name'], merged(parts[i]))
    for t in tests:  # tests that must not run in parallel
        if not t.get('is_parallel', True):
            finish(t['name'], merged([run_one(t, options)]))

    for name, r in results:
        if r.failed:
            print(f'\n==== {name}\n{QUIET.sub("", r.output).strip()}')
    passed, failed, skipped = (sum(getattr(r, k) for _, r in results) for k in ('passed', 'failed', 'skipped'))
    print(f'\n{len(results)} tests in {time.monotonic() - start:.1f} s')
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    sys.stdout.flush()
    sys.exit(1 if failed or not passed else 0)


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        for one in list(ALIVE):
            stop(one)
        sys.stdout.flush()
        os._exit(130)  # do not wait for tests that have not started
