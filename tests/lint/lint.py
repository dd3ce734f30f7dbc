"""Shared by the lint checks: finding our files, reading C++ without comments and strings, reporting, self-tests.

A check is a script check_NAME.py with two functions:
  check(root, options) -> list of one-line problems; raises Skip if it does not apply
  cases() -> [(name, {path: text}, expected)]: small trees; expected is part of a problem, or None for a clean tree
It ends with run(__doc__, check, cases). Exit codes: 0 clean, 1 problems, 77 skipped.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CPP = ('.c', '.cc', '.cpp', '.h', '.hpp')


class Skip(Exception):
    pass


def files(root, untracked=True):
    """Returns the sorted paths, relative to root, of all files that are (or with untracked, could be) committed."""
    others = ['--others', '--exclude-standard'] if untracked else []
    git = subprocess.run(['git', '-C', root, 'ls-files', '-z', '--cached', *others],
                         capture_output=True, check=False) if os.path.exists(os.path.join(root, '.git')) else None
    if git and git.returncode == 0:
        found = [p for p in git.stdout.decode().split('\0') if p]
    else:  # a tarball, a self-test, or a clone that git does not trust
        found = []
        for folder, dirs, names in os.walk(root):
            top = folder == root
            dirs[:] = [d for d in dirs if d not in ('.git', '__pycache__') and not (top and d.startswith('build'))]
            found += [os.path.relpath(os.path.join(folder, n), root) for n in names if not n.endswith('.o')]
    return sorted(p for p in set(found) if os.path.isfile(os.path.join(root, p)))


THIRD_PARTY = 'runtime/third_party/'  # kept as its authors wrote it


def sources(root, *folders, ext=CPP):
    return [p for p in files(root)
            if p.endswith(ext) and not p.startswith(THIRD_PARTY) and (not folders or p.startswith(folders))]


def read(root, path):
    with open(os.path.join(root, path), 'rb') as f:
        return f.read().decode('utf-8', 'replace')


TOKEN = re.compile(r'''
    (?P<comment> //(?:[^\\\n]|\\.|\\\n)* | /\*.*?(?:\*/|\Z) )
  | (?P<raw> R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)" )
  | (?P<string> "(?:[^"\\\n]|\\.)*" )
  | (?P<number> \b\d[\w.']* )
  | (?P<char> '(?:[^'\\\n]|\\.)+' )
''', re.X | re.S)


def code_only(text, keep_strings=False):
    """Blanks comments (and strings) in C++ text; keeps line numbers."""
    def blank(m):
        if m.lastgroup == 'number' or (keep_strings and m.lastgroup != 'comment'):
            return m.group()
        return re.sub(r'[^\n]+', ' ' if m.lastgroup == 'comment' else '""', m.group())
    return TOKEN.sub(blank, text)


def self_test(check, cases):
    passed = failed = 0
    for name, tree, expected in cases():
        with tempfile.TemporaryDirectory() as root:
            for path, text in tree.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, 'wb') as f:
                    f.write(text if isinstance(text, bytes) else text.encode())
            problems = check(root, argparse.Namespace(build=os.path.join(root, 'build'), fix=False))
        good = not problems if expected is None else any(expected in p for p in problems)
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f'self-test "{name}": expected {expected or "no problem"}, got {problems or "no problem"}')
    print(f'# cases: {passed} {failed} 0')
    return 1 if failed else 0


def run(doc, check, cases):
    what = os.path.basename(sys.argv[0])[:-len('.py')]
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', default=ROOT, help='the tree to check')
    parser.add_argument('--build', help='build directory, for checks of the built library (default: ROOT/build)')
    parser.add_argument('--fix', action='store_true', help='fix what can be fixed')
    parser.add_argument('--selftest', action='store_true', help='verify on small trees that the check can fail')
    options = parser.parse_args()
    options.build = options.build or os.path.join(options.root, 'build')
    try:
        if options.selftest:
            sys.exit(self_test(check, cases))
        problems = check(options.root, options)
    except Skip as reason:
        print(f'{what}: skipped, {reason}')
        sys.exit(77)
    for p in problems:
        print(p)
    print(f'{what}: ' + (f'{len(problems)} problem(s)' if problems else 'clean'))
    sys.exit(1 if problems else 0)
