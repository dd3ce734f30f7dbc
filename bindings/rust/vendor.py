"""Copies the C++ sources of libnf into nf-sys/vendor, so that `cargo package -p nf-sys` contains them.

  python3 bindings/rust/vendor.py && cargo package -p nf-sys --allow-dirty

A crate can hold only files below its own folder. The copies are not committed; build.rs prefers them to the repository. An
argument names another folder.
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VENDOR = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.join(HERE, 'nf-sys', 'vendor')
PARTS = ['meson.build', 'meson.options', 'meson_options.txt', 'LICENSE', 'include', 'runtime', 'src', 'bindings/cmake']
LEFT_OUT = ('src/cli/',)  # the nf command

listed = subprocess.run(['git', '-C', ROOT, 'ls-files', '-z', '--', *PARTS], capture_output=True, check=True).stdout.decode()
shutil.rmtree(VENDOR, ignore_errors=True)
count = 0
for path in filter(None, listed.split('\0')):
    if path.startswith(LEFT_OUT):
        continue
    to = os.path.join(VENDOR, path)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copyfile(os.path.join(ROOT, path), to)
    count += 1
print(f'{count} files in {os.path.relpath(VENDOR)}')
