"""Builds the package with meson-python, which wants pyproject.toml next to the meson.build of the whole library: in a folder of
links to what the repository holds.
"""
import contextlib
import os
import tempfile

import mesonpy

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


@contextlib.contextmanager
def whole_library():
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        for name in ('meson.build', 'meson.options', 'meson_options.txt', 'include', 'src', 'runtime', 'bindings', 'tests', 'fuzz',
                     'examples', 'LICENSE'):
            if os.path.exists(os.path.join(ROOT, name)):
                os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
        with open(os.path.join(HERE, 'pyproject.toml'), encoding='utf-8') as f:
            project = f.read().replace("readme = 'README.md'", "readme = 'bindings/python/README.md'")
        with open(os.path.join(folder, 'pyproject.toml'), 'w', encoding='utf-8') as f:
            f.write(project)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def get_requires_for_build_wheel(config_settings=None):
    with whole_library():
        return mesonpy.get_requires_for_build_wheel(config_settings)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    out = os.path.abspath(wheel_directory)
    with whole_library():
        return mesonpy.build_wheel(out, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    raise RuntimeError('libnf has no source distribution of its own: build wheels from the repository')
