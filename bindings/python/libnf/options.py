"""Options as keyword arguments: `lr=1e-3` is "trainer.lr" of the library, `trainer_lr` and **{"trainer.lr": ...} say so too."""
from __future__ import annotations

import functools
import json
from typing import Any, Iterable, Mapping

from libnf import _call
from libnf._nf import lib

# The same word in several scopes means one thing for these, so they are set in every scope that is read.
SHARED = ("seed", "threads")


@functools.lru_cache(maxsize=None)
def _described() -> tuple[dict[str, Any], ...]:
    return tuple(_call.described(lib.nf_options_describe()))


def describe_options(scope: str | None = None) -> list[dict[str, Any]]:
    """Lists every option, or those of one scope: {"name", "scope", "type", "default", "doc"} and its bounds or choices."""
    return [dict(o) for o in _described() if scope is None or o["scope"] == scope]


@functools.lru_cache(maxsize=None)
def _keys(scope: str) -> frozenset[str]:
    return frozenset(o["name"] for o in _described() if o["scope"] == scope)


def resolve(word: str, scopes: Iterable[str]) -> list[str]:
    """Returns the keys that a keyword means in a call that reads these scopes."""
    scopes = list(scopes)
    if "." in word:
        return [word]
    for scope in scopes:
        if word.startswith(scope + "_") and f"{scope}.{word[len(scope) + 1:]}" in _keys(scope):
            return [f"{scope}.{word[len(scope) + 1:]}"]
    found = [f"{scope}.{word}" for scope in scopes if f"{scope}.{word}" in _keys(scope)]
    if found:
        return found if word in SHARED else found[:1]
    return [f"{scopes[0]}.{word}"]  # unknown: the library's error names the nearest key of any scope


class Options:
    """Typed keys and values for the library. Most calls take them as keyword arguments instead."""

    def __init__(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        self._h = _call.create("nf_options", lib.nf_options_free, lib.nf_options_create)
        for key, value in {**(values or {}), **more}.items():
            self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        """Sets an option. SpecError names the nearest key or the bounds."""
        name = key.encode()
        if isinstance(value, bool):
            _call.call(lib.nf_options_set, self._h, name, b"true" if value else b"false")
        elif isinstance(value, str):
            _call.call(lib.nf_options_set_str, self._h, name, value.encode())
        elif isinstance(value, float):
            _call.call(lib.nf_options_set_f64, self._h, name, value)
        elif hasattr(value, "__index__"):
            number = value.__index__()
            if -(2**63) <= number < 2**63:
                _call.call(lib.nf_options_set_i64, self._h, name, number)
            else:
                _call.call(lib.nf_options_set, self._h, name, str(number).encode())
        elif hasattr(value, "__float__"):
            _call.call(lib.nf_options_set_f64, self._h, name, float(value))
        elif isinstance(value, (list, tuple)) and key.endswith("columns"):
            _call.call(lib.nf_options_set_str, self._h, name, ",".join(str(v) for v in value).encode())
        elif isinstance(value, (list, tuple, dict)):  # "trainer.groups" is JSON
            _call.call(lib.nf_options_set_str, self._h, name, json.dumps(value).encode())
        elif hasattr(value, "__fspath__"):
            _call.call(lib.nf_options_set_str, self._h, name, str(value.__fspath__()).encode())
        else:
            raise TypeError(f"option {key} cannot be a {type(value).__name__}: expected a number, a text or a boolean")

    def to_dict(self) -> dict[str, Any]:
        """Returns the options that were set."""
        found: dict[str, Any] = json.loads(_call.written(lib.nf_options_json, self._h))
        return found

    def __repr__(self) -> str:
        return f"Options({self.to_dict()!r})"


def from_keywords(scopes: Iterable[str], keywords: Mapping[str, Any]) -> Options | None:
    """Makes options of keyword arguments; None where there are none. None as a value means the default."""
    given = {k: v for k, v in keywords.items() if v is not None}
    if not given:
        return None
    scopes = list(scopes)
    options = Options()
    for word, value in given.items():
        for key in resolve(word, scopes):
            options[key] = value
    return options


def handle(options: Options | None) -> Any:
    """Returns the handle of options, NULL for None."""
    return _call.NULL if options is None else options._h
