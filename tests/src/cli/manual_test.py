"""The manual page lists the commands that nf has, and completion in bash offers commands, flags and files."""
import os
import re
import shutil
import subprocess

import harness
from harness import case, nf

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../src/cli')


def commands():
    return re.findall(r'^  ([a-z][a-z-]*)[ ,]', nf('--help').stdout.split('Subcommands:')[1].split('\n\n')[0], re.M)


@case
def the_manual_page_lists_every_command():
    with open(os.path.join(FOLDER, 'nf.1'), encoding='utf-8') as f:
        page = f.read().replace('\\-', '-').split('.SH COMMANDS')[1].split('.SH')[0]
    listed = [w for line in re.findall(r'^\.BR? (.*)$', page, re.M) for w in re.findall(r'[a-z]+(?:-[a-z]+)*', line) if w != 'help']
    assert sorted(listed) == sorted(c for c in commands() if c != 'help'), (listed, commands())


def completed(*words):
    """What bash would offer after these words."""
    script = (f'source {FOLDER}/nf.bash; COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _nf; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    # Under the command's own name, wherever it was built.
    path = os.path.dirname(harness.NF) + ':' + os.environ['PATH']
    done = subprocess.run(['bash', '-c', script.replace('(nf ', '(' + os.path.basename(harness.NF) + ' ')], capture_output=True,
                          text=True, check=False, env=dict(os.environ, PATH=path))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@case
def bash_completes_commands_flags_and_files():
    if not shutil.which('bash'):
        return
    assert completed('nf', 'tr') == ['train'], completed('nf', 'tr')
    assert set(completed('nf', "''")) == set(commands()), completed('nf', "''")
    assert completed('nf', 'plot', 'lay') == ['layers'], completed('nf', 'plot', 'lay')
    assert completed('nf', 'score', '--score-sa') == ['--score-samples']
    assert '--beta-warmup-steps' in completed('nf', 'train', 'auto', '--beta')
    assert completed('nf', 'plot', 'images', 'm', '--zoo') == ['--zoom']
    open('rows.csv', 'w', encoding='utf-8').close()
    assert completed('nf', 'score', 'row') == ['rows.csv']


harness.main(__doc__)
