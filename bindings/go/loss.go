package nf

// #include "nfgo.h"
import "C"

import "unsafe"

// Cotangents are derivatives of a loss of the program with respect to what a map returned. Each may be None.
type Cotangents struct {
	Direction Direction
	Out       Array // as the result of the map
	LogDet    Array // [n]
	LogProb   Array // [n], of the data row
}

// Accumulate adds the gradients of a loss. batch has X (Forward: data rows, Inverse: latents) and Cond.
func (t *Trainer) Accumulate(b Batch, c Cotangents) error {
	return t.do(func(f *frame) C.nf_status {
		batch, to := f.batch(b), &f.c.cotangents
		to.direction = C.nf_direction(c.Direction)
		to.out, to.log_det, to.log_prob = f.view(c.Out), f.view(c.LogDet), f.view(c.LogProb)
		if f.err != nil {
			return C.NF_OK
		}
		return C.nf_trainer_accumulate(t.h, batch, to, f.e())
	})
}

// Apply takes one step with the gradients added so far. loss is for information only.
func (t *Trainer) Apply(loss float64) (StepInfo, error) {
	var info C.nf_step_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	err := t.do(func(f *frame) C.nf_status { return C.nf_trainer_apply(t.h, C.double(loss), &info, f.e()) })
	return stepInfo(&info), err
}

// Discard forgets the gradients added so far.
func (t *Trainer) Discard() error {
	return t.do(func(f *frame) C.nf_status { return C.nf_trainer_discard(t.h, f.e()) })
}

// Loss is what a LossFunc gets and fills in, row by row.
type Loss struct {
	In         []float64 // the rows of the batch
	Out        []float64 // what the map made of them
	LogDet     []float64 // [n]
	CotOut     []float64 // to fill in: dloss/dOut, zeros at first
	CotLogDet  []float64 // to fill in: dloss/dLogDet
	CotLogProb []float64 // to fill in: dloss/dLogProb of the data row
}

// LossFunc returns a loss and fills in its derivatives.
type LossFunc func(*Loss) (float64, error)

// StepLoss takes one step on a loss of the program: s, a session of the trainer's model, maps the rows of the batch, fn
// differentiates its loss by the results, and the trainer does the rest. An error of fn is returned as it is, and leaves the
// trainer as it was.
func (t *Trainer) StepLoss(s *Session, d Direction, b Batch, fn LossFunc) (StepInfo, error) {
	in, err := b.X.Float64s()
	if err != nil {
		return StepInfo{}, err
	}
	if s == nil || fn == nil {
		return StepInfo{}, failure(ErrArgument, "the session or the loss is nil")
	}
	n, columns := b.X.Rows(), s.info.LatentSize
	if d == Inverse {
		columns = s.info.EventSize
	}
	numbers := make([]float64, 2*n*columns+3*n)
	take := func(k int) []float64 {
		part := numbers[:k:k]
		numbers = numbers[k:]
		return part
	}
	l := &Loss{In: in, Out: take(n * columns), CotOut: take(n * columns), LogDet: take(n), CotLogDet: take(n), CotLogProb: take(n)}
	if d == Inverse {
		err = s.Inverse(b.X, b.Cond, Rows(l.Out, columns), Vec(l.LogDet))
	} else {
		err = s.Forward(b.X, b.Cond, Rows(l.Out, columns), Vec(l.LogDet))
	}
	if err != nil {
		return StepInfo{}, err
	}
	loss, err := fn(l)
	if err != nil {
		return StepInfo{}, err
	}
	given := func(x []float64, a Array) Array {
		for _, v := range x {
			if v != 0 {
				return a
			}
		}
		return None
	}
	c := Cotangents{Direction: d, Out: given(l.CotOut, Rows(l.CotOut, columns)), LogDet: given(l.CotLogDet, Vec(l.CotLogDet)),
		LogProb: given(l.CotLogProb, Vec(l.CotLogProb))}
	if err := t.Accumulate(Batch{X: b.X, Cond: b.Cond}, c); err != nil {
		return StepInfo{}, err
	}
	info, err := t.Apply(loss)
	if err != nil {
		_ = t.Discard()
	}
	return info, err
}
