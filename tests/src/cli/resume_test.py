"""nf train --resume: interrupted and continued runs give the same bits as runs that never stopped."""
import os
import signal
import subprocess
import time

import harness
from harness import NF, SPEC, case, environment, fails, info, nf, rows_of, train, write_npy

LONG = ('--valid-every', '50', '--lr', '0.003', '--schedule', 'cosine')


def interrupt(output, steps, when=signal.SIGINT, after=1):
    """Starts a run, stops it after `after` printed validations, and returns its standard error."""
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
    """Returns (best model, whole state of the run) as bits, without times."""
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
    nf('train', SPEC, '--data', 'train.npy', '-o', 'a', '--resume')  # validates as the first part did
    train(*LONG, steps=4000, output='b')
    assert state_of('a') == state_of('b'), f'resumed at {stopped}'


@case
def more_steps_continue_a_finished_run():
    write_npy('train.npy', rows_of(500))
    train('--valid-every', '20', steps=60, output='a')
    train('--resume', steps=100, output='a')
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
    assert 'nothing left to do: all 40 steps are done' in out and 'rows/s' not in out, out
    assert info('m.safetensors') == before


@case
def resuming_a_run_that_stopped_early_changes_nothing():
    write_npy('train.npy', rows_of(120))
    write_npy('valid.npy', rows_of(200, seed=3))
    more = ('--valid', 'valid.npy', '--lr', '0.03', '--valid-every', '5', '--patience', '4')
    train(*more, steps=2000)
    before = state_of('m.safetensors')
    assert 'stopped early' in train(*more, '--resume', steps=2000).stdout
    assert state_of('m.safetensors') == before


@case
def averages_are_resumed_too():
    write_npy('train.npy', rows_of(500))
    more = ('--valid-every', '20', '--ema-decay', '0.95')
    train(*more, steps=60, output='a')
    train(*more, '--resume', steps=100, output='a')
    train(*more, steps=100, output='b')
    assert state_of('a')[:2] == state_of('b')[:2]


@case
def runs_without_validation_are_resumed_too():
    write_npy('train.npy', rows_of(500))
    train('--holdout', '0', '--valid-every', '20', steps=40, output='a')
    train('--holdout', '0', '--valid-every', '20', '--resume', '--curve', 'c.csv', steps=60, output='a')
    train('--holdout', '0', '--valid-every', '20', steps=60, output='b')
    assert state_of('a')[:2] == state_of('b')[:2]
    with open('c.csv') as f:
        assert all(row.split(',')[2] == '' for row in f.read().splitlines()[1:]), 'there are no validations to show'


@case
def splits_are_resumed_too():
    write_npy('train.npy', rows_of(500))
    more = ('--split', '0.7,0.2,0.1', '--split-seed', '3')
    train(*more, '--valid-every', '20', steps=60, output='a')
    nf('train', SPEC, '--data', 'train.npy', '-o', 'a', '--resume', '--steps', 100, '--valid-every', 20)
    train(*more, '--valid-every', '20', steps=100, output='b')
    assert state_of('a')[:2] == state_of('b')[:2]
    again = ['train', SPEC, '--data', 'train.npy', '-o', 'a', '--resume']
    fails(*again, '--split-seed', '4', says='has changed')
    fails(*again, '--split', '0.8,0.2', says='has changed')


@case
def goes_back_to_the_best_validation():
    write_npy('train.npy', rows_of(120))
    write_npy('valid.npy', rows_of(200, seed=3))
    more = ('--valid', 'valid.npy', '--lr', '0.03', '--valid-every', '10')
    train(*more, steps=400)
    note = info('m.safetensors.checkpoint')['notes']['run']
    best = info('m.safetensors.checkpoint.best')
    assert best['notes']['run']['step'] == note['best_step'] < 400, note
    assert best['hash'] == info('m.safetensors')['hash']
    # The same options repeat the same steps, optimizer state included.
    last = state_of('m.safetensors')
    out = train(*more, '--resume-best', steps=400).stdout
    assert f'resumed at step {note["best_step"]}, the best so far' in out, out
    assert state_of('m.safetensors') == last
    # Another learning rate gives another run; the data may not change.
    train(*more[:2], '--valid-every', '10', '--lr', '0.003', '--schedule', 'cosine', '--resume-best', steps=500)
    after = info('m.safetensors.checkpoint')['notes']['run']
    assert after['step'] == 500 and after['best'] >= note['best'], after
    assert after['curve'][-1][3] < 1e-4 < 0.001 < [p for p in after['curve'] if p[0] == note['best_step'] + 10][0][3] < 0.003
    again = ['train', SPEC, '--data', 'train.npy', '--valid', 'valid.npy', '-o', 'm.safetensors', '--resume-best']
    fails(*again, '--batch', '32', says='batch')
    fails(*again, '--optimizer', 'sgd', says='optimizer')
    os.remove('m.safetensors.checkpoint.best')
    fails(*again, says='m.safetensors.checkpoint.best', hint='--resume')


@case
def resume_refuses_another_run():
    write_npy('train.npy', rows_of(500))
    write_npy('other.npy', rows_of(500, seed=9))
    train('--lr', '0.002')
    again = ['train', SPEC, '--data', 'train.npy', '-o', 'm.safetensors', '--resume']
    fails(*again, '--lr', '0.004', says=('lr', '0.002', '0.004'), hint='drop --lr, or start a new run with another -o; --resume-best')
    fails(*again, '--clip-norm', '1', says='clip_norm', hint='drop --clip-norm')
    fails(*again, '--holdout', '0.3', says='--data')
    fails('train', SPEC, '--data', 'other.npy', '-o', 'm.safetensors', '--resume', says='--data')
    fails('train', SPEC.replace('16', '8'), '--data', 'train.npy', '-o', 'm.safetensors', '--resume',
          says=('spec', 'layers[0].layers[0].net.hidden is [8] and was [16]'))
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
    assert 'kept' not in train(output='a').stdout, 'a finished run is not kept'


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
