package nf

// #include "nfgo.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// Session is scratch memory to score, map and sample with a model. It is used by one goroutine at a time: a second one gets
// ErrState. Any number of sessions may use a model at once. Results are written to arrays of the caller; those that are
// None are left out. cond are rows of the model's context, [n or 1, columns], and None without one.
type Session struct {
	state
	h    *C.nf_session
	keep *keeper
	f    *frame
	info ModelInfo
}

// NewSession creates a session. Options are of scope "session".
func (m *Model) NewSession(options Options) (*Session, error) {
	f, err := m.enter(false)
	if err != nil {
		return nil, err
	}
	defer m.exit(f, false)
	o, err := options.create()
	if err != nil {
		return nil, err
	}
	defer C.nf_options_free(o)
	s := &Session{keep: m.keep, info: m.info}
	if err := f.check(C.nf_session_create(m.h, o, &s.h, f.e())); err != nil {
		return nil, err
	}
	s.f = newFrame()
	h, scratch := s.h, s.f
	s.free = func() {
		C.nf_session_free(h)
		scratch.destroy()
	}
	runtime.SetFinalizer(s, (*Session).Close)
	return s, nil
}

// Close frees the session.
func (s *Session) Close() error {
	if s != nil && s.h != nil {
		s.close()
	}
	return nil
}

// enter begins a call, alone.
func (s *Session) enter() (*frame, error) {
	if s == nil || s.h == nil {
		return nil, failure(ErrArgument, "the session is nil")
	}
	if !s.seize() {
		return nil, s.refusal("the session")
	}
	return s.f, nil
}

func (s *Session) exit() {
	s.f.clear()
	s.leave()
	s.keep.hosts().raise()
}

// do runs fn alone. An error of an argument counts before its status.
func (s *Session) do(prepare func(f *frame), fn func(f *frame) C.nf_status) error {
	f, err := s.enter()
	if err != nil {
		return err
	}
	defer s.exit()
	prepare(f)
	if f.err != nil {
		return f.err
	}
	return f.check(fn(f))
}

// Bytes returns the size of the scratch memory.
func (s *Session) Bytes() int {
	if _, err := s.enter(); err != nil {
		return 0
	}
	defer s.exit()
	return int(C.nf_session_bytes(s.h))
}

// LogProb writes the log density [n] of every row, in nats.
func (s *Session) LogProb(x, cond, logProb Array) error {
	f, err := s.enter()
	if err != nil {
		return err
	}
	defer s.exit()
	xv, cv, out := f.view(x), f.view(cond), f.dst(logProb)
	if f.err != nil {
		return f.err
	}
	return f.check(C.nf_log_prob(s.h, xv, cv, out, f.e()))
}

// LogProbRow returns the log density of one row, for latency. cond is nil without a context.
func (s *Session) LogProbRow(x, cond []float64) (float64, error) {
	if s == nil || s.h == nil {
		return 0, failure(ErrArgument, "the session is nil")
	}
	if len(x) != s.info.EventSize || len(cond) != s.info.CondSize {
		return 0, s.badRow(x, cond)
	}
	if !s.seize() {
		return 0, s.refusal("the session")
	}
	var c *C.double
	if len(cond) > 0 {
		c = (*C.double)(unsafe.SliceData(cond))
	}
	status := C.nf_log_prob_row(s.h, (*C.double)(unsafe.SliceData(x)), c, &s.f.c.number, &s.f.c.err)
	value := float64(s.f.c.number)
	var err error
	if status != C.NF_OK {
		value, err = 0, check(status, &s.f.c.err)
	}
	s.leave()
	if s.keep != nil {
		s.keep.host.raise()
	}
	return value, err
}

func (s *Session) badRow(x, cond []float64) error {
	if len(x) != s.info.EventSize {
		return failure(ErrShape, "x has %d numbers, but the model has %d columns", len(x), s.info.EventSize)
	}
	return failure(ErrShape, "cond has %d numbers, but the context of the model has %d columns", len(cond), s.info.CondSize)
}

// Direction of a map.
type Direction int32

// Forward maps data x to latents z, Inverse maps z to x.
const (
	Forward Direction = C.NF_FORWARD
	Inverse Direction = C.NF_INVERSE
)

// Forward maps x to z. logDet [n] is log |det dz/dx|.
func (s *Session) Forward(x, cond, z, logDet Array) error {
	var xv, cv *C.nf_view
	var out, det *C.nf_out
	return s.do(func(f *frame) { xv, cv, out, det = f.view(x), f.view(cond), f.dst(z), f.dst(logDet) },
		func(f *frame) C.nf_status { return C.nf_forward(s.h, xv, cv, out, det, f.e()) })
}

// Inverse maps z to x. logDet [n] is log |det dx/dz|.
func (s *Session) Inverse(z, cond, x, logDet Array) error {
	var zv, cv *C.nf_view
	var out, det *C.nf_out
	return s.do(func(f *frame) { zv, cv, out, det = f.view(z), f.view(cond), f.dst(x), f.dst(logDet) },
		func(f *frame) C.nf_status { return C.nf_inverse(s.h, zv, cv, out, det, f.e()) })
}

// Trace writes the rows before, between and after all layers, states [layers + 1, n, columns], and what each layer adds to
// the log-determinant, logDet [layers, n].
func (s *Session) Trace(d Direction, from, cond, states, logDet Array) error {
	var v, cv *C.nf_view
	var out, det *C.nf_out
	return s.do(func(f *frame) { v, cv, out, det = f.view(from), f.view(cond), f.dst(states), f.dst(logDet) },
		func(f *frame) C.nf_status { return C.nf_trace(s.h, C.nf_direction(d), v, cv, out, det, f.e()) })
}

// Sampling says which samples. The zero value asks for the first samples of stream 0.
type Sampling struct {
	Seed        uint64  // the stream
	First       uint64  // index of the first sample
	Repeat      int     // 0 or 1: sample i has row i of cond. m: each row of cond has m samples
	Temperature float64 // factor of the base's deviation from its mean; 0 stands for 1
}

func (s Sampling) c() C.nf_sampling {
	var c C.nf_sampling
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	c.seed, c.first_index, c.repeat, c.temperature = C.uint64_t(s.Seed), C.uint64_t(s.First), C.int64_t(s.Repeat), C.double(s.Temperature)
	return c
}

// Sample fills x with samples, and logProb [n] with the model's log density there. A sample's bits do not depend on how a
// run is split into calls.
func (s *Session) Sample(how Sampling, cond, x, logProb Array) error {
	var cv *C.nf_view
	var out, lp *C.nf_out
	c := how.c()
	return s.do(func(f *frame) { cv, out, lp = f.view(cond), f.dst(x), f.dst(logProb) },
		func(f *frame) C.nf_status { return C.nf_sample(s.h, &c, cv, out, lp, f.e()) })
}

// BaseLogProb writes the log density [n] of the base distribution at z.
func (s *Session) BaseLogProb(z, cond, logProb Array) error {
	var zv, cv *C.nf_view
	var out *C.nf_out
	return s.do(func(f *frame) { zv, cv, out = f.view(z), f.view(cond), f.dst(logProb) },
		func(f *frame) C.nf_status { return C.nf_base_log_prob(s.h, zv, cv, out, f.e()) })
}

// BaseSample fills z with the latents of the samples that Sample draws.
func (s *Session) BaseSample(how Sampling, cond, z Array) error {
	var cv *C.nf_view
	var out *C.nf_out
	c := how.c()
	return s.do(func(f *frame) { cv, out = f.view(cond), f.dst(z) },
		func(f *frame) C.nf_status { return C.nf_base_sample(s.h, &c, cv, out, f.e()) })
}

// BaseQuantile maps u in (0, 1) [n, columns of z] through the inverse distribution function of the base.
func (s *Session) BaseQuantile(u, cond, z Array) error {
	var uv, cv *C.nf_view
	var out *C.nf_out
	return s.do(func(f *frame) { uv, cv, out = f.view(u), f.view(cond), f.dst(z) },
		func(f *frame) C.nf_status { return C.nf_base_quantile(s.h, uv, cv, out, f.e()) })
}
