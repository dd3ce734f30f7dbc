"""nf plot pairs: panels for each pair of columns, points where the data is, lines where the model is."""
import re

import harness
from harness import case, fails, nf, rows_of, train, write_csv, write_npy
from picture import all_panels, count, extent, is_blue, is_orange, margins_are_white, read_png

SHIFT = '{"layers": [{"type": "elementwise_affine"}]}'


def five():
    write_csv('five.csv', rows_of(500, cols=5), ['a', 'b', 'c', 'd', 'e'])
    train(data='five.csv')


@case
def a_corner_of_panels():
    five()
    nf('plot pairs m.safetensors --data five.csv --columns a,b,c --size 120 -o p.png')
    rows = read_png('p.png')[2]
    spots = all_panels(rows, 120)
    assert len(spots) == 6, spots
    assert margins_are_white(rows)
    assert len({x for x, _ in spots}) == 3 and len({y for _, y in spots}) == 3
    x, y = spots[1]  # b over a: the bent band
    assert extent(rows, x, y, 120, is_blue)[0] > 0.6
    assert count(rows, x + 2, y + 2, x + 118, y + 118, is_orange) > 60, 'no lines of the model'
    x, y = spots[0]  # the diagonal: bars from the bottom
    assert count(rows, x + 50, y + 60, x + 70, y + 118, is_blue) > 200
    again = nf('plot pairs m.safetensors --data five.csv --columns 0,1,2 --size 120 -o q.png')
    assert again.stderr == ''
    assert read_png('p.png') == read_png('q.png'), 'the same picture by name and index'


@case
def lines_follow_the_model_not_the_data():
    write_csv('near.csv', [[x, y] for x, y in rows_of(600)], ['a', 'b'])
    train(data='near.csv', spec=SHIFT, steps=1, output='n.safetensors')
    # Data that the model of steps=1 does not know: its middle is at (3, 3), and the samples stay at the origin.
    write_csv('far.csv', [[3 + 0.8 * x, 3 + 0.2 * y] for x, y in rows_of(600)], ['a', 'b'])
    nf('plot pairs n.safetensors --data far.csv --size 200 -o p.png')
    rows = read_png('p.png')[2]
    x, y = all_panels(rows, 200)[1]
    orange = [i for i in range(200) for j in range(2, 198) if is_orange(rows[y + j][x + i])]
    blue = [i for i in range(200) for j in range(2, 198) if is_blue(rows[y + j][x + i])]
    assert sum(orange) / max(len(orange), 1) < sum(blue) / len(blue) - 40, 'lines are left of the data'


@case
def lines_around_a_narrow_cloud_are_narrow():
    rows = [[x, 3 * x + 0.1 * y] for x, y in rows_of(2000)]
    write_csv('narrow.csv', rows, ['a', 'b'])
    train('--standardize', '--lr', '0.03', data='narrow.csv', spec='{"layers": [{"type": "lu_linear"}]}', steps=400, output='c.safetensors')
    nf('plot pairs c.safetensors --data narrow.csv --size 200 -o p.png')
    picture = read_png('p.png')[2]
    x, y = all_panels(picture, 200)[1]
    heights = []
    for i in range(90, 110):
        orange = [j for j in range(2, 198) if is_orange(picture[y + j][x + i])]
        heights.append(max(orange) - min(orange) if orange else 200)
    assert max(heights) <= 6, heights


@case
def without_data_and_more_columns_than_fit():
    write_npy('eight.npy', rows_of(200, cols=8))
    train(data='eight.npy')
    done = nf('plot pairs m.safetensors --size 120 -o p.png')
    assert len(all_panels(read_png('p.png')[2], 120)) == 21
    assert 'first 6 of 8 columns' in done.stderr and '--columns' in done.stderr, done.stderr
    assert nf('plot pairs m.safetensors --columns 7,0 --size 120 -o p.png').stderr == ''
    fails('plot', 'pairs', 'm.safetensors', '--columns', '0,8', '-o', 'p.png', says="'8'")
    fails('plot', 'pairs', 'm.safetensors', '--columns', '0,,1', '-o', 'p.png', says="''")
    fails('plot', 'pairs', 'm.safetensors', '--columns', ','.join(['0'] * 17), '-o', 'p.png', code=2, says=('17 columns', '16'))


@case
def names_with_commas_are_quoted_as_everywhere():
    write_csv('q.csv', rows_of(100, cols=3), ['"a, b"', 'c d', 'e'])
    train(data='q.csv')
    nf('plot', 'pairs', 'm.safetensors', '--data', 'q.csv', '--columns', '"a, b",c d', '--size', 120, '-o', 'p.png')
    assert len(all_panels(read_png('p.png')[2], 120)) == 3
    nf('plot', 'samples', 'm.safetensors', '--data', 'q.csv', '--columns', '"c d","a, b"', '-o', 'p.png')
    fails('plot', 'samples', 'm.safetensors', '--columns', '"a, b"', '-o', 'p.png', says='expected two columns', code=2)


@case
def odd_tables():
    # One column, one row, constant columns, long and strange names.
    write_csv('one.csv', [[row[0]] for row in rows_of(300)], ['speed'])
    train(data='one.csv', spec=SHIFT, output='one.safetensors')
    nf('plot pairs one.safetensors --data one.csv --size 120 -o p.png')
    assert len(all_panels(read_png('p.png')[2], 120)) == 1
    names = ['a very long name of a column ' * 8, 'na\u00efve \u4e2d', '"quoted, with a comma"']
    write_csv('odd.csv', [[x, y, 7.0] for x, y in rows_of(300)], names)
    train(data='odd.csv', spec=SHIFT, output='odd.safetensors')
    nf('plot pairs odd.safetensors --data odd.csv --size 120 -o p.png')
    rows = read_png('p.png')[2]
    assert margins_are_white(rows) and len(all_panels(rows, 120)) == 6
    write_csv('row.csv', [[1.0, 2.0, 7.0]], names)
    nf('plot pairs odd.safetensors --data row.csv --size 120 -o p.png')
    rows = read_png('p.png')[2]
    x, y = all_panels(rows, 120)[1]
    assert 0 < count(rows, x + 2, y + 2, x + 118, y + 118, is_blue) < 40, 'one disc'


@case
def rows_outside_are_counted():
    five()
    far = rows_of(500, cols=5)
    far[0][4] = 1e9
    write_csv('far.csv', far, ['a', 'b', 'c', 'd', 'e'])

    def outside(columns):
        out = nf(f'plot pairs m.safetensors --data far.csv --columns {columns} --size 120 -o p.png').stdout
        found = re.search(r'outside the window  ([\d,]+) of 500 data rows', out)
        return int(found.group(1)) if found else 0
    assert outside('a,b,e') == outside('a,b') + 1, 'the row that is far in e'


@case
def contexts():
    write_csv('t.csv', [[c + 0.1 * x, y, c] for c, (x, y) in zip([i % 5 for i in range(300)], rows_of(300))], ['a', 'b', 'c'])
    train('--columns', 'a,b', '--context-columns', 'c', data='t.csv')
    assert nf('plot pairs m.safetensors --data t.csv --size 120 -o p.png').stderr == ''
    write_csv('c.csv', [[1.0]], ['c'])
    assert 'all contexts' in nf('plot pairs m.safetensors --data t.csv --context c.csv --size 120 -o p.png').stderr


harness.main(__doc__)
