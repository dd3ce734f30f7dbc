"""nf train --resume: interrupted and continued runs give the same bits as runs that never stopped."""
import os
import signal
import subprocess
import time

import harness
from harness import NF, SPEC, case, environment, fails, info, nf, rows_of, train, write_npy

LONG = ('--valid-every', '50', '--lr', '0.003', '--schedule', 'cosine')


def interrupt(output, steps, when=signal.SIGINT, after=1):
    """Starts a run, stops it once `after` validations were printed, and returns what it wrote."""
    run = subprocess.Popen([NF, 'train', SPEC, '--data', 'train.npy', '--steps', str(steps), '--batch', '64', '-o', output, *LONG],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    while after:
        line = run.stdout.readline()
        assert line, 'the run ended before it was stopped: ' + run.stderr.read()
        after -= line.startswith('step ')
    run.send_signal(when)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130, (run.returncode, out, err)
    return err


def state_of(path):
    """(best model, whole state of the run) as bits, times aside."""
    note = info(path + '.checkpoint')['notes']['run']
    note.pop('seconds')
    for point in note['curve']:
        point.pop()
    return info(path)['hash'], info(path + '.checkpoint')['hash'], note


@case
def signals_leave_a_checkpoint():
    write_npy('train.npy', rows_of(1000))
    steps = 20000
    for name, when in (('int', signal.SIGINT), ('term', signal.SIGTERM)):
        err = interrupt(name, steps, when, after=2)
        assert 'interrupted at step' in err and '--resume' in err, err
        at = info(name + '.checkpoint')['notes']['run']['step']
        assert 100 <= at < steps, at


@case
def resumed_run_equals_uninterrupted_run():
    write_npy('train.npy', rows_of(1000))
    interrupt('a', 4000, after=3)
    stopped = info('a.checkpoint')['notes']['run']['step']
    nf('train', SPEC, '--data', 'train.npy', '-o', 'a', '--resume', '--valid-every', 50)
    train(*LONG, steps=4000, output='b')
    assert state_of('a') == state_of('b'), f'resumed at {stopped}'


@case
def more_steps_continue_a_finished_run():
    write_npy('train.npy', rows_of(500))
    train('--valid-every', '20', steps=60, output='a')
    train('--valid-every', '20', '--resume', steps=100, output='a')
    train('--valid-every', '20', steps=100, output='b')
    a, b = state_of('a'), state_of('b')
    assert a[:2] == b[:2]
    assert [p[0] for p in a[2]['curve']] == [20, 40, 60, 80, 100]


@case
def resuming_a_finished_run_changes_nothing():
    write_npy('train.npy', rows_of(500))
    train()
    before = info('m.safetensors')
    out = train('--resume').stdout
    assert 'resumed at step 40' in out
    assert info('m.safetensors') == before


@case
def resume_refuses_another_run():
    write_npy('train.npy', rows_of(500))
    write_npy('other.npy', rows_of(500, seed=9))
    train('--lr', '0.002')
    again = ['train', SPEC, '--data', 'train.npy', '-o', 'm.safetensors', '--resume']
    fails(*again, '--lr', '0.004', says=('lr', '0.002', '0.004'))
    fails(*again, '--clip-norm', '1', says='clip_norm')
    fails(*again, '--holdout', '0.3', says='--data')
    fails('train', SPEC, '--data', 'other.npy', '-o', 'm.safetensors', '--resume', says='--data')
    fails('train', SPEC.replace('16', '8'), '--data', 'train.npy', '-o', 'm.safetensors', '--resume', says='spec')
    fails('train', SPEC, '--data', 'train.npy', '-o', 'none.safetensors', '--resume', says='none.safetensors.checkpoint')
    os.replace('m.safetensors', 'm.safetensors.checkpoint')
    fails(*again, says=('m.safetensors.checkpoint', 'not the checkpoint'))


@case
def a_new_run_keeps_an_unfinished_one():
    write_npy('train.npy', rows_of(1000))
    interrupt('a', 20000)
    at = info('a.checkpoint')['notes']['run']['step']
    out = train(output='a').stdout
    assert 'a.checkpoint.old' in out
    assert info('a.checkpoint.old')['notes']['run']['step'] == at
    assert 'kept' not in train(output='a').stdout, 'a finished run needs no keeping'


@case
def checkpoint_is_a_model():
    write_npy('train.npy', rows_of(500))
    train('--checkpoint', 'elsewhere.ckpt', '--holdout', '0')
    assert not os.path.exists('m.safetensors.checkpoint')
    assert info('elsewhere.ckpt')['hash'] == info('m.safetensors')['hash']
    a, b = (nf('score', m, '--data', 'train.npy', '--json').stdout for m in ('elsewhere.ckpt', 'm.safetensors'))
    assert a == b


@case
def interrupted_before_the_first_validation():
    write_npy('train.npy', rows_of(1000))
    run = subprocess.Popen([NF, 'train', SPEC, '--data', 'train.npy', '--steps', '1000000', '--valid-every', '1000000', '-o', 'a'],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    assert run.stdout.readline().startswith('model')
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130 and os.path.exists('a.checkpoint') and not os.path.exists('a'), err


harness.main(__doc__)
