// Models from a fuzzer's bytes.
#pragma once
#include <nf/nf.hpp>
#include <optional>
#include <string>

#include "fuzz/bytes.h"

namespace fuzz {

// One runtime of all targets: one thread, and at most 256 MB, so that what is too large is refused at once.
const nf::Runtime& runtime();

// Specs; "" where the bytes make none that is valid. A spec that is refused must be refused as a spec or for its size.
std::string layer_spec(Bytes& b, std::string_view word = {});  // of one layer, whose name has `word` in it
std::string flow_spec(Bytes& b);                               // of a chain, any base, images and contexts
std::string vae_spec(Bytes& b);

// A model of the spec with parameters from the bytes: each tensor as it is initialized, or normal numbers of some size, or
// numbers of any kind. None if the spec needs more memory than there is.
// raw: numbers of any kind for all tensors.
std::optional<nf::Model> model_of(const std::string& spec, Bytes& b, bool raw = false);

// Two rows at a time, so that making it is quick and three rows are two blocks.
inline nf::Session session_of(const nf::Model& m) { return nf::Session(m, {{"session.block_rows", 2}}); }

// Rows for the model, mostly of ordinary size.
struct Rows {
  std::vector<double> x, context;
  int64_t n;
  nf::View x_view(int64_t event) const { return nf::View(x.data(), n, event); }
  nf::View context_view(int64_t columns) const { return columns ? nf::View(context.data(), n, columns) : nf::View(); }
};
Rows rows_of(const nf::ModelInfo& info, int64_t n, Bytes& b);

// Calls f and returns its status. A message must come with an error, and none of these is one of a caller's mistakes.
template <class F>
nf_status status_of(F&& f) {
  try {
    f();
    return NF_OK;
  } catch (const nf::Exception& e) {
    require(e.what()[0] != 0);
    require(e.status() != NF_ERR_INTERNAL && e.status() != NF_ERR_ARGUMENT && e.status() != NF_ERR_SHAPE);
    return e.status();
  }
}

// The same where a refused argument is no finding, such as an option that does not exist.
template <class F>
nf_status status_of_any(F&& f) {
  try {
    f();
    return NF_OK;
  } catch (const nf::Exception& e) {
    require(e.what()[0] != 0 && e.status() != NF_ERR_INTERNAL);
    return e.status();
  }
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b);  // two NaNs are equal

}  // namespace fuzz
