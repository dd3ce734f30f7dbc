"""Derives runtime/kernel/coefficients.h: near-minimax polynomials, by interpolation at Chebyshev nodes in 60 digits.

Run: pip install mpmath && python3 coefficients.py > coefficients.h && clang-format -i coefficients.h
The relative error of each polynomial, after rounding its coefficients, is printed beside it.
"""
from mpmath import mp, mpf, atan, cos, erf, erfc, exp, log, pi, sin, sqrt, atanh, cbrt, fabs, matrix, lu_solve
import struct

mp.dps = 60


def to_float(c, f32):
    c = float(c)
    return struct.unpack('f', struct.pack('f', c))[0] if f32 else c


def fit(g, lo, hi, degree):
    lo, hi = mpf(lo), mpf(hi)
    nodes = [(lo + hi) / 2 + (hi - lo) / 2 * cos(pi * (2 * i + 1) / (2 * degree + 2)) for i in range(degree + 1)]
    vandermonde = matrix(degree + 1, degree + 1)
    for i, t in enumerate(nodes):
        for j in range(degree + 1):
            vandermonde[i, j] = t**j
    return list(lu_solve(vandermonde, matrix([g(t) for t in nodes])))


def table(name, g, lo, hi, degree, f32, whole):
    """whole(t, p) is the function that the caller evaluates, so that the error printed is the one that matters."""
    c = [to_float(v, f32) for v in fit(g, lo, hi, degree)]
    worst = mpf(0)
    for i in range(401):
        t = mpf(lo) + (mpf(hi) - mpf(lo)) * i / 400
        p = sum(mpf(v) * t**j for j, v in enumerate(c))
        worst = max(worst, fabs(whole(t, p) / whole(t, g(t)) - 1)) if whole(t, g(t)) != 0 else worst
    text = ', '.join(repr(v) if not f32 else '%.9gf' % v if '.' in '%.9g' % v or 'e' in '%.9g' % v else '%.1ff' % v for v in c)
    print('  // relative error %s' % mp.nstr(worst, 2))
    print('  static constexpr %s %s[] = {%s};' % ('float' if f32 else 'double', name, text))


def safe(g, limit):
    return lambda t: limit if fabs(t) < mpf(10)**-40 else g(t)


def erfcx_of_q(k):
    def g(q):
        if q == 1:
            return 2 / sqrt(pi)
        x = k * (1 + q) / (1 - q)
        if x > 200:  # asymptotic series; erfc underflows nowhere in mp, but e^(x^2) costs digits
            s, term = mpf(1), mpf(1)
            for n in range(1, 25):
                term *= -mpf(2 * n - 1) / (2 * x * x)
                s += term
            return (1 + 2 * x) * s / (x * sqrt(pi))
        return (1 + 2 * x) * exp(x * x) * erfc(x)
    return g


def split(value, bits, parts, name, f32):
    out = []
    mp_value = mpf(value)
    for i in range(parts):
        if i + 1 < parts:
            from mpmath import frexp, ldexp, floor
            m, e = frexp(mp_value)
            piece = ldexp(floor(ldexp(m, bits)), e - bits) if mp_value > 0 else -ldexp(floor(ldexp(-m, bits)), e - bits)
        else:
            piece = mpf(to_float(mp_value, f32))
        out.append(float(piece))
        mp_value -= piece
    print('  static constexpr %s %s[] = {%s};' % (
        'float' if f32 else 'double', name, ', '.join(('%.9gf' if f32 else '%r') % v for v in out)))


print('''// Polynomial coefficients and split constants of the kernels' own math, lowest power first.
// Derived by runtime/kernel/coefficients.py (near-minimax, 60-digit arithmetic); do not edit by hand.
// Relative errors are those of the approximated function in exact arithmetic, with rounded coefficients.
#pragma once

namespace libnf::kernel {

template <class T>
struct Coefficients;
''')
for f32 in (True, False):
    print('template <>\nstruct Coefficients<%s> {' % ('float' if f32 else 'double'))
    ln2_half = log(2) / 2 * mpf('1.01')
    print('  // e^r = 1 + r + r^2 P(r), |r| <= ln(2)/2')
    g = safe(lambda r: (exp(r) - 1 - r) / r**2, mpf(1) / 2)
    table('kExp', g, -ln2_half, ln2_half, 5 if f32 else 11, f32, lambda r, p: 1 + r + r * r * p)
    print('  // log((1+s)/(1-s)) = 2s + s^3 P(s^2), |s| <= 0.1716')
    g = safe(lambda z: (2 * atanh(sqrt(z)) - 2 * sqrt(z)) / sqrt(z)**3, mpf(2) / 3)
    table('kLog', g, 0, mpf('0.0296'), 3 if f32 else 7, f32, lambda z, p: 2 + z * p)
    quarter = (pi / 4 * mpf('1.005'))**2
    print('  // sin r = r + r^3 P(r^2), cos r = 1 - r^2/2 + r^4 P(r^2), |r| <= pi/4')
    g = safe(lambda z: (sin(sqrt(z)) - sqrt(z)) / sqrt(z)**3, mpf(-1) / 6)
    table('kSin', g, 0, quarter, 3 if f32 else 6, f32, lambda z, p: 1 + z * p)
    g = safe(lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, mpf(1) / 24)
    table('kCos', g, 0, quarter, 2 if f32 else 6, f32, lambda z, p: 1 - z / 2 + z * z * p)
    print('  // erf x = x + x P(x^2), |x| <= 0.7')
    g = safe(lambda z: erf(sqrt(z)) / sqrt(z) - 1, 2 / sqrt(pi) - 1)
    table('kErf', g, 0, mpf('0.491'), 5 if f32 else 10, f32, lambda z, p: 1 + p)
    print('  // (1 + 2x) e^(x^2) erfc x = P((x - k)/(x + k)), x >= 0, k = kErfcCenter')
    print('  static constexpr %s kErfcCenter = 3;' % ('float' if f32 else 'double'))
    table('kErfc', erfcx_of_q(mpf(3)), -1, 1, 11 if f32 else 27, f32, lambda q, p: p)
    print('  // atan x = x + x^3 P(x^2), |x| <= tan(pi/8)')
    g = safe(lambda z: (atan(sqrt(z)) - sqrt(z)) / sqrt(z)**3, mpf(-1) / 3)
    table('kAtan', g, 0, mpf('0.1717'), 4 if f32 else 11, f32, lambda z, p: 1 + z * p)
    print('  // cbrt m, m in [0.707, 1.415]: a first guess')
    table('kCbrt', lambda m: cbrt(m), mpf('0.707'), mpf('1.4145'), 3, f32, lambda m, p: p)
    print('  // ln 2 and pi/2 as sums of short numbers: products with small integers are exact')
    split(log(2), 15 if f32 else 40, 2, 'kLn2', f32)
    split(pi / 2, 11 if f32 else 33, 4, 'kHalfPi', f32)
    print('};\n')
print('}  // namespace libnf::kernel')
