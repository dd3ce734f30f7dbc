package nf

// #include "nfgo.h"
import "C"

import (
	"context"
	"unsafe"
)

// ImportanceRun says which samples to weigh, and where they go.
type ImportanceRun struct {
	Seed, First uint64
	N           int
	Cond        Array // 1 row, or None (not of PosteriorImportance, which has an argument)
	X           Array // samples [n, columns], or None
	LogWeight   Array // log p - log q [n], or None
}

// ImportanceInfo is the summary of weights; nf_infer.h says what to trust.
type ImportanceInfo struct {
	Samples                         int64
	LogZ, LogZError                 float64 // log mean(w) and its standard error, w = p/q
	ESS, ESSFraction                float64 // effective sample size, and its share of samples
	ReverseKL, ReverseKLError       float64 // mean(log q - log p)
	LargestShare                    float64
	ParetoK, ParetoKLimit           float64
	SmoothedLogZ, SmoothedLogZError float64
	SmoothedESS                     float64
}

func importanceInfo(c *C.nf_importance_info) ImportanceInfo {
	return ImportanceInfo{Samples: int64(c.samples), LogZ: float64(c.log_z), LogZError: float64(c.log_z_error), ESS: float64(c.ess),
		ESSFraction: float64(c.ess_fraction), ReverseKL: float64(c.reverse_kl), ReverseKLError: float64(c.reverse_kl_error),
		LargestShare: float64(c.largest_share), ParetoK: float64(c.pareto_k), ParetoKLimit: float64(c.pareto_k_limit),
		SmoothedLogZ: float64(c.smoothed_log_z), SmoothedLogZError: float64(c.smoothed_log_z_error),
		SmoothedESS: float64(c.smoothed_ess)}
}

// Importance weighs samples of the model by the target. It ends early when ctx is done.
func (s *Session) Importance(ctx context.Context, t *Target, run ImportanceRun) (ImportanceInfo, error) {
	var info C.nf_importance_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	release, err := t.enter()
	if err != nil {
		return ImportanceInfo{}, err
	}
	defer release()
	f, err := s.enter()
	if err != nil {
		return ImportanceInfo{}, err
	}
	defer s.exit()
	cv, x, w := f.view(run.Cond), f.dst(run.X), f.dst(run.LogWeight)
	if f.err != nil {
		return ImportanceInfo{}, f.err
	}
	c := &call{}
	err = t.cancellable(ctx, f, func(target *C.nf_target) error {
		return withCall(c, func(h C.uintptr_t) error {
			return f.check(C.nfgo_importance(h, s.h, target, C.uint64_t(run.Seed), C.uint64_t(run.First), C.int64_t(run.N), cv, x, w,
				&info, f.e()))
		})
	})
	return importanceInfo(&info), c.outcome(err)
}

// ImportanceMean writes estimates of expectations under the target, mean [k], and their standard errors [k], from values
// [n, k] at samples with log weights [n].
func ImportanceMean(logWeight, values, mean, stdError Array) error {
	return alone(func(f *frame) func() C.nf_status {
		w, v, m, e := f.view(logWeight), f.view(values), f.dst(mean), f.dst(stdError)
		return func() C.nf_status { return C.nf_importance_mean(w, v, m, e, f.e()) }
	})
}

// ImportanceSmooth replaces the largest weights by quantiles of the distribution that was fitted to them, and returns its
// Pareto k. smoothed [n] may be None, and may be the same memory as logWeight.
func ImportanceSmooth(logWeight, smoothed Array) (paretoK float64, err error) {
	var k C.double
	err = alone(func(f *frame) func() C.nf_status {
		w, s := f.view(logWeight), f.dst(smoothed)
		return func() C.nf_status { return C.nf_importance_smooth(w, s, &k, f.e()) }
	})
	return float64(k), err
}

// CoverageInfo compares samples with rows of the target; nf_infer.h says when the samples miss a part of it.
type CoverageInfo struct {
	Samples, TargetSamples     int64
	LogZ, LogZError, Deviation float64
	ForwardKL, ForwardKLError  float64
	Outside, OutsideP          float64
}

// ImportanceCoverage compares log weights of samples with those at rows of the target.
func ImportanceCoverage(logWeight, targetLogWeight Array) (CoverageInfo, error) {
	var c C.nf_coverage_info
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	err := alone(func(f *frame) func() C.nf_status {
		w, t := f.view(logWeight), f.view(targetLogWeight)
		return func() C.nf_status { return C.nf_importance_coverage(w, t, &c, f.e()) }
	})
	return CoverageInfo{Samples: int64(c.samples), TargetSamples: int64(c.target_samples), LogZ: float64(c.log_z),
		LogZError: float64(c.log_z_error), Deviation: float64(c.deviation), ForwardKL: float64(c.forward_kl),
		ForwardKLError: float64(c.forward_kl_error), Outside: float64(c.outside), OutsideP: float64(c.outside_p)}, err
}

// ScoreInfo is the mean of scores.
type ScoreInfo struct {
	Rows                    int64   // of weight above 0
	Outside, FirstOutside   int64   // rows of density 0, and the first of them or -1
	Mean, Error             float64 // -Inf and 0 with a row outside
	InsideMean, InsideError float64 // of the rows that have a density
}

// ScoreMean returns the mean of log densities [n], with weights [n] or None.
func ScoreMean(logProb, weight Array) (ScoreInfo, error) {
	var c C.nf_score_info
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	err := alone(func(f *frame) func() C.nf_status {
		p, w := f.view(logProb), f.view(weight)
		return func() C.nf_status { return C.nf_score_mean(p, w, &c, f.e()) }
	})
	return ScoreInfo{Rows: int64(c.rows), Outside: int64(c.outside), FirstOutside: int64(c.first_outside), Mean: float64(c.mean),
		Error: float64(c.error), InsideMean: float64(c.inside_mean), InsideError: float64(c.inside_error)}, err
}

// alone runs a call that has no handle.
func alone(prepare func(f *frame) func() C.nf_status) error {
	f := takeFrame()
	defer f.putBack()
	fn := prepare(f)
	if f.err != nil {
		return f.err
	}
	return f.check(fn())
}

// Chains says which Markov chains to run, and where they go.
type Chains struct {
	Proposal *Session // proposals are samples of its model; nil: random walks
	Options  Options  // of scope "metropolis"
	Start    Array    // [chains, columns], or None
	Cond     Array    // of the proposal, 1 row or None
	Out      Array    // [draws, chains, columns]
}

// MetropolisInfo is the summary of Markov chains.
type MetropolisInfo struct {
	Steps      uint64  // of each chain
	Acceptance float64 // share of the proposals accepted after burn-in
}

// Metropolis runs Markov chains whose stationary density is the target. It ends early when ctx is done.
func Metropolis(ctx context.Context, t *Target, run Chains) (MetropolisInfo, error) {
	var info C.nf_metropolis_info
	info.struct_size = C.uint32_t(unsafe.Sizeof(info))
	release, err := t.enter()
	if err != nil {
		return MetropolisInfo{}, err
	}
	defer release()
	o, err := run.Options.create()
	if err != nil {
		return MetropolisInfo{}, err
	}
	defer C.nf_options_free(o)
	var proposal *C.nf_session
	if run.Proposal != nil {
		if _, err := run.Proposal.enter(); err != nil {
			return MetropolisInfo{}, err
		}
		defer run.Proposal.exit()
		proposal = run.Proposal.h
	}
	f := takeFrame()
	defer f.putBack()
	start, cond, out := f.view(run.Start), f.view(run.Cond), f.dst(run.Out)
	if f.err != nil {
		return MetropolisInfo{}, f.err
	}
	c := &call{}
	err = t.cancellable(ctx, f, func(target *C.nf_target) error {
		return withCall(c, func(h C.uintptr_t) error {
			return f.check(C.nfgo_metropolis(h, nil, target, proposal, o, start, cond, out, &info, f.e()))
		})
	})
	return MetropolisInfo{Steps: uint64(info.steps), Acceptance: float64(info.acceptance)}, c.outcome(err)
}
