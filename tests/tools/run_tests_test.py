"""Tests run_tests.py on fake tests: it must count cases correctly and detect every kind of failure."""
import json
import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'run_tests.py')

# A stand-in for a GoogleTest binary: writes the report named on its command line, then exits.
FAKE_GTEST = '''
import json, sys
path = [a for a in sys.argv if a.startswith('--gtest_output=json:')][0].split(':', 1)[1]
cases = [dict(name=n, classname='S', status='RUN', result=r, **({'failures': [{}]} if f else {})) for n, r, f in %s]
print('[ RUN      ] S.later\\na.cc:3: Skipped\\nno AVX-512 here\\n[  SKIPPED ] S.later (0 ms)')
json.dump({'testsuites': [{'testsuite': cases}]}, open(path, 'w'))
sys.exit(%d)
'''
DIES = '''
import os, signal
print('[==========] Running 5 tests from 1 test suite.\\n[ RUN      ] S.a\\n[       OK ] S.a (0 ms)\\n[ RUN      ] S.b', flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
'''
FINE, BAD, LATER = ('fine', 'COMPLETED', 0), ('bad', 'COMPLETED', 1), ('later', 'SKIPPED', 0)

# name, code, protocol, expected last line, expected exit code, text that must be shown
CASES = [
    ('script passes', 'pass', 'exitcode', '1 passed, 0 failed, 0 skipped', 0, ' 1 passed   '),
    ('script skips', 'print("no cargo"); raise SystemExit(77)', 'exitcode', '0 passed, 0 failed, 1 skipped', 1, ' 0 passed, 1 skipped   '),
    ('script fails', 'print("boom"); raise SystemExit(3)', 'exitcode', '0 passed, 1 failed, 0 skipped', 1, 'boom'),
    ('script counts', 'print("# cases: 4 0 2")', 'exitcode', '4 passed, 0 failed, 2 skipped', 0, ''),
    ('script counts a failure but exits 0', 'print("# cases: 4 1 0")', 'exitcode', '4 passed, 1 failed, 0 skipped', 1, 'FAIL'),
    ('script counts none but fails', 'print("# cases: 4 0 0"); raise SystemExit(1)', 'exitcode', '4 passed, 1 failed, 0 skipped', 1, ''),
    ('script hangs', 'import time; time.sleep(60)', 'exitcode', '0 passed, 1 failed, 0 skipped', 1, 'ran for more than 1 s'),
    ('gtest', FAKE_GTEST % ([FINE, FINE, LATER], 0), 'gtest', '2 passed, 0 failed, 1 skipped', 0, 'skipped: no AVX-512 here'),
    ('gtest fails', FAKE_GTEST % ([FINE, BAD, BAD], 1), 'gtest', '1 passed, 2 failed, 0 skipped', 1, 'failed: S.bad'),
    ('gtest leaks at exit', FAKE_GTEST % ([FINE], 23), 'gtest', '1 passed, 1 failed, 0 skipped', 1, 'exit code 23 after'),
    ('gtest without tests', FAKE_GTEST % ([], 0), 'gtest', '0 passed, 1 failed, 0 skipped', 1, 'contains no test'),
    ('gtest dies', DIES, 'gtest', '1 passed, 4 failed, 0 skipped', 1, 'died with exit code -11'),
]


# Honors GoogleTest's sharding variables: shard 0 has two cases of which one fails, shard 1 has one, shard 2 is empty.
SHARDED = '''
import json, os, sys
path = [a for a in sys.argv if a.startswith('--gtest_output=json:')][0].split(':', 1)[1]
shard = int(os.environ['GTEST_SHARD_INDEX'])
assert os.environ['GTEST_TOTAL_SHARDS'] == '3'
names = [['a', 'bad'], ['c'], []][shard]
cases = [dict(name=n, classname='S', status='RUN', result='COMPLETED', **({'failures': [{}]} if n == 'bad' else {}))
         for n in names]
json.dump({'testsuites': [{'testsuite': cases}]}, open(path, 'w'))
sys.exit('bad' in names)
'''


def run(tests, *more):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'tests.json')
        with open(path, 'w', encoding='utf-8') as f:
            json.dump([{'name': name, 'cmd': cmd, 'protocol': protocol, 'timeout': 1 if 'hangs' in name else 60}
                       for name, cmd, protocol in tests], f)
        return subprocess.run([sys.executable, TOOL, '.', '--list', path, *more], capture_output=True, text=True, check=False)


def main():
    passed = failed = 0
    def expect(name, done, last, code, text):
        nonlocal passed, failed
        good = done.stdout.split('\n')[-2] == last and done.returncode == code and text in done.stdout
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f'"{name}": expected "{last}", exit code {code} and "{text}", got exit code {done.returncode} and\n'
                  f'{done.stdout}{done.stderr}')
    for name, code, protocol, last, exit_code, text in CASES:
        expect(name, run([(name, [sys.executable, '-c', code], protocol)]), last, exit_code, text)
    expect('not there', run([('a', ['/no/such/program'], 'gtest')]), '0 passed, 1 failed, 0 skipped', 1, 'cannot run')
    expect('the sum', run([(c[0], [sys.executable, '-c', c[1]], c[2]) for c in CASES[:5]]), '9 passed, 2 failed, 3 skipped', 1, '')
    expect('two of one name', run([('a', ['true'], 'exitcode')] * 2), '2 passed, 0 failed, 0 skipped', 0, '')
    expect('shards', run([('a', [sys.executable, '-c', SHARDED], 'gtest')], '--shards', '3'),
           '2 passed, 1 failed, 0 skipped', 1, '1 tests in')
    expect('shards without a test', run([('a', [sys.executable, '-c', FAKE_GTEST % ([], 0)], 'gtest')], '--shards', '2'),
           '0 passed, 1 failed, 0 skipped', 1, 'contains no test')
    expect('no test at all', run([]), '0 passed, 0 failed, 0 skipped', 1, '')
    print(f'# cases: {passed} {failed} 0')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
