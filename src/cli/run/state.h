// State of a training run besides parameters and optimizer. It is saved in the checkpoint as the note "run", so that a
// resumed run continues as if it had never stopped.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nf/nf.hpp>
#include <string>
#include <vector>

namespace cli {

// One validation. Log-likelihoods are means in nats per row; `train` covers the batches since the previous point (-loss
// for nf fit-target). `valid` is NaN without validation rows, and -infinity if a row has no density; `rest` is the mean of
// the other rows.
struct CurvePoint {
  uint64_t step = 0;
  double train = 0, valid = 0, lr = 0, seconds = 0;
  double rest = std::numeric_limits<double>::quiet_NaN();
  int64_t bad_rows = 0;  // validation rows without a density
};

struct RunState {
  std::string command = "train";  // nf train or nf fit-target
  // Values by flag that must not change between parts of a run; checked on --resume.
  std::map<std::string, std::string> fixed;
  std::map<std::string, std::string> options;  // library options by key; reused unless given again on --resume
  uint64_t step = 0, planned = 0;              // steps done, steps in total
  double loss_sum = 0;                         // of the batches since the last point
  uint64_t loss_count = 0;
  double best = -std::numeric_limits<double>::infinity();       // validation log-likelihood
  double best_rest = std::numeric_limits<double>::quiet_NaN();  // of the validation rows that have a density
  int64_t best_bad = 0;                                         // number of the others
  uint64_t best_step = 0;
  uint64_t stale = 0;  // validations since the best
  double seconds = 0;  // of all parts
  std::vector<CurvePoint> curve;
};

void write_state(nf::Model& model, const RunState& state);
// Failure if the model is not the checkpoint of a run. Version 0.1 wrote options without their scope.
RunState read_state(const nf::Model& model, const std::string& path);

// Curves of nf train and nf fit-target as CSV; `anneal` is the annealing factor at each point.
inline constexpr char kTrainCurve[] = "step,train_log_likelihood,valid_log_likelihood,lr,seconds";
inline constexpr char kFitCurve[] = "step,loss,anneal,lr,seconds";
void write_train_curve(const std::vector<CurvePoint>& curve, const std::string& path);
void write_fit_curve(const std::vector<CurvePoint>& curve, const std::function<double(const CurvePoint&)>& anneal,
                     const std::string& path);

}  // namespace cli
