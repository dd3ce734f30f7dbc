package nf

// #include "nfgo.h"
import "C"

import (
	"runtime"
	"sync/atomic"
)

// Batches is mini-batches of rows, a pure function of the step. It is used by one goroutine at a time, and is a Source of
// Trainer.Run.
type Batches struct {
	state
	h     *C.nf_batches
	keep  *keeper
	f     *frame // pins the rows
	gets  *frame
	turns atomic.Int64 // how often Next was called
}

// NewBatches creates mini-batches of rows, whose memory stays pinned until Close. Options are of scope "batches".
func NewBatches(rt *Runtime, rows Batch, options Options) (*Batches, error) {
	rt, err := rt.or()
	if err != nil {
		return nil, err
	}
	defer rt.exit()
	o, err := options.create()
	if err != nil {
		return nil, err
	}
	defer C.nf_options_free(o)
	b := &Batches{keep: rt.keep, f: newFrame(), gets: newFrame()}
	f, gets := b.f, b.gets
	discard := func() {
		f.clear()
		f.destroy()
		gets.destroy()
	}
	batch := f.batch(rows)
	if f.err != nil {
		err = f.err
	} else {
		err = f.check(C.nf_batches_create(rt.h, batch, o, &b.h, f.e()))
	}
	if err != nil {
		discard()
		return nil, err
	}
	h := b.h
	b.free = func() {
		C.nf_batches_free(h)
		discard()
	}
	runtime.SetFinalizer(b, (*Batches).Close)
	return b, nil
}

// Close frees the batches and lets go of the rows.
func (b *Batches) Close() error {
	if b != nil && b.h != nil {
		b.close()
	}
	return nil
}

func (b *Batches) enter() error {
	if b == nil || b.h == nil {
		return failure(ErrArgument, "the batches are nil")
	}
	if !b.seize() {
		return b.refusal("the object of the batches")
	}
	return nil
}

func (b *Batches) exit() {
	b.turns.Add(1)
	b.leave()
}

// PerEpoch returns the number of batches in an epoch.
func (b *Batches) PerEpoch() uint64 {
	if b == nil || b.h == nil || !b.share() {
		return 0
	}
	defer b.leave()
	return uint64(C.nf_batches_per_epoch(b.h))
}

// Next returns the batch of a step. Its arrays are the memory of b: they are read until the next call, and refused later.
func (b *Batches) Next(step uint64) (Batch, error) {
	if err := b.enter(); err != nil {
		return Batch{}, err
	}
	defer b.leave()
	b.turns.Add(1)
	c := &b.gets.c.batch[0]
	if err := b.gets.check(C.nf_batches_get(b.h, C.uint64_t(step), c, b.gets.e())); err != nil {
		return Batch{}, err
	}
	o := &turn{b: b, n: b.turns.Load()}
	return Batch{X: fromC(c.x, o), Cond: fromC(c.ctx, o), Weight: fromC(c.weight, o), Scores: fromC(c.scores, o),
		Part: fromC(c.part, o)}, nil
}

// Row returns which row of the data row i of the last batch is, from 0; -1 when out of range.
func (b *Batches) Row(i int) int64 {
	if b.enter() != nil {
		return -1
	}
	defer b.leave()
	return int64(C.nf_batches_row(b.h, C.int64_t(i)))
}

// turn keeps the memory of one batch.
type turn struct {
	b *Batches
	n int64
}

func (t *turn) hold() error {
	if !t.b.share() {
		return closed("the object of the batches is closed")
	}
	if t.b.turns.Load() != t.n {
		t.b.leave()
		return failure(ErrState, "the batch was replaced: its arrays end with the next call")
	}
	return nil
}

func (t *turn) release() { t.b.leave() }
