"""Checks the floors: a source file includes only files of its own floor or lower ones.

0 runtime/core, 1 runtime/kernel, 2 runtime/op + runtime/tape, 3a src/part, 3b src/flow src/net src/base src/likelihood src/target,
4 src/model src/io, 5a src/lane, 5b src/objective, 5c src/train, 6 src/abi and the public headers, 7 src/cli bindings
examples (which include only nf/*.h and themselves). The command is written for nf.hpp: it calls no function of nf.h. The folders of floor 3b include each other in one direction only. Some
third-party headers are allowed in one place only.
"""
import os
import re

from lint import code_only, read, run, sources

FLOORS = {'runtime/core/': '0', 'runtime/kernel/': '1', 'runtime/op/': '2', 'runtime/tape/': '2', 'src/part/': '3a',
          'src/flow/': '3b', 'src/net/': '3b', 'src/base/': '3b', 'src/likelihood/': '3b', 'src/target/': '3b', 'src/model/': '4', 'src/io/': '4',
          'src/lane/': '5a', 'src/objective/': '5b', 'src/train/': '5c', 'src/abi/': '6', 'include/nf/': '6'}  # in the order of strings
NO_CYCLES = '3b'
UNSEEN = {'runtime/tape/': 'runtime/op/'}  # on the same floor
GUESTS = ('src/cli/', 'bindings/', 'examples/')  # floor 7
HOMES = {'cblas.h': ('runtime/kernel/blas.cc',),
         'nlohmann/': ('src/cli/',),
         'CLI/': ('src/cli/',),
         'cairo.h': ('src/cli/draw/',),
         'gif_lib.h': ('src/cli/draw/',)}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)
C_CALL = re.compile(r'\bnf_[a-z0-9_]+\s*\(')  # of nf.h; CHEADERS are what the command does not include
CHEADERS = ('include/nf/nf.h', 'include/nf/nf_infer.h', 'include/nf/nf_data.h')
OURS = ('runtime/', 'src/', 'include/', 'nf/', 'tests/', 'fuzz/', 'bindings/', 'examples/')


def folder_of(path):
    return next((prefix for prefix in FLOORS if path.startswith(prefix)), None)


def floor_of(path):
    return FLOORS.get(folder_of(path))


def problem_with(root, path, target, quoted):
    for header, homes in HOMES.items():
        if (target == header or target.endswith('/' + header) or
                (header.endswith('/') and target.startswith(header))) and not path.startswith(homes):
            return f'<{target}> belongs to {", ".join(homes)}'
    if not target.startswith(OURS):
        if quoted and os.path.exists(os.path.join(root, os.path.dirname(path), target)):
            return f'"{target}": write the path from the root of the tree'
        return None
    if target.startswith('nf/'):
        target = 'include/' + target
    guest = next((g for g in GUESTS if path.startswith(g)), None)
    if guest:
        if guest == 'src/cli/' and target in CHEADERS:
            return f'"{target}": the command is written for nf/nf.hpp'
        return None if target.startswith(('include/nf/', guest)) else f'"{target}": {guest} sees only nf/*.h'
    own, other = floor_of(path), floor_of(target)
    if path.startswith('include/') and not target.startswith('include/nf/'):
        return f'"{target}": a public header includes only public headers'
    if own is None:
        return 'this folder has no floor: add it to tests/lint/check_floors.py'
    if other is None:
        return f'"{target}" is not on a floor of the library'
    for folder, unseen in UNSEEN.items():
        if path.startswith(folder) and target.startswith(unseen):
            return f'"{target}": {folder} does not see {unseen}'
    return f'"{target}" is floor {other}, above floor {own}' if other > own else None


def find_cycle(edges):
    """A folder that includes itself through others, as the list of folders on the way; [] when there is none."""
    def walk(path):
        for other in sorted(edges.get(path[-1], ())):
            if other == path[0]:
                return path + [other]
            if other not in path:
                found = walk(path + [other])
                if found:
                    return found
        return []
    return next(filter(None, (walk([folder]) for folder in sorted(edges))), [])


def check(root, _):
    problems = []
    edges = {}  # folder -> {folder it includes: where}
    for path in sources(root, 'runtime/', 'src/', 'include/', 'examples/', 'bindings/'):
        text = code_only(read(root, path), keep_strings=True)
        if path.startswith('src/cli/'):
            code = code_only(read(root, path))
            problems += [f'{path}:{code.count(chr(10), 0, m.start()) + 1}: {m.group(0)}...): call it through nf/nf.hpp'
                         for m in C_CALL.finditer(code)]
        if floor_of(path) is None and not path.startswith(GUESTS):
            problems.append(f'{path}: this folder has no floor: add it to tests/lint/check_floors.py')
            continue
        for m in INCLUDE.finditer(text):
            problem = problem_with(root, path, m.group(1) or m.group(2), bool(m.group(1)))
            where = f'{path}:{text.count(chr(10), 0, m.start()) + 1}'
            if problem:
                problems.append(f'{where}: {problem}')
            own, other = folder_of(path), folder_of(m.group(1) or m.group(2))
            if own and other and own != other and FLOORS[own] == FLOORS[other] == NO_CYCLES:
                edges.setdefault(own, {}).setdefault(other, where)
    cycle = find_cycle(edges)
    if cycle:
        problems.append(f'folders include each other: {" -> ".join(cycle)} (' +
                        ', '.join(edges[a][b] for a, b in zip(cycle, cycle[1:])) + ')')
    return problems


def cases():
    def one(path, include):
        return {path: f'// head\n#include {include}\n'}
    return [
        ('own floor and lower', one('src/flow/a.cc', '"src/net/mlp.h"\n#include "runtime/core/view.h"\n#include <vector>'), None),
        ('in a comment', {'runtime/core/a.h': '/*\n#include "src/flow/a.h"\n*/\n// #include "src/flow/a.h"\n'}, None),
        ('upwards', one('runtime/core/a.h', '"runtime/kernel/k.h"'), 'a.h:2: "runtime/kernel/k.h" is floor 1, above floor 0'),
        ('a part below flows', one('src/flow/a.cc', '"src/part/fields.h"'), None),
        ('a part sees a flow', one('src/part/a.cc', '"src/flow/layer.h"'), 'above floor 3a'),
        ('a folder cycle', {**one('src/flow/a.cc', '"src/net/b.h"'), **one('src/net/b.h', '"src/flow/c.h"')},
         'folders include each other: src/flow/ -> src/net/ -> src/flow/ (src/flow/a.cc:2, src/net/b.h:2)'),
        ('upwards in brackets', one('runtime/op/a.cc', '<src/flow/a.h>'), 'above floor 2'),
        ('ops see the tape', one('runtime/op/a.cc', '"runtime/tape/tape.h"'), None),
        ('the tape sees an op', one('runtime/tape/a.cc', '"runtime/op/ops.h"'), 'does not see runtime/op/'),
        ('model sees train', one('src/model/a.cc', '"src/train/adam.h"'), 'above floor 4'),
        ('engine sees the ABI', one('src/train/a.cc', '"nf/nf.h"'), 'above floor 5'),
        ('ABI sees the header', one('src/abi/a.cc', '"nf/nf.h"'), None),
        ('library sees tests', one('src/abi/a.cc', '"tests/tools/x.h"'), 'not on a floor'),
        ('cli sees the header and itself', one('src/cli/a.cc', '<nf/nf.hpp>\n#include "src/cli/b.h"\n#include <CLI/CLI.hpp>'), None),
        ('cli sees nf.h', one('src/cli/a.cc', '<nf/nf.h>'), 'written for nf/nf.hpp'),
        ('cli calls nf.h', {'src/cli/a.cc': '// nf_free(x)\nnf_dtype a = NF_F32;\nvoid f() { nf_model_free(m); }\n'},
         'src/cli/a.cc:3: nf_model_free('),
        ('cli sees the model', one('src/cli/a.cc', '"src/model/spec.h"'), 'sees only nf/*.h'),
        ('example sees the runtime', one('examples/a.c', '"runtime/core/view.h"'), 'sees only nf/*.h'),
        ('header sees the library', one('include/nf/nf.hpp', '"runtime/core/status.h"'), 'public header'),
        ('cblas at home', one('runtime/kernel/blas.cc', '<cblas.h>'), None),
        ('cblas elsewhere', one('runtime/kernel/gemm.cc', '<openblas/cblas.h>'), 'belongs to'),
        ('json in a flow', one('src/flow/a.cc', '<nlohmann/json.hpp>'), 'belongs to'),
        ('json in the model', one('src/model/a.cc', '<nlohmann/json.hpp>'), 'belongs to'),
        ('cairo where pictures are drawn', one('src/cli/draw/a.cc', '<cairo.h>'), None),
        ('cairo elsewhere', one('src/cli/plot/a.cc', '<cairo/cairo.h>'), 'belongs to src/cli/draw/'),
        ('giflib elsewhere', one('src/cli/plot/a.cc', '<gif_lib.h>'), 'belongs to src/cli/draw/'),
        ('json in the command', one('src/cli/a.cc', '<nlohmann/json.hpp>'), None),
        ('not from the root', {**one('src/io/a.cc', '"b.h"'), 'src/io/b.h': '// head\n'}, 'from the root'),
        ('unknown folder', one('src/misc/a.cc', '<vector>'), 'no floor'),
    ]


if __name__ == '__main__':
    run(__doc__, check, cases)
