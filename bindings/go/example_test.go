package nf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	nf "libnf/bindings/go"
)

// The whole way: fit, save, load, score, sample.
func Example() {
	rows := banana(2000, 1) // two columns
	model, err := nf.NewModel(nil, spec, 1)
	if err != nil {
		panic(err)
	}
	defer model.Close()
	data := nf.Batch{X: nf.Rows(rows, 2)}
	if _, err = model.Fit(context.Background(), data, nf.FitConfig{Options: nf.Options{"fit.epochs": 5, "trainer.lr": 5e-3}}); err != nil {
		panic(err)
	}

	var file bytes.Buffer // or model.Save(path)
	if _, err = model.WriteTo(&file); err != nil {
		panic(err)
	}
	loaded, err := nf.ReadModel(nil, &file, nil)
	if err != nil {
		panic(err)
	}
	defer loaded.Close()

	scores, err := loaded.LogProb(nf.Rows([]float64{1, 0.5, 1, 6}, 2), nf.None)
	if err != nil {
		panic(err)
	}
	samples, err := loaded.Sample(3, nf.Sampling{Seed: 7}, nf.None)
	if err != nil {
		panic(err)
	}
	fmt.Println("the second row is rarer:", scores[1] < scores[0]-3)
	fmt.Println(len(samples), "numbers in 3 samples")
	// Output:
	// the second row is rarer: true
	// 6 numbers in 3 samples
}

func ExampleError() {
	model, _ := nf.NewModel(nil, tinySpec, 1)
	defer model.Close()
	_, err := model.LogProb(nf.Rows(make([]float32, 9), 3), nf.None)
	fmt.Println(errors.Is(err, nf.ErrShape))
	session, _ := model.NewSession(nf.Options{"session.nonfinite": "error"})
	defer session.Close()
	err = session.LogProb(nf.Rows([]float64{1, 2, 3, math.NaN()}, 2), nf.None, nf.Vec(make([]float64, 2)))
	var e *nf.Error
	if errors.As(err, &e) {
		fmt.Println(e.Status, "in row", e.Row)
	}
	// Output:
	// true
	// NF_ERR_NUMERIC in row 1
}

func ExamplePool() {
	model, _ := nf.NewModel(nil, tinySpec, 1)
	defer model.Close()
	pool := model.NewPool(4, nf.Options{"session.threads": 1})
	defer pool.Close()
	z := make([]float32, 2)
	err := pool.With(func(s *nf.Session) error {
		return s.Forward(nf.Rows([]float32{1, 2}, 2), nf.None, nf.Rows(z, 2), nf.None)
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleNewTargetFunc() {
	// A normal distribution with deviation 2, without its factor: its integral is 2 sqrt(2 pi).
	target, _ := nf.NewTargetFunc(nil, 1, func(p *nf.Point[float64]) error {
		for i, x := range p.X {
			p.LogDensity[i] = -x * x / 8
			if p.Gradient != nil {
				p.Gradient[i] = -x / 4
			}
		}
		return nil
	})
	defer target.Close()
	model, _ := nf.NewModel(nil, `{"event": 1, "layers": [{"type": "affine"}]}`, 1)
	defer model.Close()
	trainer, _ := model.NewTrainer(nf.Options{"trainer.objective": "reverse_kl", "trainer.lr": 0.05}, nil)
	defer trainer.Close()
	if err := trainer.SetTarget(target); err != nil {
		panic(err)
	}
	if err := trainer.Run(context.Background(), nil, 300, nil); err != nil {
		panic(err)
	}
	session, _ := model.NewSession(nil)
	defer session.Close()
	info, err := session.Importance(context.Background(), target, nf.ImportanceRun{N: 10000})
	fmt.Println(err, math.Abs(info.LogZ-math.Log(2*math.Sqrt(2*math.Pi))) < 0.01)
	// Output: <nil> true
}
