// The model under test; see check.h.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/cli/check.h"

namespace nf::cli {
namespace {
// Copies the model to float64, which represents float32 numbers exactly.
Model widened(nf_runtime* runtime, const nf_model* model) {
  auto spec = nlohmann::ordered_json::parse(nf_model_spec(model));
  spec["dtype"] = "float64";
  const std::string text = spec.dump();
  Model wide = make<Model>(nf_model_create, runtime, text.c_str(), text.size(), uint64_t{0});
  for (int64_t i = 0, n = info_of(model).tensor_count; i < n; ++i) {
    nf_tensor_info t = NF_TENSOR_INFO_INIT;
    call(nf_model_tensor, model, i, &t);
    nf_view v = NF_VIEW_INIT;
    v.dtype = NF_F64;
    v.ndim = t.ndim;
    size_t count = 1;
    for (int32_t d = 0; d < t.ndim; ++d) count *= static_cast<size_t>(v.shape[d] = t.shape[d]);
    std::vector<double> numbers(count);
    v.data = numbers.data();
    call(nf_model_get_tensor, model, t.name, &v);
    call(nf_model_set_tensor, wide.get(), t.name, &v);
  }
  return wide;
}

std::vector<double> numbers_of(const Rows& rows, const std::vector<int64_t>& which) {
  std::vector<double> out;
  for (const int64_t r : which) {
    const nf_view v = rows.view(r, 1);
    for (int64_t c = 0; c < rows.cols(); ++c) {
      const auto* from = static_cast<const char*>(v.data) + v.strides[1] * c * (v.dtype == NF_F64 ? 8 : 4);
      double wide = 0;
      float narrow = 0;
      if (v.dtype == NF_F64)
        std::memcpy(&wide, from, sizeof wide);
      else
        std::memcpy(&narrow, from, sizeof narrow);
      out.push_back(v.dtype == NF_F64 ? wide : narrow);
    }
  }
  return out;
}

nf_view matrix(const std::vector<double>& v, int64_t cols) {
  return matrix_view(const_cast<double*>(v.data()), NF_F64, static_cast<int64_t>(v.size()) / cols, cols);
}
}  // namespace

CheckedModel::CheckedModel(nf_runtime* runtime, const nf_model* model, Data given, int64_t wanted,
                           const Settings& settings)
    : info(info_of(model)), data(std::move(given)) {
  iterates = std::strstr(nf_model_spec(model), "\"max_iterations\"") != nullptr;
  const int64_t n = data.x.count();
  rows = std::min(wanted, n);
  std::vector<int64_t> which;
  for (int64_t i = 0; i < rows; ++i) which.push_back(i * n / rows);
  x = numbers_of(data.x, which);
  if (data.context) c = numbers_of(data.context, data.context.count() > 1 ? which : std::vector<int64_t>{0});
  for (const Moments& m : data.x.moments()) spread.push_back(m.std > 0 && std::isfinite(m.std) ? m.std : 1);
  const Options options = settings.bag();
  session_ = make<Session>(nf_session_create, const_cast<nf_model*>(model), options.get());
  wide_model_ = widened(runtime, model);
  wide_ = make<Session>(nf_session_create, wide_model_.get(), options.get());
}

CheckedModel::Mapped CheckedModel::map(bool inverse, const std::vector<double>& from,
                                       const std::vector<double>& context, bool wide) const {
  Mapped m{std::vector<double>(from.size()), std::vector<double>(from.size() / static_cast<size_t>(info.event_size))};
  const nf_view in = matrix(from, info.event_size), out = matrix(m.to, info.event_size);
  const nf_view log_det = vector_view(m.log_det.data(), static_cast<int64_t>(m.log_det.size()));
  nf_view ctx = NF_VIEW_INIT;
  if (info.context_size) ctx = matrix(context, info.context_size);
  call(inverse ? nf_inverse : nf_forward, wide ? wide_.get() : session_.get(), &in, info.context_size ? &ctx : nullptr,
       &out, &log_det);
  return m;
}

std::vector<double> CheckedModel::log_prob(const std::vector<double>& from, const std::vector<double>& context) const {
  std::vector<double> values(from.size() / static_cast<size_t>(info.event_size));
  const nf_view in = matrix(from, info.event_size);
  const nf_view out = vector_view(values.data(), static_cast<int64_t>(values.size()));
  nf_view ctx = NF_VIEW_INIT;
  if (info.context_size) ctx = matrix(context, info.context_size);
  call(nf_log_prob, session_.get(), &in, info.context_size ? &ctx : nullptr, &out);
  return values;
}

std::vector<double> CheckedModel::contexts(int64_t n, int64_t first) const {
  std::vector<double> all;
  if (!info.context_size) return all;
  for (int64_t i = 0; i < n; ++i) {
    const std::vector<double> one = one_context((first + i) % rows);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

std::vector<double> CheckedModel::one_context(int64_t r) const {
  const auto cols = static_cast<size_t>(info.context_size);
  if (c.size() <= cols) return c;
  const auto at = c.begin() + static_cast<int64_t>(cols) * r;
  return {at, at + static_cast<int64_t>(cols)};
}

std::vector<double> CheckedModel::row(int64_t r) const {
  const auto at = x.begin() + info.event_size * r;
  return {at, at + info.event_size};
}

CheckedModel::Samples CheckedModel::sample(int64_t n, uint64_t seed) const {
  Samples s{std::vector<double>(static_cast<size_t>(n * info.event_size)), std::vector<double>(static_cast<size_t>(n))};
  const nf_view out = matrix(s.x, info.event_size), lp = vector_view(s.log_prob.data(), n);
  const std::vector<double> all = contexts(n);
  nf_view ctx = NF_VIEW_INIT;
  if (info.context_size) ctx = matrix(all, info.context_size);
  call(nf_sample, session_.get(), seed, uint64_t{0}, info.context_size ? &ctx : nullptr, &out, &lp);
  return s;
}

}  // namespace nf::cli
