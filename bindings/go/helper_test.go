package nf_test

import (
	"math"
	"math/rand"
	"sort"
	"testing"

	nf "libnf/bindings/go"
)

const spec = `{"event": 2, "layers": [{"type": "standardize"}, {"repeat": 4, "layers": [
  {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [16, 16]}}, {"type": "reverse"}]}]}`

const condSpec = `{"event": 2, "context": 1, "layers": [{"repeat": 2, "layers": [
  {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [16]}}, {"type": "reverse"}]}]}`

const vaeSpec = `{"kind": "vae", "event": [4, 4, 1], "latent": 3, "encoder": "conv_encoder", "decoder": "conv_decoder",
  "posterior": {"features": 2, "layers": [{"type": "planar", "repeat": 2}]}}`

// banana draws rows of y = x^2 / 2 plus noise, which a Gaussian cannot fit.
func banana(rows int, seed int64) []float32 {
	r, out := rand.New(rand.NewSource(seed)), make([]float32, 0, 2*rows)
	for i := 0; i < rows; i++ {
		x := r.NormFloat64()
		out = append(out, float32(x), float32(0.5*x*x+0.3*r.NormFloat64()))
	}
	return out
}

func doubles(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// must returns a value, and ends the test where there is an error instead.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func model(t testing.TB, spec string) *nf.Model {
	t.Helper()
	m := must[*nf.Model](t)(nf.NewModel(nil, spec, 1))
	t.Cleanup(func() { m.Close() })
	return m
}

// started returns a model of bananas whose data-dependent layers are initialized.
func started(t testing.TB) *nf.Model {
	t.Helper()
	m := model(t, spec)
	ok(t, m.InitFromData(nf.Rows(banana(500, 3), 2), nf.None))
	return m
}

func session(t testing.TB, m *nf.Model, options nf.Options) *nf.Session {
	t.Helper()
	s := must[*nf.Session](t)(m.NewSession(options))
	t.Cleanup(func() { s.Close() })
	return s
}

func trainer(t testing.TB, m *nf.Model, options nf.Options) *nf.Trainer {
	t.Helper()
	tr := must[*nf.Trainer](t)(m.NewTrainer(options, nil))
	t.Cleanup(func() { tr.Close() })
	return tr
}

func same[T comparable](t testing.TB, what string, a, b []T) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%s: %d and %d numbers", what, len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%s: number %d is %v and %v", what, i, a[i], b[i])
		}
	}
}

func near(t testing.TB, what string, a, b, tolerance float64) {
	t.Helper()
	if !(math.Abs(a-b) <= tolerance) {
		t.Fatalf("%s: %v and %v differ by more than %v", what, a, b, tolerance)
	}
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

// fast returns the time below which a tenth of the times are.
func fast(x []float64) float64 {
	x = append([]float64(nil), x...)
	sort.Float64s(x)
	return x[len(x)/10]
}
