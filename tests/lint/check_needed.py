"""Checks that libnf.so has the SONAME libnf.so.0 and needs only the C and C++ runtimes."""
import re
import shutil
import subprocess

from lint import Skip, run
from shared_library import build, find

ALLOWED = re.compile(r'(?:libc|libm|libstdc\+\+|libgcc_s|ld-linux[\w-]*)\.so\.\d+')
SONAME = 'libnf.so.0'


def check(_, options):
    if not shutil.which('readelf'):
        raise Skip('readelf is not installed')
    text = subprocess.run(['readelf', '-dW', find(options.build)], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r'\(NEEDED\).*\[(.*)\]', text)
    if any(re.match(r'lib\w+san\.so', n) for n in needed):
        raise Skip('this is a sanitizer build')
    name = ''.join(re.findall(r'\(SONAME\).*\[(.*)\]', text))
    return ([] if name == SONAME else [f'SONAME is "{name}", not {SONAME}']) + [
        f'libnf.so needs {n}' for n in needed if not ALLOWED.fullmatch(n)]


def cases():
    code = '#include <math.h>\ndouble nf_a(double x) { return tan(x); }'
    def tree(*flags):
        return {'build/src/libnf.so': build(code, *flags)}
    return [('libm only', tree('-Wl,-soname,libnf.so.0', '-lm'), None),
            ('another library', tree('-Wl,-soname,libnf.so.0', '-Wl,--no-as-needed', '-lutil', '-lresolv'), 'libnf.so needs libresolv'),
            ('no name', tree('-lm'), 'SONAME is ""')]


if __name__ == '__main__':
    run(__doc__, check, cases)
