package nf_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	nf "libnf/bindings/go"
)

func TestTrainingLoop(t *testing.T) {
	m := model(t, spec)
	tr := trainer(t, m, nf.Options{"trainer.lr": 5e-3})
	x := banana(1024, 1)
	var first, last nf.StepInfo
	for step := 0; step < 60; step++ {
		at := step % 4 * 512
		last = must[nf.StepInfo](t)(tr.Step(nf.Batch{X: nf.Rows(x[at:at+512], 2)}))
		if step == 0 {
			first = last
		}
	}
	if last.Loss > first.Loss-0.1 || last.Step != 60 || tr.StepCount() != 60 || last.GradNorm <= 0 || last.LR != 5e-3 || last.Time <= 0 {
		t.Fatalf("%+v, then %+v", first, last)
	}
	loss, lossError, err := tr.Evaluate(nf.Batch{X: nf.Rows(x, 2)})
	ok(t, err)
	near(t, "loss", loss, -mean(must[[]float64](t)(m.LogProb(nf.Rows(x, 2), nf.None))), 1e-5)
	if lossError <= 0 || tr.Bytes() == 0 {
		t.Fatal(lossError, tr.Bytes())
	}
	ok(t, tr.SetLR(1e-3))
	ok(t, tr.SetGroupLR("", 2e-3))
	ok(t, tr.Observe(loss))
	if text := string(must[json.RawMessage](t)(tr.Options())); !strings.Contains(text, `"trainer.lr": 0.002`) && !strings.Contains(text, `"trainer.lr":0.002`) {
		t.Fatal(text)
	}
	ok(t, tr.Restart(true))
	if tr.StepCount() != 0 {
		t.Fatal(tr.StepCount())
	}
}

func TestRunResumesToTheBit(t *testing.T) {
	rows := nf.Batch{X: nf.Rows(banana(300, 1), 2), Weight: nf.Vec(ones(300))}
	b := must[*nf.Batches](t)(nf.NewBatches(nil, rows, nf.Options{"batches.batch": 64, "batches.seed": 3}))
	defer b.Close()
	var file bytes.Buffer
	whole := model(t, spec)
	tr := trainer(t, whole, nil)
	steps := 0
	ok(t, tr.Run(context.Background(), b, 10, func(i nf.StepInfo) error {
		if steps++; i.Step != uint64(steps) {
			t.Errorf("step %d is number %d", i.Step, steps)
		}
		return nil
	}))
	must[int64](t)(tr.WriteTo(&file))
	path := filepath.Join(t.TempDir(), "checkpoint")
	ok(t, tr.Save(path))
	ok(t, tr.Run(context.Background(), b, 20, nil))
	if steps != 10 || tr.StepCount() != 20 {
		t.Fatal(steps, tr.StepCount())
	}
	for name, resume := range map[string]func(*nf.Trainer) error{
		"Restore":  func(tr *nf.Trainer) error { return tr.Restore(path) },
		"ReadFrom": func(tr *nf.Trainer) error { return second(tr.ReadFrom(bytes.NewReader(file.Bytes()))) },
	} {
		m := model(t, spec)
		tr := trainer(t, m, nil)
		ok(t, resume(tr))
		// The batches by way of Go, which must be the same.
		ok(t, tr.Run(context.Background(), nf.SourceFunc(b.Next), 20, nil))
		if m.Hash() != whole.Hash() {
			t.Fatalf("%s: the resumed run differs", name)
		}
	}
	n := uint64(0)
	end := nf.SourceFunc(func(step uint64) (nf.Batch, error) {
		if n++; n > 3 {
			return nf.Batch{}, io.EOF
		}
		return b.Next(step)
	})
	ok(t, tr.Run(context.Background(), end, 0, nil))
	if tr.StepCount() != 23 {
		t.Fatal(tr.StepCount())
	}
	if err := tr.Run(context.Background(), end, 100, func(nf.StepInfo) error { return nf.ErrStop }); err != nil {
		t.Fatal(err)
	}
	err := tr.Run(context.Background(), nf.SourceFunc(func(uint64) (nf.Batch, error) { return nf.Batch{}, errMine }), 100, nil)
	if !errors.Is(err, errMine) {
		t.Fatal(err)
	}
	err = tr.Run(context.Background(), nf.SourceFunc(func(uint64) (nf.Batch, error) { return nf.Batch{X: nf.Rows([]float32{1, 2, 3}, 2)}, nil }), 100, nil)
	if !errors.Is(err, nf.ErrShape) {
		t.Fatal(err)
	}
	panics(t, "boom", func() {
		tr.Run(context.Background(), nf.SourceFunc(func(uint64) (nf.Batch, error) { panic("boom") }), 100, nil)
	})
	panics(t, "boom", func() { tr.Run(context.Background(), b, 100, func(nf.StepInfo) error { panic("boom") }) })
	must[nf.StepInfo](t)(tr.Step(rows))
}

func ones(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

func TestAverage(t *testing.T) {
	m := model(t, spec)
	tr := trainer(t, m, nf.Options{"trainer.ema_decay": 0.9})
	for i := 0; i < 3; i++ {
		must[nf.StepInfo](t)(tr.Step(nf.Batch{X: nf.Rows(banana(64, 1), 2)}))
	}
	last := m.Hash()
	ok(t, tr.UseAverage(true))
	if m.Hash() == last {
		t.Fatal("the average is the last state")
	}
	ok(t, tr.UseAverage(false))
	if m.Hash() != last {
		t.Fatal("the last state did not come back")
	}
}

// A loss of the program that is the mean of -log_prob has the gradient of objective "nll".
func TestLossOfTheProgram(t *testing.T) {
	x := nf.Batch{X: nf.Rows(banana(64, 1), 2)}
	theirs, mine := started(t), started(t)
	a, b := trainer(t, theirs, nil), trainer(t, mine, nil)
	s := session(t, mine, nil)
	loss := func(l *nf.Loss) (float64, error) {
		sum := 0.0
		for i := range l.LogDet {
			l.CotLogDet[i] = -1 / 64.0
			sum += l.LogDet[i]
			for _, k := range []int{2 * i, 2*i + 1} {
				sum -= l.Out[k] * l.Out[k] / 2
				l.CotOut[k] = l.Out[k] / 64
			}
		}
		return -sum/64 + 1.8378770664093453, nil
	}
	for i := 0; i < 3; i++ {
		want := must[nf.StepInfo](t)(a.Step(x))
		got := must[nf.StepInfo](t)(b.StepLoss(s, nf.Forward, x, loss))
		near(t, "loss", got.Loss, want.Loss, 1e-5)
		near(t, "norm of the gradient", got.GradNorm, want.GradNorm, 1e-4)
	}
	if _, err := b.StepLoss(s, nf.Forward, x, func(*nf.Loss) (float64, error) { return 0, errMine }); !errors.Is(err, errMine) {
		t.Fatal(err)
	}
	must[nf.StepInfo](t)(b.StepLoss(s, nf.Inverse, x, func(l *nf.Loss) (float64, error) {
		copy(l.CotOut, l.Out)
		return 1, nil
	}))

	ok(t, a.Accumulate(x, nf.Cotangents{LogProb: nf.Vec(fill(64, -1/64.0))}))
	if _, err := a.Step(x); !errors.Is(err, nf.ErrState) {
		t.Fatal(err)
	}
	ok(t, a.Discard())
	if _, err := a.Apply(1); !errors.Is(err, nf.ErrState) {
		t.Fatal(err)
	}
}

func fill(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestReverseKL(t *testing.T) {
	m := model(t, `{"event": 2, "layers": [{"type": "affine"}]}`)
	tr := trainer(t, m, nf.Options{"trainer.objective": "reverse_kl", "trainer.lr": 0.05, "trainer.samples": 256})
	g := target(t, gauss)
	ok(t, tr.SetTarget(g))
	ok(t, g.Close()) // the trainer keeps it
	ok(t, tr.Run(context.Background(), nil, 200, nil))
	x := must[[]float64](t)(m.Sample(2000, nf.Sampling{}, nf.None))
	near(t, "mean of the samples", mean(x), 1, 0.1)
	ok(t, tr.SetTarget(target(t, func(*nf.Point[float64]) error { return errMine })))
	if _, err := tr.Step(nf.Batch{}); !errors.Is(err, errMine) || !errors.Is(err, nf.ErrCallback) {
		t.Fatal(err)
	}
	ok(t, tr.SetTarget(target(t, func(*nf.Point[float64]) error { panic("boom") })))
	panics(t, "boom", func() { tr.Step(nf.Batch{}) })
	panics(t, "boom", func() { tr.Run(context.Background(), nil, 1000, nil) })
	panics(t, "boom", func() { tr.Evaluate(nf.Batch{}) })
}

// Two ranks with half of the rows each take the steps of one with all.
func TestCollective(t *testing.T) {
	x := banana(64, 1)
	one := started(t)
	tr := trainer(t, one, nil)
	for i := 0; i < 3; i++ {
		must[nf.StepInfo](t)(tr.Step(nf.Batch{X: nf.Rows(x, 2)}))
	}
	ring := newRing()
	var wait sync.WaitGroup
	var models [2]*nf.Model
	for rank := range models {
		models[rank] = started(t)
		wait.Add(1)
		go func(rank int) {
			defer wait.Done()
			tr, err := models[rank].NewTrainer(nil, &nf.Collective{Rank: rank, World: 2, AllReduce: func(f32 []float32, f64 []float64) error {
				return ring.sum(rank, f32, f64)
			}})
			if err != nil {
				t.Error(err)
				return
			}
			defer tr.Close()
			for i := 0; i < 3; i++ {
				if _, err := tr.Step(nf.Batch{X: nf.Rows(x[64*rank:64*rank+64], 2)}); err != nil {
					t.Error(err)
				}
			}
		}(rank)
	}
	wait.Wait()
	if models[0].Hash() != models[1].Hash() {
		t.Fatal("the ranks differ")
	}
	rows := nf.Rows(banana(10, 2), 2)
	a, b := must[[]float64](t)(one.LogProb(rows, nf.None)), must[[]float64](t)(models[0].LogProb(rows, nf.None))
	for i := range a {
		near(t, "log density", a[i], b[i], 1e-4)
	}
	m := started(t)
	alone := must[*nf.Trainer](t)(m.NewTrainer(nil, &nf.Collective{World: 2, AllReduce: func([]float32, []float64) error { return errMine }}))
	defer alone.Close()
	if _, err := alone.Step(nf.Batch{X: nf.Rows(x, 2)}); !errors.Is(err, errMine) {
		t.Fatal(err)
	}
}

// ring adds up the numbers of two goroutines.
type ring struct{ to [2]chan []float64 }

func newRing() *ring {
	return &ring{[2]chan []float64{make(chan []float64, 1), make(chan []float64, 1)}}
}

func (r *ring) sum(rank int, f32 []float32, f64 []float64) error {
	mine := append(doubles(f32), f64...)
	r.to[1-rank] <- mine
	theirs := <-r.to[rank]
	for i := range f32 {
		f32[i] = float32(mine[i] + theirs[i])
	}
	for i := range f64 {
		f64[i] = mine[i] + theirs[i]
	}
	return nil
}
