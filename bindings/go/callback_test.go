package nf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	nf "libnf/bindings/go"
)

var errMine = errors.New("mine")

// panics runs fn, which must panic with a *CallbackPanic of that value.
func panics(t *testing.T, value any, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		p, is := recover().(*nf.CallbackPanic)
		if !is || p.Value != value || !bytes.Contains(p.Stack, []byte("callback_test.go")) || !strings.Contains(p.Error(), fmt.Sprint(value)) {
			t.Fatalf("panicked with %v, expected %v", p, value)
		}
	}()
	fn()
}

// gauss is the log density of N(1, 0.5^2) in each column, without its factor.
func gauss(p *nf.Point[float64]) error {
	for i := 0; i < p.N; i++ {
		p.LogDensity[i] = 0
		for c := i * p.Columns; c < (i+1)*p.Columns; c++ {
			d := p.X[c] - 1
			p.LogDensity[i] -= 2 * d * d
			if p.Gradient != nil {
				p.Gradient[c] = -4 * d
			}
		}
	}
	return nil
}

func target(t testing.TB, fn func(*nf.Point[float64]) error) *nf.Target {
	t.Helper()
	g := must[*nf.Target](t)(nf.NewTargetFunc(nil, 2, fn))
	t.Cleanup(func() { g.Close() })
	return g
}

func TestFitCallbacks(t *testing.T) {
	data := nf.Batch{X: nf.Rows(banana(500, 1), 2)}
	m := model(t, spec)
	steps, points := 0, 0
	info, err := m.Fit(context.Background(), data, nf.FitConfig{Options: nf.Options{"fit.epochs": 50}, Progress: func(i nf.FitInfo) error {
		steps++
		if i.Point { // the model may be used here
			points++
			if _, err := m.LogProb(data.X, nf.None); err != nil {
				return err
			}
			if err := m.SetNote("best", fmt.Sprint(i.Best)); err != nil {
				return err
			}
		}
		if points == 2 {
			return nf.ErrStop
		}
		return nil
	}})
	ok(t, err)
	if info.Stop != nf.StopRequested || points != 2 || steps < 2 {
		t.Fatalf("%+v after %d steps and %d points", info, steps, points)
	}
	_, err = m.Fit(context.Background(), data, nf.FitConfig{Progress: func(nf.FitInfo) error { return errMine }})
	if !errors.Is(err, errMine) || !errors.Is(err, nf.ErrCancelled) {
		t.Fatal(err)
	}
	panics(t, "boom", func() {
		m.Fit(context.Background(), data, nf.FitConfig{Progress: func(nf.FitInfo) error { panic("boom") }})
	})
	must[[]float64](t)(m.LogProb(data.X, nf.None)) // no lock was left
	tr := trainer(t, m, nil)                       // and no trainer
	must[nf.StepInfo](t)(tr.Step(data))
}

func TestCancelledFit(t *testing.T) {
	data := nf.Batch{X: nf.Rows(banana(2000, 1), 2)}
	m := model(t, spec)
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errMine) })
	begin := time.Now()
	_, err := m.Fit(ctx, data, nf.FitConfig{Options: nf.Options{"fit.epochs": 1000000}})
	if !errors.Is(err, nf.ErrCancelled) || !errors.Is(err, errMine) || time.Since(begin) > 20*time.Second {
		t.Fatal(err, time.Since(begin))
	}
	if _, err = m.Fit(ctx, data, nf.FitConfig{}); !errors.Is(err, nf.ErrCancelled) {
		t.Fatal(err)
	}
	tr := trainer(t, m, nil)
	if err = tr.Run(ctx, nil, 5, nil); !errors.Is(err, errMine) {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	err = tr.Run(ctx, nf.SourceFunc(func(uint64) (nf.Batch, error) { return data, nil }), 0, nil)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, nf.ErrCancelled) {
		t.Fatal(err)
	}
}

func TestTargetFunc(t *testing.T) {
	g := target(t, gauss)
	x, ld, grad := []float64{1, 1, 2, 1}, make([]float64, 2), make([]float32, 4)
	ok(t, g.LogDensity(nf.Rows(x, 2), nf.None, nf.Vec(ld), nf.Rows(grad, 2)))
	same(t, "log densities", ld, []float64{0, -2})
	same(t, "gradient", grad, []float32{0, 0, -4, 0})
	if i := g.Info(); i.BuiltIn || i.Columns != 2 {
		t.Fatalf("%+v", i)
	}

	m := started(t)
	s := session(t, m, nil)
	run := nf.ImportanceRun{Seed: 1, N: 5000}
	direct, err := s.Importance(context.Background(), g, run)
	ok(t, err)
	near(t, "log Z", direct.LogZ, math.Log(2*math.Pi*0.25), 5*direct.LogZError)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watched, err := s.Importance(ctx, g, run)
	ok(t, err)
	if watched != direct {
		t.Fatalf("%+v with a context that can be done, %+v without", watched, direct)
	}

	// A panic, an error and a stop, of the same target on several goroutines at once: each call gets its own.
	var wait sync.WaitGroup
	mixed := target(t, func(p *nf.Point[float64]) error {
		switch p.X[0] {
		case 1:
			return errMine
		case 2:
			panic("two")
		case 3:
			return nf.ErrStop
		}
		return gauss(p)
	})
	for i := 0; i < 40; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			ask := func() error {
				return mixed.LogDensity(nf.Rows([]float64{float64(i % 4), 0}, 2), nf.None, nf.Vec(make([]float64, 1)), nf.None)
			}
			switch i % 4 {
			case 0:
				if err := ask(); err != nil {
					t.Error(err)
				}
			case 1:
				if err := ask(); !errors.Is(err, errMine) || !errors.Is(err, nf.ErrCallback) {
					t.Error(err)
				}
			case 2:
				panics(t, "two", func() { ask() })
			case 3:
				if err := ask(); !errors.Is(err, nf.ErrCancelled) {
					t.Error(err)
				}
			}
		}(i)
	}
	wait.Wait()
	for _, ctx := range []context.Context{context.Background(), ctx} {
		if _, err := s.Importance(ctx, target(t, func(*nf.Point[float64]) error { return errMine }), run); !errors.Is(err, errMine) {
			t.Fatal(err)
		}
		panics(t, "boom", func() { s.Importance(ctx, target(t, func(*nf.Point[float64]) error { panic("boom") }), run) })
		bad := target(t, func(p *nf.Point[float64]) error { p.LogDensity[0] = math.NaN(); return nil })
		if _, err := s.Importance(ctx, bad, run); !errors.Is(err, nf.ErrNumeric) {
			t.Fatal(err)
		}
	}
	panics(t, "boom", func() {
		nf.Metropolis(ctx, target(t, func(*nf.Point[float64]) error { panic("boom") }), nf.Chains{Out: nf.Shaped(make([]float64, 8), 2, 2, 2)})
	})
}

func TestCancelledChains(t *testing.T) {
	builtIn := must[*nf.Target](t)(nf.NewTarget(nil, `{"type": "banana"}`, 2))
	defer builtIn.Close()
	if i := builtIn.Info(); !i.BuiltIn {
		t.Fatalf("%+v", i)
	}
	out := make([]float64, 2*3*2)
	run := nf.Chains{Out: nf.Shaped(out, 2, 3, 2), Options: nf.Options{"metropolis.thin": 5, "metropolis.seed": 3}}
	info, err := nf.Metropolis(context.Background(), builtIn, run)
	ok(t, err)
	want := append([]float64(nil), out...)
	ctx, cancel := context.WithCancel(context.Background())
	watched, err := nf.Metropolis(ctx, builtIn, run)
	ok(t, err)
	same(t, "chains with a context that can be done", want, out)
	if watched != info || info.Steps < 10 || info.Acceptance <= 0 {
		t.Fatalf("%+v and %+v", watched, info)
	}
	s := session(t, started(t), nil)
	if _, err := nf.Metropolis(ctx, builtIn, nf.Chains{Proposal: s, Out: nf.Shaped(out, 2, 3, 2)}); err != nil {
		t.Fatal(err)
	}

	time.AfterFunc(20*time.Millisecond, cancel)
	run.Options = nf.Options{"metropolis.thin": 1 << 24}
	if _, err = nf.Metropolis(ctx, builtIn, run); !errors.Is(err, context.Canceled) || !errors.Is(err, nf.ErrCancelled) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err = s.Importance(ctx, builtIn, nf.ImportanceRun{N: 1 << 40}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestBothTypesOfNumbers(t *testing.T) {
	narrow, wide := 0, 0
	g := must[*nf.Target](t)(nf.NewTargetFuncs(nil, 2,
		func(p *nf.Point[float32]) error {
			narrow++
			for i := range p.LogDensity {
				p.LogDensity[i] = -p.X[2*i]*p.X[2*i] - p.X[2*i+1]*p.X[2*i+1]
			}
			return nil
		},
		func(p *nf.Point[float64]) error { wide++; return gauss(p) }))
	defer g.Close()
	ok(t, g.LogDensity(nf.Rows([]float32{1, 1}, 2), nf.None, nf.Vec(make([]float64, 1)), nf.None))
	ok(t, g.LogDensity(nf.Rows([]float64{1, 1}, 2), nf.None, nf.Vec(make([]float64, 1)), nf.None))
	if narrow != 1 || wide != 1 {
		t.Fatal(narrow, wide)
	}
	s := session(t, started(t), nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, err := s.Importance(context.Background(), g, nf.ImportanceRun{N: 100})
	ok(t, err)
	b, err := s.Importance(ctx, g, nf.ImportanceRun{N: 100})
	ok(t, err)
	if a != b {
		t.Fatalf("%+v and %+v", a, b)
	}
}

type failing struct{ after int }

func (f *failing) Write(b []byte) (int, error) {
	if f.after--; f.after < 0 {
		panic("boom")
	}
	return 0, errMine
}

func TestWriters(t *testing.T) {
	m := started(t)
	if _, err := m.WriteTo(&failing{1}); !errors.Is(err, errMine) || !errors.Is(err, nf.ErrCallback) {
		t.Fatal(err)
	}
	panics(t, "boom", func() { m.WriteTo(&failing{0}) })
	tr := trainer(t, m, nil)
	if _, err := tr.WriteTo(&failing{1}); !errors.Is(err, errMine) {
		t.Fatal(err)
	}
	panics(t, "boom", func() { tr.WriteTo(&failing{0}) })
	if n, err := tr.WriteTo(io.Discard); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	for _, err := range []error{second(m.WriteTo(nil)), second(tr.WriteTo(nil)), second(tr.ReadFrom(nil))} {
		if !errors.Is(err, nf.ErrArgument) {
			t.Fatal(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestLog(t *testing.T) {
	var lines []string
	rt := must[*nf.Runtime](t)(nf.NewRuntime(nf.RuntimeConfig{Options: nf.Options{"runtime.threads": 1},
		Log: func(level int, message string) { lines = append(lines, fmt.Sprint(level, " ", message)) }}))
	defer rt.Close()
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "0 libnf ") {
		t.Fatal(lines)
	}
	loud := must[*nf.Runtime](t)(nf.NewRuntime(nf.RuntimeConfig{Log: func(_ int, m string) {
		if strings.Contains(m, "batches") {
			panic("boom")
		}
	}}))
	defer loud.Close()
	panics(t, "boom", func() {
		nf.NewBatches(loud, nf.Batch{X: nf.Rows(banana(3, 1), 2)}, nf.Options{"batches.batch": 100})
	})
	must[*nf.Model](t)(nf.NewModel(loud, spec, 1)).Close()
}

func TestExecutor(t *testing.T) {
	m := started(t)
	x := nf.Rows(banana(3000, 2), 2)
	want := must[[]float64](t)(m.LogProb(x, nf.None))
	var bodies atomic.Int64
	for name, run := range map[string]func(n int, body func(int)){
		"goroutines": func(n int, body func(int)) {
			var wait sync.WaitGroup
			for i := 0; i < n; i++ {
				wait.Add(1)
				go func(i int) { defer wait.Done(); bodies.Add(1); body(i) }(i)
			}
			wait.Wait()
		},
		"forgetful": func(n int, body func(int)) { body(n - 1); body(n - 1); body(n); body(-1) },
		"late":      func(n int, body func(int)) { go body(0) },
	} {
		rt := must[*nf.Runtime](t)(nf.NewRuntime(nf.RuntimeConfig{Executor: run, Concurrency: 4}))
		c := must[*nf.Model](t)(m.Clone(rt))
		s := session(t, c, nil)
		got := make([]float64, 3000)
		for i := 0; i < 5; i++ {
			ok(t, s.LogProb(x, nf.None, nf.Vec(got)))
			same(t, name, want, got)
		}
		c.Close()
		rt.Close()
	}
	if bodies.Load() == 0 {
		t.Fatal("the executor was not called")
	}
	rt := must[*nf.Runtime](t)(nf.NewRuntime(nf.RuntimeConfig{Executor: func(int, func(int)) { panic("boom") }, Concurrency: 2}))
	c := must[*nf.Model](t)(m.Clone(rt))
	got := make([]float64, 3000)
	s := session(t, c, nil)
	panics(t, "boom", func() { s.LogProb(x, nf.None, nf.Vec(got)) })
	same(t, "after a panic of the executor", want, got)
	if _, err := nf.NewRuntime(nf.RuntimeConfig{Executor: func(int, func(int)) {}}); !errors.Is(err, nf.ErrArgument) {
		t.Fatal(err)
	}
}
