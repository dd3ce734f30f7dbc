// Damaged checkpoints: some bytes of a good one are changed, cut off or added. Restoring gives a status and leaves model and
// trainer as they were, or succeeds; the next step has a status. Mostly the checksum agrees with the damage.
#include "fuzz/checksum.h"
#include "fuzz/random_model.h"

namespace fuzz {
namespace {

constexpr char kSpec[] =
    R"({"event": [2], "layers": [{"type": "actnorm"}, {"type": "affine_coupling", "hidden": [4]}]})";

void check(Bytes& b) {
  nf::Model m(runtime(), kSpec, 1);
  nf::Trainer t(m, nf::Options{{"trainer.ema_decay", 0.9}});
  const std::vector<float> x = {0.5f, 1, -1, 0.25f, 2, -0.5f};
  const nf::Batch batch(nf::View(x, 2));
  t.step(batch);
  std::vector<unsigned char> file = t.to_bytes();
  for (int64_t n = 1 + b.below(4); n > 0; --n) {
    const auto at = static_cast<size_t>(b.below(static_cast<int64_t>(file.size()) + 1));
    switch (b.below(5)) {
      case 0:
        if (at < file.size()) file[at] = b.byte();
        break;
      case 1:
        if (at < file.size()) file[at] ^= static_cast<unsigned char>(1 << b.below(8));
        break;
      case 2:
        file.resize(at);
        break;
      case 3:
        file.insert(file.begin() + static_cast<int64_t>(at), static_cast<size_t>(1 + b.below(64)), b.byte());
        break;
      default:
        file.erase(file.begin() + static_cast<int64_t>(at),
                   file.begin() + static_cast<int64_t>(std::min(file.size(), at + static_cast<size_t>(b.below(64)))));
    }
    if (file.empty()) file.push_back(0);
  }
  if (b.below(4)) (void)repair(file);
  const uint64_t before = m.hash();
  const nf_status status = status_of([&] { t.restore(file.data(), file.size()); });
  if (status != NF_OK) require(m.hash() == before);
  (void)status_of([&] { t.step(batch); });
  (void)status_of([&] { nf::Model::from_bytes(runtime(), file.data(), file.size()); });
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  fuzz::check(b);
  return 0;
}
