"""Ops live on their floor and in the generic suite: an Op is defined in runtime/op (or runtime/tape) only, by a file with
a family of test cases, so that tests/runtime/op checks its gradients, layouts, sizes and bad inputs.
"""
import re

from lint import code_only, read, run, sources

OP = re.compile(r'\b(?:const|constexpr|static|inline)\s+(?:nf\s*::\s*)?Op\s+\w+\s*(?:\[\s*\d*\s*\]\s*)?(?:=|\{|\()|\b(?:nf\s*::\s*)?Op\s*\{')
HOME = re.compile(r'runtime/op/(\w+)\.cc')
TAPE = 'runtime/tape/'


def check(root, _):
    problems = []
    for path in sources(root, 'runtime/', 'src/'):
        text = code_only(read(root, path))
        # The definition of the type itself is none.
        found = [m for m in OP.finditer(text) if not re.search(r'\bstruct\s+$', text[:m.start()])]
        if not found or path.startswith(TAPE):
            continue
        line = text.count('\n', 0, found[0].start()) + 1
        home = HOME.fullmatch(path)
        if not home:
            problems.append(f'{path}:{line}: an Op is defined here, expected in runtime/op')
        elif not re.search(rf'\bconst\s+OpFamily\s+family_{home.group(1)}\s*=', text):
            problems.append(f'{path}:{line}: an Op without test cases, expected a family_{home.group(1)}')
    return problems


def cases():
    def one(path, code):
        return {path: f'// head\n{code}\n'}
    family = '\nconst OpFamily family_a = {"a", kCases, std::size(kCases)};'
    op = 'const Op kA = {"a", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp)};'
    return [
        ('at home', one('runtime/op/a.cc', op + family), None),
        ('in the tape', one('runtime/tape/a.cc', op), None),
        ('uses of the type', one('src/net/a.cc', 'void f(const Op& op);\nconst Op* g();\nstruct Option { int a; };'), None),
        ('in a comment', one('src/net/a.cc', '// ' + op), None),
        ('in a net', one('src/net/a.cc', op), 'a.cc:2: an Op is defined here'),
        ('in the model', one('src/model/a.cc', 'static const Op kA{"a"};'), 'expected in runtime/op'),
        ('several', one('src/flow/a.cc', 'const Op kOp[] = {{"a"}, {"b"}};'), 'expected in runtime/op'),
        ('made by a function', one('src/flow/a.cc', 'return Op{"a"};'), 'expected in runtime/op'),
        ('in a header', one('runtime/op/a.h', op), 'expected in runtime/op'),
        ('without cases', one('runtime/op/a.cc', op), 'an Op without test cases, expected a family_a'),
        ('cases of another name', one('runtime/op/b.cc', op + family), 'expected a family_b'),
    ]


if __name__ == '__main__':
    run(__doc__, check, cases)
