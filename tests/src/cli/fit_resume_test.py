"""nf fit-target --resume: interrupted and continued fits give the same bytes as fits that never stopped."""
import json
import os
import signal
import subprocess

import harness
from harness import NF, case, environment, fails, info, nf

SPEC = ('{"layers": [{"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [16]}, {"type": "reverse"}]}, '
        '{"type": "elementwise_affine"}]}')
RUN = ('--lr', '3e-3', '--schedule', 'cosine', '--seed', '3', '--weigh', '1000')


def command(output, *more, target='u1,radius=3', spec=SPEC):
    return ['fit-target', spec, '--target', target, '-o', output, *[str(m) for m in more]]


def interrupt(output, *more, when=signal.SIGINT, after=1):
    """Starts a fit, stops it after `after` printed points, and returns its standard error."""
    run = subprocess.Popen([NF, *command(output, *more)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           env=environment())
    while after:
        line = run.stdout.readline()
        assert line, 'the run ended before it was stopped: ' + run.stderr.read()
        after -= line.startswith('step ')
    run.send_signal(when)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130 and not os.path.exists(output), (run.returncode, out, err)
    return err


def bytes_of(path):
    with open(path, 'rb') as f:
        return f.read()


def state_of(path):
    """Returns the checkpoint as bits, without times."""
    note = info(path + '.checkpoint')['notes']['run']
    note.pop('seconds')
    for point in note['curve']:
        point.pop()
    return info(path + '.checkpoint')['hash'], note


def same(a, b):
    assert bytes_of(a) == bytes_of(b)
    assert state_of(a) == state_of(b)


@case
def resumed_fit_equals_uninterrupted_fit():
    for name, more, when in (('plain', ('--anneal-steps', 3000, '--samples', 64, '--path-gradient', 'true'), signal.SIGINT),
                             ('average', ('--ema-decay', '0.99', '--samples', 64), signal.SIGTERM),
                             ('both', ('--objective', 'symmetric', '--samples', 64), signal.SIGINT)):
        steps = ('--steps', 3000, *RUN, *more)
        err = interrupt(name, *steps, when=when, after=3)
        assert 'interrupted at step' in err and '--resume' in err, err
        at = info(name + '.checkpoint')['notes']['run']['step']
        assert 450 <= at < 3000, at
        text = nf(*command(name, '--resume', '--weigh', 1000)).stdout  # keeps the options and steps of the first part
        assert f'resumed at step {at:,}' in text, text
        nf(*command(name + '2', *steps))
        same(name, name + '2')


@case
def more_steps_continue_a_finished_fit():
    nf(*command('a', '--steps', 60, '--schedule', 'constant'))
    first = bytes_of('a')
    assert 'nothing left to do: all 60 steps are done' in nf(*command('a', '--resume')).stdout
    assert bytes_of('a') == first
    assert json.loads(nf(*command('a', '--resume', '--steps', 30, '--json')).stdout)['steps'] == 60
    nf(*command('a', '--steps', 100, '--resume'))
    nf(*command('b', '--steps', 100, '--option', 'max_steps=60'))
    assert bytes_of('a') == bytes_of('b')


@case
def a_checkpoint_is_a_model():
    interrupt('a', '--steps', 100000)
    nf('sample', 'a.checkpoint', '-n', 10, '-o', 's.csv')
    nf('plot', 'target', 'u1,radius=3', 'a.checkpoint', '--size', 120, '--points', 200, '-o', 'p.png')
    out = nf(*command('a', '--steps', 3)).stdout
    assert 'an unfinished run' in out and os.path.exists('a.checkpoint.old'), out


@case
def resume_refuses_another_fit():
    nf(*command('a', '--steps', 10, '--anneal-steps', 5))
    def refused(*more, says, hint=None, **how):
        before = bytes_of('a')
        fails(*command('a', '--resume', *more, **how), says=says, hint=hint)
        assert bytes_of('a') == before
    refused(target='u2', says=('--target', 'u2', 'u1'), hint='drop --target')
    refused(target='u1,radius=4', says=('radius is 4 and was 3'))
    refused(target='u1,radius=3,spread=0.5', says=('spread is 0.5 and was 0.6'))
    refused(spec=SPEC.replace('16', '8'), says=('layers[0].layers[0].net.hidden is [8] and was [16]'), hint='nf info --spec')
    refused('--lr', '0.1', says=('lr is 0.1', 'not set'))
    refused('--anneal-steps', 6, says='anneal_steps is 6 and was 5')
    refused('--objective', 'alpha', says='objective is alpha and was reverse_kl')
    # The same target, written in another way.
    nf(*command('a', '--resume', target='{"type": "u1", "radius": 3.0, "width": 0.4}'))
    fails(*command('none', '--resume'), says='none.checkpoint', hint='start a new run')
    harness.write_npy('train.npy', harness.rows_of(50))
    fails('train', SPEC, '--data', 'train.npy', '-o', 'a', '--resume', says=('a.checkpoint', 'nf fit-target'))
    harness.train(steps=2, output='t', spec=SPEC)
    fails(*command('t', '--resume'), says=('t.checkpoint', 'nf train'))
    with open('a.checkpoint', 'r+b') as f:
        f.truncate(1000)
    fails(*command('a', '--resume'), says=('a.checkpoint', 'truncated'))
    fails(*command('a'), says=('a.checkpoint', 'exists and is not a model'))
    os.replace('a', 'a.checkpoint')
    fails(*command('a', '--resume'), says=('a.checkpoint', 'not the checkpoint'))


@case
def nothing_is_overwritten_by_mistake():
    with open('spec.json', 'w') as f:
        f.write(SPEC)
    fails(*command('spec.json', spec='spec.json'), code=2, says=('-o', 'SPEC'))
    fails(*command('m', '--curve', 'm'), code=2, says=('-o and --curve name the same file'))
    fails(*command('spec.json'), says='not a model', hint='--force')
    fails(*command('no/m'), says='no')
    nf(*command('spec.json', '--force', '--steps', 2))
    out = json.loads(nf(*command('m', '--json', '--steps', 2)).stdout)
    assert out['steps'] == 2 and out['target'] == 'u1,radius=3', out


@case
def curves_of_resumed_fits_are_whole():
    nf(*command('a', '--steps', 40, '--anneal-steps', 10))
    nf(*command('a', '--steps', 60, '--resume', '--curve', 'c.csv'))
    with open('c.csv') as f:
        rows = [line.split(',') for line in f.read().splitlines()[1:]]
    assert [int(r[0]) for r in rows] == [*range(2, 41, 2), *range(42, 61, 3)], rows
    assert [float(r[2]) for r in rows] == [min(1, 0.01 + (int(r[0]) - 1) / 10) for r in rows], rows


harness.main(__doc__)
