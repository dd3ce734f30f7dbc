package nf_test

import (
	"bytes"
	"testing"
	"time"

	nf "libnf/bindings/go"
	"libnf/bindings/go/internal/cloop"
)

const tinySpec = `{"event": 2, "layers": [{"repeat": 2, "layers": [
  {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [4]}}, {"type": "reverse"}]}]}`

// One row in C and in Go, in turns, so that a change of the machine's speed hits both.
func BenchmarkLogProbRow(b *testing.B) {
	m := model(b, tinySpec)
	s := session(b, m, nf.Options{"session.threads": 1})
	var file bytes.Buffer
	must[int64](b)(m.WriteTo(&file))
	c := must[*cloop.Loop](b)(cloop.Open(file.Bytes()))
	defer c.Close()
	x := []float64{0.3, -0.2}
	inC := must[float64](b)(c.Run(x, 1000))
	if inGo := must[float64](b)(s.LogProbRow(x, nil)); inC != inGo {
		b.Fatalf("%v in C, %v in Go", inC, inGo)
	}
	const part = 200
	// The fast parts count: others met another program.
	var perC, perGo, perModel []float64
	b.ResetTimer()
	for i := 0; i < b.N; i += part {
		at := time.Now()
		must[float64](b)(c.Run(x, part))
		perC = append(perC, float64(time.Since(at))/part)
		at = time.Now()
		for k := 0; k < part; k++ {
			if _, err := s.LogProbRow(x, nil); err != nil {
				b.Fatal(err)
			}
		}
		perGo = append(perGo, float64(time.Since(at))/part)
		at = time.Now()
		for k := 0; k < part; k++ {
			if _, err := m.LogProbRow(x, nil); err != nil {
				b.Fatal(err)
			}
		}
		perModel = append(perModel, float64(time.Since(at))/part)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(fast(perC), "ns-C")
	b.ReportMetric(fast(perGo), "ns-session")
	b.ReportMetric(fast(perModel), "ns-model")
	b.ReportMetric(fast(perGo)-fast(perC), "ns-over-C")
}
