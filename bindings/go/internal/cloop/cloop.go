// Package cloop scores one row again and again in C: what the same calls from Go are measured against.
package cloop

// #cgo !nf_env pkg-config: nf
// #cgo nf_static,!nf_env LDFLAGS: -Wl,-Bstatic -lnf -Wl,-Bdynamic -Wl,--as-needed -lz -lstdc++ -lm -lpthread
/*
#include <nf/nf.h>

typedef struct cloop {
  nf_model *model;
  nf_session *session;
} cloop;

static nf_status cloop_open(cloop *c, const void *file, size_t n, nf_error *e) {
  nf_options *o = NULL;
  nf_status s = nf_model_load_memory(NULL, file, n, NULL, &c->model, e);
  if (!s) s = nf_options_create(&o, e);
  if (!s) s = nf_options_set_i64(o, "session.threads", 1, e);
  if (!s) s = nf_session_create(c->model, o, &c->session, e);
  nf_options_free(o);
  return s;
}
static nf_status cloop_run(cloop *c, const double *x, int64_t times, double *last, nf_error *e) {
  int64_t i;
  nf_status s = NF_OK;
  for (i = 0; i < times && !s; ++i) s = nf_log_prob_row(c->session, x, NULL, last, e);
  return s;
}
static void cloop_close(cloop *c) {
  nf_session_free(c->session);
  nf_model_free(c->model);
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

// Loop is a session of a model.
type Loop struct{ c C.cloop }

// Open reads the file of a model.
func Open(file []byte) (*Loop, error) {
	l, e := &Loop{}, C.nf_error{}
	e.struct_size = C.uint32_t(unsafe.Sizeof(e))
	if C.cloop_open(&l.c, unsafe.Pointer(unsafe.SliceData(file)), C.size_t(len(file)), &e) != C.NF_OK {
		l.Close()
		return nil, errors.New(C.GoString(&e.message[0]))
	}
	return l, nil
}

// Run scores the row x that many times and returns its log density.
func (l *Loop) Run(x []float64, times int) (float64, error) {
	var last C.double
	e := C.nf_error{}
	e.struct_size = C.uint32_t(unsafe.Sizeof(e))
	if C.cloop_run(&l.c, (*C.double)(unsafe.SliceData(x)), C.int64_t(times), &last, &e) != C.NF_OK {
		return 0, errors.New(C.GoString(&e.message[0]))
	}
	return float64(last), nil
}

// Close frees the session and the model.
func (l *Loop) Close() { C.cloop_close(&l.c) }
