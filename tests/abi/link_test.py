"""An installed libnf links into programs of every kind that we promise, found by pkg-config alone.

Installs the build into an empty DESTDIR, then compiles and runs a client as C99, C++17 and C++20 with gcc and clang: with
libnf.so, with libnf.a, and as a fully static program; strict warnings are errors. As C++98 the headers compile with
-Wold-style-cast. What the build did not make (-Ddefault_library) and what is not installed here is skipped.
usage: link_test.py SOURCE_ROOT BUILD_DIR
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT, BUILD = map(os.path.abspath, sys.argv[1:3])
WARNINGS = ['-Wall', '-Wextra', '-pedantic', '-Wconversion', '-Werror', '-O1']
C, CXX = ('gcc', 'clang-14'), ('g++', 'clang++-14')

# In the common part of C and C++.
CLIENT = r'''
#include <nf/nf.h>
#include <nf/nf_data.h>
#include <nf/nf_infer.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  const char *spec = "{\"event\": [2], \"layers\": [{\"type\": \"affine_coupling\"}, {\"type\": \"reverse\"}]}";
  float x[6] = {0.5f, -1.0f, 2.0f, 0.25f, 0.0f, 1.0f}, log_prob[3], z[6], back[6];
  nf_error err = NF_ERROR_INIT;
  nf_model *model = NULL;
  nf_session *session = NULL;
  nf_view rows = nf_rows_f32(x, 3, 2), latents = nf_rows_f32(z, 3, 2);
  nf_out scores = nf_out_vec_f32(log_prob, 3), to_z = nf_out_rows_f32(z, 3, 2), to_x = nf_out_rows_f32(back, 3, 2);
  int i, good = nf_version() == (uint32_t)NF_VERSION;
  if (nf_model_create(NULL, spec, NF_TEXT, 1, &model, &err) || nf_session_create(model, NULL, &session, &err) ||
      nf_log_prob(session, &rows, NULL, &scores, &err) || nf_forward(session, &rows, NULL, &to_z, NULL, &err) ||
      nf_inverse(session, &latents, NULL, &to_x, NULL, &err)) {
    printf("%s: %s\n", nf_status_name(err.code), err.message);
    return 1;
  }
  for (i = 0; i < 6; ++i) good = good && fabs((double)(back[i] - x[i])) < 1e-5;
  /* An error passes through, with its exception caught inside. */
  good = good && nf_model_create(NULL, "{}", NF_TEXT, 1, &model, &err) == NF_ERR_SPEC && strlen(err.message) > 0;
  nf_session_free(session);
  nf_model_free(model);
  printf("%s\n", good ? "good" : "wrong");
  return good ? 0 : 1;
}
'''
HEADERS = '#include <nf/nf.h>\n#include <nf/nf_data.h>\n#include <nf/nf_infer.h>\nint f(int n);\nint f(int n) {\n%s  return n;\n}\n'

passed, skipped, problems = 0, 0, []


def case(name, fine, why=''):
    global passed
    passed += bool(fine)
    if not fine:
        problems.append(f'{name}: {why}')


def skip(name, why):
    global skipped
    skipped += 1
    print(f'skipped: {name} ({why})')


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


class Installed:
    """A copy of an installation, found by pkg-config and nothing else."""

    def __init__(self, folder):
        found = glob.glob(folder + '/**/nf.pc', recursive=True)
        if len(found) != 1:
            raise RuntimeError(f'{len(found)} files nf.pc in {folder}')
        self.lib = os.path.dirname(os.path.dirname(found[0]))
        # No other package can be seen: whatever nf.pc needs is in it.
        self.env = dict(os.environ, PKG_CONFIG_LIBDIR=os.path.dirname(found[0]), PKG_CONFIG_SYSROOT_DIR=folder,
                        PKG_CONFIG_PATH='')

    def has(self, name):
        return os.path.exists(os.path.join(self.lib, name))

    def flags(self, *arguments):
        done = run(['pkg-config', *arguments, 'nf'], env=self.env)
        if done.returncode:
            raise RuntimeError('pkg-config ' + ' '.join(arguments) + ': ' + done.stderr)
        return done.stdout.split()

    def without(self, pattern):
        """Deletes files of the library folder."""
        for path in glob.glob(os.path.join(self.lib, pattern)):
            os.remove(path)
        return self


def build_and_run(name, folder, installed, compiler, version, static):
    source = os.path.join(folder, 'client.cc' if '++' in compiler else 'client.c')
    with open(source, 'w', encoding='utf-8') as f:
        f.write(CLIENT)
    out = os.path.join(folder, 'client')
    libs = installed.flags('--libs', *static[:1])
    done = run([compiler, '-std=' + version, *WARNINGS, *installed.flags('--cflags'), source, *libs, '-lm', *static[1:], '-o', out])
    if done.returncode:
        case(name, False, done.stderr)
        return
    done = run([out], env=dict(os.environ, LD_LIBRARY_PATH=installed.lib))
    case(name, done.returncode == 0 and done.stdout == 'good\n', f'{done.returncode} {done.stdout}{done.stderr}')
    needed = run(['ldd', out]).stdout if shutil.which('ldd') else ''
    case(name + ', libraries', 'libhwy' not in needed and ('libnf' in needed) == (not static), needed)


def main():
    for tool in ('meson', 'pkg-config'):
        if not shutil.which(tool):
            print(f'no {tool}')
            return 77
    with tempfile.TemporaryDirectory() as folder:
        done = run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--destdir', os.path.join(folder, 'all'),
                    '--tags', 'devel,runtime'])
        if done.returncode:
            print(done.stdout + done.stderr)
            return 1
        whole = Installed(os.path.join(folder, 'all'))
        shutil.copytree(os.path.join(folder, 'all'), os.path.join(folder, 'static'), symlinks=True)
        archive = Installed(os.path.join(folder, 'static')).without('libnf.so*').without('libnf*.dylib')

        pc = run(['pkg-config', '--print-requires', '--print-requires-private', 'nf'], env=whole.env).stdout
        case('nf.pc requires nothing', pc == '', pc)
        for arguments in (['--cflags'], ['--libs'], ['--cflags', '--static'], ['--libs', '--static']):
            allowed = r'-I\S+/include|-L\S+|-lnf|-pthread' + (r'|-lstdc\+\+|-lm|-lz' if '--static' in arguments else '')
            flags = whole.flags(*arguments)
            case('pkg-config ' + ' '.join(arguments), all(re.fullmatch(allowed, f) for f in flags), flags)

        kinds = []
        if whole.has('libnf.so'):
            kinds.append(('shared', whole, []))
        else:
            skip('shared', 'not built')
        if whole.has('libnf.a'):
            kinds += [('static', archive, ['--static']), ('fully static', archive, ['--static', '-static'])]
        else:
            skip('static', 'not built')
        for compiler, versions in [(c, ('c99',)) for c in C] + [(c, ('c++17', 'c++20')) for c in CXX]:
            if not shutil.which(compiler):
                skip(compiler, 'not installed')
                continue
            for version in versions:
                for kind, installed, static in kinds:
                    build_and_run(f'{compiler} -std={version}, {kind}', folder, installed, compiler, version, static)

        with open(os.path.join(folder, 'old.cc'), 'w', encoding='utf-8') as f:
            text = ''.join(open(os.path.join(ROOT, 'include/nf', h), encoding='utf-8').read() for h in ('nf.h', 'nf_data.h', 'nf_infer.h'))
            macros = sorted(set(re.findall(r'#define (NF_\w+_INIT)\b', text)))
            uses = ''.join(f'  {{ {m[:-5].lower()} v = {m}; (void)v; }}\n' for m in macros)
            f.write(HEADERS % uses)
        for compiler in filter(shutil.which, CXX):
            done = run([compiler, '-std=c++98', *WARNINGS, '-Wold-style-cast', *whole.flags('--cflags'), '-c', os.path.join(folder, 'old.cc'),
                        '-o', os.devnull])
            case(f'headers as c++98 with {compiler}', done.returncode == 0, done.stderr)

    print('\n'.join(problems))
    print(f'# cases: {passed} {len(problems)} {skipped}')
    return 1 if problems else 0


sys.exit(main())
