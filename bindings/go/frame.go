package nf

// #include "nfgo.h"
import "C"

import (
	"runtime"
	"sync"
	"unsafe"
)

// frame holds the C structs of one call, and pins the memory of Go that they point to.
type frame struct {
	c       *C.nfgo_frame
	pin     runtime.Pinner
	in, out int // how many views are used
	batches int
	owners  []owner // C memory that is kept for the call
	err     error   // the first error of an argument
}

// owner keeps C memory that an array points to. Both may be called from any goroutine.
type owner interface {
	hold() error
	release()
}

func newFrame() *frame {
	f := &frame{c: C.nfgo_frame_create()}
	if f.c == nil {
		panic("nf: out of memory")
	}
	return f
}

func (f *frame) destroy() { C.free(unsafe.Pointer(f.c)) }

var frames = sync.Pool{New: func() any {
	f := newFrame()
	runtime.SetFinalizer(f, (*frame).destroy)
	return f
}}

func takeFrame() *frame { return frames.Get().(*frame) }

func (f *frame) putBack() {
	f.clear()
	frames.Put(f)
}

// clear ends a call.
func (f *frame) clear() {
	f.pin.Unpin()
	for _, o := range f.owners {
		o.release()
	}
	f.owners = f.owners[:0]
	f.in, f.out, f.batches, f.err = 0, 0, 0, nil
}

func (f *frame) e() *C.nf_error { return &f.c.err }

func (f *frame) check(status C.nf_status) error {
	if status == C.NF_OK {
		return nil
	}
	return check(status, &f.c.err)
}

func (f *frame) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// keep makes the memory of an array stay where it is until clear, and reports whether C may see the array.
func (f *frame) keep(a *Array) bool {
	if a.err != nil {
		f.fail(a.err)
		return false
	}
	if a.owner != nil {
		if err := a.owner.hold(); err != nil {
			f.fail(err)
			return false
		}
		f.owners = append(f.owners, a.owner)
	} else if a.data != nil {
		f.pin.Pin(a.data)
	}
	return true
}

// setPointer stores a pinned pointer in C memory as a number: a store of a pointer would have a write barrier, which reads
// what is there, and that may be a pointer of an earlier call to memory that no longer exists.
func setPointer(at *unsafe.Pointer, p unsafe.Pointer) { *(*uintptr)(unsafe.Pointer(at)) = uintptr(p) }

// view returns nil for an array that is None.
func (f *frame) view(a Array) *C.nf_view {
	if a.IsNone() || !f.keep(&a) {
		return nil
	}
	v := &f.c.in[f.in]
	f.in++
	v.dtype, v.ndim, v.flags = C.nf_dtype(a.dtype), C.int32_t(a.rank), 0
	if a.strided {
		v.flags = C.NF_STRIDED
	}
	setPointer((*unsafe.Pointer)(unsafe.Pointer(&v.data)), a.data)
	for i := 0; i < a.rank; i++ {
		v.shape[i], v.strides[i] = C.int64_t(a.shape[i]), C.int64_t(a.strides[i])
	}
	return v
}

// dst returns nil for an array that is None.
func (f *frame) dst(a Array) *C.nf_out {
	if a.IsNone() || !f.keep(&a) {
		return nil
	}
	if a.owner != nil {
		f.fail(failure(ErrArgument, "an array of the library's memory is read-only: results need an array of your own"))
		return nil
	}
	v := &f.c.out[f.out]
	f.out++
	v.dtype, v.ndim, v.flags = C.nf_dtype(a.dtype), C.int32_t(a.rank), 0
	if a.strided {
		v.flags = C.NF_STRIDED
	}
	setPointer((*unsafe.Pointer)(unsafe.Pointer(&v.data)), a.data)
	for i := 0; i < a.rank; i++ {
		v.shape[i], v.strides[i] = C.int64_t(a.shape[i]), C.int64_t(a.strides[i])
	}
	return v
}

// batch returns nil for a batch without any stream.
func (f *frame) batch(b Batch) *C.nf_batch {
	if b.none() {
		return nil
	}
	c := &f.c.batch[f.batches]
	f.batches++
	f.fillBatch(c, b)
	return c
}

func (f *frame) fillBatch(c *C.nf_batch, b Batch) {
	c.x, c.ctx, c.weight, c.scores, c.part = f.view(b.X), f.view(b.Cond), f.view(b.Weight), f.view(b.Scores), f.view(b.Part)
}
