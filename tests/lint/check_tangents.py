"""Every op without a tangent rule is listed, with its reason, in the table of runtime/README.md; and the table lists no other."""
import re

from lint import code_only, read, run, sources

OP = re.compile(r'\bconst\s+Op\s+\w+\s*=\s*\{\s*"(?P<name>\w+)".*?\};', re.S)
REFUSES = re.compile(r'(?:"[^"]*"|k\w+)\s*\};\Z')
README = 'runtime/README.md'
HEADING = '## Ops without tangents'


def check(root, _):
    found = {}
    for path in sources(root, 'runtime/op/'):
        text = code_only(read(root, path), keep_strings=True)
        for m in OP.finditer(text):
            if REFUSES.search(m.group()):
                found[m.group('name')] = f'{path}:{text.count(chr(10), 0, m.start()) + 1}'
    readme = ''.join(read(root, p) for p in sources(root, README, ext='.md'))
    table = readme.partition(HEADING)[2].partition('\n## ')[0]
    listed = set(re.findall(r'^\| `(\w+)` \|', table, re.M))
    problems = [f'{at}: op {name} has no tangent rule and is not in the table of {README}'
                for name, at in sorted(found.items()) if name not in listed]
    problems += [f'{README}: op {name} is listed as one without a tangent rule, but has one or does not exist'
                 for name in sorted(listed - set(found))]
    return problems


def cases():
    def tree(tangent, rows):
        return {'runtime/op/a.cc': 'const Op kA = {"a", Layout::rows, shape,\n  NF_BOTH(forward), NF_BOTH(vjp), %s};\n' % tangent,
                README: f'# runtime\n\n{HEADING}\n\n| op | why |\n|---|---|\n{rows}\n\n## More\n\n| `b` | another table |\n'}
    row = '| `a` | drawn |'
    return [
        ('a rule', tree('tangent', ''), None),
        ('a reason that is listed', tree('"drawn"', row), None),
        ('a shared reason that is listed', tree('kSampledOnce', row), None),
        ('a reason that is not listed', tree('"drawn"', ''), 'a.cc:1: op a has no tangent rule'),
        ('a shared reason that is not listed', tree('kSampledOnce', ''), 'op a has no tangent rule'),
        ('listed, with a rule', tree('tangent', row), 'op a is listed'),
    ]


if __name__ == '__main__':
    run(__doc__, check, cases)
