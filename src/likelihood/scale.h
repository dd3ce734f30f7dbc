// Location and scale of likelihoods of real numbers. The decoder gives the location first, then the log scale if it is
// the one to give it.
#pragma once
#include "runtime/op/ops.h"
#include "src/likelihood/likelihood.h"
#include "src/likelihood/scale_bounds.h"

namespace libnf {

struct LikelihoodScaleConfig : Config {
  enum class Source : uint8_t { fixed, learned, decoder };
  Source source = Source::learned;
  double scale = 1;
  ScaleBounds bounds;
  void fields(Fields& f) override {
    static constexpr const char* kSources[] = {"fixed", "learned", "decoder"};
    f.choice("scale_from",
             "where scales come from: fixed, one learned number per column, or one per column and row from the decoder",
             source, kSources);
    f.real("scale", "the fixed scale, or the initial one", scale, 1e-6, 1e6);
    f.relevant(source != Source::fixed, "\"scale_from\": \"fixed\"");
    bounds.fields(f);
    f.relevant(true);
  }
};

class LikelihoodScale {
 public:
  LikelihoodScale(const LikelihoodScaleConfig& c, const Declare& d)
      : columns_(d.columns()), source_(c.source), bounds_(c.bounds) {
    bounds_.check(d);
    if (!bounds_.holds(c.scale)) d.reject("scale", "the initial scale is not within \"scale_bounds\"");
    start_ = bounds_.start(c.scale);
    const Dims shape{columns_};
    if (source_ == Source::fixed)
      log_scale_ = d.buffer("log_scale", shape, Init::fill(start_));
    else if (source_ == Source::learned)
      log_scale_ = d.param("log_scale", shape, Init::fill(start_));
  }
  int64_t outputs() const { return source_ == Source::decoder ? 2 : 1; }
  Var location(const Scope& s, Var h) const { return slice_columns(s.tape, h, 0, columns_); }
  Var log_scale(const Scope& s, Var h) const {
    Var l = source_ == Source::decoder ? add_scalar(s.tape, slice_columns(s.tape, h, columns_, columns_), start_)
                                       : s.param(log_scale_);
    return bounds_(s.tape, l);
  }

 private:
  using Source = LikelihoodScaleConfig::Source;
  int64_t columns_;
  double start_;
  Source source_;
  ScaleBounds bounds_;
  ParamId log_scale_ = -1;
};

}  // namespace libnf
