package nf

// #include "nfgo.h"
import "C"

import (
	"encoding/json"
	"io"
	"runtime"
	"unsafe"
)

// Table is rows of numbers read from a file. Its methods may be called from any number of goroutines.
type Table struct {
	state
	h    *C.nf_table
	keep *keeper
}

// OpenTable reads .npy, .npz, IDX or text with one row per line, also compressed. Options are of scope "table".
func OpenTable(rt *Runtime, path string, options Options) (*Table, error) {
	p, free, err := cString(path)
	if err != nil {
		return nil, err
	}
	defer free()
	return newTable(rt, options, func(rt *C.nf_runtime, o *C.nf_options, h **C.nf_table, e *C.nf_error) C.nf_status {
		return C.nf_table_open(rt, p, o, h, e)
	})
}

// ParseTable reads the content of such a file. name is what messages call it.
func ParseTable(rt *Runtime, file []byte, name string, options Options) (*Table, error) {
	n, free, err := cString(name)
	if err != nil {
		return nil, err
	}
	defer free()
	return newTable(rt, options, func(rt *C.nf_runtime, o *C.nf_options, h **C.nf_table, e *C.nf_error) C.nf_status {
		return C.nf_table_parse(rt, unsafe.Pointer(unsafe.SliceData(file)), C.size_t(len(file)), n, o, h, e)
	})
}

// ReadTable reads the content of such a file until the end of r.
func ReadTable(rt *Runtime, r io.Reader, name string, options Options) (*Table, error) {
	if r == nil {
		return nil, failure(ErrArgument, "the reader is nil")
	}
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return ParseTable(rt, file, name, options)
}

func newTable(rt *Runtime, options Options,
	create func(*C.nf_runtime, *C.nf_options, **C.nf_table, *C.nf_error) C.nf_status) (*Table, error) {
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
	t := &Table{keep: rt.keep}
	var h *C.nf_table // by itself: cgo looks at the whole object that a pointer is into
	if err := f.check(create(rt.h, o, &h, f.e())); err != nil {
		return nil, err
	}
	t.h = h
	t.free = func() { C.nf_table_free(h) }
	runtime.SetFinalizer(t, (*Table).Close)
	return t, nil
}

// DescribeTable says what a file holds, as JSON, without reading its numbers.
func DescribeTable(rt *Runtime, path string, options Options) (json.RawMessage, error) {
	return describeTable(rt, path, nil, options)
}

// DescribeTableBytes says what the content of a file holds. name is what messages call it.
func DescribeTableBytes(rt *Runtime, file []byte, name string, options Options) (json.RawMessage, error) {
	if len(file) == 0 {
		file = []byte("\n")
	}
	return describeTable(rt, name, file, options)
}

func describeTable(rt *Runtime, path string, file []byte, options Options) (json.RawMessage, error) {
	p, free, err := cString(path)
	if err != nil {
		return nil, err
	}
	defer free()
	rt, err = rt.or()
	if err != nil {
		return nil, err
	}
	defer rt.exit()
	o, err := options.create()
	if err != nil {
		return nil, err
	}
	defer C.nf_options_free(o)
	var pin runtime.Pinner
	defer pin.Unpin()
	data := unsafe.Pointer(unsafe.SliceData(file))
	if data != nil {
		pin.Pin(data)
	}
	return written(func(call C.uintptr_t, e *C.nf_error) C.nf_status {
		return C.nfgo_table_describe(rt.h, p, data, C.size_t(len(file)), o, call, e)
	})
}

// Close frees the table, after the calls that read it.
func (t *Table) Close() error {
	if t != nil && t.h != nil {
		t.close()
	}
	return nil
}

func (t *Table) hold() error {
	if t == nil || t.h == nil {
		return failure(ErrArgument, "the table is nil")
	}
	if !t.share() {
		return closed("the table is closed")
	}
	return nil
}

func (t *Table) release() { t.leave() }

// View returns the whole table, [rows, columns], without a copy. It must not be used after Close, which the calls that get
// it check.
func (t *Table) View() (Array, error) {
	if err := t.hold(); err != nil {
		return None, err
	}
	defer t.release()
	f := takeFrame()
	defer f.putBack()
	v := &f.c.in[0]
	if err := f.check(C.nf_table_view(t.h, v, f.e())); err != nil {
		return None, err
	}
	return fromC(v, t), nil
}

// Columns returns the names of the columns; they are "" if the file has none.
func (t *Table) Columns() ([]string, error) {
	if err := t.hold(); err != nil {
		return nil, err
	}
	defer t.release()
	var all []string
	for i := C.int64_t(0); ; i++ {
		name := C.nf_table_column(t.h, i)
		if name == nil {
			return all, nil
		}
		all = append(all, C.GoString(name))
	}
}

// Shape returns the extents of the array in the file.
func (t *Table) Shape() ([]int, error) {
	if err := t.hold(); err != nil {
		return nil, err
	}
	defer t.release()
	var c [MaxRank]C.int64_t
	shape := make([]int, int(C.nf_table_shape(t.h, &c[0])))
	for i := range shape {
		shape[i] = int(c[i])
	}
	return shape, nil
}

// Row returns which row of the file a row of the table is, from 0; -1 when out of range.
func (t *Table) Row(i int) int64 {
	return t.number(-1, func() C.int64_t { return C.nf_table_row(t.h, C.int64_t(i)) })
}

// Line returns the line of a text file where a row starts, from 1; 0 for other files, or when out of range.
func (t *Table) Line(i int) int64 {
	return t.number(0, func() C.int64_t { return C.nf_table_line(t.h, C.int64_t(i)) })
}

func (t *Table) number(closed int64, fn func() C.int64_t) int64 {
	if t.hold() != nil {
		return closed
	}
	defer t.release()
	return int64(fn())
}

// RowID returns the text in column "table.id" of a row, and whether there is one.
func (t *Table) RowID(i int) (string, bool) {
	if t.hold() != nil {
		return "", false
	}
	defer t.release()
	id := C.nf_table_row_id(t.h, C.int64_t(i))
	return C.GoString(id), id != nil
}

// Mapped reports whether the rows of the file are used in place.
func (t *Table) Mapped() bool {
	if t.hold() != nil {
		return false
	}
	defer t.release()
	return C.nf_table_is_mapped(t.h) != 0
}

// SaveTable writes an array as .npy, or as .csv with names of the columns or nil.
func SaveTable(x Array, path string, columns []string) error {
	p, free, err := cString(path)
	if err != nil {
		return err
	}
	defer free()
	var names **C.char
	if columns != nil {
		list := C.malloc(C.size_t(len(columns)+1) * C.size_t(unsafe.Sizeof(names)))
		defer C.free(list)
		all := unsafe.Slice((**C.char)(list), len(columns)+1)
		all[len(columns)] = nil
		for i, s := range columns {
			c, free, err := cString(s)
			if err != nil {
				return err
			}
			defer free()
			all[i] = c
		}
		// The library reads one name for each column.
		if x.rank == 2 && x.shape[1] != len(columns) || x.rank == 1 && len(columns) != 1 {
			return failure(ErrShape, "%d names for an array of shape %v", len(columns), x.Shape())
		}
		names = (**C.char)(list)
	}
	return alone(func(f *frame) func() C.nf_status {
		v := f.view(x)
		return func() C.nf_status { return C.nf_table_save(v, p, names, f.e()) }
	})
}
