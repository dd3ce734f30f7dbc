"""nf plot: every picture is a file of the right kind and size that shows what it should, and wrong use is reported."""
import os
import subprocess

import harness
from harness import NF, case, environment, fails, nf, rows_of, train, write_csv, write_npy
from picture import count, extent, ink, is_blue, is_orange, margins_are_white, panels, read_png

IDENTITY = '{"layers": [{"type": "reverse"}]}'  # the model is the standard normal


def content(path):
    with open(path, 'rb') as f:
        return f.read()


def models():
    write_npy('train.npy', rows_of(400))
    train()
    train(spec=IDENTITY, output='normal.safetensors', steps=1)


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
        assert margins_are_white(rows), 'ink at the edge'
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
    nf('plot flow m.safetensors --points 60 --size 120 -o again.gif')
    assert content('again.gif') == data, 'the same animation every time'
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


@case
def columns_of_unequal_scales_fill_their_panels():
    wide = [[4000 * x, 0.05 * y] for x, y in rows_of(400)]
    write_npy('wide.npy', wide)
    coupling = '{"type": "affine_coupling", "hidden": [16]}'
    train(data='wide.npy', steps=200, spec=f'{{"layers": [{{"type": "standardize"}}, {coupling}, {{"type": "reverse"}}, {coupling}]}}')
    done = nf('plot samples m.safetensors --data wide.npy --size 200 -o s.png')
    rows = read_png('s.png')[2]
    (x, y), _ = panels(rows, 200)
    for part in extent(rows, x, y, 200, is_blue):
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
        return extent(rows, x, y, 200, is_orange)[0]
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
    for picture in ('density', 'samples', 'pairs', 'scores', 'layers', 'flow', 'curve', 'sheet', 'target'):
        assert 'Examples:' in nf('plot', picture, '--help').stdout


@case
def data_columns_and_strange_rows():
    models()
    write_npy('three.npy', rows_of(50, cols=3) + [[float('inf'), 0.0, 0.0], [float('nan'), 0.0, 0.0]])
    for picture in ('samples', 'layers', 'density'):
        nf(f'plot {picture} m.safetensors --data three.npy --data-columns 0,1 -o d.png')
    write_npy('still.npy', [[1.0, 2.0]] * 5)  # no extent at all
    nf('plot density m.safetensors --data still.npy -o d.png')


@case
def rows_outside_the_window_are_counted():
    models()
    # 400 rows in the window and 4 far outside of it: fewer than the share that the window leaves out at each end.
    rows = [[x, y] for x, y in rows_of(2000)] + [[1e6, 0.0], [0.0, -1e6], [float('inf'), 0.0], [float('nan'), 0.0]]
    write_npy('far.npy', rows)
    write_npy('near.npy', rows_of(2000))

    def told(picture):
        lines = [line for line in nf(f'plot {picture} m.safetensors --data far.npy --size 200 -o f.png').stdout.splitlines()
                 if line.startswith('outside the window')]
        assert len(lines) == 1, lines
        return lines[0]
    outside = int(told('density').split()[3])
    assert 4 <= outside < 30, outside
    assert f'outside the window  {outside} of 2,004 data rows' == told('density')
    assert f'outside the window  {outside} of 2,004 data rows' in told('samples')
    assert 'of 2,004 points in a panel' in told('layers')
    # The note right of the title has the count: more ink there than without.
    nf('plot samples m.safetensors --data far.npy --size 300 -o f.png')
    far = read_png('f.png')[2]
    x, y = panels(far, 300)[0]
    assert ink(far, x + 150, y - 25, x + 300, y - 5) > 0.05


@case
def color_bars_have_arrows_where_they_saturate():
    models()

    def bar(picture):
        """Whether there is an arrow above and below the bar, which is right of the last panel."""
        rows = read_png(picture)[2]
        x, y = panels(rows, 200)[-1]
        x0, x1 = x + 200 + 18, x + 200 + 26
        return ink(rows, x0, y - 7, x1, y - 2) > 0.3, ink(rows, x0, y + 203, x1, y + 208) > 0.3
    write_npy('wide.npy', [[x, y] for x in (-30, 30) for y in (-30, 30)])
    # The normal density at this scale is a spot of a few pixels, more than the brightest color shows.
    nf('plot density normal.safetensors --data wide.npy --size 200 -o a.png')
    assert bar('a.png') == (True, False), bar('a.png')
    nf('plot density normal.safetensors --data wide.npy --size 200 --log -o b.png')
    assert bar('b.png') == (True, True), bar('b.png')


@case
def curves_that_leave_the_window_are_marked():
    head = 'step,train_log_likelihood,valid_log_likelihood,lr,seconds\n'
    steps = range(0, 1000, 10)

    def draw(name, value):
        with open(name + '.csv', 'w') as f:
            f.write(head + ''.join(f'{s},{value(s)},{-1.1 - 0.05 / (s + 1)},0.1,1\n' for s in steps))
        out = nf(f'plot curve {name}.csv --size 200 -o {name}.png').stdout
        rows = read_png(name + '.png')[2]
        x, y = panels(rows, 300)[0]
        below = count(rows, x + 1, y + 172, x + 299, y + 179, is_blue)
        return below, [line for line in out.splitlines() if 'below the window' in line]
    flat, said = draw('flat', lambda s: -1.2 - s * 1e-6)
    assert flat == 0 and not said, (flat, said)
    cut, said = draw('cut', lambda s: -1e5 if s < 50 else -1.2)
    assert cut > 20 and said == ['below the window  5 points'], (cut, said)
    broken, said = draw('broken', lambda s: 'nan' if s == 500 else -1.2)
    assert broken > 20 and said == ['below the window  1 point'], (broken, said)
    nf('plot curve broken.csv --size 120 -o small.png')
    # Of very many points, each column of pixels keeps its extremes.
    steps = range(40000)
    flat, _ = draw('spike', lambda s: -1.5 if s == 20100 else -1.2)
    rows = read_png('spike.png')[2]
    x, y = panels(rows, 300)[0]
    spike = [i for i in range(300) if is_blue(rows[y + 120][x + i])]
    assert 1 <= len(spike) < 6 and abs(spike[0] - 150) < 5, spike


@case
def whole_numbers_have_whole_ticks():
    # A tick at 0.5 between two columns of pixels would put a number where whole numbers leave none.
    write_npy('whole.npy', [[float(i % 3), float(i % 2)] for i in range(300)], dtype='d')
    write_npy('real.npy', [[i % 3 + 1e-3 * (i % 7), i % 2 + 1e-3 * (i % 5)] for i in range(300)], dtype='d')
    models()

    def numbers(data):
        nf(f'plot samples m.safetensors --data {data} --size 300 -o n.png')
        rows = read_png('n.png')[2]
        x, y = panels(rows, 300)[0]
        ticks = [rows[y + 304][i] for i in range(x, x + 300)]
        return sum(max(p) < 200 for p in ticks)
    assert numbers('whole.npy') < numbers('real.npy'), (numbers('whole.npy'), numbers('real.npy'))


@case
def extreme_columns():
    models()
    for name, rows in (('big', [[1e300, -1e300], [-1e300, 1e300], [0.0, 0.0]]), ('one', [[1.6e9, 3.0]]),
                       ('offset', [[1.6e9 + i, 1e-9 * i] for i in range(50)]), ('large', [[1e18, 1e18]] * 3)):
        write_npy(name + '.npy', rows, dtype='d')
        for picture in ('samples', 'density', 'layers', 'pairs'):
            nf(f'plot {picture} m.safetensors --data {name}.npy --size 120 -o x.png')
            assert margins_are_white(read_png('x.png')[2]), (name, picture)


@case
def pictures_without_fonts_keep_their_numbers():
    models()
    with open('fonts.conf', 'w') as f:
        f.write('<fontconfig><cachedir prefix="cwd">none</cachedir></fontconfig>')
    done = nf('plot', 'samples', 'm.safetensors', '--data', 'train.npy', '--size', 150, '-o', 'n.png',
              env=environment(FONTCONFIG_FILE=os.path.abspath('fonts.conf')))
    assert done.stderr.startswith('nf: note: no font was found') and 'fonts-dejavu-core' in done.stderr, done.stderr
    rows = read_png('n.png')[2]
    x, y = panels(rows, 150)[0]
    assert ink(rows, x, y + 157, x + 150, y + 172) > 0.02, 'no numbers below'
    assert ink(rows, 2, y, x - 6, y + 150) > 0.02, 'no numbers on the left'


@case
def too_large():
    models()
    fails('plot', 'sheet', *['m.safetensors'] * 80, '--data', *['train.npy'] * 80, '--size', 2000, '--points', 1, '-o', 's.png',
          says=('pixels', '32,767'), hint='--size')


harness.main(__doc__)
