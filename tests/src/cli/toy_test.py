"""nf toy: every set is what its definition says, the same for the same seed, and wrong use is reported."""
import math
import statistics

import harness
from harness import case, fails, nf, read_npy

N = 6000
NAMES = ['swissroll', 'circles', 'rings', 'moons', '4gaussians', '8gaussians', 'pinwheel', '2spirals', 'checkerboard', 'line',
         'cos', 'parabola', 'letters']


def rows(name, *more, n=N, seed=5):
    nf('toy', name, '-n', n, '--seed', seed, '--dtype', 'float64', '-o', 't.npy', *more)
    shape, flat = read_npy('t.npy')
    assert shape == (n, 2)
    return list(zip(flat[::2], flat[1::2]))


def close(value, expected, errors, what=''):
    assert abs(value - expected) < errors, f'{what}: {value}, not {expected} +- {errors}'


def normal(values, sd, mean=0.0, what=''):
    """Mean and deviation within five standard errors, and no value farther out than a normal one would be."""
    n = len(values)
    close(statistics.fmean(values), mean, 5 * sd / math.sqrt(n), what + ' mean')
    close(statistics.pstdev(values, mean), sd, 5 * sd / math.sqrt(2 * n), what + ' deviation')
    assert max(abs(v - mean) for v in values) < 5.5 * sd, what
    inside = sum(abs(v - mean) < sd for v in values) / n
    close(inside, 0.6827, 5 * math.sqrt(0.22 / n), what + ' within one deviation')


def even(counts, what=''):
    expected = sum(counts) / len(counts)
    assert all(abs(c - expected) < 5 * math.sqrt(expected) for c in counts), f'{what}: {counts}'


def flat_between(values, low, high, what=''):
    assert low <= min(values) and max(values) <= high, f'{what}: {min(values)} .. {max(values)}'
    counts = [0] * 10
    for v in values:
        counts[min(9, int(10 * (v - low) / (high - low)))] += 1
    even(counts, what)


def around_circles(name, radii, sd):
    residuals, counts = [], [0] * len(radii)
    for x, y in rows(name):
        r = math.hypot(x, y)
        k = min(range(len(radii)), key=lambda i: abs(r - radii[i]))
        counts[k] += 1
        residuals.append(r - radii[k])
    # In addition to the normal noise, noise along the tangent moves r out by sd^2 / 2r; circles that overlap swap some rows.
    close(statistics.pstdev(residuals), sd, 0.06 * sd, name)
    assert max(map(abs, residuals)) < 5.5 * sd
    even(counts, name)


@case
def circles_and_rings():
    around_circles('circles', [3, 1.5], 0.24)
    around_circles('rings', [3, 2.25, 1.5, 0.75], 0.08)
    flat_between([math.atan2(y, x) for x, y in rows('circles')], -math.pi, math.pi)


@case
def moons():
    # On the crown of either half circle the distance from it is the noise; the tips of the other stay inside.
    parts = [], []
    for x, y in rows('moons'):
        x, y = (x + 1) / 2, (y + 0.2) / 2
        for part, dx, dy in ((parts[0], x, y), (parts[1], x - 1, 0.5 - y)):
            r = math.hypot(dx, dy)
            if r > 0.75 and abs(math.atan2(dx, dy)) < 0.5:
                part.append(r - 1)
    for part in parts:
        normal(part, 0.1, 0.005)
    even(list(map(len, parts)))


@case
def gaussians():
    for count in (4, 8):
        counts, dx, dy = [0] * count, [], []
        for x, y in rows(f'{count}gaussians'):
            k = round(math.atan2(y, x) / (2 * math.pi) * count) % count
            counts[k] += 1
            dx.append(x - 4 / 1.414 * math.cos(2 * math.pi * k / count))
            dy.append(y - 4 / 1.414 * math.sin(2 * math.pi * k / count))
        even(counts)
        for d in (dx, dy):
            close(statistics.pstdev(d), 0.5 / 1.414, 0.015)
            close(statistics.fmean(d), 0, 0.03)


@case
def swissroll():
    # The radius is the angle, up to whole turns: |5 p| - t must be the noise for the t on its ray.
    off = []
    for x, y in rows('swissroll'):
        r, a = 5 * math.hypot(x, y), math.atan2(y, x) % (2 * math.pi)
        off.append(min((r - (a + 2 * math.pi * k) for k in (0, 1, 2)), key=abs))
    assert statistics.pstdev(off) < 1.1 and statistics.pstdev(off) > 0.9
    radii = sorted(5 * math.hypot(x, y) for x, y in rows('swissroll'))
    close(statistics.median(radii), 3 * math.pi, 0.3)  # t is uniform on [1.5 pi, 4.5 pi)
    assert 0.5 < radii[0] and radii[-1] < 4.5 * math.pi + 5


@case
def pinwheel():
    counts, radii, across = [0] * 5, [], []
    for x, y in rows('pinwheel'):
        r = math.hypot(x, y) / 2
        radii.append(r)
        turned = math.atan2(-y, x) - 0.25 * math.exp(r)
        k = round(turned / (2 * math.pi / 5))
        counts[k % 5] += 1
        if r > 0.7:
            across.append(r * (turned - k * 2 * math.pi / 5))
    even(counts)
    close(statistics.fmean(across), 0, 0.015)
    close(statistics.pstdev(across), 0.1, 0.01)
    close(statistics.fmean(radii), 1.005, 0.03)
    close(statistics.pstdev(radii), 0.3, 0.02)


@case
def spirals():
    # 3 p is the arm +-(-cos t, sin t) t, plus U / 2 in both coordinates and noise of 0.3.
    arms = [0, 0]
    for x, y in rows('2spirals'):
        best = min((math.hypot(3 * x - s * (0.25 - math.cos(t) * t), 3 * y - s * (0.25 + math.sin(t) * t)), s)
                   for s in (1, -1) for t in [0.05 * i for i in range(189)])
        assert best[0] < 1.9, (x, y)
        arms[best[1] < 0] += 1
    even(arms)
    radii = [3 * math.hypot(x, y) for x, y in rows('2spirals')]
    close(statistics.fmean([r * r for r in radii]), 45.93, 1.65)  # (3 pi)^2 / 2, t^2 being uniform, and 1.52 by the noise


@case
def checkerboard():
    fields = {}
    for x, y in rows('checkerboard'):
        assert -4 <= x <= 4 and -4 <= y <= 4
        i, j = math.floor(x / 2), math.floor(y / 2)
        assert (i + j) % 2 == 0, (x, y)
        fields[i, j] = fields.get((i, j), 0) + 1
    assert len(fields) == 8
    even(list(fields.values()))
    flat_between([x for x, _ in rows('checkerboard')], -4, 4)
    flat_between([y for _, y in rows('checkerboard')], -4, 4)


@case
def line_and_cos_have_no_width_but_noise():
    assert all(x == y for x, y in rows('line'))
    flat_between([x for x, _ in rows('line')], -2.5, 2.5)
    points = rows('cos')
    assert all(abs(y - 2.5 * math.sin(x)) < 1e-12 for x, y in points)
    flat_between([x for x, _ in points], -2.5, 2.5)
    normal([y - x for x, y in rows('line', '--noise', '0.1')], 0.1 * math.sqrt(2))


@case
def parabola():
    points = rows('parabola')
    normal([y for _, y in points], 1)
    normal([x - y * y for x, y in points], 0.25)


@case
def letters():
    strokes = [((-3.4, -2.2), (-3.4, 2.2)), ((-3.4, 2.2), (-0.7, -2.2)), ((-0.7, -2.2), (-0.7, 2.2)), ((1, -2.2), (1, 2.2)),
               ((1, 2.2), (3.4, 2.2)), ((1, 0.1), (2.9, 0.1))]

    def distance(p, a, b):
        t = ((p[0] - a[0]) * (b[0] - a[0]) + (p[1] - a[1]) * (b[1] - a[1])) / ((b[0] - a[0])**2 + (b[1] - a[1])**2)
        t = min(1, max(0, t))
        return math.hypot(p[0] - a[0] - t * (b[0] - a[0]), p[1] - a[1] - t * (b[1] - a[1]))

    used = [0] * len(strokes)
    for p in rows('letters'):
        d = [distance(p, *s) for s in strokes]
        assert min(d) <= 0.3500001, p
        used[d.index(min(d))] += 1
    length = [math.dist(*s) for s in strokes]
    for count, part in zip(used, length):
        close(count / N, part / sum(length), 0.05, 'letters')  # joints belong to two strokes


@case
def the_seed_decides_and_counts_extend():
    for name in NAMES:
        assert rows(name, n=50) == rows(name, n=200)[:50] != rows(name, n=50, seed=6), name


@case
def csv_has_names_and_float32_is_the_default():
    text = nf('toy moons -n 3').stdout.splitlines()
    assert text[0] == 'x,y' and len(text) == 4
    nf('toy moons -n 3 -o t.npy')
    assert [float(v) for line in text[1:] for v in line.split(',')] == [float(f'{v:.9g}') for v in read_npy('t.npy')[1]] or all(
        abs(float(a) - b) <= 1e-6 * abs(b) for a, b in zip(','.join(text[1:]).split(','), read_npy('t.npy')[1]))
    nf('toy moons -o default.npy')
    assert read_npy('default.npy')[0] == (2000, 2)
    nf('toy moons -n 70000 -o many.npy')  # more than one chunk
    assert read_npy('many.npy')[0] == (70000, 2)


@case
def the_list_is_whole():
    listed = [line.split()[0] for line in nf('toy --list').stdout.splitlines() if not line.startswith('   ')]
    assert listed == NAMES


@case
def wrong_use():
    fails('toy', 'moon', '-n', 5, code=2, says="'moon'", hint="'moons'")
    fails('toy', 'spirals', code=2, says="'spirals'", hint="'2spirals'")
    fails('toy', 'zzzzzzzzzzzz', code=2, says='zzzz', hint='swissroll')
    fails('toy', code=2, says='NAME')
    fails('toy', 'moons', '-n', 0, code=2, says='-n 0')
    fails('toy', 'moons', '-n', '-5', code=2, says='-n -5')
    fails('toy', 'moons', '-n', 'x', code=2, says='x')
    fails('toy', 'moons', '--noise', '-1', code=2, says='--noise -1')
    fails('toy', 'moons', '--noise', 'nan', code=2, says='--noise')
    fails('toy', 'moons', '--dtype', 'float16', code=2, says='float16')
    fails('toy', 'moons', '-o', 'a.txt', code=2, says='a.txt')
    fails('toy', 'moons', '-o', 'no/such/a.npy', says='no/such/a.npy')


harness.main(__doc__)
