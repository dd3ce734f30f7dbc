package nf_test

import (
	"context"
	"sync"
	"testing"

	nf "libnf/bindings/go"
)

func together(n int, fn func(i int)) {
	var wait sync.WaitGroup
	for i := 0; i < n; i++ {
		wait.Add(1)
		go func(i int) { defer wait.Done(); fn(i) }(i)
	}
	wait.Wait()
}

// Eight goroutines give the bits of one, by the model, a pool, sessions of their own, and samples.
func TestGoroutinesGiveTheSameBits(t *testing.T) {
	m := started(t)
	const n, parts = 4000, 8
	rows := banana(n, 5)
	x := nf.Rows(rows, 2)
	want := make([]float64, n)
	ok(t, session(t, m, nil).LogProb(x, nf.None, nf.Vec(want)))
	samples := must[[]float64](t)(m.Sample(n, nf.Sampling{Seed: 9}, nf.None))

	by := [4][]float64{make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, 2*n)}
	pool := m.NewPool(3, nf.Options{"session.threads": 1})
	defer pool.Close()
	together(parts, func(i int) {
		from, to := i*n/parts, (i+1)*n/parts
		part := x.Slice(from, to)
		out := func(k int) nf.Array { return nf.Vec(by[k][from:to]) }
		errs := []error{
			m.LogProbTo(part, nf.None, out(0)),
			pool.With(func(s *nf.Session) error { return s.LogProb(part, nf.None, out(1)) }),
			pool.With(func(s *nf.Session) error {
				return s.Sample(nf.Sampling{Seed: 9, First: uint64(from)}, nf.None, nf.Rows(by[3][2*from:2*to], 2), nf.None)
			}),
		}
		for r := from; r < to; r++ {
			v, err := m.LogProbRow([]float64{float64(rows[2*r]), float64(rows[2*r+1])}, nil)
			by[2][r] = float64(float32(v))
			errs = append(errs, err)
		}
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
	})
	same(t, "by the model", want, by[0])
	same(t, "by a pool", want, by[1])
	for i := range want {
		want[i] = float64(float32(want[i]))
	}
	same(t, "row by row", want, by[2])
	same(t, "samples", samples, by[3])
}

// Readers, writers and a run of Fit of one model wait for each other.
func TestAModelIsGuarded(t *testing.T) {
	m := started(t)
	x := nf.Batch{X: nf.Rows(banana(200, 1), 2)}
	together(6, func(i int) {
		for k := 0; k < 20; k++ {
			var err error
			switch i {
			case 0:
				_, err = m.Fit(context.Background(), x, nf.FitConfig{Options: nf.Options{"fit.steps": 3}, Progress: func(nf.FitInfo) error { return nil }})
			case 1:
				err = m.SetNote("k", string(rune('a'+k)))
			case 2:
				_, err = m.Notes()
			case 3:
				err = second(m.Clone(nil))
			case 4:
				m.Hash()
				_, err = m.Tensors()
			case 5:
				_, err = m.Describe()
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
}
