"""Columns far from 0 (times in seconds near 1.6e9, with a standard deviation of 30) through float32 models of the command:
scores and samples have the resolution of the file, and a column that float32 cannot resolve is named."""
import json
import math
import random
import statistics

import harness
from harness import case, nf, read_npy, write_npy

SPEC = '{"layers": [{"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [16]}, {"type": "reverse"}]}]}'
ENTROPY = -math.log(30) - math.log(2 * math.pi) - 1  # of t and y, in nats


def times(count, seed=1):
    rng = random.Random(seed)
    return [[round(1.6e9 + 30 * rng.gauss(0, 1), 3), round(rng.gauss(0, 1), 4)] for _ in range(count)]


def write_csv(path, rows):
    with open(path, 'w', encoding='utf-8') as f:
        f.write('t,y\n' + ''.join(f'{t!r},{y!r}\n' for t, y in rows))


def train(data, *more):
    return nf('train', SPEC, '--data', data, '-o', 'm.safetensors', '--steps', 300, '--force', *more)


@case
def csv_and_float64():
    write_csv('t.csv', times(2000))
    write_csv('new.csv', times(2000, seed=2))
    write_npy('t.npy', times(2000), 'd')
    for data in ('t.csv', 't.npy'):
        told = train(data, '--standardize').stderr
        assert 'apart in float32' not in told, told
        got = json.loads(nf('score m.safetensors --data new.csv --json').stdout)
        assert abs(got['mean'] - ENTROPY) < 0.1, got
    nf('sample m.safetensors -n 1000 -o s.csv')
    nf('sample m.safetensors -n 1000 -o s.npy')
    shape, flat = read_npy('s.npy')
    drawn = flat[::2]
    assert len(set(drawn)) > 990 and abs(statistics.fmean(drawn) - 1.6e9) < 6, drawn[:5]
    assert abs(statistics.stdev(drawn) - 30) < 4
    with open('s.csv', encoding='utf-8') as f:
        lines = f.read().splitlines()[-1000:]
    assert [float(line.split(',')[0]) for line in lines] == list(drawn)
    # What nf wrote, nf reads.
    got = json.loads(nf('score m.safetensors --data s.csv --json').stdout)
    assert abs(got['mean'] - ENTROPY) < 0.15, got


@case
def the_same_rows_continue_a_run():
    write_csv('t.csv', times(500))
    train('t.csv', '--standardize', '--valid-every', 50)
    more = ('--data', 't.csv', '-o', 'half.safetensors', '--standardize', '--valid-every', 50)
    nf('train', SPEC, *more, '--steps', 150)
    nf('train', SPEC, *more, '--steps', 300, '--resume')
    assert read('m.safetensors') == read('half.safetensors')


def read(path):
    """The parameters by hash, and the samples that follow from them."""
    return json.loads(nf('info', path, '--json').stdout)['hash'], nf('sample', path, '-n', 5).stdout


@case
def a_column_that_float32_cannot_resolve_is_named():
    write_npy('narrow.npy', times(500))
    told = train('narrow.npy', '--standardize').stderr
    assert 'column 0 of x' in told and 'pass them as float64' in told, told
    write_csv('t.csv', times(500))
    told = train('t.csv', '--no-standardize').stderr
    assert 't has mean 1.6e+09' in told and '--no-standardize' in told, told
    assert 'column 0 of x' in told and '128 apart in float32' in told, told
    write_npy('plain.npy', [[y, y * y] for _, y in times(500)])
    assert 'apart in float32' not in train('plain.npy').stderr


@case
def samples_near_zero_stay_floats():
    write_npy('plain.npy', [[y, y * y] for _, y in times(500)])
    train('plain.npy', '--standardize')
    nf('sample m.safetensors -n 10 -o s.npy')
    with open('s.npy', 'rb') as f:
        assert b"'<f4'" in f.read(128)


harness.main(__doc__)
