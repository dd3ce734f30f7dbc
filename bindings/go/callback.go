package nf

// #include "nfgo.h"
import "C"

import (
	"context"
	"errors"
	"io"
	"runtime/cgo"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"
)

// call is what the callbacks of one call of the library share. They run on the goroutine of the caller.
type call struct {
	ctx      context.Context
	mu       *sync.RWMutex // of the model, which the caller has locked; open while a callback runs
	err      error
	panicked *CallbackPanic

	write  io.Writer
	source Source
	rows   *frame // of the source's last batch
	onStep func(StepInfo) error
	onFit  func(FitInfo) error
	reduce func(f32 []float32, f64 []float64) error
}

// run calls fn and reports whether the library should go on.
func (c *call) run(fn func() error) (ok bool) {
	if c.mu != nil {
		c.mu.Unlock()
		defer c.mu.Lock()
	}
	defer func() {
		if r := recover(); r != nil {
			c.panicked, ok = &CallbackPanic{Value: r, Stack: debug.Stack()}, false
		}
	}()
	if c.ctx != nil && c.ctx.Err() != nil {
		c.err = context.Cause(c.ctx)
		return false
	}
	err := fn()
	if err != nil {
		c.err = err
	}
	return err == nil
}

// outcome raises the panic of a callback, or adds the error of one to that of the call.
func (c *call) outcome(err error) error {
	if c.panicked != nil {
		panic(c.panicked)
	}
	if err == nil || c.err == nil {
		return err
	}
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Status == ErrCallback && (errors.Is(c.err, context.Canceled) || errors.Is(c.err, context.DeadlineExceeded)) {
		e.Status = ErrCancelled
	}
	e.Cause = c.err
	return e
}

// outcome of a call that ErrStop may end.
func (c *call) stoppable(err error) error {
	if c.panicked == nil && errors.Is(c.err, ErrStop) && errors.Is(err, ErrCancelled) {
		return nil
	}
	return c.outcome(err)
}

func (c *call) reset() {
	c.err, c.panicked, c.ctx, c.source, c.onStep, c.onFit = nil, nil, nil, nil, nil, nil
}

func callOf(h C.uintptr_t) *call { return cgo.Handle(h).Value().(*call) }

// withCall runs fn with a handle of c.
func withCall(c *call, fn func(C.uintptr_t) error) error {
	h := cgo.NewHandle(c)
	defer h.Delete()
	return fn(C.uintptr_t(h))
}

// status of a callback: 0 to go on, 1 to stop, -1 for a failure.
func outcomeOf(ok bool, failed C.int32_t) C.int32_t {
	if ok {
		return 0
	}
	return failed
}

//export nfgoWrite
func nfgoWrite(h C.uintptr_t, bytes unsafe.Pointer, n C.size_t) C.int32_t {
	c := callOf(h)
	return outcomeOf(c.run(func() error {
		b := unsafe.Slice((*byte)(bytes), int(n))
		k, err := c.write.Write(b)
		if err == nil && k < len(b) {
			err = io.ErrShortWrite
		}
		return err
	}), -1)
}

//export nfgoStep
func nfgoStep(h C.uintptr_t, info *C.nf_step_info) C.int32_t {
	c := callOf(h)
	return outcomeOf(c.run(func() error {
		if c.onStep == nil {
			return nil
		}
		return c.onStep(stepInfo(info))
	}), 1)
}

//export nfgoFit
func nfgoFit(h C.uintptr_t, info *C.nf_fit_info) C.int32_t {
	c := callOf(h)
	return outcomeOf(c.run(func() error {
		if c.onFit == nil {
			return nil
		}
		return c.onFit(fitInfo(info))
	}), 1)
}

//export nfgoNext
func nfgoNext(h C.uintptr_t, step C.uint64_t, batch *C.nf_batch) C.int32_t {
	c, more := callOf(h), C.int32_t(1)
	ok := c.run(func() error {
		c.rows.clear()
		b, err := c.source.Next(uint64(step))
		if errors.Is(err, io.EOF) {
			more = 0
			return nil
		}
		if err == nil {
			c.rows.fillBatch(batch, b)
			err = c.rows.err
		}
		return err
	})
	if !ok {
		return -1
	}
	return more
}

//export nfgoReduce
func nfgoReduce(h C.uintptr_t, buf unsafe.Pointer, n C.size_t, dtype C.nf_dtype) C.int32_t {
	c := callOf(h)
	return outcomeOf(c.run(func() error {
		if Dtype(dtype) == Float64 {
			return c.reduce(nil, unsafe.Slice((*float64)(buf), int(n)))
		}
		return c.reduce(unsafe.Slice((*float32)(buf), int(n)), nil)
	}), -1)
}

//export nfgoTarget
func nfgoTarget(user, current C.uintptr_t, x, cond *C.nf_view, logDensity, gradient *C.nf_out) C.int32_t {
	t, c := cgo.Handle(user).Value().(*targetFunc), &call{}
	if current != 0 {
		c = callOf(current)
	}
	stopped := false
	ok := c.run(func() error {
		err := t.evaluate(x, cond, logDensity, gradient)
		stopped = errors.Is(err, ErrStop)
		return err
	})
	if stopped {
		return 1
	}
	return outcomeOf(ok, -1)
}

// guard runs fn of a callback of the runtime.
func (h *host) guard(fn func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			h.panicked.CompareAndSwap(nil, &CallbackPanic{Value: r, Stack: debug.Stack()})
		}
	}()
	fn()
	return true
}

func hostOf(h C.uintptr_t) *host { return cgo.Handle(h).Value().(*host) }

//export nfgoLog
func nfgoLog(user C.uintptr_t, level C.int32_t, text *C.char) {
	h := hostOf(user)
	h.guard(func() { h.log(int(level), C.GoString(text)) })
}

//export nfgoAlloc
func nfgoAlloc(user C.uintptr_t, size, align C.size_t) C.uintptr_t {
	h, p := hostOf(user), uintptr(0)
	h.guard(func() { p = h.alloc(uintptr(size), uintptr(align)) })
	return C.uintptr_t(p)
}

//export nfgoFree
func nfgoFree(user C.uintptr_t, p unsafe.Pointer, size, align C.size_t) {
	h := hostOf(user)
	h.guard(func() { h.free(p, uintptr(size), uintptr(align)) })
}

// nfgoParallel runs every body once, whatever the executor does: what it left out, because it panicked or forgot, runs here.
//
//export nfgoParallel
func nfgoParallel(user C.uintptr_t, n C.uint32_t, body, ctx unsafe.Pointer) {
	h := hostOf(user)
	begun := make([]atomic.Bool, int(n))
	var running sync.WaitGroup
	running.Add(int(n))
	run := func(i int) {
		if i >= 0 && i < len(begun) && begun[i].CompareAndSwap(false, true) {
			defer running.Done()
			C.nfgo_body(body, ctx, C.uint32_t(i))
		}
	}
	h.guard(func() { h.executor(int(n), run) })
	for i := range begun {
		run(i)
	}
	running.Wait()
}
