package nf

// #include "nfgo.h"
import "C"

import (
	"context"
	"errors"
	"math"
	"time"
	"unsafe"
)

// Source gives the batch of a step, or io.EOF at the end of the data. Its arrays must not change until the next call.
type Source interface {
	Next(step uint64) (Batch, error)
}

// SourceFunc is a function as a Source.
type SourceFunc func(step uint64) (Batch, error)

// Next calls f.
func (f SourceFunc) Next(step uint64) (Batch, error) { return f(step) }

// Run trains until maxSteps steps have been applied in total (0: no limit), the source ends, or onStep returns an error. With
// ErrStop that is not an error of Run. source is nil for objectives without data; onStep may be nil. A context that is done
// ends the run after the step.
func (t *Trainer) Run(ctx context.Context, source Source, maxSteps uint64, onStep func(StepInfo) error) error {
	if ctx == nil {
		ctx = context.Background()
	}
	native, isNative := source.(*Batches)
	if isNative {
		if err := native.enter(); err != nil {
			return err
		}
		defer native.exit()
	}
	err := t.do(func(f *frame) C.nf_status {
		var of *C.nf_source
		var s C.nf_source
		goSource := source != nil && !isNative
		if isNative {
			s.struct_size = C.uint32_t(unsafe.Sizeof(s))
			if status := C.nf_batches_source(native.h, &s, f.e()); status != C.NF_OK {
				return status
			}
			of = &s
		}
		c := t.call
		c.ctx, c.source, c.onStep = ctx, source, onStep
		if goSource {
			c.rows = takeFrame()
			defer func() {
				c.rows.putBack()
				c.rows = nil
			}()
		}
		reports := onStep != nil || ctx.Done() != nil
		if ctx.Err() != nil {
			f.fail(cancelled(ctx))
			return C.NF_OK
		}
		return C.nfgo_train_run(t.user, t.h, of, flag(goSource), C.uint64_t(maxSteps), flag(reports), f.e())
	})
	return err
}

func cancelled(ctx context.Context) error {
	return &Error{Status: ErrCancelled, Layer: -1, Row: -1, Message: "stopped", Cause: context.Cause(ctx)}
}

// FitConfig is what Fit may get beside the data.
type FitConfig struct {
	Valid   Batch   // validation rows; without, option "fit.holdout" (0.1) of the data
	Options Options // of scopes "fit", "trainer", "batches" and "session"
	// Progress is called after every step, and once more after every validation. It may use the model where Point is set. An
	// error ends the run; ErrStop is not an error of Fit.
	Progress func(FitInfo) error
}

// StopReason is why a run of Fit ended.
type StopReason int

// Why a run ended.
const (
	Running       StopReason = 0
	StopFinished  StopReason = C.NF_STOP_FINISHED
	StopPatience  StopReason = C.NF_STOP_PATIENCE
	StopRequested StopReason = C.NF_STOP_REQUESTED
)

// FitInfo is how far a run of Fit is; nf.h says more about each number.
type FitInfo struct {
	Validated, Improved   bool
	Point                 bool // the model holds the weights that are kept, and a checkpoint follows
	Stop                  StopReason
	Step, Planned         uint64
	BestStep              uint64
	StepsPerEpoch         uint64
	ValidEvery            uint64
	DivergedAt            uint64
	TrainRows, ValidRows  int64
	BatchRows, MergedRows int64
	Loss, Train           float64
	Valid, ValidError     float64 // mean log density of the validation rows, and its standard error
	ValidRest, Best       float64
	LR, GradNorm          float64
	Time                  time.Duration
	BadRows, BadRow       int64
	WentBack              int
}

func fitInfo(c *C.nf_fit_info) FitInfo {
	return FitInfo{Validated: c.validated != 0, Improved: c.improved != 0, Point: c.point != 0, Stop: StopReason(c.stop),
		Step: uint64(c.step), Planned: uint64(c.planned), BestStep: uint64(c.best_step), StepsPerEpoch: uint64(c.steps_per_epoch),
		ValidEvery: uint64(c.valid_every), DivergedAt: uint64(c.diverged_at), TrainRows: int64(c.train_rows),
		ValidRows: int64(c.valid_rows), BatchRows: int64(c.batch_rows), MergedRows: int64(c.merged_rows), Loss: float64(c.loss),
		Train: float64(c.train), Valid: float64(c.valid), ValidError: float64(c.valid_error), ValidRest: float64(c.valid_rest),
		Best: float64(c.best), LR: float64(c.lr), GradNorm: float64(c.grad_norm),
		Time: time.Duration(float64(c.seconds) * 1e9), BadRows: int64(c.bad_rows), BadRow: int64(c.bad_row), WentBack: int(c.went_back)}
}

// Fit trains the model on rows and leaves the weights of the best validation in it. A context that is done ends the run after
// the step, with the best weights so far. No row is copied.
func (m *Model) Fit(ctx context.Context, data Batch, config FitConfig) (FitInfo, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	var info C.nf_fit_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	info.best = C.double(math.NaN())
	o, err := config.Options.create()
	if err != nil {
		return FitInfo{}, err
	}
	defer C.nf_options_free(o)
	f, err := m.enter(true)
	if err != nil {
		return FitInfo{}, err
	}
	defer m.exit(f, true)
	if ctx.Err() != nil {
		return FitInfo{}, cancelled(ctx)
	}
	rows, valid := f.batch(data), f.batch(config.Valid)
	if f.err != nil {
		return FitInfo{}, f.err
	}
	c := &call{ctx: ctx, mu: &m.mu, onFit: config.Progress}
	err = withCall(c, func(h C.uintptr_t) error {
		return f.check(C.nfgo_fit(h, m.h, rows, valid, o, flag(config.Progress != nil || ctx.Done() != nil), &info, f.e()))
	})
	if c.panicked != nil || c.err == nil || err != nil {
		return fitInfo(&info), c.outcome(err)
	}
	// The library takes any wish of the callback to stop as the end of the run.
	if err = c.err; errors.Is(err, ErrStop) {
		return fitInfo(&info), nil
	}
	return fitInfo(&info), &Error{Status: ErrCancelled, Layer: -1, Row: -1, Message: "the run was stopped; the best weights are kept",
		Cause: err}
}
