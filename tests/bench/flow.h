// A model, its trainer and sessions through the C ABI, for benchmarks.
#pragma once
#include <nf/nf.h>

#include <cstdint>
#include <string>
#include <vector>

namespace libnf::bench {

class Flow {
 public:
  Flow(const std::string& spec, int threads);
  ~Flow();
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  int64_t event() const { return info_.event_size; }
  int64_t params() const { return info_.param_count; }
  void train_step(int64_t batch);
  void log_prob(int64_t rows);
  void sample(int64_t rows);

 private:
  void need_rows(int64_t rows);
  nf_options* options_ = nullptr;
  nf_runtime* runtime_ = nullptr;
  nf_model* model_ = nullptr;
  nf_session* session_ = nullptr;
  nf_trainer* trainer_ = nullptr;
  nf_model_info info_ = NF_MODEL_INFO_INIT;
  std::vector<float> x_, row_;
};

}  // namespace libnf::bench
