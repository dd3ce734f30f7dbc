package nf

// #include "nfgo.h"
import "C"

// LogProbGrad writes the log density [n], its gradient dx, and dcond [n, columns of the context].
func (s *Session) LogProbGrad(x, cond, logProb, dx, dcond Array) error {
	var xv, cv *C.nf_view
	var lp, d, dc *C.nf_out
	return s.do(func(f *frame) { xv, cv, lp, d, dc = f.view(x), f.view(cond), f.dst(logProb), f.dst(dx), f.dst(dcond) },
		func(f *frame) C.nf_status { return C.nf_log_prob_grad(s.h, xv, cv, lp, d, dc, f.e()) })
}

// VJP pulls cotangents back through Forward (From = x) or Inverse (From = z).
type VJP struct {
	From, Cond       Array
	CotTo, CotLogDet Array // cotangents of To and of LogDet [n]; None stands for zeros
	To, LogDet       Array // results of the map
	DFrom, DCond     Array // cotangents of From and Cond, one row of Cond for each row of From
}

// VJP writes DFrom = J' CotTo + CotLogDet * grad LogDet, and DCond likewise.
func (s *Session) VJP(d Direction, v VJP) error {
	var from, cond, to, det *C.nf_view
	var oto, odet, dfrom, dcond *C.nf_out
	return s.do(func(f *frame) {
		from, cond, to, det = f.view(v.From), f.view(v.Cond), f.view(v.CotTo), f.view(v.CotLogDet)
		oto, odet, dfrom, dcond = f.dst(v.To), f.dst(v.LogDet), f.dst(v.DFrom), f.dst(v.DCond)
	}, func(f *frame) C.nf_status {
		return C.nf_vjp(s.h, C.nf_direction(d), from, cond, to, det, oto, odet, dfrom, dcond, f.e())
	})
}

// JVP pushes tangents forward through Forward (From = x) or Inverse (From = z).
type JVP struct {
	From, Cond       Array
	TanFrom, TanCond Array // None stands for zeros
	To, LogDet       Array // results of the map
	TanTo, TanLogDet Array // their tangents
}

// JVP writes TanTo = J TanFrom + J_cond TanCond, and TanLogDet [n].
func (s *Session) JVP(d Direction, v JVP) error {
	var from, cond, tan, tancond *C.nf_view
	var to, det, tanto, tandet *C.nf_out
	return s.do(func(f *frame) {
		from, cond, tan, tancond = f.view(v.From), f.view(v.Cond), f.view(v.TanFrom), f.view(v.TanCond)
		to, det, tanto, tandet = f.dst(v.To), f.dst(v.LogDet), f.dst(v.TanTo), f.dst(v.TanLogDet)
	}, func(f *frame) C.nf_status {
		return C.nf_jvp(s.h, C.nf_direction(d), from, cond, tan, tancond, to, det, tanto, tandet, f.e())
	})
}
