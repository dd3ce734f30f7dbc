// libnf for Go: the part of nf.h that main.go uses, as a starting point for a binding.
//
// Slices are passed as plain pointers and lengths. The shims below build the views on the C stack, so that no Go pointer
// is ever stored in memory that C sees (a rule of cgo). Every call has its own nf_error; libnf keeps no error state per
// thread, so a goroutine may move between threads from call to call.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../include
#cgo LDFLAGS: -lnf
#include <nf/nf.h>
#include <stdlib.h>

static nf_error fresh(void) {
  nf_error e = NF_ERROR_INIT;
  return e;
}
static nf_status log_prob(nf_session *s, const float *x, int64_t n, int64_t d, float *out, nf_error *e) {
  const nf_view in = nf_rows_f32(x, n, d);
  const nf_out to = nf_out_vec_f32(out, n);
  return nf_log_prob(s, &in, NULL, &to, e);
}
static nf_status sample(nf_session *s, uint64_t seed, uint64_t first, float *out, int64_t n, int64_t d, nf_error *e) {
  const nf_out to = nf_out_rows_f32(out, n, d);
  nf_sampling how = NF_SAMPLING_INIT;
  how.seed = seed, how.first_index = first;
  return nf_sample(s, &how, NULL, &to, NULL, e);
}
static nf_status train_step(nf_trainer *t, const float *x, int64_t n, int64_t d, double *loss, nf_error *e) {
  const nf_view in = nf_rows_f32(x, n, d);
  nf_batch batch = NF_BATCH_INIT;
  nf_step_info info = NF_STEP_INFO_INIT;
  batch.x = &in;
  const nf_status status = nf_train_step(t, &batch, &info, e);
  if (status == NF_OK) *loss = info.loss;
  return status;
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Error carries the status and message of a failed call.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string {
	return C.GoString(C.nf_status_name(C.nf_status(e.Status))) + ": " + e.Message
}

func check(status C.nf_status, e *C.nf_error) error {
	if status == C.NF_OK {
		return nil
	}
	return &Error{int(status), C.GoString(&e.message[0])}
}

// Runtime, Model, Session and Trainer own a handle until Free. Handles keep alive what they were created from.
type Runtime struct{ h *C.nf_runtime }
type Model struct{ h *C.nf_model }
type Session struct{ h *C.nf_session }
type Trainer struct{ h *C.nf_trainer }

func (r *Runtime) Free() { C.nf_runtime_free(r.h); r.h = nil }
func (m *Model) Free()   { C.nf_model_free(m.h); m.h = nil }
func (s *Session) Free() { C.nf_session_free(s.h); s.h = nil }
func (t *Trainer) Free() { C.nf_trainer_free(t.h); t.h = nil }

func NewRuntime() (*Runtime, error) {
	r, e := &Runtime{}, C.fresh()
	return r, check(C.nf_runtime_create_v(C.NF_VERSION, nil, nil, nil, nil, nil, &r.h, &e), &e)
}

func NewModel(r *Runtime, spec string, seed uint64) (*Model, error) {
	text := C.CString(spec)
	defer C.free(unsafe.Pointer(text))
	m, e := &Model{}, C.fresh()
	return m, check(C.nf_model_create(r.h, text, C.size_t(len(spec)), C.uint64_t(seed), &m.h, &e), &e)
}

func LoadModel(r *Runtime, path string) (*Model, error) {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	m, e := &Model{}, C.fresh()
	return m, check(C.nf_model_load(r.h, text, nil, &m.h, &e), &e)
}

func (m *Model) Save(path string) error {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	e := C.fresh()
	return check(C.nf_model_save(m.h, text, &e), &e)
}

func NewSession(m *Model) (*Session, error) {
	s, e := &Session{}, C.fresh()
	return s, check(C.nf_session_create(m.h, nil, &s.h, &e), &e)
}

// floats returns the address of a slice's numbers; it may be NULL for an empty slice.
func floats(v []float32) *C.float { return (*C.float)(unsafe.SliceData(v)) }

// LogProb scores rows of cols numbers.
func (s *Session) LogProb(x []float32, cols int) ([]float32, error) {
	out, e := make([]float32, len(x)/cols), C.fresh()
	return out, check(C.log_prob(s.h, floats(x), C.int64_t(len(out)), C.int64_t(cols), floats(out), &e), &e)
}

// Sample draws the samples first, first+1, ... of a seed.
func (s *Session) Sample(seed, first uint64, rows, cols int) ([]float32, error) {
	out, e := make([]float32, rows*cols), C.fresh()
	return out, check(C.sample(s.h, C.uint64_t(seed), C.uint64_t(first), floats(out), C.int64_t(rows), C.int64_t(cols), &e), &e)
}

func NewTrainer(m *Model, options map[string]string) (*Trainer, error) {
	var bag *C.nf_options
	e := C.fresh()
	if err := check(C.nf_options_create(&bag, &e), &e); err != nil {
		return nil, err
	}
	defer C.nf_options_free(bag)
	for key, value := range options {
		k, v := C.CString(key), C.CString(value)
		err := check(C.nf_options_set(bag, k, v, &e), &e)
		C.free(unsafe.Pointer(k))
		C.free(unsafe.Pointer(v))
		if err != nil {
			return nil, fmt.Errorf("option %s: %w", key, err)
		}
	}
	t := &Trainer{}
	return t, check(C.nf_trainer_create(m.h, bag, nil, &t.h, &e), &e)
}

// Step trains on rows of cols numbers and returns the loss before the step.
func (t *Trainer) Step(x []float32, cols int) (float64, error) {
	var loss C.double
	e := C.fresh()
	err := check(C.train_step(t.h, floats(x), C.int64_t(len(x)/cols), C.int64_t(cols), &loss, &e), &e)
	return float64(loss), err
}
