// The model under test; see check.h.
#include <algorithm>
#include <cmath>

#include "src/cli/check/check.h"

namespace cli {
namespace {
// Copies the model to float64, which represents float32 numbers exactly.
nf::Model widened(const nf::Runtime& runtime, const nf::Model& model) {
  auto spec = nlohmann::ordered_json::parse(model.spec());
  spec["dtype"] = "float64";
  nf::Model wide(runtime, spec.dump(), 0);
  for (const nf::Tensor& t : model.tensors()) wide.set_tensor(t, model.get_tensor<double>(t));
  return wide;
}

std::vector<double> numbers_of(const Rows& rows, const std::vector<int64_t>& which) {
  std::vector<double> out;
  for (const int64_t r : which)
    for (int64_t c = 0; c < rows.cols(); ++c) out.push_back(rows.at(r, c));
  return out;
}
}  // namespace

CheckedModel::CheckedModel(const nf::Runtime& runtime, const nf::Model& model, Data given, int64_t wanted,
                           const Settings& settings)
    : info(model.info()),
      runtime_(runtime),
      data_(std::move(given)),
      wide_model_(widened(runtime, model)),
      session_(model, settings.options({"session"})),
      wide_(wide_model_, settings.options({"session"})) {
  iterates = model.spec().find("\"max_iterations\"") != std::string::npos;
  const int64_t n = data_.x.count();
  names = data_.x.names();
  rows = std::min(wanted, n);
  std::vector<int64_t> which;
  for (int64_t i = 0; i < rows; ++i) which.push_back(i * n / rows);
  x = numbers_of(data_.x, which);
  if (data_.context) c = numbers_of(data_.context, data_.context.count() > 1 ? which : std::vector<int64_t>{0});
  for (const Moments& m : data_.x.moments()) spread.push_back(m.std > 0 && std::isfinite(m.std) ? m.std : 1);
}

nf::View CheckedModel::context_view(const std::vector<double>& context) const {
  return info.context_size ? nf::View(context, info.context_size) : nf::View();
}

CheckedModel::Mapped CheckedModel::map(nf::Direction direction, const std::vector<double>& from,
                                       const std::vector<double>& context, bool wide) const {
  nf::Session& session = wide ? wide_ : session_;
  const nf::View rows_from(from, info.event_size), ctx = context_view(context);
  Mapped m{{}, std::vector<double>(static_cast<size_t>(rows_from.rows()))};
  m.to = direction == nf::Direction::forward ? session.forward<double>(rows_from, m.log_det, ctx)
                                             : session.inverse<double>(rows_from, m.log_det, ctx);
  return m;
}

std::vector<double> CheckedModel::latents() const {
  if (!is_vae(info)) return map(nf::Direction::forward, x, c).to;
  std::vector<double> z(static_cast<size_t>(rows * info.latent_size));
  session_.encode_into({}, {}, nf::Out(z.data(), rows, info.latent_size), {}, nf::View(x, info.event_size),
                       context_view(c));
  return z;
}

CheckedModel::Posterior CheckedModel::posterior() const {
  Posterior p;
  for (std::vector<double>* v : {&p.mean, &p.log_var}) v->resize(static_cast<size_t>(rows * info.latent_size));
  session_.encode_into(nf::Out(p.mean.data(), rows, info.latent_size),
                       nf::Out(p.log_var.data(), rows, info.latent_size), {}, {}, nf::View(x, info.event_size),
                       context_view(c));
  return p;
}

std::optional<nf::ImportanceInfo> CheckedModel::weigh_posterior(int64_t r, int64_t draws, uint64_t seed) const {
  const std::vector<double> one = row(r), context = one_context(r);
  try {
    return session_.posterior_importance(nf::View(one, info.event_size), draws, seed, {}, {}, context_view(context));
  } catch (const nf::Exception& e) {
    if (e.status() != NF_ERR_NUMERIC) throw;
    return std::nullopt;
  }
}

std::vector<double> CheckedModel::log_prob(const std::vector<double>& from, const std::vector<double>& context) const {
  return session_.log_prob<double>(nf::View(from, info.event_size), context_view(context));
}

double CheckedModel::log_abs_det(const std::vector<double>& matrix) const {
  if (!std::all_of(matrix.begin(), matrix.end(), [](double v) { return std::isfinite(v); })) return std::nan("");
  const std::string columns = std::to_string(info.event_size);
  if (!matrix_)
    matrix_.emplace(runtime_, R"({"dtype": "float64", "layers": [{"type": "linear"}], "event": )" + columns + "}", 0);
  matrix_->set_tensor(matrix_->layers()[0].name + ".weight", nf::View(matrix, info.event_size));
  const std::vector<double> row(static_cast<size_t>(info.event_size));
  std::vector<double> log_det(1);
  nf::Session(*matrix_).forward<double>(nf::View(row, info.event_size), log_det);
  return log_det[0];
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

CheckedModel::Samples CheckedModel::sample_of(int64_t n, uint64_t seed, const std::vector<double>& context) const {
  Samples s{{}, std::vector<double>(static_cast<size_t>(n))};
  s.x = session_.sample<double>(n, seed, context_view(context), s.log_prob);
  return s;
}

CheckedModel::Samples CheckedModel::sample(int64_t n, uint64_t seed) const { return sample_of(n, seed, contexts(n)); }

std::vector<double> CheckedModel::base(int64_t n, uint64_t seed) const {
  nf::Sampling how;
  how.seed = seed;
  const std::vector<double> all = contexts(n);
  return session_.base_sample<double>(n, how, context_view(all));
}

}  // namespace cli
