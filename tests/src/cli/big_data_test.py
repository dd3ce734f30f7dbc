"""nf train on .npy files used in place: memory stays small, bits equal those of rows in memory, truncation is detected."""
import os
import struct
import subprocess
import time

import harness
from harness import NF, SPEC, case, environment, fails, info, nf, rows_of, train, write_npy


def sparse_npy(path, rows, cols=2):
    """Writes rows x cols float32 zeros as a sparse file; returns False if the file system has no sparse files."""
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols}), }}"
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode())
        f.truncate(10 + len(head) + rows * cols * 4)
        f.flush()
        return os.fstat(f.fileno()).st_blocks * 512 < 2**20


def peak_memory(*args):
    """Returns (peak resident memory in MiB, standard output) of a run that must succeed."""
    with open('out', 'w') as out:
        run = subprocess.Popen([NF, *map(str, args)], stdout=out, stderr=subprocess.STDOUT, env=environment())
        _, status, usage = os.wait4(run.pid, 0)
    with open('out') as f:
        shown = f.read()
    assert status == 0, shown
    return usage.ru_maxrss / 1024, shown


@case
def three_gigabytes_need_no_memory():
    if not sparse_npy('big.npy', 3 * 2**30 // 8):
        print('skipped: the file system has no sparse files')
        return
    peak, shown = peak_memory('train', SPEC, '--data', 'big.npy', '--split', '0.99998,0.00001,0.00001', '--steps', 300, '--batch',
                              4096, '-o', 'm.safetensors')
    assert 'used in place' in shown and 'blocks drawn by seed 0' in shown and 'test   ' in shown, shown
    assert peak < 700, f'{peak} MiB'  # pages are released every 256 MiB
    # 10 % of it would not fit a small machine, so the default hold-out is bounded.
    _, shown = peak_memory('train', SPEC, '--data', 'big.npy', '--steps', 2, '-o', 'n.safetensors')
    held = [line for line in shown.splitlines() if line.startswith('valid')][0]
    assert 90_000 < int(held.split()[1].replace(',', '')) < 110_000, held


@case
def in_place_or_in_memory_the_same_bits():
    write_npy('train.npy', rows_of(5000))
    write_npy('valid.npy', rows_of(200, seed=3))
    more = ('--valid', 'valid.npy', '--order', 'blocks', '--block', '32')
    a = train('--map', 'on', *more, output='a')
    train('--map', 'off', *more, output='b')
    assert 'used in place' in a.stdout and info('a')['hash'] == info('b')['hash']
    train('--map', 'on', '--valid', 'valid.npy', output='c')
    assert info('c')['notes'] and info('c')['hash'] != info('a')['hash'], 'a thousandth of the rows by default'
    # float64 and selected columns in place give the same bits as in memory.
    wide = [[9.0] + r + [8.0] for r in rows_of(5000)]
    write_npy('wide.npy', wide, dtype='d')
    write_npy('valid.npy', wide[:200], dtype='d')
    train('--map', 'on', '--columns', '1,2', *more, data='wide.npy', output='d')
    train('--map', 'off', '--columns', '1,2', *more, data='wide.npy', output='e')
    assert info('d')['hash'] == info('e')['hash']


@case
def parts_in_place_are_resumed():
    write_npy('train.npy', rows_of(5000))
    more = ('--map', 'on', '--block', '32', '--split', '0.8,0.1,0.1', '--valid-every', '20')
    train(*more, steps=60, output='a')
    nf('train', SPEC, '--data', 'train.npy', '-o', 'a', '--resume', '--steps', 100, '--valid-every', 20)
    out = train(*more, steps=100, output='b').stdout
    assert info('a.checkpoint')['hash'] == info('b.checkpoint')['hash'] and info('a')['hash'] == info('b')['hash']
    assert 'test   ' in out and 'held out blocks drawn by seed 0' in out, out
    train(*more, '--split-seed', '5', steps=100, output='c')
    assert info('c')['hash'] != info('b')['hash']


@case
def contexts_in_place():
    rows = rows_of(3000, cols=3)
    write_npy('all.npy', rows)
    more = ('--order', 'blocks', '--block', '32', '--holdout', '0', '--columns', '0,1', '--context-columns', '2')
    train('--map', 'on', *more, data='all.npy', output='a')
    train('--map', 'off', *more, data='all.npy', output='b')
    assert info('a')['hash'] == info('b')['hash'] and info('a')['context_size'] == 1


@case
def a_truncated_file_ends_the_run():
    write_npy('train.npy', rows_of(100_000))
    run = subprocess.Popen([NF, 'train', SPEC, '--data', 'train.npy', '--map', 'on', '--steps', '1000000', '--valid-every', '100',
                            '-o', 'm'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    while not run.stdout.readline().startswith('step'):
        assert run.poll() is None, run.stderr.read()
    os.truncate('train.npy', 1000)
    _, err = run.communicate(timeout=60)
    # A truncation between the check and the read is SIGBUS, as documented.
    assert run.returncode in (1, -7), (run.returncode, err)
    if run.returncode == 1:
        assert 'truncated' in err, err


@case
def what_cannot_be_mapped_is_read_with_a_warning():
    write_npy('train.npy', rows_of(300))
    harness.write_csv('train.csv', rows_of(300))
    done = train('--map', 'on', data='train.csv')
    assert 'nf: warning: train.csv: read into memory, not mapped' in done.stderr, done.stderr
    assert train('--map', 'on').stderr == ''
    fails('train', SPEC, '--data', 'train.npy', '--map', 'on', '--split-out', 'p.csv', '-o', 'x', says='--split-out', hint='--map off')
    fails('train', SPEC, '--data', 'train.npy', '--map', 'on', '--block', '1000', '-o', 'x', says='smaller blocks')


harness.main(__doc__)
