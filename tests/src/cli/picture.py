"""Shared by the tests of nf plot: reads and writes PNG files, finds panels in them. Standard library only."""
import struct
import zlib


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


def ink(rows, x0, y0, x1, y1):
    """Part of a region that is not white."""
    inside = [rows[y][x] for y in range(y0, y1) for x in range(x0, x1)]
    return sum(min(p) < 250 for p in inside) / len(inside)


def extent(rows, x0, y0, side, is_point):
    """Returns width and height of what is drawn in a panel, as fractions of its side."""
    spots = [(x, y) for y in range(y0 + 2, y0 + side - 2) for x in range(x0 + 2, x0 + side - 2) if is_point(rows[y][x])]
    assert spots, 'nothing drawn'
    return [(max(s[i] for s in spots) - min(s[i] for s in spots)) / side for i in (0, 1)]


def lines(rows, side):
    """Returns for each row of pixels where lines of at least `side` pale pixels start, such as the top of a frame."""
    kinds = {}  # pictures have few colors
    found = []
    for row in rows:
        gray = bytes(kinds.setdefault(p, max(p) - min(p) < 40 and p[0] < 160) for p in row)
        at, starts = gray.find(bytes([1]) * side), []
        while at >= 0:
            starts.append(at)
            at = gray.find(bytes([1]) * side, gray.find(b'\0', at) if b'\0' in gray[at:] else len(gray))
        found.append(starts)
    return found


def panels(rows, side):
    """Returns the corners of the frames of the first row of panels, one pixel left and above of the panel itself."""
    for y, starts in enumerate(lines(rows, side)):
        if starts:
            return [(x, y) for x in starts]
    raise AssertionError('no frame')


def all_panels(rows, side):
    """Returns the corner of the frame of each panel, row by row."""
    found, next_y = [], 0
    for y, starts in enumerate(lines(rows, side)):
        if starts and y >= next_y:
            found += [(x, y) for x in starts]
            next_y = y + side + 2  # not the line along the bottom
    return found


def is_blue(p):
    return p[2] > p[0] + 40


def is_orange(p):
    return p[0] > p[2] + 40


def count(rows, x0, y0, x1, y1, is_point):
    """Number of pixels of a kind in a region."""
    return sum(is_point(rows[y][x]) for y in range(y0, y1) for x in range(x0, x1))


def margins_are_white(rows):
    height, width = len(rows), len(rows[0])
    return (all(min(rows[y][x]) > 250 for x in (0, width - 1) for y in range(height)) and
            all(min(rows[y][x]) > 250 for y in (0, height - 1) for x in range(width)))


def write_png(path, gray, size=4):
    """`size`: the width of the picture."""
    def chunk(kind, body):
        return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
    lines = b''.join(b'\0' + bytes(gray[i:i + size]) for i in range(0, len(gray), size))
    with open(path, 'wb') as f:
        f.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', size, len(gray) // size, 8, 0, 0, 0, 0)) +
                chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))
