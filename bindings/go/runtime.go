package nf

// #include "nfgo.h"
import "C"

import (
	"runtime"
	"sync"
	"unsafe"
)

// Runtime has the threads, the memory and the log of what is created with it. Functions that take a *Runtime accept nil for
// one with default options, which all such calls of the program share.
type Runtime struct {
	state
	h    *C.nf_runtime
	keep *keeper
}

// RuntimeConfig is what a runtime may get from the program. Every field may be left out.
type RuntimeConfig struct {
	Options Options // of scope "runtime": "runtime.threads", "runtime.max_bytes"
	// Log receives what the library chose to do, which is never an error: level 0 informs, level 1 warns. It may be called
	// from several goroutines at once.
	Log func(level int, message string)
	// Executor runs body(0) to body(n-1), n at most Concurrency, on any goroutines, and returns after all have returned.
	// Without one, the library starts "runtime.threads" - 1 threads of its own.
	Executor    func(n int, body func(i int))
	Concurrency int
	Allocator   *Allocator
}

// Allocator provides the memory of parameters, scratch and rows, from outside of Go's heap. Both functions are called from
// any thread. Alloc returns nil when out of memory; align is a power of two, at most 64.
type Allocator struct {
	Alloc func(size, align uintptr) unsafe.Pointer
	Free  func(p unsafe.Pointer, size, align uintptr)
}

// NewRuntime creates a runtime.
func NewRuntime(config RuntimeConfig) (*Runtime, error) {
	host := &host{log: config.Log, executor: config.Executor}
	if a := config.Allocator; a != nil {
		if a.Alloc == nil || a.Free == nil {
			return nil, failure(ErrArgument, "Allocator.Alloc or Allocator.Free is nil")
		}
		host.alloc = func(size, align uintptr) uintptr { return uintptr(a.Alloc(size, align)) }
		host.free = a.Free
	}
	concurrency := 0
	if config.Executor != nil {
		if concurrency = config.Concurrency; concurrency < 1 || concurrency > 1024 {
			return nil, failure(ErrArgument, "Concurrency is %d, expected 1 to 1024 beside an Executor", concurrency)
		}
	}
	options, err := config.Options.create()
	if err != nil {
		return nil, err
	}
	defer C.nf_options_free(options)
	r, user := &Runtime{}, C.uintptr_t(0)
	if config.Log != nil || config.Executor != nil || config.Allocator != nil {
		r.keep = newKeeper(host, []any{host})
		user = C.uintptr_t(r.keep.handles[0])
	}
	f := takeFrame()
	defer f.putBack()
	err = f.check(C.nfgo_runtime_create(options, user, flag(host.alloc != nil), C.uint32_t(concurrency), flag(config.Log != nil),
		&r.h, f.e()))
	r.keep.hosts().raise()
	if err != nil {
		return nil, err
	}
	h := r.h
	r.free = func() { C.nf_runtime_free(h) }
	runtime.SetFinalizer(r, (*Runtime).Close)
	return r, nil
}

func flag(on bool) C.int {
	if on {
		return 1
	}
	return 0
}

// Close frees the runtime after everything that was created with it. It always returns nil.
func (r *Runtime) Close() error {
	if r != nil && r.h != nil {
		r.close()
	}
	return nil
}

var shared struct {
	once sync.Once
	r    *Runtime
	err  error
}

// or returns r, or the runtime that stands for nil, entered.
func (r *Runtime) or() (*Runtime, error) {
	if r == nil {
		shared.once.Do(func() { shared.r, shared.err = NewRuntime(RuntimeConfig{}) })
		if shared.err != nil {
			return nil, shared.err
		}
		r = shared.r
	}
	if r.h == nil || !r.share() {
		return nil, closed("the runtime is closed")
	}
	return r, nil
}

func (r *Runtime) exit() {
	r.leave()
	r.keep.hosts().raise()
}
