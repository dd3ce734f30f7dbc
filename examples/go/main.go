// libnf from Go: train a RealNVP on a banana, save it, load it, score and sample.
//
//	cd examples/go && CGO_LDFLAGS="-L$PWD/../../build/src -Wl,-rpath,$PWD/../../build/src" go run .
package main

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
)

const spec = `{"event": [2], "layers": [
  {"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [32, 32]}, {"type": "reverse"}]}]}`

// banana is y = x^2 / 2 with noise: what a Gaussian cannot be.
func banana(rows int, seed int64) []float32 {
	r, out := rand.New(rand.NewSource(seed)), []float32{}
	for i := 0; i < rows; i++ {
		x := r.NormFloat64()
		out = append(out, float32(x), float32(0.5*x*x+0.3*r.NormFloat64()))
	}
	return out
}

func mean(v []float32) (m float64) {
	for _, x := range v {
		m += float64(x) / float64(len(v))
	}
	return m
}

// must keeps the example short; a program would hand errors up.
func must[T any](v T, err error) T {
	if err != nil {
		fail(err.Error())
	}
	return v
}

func fail(why string) {
	fmt.Println(why)
	os.Exit(1)
}

func score(m *Model, rows []float32) []float32 {
	s := must(NewSession(m)) // scratch memory: one per goroutine
	defer s.Free()
	return must(s.LogProb(rows, 2))
}

func main() {
	path := "/tmp/banana.safetensors"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	runtime := must(NewRuntime())
	defer runtime.Free()
	model := must(NewModel(runtime, spec, 1))
	train, test := banana(4096, 1), banana(1024, 2)
	before := mean(score(model, test))

	trainer := must(NewTrainer(model, map[string]string{"lr": "2e-3"}))
	for step := 0; step < 300; step++ { // the host owns the loop: any rows, here mini-batches of 256 in order
		at := step % 16 * 512
		loss := must(trainer.Step(train[at:at+512], 2))
		if (step+1)%100 == 0 {
			fmt.Printf("step %d  loss %.3f\n", step+1, loss)
		}
	}
	trainer.Free()
	scores := score(model, test)
	fmt.Printf("mean log-likelihood of test rows: %.3f before, %.3f after\n", before, mean(scores))

	must(0, model.Save(path))
	loaded := must(LoadModel(runtime, path))
	defer loaded.Free()
	model.Free() // any order: handles keep alive what they were made from
	session := must(NewSession(loaded))
	defer session.Free()

	// Samples are numbered: any split of a run gives the same rows.
	all := must(session.Sample(5, 0, 100, 2))
	parts := append(must(session.Sample(5, 0, 40, 2)), must(session.Sample(5, 40, 60, 2))...)

	if !(mean(scores) > before+0.1) {
		fail("training did not help")
	}
	if !slices.Equal(scores, score(loaded, test)) {
		fail("the loaded model scores differently")
	}
	if !slices.Equal(all, parts) {
		fail("samples depend on the split")
	}
}
