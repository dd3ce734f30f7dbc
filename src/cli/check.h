// The checks behind `nf check`: what to know about a model before it is relied on. Each looks at one promise and gives
// a verdict, a sentence and the numbers behind it. Errors of x are relative to the larger of |x| and the spread of the
// column, errors of z to the larger of |z| and 1; all other numbers are in nats.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/cli/evaluate.h"

namespace nf::cli {

enum class Verdict { ok, look, fail, none };

struct Finding {
  std::string name;
  Verdict verdict = Verdict::none;
  std::string says;
  nlohmann::ordered_json numbers;
};

// The model in its own dtype, and the same in float64 for derivatives by differences, which float32 has no digits for.
class Subject {
 public:
  Subject(nf_runtime* runtime, const nf_model* model, Data data, int64_t rows, const Settings& settings);

  // Rows of `count` numbers, in double whatever the dtype of the model.
  struct Mapped {
    std::vector<double> to, log_det;
  };
  Mapped map(bool inverse, const std::vector<double>& from, const std::vector<double>& context,
             bool wide = false) const;
  std::vector<double> log_prob(const std::vector<double>& x, const std::vector<double>& context) const;
  struct Samples {
    std::vector<double> x, log_prob;
  };
  Samples sample(int64_t n, uint64_t seed) const;  // with the contexts of the rows, over and over

  std::vector<double> contexts(int64_t n, int64_t first = 0) const;  // for n rows from number `first` on; "" without
  std::vector<double> one_context(int64_t row) const;                // of one row
  std::vector<double> row(int64_t r) const;
  nf_session* session() const { return session_.get(); }

  nf_model_info info;
  Data data;                   // all rows
  std::vector<double> x;       // some of them, evenly spread: [rows, event_size]
  std::vector<double> c;       // their contexts, or one for all, or none
  std::vector<double> spread;  // of each column; 1 for a constant
  int64_t rows = 0;
  bool iterates = false;  // some layer finds an inverse by iteration
  double epsilon() const { return info.dtype == NF_F64 ? 2.2e-16 : 1.2e-7; }

 private:
  Model wide_model_;
  Session session_, wide_;
};

Finding check_data_rows(const Subject& s);
Finding check_round_trip_x(const Subject& s);
Finding check_round_trip_z(const Subject& s, uint64_t seed);
Finding check_jacobian(const Subject& s, uint64_t seed);
Finding check_float32(const Subject& s);
Finding check_mass(const Subject& s, uint64_t seed);
Finding check_stress(const Subject& s);
Finding check_samples(const Subject& s, uint64_t seed);
// Of the findings of check_data_rows and check_samples: is the data as likely as what the model draws?
Finding check_fit(const Subject& s, const Finding& data, const Finding& samples);
Finding check_sample_densities(const Subject& s, uint64_t seed);
Finding check_single_rows(const Subject& s);
// Of a model that nf fit-target wrote: what that found about it. No rows of it can show what it never reaches.
Finding check_target(const nlohmann::ordered_json& notes);
Finding measure_speed(const Subject& s, uint64_t seed);

}  // namespace nf::cli
