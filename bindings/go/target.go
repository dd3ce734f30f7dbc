package nf

// #include "nfgo.h"
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Target is a density known up to a factor. Its methods may be called from any number of goroutines.
type Target struct {
	state
	h    *C.nf_target
	keep *keeper
	rt   *Runtime
	wide bool // it computes in float64
	info TargetInfo
}

// TargetInfo is what a target is.
type TargetInfo struct {
	BuiltIn bool
	Columns int
	LogZ    float64 // log of the integral: NaN if unknown, infinity if it diverges
}

// Point is the rows that a target is asked for, row by row: x [n, columns], and cond [n or 1, CondColumns] or nil. They are
// borrowed for the call.
type Point[F float32 | float64] struct {
	N, Columns, CondColumns int
	X, Cond                 []F
	LogDensity              []F // to fill in: [n]
	Gradient                []F // to fill in unless nil: [n, columns]
}

type targetFunc struct {
	f64 func(*Point[float64]) error
	f32 func(*Point[float32]) error
}

// DescribeTargets lists the built-in targets and their fields as JSON.
func DescribeTargets() json.RawMessage { return json.RawMessage(C.GoString(C.nf_targets_describe())) }

// NewTarget creates a built-in target from its name or from JSON {"type": NAME, fields...}.
func NewTarget(rt *Runtime, spec string, columns int) (*Target, error) {
	text := []byte(spec + "\x00")
	return newTarget(rt, nil, true, func(rt *C.nf_runtime, _ C.uintptr_t, h **C.nf_target, e *C.nf_error) C.nf_status {
		return C.nf_target_create(rt, (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(spec)), C.int64_t(columns), h, e)
	})
}

// NewTargetFunc creates a target from a function, which gets float64 whatever the model computes in. LogDensity is -Inf
// where the density is 0. An error of fn ends the call that asked for the density; ErrStop ends it as a cancellation.
func NewTargetFunc(rt *Runtime, columns int, fn func(*Point[float64]) error) (*Target, error) {
	if fn == nil {
		return nil, failure(ErrArgument, "the target's function is nil")
	}
	return newTarget(rt, &targetFunc{f64: fn}, true, func(rt *C.nf_runtime, u C.uintptr_t, h **C.nf_target, e *C.nf_error) C.nf_status {
		return C.nfgo_target_create(rt, C.int64_t(columns), u, 1, h, e)
	})
}

// NewTargetFuncs is NewTargetFunc with functions for both types of numbers: f32 gets what float32 models have.
func NewTargetFuncs(rt *Runtime, columns int, f32 func(*Point[float32]) error, f64 func(*Point[float64]) error) (*Target, error) {
	if f32 == nil || f64 == nil {
		return nil, failure(ErrArgument, "a function of the target is nil")
	}
	return newTarget(rt, &targetFunc{f64: f64, f32: f32}, false,
		func(rt *C.nf_runtime, u C.uintptr_t, h **C.nf_target, e *C.nf_error) C.nf_status {
			return C.nfgo_target_create(rt, C.int64_t(columns), u, 0, h, e)
		})
}

func newTarget(rt *Runtime, fn *targetFunc, wide bool,
	create func(*C.nf_runtime, C.uintptr_t, **C.nf_target, *C.nf_error) C.nf_status) (*Target, error) {
	rt, err := rt.or()
	if err != nil {
		return nil, err
	}
	defer rt.exit()
	f := takeFrame()
	defer f.putBack()
	t, user := &Target{keep: rt.keep, rt: rt, wide: wide}, C.uintptr_t(0)
	if fn != nil {
		t.keep = newKeeper(nil, []any{fn}, rt.keep)
		user = C.uintptr_t(t.keep.handles[0])
	}
	var h *C.nf_target // by itself: cgo looks at the whole object that a pointer is into
	if err := f.check(create(rt.h, user, &h, f.e())); err != nil {
		return nil, err
	}
	t.h = h
	var info C.nf_target_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	if err := f.check(C.nf_target_get_info(t.h, &info, f.e())); err != nil {
		C.nf_target_free(t.h)
		return nil, err
	}
	t.info = TargetInfo{BuiltIn: info.builtin != 0, Columns: int(info.event_size), LogZ: float64(info.log_z)}
	t.free = func() { C.nf_target_free(h) }
	runtime.SetFinalizer(t, (*Target).Close)
	return t, nil
}

// Close frees the target. Trainers that were given it keep what they need.
func (t *Target) Close() error {
	if t != nil && t.h != nil {
		t.close()
	}
	return nil
}

// Info returns what the target is.
func (t *Target) Info() TargetInfo { return t.info }

func (t *Target) enter() (release func(), err error) {
	if t == nil || t.h == nil {
		return nil, failure(ErrArgument, "the target is nil")
	}
	if !t.share() {
		return nil, closed("the target is closed")
	}
	return t.leave, nil
}

// LogDensity writes the log density [n] at x, and its gradient unless that is None. cond is passed on to the function.
func (t *Target) LogDensity(x, cond, logDensity, gradient Array) error {
	release, err := t.enter()
	if err != nil {
		return err
	}
	defer release()
	f := takeFrame()
	defer f.putBack()
	xv, cv, ld, g := f.view(x), f.view(cond), f.dst(logDensity), f.dst(gradient)
	if f.err != nil {
		return f.err
	}
	c := &call{}
	return c.outcome(withCall(c, func(h C.uintptr_t) error {
		return f.check(C.nfgo_target_log_density(h, t.h, xv, cv, ld, g, f.e()))
	}))
}

func (t *targetFunc) evaluate(x, cond *C.nf_view, ld, gradient *C.nf_out) error {
	if Dtype(x.dtype) == Float32 {
		return t.f32(point[float32](x, cond, ld, gradient))
	}
	return t.f64(point[float64](x, cond, ld, gradient))
}

func point[F float32 | float64](x, cond *C.nf_view, ld, gradient *C.nf_out) *Point[F] {
	p := &Point[F]{N: int(x.shape[0]), Columns: int(x.shape[1])}
	p.X = unsafe.Slice((*F)(x.data), p.N*p.Columns)
	p.LogDensity = unsafe.Slice((*F)(ld.data), p.N)
	if cond != nil {
		p.CondColumns = int(cond.shape[1])
		p.Cond = unsafe.Slice((*F)(cond.data), int(cond.shape[0])*p.CondColumns)
	}
	if gradient != nil && gradient.data != nil {
		p.Gradient = unsafe.Slice((*F)(gradient.data), p.N*p.Columns)
	}
	return p
}

// cancellable calls fn with a target that stops when ctx is done: t itself, or where ctx can be done, one that asks t.
func (t *Target) cancellable(ctx context.Context, f *frame, fn func(*C.nf_target) error) error {
	if ctx == nil || ctx.Done() == nil {
		return fn(t.h)
	}
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	g := C.nfgo_guard_create(t.h)
	if g == nil {
		return failure(ErrNoMemory, "no memory for a target")
	}
	defer C.free(unsafe.Pointer(g))
	rt, err := t.rt.or()
	if err != nil {
		return err
	}
	defer rt.exit()
	var h *C.nf_target
	err = f.check(C.nfgo_guard_target(g, rt.h, C.int64_t(t.info.Columns), flag(t.wide), &h, f.e()))
	if err != nil {
		return err
	}
	defer C.nf_target_free(h)
	told := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		atomic.StoreInt32((*int32)(unsafe.Pointer(&g.stop)), 1)
		close(told)
	})
	err = fn(h)
	if !forget() {
		<-told // otherwise it would write to memory that is free
	}
	if err == nil {
		return nil
	}
	if g.err.code != 0 && g.err.code != C.NF_ERR_CANCELLED {
		err = check(g.err.code, &g.err)
		err.(*Error).Row = -1 // it counts within a part of the call
	} else if ctx.Err() != nil && err.(*Error).Status == ErrCancelled {
		err = cancelled(ctx)
	}
	return err
}
