"""Checks that C and C++ sources are formatted by clang-format 14; --fix rewrites those that are not."""
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from lint import ROOT, Skip, run, sources

CHUNK = 16


def check(root, options):
    tool = shutil.which('clang-format-14')
    if not tool:
        raise Skip('clang-format-14 is not installed')
    paths = sources(root)
    style = '--style=file:' + os.path.join(ROOT, '.clang-format')
    mode = ['-i'] if options.fix else ['--dry-run', '-Werror']

    def one(chunk):
        done = subprocess.run([tool, style, *mode, *chunk], cwd=root, capture_output=True, text=True, check=False)
        places = {}
        for line in done.stderr.splitlines():
            if ': error:' in line:
                path, number = line.split(':')[:2]
                places.setdefault(path, []).append(number)
        return [f'{path}:{at[0]}: not formatted here and at {len(at) - 1} lines below: run ./dev format'
                for path, at in places.items()] or ([done.stderr] if done.returncode else [])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(one, [paths[i:i + CHUNK] for i in range(0, len(paths), CHUNK)]), [])


def cases():
    return [('formatted', {'src/flow/a.cc': 'int f(int a) { return a + 1; }\n'}, None),
            ('not formatted', {'src/flow/a.cc': 'int a;\nint  f( int a ){return a+1;}\n'}, 'src/flow/a.cc:2')]


if __name__ == '__main__':
    run(__doc__, check, cases)
