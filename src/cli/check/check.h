// The checks of `nf check`, for a model before it is relied on. Each tests one property and returns a verdict, a
// sentence and the numbers behind it. Errors of x are relative to the larger of |x| and the column's standard
// deviation, errors of z to the larger of |z| and 1; all other numbers are in nats.
#pragma once
#include <cstdint>
#include <nf/nf.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/cli/common/evaluate.h"

namespace cli {

enum class Verdict { none, ok, look, fail };

struct Finding {
  std::string name;
  Verdict verdict = Verdict::none;
  std::string message;
  nlohmann::ordered_json numbers;
};

// The model under test in its own dtype, and a float64 copy for finite differences, which float32 is too coarse for.
class CheckedModel {
 public:
  CheckedModel(const nf::Runtime& runtime, const nf::Model& model, Data data, int64_t rows, const Settings& settings);

  // Rows in double, whatever the dtype of the model.
  struct Mapped {
    std::vector<double> to, log_det;
  };
  Mapped map(nf::Direction direction, const std::vector<double>& from, const std::vector<double>& context,
             bool wide = false) const;
  // Latents of rows: the map of a flow, draws of an autoencoder's posterior.
  std::vector<double> latents() const;
  // What an autoencoder's encoder says of the rows: [rows, latent_size].
  struct Posterior {
    std::vector<double> mean, log_var;
  };
  Posterior posterior() const;
  // nf_posterior_importance of row r; none if no draw has a weight.
  std::optional<nf::ImportanceInfo> weigh_posterior(int64_t r, int64_t draws, uint64_t seed) const;
  std::vector<double> log_prob(const std::vector<double>& x, const std::vector<double>& context) const;
  struct Samples {
    std::vector<double> x, log_prob;
  };
  Samples sample(int64_t n, uint64_t seed) const;  // cycles through the contexts of the rows
  Samples sample_of(int64_t n, uint64_t seed, const std::vector<double>& context) const;  // of one context
  std::vector<double> base(int64_t n, uint64_t seed) const;  // draws of the base, with the same contexts

  std::vector<double> contexts(int64_t n, int64_t first = 0) const;  // for n rows from row `first` on; may be empty
  std::vector<double> one_context(int64_t row) const;                // for one row
  std::vector<double> row(int64_t r) const;
  std::vector<double> log_probs_of_data() const { return log_probs(session_, data_); }  // all rows
  std::vector<double> log_probs_of(Data& data) const { return log_probs(session_, data); }
  // log |det| of a square matrix, as a layer of the library computes it.
  double log_abs_det(const std::vector<double>& matrix) const;

  nf::ModelInfo info;
  std::vector<double> x;           // an evenly spaced subset: [rows, event_size]
  std::vector<double> c;           // their contexts, one shared context, or empty
  std::vector<std::string> names;  // of the columns; may be empty
  std::vector<double> spread;      // standard deviation of each column; 1 for a constant
  int64_t rows = 0;
  bool iterates = false;  // some layer inverts by iteration
  double epsilon() const { return info.dtype == NF_F64 ? 2.2e-16 : 1.2e-7; }

 private:
  nf::View context_view(const std::vector<double>& context) const;
  const nf::Runtime& runtime_;
  mutable Data data_;
  nf::Model wide_model_;
  mutable nf::Session session_, wide_;
  mutable std::optional<nf::Model> matrix_;  // a layer "linear" in float64, made when first needed
};

Finding check_data_rows(const CheckedModel& s);
Finding check_round_trip_x(const CheckedModel& s);
Finding check_round_trip_z(const CheckedModel& s, uint64_t seed);
Finding check_jacobian(const CheckedModel& s, uint64_t seed);
Finding check_float32(const CheckedModel& s);
Finding check_mass(const CheckedModel& s, uint64_t seed);
Finding check_stress(const CheckedModel& s);
Finding check_samples(const CheckedModel& s, uint64_t seed);
// Compares the log-likelihoods of the data with those of samples; `data` and `samples` are what check_data_rows and
// check_samples found.
Finding check_fit(const CheckedModel& s, const Finding& data, const Finding& samples, uint64_t seed);
// Compares the log-likelihoods of the data with those of the rows of `file`, which the model was trained on.
Finding check_training(const CheckedModel& s, const Finding& data, const Summary& training, const std::string& file);
Finding check_latents(const CheckedModel& s, uint64_t seed);
Finding check_columns(const CheckedModel& s, uint64_t seed);
Finding check_neighbors(const CheckedModel& s, uint64_t seed);
Finding check_copies(const CheckedModel& s, uint64_t seed);
Finding check_conditionals(const CheckedModel& s, uint64_t seed);
Finding check_sample_densities(const CheckedModel& s, uint64_t seed);
Finding check_single_rows(const CheckedModel& s);
// Of autoencoders: the bound beside log p(x), and latents that the decoder uses.
Finding check_evidence(const CheckedModel& s, uint64_t seed);
Finding check_active_units(const CheckedModel& s);
// Reports what nf fit-target noted in a model that it wrote. Rows cannot show a part of the target the model never
// reaches.
Finding check_target(const nlohmann::ordered_json& notes);
Finding measure_speed(const CheckedModel& s, uint64_t seed);

}  // namespace cli
