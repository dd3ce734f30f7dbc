"""Bans calls in the library (runtime, src except src/cli, include) that end the process, print, or touch host state.

An embedded library returns errors; it never ends the process, writes to its terminal, reads its environment, changes its
signals, locale or rounding, or keeps state per thread. Comments and strings are not checked.
"""
import re

from lint import code_only, read, run, sources

CALLS = {
    'ends the process': 'abort exit _exit _Exit quick_exit terminate assert HWY_ASSERT HWY_ABORT __builtin_trap __builtin_abort',
    'prints': 'printf vprintf fprintf vfprintf puts fputs putchar putc fputc perror',
    'touches the environment': 'getenv secure_getenv setenv putenv unsetenv',
    'changes the state of the host': 'setlocale signal sigaction fesetround fesetenv feenableexcept feholdexcept',
    'keeps hidden state (use the counter-based generator)': 'rand srand random srandom drand48',
    'depends on the locale of the host (src/io/number.h does not)': 'strtod strtof strtold atof stod stof scanf sscanf',
    'is not thread-safe (fail_os appends the text)': 'strerror',
}
WHY = {name: why for why, names in CALLS.items() for name in names.split()}
# A name after an identifier, '.', '->' or another namespace is a different function.
CALL = re.compile(r'(?<![\w.:])(?<!->)(?:std\s*::\s*|::\s*)?\b(' + '|'.join(WHY) + r')\s*\(')
OTHERS = [(re.compile(r'\bstd\s*::\s*w?(?:cout|cerr|clog)\b|(?<![\w.:])w?(?:cout|cerr|clog)\s*<<'), 'prints'),
          (re.compile(r'(?<![\w.:])(?:stdout|stderr)\b'), 'prints'),
          (re.compile(r'\b(?:thread_local|__thread)\b'), 'keeps state per thread'),
          (re.compile(r'#\s*include\s*<(?:iostream|cassert|assert\.h)>'), 'brings in printing or assert')]


def check(root, _):
    problems = []
    for path in sources(root, 'runtime/', 'src/', 'include/'):
        if path.startswith('src/cli/'):
            continue
        for number, line in enumerate(code_only(read(root, path)).split('\n'), 1):
            problems += [f'{path}:{number}: {m.group(1)}() {WHY[m.group(1)]}' for m in CALL.finditer(line)]
            problems += [f'{path}:{number}: {m.group()} {why}' for rule, why in OTHERS for m in rule.finditer(line)]
    return problems


def cases():
    def one(code, path='src/flow/a.cc'):
        return {path: f'// head\n{code}\n'}
    fine = ['// abort(); exit(1);', '/* printf("x"); */ int a;', 'f("printf(x); \\" abort(");', 'g(R"x(exit(1) " )x");',
            'std::snprintf(b, n, "x");', 'static_assert(true);', 'strerror_r(e, b, n);', 'pool->signal();', 'scope.exit();',
            'kernel::rand(key);', '[[gnu::format(printf, 2, 3)]] void fail();', 'int n = 1\'000; char q = \'"\'; int m = 2\'000;',
            "char q = '\\''; // abort()", 'my_abort(); aborted(); brand(x);']
    bad = ['abort();', 'std::abort ();', '::exit(1);', '_exit(1);', 'if (x) printf("x");', 'std::fprintf(f, "x");', 'puts("x");',
           'putchar(c);', 'std::cout << x;', 'cerr << x;', 'std::clog.flush();', 'std::getenv("X");', 'assert(x);', 'setlocale(a, b);', 'std::stod(s);', 'strtod(s, &e);',
           'std::signal(1, f);', 'x = rand();', 'fesetround(0);', 'thread_local int x;', 'strerror(e);', '#include <iostream>',
           'f("//"); abort();', '/* a */ abort(); /* b */', 'fwrite(b, 1, n, stderr);', 'HWY_ASSERT(x);', "char q = '\"'; abort(); // \""]
    return ([('allowed: ' + code, one(code), None) for code in fine] +
            [('banned: ' + code, one(code), 'src/flow/a.cc:2: ') for code in bad] +
            [('the command may print', one('std::cout << 1; exit(0);', 'src/cli/a.cc'), None),
             ('public headers count', one('abort();', 'include/nf/nf.hpp'), 'nf.hpp:2: abort() ends the process'),
             ('line after a long comment', one('/*\n\n*/\nR"(\n)";\nabort();'), 'a.cc:7: ')])


if __name__ == '__main__':
    run(__doc__, check, cases)
