package nf

// #include "nfgo.h"
import "C"

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// Number is what an array may hold. Only rows of data and contexts may be bytes.
type Number interface{ float32 | float64 | uint8 }

// Dtype is the type of the numbers of an array or a tensor.
type Dtype int32

// The types of numbers.
const (
	Float32 Dtype = C.NF_F32
	Float64 Dtype = C.NF_F64
	Uint8   Dtype = C.NF_U8
)

func (d Dtype) String() string {
	switch d {
	case Float32:
		return "float32"
	case Float64:
		return "float64"
	case Uint8:
		return "uint8"
	}
	return fmt.Sprintf("Dtype(%d)", int32(d))
}

func (d Dtype) size() int {
	switch d {
	case Float32:
		return 4
	case Float64:
		return 8
	}
	return 1
}

// MaxRank is the largest rank of an array.
const MaxRank = C.NF_MAX_RANK

// Array describes numbers in a slice: it is a shape, not a copy. The constructors return no error; a shape that does not fit
// the slice is one, an ErrShape, of the first call that the array is given to. The zero Array, None, stands for an
// argument that is left out.
type Array struct {
	data    unsafe.Pointer
	dtype   Dtype
	rank    int
	strided bool
	shape   [MaxRank]int
	strides [MaxRank]int // in elements, set in any case
	owner   owner        // of C memory, otherwise nil
	err     error
}

// None is the argument that is left out: a model without context, a result that is not wanted.
var None Array

func dtypeOf[T Number]() Dtype {
	switch any(T(0)).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	}
	return Uint8
}

// Rows describes x as [len(x)/columns, columns].
func Rows[T Number](x []T, columns int) Array {
	if columns < 1 || len(x)%columns != 0 {
		return Array{dtype: dtypeOf[T](), err: failure(ErrShape, "%d numbers are not rows of %d", len(x), columns)}
	}
	return Shaped(x, len(x)/columns, columns)
}

// Vec describes x as [len(x)].
func Vec[T Number](x []T) Array { return Shaped(x, len(x)) }

// Images describes x as [n, height, width, channels].
func Images[T Number](x []T, height, width, channels int) Array {
	size, ok := product(height, width, channels)
	if !ok || size == 0 || len(x)%size != 0 {
		return Array{dtype: dtypeOf[T](), err: failure(ErrShape, "%d numbers are not images of %dx%dx%d", len(x), height, width, channels)}
	}
	return Shaped(x, len(x)/size, height, width, channels)
}

// ImagesChannelFirst describes x, stored as [n, channels, height, width], as [n, height, width, channels].
func ImagesChannelFirst[T Number](x []T, channels, height, width int) Array {
	size, ok := product(channels, height, width)
	if !ok || size == 0 || len(x)%size != 0 {
		return Array{dtype: dtypeOf[T](), err: failure(ErrShape, "%d numbers are not images of %dx%dx%d", len(x), channels, height, width)}
	}
	return Strided(x, 0, []int{len(x) / size, height, width, channels}, []int{size, width, 1, height * width})
}

// Shaped describes the whole of x as a row-major array.
func Shaped[T Number](x []T, shape ...int) Array {
	a := Array{data: unsafe.Pointer(unsafe.SliceData(x)), dtype: dtypeOf[T](), rank: len(shape)}
	if len(shape) > MaxRank {
		a.err = failure(ErrShape, "an array of rank %d: at most %d are possible", len(shape), MaxRank)
		return a
	}
	copy(a.shape[:], shape)
	if n, ok := product(shape...); !ok || n != len(x) {
		a.err = failure(ErrShape, "shape %v does not fit %d numbers", shape, len(x))
	}
	a.rowMajor()
	return a
}

// Strided describes numbers of x: element (i, j, ...) is x[offset + i*strides[0] + j*strides[1] + ...]. Strides may be 0 or
// negative. In a result, no two elements may be in the same place.
func Strided[T Number](x []T, offset int, shape, strides []int) Array {
	a := Array{dtype: dtypeOf[T](), rank: len(shape), strided: true}
	if len(shape) > MaxRank || len(shape) != len(strides) {
		a.err = failure(ErrShape, "shape %v with strides %v: expected as many, and at most %d", shape, strides, MaxRank)
		return a
	}
	copy(a.shape[:], shape)
	copy(a.strides[:], strides)
	n, ok := product(shape...)
	low, high := offset, offset
	for i := 0; ok && n > 0 && i < len(shape); i++ {
		far, fits := times(shape[i]-1, strides[i])
		if ok = fits; far < 0 {
			low += far
		} else {
			high += far
		}
		ok = ok && low <= offset && high >= offset // no overflow
	}
	if !ok || n > 0 && (low < 0 || high >= len(x)) {
		a.err = failure(ErrShape, "offset %d, shape %v and strides %v leave a slice of %d numbers", offset, shape, strides, len(x))
		return a
	}
	if n > 0 {
		a.data = unsafe.Pointer(&x[offset])
	}
	return a
}

// product multiplies extents; ok is false for a negative one and an overflow.
func product(extents ...int) (n int, ok bool) {
	n, ok = 1, true
	for _, e := range extents {
		if e < 0 {
			return 0, false
		}
	}
	for _, e := range extents {
		if n, ok = times(n, e); !ok {
			return 0, false
		}
	}
	return n, true
}

// times multiplies a, not negative, by b.
func times(a, b int) (int, bool) {
	m := b
	if m < 0 {
		m = -m
	}
	high, low := bits.Mul64(uint64(a), uint64(m))
	return a * b, m >= 0 && high == 0 && low <= 1<<62
}

func (a *Array) rowMajor() {
	step := 1
	for i := a.rank - 1; i >= 0; i-- {
		a.strides[i] = step
		step *= a.shape[i]
	}
}

// IsNone reports whether the array is None.
func (a Array) IsNone() bool { return a.dtype == 0 }

// Dtype returns the type of the numbers.
func (a Array) Dtype() Dtype { return a.dtype }

// Shape returns the extents, outermost first.
func (a Array) Shape() []int { return append([]int(nil), a.shape[:a.rank]...) }

// Rows returns the first extent; 0 of None.
func (a Array) Rows() int {
	if a.rank == 0 {
		return 0
	}
	return a.shape[0]
}

// Len returns the number of elements.
func (a Array) Len() int {
	if a.IsNone() || a.err != nil {
		return 0
	}
	n, _ := product(a.shape[:a.rank]...)
	return n
}

// Slice describes rows from to to-1.
func (a Array) Slice(from, to int) Array {
	if a.err != nil || a.IsNone() {
		return a
	}
	if a.rank == 0 || from < 0 || to < from || to > a.shape[0] {
		a.err = failure(ErrShape, "rows %d to %d of an array of shape %v", from, to, a.shape[:a.rank])
		return a
	}
	if to > from && a.data != nil {
		a.data = unsafe.Add(a.data, from*a.strides[0]*a.dtype.size())
	}
	a.shape[0] = to - from
	return a
}

// Float64s copies the numbers, in row-major order.
func (a Array) Float64s() ([]float64, error) {
	f := takeFrame()
	defer f.putBack()
	if a.IsNone() {
		return nil, nil
	}
	if !f.keep(&a) {
		return nil, f.err
	}
	out := make([]float64, a.Len())
	a.read(out, 0, 0, 0)
	return out, nil
}

// read copies what is at `axis` and inside, which starts `at` elements after data, to out[to:], and returns the new `to`.
func (a *Array) read(out []float64, axis, at, to int) int {
	if len(out) == 0 {
		return 0
	}
	if axis == a.rank {
		switch p := unsafe.Add(a.data, at*a.dtype.size()); a.dtype {
		case Float32:
			out[to] = float64(*(*float32)(p))
		case Float64:
			out[to] = *(*float64)(p)
		default:
			out[to] = float64(*(*uint8)(p))
		}
		return to + 1
	}
	for i := 0; i < a.shape[axis]; i++ {
		to = a.read(out, axis+1, at+i*a.strides[axis], to)
	}
	return to
}

// fromC describes memory of the library.
func fromC(v *C.nf_view, o owner) Array {
	if v == nil {
		return None
	}
	a := Array{data: v.data, dtype: Dtype(v.dtype), rank: int(v.ndim), strided: v.flags&C.NF_STRIDED != 0, owner: o}
	for i := 0; i < a.rank; i++ {
		a.shape[i], a.strides[i] = int(v.shape[i]), int(v.strides[i])
	}
	if !a.strided {
		a.rowMajor()
	}
	return a
}

// Batch is rows of data, by name. Streams that a call does not use must be None.
type Batch struct {
	X      Array // [n, columns] or [n, height, width, channels]
	Cond   Array // rows of the model's context, [n or 1, columns]; None exactly when the model has none
	Weight Array // [n], not negative; None: all 1
	Scores Array // as X: gradients of the target's log-density at X, for objective "fisher"
	Part   Array // [n], for Fit: 0 is a row to train on, 1 to validate with, others neither
}

func (b *Batch) none() bool {
	return b.X.IsNone() && b.Cond.IsNone() && b.Weight.IsNone() && b.Scores.IsNone() && b.Part.IsNone()
}
