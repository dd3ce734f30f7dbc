package nf

// #include "nfgo.h"
import "C"

import "unsafe"

// LayerInfo is one layer of a model, after nesting and repeats are expanded, in forward order.
type LayerInfo struct {
	Type       string // "affine_coupling"
	Path       string // where the spec says so: "spec.layers[0].layers[1]"
	Name       string // what the names of its tensors start with: "layers.3"
	Where      string // for messages
	Inverted   bool
	Repetition int // which copy of the entry at Path
	Columns    int // it acts on the first Columns of a row
	Tensors    []int
}

// Layers lists the layers.
func (m *Model) Layers() ([]LayerInfo, error) {
	f, err := m.enter(false)
	if err != nil {
		return nil, err
	}
	defer m.exit(f, false)
	all := make([]LayerInfo, m.info.layers)
	for i := range all {
		var c C.nf_layer_info
		c.struct_size = C.uint32_t(unsafe.Sizeof(c))
		if err := f.check(C.nf_model_layer(m.h, C.int64_t(i), &c, f.e())); err != nil {
			return nil, err
		}
		all[i] = LayerInfo{Type: C.GoString(c._type), Path: C.GoString(c.path), Name: C.GoString(c.name), Where: C.GoString(c.where),
			Inverted: c.inverted != 0, Repetition: int(c.repetition), Columns: int(c.columns)}
		for t := 0; t < int(c.tensor_count); t++ {
			all[i].Tensors = append(all[i].Tensors, int(c.first_tensor)+t)
		}
	}
	return all, nil
}

// TensorInfo is one named tensor of a model.
type TensorInfo struct {
	Name      string // "layers.0.net.hidden.0.weight"
	Dtype     Dtype
	Shape     []int
	Trainable bool // false: a buffer
	Masked    bool // some entries are fixed at 0, see Model.Mask
}

// Tensors lists the tensors.
func (m *Model) Tensors() ([]TensorInfo, error) {
	f, err := m.enter(false)
	if err != nil {
		return nil, err
	}
	defer m.exit(f, false)
	all := make([]TensorInfo, m.info.tensors)
	for i := range all {
		var c C.nf_tensor_info
		c.struct_size = C.uint32_t(unsafe.Sizeof(c))
		if err := f.check(C.nf_model_tensor(m.h, C.int64_t(i), &c, f.e())); err != nil {
			return nil, err
		}
		all[i] = TensorInfo{Name: C.GoString(c.name), Dtype: Dtype(c.dtype), Trainable: c.trainable != 0, Masked: c.masked != 0}
		for k := 0; k < int(c.ndim); k++ {
			all[i].Shape = append(all[i].Shape, int(c.shape[k]))
		}
	}
	return all, nil
}

// Tensor copies a tensor to an array of its shape.
func (m *Model) Tensor(name string, to Array) error {
	n, free, err := cString(name)
	if err != nil {
		return err
	}
	defer free()
	return m.read(func(f *frame) C.nf_status {
		return f.with(to, func(v *C.nf_out) C.nf_status { return C.nf_model_get_tensor(m.h, n, v, f.e()) })
	})
}

// SetTensor copies an array of its shape to a tensor.
func (m *Model) SetTensor(name string, from Array) error {
	n, free, err := cString(name)
	if err != nil {
		return err
	}
	defer free()
	return m.change(func(f *frame) C.nf_status {
		v := f.view(from)
		if f.err != nil {
			return C.NF_OK
		}
		return C.nf_model_set_tensor(m.h, n, v, f.e())
	})
}

// Mask writes 1 where entries of a tensor are used, and 0 where they are fixed at 0, to an array of its shape.
func (m *Model) Mask(name string, to Array) error {
	n, free, err := cString(name)
	if err != nil {
		return err
	}
	defer free()
	return m.read(func(f *frame) C.nf_status {
		return f.with(to, func(v *C.nf_out) C.nf_status { return C.nf_model_get_mask(m.h, n, v, f.e()) })
	})
}

// read runs fn beside other readers. An error of an argument counts before its status.
func (m *Model) read(fn func(f *frame) C.nf_status) error {
	f, err := m.enter(false)
	if err != nil {
		return err
	}
	defer m.exit(f, false)
	err = f.check(fn(f))
	if f.err != nil {
		return f.err
	}
	return err
}

// with calls fn unless the array has an error.
func (f *frame) with(a Array, fn func(*C.nf_out) C.nf_status) C.nf_status {
	v := f.dst(a)
	if f.err != nil {
		return C.NF_OK
	}
	return fn(v)
}

// SetNote keeps a text in the file of the model.
func (m *Model) SetNote(key, value string) error {
	v, free, err := cString(value)
	if err != nil {
		return err
	}
	defer free()
	return m.setNote(key, v)
}

// RemoveNote removes a note.
func (m *Model) RemoveNote(key string) error { return m.setNote(key, nil) }

func (m *Model) setNote(key string, value *C.char) error {
	k, free, err := cString(key)
	if err != nil {
		return err
	}
	defer free()
	return m.change(func(f *frame) C.nf_status { return C.nf_model_set_note(m.h, k, value, f.e()) })
}

// Note returns a note, and whether there is one.
func (m *Model) Note(key string) (value string, ok bool) {
	k, free, err := cString(key)
	if err != nil {
		return "", false
	}
	defer free()
	err = m.read(func(f *frame) C.nf_status {
		if v := C.nf_model_note(m.h, k); v != nil {
			value, ok = C.GoString(v), true
		}
		return C.NF_OK
	})
	return value, ok && err == nil
}

// Notes returns all notes.
func (m *Model) Notes() (map[string]string, error) {
	all := map[string]string{}
	err := m.read(func(f *frame) C.nf_status {
		for i := C.int64_t(0); ; i++ {
			k := C.nf_model_note_key(m.h, i)
			if k == nil {
				return C.NF_OK
			}
			all[C.GoString(k)] = C.GoString(C.nf_model_note(m.h, k))
		}
	})
	return all, err
}

// SetScores keeps quantiles of the scores of rows, usually LogProb of all training rows, in the model and its file.
func (m *Model) SetScores(logProb Array) error {
	return m.change(func(f *frame) C.nf_status {
		v := f.view(logProb)
		if f.err != nil {
			return C.NF_OK
		}
		return C.nf_model_set_scores(m.h, v, f.e())
	})
}

// ScoreQuantile returns the score below which a fraction p of the rows of SetScores are.
func (m *Model) ScoreQuantile(p float64) (float64, error) {
	var score C.double
	err := m.read(func(f *frame) C.nf_status {
		return C.nf_model_score_quantile(m.h, C.double(p), &score, f.e())
	})
	return float64(score), err
}

// ScoreRank writes the fraction of the rows of SetScores with a lower score, for each of the scores.
func (m *Model) ScoreRank(logProb, rank Array) error {
	return m.read(func(f *frame) C.nf_status {
		v := f.view(logProb)
		return f.with(rank, func(to *C.nf_out) C.nf_status { return C.nf_model_score_rank(m.h, v, to, f.e()) })
	})
}
