"""kill -9 of nf train at random moments: files are whole, resuming ends with the bits of a run that was never killed.

NF_CRASHES sets the number of kills; the default is for the fast suite.
"""
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'src', 'cli'))

import harness  # noqa: E402
from harness import NF, case, environment, info, nf, rows_of, write_npy  # noqa: E402

SPEC = '{"layers": [{"type": "actnorm"}, {"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}]}]}'
STEPS, EVERY = 300, 5
TRAIN = ['train', SPEC, '--data', 'train.npy', '--steps', STEPS, '--batch', 32, '--valid-every', EVERY, '--lr', '0.003',
         '--ema-decay', '0.9', '--threads', 1]
MODEL, CHECKPOINT = 'm.safetensors', 'm.safetensors.checkpoint'
CRASHES = int(os.environ.get('NF_CRASHES', 100))


def crash(rng):
    """Starts or resumes the run and kills it after some validations and some milliseconds. Returns whether it ended before."""
    more = ['--resume'] if os.path.exists(CHECKPOINT) else []
    lines = rng.choice((0, 1, 1, 2, 5))
    run = subprocess.Popen([NF, *map(str, TRAIN), '-o', MODEL, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           env=environment())
    while lines:
        line = run.stdout.readline()
        if not line:
            break
        lines -= line.startswith(b'step ')
    time.sleep(rng.random() * 0.01)
    run.send_signal(signal.SIGKILL)
    _, err = run.communicate(timeout=60)
    assert run.returncode in (0, -signal.SIGKILL), (run.returncode, err.decode())
    return run.returncode == 0


def bits():
    return [info(name)['hash'] for name in (MODEL, CHECKPOINT)]


@case
def killed_runs_resume_with_the_same_bits():
    rng = random.Random(int(os.environ.get('NF_CRASH_SEED', 1)))
    write_npy('train.npy', rows_of(300))
    nf(*TRAIN, '-o', MODEL)
    whole, files = bits(), sorted(os.listdir('.'))
    for name in files:
        if name != 'train.npy':
            os.remove(name)
    kills = ended = last = seen = 0
    left = set()
    while kills < CRASHES:
        if crash(rng):
            assert bits() == whole, 'the run ended with other bits'
            ended += 1
            for name in os.listdir('.'):
                if name.startswith(MODEL):
                    os.remove(name)
            last = 0
            continue
        kills += 1
        left |= {name for name in os.listdir('.') if name.startswith('.nf-')}
        if os.path.exists(CHECKPOINT):
            step = info(CHECKPOINT)['notes']['run']['step']
            assert step >= last, f'the checkpoint went back from step {last} to {step}'
            seen += step > last
            last = step
        if os.path.exists(MODEL):
            info(MODEL)
    nf(*TRAIN, '-o', MODEL, *(['--resume'] if os.path.exists(CHECKPOINT) else []))
    assert bits() == whole, 'the last run ended with other bits'
    now = sorted(os.listdir('.'))
    assert now == files, f'stale files: {sorted(set(now) - set(files))}'
    assert seen > CRASHES // 10, f'only {seen} of {kills} killed runs had saved anything, so little was tested'
    print(f'{kills} kills, {ended} runs ended before, {len(left)} temporary files left behind and removed later')


harness.main(__doc__)
