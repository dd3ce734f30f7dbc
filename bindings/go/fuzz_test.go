package nf_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"

	nf "libnf/bindings/go"
)

// tape reads the bytes of the fuzzer as a program; at its end there are zeros.
type tape struct{ b []byte }

func (t *tape) next() int {
	if len(t.b) == 0 {
		return 0
	}
	v := t.b[0]
	t.b = t.b[1:]
	return int(v)
}

// extent is mostly small, and sometimes negative or enormous.
func (t *tape) extent() int {
	switch v := t.next(); v {
	case 255:
		return -1
	case 254:
		return math.MaxInt
	case 253:
		return math.MinInt
	case 252:
		return 1 << 31
	default:
		return v % 8
	}
}

func (t *tape) array(f32 []float32, f64 []float64, u8 []uint8) nf.Array {
	kind, n := t.next(), t.next()%len(f32)
	shape, strides := make([]int, t.next()%10), []int{}
	for i := range shape {
		shape[i], strides = t.extent(), append(strides, t.extent())
	}
	switch kind % 9 {
	case 0:
		return nf.None
	case 1:
		return nf.Rows(f32[:n], t.extent())
	case 2:
		return nf.Rows(f64[:n], 2)
	case 3:
		return nf.Vec(f64[:n])
	case 4:
		return nf.Rows(u8[:n], 2)
	case 5:
		return nf.Shaped(f64[:n], shape...)
	case 6:
		a := nf.Strided(f32[:n], t.extent(), shape, strides)
		if a.Len() > 1<<12 { // with strides of 0, the same row 2^31 times: right, but it takes minutes
			return nf.None
		}
		return a
	case 7:
		return nf.Rows(f64[:8], 2).Slice(t.extent(), t.extent())
	default:
		return nf.Images(f32[:n], t.extent(), t.extent(), t.extent())
	}
}

// FuzzCalls calls the binding in any order with any arrays: every call returns nil or an *Error, and nothing crashes.
func FuzzCalls(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 2, 8, 0, 0, 0, 0, 3, 4, 0})
	f.Add([]byte{1, 2, 8, 0, 3, 4, 0, 2, 2, 8, 0, 2, 8, 0, 3, 4, 0})
	f.Add([]byte{4, 2, 10, 0, 5, 5, 4, 2, 254, 254, 253, 255, 6, 31, 2, 252, 1, 2, 255, 9, 7, 7})
	f.Add([]byte{8, 8, 8, 2, 4, 0, 2, 8, 0, 12, 0, 2, 8, 0, 10, 11, 13, 2, 8, 0, 16, 17})
	f.Add([]byte("!W!WX\xfc\xb1")) // 2^31 rows without columns
	f.Add(bytes.Repeat([]byte{3, 6, 16, 3, 1, 2, 3, 4, 5, 250, 2, 8, 0}, 20))
	f.Fuzz(func(t *testing.T, program []byte) {
		p := &tape{program}
		m := started(t)
		s := session(t, m, nf.Options{"session.threads": 1})
		tr := trainer(t, m, nil)
		b, err := nf.NewBatches(nil, nf.Batch{X: nf.Rows(banana(20, 1), 2)}, nf.Options{"batches.batch": 4})
		ok(t, err)
		defer b.Close()
		table, err := nf.ParseTable(nil, []byte("a,b\n1,2\n3,4\n"), "", nil)
		ok(t, err)
		defer table.Close()
		f32, f64, u8 := make([]float32, 32), make([]float64, 32), make([]uint8, 32)
		for i := range u8 {
			f32[i], f64[i], u8[i] = float32(i)/16-1, float64(i)/16-1, uint8(i)
		}
		results := [4][]float64{}
		for i := range results {
			results[i] = make([]float64, 32)
		}
		in := func() nf.Array {
			switch p.next() % 16 {
			case 0:
				v, _ := table.View()
				return v
			case 1:
				batch, _ := b.Next(uint64(p.next()))
				return batch.X
			}
			return p.array(f32, f64, u8)
		}
		k := 0
		out := func() nf.Array { // results must not be in the same place as anything else
			k++
			return p.array(make([]float32, 32), results[k%4], make([]uint8, 32))
		}
		for calls := 0; len(p.b) > 0 && calls < 200; calls++ {
			var err error
			switch p.next() % 24 {
			case 0:
				err = s.LogProb(in(), in(), out())
			case 1:
				err = s.Forward(in(), in(), out(), out())
			case 2:
				err = s.Inverse(in(), in(), out(), out())
			case 3:
				err = s.LogProbGrad(in(), in(), out(), out(), out())
			case 4:
				err = s.VJP(nf.Direction(p.next()%3), nf.VJP{From: in(), Cond: in(), CotTo: in(), CotLogDet: in(), To: out(), LogDet: out(),
					DFrom: out(), DCond: out()})
			case 5:
				err = s.JVP(nf.Direction(p.next()%3), nf.JVP{From: in(), TanFrom: in(), TanCond: in(), To: out(), TanTo: out(), TanLogDet: out()})
			case 6:
				err = s.Sample(nf.Sampling{Seed: uint64(p.next()), First: uint64(p.extent()), Repeat: p.extent(),
					Temperature: float64(p.next()-9) / 9}, in(), out(), out())
			case 7:
				err = s.Trace(nf.Direction(p.next()%3), in(), in(), out(), out())
			case 8:
				_, err = tr.Step(nf.Batch{X: in(), Cond: in(), Weight: in(), Scores: in(), Part: in()})
			case 9:
				_, err = m.LogProb(in(), in())
			case 10:
				_, err = m.LogProbRow(f64[:p.next()%4], f64[:p.next()%4])
			case 11:
				err = tr.Accumulate(nf.Batch{X: in()}, nf.Cotangents{Direction: nf.Direction(p.next() % 3), Out: in(), LogDet: in(), LogProb: in()})
			case 12:
				_, err = tr.Apply(float64(p.next()))
			case 13:
				_, err = tr.StepLoss(s, nf.Direction(p.next()%3), nf.Batch{X: in()}, func(*nf.Loss) (float64, error) { return 0, nil })
			case 14:
				err = m.Tensor("layers.1.net.hidden.0.weight", out())
			case 15:
				err = m.SetScores(in())
			case 16:
				_, err = m.ScoreQuantile(float64(p.next()) / 128)
			case 17:
				err = m.ScoreRank(in(), out())
			case 18:
				err = nf.ImportanceMean(in(), in(), out(), out())
			case 19:
				_, err = nf.Metropolis(context.Background(), nil, nf.Chains{Out: out()})
			case 20:
				_, err = nf.ReadModel(nil, bytes.NewReader(p.b), nil)
			case 21:
				_, err = nf.ParseTable(nil, p.b, "", nil)
			case 22:
				err = s.BaseQuantile(in(), in(), out())
			case 23:
				_, err = b.Next(uint64(p.extent()))
			}
			var e *nf.Error
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("%T %v", err, err)
			}
			if e != nil && (e.Status == nf.ErrInternal || e.Message == "") {
				t.Fatal(err)
			}
		}
	})
}
