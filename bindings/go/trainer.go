package nf

// #include "nfgo.h"
import "C"

import (
	"encoding/json"
	"io"
	"runtime"
	"runtime/cgo"
	"time"
	"unsafe"
)

// Trainer has the optimizer state of a model, for a training loop of the program. It is used by one goroutine at a time.
type Trainer struct {
	state
	h    *C.nf_trainer
	keep *keeper
	f    *frame
	m    *Model
	call *call
	user C.uintptr_t // the handle of call
}

// Collective is how the processes of a data-parallel run add up their numbers.
type Collective struct {
	Rank, World int
	// AllReduce adds numbers over all ranks, in place. One of the slices is nil. Calls come in one fixed order.
	AllReduce func(f32 []float32, f64 []float64) error
}

// StepInfo is what a training step did.
type StepInfo struct {
	Step       uint64  // steps applied so far
	Loss       float64 // the objective before the step, in nats
	LossError  float64 // its standard error, where the objective draws samples
	GradNorm   float64 // before clipping
	LR         float64
	Time       time.Duration
	Diverged   bool
	WentBack   int
	Drift      float64 // of "trainer.memory" = "invert"
	DriftLayer int
	KeptInputs int
}

func stepInfo(c *C.nf_step_info) StepInfo {
	return StepInfo{Step: uint64(c.step), Loss: float64(c.loss), LossError: float64(c.loss_error), GradNorm: float64(c.grad_norm),
		LR: float64(c.lr), Time: time.Duration(float64(c.seconds) * 1e9), Diverged: c.diverged != 0, WentBack: int(c.went_back),
		Drift: float64(c.drift), DriftLayer: int(c.drift_layer), KeptInputs: int(c.kept_inputs)}
}

// NewTrainer creates the trainer of a model, which has at most one at a time. Options are of scope "trainer". collective is
// nil in a single process.
func (m *Model) NewTrainer(options Options, collective *Collective) (*Trainer, error) {
	o, err := options.create()
	if err != nil {
		return nil, err
	}
	defer C.nf_options_free(o)
	f, err := m.enter(true)
	if err != nil {
		return nil, err
	}
	defer m.exit(f, true)
	t := &Trainer{m: m, call: &call{mu: &m.mu}}
	rank, world := 0, 0
	if collective != nil {
		if collective.AllReduce == nil || collective.World < 1 {
			return nil, failure(ErrArgument, "a collective of %d ranks needs AllReduce and at least one rank", collective.World)
		}
		rank, world, t.call.reduce = collective.Rank, collective.World, collective.AllReduce
	}
	t.keep = newKeeper(nil, []any{t.call}, m.keep)
	t.user = C.uintptr_t(t.keep.handles[0])
	err = f.check(C.nfgo_trainer_create(m.h, o, C.int32_t(rank), C.int32_t(world), t.user, &t.h, f.e()))
	if err = t.call.outcome(err); err != nil {
		return nil, err
	}
	t.f = newFrame()
	h, scratch := t.h, t.f
	t.free = func() {
		C.nf_trainer_free(h)
		scratch.destroy()
	}
	runtime.SetFinalizer(t, (*Trainer).Close)
	return t, nil
}

// Close frees the trainer.
func (t *Trainer) Close() error {
	if t != nil && t.h != nil {
		t.close()
	}
	return nil
}

// do runs fn alone, and without readers of the model. An error of an argument counts before its status.
func (t *Trainer) do(fn func(f *frame) C.nf_status) error {
	if t == nil || t.h == nil {
		return failure(ErrArgument, "the trainer is nil")
	}
	if !t.seize() {
		return t.refusal("the trainer")
	}
	defer t.keep.hosts().raise()
	defer t.leave()
	defer t.f.clear()
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	defer t.call.reset()
	err := t.f.check(fn(t.f))
	if t.f.err != nil {
		return t.f.err
	}
	return t.call.stoppable(err)
}

// Step takes one step on a batch. Objectives without data take Batch{}, or one with Cond alone.
func (t *Trainer) Step(b Batch) (StepInfo, error) {
	var info C.nf_step_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	err := t.do(func(f *frame) C.nf_status {
		batch := f.batch(b)
		if f.err != nil {
			return C.NF_OK
		}
		return C.nfgo_train_step(t.user, t.h, batch, &info, f.e())
	})
	return stepInfo(&info), err
}

// Evaluate returns the objective on a batch and its standard error, without a step.
func (t *Trainer) Evaluate(b Batch) (loss, lossError float64, err error) {
	var l, e C.double
	err = t.do(func(f *frame) C.nf_status {
		batch := f.batch(b)
		if f.err != nil {
			return C.NF_OK
		}
		return C.nfgo_trainer_evaluate(t.user, t.h, batch, &l, &e, f.e())
	})
	return float64(l), float64(e), err
}

// SetTarget sets the target of an objective that has one, and keeps it alive.
func (t *Trainer) SetTarget(target *Target) error {
	release, err := target.enter()
	if err != nil {
		return err
	}
	defer release()
	return t.do(func(f *frame) C.nf_status {
		status := C.nf_trainer_set_target(t.h, target.h, f.e())
		if status == C.NF_OK && target.keep != nil {
			t.keep.parents = append(t.keep.parents, target.keep)
		}
		return status
	})
}

// Observe reports a validation loss to schedule "plateau".
func (t *Trainer) Observe(validationLoss float64) error {
	return t.do(func(f *frame) C.nf_status { return C.nf_trainer_observe(t.h, C.double(validationLoss), f.e()) })
}

// SetLR changes the learning rate that the schedule starts from, of all parameters.
func (t *Trainer) SetLR(lr float64) error {
	return t.do(func(f *frame) C.nf_status { return C.nf_trainer_set_lr(t.h, nil, C.double(lr), f.e()) })
}

// SetGroupLR changes the learning rate of a group of "trainer.groups", or with "" of the parameters of no group.
func (t *Trainer) SetGroupLR(group string, lr float64) error {
	g, free, err := cString(group)
	if err != nil {
		return err
	}
	defer free()
	return t.do(func(f *frame) C.nf_status { return C.nf_trainer_set_lr(t.h, g, C.double(lr), f.e()) })
}

// Restart begins anew from the parameters in the model, for other data.
func (t *Trainer) Restart(keepMoments bool) error {
	return t.do(func(f *frame) C.nf_status { return C.nf_trainer_restart(t.h, C.int32_t(flag(keepMoments)), f.e()) })
}

// UseAverage puts the averaged parameters of "trainer.ema_decay" into the model, or those of the last step back.
func (t *Trainer) UseAverage(on bool) error {
	return t.do(func(f *frame) C.nf_status { return C.nf_trainer_use_average(t.h, C.int32_t(flag(on)), f.e()) })
}

// Options returns all settings, defaults included, as a JSON object.
func (t *Trainer) Options() (text json.RawMessage, err error) {
	e := t.do(func(*frame) C.nf_status {
		text, err = written(func(call C.uintptr_t, e *C.nf_error) C.nf_status { return C.nfgo_trainer_options(t.h, call, e) })
		return C.NF_OK
	})
	if e != nil {
		return nil, e
	}
	return text, err
}

// StepCount returns how many steps were applied.
func (t *Trainer) StepCount() (n uint64) {
	_ = t.do(func(*frame) C.nf_status { n = uint64(C.nf_trainer_step_count(t.h)); return C.NF_OK })
	return n
}

// Bytes returns the memory that the trainer holds.
func (t *Trainer) Bytes() (n int) {
	_ = t.do(func(*frame) C.nf_status { n = int(C.nf_trainer_bytes(t.h)); return C.NF_OK })
	return n
}

// Save writes a checkpoint, from which training continues with the same bits.
func (t *Trainer) Save(path string) error {
	p, free, err := cString(path)
	if err != nil {
		return err
	}
	defer free()
	return t.do(func(f *frame) C.nf_status { return C.nf_trainer_save(t.h, p, f.e()) })
}

// WriteTo writes a checkpoint.
func (t *Trainer) WriteTo(w io.Writer) (int64, error) {
	to := &counter{w: w}
	c := &call{write: to}
	if w == nil {
		return 0, failure(ErrArgument, "the writer is nil")
	}
	h := cgo.NewHandle(c)
	defer h.Delete()
	err := t.do(func(f *frame) C.nf_status { return C.nfgo_trainer_save_stream(t.h, C.uintptr_t(h), f.e()) })
	return to.n, c.outcome(err)
}

// Restore continues from a checkpoint of a trainer with the same spec and options.
func (t *Trainer) Restore(path string) error {
	p, free, err := cString(path)
	if err != nil {
		return err
	}
	defer free()
	return t.do(func(f *frame) C.nf_status { return C.nf_trainer_restore(t.h, p, f.e()) })
}

// ReadFrom continues from a checkpoint that it reads until the end of r.
func (t *Trainer) ReadFrom(r io.Reader) (int64, error) {
	if r == nil {
		return 0, failure(ErrArgument, "the reader is nil")
	}
	file, err := io.ReadAll(r)
	if err != nil {
		return int64(len(file)), err
	}
	return int64(len(file)), t.do(func(f *frame) C.nf_status {
		return C.nf_trainer_restore_memory(t.h, unsafe.Pointer(unsafe.SliceData(file)), C.size_t(len(file)), f.e())
	})
}
