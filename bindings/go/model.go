package nf

// #include "nfgo.h"
import "C"

import (
	"encoding/json"
	"io"
	"runtime"
	"sync"
	"unsafe"
)

// Model is a spec and parameters. Its methods may be called from any number of goroutines.
type Model struct {
	state
	h    *C.nf_model
	keep *keeper
	rt   *Runtime
	info ModelInfo
	// The library wants changes of a model by itself. Sessions do not take the lock: see the package documentation.
	mu   sync.RWMutex
	pool sessions
}

// ModelInfo is what a model is.
type ModelInfo struct {
	Dtype      Dtype
	EventSize  int // columns of x
	LatentSize int // columns of z
	CondSize   int // columns of the context, 0 without one
	Params     int64
	Exact      bool  // false: LogProb is a lower bound
	HasLayers  bool  // a chain with Forward, Inverse, Trace and gradients
	Event      []int // shape of x: [columns] or [height, width, channels]
	Latent     []int // shape of z
	layers     int
	tensors    int
}

// NewModel builds a model from a JSON spec, and draws its initial parameters from the seed.
func NewModel(rt *Runtime, spec string, seed uint64) (*Model, error) {
	text := []byte(spec + "\x00")
	return newModel(rt, nil, func(rt *C.nf_runtime, _ *C.nf_options, h **C.nf_model, e *C.nf_error) C.nf_status {
		return C.nf_model_create(rt, (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(spec)), C.uint64_t(seed), h, e)
	})
}

// LoadModel reads a model or a checkpoint. Options are of scope "load".
func LoadModel(rt *Runtime, path string, options Options) (*Model, error) {
	p, free, err := cString(path)
	if err != nil {
		return nil, err
	}
	defer free()
	return newModel(rt, options, func(rt *C.nf_runtime, o *C.nf_options, h **C.nf_model, e *C.nf_error) C.nf_status {
		return C.nf_model_load(rt, p, o, h, e)
	})
}

// ReadModel reads a model or a checkpoint until the end of r.
func ReadModel(rt *Runtime, r io.Reader, options Options) (*Model, error) {
	if r == nil {
		return nil, failure(ErrArgument, "the reader is nil")
	}
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return newModel(rt, options, func(rt *C.nf_runtime, o *C.nf_options, h **C.nf_model, e *C.nf_error) C.nf_status {
		return C.nf_model_load_memory(rt, unsafe.Pointer(unsafe.SliceData(file)), C.size_t(len(file)), o, h, e)
	})
}

func newModel(rt *Runtime, options Options,
	create func(*C.nf_runtime, *C.nf_options, **C.nf_model, *C.nf_error) C.nf_status) (*Model, error) {
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
	f := takeFrame()
	defer f.putBack()
	m := &Model{rt: rt, keep: rt.keep}
	var h *C.nf_model // by itself: cgo looks at the whole object that a pointer is into
	if err := f.check(create(rt.h, o, &h, f.e())); err != nil {
		return nil, err
	}
	m.h = h
	var info C.nf_model_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	if err := f.check(C.nf_model_get_info(m.h, &info, f.e())); err != nil {
		C.nf_model_free(m.h)
		return nil, err
	}
	m.info = ModelInfo{Dtype: Dtype(info.dtype), EventSize: int(info.event_size), LatentSize: int(info.latent_size),
		CondSize: int(info.context_size), Params: int64(info.param_count), Exact: info.log_prob == C.NF_EXACT,
		HasLayers: info.has_layers != 0, layers: int(info.layer_count), tensors: int(info.tensor_count)}
	for i := 0; i < int(info.event_ndim); i++ {
		m.info.Event = append(m.info.Event, int(info.event[i]))
	}
	for i := 0; i < int(info.latent_ndim); i++ {
		m.info.Latent = append(m.info.Latent, int(info.latent[i]))
	}
	m.free = func() { C.nf_model_free(h) }
	m.pool.options, m.pool.max = Options{"session.threads": 1}, 4*runtime.GOMAXPROCS(0)
	runtime.SetFinalizer(m, (*Model).Close)
	return m, nil
}

// Close frees the model, and the sessions of its methods. Sessions and trainers of their own keep what they need.
func (m *Model) Close() error {
	if m != nil && m.h != nil {
		m.close()
		m.pool.drain()
	}
	return nil
}

// enter begins a call. Those that change the model are alone.
func (m *Model) enter(changes bool) (*frame, error) {
	if m == nil || m.h == nil {
		return nil, failure(ErrArgument, "the model is nil")
	}
	if !m.share() {
		return nil, closed("the model is closed")
	}
	if changes {
		m.mu.Lock()
	} else {
		m.mu.RLock()
	}
	return takeFrame(), nil
}

func (m *Model) exit(f *frame, changes bool) {
	if changes {
		m.mu.Unlock()
	} else {
		m.mu.RUnlock()
	}
	f.putBack()
	m.leave()
	m.keep.hosts().raise()
}

// Info returns what the model is.
func (m *Model) Info() ModelInfo {
	i := m.info
	i.Event, i.Latent = append([]int(nil), i.Event...), append([]int(nil), i.Latent...)
	return i
}

// Save writes the model to a file, which it replaces in one step.
func (m *Model) Save(path string) error {
	p, free, err := cString(path)
	if err != nil {
		return err
	}
	defer free()
	f, err := m.enter(false)
	if err != nil {
		return err
	}
	defer m.exit(f, false)
	return f.check(C.nf_model_save(m.h, p, f.e()))
}

// WriteTo writes the file of the model. Equal models give equal bytes.
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	f, err := m.enter(false)
	if err != nil {
		return 0, err
	}
	defer m.exit(f, false)
	to := &counter{w: w}
	err = writeTo(to.orNil(), func(call C.uintptr_t, e *C.nf_error) C.nf_status { return C.nfgo_model_save_stream(m.h, call, e) })
	return to.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) orNil() io.Writer {
	if c.w == nil {
		return nil
	}
	return c
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Spec returns the canonical spec, with every default written out.
func (m *Model) Spec() (string, error) {
	f, err := m.enter(false)
	if err != nil {
		return "", err
	}
	defer m.exit(f, false)
	return C.GoString(C.nf_model_spec(m.h)), nil
}

// Describe returns what the model is as JSON: kind, layers, scales.
func (m *Model) Describe() (json.RawMessage, error) {
	f, err := m.enter(false)
	if err != nil {
		return nil, err
	}
	defer m.exit(f, false)
	return written(func(call C.uintptr_t, e *C.nf_error) C.nf_status { return C.nfgo_model_describe(m.h, call, e) })
}

// Clone creates an independent copy, in the runtime rt, or where rt is nil in that of the model.
func (m *Model) Clone(rt *Runtime) (*Model, error) {
	f, err := m.enter(false)
	if err != nil {
		return nil, err
	}
	defer m.exit(f, false)
	if rt == nil {
		rt = m.rt
	}
	return newModel(rt, nil, func(r *C.nf_runtime, _ *C.nf_options, h **C.nf_model, e *C.nf_error) C.nf_status {
		return C.nf_model_clone(m.h, r, h, e)
	})
}

// CopyFrom copies parameters, buffers and notes of a model of the same spec. Sessions see them from their next call on.
func (m *Model) CopyFrom(from *Model) error {
	if m == from {
		return failure(ErrArgument, "a model cannot be copied to itself")
	}
	// Two models that copy from each other at once must take the locks in the same order.
	first, second := m, from
	if uintptr(unsafe.Pointer(m)) > uintptr(unsafe.Pointer(from)) {
		first, second = from, m
	}
	f, err := first.enter(first == m)
	if err != nil {
		return err
	}
	defer first.exit(f, first == m)
	g, err := second.enter(second == m)
	if err != nil {
		return err
	}
	defer second.exit(g, second == m)
	return f.check(C.nf_model_copy(m.h, from.h, f.e()))
}

// Generation counts the changes of the parameters. It is 0 after Close.
func (m *Model) Generation() uint64 {
	if m == nil || m.h == nil || !m.share() {
		return 0
	}
	defer m.leave()
	return uint64(C.nf_model_generation(m.h))
}

// Hash returns a hash of the bits of all tensors. It is 0 after Close.
func (m *Model) Hash() uint64 {
	f, err := m.enter(false)
	if err != nil {
		return 0
	}
	defer m.exit(f, false)
	return uint64(C.nf_model_hash(m.h))
}

// SetSelfTest makes files of the model hold some of its samples, for option "load.verify" to check on another machine.
func (m *Model) SetSelfTest(rows int) error {
	return m.change(func(f *frame) C.nf_status { return C.nf_model_set_self_test(m.h, C.int64_t(rows), f.e()) })
}

// InitFromData sets the layers that take their initial parameters from data.
func (m *Model) InitFromData(x, cond Array) error {
	return m.change(func(f *frame) C.nf_status {
		xv, cv := f.view(x), f.view(cond)
		if f.err != nil {
			return C.NF_OK
		}
		return C.nf_model_init_from_data(m.h, xv, cv, f.e())
	})
}

// change runs fn alone. An error of an argument counts before its status.
func (m *Model) change(fn func(f *frame) C.nf_status) error {
	f, err := m.enter(true)
	if err != nil {
		return err
	}
	defer m.exit(f, true)
	err = f.check(fn(f))
	if f.err != nil {
		return f.err
	}
	return err
}
