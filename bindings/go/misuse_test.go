package nf_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	nf "libnf/bindings/go"
)

func TestClosedHandles(t *testing.T) {
	rt := must[*nf.Runtime](t)(nf.NewRuntime(nf.RuntimeConfig{Options: nf.Options{"runtime.threads": 1}}))
	m := must[*nf.Model](t)(nf.NewModel(rt, condSpec, 1))
	s := must[*nf.Session](t)(m.NewSession(nil))
	tr := must[*nf.Trainer](t)(m.NewTrainer(nil, nil))
	g := must[*nf.Target](t)(nf.NewTarget(rt, "banana", 2))
	pool := m.NewPool(2, nil)
	x, c := nf.Rows(banana(4, 1), 2), nf.Rows([]float32{1}, 1)
	must[[]float64](t)(m.LogProb(x, c)) // leaves an idle session
	for i := 0; i < 2; i++ {            // a second Close does nothing
		for _, h := range []interface{ Close() error }{rt, m} {
			ok(t, h.Close())
		}
	}
	// Children keep what they need.
	out := nf.Vec(make([]float64, 4))
	ok(t, s.LogProb(x, c, out))
	must[nf.StepInfo](t)(tr.Step(nf.Batch{X: x, Cond: c}))
	ok(t, s.Close())
	ok(t, tr.Close())
	ok(t, g.Close())

	for name, err := range map[string]error{
		"a model of a runtime":    second(nf.NewModel(rt, spec, 1)),
		"a target of a runtime":   second(nf.NewTarget(rt, "banana", 2)),
		"batches of a runtime":    second(nf.NewBatches(rt, nf.Batch{X: x}, nil)),
		"a table of a runtime":    second(nf.ParseTable(rt, []byte(text), "", nil)),
		"a description":           second(nf.DescribeTableBytes(rt, []byte(text), "", nil)),
		"LogProb of a model":      second(m.LogProb(x, c)),
		"LogProbRow of a model":   second(m.LogProbRow([]float64{1, 2}, []float64{1})),
		"Sample of a model":       second(m.Sample(1, nf.Sampling{}, c)),
		"Draw of a model":         m.Draw(1, c, x),
		"Save of a model":         m.Save("nowhere"),
		"Fit of a model":          second(m.Fit(context.Background(), nf.Batch{X: x}, nf.FitConfig{})),
		"a clone":                 second(m.Clone(nil)),
		"a session of a model":    second(m.NewSession(nil)),
		"a session of a pool":     pool.With(func(*nf.Session) error { return nil }),
		"a trainer of a model":    second(m.NewTrainer(nil, nil)),
		"tensors":                 second(m.Tensors()),
		"the spec":                second(m.Spec()),
		"SetNote":                 m.SetNote("a", "b"),
		"CopyFrom":                started(t).CopyFrom(m),
		"LogProb of a session":    s.LogProb(x, c, out),
		"LogProbRow of a session": second(s.LogProbRow([]float64{1, 2}, []float64{1})),
		"VJP":                     s.VJP(nf.Forward, nf.VJP{From: x, Cond: c}),
		"Step":                    second(tr.Step(nf.Batch{X: x, Cond: c})),
		"Run":                     tr.Run(context.Background(), nil, 1, nil),
		"SetTarget":               tr.SetTarget(g),
		"LogDensity":              g.LogDensity(x, nf.None, out, nf.None),
		"Metropolis":              second(nf.Metropolis(context.Background(), g, nf.Chains{})),
	} {
		if !errors.Is(err, nf.ErrClosed) || !errors.Is(err, nf.ErrState) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if m.Hash() != 0 || m.Generation() != 0 || s.Bytes() != 0 || tr.StepCount() != 0 {
		t.Error("numbers of closed handles")
	}
	ok(t, pool.Close())
	if err := pool.With(func(*nf.Session) error { return nil }); !errors.Is(err, nf.ErrClosed) {
		t.Error(err)
	}
}

func TestNilHandles(t *testing.T) {
	var m *nf.Model
	var s *nf.Session
	var tr *nf.Trainer
	var g *nf.Target
	var b *nf.Batches
	var table *nf.Table
	x := nf.Rows(banana(4, 1), 2)
	for i, err := range []error{second(m.LogProb(x, nf.None)), m.Draw(1, nf.None, x), second(m.Sample(1, nf.Sampling{}, nf.None)),
		second(m.NewSession(nil)), second(m.NewTrainer(nil, nil)), second(m.Fit(context.Background(), nf.Batch{}, nf.FitConfig{})),
		s.LogProb(x, nf.None, x), second(s.LogProbRow(nil, nil)), second(tr.Step(nf.Batch{})), tr.SetTarget(nil),
		g.LogDensity(x, nf.None, x, nf.None), second(b.Next(0)), second(table.View()), second(new(nf.Model).LogProb(x, nf.None)),
		new(nf.Session).LogProb(x, nf.None, x), second(new(nf.Trainer).Step(nf.Batch{})), second(new(nf.Table).View()),
		second(new(nf.Batches).Next(0)), new(nf.Target).LogDensity(x, nf.None, x, nf.None), started(t).CopyFrom(nil),
		second(nf.NewTargetFunc(nil, 2, nil)), second(nf.ReadModel(nil, nil, nil)), second(nf.ReadTable(nil, nil, "", nil)),
		second(trainer(t, started(t), nil).StepLoss(nil, nf.Forward, nf.Batch{X: x}, nil)),
		second(nf.NewRuntime(nf.RuntimeConfig{Allocator: &nf.Allocator{}})),
		second(started(t).NewTrainer(nil, &nf.Collective{World: 2}))} {
		if !errors.Is(err, nf.ErrArgument) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	for _, h := range []interface{ Close() error }{m, s, tr, g, b, table, new(nf.Model), (*nf.Runtime)(nil)} {
		ok(t, h.Close())
	}
}

func TestBadArrays(t *testing.T) {
	m := started(t)
	s := session(t, m, nil)
	x, out := make([]float64, 8), make([]float64, 4)
	for name, bad := range map[string]nf.Array{
		"columns":           nf.Rows(x, 3),
		"no columns":        nf.Rows(x, 0),
		"negative columns":  nf.Rows(x, -2),
		"shape":             nf.Shaped(x, 3, 2),
		"negative shape":    nf.Shaped(x, -4, -2),
		"large shape":       nf.Shaped(x, math.MaxInt, 2),
		"overflow to 8":     nf.Shaped(x, 1<<32, 1<<32, 8),
		"wraps to 8":        nf.Shaped(x, 3, 0x5555555555555558),
		"rank":              nf.Shaped(x, 8, 1, 1, 1, 1, 1, 1, 1, 1),
		"past the end":      nf.Strided(x, 1, []int{4, 2}, []int{2, 1}),
		"before the start":  nf.Strided(x, 0, []int{4, 2}, []int{-2, 1}),
		"large stride":      nf.Strided(x, 0, []int{4, 2}, []int{math.MaxInt, 1}),
		"smallest stride":   nf.Strided(x, 0, []int{4, 2}, []int{math.MinInt, 1}),
		"strides that wrap": nf.Strided(x, 0, []int{5, 2}, []int{1 << 62, 1}),
		"number of strides": nf.Strided(x, 0, []int{4, 2}, []int{2}),
		"offset":            nf.Strided(x, -1, []int{1, 2}, []int{1, 1}),
		"slice":             nf.Rows(x, 2).Slice(3, 5),
		"reversed slice":    nf.Rows(x, 2).Slice(3, 2),
		"images":            nf.Images(x, 3, 1, 1),
		"wrong rank":        nf.Vec(x),
		"wrong columns":     nf.Rows(x, 4),
	} {
		if bad.Len() != 0 && !strings.HasPrefix(name, "wrong ") {
			t.Errorf("%s: %d numbers", name, bad.Len())
		}
		if err := s.LogProb(bad, nf.None, nf.Vec(out)); !errors.Is(err, nf.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := m.LogProb(bad, nf.None); !errors.Is(err, nf.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := nf.NewBatches(nil, nf.Batch{X: bad, Weight: nf.Vec(out)}, nil); err == nil {
			t.Errorf("%s: batches of it", name)
		}
	}
	X := nf.Rows(x, 2)
	for name, err := range map[string]error{
		"short result":     s.LogProb(X, nf.None, nf.Vec(out[:3])),
		"byte result":      s.LogProb(X, nf.None, nf.Vec(make([]uint8, 4))),
		"an unused cond":   s.LogProb(X, nf.Rows(x, 2), nf.Vec(out)),
		"a short row":      second(s.LogProbRow(x[:1], nil)),
		"a row's cond":     second(s.LogProbRow(x[:2], x[:1])),
		"no row":           second(m.LogProbRow(nil, nil)),
		"samples":          s.Sample(nf.Sampling{Repeat: 3}, nf.None, X, nf.None),
		"a target's shape": second(nf.NewTarget(nil, "u1", 7)),
	} {
		if !errors.Is(err, nf.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"no result":          s.LogProb(X, nf.None, nf.None),
		"no rows":            s.LogProb(nf.None, nf.None, nf.Vec(out)),
		"a direction":        s.VJP(7, nf.VJP{From: X}),
		"negative samples":   second(m.Sample(-1, nf.Sampling{}, nf.None)),
		"a tensor":           m.Tensor("none", X),
		"a NUL":              m.SetNote("a\x00b", ""),
		"a copy of itself":   m.CopyFrom(m),
		"a quantile":         second(m.ScoreQuantile(7)),
		"draws":              second(s.Importance(context.Background(), target(t, gauss), nf.ImportanceRun{N: -1})),
		"an empty load":      second(nf.ReadModel(nil, strings.NewReader(""), nil)),
		"a checkpoint of it": second(trainer(t, started(t), nil).ReadFrom(strings.NewReader("x"))),
	} {
		var e *nf.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASessionInUse(t *testing.T) {
	s := session(t, started(t), nil)
	var inside error
	g := target(t, func(p *nf.Point[float64]) error {
		if p.X[0] == p.X[0] && inside == nil {
			inside = s.LogProb(nf.Rows([]float64{1, 2}, 2), nf.None, nf.Vec([]float64{0}))
			ok(t, s.Close()) // takes effect when the call is over
		}
		return gauss(p)
	})
	_, err := s.Importance(context.Background(), g, nf.ImportanceRun{N: 10})
	ok(t, err)
	if !errors.Is(inside, nf.ErrState) || errors.Is(inside, nf.ErrClosed) {
		t.Fatal(inside)
	}
	if _, err = s.Importance(context.Background(), g, nf.ImportanceRun{N: 10}); !errors.Is(err, nf.ErrClosed) {
		t.Fatal(err)
	}
}

// Goroutines that close what others use get results or errors, never a crash.
func TestCloseDuringCalls(t *testing.T) {
	for round := 0; round < 20; round++ {
		m := started(t)
		s := must[*nf.Session](t)(m.NewSession(nil))
		x := nf.Rows(banana(50, 1), 2)
		var wait sync.WaitGroup
		for i := 0; i < 4; i++ {
			wait.Add(1)
			go func(i int) {
				defer wait.Done()
				out := make([]float64, 50)
				for k := 0; k < 20; k++ {
					_ = s.LogProb(x, nf.None, nf.Vec(out))
					_, _ = m.LogProb(x, nf.None)
					if i == 0 && k == 10 {
						s.Close()
						m.Close()
					}
				}
			}(i)
		}
		wait.Wait()
	}
}

// What nobody closes is freed by finalizers, in any order.
func TestFinalizers(t *testing.T) {
	make1 := func() {
		m := must[*nf.Model](t)(nf.NewModel(nil, spec, 1))
		tr := must[*nf.Trainer](t)(m.NewTrainer(nf.Options{"trainer.objective": "reverse_kl"}, nil))
		g := must[*nf.Target](t)(nf.NewTargetFunc(nil, 2, gauss))
		ok(t, tr.SetTarget(g))
		must[nf.StepInfo](t)(tr.Step(nf.Batch{}))
		must[*nf.Session](t)(m.NewSession(nil))
		must[*nf.Batches](t)(nf.NewBatches(nil, nf.Batch{X: nf.Rows(banana(10, 1), 2)}, nil))
		must[*nf.Table](t)(nf.ParseTable(nil, []byte(text), "", nf.Options{"table.columns": "a,b"}))
		must[*nf.Runtime](t)(nf.NewRuntime(nf.RuntimeConfig{Log: func(int, string) {}, Options: nf.Options{"runtime.threads": 1}}))
		must[[]float64](t)(m.LogProb(nf.Rows([]float64{1, 2}, 2), nf.None))
	}
	for i := 0; i < 5; i++ {
		make1()
		runtime.GC()
	}
}

func TestAllocator(t *testing.T) {
	var mu sync.Mutex
	blocks, bytes, limit := map[unsafe.Pointer]uintptr{}, uintptr(0), uintptr(1<<30)
	a := &nf.Allocator{
		Alloc: func(size, align uintptr) unsafe.Pointer {
			mu.Lock()
			defer mu.Unlock()
			if bytes+size > limit {
				return nil
			}
			p := outside(size, align)
			blocks[p], bytes = size, bytes+size
			return p
		},
		Free: func(p unsafe.Pointer, size, align uintptr) {
			mu.Lock()
			defer mu.Unlock()
			if blocks[p] != size {
				t.Errorf("%d bytes are freed, %d were allocated", size, blocks[p])
			}
			delete(blocks, p)
			bytes -= size
		},
	}
	rt := must[*nf.Runtime](t)(nf.NewRuntime(nf.RuntimeConfig{Allocator: a}))
	m := must[*nf.Model](t)(nf.NewModel(rt, spec, 1))
	s := must[*nf.Session](t)(m.NewSession(nil))
	ok(t, s.LogProb(nf.Rows([]float64{1, 2}, 2), nf.None, nf.Vec([]float64{0})))
	if bytes == 0 {
		t.Fatal("nothing was allocated")
	}
	limit = 0
	if _, err := m.NewSession(nil); !errors.Is(err, nf.ErrNoMemory) {
		t.Fatal(err)
	}
	s.Close()
	m.Close()
	rt.Close()
	if len(blocks) != 0 || bytes != 0 {
		t.Fatalf("%d blocks were not freed", len(blocks))
	}
	loud := must[*nf.Runtime](t)(nf.NewRuntime(nf.RuntimeConfig{Allocator: &nf.Allocator{
		Alloc: func(uintptr, uintptr) unsafe.Pointer { panic("boom") }, Free: func(unsafe.Pointer, uintptr, uintptr) {}}}))
	defer loud.Close()
	panics(t, "boom", func() { nf.NewModel(loud, spec, 1) })
}
