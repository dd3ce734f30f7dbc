// nf::Flow: a density that is fitted, scored, sampled, saved and loaded. Include <nf/nf.hpp>.
#ifndef NF_HPP_FLOW_HPP_
#define NF_HPP_FLOW_HPP_
#include <nf/hpp/trainer.hpp>

NF_HPP_BEGIN

// Rows are vectors of n * event_size numbers, or Views of any other shape that nf.h takes. Scoring and sampling are [shared]:
// several threads may do so at once. A program that does it many times keeps a Session(flow.model()).
class Flow {
 public:
  static Returned<Flow> create(std::string_view spec, uint64_t seed = 1) {
    nf_model *m = nullptr;
    const Error e =
        detail::invoke(nf_model_create, static_cast<nf_runtime *>(nullptr), spec.data(), spec.size(), seed, &m);
    return finish(e, m);
  }
  static Returned<Flow> load(const std::string &path) {
    nf_model *m = nullptr;
    const Error e = detail::invoke(nf_model_load, static_cast<nf_runtime *>(nullptr), path.c_str(),
                                   static_cast<const nf_options *>(nullptr), &m);
    return finish(e, m);
  }
#ifndef NF_NO_EXCEPTIONS
  // The parameters start from `seed`.
  explicit Flow(std::string_view spec, uint64_t seed = 1) : Flow(create(spec, seed)) {}
#endif
  explicit Flow(Model m) noexcept : model_(std::move(m)) {}
  Returned<void> save(const std::string &path) const { return model_.save(path); }

  // Trains on rows, of which it holds out a tenth, and keeps the best weights: nf::fit.
  Returned<FitInfo> fit(const Batch &data, const Options &options = {}, const OnFit &on_progress = {}) {
    return nf::fit(model_, shaped(data), options, on_progress);
  }
  template <class C, std::enable_if_t<detail::holds_numbers<const C &>, int> = 0>
  Returned<FitInfo> fit(const C &rows, const Options &options = {}, const OnFit &on_progress = {}) {
    return fit(Batch(View(rows)), options, on_progress);
  }
  // Log-density of every row, in nats.
  template <class T = float>
  Returned<std::vector<T>> log_prob(const View &rows, const View &ctx = {}) const {
    return score<T>(model_, shaped(rows), ctx);
  }
  // Samples 0 .. n - 1 of the stream `seed`: n * event_size numbers.
  template <class T = float>
  Returned<std::vector<T>> sample(int64_t n, uint64_t seed = 0, const View &ctx = {}) const {
    return draw<T>(model_, n, seed, ctx);
  }

  Model &model() noexcept { return model_; }
  const Model &model() const noexcept { return model_; }

 private:
  static Returned<Flow> finish(const Error &e, nf_model *m) { return detail::done(e, Flow(Model(m))); }
  View shaped(const View &rows) const {
    ModelInfo i = NF_MODEL_INFO_INIT;
    // An error shows in the call that follows.
    return detail::invoke(nf_model_get_info, model_.get(), &i) ? rows : rows.as_rows(i.event_size);
  }
  Batch shaped(Batch b) const {
    b.x = shaped(b.x);
    b.scores = shaped(b.scores);
    return b;
  }
  Model model_;
};

NF_HPP_END
#endif  // NF_HPP_FLOW_HPP_
