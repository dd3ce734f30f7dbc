#include "src/model/density.h"

#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/random.h"
#include "src/model/flow_model.h"

namespace libnf {
namespace {

constexpr uint32_t kInitStream = 0x696e6974;  // separate from the streams of samples

template <class T>
void fill_param(const Init& init, uint64_t seed, int64_t index, T* out, int64_t n) {
  // Each tensor draws from its own row of random numbers, so growing one tensor leaves the others unchanged.
  switch (init.kind) {
    case Init::constant:
      kernel::fill<T>(static_cast<T>(init.a), out, n);
      return;
    case Init::values:
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(init.list[static_cast<size_t>(i)]);
      return;
    case Init::normal:
      kernel::normal<T>({seed, kInitStream}, index, 1, n, out, n);
      kernel::scale<T>(static_cast<T>(init.a), out, out, n);
      return;
    case Init::uniform:
      kernel::uniform01<T>({seed, kInitStream}, index, 1, n, out, n);
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(init.a) * (2 * out[i] - 1);
      return;
  }
}

}  // namespace

std::unique_ptr<Density> make_model(const Allocator& allocator, ModelSpec spec, uint64_t seed, int64_t max_params) {
  const ModelKind& kind = *spec.kind;
  const Config& config = *spec.config;
  return kind.build(config, {allocator, spec, seed, max_params});
}

std::span<const LayerInstance> Density::layers() const {
  if (!flow()) return {};
  return flow()->layers();
}

void Density::create_params(const Allocator& allocator, const std::vector<ParamInfo>& infos, uint64_t seed,
                            int64_t max_params) {
  std::vector<ParamSlot> slots;
  for (const ParamInfo& p : infos) {
    slots.push_back({p.name, p.shape, p.trainable, p.old_name, p.form});
    if (p.added) slots.back().when_missing = std::make_shared<std::vector<double>>(p.init.list);
    slots.back().left_out = p.left_out;
    invariants_.push_back(p.invariant);
  }
  params_ = std::make_unique<ParamStore>(allocator, spec_.dtype, std::move(slots), max_params);
  int64_t position = 0;  // of the random numbers of a tensor; one that was added later moves none of the others
  for (size_t i = 0; i < infos.size(); ++i) {
    const View v = params_->view(i);
    with_dtype(spec_.dtype, [&]<class T>() { fill_param(infos[i].init, seed, position, v.as<T>(), v.count()); });
    position += !infos[i].added;
  }
}

void Density::measure_cost(const Allocator& allocator) {
  cost_ = row_cost(allocator, *this);
  block_rows_ = libnf::block_rows(*params_, columns(), cost_);
}

std::string Density::describe_nonfinite(int64_t row, const std::string& where) {
  const std::string number = "row " + std::to_string(row);
  if (where == kData) return number + " of x holds NaN or infinity";
  if (where == kLatent) return number + " of z holds NaN or infinity";
  if (where == kContext) return "the context of " + number + " holds NaN or infinity";
  return number + " is not finite; first at " + where;
}

}  // namespace libnf
