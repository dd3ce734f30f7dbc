"""Checks the pages: code that says which file it is from is in that file, word for word.

In a .md file, the line <!-- path/to/file --> before a fenced block names the file. Indentation of the block may differ from
that of the page by a constant.
"""
import os
import re

from lint import files, read, run

QUOTE = re.compile(r'^[ \t]*<!-- (\S+/\S+) -->\n([ \t]*)```\w*\n(.*?)^[ \t]*```', re.M | re.S)


def check(root, _):
    problems = []
    for page in (p for p in files(root) if p.endswith('.md')):
        text = read(root, page)
        for m in QUOTE.finditer(text):
            source, margin, code = m.groups()
            where = f'{page}:{text.count(chr(10), 0, m.start()) + 1}'
            if not os.path.isfile(os.path.join(root, source)):
                problems.append(f'{where}: there is no file {source}')
                continue
            code = ''.join(line.removeprefix(margin) for line in code.splitlines(keepends=True))
            if code not in read(root, source):
                problems.append(f'{where}: this code is not in {source}')
    return problems


def cases():
    source = {'src/a.cc': 'int f() {\n  return 1;\n}\n'}

    def page(code, path='src/a.cc'):
        return {**source, 'README.md': f'text\n\n   <!-- {path} -->\n   ```cpp\n{code}   ```\n\nmore\n'}
    return [
        ('a quote', page('   int f() {\n     return 1;\n   }\n'), None),
        ('part of a file', page('     return 1;\n'), None),
        ('changed code', page('   int f() {\n     return 2;\n   }\n'), 'README.md:3: this code is not in src/a.cc'),
        ('a moved file', page('   int f() {\n', 'src/b.cc'), 'README.md:3: there is no file src/b.cc'),
        ('code from nowhere', {'README.md': '```cpp\nint g();\n```\n'}, None),
    ]


if __name__ == '__main__':
    run(__doc__, check, cases)
