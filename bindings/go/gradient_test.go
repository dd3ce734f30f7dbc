package nf_test

import (
	"context"
	"errors"
	"math"
	"testing"

	nf "libnf/bindings/go"
)

const wideSpec = `{"event": 2, "context": 1, "dtype": "float64", "layers": [{"repeat": 2, "layers": [
  {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [16]}}, {"type": "reverse"}]}]}`

func TestGradients(t *testing.T) {
	m := model(t, wideSpec)
	s := session(t, m, nil)
	x, cond := []float64{0.3, -0.2, 1, 2}, []float64{0.5}
	X, C := nf.Rows(x, 2), nf.Rows(cond, 1)
	lp, dx, dc := make([]float64, 2), make([]float64, 4), make([]float64, 2)
	ok(t, s.LogProbGrad(X, C, nf.Vec(lp), nf.Rows(dx, 2), nf.Rows(dc, 1)))
	score := func() []float64 { return must[[]float64](t)(m.LogProb(X, C)) }
	same(t, "log densities", lp, score())
	const h = 1e-5
	slope := func(v *float64, row int) float64 {
		at := *v
		*v = at + h
		high := score()[row]
		*v = at - h
		low := score()[row]
		*v = at
		return (high - low) / (2 * h)
	}
	for k := range x {
		near(t, "dx", dx[k], slope(&x[k], k/2), 1e-6)
	}
	for row := range dc {
		near(t, "dcond", dc[row], slope(&cond[0], row), 1e-6)
	}

	// cotangent . (J tangent) is the same by JVP and VJP.
	cot, cotDet := []float64{1, -2, 0.5, 3}, []float64{0.7, -1}
	tan, tanC := []float64{0.3, 1, -1, 2}, []float64{0.4}
	for _, d := range []nf.Direction{nf.Forward, nf.Inverse} {
		to, det, from := make([]float64, 4), make([]float64, 2), make([]float64, 4)
		pulled, pulledC := make([]float64, 4), make([]float64, 2)
		ok(t, s.VJP(d, nf.VJP{From: X, Cond: C, CotTo: nf.Rows(cot, 2), CotLogDet: nf.Vec(cotDet), To: nf.Rows(to, 2), LogDet: nf.Vec(det),
			DFrom: nf.Rows(pulled, 2), DCond: nf.Rows(pulledC, 1)}))
		pushed, pushedDet := make([]float64, 4), make([]float64, 2)
		ok(t, s.JVP(d, nf.JVP{From: X, Cond: C, TanFrom: nf.Rows(tan, 2), TanCond: nf.Rows(tanC, 1), TanTo: nf.Rows(pushed, 2),
			TanLogDet: nf.Vec(pushedDet)}))
		for i := 0; i < 2; i++ {
			a := cot[2*i]*pushed[2*i] + cot[2*i+1]*pushed[2*i+1] + cotDet[i]*pushedDet[i]
			b := pulled[2*i]*tan[2*i] + pulled[2*i+1]*tan[2*i+1] + pulledC[i]*tanC[0]
			near(t, "cotangent and tangent", a, b, 1e-9)
		}
		back := nf.Inverse
		if d == nf.Inverse {
			back = nf.Forward
		}
		move := map[nf.Direction]func(x, cond, z, det nf.Array) error{nf.Forward: s.Forward, nf.Inverse: s.Inverse}
		det2 := make([]float64, 2)
		ok(t, move[back](nf.Rows(to, 2), C, nf.Rows(from, 2), nf.Vec(det2)))
		for k := range x {
			near(t, "round trip", from[k], x[k], 1e-9)
		}
		near(t, "log det", det[0], -det2[0], 1e-9)
		states, dets := make([]float64, 5*4), make([]float64, 4*2)
		ok(t, s.Trace(d, X, C, nf.Shaped(states, 5, 2, 2), nf.Shaped(dets, 4, 2)))
		same(t, "the end of the trace", states[16:], to)
		near(t, "sum of the log dets", dets[0]+dets[2]+dets[4]+dets[6], det[0], 1e-12)
	}
	if s.Bytes() == 0 {
		t.Fatal("no scratch memory")
	}
}

func TestBase(t *testing.T) {
	s := session(t, started(t), nil)
	z, x, lp, z2 := make([]float64, 6), make([]float64, 6), make([]float64, 3), make([]float64, 6)
	ok(t, s.BaseSample(nf.Sampling{Seed: 4}, nf.None, nf.Rows(z, 2)))
	ok(t, s.Sample(nf.Sampling{Seed: 4}, nf.None, nf.Rows(x, 2), nf.Vec(lp)))
	ok(t, s.Inverse(nf.Rows(z, 2), nf.None, nf.Rows(z2, 2), nf.None))
	for i := range x {
		near(t, "sample", x[i], z2[i], 1e-5)
	}
	ok(t, s.BaseLogProb(nf.Rows(z, 2), nf.None, nf.Vec(lp)))
	near(t, "log density", lp[0], -z[0]*z[0]/2-z[1]*z[1]/2-math.Log(2*math.Pi), 1e-5)
	ok(t, s.BaseQuantile(nf.Rows([]float64{0.5, 0.5, 0.8413447460685429, 0.5, 0.5, 0.1}, 2), nf.None, nf.Rows(z, 2)))
	near(t, "median", z[0], 0, 1e-6)
	near(t, "one deviation", z[2], 1, 1e-5)
}

func TestAutoencoder(t *testing.T) {
	m := model(t, vaeSpec)
	s := session(t, m, nil)
	x := make([]float32, 6*16)
	for i := range x {
		x[i] = float32((i*7919 + 13) % 101 % 2)
	}
	X := nf.Images(x, 4, 4, 1)
	meanz, logVar, z, logQ := make([]float64, 18), make([]float64, 18), make([]float64, 18), make([]float64, 6)
	ok(t, s.Encode(X, nf.None, nf.Encoded{Mean: nf.Rows(meanz, 3), LogVar: nf.Rows(logVar, 3), Z: nf.Rows(z, 3), LogQ: nf.Vec(logQ)}))
	states, dets := make([]float64, 3*18), make([]float64, 12)
	ok(t, s.PosteriorTrace(X, nf.None, nf.Shaped(states, 3, 6, 3), nf.Shaped(dets, 2, 6)))
	same(t, "the end of the trace", states[36:], z)
	for r := 0; r < 6; r++ {
		want := -dets[r] - dets[6+r]
		for j := 3 * r; j < 3*r+3; j++ {
			u := (states[j] - meanz[j]) * math.Exp(-logVar[j]/2)
			want -= (u*u + logVar[j] + math.Log(2*math.Pi)) / 2
		}
		near(t, "log q", logQ[r], want, 1e-4)
	}
	means := make([]float32, 96)
	ok(t, s.Decode(nf.Rows(z, 3), nf.None, nf.Images(means, 4, 4, 1)))
	for _, p := range means {
		if !(p > 0 && p < 1) {
			t.Fatal(means)
		}
	}
	if m.Info().Exact || m.Info().HasLayers {
		t.Fatalf("%+v", m.Info())
	}
	w, draws := make([]float64, 2000), make([]float64, 6000)
	info, err := s.PosteriorImportance(X.Slice(2, 3), nf.None, nf.ImportanceRun{Seed: 1, N: 2000, X: nf.Rows(draws, 3), LogWeight: nf.Vec(w)})
	ok(t, err)
	other, err := s.PosteriorImportance(X.Slice(2, 3), nf.None, nf.ImportanceRun{Seed: 2, N: 2000})
	ok(t, err)
	near(t, "log p(x)", info.LogZ, other.LogZ, 6*(info.LogZError+other.LogZError))
	lp := make([]float64, 1)
	ok(t, session(t, m, nf.Options{"session.score_samples": 20, "session.threads": 1}).LogProb(X.Slice(2, 3), nf.None, nf.Vec(lp)))
	near(t, "a bound of it", info.LogZ, lp[0], 1)
	if info.Samples != 2000 || w[5] == 0 || draws[7] == 0 {
		t.Fatalf("%+v", info)
	}
	flow := session(t, started(t), nil)
	if err := flow.Decode(nf.Rows(z, 2), nf.None, nf.Rows(means, 2).Slice(0, 9)); !errors.Is(err, nf.ErrUnsupported) {
		t.Fatal(err)
	}
}

func TestWeights(t *testing.T) {
	g := target(t, gauss)
	s := session(t, started(t), nil)
	const n = 4000
	x, w := make([]float64, 2*n), make([]float64, n)
	info, err := s.Importance(context.Background(), g, nf.ImportanceRun{Seed: 2, N: n, X: nf.Rows(x, 2), LogWeight: nf.Vec(w)})
	ok(t, err)
	at, e := make([]float64, 2), make([]float64, 2)
	ok(t, nf.ImportanceMean(nf.Vec(w), nf.Rows(x, 2), nf.Vec(at), nf.Vec(e)))
	near(t, "mean", at[0], 1, 6*e[0])
	near(t, "mean", at[1], 1, 6*e[1])
	k := must[float64](t)(nf.ImportanceSmooth(nf.Vec(w), nf.Vec(w)))
	near(t, "Pareto k", k, info.ParetoK, 1e-9)
	chains := make([]float64, 500*4*2)
	_, err = nf.Metropolis(context.Background(), g, nf.Chains{Out: nf.Shaped(chains, 500, 4, 2),
		Options: nf.Options{"metropolis.thin": 10, "metropolis.step_size": 0.5, "metropolis.burn_in": 500},
		Start:   nf.Rows(fill(8, 1), 2)})
	ok(t, err)
	near(t, "mean of the chains", mean(chains), 1, 0.1)
	ratio, q := make([]float64, 2000), make([]float64, 2000)
	ok(t, g.LogDensity(nf.Rows(chains, 2), nf.None, nf.Vec(ratio), nf.None))
	ok(t, s.LogProb(nf.Rows(chains, 2), nf.None, nf.Vec(q)))
	for i := range ratio {
		ratio[i] -= q[i]
	}
	cover, err := nf.ImportanceCoverage(nf.Vec(w), nf.Vec(ratio))
	ok(t, err)
	near(t, "log Z", cover.LogZ, math.Log(2*math.Pi*0.25), 0.2)
}
