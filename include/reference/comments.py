"""Doxygen's input filter: turns the comments of include/nf into Doxygen's, so that the headers stay free of its marks.

A comment before a declaration documents it, one behind a member documents the member. Lines that are indented more than the
text around them are examples. Comments in function bodies and titles of sections (---- name ----) are left out. The comment
at the top of nf.h and of nf.hpp becomes a page.
usage: comments.py HEADER
"""
import os
import re
import sys

PAGES = {'nf.h': '@mainpage libnf', 'nf.hpp': '@page cpp nf.hpp, the C++ layer', 'eigen.hpp': '@page eigen nf/eigen.hpp',
         'mdspan.hpp': '@page mdspan nf/mdspan.hpp'}
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*|[{}();]|\n|[^/"\'{}();#\n]+|.',
                   re.M | re.S)
OUTER = re.compile(r'\b(?:class|struct|enum|namespace|extern)\b')
# A comment about the next few declarations, each of which has one of its own with its thread class.
GROUP = re.compile(r'/\* (?!\[|-{4})(?P<text>(?:(?!\*/).)*) \*/\n(?P<members>(?:/\* \[[^]]*\] \*/\n[^;]*;\n)+)', re.S)
SPECIAL = re.compile(r'[\\@<>&#%*`$|]|(?<!\w)_|_(?!\w)|(?<!\w)::|^\.|\.(?=\.)|(?<=\.)\.')


def plain(text):
    """Escapes what Doxygen would read as a command, a link, HTML or Markdown."""
    return SPECIAL.sub(r'\\\g<0>', text)


def body(lines):
    """Paragraphs with examples in verbatim blocks."""
    out, example = [], []

    def close():
        if example:
            out.extend(['@verbatim', *example, '@endverbatim'])
            example.clear()
    for line in lines:
        if re.match(r' {2,}\S', line) or (example and not line.strip() and '{' in ''.join(example)):
            example.append(line)
        else:
            close()
            out.append(plain(line))
    close()
    return out


def lines_of(comment):
    if comment.startswith('//'):
        return [re.sub(r'^[ \t]*// ?', '', line).rstrip() for line in comment.split('\n')]
    return [re.sub(r'^[ \t]*\* ?', '', line).rstrip() for line in comment[2:-2].lstrip().split('\n')]


def documented(comment, behind, page):
    lines = lines_of(comment)
    while lines and not lines[-1]:
        lines.pop()
    if not page and re.match(r'-{4}', lines[0] if lines else '----'):
        return ''
    if behind:
        return '/**< ' + ' '.join(plain(line.strip()) for line in lines) + ' */'
    text = body(lines)
    if page:
        text = [page, *text[1:]]
    return '/**\n' + '\n'.join(text) + '\n*/'


def spread(m):
    """Repeats the comment of a group in those of its members."""
    return m.group('members').replace('] */', '] ' + m.group('text') + ' */')


def convert(source, name):
    source = GROUP.sub(spread, source)
    # Lines of // comments that follow each other are one comment.
    source = re.sub(r'^([ \t]*//[^\n]*\n)(?:[ \t]*//[^\n]*\n)+', lambda m: '\x01' + m.group(0)[:-1].replace('\n', '\x02') + '\n', source, flags=re.M)
    out, bodies, parens, line, statement, first = [], [], 0, '', '', True
    for m in TOKEN.finditer(source):
        token = m.group(0)
        if token.startswith(('/*', '//')):
            page = PAGES.get(name, '@file') if first else None
            first = False
            out.append('' if any(bodies) or parens else documented(token.replace('\x02', '\n'), bool(line.strip()), page))
            continue
        if token == '{':
            bodies.append(not OUTER.search(statement) or '(' in statement.split('>')[-1])
        elif token == '}' and bodies:
            bodies.pop()
        parens += (token == '(') - (token == ')')
        if not token.lstrip().startswith('#'):
            statement = '' if token in '{};' else statement + token
        line = '' if token == '\n' else line + token.replace('\x01', '')
        out.append(token)
    return ''.join(out).replace('\x01', '')


if __name__ == '__main__':
    with open(sys.argv[1], encoding='utf-8') as f:
        sys.stdout.write(convert(f.read(), os.path.basename(sys.argv[1])))
