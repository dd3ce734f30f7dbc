"""nf plot: every picture is a file of the right kind and size that shows what it should, and wrong use is reported."""
import os
import struct
import subprocess
import zlib

import harness
from harness import NF, case, environment, fails, nf, rows_of, train, write_csv, write_npy

IDENTITY = '{"layers": [{"type": "reverse"}]}'  # the model is the standard normal


def unfiltered(data, stride, pixel):
    """Undoes the five PNG filters."""
    rows, above = [], bytes(stride)
    for at in range(0, len(data), stride + 1):
        kind, row = data[at], bytearray(data[at + 1:at + 1 + stride])
        for i in range(stride):
            left, up = row[i - pixel] if i >= pixel else 0, above[i]
            corner = above[i - pixel] if i >= pixel else 0
            if kind == 4:
                p = left + up - corner
                guess = min((left, up, corner), key=lambda v: abs(p - v))
            else:
                guess = (0, left, up, (left + up) // 2)[kind]
            row[i] = (row[i] + guess) & 255
        rows.append(bytes(row))
        above = rows[-1]
    return rows


def read_png(path):
    """(width, height, rows of (r, g, b))"""
    with open(path, 'rb') as f:
        data = f.read()
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed, palette = 8, b'', None
    while at < len(data):
        size, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack('>I', data[at + 8 + size:at + 12 + size])[0]
        if kind == b'IHDR':
            width, height, depth, color = struct.unpack('>IIBB', body[:10])
            assert depth == 8
        elif kind == b'PLTE':
            palette = [tuple(body[i:i + 3]) for i in range(0, size, 3)]
        elif kind == b'IDAT':
            packed += body
        at += 12 + size
    pixel = 3 if color == 2 else 1
    rows = unfiltered(zlib.decompress(packed), width * pixel, pixel)
    if palette:
        return width, height, [[palette[i] for i in row] for row in rows]
    return width, height, [[tuple(row[3 * x:3 * x + 3]) for x in range(width)] for row in rows]


def content(path):
    with open(path, 'rb') as f:
        return f.read()


def models():
    write_npy('train.npy', rows_of(400))
    train()
    train(spec=IDENTITY, output='normal.safetensors', steps=1)


def ink(rows, x0, y0, x1, y1):
    """Part of a region that is not white."""
    inside = [rows[y][x] for y in range(y0, y1) for x in range(x0, x1)]
    return sum(min(p) < 250 for p in inside) / len(inside)


@case
def density_is_bright_where_the_model_is_dense():
    models()
    write_npy('square.npy', [[x, y] for x in (-3, -1, 1, 3) for y in (-3, -1, 1, 3)])
    nf('plot density normal.safetensors --data square.npy --size 200 -o d.png')
    width, height, rows = read_png('d.png')
    assert width > 2 * 200 and height > 200
    # The map is the last 200 dark columns before the color bar and the margins.
    dark = [x for x in range(width) if sum(sum(rows[y][x]) < 150 for y in range(height)) > 150]
    x0 = dark[0]
    y0 = max(y for y in range(height) if sum(rows[y][x0 + 3]) < 150) - 199

    def light(x, y):
        return sum(rows[y0 + y][x0 + x])
    middle, half, far = light(100, 100), light(100, 60), light(5, 5)
    assert middle > half > far, (middle, half, far)
    assert middle > 600 and far < 120, (middle, far)  # pale yellow, night
    assert light(60, 100) == half or abs(light(60, 100) - half) < 40  # round
    nf('plot density normal.safetensors --data square.npy --size 200 -o again.png')
    assert content('d.png') == content('again.png'), 'the same picture every time'


@case
def pictures_have_the_size_asked_for_and_stay_in_their_panels():
    models()
    for side in (120, 200):
        nf(f'plot samples m.safetensors --data train.npy --size {side} -o s.png')
        width, height, rows = read_png('s.png')
        assert 2 * side < width < 2 * side + 220 and side < height < side + 130
        assert all(min(rows[y][x]) > 250 for x in (0, width - 1) for y in range(height)), 'ink at the edge'
        assert all(min(rows[y][x]) > 250 for y in (0, height - 1) for x in range(width)), 'ink at the edge'
        assert ink(rows, 80, 50, 70 + side, 40 + side) > 0.02
    nf('plot samples m.safetensors -o alone.png')
    assert read_png('alone.png')[0] < 600


@case
def layers_show_every_state_but_reorderings():
    models()
    done = nf('plot layers m.safetensors --data train.npy --size 120 -o l.png').stdout
    width, height, rows = read_png('l.png')
    assert f'({width} x {height})' in done
    # x, two couplings; the two reverses have no panel: three of 120 pixels, 46 apart
    assert 3 * 120 < width < 3 * 120 + 3 * 50 + 40, width
    nf('plot layers m.safetensors -o l.png')
    nf('plot layers normal.safetensors -o l.png')  # only a reordering: one panel
    assert read_png('l.png')[0] < 500


@case
def flow_is_an_animation():
    models()
    nf('plot flow m.safetensors --points 60 --size 120 -o f.gif')
    with open('f.gif', 'rb') as f:
        data = f.read()
    assert data[:6] == b'GIF89a' and data[-1:] == b';' and b'NETSCAPE2.0' in data
    assert 20 < data.count(b'\x21\xf9\x04') < 120
    nf('plot flow normal.safetensors --points 60 --size 120 -o f.gif')  # nothing moves


@case
def one_column_is_a_curve():
    write_csv('one.csv', [[row[0]] for row in rows_of(300)], ['speed'])
    train(spec='{"layers": [{"type": "elementwise_affine"}]}', data='one.csv')
    nf('plot density m.safetensors --data one.csv -o a.png')
    nf('plot samples m.safetensors --data one.csv -o b.png')
    assert content('a.png') == content('b.png')
    nf('plot density m.safetensors -o c.png')


@case
def columns_by_name_and_index():
    names = ['a', 'b', 'c', 'd', 'e']
    write_csv('five.csv', rows_of(300, cols=5), names)
    train(data='five.csv')
    nf('plot samples m.safetensors --data five.csv --columns b,a --size 150 -o n.png')
    nf('plot samples m.safetensors --data five.csv --columns 1,0 --size 150 -o i.png')
    nf('plot samples m.safetensors --data five.csv --columns 0,1 --size 150 -o o.png')
    assert content('n.png') == content('i.png') != content('o.png')
    nf('plot layers m.safetensors --columns a,e -o l.png')
    nf('plot flow m.safetensors --columns a,e --points 50 --size 120 -o f.gif')
    # Two couplings, one per column shown; the reverses have no panel although they move other columns there.
    assert 3 * 200 < read_png('l.png')[0] < 4 * 200 + 40, read_png('l.png')[0]
    fails('plot', 'density', 'm.safetensors', '-o', 'd.png', says=('one or two columns', '5'), hint='nf plot samples')
    fails('plot', 'samples', 'm.safetensors', '-o', 'd.png', says='5 columns', hint='a, b, c, d, e')
    fails('plot', 'layers', 'm.safetensors', '-o', 'd.png', says='5 columns', hint='--columns')
    fails('plot', 'flow', 'm.safetensors', '-o', 'd.gif', says='5 columns', hint='--columns')
    fails('plot', 'samples', 'm.safetensors', '--columns', 'a,z', '-o', 'd.png', says="'z'", hint='did you mean')
    fails('plot', 'samples', 'm.safetensors', '--columns', '0,5', '-o', 'd.png', says="'5'")
    fails('plot', 'samples', 'm.safetensors', '--columns', '0', '-o', 'd.png', code=2, says='two columns')
    fails('plot', 'samples', 'm.safetensors', '--columns', '0,1,2', '-o', 'd.png', code=2, says='two columns')


@case
def context():
    write_csv('t.csv', rows_of(300, cols=3), ['a', 'b', 'c'])
    train('--columns', 'a,b', '--context-columns', 'c', data='t.csv')
    write_csv('one.csv', [[0.5]])
    write_csv('two.csv', [[0.5], [1.0]])
    nf('plot density m.safetensors --context one.csv --data t.csv -o d.png')
    fails('plot', 'density', 'm.safetensors', '-o', 'e.png', says='context', hint='--context')
    fails('plot', 'density', 'm.safetensors', '--context', 'two.csv', '-o', 'e.png', says=('two.csv', '2 rows'))
    models()
    fails('plot', 'density', 'm.safetensors', '--context', 'one.csv', '-o', 'e.png', says='context')


def extent(rows, x0, y0, side, is_point):
    """Returns width and height of what is drawn in a panel, as fractions of its side."""
    spots = [(x, y) for y in range(y0 + 2, y0 + side - 2) for x in range(x0 + 2, x0 + side - 2) if is_point(rows[y][x])]
    assert spots, 'nothing drawn'
    return [(max(s[i] for s in spots) - min(s[i] for s in spots)) / side for i in (0, 1)]


def panels(rows, side):
    """Returns left and top of each panel, found by the line of at least `side` pale pixels along its top."""
    gray = [[max(p) - min(p) < 40 and p[0] < 160 for p in row] for row in rows]
    for y, row in enumerate(gray):
        starts = [x for x in range(len(row) - side) if all(row[x:x + side]) and not row[x - 1]]
        if starts:
            return [(x, y) for x in starts]
    raise AssertionError('no frame')


@case
def columns_of_unequal_scales_fill_their_panels():
    wide = [[4000 * x, 0.05 * y] for x, y in rows_of(400)]
    write_npy('wide.npy', wide)
    coupling = '{"type": "affine_coupling", "hidden": [16]}'
    train(data='wide.npy', steps=200, spec=f'{{"layers": [{{"type": "standardize"}}, {coupling}, {{"type": "reverse"}}, {coupling}]}}')
    done = nf('plot samples m.safetensors --data wide.npy --size 200 -o s.png')
    rows = read_png('s.png')[2]
    (x, y), _ = panels(rows, 200)
    for part in extent(rows, x, y, 200, lambda p: p[2] > p[0] + 40):
        assert part > 0.6, part
    assert all(min(row[0]) > 250 for row in rows), 'ink at the left edge'
    # The grid of the density follows the window; with equal units it would be a line, and the mass would be wrong.
    done = nf('plot density m.safetensors --data wide.npy --size 200 -o d.png')
    mass = float(done.stdout.split('mass in the window')[1].split()[0])
    assert 0.8 < mass < 1.02, mass
    assert ('the window holds' in done.stderr) == (abs(mass - 1) > 0.02), done.stderr
    nf('plot layers m.safetensors --data wide.npy --size 120 -o l.png')
    rows = read_png('l.png')[2]
    x, y = panels(rows, 120)[0]
    for part in extent(rows, x, y, 120, lambda p: max(p) - min(p) > 40):
        assert part > 0.6, part
    assert all(min(row[x]) > 250 for row in rows for x in range(3)), 'ink at the left edge'
    nf('plot flow m.safetensors --points 50 --size 120 -o f.gif')


@case
def mass_outside_the_window_is_reported():
    models()
    write_npy('middle.npy', [[x, y] for x in (-0.5, 0.5) for y in (-0.5, 0.5)])
    done = nf('plot density normal.safetensors --data middle.npy --size 120 -o d.png')
    mass = float(done.stdout.split('mass in the window')[1].split()[0])
    assert 0.1 < mass < 0.4, mass
    assert done.stderr == f'nf: note: the window holds {mass:.4f} of the mass\n', done.stderr
    write_npy('far.npy', [[90.0, 90.0], [91.0, 91.0]])
    assert 'is elsewhere' in nf('plot density normal.safetensors --data far.npy --size 120 -o d.png').stderr
    write_npy('all.npy', [[x, y] for x in (-4, 4) for y in (-4, 4)])
    assert nf('plot density normal.safetensors --data all.npy --size 120 -o d.png').stderr == ''


@case
def each_row_has_its_own_context():
    # The first column is the context plus a little noise, so samples under one context spread less than the data.
    table = [[c + 0.02 * x, y, c] for c, (x, y) in zip([(i % 40) / 4 for i in range(800)], rows_of(800))]
    write_csv('t.csv', table, ['a', 'b', 'c'])
    spec = '{"layers": [{"type": "affine_coupling", "hidden": [16]}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [16]}]}'
    train('--columns', 'a,b', '--context-columns', 'c', '--lr', '0.01', data='t.csv', spec=spec, steps=600)

    def orange(picture):
        rows = read_png(picture)[2]
        x, y = panels(rows, 200)[1]
        return extent(rows, x, y, 200, lambda p: p[0] > p[2] + 40)[0]
    done = nf('plot samples m.safetensors --data t.csv --size 200 -o own.png')
    assert done.stderr == '', done.stderr
    write_csv('one.csv', [[5.0]])
    done = nf('plot samples m.safetensors --data t.csv --context one.csv --size 200 -o one.png')
    assert done.stderr.startswith('nf: note: t.csv has rows of all contexts') and 'c = 5' in done.stderr, done.stderr
    assert done.stderr.count('\n') == 1
    assert orange('own.png') > 0.7 > 0.5 > orange('one.png'), (orange('own.png'), orange('one.png'))
    for picture in ('layers', 'flow'):
        name = 'o.gif' if picture == 'flow' else 'o.png'
        assert nf(f'plot {picture} m.safetensors --data t.csv --points 50 --size 120 -o {name}').stderr == ''
        own = content(name)
        assert 'all contexts' in nf(f'plot {picture} m.safetensors --data t.csv --context one.csv --points 50 --size 120 -o {name}').stderr
        assert own != content(name)
    # The columns can be selected by flags and come from a separate file.
    write_csv('bare.csv', table)
    write_csv('c.csv', [[row[2]] for row in table], ['c'])
    nf('plot samples m.safetensors --data bare.csv --data-columns 0,1 --context-columns 2 --size 200 -o same.png')
    assert content('same.png') == content('own.png')
    nf('plot samples m.safetensors --data t.csv --context c.csv --size 200 -o same.png')
    assert content('same.png') == content('own.png')
    fails('plot', 'samples', 'm.safetensors', '--data', 'bare.csv', '--data-columns', '0,1', '-o', 'e.png', says='context',
          hint='--context-columns')
    write_csv('two.csv', [[0.5], [1.0]])
    fails('plot', 'layers', 'm.safetensors', '--data', 't.csv', '--context', 'two.csv', '-o', 'e.png',
          says=('two.csv', '2 rows', '800'))
    nf('plot samples m.safetensors --context one.csv -o alone.png')


@case
def curve():
    write_npy('train.npy', rows_of(300))
    train('--curve', 'c.csv')
    nf('plot curve c.csv --size 150 -o c.png')
    width, height, rows = read_png('c.png')
    assert any(r > 200 and g < 130 and b < 80 for row in rows for r, g, b in row), 'no orange validation'
    train('--curve', 'c.csv', '--holdout', '0')
    nf('plot curve c.csv --size 150 -o c.png')
    assert not any(r > 200 and g < 130 and b < 80 for row in read_png('c.png')[2] for r, g, b in row)
    write_csv('other.csv', [[1, 2]], ['a', 'b'])
    fails('plot', 'curve', 'other.csv', '-o', 'd.png', says='other.csv', hint='--curve')
    fails('plot', 'curve', 'none.csv', '-o', 'd.png', says='none.csv')
    with open('c.csv') as f:
        lines = f.read().splitlines()
    for name, bad in (('short.csv', lines[:2]), ('torn.csv', lines[:3] + ['40,-2.5,'])):
        with open(name, 'w') as f:
            f.write('\n'.join(bad) + '\n')
        fails('plot', 'curve', name, '-o', 'd.png', says=name)


@case
def sheet():
    models()
    write_npy('five.npy', rows_of(50, cols=5))
    train(data='five.npy', output='five.safetensors')
    nf('plot', 'sheet', *['m.safetensors'] * 7, '--data', *['train.npy'] * 7, '-o', 's.png')
    width, height, rows = read_png('s.png')
    assert 4 * 150 < width < 4 * 190 and 4 * 150 < height < 4 * 200  # two rows of four, data and density
    fails('plot', 'sheet', 'm.safetensors', '--data', 'train.npy', 'train.npy', '-o', 't.png', code=2, says=('1 model,', '2 files'))
    fails('plot', 'sheet', 'five.safetensors', '--data', 'five.npy', '-o', 't.png', says='5 columns')


@case
def wrong_use():
    models()
    write_csv('three.csv', rows_of(20, cols=3))
    before = set(os.listdir('.'))
    fails('plot', 'density', 'none.safetensors', '-o', 'd.png', says='none.safetensors')
    fails('plot', 'density', 'm.safetensors', '--data', 'none.npy', '-o', 'd.png', says='none.npy')
    fails('plot', 'density', 'm.safetensors', '--data', 'three.csv', '-o', 'd.png', says=('three.csv', '3 columns'),
          hint='--data-columns')
    fails('plot', 'density', 'm.safetensors', '-o', 'no/such/d.png', says='no/such/d.png')
    fails('plot', 'flow', 'm.safetensors', '-o', 'no/such/d.gif', '--points', 5, says='no/such/d.gif')
    fails('plot', 'density', 'm.safetensors', '-o', 'd.jpg', code=2, says='.png')
    fails('plot', 'flow', 'm.safetensors', '-o', 'd.png', code=2, says='.gif')
    fails('plot', 'density', 'm.safetensors', code=2, says='--output')
    fails('plot', 'density', '-o', 'd.png', code=2, says='MODEL')
    fails('plot', 'densty', 'm.safetensors', code=2, says=('densty', 'did you mean density'))
    fails('plot', 'density', 'm.safetensors', '-o', 'd.png', '--siez', 9, code=2, says=('nf plot density', '--siez', '--size'))
    for flag, values in (('--size', (0, -5, 119, 2001)), ('--points', (0, -1, 1000001))):
        for value in values:
            fails('plot', 'samples', 'm.safetensors', '-o', 'd.png', flag, value, code=2, says=f'{flag} {value}')
    assert set(os.listdir('.')) == before, set(os.listdir('.')) - before
    bare = subprocess.run([NF, 'plot'], capture_output=True, text=True, env=environment())
    assert bare.returncode == 2 and 'density' in bare.stdout and 'nf plot flow' in bare.stdout
    for picture in ('density', 'samples', 'layers', 'flow', 'curve', 'sheet'):
        assert 'Examples:' in nf('plot', picture, '--help').stdout


@case
def data_columns_and_strange_rows():
    models()
    write_npy('three.npy', rows_of(50, cols=3) + [[float('inf'), 0.0, 0.0], [float('nan'), 0.0, 0.0]])
    for picture in ('samples', 'layers', 'density'):
        nf(f'plot {picture} m.safetensors --data three.npy --data-columns 0,1 -o d.png')
    write_npy('still.npy', [[1.0, 2.0]] * 5)  # no extent at all
    nf('plot density m.safetensors --data still.npy -o d.png')


harness.main(__doc__)
