"""Data files of nf as people have them: headers, separators, decimal marks, compression, pipes, missing values, row numbers."""
import gzip
import json
import math
import os
import random
import shutil
import struct
import subprocess
import zipfile

import harness
from harness import SPEC, case, fails, info, nf, read_npy, rows_of, train, write_csv, write_npy

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'files')
DATA = os.environ.get('NF_DATA_DIR', os.path.join(harness.ROOT, '..', 'shared', 'data'))


def small(name):
    return shutil.copy(os.path.join(HERE, 'csv', name), name)


def fit(data, *more, steps=5, spec=SPEC, output='m.safetensors', code=0):
    return nf('train', spec, '--data', data, '--steps', steps, '--quiet', '-o', output, '--force', *more, code=code)


def rows_in(path, *more):
    """The number of rows that nf reads in a file of two columns."""
    write_npy('two.npy', rows_of(60))
    fit('two.npy', output='two.safetensors')
    return json.loads(nf('score', 'two.safetensors', '--data', path, '--json', *more).stdout)['rows']


def columns(path='m.safetensors'):
    return info(path)['notes'].get('columns')


def npy(rows, fmt='<f8', code='d'):
    """The bytes of a .npy file."""
    head = f"{{'descr': '{fmt}', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    flat = [v for row in rows for v in row]
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + struct.pack(f'<{len(flat)}{code}', *flat)


@case
def bytes_are_the_numbers_they_are():
    # Read as float32, in half of the memory; the same numbers in float64 give the same model.
    rows = [[(7 * i + 3 * j) % 256 for j in range(3)] for i in range(400)]
    spec = '{"event": 3, "layers": [{"type": "dequantize", "levels": 256}, {"type": "logit"}, {"type": "actnorm"}]}'
    for name, fmt, code in (('bytes', '|u1', 'B'), ('wide', '<f8', 'd')):
        with open(name + '.npy', 'wb') as f:
            f.write(npy(rows, fmt, code))
        nf('train', spec, '--data', name + '.npy', '--steps', 20, '-o', name + '.safetensors')
    assert info('bytes.safetensors')['hash'] == info('wide.safetensors')['hash']
    assert nf('score bytes.safetensors --data bytes.npy -o -').stdout == nf('score bytes.safetensors --data wide.npy -o -').stdout


@case
def a_header_has_no_number():
    small('first_row_bad.csv')
    fails('train', SPEC, '--data', 'first_row_bad.csv', '-o', 'm', says=('line 1, column 1', '#N/A'), hint='--missing drop')
    with open('first_row_bad.csv') as f:
        lines = f.read().splitlines()
    assert rows_in('first_row_bad.csv', '--missing', 'drop') == len(lines) - 1
    with open('mixed.csv', 'w') as f:
        f.write('oops,0.5\n' + '\n'.join(lines[1:]) + '\n')
    fails('train', SPEC, '--data', 'mixed.csv', '-o', 'm', says=('line 1', "'oops', '0.5'", 'header'), hint='--header present')
    assert rows_in('mixed.csv', '--header', 'present') == len(lines) - 1
    fails('train', SPEC, '--data', 'mixed.csv', '--header', 'absent', '-o', 'm', says="line 1, column 1: 'oops' is not a number")


@case
def data_with_a_column_of_texts_loses_no_row():
    rng = random.Random(3)
    with open('iris.csv', 'w') as f:
        for i in range(40):
            f.write(f'{5 + rng.random():.1f},{3 + rng.random():.1f},{"setosa" if i < 20 else "virginica"}\n')
    fails('train', SPEC, '--data', 'iris.csv', '-o', 'm', says=('line 1, column 3', 'setosa'), hint='--columns 0,1')
    assert rows_in('iris.csv', '--columns', '0,1') == 40


@case
def known_files_without_a_header():
    folder = os.path.join(DATA, 'tabular_small')
    if not os.path.isdir(folder):
        return
    for name, picked, count in (('iris', '0,1', 150), ('sonar', '3,4', 208), ('ionosphere', '2,3', 351), ('abalone', '1,2', 4177),
                                ('ecoli', '0,1', 336), ('phoneme', '0,1', 5404), ('winequality-white', '0,1', 4898)):
        assert rows_in(os.path.join(folder, name + '.csv'), '--columns', picked) == count, name
    assert rows_in(os.path.join(folder, 'diamonds.csv.gz'), '--columns', 'depth,table') == 53940
    assert rows_in(os.path.join(folder, 'old_faithful_geyser.csv'), '--columns', 'duration,waiting') == 272


@case
def headers_of_numbers_are_asked_about():
    small('pandas_int_header.csv')
    fails('train', SPEC, '--data', 'pandas_int_header.csv', '-o', 'm', says=('line 1', "'0', '1'", 'pandas'), hint='--header present')
    assert rows_in('pandas_int_header.csv', '--header', 'present') == 30
    assert rows_in('pandas_int_header.csv', '--header', 'absent') == 31
    rows = rows_of(60)
    write_csv('years.csv', rows, ['2019', '2020'])
    fails('train', SPEC, '--data', 'years.csv', '-o', 'm', says=("'2019', '2020'", 'whole numbers'), hint='--header')
    fit('years.csv', '--header', 'present')
    assert columns() == ['2019', '2020']
    # The model knows its names, so neither its samples nor such files need the option.
    nf('sample m.safetensors -n 40 -o s.csv')
    for path, count in (('s.csv', 40), ('years.csv', 60)):
        assert f'mean of {count} rows' in nf('score', 'm.safetensors', '--data', path).stdout
    fit('s.csv', output='n.safetensors')  # nf quotes such names, which it finds again by itself
    assert columns('n.safetensors') == ['2019', '2020']
    write_csv('one.csv', [[r[0]] for r in rows], ['0'])
    fails('train', SPEC, '--data', 'one.csv', '-o', 'm', says="line 1 ('0')", hint='--header')
    with open('index.csv', 'w') as f:
        f.write(',0,1\n' + ''.join(f'{i},{a!r},{b!r}\n' for i, (a, b) in enumerate(rows)))
    fails('train', SPEC, '--data', 'index.csv', '-o', 'm', says=('line 1', 'pandas'), hint='--header')


@case
def integers_and_short_files_are_no_headers():
    for text, count in (('1,2\n3,4\n5,6\n', 3), ('3,1\n0.5,1.5\n2.5,2\n', 3), ('5,3\n4.9,3\n4.7,3.2\n4.6,3.1\n5,3.6\n5.4,3.9\n', 6)):
        with open('x.csv', 'w') as f:
            f.write(text)
        assert rows_in('x.csv') == count, text


@case
def names_with_any_character_survive():
    small('semicolon_in_name.csv')
    fit('semicolon_in_name.csv')
    assert columns() == ['temp;C', 'y']
    rows = rows_of(60, cols=5)
    names = ['a "b"', 'x,y', 'temp;C', '  | tab\t', 'Größe\nm']
    with open('odd.csv', 'w') as f:
        f.write(','.join('"' + n.replace('"', '""') + '"' for n in names) + '\n' + ''.join(','.join(map(repr, r)) + '\n' for r in rows))
    fit('odd.csv', spec='{"layers": [{"type": "affine"}]}')
    assert columns() == names
    nf('sample m.safetensors -n 40 -o s.csv')
    assert 'mean of 40 rows' in nf('score m.safetensors --data s.csv').stdout
    want = nf('score m.safetensors --data odd.csv --json').stdout
    turned = [r[::-1] for r in rows]
    with open('turned.csv', 'w') as f:
        f.write(';'.join('"' + n.replace('"', '""') + '"' for n in names[::-1]) + '\n' + ''.join(';'.join(map(repr, r)) + '\n' for r in turned))
    assert nf('score m.safetensors --data turned.csv --json').stdout == want
    with open('latin.csv', 'wb') as f:
        f.write('höhe,y\n'.encode('latin-1') + ''.join(f'{r[0]!r},{r[1]!r}\n' for r in rows).encode())
    fit('latin.csv')
    assert columns() == ['höhe', 'y']
    picked = nf('train', SPEC, '--data', 'odd.csv', '--columns', '"x,y","temp;C"', '--steps', 2, '--quiet', '--force', '-o', 'p.safetensors')
    assert picked.returncode == 0 and columns('p.safetensors') == ['x,y', 'temp;C']


@case
def duplicate_names_are_refused():
    rows = rows_of(60, cols=3)
    write_csv('t.csv', rows, ['a', 'b', 'a'])
    fails('train', SPEC, '--data', 't.csv', '-o', 'm', says=("two columns named 'a'", 'column 0', 'column 2'), hint='rename')
    fails('train', SPEC, '--data', 't.csv', '--columns', '0,1', '--context-columns', '2', '-o', 'm', says="named 'a'")
    fit('t.csv', '--columns', '0,1')


@case
def columns_are_matched_by_name_or_refused():
    rows = [[a * 100, b] for a, b in rows_of(200)]
    write_csv('t.csv', [r + [0.5] for r in rows], ['a', 'b', 'c'])
    fit('t.csv', '--columns', 'a,b')
    want = nf('score m.safetensors --data t.csv --columns a,b --json').stdout
    for given in ('b,a', '1,0', 'a,b'):
        assert nf('score', 'm.safetensors', '--data', 't.csv', '--columns', given, '--json').stdout == want, given
    fails('score', 'm.safetensors', '--data', 't.csv', '--columns', 'a,c', says=('--columns picks a, c', 'trained on a, b'), hint='rename')
    write_csv('other.csv', rows, ['x', 'y'])
    fails('score', 'm.safetensors', '--data', 'other.csv', says="no column 'a'", hint='rename')
    write_npy('plain.npy', rows)  # without names: by position
    assert 'mean of 200 rows' in nf('score m.safetensors --data plain.npy').stdout


@case
def index_columns_are_named():
    small('pandas_index.csv')
    told = nf('train', SPEC, '--data', 'pandas_index.csv', '--steps', 2, '-o', 'm.safetensors').stderr
    assert 'column 0 without a name' in told and '--columns x,y' in told, told
    write_csv('ids.csv', [[i + 1] + r for i, r in enumerate(rows_of(50))], ['row', 'x', 'y'])
    told = nf('train', SPEC, '--data', 'ids.csv', '--steps', 2, '-o', 'm.safetensors').stderr
    assert 'column 0 (row)' in told and '--columns x,y' in told, told


@case
def dialects():
    small('european.csv')
    fails('train', SPEC, '--data', 'european.csv', '-o', 'm', says=("line 2, column 1 ('x')", '0,34599425986929155', 'decimal'), hint='--decimal ,')
    fit('european.csv', '--decimal', ',')
    assert columns() == ['x', 'y']
    small('savetxt_spaces.txt')
    with open(small('semicolon_in_name.csv'), 'rb') as f, open('mac_cr.csv', 'wb') as g:
        g.write(f.read().replace(b'\n', b'\r'))
    assert rows_in('savetxt_spaces.txt') == 30
    assert rows_in('mac_cr.csv') == 30
    rows = rows_of(30)
    for mark, word in (('|', 'pipe'), (';', 'semicolon'), ('\t', 'tab'), ('  ', 'space'), (' ', ' ')):
        with open('x.txt', 'w') as f:
            f.write(f'a{mark}b\n' + ''.join(f'{a!r}{mark}{b!r}\n' for a, b in rows))
        assert rows_in('x.txt') == 30 and rows_in('x.txt', '--separator', word) == 30, mark
    with open('x.txt', 'w') as f:
        f.writelines(f'{a:.6f} {b:.6f}\n'.replace('.', ',') for a, b in rows)
    fails('train', SPEC, '--data', 'x.txt', '-o', 'm', says='decimal', hint='--decimal ,')
    assert rows_in('x.txt', '--decimal', ',') == 30
    fails('score', 'two.safetensors', '--data', 'x.txt', '--separator', 'x', says=('"x" is none of', 'semicolon'))


@case
def compressed_files_and_archives():
    rows = rows_of(60)
    write_csv('t.csv', rows, ['a', 'b'])
    with open('t.csv', 'rb') as f, gzip.open('t.csv.gz', 'wb') as g:
        g.write(f.read())
    fit('t.csv.gz')
    assert columns() == ['a', 'b']
    assert rows_in('t.csv.gz') == 60
    with zipfile.ZipFile('both.npz', 'w', zipfile.ZIP_DEFLATED) as z:
        z.writestr('X.npy', npy(rows))
        z.writestr('y.npy', npy([[1.0]] * 60).replace(b'(60, 1), }  ', b'(60,), }    '))
        z.writestr('Z.npy', npy(rows_of(20)))
    fails('score', 'm.safetensors', '--data', 'both.npz', says=('3 arrays', 'X [60, 2]', 'y [60]'), hint='--array')
    assert rows_in('both.npz', '--array', 'X') == 60 and rows_in('both.npz', '--array', 'Z') == 20
    with zipfile.ZipFile('one.npz', 'w') as z:
        z.writestr('X.npy', npy(rows))
        z.writestr('y.npy', npy([[1.0]] * 60).replace(b'(60, 1), }  ', b'(60,), }    '))
    assert rows_in('one.npz') == 60
    with open('t.csv.gz', 'rb') as f:
        content = bytearray(f.read())
    content[-3] ^= 1
    with open('bad.csv.gz', 'wb') as f:
        f.write(content)
    fails('score', 'm.safetensors', '--data', 'bad.csv.gz', says=('bad.csv.gz', 'checksum'))
    set_ = os.path.join(DATA, 'adbench', '45_wine.npz')
    if os.path.exists(set_):
        fit(set_, spec='{"layers": [{"type": "standardize"}]}')
        assert info('m.safetensors')['event_size'] == 13


@case
def half_precision():
    shutil.copy(os.path.join(HERE, 'float16.npy'), 'h.npy')
    assert rows_in('h.npy') == 300
    rows = [[1.5, -2.0], [6e-8, 65504.0], [0.1, -0.0]]
    with open('x.npy', 'wb') as f:
        f.write(npy(rows, '<f2', 'e'))
    with open('y.npy', 'wb') as f:
        f.write(npy([[struct.unpack('<e', struct.pack('<e', v))[0] for v in r] for r in rows]))
    assert nf('score two.safetensors --data x.npy -o -').stdout == nf('score two.safetensors --data y.npy -o -').stdout


@case
def pipes():
    rows = rows_of(60)
    write_csv('t.csv', rows, ['a', 'b'])
    fit('t.csv')
    want = nf('score m.safetensors --data t.csv --json').stdout
    with open('t.csv') as f:
        content = f.read()
    assert nf('score', 'm.safetensors', '--data', '-', '--json', stdin=content).stdout == want
    nf('train', SPEC, '--data', '-', '--steps', 5, '--quiet', '-o', 'p.safetensors', stdin=content)
    assert info('p.safetensors')['hash'] == info('m.safetensors')['hash'] and columns('p.safetensors') == ['a', 'b']
    done = subprocess.run(['bash', '-c', f'{harness.NF} score m.safetensors --data <(cat t.csv) --json'], capture_output=True, text=True,
                          timeout=60)
    assert done.stdout == want, done.stderr
    both = nf('score', 'm.safetensors', '--data', '-', '-o', '-', stdin=nf('sample m.safetensors -n 30').stdout)
    assert len(both.stdout.splitlines()) == 31
    done = nf('score', 'm.safetensors', '--data', '-', stdin='', code=1)
    assert 'standard input: the file is empty' in done.stderr, done.stderr


@case
def rows_are_those_of_the_file():
    shutil.copy(os.path.join(HERE, 'nan_row_123.npy'), 'x.npy')
    fails('train', SPEC, '--data', 'x.npy', '-o', 'm', says=("'x.npy': row 123, column", 'NaN'), hint='--missing drop')
    fails('score', 'none', '--data', 'x.npy', says='none')
    told = nf('train', SPEC, '--data', 'x.npy', '--missing', 'drop', '--steps', 5, '-o', 'm.safetensors').stderr
    assert 'left out 1 of 400 rows' in told and 'row 123' in told, told
    # A row outside of a layer's domain is only found in training, after the split and in shuffled batches.
    rows = [[random.Random(i).random() * 0.8 + 0.1] for i in range(300)]
    rows[123] = [1.5]
    write_npy('u.npy', rows)
    spec = '{"layers": [{"type": "logit"}, {"type": "affine"}]}'
    done = nf('train', spec, '--data', 'u.npy', '--batch', 300, '--steps', 5, '--split-seed', 3, '-o', 'm.safetensors', code=1)
    assert 'row 123 (counted from 0) of u.npy' in done.stderr, done.stderr
    with open('u.csv', 'w') as f:
        f.write('a\n\n' + ''.join(f'{r[0]!r}\n' for r in rows))
    done = nf('train', spec, '--data', 'u.csv', '--batch', 300, '--steps', 5, '--split-seed', 3, '-o', 'm.safetensors', code=1)
    assert 'line 126 of u.csv' in done.stderr, done.stderr


@case
def missing_values():
    rows = rows_of(50, cols=3)
    with open('t.csv', 'w') as f:
        f.write('a,b,c\n')
        for i, r in enumerate(rows):
            cells = [repr(v) for v in r]
            if i == 7:
                cells[1] = ''
            if i == 20:
                cells[2] = 'NA'
            if i == 30:
                cells[0] = 'nan'
            f.write(','.join(cells) + '\n')
    fails('train', SPEC, '--data', 't.csv', '-o', 'm', says="line 9, column 2 ('b'): the value is missing", hint='--missing drop')
    told = nf('train', SPEC, '--data', 't.csv', '--missing', 'drop', '--steps', 2, '-o', 'm.safetensors').stderr
    assert 'left out 3 of 50 rows with missing values, the first in line 9' in told, told
    # A row leaves data and context together.
    told = nf('train', SPEC, '--data', 't.csv', '--columns', 'a,b', '--context-columns', 'c', '--missing', 'drop', '--steps', 2,
              '-o', 'c.safetensors').stderr
    assert 'left out 3 of 50 rows with missing values, the first in line 9 of t.csv' in told, told
    kept = nf('score', 'm.safetensors', '--data', 't.csv', '--missing', 'keep')
    assert '3 of 50 rows have no finite' in kept.stderr and 'the first is line 9 of t.csv' in kept.stderr, kept.stderr
    for path, r in (('nan.npy', math.nan), ('inf.npy', math.inf)):
        write_npy(path, [*rows[:4], [r, 0.0, 0.0], *rows[4:]])
        fails('score', 'm.safetensors', '--data', path, says=(path, 'row 4, column 0'), hint='--missing drop')
        assert 'mean of 50 rows' in nf('score', 'm.safetensors', '--data', path, '--missing', 'drop').stdout


@case
def where_and_ids():
    rows = rows_of(60)
    with open('t.csv', 'w') as f:
        f.write('name,kind,x,y\n')
        f.writelines(f'"row, {i}",{"odd" if i % 2 else "even"},{a!r},{b!r}\n' for i, (a, b) in enumerate(rows))
    fit('t.csv', '--columns', 'x,y', '--where', 'kind == even')
    done = nf('score', 'm.safetensors', '--data', 't.csv', '--where', 'kind = odd and x > 0', '--id', 'name', '-o', 's.csv')
    want = [i for i, r in enumerate(rows) if i % 2 and r[0] > 0]
    assert f'mean of {len(want)} rows' in done.stdout
    with open('s.csv') as f:
        lines = f.read().splitlines()
    assert lines[0] == '"name",log_prob' and [x.rsplit(',', 1)[0] for x in lines[1:]] == [f'"row, {i}"' for i in want], lines
    plain = nf('score', 'm.safetensors', '--data', 't.csv', '--where', 'kind = odd and x > 0', '-o', '-').stdout.splitlines()
    numbers = ['row', *(str(i) for i in want)]
    assert [f'{n},{x.rsplit(",", 1)[1]}' for n, x in zip(numbers, lines, strict=True)] == plain, plain
    fails('score', 'm.safetensors', '--data', 't.csv', '--where', 'kind > odd', says=('compares numbers', "'odd'"), code=1)
    fails('score', 'm.safetensors', '--data', 't.csv', '--where', 'size > 3', says="no column is named 'size'; there are 'name', 'kind', 'x', 'y'")
    fails('score', 'm.safetensors', '--data', 't.csv', '--where', 'x > 1e9', says='t.csv has no rows with x > 1e9')
    fails('score', 'm.safetensors', '--data', 't.csv', '--id', 'name', '-o', 's.npy', says='--id needs a .csv', code=2)
    # Rows of a context file follow those of the data.
    write_npy('x.npy', rows)
    write_npy('c.npy', [[float(i)] for i in range(60)])
    fit('x.npy', '--context', 'c.npy')
    some = nf('score m.safetensors --data x.npy --context c.npy -o -').stdout.splitlines()[1:]
    got = nf('score', 'm.safetensors', '--data', 'x.npy', '--context', 'c.npy', '--where', '0 > 0', '-o', '-').stdout.splitlines()[1:]
    assert got == [f'{i},{s}' for i, (s, r) in enumerate(zip(some, rows)) if r[0] > 0]


@case
def numbers_that_repeat_are_named():
    rng = random.Random(5)
    rows = [[float(sum(rng.random() < 0.1 for _ in range(20))), rng.gauss(0, 1), round(rng.gauss(0, 0.3), 1)] for _ in range(400)]
    write_npy('d.npy', rows)
    told = nf('train', '{"layers": [{"type": "affine"}]}', '--data', 'd.npy', '--steps', 2, '-o', 'm.safetensors').stderr
    assert 'columns 0 (' in told and '2 (' in told and 'different whole numbers' in told, told
    assert '--dequantize 0,2 spreads them' in told.replace('"', ''), told
    fixed = '{"layers": [{"type":"dequantize","columns":[0]}, {"type":"dequantize","step":0.1,"columns":[2]}, {"type": "affine"}]}'
    told = nf('train', fixed, '--data', 'd.npy', '--steps', 2, '-o', 'm.safetensors').stderr
    assert 'repeat' not in told, told


@case
def samples_have_the_columns_of_the_data():
    rng = random.Random(5)
    write_csv('t.csv', [[rng.randrange(900_000, 1_100_000), rng.gauss(0, 1)] for _ in range(200)], ['size', 'v'])
    fit('t.csv', '--standardize', spec='{"layers": [{"type": "affine"}]}')
    lines = nf('sample m.safetensors -n 50').stdout.splitlines()
    assert lines[0] == 'size,v'
    first = [line.split(',')[0] for line in lines[1:]]
    assert all(v.isdigit() and len(v) in (6, 7) for v in first), first
    raw = nf('sample m.safetensors -n 50 --raw').stdout.splitlines()[1:]
    assert [round(float(line.split(',')[0])) for line in raw] == [int(v) for v in first]
    assert any('.' in line.split(',')[0] for line in raw)
    fit('t.csv', '--columns', 'v', spec='{"layers": [{"type": "affine"}]}')
    assert '.' in nf('sample m.safetensors -n 1').stdout


@case
def anomalies():
    rows = rows_of(500)
    write_npy('t.npy', rows)
    train('--holdout', 0, data='t.npy', steps=300)
    got = json.loads(nf('score m.safetensors --data t.npy --quantile 0.05 --json').stdout)
    assert abs(got['anomalies'] - 25) <= 1, got
    write_npy('x.npy', [[0.0, 0.0], [9.0, -9.0]])
    nf('score m.safetensors --data x.npy --quantile 0.05 -o s.csv')
    with open('s.csv') as f:
        lines = [x.split(',') for x in f.read().splitlines()]
    assert lines[0] == ['log_prob', 'percentile', 'anomaly'] and lines[1][2] == '0' and lines[2][1:] == ['0', '1'], lines
    assert 5 < float(lines[1][1]) <= 100
    text = nf('score m.safetensors --data x.npy --quantile 0.05').stdout
    assert 'anomalies  1 of 2 rows (50 %), below threshold' in text and '0.05 quantile of the training rows' in text, text
    got = json.loads(nf('score', 'm.safetensors', '--data', 't.npy', '--threshold', got['threshold'], '--json').stdout)
    assert abs(got['anomalies'] - 25) <= 1, got
    nf('score m.safetensors --data x.npy --threshold -5 -o s.npy')
    assert read_npy('s.npy')[0] == (2, 3)
    fails('score', 'm.safetensors', '--data', 'x.npy', '--quantile', '0.1', '--threshold', '3', says='--threshold', code=2)
    fails('score', 'm.safetensors', '--data', 'x.npy', '--quantile', '1.5', says='quantile', code=2)
    fails('score', 'm.safetensors.checkpoint', '--data', 'x.npy', '--quantile', '0.1', says=('checkpoint', '--quantile'),
          hint='--threshold')


@case
def shaped_by_where_the_rows_are():
    """An in-memory .npy of another rank keeps its shape when rows are left out."""
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 2, 2, 1), }"
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    values = [random.Random(1).random() for _ in range(240)]
    values[9] = math.nan
    data = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + struct.pack('<240f', *values)
    with open('im.npy', 'wb') as f:
        f.write(data)
    fit('im.npy', '--missing', 'drop', spec='{"layers": [{"type": "affine"}]}')
    assert json.loads(nf('info m.safetensors --json').stdout)['spec']['event'] == [2, 2, 1]


harness.main(__doc__)
