package nf

// #include "nfgo.h"
import "C"

import (
	"bytes"
	"encoding/json"
	"reflect"
	"sort"
	"strconv"
	"unsafe"
)

// Options are settings by their full names: {"trainer.lr": 1e-3, "fit.epochs": 20}. Values are integers, floats, booleans,
// strings, or [Parsed] text. DescribeOptions lists them; a call refuses options of scopes that it does not read.
type Options map[string]any

// Parsed is the text of a value of any type, as it stands on a command line or in a configuration file.
type Parsed string

// DescribeOptions lists every option as a JSON array of {"name", "scope", "type", "default", "doc", ...}.
func DescribeOptions() json.RawMessage { return json.RawMessage(C.GoString(C.nf_options_describe())) }

// DescribeParts lists the layers, nets, bases and other parts of a spec, with their fields.
func DescribeParts() json.RawMessage { return json.RawMessage(C.GoString(C.nf_parts_describe())) }

// JSON returns the options as the library reads them, in the order of their keys.
func (o Options) JSON() (json.RawMessage, error) {
	h, err := o.create()
	if err != nil {
		return nil, err
	}
	if h == nil {
		return json.RawMessage("{}"), nil
	}
	defer C.nf_options_free(h)
	return written(func(call C.uintptr_t, e *C.nf_error) C.nf_status { return C.nfgo_options_json(h, call, e) })
}

// create returns nil for no options.
func (o Options) create() (*C.nf_options, error) {
	if len(o) == 0 {
		return nil, nil
	}
	f := takeFrame()
	defer f.putBack()
	var h *C.nf_options
	if err := f.check(C.nf_options_create(&h, f.e())); err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if err := f.setOption(h, k, o[k]); err != nil {
			C.nf_options_free(h)
			return nil, err
		}
	}
	return h, nil
}

func (f *frame) setOption(h *C.nf_options, key string, value any) error {
	k, free, err := cString(key)
	if err != nil {
		return err
	}
	defer free()
	text := func(s string, set func(*C.char) C.nf_status) error {
		v, free, err := cString(s)
		if err != nil {
			return err
		}
		defer free()
		return f.check(set(v))
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return f.check(C.nf_options_set_i64(h, k, C.int64_t(v.Int()), f.e()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > 1<<63-1 {
			return failure(ErrSpec, "option %q is %d, above 2^63 - 1", key, v.Uint())
		}
		return f.check(C.nf_options_set_i64(h, k, C.int64_t(v.Uint()), f.e()))
	case reflect.Float32, reflect.Float64:
		return f.check(C.nf_options_set_f64(h, k, C.double(v.Float()), f.e()))
	case reflect.Bool:
		return text(strconv.FormatBool(v.Bool()), func(c *C.char) C.nf_status { return C.nf_options_set(h, k, c, f.e()) })
	case reflect.String:
		return text(v.String(), func(c *C.char) C.nf_status {
			if _, parsed := value.(Parsed); parsed {
				return C.nf_options_set(h, k, c, f.e())
			}
			return C.nf_options_set_str(h, k, c, f.e())
		})
	}
	return failure(ErrSpec, "option %q has a value of type %T: expected an integer, a float, a boolean or text", key, value)
}

// cString copies text to C memory. Text with a NUL would be cut there.
func cString(s string) (c *C.char, free func(), err error) {
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			return nil, nil, failure(ErrArgument, "%s has a NUL byte", strconv.Quote(s))
		}
	}
	c = C.CString(s)
	return c, func() { C.free(unsafe.Pointer(c)) }, nil
}

// written collects the text that a call writes.
func written(fn func(call C.uintptr_t, e *C.nf_error) C.nf_status) ([]byte, error) {
	var b bytes.Buffer
	err := writeTo(&b, fn)
	return b.Bytes(), err
}

func writeTo(w interface{ Write([]byte) (int, error) }, fn func(call C.uintptr_t, e *C.nf_error) C.nf_status) error {
	if w == nil {
		return failure(ErrArgument, "the writer is nil")
	}
	f := takeFrame()
	defer f.putBack()
	c := &call{write: w}
	return c.outcome(withCall(c, func(h C.uintptr_t) error { return f.check(fn(h, f.e())) }))
}
