"""Checks the file size budget: no source over 800 lines, nine in ten under 500, the median under 200.

A file whose first line is a comment that begins with "Generated from" is not counted.
"""
import statistics

from lint import CPP, read, run, sources

LIMIT, MOST, MEDIAN = 800, 500, 200
COUNTED = CPP + ('.py', '.go', '.rs', 'meson.build', 'dev')
GENERATED = ('// Generated from', '# Generated from')


def check(root, _):
    texts = {p: read(root, p) for p in sources(root, ext=COUNTED)}
    lines = {p: text.count('\n') for p, text in texts.items() if not text.startswith(GENERATED)}
    if not lines:
        return []
    problems = [f'{p}: {n} lines, the limit is {LIMIT}: split it' for p, n in lines.items() if n > LIMIT]
    long = [p for p, n in lines.items() if n >= MOST]
    if len(long) * 10 > len(lines):
        problems.append(f'{len(long)} of {len(lines)} files have {MOST} lines or more, at most one in ten may: {", ".join(long)}')
    median = statistics.median(lines.values())
    if median >= MEDIAN:
        problems.append(f'the median file has {median:g} lines, expected fewer than {MEDIAN}')
    return problems


def cases():
    def tree(*sizes):
        return {f'src/flow/f{i}.cc': 'x\n' * n for i, n in enumerate(sizes)}
    return [
        ('small files', tree(10, 20, 30), None),
        ('at the limits', tree(800, *[199] * 9), None),
        ('a giant', tree(801, *[10] * 20), 'f0.cc: 801 lines'),
        ('a generated giant', {'a.rs': '// Generated from b.h\n' + 'x\n' * 900, **tree(10)}, None),
        ('too many long ones', tree(500, 500, *[10] * 9), '2 of 11 files'),
        ('a high median', tree(200, 200, 10), 'the median file has 200 lines'),
    ]


if __name__ == '__main__':
    run(__doc__, check, cases)
