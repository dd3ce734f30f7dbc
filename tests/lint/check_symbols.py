"""Checks that libnf.so exports exactly the symbols in tests/abi/symbols.txt; --fix writes the list from the library."""
import os
import shutil
import subprocess

from lint import Skip, read, run
from shared_library import build, find

LIST = 'tests/abi/symbols.txt'


def exported(library):
    lines = subprocess.run(['nm', '-D', '--defined-only', library], capture_output=True, text=True, check=True).stdout.splitlines()
    # Absolute symbols are the names of the version nodes.
    return {name.split('@')[0] for _, kind, name in (line.split() for line in lines) if kind != 'A'}


def check(root, options):
    if not shutil.which('nm'):
        raise Skip('nm is not installed')
    found = exported(find(options.build))
    if options.fix:
        with open(os.path.join(root, LIST), 'w', encoding='utf-8') as f:
            f.write('# What libnf.so exports, sorted; tests/lint/check_symbols.py --fix writes it.\n' + ''.join(s + '\n' for s in sorted(found)))
        return []
    listed = {s for s in read(root, LIST).split('\n') if s and not s.startswith('#')}
    return ([f'{s}: exported but not in {LIST}' for s in sorted(found - listed)] +
            [f'{s}: in {LIST} but not exported (is {options.build} up to date?)' for s in sorted(listed - found)])


def cases():
    library = build('int nf_a(void) { return 1; } int nf_b(void) { return 2; } static int nf_c; int *nf_d(void) { return &nf_c; }')
    def tree(names):
        return {'build/src/libnf.so': library, LIST: '# head\n' + names}
    return [('equal', tree('nf_a\nnf_b\nnf_d\n'), None),
            ('a stray one', tree('nf_a\nnf_d\n'), 'nf_b: exported but not in'),
            ('a lost one', tree('nf_a\nnf_b\nnf_d\nnf_e\n'), 'nf_e: in tests/abi/symbols.txt but not exported')]


if __name__ == '__main__':
    run(__doc__, check, cases)
