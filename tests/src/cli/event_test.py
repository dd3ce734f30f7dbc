"""Events of any shape on the command line: .npy and IDX files of images, splits, and columns of counts."""
import gzip
import json
import math
import random
import struct

from harness import case, fails, info, main, nf, read_npy, write_npy


def write_images(path, n, h, w, c):
    """Writes n images of two smooth kinds as [n, h, w, c]."""
    draw = random.Random(4)
    images = []
    for _ in range(n):
        level = draw.choice((-1, 1))
        images.append([level + draw.gauss(0, 0.3) for _ in range(h * w * c)])
    write_npy(path, images, event=[h, w, c])
    return [v for image in images for v in image]


GLOW = json.dumps({'event': [4, 4, 1], 'layers': [
    {'type': 'squeeze'},
    {'type': 'affine_coupling', 'mask': 'channel', 'net': {'type': 'mlp', 'hidden': [16]}},
    {'type': 'split', 'net': {'type': 'mlp', 'hidden': [16]}, 'layers': [
        {'type': 'affine_coupling', 'mask': 'checkerboard', 'net': {'type': 'mlp', 'hidden': [16]}}]}]})


@case
def images_train_score_and_sample():
    flat = write_images('x.npy', 300, 4, 4, 1)
    with open('glow.json', 'w') as f:
        f.write(GLOW)
    nf('train glow.json --data x.npy --steps 30 --batch 64 -o m.safetensors')
    write_npy('flat.npy', [flat[i:i + 16] for i in range(0, len(flat), 16)])
    shaped = json.loads(nf('score m.safetensors --data x.npy --json').stdout)
    assert shaped['mean'] == json.loads(nf('score m.safetensors --data flat.npy --json').stdout)['mean']
    nf('sample m.safetensors -n 7 -o s.npy')
    assert read_npy('s.npy')[0] == (7, 4, 4, 1)
    nf('sample m.safetensors -n 7 -o s.csv')
    with open('s.csv') as f:
        lines = [line.strip().split(',') for line in f if not line.startswith('x')]
    assert len(lines) == 7 and all(len(line) == 16 for line in lines)
    flat = [float(v) for line in lines for v in line]
    assert struct.pack(f'<{len(flat)}f', *flat) == struct.pack(f'<{len(flat)}f', *read_npy('s.npy')[1])
    text = nf('info m.safetensors').stdout
    assert '4 x 4 x 1, 16 columns of float32' in text, text
    assert 'latent columns from 0: 2 x 2 x 2, 8 columns' in text, text
    assert 'latent columns from 8: 2 x 2 x 2, 8 columns, of spec.layers[2] (split)' in text, text
    names = [line.split()[:2] for line in text.splitlines() if line.startswith('  layers.')]
    assert [kind for _, kind in names] == ['squeeze', 'affine_coupling', 'split', 'affine_coupling'], names
    assert [name for name, _ in names] == [f'layers.{k}' for k in range(4)], names
    described = info('m.safetensors')['model']
    assert described['latent'] == [16] and described['log_prob'] == 'exact' and len(described['scales']) == 2


@case
def images_set_the_event():
    """A .npy of rank 4 is the event where the spec does not say, with checkpoints and held-out rows too."""
    flat = write_images('x.npy', 300, 4, 4, 1)
    spec = json.loads(GLOW)
    nf('train', json.dumps(spec), '--data', 'x.npy', '--steps', 20, '--batch', 64, '-o', 'said.safetensors')
    del spec['event']
    for given in (spec, {'event': 'auto', **spec}):
        nf('train', json.dumps(given), '--data', 'x.npy', '--steps', 20, '--batch', 64, '-o', 'm.safetensors')
        assert info('m.safetensors')['model']['event'] == [4, 4, 1], info('m.safetensors')['model']
        assert info('m.safetensors')['hash'] == info('said.safetensors')['hash']
    nf('train', json.dumps(spec), '--data', 'x.npy', '--steps', 25, '--batch', 64, '-o', 'm.safetensors', '--resume')
    # A spec that says wins, and so do columns that are picked.
    nf('train', '{"event": 16, "layers": [{"type": "actnorm"}]}', '--data', 'x.npy', '--steps', 2, '-o', 'v.safetensors')
    assert info('v.safetensors')['model']['event'] == [16]
    nf('train', '{"layers": [{"type": "actnorm"}]}', '--data', 'x.npy', '--columns', '0,5', '--steps', 2, '-o', 'v.safetensors')
    assert info('v.safetensors')['model']['event'] == [2]
    nf('sample v.safetensors -n 3 -o s.npy')
    assert read_npy('s.npy')[0] == (3, 2)
    # A run on the same numbers as a table goes on with the same event.
    write_npy('flat.npy', [flat[i:i + 16] for i in range(0, len(flat), 16)])
    nf('train', json.dumps(spec), '--data', 'flat.npy', '--steps', 30, '--batch', 64, '-o', 'm.safetensors', '--resume')
    assert info('m.safetensors')['model']['event'] == [4, 4, 1]
    nf('score m.safetensors --data x.npy -o lp.npy')
    assert read_npy('lp.npy')[0] == (300,)


@case
def idx_images_train_score_and_sample():
    draw = random.Random(5)
    pixels = bytes(min(255, max(0, int(draw.gauss(200 if r % 2 else 60, 20)))) if c else 0 for r in range(200) for c in range(20))
    with gzip.open('images.gz', 'wb') as f:
        f.write(bytes((0, 0, 8, 3)) + struct.pack('>3I', 200, 5, 4) + pixels)
    layers = [{'type': 'dequantize', 'levels': 256}, {'type': 'logit'},
              {'type': 'affine_coupling', 'mask': 'checkerboard', 'net': {'type': 'conv', 'hidden': [4, 4]}}]
    done = nf('train', json.dumps({'layers': layers}), '--data', 'images.gz', '--steps', 20, '--batch', 32, '-o', 'm.safetensors')
    assert 'warning' not in done.stderr, done.stderr  # the first pixel is 0 in all images, which is not a fault of images
    assert info('m.safetensors')['model']['event'] == [5, 4, 1]
    nf('train', json.dumps({'layers': layers}), '--data', 'images.gz', '--steps', 25, '--batch', 32, '-o', 'm.safetensors', '--resume')
    assert json.loads(nf('score m.safetensors --data images.gz --json').stdout)['nonfinite'] == 0
    nf('sample m.safetensors -n 3 -o s.npy')
    shape, values = read_npy('s.npy')
    assert shape == (3, 5, 4, 1) and all(v == int(v) and 0 <= v <= 255 for v in values), values
    done = nf('train', json.dumps({'layers': layers[2:]}), '--data', 'images.gz', '--steps', 2, '-o', 'v.safetensors')
    assert done.stderr.count('warning') == 1 and 'the pixels of images.gz have values of about 208' in done.stderr, done.stderr
    with open('cut.idx', 'wb') as f:
        f.write(bytes((0, 0, 8, 3)) + struct.pack('>3I', 200, 5, 4) + pixels[:-1])
    fails('score', 'm.safetensors', '--data', 'cut.idx', says=('cut.idx', 'truncated'))


def poisson(draw):
    k, p, limit = 0, draw.random(), math.exp(-3)
    while p > limit:
        k, p = k + 1, p * draw.random()
    return k


@case
def standardize_goes_after_dequantize():
    draw = random.Random(7)
    write_npy('x.npy', [[float(poisson(draw)), float(poisson(draw))] for _ in range(500)])
    command = ('--data', 'x.npy', '--steps', 20, '--standardize', '-o', 'm.safetensors')

    def trained(*layers):
        nf('train', json.dumps({'layers': list(layers)}), *command)
        assert json.loads(nf('score m.safetensors --data x.npy --json').stdout)['nonfinite'] == 0
        return [layer['type'] for layer in info('m.safetensors')['model']['layers']]
    first, second, spline = {'type': 'dequantize', 'columns': [0]}, {'type': 'dequantize', 'columns': [1]}, {'type': 'spline'}
    assert trained({'type': 'dequantize'}, spline) == ['dequantize', 'standardize', 'spline']
    assert trained(first, second, spline) == ['dequantize', 'dequantize', 'standardize', 'spline']
    assert trained({'type': 'dequantize'}, {'type': 'standardise'}, spline) == ['dequantize', 'standardize', 'spline']
    assert trained({'type': 'dequantize'}) == ['dequantize', 'standardize']
    assert trained({'type': 'dequantize', 'levels': 32}, {'type': 'logit'}, spline) == ['dequantize', 'logit', 'standardize', 'spline']
    assert trained(spline) == ['standardize', 'spline']
    for layers in ([spline, {'type': 'dequantize'}], [{'layers': [{'type': 'dequantize'}]}]):
        fails('train', json.dumps({'layers': layers}), *command, code=2,
              says=('--standardize', '"dequantize"'), hint='after "dequantize"')


@case
def counts_are_dequantized():
    draw = random.Random(7)
    write_npy('x.npy', [[float(poisson(draw)), draw.gauss(0, 1)] for _ in range(2000)])
    with open('counts.json', 'w') as f:
        f.write(json.dumps({'layers': [{'type': 'dequantize', 'columns': [0]}, {'type': 'standardise'},
                                       {'type': 'spline_coupling'}, {'type': 'reverse'}, {'type': 'spline_coupling'}]}))
    nf('train counts.json --data x.npy --steps 300 --lr 1e-2 -o m.safetensors')
    assert 'a lower bound' in nf('info m.safetensors').stdout
    once = json.loads(nf('score m.safetensors --data x.npy --json').stdout)['mean']
    assert -3.6 < once < -3.2, once
    checks = {c['name']: c['verdict'] for c in json.loads(nf('check m.safetensors --data x.npy --json').stdout)['checks']}
    assert checks['data -> z -> data'] == 'ok' and checks['one row'] == 'ok', checks
    assert checks['log-det'] == '-' and checks['mass'] == '-', checks
    nf('sample m.safetensors -n 50 -o s.npy')
    shape, values = read_npy('s.npy')
    assert all(v == int(v) for v in values[::2]), values


@case
def images_of_levels_report_bits():
    draw = random.Random(3)
    write_npy('x.npy', [[float(draw.choice((0, 1, 6, 7))) for _ in range(16)] for _ in range(400)])
    layers = [{'type': 'dequantize', 'levels': 8}, {'type': 'squeeze'}, {'type': 'actnorm'}, {'type': 'plu_linear'},
              {'type': 'affine_coupling', 'mask': 'channel', 'net': {'type': 'conv', 'hidden': [8]}}]
    spec = json.dumps({'event': [4, 4, 1], 'layers': layers})
    done = nf('train', spec, '--data', 'x.npy', '--steps', 30, '--batch', 64, '--lr', '1e-2', '-o', 'm.safetensors').stdout
    assert 'bits/dim (S = 1 draw of the noise per image)' in done, done
    for samples, words in ((1, 'S = 1 draw of'), (5, 'S = 5 draws of')):
        flags = ('score', 'm.safetensors', '--data', 'x.npy', '--score-samples', samples)
        scored = json.loads(nf(*flags, '--json').stdout)
        assert math.isclose(scored['bits_per_dim'], -scored['mean'] / (16 * math.log(2)), rel_tol=1e-12), scored
        assert scored['score_samples'] == samples and 1.5 < scored['bits_per_dim'] < 4, scored
        text = nf(*flags).stdout
        assert f'{scored["bits_per_dim"]:.4f} bits/dim (' + words in text, text
    training = info('m.safetensors')['notes']['training']
    assert math.isclose(training['valid_bits_per_dim'], -training['valid_log_likelihood'] / (16 * math.log(2))), training
    assert training['score_samples'] == 1 and 'valid_bits_per_dim' in nf('info m.safetensors').stdout
    # A density of pixels, or of columns that are no image, has no bits of its own.
    for event, first in (([4, 4, 1], []), ([16], layers[:1]), ([4, 4, 1], [{**layers[0], 'columns': [0]}])):
        spec = json.dumps({'event': event, 'layers': [*first, {'type': 'actnorm'}]})
        nf('train', spec, '--data', 'x.npy', '--steps', 2, '-o', 'n.safetensors')
        assert 'bits_per_dim' not in json.loads(nf('score n.safetensors --data x.npy --json').stdout)
        assert 'bits' not in nf('score n.safetensors --data x.npy').stdout


if __name__ == '__main__':
    main(__doc__)
