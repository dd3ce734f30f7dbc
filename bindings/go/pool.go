package nf

// #include "nfgo.h"
import "C"

import "sync"

// sessions are those that wait for work. It has no pointer to the model, which has one to it: the garbage collector frees
// no cycle of objects with finalizers.
type sessions struct {
	mu      sync.Mutex
	idle    []*Session
	max     int
	options Options
	closed  bool
}

func (p *sessions) get(m *Model) (*Session, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, closed("the pool is closed")
	}
	if n := len(p.idle); n > 0 {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return s, nil
	}
	p.mu.Unlock()
	return m.NewSession(p.options)
}

func (p *sessions) put(s *Session) {
	p.mu.Lock()
	keep := !p.closed && len(p.idle) < p.max
	if keep {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	if !keep {
		s.Close()
	}
}

func (p *sessions) drain() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, s := range idle {
		s.Close()
	}
}

// Pool hands out sessions of a model, and keeps some that wait for the next goroutine.
type Pool struct {
	m *Model
	s sessions
}

// NewPool creates a pool that keeps at most `keep` idle sessions. Options are of scope "session"; a service with a goroutine
// per request wants "session.threads" = 1.
func (m *Model) NewPool(keep int, options Options) *Pool {
	p := &Pool{m: m}
	p.s.max, p.s.options = keep, options
	return p
}

// With runs fn with a session of its own, which is the pool's again afterwards.
func (p *Pool) With(fn func(*Session) error) error {
	s, err := p.s.get(p.m)
	if err != nil {
		return err
	}
	defer p.s.put(s)
	return fn(s)
}

// Close frees the idle sessions, and those in use when they come back.
func (p *Pool) Close() error {
	p.s.drain()
	return nil
}

// manyRows is where a call with all threads of the runtime is worth a session of its own.
const manyRows = 4096

// session enters a call with a session of the model's own pool, which has one thread.
func (m *Model) session(fn func(*Session) error) error {
	if m == nil || m.h == nil {
		return failure(ErrArgument, "the model is nil")
	}
	s, err := m.pool.get(m)
	if err != nil {
		if m.closed() {
			err = closed("the model is closed")
		}
		return err
	}
	defer m.pool.put(s)
	return fn(s)
}

// LogProb returns the log density of every row. Any number of goroutines may call it at once: each has a session with one
// thread, but large calls use all threads of the runtime.
func (m *Model) LogProb(x, cond Array) ([]float64, error) {
	if x.err != nil {
		return nil, x.err
	}
	if m == nil || m.h == nil {
		return nil, failure(ErrArgument, "the model is nil")
	}
	if x.Len() != x.Rows()*m.info.EventSize { // before there is memory for that many results
		return nil, failure(ErrShape, "x has shape %v, but the model has %d columns", x.Shape(), m.info.EventSize)
	}
	out := make([]float64, x.Rows())
	if err := m.LogProbTo(x, cond, Vec(out)); err != nil {
		return nil, err
	}
	return out, nil
}

// LogProbTo writes the log density [n] of every row, as LogProb.
func (m *Model) LogProbTo(x, cond, logProb Array) error {
	if x.Rows() < manyRows {
		return m.session(func(s *Session) error { return s.LogProb(x, cond, logProb) })
	}
	return m.read(func(f *frame) C.nf_status {
		xv, cv := f.view(x), f.view(cond)
		return f.with(logProb, func(to *C.nf_out) C.nf_status { return C.nf_score(m.h, xv, cv, to, f.e()) })
	})
}

// LogProbRow returns the log density of one row. cond is nil without a context.
func (m *Model) LogProbRow(x, cond []float64) (value float64, err error) {
	err = m.session(func(s *Session) error {
		value, err = s.LogProbRow(x, cond)
		return err
	})
	return value, err
}

// Sample returns n samples, row by row.
func (m *Model) Sample(n int, how Sampling, cond Array) ([]float64, error) {
	if m == nil || m.h == nil {
		return nil, failure(ErrArgument, "the model is nil")
	}
	size, ok := product(n, m.info.EventSize)
	if !ok {
		return nil, failure(ErrArgument, "n is %d", n)
	}
	out := make([]float64, size)
	err := m.session(func(s *Session) error { return s.Sample(how, cond, Rows(out, m.info.EventSize), None) })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Draw fills x with samples 0 to n-1 of the stream `seed`, with all threads of the runtime.
func (m *Model) Draw(seed uint64, cond, x Array) error {
	return m.read(func(f *frame) C.nf_status {
		cv := f.view(cond)
		return f.with(x, func(to *C.nf_out) C.nf_status { return C.nf_draw(m.h, C.uint64_t(seed), cv, to, f.e()) })
	})
}
