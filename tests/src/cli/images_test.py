"""nf plot images and nf sample --grid: what is on the sheets, pixel by pixel."""
import json
import math
import os

import harness
from harness import case, fails, info, nf, read_npy, rows_of, train, write_csv, write_npy
from picture import ink, read_png, write_png

EDGE, GAP = 10, 2
# Levels 0 .. 7 of 4 x 4 pixels; two scales.
SPEC = json.dumps({'event': [4, 4, 1], 'layers': [
    {'type': 'dequantize', 'levels': 8}, {'type': 'logit'}, {'type': 'squeeze'},
    {'type': 'split', 'net': {'type': 'mlp', 'hidden': [4]}, 'layers': [{'type': 'actnorm'}]}]})


def image(k):
    return [float((k + 3 * i) % 8) for i in range(16)]


def model(output='m.safetensors', spec=SPEC, *more):
    write_npy('x.npy', [image(k) for k in range(40)], event=[4, 4, 1])
    nf('train', spec, '--data', 'x.npy', '--steps', 3, '--batch', 16, '-o', output, *more)


def sheet(path, zoom, rows, columns, left=0, size=4):
    """Returns the gray images of a sheet, [rows][columns][size * size], from 0 to 255."""
    width, height, pixels = read_png(path)
    step = size * zoom + GAP
    assert height == 2 * EDGE + rows * step - GAP, height
    assert width == left + 2 * EDGE + columns * step - GAP, width
    return [[[pixels[EDGE + r * step + y * zoom][left + EDGE + c * step + x * zoom][0] for y in range(size) for x in range(size)]
             for c in range(columns)] for r in range(rows)]


def shades(values):
    return [round(255 * v / 7) for v in values]


@case
def samples_are_those_of_the_model():
    model()
    nf('sample m.safetensors -n 6 --seed 3 -o s.npy --grid grid.png')
    shape, flat = read_npy('s.npy')
    assert shape == (6, 4, 4, 1)
    drawn = [shades(flat[i:i + 16]) for i in range(0, 96, 16)]
    assert sheet('grid.png', 16, 2, 3) == [drawn[:3], drawn[3:]]
    nf('plot images m.safetensors --columns 2 --rows 3 --seed 3 --zoom 5 -o p.png')
    assert sheet('p.png', 5, 3, 2) == [drawn[:2], drawn[2:4], drawn[4:]]
    # The picture alone: no rows on standard output.
    said = nf('sample m.safetensors -n 6 --seed 3 --grid alone.png').stdout
    assert said.startswith('picture  alone.png') and said.count('\n') == 1, said
    with open('alone.png', 'rb') as a, open('grid.png', 'rb') as b:
        assert a.read() == b.read()
    assert len(nf('sample m.safetensors -n 6 --grid alone.png -o -').stdout.splitlines()) == 6
    nf('sample m.safetensors -n 5 --grid five.png')
    assert sheet('five.png', 16, 2, 3)[1][2] == [255] * 16


@case
def temperature_spreads_samples():
    model(spec=json.dumps({'event': [4, 4, 1], 'layers': [{'type': 'squeeze'}, {'type': 'elementwise_affine'}]}))

    def spread(*more):
        nf('sample', 'm.safetensors', '-n', 400, '--raw', '-o', 's.npy', *more)
        flat, total = read_npy('s.npy')[1], 0
        for column in (flat[c::16] for c in range(16)):
            mean = sum(column) / 400
            total += math.sqrt(sum((v - mean) ** 2 for v in column) / 400)
        return total
    assert abs(spread('--temperature', 0.5) / spread() - 0.5) < 1e-3
    nf('plot images m.safetensors --show temperature --columns 3 -o t.png')
    width, height, pixels = read_png('t.png')
    assert height == 2 * EDGE + 8 * 66 - GAP
    left = width - (2 * EDGE + 3 * 66 - GAP)
    rows = sheet('t.png', 16, 8, 3, left)
    assert rows[0][0] == rows[0][1] == rows[0][2], 'at temperature 0 all are the same'
    assert rows[7][0] != rows[7][1]
    # Further from the middle with every step, in the same direction.
    distance = [sum(abs(a - b) for a, b in zip(row[0], rows[0][0])) for row in rows]
    assert distance == sorted(distance) and distance[0] == 0, distance
    assert ink(pixels, EDGE, EDGE, EDGE + left - 10, EDGE + 64) > 0.01, 'no title'


@case
def images_come_back_and_mix():
    model()
    done = nf('plot images m.safetensors --show reconstruct --data x.npy --columns 5 -o r.png')
    assert 'largest difference  0 between 5 images' in done.stdout, done.stdout
    width = read_png('r.png')[0]
    left = width - (2 * EDGE + 5 * 66 - GAP)
    data, back = sheet('r.png', 16, 2, 5, left)
    assert data == back == [shades(image(k)) for k in range(5)]
    nf('plot images m.safetensors --show interpolate --data x.npy --rows 2 --columns 7 -o i.png')
    rows = sheet('i.png', 16, 2, 7)
    assert [rows[0][0], rows[0][6], rows[1][0], rows[1][6]] == [shades(image(k)) for k in range(4)]
    assert rows[0][3] not in (rows[0][0], rows[0][6])
    nf('plot images m.safetensors --show scales --data x.npy --columns 5 -o s.png')
    left = read_png('s.png')[0] - (2 * EDGE + 5 * 66 - GAP)
    rows = sheet('s.png', 16, 3, 5, left)
    assert rows[0] == data
    # The first scale to leave has half of the channels of each 2 x 2 block: half of the pixels stay.
    kept = [sum(a == b for a, b in zip(rows[0][c], rows[1][c])) for c in range(5)]
    assert all(8 <= k < 16 for k in kept), kept
    assert any(sum(a == b for a, b in zip(rows[0][c], rows[2][c])) < 8 for c in range(5))


@case
def contexts_have_a_row_each():
    spec = json.dumps({'event': [2, 2, 3], 'context': 1, 'layers': [
        {'type': 'squeeze'}, {'type': 'affine_coupling', 'mask': 'channel', 'net': {'type': 'mlp', 'hidden': [4]}}]})
    write_npy('x.npy', [[math.sin(r + i) for i in range(12)] for r in range(60)], event=[2, 2, 3])
    write_csv('c.csv', [[r % 3] for r in range(60)], ['label'])
    nf('train', spec, '--data', 'x.npy', '--context-data', 'c.csv', '--steps', 2, '-o', 'm.safetensors')
    write_csv('labels.csv', [[0], [1], [2]], ['label'])
    nf('plot images m.safetensors --context labels.csv --columns 4 --zoom 3 -o p.png')
    assert read_png('p.png')[:2] == (2 * EDGE + 4 * 8 - GAP, 2 * EDGE + 3 * 8 - GAP)
    fails('plot', 'images', 'm.safetensors', '-o', 'p.png', says='context', hint='--context')
    fails('plot', 'images', 'm.safetensors', '--context', 'labels.csv', '--rows', 4, '-o', 'p.png', code=2, says=('--rows', '3 rows'))
    fails('plot', 'images', 'm.safetensors', '--data', 'x.npy', '--context', 'labels.csv', '-o', 'p.png', says='labels.csv')


@case
def folders_of_pictures_are_data():
    os.mkdir('digits')
    images = [[int(v) for v in image(k)] for k in range(40)]
    for k, pixels in enumerate(images):
        write_png(f'digits/{k:02}.png', pixels)
    spec = json.loads(SPEC)
    del spec['event']  # a picture says what it is
    nf('train', json.dumps(spec), '--data', 'digits', '--steps', 3, '--batch', 16, '-o', 'p.safetensors')
    model()  # of the same numbers in a .npy
    assert info('p.safetensors')['hash'] == info('m.safetensors')['hash']
    nf('score m.safetensors --data digits -o scores.csv')
    with open('scores.csv') as f:
        lines = f.read().splitlines()
    assert lines[0] == '"file",log_prob' and len(lines) == 41 and lines[8].startswith('"07.png",'), lines[:9]
    nf('score m.safetensors --data x.npy -o again.npy')
    scores = [float(line.split(',')[1]) for line in lines[1:]]
    assert all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(scores, read_npy('again.npy')[1]))
    nf('score m.safetensors --data digits/05.png')
    nf('plot images m.safetensors --show reconstruct --data digits -o r.png')
    write_png('digits/40.png', [0] * 12)
    fails('score', 'm.safetensors', '--data', 'digits', says=('digits/40.png', '3 x 4 x 1', '00.png has 4 x 4 x 1'), hint='one size')
    with open('digits/40.png', 'wb') as f:
        f.write(b'\x89PNG\r\n\x1a\n rest')
    fails('score', 'm.safetensors', '--data', 'digits', says='digits/40.png: damaged or unusual PNG')
    os.mkdir('empty')
    fails('score', 'm.safetensors', '--data', 'empty', says='without .png files')


@case
def wrong_use():
    model()
    for show in ('scales', 'interpolate', 'reconstruct'):
        fails('plot', 'images', 'm.safetensors', '--show', show, '-o', 'p.png', code=2, says=(show, '--data'))
    fails('plot', 'images', 'm.safetensors', '--show', 'everything', '-o', 'p.png', code=2, says='everything')
    fails('plot', 'images', 'm.safetensors', '-o', 'p.gif', code=2, says='.png')
    fails('plot', 'images', 'm.safetensors', '--zoom', 0, '-o', 'p.png', code=2, says='--zoom')
    fails('plot', 'images', 'm.safetensors', '--columns', 900, '--zoom', 64, '-o', 'p.png', says='pixels')
    fails('sample', 'm.safetensors', '-n', 5000, '--grid', 'p.png', code=2, says='5,000 images')
    fails('sample', 'm.safetensors', '-n', 4, '--grid', 'p.jpg', code=2, says='.png')
    fails('sample', 'm.safetensors', '-n', 4, '--temperature', -1, code=2, says='--temperature')
    write_npy('small.npy', [[0.0] * 9] * 4, event=[3, 3, 1])
    fails('plot', 'images', 'm.safetensors', '--show', 'reconstruct', '--data', 'small.npy', '-o', 'p.png', says=('small.npy', '9'))
    fails('train', SPEC, '--data', 'small.npy', '-o', 's', says='9 columns', hint='the images are 3 x 3 x 1 (height, width, channels); for training, use --set event=[3,3,1]')
    write_npy('one.npy', [image(0)], event=[4, 4, 1])
    fails('plot', 'images', 'm.safetensors', '--show', 'interpolate', '--data', 'one.npy', '-o', 'p.png', says='one image')
    write_npy('train.npy', rows_of(100))
    train(output='rows.safetensors', steps=2)
    fails('plot', 'images', 'rows.safetensors', '-o', 'p.png', says='not of images', hint='height')
    fails('sample', 'rows.safetensors', '-n', 4, '--grid', 'p.png', says=('--grid', 'not of images'))
    model('flat.safetensors', json.dumps({'event': [4, 4, 1], 'layers': [{'type': 'actnorm'}]}))
    fails('plot', 'images', 'flat.safetensors', '--show', 'scales', '--data', 'x.npy', '-o', 'p.png', code=2, says='single scale')


harness.main(__doc__)
