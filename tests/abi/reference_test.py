"""Doxygen makes the reference of include/nf without a warning, and every function of the ABI is described in it.

usage: reference_test.py SOURCE_ROOT
"""
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

ROOT = os.path.abspath(sys.argv[1])
CLASSES = ('Flow', 'Model', 'Session', 'Samples', 'Trainer', 'Target', 'Table', 'Batches', 'Runtime', 'Options', 'View', 'Out')

passed, problems = 0, []


def case(name, fine, why=''):
    global passed
    passed += bool(fine)
    if not fine:
        problems.append(f'{name}: {why}')


def text(node):
    return ''.join(''.join(d.itertext()) for d in (node.find('briefdescription'), node.find('detaileddescription')) if d is not None).strip()


def main():
    if not shutil.which('doxygen'):
        print('no doxygen')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        with open(ROOT + '/include/reference/Doxyfile', encoding='utf-8') as f:
            settings = f.read() + f'OUTPUT_DIRECTORY = "{folder}"\nGENERATE_XML = YES\n'
        done = subprocess.run(['doxygen', '-'], input=settings, capture_output=True, text=True, cwd=ROOT, timeout=300)
        case('doxygen', done.returncode == 0 and not done.stderr, done.stderr)
        case('pages', os.path.exists(folder + '/html/index.html'), 'no html/index.html')
        described, declared = {}, {}
        for name in os.listdir(folder + '/xml'):
            if name == 'Doxyfile.xml':
                continue
            for node in xml.parse(f'{folder}/xml/{name}').getroot().iter():
                if node.tag == 'memberdef' and node.get('kind') == 'function':
                    described[node.findtext('name')] = text(node)
                    declared.setdefault(node.findtext('name'), []).append(node.findtext('argsstring') or '')
                elif node.tag == 'compounddef':
                    described[node.findtext('compoundname')] = text(node)
        with open(ROOT + '/tests/abi/symbols.txt', encoding='utf-8') as f:
            symbols = [s for s in f.read().split('\n') if s and not s.startswith('#')]
        missing = [s for s in symbols if not described.get(s)]
        case('every function is described', not missing, ', '.join(missing))
        absent = [c for c in CLASSES if 'nf::' + c not in described]
        case('classes of nf.hpp', not absent, ', '.join(absent))
        case('text stays as it is in the header', 'data.part splits them or `valid` gives' in described.get('nf_fit', ''), described.get('nf_fit'))
        case('comments of groups', all('Tensors are dense' in described.get(f'nf_model_{s}_tensor', '') for s in ('get', 'set')),
             'nf_model_get_tensor and nf_model_set_tensor share one')
        case('macros of declarations are gone', not any('NF_NOEXCEPT' in a for v in declared.values() for a in v), 'NF_NOEXCEPT')
    print('\n'.join(problems))
    print(f'# cases: {passed} {len(problems)} 0')
    return 1 if problems else 0


sys.exit(main())
