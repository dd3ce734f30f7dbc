// Mixture of flows with equal weights. Each of K members is a chain of layers onto a base, with parameters of its own:
//   log p(z) = logsumexp_k log p_k(z) - log K,   log p_k(z) = log b_k(f_k(z)) + log |det df_k/dz|.
// Members differ by their initial values, and by their orders of columns and masks where those are random.
//
// Training by the likelihood of data maximizes, with `fit` = "each", the mean over members of log p_k, which is a lower
// bound of log p. Every member then fits all rows as if it were alone, and the mixture averages what chance made of
// the fits (Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep
// ensembles"). With `fit` = "together" it maximizes log p itself, and members take different parts of the data.
// Everywhere else the density is p.
//
// A sample is that of a member chosen by the row's number, whatever the parameters, so its gradient is that of the member's.
#include <algorithm>
#include <cmath>

#include "runtime/kernel/columns.h"
#include "runtime/kernel/random.h"
#include "runtime/op/ops.h"
#include "src/base/base.h"
#include "src/flow/chain.h"
#include "src/flow/per_pixel.h"
#include "src/part/part_config.h"

namespace libnf {
namespace {

enum class Fit : uint8_t { each, together };

struct Step {
  std::unique_ptr<Layer> layer;
  bool inverted;
};

// A flow of its own.
struct Member {
  std::vector<Step> steps;  // from z to the base
  std::unique_ptr<Base> base;

  Var log_prob(const Scope& s, Var z, Var context) const {
    Var log_det = nullptr;
    for (const Step& step : steps) {
      const Mapped m = step.inverted ? step.layer->inverse(s, z, context) : step.layer->forward(s, z, context);
      z = m.y;
      if (m.log_det) log_det = log_det ? add(s.tape, log_det, m.log_det) : m.log_det;
    }
    Var lp = base->log_prob(s, z, context);
    return log_det ? add(s.tape, lp, log_det) : lp;
  }
  Var sample(const Scope& s, int64_t rows, Var context) const {
    Var z = base->sample(s, rows, context);
    for (auto step = steps.rbegin(); step != steps.rend(); ++step)
      z = (step->inverted ? step->layer->forward(s, z, context) : step->layer->inverse(s, z, context)).y;
    return z;
  }
};

// Expands nesting, repeats and inversion.
class ExpandMember {
 public:
  ExpandMember(const Declare& d, int64_t number, uint64_t ordinal, Member& member)
      : d_(d), number_(number), ordinal_(ordinal), member_(member) {}

  void all(const std::vector<LayerSpec>& layers, const std::string& path, bool inverted) {
    for (size_t i = 0; i < layers.size(); ++i) {
      const size_t at = inverted ? layers.size() - 1 - i : i;
      const LayerSpec& s = layers[at];
      const std::string where = path + "layers[" + std::to_string(at) + "]";
      for (int64_t r = 0; r < s.repeat; ++r)
        s.kind ? add(s, where, inverted ^ s.invert) : all(s.layers, where + ".", inverted ^ s.invert);
    }
  }

 private:
  void add(const LayerSpec& s, const std::string& path, bool inverted) {
    const size_t i = member_.steps.size();
    const Declare d =
        d_.entry(std::to_string(number_) + ".layers." + std::to_string(i), path, ordinal_ + static_cast<uint64_t>(i));
    const std::string name = s.kind->name;
    if (s.kind->inner || s.kind->other_side)
      d.reject("type", ("\"" + name + "\" is for the layers of the model: those of a mixture keep the event").c_str());
    auto layer = acts_per_pixel(s, d.event) ? per_pixel(*s.kind, *s.config, d) : s.kind->build(*s.config, d);
    if (layer->started() >= 0 || layer->couples_rows() || !layer->exact())
      d.reject("type",
               ("\"" + name +
                "\" is for the layers of the model: those of a mixture have neither constants nor statistics of "
                "the data, and a density of their own")
                   .c_str());
    member_.steps.push_back({std::move(layer), inverted});
  }

  const Declare& d_;
  int64_t number_;
  uint64_t ordinal_;
  Member& member_;
};

class FlowMixture final : public Base {
 public:
  struct Config final : libnf::Config {
    int64_t members = 4;
    Fit fit = Fit::together;
    OneOf<BaseKind> base{"normal"};
    std::vector<LayerSpec> layers;
    void fields(Fields& f) override {
      static constexpr const char* kFits[] = {"each", "together"};
      f.integer("members", "number of flows in the mixture", members, 1, 1000);
      f.choice("fit",
               "what the likelihood of data fits: each member by itself, or the mixture together, whose members take "
               "different parts of the data",
               fit, kFits);
      f.one_of("base", "distribution of a member's latents", base);
      f.chain("layers", "the chain of a member", layers);
    }
  };

  FlowMixture(const Config& c, const Declare& d) : event_(d.columns()), fit_(c.fit) {
    const int64_t layers = expanded_size(c.layers, "layers").layers, each = layers + 1, all = c.members * each;
    if (all > kMaxLayers)
      d.reject("members", (std::to_string(c.members) + " members of " + std::to_string(layers) +
                           " layers are more than " + std::to_string(kMaxLayers) + " layers and bases")
                              .c_str());
    const int64_t entries = expanded_entries(c);
    if (entries > kMaxEntries)
      d.reject("members", ("the mixtures inside and the chains make more than " + std::to_string(kMaxEntries) +
                           " layers, chains and bases")
                              .c_str());
    if (entries > kMaxColumns / event_)
      d.reject("members", (std::to_string(entries) + " layers and bases of " + std::to_string(event_) +
                           " columns are above the limit of " + std::to_string(kMaxColumns) + " columns in all")
                              .c_str());
    for (int64_t k = 0; k < c.members; ++k) {
      const uint64_t ordinal = d.ordinal + kOrdinals + static_cast<uint64_t>(k * each);
      Member& m = members_.emplace_back();
      ExpandMember(d, k, ordinal, m).all(c.layers, "", false);
      m.base = c.base.build(d.entry(std::to_string(k) + ".base", "base", ordinal + static_cast<uint64_t>(layers)));
    }
  }

  Var log_prob(const Scope& s, Var z, Var context) const override {
    Tape& t = s.tape;
    Var all = columns(t, z->out.shape[0], 1, [&](const Member& m) {
      return reshape(t, m.log_prob(s, z, context), {z->out.shape[0], 1});
    });
    return add_scalar(t, logsumexp(t, all), -std::log(static_cast<double>(members_.size())));
  }

  Var fitted_log_prob(const Scope& s, Var z, Var context) const override {
    if (fit_ == Fit::together) return log_prob(s, z, context);
    Var sum = nullptr;
    for (const Member& m : members_) {
      Var lp = m.log_prob(s, z, context);
      sum = sum ? add(s.tape, sum, lp) : lp;
    }
    return scale(s.tape, sum, 1 / static_cast<double>(members_.size()));
  }

  // All members draw all rows, so that a row's numbers depend on its own number alone.
  Var sample(const Scope& s, int64_t rows, Var context) const override {
    Tape& t = s.tape;
    const kernel::RandomKey key{t.random.seed, t.random.stream++};
    Var all = columns(t, rows, event_, [&](const Member& m) { return m.sample(s, rows, context); });
    int32_t* index = t.scratch<int32_t>(checked_mul(rows, event_));
    choose(t, key, rows, index);
    return gather_last(t, all, index, event_);
  }

  std::string context_error(Var context) const override { return members_[0].base->context_error(context); }

 private:
  static constexpr int64_t kMaxColumns = int64_t{1} << 27;
  static constexpr uint64_t kOrdinals = 8;  // after those of the model's layers, base and context

  // Returns the results [rows, width] of all members side by side. Without a gradient they share memory for the rest.
  template <class F>
  Var columns(Tape& t, int64_t rows, int64_t width, const F& f) const {
    Var all = nullptr;
    if (t.recording) {
      for (const Member& m : members_) all = all ? concat_columns(t, all, f(m)) : f(m);
      return all;
    }
    const auto count = static_cast<int64_t>(members_.size());
    all = t.empty({rows, checked_mul(count, width)});
    for (int64_t k = 0; k < count; ++k) {
      const TapeScope scope(t);
      Var one = conform(t, f(members_[static_cast<size_t>(k)]), Layout::rows);
      with_dtype(t.dtype(), [&]<class T>() {
        kernel::copy_rows<T>(matrix_of<T>(one->out), matrix_of<T>(all->out).columns_from(k * width, width));
      });
    }
    return all;
  }

  void choose(Tape& t, kernel::RandomKey key, int64_t rows, int32_t* index) const {
    const ScratchScope scope(t);
    double* u = t.scratch<double>(rows);
    kernel::uniform01<double>(key, t.random.first_row, rows, 1, u, 1);
    const auto count = static_cast<double>(members_.size());
    for (int64_t r = 0; r < rows; ++r) {
      const auto k = static_cast<int64_t>(std::min(u[r] * count, count - 1));
      for (int64_t j = 0; j < event_; ++j) *index++ = static_cast<int32_t>(k * event_ + j);
    }
  }

  // Layers, chains and bases of all members, with the mixtures that are their bases; at most kMaxEntries + 1.
  static int64_t expanded_entries(const Config& c) {
    const auto* inside = dynamic_cast<const Config*>(&c.base.config());
    const int64_t each = expanded_size(c.layers, "layers").entries + (inside ? expanded_entries(*inside) : 1);
    return std::min(kMaxEntries + 1, c.members * each);
  }

  int64_t event_;
  Fit fit_;
  std::vector<Member> members_;
};

}  // namespace

NF_PART(Base, flow_mixture, FlowMixture, "mixture of flows with equal weights, each a chain of layers onto a base",
        "Lakshminarayanan et al. 2017, Simple and scalable predictive uncertainty estimation using deep ensembles");

}  // namespace libnf
