"""The package covers the whole ABI, and what is generated from the headers is current."""
import os
import re
import subprocess
import sys

import pytest

import libnf
from libnf._nf import lib

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("LIBNF_SOURCE") or os.path.join(HERE, "..", "..", "..")
BINDING = os.path.join(SOURCE, "bindings", "python")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def symbols():
    return [s for s in read(SOURCE, "tests", "abi", "symbols.txt").split("\n") if s and not s.startswith("#")]


def test_declarations_are_those_of_the_headers():
    made = subprocess.run([sys.executable, os.path.join(BINDING, "generate.py"), "declarations", os.path.join(SOURCE, "include")],
                          capture_output=True, text=True, check=True).stdout
    assert made == read(BINDING, "declarations.cdef"), "run: bindings/python/generate.py declarations include > declarations.cdef"


def test_every_symbol_is_declared(symbols):
    declared = set(re.findall(r"\b(nf_\w+)\(", read(BINDING, "declarations.cdef")))
    assert declared >= set(symbols)


def test_every_symbol_is_used_by_the_package(symbols):
    package = "".join(read(BINDING, "libnf", name) for name in os.listdir(os.path.join(BINDING, "libnf")) if name.endswith(".py"))
    used = set(re.findall(r"\b_?lib\.(nf_\w+)\b", package))
    assert set(symbols) - used == set()


def test_every_declared_function_is_in_the_library():
    for name in re.findall(r"\b(nf_\w+)\(", read(BINDING, "declarations.cdef")):
        assert getattr(lib, name)


def test_fields_of_named_tuples_are_those_of_the_structs():
    from libnf import infos
    from libnf._nf import ffi
    for kind, made in (("nf_fit_info", infos.FitInfo), ("nf_step_info", infos.StepInfo), ("nf_score_info", infos.ScoreInfo),
                       ("nf_importance_info", infos.ImportanceInfo), ("nf_coverage_info", infos.CoverageInfo),
                       ("nf_target_info", infos.TargetInfo), ("nf_metropolis_info", infos.MetropolisInfo)):
        fields = [name for name, _ in ffi.typeof(kind).fields if name not in ("struct_size", "reserved")]
        assert sorted(made._fields) == sorted(fields), kind


def test_versions_agree():
    major, minor, patch = (int(v) for v in libnf.__version__.split("."))
    assert libnf.version() == major * 10000 + minor * 100 + patch == lib.NF_VERSION
    assert libnf.version_string().startswith(libnf.__version__)


def test_every_name_of_the_package_has_a_docstring():
    for name in libnf.__all__:
        assert getattr(libnf, name).__doc__, name
    for cls in (libnf.Model, libnf.Session, libnf.Trainer, libnf.Flow, libnf.Table, libnf.Batches, libnf.Target, libnf.Runtime):
        for name in dir(cls):
            if not name.startswith("_"):
                assert getattr(cls, name).__doc__, f"{cls.__name__}.{name}"
