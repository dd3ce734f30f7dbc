package nf

// #include "nfgo.h"
import "C"

import "unsafe"

// Encoded is where Encode writes the posterior of rows.
type Encoded struct {
	Mean, LogVar Array // [n, columns of z], of z_0 given x
	Z, LogQ      Array // a draw of the posterior and its log density [n]
}

// Encode maps rows to their posterior, of a variational autoencoder.
func (s *Session) Encode(x, cond Array, to Encoded) error {
	var xv, cv *C.nf_view
	var mean, logVar, z, logQ *C.nf_out
	return s.do(func(f *frame) {
		xv, cv = f.view(x), f.view(cond)
		mean, logVar, z, logQ = f.dst(to.Mean), f.dst(to.LogVar), f.dst(to.Z), f.dst(to.LogQ)
	}, func(f *frame) C.nf_status { return C.nf_encode(s.h, xv, cv, mean, logVar, z, logQ, f.e()) })
}

// Decode writes the mean of x given latents z, of a variational autoencoder.
func (s *Session) Decode(z, cond, x Array) error {
	var zv, cv *C.nf_view
	var out *C.nf_out
	return s.do(func(f *frame) { zv, cv, out = f.view(z), f.view(cond), f.dst(x) },
		func(f *frame) C.nf_status { return C.nf_decode(s.h, zv, cv, out, f.e()) })
}

// PosteriorTrace writes the draw of Encode on its way through the posterior's K layers: states [K + 1, n, columns of z] and
// logDet [K, n].
func (s *Session) PosteriorTrace(x, cond, states, logDet Array) error {
	var xv, cv *C.nf_view
	var out, det *C.nf_out
	return s.do(func(f *frame) { xv, cv, out, det = f.view(x), f.view(cond), f.dst(states), f.dst(logDet) },
		func(f *frame) C.nf_status { return C.nf_posterior_trace(s.h, xv, cv, out, det, f.e()) })
}

// PosteriorImportance draws n latents of one row x from the posterior of a variational autoencoder and weighs them: LogZ of
// the result estimates log p(x). z [n, columns of z] and logWeight [n] may be None.
func (s *Session) PosteriorImportance(x, cond Array, run ImportanceRun) (ImportanceInfo, error) {
	var xv, cv *C.nf_view
	var z, w *C.nf_out
	var info C.nf_importance_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	err := s.do(func(f *frame) { xv, cv, z, w = f.view(x), f.view(cond), f.dst(run.X), f.dst(run.LogWeight) },
		func(f *frame) C.nf_status {
			return C.nf_posterior_importance(s.h, xv, cv, C.uint64_t(run.Seed), C.uint64_t(run.First), C.int64_t(run.N), z, w,
				&info, f.e())
		})
	return importanceInfo(&info), err
}
