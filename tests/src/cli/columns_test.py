"""Columns as people have them: what nf train says of them, --dequantize, rows that are left out, contexts as numbers."""
import json
import math
import random

import harness
from harness import case, fails, info, nf, read_npy, rows_of, train, write_csv, write_npy

AFFINE = '{"layers": [{"type": "affine"}]}'


def told(*more, code=0):
    return nf('train', AFFINE, '--data', 't.csv', '--steps', 2, '-o', 'm.safetensors', '--force', *more, code=code).stderr


@case
def codes_for_missing_values_are_named():
    rng = random.Random(1)
    rows = [[-999 if i % 9 == 2 else rng.uniform(10, 20), 99.0 if i % 50 == 0 else rng.gauss(0, 1)] for i in range(300)]
    write_csv('t.csv', rows, ['x y', 'z'])
    said = told()
    assert "column x y is -999 in 34 rows" in said and """--where '"x y" != -999'""" in said, said
    assert 'column z is 99 in 6 rows' in said and "--where 'z != 99'" in said, said
    assert 'far from' not in told('--where', '"x y" != -999 and z != 99')
    # Nines inside of the other values, signs, and a single far value are none.
    write_csv('t.csv', [[99 + rng.gauss(0, 3), rng.choice([-1, 1]), rng.gauss(0, 1)] for _ in range(300)] + [[99, 1, 999]] * 1,
              ['a', 'b', 'c'])
    assert 'far from' not in told()


@case
def linear_functions_are_named():
    rng = random.Random(2)
    rows = []
    for _ in range(200):
        a, b, c = (rng.gauss(0, 1) for _ in range(3))
        rows.append([a, b, 1e6 + a - 3 * b, c, 2 * c + 5, rng.gauss(0, 1)])
    write_csv('t.csv', rows, ['a', 'b', 'sum', 'c', 'copy', 'free'])
    said = told()
    assert 'column sum is a linear function of a, b; column copy is a linear function of c: ' in said, said
    assert 'linear' not in told('--columns', 'a,b,c,free')
    write_csv('t.csv', [[r[0], r[0] + 1e-3 * r[1]] for r in rows], ['a', 'nearly'])
    assert 'linear' not in told()


@case
def few_rows_are_named():
    write_csv('t.csv', rows_of(5), ['a', 'b'])
    assert '5 rows are few for 2 columns' in told('--holdout', 0)
    write_csv('t.csv', rows_of(60), ['a', 'b'])
    assert 'few' not in told()


@case
def dequantize_spreads_the_columns_it_is_given():
    rng = random.Random(3)
    write_csv('t.csv', [[rng.randrange(5), rng.gauss(0, 1), rng.randrange(7) / 2] for _ in range(300)], ['"n, m"', 'x', 'h'])
    assert """--dequantize '"n, m",h' spreads""" in told()
    for words in ('"n, m",h', 'auto', '0,2'):
        assert 'repeat' not in told('--dequantize', words), words
        layers = json.loads(nf('info', 'm.safetensors', '--spec').stdout)['layers']
        assert [x.get('step', 1) for x in layers if x['type'] == 'dequantize'] == [0.5, 1], layers
        assert [x['columns'] for x in layers if x['type'] == 'dequantize'] == [[2], [0]], layers
    # A resumed run goes on with them, whether or not the option is repeated.
    for more in (['--dequantize', '0,2'], []):
        nf('train', AFFINE, '--data', 't.csv', '--steps', 2, '-o', 'r.safetensors', '--force', '--dequantize', '0,2')
        nf('train', AFFINE, '--data', 't.csv', '--steps', 4, '-o', 'r.safetensors', '--resume', *more)
        nf('train', AFFINE, '--data', 't.csv', '--steps', 4, '-o', 'm.safetensors', '--force', '--dequantize', '0,2')
        assert info('r.safetensors')['hash'] == info('m.safetensors')['hash']
    common = ('train', AFFINE, '--data', 't.csv', '-o', 'x.safetensors', '--dequantize')
    fails(*common, 'q', says="no column 'q'", hint='it has: n, m, x, h', code=2)
    fails(*common, 'x', says='column 1 are not multiples')
    twice = '{"layers": [{"type": "dequantize", "columns": [0]}, {"type": "affine"}]}'
    fails('train', twice, '--data', 't.csv', '-o', 'x.safetensors', '--dequantize', '0', says='already', code=2)


@case
def rows_left_out_do_not_shift_the_others():
    rows = rows_of(100)
    with open('t.csv', 'w') as f:
        f.write('a,b\n')
        f.writelines(f'{"" if i % 9 == 3 else repr(a)},{b!r}\n' for i, (a, b) in enumerate(rows))
    complete = [i for i in range(100) if i % 9 != 3]
    told('--missing', 'drop', '--split-out', 'parts.csv')
    with open('parts.csv') as f:
        assert [x.split(',')[0] for x in f.read().split()] == ['row', *map(str, complete)]
    nf('score m.safetensors --data t.csv --missing drop -o s.csv')
    with open('s.csv') as f:
        lines = [x.split(',') for x in f.read().split()]
    assert lines[0] == ['row', 'log_prob'] and [int(x[0]) for x in lines[1:]] == complete
    kept = nf('score m.safetensors --data t.csv --missing keep -o -').stdout.split()[1:]
    assert [x[1] for x in lines[1:]] == [kept[i] for i in complete]
    done = nf('score m.safetensors --data t.csv --missing drop -o s.npy')
    assert f's.npy has a score for {len(complete)} rows of t.csv only' in done.stderr and read_npy('s.npy')[0] == (len(complete),)
    # A row without a score is no anomaly.
    got = json.loads(nf('score m.safetensors --data t.csv --missing keep --threshold 1e9 -o s.csv --json').stdout)
    assert got['anomalies'] == len(complete), got
    with open('s.csv') as f:
        cells = [x.split(',') for x in f.read().split()][1:]
    assert all((c[-1] == 'nan') == (i not in complete) for i, c in enumerate(cells)), cells
    words = nf('score m.safetensors --data t.csv --missing keep --threshold 1e9').stdout
    assert f'anomalies  {len(complete)} of {len(complete)} rows' in words, words


@case
def a_context_may_be_numbers():
    write_npy('x.npy', rows_of(80))
    write_npy('c.npy', [[math.sin(i), float(i % 3)] for i in range(80)])
    train('--context', 'c.npy', data='x.npy')
    write_npy('one.npy', [[0.5, -2.0]])
    assert nf('sample m.safetensors -n 5 --context 0.5,-2').stdout == nf('sample m.safetensors -n 5 --context one.npy').stdout
    nf('score m.safetensors --data x.npy --context 0.5,-2 -o a.npy')
    nf('score m.safetensors --data x.npy --context one.npy -o b.npy')
    assert read_npy('a.npy') == read_npy('b.npy')
    fails('sample', 'm.safetensors', '-n', 5, '--context', '0.5', says='context has 2 columns, but 0.5 has 1')
    fails('sample', 'm.safetensors', '-n', 5, '--context', '0.5,', says='0.5,')
    fails('sample', 'm.safetensors', '-n', 5, says='none was given', hint='--context 0.5,2')


@case
def names_of_columns_are_listed_when_one_is_wrong():
    write_csv('t.csv', rows_of(60), ['height', 'weight'])
    fails('train', AFFINE, '--data', 't.csv', '--columns', 'hieght', '-o', 'x.safetensors',
          says="no column is named 'hieght'; there are 'height', 'weight'")


harness.main(__doc__)
