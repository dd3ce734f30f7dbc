"""Checks that every function of the public headers says its thread class, how stable it is and the version it came in.

The comment right before NF_API starts with a tag: [shared; stable 0.2].
"""
import re

from lint import read, run

HEADERS = ('include/nf/nf.h', 'include/nf/nf_infer.h', 'include/nf/nf_data.h')
TAG = re.compile(r'/\* \[(any|(?:shared|excl)(?: on (?:the )?\w+)?(?:, (?:shared|excl) on \w+)?); (?:stable|experimental) (\d+)\.(\d+)\]')


def check(root, _options):
    problems = []
    text = read(root, HEADERS[0])
    major, minor = (int(re.search(rf'#define NF_VERSION_{part} (\d+)', text)[1]) for part in ('MAJOR', 'MINOR'))
    for path in HEADERS:
        text = read(root, path)
        for m in re.finditer(r'^NF_API[^;{]*?\b(nf_\w+)\(', text, re.M):
            before = text[:m.start()].rstrip()
            comment = before[before.rfind('/*'):]
            tag = TAG.match(comment) if before.endswith('*/') else None
            if not tag:
                problems.append(f'{path}: {m[1]} needs a comment right before it that starts with a tag such as [shared; stable 0.2]')
            elif (int(tag[2]), int(tag[3])) > (major, minor):
                problems.append(f'{path}: {m[1]} came in {tag[2]}.{tag[3]}, but this is {major}.{minor}')
    return problems


def cases():
    def tree(text):
        start = '#define NF_VERSION_MAJOR 0\n#define NF_VERSION_MINOR 2\n'
        return {HEADERS[0]: start + text, HEADERS[1]: '', HEADERS[2]: ''}
    one = 'NF_API int nf_a(void) NF_NOEXCEPT;\n'
    wrong = 'needs a comment right before it'
    return [('tagged', tree('/* [any; stable 0.1] A. */\n' + one), None),
            ('two handles', tree('/* [excl on to, shared on from; experimental 0.2]\n * A. */\n' + one), None),
            ('no comment', tree(one), wrong),
            ('no tag', tree('/* A. */\n' + one), wrong),
            ('no version', tree('/* [any; stable] A. */\n' + one), wrong),
            ('no class', tree('/* [stable 0.2] A. */\n' + one), wrong),
            ('the tag of another', tree('/* [any; stable 0.1] A. */\n' + one + one.replace('nf_a', 'nf_b')), 'nf_b ' + wrong),
            ('a later version', tree('/* [any; stable 0.3] A. */\n' + one), 'came in 0.3')]


if __name__ == '__main__':
    run(__doc__, check, cases)
