"""nf plot scores: bars of the rows' log-likelihoods, the model's own samples as a line, the threshold where it belongs."""
import harness
from harness import case, fails, nf, rows_of, train, write_csv, write_npy
from picture import count, is_blue, is_orange, margins_are_white, panels, read_png

IDENTITY = '{"layers": [{"type": "reverse"}]}'  # the model is the standard normal
UNIT = '{"base": {"type": "uniform"}, "layers": [{"type": "elementwise_affine"}]}'  # the density outside of a square is 0


def is_dark(p):
    return max(p) < 70


def draw(*more, model='m.safetensors', size=200):
    """Returns what was printed, the pixels, left and top of the panel, which is 3/2 of the size wide."""
    done = nf('plot', 'scores', model, '--size', size, '-o', 's.png', *more)
    rows = read_png('s.png')[2]
    x, y = panels(rows, size * 3 // 2)[0]
    assert margins_are_white(rows)
    return done, rows, x, y


def normal():
    write_npy('train.npy', rows_of(500))
    train(spec=IDENTITY, steps=1)


@case
def bars_and_line():
    normal()
    done, rows, x, y = draw('--data', 'train.npy')
    assert count(rows, x, y, x + 300, y + 180, is_blue) > 500
    assert count(rows, x, y, x + 300, y + 180, is_orange) > 100
    assert done.stderr == '' and 'threshold' not in done.stdout
    draw('--data', 'train.npy')
    first = open('s.png', 'rb').read()
    draw('--data', 'train.npy')
    assert open('s.png', 'rb').read() == first, 'the same picture every time'


@case
def the_threshold_is_a_line_where_it_belongs():
    normal()
    # log-likelihoods of (r, 0) under the standard normal: -log(2 pi) - r^2 / 2
    write_npy('r.npy', [[(i % 100) / 25, 0.0] for i in range(1000)])

    def line(*more):
        done, rows, x, y = draw('--data', 'r.npy', *more)
        dark = [i for i in range(300) if all(is_dark(rows[y + j][x + i]) for j in range(100, 175, 5))]
        assert dark and dark[-1] - dark[0] < 4, dark
        return dark[0], done.stdout
    at, said = line('--threshold', -6)
    # r^2 / 2 > 6 - log(2 pi): r > 2.8853
    assert 'threshold  -6 nats; below it 270 of 1,000 rows (27 %)' in said, said
    further, said = line('--threshold', -3)
    assert further > at
    # Of the training rows, whose scores the model knows: a tenth of a standard normal is below -log(2 pi) - 2.303.
    low, said = line('--quantile', 0.1)
    assert abs(float(said.split('threshold')[1].split()[0]) + 4.14) < 0.15, said
    low, said = line('--quantile', 0.1, '--reference', 'r.npy')
    assert '100 of 1,000 rows (10 %)' in said, said
    assert low < at
    # A threshold outside of the scores widens the window.
    outside, said = line('--threshold', -50)
    assert outside < 30 and 'below it 0 of 1,000 rows' in said, (outside, said)
    # The quantile of other rows.
    write_npy('other.npy', [[3.0, 0.0]] * 10)
    there, said = line('--quantile', 0.5, '--reference', 'other.npy')
    assert 'below it 240 of 1,000 rows' in said, said


@case
def impossible_rows_are_counted():
    inside = [[0.1 + 0.008 * i, 0.9 - 0.008 * i] for i in range(100)]
    write_npy('train.npy', inside)
    train(spec=UNIT, steps=1)
    write_npy('some.npy', inside + [[-9.0, 0.5]] * 7)
    done, rows, x, y = draw('--data', 'some.npy')
    assert '7 of them -infinity' in done.stdout, done.stdout
    assert count(rows, x + 1, y + 165, x + 10, y + 178, is_blue) > 20, 'no triangle at the left edge'
    write_npy('all.npy', [[-9.0, 0.5]] * 3)
    done, rows, x, y = draw('--data', 'all.npy', '--quantile', 0.5)
    assert '3 of 3 rows, 3 of them -infinity' in done.stdout, done.stdout
    done, rows, x, y = draw('--data', 'train.npy')
    assert 'infinity' not in done.stdout


@case
def one_extreme_row_leaves_the_others_visible():
    # The density of z = cbrt(x) has a spike at 0.
    write_npy('train.npy', rows_of(300))
    train(spec='{"layers": [{"type": "cbrt"}]}', steps=1)
    for extreme, left in (([1e-300, 1e-300], False), ([1e9, 1e9], True)):
        write_npy('x.npy', [*rows_of(99), extreme])
        done, rows, x, y = draw('--data', 'x.npy')
        assert 'outside the window  1 of 100 rows' in done.stdout, done.stdout
        columns = sum(count(rows, x + i, y, x + i + 1, y + 175, is_blue) > 0 for i in range(12, 288))
        assert columns > 45, (extreme, columns)
        at = x + 1 if left else x + 290
        assert count(rows, at, y + 165, at + 9, y + 178, is_blue) > 20, f'no triangle for {extreme}'


@case
def odd_tables():
    normal()
    write_npy('row.npy', [[0.5, 0.5]])
    done, rows, x, y = draw('--data', 'row.npy', '--quantile', 0.01)
    assert 'of 1 row ' in done.stdout, done.stdout
    write_npy('same.npy', [[0.5, 0.5]] * 50)
    draw('--data', 'same.npy')
    write_npy('nan.npy', [[0.5, 0.5]] * 9 + [[float('nan'), 0.5]])
    done, rows, x, y = draw('--data', 'nan.npy', '--threshold', -100)
    assert 'below it 1 of 10 rows' in done.stdout and '1 of them NaN' in done.stdout, done.stdout
    write_csv('one.csv', [[row[0]] for row in rows_of(300)], ['speed'])
    train(data='one.csv', spec='{"layers": [{"type": "elementwise_affine"}]}', output='one.safetensors')
    draw('--data', 'one.csv', model='one.safetensors')
    write_csv('t.csv', rows_of(200, cols=3), ['a', 'b', 'c'])
    train('--columns', 'a,b', '--context-columns', 'c', data='t.csv', output='c.safetensors')
    draw('--data', 't.csv', model='c.safetensors')
    write_csv('c.csv', [[0.5]], ['c'])
    draw('--data', 't.csv', '--context', 'c.csv', model='c.safetensors')


@case
def wrong_use():
    normal()
    usual = ('plot', 'scores', 'm.safetensors', '--data', 'train.npy', '-o', 's.png')
    fails(*usual, '--threshold', -3, '--quantile', 0.1, code=2, says=('--threshold', '--quantile'))
    for share in (0, 1, -0.5, 'nan'):
        fails(*usual, '--quantile', share, code=2, says='--quantile')
    fails(*usual, '--threshold', 'nan', code=2, says='--threshold')
    fails(*usual, '--reference', 'train.npy', code=2, says='--reference', hint='--quantile')
    fails(*usual, '--quantile', 0.1, '--reference', 'none.npy', says='none.npy')
    fails(*usual[:3], '-o', 's.png', code=2, says='--data')
    write_npy('three.npy', rows_of(20, cols=3))
    fails('plot', 'scores', 'm.safetensors', '--data', 'three.npy', '-o', 's.png', says=('three.npy', '3 columns'))


harness.main(__doc__)
