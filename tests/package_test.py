"""What `./dev package` makes works from an empty folder: the tarball with pkg-config, with CMake and with the nf command,
the Debian packages unpacked.

usage: package_test.py SOURCE_ROOT BUILD_DIR
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT, BUILD = map(os.path.abspath, sys.argv[1:3])
os.environ.pop('LD_LIBRARY_PATH', None)  # Meson's, which would find the library of the build folder
CLIENT = r'''
#include <nf/nf.h>
#include <nf/nf.hpp>
#include <cstdio>

int main() {
  nf::Runtime rt;
  nf::Model model(rt, R"({"event": [2], "layers": [{"type": "affine_coupling"}]})", 1);
  const float x[2] = {1, 2};
  std::printf("%s %d\n", nf_status_name(NF_OK), static_cast<int>(nf::Session(model).log_prob(nf::View(x, 1, 2)).size()));
}
'''
PROJECT = '''
cmake_minimum_required(VERSION 3.24)
project(app CXX)
set(CMAKE_CXX_STANDARD 17)
%s
add_executable(app app.cc)
target_link_libraries(app PRIVATE nf::nf)
add_executable(app_static app.cc)
target_link_libraries(app_static PRIVATE nf::nf_static)
'''

passed, skipped, problems = 0, 0, []


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, **options)


def case(name, done, says=''):
    global passed
    fine = done.returncode == 0 and says in done.stdout
    passed += fine
    if not fine:
        problems.append(f'{name}: exit code {done.returncode}\n{done.stdout}{done.stderr}')
    return fine


def write(path, text):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def use_cmake(name, folder, find, prefix):
    global skipped
    if not shutil.which('cmake'):
        skipped += 1
        print(f'skipped: {name} (no cmake)')
        return
    os.makedirs(folder)
    write(folder + '/app.cc', CLIENT)
    write(folder + '/CMakeLists.txt', PROJECT % find)
    if not case(name + ', configure', run('cmake', '-S', folder, '-B', folder + '/b', f'-DCMAKE_PREFIX_PATH={prefix}')):
        return
    if case(name + ', build', run('cmake', '--build', folder + '/b')):
        for app in ('app', 'app_static'):
            case(f'{name}, {app}', run(f'{folder}/b/{app}'), 'OK 1')


def main():
    for tool in ('meson', 'dpkg-deb', 'dpkg-shlibdeps', 'strip'):
        if not shutil.which(tool):
            print(f'no {tool}')
            return 77
    options = {o['name']: o['value'] for o in json.loads(run('meson', 'introspect', '--buildoptions', BUILD).stdout)}
    if options['libdir'] != 'lib' or not options['pkgconfig.relocatable']:
        print('the build is not set up to be moved, as that of ./dev test is')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        out = folder + '/out'
        if not case('./dev package', run(ROOT + '/dev', 'package', '--from', BUILD, '-o', out), 'Wrote'):
            print('\n'.join(problems))
            return 1
        made = sorted(os.path.basename(p) for p in glob.glob(out + '/*'))
        named = [re.sub(r'[0-9]+\.[0-9]+\.[0-9]+', 'V', n) for n in made]
        wanted = [r'libnf-V-linux-\w+\.tar\.gz', r'libnf-flows-dev_V_\w+\.deb', r'libnf-flows0_V_\w+\.deb', r'nf-flows_V_\w+\.deb']
        case('files: ' + ' '.join(made), run('true' if all(re.fullmatch(w, n) for w, n in zip(wanted, named)) else 'false'))

        # The tarball, at a place nobody knew of.
        run('tar', '-xzf', glob.glob(out + '/*.tar.gz')[0], '-C', folder)
        top = glob.glob(folder + '/libnf-*')[0]
        moved = folder + '/somewhere else'
        os.rename(top, moved)
        case('nf of the tarball', run(moved + '/bin/nf', '--version'), 'nf')
        case('nf of the tarball trains and draws', run(
            'sh', '-c', 'nf toy moons -n 500 -o m.csv && nf train auto --data m.csv --steps 20 -o m.safetensors && nf plot density '
            'm.safetensors -o m.png', cwd=folder, env=dict(os.environ, PATH=moved + '/bin:' + os.environ['PATH'])))
        write(folder + '/app.cc', CLIENT)
        env = dict(os.environ, PKG_CONFIG_PATH=moved + '/lib/pkgconfig')
        for kind, flags in (('shared', ''), ('static', '--static ')):
            build = f'eval c++ -std=c++17 app.cc $(pkg-config {flags}--cflags --libs nf) -o app'
            if case(f'pkg-config, {kind}', run('sh', '-c', build, cwd=folder, env=env)):
                case(f'pkg-config, {kind}, runs', run(folder + '/app', env=dict(env, LD_LIBRARY_PATH=moved + '/lib')), 'OK 1')
        use_cmake('find_package', folder + '/found', 'find_package(nf 0.2 REQUIRED)', moved)

        root = folder + '/root'
        for deb in glob.glob(out + '/*.deb'):
            case(os.path.basename(deb), run('dpkg-deb', '-x', deb, root))
            fields = run('dpkg-deb', '-f', deb, 'Depends').stdout
            needs = {'libnf-flows0': ['libc6'], 'libnf-flows-dev': ['libnf-flows0', 'zlib1g-dev'],
                     'nf-flows': ['libnf-flows0', 'libc6', 'libstdc++6']}[os.path.basename(deb).split('_')[0]]
            case(os.path.basename(deb) + ' depends on ' + fields.strip(), run('true' if all(n in fields for n in needs) else 'false'))
        library = dict(os.environ, LD_LIBRARY_PATH=root + '/usr/lib')
        case('nf of the package', run(root + '/usr/bin/nf', '--version', env=library), 'nf')
        use_cmake('find_package of the package', folder + '/found_root', 'find_package(nf REQUIRED)', root + '/usr')
        case('manual page', run('zcat', root + '/usr/share/man/man1/nf.1.gz'), '.TH NF 1')
        case('completion', run('bash', '-n', root + '/usr/share/bash-completion/completions/nf'))

    print('\n'.join(problems))
    print(f'# cases: {passed} {len(problems)} {skipped}')
    return 1 if problems else 0


sys.exit(main())
