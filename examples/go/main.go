// Using libnf from Go: trains a RealNVP on a banana, saves and loads it, scores and samples.
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

// banana draws y = x^2 / 2 plus noise, which a Gaussian cannot fit.
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

// must keeps the example short; a real program would return errors.
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
	s := must(NewSession(m)) // scratch memory; use one per goroutine
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

	trainer := must(NewTrainer(model, map[string]string{"trainer.lr": "2e-3"}))
	for step := 0; step < 300; step++ { // the host owns the loop; here, mini-batches of 256 in order
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
	model.Free() // in any order: handles keep alive what they were created from
	session := must(NewSession(loaded))
	defer session.Free()

	// Samples are numbered, so splitting a run gives the same rows.
	all := must(session.Sample(5, 0, 100, 2))
	parts := append(must(session.Sample(5, 0, 40, 2)), must(session.Sample(5, 40, 60, 2))...)

	if !(mean(scores) > before+0.1) {
		fail("training did not improve the model")
	}
	if !slices.Equal(scores, score(loaded, test)) {
		fail("the loaded model scores differently")
	}
	if !slices.Equal(all, parts) {
		fail("samples depend on the split")
	}
}
