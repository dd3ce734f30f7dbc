"""Checks the tree: only the fixed top level, no machine-specific paths, no trailing white space."""
import re

from lint import files, read, run

TOP = {'meson.build', 'meson.options', 'meson_options.txt', 'include', 'src', 'runtime', 'bindings', 'tests', 'fuzz',
       'examples', 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE', 'dev', 'pyproject.toml'}
BINARY = ('.safetensors', '.npy', '.npz', '.png', '.bin', '.gz')
MACHINE = re.compile(r'(?<![\w.])/(?:work|root)/')
TRAILING = re.compile(r'[ \t\r]+$', re.M)


def check(root, _):
    problems = []
    # Untracked files, such as models and builds in the top folder, are not part of the tree.
    for path in files(root, untracked=False):
        top = path.split('/')[0]
        if top not in TOP and not top.startswith('.'):
            problems.append(f'{path}: {top} is not part of the top level')
        text = '' if path.endswith(BINARY) else read(root, path)
        if '\0' in text:
            continue
        for rule, what in ((MACHINE, 'a machine-specific path'), (TRAILING, 'trailing white space')):
            problems += [f'{path}:{text.count(chr(10), 0, m.start()) + 1}: {what}' for m in rule.finditer(text)]
    return problems


def cases():
    slash = '/'  # kept separate so that this file passes its own check
    return [
        ('a clean tree', {'README.md': 'framework/ and src/root/x\n\nlast', '.ci/run': 'x\n', 'src/flow/a.cc': 'int a;\n'}, None),
        ('a stray folder', {'docs/a.md': 'x\n'}, 'docs is not part of the top level'),
        ('a stray file', {'notes.txt': 'x\n'}, 'notes.txt is not part of the top level'),
        ('a machine path', {'dev': f'one\ncd {slash}work{slash}main\n'}, 'dev:2: a machine-specific path'),
        ('a home path', {'src/a.cc': f'"{slash}root{slash}x"\n'}, 'src/a.cc:1: a machine-specific path'),
        ('trailing space', {'src/a.cc': 'a\nb \n'}, 'src/a.cc:2: trailing white space'),
        ('trailing tab at the end', {'src/a.cc': 'a\nb\t'}, 'src/a.cc:2: trailing white space'),
        ('carriage returns', {'src/a.cc': 'a\r\n'}, 'src/a.cc:1: trailing white space'),
        ('binary files', {'tests/golden/a.safetensors': b'{}  \n\0', 'tests/golden/b.dat': b'\0 \n'}, None),
    ]


if __name__ == '__main__':
    run(__doc__, check, cases)
