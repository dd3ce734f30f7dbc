"""Finds the built libnf.so, and builds small shared libraries for the self-tests of the checks on it."""
import os
import shutil
import subprocess
import tempfile

from lint import Skip


def find(build_dir):
    path = os.path.join(build_dir, 'src', 'libnf.so')
    if not os.path.exists(path):
        raise Skip('libnf.so is not built')
    return path


def build(code, *flags):
    """Returns the bytes of a shared library compiled from this C code."""
    compiler = shutil.which('cc') or shutil.which('gcc') or shutil.which('clang-14')
    if not compiler:
        raise Skip('no C compiler for the self-test')
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, 'lib.so')
        subprocess.run([compiler, '-shared', '-fPIC', '-x', 'c', '-', '-o', out, *flags], input=code.encode(), check=True)
        with open(out, 'rb') as f:
            return f.read()
